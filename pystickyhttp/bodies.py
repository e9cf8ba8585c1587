"""Request bodies: what the caller passes as `data` and `json`, and how it goes over the wire.

`encode` turns the caller's value into the body of a PreparedRequest, of the types that requests gives it:
str, bytes, a file, or an iterable. The transport sends bytes (`as_bytes`), or a `StreamedBody`, which can be
wound back to where it stood (law P2).
"""

from __future__ import annotations

import io
import json as jsonlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .exceptions import InvalidBody, InvalidJSONError, UnrewindableBodyError
from .urls import encode_form

# What one read of a file takes: large enough that the calls do not count, small enough to hold in memory.
PIECE: Final = 64 * 1024

FORM_TYPE: Final = "application/x-www-form-urlencoded"
JSON_TYPE: Final = "application/json"

BodyTypes: TypeAlias = Any  # str, bytes, file, form or iterable; checked where it is read


@dataclass(frozen=True, slots=True)
class EncodedBody:
    """A body as a PreparedRequest holds it.

    Attributes:
        content: str, bytes, a file, an iterable, or None for no body.
        length: in bytes, or None where it is not known beforehand.
        content_type: the type that the encoding implies, or None.
        position: where the file stood, or None where it is no file that can tell.
    """

    content: Any = None
    length: int | None = 0
    content_type: str | None = None
    position: int | None = None


NO_BODY: Final = EncodedBody()

# Of these an empty one is no body; an empty file or iterable is a body of no bytes.
_SIZED: Final = (str, bytes, bytearray, memoryview, Mapping, list, tuple)


def encode(data: BodyTypes, json: Any = None) -> EncodedBody:
    """Encode what the caller gave as the body.

    Args:
        data: a mapping or a list of pairs (sent as a form), str (as UTF-8), bytes, a file (from where it
            stands to its end), or an iterable of bytes or str (sent in chunks). None or an empty form is
            no body.
        json: a value to send as JSON, where data is None or empty.

    Raises:
        InvalidBody: data is none of these.
        InvalidJSONError: json can't be written as JSON (RFC 8259 has no NaN and no Infinity).
    """
    if data is None or (isinstance(data, _SIZED) and len(data) == 0):
        return NO_BODY if json is None else _encode_json(json)
    if isinstance(data, str):
        return EncodedBody(data, len(_utf8(data)))
    if isinstance(data, (bytes, bytearray, memoryview)):
        content = bytes(data)
        return EncodedBody(content, len(content))
    if isinstance(data, (Mapping, list, tuple)):
        return _encode_form(data)
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
    except (TypeError, ValueError):
        raise InvalidBody(
            f"the body is a {type(data).__name__} that is not made of pairs: a form needs pairs of name and "
            f"value; pass iter(...) to send the members one after the other"
        ) from None
    return EncodedBody(content, len(content), FORM_TYPE)


def _encode_file(file: Any) -> EncodedBody:
    if isinstance(getattr(file, "file", file), io.TextIOBase):  # tempfile's wrappers hold theirs as .file
        # Its characters have no length in bytes before they are encoded.
        content = _utf8(file.read())
        return EncodedBody(content, len(content))
    position = _tell(file)
    return EncodedBody(file, _length_left(file, position or 0), None, position)


def _tell(file: Any) -> int | None:
    try:
        position = file.tell()
    except (AttributeError, OSError, ValueError):
        return None
    return position if isinstance(position, int) else None


def _length_left(file: Any, position: int) -> int | None:
    """The bytes from the file's position to its end, or None where it is a pipe or the like."""
    announced = getattr(file, "len", None)  # how streaming encoders say it
    if isinstance(announced, int):
        return announced
    if isinstance(getattr(file, "raw", file), io.FileIO):
        status = os.fstat(file.fileno())
        return max(0, status.st_size - position) if stat.S_ISREG(status.st_mode) else None
    # Others may have a file descriptor too, but of what they read from: a file of gzip.open() is not as long
    # as what it gives.
    return _length_by_seeking(file, position)


def _length_by_seeking(file: Any, position: int) -> int | None:
    try:
        end = file.seek(0, os.SEEK_END)
        file.seek(position)
    except (AttributeError, OSError, ValueError):
        return None
    return max(0, end - position) if isinstance(end, int) else None


def as_bytes(content: Any) -> bytes | None:
    """A body that can be held as bytes, or None where it has to be streamed.

    Raises:
        InvalidBody: it is neither.
    """
    if content is None:
        return b""
    if isinstance(content, str):
        return _utf8(content)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if hasattr(content, "read") or hasattr(content, "__iter__"):
        return None
    raise InvalidBody(f"the body is {type(content).__name__}: it has to be str, bytes, a file or an iterable")


class StreamedBody:
    """A file or an iterable as a body that the transport can send, and send again.

    Args:
        source: the file or iterable.
        position: where the file stood when the request was prepared, or None.
        length: the bytes that are sent of a file at most, or None for all.

    Attributes:
        source: the file or iterable.
    """

    __slots__ = ("_length", "_position", "_started", "source")

    def __init__(self, source: Any, position: int | None, length: int | None) -> None:
        self.source = source
        self._position = position
        self._length = length
        self._started = False

    @property
    def replayable(self) -> bool:
        """Whether `rewind` is going to work: nothing was taken yet, or the source can be begun again."""
        return not self._started or self._can_restart()

    def rewind(self) -> None:
        """Go back to where the body stood when the request was prepared.

        Raises:
            UnrewindableBodyError: a part was sent, and the source can't be begun again.
        """
        if not self._started:
            return
        if not self._can_restart():
            raise UnrewindableBodyError(
                f"the body, a {type(self.source).__name__}, has to be sent again, and can't be wound back: "
                f"pass bytes, or a file that can seek"
            )
        if self._is_file():
            self._seek_start()
        self._started = False

    def __iter__(self) -> Iterator[bytes]:
        if self._is_file() and self._position is not None and _tell(self.source) != self._position:
            self._seek_start()  # somebody has read from it since
        self._started = True
        return self._read_file() if self._is_file() else self._iterate()

    def _seek_start(self) -> None:
        try:
            self.source.seek(self._position)
        except (AttributeError, OSError, ValueError) as error:
            raise UnrewindableBodyError(
                f"the body, a {type(self.source).__name__}, can't be wound back to where it stood: {error}"
            ) from error

    def _is_file(self) -> bool:
        return hasattr(self.source, "read")

    def _can_restart(self) -> bool:
        if self._is_file():
            return self._position is not None and hasattr(self.source, "seek")
        # A collection gives its members anew each time. Of any other iterable nobody can tell: a wrapper of a
        # file makes a new iterator each time, and all of them read on where the last one stopped.
        return isinstance(self.source, Collection)

    def _read_file(self) -> Iterator[bytes]:
        left = self._length
        while left is None or left > 0:
            piece = self.source.read(PIECE if left is None else min(PIECE, left))
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
