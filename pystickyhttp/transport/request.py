"""A request as it goes over the wire, and whether it may go out twice (laws P1, P2, X6, X7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

import h11

from ..exceptions import InvalidHeader

# P1: the methods whose repetition has the effect of one request (RFC 9110, section 9.2.2).
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

Fields: TypeAlias = "Sequence[tuple[bytes, bytes]]"


class FileSection(Protocol):
    """Bytes of a file on a disk, which the system can send without their ever coming up into the process."""

    @property
    def start(self) -> int:
        """Where its first byte is."""

    def __len__(self) -> int:
        """How many there are."""

    def fileno(self) -> int:
        """The descriptor of the file."""

    def read(self, most: int) -> bytes:
        """Its first bytes, at most so many; b"" where the file ends ahead of them."""

    def after(self, count: int) -> FileSection:
        """What is left when so many bytes were sent. The file stands there, as if they had been read."""


class Body(Protocol):
    """A request body that is not simply bytes: a file, or what an iterable yields."""

    @property
    def replayable(self) -> bool:
        """Whether `rewind` is going to work."""

    def __iter__(self) -> Iterator[bytes]:
        """The pieces, in order."""

    def segments(self) -> Iterator[bytes | FileSection]:
        """The same, but with large files on a disk as sections."""

    def whole(self, most: int) -> bytes | None:
        """All of it, where it is of at most so many bytes and nobody has to wait for them; else None."""

    def rewind(self) -> None:
        """Go back to where the body stood when the request was prepared (law P2).

        Raises:
            UnrewindableBodyError: it can't.
        """


class _Head:
    """A head that h11 takes, and what its fields say."""

    __slots__ = ("event", "expects_continue", "has_idempotency_key", "is_framed")

    def __init__(self, event: h11.Request, names: Mapping[bytes, bytes]) -> None:
        self.event = event
        self.has_idempotency_key = b"idempotency-key" in names
        self.expects_continue = names.get(b"expect", b"").lower() == b"100-continue"
        self.is_framed = b"content-length" in names or b"transfer-encoding" in names


class OutgoingRequest:
    """A request as it goes over the wire. It never changes: one without a body may serve any number of times.

    Attributes:
        method: the method.
        head: the validated request line and header fields.
        body: bytes, or a `Body`.
        has_idempotency_key: whether the fields hold an Idempotency-Key.
        expects_continue: whether the body waits for 100 Continue (law X3).
        is_framed: whether a field says how the body is framed (law X6). Where none does there is no body.
    """

    __slots__ = ("_head", "body", "expects_continue", "has_idempotency_key", "head", "is_framed", "method")

    def __init__(self, method: str, head: _Head, body: bytes | Body) -> None:
        self.method = method
        self.head = head.event
        self.body = body
        self.has_idempotency_key = head.has_idempotency_key
        # RFC 9110, section 10.1.1: it has no meaning without a body.
        self.expects_continue = head.expects_continue and bool(body)
        self.is_framed = head.is_framed
        self._head = head

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
        return cls(method, _validated(method, target, fields), body)

    def with_body(self, body: bytes | Body) -> OutgoingRequest:
        """The same request with a body, which its fields announce already."""
        return OutgoingRequest(self.method, self._head, body)

    def without_expectation(self) -> OutgoingRequest:
        """The same request without its Expect field (law X3)."""
        fields = [(name, value) for name, value in self.head.headers.raw_items() if name.lower() != b"expect"]
        return OutgoingRequest.make(self.method, self.head.target.decode("ascii"), fields, self.body)

    @property
    def replayable(self) -> bool:
        """P1: whether sending it twice does no more than sending it once, and its body can be had again."""
        return self.rewindable and (self.method in IDEMPOTENT_METHODS or self.has_idempotency_key)

    @property
    def rewindable(self) -> bool:
        """P2: whether `rewind` is going to work."""
        return isinstance(self.body, bytes) or self.body.replayable

    def rewind(self) -> None:
        """P2: make the body ready to be sent once more.

        Raises:
            UnrewindableBodyError: it can't be.
        """
        if not isinstance(self.body, bytes):
            self.body.rewind()


def _validated(method: str, target: str, fields: Fields) -> _Head:
    names = {name.lower(): value for name, value in fields}
    if b"content-length" in names and b"transfer-encoding" in names:
        raise InvalidHeader(
            "both Content-Length and Transfer-Encoding are set (RFC 9112, section 6.2): remove one of them"
        )
    try:
        event = h11.Request(method=method, target=target, headers=list(fields))
    except h11.LocalProtocolError as error:
        raise InvalidHeader(f"{method} {target}: the request can't be sent: {error}") from error
    return _Head(event, names)


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
