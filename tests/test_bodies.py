"""Request bodies: how what the caller gives is read, and how it is wound back (law P2)."""

from __future__ import annotations

import bz2
import collections
import gzip
import io
import json
import lzma
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests_toolbelt.multipart.encoder import CustomBytesIO

from pystickyhttp.bodies import (
    FORM_TYPE,
    JSON_TYPE,
    LARGE_PIECE,
    NO_BODY,
    PIECE,
    EncodedBody,
    StreamedBody,
    as_bytes,
    encode,
)
from pystickyhttp.exceptions import InvalidBody, InvalidJSONError, UnrewindableBodyError
from pystickyhttp.utils import super_len
from tests.names import named

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)


def outgoing(content: Any, position: int | None, length: int | None) -> bytes | StreamedBody:
    """What the transport gets of a body: bytes where they can be had, else a stream of them."""
    whole = as_bytes(content)
    return StreamedBody(content, position, length) if whole is None else whole


def sent(encoded: EncodedBody) -> bytes:
    """The bytes that the transport would send."""
    return drained(outgoing(encoded.content, encoded.position, encoded.length))


def drained(body: bytes | StreamedBody) -> bytes:
    return body if isinstance(body, bytes) else b"".join(body)


def streamed(encoded: EncodedBody) -> StreamedBody:
    body = outgoing(encoded.content, encoded.position, encoded.length)
    assert isinstance(body, StreamedBody)
    return body


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    """A file that holds 0123456789 and stands at its begin."""
    path = tmp_path / "body"
    path.write_bytes(b"0123456789")
    with path.open("r+b") as opened:
        yield cast(BinaryIO, opened)


# -- what is a body


@pytest.mark.parametrize("data", [None, "", b"", bytearray(), memoryview(b""), {}, [], ()], ids=named)
def test_nothing_is_no_body(data: Any) -> None:
    assert encode(data) is NO_BODY
    assert NO_BODY.content is None
    assert NO_BODY.content_type is None
    assert sent(NO_BODY) == b""


@unhurried
@given(st.binary(min_size=1))
def test_bytes_are_sent_as_they_are(data: bytes) -> None:
    for given_data in (data, bytearray(data), memoryview(data)):
        encoded = encode(given_data)
        assert (encoded.content, encoded.length, encoded.content_type) == (data, len(data), None)


def test_a_bytearray_that_changes_later_does_not_change_the_body() -> None:
    data = bytearray(b"before")
    encoded = encode(data)
    data[:] = b"behind"
    assert sent(encoded) == b"before"


def test_a_view_of_every_second_byte_is_the_bytes_that_it_shows() -> None:
    encoded = encode(memoryview(b"a.b.c.")[::2])
    assert (sent(encoded), encoded.length) == (b"abc", 3)


@unhurried
@given(st.text(min_size=1))
def test_text_is_sent_as_utf_8(data: str) -> None:
    encoded = encode(data)
    assert sent(encoded) == data.encode("utf-8")
    assert encoded.length == len(data.encode("utf-8"))
    assert encoded.content_type is None


def test_text_with_half_a_surrogate_pair_is_refused() -> None:
    """Every error derives from RequestException: UTF-8 has no form for such a half."""
    with pytest.raises(InvalidBody):
        encode("\ud800")


@pytest.mark.parametrize("value", [True, False, 1, 0, 1.5, 0.0, object(), len, 1j], ids=named)
def test_what_is_neither_text_nor_file_nor_form_nor_iterable_is_refused(value: Any) -> None:
    """A zero is as little a body as a one; only None and what is empty are no body."""
    with pytest.raises(InvalidBody):
        encode(value)


# -- forms


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"a": "1", "b": "é &="}, b"a=1&b=%C3%A9+%26%3D"),
        ([("a", "1"), ("a", "2")], b"a=1&a=2"),
        ((("a", "1"),), b"a=1"),
        ({"a": ["1", "2"], "b": None, "c": [None, 3]}, b"a=1&a=2&c=3"),
        ([("a", b"\xff"), (bytearray(b"b"), memoryview(b"\xfe"))], b"a=%FF&b=%FE"),
        ({1: 2}, b"1=2"),
    ],
    ids=named,
)
def test_pairs_are_sent_as_a_form(data: Any, expected: bytes) -> None:
    encoded = encode(data)
    assert sent(encoded) == expected
    assert encoded.length == len(expected)
    assert encoded.content_type == FORM_TYPE


@unhurried
@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_a_form_reads_back_as_its_pairs(pairs: list[tuple[str, str]]) -> None:
    text = sent(encode(pairs)).decode("ascii")
    assert parse_qsl(text, keep_blank_values=True, strict_parsing=True) == pairs


@pytest.mark.parametrize("data", [["abc"], [1], [b"abc"], [("a",)], [("a", "b", "c")], (1, 2)], ids=named)
def test_a_list_that_is_not_made_of_pairs_is_refused(data: Any) -> None:
    with pytest.raises(InvalidBody):
        encode(data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            ("id", "42"),
            "data= of type tuple can't be sent as a form: its member 1 (str) is no pair of name and value;",
        ),
        ([("a", "1"), b"b2"], "data= of type list can't be sent as a form: its member 2 (bytes) is no pair "),
        (
            [("a", "1", "2")],
            "data= of type list can't be sent as a form: its member 1 (tuple of 3) is no pair ",
        ),
        ((1, 2), "data= of type tuple can't be sent as a form: its member 1 (int) is no pair "),
        (
            {"a": "\ud800"},
            "data= of type dict can't be sent as a form: 'utf-8' codec can't encode character",
        ),
    ],
    ids=named,
)
def test_what_is_wrong_with_a_form_is_told_in_terms_of_what_was_given(data: Any, told: str) -> None:
    """A text of two letters would be read as a name and a value, which nobody has meant."""
    with pytest.raises(InvalidBody) as caught:
        encode(data)
    assert told in str(caught.value)


# -- JSON

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@unhurried
@given(json_values.filter(lambda value: value is not None))
def test_json_is_sent_in_utf_8_and_reads_back_as_the_value(value: Any) -> None:
    """RFC 8259, section 8.1."""
    encoded = encode(None, value)
    assert json.loads(sent(encoded).decode("utf-8")) == value
    assert encoded.length == len(sent(encoded))
    assert encoded.content_type == JSON_TYPE


@pytest.mark.parametrize("value", [{}, [], 0, False, "", 0.0], ids=named)
def test_an_empty_json_value_is_a_body(value: Any) -> None:
    assert json.loads(sent(encode(None, value))) == value


def test_data_goes_ahead_of_json_where_it_is_not_empty() -> None:
    assert sent(encode(b"data", {"a": 1})) == b"data"
    assert sent(encode({}, {"a": 1})) == b'{"a": 1}'
    assert sent(encode(b"", [])) == b"[]"


def endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        [float("-inf")],
        {"a": float("nan")},
        {1, 2},
        b"x",
        object(),
        {(1,): 2},
        endless(),
    ],
    ids=["nan", "inf", "nested-inf", "nested-nan", "set", "bytes", "object", "tuple-key", "endless"],
)
def test_what_rfc_8259_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises(InvalidJSONError):
        encode(None, value)


def test_json_nested_deeper_than_python_goes_is_refused() -> None:
    value: list[Any] = []
    for _ in range(200_000):
        value = [value]
    with pytest.raises(InvalidJSONError):
        encode(None, value)


# -- files


def test_a_file_is_sent_from_where_it_stands_to_its_end(file: BinaryIO) -> None:
    file.seek(4)
    encoded = encode(file)
    assert (encoded.content, encoded.length, encoded.position) == (file, 6, 4)
    assert encoded.content_type is None
    assert sent(encoded) == b"456789"


def test_to_ask_for_the_length_does_not_move_the_file(file: BinaryIO) -> None:
    for opened in (file, io.BytesIO(b"0123456789")):
        opened.seek(4)
        encode(opened)
        assert opened.tell() == 4


@pytest.mark.parametrize("position", [0, 3, 10, 15])
def test_a_file_in_memory_is_a_file(position: int) -> None:
    memory = io.BytesIO(b"0123456789")
    memory.seek(position)
    encoded = encode(memory)
    assert (encoded.length, encoded.position) == (max(0, 10 - position), position)
    assert sent(encoded) == b"0123456789"[position:]


# Linux has such files, and other systems do not.
MADE_AS_THEY_ARE_READ = [path for path in (Path("/proc/self/environ"),) if path.exists()]


@pytest.mark.parametrize("position", [0, 2])
def test_a_file_whose_size_is_said_to_be_none_is_not_empty(position: int) -> None:
    """Files below /proc are made as they are read: to send nothing of them would be data loss."""
    for path in MADE_AS_THEY_ARE_READ:
        assert path.stat().st_size == 0
        with path.open("rb") as opened:
            opened.seek(position)
            encoded = encode(opened)
            assert (encoded.length, encoded.position) == (None, position)
            assert opened.tell() == position
            assert sent(encoded) == path.read_bytes()[position:]


def test_an_empty_file_on_a_disk_is_a_body_of_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as opened:
        encoded = encode(opened)
        assert (encoded.length, encoded.position, opened.tell()) == (0, 0, 0)
        assert sent(encoded) == b""


def test_a_file_that_is_closed_is_refused(file: BinaryIO) -> None:
    """And not sent as an empty one, nor found out when the request is under way."""
    file.close()
    for closed in (file, io.BytesIO(b"1"), io.StringIO("1")):
        closed.close()
        with pytest.raises(InvalidBody, match="is closed: open it"):
            encode(closed)


def test_a_file_that_is_only_written_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "written").open("wb") as opened, pytest.raises(InvalidBody, match="the mode 'rb'"):
        encode(opened)


def test_an_empty_file_is_a_body_of_no_bytes() -> None:
    encoded = encode(io.BytesIO())
    assert encoded.content is not None
    assert encoded.length == 0
    assert sent(encoded) == b""


def test_a_file_of_many_pieces_arrives_whole(tmp_path: Path) -> None:
    content = os.urandom(3 * LARGE_PIECE + 1)
    (tmp_path / "large").write_bytes(content)
    with (tmp_path / "large").open("rb") as opened:
        encoded = encode(opened)
        assert encoded.length == len(content)
        assert all(len(piece) <= LARGE_PIECE for piece in streamed(encoded))
        opened.seek(0)
        assert sent(encoded) == content


def test_a_file_that_grows_is_sent_to_the_length_that_was_promised(file: BinaryIO) -> None:
    """More than Content-Length says would be read as the next request (RFC 9112, section 6.3)."""
    encoded = encode(file)
    with open(file.name, "ab") as again:
        again.write(b"more")
    assert sent(encoded) == b"0123456789"


def test_a_file_that_shrinks_ends_where_it_ends(file: BinaryIO) -> None:
    encoded = encode(file)
    os.truncate(file.name, 4)
    assert encoded.length == 10
    assert sent(encoded) == b"0123"  # the transport holds it against the promise, and refuses


def test_a_pipe_has_no_length_and_no_position() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through the pipe")
    os.close(writing)
    with open(reading, "rb") as pipe:
        encoded = encode(pipe)
        assert (encoded.length, encoded.position) == (None, None)
        body = streamed(encoded)
        assert drained(body) == b"through the pipe"
        assert not body.replayable
        with pytest.raises(UnrewindableBodyError):
            body.rewind()


@pytest.mark.parametrize("compressed", [gzip.open, bz2.open, lzma.open], ids=["gzip", "bz2", "lzma"])
@pytest.mark.parametrize("content", [b"0" * 100_000, b"01"], ids=["smaller", "larger"])
def test_a_file_that_decompresses_arrives_whole(
    compressed: Callable[..., IO[bytes]], content: bytes, tmp_path: Path
) -> None:
    """Its fileno() is that of the compressed file, whose size says nothing about what read() gives."""
    path = tmp_path / "compressed"
    with compressed(path, "wb") as writing:
        writing.write(content)
    with compressed(path, "rb") as reading:
        encoded = encode(reading)
        assert encoded.length in (None, len(content))
        assert sent(encoded) == content


class Announced:
    """A file of which nobody knows more than what its attribute `len` says, as streaming encoders have it."""

    def __init__(self, content: bytes) -> None:
        self._left = io.BytesIO(content)
        self.len = len(content)

    def read(self, size: int = -1) -> bytes:
        return self._left.read(size)


def test_a_file_can_announce_its_length() -> None:
    encoded = encode(Announced(b"announced"))
    assert (encoded.length, encoded.position) == (9, None)
    assert sent(encoded) == b"announced"


class PartlyRead(Announced):
    """One that tells where it stands too, and can't be brought elsewhere."""

    def tell(self) -> int:
        return self._left.tell()


class Seekable(PartlyRead):
    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._left.seek(offset, whence)


class WithSize(io.RawIOBase):
    """A wrapped iterator that knows its size."""

    def __init__(self, content: bytes) -> None:
        self._left = io.BytesIO(content)
        self._size = len(content)

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        return self._left.read(size)

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._left.tell()


@pytest.mark.parametrize("kind", [PartlyRead, Seekable, CustomBytesIO, WithSize])
@pytest.mark.parametrize("position", [0, 4, 9])
def test_a_file_that_announces_its_length_is_sent_from_where_it_stands(kind: Any, position: int) -> None:
    """Its `len` may be the whole, as requests takes it, or what is left. X6: the framing has to be true."""
    file = kind(b"announced")
    file.read(position)
    encoded = encode(file)
    assert (encoded.length, encoded.position) == (9 - position, position)
    assert sent(encoded) == b"announced"[position:]


# -- text files


def test_text_in_memory_is_sent_as_utf_8_from_where_it_stands() -> None:
    text = io.StringIO("aé€")
    text.read(1)
    encoded = encode(text)
    assert sent(encoded) == "é€".encode()
    assert encoded.length == 5


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_a_text_file_is_sent_as_utf_8_whatever_it_is_kept_in(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("é1\né2\n", encoding=encoding)
    with path.open(encoding=encoding) as opened:
        encoded = encode(opened)
        assert sent(encoded) == "é1\né2\n".encode()
        assert encoded.length == 8


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_a_temporary_text_file_is_one_too(encoding: str) -> None:
    """It wraps a text file, and is no TextIOBase itself."""
    with tempfile.NamedTemporaryFile("w+", encoding=encoding) as opened:
        opened.write("é1\né2\n")
        opened.seek(0)
        encoded = encode(opened)
        assert encoded.length in (None, 8)
        assert sent(encoded) == "é1\né2\n".encode()


# -- iterables


def test_a_generator_has_no_length() -> None:
    encoded = encode(iter([b"a", "é", bytearray(b"b"), memoryview(b"c"), b""]))
    assert (encoded.length, encoded.content_type, encoded.position) == (None, None, None)
    assert sent(encoded) == b"a\xc3\xa9bc"


@pytest.mark.parametrize("piece", [1, None, ["a"], 1.5], ids=named)
def test_a_piece_that_is_neither_bytes_nor_text_is_refused_when_it_comes(piece: Any) -> None:
    pieces = iter(streamed(encode(iter([b"good", piece]))))
    assert next(pieces) == b"good"
    with pytest.raises(InvalidBody):
        next(pieces)


def test_a_piece_with_half_a_surrogate_pair_is_refused_when_it_comes() -> None:
    with pytest.raises(InvalidBody):
        sent(encode(iter(["\ud800"])))


def test_what_an_iterable_raises_is_raised() -> None:
    def failing() -> Iterator[bytes]:
        yield b"good"
        raise KeyError("of the caller's own")

    with pytest.raises(KeyError):
        sent(encode(failing()))


# -- sent again


def test_bytes_need_no_winding_back() -> None:
    for content in ("text", b"bytes", bytearray(b"array"), None):
        assert isinstance(outgoing(content, None, None), bytes)


@pytest.mark.parametrize("position", [0, 4, 10])
@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_file_goes_back_to_where_it_stood_when_it_was_prepared(
    position: int, taken: int, tmp_path: Path
) -> None:
    """P2."""
    content = b"0123456789" + bytes(2 * PIECE)
    (tmp_path / "body").write_bytes(content)
    with (tmp_path / "body").open("rb") as opened:
        opened.seek(position)
        body = streamed(encode(opened))
        for _, _ in zip(range(taken), body, strict=False):
            pass
        assert body.replayable
        body.rewind()
        assert drained(body) == content[position:]
        body.rewind()
        assert drained(body) == content[position:]


def test_a_file_that_was_moved_since_it_was_prepared_is_sent_from_where_it_stood_then(file: BinaryIO) -> None:
    """P2. So it is for the second hop of a redirect, whose body is the same file, at its end by now."""
    file.seek(4)
    encoded = encode(file)
    assert sent(encoded) == b"456789"
    assert sent(encoded) == b"456789"


def test_a_body_that_nothing_was_taken_of_is_ready() -> None:
    body = streamed(encode(iter([b"a", b"b"])))
    assert body.replayable
    body.rewind()
    assert drained(body) == b"ab"


@pytest.mark.parametrize("taken", [1, 2])
def test_a_generator_that_was_begun_can_not_be_sent_again(taken: int) -> None:
    """P2: the error, never an empty body instead."""
    body = streamed(encode(piece for piece in [b"a", b"b"]))
    for _, _ in zip(range(taken), body, strict=False):
        pass
    assert not body.replayable
    with pytest.raises(UnrewindableBodyError):
        body.rewind()
    with pytest.raises(UnrewindableBodyError):  # and it stays so
        body.rewind()


class Wrapper:
    """Begins a new iterator each time, and all of them read on in one file, as those of progress bars do."""

    def __init__(self) -> None:
        self._file = io.BytesIO(b"ab")

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._file.read(1):
            yield piece


class Once:
    """An iterable that always hands out the same iterator, which is used up some day."""

    def __init__(self) -> None:
        self._iterator = iter([b"a", b"b"])

    def __iter__(self) -> Iterator[bytes]:
        return self._iterator


def test_an_iterable_that_begins_anew_can_be_sent_again() -> None:
    """P2."""
    for content in (collections.deque([b"a", b"b"]), [b"a", b"b"], dict.fromkeys([b"a", b"b"]).keys()):
        body = outgoing(content, None, None)
        assert isinstance(body, StreamedBody)
        assert drained(body) == b"ab"
        assert body.replayable
        body.rewind()
        assert drained(body) == b"ab"


def test_an_iterable_that_can_not_begin_anew_is_not_sent_empty() -> None:
    """P2: never an empty body instead."""
    for content in (Once(), Wrapper()):
        body = streamed(encode(content))
        assert drained(body) == b"ab"
        assert not body.replayable
        with pytest.raises(UnrewindableBodyError):
            body.rewind()


def test_a_file_that_was_closed_can_not_be_sent_again(file: BinaryIO) -> None:
    """P2."""
    body = streamed(encode(file))
    assert drained(body) == b"0123456789"
    file.close()
    with pytest.raises(UnrewindableBodyError):
        body.rewind()


def test_a_file_that_does_not_say_where_it_stands_is_left_there() -> None:
    """To measure it by going to its end would send it from its start, or not at all."""

    class Silent:
        def __init__(self) -> None:
            self._file = io.BytesIO(b"0123456789")
            self._file.seek(4)

        def read(self, size: int = -1) -> bytes:
            return self._file.read(size)

        def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
            return self._file.seek(offset, whence)

    assert super_len(Silent()) == 0
    encoded = encode(Silent())
    assert (encoded.length, encoded.position) == (None, None)
    assert b"".join(StreamedBody(encoded.content, encoded.position, encoded.length)) == b"456789"


def test_a_file_that_does_not_seek_can_not_be_sent_again() -> None:
    """P2."""
    body = streamed(encode(Announced(b"announced")))
    assert body.replayable
    assert drained(body) == b"announced"
    assert not body.replayable
    with pytest.raises(UnrewindableBodyError):
        body.rewind()


@pytest.mark.parametrize("content", [1, object(), 1.5], ids=named)
def test_a_prepared_body_of_another_type_is_refused(content: Any) -> None:
    with pytest.raises(InvalidBody):
        outgoing(content, None, None)


@unhurried
@given(
    content=st.binary(max_size=3 * PIECE),
    start=st.integers(0, 1000),
    takes=st.lists(st.integers(0, 5), max_size=8),
)
def test_any_sequence_of_sending_and_winding_back_ends_with_the_whole_body(
    content: bytes, start: int, takes: list[int]
) -> None:
    """P2: from where it stood, however much of it was sent before."""
    file = io.BytesIO(content)
    file.seek(min(start, len(content)))
    expected = content[file.tell() :]
    body = streamed(encode(file))
    for pieces in takes:
        for _ in zip(range(pieces), body, strict=False):
            pass
        assert body.replayable
        body.rewind()
    assert drained(body) == expected
