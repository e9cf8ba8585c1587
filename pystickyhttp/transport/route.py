"""Who a connection may serve: the key of the pool (law R1)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TLSIdentity:
    """Everything that decides whom a TLS connection trusts, and who it says it is.

    Attributes:
        verify: whether the server's certificate is checked.
        ca: a file or folder of root certificates, or None for the system's store.
        cert: the file of the client's certificate, or None.
        key: the file of its private key, or None where it stands in `cert`.
        password: the password of the key, or None.
        context: an `ssl.SSLContext` to use as it is given; then none of the above counts.
        server_hostname: the name that the certificate is held against, or None for the Route's host.
    """

    verify: bool = True
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    password: str | None = field(default=None, repr=False)
    context: ssl.SSLContext | None = None
    server_hostname: str | None = None


@dataclass(frozen=True)
class Route:
    """Two requests share a connection only if their Routes are equal.

    Attributes:
        scheme: "http" or "https".
        host: a name or an IP address without brackets, in lower case.
        port: the port that is dialled.
        tls: the TLS identity for https, None for http.
        unix_socket: the path of a socket that is dialled instead of host and port, or None.
        local_address: the (address, port) that the socket is bound to, or None. Port 0 is any.
        proxy: the URL of the proxy, credentials included (they are part of who the tunnel belongs to),
            or None. `dial` does not speak to proxies yet, and refuses such a Route.
    """

    scheme: str
    host: str
    port: int
    tls: TLSIdentity | None = None
    unix_socket: str | None = None
    local_address: tuple[str, int] | None = None
    proxy: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        # A Route is hashed at each request and never changes, so its hash is worth keeping.
        key = (self.scheme, self.host, self.port, self.tls, self.unix_socket, self.local_address, self.proxy)
        object.__setattr__(self, "_hash", hash(key))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined,no-any-return]

    def __reduce__(self) -> tuple[type[Route], tuple[object, ...]]:
        # Hashes of text differ between processes: a copy elsewhere has to make its own.
        return Route, tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def __str__(self) -> str:
        """The far end, for messages: no secret is part of it."""
        if self.unix_socket is not None:
            return f"{self.scheme}://{self.host} (unix socket {self.unix_socket})"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"
