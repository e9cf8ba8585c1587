"""While a body is sent: early answers (X2) and expectations (X3)."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pystickyhttp import ConnectionLost, Session
from pystickyhttp.exceptions import RemoteProtocolError
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import HTTPConnection, OutgoingRequest, Route
from pystickyhttp.transport.connection import SEND_STEP, TLS_PIECE
from pystickyhttp.transport.wires import TLS_RECORD
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

LARGE = b"x" * 20_000_000
REFUSAL = respond(b"too large", status=413)


@pytest.fixture
def session(ca_file: str) -> Iterator[Session]:
    with Session() as session:
        session.verify = ca_file
        yield session


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 10_000


def refuses(ending: str) -> Callable[[Peer], None]:
    """Answers when it has read the head, and reads no more of the body."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(REFUSAL)
        if ending == "rst":
            # What is unread makes a reset of the close; the client has had its answer by then or has not.
            peer.rst()
        else:
            peer.read_until_eof()

    return script


BODIES: dict[str, Callable[[], object]] = {
    "bytes": lambda: LARGE,
    "file": lambda: io.BytesIO(LARGE),
    "endless": endless,
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_final_response_that_comes_early_stops_the_upload_and_is_returned(
    kind: str, tls: ssl.SSLContext | None, session: Session
) -> None:
    """X2."""
    # A small window, so that the body is not in the kernel's hands before the server has seen its head.
    with ScriptedServer(refuses("reads on"), tls=tls, receive_buffer=4096) as server, no_socket_left():
        response = session.post(server.url(), data=BODIES[kind](), timeout=10)
        assert (response.status_code, response.text) == (413, "too large")
        server.wait_for_open(0)


class Steps(socket.socket):
    """Notes how much it is given at once, and hands all of it on."""

    given: list[int]

    def send(self, data: Any, flags: int = 0) -> int:
        self.given.append(len(data))
        return super().send(data, flags)


def test_a_body_of_bytes_leaves_in_bounded_steps() -> None:
    """X2: in between the peer is listened to, however fast it takes what is sent."""
    sizes = [(b"Host", b"a"), (b"Content-Length", b"%d" % len(LARGE))]
    with (
        ScriptedServer(keep_alive(lambda request: respond(str(len(request.body))))) as server,
        Steps(socket.AF_INET) as sock,
    ):
        sock.given = []
        sock.connect(server.address)
        connection = HTTPConnection(sock, Route("http", "a", 80), 0.0)
        deadline = Timeout(read=30, write=30).start()
        connection.exchange(OutgoingRequest.make("POST", "/", sizes, LARGE), deadline)
        assert connection.read_piece(deadline) == str(len(LARGE)).encode()
        connection.close()
    assert max(sock.given) == SEND_STEP


def test_the_connection_of_an_early_response_is_not_used_again(session: Session) -> None:
    """X2: 100 large PUTs to a server that answers first."""
    with ScriptedServer(refuses("reads on")) as server, no_socket_left():
        for number in range(100):
            assert session.put(server.url(), data=endless(), timeout=10).status_code == 413
            assert server.accepted == number + 1
        session.close()


def test_an_early_response_keeps_its_connection_until_its_body_is_read(session: Session) -> None:
    """X2."""
    go = threading.Event()

    def slow_refusal(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 413 No\r\nContent-Length: 10\r\n\r\nhello")
        peer.wait(go)
        peer.send(b"world")
        peer.read_until_eof()

    with ScriptedServer(slow_refusal) as server, no_socket_left():
        with session.post(server.url(), data=endless(), stream=True, timeout=10) as response:
            go.set()
            assert response.text == "helloworld"
        server.wait_for_open(0)


def test_interim_responses_during_an_upload_do_not_stop_it(session: Session) -> None:
    """X2, X4."""

    def hints(peer: Peer) -> None:
        request = peer.read_head()
        for _ in range(3):
            peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        peer.send(respond(str(len(peer.read_body(request)))))
        assert peer.read_request() is None

    with ScriptedServer(hints) as server:
        assert session.post(server.url(), data=io.BytesIO(LARGE)).text == str(len(LARGE))
        session.close()
        server.wait_for_scripts()


def test_a_reset_during_an_upload_gives_the_response_that_came_before_it(session: Session) -> None:
    """X2: on EPIPE or RST the response is read first."""
    answered = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"x"
        assert answered.wait(10)
        yield from endless()

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(REFUSAL)
        peer.half_close()
        answered.set()
        peer.read_some()
        peer.rst()

    with ScriptedServer(script) as server, no_socket_left():
        assert session.post(server.url(), data=body(), timeout=10).status_code == 413


def test_a_small_request_that_meets_a_reset_gives_the_response_that_came_before_it(session: Session) -> None:
    """X2: a server may say goodbye on a connection while it is taken from the pool."""
    with ScriptedServer(refuses("reads on")) as server, no_socket_left():
        assert session.post(server.url(), data=b"small").status_code == 413
        session.close()


def test_a_server_that_resets_amid_an_upload_is_lost_with_the_count_of_what_was_sent_and_the_cause(
    session: Session,
) -> None:
    """X2: there was no answer."""

    def gives_up(peer: Peer) -> None:
        peer.read_head()
        peer.read_some()
        peer.rst()

    with ScriptedServer(gives_up) as server, no_socket_left():
        with pytest.raises(ConnectionLost) as caught:
            session.post(server.url(), data=endless(), timeout=10)
        assert caught.value.sent > 0
        assert caught.value.received == 0
        assert isinstance(caught.value.__cause__, (ConnectionResetError, BrokenPipeError))


def test_what_a_server_has_read_of_a_large_body_counts_as_sent(
    tls: ssl.SSLContext | None, session: Session
) -> None:
    """P1, T1: over TLS too, where the write timeout would otherwise count over the whole of it.

    Of a piece that TLS was given it tells when all is gone, though the server may have read most of it.
    """
    wanted = 1_000_000

    def reads_some_and_gives_up(peer: Peer) -> None:
        peer.read_head()
        read = 0
        while read < wanted:
            read += len(peer.read_some())
        peer.rst()

    with ScriptedServer(reads_some_and_gives_up, tls=tls) as server, no_socket_left():
        with pytest.raises(ConnectionLost) as caught:
            session.post(server.url(), data=b"x" * 50_000_000, timeout=10)
        assert caught.value.sent >= wanted - (0 if tls is None else TLS_PIECE)


def test_what_a_server_has_read_of_a_large_head_counts_as_sent(
    tls: ssl.SSLContext | None, session: Session
) -> None:
    """P1: over TLS too. Of a request of which nobody knows that the server has a part, one would send two."""
    wanted = 1_000_000

    def reads_some_and_gives_up(peer: Peer) -> None:
        read = 0
        while read < wanted:
            read += len(peer.read_some())
        peer.rst()

    with ScriptedServer(reads_some_and_gives_up, tls=tls) as server, no_socket_left():
        with pytest.raises(ConnectionLost) as caught:
            session.get(server.url(), headers={"X": "x" * 50_000_000}, timeout=10)
        assert caught.value.sent >= wanted - (0 if tls is None else TLS_RECORD)


def test_session_tickets_during_an_upload_are_no_answer(
    tls_context: ssl.SSLContext, session: Session
) -> None:
    """X2, R4: over TLS something to read need not be something said."""
    with ScriptedServer(keep_alive(lambda r: respond(str(len(r.body)))), tls=tls_context) as server:
        for _ in range(2):
            assert session.put(server.url(), data=io.BytesIO(LARGE[:3_000_000])).text == "3000000"
        assert server.accepted == 1


# --- X3

EXPECT = {"Expect": "100-continue"}


@pytest.mark.usefixtures("unhurried_expectation")
@pytest.mark.parametrize("body", [b"small", LARGE[:100_000]], ids=["small", "large"])
def test_the_body_waits_for_100_continue(body: bytes, tls: ssl.SSLContext | None, session: Session) -> None:
    """X3."""

    def continues(peer: Peer) -> None:
        for _ in range(2):
            request = peer.read_head()
            assert peer._buffer == b"", "the body did not wait"
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.send(respond(str(len(peer.read_body(request)))))
        assert peer.read_request() is None

    with ScriptedServer(continues, tls=tls) as server:
        for _ in range(2):
            assert session.post(server.url(), data=body, headers=EXPECT).text == str(len(body))
        session.close()
        server.wait_for_scripts()
        assert server.accepted == 1


@pytest.mark.usefixtures("unhurried_expectation")
@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_a_final_status_without_100_skips_the_body(connection: str, session: Session) -> None:
    """X3."""
    rest: list[bytes] = []

    def refuses_first(peer: Peer) -> None:
        peer.read_head()
        peer.send(respond(b"no", status=403, headers={"Connection": connection}))
        rest.append(peer.read_until_eof())

    with ScriptedServer(refuses_first) as server, no_socket_left():
        assert session.post(server.url(), data=b"secret", headers=EXPECT).status_code == 403
        server.wait_for_scripts()
    assert rest == [b""]


def test_a_server_that_does_not_know_expectations_gets_the_body_after_a_while(session: Session) -> None:
    """X3: it waits for the whole request, and so would wait for ever."""
    with ScriptedServer(keep_alive(lambda request: respond(request.body))) as server:
        assert session.post(server.url(), data=b"anyway", headers=EXPECT).text == "anyway"


@pytest.mark.usefixtures("unhurried_expectation")
def test_a_body_that_can_be_read_only_once_follows_a_redirect_that_came_before_it(session: Session) -> None:
    """X3, P2: nobody has read it yet, the auth object that signs the next hop included."""

    def redirects(peer: Peer) -> None:
        peer.read_head()
        peer.send(respond(b"", status=307, headers={"Location": "/new"}))
        assert peer.read_until_eof() == b""

    def takes_it(peer: Peer) -> None:
        request = peer.read_head()
        assert (request.target, request.header("Authorization")) == ("/new", "Basic YTpi")
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.send(respond(peer.read_body(request)))

    with ScriptedServer([redirects, takes_it]) as server, no_socket_left():
        answer = session.post(server.url("/old"), data=iter([b"on", b"ce"]), headers=EXPECT, auth=("a", "b"))
        assert answer.text == "once"
        session.close()
        server.wait_for_scripts()


@pytest.mark.usefixtures("unhurried_expectation")
def test_417_sends_the_request_again_without_the_expectation(session: Session) -> None:
    """X3."""

    def fails_expectations(peer: Peer) -> None:
        assert peer.read_head().header("Expect") == "100-continue"
        peer.send(respond(b"", status=417))
        assert peer.read_until_eof() == b""

    def takes_it(peer: Peer) -> None:
        request = peer.expect_request()
        assert request.header("Expect") is None
        peer.send(respond(request.body))

    with ScriptedServer([fails_expectations, takes_it]) as server, no_socket_left():
        assert session.post(server.url(), data=io.BytesIO(b"again"), headers=EXPECT).text == "again"
        session.close()


def test_417_to_a_body_that_can_not_be_sent_again_is_the_answer(session: Session) -> None:
    """X3, P2: it was sent when the time was up, and is gone."""

    def fails_after_all(peer: Peer) -> None:
        peer.read_body(peer.read_head())
        peer.send(respond(b"", status=417))

    with ScriptedServer(fails_after_all) as server:
        assert session.post(server.url(), data=iter([b"once"]), headers=EXPECT).status_code == 417


@pytest.mark.usefixtures("unhurried_expectation")
def test_an_expectation_without_a_body_is_not_waited_for(session: Session) -> None:
    """X3; RFC 9110, section 10.1.1."""
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        assert session.get(server.url(), headers=EXPECT).text == "ok"


def test_a_flood_of_100_continue_is_an_error(session: Session) -> None:
    """X4."""

    def flood(peer: Peer) -> None:
        peer.read_head()
        while peer.try_send(b"HTTP/1.1 100 Continue\r\n\r\n" * 10):
            pass

    with ScriptedServer(flood) as server, no_socket_left():
        with pytest.raises(RemoteProtocolError, match="more than 20 interim"):
            session.post(server.url(), data=LARGE, headers=EXPECT, timeout=10)
