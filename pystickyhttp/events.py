"""What `Session(trace=...)` is called with, and what the log says: one small frozen class for each event.

    def trace(event):
        print(event)

    session = pystickyhttp.Session(trace=trace)

Every event has the number of the request that it belongs to, and two times: that of the world's clock, which
spans are made with, and that of the clock that never goes back. What an event has besides as seconds is how
long the step took that it is the end of. No event holds a secret: URLs are without userinfo, query and
fragment, and header fields and bodies are never part of one. `str()` of an event is its line in the log.

A request is told of like this; what stands in brackets comes where it takes place:

    RequestStarted
      AttemptStarted
        [ConnectionWaited]
        ConnectionReused, or [DNSResolved] Connected [TunnelMade] [TLSHandshaked] ConnectionOpened
        RequestSent
        [ConnectionDiscarded, Replayed, and again from the dial on]
        ResponseStarted
      AttemptEnded, or AttemptFailed [Retrying, and again]
      [Redirected, and again]
      ResponseEnded, ConnectionReleased; or ConnectionDiscarded, and then ResponseEnded or ResponseFailed
    RequestEnded, or RequestFailed

The body of a response with `stream=True` is read after RequestEnded, and an empty one ends ahead of
AttemptEnded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _many(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has.

    Attributes:
        request_id: the same for all events of one request of a session, its redirects and retries included;
            0 where none is under way, as when a session is closed. It counts from 1; the child of a
            fork goes on from where its parent was.
        at: `time.time_ns()` of the event.
        monotonic: `time.monotonic()` of the event.
    """

    source: ClassVar[str] = ""  # which logger writes it

    request_id: int
    at: int
    monotonic: float

    def __str__(self) -> str:
        return f"request {self.request_id}: {self._text()}" if self.request_id else self._text()

    def _text(self) -> str:
        return type(self).__name__


# --- the request of a session


@dataclass(frozen=True, slots=True)
class RequestStarted(Event):
    """A session begins to send a request.

    Attributes:
        method: such as "GET".
        url: without userinfo, query and fragment.
    """

    source = "session"
    method: str
    url: str

    def _text(self) -> str:
        return f"{self.method} {self.url}"


@dataclass(frozen=True, slots=True)
class RequestEnded(Event):
    """It has its response, whose body is read unless it is streamed.

    Attributes:
        status: of the last response.
        redirects: how many were followed.
        seconds: how long all of it took.
    """

    source = "session"
    status: int
    redirects: int
    seconds: float

    def _text(self) -> str:
        walked = f" after {_many(self.redirects, 'redirect', 'redirects')}" if self.redirects else ""
        return f"ended with {self.status}{walked} in {_ms(self.seconds)}"


@dataclass(frozen=True, slots=True)
class RequestFailed(Event):
    """It has none.

    Attributes:
        error: the name of the exception's class. Its text may speak of what the program knows alone.
        seconds: how long it took to fail.
    """

    source = "session"
    error: str
    seconds: float

    def _text(self) -> str:
        return f"failed with {self.error} in {_ms(self.seconds)}"


@dataclass(frozen=True, slots=True)
class Redirected(Event):
    """A redirect is followed.

    Attributes:
        status: of the response that redirects.
        method: of the next request.
        url: of the next request, without userinfo, query and fragment.
    """

    source = "redirects"
    status: int
    method: str
    url: str

    def _text(self) -> str:
        return f"{self.status} redirects to {self.method} {self.url}"


# --- the tries at it


@dataclass(frozen=True, slots=True)
class AttemptStarted(Event):
    """A try begins, the first of all or one that the policy of retries allows.

    Attributes:
        number: from 1 on, for each hop of a redirect anew.
        method: such as "GET".
        url: without userinfo, query and fragment.
    """

    source = "retries"
    number: int
    method: str
    url: str

    def _text(self) -> str:
        return f"try {self.number} of {self.method} {self.url}"


@dataclass(frozen=True, slots=True)
class AttemptEnded(Event):
    """A try has come to a response.

    Attributes:
        number: as that of AttemptStarted.
        status: of the response.
    """

    source = "retries"
    number: int
    status: int

    def _text(self) -> str:
        return f"try {self.number} ended with {self.status}"


@dataclass(frozen=True, slots=True)
class AttemptFailed(Event):
    """A try has come to an error.

    Attributes:
        number: as that of AttemptStarted.
        error: the name of the exception's class.
    """

    source = "retries"
    number: int
    error: str

    def _text(self) -> str:
        return f"try {self.number} failed with {self.error}"


@dataclass(frozen=True, slots=True)
class Retrying(Event):
    """There is going to be another try, after a wait that begins now.

    Attributes:
        seconds: the wait.
        number: of the try that follows.
    """

    source = "retries"
    seconds: float
    number: int

    def _text(self) -> str:
        return f"try {self.number} follows in {self.seconds:.3f} s"


# --- the way to a connection


@dataclass(frozen=True, slots=True)
class ConnectionWaited(Event):
    """A request has waited for a connection, and may use one or dial now.

    Attributes:
        host: where to, as "scheme://host:port" and the way there.
        seconds: how long.
    """

    source = "pool"
    host: str
    seconds: float

    def _text(self) -> str:
        return f"waited {_ms(self.seconds)} for a connection to {self.host}"


@dataclass(frozen=True, slots=True)
class DNSResolved(Event):
    """A name was resolved.

    Attributes:
        name: the name of the host, or of the proxy.
        addresses: how many it has.
        seconds: how long it took.
    """

    source = "dial"
    name: str
    addresses: int
    seconds: float

    def _text(self) -> str:
        return (
            f"{self.name} resolved to {_many(self.addresses, 'address', 'addresses')} in {_ms(self.seconds)}"
        )


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """A socket is connected.

    Attributes:
        host: to whom, as "scheme://host:port".
        peer: the address that won the race.
        seconds: how long it took.
    """

    source = "dial"
    host: str
    peer: str
    seconds: float

    def _text(self) -> str:
        return f"connected to {self.host} at {self.peer} in {_ms(self.seconds)}"


@dataclass(frozen=True, slots=True)
class TunnelMade(Event):
    """A proxy has made a tunnel.

    Attributes:
        host: where to, and through which proxy.
        seconds: how long it took.
    """

    source = "dial"
    host: str
    seconds: float

    def _text(self) -> str:
        return f"tunnel to {self.host} made in {_ms(self.seconds)}"


@dataclass(frozen=True, slots=True)
class TLSHandshaked(Event):
    """A TLS handshake is over.

    Attributes:
        host: with whom.
        version: such as "TLSv1.3".
        resumed: whether a session ticket made it shorter.
        seconds: how long it took.
    """

    source = "dial"
    host: str
    version: str
    resumed: bool
    seconds: float

    def _text(self) -> str:
        resumed = ", resumed" if self.resumed else ""
        return f"TLS handshake with {self.host} in {_ms(self.seconds)}: {self.version}{resumed}"


# --- a connection


@dataclass(frozen=True, slots=True)
class ConnectionEvent(Event):
    """What every event of a connection has.

    Attributes:
        connection: its number, which no other one of this process has.
    """

    source = "pool"
    connection: int


@dataclass(frozen=True, slots=True)
class ConnectionOpened(ConnectionEvent):
    """A new connection is ready.

    Attributes:
        host: where to, as "scheme://host:port" and the way there.
        tls: the version of TLS, or None.
        resumed: whether a session ticket made the handshake shorter.
        seconds: how long the whole dial took.
    """

    host: str
    tls: str | None
    resumed: bool
    seconds: float

    def _text(self) -> str:
        tls = f": {self.tls}" if self.tls else ""
        resumed = ", resumed" if self.resumed else ""
        return f"connection #{self.connection} to {self.host} opened in {_ms(self.seconds)}{tls}{resumed}"


@dataclass(frozen=True, slots=True)
class ConnectionReused(ConnectionEvent):
    """An idle connection is used again.

    Attributes:
        host: where to.
        idle: for how many seconds it was idle.
    """

    host: str
    idle: float

    def _text(self) -> str:
        return f"connection #{self.connection} to {self.host} reused after {self.idle:.3f} s idle"


@dataclass(frozen=True, slots=True)
class ConnectionReleased(ConnectionEvent):
    """A connection was given back to the pool.

    Attributes:
        served: how many exchanges it has had.
    """

    served: int

    def _text(self) -> str:
        return f"connection #{self.connection} given back after {_many(self.served, 'exchange', 'exchanges')}"


@dataclass(frozen=True, slots=True)
class ConnectionDiscarded(ConnectionEvent):
    """A connection was closed, or handed over.

    Attributes:
        host: where it led.
        reason: why, in the words that `Session.stats()` counts by.
    """

    host: str
    reason: str

    def _text(self) -> str:
        return f"connection #{self.connection} to {self.host} discarded: {self.reason}"


@dataclass(frozen=True, slots=True)
class Replayed(ConnectionEvent):
    """The reused connection was dead, and the request goes out again over one that is dialled now.

    Attributes:
        host: where it led.
    """

    host: str

    def _text(self) -> str:
        return (
            f"connection #{self.connection} to {self.host} was dead: the request is sent again over a new one"
        )


@dataclass(frozen=True, slots=True)
class RequestSent(ConnectionEvent):
    """A request was sent, its body included.

    Attributes:
        method: such as "GET".
        path: without the query.
        sent: the bytes.
        seconds: how long it took.
    """

    source = "connection"
    method: str
    path: str
    sent: int
    seconds: float

    def _text(self) -> str:
        return f"connection #{self.connection}: {self.method} {self.path} sent in {_ms(self.seconds)}"


@dataclass(frozen=True, slots=True)
class ResponseStarted(ConnectionEvent):
    """The head of a response has come.

    Attributes:
        status: its status.
        seconds: from the last byte of the request on.
    """

    source = "connection"
    status: int
    seconds: float

    def _text(self) -> str:
        return f"connection #{self.connection}: {self.status} in {_ms(self.seconds)}"


@dataclass(frozen=True, slots=True)
class ResponseEnded(ConnectionEvent):
    """The body of a response has come to its end.

    Attributes:
        received: its bytes, as they came over the wire without the framing.
        seconds: from the head on.
    """

    source = "connection"
    received: int
    seconds: float

    def _text(self) -> str:
        return f"connection #{self.connection}: body of {self.received} bytes in {_ms(self.seconds)}"


@dataclass(frozen=True, slots=True)
class ResponseFailed(ConnectionEvent):
    """The body of a response has broken off.

    Attributes:
        received: its bytes until then.
        error: the name of the exception's class.
    """

    source = "connection"
    received: int
    error: str

    def _text(self) -> str:
        return f"connection #{self.connection}: body broke off after {self.received} bytes: {self.error}"
