"""Limits and waiting among threads: laws L1 to L3 in the pool's shell."""

from __future__ import annotations

import gzip
import itertools
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from pystickyhttp import ConnectionError, Limits, PoolTimeout, RequestException, Session, TotalTimeout
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import ConnectionPool, OutgoingRequest, Route
from pystickyhttp.transport.connection import NOT_WHOLE
from pystickyhttp.transport.pool import _Claim
from tests.interrupts import ctrl_c_once
from tests.patience import growing, wait_for
from tests.servers.scripted import Peer, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left

REQUEST = OutgoingRequest.make("GET", "/", [(b"Host", b"a")])


def route_to(server: ScriptedServer, host: str = "127.0.0.1") -> Route:
    return Route("http", host, server.port)


@contextmanager
def gate() -> Iterator[tuple[ScriptedServer, threading.Event]]:
    """A server that answers once the event is set."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.wait(go)
            if not peer.try_send(respond(b"ok")):
                return

    with ScriptedServer(script) as server:
        yield server, go
        go.set()


def test_ten_callers_of_a_host_with_one_connection_dial_once() -> None:
    """L1, L2."""
    with gate() as (server, go), Session() as session, ThreadPoolExecutor(10) as threads:
        session.max_connections = 1
        answers = [threads.submit(session.get, server.url()) for _ in range(10)]
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        wait_for(lambda: pool._ledger.waiting == 9, "nine wait")
        go.set()
        assert [answer.result(10).text for answer in answers] == ["ok"] * 10
        assert server.accepted == 1


def test_the_eleventh_request_of_ten_connections_waits() -> None:
    """The seed's `session.max_connections = 10`."""
    with gate() as (server, go), Session() as session, ThreadPoolExecutor(11) as threads:
        session.max_connections = 10
        answers = [threads.submit(session.get, server.url()) for _ in range(11)]
        server.wait_for_requests(10)
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        wait_for(lambda: pool._ledger.waiting == 1, "the eleventh waits")
        assert len(server.requests) == 10
        go.set()
        assert all(answer.result(10).ok for answer in answers)
        assert server.most_open_connections == 10


def test_waiters_are_served_in_the_order_in_which_they_came() -> None:
    """L2."""
    order: list[int] = []
    with gate() as (server, go):
        pool = ConnectionPool(Limits(max_per_host=1))

        def call(number: int) -> None:
            pool.send(route_to(server), REQUEST, Timeout().start()).close()
            order.append(number)

        first = threading.Thread(target=call, args=(0,))
        first.start()
        server.wait_for_requests(1)
        threads = []
        for number in range(1, 6):
            threads.append(threading.Thread(target=call, args=(number,)))
            threads[-1].start()
            wait_for(lambda number=number: pool._ledger.waiting == number, "it waits")  # type: ignore[misc]
        go.set()
        for thread in [first, *threads]:
            thread.join(10)
        # What counts is in which order the server saw them: all came over one connection.
        assert sorted(order) == list(range(6))
        assert server.accepted == 1
        pool.close()


def test_a_waiter_gives_up_at_its_pool_timeout_and_says_how_things_stand() -> None:
    """L3."""
    with gate() as (server, go), Session() as session, no_socket_left():
        session.max_connections = 1
        with ThreadPoolExecutor(1) as threads:
            busy = threads.submit(session.get, server.url())
            server.wait_for_requests(1)
            with pytest.raises(PoolTimeout, match=r"max_per_host=1.*1 open") as caught:
                session.get(server.url(), timeout=Timeout(pool=0.05))
            assert isinstance(caught.value, TimeoutError)
            assert caught.value.request.url == server.url()
            go.set()
            assert busy.result(10).ok
        assert session.get(server.url()).ok, "the others are none the worse"
        assert server.accepted == 1
        session.close()


def test_the_total_deadline_covers_the_wait_for_a_connection() -> None:
    """T1, L3."""
    with gate() as (server, go), Session() as session, ThreadPoolExecutor(1) as threads:
        session.max_connections = 1
        busy = threads.submit(session.get, server.url())
        server.wait_for_requests(1)
        with pytest.raises(TotalTimeout, match="waiting for a connection"):
            session.get(server.url(), timeout=Timeout(total=0.05))
        go.set()
        busy.result(10)


def test_a_timed_out_waiter_fails_alone() -> None:
    """L3: who waits behind it is served as if it had never been there."""
    assert any(a_waiter_gives_up_ahead_of_another_one(limit) for limit in growing(0.1))


def a_waiter_gives_up_ahead_of_another_one(limit: float) -> bool:
    """Whether the other one came to wait behind it in time."""
    with gate() as (server, go), Session() as session, ThreadPoolExecutor(3) as threads:
        session.max_connections = 1
        ledger = session.get_adapter("http://").pool._ledger  # type: ignore[attr-defined]
        busy = threads.submit(session.get, server.url())
        server.wait_for_requests(1)
        impatient = threads.submit(session.get, server.url(), timeout=Timeout(pool=limit))
        wait_for(lambda: ledger.waiting == 1 or impatient.done(), "the impatient one waits")
        patient = threads.submit(session.get, server.url())
        seen: list[int] = []

        def settled() -> bool:
            seen.append(ledger.waiting)
            return seen[-1] == 2 or impatient.done()

        wait_for(settled, "the patient one waits behind it")
        assert isinstance(impatient.exception(2 * limit + 10), PoolTimeout)
        go.set()
        assert busy.result(10).ok
        assert patient.result(10).ok
    return seen[-1] == 2


def test_a_slot_delivered_in_the_instant_of_the_timeout_is_used() -> None:
    """L3: the waiter's clock has run out, and its slot has come: no error, and no slot lost."""
    pool = ConnectionPool(Limits(max_per_host=1))
    route = Route("http", "a.example", 80)
    holder, late = _Claim(route), _Claim(route)
    pool._ledger.claim(holder)
    pool._ledger.claim(late)
    pool._ledger.discard(holder)
    late.gate = threading.Lock()
    late.gate.acquire()  # nobody opens it: as if the grant had come just after the wait had ended by time
    pool._wait(late, Timeout(pool=0.001).start())
    assert late.slot is not None
    assert pool._ledger.open == 1
    pool._give_up(late)
    assert pool._ledger.open == 0


def test_a_dial_counts_while_it_lasts() -> None:
    """L1."""
    resolving, go = threading.Event(), threading.Event()

    def slow_resolver(host: str, port: int) -> list[Any]:
        resolving.set()
        assert go.wait(10)
        raise OSError("no such host")

    with Session(resolver=slow_resolver) as session, ThreadPoolExecutor(1) as threads:
        session.max_connections = 1
        dialling = threads.submit(session.get, "http://somewhere.example/")
        assert resolving.wait(10)
        with pytest.raises(PoolTimeout, match="1 open"):
            session.get("http://somewhere.example/", timeout=Timeout(pool=0.05))
        go.set()
        assert isinstance(dialling.exception(10), ConnectionError)


def test_a_dial_that_fails_gives_its_permit_to_the_next_who_waits() -> None:
    """L3."""
    with closed_port() as port, Session() as session, no_socket_left():
        session.max_connections = 1
        with ThreadPoolExecutor(8) as threads:
            outcomes = [threads.submit(session.get, f"http://127.0.0.1:{port}/") for _ in range(40)]
            assert all(isinstance(outcome.exception(10), ConnectionError) for outcome in outcomes)
        assert session.get_adapter("http://").pool._ledger.open == 0  # type: ignore[attr-defined]


def test_idle_permits_move_between_hosts_at_the_total_limit() -> None:
    """L2: the hosts are the loopback's many addresses."""
    pool = ConnectionPool(Limits(max_connections=2))
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server, no_socket_left():
        for _ in range(3):
            for number in range(1, 6):
                route = Route("http", "127.0.0.1", server.port, local_address=(f"127.0.0.{number}", 0))
                assert pool.send(route, REQUEST, Timeout().start()).read() == b"ok"
                assert pool._ledger.open <= 2
        assert server.accepted == 15
        pool.close()


class Boom(BaseException):
    """What no `except Exception` catches."""


@pytest.mark.parametrize("stage", ["resolving", "body", "wrong length", "a resolver with a bug"])
def test_no_permit_is_lost_whatever_is_raised_where(stage: str) -> None:
    """L3."""

    def exploding_resolver(host: str, port: int) -> list[Any]:
        raise Boom if stage == "resolving" else ValueError("a resolver with a bug")

    def exploding_body() -> Iterator[bytes]:
        yield b"x"
        raise Boom

    with ScriptedServer(lambda peer: peer.stall()) as server, no_socket_left():
        resolver = exploding_resolver if stage in ("resolving", "a resolver with a bug") else None
        session = Session(resolver=resolver)
        session.max_connections = 1
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        host = "localhost" if resolver else "127.0.0.1"
        body: Any = {"body": exploding_body(), "wrong length": iter([b"toolong"])}.get(stage)
        headers = {"Content-Length": "3"} if stage == "wrong length" else None
        with pytest.raises((Boom, RequestException, ValueError)):
            session.post(server.url(host=host), data=body, headers=headers, timeout=2)
        assert pool._ledger.open == 0
        assert pool._ledger.waiting == 0


def expect_failure(session: Session, url: str) -> None:
    with pytest.raises(RequestException):
        session.get(url)


@pytest.mark.parametrize("stage", ["waiting", "resolving", "reading the head", "reading the body"])
def test_a_real_ctrl_c_loses_no_permit_and_no_socket(stage: str) -> None:
    """L3: a signal in the main thread, while it blocks."""
    answer = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        if stage == "reading the body":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        peer.stall()

    def slow_resolver(host: str, port: int) -> list[Any]:
        assert answer.wait(10)
        return []

    with ScriptedServer(script) as server, no_socket_left():
        session = Session(resolver=slow_resolver)
        session.max_connections = 1
        ledger = session.get_adapter("http://").pool._ledger  # type: ignore[attr-defined]
        other = threading.Thread(target=expect_failure, args=(session, server.url()))
        ready: dict[str, Callable[[], bool]] = {
            "waiting": lambda: ledger.waiting == 1,
            "resolving": lambda: ledger.open == 1,
        }
        if stage == "waiting":
            other.start()
            server.wait_for_requests(1)
        with ctrl_c_once(ready.get(stage, lambda: len(server.requests) == 1)):
            with pytest.raises(KeyboardInterrupt):
                session.get(server.url(host="localhost" if stage == "resolving" else None))
        assert ledger.waiting == 0
        assert ledger.open == (1 if stage == "waiting" else 0)
        answer.set()
        if stage == "waiting":
            server.stop()
            other.join(10)
        assert ledger.open == 0


class Alarm(BaseException):
    """What a signal handler may raise."""


def test_an_exception_amid_decoding_frees_the_slot_at_once() -> None:
    """L3: while the caller still holds the exception, and with it all that its traceback leads to."""
    body = gzip.compress(bytes(200_000_000))

    def ring(_: int, frame: FrameType | None) -> None:
        while frame is not None and not frame.f_code.co_filename.endswith("decoding.py"):
            frame = frame.f_back
        if frame is None:  # not there yet
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            return
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        with ScriptedServer(
            keep_alive(lambda _: respond(body, headers={"Content-Encoding": "gzip"}))
        ) as server:
            session = Session()
            session.max_connections = 1
            response = session.get(server.url(), stream=True)
            pieces = response.iter_content(1000)
            next(pieces)
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with pytest.raises(Alarm) as caught:
                list(pieces)
            session.get(server.url(), stream=True, timeout=Timeout(pool=5)).close()
            assert caught.value is not None
            session.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_slot_that_nobody_gave_back_does_not_keep_anybody_waiting() -> None:
    """L3: as after an interrupt amid the clean-up after an interrupt."""
    pool = ConnectionPool(Limits(max_per_host=1))
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        lost = _Claim(route_to(server))
        pool._ledger.claim(lost)
        del lost
        response = pool.send(route_to(server), REQUEST, Timeout(pool=5).start())
        assert response.read() == b"ok"
        pool.close()
        assert pool._ledger.open == 0


def test_no_file_descriptors_left_is_an_error_of_ours() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server, Session() as session:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            with pytest.raises(ConnectionError, match="Too many open files"):
                session.get(server.url())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert session.get(server.url()).ok


def test_an_interrupt_while_cleaning_up_loses_no_permit() -> None:
    """L3: struck at each bytecode instruction of the pool's own clean-up in turn."""
    with closed_port() as port:
        # Python 3.12 gives no events of single instructions to the first frame that asks: step 0 is for that.
        for step in itertools.count():
            pool = ConnectionPool(Limits(max_per_host=1))
            route = Route("http", "127.0.0.1", port)
            struck = Striker(step, {"_give_up", "_reclaim"})
            before = sys.gettrace()
            sys.settrace(struck.trace)
            try:
                with pytest.raises((ConnectionError, Boom)):
                    pool.send(route, REQUEST, Timeout().start())
            finally:
                sys.settrace(before)
            with pytest.raises(ConnectionError):
                pool.send(route, REQUEST, Timeout(pool=1).start())
            assert pool._ledger.open == 0
            if step and not struck.happened:
                break
        assert step > 20


class Striker:
    """Raises at the given bytecode instruction of functions of the pool."""

    def __init__(self, step: int, functions: set[str]) -> None:
        self.happened = False
        self._left = step
        self._functions = functions

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith("pool.py") or frame.f_code.co_name not in self._functions:
            return self.trace if event == "call" else None
        frame.f_trace_opcodes = True
        # The first step of the deque is where the claim is put on record; what strikes ahead of it has struck
        # before the clean-up.
        if event == "opcode" and self._recorded(frame):
            self._left -= 1
            if self._left == 0:
                self.happened = True
                sys.settrace(None)
                raise Boom
        return self.trace

    @staticmethod
    def _recorded(frame: FrameType) -> bool:
        pool = frame.f_locals.get("self")
        return isinstance(pool, ConnectionPool) and bool(pool._abandoned)


def test_limits_set_to_nonsense_are_refused() -> None:
    session = Session()
    for wrong, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), ("10", TypeError)):
        with pytest.raises(error, match="max_per_host"):
            session.max_connections = wrong  # type: ignore[assignment]
    assert session.max_connections is None


def test_five_hundred_echoes_of_eight_threads_meet_no_cross_talk() -> None:
    """L1, L2: every answer is the caller's own, and the limit is kept."""

    def echo(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if not peer.try_send(respond(request.body)):
                return

    with ScriptedServer(echo) as server, Session() as session, ThreadPoolExecutor(8) as threads:
        session.max_connections = 3
        bodies = [f"number {number}" for number in range(500)]
        answers = list(threads.map(lambda body: session.post(server.url(), data=body).text, bodies))
        assert answers == bodies
        assert server.most_open_connections <= 3


# --- what a pool says of itself, and what it does without limits of time


def test_who_waits_without_a_limit_gets_what_is_released() -> None:
    """L2: neither a pool timeout nor a total one."""
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        pool = ConnectionPool(Limits(max_connections=1))
        route = Route("http", server.host, server.port)
        first = pool.send(route, REQUEST, Timeout().start())
        assert repr(first._claim) == f"<a request's claim on {route}>"
        with ThreadPoolExecutor(1) as thread:
            second = thread.submit(lambda: pool.send(route, REQUEST, Timeout(pool=None).start()).read())
            wait_for(lambda: pool._ledger.waiting == 1, "the second one waits")
            assert first.read() == b"ok"
            assert second.result() == b"ok"
        assert server.accepted == 1
        # When the interpreter ends, the system closes what is open, and names that it takes may be gone.
        pool.__del__(lambda: True)
        assert pool._ledger.idle == 1
        pool.close()


def test_a_connection_whose_response_is_not_read_whole_is_not_for_the_pool() -> None:
    """R3."""

    def half(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        peer.stall()

    with ScriptedServer(half) as server:
        pool = ConnectionPool()
        response = pool.send(Route("http", server.host, server.port), REQUEST, Timeout().start())
        assert response._connection is not None
        assert response._connection.why_not_pooled() == NOT_WHOLE
        response.close()
        pool.close()


def test_who_is_interrupted_as_he_begins_to_wait_is_not_kept() -> None:
    """L3."""

    class Interrupted(set[_Claim]):
        def add(self, claim: _Claim) -> None:
            super().add(claim)
            raise KeyboardInterrupt

    with ScriptedServer(keep_alive(lambda _: respond(bytes(2_000_000)))) as server, Session() as session:
        session.max_connections = 1
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        with session.get(server.url(), stream=True):
            pool._waiting = Interrupted()
            with pytest.raises(KeyboardInterrupt):
                session.get(server.url())
            assert not pool._waiting
            assert pool._ledger.waiting == 0
