"""Which connections are used again, and which never: laws R1 to R6, over the wire."""

from __future__ import annotations

import gc
import os
import select
import socket
import ssl
import threading

import pytest

import pystickyhttp
from pystickyhttp import Limits, Session
from pystickyhttp.exceptions import IncompleteBody
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import ConnectionPool, HTTPConnection, OutgoingRequest, Route, TLSIdentity
from pystickyhttp.transport.route import Proxy
from tests.patience import wait_for_news
from tests.servers.scripted import Peer, ScriptedServer, chunk, keep_alive, respond
from tests.servers.sockets import no_socket_left
from tests.servers.wire import LAST_CHUNK, Request

OK = respond(b"ok")


def ok(_: Request) -> bytes:
    return OK


def connections_of(server: ScriptedServer) -> list[int]:
    """On which connection each request came."""
    return [request.connection for request in server.requests]


@pytest.fixture
def session(ca_file: str) -> pystickyhttp.Session:
    session = Session()
    session.verify = ca_file
    return session


# --- R1


def test_routes_that_differ_in_anything_never_share_a_connection() -> None:
    """R1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    identities = [
        None,
        TLSIdentity(),
        TLSIdentity(verify=False),
        TLSIdentity(ca="/a.pem"),
        TLSIdentity(cert="/c.pem"),
        TLSIdentity(cert="/c.pem", key="/k.pem"),
        TLSIdentity(cert="/c.pem", key="/k.pem", password="x"),
        TLSIdentity(context=context),
        TLSIdentity(context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
        TLSIdentity(server_hostname="other.example"),
    ]
    routes = [Route("https", "a.example", 443, identity) for identity in identities]
    routes += [
        Route("http", "a.example", 443),
        Route("https", "b.example", 443),
        Route("https", "a.example", 8443),
        Route("https", "a.example", 443, TLSIdentity(), unix_socket="/run/a"),
        Route("https", "a.example", 443, TLSIdentity(), local_address=("127.0.0.1", 0)),
        Route("https", "a.example", 443, TLSIdentity(), proxy=Proxy("http", "p", 8080)),
        Route("https", "a.example", 443, TLSIdentity(), proxy=Proxy("http", "p", 8080, b"Basic eDp5")),
    ]
    assert len(set(routes)) == len(routes)


def test_equal_routes_are_one_key_and_show_no_secret() -> None:
    one, other = (Route("https", "a", 443, TLSIdentity(cert="c", password="geheim")) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert "geheim" not in f"{one!r} {one}"


def test_hosts_that_differ_never_share(session: Session) -> None:
    """R1."""
    with ScriptedServer(keep_alive(ok)) as server, session:
        for host in ("127.0.0.1", "localhost", "127.0.0.1", "localhost"):
            assert session.get(server.url("/", host=host)).text == "ok"
        assert connections_of(server) == [0, 1, 0, 1]


def test_a_verified_connection_is_not_used_for_a_request_without_verification_nor_the_other_way_round(
    tls_context: ssl.SSLContext, session: Session
) -> None:
    """R1."""
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server, session:
        for verify in (None, False, None, False):
            session.get(server.url(), verify=verify)
        assert connections_of(server) == [0, 1, 0, 1]


# --- R3


def test_requests_in_turn_share_one_connection(tls: ssl.SSLContext | None, session: Session) -> None:
    with ScriptedServer(keep_alive(ok), tls=tls) as server, session:
        for _ in range(5):
            session.get(server.url())
            session.post(server.url(), data=b"x" * 100)
        assert server.accepted == 1


@pytest.mark.parametrize(
    "answer",
    [
        respond(b"ok", headers={"Connection": "close"}),
        respond(b"ok", headers={"Connection": "Close, X-Other"}),
        respond(b"ok", version="HTTP/1.0"),
        respond(b"ok", headers={"Keep-Alive": "timeout=1"}),
        respond(b"ok", headers={"Keep-Alive": "timeout=0, max=100"}),
        respond(b"ok", headers={"Keep-Alive": "max=0"}),
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        OK + b"\r\n",
    ],
    ids=[
        "close",
        "Close among others",
        "1.0",
        "timeout=1",
        "timeout=0",
        "max=0",
        "planted response",
        "stray CRLF",
    ],
)
def test_a_connection_is_not_pooled_after(answer: bytes, session: Session) -> None:
    """R3."""

    def once(peer: Peer) -> None:
        peer.expect_request()
        peer.send(answer)
        assert peer.read_request() is None, "it was used again"

    with ScriptedServer(once) as server, session, no_socket_left():
        for _ in range(3):
            assert session.get(server.url()).text == "ok"
        session.close()
        server.wait_for_scripts()
        assert connections_of(server) == [0, 1, 2]


def test_a_connection_is_not_pooled_after_the_request_asked_to_close(session: Session) -> None:
    """R3."""
    with ScriptedServer(keep_alive(ok)) as server, session:
        for _ in range(2):
            session.get(server.url(), headers={"Connection": "close"})
        assert server.accepted == 2


def test_a_body_that_runs_to_the_end_of_the_connection_ends_it(session: Session) -> None:
    """R3."""

    def until_close(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    with ScriptedServer(until_close) as server, session:
        for _ in range(2):
            assert session.get(server.url()).text == "all of it"
        assert server.accepted == 2


def test_keep_alive_max_is_counted_down_where_the_server_repeats_the_same_number(session: Session) -> None:
    """R3."""

    def says_three(_: Request) -> bytes:
        return respond(b"ok", headers={"Keep-Alive": "timeout=100, max=3"})

    with ScriptedServer(keep_alive(says_three)) as server, session:
        for _ in range(8):
            session.get(server.url())
        assert connections_of(server) == [0, 0, 0, 0, 1, 1, 1, 1]


def test_responses_without_a_body_give_the_connection_back_unread(session: Session) -> None:
    """X5, R3: 100 requests, one connection, nobody ever asks for the body."""
    answers = {
        "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
        "/304": b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        "/empty": respond(b""),
        "/head": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    }
    with ScriptedServer(keep_alive(lambda request: answers[request.target])) as server, session:
        for _ in range(25):
            for path in answers:
                method = "HEAD" if path == "/head" else "GET"
                session.request(method, server.url(path), stream=True)
        assert server.accepted == 1


# --- R4


def idle_then(ending: str, idle: threading.Event) -> ScriptedServer:
    """A server whose first connection ends or speaks up while it is idle, after one answer."""

    def first(peer: Peer) -> None:
        peer.expect_request()
        peer.send(OK)
        peer.wait(idle)
        if ending == "fin":
            peer.fin()
        elif ending == "cut":
            peer.cut()
        elif ending == "rst":
            peer.rst()
        else:
            peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            assert peer.read_request() is None

    return ScriptedServer([first, keep_alive(ok)])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("ending", ["fin", "cut", "rst", "408"])
def test_a_connection_that_ended_or_spoke_while_idle_is_discarded_quietly(
    ending: str, method: str, session: Session
) -> None:
    """R4: whatever the method, as nothing was sent on it."""
    idle = threading.Event()
    with idle_then(ending, idle) as server, session, no_socket_left():
        session.get(server.url())
        idle.set()
        wait_for_news(session)
        assert session.request(method, server.url(), data=b"x" if method == "POST" else None).text == "ok"
        assert connections_of(server) == [0, 1]
        session.close()
        server.wait_for_scripts()


def idle_connections(session: Session) -> list[HTTPConnection]:
    pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
    return [slot.connection for slot in pool._ledger._idle]


@pytest.mark.parametrize("ending", ["fin", "cut", "rst"])
def test_a_tls_connection_that_ended_while_idle_is_discarded_quietly(
    ending: str, tls_context: ssl.SSLContext, session: Session
) -> None:
    """R4."""

    def first(peer: Peer) -> None:
        peer.expect_request()
        peer.send(OK)
        {"fin": peer.fin, "cut": peer.cut, "rst": peer.rst}[ending]()

    with ScriptedServer([first, keep_alive(ok)], tls=tls_context) as server, session:
        session.get(server.url())
        wait_for_news(session)
        assert session.post(server.url(), data=b"x").text == "ok"
        assert connections_of(server) == [0, 1]


def test_tls_session_tickets_that_come_while_idle_are_no_sign_of_death(
    tls_context: ssl.SSLContext, session: Session
) -> None:
    """R4: the server sends its tickets at the end of the handshake, and nobody reads then."""
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server, session:
        session.get(server.url())
        (connection,) = idle_connections(session)
        assert isinstance(connection._socket, ssl.SSLSocket)
        assert connection._socket.version() == "TLSv1.3"
        for _ in range(5):
            assert connection.is_quiet()
            session.get(server.url())
        assert server.accepted == 1


def test_tickets_that_lie_unread_are_told_apart_from_death(tls_context: ssl.SSLContext, ca_file: str) -> None:
    """R4: a fresh TLS 1.3 connection on which only the tickets have come is alive."""
    stay = threading.Event()
    with ScriptedServer(lambda peer: peer.wait(stay), tls=tls_context) as server:
        client = ssl.create_default_context(cafile=ca_file)
        raw = socket.create_connection(server.address)
        sock = client.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
        connection = HTTPConnection(sock, Route("https", "localhost", server.port, TLSIdentity()), 0.0)
        assert select.select([sock], [], [], 10)[0], "the tickets have come"
        assert connection.is_quiet()
        stay.set()
        server.wait_for_scripts()
        assert select.select([sock], [], [], 10)[0]
        assert not connection.is_quiet()
        connection.close()


def test_a_connection_idle_for_longer_than_the_limit_is_expired() -> None:
    """R4, with the clock passed in."""
    ours, theirs = socket.socketpair()
    with theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), now=100.0)
        assert not connection.why_expired(159.9, idle_timeout=60.0, max_age=None)
        assert connection.why_expired(160.0, idle_timeout=60.0, max_age=None)
        assert not connection.why_expired(1e9, idle_timeout=None, max_age=None)
        assert connection.why_expired(130.0, idle_timeout=None, max_age=30.0)
        connection.close()


def test_the_servers_keep_alive_timeout_counts_with_a_second_to_spare() -> None:
    """R3: idle limit = min(own limit, N - 1 s)."""
    ours, theirs = socket.socketpair()
    with theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), now=0.0)
        request = OutgoingRequest.make("GET", "/", [(b"Host", b"a")])
        theirs.sendall(respond(b"", headers={"Keep-Alive": "timeout=5, max=100"}))
        connection.exchange(request, Timeout().start())
        assert connection.why_not_pooled() is None
        connection.become_idle(now=100.0)
        assert not connection.why_expired(103.9, idle_timeout=60.0, max_age=None)
        assert connection.why_expired(104.0, idle_timeout=60.0, max_age=None)
        assert connection.why_expired(102.0, idle_timeout=2.0, max_age=None)
        connection.close()


@pytest.mark.parametrize(
    "limits", [Limits(idle_timeout=0), Limits(max_age=0)], ids=["idle_timeout", "max_age"]
)
def test_the_limits_of_time_are_checked_at_reuse(limits: Limits) -> None:
    """R4."""
    with ScriptedServer(keep_alive(ok)) as server, Session(limits=limits) as session:
        for _ in range(3):
            session.get(server.url())
        assert server.accepted == 3


def test_a_server_that_promises_keep_alive_and_closes_costs_no_error_and_no_socket(session: Session) -> None:
    """R4: 100 times."""

    def liar(peer: Peer) -> None:
        peer.expect_request()
        peer.send(OK)

    with ScriptedServer(liar) as server, session, no_socket_left():
        for number in range(100):
            assert session.get(server.url()).text == "ok"
            server.wait_for_connections(number + 1)
        session.close()


# --- R5


def test_a_body_whose_rest_is_there_is_drained_and_its_connection_used_again(session: Session) -> None:
    """R5."""
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 10_000))) as server, session:
        for _ in range(3):
            session.get(server.url(), stream=True).close()
        assert server.accepted == 1


def test_a_partial_read_of_a_large_body_closes_the_connection(session: Session) -> None:
    """R5: more than 64 KiB are left."""

    def large(peer: Peer) -> None:
        while peer.read_request() is not None:
            if not peer.try_send(respond(b"x" * 5_000_000)):
                return

    with ScriptedServer(large) as server, session, no_socket_left():
        for _ in range(2):
            with session.get(server.url(), stream=True) as response:
                assert len(next(response.iter_content(1000))) == 1000
        assert connections_of(server) == [0, 1]
        session.close()


def test_a_chunked_body_that_has_no_end_is_not_drained_for_ever(session: Session) -> None:
    """R5: neither its length nor its time is known."""

    def endless(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x"))
        while peer.try_send(chunk(b"x" * 10_000)):
            pass

    def silent(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x"))
        assert peer.read_until_eof() == b""

    for script in (endless, silent):
        with ScriptedServer(script) as server, session, no_socket_left():
            session.get(server.url(), stream=True).close()
            server.wait_for_open(0)


def test_a_drained_body_is_not_decoded(session: Session) -> None:
    """R5: what is thrown away may as well be broken."""
    broken = respond(b"this is no gzip", headers={"Content-Encoding": "gzip"})
    with ScriptedServer(keep_alive(lambda _: broken)) as server, session:
        for _ in range(2):
            session.get(server.url(), stream=True).close()
        assert server.accepted == 1


# --- R6


def test_a_response_that_is_collected_unread_frees_its_slot_and_warns() -> None:
    """R6."""
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 1_000_000))) as server, Session() as session:
        session.max_connections = 1
        with pytest.warns(ResourceWarning, match=f"127.0.0.1:{server.port} was forgotten"):
            session.get(server.url(), stream=True)
        with session.get(server.url(), stream=True, timeout=Timeout(pool=5)) as response:
            assert response.ok


def test_an_abandoned_response_lets_in_who_waits() -> None:
    """R6, L2: the collector runs in one thread, the waiter is another."""
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 1_000_000))) as server, Session() as session:
        session.max_connections = 1
        held = [session.get(server.url(), stream=True)]
        outcome: list[int] = []
        waiter = threading.Thread(target=lambda: outcome.append(session.get(server.url()).status_code))
        waiter.start()
        wait_for_waiters(session, 1)
        with pytest.warns(ResourceWarning):
            held.clear()
        waiter.join(10)
        assert outcome == [200]


def wait_for_waiters(session: Session, count: int) -> None:
    pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
    deadline = Timeout(total=10).start()
    while pool._ledger.waiting != count:
        assert not deadline.passed(), "nobody came to wait"
        threading.Event().wait(0.001)


def test_the_collector_may_run_while_the_pool_is_locked() -> None:
    """R6: a collection can strike amid an operation that holds the lock: no hang, and no slot lost."""
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 1_000_000))) as server:
        pool = ConnectionPool()
        route = Route("http", "127.0.0.1", server.port)
        request = OutgoingRequest.make("GET", "/", [(b"Host", b"a")])
        response = pool.send(route, request, Timeout().start())
        with pool._lock:
            with pytest.warns(ResourceWarning):
                del response
            assert pool._ledger.open == 1, "nobody could have the lock"
        pool.close()
        assert pool._ledger.open == 0


# --- what is left over


@pytest.mark.parametrize("secure", [False, True])
def test_a_program_that_closed_every_descriptor_goes_on_over_a_new_connection(
    secure: bool, session: Session, tls_context: ssl.SSLContext
) -> None:
    """R4: as one does that detaches itself from its terminal."""
    with ScriptedServer(keep_alive(ok), tls=tls_context if secure else None) as server:
        for _ in range(2):
            session.get(server.url())
            pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
            (slot,) = pool._ledger._idle
            os.close(slot.connection._socket.fileno())
        assert session.get(server.url()).ok
        assert server.accepted == 3
        (slot,) = pool._ledger._idle
        os.close(slot.connection._socket.fileno())
        session.close()


def test_closing_a_session_while_a_response_is_open_spares_the_response(session: Session) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 1_000_000))) as server, no_socket_left():
        response = session.get(server.url(), stream=True)
        session.close()
        assert len(response.content) == 1_000_000
        server.wait_for_open(0)


def test_a_session_that_was_closed_can_be_used_again(session: Session) -> None:
    with ScriptedServer(keep_alive(ok)) as server, no_socket_left():
        for _ in range(2):
            session.get(server.url())
            session.close()
        assert server.accepted == 2


def test_a_session_that_is_dropped_closes_its_connections_without_a_warning() -> None:
    with ScriptedServer(keep_alive(ok)) as server, no_socket_left():
        session = Session()
        session.get(server.url())
        del session
        gc.collect()
        server.wait_for_open(0)


def test_tls_connections_are_closed_with_close_notify(tls_context: ssl.SSLContext, session: Session) -> None:
    """RFC 8446, section 6.1."""
    goodbye: list[bool] = []

    def until_the_end(peer: Peer) -> None:
        peer.expect_request()
        peer.send(OK)
        assert peer.read_until_eof() == b""
        goodbye.append(peer.tls.pending() == 0 and not peer.was_reset)

    with ScriptedServer(until_the_end, tls=tls_context) as server:
        session.get(server.url())
        session.close()
        server.wait_for_scripts()
    assert goodbye == [True]


def test_an_idle_connection_nobody_uses_is_closed_when_another_one_is_dialled() -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session(limits=Limits(idle_timeout=0)) as session:
        session.get(server.url("/", host="127.0.0.1"))
        session.get(server.url("/", host="localhost"))
        server.wait_for_open(1)


# --- X5


@pytest.mark.parametrize("ending", ["fin", "rst"])
@pytest.mark.parametrize(
    ("start", "received", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40, 40, 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 30), 30, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 20, 20, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x") + LAST_CHUNK[:-2], 1, None),
    ],
    ids=["length", "after a chunk", "amid a chunk", "amid the end"],
)
def test_a_body_shorter_than_its_framing_says_is_an_error_with_the_counts_in_it(
    start: bytes, received: int, expected: int | None, ending: str, session: Session
) -> None:
    """X5."""
    seen = threading.Event()

    def cut_short(peer: Peer) -> None:
        peer.expect_request()
        peer.send(start)
        peer.wait(seen)
        peer.fin() if ending == "fin" else peer.rst()

    with ScriptedServer(cut_short) as server, session, no_socket_left():
        response = session.get(server.url(), stream=True)
        pieces = response.iter_content(None)
        got = b""
        while len(got) < received:
            got += next(pieces)
        seen.set()
        with pytest.raises(IncompleteBody) as caught:
            list(pieces)
        assert (caught.value.received, caught.value.expected) == (received, expected)
        assert str(received) in str(caught.value)
        assert caught.value.response is response
        assert caught.value.request is response.request


def test_a_tls_body_without_length_that_ends_without_close_notify_is_cut_short(
    tls_context: ssl.SSLContext, session: Session
) -> None:
    """X5; RFC 9112, section 9.8: somebody in between could have cut it."""
    endings = iter(["fin", "cut"])

    def until_close(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        peer.fin() if next(endings) == "fin" else peer.cut()

    with ScriptedServer(until_close, tls=tls_context) as server, session:
        assert session.get(server.url()).text == "all of it"
        with pytest.raises(IncompleteBody, match="close_notify"):
            session.get(server.url())
