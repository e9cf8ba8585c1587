"""A SOCKS5 proxy that tells what it was asked, and proxies that answer what they should not.

`SocksServer` is a scripted server, so all that a `ScriptedServer` counts and records is there: the
connections, the errors. It holds its clients to RFC 1928 and RFC 1929: whatever is said out of turn, or is a
byte too long, is an error of the test. `saying` is a script of the bytes that it is given, whatever they are.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.servers.scripted import ClientGone, MalformedRequest, Peer, Script, ScriptedServer

Address = tuple[str, int]

IPV4, NAME, IPV6 = 1, 3, 4
# What a reply says of where the proxy connects from: type, address and port.
FROM_IPV4 = b"\x01\xc0\x00\x02\x09\xd4\x31"
FROM_IPV6 = b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x09\xd4\x31"
FROM_NAME = b"\x03\x0dproxy.example\xd4\x31"


def reply(code: int = 0, bound: bytes = FROM_IPV4) -> bytes:
    """The reply to CONNECT; 0 is "succeeded"."""
    return bytes([5, code, 0]) + bound


class Asked(NamedTuple):
    """What CONNECT asked for: the type of the address, the address, the port."""

    kind: int
    host: str
    port: int


class SocksServer(ScriptedServer):
    """A SOCKS5 proxy.

    No name is resolved: `origins` says where a host and port are, and what it does not name has to be an
    address of the loopback.

    Args:
        origins: where the far ends are.
        credentials: the user and password that it wants; None for no authentication.
        refusals: the reply code for hosts that it makes no tunnel to.
        bound: where it says that it connects from.
        behind: what it sends in one piece with the reply, as if the far end had spoken first.
        every: seconds between the bytes of its answers; None for answers in one piece.
        login_version: what it says before its verdict; some say 5, where RFC 1929 says 1.
        host: where it listens.

    Attributes:
        greetings: the methods that it was offered, for each connection.
        logins: the users and passwords that it was shown.
        asked: what it was asked for, refusals included.
    """

    def __init__(
        self,
        origins: Mapping[Address, Address] | None = None,
        *,
        credentials: tuple[bytes, bytes] | None = None,
        refusals: Mapping[str, int] | None = None,
        bound: bytes = FROM_IPV4,
        behind: bytes = b"",
        every: float | None = None,
        login_version: int = 1,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(self._serve, host=host)
        self.greetings: list[bytes] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.asked: list[Asked] = []
        self._origins = origins or {}
        self._credentials = credentials
        self._refusals = refusals or {}
        self._bound = bound
        self._behind = behind
        self._every = every
        self._login_version = login_version

    def proxy_url(self, scheme: str = "socks5h", userinfo: str = "") -> str:
        """Its URL, as it is given for `proxies=`."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{userinfo}{name}:{self.port}"

    def _serve(self, peer: Peer) -> None:
        client = _Client(peer)
        if not self._admits(client):
            return
        asked = client.command()
        self.asked.append(asked)
        refusal = self._refusals.get(asked.host)
        if refusal is not None:
            peer.send(reply(refusal, b"\x01" + bytes(6)))
            return
        self._answer(peer, reply(0, self._bound) + self._behind)
        # The far end may go in any way; whether that was right is for its own script to say.
        with contextlib.suppress(ConnectionError):
            peer.tunnel(self._address_of(asked))

    def _admits(self, client: _Client) -> bool:
        """RFC 1928, section 3; RFC 1929."""
        methods = client.greeting()
        self.greetings.append(methods)
        wanted = 0 if self._credentials is None else 2
        if wanted not in methods:
            client.peer.send(b"\x05\xff")
            return False
        self._answer(client.peer, bytes([5, wanted]))
        if self._credentials is None:
            return True
        self.logins.append(client.login())
        admitted = self.logins[-1] == self._credentials
        self._answer(client.peer, bytes([self._login_version, not admitted]))
        return admitted

    def _answer(self, peer: Peer, data: bytes) -> None:
        if self._every is None:
            peer.send(data)
        else:
            peer.drip(data, every=self._every)

    def _address_of(self, asked: Asked) -> Address:
        if (asked.host, asked.port) in self._origins:
            return self._origins[asked.host, asked.port]
        assert asked.host.startswith("127."), f"{asked} is not known here"
        return asked.host, asked.port


class _Client:
    """What a client says, message by message. Each ends where the client has to wait for the answer."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._buffer = b""

    def greeting(self) -> bytes:
        """The methods that it offers."""
        self._expect(b"\x05")
        methods = self._take(self._take(1)[0])
        self._ends()
        return methods

    def login(self) -> tuple[bytes, bytes]:
        """The user and the password."""
        self._expect(b"\x01")
        user = self._take(self._take(1)[0])
        password = self._take(self._take(1)[0])
        self._ends()
        return user, password

    def command(self) -> Asked:
        """What it wants to be connected to."""
        self._expect(b"\x05\x01\x00")
        kind = self._take(1)[0]
        host = self._host(kind)
        port = int.from_bytes(self._take(2), "big")
        self._ends()
        return Asked(kind, host, port)

    def _host(self, kind: int) -> str:
        if kind == IPV4:
            return socket.inet_ntop(socket.AF_INET, self._take(4))
        if kind == IPV6:
            return socket.inet_ntop(socket.AF_INET6, self._take(16))
        assert kind == NAME, f"RFC 1928 knows no address of type {kind}"
        return self._take(self._take(1)[0]).decode("ascii")

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            more = self.peer.read_some()
            if not more:
                raise ClientGone(f"the client closed in the middle of a message, after {self._buffer!r}")
            self._buffer += more
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _expect(self, start: bytes) -> None:
        got = self._take(len(start))
        if got != start:
            raise MalformedRequest(f"a message of SOCKS begins with {got!r}, not with {start!r}")

    def _ends(self) -> None:
        if self._buffer:
            raise MalformedRequest(f"the client said more before it was answered: {self._buffer!r}")


def saying(*answers: bytes, then: Callable[[Peer], None] = Peer.stall) -> Script:
    """A proxy that gives these answers, one to each thing that it is told, and then does that."""

    def script(peer: Peer) -> None:
        for answer in answers:
            peer.read_some()
            peer.try_send(answer)
        then(peer)

    return script
