"""The three axes, each measured by one function: who does what at which point, all of them in turns."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.compare.contestant import Contestant
from benchmarks.compare.goals import Spread, spread
from benchmarks.compare.peers import OURS
from benchmarks.compare.run import Run
from benchmarks.compare.servers import Server
from benchmarks.compare.work import Work
from benchmarks.growth.figures import Growth, Line, Scale
from benchmarks.growth.relays import Relays

POOLED = f"{OURS}, pooled"
FRESH = f"{OURS}, fresh"
PEERS = ("requests", "httpx", "urllib3")

THREADS = (1, 2, 4, 8, 16, 32, 64)
ROUND_TRIPS = (0, 1, 5, 20, 50, 100)
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)

MILLI = 1e3
MEGA = 1e6

# Shares of the run's seconds. Threads have to start and to end in each slice, which must not count for much.
OF_THREADS = 0.5
OF_ROUND_TRIP = 0.25
OF_SIZE = 0.25

# Of a slice: for 64 threads long enough to open as many connections.
OPENING = 0.25

# Each fresh request leaves a port in TIME_WAIT for a minute, and a system has some 28000. In five rounds
# these are also fewer than the looks at tickets that a process of Python before 3.12.8 has (law S2).
MOST_FRESH = 180
MOST_POOLED = 100_000

# A contestant at a point: its line, the number of the point, the peer, what it does.
Entry = tuple[str, int, str, Work]
# From the seconds of one request to what is shown, at the point of this number.
Shown = Callable[[float, int], float]


def threads(run: Run, server: Server, points: Sequence[float]) -> Growth:
    entries: list[Entry] = []
    for number, point in enumerate(points):
        pooled = server.work("threads", at_once=int(point))
        entries += _entries(number, pooled, replace(pooled, kind="threads-once"))
    scale = Scale(
        name="threads",
        title="Requests per second, by threads on one session",
        across="threads",
        unit="requests/s",
        better="higher is better",
        note="small GETs over http. All threads share one interpreter and the client's processor, so nothing "
        "can grow above what one processor does: what is seen is what threads cost each other",
    )
    return Growth(scale, tuple(points), _measured(run, entries, OF_THREADS, lambda seconds, _: 1 / seconds))


def round_trip(run: Run, server: Server, processors: Sequence[int], points: Sequence[float]) -> Growth:
    near = server.work("get", "https")
    delays = [point / MILLI for point in points if point]
    with Relays(server.address("https"), delays, processors) as relays:
        urls = iter([relays.url(number) for number in range(len(delays))])
        entries: list[Entry] = []
        for number, point in enumerate(points):
            pooled = replace(near, url=next(urls)) if point else near
            entries += _entries(number, pooled, replace(pooled, kind="once"))
        lines = _measured(run, entries, OF_ROUND_TRIP, lambda seconds, _: seconds * MILLI)
    scale = Scale(
        name="round-trip",
        title="Milliseconds of a GET over https, by round trip",
        across="round trip",
        unit="ms",
        better="lower is better",
        note="0 ms is without the relay, which adds some tenths of a millisecond of its own. A pooled GET "
        "is one round trip; a fresh one has those of TCP and of TLS 1.3, too",
    )
    return Growth(scale, tuple(points), lines)


def size(run: Run, kind: str, processors: Sequence[int], points: Sequence[float]) -> Growth:
    with ExitStack() as stack:
        entries: list[Entry] = []
        for number, point in enumerate(points):
            server = stack.enter_context(Server(kind, int(point), processors))
            pooled = server.large("read")
            entries += _entries(number, pooled, replace(pooled, kind="once"))
        lines = _measured(run, entries, OF_SIZE, lambda seconds, number: points[number] / MEGA / seconds)
    scale = Scale(
        name="size",
        title="Megabytes per second, by size of the body",
        across="body",
        unit="MB/s",
        better="higher is better",
        note="GETs over http, each body read as one piece (`.content`)",
    )
    return Growth(scale, tuple(points), lines)


def _entries(number: int, pooled: Work, fresh: Work) -> list[Entry]:
    lines = [(POOLED, number, OURS, pooled), (FRESH, number, OURS, fresh)]
    return [*lines, *((peer, number, peer, pooled) for peer in PEERS)]


def _measured(run: Run, entries: Sequence[Entry], share: float, shown: Shown) -> tuple[Line, ...]:
    """All of them do a slice in each round, in a shuffled order."""
    with ExitStack() as stack:
        contestants: dict[tuple[str, int], Contestant] = {}
        for line, number, peer, work in entries:
            entered = run.enter(stack, peer, work)
            if entered is not None:
                entered.slice(0.0, 1)  # imports, tables and connections that are made once are made here
                contestants[line, number] = entered
        rounds = _rounds(run, contestants, run.seconds * share)
    lines: dict[str, list[Spread]] = {}
    for (line, number), values in rounds.items():
        lines.setdefault(line, []).append(spread([shown(value, number) for value in values]))
    return tuple(Line(name, tuple(values)) for name, values in lines.items())


def _rounds(
    run: Run, contestants: Mapping[tuple[str, int], Contestant], seconds: float
) -> Mapping[tuple[str, int], list[float]]:
    """The median of each round, in seconds; all rounds together take so many."""
    each = seconds / run.rounds / len(contestants)
    rounds: dict[tuple[str, int], list[float]] = {key: [] for key in contestants}
    for _ in range(run.rounds):
        for key in run.shuffler.sample(list(contestants), len(contestants)):
            rounds[key].append(_slice(contestants[key], each, pooled=key[0] != FRESH))
    return rounds


def _slice(contestant: Contestant, seconds: float, *, pooled: bool) -> float:
    """The median of a slice, in seconds.

    Between two slices of a contestant all others have theirs, and some sessions give up their connections
    meanwhile (httpx's after five seconds). A pooled one has the first part of its time to open them again.
    """
    if not pooled:
        return statistics.median(contestant.slice(seconds, MOST_FRESH))
    contestant.slice(seconds * OPENING, MOST_POOLED)
    return statistics.median(contestant.slice(seconds * (1 - OPENING), MOST_POOLED))
