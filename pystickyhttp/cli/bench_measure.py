"""The measuring: the same request by each way in turns, within the bounds, with everything counted.

The ways take turns of a few requests each, so that all see the same state of the server, of the network and
of this machine. `Run` is what the command holds on to: whatever ends it, Ctrl-C included, what was measured
until then is in its tallies.
"""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from ..adapters import HTTPAdapter
from ..exceptions import RequestException
from ..models import Response
from ..sessions import Session
from ..timeouts import Timeout
from ..transport import ConnectionPool, Dialer, Route
from .bench_figures import Figures, Reply, figures_of, shares, steps_of
from .bench_options import Options
from .bench_words import ENDED_BY_FAILURES, ENDED_BY_TIME, why_it_closes

FRESH: Final = "fresh"
RESUMED: Final = "fresh, resumed"
POOLED: Final = "pooled"

# Requests of one thread before it is another way's turn: few, so that nothing changes between two turns, and
# that no idle connection outlasts the servers' patience (5 s with many) while the other ways have theirs.
TURN: Final = 5
# Failures of one way in a row after which the rest is not tried: by then it is no accident.
MOST_FAILURES: Final = 5
# Seconds for requests that are under way in other threads at Ctrl-C. Whoever presses it wants to see the end.
GRACE: Final = 0.5
# Seconds that a request which began just ahead of the end has at least: a limit has to be above zero.
_LEAST: Final = 0.001


class Tally:
    """What was measured of one way.

    Attributes:
        first_failure: the first error, or None.
    """

    def __init__(self) -> None:
        # Guards all fields: several threads send requests of one way.
        self._lock = threading.Lock()
        self._replies: list[Reply] = []
        self._opened = 0
        self._resumed = 0
        self._failures: Counter[str] = Counter()
        self._unfinished = 0
        self._failures_in_row = 0
        self.first_failure: RequestException | None = None

    def answered(self, reply: Reply) -> None:
        """A request was answered."""
        with self._lock:
            self._replies.append(reply)
            self._failures_in_row = 0

    def failed(self, error: RequestException) -> int:
        """A request failed.

        Returns:
            How many did in a row.
        """
        with self._lock:
            self._failures[type(error).__name__] += 1
            self._failures_in_row += 1
            self.first_failure = self.first_failure or error
            return self._failures_in_row

    def cut_off(self) -> None:
        """A request was cut off by the end of the run."""
        with self._lock:
            self._unfinished += 1

    def opened(self, *, resumed: bool) -> None:
        """A connection was made."""
        with self._lock:
            self._opened += 1
            self._resumed += resumed

    def figures(self, threads: int) -> Figures:
        """What there is by now, in figures."""
        with self._lock:
            return figures_of(
                self._replies,
                threads=threads,
                opened=self._opened,
                resumed=self._resumed,
                failures=self._failures,
                unfinished=self._unfinished,
            )


class CountingDialer(Dialer):
    """A dialer that counts the connections it makes."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def dial(self, route: Route, *rest: Any, **named: Any) -> Any:
        """As `Dialer.dial`."""
        made = super().dial(route, *rest, **named)
        self._tally.opened(resumed=bool(getattr(made, "session_reused", False)))
        return made


class DialerWithoutTickets(CountingDialer):
    """One whose handshakes are all full ones, whatever tickets there are."""

    def dial(self, route: Route, *rest: Any, **named: Any) -> Any:
        """As `Dialer.dial`."""
        return super().dial(without_tickets(route), *rest, **named)


def without_tickets(route: Route) -> Route:
    """The same Route by another name: tickets belong to the whole identity (law S2), and this one has none.

    The pool keeps the tickets that come under the Route that it asked for, so nobody ever finds any here. The
    certificate is held against the same name: the host's, which counts where no other is said.
    """
    if route.tls is not None and route.tls.server_hostname is None:
        route = replace(route, tls=replace(route.tls, server_hostname=route.host))
    proxy = route.proxy
    if proxy is not None and proxy.tls is not None:
        named = replace(proxy, tls=replace(proxy.tls, server_hostname=proxy.host))
        route = replace(route, proxy=named)
    return route


class Way(ABC):
    """One way to send requests, and its tally."""

    def __init__(self, options: Options) -> None:
        self.tally = Tally()
        self._options = options

    @abstractmethod
    def ask(self, timeout: Timeout) -> Reply:
        """Send one request, and read the answer to its end.

        Raises:
            RequestException: there is none.
        """

    def close(self) -> None:  # noqa: B027 - most ways keep nothing
        """Close what is kept between requests."""

    def _send(self, session: Session, timeout: Timeout) -> Response:
        options = self._options
        # A redirect would be a second request, of another host perhaps, that the figures know nothing of.
        return session.request(options.method, options.url, timeout=timeout, allow_redirects=False)


class Fresh(Way):
    """A new Session for each request.

    Args:
        options: what to send.
        dialer: what makes its connections, from the tally that it counts them in.
    """

    def __init__(self, options: Options, dialer: Callable[[Tally], Dialer]) -> None:
        super().__init__(options)
        self._dialer = dialer(self.tally)

    def ask(self, timeout: Timeout) -> Reply:
        """As `Way.ask`. That the Session is made and closed is part of what it takes."""
        pool = ConnectionPool(None, self._dialer)  # its dialer is our business, so it is not on the clock
        begun = time.perf_counter()
        with _session(self._options, pool) as session:
            response = self._send(session, timeout)
        return _reply(response, time.perf_counter() - begun, self._options)


class Pooled(Way):
    """One Session for all requests."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._session = _session(options, ConnectionPool(None, CountingDialer(self.tally)))

    def ask(self, timeout: Timeout) -> Reply:
        """As `Way.ask`."""
        begun = time.perf_counter()
        response = self._send(self._session, timeout)
        return _reply(response, time.perf_counter() - begun, self._options)

    def close(self) -> None:
        """Close its connections."""
        self._session.close()


def ways_for(options: Options) -> dict[str, Way]:
    """The ways that are compared, by their names, in the order of the table."""
    ways: dict[str, Way] = {FRESH: Fresh(options, DialerWithoutTickets)}
    if options.is_https:
        ways[RESUMED] = Fresh(options, CountingDialer)
    ways[POOLED] = Pooled(options)
    return ways


class Run:
    """One comparison.

    Args:
        options: what to do.
        ways: what is compared, by their names; they are closed with it.
        progress: called between two turns with the number of requests that are done.

    Attributes:
        ended: why it ended before all requests were sent, in words, or None.
    """

    def __init__(
        self, options: Options, ways: Mapping[str, Way], progress: Callable[[int], None] = lambda done: None
    ) -> None:
        self._options = options
        self._ways = ways
        self._progress = progress
        self._over = threading.Event()
        self._ends = time.monotonic() + options.max_time
        self._crashes: list[BaseException] = []
        self.ended: str | None = None

    def figures(self) -> dict[str, Figures]:
        """What there is by now, in figures, by the names of the ways."""
        threads = self._options.concurrency
        return {name: way.tally.figures(threads) for name, way in self._ways.items()}

    def first_failure(self) -> RequestException | None:
        """An error of a request that was measured, or None."""
        return next((way.tally.first_failure for way in self._ways.values() if way.tally.first_failure), None)

    def warm_up(self) -> None:
        """One request each way that does not count, for the first lookup of a name and what else is once.

        Raises:
            RequestException: the first error; what does not work once is not tried a hundred times.
        """
        for way in ways_for(self._options).values():
            with contextlib.closing(way):
                way.ask(self._timeout())

    def measure(self) -> None:
        """Send the requests, by each way in turns, until all are sent or the run is over.

        Raises:
            KeyboardInterrupt: Ctrl-C. What was measured by then can be had from `figures`.
        """
        left = dict.fromkeys(self._ways, self._options.requests)
        order = list(self._ways)
        while any(left.values()) and not self._is_over():
            for name in order:
                turn = shares(left[name], self._options.concurrency, TURN)
                left[name] -= sum(turn)
                self._take_turn(self._ways[name], turn)
            self._progress(sum(self._options.requests - more for more in left.values()))
            # None of them is always the first one after the same other.
            order.append(order.pop(0))

    def close(self) -> None:
        """Close the connections; no request is begun any more."""
        self._over.set()
        for way in self._ways.values():
            way.close()

    def _take_turn(self, way: Way, turn: list[int]) -> None:
        """A turn of one way: each thread sends as many requests as its share says."""
        if len(turn) == 1:  # here, where Ctrl-C ends a request at once
            self._send_some(way, turn[0])
            return
        threads = [
            threading.Thread(target=self._send_some_guarded, args=(way, count), daemon=True) for count in turn
        ]
        begun: list[threading.Thread] = []
        try:
            for thread in threads:
                thread.start()
                begun.append(thread)
            for thread in begun:
                thread.join()
        except BaseException:
            self._over.set()
            _wait_for(begun, GRACE)
            raise
        if self._crashes:
            raise self._crashes[0]

    def _send_some_guarded(self, way: Way, count: int) -> None:
        try:
            self._send_some(way, count)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for this one
            self._crashes.append(error)
            self._over.set()

    def _send_some(self, way: Way, count: int) -> None:
        for _ in range(count):
            if self._is_over():
                return
            self._send_one(way)
            if self._options.pause:
                self._over.wait(min(self._options.pause, max(0.0, self._ends - time.monotonic())))

    def _send_one(self, way: Way) -> None:
        try:
            reply = way.ask(self._timeout())
        except RequestException as error:
            self._note_failure(way.tally, error)
        except BaseException:
            way.tally.cut_off()
            raise
        else:
            way.tally.answered(reply)

    def _note_failure(self, tally: Tally, error: RequestException) -> None:
        if time.monotonic() >= self._ends:  # it is the bound of the run that the request ran into
            tally.cut_off()
            return
        if tally.failed(error) >= MOST_FAILURES:
            self._end(ENDED_BY_FAILURES)

    def _is_over(self) -> bool:
        if time.monotonic() >= self._ends:
            self._end(ENDED_BY_TIME)
        return self._over.is_set()

    def _end(self, why: str) -> None:
        if not self._over.is_set():
            self.ended = why
            self._over.set()

    def _timeout(self) -> Timeout:
        """The limits of one request: the user's over all of it, and no longer than the run lasts."""
        left = max(_LEAST, self._ends - time.monotonic())
        limit = self._options.timeout
        return Timeout(total=left if limit is None else min(limit, left))


def _session(options: Options, pool: ConnectionPool) -> Session:
    """A Session by the user's settings, with a pool whose connections are counted."""
    session = Session(headers=options.headers, verify=options.verify, proxies=options.proxies)
    if options.unix_socket is not None:
        adapter_of_socket = HTTPAdapter(unix_socket=options.unix_socket)
        for prefix in ("http://", "https://"):
            session.mount(prefix, adapter_of_socket)
    adapter = session.get_adapter(options.url)
    assert isinstance(adapter, HTTPAdapter), "who made the session has mounted no other"
    adapter.pool = pool
    return session


def _reply(response: Response, seconds: float, options: Options) -> Reply:
    return Reply(
        seconds=seconds,
        status=response.status_code,
        size=len(response.content),
        farewell=why_it_closes(
            version=response.raw.version,
            headers=response.headers,
            has_body=options.method != "HEAD" and response.status_code not in (204, 304),
            is_asked_to=asks_to_close(options.headers),
        ),
        # Made by the library from what it knows of each response; older ones have none.
        steps=steps_of(response.timing),
    )


def asks_to_close(headers: Mapping[str, str | None]) -> bool:
    """Whether the user's own headers ask the server to close each connection (RFC 9112, section 9.6)."""
    values = (value or "" for name, value in headers.items() if name.lower() == "connection")
    return any("close" in value.lower() for value in values)


def _wait_for(threads: list[threading.Thread], seconds: float) -> None:
    limit = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, limit - time.monotonic()))
