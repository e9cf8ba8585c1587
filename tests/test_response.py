"""What a response is to its caller: status, fields, and a body in whatever way it is wanted.

The servers say byte by byte what comes and when: whole, in drips, coded, cut short.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import json
import pickle
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp.exceptions import ChunkedEncodingError, ContentDecodingError, StreamConsumedError
from tests.patience import growing
from tests.servers.scripted import LAST_CHUNK, Peer, ScriptedServer, chunk, keep_alive, respond
from tests.servers.sockets import no_socket_left

TEXT = "text/plain; charset=utf-8"


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The URL of a server that gives this answer to everything."""
    with ScriptedServer(keep_alive(lambda _: answer)) as server:
        yield server.url("/path")


@contextlib.contextmanager
def dripping(body: bytes, size: int = 1, **fields: str) -> Iterator[str]:
    """The URL of a server whose body comes in pieces of this size; fields' names with underscores."""

    def drip(peer: Peer) -> None:
        while peer.read_request() is not None:
            headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
            whole = respond(body, headers=headers)
            head, _, _ = whole.partition(b"\r\n\r\n")
            peer.send(head + b"\r\n\r\n")
            peer.drip(body, size=size)

    with ScriptedServer(drip) as server:
        yield server.url()


@contextlib.contextmanager
def breaking_off(sent: bytes) -> Iterator[str]:
    """The URL of a server that closes after these bytes."""

    def break_off(peer: Peer) -> None:
        peer.expect_request()
        peer.send(sent)

    with ScriptedServer(break_off) as server:
        yield server.url("/path")


def get(answer: bytes, **kwargs: Any) -> pystickyhttp.Response:
    with answering(answer) as url:
        return pystickyhttp.get(url, **kwargs)


# -- the head ---------------------------------------------------------------------------------------------


def test_a_response_says_what_came_and_what_was_asked() -> None:
    with answering(respond(b"made", status=201, headers={"X-Thing": "yes"})) as url:
        response = pystickyhttp.get(url, params={"a": "b"})
        assert (response.status_code, response.reason, response.ok) == (201, "Created", True)
        assert response.url == f"{url}?a=b"
        assert response.request.method == "GET"
        assert response.request.url == response.url
        assert response.headers["x-THING"] == "yes"
        assert (response.content, response.text) == (b"made", "made")
        assert response.history == []
        assert response.encoding is None
        assert len(response.cookies) == 0
        assert repr(response) == "<Response [201]>"


@pytest.mark.parametrize("reason", ["", "Very Special Reason"])
def test_a_reason_is_what_the_server_says(reason: str) -> None:
    assert get(respond(status=299, reason=reason)).reason == reason


def test_headers_that_come_twice_are_joined_and_can_be_had_one_by_one() -> None:
    headers = get(respond(headers=[("Set-Cookie", "a=1, x"), ("Via", "one"), ("set-cookie", "b=2")])).headers
    assert headers["set-cookie"] == "a=1, x, b=2"
    assert headers.get_list("Set-Cookie") == ["a=1, x", "b=2"]
    assert headers.get("via") == "one"
    assert headers.get("missing") is None
    assert "VIA" in headers


@pytest.mark.parametrize("status", [200, 204, 299, 302, 304, 399, 600])
def test_a_status_that_is_no_error_raises_nothing(status: int) -> None:
    response = get(respond(status=status))
    response.raise_for_status()
    assert response.ok is (status < 400)


@pytest.mark.parametrize(
    ("status", "whose"), [(400, "Client"), (404, "Client"), (499, "Client"), (500, "Server"), (599, "Server")]
)
def test_an_error_status_raises_when_asked_and_says_whose_error_it_is(status: int, whose: str) -> None:
    with answering(respond(b"details", status=status, reason="Because")) as url:
        response = pystickyhttp.get(url)
        assert response.ok is False
        assert not response
        with pytest.raises(pystickyhttp.HTTPError) as caught:
            response.raise_for_status()
        assert str(caught.value) == f"{status} {whose} Error: Because for url: {url}"
        assert caught.value.response is response
        assert caught.value.request is response.request
        assert response.text == "details"


def test_a_password_in_the_url_is_not_told_in_the_error() -> None:
    with answering(respond(status=404)) as url:
        response = pystickyhttp.get(url.replace("http://", "http://user:word@"))
        with pytest.raises(pystickyhttp.HTTPError) as caught:
            response.raise_for_status()
    assert "word" not in str(caught.value)


def test_elapsed_is_the_time_to_the_head(session: pystickyhttp.Session) -> None:
    """It ends before the body comes: as much time as passes until then is not in it."""
    released = threading.Event()

    def late_body(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        peer.wait(released)
        peer.send(b"late")

    with ScriptedServer(late_body) as server:
        started = time.perf_counter()
        response = session.get(server.url(), stream=True)
        to_the_head = time.perf_counter() - started
        released.set()
        assert response.content == b"late"
        assert timedelta(0) < response.elapsed <= timedelta(seconds=to_the_head, microseconds=1)


# -- no body ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["session", "module"])
def test_head_does_not_follow_redirects_unless_it_is_asked_to(
    session: pystickyhttp.Session, method: str
) -> None:
    head = session.head if method == "session" else pystickyhttp.head
    answer = respond(status=302, headers={"Location": "/new"})
    with ScriptedServer(
        keep_alive(lambda request: respond() if request.target == "/new" else answer)
    ) as server:
        assert head(server.url("/old")).status_code == 302
        assert head(server.url("/old"), allow_redirects=True).status_code == 200
        assert [request.target for request in server.requests] == ["/old", "/old", "/new"]


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 304), ("POST", 204)]
)
def test_what_has_no_body_has_none_whatever_its_headers_say(
    session: pystickyhttp.Session, method: str, status: int
) -> None:
    """X5; and nobody tries to decode it."""
    head = b"HTTP/1.1 %d Reason\r\nContent-Length: 100\r\nContent-Encoding: gzip\r\n\r\n" % status
    if status == 204:  # RFC 9110, section 8.6: no length there
        head = head.replace(b"Content-Length: 100\r\n", b"")
    with ScriptedServer(keep_alive(lambda _: head)) as server:
        for _ in range(3):
            response = session.request(method, server.url())
            assert response.status_code == status
            assert response.content == b""
            assert response.text == ""
            assert list(response.iter_content(None)) == []
        assert server.accepted == 1


# -- the body as a whole ----------------------------------------------------------------------------------


def test_content_is_read_once_and_is_the_same_object_each_time(session: pystickyhttp.Session) -> None:
    with answering(respond(b"x" * 100_000)) as url:
        response = session.get(url, stream=True)
        content = response.content
        assert content == b"x" * 100_000
        assert response.content is content


def test_content_is_there_when_the_call_returns() -> None:
    response = get(respond(b"body"))
    assert (response.content, response.text) == (b"body", "body")


def test_a_body_without_a_length_ends_with_the_connection(session: pystickyhttp.Session) -> None:
    with breaking_off(b"HTTP/1.1 200 OK\r\n\r\nall there is") as url, no_socket_left():
        assert session.get(url).text == "all there is"


def test_content_after_iter_content_is_an_error(session: pystickyhttp.Session) -> None:
    with answering(respond(b"body")) as url:
        response = session.get(url, stream=True)
        assert b"".join(response.iter_content(2)) == b"body"
        with pytest.raises(StreamConsumedError, match="path") as caught:
            _ = response.content
        assert caught.value.response is response
        with pytest.raises(StreamConsumedError):
            list(response.iter_content(2))
        with pytest.raises(StreamConsumedError):
            response.json()


def test_content_after_closing_unread_is_an_error_that_says_so(session: pystickyhttp.Session) -> None:
    with answering(respond(b"body")) as url:
        response = session.get(url, stream=True)
        response.close()
        with pytest.raises(StreamConsumedError, match="was read or closed already"):
            _ = response.content


def test_iter_content_after_content_gives_it_again() -> None:
    response = get(respond(b"body"))
    assert list(response.iter_content(3)) == [b"bod", b"y"]
    assert list(response.iter_content(3)) == [b"bod", b"y"]
    assert list(response.iter_lines()) == [b"body"]


def test_a_body_that_was_closed_away_is_not_taken_for_an_empty_one(session: pystickyhttp.Session) -> None:
    """X5: a body shorter than its framing says is always an error."""
    with answering(respond(b"body")) as url:
        response = session.get(url, stream=True)
        response.close()
        with pytest.raises(pystickyhttp.RequestException):
            _ = response.content


# -- the body piece by piece ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 1000, None])
def test_the_chunk_size_is_a_ceiling(session: pystickyhttp.Session, size: int | None) -> None:
    body = bytes(range(100))
    with answering(respond(body)) as url:
        pieces = list(session.get(url, stream=True).iter_content(size))
        assert b"".join(pieces) == body
        assert all(0 < len(piece) <= (size or len(body)) for piece in pieces)


def test_the_default_chunk_size_is_one_as_in_requests() -> None:
    assert list(get(respond(b"abc")).iter_content()) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("size", [None, 1000])
def test_a_piece_is_handed_on_when_it_comes_however_large_the_ceiling(
    session: pystickyhttp.Session, size: int | None
) -> None:
    seen = threading.Event()

    def in_two_parts(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
        peer.wait(seen)
        peer.send(chunk(b"second") + LAST_CHUNK)

    with ScriptedServer(in_two_parts) as server:
        pieces = session.get(server.url(), stream=True).iter_content(size)
        assert next(pieces) == b"first"
        seen.set()
        assert list(pieces) == [b"second"]


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-1, ValueError), ("10", TypeError), (1.5, TypeError)]
)
def test_a_chunk_size_has_to_be_a_whole_number_above_zero(size: Any, error: type[Exception]) -> None:
    response = get(respond(b"body"))
    with pytest.raises(error, match="chunk_size"):
        response.iter_content(size)


def test_decode_unicode_gives_text_whose_characters_are_whole(session: pystickyhttp.Session) -> None:
    body = "schön ☃ 𝄞"
    with dripping(body.encode(), Content_Type=TEXT) as url:
        pieces = list(session.get(url, stream=True).iter_content(None, decode_unicode=True))
        assert "".join(pieces) == body
        assert all(isinstance(piece, str) for piece in pieces)


def test_decode_unicode_gives_bytes_where_no_charset_is_said(session: pystickyhttp.Session) -> None:
    """As in requests."""
    with answering(respond("schön".encode())) as url:
        pieces = list(session.get(url, stream=True).iter_content(None, decode_unicode=True))
        assert b"".join(pieces) == "schön".encode()


LINES = b"one\ntwo\r\n\r\nfour\rfive\x0bsix\n\nlast"


@pytest.mark.parametrize("body", [LINES, LINES + b"\r\n", b"\r\n", b"one", b"", b"\n\n"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_are_those_of_the_whole_however_the_pieces_come(
    session: pystickyhttp.Session, body: bytes, size: int
) -> None:
    with dripping(body, size) as url:
        assert list(session.get(url, stream=True).iter_lines()) == body.splitlines()
        assert list(session.get(url, stream=True).iter_lines(chunk_size=size)) == body.splitlines()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_can_be_text(session: pystickyhttp.Session, size: int) -> None:
    text = "schön\u2028☃\r\nlast\x85line"
    with dripping(text.encode(), size, Content_Type=TEXT) as url:
        assert list(session.get(url, stream=True).iter_lines(decode_unicode=True)) == text.splitlines()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_can_end_in_a_delimiter_of_ones_own(session: pystickyhttp.Session, size: int) -> None:
    with dripping(b"one||two\n||three|four", size) as url:
        lines = list(session.get(url, stream=True).iter_lines(delimiter=b"||"))
        assert lines == [b"one", b"two\n", b"three|four"]


def test_a_line_is_handed_on_when_it_is_complete(session: pystickyhttp.Session) -> None:
    seen = threading.Event()

    def in_two_parts(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"event 1\nevent"))
        peer.wait(seen)
        peer.send(chunk(b" 2\n") + LAST_CHUNK)

    with ScriptedServer(in_two_parts) as server:
        lines = session.get(server.url(), stream=True).iter_lines()
        assert next(lines) == b"event 1"
        seen.set()
        assert list(lines) == [b"event 2"]


# -- text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        # The charset that was said goes ahead of everything,
        ("text/plain; charset=latin-1", "é".encode("latin-1"), "é"),
        ("text/plain; charset=latin-1", "é".encode(), "Ã©"),
        ('text/plain; charset="UTF-8"', "☃".encode(), "☃"),
        ("text/plain;CHARSET=shift_jis;x=y", "雪".encode("shift_jis"), "雪"),
        ("text/plain; charset=utf-16", "☃".encode("utf-16"), "☃"),
        ("text/plain; charset=ascii", b"a\xffb", "a\ufffdb"),
        # then a byte order mark,
        ("text/plain", codecs.BOM_UTF8 + "☃".encode(), "☃"),
        ("text/plain", "☃".encode("utf-16"), "☃"),
        ("text/plain", codecs.BOM_UTF16_BE + "☃".encode("utf-16-be"), "☃"),
        ("text/plain", "☃".encode("utf-32"), "☃"),
        ("text/plain", codecs.BOM_UTF32_BE + "☃".encode("utf-32-be"), "☃"),
        # then UTF-8 if it is, and latin-1 if not.
        ("text/html", "☃".encode(), "☃"),
        (None, "☃".encode(), "☃"),
        (None, "é".encode("latin-1"), "é"),
        # What is no charset of text is not said.
        ("text/plain; charset=klingon", "☃".encode(), "☃"),
        ("text/plain; charset=zlib", "☃".encode(), "☃"),
        ("text/plain; charset=", "☃".encode(), "☃"),
    ],
)
def test_text_is_by_charset_then_mark_then_utf_8_then_latin_1(
    content_type: str | None, body: bytes, text: str
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert get(respond(body, headers=headers)).text == text


def test_the_encoding_can_be_set() -> None:
    response = get(respond("é".encode("cp437"), headers={"Content-Type": TEXT}))
    assert response.encoding == "utf-8"
    response.encoding = "cp437"
    assert response.text == "é"
    assert "".join(response.iter_content(1, decode_unicode=True)) == "é"
    response.encoding = None
    assert response.text == "é".encode("cp437").decode("latin-1")


# -- json -------------------------------------------------------------------------------------------------

DOCUMENT = {"name": "schön ☃", "list": [1, 2.5, None, True]}


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
@pytest.mark.parametrize("content_type", ["application/json", None])
def test_json_is_read_in_every_unicode_encoding(encoding: str, content_type: str | None) -> None:
    """RFC 4627, section 3, tells them apart by their first bytes."""
    body = json.dumps(DOCUMENT, ensure_ascii=False).encode(encoding)
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert get(respond(body, headers=headers)).json() == DOCUMENT


def test_json_in_another_charset_is_read_as_its_text() -> None:
    body = '{"name": "schön"}'.encode("latin-1")
    answer = respond(body, headers={"Content-Type": "application/json; charset=latin-1"})
    assert get(answer).json() == {"name": "schön"}


def test_json_hands_its_arguments_on() -> None:
    assert get(respond(b'{"a": 1.50}')).json(parse_float=str) == {"a": "1.50"}


def test_an_error_of_a_function_that_reads_json_is_raised_as_it_is() -> None:
    def read(text: str) -> None:
        raise ValueError(f"no {text} here")

    with pytest.raises(ValueError, match=r"no 1\.50 here") as caught:
        get(respond(b'{"a": 1.50}')).json(parse_float=read)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a": 1', b"{'a': 1}", "é".encode("latin-1"), b"1" * 5000, b"[" * 100_000],
    ids=["nothing", "page", "part", "python", "latin-1", "long number", "deep"],
)
def test_what_is_no_json_is_an_error_that_is_everything_it_should_be(body: bytes) -> None:
    response = get(respond(body, headers={"Content-Type": "application/json"}))
    with pytest.raises(pystickyhttp.JSONDecodeError) as caught:
        response.json()
    error = caught.value
    assert error.response is response
    assert error.request is response.request
    assert isinstance(error, pystickyhttp.RequestException)
    assert isinstance(error, json.JSONDecodeError)
    assert isinstance(error, ValueError)
    assert error.doc == response.text


def test_what_is_no_json_is_named_with_what_the_server_called_it() -> None:
    """Every error says what was tried, and where: mostly it is a page of a proxy in between."""
    response = get(respond(b"<html>", status=502, headers={"Content-Type": "text/html"}))
    with pytest.raises(pystickyhttp.JSONDecodeError) as caught:
        response.json()
    assert str(caught.value) == (
        f"the body of <Response [502]> from {response.url} (Content-Type 'text/html') is no JSON: "
        f"Expecting value: line 1 column 1 (char 0)"
    )
    assert caught.value.msg == "Expecting value"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


# -- codings ----------------------------------------------------------------------------------------------

PLAIN = b"the quick brown fox\n" * 5000


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODED: list[tuple[str, bytes]] = [
    ("gzip", gzip.compress(PLAIN, mtime=0)),
    ("x-gzip", gzip.compress(PLAIN, mtime=0)),
    ("GZIP", gzip.compress(PLAIN, mtime=0)),
    ("gzip", gzip.compress(PLAIN[:1000], mtime=0) + gzip.compress(PLAIN[1000:], mtime=0)),
    ("deflate", zlib.compress(PLAIN)),
    ("deflate", raw_deflate(PLAIN)),
    ("deflate, gzip", gzip.compress(zlib.compress(PLAIN), mtime=0)),
    ("gzip, identity", gzip.compress(PLAIN, mtime=0)),
    ("identity", PLAIN),
    ("unknown-coding", PLAIN),
]


@pytest.mark.parametrize("framing", ["length", "chunked", "drips"])
@pytest.mark.parametrize(("coding", "body"), CODED)
def test_a_coded_body_comes_decoded(
    session: pystickyhttp.Session, coding: str, body: bytes, framing: str
) -> None:
    headers = {"Content-Encoding": coding}
    server = (
        dripping(body, 17 if len(body) < 5000 else 5000, Content_Encoding=coding)
        if framing == "drips"
        else answering(respond(body, headers=headers, chunked=framing == "chunked"))
    )
    with server as url:
        response = session.get(url)
        assert response.content == PLAIN
        assert response.headers["Content-Encoding"] == coding
        assert b"".join(session.get(url, stream=True).iter_content(1000)) == PLAIN
        assert list(session.get(url, stream=True).iter_lines()) == PLAIN.splitlines()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-1]),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:50]),
        ("gzip", b"this is no gzip"),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-8] + b"\0" * 8),
        ("deflate", zlib.compress(PLAIN)[:-1]),
        ("deflate", raw_deflate(PLAIN)[:-1]),
        ("deflate", b"\xff\xff this is no deflate"),
        (", ".join(["gzip"] * 6), b""),
    ],
    ids=["no trailer", "cut", "no gzip", "wrong sum", "no end", "raw, no end", "no deflate", "six codings"],
)
def test_a_coded_body_that_cannot_be_decoded_is_an_error(
    session: pystickyhttp.Session, coding: str, body: bytes
) -> None:
    with answering(respond(body, headers={"Content-Encoding": coding})) as url:
        with pytest.raises(ContentDecodingError, match=coding.partition(",")[0] + "|codings") as caught:
            session.get(url)
        assert caught.value.response.status_code == 200
        assert caught.value.request.url == url
        with session.get(url, stream=True) as response, pytest.raises(ContentDecodingError):
            list(response.iter_content(None))


def test_a_few_bytes_that_decode_to_many_come_in_bounded_pieces(session: pystickyhttp.Session) -> None:
    size = 20_000_000
    with answering(respond(gzip.compress(bytes(size)), headers={"Content-Encoding": "gzip"})) as url:
        pieces = [len(piece) for piece in session.get(url, stream=True).iter_content(None)]
    assert sum(pieces) == size
    assert max(pieces) <= 1024 * 1024


# -- what does not come to its end ------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\n"
CUT: list[tuple[bytes, int, int | None]] = [
    # what is sent before the end, received, expected
    (HEAD + b"Content-Length: 10\r\n\r\nhalf", 4, 10),
    (HEAD + b"Content-Length: 10\r\n\r\n", 0, 10),
    (HEAD + b"Content-Length: 10\r\nContent-Encoding: gzip\r\n\r\nhalf"[:-4] + gzip.compress(b"")[:4], 4, 10),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"half"), 4, None),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"half")[:-3], 3, None),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"half") + b"0\r\n", 4, None),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", 0, None),
]


def by_content(response: pystickyhttp.Response) -> None:
    _ = response.content


def by_iter_content(response: pystickyhttp.Response) -> None:
    list(response.iter_content(3))


def by_iter_lines(response: pystickyhttp.Response) -> None:
    list(response.iter_lines())


@pytest.mark.parametrize("read", [by_content, by_iter_content, by_iter_lines])
@pytest.mark.parametrize(("sent", "received", "expected"), CUT)
def test_a_body_that_is_cut_short_is_an_error_with_the_counts(
    session: pystickyhttp.Session,
    sent: bytes,
    received: int,
    expected: int | None,
    read: Callable[[pystickyhttp.Response], None],
) -> None:
    """X5."""
    with breaking_off(sent) as url, no_socket_left():
        response = session.get(url, stream=True)
        with pytest.raises(pystickyhttp.IncompleteBody) as caught:
            read(response)
        error = caught.value
        assert (error.received, error.expected) == (received, expected)
        assert str(received) in str(error)
        assert expected is None or str(expected) in str(error)
        assert error.response is response
        assert error.request is response.request
        assert isinstance(error, ChunkedEncodingError)


def test_a_body_that_is_cut_short_is_an_error_of_the_call_where_it_does_not_stream(
    session: pystickyhttp.Session,
) -> None:
    with breaking_off(HEAD + b"Content-Length: 10\r\n\r\nhalf") as url, no_socket_left():
        with pytest.raises(pystickyhttp.IncompleteBody, match="4 bytes of 10") as caught:
            session.get(url)
        assert caught.value.request.url == url


@pytest.mark.parametrize("broken", [b"zz\r\nbody\r\n", b"4\r\nbodytoolong\r\n", b"-4\r\nbody\r\n"])
def test_chunks_that_are_broken_are_an_error(session: pystickyhttp.Session, broken: bytes) -> None:
    with (
        breaking_off(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + broken + LAST_CHUNK) as url,
        no_socket_left(),
        pytest.raises(ChunkedEncodingError),
    ):
        session.get(url)


def test_a_body_that_stops_coming_runs_into_the_read_timeout(session: pystickyhttp.Session) -> None:
    def half(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEAD + b"Content-Length: 10\r\n\r\nhalf")
        peer.stall()

    for limit in growing(0.05):
        with ScriptedServer(half) as server, no_socket_left():
            try:
                response = session.get(server.url(), stream=True, timeout=limit)
            except pystickyhttp.ReadTimeout:
                continue  # there was no body to come yet
            with pytest.raises(pystickyhttp.ReadTimeout, match=rf"{limit:g} s") as caught:
                _ = response.content
            assert caught.value.response is response
            assert caught.value.request is response.request
            return


def test_after_a_body_that_broke_off_the_session_goes_on(session: pystickyhttp.Session) -> None:
    def broken(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEAD + b"Content-Length: 10\r\n\r\nhalf")

    with ScriptedServer([broken, keep_alive(lambda _: respond(b"fine"))]) as server:
        with pytest.raises(pystickyhttp.IncompleteBody):
            session.get(server.url())
        assert session.get(server.url()).text == "fine"


# -- leaving ----------------------------------------------------------------------------------------------


def test_leaving_the_with_block_of_a_response_lets_its_connection_go(session: pystickyhttp.Session) -> None:
    def endless(peer: Peer) -> None:
        peer.expect_request()
        peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
        peer.stall()

    with (
        ScriptedServer(endless) as server,
        no_socket_left(),
        session.get(server.url(), stream=True) as response,
    ):
        assert next(response.iter_content(None)) == b"first"


# -- errors that travel -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pystickyhttp.HTTPError, pystickyhttp.JSONDecodeError])
def test_an_error_with_its_response_can_be_pickled(kind: type[pystickyhttp.RequestException]) -> None:
    """Errors cross processes: what was read of the response goes along, the connection does not."""
    response = get(respond(b"no json", status=404))
    with pytest.raises(kind) as caught:
        response.raise_for_status() if kind is pystickyhttp.HTTPError else response.json()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is kind
    assert str(copy) == str(caught.value)
    assert (copy.response.status_code, copy.response.content) == (404, b"no json")
    assert copy.request.url == response.url


def test_an_error_of_a_body_that_was_cut_short_can_be_pickled(session: pystickyhttp.Session) -> None:
    with breaking_off(HEAD + b"Content-Length: 10\r\n\r\nhalf") as url:
        with pytest.raises(pystickyhttp.IncompleteBody) as caught:
            session.get(url)
        copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.received, copy.expected) == (4, 10)
    assert copy.response.status_code == 200
