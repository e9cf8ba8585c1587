"""However the bytes of a response are cut by the network, they are the same response."""

from __future__ import annotations

import gzip
import itertools
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pystickyhttp.decoding import decode, decoders_for
from pystickyhttp.exceptions import RequestException
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import HTTPConnection, OutgoingRequest, Route
from tests.servers.wire import LAST_CHUNK, chunk

REQUEST = OutgoingRequest.make("GET", "/", [(b"Host", b"a")])
# Silence on a socket pair is a defect; this is for how long it is waited out.
DEADLINE = Timeout(read=5)


@contextmanager
def connected() -> Iterator[tuple[HTTPConnection, socket.socket]]:
    # Each sendall() on one end is one recv() on the other: the cuts are where they were made.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection = HTTPConnection(ours, Route("http", "a", 80), 0.0)
    try:
        yield connection, theirs
    finally:
        connection.close()
        theirs.close()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


bodies = st.binary(max_size=200)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A well-formed response as bytes, and the body that it has."""
    interim = draw(st.integers(0, 3)) * b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nX-A: b\r\n"
    if draw(st.booleans()):
        body = draw(bodies)
        return interim + head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), body
    pieces = [piece for piece in draw(st.lists(bodies, max_size=5)) if piece]
    trailers = draw(st.sampled_from([b"", b"X-T: u\r\n"]))
    chunks = b"".join(chunk(piece) for piece in pieces) + LAST_CHUNK[:-2] + trailers + b"\r\n"
    return interim + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, b"".join(pieces)


@given(response=responses(), places=st.lists(st.integers(0, 10_000), max_size=20))
@settings(deadline=None, max_examples=300)
def test_any_split_of_a_response_gives_the_same_response_and_a_connection_to_be_used_again(
    response: tuple[bytes, bytes], places: list[int]
) -> None:
    """R3: and twice in a row, as a connection is."""
    raw, body = response
    with connected() as (connection, server):
        for number in range(2):
            for piece in cut(raw, places):
                server.sendall(piece)
            head = connection.exchange(REQUEST, DEADLINE.start())
            got = b"".join(iter(lambda: connection.read_piece(DEADLINE.start()), b""))
            assert (head.status_code, got) == (200, body)
            assert connection.why_not_pooled() is None
            connection.become_idle(float(number))
            connection.become_active()


@given(response=responses(), places=st.lists(st.integers(0, 10_000), max_size=5), end=st.integers(0, 10_000))
@settings(deadline=None, max_examples=300)
@example(response=(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"), places=[], end=0)
def test_a_response_cut_off_anywhere_is_an_error_and_never_a_shorter_body(
    response: tuple[bytes, bytes], places: list[int], end: int
) -> None:
    """X5."""
    raw, _ = response
    raw = raw[: end % len(raw)]
    with connected() as (connection, server):
        for piece in cut(raw, places):
            server.sendall(piece)
        server.shutdown(socket.SHUT_WR)
        try:
            connection.exchange(REQUEST, DEADLINE.start())
            while connection.read_piece(DEADLINE.start()):
                pass
        except RequestException:
            assert connection.closed
        else:
            raise AssertionError(f"{raw!r} was taken for a whole response")


@given(garbage=st.binary(max_size=300), start=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n"]))
@settings(deadline=None, max_examples=300)
def test_no_garbage_raises_anything_but_our_errors(garbage: bytes, start: bytes) -> None:
    with connected() as (connection, server):
        if start + garbage:
            server.sendall(start + garbage)
        server.shutdown(socket.SHUT_WR)
        try:
            connection.exchange(REQUEST, DEADLINE.start())
            while connection.read_piece(DEADLINE.start()):
                pass
        except RequestException:
            assert connection.closed


@given(body=st.binary(max_size=2000), places=st.lists(st.integers(0, 10_000), max_size=10))
@settings(deadline=None)
def test_any_split_of_a_coded_body_decodes_to_the_same(body: bytes, places: list[int]) -> None:
    coded = zlib.compress(gzip.compress(body))
    assert b"".join(decode(cut(coded, places), decoders_for("gzip, deflate"))) == body
