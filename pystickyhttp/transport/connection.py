"""One socket, one h11.Connection, one exchange at a time.

h11 is the parser and the state machine of every byte; this module moves the bytes, holds the exchange to
its limits of time and size, and knows when a connection may be used again.

A connection is ACTIVE (an exchange runs, or is about to), IDLE (in the pool) or CLOSED. Whatever goes wrong
during an exchange closes it: after an error nobody knows what the next byte would belong to.
"""

from __future__ import annotations

import enum
import os
import socket
import time
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import h11

from ..exceptions import (
    BodyTimeout,
    ChunkedEncodingError,
    ConnectionLost,
    IncompleteBody,
    InvalidBody,
    ReadTimeout,
    RemoteProtocolError,
    SSLError,
    TotalTimeout,
    WriteTimeout,
)
from ..signal_handlers import is_of_a_signal_handler, tolerated
from ..timeouts import Deadline
from .readiness import wait_for_socket
from .request import Body, Fields, FileSection, OutgoingRequest
from .route import Route
from .sockets import is_timeout_of_ours, reason_of, shut_down, speaks_tls, wants_to_read, would_block
from .wires import TLS_RECORD, PlainWire, TLSWire, Wire

if TYPE_CHECKING:
    from ..telling import Teller
    from .duplex import DuplexStream
    from .tls_in_tls import AnySocket, TLSSocket
    from .tls_info import TLSInfo

_END: Final = h11.EndOfMessage()  # without trailers; like every event of h11's it never changes

# The head of a final response; a 101 is final too, as the connection changes its protocol after it.
ResponseHead: TypeAlias = "h11.Response | h11.InformationalResponse"

# As much as the kernel has at hand for one call in the common case: a larger read rarely gets more, and
# Python allocates the whole of it each time.
READ_SIZE: Final = 65536
# What a read of a body takes that has more than this to come: the calls, and what h11 does for each, count
# for half as much as with READ_SIZE; above, a piece and its copies no longer fit into a processor's cache.
LARGE_READ: Final = 256 * 1024
# How many records are put together to one piece of a body: as much as a read of a plain socket takes at
# first.
TLS_RECORDS: Final = READ_SIZE // TLS_RECORD
# A block that is twice what a piece takes on its way: the read, and h11's three copies of it.
_KEPT: Final = 8 * LARGE_READ
# Law X5: a response head, and as much for the trailers, each 1xx and the answer to CONNECT.
MAX_HEAD: Final = 128 * 1024
# Law X4: a server that has more than this to say beforehand has nothing to say.
MAX_INFORMATIONAL: Final = 20
# X1: up to here a body is copied behind its head and both leave in one write; above, the copy would cost
# more than the second write.
SMALL_BODY: Final = 16384
# How much TLS is given at once while the peer is watched: a few records, so that the calls do not count, and
# the write timeout still begins anew with what a slow peer takes.
TLS_PIECE: Final = 65536
# How much of a body the system is given in one call, be it bytes or a file: enough for the calls not to
# count, and little enough for the peer (X2) and the deadline to be looked at in between, however fast it is.
SEND_STEP: Final = 1024 * 1024
# X3: how long a server may think about an expectation. One that knows it answers at once; one that does not
# never will (RFC 9110, section 10.1.1: the client is not to wait for ever). curl waits as long.
CONTINUE_SECONDS: Final = 1.0


@cache
def _keep_memory_at_hand() -> None:
    """Have the allocator keep what a piece of a body takes, instead of fetching it from the system for each.

    glibc gives memory back as soon as 128 KiB lie free at the end of its own, and to have the pages made
    anew takes ten times as long as to fill them. It keeps more once it has seen that larger blocks come and
    go (mallopt(3), M_MMAP_THRESHOLD), and this is one: nobody writes to it, so that it takes no memory, and
    two system calls. To other allocators it is nothing.
    """
    bytes(_KEPT)


def _never_has_body(method: str, status: int) -> bool:
    """X5: what has no body, whatever its header fields say (RFC 9112, section 6.3)."""
    return method == "HEAD" or status in (204, 304)


def _small_body(request: OutgoingRequest) -> bytes | None:
    """X1: a body that leaves behind its head in one write; None where it has to be streamed."""
    body = request.body
    if not body:
        return b""
    if request.expects_continue:  # X3: it may be that it is not wanted
        return None
    if not isinstance(body, bytes):
        return body.whole(SMALL_BODY)
    return body if len(body) <= SMALL_BODY else None


# Why a connection is not used again (laws R3 and R4), in the words of `Session.stats()` and of the log.
NOT_WHOLE: Final = "a request was not sent whole, or a response not read whole"
AMBIGUOUS: Final = "the response was framed in two ways"
LEFT_OVER: Final = "something came behind the response"
SERVER_CLOSES: Final = "the server asked to close it"
REQUEST_CLOSES: Final = "the request asked to close it"
NOT_TAKEN_OVER: Final = "it changed its protocol, and nobody took it over"
CLOSED_AS_END: Final = "the server closed it to end a body"
USED_UP: Final = "the server's Keep-Alive allowed no more"
IDLE_TOO_LONG: Final = "idle for too long"
IDLE_FOR_SERVER: Final = "idle for as long as the server's Keep-Alive allowed"
TOO_OLD: Final = "over the age limit"
CLOSED_WHILE_IDLE: Final = "the server closed it while it was idle"
CAME_WHILE_IDLE: Final = "something came in while it was idle"

# What tells one connection from the next in the log: the first is #1, and the child of a fork counts on.
_numbers: Final = count(1)


class State(enum.Enum):
    """What a connection is doing."""

    ACTIVE = "active"
    IDLE = "idle"
    CLOSED = "closed"


# The members under names of their own: to look one up in its enumeration takes Python 3.11 ten times as long.
_ACTIVE: Final = State.ACTIVE
_IDLE: Final = State.IDLE
_CLOSED: Final = State.CLOSED


class HTTPConnection:
    """One connection to the far end of a Route.

    Args:
        sock: the connected socket, TLS included.
        route: whom it is connected to.
        now: `time.monotonic()` of the dial.

    Attributes:
        route: the Route.
        number: what tells it from every other one of this process.
        why_discarded: why the pool has given it up; "" before.
        asked: `time.monotonic()` when the present request was sent.
        answered: `time.monotonic()` when the head of the present response had come.
        served: the exchanges that ran to their end.
        sent: bytes of the present request that were written.
        received: bytes of the present response that came.
        body_received: those of its body, chunk framing taken off.
        ended: whether the present response has come to its end.
        fields: the header fields of the present response: names as they came, and values, in order.
        tls: facts of the TLS with the far end, None where there is none.
    """

    __slots__ = (
        "_ambiguous",
        "_body_length",
        "_broken_by",
        "_created",
        "_h11",
        "_head",
        "_idle_limit",
        "_idle_since",
        "_informational",
        "_last_bytes",
        "_last_head",
        "_may_continue",
        "_partly_sent",
        "_remaining",
        "_socket",
        "_state",
        "_tls",
        "_wire",
        "answered",
        "asked",
        "body_received",
        "ended",
        "fields",
        "number",
        "received",
        "route",
        "sent",
        "served",
        "tls",
        "why_discarded",
    )

    def __init__(self, sock: AnySocket, route: Route, now: float) -> None:
        self.route = route
        self.number = next(_numbers)
        self.why_discarded = ""
        self.asked = self.answered = now
        self.served = 0
        self.sent = 0
        self.received = 0
        self._socket = sock
        # Where a proxy forwards each request, the TLS is with the proxy, and says nothing of the far end.
        self._tls = sock if speaks_tls(sock) else None
        self.tls = None if self._tls is None or route.tls is None else _what_tls_tells(self._tls)
        self._wire: Wire = PlainWire(sock) if self._tls is None else TLSWire(sock)
        self._h11 = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._state = _ACTIVE
        self._created = now
        self._idle_since = now
        self._idle_limit: float | None = None  # seconds, by the server's Keep-Alive
        self._remaining: int | None = None  # requests, by the server's Keep-Alive
        self._body_length: int | None = None
        self.body_received = 0
        self.ended = False
        self.fields: Fields = ()
        self._head: h11.Request | None = None  # of the present request
        # The head that was sent last with nothing behind it, and its bytes as h11 made them.
        self._last_head: h11.Request | None = None
        self._last_bytes = b""
        self._broken_by: OSError | None = None  # what broke it behind bytes that are read first
        self._partly_sent = False  # the request was not sent whole
        self._ambiguous = False  # the response had two framing fields
        self._informational = 0
        self._may_continue = False

    def __repr__(self) -> str:
        state = self._state.value
        if self._state is _IDLE:
            state += f" for {self.idle_for(time.monotonic()):.1f} s"
        elif self.why_discarded:
            state += f", {self.why_discarded}"
        return f"<HTTPConnection #{self.number} to {self.route}: {state}, {self.served} served>"

    @property
    def reused(self) -> bool:
        """Whether it has served an exchange before the present one."""
        return self.served > 0

    @property
    def closed(self) -> bool:
        """Whether its socket is closed, or was handed over."""
        return self._state is _CLOSED

    @property
    def body_left(self) -> int:
        """Bytes of the body that have yet to come; 0 where nobody can tell."""
        return 0 if self._body_length is None else self._body_length - self.body_received

    @property
    def ended_by_close(self) -> bool:
        """Whether the end of the body was that of the connection, as nothing else marks it."""
        return self._h11.trailing_data[1]

    # --- the exchange

    def exchange(
        self, request: OutgoingRequest, deadline: Deadline, teller: Teller | None = None
    ) -> ResponseHead:
        """Send a request and read the head of its response.

        Args:
            request: the request; the connection must be ACTIVE and between exchanges.
            deadline: the limits of time.
            teller: who is told when it was sent, if anybody wants to know.

        Returns:
            The head of the final response, or of a 101. The body is read by `read_piece`.

        Raises:
            ConnectionLost: the connection broke; it says how far the exchange got.
            RemoteProtocolError: the answer is not HTTP/1.1, or over the limits of X4 and X5.
            ReadTimeout, WriteTimeout, TotalTimeout: the time ran out.
            InvalidBody: the body does not have the length that its Content-Length says.
            Exception: whatever the iterable of the body raises.
        """
        self.sent = self.received = self._informational = 0
        self.ended = self._partly_sent = self._ambiguous = self._may_continue = False
        began = 0.0 if teller is None else time.monotonic()
        try:
            early = self._send(request, deadline)
            self.asked = time.monotonic()
            if teller is not None:
                self._tell_sent(teller, request, self.asked - began)
            head = self._read_head(request, deadline, self.asked) if early is None else early
            self.answered = time.monotonic()
            return head
        except BaseException:
            self.close()
            raise

    def _tell_sent(self, teller: Teller, request: OutgoingRequest, seconds: float) -> None:
        from ..events import RequestSent  # loaded only where somebody looks on, to keep start-up light

        path = request.head.target.decode("ascii").partition("?")[0]  # a query may hold anything
        teller.tell(RequestSent, self.number, request.method, path, self.sent, seconds)

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

    def _send(self, request: OutgoingRequest, deadline: Deadline) -> ResponseHead | None:
        """Send the request; a final response that comes before all of it is sent is returned (X2)."""
        try:
            if not request.is_framed and not request.body:
                self._send_head_alone(request.head, deadline)
                return None
            head = self._begin(request.head)
            body = _small_body(request)
            if body is None:
                self._write(head, deadline)
                return self._upload(request, deadline)
            framed = self._frame(h11.Data(data=body)) if body else []
            self._write(b"".join([head, *framed, *self._frame(_END)]), deadline)
        except ConnectionLost as lost:
            if is_of_a_signal_handler(lost):  # what was lost is a connection of its own
                raise
            return self._answer_before_death(lost, request, deadline)
        return None

    def _begin(self, head: h11.Request) -> bytes:
        """Tell h11 that the next exchange begins: the bytes of the request's head."""
        self._head = head
        if self.served:
            self._h11.start_next_cycle()
        return self._h11.send(head)

    def _send_head_alone(self, head: h11.Request, deadline: Deadline) -> None:
        """Send a request that is a head alone. What h11 can hear of later, it hears while the server works.

        The end of such a request has no bytes. And the same head has the same bytes each time: an event of
        h11's never changes, and they depend on nothing else.
        """
        again = head is self._last_head
        if not again:
            self._last_bytes = self._begin(head)
            self._last_head = head
        try:
            self._write(self._last_bytes, deadline)
        finally:  # an answer may be there although the request was not sent (X2)
            if again:
                self._begin(head)
            self._h11.send(_END)

    def _answer_before_death(
        self, lost: ConnectionLost, request: OutgoingRequest, deadline: Deadline
    ) -> ResponseHead:
        """X2: a server that refuses a body may close the door on it, with the reason nailed to the door."""
        self._partly_sent = True
        try:
            return self._read_head(request, deadline, time.monotonic())
        except ConnectionLost as none:
            lost.received = none.received
            raise lost from lost.__cause__
        finally:
            del lost  # an error that its own traceback holds on to would be left to the collector

    # --- uploading: the socket is watched while a body is sent (X2)

    def _upload(self, request: OutgoingRequest, deadline: Deadline) -> ResponseHead | None:
        if self._tls is not None and self._tls.pending():
            # What came along with the end of a handshake is at hand already, and no poll shows it.
            early = self._read_early(request)
            if early is not None:  # pragma: no branch - a part of a head that came with the handshake's end
                return early
        if request.expects_continue:
            early = self._await_continue(request, deadline)
            if early is not None:
                return early
        for part in self._framed(request.body):
            early = self._write_watching(part, request, deadline)
            if early is not None:
                return early
        return None

    def _framed(self, body: bytes | Body) -> Iterator[bytes | FileSection]:
        for piece in self._pieces(body):
            # An empty chunk would end a chunked body (RFC 9112, section 7.1).
            if piece:
                # h11 asks for its length, and passes it on.
                yield from self._frame(h11.Data(data=cast(bytes, piece)))
        yield from self._frame(_END)

    def _pieces(self, body: bytes | Body) -> Iterable[bytes | FileSection]:
        if isinstance(body, bytes):
            return (body,)
        return body.segments() if self._puts_files_on_the_wire() else body

    def _puts_files_on_the_wire(self) -> bool:
        """Whether the system can send a file as it is: nothing here changes the bytes on their way."""
        return hasattr(os, "sendfile") and type(self._socket) is socket.socket

    def _await_continue(self, request: OutgoingRequest, deadline: Deadline) -> ResponseHead | None:
        """X3: wait for 100 Continue, or for a final response that makes the body needless."""
        until = time.monotonic() + CONTINUE_SECONDS
        while not self._may_continue and (left := until - time.monotonic()) > 0:
            readable, _ = wait_for_socket(
                self._socket, read=True, write=False, seconds=self._clip(deadline, left, "sending to")
            )
            if readable and (early := self._read_early(request)) is not None:
                return early
        return None

    def _write_watching(
        self, data: bytes | FileSection, request: OutgoingRequest, deadline: Deadline
    ) -> ResponseHead | None:
        rest = memoryview(data) if isinstance(data, bytes) else data
        until = self._write_until(deadline)
        wants_read = False  # TLS has to hear something from the peer before it goes on
        while rest:
            left = None if until is None else until - time.monotonic()
            limit = self._clip(deadline, left, "sending to")
            if limit is not None and limit <= 0:
                raise self._timed_out_writing(deadline)
            readable, writable = wait_for_socket(self._socket, read=True, write=not wants_read, seconds=limit)
            if readable and (early := self._read_early(request)) is not None:
                return early
            if writable or (readable and wants_read):
                sent, wants_read = self._write_some(rest)
                if sent:
                    rest = rest[sent:] if isinstance(rest, memoryview) else rest.after(sent)
                    until = self._write_until(deadline)
        return None

    def _write_until(self, deadline: Deadline) -> float | None:
        """When the write timeout ends that began with the last byte that the peer took."""
        limit = deadline.timeout.write
        return None if limit is None else time.monotonic() + limit

    def _write_some(self, data: memoryview | FileSection) -> tuple[int, bool]:
        """Write what goes without waiting: how much, and whether TLS has to read before any more goes."""
        self._wire.do_not_block()
        return self._send_some(data) if isinstance(data, memoryview) else (self._send_file(data), False)

    def _send_file(self, section: FileSection) -> int:
        """Let the system send what goes of a file without waiting: how much."""
        try:
            sent = os.sendfile(
                self._socket.fileno(), section.fileno(), section.start, min(len(section), SEND_STEP)
            )
        except OSError as error:
            if would_block(error):
                return 0
            if is_of_a_signal_handler(error):
                raise
            if isinstance(error, (ConnectionError, TimeoutError)):
                raise self._lost_sending(error) from error
            # It can't be done with such a file or socket, or the file can't be read. Reading it will tell.
            piece = section.read(READ_SIZE)
            if piece:
                return self._send_some(memoryview(piece))[0]
            sent = 0
        if not sent:
            raise InvalidBody(
                f"the body does not have the length that Content-Length says: the file ended {len(section)} "
                f"bytes ahead of it"
            )
        self.sent += sent
        return sent

    def _send_some(self, data: memoryview) -> tuple[int, bool]:
        try:
            # TLS takes all or nothing of what it is given: in pieces it is seen how far the peer got.
            sent = self._socket.send(data[: SEND_STEP if self._tls is None else TLS_PIECE])
        except OSError as error:
            if would_block(error):
                return 0, wants_to_read(error)
            if is_of_a_signal_handler(error):
                raise
            raise self._lost_sending(error) from error
        self.sent += sent
        return sent, False

    def _read_early(self, request: OutgoingRequest) -> ResponseHead | None:
        """X2: what has come while the request is being sent; a final response ends the sending."""
        self._wire.do_not_block()
        while True:
            try:
                data = self._socket.recv(READ_SIZE)
            except OSError as error:
                if would_block(error):
                    return None  # TLS may have had news of its own, such as session tickets
                if is_of_a_signal_handler(error):
                    raise
                raise self._lost_sending(error) from error
            if not data:
                raise self._lost("the server closed it while the request was sent")
            self._feed(data)
            head = self._parse_head(request)
            if head is not None:
                self._partly_sent = True
                return head

    def _frame(self, event: h11.Data | h11.EndOfMessage) -> list[bytes]:
        """An event as it goes over the wire; data are passed through, be they a section of a file."""
        try:
            return [part for part in self._h11.send_with_data_passthrough(event) or () if part]
        except h11.LocalProtocolError as error:
            raise InvalidBody(
                f"the body does not have the length that Content-Length says: {error}"
            ) from error

    def _write(self, data: bytes, deadline: Deadline) -> None:
        sent = 0
        try:
            while sent < len(data):
                limit = deadline.timeout.write
                if deadline.expires is not None:
                    limit = self._clip(deadline, limit, "sending to")
                # Mostly all of it goes at once, and a view would be made for nothing.
                part = self._wire.send(memoryview(data)[sent:] if sent else data, limit)
                sent += part
                self.sent += part
        except TotalTimeout:
            raise
        except OSError as error:
            if is_of_a_signal_handler(error):
                raise
            if is_timeout_of_ours(error):
                raise self._timed_out_writing(deadline) from error
            raise self._lost_sending(error) from error

    # --- reading

    def _read_head(self, request: OutgoingRequest, deadline: Deadline, since: float) -> ResponseHead:
        while True:
            data = self._recv(deadline, since)
            if not data:
                raise self._lost("the server closed it without a whole answer")
            self._feed(data)
            head = self._parse_head(request)
            if head is not None:
                return head
            since = time.monotonic()

    def _parse_head(self, request: OutgoingRequest) -> ResponseHead | None:
        """The head of the final response, if it is there; interim ones are skipped (X4)."""
        while (event := self._next_event()) is not h11.NEED_DATA:
            self.fields = event.headers.raw_items()
            # h11 reads any version. A minor one above ours is read as ours (RFC 9110, section 2.5), another
            # major one is another protocol. Nearly every answer is done with at the first comparison.
            if event.http_version != b"1.1" and event.http_version[:1] != b"1":
                version = event.http_version.decode("ascii")
                raise RemoteProtocolError(
                    f"{self.route} sent what is not HTTP/1.1: it answers by HTTP/{version}"
                )
            if self.received > MAX_HEAD:
                self._check_size([(bytes(event.reason), b""), *self.fields])
            if type(event) is h11.Response:
                self._begin_body(request.method, event.status_code)
                return event
            assert isinstance(event, h11.InformationalResponse), "h11 gives no other event here"
            if event.status_code == 101:
                return event
            self._may_continue = self._may_continue or event.status_code == 100
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise RemoteProtocolError(
                    f"{self.route} sent more than {MAX_INFORMATIONAL} interim responses, and no final one"
                )
        return None

    def _next_event(self) -> Any:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError(f"{self.route} sent what is not HTTP/1.1: {error}") from error

    def _begin_body(self, method: str, status: int) -> None:
        self.body_received = 0
        self._body_length = None
        chunked = False
        for raw_name, value in self.fields:
            name = raw_name.lower()
            if name == b"content-length":
                self._body_length = int(value)  # h11 has seen to it that it is a number
            elif name == b"transfer-encoding":
                chunked = True
            elif name == b"keep-alive":
                self._note_keep_alive(value)
        if chunked and self._body_length is not None:
            # RFC 9112, section 6.3: Transfer-Encoding counts, and somebody may be smuggling a response.
            self._body_length = None
            self._ambiguous = True
        if self._body_length == 0 or _never_has_body(method, status):
            # Nobody may ever ask for a body that is empty, and the connection should not wait for that.
            self._body_length = 0
            self._take_end()

    def _check_size(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """X5: h11 bounds an event that is incomplete; one that the last read completed is measured here."""
        size = sum(len(name) + len(value) + 4 for name, value in fields)
        if size > MAX_HEAD:
            raise RemoteProtocolError(
                f"{self.route} sent a head or trailers of {size} bytes, above the limit of {MAX_HEAD}"
            )

    def _read_piece(self, deadline: Deadline) -> bytes:
        read = b""  # the last read from the socket, where the body did not come along with the head
        while not self.ended:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise self._broken_body(error) from error
            if event is h11.NEED_DATA:
                read = self._receive_body(deadline)
            elif type(event) is h11.Data:
                size = len(event.data)
                self.body_received += size
                if self.body_received == self._body_length:
                    self._take_end()
                # Of a body whose length was said h11 keeps nothing back: it asks for more once it has given
                # all that it had, and what it gives next is the read, which then need not be copied again.
                if size:  # pragma: no branch - h11 gives no piece of nothing, and does not promise it
                    return read[:size] if read and self._body_length is not None else bytes(event.data)
            else:  # EndOfMessage; or PAUSED, once the connection has changed its protocol
                if type(event) is h11.EndOfMessage and event.headers:
                    self._check_size(event.headers)
                self._end()
        return b""

    def _take_end(self) -> None:
        """Behind the last byte of a body whose length was said: nobody has to ask once more for the end."""
        event = self._next_event()
        assert type(event) is not h11.Data, "h11 and the framing fields agree"
        if type(event) is h11.EndOfMessage:
            self._end()

    def _end(self) -> None:
        self.ended = True
        if self._tls is not None and not self.served:
            from . import tls_tickets  # loaded by the handshake, and only there, to keep start-up light

            # S2: tickets come behind the handshake, so they are there by now. One a connection will do.
            tls_tickets.keep_tickets(self._tls, self.route)

    def _broken_body(self, error: h11.RemoteProtocolError) -> ChunkedEncodingError:
        if self._h11.trailing_data[1]:
            return self._incomplete("the server closed the connection")
        return ChunkedEncodingError(f"{self.route} sent a broken body: {error}")

    def _incomplete(self, why: str) -> IncompleteBody:
        promised = "of a body without length" if self._body_length is None else f"of {self._body_length}"
        return IncompleteBody(
            f"the body from {self.route} is cut short after {self.body_received} bytes {promised}: {why}",
            received=self.body_received,
            expected=self._body_length,
        )

    def _receive_body(self, deadline: Deadline) -> bytes:
        """Read what has come of the body, and give it to h11; b"" is the end that the server has set."""
        if self._broken_by is not None:
            raise self._incomplete(self._reason_of(self._broken_by)) from self._broken_by
        try:
            data = self._recv(deadline, time.monotonic(), self._read_size())
        except (ReadTimeout, ConnectionLost) as error:
            if is_of_a_signal_handler(error):
                raise
            if isinstance(error, ReadTimeout):
                raise BodyTimeout(*error.args) from error
            raise self._incomplete(self._reason_of(error.__cause__ or error)) from error
        if not data:
            self._h11.receive_data(b"")  # to h11 that is the end
            return b""
        if self._tls is not None and len(data) == TLS_RECORD:
            data += self._records_at_hand(self._tls)
        self._feed(data)
        return data

    def _records_at_hand(self, sock: TLSSocket) -> bytes:
        """The next records that have come: no read gives more than one, and h11 takes its time for each."""
        self._wire.do_not_block()
        records: list[bytes] = []
        try:
            while len(records) < TLS_RECORDS - 1 and (record := sock.recv(TLS_RECORD)):
                records.append(record)
        except OSError as error:
            if not would_block(error):
                if is_of_a_signal_handler(error):
                    raise
                # What came ahead of it goes first. OpenSSL tells it once, and of a mere end from then on.
                self._broken_by = error.with_traceback(None)  # which would hold on to this connection
        return b"".join(records)

    def _read_size(self) -> int:
        """How much of the body to read at once; what a length promises makes it no larger than a constant."""
        if self._tls is not None:
            return TLS_RECORD
        if self.body_left <= LARGE_READ:
            return READ_SIZE
        _keep_memory_at_hand()
        return LARGE_READ

    def _recv(self, deadline: Deadline, since: float, size: int = READ_SIZE) -> bytes:
        """One read, which begins at `since`; b"" is the end that the server has set."""
        try:
            limit = deadline.timeout.read
            if deadline.expires is not None:
                limit = self._clip(deadline, limit, "reading from")
            return self._wire.recv(size, limit, since)
        except TotalTimeout:
            raise
        except OSError as error:
            if is_of_a_signal_handler(error):
                raise
            if is_timeout_of_ours(error):
                raise self._timed_out(
                    deadline,
                    ReadTimeout,
                    f"{self.route} sent nothing for the read timeout of {deadline.timeout.read} s",
                ) from error
            raise self._broken(error, "the answer was read") from error

    def _feed(self, data: bytes) -> None:
        if not self.received and not data.startswith(b"HTTP/"):
            self._check_is_http(data)
        self.received += len(data)
        self._h11.receive_data(data)

    def _check_is_http(self, first: bytes) -> None:
        """h11 waits for the end of a head, which another protocol may never send."""
        if first[:5] == b"HTTP/"[: len(first)]:
            return
        # The record header of a TLS alert (RFC 8446, section 5.1).
        remedy = ""
        if first.startswith(b"\x15\x03"):
            remedy = ": the port speaks TLS, use https://"
        elif first.startswith(b"\x05"):  # RFC 1928, section 3
            remedy = ": the port may be that of a SOCKS5 proxy, which is written socks5://"
        raise RemoteProtocolError(f"{self.route} sent what is not HTTP/1.1: {first[:40]!r}{remedy}")

    # --- time

    def _clip(self, deadline: Deadline, limit: float | None, doing: str) -> float | None:
        # `Deadline.clip` would say the same where there is no total, as there mostly is none: it is asked
        # here so that no message is made for nothing, which is a tenth of a step of an upload. `_recv` and
        # `_write` ask ahead of this call, since the warm path is held to the calls that it makes.
        return limit if deadline.expires is None else deadline.clip(limit, f"{doing} {self.route}")

    def _timed_out(
        self, deadline: Deadline, kind: type[ReadTimeout | WriteTimeout], what: str
    ) -> ReadTimeout | WriteTimeout | TotalTimeout:
        if deadline.passed():
            return TotalTimeout(f"waiting for {self.route}: {deadline.exceeded()}")
        return kind(f"{what} ({self.sent} bytes sent, {self.received} received)")

    def _timed_out_writing(self, deadline: Deadline) -> ReadTimeout | WriteTimeout | TotalTimeout:
        limit = deadline.timeout.write
        return self._timed_out(
            deadline, WriteTimeout, f"{self.route} took nothing for the write timeout of {limit} s"
        )

    def _lost_sending(self, error: OSError) -> ConnectionLost | SSLError:
        return self._broken(error, "the request was sent")

    def _broken(self, error: OSError, doing: str) -> ConnectionLost | SSLError:
        """The error of a connection that broke; an alert ahead of any answer is the end of the handshake.

        Under TLS 1.3 a server looks at the client's certificate when our handshake is over.
        """
        if self._tls is not None and not self.reused and not self.received:
            from . import tls, tls_errors  # loaded by the handshake, and only there, to keep start-up light

            if tls_errors.is_alert(error):
                return tls.refusal(error, self.route)
        return self._lost(f"it broke while {doing}: {self._reason_of(error)}")

    def _reason_of(self, error: BaseException) -> str:
        if self._tls is None:
            return reason_of(error)
        from . import tls_errors  # loaded by the handshake, and only there, to keep start-up light

        return tls_errors.reason_of(error)

    def _lost(self, why: str) -> ConnectionLost:
        return ConnectionLost(
            f"the {'reused' if self.reused else 'fresh'} connection to {self.route} was lost: {why} "
            f"({self.sent} bytes sent, {self.received} received)",
            sent=self.sent,
            received=self.received,
        )

    # --- the rules of reuse

    def why_not_pooled(self) -> str | None:
        """R3: None where both sides are done and want to go on, nothing is left over, and Keep-Alive allows.

        Returns:
            None, or why it can't be used again.
        """
        connection = self._h11
        if self._ambiguous:
            return AMBIGUOUS
        # h11 may think that a request was sent whole whose last bytes were not.
        if self._state is not _ACTIVE or self._partly_sent:
            return NOT_WHOLE
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return self._why_not_done()
        if connection.trailing_data != (b"", False):
            return LEFT_OVER if connection.trailing_data[0] else CLOSED_AS_END
        return None if self._keep_alive_allows() else USED_UP

    def _why_not_done(self) -> str:
        """Who did not want to go on."""
        if not self.ended:
            return NOT_WHOLE
        if self._h11.their_state is h11.SWITCHED_PROTOCOL:
            return NOT_TAKEN_OVER
        asked = () if self._head is None else self._head.headers
        says_close = any(name == b"connection" and b"close" in value.lower() for name, value in asked)
        return REQUEST_CLOSES if says_close else SERVER_CLOSES

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
        """The exchange is over, and `why_not_pooled` said None; h11 hears of the next one when it begins."""
        self.served += 1
        self.fields = ()  # they are the response's, and may be many
        if self._remaining is not None:
            self._remaining -= 1
        self._idle_since = now
        self._state = _IDLE

    def idle_for(self, now: float) -> float:
        """The seconds since its last exchange; `now` is `time.monotonic()`."""
        return now - self._idle_since

    def why_expired(self, now: float, idle_timeout: float | None, max_age: float | None) -> str | None:
        """R4: None, or that it was idle for too long, or is too old.

        Args:
            now: `time.monotonic()`.
            idle_timeout: our own limit in seconds, or None; the server's counts too where it is shorter.
            max_age: seconds since the dial, or None.
        """
        idle = now - self._idle_since
        if self._idle_limit is not None and idle >= self._idle_limit:
            return IDLE_FOR_SERVER
        if idle_timeout is not None and idle >= idle_timeout:
            return IDLE_TOO_LONG
        return TOO_OLD if max_age is not None and now - self._created >= max_age else None

    def is_quiet(self) -> bool:
        """R4: whether nothing has come in while it was idle; an end or an error is something too."""
        try:
            if self._tls is None:
                return not self._wire.news(0)
            # What TLS has at hand already, a poll does not show.
            return not (self._wire.news(0) or self._tls.pending()) or self._only_tls_news(self._tls)
        except (OSError, ValueError) as error:  # ValueError: poll() of a socket that somebody closed
            if is_of_a_signal_handler(error):
                raise
            return False

    def why_not_quiet(self) -> str:
        """What `is_quiet` has found: an end, or bytes that nobody asked for."""
        try:
            self._wire.do_not_block()
            came = self._socket.recv(1)
        except (OSError, ValueError) as error:
            if is_of_a_signal_handler(error):
                raise
            came = b""
        return CAME_WHILE_IDLE if came else CLOSED_WHILE_IDLE

    def _only_tls_news(self, sock: TLSSocket) -> bool:
        # A TLS 1.3 server sends session tickets when it likes. OpenSSL takes them in, and then wants more.
        self._wire.do_not_block()
        try:
            sock.recv(1)
        except OSError as error:
            if is_of_a_signal_handler(error):
                raise
            return wants_to_read(error)
        return False

    def become_active(self) -> None:
        """Taken from the pool for an exchange."""
        self._state = _ACTIVE

    # --- the end

    def close(self) -> None:
        """Close the socket. May be called again."""
        try:
            if self._tls is not None and self._state is _IDLE:
                self._say_goodbye(self._tls)
        finally:
            self._close_socket()

    def wake_reader(self) -> None:
        """Break it off at both ends: who waits for bytes, in another thread, finds an end, and closes it."""
        with tolerated(OSError):  # it is broken already
            shut_down(self._socket)

    def _say_goodbye(self, sock: TLSSocket) -> None:
        """Send close_notify (RFC 8446, section 6.1), and wait for nothing: the peer may be long gone."""
        try:
            self._wire.do_not_block()
            sock.unwrap()
        except (OSError, ValueError) as error:  # an answer has not come yet, or never will
            if is_of_a_signal_handler(error):
                raise

    def forsake(self) -> None:
        """L4: close this process's copy of a socket that is its parent's, without a word to the peer."""
        self._close_socket()

    def _close_socket(self) -> None:
        self._state = _CLOSED
        # Whoever detaches a program from its terminal closes every descriptor that it has. That this one is
        # gone is no error of the request that finds it so.
        with tolerated(OSError):
            self._socket.close()

    def hand_over(self) -> DuplexStream:
        """Let go of the socket after 101 or a 2xx to CONNECT (law X4).

        Raises:
            ValueError: the connection has not changed its protocol.
        """
        if self._h11.their_state is not h11.SWITCHED_PROTOCOL:
            raise ValueError(f"{self.route} has not switched protocols: there is nothing to take over")
        from .duplex import DuplexStream  # loaded only where a protocol is changed, to keep start-up light

        self._state = _CLOSED
        return DuplexStream(self._wire.let_go(), self._h11.trailing_data[0])


def _what_tls_tells(sock: TLSSocket) -> TLSInfo:
    from .tls_info import TLSInfo  # loaded only where there is TLS, to keep start-up light

    return TLSInfo.of(sock)


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
            said[name.strip()] = int(number.lstrip(b"0")[:9] or b"0")
    return said.get(b"timeout"), said.get(b"max")
