"""The floor: h11 on one blocking socket, without any client around it (see `benchmarks.floor`)."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import h11

from benchmarks.compare.peers.base import FIELDS, Opened, Peer
from benchmarks.floor import exchange


class BareOpened(Opened):
    """One socket to one server, dialled at the first request."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._socket: socket.socket | None = None
        self._protocol = h11.Connection(h11.CLIENT)
        self._known: dict[str, h11.Request] = {}

    def get(self, url: str) -> int:
        request = self._known.get(url)
        if request is None:
            request = self._known[url] = self._request(url, {})
        return exchange(self._connected(url), self._protocol, request)

    def get_with(self, url: str, fields: Mapping[str, str]) -> int:
        return exchange(self._connected(url), self._protocol, self._request(url, fields))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _request(self, url: str, fields: Mapping[str, str]) -> h11.Request:
        # A URL has to be taken apart by whoever sends it; this is the quickest way there is.
        authority, _, rest = url.partition("://")[2].partition("/")
        return h11.Request(
            method="GET", target="/" + rest, headers=[("Host", authority), *FIELDS.items(), *fields.items()]
        )

    def _connected(self, url: str) -> socket.socket:
        if self._socket is None:
            self._socket = self._dialled(url)
        return self._socket

    def _dialled(self, url: str) -> socket.socket:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        plain = socket.create_connection((parts.hostname, parts.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "http":
            return plain
        assert self._context is not None
        return self._context.wrap_socket(plain, server_hostname=parts.hostname)


class BareH11(Peer):
    errors = (h11.ProtocolError, OSError)

    @contextmanager
    def open(self, authority: str | None, connections: int) -> Iterator[Opened]:
        opened = BareOpened(ssl.create_default_context(cafile=authority) if authority else None)
        try:
            yield opened
        finally:
            opened.close()


PEER = BareH11()
