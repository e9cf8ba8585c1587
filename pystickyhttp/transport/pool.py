"""The pool: which connection serves which request, who waits, and what happens to a connection afterwards.

`ConnectionPool` is the shell around the `Ledger`: it holds the lock, dials outside it, closes what the
ledger gives up, and replays a request whose reused connection turned out to be dead (law P1). What it
returns is an `IncomingResponse`, which gives the connection back by itself when its body has ended.
"""

from __future__ import annotations

import _thread
import contextlib
import dataclasses
import sys
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import (
    ChunkedEncodingError,
    ConnectionLost,
    IncompleteBody,
    PoolTimeout,
    RemoteProtocolError,
    RequestException,
    TotalTimeout,
    UnrewindableBodyError,
)
from ..forks import after_fork_in_child
from ..gathering import gathered
from ..signal_handlers import is_of_a_signal_handler
from ..telling import DialTimes, Marks, Teller, here, teller_of_now
from ..timeouts import Deadline, Timeout
from .connection import HTTPConnection, ResponseHead
from .dial import Dialer
from .ledger import Lease, Ledger, Limits, Slot
from .request import OutgoingRequest, may_replay
from .route import Route

if TYPE_CHECKING:
    from ..stats import Stats
    from .duplex import DuplexStream

# Why a connection is given up while it is in use, in the words of `stats()` and of the log.
BROKE: Final = "it broke"
TIMED_OUT: Final = "the time ran out"
NOT_HTTP: Final = "what came was not HTTP/1.1"
BROKEN_OFF: Final = "an error or an interrupt ended its exchange"
DIED_IDLE: Final = "it was dead when it was used again"
NOT_READ: Final = "a body was not read to its end"
FORGOTTEN: Final = "a response was forgotten before its body was read"
HANDED_OVER: Final = "it was handed over after a change of protocol"
CAME_AMID: Final = "it came back amid a change of the pool"

# R5: what is left of a body is read to its end only if that costs less than a new connection would: as many
# bytes as one read takes, and no longer than a handshake over some distance.
DRAIN_BYTES: Final = 64 * 1024
DRAIN_TIME: Final = Timeout(total=0.05)


# L4: the pools of this process, for the child of a fork.
_pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()


def _start_pools_afresh() -> None:
    for pool in list(_pools):
        pool.start_afresh()


after_fork_in_child(_start_pools_afresh)


class _Claim(Lease[HTTPConnection]):
    """A lease that a thread can wait for.

    It waits at a gate, a bare lock that whoever has news opens. To open it takes one step in C, can be done
    by anyone at any instant, the collector and a signal handler included, and can be done twice; an Event is
    a lock, a list and some Python between them.
    """

    __slots__ = ("gate", "is_broken_off", "marks", "teller", "why")

    def __init__(self, route: Route) -> None:
        # As `Lease.__init__` has it: to call that would cost each request more than the two lines do.
        self.route = route
        self.slot = None
        self.hold = weakref.ref(self)
        self.gate: threading.Lock | None = None
        self.marks = Marks()
        # Who is told what happens to it, if anybody wants to know; the body may be read by another thread.
        self.teller = here.teller
        self.is_broken_off = False  # its response was closed over the head of who reads it
        self.why = BROKEN_OFF  # its connection is given up, unless somebody says more

    def __repr__(self) -> str:
        return f"<a request's claim on {self.route}>"

    def granted(self) -> None:
        self.wake()

    def wake(self) -> None:
        """Let the thread that waits look at how things stand."""
        if self.gate is not None:
            with contextlib.suppress(RuntimeError):  # it is open already
                self.gate.release()

    def held(self) -> Slot[HTTPConnection]:
        """The slot, once it is granted."""
        assert self.slot is not None
        return self.slot


class ConnectionPool:
    """Connections to any number of Routes, for any number of threads.

    Args:
        limits: how many there may be; by default `Limits()`.
        dialer: what makes new sockets; by default the system's resolver and direct connections.

    Raises:
        TypeError: limits are no `Limits`.
    """

    def __init__(self, limits: Limits | None = None, dialer: Dialer | None = None) -> None:
        limits = Limits() if limits is None else limits
        _check_limits(limits)
        self._dialer = dialer or Dialer()
        # Guards the ledger and the gates of its claims. It is held for bookkeeping alone: nobody dials,
        # waits, closes or talks under it. What is in a slot belongs to the claim that holds the slot, and is
        # its thread's to change without the lock; limits are replaced whole, and may be read at any time.
        self._renew_lock()
        self._ledger: Ledger[HTTPConnection] = Ledger(limits, _note_why)
        # Claims whose slots have to be freed: of responses that were collected unread (R6), and of calls that
        # an exception has ended (L3). To put one here is a single step, that nothing can interrupt and that
        # waits for no lock; `_reclaim` does the rest.
        self._abandoned: deque[_Claim] = deque()
        # The claims that wait, for who abandons one and can't have the lock to see who is next.
        self._waiting: set[_Claim] = set()
        _pools.add(self)

    def __repr__(self) -> str:
        ledger = self._ledger
        return f"<ConnectionPool: {ledger.open} open, {ledger.idle} of them idle, {ledger.waiting} waiting>"

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # A pool that nobody closed leaves no socket to the collector's warnings. When the interpreter ends,
        # the names of this module may be gone, and the system closes what is open.
        if is_finalizing():
            return
        with contextlib.suppress(AttributeError):  # __init__ may have failed
            for connection in self._ledger.retire():  # nobody is told: the collector strikes anywhere
                connection.close()

    @property
    def limits(self) -> Limits:
        """The limits. Assigning new ones counts at once: who waits and now fits in goes ahead."""
        return self._ledger.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        _check_limits(limits)
        if self._is_inside():
            _soon(setattr, self, "limits", limits)
            return
        with self._lock:
            closing = self._ledger.set_limits(limits)
        _close_all(closing)

    def _renew_lock(self) -> None:
        # A finalizer that the collector runs, and a signal handler, may strike while this very thread has the
        # lock. To wait for it would be to wait for ever, and a ledger that is changed amid a change comes to
        # nonsense: so it lets them in, for them to ask `_is_inside`, and go another way.
        self._lock = lock = threading.RLock()
        # Whether this thread has the lock. threading.Condition asks it too; in C, as each request asks twice.
        self._is_inside: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined]

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
            ConnectionError: or one below it: no connection could be made, it broke, or what came is not HTTP.
            Timeout: or one below it: the time ran out.
            UnrewindableBodyError: the request has to be replayed, and its body can't be wound back.
            InvalidBody: the body does not have the length that its Content-Length says.
            Exception: whatever the iterable of the body raises.
        """
        response = self._send(route, request, deadline)
        if response.status != 417 or not request.expects_continue or not request.rewindable:
            return response
        # X3; RFC 9110, section 10.1.1: the server does not meet expectations, so there shall be none.
        response.close()
        request.rewind()
        return self._send(route, request.without_expectation(), deadline)

    def _send(self, route: Route, request: OutgoingRequest, deadline: Deadline) -> IncomingResponse:
        if self._is_inside():
            return self._apart()._send(route, request, deadline)
        claim = _Claim(route)
        try:
            connection = self._acquire(claim, deadline)
            try:
                head = connection.exchange(request, deadline, claim.teller)
            except ConnectionLost as lost:
                if is_of_a_signal_handler(lost) or not may_replay(
                    request, reused=connection.reused, sent=lost.sent, received=lost.received
                ):
                    raise
                connection = self._replay_connection(claim, request, deadline, lost)
                head = connection.exchange(request, deadline, claim.teller)
            if claim.teller is not None:
                _tell_head(claim.teller, connection, head)
            return IncomingResponse(self, claim, connection, head, deadline)
        except BaseException as error:
            self._give_up(claim, _why_given_up(error))
            raise

    def _apart(self) -> ConnectionPool:
        """A pool for one request, whose connection counts nowhere, and is closed behind it."""
        return ConnectionPool(dataclasses.replace(self.limits, max_idle=0), self._dialer)

    def stats(self) -> Stats:
        """What its connections came to since it was made, and the state that they are in."""
        from ..stats import Stats  # loaded only when somebody asks, to keep start-up light

        self._reclaim()
        with self._lock:
            figures = self._ledger.figures()
        return Stats.of(figures)

    def close(self) -> None:
        """Close the idle connections; those in use are closed when their responses end.

        The pool can be used again afterwards.
        """
        if self._is_inside():
            _soon(self.close)
            return
        with self._lock:
            closing = self._ledger.retire() + self._ledger.drop_forgotten()
        _close_all(closing)
        self._reclaim()

    def start_afresh(self) -> None:
        """In the child of a fork, where the connections are the parent's, and so is who held the lock."""
        inherited = self._ledger.connections()
        self._renew_lock()
        self._ledger = Ledger(self._ledger.limits, _note_why)
        self._abandoned = deque()
        self._waiting = set()
        for connection in inherited:
            connection.forsake()

    # --- acquiring

    def _acquire(self, claim: _Claim, deadline: Deadline) -> HTTPConnection:
        """A connection in the claim's slot: an idle one that is alive, or one dialled for it."""
        if self._abandoned:
            self._reclaim()
        with self._lock:
            closing = self._ledger.claim(claim)
            if claim.slot is None:
                claim.gate = threading.Lock()
                claim.gate.acquire()
        if closing:
            _close_all(closing)
        slot = claim.slot
        if slot is None:
            slot = self._wait_and_tell(claim, deadline)
        while (connection := slot.connection) is not None:
            claim.marks.taken = now = time.monotonic()
            why = self._why_not_reusable(connection, now)
            if why is None:
                connection.become_active()
                if claim.teller is not None:
                    _tell_reused(claim.teller, connection, now)
                return connection
            with self._lock:
                closing = self._ledger.renew(claim, why)
            _close_all(closing)
        return self._dial(claim, deadline)

    def _why_not_reusable(self, connection: HTTPConnection, now: float) -> str | None:
        """R4: None where it is young enough, was not idle for too long, and nothing has come in; else why."""
        why = self._why_expired(connection, now)
        if why is not None or connection.is_quiet():
            return why
        return connection.why_not_quiet()

    def _why_expired(self, connection: HTTPConnection, now: float) -> str | None:
        limits = self._ledger.limits
        return connection.why_expired(now, limits.idle_timeout, limits.max_age)

    def _wait_and_tell(self, claim: _Claim, deadline: Deadline) -> Slot[HTTPConnection]:
        began = time.monotonic()
        slot = self._wait(claim, deadline)
        claim.marks.waited = time.monotonic() - began
        if claim.teller is not None:
            from ..events import ConnectionWaited  # loaded only where somebody looks on

            claim.teller.tell(ConnectionWaited, str(claim.route), claim.marks.waited)
        return slot

    def _wait(self, claim: _Claim, deadline: Deadline) -> Slot[HTTPConnection]:
        """L2, L3: wait in the queue, and leave it when the pool timeout or the deadline has passed."""
        limit = deadline.timeout.pool
        ends = [] if deadline.expires is None else [deadline.expires]
        if limit is not None:
            ends.append(time.monotonic() + limit)
        until = min(ends, default=None)
        try:
            self._waiting.add(claim)
            while not self._is_granted(claim) and (until is None or time.monotonic() < until):
                assert claim.gate is not None
                claim.gate.acquire(timeout=-1 if until is None else max(0.0, until - time.monotonic()))
        finally:
            self._waiting.discard(claim)
        with self._lock:
            if claim.slot is not None:  # granted, be it in the instant in which the time ran out
                return claim.slot
            self._ledger.discard(claim)
            state = repr(self)
        waiting = f"waiting for a connection to {claim.route}"
        if deadline.passed():
            raise TotalTimeout(f"{waiting}: {deadline.exceeded()}")
        raise PoolTimeout(
            f"{waiting}: none was free within the pool timeout of {limit} s, by {self._ledger.limits} "
            f"and {state}: close responses that are not read, raise the limits, or the timeout"
        )

    def _is_granted(self, claim: _Claim) -> bool:
        self._reclaim()
        with self._lock:
            closing = [] if claim.slot is not None else self._ledger.drop_forgotten()
            granted = claim.slot is not None
        _close_all(closing)
        return granted

    def _dial(self, claim: _Claim, deadline: Deadline) -> HTTPConnection:
        # Whoever dials has time to look after what nobody used: a warm request has not.
        began = time.monotonic()
        with self._lock:
            expired = self._ledger.expire(lambda idle: self._why_expired(idle, began))
        _close_all(expired)
        claim.marks.dialled = times = DialTimes()
        sock = self._dialer.dial(claim.route, deadline, times)
        try:
            claim.marks.taken = now = time.monotonic()
            connection = HTTPConnection(sock, claim.route, now)
        except BaseException:  # pragma: no cover - an interrupt between two steps
            sock.close()
            raise
        claim.held().connection = connection
        with self._lock:
            self._ledger.count_opened(claim, resumed=connection.tls is not None and connection.tls.resumed)
        if (teller := teller_of_now()) is not None:
            _tell_opened(teller, connection, now - began)
        return connection

    def _replay_connection(
        self, claim: _Claim, request: OutgoingRequest, deadline: Deadline, lost: ConnectionLost
    ) -> HTTPConnection:
        """P1: a connection dialled fresh, in the slot of the dead one; the request is made ready again."""
        dead = claim.held().connection
        claim.held().connection = None
        with self._lock:
            self._ledger.count_lost(claim, DIED_IDLE, replayed=True)
        claim.marks.replayed = True
        assert dead is not None, "it is the one that died"
        dead.why_discarded = DIED_IDLE
        _tell_discarded([dead], claim.teller)
        if claim.teller is not None:
            from ..events import Replayed  # loaded only where somebody looks on

            claim.teller.tell(Replayed, dead.number, str(dead.route))
        try:
            request.rewind()
        except UnrewindableBodyError as error:
            raise error from lost
        return self._dial(claim, deadline)

    # --- giving back

    def _release(self, claim: _Claim, connection: HTTPConnection) -> bool:
        """The exchange is over: pool the connection if R3 allows, else close it.

        Returns:
            Whether it is pooled.
        """
        claim.marks.ended = now = time.monotonic()
        why = CAME_AMID if self._is_inside() else connection.why_not_pooled()
        if why is not None:
            self._give_up(claim, why)
            return False
        connection.become_idle(now)
        with self._lock:
            closing = [connection] if claim.is_broken_off else self._ledger.release(claim)
        if closing:
            _close_all(closing, claim.teller)
        if self._abandoned:  # amid this, or amid the claim of this request
            self._reclaim()
        return connection not in closing

    def _give_up(self, claim: _Claim, why: str = BROKEN_OFF) -> None:
        """Free the claim's slot, or its place in the queue, and close its connection. May be called again."""
        claim.why = why
        self._abandoned.append(claim)
        self._reclaim(claim.teller)

    def _let_go(self, claim: _Claim, connection: HTTPConnection) -> None:
        """The connection belongs to the caller from now on, and its slot is free."""
        claim.held().connection = None
        connection.why_discarded = HANDED_OVER
        with self._lock:
            self._ledger.count_lost(claim, HANDED_OVER)
        self._give_up(claim)

    def _break_off(self, claim: _Claim, connection: HTTPConnection) -> bool:
        """Free the slot of a response that is being read, by another thread or further down in this one.

        Its reader is woken, and is the one to close the socket: the system may give the number of a closed
        one to the next, and what OpenSSL reads from is a number.

        Returns:
            Whether that was done; else its reader has just come to the end.
        """
        with self._lock:
            if connection.ended or not claim.held().is_held_by(claim):
                return False
            claim.is_broken_off = True
            claim.held().connection = None
            connection.why_discarded = NOT_READ
            self._ledger.count_lost(claim, NOT_READ)
            closing = self._ledger.discard(claim)
            connection.wake_reader()
        _close_all(closing, claim.teller)
        _tell_discarded([connection], claim.teller)
        return True

    def _abandon(self, claim: _Claim) -> None:
        """R6: a response was collected unread. The collector calls this at any instant: it waits for nothing.

        The slot goes to who waits, or is seen to by the next request.
        """
        claim.why = FORGOTTEN
        self._abandoned.append(claim)
        self._wake_who_waits()

    def _wake_who_waits(self) -> None:
        # A list of a set is made in one step; a tuple lets the collector in amid it, up to Python 3.11.
        for waiting in list(self._waiting):
            waiting.wake()

    def _reclaim(self, teller: Teller | None = None) -> None:
        """Free the slots of claims that were given up, and close their connections.

        Args:
            teller: whom to tell of it, if not the one of the request that this thread has under way.
        """
        if self._is_inside():
            self._wake_who_waits()  # they see to it once the lock is free, or else the next request does
            return
        while self._abandoned:
            with self._lock:
                closing: list[HTTPConnection] = []
                while self._abandoned:
                    # It stays in the deque until it is done, so that who is interrupted here loses none.
                    claim = self._abandoned[0]
                    closing += self._ledger.discard(claim, claim.why)
                    self._abandoned.popleft()
            _close_all(closing, teller)


class IncomingResponse:
    """A response whose head was read, and whose body is read from the connection piece by piece.

    When the body has ended, or at `close()`, the connection goes back to the pool by itself. A response that
    is forgotten gives its slot back when it is collected, and warns (law R6).

    Attributes:
        status: the status code.
        reason: the reason phrase as it came.
        fields: names as they came, and values, in order.
        tls: facts of the TLS with the server, None where there is none.
        marks: what the clock said on its way.
    """

    __slots__ = (
        "_claim",
        "_closer",
        "_connection",
        "_deadline",
        "_http",
        "_is_read",
        "_is_whole",
        "_pool",
        "_received",
        "fields",
        "marks",
        "reason",
        "status",
        "tls",
    )

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
        self._http = head.http_version
        self.fields = connection.fields
        self.tls = connection.tls
        self.marks = marks = claim.marks
        marks.sent = connection.asked
        marks.head = connection.answered
        self._pool = pool
        self._claim = claim
        self._deadline = deadline
        self._received = 0
        self._connection: HTTPConnection | None = connection
        self._is_read = False  # somebody waits for the next piece
        self._is_whole = connection.ended  # whoever read it has been given all of its body
        self._closer = 0  # the thread that closed it before its body had ended
        if connection.ended:
            self._finish(connection)

    def __repr__(self) -> str:
        state = "ended" if self._connection is None else "open"
        return f"<IncomingResponse {self.status}: {state}>"

    # An interrupt that strikes in here is lost: Python prints it and goes on, as with everything that the
    # collector calls. Nothing could strike a weak reference with a callback in C; but each response would
    # have to have one, though nearly all are read, and it could neither wake who waits for a slot nor warn
    # who forgot. The slot is freed in any case (see `Ledger.drop_forgotten`), and whoever reads or closes
    # what was asked for never gets here.
    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is None:
            return
        self._pool._abandon(self._claim)
        # And not just given back, by whoever looked for what was abandoned meanwhile.
        if self._claim.held().is_held_by(self._claim):  # pragma: no branch - a race of two threads
            connection.close()
        warnings.warn(
            f"a response from {connection.route} was forgotten before its body was read: "
            f"read it, close() it, or use `with`",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )

    @property
    def version(self) -> int:
        """The version of HTTP that the server answered by, as `http.client` has it: 11, or 10."""
        return 10 if self._http == b"1.0" else 11

    @property
    def closed(self) -> bool:
        """Whether the body has ended, or was closed."""
        return self._connection is None

    @property
    def received(self) -> int:
        """How many bytes of the body have come, chunk framing taken off, content coding left on."""
        connection = self._connection
        return self._received if connection is None else connection.body_received

    @property
    def closed_early(self) -> bool:
        """Whether it was closed before its body had ended."""
        return self._closer != 0 and not self._is_whole

    def read_piece(self) -> bytes:
        """The next piece of the body as it comes, chunk framing taken off, content coding left on.

        Returns:
            At least one byte; b"" at the end of the body, and from then on.

        Raises:
            IncompleteBody, ChunkedEncodingError, RemoteProtocolError, ReadTimeout, TotalTimeout: as
                `HTTPConnection.read_piece` says. The slot is free by then.
            IncompleteBody: also where somebody else closes it, or is reading it.
        """
        connection = self._connection
        if connection is None:
            if self.closed_early and self._closer != threading.get_ident():  # who closed it himself knows
                raise self._incomplete(self._received, _CLOSED_AMID)
            return b""
        # Nobody comes in between the first step and the one that says that it is read, nor between those of
        # `read_rest`: the interpreter lets other threads and signal handlers in at calls and loops alone.
        if self._is_read:  # of two who read, each would get a part of it
            raise self._incomplete(connection.body_received, "it is read by somebody else at the moment")
        self._is_read = True
        try:
            piece = connection.read_piece(self._deadline)
            if connection.ended:
                # Whoever breaks it off has the socket end, which is the end of a body without length too.
                self._is_whole = not (self._claim.is_broken_off and connection.ended_by_close)
                self._finish(connection)
        except BaseException as error:
            if not self._claim.is_broken_off:
                self._fail(connection, error)
                self._is_read = False
                raise
            self._is_read = False
            connection.close()
            if isinstance(error, RequestException) and not is_of_a_signal_handler(error):
                raise self._incomplete(connection.body_received, _CLOSED_AMID) from error
            raise
        # Not sooner: who closes it would else read what the pool has given to somebody else meanwhile (R3).
        self._is_read = False
        if self._claim.is_broken_off:
            connection.close()
            if not self._is_whole:
                raise self._incomplete(connection.body_received, _CLOSED_AMID)
        return piece

    def check_time(self) -> None:
        """Called between two steps of decoding, which take time and read nothing (law T1).

        Raises:
            TotalTimeout: the deadline has passed.
        """
        self._deadline.clip(None, "decoding a response")

    def pieces(self) -> Iterator[bytes]:
        """The pieces of the body, to its end."""
        return iter(self.read_piece, b"")

    def read(self) -> bytes:
        """The rest of the body.

        Raises:
            RequestException: as `read_piece` does.
            IncompleteBody: it was closed meanwhile.
        """
        whole = self.read_piece()
        connection = self._connection
        if connection is not None:  # mostly that was all
            left = connection.body_left
            whole = gathered(chain([whole], self.pieces()), len(whole) + left if left else None)
        if self._closer and not self._is_whole:  # between two pieces
            raise self._incomplete(len(whole), _CLOSED_AMID)
        return whole

    def read_rest(self) -> bytes | None:
        """The rest of the body, if it is small and close at hand; else the connection is closed (law R5).

        Returns:
            The bytes, undecoded, or None where it was too much, took too long or broke.
        """
        connection = self._connection
        if connection is None:
            return b""
        if self._is_read:
            self._break_off(connection)
            return None
        try:
            self._received = connection.body_received
            self._connection = None  # who comes to read from now on finds it closed
            return self._drained(connection)
        except BaseException:
            self._give_up()
            raise

    def _break_off(self, connection: HTTPConnection) -> None:
        """Take it away from who reads it, in another thread or further down in this one."""
        pool = self._pool
        if pool._is_inside():
            _soon(self._break_off, connection)
        elif pool._break_off(self._claim, connection):
            self.marks.ended = time.monotonic()
            self._received = connection.body_received
            if not self._is_read:  # he has gone on meanwhile, and may have seen nothing of it
                connection.close()
        self._connection = None

    def _drained(self, connection: HTTPConnection) -> bytes | None:
        """R5: what is left of the body, None where the connection was closed instead."""
        self._claim.why = NOT_READ  # whatever stops it now
        limit = DRAIN_BYTES
        if connection.body_left > limit:
            self._give_up()
            return None
        deadline = DRAIN_TIME.start()
        pieces: list[bytes] = []
        try:
            while piece := connection.read_piece(deadline):
                pieces.append(piece)
                limit -= len(piece)
                if limit < 0:
                    self._give_up()
                    return None
        except BaseException as error:
            self._fail(connection, error)
            # Every error of reading is an OSError; the socket is closed already.
            if not isinstance(error, OSError) or is_of_a_signal_handler(error):
                raise
            return None
        self._is_whole = not pieces  # nothing was missing but the word that it was all
        self._finish(connection)
        return b"".join(pieces)

    def close(self) -> None:
        """End the response: what little is left of the body is drained (law R5), else the socket closed."""
        if self._connection is not None:
            self._closer = threading.get_ident()
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
        self.marks.ended = time.monotonic()
        self._pool._let_go(self._claim, connection)
        self._connection = None
        try:
            _tell_discarded([connection], self._claim.teller)
        except BaseException:
            stream.close()  # nobody is going to see it
            raise
        return stream

    def _finish(self, connection: HTTPConnection) -> None:
        teller = self._claim.teller
        # Behind the release it may serve another request.
        self._received = received = connection.body_received
        served = connection.served + 1
        is_pooled = self._pool._release(self._claim, connection)
        self._connection = None
        if teller is not None:
            self._tell_ended(teller, connection.number, received, served if is_pooled else None)

    def _give_up(self, why: str = NOT_READ) -> None:
        # A claim that was released already holds nothing, and giving it up does nothing.
        self.marks.ended = time.monotonic()
        self._received = self.received
        self._pool._give_up(self._claim, why)
        self._connection = None

    def _incomplete(self, received: int, why: str) -> IncompleteBody:
        where = f" after {received} bytes" if received else ""
        return IncompleteBody(
            f"the body from {self._claim.route} is cut short{where}: {why}", received=received
        )

    def _fail(self, connection: HTTPConnection, error: BaseException) -> None:
        received = connection.body_received
        why = self._claim.why
        self._give_up(_why_given_up(error) if why is BROKEN_OFF else why)
        if self._claim.teller is not None:
            from ..events import ResponseFailed  # loaded only where somebody looks on

            self._claim.teller.tell(ResponseFailed, connection.number, received, type(error).__name__)

    def _tell_ended(self, teller: Teller, connection: int, received: int, served: int | None) -> None:
        """Tell that the body has ended, and how often the connection has served if it is pooled."""
        from ..events import ConnectionReleased, ResponseEnded  # loaded only where somebody looks on

        ended = self.marks.ended
        assert ended is not None, "the body has ended"
        teller.tell(ResponseEnded, connection, received, ended - self.marks.head)
        if served is not None:
            teller.tell(ConnectionReleased, connection, served)


# What is told to who reads a response that somebody else closes.
_CLOSED_AMID: Final = "the response was closed while it was read"


def _check_limits(limits: Any) -> None:
    if not isinstance(limits, Limits):
        raise TypeError(f"limits are {limits!r}: give Limits(max_per_host=...)")


def _soon(change: Callable[..., object], *arguments: object) -> None:
    """Do in another thread what has to wait for a lock that this one has."""
    with contextlib.suppress(RuntimeError):  # there is none to be had: the interpreter ends, and all with it
        _thread.start_new_thread(change, arguments)


def _close_all(connections: Sequence[HTTPConnection], teller: Teller | None = None) -> None:
    """Close what the ledger has given up, and tell of it; no lock is held."""
    for connection in connections:
        connection.close()
    if connections:
        _tell_discarded(connections, teller)


def _note_why(connection: HTTPConnection, why: str) -> None:
    connection.why_discarded = why


def _why_given_up(error: BaseException) -> str:
    """Why a connection is closed upon an error: in a few words, so that they can be counted."""
    if is_of_a_signal_handler(error):
        return BROKEN_OFF
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, (ConnectionLost, IncompleteBody)):
        return BROKE
    return NOT_HTTP if isinstance(error, (RemoteProtocolError, ChunkedEncodingError)) else BROKEN_OFF


# --- what is told; `events` is loaded only where somebody looks on, to keep start-up light


def _tell_reused(teller: Teller, connection: HTTPConnection, now: float) -> None:
    from ..events import ConnectionReused

    teller.tell(ConnectionReused, connection.number, str(connection.route), connection.idle_for(now))


def _tell_opened(teller: Teller, connection: HTTPConnection, seconds: float) -> None:
    from ..events import ConnectionOpened

    tls = connection.tls
    version, resumed = (None, False) if tls is None else (tls.version, tls.resumed)
    teller.tell(ConnectionOpened, connection.number, str(connection.route), version, resumed, seconds)


def _tell_head(teller: Teller, connection: HTTPConnection, head: ResponseHead) -> None:
    from ..events import ResponseStarted

    seconds = connection.answered - connection.asked
    teller.tell(ResponseStarted, connection.number, head.status_code, seconds)


def _tell_discarded(connections: Sequence[HTTPConnection], teller: Teller | None) -> None:
    # A body is read, and a response closed, when its request is under way no more.
    teller = teller or teller_of_now()
    if teller is None:
        return
    from ..events import ConnectionDiscarded

    for connection in connections:
        teller.tell(ConnectionDiscarded, connection.number, str(connection.route), connection.why_discarded)
