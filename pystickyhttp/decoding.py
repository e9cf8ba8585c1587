"""Response bodies: content codings, character sets, lines."""

from __future__ import annotations

import codecs
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from itertools import chain
from typing import Any, AnyStr, Final, Generic, Protocol

from .exceptions import ContentDecodingError
from .kept import kept

# A few bytes can decode to a thousand times as many; a step yields no more than this at once.
STEP: Final = 256 * 1024
# A chain is as costly as all its links; nobody has a use for more (curl and urllib3 stop at five too).
MAX_CODINGS: Final = 5

_GZIP_MAGIC: Final = b"\x1f\x8b"  # RFC 1952, section 2.3.1

# The modules that read Brotli, and from which version on they bound what they give at once.
_BROTLI_MODULES: Final = ("brotli", "brotlicffi")
_BOUNDED_BROTLI: Final = (1, 2)
_NUMBER: Final = r"\d+"
# What Brotli's own module takes for a limit it oversteps, up to less than twice as much.
_BROTLI_LIMIT: Final = STEP // 2

# The modules that read Zstandard, and what has to be there for each: the standard library may be built
# without the part in C that its own stands upon.
_ZSTD_MODULES: Final = {
    "compression.zstd": "_zstd",
    "zstandard": "zstandard",
    "backports.zstd": "backports.zstd",
}
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_ZSTD_SKIPPABLE: Final = rb"[\x50-\x5f]\x2a\x4d\x18"  # RFC 8878, section 3.1.2
_ZSTD_RLE: Final = 1  # RFC 8878, section 3.1.1.2.2, as what follows
_ZSTD_RESERVED: Final = 3
# What a body may have its decoder hold (RFC 9659, section 3); browsers stop there too.
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
# What a block is at most, coded and decoded (RFC 8878, section 3.1.1.2.4).
_ZSTD_BLOCK: Final = 128 * 1024

# A parameter of a media type (RFC 9110, section 5.6.6), its value quoted or not. Compiled for the first text.
_PARAMETER: Final = r";\s*([^\s;=]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^;]*)"
# Codecs that Python counts among those of text, and that are no character sets: what they are for is Python
# source and domain names, and some of them can't be read piece by piece.
_PYTHON_ONLY: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})

# The detectors read up to ten megabytes in a second, or one where they are older, and have no deadline. This
# much takes some milliseconds, and is more than they need to make up their minds.
_SAMPLE: Final = 64 * 1024
# How much plain ASCII the sample may begin with: some words to go by, too few to outweigh the rest.
_ASCII_BEFORE: Final = 1024
# A guess by fewer bytes is worse than none ("caf\xe9" would be Chinese, in UTF-16); charset_normalizer itself
# warns below this.
_LEAST_TO_GUESS_BY: Final = 32

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


class BrotliDecoder:
    """br (RFC 7932); a stream has one end, and what follows it is an error, as in curl."""

    def __init__(self) -> None:
        self._stream: Any = None  # from the first byte on: an empty body needs no library

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What the data gives, in bounded steps.

        Raises:
            ContentDecodingError: it is no Brotli, or more than that; or the library can't be loaded.
        """
        if not data:
            return
        library = _brotli_library()
        if self._stream is None:
            self._stream = library.Decompressor()
        try:
            while True:
                piece = self._stream.process(data, output_buffer_limit=_BROTLI_LIMIT)
                yield piece
                data = b""
                # That it takes more input is not enough: output may wait behind a step that is full.
                if len(piece) < _BROTLI_LIMIT:
                    return
        except library.error as error:
            raise ContentDecodingError(f"the br body can't be decoded: {error}") from error

    def finish(self) -> None:
        """Called at the end of the body.

        Raises:
            ContentDecodingError: the data has no end.
        """
        if self._stream is not None and not self._stream.is_finished():
            raise ContentDecodingError("the br body is cut short: its end is missing")


class ZstdDecoder:
    """zstd (RFC 8878): any number of frames; what follows them and is none is an error, as in curl.

    The libraries have no bound in common, but the format has one: a block gives 128 KiB at most. So the body
    is handed to them block by block, by the few fields that lie between the blocks. They also tell how much
    memory a frame wants, before it gets any, and whether the body ends where a frame does.
    """

    def __init__(self) -> None:
        self._frame: Any = None  # what the library has of the frame that is read
        self._held = bytearray()  # of a field, or a block, that has not come whole
        self._wanted = len(_ZSTD_MAGIC)  # the size of what is held, once it is whole
        # A function and no bound method: the library's memory must not wait for the collector of cycles.
        self._read: Callable[[ZstdDecoder, bytes], bytes] = ZstdDecoder._read_magic
        self._skipped = 0  # the bytes of a skippable frame that are still to come
        self._head = b""  # of the frame or the block that is read
        self._has_checksum = self._is_last_block = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What the data gives, in bounded steps.

        Raises:
            ContentDecodingError: it is no Zstandard, its checksum is wrong, or it wants more than 8 MiB of
                memory; or the library can't be loaded.
        """
        rest = memoryview(data)
        while rest:
            if self._skipped:
                self._skipped, rest = max(0, self._skipped - len(rest)), rest[self._skipped :]
                continue
            missing = self._wanted - len(self._held)
            self._held += rest[:missing]
            rest = rest[missing:]
            if len(self._held) == self._wanted:
                whole = bytes(self._held)
                self._held.clear()
                yield self._read(self, whole)

    def finish(self) -> None:
        """Called at the end of the body.

        Raises:
            ContentDecodingError: the last frame has no end.
        """
        if self._read is not ZstdDecoder._read_magic or self._held or self._skipped:
            raise ContentDecodingError("the zstd body is cut short: the end of a frame is missing")

    def _expect(self, size: int, read: Callable[[ZstdDecoder, bytes], bytes]) -> None:
        self._wanted, self._read = size, read

    def _read_magic(self, magic: bytes) -> bytes:
        if magic == _ZSTD_MAGIC:
            self._expect(1, ZstdDecoder._read_descriptor)
        elif re.fullmatch(_ZSTD_SKIPPABLE, magic):
            self._expect(4, ZstdDecoder._read_skippable_size)
        else:
            raise ContentDecodingError(
                "the zstd body can't be decoded: a frame was expected, and none is there"
            )
        return b""

    def _read_skippable_size(self, size: bytes) -> bytes:
        self._skipped = int.from_bytes(size, "little")
        self._expect(len(_ZSTD_MAGIC), ZstdDecoder._read_magic)
        return b""

    def _read_descriptor(self, descriptor: bytes) -> bytes:
        self._head = descriptor
        self._has_checksum = bool(descriptor[0] & 0x04)
        self._expect(sum(_zstd_header_sizes(descriptor[0])), ZstdDecoder._read_frame_header)
        return b""

    def _read_frame_header(self, header: bytes) -> bytes:
        window = _zstd_window(self._head[0], header)
        if window > _ZSTD_WINDOW:
            raise ContentDecodingError(
                f"the zstd body wants a window of {window} bytes; "
                f"{_ZSTD_WINDOW} (8 MiB) are the limit of RFC 9659"
            )
        self._frame = _new_zstd_frame()
        self._expect(3, ZstdDecoder._read_block_header)
        return self._fed(_ZSTD_MAGIC + self._head + header)

    def _read_block_header(self, header: bytes) -> bytes:
        """RFC 8878, section 3.1.1.2: a bit for the last block, two for the type, the rest for the size."""
        bits = int.from_bytes(header, "little")
        self._is_last_block, kind, size = bool(bits & 1), bits >> 1 & 3, bits >> 3
        if kind == _ZSTD_RESERVED or size > _ZSTD_BLOCK:
            raise ContentDecodingError(
                f"the zstd body can't be decoded: there is no block of type {kind} and {size} bytes"
            )
        self._head = header
        if kind == _ZSTD_RLE:
            size = 1  # the byte that is repeated
        if size == 0:
            return self._read_block(b"")
        self._expect(size, ZstdDecoder._read_block)
        return b""

    def _read_block(self, content: bytes) -> bytes:
        if not self._is_last_block:
            self._expect(3, ZstdDecoder._read_block_header)
        elif self._has_checksum:
            self._expect(4, ZstdDecoder._read_checksum)
        else:
            self._expect(len(_ZSTD_MAGIC), ZstdDecoder._read_magic)
        return self._fed(self._head + content)

    def _read_checksum(self, checksum: bytes) -> bytes:
        self._expect(len(_ZSTD_MAGIC), ZstdDecoder._read_magic)
        return self._fed(checksum)

    def _fed(self, data: bytes) -> bytes:
        try:
            piece: bytes = self._frame.decompress(data)
        except _zstd_library().ZstdError as error:
            raise ContentDecodingError(f"the zstd body can't be decoded: {error}") from error
        return piece


def _zstd_header_sizes(descriptor: int) -> tuple[int, int, int]:
    """RFC 8878, section 3.1.1.1.1: of the window's descriptor, the dictionary's ID, the content's size."""
    is_single_segment = bool(descriptor & 0x20)
    content_size = (int(is_single_segment), 2, 4, 8)[descriptor >> 6]
    return int(not is_single_segment), (0, 1, 2, 4)[descriptor & 3], content_size


def _zstd_window(descriptor: int, header: bytes) -> int:
    """RFC 8878, sections 3.1.1.1.2 and 3.1.1.1.4: a single segment is a window as large as its content."""
    has_window, _, content_size = _zstd_header_sizes(descriptor)
    if has_window:
        base: int = 1 << 10 + (header[0] >> 3)
        return base + base // 8 * (header[0] & 7)
    return int.from_bytes(header[-content_size:], "little")  # 256 less, if in two bytes; that is no matter


def _new_zstd_frame() -> Any:
    decompressor = _zstd_library().ZstdDecompressor()
    # The package zstandard has an object of its own for what comes in pieces.
    return decompressor.decompressobj() if hasattr(decompressor, "decompressobj") else decompressor


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


@cache
def _brotli_module() -> str | None:
    """The name of the module that will read Brotli, or None; nothing is loaded to find it out."""
    for name in _BROTLI_MODULES:
        spec = _spec(name)
        if spec is not None and not _is_old(spec, _BOUNDED_BROTLI):
            return name
    return None


@cache
def _zstd_module() -> str | None:
    """The name of the module that will read Zstandard, or None; nothing is loaded to find it out."""
    return next((name for name, needed in _ZSTD_MODULES.items() if _spec(needed) is not None), None)


def _spec(name: str) -> ModuleSpec | None:
    from importlib.util import find_spec  # loaded when a session says what it decodes, to keep start-up light

    try:
        return find_spec(name)
    except (ImportError, ValueError):
        return None  # the package around it is missing, or something else goes by its name


def _is_old(spec: ModuleSpec, least: tuple[int, int]) -> bool:
    """Whether a module is older than that, by the name of the metadata that lies beside it.

    To load `importlib.metadata` takes longer than to load all of this package. Where nothing is found the
    module counts as new, and is asked itself before it is used.
    """
    folder = os.path.dirname(spec.origin or "")
    if spec.submodule_search_locations is not None:
        folder = os.path.dirname(folder)
    try:
        beside = [name.lower().partition("-") for name in os.listdir(folder)]
    except OSError:
        return False  # not every module lies in a directory
    versions = [rest for name, _, rest in beside if name == spec.name and rest.endswith("-info")]
    return any(tuple(map(int, re.findall(_NUMBER, version)[:2])) < least for version in versions)


@cache
def _brotli_library() -> Any:
    library = _loaded(_brotli_module() or "brotli", "br", "brotli")
    if not hasattr(library.Decompressor, "can_accept_more_data"):
        raise ContentDecodingError(
            f"the br body can't be decoded: the module {library.__name__} is older than 1.2, and sets no "
            "bound to what a few bytes decode to: pip install --upgrade 'pystickyhttp[brotli]'"
        )
    return library


@cache
def _zstd_library() -> Any:
    return _loaded(_zstd_module() or "zstandard", "zstd", "zstd")


def _loaded(name: str, coding: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ContentDecodingError(
            f"the {coding} body can't be decoded: the module {name} can't be loaded ({error}): "
            f"pip install --force-reinstall 'pystickyhttp[{extra}]'"
        ) from error


_DECODERS: Final[dict[str, Callable[[], Decoder]]] = {
    "gzip": GzipDecoder,
    "x-gzip": GzipDecoder,
    "deflate": DeflateDecoder,
    "br": BrotliDecoder,
    "zstd": ZstdDecoder,
}


def can_decode(coding: str) -> bool:
    """Whether bodies in that coding can be decoded, with what is installed.

    Args:
        coding: its name, in lower case.
    """
    if coding == "br":
        return _brotli_module() is not None
    if coding == "zstd":
        return _zstd_module() is not None
    return coding in _DECODERS


@cache
def accept_encoding() -> str:
    """The value of Accept-Encoding: only what can be decoded is asked for.

    It is found out at the first call, without loading anything, and kept.
    """
    return ", ".join(filter(can_decode, ("gzip", "deflate", "br", "zstd")))


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
    if not all(map(can_decode, codings)):
        return []
    return [_DECODERS[coding]() for coding in reversed(codings)]


def decode(pieces: Iterable[bytes], decoders: list[Decoder], *, is_cut: bool = False) -> Iterator[bytes]:
    """Decode the pieces of a body.

    Args:
        pieces: the pieces.
        decoders: what `decoders_for` has for them.
        is_cut: whether they are known to be the beginning of a body alone, and are decoded as far as they
            go. Default False.

    Returns:
        What they give, a step at a time. A step that gives nothing is an empty piece, so that who waits for
        the next one can look at the clock.

    Raises:
        ContentDecodingError: the body can't be decoded, or is incomplete.
    """
    for decoder in decoders:
        pieces = _decode_one(pieces, decoder, is_cut)
    yield from pieces


def _decode_one(pieces: Iterable[bytes], decoder: Decoder, is_cut: bool) -> Iterator[bytes]:
    for piece in pieces:
        yield b""  # a step of the decoder before is a step, whatever this one makes of it
        yield from decoder.decode(piece)
    if not is_cut:
        decoder.finish()


def charset_of(content_type: str) -> str | None:
    """The charset parameter of a Content-Type, or None where there is none, or none that Python knows."""
    for name, value in re.findall(_PARAMETER, content_type):
        charset = value.strip(" \t\"'")
        if name.lower() == "charset" and is_known_charset(charset):
            return str(charset)
    return None


# In the place of a charset, where the text does not say it: that of its byte order mark, else UTF-8. No codec
# has this name.
UNSAID: Final = "?"


def streaming_charset(content_type: str) -> str | None:
    """The charset of text that comes piece by piece, and does not say it: `UNSAID`.

    Args:
        content_type: the value of Content-Type.

    Returns:
        None where the body is no text, as far as its type tells.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    is_text = (
        media_type.startswith("text/") or media_type == "application/json" or media_type.endswith("+json")
    )
    return UNSAID if is_text else None


# What IANA registers is no longer, and what Python knows is shorter. `encodings` keeps each name that it does
# not know for good, and a server can make up a hundred kilobytes of one for each response.
_LONGEST_CHARSET: Final = 40


@kept(64)  # servers name a handful; the bound is for one that makes them up
def is_known_charset(name: str) -> bool:
    """Whether any bytes can be decoded to text by a codec of that name."""
    if len(name) > _LONGEST_CHARSET:
        return False
    try:
        if codecs.lookup(name).name.replace("_", "-") in _PYTHON_ONLY:
            return False
        # Not every codec is one of text ("zlib" is a codec too), and not every one of text takes any bytes.
        b"a\xff".decode(name, "replace")
    except (LookupError, ValueError):
        return False
    return True


def decode_text(content: bytes, encoding: str | None) -> str:
    """The text law: the charset that was said, else byte order mark, else UTF-8, else detector, else latin-1.

    Args:
        content: the whole text.
        encoding: what was said; None, or what is no charset, is nothing.
    """
    if encoding is not None and is_known_charset(encoding):
        return content.decode(encoding, "replace")
    if (marked := _marked_encoding(content)) is not None:
        return content.decode(marked, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode(_guessed_encoding(content), "replace")


def apparent_encoding(content: bytes) -> str:
    """The charset that a text looks like, as in the text law: where nothing was said of it.

    Returns:
        A name that Python knows: "UTF-8-SIG", "UTF-16" or "UTF-32" by a byte order mark, "ascii", "utf-8",
        what the detector says where one is installed (`charset_normalizer` or `chardet`), or "ISO-8859-1".
    """
    if (marked := _marked_encoding(content)) is not None:
        return marked
    if content and content.isascii():
        return "ascii"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed_encoding(content)
    return "utf-8"


def _marked_encoding(content: bytes) -> str | None:
    return next((name.upper() for mark, name in _MARKS if content.startswith(mark)), None)


def _guessed_encoding(content: bytes) -> str:
    asked = detector() if len(content) >= _LEAST_TO_GUESS_BY else None
    guess = None if asked is None else asked.detect(_sample(content))["encoding"]
    return guess if guess is not None and is_known_charset(guess) else "ISO-8859-1"


@cache
def detector() -> Any:
    """The module that is asked for a charset, or None; where both are there, the one that requests asks."""
    for name in ("chardet", "charset_normalizer"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _sample(content: bytes) -> bytes:
    """Of a long text the part that tells its charset: from where it is no ASCII any more."""
    if len(content) <= _SAMPLE:
        return content
    size = _ASCII_BEFORE
    told = (place for place in range(0, len(content), size) if not content[place : place + size].isascii())
    start = min(next(told, 0), len(content) - size)
    end = start + _SAMPLE
    if end >= len(content):
        return content[start:]
    # A character that is cut in two would speak against its own charset. White space is never a part of
    # one that has several bytes, and a cut at an even place is right for UTF-16 too.
    ends = (place for place in range(end, start, -2) if content[place - 1] in b"\t\n\r ")
    return content[start : next(ends, end)]


def decode_text_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Decode text as it comes, with the same result as decoding the whole.

    Args:
        pieces: the bytes, cut anywhere.
        encoding: a known charset, or `UNSAID`.
    """
    pieces = iter(pieces)
    start = b""
    encoding = encoding if encoding == UNSAID else codecs.lookup(encoding).name
    if encoding in (UNSAID, "utf-16", "utf-32"):
        while _may_become_mark(start) and (piece := next(pieces, None)) is not None:
            start += piece
        encoding = _encoding_by_mark(start, encoding)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in chain([start], pieces):
        if text := decoder.decode(piece):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def _may_become_mark(start: bytes) -> bool:
    """Whether it takes more of a text to tell its byte order mark; of most the first byte is enough."""
    return any(mark.startswith(start) and mark != start for mark, _ in _MARKS)


def _encoding_by_mark(start: bytes, encoding: str) -> str:
    """The charset to read a text by as it comes, once it is seen whether it begins with a mark."""
    if encoding == UNSAID:
        return _marked_encoding(start) or "utf-8"
    if start.startswith(tuple(mark for mark, name in _MARKS if name != "utf-8-sig")):
        return encoding
    # Read piece by piece, these insist on the mark that they do without when they are read at once.
    return f"{encoding}-{'le' if sys.byteorder == 'little' else 'be'}"


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
        # A delimiter may lie across two pieces: the tail that could be its beginning is looked at again. The
        # last part is never shorter than that tail, unless it is all there is.
        part = self._parts.pop() if self._parts else self._empty
        seen = max(0, len(part) - len(delimiter) + 1)
        if seen:
            self._parts.append(part[:seen])
        lines = (part[seen:] + piece).split(delimiter)
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
