"""Adapters that answer in this process, for who tests a program without a network."""

from __future__ import annotations

import gc
import gzip
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import flask
import pytest

import pystickyhttp
from pystickyhttp import PreparedRequest, Response, Session
from pystickyhttp.exceptions import UnrewindableBodyError
from pystickyhttp.raw import RawResponse
from pystickyhttp.testing import MockAdapter, WSGIAdapter, respond

API = "https://api.example.com"


def mocked(session: Session, handler: Callable[[PreparedRequest], Response]) -> MockAdapter:
    adapter = MockAdapter(handler)
    session.mount(API, adapter)
    return adapter


# --- respond


def test_respond_makes_a_response_of_text_bytes_or_json() -> None:
    assert respond(404, "é").text == "é"
    assert respond(content=b"x").content == b"x"
    assert respond(json={"a": [1]}).json() == {"a": [1]}
    assert respond(json={"a": 1}).headers["Content-Type"] == "application/json"
    assert respond(201).reason == "Created"
    assert respond(299).reason == ""
    assert respond(200, reason="Fine").reason == "Fine"
    assert respond(content=[b"a", b"", b"b"]).content == b"ab"
    with pytest.raises(ValueError, match="one body"):
        respond(content="x", json=1)


def test_respond_keeps_each_of_several_fields() -> None:
    response = respond(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert response.headers.get_list("Set-Cookie") == ["a=1", "b=2"]


def test_respond_gives_what_goes_over_the_wire() -> None:
    assert respond(content=gzip.compress(b"x"), headers={"Content-Encoding": "gzip"}).content == b"x"


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("200",), r"respond\(200\)"),
        ((True,), "whole number"),
        ((200, {"a": 1}), "json="),
        ((200, 5), "bytes"),
    ],
)
def test_respond_says_what_it_takes(arguments: Any, remedy: str) -> None:
    with pytest.raises(TypeError, match=remedy):
        respond(*arguments)


# --- MockAdapter


@pytest.mark.parametrize("given", [5, respond(200)])
def test_a_handler_that_is_no_function_is_told_so(given: Any) -> None:
    with pytest.raises(TypeError, match="a function from a request to a response"):
        MockAdapter(given)


def test_a_response_that_was_returned_before_is_told_so(session: Session) -> None:
    again = respond(302, headers={"Location": "/"})
    mocked(session, lambda request: again)
    with pytest.raises(TypeError, match="make a response for each request"):
        session.get(API)
    assert again.history == []


def test_a_handler_may_ask_another_session(session: Session) -> None:
    with Session() as other:
        mocked(other, lambda request: respond(200, request.path_url))
        mocked(session, lambda request: other.send(request))
        assert [session.get(f"{API}/{name}").text for name in "ab"] == ["/a", "/b"]


@pytest.mark.parametrize("content", [b"0123456789", [b"01234", b"56789"]], ids=["bytes", "pieces"])
def test_raw_of_a_mocked_response_is_as_raw_of_a_real_one(content: Any, session: Session) -> None:
    mocked(session, lambda request: respond(200, content))
    raw = session.get(API, stream=True).raw
    assert isinstance(raw, RawResponse)
    assert [raw.read(2), raw.read(6), raw.read()] == [b"01", b"234567", b"89"]
    assert b"".join(session.get(API, stream=True).raw.stream(8)) == b"0123456789"
    copy = io.BytesIO()
    shutil.copyfileobj(session.get(API, stream=True).raw, copy)
    assert copy.getvalue() == b"0123456789"


def test_a_handler_answers_requests(session: Session) -> None:
    adapter = mocked(session, lambda request: respond(200, json={"path": request.path_url}))
    response = session.get(f"{API}/users", params={"q": 1})
    assert response.json() == {"path": "/users?q=1"}
    assert response.url == f"{API}/users?q=1"
    assert response.connection is adapter
    assert [request.method for request in adapter.requests] == ["GET"]


def test_all_that_a_session_does_still_happens(session: Session) -> None:
    def handler(request: PreparedRequest) -> Response:
        if request.path_url == "/login":
            return respond(302, headers={"Location": "/home", "Set-Cookie": "id=7; Secure"})
        return respond(200, f"{request.headers['Cookie']} {request.headers['Authorization'][:5]}")

    mocked(session, handler)
    response = session.post(f"{API}/login", data={"a": 1}, auth=("user", "password"))
    assert response.text == "id=7 Basic"
    assert response.request.method == "GET"
    assert [each.status_code for each in response.history] == [302]
    mocked(session, lambda request: respond(500))
    with pytest.raises(pystickyhttp.HTTPError):
        session.get(API).raise_for_status()


def test_what_a_handler_raises_is_what_the_program_sees(session: Session) -> None:
    def handler(request: PreparedRequest) -> Response:
        raise pystickyhttp.ConnectTimeout("no answer")

    mocked(session, handler)
    with pytest.raises(pystickyhttp.ConnectTimeout) as caught:
        session.get(API)
    assert caught.value.request.url == f"{API}/"


def test_a_handler_that_returns_no_response_is_told_so(session: Session) -> None:
    mocked(session, lambda request: {"status": 200})  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match=r"respond\(200\)"):
        session.get(API)


def test_a_mocked_body_streams_and_ends(session: Session) -> None:
    mocked(session, lambda request: respond(200, iter([b"one\n", b"two\n"])))
    with session.get(API, stream=True) as response:
        assert list(response.iter_lines()) == [b"one", b"two"]


def test_head_has_no_body(session: Session) -> None:
    mocked(session, lambda request: respond(200, "body"))
    response = session.head(API)
    assert response.content == b""
    assert response.headers["Content-Length"] == "4"


# --- WSGIAdapter


app = flask.Flask(__name__)


@app.route("/echo/<path:name>", methods=["GET", "POST", "HEAD"])
def echo(name: str) -> Any:
    return {
        "name": name,
        "method": flask.request.method,
        "args": flask.request.args.to_dict(flat=False),
        "form": flask.request.form.to_dict(flat=False),
        "body": flask.request.get_data(as_text=True),
        "headers": dict(flask.request.headers),
        "url": flask.request.url,
    }


@app.route("/login")
def login() -> Any:
    response = flask.redirect("/whoami")
    response.set_cookie("user", "ada")
    response.set_cookie("other", "x")
    return response


@app.route("/whoami")
def whoami() -> Any:
    return flask.request.cookies.get("user", "nobody")


@app.route("/breaks")
def breaks() -> Any:
    raise ZeroDivisionError


@pytest.fixture
def flask_session() -> Iterator[Session]:
    with Session() as session:
        session.mount(API, WSGIAdapter(validator(app)))
        yield session


def test_an_application_answers_requests(flask_session: Session) -> None:
    response = flask_session.get(f"{API}/echo/a%20b/ü", params={"q": ["1", "2"]}, headers={"X-Y": "z"})
    told = response.json()
    assert told["name"] == "a b/ü"
    assert told["args"] == {"q": ["1", "2"]}
    assert told["headers"]["X-Y"] == "z"
    assert told["headers"]["Host"] == "api.example.com"
    assert told["url"].startswith(API)
    assert response.reason == "OK"


@pytest.mark.parametrize(
    "data",
    [{"a": "1"}, "a=1", b"a=1", io.BytesIO(b"a=1"), iter([b"a=", b"1"])],
    ids=lambda d: type(d).__name__,
)
def test_an_application_reads_every_kind_of_body(data: Any, flask_session: Session) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert flask_session.post(f"{API}/echo/x", data=data, headers=headers).json()["form"] == {"a": ["1"]}


def test_an_application_gets_json_and_files(flask_session: Session) -> None:
    assert json.loads(flask_session.post(f"{API}/echo/x", json={"a": 1}).json()["body"]) == {"a": 1}
    told = flask_session.post(f"{API}/echo/x", data={"f": "1"}, files={"file": ("n", b"content")}).json()
    assert told["form"] == {"f": ["1"]}


def test_cookies_and_redirects_of_an_application_work(flask_session: Session) -> None:
    response = flask_session.get(f"{API}/login")
    assert response.text == "ada"
    assert flask_session.cookies.get_dict() == {"user": "ada", "other": "x"}


def test_head_of_an_application_has_no_body(flask_session: Session) -> None:
    response = flask_session.head(f"{API}/echo/x")
    assert response.ok
    assert response.content == b""


def test_an_error_of_the_application_is_raised(session: Session) -> None:
    app.testing = True
    session.mount(API, WSGIAdapter(app))
    with pytest.raises(ZeroDivisionError):
        session.get(f"{API}/breaks")


def test_entries_can_be_added_to_the_environment(session: Session) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["REMOTE_USER"].encode()]

    session.mount(API, WSGIAdapter(application, environ={"REMOTE_USER": "ada"}))
    assert session.get(API).text == "ada"


def test_an_application_is_read_as_the_caller_reads_and_closed_at_the_end(session: Session) -> None:
    """PEP 3333: close() is called whether or not the body was read to its end."""
    events: list[str] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            for number in range(3):
                events.append(f"piece {number}")
                yield b"x"

        def close(self) -> None:
            events.append("closed")

    def application(environ: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", [])
        return Body()

    session.mount(API, WSGIAdapter(application))
    response = session.get(API, stream=True)
    assert events == ["piece 0"]
    response.close()
    assert events == ["piece 0", "closed"]
    events.clear()
    assert session.get(API).content == b"xxx"
    assert events == ["piece 0", "piece 1", "piece 2", "closed"]


def test_an_application_may_begin_late_and_write() -> None:
    """PEP 3333: start_response at the first bytes, its exc_info, and write()."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        write = start_response("503 Later", [("X-Kept", "no")], (ValueError, ValueError(), None))
        write(b"written ")
        yield b""
        yield b"yielded"

    with Session() as session:
        session.mount(API, WSGIAdapter(application))
        response = session.get(API)
    assert (response.status_code, response.reason, response.content) == (503, "Later", b"written yielded")


@pytest.mark.parametrize("fault", ["never", "twice"])
def test_an_application_that_breaks_the_protocol_is_an_error(fault: str, session: Session) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        for _ in range(0 if fault == "never" else 2):
            start_response("200 OK", [])
        return [b"x"]

    session.mount(API, WSGIAdapter(application))
    with pytest.raises(RuntimeError, match="start_response"):
        session.get(API)


def test_a_body_that_was_sent_once_is_not_sent_empty_to_an_application(flask_session: Session) -> None:
    """P2."""
    prepared = flask_session.prepare_request(
        pystickyhttp.Request("POST", f"{API}/echo/x", data=iter([b"once"]))
    )
    flask_session.send(prepared)
    with pytest.raises(UnrewindableBodyError):
        flask_session.send(prepared)


def test_an_application_that_is_no_function_is_told_so() -> None:
    with pytest.raises(TypeError, match=r"app\(environ, start_response\)"):
        WSGIAdapter(5)


class Closing:
    """The result of an application, which notes that it was closed."""

    def __init__(self, closed: list[str], pieces: Iterable[bytes] = (b"a", b"b")) -> None:
        self._closed = closed
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        self._closed.append("closed")


@pytest.mark.parametrize("kind", ["object", "generator"])
def test_an_application_whose_response_is_forgotten_is_closed_at_once(kind: str, session: Session) -> None:
    """PEP 3333: close() is called whether or not the body was read to its end."""
    closed: list[str] = []

    def generate(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            yield from [b"a", b"b"]
        finally:
            closed.append("closed")

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if kind == "generator":
            return generate(environ, start_response)
        start_response("200 OK", [])
        return Closing(closed)

    session.mount(API, WSGIAdapter(application))
    gc.disable()
    try:
        response = session.get(API, stream=True)
        assert closed == []
        del response
        assert closed == ["closed"]
    finally:
        gc.enable()


@pytest.mark.parametrize("status", ["OK", "20 OK", "", 200, "2000 OK"])
def test_a_status_that_is_none_is_an_error_and_closes_the_application(status: Any, session: Session) -> None:
    closed: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, [])
        return Closing(closed)

    session.mount(API, WSGIAdapter(application))
    with pytest.raises(RuntimeError, match="PEP 3333"):
        session.get(API)
    assert closed == ["closed"]


def test_a_status_without_a_reason_is_one(session: Session) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("204", [])
        return []

    session.mount(API, WSGIAdapter(application))
    response = session.get(API)
    assert (response.status_code, response.reason) == (204, "")


def test_a_head_that_was_sent_is_not_taken_back(session: Session) -> None:
    """PEP 3333: start_response raises the error that it was given, once the headers are on their way."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        try:
            raise ZeroDivisionError("late")
        except ZeroDivisionError:
            start_response("500 Oops", [], sys.exc_info())
        yield b"b"

    session.mount(API, WSGIAdapter(application))
    with pytest.raises(ZeroDivisionError, match="late"):
        session.get(API)


def test_a_head_is_sent_with_what_is_written(session: Session) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"sent")
        start_response("500 Oops", [], (ValueError, ValueError("late"), None))
        return []

    session.mount(API, WSGIAdapter(application))
    with pytest.raises(ValueError, match="late"):
        session.get(API)


def test_what_is_written_stays_in_its_place(session: Session) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", [])
        write(b"0")
        yield b"1"
        write(b"2")
        write(b"3")
        yield b"4"
        write(b"5")

    session.mount(API, WSGIAdapter(application))
    assert session.get(API).content == b"012345"


def test_respond_takes_the_headers_of_another_response(session: Session) -> None:
    first = respond(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert respond(headers=first.headers).headers.get_list("Set-Cookie") == ["a=1", "b=2"]


def test_head_of_a_response_that_a_handler_makes_by_hand_has_no_body(session: Session) -> None:
    """As programs made them for requests: without respond()."""

    def by_hand(request: PreparedRequest) -> Response:
        response = Response()
        response.status_code = 204
        return response

    mocked(session, by_hand)
    response = session.head(API)
    assert (response.status_code, response.content) == (204, b"")
