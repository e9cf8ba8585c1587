"""The tree of errors: one root, the names of requests, Python's own errors beside them, and pickles."""

from __future__ import annotations

import builtins
import copy
import inspect
import json
import pickle
from typing import Any

import pytest
import requests.exceptions

from pystickyhttp import exceptions
from pystickyhttp.exceptions import RequestException
from pystickyhttp.headers import Headers
from pystickyhttp.models import PreparedRequest, Response


def classes_of(module: Any, root: type[Exception]) -> dict[str, Any]:
    return {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, root) and kind.__module__ == module.__name__
    }


CLASSES = {
    name: kind for name, kind in classes_of(exceptions, Exception).items() if not issubclass(kind, Warning)
}
OF_REQUESTS = classes_of(requests.exceptions, requests.exceptions.RequestException)
every_class = pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)

# What a class keeps beside its args, request and response.
EXTRAS: dict[str, dict[str, Any]] = {
    "ConnectionLost": {"sent": 17, "received": 4},
    "IncompleteBody": {"received": 17, "expected": 40},
}


def a_request() -> PreparedRequest:
    request = PreparedRequest()
    request.prepare_method("GET")
    request.prepare_url("http://example.com/")
    return request


def a_response() -> Response:
    response = Response()
    response.request = a_request()
    response.status_code, response.reason = 418, "I'm a teapot"
    response.headers = Headers({"A": "b"})
    return response


def made(kind: type[Exception], **kwargs: Any) -> Any:
    if issubclass(kind, exceptions.JSONDecodeError):
        return kind("Expecting value", '{"a": }', 6, **kwargs)
    return kind("what was tried, where, and after how long", **kwargs, **EXTRAS.get(kind.__name__, {}))


# -- one root


@every_class
def test_every_error_derives_from_request_exception(kind: type[Exception]) -> None:
    assert issubclass(kind, RequestException)
    assert issubclass(kind, OSError)  # as in requests, whose RequestException is an IOError


@every_class
def test_every_error_says_what_it_is_about(kind: type[Exception]) -> None:
    assert kind.__doc__


@every_class
def test_every_error_carries_request_and_response(kind: type[Exception]) -> None:
    bare = made(kind)
    assert (bare.request, bare.response) == (None, None)
    request, response = a_request(), a_response()
    full = made(kind, request=request, response=response)
    assert (full.request, full.response) == (request, response)


@every_class
def test_the_request_is_taken_from_the_response_where_it_is_not_given(kind: type[Exception]) -> None:
    response = a_response()
    assert made(kind, response=response).request is response.request


# -- pickles


def duplicates(error: Any) -> list[Any]:
    # The protocols before 2 know no classes with __slots__, such as the headers of the request are.
    versions = range(2, pickle.HIGHEST_PROTOCOL + 1)
    pickles = [pickle.loads(pickle.dumps(error, version)) for version in versions]
    return [*pickles, copy.copy(error), copy.deepcopy(error)]


@every_class
def test_every_error_pickles_with_all_that_it_carries(kind: type[Exception]) -> None:
    error = made(kind, request=a_request(), response=a_response())
    for twin in duplicates(error):
        assert type(twin) is type(error)
        assert twin.args == error.args
        assert str(twin) == str(error)
        assert twin.request.url == "http://example.com/"
        assert twin.response.status_code == 418
        for name, value in EXTRAS.get(kind.__name__, {}).items():
            assert getattr(twin, name) == getattr(error, name) == value


@every_class
def test_every_error_pickles_without_request_and_with_attributes_of_its_own(kind: type[Exception]) -> None:
    error = made(kind)
    error.hint = "set by somebody else"
    error.add_note("a note")
    for twin in duplicates(error):
        assert (twin.request, twin.response, twin.hint) == (None, None, "set by somebody else")
        assert twin.__notes__ == ["a note"]


@pytest.mark.parametrize("kind", [RequestException, exceptions.ConnectionError, exceptions.ConnectionLost])
def test_an_error_with_an_errno_keeps_it(kind: type[RequestException]) -> None:
    """An OSError of two arguments has an errno, by which a program may tell what happened."""
    error = kind(111, "refused")
    assert (error.errno, error.strerror) == (111, "refused")
    for twin in duplicates(error):
        assert (twin.errno, twin.strerror) == (111, "refused")
        assert str(twin) == str(error)
    of_a_file = kind(2, "not found", "ca.pem")
    for twin in duplicates(of_a_file):
        assert (twin.errno, twin.strerror, twin.filename) == (2, "not found", "ca.pem")
        assert str(twin) == str(of_a_file)


def test_a_json_error_pickles_with_its_place() -> None:
    error = made(exceptions.JSONDecodeError)
    for twin in (error, *duplicates(error)):
        assert (twin.msg, twin.doc, twin.pos) == ("Expecting value", '{"a": }', 6)
        assert (twin.lineno, twin.colno) == (1, 7)
        assert str(twin) == "Expecting value: line 1 column 7 (char 6)"


def test_how_far_an_exchange_got_is_nought_where_it_is_not_said() -> None:
    lost = exceptions.ConnectionLost("lost")
    assert (lost.sent, lost.received) == (0, 0)
    incomplete = exceptions.IncompleteBody("cut short")
    assert (incomplete.received, incomplete.expected) == (0, None)


# -- the names of requests


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_every_error_of_requests_is_here_under_its_name_and_below_the_same_ones(name: str) -> None:
    """`except requests.X` carries over, for each X."""
    assert name in CLASSES
    for above, kind in OF_REQUESTS.items():
        if issubclass(OF_REQUESTS[name], kind):
            assert issubclass(CLASSES[name], CLASSES[above])
    for builtin in (ValueError, TypeError, OSError):
        if issubclass(OF_REQUESTS[name], builtin):
            assert issubclass(CLASSES[name], builtin)


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("ConnectionLost", "ConnectionError"),
        ("NameResolutionError", "ConnectionError"),
        ("RemoteProtocolError", "ConnectionError"),
        ("ProxyError", "ConnectionError"),
        ("SSLError", "ConnectionError"),
        ("ConnectTimeout", "ConnectionError"),
        ("ConnectTimeout", "Timeout"),
        ("PoolTimeout", "ConnectionError"),
        ("PoolTimeout", "Timeout"),
        ("ReadTimeout", "Timeout"),
        ("WriteTimeout", "Timeout"),
        ("TotalTimeout", "Timeout"),
        ("IncompleteBody", "ChunkedEncodingError"),
        ("IncompleteBody", "ConnectionError"),
        ("MissingSchema", "InvalidURL"),
        ("URLRequired", "InvalidURL"),
        ("JSONDecodeError", "InvalidJSONError"),
    ],
)
def test_a_finer_name_stands_below_the_one_that_requests_has(name: str, above: str) -> None:
    assert issubclass(CLASSES[name], CLASSES[above])


@pytest.mark.parametrize("name", ["ReadTimeout", "WriteTimeout", "TotalTimeout"])
def test_a_timeout_after_the_connection_stood_is_no_connection_error(name: str) -> None:
    """Who repeats what `ConnectionError` catches must not repeat a request that may have been carried out."""
    assert not issubclass(CLASSES[name], exceptions.ConnectionError)


# -- Python's own errors


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("Timeout", builtins.TimeoutError),
        ("ConnectTimeout", builtins.TimeoutError),
        ("ReadTimeout", builtins.TimeoutError),
        ("PoolTimeout", builtins.TimeoutError),
        ("ConnectionError", builtins.ConnectionError),
        ("ConnectionLost", builtins.ConnectionError),
        ("JSONDecodeError", json.JSONDecodeError),
        ("JSONDecodeError", ValueError),
        ("InvalidURL", ValueError),
        ("MissingSchema", ValueError),
        ("URLRequired", ValueError),
        ("InvalidSchema", ValueError),
        ("InvalidMethod", ValueError),
        ("InvalidHeader", ValueError),
        ("InvalidBody", TypeError),
        ("StreamConsumedError", TypeError),
    ],
)
def test_an_error_that_python_has_too_is_that_one_too(name: str, builtin: type[Exception]) -> None:
    assert issubclass(CLASSES[name], builtin)


@pytest.mark.parametrize("name", ["Timeout", "ReadTimeout", "WriteTimeout", "TotalTimeout"])
def test_a_timeout_is_no_broken_connection_of_python(name: str) -> None:
    assert not issubclass(CLASSES[name], builtins.ConnectionError)
