"""`Response.raw`, the undecoded body as a file, and `Response.save`, the decoded one as a file on disk."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp import Response, Session
from pystickyhttp.exceptions import IncompleteBody, StreamConsumedError
from pystickyhttp.raw import RawResponse
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

TEXT = b"".join(b"line %d\n" % number for number in range(2000))
CODED = gzip.compress(TEXT, mtime=0)


def answer(request: Any) -> bytes:
    if request.target == "/coded":
        return respond(CODED, headers=[("Content-Encoding", "gzip")])
    return respond(TEXT)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(answer)) as server:
        yield server


# --- raw


def test_raw_reads_the_bytes_as_they_came(server: ScriptedServer, session: Session) -> None:
    response = session.get(server.url("/coded"), stream=True)
    assert response.raw.read(10) == CODED[:10]
    assert response.raw.tell() == 10
    assert response.raw.read() == CODED[10:]
    assert response.raw.read() == b""


@pytest.mark.parametrize("ask", ["attribute", "argument"])
def test_raw_decodes_where_it_is_asked_to(ask: str, server: ScriptedServer, session: Session) -> None:
    response = session.get(server.url("/coded"), stream=True)
    if ask == "attribute":  # as programs for requests do, ahead of shutil.copyfileobj
        response.raw.decode_content = True
        assert response.raw.read() == TEXT
    else:
        assert response.raw.read(decode_content=True) == TEXT


def test_raw_is_a_file_for_whoever_takes_one(server: ScriptedServer, session: Session) -> None:
    copy = io.BytesIO()
    with session.get(server.url("/coded"), stream=True) as response:
        shutil.copyfileobj(response.raw, copy)
    assert copy.getvalue() == CODED
    with session.get(server.url("/coded"), stream=True) as response:
        assert gzip.GzipFile(fileobj=response.raw).read() == TEXT
    with session.get(server.url(), stream=True) as response:
        assert list(io.TextIOWrapper(io.BufferedReader(response.raw))) == TEXT.decode().splitlines(True)
    with session.get(server.url(), stream=True) as response:
        assert list(response.raw) == TEXT.splitlines(True)


def test_raw_streams_pieces_of_at_most_a_size(server: ScriptedServer, session: Session) -> None:
    pieces = list(session.get(server.url(), stream=True).raw.stream(1000))
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= 1000
    decoded = session.get(server.url("/coded"), stream=True).raw.stream(1000, decode_content=True)
    assert b"".join(decoded) == TEXT


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(min_value=0, max_value=5000), max_size=20))
def test_raw_reads_exactly_as_many_bytes_as_a_file_would(sizes: list[int]) -> None:
    response, file = Response(), io.BytesIO(TEXT)
    response.raw = io.BytesIO(TEXT)
    assert response._body is not None
    raw = RawResponse(response._body, response.headers, 200, "OK")
    for size in sizes:
        assert raw.read(size) == file.read(size)
        assert raw.tell() == file.tell()
    assert raw.read() == file.read()


def test_closing_raw_frees_the_connection(server: ScriptedServer, session: Session) -> None:
    session.max_connections = 1
    response = session.get(server.url(), stream=True)
    response.raw.close()
    assert response.raw.closed
    with pytest.raises(StreamConsumedError):
        _ = response.content
    assert session.get(server.url()).content == TEXT


def test_content_after_a_part_was_read_from_raw_is_an_error_and_not_a_part(
    server: ScriptedServer, session: Session
) -> None:
    response = session.get(server.url(), stream=True)
    response.raw.read(4)
    with pytest.raises(StreamConsumedError):
        _ = response.content
    response.close()


def test_raw_after_content_is_at_its_end(server: ScriptedServer, session: Session) -> None:
    assert session.get(server.url()).raw.read() == b""


def test_raw_of_a_body_cut_short_is_an_error(session: Session) -> None:
    """X5."""

    def cut(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    with ScriptedServer(cut) as server:
        response = session.get(server.url(), stream=True)
        with pytest.raises(IncompleteBody, match="3"):
            response.raw.read()


def test_read1_waits_for_no_further_piece(session: Session) -> None:
    seen = threading.Event()

    def slow(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        peer.wait(seen)
        peer.send(b"def")

    with ScriptedServer(slow) as server:
        response = session.get(server.url(), stream=True)
        assert response.raw.read1(100) == b"abc"
        seen.set()
        assert response.raw.read(100) == b"def"


def test_a_file_that_was_assigned_is_the_body() -> None:
    response = Response()
    response.headers["Content-Encoding"] = "gzip"
    response.raw = io.BytesIO(CODED)
    assert response.content == TEXT
    assert response.raw.closed is False or response.raw.closed is True  # its own affair


def test_a_response_iterates_over_its_body(server: ScriptedServer, session: Session) -> None:
    pieces = list(session.get(server.url(), stream=True))
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= 128


# --- save


def test_save_writes_the_decoded_body(server: ScriptedServer, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert session.get(server.url("/coded"), stream=True).save(path) == len(TEXT)
    assert path.read_bytes() == TEXT
    assert os.listdir(tmp_path) == ["file"]


def test_save_writes_a_body_that_was_read_already(
    server: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    response = session.get(server.url())
    response.save(str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == response.content


def test_save_tells_its_progress(server: ScriptedServer, session: Session, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    session.get(server.url(), stream=True).save(
        tmp_path / "a", lambda done, total: calls.append((done, total))
    )
    assert calls[0] == (0, len(TEXT))
    assert calls[-1] == (len(TEXT), len(TEXT))
    coded: list[tuple[int, int | None]] = []
    session.get(server.url("/coded"), stream=True).save(
        tmp_path / "b", progress=lambda done, total: coded.append((done, total))
    )
    assert coded[0] == (0, None), "the length of what is coded is not that of the file"
    assert coded[-1] == (len(TEXT), None)


def cut_short(peer: Peer) -> None:
    peer.expect_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part")


def test_a_save_that_fails_leaves_the_file_as_it_was(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with no_socket_left(), ScriptedServer(cut_short) as server, session:
        with pytest.raises(IncompleteBody):
            session.get(server.url(), stream=True).save(path)
        with pytest.raises(IncompleteBody):
            session.get(server.url(), stream=True).save(tmp_path / "new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_progress_that_fails_ends_the_save(
    server: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    session.max_connections = 1
    with pytest.raises(KeyboardInterrupt):
        session.get(server.url(), stream=True).save(tmp_path / "file", stop)
    assert os.listdir(tmp_path) == []
    assert session.get(server.url()).ok


def test_save_into_a_folder_or_beyond_one_says_what_is_wrong(
    server: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        session.get(server.url()).save(tmp_path)
    with pytest.raises(FileNotFoundError):
        session.get(server.url()).save(tmp_path / "none" / "file")


@pytest.mark.parametrize(
    ("umask", "old", "expected"), [(0o022, None, 0o644), (0o077, None, 0o600), (0o022, 0o600, 0o600)]
)
def test_a_saved_file_has_the_usual_permissions(
    umask: int, old: int | None, expected: int, server: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.touch(old)
    before = os.umask(umask)
    try:
        session.get(server.url()).save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == expected


def test_save_follows_a_symbolic_link(server: ScriptedServer, session: Session, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    session.get(server.url()).save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == TEXT


def test_save_keeps_no_more_in_memory_than_a_piece(session: Session, tmp_path: Path) -> None:
    size = 32 * 1024 * 1024

    def large(peer: Peer) -> None:
        peer.expect_request()
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size // 65536):
            peer.send(bytes(65536))

    with ScriptedServer(large) as server:
        tracemalloc.start()
        try:
            assert session.get(server.url(), stream=True).save(tmp_path / "file") == size
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < size / 4
