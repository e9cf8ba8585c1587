"""Uploads: `files=` as multipart/form-data (RFC 7578), byte for byte as requests writes it, but streamed."""

from __future__ import annotations

import functools
import gzip
import io
import operator
import os
import re
import tempfile
import tracemalloc
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

import pystickyhttp
from pystickyhttp import Session
from pystickyhttp.bodies import PIECE, EncodedBody, FileSection, MultipartBody, StreamedBody, encode
from pystickyhttp.exceptions import InvalidBody, InvalidHeader, UnrewindableBodyError
from tests.names import named
from tests.servers.real import RealServer, RealServers
from tests.servers.scripted import Peer, Request, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

MANY = os.urandom(3 * PIECE + 1)


def boundary_of(content_type: str | None) -> str:
    assert content_type is not None
    match = re.fullmatch("multipart/form-data; boundary=([0-9a-f]{32})", content_type)
    assert match is not None, content_type
    return match[1]


def sent(encoded: EncodedBody) -> bytes:
    """The bytes that the transport would send."""
    if isinstance(encoded.content, bytes):
        return encoded.content
    return b"".join(streamed(encoded))


def facts(encoded: EncodedBody) -> tuple[Any, ...]:
    """All that makes one encoded body equal to another."""
    return encoded.content, encoded.length, encoded.content_type, encoded.position


def streamed(encoded: EncodedBody) -> StreamedBody:
    assert isinstance(encoded.content, MultipartBody)
    return StreamedBody(encoded.content, encoded.position, encoded.length)


def with_boundary(body: bytes, content_type: str | None, other: str) -> bytes:
    return body.replace(boundary_of(content_type).encode(), other.encode())


def upload(files: Any, data: Any = None) -> str:
    """The body of an upload whose boundary is written `B`."""
    encoded = encode(data, None, files)
    return with_boundary(sent(encoded), encoded.content_type, "B").decode()


class Unseekable(io.RawIOBase):
    """A file that gives its bytes once, and says nothing of itself, as a pipe."""

    def __init__(self, content: bytes) -> None:
        self._left = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._left.readinto(buffer)


class Named(io.BytesIO):
    """A file in memory that has a name."""

    def __init__(self, content: bytes, name: Any) -> None:
        super().__init__(content)
        self.name = name


_opened: list[IO[Any]] = []


@pytest.fixture(autouse=True)
def files_are_closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def text_file(content: str, encoding: str) -> IO[str]:
    file = tempfile.TemporaryFile("w+", encoding=encoding)  # noqa: SIM115 - the fixture closes it
    _opened.append(file)
    file.write(content)
    file.seek(0)
    return file


def file_on_disk(content: bytes, position: int = 0) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the fixture closes it
    _opened.append(file)
    file.write(content)
    file.seek(position)
    return file


def close_files(files: Any) -> None:
    for _, value in files.items() if hasattr(files, "items") else files:
        for member in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(member, "close"):
                member.close()


# -- side by side with requests: what is given, twice, as a file can be read but once ----------------------

Given = tuple[Any, Any]

GIVEN: dict[str, Callable[[], Given]] = {
    # The forms of the API reference and of "POST a Multipart-Encoded File".
    "a file in memory": lambda: (None, {"file": io.BytesIO(b"content")}),
    "a file with a name": lambda: (None, {"file": Named(b"content", "report.xls")}),
    "a file with a path": lambda: (None, {"file": Named(b"content", "/tmp/folder/report.xls")}),
    "a file with a path of bytes": lambda: (None, {"file": Named(b"content", b"/tmp/report.xls")}),
    "the standard input": lambda: (None, {"file": Named(b"content", "<stdin>")}),
    "a name like the standard input's": lambda: (None, {"file": Named(b"content", "stdin>")}),
    "a name like the other end of it": lambda: (None, {"file": Named(b"content", "<stdin")}),
    "a descriptor for a name": lambda: (None, {"file": Named(b"content", 0)}),
    "an empty name": lambda: (None, {"file": Named(b"content", "")}),
    "a folder for a name": lambda: (None, {"file": Named(b"content", "folder/")}),
    "bytes": lambda: (None, {"file": b"content\x00\xff"}),
    "a bytearray": lambda: (None, {"file": bytearray(b"content")}),
    "text": lambda: (None, {"file": "some,data,to,send\nanother,row,to,sénd\n"}),
    "filename and file": lambda: (None, {"file": ("report.xls", io.BytesIO(b"content"))}),
    "filename and bytes": lambda: (None, {"file": ("report.csv", b"content")}),
    "filename and text": lambda: (None, {"file": ("report.csv", "some,däta")}),
    "a list for a tuple": lambda: (None, {"file": ["report.csv", "some,data"]}),
    "with a type": lambda: (None, {"file": ("report.xls", io.BytesIO(b"x"), "application/vnd.ms-excel")}),
    "with headers": lambda: (
        None,
        {"file": ("report.xls", io.BytesIO(b"x"), "application/vnd.ms-excel", {"Expires": "0"})},
    ),
    "with several headers": lambda: (
        None,
        {"file": ("r", b"x", "a/b", {"X-B": "é", "X-A": "1", "x-c": "2"})},
    ),
    "with headers in pairs": lambda: (
        None,
        {"file": ("r", b"x", "a/b", [("X-A", "1"), ("X-B", "2"), ("X-A", "3")])},
    ),
    "with headers that say what we say": lambda: (
        None,
        {"file": ("r", b"x", None, {"Content-Type": "c/d", "Content-Disposition": "e", "X-A": "1"})},
    ),
    "with headers that say nothing": lambda: (None, {"file": ("r", b"x", "a/b", {"X-A": "", "X-B": None})}),
    "with no headers": lambda: (None, {"file": ("r", b"x", "a/b", None)}),
    "with an empty type": lambda: (None, {"file": ("r", b"x", "")}),
    "without a filename": lambda: (None, {"field": (None, "value")}),
    "without a filename, of a type": lambda: (None, {"field": (None, '{"a": 1}', "application/json")}),
    "an empty filename": lambda: (None, {"file": ("", b"content")}),
    "nothing for a content": lambda: (None, {"file": ("name", None), "other": None, "third": b"3"}),
    "nothing at all": lambda: (None, {"file": None}),
    "an empty content": lambda: (None, {"file": ("name", b""), "other": io.BytesIO()}),
    "several files of a field": lambda: (
        None,
        [
            ("images", ("foo.png", io.BytesIO(b"foo"), "image/png")),
            ("images", ("bar.png", io.BytesIO(b"bar"), "image/png")),
        ],
    ),
    "a tuple of pairs": lambda: (None, (("a", b"1"), ("b", b"2"))),
    "another mapping": lambda: (None, UserDict({"a": b"1", "b": io.BytesIO(b"2")})),
    "a name of bytes": lambda: (None, {"näme".encode(): ("ä".encode(), b"1")}),
    # What is hard to write in a head.
    "outside ASCII": lambda: (None, {"naïve": ("näme €.txt", b"1", "text/plain", {"X-A": "é€"})}),
    "quotes": lambda: (None, {'a"b': ('c"d".txt', b"1")}),
    "backslashes": lambda: (None, {"a\\b": ("C:\\dir\\file.txt", b"1")}),
    "escapes": lambda: (None, {"a%22b": ("c%0Ad", b"1")}),
    "semicolons and blanks": lambda: (None, {" a; b=c ": (" d; e ", b"1")}),
    "tabs and other controls": lambda: (None, {"a\tb": ("c\x01\x7f", b"1")}),
    # Files of all kinds.
    "a file on a disk": lambda: (None, {"file": ("a", file_on_disk(MANY))}),
    "from where it stands": lambda: (None, {"file": ("a", file_on_disk(b"0123456789", 4))}),
    "memory from where it stands": lambda: (None, {"file": ("a", moved(io.BytesIO(b"0123456789"), 4))}),
    "behind its end": lambda: (None, {"file": ("a", moved(io.BytesIO(b"0123456789"), 14))}),
    "text in memory": lambda: (None, {"file": moved(io.StringIO("aé€"), 1)}),
    "a text file": lambda: (None, {"file": ("a", text_file("é1\né2\n", "utf-8"))}),
    "a text file in latin-1": lambda: (None, {"file": ("a", text_file("é1\né2\n", "latin-1"))}),
    "a compressed file": lambda: (
        None,
        {"file": ("a", gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(MANY))))},
    ),
    "a pipe": lambda: (None, {"file": ("a", Unseekable(b"through a pipe")), "b": b"behind it"}),
    "many": lambda: (None, [(f"f{number}", io.BytesIO(b"x" * number)) for number in range(200)]),
    # Beside fields.
    "fields": lambda: ({"a": "1", "b": "é"}, {"file": b"content"}),
    "fields in pairs": lambda: ([("b", "1"), ("a", "2"), ("b", "3")], {"file": io.BytesIO(b"content")}),
    "fields in a tuple": lambda: ((("b", "1"), ("a", "2")), {"file": b"content"}),
    "a field of several values": lambda: ({"a": ["1", "2"], "b": ("3", b"4"), "c": []}, {"file": b"1"}),
    "fields without a value": lambda: ({"a": None, "b": ["1", None, "2"], "c": ""}, {"file": b"1"}),
    "fields of numbers": lambda: ({"a": 1, "b": 1.5, "c": True, "d": [2, 3]}, {"file": b"1"}),
    "fields of bytes": lambda: ({b"a": b"\xff\x00", "b": [b"1", "2"]}, {"file": b"1"}),
    "fields in a mapping": lambda: ({"a": {"k": "v"}}, {"file": b"1"}),
    "no fields": lambda: ({}, {"file": b"1"}),
    "line ends in values": lambda: ({"a": "1\r\n2\n3\r"}, {"file": b"\r\n--\r\n"}),
}


def moved(file: Any, position: int) -> Any:
    file.seek(position)
    return file


def with_requests(given: Given) -> tuple[bytes, str]:
    data, files = given
    prepared = requests.Request("POST", "http://example.com/", data=data, files=files).prepare()
    assert isinstance(prepared.body, bytes)
    return prepared.body, str(prepared.headers["Content-Type"])


@pytest.mark.parametrize("name", GIVEN)
def test_an_upload_is_written_as_requests_writes_it(name: str) -> None:
    """RFC 7578: the same parts, heads, order and line ends; the boundary alone is each one's own."""
    ours, theirs = GIVEN[name](), GIVEN[name]()
    encoded = encode(ours[0], None, ours[1])
    expected, their_type = with_requests(theirs)
    assert sent(encoded) == with_boundary(expected, their_type, boundary_of(encoded.content_type))
    assert encoded.length in (None, len(expected))
    close_files(ours[1])
    close_files(theirs[1])


@pytest.mark.parametrize("name", GIVEN)
def test_the_length_of_an_upload_is_known_unless_a_file_does_not_tell_its_own(name: str) -> None:
    """X6: it is what Content-Length says."""
    data, files = GIVEN[name]()
    encoded = encode(data, None, files)
    assert encoded.length == (None if name == "a pipe" else len(sent(encoded)))
    close_files(files)


@pytest.mark.parametrize("name", GIVEN)
def test_an_upload_read_as_a_file_in_any_pieces_is_the_same(name: str) -> None:
    for size in (1, 7, PIECE):
        data, files = GIVEN[name]()
        encoded = encode(data, None, files)
        if isinstance(encoded.content, MultipartBody) and (encoded.length or 0) < 50 * size:
            in_pieces = b"".join(iter(functools.partial(encoded.content.read, size), b""))
            assert len(in_pieces) == encoded.content.tell()
            assert encoded.length in (None, len(in_pieces))
            expected, their_type = with_requests(GIVEN[name]())
            assert in_pieces == with_boundary(expected, their_type, boundary_of(encoded.content_type))
        close_files(files)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_are_the_value_of_a_field(kind: Callable[[bytes], Any]) -> None:
    expected = upload({"b": b"2"}, {"a": "1"})
    assert upload({"b": kind(b"2")}, {"a": kind(b"1")}) == expected
    assert upload({"b": kind(b"2")}, {"a": [kind(b"1")]}) == expected


@pytest.mark.parametrize("files", [None, {}, [], ()], ids=named)
def test_no_files_are_no_upload(files: Any) -> None:
    assert facts(encode({"a": "1"}, None, files)) == facts(encode({"a": "1"}))
    assert facts(encode(None, {"a": "1"}, files)) == facts(encode(None, {"a": "1"}))


def test_json_beside_files_is_left_out_as_requests_does() -> None:
    assert "json" not in upload({"file": b"1"}, None)
    encoded = encode(None, {"json": 1}, {"file": b"1"})
    assert b"json" not in sent(encoded)
    boundary_of(encoded.content_type)


def test_the_same_file_given_twice_is_sent_twice() -> None:
    """What was announced is what is sent: requests sends the second one empty."""
    with file_on_disk(b"content") as file:
        assert upload({"a": ("a", file), "b": ("b", file)}).count("content") == 2


def test_the_boundary_can_not_be_guessed() -> None:
    """RFC 2046, section 5.1.1: it must not occur in a part, and who wrote the part must not know it."""
    assert len({boundary_of(encode(None, None, {"a": b"1"}).content_type) for _ in range(100)}) == 100


def test_an_upload_without_files_to_read_is_bytes() -> None:
    """Whoever signs the body of a request can read it."""
    encoded = encode({"a": "1"}, None, {"b": b"2", "c": "3", "d": io.StringIO("4")})
    assert isinstance(encoded.content, bytes)
    assert encoded.position is None


def test_a_content_type_of_the_callers_own_stays() -> None:
    """As with requests, whose users set a boundary so; without one no server can read the body."""
    for library in (pystickyhttp, requests):
        request = library.Request(
            "POST", "http://example.com/", headers={"Content-Type": "multipart/mixed"}, files={"a": b"1"}
        )
        assert request.prepare().headers["Content-Type"] == "multipart/mixed"


# -- refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["text", b"bytes", bytearray(b"array")], ids=named)
def test_text_and_bytes_beside_files_are_refused(data: Any) -> None:
    with pytest.raises(InvalidBody, match="beside files it has to be a mapping or pairs"):
        encode(data, None, {"file": b"1"})


def test_text_beside_files_is_a_value_error_as_with_requests() -> None:
    for library in (pystickyhttp, requests):
        request = library.Request("POST", "http://example.com/", data="text", files={"a": b"1"})
        with pytest.raises(ValueError, match=r"(?i)data"):
            request.prepare()


@pytest.mark.parametrize(
    "data", [iter([b"1"]), io.BytesIO(b"1"), 1, {"a"}], ids=lambda data: type(data).__name__
)
def test_what_is_no_form_beside_files_is_refused(data: Any) -> None:
    with pytest.raises(InvalidBody, match="beside files"):
        encode(data, None, {"file": b"1"})


@pytest.mark.parametrize(
    "value",
    [1, 1.5, True, object(), {"a": 1}, {"a"}, iter([b"1"]), len],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_file_is_refused_with_the_name_of_its_field(value: Any) -> None:
    for given_value in (value, ("filename", value)):
        with pytest.raises(InvalidBody, match=r"'avatar' is \w+: give a file"):
            encode(None, None, {"avatar": given_value})


@pytest.mark.parametrize("value", [(), ("a",), ("a", b"1", "b/c", {}, "e"), [b"1"]], ids=named)
def test_a_tuple_of_another_length_is_refused_with_the_name_of_its_field(value: Any) -> None:
    with pytest.raises(InvalidBody, match=r"'avatar' has a (tuple|list) of"):
        encode(None, None, {"avatar": value})


@pytest.mark.parametrize(
    "files", ["text", b"bytes", 5, [b"1"], [("a",)], [("a", b"1", "c")], {"a"}], ids=named
)
def test_files_that_are_no_pairs_are_refused(files: Any) -> None:
    with pytest.raises(InvalidBody, match=r"give a mapping, or pairs|give pairs"):
        encode(None, None, files)


def test_a_file_in_the_place_of_files_is_refused_and_not_a_line_of_it_is_told() -> None:
    wrong: list[tuple[Any, str]] = [
        (io.BytesIO(b"a line of it"), "files is BytesIO"),
        ([b"a line of it"], "files has a member of type bytes"),
    ]
    for files, told in wrong:
        with pytest.raises(InvalidBody, match=f"{told}: give a mapping") as caught:
            encode(None, None, files)
        assert "a line" not in str(caught.value)


@pytest.mark.parametrize("data", [["a"], [("a",)], (1, 2)], ids=named)
def test_fields_that_are_no_pairs_are_refused(data: Any) -> None:
    with pytest.raises(InvalidBody, match="data has"):
        encode(data, None, {"file": b"1"})


def test_a_file_that_is_closed_or_only_written_is_refused_with_the_name_of_its_field(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        with pytest.raises(InvalidBody, match=r"'avatar': .* can't be read"):
            encode(None, None, {"avatar": file})
    with pytest.raises(InvalidBody, match=r"'avatar': .* is closed"):
        encode(None, None, {"avatar": file})


SMUGGLERS = ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\n", b"a\r\nb"]


@pytest.mark.parametrize("text", SMUGGLERS, ids=named)
@pytest.mark.parametrize(
    ("what", "data", "files"),
    [
        ("the name of a field", lambda text: {text: "1"}, lambda _: {"file": b"1"}),
        ("the name of a file", lambda _: None, lambda text: {text: b"1"}),
        ("the filename", lambda _: None, lambda text: {"a": (text, b"1")}),
        ("the name of a file object", lambda _: None, lambda text: {"a": Named(b"1", text)}),
        ("the content type", lambda _: None, lambda text: {"a": ("b", b"1", text)}),
        ("the name of a header", lambda _: None, lambda text: {"a": ("b", b"1", "c/d", {text: "1"})}),
        ("a header", lambda _: None, lambda text: {"a": ("b", b"1", "c/d", {"X-A": text})}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_line_ends_and_nul_in_the_head_of_a_part_are_refused_before_a_byte_is_sent(
    what: str, data: Callable[[Any], Any], files: Callable[[Any], Any], text: Any, session: Session
) -> None:
    """X7."""
    with ScriptedServer([]) as server:
        with pytest.raises(InvalidHeader, match="CR, LF or NUL"):
            session.post(server.url(), data=data(text), files=files(text))
        assert server.accepted == 0


@pytest.mark.parametrize("name", ["X A", "", "X:", "X-É", b"X A"], ids=named)
def test_the_name_of_a_parts_header_is_a_token(name: Any) -> None:
    """RFC 9110, section 5.6.2."""
    with pytest.raises(InvalidHeader, match="'avatar' has a header"):
        encode(None, None, {"avatar": ("a", b"1", "b/c", {name: "1"})})


@pytest.mark.parametrize(
    ("data", "files"),
    [
        ({"a\ud800": "1"}, {"f": b"1"}),
        ({"a": "\ud800"}, {"f": b"1"}),
        (None, {"\ud800": b"1"}),
        (None, {"a": ("\udcff.txt", b"1")}),
        (None, {"a": ("b", "\ud800")}),
        (None, {b"\xff": b"1"}),
        (None, {"a": io.StringIO("\ud800")}),
        (None, {"a": Named(b"1", b"\xff.txt")}),
    ],
    ids=named,
)
def test_what_is_not_utf_8_is_refused(data: Any, files: Any) -> None:
    """Every error derives from RequestException."""
    with pytest.raises(InvalidBody, match="UTF-8"):
        encode(data, None, files)


# -- a file itself ----------------------------------------------------------------------------------------


@pytest.fixture
def body() -> Iterator[MultipartBody]:
    with file_on_disk(b"skipped" + MANY, 7) as file:
        encoded = encode({"a": "1"}, None, [("b", ("b", file)), ("c", io.BytesIO(b"in memory"))])
        assert isinstance(encoded.content, MultipartBody)
        yield encoded.content


def test_a_body_tells_its_length_and_how_far_it_was_read(body: MultipartBody) -> None:
    length = body.len
    assert repr(body) == f"<MultipartBody of {length} bytes, at 0>"
    assert len(body.read(100)) == 100
    assert (body.tell(), body.len) == (100, length)
    assert len(body.read()) == (length or 0) - 100
    assert repr(body) == f"<MultipartBody of {length} bytes, at {length}>"
    assert body.read() == body.read(1) == b""


def test_a_body_of_unknown_length_says_so() -> None:
    body = encode(None, None, {"a": Unseekable(b"1")}).content
    assert body.len is None
    assert repr(body) == "<MultipartBody of unknown length, at 0>"


def test_reading_takes_none_and_no_bytes_for_what_files_take_them_for(body: MultipartBody) -> None:
    assert body.read(0) == b""
    assert body.tell() == 0
    assert body.read(None).endswith(b"--\r\n")


@pytest.mark.parametrize("taken", [0, 1, 200, PIECE, 2 * PIECE, 10 * PIECE])
def test_a_body_goes_back_to_where_its_files_stood(body: MultipartBody, taken: int) -> None:
    """P2."""
    whole = body.read()
    assert MANY in whole
    body.seek(0)
    assert body.read(taken) == whole[:taken]
    assert body.seek(0) == 0
    assert b"".join(body) == whole


def test_a_body_can_be_sought_to_where_it_stands(body: MultipartBody) -> None:
    body.read(5)
    assert body.seek(5) == 5
    assert len(body.read()) == (body.len or 0) - 5


@pytest.mark.parametrize("place", [(3, os.SEEK_SET), (0, os.SEEK_CUR), (0, os.SEEK_END), (-1, os.SEEK_SET)])
def test_a_body_can_be_sought_to_no_other_place(body: MultipartBody, place: tuple[int, int]) -> None:
    body.read(5)
    with pytest.raises(io.UnsupportedOperation, match="to its start"):
        body.seek(*place)


def test_closing_a_body_leaves_the_files_of_the_caller_open() -> None:
    with file_on_disk(b"content") as file:
        body = encode(None, None, {"a": file}).content
        body.close()
        assert not file.closed
        assert b"content" in body.read()


def test_a_file_that_fails_once_does_not_make_a_shorter_body() -> None:
    """P2: what was read ahead when it failed is read again."""

    class Failing(io.BytesIO):
        fails = True

        def read(self, size: int | None = -1) -> bytes:
            if self.fails:
                raise KeyError("of the caller's own")
            return super().read(size)

    file = Failing(b"content")
    encoded = encode(None, None, {"a": ("a", file)})
    body = streamed(encoded)
    with pytest.raises(KeyError):
        b"".join(body)
    file.fails = False
    body.rewind()
    assert len(b"".join(body)) == encoded.length


def test_what_was_read_of_a_body_by_others_is_sent_all_the_same(body: MultipartBody) -> None:
    """P2: auth may read a body to sign it."""
    whole = body.read()
    assert b"".join(StreamedBody(body, 0, body.len)) == whole
    body.read()
    assert joined(StreamedBody(body, 0, body.len).segments()) == whole


def test_what_was_sent_of_a_body_was_read(body: MultipartBody) -> None:
    assert len(joined(body.segments())) == body.len == body.tell()
    assert body.read() == b""


def test_a_body_with_a_file_that_was_begun_and_can_not_be_wound_back_says_so() -> None:
    """P2: at once, and not when half of it was sent."""
    body = encode(None, None, {"a": file_on_disk(MANY), "b": Unseekable(b"once")}).content
    body.read()
    with pytest.raises(UnrewindableBodyError):
        body.seek(0)


def joined(segments: Iterable[bytes | FileSection]) -> bytes:
    return b"".join(
        segment if isinstance(segment, bytes) else segment.read(len(segment)) for segment in segments
    )


def test_a_body_that_is_framed_anew_is_the_same_body() -> None:
    """P2: auth plug-ins read a body, and ask for its Content-Length anew."""
    request = pystickyhttp.Request("POST", "http://example.com/", files={"a": file_on_disk(MANY)}).prepare()
    length = request.headers["Content-Length"]
    whole = request.body.read()
    request.prepare_content_length(request.body)
    assert request.headers["Content-Length"] == length == str(len(whole))
    body = request.outgoing_body()
    assert isinstance(body, StreamedBody)
    assert b"".join(body) == whole
    once = encode(None, None, {"a": Unseekable(b"once")})
    assert facts(encode(once.content)) == (once.content, None, None, None)


# -- files that change ------------------------------------------------------------------------------------


def test_a_file_that_has_become_shorter_is_an_error_and_no_shorter_body(tmp_path: Path) -> None:
    """X6: other bytes would be taken for the rest of it."""
    path = tmp_path / "file"
    path.write_bytes(MANY)
    with path.open("rb") as file:
        encoded = encode(None, None, {"a": file, "b": io.BytesIO(b"behind it")})
        os.truncate(path, PIECE)
        with pytest.raises(InvalidBody, match=f"gave {PIECE} bytes, and had {len(MANY)}"):
            sent(encoded)


def test_a_file_that_grows_is_sent_to_the_length_that_was_promised(tmp_path: Path) -> None:
    """As it is where it is all of the body: a log goes on while it is sent."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        encoded = encode(None, None, {"a": file, "b": io.BytesIO(b"behind it")})
        with path.open("ab") as again:
            again.write(b"more")
        assert b"\r\n\r\n0123456789\r\n--" in sent(encoded)


@pytest.mark.parametrize("size", [10, 10 * PIECE], ids=["small", "large"])
def test_a_file_that_was_cut_since_is_an_error_and_the_connection_closed(
    size: int, tls: Any, session: Session, ca_file: str, tmp_path: Path
) -> None:
    """X6: with Content-Length announced nothing else can be done, and nobody waits for ever."""
    path = tmp_path / "file"
    path.write_bytes(bytes(size))

    def reads_on(peer: Peer) -> None:
        peer.read_until_eof()

    session.verify = ca_file
    with ScriptedServer(reads_on, tls=tls) as server, no_socket_left(), path.open("rb") as file:
        prepared = session.prepare_request(pystickyhttp.Request("POST", server.url(), files={"a": file}))
        os.truncate(path, size // 2)
        with pytest.raises(InvalidBody):
            session.send(prepared, timeout=10)
        server.wait_for_scripts()


# -- over the wire ----------------------------------------------------------------------------------------


# nginx answers no POST, and httpbin has pages of its own.
ECHOING = [name for name in RealServers.KEEPING_ALIVE if not name.startswith(("nginx", "httpbin"))]


def echo(request: Request) -> bytes:
    return respond(request.body, headers=[("X-Type", request.header("Content-Type") or "")])


def test_an_upload_reads_back_at_a_real_server(httpbin_server: RealServer, session: Session) -> None:
    with file_on_disk(b"from a disk") as file:
        response = session.post(
            httpbin_server.url + "/post",
            data={"a": ["1", "2"], "b": "é"},
            files={
                "disk": file,
                "memory": ("m", io.BytesIO(b"in memory"), "text/plain"),
                "plain": (None, "3"),
            },
        )
    seen = response.json()
    assert seen["form"] == {"a": ["1", "2"], "b": "é", "plain": "3"}
    assert seen["files"] == {"disk": "from a disk", "memory": "in memory"}
    assert "Transfer-Encoding" not in seen["headers"]


@pytest.mark.parametrize("keep_alive_server", ECHOING, indirect=True)
def test_an_upload_of_unknown_length_reads_back_at_a_real_server(
    keep_alive_server: RealServer, session: Session
) -> None:
    """RFC 9112, section 7.1."""
    files = {"a": ("a", Unseekable(b"through a pipe")), "b": b"behind it"}
    response = session.post(keep_alive_server.url + "/echo", files=files)
    seen = response.json()
    boundary = dict(seen["headers"])["content-type"].partition("boundary=")[2]
    assert seen["body"].replace(boundary, "B") == upload(
        {"a": ("a", Unseekable(b"through a pipe")), "b": b"behind it"}
    )


def test_the_framing_is_a_length_where_it_is_known_and_chunks_where_it_is_not(session: Session) -> None:
    """X6."""
    with ScriptedServer(keep_alive(echo)) as server:
        for files, chunked in (({"a": io.BytesIO(b"1")}, False), ({"a": Unseekable(b"1")}, True)):
            response = session.post(server.url(), files=files)
            request = server.requests[-1]
            assert request.is_chunked is chunked
            assert (request.header("Content-Length") is None) is chunked
            assert b'name="a"' in response.content
        assert server.accepted == 1
        session.close()


def test_head_and_small_upload_leave_together(session: Session) -> None:
    """X1: what a server has read when it has seen a head is all of the request."""
    pieces: list[bytes] = []

    def script(peer: Peer) -> None:
        pieces.append(peer.read_some())
        peer.send(respond(b"ok"))

    with ScriptedServer(script) as server, file_on_disk(b"x" * 8000) as file:
        assert session.post(server.url(), files={"a": file}).text == "ok"
    assert len(pieces[0]) > 8000


def uploads(file: BinaryIO) -> dict[str, Any]:
    return {"a": ("a", file), "b": ("b", io.BytesIO(b"in memory"))}


@pytest.mark.parametrize("status", [307, 308])
def test_an_upload_is_sent_again_where_a_redirect_keeps_it(
    status: int, tls: Any, session: Session, ca_file: str
) -> None:
    """P2: each of its files from where it stood, twice."""

    def answer(request: Request) -> bytes:
        if request.target == "/end":
            return echo(request)
        return respond(b"", status=status, headers={"Location": "/next" if request.target == "/" else "/end"})

    session.verify = ca_file
    with ScriptedServer(keep_alive(answer), tls=tls) as server, file_on_disk(b"skipped" + MANY, 7) as file:
        response = session.post(server.url(), data={"c": "1"}, files=uploads(file))
        session.close()
        assert [request.target for request in server.requests] == ["/", "/next", "/end"]
        bodies = {request.body for request in server.requests}
        assert bodies == {response.content}
        assert MANY in response.content
        assert b"skipped" not in response.content


def test_an_upload_is_replayed_where_the_connection_was_dead(session: Session) -> None:
    """P1, P2."""

    def once(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))
        peer.read_some()
        peer.rst()

    with ScriptedServer([once, keep_alive(echo)]) as server, file_on_disk(MANY) as file:
        assert session.get(server.url()).text == "ok"
        assert MANY in session.put(server.url(), files=uploads(file), timeout=10).content
        session.close()


def test_an_upload_that_can_not_be_wound_back_is_not_sent_shorter(session: Session) -> None:
    """P2."""

    def redirects(request: Request) -> bytes:
        return respond(b"", status=307, headers={"Location": "/next"})

    with ScriptedServer(keep_alive(redirects)) as server:
        with pytest.raises(UnrewindableBodyError):
            session.post(server.url(), files={"a": Unseekable(b"once"), "b": io.BytesIO(b"ever")})
        assert [request.target for request in server.requests] == ["/"]
        session.close()


def test_an_upload_that_can_not_be_wound_back_is_ready_until_it_was_begun() -> None:
    """P2."""
    encoded = encode(None, None, {"a": Unseekable(b"once")})
    assert encoded.position is None
    body = streamed(encoded)
    body.rewind()
    assert body.replayable
    assert b"once" in b"".join(body)
    assert not body.replayable
    with pytest.raises(UnrewindableBodyError):
        body.rewind()


def test_a_file_that_was_closed_amid_the_redirects_is_an_error(session: Session) -> None:
    """P2."""
    file = file_on_disk(MANY)

    def closes(request: Request) -> bytes:
        file.close()
        return respond(b"", status=307, headers={"Location": "/next"})

    with ScriptedServer(keep_alive(closes)) as server:
        with pytest.raises(UnrewindableBodyError):
            session.post(server.url(), files=uploads(file))
        assert len(server.requests) == 1
        session.close()


def test_a_large_upload_is_never_in_memory(tls: Any, session: Session, ca_file: str, tmp_path: Path) -> None:
    """50 MB, of which no more than some pieces are held at a time, here and at the server."""
    path = tmp_path / "large"
    with path.open("wb") as made:
        made.truncate(50_000_000)

    def counts(peer: Peer) -> None:
        left = peer.read_head().content_length
        while left > 0:
            left -= len(peer.read_some())
        peer.send(respond(str(left)))

    session.verify = ca_file
    with ScriptedServer(counts, tls=tls) as server, path.open("rb") as file:
        tracemalloc.start()
        try:
            response = session.post(server.url(), files={"a": file}, timeout=60)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert response.text == "0"
        assert peak < 4_000_000


# -- read back by a parser that others wrote --------------------------------------------------------------


def in_memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> IO[bytes]:
    return io.BytesIO()


def parsed(encoded: EncodedBody) -> tuple[list[tuple[str, str]], list[tuple[str, str, str, bytes]]]:
    """Fields, and files with their names, types and contents, as werkzeug reads them."""
    body = sent(encoded)
    assert encoded.length in (None, len(body))
    _, options = parse_options_header(encoded.content_type)
    parser = MultiPartParser(stream_factory=in_memory)
    form, files = parser.parse(io.BytesIO(body), options["boundary"].encode(), len(body))
    return list(form.items(multi=True)), [
        (name, file.filename or "", file.content_type or "", file.read())
        for name, file in files.items(multi=True)
    ]


# X7 refuses line ends and NUL. A backslash and %22 stand for themselves as browsers write them, and for
# something else as werkzeug reads them.
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0\\%")).filter(str.strip)
contents = st.binary(max_size=2000) | st.sampled_from([b"\r\n", b"--", b"\r\n--", MANY])
as_given = st.sampled_from(["bytes", "memory", "disk", "pipe"])


def as_content(kind: str, content: bytes) -> Any:
    if kind == "bytes":
        return content
    if kind == "pipe":
        return Unseekable(content)
    return io.BytesIO(content) if kind == "memory" else file_on_disk(content)


first = operator.itemgetter(0)


@unhurried
@given(
    fields=st.lists(st.tuples(names, st.text(st.characters(exclude_categories=["Cs"])))),
    files=st.lists(st.tuples(names, names, as_given, contents), min_size=1, max_size=5),
)
def test_an_upload_reads_back_as_what_was_given(
    fields: list[tuple[str, str]], files: list[tuple[str, str, str, bytes]]
) -> None:
    given_files = [
        (name, (filename, as_content(kind, content), "a/b")) for name, filename, kind, content in files
    ]
    read_fields, read_files = parsed(encode(fields, None, given_files))
    # It keeps the order within a name alone.
    assert sorted(read_fields, key=first) == sorted(fields, key=first)
    expected = [(name, filename, "a/b", content) for name, filename, _, content in files]
    assert sorted(read_files, key=first) == sorted(expected, key=first)
    close_files(given_files)


some_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
values = some_text | st.binary() | st.integers() | st.floats() | st.booleans() | st.none()
headers = st.dictionaries(
    st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", fullmatch=True), some_text | st.none()
)
uploaded = st.one_of(
    st.binary(),
    some_text,
    st.none(),
    st.tuples(some_text | st.none(), some_text | st.binary() | st.none()),
    st.tuples(some_text | st.none(), st.binary(), some_text | st.none()),
    st.tuples(some_text | st.none(), some_text, some_text | st.none(), headers | st.none()),
)


@unhurried
@given(
    data=st.lists(st.tuples(some_text, values | st.lists(values))) | st.dictionaries(some_text, values),
    files=st.lists(st.tuples(some_text, uploaded), min_size=1)
    | st.dictionaries(some_text, uploaded, min_size=1),
)
def test_any_upload_is_written_as_requests_writes_it(data: Any, files: Any) -> None:
    encoded = encode(data, None, files)
    expected, their_type = with_requests((data, files))
    assert sent(encoded) == with_boundary(expected, their_type, boundary_of(encoded.content_type))


@unhurried
@given(
    files=st.lists(st.tuples(as_given, contents), min_size=1, max_size=5),
    sizes=st.lists(st.integers(0, 3000), max_size=20),
)
def test_any_sequence_of_reads_gives_the_same_bytes(files: list[tuple[str, bytes]], sizes: list[int]) -> None:
    given_files = [("name", ("filename", as_content(kind, content))) for kind, content in files]
    encoded = encode(None, None, given_files)
    if isinstance(encoded.content, MultipartBody):
        body = encoded.content
        read = b"".join([body.read(size) for size in sizes] + [body.read()])
        expected, their_type = with_requests(
            (None, [("name", ("filename", content)) for _, content in files])
        )
        assert read == with_boundary(expected, their_type, boundary_of(encoded.content_type))
        assert body.tell() == len(read)
    close_files(given_files)


@pytest.mark.parametrize(
    "value",
    [[io.BytesIO(b"a"), io.BytesIO(b"b")], ("n", b"x", 5), (5, b"x")],
    ids=["files", "content type", "filename"],
)
def test_a_list_of_files_is_refused_and_none_of_them_lost(value: Any) -> None:
    with pytest.raises(InvalidBody, match="several files of one name are pairs"):
        encode(None, files={"docs": value})
