"""Many threads on one session (L4), against a server that tells who asked what over which connection."""

from __future__ import annotations

import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp.cookies import CookieJar
from pystickyhttp.timeouts import Timeout
from tests.servers.echo import EchoServer
from tests.servers.scripted import Peer, Request, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

DEADLINE = 30.0
THREADS = 16
REQUESTS = 25  # of each thread

# Were a connection lost or a waiter forgotten, somebody would wait for it until this limit.
TIMEOUT = Timeout(pool=DEADLINE, read=DEADLINE)


def in_threads(work: Callable[[int], None]) -> None:
    """Do it in THREADS threads that begin at the same moment; what one of them raises is raised."""
    together = threading.Barrier(THREADS)

    def begin(number: int) -> None:
        together.wait(DEADLINE)
        work(number)

    with ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(begin, number) for number in range(THREADS)]:
            done.result(2 * DEADLINE)


def ask(
    session: pystickyhttp.Session, url: str, thread: int, number: int, method: str = "POST"
) -> dict[str, Any]:
    """Send one request with an id of its own; what the server echoed, which must be just that request."""
    identity = f"{thread}-{number}"
    response = session.request(
        method,
        f"{url}?{identity}",
        # Of different lengths, so that an answer cut at the wrong place would not be read as another one.
        data=f"body of {identity} " * (1 + (thread + number) % 7) if method == "POST" else None,
        headers={"X-Request-Id": identity},
        timeout=TIMEOUT,
    )
    echoed: dict[str, Any] = response.json()
    assert echoed["id"] == identity
    assert echoed["target"].endswith(f"?{identity}")
    assert echoed["method"] == method
    if method == "POST":
        assert echoed["body"] == f"body of {identity} " * (1 + (thread + number) % 7)
    return echoed


def each_once() -> Counter[str]:
    return Counter(f"{thread}-{number}" for thread in range(THREADS) for number in range(REQUESTS))


@pytest.mark.parametrize("limit", [1, 4, 10, None])
def test_every_answer_is_the_callers_own_and_the_limit_holds(limit: int | None) -> None:
    """L1, L2, L4."""
    with EchoServer() as server, no_socket_left(), pystickyhttp.Session() as session:
        session.max_connections = limit

        def work(thread: int) -> None:
            for number in range(REQUESTS):
                ask(session, server.url(), thread, number)

        in_threads(work)
        assert server.deliveries == each_once()
        assert server.most_open_connections <= (limit or THREADS)
        # Nothing was closed on the way, so the connections that were ever made are those that were needed.
        assert server.accepted <= (limit or THREADS)


def test_over_tls_too(tls_context: ssl.SSLContext, ca_file: str) -> None:
    with EchoServer(tls=tls_context) as server, no_socket_left(), pystickyhttp.Session() as session:
        session.verify = ca_file
        session.max_connections = 4

        def work(thread: int) -> None:
            for number in range(REQUESTS):
                ask(session, server.url(), thread, number)

        in_threads(work)
        assert server.deliveries == each_once()
        assert server.accepted <= 4


@pytest.mark.parametrize("announced", [True, False])
def test_a_server_that_closes_connections_now_and_then_loses_no_request_and_sees_none_twice(
    announced: bool,
) -> None:
    """P1: a GET that meets a connection closed unannounced goes out again, and arrives once."""
    with (
        EchoServer(requests_per_connection=7, announce_close=announced) as server,
        no_socket_left(),
        pystickyhttp.Session() as session,
    ):
        session.max_connections = 4

        def work(thread: int) -> None:
            for number in range(REQUESTS):
                ask(session, server.url(), thread, number, "GET")

        in_threads(work)
        assert server.deliveries == each_once()
        assert server.accepted >= THREADS * REQUESTS // 7


def test_threads_that_stream_share_the_limit() -> None:
    """A connection in use by a body is in use."""
    with EchoServer() as server, no_socket_left(), pystickyhttp.Session() as session:
        session.max_connections = 3

        def work(thread: int) -> None:
            for number in range(REQUESTS):
                identity = f"{thread}-{number}"
                headers = {"X-Request-Id": identity}
                with session.get(server.url(), headers=headers, stream=True, timeout=TIMEOUT) as response:
                    # Some read to the end, some leave early: both give the connection back.
                    if number % 2:
                        assert b"".join(response.iter_content(5)).startswith(
                            b'{"id": "%b"' % identity.encode()
                        )

        in_threads(work)
        assert server.deliveries == each_once()
        assert server.accepted <= 3


def test_threads_may_change_the_limit_while_others_send() -> None:
    with EchoServer() as server, no_socket_left(), pystickyhttp.Session() as session:

        def work(thread: int) -> None:
            for number in range(REQUESTS):
                if thread == 0:
                    session.max_connections = 1 + number % 5
                ask(session, server.url(), thread, number)

        in_threads(work)
        assert server.deliveries == each_once()


def test_threads_may_close_the_session_while_others_send() -> None:
    """Closing takes the idle connections, and none from under a request."""
    with EchoServer() as server, no_socket_left(), pystickyhttp.Session() as session:
        session.max_connections = 4

        def work(thread: int) -> None:
            for number in range(REQUESTS):
                if thread == 0:
                    session.close()
                ask(session, server.url(), thread, number)

        in_threads(work)
        assert server.deliveries == each_once()


def test_cookies_that_come_in_one_thread_and_go_in_another_stay_whole() -> None:
    def set_one(request: Request) -> bytes:
        name = request.target[1:]
        return respond(headers=[("Set-Cookie", f"{name}={name}; Path=/"), ("Set-Cookie", "last=x; Path=/")])

    with ScriptedServer(keep_alive(set_one)) as server, pystickyhttp.Session() as session:
        session.cookies = CookieJar(max_per_domain=1000)  # more than this test has; the default is less

        def work(thread: int) -> None:
            for number in range(REQUESTS):
                session.get(server.url(f"/c{thread}x{number}"), timeout=TIMEOUT)

        in_threads(work)
        expected = {f"c{thread}x{number}" for thread in range(THREADS) for number in range(REQUESTS)}
        assert {name: value for name, value in session.cookies.items() if name != "last"} == {
            name: name for name in expected
        }
        for request in server.requests:
            for pair in filter(None, (request.header("Cookie") or "").split("; ")):
                name, _, value = pair.partition("=")
                assert value == ("x" if name == "last" else name)


def test_the_functions_of_the_module_can_be_called_in_any_thread() -> None:
    with EchoServer() as server, no_socket_left():

        def work(thread: int) -> None:
            headers = {"X-Request-Id": str(thread)}
            assert pystickyhttp.get(server.url(), headers=headers, timeout=TIMEOUT).json()["id"] == str(
                thread
            )

        in_threads(work)
        assert server.accepted == THREADS


def test_a_response_that_is_open_when_another_thread_closes_the_session_is_read_to_its_end() -> None:
    """Its connection is closed after it, and not kept."""
    closed = threading.Event()

    def wait_in_the_middle(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            peer.wait(closed)
            peer.send(b"half")

    with ScriptedServer(wait_in_the_middle) as server, no_socket_left():
        session = pystickyhttp.Session()
        response = session.get(server.url(), stream=True, timeout=TIMEOUT)
        closer = threading.Thread(target=session.close)
        closer.start()
        closer.join(DEADLINE)
        closed.set()
        assert response.content == b"halfhalf"
        server.wait_for_open(0)
        assert session.get(server.url(), timeout=TIMEOUT).content == b"halfhalf"
        assert server.accepted == 2
        session.close()


def test_settings_may_change_while_other_threads_send() -> None:
    """L4: a request takes them as they stand when it begins, in the middle of a change too."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    done = threading.Event()
    session = pystickyhttp.Session()
    session.params = {}

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            name = f"X-{number % 50}"
            session.headers[name] = session.params[name] = "x"
            session.proxies[f"http://{name}"] = None
            session.headers.pop(f"X-{(number + 25) % 50}", None)
            session.params.pop(f"X-{(number + 25) % 50}", None)
            session.proxies.pop(f"http://X-{(number + 25) % 50}", None)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(3000):
            prepared = session.prepare_request(pystickyhttp.Request("GET", "http://h/", params={"a": 1}))
            session.merge_environment_settings(prepared.url, {"all": None}, None, None, None)
    finally:
        done.set()
        changing.join()
        sys.setswitchinterval(interval)
        session.close()
