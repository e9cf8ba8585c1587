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
from pystickyhttp.transport import HTTPConnection, IncomingResponse
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
        assert body.marks.ended is not None
        assert body.received == len(HALF)


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


def in_another_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(DEADLINE)


WHOLE = {
    "by its length": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + HALF,
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + HALF + b"\r\n0\r\n\r\n",
    "by the end": b"HTTP/1.1 200 OK\r\n\r\n" + HALF,
}


@pytest.mark.parametrize("read", [read_all, read_pieces, read_raw, save])
@pytest.mark.parametrize("framed", WHOLE)
def test_who_has_read_all_of_a_response_in_the_instant_in_which_it_is_closed_has_it(
    read: Callable[[Response, Path], object], framed: str, tmp_path: Path
) -> None:
    """X5: its end has come, and is the reader's to see next."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(WHOLE[framed])

    class ClosedAtTheEnd(HTTPConnection):
        __slots__ = ()

        def read_piece(self, deadline: Any) -> bytes:
            piece = super().read_piece(deadline)
            if self.ended:
                in_another_thread(response.close)
            return piece

    with ScriptedServer(script) as server, no_socket_left(), Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        body._connection.__class__ = ClosedAtTheEnd
        read(response, tmp_path)
        assert body.received == len(HALF)
        assert not body.closed_early
        assert session.stats().active == 0


@pytest.mark.parametrize("read", [read_all, read_pieces, read_raw, save])
def test_who_has_the_rest_of_a_response_at_hand_when_it_is_closed_has_it(
    read: Callable[[Response, Path], object], tmp_path: Path
) -> None:
    """X5: what had come before the close is not lost by it."""

    class ClosedAhead(HTTPConnection):
        __slots__ = ()

        def read_piece(self, deadline: Any) -> bytes:
            in_another_thread(response.close)
            return super().read_piece(deadline)

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(WHOLE["by its length"])
        assert peer.read_until_eof() == b""

    with ScriptedServer(script) as server, no_socket_left(), Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        body._connection.__class__ = ClosedAhead
        read(response, tmp_path)
        assert body.received == len(HALF)
        assert not body.closed_early
        assert session.stats().active == 0
        server.wait_for_scripts()


@pytest.mark.usefixtures("unhurried_drain")
def test_a_rest_that_is_drained_is_read_by_nobody_else() -> None:
    """R5: who reads on meanwhile is told that it was closed, and the connection can be kept."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEADS["by its length"] + HALF)
        peer.wait(go)
        peer.send(HALF)
        keep_alive(lambda _: respond(b"next"))(peer)

    with ScriptedServer(script) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        connection = body._connection
        assert len(body.read_piece()) == len(HALF)
        closer = threading.Thread(target=response.close)
        closer.start()
        wait_for(lambda: body._closer and body._connection is None, "the rest is waited for")
        with pytest.raises(IncompleteBody, match="closed while it was read"):
            body.read_piece()
        response.close()
        assert not connection.closed
        go.set()
        closer.join(DEADLINE)
        assert session.get(server.url()).content == b"next"
        assert server.accepted == 1


@pytest.mark.usefixtures("unhurried_drain")
def test_a_body_that_lacked_nothing_but_the_word_that_it_was_all_is_whole() -> None:
    """X5."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEADS["in chunks"].replace(b"2710", b"1388") + HALF + b"\r\n")
        peer.wait(go)
        peer.send(b"0\r\n\r\n")

    with ScriptedServer(script) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        assert len(body.read_piece()) == len(HALF)
        go.set()
        in_another_thread(response.close)
        assert body.read() == b""
        assert not body.closed_early


def test_a_reader_who_has_gone_on_when_it_is_broken_off_leaves_no_socket_open() -> None:
    """R5: between the look at the reader and the lock a piece may come, upon which he sees nothing of it."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEADS["by its length"] + HALF[:-1])
        peer.wait(go)
        peer.send(HALF[-1:])
        peer.stall()

    with ScriptedServer(script) as server, no_socket_left(), Session() as session:
        response = session.get(server.url(), stream=True, timeout=None)
        body: Any = response._body
        connection = body._connection
        reader = threading.Thread(target=lambda: [body.read_piece() for _ in range(2)])
        reader.start()
        wait_for(lambda: connection.body_received == len(HALF) - 1 and body._is_read, "it waits for more")
        closer = threading.Thread(target=response.close)
        with session.get_adapter("http://").pool._lock:  # type: ignore[attr-defined]
            closer.start()
            wait_for(lambda: bool(body._closer), "it is about to be closed")
            go.set()
            reader.join(DEADLINE)
        closer.join(DEADLINE)
        assert connection.closed
        with pytest.raises(IncompleteBody, match="closed while it was read"):
            body.read_piece()


@pytest.mark.parametrize("coding", ["identity", None])
def test_content_is_whole_or_an_error_whoever_closes_it_between_two_pieces(coding: str | None) -> None:
    """X5: a signal handler of its reader's own thread included."""
    headers = {} if coding is None else {"Content-Encoding": coding}
    large = keep_alive(lambda _: respond(bytes(2_000_000), headers=headers))
    with ScriptedServer(large) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        body.__class__ = ClosedBetween
        with pytest.raises(IncompleteBody, match="closed while it was read"):
            _ = response.content


def test_who_closes_a_response_whose_connection_was_just_given_back_leaves_that_alone() -> None:
    """R3: it is idle, or the next one's, whose answer he would take."""
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        body: Any = response._body
        assert not body.closed
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        really = pool._release
        closed: list[bool] = []

        def release(*given: Any) -> bool:
            is_pooled = really(*given)
            pool._release = really
            response.close()
            closed.append(body.closed)
            return bool(is_pooled)

        pool._release = release
        assert response.content == b"ok"
        assert closed == [True]
        assert session.get(server.url()).content == b"ok"
        assert server.accepted == 1
        assert session.stats().discarded == {}


def test_an_interrupt_of_who_closes_a_response_over_its_reader_leaves_it_to_the_reader() -> None:
    """L3: to close its socket would not wake him, and its number may be the next one's."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEADS["by its length"] + HALF)
        peer.wait(go)
        peer.send(HALF)
        peer.stall()

    def interrupted(*_: Any) -> bool:
        raise KeyboardInterrupt

    read: list[bytes] = []
    with ScriptedServer(script) as server, no_socket_left(), Session() as session:
        response = session.get(server.url(), stream=True, timeout=None)
        body: Any = response._body
        connection = body._connection
        reader = threading.Thread(target=lambda: read.append(response.content))
        reader.start()
        wait_for(lambda: connection.body_received == len(HALF) and body._is_read, "it waits for the rest")
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        pool._break_off = interrupted
        with pytest.raises(KeyboardInterrupt):
            response.close()
        assert not connection.closed
        go.set()
        reader.join(DEADLINE)
        assert read == [2 * HALF]
        assert session.stats().active == 0
