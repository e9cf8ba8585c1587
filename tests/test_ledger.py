"""The bookkeeping of the pool, without sockets, locks or clocks: laws R2, L1, L2, and its part of L3."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pystickyhttp.transport.ledger import MOST_OVERTAKING, Lease, Ledger, Limits
from pystickyhttp.transport.route import Route

A = Route("http", "a.example", 80)
B = Route("http", "b.example", 80)
C = Route("http", "c.example", 80)


class Connection:
    """Poolable is whatever the ledger is told to pool."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Waiter(Lease[Connection]):
    __slots__ = ("wakes",)

    def __init__(self, route: Route) -> None:
        super().__init__(route)
        self.wakes = 0

    def granted(self) -> None:
        self.wakes += 1


def claim(ledger: Ledger[Connection], route: Route) -> Waiter:
    lease = Waiter(route)
    assert ledger.claim(lease) == []
    return lease


def dialled(ledger: Ledger[Connection], route: Route, name: str) -> Waiter:
    """A lease that was told to dial, and has."""
    lease = claim(ledger, route)
    assert lease.slot is not None
    assert lease.slot.connection is None
    lease.slot.connection = Connection(name)
    return lease


def held(lease: Waiter) -> Connection | None:
    assert lease.slot is not None, "the lease waits"
    return lease.slot.connection


def names(connections: list[Connection]) -> list[str]:
    return [connection.name for connection in connections]


# --- R2


def test_idle_connections_of_a_route_are_a_stack() -> None:
    """R2."""
    ledger: Ledger[Connection] = Ledger(Limits())
    leases = [dialled(ledger, A, name) for name in ("first", "second", "third")]
    for lease in leases:
        ledger.release(lease)
    assert [str(held(claim(ledger, A))) for _ in leases] == ["third", "second", "first"]


def test_a_thousand_idle_connections_make_no_step_more() -> None:
    """R2: acquire and release are O(1)."""

    def steps(routes: int, each: int) -> int:
        ledger: Ledger[Connection] = Ledger(Limits(max_idle=None))
        hosts = [Route("http", f"{number}.example", 80) for number in range(routes)]
        for lease in [dialled(ledger, host, "") for host in hosts for _ in range(each)]:
            ledger.release(lease)
        route = hosts[routes // 2]
        seen = 0

        def count(*_: object) -> None:
            nonlocal seen
            seen += 1

        lease = Waiter(route)
        sys.setprofile(count)
        ledger.claim(lease)
        ledger.release(lease)
        sys.setprofile(None)
        return seen

    assert steps(routes=100, each=10) == steps(routes=1, each=1)


def test_the_least_recently_used_across_routes_is_evicted_first() -> None:
    """R2, L1."""
    ledger: Ledger[Connection] = Ledger(Limits(max_idle=2))
    a, b, c = dialled(ledger, A, "a"), dialled(ledger, B, "b"), dialled(ledger, C, "c")
    assert ledger.release(b) == []
    assert ledger.release(a) == []
    assert names(ledger.release(c)) == ["b"]


def test_using_a_connection_makes_it_the_most_recently_used() -> None:
    """R2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_idle=2))
    a, b, c = dialled(ledger, A, "a"), dialled(ledger, B, "b"), dialled(ledger, C, "c")
    ledger.release(a)
    ledger.release(b)
    again = claim(ledger, A)
    ledger.release(again)
    assert names(ledger.release(c)) == ["b"]


def test_a_connection_is_never_given_to_another_route() -> None:
    """R1."""
    ledger: Ledger[Connection] = Ledger(Limits())
    ledger.release(dialled(ledger, A, "a"))
    assert held(claim(ledger, B)) is None


def test_a_route_that_is_over_leaves_nothing_behind() -> None:
    ledger: Ledger[Connection] = Ledger(Limits())
    for number in range(100):
        lease = dialled(ledger, Route("http", f"host{number}.example", 80), "x")
        ledger.discard(lease)
    assert ledger.open == 0
    assert ledger._states == {}


# --- L1


def test_dialling_active_and_idle_connections_all_count() -> None:
    """L1."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=3))
    dialling = claim(ledger, A)
    active = dialled(ledger, A, "active")
    ledger.release(dialled(ledger, A, "idle"))
    assert ledger.open == 3
    assert held(claim(ledger, A)) is not None, "the idle one"
    assert claim(ledger, A).slot is None, "above the limit"
    assert dialling.slot is not None
    assert active.slot is not None


def test_idle_connections_above_the_limit_of_their_host_are_closed_the_oldest_first() -> None:
    """L1."""
    ledger: Ledger[Connection] = Ledger(Limits(max_idle_per_host=1))
    first, second = dialled(ledger, A, "first"), dialled(ledger, A, "second")
    assert ledger.release(first) == []
    assert names(ledger.release(second)) == ["first"]


def test_with_no_idle_connections_allowed_each_is_closed_after_its_use() -> None:
    """L1."""
    ledger: Ledger[Connection] = Ledger(Limits(max_idle=0))
    assert names(ledger.release(dialled(ledger, A, "a"))) == ["a"]
    assert ledger.open == 0


def test_at_the_total_limit_the_oldest_idle_connection_of_another_route_makes_room() -> None:
    """L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_connections=2))
    a, b = dialled(ledger, A, "a"), dialled(ledger, B, "b")
    ledger.release(a)
    ledger.release(b)
    newcomer = Waiter(C)
    assert names(ledger.claim(newcomer)) == ["a"]
    assert newcomer.slot is not None
    assert ledger.open == 2


def test_at_the_limit_of_a_host_no_idle_connection_of_another_one_helps() -> None:
    """L1."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    ledger.release(dialled(ledger, B, "b"))
    dialled(ledger, A, "a")
    assert claim(ledger, A).slot is None
    assert ledger.idle == 1


# --- L2


def test_waiters_of_a_route_are_served_in_the_order_in_which_they_came() -> None:
    """L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    holder = dialled(ledger, A, "a")
    waiters = [claim(ledger, A) for _ in range(5)]
    served = []
    for _ in waiters:
        ledger.release(holder)
        holder = next(w for w in waiters if w.slot is not None and w not in served)
        served.append(holder)
    assert served == waiters


def test_a_released_connection_goes_to_the_first_waiter_that_it_fits() -> None:
    """L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    a, _b = dialled(ledger, A, "a"), dialled(ledger, B, "b")
    for_b, for_a = claim(ledger, B), claim(ledger, A)
    ledger.release(a)
    assert for_b.slot is None
    assert str(held(for_a)) == "a"
    assert for_a.wakes == 1


def test_a_route_that_never_runs_out_of_leases_does_not_keep_the_slots_of_all_for_ever() -> None:
    """L2: a released connection fits its own Route best, and the others do not wait for it without end."""
    ledger: Ledger[Connection] = Ledger(Limits(max_connections=1))
    holder = dialled(ledger, A, "a")
    for_b = claim(ledger, B)
    overtaking = 0
    while for_b.slot is None:
        following = claim(ledger, A)
        ledger.release(holder)
        if for_b.slot is None:
            overtaking += 1
            holder = following
            assert str(held(holder)) == "a", "not yet: a connection is worth keeping"
    assert 1 < overtaking <= MOST_OVERTAKING
    assert following.slot is None, "it waits for what the other one gives back"


def test_a_waiter_that_could_not_dial_anyway_takes_no_connection_from_another_route() -> None:
    """L2: its own Route is full."""
    ledger: Ledger[Connection] = Ledger(Limits(max_connections=2, max_per_host=1))
    holder, _b = dialled(ledger, A, "a"), dialled(ledger, B, "b")
    for_b = claim(ledger, B)
    for _ in range(2 * MOST_OVERTAKING):
        following = claim(ledger, A)
        ledger.release(holder)
        holder = following
        assert str(held(holder)) == "a"
    assert for_b.slot is None


def test_a_waiter_whose_route_is_full_does_not_hold_up_one_whose_route_is_not() -> None:
    """L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_connections=3, max_per_host=2))
    a, _a2, b = dialled(ledger, A, "a"), dialled(ledger, A, "a2"), dialled(ledger, B, "b")
    for_a, for_c = claim(ledger, A), claim(ledger, C)
    ledger.discard(b)
    assert for_a.slot is None
    assert for_c.slot is not None
    ledger.discard(a)
    assert for_a.slot is not None


def test_a_freed_permit_goes_to_the_first_waiter_that_it_would_let_dial() -> None:
    """L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_connections=1))
    a = dialled(ledger, A, "a")
    for_c, for_b = claim(ledger, C), claim(ledger, B)
    ledger.discard(a)
    assert for_c.slot is not None
    assert held(for_c) is None
    assert for_b.slot is None


def test_an_idle_permit_moves_to_the_waiter_of_another_host_at_the_total_limit() -> None:
    """L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_connections=1))
    a = dialled(ledger, A, "a")
    for_b = claim(ledger, B)
    assert names(ledger.release(a)) == ["a"], "made idle, and evicted for the one who waits"
    assert for_b.slot is not None
    assert ledger.open == 1


def test_a_returned_connection_beats_a_dial() -> None:
    """L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    a = dialled(ledger, A, "a")
    waiter = claim(ledger, A)
    ledger.release(a)
    assert str(held(waiter)) == "a"


def test_a_waiter_that_gives_up_leaves_no_ghost() -> None:
    """L3."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    a = dialled(ledger, A, "a")
    gone, waits = claim(ledger, A), claim(ledger, A)
    ledger.discard(gone)
    ledger.release(a)
    assert gone.slot is None
    assert str(held(waits)) == "a"
    assert ledger.waiting == 0


def test_raising_a_limit_lets_those_in_who_wait() -> None:
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    dialled(ledger, A, "a")
    waiters = [claim(ledger, A) for _ in range(3)]
    ledger.set_limits(Limits(max_per_host=3))
    assert [waiter.slot is not None for waiter in waiters] == [True, True, False]


def test_lowering_a_limit_closes_connections_as_they_come_back() -> None:
    ledger: Ledger[Connection] = Ledger(Limits())
    leases = [dialled(ledger, A, str(number)) for number in range(3)]
    ledger.set_limits(Limits(max_per_host=1))
    assert names([c for lease in leases for c in ledger.release(lease)]) == ["0", "1"]
    assert ledger.open == 1


@pytest.mark.parametrize("limits", [Limits(max_per_host=2), Limits(max_connections=2)], ids=["host", "all"])
def test_lowering_a_limit_closes_idle_connections_at_once(limits: Limits) -> None:
    """L1: so that none of them is taken above the limit."""
    ledger: Ledger[Connection] = Ledger(Limits())
    leases = [dialled(ledger, A, str(number)) for number in range(8)]
    for lease in leases:
        ledger.release(lease)
    assert names(ledger.set_limits(limits)) == ["0", "1", "2", "3", "4", "5"]
    claims = [claim(ledger, A) for _ in range(8)]
    assert sum(lease.slot is not None for lease in claims) == 2


def test_a_slot_of_another_ledger_leaves_this_ones_routes_alone() -> None:
    """L4: a response that was open at a fork is closed in the child, whose ledger is a new one."""
    before: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    inherited = dialled(before, A, "the parent's")
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=1))
    ledger.release(dialled(ledger, A, "the child's"))
    ledger.discard(inherited)
    assert str(held(claim(ledger, A))) == "the child's"
    assert claim(ledger, A).slot is None


# --- dead, expired and retired connections


def test_who_was_given_a_dead_connection_gets_the_next_one_and_keeps_its_place() -> None:
    """R4, L2."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=2))
    old, new = dialled(ledger, A, "old"), dialled(ledger, A, "new")
    ledger.release(old)
    ledger.release(new)
    lease = claim(ledger, A)
    assert names(ledger.renew(lease)) == ["new"]
    assert str(held(lease)) == "old"
    assert names(ledger.renew(lease)) == ["old"]
    assert held(lease) is None, "nothing is left: it may dial"
    assert ledger.open == 1


def test_expired_connections_go_from_the_least_recently_used_on() -> None:
    ledger: Ledger[Connection] = Ledger(Limits())
    for name in ("x1", "x2", "y3", "x4"):
        ledger.release(dialled(ledger, Route("http", name, 80), name))
    assert names(ledger.expire(lambda each: "old" if each.name.startswith("x") else None)) == ["x1", "x2"]
    assert ledger.idle == 2


def test_a_connection_that_was_just_taken_does_not_expire_under_its_user() -> None:
    """R4: one thread takes it at the very moment at which another one clears away what has expired."""
    ledger: Ledger[Connection] = Ledger(Limits())
    ledger.release(dialled(ledger, A, "a"))
    user = claim(ledger, A)
    assert ledger.expire(lambda _: "old") == []
    assert str(held(user)) == "a"
    ledger.release(user)
    assert names(ledger.expire(lambda _: "old")) == ["a"]


def test_a_pool_that_is_retired_takes_no_connection_back() -> None:
    ledger: Ledger[Connection] = Ledger(Limits())
    ledger.release(dialled(ledger, A, "idle"))
    active = dialled(ledger, B, "active")
    assert names(ledger.retire()) == ["idle"]
    assert names(ledger.release(active)) == ["active"]
    assert ledger.open == 0
    ledger.release(dialled(ledger, A, "later"))
    assert ledger.idle == 1, "what was opened afterwards is pooled"


def test_the_slot_of_a_lease_that_is_gone_can_be_had_again() -> None:
    """L3: for who was interrupted in giving it back too."""
    ledger: Ledger[Connection] = Ledger(Limits(max_per_host=2))
    gone, stays = dialled(ledger, A, "gone"), dialled(ledger, A, "stays")
    waiter = claim(ledger, A)
    assert ledger.drop_forgotten() == []
    assert waiter.slot is None
    del gone
    assert names(ledger.drop_forgotten()) == ["gone"]
    assert waiter.slot is not None
    assert str(held(stays)) == "stays"
    assert ledger.open == 2


def test_giving_back_twice_fails_loudly() -> None:
    ledger: Ledger[Connection] = Ledger(Limits())
    lease = dialled(ledger, A, "a")
    ledger.release(lease)
    with pytest.raises(AssertionError, match="does not hold"):
        ledger.release(lease)
    assert ledger.idle == 1


def test_discarding_after_giving_back_does_nothing() -> None:
    """L3: whoever cleans up after an exception need not know how far things got."""
    ledger: Ledger[Connection] = Ledger(Limits())
    lease = dialled(ledger, A, "a")
    ledger.release(lease)
    assert ledger.discard(lease) == []
    assert ledger.idle == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"max_connections": 0}, ValueError),
        ({"max_per_host": -1}, ValueError),
        ({"max_idle": -1}, ValueError),
        ({"max_per_host": 1.5}, TypeError),
        ({"max_per_host": True}, TypeError),
        ({"max_per_host": "10"}, TypeError),
        ({"idle_timeout": -1}, ValueError),
        ({"idle_timeout": float("nan")}, ValueError),
        ({"max_age": "1"}, TypeError),
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(wrong))):
        Limits(**wrong)


# --- every state


def check(ledger: Ledger[Connection], leases: list[Waiter]) -> None:
    """What holds between any two operations."""
    holding = [lease for lease in leases if lease.slot is not None and lease.slot.is_held_by(lease)]
    queued = [lease for state in ledger._queued.values() for lease in state.waiting]
    assert ledger.open == len(holding) + ledger.idle, "no permit is lost"
    assert ledger.open == sum(len(state.slots) for state in ledger._states.values())
    assert ledger.idle == sum(len(state.idle) for state in ledger._states.values())
    in_hand = [lease.slot.connection for lease in holding if lease.slot is not None and lease.slot.connection]
    every = in_hand + [slot.connection for slot in ledger._idle]
    assert len(every) == len(set(every)), "no connection is in two hands"
    assert all(lease.slot is None for lease in queued), "who has a slot does not wait"
    limits = ledger.limits
    if limits.max_connections is not None:
        assert ledger.open <= limits.max_connections
    for state in ledger._states.values():
        assert state.slots or state.waiting, "what is over leaves nothing behind"
        if limits.max_per_host is not None:
            assert len(state.slots) <= limits.max_per_host
        numbers = list(state.waiting.values())
        assert numbers == sorted(numbers), "first come, first served"
        if state.waiting:
            assert not state.idle, "nobody waits for what is there"
            assert not ledger._may_dial(state), "nobody waits who may dial"
    if limits.max_idle is not None:
        assert ledger.idle <= limits.max_idle


class LedgerMachine(RuleBasedStateMachine):
    """Any sequence of operations: no permit lost, no connection in two hands, first come first served."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger[Connection] = Ledger(Limits(max_connections=4, max_per_host=2, max_idle=2))
        self.leases: list[Waiter] = []
        self.closed: list[Connection] = []
        self.made = 0

    def _close(self, connections: list[Connection]) -> None:
        for connection in connections:
            assert connection not in self.closed, "closed twice"
        self.closed += connections

    def _holding(self) -> list[Waiter]:
        return [lease for lease in self.leases if lease.slot is not None and lease.slot.is_held_by(lease)]

    def _one(self, data: st.DataObject) -> Waiter:
        return data.draw(st.sampled_from(self._holding()))

    @rule(route=st.sampled_from([A, B, C]))
    def claims(self, route: Route) -> None:
        lease = Waiter(route)
        self.leases.append(lease)
        self._close(self.ledger.claim(lease))

    @precondition(lambda self: self._holding())
    @rule(data=st.data())
    def releases(self, data: st.DataObject) -> None:
        lease = self._one(data)
        assert lease.slot is not None
        if lease.slot.connection is None:
            self.made += 1
            lease.slot.connection = Connection(str(self.made))
        self._close(self.ledger.release(lease))
        self.leases.remove(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def gives_up(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        self._close(self.ledger.discard(lease))
        self.leases.remove(lease)

    @precondition(lambda self: self._holding())
    @rule(data=st.data())
    def finds_it_dead(self, data: st.DataObject) -> None:
        self._close(self.ledger.renew(self._one(data)))

    @rule(most=st.integers(min_value=4, max_value=6), per_host=st.integers(min_value=2, max_value=3))
    def limits_are_raised(self, most: int, per_host: int) -> None:
        limits = self.ledger.limits
        assert limits.max_connections is not None
        assert limits.max_per_host is not None
        raised = Limits(max(most, limits.max_connections), max(per_host, limits.max_per_host), max_idle=2)
        self._close(self.ledger.set_limits(raised))

    @rule()
    def all_expire(self) -> None:
        self._close(self.ledger.expire(lambda _: "old"))

    @rule()
    def retires(self) -> None:
        self._close(self.ledger.retire())

    @invariant()
    def holds(self) -> None:
        check(self.ledger, self.leases)


LedgerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_any_sequence_of_operations_keeps_the_rules = LedgerMachine.TestCase


# --- L3: an exception between any two steps


class Struck(BaseException):
    """Like a KeyboardInterrupt: it comes from outside, at any instant."""


def strike_at(step: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that raises at the given step (bytecode instruction) inside the ledger."""
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.endswith("ledger.py") or frame.f_code.co_name == "_recover":
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == step:
                sys.settrace(None)
                raise Struck
        return trace

    return trace


def crowded() -> tuple[Ledger[Connection], list[Waiter]]:
    """A ledger in which everything is there: idle, active and dialling ones, and leases that wait."""
    ledger: Ledger[Connection] = Ledger(Limits(max_connections=5, max_per_host=3, max_idle=3))
    active, other = dialled(ledger, A, "a1"), dialled(ledger, A, "a2")
    ledger.release(dialled(ledger, B, "b1"))
    ledger.release(dialled(ledger, C, "c1"))
    dialling = claim(ledger, A)
    waiting = claim(ledger, A)
    return ledger, [active, other, dialling, waiting]


OPERATIONS: dict[str, Callable[[Ledger[Connection], list[Waiter]], Any]] = {
    "claim an idle one": lambda ledger, leases: ledger.claim(leases[-1]),
    "claim the right to dial": lambda ledger, leases: ledger.claim(leases[-1]),
    "claim and wait": lambda ledger, leases: ledger.claim(leases[-1]),
    "release to a waiter": lambda ledger, leases: ledger.release(leases[0]),
    "release to the idle ones": lambda ledger, leases: ledger.release(leases[0]),
    "discard": lambda ledger, leases: ledger.discard(leases[0]),
    "renew": lambda ledger, leases: ledger.renew(leases[0]),
    "expire": lambda ledger, _: ledger.expire(lambda _: "old"),
    "raise the limits": lambda ledger, _: ledger.set_limits(Limits(9, 9, max_idle=3)),
}
NEWCOMERS = {
    "claim an idle one": B,
    "claim the right to dial": Route("http", "d.example", 80),
    "claim and wait": A,
}


@pytest.fixture(scope="module")
def traced_before() -> None:
    """Python 3.12 gives no events of single instructions to the first frame that asks for them."""
    ledger, leases = crowded()
    before = sys.gettrace()
    sys.settrace(strike_at(-1))
    try:
        ledger.discard(leases[0])
    finally:
        sys.settrace(before)


@pytest.mark.usefixtures("traced_before")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_exception_between_any_two_steps_loses_no_permit(operation: str) -> None:
    """L3: struck at each bytecode instruction in turn, then cleaned up after as the pool does."""
    before, step = sys.gettrace(), 0
    while True:
        step += 1
        ledger, leases = crowded()
        if operation == "release to the idle ones":
            ledger.discard(leases.pop())
        if operation in NEWCOMERS:
            leases.append(Waiter(NEWCOMERS[operation]))
        sys.settrace(strike_at(step))
        try:
            OPERATIONS[operation](ledger, leases)
        except Struck:
            pass
        else:
            break
        finally:
            sys.settrace(before)
        subject = leases[-1] if operation in NEWCOMERS else leases[0]
        if operation not in ("expire", "raise the limits"):
            ledger.discard(subject)
        check(ledger, leases)
    assert step > 20, "the operation was struck at every step of its way"


def test_a_question_that_fails_amid_the_expiry_loses_no_permit() -> None:
    """L3: it is asked of each connection, and may raise."""
    ledger, leases = crowded()
    with pytest.raises(ZeroDivisionError):
        ledger.expire(lambda _: str(1 / 0))
    check(ledger, leases)


def test_what_is_above_a_limit_that_was_lowered_is_closed_when_it_comes_back() -> None:
    """L1: by host and in all; those in use are their users' until then."""
    for lowered in (Limits(max_per_host=1), Limits(max_connections=1)):
        ledger: Ledger[Connection] = Ledger(Limits(max_connections=5, max_per_host=5))
        first, second = dialled(ledger, A, "a1"), dialled(ledger, A, "a2")
        ledger.set_limits(lowered)
        assert len(ledger.release(first)) == 1
        assert ledger.release(second) == []
        assert (ledger.open, ledger.idle) == (1, 1)
