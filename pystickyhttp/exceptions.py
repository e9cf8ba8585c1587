"""The tree of errors.

Everything that this package raises about a request derives from `RequestException`, under the names that
requests gave them, so that `except requests.ConnectionError:` carries over. Names that requests does not
have stand below the nearest one that it has: who catches the known name catches the finer one too.

Where Python has a built-in error of the same meaning, ours derives from it as well: a `Timeout` is a
`TimeoutError`, a `ConnectionError` is the built-in `ConnectionError`.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Sequence
from typing import Any


class RequestException(OSError):
    """Something went wrong with a request.

    Args:
        *args: the message, as with every exception.
        request: see the attributes.
        response: see the attributes; where there is no request, it is that of the response.

    Attributes:
        request: the `PreparedRequest` (or `Request`) that failed, or None where none was made yet.
        response: the `Response`, where one had come when the error was raised, else None.
        leg: which leg of the way failed where no connection came about: "name", "tcp", "proxy", "tunnel" or
            "tls"; else None.
    """

    leg: str | None = None

    def __init__(self, *args: object, request: Any = None, response: Any = None) -> None:
        super().__init__(*args)
        self.response = response
        if request is None and response is not None:
            request = getattr(response, "request", None)
        self.request = request

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError's own __reduce__ passes args alone, and would lose what the subclasses keep beside them.
        # The filename of an OSError is no part of its args.
        args = self.args if self.filename is None else (*self.args, self.filename)
        return _rebuild, (type(self), args, self.__dict__)


def _rebuild(
    kind: type[RequestException], args: tuple[object, ...], state: dict[str, Any]
) -> RequestException:
    error = kind.__new__(kind, *args)
    OSError.__init__(error, *args)
    error.__dict__.update(state)
    return error


# --- what the caller passed in


class InvalidURL(RequestException, ValueError):
    """The URL can't be used: no host, a port out of range, a character that no URL may hold."""


class MissingSchema(InvalidURL):
    """The URL has no scheme, such as `https://`."""


class URLRequired(MissingSchema):
    """The URL is empty, or None; requests says of such a one that it has no scheme."""


class InvalidSchema(RequestException, ValueError):
    """The scheme is one that no adapter of the session serves, that no redirect leads to, or of no proxy."""


class InvalidMethod(RequestException, ValueError):
    """The method is not a token of RFC 9110, section 5.6.2, or it is CONNECT, which is for proxies."""


class InvalidHeader(RequestException, ValueError):
    """A header's name or value may not be sent: control characters, or not text (RFC 9110, section 5.5)."""


class InvalidBody(RequestException, TypeError, ValueError):
    """The body is neither text, bytes, a file, a form nor an iterable of bytes, or not as long as said."""


class InvalidJSONError(RequestException):
    """The value can't be written as JSON, or the body is not JSON."""


class JSONDecodeError(InvalidJSONError, json.JSONDecodeError):
    """The body of the response is not JSON.

    Args:
        msg, doc, pos: as for `json.JSONDecodeError`.
        request, response: as for every `RequestException`.
        what: the name of what is no JSON, with which the message begins; by default it has none.

    Attributes:
        msg, doc, pos, lineno, colno: as in `json.JSONDecodeError`.
    """

    def __init__(
        self, msg: str, doc: str, pos: int, *, request: Any = None, response: Any = None, what: str = ""
    ) -> None:
        json.JSONDecodeError.__init__(self, msg, doc, pos)
        message = f"{what} is no JSON: {self.args[0]}" if what else self.args[0]
        InvalidJSONError.__init__(self, message, request=request, response=response)

    def __reduce__(self) -> tuple[Any, ...]:
        # Both bases have a __reduce__; json's would drop request and response.
        return RequestException.__reduce__(self)


class UnrewindableBodyError(RequestException):
    """The body has to be sent again, and can't be wound back to where it stood.

    It is never sent empty in its place. Give bytes, a file that can seek, or an iterable that begins anew.
    """


# --- the way to the server


class ConnectionError(RequestException, builtins.ConnectionError):
    """The server could not be reached, or the connection broke."""


class NameResolutionError(ConnectionError):
    """The host's name has no address."""

    leg = "name"


class ConnectError(ConnectionError):
    """No address of the host took the connection, or the unix socket did not."""

    leg = "tcp"


class InvalidProxyURL(InvalidURL):
    """The URL of the proxy can't be used; or what it is said to be for, a key of `proxies=`, fits no URL."""


class ProxyError(ConnectionError):
    """The proxy could not be reached, or did not do what was asked of it; its subclasses say what."""

    leg = "proxy"


class TunnelError(ProxyError):
    """The proxy, one of http or SOCKS, gave no tunnel to the far end.

    Attributes:
        status: the status with which an http proxy refused, or None. What a Session raises has the whole
            answer as its `response`.
        reason: the reason phrase beside it, as it came.
        fields: the header fields of that answer: names and values as they came.
        body: the beginning of its body, undecoded. More than 64 KiB of it is not read, nor what takes longer
            than a second to come; the `response` has as much of it as can be decoded.
        is_cut: whether there was more of the body than that, or may have been.
        reply: the reply code with which a SOCKS proxy refused (RFC 1928, section 6), or None.
        wants_credentials: whether a SOCKS proxy refused for want of credentials, or of better ones. One of
            http says so by the status 407.
    """

    leg = "tunnel"

    def __init__(
        self,
        *args: object,
        status: int | None = None,
        reason: bytes = b"",
        fields: Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        is_cut: bool = False,
        reply: int | None = None,
        wants_credentials: bool = False,
        request: Any = None,
        response: Any = None,
    ) -> None:
        super().__init__(*args, request=request, response=response)
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = body
        self.is_cut = is_cut
        self.reply = reply
        self.wants_credentials = wants_credentials


class SSLError(ConnectionError):
    """TLS failed: a certificate was refused, or there is no common ground."""

    leg = "tls"


class HandshakeLost(SSLError):
    """The connection broke before TLS was agreed upon, and nothing was refused."""


class ProxySSLError(ProxyError, SSLError):
    """TLS with an https proxy failed. The far end was not asked for anything."""

    leg = "proxy"


class ConnectionLost(ConnectionError):
    """The connection broke during an exchange.

    Attributes:
        sent: the bytes of this request that had been handed to the system.
        received: the bytes of the response that had come.
    """

    def __init__(
        self, *args: object, sent: int = 0, received: int = 0, request: Any = None, response: Any = None
    ) -> None:
        super().__init__(*args, request=request, response=response)
        self.sent = sent
        self.received = received


class RemoteProtocolError(ConnectionError):
    """What the server sent is not HTTP/1.1."""


# --- time


class Timeout(RequestException, TimeoutError):
    """A limit of time ran out. Its subclasses say which."""


class ConnectTimeout(ConnectionError, Timeout):
    """No connection within the connect timeout. Nothing was sent on this one."""


class ReadTimeout(Timeout):
    """The server sent nothing for as long as the read timeout."""


class BodyTimeout(ReadTimeout, ConnectionError):
    """The server sent nothing more of a body for as long as the read timeout.

    requests has a ConnectionError for it, and who catches that catches this one too.
    """


class WriteTimeout(Timeout):
    """The server took nothing for as long as the write timeout."""


class PoolTimeout(ConnectionError, Timeout):
    """All connections that the limits allow were in use for as long as the pool timeout."""


class TotalTimeout(Timeout):
    """The deadline over the whole request (`Timeout(total=...)`) passed."""


# --- what the server answered


class HTTPError(RequestException):
    """The status of the response is 4xx or 5xx; raised by `Response.raise_for_status()` alone."""


class TooManyRedirects(RequestException):
    """The redirects did not end within the session's `max_redirects`, or the `redirect` of its `Retry`."""


class ChunkedEncodingError(RequestException):
    """The body of the response ended too early, or its chunks are broken. (requests' name for both.)"""


class IncompleteBody(ChunkedEncodingError, ConnectionError):
    """The body of the response is shorter than its framing said. That is never passed over.

    So it is where somebody else closes the response while it is read, or reads it already.

    Attributes:
        received: the bytes of the body that came.
        expected: the bytes that Content-Length promised; None where the body was chunked, or ran to the
            end of the connection.
    """

    def __init__(
        self,
        *args: object,
        received: int = 0,
        expected: int | None = None,
        request: Any = None,
        response: Any = None,
    ) -> None:
        super().__init__(*args, request=request, response=response)
        self.received = received
        self.expected = expected


class ContentDecodingError(RequestException):
    """The body of the response can't be decoded by its Content-Encoding."""


class RetryError(RequestException):
    """The policy of retries allows no further try, and does not accept the status of the last response.

    An error that stays after all tries is raised as it is.
    """


class StreamConsumedError(RequestException, TypeError):
    """The body of the response was read already, and was not kept."""


# --- warnings


class RequestsWarning(Warning):
    """What every warning of this package derives from."""


class FileModeWarning(RequestsWarning, DeprecationWarning):
    """A file was opened in text mode. Never raised here, where such files are read; for who filters it."""


class InsecureRequestWarning(RequestsWarning):
    """A connection was made without verifying whom it leads to (`verify=False`); once for each host."""


class RequestsDependencyWarning(RequestsWarning):
    """A dependency is of a version that does not fit. Never raised here; for who filters it."""
