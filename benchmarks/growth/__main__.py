"""`make bench-growth`: see the package. Ctrl-C ends it at any time and leaves nothing behind."""

import json
import random
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from benchmarks.compare.nginx import version_of_nginx
from benchmarks.compare.peers import DISTRIBUTIONS, OURS, version_of
from benchmarks.compare.run import Run
from benchmarks.compare.servers import Server
from benchmarks.environment import (
    described,
    drop_bending_variables,
    machine,
    numbered,
    processor_of_its_own,
)
from benchmarks.errors import BenchmarkError
from benchmarks.folder import make_folder
from benchmarks.growth import axes
from benchmarks.growth.figures import Growth, Report, content
from benchmarks.growth.options import Options, as_given, parse
from benchmarks.growth.page import NAME, page
from benchmarks.relay import HANDSHAKE_MODEL

NOTES = (
    "every point of every line is a process of its own, and all of an axis are measured by the same code, in "
    "turns, in an order that is shuffled for each round; shown are the medians of the rounds",
    "pooled: one session for all requests; fresh: `pystickyhttp.get()`, a session for each request",
    "the first part of each pooled slice is not timed: in it a session opens the connections that it has "
    "given up since its last slice, as httpx does after five seconds",
    f"the round trip is simulated: {HANDSHAKE_MODEL}",
)

NOTE_PLACED = "client and server are kept on processors of their own"

NOTE_UNPLACED = "client and server share processors as the system likes, which can change a figure twofold"

# Of no consequence: the server of the small answers has a large one as well.
SMALL = 1


def main(arguments: Sequence[str] | None = None) -> int:
    drop_bending_variables()
    options = parse(arguments)
    try:
        make_folder(options.output)
        _publish(_measured(options), options)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark: interrupted", file=sys.stderr)
        return 130
    return 0


def _measured(options: Options) -> Report:
    begun = time.monotonic()
    with (
        processor_of_its_own() as others,
        Server(options.server, SMALL, others) as server,
    ):
        run = Run(
            server,
            server,
            options.rounds,
            options.seconds,
            random.Random(options.seed),
            None,
            absent={peer: "left out, by --peers" for peer in axes.PEERS if peer not in options.peers},
        )
        measured: dict[str, Callable[[], Growth]] = {
            "threads": lambda: axes.threads(run, server, _points(axes.THREADS, options)),
            "round-trip": lambda: axes.round_trip(run, server, others, _points(axes.ROUND_TRIPS, options)),
            "size": lambda: axes.size(run, options.server, others, _points(axes.SIZES, options)),
        }
        grown = []
        for name in options.axes:
            print(f"{time.monotonic() - begun:5.0f} s  {name} ...", file=sys.stderr, flush=True)
            grown.append(measured[name]())
    return _report(options, run, grown, others, time.monotonic() - begun)


def _points(points: Sequence[float], options: Options) -> Sequence[float]:
    return (points[0], points[-1]) if options.ends else points


def _report(
    options: Options, run: Run, grown: Sequence[Growth], others: Sequence[int], took: float
) -> Report:
    date = datetime.now(UTC).isoformat(timespec="seconds")
    here = machine()
    names = (OURS, *axes.PEERS)
    packages = {DISTRIBUTIONS[name]: version_of(name) for name in names if name not in run.absent}
    known = {name: version for name, version in packages.items() if version}
    server = f"nginx {version_of_nginx()}" if options.server == "nginx" else "embedded"
    command = shlex.join(["python", "-m", "benchmarks.growth", *as_given(options)])
    return Report(
        facts={
            "date": date,
            "command": command,
            "machine": here,
            "versions": known,
            "server": server,
            "server_processors": list(others),
            "parameters": {"rounds": options.rounds, "seconds": options.seconds, "seed": options.seed},
            "took_seconds": round(took, 1),
        },
        signature=(
            f"{date}, `{command}`, {took:.0f} s",
            f"{described(here)}; server: {server}",
            numbered(known),
        ),
        notes=(
            *NOTES,
            NOTE_PLACED if others else NOTE_UNPLACED,
            *(f"{name} is not there ({why})" for name, why in run.absent.items()),
        ),
        axes=tuple(grown),
    )


def _publish(report: Report, options: Options) -> None:
    # matplotlib takes a second to import, which the measuring can do without.
    from benchmarks.growth.chart import draw
    from benchmarks.theme import save

    figures, written = options.output / f"{NAME}.json", options.output / f"{NAME}.md"
    try:
        figures.write_text(json.dumps(content(report), indent=2) + "\n", encoding="utf-8")
        charts = save(partial(draw, report), options.output, NAME, ("svg", "png"))
        written.write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(f"the results cannot be written: {error}") from error
    listing = "\n".join(f"         {chart}" for chart in charts).strip()
    print(f"{page(report)}\nFigures: {figures}\nPage:    {written}\nCharts:  {listing}")


if __name__ == "__main__":
    sys.exit(main())
