"""What programs for requests do to a session besides sending, and what is refused and not ignored."""

from __future__ import annotations

import http.cookiejar
import re
from collections.abc import Iterator
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp import Limits, PreparedRequest, Request, Session
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.auth import AuthBase
from pystickyhttp.cookies import CookieJar
from pystickyhttp.exceptions import InvalidBody, InvalidHeader
from tests.servers.scripted import ScriptedServer, closed_port, keep_alive, respond


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(lambda request: respond(request.body))) as server:
        yield server


# --- assignments


def test_headers_can_be_replaced_by_any_mapping(server: ScriptedServer, session: Session) -> None:
    session.headers = {"X-Only": "this"}
    session.get(server.url())
    names = [name for name, _ in server.requests[0].headers]
    assert names == ["Host", "X-Only"]
    assert session.headers["x-only"] == "this"


def test_cookies_can_be_replaced_by_a_mapping(server: ScriptedServer, session: Session) -> None:
    session.cookies = {"a": "b"}
    session.get(server.url())
    assert server.requests[0].header("Cookie") == "a=b"
    assert isinstance(session.cookies, CookieJar)


def standard_jar() -> http.cookiejar.CookieJar:
    """As `http.cookiejar` would keep them for two hosts."""
    jar = http.cookiejar.CookieJar()
    for name, domain in (("ours", "127.0.0.1"), ("theirs", ".bank.example"), ("every", "")):
        jar.set_cookie(
            http.cookiejar.Cookie(
                version=0,
                name=name,
                value="1",
                port=None,
                port_specified=False,
                domain=domain,
                domain_specified=bool(domain),
                domain_initial_dot=domain.startswith("."),
                path="/",
                path_specified=True,
                secure=False,
                expires=None,
                discard=True,
                comment=None,
                comment_url=None,
                rest={},
            )
        )
    return jar


def test_a_jar_of_the_standard_library_is_taken_with_its_domains(
    server: ScriptedServer, session: Session
) -> None:
    session.get(server.url(), cookies=standard_jar())
    session.cookies.update(standard_jar())
    session.get(server.url())
    for request in server.requests:
        assert sorted((request.header("Cookie") or "").split("; ")) == ["every=1", "ours=1"]


def test_removing_a_cookie_of_one_path_leaves_the_others(session: Session) -> None:
    session.cookies.set("a", "1", path="/x")
    session.cookies.set("a", "2", path="/y")
    session.cookies.set("a", None, path="/x")
    assert session.cookies.get_dict() == {"a": "2"}


# --- limits


def test_max_connections_counts_for_the_adapters_that_are_mounted(session: Session) -> None:
    adapter = HTTPAdapter(limits=Limits(max_idle=3))
    session.mount("http://api.example/", adapter)
    session.max_connections = 2
    assert adapter.limits == Limits(max_per_host=2, max_idle=3)
    assert session.max_connections == 2


def test_max_connections_of_a_session_is_the_limit_that_its_pool_has(session: Session) -> None:
    adapter = session.get_adapter("http://")
    assert isinstance(adapter, HTTPAdapter)
    adapter.limits = Limits(max_per_host=7)
    assert session.max_connections == 7


@pytest.mark.parametrize("order", [(True, 1), (1, True)], ids=repr)
def test_verify_by_number_is_refused_whatever_was_asked_for_before(
    order: tuple[Any, Any], session: Session
) -> None:
    """A connection's identity is looked up in a cache, to which 1 and True are equal."""
    refused = 0
    for verify in order:
        try:
            session.get("https://127.0.0.1:1/", verify=verify)
        except TypeError:
            refused += 1
        except pystickyhttp.ConnectionError:
            pass
    assert refused == 1


# --- what auth and callers change


class Signs(AuthBase):
    """Puts a signature into the body, as some do."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.body = self.body
        return request


@pytest.mark.parametrize("body", [b"signed body", "signed body", iter([b"signed ", b"body"])])
def test_an_auth_object_may_change_the_body(body: Any, server: ScriptedServer, session: Session) -> None:
    """X6: and the framing follows."""
    assert session.post(server.url(), data=b"plain", auth=Signs(body)).text == "signed body"


def test_an_auth_object_may_take_the_body_away(server: ScriptedServer, session: Session) -> None:
    session.post(server.url(), data=b"plain", auth=Signs(None))
    assert server.requests[0].header("Content-Length") == "0"


def test_a_body_that_is_changed_behind_its_framing_is_an_error_of_ours(
    server: ScriptedServer, session: Session
) -> None:
    """X6."""
    prepared = session.prepare_request(Request("POST", server.url(), data=b"abc"))
    for body in (b"", b"ab", b"abcd"):
        prepared.body = body
        with pytest.raises(InvalidBody):
            session.send(prepared)
    prepared.body = iter([b"abc"])
    prepared.headers["Content-Length"] = "many"
    with pytest.raises(InvalidHeader, match="many"):
        session.send(prepared)


def test_an_auth_object_that_returns_nothing_is_an_error_that_says_so(session: Session) -> None:
    with pytest.raises(TypeError, match="has to return the request"):
        session.get("http://127.0.0.1/", auth=lambda request: None)


def test_a_host_by_hand_is_sent_as_it_is(server: ScriptedServer, session: Session) -> None:
    for host in ("other.example", ""):
        session.get(server.url(), headers={"Host": host})
    assert [request.header("Host") for request in server.requests] == ["other.example", ""]


def test_modules_are_where_requests_has_them() -> None:
    assert pystickyhttp.structures.CaseInsensitiveDict({"A": 1})["a"] == 1
    assert pystickyhttp.exceptions.RequestException is pystickyhttp.RequestException


def test_an_error_says_what_was_tried_where_and_after_how_long() -> None:
    with closed_port() as port, pytest.raises(pystickyhttp.ConnectionError) as caught:
        pystickyhttp.put(f"http://user:secret@127.0.0.1:{port}/x?q=1", data=b"x")
    told = str(caught.value)
    assert told.startswith(
        f"PUT http://127.0.0.1:{port}/x?q=1: connecting to http://127.0.0.1:{port} failed: "
    )
    assert re.search(r"refused \(after \d+\.\d{3} s\)$", told)
