"""What a peer can be asked to do."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from benchmarks.errors import BenchmarkError

# Every peer sends these, so that each writes and its server reads as much. Those that have no compression
# read none here either, since the servers send none.
FIELDS = {
    "User-Agent": "pystickyhttp-benchmark",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}

# The size of a piece where a body is read piece by piece: what a program that writes to a file would choose.
PIECE = 65536

# One piece of work: it returns a number that says whether it went well, such as the status. For aiohttp it
# returns what has to be awaited for that number.
Step = Callable[[], Any]


class Opened(ABC):
    """A session that is open. What it returns of a body is its length, read whole."""

    @abstractmethod
    def get(self, url: str) -> Any:
        """A GET; the status."""

    @abstractmethod
    def get_with(self, url: str, fields: Mapping[str, str]) -> Any:
        """A GET with more header fields; the status."""

    def read(self, url: str) -> Any:
        """A GET whose body is handed over as one piece."""
        raise NotImplementedError

    def stream(self, url: str) -> Any:
        """A GET whose body is handed over piece by piece."""
        raise NotImplementedError

    def upload(self, url: str, path: str, size: int) -> Any:
        """A PUT of a file of this size; the status."""
        raise NotImplementedError

    def reconnect(self, url: str) -> Any:
        """A GET over a connection of its own, which nothing uses afterwards; whether its TLS was resumed."""
        raise NotImplementedError

    def fill(self, url: str, count: int) -> None:
        """Opens so many connections at the same time, and leaves them idle."""
        raise NotImplementedError

    def timed(self, step: Step, expected: int, seconds: float, most: int) -> list[float]:
        """As the function of this name; for a peer whose steps are awaited it is another."""
        return timed(step, expected, seconds, most)


class Peer(ABC):
    # What it raises when something goes wrong on the way.
    errors: ClassVar[tuple[type[Exception], ...]]

    @abstractmethod
    def open(self, authority: str | None, connections: int) -> AbstractContextManager[Opened]:
        """A session that keeps at least so many connections, and trusts the authority of this file."""

    def once(self, url: str, authority: str | None) -> int:
        """A GET by a session of its own; the status."""
        raise NotImplementedError


def check(outcome: int, expected: int) -> None:
    if outcome != expected:
        raise BenchmarkError(f"{outcome} is not the {expected} that was to come: this is not worth measuring")


def timed(step: Step, expected: int, seconds: float, most: int) -> list[float]:
    """How long the step took each time, until the time is over: at least once."""
    clock = time.perf_counter
    samples: list[float] = []
    end = clock() + seconds
    while True:
        start = clock()
        outcome = step()
        now = clock()
        check(outcome, expected)
        samples.append(now - start)
        if now >= end or len(samples) >= most:
            return samples
