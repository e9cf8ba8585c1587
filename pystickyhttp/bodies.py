"""Request bodies: what the caller passes as `data` and `json`, and how it goes over the wire.

`encode` turns the caller's value into the body of a PreparedRequest, of the types that requests gives it:
str, bytes, a file, or an iterable. `outgoing` turns that body into what the transport sends: bytes, or a
`StreamedBody` that can be wound back to where it stood (law P2).
"""

from __future__ import annotations

import io
import json as jsonlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
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
    if not isinstance(data, io.IOBase) and not data:
        return NO_BODY if json is None else _encode_json(json)
    if isinstance(data, str):
        return EncodedBody(data, len(data.encode("utf-8")))
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
    if isinstance(file, io.TextIOBase):
        # Its characters have no length in bytes before they are encoded.
        content = file.read().encode("utf-8")
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
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, OSError, ValueError):
        return _length_by_seeking(file, position)
    return max(0, status.st_size - position) if stat.S_ISREG(status.st_mode) else None


def _length_by_seeking(file: Any, position: int) -> int | None:
    try:
        end = file.seek(0, os.SEEK_END)
        file.seek(position)
    except (AttributeError, OSError, ValueError):
        return None
    return max(0, end - position) if isinstance(end, int) else None


def outgoing(content: Any, position: int | None, length: int | None) -> bytes | StreamedBody:
    """The body of a PreparedRequest as the transport takes it.

    Args:
        content: str, bytes, a file, an iterable, or None.
        position: where the file stood when the request was prepared, or None.
        length: the bytes that Content-Length promises, or None.

    Raises:
        InvalidBody: the content is none of these.
    """
    if content is None:
        return b""
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode("utf-8")
    if isinstance(content, (bytearray, memoryview)):
        return bytes(content)
    if hasattr(content, "read") or hasattr(content, "__iter__"):
        return StreamedBody(content, position, length)
    raise InvalidBody(f"the body is {type(content).__name__}: it has to be str, bytes, a file or an iterable")


class StreamedBody:
    """A file or an iterable as a body that the transport can send, and send again.

    Args:
        source: the file or iterable.
        position: where the file stood when the request was prepared, or None.
        length: the bytes that are sent of a file at most, or None for all.
    """

    __slots__ = ("_length", "_position", "_source", "_started")

    def __init__(self, source: Any, position: int | None, length: int | None) -> None:
        self._source = source
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
                f"the body, a {type(self._source).__name__}, has to be sent again, and can't be wound back: "
                f"pass bytes, or a file that can seek"
            )
        if self._is_file():
            try:
                self._source.seek(self._position)
            except (OSError, ValueError) as error:
                raise UnrewindableBodyError(
                    f"the body has to be sent again, and its file can't be wound back: {error}"
                ) from error
        self._started = False

    def __iter__(self) -> Iterator[bytes]:
        self._started = True
        return self._read_file() if self._is_file() else self._iterate()

    def _is_file(self) -> bool:
        return hasattr(self._source, "read")

    def _can_restart(self) -> bool:
        if self._is_file():
            return self._position is not None and hasattr(self._source, "seek")
        # An iterator is its own iterator, and gone once it was used; a list or a view makes a new one.
        return iter(self._source) is not self._source

    def _read_file(self) -> Iterator[bytes]:
        left = self._length
        while left is None or left > 0:
            piece = self._source.read(PIECE if left is None else min(PIECE, left))
            if not piece:
                return
            yield _to_bytes(piece)
            if left is not None:
                left -= len(piece)

    def _iterate(self) -> Iterator[bytes]:
        pieces: Iterable[Any] = self._source
        for piece in pieces:
            yield _to_bytes(piece)


def _to_bytes(piece: Any) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, str):
        return piece.encode("utf-8")
    if isinstance(piece, (bytearray, memoryview)):
        return bytes(piece)
    raise InvalidBody(f"the body yielded {type(piece).__name__}: its pieces have to be bytes or str")
