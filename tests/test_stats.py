"""`Session.stats()`: what it counts is what the server saw."""

from __future__ import annotations

import os
import pickle
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pystickyhttp import ConnectionLost, HTTPError, Limits, Session, Stats
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.exceptions import RequestException
from pystickyhttp.stats import HostStats
from pystickyhttp.testing import MockAdapter
from pystickyhttp.testing import respond as made
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import Route
from pystickyhttp.transport import ledger as ledger_module
from pystickyhttp.transport.ledger import Lease, Ledger
from tests.patience import wait_for, wait_for_news
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.wire import Request
from tests.test_replay import dies


def ok(_: Request) -> bytes:
    return respond(b"ok")


def adds_up(stats: HostStats) -> bool:
    """Every connection that was opened is somewhere. Asked where none is being dialled."""
    return stats.opened == stats.idle + stats.active + sum(stats.discarded.values())


def reasons(session: Session) -> dict[str, int]:
    stats = session.stats()
    assert adds_up(stats)
    assert all(map(adds_up, stats.hosts.values()))
    return stats.discarded


def test_what_is_counted_is_what_the_server_saw() -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        assert session.stats() == Stats()
        for _ in range(5):
            session.get(server.url())
        with session.get(server.url(), stream=True):
            pass
        stats = session.stats()
        assert stats.opened == server.accepted == 1
        assert stats.opened + stats.reused == len(server.requests) == 6
        assert (stats.idle, stats.active, stats.waiting, stats.discarded) == (1, 0, 0, {})
        assert list(stats.hosts) == [f"http://{server.host}:{server.port}"]
        session.close()
        assert reasons(session) == {"the pool was closed": 1}
        assert session.stats().idle == 0


def test_each_host_has_its_own_and_all_have_the_sum() -> None:
    with ScriptedServer(keep_alive(ok)) as one, ScriptedServer(keep_alive(ok)) as other, Session() as session:
        for server in (one, other, one):
            session.get(server.url())
        stats = session.stats()
        first, second = (
            stats.hosts[f"http://127.0.0.1:{one.port}"],
            stats.hosts[f"http://127.0.0.1:{other.port}"],
        )
        assert (first.opened, first.reused, second.opened, second.reused) == (1, 1, 1, 0)
        assert (stats.opened, stats.reused, stats.idle) == (2, 1, 2)


def test_all_adapters_of_a_session_are_taken_together() -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        session.mount(server.url("/other"), HTTPAdapter())
        session.mount("http://mock.example", MockAdapter(lambda _: made(200)))
        for path in ("/", "/other", "/other"):
            session.get(server.url(path))
        session.get("http://mock.example/")
        (host,) = session.stats().hosts.values()
        assert (host.opened, host.reused, host.idle) == (2, 1, 2)


def test_a_resumed_handshake_is_counted(tls_context: ssl.SSLContext, ca_file: str) -> None:
    """S2."""
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server, Session(verify=ca_file) as session:
        for _ in range(3):
            session.get(server.url())
            session.close()
        stats = session.stats()
        assert (stats.opened, stats.resumed, stats.reused) == (3, 2, 0)


def test_a_replay_is_counted_and_so_is_the_connection_that_died() -> None:
    """P1."""
    with dies() as server, Session() as session:
        session.get(server.url())
        session.get(server.url())
        stats = session.stats()
        assert (stats.opened, stats.reused, stats.replayed) == (2, 1, 1)
        assert reasons(session) == {"it was dead when it was used again": 1}


def test_who_waits_and_who_is_active_is_counted() -> None:
    """L1, L2."""
    with ScriptedServer(keep_alive(ok)) as server, Session(limits=Limits(max_connections=1)) as session:
        with session.get(server.url(), stream=True):
            thread = threading.Thread(target=session.get, args=(server.url(),))
            thread.start()
            wait_for(lambda: session.stats().waiting == 1, "it waits")
            (host,) = session.stats().hosts.values()
            assert (host.active, host.idle, host.waiting) == (1, 0, 1)
        thread.join()
        stats = session.stats()
        assert (stats.active, stats.idle, stats.waiting, stats.opened, stats.reused) == (0, 1, 0, 1, 1)


# --- why a connection is discarded


def answering(
    head: str, body: bytes = b"ok", *, then: Callable[[Peer], None] = Peer.fin
) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(head.replace("\n", "\r\n").encode() + body)
        then(peer)

    return script


LENGTH = "HTTP/1.1 200 OK\nContent-Length: 2\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answering(f"{LENGTH}Connection: close\n\n"), "the server asked to close it"),
        (answering("HTTP/1.0 200 OK\nContent-Length: 2\n\n"), "the server asked to close it"),
        (answering("HTTP/1.1 200 OK\n\n"), "the server closed it to end a body"),
        (answering(f"{LENGTH}Keep-Alive: timeout=1\n\n"), "the server's Keep-Alive allowed no more"),
        (answering(f"{LENGTH}Keep-Alive: max=0\n\n"), "the server's Keep-Alive allowed no more"),
        (answering(f"{LENGTH}\n", b"ok and more"), "something came behind the response"),
        (
            answering(f"{LENGTH}Transfer-Encoding: chunked\n\n", b"2\r\nok\r\n0\r\n\r\n"),
            "the response was framed in two ways",
        ),
    ],
)
def test_a_connection_that_can_not_serve_on_says_why(script: Callable[[Peer], None], reason: str) -> None:
    """R3."""
    with ScriptedServer(script) as server, Session() as session:
        assert session.get(server.url()).content == b"ok"
        assert reasons(session) == {reason: 1}


def test_that_the_request_asked_to_close_it_is_another_reason() -> None:
    """R3."""
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        session.get(server.url(), headers={"Connection": "close"})
        session.post(server.url(), data=b"body", headers={"Connection": "close"})
        assert reasons(session) == {"the request asked to close it": 2}


@pytest.mark.parametrize(
    ("idle", "reason"),
    [
        (Peer.fin, "the server closed it while it was idle"),
        (Peer.rst, "the server closed it while it was idle"),
        (lambda peer: peer.send(respond(status=408)), "something came in while it was idle"),
    ],
)
def test_a_connection_with_news_says_which(
    idle: Callable[[Peer], None], reason: str, tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """R4."""

    is_idle = threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))
        peer.wait(is_idle)
        idle(peer)

    with ScriptedServer([script, keep_alive(ok)], tls=tls) as server, Session(verify=ca_file) as session:
        session.get(server.url())
        is_idle.set()
        server.wait_for_scripts()
        wait_for_news(session)
        session.get(server.url())
        stats = session.stats()
        assert reasons(session) == {reason: 1}
        assert (stats.opened, stats.reused, stats.replayed) == (2, 0, 0)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(idle_timeout=0), "idle for too long"),
        (Limits(max_age=0), "over the age limit"),
        (Limits(max_idle=0), "over the limit of idle connections"),
        (Limits(max_idle_per_host=0), "over the limit of idle connections"),
    ],
)
def test_a_limit_that_ends_a_connection_is_a_reason(limits: Limits, reason: str) -> None:
    """R4, L1."""
    with ScriptedServer(keep_alive(ok)) as server, Session(limits=limits) as session:
        session.get(server.url())
        session.get(server.url())
        assert reasons(session)[reason] >= 1
        assert set(session.stats().discarded) == {reason}
        assert session.stats().reused == 0


def test_an_idle_connection_that_makes_room_is_counted_for_its_own_host() -> None:
    """L2."""
    limits = Limits(max_connections=1)
    with ScriptedServer(keep_alive(ok)) as one, ScriptedServer(keep_alive(ok)) as other:
        with Session(limits=limits) as session:
            session.get(one.url())
            session.get(other.url())
            assert reasons(session) == {"made room for another host": 1}
            assert session.stats().hosts[f"http://127.0.0.1:{one.port}"].discarded


def test_limits_that_are_lowered_are_a_reason() -> None:
    """L1."""
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        with session.get(server.url(), stream=True), session.get(server.url(), stream=True):
            session.max_connections = 1
        assert reasons(session) == {"the limits were lowered": 1}


def _cut_short(peer: Peer) -> None:
    answering("HTTP/1.1 200 OK\nContent-Length: 9\n\n")(peer)


def _no_http(peer: Peer) -> None:
    peer.expect_request()
    peer.send(b"SSH-2.0-OpenSSH\r\n")


def _no_chunks(peer: Peer) -> None:
    answering("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", b"no length\r\n")(peer)


def _says_nothing(peer: Peer) -> None:
    peer.expect_request()
    peer.stall()


def _dies(peer: Peer) -> None:
    peer.expect_request()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (_cut_short, "it broke"),
        (_dies, "it broke"),
        (_no_http, "what came was not HTTP/1.1"),
        (_no_chunks, "what came was not HTTP/1.1"),
        (_says_nothing, "the time ran out"),
    ],
)
def test_an_error_is_a_reason_in_a_few_words(script: Callable[[Peer], None], reason: str) -> None:
    timeout = Timeout(read=0.05) if script is _says_nothing else Timeout()
    with ScriptedServer(script) as server, Session(timeout=timeout) as session:
        with pytest.raises(RequestException):
            session.get(server.url())
        assert reasons(session) == {reason: 1}


def test_a_body_that_nobody_reads_is_a_reason() -> None:
    """R5."""
    head = "HTTP/1.1 200 OK\nContent-Length: 1000000\n\n"
    with ScriptedServer(answering(head, b"", then=Peer.stall)) as server, Session() as session:
        session.get(server.url(), stream=True).close()
        assert reasons(session) == {"a body was not read to its end": 1}


def test_a_response_that_is_forgotten_is_a_reason() -> None:
    """R6."""
    head = "HTTP/1.1 200 OK\nContent-Length: 1000000\n\n"
    with ScriptedServer(answering(head, b"", then=Peer.stall)) as server, Session() as session:
        response: Any = session.get(server.url(), stream=True)
        with pytest.warns(ResourceWarning, match="forgotten"):
            del response
        session.close()  # which sees to it
        assert reasons(session) == {"a response was forgotten before its body was read": 1}


def test_a_connection_that_is_handed_over_is_counted() -> None:
    """X4."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        peer.stall()

    with ScriptedServer(script) as server, Session() as session:
        response = session.get(server.url(), headers={"Upgrade": "x", "Connection": "upgrade"}, stream=True)
        with response.raw.detach():
            assert session.stats().active == 0
        assert reasons(session) == {"it was handed over after a change of protocol": 1}


@pytest.mark.parametrize("stream", [False, True])
def test_a_change_of_protocol_that_nobody_took_over_is_no_wish_of_the_server_to_close(stream: bool) -> None:
    """X4."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        peer.stall()

    with ScriptedServer(script) as server, Session() as session:
        headers = {"Upgrade": "x", "Connection": "upgrade"}
        session.get(server.url(), headers=headers, stream=stream).close()
        assert reasons(session) == {"it changed its protocol, and nobody took it over": 1}


# --- many of all


def test_with_many_threads_nothing_is_lost() -> None:
    """L4."""
    with ScriptedServer(keep_alive(ok)) as server, Session(limits=Limits(max_per_host=4)) as session:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(session.get, [server.url()] * 200))
        stats = session.stats()
        assert stats.opened == server.accepted <= 4
        assert stats.opened + stats.reused == len(server.requests) == 200
        assert adds_up(stats)


class Nobody:
    """Poolable is whatever the ledger is told to pool."""


def visit(ledger: Ledger[Nobody], host: str) -> None:
    lease: Lease[Nobody] = Lease(Route("http", host, 80))
    ledger.claim(lease)
    assert lease.slot is not None
    lease.slot.connection = Nobody()
    ledger.count_opened(lease, resumed=False)
    ledger.discard(lease, "over")


def test_of_a_million_hosts_the_last_thousand_are_shown_and_all_are_counted() -> None:
    ledger: Ledger[Nobody] = Ledger(Limits())
    visits = ledger_module.MOST_PAST_HOSTS + 500
    for number in range(visits):
        visit(ledger, f"{number}.example")
    visit(ledger, "500.example")  # it is one of the last ones now
    stats = Stats.of(ledger.figures())
    assert len(stats.hosts) == ledger_module.MOST_PAST_HOSTS
    assert stats.opened == stats.discarded["over"] == visits + 1
    assert f"http://{visits - 1}.example:80" in stats.hosts
    assert "http://499.example:80" not in stats.hosts
    assert stats.hosts["http://500.example:80"].opened == 2


def test_two_ways_to_one_host_are_one_host() -> None:
    ledger: Ledger[Nobody] = Ledger(Limits())
    leases = [Lease[Nobody](Route("http", "a", 80, local_address=way)) for way in (None, ("127.0.0.2", 0))]
    for lease in leases:
        ledger.claim(lease)
        assert lease.slot is not None
        lease.slot.connection = Nobody()
        ledger.count_opened(lease, resumed=True)
    assert Stats.of(ledger.figures()).hosts == {"http://a:80": HostStats(opened=2, resumed=2, active=2)}
    for lease in leases:
        ledger.discard(lease, "over")
    visit(ledger, "a")
    gone = HostStats(opened=3, resumed=2, discarded={"over": 3})
    assert Stats.of(ledger.figures()).hosts == {"http://a:80": gone}


def test_a_session_that_is_unpickled_counts_from_nought() -> None:
    """L4."""
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        session.get(server.url())
        with pickle.loads(pickle.dumps(session)) as copy:
            assert copy.stats() == Stats()
            copy.get(server.url())
            assert copy.stats().opened == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_counts_from_nought() -> None:
    """L4."""
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        session.get(server.url())
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, repr(session.stats()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with os.fdopen(reading) as told:
            assert told.read() == repr(Stats())
        assert session.stats().opened == 1


# --- what the objects say of themselves


def test_what_is_shown_tells_the_state() -> None:
    with ScriptedServer(keep_alive(ok)) as server, Session() as session:
        session.cookies.set("name", "canary-cookie")
        with session.get(server.url(), stream=True):
            (slot,) = session.get_adapter("http://").pool._ledger._slots  # type: ignore[attr-defined]
            connection = slot.connection
            assert f"#{connection.number} to http://127.0.0.1:{server.port}: active, 0 served" in repr(
                connection
            )
        assert "idle for" in repr(connection)
        assert "1 served" in repr(connection)
        assert "1 cookies" in repr(session)
        assert "1 open, 1 of them idle, 0 waiting" in repr(session)
        session.close()
        assert "closed, the pool was closed, 1 served" in repr(connection)
        shown = repr(session) + repr(session.get_adapter("http://"))
        assert "canary" not in shown
        assert "\n" not in shown


def test_errors_of_the_status_are_no_reason_to_discard() -> None:
    with ScriptedServer(keep_alive(lambda _: respond(status=500))) as server, Session() as session:
        with pytest.raises(HTTPError):
            session.get(server.url()).raise_for_status()
        assert reasons(session) == {}


def test_a_connection_that_could_not_be_made_is_none() -> None:
    with Session() as session:
        with pytest.raises(RequestException) as told:
            session.get("http://127.0.0.1:1/")
        assert not isinstance(told.value, ConnectionLost)
        stats = session.stats()
        assert (stats.opened, stats.active, stats.discarded) == (0, 0, {})
