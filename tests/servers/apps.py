"""What the real server programs serve: one small set of routes, as WSGI, as ASGI and for any other interface.

    /            a few bytes of text             /bytes/N     N bytes of known length
    /echo        method, path, headers, body     /chunked/N   N pieces of unknown length
                 as JSON; /echo/N too            /status/N    that status, no body
    /gzip        a compressed text               /peer        the client's port
    /redirect/N  N redirects that end at /

All of them, `noted_answer` for a program of an interface of its own and `counted` for any other WSGI
application, note for each request which connection it came by. They write it down before they answer: who
has the response may count on the note.
"""

from __future__ import annotations

import gzip
import http
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# The file that the notes go to: a line for each request, "<client's port> <method> <path>".
CONNECTION_LOG = "TESTS_CONNECTION_LOG"
# Asked by the tests' side, never noted: answers once the program is ready, and makes it forget its state.
FRESH = "/__fresh__"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    pieces: list[bytes]


@dataclass(frozen=True)
class Question:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    port: int


def note(port: object, method: str, path: str) -> None:
    line = f"{port} {method} {path}\n".encode()
    log = os.open(os.environ[CONNECTION_LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # One write of one line: threads and processes may share the file.
        os.write(log, line)
    finally:
        os.close(log)


def noted_answer(question: Question) -> Answer:
    if question.path == FRESH:
        return Answer(200, [("Content-Length", "0")], [])
    note(question.port, question.method, question.path)
    return answer(question)


# -- the routes -------------------------------------------------------------------------------------------


def answer(question: Question) -> Answer:
    first, _, number = question.path.strip("/").partition("/")
    route = _ROUTES.get(first)
    if route is None or (number and not number.isdecimal()):
        return _sized(b"no such page\n", status=404)
    return route(question, int(number or 0))


def _sized(body: bytes, *headers: tuple[str, str], status: int = 200, kind: str = "text/plain") -> Answer:
    return Answer(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *headers], [body])


def _root(question: Question, number: int) -> Answer:
    return _sized(b"hello\n")


def _echo(question: Question, number: int) -> Answer:
    seen = {
        "method": question.method,
        "path": question.path,
        "headers": question.headers,
        "body": question.body.decode("latin-1"),
        "length": len(question.body),
    }
    return _sized(json.dumps(seen).encode(), kind="application/json")


def _bytes(question: Question, number: int) -> Answer:
    return _sized((b"0123456789abcdef" * (number // 16 + 1))[:number], kind="application/octet-stream")


def _chunked(question: Question, number: int) -> Answer:
    return Answer(200, [("Content-Type", "text/plain")], [b"piece %d\n" % each for each in range(number)])


def _gzip(question: Question, number: int) -> Answer:
    return _sized(gzip.compress(b"hello, compressed\n" * 20), ("Content-Encoding", "gzip"))


def _status(question: Question, number: int) -> Answer:
    return Answer(number, [] if number in (204, 304) else [("Content-Length", "0")], [])


def _redirect(question: Question, number: int) -> Answer:
    return _sized(b"", ("Location", f"/redirect/{number - 1}" if number > 1 else "/"), status=302)


def _peer(question: Question, number: int) -> Answer:
    return _sized(str(question.port).encode())


_ROUTES: dict[str, Callable[[Question, int], Answer]] = {
    "": _root,
    "echo": _echo,
    "bytes": _bytes,
    "chunked": _chunked,
    "gzip": _gzip,
    "status": _status,
    "redirect": _redirect,
    "peer": _peer,
}


# -- WSGI -------------------------------------------------------------------------------------------------


def counted(application: WSGIApplication, forget: Callable[[], None] = lambda: None) -> WSGIApplication:
    """`application`, noting the connection of each request; `forget` is called when it shall begin afresh."""

    def count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == FRESH:
            forget()
            start_response("200 OK", [("Content-Length", "0")])
            return []
        note(environ["REMOTE_PORT"], environ["REQUEST_METHOD"], environ["PATH_INFO"])
        return application(environ, start_response)

    return count


def _serve_wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    result = answer(
        Question(
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            headers=_headers_of(environ),
            body=environ["wsgi.input"].read(),
            port=int(environ["REMOTE_PORT"]),
        )
    )
    start_response(f"{result.status} {http.HTTPStatus(result.status).phrase}", result.headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else result.pieces


def _headers_of(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    names = [name for name in environ if name.startswith("HTTP_")]
    names += [name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return [(name.removeprefix("HTTP_").replace("_", "-").lower(), environ[name]) for name in names]


wsgi = counted(_serve_wsgi)


# -- ASGI -------------------------------------------------------------------------------------------------


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    question = Question(
        method=scope["method"],
        path=scope["path"],
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        body=await _body(receive),
        port=scope["client"][1],
    )
    await _send(send, noted_answer(question))


async def _live(receive: Receive, send: Send) -> None:
    for expected in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{expected}.complete"})


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        piece: bytes = message.get("body", b"")
        body += piece
        if not message.get("more_body", False):
            return body


async def _send(send: Send, result: Answer) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in result.headers]
    await send({"type": "http.response.start", "status": result.status, "headers": headers})
    for piece in result.pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
