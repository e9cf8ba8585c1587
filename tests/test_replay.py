"""A reused connection that dies before the answer begins: laws P1 and P2, counted at the server."""

from __future__ import annotations

import collections
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pystickyhttp import ConnectionLost, Session
from pystickyhttp.exceptions import UnrewindableBodyError
from pystickyhttp.timeouts import Timeout
from tests.servers.echo import EchoServer
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

OK = respond(b"ok")


def dies_upon_the_second_request(ending: str) -> Callable[[Peer], None]:
    """FIN or RST exactly as a request arrives: the check before reuse can't have seen it."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(OK)
        peer.expect_request()
        peer.fin() if ending == "fin" else peer.rst()

    return script


def dies(ending: str = "fin") -> ScriptedServer:
    return ScriptedServer([dies_upon_the_second_request(ending), keep_alive(lambda _: OK)])


def deliveries(server: ScriptedServer, method: str) -> list[int]:
    """On which connection each request of a method was delivered."""
    return [request.connection for request in server.requests if request.method == method]


@pytest.mark.parametrize("ending", ["fin", "rst"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_an_idempotent_request_is_replayed_once_on_a_fresh_connection(method: str, ending: str) -> None:
    """P1."""
    with dies(ending) as server, Session() as session, no_socket_left():
        session.request("PROPFIND", server.url())
        assert session.request(method, server.url()).status_code == 200
        assert deliveries(server, method) == [0, 1]
        session.close()


@pytest.mark.parametrize("ending", ["fin", "rst"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PROPFIND"])
def test_a_request_that_the_server_may_have_acted_upon_is_never_sent_twice(method: str, ending: str) -> None:
    """P1."""
    with (
        ScriptedServer([dies_upon_the_second_request(ending)]) as server,
        Session() as session,
        no_socket_left(),
    ):
        session.get(server.url())
        with pytest.raises(ConnectionLost, match="reused") as caught:
            session.request(method, server.url(), data=b"pay me")
        assert caught.value.sent > 0
        assert caught.value.received == 0
        assert caught.value.request is not None
        assert deliveries(server, method) == [0]


def test_an_idempotency_key_makes_a_post_replayable() -> None:
    """P1."""
    with dies() as server, Session() as session:
        session.get(server.url())
        session.post(server.url(), data=b"pay me", headers={"Idempotency-Key": "8e03978e"})
        assert deliveries(server, "POST") == [0, 1]


def test_a_fresh_connection_that_dies_is_an_error_whatever_the_method() -> None:
    """P1: it has no reason to be stale."""

    def dies_at_once(peer: Peer) -> None:
        peer.expect_request()
        peer.rst()

    with ScriptedServer([dies_at_once]) as server, Session() as session, no_socket_left():
        with pytest.raises(ConnectionLost, match="fresh"):
            session.get(server.url())
        assert len(server.requests) == 1


def test_a_replay_that_dies_too_is_an_error() -> None:
    """P1: once."""

    def dies_at_once(peer: Peer) -> None:
        peer.expect_request()
        peer.fin()

    scripts = [dies_upon_the_second_request("fin"), dies_at_once]
    with ScriptedServer(scripts) as server, Session() as session, no_socket_left():
        session.get(server.url())
        with pytest.raises(ConnectionLost, match="fresh"):
            session.get(server.url())
        assert deliveries(server, "GET") == [0, 0, 1]


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["one byte", "half a head"])
def test_a_connection_that_dies_after_a_byte_of_the_response_is_an_error(begun: bytes) -> None:
    """P1."""

    def answers_half(peer: Peer) -> None:
        peer.expect_request()
        peer.send(OK)
        peer.expect_request()
        peer.send(begun)
        peer.fin()

    with ScriptedServer([answers_half]) as server, Session() as session, no_socket_left():
        session.get(server.url())
        with pytest.raises(ConnectionLost) as caught:
            session.get(server.url())
        assert caught.value.received == len(begun)
        assert len(server.requests) == 2


def test_the_replay_keeps_the_slot_so_that_a_limit_of_one_does_not_block_it() -> None:
    """P1, L1."""
    with dies() as server, Session() as session:
        session.max_connections = 1
        for _ in range(2):
            assert session.get(server.url(), timeout=5).text == "ok"
        assert server.accepted == 2


# --- bodies


def file_from_its_position(folder: Path) -> io.BufferedReader:
    path = folder / "body"
    path.write_bytes(b"skipped" + b"x" * 100_000)
    file = path.open("rb")
    file.seek(7)
    return file


BODIES: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda _: b"x" * 100_000,
    "str": lambda _: "x" * 100_000,
    "file from its position": file_from_its_position,
    "BytesIO": lambda _: io.BytesIO(b"x" * 100_000),
    "a collection of pieces": lambda _: collections.deque([b"x" * 50_000] * 2),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_is_sent_whole_at_the_replay(kind: str, tmp_path: Path) -> None:
    """P2: from the position that it had, never an empty one instead."""
    body = BODIES[kind](tmp_path)
    with dies() as server, Session() as session:
        session.get(server.url())
        assert session.put(server.url(), data=body).text == "ok"
        assert [request.body for request in server.requests if request.method == "PUT"] == [
            b"x" * 100_000
        ] * 2
    if hasattr(body, "close"):
        body.close()


def test_a_generator_that_was_begun_can_not_be_replayed() -> None:
    """P1, P2: the connection's death is the error, and nothing is sent again."""

    def pieces() -> Iterator[bytes]:
        yield b"once"

    with (
        ScriptedServer([dies_upon_the_second_request("fin")]) as server,
        Session() as session,
        no_socket_left(),
    ):
        session.get(server.url())
        with pytest.raises(ConnectionLost):
            session.put(server.url(), data=pieces())
        assert deliveries(server, "PUT") == [0]


def test_a_file_that_can_seek_no_more_is_an_error_and_no_empty_body() -> None:
    """P2."""

    class Tape(io.BytesIO):
        read_from = False

        def read(self, size: int | None = -1) -> bytes:
            self.read_from = True
            return super().read(size)

        def seek(self, position: int, whence: int = 0) -> int:
            if self.read_from:
                raise OSError("this tape does not go back")
            return super().seek(position, whence)

    with (
        ScriptedServer([dies_upon_the_second_request("fin")]) as server,
        Session() as session,
        no_socket_left(),
    ):
        session.get(server.url())
        body = Tape(b"read")
        with pytest.raises(UnrewindableBodyError, match="does not go back") as caught:
            session.put(server.url(), data=body)
        assert isinstance(caught.value.__cause__, ConnectionLost)
        assert deliveries(server, "PUT") == [0]


def test_twenty_threads_on_a_server_that_closes_by_surprise_all_get_their_answers() -> None:
    """P1, R4: it closes each connection after its third answer, and does not say so."""
    with EchoServer(requests_per_connection=3, announce_close=False) as server, Session() as session:
        identities = [f"{thread}:{number}" for thread in range(20) for number in range(25)]

        def call(identity: str) -> str:
            response = session.get(
                server.url(), headers={"X-Request-Id": identity}, timeout=Timeout(total=30)
            )
            return str(response.json()["id"])

        with ThreadPoolExecutor(20) as threads:
            assert list(threads.map(call, identities)) == identities
