"""`Response.raw`: the body as it comes from the connection, with its content coding on, as a file.

A `Response` reads its body through the protocol `RawBody`, which the transport's `IncomingResponse` fulfils.
`RawResponse` makes a file of one, for who wants the bytes as they are; `FileBody` makes one of a file, for
the adapters that others wrote.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final, Protocol

from . import decoding
from .headers import Headers

# What one read of a file that an adapter gave takes: enough that the calls do not count.
_PIECE: Final = 64 * 1024


class RawBody(Protocol):
    """What a Response reads its body from: undecoded, piece by piece."""

    @property
    def closed(self) -> bool: ...

    def read_piece(self) -> bytes: ...

    def pieces(self) -> Iterator[bytes]: ...

    def read_rest(self) -> bytes | None: ...

    def check_time(self) -> None: ...

    def close(self) -> None: ...


class FileBody:
    """The body of a response that an adapter gave as a file.

    Args:
        file: an object with `read(size)`, and with `close()` if there is anything to close.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.closed = False

    def read_piece(self) -> bytes:
        """The next piece; b"" at the end."""
        if self.closed:
            return b""
        return self._read_coded(_PIECE) or b""

    def _read_coded(self, size: int) -> bytes | None:
        if hasattr(self._file, "decode_content"):  # urllib3's responses decode unless they are told not to
            piece: bytes | None = self._file.read(size, decode_content=False)
        else:
            piece = self._file.read(size)
        return piece

    def pieces(self) -> Iterator[bytes]:
        """The pieces of the body, to its end."""
        return iter(self.read_piece, b"")

    def read_rest(self) -> bytes | None:
        """The rest of the body."""
        rest = b"".join(self.pieces())
        self.close()
        return rest

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

    Attributes:
        decode_content: whether `read` takes the content coding off. Default False. It has to be set before
            the first byte is read.
    """

    def __init__(self, body: RawBody, headers: Headers, status: int, reason: str) -> None:
        super().__init__()
        self.headers = headers
        self.status = status
        self.reason = reason
        self.decode_content = False
        self._body = body
        self._pieces: Iterator[bytes] | None = None
        self._held = b""
        self._position = 0

    def __repr__(self) -> str:
        return f"<RawResponse [{self.status}]: {self._position} bytes read>"

    def __del__(self) -> None:
        # io would close it here, which may wait; the transport sees to what is forgotten (law R6).
        pass

    @property
    def was_read(self) -> bool:
        """Whether a byte was taken from it, or it was closed: who reads elsewhere would find a part."""
        return self.closed or self._position > 0

    def readable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """How many bytes were read."""
        return self._position

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
        wanted = None if amt is None or amt < 0 else amt
        parts, got = [], 0
        while wanted is None or got < wanted:
            part = self._take(None if wanted is None else wanted - got)
            if not part:
                break
            parts.append(part)
            got += len(part)
        return b"".join(parts)

    def read1(self, amt: int | None = -1) -> bytes:
        """Read what one piece holds, and wait for no further one.

        Args:
            amt: how many bytes at most; None or below 0 for the whole piece.
        """
        return self._take(None if amt is None or amt < 0 else amt)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, as many bytes as one piece holds at most."""
        view = memoryview(buffer).cast("B")
        part = self._take(len(view))
        view[: len(part)] = part
        return len(part)

    def stream(self, amt: int | None = 65536, decode_content: bool | None = None) -> Iterator[bytes]:
        """The rest of the body piece by piece, as it comes.

        Args:
            amt: the bytes of a piece at most; None is without limit.
            decode_content: as for `read`.
        """
        if decode_content is not None:
            self.decode_content = decode_content
        return iter(lambda: self._take(amt), b"")

    def close(self) -> None:
        """Let go of the connection; what was not read is gone."""
        self._held = b""
        self._body.close()
        super().close()

    def release_conn(self) -> None:
        """As `close`, which is what gives the connection back here; urllib3 has it under this name."""
        self.close()

    def detach(self) -> Any:
        """Take the connection over after 101 Switching Protocols (law X4; RFC 9110, section 7.8).

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
        if self.closed or most == 0:
            return b""
        piece = self._held or next(self._begun(), b"")
        if most is not None and len(piece) > most:
            piece, self._held = piece[:most], piece[most:]
        else:
            self._held = b""
        self._position += len(piece)
        return piece

    def _begun(self) -> Iterator[bytes]:
        if self._pieces is None:
            pieces = self._body.pieces()
            coding = self.headers.get("Content-Encoding") if self.decode_content else None
            if coding:
                pieces = filter(None, decoding.decode(pieces, decoding.decoders_for(coding)))
            self._pieces = pieces
        return self._pieces
