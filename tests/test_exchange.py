"""One exchange on one connection: laws X1, X4, X5, X6 and X7 at the level of the transport."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from pystickyhttp import Session
from pystickyhttp.exceptions import ConnectionLost, InvalidBody, InvalidHeader, RemoteProtocolError
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import (
    ConnectionPool,
    Dialer,
    HTTPConnection,
    OutgoingRequest,
    Route,
)
from pystickyhttp.transport.connection import MAX_HEAD, MAX_INFORMATIONAL
from tests.servers.scripted import ClientGone, Peer, ScriptedServer, chunk, keep_alive, respond
from tests.servers.sockets import no_socket_left
from tests.servers.wire import LAST_CHUNK, Request

OK = respond(b"ok")
HOST = (b"Host", b"a")


def answered_by(answer: bytes) -> ScriptedServer:
    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            if not peer.try_send(answer):
                return

    return ScriptedServer(script)


# --- X1


@pytest.mark.parametrize("body", [b"", b"small", b"x" * 16_384], ids=["none", "small", "16 KiB"])
def test_head_and_small_body_leave_in_one_write(body: bytes) -> None:
    """X1: a datagram of its own for each write shows how many there were."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
        fields = [HOST, (b"Content-Length", b"%d" % len(body))]
        theirs.sendall(OK)
        connection.exchange(OutgoingRequest.make("POST", "/", fields, body), Timeout().start())
        assert theirs.recv(1 << 20).endswith(b"\r\n\r\n" + body)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def exchanged(connection: HTTPConnection, request: OutgoingRequest, peer: socket.socket) -> bytes:
    """Send a request to a peer that answers at once: what the peer was sent."""
    peer.sendall(OK)
    deadline = Timeout().start()
    connection.exchange(request, deadline)
    assert connection.read_piece(deadline) == b"ok"
    assert connection.why_not_pooled() is None
    connection.become_idle(0.0)
    connection.become_active()
    return peer.recv(1 << 20)


def test_a_request_has_the_same_bytes_each_time() -> None:
    """X1: also where another one went in between, and the bytes of the last one are not made anew."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
        a, b = (OutgoingRequest.make("GET", target, [HOST, (b"X-Of", b"it")]) for target in ("/a", "/b"))
        seen = [exchanged(connection, request, theirs) for request in (a, a, b, a, b, b)]
        of_a, of_b = (b"GET %b HTTP/1.1\r\nHost: a\r\nX-Of: it\r\n\r\n" % target for target in (b"/a", b"/b"))
        assert seen == [of_a, of_a, of_b, of_a, of_b, of_b]
        assert connection.served == 6


def test_a_request_that_is_a_head_alone_alternates_with_all_others() -> None:
    """X6: a body that is empty has its framing, and its end has bytes where it is chunked."""
    ours, theirs = socket.socketpair()
    chunked, sized = (b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"0")
    with ours, theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
        alone, empty, none, small = (
            OutgoingRequest.make("POST", "/", [HOST, *fields], body)
            for fields, body in [([], b""), ([chunked], b""), ([sized], b""), ([chunked], b"x")]
        )
        ends = {alone: b"a\r\n\r\n", empty: b"chunked\r\n\r\n0\r\n\r\n", none: b": 0\r\n\r\n"}
        ends[small] = b"chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        for request in (alone, empty, alone, alone, none, none, small, alone, small, empty, empty, alone):
            sent = exchanged(connection, request, theirs)
            assert sent.endswith(ends[request]), sent
            assert sent.count(b"POST") == 1


@pytest.mark.parametrize("times", [0, 2], ids=["the first time", "when it was sent before"])
def test_an_answer_that_came_ahead_of_a_request_that_could_not_be_sent_is_read(times: int) -> None:
    """X2: and the connection is not used again."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
        request = OutgoingRequest.make("GET", "/", [HOST])
        for _ in range(times):
            exchanged(connection, request, theirs)
        theirs.sendall(respond(b"go away", status=503))
        theirs.close()
        deadline = Timeout().start()
        head = connection.exchange(request, deadline)
        assert (head.status_code, connection.read_piece(deadline)) == (503, b"go away")
        assert connection.sent == 0
        assert connection.why_not_pooled() is not None
        connection.close()


@pytest.mark.parametrize("times", [0, 2], ids=["the first time", "when it was sent before"])
def test_a_request_that_could_not_be_sent_says_that_nothing_of_it_was(times: int) -> None:
    """P1: so it can be replayed whatever it is."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
        request = OutgoingRequest.make("POST", "/", [HOST])
        for _ in range(times):
            exchanged(connection, request, theirs)
        theirs.close()
        with pytest.raises(ConnectionLost) as lost:
            connection.exchange(request, Timeout().start())
        assert (lost.value.sent, lost.value.received) == (0, 0)
        assert connection.closed


@pytest.mark.parametrize("length", [b"5", b"1"])
def test_a_length_without_a_body_is_refused_before_a_byte_is_sent(length: bytes) -> None:
    """X5, X6."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
        request = OutgoingRequest.make("GET", "/", [HOST, (b"Content-Length", length)])
        with pytest.raises(InvalidBody):
            connection.exchange(request, Timeout().start())
        assert theirs.recv(1) == b""


def test_sockets_have_nodelay_and_keepalive() -> None:
    """X1."""
    with ScriptedServer(lambda peer: peer.stall()) as server:
        sock = Dialer().dial(Route("http", "127.0.0.1", server.port), Timeout().start())
        assert isinstance(sock, socket.socket)
        with sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_large_body_arrives_whole_at_a_server_that_reads_slowly() -> None:
    body = bytes(range(256)) * 8192
    with (
        ScriptedServer(keep_alive(lambda r: respond(r.body)), receive_buffer=4096) as server,
        Session() as session,
    ):
        assert session.post(server.url(), data=body).content == body
        assert session.post(server.url(), data=iter([body[:100], b"", body[100:]])).content == body
        assert server.accepted == 1


# --- reading


@pytest.mark.parametrize(
    "answer",
    [
        respond(b"abcdef"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"abc") + chunk(b"def") + LAST_CHUNK,
        b"HTTP/1.0 200 OK\r\n\r\nabcdef",
    ],
    ids=["a length", "chunks", "until the end"],
)
@pytest.mark.parametrize("ahead", [0, 1], ids=["from the start", "behind the first piece"])
def test_read_gives_the_rest_of_a_body_and_the_connection_back(answer: bytes, ahead: int) -> None:
    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.drip(answer)  # so that a body with a length comes in pieces as well
        peer.fin()

    with ScriptedServer(script) as server, no_socket_left():
        pool = ConnectionPool()
        route = Route("http", "127.0.0.1", server.port)
        response = pool.send(route, OutgoingRequest.make("GET", "/", [HOST]), Timeout().start())
        first = b"".join(response.read_piece() for _ in range(ahead))
        assert first + response.read() == b"abcdef"
        assert response.closed
        assert response.read() == b""
        pool.close()


# --- X4


def test_interim_responses_are_skipped() -> None:
    """X4."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * MAX_INFORMATIONAL
    with answered_by(interim + OK) as server, Session() as session:
        for _ in range(2):
            response = session.get(server.url())
            assert (response.status_code, response.text) == (200, "ok")
            assert "Link" not in response.headers
        assert server.accepted == 1


def test_a_flood_of_interim_responses_is_an_error() -> None:
    """X4: at most 20."""
    interim = b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INFORMATIONAL + 1)
    with answered_by(interim + OK) as server, Session() as session, no_socket_left():
        with pytest.raises(RemoteProtocolError, match="more than 20 interim"):
            session.get(server.url())


def test_an_upgrade_hands_over_the_socket_with_what_came_behind_the_response() -> None:
    """X4."""

    def upgrades(peer: Peer) -> None:
        assert peer.expect_request().header("Upgrade") == "echo"
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello")
        assert peer.read_some() == b"and you"
        peer.send(b"bye")

    with ScriptedServer(upgrades) as server, no_socket_left():
        pool = ConnectionPool()
        route = Route("http", "127.0.0.1", server.port)
        request = OutgoingRequest.make("GET", "/", [HOST, (b"Connection", b"upgrade"), (b"Upgrade", b"echo")])
        response = pool.send(route, request, Timeout().start())
        assert response.status == 101
        with response.detach() as stream:
            assert stream.recv(2) + stream.recv(100) == b"hello"
            stream.settimeout(10)
            stream.sendall(b"and you")
            assert stream.recv(100) == b"bye"
            assert stream.recv(100) == b""
        assert pool._ledger.open == 0
        with pytest.raises(ValueError, match="ended"):
            response.detach()


@pytest.mark.parametrize("field", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_2xx_to_connect_hands_over_the_socket_whatever_its_fields_say(field: bytes) -> None:
    """X4; RFC 9110, section 9.3.6: it has no body, and what follows is the tunnel."""

    def proxies(peer: Peer) -> None:
        assert peer.expect_request().target == "far.example:443"
        peer.send(b"HTTP/1.1 200 Connected\r\n" + field + b"\r\ntunnel")
        assert peer.read_some() == b"ping"
        peer.send(b"pong")

    with ScriptedServer(proxies) as server, no_socket_left():
        pool = ConnectionPool()
        request = OutgoingRequest.make("CONNECT", "far.example:443", [(b"Host", b"far.example:443")])
        response = pool.send(Route("http", "127.0.0.1", server.port), request, Timeout().start())
        assert response.status == 200
        with response.detach() as stream:
            assert stream.recv(100) == b"tunnel"
            stream.sendall(b"ping")
            assert stream.recv(100) == b"pong"
            assert stream.fileno() > 0
        assert pool._ledger.open == 0


def test_a_refusal_of_connect_is_a_response_like_any_other() -> None:
    """X4."""
    with answered_by(respond(b"no", status=403)) as server, no_socket_left():
        pool = ConnectionPool()
        request = OutgoingRequest.make("CONNECT", "far.example:443", [(b"Host", b"far.example:443")])
        response = pool.send(Route("http", "127.0.0.1", server.port), request, Timeout().start())
        with pytest.raises(ValueError, match="not switched"):
            response.detach()
        assert response.read() == b"no"
        pool.close()


def test_an_upgrade_is_taken_over_from_a_streamed_response() -> None:
    """X4, as a user of a Session gets at it."""

    def upgrades(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello")
        assert peer.read_some() == b"bye"

    with ScriptedServer(upgrades) as server, Session() as session, no_socket_left():
        headers = {"Connection": "upgrade", "Upgrade": "echo"}
        response = session.get(server.url(), headers=headers, stream=True)
        with response.raw.detach() as stream:
            assert stream.recv(100) == b"hello"
            stream.sendall(b"bye")


def test_an_upgrade_that_nobody_takes_over_is_closed() -> None:
    """X4: its connection speaks another protocol now, and is of no use to the pool."""

    def upgrades(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        assert peer.read_until_eof() == b""

    with ScriptedServer(upgrades) as server, Session() as session, no_socket_left():
        response = session.get(server.url(), headers={"Connection": "upgrade", "Upgrade": "echo"})
        assert response.status_code == 101
        assert response.content == b""


def test_an_upgrade_that_nobody_asked_for_is_no_answer() -> None:
    with (
        answered_by(b"HTTP/1.1 101 Switching Protocols\r\n\r\n") as server,
        Session() as session,
        no_socket_left(),
    ):
        with pytest.raises(RemoteProtocolError):
            session.get(server.url())


@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
@pytest.mark.parametrize("version", [b"2.0", b"3.1", b"0.9"])
def test_an_answer_by_another_major_version_is_none_however_it_is_split(
    version: bytes, interim: bytes
) -> None:
    """RFC 9110, section 2.5: nobody knows what its fields mean, or where its body ends."""

    def drips(peer: Peer) -> None:
        peer.expect_request()
        with contextlib.suppress(ClientGone):
            peer.drip(interim + b"HTTP/%b 200 OK\r\nContent-Length: 2\r\n\r\n" % version, size=6)

    with ScriptedServer(drips) as server, Session() as session, no_socket_left():
        with pytest.raises(RemoteProtocolError, match=f"it answers by HTTP/{version.decode()}"):
            session.get(server.url())


def test_an_answer_by_a_later_minor_version_is_one() -> None:
    """RFC 9110, section 2.5."""
    with answered_by(b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok") as server, Session() as session:
        for _ in range(2):
            assert session.get(server.url()).content == b"ok"
        assert server.accepted == 1


# --- X5


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_there_is_no_body_after_204_and_304_whatever_the_fields_say(status: int, field: bytes) -> None:
    """X5."""
    with answered_by(b"HTTP/1.1 %d X\r\n%b\r\n\r\n" % (status, field)) as server, Session() as session:
        for _ in range(2):
            assert session.get(server.url()).content == b""
        assert server.accepted == 1


def test_there_is_no_body_after_head_whatever_the_fields_say() -> None:
    """X5."""
    with answered_by(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") as server, Session() as session:
        for _ in range(2):
            response = session.head(server.url())
            assert response.content == b""
            assert response.headers["Content-Length"] == "5"
        assert server.accepted == 1


@pytest.mark.parametrize("length", [0, 3, 1000])
@pytest.mark.parametrize("cuts", [False, True], ids=["at once", "in two"])
def test_chunks_count_where_a_length_is_said_too_and_the_connection_ends(length: int, cuts: bool) -> None:
    """X5; RFC 9112, section 6.3: somebody may be smuggling a response."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % length
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.drip(head + body, size=len(head) if cuts else 10_000, every=0.01)
        assert peer.read_request() is None

    with ScriptedServer(script) as server, Session() as session, no_socket_left():
        for _ in range(2):
            assert session.get(server.url()).content == b"hello world"
        server.wait_for_scripts()
        assert server.accepted == 2


def padded_head(size: int) -> bytes:
    """A head whose fields make up `size` bytes, as the limit counts them."""
    length = (b"Content-Length", b"0")
    left = size - sum(len(part) for part in length) - 4 - len(b"Padding") - 4
    return b"HTTP/1.1 200 OK\r\n%b: %b\r\nPadding: %b\r\n\r\n" % (*length, b"x" * left)


def test_a_response_head_within_128_kib_is_read() -> None:
    """X5: less its status line and its end, which count too until the head is complete."""
    with answered_by(padded_head(MAX_HEAD - 100)) as server, Session() as session:
        assert session.get(server.url()).ok


def test_the_reason_phrase_is_a_part_of_the_head_that_is_bounded() -> None:
    """X5: also where the read that completes a head brings more than is allowed."""
    head = b"HTTP/1.1 200 " + b"a" * (MAX_HEAD + 1000) + b"\r\nContent-Length: 0\r\n\r\n"
    with answered_by(head) as server, Session() as session, pytest.raises(RemoteProtocolError):
        session.get(server.url())


@pytest.mark.parametrize("size", [MAX_HEAD + 1, MAX_HEAD + 30_000, 10 * MAX_HEAD])
def test_a_response_head_above_128_kib_is_an_error(size: int) -> None:
    """X5."""
    with answered_by(padded_head(size)) as server, Session() as session, no_socket_left():
        with pytest.raises(RemoteProtocolError):
            session.get(server.url())


def test_a_head_without_end_is_an_error_and_not_read_for_ever() -> None:
    """X5."""

    def endless(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\n")
        while peer.try_send(b"X: " + b"y" * 1000 + b"\r\n"):
            pass

    with ScriptedServer(endless) as server, Session() as session, no_socket_left():
        with pytest.raises(RemoteProtocolError):
            session.get(server.url())


def test_trailers_are_held_to_the_bound_of_a_head() -> None:
    """X5."""
    trailers = b"X: " + b"y" * (MAX_HEAD + 10) + b"\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + trailers + b"\r\n"
    with answered_by(answer) as server, Session() as session, no_socket_left():
        with pytest.raises((RemoteProtocolError, OSError), match=r"limit|too long|broken"):
            session.get(server.url())


def test_trailers_of_a_decent_size_end_a_body_and_the_connection_is_used_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"
    with answered_by(answer) as server, Session() as session:
        for _ in range(2):
            assert session.get(server.url()).text == "ok"
        assert server.accepted == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 99 Odd\r\n\r\n",
    ],
    ids=["ssh", "tls alert", "two lengths", "negative length", "space in name", "NUL in value", "status 99"],
)
def test_what_is_not_http_is_an_error_that_says_so(garbage: bytes) -> None:
    with answered_by(garbage) as server, Session() as session, no_socket_left():
        with pytest.raises(RemoteProtocolError, match=f"127.0.0.1:{server.port} sent what is not HTTP/1.1"):
            session.get(server.url(), timeout=5)


def test_a_server_that_closes_without_an_answer_is_an_error_that_says_how_far_it_got() -> None:
    def mute(peer: Peer) -> None:
        peer.expect_request()

    with ScriptedServer(mute) as server, Session() as session, no_socket_left():
        with pytest.raises(ConnectionLost, match="closed it without a whole answer") as caught:
            session.get(server.url())
        assert caught.value.sent == len(server.requests[0].raw)
        assert caught.value.received == 0


def test_a_response_cut_into_single_bytes_is_read_as_one() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n0\r\n\r\n"
    )

    def drips(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.drip(answer)

    with ScriptedServer(drips) as server, Session() as session:
        for _ in range(2):
            response = session.get(server.url())
            assert (response.content, response.headers["X-A"]) == (b"abcde", "b")
        assert server.accepted == 1


# --- X6, X7


def test_two_framing_fields_are_refused() -> None:
    """X6; RFC 9112, section 6.2."""
    with pytest.raises(InvalidHeader, match="remove one"):
        OutgoingRequest.make(
            "POST", "/", [HOST, (b"Content-Length", b"1"), (b"transfer-encoding", b"chunked")]
        )


@pytest.mark.parametrize("pieces", [[b"abc"], [b"abcde", b"f"], []], ids=["short", "long", "empty"])
def test_a_body_whose_length_is_not_what_was_said_is_an_error_and_its_connection_is_closed(
    pieces: list[bytes],
) -> None:
    """X6."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.read_until_eof()

    def body() -> Iterator[bytes]:
        yield from pieces

    with ScriptedServer(script) as server, Session() as session, no_socket_left():
        with pytest.raises(InvalidBody, match="length"):
            session.post(server.url(), data=body(), headers={"Content-Length": "5"}, timeout=5)
        server.wait_for_open(0)


def test_what_the_body_raises_reaches_the_caller_and_the_connection_is_closed() -> None:
    """L3."""

    class Own(Exception):
        pass

    def body() -> Iterator[bytes]:
        yield b"some"
        raise Own

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.read_until_eof()

    with ScriptedServer(script) as server, Session() as session, no_socket_left():
        with pytest.raises(Own):
            session.post(server.url(), data=body())
        server.wait_for_open(0)


@pytest.mark.parametrize(
    "request_line",
    [("GE T", "/"), ("GET", "/a b"), ("GET", "/\r\nX: y"), ("GET\r\n", "/"), ("GET", "/\0")],
)
def test_the_transport_alone_refuses_a_request_line_that_would_be_read_as_something_else(
    request_line: tuple[str, str],
) -> None:
    """X7."""
    with pytest.raises(InvalidHeader):
        OutgoingRequest.make(*request_line, [HOST])


def test_the_transport_can_be_used_alone() -> None:
    """As its docstring says."""
    seen: list[Request] = []

    def handler(request: Request) -> bytes:
        seen.append(request)
        return OK

    with ScriptedServer(keep_alive(handler)) as server, no_socket_left():
        pool = ConnectionPool()
        route = Route("http", "127.0.0.1", server.port)
        for _ in range(2):
            response = pool.send(route, OutgoingRequest.make("GET", "/x", [HOST]), Timeout().start())
            assert response.read() == b"ok"
            assert "ended" in repr(response)
        assert "1 open, 1 of them idle" in repr(pool)
        assert [request.target for request in seen] == ["/x", "/x"]
        pool.close()


def test_two_threads_that_read_responses_of_one_pool_do_not_meet() -> None:
    with ScriptedServer(keep_alive(lambda r: respond(r.target * 20_000))) as server:
        pool = ConnectionPool()
        route = Route("http", "127.0.0.1", server.port)
        wrong: list[str] = []

        def call(name: str) -> None:
            for _ in range(50):
                response = pool.send(route, OutgoingRequest.make("GET", name, [HOST]), Timeout().start())
                if response.read() != name.encode() * 20_000:
                    wrong.append(name)

        threads = [threading.Thread(target=call, args=(f"/{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert wrong == []
        pool.close()


def test_a_server_that_speaks_socks_is_told_by_its_first_byte(session: Session) -> None:
    """RFC 1928, section 3: it refuses what it took for a greeting."""

    def refuses(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"\x05\xff")

    with ScriptedServer(refuses) as server:
        with pytest.raises(RemoteProtocolError, match="of a SOCKS5 proxy, which is written socks5:"):
            session.get(server.url())
