"""The kinds of work that are measured, each as a function that does a slice of it.

A slice is so many seconds of one kind of work by one peer. It runs in the process that holds the peer, and
nowhere else, so that no line of this is other for one peer than for another.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.compare.peers.base import Opened, Peer, check, timed

# Seconds and the most samples to the samples, in seconds for one piece of work.
Slice = Callable[[float, int], list[float]]

OK = 200


@dataclass(frozen=True)
class Work:
    """What is to be done, in words that go over a pipe."""

    kind: str
    url: str
    # The file of the authority to trust; None over http.
    authority: str | None = None
    # Of the body that comes, or of the file that goes.
    size: int = 0
    # The file that goes.
    path: str = ""
    # How many use one session at a time, or how many connections are left idle.
    at_once: int = 1


@contextmanager
def opened(peer: Peer, work: Work) -> Iterator[Slice]:
    """What does slices of this work, as long as the context is open."""
    if work.kind == "once":
        yield lambda seconds, most: timed(lambda: peer.once(work.url, work.authority), OK, seconds, most)
        return
    with peer.open(work.authority, work.at_once) as session:
        yield KINDS[work.kind](session, work)


def _get(session: Opened, work: Work) -> Slice:
    return _timed(session, lambda: session.get(work.url), OK)


def _varied(session: Opened, work: Work) -> Slice:
    """A URL and a value of a header field that were never there before, in each request."""
    numbers = itertools.count()

    def step() -> object:
        number = next(numbers)
        return session.get_with(f"{work.url}?number={number}", {"X-Request-Id": f"request-{number}"})

    return _timed(session, step, OK)


def _read(session: Opened, work: Work) -> Slice:
    return _timed(session, lambda: session.read(work.url), work.size)


def _stream(session: Opened, work: Work) -> Slice:
    return _timed(session, lambda: session.stream(work.url), work.size)


def _upload(session: Opened, work: Work) -> Slice:
    return _timed(session, lambda: session.upload(work.url, work.path, work.size), OK)


def _resumed(session: Opened, work: Work) -> Slice:
    """A new connection for each request, and every one of them resumes."""
    return _reconnecting(session, work.url, resumed=True)


def _full(session: Opened, work: Work) -> Slice:
    """A new connection for each request, each with all of a handshake."""
    return _reconnecting(session, work.url, resumed=False)


def _reconnecting(session: Opened, url: str, *, resumed: bool) -> Slice:
    session.reconnect(url)  # the first one brings the ticket
    return _timed(session, lambda: session.reconnect(url), resumed)


def _threads(session: Opened, work: Work) -> Slice:
    """GETs by several threads on one session; the one sample is the time by the number of requests."""

    def together(seconds: float, most: int) -> list[float]:
        return [_seconds_per_request(session, work, seconds, most)]

    return together


def _seconds_per_request(session: Opened, work: Work, seconds: float, most: int) -> float:
    clock = time.perf_counter
    counts = [0] * work.at_once
    errors: list[BaseException] = []
    gate = threading.Barrier(work.at_once + 1)
    until = [0.0]

    def run(number: int) -> None:
        gate.wait()
        try:
            while True:
                check(session.get(work.url), OK)
                counts[number] += 1
                if clock() >= until[0] or counts[number] >= most:
                    return
        except BaseException as error:  # noqa: BLE001  # it is raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(work.at_once)]
    for thread in threads:
        thread.start()
    start = clock()
    until[0] = start + seconds
    gate.wait()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return (clock() - start) / sum(counts)


def _fill(session: Opened, work: Work) -> Slice:
    """Leaves `most` connections idle, which were in use at the same time; there is nothing to be timed."""

    def fill(seconds: float, most: int) -> list[float]:
        session.fill(work.url, most)
        return []

    return fill


def _timed(session: Opened, step: Callable[[], object], expected: int) -> Slice:
    return lambda seconds, most: session.timed(step, expected, seconds, most)


KINDS: dict[str, Callable[[Opened, Work], Slice]] = {
    "get": _get,
    "varied": _varied,
    "read": _read,
    "stream": _stream,
    "upload": _upload,
    "resumed": _resumed,
    "full": _full,
    "threads": _threads,
    "fill": _fill,
}
