"""What an error knows of the request that failed, where it has to know it."""

from __future__ import annotations

from pystickyhttp import PreparedRequest, RequestException, Response


def request_of(error: RequestException) -> PreparedRequest:
    """The request that an error is of."""
    assert isinstance(error.request, PreparedRequest)
    return error.request


def response_of(error: RequestException) -> Response:
    """The response that had come when an error was raised."""
    assert error.response is not None
    return error.response
