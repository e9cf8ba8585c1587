"""Requests and responses that travel to other processes, and what auth of others finds on them."""

from __future__ import annotations

import copy
import http.cookiejar
import io
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from pystickyhttp import PreparedRequest, Request, Response, Session
from pystickyhttp.exceptions import InvalidHeader, RequestException, UnrewindableBodyError
from tests.servers.scripted import closed_port


def test_a_request_travels_without_what_stays_in_its_process() -> None:
    """A lock, a generator and a function without a name are nowhere else; an error names its request."""
    request = Request(
        "POST",
        "http://h/",
        headers=(pair for pair in [("X-A", "b")]),
        params={"a": "b"},
        cookies=http.cookiejar.CookieJar(),
        auth=lambda prepared: prepared,
        json={"a": threading.Lock()},
        hooks={"response": [lambda response, **_: None, Locked(), response_as_it_is]},
    )
    travelled = pickle.loads(pickle.dumps(request))
    assert (travelled.method, travelled.url, travelled.params) == ("POST", "http://h/", {"a": "b"})
    assert (travelled.headers, travelled.cookies, travelled.auth, travelled.json) == ({}, None, None, None)
    assert travelled.hooks == {"response": [response_as_it_is]}
    whole = pickle.loads(pickle.dumps(Request("POST", "http://h/", data={"a": "b"}, files={"f": b"content"})))
    assert (whole.data, whole.files) == ({"a": "b"}, {"f": b"content"})


def response_as_it_is(response: Response, **settings: Any) -> None:
    """A hook that has a name."""


class Locked:
    """Auth, or a hook, as many are: it serves several threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen: Any = None

    def __call__(self, seen: Any, **settings: Any) -> Any:
        self.seen = seen
        return seen


@pytest.mark.parametrize(
    "given",
    [
        {"json": {"a": Locked()}},
        {"data": [Locked()]},
        {"url": "nowhere", "params": (pair for pair in [("a", "b")])},
        {"url": "nowhere", "auth": Locked()},
        {"auth": Locked(), "hooks": {"response": Locked()}},
    ],
    ids=str,
)
def test_an_error_of_a_request_pickles_whatever_the_request_holds(given: dict[str, Any]) -> None:
    """Every error pickles: a pool of processes has no other way to tell of it."""
    with closed_port() as port, Session() as session, pytest.raises(RequestException) as caught:
        session.request("POST", given.pop("url", f"http://127.0.0.1:{port}/"), **given)
    travelled = pickle.loads(pickle.dumps(caught.value))
    assert str(travelled) == str(caught.value)
    assert travelled.request.method == "POST"


def test_a_body_that_stayed_in_its_process_is_not_sent_as_none(tmp_path: Path) -> None:
    """P2: never an empty body instead, nor the first part of such a request."""

    def body_elsewhere(request: Request | PreparedRequest) -> Any:
        there = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(request))))  # and on to a third one
        return (there if isinstance(there, PreparedRequest) else there.prepare()).outgoing_body()

    (tmp_path / "body").write_bytes(b"content")
    with (tmp_path / "body").open("rb") as file:
        for given in ({"data": file}, {"files": {"f": file}}, {"data": (piece for piece in [b"piece"])}):
            request = Request("POST", "http://h/", **given)
            for form in (request, request.prepare()):
                with pytest.raises(UnrewindableBodyError, match="stayed in the process"):
                    body_elsewhere(form)
    assert repr(pickle.loads(pickle.dumps(form)).body) == "<a generator that stayed in its process>"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_copy_of_a_request_has_all_of_it(copied: Any) -> None:
    """P2: by way of pickle it would lose files, iterators, and functions without a name."""
    request = Request(
        "POST",
        "http://h/",
        files={"f": io.BytesIO(b"content")},
        auth=lambda prepared: prepared,
        hooks={"response": lambda response, **_: None},
    )
    twin = copied(request)
    assert (twin.auth, twin.hooks) == (request.auth, request.hooks)
    assert twin.files["f"].getvalue() == b"content"
    with Session(cookies={"a": "b"}) as session:
        prepared = session.prepare_request(Request("POST", "http://h/", data=io.BytesIO(b"content")))
        twin = copied(prepared)
        assert b"".join(twin.outgoing_body()) == b"content"
        assert (twin.headers, twin._jar) == (prepared.headers, session.cookies)
        assert twin.headers is not prepared.headers
        assert twin._jar is session.cookies


def test_a_response_that_was_made_by_hand_travels() -> None:
    """It has no request."""
    response = Response()
    response.status_code = 418
    assert pickle.loads(pickle.dumps(response)).status_code == 418


def test_auth_of_others_finds_all_cookies_of_the_request_and_each_copy_has_its_own() -> None:
    """`_cookies` is the name by which requests' own Digest hands on what a challenge has set."""
    with Session(cookies={"stuck": "1"}) as session:
        prepared = session.prepare_request(Request("GET", "http://h/", cookies={"own": "2"}))
        elsewhere = session.prepare_request(Request("GET", "mock://h/", cookies={"own": "2"}))
    assert {cookie.name: cookie.value for cookie in prepared._cookies} == {"stuck": "1", "own": "2"}
    assert prepared._cookies is prepared._cookies
    assert prepared.copy()._cookies is not prepared._cookies
    assert [cookie.name for cookie in elsewhere._cookies] == ["own"], "the jar knows no such URLs"


def test_auth_may_return_another_request_than_it_was_given() -> None:
    def sign(request: PreparedRequest) -> PreparedRequest:
        other = request.copy()
        other.headers["X-Signed"] = "yes"
        return other

    prepared = Request("GET", "http://h/", auth=sign).prepare()
    assert prepared.headers["X-Signed"] == "yes"
    assert prepared.has_auth


def test_a_url_may_be_any_object_that_is_one_as_text() -> None:
    """As with requests; one that can be changed has no hash."""

    class Place:
        __hash__ = None  # type: ignore[assignment]

        def __str__(self) -> str:
            return "http://h/place"

    with Session() as session:
        assert session.prepare_request(Request("GET", Place())).url == "http://h/place"  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["bytes", "text"])
def test_a_delimiter_of_the_other_type_than_the_lines_is_refused(wanted: str) -> None:
    response = Response()
    response.raw, response.encoding = io.BytesIO(b"a|b"), "utf-8"
    delimiter: Any = "|" if wanted == "bytes" else b"|"
    with pytest.raises(TypeError, match=f"delimiter is {type(delimiter).__name__}, and the lines are "):
        list(response.iter_lines(delimiter=delimiter, decode_unicode=wanted == "text"))


@pytest.mark.parametrize("none", [None, (), []], ids=repr)
def test_no_hook_may_be_said_in_any_way(none: Any) -> None:
    prepared = Request("GET", "http://h/").prepare()
    prepared.prepare_hooks({"response": none})
    assert prepared.hooks == {"response": []}


@pytest.mark.parametrize("value", [["a"], bytearray(b"a"), {}], ids=repr)
def test_a_header_of_the_session_that_is_no_text_is_refused_whatever_it_is(value: Any) -> None:
    """It can't be looked up among the requests that were prepared before."""
    with Session() as session:
        session.headers["X"] = value
        with pytest.raises(InvalidHeader):
            session.get("http://127.0.0.1:9/")
