"""Testing a program without a network: adapters that answer in this process.

    from pystickyhttp.testing import MockAdapter, respond

    def handler(request):
        if request.path_url == "/users/1":
            return respond(200, json={"name": "Ada"})
        return respond(404)

    session.mount("https://api.example.com/", MockAdapter(handler))

All that a session does still happens: cookies stick, redirects are followed, auth answers challenges.
"""

from __future__ import annotations

import io
import json as jsonlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import chain
from typing import IO, Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from . import bodies, urls
from .adapters import BaseAdapter, CertTypes, ProxyTypes, VerifyTypes
from .exceptions import RequestException
from .headers import Headers, HeaderTypes
from .models import PreparedRequest, Response
from .timeouts import UNSET, Deadline, TimeoutTypes

Handler: TypeAlias = Callable[[PreparedRequest], Response]

# A request body up to this size is kept in memory on its way to a WSGI application, a larger one on the disk.
_SPOOL: Final = 1024 * 1024


def respond(
    status: int = 200,
    content: bytes | str | Iterable[bytes] = b"",
    *,
    json: Any = None,
    headers: HeaderTypes | None = None,
    reason: str | None = None,
) -> Response:
    """Make a response.

    Args:
        status: the status code. Default 200.
        content: the body: bytes, text (sent as UTF-8), or an iterable of bytes that is read as the caller
            reads the body. It is what goes over the wire: with a Content-Encoding among the headers it is
            decoded.
        json: a value that is the body as JSON, where there is no content.
        headers: the fields. Several Set-Cookie go as pairs. Content-Length and Content-Type are set where
            they are known and not given.
        reason: the reason phrase, by default the usual one.

    Raises:
        ValueError: both content and json are given.
    """
    if json is not None:
        if content:
            raise ValueError("a response has one body: give content, or json")
        content = jsonlib.dumps(json)
    response = Response()
    response.status_code = status
    response.reason = _usual_reason(status) if reason is None else reason
    for name, value in _pairs(headers):
        response.headers.add(name, value)
    if json is not None:
        response.headers.setdefault("Content-Type", bodies.JSON_TYPE)
    if isinstance(content, str):
        response.headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        content = content.encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        content = bytes(content)
        response.headers.setdefault("Content-Length", str(len(content)))
        response.raw = io.BytesIO(content)
    else:
        response.raw = _IterableFile(content)
    return response


def _usual_reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _pairs(headers: HeaderTypes | None) -> Iterable[tuple[str, str]]:
    if headers is None:
        return ()
    if isinstance(headers, Headers):
        return headers.lines()
    return headers.items() if isinstance(headers, Mapping) else headers


class _IterableFile:
    """An iterable of bytes as a file: one piece for each read, whatever its size."""

    def __init__(self, pieces: Iterable[bytes], close: Callable[[], object] | None = None) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._close = close

    def read(self, size: int = -1) -> bytes:
        """The next piece that is not empty; b"" at the end, where it closes by itself."""
        piece = next(filter(None, self._pieces), b"")
        if not piece:
            self.close()
        return piece

    def close(self) -> None:
        """End the iterable."""
        close, self._close = self._close, None
        if close is not None:
            close()


class MockAdapter(BaseAdapter):
    """Answers requests by a function.

    Args:
        handler: a function from a `PreparedRequest` to a `Response`, such as `respond` makes. What it raises
            is raised to the caller: a `ConnectTimeout`, for one, to see what the program does then.

    Attributes:
        requests: every request that it was sent, in order.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[PreparedRequest] = []

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: TimeoutTypes | Deadline = UNSET,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
        proxies: ProxyTypes = None,
    ) -> Response:
        """Answer a request; nothing but the request counts.

        Raises:
            TypeError: the handler returned no response.
        """
        self.requests.append(request)
        try:
            response = self._handler(request)
        except RequestException as error:
            error.request = error.request or request
            raise
        if not isinstance(response, Response):
            raise TypeError(
                f"the handler returned {response!r} for {request.method} {urls.redacted(request.url)}: "
                f"it has to return a Response, such as respond(200)"
            )
        return _answers(response, request, self)


def _answers(response: Response, request: PreparedRequest, adapter: BaseAdapter) -> Response:
    response.request = request
    response.url = request.url
    response.connection = adapter
    if request.method == "HEAD":  # RFC 9110, section 9.3.2: fields alone
        if response.raw is not None:
            response.raw.close()
        response.raw = io.BytesIO()
    return response


class WSGIAdapter(BaseAdapter):
    """Answers requests by a WSGI application (PEP 3333), such as one of Flask or Django.

    The body is read from the application as the caller reads it. An error that the application raises is
    raised to the caller.

    Args:
        app: the application.
        environ: entries that are added to the environment of each request.
        errors: what `wsgi.errors` is; by default standard error.
    """

    def __init__(
        self, app: Any, environ: Mapping[str, Any] | None = None, errors: IO[str] | None = None
    ) -> None:
        self.app = app
        self._environ = dict(environ or {})
        self._errors = errors

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: TimeoutTypes | Deadline = UNSET,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
        proxies: ProxyTypes = None,
    ) -> Response:
        """Answer a request; nothing but the request counts.

        Raises:
            RequestException: the body of the request can't be sent.
            RuntimeError: the application broke the protocol.
        """
        # The application may read the body until its response ends, so it closes with that.
        body = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115
        run = _Run(body)
        try:
            environ = self._environ_of(request, body)
            run.begin(self.app(environ, run.start_response))
        except BaseException:
            run.close()
            raise
        return _answers(run.response(), request, self)

    def _environ_of(self, request: PreparedRequest, body: IO[bytes]) -> dict[str, Any]:
        url = urls.parse(request.url)
        for piece in _pieces_of(request):
            body.write(piece)
        length = body.tell()
        body.seek(0)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            # PEP 3333 wants the bytes of the path as latin-1 text.
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "QUERY_STRING": url.query or "",
            "SERVER_NAME": url.host,
            "SERVER_PORT": str(url.effective_port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": url.host_header,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": body,
            "wsgi.errors": sys.stderr if self._errors is None else self._errors,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in request.headers.items():
            environ[_variable_of(name)] = value.decode("latin-1") if isinstance(value, bytes) else value
        # Whatever its framing on a wire would have been, the whole of the body is here.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        if length or "CONTENT_LENGTH" in environ:
            environ["CONTENT_LENGTH"] = str(length)
        return {**environ, **self._environ}


def _variable_of(name: str) -> str:
    variable = name.upper().replace("-", "_")
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"


def _pieces_of(request: PreparedRequest) -> Iterable[bytes]:
    body = request.outgoing_body()
    return [body] if isinstance(body, bytes) else body


class _Run:
    """One run of a WSGI application, from its call to the end of its body."""

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self._head: tuple[str, list[tuple[str, str]]] | None = None
        self._written: list[bytes] = []
        self._result: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """PEP 3333's start_response; called again with exc_info, it takes back what was said."""
        if self._head is not None and exc_info is None:
            raise RuntimeError("the WSGI application called start_response twice (PEP 3333)")
        self._head = status, list(headers)
        return self._written.append

    def begin(self, result: Iterable[bytes]) -> None:
        """Take the application's result, and run it up to the first bytes: by then the head is known."""
        self._result = result
        rest = iter(result)
        first = next(filter(None, rest), b"")
        self._pieces = chain(self._written, [first], rest)

    def response(self) -> Response:
        """The response, whose body is yet to be read."""
        if self._head is None:
            self.close()
            raise RuntimeError("the WSGI application never called start_response (PEP 3333)")
        status, headers = self._head
        code, _, reason = status.partition(" ")
        made = respond(int(code), self._pieces, headers=headers, reason=reason)
        made.raw = _IterableFile(self._pieces, self.close)
        return made

    def close(self) -> None:
        """End the run: the result of the application, and the body that it could read."""
        close = getattr(self._result, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._body.close()
