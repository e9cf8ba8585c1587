"""Servers close connections that are idle for too long, and no caller ever notices: laws R3, R4 and P1.

Each server of this world has its own idea of "too long", and mostly keeps it to itself. So a client that
makes pauses comes back a bit before the server has closed, a bit after, or in that very instant, when its
request and the server's goodbye cross on the wire. Here nine of them are visited by one session each, all at
the same time, for `REQUESTS` requests with pauses of these three kinds. The visit happens once; the tests
below ask what came of it.

Whatever the pause, a GET may go out: if it was lost with its connection, it is sent again (law P1). A POST
may not, since the server may have read it: the caller has to be told, and no client can do better. So POSTs
come after a pause that is clearly too short, or over, or after no pause at all; those of the instant are GETs
and, as law P1 takes these for as good, POSTs with an Idempotency-Key.

Several connections shall be idle at once, so that each pause is worth several tries. An answer that is not
read keeps its connection, and the next request takes another: that is how a visit comes to them.
"""

from __future__ import annotations

import select
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

import pystickyhttp
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.exceptions import RequestException
from pystickyhttp.transport import HTTPConnection
from tests.servers import surroundings
from tests.servers.real import RealServer, RealServers

REQUESTS = 200

# For how many seconds each keeps an idle connection if nobody tells it otherwise, and where it says so.
DEFAULTS = {
    "gunicorn": 2,  # gunicorn.config.Keepalive; of the workers gthread
    "gunicorn_sync": 2,  # the same, but its workers close after each answer
    "uvicorn": 5,  # uvicorn.Config(timeout_keep_alive=5)
    "hypercorn": 5,  # hypercorn.config.Config.keep_alive_timeout
    "cheroot": 10,  # cheroot.wsgi.Server(timeout=10); a look each 0.5 s (expiration_interval)
    "nginx": 75,  # keepalive_timeout of ngx_http_core_module
    "aiohttp": 75,  # aiohttp.web.run_app(keepalive_timeout=75.0)
    "waitress": 120,  # waitress.adjustments.Adjustments.channel_timeout; a look each 30 s (cleanup_interval)
    "tornado": 3600,  # tornado.httpserver.HTTPServer: idle_connection_timeout or 3600
}
# A test can't wait for those that wait for longer than 10 s: they are told to by their own option.
# waitress has a look each second then, so a connection may live for twice as long.
SHORTENED = {"nginx": 2, "aiohttp": 2, "waitress": 1, "tornado": 2}

# How many connections are left alone at a time, of these taken again before the server closes them, and when
# it does. cheroot keeps no more than 10. The last one is left to the server, to see when that is.
IDLE = 7
TAKEN_BEFORE = 2
TAKEN_THEN = 4
PER_PAUSE = IDLE + TAKEN_BEFORE + TAKEN_THEN
# By how many the GETs of a pause are more than its POSTs.
MORE_GETS = IDLE - TAKEN_BEFORE

# How many seconds before the server closes is clearly before, on a machine with a lot to do too.
MARGIN = 0.5
# How many seconds off the instant the requests come: the server too does not meet it by the microsecond.
JITTER = (-0.003, -0.0015, -0.0007, -0.0003, 0.0, 0.0003, 0.001)
# How many seconds after its time a server must have closed.
PATIENCE = 15.0


def pauses_of(seconds: int) -> int:
    """How many pauses each visit makes, so that all take about as long: some 20 s."""
    return max(2, min(10, 20 // seconds))


@dataclass(frozen=True)
class Held:
    """An answer of which the body was not read yet."""

    method: str
    path: str
    moment: str
    response: pystickyhttp.Response


class Visit:
    """What one session does to one server that closes connections which are idle for `seconds`.

    Attributes:
        asked: the requests, as the server's log should tell them.
        once: those of them that must not arrive twice.
        failures: what the caller noticed.
        log: what the server says: for each request its connection, and method and path.
    """

    def __init__(self, server: RealServer, seconds: int) -> None:
        self.server = server
        self.seconds = seconds
        self.session = pystickyhttp.Session()
        self.asked: list[str] = []
        self.once: list[str] = []
        self.failures: list[str] = []
        self.log: list[tuple[str, str]] = []
        # The one worker of gunicorn_sync waits for the client's close, so nothing goes on as long as an
        # answer is held. It leaves no connection idle either.
        self._one_at_a_time = server.name == "gunicorn_sync"
        self._held: list[Held] = []
        # Seconds from an answer to the instant in which the server closes, as it was the last time.
        self._delay = float(seconds)

    # -- one request --------------------------------------------------------------------------------------

    def ask(self, method: str, moment: str) -> None:
        self.hold(method, moment)
        self.release()

    def hold(self, method: str, moment: str, *, key: bool = False) -> float:
        """Ask, and keep the connection until `release`; returns when the answer came."""
        path = f"/echo/{len(self.asked)}"
        self.asked.append(f"{method} {path}")
        if method == "POST" and not key:
            self.once.append(self.asked[-1])
        body = path.encode() if method == "POST" else None
        headers = {"Idempotency-Key": path} if key else {}
        try:
            response = self.session.request(
                method, self.server.url + path, data=body, headers=headers, stream=True
            )
        except RequestException as error:
            self.failures.append(f"{method} {path}, {moment}: {error!r}")
        else:
            self._held.append(Held(method, path, moment, response))
        now = time.monotonic()
        if self._one_at_a_time:
            self.release()
        return now

    def release(self) -> None:
        """Read the answers, the last one first: idle connections are a stack (R2), so they come out in the
        order in which they were asked."""
        while self._held:
            held = self._held.pop()
            try:
                answer = held.response.json()
            except RequestException as error:
                self.failures.append(f"the answer to {held}: {error!r}")
                continue
            body = held.path if held.method == "POST" else ""
            # nginx tells method and path, but can't repeat a body.
            if (answer["method"], answer["path"], answer.get("body", body)) != (held.method, held.path, body):
                self.failures.append(f"the answer to {held}: {answer}")

    def idle(self) -> list[HTTPConnection]:
        """The idle connections of the session, the one that is taken first ahead."""
        adapter = self.session.get_adapter(self.server.url)
        assert isinstance(adapter, HTTPAdapter)
        return list(adapter.pool._ledger.idle_connections())[::-1]

    # -- the visit ----------------------------------------------------------------------------------------

    def run(self) -> Visit:
        pauses = pauses_of(self.seconds)
        with self.session:
            for pause in range(1, pauses + 1):
                self._ask_without_pauses(REQUESTS * pause // pauses - PER_PAUSE)
                if pause == 1:
                    self._outwait_the_server()
                else:
                    self._come_back_before_and_then(pause)
        self.log = self.server.log()
        return self

    def _ask_without_pauses(self, until: int) -> None:
        """Ask until so many requests went out: GET and POST in turn, with POSTs for the pause's GETs ahead."""
        # The first is a GET, as nobody knows how the last pause has left the connection.
        self.ask("GET", "after a pause")
        while len(self.asked) < until:
            count = methods(self.asked)
            self.ask("POST" if count["POST"] < count["GET"] + MORE_GETS else "GET", "without a pause")

    def _leave_alone(self) -> list[float]:
        """Make IDLE connections idle; returns when each was, in the order in which they are taken again."""
        since = [self.hold("GET", "before a pause") for _ in range(IDLE)]
        self.release()
        return since

    def _outwait_the_server(self) -> None:
        """Come back when the server has closed all connections, and see when it does."""
        since = self._leave_alone()
        closings = self._wait_until_closed()
        delays = [closings[c] - start for c, start in zip(self.idle(), since, strict=False)]
        if delays:
            self._delay = statistics.median(delays)
        self.ask("POST", "after the server has closed all connections")

    def _come_back_before_and_then(self, pause: int) -> None:
        """Come back on some connections clearly before the server closes, on others when it does."""
        since = self._leave_alone()
        sleep_until(since[0] + self.seconds - MARGIN)
        if time.monotonic() > since[0] + self.seconds - MARGIN / 2:
            # This machine has slept for too long, and "clearly before" is over.
            self._wait_until_closed()
        for _ in range(TAKEN_BEFORE):
            self.hold("POST", "a bit before the server closes")
        for number in range(TAKEN_BEFORE, TAKEN_BEFORE + TAKEN_THEN):
            sleep_until(since[number] + self._delay + JITTER[(number + pause) % len(JITTER)])
            method = "POST" if number % 2 else "GET"
            self.hold(method, "when the server closes", key=method == "POST")
        closings = self._wait_until_closed()
        if closings:
            self._delay = max(closings.values()) - since[-1]
        self.release()

    def _wait_until_closed(self) -> dict[HTTPConnection, float]:
        """Wait until the server has closed the connections that are idle now; returns when it did each."""
        poll = select.poll()
        waiting = {connection._socket.fileno(): connection for connection in self.idle()}
        for descriptor in waiting:
            poll.register(descriptor, select.POLLIN)
        closed: dict[HTTPConnection, float] = {}
        limit = time.monotonic() + self.seconds + PATIENCE
        while waiting:
            for descriptor, _ in poll.poll(max(0.0, limit - time.monotonic()) * 1000):
                poll.unregister(descriptor)
                closed[waiting.pop(descriptor)] = time.monotonic()
            assert time.monotonic() < limit, f"{self.server} does not close idle connections: {waiting}"
        return closed


def sleep_until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.monotonic()))


def methods(lines: Iterable[str]) -> Counter[str]:
    return Counter(line.partition(" ")[0] for line in lines)


# -- announcements ----------------------------------------------------------------------------------------

ANNOUNCED = 2


@dataclass(frozen=True)
class Announcement:
    """What came of a visit to a server that says `Keep-Alive: timeout=2`.

    Attributes:
        announced: what it said.
        still_open: whether the idle connection was still alive when the client came back.
        log: for each request its connection, and method and path: two without a pause, two after it.
    """

    announced: str
    still_open: bool
    log: list[tuple[str, str]]


def visit_announcing(server: RealServer) -> Announcement:
    with pystickyhttp.Session() as session:
        announced = session.get(server.url + "/echo/0").headers["Keep-Alive"]
        session.post(server.url + "/echo/1", data=b"body")
        adapter = session.get_adapter(server.url)
        assert isinstance(adapter, HTTPAdapter)
        (connection,) = adapter.pool._ledger.idle_connections()
        # The last second begins here.
        time.sleep(ANNOUNCED - 1)
        readable, _, _ = select.select([connection._socket], [], [], 0)
        session.post(server.url + "/echo/2", data=b"body")
        session.get(server.url + "/echo/3")
    return Announcement(announced, not readable, server.log())


# -- all at the same time ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Visits:
    idling: dict[str, Future[Visit]]
    announcing: dict[str, Future[Announcement]]


@pytest.fixture(scope="module")
def visits(ca: trustme.CA, ca_file: str, empty_home: Path) -> Iterator[Visits]:
    """All the visits, over. A failure of one is raised by its own result."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        RealServers(ca, ca_file) as servers,
        ThreadPoolExecutor(len(DEFAULTS) + 2) as threads,
    ):
        surroundings.hush(monkeypatch, empty_home)
        # First all the servers, then all the visits: a program that starts takes the processor from the rest.
        idling = dict(zip(DEFAULTS, threads.map(lambda name: start(servers, name), DEFAULTS), strict=True))
        announcing = {name: servers.announcing(name, ANNOUNCED) for name in ("nginx", "cheroot")}
        yield Visits(
            {name: threads.submit(visit.run) for name, visit in idling.items()},
            {name: threads.submit(visit_announcing, server) for name, server in announcing.items()},
        )


def start(servers: RealServers, name: str) -> Visit:
    shortened = SHORTENED.get(name)
    return Visit(servers.idling(name, shortened), shortened or DEFAULTS[name])


@pytest.mark.parametrize("name", DEFAULTS)
def test_no_error_reaches_a_caller_who_makes_pauses_about_as_long_as_the_server_waits(
    visits: Visits, name: str
) -> None:
    """R4, P1: 200 requests, GET and POST in turn, before, after, and in the instant of the server's close.

    gunicorn, uvicorn, hypercorn and cheroot close when they do by default; nginx, aiohttp, waitress and
    tornado wait for longer by default than any test can, and are told by their own option to close after 2 s
    (waitress 1 s).
    """
    visit = visits.idling[name].result()
    assert visit.failures == []
    assert len(visit.asked) == REQUESTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_request_reaches_a_server_that_closes_and_a_post_never_twice(visits: Visits, name: str) -> None:
    """P1: what was sent again was a GET or had an Idempotency-Key."""
    visit = visits.idling[name].result()
    arrived = Counter(line for _, line in visit.log)
    assert set(arrived) == set(visit.asked)
    assert [line for line in visit.once if arrived[line] != 1] == []
    assert methods(visit.asked) == {"GET": REQUESTS / 2, "POST": REQUESTS / 2}


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name != "gunicorn_sync"])
def test_a_server_that_closes_idle_connections_sees_them_used_again_as_long_as_it_keeps_them(
    visits: Visits, name: str
) -> None:
    """R4: fewer connections than requests, and others in the place of those that it closed."""
    visit = visits.idling[name].result()
    assert IDLE < len({connection for connection, _ in visit.log}) < REQUESTS


@pytest.mark.parametrize("name", ["nginx", "cheroot"])
def test_a_connection_is_not_used_in_the_last_second_that_the_server_announces(
    visits: Visits, name: str
) -> None:
    """R3: a POST that comes back then takes a new connection, though the old one is still open.

    The server closes long after the time that it announces, so that it is not its close that is seen here.
    """
    visit = visits.announcing[name].result()
    assert visit.announced == f"timeout={ANNOUNCED}"
    assert visit.still_open
    (first, second, third, fourth), lines = zip(*visit.log, strict=True)
    assert lines == ("GET /echo/0", "POST /echo/1", "POST /echo/2", "GET /echo/3")
    assert first == second != third == fourth
