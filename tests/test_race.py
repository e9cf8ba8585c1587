"""Addresses race as in RFC 8305 (law T3): families interleaved, 250 ms apart, sooner when one fails, at most
six at once. The race has no clock, so time is a number here."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp.transport import Address
from pystickyhttp.transport.dial import (
    ATTEMPT_DELAY,
    MAX_CONCURRENT_ATTEMPTS,
    AddressRace,
    interleave,
)

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)


def v4(number: int) -> Address:
    return Address(socket.AF_INET, (f"192.0.2.{number}", 80))


def v6(number: int) -> Address:
    return Address(socket.AF_INET6, (f"2001:db8::{number}", 80, 0, 0))


# Of each family as many as one byte can count, none of them twice.
addresses = st.lists(
    st.builds(lambda make, number: make(number), st.sampled_from([v4, v6]), st.integers(1, 255)), unique=True
)


# -- the order


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], []),
        ([v4(1)], [v4(1)]),
        ([v6(1), v6(2), v4(1), v4(2)], [v6(1), v4(1), v6(2), v4(2)]),
        ([v4(1), v4(2), v6(1), v6(2)], [v4(1), v6(1), v4(2), v6(2)]),
        ([v6(1), v6(2), v6(3), v4(1)], [v6(1), v4(1), v6(2), v6(3)]),
        ([v6(1), v4(1), v4(2), v4(3)], [v6(1), v4(1), v4(2), v4(3)]),
        ([v6(2), v6(1)], [v6(2), v6(1)]),
    ],
)
def test_families_take_turns_beginning_with_the_resolvers_first(
    found: list[Address], expected: list[Address]
) -> None:
    """RFC 8305, section 4."""
    assert interleave(found) == expected


@unhurried
@given(addresses)
def test_interleaving_loses_nothing_and_keeps_the_order_within_a_family(found: list[Address]) -> None:
    ordered = interleave(found)
    assert sorted(ordered) == sorted(found)
    assert ordered[:1] == found[:1]
    for family in (socket.AF_INET, socket.AF_INET6):
        assert [a for a in ordered if a.family == family] == [a for a in found if a.family == family]


@unhurried
@given(addresses)
def test_no_family_has_two_turns_while_the_other_one_waits(found: list[Address]) -> None:
    ordered = interleave(found)
    for place in range(1, len(ordered)):
        if ordered[place].family == ordered[place - 1].family:
            assert {address.family for address in ordered[place:]} == {ordered[place].family}


# -- the time


def test_the_delay_is_the_one_that_the_rfc_recommends_and_six_run_at_most() -> None:
    """RFC 8305, section 5, and law T3."""
    assert (ATTEMPT_DELAY, MAX_CONCURRENT_ATTEMPTS) == (0.25, 6)


def test_the_first_address_is_tried_at_once() -> None:
    race = AddressRace([v6(1), v4(1)], now=100.0)
    assert race.next_start() == 100.0
    assert race.start(100.0) == v6(1)


def test_the_next_address_is_tried_a_delay_after_the_last_one() -> None:
    race = AddressRace([v6(1), v6(2), v4(1)], now=100.0)
    assert race.start(100.0) == v6(1)
    assert race.next_start() == 100.25
    assert race.start(100.0) is None
    assert race.start(100.125) is None
    assert race.start(100.25) == v4(1)
    assert race.start(100.25) is None
    assert race.next_start() == 100.5
    assert race.start(100.75) == v6(2)


def test_the_delay_counts_from_the_start_that_was_and_not_from_the_one_that_was_due() -> None:
    """Else a thread that was held up would start all that it missed at once."""
    race = AddressRace([v4(1), v4(2), v4(3)], now=100.0)
    assert race.start(101.0) == v4(1)
    assert race.start(101.0) is None
    assert race.next_start() == 101.25


def test_a_failure_lets_the_next_address_start_at_once() -> None:
    """RFC 8305, section 5."""
    race = AddressRace([v4(1), v4(2), v4(3)], now=100.0)
    assert race.start(100.0) == v4(1)
    race.failed(100.125)
    assert race.next_start() == 100.125
    assert race.start(100.125) == v4(2)
    assert race.next_start() == 100.375


def test_a_failure_lets_one_more_address_start_and_not_all() -> None:
    race = AddressRace([v4(1), v4(2), v4(3), v4(4)], now=100.0)
    assert race.start(100.0) == v4(1)
    assert race.start(100.25) == v4(2)
    race.failed(100.3125)
    assert race.start(100.3125) == v4(3)
    assert race.start(100.3125) is None


def test_at_most_six_attempts_run_at_once() -> None:
    """T3."""
    race = AddressRace([v4(number) for number in range(1, 9)], now=0.0)
    started = [race.start(float(second)) for second in range(MAX_CONCURRENT_ATTEMPTS)]
    assert started == [v4(number) for number in range(1, MAX_CONCURRENT_ATTEMPTS + 1)]
    assert race.next_start() is None
    assert race.start(1000.0) is None
    race.failed(1000.0)
    assert race.start(1000.0) == v4(MAX_CONCURRENT_ATTEMPTS + 1)
    assert race.start(2000.0) is None


def test_the_race_is_over_when_no_attempt_runs_and_none_is_left() -> None:
    race = AddressRace([v4(1), v4(2)], now=0.0)
    assert not race.over
    race.start(0.0)
    race.failed(0.125)
    assert not race.over
    race.start(0.125)
    assert race.next_start() is None
    assert not race.over
    race.failed(0.25)
    assert race.over
    assert race.next_start() is None
    assert race.start(1000.0) is None


def test_a_race_without_addresses_is_over_before_it_began() -> None:
    race = AddressRace([], now=0.0)
    assert race.over
    assert race.next_start() is None
    assert race.start(0.0) is None


# Eighths of a second add up without rounding.
moves = st.lists(st.tuples(st.integers(0, 8).map(lambda eighths: eighths / 8), st.booleans()), max_size=100)


@unhurried
@given(addresses, moves)
def test_whatever_happens_each_address_is_tried_once_in_order_and_not_too_soon(
    found: list[Address], moves: list[tuple[float, bool]]
) -> None:
    now, running = 0.0, 0
    race = AddressRace(found, now)
    started: list[Address] = []
    not_before = now
    for pause, fails in moves:
        now += pause
        if fails and running:
            race.failed(now)
            running -= 1
            not_before = now
        due = race.next_start()
        address = race.start(now)
        assert (address is not None) == (due is not None and due <= now)
        if address is not None:
            assert now >= not_before
            started.append(address)
            running += 1
            not_before = now + ATTEMPT_DELAY
        elif len(started) < len(found) and running < MAX_CONCURRENT_ATTEMPTS:
            assert now < not_before
        assert running <= MAX_CONCURRENT_ATTEMPTS
        assert race.over is (not running and len(started) == len(found))
    assert started == interleave(found)[: len(started)]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (v4(1), "192.0.2.1:80"),
        (v6(1), "[2001:db8::1]:80"),
        (Address(socket.AF_INET6, ("fe80::1%lo", 8080, 0, 1)), "[fe80::1%lo]:8080"),
    ],
)
def test_an_address_reads_as_it_stands_in_a_url(address: Address, text: str) -> None:
    """T3: the error names every address that was tried."""
    assert str(address) == text
