"""Look-ups of names, each in a thread of its own, as getaddrinfo() takes no timeout (law T2).

Those who ask for the same name at the same time share one look-up, as they do with Go: the threads of a
program that begin with the same host send one question instead of a hundred. One that is not answered within
a second is not shared any longer. Its packets may be lost, or its thread may hang, and whoever comes later is
not to wait for that: so a name whose look-ups all hang costs a thread a second, however many ask for it.

Of different names there is a look-up each, however many that are. Whoever waits for one holds a slot of the
pool (L1), and a thread that nobody waits for any longer ends when the system's resolver gives up, which is
after ten seconds for each of its servers. A bound would save little beside that, and a few names that hang
would starve all others, as they do in a pool of threads such as asyncio's.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .sockets import Address, addresses_of

if TYPE_CHECKING:
    from queue import SimpleQueue

# For so long a look-up is shared: most are answered sooner, and to ask again costs nobody much.
SHARED_SECONDS: Final = 1.0

# What it returns is read by `addresses_of`.
Resolver: TypeAlias = Callable[[str, int], Iterable[Any]]
# The addresses, or what the resolver raised.
Outcome: TypeAlias = "Sequence[Address] | BaseException"


class Lookups:
    """The look-ups that are under way.

    No lock is taken, so that a signal handler may ask amid a question of its thread's: each step on the table
    is one that nothing can interrupt. Two who overlook each other ask twice, and that is all.

    Args:
        resolver: the function from host and port to addresses.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        # By process, host and port (L4): in the child of a fork there are no threads that would answer.
        self._under_way: dict[tuple[int, str, int], _Lookup] = {}

    def find(self, host: str, port: int, seconds: float | None) -> Outcome | None:
        """Ask the resolver, or listen to who does so already.

        Args:
            host, port: what for.
            seconds: how long to wait, None without limit. The thread is left behind then.

        Returns:
            The addresses, or the error that the resolver raised, of which others may have the same; None
            where the time ran out.
        """
        import queue  # loaded only where there is a name to resolve, to keep start-up light

        until = None if seconds is None else time.monotonic() + seconds
        while True:
            answer: SimpleQueue[Outcome | None] = queue.SimpleQueue()
            self._ask(host, port, answer)
            left = None if until is None else max(0.0, until - time.monotonic())
            try:
                outcome = answer.get(timeout=left)
            except queue.Empty:
                return None
            if outcome is not None:  # else whoever asked for it was interrupted, and this one asks himself
                return outcome

    def _ask(self, host: str, port: int, answer: SimpleQueue[Outcome | None]) -> None:
        """Listen to a look-up that may be shared, or else begin one."""
        key = (os.getpid(), host, port)
        mine = _Lookup(time.monotonic())
        mine.listen(answer)
        try:
            found = self._under_way.setdefault(key, mine)
            is_shared = found is not mine and mine.begun - found.begun < SHARED_SECONDS
            if not is_shared or not found.listen(answer):
                self._under_way[key] = mine
                self._begin(key, mine)
        except BaseException:
            self._end(key, mine, None)
            raise

    def _begin(self, key: tuple[int, str, int], lookup: _Lookup) -> None:
        _, host, port = key

        def look_up() -> None:
            self._end(key, lookup, _outcome_of(self._resolver, host, port))

        # Not a threading.Thread: its start() waits, and leaves a mess behind if a signal comes then. A bare
        # thread does not hold up the end of the program either.
        try:
            _thread.start_new_thread(look_up, ())
        except RuntimeError:
            # There is no thread to be had: the system has no more, or the interpreter ends (Python 3.12
            # starts none for who says goodbye in atexit). An answer that may come late is worth more than
            # none.
            look_up()

    def _end(self, key: tuple[int, str, int], lookup: _Lookup, outcome: Outcome | None) -> None:
        if self._under_way.get(key) is lookup:
            self._under_way.pop(key, None)
        lookup.tell(outcome)


class _Lookup:
    """One look-up, and those who wait for what comes of it.

    Args:
        begun: `time.monotonic()` when it was begun.
    """

    __slots__ = ("_listeners", "_over", "begun")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self._listeners: list[SimpleQueue[Outcome | None]] = []
        self._over = False

    def listen(self, answer: SimpleQueue[Outcome | None]) -> bool:
        """Have the outcome put there.

        Returns:
            Whether it will be, or is; else the look-up was over.
        """
        self._listeners.append(answer)
        if self._over:
            with contextlib.suppress(ValueError):  # it was told in this instant
                self._listeners.remove(answer)
                return False
        return True

    def tell(self, outcome: Outcome | None) -> None:
        """Tell everybody what came of it, None for nothing: each has to ask anew.

        It is not kept: an error leads to the thread that it is of.
        """
        self._over = True
        while self._listeners:
            self._listeners.pop().put(outcome)


def _outcome_of(resolver: Resolver, host: str, port: int) -> Outcome:
    try:
        return addresses_of(resolver(host, port), host, port)
    except BaseException as error:  # noqa: BLE001 (it is raised in the threads that wait)
        return error
