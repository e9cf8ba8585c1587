"""Keep-alive with the servers of this world, proven by counting connections at the server.

gunicorn (gthread), uvicorn, hypercorn, waitress and nginx each have their own idea of when a connection goes
on. A session that sticks needs one connection for any number of requests, whatever their method and however
the answer is framed; requests without a session need one each.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import pystickyhttp
from tests.servers.real import RealServer, RealServers
from tests.servers.sockets import no_socket_left

MANY = 20

# These five serve the routes of `tests.servers.apps` (nginx a part of them), httpbin has its own.
PATHS = {"httpbin": ("/get", "/post"), "httpbin_tls": ("/get", "/post"), "nginx": ("/", "/peer")}
# Those that serve every route of `tests.servers.apps`.
WITH_ALL_ROUTES = ("gunicorn", "uvicorn", "hypercorn", "waitress")


def paths_of(server: RealServer) -> tuple[str, str]:
    """Where this server answers a GET, and where it answers a POST."""
    return PATHS.get(server.name, ("/", "/echo"))


@pytest.fixture(params=WITH_ALL_ROUTES)
def server(request: pytest.FixtureRequest, real_servers: RealServers) -> RealServer:
    return real_servers.get(request.param)


# -- the session sticks -----------------------------------------------------------------------------------


def test_many_gets_of_a_session_take_one_connection(keep_alive_server: RealServer, ca_file: str) -> None:
    path, _ = paths_of(keep_alive_server)
    with pystickyhttp.Session() as session:
        session.verify = ca_file
        statuses = [session.get(keep_alive_server.url + path).status_code for _ in range(MANY)]
    assert statuses == [200] * MANY
    assert keep_alive_server.requests() == [f"GET {path}"] * MANY
    assert keep_alive_server.connections() == 1


def test_many_posts_of_a_session_take_one_connection(keep_alive_server: RealServer, ca_file: str) -> None:
    _, path = paths_of(keep_alive_server)
    # nginx answers /peer from the head alone: an answer amid a long body ends its upload and its connection
    # (X2), so there the body leaves in one write with its head.
    long = 10_000 if keep_alive_server.name == "nginx" else 100_000
    with pystickyhttp.Session() as session:
        session.verify = ca_file
        for number in range(MANY):
            # Short and long ones in turn: a long body leaves in several writes, behind its head.
            body = b"x" * (1 if number % 2 else long)
            assert session.post(keep_alive_server.url + path, data=body).status_code == 200
    assert keep_alive_server.requests() == [f"POST {path}"] * MANY
    assert keep_alive_server.connections() == 1


def test_gets_and_posts_in_turn_take_one_connection(keep_alive_server: RealServer, ca_file: str) -> None:
    get, post = paths_of(keep_alive_server)
    with pystickyhttp.Session() as session:
        session.verify = ca_file
        for _ in range(MANY // 2):
            assert session.get(keep_alive_server.url + get).ok
            assert session.post(keep_alive_server.url + post, data={"key": "value"}).ok
    assert keep_alive_server.requests() == [f"GET {get}", f"POST {post}"] * (MANY // 2)
    assert keep_alive_server.connections() == 1


def test_requests_without_a_session_take_a_connection_each(
    keep_alive_server: RealServer, ca_file: str
) -> None:
    get, post = paths_of(keep_alive_server)
    with no_socket_left():
        for _ in range(5):
            assert pystickyhttp.get(keep_alive_server.url + get, verify=ca_file).ok
            assert pystickyhttp.post(keep_alive_server.url + post, data=b"body", verify=ca_file).ok
    assert keep_alive_server.requests() == [f"GET {get}", f"POST {post}"] * 5
    assert keep_alive_server.connections() == 10


def test_a_session_that_is_closed_leaves_no_socket(keep_alive_server: RealServer, ca_file: str) -> None:
    with no_socket_left(), pystickyhttp.Session() as session:
        session.verify = ca_file
        session.get(keep_alive_server.url + paths_of(keep_alive_server)[0])


def test_a_session_that_was_closed_begins_anew(keep_alive_server: RealServer, ca_file: str) -> None:
    path, _ = paths_of(keep_alive_server)
    with pystickyhttp.Session() as session:
        session.verify = ca_file
        session.get(keep_alive_server.url + path)
        session.close()
        session.get(keep_alive_server.url + path)
        session.get(keep_alive_server.url + path)
    assert keep_alive_server.connections() == 2


def test_threads_share_the_connections_of_a_session(keep_alive_server: RealServer, ca_file: str) -> None:
    """L1: the limit holds, and nobody is left out."""
    path, _ = paths_of(keep_alive_server)
    with pystickyhttp.Session() as session, ThreadPoolExecutor(8) as threads:
        session.verify = ca_file
        session.max_connections = 3
        url = keep_alive_server.url + path
        statuses = list(threads.map(lambda _: session.get(url, timeout=30).status_code, range(40)))
    assert statuses == [200] * 40
    assert len(keep_alive_server.requests()) == 40
    assert keep_alive_server.connections() <= 3


# -- whatever the framing ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("unhurried_drain")
def test_a_connection_goes_on_after_every_kind_of_answer(server: RealServer) -> None:
    """R3, X5: known length, chunks, gzip, no body at all, an error, a redirect."""
    with pystickyhttp.Session() as session:
        assert session.get(f"{server.url}/bytes/100000").content[:16] == b"0123456789abcdef"
        assert session.get(f"{server.url}/chunked/3").text == "piece 0\npiece 1\npiece 2\n"
        compressed = session.get(f"{server.url}/gzip")
        assert compressed.text == "hello, compressed\n" * 20
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert session.get(f"{server.url}/status/204").content == b""
        assert session.get(f"{server.url}/status/304").content == b""
        assert session.get(f"{server.url}/status/500").status_code == 500
        assert session.head(f"{server.url}/bytes/100").headers["Content-Length"] == "100"
        redirected = session.get(f"{server.url}/redirect/2")
        assert redirected.text == "hello\n"
        assert [response.status_code for response in redirected.history] == [302, 302]
    assert len(server.requests()) == 10
    # waitress says `Connection: close` with an answer of unknown length, and with 204 and 304.
    assert server.connections() == (4 if server.name == "waitress" else 1)


def test_every_kind_of_body_arrives_whole(server: RealServer) -> None:
    """X6, as four servers read it."""
    bodies = [b"bytes", "snowman ☃", iter([b"pie", b"ces"]), {"form": "yes"}, b"y" * 70_000]
    with pystickyhttp.Session() as session:
        answers = [session.post(f"{server.url}/echo", data=body).json() for body in bodies]
        answers.append(session.post(f"{server.url}/echo", json={"json": True}).json())
        answers.append(session.post(f"{server.url}/echo").json())
    received = [answer["body"].encode("latin-1") for answer in answers]
    assert received[:4] == [b"bytes", "snowman ☃".encode(), b"pieces", b"form=yes"]
    assert received[4] == b"y" * 70_000
    assert json.loads(received[5]) == {"json": True}
    assert received[6] == b""
    assert server.connections() == 1


def test_a_streamed_answer_that_is_read_to_its_end_gives_its_connection_back(server: RealServer) -> None:
    with pystickyhttp.Session() as session:
        for _ in range(3):
            with session.get(f"{server.url}/bytes/300000", stream=True) as response:
                assert sum(map(len, response.iter_content(None))) == 300_000
    assert server.connections() == 1


def test_what_streams_at_the_same_time_takes_a_connection_each(server: RealServer) -> None:
    with pystickyhttp.Session() as session:
        first = session.get(f"{server.url}/bytes/300000", stream=True)
        second = session.get(f"{server.url}/bytes/300000", stream=True)
        assert len(second.content) == len(first.content) == 300_000
        session.get(f"{server.url}/")
    assert server.connections() == 2


# -- a server that closes ---------------------------------------------------------------------------------


def test_a_server_that_closes_each_time_costs_connections_and_no_errors(
    gunicorn_sync_server: RealServer,
) -> None:
    url = gunicorn_sync_server.url
    with no_socket_left(), pystickyhttp.Session() as session:
        for _ in range(5):
            assert session.get(url + "/").text == "hello\n"
            assert session.post(url + "/echo", data=b"body").json()["body"] == "body"
    assert gunicorn_sync_server.connections() == 10


@pytest.mark.parametrize(("path", "connections"), [("/closing", 6), ("/limited", 3)])
def test_nginx_may_end_a_connection_after_some_answers(
    nginx_server: RealServer, path: str, connections: int
) -> None:
    """R3: a connection that the server says it closes is not used again."""
    with pystickyhttp.Session() as session:
        for _ in range(6):
            assert session.post(nginx_server.url + path, data=b"not to be sent twice").ok
    assert nginx_server.requests() == [f"POST {path}"] * 6
    assert nginx_server.connections() == connections


def test_a_large_file_of_nginx_comes_whole_over_one_connection(nginx_server: RealServer) -> None:
    with pystickyhttp.Session() as session:
        for _ in range(3):
            assert session.get(nginx_server.url + "/large.bin").content == bytes(range(256)) * 4096
    assert nginx_server.connections() == 1
