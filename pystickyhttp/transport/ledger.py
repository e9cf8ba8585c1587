"""The bookkeeping of the pool: who gets which connection, who waits, what is evicted (laws R2, L1, L2).

The `Ledger` knows no sockets, locks or clocks, so that its rules can be tested alone. Whoever owns one
guards it by a lock, dials into the slots that it grants, and closes the connections that it hands back.

The unit that is counted is the `Slot`: a permit for one connection of one Route. It is empty while its
connection is dialled, holds it while it is in use or idle, and ceases with it. A `Lease` is one request's
hold on a slot: it waits for one, is granted one, and gives it back once.

Counts are the lengths of sets, never numbers kept beside them. An operation that is cut short by an
exception (a KeyboardInterrupt can strike between any two steps) is undone by discarding the slot from each
set, whether or not it got there; a counter could not tell.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import Final, Generic, TypeAlias, TypeVar

from ..values import Value, settle, value_class
from .route import Route

C = TypeVar("C")

# Of one Route, as `Stats.of` takes them: the origin, "" for that of many; opened, reused, replayed, resumed,
# idle, active and waiting; and the reasons for which connections were discarded.
Figures: TypeAlias = "tuple[str, tuple[int, int, int, int, int, int, int], dict[str, int]]"

# How many leases that came to wait later may overtake one of another Route that waits at the total limit.
# Each turn that is given away costs a connection and a dial, so one request in a hundred at most pays for it;
# and a queue gets through a hundred requests well within a pool timeout.
MOST_OVERTAKING: Final = 100

# Of how many hosts the tallies are kept that nothing leads to any more. More than anybody reads, and a few
# hundred kilobytes; a crawler's millions are summed up.
MOST_PAST_HOSTS: Final = 1000

# Why the ledger gives up connections that could have served on.
OVER_IDLE_LIMIT: Final = "over the limit of idle connections"
MADE_ROOM: Final = "made room for another host"
LIMITS_LOWERED: Final = "the limits were lowered"
POOL_CLOSED: Final = "the pool was closed"
NEVER_GIVEN_BACK: Final = "nobody gave it back"
MISLAID: Final = "an interrupt left it behind"


@value_class()
class Limits(Value):
    """How many connections there may be, and how long an idle one is kept. None is without limit.

    Of one host are the connections that could serve the same request: with the same scheme, host, port,
    proxy, TLS settings, unix socket and local address. A request for which there is no room waits, first
    come, first served, for as long as `Timeout(pool=...)`.

    Args:
        max_connections: of all hosts together; dialling, active and idle ones all count. Default None.
        max_per_host: of one host. Default None.
        max_idle: idle ones of all hosts together; beyond, the one unused for longest is closed. Default 100.
        max_idle_per_host: idle ones of one host. Default None.
        idle_timeout: seconds after which an idle connection is not used again. Where the server's Keep-Alive
            says less, that counts. Default 60.
        max_age: seconds since it was dialled after which a connection is not used again. Default None.

    Raises:
        TypeError: a limit is not a number, or a count is not a whole one.
        ValueError: a limit is negative, or `max_connections` or `max_per_host` is 0.
    """

    max_connections: int | None
    max_per_host: int | None
    max_idle: int | None
    max_idle_per_host: int | None
    idle_timeout: float | None
    max_age: float | None

    def __init__(
        self,
        max_connections: int | None = None,
        max_per_host: int | None = None,
        max_idle: int | None = 100,  # a crawler's hosts come and go: an idle socket costs both sides memory
        max_idle_per_host: int | None = None,
        # Longer than many servers keep one; that is found out at reuse (R4), and a guess too long hurts none.
        idle_timeout: float | None = 60.0,
        max_age: float | None = None,
    ) -> None:
        settle(
            self,
            max_connections=max_connections,
            max_per_host=max_per_host,
            max_idle=max_idle,
            max_idle_per_host=max_idle_per_host,
            idle_timeout=idle_timeout,
            max_age=max_age,
        )
        for name, least in (
            ("max_connections", 1),
            ("max_per_host", 1),
            ("max_idle", 0),
            ("max_idle_per_host", 0),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}: give a whole number, or None for no limit")
            if value < least:
                raise ValueError(f"{name} is {value}: give {least} or more, or None for no limit")
        for name in ("idle_timeout", "max_age"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} is {value!r}: give a number of seconds, or None for no limit")
            if not value >= 0:
                raise ValueError(f"{name} is {value}: give 0 seconds or more, or None for no limit")


DEFAULT_LIMITS: Final = Limits()


class Slot(Generic[C]):
    """A permit for one connection of one Route.

    Attributes:
        connection: the connection, or None while it is dialled.
        holder: the `hold` of the lease that holds the slot, or None while its connection is idle. A lease
            that is gone without having given the slot back shows by it (see `Ledger.drop_forgotten`).
        retired: set when the pool is closed over the head of its holder: it is not pooled again.
    """

    __slots__ = ("connection", "holder", "retired", "state")

    def __init__(self, state: _RouteState[C], holder: Lease[C]) -> None:
        self.state = state
        self.holder: weakref.ref[Lease[C]] | None = holder.hold
        self.connection: C | None = None
        self.retired = False

    def is_held_by(self, lease: Lease[C]) -> bool:
        """Whether it is that lease's to give back."""
        # Not by whom the reference leads to: the collector empties it ahead of the finalizer of a response
        # that is garbage in a cycle, which is to give the slot back (R6).
        return self.holder is not None and self.holder is lease.hold


class Lease(Generic[C]):
    """One request's hold on a slot of its Route.

    Attributes:
        route: the Route.
        slot: the slot, or None while the lease waits for one.
        hold: a weak reference to itself, by which its slot knows it.
    """

    __slots__ = ("__weakref__", "hold", "route", "slot")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.slot: Slot[C] | None = None
        self.hold: weakref.ref[Lease[C]] = weakref.ref(self)

    def granted(self) -> None:
        """Called when a lease that waited has got its slot; may be called again. It must not block."""


class Tally:
    """What the connections to one host came to. It is for people alone: nothing is decided by it.

    An operation that is cut short may leave one uncounted. What permits are counted by are sets.
    """

    __slots__ = ("discarded", "opened", "replayed", "resumed", "reused")

    def __init__(self) -> None:
        self.opened = 0
        self.reused = 0
        self.replayed = 0
        self.resumed = 0
        self.discarded: dict[str, int] = {}

    def discard(self, reason: str) -> None:
        """Count a connection that was given up."""
        self.discarded[reason] = self.discarded.get(reason, 0) + 1

    def add(self, other: Tally) -> None:
        """Take in another one."""
        self.opened += other.opened
        self.reused += other.reused
        self.replayed += other.replayed
        self.resumed += other.resumed
        for reason, number in other.discarded.items():
            self.discarded[reason] = self.discarded.get(reason, 0) + number


class _RouteState(Generic[C]):
    """What the ledger keeps of one Route."""

    __slots__ = ("idle", "route", "slots", "tally", "waiting")

    def __init__(self, route: Route, tally: Tally) -> None:
        self.route = route
        self.tally = tally
        self.slots: set[Slot[C]] = set()
        self.idle: dict[Slot[C], None] = {}  # a stack: the last one in is the first one out
        self.waiting: OrderedDict[Lease[C], int] = OrderedDict()  # lease -> its number in the queue of all


class Ledger(Generic[C]):
    """Who gets which connection.

    Every method that can displace connections returns them; the caller closes them, outside its lock.
    Claiming and giving back are O(1); where leases of several Routes wait, O(those Routes).

    Args:
        limits: the limits.
        note_why: called with each connection that it gives up, and why, ahead of handing it back. It runs
            under the owner's lock, and must neither wait nor raise.

    Attributes:
        limits: the limits in force; `set_limits` changes them.
    """

    def __init__(self, limits: Limits, note_why: Callable[[C, str], object] | None = None) -> None:
        self.limits = limits
        self._note_why = note_why
        # The tallies of hosts that no Route of `_states` leads to, the one that was last so at the end; and
        # of those that were before them, together.
        self._past: OrderedDict[str, Tally] = OrderedDict()
        self._beyond = Tally()
        self._states: dict[Route, _RouteState[C]] = {}
        self._slots: set[Slot[C]] = set()
        self._idle: OrderedDict[Slot[C], None] = OrderedDict()  # least recently used first
        self._queued: dict[Route, _RouteState[C]] = {}  # the states where leases wait
        self._numbers = count()

    @property
    def open(self) -> int:
        """Slots of all Routes: dialling, active and idle."""
        return len(self._slots)

    @property
    def idle(self) -> int:
        """Idle connections of all Routes."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Leases that wait."""
        return sum(len(state.waiting) for state in list(self._queued.values()))

    def claim(self, lease: Lease[C]) -> list[C]:
        """Give the lease a slot: with an idle connection, or empty, to be dialled into; or let it wait.

        Args:
            lease: a new lease; afterwards its `slot` is set, or it is in the queue.

        Returns:
            The idle connection of another Route that had to make room, if any.
        """
        try:
            state = self._states.get(lease.route)
            if state is None:
                state = self._states[lease.route] = self._new_state(lease.route)
            if not state.idle:
                return self._dial_or_wait(state, lease)
            self._take_idle(state, lease)
            return []
        except BaseException:  # pragma: no cover - an interrupt: its tests trace by themselves
            self._recover()
            raise

    def release(self, lease: Lease[C]) -> list[C]:
        """Take back a slot whose connection can be used again.

        It goes to the first lease that waits for its Route, else to the idle ones.

        Returns:
            Connections to be closed: this one, where the limits leave no room for it, and idle ones.
        """
        try:
            return self._release(self._held(lease))
        except BaseException:
            self._recover()
            raise

    def discard(self, lease: Lease[C], reason: str = "") -> list[C]:
        """Give up the slot of a lease, or its place in the queue. May be called again.

        Args:
            lease: the lease.
            reason: why its connection is not used again, for the tally.

        Returns:
            Connections to be closed: the slot's own, if there is one, and idle ones that made room.
        """
        try:
            self._leave_queue(lease)
            slot = lease.slot
            if slot is None or not slot.is_held_by(lease):
                return []
            return self._drop(slot, reason) + self._admit()
        except BaseException:  # pragma: no cover - an interrupt: its tests trace by themselves
            self._recover()
            raise

    def renew(self, lease: Lease[C], reason: str = "") -> list[C]:
        """The connection in the lease's slot is dead: put the next idle one in its place, or empty the slot.

        The lease keeps its slot, so nobody who came later can overtake it.

        Args:
            lease: the lease.
            reason: why the connection is not used, for the tally.

        Returns:
            Connections to be closed: the dead one, and idle ones that made room.
        """
        try:
            return self._renew(self._held(lease), reason)
        except BaseException:  # pragma: no cover - an interrupt: its tests trace by themselves
            self._recover()
            raise

    def expire(self, why_expired: Callable[[C], str | None]) -> list[C]:
        """Drop idle connections from the least recently used on, as far as they are expired; return them.

        Args:
            why_expired: why one is expired, or None where it is not.
        """
        expired: list[C] = []
        try:
            while self._idle:
                slot = next(iter(self._idle))
                why = MISLAID if slot.connection is None else why_expired(slot.connection)
                if why is None:
                    break
                expired += self._drop(slot, why)
            return expired + self._admit()
        except BaseException:
            self._recover()
            raise

    def drop_forgotten(self) -> list[C]:
        """Drop the slots of leases that are gone without having given them back; returns their connections.

        Whoever is interrupted gives back what he holds, and may be interrupted in that too: this is for who
        waits for a slot, before he waits in vain.
        """
        closing: list[C] = []
        try:
            for slot in [slot for slot in self._slots if slot.holder is not None and slot.holder() is None]:
                closing += self._drop(slot, NEVER_GIVEN_BACK)
            return closing + self._admit()
        except BaseException:  # pragma: no cover - an interrupt: its tests trace by themselves
            self._recover()
            raise

    def retire(self) -> list[C]:
        """Drop every idle connection, and let none in use be pooled again; return the idle ones."""
        for slot in self._slots:
            slot.retired = True
        return self.expire(lambda _: POOL_CLOSED)

    def set_limits(self, limits: Limits) -> list[C]:
        """Change the limits: leases that they now let in are granted; returns connections to be closed."""
        closing: list[C] = []
        try:
            self.limits = limits
            for state in list(self._states.values()):
                closing += self._shrink(state) + self._trim(state)
            return closing + self._admit()
        except BaseException:  # pragma: no cover - an interrupt: its tests trace by themselves
            self._recover()
            raise

    def connections(self) -> list[C]:
        """Every connection, idle or in use."""
        return [slot.connection for slot in self._slots if slot.connection is not None]

    # --- what it all came to

    def count_opened(self, lease: Lease[C], *, resumed: bool) -> None:
        """A connection was dialled into the slot of a lease.

        Args:
            lease: the lease.
            resumed: whether its TLS began with a ticket.
        """
        tally = self._held(lease).state.tally
        tally.opened += 1
        tally.resumed += resumed

    def count_lost(self, lease: Lease[C], reason: str, *, replayed: bool = False) -> None:
        """The connection is gone from the slot of a lease, which keeps it: to dial anew, or to give it up.

        Args:
            lease: the lease.
            reason: why it is gone.
            replayed: whether the request goes out once more (law P1).
        """
        tally = self._held(lease).state.tally
        tally.discard(reason)
        tally.replayed += replayed

    def figures(self) -> list[Figures]:
        """The tally of each Route, and the state that the connections over it are in now."""
        figures = [_figures_of("", self._beyond, 0, 0, 0)]
        figures += [_figures_of(origin, tally, 0, 0, 0) for origin, tally in self._past.items()]
        for state in self._states.values():
            idle = len(state.idle)
            origin, active = state.route.origin, len(state.slots) - idle
            figures.append(_figures_of(origin, state.tally, idle, active, len(state.waiting)))
        return figures

    def _new_state(self, route: Route) -> _RouteState[C]:
        tally = self._past.pop(route.origin, None) if self._past else None
        return _RouteState(route, Tally() if tally is None else tally)

    def _keep_tally(self, state: _RouteState[C]) -> None:
        """Nothing leads to a Route any more: what it came to is kept, be it among that of many."""
        origin = state.route.origin
        tally = self._past.pop(origin, None)
        if tally is not None:  # of another Route to the same host
            state.tally.add(tally)
        self._past[origin] = state.tally
        while len(self._past) > MOST_PAST_HOSTS:
            self._beyond.add(self._past.popitem(last=False)[1])

    # --- the rules

    def _may_dial(self, state: _RouteState[C]) -> bool:
        """L1: a Route below its limit, and room in all, or an idle connection that can make room (L2).

        It is asked only where the Route has no idle connection of its own.
        """
        limits = self.limits
        if limits.max_per_host is not None and len(state.slots) >= limits.max_per_host:
            return False
        return limits.max_connections is None or len(self._slots) < limits.max_connections or bool(self._idle)

    def _why_close(self, slot: Slot[C]) -> str | None:
        """Why one that could be pooled is not: the pool was closed, or a limit lowered; None where it is."""
        if slot.retired:
            return POOL_CLOSED
        return LIMITS_LOWERED if self._is_over_limits(slot.state) else None

    def _is_over_limits(self, state: _RouteState[C]) -> bool:
        """L1: whether more connections are open than limits that were lowered allow."""
        limits = self.limits
        if limits.max_per_host is not None and len(state.slots) > limits.max_per_host:
            return True
        return limits.max_connections is not None and len(self._slots) > limits.max_connections

    def _holds_up_others(self, state: _RouteState[C]) -> bool:
        """L2: whether a Route that never runs out of leases has had the slots of all for too long.

        A released connection is worth more to a lease of its own Route, and goes to it ahead of those of
        others that came before; but each of them is overtaken by so many alone.
        """
        limits = self.limits
        if limits.max_connections is None or len(self._queued) < 2:
            return False
        late = next(iter(state.waiting.values())) - MOST_OVERTAKING
        return any(
            next(iter(other.waiting.values())) < late
            and (limits.max_per_host is None or len(other.slots) < limits.max_per_host)
            for other in self._queued.values()
        )

    def _first_admissible(self) -> Lease[C] | None:
        """L2: of the leases whose Route may dial, the one that came first."""
        first: Lease[C] | None = None
        first_number = 0
        for state in self._queued.values():
            lease, number = next(iter(state.waiting.items()))
            if (first is None or number < first_number) and self._may_dial(state):
                first, first_number = lease, number
        return first

    # --- the steps

    def _dial_or_wait(self, state: _RouteState[C], lease: Lease[C]) -> list[C]:
        if not self._may_dial(state):
            state.waiting[lease] = next(self._numbers)
            self._queued[lease.route] = state
            return []
        evicted = self._make_room()
        self._open_slot(state, lease)
        return evicted

    def _release(self, slot: Slot[C]) -> list[C]:
        state = slot.state
        why = self._why_close(slot)
        if why is not None:
            return self._drop(slot, why) + self._admit()
        if state.waiting:
            if self._holds_up_others(state):
                return self._drop(slot, MADE_ROOM) + self._admit()
            lease = next(iter(state.waiting))
            lease.slot = slot
            self._deliver(lease)
            state.tally.reused += 1
            return []
        state.idle[slot] = None
        self._idle[slot] = None
        slot.holder = None
        closing = self._trim(state)
        return closing + self._admit() if self._queued else closing

    def _renew(self, slot: Slot[C], reason: str) -> list[C]:
        dead = [] if slot.connection is None else [slot.connection]
        state = slot.state
        if slot.connection is not None:
            self._note(state, slot.connection, reason)
            state.tally.reused -= 1  # it was counted when it was taken
        slot.connection = None
        if not state.idle:
            return dead
        spare = next(reversed(state.idle))
        self._remove(spare)
        slot.connection = spare.connection
        state.tally.reused += 1
        return dead + self._admit()

    def _take_idle(self, state: _RouteState[C], lease: Lease[C]) -> None:
        slot = next(reversed(state.idle))
        lease.slot = slot
        slot.holder = lease.hold
        del state.idle[slot]
        del self._idle[slot]
        state.tally.reused += 1

    def _open_slot(self, state: _RouteState[C], lease: Lease[C]) -> None:
        slot = Slot(state, lease)
        lease.slot = slot
        state.slots.add(slot)
        self._slots.add(slot)

    def _deliver(self, lease: Lease[C]) -> None:
        """The end of every grant to a lease that waited; each step may be done again (see `_recover`)."""
        slot = lease.slot
        assert slot is not None
        slot.holder = lease.hold
        slot.state.slots.add(slot)
        self._slots.add(slot)
        lease.granted()
        self._leave_queue(lease)

    def _admit(self) -> list[C]:
        """L2: let those dial for whom there is room now, in the order in which they came."""
        evicted: list[C] = []
        while self._queued and (lease := self._first_admissible()) is not None:
            evicted += self._make_room()
            lease.slot = Slot(self._queued[lease.route], lease)
            self._deliver(lease)
        return evicted

    def _make_room(self) -> list[C]:
        """L2: at the total limit the least recently used idle connection goes."""
        limit = self.limits.max_connections
        if limit is None or len(self._slots) < limit:
            return []
        return self._drop(next(iter(self._idle)), MADE_ROOM)

    def _trim(self, state: _RouteState[C]) -> list[C]:
        """L1: idle connections above the limits go, the least recently used first."""
        limits = self.limits
        closing: list[C] = []
        while limits.max_idle_per_host is not None and len(state.idle) > limits.max_idle_per_host:
            closing += self._drop(next(iter(state.idle)), OVER_IDLE_LIMIT)
        while limits.max_idle is not None and len(self._idle) > limits.max_idle:
            closing += self._drop(next(iter(self._idle)), OVER_IDLE_LIMIT)
        return closing

    def _shrink(self, state: _RouteState[C]) -> list[C]:
        """L1: where a limit was lowered, idle connections go first; those in use follow as they come back."""
        closing: list[C] = []
        while state.idle and self._is_over_limits(state):
            closing += self._drop(next(iter(state.idle)), LIMITS_LOWERED)
        return closing

    def _drop(self, slot: Slot[C], reason: str) -> list[C]:
        """End a slot, wherever it stands, and its connection with it, which is returned."""
        self._remove(slot)
        if slot.connection is None:
            return []
        self._note(slot.state, slot.connection, reason)
        return [slot.connection]

    def _note(self, state: _RouteState[C], connection: C, reason: str) -> None:
        state.tally.discard(reason)
        if self._note_why is not None:
            self._note_why(connection, reason)

    def _remove(self, slot: Slot[C]) -> None:
        """Take a slot from wherever it stands."""
        state = slot.state
        state.idle.pop(slot, None)
        self._idle.pop(slot, None)
        state.slots.discard(slot)
        self._slots.discard(slot)
        slot.holder = None  # last: a lease that holds its slot still can be discarded once more
        self._forget_if_empty(state)

    def _leave_queue(self, lease: Lease[C]) -> None:
        state = self._queued.get(lease.route)
        if state is None:
            return
        state.waiting.pop(lease, None)
        if not state.waiting:
            self._queued.pop(lease.route, None)
            self._forget_if_empty(state)

    def _forget_if_empty(self, state: _RouteState[C]) -> None:
        """A program may visit any number of hosts: what is over leaves nothing behind."""
        if not state.slots and not state.waiting and self._states.get(state.route) is state:
            del self._states[state.route]
            self._keep_tally(state)

    def _held(self, lease: Lease[C]) -> Slot[C]:
        slot = lease.slot
        if slot is None or not slot.is_held_by(lease):
            raise AssertionError(f"{lease!r} gives back a connection that it does not hold")
        return slot

    def _recover(self) -> None:  # pragma: no cover - it runs where an interrupt struck, as said above
        """After an exception that struck amid an operation: finish what it had begun.

        What holds between operations: a slot is idle if and only if nobody holds it, it counts in both sets
        or in none, and a lease that has a slot does not wait.
        """
        for state in list(self._queued.values()):
            for lease in [lease for lease in state.waiting if lease.slot is not None]:
                self._deliver(lease)
            if not state.waiting:
                self._queued.pop(state.route, None)
        known = self._slots.union(self._idle, *(state.slots for state in self._states.values()))
        for slot in known:
            state = slot.state
            counted = slot in self._slots and slot in state.slots
            if counted and slot.holder is not None:
                self._idle.pop(slot, None)
                state.idle.pop(slot, None)
            elif not counted or slot not in self._idle or slot not in state.idle:
                self._drop(slot, MISLAID)
        for state in list(self._states.values()):
            self._forget_if_empty(state)
        self._admit()


def _figures_of(origin: str, tally: Tally, idle: int, active: int, waiting: int) -> Figures:
    counted = tally.opened, tally.reused, tally.replayed, tally.resumed
    return origin, (*counted, idle, active, waiting), dict(tally.discarded)
