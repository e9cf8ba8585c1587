"""Who a connection may serve: the key of the pool (law R1)."""

from __future__ import annotations

import os
import re
from dataclasses import field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from ..exceptions import InvalidProxyURL, InvalidSchema
from ..values import Value, settle, value_class

if TYPE_CHECKING:
    import ssl

FileVersion: TypeAlias = "tuple[int, ...] | None"

# How a proxy can be spoken to, and where it listens by custom (RFC 1928 for SOCKS). Whoever asks for another
# way is told so, and never connected past the proxy.
PROXY_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_SOCKS: Final = frozenset({"socks5", "socks5h"})


def is_socks(scheme: str) -> bool:
    """Whether a proxy of this scheme makes tunnels by SOCKS5, and knows nothing of HTTP."""
    return scheme in _SOCKS


# X7, and what else no field may hold (RFC 9110, section 5.5): h11 would refuse it too, and show the value.
_UNSENDABLE: Final = rb"[\x00-\x1f\x7f]|\A | \Z"


def file_version(path: str) -> FileVersion:
    """What tells one state of a file or folder from the next, None where there is none.

    A folder has another one as soon as a file is put into it, or taken out.

    Args:
        path: the path; links are followed.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: it has a NUL in it
        return None
    # The last one tells a file that was given the date of the one that it overwrote.
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev, status.st_ctime_ns


class Store(NamedTuple):
    """What stands in the place of the system's store of root certificates, whole or in part.

    Attributes:
        file: a file of root certificates, or None for the system's.
        folder: a folder of them, or several as in PATH, or None for the system's.
        platform: whether the platform's own verifier is asked, by the extra `truststore`, which looks at
            neither file nor folder.
        versions: which state of file and folders is asked for (`file_version`), where somebody looked.
    """

    file: str | None = None
    folder: str | None = None
    platform: bool = False
    versions: tuple[FileVersion, ...] | None = None


SYSTEM_STORE: Final = Store()


@value_class()
class TLSIdentity(Value):
    """Everything that decides whom a TLS connection trusts, and who it says it is.

    Attributes:
        verify: whether the server's certificate is checked.
        ca: a file or folder of root certificates, or None for the system's store.
        cert: the file of the client's certificate, or None.
        key: the file of its private key, or None where it stands in `cert`.
        password: the password of the key, or None.
        context: an `ssl.SSLContext` to use as it is given; then none of the above counts.
        server_hostname: the name that the certificate is held against, or None for the Route's host.
        store: where there is no `ca`: what the environment says of the system's store.
        ca_version: which state of the file or folder `ca` is asked for (`file_version`), where somebody
            looked: a connection that was verified by what stood there before serves nobody who asks for this.
    """

    verify: bool
    ca: str | None
    cert: str | None
    key: str | None
    password: str | None = field(repr=False)
    context: ssl.SSLContext | None
    server_hostname: str | None
    store: Store
    ca_version: FileVersion

    def __init__(
        self,
        verify: bool = True,
        ca: str | None = None,
        cert: str | None = None,
        key: str | None = None,
        password: str | None = None,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        store: Store = SYSTEM_STORE,
        ca_version: FileVersion = None,
    ) -> None:
        settle(self, verify=verify, ca=ca, ca_version=ca_version, store=store, context=context)
        settle(self, cert=cert, key=key, password=password, server_hostname=server_hostname)


@value_class()
class Proxy(Value):
    """What stands between us and the far end of a Route.

    Attributes:
        scheme: how it is spoken to: "http" and "https" forward http and make tunnels for https, "socks5" and
            "socks5h" make tunnels for both; names are resolved here for "socks5", and there for "socks5h".
        host: a name or an IP address without brackets, in lower case.
        port: the port that is dialled.
        authorization: the value of Proxy-Authorization, or None. Like all that follows it is part of who a
            connection belongs to, and no message shows it.
        credentials: user and password for SOCKS, or None.
        fields: header fields for an http proxy's eyes alone, beside Proxy-Authorization.
        tls: the TLS identity for the connection to an https proxy, None for the others.

    Raises:
        InvalidSchema: the scheme is one that we can't speak.
        InvalidProxyURL: no host, or a control character in it or in the credentials (law X7).
        ValueError: it has what a proxy of its scheme is never shown.
    """

    scheme: str
    host: str
    port: int
    authorization: bytes | None = field(repr=False)
    credentials: tuple[bytes, bytes] | None = field(repr=False)
    fields: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    tls: TLSIdentity | None = field(repr=False)

    def __init__(
        self,
        scheme: str,
        host: str,
        port: int,
        authorization: bytes | None = None,
        credentials: tuple[bytes, bytes] | None = None,
        fields: tuple[tuple[bytes, bytes], ...] = (),
        tls: TLSIdentity | None = None,
    ) -> None:
        settle(self, scheme=scheme, host=host, port=port, tls=tls)
        settle(self, authorization=authorization, credentials=credentials, fields=fields)
        self._check()

    def _check(self) -> None:
        if self.scheme not in PROXY_PORTS:
            raise InvalidSchema(
                f"the proxy {self.host!r} is to be spoken to by {self.scheme}://, which nobody here can: "
                f"give one of {', '.join(f'{scheme}://' for scheme in PROXY_PORTS)}"
            )
        if not self.host:
            raise InvalidProxyURL("the proxy has no host: give http://host:port")
        if self.is_socks and (self.authorization is not None or self.fields):
            raise ValueError(
                f"{self} is a SOCKS proxy and reads no fields: give credentials=(user, password)"
            )
        if self.credentials is not None and not self.is_socks:
            raise ValueError(f"{self} takes no credentials of SOCKS: give authorization=")
        if self.tls is not None and self.scheme != "https":
            raise ValueError(f"{self} is not spoken to by TLS: leave tls out, or write https")
        if self.scheme == "https" and self.tls is None:  # nobody's oversight sends it a word without TLS
            settle(self, tls=TLSIdentity())
        parts = self.host.encode("utf-8", "surrogatepass"), self.authorization or b""
        if any(re.search(_UNSENDABLE, part) for part in parts):
            raise InvalidProxyURL(
                f"the proxy {str(self)!r} has a control character such as CR, LF or NUL in its host or its "
                f"credentials, or a space at an end: strip() them"
            )
        if self.credentials is not None:
            from .socks import check_credentials  # loaded only where there are any, to keep start-up light

            check_credentials(*self.credentials)

    @property
    def is_socks(self) -> bool:
        """See the function of this name."""
        return is_socks(self.scheme)

    @property
    def own_fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """The header fields that are sent to it, and to nobody else."""
        if self.authorization is None:
            return self.fields
        return *self.fields, (b"Proxy-Authorization", self.authorization)

    def __str__(self) -> str:
        """Where it is, for messages: no secret is part of it."""
        return f"{self.scheme}://{_authority(self.host, self.port)}"


@value_class(slots=False)
class Route(Value):
    """Two requests share a connection only if their Routes are equal.

    Attributes:
        scheme: "http" or "https".
        host: a name or an IP address without brackets, in lower case.
        port: the port that is dialled.
        tls: the TLS identity for https, None for http.
        unix_socket: the path of a socket that is dialled instead of host and port, or None.
        local_address: the (address, port) that the socket is bound to, or None. Port 0 is any.
        proxy: what the connection goes through, or None.

    Raises:
        ValueError: it has a unix socket and a proxy, which can't both be dialled.
    """

    scheme: str
    host: str
    port: int
    tls: TLSIdentity | None
    unix_socket: str | None
    local_address: tuple[str, int] | None
    proxy: Proxy | None

    def __init__(
        self,
        scheme: str,
        host: str,
        port: int,
        tls: TLSIdentity | None = None,
        unix_socket: str | None = None,
        local_address: tuple[str, int] | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        settle(self, scheme=scheme, host=host, port=port, tls=tls, unix_socket=unix_socket)
        settle(self, local_address=local_address, proxy=proxy)
        if proxy is not None and unix_socket is not None:
            raise ValueError(f"a unix socket is not reached through a proxy: leave one of them out of {self}")
        # A Route is hashed at each request and never changes, so its hash is worth keeping.
        settle(self, _hash=super().__hash__())

    @property
    def to_proxy(self) -> Route:
        """The Route of the connection to the proxy, over which the far end is reached."""
        assert self.proxy is not None, "who asks has seen that there is a proxy"
        proxy = self.proxy
        return Route(proxy.scheme, proxy.host, proxy.port, proxy.tls, local_address=self.local_address)

    @property
    def is_forwarded(self) -> bool:
        """Whether the connection ends at the proxy, which forwards each request; else it is a tunnel.

        Over such a one the request target is in absolute form (RFC 9112, section 3.2.2), and the proxy's own
        fields are part of each request.
        """
        return self.proxy is not None and self.scheme == "http" and not self.proxy.is_socks

    @property
    def origin(self) -> str:
        """The far end as "scheme://host:port", by which its figures are shown; no secret is part of it."""
        if self.unix_socket is not None:
            return f"{self.scheme}+unix://{self.unix_socket}"
        return f"{self.scheme}://{_authority(self.host, self.port)}"

    @property
    def authority(self) -> str:
        """Host and port of the far end (RFC 9112, section 3.2.3), without the zone that only we know."""
        return _authority(self.host.partition("%")[0], self.port)

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined,no-any-return]

    def __reduce__(self) -> tuple[type[Route], tuple[object, ...]]:
        # Hashes of text differ between processes: a copy elsewhere has to make its own.
        return Route, tuple(getattr(self, name) for name in self.__match_args__)

    def __str__(self) -> str:
        """The far end and the way to it, for messages: no secret is part of it."""
        if self.unix_socket is not None:
            return f"{self.scheme}://{self.host} (unix socket {self.unix_socket!r})"
        through = "" if self.proxy is None else f" through proxy {self.proxy}"
        return f"{self.scheme}://{_authority(self.host, self.port)}{through}"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
