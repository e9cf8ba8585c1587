"""Raw sockets and h11: routes, the pool, connections. It knows nothing of sessions, cookies or redirects.

It can be used alone:

    pool = ConnectionPool()
    route = Route("http", "127.0.0.1", 8080)
    request = OutgoingRequest.make("GET", "/", [(b"Host", b"127.0.0.1:8080")])
    response = pool.send(route, request, Timeout().start())
    body = response.read()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .connection import HTTPConnection
from .dial import Dialer
from .ledger import Limits
from .lookups import Resolver
from .pool import ConnectionPool, IncomingResponse
from .request import OutgoingRequest
from .route import Proxy, Route, TLSIdentity
from .sockets import Address, KeepAlive, SocketOption, SocketSettings

if TYPE_CHECKING:
    from .duplex import DuplexStream
    from .tls_info import TLSInfo


if not TYPE_CHECKING:  # with it type checkers would take any name for one that is there

    def __getattr__(name: str) -> Any:
        # What few programs see is loaded when it is asked for, to keep start-up light.
        if name == "DuplexStream":
            from .duplex import DuplexStream

            return DuplexStream
        if name == "TLSInfo":
            from .tls_info import TLSInfo

            return TLSInfo
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Address",
    "ConnectionPool",
    "Dialer",
    "DuplexStream",
    "HTTPConnection",
    "IncomingResponse",
    "KeepAlive",
    "Limits",
    "OutgoingRequest",
    "Proxy",
    "Resolver",
    "Route",
    "SocketOption",
    "SocketSettings",
    "TLSIdentity",
    "TLSInfo",
]
