"""A proxy of our own that tells what it saw (those that others wrote are in programs.py).

`ProxyServer` is a scripted server, so all that a `ScriptedServer` counts and records is there: the heads in
`requests`, the connections, the errors.
"""

from __future__ import annotations

import contextlib
import ssl
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.servers.scripted import DEADLINE, Peer, Request, ScriptedServer, respond
from tests.servers.sockets import socket_of_server

Address = tuple[str, int]

# RFC 9110, section 7.6.1, and what is between the client and the proxy alone.
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade"}


def basic(user: str, password: str) -> str:
    """The value of Proxy-Authorization."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


class ProxyServer(ScriptedServer):
    """An http proxy, or with `tls` one of https, for requests in absolute form and for CONNECT.

    No name is resolved: `origins` says where "host:port" is, and what it does not name has to be an address
    of the loopback. With `authorization` it wants just that value of Proxy-Authorization, of every request.
    """

    def __init__(
        self,
        origins: Mapping[str, Address] | None = None,
        *,
        authorization: str | None = None,
        tls: ssl.SSLContext | None = None,
        handshake_may_fail: bool = False,
    ) -> None:
        super().__init__(self._serve, tls=tls, handshake_may_fail=handshake_may_fail)
        self._origins = origins or {}
        self._authorization = authorization

    def targets(self) -> list[str]:
        """What it was asked for, as "METHOD target", in order."""
        return [f"{request.method} {request.target}" for request in self.requests]

    def _serve(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if not self._admits(request):
                peer.send(respond(status=407, headers={"Proxy-Authenticate": 'Basic realm="tests"'}))
            elif request.method == "CONNECT":
                peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                # The far end may go in any way; whether that was right is for its own script to say.
                with contextlib.suppress(ConnectionError):
                    peer.tunnel(self._address_of(request.target))
                return
            elif not peer.try_send(self._forward(request)):
                return

    def _admits(self, request: Request) -> bool:
        return self._authorization is None or request.header("Proxy-Authorization") == self._authorization

    def _address_of(self, authority: str) -> Address:
        if authority in self._origins:
            return self._origins[authority]
        host, _, port = authority.rpartition(":")
        assert host.startswith("127."), f"{authority} is not known here"
        return host, int(port)

    def _forward(self, request: Request) -> bytes:
        """The origin's answer; each request has a connection of its own behind the proxy."""
        url = urlsplit(request.target)
        assert url.scheme == "http", f"the target is not in absolute form: {request.target}"
        authority = url.netloc if ":" in url.netloc else f"{url.netloc}:80"
        path = url.path + (f"?{url.query}" if url.query else "")
        fields = [f"{name}: {value}" for name, value in request.headers if name.lower() not in _HOP_BY_HOP]
        head = "\r\n".join([f"{request.method} {path} HTTP/1.1", *fields, "Connection: close", "", ""])
        body = request.raw.partition(b"\r\n\r\n")[2]
        return _exchange(self._address_of(authority), head.encode("latin-1") + body)


def _exchange(address: Address, request: bytes) -> bytes:
    with socket_of_server() as upstream:
        upstream.settimeout(DEADLINE)
        upstream.connect(address)
        upstream.sendall(request)
        answer = b"".join(iter(lambda: upstream.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].lower() not in (b"connection", b"keep-alive")]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body
