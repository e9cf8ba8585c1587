"""Response bodies: the text law, and lines. Content codings are in `test_codings`.

Everything comes in pieces, and no result may depend on where the network cut them.
"""

from __future__ import annotations

import codecs
import encodings.aliases
import tracemalloc
import warnings
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, AnyStr, SupportsIndex

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pystickyhttp import decoding
from pystickyhttp.decoding import LineSplitter, apparent_encoding, charset_of, decode_text, is_known_charset
from pystickyhttp.models import Response
from tests.test_codings import in_child

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)


places = st.lists(st.integers(0, 300))


def cut(whole: AnyStr, places: Iterable[int]) -> list[AnyStr]:
    """The whole in pieces, cut at these places; some of them may be empty."""
    edges = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


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


class Arriving:
    """The file of a body that comes in these pieces."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = filter(None, pieces)

    def read(self, size: int) -> bytes:
        return next(self._pieces, b"")


def response(pieces: Iterable[bytes], charset: str) -> Response:
    made = Response()
    made.headers["Content-Type"] = f"text/plain; charset={charset}"
    made.raw = Arriving(pieces)
    return made


@pytest.mark.parametrize("content", [b"plain", b"\xff\xfe\xfd"], ids=["plain", "broken"])
@pytest.mark.parametrize("name", CODECS)
def test_text_never_fails_piece_by_piece_whichever_charset_was_said(name: str, content: bytes) -> None:
    """It takes an incremental decoder, which not every codec has, and which may be stricter (UTF-16)."""
    assert list(response([content], name).iter_content(1, decode_unicode=True))


CHARSETS = [
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "latin-1",
    "shift_jis",
    "gb18030",
    "iso2022_jp",
]


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", ["", "a", "schön ☃ 𝄞"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_text_that_does_not_say_its_charset_is_read_by_its_mark_though_it_comes_in_pieces(
    charset: str, text: str, size: int
) -> None:
    """The text law: what is said, then the mark, then UTF-8."""
    content = text.encode(charset)
    pieces = (content[place : place + size] for place in range(0, len(content), size))
    unsaid = decoding.streaming_charset("text/plain")
    assert unsaid is not None
    assert "".join(decoding.decode_text_pieces(pieces, unsaid)) == decoding.decode_text(content, None) == text


def test_the_first_byte_of_a_text_is_held_back_only_where_it_may_begin_a_mark() -> None:
    """An event stream may begin with a byte, and go on an hour later."""
    came: list[bytes] = []

    def stream() -> Iterator[bytes]:
        for piece in (b":", b"\n"):
            came.append(piece)
            yield piece

    unsaid = decoding.streaming_charset("text/event-stream")
    assert unsaid is not None
    assert next(decoding.decode_text_pieces(stream(), unsaid)) == ":"
    assert came == [b":"]


@settings(unhurried, max_examples=300)
@given(
    st.sampled_from(CHARSETS),
    st.text() | st.text(st.sampled_from("aé日本\r\n\x85\u2028\ufeff")),
    st.binary(max_size=3),
    places,
    st.none() | st.integers(1, 9),
)
@example("utf-16", "\ufeffab", b"", [0, 1, 1, 2], None)
@example("utf-16", "", b"", [], None)
def test_text_piece_by_piece_is_the_text_of_the_whole_wherever_it_was_cut(
    charset: str, text: str, rest: bytes, places: list[int], size: int | None
) -> None:
    """Whether there is a byte order mark, or bytes that are no text, in it or not."""
    content = text.encode(charset, "replace") + rest
    whole = content.decode(charset, "replace")
    assert "".join(decoding.decode_text_pieces(cut(content, places), charset)) == whole
    for sliced in (response(cut(content, places), charset), response([content], charset)):
        assert "".join(sliced.iter_content(size, decode_unicode=True)) == whole
    assert (
        list(response(cut(content, places), charset).iter_lines(size, decode_unicode=True))
        == whole.splitlines()
    )


@unhurried
@given(st.text(max_size=12) | st.sampled_from(CODECS), st.binary())
def test_text_never_fails_whatever_was_said(name: str, content: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert isinstance(decode_text(content, name), str)


def test_a_charset_that_is_no_name_is_not_left_in_the_hands_of_the_standard_library() -> None:
    """It keeps each one that it does not know as long as the process lives."""
    made_up = "madeup" * 10_000
    assert charset_of(f"text/plain; charset={made_up}") is None
    assert decode_text(b"text", made_up) == "text"
    assert not any("madeupmadeup" in name for name in encodings._cache)
    assert max(map(len, encodings.aliases.aliases)) <= decoding._LONGEST_CHARSET


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
def test_text_is_by_byte_order_mark_then_utf_8_and_a_short_one_then_latin_1(
    content: bytes, text: str, encoding: str | None
) -> None:
    """The text law, from its second step on: no charset was said, or none that is known.

    A detector is installed here. Of "caf\xe9" it would make two Chinese characters.
    """
    assert decode_text(content, encoding) == text
    assert content.decode(apparent_encoding(content)) == text


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
    assert is_known_charset(apparent_encoding(content))


RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю.\r\n"
JAPANESE = "いろはにほへと ちりぬるを。わかよたれそ、つねならむ。日本語の文章です。\n"
CHINESE = "人人生而自由,在尊嚴和權利上一律平等。他們賦有理性和良心,並應以兄弟關係的精神互相對待。\n"
GREEK = "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Ταχίστη αλώπηξ βαφής ψημένη γη, δρασκελίζει υπέρ νωθρού κυνός.\n"

LEGACY = [
    (RUSSIAN, "windows-1251"),
    (RUSSIAN, "koi8-r"),
    (JAPANESE, "shift_jis"),
    (JAPANESE, "euc_jp"),
    (CHINESE, "big5"),
    (CHINESE, "utf-16-le"),
]
legacy = pytest.mark.parametrize(("text", "charset"), LEGACY, ids=[charset for _, charset in LEGACY])


@legacy
@pytest.mark.parametrize("times", [3, 20])
def test_text_of_some_length_that_is_no_utf_8_is_by_the_detector(text: str, charset: str, times: int) -> None:
    """The text law, fourth step."""
    assert decode_text((text * times).encode(charset), None) == text * times


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a",
        b'{"plain": "ascii"}',
        (RUSSIAN + JAPANESE + GREEK).encode(),
        *((text * times).encode(charset) for text, charset in LEGACY for times in (1, 20, 200)),
        *("text, é".encode(charset) for charset in ("utf-8-sig", "utf-16", "utf-32")),
        bytes(range(256)),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_the_apparent_encoding_is_the_one_that_requests_names(content: bytes) -> None:
    theirs = requests.Response()
    theirs._content = content
    ours = Response()
    ours.raw = Arriving([content])
    # Where the detector gives up there is still an encoding here: the one that text is decoded by.
    assert ours.apparent_encoding == (theirs.apparent_encoding or "ISO-8859-1")


@pytest.mark.parametrize("content", ["é€".encode(), b"caf\xe9", b'{"a":1}\0'], ids=ascii)
def test_the_apparent_encoding_of_a_few_bytes_is_no_guess(content: bytes) -> None:
    """Asked about these, the detector, and with it requests, names Japanese and Chinese character sets."""
    decoded = content.decode(apparent_encoding(content))
    assert decoded == decode_text(content, None)
    assert decoded in ("é€", "café", '{"a":1}\0')


@legacy
@pytest.mark.parametrize("before", [0, 1, 2, 3, 65_535, 65_536, 1_000_001])
@pytest.mark.parametrize("behind", [0, 3_000_000], ids=["short", "long"])
def test_a_long_text_is_as_easily_told_wherever_it_stops_to_be_ascii(
    text: str, charset: str, before: int, behind: int
) -> None:
    """The detector is given a part, which must neither be all ASCII nor end within a character."""
    whole = "a" * before + " " + text * (20 + behind // len(text))
    assert decode_text(whole.encode(charset), None) == whole


DETECTOR = r"""
sizes = []
def detect(content):
    assert not content.isascii()
    sizes.append(len(content))
    return {"encoding": ANSWER, "confidence": 1.0, "language": ""}
"""
ASK = r"""
from pystickyhttp.decoding import apparent_encoding, decode_text
long, late = b"a" * 10**7 + b"\xe9" * 10**7, b"a" * 2**18 + b"\xe9" * 8
for content in (b"plain " * 20, "\u20ac".encode() * 40, b"\xe9" * 31, b"\xe9" * 32, long, late):
    print(apparent_encoding(content), ascii(decode_text(content, None)[-1]))
print(*(name for name in ("chardet", "charset_normalizer") if sys.modules.get(name)))
print(sorted(set(getattr(sys.modules.get("chardet"), "sizes", []))))
"""


def test_text_is_latin_1_where_no_detector_is_installed() -> None:
    """The text law, last step."""
    said = in_child(ASK, without=["chardet", "charset_normalizer"]).splitlines()
    assert said == ["ascii ' '", "utf-8 '\\u20ac'", *["ISO-8859-1 '\\xe9'"] * 4, "", "[]"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("KOI8-R", ["KOI8-R '\\u0418'"] * 3),
        (None, ["ISO-8859-1 '\\xe9'"] * 3),
        ("no-such-charset", ["ISO-8859-1 '\\xe9'"] * 3),
        ("zlib", ["ISO-8859-1 '\\xe9'"] * 3),
    ],
)
def test_whichever_detector_is_installed_is_asked_for_a_part_of_what_is_no_utf_8(
    tmp_path: Path, answer: str | None, expected: list[str]
) -> None:
    """64 KiB take it some milliseconds; ten megabytes a second, or ten."""
    (tmp_path / "chardet.py").write_text(DETECTOR.replace("ANSWER", repr(answer)))
    said = in_child(ASK, path=tmp_path).splitlines()
    assert said == [
        "ascii ' '",
        "utf-8 '\\u20ac'",
        "ISO-8859-1 '\\xe9'",
        *expected,
        "chardet",
        "[32, 1024, 65536]",
    ]


def test_no_detector_is_loaded_before_it_is_needed() -> None:
    program = r"""
from pystickyhttp.decoding import apparent_encoding, decode_text
for content in (b"plain" * 20, "\u20ac".encode() * 40, "\u20ac".encode("utf-16"), b"\xe9", b""):
    apparent_encoding(content), decode_text(content, None)
decode_text(b"\xe9" * 40, "latin-1")
print("charset_normalizer" in sys.modules)
decode_text(b"\xe9" * 40, None)
print("charset_normalizer" in sys.modules)
"""
    assert in_child(program).split() == ["False", "True"]


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
    st.text(st.sampled_from("ab\r\n"), min_size=1, max_size=12),
    places,
)
@example("aab", "ab", [1, 2])
@example("aabaab", "aab", [1, 2, 3, 4, 5])
@example("", "ab", [])
@example("aababab" * 3, "ababa", range(21))
def test_lines_by_a_delimiter_are_those_of_the_whole_wherever_it_was_cut(
    whole: str, delimiter: str, places: Iterable[int]
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

    def __getitem__(self, places: Any) -> Any:
        return self._count(bytes.__getitem__(self, places))

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


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("delimiter", [None, b"\n", b"\r\n", b"----", b"-" * 50], ids=repr)
def test_a_long_line_in_many_pieces_takes_linear_time(delimiter: bytes | None, size: int) -> None:
    """Else a server that never ends its line has the client copy what it holds again with each piece."""
    pieces = 5000
    Counted.copied = 0
    splitter: LineSplitter[bytes] = LineSplitter(Counted(), delimiter)
    lines = split(splitter, [Counted(b"a" * size)] * pieces)
    assert lines == [b"a" * size * pieces]
    # A few copies of each byte, or of a delimiter that may have begun, and not one for each piece behind it.
    assert Counted.copied <= 10 * pieces * (size + len(delimiter or b"\r\n"))


@pytest.mark.parametrize("delimiter", [None, b"\n", b"----"], ids=repr)
def test_no_more_is_held_than_a_line_and_a_piece(delimiter: bytes | None) -> None:
    line = bytes(1000) + (delimiter or b"\r\n")
    whole = line * 5000
    splitter: LineSplitter[bytes] = LineSplitter(b"", delimiter)
    found = 0
    tracemalloc.start()
    try:
        for start in range(0, len(whole), 4000):
            for _ in splitter.feed(whole[start : start + 4000]):
                found += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == 5000
    # A few copies of a piece and its lines are on their way at once.
    assert peak < 10 * 5000
