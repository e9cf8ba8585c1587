"""Measuring in turns, so that a machine that grows slower or busier meanwhile does so for everyone.

`compare` takes every case once per round in a shuffled order; `warm` gives every client small slices of
requests by turns. Both are bounded by time, so that a slow machine ends when a fast one does.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.client import Client, Get, Target
from benchmarks.errors import BenchmarkError
from benchmarks.figures import MODES, Case, Turn

# A request over a simulated round trip takes many times as long as one without. With this many times the
# time it still gets fewer samples, but enough for a percentile.
WEIGHT_OF_DELAYED = 3.0

# Enough for a turn; also, every fresh request leaves a port in TIME_WAIT, and a system has some 28000.
MOST_PER_TURN = 500

# Small enough that a burst of other work on the machine hits several clients, large enough that most
# requests of a slice find the client's own code in the caches of the processor.
SLICE = 20


@dataclass(frozen=True)
class Place:
    """A server under measurement, and how far away it is (None: as far as it really is)."""

    scheme: str
    round_trip_ms: float | None
    target: Target


@dataclass(frozen=True)
class Limits:
    rounds: int
    # For all rounds together.
    seconds: float
    # Timed requests per turn, at most.
    per_turn: int


def cases(places: Sequence[Place], clients: Sequence[Client]) -> list[tuple[Case, Place, Client]]:
    """Everything that is measured once per round, in the order in which it is shown."""
    return [
        (Case(place.scheme, place.round_trip_ms, client.name, mode), place, client)
        for place in places
        for client in clients
        for mode in MODES
    ]


def compare(
    work: Sequence[tuple[Case, Place, Client]],
    limits: Limits,
    shuffler: random.Random,
    connections: Callable[[], int] | None,
    announce: Callable[[int, Case], None],
) -> list[Turn]:
    """All turns of all rounds; `connections` asks the server for its count, `announce` hears of each turn.

    Fewer rounds than asked for come back when the time is used up earlier; the first is always whole.
    """
    turns: list[Turn] = []
    end = time.perf_counter() + limits.seconds
    for number in range(limits.rounds):
        left = end - time.perf_counter()
        if turns and left <= 0:
            break
        # What a round takes too much or leaves over, the later rounds make up for.
        share = left / (limits.rounds - number) / sum(_weight(case) for case, _, _ in work)
        for case, place, client in shuffler.sample(work, len(work)):
            announce(number, case)
            before = connections() if connections else 0
            samples, requests = _turn(case, client, place.target, share * _weight(case), limits.per_turn)
            opened = connections() - before if connections else None
            turns.append(Turn(case, samples, requests, opened))
    return turns


def _weight(case: Case) -> float:
    return WEIGHT_OF_DELAYED if case.round_trip_ms else 1.0


def _turn(
    case: Case, client: Client, target: Target, seconds: float, most: int
) -> tuple[tuple[float, ...], int]:
    """The samples of one turn, and the number of all its requests."""
    # What the last turn left behind is collected at nobody's expense.
    gc.collect()
    with _named(client, target):
        if case.mode == "fresh":
            samples = _timed(client.fresh(target), seconds, most)
            return samples, len(samples)
        with client.pooled(target) as get:
            # The first request opens the connection; the ones after it are what a pool is for.
            _check(get())
            samples = _timed(get, seconds, most)
        return samples, 1 + len(samples)


@contextmanager
def _named(client: Client, target: Target) -> Iterator[None]:
    """Says whose error it is: each client has errors of its own."""
    try:
        yield
    except client.errors as error:
        raise BenchmarkError(f"{client.name} failed at {target.url}: {error!r}") from error


def _timed(get: Get, seconds: float, most: int) -> tuple[float, ...]:
    """Samples until the time is over: at least one, at most as many as said."""
    clock = time.perf_counter
    samples: list[float] = []
    end = clock() + seconds
    while True:
        start = clock()
        status = get()
        now = clock()
        _check(status)
        samples.append(now - start)
        if now >= end or len(samples) >= most:
            return tuple(samples)


def _check(status: int) -> None:
    if not 200 <= status < 300:
        raise BenchmarkError(f"the server answered {status}, and only an answer of 2xx is worth measuring")


def rehearse(clients: Sequence[Client], targets: Sequence[Target]) -> None:
    """One request of each kind without a clock: imports and tables that are made once are made here."""
    for client in clients:
        for target in targets:
            with _named(client, target):
                _check(client.fresh(target)())
    # What lives until the end needs no looking at in the collections between the turns.
    gc.collect()
    gc.freeze()


def warm(
    clients: Sequence[Client],
    target: Target,
    seconds: float,
    shuffler: random.Random,
    announce: Callable[[float], None],
) -> dict[str, list[float]]:
    """Samples of each client on its one open connection; `announce` hears the seconds that are done."""
    samples: dict[str, list[float]] = {client.name: [] for client in clients}
    with ExitStack() as stack:
        gets = [(client, stack.enter_context(client.pooled(target))) for client in clients]
        for client, get in gets:
            with _named(client, target):
                _check(get())
        begin = time.perf_counter()
        while (done := time.perf_counter() - begin) < seconds:
            announce(done)
            for client, get in shuffler.sample(gets, len(gets)):
                with _named(client, target):
                    samples[client.name].extend(_timed(get, seconds, SLICE))
    return samples
