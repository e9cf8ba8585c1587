"""How long the steps of a plain socket may take (law T1), whatever interrupts them."""

from __future__ import annotations

import contextlib
import errno
import queue
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest

from pystickyhttp.exceptions import IncompleteBody, ReadTimeout, TotalTimeout, WriteTimeout
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import ConnectionPool, HTTPConnection, IncomingResponse, OutgoingRequest, Route
from pystickyhttp.transport.readiness import poller, wait_for_socket
from pystickyhttp.transport.sockets import is_timeout_of_ours
from pystickyhttp.transport.wires import PlainWire, TLSWire
from tests.interrupts import ctrl_c_once
from tests.patience import DEADLINE, wait_for
from tests.servers.scripted import Peer, ScriptedServer, respond
from tests.servers.sockets import no_socket_left

ROUTE = Route("http", "a", 80)
GET = OutgoingRequest.make("GET", "/", [(b"Host", b"a")])
# Longer than the time between two signals, by far, and no longer than a test should take.
SECONDS = 0.2


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@contextlib.contextmanager
def signals_all_the_time() -> Iterator[list[int]]:
    """A timer whose handler does nothing but count, as that of a profiler or a watchdog."""
    seen: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    try:
        yield seen
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fill(sock: socket.socket) -> int:
    """Write until nothing more goes: how much that was."""
    sock.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sock.send(bytes(65536))
    return sent


# --- T1


def test_a_read_times_out_however_many_signals_come(ends: tuple[socket.socket, socket.socket]) -> None:
    """T1: a limit that began anew after each of them would never end."""
    wire = PlainWire(ends[0])
    with signals_all_the_time() as seen, pytest.raises(TimeoutError) as caught:
        wire.recv(1, SECONDS, time.monotonic())
    assert is_timeout_of_ours(caught.value)
    assert seen


def test_a_write_times_out_however_many_signals_come(ends: tuple[socket.socket, socket.socket]) -> None:
    """T1."""
    fill(ends[0])
    wire = PlainWire(ends[0])
    with signals_all_the_time() as seen, pytest.raises(TimeoutError) as caught:
        wire.send(b"x", SECONDS)
    assert is_timeout_of_ours(caught.value)
    assert seen


def test_a_handler_that_raises_ends_the_wait(ends: tuple[socket.socket, socket.socket]) -> None:
    """L3: Ctrl-C is such a one; the wire is none the worse for it."""
    wire = PlainWire(ends[0])
    main = threading.get_ident()
    with (
        ctrl_c_once(lambda: waits_for_bytes(sys._current_frames()[main])),
        pytest.raises(KeyboardInterrupt),
    ):
        wire.recv(1, None, time.monotonic())
    ends[1].sendall(b"a")
    assert wire.recv(1, DEADLINE, time.monotonic()) == b"a"


def test_a_limit_below_a_millisecond_is_a_limit(ends: tuple[socket.socket, socket.socket]) -> None:
    """T1: and what is there already is read under it, too."""
    wire = PlainWire(ends[0])
    with pytest.raises(TimeoutError):
        wire.recv(1, 1e-9, time.monotonic())
    ends[1].sendall(b"a")
    assert wire.recv(1, 1e-9, time.monotonic()) == b"a"


@pytest.mark.parametrize("limit", [None, DEADLINE])
def test_what_comes_late_is_waited_for(
    ends: tuple[socket.socket, socket.socket], limit: float | None
) -> None:
    wire = PlainWire(ends[0])
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    reader = threading.Thread(target=lambda: answers.put(wire.recv(10, limit, time.monotonic())))
    reader.start()
    ends[1].sendall(b"late")
    assert answers.get(timeout=DEADLINE) == b"late"
    reader.join()


def test_a_write_goes_on_when_the_peer_reads(ends: tuple[socket.socket, socket.socket]) -> None:
    filled = fill(ends[0])
    wire = PlainWire(ends[0])
    sent: queue.SimpleQueue[int] = queue.SimpleQueue()
    writer = threading.Thread(target=lambda: sent.put(wire.send(b"more", DEADLINE)))
    writer.start()
    while filled:
        filled -= len(ends[1].recv(min(filled, 65536)))
    assert sent.get(timeout=DEADLINE) == 4
    assert ends[1].recv(10) == b"more"
    writer.join()


class Doubtful(socket.socket):
    """A socket that is ready by poll(2), and is not when it is asked, once (its section BUGS)."""

    alarms = 0
    false_until = 0.0  # by `time.monotonic()`; the first one is false in any case

    def send(self, data: Any, *flags: Any) -> int:
        self._alarm()
        return super().send(data, *flags)

    def recv(self, size: int, *flags: Any) -> bytes:
        self._alarm()
        return super().recv(size, *flags)

    def _alarm(self) -> None:
        self.alarms += 1
        if self.alarms == 1 or time.monotonic() < self.false_until:
            raise BlockingIOError


@pytest.mark.parametrize("limit", [None, DEADLINE])
def test_what_is_not_ready_after_all_is_waited_for_again(
    ends: tuple[socket.socket, socket.socket], limit: float | None
) -> None:
    for step in ("send", "recv"):
        with Doubtful(fileno=ends[0].dup().detach()) as doubtful:
            wire = PlainWire(doubtful)
            if step == "send":
                assert wire.send(b"a", limit) == 1
                assert ends[1].recv(10) == b"a"
            else:
                ends[1].sendall(b"b")
                assert wire.recv(10, limit, time.monotonic()) == b"b"
            assert doubtful.alarms == 2


@pytest.mark.parametrize("step", ["send", "recv"])
def test_false_alarms_do_not_lengthen_a_step(ends: tuple[socket.socket, socket.socket], step: str) -> None:
    """T1: the limit is one over the whole step, and does not begin anew with each of them."""
    ends[1].sendall(b"b")
    with Doubtful(fileno=ends[0].dup().detach()) as doubtful:
        doubtful.false_until = time.monotonic() + DEADLINE
        wire = PlainWire(doubtful)
        take = partial(wire.send, b"a") if step == "send" else partial(wire.recv, 1, since=time.monotonic())
        with pytest.raises(TimeoutError) as caught:
            take(seconds=SECONDS)
        assert is_timeout_of_ours(caught.value)
        assert doubtful.alarms > 1


def test_where_there_is_no_poll_select_tells_the_same(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.delattr(select, "poll")
    ours, theirs = ends
    news = poller(ours)
    assert not news(0)
    assert wait_for_socket(ours, read=True, write=True, seconds=0.0) == (False, True)
    assert wait_for_socket(ours, read=True, write=False, seconds=0.001) == (False, False)
    theirs.sendall(b"a")
    assert news(None)
    assert news(1000)
    assert wait_for_socket(ours, read=True, write=False, seconds=None) == (True, False)


def test_a_false_alarm_ends_no_read(ends: tuple[socket.socket, socket.socket]) -> None:
    """Two who read from one socket: what wakes both is there for one of them alone."""
    with ends[0].dup() as other:
        wires = [PlainWire(ends[0]), PlainWire(other)]
        came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        readers = [
            threading.Thread(target=lambda wire=wire: came.put(wire.recv(1, DEADLINE, time.monotonic())))
            for wire in wires
        ]
        for reader in readers:
            reader.start()
        for byte in (b"a", b"b"):
            ends[1].sendall(byte)
            assert came.get(timeout=DEADLINE) == byte
        for reader in readers:
            reader.join()


def test_a_socket_that_is_let_go_has_the_limit_of_the_last_step(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """X4: who takes it over has the timeout of the request."""
    wire = PlainWire(ends[0])
    wire.send(b"x", 7.0)
    assert wire.let_go().gettimeout() == 7.0
    ends[1].sendall(b"y")
    wire = PlainWire(ends[0])
    wire.recv(1, None, time.monotonic())
    assert wire.let_go().gettimeout() is None


@pytest.mark.parametrize("kind", [PlainWire, TLSWire])
def test_a_socket_that_is_let_go_after_a_step_that_waits_for_nothing_may_wait(
    ends: tuple[socket.socket, socket.socket], kind: type[PlainWire | TLSWire]
) -> None:
    """X4: a 101 may come while a body is sent (X2), and is read without waiting; what follows it is not."""
    wire = kind(ends[0])
    wire.send(b"x", 7.0)
    wire.do_not_block()
    wire.do_not_block()
    assert wire.let_go().gettimeout() == 7.0


@pytest.mark.parametrize("news", ["a byte", "an end"])
def test_news_are_what_came_and_was_not_read(ends: tuple[socket.socket, socket.socket], news: str) -> None:
    """R4."""
    wire = PlainWire(ends[0])
    assert not wire.news(0)
    if news == "a byte":
        ends[1].sendall(b"a")
    else:
        ends[1].close()
    assert wire.news(0)


# --- somebody else ends it


@contextlib.contextmanager
def response_without_end() -> Iterator[tuple[ConnectionPool, IncomingResponse]]:
    """A response whose body has begun, has no length, and never goes on."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        peer.stall()

    with ScriptedServer(script) as server, no_socket_left():
        pool = ConnectionPool()
        route = Route("http", "127.0.0.1", server.port)
        response = pool.send(route, GET, Timeout(read=None).start())
        assert response.read_piece() == b"begun"
        yield pool, response


def waits_for_bytes(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code is PlainWire.recv.__code__


def test_a_response_is_closed_while_another_thread_waits_for_its_body() -> None:
    """L3: its slot is free at once, and who waits is woken, without any limit."""
    with response_without_end() as (pool, response):
        raised: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

        def read() -> None:
            try:
                response.read_piece()
            except IncompleteBody as error:
                raised.put(error)

        reader = threading.Thread(target=read)
        reader.start()
        assert reader.ident is not None
        number = reader.ident
        wait_for(lambda: waits_for_bytes(sys._current_frames().get(number)), "the other thread waits")
        response.close()
        assert pool._ledger.open == 0
        assert response.closed
        assert "closed while it was read" in str(raised.get(timeout=DEADLINE))
        reader.join()


def test_of_two_who_wait_for_the_same_bytes_the_second_is_told(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    wire = PlainWire(ends[0])
    reader = threading.Thread(target=wire.recv, args=(10, None, time.monotonic()))
    reader.start()
    assert reader.ident is not None
    number = reader.ident
    wait_for(lambda: waits_for_bytes(sys._current_frames().get(number)), "the other thread waits")

    def told() -> bool:
        try:
            wire.recv(10, 0, time.monotonic())  # the frame of the other one is there a step ahead of its wait
        except OSError as error:
            return error.errno == errno.EBUSY
        return False

    wait_for(told, "the second one is told")
    ends[1].sendall(b"a")
    reader.join()


def test_a_response_is_closed_by_a_signal_handler_amid_the_wait_for_its_body() -> None:
    """L3: the wait ends with it, without any limit."""
    with response_without_end() as (pool, response):

        def hang_up(_: int, frame: FrameType | None) -> None:
            if waits_for_bytes(frame):
                response.close()
            else:  # not there yet
                signal.setitimer(signal.ITIMER_REAL, 0.01)

        before = signal.signal(signal.SIGALRM, hang_up)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with pytest.raises(IncompleteBody):
                response.read_piece()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert pool._ledger.open == 0


def test_what_a_signal_handler_raises_amid_the_wait_is_its_program_s() -> None:
    """P1: it is no death of a connection, upon which the request would go out once more."""

    class Alarm(RuntimeError):
        pass

    def ring(_: int, frame: FrameType | None) -> None:
        if waits_for_bytes(frame):
            raise Alarm
        signal.setitimer(signal.ITIMER_REAL, 0.01)  # not there yet

    with response_without_end() as (pool, response):
        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with pytest.raises(Alarm):
                response.read_piece()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert pool._ledger.open == 0


# --- the same of an exchange


def test_a_silent_server_times_out_however_many_signals_come(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """T1."""
    connection = HTTPConnection(ends[0], ROUTE, 0.0)
    with (
        signals_all_the_time() as seen,
        pytest.raises(ReadTimeout, match=r"sent nothing for the read timeout of 0\.2 s"),
    ):
        connection.exchange(GET, Timeout(read=SECONDS).start())
    assert seen
    assert connection.closed


def test_a_peer_that_takes_nothing_times_out_however_many_signals_come(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """T1."""
    fill(ends[0])
    connection = HTTPConnection(ends[0], ROUTE, 0.0)
    with (
        signals_all_the_time() as seen,
        pytest.raises(WriteTimeout, match=r"took nothing for the write timeout of 0\.2 s \(0 bytes sent"),
    ):
        connection.exchange(GET, Timeout(write=SECONDS).start())
    assert seen
    assert connection.closed


def test_a_request_whose_total_is_used_up_is_not_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    """T1: the time may run out between the pool's look at it and the first byte."""
    ours, theirs = ends
    connection = HTTPConnection(ours, ROUTE, 0.0)
    with pytest.raises(TotalTimeout, match=r"sending to .*: the total timeout of 0\.2 s passed"):
        connection.exchange(GET, Timeout(total=SECONDS).start(now=time.monotonic() - SECONDS))
    assert connection.closed
    assert theirs.recv(1) == b""


def test_the_total_holds_over_a_body_that_drips(ends: tuple[socket.socket, socket.socket]) -> None:
    """T1: each byte begins the read timeout anew, and never the total."""
    ours, theirs = ends
    over = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(0.001):
                theirs.sendall(b"x")

    theirs.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    dripping = threading.Thread(target=drip)
    dripping.start()
    connection = HTTPConnection(ours, ROUTE, 0.0)
    try:
        connection.exchange(GET, Timeout(read=DEADLINE).start())
        deadline = Timeout(read=DEADLINE, total=SECONDS).start()
        with pytest.raises(TotalTimeout):
            list(iter(lambda: connection.read_piece(deadline), b""))
    finally:
        over.set()
        dripping.join()
    assert connection.closed


def test_a_first_write_that_the_system_takes_a_part_of_is_followed_by_the_rest(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """X1: head and small body are one write as far as we are concerned."""
    ours, theirs = ends
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    body = bytes(range(256)) * 64
    fields = [(b"Host", b"a"), (b"Content-Length", b"%d" % len(body))]
    came = bytearray()

    def read() -> None:
        while not came.endswith(body):
            came.extend(theirs.recv(100))
        theirs.sendall(respond(b"ok"))

    reader = threading.Thread(target=read)
    reader.start()
    connection = HTTPConnection(ours, ROUTE, 0.0)
    deadline = Timeout(read=DEADLINE, write=DEADLINE).start()
    connection.exchange(OutgoingRequest.make("POST", "/", fields, body), deadline)
    assert connection.read_piece(deadline) == b"ok"
    assert connection.sent == len(came)
    reader.join()


def test_a_connection_whose_socket_somebody_closed_is_not_used_again(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4: there is nothing that could be asked, and select(2) says so by an error."""
    monkeypatch.delattr(select, "poll")
    connection = HTTPConnection(ends[0], ROUTE, 0.0)
    assert connection.is_quiet()
    ends[0].close()
    assert not connection.is_quiet()
