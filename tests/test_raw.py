"""`Response.raw`, the undecoded body as a file, and `Response.save`, the decoded one as a file on disk."""

from __future__ import annotations

import contextlib
import gc
import gzip
import io
import os
import re
import shutil
import stat
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp import ConnectionError, PreparedRequest, Request, Response, Session
from pystickyhttp.exceptions import ContentDecodingError, IncompleteBody, StreamConsumedError, TotalTimeout
from pystickyhttp.files import replacing
from pystickyhttp.headers import Headers
from pystickyhttp.raw import FileBody, RawResponse
from pystickyhttp.transport.pool import DRAIN_BYTES
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left, open_descriptors

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


def raw_of(content: bytes, pieces: int = 1 << 16) -> RawResponse:
    class Pieces(FileBody):
        def pieces(self) -> Iterator[bytes]:
            return (content[start : start + pieces] for start in range(0, len(content), pieces))

    return RawResponse(Pieces(io.BytesIO()), Headers(), 200, "OK")


def broken(peer: Peer) -> None:
    peer.expect_request()
    peer.send(respond(b"this is no gzip", headers=[("Content-Encoding", "gzip"), ("Connection", "close")]))


def test_a_failed_read_of_raw_names_its_request_and_frees_the_connection(session: Session) -> None:
    """L3; and what was read in part is not taken for an empty body."""
    session.max_connections = 1
    with ScriptedServer([broken, keep_alive(answer)]) as server:
        response = session.get(server.url(), stream=True)
        with pytest.raises(ContentDecodingError) as caught:
            response.raw.read(decode_content=True)
        assert caught.value.request is response.request
        assert caught.value.response is response
        assert response.raw.closed
        with pytest.raises(StreamConsumedError):
            _ = response.content
        assert session.get(server.url()).ok


def test_a_raw_that_failed_on_the_connection_names_its_request(session: Session) -> None:
    with ScriptedServer(cut_short) as server:
        response = session.get(server.url(), stream=True)
        with pytest.raises(IncompleteBody) as caught:
            response.raw.read()
        assert caught.value.request is response.request
        with pytest.raises(StreamConsumedError):
            _ = response.content


def test_an_error_of_raw_keeps_the_request_where_the_response_is_gone() -> None:
    class Breaking(FileBody):
        def pieces(self) -> Iterator[bytes]:
            raise IncompleteBody("it broke")

    response = Response()
    response.request = PreparedRequest()
    raw = RawResponse(Breaking(io.BytesIO()), Headers(), 200, "OK", response=response)
    request = response.request
    gone = weakref.ref(response)
    del response
    assert gone() is None, "raw must not keep its response"
    with pytest.raises(IncompleteBody) as caught:
        raw.read()
    assert caught.value.request is request
    assert caught.value.response is None


def test_a_response_and_its_raw_are_freed_without_the_collector() -> None:
    """R6."""
    response = Response()
    response.raw = io.BytesIO(CODED)
    assert response._body is not None
    response.headers["Content-Encoding"] = "gzip"
    response._raw = raw = RawResponse(response._body, response.headers, 200, "OK", response=response)
    raw.decode_content = True
    assert raw.read(3) == TEXT[:3]
    gone = weakref.ref(raw)
    gc.disable()
    try:
        del response, raw
        assert gone() is None
    finally:
        gc.enable()


def test_the_deadline_holds_while_raw_decodes() -> None:
    """T1: a body that decodes to nothing for long comes from no network that could time out."""
    bomb = gzip.compress(gzip.compress(bytes(1 << 24)))

    class Timed(FileBody):
        checks = 0

        def check_time(self) -> None:
            self.checks += 1
            if self.checks == 3:
                raise TotalTimeout("the time is up")

    body = Timed(io.BytesIO(bomb))
    raw = RawResponse(body, Headers({"Content-Encoding": "gzip, gzip"}), 200, "OK")
    with pytest.raises(TotalTimeout):
        raw.read(decode_content=True)
    assert body.closed


def test_a_step_of_decoding_that_gives_nothing_is_not_the_end() -> None:
    response = Response()
    response.raw = io.BytesIO(gzip.compress(CODED))
    assert response._body is not None
    raw = RawResponse(response._body, Headers({"Content-Encoding": "gzip, gzip"}), 200, "OK")
    assert b"".join(raw.stream(None, decode_content=True)) == TEXT


@pytest.mark.parametrize("amt", [None, -1])
def test_a_stream_without_limit_loses_nothing(amt: int | None) -> None:
    assert list(raw_of(b"0123456789", 4).stream(amt)) == [b"0123", b"4567", b"89"]


def test_raw_is_closed_once_its_end_was_seen(server: ScriptedServer, session: Session) -> None:
    raw = session.get(server.url(), stream=True).raw
    parts = []
    while not raw.closed:
        parts.append(raw.read(4000))
    assert b"".join(parts) == TEXT
    assert raw.isclosed()
    assert raw.read() == raw.readline() == raw.read1() == b""
    assert list(raw) == []
    raw = raw_of(b"x")
    assert raw.read(0) == b""
    assert not raw.closed


def test_a_wrapper_that_reads_past_the_end_can_have_raw_stay_open() -> None:
    raw = raw_of(TEXT)
    raw.auto_close = False
    copy = io.BytesIO()
    shutil.copyfileobj(io.BufferedReader(raw), copy)
    assert copy.getvalue() == TEXT


def test_raw_has_the_names_of_urllib3s_responses(server: ScriptedServer, session: Session) -> None:
    raw = session.get(server.url(), stream=True).raw
    assert raw.version == 11
    assert raw.getheader("content-length") == str(len(TEXT))
    assert raw.getheader("X-None") is None
    assert raw.getheader("X-None", "x") == "x"
    assert raw.getheaders()["Content-Length"] == str(len(TEXT))
    assert not raw.isclosed()
    assert raw.data == TEXT

    class Old(FileBody):
        version = 10

    assert RawResponse(Old(io.BytesIO()), Headers(), 200, "OK").version == 10


@settings(deadline=None)
@given(
    st.binary(max_size=40).map(lambda b: bytes(b"\nab"[byte % 3] for byte in b)),
    st.integers(1, 9),
    st.lists(st.none() | st.integers(-1, 9), max_size=20),
)
def test_raw_reads_the_lines_that_a_file_would(content: bytes, pieces: int, sizes: list[int | None]) -> None:
    raw, file = raw_of(content, pieces), io.BytesIO(content)
    for size in sizes:
        assert raw.readline(size) == file.readline(size)
        assert raw.tell() == file.tell()
    assert list(raw) == list(file)


def test_lines_of_raw_take_no_step_for_each_byte() -> None:
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    line = b"x" * 1000 + b"\n"
    raw = raw_of(line * 100)
    sys.setprofile(count)
    try:
        lines = list(raw)
    finally:
        sys.setprofile(None)
    assert lines == [line] * 100
    assert calls < 100 * 100


def test_small_reads_of_a_large_piece_copy_what_they_return_alone() -> None:
    content = bytes(1 << 22)
    raw = raw_of(content, len(content))
    raw.read(1)
    tracemalloc.start()
    try:
        raw.read(10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 16


def test_the_rest_of_a_file_is_kept_where_it_is_small() -> None:
    """R5."""
    small = FileBody(io.BytesIO(bytes(DRAIN_BYTES)))
    assert small.read_rest() == bytes(DRAIN_BYTES)
    assert small.closed
    assert small.read_rest() is None, "what was closed is not empty"
    file = io.BytesIO(bytes(10 * DRAIN_BYTES))
    ends: list[int] = []
    file.close = lambda: ends.append(file.tell())  # type: ignore[method-assign]
    assert FileBody(file).read_rest() is None
    assert ends
    assert ends[0] <= 2 * DRAIN_BYTES


def test_the_rest_of_a_file_that_breaks_is_none() -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise IncompleteBody("it broke")

    file = Breaking()
    assert FileBody(file).read_rest() is None
    assert file.closed


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
    path = tmp_path / "none" / "file"  # and not the one beside it that is written first
    with pytest.raises(FileNotFoundError, match=re.escape(repr(str(path)))):
        session.get(server.url()).save(path)


@pytest.mark.parametrize(
    ("umask", "old", "expected"),
    [
        (0o022, None, 0o644),
        (0o077, None, 0o600),
        (0o022, 0o600, 0o600),
        (0o022, 0o664, 0o664),
        (0o022, 0o755, 0o755),
    ],
)
def test_a_saved_file_has_the_usual_permissions(
    umask: int, old: int | None, expected: int, server: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.touch()
        path.chmod(old)
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


# --- files


def test_a_file_for_its_owner_alone_is_never_wider(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o664)
    before = os.umask(0)
    try:
        with replacing(path, 0o600) as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_owner_of_a_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o664)
    asked: list[tuple[int, int]] = []

    def refuse(descriptor: int, owner: int, group: int) -> None:
        asked.append((owner, group))
        raise PermissionError("only root may")

    monkeypatch.setattr(os, "fchown", refuse)
    with replacing(path) as file:
        file.write(b"x")
    assert asked == [(-1, path.stat().st_gid), (path.stat().st_uid, -1)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(path) as file:
            file.write(b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_device_is_written_to_and_not_replaced() -> None:
    with replacing(os.devnull) as file:
        assert file.name == os.devnull
        file.write(b"gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("kind", ["long", "bytes", "path of bytes"])
def test_every_name_that_a_file_can_have_can_be_saved_to(kind: str, tmp_path: Path) -> None:
    class Bytes(os.PathLike[bytes]):
        def __fspath__(self) -> bytes:
            return os.fsencode(tmp_path / "name")

    names: dict[str, Any] = {
        "long": tmp_path / ("a" * 240),
        "bytes": os.fsencode(tmp_path / "name"),
        "path of bytes": Bytes(),
    }
    with replacing(names[kind]) as file:
        file.write(b"x")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"x"]


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # it is closed, as the warning is given
def test_an_interrupt_at_any_step_leaves_nothing_behind(tmp_path: Path) -> None:
    """L3."""
    code = replacing.__wrapped__.__code__  # type: ignore[attr-defined]

    def interrupted_at(step: int) -> bool:
        left = step

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal left
            if frame.f_code is not code:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            with contextlib.suppress(KeyboardInterrupt), replacing(tmp_path / "file") as file:
                file.write(b"x")
        finally:
            sys.settrace(before)
        return left <= 0

    before, step = open_descriptors(), 1
    while interrupted_at(step):
        assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part")), step
        assert not open_descriptors() - before
        step += 1
    assert step > 10
    assert (tmp_path / "file").read_bytes() == b"x"


# --- files that adapters give


class Reads:
    """The least that a body of an adapter can be: no close(), and nothing else."""

    def __init__(self, *pieces: bytes | BaseException) -> None:
        self._pieces = list(pieces)

    def read(self, size: int) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, BaseException):
            raise piece
        return piece


def test_a_file_needs_nothing_but_read_and_gives_nothing_once_it_is_closed() -> None:
    body = FileBody(Reads(b"a", b"b", b"c"))
    assert body.read_piece() == b"a"
    body.close()
    assert body.closed
    assert body.read_piece() == b""
    assert body.read() == b""


def test_the_response_of_urllib3_is_decoded_once() -> None:
    """It decodes by itself unless it is told not to, as requests tells it."""
    response = Response()
    response.headers = Headers([("Content-Encoding", "gzip")])
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(CODED), headers={"Content-Encoding": "gzip"}, preload_content=False
    )
    assert response.content == TEXT


def test_a_body_that_comes_from_no_connection_has_none_to_take_over() -> None:
    raw = RawResponse(FileBody(io.BytesIO(b"a")), Headers(), 200, "OK")
    with pytest.raises(ValueError, match="from no connection"):
        raw.detach()


def test_raw_shows_its_status_and_how_far_it_is_read(server: ScriptedServer, session: Session) -> None:
    response = session.get(server.url(), stream=True)
    response.raw.read(7)
    assert repr(response.raw) == "<RawResponse [200]: 7 bytes read>"


def test_an_error_of_a_file_goes_through_as_it_is_and_closes_it() -> None:
    body = FileBody(Reads(b"a", OSError("the tape is torn")))
    raw = RawResponse(body, Headers(), 200, "OK")
    with pytest.raises(OSError, match="the tape is torn"):
        raw.read()
    assert body.closed


def test_an_error_that_knows_its_request_keeps_it() -> None:
    """A file may be made of requests of its own."""
    request = Request("GET", "http://inner.example/").prepare()
    body = FileBody(Reads(b"a", ConnectionError("broke", request=request)))
    raw = RawResponse(body, Headers(), 200, "OK")
    with pytest.raises(ConnectionError) as caught:
        raw.read()
    assert caught.value.request is request
    assert body.closed
