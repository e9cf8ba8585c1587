"""What a session sends and what sticks to it, read at the other end of the wire.

Each test asks a scripted server what came: the bytes of the head, the framing of the body, the cookies, and
by which connection.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import gc
import io
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

import pystickyhttp
from pystickyhttp.auth import AuthBase, HTTPBasicAuth
from pystickyhttp.cookies import CookieJar
from pystickyhttp.decoding import accept_encoding
from pystickyhttp.exceptions import UnrewindableBodyError
from pystickyhttp.timeouts import Timeout
from tests.patience import wait_for_news
from tests.servers.certificates import key_pair, server_context
from tests.servers.echo import EchoServer
from tests.servers.scripted import ClientGone, Peer, Request, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

DEADLINE = 10.0


def ok(_: Request) -> bytes:
    return respond(b"ok")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Answers "ok" to everything, for as long as it is asked."""
    with ScriptedServer(keep_alive(ok)) as running:
        yield running


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def wait_until(reached: Callable[[], bool], what: str) -> None:
    """For what no event tells of: looked at again and again, up to a deadline."""
    limit = time.monotonic() + DEADLINE
    while not reached():
        assert time.monotonic() < limit, f"waited in vain for {what}"
        time.sleep(0.002)


# -- the head ---------------------------------------------------------------------------------------------


def test_a_get_sends_host_first_and_the_default_headers_in_the_order_of_requests(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.get(server.url("/path?query"))
    assert server.requests[0].raw == (
        b"GET /path?query HTTP/1.1\r\n"
        b"Host: 127.0.0.1:%d\r\n"
        b"User-Agent: pystickyhttp/%b\r\n"
        b"Accept-Encoding: %b\r\n"
        b"Accept: */*\r\n"
        b"Connection: keep-alive\r\n"
        b"\r\n"
    ) % (server.port, pystickyhttp.__version__.encode(), accept_encoding().encode())


@pytest.mark.parametrize("method", ["get", "options", "head", "post", "put", "patch", "delete"])
def test_each_method_of_the_session_and_of_the_module_sends_what_it_is_named_for(
    server: ScriptedServer, session: pystickyhttp.Session, method: str
) -> None:
    getattr(session, method)(server.url("/by-session"))
    getattr(pystickyhttp, method)(server.url("/by-module"))
    sent = [(request.method, request.target) for request in server.requests]
    assert sent == [(method.upper(), "/by-session"), (method.upper(), "/by-module")]
    assert server.accepted == 2


def test_request_takes_any_method_and_writes_it_in_upper_case(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.request("purge", server.url())
    pystickyhttp.request("PROPFIND", server.url())
    assert [request.method for request in server.requests] == ["PURGE", "PROPFIND"]


def test_the_module_can_be_told_all_that_a_session_can(server: ScriptedServer) -> None:
    pystickyhttp.get(server.url(), {"a": "1"}, headers={"X-One": "1"}, cookies={"c": "v"}, auth=("u", "p"))
    request = server.requests[0]
    assert request.target == "/?a=1"
    assert request.header("X-One") == "1"
    assert request.header("Cookie") == "c=v"
    assert request.header("Authorization") == basic("u", "p")


def test_headers_of_the_session_go_with_every_request_and_those_of_the_call_with_theirs(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.headers.update({"X-Session": "always"})
    session.get(server.url(), headers={"X-Call": "once"})
    session.get(server.url())
    assert [request.header("X-Session") for request in server.requests] == ["always", "always"]
    assert [request.header("X-Call") for request in server.requests] == ["once", None]


def test_a_header_of_the_call_takes_the_place_of_the_sessions_whatever_its_case(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.headers["x-thing"] = "session"
    session.get(server.url(), headers={"X-THING": "call", "user-agent": "me"})
    session.get(server.url())
    first, second = server.requests
    assert first.header_values("X-Thing") == ["call"]
    assert first.header_values("User-Agent") == ["me"]
    assert second.header_values("X-Thing") == ["session"]


def test_none_takes_a_header_away_for_one_call_or_for_the_session(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.headers["X-Thing"] = "session"
    session.get(server.url(), headers={"x-thing": None, "ACCEPT": None})
    session.headers["user-agent"] = None
    session.get(server.url())
    first, second = server.requests
    assert first.header_values("X-Thing") == []
    assert first.header_values("Accept") == []
    assert first.header_values("User-Agent") != []
    assert second.header_values("X-Thing") == ["session"]
    assert second.header_values("Accept") == ["*/*"]
    assert second.header_values("User-Agent") == []


def test_a_header_name_given_as_bytes_is_the_same_name(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.get(server.url(), headers={b"User-Agent": b"bytes"})
    assert server.requests[0].header_values("User-Agent") == ["bytes"]


def test_host_can_be_given_by_hand_and_is_still_first(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.get(server.url(), headers={"X-First": "1", "host": "elsewhere.example"})
    assert server.requests[0].headers[0] == ("Host", "elsewhere.example")
    assert server.requests[0].header_values("Host") == ["elsewhere.example"]


def test_params_of_the_call_are_appended_to_the_query_of_the_url(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.get(server.url("/?a=%2f"), params={"b": ["1", "2"], "none": None, "c": "x y"})
    assert server.requests[0].target == "/?a=%2f&b=1&b=2&c=x+y"


def test_params_of_the_session_go_with_every_request(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.params = {"key": "k"}
    session.get(server.url("/?a=1"), params={"b": "2"})
    session.get(server.url())
    assert [request.target for request in server.requests] == ["/?a=1&key=k&b=2", "/?key=k"]


def test_a_param_of_the_call_takes_the_place_of_the_sessions(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """Precedence: the call goes ahead of the session; None takes away, as with headers (so in requests)."""
    session.params = {"page": "1", "key": "k"}
    session.get(server.url(), params={"page": "2"})
    session.get(server.url(), params={"page": None})
    assert [request.target for request in server.requests] == ["/?page=2&key=k", "/?key=k"]


def test_get_and_its_sisters_go_through_the_request_of_the_instance(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """Seed 001 replaces `request` by a `functools.partial`."""
    session.request = functools.partial(session.request, headers={"X-Partial": "yes"})  # type: ignore[method-assign]
    for method in ("get", "options", "head", "post", "put", "patch", "delete"):
        getattr(session, method)(server.url())
    assert [request.header("X-Partial") for request in server.requests] == ["yes"] * 7


def test_a_prepared_request_can_be_changed_before_it_is_sent(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.headers["X-Session"] = "always"
    prepared = session.prepare_request(pystickyhttp.Request("POST", server.url(), data={"a": "b"}))
    prepared.headers["X-Later"] = "added"
    assert session.send(prepared).text == "ok"
    assert session.send(prepared).text == "ok"
    for request in server.requests:
        assert (request.method, request.body) == ("POST", b"a=b")
        assert (request.header("X-Session"), request.header("X-Later")) == ("always", "added")
    assert server.accepted == 1


# -- the body (X6) ----------------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """A file that can only be read on, as a pipe is."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._content.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


FORM = "application/x-www-form-urlencoded"

BODIES: list[Any] = [
    # id, what is given (made anew for each test: a file is read once), the body that comes, its Content-Type,
    # its Content-Length (None: chunked)
    ("form", lambda: {"data": {"a": "1", "b": ["2", "3"], "c": None}}, b"a=1&b=2&b=3", FORM, "11"),
    ("pairs", lambda: {"data": [("a", "1"), ("a", "2")]}, b"a=1&a=2", FORM, "7"),
    ("form outside ascii", lambda: {"data": {"ä": "☃"}}, b"%C3%A4=%E2%98%83", FORM, "16"),
    ("json", lambda: {"json": {"a": [1, None]}}, b'{"a": [1, null]}', "application/json", "16"),
    ("json null is no body", lambda: {"json": None}, b"", None, "0"),
    ("json false", lambda: {"json": False}, b"false", "application/json", "5"),
    ("data ahead of json", lambda: {"data": "data", "json": {}}, b"data", None, "4"),
    ("str", lambda: {"data": "snowman ☃"}, "snowman ☃".encode(), None, "11"),
    ("bytes", lambda: {"data": b"\x00\xff"}, b"\x00\xff", None, "2"),
    ("bytearray", lambda: {"data": bytearray(b"abc")}, b"abc", None, "3"),
    ("memoryview", lambda: {"data": memoryview(b"abc")}, b"abc", None, "3"),
    ("large bytes", lambda: {"data": b"x" * 300_000}, b"x" * 300_000, None, "300000"),
    ("file", lambda: {"data": io.BytesIO(b"content")}, b"content", None, "7"),
    ("text file", lambda: {"data": io.StringIO("snowman ☃")}, "snowman ☃".encode(), None, "11"),
    ("pipe", lambda: {"data": Pipe(b"from a pipe")}, b"from a pipe", None, None),
    ("iterator", lambda: {"data": iter([b"a", "b☃", b"", b"c"])}, "ab☃c".encode(), None, None),
    ("empty iterator", lambda: {"data": iter([])}, b"", None, None),
    ("nothing", dict, b"", None, "0"),
    ("empty str", lambda: {"data": ""}, b"", None, "0"),
    ("empty bytes", lambda: {"data": b""}, b"", None, "0"),
    ("empty form", lambda: {"data": {}}, b"", None, "0"),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    ("given", "body", "kind", "length"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_a_body_has_exactly_one_framing_header_and_the_type_of_its_encoding(
    server: ScriptedServer,
    session: pystickyhttp.Session,
    method: str,
    given: Callable[[], dict[str, Any]],
    body: bytes,
    kind: str | None,
    length: str | None,
) -> None:
    """X6."""
    session.request(method, server.url(), **given())
    request = server.requests[0]
    assert request.body == body
    assert request.header("Content-Type") == kind
    assert request.header("Content-Length") == length
    assert request.header("Transfer-Encoding") == ("chunked" if length is None else None)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_a_request_without_a_body_announces_none(
    server: ScriptedServer, session: pystickyhttp.Session, method: str
) -> None:
    """X6."""
    session.request(method, server.url())
    session.request(method, server.url(), headers={"Content-Length": "7"})
    for request in server.requests:
        assert request.header("Content-Length") is None
        assert request.header("Transfer-Encoding") is None


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_get_or_delete_may_have_a_body(
    server: ScriptedServer, session: pystickyhttp.Session, method: str
) -> None:
    session.request(method, server.url(), data=b"body")
    assert server.requests[0].body == b"body"
    assert server.requests[0].header("Content-Length") == "4"


def test_the_type_of_a_body_can_be_given_by_hand(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.post(server.url(), json={}, headers={"content-type": "application/ld+json"})
    session.post(server.url(), data={"a": "b"}, headers={"CONTENT-TYPE": "text/plain"})
    assert server.requests[0].header_values("Content-Type") == ["application/ld+json"]
    assert server.requests[1].header_values("Content-Type") == ["text/plain"]


def test_each_piece_of_an_iterable_is_a_chunk_and_an_empty_one_ends_nothing(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """An empty chunk would end the body (RFC 9112, section 7.1)."""
    session.post(server.url(), data=iter([b"one", b"", b"two"]))
    assert server.requests[0].chunks == [b"one", b"two"]


def test_an_iterable_of_known_length_is_sent_with_that_length(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.post(server.url(), data=iter([b"one", b"two"]), headers={"Content-Length": "6"})
    assert server.requests[0].body == b"onetwo"
    assert server.requests[0].header("Content-Length") == "6"
    assert server.requests[0].header("Transfer-Encoding") is None


def test_a_length_given_by_hand_does_not_contradict_a_body_whose_length_is_known(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.post(server.url(), data=b"four", headers={"Content-Length": "400"})
    assert server.requests[0].header_values("Content-Length") == ["4"]


def test_a_file_is_sent_from_where_it_stands_to_its_end(
    server: ScriptedServer, session: pystickyhttp.Session, tmp_path: Path
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"head" + b"x" * 200_000)
    with path.open("rb") as file:
        file.seek(4)
        session.post(server.url(), data=file)
        assert file.tell() == 200_004
    assert server.requests[0].body == b"x" * 200_000
    assert server.requests[0].header("Content-Length") == "200000"


def test_a_file_of_no_bytes_is_an_empty_body(
    server: ScriptedServer, session: pystickyhttp.Session, tmp_path: Path
) -> None:
    path = tmp_path / "empty"
    path.touch()
    with path.open("rb") as file:
        session.post(server.url(), data=file)
    session.put(server.url(), data=io.BytesIO())
    for request in server.requests:
        assert request.body == b""
        assert request.header("Content-Length") == "0"
        assert request.header("Transfer-Encoding") is None


def test_a_file_that_grows_while_it_is_sent_is_sent_as_long_as_it_was_announced(
    server: ScriptedServer, session: pystickyhttp.Session, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"12345")
    with path.open("rb") as file:
        prepared = session.prepare_request(pystickyhttp.Request("POST", server.url(), data=file))
        with path.open("ab") as writer:
            writer.write(b"678")
        session.send(prepared)
    assert server.requests[0].body == b"12345"


def test_a_prepared_request_with_a_file_is_sent_again_from_where_the_file_stood(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """P2."""
    file = io.BytesIO(b"skip" + b"content")
    file.seek(4)
    prepared = session.prepare_request(pystickyhttp.Request("POST", server.url(), data=file))
    session.send(prepared)
    session.send(prepared)
    assert [request.body for request in server.requests] == [b"content", b"content"]


def test_a_prepared_request_whose_body_is_used_up_is_not_sent_again_without_it(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """P2: an error, never an empty body instead."""
    body = (piece for piece in [b"once"])
    prepared = session.prepare_request(pystickyhttp.Request("POST", server.url(), data=body))
    session.send(prepared)
    with pytest.raises(UnrewindableBodyError):
        session.send(prepared)
    assert [request.body for request in server.requests] == [b"once"]


def test_a_large_body_and_a_large_answer_do_not_wait_for_each_other(
    session: pystickyhttp.Session,
) -> None:
    with EchoServer() as server:
        body = b"y" * 2_000_000
        assert session.post(server.url(), data=body).json()["body"] == body.decode()


# -- who one is -------------------------------------------------------------------------------------------


class Token(AuthBase):
    def __call__(self, request: pystickyhttp.PreparedRequest) -> pystickyhttp.PreparedRequest:
        request.headers["Authorization"] = "Token t"
        return request


def test_auth_of_the_call_beats_a_header_of_the_call_beats_the_session_beats_the_url(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    url = f"http://url:word@{server.host}:{server.port}/"
    by_hand = {"authorization": "By hand"}
    session.get(url)
    session.auth = ("session", "word")
    session.get(url)
    session.get(url, headers=by_hand)
    session.get(url, headers=by_hand, auth=("call", "word"))
    session.get(server.url())
    assert [request.header("Authorization") for request in server.requests] == [
        basic("url", "word"),
        basic("session", "word"),
        "By hand",
        basic("call", "word"),
        basic("session", "word"),
    ]
    assert {request.header("Host") for request in server.requests} == {f"127.0.0.1:{server.port}"}


def test_a_header_of_the_session_beats_the_url_and_its_auth_beats_that_header(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.headers["Authorization"] = "Bearer of the session"
    session.get(f"http://url:word@{server.host}:{server.port}/")
    session.auth = ("session", "word")
    session.get(server.url())
    sent = [request.header("Authorization") for request in server.requests]
    assert sent == ["Bearer of the session", basic("session", "word")]


def test_a_pair_and_the_object_are_the_same_and_any_text_can_be_a_password(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """RFC 7617, section 2.1: as UTF-8; a password may hold colons."""
    session.get(server.url(), auth=("üser", "pass:wörd ☃"))
    session.get(server.url(), auth=HTTPBasicAuth("üser", "pass:wörd ☃"))
    session.get(f"http://%C3%BCser:pass:w%C3%B6rd%20%E2%98%83@{server.host}:{server.port}/")
    assert [request.header("Authorization") for request in server.requests] == [
        basic("üser", "pass:wörd ☃")
    ] * 3


def test_an_auth_object_is_asked_at_each_request(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.auth = Token()
    session.get(server.url())
    session.get(server.url(), auth=("call", "word"))
    sent = [request.header("Authorization") for request in server.requests]
    assert sent == ["Token t", basic("call", "word")]


# -- cookies ----------------------------------------------------------------------------------------------


def setting(*cookies: str) -> Callable[[Request], bytes]:
    """Answers with these Set-Cookie fields where /set is asked for."""

    def answer(request: Request) -> bytes:
        fields = [("Set-Cookie", cookie) for cookie in cookies] if request.target == "/set" else []
        return respond(b"ok", headers=fields)

    return answer


def test_a_cookie_that_a_response_sets_goes_with_what_follows(session: pystickyhttp.Session) -> None:
    with ScriptedServer(keep_alive(setting("one=1", 'two="2, b"; Path=/', "old=; Max-Age=0"))) as server:
        response = session.get(server.url("/set"))
        assert response.cookies.get_dict() == {"one": "1", "two": '"2, b"'}
        session.get(server.url("/after"))
    assert [request.header("Cookie") for request in server.requests] == [None, 'one=1; two="2, b"']
    assert session.cookies["one"] == "1"


def test_a_cookie_of_a_redirect_goes_with_the_request_that_follows_it(session: pystickyhttp.Session) -> None:
    def answer(request: Request) -> bytes:
        if request.target == "/login":
            return respond(status=302, headers=[("Location", "/home"), ("Set-Cookie", "id=7; Path=/")])
        return respond(b"home")

    with ScriptedServer(keep_alive(answer)) as server:
        response = session.get(server.url("/login"))
        session.get(server.url("/more"))
    assert [request.header("Cookie") for request in server.requests] == [None, "id=7", "id=7"]
    assert response.cookies.get_dict() == {}
    assert response.history[0].cookies.get_dict() == {"id": "7"}


def test_a_cookie_can_be_set_in_code_and_cleared(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.cookies["a"] = "1"
    session.cookies.set("b", "2", path="/deep")
    session.get(server.url("/deep/er"))
    session.get(server.url("/"))
    session.cookies.clear()
    session.get(server.url("/"))
    assert [request.header("Cookie") for request in server.requests] == ["b=2; a=1", "a=1", None]


def test_the_cookies_of_a_call_are_for_that_call_alone(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.cookies["kept"] = "session"
    session.get(server.url(), cookies={"once": "call", "kept": "call"})
    session.get(server.url())
    first, second = (request.header("Cookie") for request in server.requests)
    assert sorted((first or "").split("; ")) == ["kept=call", "once=call"]
    assert second == "kept=session"
    assert session.cookies.get_dict() == {"kept": "session"}


def test_the_cookies_of_a_jar_given_at_a_call_go_only_where_they_belong(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """A jar may hold cookies of many hosts: this server is to see its own and no other's."""
    jar = CookieJar()
    jar.set("ours", "1", domain="127.0.0.1")
    jar.set("theirs", "2", domain="bank.example")
    jar.set("below", "3", domain="127.0.0.1", path="/below")
    jar.set("secure", "4", domain="127.0.0.1", secure=True)
    session.get(server.url(), cookies=jar)
    assert server.requests[0].header("Cookie") == "ours=1"


def test_a_cookie_field_written_by_hand_goes_as_it_is(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.cookies["jar"] = "1"
    session.get(server.url(), headers={"cookie": "by=hand"})
    assert server.requests[0].header_values("Cookie") == ["by=hand"]


def test_cookies_stay_with_the_session_and_each_session_has_its_own(session: pystickyhttp.Session) -> None:
    with ScriptedServer(keep_alive(setting("a=1"))) as server, pystickyhttp.Session() as other:
        session.get(server.url("/set"))
        other.get(server.url())
        pystickyhttp.get(server.url())
        session.close()
        session.get(server.url())
    assert [request.header("Cookie") for request in server.requests] == [None, None, None, "a=1"]


# -- time -------------------------------------------------------------------------------------------------


def stalling(peer: Peer) -> None:
    peer.expect_request()
    peer.stall()


def test_the_timeout_of_the_call_goes_ahead_of_the_sessions(session: pystickyhttp.Session) -> None:
    with ScriptedServer(stalling) as server:
        session.timeout = 0.05
        with pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.05 s"):
            session.get(server.url())
        with pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.07 s"):
            session.get(server.url(), timeout=0.07)
        session.timeout = None
        with pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.06 s"):
            session.get(server.url(), timeout=(5, 0.06))


def test_none_as_the_timeout_of_the_call_lifts_the_sessions(session: pystickyhttp.Session) -> None:
    """T1: unset and None differ."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        peer.expect_request()
        arrived.set()
        peer.wait(go_on)
        peer.send(respond(b"at last"))

    with ScriptedServer(slow) as server, ThreadPoolExecutor(1) as threads:
        session.timeout = 0.05
        answer = threads.submit(session.get, server.url(), timeout=None)
        assert arrived.wait(DEADLINE)
        # Another request runs into the session's limit while the first one waits: so that limit has passed.
        with pytest.raises(pystickyhttp.ReadTimeout):
            session.get(server.url())
        assert not answer.done()
        go_on.set()
        assert answer.result(DEADLINE).text == "at last"


def test_a_partial_of_request_with_a_timeout_counts_for_get(session: pystickyhttp.Session) -> None:
    """Seed 001."""
    session.request = functools.partial(session.request, timeout=0.05)  # type: ignore[method-assign]
    with ScriptedServer(stalling) as server, pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.05 s"):
        session.get(server.url())


def test_the_total_timeout_spans_the_redirects(session: pystickyhttp.Session) -> None:
    """T1: each answer comes well within the read timeout, and the redirects would never end."""

    def on_and_on(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            answer = respond(status=302, headers={"Location": f"{request.target}x"})
            with contextlib.suppress(ClientGone):
                peer.drip(answer, size=len(answer) // 2, every=0.02)

    with ScriptedServer(on_and_on) as server, no_socket_left():
        session.max_redirects = 1_000_000
        with pytest.raises(pystickyhttp.TotalTimeout, match=r"total timeout of 0\.3 s"):
            session.get(server.url(), timeout=Timeout(total=0.3))
        # The total may pass between two hops, when the connection is idle in the pool: that is no leak.
        session.close()


# -- trust ------------------------------------------------------------------------------------------------


def test_verify_of_the_call_goes_ahead_of_the_sessions(
    session: pystickyhttp.Session, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    with ScriptedServer(keep_alive(ok), tls=tls_context, handshake_may_fail=True) as server:
        session.verify = False
        with pytest.raises(pystickyhttp.SSLError):
            session.get(server.url(), verify=True)
        assert session.get(server.url()).text == "ok"
        session.verify = True
        assert session.get(server.url(), verify=ca_file).text == "ok"
        assert session.get(server.url(), verify=False).text == "ok"
        session.verify = ca_file
        assert session.get(server.url()).text == "ok"


def test_a_connection_that_was_not_verified_does_not_serve_a_request_that_asks_for_it(
    session: pystickyhttp.Session, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """R1: the TLS identity is part of the Route."""
    with ScriptedServer(keep_alive(ok), tls=tls_context, handshake_may_fail=True) as server:
        assert session.get(server.url(), verify=False).text == "ok"
        with pytest.raises(pystickyhttp.SSLError):
            session.get(server.url())
        assert session.get(server.url(), verify=ca_file).text == "ok"
        assert session.get(server.url(), verify=False).text == "ok"
    assert [request.connection for request in server.requests] == [0, 2, 0]


@pytest.mark.parametrize("as_path", [False, True])
def test_verify_takes_the_path_of_a_file(
    session: pystickyhttp.Session, tls_context: ssl.SSLContext, ca_file: str, as_path: bool
) -> None:
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server:
        assert session.get(server.url(), verify=Path(ca_file) if as_path else ca_file).text == "ok"


def test_the_system_store_is_what_ssl_cert_file_names(
    session: pystickyhttp.Session,
    tls_context: ssl.SSLContext,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S1."""
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server:
        assert session.get(server.url()).text == "ok"
        # S3, and what the user calls the server: the name goes with the handshake.
        assert session.get(server.url(host="localhost")).text == "ok"


def test_a_client_certificate_of_the_session_or_the_call_is_shown(
    session: pystickyhttp.Session, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    authority = trustme.CA()
    pair = key_pair(authority, tmp_path, "client.example")
    context = server_context(ca, client_ca=authority)
    session.verify = ca_file
    # Under TLS 1.3 the client may have left before the server finds out that there is no certificate.
    with ScriptedServer(keep_alive(ok), tls=context, handshake_may_fail=True) as server:
        with pytest.raises(pystickyhttp.ConnectionError):
            session.get(server.url())
        assert session.get(server.url(), cert=(pair.certificate, pair.key)).text == "ok"
        session.cert = (pair.certificate, pair.key)
        assert session.get(server.url()).text == "ok"
        assert len(server.requests) == 2


# -- connections ------------------------------------------------------------------------------------------


def test_a_session_of_many_requests_keeps_one_connection(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    for number in range(50):
        session.get(server.url(f"/{number}"))
    assert server.accepted == 1


def test_requests_of_the_module_leave_no_connection_behind(server: ScriptedServer) -> None:
    with no_socket_left():
        for _ in range(3):
            pystickyhttp.get(server.url())
    assert server.accepted == 3


def test_leaving_the_with_block_closes_the_connections(server: ScriptedServer) -> None:
    with no_socket_left(), pystickyhttp.Session() as session:
        session.get(server.url())
        server.wait_for_open(1)
    server.wait_for_open(0)


def test_a_session_that_is_forgotten_closes_its_connections(server: ScriptedServer) -> None:
    with no_socket_left():
        session = pystickyhttp.Session()
        session.get(server.url())
        del session
        gc.collect()


def test_a_session_can_be_used_after_it_was_closed(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    session.get(server.url())
    session.close()
    session.close()
    session.get(server.url())
    session.get(server.url())
    assert [request.connection for request in server.requests] == [0, 1, 1]


def test_hosts_do_not_share_connections(session: pystickyhttp.Session) -> None:
    """R1."""
    with ScriptedServer(keep_alive(ok)) as one, ScriptedServer(keep_alive(ok)) as other:
        for _ in range(2):
            session.get(one.url())
            session.get(other.url())
            session.get(one.url(host="localhost"))
        assert (one.accepted, other.accepted) == (2, 1)


def test_a_connection_that_the_server_closed_while_idle_is_not_used_again(
    session: pystickyhttp.Session,
) -> None:
    """R4: without an error, and for a POST too, since not a byte of it was written."""

    def once(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))

    with ScriptedServer(once) as server:
        for _ in range(3):
            assert session.post(server.url(), data=b"not twice").text == "ok"
            wait_for_news(session)
        assert server.accepted == 3


# -- max_connections --------------------------------------------------------------------------------------


class Streams:
    """A server whose answers are long: a body is sent when its event is set, so a connection is in use until
    its response is read to the end or closed."""

    def __init__(self) -> None:
        self.finish = threading.Event()
        self.server = ScriptedServer(self._converse)

    def _converse(self, peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 10)
            peer.wait(self.finish)
            if not peer.try_send(b"x" * 99_990):
                return


@pytest.fixture
def streams() -> Iterator[Streams]:
    made = Streams()
    with made.server:
        yield made
        made.finish.set()


class Waiter:
    """A request in a thread of its own, begun when the session's connections are used up."""

    def __init__(self, threads: ThreadPoolExecutor, session: pystickyhttp.Session, url: str) -> None:
        self._session = session
        self.answer: Future[pystickyhttp.Response] = threads.submit(
            session.get, url, stream=True, timeout=Timeout(pool=DEADLINE)
        )

    def wait_until_it_queues(self, waiting: int = 1) -> None:
        def queues() -> bool:
            return f"{waiting} waiting" in repr(self._session)

        wait_until(queues, f"{waiting} requests to wait for a connection of {self._session!r}")


def test_with_ten_connections_the_eleventh_request_waits_until_one_is_closed(
    streams: Streams, session: pystickyhttp.Session
) -> None:
    """Seed 002; L1, L2."""
    session.max_connections = 10
    url = streams.server.url()
    with ThreadPoolExecutor(1) as threads:
        responses = [session.get(url, stream=True) for _ in range(10)]
        eleventh = Waiter(threads, session, url)
        eleventh.wait_until_it_queues()
        assert not eleventh.answer.done()
        assert streams.server.accepted == 10
        responses[3].close()
        eleventh.answer.result(DEADLINE).close()
        assert len(streams.server.requests) == 11
        # The closed one's socket had to go: too much of its body was left to be read (R5).
        assert streams.server.accepted == 11
        for response in responses:
            response.close()


def test_with_ten_connections_the_eleventh_request_gets_the_one_whose_response_was_read(
    streams: Streams, session: pystickyhttp.Session
) -> None:
    """L2: a released connection goes to who waits; nothing is dialled."""
    session.max_connections = 10
    url = streams.server.url()
    with ThreadPoolExecutor(1) as threads:
        responses = [session.get(url, stream=True) for _ in range(10)]
        eleventh = Waiter(threads, session, url)
        eleventh.wait_until_it_queues()
        streams.finish.set()
        assert len(responses[7].content) == 100_000
        assert len(eleventh.answer.result(DEADLINE).content) == 100_000
        for response in responses:
            response.close()
    assert streams.server.accepted == 10
    assert streams.server.requests[10].connection == streams.server.requests[7].connection


def test_with_ten_connections_the_eleventh_request_gives_up_at_the_pool_timeout(
    streams: Streams, session: pystickyhttp.Session
) -> None:
    """L3; the message says what the limit is and what to do."""
    session.max_connections = 10
    responses = [session.get(streams.server.url(), stream=True) for _ in range(10)]
    with pytest.raises(pystickyhttp.PoolTimeout, match=r"pool timeout of 0\.05 s.*max_per_host=10") as caught:
        session.get(streams.server.url(), timeout=Timeout(pool=0.05))
    assert caught.value.request is not None
    assert caught.value.request.url == streams.server.url()
    assert len(streams.server.requests) == 10
    # The place in the queue was given up with it: who comes next is not behind a ghost.
    responses[0].close()
    session.get(streams.server.url(), stream=True, timeout=Timeout(pool=DEADLINE)).close()
    for response in responses:
        response.close()


def test_raising_max_connections_lets_in_at_once_who_waits(
    streams: Streams, session: pystickyhttp.Session
) -> None:
    session.max_connections = 1
    with ThreadPoolExecutor(2) as threads:
        first = session.get(streams.server.url(), stream=True)
        second = Waiter(threads, session, streams.server.url())
        third = Waiter(threads, session, streams.server.url())
        third.wait_until_it_queues(2)
        session.max_connections = 2
        streams.server.wait_for_requests(2)
        third.wait_until_it_queues(1)
        session.max_connections = None
        streams.server.wait_for_requests(3)
        for waiter in (second, third):
            waiter.answer.result(DEADLINE).close()
        first.close()


def test_max_connections_is_counted_for_each_host(streams: Streams, session: pystickyhttp.Session) -> None:
    """L2: a host that is full does not hold up another one."""
    session.max_connections = 1
    with ScriptedServer(keep_alive(ok)) as other:
        held = session.get(streams.server.url(), stream=True)
        assert session.get(other.url()).text == "ok"
        held.close()


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("10", TypeError)])
def test_max_connections_has_to_be_a_whole_number_above_zero(
    session: pystickyhttp.Session, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=re.escape(repr(value))):
        session.max_connections = value
    assert session.max_connections is None


# -- responses that stream --------------------------------------------------------------------------------


def test_a_streamed_response_holds_its_connection_until_it_is_read(session: pystickyhttp.Session) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 100_000))) as server:
        held = session.get(server.url(), stream=True)
        session.get(server.url())
        assert len(held.content) == 100_000
        session.get(server.url())
        session.get(server.url())
    assert {request.connection for request in server.requests[:2]} == {0, 1}
    assert server.accepted == 2


def test_stream_can_be_the_sessions_setting_and_the_call_goes_ahead_of_it(
    session: pystickyhttp.Session,
) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 1000))) as server:
        session.stream = True
        with session.get(server.url()) as held:
            session.get(server.url(), stream=False)
            session.get(server.url(), stream=False)
            assert len(held.content) == 1000
    assert [request.connection for request in server.requests] == [0, 1, 1]


@pytest.mark.usefixtures("unhurried_drain")
@pytest.mark.parametrize("leave", ["with", "close()"])
def test_a_response_that_is_closed_with_little_left_returns_its_connection(
    session: pystickyhttp.Session, leave: str
) -> None:
    """R5: it costs less to read 64 KiB that are there than to connect again."""
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 60_000))) as server:
        for _ in range(3):
            response = session.get(server.url(), stream=True)
            if leave == "with":
                with response:
                    assert next(response.iter_content(10)) == b"x" * 10
            else:
                response.close()
                response.close()
        assert server.accepted == 1


def test_a_response_that_is_closed_with_much_left_closes_its_connection(
    session: pystickyhttp.Session,
) -> None:
    """R5."""
    with ScriptedServer(keep_alive(lambda _: respond(b"x" * 1_000_000))) as server, no_socket_left():
        for _ in range(3):
            with session.get(server.url(), stream=True) as response:
                assert next(response.iter_content(10)) == b"x" * 10
        assert server.accepted == 3


def test_a_response_that_is_closed_while_the_rest_is_not_coming_closes_its_connection(
    session: pystickyhttp.Session,
) -> None:
    """R5: little is left, and yet nobody waits for it."""
    left = threading.Event()

    def half(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        assert peer.read_request() is None
        left.set()

    with ScriptedServer(half) as server, no_socket_left():
        session.get(server.url(), stream=True).close()
        assert left.wait(DEADLINE)


def test_what_is_left_at_close_is_not_decoded(session: pystickyhttp.Session) -> None:
    """R5: the rest is drained as it is, so a body that can't be decoded does no harm any more."""
    broken = respond(b"this is no gzip", headers={"Content-Encoding": "gzip"})
    with ScriptedServer(keep_alive(lambda _: broken)) as server:
        for _ in range(2):
            with session.get(server.url(), stream=True) as response:
                assert response.status_code == 200
        assert server.accepted == 1


def forget(responses: list[pystickyhttp.Response]) -> None:
    responses.clear()
    gc.collect()


def test_a_streamed_response_that_is_forgotten_frees_its_slot_and_warns(
    session: pystickyhttp.Session,
) -> None:
    """R6."""

    def half(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        peer.stall()

    session.max_connections = 1
    with ScriptedServer(half) as server, no_socket_left():
        held = [session.get(server.url(), stream=True)]
        with pytest.warns(ResourceWarning, match=re.escape(f"127.0.0.1:{server.port}")):
            forget(held)
        # Were the slot lost, this one would wait for it in vain.
        session.get(server.url(), stream=True, timeout=Timeout(pool=DEADLINE)).close()
        assert server.accepted == 2


def test_a_response_that_was_read_or_closed_is_forgotten_without_a_word(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """R6. Warnings are errors here, so silence is what passes."""
    session.get(server.url())
    session.get(server.url(), stream=True).close()
    _ = session.get(server.url(), stream=True).content
    gc.collect()


def test_an_open_response_can_be_read_to_its_end_after_the_session_was_closed(
    streams: Streams, session: pystickyhttp.Session
) -> None:
    with no_socket_left():
        response = session.get(streams.server.url(), stream=True)
        session.close()
        streams.finish.set()
        assert len(response.content) == 100_000


def test_a_streamed_response_of_the_module_can_be_read_to_its_end(streams: Streams) -> None:
    with no_socket_left():
        response = pystickyhttp.get(streams.server.url(), stream=True)
        streams.finish.set()
        assert len(response.content) == 100_000


def test_the_connection_of_a_response_that_was_open_at_close_is_not_used_again(
    streams: Streams, session: pystickyhttp.Session
) -> None:
    response = session.get(streams.server.url(), stream=True)
    session.close()
    streams.finish.set()
    assert len(response.content) == 100_000
    streams.server.wait_for_open(0)
    session.get(streams.server.url())
    assert [request.connection for request in streams.server.requests] == [0, 1]


# -- what json says of the echo ---------------------------------------------------------------------------


def test_what_was_sent_is_what_the_response_says_was_requested(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    response = session.post(server.url("/p"), json={"a": 1}, params={"q": "1"})
    sent = server.requests[0]
    assert response.request.method == sent.method
    assert response.request.url == response.url == server.url(sent.target)
    assert response.request.headers["Content-Type"] == sent.header("Content-Type")
    assert json.loads(response.request.body) == json.loads(sent.body)
