"""CONNECT: a tunnel through an http proxy to the far end of a Route (RFC 9110, section 9.3.6).

The request and its answer are an exchange like any other, so `HTTPConnection` makes it, and holds the answer
to the bounds of X4 and X5. What is here is the rest: what CONNECT says, what its answer means, and that
nobody speaks in the tunnel before we do.
"""

from __future__ import annotations

import socket
import time
from typing import Final

from ..exceptions import ConnectionLost, InvalidHeader, ProxyError, RemoteProtocolError
from ..timeouts import UNLIMITED, Timeout
from .connection import HTTPConnection, ResponseHead
from .duplex import DuplexStream
from .request import OutgoingRequest
from .route import Route

_AUTHENTICATION_REQUIRED: Final = 407


def connect_tunnel(sock: socket.socket, route: Route, seconds: float | None) -> None:
    """Ask the proxy for a tunnel; afterwards the socket leads to the far end.

    Args:
        sock: connected to the proxy. Upon an error it is of no further use, and the caller's to close.
        route: whereto, and through which proxy.
        seconds: how long it may take as a whole, or None.

    Raises:
        ProxyError: the proxy refused, broke off, or does not speak HTTP.
        TimeoutError: the time ran out.
        InvalidHeader: the far end has a host that can't be sent (law X7).
    """
    _check_silence(_ask(sock, route, seconds), route)


def connect_request(route: Route) -> OutgoingRequest:
    """The request for a tunnel. The proxy gets to know where to, and its own credentials; nothing else.

    Raises:
        InvalidHeader: the far end has a host that can't be sent (law X7).
    """
    authority = route.authority
    if not authority.isascii():
        raise InvalidHeader(f"a proxy can't be told of {authority!r}: write the host as IDNA does, in ASCII")
    fields = [(b"Host", authority.encode("ascii"))]
    if route.proxy is not None and route.proxy.authorization is not None:
        fields.append((b"Proxy-Authorization", route.proxy.authorization))
    return OutgoingRequest.make("CONNECT", authority, fields)


def _ask(sock: socket.socket, route: Route, seconds: float | None) -> DuplexStream:
    request = connect_request(route)
    # One clock over all of it: the limits of a read and a write would begin anew with each byte.
    limits = UNLIMITED if seconds is None else Timeout(None, None, None, None, total=seconds)
    connection = HTTPConnection(sock, route.to_proxy, time.monotonic())
    try:
        head = connection.exchange(request, limits.start())
    except (ConnectionLost, RemoteProtocolError) as error:
        raise ProxyError(f"proxy {route.proxy} made no tunnel to {route.authority}: {error}") from error
    if not opens_tunnel(head.status_code):
        raise _refusal(head, route)
    return connection.hand_over()


def opens_tunnel(status: int) -> bool:
    """RFC 9110, section 9.3.6: any 2xx does, and nothing else."""
    return 200 <= status < 300


def _refusal(head: ResponseHead, route: Route) -> ProxyError:
    """The error of an answer that opens no tunnel. Its body is not read: it may have no end."""
    reason = bytes(head.reason)
    answer = f"{head.status_code} {reason.decode('utf-8', 'replace')}".rstrip()
    remedy = _credentials_remedy(route) if head.status_code == _AUTHENTICATION_REQUIRED else ""
    return ProxyError(
        f"proxy {route.proxy} refused a tunnel to {route.authority}: {answer}{remedy}",
        status=head.status_code,
        reason=reason,
        fields=head.headers.raw_items(),
    )


def _credentials_remedy(route: Route) -> str:
    if route.proxy is not None and route.proxy.authorization is not None:
        return ": it does not take the credentials that it was given"
    return f": it wants credentials, give its URL as http://user:password@{route.to_proxy.authority}"


def _check_silence(stream: DuplexStream, route: Route) -> None:
    """In a tunnel to a TLS server the client speaks first: what comes before is not from that server."""
    stream.settimeout(0.0)
    tunnel = f"the tunnel to {route.authority} that proxy {route.proxy} made"
    try:
        first = stream.recv(1)
    except BlockingIOError:
        return
    except OSError as error:
        raise ProxyError(f"{tunnel} broke at once: {error.strerror or error}") from error
    if first:
        raise ProxyError(
            f"{tunnel} begins with bytes that are not the far end's, where TLS lets us speak first"
        )
    raise ProxyError(f"{tunnel} was closed at once")
