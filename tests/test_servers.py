"""The servers tell the truth.

Every other test believes what these servers say about the client: how many connections it made, which bytes
it sent, whether it closed. So here they are asked by clients whose doings are known, plain sockets and
`requests`, and have to give the right answer; a scenario that fails must also be seen to fail.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import requests
import trustme

from tests.servers import surroundings
from tests.servers.certificates import key_pair, server_context
from tests.servers.echo import EchoServer
from tests.servers.real import RealServer, RealServers, ServerDied
from tests.servers.scripted import (
    LAST_CHUNK,
    BlackHole,
    ClientGone,
    DeadlineMissed,
    MalformedRequest,
    Peer,
    ScriptedServer,
    chunk,
    closed_port,
    keep_alive,
    respond,
)
from tests.servers.sockets import no_socket_left, open_descriptors, open_sockets

E = TypeVar("E", bound=BaseException)
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
# Long enough that it would fail the test by its own timeout, were it waited for.
NEVER = 1000.0


@contextlib.contextmanager
def failing_with(kind: type[E], match: str | None = None) -> Iterator[pytest.ExceptionInfo[E]]:
    """Around a whole server: what went wrong in its script must come out where its block ends."""
    with pytest.raises(kind, match=match) as caught:
        yield caught


@contextlib.contextmanager
def connected(server: ScriptedServer) -> Iterator[socket.socket]:
    with socket.create_connection(server.address, timeout=10) as client:
        yield client


@contextlib.contextmanager
def encrypted(server: ScriptedServer, ca_file: str) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=ca_file)
    with (
        connected(server) as plain,
        # Ragged ends are what these tests are about, so they must not be smoothed over.
        context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as client,
    ):
        yield client


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def accepts_connections(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def session(ca_file: str) -> requests.Session:
    made = requests.Session()
    made.verify = ca_file
    return made


# -- the conversation -------------------------------------------------------------------------------------


def test_a_script_hears_the_request_and_the_client_hears_the_script() -> None:
    def conversation(peer: Peer) -> None:
        request = peer.expect_request()
        assert (request.method, request.target, request.header("x-word")) == ("PUT", "/a?b", "hi")
        assert request.body == b"four"
        peer.send(respond("understood", status=201, headers={"X-Reply": "ho"}))
        assert peer.read_request() is None

    with ScriptedServer(conversation) as server:
        client = http.client.HTTPConnection(*server.address, timeout=10)
        with contextlib.closing(client):
            client.request("PUT", "/a?b", body=b"four", headers={"X-Word": "hi"})
            response = client.getresponse()
            assert (response.status, response.reason, response.read()) == (201, "Created", b"understood")
            assert response.headers["X-Reply"] == "ho"
        server.wait_for_scripts()
        assert [request.target for request in server.requests] == ["/a?b"]


def test_a_request_is_read_byte_by_byte_as_well_as_at_once_and_one_after_the_other() -> None:
    first = b"POST /1 HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    first += chunk(b"ab") + b"3;name=value\r\ncde\r\n" + b"0\r\nX-Sum: 5\r\n\r\n"
    second = b"POST /2 HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nxyz"
    with ScriptedServer(keep_alive(lambda request: respond(request.target))) as server:
        with connected(server) as client:
            for byte in first:
                client.send(bytes([byte]))
            client.sendall(second + GET)
            server.wait_for_requests(3)
        one, two, three = server.requests
        assert (one.chunks, one.body, one.trailers) == ([b"ab", b"cde"], b"abcde", [("X-Sum", "5")])
        assert (two.body, two.connection) == (b"xyz", 0)
        assert [one.raw, two.raw, three.raw] == [first, second, GET]


def test_a_script_can_answer_a_head_before_it_reads_the_body() -> None:
    def conversation(peer: Peer) -> None:
        request = peer.read_head()
        assert request.header("Expect") == "100-continue"
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert peer.read_body(request) == b"late"
        peer.send(respond(b"thanks"))

    with ScriptedServer(conversation) as server, connected(server) as client:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"late")
        assert read_all(client).endswith(b"\r\n\r\nthanks")


@pytest.mark.parametrize(
    "wrong",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_are_an_error_of_the_scenario(wrong: bytes) -> None:
    with (
        failing_with(MalformedRequest),
        ScriptedServer(keep_alive(lambda request: respond())) as server,
        connected(server) as client,
    ):
        client.sendall(wrong)
        assert read_all(client) == b""


def test_responses_declare_their_length_the_way_they_are_told_to() -> None:
    assert respond(b"ab") == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
    assert respond(status=204) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert respond(headers=[("Content-Length", "9")]) == b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    assert respond(b"ab", chunked=True).endswith(
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n" + LAST_CHUNK
    )
    assert respond(status=799, reason="").startswith(b"HTTP/1.1 799 \r\n")


def test_what_drips_arrives_in_pieces() -> None:
    go_on = threading.Event()

    def conversation(peer: Peer) -> None:
        peer.drip(b"abc", size=2, every=0.01)
        peer.wait(go_on)
        peer.drip(b"de")

    with ScriptedServer(conversation) as server, connected(server) as client:
        got = client.recv(3)
        while len(got) < 3:
            got += client.recv(1)
        go_on.set()
        assert got + read_all(client) == b"abcde"


@pytest.mark.parametrize(
    "answer", [respond(b"ok", headers={"Connection": "close"}), respond(b"ok", version="HTTP/1.0")]
)
def test_a_kept_alive_connection_ends_when_a_side_says_so(answer: bytes) -> None:
    asks = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with ScriptedServer(keep_alive(lambda request: answer)) as server, connected(server) as client:
        client.sendall(GET if b"close" in answer else asks)
        assert read_all(client) == answer


# -- leaving ----------------------------------------------------------------------------------------------


def test_a_reset_is_seen_as_a_reset() -> None:
    def conversation(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\n")
        peer.rst()

    with ScriptedServer(conversation) as server, connected(server) as client:
        client.sendall(GET)
        with pytest.raises(ConnectionResetError):
            read_all(client)


@pytest.mark.parametrize("read_it_first", [True, False])
def test_a_fin_is_seen_as_the_end_even_if_the_request_was_never_read(read_it_first: bool) -> None:
    sent = threading.Event()

    def conversation(peer: Peer) -> None:
        if read_it_first:
            peer.expect_request()
        peer.wait(sent)
        peer.fin()

    with ScriptedServer(conversation) as server, connected(server) as client:
        client.sendall(GET)
        sent.set()
        assert read_all(client) == b""
        server.wait_for_open(0)


def test_a_half_closed_connection_still_hears_the_client() -> None:
    def conversation(peer: Peer) -> None:
        peer.half_close()
        assert peer.read_until_eof() == b"are you there?"

    with ScriptedServer(conversation) as server, connected(server) as client:
        assert client.recv(1) == b""
        client.sendall(b"are you there?")
        client.shutdown(socket.SHUT_WR)
        server.wait_for_scripts()


def test_over_tls_a_clean_close_a_truncation_and_a_reset_are_three_things(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    def leaving(leave: Callable[[Peer], None]) -> Callable[[Peer], None]:
        def conversation(peer: Peer) -> None:
            assert peer.read_some() == b"x"
            assert peer.tls.version() == "TLSv1.3"
            peer.send(b"y")
            leave(peer)

        return conversation

    scripts = [leaving(Peer.fin), leaving(Peer.cut), leaving(Peer.rst)]
    with ScriptedServer(scripts, tls=tls_context) as server:
        with encrypted(server, ca_file) as client:
            client.sendall(b"x")
            assert read_all(client) == b"y"
        with encrypted(server, ca_file) as client:
            client.sendall(b"x")
            with pytest.raises(ssl.SSLEOFError):
                read_all(client)
        with encrypted(server, ca_file) as client:
            client.sendall(b"x")
            # Below the TLS layer, where some Pythons take a reset for a mere end (python/cpython#115627).
            with pytest.raises(ConnectionResetError):
                list(iter(lambda: socket.socket.recv(client, 65536), b""))


def test_over_tls_a_half_closed_connection_still_hears_the_client(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    def conversation(peer: Peer) -> None:
        peer.half_close()
        assert peer.read_some() == b"are you there?"

    with ScriptedServer(conversation, tls=tls_context) as server, encrypted(server, ca_file) as client:
        assert client.recv(1) == b""
        client.sendall(b"are you there?")
        server.wait_for_scripts()


def test_bytes_beneath_tls_are_no_tls(tls_context: ssl.SSLContext, ca_file: str) -> None:
    def conversation(peer: Peer) -> None:
        peer.send(b"encrypted")
        peer.send_beneath_tls(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ScriptedServer(conversation, tls=tls_context) as server, encrypted(server, ca_file) as client:
        assert client.recv(100) == b"encrypted"
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            client.recv(100)


def test_a_reset_of_the_client_is_told_from_a_close_over_tls_too(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    def conversation(peer: Peer) -> None:
        peer.send(b"y")
        assert peer.read_until_eof() == b"x"
        assert peer.was_reset == (peer.number == 1)

    with ScriptedServer(conversation, tls=tls_context) as server:
        for reset in (False, True):
            with encrypted(server, ca_file) as client:
                client.sendall(b"x")
                # So that no session ticket is unread: closing over one would be a reset as well.
                assert client.recv(1) == b"y"
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.wait_for_scripts()


@pytest.mark.parametrize("leave", ["fin", "rst"])
@pytest.mark.parametrize("wait", [Peer.stall, Peer.read_until_eof, Peer.read_request])
def test_a_script_that_waits_for_the_client_to_leave_sees_it_leave(
    wait: Callable[[Peer], object], leave: str
) -> None:
    def conversation(peer: Peer) -> None:
        wait(peer)
        assert peer.was_reset == (leave == "rst" and wait is not Peer.stall)

    with ScriptedServer(conversation) as server:
        with connected(server) as client:
            server.wait_for_open(1)
            if leave == "rst":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.wait_for_scripts()
        assert server.open_connections == 0


def test_a_client_that_leaves_is_an_error_only_where_the_script_needs_it() -> None:
    left = threading.Event()

    def indifferent(peer: Peer) -> None:
        peer.wait(left)
        while peer.try_send(b"x" * 65536):
            pass

    def needy(peer: Peer) -> None:
        indifferent(peer)
        peer.send(b"x")

    with failing_with(ClientGone), ScriptedServer([indifferent, needy]) as server:
        for _ in range(2):
            with connected(server):
                pass
        left.set()
        server.wait_for_connections(2)
        server.wait_for_scripts()
        assert len(server.errors) == 1


@pytest.mark.parametrize("part", [GET[:10], b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx"])
def test_a_client_that_leaves_in_mid_request_is_an_error(part: bytes) -> None:
    with failing_with(ClientGone), ScriptedServer(keep_alive(lambda request: respond())) as server:
        with connected(server) as client:
            client.sendall(part)
        server.wait_for_connections(1)
        server.wait_for_scripts()


# -- failing and ending -----------------------------------------------------------------------------------


def test_what_fails_in_a_script_fails_the_block() -> None:
    def conversation(peer: Peer) -> None:
        assert peer.expect_request().method == "POST", "told to fail"

    with (
        failing_with(AssertionError, match="told to fail"),
        ScriptedServer(conversation) as server,
        connected(server) as client,
    ):
        client.sendall(GET)
        read_all(client)


def test_what_fails_in_several_scripts_is_told_together() -> None:
    def conversation(peer: Peer) -> None:
        raise ValueError(peer.number)

    with failing_with(ExceptionGroup) as caught, ScriptedServer(conversation) as server:
        for _ in range(2):
            with connected(server) as client:
                read_all(client)
    assert sorted(error.args[0] for error in caught.value.exceptions) == [0, 1]


def test_the_failure_of_the_test_itself_carries_that_of_the_script() -> None:
    def conversation(peer: Peer) -> None:
        raise ValueError("the cause")

    with (
        failing_with(RuntimeError) as caught,
        ScriptedServer(conversation) as server,
        connected(server) as client,
    ):
        read_all(client)
        raise RuntimeError("the consequence")
    assert "the cause" in caught.value.__notes__[0]


def test_waiting_for_what_a_failed_script_no_longer_brings_about_ends_at_once() -> None:
    def conversation(peer: Peer) -> None:
        raise ValueError("failed")

    with failing_with(ValueError, "failed"), ScriptedServer(conversation) as server, connected(server):
        server.wait_for_requests(1, deadline=NEVER)


def test_one_connection_more_than_the_scenario_has_is_an_error() -> None:
    with (
        failing_with(AssertionError, match="connection 2 was opened"),
        ScriptedServer([Peer.stall]) as server,
    ):
        with connected(server), connected(server) as surplus:
            assert read_all(surplus) == b""
        assert server.accepted == 2


@pytest.mark.parametrize("allowed", [True, False])
def test_a_failed_handshake_is_an_error_unless_it_is_the_scenario(
    tls_context: ssl.SSLContext, allowed: bool
) -> None:
    outcome = contextlib.nullcontext() if allowed else pytest.raises(ClientGone, match="handshake")
    with outcome:
        with ScriptedServer(Peer.stall, tls=tls_context, handshake_may_fail=allowed) as server:
            with connected(server) as client, pytest.raises(ssl.SSLCertVerificationError):
                ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
            server.wait_for_scripts()
        assert len(server.handshake_errors) == 1


@pytest.mark.parametrize(
    "block",
    [
        Peer.stall,
        lambda peer: peer.read_request(NEVER),
        lambda peer: peer.read_until_eof(NEVER),
        lambda peer: peer.wait(threading.Event(), NEVER),
        lambda peer: peer.send(b"x" * 50_000_000, NEVER),
        lambda peer: peer.drip(b"xy", every=NEVER),
    ],
    ids=["stall", "read_request", "read_until_eof", "wait", "send", "drip"],
)
def test_stopping_the_server_unblocks_every_script_and_leaves_nothing(
    block: Callable[[Peer], object],
) -> None:
    threads, descriptors = set(threading.enumerate()), open_descriptors()

    def conversation(peer: Peer) -> None:
        block(peer)

    with ScriptedServer(conversation) as server, connected(server) as client:
        server.wait_for_open(1)
        server.stop()  # a script that has to be waited for is an error at the end of the block
        with contextlib.suppress(ConnectionResetError):
            read_all(client)
        assert server.open_connections == 0
    assert not set(threading.enumerate()) - threads
    assert not open_descriptors() - descriptors


def test_a_script_that_cannot_be_stopped_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.scripted.DEADLINE", 0.1)
    release = threading.Event()

    def stubborn(peer: Peer) -> None:
        release.wait(10)

    with failing_with(DeadlineMissed, "do not end"), ScriptedServer(stubborn) as server, connected(server):
        server.wait_for_open(1)
    release.set()


def test_what_does_not_come_is_missed_at_the_deadline() -> None:
    def deaf(peer: Peer) -> None:
        peer.read_request(deadline=0.01)

    with ScriptedServer(Peer.stall) as server, pytest.raises(DeadlineMissed, match="accepted 0"):
        server.wait_for_connections(1, deadline=0.01)
    with (
        failing_with(DeadlineMissed, match="nothing came"),
        ScriptedServer(deaf) as server,
        connected(server) as client,
    ):
        assert read_all(client) == b""


def test_connections_are_counted_while_they_are_open_and_after() -> None:
    with ScriptedServer(keep_alive(lambda request: respond())) as server:
        with connected(server), connected(server):
            server.wait_for_open(2)
        server.wait_for_open(0)
        with connected(server):
            server.wait_for_connections(3)
        server.wait_for_open(0)
        assert (server.accepted, server.most_open_connections) == (3, 2)


# -- the silent servers, and proxies ----------------------------------------------------------------------


def test_a_connect_into_the_black_hole_hangs() -> None:
    with BlackHole() as hole, socket.socket() as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.connect((hole.host, hole.port))


def test_a_connect_to_a_closed_port_is_refused() -> None:
    with closed_port() as port, socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", port))


def test_a_script_can_be_a_proxy_that_tunnels(tls_context: ssl.SSLContext, ca_file: str) -> None:
    with EchoServer(tls=tls_context) as target:

        def proxy(peer: Peer) -> None:
            assert peer.expect_request().method == "CONNECT"
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            peer.tunnel(target.address)

        with ScriptedServer(proxy) as through, session(ca_file) as client:
            client.proxies = {"https": through.url()}
            for number in range(2):
                answer = client.post(target.url(), data="x" * 100_000, headers={"X-Request-Id": str(number)})
                assert (answer.json()["id"], len(answer.json()["body"])) == (str(number), 100_000)
        assert (through.accepted, target.accepted) == (1, 1)


def test_a_script_can_start_tls_in_mid_conversation(tls_context: ssl.SSLContext, ca_file: str) -> None:
    def conversation(peer: Peer) -> None:
        assert peer.expect_request().method == "CONNECT"
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.start_tls(tls_context)
        peer.expect_request()
        peer.send(respond(b"as if from afar"))

    with ScriptedServer(conversation) as server, session(ca_file) as client:
        client.proxies = {"https": server.url()}
        assert client.get("https://example.com/").text == "as if from afar"


def test_a_server_can_demand_the_certificate_of_the_client(
    ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    pair = key_pair(ca, tmp_path, "somebody.example")
    with (
        ScriptedServer(keep_alive(lambda request: respond()), tls=server_context(ca, client_ca=ca)) as server,
        session(ca_file) as client,
    ):
        assert client.get(server.url(), cert=(pair.certificate, pair.key)).status_code == 200


@pytest.mark.parametrize(("asked_for", "indicated"), [("localhost", "localhost"), ("127.0.0.1", None)])
def test_a_server_knows_by_which_name_it_was_asked_for(
    tls_context: ssl.SSLContext, ca_file: str, asked_for: str, indicated: str | None
) -> None:
    def conversation(peer: Peer) -> None:
        assert peer.server_name == indicated

    context = ssl.create_default_context(cafile=ca_file)
    with (
        ScriptedServer(conversation, tls=tls_context) as server,
        connected(server) as plain,
        context.wrap_socket(plain, server_hostname=asked_for) as client,
    ):
        assert read_all(client) == b""


# -- sockets ----------------------------------------------------------------------------------------------


def test_a_socket_that_the_client_left_open_is_found() -> None:
    with (
        ScriptedServer(Peer.stall) as server,
        contextlib.ExitStack() as later,
        pytest.raises(AssertionError, match="the client left sockets open"),
        no_socket_left(),
    ):
        later.enter_context(connected(server))


def test_a_client_that_closed_its_socket_is_believed_and_the_server_is_waited_for() -> None:
    with ScriptedServer(keep_alive(lambda request: respond())) as server:
        before = open_sockets()
        with no_socket_left(), connected(server):
            server.wait_for_open(1)
            assert len(open_sockets() - before) == 2
        assert not open_sockets() - before


# -- the surroundings -------------------------------------------------------------------------------------


def test_nothing_that_a_client_listens_to_is_left_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTPS_PROXY", "all_proxy", "No_Proxy", "NETRC", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "loud")
    surroundings.hush(monkeypatch, tmp_path)
    assert "loud" not in os.environ.values()
    assert Path("~").expanduser() == tmp_path


@pytest.mark.usefixtures("names_to_loopback")
def test_the_public_names_lead_to_the_loopback_and_nowhere_else(httpbin_tls_server: RealServer) -> None:
    found = socket.getaddrinfo("Example.com", 443, 0, socket.SOCK_STREAM)
    assert [address for *_, address in found] == [("127.0.0.1", httpbin_tls_server.port)]
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.com", 8080)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.com", 443, socket.AF_INET6)
    assert socket.getaddrinfo("127.0.0.1", 7)[0][4] == ("127.0.0.1", 7)


# -- the echo server --------------------------------------------------------------------------------------


@pytest.mark.parametrize("over_tls", [False, True])
def test_the_echo_server_repeats_and_counts(
    tls_context: ssl.SSLContext, ca_file: str, over_tls: bool
) -> None:
    def ask(client_number: int) -> None:
        with session(ca_file) as client:
            for number in range(5):
                name = f"{client_number}-{number}"
                seen = client.post(server.url("/x"), data=name * 3, headers={"X-Request-Id": name}).json()
                answers.append((name, seen["id"], seen["body"]))

    answers: list[tuple[str, str, str]] = []
    with EchoServer(tls=tls_context if over_tls else None) as server:
        clients = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        server.wait_for_open(0)
    assert all(name == repeated and body == name * 3 for name, repeated, body in answers)
    assert len(answers) == len(server.deliveries) == server.deliveries.total() == 20
    assert server.accepted == 4
    assert 1 <= server.most_open_connections <= 4


@pytest.mark.parametrize("announced", [True, False])
def test_the_echo_server_closes_after_as_many_requests_as_it_is_told(announced: bool) -> None:
    with EchoServer(requests_per_connection=2, announce_close=announced) as server:
        with connected(server) as client:
            client.sendall(GET * 2)
            answers = read_all(client)
        assert answers.count(b"HTTP/1.1 200 OK") == 2
        assert (b"Connection: close" in answers) == announced


# -- real server programs ---------------------------------------------------------------------------------


def test_a_server_that_keeps_alive_counts_three_requests_of_a_session_as_one_connection(
    keep_alive_server: RealServer, ca_file: str
) -> None:
    with session(ca_file) as client:
        for _ in range(3):
            assert client.get(keep_alive_server.url + "/").status_code == 200
    assert keep_alive_server.requests() == ["GET /"] * 3
    assert keep_alive_server.connections() == 1


def test_a_server_that_keeps_alive_counts_three_sessions_as_three_connections(
    keep_alive_server: RealServer, ca_file: str
) -> None:
    for _ in range(3):
        with session(ca_file) as client:
            assert client.get(keep_alive_server.url + "/?again").status_code == 200
    assert keep_alive_server.requests() == ["GET /"] * 3
    assert keep_alive_server.connections() == 3


def test_a_server_that_closes_counts_three_requests_of_a_session_as_three_connections(
    gunicorn_sync_server: RealServer,
) -> None:
    with requests.Session() as client:
        for _ in range(3):
            assert client.get(gunicorn_sync_server.url + "/").text == "hello\n"
    assert gunicorn_sync_server.connections() == 3


@pytest.mark.parametrize(
    "name",
    ["gunicorn", "gunicorn_sync", "uvicorn", "hypercorn", "waitress", "cheroot", "aiohttp", "tornado"],
)
def test_every_program_serves_the_same_routes(real_servers: RealServers, name: str) -> None:
    server = real_servers.get(name)
    with requests.Session() as client:
        seen = client.post(server.url + "/echo", data=iter([b"ab", b"cd"]), headers={"X-Word": "hi"}).json()
        assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/echo", "abcd")
        assert ["x-word", "hi"] in seen["headers"]
        assert client.get(server.url + "/bytes/100000").headers["Content-Length"] == "100000"
        pieces = client.get(server.url + "/chunked/3")
        assert pieces.headers["Transfer-Encoding"] == "chunked"
        assert pieces.text == "piece 0\npiece 1\npiece 2\n"
        assert client.get(server.url + "/gzip").text == "hello, compressed\n" * 20
        assert client.get(server.url + "/status/204").status_code == 204
        assert client.get(server.url + "/redirect/2").text == "hello\n"
        assert client.get(server.url + "/nowhere").status_code == 404
        assert client.head(server.url + "/bytes/10").headers["Content-Length"] == "10"
        assert client.get(server.url + "/peer").text == server.log()[-1][0]


def test_nginx_serves_files_and_ends_connections_where_it_says(nginx_server: RealServer) -> None:
    with requests.Session() as client:
        assert client.get(nginx_server.url + "/small.txt").text == "hello from nginx\n"
        assert len(client.get(nginx_server.url + "/large.bin").content) == 1 << 20
        assert nginx_server.connections() == 1
        assert client.get(nginx_server.url + "/closing").headers["Connection"] == "close"
        assert client.get(nginx_server.url + "/limited").headers["Connection"] == "keep-alive"
        assert client.get(nginx_server.url + "/limited").headers["Connection"] == "close"
        assert client.get(nginx_server.url + "/peer").text.isdecimal()
        assert client.post(nginx_server.url + "/echo/5").json() == {"method": "POST", "path": "/echo/5"}
    assert nginx_server.connections() == 3


@pytest.mark.usefixtures("names_to_loopback")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_hosts_of_the_examples_answer_under_their_own_names(scheme: str, ca_file: str) -> None:
    api, plain, httpbin = f"{scheme}://api.example.com", f"{scheme}://example.com", f"{scheme}://httpbin.org"
    with session(ca_file) as client:
        assert client.get(f"{httpbin}/cookies/set/name/value").json() == {"cookies": {"name": "value"}}
        assert client.get(plain).status_code == 200
        assert client.get(f"{plain}/protected").status_code == 401
        assert client.get(f"{api}/protected", auth=("user", "pass")).json()["user"] == "user"
        client.post(f"{plain}/login", data={"username": "user", "password": "pass"})
        assert client.get(f"{plain}/protected").json()["cookies"] == {"session": "of-user"}
        assert client.post(f"{api}/submit", data={"key": "value"}).json()["form"] == {"key": "value"}
        for path in ("/data", "/v1/data", "/endpoint1", "/endpoint2"):
            seen = client.get(api + path, headers={"X-Auth-Token": "my-token"}).json()
            assert (seen["path"], seen["headers"]["X-Auth-Token"]) == (path, "my-token")
        statuses = [client.get(f"{api}/unstable_endpoint").status_code for _ in range(3)]
        assert statuses == [503, 503, 200]


@pytest.mark.slow
def test_a_program_that_dies_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    broken = RealServer(
        "broken", lambda descriptor: ["gunicorn", "--bind", f"fd://{descriptor}", "no:app"], tmp_path
    )
    with pytest.raises(ServerDied, match="No module named 'no'"), broken:
        pass


def test_a_program_does_not_outlive_an_owner_that_was_killed(tmp_path: Path) -> None:
    owner = """
import os, pathlib, signal, sys
from tests.servers.real import RealServer
command = lambda descriptor: ["tests.servers.waitress_on_fd", str(descriptor)]
with RealServer("waitress", command, pathlib.Path(sys.argv[1])) as server:
    print(server.process_group, server.port, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[1]
    ended = subprocess.run(
        [sys.executable, "-c", owner, str(tmp_path)], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    port = int(ended.stdout.split()[1])
    limit = time.monotonic() + 10
    while accepts_connections(port):
        assert time.monotonic() < limit, "the program is still there"
        time.sleep(0.02)


def test_without_nginx_the_tests_say_how_to_get_it(
    ca: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with RealServers(ca, ca_file) as servers, pytest.raises(ServerDied, match="apt-get install nginx-light"):
        servers.get("nginx")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["gunicorn", "uvicorn", "hypercorn", "waitress", "cheroot", "aiohttp", "tornado", "nginx"]
)
def test_a_program_that_was_stopped_leaves_no_process_and_no_file(
    ca: trustme.CA, ca_file: str, name: str
) -> None:
    with RealServers(ca, ca_file) as servers:
        server = servers.get(name)
        group = server.process_group
        os.killpg(group, 0)
        # A connection that is open, and idle, must not hold up the end.
        client = http.client.HTTPConnection(server.host, server.port, timeout=10)
        client.request("GET", "/")
        client.getresponse().read()
    client.close()
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert not server.folder.exists()
