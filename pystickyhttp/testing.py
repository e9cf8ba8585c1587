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
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import IO, Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from . import bodies, urls
from .adapters import BaseAdapter, ProxyTypes
from .exceptions import RequestException
from .headers import Headers, HeaderTypes
from .identity import CertTypes, VerifyTypes
from .models import PreparedRequest, Response
from .raw import FileBody
from .timeouts import UNSET, Deadline, TimeoutTypes

Handler: TypeAlias = Callable[[PreparedRequest], Response]

# A request body up to this size is kept in memory on its way to a WSGI application, a larger one on the disk.
_SPOOL: Final = 1024 * 1024

# What an application says as its status (PEP 3333): three digits, and a reason phrase.
_WSGI_STATUS: Final = re.compile(r"([0-9]{3})(?: (.*))?", re.DOTALL)


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
        TypeError: the status is no whole number, or the content is no body.
        ValueError: both content and json are given.
    """
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status is {status!r}: give a whole number, such as respond(200)")
    if json is not None:
        if content:
            raise ValueError("a response has one body: give content, or json")
        content = jsonlib.dumps(json)
    if isinstance(content, Mapping) or not isinstance(content, Iterable):
        raise TypeError(
            f"content is {type(content).__name__}: give bytes, text or an iterable of bytes, or a value "
            f"that becomes JSON as respond({status}, json=...)"
        )
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
        response._body = FileBody(io.BytesIO(content))
    else:
        response._body = FileBody(_IterableFile(content))
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

    Raises:
        TypeError: the handler can't be called.
    """

    def __init__(self, handler: Handler) -> None:
        if not callable(handler):
            raise TypeError(
                f"handler is {handler!r}: give a function from a request to a response, "
                f"such as lambda request: respond(200)"
            )
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
        """Answer a request, of which nothing else counts; the arguments are those of `BaseAdapter.send`.

        Raises:
            TypeError: the handler returned no response, or one that it had returned before.
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
        if response.connection is self:  # its body and its history are those of another request
            raise TypeError(
                f"the handler returned the same {response!r} again for {request.method} "
                f"{urls.redacted(request.url)}: it has to make a response for each request"
            )
        return _answers(response, request, self)


def _answers(response: Response, request: PreparedRequest, adapter: BaseAdapter) -> Response:
    response.request = request
    response.url = request.url
    response.connection = adapter
    if request.method == "HEAD":  # RFC 9110, section 9.3.2: fields alone
        if response._body is not None:
            response._body.close()
        response._raw, response._body = None, FileBody(io.BytesIO())
    return response


class WSGIAdapter(BaseAdapter):
    """Answers requests by a WSGI application (PEP 3333), such as one of Flask or Django.

    The body is read from the application as the caller reads it. An error that the application raises is
    raised to the caller.

    Args:
        app: the application.
        environ: entries that are added to the environment of each request.
        errors: what `wsgi.errors` is; by default standard error.

    Raises:
        TypeError: the application can't be called.
    """

    def __init__(
        self, app: Any, environ: Mapping[str, Any] | None = None, errors: IO[str] | None = None
    ) -> None:
        if not callable(app):
            raise TypeError(
                f"app is {app!r}: give a WSGI application, which is called as app(environ, start_response)"
            )
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
        """Answer a request, of which nothing else counts; the arguments are those of `BaseAdapter.send`.

        Raises:
            RequestException: the body of the request can't be sent.
            RuntimeError: the application broke the protocol.
        """
        # The application may read the body until its response ends, so it closes with that.
        body = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115
        run = _Run(body)
        try:
            environ = self._environ_of(request, body)
            run.begin(self.app(environ, run.start.start_response))
            return _answers(run.response(), request, self)
        except BaseException:
            run.close()
            raise

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
            "SERVER_NAME": urls.UNIX_HOST_HEADER if url.is_unix else url.host,
            "SERVER_PORT": str(url.effective_port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": url.host_header,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http" if url.is_unix else url.scheme,
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


class _Start:
    """What a WSGI application says by start_response and by write().

    It is apart from the run, which has the application's result: a generator refers to the start_response
    that it was given, and a run that it could reach would not be freed when it is forgotten.
    """

    def __init__(self) -> None:
        self.head: tuple[str, list[tuple[str, str]]] | None = None
        self.sent = False
        self._written: list[bytes] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """PEP 3333's start_response; with exc_info it takes back what was said, if nothing was sent yet."""
        if exc_info is not None and self.sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.head is not None and exc_info is None:
            raise RuntimeError("the WSGI application called start_response twice (PEP 3333)")
        self.head = status, list(headers)
        return self.write

    def write(self, data: bytes) -> None:
        """PEP 3333's write."""
        self.sent = self.sent or bool(data)
        self._written.append(data)

    def written(self) -> list[bytes]:
        """What was written since this was last asked."""
        written, self._written = self._written, []
        return written


def _in_order(start: _Start, first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of an application: what it wrote before each piece, and the piece."""
    yield from start.written()
    yield first
    for piece in rest:
        yield from start.written()
        yield piece
    yield from start.written()


class _Run:
    """One run of a WSGI application, from its call to the end of its body."""

    def __init__(self, body: IO[bytes]) -> None:
        self.start = _Start()
        self._body = body
        self._result: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())

    def __del__(self) -> None:
        # PEP 3333: close() is called, even where the response was forgotten.
        self.close()

    def begin(self, result: Iterable[bytes]) -> None:
        """Take the application's result, and run it up to the first bytes: by then the head is known."""
        self._result = result
        rest = iter(result)
        first = next(filter(None, rest), b"")
        self.start.sent = True
        self._pieces = _in_order(self.start, first, rest)

    def response(self) -> Response:
        """The response, whose body is yet to be read.

        Raises:
            RuntimeError: the application said no head, or none that PEP 3333 allows.
        """
        if self.start.head is None:
            raise RuntimeError("the WSGI application never called start_response (PEP 3333)")
        status, headers = self.start.head
        parsed = _WSGI_STATUS.fullmatch(status) if isinstance(status, str) else None
        if parsed is None:
            raise RuntimeError(
                f"the WSGI application called start_response with the status {status!r}: "
                f'PEP 3333 wants three digits and a reason, such as "200 OK"'
            )
        made = respond(int(parsed[1]), self._pieces, headers=headers, reason=parsed[2] or "")
        made._body = FileBody(_IterableFile(self._pieces, self.close))
        return made

    def close(self) -> None:
        """End the run: the result of the application, and the body that it could read."""
        result, self._result = self._result, ()
        close = getattr(result, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._body.close()
