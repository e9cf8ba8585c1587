"""Limits of time on a machine that may be held up at any moment.

A test of a limit wants it to strike at a certain point: amid the handshake, while a body comes. Whoever is
held up for longer than that gets there too late, and the limit strikes ahead of the point. Nothing is proven
then, neither for the client nor against it. So such a test does not hope that its limit was long enough: it
lets the limits grow until an event says that the point was reached, and asserts of that time what it asserts.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from pystickyhttp import Session
from tests.servers.scripted import DeadlineMissed

DEADLINE = 30.0
# So long a limit is too short on no machine: what did not take place within it is not going to.
_LONGEST = 30.0


def growing(seconds: float) -> Iterator[float]:
    """Limits, each twice the last one, for a loop that is left once what its test is about took place."""
    while seconds < _LONGEST:
        yield seconds
        seconds *= 2
    raise DeadlineMissed("however long the limit, what this test is about did not take place")


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Until a condition holds of which no event tells, with a deadline."""
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, f"waited in vain: {what}"
        threading.Event().wait(0.001)


def wait_for_news(session: Session) -> None:
    """Until something has come over the one connection of a session that is idle, its end included.

    That the server has closed is no sign of it: what it sent takes its time to get here, on the loopback too.
    """
    pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
    (slot,) = pool._ledger._idle
    assert select.select([slot.connection._socket], [], [], DEADLINE)[0], "nothing came"


class Pulse:
    """Whether the machine lets this process run: on each processor, a thread that wants to every few ms."""

    _EVERY = 0.005

    def __init__(self) -> None:
        self._over = threading.Event()
        # macOS does not tell, and puts a thread where it likes.
        processors = os.sched_getaffinity(0) if sys.platform == "linux" else [0]
        self._longest = dict.fromkeys(processors, 0.0)
        self._threads = [threading.Thread(target=self._beat, args=(number,)) for number in processors]

    @property
    def held_up(self) -> float:
        """For how many seconds at most one of the threads could not go on."""
        return max(self._longest.values())

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _beat(self, processor: int) -> None:
        if sys.platform == "linux":
            os.sched_setaffinity(0, {processor})  # of this thread alone
        while not self._over.is_set():
            begun = time.monotonic()
            self._over.wait(self._EVERY)
            late = time.monotonic() - begun - self._EVERY
            self._longest[processor] = max(self._longest[processor], late)
