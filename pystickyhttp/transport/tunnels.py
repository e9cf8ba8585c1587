"""Tunnels through a proxy to the far end of a Route: CONNECT (RFC 9110, section 9.3.6), and SOCKS5.

CONNECT: the request and its answer are an exchange like any other, so `HTTPConnection` makes it, and holds
the answer to the bounds of X4 and X5. What is here is the rest: what CONNECT says, what its answer means, and
that nobody speaks in the tunnel before we do.

SOCKS5: what is said and what is answered is in socks.py. What is here is the socket, the clock, and whom the
errors are about.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Generator
from typing import Final

from ..exceptions import (
    ConnectionLost,
    InvalidHeader,
    RemoteProtocolError,
    RequestException,
    SSLError,
    TunnelError,
)
from ..signal_handlers import is_of_a_signal_handler, tolerated
from ..timeouts import UNLIMITED, Deadline, Timeout
from . import socks, tls
from .connection import HTTPConnection, ResponseHead
from .duplex import DuplexStream
from .request import OutgoingRequest
from .route import Route
from .sockets import would_block

_AUTHENTICATION_REQUIRED: Final = 407
# A page that says why there is no tunnel comes along with its head, or in the next packet. Nobody wants more
# of it than a page, or waits for it as if it were the answer.
MOST_REASONS: Final = 64 * 1024
REASONS_SECONDS: Final = 1.0


def connect_tunnel(sock: socket.socket, route: Route, seconds: float | None) -> None:
    """Ask the proxy for a tunnel; afterwards the socket leads to the far end.

    Args:
        sock: connected to the proxy. Upon an error it is of no further use, and the caller's to close.
        route: whereto, and through which proxy.
        seconds: how long it may take as a whole, or None.

    Raises:
        TunnelError: the proxy refused, broke off, or does not speak HTTP.
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
    own_fields = () if route.proxy is None else route.proxy.own_fields
    return OutgoingRequest.make("CONNECT", authority, [(b"Host", authority.encode("ascii")), *own_fields])


def _ask(sock: socket.socket, route: Route, seconds: float | None) -> DuplexStream:
    request = connect_request(route)
    deadline = _one_limit(seconds)
    connection = HTTPConnection(sock, route.to_proxy, time.monotonic())
    try:
        head = connection.exchange(request, deadline)
    except (ConnectionLost, RemoteProtocolError) as error:
        if is_of_a_signal_handler(error):
            raise
        raise TunnelError(f"proxy {route.proxy} made no tunnel to {route.authority}: {error}") from error
    except SSLError as error:
        if is_of_a_signal_handler(error):
            raise
        # An alert in the place of an answer: the proxy looks at our certificate when the handshake is over.
        cause = error.__cause__
        assert isinstance(cause, ssl.SSLError)
        raise tls.refusal_of_proxy(cause, route) from cause
    if not opens_tunnel(head.status_code):
        raise _refusal(head, *_beginning_of_body(connection, deadline), route)
    return connection.hand_over()


def _one_limit(seconds: float | None) -> Deadline:
    """One over all of a tunnel: limits of each read and write would begin anew with each byte."""
    return (UNLIMITED if seconds is None else Timeout(None, None, None, None, total=seconds)).start()


def opens_tunnel(status: int) -> bool:
    """RFC 9110, section 9.3.6: any 2xx does, and nothing else."""
    return 200 <= status < 300


def _beginning_of_body(connection: HTTPConnection, deadline: Deadline) -> tuple[bytes, bool]:
    """What the proxy says of its reasons, as far as it is at hand: it may have no end.

    Returns:
        It, and whether it is cut: its end was not seen.
    """
    pieces: list[bytes] = []
    left = MOST_REASONS
    with tolerated(RequestException):  # what has come will do
        seconds = deadline.clip(REASONS_SECONDS, "reading why there is no tunnel")
        deadline = _one_limit(seconds)
        while left > 0:
            piece = connection.read_piece(deadline)
            if not piece:
                return b"".join(pieces), False
            pieces.append(piece[:left])
            left -= len(piece)
    return b"".join(pieces), True


def _refusal(head: ResponseHead, body: bytes, is_cut: bool, route: Route) -> TunnelError:
    """The error of an answer that opens no tunnel."""
    reason = bytes(head.reason)
    answer = f"{head.status_code} {reason.decode('utf-8', 'replace')}".rstrip()
    remedy = _credentials_remedy(route) if head.status_code == _AUTHENTICATION_REQUIRED else ""
    return TunnelError(
        f"proxy {route.proxy} refused a tunnel to {route.authority}: {answer}{remedy}",
        status=head.status_code,
        reason=reason,
        fields=head.headers.raw_items(),
        body=body,
        is_cut=is_cut,
    )


def _credentials_remedy(route: Route) -> str:
    if route.proxy is not None and route.proxy.authorization is not None:
        return ": it does not take the credentials that it was given"
    leg = route.to_proxy
    return f": it wants credentials, give its URL as {leg.scheme}://user:password@{leg.authority}"


def _check_silence(stream: DuplexStream, route: Route) -> None:
    """In a tunnel to a TLS server the client speaks first: what comes before is not from that server."""
    stream.settimeout(0.0)
    tunnel = f"the tunnel to {route.authority} that proxy {route.proxy} made"
    try:
        first = stream.recv(1)
    except OSError as error:
        if would_block(error):
            return
        if is_of_a_signal_handler(error):
            raise
        raise TunnelError(f"{tunnel} broke at once: {error.strerror or error}") from error
    if first:
        raise TunnelError(
            f"{tunnel} begins with bytes that are not the far end's, where TLS lets us speak first"
        )
    raise TunnelError(f"{tunnel} was closed at once")


# --- SOCKS5

# Replies that speak of one address. The proxy's rules, and its failures, are the same for the next one.
_OF_THIS_ADDRESS: Final = frozenset(
    {
        socks.NETWORK_UNREACHABLE,
        socks.HOST_UNREACHABLE,
        socks.CONNECTION_REFUSED,
        socks.TTL_EXPIRED,
        socks.ADDRESS_TYPE_NOT_SUPPORTED,
    }
)
# Replies of a proxy that could not resolve a name, for which RFC 1928 has none.
_OF_THE_NAME: Final = frozenset(
    {socks.GENERAL_FAILURE, socks.HOST_UNREACHABLE, socks.ADDRESS_TYPE_NOT_SUPPORTED}
)
# Replies of a proxy that stands where the name has other addresses than here.
_OF_THE_RESOLVER: Final = frozenset(
    {socks.NETWORK_UNREACHABLE, socks.HOST_UNREACHABLE, socks.ADDRESS_TYPE_NOT_SUPPORTED}
)


def socks_tunnel(sock: socket.socket, route: Route, host: str, port: int, seconds: float | None) -> None:
    """Ask a SOCKS proxy for a tunnel; afterwards the socket leads to the far end.

    Not a byte is read beyond the proxy's answer, and none that is secret is sent before the proxy has asked
    for user and password.

    Args:
        sock: connected to the proxy. Upon an error it is of no further use, and the caller's to close.
        route: through which proxy, and for messages.
        host: the far end as the proxy is told of it: the Route's host, or an address that it has.
        port: likewise.
        seconds: how long it may take as a whole, or None.

    Raises:
        TunnelError: the proxy refused, broke off, or does not speak SOCKS5. See `is_worth_another_address`.
        TimeoutError: the time ran out.
        InvalidURL: the far end has a host that can't be sent (law X7).
        InvalidProxyURL: user or password can't be sent.
    """
    assert route.proxy is not None, "who asks has seen that there is a proxy"
    try:
        _converse(sock, socks.conversation(host, port, route.proxy.credentials), _one_limit(seconds))
    except socks.SocksFailure as failure:
        raise _socks_error(failure, route, host) from failure
    except (RequestException, TimeoutError):
        raise
    except OSError as error:
        if is_of_a_signal_handler(error):
            raise
        broke = socks.SocksFailure(f"the connection broke: {error.strerror or error}")
        raise _socks_error(broke, route, host) from error


def is_worth_another_address(error: TunnelError) -> bool:
    """Whether a SOCKS proxy may well make a tunnel to another address of the same host.

    The connection on which it refused is of no further use: RFC 1928, section 6, has the proxy close it.
    """
    return error.reply in _OF_THIS_ADDRESS


def _converse(
    sock: socket.socket, conversation: Generator[socks.Step, bytes, None], deadline: Deadline
) -> None:
    try:
        step = next(conversation)
        while True:
            sock.settimeout(deadline.clip(None, "asking a SOCKS proxy for a tunnel"))
            step = conversation.send(_take(sock, step))
    except StopIteration:
        return


def _take(sock: socket.socket, step: socks.Step) -> bytes:
    """What a step brings."""
    if isinstance(step, int):
        return sock.recv(step)
    sock.sendall(step)
    return b""


def _socks_error(failure: socks.SocksFailure, route: Route, host: str) -> TunnelError:
    far_end = route.authority
    if host != route.host.partition("%")[0]:
        far_end += f" at {host}"
    remedy = _socks_remedy(failure, route, host)
    if not isinstance(failure, socks.Refused):
        return TunnelError(
            f"proxy {route.proxy} made no tunnel to {far_end}: {failure}{remedy}",
            wants_credentials=isinstance(failure, socks.CredentialsWanted),
        )
    return TunnelError(
        f"proxy {route.proxy} refused a tunnel to {far_end}: {failure}{remedy}", reply=failure.reply
    )


def _socks_remedy(failure: socks.SocksFailure, route: Route, host: str) -> str:
    if isinstance(failure, socks.CredentialsWanted) and not failure.given:
        leg = route.to_proxy
        return f": give its URL as {leg.scheme}://user:password@{leg.authority}"
    if not isinstance(failure, socks.Refused):
        return ""
    resolved_there = socks.is_name(host)
    if resolved_there and failure.reply in _OF_THE_NAME:
        return ": if it can't resolve the name, write socks5:// to have it resolved here"
    resolved_here = not resolved_there and socks.is_name(route.host)
    if resolved_here and failure.reply in _OF_THE_RESOLVER:
        return ": if it knows a better address, write socks5h:// to have it resolve the name"
    return ""
