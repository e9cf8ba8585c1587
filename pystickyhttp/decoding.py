"""Response bodies: content codings, character sets, lines."""

from __future__ import annotations

import codecs
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import AnyStr, Final, Generic, Protocol

from .exceptions import ContentDecodingError

# Only what can be decoded is asked for.
ACCEPT_ENCODING: Final = "gzip, deflate"

# A few bytes can decode to a thousand times as many; a step yields no more than this at once.
STEP: Final = 256 * 1024
# A chain is as costly as all its links; nobody has a use for more (curl and urllib3 stop at five too).
MAX_CODINGS: Final = 5

_GZIP_MAGIC: Final = b"\x1f\x8b"  # RFC 1952, section 2.3.1

# A parameter of a media type (RFC 9110, section 5.6.6), its value quoted or not.
_PARAMETER = re.compile(r";\s*([^\s;=]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^;]*)")
# Codecs that Python counts among those of text, and that are no character sets: what they are for is Python
# source and domain names, and some of them can't be read piece by piece.
_PYTHON_ONLY: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})

# The longest first: UTF-32's mark begins with UTF-16's.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Decoder(Protocol):
    """One content coding."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What the data gives, in bounded steps, of which some may give nothing."""

    def finish(self) -> None:
        """Called at the end of the body.

        Raises:
            ContentDecodingError: the coded data is incomplete.
        """


class GzipDecoder:
    """gzip (RFC 1952): any number of members; what follows them and is no member is left out."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = _new_member()
        self._fed = False
        self._held = b""  # half of what may be the magic number of a further member
        self._done = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What the data gives, in bounded steps.

        Raises:
            ContentDecodingError: it is no gzip, or its checksum is wrong.
        """
        data, self._held = self._held + data, b""
        while data and not self._done:
            if self._member is None and not self._begins_member(data):
                return
            member = self._member = self._member or _new_member()
            self._fed = True
            yield from _inflate(member, data, "gzip")
            if not member.eof:
                return
            data, self._member = member.unused_data, None

    def _begins_member(self, data: bytes) -> bool:
        if data == _GZIP_MAGIC[:1]:
            self._held = data
            return False
        self._done = not data.startswith(_GZIP_MAGIC)
        return not self._done

    def finish(self) -> None:
        """Called at the end of the body.

        Raises:
            ContentDecodingError: the last member has no end.
        """
        if self._fed and self._member is not None:
            raise ContentDecodingError("the gzip body is cut short: its trailer is missing")


class DeflateDecoder:
    """deflate: in the zlib format, as RFC 9110, section 8.4.1.2 has it, or raw, as some servers send it."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._head: bytes | None = b""  # what came until it is known which of the two it is

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What the data gives, in bounded steps.

        Raises:
            ContentDecodingError: it is neither.
        """
        if self._stream.eof:
            return  # zlib would keep whatever follows
        if self._head is None:
            yield from _inflate(self._stream, data, "deflate")
            return
        self._head += data
        if len(self._head) < 2:
            return
        head, self._head = self._head, None
        if not _has_zlib_header(head):
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        yield from _inflate(self._stream, head, "deflate")

    def finish(self) -> None:
        """Called at the end of the body.

        Raises:
            ContentDecodingError: the data has no end.
        """
        if self._head != b"" and not self._stream.eof:
            raise ContentDecodingError("the deflate body is cut short: its end is missing")


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _has_zlib_header(head: bytes) -> bool:
    """RFC 1950, section 2.2: method 8 in the low half of the first byte, both bytes a multiple of 31."""
    return head[0] & 0x0F == 8 and (head[0] << 8 | head[1]) % 31 == 0


def _inflate(stream: zlib._Decompress, data: bytes, coding: str) -> Iterator[bytes]:
    try:
        while True:
            piece = stream.decompress(data, STEP)
            yield piece
            data = stream.unconsumed_tail
            if stream.eof or (not data and len(piece) < STEP):
                return
    except zlib.error as error:
        raise ContentDecodingError(f"the {coding} body can't be decoded: {error}") from error


_DECODERS: Final[dict[str, Callable[[], Decoder]]] = {
    "gzip": GzipDecoder,
    "x-gzip": GzipDecoder,
    "deflate": DeflateDecoder,
}


def decoders_for(content_encoding: str) -> list[Decoder]:
    """The decoders of a body, in the order in which they have to be applied.

    Args:
        content_encoding: the value of Content-Encoding, the coding that was applied first ahead.

    Returns:
        The decoders; none where a coding is not known, as the body can only be handed on as it is.

    Raises:
        ContentDecodingError: there are more than `MAX_CODINGS`.
    """
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if len(codings) > MAX_CODINGS:
        raise ContentDecodingError(
            f"the body has {len(codings)} content codings one in the other; {MAX_CODINGS} are the limit"
        )
    if not all(coding in _DECODERS for coding in codings):
        return []
    return [_DECODERS[coding]() for coding in reversed(codings)]


def decode(pieces: Iterable[bytes], decoders: list[Decoder]) -> Iterator[bytes]:
    """Decode the pieces of a body.

    Returns:
        What they give, a step at a time. A step that gives nothing is an empty piece, so that who waits for
        the next one can look at the clock.

    Raises:
        ContentDecodingError: the body can't be decoded, or is incomplete.
    """
    for decoder in decoders:
        pieces = _decode_one(pieces, decoder)
    yield from pieces


def _decode_one(pieces: Iterable[bytes], decoder: Decoder) -> Iterator[bytes]:
    for piece in pieces:
        yield b""  # a step of the decoder before is a step, whatever this one makes of it
        yield from decoder.decode(piece)
    decoder.finish()


def charset_of(content_type: str) -> str | None:
    """The charset parameter of a Content-Type, or None where there is none, or none that Python knows."""
    for name, value in _PARAMETER.findall(content_type):
        charset = value.strip(" \t\"'")
        if name.lower() == "charset" and is_known_charset(charset):
            return str(charset)
    return None


@lru_cache(maxsize=64)  # servers name a handful; the bound is for one that makes them up
def is_known_charset(name: str) -> bool:
    """Whether any bytes can be decoded to text by a codec of that name."""
    try:
        if codecs.lookup(name).name.replace("_", "-") in _PYTHON_ONLY:
            return False
        # Not every codec is one of text ("zlib" is a codec too), and not every one of text takes any bytes.
        b"a\xff".decode(name, "replace")
    except (LookupError, ValueError):
        return False
    return True


def decode_text(content: bytes, encoding: str | None) -> str:
    """The text law: the charset that was said, else a byte order mark, else UTF-8, else latin-1."""
    if encoding is not None and is_known_charset(encoding):
        return content.decode(encoding, "replace")
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content.decode(name, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def decode_text_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Decode text as it comes, with the same result as decoding the whole.

    Args:
        pieces: the bytes, cut anywhere.
        encoding: a known charset.
    """
    pieces = iter(pieces)
    start = b""
    encoding = codecs.lookup(encoding).name
    if encoding in ("utf-16", "utf-32"):
        # Read piece by piece, these insist on the mark that they do without when they are read at once.
        while len(start) < 4 and (piece := next(pieces, b"")):
            start += piece
        if not start.startswith(tuple(mark for mark, name in _MARKS if name != "utf-8-sig")):
            encoding = f"{encoding}-{'le' if sys.byteorder == 'little' else 'be'}"
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in chain([start], pieces):
        if text := decoder.decode(piece):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


class LineSplitter(Generic[AnyStr]):
    """Splits a body into lines as it comes, with the same result as splitting the whole.

    It takes linear time, and holds one line.

    Args:
        empty: b"" or "", for the type.
        delimiter: what ends a line, or None for all line ends of `splitlines()`.
    """

    def __init__(self, empty: AnyStr, delimiter: AnyStr | None = None) -> None:
        self._empty: AnyStr = empty
        self._delimiter: AnyStr | None = delimiter
        self._parts: list[AnyStr] = []  # of the line whose end has not come

    def feed(self, piece: AnyStr) -> list[AnyStr]:
        """The lines that the piece completes."""
        if not piece:
            return []
        return self._by_delimiter(piece, self._delimiter) if self._delimiter else self._by_line_end(piece)

    def finish(self) -> list[AnyStr]:
        """The last line, whose end never came; nothing where the body was empty."""
        parts, self._parts = self._parts, []
        rest = self._empty.join(parts)
        if self._delimiter:
            return [rest] if parts else []
        return rest.splitlines()

    def _by_line_end(self, piece: AnyStr) -> list[AnyStr]:
        if self._parts and _ends_in_cr(self._parts[-1]):
            piece = self._parts.pop() + piece
        lines = piece.splitlines(keepends=True)
        # The last line may go on, and a CR at its end may be half of a CR LF: it waits for what follows.
        unfinished: list[AnyStr] = []
        if lines and (_has_no_end(lines[-1]) or _ends_in_cr(lines[-1])):
            unfinished.append(lines.pop())
        if lines:
            lines[0] = self._take(lines[0])
        self._parts += unfinished
        return [line.splitlines()[0] for line in lines]

    def _by_delimiter(self, piece: AnyStr, delimiter: AnyStr) -> list[AnyStr]:
        # A delimiter may lie across two pieces: the tail that could be its beginning is looked at again.
        overlap = self._empty
        while self._parts and (wanted := len(delimiter) - 1 - len(overlap)) > 0:
            part = self._parts.pop()
            overlap = part[-wanted:] + overlap
            if len(part) > wanted:
                self._parts.append(part[:-wanted])
        lines = (overlap + piece).split(delimiter)
        last = lines.pop()
        if lines:
            lines[0] = self._take(lines[0])
        self._parts.append(last)
        return lines

    def _take(self, end: AnyStr) -> AnyStr:
        """The line that ends here, with the parts of it that came before."""
        line: AnyStr = self._empty.join(self._parts) + end
        self._parts = []
        return line


def _ends_in_cr(line: str | bytes) -> bool:
    return line.endswith("\r") if isinstance(line, str) else line.endswith(b"\r")


def _has_no_end(line: str | bytes) -> bool:
    return line.splitlines()[0] == line
