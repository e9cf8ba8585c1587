"""`make bench`: what a session saves, for pystickyhttp and its peers, over http and https, near and far.

The program starts a server of its own (or takes the one that --url names), measures in turns, prints the
tables, and writes the figures as JSON and as a chart. Ctrl-C ends it at any time and leaves nothing behind.
"""

import os
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from rich.console import Console

from benchmarks.client import Client, Target
from benchmarks.clients import CLIENTS
from benchmarks.embedded import EmbeddedServer
from benchmarks.environment import drop_bending_variables, machine, processor_of_its_own, versions
from benchmarks.errors import BenchmarkError
from benchmarks.figures import MODES, STEADY, Case, Turn, WarmRow, rows, unsteady, warm_rows
from benchmarks.floor import BareH11
from benchmarks.folder import make_folder
from benchmarks.options import Options, parse
from benchmarks.probe import probe
from benchmarks.progress import RunProgress
from benchmarks.relay import HANDSHAKE_MODEL
from benchmarks.report import Report, place_of, print_tables, write_json
from benchmarks.turns import MOST_PER_TURN, Limits, Place, cases, compare, rehearse, warm

# Of the time to measure; the warm GET has five cases where the comparison has dozens.
SHARE_OF_WARM = 0.2

# The tables are drawn for this many columns where no terminal says how many there are.
WIDTH = 110

SCHEMES = ("http", "https")

NOTE_POOLED = (
    "pooled: one session per turn, whose first request opens the connection and is not timed; fresh: each "
    "request opens and closes a session, with all that its library makes per session"
)

# Without this the fresh rows would seem to be about connections alone.
NOTE_CONTEXTS = (
    "TLS contexts: requests, httpx and urllib3 make one per https session here, httpx also per http session; "
    "pystickyhttp keeps one in the process for all its sessions, and the TLS session tickets with it, so its "
    "fresh https is spared that work, and resumes"
)

NOTE_PLACED = "client and server are kept on processors of their own"

NOTE_UNPLACED = (
    "client and server share processors as the system likes, which can change a figure at 0 ms twofold"
)


def main(arguments: list[str] | None = None) -> int:
    drop_bending_variables()
    options = parse(arguments)
    # The bar is for the eye and the tables may go into a file, so they take different streams.
    progress = RunProgress(Console(stderr=True))
    told_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(width=None if told_width else WIDTH)
    try:
        make_folder(options.output)
        report = _against_url(options, progress) if options.url else _against_embedded(options, progress)
        _publish(report, options, console)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark: interrupted", file=sys.stderr)
        return 130
    return 0


def _against_embedded(options: Options, progress: RunProgress) -> Report:
    clients = [CLIENTS[name] for name in options.clients]
    shuffler = random.Random(options.seed)
    seconds_warm = options.seconds * SHARE_OF_WARM
    limits = Limits(options.rounds, options.seconds - seconds_warm, MOST_PER_TURN)
    with (
        processor_of_its_own() as others,
        EmbeddedServer(options.round_trip_ms / 1e3, others) as server,
        progress,
    ):
        places = _embedded_places(server, options.round_trip_ms)
        progress.step(0.0, "rehearsal")
        rehearse(clients, [place.target for place in places if not place.round_trip_ms])
        work = cases(places, clients)
        counter = _Counter(progress, limits.rounds, len(work), 1 - SHARE_OF_WARM)
        turns = compare(work, limits, shuffler, server.connections, counter.turn)
        floor = BareH11()
        samples = warm(
            [floor, *clients],
            places[0].target,
            seconds_warm,
            shuffler,
            lambda done: progress.step(1 - SHARE_OF_WARM * (1 - done / seconds_warm), "warm GET"),
        )
    notes = [NOTE_POOLED, NOTE_CONTEXTS, NOTE_PLACED if others else NOTE_UNPLACED]
    if options.round_trip_ms:
        notes.append(f"{options.round_trip_ms:g} ms round trip: {HANDSHAKE_MODEL}")
    facts = {
        "server": "embedded",
        "server_processors": others,
        "round_trip_ms": options.round_trip_ms,
        "seconds": options.seconds,
    }
    return _report(options, facts, notes, work, turns, warm_rows(samples, floor.name))


def _embedded_places(server: EmbeddedServer, round_trip_ms: float) -> list[Place]:
    return [
        Place(
            scheme,
            distance,
            Target(
                server.url(scheme, delayed=distance > 0),
                server.authority if scheme == "https" else None,
            ),
        )
        for distance in sorted({0.0, round_trip_ms})
        for scheme in SCHEMES
    ]


def _against_url(options: Options, progress: RunProgress) -> Report:
    assert options.url is not None
    target = Target(options.url, options.authority)
    probe(target)
    clients = [CLIENTS[name] for name in options.clients]
    work = cases([Place(urlsplit(options.url).scheme, None, target)], clients)
    limits = Limits(options.rounds, options.seconds, _requests_per_turn(options))
    counter = _Counter(progress, limits.rounds, len(work), 1.0)
    with progress:
        turns = compare(work, limits, random.Random(options.seed), None, counter.turn)
    notes = [NOTE_POOLED, NOTE_CONTEXTS, f"connections: {options.url} is not ours, so nobody counts them"]
    facts = {"server": options.url, "most_requests": options.requests, "seconds": options.seconds}
    return _report(options, facts, notes, work, turns, [])


def _requests_per_turn(options: Options) -> int:
    """Timed requests per turn, so that all requests together stay within the bound."""
    per_round = (options.requests - 1) // options.rounds
    # Each client has a pooled turn, with one request that is not timed, and a fresh one.
    return (per_round - len(options.clients)) // (len(options.clients) * len(MODES))


class _Counter:
    """Turns into a part of the bar."""

    def __init__(self, progress: RunProgress, rounds: int, per_round: int, share: float) -> None:
        self._progress = progress
        self._rounds = rounds
        self._step = share / (rounds * per_round)
        self._done = 0

    def turn(self, number: int, case: Case) -> None:
        where = f"{case.round_trip_ms:g} ms " if case.round_trip_ms is not None else ""
        self._progress.step(
            self._done * self._step,
            f"round {number + 1} of {self._rounds}",
            f"{case.scheme} {where}{case.client} {case.mode}",
        )
        self._done += 1


def _report(
    options: Options,
    facts: dict[str, object],
    notes: Sequence[str],
    work: Sequence[tuple[Case, Place, Client]],
    turns: Sequence[Turn],
    warm_figures: Sequence[WarmRow],
) -> Report:
    figures = rows(turns, [case for case, _, _ in work])
    packages = versions([*options.clients, "h11"])
    taken = len(turns) // len(work)
    here = machine()
    date = datetime.now(UTC).isoformat(timespec="seconds")
    signature = (
        f"{', '.join(f'{name} {number}' for name, number in packages.items())}; {here['python']}; "
        f"{here['platform']}, {here['cpus']} CPUs; {taken} rounds, seed {options.seed}; {date}"
    )
    notes = list(notes)
    if taken < options.rounds:
        notes.append(f"{taken} of {options.rounds} rounds: the time was used up (--seconds gives more)")
    if shaky := unsteady(figures):
        names = "; ".join(f"{place_of(case)} {case.client} {case.mode}" for case in shaky)
        notes.append(
            f"unsteady, the medians of single turns are more than {STEADY:g} times apart: {names}; "
            "compare these with care, or run again on an idle machine"
        )
    return Report(
        facts={
            "date": date,
            "machine": here,
            "versions": packages,
            "parameters": {**facts, "seed": options.seed, "rounds": options.rounds, "rounds_taken": taken},
        },
        signature=signature,
        notes=tuple(notes),
        rows=figures,
        warm=warm_figures,
    )


def _publish(report: Report, options: Options, console: Console) -> None:
    # matplotlib takes a second to import and fills the heap, which the measuring can do without.
    from benchmarks.chart import draw

    name = "url" if options.url else "pooling"
    figures, picture = options.output / f"{name}.json", options.output / f"{name}.png"
    try:
        write_json(report, figures)
        print_tables(report, console)
        draw(report, picture)
    except OSError as error:
        raise BenchmarkError(f"the results cannot be written: {error}") from error
    console.print(f"\nFigures: {figures}\nChart:   {picture}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
