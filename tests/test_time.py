"""Limits of time: law T1 on the wire, and T2, T3 while dialling. Each wait is ended by what it waits for."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp import (
    ConnectionError,
    ConnectTimeout,
    NameResolutionError,
    ReadTimeout,
    Session,
    TotalTimeout,
    WriteTimeout,
)
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import Address, Dialer, Route
from tests.patience import Pulse, growing
from tests.servers.scripted import (
    BlackHole,
    Peer,
    Script,
    ScriptedServer,
    chunk,
    closed_port,
    keep_alive,
    respond,
    silence,
)
from tests.servers.sockets import no_socket_left

# Long enough that it would fail the test by its own timeout, were it waited for.
NEVER = 1000.0
SHORT = 0.1


# A limit over all may strike before the client has sent its request, so no script takes one for granted.


def mute_amid_the_body(peer: Peer) -> None:
    if peer.read_request() is None:
        return
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    peer.stall()


def dripping_head(peer: Peer) -> None:
    if peer.read_request() is None:
        return
    peer.send(b"HTTP/1.1 200 OK\r\nX: ")
    while peer.try_send(b"y"):
        threading.Event().wait(0.01)


def dripping_body(peer: Peer) -> None:
    if peer.read_request() is None:
        return
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while peer.try_send(chunk(b"y")):
        threading.Event().wait(0.01)


def reads_nothing(peer: Peer) -> None:
    peer.stall()


def by_connect(seconds: float) -> Any:
    return seconds, NEVER


def by_total(seconds: float) -> Any:
    return Timeout(connect=NEVER, total=seconds)


@pytest.mark.parametrize("script", [silence, mute_amid_the_body])
def test_silence_ends_at_the_read_timeout(script: Callable[[Peer], None]) -> None:
    """T1."""
    with ScriptedServer(script) as server, Session() as session, no_socket_left():
        with pytest.raises(ReadTimeout, match=r"sent nothing for the read timeout of 0\.1 s") as caught:
            session.get(server.url(), timeout=(NEVER, SHORT))
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.request is not None


@pytest.mark.parametrize("script", [silence, mute_amid_the_body, dripping_head, dripping_body])
def test_the_total_deadline_ends_what_the_read_timeout_does_not(script: Callable[[Peer], None]) -> None:
    """T1."""
    for total in growing(0.2):
        with ScriptedServer(script) as server, Session() as session, no_socket_left():
            with pytest.raises(TotalTimeout, match=rf"total timeout of {total:g} s passed"):
                session.get(server.url(), timeout=Timeout(read=NEVER, total=total))
            if server.requests:
                return


def test_a_slow_but_steady_body_does_not_run_into_the_read_timeout() -> None:
    """T1: the read timeout is for the silence between two pieces."""
    assert any(a_steady_body_comes_whole(limit) for limit in growing(0.4))


def a_steady_body_comes_whole(limit: float) -> bool:
    """Whether the server was as steady as it should be: else it was held up, and the limit struck rightly."""
    spoke = time.monotonic()
    longest = 0.0

    def say(peer: Peer, data: bytes) -> bool:
        nonlocal spoke, longest
        before, spoke = spoke, time.monotonic()
        heard = peer.try_send(data)
        longest = max(longest, time.monotonic() - before)
        return heard

    def steady(peer: Peer) -> None:
        peer.expect_request()
        heard = say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n")
        for _ in range(30):
            threading.Event().wait(limit / 20)
            heard = heard and say(peer, b"x")

    with ScriptedServer(steady) as server, Session() as session:
        try:
            assert len(session.get(server.url(), timeout=limit).content) == 30
        except ReadTimeout:
            server.wait_for_scripts()
            if longest < limit:
                raise
            return False
    return True


@pytest.mark.parametrize(
    ("timeout", "error"), [(Timeout(write=SHORT), WriteTimeout), (Timeout(total=0.2), TotalTimeout)]
)
def test_a_server_that_takes_nothing_ends_at_the_write_timeout_or_the_deadline(
    timeout: Timeout, error: type[Exception], tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """T1."""
    # What it did not take stays in the kernel until the server goes.
    with (
        no_socket_left(),
        ScriptedServer(reads_nothing, tls=tls) as server,
        Session(verify=ca_file) as session,
    ):
        with pytest.raises(error):
            session.post(server.url(), data=b"x" * 50_000_000, timeout=timeout)


def test_so_does_one_that_takes_less_than_what_tls_sends_at_once(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """T1: the system says that it takes some more, and TLS has more than that to send."""
    narrow = HTTPAdapter(socket_options=[(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)])
    with (
        no_socket_left(),
        ScriptedServer(reads_nothing, tls=tls_context, receive_buffer=4096) as server,
        Session(verify=ca_file) as session,
    ):
        session.mount("https://", narrow)
        with pytest.raises(WriteTimeout):
            session.post(server.url(), data=b"x" * 1_000_000, timeout=Timeout(write=SHORT))


def test_what_a_server_says_meanwhile_does_not_put_the_write_timeout_off() -> None:
    """T1, X2: it takes nothing, however often it says that it is there."""
    assert any(a_chatterer_is_left_before_it_has_said_all(limit) for limit in growing(0.3))


def a_chatterer_is_left_before_it_has_said_all(limit: float) -> bool:
    """It has as much to say as X4 allows, and with that puts six limits off if it puts off any."""
    left = threading.Event()

    def chatters(peer: Peer) -> None:
        peer.read_head()
        for _ in range(19):
            if not peer.try_send(b"HTTP/1.1 103 Early Hints\r\n\r\n"):
                left.set()
                return
            threading.Event().wait(limit / 3)
        peer.stall()

    with no_socket_left(), ScriptedServer(chatters) as server, Session() as session:
        with pytest.raises(WriteTimeout):
            session.post(server.url(), data=b"x" * 50_000_000, timeout=Timeout(write=limit))
        server.wait_for_scripts()
    return left.is_set()


@pytest.mark.parametrize(
    ("timeout", "error"),
    [((SHORT, NEVER), ConnectTimeout), (Timeout(connect=NEVER, total=SHORT), TotalTimeout)],
)
def test_a_full_backlog_ends_at_the_connect_timeout_or_the_deadline(
    timeout: Any, error: type[Exception]
) -> None:
    """T1."""
    with BlackHole() as hole, Session() as session, no_socket_left():
        with pytest.raises(error, match=rf"connecting to http://127\.0\.0\.1:{hole.port} .*no answer"):
            session.get(hole.url(), timeout=timeout)


def hears_the_hello(heard: threading.Event) -> Script:
    """A script that lets a TLS handshake begin, and no more."""

    def script(peer: Peer) -> None:
        if peer.read_some():
            heard.set()
            peer.stall()

    return script


@pytest.mark.parametrize(("by", "error"), [(by_connect, ConnectTimeout), (by_total, TotalTimeout)])
def test_a_tls_handshake_that_never_ends_is_within_the_connect_timeout(
    by: Callable[[float], Any], error: type[Exception]
) -> None:
    """T1."""
    for limit in growing(SHORT):
        begun = threading.Event()
        with ScriptedServer(hears_the_hello(begun)) as server, Session() as session, no_socket_left():
            with pytest.raises(error) as caught:
                session.get(server.url().replace("http", "https"), timeout=by(limit))
            server.wait_for_scripts()
        if begun.is_set():
            assert "TLS handshake" in str(caught.value)
            return


@pytest.mark.parametrize(
    ("timeout", "error"),
    [((SHORT, NEVER), ConnectTimeout), (Timeout(connect=NEVER, total=SHORT), TotalTimeout)],
)
def test_a_name_that_takes_for_ever_to_resolve_is_within_the_connect_timeout(
    timeout: Any, error: type[Exception]
) -> None:
    """T2."""
    go = threading.Event()

    def slow(host: str, port: int) -> list[Address]:
        go.wait(30)
        return []

    with Session(resolver=slow) as session, no_socket_left():
        with pytest.raises(error, match=r"resolving 'slow\.example'"):
            session.get("http://slow.example/", timeout=timeout)
        go.set()


def test_the_total_deadline_runs_on_over_redirects() -> None:
    """T1: each hop is quick, and the chain has no end."""

    def bounce(peer: Peer) -> None:
        while peer.read_request() is not None:
            threading.Event().wait(0.02)
            if not peer.try_send(respond(b"", status=302, headers={"Location": "/"})):
                return

    with ScriptedServer(bounce) as server, Session() as session:
        session.max_redirects = 10_000
        with pytest.raises(TotalTimeout):
            session.get(server.url(), timeout=Timeout(total=0.3))


def test_the_total_deadline_covers_a_streamed_body() -> None:
    """T1: it runs on while the caller holds the response."""
    for total in growing(0.3):
        with ScriptedServer(dripping_body) as server, Session() as session, no_socket_left():
            try:
                response = session.get(server.url(), timeout=Timeout(total=total), stream=True)
            except TotalTimeout:
                continue  # there was no response to hold yet
            with pytest.raises(TotalTimeout):
                response.content  # noqa: B018
            return


def test_the_total_deadline_covers_decoding() -> None:
    """T1: a few bytes that decode for long, and to nothing."""
    body = gzip.compress(gzip.compress(b"") * 3_000_000)
    with ScriptedServer(
        keep_alive(lambda _: respond(body, headers={"Content-Encoding": "gzip, gzip"}))
    ) as server:
        for total in growing(0.5):
            with Session() as session, no_socket_left():
                with pytest.raises(TotalTimeout) as caught:
                    session.get(server.url(), timeout=Timeout(total=total))
                session.close()
            if "decoding" in str(caught.value):
                return


LIMIT = 2.0


def ends_in_time(session: Session, url: str, timeout: Any, limit: float) -> bool:
    """Whether the request ended before an alarm that is set a tenth behind its limit."""
    late = threading.Event()
    alarm = threading.Timer(limit * 1.1, late.set)
    alarm.start()
    try:
        with pytest.raises(pystickyhttp.Timeout):
            session.get(url, timeout=timeout)
        return not late.is_set()
    finally:
        alarm.cancel()
        alarm.join()


@pytest.mark.slow
def test_every_limit_ends_its_request_within_a_tenth_over_it() -> None:
    """T1: all at the same time, as each has to wait its limit out.

    A machine that holds this very process up for a good part of that tenth says nothing about the client:
    then the limits are longer, and with them their tenth.
    """
    for limit in growing(LIMIT):
        with Pulse() as pulse:
            in_time = requests_that_end_in_time(limit)
        if all(in_time):
            return
        assert pulse.held_up > limit / 20, f"{in_time}, on a machine that was free"


def requests_that_end_in_time(limit: float) -> list[bool]:
    own, total, connect = (NEVER, limit), Timeout(read=NEVER, total=limit), (limit, NEVER)
    with (
        ScriptedServer(silence) as silent,
        ScriptedServer(mute_amid_the_body) as half,
        ScriptedServer(dripping_head) as head,
        ScriptedServer(dripping_body) as body,
        ScriptedServer(hears_the_hello(threading.Event())) as tls,
        BlackHole() as hole,
        Session() as session,
        ThreadPoolExecutor(16) as threads,
    ):
        handshake = tls.url().replace("http", "https")
        cases: list[tuple[str, Any]] = [(server.url(), total) for server in (silent, half, head, body)]
        cases += [(silent.url(), own), (half.url(), own), (handshake, connect), (handshake, total)]
        cases += [(hole.url(), connect), (hole.url(), total)]
        outcomes = [threads.submit(ends_in_time, session, url, timeout, limit) for url, timeout in cases]
        return [outcome.result() for outcome in outcomes]


def test_no_timeout_at_all_waits_for_as_long_as_it_takes() -> None:
    """T1: None is given, and means no limit."""
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server, Session() as session:
        assert session.get(server.url(), timeout=None).text == "ok"
        assert session.get(server.url(host="localhost"), timeout=None).text == "ok"


def test_a_timeout_that_follows_none_on_the_same_connection_counts() -> None:
    """T1: the limit belongs to the request and not to the socket."""
    requests = iter(range(3))

    def third_is_mute(peer: Peer) -> None:
        while peer.read_request() is not None:
            if next(requests) == 2:
                peer.stall()
                return
            peer.send(respond(b"ok"))

    with ScriptedServer(third_is_mute) as server, Session() as session:
        session.get(server.url(), timeout=NEVER)
        session.get(server.url(), timeout=None)
        with pytest.raises(ReadTimeout):
            session.get(server.url(), timeout=SHORT)


# --- T2, T3


def at(*addresses: Address) -> Callable[[str, int], list[Address]]:
    return lambda host, port: list(addresses)


def v4(port: int, host: str = "127.0.0.1") -> Address:
    return Address(socket.AF_INET, (host, port))


def test_a_second_address_is_used_when_the_first_is_a_black_hole() -> None:
    """T3."""
    with (
        BlackHole() as hole,
        ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server,
        no_socket_left(),
    ):
        session = Session(resolver=at(v4(hole.port), v4(server.port)))
        assert session.get("http://two.example/").text == "ok"
        session.close()


@pytest.fixture
def delay_between_attempts(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the 250 ms of T3, whose value `test_race` holds to the law."""
    return lambda seconds: monkeypatch.setattr("pystickyhttp.transport.dial.ATTEMPT_DELAY", seconds)


def test_a_second_address_is_tried_at_once_when_the_first_refuses(
    delay_between_attempts: Callable[[float], None],
) -> None:
    """T3: sooner than the delay when one fails; no request would outlive this one."""
    delay_between_attempts(NEVER)
    with closed_port() as port, ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        session = Session(resolver=at(v4(port), v4(port, "127.0.0.2"), v4(server.port)))
        assert session.get("http://two.example/").text == "ok"
        session.close()


def test_the_error_names_every_address_that_was_tried() -> None:
    """T3."""
    with closed_port() as port, no_socket_left():
        session = Session(
            resolver=at(v4(port), Address(socket.AF_INET6, ("::1", port, 0, 0)), v4(port, "127.0.0.2"))
        )
        with pytest.raises(ConnectionError) as caught:
            session.get("http://three.example/")
        for tried in (f"127.0.0.1:{port}", f"[::1]:{port}", f"127.0.0.2:{port}", "three.example:80"):
            assert tried in str(caught.value)


def test_the_timeout_names_the_addresses_that_did_not_answer_and_those_that_refused(
    delay_between_attempts: Callable[[float], None],
) -> None:
    """T3."""
    delay_between_attempts(0.0)  # both are tried before any limit is looked at
    with closed_port() as port, BlackHole() as hole, no_socket_left():
        session = Session(resolver=at(v4(port), v4(hole.port)))
        with pytest.raises(
            ConnectTimeout, match=rf"127\.0\.0\.1:{port}: .*refused; .*:{hole.port}: no answer"
        ):
            session.get("http://two.example/", timeout=0.2)


def test_at_most_six_attempts_run_at_once(delay_between_attempts: Callable[[float], None]) -> None:
    """T3: though all of them are due at once."""
    delay_between_attempts(0.0)
    with BlackHole() as hole, no_socket_left():
        session = Session(resolver=at(*[v4(hole.port)] * 20))
        with pytest.raises(ConnectTimeout) as caught:
            session.get("http://many.example/", timeout=0.2)
        assert str(caught.value).count("no answer") == 6


def test_a_name_without_an_address_is_an_error_that_names_it() -> None:
    with Session(resolver=at()) as session:
        with pytest.raises(NameResolutionError, match=r"'none\.example' has no address"):
            session.get("http://none.example/")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_ip_literals_skip_the_resolver(host: str) -> None:
    """T2."""

    def never(host: str, port: int) -> list[Address]:
        raise AssertionError(f"asked for {host}")

    with ScriptedServer(keep_alive(lambda _: respond(b"ok")), host=host.strip("[]")) as server:
        with Session(resolver=never) as session:
            assert session.get(server.url()).text == "ok"
        assert server.requests[0].header("Host") == f"{host}:{server.port}"


def test_a_unix_socket_and_a_local_address_are_dialled(tmp_path: Any) -> None:
    """R1."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sock = Dialer().dial(Route("http", "a", 80, unix_socket=path), Timeout().start())
        with contextlib.closing(sock):
            assert sock.getpeername() == path
    with ScriptedServer(lambda peer: peer.stall()) as server:
        route = Route("http", "127.0.0.1", server.port, local_address=("127.0.0.9", 0))
        with contextlib.closing(Dialer().dial(route, Timeout().start())) as sock:
            assert sock.getsockname()[0] == "127.0.0.9"


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """A resolver's thread ends with its resolver."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
