"""From a Route to a connected socket: DNS, racing addresses, proxy, tunnel, TLS (laws T1, T2, T3).

Which address is tried when is decided by `AddressRace`, which has no socket and no clock. The rest is the
shell around it: every step draws on one `Budget` of time, and a socket that did not win is closed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final, TypeVar

from ..exceptions import (
    ConnectError,
    ConnectionError,
    ConnectTimeout,
    HandshakeLost,
    NameResolutionError,
    ProxyError,
    ProxySSLError,
    RequestException,
    SSLError,
    TotalTimeout,
    TunnelError,
)
from ..signal_handlers import is_of_a_signal_handler, tolerated
from ..telling import DialTimes, here
from ..timeouts import Deadline
from .lookups import Lookups, Resolver
from .route import Route
from .sockets import (
    Address,
    SocketSettings,
    configure,
    connect_failure,
    is_timeout_of_ours,
    literal,
    reachable_from,
    under_way,
)

if TYPE_CHECKING:
    from .tls_in_tls import AnySocket, TLSSocket

# RFC 8305, section 5: "a recommended value for a default delay is 250 milliseconds".
ATTEMPT_DELAY: Final = 0.25
# Law T3: a name with dozens of addresses must not cost dozens of sockets at once. By the time the sixth is
# begun, the first has had more than a second.
MAX_CONCURRENT_ATTEMPTS: Final = 6

# A resolver may give a thousand addresses; what is wrong can be seen from a few.
_MOST_REASONS: Final = 6

_IN_PROGRESS: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


def resolve(host: str, port: int) -> list[Address]:
    """The system's resolver.

    Raises:
        OSError: (`socket.gaierror`) the name has no address.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(Address(family, sockaddr) for family, _, _, _, sockaddr in found))


# One for all sessions, so that throw-away ones, such as those of `pystickyhttp.get`, share look-ups too.
_SYSTEM: Final = Lookups(resolve)


class Budget:
    """The time of one dial: what the connect timeout and the total deadline leave of it.

    Args:
        deadline: the deadline.
        times: where it is written down what the steps took, if anybody wants to know.
    """

    __slots__ = ("_connect_by", "_deadline", "times")

    def __init__(self, deadline: Deadline, times: DialTimes | None = None) -> None:
        self.times = DialTimes() if times is None else times
        limit = deadline.timeout.connect
        self._deadline = deadline
        self._connect_by = None if limit is None else time.monotonic() + limit

    def left(self, doing: str, leg: str | None) -> float | None:
        """Seconds that are left, None without limit.

        Args:
            doing: the step that wants them, for the message.
            leg: the leg that the step is on, as `RequestException.leg` has it.

        Raises:
            ConnectTimeout, TotalTimeout: none are left.
        """
        try:
            left = self._deadline.clip(None, doing)
        except TotalTimeout as error:
            error.leg = leg
            raise
        if self._connect_by is None:
            return left
        until = self._connect_by - time.monotonic()
        if until <= 0:
            limit = self._deadline.timeout.connect
            raise self.exceeded(f"{doing} did not end within the connect timeout of {limit:g} s", leg)
        return until if left is None or until < left else left

    @staticmethod
    def exceeded(what: str, leg: str | None) -> ConnectTimeout:
        """The error of a step that did not end in time."""
        error = ConnectTimeout(what)
        error.leg = leg
        return error


class Dialer:
    """Makes connected sockets.

    Args:
        resolver: a function from host and port to addresses, by default the system's (`resolve`). It runs in
            a thread of its own, so that the connect timeout covers it (T2), and those who ask for the same
            name within a second share a call that is under way. A thread whose resolver hangs is left behind
            until it comes back; it is a daemon, so it does not hold up the end of the program.
        settings: what the sockets are made with, by default `SocketSettings()`.
    """

    def __init__(self, resolver: Resolver | None = None, settings: SocketSettings | None = None) -> None:
        self._lookups = _SYSTEM if resolver is None else Lookups(resolver)
        self._settings = settings or SocketSettings()

    def dial(self, route: Route, deadline: Deadline, times: DialTimes | None = None) -> AnySocket:
        """Connect to the far end of a Route, tunnel and TLS included, or to the proxy that forwards to it.

        Args:
            route: where to.
            deadline: its connect timeout counts from here, over all steps together.
            times: where it is written down what the steps took, if anybody wants to know.

        Returns:
            The socket, made with the settings; TLS, and TLS within the proxy's TLS, behave as a socket does.

        Raises:
            NameResolutionError: the name has no address.
            ConnectError: every address refused; the message names each.
            ProxyError, ProxySSLError: the proxy could not be reached.
            TunnelError: the proxy gave no tunnel.
            SSLError, HandshakeLost: the TLS handshake with the far end failed.
            ConnectTimeout, TotalTimeout: the time ran out.
            InsecureRequestWarning: where warnings are errors: nobody is going to be verified.
        """
        budget = Budget(deadline, times)
        if route.tls is not None:
            return self._dial_securely(route, budget)
        sock = self._reach(route, budget)
        under_way.discard(sock)
        return sock

    def _dial_securely(self, route: Route, budget: Budget) -> TLSSocket:
        # Loaded only where there is TLS, to keep start-up light: OpenSSL is most of it.
        from . import tls, tls_unverified

        tls_unverified.warn_if_unverified(route)
        secured = _secure(self._reach(route, budget), route, budget, tls.handshake)
        under_way.discard(secured if isinstance(secured, socket.socket) else secured.outer)
        return secured

    def _reach(self, route: Route, budget: Budget) -> socket.socket:
        """A socket that leads to the far end, or to the proxy that forwards to it."""
        return self._connect(route, budget) if route.proxy is None else self._go_through_proxy(route, budget)

    def _go_through_proxy(self, route: Route, budget: Budget) -> socket.socket:
        """A socket that leads to the far end, or to the proxy where that one forwards each request."""
        assert route.proxy is not None, "who asks has seen that there is a proxy"
        if route.proxy.scheme == "socks5":
            return self._try_addresses_through_socks(route, budget)
        sock = self._connect_to_proxy(route, budget)
        if route.proxy.is_socks:
            _socks_tunnel(sock, route, route.host, budget)
        elif not route.is_forwarded:
            _tunnel(sock, route, budget)
        return sock

    def _try_addresses_through_socks(self, route: Route, budget: Budget) -> socket.socket:
        """The name is resolved here, and the proxy asked for one address after the other."""
        from . import tunnels  # loaded only where a proxy makes one, to keep start-up light

        refusals: list[TunnelError] = []
        for address in interleave(self._addresses(route, budget)):
            sock = self._connect_to_proxy(route, budget)
            try:
                _socks_tunnel(sock, route, address.sockaddr[0], budget)
                return sock
            except TunnelError as error:
                if is_of_a_signal_handler(error) or not tunnels.is_worth_another_address(error):
                    raise
                refusals.append(error)
        raise _no_address_will_do(route, refusals)

    def _connect_to_proxy(self, route: Route, budget: Budget) -> socket.socket:
        """The first leg of a Route with a proxy; its errors say that it is the proxy that they are about."""
        leg = route.to_proxy
        try:
            return self._connect(leg, budget) if leg.tls is None else self._connect_securely(leg, budget)
        except RequestException as error:
            if is_of_a_signal_handler(error):
                raise
            failure = _about_proxy(error, route, leg)
            if failure is error:
                raise
            raise failure from error

    def _connect_securely(self, leg: Route, budget: Budget) -> socket.socket:
        """The first leg of a Route with an https proxy."""
        from . import tls, tls_unverified  # loaded only where there is TLS, to keep start-up light

        tls_unverified.warn_if_unverified(leg)
        secured = _secure(self._connect(leg, budget), leg, budget, tls.handshake_with_proxy)
        assert isinstance(secured, socket.socket), "TLS within TLS has the proxy's TLS below it"
        return secured

    def _connect(self, route: Route, budget: Budget) -> socket.socket:
        try:
            if route.unix_socket is not None:
                from . import unix  # loaded only where there is one, to keep start-up light

                began = time.monotonic()
                sock = unix.connect(route, self._settings, budget.left)
            else:
                addresses = self._addresses(route, budget)
                began = time.monotonic()
                sock = connect(addresses, route, budget, self._settings)
        except OSError as error:  # of the system's making, such as too many open files
            if not _is_of_the_system(error):
                raise
            raise ConnectError(f"connecting to {route} failed: {error.strerror or error}") from error
        _note_connected(sock, route, budget, began)
        return sock

    def _addresses(self, route: Route, budget: Budget) -> Sequence[Address]:
        address = literal(route.host, route.port)
        if address is not None:
            return [address]
        began = time.monotonic()
        found = _resolve_within(self._lookups, route, budget)
        seconds = time.monotonic() - began
        budget.times.dns += seconds
        if here.teller is not None:
            from ..events import DNSResolved  # loaded only where somebody looks on

            here.teller.tell(DNSResolved, route.host, len(found), seconds)
        return found


def _resolve_within(lookups: Lookups, route: Route, budget: Budget) -> Sequence[Address]:
    """T2: the addresses of a name, if they come while the dial has time left."""
    doing = f"resolving {route.host!r}"
    found = lookups.find(route.host, route.port, budget.left(doing, NameResolutionError.leg))
    if found is None:
        budget.left(doing, NameResolutionError.leg)  # raises: the time is up
        # By this clock it may not quite be.
        raise budget.exceeded(  # pragma: no cover - the two clocks differ by less than a tick
            f"{doing} did not end in time", NameResolutionError.leg
        )
    # The last is of a resolver that is a table.
    if isinstance(found, (OSError, UnicodeError, LookupError)) and not is_of_a_signal_handler(found):
        raise NameResolutionError(f"{route.host!r} can't be resolved: {found}") from found
    if isinstance(found, BaseException):
        raise found
    if not found:
        raise NameResolutionError(f"{route.host!r} has no address")
    return found


def interleave(addresses: Sequence[Address]) -> list[Address]:
    """The families in turn, the first one's first, each in the resolver's order (RFC 8305, section 4)."""
    if len(addresses) == 1:  # as most often: there is nothing to put in order
        return [*addresses]
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.family, []).append(address)
    turns = zip_longest(*families.values())
    return [address for address in chain.from_iterable(turns) if address is not None]


class AddressRace:
    """Which address is tried when (RFC 8305, section 5; law T3).

    Args:
        addresses: in the resolver's order.
        now: the time of the start, in seconds of any clock.
    """

    def __init__(self, addresses: Sequence[Address], now: float) -> None:
        self._waiting = deque(interleave(addresses))
        self._running = 0
        self._next_start = now

    @property
    def over(self) -> bool:
        """Whether no attempt runs and none is left."""
        return not self._running and not self._waiting

    def next_start(self) -> float | None:
        """When the next attempt is due, or None where none is: no address left, or enough attempts run."""
        if not self._waiting or self._running >= MAX_CONCURRENT_ATTEMPTS:
            return None
        return self._next_start

    def start(self, now: float) -> Address | None:
        """The address to try now, if an attempt is due."""
        due = self.next_start()
        if due is None or now < due:
            return None
        self._running += 1
        self._next_start = now + ATTEMPT_DELAY
        return self._waiting.popleft()

    def failed(self, now: float) -> None:
        """An attempt failed: the next one need not wait any longer."""
        self._running -= 1
        self._next_start = now


def connect(
    addresses: Sequence[Address], route: Route, budget: Budget, settings: SocketSettings
) -> socket.socket:
    """Connect to the first address that answers.

    Args:
        addresses: in the resolver's order.
        route: for the local address, and for messages.
        budget: the time for all attempts together.
        settings: what the sockets are made with.

    Returns:
        The winner's socket; those of all others are closed.

    Raises:
        ConnectError: every address failed.
        ConnectTimeout, TotalTimeout: none answered in time.
    """
    with _Attempts(reachable_from(addresses, route.local_address), route, settings) as attempts:
        while True:
            winner = attempts.advance(time.monotonic())
            if winner is not None:
                return winner
            attempts.wait(budget.left(f"connecting to {route} ({attempts.summary()})", ConnectError.leg))


class _Failure:
    """What came of an address of a race."""

    __slots__ = ("address", "error")

    def __init__(self, address: Address, error: OSError) -> None:
        self.address = address
        self.error = error

    def __str__(self) -> str:
        return f"{self.address}: {self.error.strerror or self.error}"


def _selector() -> selectors.BaseSelector:
    """What waits for the few sockets of a race.

    Where it would be epoll(7), poll(2) is taken: that has no descriptor to open and to close, and no system
    call for each socket that it is told of. Elsewhere, and where a program has put its own in its place, such
    as gevent does, it is the one of the platform.
    """
    if selectors.DefaultSelector is getattr(selectors, "EpollSelector", None):
        return selectors.PollSelector()
    return selectors.DefaultSelector()


class _Attempts:
    """The sockets of a race."""

    def __init__(self, addresses: Sequence[Address], route: Route, settings: SocketSettings) -> None:
        self._race = AddressRace(addresses, time.monotonic())
        self._route = route
        self._settings = settings
        self._selector = _selector()
        self._pending: dict[socket.socket, Address] = {}
        self._failures: list[_Failure] = []

    def __enter__(self) -> _Attempts:
        return self

    def __exit__(self, *exc: object) -> None:
        self._selector.close()
        for sock in self._pending:
            sock.close()

    def summary(self) -> str:
        """What was tried, and what came of it."""
        tried = [str(failure) for failure in self._failures]
        tried += [f"{address}: no answer" for address in self._pending.values()]
        return "; ".join(tried) or "no address was tried yet"

    def advance(self, now: float) -> socket.socket | None:
        """Start what is due; the winner's socket, if one connected at once or since the last wait."""
        while (address := self._race.start(now)) is not None:
            sock = self._begin(address, now)
            if sock is not None:
                return sock
        if self._race.over:
            raise ConnectError(f"connecting to {self._route} failed: {self.summary()}") from (
                self._failures[-1].error
            )
        return self._take_connected(now)

    def wait(self, left: float | None) -> None:
        """Wait until a socket has news, the next attempt is due, or the time is up."""
        if self._race.over:
            return
        due = self._race.next_start()
        if due is not None:
            until_due = max(0.0, due - time.monotonic())
            left = until_due if left is None else min(left, until_due)
        self._selector.select(left)

    def _begin(self, address: Address, now: float) -> socket.socket | None:
        sock: socket.socket | None = None
        try:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
            under_way.add(sock)
            self._pending[sock] = address
            configure(sock, address.family, self._settings, self._route.local_address)
            code = sock.connect_ex(address.sockaddr)
            if code == 0:
                return self._win(sock)
            if code not in _IN_PROGRESS:
                raise connect_failure(code, self._route.local_address)
            self._selector.register(sock, selectors.EVENT_WRITE)
        except OSError as error:
            if is_of_a_signal_handler(error):
                raise
            self._fail(sock, address, error, now)
        return None

    def _take_connected(self, now: float) -> socket.socket | None:
        for key, _ in self._selector.select(0):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._selector.unregister(sock)
            if code == 0:
                return self._win(sock)
            self._fail(sock, self._pending[sock], connect_failure(code, self._route.local_address), now)
        return None

    def _win(self, sock: socket.socket) -> socket.socket:
        del self._pending[sock]
        return sock

    def _fail(self, sock: socket.socket | None, address: Address, error: OSError, now: float) -> None:
        if sock is not None:
            self._pending.pop(sock, None)
            sock.close()
        self._failures.append(_Failure(address, error))
        self._race.failed(now)


def _no_address_will_do(route: Route, refusals: list[TunnelError]) -> TunnelError:
    if len(refusals) == 1:
        return refusals.pop()  # an error that its own traceback holds on to would be left to the collector
    reasons = "; ".join(str(error) for error in refusals[:_MOST_REASONS])
    more = f"; and {len(refusals) - _MOST_REASONS} more" if len(refusals) > _MOST_REASONS else ""
    error = TunnelError(f"no address of {route.host!r} will do: {reasons}{more}", reply=refusals[-1].reply)
    error.__cause__ = refusals[-1]
    refusals.clear()
    return error


def _about_proxy(error: RequestException, route: Route, leg: Route) -> RequestException:
    """The error of a Route for one that came of its first leg; it may be the same one, in other words."""
    if isinstance(error, (ConnectTimeout, TotalTimeout)):
        error.args = (f"{route}: {error}{_plain_remedy(leg) if error.leg == SSLError.leg else ''}",)
        error.leg = ProxyError.leg
        return error
    if isinstance(error, HandshakeLost):
        return ProxyError(f"{route}: TLS with the proxy failed: {error}{_plain_remedy(leg)}")
    if isinstance(error, SSLError):
        return ProxySSLError(f"{route}: TLS with the proxy failed: {error}")
    return ProxyError(f"{route}: the proxy can't be reached: {error}")


def _plain_remedy(leg: Route) -> str:
    """Most proxies of https requests are no https proxies, and many wait in silence for what they know."""
    return f": if this proxy speaks plain http, as most do, write its URL as http://{leg.authority}"


def _tunnel(sock: socket.socket, route: Route, budget: Budget) -> None:
    def ask(seconds: float | None) -> None:
        from . import tunnels  # loaded only where a proxy makes one, to keep start-up light

        tunnels.connect_tunnel(sock, route, seconds)

    began = time.monotonic()
    _step(sock, budget, f"asking for the tunnel to {route}", TunnelError, ask)
    _note_tunnel(sock, route, budget, began)


def _socks_tunnel(sock: socket.socket, route: Route, host: str, budget: Budget) -> None:
    def ask(seconds: float | None) -> None:
        from . import tunnels  # loaded only where a proxy makes one, to keep start-up light

        # A zone is of this machine, and means nothing to the proxy.
        tunnels.socks_tunnel(sock, route, host.partition("%")[0], route.port, seconds)

    began = time.monotonic()
    _step(sock, budget, f"asking for the tunnel to {route}", TunnelError, ask)
    _note_tunnel(sock, route, budget, began)


def _secure(
    sock: socket.socket,
    route: Route,
    budget: Budget,
    handshake: Callable[[socket.socket, Route], TLSSocket],
) -> TLSSocket:
    def shake_hands(seconds: float | None) -> TLSSocket:
        sock.settimeout(seconds)
        return handshake(sock, route)

    began = time.monotonic()
    secured = _step(sock, budget, f"the TLS handshake with {route}", HandshakeLost, shake_hands)
    seconds = time.monotonic() - began
    budget.times.tls += seconds
    if here.teller is not None:
        from ..events import TLSHandshaked  # loaded only where somebody looks on

        version, resumed = secured.version() or "", bool(secured.session_reused)
        with _closing_upon_error(secured):
            here.teller.tell(TLSHandshaked, str(route), version, resumed, seconds)
    return secured


def _note_connected(sock: socket.socket, route: Route, budget: Budget, began: float) -> None:
    seconds = time.monotonic() - began
    budget.times.connect += seconds
    if here.teller is not None:
        from ..events import Connected  # loaded only where somebody looks on

        with _closing_upon_error(sock):
            here.teller.tell(Connected, str(route), _peer_of(sock), seconds)


def _note_tunnel(sock: socket.socket, route: Route, budget: Budget, began: float) -> None:
    seconds = time.monotonic() - began
    budget.times.tunnel += seconds
    if here.teller is not None:
        from ..events import TunnelMade  # loaded only where somebody looks on

        with _closing_upon_error(sock):
            here.teller.tell(TunnelMade, str(route), seconds)


@contextlib.contextmanager
def _closing_upon_error(sock: AnySocket) -> Iterator[None]:
    """L3: a trace runs while nobody but this thread knows the socket, and an interrupt may strike in it."""
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _peer_of(sock: socket.socket) -> str:
    peer = None
    with tolerated(OSError):  # it may be gone again already
        peer = sock.getpeername()
    if peer is None:
        return "?"
    return str(Address(sock.family, peer)) if isinstance(peer, tuple) else os.fsdecode(peer)


def _is_of_the_system(error: BaseException) -> bool:
    """Whether an error is the system's, and nobody has put it into words yet."""
    return (
        isinstance(error, OSError)
        and not isinstance(error, RequestException)
        and not is_of_a_signal_handler(error)
    )


_T = TypeVar("_T")


def _step(
    sock: socket.socket,
    budget: Budget,
    doing: str,
    broken: type[ConnectionError],
    take: Callable[[float | None], _T],
) -> _T:
    """Take one step over a connected socket. Whatever goes wrong closes it (L3).

    Args:
        sock: the socket.
        budget: the time.
        doing: the step, for messages.
        broken: the error of a connection that breaks in it; its `leg` is the one that the step is on.
        take: does it within so many seconds, or raises TimeoutError.

    Raises:
        ConnectTimeout, TotalTimeout: the time ran out.
        ConnectionError: the connection broke.
        RequestException: those that `take` raises.
    """
    try:
        left = budget.left(doing, broken.leg)
        try:
            return take(left)
        except TimeoutError as error:
            if not is_timeout_of_ours(error):
                raise  # TCP has given the peer up
            budget.left(doing, broken.leg)  # raises: the time is up
            raise budget.exceeded(f"{doing} did not end in time", broken.leg) from error
    except BaseException as error:
        sock.close()
        if _is_of_the_system(error):
            raise broken(f"{doing} broke off: {error}") from error
        raise
