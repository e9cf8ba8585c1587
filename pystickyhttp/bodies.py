"""Request bodies: what the caller passes as `data`, `json` and `files`, and how it goes over the wire.

`encode` turns the caller's value into the body of a PreparedRequest, of the types that requests gives it:
str, bytes, a file, or an iterable. Uploads (`files`) become multipart/form-data (RFC 7578): bytes where all
of it is at hand, else a `MultipartBody`, which is a file itself and reads those of the caller as it is sent.
The transport sends bytes (`as_bytes`), or a `StreamedBody`, which can be wound back to where it stood (law
P2), and which hands a file on a disk over as a `FileSection`, for the system to send by itself.
"""

from __future__ import annotations

import contextlib
import io
import json as jsonlib
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, Final, TypeAlias, TypeVar

from .exceptions import InvalidBody, InvalidHeader, InvalidJSONError, UnrewindableBodyError
from .headers import TOKEN
from .urls import encode_form, is_list, own_text

# What one read of a file takes: large enough that the calls do not count, small enough to hold in memory.
PIECE: Final = 64 * 1024
# The same of a file whose length is known, and which is thus none that has to be waited for: what is done for
# each piece then counts for a quarter.
LARGE_PIECE: Final = 4 * PIECE

FORM_TYPE: Final = "application/x-www-form-urlencoded"
JSON_TYPE: Final = "application/json"
MULTIPART_TYPE: Final = "multipart/form-data"

# As many bytes as a UUID has: nobody can guess a boundary and put it into what we upload (RFC 2046, section
# 5.1.1, asks that it occur in no part).
BOUNDARY_BYTES: Final = 16

BodyTypes: TypeAlias = Any  # str, bytes, file, form or iterable; checked where it is read
FileTypes: TypeAlias = "Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None"


class EncodedBody:
    """A body as a PreparedRequest holds it.

    Attributes:
        content: str, bytes, a file, an iterable, or None for no body.
        length: in bytes, or None where it is not known beforehand.
        content_type: the type that the encoding implies, or None.
        position: where the file stood, or None where it is no file that can tell.
    """

    __slots__ = ("content", "content_type", "length", "position")

    def __init__(
        self,
        content: Any,
        length: int | None,
        content_type: str | None = None,
        position: int | None = None,
    ) -> None:
        self.content = content
        self.length = length
        self.content_type = content_type
        self.position = position


NO_BODY: Final = EncodedBody(None, 0)

# Of these an empty one is no body; an empty file or iterable is a body of no bytes.
_SIZED: Final = (str, bytes, bytearray, memoryview, list, tuple, Mapping)  # the cheapest to tell first


def encode(data: BodyTypes, json: Any = None, files: FileTypes = None) -> EncodedBody:
    """Encode what the caller gave as the body.

    Args:
        data: a mapping or a list of pairs (sent as a form), str (as UTF-8), bytes, a file (from where it
            stands to its end), or an iterable of bytes or str (sent in chunks). None or an empty form is
            no body. Beside files it has to be a form.
        json: a value to send as JSON, where there is neither data nor files.
        files: a mapping or pairs of a field's name and what is uploaded in it: a file, bytes or str, or one
            of the tuples (filename, content), (filename, content, content type) and (filename, content,
            content type, headers of the part). A filename of None makes it a plain field. Where there is no
            tuple, the filename is that of the file, else the name of the field. The fields of data go
            first. None or nothing in it is no upload; an entry whose content is None is left out.

    Returns:
        The body. Its content is bytes, unless a file or an iterable has to be read as it is sent.

    Raises:
        InvalidBody: data or files are none of these, or a file is closed.
        InvalidHeader: CR, LF or NUL in a name, a filename or a header of a part (law X7).
        InvalidJSONError: json can't be written as JSON (RFC 8259 has no NaN and no Infinity).
    """
    if files:
        return _encode_multipart(data, files)
    if data is None or (isinstance(data, _SIZED) and len(data) == 0):
        return NO_BODY if json is None else _encode_json(json)
    if isinstance(data, str):
        return EncodedBody(data, len(_utf8(data)))
    if isinstance(data, (bytes, bytearray, memoryview)):
        content = bytes(data)
        return EncodedBody(content, len(content))
    if isinstance(data, (Mapping, list, tuple)):
        return _encode_form(data)
    if isinstance(data, MultipartBody):  # whose request is framed anew
        return _encode_upload(data, None)
    if hasattr(data, "read"):
        return _encode_file(data)
    if hasattr(data, "__iter__"):
        return EncodedBody(data, None)
    raise InvalidBody(
        f"the body is {type(data).__name__}: give a mapping or pairs (a form), str, bytes, a file opened in "
        f"binary mode, or an iterable of bytes; or pass it as json="
    )


def _encode_json(value: Any) -> EncodedBody:
    try:
        content = jsonlib.dumps(value, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidJSONError(f"json= can't be written as JSON: {error}") from error
    return EncodedBody(content, len(content), JSON_TYPE)


def _encode_form(data: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> EncodedBody:
    try:
        content = encode_form(data)
    except (TypeError, ValueError) as error:
        raise InvalidBody(
            f"data= of type {type(data).__name__} can't be sent as a form: {error}; give a mapping, or pairs "
            f"such as [('name', 'value')], or pass iter(...) to send the members one after the other"
        ) from error
    return EncodedBody(content, len(content), FORM_TYPE)


def _encode_file(file: Any) -> EncodedBody:
    _check_is_open(file)
    if isinstance(getattr(file, "file", file), io.TextIOBase):  # tempfile's wrappers hold theirs as .file
        # Its characters have no length in bytes before they are encoded.
        content = _utf8(file.read())
        return EncodedBody(content, len(content))
    position = tell(file)
    return EncodedBody(file, length_left(file, position), None, position)


def _check_is_open(file: Any) -> None:
    if getattr(file, "closed", False) is True:
        raise InvalidBody(f"{file!r} is closed: open it, and close it when the response has come")
    if isinstance(file, io.IOBase) and not file.readable():
        raise InvalidBody(f"{file!r} can't be read from: open it in the mode 'rb'")


def tell(file: Any) -> int | None:
    """Where a file stands, or None where it can't tell."""
    try:
        position = file.tell()
    except (AttributeError, OSError, ValueError):
        return None
    return position if isinstance(position, int) else None


def length_left(file: Any, position: int | None) -> int | None:
    """The bytes from where a file stands to its end, or None where nobody can tell, as of a pipe.

    Args:
        file: the file.
        position: where it stands; None where it does not say, and could not be brought back to.
    """
    announced = _announced(file)
    # Once it was read from, that may be what is left, or the whole of it: then seeking tells, if it can.
    if announced is not None and not position:
        return announced
    if isinstance(getattr(file, "raw", file), io.FileIO):
        status = os.fstat(file.fileno())
        if position is None or not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size == 0 and _has_more(file, position):
            return None
        return max(0, status.st_size - position)
    # Others may have a file descriptor too, but of what they read from: a file of gzip.open() is not as long
    # as what it gives.
    return _length_by_seeking(file, position)


def _has_more(file: Any, position: int) -> bool:
    """Whether there is something to read: files below /proc are made as they are read, and have no size."""
    something = file.read(1)
    file.seek(position)
    return bool(something)


def _length_by_seeking(file: Any, position: int | None) -> int | None:
    if position is not None:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            end = file.seek(0, os.SEEK_END)
            file.seek(position)
            return max(0, end - position) if isinstance(end, int) else None
    # What wraps an iterator has no other way to tell its length. It is that of the whole, as requests has it.
    announced = _announced(file)
    whole = len(file) if announced is None and hasattr(file, "__len__") else announced
    return None if whole is None else max(0, whole - (position or 0))


def _announced(file: Any) -> int | None:
    """The attribute by which streaming encoders say how long they are."""
    announced = getattr(file, "len", None)
    return announced if isinstance(announced, int) else None


# --- multipart/form-data


def _encode_multipart(data: BodyTypes, files: FileTypes) -> EncodedBody:
    boundary = os.urandom(BOUNDARY_BYTES).hex()
    pieces: list[bytes | StreamedBody] = []
    for head, content in [*_field_parts(data), *_file_parts(files)]:
        pieces += [_utf8(f"--{boundary}\r\n{head}"), content, b"\r\n"]
    pieces.append(_utf8(f"--{boundary}--\r\n"))
    content_type = f"{MULTIPART_TYPE}; boundary={boundary}"
    at_hand = [piece for piece in pieces if isinstance(piece, bytes)]
    if len(at_hand) == len(pieces):
        content = b"".join(at_hand)
        return EncodedBody(content, len(content), content_type)
    return _encode_upload(MultipartBody(pieces), content_type)


def _encode_upload(body: MultipartBody, content_type: str | None) -> EncodedBody:
    return EncodedBody(body, body.len, content_type, 0 if body.seekable() else None)


def _field_parts(data: BodyTypes) -> Iterator[tuple[str, bytes]]:
    """The head and the content of each field that goes ahead of the files."""
    if data is None or (isinstance(data, _SIZED) and len(data) == 0):
        return
    if not isinstance(data, (Mapping, list, tuple)):
        raise InvalidBody(
            f"data= is {type(data).__name__}, and there are files=: beside files it has to be a mapping or "
            f"pairs; pass what else is to be sent as one more of the files, or without them"
        )
    for name, value in _pairs(data, "data"):
        for member in value if is_list(value) else (value,):
            if member is not None:
                yield _part_head(name), _field_content(name, member)


def _field_content(name: Any, value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return _part_utf8(str(value), f"the value of the field {name!r}")


def _file_parts(files: FileTypes) -> Iterator[tuple[str, bytes | StreamedBody]]:
    for name, value in _pairs(files, "files"):
        filename, content, content_type, headers = _unpacked(name, value)
        if content is not None:
            yield _part_head(name, filename, content_type, headers), _part_content(name, content)


def _unpacked(name: Any, value: Any) -> tuple[Any, Any, Any, Any]:
    """Filename, content, content type and headers of one of the files."""
    if not isinstance(value, (tuple, list)):
        return filename_of(value) or name, value, None, None
    if not 2 <= len(value) <= 4:
        raise InvalidBody(
            f"files: {name!r} has a {type(value).__name__} of {len(value)}: give (filename, content), "
            f"(filename, content, content type) or (filename, content, content type, headers)"
        )
    filename, content, content_type, headers = (*value, None, None)[:4]
    # A list of files looks like one of these tuples, and all but one of them would be lost.
    if not all(isinstance(text, (str, bytes, NoneType)) for text in (filename, content_type)):
        raise InvalidBody(
            f"files: {name!r} has a {type(value).__name__} whose filename or content type is no text; "
            f"several files of one name are pairs: files=[({name!r}, one), ({name!r}, other)]"
        )
    return filename, content, content_type, headers


def filename_of(file: Any) -> str | None:
    """The last part of the name that a file has; `<stdin>` and the like are no names, nor is a descriptor."""
    name = getattr(file, "name", None)
    if not isinstance(name, (str, bytes)):
        return None
    text = os.fsdecode(name)
    return None if text.startswith("<") or text.endswith(">") else os.path.basename(text)


def _part_content(name: Any, content: Any) -> bytes | StreamedBody:
    if isinstance(content, str):
        return _part_utf8(content, f"files: the content of {name!r}")
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if not hasattr(content, "read"):
        raise InvalidBody(
            f"files: {name!r} is {type(content).__name__}: give a file opened in binary mode, bytes or str, "
            f"or a tuple of the filename and one of these"
        )
    try:
        encoded = _encode_file(content)
    except InvalidBody as error:
        raise InvalidBody(f"files: {name!r}: {error}") from error
    if isinstance(encoded.content, bytes):
        return encoded.content
    return StreamedBody(encoded.content, encoded.position, encoded.length)


# What the caller's headers of a part say of these does not count, as with requests.
_SET_BY_US: Final = ("Content-Disposition", "Content-Type", "Content-Location")


def _part_head(name: Any, filename: Any = None, content_type: Any = None, headers: Any = None) -> str:
    """The head of a part, in the order of fields that urllib3 has (RFC 7578, sections 4.2, 4.4 and 4.8)."""
    disposition = f'form-data; name="{_quoted(name, "the name of a part")}"'
    if filename is not None:
        disposition += f'; filename="{_quoted(filename, f"the filename of {name!r}")}"'
    lines = [f"Content-Disposition: {disposition}"]
    if content_type:
        lines.append(f"Content-Type: {_part_text(content_type, f'the content type of {name!r}')}")
    for field, value in dict(_pairs(headers or (), f"the headers of {name!r}")).items():
        if value and field not in _SET_BY_US:
            lines.append(_part_field(name, field, value))
    return "\r\n".join([*lines, "", ""])


def _part_field(part: Any, name: Any, value: Any) -> str:
    text = _part_text(name, f"the name of a header of {part!r}")
    if not TOKEN.fullmatch(text):
        raise InvalidHeader(f"files: {part!r} has a header {text!r}, which is not a token such as X-Count")
    return f"{text}: {_part_text(value, f'the header {text} of {part!r}')}"


def _quoted(value: Any, what: str) -> str:
    """As browsers write it: only a quotation mark is escaped (WHATWG HTML, multipart/form-data)."""
    return _part_text(value, what).replace('"', "%22")


def _part_text(value: Any, what: str) -> str:
    """X7: text of a part's head, that no line can be smuggled in by."""
    raw = value if isinstance(value, bytes) else _part_utf8(_shown(value), what)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidBody(f"{what} is not UTF-8: {value!r}; pass str") from None
    if any(character in text for character in "\r\n\0"):
        raise InvalidHeader(f"{what} has CR, LF or NUL in it: {value!r}; remove it")
    return text


def _shown(value: Any) -> str:
    return own_text(value) if isinstance(value, str) else str(value)


def _part_utf8(text: str, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidBody(f"{what} can't be written in UTF-8: {error}; give other text") from None


def _pairs(given: Any, what: str) -> Iterator[tuple[Any, Any]]:
    if isinstance(given, Mapping):
        given = given.items()
    if isinstance(given, (str, bytes)) or hasattr(given, "read") or not hasattr(given, "__iter__"):
        raise InvalidBody(f"{what} is {type(given).__name__}: give a mapping, or pairs of name and content")
    for pair in given:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InvalidBody(
                f"{what} has a member of type {type(pair).__name__}: give a mapping, or pairs of name and "
                f"content"
            )
        yield pair[0], pair[1]


class MultipartBody:
    """The bytes of a multipart/form-data body as a file, which reads the files of its parts as it is read.

    Args:
        pieces: bytes, and the contents of files, in order.

    Attributes:
        len: the bytes of all of it, or None where a file does not tell its size.
    """

    __slots__ = ("_ahead", "_pieces", "_position", "_unread", "len")

    def __init__(self, pieces: Sequence[bytes | StreamedBody]) -> None:
        self._pieces = tuple(pieces)
        lengths = [len(piece) if isinstance(piece, bytes) else piece.length for piece in self._pieces]
        self.len = None if None in lengths else sum(length or 0 for length in lengths)
        self._begin()

    def __repr__(self) -> str:
        size = "unknown length" if self.len is None else f"{self.len} bytes"
        return f"<MultipartBody of {size}, at {self._position}>"

    def _begin(self) -> None:
        self._unread = self._read_pieces()
        self._ahead = bytearray()  # was taken of a piece, and nobody has asked for it yet
        self._position = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes; b"" at the end.

        Args:
            size: how many at most, and fewer only at the end; negative or None for all.

        Raises:
            InvalidBody: a file is not as long any more as it was when the request was prepared.
            Exception: whatever the files raise.
        """
        wanted = sys.maxsize if size is None or size < 0 else size
        while len(self._ahead) < wanted and (piece := next(self._unread, None)) is not None:
            self._ahead += piece
        taken = bytes(self._ahead[:wanted])
        del self._ahead[:wanted]
        self._position += len(taken)
        return taken

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(PIECE):
            yield piece

    def tell(self) -> int:
        """The bytes that were read."""
        return self._position

    def seekable(self) -> bool:
        """Whether all of its files can be wound back."""
        return all(isinstance(piece, bytes) or piece.restartable for piece in self._pieces)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go back to the start, where each file is at the position that it had when the request was prepared.

        Args:
            offset: 0, or where it stands.
            whence: `os.SEEK_SET`.

        Raises:
            io.UnsupportedOperation: it is another place.
            UnrewindableBodyError: a file was begun, and can't be wound back.
        """
        if whence != os.SEEK_SET or offset not in (0, self._position):
            raise io.UnsupportedOperation("a multipart body can be wound back to its start, and nowhere else")
        if offset == 0:
            for piece in self._pieces:
                if isinstance(piece, StreamedBody):
                    piece.rewind()
            self._begin()
        return offset

    def close(self) -> None:
        """Does nothing: the files belong to the caller, who closes them."""

    def segments(self) -> Iterator[bytes | FileSection]:
        """All of it, from its start, with large files on a disk as `FileSection`s."""
        self._unread = iter(())
        for segment in _gathered(self._segments()):
            self._position += len(segment)
            yield segment

    def _segments(self) -> Iterator[bytes | FileSection]:
        for piece in self._pieces:
            if isinstance(piece, StreamedBody):
                yield from _whole(piece, piece.segments())
            else:
                yield piece

    def _read_pieces(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, StreamedBody):
                yield from _whole(piece, piece)
            else:
                yield piece


def _whole(content: StreamedBody, segments: Iterable[_Segment]) -> Iterator[_Segment]:
    """The content of a file, which has to be as long as the Content-Length of the body counts on."""
    taken = 0
    for segment in segments:
        taken += len(segment)
        yield segment
    if content.length is not None and taken != content.length:
        raise InvalidBody(
            f"{content.source!r} gave {taken} bytes, and had {content.length} when the request was prepared: "
            f"leave the file as it is until the response has come, or pass its content as bytes"
        )


def _gathered(segments: Iterable[bytes | FileSection]) -> Iterator[bytes | FileSection]:
    """Put together what is small, so that many small files do not leave in many small writes."""
    small = bytearray()
    for segment in segments:
        if len(small) + len(segment) > PIECE:
            yield bytes(small)
            small.clear()
        if isinstance(segment, bytes) and len(segment) < PIECE:
            small += segment
        else:
            yield segment
    yield bytes(small)


# --- as the transport takes it


class LeftBehind:
    """What stands for a body that stayed in its process, in a request that was pickled: it is never sent.

    Args:
        body: the body.
    """

    __slots__ = ("_kind",)

    def __init__(self, body: Any) -> None:
        self._kind = type(body).__name__

    def __repr__(self) -> str:
        return f"<a {self._kind} that stayed in its process>"

    def __iter__(self) -> Iterator[Any]:
        raise UnrewindableBodyError(
            f"the body, a {self._kind}, stayed in the process in which the request was pickled: set another"
        )


def as_bytes(content: Any) -> bytes | None:
    """A body that can be held as bytes, or None where it has to be streamed.

    Raises:
        InvalidBody: it is neither.
        UnrewindableBodyError: it is in another process (law P2).
    """
    if content is None:
        return b""
    if isinstance(content, LeftBehind):
        iter(content)  # raises, ahead of the first byte
    if isinstance(content, str):
        return _utf8(content)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if hasattr(content, "read") or hasattr(content, "__iter__"):
        return None
    raise InvalidBody(f"the body is {type(content).__name__}: it has to be str, bytes, a file or an iterable")


class FileSection:
    """Bytes of a file on a disk, which the system can send without their ever coming up into the process.

    What somebody writes to these places of the file before the peer has them may be what the peer gets.

    Args:
        file: the file, of which `is_plain_file` holds.
        start: where its first byte is.
        length: how many there are.

    Attributes:
        start: where its first byte is.
    """

    __slots__ = ("_file", "_length", "start")

    def __init__(self, file: Any, start: int, length: int) -> None:
        self._file = file
        self._length = length
        self.start = start

    def __len__(self) -> int:
        return self._length

    def fileno(self) -> int:
        """The descriptor of the file."""
        descriptor: int = self._file.fileno()
        return descriptor

    def read(self, most: int) -> bytes:
        """Its first bytes, in Python's way; b"" where the file ends ahead of them."""
        self._file.seek(self.start)
        piece: bytes = self._file.read(min(most, self._length))
        return piece

    def after(self, count: int) -> FileSection:
        """What is left when so many bytes were sent. The file stands there, as if they had been read."""
        self._file.seek(self.start + count)
        return FileSection(self._file, self.start + count, self._length - count)


_Segment = TypeVar("_Segment", bytes, bytes | FileSection)


def is_plain_file(file: Any) -> bool:
    """Whether what is on the disk is what `read` gives.

    Python knows many files that are made of others: they count what is read, slow it down or decipher it. So
    the types have to be Python's own for a file on a disk, and nobody may have put another `read` in.
    """
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    return (
        type(raw) is io.FileIO
        and {"read", "readinto"}.isdisjoint([*vars(file), *vars(raw)])
        and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
    )


class StreamedBody:
    """A file or an iterable as a body that the transport can send, and send again.

    Args:
        source: the file or iterable.
        position: where the file stood when the request was prepared, or None.
        length: the bytes that are sent of a file at most, or None for all.

    Attributes:
        source: the file or iterable.
        length: as given.
    """

    __slots__ = ("_position", "_started", "length", "source")

    def __init__(self, source: Any, position: int | None, length: int | None) -> None:
        self.source = source
        self._position = position
        self.length = length
        self._started = False

    @property
    def replayable(self) -> bool:
        """Whether `rewind` is going to work: nothing was taken yet, or the source can be begun again."""
        return not self._started or self.restartable

    @property
    def restartable(self) -> bool:
        """Whether the source can be begun again once it was begun."""
        if self._is_file():
            return self._position is not None and hasattr(self.source, "seek")
        # A collection gives its members anew each time. Of any other iterable nobody can tell: a wrapper of a
        # file makes a new iterator each time, and all of them read on where the last one stopped.
        return isinstance(self.source, Collection)

    def rewind(self) -> None:
        """Go back to where the body stood when the request was prepared.

        Raises:
            UnrewindableBodyError: a part was sent, and the source can't be begun again.
        """
        if self._started:
            self.wind_back()

    def wind_back(self) -> None:
        """As `rewind`, for a source that somebody else may have read from.

        Raises:
            UnrewindableBodyError: the source can't be begun again.
        """
        if not self.restartable:
            raise UnrewindableBodyError(
                f"the body, a {type(self.source).__name__}, has to be sent again, and can't be wound back: "
                f"pass bytes, or a file that can seek"
            )
        if self._is_file():
            self._seek_start()
        self._started = False

    def __iter__(self) -> Iterator[bytes]:
        if self._is_file() and self._position is not None and tell(self.source) != self._position:
            self._seek_start()  # somebody has read from it since
        self._started = True
        return self._read_file() if self._is_file() else self._iterate()

    def segments(self) -> Iterator[bytes | FileSection]:
        """As iteration gives it, but with large files on a disk as `FileSection`s."""
        pieces = iter(self)  # which has wound the source back, where it had to be
        if self._position is None:
            return pieces
        if isinstance(self.source, MultipartBody):
            return self.source.segments()
        # Below the size of one read there is nothing to be gained.
        if self.length is None or not PIECE <= self.length <= sys.maxsize or not is_plain_file(self.source):
            return pieces
        self.source.flush()  # the system does not know what Python has yet to write
        return iter([FileSection(self.source, self._position, self.length)])

    def whole(self, most: int) -> bytes | None:
        """All of it, where it is a file of at most so many bytes, and not one that has to be waited for.

        Args:
            most: in bytes.

        Raises:
            Exception: whatever the file raises.
        """
        if self._position is None or self.length is None or self.length > most:
            return None
        return b"".join(self)

    def _seek_start(self) -> None:
        try:
            self.source.seek(self._position)
        except (AttributeError, OSError, ValueError) as error:
            raise UnrewindableBodyError(
                f"the body, a {type(self.source).__name__}, can't be wound back to where it stood: {error}"
            ) from error

    def _is_file(self) -> bool:
        return hasattr(self.source, "read")

    def _read_file(self) -> Iterator[bytes]:
        left = self.length
        while left is None or left > 0:
            piece = self.source.read(PIECE if left is None else min(LARGE_PIECE, left))
            if not piece:
                return
            yield _to_bytes(piece)
            if left is not None:
                left -= len(piece)

    def _iterate(self) -> Iterator[bytes]:
        pieces: Iterable[Any] = self.source
        for piece in pieces:
            yield _to_bytes(piece)


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidBody(f"the body can't be written in UTF-8: {error}; pass bytes") from None


def _to_bytes(piece: Any) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, str):
        return _utf8(piece)
    if isinstance(piece, (bytearray, memoryview)):
        return bytes(piece)
    raise InvalidBody(f"the body yielded {type(piece).__name__}: its pieces have to be bytes or str")
