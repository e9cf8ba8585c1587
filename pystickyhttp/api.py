"""One request on a session of its own. Whoever sends more than one to a host gains by keeping a `Session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from . import sessions  # the class is looked up there, where a program may have put its own
from .bodies import BodyTypes
from .models import Response
from .urls import ParamTypes

if TYPE_CHECKING:
    from .keywords import GetKeywords, Keywords, PostKeywords, PutKeywords


def request(method: str, url: str, **kwargs: Unpack[Keywords]) -> Response:
    """Send a request; the arguments, the result and the errors are those of `Session.request`."""
    # A response that is streamed keeps its connection until it ends; closing the session spares it.
    with sessions.Session() as session:
        return session.request(method, url, **kwargs)


def get(url: str, params: ParamTypes = None, **kwargs: Unpack[GetKeywords]) -> Response:
    """Send a GET request; the arguments are those of `Session.request`."""
    return request("GET", url, params=params, **kwargs)


def options(url: str, **kwargs: Unpack[Keywords]) -> Response:
    """Send an OPTIONS request; the arguments are those of `Session.request`."""
    return request("OPTIONS", url, **kwargs)


def head(url: str, **kwargs: Unpack[Keywords]) -> Response:
    """Send a HEAD request; the arguments are those of `Session.request`.

    Redirects are not followed unless `allow_redirects` is True.
    """
    kwargs.setdefault("allow_redirects", False)
    return request("HEAD", url, **kwargs)


def post(url: str, data: BodyTypes = None, json: Any = None, **kwargs: Unpack[PostKeywords]) -> Response:
    """Send a POST request; the arguments are those of `Session.request`."""
    return request("POST", url, data=data, json=json, **kwargs)


def put(url: str, data: BodyTypes = None, **kwargs: Unpack[PutKeywords]) -> Response:
    """Send a PUT request; the arguments are those of `Session.request`."""
    return request("PUT", url, data=data, **kwargs)


def patch(url: str, data: BodyTypes = None, **kwargs: Unpack[PutKeywords]) -> Response:
    """Send a PATCH request; the arguments are those of `Session.request`."""
    return request("PATCH", url, data=data, **kwargs)


def delete(url: str, **kwargs: Unpack[Keywords]) -> Response:
    """Send a DELETE request; the arguments are those of `Session.request`."""
    return request("DELETE", url, **kwargs)
