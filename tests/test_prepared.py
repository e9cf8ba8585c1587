"""Requests and responses that travel to other processes, and what auth of others finds on them."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

from pystickyhttp import PreparedRequest, Request, Response, Session
from pystickyhttp.exceptions import InvalidHeader


def test_a_request_travels_without_what_stays_in_its_process() -> None:
    """A file, an iterator and a function without a name are nowhere else; an error names its request."""
    request = Request(
        "POST",
        "http://h/",
        params={"a": "b"},
        data=iter([b"piece"]),
        files={"f": b"content"},
        auth=lambda prepared: prepared,
        hooks={"response": lambda response, **_: None},
    )
    travelled = pickle.loads(pickle.dumps(request))
    assert (travelled.method, travelled.url, travelled.params) == ("POST", "http://h/", {"a": "b"})
    assert (travelled.data, travelled.files, travelled.auth) == ([], [], None)
    assert travelled.hooks == {"response": []}
    assert pickle.loads(pickle.dumps(Request("POST", "http://h/", data={"a": "b"}))).data == {"a": "b"}


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
