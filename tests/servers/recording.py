"""Servers that keep every byte that they could read: origins, and proxies of all four kinds.

What a server could read is what came to it when its own layer of TLS was taken off, if it has one. To a proxy
what passes through a tunnel belongs to it: the text of a request where that is plain, and ciphertext where
the far end has a TLS of its own.

Each connection leaves a `Tape`; each request, and each greeting of SOCKS, an `Arrival` in a log that several
servers can share, so that it tells in which order they came. All of it is kept before the server goes on: a
client that has its response finds everything recorded that led to it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from tests.servers.proxies import Address, ProxyServer
from tests.servers.scripted import DEADLINE, Peer, Request, ScriptedServer, keep_alive

# The proxies here take fields of such names for their own, and pass none of them on.
PROXY_FIELDS: Final = "x-proxy-"

# RFC 1928, sections 3 to 6, and RFC 1929.
_SOCKS5: Final = 5
_NO_AUTHENTICATION, _PASSWORD, _NOTHING_WILL_DO = 0x00, 0x02, 0xFF
_IPV4, _NAME, _IPV6 = 0x01, 0x03, 0x04
_GRANTED: Final = bytes([_SOCKS5, 0, 0, _IPV4, 0, 0, 0, 0, 0, 0])


class Greeting(NamedTuple):
    """What a client of SOCKS5 said until its tunnel was open, or was refused.

    Attributes:
        credentials: user and password, or None where none were offered.
        target: "host:port", where the host is a name if the proxy was to resolve it; "" where it did not come
            to that.
    """

    credentials: tuple[bytes, bytes] | None
    target: str = ""


class Arrival(NamedTuple):
    """What came to a server, by the server's name."""

    where: str
    what: Request | Greeting


Log: TypeAlias = list[Arrival]  # appending to one is atomic


@dataclass
class Tape:
    """One connection.

    Attributes:
        number: its serial number, from 0.
        read: all that the client sent, as far as the server could read it.
        said: all that the client was sent, likewise.
        certificate: the one that the client showed in the handshake, as DER, or None.
        greeting: that of SOCKS, or None.
        tunnel_from: where in `read` the tunnel begins, or None where there was none.
    """

    number: int
    read: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)
    certificate: bytes | None = None
    greeting: Greeting | None = None
    tunnel_from: int | None = None

    @property
    def tunnelled(self) -> bytes:
        """What the client sent through the tunnel; b"" where there was none."""
        return b"" if self.tunnel_from is None else bytes(self.read[self.tunnel_from :])


class RecordedPeer(Peer):
    """A peer that keeps what it reads and sends; it takes the place of the one that it is made of."""

    def __init__(self, peer: Peer, tape: Tape) -> None:
        super().__init__(peer._server, peer._socket, peer.number)
        self.tape = tape

    def take(self, size: int) -> bytes:
        """So many bytes, no more and no less."""
        return self._take(size, time.monotonic() + DEADLINE)

    def send(self, data: bytes, deadline: float = DEADLINE) -> None:
        self.tape.said += data
        super().send(data, deadline)

    def tunnel(self, address: Address, deadline: float = DEADLINE) -> None:
        self.tape.tunnel_from = len(self.tape.read) - len(self._buffer)
        super().tunnel(address, deadline)

    def _fill(self, limit: float) -> bool:
        had = len(self._buffer)
        more = super()._fill(limit)
        self.tape.read += self._buffer[had:]
        return more

    def _close_notify(self) -> None:
        had = len(self._buffer)
        super()._close_notify()  # it reads what is left
        self.tape.read += self._buffer[had:]


class RecordingServer(ScriptedServer):
    """A scripted server that keeps a tape of each connection, and writes into a log what arrives.

    `record_as` gives it its name and the log, and is called before it starts.
    """

    def record_as(self, name: str, log: Log) -> None:
        self.name = name
        self.tapes: list[Tape] = []
        self._log = log

    def readable(self) -> bytes:
        """All that came over all connections, as far as it could be read."""
        return b"\n".join(bytes(tape.read) for tape in self.tapes)

    def found(self, words: Iterable[bytes]) -> set[bytes]:
        """Which of these could be read somewhere."""
        readable = self.readable()
        return {word for word in words if word in readable}

    def sent(self) -> bytes:
        """All that went out, likewise."""
        return b"\n".join(bytes(tape.said) for tape in self.tapes)

    def certificates(self) -> list[bytes]:
        """Those that clients showed."""
        return [tape.certificate for tape in self.tapes if tape.certificate is not None]

    def requests_on(self, tape: Tape) -> list[Request]:
        """The requests that were read from a connection; those within a tunnel are not among them."""
        return [request for request in self.requests if request.connection == tape.number]

    def forget(self) -> None:
        """Take it that nothing came so far."""
        self.tapes.clear()
        self.requests.clear()

    def _play(self, peer: Peer) -> None:
        tape = Tape(peer.number)
        self.tapes.append(tape)
        super()._play(RecordedPeer(peer, tape))

    def _shook_hands(self, peer: Peer) -> bool:
        shook_hands = super()._shook_hands(peer)
        if shook_hands and self._tls is not None and isinstance(peer, RecordedPeer):
            peer.tape.certificate = peer.tls.getpeercert(binary_form=True)
        return shook_hands

    def _note_request(self, request: Request) -> None:
        self._log.append(Arrival(self.name, request))
        super()._note_request(request)


class RecordingOrigin(RecordingServer):
    """An origin that keeps its connections alive, and answers as `handler` has it."""

    def __init__(
        self,
        name: str,
        log: Log,
        handler: Callable[[Request], bytes],
        *,
        tls: ssl.SSLContext | None = None,
        handshake_may_fail: bool = False,
    ) -> None:
        super().__init__(keep_alive(handler), tls=tls, handshake_may_fail=handshake_may_fail)
        self.record_as(name, log)


class RecordingProxy(RecordingServer, ProxyServer):
    """A proxy of http, or with `tls` of https.

    Args:
        name, log: see `record_as`.
        origins: where "host:port" is, see `ProxyServer`.
        tls: the proxy's own TLS, or None.

    `wants` can be set to the one value of Proxy-Authorization that it takes, and back to None.
    """

    def __init__(
        self, name: str, log: Log, origins: Mapping[str, Address], *, tls: ssl.SSLContext | None = None
    ) -> None:
        ProxyServer.__init__(self, origins)
        self._tls = tls
        self._handshake_may_fail = True
        self.record_as(name, log)

    @property
    def wants(self) -> str | None:
        return self._authorization

    @wants.setter
    def wants(self, authorization: str | None) -> None:
        self._authorization = authorization

    def _forward(self, request: Request) -> bytes:
        passed_on = [field for field in request.headers if not field[0].lower().startswith(PROXY_FIELDS)]
        return super()._forward(replace(request, headers=passed_on))


class RecordingSocks(RecordingServer):
    """A proxy of SOCKS5 (RFC 1928), which asks for user and password (RFC 1929) whoever offers them.

    Args:
        name, log: see `record_as`.
        origins: where "host:port" is, for names and for addresses.

    `wants` can be set to the one pair of user and password that it takes, and back to None.
    """

    def __init__(self, name: str, log: Log, origins: Mapping[str, Address]) -> None:
        super().__init__(self._serve)
        self.record_as(name, log)
        self.wants: tuple[bytes, bytes] | None = None
        self._origins = origins

    def _serve(self, peer: Peer) -> None:
        assert isinstance(peer, RecordedPeer), "every connection is recorded"
        credentials = self._credentials(peer)
        if self.wants not in (None, credentials):
            refusal = [_SOCKS5, _NOTHING_WILL_DO] if credentials is None else [1, 1]
            self._note_greeting(peer, Greeting(credentials))
            peer.send(bytes(refusal))
            return
        peer.send(bytes([_SOCKS5, _NO_AUTHENTICATION] if credentials is None else [1, 0]))
        target = _target(peer)
        self._note_greeting(peer, Greeting(credentials, target))
        peer.send(_GRANTED)
        # The far end may go in any way; whether that was right is for its own script to say.
        with contextlib.suppress(ConnectionError):
            peer.tunnel(self._origins[target])

    def _credentials(self, peer: RecordedPeer) -> tuple[bytes, bytes] | None:
        """Section 3 of RFC 1928, and RFC 1929 as far as its answer."""
        version, count = peer.take(2)
        methods = peer.take(count)
        assert version == _SOCKS5, f"this is no SOCKS5: {bytes(peer.tape.read)!r}"
        if _PASSWORD not in methods:
            assert _NO_AUTHENTICATION in methods, f"no method that is known here: {methods!r}"
            return None
        peer.send(bytes([_SOCKS5, _PASSWORD]))
        assert peer.take(1) == b"\x01", "the version of RFC 1929"
        return peer.take(peer.take(1)[0]), peer.take(peer.take(1)[0])

    def _note_greeting(self, peer: RecordedPeer, greeting: Greeting) -> None:
        peer.tape.greeting = greeting
        self._log.append(Arrival(self.name, greeting))


def _target(peer: RecordedPeer) -> str:
    """Section 4 of RFC 1928: CONNECT, and whereto."""
    assert peer.take(3) == bytes([_SOCKS5, 1, 0]), f"this is no CONNECT: {bytes(peer.tape.read)!r}"
    kind = peer.take(1)[0]
    if kind == _NAME:
        host = peer.take(peer.take(1)[0]).decode("ascii")
    else:
        host = str(ipaddress.ip_address(peer.take({_IPV4: 4, _IPV6: 16}[kind])))
    port = int.from_bytes(peer.take(2), "big")
    return f"[{host}]:{port}" if kind == _IPV6 else f"{host}:{port}"
