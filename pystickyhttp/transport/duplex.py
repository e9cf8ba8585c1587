"""What is left of a connection that has changed its protocol: bytes both ways (law X4)."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from .tls_in_tls import AnySocket


class DuplexStream:
    """The two directions of a connection after 101 Switching Protocols, or a 2xx to CONNECT.

    It belongs to who took it over: no pool counts it, and it has to be closed.

    Args:
        sock: the socket, TLS included.
        first: the bytes of the new protocol that came along with the response; they are read first.
    """

    def __init__(self, sock: AnySocket, first: bytes) -> None:
        self._socket = sock
        self._first = first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def recv(self, size: int) -> bytes:
        """Read at most so many bytes, as they come; b"" at the end.

        Args:
            size: how many bytes at most.

        Raises:
            TimeoutError, OSError: as `socket.recv` does.
        """
        if self._first:
            data, self._first = self._first[:size], self._first[size:]
            return data
        return self._socket.recv(size)

    def sendall(self, data: bytes) -> None:
        """Send all of the data.

        Args:
            data: the bytes.

        Raises:
            TimeoutError, OSError: as `socket.sendall` does.
        """
        self._socket.sendall(data)

    def settimeout(self, seconds: float | None) -> None:
        """How long `recv` and `sendall` may block; None is without limit.

        Args:
            seconds: the limit, or None.
        """
        self._socket.settimeout(seconds)

    def fileno(self) -> int:
        """The file descriptor, for `select` and its like. Bytes that `recv` has at hand do not show there."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket. May be called again."""
        self._socket.close()
