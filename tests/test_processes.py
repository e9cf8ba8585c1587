"""Fork and pickle: law L4. Each child is a real one, and says what it saw by its exit code or a pipe."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pystickyhttp import Limits, RequestException, Session
from pystickyhttp.timeouts import Timeout
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import Descriptor, open_sockets
from tests.servers.wire import Request


def which(request: Request) -> bytes:
    return respond(str(request.connection))


def in_child(task: Callable[[], bytes]) -> bytes:
    """What the task returns in the child of a fork; an exception there is an AssertionError here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, task())
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 (it is told by the pipe)
            os.write(writing, repr(error).encode())
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, said.decode()
    return said


pytestmark = pytest.mark.filterwarnings(
    # From 3.12 on Python warns of any fork in a process with threads, and the servers here are threads.
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_child_starts_with_connections_of_its_own(
    scheme: str, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """L4: and the parent's go on as if nothing had happened, TLS included."""
    tls = tls_context if scheme == "https" else None
    with ScriptedServer(keep_alive(which), tls=tls) as server, Session() as session:
        session.verify = ca_file

        def task() -> bytes:
            first, second = session.get(server.url()), session.get(server.url())
            session.close()
            return first.content + second.content

        assert session.get(server.url()).text == "0"
        assert in_child(task) == b"11"
        assert session.get(server.url()).text == "0"
        assert in_child(task) == b"22"
        assert session.get(server.url()).text == "0"


def test_a_child_can_send_though_another_thread_held_the_locks_at_the_fork() -> None:
    """L4."""
    from pystickyhttp.cookies import jar as jars

    with ScriptedServer(keep_alive(which)) as server, Session() as session:
        session.cookies.set("a", "b")
        session.get(server.url())
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with pool._lock, jars._lock:
                held.set()
                assert done.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(10)
        try:
            assert in_child(lambda: session.get(server.url(), timeout=Timeout(total=5)).content) == b"1"
        finally:
            done.set()
            thread.join(10)


@pytest.mark.parametrize("proxy", [None, "socks5h", "https", "http"])
def test_a_child_keeps_no_socket_of_a_dial_that_was_under_way_at_the_fork(proxy: str | None) -> None:
    """L4: the thread that dials is not in the child, and the server would never see the end."""
    asked, end, over = threading.Event(), threading.Event(), threading.Event()

    def listens(peer: Peer) -> None:
        peer.read_some()
        asked.set()
        end.wait(30)

    with ScriptedServer(listens) as server, Session() as session:
        proxies = {} if proxy is None else {"all": f"{proxy}://{server.host}:{server.port}"}
        url = server.url().replace("http", "https") if proxy is None else "https://192.0.2.1/"

        def dial() -> None:
            with contextlib.suppress(RequestException):
                session.get(url, proxies=proxies, timeout=Timeout(connect=1000))
            over.set()

        def leading_there() -> bytes:
            return repr([each for each in open_sockets() if leads_to(each, server.port)]).encode()

        thread = threading.Thread(target=dial)
        thread.start()
        assert asked.wait(10)
        assert leading_there() != b"[]", "in the parent there is one"
        assert in_child(leading_there) == b"[]"
        end.set()
        assert over.wait(10)
        thread.join(10)


def leads_to(descriptor: Descriptor, port: int) -> bool:
    """Whether a socket is connected to a port."""
    sock = socket.socket(fileno=os.dup(descriptor[0]))
    with sock:
        try:
            return bool(sock.getpeername()[1:2] == (port,))
        except OSError:
            return False


def test_a_response_that_was_open_at_the_fork_is_the_parents() -> None:
    """L4: the child does not read from the parent's stream, and closing it there does not hurt it."""
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 3_000_000))) as server, Session() as session:
        response = session.get(server.url(), stream=True)

        def task() -> bytes:
            try:
                response.content  # noqa: B018
            except OSError:
                response.close()
                return b"not mine"
            return b"read it"

        assert in_child(task) == b"not mine"
        assert len(response.content) == 3_000_000


def fetch(session: Session, url: str) -> str:
    return session.get(url).text


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_warm_session_serves_the_workers_of_multiprocessing(
    method: str, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """L4: by fork as it is, by spawn as a pickle."""
    context = multiprocessing.get_context(method)
    with ScriptedServer(keep_alive(which), tls=tls_context) as server, Session() as session:
        session.verify = ca_file
        assert session.get(server.url()).text == "0"
        with context.Pool(2) as workers:
            numbers = workers.starmap(fetch, [(session, server.url())] * 6)
        assert "0" not in numbers
        assert session.get(server.url()).text == "0"


def test_a_pickled_session_takes_settings_and_cookies_along_and_no_sockets() -> None:
    """L4."""
    with ScriptedServer(keep_alive(which)) as server, Session(limits=Limits(max_idle=7)) as session:
        session.headers["X-A"] = "b"
        session.auth = ("user", "password")
        session.params = {"q": "1"}
        session.timeout = Timeout(total=9)
        session.max_connections = 5
        session.cookies.set("a", "b", domain="127.0.0.1")
        session.get(server.url())
        twin: Any = pickle.loads(pickle.dumps(session))
        with twin:
            assert twin.get(server.url()).text == "1"
            seen, again = server.requests
            assert again.headers == seen.headers
            assert again.target == seen.target
            assert (twin.max_connections, twin.timeout) == (5, Timeout(total=9))
            assert twin.get_adapter("http://").pool.limits.max_idle == 7
            assert twin.get_adapter("http://") is twin.get_adapter("https://")
