"""From a URL, and what an adapter says of its connections, to the Route of a request (law R1)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from . import urls
from .identity import CertTypes, Trust, identity_of
from .transport import Proxy, Route
from .transport.sockets import literal

if TYPE_CHECKING:
    import ssl


class Way(NamedTuple):
    """What an adapter says of every connection that it makes, as far as it belongs to the Route (law R1)."""

    context: ssl.SSLContext | None = None
    server_hostname: str | None = None
    unix_socket: str | None = None
    local_address: tuple[str, int] | None = None


# The identity of a connection is asked for at each request, and follows from the arguments alone, so that it
# is never out of date. A crawler has as many as it has hosts. An entry is some hundred bytes, and keeps alive
# the adapter's SSLContext, and the password of a key, until newer ones push it out.
@lru_cache(maxsize=1024)
def route_for(
    origin: tuple[str, str, int], trust: Trust, cert: CertTypes, way: Way, proxy: Proxy | None
) -> Route:
    """The Route of a request (law R1).

    Args:
        origin: scheme, host and port.
        trust: whom to trust.
        cert: a file with certificate and key, a pair of files, or those and the password of the key.
        way: what the adapter says.
        proxy: what the connection goes through, or None.

    Raises:
        TypeError: cert is none of these.
    """
    scheme, host, port = origin
    tls = identity_of(trust, cert, way.context, way.server_hostname) if scheme == "https" else None
    if scheme not in ("http", "https"):  # the host of http+unix is the path of the socket
        scheme, host = "http", urls.UNIX_HOST_HEADER
    return Route(
        scheme,
        host,
        port,
        tls,
        unix_socket=way.unix_socket,
        local_address=None if way.unix_socket is not None else way.local_address,
        proxy=proxy,
    )


def checked_server_hostname(name: Any) -> str | None:
    """A name for a server's certificate, as it is compared; None for none.

    Raises:
        TypeError, ValueError: it is no host name.
    """
    if name is None:
        return None
    if not isinstance(name, str):
        raise TypeError(f"server_hostname is {name!r}: give a str")
    if not name or any(mark in name for mark in "/?#@[]") or (":" in name and literal(name, 0) is None):
        raise ValueError(f"server_hostname is {name!r}: give a host name or an IP address, and nothing else")
    # As a URL's host is read; `ssl` itself would read it by IDNA 2003, and may find another name in it.
    return name if name.isascii() else urls.parse(f"https://{name}/").host


def check_context(name: str, context: Any) -> None:
    """Check an SSLContext, or None, that was given under a name.

    Raises:
        TypeError: it is neither.
    """
    if context is None:
        return
    import ssl  # loaded only where there is TLS, to keep start-up light; who gives a context has loaded it

    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"{name} is {context!r}: give an ssl.SSLContext")
