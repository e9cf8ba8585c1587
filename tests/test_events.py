"""`Session(trace=...)` and the log: what they tell, in which order, and what they never do."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import logging
import pickle
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from pystickyhttp import (
    Limits,
    PreparedRequest,
    Response,
    Retry,
    Session,
    events,
)
from pystickyhttp import Request as Asked
from pystickyhttp.auth import HTTPDigestAuth
from pystickyhttp.events import Event
from pystickyhttp.exceptions import IncompleteBody, RequestException
from pystickyhttp.telling import SOURCES, here
from tests.patience import wait_for
from tests.servers.proxies import ProxyServer, basic
from tests.servers.scripted import Peer, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left
from tests.servers.socks import SocksServer
from tests.servers.unix import UnixServer
from tests.servers.wire import Request
from tests.test_replay import dies

E = TypeVar("E", bound=Event)


class Trace:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def one(self, kind: type[E]) -> E:
        (found,) = self.all(kind)
        return found

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def trace() -> Trace:
    return Trace()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged while every logger of the package writes."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    logger = logging.getLogger("pystickyhttp")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield text
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


def ok(_: Request) -> bytes:
    return respond(b"ok")


def walking(request: Request) -> bytes:
    if request.target.startswith("/from"):
        return respond(status=302, headers={"Location": "/to?q=canary-query#canary-fragment"})
    return ok(request)


EXCHANGE = ["RequestSent", "ResponseStarted"]
ENDED = ["ResponseEnded", "ConnectionReleased"]


# --- what is told, in which order


def test_a_request_is_told_from_its_beginning_to_its_end(trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session(trace=trace) as session:
        session.get(server.url("/path?query"))
        start, end = ["RequestStarted", "AttemptStarted"], ["AttemptEnded", *ENDED, "RequestEnded"]
        assert trace.names() == [*start, "Connected", "ConnectionOpened", *EXCHANGE, *end]
        trace.events.clear()
        session.get(server.url("/path?query"))
        assert trace.names() == [*start, "ConnectionReused", *EXCHANGE, *end]
        assert trace.one(events.RequestStarted).url == server.url("/path")
        assert trace.one(events.RequestSent).path == "/path"
        assert trace.one(events.ResponseStarted).status == trace.one(events.RequestEnded).status == 200
        assert trace.one(events.ResponseEnded).received == 2
        assert trace.one(events.ConnectionReleased).served == 2


def test_the_events_of_one_request_bear_its_number_and_are_in_the_order_of_the_clocks(trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session(trace=trace) as session:
        session.get(server.url())
        session.get(server.url())
    numbers = [event.request_id for event in trace.events]
    first, second, none = dict.fromkeys(numbers)
    assert numbers == [*sorted(number for number in numbers if number), none]
    assert none == 0  # the session was closed
    assert second > first > 0
    clock = [event.monotonic for event in trace.events]
    assert clock == sorted(clock)
    (connection,) = {event.connection for event in trace.events if isinstance(event, events.ConnectionEvent)}
    assert connection > 0


def test_a_walk_along_redirects_is_one_request(trace: Trace) -> None:
    with ScriptedServer(keep_alive(walking)) as server, Session(trace=trace) as session:
        session.get(server.url("/from"))
        assert len({event.request_id for event in trace.events}) == 1
        assert trace.one(events.Redirected).url == server.url("/to")
        assert trace.one(events.RequestEnded).redirects == 1
        assert len(trace.all(events.AttemptStarted)) == 2
        assert trace.names().count("RequestStarted") == 1


def test_retries_are_told(trace: Trace) -> None:
    answers = iter([respond(status=503), respond(b"ok")])
    with ScriptedServer(keep_alive(lambda _: next(answers))) as server:
        with Session(retries=Retry(1, status_forcelist={503}), trace=trace) as session:
            session.get(server.url())
    assert [each.number for each in trace.all(events.AttemptStarted)] == [1, 2]
    assert [each.status for each in trace.all(events.AttemptEnded)] == [503, 200]
    assert trace.one(events.Retrying).number == 2


def test_a_failure_is_told_by_its_name(trace: Trace) -> None:
    with closed_port() as port, Session(retries=1, trace=trace) as session:
        with pytest.raises(RequestException):
            session.get(f"http://127.0.0.1:{port}/")
    assert [each.error for each in trace.all(events.AttemptFailed)] == ["ConnectError"] * 2
    assert trace.one(events.RequestFailed).error == "ConnectError"


def test_a_replay_is_told(trace: Trace) -> None:
    """P1."""
    with dies() as server, Session(trace=trace) as session:
        session.get(server.url())
        trace.events.clear()
        session.get(server.url())
        names = trace.names()
        way = ["ConnectionReused", "RequestSent", "ConnectionDiscarded", "Replayed", "Connected"]
        assert names[2:8] == [*way, "ConnectionOpened"]
        assert trace.one(events.Replayed).connection == trace.one(events.ConnectionReused).connection


def test_the_steps_of_a_dial_are_told(trace: Trace, tls_context: ssl.SSLContext, ca_file: str) -> None:
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server:
        with ProxyServer({f"example.com:{server.port}": server.address}) as proxy:
            with Session(verify=ca_file, proxies={"all": proxy.url()}, trace=trace) as session:
                for _ in range(2):
                    session.get(server.url(host="example.com"))
                    session.close()
    dial = ["Connected", "TunnelMade", "TLSHandshaked", "ConnectionOpened"]
    assert trace.names()[2:6] == dial
    assert [each.resumed for each in trace.all(events.TLSHandshaked)] == [False, True]
    assert [each.resumed for each in trace.all(events.ConnectionOpened)] == [False, True]
    assert trace.all(events.Connected)[0].peer == f"127.0.0.1:{proxy.port}"


def test_a_name_is_told_with_the_number_of_its_addresses(trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server:
        with Session(resolver=lambda *_: [server.host], trace=trace) as session:
            session.get(server.url(host="example.com"))
    told = trace.one(events.DNSResolved)
    assert (told.name, told.addresses) == ("example.com", 1)


def test_the_peer_of_a_unix_socket_is_its_path(trace: Trace) -> None:
    with UnixServer(keep_alive(ok)) as server, Session(trace=trace) as session:
        session.get(server.url())
        assert trace.one(events.Connected).peer == server.path
        assert list(session.stats().hosts) == [f"http+unix://{server.path}"]


def test_what_becomes_of_a_streamed_response_is_told_though_its_request_is_over(trace: Trace) -> None:
    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        peer.stall()

    with ScriptedServer(script) as server, Session(trace=trace) as session:
        session.get(server.url(), stream=True).close()
        told = trace.one(events.ConnectionDiscarded)
        assert told.reason == "a body was not read to its end"
        assert told.request_id == trace.one(events.RequestStarted).request_id


def test_an_event_of_no_request_bears_no_number() -> None:
    assert str(events.ConnectionReleased(0, 1, 2.0, 3, 1)) == "connection #3 given back after 1 exchange"
    assert str(Event(0, 1, 2.0)) == "Event"


def test_a_wait_is_told_and_what_a_thread_does_bears_its_own_number(trace: Trace) -> None:
    """L2."""
    with ScriptedServer(keep_alive(ok)) as server:
        with Session(limits=Limits(max_connections=1), trace=trace) as session:
            with session.get(server.url(), stream=True):
                thread = threading.Thread(target=session.get, args=(server.url(),))
                thread.start()
                wait_for(lambda: session.stats().waiting == 1, "it waits")
            thread.join()
    waited, (first, second) = trace.one(events.ConnectionWaited), trace.all(events.RequestStarted)
    assert waited.request_id == second.request_id != first.request_id
    assert waited.seconds > 0


def test_a_streamed_body_is_told_behind_the_end_of_its_request_and_by_its_number(trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session(trace=trace) as session:
        response = session.get(server.url(), stream=True)
        assert trace.names()[-1] == "RequestEnded"
        with ThreadPoolExecutor(1) as other:
            assert other.submit(lambda: response.content).result() == b"ok"
        assert trace.names()[-2:] == ENDED
        assert len({event.request_id for event in trace.events}) == 1


def test_a_body_that_breaks_off_is_told(trace: Trace) -> None:
    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")

    with ScriptedServer(script) as server, Session(trace=trace) as session:
        with pytest.raises(IncompleteBody):
            session.get(server.url())
    assert trace.one(events.ResponseFailed).error == "IncompleteBody"
    assert trace.one(events.ConnectionDiscarded).reason == "it broke"
    assert trace.one(events.RequestFailed).error == "IncompleteBody"


def test_a_request_that_a_hook_sends_is_one_of_its_own(trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session(trace=trace) as session:

        def hook(response: Response, **_: Any) -> None:
            session.get(server.url("/inner"), hooks={"response": []})

        session.get(server.url("/outer"), hooks={"response": [hook]})
    ids = {event.url: event.request_id for event in trace.all(events.RequestStarted)}
    assert len(set(ids.values())) == 2
    assert [each.request_id for each in trace.all(events.RequestEnded)] == [*reversed(ids.values())]


def test_a_session_without_a_trace_is_not_told_of_within_one_that_has_one(trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session(trace=trace) as session, Session() as other:

        def body() -> Iterator[bytes]:
            other.get(server.url("/untold"))
            yield b"body"

        session.post(server.url("/told"), data=body())
    assert [request.target for request in server.requests].count("/untold") == 1
    assert len(trace.all(events.ResponseStarted)) == 1
    assert not [each for each in trace.all(events.RequestSent) if each.path == "/untold"]


def test_an_answer_to_a_challenge_belongs_to_its_request(trace: Trace) -> None:
    def answer(request: Request) -> bytes:
        if request.header("Authorization") is None:
            return respond(
                status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
            )
        return ok(request)

    with ScriptedServer(keep_alive(answer)) as server, Session(trace=trace) as session:
        assert session.get(server.url(), auth=HTTPDigestAuth("user", "canary")).ok
    assert [each.status for each in trace.all(events.AttemptEnded)] == [401, 200]
    assert len({event.request_id for event in trace.events if event.request_id}) == 1


def test_a_subclass_that_has_its_own_send_is_told_of_once(trace: Trace) -> None:
    class Own(Session):
        def send(self, request: PreparedRequest, **settings: Any) -> Response:
            return super().send(request, **settings)

    with ScriptedServer(keep_alive(walking)) as server, Own(trace=trace) as session:
        session.get(server.url("/from"))
    assert trace.names().count("RequestStarted") == 1
    assert trace.one(events.RequestEnded).redirects == 1


def test_the_same_prepared_request_can_be_sent_by_two_threads(trace: Trace) -> None:
    """L4."""
    with ScriptedServer(keep_alive(ok)) as server, Session(trace=trace) as session:
        prepared = session.prepare_request(Asked("GET", server.url()))
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(session.send, [prepared] * 20))
    by_number: dict[int, list[str]] = {}
    for event in trace.events:
        by_number.setdefault(event.request_id, []).append(type(event).__name__)
    by_number.pop(0, None)
    assert len(by_number) == 20
    for names in by_number.values():
        assert (names[0], names[-1]) == ("RequestStarted", "RequestEnded")
        assert names.count("RequestSent") == 1


# --- the callable


def test_it_can_be_set_later_and_taken_away(trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        session.trace = trace
        session.get(server.url())
        told = len(trace.events)
        assert told
        session.trace = None
        session.get(server.url())
        assert len(trace.events) == told
        assert session.trace is None


def test_what_can_not_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="trace is 'print'"):
        Session(trace="print")  # type: ignore[arg-type]


def test_an_error_of_the_trace_is_a_warning_and_does_not_reach_the_request() -> None:
    def explode(event: Event) -> None:
        raise ZeroDivisionError("mine")

    with ScriptedServer(keep_alive(ok)) as server, Session(trace=explode) as session:
        with pytest.warns(RuntimeWarning, match=r"the trace raised ZeroDivisionError at \w+: mine"):
            response = session.get(server.url())
        assert response.content == b"ok"
        session.trace = None
        assert session.stats().opened == 1


def two_requests(session: Session, url: str, *, streamed: bool) -> None:
    session.get(url)
    _ = session.get(url, stream=streamed).content
    session.close()


WAY = ["RequestStarted", "AttemptStarted", "DNSResolved", "Connected", "ConnectionOpened", "ConnectionReused"]
THEN = ["AttemptEnded", "RequestEnded", "ConnectionDiscarded"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("where", [*WAY, *EXCHANGE, *ENDED, *THEN])
def test_an_interrupt_in_the_trace_passes_and_harms_nothing(
    where: str, streamed: bool, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """L3: at every event."""

    with ScriptedServer(keep_alive(ok), tls=tls, handshake_may_fail=True) as server:
        resolver = lambda *_: [server.host]  # noqa: E731
        with (
            no_socket_left(),
            Session(resolver=resolver, limits=Limits(max_connections=1), verify=ca_file) as session,
        ):
            session.trace = interrupting(where)
            url = server.url(host="example.com")
            with pytest.raises(KeyboardInterrupt):
                two_requests(session, url, streamed=streamed)
            session.trace = None
            assert here.teller is None
            assert session.stats().active == 0
            assert session.get(url).content == b"ok"  # the one slot is free
            session.close()


@pytest.mark.parametrize("where", ["Connected", "TunnelMade", "TLSHandshaked"])
def test_an_interrupt_amid_a_dial_leaves_no_socket(
    where: str, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """L3: in the trace, while nobody but the dialling thread knows the socket."""
    with (
        ScriptedServer(keep_alive(ok), tls=tls_context, handshake_may_fail=True) as server,
        ProxyServer(tls=tls_context, handshake_may_fail=True) as proxy,
        no_socket_left(),
        Session(verify=ca_file, proxies={"all": proxy.url()}, trace=interrupting(where)) as session,
    ):
        with pytest.raises(KeyboardInterrupt):
            session.get(server.url())
        assert session.stats().active == 0
        session.trace = None
        assert session.get(server.url()).content == b"ok"


@pytest.mark.parametrize("where", ["Replayed", "Redirected", "Retrying", "ConnectionWaited"])
def test_an_interrupt_on_a_detour_frees_the_slot(where: str) -> None:
    """L3, P1, L2."""
    again = iter([respond(status=503), *[respond(status=302, headers={"Location": "/"})] * 3])

    def script(peer: Peer) -> None:
        keep_alive(lambda request: next(again) if request.target == "/detour" else ok(request))(peer)

    def first(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))
        peer.expect_request()

    retries = Retry(1, status_forcelist={503})
    scripts: list[Callable[[Peer], None]] = [first, script, script, script]
    with ScriptedServer(scripts) as server, no_socket_left():
        with Session(retries=retries, limits=Limits(max_connections=1)) as session:
            session.get(server.url())
            session.trace = interrupting(where)
            with pytest.raises(KeyboardInterrupt):
                go_all_ways(session, server)
            session.trace = None
            assert session.stats().active == 0
            assert session.get(server.url()).content == b"ok"


def test_an_interrupt_as_a_connection_is_handed_over_leaves_no_socket() -> None:
    """L3, X4."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        assert peer.read_some() == b""

    with ScriptedServer(script) as server, no_socket_left(), Session() as session:
        session.trace = interrupting("ConnectionDiscarded")
        response = session.get(server.url(), headers={"Upgrade": "x", "Connection": "upgrade"}, stream=True)
        with pytest.raises(KeyboardInterrupt):
            response.raw.detach()
        assert session.stats().active == 0
        assert session.stats().discarded == {"it was handed over after a change of protocol": 1}


def go_all_ways(session: Session, server: ScriptedServer) -> None:
    session.get(server.url())  # the first connection dies of it
    session.get(server.url("/detour"))
    held = session.get(server.url(), stream=True)
    reader = threading.Thread(target=read_when_waited_for, args=(session, held))
    reader.start()
    try:
        session.get(server.url())
    finally:
        reader.join()


def read_when_waited_for(session: Session, held: Response) -> None:
    wait_for(lambda: session.stats().waiting == 1, "it waits")
    _ = held.content


def interrupting(where: str) -> Callable[[Event], None]:
    def interrupt(event: Event) -> None:
        if type(event).__name__ == where:
            raise KeyboardInterrupt

    return interrupt


def test_the_trace_may_use_the_session() -> None:
    """Nothing is told under a lock."""
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        seen: list[str] = []

        def curious(event: Event) -> None:
            seen.append(f"{session.stats().opened} {session!r} {event}")
            session.get(server.url("/inner"))

        session.trace = curious
        session.get(server.url("/outer"))
        session.trace = None
        assert len(seen) == 9
        assert not [text for text in seen if "/inner" in text]  # what it sends is told to nobody
        assert [request.target for request in server.requests].count("/inner") == len(seen)


def named(event: Event) -> None:
    """A trace that has a name, by which pickle finds it."""


def test_a_trace_travels_if_it_can_be_pickled() -> None:
    with Session(trace=named) as session:
        assert pickle.loads(pickle.dumps(session)).trace is named
        session.trace = lambda _: None
        assert pickle.loads(pickle.dumps(session)).trace is None


def kinds() -> list[type[Event]]:
    found = [each for _, each in inspect.getmembers(events, inspect.isclass) if issubclass(each, Event)]
    return [each for each in found if each not in (Event, events.ConnectionEvent)]


@pytest.mark.parametrize("kind", kinds())
def test_an_event_does_not_change_pickles_and_has_a_line(kind: type[Event]) -> None:
    values = {"int": 3, "float": 0.25, "str": "text", "str | None": "text", "bool": True}
    facts = {field.name: values[str(field.type)] for field in dataclasses.fields(kind)}
    event = kind(**facts)  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(event)) == event
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.at = 1  # type: ignore[misc]
    line = str(event)
    assert line.startswith("request 3: ")
    assert "\n" not in line
    assert kind.source in SOURCES
    if isinstance(event, events.ConnectionEvent):
        assert "connection #3" in line


# --- the log


def test_the_log_has_a_line_for_each_event(log: io.StringIO, trace: Trace) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session(trace=trace) as session:
        session.get(server.url())
    lines = log.getvalue().splitlines()
    assert lines == [f"pystickyhttp.{event.source} DEBUG {event}" for event in trace.events]


def test_it_is_written_without_a_trace_too(log: io.StringIO) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        session.get(server.url())
    assert "connection #" in log.getvalue()
    assert "discarded: the pool was closed" in log.getvalue()


def test_a_handler_of_the_log_may_send_what_it_is_given(log: io.StringIO) -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:

        class Sender(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                session.post(server.url("/log"), data=record.getMessage())

        handler = Sender()
        logging.getLogger("pystickyhttp").addHandler(handler)
        try:
            session.get(server.url("/"))
        finally:
            logging.getLogger("pystickyhttp").removeHandler(handler)
        lines = [request.body.decode() for request in server.requests if request.target == "/log"]
        assert lines
        assert not [line for line in lines if "/log" in line]


def test_one_logger_can_be_turned_on_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "pystickyhttp.redirects"):
        with ScriptedServer(keep_alive(walking)) as server, Session() as session:
            session.get(server.url("/from"))
    assert [record.name for record in caplog.records] == ["pystickyhttp.redirects"]


def test_nothing_is_made_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr("pystickyhttp.telling.Teller.__init__", lambda *_: made.append(_))
    with ScriptedServer(keep_alive(walking)) as server, Session() as session:
        session.get(server.url("/from"))
    assert made == []


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_a_program_that_imports_logging_after_the_package_is_heard() -> None:
    with ScriptedServer(keep_alive(ok)) as server:
        told = run(
            "import sys, pystickyhttp\n"
            f"pystickyhttp.get({server.url()!r})\n"
            "assert 'logging' not in sys.modules and 'pystickyhttp.events' not in sys.modules\n"
            "import logging\n"
            "logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)\n"
            f"pystickyhttp.get({server.url()!r})\n"
        )
    assert "DEBUG:pystickyhttp.connection:request 1: connection #2: GET / sent in" in told


# --- secrets

CANARY = "canary"
URL_SECRETS = "?token=canary-query#canary-fragment"


def answer_with_secrets(request: Request) -> bytes:
    path = urlsplit(request.target).path
    cookie = {"Set-Cookie": "b=canary-set"}
    if path == "/from":
        return respond(status=302, headers={"Location": f"/to{URL_SECRETS}", **cookie})
    if path == "/again":
        return respond(status=503, headers={"Retry-After": "0"})
    return respond(b"canary-body", headers=cookie)


def tell_everything(ca_file: str, tls_context: ssl.SSLContext, session: Session) -> None:
    """Requests with secrets everywhere, by every kind of way, to every kind of end."""
    headers = {"Authorization": "Bearer canary-header", "Cookie": "a=canary-cookie", "X-Key": "canary-x"}
    authorization = basic("canary-user", "canary-password")

    def url(server: ScriptedServer, path: str) -> str:
        return server.url(path + URL_SECRETS).replace("://", "://canary-user:canary-password@")

    def get(url: str, **more: Any) -> None:
        with contextlib.suppress(RequestException):
            session.request("POST", url, data=b"canary-data", headers=headers, **more)

    socks_login = (b"canary-user", b"canary-password")
    with (
        ScriptedServer(keep_alive(answer_with_secrets)) as plain,
        ScriptedServer(keep_alive(answer_with_secrets), tls=tls_context) as secure,
        ProxyServer(authorization=authorization) as proxy,
        ProxyServer(authorization=authorization, tls=tls_context) as secure_proxy,
        SocksServer(credentials=socks_login) as socks,
    ):
        login = "://canary-user:canary-password@"
        ways = [{}, *({"all": each.url().replace("://", login)} for each in (proxy, secure_proxy))]
        ways.append({"all": f"socks5h{login}127.0.0.1:{socks.port}"})
        ways.append({"all": f"http://canary-user:canary-wrong@127.0.0.1:{proxy.port}"})
        for way in ways:
            for server in (plain, secure):
                for path in ("/to", "/from", "/again"):
                    get(url(server, path), proxies=way, verify=ca_file)
        with closed_port() as port:
            get(f"http://canary-user:canary-password@127.0.0.1:{port}/{URL_SECRETS}")
        session.close()
    with dies() as server:
        for _ in range(2):
            session.get(url(server, "/"), headers=headers)
        session.close()


def test_no_secret_is_logged_or_told(
    log: io.StringIO, trace: Trace, ca_file: str, tls_context: ssl.SSLContext
) -> None:
    retries = Retry(1, status_forcelist={503}, allowed_methods=None)
    with Session(trace=trace, retries=retries, resolver=lambda *_: ["127.0.0.1"]) as session:
        tell_everything(ca_file, tls_context, session)
        shown = [log.getvalue(), *map(repr, trace.events), *map(str, trace.events)]
        shown += [repr(session), repr(session.stats())]
    assert not [text for text in shown if CANARY in text]
    assert log.getvalue().count("\n") == len(trace.events)
    told = set(trace.names())
    rare = {"ConnectionWaited", "DNSResolved", "ResponseFailed"}
    assert told >= {kind.__name__ for kind in kinds()} - rare


def test_a_connection_that_is_not_kept_is_not_told_to_be_released() -> None:
    told: list[object] = []
    close = respond(b"ok", headers={"Connection": "close"})
    with ScriptedServer(keep_alive(lambda _: close)) as server, Session(trace=told.append) as session:
        assert session.get(server.url()).text == "ok"
    kinds = [type(event).__name__ for event in told]
    assert "ResponseEnded" in kinds
    assert "ConnectionReleased" not in kinds
