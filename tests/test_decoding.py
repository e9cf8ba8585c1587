"""Response bodies: content codings (RFC 1950, 1951, 1952; RFC 9110, section 8.4), the text law, and lines.

Everything comes in pieces, and no result may depend on where the network cut them.
"""

from __future__ import annotations

import codecs
import contextlib
import encodings.aliases
import gzip
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import AnyStr, SupportsIndex

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pystickyhttp import decoding
from pystickyhttp.decoding import LineSplitter, charset_of, decode_text, decoders_for, is_known_charset
from pystickyhttp.exceptions import ContentDecodingError
from pystickyhttp.headers import Headers
from pystickyhttp.models import PreparedRequest, Response

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
]
coding = pytest.mark.parametrize(("name", "encode"), CODINGS, ids=["gzip", "x-gzip", "zlib", "raw"])

places = st.lists(st.integers(0, 300))


def cut(whole: AnyStr, places: list[int]) -> list[AnyStr]:
    """The whole in pieces, cut at these places; some of them may be empty."""
    edges = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


def decoded(name: str, pieces: Iterable[bytes]) -> bytes:
    decoders = decoders_for(name)
    assert decoders, "an unknown coding would be handed on as it is"
    return b"".join(decoding.decode(pieces, decoders))


# -- content codings


@coding
@unhurried
@given(st.binary(), places)
def test_a_body_decodes_wherever_it_was_cut(
    name: str, encode: Callable[[bytes], bytes], data: bytes, places: list[int]
) -> None:
    assert decoded(name, cut(encode(data), places)) == data


@coding
def test_a_body_decodes_byte_by_byte(name: str, encode: Callable[[bytes], bytes]) -> None:
    data = bytes(range(256)) * 300
    assert decoded(name, [bytes([byte]) for byte in encode(data)]) == data


@coding
@unhurried
@given(st.binary(), places, st.data())
def test_a_body_that_is_cut_short_is_an_error(
    name: str, encode: Callable[[bytes], bytes], data: bytes, places: list[int], draw: st.DataObject
) -> None:
    """A missing trailer raises, whatever came before it."""
    whole = encode(data)
    rest = whole[: draw.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(ContentDecodingError):
        decoded(name, cut(rest, places))


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_body_of_no_bytes_is_empty(name: str) -> None:
    """An answer to HEAD, or a 304, has the field and no body."""
    assert decoded(name, []) == b""
    assert decoded(name, [b"", b""]) == b""


@pytest.mark.parametrize(("name", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_wrong_checksum_is_an_error(name: str, encode: Callable[[bytes], bytes]) -> None:
    """RFC 1952, section 2.3.1; RFC 1950, section 2.2."""
    whole = bytearray(encode(b"content"))
    whole[-5 if name == "gzip" else -1] ^= 1  # behind the CRC of gzip stands its length
    with pytest.raises(ContentDecodingError):
        decoded(name, [bytes(whole)])


def test_a_wrong_length_in_the_gzip_trailer_is_an_error() -> None:
    whole = bytearray(gzip.compress(b"content"))
    whole[-1] ^= 1
    with pytest.raises(ContentDecodingError):
        decoded("gzip", [bytes(whole)])


@pytest.mark.parametrize("body", [b"plain text", b"<html>", b"\x1f\x8bx", b"\0" * 40, b"\xff" * 40], ids=repr)
@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_what_is_not_in_its_coding_is_an_error(name: str, body: bytes) -> None:
    with pytest.raises(ContentDecodingError):
        decoded(name, [body])


@unhurried
@given(st.sampled_from(["gzip", "deflate", "deflate, gzip"]), st.lists(st.binary()))
def test_any_bytes_decode_or_raise_content_decoding_error(name: str, pieces: list[bytes]) -> None:
    with contextlib.suppress(ContentDecodingError):
        decoded(name, pieces)


@unhurried
@given(st.lists(st.binary(), min_size=1, max_size=4), places)
@example([b"a", b"b"], [21])  # between two members
@example([b"a", b"b"], [22])  # between the two bytes by which a member is known
def test_gzip_may_have_any_number_of_members(members: list[bytes], places: list[int]) -> None:
    """RFC 1952, section 2.2."""
    body = b"".join(map(gzip.compress, members))
    assert decoded("gzip", cut(body, places)) == b"".join(members)


def test_a_second_member_that_is_cut_short_is_an_error() -> None:
    with pytest.raises(ContentDecodingError):
        decoded("gzip", [gzip.compress(b"a") + gzip.compress(b"b")[:-1]])


@unhurried
@given(st.binary(), st.binary(min_size=1), places)
@example(b"a", b"\0" * 512, [])  # the padding of tapes
@example(b"a", b"\x1fgarbage", [22])
def test_what_follows_the_last_gzip_member_and_is_none_is_left_out(
    data: bytes, garbage: bytes, places: list[int]
) -> None:
    # What begins as a member does is one that is broken; and a lone first byte may be one that is cut short.
    assume(not garbage.startswith(b"\x1f\x8b") and garbage != b"\x1f")
    assert decoded("gzip", cut(gzip.compress(data) + garbage, places)) == data


@pytest.mark.parametrize("encode", [zlib.compress, raw_deflate], ids=["zlib", "raw"])
@pytest.mark.parametrize("places", [[], [1], list(range(100))], ids=["whole", "two", "bytes"])
def test_what_follows_a_deflate_body_is_left_out(encode: Callable[[bytes], bytes], places: list[int]) -> None:
    assert decoded("deflate", cut(encode(b"content") + b"garbage", places)) == b"content"


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("wbits", [*range(9, 16), *range(-15, -8)])
def test_deflate_is_read_in_both_formats_at_any_level_and_window(level: int, wbits: int) -> None:
    """RFC 9110, section 8.4.1.2: the zlib format, and its note on those who send the data without it."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, wbits)
    data = bytes(range(256)) * 20
    assert decoded("deflate", cut(compressor.compress(data) + compressor.flush(), [1])) == data


@coding
@pytest.mark.parametrize(
    "size", [0, 1, decoding.STEP - 1, decoding.STEP, decoding.STEP + 1, 10 * decoding.STEP]
)
def test_no_step_gives_more_than_its_bound(name: str, encode: Callable[[bytes], bytes], size: int) -> None:
    """Output is bounded per step: a few bytes may decode to a thousand times as many."""
    body = encode(bytes(size))
    for pieces in ([body], cut(body, list(range(300)))):
        steps = list(decoding.decode(pieces, decoders_for(name)))
        assert sum(map(len, steps)) == size
        assert all(len(step) <= decoding.STEP for step in steps)


def test_no_step_of_a_chain_gives_more_than_its_bound() -> None:
    body = gzip.compress(zlib.compress(gzip.compress(bytes(50 * decoding.STEP))))
    steps = list(decoding.decode([body], decoders_for("gzip, deflate, gzip")))
    assert sum(map(len, steps)) == 50 * decoding.STEP
    assert all(len(step) <= decoding.STEP for step in steps)


def test_what_was_decoded_before_the_fault_comes_before_the_error() -> None:
    pieces = decoding.decode([gzip.compress(b"good"), b"\x1f\x8bbad and so on"], decoders_for("gzip"))
    given = b""
    while not given:
        given += next(pieces)
    assert given == b"good"
    with pytest.raises(ContentDecodingError):
        list(pieces)


def test_steps_that_give_nothing_are_told_so_that_the_clock_can_be_looked_at() -> None:
    """T1: empty members, and what lies behind the end of a stream, decode to nothing for long."""
    members = gzip.compress(b"") * 1000
    assert len(list(decoding.decode([members], decoders_for("gzip")))) >= 1000
    behind = gzip.compress(zlib.compress(b"end") + bytes(20 * decoding.STEP))
    steps = list(decoding.decode([behind], decoders_for("deflate, gzip")))
    assert b"".join(steps) == b"end"
    assert len(steps) >= 20


@unhurried
@given(st.lists(st.sampled_from(CODINGS), max_size=5), st.binary(), places)
def test_codings_are_undone_from_the_last_to_the_first(
    chain: list[tuple[str, Callable[[bytes], bytes]]], data: bytes, places: list[int]
) -> None:
    """RFC 9110, section 8.4: they are listed in the order in which they were applied."""
    body = data
    for _, encode in chain:
        body = encode(body)
    decoders = decoders_for(", ".join(name for name, _ in chain))
    assert len(decoders) == len(chain)
    assert b"".join(decoding.decode(cut(body, places), decoders)) == data


@pytest.mark.parametrize("field", ["", "identity", " , ,", "identity, identity", "IDENTITY"])
def test_identity_is_no_coding(field: str) -> None:
    assert decoders_for(field) == []


@pytest.mark.parametrize(
    "field", ["GZIP", " gzip ", "gzip,", ",gzip", "identity, gzip", "gzip, identity", "X-Gzip"]
)
def test_a_coding_is_known_in_any_case_and_with_any_space(field: str) -> None:
    """RFC 9110, section 8.4.1; section 5.6.1 for the empty members of a list."""
    assert decoded(field, [gzip.compress(b"content")]) == b"content"


@pytest.mark.parametrize(
    "field", ["compress", "gzip, aes128gcm", "aes128gcm, gzip", "utf-8", "gzip;q=1", "*"]
)
def test_a_body_with_a_coding_that_is_not_known_has_no_decoders(field: str) -> None:
    assert decoders_for(field) == []


@pytest.mark.parametrize("count", [6, 7, 1000])
def test_more_than_five_codings_are_refused(count: int) -> None:
    assert decoding.MAX_CODINGS == 5
    with pytest.raises(ContentDecodingError):
        decoders_for(", ".join(["gzip"] * count))
    assert len(decoders_for(", ".join(["gzip"] * 5 + ["identity"] * count))) == 5


def test_only_what_can_be_decoded_is_asked_for() -> None:
    for name in decoding.ACCEPT_ENCODING.split(","):
        assert len(decoders_for(name)) == 1


# -- text

# Names of codecs: those of text, of bytes to bytes ("zlib"), and some that refuse all ("undefined").
CODECS = sorted(
    {*encodings.aliases.aliases, *encodings.aliases.aliases.values(), "idna", "punycode", "undefined"}
)


@pytest.mark.parametrize(
    "name", ["utf-8", "UTF8", "latin-1", "ISO-8859-1", "windows-1252", "shift_jis", "koi8-r"]
)
def test_a_charset_that_python_decodes_is_known(name: str) -> None:
    assert is_known_charset(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "no-such-charset",
        "x-user-defined",
        "zlib",
        "hex",
        "rot13",
        "base64",
        "a\0b",
        "ü",
        "\ud800",
        "a" * 9999,
    ],
)
def test_a_charset_that_python_does_not_decode_to_text_is_not_known(name: str) -> None:
    assert not is_known_charset(name)


@pytest.mark.parametrize("name", CODECS)
def test_text_never_fails_whichever_charset_was_said(name: str) -> None:
    with warnings.catch_warnings():
        # Some codecs ("unicode_escape") warn of what they read, and what the server sent is not our doing.
        warnings.simplefilter("ignore")
        for content in (b"", b"plain", bytes(range(256)), b"\\d\\x", b"\xff\xfe\xfd", b"xn--\xff-"):
            assert isinstance(decode_text(content, name), str)


class InMemory:
    """A body that has come already."""

    def __init__(self, content: bytes) -> None:
        self._left = content
        self.closed = False

    def read_piece(self) -> bytes:
        piece, self._left = self._left, b""
        return piece

    def pieces(self) -> Iterator[bytes]:
        while piece := self.read_piece():
            yield piece

    def read_rest(self) -> bytes | None:
        return self.read_piece()

    def check_time(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("content", [b"plain", b"\xff\xfe\xfd"], ids=["plain", "broken"])
@pytest.mark.parametrize("name", CODECS)
def test_text_never_fails_piece_by_piece_whichever_charset_was_said(name: str, content: bytes) -> None:
    """It takes an incremental decoder, which not every codec has, and which may be stricter (UTF-16)."""
    fields = Headers({"Content-Type": f"text/plain; charset={name}"})
    response = Response(PreparedRequest(), 200, "OK", fields, InMemory(content))
    assert list(response.iter_content(1, decode_unicode=True))


@unhurried
@given(st.text(max_size=12) | st.sampled_from(CODECS), st.binary())
def test_text_never_fails_whatever_was_said(name: str, content: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert isinstance(decode_text(content, name), str)


@pytest.mark.parametrize("encoding", [None, "no-such-charset", "zlib"])
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"plain", "plain"),
        ("é€".encode(), "é€"),
        (codecs.BOM_UTF8 + "é€".encode(), "é€"),
        (codecs.BOM_UTF16_LE + "é€".encode("utf-16-le"), "é€"),
        (codecs.BOM_UTF16_BE + "é€".encode("utf-16-be"), "é€"),
        (codecs.BOM_UTF32_LE + "é€".encode("utf-32-le"), "é€"),
        (codecs.BOM_UTF32_BE + "é€".encode("utf-32-be"), "é€"),
        (b"caf\xe9", "café"),
        (b"\x80", "\x80"),
    ],
    ids=[
        "empty",
        "ascii",
        "utf-8",
        "mark-8",
        "mark-16le",
        "mark-16be",
        "mark-32le",
        "mark-32be",
        "latin-1",
        "0x80",
    ],
)
def test_text_is_by_byte_order_mark_then_utf_8_then_latin_1(
    content: bytes, text: str, encoding: str | None
) -> None:
    """The text law, from its second step on: no charset was said, or none that is known."""
    assert decode_text(content, encoding) == text


@pytest.mark.parametrize(
    ("content", "encoding", "text"),
    [
        ("é".encode(), "latin-1", "Ã©"),
        (b"caf\xe9", "utf-8", "caf\ufffd"),
        (b"\xff\xfea", "latin-1", "ÿþa"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("é".encode("utf-16"), "utf-16", "é"),
    ],
)
def test_text_is_by_the_charset_that_was_said_before_all_else(
    content: bytes, encoding: str, text: str
) -> None:
    """The text law, first step."""
    assert decode_text(content, encoding) == text


@unhurried
@given(st.binary())
def test_text_without_a_charset_never_fails(content: bytes) -> None:
    assert isinstance(decode_text(content, None), str)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=utf-8", "utf-8"),
        ("text/html;charset=UTF-8", "UTF-8"),
        ("text/html; CHARSET=utf-8", "utf-8"),
        ('text/html; charset="utf-8"', "utf-8"),
        ("text/html; charset='utf-8'", "utf-8"),  # no RFC has it, and servers do
        ("text/html; charset = utf-8 ", "utf-8"),
        ("text/html; format=flowed; charset=koi8-r; x=y", "koi8-r"),
        ("application/json; charset=utf-8", "utf-8"),
        ("text/html; charset=ascii; charset=utf-8", "ascii"),
        ("text/html", None),
        ("", None),
        ("charset=utf-8", None),
        ("text/html; charset=", None),
        ('text/html; charset=""', None),
        ("text/html; charset=no-such-charset", None),
        ("text/html; charset=zlib", None),
        ("text/html; xcharset=utf-8", None),
        ("text/html; charset", None),
    ],
)
def test_the_charset_is_a_parameter_of_the_content_type(content_type: str, expected: str | None) -> None:
    """RFC 9110, sections 5.6.6 and 8.3.2."""
    assert charset_of(content_type) == expected


def test_what_stands_within_the_quotes_of_another_parameter_is_no_charset() -> None:
    """RFC 9110, section 5.6.4: a quoted-string is one value, semicolons included."""
    assert charset_of('text/html; title="a; charset=koi8-r"; charset=utf-8') == "utf-8"


@unhurried
@given(
    st.text() | st.text().map("text/html; charset={}".format) | st.text(st.sampled_from(";=\"' charset8utf-"))
)
def test_any_content_type_can_be_read(content_type: str) -> None:
    charset = charset_of(content_type)
    assert charset is None or isinstance(decode_text(b"\xff content", charset), str)


# -- lines

line_texts = st.text(st.sampled_from("ab\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029é"), max_size=60)
line_bytes = st.lists(
    st.sampled_from([b"a", b"b", b"\r", b"\n", b"\x0b", b"\x85", b"\xff"]), max_size=60
).map(b"".join)


def split(splitter: LineSplitter[AnyStr], pieces: Iterable[AnyStr]) -> list[AnyStr]:
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + splitter.finish()


@unhurried
@given(line_bytes | st.binary(), places)
@example(b"a\r\nb", [2])
@example(b"a\r\r\n\n", [1, 2, 3, 4])
@example(b"a\r", [2, 2])
def test_lines_of_bytes_are_those_of_the_whole_wherever_it_was_cut(whole: bytes, places: list[int]) -> None:
    assert split(LineSplitter(b""), cut(whole, places)) == whole.splitlines()


@unhurried
@given(line_texts | st.text(), places)
@example("a\r\nb", [2])
@example("a\u2028b\x85", [1, 2, 3])
def test_lines_of_text_are_those_of_the_whole_wherever_it_was_cut(whole: str, places: list[int]) -> None:
    assert split(LineSplitter(""), cut(whole, places)) == whole.splitlines()


@unhurried
@given(
    st.text(st.sampled_from("ab\r\n"), max_size=60),
    st.text(st.sampled_from("ab\r\n"), min_size=1, max_size=5),
    places,
)
@example("aab", "ab", [1, 2])
@example("aabaab", "aab", [1, 2, 3, 4, 5])
@example("", "ab", [])
def test_lines_by_a_delimiter_are_those_of_the_whole_wherever_it_was_cut(
    whole: str, delimiter: str, places: list[int]
) -> None:
    # An empty body has no lines; all that split() finds in an empty text is the empty text.
    expected = whole.split(delimiter) if whole else []
    assert split(LineSplitter("", delimiter), cut(whole, places)) == expected
    raw, raw_delimiter = whole.encode(), delimiter.encode()
    raw_expected = [line.encode() for line in expected]
    assert split(LineSplitter(b"", raw_delimiter), cut(raw, places)) == raw_expected


def test_a_line_is_given_as_soon_as_its_end_has_come() -> None:
    splitter = LineSplitter(b"")
    assert splitter.feed(b"one\ntwo") == [b"one"]
    assert splitter.feed(b"\nthree\r") == [b"two"]
    assert splitter.feed(b"\n") == [b"three"]
    by_delimiter = LineSplitter("", "--")
    assert by_delimiter.feed("one-") == []
    assert by_delimiter.feed("-two") == ["one"]


@pytest.mark.parametrize("delimiter", [None, b"\n", b"\r\n"])
def test_a_body_without_pieces_has_no_lines(delimiter: bytes | None) -> None:
    assert split(LineSplitter(b"", delimiter), []) == []
    assert split(LineSplitter(b"", delimiter), [b""]) == []


class Counted(bytes):
    """Bytes that count how many of them are copied."""

    copied = 0

    @classmethod
    def _count(cls, result: bytes) -> Counted:
        Counted.copied += len(result)
        return cls(result)

    def __add__(self, other: object) -> Counted:
        assert isinstance(other, bytes)
        return self._count(bytes.__add__(self, other))

    def join(self, parts: Iterable[bytes]) -> Counted:  # type: ignore[override]
        return self._count(bytes.join(b"", parts))

    def split(self, sep: object = None, maxsplit: SupportsIndex = -1) -> list[bytes]:
        assert isinstance(sep, bytes)
        return [self._count(part) for part in bytes.split(self, sep, maxsplit)]

    def splitlines(self, keepends: bool = False) -> list[bytes]:
        return [self._count(part) for part in bytes.splitlines(self, keepends)]


@pytest.mark.parametrize("delimiter", [None, b"\n", b"\r\n", b"----"], ids=repr)
def test_a_long_line_in_many_pieces_takes_linear_time(delimiter: bytes | None) -> None:
    """Else a server that never ends its line has the client copy what it holds again with each piece."""
    pieces = 5000
    Counted.copied = 0
    splitter: LineSplitter[bytes] = LineSplitter(Counted(), delimiter)
    lines = split(splitter, [Counted(b"a")] * pieces)
    assert lines == [b"a" * pieces]
    # A few copies of each byte, and not one for each piece that comes behind it.
    assert Counted.copied <= 20 * pieces
