"""Files that the system sends by itself (sendfile): the same bytes, watch and limits as with a read()."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pystickyhttp
from pystickyhttp import ConnectionLost, Session
from pystickyhttp.bodies import PIECE, FileSection, StreamedBody, encode, is_plain_file
from pystickyhttp.exceptions import InvalidBody, TotalTimeout, WriteTimeout
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import HTTPConnection, OutgoingRequest, Route
from pystickyhttp.transport.connection import SEND_STEP, SMALL_BODY
from tests.servers.real import RealServer, RealServers
from tests.servers.scripted import Peer, Request, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

CONTENT = os.urandom(3 * SEND_STEP + 1)
LARGE_SIZE = 50_000_000
REFUSAL = respond(b"too large", status=413)

SendFile = Callable[[int, int, int, int], int]


class Watch:
    """Notes what the system is told to send, and lets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[int, int]] = []
        self.sent = 0
        self._really = os.sendfile
        monkeypatch.setattr(os, "sendfile", self)

    def __call__(self, to: int, source: int, offset: int, count: int) -> int:
        self.asked.append((offset, count))
        sent = self._really(to, source, offset, count)
        self.sent += sent
        return sent


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    """A file that holds CONTENT, and stands at its begin."""
    path = tmp_path / "body"
    path.write_bytes(CONTENT)
    with path.open("rb") as opened:
        yield opened


@pytest.fixture
def large(tmp_path: Path) -> Iterator[BinaryIO]:
    """A file larger than what the kernel takes at once."""
    path = tmp_path / "large"
    with path.open("wb") as made:
        made.truncate(LARGE_SIZE)
    with path.open("rb") as opened:
        yield opened


def reads_on(peer: Peer) -> None:
    peer.read_until_eof()


@pytest.fixture
def session(ca_file: str) -> Iterator[Session]:
    with Session() as session:
        session.verify = ca_file
        yield session


def echoing() -> ScriptedServer:
    return ScriptedServer(keep_alive(lambda request: respond(request.body)))


# -- what is sent -----------------------------------------------------------------------------------------


def test_a_file_on_a_disk_is_sent_by_the_system(file: BinaryIO, watch: Watch, session: Session) -> None:
    with echoing() as server:
        assert session.post(server.url(), data=file).content == CONTENT
        session.close()
        assert server.requests[0].header("Content-Length") == str(len(CONTENT))
    assert watch.sent == len(CONTENT)


def test_a_file_leaves_in_bounded_steps(large: BinaryIO, watch: Watch, session: Session) -> None:
    """X2: in between the peer is listened to, however fast it takes what is sent."""
    with ScriptedServer(keep_alive(lambda request: respond(str(len(request.body))))) as server:
        assert session.post(server.url(), data=large).text == str(LARGE_SIZE)
        session.close()
    assert max(count for _, count in watch.asked) == SEND_STEP
    assert watch.sent == LARGE_SIZE


def test_a_file_that_is_smaller_than_one_read_is_read(tmp_path: Path, watch: Watch, session: Session) -> None:
    (tmp_path / "small").write_bytes(CONTENT[: PIECE - 1])
    with echoing() as server, (tmp_path / "small").open("rb") as small:
        assert session.post(server.url(), data=small).content == CONTENT[: PIECE - 1]
        session.close()
    assert watch.asked == []


@pytest.mark.parametrize("opened", ["rb", "r+b", "raw"])
@pytest.mark.parametrize("position", [0, 1, 8191, 8192, PIECE, 2 * SEND_STEP])
def test_a_file_is_sent_from_where_it_stands_and_stands_at_its_end_then(
    opened: str, position: int, tmp_path: Path, watch: Watch, session: Session
) -> None:
    """P2: as if it had been read, whatever Python has read ahead."""
    (tmp_path / "body").write_bytes(CONTENT)
    how: dict[str, Any] = {"mode": "rb", "buffering": 0} if opened == "raw" else {"mode": opened}
    with (tmp_path / "body").open(**how) as body, echoing() as server:
        body.seek(max(0, position - 100))
        body.read(position - body.tell())
        assert session.post(server.url(), data=body).content == CONTENT[position:]
        assert body.tell() == len(CONTENT)
        assert body.read() == b""
        session.close()
    assert watch.sent == len(CONTENT) - position


def test_what_python_has_yet_to_write_is_written_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    really = os.sendfile
    on_disk: list[bytes] = []

    def look(to: int, source: int, offset: int, count: int) -> int:
        on_disk.append(os.pread(source, 12, offset))
        return really(to, source, offset, count)

    monkeypatch.setattr(os, "sendfile", look)
    (tmp_path / "body").write_bytes(CONTENT)
    with (tmp_path / "body").open("r+b") as body, echoing() as server:
        body.read(10)
        body.write(b"changed")
        body.seek(5)  # within what was read ahead: Python has no reason to write
        assert (tmp_path / "body").read_bytes() == CONTENT
        expected = CONTENT[5:10] + b"changed" + CONTENT[17:]
        assert session.post(server.url(), data=body).content == expected
        session.close()
    assert on_disk[0] == expected[:12]


def test_more_than_one_file_goes_over_one_connection(file: BinaryIO, watch: Watch, session: Session) -> None:
    """R3: h11 has counted what it has not seen."""
    with echoing() as server:
        for _ in range(3):
            file.seek(0)
            assert session.post(server.url(), data=file).content == CONTENT
        assert session.get(server.url()).content == b""
        assert server.accepted == 1
        session.close()
    assert watch.sent == 3 * len(CONTENT)


ECHOING = [name for name in RealServers.KEEPING_ALIVE if not name.startswith(("nginx", "httpbin"))]


@pytest.mark.parametrize("keep_alive_server", ECHOING, indirect=True)
def test_a_file_arrives_whole_at_a_real_server(
    keep_alive_server: RealServer, tmp_path: Path, watch: Watch, session: Session
) -> None:
    (tmp_path / "body").write_bytes(CONTENT[:300_000])
    with (tmp_path / "body").open("rb") as body:
        seen = session.post(keep_alive_server.url + "/echo", data=body).json()
    assert seen["body"].encode("latin-1") == CONTENT[:300_000]
    assert watch.sent == 300_000


def test_a_file_that_grows_is_sent_to_the_length_that_was_promised(
    file: BinaryIO, watch: Watch, session: Session
) -> None:
    """X6: more would be read as the next request."""
    with echoing() as server:
        prepared = session.prepare_request(pystickyhttp.Request("POST", server.url(), data=file))
        with open(file.name, "ab") as again:
            again.write(CONTENT)
        assert session.send(prepared).content == CONTENT
        assert session.get(server.url()).content == b""
        session.close()
    assert watch.sent == len(CONTENT)


# -- what is not --------------------------------------------------------------------------------------------


class Shouting(io.BufferedReader):
    """A file that is not what it is on the disk."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size).upper()


def shouting(path: Path) -> BinaryIO:
    return Shouting(io.FileIO(path))


def patched(path: Path) -> BinaryIO:
    """What a progress bar may do to a file."""
    opened = path.open("rb")
    really = opened.read
    opened.read = lambda size=-1: really(size).upper()  # type: ignore[method-assign]
    return cast(BinaryIO, opened)


def patched_beneath(path: Path) -> BinaryIO:
    opened = path.open("rb")
    raw = opened.raw
    really = raw.readinto

    def readinto(buffer: Any) -> int | None:
        size = really(buffer)
        buffer[:size] = bytes(buffer[:size]).upper()
        return size

    raw.readinto = readinto  # type: ignore[method-assign]
    return cast(BinaryIO, opened)


def over_a_shouting_raw_file(path: Path) -> BinaryIO:
    class Raw(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            size = super().readinto(buffer)
            buffer[:size] = bytes(buffer[:size]).upper()
            return size

    return io.BufferedReader(Raw(path))


def piped(path: Path) -> BinaryIO:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as end:
            end.write(path.read_bytes())

    threading.Thread(target=write).start()
    return os.fdopen(reading, "rb")


def compressed(path: Path) -> BinaryIO:
    with gzip.open(path.with_suffix(".gz"), "wb") as written:
        written.write(path.read_bytes())
    return cast(BinaryIO, gzip.open(path.with_suffix(".gz"), "rb"))


def wrapped(path: Path) -> BinaryIO:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - the test closes it
    file.write(path.read_bytes())
    file.seek(0)
    return cast(BinaryIO, file)


def spooled(path: Path) -> BinaryIO:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - the test closes it
    file.write(path.read_bytes())
    file.seek(0)
    return cast(BinaryIO, file)


TEXT = "Words of 16 byt\n" * 20_000

READ: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a subclass with a read() of its own": (shouting, TEXT.upper()),
    "a file with another read()": (patched, TEXT.upper()),
    "a raw file with another readinto()": (patched_beneath, TEXT.upper()),
    "a raw file of a subclass": (over_a_shouting_raw_file, TEXT.upper()),
    "a pipe": (piped, TEXT),
    "a compressed file": (compressed, TEXT),
    "a temporary file with a wrapper": (wrapped, TEXT),
    "a spooled file": (spooled, TEXT),
    "a file in memory": (lambda path: io.BytesIO(path.read_bytes()), TEXT),
    "text in memory": (lambda path: io.StringIO(path.read_text()), TEXT),
    "a text file": (lambda path: path.open(), TEXT),
}
MADE_AS_IT_IS_READ = Path("/proc/self/environ")
if MADE_AS_IT_IS_READ.exists():  # Linux has such files, which say that they are empty
    READ["a file below /proc"] = lambda _: MADE_AS_IT_IS_READ.open("rb"), MADE_AS_IT_IS_READ.read_text()


@pytest.mark.parametrize("kind", READ)
def test_what_is_no_plain_file_is_read(kind: str, tmp_path: Path, watch: Watch, session: Session) -> None:
    opened, expected = READ[kind]
    (tmp_path / "body").write_text(TEXT)
    with echoing() as server, opened(tmp_path / "body") as body:
        assert session.post(server.url(), data=body).text == expected
        session.close()
    assert watch.asked == []


def test_only_pythons_own_files_on_a_disk_are_plain(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"1")
    for mode in ("rb", "r+b"):
        with path.open(mode) as plain:
            assert is_plain_file(plain)
            cast(Any, plain).note = "of the caller's own"
            assert is_plain_file(plain)
    with open("/dev/zero", "rb") as device:
        assert not is_plain_file(device)


def test_over_tls_a_file_is_read(
    tls_context: ssl.SSLContext, file: BinaryIO, watch: Watch, session: Session
) -> None:
    """The system would send it as it is."""
    with ScriptedServer(keep_alive(lambda r: respond(r.body)), tls=tls_context) as server:
        assert session.post(server.url(), data=file).content == CONTENT
        session.close()
    assert watch.asked == []


class Ciphering(socket.socket):
    """A socket that changes what goes over it."""

    def send(self, data: Any, flags: int = 0, /) -> int:
        return super().send(bytes(data).swapcase(), flags)


def test_over_a_socket_of_another_kind_a_file_is_read(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / "body").write_bytes(b"x" * PIECE)
    ours, theirs = socket.socketpair()
    received = bytearray()

    def take() -> None:
        while not received.endswith(b"X" * PIECE):
            received.extend(theirs.recv(PIECE))
        theirs.sendall(respond(b"ok"))

    theirs.settimeout(10)
    taking = threading.Thread(target=take)
    taking.start()
    with theirs, Ciphering(fileno=ours.detach()) as ciphering, (tmp_path / "body").open("rb") as body:
        connection = HTTPConnection(ciphering, Route("http", "a", 80), 0.0)
        fields = [(b"Host", b"a"), (b"Content-Length", b"%d" % PIECE)]
        request = OutgoingRequest.make("POST", "/", fields, StreamedBody(body, 0, PIECE))
        assert connection.exchange(request, Timeout(read=10).start()).status_code == 200
        taking.join()
    assert watch.asked == []


def test_where_the_system_has_no_sendfile_a_file_is_read(
    file: BinaryIO, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.delattr(os, "sendfile")
    with echoing() as server:
        assert session.post(server.url(), data=file).content == CONTENT
        session.close()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EOVERFLOW, errno.EIO])
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_where_the_system_can_not_send_such_a_file_it_is_read(
    number: int, calls: int, file: BinaryIO, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    """Be it amid the file: each step begins where the last one ended."""
    really = os.sendfile
    called: list[int] = []

    def refuses(to: int, source: int, offset: int, count: int) -> int:
        called.append(offset)
        if len(called) > calls:
            raise OSError(number, os.strerror(number))
        return really(to, source, offset, count)

    monkeypatch.setattr(os, "sendfile", refuses)
    with echoing() as server:
        assert session.post(server.url(), data=file).content == CONTENT
        assert file.tell() == len(CONTENT)
        session.close()
    assert len(called) > calls


def test_a_system_that_takes_nothing_after_all_is_asked_again(
    file: BinaryIO, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X2: that a socket can be written to is a hint of poll(2), and no promise (its section BUGS)."""
    really, refusals = os.sendfile, iter([True, False, True])

    def sendfile(to: int, source: int, offset: int, count: int) -> int:
        if next(refusals, False):
            raise BlockingIOError
        return really(to, source, offset, count)

    monkeypatch.setattr(os, "sendfile", sendfile)
    with ScriptedServer(keep_alive(lambda request: respond(request.body))) as server:
        assert session.post(server.url(), data=file).content == CONTENT


def test_a_file_that_the_system_can_not_send_and_that_was_cut_is_an_error(
    file: BinaryIO, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X5: what is left of it is nothing, and the server waits for more."""

    def sendfile(*_: int) -> int:
        os.truncate(file.name, 0)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "sendfile", sendfile)
    with ScriptedServer([lambda peer: peer.stall()]) as server, no_socket_left():
        with pytest.raises(InvalidBody, match=r"the file ended .* bytes ahead of it"):
            session.post(server.url(), data=file)


def test_a_file_that_can_not_be_read_says_so_itself(
    file: BinaryIO, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    """It is no fault of the connection's, and no answer is waited for."""

    def fails(to: int, source: int, offset: int, count: int) -> int:
        # By then the descriptor is another one's, of a folder: as of a disk that has gone.
        os.dup2(folder, file.fileno())
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "sendfile", fails)
    folder = os.open("/", os.O_RDONLY)
    with ScriptedServer(reads_on) as server, no_socket_left():
        with pytest.raises(IsADirectoryError):
            session.post(server.url(), data=file)
    os.close(folder)


def test_a_section_is_the_same_bytes_wherever_the_file_stands(file: BinaryIO) -> None:
    """The system is told the place, and so is who reads in its stead."""
    section = FileSection(file, 10, 100)
    file.seek(50)
    assert section.read(7) == CONTENT[10:17]
    assert section.read(1000) == CONTENT[10:110]
    rest = section.after(30)
    assert (rest.start, len(rest), file.tell()) == (40, 70, 40)
    assert rest.read(1000) == CONTENT[40:110]
    assert rest.fileno() == file.fileno()


# -- X1 ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def each_write_by_itself() -> Iterator[tuple[HTTPConnection, socket.socket]]:
    """A datagram of its own for each write shows how many there were."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield HTTPConnection(ours, Route("http", "a", 80), 0.0), theirs


@pytest.mark.parametrize("size", [0, 1, SMALL_BODY])
def test_head_and_small_file_leave_in_one_write(size: int, tmp_path: Path) -> None:
    """X1."""
    (tmp_path / "small").write_bytes(b"x" * size)
    with each_write_by_itself() as (connection, theirs), (tmp_path / "small").open("rb") as small:
        fields = [(b"Host", b"a"), (b"Content-Length", b"%d" % size)]
        body = StreamedBody(small, 0, size)
        theirs.sendall(respond(b"ok"))
        connection.exchange(OutgoingRequest.make("POST", "/", fields, body), Timeout().start())
        assert theirs.recv(1 << 20).endswith(b"\r\n\r\n" + b"x" * size)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
        assert small.tell() == size


def test_a_small_pipe_does_not_hold_up_the_head(session: Session) -> None:
    """X1: nobody knows when its bytes come. Here they come when the server has seen the head."""
    reading, writing = os.pipe()

    def script(peer: Peer) -> None:
        request = peer.read_head()
        with os.fdopen(writing, "wb") as end:
            end.write(b"body")
        peer.send(respond(peer.read_body(request)))

    with ScriptedServer(script) as server, os.fdopen(reading, "rb") as pipe:
        assert session.post(server.url(), data=pipe, headers={"Content-Length": "4"}).text == "body"


def test_a_small_file_that_is_cut_is_refused_before_a_byte_of_it_is_sent(tmp_path: Path) -> None:
    """X6."""
    (tmp_path / "small").write_bytes(b"x")
    with each_write_by_itself() as (connection, theirs), (tmp_path / "small").open("rb") as small:
        fields = [(b"Host", b"a"), (b"Content-Length", b"2")]
        request = OutgoingRequest.make("POST", "/", fields, StreamedBody(small, 0, 2))
        with pytest.raises(InvalidBody):
            connection.exchange(request, Timeout().start())
        assert theirs.recv(100) == b""


# -- X2, X3 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["rst", "reads on"])
def test_a_final_response_that_comes_early_stops_the_upload_and_is_returned(
    ending: str, large: BinaryIO, watch: Watch, session: Session
) -> None:
    """X2."""

    def refuses(peer: Peer) -> None:
        peer.read_head()
        peer.read_some()
        peer.send(REFUSAL)
        if ending == "rst":
            peer.rst()
        else:
            peer.read_until_eof()

    with ScriptedServer(refuses, receive_buffer=4096) as server, no_socket_left():
        for _ in range(3):
            large.seek(0)
            response = session.post(server.url(), data=large, timeout=10)
            assert (response.status_code, response.text) == (413, "too large")
        server.wait_for_open(0)
        assert server.accepted == 3
    assert 0 < watch.sent < 3 * LARGE_SIZE


def test_a_file_whose_upload_was_stopped_stands_where_it_was_stopped(
    large: BinaryIO, watch: Watch, session: Session
) -> None:
    """As if so much had been read."""

    def refuses(peer: Peer) -> None:
        peer.read_head()
        peer.read_some()
        peer.send(REFUSAL)
        peer.read_until_eof()

    with ScriptedServer(refuses, receive_buffer=4096) as server, no_socket_left():
        assert session.post(server.url(), data=large, timeout=10).status_code == 413
    assert large.tell() == watch.sent


def test_a_server_that_dies_amid_a_file_is_lost_with_the_count_of_what_was_sent(
    large: BinaryIO, watch: Watch, session: Session
) -> None:
    """X2: there was no answer."""

    def dies(peer: Peer) -> None:
        peer.read_head()
        peer.read_some()
        peer.rst()

    with ScriptedServer(dies, receive_buffer=4096) as server, no_socket_left():
        with pytest.raises(ConnectionLost) as caught:
            session.post(server.url(), data=large, timeout=10)
        assert 0 < watch.sent < caught.value.sent < LARGE_SIZE
        assert caught.value.received == 0


@pytest.mark.parametrize("error", [BrokenPipeError, ConnectionResetError, TimeoutError])
def test_what_the_system_says_of_the_connection_is_no_reason_to_read(
    error: type[OSError], file: BinaryIO, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    """X2: the response is read first, if there is one."""

    def breaks(to: int, source: int, offset: int, count: int) -> int:
        answered.wait(10)
        raise error

    def answers(peer: Peer) -> None:
        peer.read_head()
        peer.send(REFUSAL)
        answered.set()
        assert peer.read_until_eof() == b""

    answered = threading.Event()
    monkeypatch.setattr(os, "sendfile", breaks)
    with ScriptedServer(answers) as server, no_socket_left():
        assert session.post(server.url(), data=file, timeout=10).status_code == 413
        server.wait_for_scripts()


@pytest.mark.usefixtures("unhurried_expectation")
def test_a_large_file_waits_for_100_continue(file: BinaryIO, watch: Watch, session: Session) -> None:
    """X3."""

    def continues(peer: Peer) -> None:
        request = peer.read_head()
        assert watch.asked == []
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.send(respond(peer.read_body(request)))

    with ScriptedServer(continues) as server:
        response = session.post(server.url(), data=file, headers={"Expect": "100-continue"})
        assert response.content == CONTENT
    assert watch.sent == len(CONTENT)


# -- T1 ---------------------------------------------------------------------------------------------------


def takes_nothing(go: threading.Event) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.wait(go)

    return script


@pytest.mark.parametrize(
    ("timeout", "error"), [(Timeout(write=0.2), WriteTimeout), (Timeout(total=0.2), TotalTimeout)], ids=repr
)
def test_a_server_that_takes_nothing_of_a_file_runs_out_of_time(
    timeout: Timeout, error: type[Exception], large: BinaryIO, session: Session
) -> None:
    """T1."""
    go = threading.Event()
    with ScriptedServer(takes_nothing(go), receive_buffer=4096) as server, no_socket_left():
        with pytest.raises(error):
            session.post(server.url(), data=large, timeout=timeout)
        go.set()


# -- files that change ------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [0, 1, PIECE, 2 * SEND_STEP])
@pytest.mark.parametrize("by", ["the system", "reading"])
def test_a_file_that_was_cut_since_it_was_prepared_is_an_error(
    left: int, by: str, file: BinaryIO, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    """X6: nobody waits for what is not going to come."""
    if by == "reading":
        monkeypatch.delattr(os, "sendfile")
    with ScriptedServer(reads_on) as server, no_socket_left():
        prepared = session.prepare_request(pystickyhttp.Request("POST", server.url(), data=file))
        os.truncate(file.name, left)
        with pytest.raises(InvalidBody, match="does not have the length that Content-Length says"):
            session.send(prepared)
        server.wait_for_scripts()


def test_a_file_that_is_cut_while_it_is_sent_is_an_error(large: BinaryIO, session: Session) -> None:
    """X6."""

    def cuts(peer: Peer) -> None:
        peer.read_head()
        peer.read_some()
        os.truncate(large.name, 0)
        peer.read_until_eof()

    with ScriptedServer(cuts, receive_buffer=4096) as server, no_socket_left():
        with pytest.raises(InvalidBody, match="the file ended"):
            session.post(server.url(), data=large, timeout=10)
        server.wait_for_scripts()


def test_a_file_that_is_closed_while_it_is_sent_is_an_error(large: BinaryIO, session: Session) -> None:
    def closes(peer: Peer) -> None:
        peer.read_head()
        peer.read_some()
        large.close()
        peer.read_until_eof()

    with ScriptedServer(closes, receive_buffer=4096) as server, no_socket_left():
        with pytest.raises(ValueError, match="closed file"):
            session.post(server.url(), data=large, timeout=10)


# -- sent again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_sends_a_file_again_from_where_it_stood(
    status: int, file: BinaryIO, watch: Watch, session: Session
) -> None:
    """P2."""

    def answer(request: Request) -> bytes:
        if request.target == "/end":
            return respond(request.body)
        return respond(b"", status=status, headers={"Location": "/end"})

    file.seek(7)
    with ScriptedServer(keep_alive(answer)) as server:
        assert session.post(server.url(), data=file).content == CONTENT[7:]
        assert [request.body for request in server.requests] == [CONTENT[7:]] * 2
        session.close()
    assert watch.sent == 2 * len(CONTENT[7:])


def test_a_file_is_replayed_where_the_connection_was_dead(file: BinaryIO, session: Session) -> None:
    """P1, P2."""

    def once(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))
        peer.read_some()
        peer.rst()

    with ScriptedServer([once, keep_alive(lambda request: respond(request.body))]) as server:
        assert session.get(server.url()).text == "ok"
        assert session.put(server.url(), data=file, timeout=10).content == CONTENT
        session.close()


# -- uploads ----------------------------------------------------------------------------------------------


def test_the_files_of_an_upload_are_sent_by_the_system(
    file: BinaryIO, watch: Watch, session: Session
) -> None:
    with echoing() as server:
        content = session.post(
            server.url(), data={"a": "1"}, files={"b": ("b", file), "c": ("c", io.BytesIO(b"in memory"))}
        ).content
        session.close()
    assert content.count(CONTENT) == 1
    assert content.index(b'name="a"') < content.index(CONTENT) < content.index(b"in memory")
    assert watch.sent == len(CONTENT)
    assert file.tell() == len(CONTENT)


def test_the_same_file_twice_in_an_upload_is_sent_twice(
    file: BinaryIO, watch: Watch, session: Session
) -> None:
    file.seek(9)
    with echoing() as server:
        content = session.post(server.url(), files={"a": ("a", file), "b": ("b", file)}).content
        session.close()
    assert content.count(CONTENT[9:]) == 2
    assert watch.sent == 2 * len(CONTENT[9:])


def test_a_file_in_a_body_of_unknown_length_is_a_chunk(
    tmp_path: Path, file: BinaryIO, watch: Watch, session: Session
) -> None:
    """RFC 9112, section 7.1: the lengths that h11 writes are those of what the system sends."""

    class Sizeless(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            if whence == os.SEEK_END:
                raise io.UnsupportedOperation
            return super().seek(offset, whence)

    with echoing() as server:
        files = {"a": ("a", Sizeless(b"sizeless")), "b": ("b", file)}
        content = session.post(server.url(), files=files).content
        request = server.requests[0]
        session.close()
    assert request.is_chunked
    assert b"sizeless" in content
    assert content.count(CONTENT) == 1
    assert CONTENT in request.chunks
    assert watch.sent == len(CONTENT)


def test_an_upload_of_many_small_files_leaves_in_few_pieces(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 100)
    with contextlib.ExitStack() as stack:
        files = [("f", stack.enter_context((tmp_path / "small").open("rb"))) for _ in range(500)]
        encoded = encode(None, None, files)
        body = StreamedBody(encoded.content, encoded.position, encoded.length)
        segments = list(body.segments())
    assert sum(map(len, segments)) == encoded.length
    assert len([segment for segment in segments if segment]) == 2
    assert PIECE < (encoded.length or 0) < 2 * PIECE


sizes = st.integers(0, 100) | st.integers(PIECE - 2, PIECE + 2) | st.integers(0, 3 * PIECE)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(sizes, sizes, st.booleans()), min_size=1, max_size=6))
def test_the_segments_of_any_upload_are_its_bytes(parts: list[tuple[int, int, bool]], tmp_path: Path) -> None:
    """And a second time, when it was wound back."""
    (tmp_path / "body").write_bytes(CONTENT[: 3 * PIECE])
    with contextlib.ExitStack() as stack:
        files: list[tuple[str, Any]] = []
        for position, size, on_disk in parts:
            if on_disk:
                opened = stack.enter_context((tmp_path / "body").open("rb"))
                opened.seek(position)
                files.append(("disk", opened))
            else:
                files.append(("memory", io.BytesIO(CONTENT[:size])))
        encoded = encode(None, None, files)
        body = StreamedBody(encoded.content, encoded.position, encoded.length)
        read = b"".join(body)
        assert len(read) == encoded.length
        for _ in range(2):
            body.rewind()
            assert b"".join(bytes_of(segment) for segment in body.segments()) == read


def bytes_of(segment: bytes | FileSection) -> bytes:
    return segment if isinstance(segment, bytes) else segment.read(len(segment))
