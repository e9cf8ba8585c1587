"""`make bench-compare`: see the package. Ctrl-C ends it at any time and leaves nothing behind."""

import json
import random
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.compare.goals import Section
from benchmarks.compare.nginx import version_of_nginx
from benchmarks.compare.niquests import python_with_niquests
from benchmarks.compare.options import Options, parse
from benchmarks.compare.page import Report, content, page
from benchmarks.compare.peers import DISTRIBUTIONS, version_of
from benchmarks.compare.rows import ROWS
from benchmarks.compare.run import Run
from benchmarks.compare.servers import Server
from benchmarks.environment import drop_bending_variables, machine, processor_of_its_own
from benchmarks.errors import BenchmarkError
from benchmarks.folder import make_folder

MEGA = 1_000_000

NOTES = (
    "every contestant is a process of its own that holds one peer, and all of them are measured by the same "
    "code, in turns, in an order that is shuffled for each round",
    "a ratio is taken within each round; shown are the median of the rounds, the lowest and the highest",
    "all send the same header fields, have limits of ten seconds, and read each body whole; the bare loop "
    "has no limits",
)

NOTE_PLACED = "client and server are kept on processors of their own"

NOTE_UNPLACED = "client and server share processors as the system likes, which can change a figure twofold"


def main(arguments: Sequence[str] | None = None) -> int:
    drop_bending_variables()
    options = parse(arguments, tuple(ROWS))
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
    niquests = python_with_niquests(options.output) if options.niquests else None
    size = options.megabytes * MEGA
    begun = time.monotonic()
    with (
        processor_of_its_own() as others,
        Server("embedded", size, others) as swallower,
        Server(options.server, size, others) as server,
    ):
        shuffler = random.Random(options.seed)
        run = Run(server, swallower, options.rounds, options.seconds, shuffler, niquests)
        sections = [_row(run, name, begun) for name in options.rows]
    return _report(options, run, sections, others, time.monotonic() - begun)


def _row(run: Run, name: str, begun: float) -> Section:
    print(f"{time.monotonic() - begun:5.0f} s  {name} ...", file=sys.stderr, flush=True)
    return ROWS[name](run)


def _report(
    options: Options, run: Run, sections: Sequence[Section], others: Sequence[int], took: float
) -> Report:
    here = machine()
    date = datetime.now(UTC).isoformat(timespec="seconds")
    # What is here, and what contestants said who may be elsewhere. The bare loop's version is h11's.
    known = {**{name: version_of(name) for name in DISTRIBUTIONS}, **run.versions}
    peers = {DISTRIBUTIONS[name]: version for name, version in known.items() if version}
    server = f"nginx {version_of_nginx()}" if options.server == "nginx" else "embedded"
    command = shlex.join(["python", "-m", "benchmarks.compare", *_as_given(options)])
    absent = [f"{name} is not there ({why})" for name, why in run.absent.items()]
    return Report(
        facts={
            "date": date,
            "command": command,
            "machine": here,
            "versions": peers,
            "server": server,
            "server_processors": list(others),
            "parameters": {
                "rounds": options.rounds,
                "seconds": options.seconds,
                "megabytes": options.megabytes,
                "seed": options.seed,
            },
            "took_seconds": round(took, 1),
        },
        signature=(
            f"{date}, `{command}`, {took:.0f} s",
            f"{here['platform']}, {here['cpus']} CPUs, {here['python']}; server: {server}",
            ", ".join(f"{name} {version}" for name, version in peers.items()),
        ),
        notes=(*NOTES, NOTE_PLACED if others else NOTE_UNPLACED, *absent),
        sections=sections,
    )


def _as_given(options: Options) -> list[str]:
    """The options that repeat this run."""
    given = [
        "--rounds",
        str(options.rounds),
        "--seconds",
        f"{options.seconds:g}",
        "--seed",
        str(options.seed),
    ]
    given += ["--megabytes", str(options.megabytes), "--server", options.server]
    if options.rows != tuple(ROWS):
        given += ["--only", *options.rows]
    return [*given, "--niquests"] if options.niquests else given


def _publish(report: Report, options: Options) -> None:
    figures, written = options.output / "compare.json", options.output / "compare.md"
    try:
        figures.write_text(json.dumps(content(report), indent=2) + "\n", encoding="utf-8")
        written.write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(f"the results cannot be written: {error}") from error
    print(f"{page(report)}\nFigures: {figures}\nPage:    {written}")


if __name__ == "__main__":
    sys.exit(main())
