"""Large bodies: whatever way their bytes take, they are the same, and take no more memory than has come."""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pystickyhttp
from pystickyhttp import Session, gathering
from pystickyhttp.exceptions import IncompleteBody
from pystickyhttp.gathering import BELIEVED, LARGE, gathered
from pystickyhttp.transport.connection import LARGE_READ, READ_SIZE
from pystickyhttp.transport.wires import TLS_RECORD
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.wire import Request

MIB = 1024 * 1024
# No two of its pieces are alike, wherever they are cut.
BODY = os.urandom(2 * LARGE + 12345)
ROOT = Path(pystickyhttp.__file__).resolve().parent.parent

# What a process has at its peak when it has read a URL's body: it prints the length and the bytes.
PEAK = """
import json, resource, sys
import pystickyhttp
length = error = None
try:
    length = len(pystickyhttp.get(sys.argv[1], timeout=60).content)
except pystickyhttp.RequestException as failed:
    error = type(failed).__name__
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([length, error, peak * (1 if sys.platform == "darwin" else 1024)]))
"""

# How many pages the system had to make while a URL's body went by, piece by piece.
FAULTS = """
import resource, sys
import pystickyhttp
with pystickyhttp.get(sys.argv[1], stream=True, timeout=60) as response:
    pieces = response.iter_content(None)
    next(pieces)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for piece in pieces:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


# A process that may have 512 MiB, where the system holds it to that, and a body that is said to be larger.
SCARCE = """
import resource
from pystickyhttp.gathering import gathered
resource.setrlimit(resource.RLIMIT_AS, (512 * 1024 * 1024,) * 2)
piece = bytes(1024 * 1024)
print(len(gathered((piece for _ in range(80)), 1000 * len(piece))) // len(piece))
"""


@pytest.fixture
def session(ca_file: str) -> Iterator[Session]:
    with Session() as session:
        session.verify = ca_file
        yield session


def part_of_body(request: Request) -> bytes:
    """As much of the body as the path asks for."""
    return respond(BODY[: int(request.target[1:])])


# --- the same bytes

EDGES = [
    0,
    1,
    TLS_RECORD,
    READ_SIZE - 1,
    READ_SIZE,
    READ_SIZE + 1,
    LARGE_READ,
    2 * LARGE_READ + 1,
    LARGE - 1,
    LARGE,
    len(BODY),
]


@pytest.mark.parametrize("size", EDGES)
def test_a_body_of_any_size_is_whole_and_leaves_its_connection_to_the_next(
    size: int, tls: ssl.SSLContext | None, session: Session
) -> None:
    """R3."""
    with ScriptedServer(keep_alive(part_of_body), tls=tls) as server:
        for _ in range(2):
            assert session.get(server.url(f"/{size}")).content == BODY[:size]
        with session.get(server.url(f"/{size}"), stream=True) as response:
            assert b"".join(response.iter_content(None)) == BODY[:size]
        assert server.accepted == 1


@pytest.mark.parametrize("chunk_size", [4095, 65536, MIB, None])
def test_the_pieces_of_a_large_body_are_of_the_size_asked_for_at_most(
    chunk_size: int | None, tls: ssl.SSLContext | None, session: Session
) -> None:
    with (
        ScriptedServer(keep_alive(part_of_body), tls=tls) as server,
        session.get(server.url(f"/{len(BODY)}"), stream=True) as response,
    ):
        pieces = list(response.iter_content(chunk_size))
    assert b"".join(pieces) == BODY
    assert all(type(piece) is bytes and 0 < len(piece) <= (chunk_size or LARGE) for piece in pieces)


def test_what_lies_behind_a_body_is_no_part_of_it_however_large_the_read(session: Session) -> None:
    """R3: and the connection is not used again."""

    def says_more(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(BODY[:LARGE_READ])[:-1000])
        first_read.wait(10)
        peer.send(BODY[LARGE_READ - 1000 : LARGE_READ] + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        peer.read_until_eof()

    first_read = threading.Event()
    with ScriptedServer([says_more, keep_alive(lambda request: respond("good"))]) as server:
        with session.get(server.url(), stream=True) as response:
            pieces = response.iter_content(None)
            got = next(pieces)
            while len(got) < LARGE_READ - 1000:
                got += next(pieces)
            first_read.set()
            assert got + b"".join(pieces) == BODY[:LARGE_READ]
        assert session.get(server.url()).text == "good"


@pytest.mark.parametrize("come", [1, READ_SIZE, LARGE_READ + 1, LARGE + 1])
def test_a_large_body_that_is_cut_short_is_an_error_with_the_counts(
    come: int, tls: ssl.SSLContext | None, session: Session
) -> None:
    """X5."""

    def cuts(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(BODY)[: come - len(BODY)])

    with ScriptedServer(cuts, tls=tls) as server, pytest.raises(IncompleteBody) as caught:
        session.get(server.url())
    assert (caught.value.received, caught.value.expected) == (come, len(BODY))
    assert caught.value.request is not None


def test_a_full_record_is_handed_on_though_no_other_follows(
    tls_context: ssl.SSLContext, session: Session
) -> None:
    """T1: what has come is not kept back for what may come."""

    def record_by_record(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(BODY[: 3 * TLS_RECORD])[: -3 * TLS_RECORD])
        for start in range(0, 3 * TLS_RECORD, TLS_RECORD):
            peer.send(BODY[start : start + TLS_RECORD])
            assert seen.acquire(timeout=10)
        peer.read_until_eof()

    seen = threading.Semaphore(0)
    with (
        ScriptedServer(record_by_record, tls=tls_context) as server,
        session.get(server.url(), stream=True) as response,
    ):
        for number, piece in enumerate(response.iter_content(None)):
            assert piece == BODY[number * TLS_RECORD : (number + 1) * TLS_RECORD]
            seen.release()


def test_what_breaks_a_stream_behind_a_full_record_is_told_as_what_it_is(
    tls_context: ssl.SSLContext, session: Session
) -> None:
    """X5: and the record ahead of it is handed on."""

    def forges(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(BODY)[: -len(BODY)])
        peer.send(BODY[:TLS_RECORD])
        peer.send_beneath_tls(b"\x17\x03\x03\x00\x20" + bytes(32))
        is_sent.set()
        with contextlib.suppress(ssl.SSLError):  # the client's alert
            peer.read_until_eof()

    is_sent = threading.Event()
    with (
        ScriptedServer(forges, tls=tls_context) as server,
        session.get(server.url(), stream=True) as response,
    ):
        assert is_sent.wait(10)
        pieces = response.iter_content(None)
        assert next(pieces) == BODY[:TLS_RECORD]
        with pytest.raises(IncompleteBody, match="bad record mac"):
            next(pieces)


# --- put together


@given(
    sizes=st.lists(st.integers(1, 2 * MIB), max_size=8),
    said=st.one_of(st.none(), st.integers(0, 10 * LARGE), st.just("right")),
)
@settings(deadline=None, max_examples=60)
def test_pieces_are_put_together_whatever_length_was_said(sizes: list[int], said: int | str | None) -> None:
    edges = [0, *itertools.accumulate(sizes)]
    pieces = [BODY[start % LARGE :][: end - start] for start, end in itertools.pairwise(edges)]
    length = edges[-1] if said == "right" else said
    assert length is None or isinstance(length, int)
    assert gathered(iter(pieces), length) == b"".join(pieces)


def test_a_single_piece_is_not_copied() -> None:
    piece = BODY[:1000]
    assert gathered(iter([piece])) is piece


def test_a_length_that_there_is_no_memory_for_is_not_believed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCARCE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "80\n"


def test_an_error_amid_the_pieces_is_raised_as_it_is() -> None:
    """L3: an interrupt too."""

    def breaks(error: BaseException) -> Iterator[bytes]:
        yield BODY[:LARGE]
        yield BODY[:LARGE]
        raise error

    for error in (IncompleteBody("it broke"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            gathered(breaks(error), 10 * LARGE)
        assert caught.value is error


# --- memory


def printed_by(program: str, url: str) -> str:
    command = [sys.executable, "-c", program, url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=ROOT).stdout


def peak_of(url: str) -> tuple[int | None, str | None, int]:
    length, error, peak = json.loads(printed_by(PEAK, url))
    return length, error, peak


def answers_by_path(request: Request) -> bytes:
    size = int(request.target[1:])
    return respond(BODY[:1000] * (size // 1000))


def test_the_content_of_a_large_body_takes_its_size_in_memory_once() -> None:
    size = 64_000_000
    with ScriptedServer([keep_alive(answers_by_path)] * 2) as server:
        length, _, peak = peak_of(server.url(f"/{size}"))
        _, _, interpreter = peak_of(server.url("/1000"))
    assert length == size
    assert peak - interpreter <= 1.15 * size


def test_the_pieces_of_a_large_body_go_through_the_same_memory_again_and_again() -> None:
    """Pages that the system takes back and makes anew for each piece cost more than all else."""
    size = 64_000_000
    with ScriptedServer(keep_alive(answers_by_path)) as server:
        faults = int(printed_by(FAULTS, server.url(f"/{size}")))
    assert faults * mmap.PAGESIZE < size / 8


@pytest.mark.parametrize("promised", [200_000_000, 10**13], ids=["200 MB", "10 TB"])
@pytest.mark.parametrize("come", [1000, 16_000_000])
def test_memory_is_bounded_by_what_has_come_and_not_by_what_was_promised(promised: int, come: int) -> None:
    """200 MB are believed once 16 MB are there, 10 TB never are; and neither takes memory beforehand."""

    def lies(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % promised + BODY[:1000] * (come // 1000))

    assert 16_000_000 * BELIEVED > 200_000_000
    with ScriptedServer([lies, keep_alive(answers_by_path)]) as server:
        _, error, peak = peak_of(server.url("/0"))
        _, _, interpreter = peak_of(server.url("/1000"))
    assert error == "IncompleteBody"
    # Beside the bytes there are the read and its copies on their way, and some of the pages are large ones.
    assert peak - interpreter <= 1.15 * come + 6 * MIB


# --- where memory is scarce, or Python is


def test_that_memory_runs_out_amid_a_large_body_is_told() -> None:
    """What has come is gone then, and to go on would give a shorter body."""

    def pieces() -> Iterator[bytes]:
        yield bytes(LARGE // 2)
        yield bytes(LARGE // 4)
        raise MemoryError

    with pytest.raises(MemoryError):
        gathered(pieces(), LARGE)


def test_a_large_body_is_read_where_python_was_built_without_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what asks Linux for large pages, which save time and nothing else."""
    monkeypatch.setitem(sys.modules, "ctypes", None)
    gathering._madvise.cache_clear()
    try:
        assert gathered(iter([bytes(LARGE // 4)] * 4), LARGE) == bytes(LARGE)
    finally:
        gathering._madvise.cache_clear()
