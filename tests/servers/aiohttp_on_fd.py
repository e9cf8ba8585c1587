"""The routes under aiohttp's own interface, on a listening socket that it is handed.

Arguments: the descriptor, and the seconds for which an idle connection is kept if not aiohttp's own.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from aiohttp import web

from tests.servers.apps import Question, noted_answer


async def _handle(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    port = request.transport.get_extra_info("peername")[1]
    result = noted_answer(
        Question(
            method=request.method,
            path=request.path,
            headers=[(name.lower(), value) for name, value in request.headers.items()],
            body=await request.read(),
            port=port,
        )
    )
    # aiohttp itself chooses chunks where there is no Content-Length.
    response = web.StreamResponse(status=result.status, headers=result.headers)
    await response.prepare(request)
    for piece in result.pieces if request.method != "HEAD" else []:
        await response.write(piece)
    await response.write_eof()
    return response


def _serve(descriptor: str, seconds: str | None = None) -> None:
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", _handle)
    options: dict[str, Any] = {} if seconds is None else {"keepalive_timeout": float(seconds)}
    listener = socket.socket(fileno=int(descriptor))
    web.run_app(application, sock=listener, shutdown_timeout=1, access_log=None, print=None, **options)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
