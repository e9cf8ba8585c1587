"""TLS within TLS: https through an https proxy.

An `ssl.SSLSocket` can't be wrapped again: OpenSSL would take the file descriptor for itself and write past
the proxy's TLS. So the inner TLS, the one with the far end, works between two buffers in memory, and this
module carries its bytes to and from the outer TLS, the one with the proxy. To whoever holds it, the whole is
one socket that behaves as an `ssl.SSLSocket` does.

The inner TLS is asked first; bytes are moved only for what it can't do with those at hand. The outer socket
never blocks: whether anything blocks is decided in one place, `_TimeLimit`, and there the poll happens.
"""

from __future__ import annotations

import enum
import errno
import os
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal, TypeAlias, TypeVar, overload

from ..signal_handlers import tolerated
from ..timeouts import MAX_SECONDS
from .readiness import wait_for_socket

# RFC 8446, section 5.1: a record holds no more plaintext, so one read of the outer TLS gives no more.
RECORD: Final = 16384
# How much a send() takes: with what the inner TLS adds (RFC 8446, section 5.2: 256 bytes at most) it still
# goes into one record of the outer TLS. A full inner record would cost a second outer one for a few bytes.
MOST_TAKEN: Final = RECORD - 256

_T = TypeVar("_T")


class _Wants(enum.Flag):
    """What the outer socket has to be ready for before a step can go on."""

    NOTHING = 0
    READ = enum.auto()
    WRITE = enum.auto()


class _TimeLimit:
    """How long one call may wait: one deadline for everything that it waits for.

    A peer that drips the bytes of a record can't extend it. The clock starts at the first look, so what can
    be done with the bytes at hand is done however short the limit.

    Args:
        seconds: the limit, None without one; 0.0 never waits.
        doing: what the call does, for messages.
    """

    __slots__ = ("_doing", "_seconds", "_until")

    def __init__(self, seconds: float | None, doing: str) -> None:
        self._seconds = seconds
        self._doing = doing
        self._until: float | None = None

    def left(self) -> float | None:
        """Seconds that are left, None without limit.

        Raises:
            TimeoutError: none are left of a limit that is not zero.
        """
        if not self._seconds:
            return self._seconds
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._seconds
        left = self._until - now
        if left <= 0:
            raise TimeoutError(
                f"{self._doing} through the proxy's TLS did not end within {self._seconds:g} s"
            )
        return left

    def wait(self, outer: ssl.SSLSocket, wants: _Wants, urgent: _Wants) -> None:
        """Wait until the outer socket is ready, or the time is up.

        Args:
            outer: the socket.
            wants: what to wait for.
            urgent: which of it the caller is told to wait for where this may not.

        Raises:
            SSLWantReadError, SSLWantWriteError: the limit is zero.
            TimeoutError: no time is left.
        """
        seconds = self.left()
        if seconds == 0.0:
            if _Wants.WRITE in urgent:
                raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, f"{self._doing} waits for room")
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, f"{self._doing} waits for bytes")
        wait_for_socket(outer, read=_Wants.READ in wants, write=_Wants.WRITE in wants, seconds=seconds)


class TLSInTLS:
    """A connected socket that speaks TLS with the far end, through TLS with a proxy.

    Its methods do what those of `ssl.SSLSocket` do, made with `suppress_ragged_eofs=False`, and raise what
    they raise. Two things differ: the timeout is one deadline over a whole `sendall` too, and `unwrap` ends
    TLS for good. It is for one thread at a time.

    A `send` that raised (SSLWantReadError, SSLWantWriteError, TimeoutError) must be repeated with the same
    bytes, as OpenSSL has it: they may be encrypted already, and can't be taken back.

    Args:
        outer: the socket, its handshake with the proxy done, its tunnel to the far end open. It belongs to
            this one from here on, and gets closed with it.
        context: the context of the inner TLS.
        server_hostname: the name of the far end that its certificate is held against, or None.
        session: a TLS session to resume, or None.

    Attributes:
        outer: the socket that it was made of. It is non-blocking.
        context: the context of the inner TLS.

    Raises:
        ValueError: name or session do not suit the context.
    """

    __slots__ = ("_incoming", "_inner", "_outgoing", "_taken", "_timeout", "_unsent", "context", "outer")

    def __init__(
        self,
        outer: ssl.SSLSocket,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        if context.check_hostname and not server_hostname:
            # An SSLSocket sees to it, an SSLObject does not: it would hold the certificate against no name.
            raise ValueError("the context checks the name of the far end, and server_hostname= gives none")
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._inner: ssl.SSLObject | None = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname, session=session
        )
        # What is being sent stays one and the same piece until it has gone whole: OpenSSL may have encrypted
        # a part of it, and its next write has to begin with the same bytes.
        self._unsent = memoryview(b"")
        self._taken = 0  # bytes that a send() took and has not told of, as not all of them are on their way
        self._timeout = outer.gettimeout()
        self.context = context
        self.outer = outer
        outer.settimeout(0.0)

    def __repr__(self) -> str:
        return f"<TLSInTLS: {self.version() or 'no TLS'} over {self.outer!r}>"

    # --- what a socket does

    def do_handshake(self) -> None:
        """Shake hands with the far end.

        Raises:
            SSLCertVerificationError: its certificate was refused; it has been told so, if that could be done
                without waiting.
            SSLError, OSError: as `SSLSocket.do_handshake` raises them.
        """
        inner = self._open()
        limit = _TimeLimit(self._timeout, "shaking hands")
        self._run(inner.do_handshake, limit)
        self._drain(limit)

    def recv(self, size: int) -> bytes:
        """Read at most so many bytes, as they come; b"" once the far end has said close_notify.

        Raises:
            SSLEOFError: the connection ended without it, be it that the proxy cut it off.
            TimeoutError, SSLError, OSError: as `SSLSocket.recv` raises them.
        """
        return self._run(partial(self._open().read, size), _TimeLimit(self._timeout, "reading"))

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send some bytes, at most `MOST_TAKEN`: how many. They are in the hands of the system then.

        Raises:
            TimeoutError, SSLError, OSError: as `SSLSocket.send` raises them.
        """
        return self._send(memoryview(data).cast("B"), _TimeLimit(self._timeout, "writing"))

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of the bytes, within one timeout.

        Raises:
            TimeoutError, SSLError, OSError: as `SSLSocket.sendall` raises them.
        """
        limit = _TimeLimit(self._timeout, "writing")
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self._send(rest, limit) :]

    def pending(self) -> int:
        """How many bytes are at hand that a poll of the file descriptor would not show, encrypted or not."""
        if self._inner is None:
            return 0
        return self._inner.pending() + self._incoming.pending + self.outer.pending()

    def unwrap(self) -> None:
        """Say goodbye by close_notify to the far end, and then to the proxy (RFC 8446, section 6.1).

        The far end's answer is awaited as long as the timeout allows, the proxy's is not. Where nothing may
        be waited for, both have been told by the time that SSLWantReadError says that no answer is there.

        Raises:
            ValueError: TLS has come to its end already.
            TimeoutError, SSLError, OSError: as `SSLSocket.unwrap` raises them.
        """
        if self._inner is None:
            raise ValueError("TLS has come to its end already: there is nothing to unwrap")
        limit = _TimeLimit(self._timeout, "taking leave")
        try:
            self._run(self._inner.unwrap, limit)
            self._drain(limit)
            self._inner = None
        finally:
            self._leave_proxy()

    def close(self) -> None:
        """Close the socket, without a word to anybody. May be called again."""
        self._inner = None
        self._unsent = memoryview(b"")
        self.outer.close()

    def settimeout(self, seconds: float | None) -> None:
        """How long a call may take in all; None is without limit, and 0.0 does not wait at all.

        Raises:
            ValueError: the number is negative, or more than a socket takes.
            OSError: the socket is closed.
        """
        self._check_open()
        if seconds is not None and not 0 <= seconds <= MAX_SECONDS:
            raise ValueError(f"timeout {seconds!r}: give seconds from 0 up to {MAX_SECONDS}, or None")
        self._timeout = None if seconds is None else float(seconds)

    def gettimeout(self) -> float | None:
        """The timeout in seconds, as `settimeout` set it; at first it is the outer socket's."""
        return self._timeout

    def fileno(self) -> int:
        """The file descriptor, for a poll; -1 once closed. See `pending` for what a poll does not show."""
        return self.outer.fileno()

    def getsockname(self) -> Any:
        """The address of this end."""
        return self.outer.getsockname()

    def getpeername(self) -> Any:
        """The address of the other end, the proxy's."""
        return self.outer.getpeername()

    # --- what is known of the inner TLS; None once it has come to its end, as an SSLSocket has it

    def version(self) -> str | None:
        """The version, such as "TLSv1.3"."""
        return None if self._inner is None else self._inner.version()

    def cipher(self) -> tuple[str, str, int] | None:
        """The cipher: its name, the version of TLS that defined it, and the bits of its secret."""
        return None if self._inner is None else self._inner.cipher()

    def selected_alpn_protocol(self) -> str | None:
        """The protocol that ALPN agreed on, or None."""
        return None if self._inner is None else self._inner.selected_alpn_protocol()

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session, to resume it on another connection."""
        return None if self._inner is None else self._inner.session

    @property
    def session_reused(self) -> bool | None:
        """Whether a TLS session was resumed."""
        return None if self._inner is None else self._inner.session_reused

    @overload
    def getpeercert(self, binary_form: Literal[False] = False) -> dict[str, Any] | None: ...
    @overload
    def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...
    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """The certificate of the far end.

        Args:
            binary_form: as DER, verified or not; else as a dict, which is empty where it was not verified.

        Raises:
            ValueError: there was no handshake yet, or TLS has come to its end.
        """
        return self._open().getpeercert(binary_form)

    # --- between the two layers

    def _open(self) -> ssl.SSLObject:
        if self._inner is not None:
            return self._inner
        self._check_open()
        raise ValueError("TLS has come to its end by unwrap(): nothing is sent or read without it")

    def _check_open(self) -> None:
        if self.outer.fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _send(self, data: memoryview, limit: _TimeLimit) -> int:
        inner = self._open()
        if not self._taken:
            # Nothing is taken in while bytes wait to go out: that bounds what is kept here.
            self._drain(limit)
            self._taken = self._run(partial(inner.write, data[:MOST_TAKEN]), limit)
        elif len(data) < self._taken:
            raise ssl.SSLError(
                ssl.SSL_ERROR_SSL, "a send that could not be completed was not repeated with the same bytes"
            )
        self._drain(limit)
        taken, self._taken = self._taken, 0
        return taken

    def _run(self, step: Callable[[], _T], limit: _TimeLimit) -> _T:
        """Let the inner TLS take a step, and bring it the bytes that it takes."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                pass
            finally:
                # It may have something to say of its own: a part of a handshake, a new key's answer, and the
                # alert that says why it fails.
                self._flush_what_goes()
            self._bring(limit)

    def _bring(self, limit: _TimeLimit) -> None:
        """Wait for bytes for the inner TLS, and go on sending what it has to say meanwhile."""
        while True:
            limit.left()  # bytes that come and come, and never make a record, end at the deadline too
            writing = self._flush_what_goes()
            reading = self._fill()
            if not reading:
                return
            # Of what the inner TLS says of its own accord the caller can't know, and the peer waits for it.
            # Of a send() that is under way it knows.
            urgent = writing if writing and not self._taken else reading
            limit.wait(self.outer, reading | writing, urgent)

    def _drain(self, limit: _TimeLimit) -> None:
        """Wait until all that the inner TLS has to say is on its way."""
        while wants := self._flush():
            limit.wait(self.outer, wants, wants)

    def _fill(self) -> _Wants:
        """Take one record, or the end, from the outer TLS to the inner one; NOTHING where that was done."""
        try:
            data = self.outer.recv(RECORD)
        except ssl.SSLWantReadError:
            return _Wants.READ
        except ssl.SSLWantWriteError:
            return _Wants.WRITE
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        if data:
            self._incoming.write(data)
        else:
            # Whether this is a good end is for the inner TLS to say: the proxy can't speak for the far end.
            self._incoming.write_eof()
        return _Wants.NOTHING

    def _flush(self) -> _Wants:
        """Hand to the outer TLS what goes without waiting; NOTHING where all of it went."""
        try:
            while self._unsent or self._outgoing.pending:
                if not self._unsent:
                    self._unsent = memoryview(self._outgoing.read())
                self._unsent = self._unsent[self.outer.send(self._unsent) :]
        except ssl.SSLWantReadError:
            return _Wants.READ
        except ssl.SSLWantWriteError:
            return _Wants.WRITE
        return _Wants.NOTHING

    def _flush_what_goes(self) -> _Wants:
        """The same for a caller who has nothing to send.

        A connection that takes no more may still hold an answer (law X2), so that it is broken is for the
        reading to find out, or for who sends.
        """
        with tolerated(OSError):
            return self._flush()
        return _Wants.NOTHING

    def _leave_proxy(self) -> None:
        """Say goodbye to the proxy, unless something that belongs before it could not be sent."""
        if self._unsent or self._outgoing.pending:
            return
        with tolerated(OSError, ValueError):
            self.outer.unwrap()
            # The proxy has taken leave as well. The outer socket would send in the clear now.
            self._inner = None


# A connection that speaks TLS, within the TLS of an https proxy or not.
TLSSocket: TypeAlias = ssl.SSLSocket | TLSInTLS
# All that a connection can be.
AnySocket: TypeAlias = socket.socket | TLSInTLS
