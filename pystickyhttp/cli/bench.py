"""`pystickyhttp bench URL`: what pooled connections gain over fresh ones, on the user's own server."""

from __future__ import annotations

import contextlib
import json
import platform
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

from .. import __version__
from . import bench_words
from .bench_figures import Figures, gain
from .bench_measure import Run, ways_for
from .bench_options import Options, read_options
from .bench_table import Screen, report, wrapped
from .failures import CommandError, Exit
from .output import standard_output, telling, write_text
from .terminal import Talk


def main(arguments: list[str]) -> int:
    """Run the command.

    Args:
        arguments: those behind the word `bench`.

    Returns:
        The exit code where all went well, or Ctrl-C ended it.

    Raises:
        CommandError: the arguments are of no use, or nothing was measured.
        RequestException: the requests failed; if there is a table all the same, it was printed.
        SystemExit: help was asked for, and given.
    """
    return _run(read_options(arguments))


def _run(options: Options) -> Exit:
    standard_output()  # nobody waits for figures that can't be shown
    progress = _Progress()
    run = Run(options, ways_for(options), progress.show)
    _announce(options, list(run.figures()))
    code = _measure(run, progress)
    ways = run.figures()
    failure = run.first_failure()
    if any(figures.requests for figures in ways.values()):
        _show(options, ways, run.ended)
    elif code:
        raise CommandError("interrupted before anything was measured", code)
    elif failure is None:
        raise CommandError("the time was up before anything was answered: see --max-time", Exit.TIMED_OUT)
    if failure is not None and not code:
        raise failure
    return code


def _measure(run: Run, progress: _Progress) -> Exit:
    """Measure until the end, be it Ctrl-C. That one is for the measuring alone: the table follows."""
    try:
        with contextlib.closing(run):
            run.warm_up()
            run.measure()
    except KeyboardInterrupt:
        run.ended = bench_words.ENDED_BY_CTRL_C
        return Exit.INTERRUPTED
    finally:
        progress.clear()
    return Exit.OK


# --- what is said on the way


def _announce(options: Options, ways: list[str]) -> None:
    """Say what is going to be done before it is; on stderr, as the standard output has the result alone."""
    plan = bench_words.plan(
        options.method,
        options.host,
        ways,
        requests=options.requests,
        threads=options.concurrency,
        pause=options.pause,
        max_time=options.max_time,
    )
    talk = Talk()
    for line in wrapped(plan, talk.width) if talk.is_terminal else [plan]:
        talk.line(line)


class _Progress:
    """How far it is, in one line that is written over; nothing where nobody looks."""

    # Seconds between two looks: a line that changes more often can't be read, and costs time.
    _EVERY: Final = 0.2

    def __init__(self) -> None:
        self._talk = Talk()
        self._last = time.monotonic()
        self._length = 0

    def show(self, done: int) -> None:
        """Say how many requests are done."""
        now = time.monotonic()
        if not self._talk.is_terminal or now - self._last < self._EVERY:
            return
        self._last = now
        line = f"{done:,} requests done"
        self._length = max(self._length, len(line))
        self._talk.write_over(line)

    def clear(self) -> None:
        """Leave an empty line for what follows."""
        if self._length:
            self._talk.write_over(" " * self._length + "\r")
            self._length = 0


# --- the result


def _show(options: Options, ways: Mapping[str, Figures], ended: str | None) -> None:
    sentences = [bench_words.about_gain(ways["fresh"], ways["pooled"], is_https=options.is_https)]
    sentences += bench_words.findings(ways, options.concurrency)
    early = bench_words.about_end(ended, ways, options.requests)
    sentences += [] if early is None else [early]
    if options.as_json:
        write_text(json.dumps(document(options, ways, sentences, ended), indent=2) + "\n")
        return
    screen = Screen(standard_output())
    headline = bench_words.headline(options.method, options.host, options.concurrency, options.pause)
    with telling():
        screen.write(report(ways, headline, sentences, screen))


def document(
    options: Options, ways: Mapping[str, Figures], sentences: list[str], ended: str | None
) -> dict[str, Any]:
    """What --json prints; times are in seconds.

    Args:
        options: what was to be done.
        ways: the figures.
        sentences: what they say.
        ended: why it ended early, or None.
    """
    return {
        "method": options.method,
        "host": options.host,
        "requests": options.requests,
        "concurrency": options.concurrency,
        "pause": options.pause,
        "ways": {name: figures._asdict() for name, figures in ways.items()},
        "gain": gain(ways["fresh"], ways["pooled"]),
        "findings": sentences,
        "ended": ended,
        "versions": {
            "pystickyhttp": __version__,
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
        },
    }
