"""`pystickyhttp bench URL`: what pooled connections gain over fresh ones, on the user's own server."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import ssl
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any, Final

from .. import __version__
from ..exceptions import InsecureRequestWarning, RequestException
from . import bench_errors, bench_words
from .bench_figures import Figures, gain
from .bench_measure import Run, ways_for
from .bench_options import Options, UsageError, read_options
from .bench_table import Screen, report

_PROG: Final = "pystickyhttp bench"


def main(arguments: list[str]) -> int:
    """Run the command.

    Args:
        arguments: those behind the word `bench`.

    Returns:
        The exit code: 0; 2 for wrong usage; 130 after Ctrl-C; 141 where nobody reads the output; else that of
        curl for what failed.
    """
    try:
        return _run(read_options(arguments))
    except SystemExit as end:  # argparse has printed the help
        return int(end.code or 0)
    except UsageError as error:
        return _fail(error, bench_errors.USAGE)
    except RequestException as error:
        return _fail(error, bench_errors.exit_code(error))
    except KeyboardInterrupt:  # one that came ahead of the measuring, or when it was over
        return _fail("interrupted", bench_errors.INTERRUPTED)
    except BrokenPipeError:
        return _leave_pipe()


def _fail(error: object, code: int) -> int:
    _tell(f"{_PROG}: {bench_errors.one_line(error)}\n")
    return code


def _tell(text: str) -> None:
    """On stderr, so that the standard output has the result alone."""
    sys.stderr.write(text)
    sys.stderr.flush()


def _leave_pipe() -> int:
    # What is left in the buffer would be tried again at the end of the program, and fail with a message.
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return bench_errors.PIPE_CLOSED


def _run(options: Options) -> int:
    progress = _Progress(options)
    run = Run(options, ways_for(options), progress.show)
    _announce(options, list(run.figures()))
    with warnings.catch_warnings():
        # Whoever gives --insecure knows, and the warning is for programs.
        warnings.simplefilter("ignore", InsecureRequestWarning)
        code = _measure(run, progress)
    ways = run.figures()
    if not any(figures.requests for figures in ways.values()):
        return _nothing_measured(run, code)
    _show(options, ways, run.ended)
    failure = run.first_failure()
    if code or failure is None:
        return code
    return _fail(failure, bench_errors.exit_code(failure))


def _measure(run: Run, progress: _Progress) -> int:
    """Measure until the end, be it Ctrl-C. That one is for the measuring alone: the table follows."""
    try:
        with contextlib.closing(run):
            run.warm_up()
            run.measure()
    except KeyboardInterrupt:
        run.ended = bench_words.ENDED_BY_CTRL_C
        return bench_errors.INTERRUPTED
    finally:
        progress.clear()
    return 0


def _nothing_measured(run: Run, code: int) -> int:
    failure = run.first_failure()
    if code:
        return _fail("interrupted before anything was measured", code)
    if failure is not None:
        return _fail(failure, bench_errors.exit_code(failure))
    return _fail("the time was up before anything was answered: see --max-time", bench_errors.TIMED_OUT)


# --- what is said on the way


def _announce(options: Options, ways: list[str]) -> None:
    """Say what is going to be done before it is."""
    told = bench_words.plan(
        options.method,
        options.host,
        ways,
        requests=options.requests,
        threads=options.concurrency,
        pause=options.pause,
        max_time=options.max_time,
    )
    _tell(told + "\n")


class _Progress:
    """How far it is, in one line that is written over; nothing where nobody looks."""

    # Seconds between two looks: a line that changes more often can't be read, and costs time.
    _EVERY: Final = 0.2

    def __init__(self, options: Options) -> None:
        self._requests = options.requests
        self._is_seen = sys.stderr.isatty()
        self._last = time.monotonic()
        self._length = 0

    def show(self, done: int) -> None:
        """Say how many requests are done."""
        now = time.monotonic()
        if not self._is_seen or now - self._last < self._EVERY:
            return
        self._last = now
        line = f"{done:,} requests done"
        self._length = max(self._length, len(line))
        _tell(f"\r{line}")

    def clear(self) -> None:
        """Leave an empty line for what follows."""
        if self._length:
            _tell(f"\r{' ' * self._length}\r")
            self._length = 0


# --- the result


def _show(options: Options, ways: Mapping[str, Figures], ended: str | None) -> None:
    told = [bench_words.about_gain(ways["fresh"], ways["pooled"], is_https=options.is_https)]
    told += bench_words.findings(ways, options.concurrency)
    early = bench_words.about_end(ended, ways, options.requests)
    told += [] if early is None else [early]
    if options.as_json:
        sys.stdout.write(json.dumps(document(options, ways, told, ended), indent=2) + "\n")
        sys.stdout.flush()
        return
    screen = Screen(sys.stdout)
    headline = bench_words.headline(options.method, options.host, options.concurrency, options.pause)
    screen.write(report(ways, headline, told, screen))


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
