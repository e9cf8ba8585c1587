"""Look-ups of names: shared by those who ask at the same time, and by nobody else (laws T2, L4)."""

from __future__ import annotations

import _thread
import gc
import os
import queue
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp import NameResolutionError
from pystickyhttp.transport.lookups import Lookups, _Lookup
from pystickyhttp.transport.sockets import Address
from tests.patience import DEADLINE, wait_for

HERE = [Address(socket.AF_INET, ("127.0.0.1", 80))]


class Held:
    """A resolver whose calls come in one after the other, and are let go by the test."""

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.go = threading.Event()
        self.calls = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.calls += 1
        self.asked.put(host)
        self.go.wait(DEADLINE)
        return ["127.0.0.1"]


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.go.set()


@pytest.fixture
def unhurried_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks a second later asks anew. For tests on a machine that may be held up for longer."""
    monkeypatch.setattr("pystickyhttp.transport.lookups.SHARED_SECONDS", 1000.0)


def listeners(lookups: Lookups) -> int:
    return sum(len(each._listeners) for each in list(lookups._under_way.values()))


@pytest.mark.usefixtures("unhurried_sharing")
def test_those_who_ask_for_the_same_name_at_the_same_time_share_one_look_up(held: Held) -> None:
    """T2: a hundred threads that begin with one host are a hundred questions else."""
    lookups = Lookups(held)
    with ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(lookups.find, "a.example", 80, DEADLINE) for _ in range(20)]
        wait_for(lambda: listeners(lookups) == 20, "all have asked")
        held.go.set()
        assert [each.result() for each in asked] == [HERE] * 20
    assert held.calls == 1
    assert not lookups._under_way


@pytest.mark.usefixtures("unhurried_sharing")
def test_other_names_and_ports_are_looked_up_by_themselves(held: Held) -> None:
    lookups = Lookups(held)
    with ThreadPoolExecutor(3) as threads:
        for host, port in (("a.example", 80), ("b.example", 80), ("a.example", 443)):
            threads.submit(lookups.find, host, port, DEADLINE)
        assert sorted(held.asked.get(timeout=DEADLINE) for _ in range(3)) == [
            "a.example",
            "a.example",
            "b.example",
        ]
        held.go.set()


@pytest.mark.usefixtures("unhurried_sharing")
def test_what_came_is_no_answer_to_who_asks_later(held: Held) -> None:
    """It is no cache."""
    lookups = Lookups(held)
    held.go.set()
    for _ in range(2):
        assert lookups.find("a.example", 80, DEADLINE) == HERE
    assert held.calls == 2


def test_a_look_up_that_hangs_is_not_waited_for_by_who_asks_later(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2: its packets may be lost, and another one's are not."""
    monkeypatch.setattr("pystickyhttp.transport.lookups.SHARED_SECONDS", 0.0)

    def first_hangs(host: str, port: int) -> list[str]:
        return held(host, port) if not held.calls else ["127.0.0.1"]

    lookups = Lookups(first_hangs)
    assert lookups.find("a.example", 80, 0.01) is None
    held.asked.get(timeout=DEADLINE)
    assert lookups.find("a.example", 80, DEADLINE) == HERE


@pytest.mark.usefixtures("unhurried_sharing")
def test_whose_time_runs_out_takes_the_look_up_from_nobody(held: Held) -> None:
    """T1: each has a limit of its own."""
    lookups = Lookups(held)
    with ThreadPoolExecutor(1) as threads:
        patient = threads.submit(lookups.find, "a.example", 80, DEADLINE)
        held.asked.get(timeout=DEADLINE)
        assert lookups.find("a.example", 80, 0.01) is None
        held.go.set()
        assert patient.result() == HERE
    assert held.calls == 1


@pytest.mark.usefixtures("unhurried_sharing")
def test_all_who_share_a_look_up_get_an_error_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver is one for all sessions, those of `pystickyhttp.get` included."""
    held = Held()
    lookups = pystickyhttp.transport.dial._SYSTEM

    def none(*_: Any, **__: Any) -> list[Any]:
        held("", 0)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", none)

    def ask(_: int) -> NameResolutionError:
        with pytest.raises(NameResolutionError) as caught:
            pystickyhttp.get("http://none.example/")
        return caught.value

    with ThreadPoolExecutor(5) as threads:
        asked = [threads.submit(ask, number) for number in range(5)]
        wait_for(lambda: listeners(lookups) == 5, "all have asked")
        held.go.set()
        errors = [each.result() for each in asked]
    assert held.calls == 1
    assert len({id(each) for each in errors}) == 5
    assert len({id(each.__cause__) for each in errors}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.usefixtures("unhurried_sharing")
def test_the_child_of_a_fork_waits_for_no_look_up_of_its_parent(held: Held) -> None:
    """L4: the thread that would answer is not in the child."""
    lookups = Lookups(held)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lookups.find, "a.example", 80, DEADLINE)
        held.asked.get(timeout=DEADLINE)
        child = os.fork()
        if not child:
            held.go = threading.Event()
            held.go.set()
            os._exit(0 if lookups.find("a.example", 80, DEADLINE) == HERE else 1)
        held.go.set()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.usefixtures("unhurried_sharing")
def test_an_interrupt_ahead_of_a_look_up_leaves_nobody_waiting(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L3: who has joined meanwhile asks by himself, and the interrupt is none of his."""
    lookups = Lookups(held)
    start = _thread.start_new_thread
    with ThreadPoolExecutor(1) as threads:
        threads.submit(int).result()  # its thread is there before there is none to be had

        def interrupted(function: Callable[..., object], arguments: tuple[Any, ...]) -> int:
            monkeypatch.setattr(_thread, "start_new_thread", start)
            joined.append(threads.submit(lookups.find, "a.example", 80, DEADLINE))
            wait_for(lambda: listeners(lookups) == 2, "another one has joined")
            raise KeyboardInterrupt

        joined: list[Any] = []
        monkeypatch.setattr(_thread, "start_new_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lookups.find("a.example", 80, DEADLINE)
        held.go.set()
        assert joined[0].result() == HERE
    assert held.calls == 1
    assert lookups.find("a.example", 80, DEADLINE) == HERE


def test_a_look_up_that_is_over_is_nobody_s_to_listen_to() -> None:
    """Who has just found it asks anew."""
    lookup = _Lookup(0.0)
    early: queue.SimpleQueue[Any] = queue.SimpleQueue()
    late: queue.SimpleQueue[Any] = queue.SimpleQueue()
    assert lookup.listen(early)
    lookup.tell(HERE)
    assert not lookup.listen(late)
    assert early.get_nowait() == HERE
    assert late.empty()
    lookups = Lookups(lambda host, port: ["127.0.0.1"])
    lookups._under_way[os.getpid(), "a.example", 80] = lookup
    lookup.begun = time.monotonic()
    assert lookups.find("a.example", 80, DEADLINE) == HERE


def test_an_error_of_a_resolver_is_not_left_to_the_collector() -> None:
    made: list[weakref.ref[Exception]] = []

    class Failed(Exception):
        pass

    def fails(host: str, port: int) -> list[str]:
        error = Failed()
        made.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        outcome = Lookups(fails).find("a.example", 80, DEADLINE)
        assert isinstance(outcome, Failed)
        del outcome
        wait_for(lambda: made[0]() is None, "its thread has ended, and nothing else holds on to it")
    finally:
        gc.enable()
