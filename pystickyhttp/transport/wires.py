"""How the bytes of a connection leave and come, and how long each step may take (law T1).

A plain socket never blocks. Whoever has to wait asks poll(), which Python resumes after a signal with what is
left of the time (PEP 475), and a limit that changes with each step, as one under a `total` does, costs no
call. A blocking socket whose limits the kernel keeps (SO_RCVTIMEO) would need one call less, but the kernel
starts such a limit anew after each signal, and a timer would keep a silent server's client waiting for ever.
Python's own timeouts hold, and ask poll() ahead of each send too, which next to never has to wait.

A TLS socket has Python's timeouts. It may have to read before it can write and the other way round, as often
as the peer likes, and loops over that by itself while the time lasts.
"""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from ..signal_handlers import is_of_a_signal_handler
from .readiness import Poll, poller, wait_for_socket
from .sockets import would_block

if TYPE_CHECKING:
    from .tls_in_tls import AnySocket  # `ssl` is loaded with the first handshake

# What a full record of TLS holds (RFC 8446, section 5.1).
TLS_RECORD: Final = 16384

# What Python's sockets say when their timeout ran out; `is_timeout_of_ours` knows it by its lack of a code.
_TIMED_OUT: Final = "timed out"


class PlainWire:
    """A socket without TLS. It does not block from here on.

    Args:
        sock: the socket.

    Attributes:
        news: what has come that no recv has taken, an end or an error too. To ask is one system call.
    """

    __slots__ = ("_seconds", "_socket", "news")

    def __init__(self, sock: AnySocket) -> None:
        sock.settimeout(0.0)
        self.news: Poll = poller(sock)
        self._socket = sock
        self._seconds: float | None = 0.0  # the limit of the last step

    def send(self, data: bytes | memoryview, seconds: float | None) -> int:
        """Send what goes in one step: how much that was. There is room for it, mostly: the wait comes second.

        Args:
            data: the bytes.
            seconds: how long to wait until the first of them goes; None is without limit.

        Raises:
            TimeoutError: none went; see `sockets.is_timeout_of_ours`.
            OSError: as `socket.send` does.
        """
        self._seconds = left = seconds
        try:
            return self._socket.send(data)
        except BlockingIOError as error:
            if not would_block(error):
                raise
            since = time.monotonic()
        while any(wait_for_socket(self._socket, read=False, write=True, seconds=left)):
            try:
                return self._socket.send(data)
            except BlockingIOError as error:
                if not would_block(error):
                    raise
                left = _left_after_false_alarm(seconds, since)
        raise TimeoutError(_TIMED_OUT)

    def recv(self, size: int, seconds: float | None, since: float) -> bytes:
        """Read at most so many bytes; b"" at the end. They take their time, mostly: the wait comes first.

        Args:
            size: how many.
            seconds: how long to wait for the first of them; None is without limit.
            since: `time.monotonic()` when the wait begins. The caller's, which mostly has it at hand: it is
                asked for next to never, and by then it is too late to look at the clock.

        Raises:
            TimeoutError: none came; see `sockets.is_timeout_of_ours`.
            OSError: as `socket.recv` does; EBUSY where somebody else waits already.
        """
        self._seconds = left = seconds
        try:
            while self.news(None if left is None else left * 1000):
                try:
                    return self._socket.recv(size)
                except BlockingIOError as error:
                    if not would_block(error):
                        raise
                    left = _left_after_false_alarm(seconds, since)
        except RuntimeError as error:
            # A poll object waits once at a time. It does so for another thread, or for what was interrupted
            # by the signal handler that we are in: whoever ends a response that way closes its connection.
            if is_of_a_signal_handler(error):
                raise
            raise OSError(errno.EBUSY, "somebody else waits for the same bytes") from error
        raise TimeoutError(_TIMED_OUT)

    def do_not_block(self) -> None:
        """The next steps are taken with the socket itself, and wait for nothing: here none ever does."""

    def let_go(self) -> AnySocket:
        """The socket, which goes on with the limit of the last step as its timeout."""
        self._socket.settimeout(self._seconds)
        return self._socket


def _left_after_false_alarm(seconds: float | None, since: float) -> float | None:
    """T1: what is left of the limit of a step that goes on (poll(2), "BUGS": what came was thrown away).

    Raises:
        TimeoutError: nothing is. A socket that raises one alarm after the other would keep us for ever.
    """
    if seconds is None:
        return None
    left = seconds - (time.monotonic() - since)
    if left <= 0:
        raise TimeoutError(_TIMED_OUT)
    return left


class TLSWire:
    """A socket with TLS.

    Args:
        sock: the socket.

    Attributes:
        news: as that of a `PlainWire`. What TLS has read ahead is not seen by it.
    """

    __slots__ = ("_seconds", "_socket", "_waited", "news")

    def __init__(self, sock: AnySocket) -> None:
        self.news: Poll = poller(sock)
        self._socket = sock
        # The limit that is set, and the last one that let us wait.
        self._seconds = self._waited = sock.gettimeout()

    def send(self, data: bytes | memoryview, seconds: float | None) -> int:
        """See `PlainWire.send`."""
        self._limit(seconds)
        # TLS takes all or nothing of what it is given, though the peer reads each record as it comes: of more
        # than one nobody could tell whether a byte was written (law P1), or the peer takes any (law T1).
        return self._socket.send(data if len(data) <= TLS_RECORD else memoryview(data)[:TLS_RECORD])

    def recv(self, size: int, seconds: float | None, since: float) -> bytes:
        """See `PlainWire.recv`."""
        self._limit(seconds)
        return self._socket.recv(size)

    def do_not_block(self) -> None:
        """See `PlainWire.do_not_block`."""
        if self._seconds != 0.0:
            self._waited = self._seconds
            self._limit(0.0)

    def let_go(self) -> AnySocket:
        """See `PlainWire.let_go`."""
        if self._seconds == 0.0:  # a 101 that came while a body was sent (law X2) was read without waiting
            self._limit(self._waited)
        return self._socket

    def _limit(self, seconds: float | None) -> None:
        # Each settimeout() is a system call, and the limit is mostly the one that was set before.
        if seconds != self._seconds:
            self._socket.settimeout(seconds)
            self._seconds = seconds


Wire: TypeAlias = "PlainWire | TLSWire"
