"""`Response.raw`: the body as it comes from the connection, with its content coding on, as a file.

A `Response` reads its body through the protocol `RawBody`, which the transport's `IncomingResponse` fulfils.
`RawResponse` makes a file of one, for who wants the bytes as they are; `FileBody` makes one of a file, for
the adapters that others wrote.
"""

from __future__ import annotations

import io
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, Self

from . import decoding
from .exceptions import RequestException
from .gathering import gathered
from .headers import Headers
from .signal_handlers import is_of_a_signal_handler
from .transport.pool import DRAIN_BYTES

# What one read of a file that an adapter gave takes: enough that the calls do not count.
_PIECE: Final = 64 * 1024


class RawBody(Protocol):
    """What a Response reads its body from: undecoded, piece by piece."""

    @property
    def closed(self) -> bool: ...

    @property
    def received(self) -> int: ...

    @property
    def closed_early(self) -> bool: ...

    def read_piece(self) -> bytes: ...

    def pieces(self) -> Iterator[bytes]: ...

    def read(self) -> bytes: ...

    def read_rest(self) -> bytes | None: ...

    def check_time(self) -> None: ...

    def close(self) -> None: ...


class FileBody:
    """The body of a response that an adapter gave as a file.

    Args:
        file: an object with `read(size)`, and with `close()` if there is anything to close.

    Attributes:
        closed: whether it was closed.
        received: how many bytes were read.
        closed_early: False in any case: where the body ends the file alone knows.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.closed = False
        self.received = 0
        self.closed_early = False

    def read_piece(self) -> bytes:
        """The next piece; b"" at the end."""
        if self.closed:
            return b""
        piece = self._read_coded(_PIECE) or b""
        self.received += len(piece)
        return piece

    def _read_coded(self, size: int) -> bytes | None:
        if hasattr(self._file, "decode_content"):  # urllib3's responses decode unless they are told not to
            piece: bytes | None = self._file.read(size, decode_content=False)
        else:
            piece = self._file.read(size)
        return piece

    def pieces(self) -> Iterator[bytes]:
        """The pieces of the body, to its end."""
        return iter(self.read_piece, b"")

    def read(self) -> bytes:
        """The rest of the body."""
        return gathered(self.pieces())

    def read_rest(self) -> bytes | None:
        """The rest of the body, if it is small, as on a connection (law R5). The file is closed then.

        Returns:
            The bytes, or None where they were too many, could not be read, or the file was closed before.
        """
        if self.closed:
            return None
        try:
            return self._read_small()
        except OSError as error:  # nobody asked for this body: that it breaks is no news
            if is_of_a_signal_handler(error):
                raise
            return None
        finally:
            self.close()

    def _read_small(self) -> bytes | None:
        pieces, left = [], DRAIN_BYTES
        for piece in self.pieces():
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                return None
        return b"".join(pieces)

    def check_time(self) -> None:
        """A file has no deadline."""

    def close(self) -> None:
        """Close the file; may be called again."""
        self.closed = True
        close = getattr(self._file, "close", None)
        if close is not None:
            close()


class RawResponse(io.RawIOBase):
    """The body of a response as a file, with its content coding on.

    Args:
        body: where the bytes come from.
        headers: the fields of the response.
        status: its status code.
        reason: its reason phrase.
        response: the Response whose body it is, which errors then name; by default none.

    Attributes:
        decode_content: whether `read` takes the content coding off. Default False. It has to be set before
            the first byte is read.
        auto_close: whether `closed` becomes True at the end of the body, as in urllib3. Default True. What
            wraps a file and reads past its end, as `io.BufferedReader` does, needs False.
        version: the version of HTTP: 11, or 10.
    """

    def __init__(
        self, body: RawBody, headers: Headers, status: int, reason: str, *, response: Any = None
    ) -> None:
        super().__init__()
        self.headers = headers
        self.status = status
        self.reason = reason
        self.version: int = getattr(body, "version", 11)
        self.decode_content = False
        self.auto_close = True
        self._body = body
        # R6: the Response refers to this, and what refers back would keep both from being freed at once.
        self._response = None if response is None else weakref.ref(response)
        self._request = getattr(response, "request", None)
        self._pieces: Iterator[bytes] | None = None
        self._held = b""  # the piece that is being read, up to `_at`
        self._at = 0
        self._position = 0

    def __repr__(self) -> str:
        return f"<RawResponse [{self.status}]: {self._position} bytes read>"

    def __del__(self) -> None:
        # io would close it here, which may wait; the transport sees to what is forgotten (law R6).
        pass

    @property
    def was_read(self) -> bool:
        """Whether its reading was begun, or it was closed: who reads elsewhere would find a part."""
        return super().closed or self._pieces is not None

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has come to its end, be it that the response read it."""
        return super().closed or (self.auto_close and self._ended_elsewhere())

    def _ended_elsewhere(self) -> bool:
        body = self._body
        # An empty body has ended before anybody read it, and who wraps its file finds an open one.
        return self._pieces is None and body.closed and (body.received > 0 or body.closed_early)

    @property
    def data(self) -> bytes:
        """The rest of the body, as `read()` gives it."""
        return self.read()

    def getheaders(self) -> Headers:
        """The fields of the response."""
        return self.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """A field of the response.

        Args:
            name: its name; the case does not count.
            default: what to return where there is none. Default None.
        """
        value: str | None = self.headers.get(name, default)
        return value

    def isclosed(self) -> bool:
        """As `closed`."""
        return self.closed

    def readable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """How many bytes were read; of a body that the response reads, those that came, still coded."""
        return self._body.received if self._pieces is None else self._position

    def read(self, amt: int | None = -1, decode_content: bool | None = None) -> bytes:
        """Read bytes.

        Args:
            amt: how many at most, waiting until they are there or the body ends; None or below 0 for all.
            decode_content: as the attribute, which it sets where it is given.

        Returns:
            The bytes; b"" at the end.

        Raises:
            RequestException: as `Response.content` does.
        """
        if decode_content is not None:
            self.decode_content = decode_content
        wanted = _limit(amt)
        if wanted is None:
            return gathered(self.stream(None))
        parts, got = [], 0
        while got < wanted and (part := self._take(wanted - got)):
            parts.append(part)
            got += len(part)
        return b"".join(parts)

    def read1(self, amt: int | None = -1) -> bytes:
        """Read what one piece holds, and wait for no further one.

        Args:
            amt: how many bytes at most; None or below 0 for the whole piece.
        """
        return self._take(_limit(amt))

    def readline(self, size: int | None = -1) -> bytes:
        """Read a line, its end b"\\n" included.

        Args:
            size: how many bytes at most; None or below 0 for no limit.

        Returns:
            The line; without its end where the body or the limit ends it; b"" at the end of the body.

        Raises:
            RequestException: as `read` does.
        """
        wanted = _limit(size)
        parts, got = [], 0
        while (wanted is None or got < wanted) and self._has_bytes():
            end = self._held.find(b"\n", self._at) + 1
            length = (end or len(self._held)) - self._at
            part = self._take(length if wanted is None else min(length, wanted - got))
            parts.append(part)
            got += len(part)
            if part.endswith(b"\n"):
                break
        return b"".join(parts)

    def __iter__(self) -> Self:
        """The lines of the rest of the body; see `readline`."""
        return self

    def __next__(self) -> bytes:
        """The next line."""
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, as many bytes as one piece holds at most.

        Args:
            buffer: a writable buffer of bytes.
        """
        view = memoryview(buffer).cast("B")
        part = self._take(len(view))
        view[: len(part)] = part
        return len(part)

    def stream(self, amt: int | None = 65536, decode_content: bool | None = None) -> Iterator[bytes]:
        """The rest of the body piece by piece, as it comes.

        Args:
            amt: the bytes of a piece at most; None or below 0 is without limit.
            decode_content: as for `read`.
        """
        if decode_content is not None:
            self.decode_content = decode_content
        most = _limit(amt)
        return iter(lambda: self._take(most), b"")

    def close(self) -> None:
        """Let go of the connection; what was not read is gone."""
        self._held, self._at = b"", 0
        try:
            self._body.close()
        finally:
            super().close()

    def release_conn(self) -> None:
        """As `close`, which is what gives the connection back here; urllib3 has it under this name."""
        self.close()

    def detach(self) -> Any:
        """Take the connection over after 101 Switching Protocols (RFC 9110, section 7.8).

        Returns:
            A stream with `recv`, `sendall` and `close`, which belongs to the caller, and has to be closed.

        Raises:
            ValueError: the connection has not changed its protocol.
        """
        detach = getattr(self._body, "detach", None)
        if detach is None:
            raise ValueError("the body comes from no connection that could be taken over")
        return detach()

    def _take(self, most: int | None) -> bytes:
        """At most so many bytes of what is at hand, or else of the next piece; b"" at the end."""
        if most == 0 or not self._has_bytes():
            return b""
        end = len(self._held) if most is None else min(len(self._held), self._at + most)
        part = self._held[self._at : end]
        self._at = end
        self._position += len(part)
        return part

    def _has_bytes(self) -> bool:
        """Whether bytes are at hand, once the next piece has come if there were none; False at the end."""
        if self._at < len(self._held):
            return True
        if self.closed:
            return False
        try:
            self._held, self._at = next(self._begun(), b""), 0
        except BaseException as error:
            self._fail(error)
            raise
        if not self._held and self.auto_close:
            super().close()
        return bool(self._held)

    def _begun(self) -> Iterator[bytes]:
        if self._pieces is None:
            self._pieces = self._body.pieces()
            if self.decode_content:
                self._pieces = iter(decoded(self._pieces, self.headers, self._body))
        return self._pieces

    def _fail(self, error: BaseException) -> None:
        """Name in an error what it happened to, and let go of the connection."""
        if isinstance(error, RequestException) and not is_of_a_signal_handler(error):
            if error.request is None:
                error.request = self._request
            if error.response is None and self._response is not None:
                error.response = self._response()
        self.close()


def _limit(size: int | None) -> int | None:
    """A size as files take it: None or below 0 is without limit."""
    return None if size is None or size < 0 else size


def decoded(
    pieces: Iterable[bytes], headers: Headers, body: RawBody | None, *, is_cut: bool = False
) -> Iterable[bytes]:
    """The pieces of a body without its content coding, if it has one.

    Args:
        pieces: the pieces as they came.
        headers: the fields of the response.
        body: where they come from, whose deadline counts; None where they are all there.
        is_cut: as for `decoding.decode`. Default False.

    Raises:
        ContentDecodingError: here or while iterating: the body can't be decoded, or is incomplete.
        TotalTimeout: while iterating: the deadline has passed.
    """
    coding = headers.get("Content-Encoding")
    if not coding:
        return pieces
    return _timed(decoding.decode(pieces, decoding.decoders_for(coding), is_cut=is_cut), body)


def _timed(steps: Iterable[bytes], body: RawBody | None) -> Iterator[bytes]:
    """T1: a few bytes can take long to decode, and longer to decode to nothing."""
    for piece in steps:
        if body is not None:
            body.check_time()
        if piece:
            yield piece
