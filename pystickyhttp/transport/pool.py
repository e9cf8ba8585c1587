"""The pool: which connection serves which request, who waits, and what happens to a connection afterwards.

`ConnectionPool` is the shell around the `Ledger`: it holds the lock, dials outside it, closes what the
ledger gives up, and replays a request whose reused connection turned out to be dead (law P1). What it
returns is an `IncomingResponse`, which gives the connection back by itself when its body has ended.
"""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from ..exceptions import ConnectionLost, PoolTimeout, TotalTimeout, UnrewindableBodyError
from ..forks import after_fork_in_child
from ..timeouts import Deadline, Timeout
from .connection import HTTPConnection, ResponseHead
from .dial import Dialer
from .duplex import DuplexStream
from .ledger import Lease, Ledger, Limits, Slot
from .request import OutgoingRequest, may_replay
from .route import Route

# R5: what is left of a body is read to its end only if that costs less than a new connection would: as many
# bytes as one read takes, and no longer than a handshake over some distance.
DRAIN_BYTES: Final = 64 * 1024
DRAIN_SECONDS: Final = 0.05


# L4: the pools of this process, for the child of a fork.
_pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()


def _start_pools_afresh() -> None:
    for pool in list(_pools):
        pool.start_afresh()


after_fork_in_child(_start_pools_afresh)


class _Claim(Lease[HTTPConnection]):
    """A lease that a thread can wait for."""

    __slots__ = ("event",)

    def __init__(self, route: Route) -> None:
        super().__init__(route)
        self.event: threading.Event | None = None

    def __repr__(self) -> str:
        return f"<a request's claim on {self.route}>"

    def granted(self) -> None:
        if self.event is not None:
            self.event.set()

    def held(self) -> Slot[HTTPConnection]:
        """The slot, once it is granted."""
        assert self.slot is not None
        return self.slot


class ConnectionPool:
    """Connections to any number of Routes, for any number of threads.

    Args:
        limits: how many there may be; by default `Limits()`.
        dialer: what makes new sockets; by default the system's resolver and direct connections.
    """

    def __init__(self, limits: Limits | None = None, dialer: Dialer | None = None) -> None:
        self._dialer = dialer or Dialer()
        # Guards the ledger and the events of its claims. It is held for bookkeeping alone: nobody dials,
        # waits, closes or talks under it. What is in a slot belongs to the claim that holds the slot, and is
        # its thread's to change without the lock; limits are replaced whole, and may be read at any time.
        self._lock = threading.Lock()
        self._ledger: Ledger[HTTPConnection] = Ledger(limits or Limits())
        # R6: claims of responses that were collected unread. The collector may run at any instant, amid an
        # operation that holds the lock too, so it only leaves them here (see `_reclaim`).
        self._abandoned: deque[_Claim] = deque()
        _pools.add(self)

    def __repr__(self) -> str:
        ledger = self._ledger
        return f"<ConnectionPool: {ledger.open} open, {ledger.idle} of them idle, {ledger.waiting} waiting>"

    def __del__(self) -> None:
        # A pool that nobody closed leaves no socket to the collector's warnings.
        with contextlib.suppress(AttributeError):  # __init__ may have failed
            _close_all(self._ledger.retire())

    @property
    def limits(self) -> Limits:
        """The limits. Assigning new ones counts at once: who waits and now fits in goes ahead."""
        return self._ledger.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        with self._lock:
            closing = self._ledger.set_limits(limits)
        self._settle(closing)

    def send(self, route: Route, request: OutgoingRequest, deadline: Deadline) -> IncomingResponse:
        """Send a request over a connection of the pool, or a new one.

        Args:
            route: where to.
            request: what.
            deadline: the limits of time; the response keeps it for its body.

        Returns:
            The response. Its body has yet to be read, or it has to be closed.

        Raises:
            PoolTimeout: the limits left no connection within the pool timeout.
            ConnectionError: and the errors below it: no connection could be made, or it broke.
            Timeout: and those below it: the time ran out.
            UnrewindableBodyError: the request has to be replayed, and its body can't be wound back.
            InvalidBody: the body does not have the length that its Content-Length says.
        """
        response = self._send(route, request, deadline)
        if response.status != 417 or not request.expects_continue or not request.rewindable:
            return response
        # X3; RFC 9110, section 10.1.1: the server does not meet expectations, so there shall be none.
        response.close()
        request.rewind()
        return self._send(route, request.without_expectation(), deadline)

    def _send(self, route: Route, request: OutgoingRequest, deadline: Deadline) -> IncomingResponse:
        claim = _Claim(route)
        try:
            connection = self._acquire(claim, deadline)
            try:
                head = connection.exchange(request, deadline)
            except ConnectionLost as lost:
                if not may_replay(request, reused=connection.reused, sent=lost.sent, received=lost.received):
                    raise
                connection = self._replay_connection(claim, request, deadline, lost)
                head = connection.exchange(request, deadline)
            return IncomingResponse(self, claim, connection, head, deadline)
        except BaseException:
            self._discard(claim)
            raise

    def close(self) -> None:
        """Close the idle connections; those in use are closed when their responses end.

        The pool can be used again afterwards.
        """
        with self._lock:
            closing = self._ledger.retire()
        self._settle(closing)

    def start_afresh(self) -> None:
        """L4: in the child of a fork, where the connections are the parent's, and so is who held the lock."""
        inherited = self._ledger.connections()
        self._lock = threading.Lock()
        self._ledger = Ledger(self._ledger.limits)
        self._abandoned = deque()
        for connection in inherited:
            connection.forsake()

    # --- acquiring

    def _acquire(self, claim: _Claim, deadline: Deadline) -> HTTPConnection:
        """A connection in the claim's slot: an idle one that is alive, or one dialled for it."""
        with self._lock:
            closing = self._ledger.claim(claim)
            if claim.slot is None:
                claim.event = threading.Event()
        if closing or self._abandoned:
            self._settle(closing)
        if claim.slot is None:
            self._wait(claim, deadline)
        slot = claim.held()
        while (connection := slot.connection) is not None:
            if self._is_reusable(connection):
                connection.become_active()
                return connection
            with self._lock:
                closing = self._ledger.renew(claim)
            self._settle(closing)
        return self._dial(claim, deadline)

    def _is_reusable(self, connection: HTTPConnection) -> bool:
        """R4: young enough, not idle for too long, and nothing has come in."""
        return not self._is_expired(connection) and connection.is_quiet()

    def _is_expired(self, connection: HTTPConnection) -> bool:
        limits = self._ledger.limits
        return connection.is_expired(time.monotonic(), limits.idle_timeout, limits.max_age)

    def _wait(self, claim: _Claim, deadline: Deadline) -> None:
        """L2, L3: wait in the queue, and leave it when the pool timeout has passed."""
        assert claim.event is not None
        limit = deadline.timeout.pool
        waiting = f"waiting for a connection to {claim.route}"
        claim.event.wait(deadline.clip(limit, waiting))
        with self._lock:
            if claim.slot is not None:  # granted, be it in the instant in which the time ran out
                return
            self._ledger.discard(claim)
            state = repr(self)
        if deadline.passed():
            raise TotalTimeout(f"{waiting}: {deadline.exceeded()}")
        raise PoolTimeout(
            f"{waiting}: none was free within the pool timeout of {limit} s, by {self._ledger.limits} "
            f"and {state}: close responses that are not read, raise the limits, or the timeout"
        )

    def _dial(self, claim: _Claim, deadline: Deadline) -> HTTPConnection:
        # Whoever dials has time to look after what nobody used: a warm request has not.
        with self._lock:
            expired = self._ledger.expire(self._is_expired)
        self._settle(expired)
        sock = self._dialer.dial(claim.route, deadline)
        connection = HTTPConnection(sock, claim.route, time.monotonic())
        claim.held().connection = connection
        return connection

    def _replay_connection(
        self, claim: _Claim, request: OutgoingRequest, deadline: Deadline, lost: ConnectionLost
    ) -> HTTPConnection:
        """P1: a connection dialled fresh, in the slot of the dead one; the request is made ready again."""
        claim.held().connection = None
        try:
            request.rewind()
        except UnrewindableBodyError as error:
            raise error from lost
        return self._dial(claim, deadline)

    # --- giving back

    def _release(self, claim: _Claim, connection: HTTPConnection) -> None:
        """The exchange is over: pool the connection if R3 allows, else close it."""
        if not connection.may_be_pooled():
            self._discard(claim)
            return
        connection.become_idle(time.monotonic())
        try:
            with self._lock:
                closing = self._ledger.release(claim)
        except BaseException:
            self._discard(claim)
            raise
        if closing or self._abandoned:
            self._settle(closing)

    def _discard(self, claim: _Claim) -> None:
        """Free the claim's slot, or its place in the queue, and close its connection. May be called again."""
        with self._lock:
            closing = self._ledger.discard(claim)
        self._settle(closing)

    def _abandon(self, claim: _Claim) -> None:
        """R6: a response was collected unread. The collector calls this, so it does not wait for the lock."""
        self._abandoned.append(claim)
        self._reclaim()

    def _settle(self, closing: Iterable[HTTPConnection]) -> None:
        """After each operation on the ledger: close what it gave up, and see to what was abandoned."""
        _close_all(closing)
        self._reclaim()

    def _reclaim(self) -> None:
        # Who can't have the lock leaves the work to who holds it: every holder comes by here after it.
        while self._abandoned and self._lock.acquire(blocking=False):
            closing: list[HTTPConnection] = []
            try:
                while self._abandoned:
                    closing += self._ledger.discard(self._abandoned.popleft())
            finally:
                self._lock.release()
            _close_all(closing)


class IncomingResponse:
    """A response whose head was read, and whose body is read from the connection piece by piece.

    When the body has ended, or at `close()`, the connection goes back to the pool by itself. A response that
    is forgotten gives its slot back when it is collected, and warns (law R6).

    Attributes:
        status: the status code.
        reason: the reason phrase as it came.
        fields: names as they came, and values, in order.
    """

    __slots__ = ("_claim", "_connection", "_deadline", "_pool", "fields", "reason", "status")

    def __init__(
        self,
        pool: ConnectionPool,
        claim: _Claim,
        connection: HTTPConnection,
        head: ResponseHead,
        deadline: Deadline,
    ) -> None:
        self.status = head.status_code
        self.reason = bytes(head.reason)
        self.fields = head.headers.raw_items()
        self._pool = pool
        self._claim = claim
        self._deadline = deadline
        self._connection: HTTPConnection | None = connection
        if connection.ended:
            self._finish(connection)

    def __repr__(self) -> str:
        state = "ended" if self._connection is None else "open"
        return f"<IncomingResponse {self.status}: {state}>"

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is None:
            return
        self._pool._abandon(self._claim)
        warnings.warn(
            f"a response from {connection.route} was forgotten before its body was read: "
            f"read it, close() it, or use `with`",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )

    @property
    def closed(self) -> bool:
        """Whether the body has ended, or was closed."""
        return self._connection is None

    def read_piece(self) -> bytes:
        """The next piece of the body as it comes, chunk framing taken off, content coding left on.

        Returns:
            At least one byte; b"" at the end of the body, and from then on.

        Raises:
            IncompleteBody, ChunkedEncodingError, RemoteProtocolError, ReadTimeout, TotalTimeout: as
                `HTTPConnection.read_piece` says. The slot is free by then.
        """
        connection = self._connection
        if connection is None:
            return b""
        try:
            piece = connection.read_piece(self._deadline)
            if not piece:
                self._finish(connection)
            return piece
        except BaseException:
            self._give_up()
            raise

    def pieces(self) -> Iterator[bytes]:
        """The pieces of the body, to its end."""
        return iter(self.read_piece, b"")

    def read(self) -> bytes:
        """The rest of the body."""
        return b"".join(self.pieces())

    def read_rest(self) -> bytes | None:
        """The rest of the body, if it is small and close at hand; else the connection is closed (law R5).

        Returns:
            The bytes, undecoded, or None where it was too much, took too long or broke.
        """
        self._deadline = Timeout(total=DRAIN_SECONDS).start()
        limit = DRAIN_BYTES
        pieces: list[bytes] = []
        if self._connection is not None and self._connection.body_left > limit:
            self._give_up()
            return None
        try:
            for piece in self.pieces():
                pieces.append(piece)
                limit -= len(piece)
                if limit < 0:
                    self._give_up()
                    return None
        except OSError:  # every error of reading is one; the socket is closed already
            return None
        return b"".join(pieces)

    def close(self) -> None:
        """End the response: what little is left of the body is drained (law R5), else the socket closed."""
        if self._connection is not None:
            self.read_rest()

    def detach(self) -> DuplexStream:
        """Take the connection over after 101 or a 2xx to CONNECT (law X4). The pool forgets it.

        Returns:
            The stream, which belongs to the caller, and has to be closed.

        Raises:
            ValueError: the response has ended already, or the connection has not changed its protocol.
        """
        connection = self._connection
        if connection is None:
            raise ValueError("the response has ended, and its connection is gone")
        stream = connection.hand_over()
        self._claim.held().connection = None
        self._give_up()
        return stream

    def _finish(self, connection: HTTPConnection) -> None:
        self._pool._release(self._claim, connection)
        self._connection = None

    def _give_up(self) -> None:
        # A claim that was released already holds nothing, and discarding it does nothing.
        self._pool._discard(self._claim)
        self._connection = None


def _close_all(connections: Iterable[HTTPConnection]) -> None:
    for connection in connections:
        connection.close()
