"""A response that is closed while somebody reads it: a watchdog's thread does so, or the handler of a signal.

Who reads is woken, and told that it has not all of it (law X5); the slot is free at once (R5); and the
connection serves nobody else (R3), as its reader would take the answer of the next request.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pystickyhttp import RequestException, Response, Session
from pystickyhttp.exceptions import IncompleteBody
from pystickyhttp.transport import IncomingResponse
from tests.patience import DEADLINE, wait_for
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

HALF = b"h" * 5000
HEADS = {
    "by its length": b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n",
    "by the end": b"HTTP/1.1 200 OK\r\n\r\n",
}


def read_all(response: Response, _: Path) -> object:
    return response.content


def read_pieces(response: Response, _: Path) -> object:
    return list(response.iter_content(1000))


def read_raw(response: Response, _: Path) -> object:
    return response.raw.read()


def save(response: Response, folder: Path) -> object:
    return response.save(folder / "saved")


def started(read: Callable[[], object], errors: list[BaseException]) -> threading.Thread:
    """A thread that reads; what ends its reading goes into the list."""

    def run() -> None:
        try:
            read()
        except RequestException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("read", [read_all, read_pieces, read_raw, save])
@pytest.mark.parametrize("framed", HEADS)
@pytest.mark.parametrize("secure", [False, True])
def test_who_reads_a_response_that_another_thread_closes_is_told_and_robs_nobody(
    read: Callable[[Response, Path], object],
    framed: str,
    secure: bool,
    tls_context: ssl.SSLContext,
    ca_file: str,
    tmp_path: Path,
) -> None:
    """X5, R3, R5."""

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target == "/":
                peer.send(HEADS[framed] + HALF)
                assert peer.read_until_eof() == b"", "the connection serves nobody else"
                return
            peer.send(respond(b"next"))

    outcome: list[BaseException] = []
    server = ScriptedServer(script, tls=tls_context if secure else None)
    with server, no_socket_left(), Session(verify=ca_file) as session:
        response = session.get(server.url(), stream=True, timeout=None)
        body: Any = response._body
        connection = body._connection
        reader = started(lambda: read(response, tmp_path), outcome)
        wait_for(lambda: connection.body_received == len(HALF) and body._is_read, "it waits for the rest")
        response.close()
        assert body.closed
        assert session.stats().active == 0
        assert session.get(server.url("/next")).content == b"next"
        reader.join(DEADLINE)
        assert [type(error) for error in outcome] == [IncompleteBody]
        assert f"{server.port} is cut short after 5000 bytes: the response was closed while" in str(
            outcome[0]
        )
        assert body.received == 5000
        assert not (tmp_path / "saved").exists()
        assert session.stats().discarded == {"a body was not read to its end": 1}


class ClosedBetween(IncomingResponse):
    """What another thread closes when a piece has come, and the next one is not asked for yet."""

    __slots__ = ()

    def read_piece(self) -> bytes:
        piece = super().read_piece()
        self.close()
        return piece


def test_content_is_never_less_than_the_body_though_it_is_closed_between_two_pieces() -> None:
    """X5."""
    with ScriptedServer(keep_alive(lambda _: respond(bytes(2_000_000)))) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        body.__class__ = ClosedBetween
        with pytest.raises(IncompleteBody, match="closed while it was read"):
            _ = response.content


@pytest.mark.parametrize("read", [read_pieces, read_raw, save])
def test_who_goes_on_to_read_a_response_that_another_thread_has_closed_is_told(
    read: Callable[[Response, Path], object], tmp_path: Path
) -> None:
    """X5: what was read so far must not look like all of it."""
    with ScriptedServer(keep_alive(lambda _: respond(bytes(2_000_000)))) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body

        class ClosedElsewhere(IncomingResponse):
            __slots__ = ()

            def read_piece(self) -> bytes:
                piece = super().read_piece()
                closer = threading.Thread(target=response.close)
                closer.start()
                closer.join()
                return piece

        body.__class__ = ClosedElsewhere
        with pytest.raises(IncompleteBody, match="closed while it was read"):
            read(response, tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_who_closes_a_response_amid_its_pieces_gets_no_more_of_them() -> None:
    """As in requests."""
    with ScriptedServer(keep_alive(lambda _: respond(bytes(2_000_000)))) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        read = 0
        for piece in response.iter_content(None):
            read += len(piece)
            response.close()
        assert 0 < read < 2_000_000
        assert (response.raw.closed, response.raw.tell()) == (True, read)


def test_a_file_is_not_saved_of_a_response_that_is_closed_meanwhile(tmp_path: Path) -> None:
    """X5: the file is there whole or not at all."""
    with ScriptedServer(keep_alive(lambda _: respond(bytes(2_000_000)))) as server, Session() as session:
        response = session.get(server.url(), stream=True)

        def close(written: int, _: int | None) -> None:
            if written:
                response.close()

        with pytest.raises(IncompleteBody, match=r"bytes: the response was closed while it was saved"):
            response.save(tmp_path / "saved", progress=close)
        assert list(tmp_path.iterdir()) == []


def test_a_body_that_is_read_in_two_threads_goes_to_the_first_alone(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """X5: each would get a part of it."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEADS["by its length"] + HALF)
        assert go.wait(DEADLINE)
        peer.send(HALF)

    with ScriptedServer(script, tls=tls_context) as server, Session(verify=ca_file) as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        connection = body._connection
        reader = started(lambda: response.content, [])
        wait_for(lambda: connection.body_received == len(HALF) and body._is_read, "it waits for the rest")
        with pytest.raises(IncompleteBody, match="read by somebody else"):
            body.read_piece()
        go.set()
        reader.join(DEADLINE)
        assert response.content == 2 * HALF


def test_a_response_is_closed_over_its_reader_while_the_pool_is_locked() -> None:
    """L3: a finalizer that strikes amid a change of the pool leaves it to another thread."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEADS["by its length"] + HALF)
        peer.stall()

    outcome: list[BaseException] = []
    with ScriptedServer(script) as server, no_socket_left(), Session() as session:
        response = session.get(server.url(), stream=True, timeout=None)
        body: Any = response._body
        reader = started(lambda: response.content, outcome)
        wait_for(lambda: body._is_read, "somebody reads")
        with session.get_adapter("http://").pool._lock:  # type: ignore[attr-defined]
            response.close()
        reader.join(DEADLINE)
        assert [type(error) for error in outcome] == [IncompleteBody]
        assert session.stats().active == 0


def test_a_reader_who_comes_to_the_end_ahead_of_the_close_keeps_the_connection() -> None:
    """R3: between the look at the reader and the lock he may have given it back, and it is the next one's."""
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        claim, connection = body._claim, body._connection
        assert response.content == b"ok"
        body._pool._break_off(claim, connection)
        assert session.get(server.url()).content == b"ok"
        assert server.accepted == 1
