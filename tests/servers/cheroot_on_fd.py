"""cheroot on a listening socket that it is handed: it would open its own.

Arguments: the descriptor, the seconds for which an idle connection is kept if not cheroot's own, and the word
"announce" to have them announced.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TypeAlias
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cheroot.wsgi import Server

from tests.servers.apps import wsgi

_ExcInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]"


class _OnDescriptor(Server):
    def __init__(self, descriptor: int, application: WSGIApplication, **options: Any) -> None:
        super().__init__(("127.0.0.1", 0), application, **options)
        self._descriptor = descriptor

    def bind(self, family: Any, type: Any, proto: int = 0) -> None:
        self.socket = socket.socket(fileno=self._descriptor)
        self.bind_addr = self.socket.getsockname()


def _announcing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    # To a client of HTTP/1.1 cheroot says `Keep-Alive: timeout=N` only along with this field, which goes
    # without saying there; so the application says it.
    def start(status: str, headers: list[tuple[str, str]], exc_info: _ExcInfo | None = None) -> Any:
        return start_response(status, [*headers, ("Connection", "Keep-Alive")], exc_info)

    return wsgi(environ, start)


def _serve(descriptor: str, seconds: str | None = None, announce: str | None = None) -> None:
    options = {} if seconds is None else {"timeout": int(seconds)}
    server = _OnDescriptor(int(descriptor), wsgi if announce is None else _announcing, **options)
    if announce is not None:
        # It looks for idle connections only so often, so they live longer than it announced: whoever comes
        # back on one after that time did not heed the announcement, and is seen to.
        server.expiration_interval = 60
    with contextlib.suppress(KeyboardInterrupt):
        server.safe_start()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
