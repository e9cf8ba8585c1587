"""`Response.timing`: each step is there when it took place, and 0.0 when it did not."""

from __future__ import annotations

import dataclasses
import pickle
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import product

import pytest

import pystickyhttp
from pystickyhttp import Limits, Response, Retry, Session, Timing
from pystickyhttp.events import Event, RequestSent
from pystickyhttp.exceptions import RequestException
from pystickyhttp.telling import DialTimes, Marks
from pystickyhttp.testing import MockAdapter
from pystickyhttp.testing import respond as made
from tests.patience import wait_for
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.wire import Request
from tests.test_replay import dies

STEPS = ("pool", "dns", "connect", "tunnel", "tls", "send", "first_byte", "download")
# Rounding alone: the sum of differences of floats is not the difference of the sums.
ROUNDING = 1e-6


def ok(_: Request) -> bytes:
    return respond(b"ok")


def timing_of(response: Response) -> Timing:
    """Its timing, of which everything holds that always does."""
    timing = response.timing
    assert timing is not None
    steps = [getattr(timing, step) for step in STEPS]
    assert min(steps) >= 0.0
    assert sum(steps) <= timing.total + ROUNDING
    return timing


def steps_of(timing: Timing) -> set[str]:
    """The steps that took place, of those that need not."""
    return {step for step in STEPS[:5] if getattr(timing, step) > 0.0}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(ok)) as server:
        yield server


def test_a_new_connection_shows_its_dial_and_a_reused_one_does_not(
    server: ScriptedServer, session: Session
) -> None:
    first, second = timing_of(session.get(server.url())), timing_of(session.get(server.url()))
    assert steps_of(first) == {"connect"}
    assert (first.reused, first.resumed, first.replayed) == (False, False, False)
    assert steps_of(second) == set()
    assert (second.reused, second.resumed, second.replayed) == (True, False, False)
    assert first.send > 0.0
    assert first.first_byte > 0.0


@pytest.mark.parametrize("body", [b"", b"ok"])
def test_elapsed_is_the_time_to_the_head_and_part_of_the_total(body: bytes) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(body))) as server, Session() as session:
        for _ in range(2):
            response = session.get(server.url())
            timing = timing_of(response)
            until_head = timing.total - timing.download
            assert response.elapsed.total_seconds() == pytest.approx(until_head, abs=ROUNDING)


def test_a_name_shows_how_long_it_took_to_resolve_it(server: ScriptedServer) -> None:
    with Session(resolver=lambda host, port: [server.host]) as session:
        timing = timing_of(session.get(server.url(host="example.com")))
        assert steps_of(timing) == {"dns", "connect"}


def test_tls_is_a_step_and_a_ticket_shows(tls_context: ssl.SSLContext, ca_file: str) -> None:
    """S2."""
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server, Session(verify=ca_file) as session:
        first = timing_of(session.get(server.url()))
        again = timing_of(session.get(server.url()))
        session.close()
        resumed = timing_of(session.get(server.url()))
        then = timing_of(session.get(server.url()))
    assert steps_of(first) == steps_of(resumed) == {"connect", "tls"}
    assert [each.resumed for each in (first, again, resumed, then)] == [False, False, True, False]
    assert [each.reused for each in (first, again, resumed, then)] == [False, True, False, True]


@pytest.mark.parametrize("proxy_speaks_tls", [False, True])
def test_a_tunnel_is_a_step(tls_context: ssl.SSLContext, ca_file: str, proxy_speaks_tls: bool) -> None:
    own = tls_context if proxy_speaks_tls else None
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server, ProxyServer(tls=own) as proxy:
        with Session(verify=ca_file, proxies={"all": proxy.url()}) as session:
            timing = timing_of(session.get(server.url()))
            assert steps_of(timing) == {"connect", "tunnel", "tls"}
            assert steps_of(timing_of(session.get(server.url()))) == set()


def test_the_wait_for_a_connection_is_a_step() -> None:
    """L2: one connection, which another thread has until this one is seen to wait."""
    with ScriptedServer(keep_alive(ok)) as server, Session(limits=Limits(max_connections=1)) as session:
        held = session.get(server.url(), stream=True, headers={"Held": "yes"})
        waited: list[Response] = []
        thread = threading.Thread(target=lambda: waited.append(session.get(server.url())))
        with held:
            thread.start()
            wait_for(lambda: session.stats().waiting == 1, "the other thread waits")
            begun = time.monotonic()
            threading.Event().wait(0.01)
            was_seen_to_wait = time.monotonic() - begun
            assert held.raw.read() == b"ok"
        thread.join()
        timing = timing_of(waited[0])
        assert steps_of(timing) == {"pool"}
        assert timing.reused
        assert timing.pool >= was_seen_to_wait
        assert steps_of(timing_of(held)) == {"connect"}


def test_the_wait_for_the_head_is_the_first_byte_and_that_for_the_body_the_download() -> None:
    sent, head, body = threading.Event(), threading.Event(), threading.Event()
    waits: dict[str, float] = {}

    def note(event: Event) -> None:
        if isinstance(event, RequestSent):
            sent.set()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.wait(sent)  # the clock was read by then
        begun = time.monotonic()
        peer.wait(head)
        waits["head"] = time.monotonic() - begun
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        peer.wait(body)
        peer.send(b"ok")

    with ScriptedServer(script) as server, Session(trace=note) as session:
        timer = threading.Timer(0.05, head.set)
        timer.start()
        response = session.get(server.url(), stream=True)
        assert timing_of(response).first_byte >= waits["head"]
        begun = time.monotonic()
        earlier = timing_of(response)
        while timing_of(response).download <= earlier.download:  # while it lasts it counts up to now
            pass
        waits["body"] = time.monotonic() - begun
        body.set()
        assert response.content == b"ok"
        ended = timing_of(response)
        assert ended.download >= waits["body"]
        assert timing_of(response) == ended  # from its end on it stands
        timer.join()


def test_a_replay_shows() -> None:
    """P1: the dial is that of the second connection, and the request counts as one that was not reused."""
    with dies() as server, Session() as session:
        assert not timing_of(session.get(server.url())).replayed
        timing = timing_of(session.get(server.url()))
        assert timing.replayed
        assert not timing.reused
        assert steps_of(timing) == {"connect"}


def test_each_response_of_a_walk_has_its_own() -> None:
    def answer(request: Request) -> bytes:
        return respond(status=302, headers={"Location": "/to"}) if request.target == "/from" else ok(request)

    with ScriptedServer(keep_alive(answer)) as server, Session() as session:
        response = session.get(server.url("/from"))
        (redirect,) = response.history
        assert steps_of(timing_of(redirect)) == {"connect"}
        assert not timing_of(redirect).reused
        assert timing_of(response).reused


def test_the_total_has_the_tries_in_it_and_attempts_tell_of_each() -> None:
    answers = iter([respond(status=503), respond(status=503), respond(b"ok")])
    with ScriptedServer(keep_alive(lambda _: next(answers))) as server:
        with Session(retries=Retry(3, status_forcelist={503}, backoff_factor=0.001)) as session:
            response = session.get(server.url())
    assert [attempt.status for attempt in response.attempts] == [503, 503, 200]
    timing = timing_of(response)
    assert timing.total >= response.elapsed.total_seconds() - ROUNDING
    assert timing.reused


def test_the_response_of_an_error_has_one_too() -> None:
    with ScriptedServer(keep_alive(lambda _: respond(status=503))) as server:
        with Session(retries=Retry(1, status_forcelist={503})) as session:
            with pytest.raises(RequestException) as told:
                session.get(server.url())
    assert told.value.response is not None
    assert timing_of(told.value.response).reused
    assert told.value.response.elapsed.total_seconds() > 0


def test_a_body_that_was_given_up_ends_there() -> None:
    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        peer.stall()

    with ScriptedServer(script) as server, Session() as session:
        response = session.get(server.url(), stream=True)
        response.close()
        assert timing_of(response) == timing_of(response)


def test_it_pickles_with_the_response_and_stands(server: ScriptedServer, session: Session) -> None:
    response = session.get(server.url())
    timing = timing_of(response)
    copy = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(response))))
    assert copy.timing == timing
    assert pickle.loads(pickle.dumps(timing)) == timing


def test_it_does_not_change(server: ScriptedServer, session: Session) -> None:
    timing = timing_of(session.get(server.url()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        timing.total = 0.0  # type: ignore[misc]


def test_responses_of_other_adapters_have_none(session: Session) -> None:
    session.mount("http://", MockAdapter(lambda _: made(200)))
    assert session.get("http://example.com/").timing is None
    assert Response().timing is None


def test_the_package_has_it_late() -> None:
    assert pystickyhttp.Timing is Timing
    late = [*(f"pystickyhttp.{name}" for name in ("events", "stats", "timing")), "logging"]
    script = f"import sys, pystickyhttp; print([name for name in {late} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"


def test_the_steps_add_up_whatever_the_marks() -> None:
    for waited, dialled in product([0.0, 1.0], [None, DialTimes()]):
        marks = Marks()
        marks.waited, marks.dialled = waited, dialled
        marks.taken, marks.sent, marks.head, marks.ended = 11.0, 12.0, 14.0, 18.0
        timing = Timing.of(marks, started=10.0 - waited, resumed=True, now=99.0)
        assert (timing.send, timing.first_byte, timing.download, timing.total) == (
            1.0,
            2.0,
            4.0,
            8.0 + waited,
        )
        assert timing.resumed is (dialled is not None)
