"""Limits of time (law T1). The clock is never waited for: a Deadline is told when it started."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import time
from fractions import Fraction
from typing import Any

import pytest
import urllib3

from pystickyhttp.exceptions import RequestException, TotalTimeout
from pystickyhttp.exceptions import Timeout as TimeoutOfTheTree
from pystickyhttp.timeouts import (
    DEFAULT_CONNECT,
    DEFAULT_READ,
    MAX_SECONDS,
    UNSET,
    Deadline,
    Timeout,
    Unset,
)
from tests.names import named

LEGS = ("connect", "read", "write", "pool", "total")


# -- the setting


def test_the_default_is_finite() -> None:
    """T1: connect 10, read 60."""
    timeout = Timeout()
    assert (timeout.connect, timeout.read, timeout.write) == (10, 60, 60)
    assert timeout.pool == 60
    assert timeout.total is None
    assert (DEFAULT_CONNECT, DEFAULT_READ) == (10, 60)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, Timeout(connect=5, read=5, write=5)),
        (0.5, Timeout(connect=0.5, read=0.5, write=0.5)),
        (type("float64", (float,), {})(0.5), Timeout(connect=0.5, read=0.5, write=0.5)),
        (MAX_SECONDS, Timeout(connect=MAX_SECONDS, read=MAX_SECONDS, write=MAX_SECONDS)),
        ((3.05, 27), Timeout(connect=3.05, read=27, write=27)),
        ((None, 27), Timeout(connect=None, read=27, write=27)),
        ((3.05, None), Timeout(connect=3.05, read=None, write=None)),
        ((None, None), Timeout(connect=None, read=None, write=None)),
        (None, Timeout(connect=None, read=None, write=None, pool=None, total=None)),
        (UNSET, Timeout()),
    ],
    ids=named,
)
def test_a_timeout_is_read_as_requests_reads_it(value: Any, expected: Timeout) -> None:
    assert Timeout.of(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (urllib3.Timeout(connect=1, read=2), Timeout(connect=1, read=2, write=2)),
        (urllib3.Timeout(connect=1), Timeout(connect=1)),
        (urllib3.Timeout(), Timeout()),
        (urllib3.Timeout(connect=None, read=None), Timeout(connect=None, read=None, write=None)),
        (urllib3.Timeout(connect=1, read=2, total=5), Timeout(connect=1, read=2, write=2)),
        (urllib3.Timeout(connect=9, read=None, total=5), Timeout(connect=5, read=5, write=5)),
        (urllib3.Timeout(5), Timeout(connect=5, read=5, write=5)),
    ],
    ids=named,
)
def test_a_timeout_of_urllib3_is_taken_as_requests_documents_it(value: Any, expected: Timeout) -> None:
    """T1: what it does not say has the default, and not no limit."""
    assert Timeout.of(value) == expected


def test_a_timeout_is_taken_as_it_is() -> None:
    timeout = Timeout(total=5)
    assert Timeout.of(timeout) is timeout


def test_numbers_speak_of_the_server_and_leave_the_wait_for_the_pool_finite() -> None:
    assert Timeout.of(1).pool == Timeout.of((1, 2)).pool == Timeout().pool
    assert Timeout.of(1).total is None


def test_unset_and_none_differ() -> None:
    """T1."""
    assert Timeout.of(UNSET) == Timeout()
    assert Timeout.of(None) != Timeout()
    assert all(getattr(Timeout.of(None), leg) is None for leg in LEGS)


@pytest.mark.parametrize(
    "value", [0, 0.0, -0.0, -1, -0.001, math.nan, math.inf, -math.inf, MAX_SECONDS + 1, 10**400], ids=str
)
def test_a_limit_is_a_number_above_zero_that_a_socket_can_take(value: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Timeout.of(value)
    for leg in LEGS:
        with pytest.raises(ValueError, match=leg):
            Timeout(**{leg: value})
    for pair in ((value, 1), (1, value)):
        with pytest.raises(ValueError, match="timeout"):
            Timeout.of(pair)


@pytest.mark.parametrize(
    "value", ["5", b"5", True, False, [], [1, 2], {"connect": 1}, object(), 1j, Fraction(1, 2)], ids=named
)
def test_a_limit_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="timeout"):
        Timeout.of(value)
    with pytest.raises(TypeError, match="timeout"):
        Timeout.of((value, 1))
    for leg in LEGS:
        with pytest.raises(TypeError, match=leg):
            Timeout(**{leg: value})


@pytest.mark.parametrize("value", [(), (1,), (1, 2, 3)], ids=named)
def test_a_tuple_that_is_no_pair_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="pair"):
        Timeout.of(value)


def test_unset_in_a_pair_is_refused() -> None:
    with pytest.raises(TypeError):
        Timeout.of((UNSET, 1))  # type: ignore[arg-type]


def test_a_timeout_never_changes() -> None:
    timeout = Timeout()
    with pytest.raises(dataclasses.FrozenInstanceError):
        timeout.total = 5  # type: ignore[misc]
    assert hash(timeout) == hash(Timeout())


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
)
def test_a_timeout_pickles_and_there_is_one_unset(duplicate: Any) -> None:
    assert duplicate(Timeout(connect=1, total=2)) == Timeout(connect=1, total=2)
    assert duplicate(UNSET) is UNSET


def test_unset_is_false_and_says_its_name() -> None:
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert isinstance(UNSET, Unset)


# -- the clock that runs


def test_the_clock_starts_when_it_is_told_to() -> None:
    deadline = Timeout(total=5).start(now=100.0)
    assert (deadline.started, deadline.expires) == (100.0, 105.0)
    assert Timeout().start(now=0.0).started == 0.0
    assert Timeout().start(now=100.0).expires is None


def test_the_clock_starts_at_present_by_default() -> None:
    before = time.monotonic()
    started = Timeout().start().started
    assert before <= started <= time.monotonic()


@pytest.mark.parametrize("limit", [None, 0.001, 5.0, 1e6])
def test_without_a_total_a_step_has_its_own_limit(limit: float | None) -> None:
    deadline = Deadline(Timeout(), time.monotonic() - 1e6)
    assert deadline.clip(limit, "waiting") == limit
    assert not deadline.passed()


def test_a_step_has_what_is_left_of_the_total_where_that_is_less() -> None:
    """T1: one deadline over all of it."""
    deadline = Deadline(Timeout(total=1000), time.monotonic() - 500)
    assert deadline.clip(1.0, "waiting") == 1.0
    assert not deadline.passed()
    for limit in (None, 1000.0):
        left = deadline.clip(limit, "waiting")
        assert left is not None
        assert 0 < left <= 500


def test_what_is_left_of_the_total_only_gets_less() -> None:
    deadline = Timeout(total=1000).start()
    first, second = deadline.clip(None, "waiting"), deadline.clip(None, "waiting")
    assert first is not None
    assert second is not None
    assert second <= first <= 1000


@pytest.mark.parametrize("limit", [None, 0.001, 1000.0])
def test_a_total_that_is_used_up_leaves_nothing_to_any_step(limit: float | None) -> None:
    deadline = Deadline(Timeout(total=1), time.monotonic() - 2)
    assert deadline.passed()
    with pytest.raises(TotalTimeout, match=r"waiting: .*1 s"):
        deadline.clip(limit, "waiting")


def test_the_message_says_the_total_and_the_time_since_the_start() -> None:
    """Every error says after how long."""
    deadline = Deadline(Timeout(total=2.5), time.monotonic() - 4000)
    assert "2.5 s" in deadline.exceeded()
    assert "400" in deadline.exceeded()
    assert deadline.elapsed() >= 4000


def test_a_total_that_passed_is_a_timeout_of_the_tree_and_of_python() -> None:
    with pytest.raises(TotalTimeout) as caught:
        Deadline(Timeout(total=1), time.monotonic() - 2).clip(None, "waiting")
    for kind in (RequestException, TimeoutOfTheTree, TimeoutError):
        assert isinstance(caught.value, kind)
