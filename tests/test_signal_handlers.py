"""What a signal handler raises is its program's (law P1): it comes out as it is, the connection is closed.

A handler runs amid what it interrupts, and programs raise TimeoutError upon SIGALRM, or what else a socket
may raise. The signals here are real ones: of a timer, for what waits in the system; and of `raise_signal`
amid a call, for what takes too short a time to be met.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import os
import selectors
import signal
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import pytest

from pystickyhttp import Response, Session
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.bodies import StreamedBody
from pystickyhttp.exceptions import ConnectionLost, NameResolutionError, ReadTimeout, SSLError
from pystickyhttp.raw import FileBody
from pystickyhttp.signal_handlers import is_of_a_signal_handler, tolerated
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import (
    ConnectionPool,
    Dialer,
    DuplexStream,
    HTTPConnection,
    Limits,
    OutgoingRequest,
    Proxy,
    Route,
    TLSIdentity,
    readiness,
    tunnels,
)
from pystickyhttp.transport.lookups import Lookups
from pystickyhttp.transport.sockets import SocketSettings, configure
from pystickyhttp.transport.tls_in_tls import TLSInTLS
from pystickyhttp.transport.wires import PlainWire
from tests.interrupts import ctrl_c_once
from tests.patience import DEADLINE
from tests.servers.scripted import BlackHole, Peer, Script, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

GET: Final = OutgoingRequest.make("GET", "/", [(b"Host", b"a")])
LIMITS: Final = Timeout(DEADLINE, DEADLINE, DEADLINE, DEADLINE)

# What a socket may raise, and a handler too.
ERRORS: Final[list[Callable[[], Exception]]] = [
    lambda: TimeoutError("the program's time is up"),
    lambda: ConnectionResetError("the program's"),
    lambda: BlockingIOError("the program's"),
    lambda: OSError("the program's"),
    lambda: ValueError("the program's"),
    lambda: ReadTimeout("of a request that the handler made"),
    lambda: ConnectionLost("of a request that the handler made", sent=0, received=0),
]
NAMES: Final = [type(make()).__name__ for make in ERRORS]

Ready = Callable[[FrameType], bool]


@pytest.fixture(params=ERRORS, ids=NAMES)
def error(request: pytest.FixtureRequest) -> Exception:
    made: Exception = request.param()
    return made


@contextlib.contextmanager
def handled_by(handler: Callable[..., object], every: float = 0.0) -> Iterator[None]:
    """What happens upon SIGALRM, which comes every so many seconds, if it comes by itself."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, every, every)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def raised(error: Exception, ready: Ready) -> Iterator[None]:
    """Assert that the block ends with this error, which a handler raises once the main thread is there."""

    def ring(_: int, frame: FrameType | None) -> None:
        if frame is not None and ready(frame):
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise error

    # Again and again: it may not be there yet, and a signal that comes between the last instruction of
    # Python's and the call that blocks is seen when that call is over.
    with handled_by(ring, every=0.01), pytest.raises(type(error)) as caught:
        yield
    assert caught.value is error


def amid(*functions: Any) -> Ready:
    codes = [function.__code__ for function in functions]
    return lambda frame: frame.f_code in codes


@contextlib.contextmanager
def struck(error: Exception, owner: Any, name: str, *, at: int = 1) -> Iterator[None]:
    """Assert that the block ends with this error, raised amid the so manieth call of the main thread's."""
    really = getattr(owner, name)
    calls = itertools.count(1)

    def strike(*given: Any, **named: Any) -> Any:
        if threading.current_thread() is threading.main_thread() and next(calls) == at:
            signal.raise_signal(signal.SIGALRM)
        return really(*given, **named)

    def ring(*_: object) -> None:
        raise error

    with pytest.MonkeyPatch.context() as monkeypatch, handled_by(ring):
        monkeypatch.setattr(owner, name, strike, raising=name in vars(owner))
        with pytest.raises(type(error)) as caught:
            yield
    assert caught.value is error


def route_to(server: ScriptedServer, ca_file: str) -> Route:
    if server.scheme == "https":
        return Route("https", "localhost", server.port, TLSIdentity(ca=ca_file))
    return Route("http", "127.0.0.1", server.port)


def send(pool: ConnectionPool, route: Route, request: OutgoingRequest = GET) -> bytes:
    return pool.send(route, request, LIMITS.start()).read()


@contextlib.contextmanager
def nothing_left(pool: ConnectionPool) -> Iterator[None]:
    """Assert that what the block had in use is closed, and its slot free."""
    with no_socket_left():
        yield
        assert pool.stats().active == 0
        pool.close()
        assert pool._ledger.open == 0


# --- how a handler is known


def handle(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def handle_with_more(more: str, number: int, frame: FrameType | None) -> None:
    raise TimeoutError(more)


def handle_whatever(*given: object) -> None:
    raise TimeoutError


def handle_deeper(number: int, frame: FrameType | None) -> None:
    handle_whatever()


@functools.wraps(handle)
def handle_decorated(*given: Any, **named: Any) -> None:
    handle(*given, **named)


def handle_and_be_gone(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    raise TimeoutError


class Handler:
    def __call__(self, number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    def method(self, number: int, frame: FrameType | None) -> None:
        raise TimeoutError


@pytest.mark.parametrize(
    "handler",
    [
        handle,
        functools.partial(handle_with_more, "more"),
        handle_whatever,
        handle_deeper,
        handle_decorated,
        handle_and_be_gone,
        Handler(),
        Handler().method,
        lambda *_: handle_whatever(),
    ],
)
def test_a_handler_of_whatever_make_is_known(handler: Callable[..., object]) -> None:
    def interrupted() -> None:
        signal.raise_signal(signal.SIGALRM)

    with handled_by(handler), pytest.raises(TimeoutError) as caught:
        interrupted()
    assert is_of_a_signal_handler(caught.value)


def test_what_a_socket_raises_is_no_handler_s_however_deep_it_comes_from() -> None:
    class InPython(socket.socket):
        def recv(self, *given: Any) -> bytes:
            return super().recv(*given)

    ours, theirs = socket.socketpair()
    with ours, theirs, InPython(fileno=ours.detach()) as sock:
        sock.settimeout(0.01)
        with pytest.raises(TimeoutError) as caught:
            sock.recv(1)
    assert not is_of_a_signal_handler(caught.value)


# --- while something is waited for


def answers_once(peer: Peer) -> None:
    peer.expect_request()
    peer.send(respond(b"ok"))
    peer.expect_request()
    peer.stall()


def begins(length: int) -> Script:
    """The beginning of a body of that length comes, and no more."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nbegun" % length)
        peer.stall()

    return script


READING: Final = (ssl.SSLSocket.recv, ssl.SSLSocket.read)


def waits_for_bytes(frame: FrameType) -> bool:
    return amid(PlainWire.recv, *READING)(frame)


def test_what_a_handler_raises_amid_the_wait_for_an_answer_is_no_reason_to_send_again(
    error: Exception, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """P1: the connection was used before, and not a byte of the response has come."""
    pool = ConnectionPool()
    with ScriptedServer(answers_once, tls=tls) as server, nothing_left(pool):
        assert send(pool, route_to(server, ca_file)) == b"ok"
        # It may wait before the server has read what it sent.
        with raised(error, lambda frame: len(server.requests) == 2 and waits_for_bytes(frame)):
            send(pool, route_to(server, ca_file))
        assert pool.stats().replayed == 0
        assert pool.stats().discarded == {"an error or an interrupt ended its exchange": 1}
        assert len(server.requests) == 2


def test_what_a_handler_raises_amid_a_body_is_no_cut_and_no_timeout(
    error: Exception, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """X5."""
    pool = ConnectionPool()
    with ScriptedServer(begins(1_000_000), tls=tls) as server, nothing_left(pool):
        response = pool.send(route_to(server, ca_file), GET, LIMITS.start())
        assert response.read_piece() == b"begun"
        with raised(error, waits_for_bytes):
            response.read_piece()


@pytest.mark.parametrize("read", [lambda response: response.content, lambda response: response.raw.read()])
def test_what_a_handler_raises_amid_a_body_is_told_nothing_of_the_response(
    read: Callable[[Response], object],
) -> None:
    """It may be about a request of the handler's own."""

    def begins(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun")
        peer.stall()

    made: Any = ERRORS[-1]()
    with ScriptedServer(begins) as server, no_socket_left(), Session() as session:
        response = session.get(server.url(), stream=True)
        with raised(made, waits_for_bytes):
            read(response)
    assert (made.request, made.response) == (None, None)


@pytest.mark.usefixtures("unhurried_drain")
def test_what_a_handler_raises_while_a_rest_is_drained_comes_out_of_close(
    error: Exception, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """R5: every other error of that reading is no news."""
    pool = ConnectionPool()
    with ScriptedServer(begins(10), tls=tls) as server, nothing_left(pool):
        response = pool.send(route_to(server, ca_file), GET, LIMITS.start())
        with raised(error, waits_for_bytes):
            response.close()


@pytest.mark.parametrize("what", ["a head", "a body", "a file"])
def test_what_a_handler_raises_while_a_request_is_sent_is_no_death_of_its_connection(
    error: Exception, what: str, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """X2, P1: nobody looks for an answer upon it, and nobody sends again."""
    size = 20_000_000  # more than the kernel takes
    over = threading.Event()
    pool = ConnectionPool()
    with (
        ScriptedServer(lambda peer: peer.wait(over), tls=tls, receive_buffer=4096) as server,
        nothing_left(pool),
        tempfile.TemporaryFile() as file,
    ):
        file.truncate(size)
        fields = [(b"Host", b"a")]
        if what == "a head":
            request = OutgoingRequest.make("GET", "/", [*fields, (b"X", b"x" * size)])
        else:
            fields.append((b"Content-Length", b"%d" % size))
            body = bytes(size) if what == "a body" else StreamedBody(file, 0, size)
            request = OutgoingRequest.make("PUT", "/", fields, body)
        with raised(error, amid(readiness.wait_for_socket, ssl.SSLSocket.send)):
            send(pool, route_to(server, ca_file), request)
        over.set()
        assert pool.stats().replayed == 0


def test_what_a_handler_raises_amid_the_sending_of_a_body_by_tls_is_no_death_of_its_connection(
    error: Exception, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """X2, P1."""
    size = 100_000
    pool = ConnectionPool()
    with ScriptedServer(Peer.stall, tls=tls_context) as server, nothing_left(pool):
        fields = [(b"Host", b"a"), (b"Content-Length", b"%d" % size)]
        with struck(error, ssl.SSLSocket, "send", at=2):  # the first is the head's
            send(pool, route_to(server, ca_file), OutgoingRequest.make("PUT", "/", fields, bytes(size)))
        assert pool.stats().replayed == 0


def test_what_a_handler_raises_while_a_connect_hangs_is_no_failure_of_it(error: Exception) -> None:
    pool = ConnectionPool()
    waits = "select.py", os.path.basename(selectors.__file__)
    with BlackHole() as hole, nothing_left(pool):
        route = Route("http", hole.host, hole.port)
        with raised(error, lambda frame: os.path.basename(frame.f_code.co_filename) in waits):
            send(pool, route)


def test_what_a_handler_raises_while_a_name_is_looked_up_is_no_failure_of_it(error: Exception) -> None:
    """T2: the look-up has a thread of its own, and the handlers have the main one."""
    go = threading.Event()

    def hangs(host: str, port: int) -> list[str]:
        go.wait(DEADLINE)
        return []

    pool = ConnectionPool(dialer=Dialer(resolver=hangs))
    try:
        with nothing_left(pool), raised(error, amid(Lookups.find)):
            send(pool, Route("http", "name", 80))
    finally:
        go.set()


def test_what_a_handler_raises_in_a_look_up_without_a_thread_is_no_failure_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    def rings(host: str, port: int) -> list[str]:
        signal.raise_signal(signal.SIGALRM)
        return []

    monkeypatch.setattr("_thread.start_new_thread", none_left)
    with handled_by(handle), pytest.raises(TimeoutError) as caught:
        send(ConnectionPool(dialer=Dialer(resolver=rings)), Route("http", "name", 80))
    assert not isinstance(caught.value, NameResolutionError)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_what_a_handler_raises_while_a_tunnel_is_asked_for_is_no_refusal(
    error: Exception, scheme: str, ca_file: str
) -> None:
    pool = ConnectionPool()
    with ScriptedServer(Peer.stall) as server, nothing_left(pool):
        proxy = Proxy(scheme, "127.0.0.1", server.port)
        route = Route("https", "localhost", 443, TLSIdentity(ca=ca_file), proxy=proxy)
        with raised(error, lambda frame: waits_for_bytes(frame) or amid(tunnels._take)(frame)):
            send(pool, route)


def test_a_failed_handshake_of_a_handlers_own_is_no_alert_of_the_proxy() -> None:
    pool = ConnectionPool()
    with ScriptedServer(Peer.stall) as server, nothing_left(pool):
        route = Route("https", "localhost", 443, TLSIdentity(), proxy=Proxy("http", "127.0.0.1", server.port))
        with raised(SSLError("of a request that the handler made"), waits_for_bytes):
            send(pool, route)


def test_a_handler_that_closes_the_response_which_it_interrupts_may_raise_as_well(error: Exception) -> None:
    """L3: the error is the handler's, and nothing is left."""

    def begins(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        peer.stall()

    def closes(frame: FrameType) -> bool:
        if waits_for_bytes(frame):
            response.close()
        return response.closed

    pool = ConnectionPool()
    with ScriptedServer(begins) as server, nothing_left(pool):
        response = pool.send(route_to(server, ""), GET, LIMITS.start())
        with raised(error, closes):
            response.read()


def test_what_a_handler_raises_amid_a_handshake_is_no_loss_of_it(error: Exception, ca_file: str) -> None:
    """P1: it would be one that may be tried again."""
    pool = ConnectionPool()
    with ScriptedServer(Peer.stall) as server, nothing_left(pool):
        route = Route("https", "localhost", server.port, TLSIdentity(ca=ca_file))
        with raised(error, amid(ssl.SSLSocket.do_handshake)):
            send(pool, route)


def test_what_a_handler_raises_amid_a_handshake_with_a_proxy_is_no_error_of_the_proxy(
    error: Exception, ca_file: str
) -> None:
    pool = ConnectionPool()
    with ScriptedServer(Peer.stall) as server, nothing_left(pool):
        proxy = Proxy("https", "localhost", server.port, tls=TLSIdentity(ca=ca_file))
        route = Route("https", "localhost", 443, TLSIdentity(ca=ca_file), proxy=proxy)
        with raised(error, amid(ssl.SSLSocket.do_handshake)):
            send(pool, route)


def test_what_a_handler_raises_while_a_proxy_says_why_it_refuses_comes_out(error: Exception) -> None:
    def refuses(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 407 No\r\nContent-Length: 10\r\n\r\nbegun")
        peer.stall()

    def waits_for_reasons(frame: FrameType | None) -> bool:
        while frame is not None and frame.f_code is not tunnels._beginning_of_body.__code__:
            frame = frame.f_back
        return frame is not None

    pool = ConnectionPool()
    with ScriptedServer(refuses) as server, nothing_left(pool):
        proxy = Proxy("http", "127.0.0.1", server.port)
        with raised(error, lambda frame: waits_for_bytes(frame) and waits_for_reasons(frame)):
            send(pool, Route("https", "localhost", 443, TLSIdentity(), proxy=proxy))


def test_what_a_handler_raises_amid_a_handshake_within_that_of_a_proxy_comes_out(
    error: Exception, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    context = ssl.create_default_context(cafile=ca_file)
    with ScriptedServer(Peer.stall, tls=tls_context) as server, no_socket_left():
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
        with context.wrap_socket(sock, server_hostname="localhost") as outer:
            inner = TLSInTLS(outer, context, server_hostname="localhost")
            with struck(error, ssl.SSLSocket, "send"):
                inner.do_handshake()


@pytest.mark.parametrize("error", ERRORS[-2:], ids=NAMES[-2:])
def test_what_a_handler_raises_is_not_tried_again_and_is_told_nothing_of_the_request(
    error: Callable[[], Exception],
) -> None:
    """What the policy of retries says is about errors of the request's own."""
    made: Any = error()
    said = made.args
    with ScriptedServer(answers_once) as server, Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=3))
        session.get(server.url())
        with raised(made, lambda frame: len(server.requests) == 2 and waits_for_bytes(frame)):
            session.get(server.url())
        assert len(server.requests) == 2
    assert made.request is None
    assert made.args == said


def test_an_interrupt_amid_the_wait_for_an_answer_comes_out(tls: ssl.SSLContext | None, ca_file: str) -> None:
    """L3: as ever."""
    pool = ConnectionPool()
    with ScriptedServer(answers_once, tls=tls) as server, nothing_left(pool):
        assert send(pool, route_to(server, ca_file)) == b"ok"
        with (
            ctrl_c_once(lambda: len(server.requests) == 2),
            pytest.raises(KeyboardInterrupt),
        ):
            send(pool, route_to(server, ca_file))


# --- amid what takes no time


def socket_class(tls: ssl.SSLContext | None) -> type[socket.socket]:
    return socket.socket if tls is None else ssl.SSLSocket


def body_of(size: int) -> OutgoingRequest:
    fields = [(b"Host", b"a"), (b"Content-Length", b"%d" % size)]
    return OutgoingRequest.make("PUT", "/", fields, bytes(size))


ANSWERS: Final[Script] = keep_alive(lambda _: respond(b"ok"))


@pytest.mark.parametrize("size", [1, 1_000_000])
@pytest.mark.parametrize("name", ["send", "recv"])
def test_what_a_handler_raises_amid_a_step_of_the_socket_comes_out(
    error: Exception, name: str, size: int, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """P1."""
    pool = ConnectionPool()
    with ScriptedServer(ANSWERS, tls=tls) as server, nothing_left(pool):
        assert send(pool, route_to(server, ca_file)) == b"ok"
        with struck(error, socket_class(tls), name):
            send(pool, route_to(server, ca_file), body_of(size))
        assert pool.stats().replayed == 0


def test_what_a_handler_raises_amid_sendfile_comes_out(error: Exception) -> None:
    """P1: and it is no reason to read the file instead."""
    over = threading.Event()
    pool = ConnectionPool()
    with (
        ScriptedServer(lambda peer: peer.wait(over)) as server,
        nothing_left(pool),
        tempfile.TemporaryFile() as file,
    ):
        file.truncate(1_000_000)
        fields = [(b"Host", b"a"), (b"Content-Length", b"1000000")]
        request = OutgoingRequest.make("PUT", "/", fields, StreamedBody(file, 0, 1_000_000))
        with struck(error, os, "sendfile"):
            send(pool, route_to(server, ""), request)
        over.set()


def test_what_a_handler_raises_amid_an_early_look_for_an_answer_comes_out(
    error: Exception, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """X2."""

    def refuses(peer: Peer) -> None:
        peer.read_head()
        if peer.try_send(respond(b"too large", status=413)):
            peer.wait(over)

    over = threading.Event()
    pool = ConnectionPool()
    with ScriptedServer(refuses, tls=tls, receive_buffer=4096) as server, nothing_left(pool):
        with struck(error, socket_class(tls), "recv"):
            send(pool, route_to(server, ca_file), body_of(50_000_000))
        over.set()


def test_what_a_handler_raises_amid_the_look_at_an_idle_connection_comes_out(
    error: Exception, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """R4: it says nothing of the connection."""

    def adds(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))
        peer.wait(idle)
        peer.send(b"more")
        sent.set()
        peer.stall()

    idle, sent = threading.Event(), threading.Event()
    pool = ConnectionPool()
    with ScriptedServer(adds, tls=tls) as server, nothing_left(pool):
        assert send(pool, route_to(server, ca_file)) == b"ok"
        idle.set()
        assert sent.wait(DEADLINE)
        (slot,) = pool._ledger._idle
        assert slot.connection is not None
        assert slot.connection._wire.news(DEADLINE * 1000)
        with struck(error, socket_class(tls), "recv"):
            send(pool, route_to(server, ca_file))


def test_what_a_handler_raises_amid_a_second_try_to_send_comes_out(error: Exception) -> None:
    """P1: the first one found no room, as the system says by the same error that a handler may raise."""
    calls = itertools.count(1)

    class FullAtFirst(socket.socket):
        def send(self, *given: Any) -> int:
            if next(calls) == 1:
                raise BlockingIOError
            signal.raise_signal(signal.SIGALRM)
            return super().send(*given)

    def ring(*_: object) -> None:
        raise error

    ours, theirs = socket.socketpair()
    with ours, theirs, FullAtFirst(fileno=ours.detach()) as sock:
        with handled_by(ring), pytest.raises(type(error)) as caught:
            PlainWire(sock).send(b"x", DEADLINE)
    assert caught.value is error


def test_what_a_handler_raises_amid_a_connect_is_no_failure_of_it(error: Exception) -> None:
    """T3: no other address is tried upon it."""
    pool = ConnectionPool()
    with ScriptedServer(ANSWERS) as server, nothing_left(pool), struck(error, socket.socket, "connect_ex"):
        send(pool, route_to(server, ""))


def test_what_a_handler_raises_amid_the_look_at_a_tunnel_is_no_fault_of_it(
    error: Exception, ca_file: str
) -> None:
    def opens(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.stall()

    pool = ConnectionPool()
    with ScriptedServer(opens) as server, nothing_left(pool), struck(error, DuplexStream, "recv"):
        proxy = Proxy("http", "127.0.0.1", server.port)
        send(pool, Route("https", "localhost", 443, TLSIdentity(ca=ca_file), proxy=proxy))


def test_what_a_handler_raises_amid_a_goodbye_comes_out_and_the_socket_is_closed(
    error: Exception, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    with ScriptedServer(ANSWERS, tls=tls_context) as server, no_socket_left():
        pool = ConnectionPool(Limits())
        assert send(pool, route_to(server, ca_file)) == b"ok"
        with struck(error, ssl.SSLSocket, "unwrap"):
            pool.close()


def test_what_a_handler_raises_between_two_records_comes_out(
    error: Exception, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """X5: it is not kept as what broke the connection."""
    pool = ConnectionPool()
    large = keep_alive(lambda _: respond(bytes(1_000_000)))
    with ScriptedServer(large, tls=tls_context) as server, nothing_left(pool):
        response = pool.send(route_to(server, ca_file), GET, LIMITS.start())
        with struck(error, ssl.SSLSocket, "recv", at=3):
            response.read()


@pytest.mark.parametrize("name", ["bind", "setsockopt"])
def test_what_a_handler_raises_while_a_socket_is_made_ready_comes_out(error: Exception, name: str) -> None:
    """It says nothing of the local address, and nothing of the option."""
    option = (socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    asked: list[tuple[Any, ...]] = []

    class Noted(socket.socket):
        def setsockopt(self, *given: Any) -> None:
            asked.append(given)
            super().setsockopt(*given)

    with Noted() as sock:
        configure(sock, socket.AF_INET, SocketSettings([option]), ("127.0.0.1", 0))
    pool = ConnectionPool(dialer=Dialer(settings=SocketSettings([option])))
    with ScriptedServer(ANSWERS) as server, nothing_left(pool):
        route = Route("http", "127.0.0.1", server.port, local_address=("127.0.0.1", 0))
        with struck(error, socket.socket, name, at=1 if name == "bind" else asked.index(option) + 1):
            send(pool, route)


def test_what_a_handler_raises_while_a_file_is_read_that_nobody_asked_for_comes_out(
    error: Exception,
) -> None:
    """R5."""
    file = io.BytesIO(b"rest")
    body = FileBody(file)
    with struck(error, body, "_read_coded"):
        body.read_rest()
    assert file.closed


def test_what_a_handler_raises_is_tolerated_nowhere(error: Exception) -> None:
    def tolerates() -> None:
        with tolerated(OSError, ValueError):
            signal.raise_signal(signal.SIGALRM)

    def ring(*_: object) -> None:
        raise error

    with handled_by(ring), pytest.raises(type(error)) as caught:
        tolerates()
    assert caught.value is error
    with tolerated(OSError, ValueError):
        raise OSError("the socket's")


def test_a_connection_upon_whose_socket_a_handler_strikes_is_closed(error: Exception) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
        with struck(error, socket.socket, "send"):
            connection.exchange(GET, LIMITS.start())
        assert connection.closed
