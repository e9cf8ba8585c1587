"""The routes under tornado's own interface, on a listening socket that it is handed.

Arguments: the descriptor, and the seconds for which an idle connection is kept if not tornado's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import sys

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine

from tests.servers.apps import Question, noted_answer


def _handle(request: HTTPServerRequest) -> None:
    connection = request.connection
    assert isinstance(connection, HTTP1Connection)
    assert request.method is not None
    assert connection.stream.socket is not None
    result = noted_answer(
        Question(
            method=request.method,
            path=request.path,
            headers=[(name.lower(), value) for name, value in request.headers.get_all()],
            body=request.body,
            port=connection.stream.socket.getpeername()[1],
        )
    )
    headers = HTTPHeaders()
    for name, value in result.headers:
        headers.add(name, value)
    # tornado itself chooses chunks where there is no Content-Length.
    start = ResponseStartLine("HTTP/1.1", result.status, http.HTTPStatus(result.status).phrase)
    connection.write_headers(start, headers)
    for piece in result.pieces if request.method != "HEAD" else []:
        connection.write(piece)
    connection.finish()


async def _serve(descriptor: str, seconds: str | None = None) -> None:
    listener = socket.socket(fileno=int(descriptor))
    listener.setblocking(False)
    server = HTTPServer(_handle, idle_connection_timeout=None if seconds is None else float(seconds))
    server.add_socket(listener)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(*sys.argv[1:]))
