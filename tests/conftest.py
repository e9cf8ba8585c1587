"""What every test starts from: an environment that says nothing, an authority that signs anything.

A client with the interface of `requests` listens to the environment (proxies, trust stores, ~/.netrc), and
the machine that runs the tests has one of its own. Each test begins without it and sets what it is about.
"""

from __future__ import annotations

import _thread
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

import pystickyhttp
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import tls_tickets
from tests.servers import surroundings
from tests.servers.certificates import server_context
from tests.servers.real import RealServer, RealServers


@pytest.fixture(scope="session", autouse=True)
def measured_threads() -> Iterator[None]:
    """Under coverage (`make coverage`) threads that are started below `threading` are measured too."""
    trace, start = threading.gettrace(), _thread.start_new_thread
    if trace is None:
        yield
        return

    def start_measured(function: Callable[..., object], arguments: tuple[Any, ...], *rest: Any) -> int:
        def measured(*given: Any, **named: Any) -> None:
            sys.settrace(trace)
            function(*given, **named)

        return start(measured, arguments, *rest)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_thread, "start_new_thread", start_measured)
        yield


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, empty_home: Path) -> None:
    """No proxy, no trust store, no netrc of the machine's reaches the test."""
    surroundings.hush(monkeypatch, empty_home)


@pytest.fixture(autouse=True)
def full_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where looking at tickets costs memory for good, each test has as many looks as a process has."""
    if tls_tickets.tickets._looks_left is not None:
        monkeypatch.setattr(tls_tickets.tickets, "_looks_left", tls_tickets.MOST_LEAKS)


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the authority's certificate, for `verify=`."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def tls_context(ca: trustme.CA) -> ssl.SSLContext:
    """A server's context for all the names that tests use, for `ScriptedServer(..., tls=tls_context)`."""
    return server_context(ca)


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, tls_context: ssl.SSLContext) -> ssl.SSLContext | None:
    """For what has to hold over http and over https: what `ScriptedServer(..., tls=tls)` speaks."""
    return tls_context if request.param == "https" else None


@pytest.fixture
def session() -> Iterator[pystickyhttp.Session]:
    with pystickyhttp.Session() as made:
        yield made


@pytest.fixture
def unhurried_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """R5 does not wait for the rest of a body for longer than 50 ms. For tests of a rest that does come, and
    whose server may be held up for longer than that."""
    monkeypatch.setattr("pystickyhttp.transport.pool.DRAIN_TIME", Timeout(total=10.0))


@pytest.fixture
def unhurried_expectation(monkeypatch: pytest.MonkeyPatch) -> None:
    """X3 does not wait for an answer to Expect for longer than 1 s. For tests of a server that does answer,
    however long it is held up; who waits without an answer waits until the test is ended."""
    monkeypatch.setattr("pystickyhttp.transport.connection.CONTINUE_SECONDS", 1000.0)


# -- real server programs: each runs from its first use to the end, and counts from zero for each test -----


@pytest.fixture(scope="session")
def real_servers(ca: trustme.CA, ca_file: str) -> Iterator[RealServers]:
    with RealServers(ca, ca_file) as servers:
        yield servers


@pytest.fixture(params=RealServers.KEEPING_ALIVE)
def keep_alive_server(request: pytest.FixtureRequest, real_servers: RealServers) -> RealServer:
    """Each program that keeps connections alive, one after the other."""
    return real_servers.get(request.param)


@pytest.fixture
def gunicorn_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("gunicorn")


@pytest.fixture
def gunicorn_sync_server(real_servers: RealServers) -> RealServer:
    """Closes the connection after every response."""
    return real_servers.get("gunicorn_sync")


@pytest.fixture
def uvicorn_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("uvicorn")


@pytest.fixture
def hypercorn_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("hypercorn")


@pytest.fixture
def waitress_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("waitress")


@pytest.fixture
def cheroot_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("cheroot")


@pytest.fixture
def aiohttp_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("aiohttp")


@pytest.fixture
def tornado_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("tornado")


@pytest.fixture
def nginx_server(real_servers: RealServers) -> RealServer:
    return real_servers.get("nginx")


@pytest.fixture
def httpbin_server(real_servers: RealServers) -> RealServer:
    """httpbin; under the names example.com and api.example.com the examples of `tests.servers.site`."""
    return real_servers.get("httpbin")


@pytest.fixture
def httpbin_tls_server(real_servers: RealServers) -> RealServer:
    """The same over TLS, with a certificate of `ca` for all three names and the loopback's."""
    return real_servers.get("httpbin_tls")


@pytest.fixture
def names_to_loopback(
    monkeypatch: pytest.MonkeyPatch, httpbin_server: RealServer, httpbin_tls_server: RealServer
) -> None:
    """httpbin.org, api.example.com and example.com, at ports 80 and 443, are the two servers above."""
    surroundings.lead_to_loopback(monkeypatch, {80: httpbin_server.port, 443: httpbin_tls_server.port})
