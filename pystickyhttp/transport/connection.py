"""One socket, one h11.Connection, one exchange at a time.

h11 is the parser and the state machine of every byte; this module moves the bytes, holds the exchange to
its limits of time and size, and knows when a connection may be used again.

A connection is ACTIVE (an exchange runs, or is about to), IDLE (in the pool) or CLOSED. Whatever goes wrong
during an exchange closes it: after an error nobody knows what the next byte would belong to.
"""

from __future__ import annotations

import enum
import select
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

import h11

from ..exceptions import (
    ChunkedEncodingError,
    ConnectionLost,
    IncompleteBody,
    InvalidBody,
    InvalidHeader,
    ReadTimeout,
    RemoteProtocolError,
    TotalTimeout,
    WriteTimeout,
)
from ..timeouts import Deadline
from .route import Route

# As much as the kernel has at hand for one call in the common case: a larger read rarely gets more, and
# Python allocates the whole of it each time.
READ_SIZE: Final = 65536
# Law X5: a response head, and as much for the trailers, each 1xx and the answer to CONNECT.
MAX_HEAD: Final = 128 * 1024
# Law X4: a server that has more than this to say beforehand has nothing to say.
MAX_INFORMATIONAL: Final = 20
# X1: up to here a body is copied behind its head and both leave in one write; above, the copy would cost
# more than the second write.
SMALL_BODY: Final = 16384

# P1: the methods whose repetition has the effect of one request (RFC 9110, section 9.2.2).
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

Fields: TypeAlias = "Sequence[tuple[bytes, bytes]]"


class Body(Protocol):
    """A request body that is not simply bytes: a file, or what an iterable yields."""

    @property
    def replayable(self) -> bool:
        """Whether `rewind` is going to work."""

    def __iter__(self) -> Iterator[bytes]:
        """The pieces, in order."""

    def rewind(self) -> None:
        """Go back to where the body stood when the request was prepared (law P2).

        Raises:
            UnrewindableBodyError: it can't.
        """


class OutgoingRequest:
    """A request as it goes over the wire.

    Attributes:
        method: the method.
        head: the validated request line and header fields.
        body: bytes, or a `Body`.
        has_idempotency_key: whether the fields hold an Idempotency-Key.
    """

    __slots__ = ("body", "has_idempotency_key", "head", "method")

    def __init__(self, method: str, head: h11.Request, body: bytes | Body, has_idempotency_key: bool) -> None:
        self.method = method
        self.head = head
        self.body = body
        self.has_idempotency_key = has_idempotency_key

    @classmethod
    def make(cls, method: str, target: str, fields: Fields, body: bytes | Body = b"") -> OutgoingRequest:
        """Put a request together.

        Args:
            method: a token.
            target: the request target, in ASCII.
            fields: names and values; Host must be one of them, and exactly one framing header where there
                is a body (law X6).
            body: bytes, or a `Body`.

        Raises:
            InvalidHeader: the fields contradict each other, or h11 refuses one.
        """
        head, has_idempotency_key = _head(method, target, tuple(fields))
        return cls(method, head, body, has_idempotency_key)

    @property
    def replayable(self) -> bool:
        """P1: whether sending it twice does no more than sending it once, and its body can be had again."""
        if self.method not in IDEMPOTENT_METHODS and not self.has_idempotency_key:
            return False
        return isinstance(self.body, bytes) or self.body.replayable

    def rewind(self) -> None:
        """P2: make the body ready to be sent once more.

        Raises:
            UnrewindableBodyError: it can't be.
        """
        if not isinstance(self.body, bytes):
            self.body.rewind()


# A program sends the same few heads over and over, and to validate one costs as much as the rest of a small
# request. The events are immutable, so connections and threads can share them. One takes a few kilobytes.
@lru_cache(maxsize=512)
def _head(method: str, target: str, fields: tuple[tuple[bytes, bytes], ...]) -> tuple[h11.Request, bool]:
    names = [name.lower() for name, _ in fields]
    if b"content-length" in names and b"transfer-encoding" in names:
        raise InvalidHeader(
            "both Content-Length and Transfer-Encoding are set (RFC 9112, section 6.2): remove one of them"
        )
    try:
        head = h11.Request(method=method, target=target, headers=list(fields))
    except h11.LocalProtocolError as error:
        raise InvalidHeader(f"{method} {target}: the request can't be sent: {error}") from error
    return head, b"idempotency-key" in names


def may_replay(request: OutgoingRequest, *, reused: bool, sent: int, received: int) -> bool:
    """P1: whether a request whose connection died goes out once more, on a connection dialled fresh.

    Args:
        request: the request.
        reused: whether the connection had served another request before. One that was dialled for this
            request has no reason to be stale, so its death is news to be told. This is also what makes the
            replay happen once: it goes out on a fresh connection.
        sent: bytes of this request that were written.
        received: bytes that came back.
    """
    if not reused or received:
        return False
    return not sent or request.replayable


def _never_has_body(method: str, status: int) -> bool:
    """X5: what has no body, whatever its header fields say (RFC 9112, section 6.3)."""
    return method == "HEAD" or status in (204, 304)


class State(enum.Enum):
    """What a connection is doing."""

    ACTIVE = "active"
    IDLE = "idle"
    CLOSED = "closed"


class HTTPConnection:
    """One connection to the far end of a Route.

    Args:
        sock: the connected socket, TLS included.
        route: whom it is connected to.
        now: `time.monotonic()` of the dial.

    Attributes:
        route: the Route.
        served: the exchanges that ran to their end.
        sent: bytes of the present request that were written.
        received: bytes of the present response that came.
    """

    __slots__ = (
        "_body_length",
        "_body_received",
        "_created",
        "_ended",
        "_h11",
        "_idle_limit",
        "_idle_since",
        "_poll",
        "_remaining",
        "_socket",
        "_state",
        "_timeout",
        "_tls",
        "received",
        "route",
        "sent",
        "served",
    )

    def __init__(self, sock: socket.socket, route: Route, now: float) -> None:
        self.route = route
        self.served = 0
        self.sent = 0
        self.received = 0
        self._socket = sock
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._timeout: float | None = sock.gettimeout()
        self._h11 = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._state = State.ACTIVE
        self._created = now
        self._idle_since = now
        self._idle_limit: float | None = None  # seconds, by the server's Keep-Alive
        self._remaining: int | None = None  # requests, by the server's Keep-Alive
        self._body_length: int | None = None
        self._body_received = 0
        self._ended = False
        self._poll = _poller(sock)

    def __repr__(self) -> str:
        return f"<HTTPConnection to {self.route}: {self._state.value}, {self.served} served>"

    @property
    def reused(self) -> bool:
        """Whether it has served an exchange before the present one."""
        return self.served > 0

    @property
    def closed(self) -> bool:
        """Whether its socket is closed, or was handed over."""
        return self._state is State.CLOSED

    @property
    def ended(self) -> bool:
        """Whether the response has come to its end."""
        return self._ended

    @property
    def body_left(self) -> int:
        """Bytes of the body that have yet to come; 0 where nobody can tell."""
        return 0 if self._body_length is None else self._body_length - self._body_received

    # --- the exchange

    def exchange(
        self, request: OutgoingRequest, deadline: Deadline
    ) -> h11.Response | h11.InformationalResponse:
        """Send a request and read the head of its response.

        Args:
            request: the request; the connection must be ACTIVE and between exchanges.
            deadline: the limits of time.

        Returns:
            The head of the final response, or of a 101. The body is read by `read_piece`.

        Raises:
            ConnectionLost: the connection broke; it says how far the exchange got.
            RemoteProtocolError: the answer is not HTTP/1.1, or over the limits of X4 and X5.
            ReadTimeout, WriteTimeout, TotalTimeout: the time ran out.
            InvalidBody: the body does not have the length that its Content-Length says.
            Exception: whatever the iterable of the body raises.
        """
        self.sent = self.received = 0
        self._ended = False
        try:
            self._send(request, deadline)
            return self._read_head(request, deadline)
        except BaseException:
            self.close()
            raise

    def read_piece(self, deadline: Deadline) -> bytes:
        """The next piece of the body, as it comes; b"" at its end.

        Raises:
            IncompleteBody: the connection broke before the body's end (law X5).
            ChunkedEncodingError: the chunks are broken.
            RemoteProtocolError: the trailers are over the limit of X5.
            ReadTimeout, TotalTimeout: the time ran out.
        """
        try:
            return self._read_piece(deadline)
        except BaseException:
            self.close()
            raise

    def _send(self, request: OutgoingRequest, deadline: Deadline) -> None:
        send = self._h11.send
        head = send(request.head)
        assert head is not None
        body = request.body
        if not body:
            self._write(head + (send(h11.EndOfMessage()) or b""), deadline)
        elif not isinstance(body, bytes):
            self._write(head, deadline)
            self._send_pieces(body, deadline)
        elif len(body) <= SMALL_BODY:
            data = self._frame(h11.Data(data=body)) + self._frame(h11.EndOfMessage())
            self._write(b"".join([head, *data]), deadline)
        else:
            self._write(head, deadline)
            for part in self._frame(h11.Data(data=body)) + self._frame(h11.EndOfMessage()):
                self._write(part, deadline)

    def _send_pieces(self, body: Body, deadline: Deadline) -> None:
        for piece in body:
            # An empty chunk would end a chunked body (RFC 9112, section 7.1).
            if piece:
                for part in self._frame(h11.Data(data=piece)):
                    self._write(part, deadline)
        for part in self._frame(h11.EndOfMessage()):
            self._write(part, deadline)

    def _frame(self, event: h11.Data | h11.EndOfMessage) -> list[bytes]:
        try:
            return [part for part in self._h11.send_with_data_passthrough(event) or () if part]
        except h11.LocalProtocolError as error:
            raise InvalidBody(
                f"the body does not have the length that Content-Length says: {error}"
            ) from error

    def _write(self, data: bytes, deadline: Deadline) -> None:
        try:
            self._limit(deadline.clip(deadline.timeout.write))
            sent = self._socket.send(data)
            self.sent += sent
            while sent < len(data):
                self._limit(deadline.clip(deadline.timeout.write))
                part = self._socket.send(memoryview(data)[sent:])
                sent += part
                self.sent += part
        except TimeoutError as error:
            if isinstance(error, TotalTimeout):
                raise TotalTimeout(f"sending to {self.route}: {error}") from None
            raise self._timed_out(
                deadline,
                WriteTimeout,
                f"{self.route} took nothing for the write timeout of {deadline.timeout.write} s",
            ) from error
        except OSError as error:
            raise self._lost(f"it broke while the request was sent: {_reason(error)}") from error

    def _read_head(
        self, request: OutgoingRequest, deadline: Deadline
    ) -> h11.Response | h11.InformationalResponse:
        informational = 0
        self._check_is_http(self._receive(deadline))
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                self._receive(deadline)
                continue
            if isinstance(event, h11.Response):
                self._begin_body(request, event)
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise self._lost("the server closed it without an answer")
            self._check_size(event.headers)
            if event.status_code == 101:
                return event
            informational += 1
            if informational > MAX_INFORMATIONAL:
                raise RemoteProtocolError(
                    f"{self.route} sent more than {MAX_INFORMATIONAL} interim responses, and no final one"
                )

    def _next_event(self) -> Any:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError(f"{self.route} sent what is not HTTP/1.1: {error}") from error

    def _begin_body(self, request: OutgoingRequest, head: h11.Response) -> None:
        self._check_size(head.headers)
        self._body_received = 0
        self._body_length = None
        for name, value in head.headers:
            if name == b"keep-alive":
                self._note_keep_alive(value)
            elif name == b"content-length":
                self._body_length = int(value)  # h11 has seen to it that it is a number
        if self._body_length == 0 or _never_has_body(request.method, head.status_code):
            # Nobody may ever ask for a body that is empty, and the connection should not wait for that.
            self._body_length = 0
            self._ended = isinstance(self._next_event(), h11.EndOfMessage)

    def _check_size(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """X5: h11 bounds an event that is incomplete; one that the last read completed is measured here."""
        if self.received <= MAX_HEAD:
            return
        size = sum(len(name) + len(value) + 4 for name, value in headers)
        if size > MAX_HEAD:
            raise RemoteProtocolError(
                f"{self.route} sent header fields of {size} bytes, above the limit of {MAX_HEAD}"
            )

    def _read_piece(self, deadline: Deadline) -> bytes:
        while not self._ended:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise self._broken_body(error) from error
            if event is h11.NEED_DATA:
                self._receive_body(deadline)
            elif isinstance(event, h11.Data):
                data = bytes(event.data)
                self._body_received += len(data)
                if data:
                    return data
            else:  # EndOfMessage; or PAUSED, once the connection has changed its protocol
                if isinstance(event, h11.EndOfMessage):
                    self._check_size(event.headers)
                self._ended = True
        return b""

    def _broken_body(self, error: h11.RemoteProtocolError) -> ChunkedEncodingError:
        if self._h11.trailing_data[1]:
            return self._incomplete("the server closed the connection")
        return ChunkedEncodingError(f"{self.route} sent a broken body: {error}")

    def _incomplete(self, why: str) -> IncompleteBody:
        promised = "of a body without length" if self._body_length is None else f"of {self._body_length}"
        return IncompleteBody(
            f"the body from {self.route} is cut short after {self._body_received} bytes {promised}: {why}",
            received=self._body_received,
            expected=self._body_length,
        )

    def _receive_body(self, deadline: Deadline) -> None:
        data = b""
        try:
            data = self._recv(deadline)
        except ConnectionLost as error:
            raise self._incomplete(_reason(error.__cause__ or error)) from error
        self._h11.receive_data(data)

    def _receive(self, deadline: Deadline) -> bytes:
        data = self._recv(deadline)
        if not data:
            raise self._lost("the server closed it without a whole answer")
        self._h11.receive_data(data)
        return data

    def _check_is_http(self, first: bytes) -> None:
        """h11 waits for the end of a head, which another protocol may never send."""
        if first[:5] == b"HTTP/"[: len(first)]:
            return
        # The record header of a TLS alert (RFC 8446, section 5.1).
        remedy = ": the port speaks TLS, use https://" if first.startswith(b"\x15\x03") else ""
        raise RemoteProtocolError(f"{self.route} sent what is not HTTP/1.1: {first[:40]!r}{remedy}")

    def _recv(self, deadline: Deadline) -> bytes:
        """One read; b"" is the end that the server has set."""
        try:
            self._limit(deadline.clip(deadline.timeout.read))
            data = self._socket.recv(READ_SIZE)
        except TimeoutError as error:
            if isinstance(error, TotalTimeout):
                raise TotalTimeout(f"reading from {self.route}: {error}") from None
            raise self._timed_out(
                deadline,
                ReadTimeout,
                f"{self.route} sent nothing for the read timeout of {deadline.timeout.read} s",
            ) from error
        except OSError as error:
            raise self._lost(f"it broke while the answer was read: {_reason(error)}") from error
        self.received += len(data)
        return data

    def _limit(self, seconds: float | None) -> None:
        # Each settimeout() is a system call, and the limit is mostly the one that was set before.
        if seconds != self._timeout:
            self._socket.settimeout(seconds)
            self._timeout = seconds

    def _timed_out(
        self, deadline: Deadline, kind: type[ReadTimeout | WriteTimeout], what: str
    ) -> ReadTimeout | WriteTimeout | TotalTimeout:
        if deadline.passed():
            return TotalTimeout(f"waiting for {self.route}: {deadline.exceeded()}")
        return kind(f"{what} ({self.sent} bytes sent, {self.received} received)")

    def _lost(self, why: str) -> ConnectionLost:
        return ConnectionLost(
            f"the {'reused' if self.reused else 'fresh'} connection to {self.route} was lost: {why} "
            f"({self.sent} bytes sent, {self.received} received)",
            sent=self.sent,
            received=self.received,
        )

    # --- the rules of reuse

    def may_be_pooled(self) -> bool:
        """R3: both sides are done and want to go on, nothing is left over, and Keep-Alive allows it."""
        connection = self._h11
        return (
            self._state is State.ACTIVE
            and connection.our_state is h11.DONE
            and connection.their_state is h11.DONE
            and connection.trailing_data == (b"", False)
            and self._keep_alive_allows()
        )

    def _keep_alive_allows(self) -> bool:
        """R3: N - 1 s leave time for a request to arrive before the server's own clock runs out."""
        return (self._remaining is None or self._remaining > 0) and (
            self._idle_limit is None or self._idle_limit > 0
        )

    def _note_keep_alive(self, value: bytes) -> None:
        timeout, most = parse_keep_alive(value)
        if timeout is not None:
            self._idle_limit = timeout - 1.0
        if most is not None:
            # Some servers count down, others repeat the same number: a budget that we count down ourselves,
            # and that the server can lower, serves both.
            self._remaining = most if self._remaining is None else min(self._remaining, most)

    def become_idle(self, now: float) -> None:
        """The exchange is over, and `may_be_pooled` said yes."""
        self._h11.start_next_cycle()
        self.served += 1
        if self._remaining is not None:
            self._remaining -= 1
        self._idle_since = now
        self._state = State.IDLE

    def is_expired(self, now: float, idle_timeout: float | None, max_age: float | None) -> bool:
        """R4: whether it was idle for too long, or is too old.

        Args:
            now: `time.monotonic()`.
            idle_timeout: our own limit in seconds, or None; the server's counts too where it is shorter.
            max_age: seconds since the dial, or None.
        """
        idle = now - self._idle_since
        if self._idle_limit is not None and idle >= self._idle_limit:
            return True
        if idle_timeout is not None and idle >= idle_timeout:
            return True
        return max_age is not None and now - self._created >= max_age

    def is_quiet(self) -> bool:
        """R4: whether nothing has come in while it was idle; an end or an error is something too."""
        try:
            if self._tls is None:
                return not self._poll()
            return self._only_tls_news(self._tls) if self._poll() else not self._tls.pending()
        except (OSError, ValueError):  # ValueError: poll() of a socket that somebody closed
            return False

    def _only_tls_news(self, tls: ssl.SSLSocket) -> bool:
        # A TLS 1.3 server sends session tickets when it likes. OpenSSL takes them in, and then wants more.
        self._limit(0.0)
        try:
            tls.recv(1)
        except ssl.SSLWantReadError:
            return True
        return False

    def become_active(self) -> None:
        """Taken from the pool for an exchange."""
        self._state = State.ACTIVE

    # --- the end

    def close(self) -> None:
        """Close the socket. May be called again."""
        if self._tls is not None and self._state is State.IDLE:
            self._say_goodbye(self._tls)
        self._state = State.CLOSED
        self._socket.close()

    def _say_goodbye(self, tls: ssl.SSLSocket) -> None:
        """Send close_notify (RFC 8446, section 6.1), and wait for nothing: the peer may be long gone."""
        try:
            self._limit(0.0)
            tls.unwrap()
        except (OSError, ValueError):
            pass  # an answer has not come yet, or never will

    def detach(self) -> tuple[socket.socket, bytes]:
        """Hand over the socket after 101 or a 2xx to CONNECT (law X4).

        Returns:
            The socket, and the bytes of the new protocol that came with the response.
        """
        self._state = State.CLOSED
        return self._socket, self._h11.trailing_data[0]


def parse_keep_alive(value: bytes) -> tuple[int | None, int | None]:
    """Read `Keep-Alive: timeout=N, max=M`; what is not a whole number counts as not said.

    Returns:
        N in seconds, and M in requests that may follow, each None where it is not said.
    """
    said: dict[bytes, int] = {}
    for part in value.lower().split(b","):
        name, _, number = part.partition(b"=")
        number = number.strip().strip(b'"')
        if number.isdigit():
            # A number of any length is a number, but no more than this is of any use, and int() is slow.
            said[name.strip()] = int(number[:9])
    return said.get(b"timeout"), said.get(b"max")


class _Poll(Protocol):
    def __call__(self) -> bool: ...


def _poller(sock: socket.socket) -> _Poll:
    """A question that costs one system call: can something be read?"""
    if not hasattr(select, "poll"):  # Windows
        return lambda: bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return lambda: bool(poll.poll(0))


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLEOFError):
        return "the TLS stream ended without close_notify"
    return getattr(error, "strerror", None) or str(error)
