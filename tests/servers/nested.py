"""The other side of TLS within TLS: a proxy, and a far end behind it.

`FarSide` is both of them in memory, over one socket. It has no thread and never waits: it takes in what has
come when it is told to, and sends what it is told to say, layer by layer, so that a test decides which byte
comes when, and what is missing. With one context instead of two it is a server without a proxy, for the
comparison. Over a pair of unix sockets what one end sent is there when the other one looks.

`OpenSSLServer` is a program, which does what the `ssl` module can't: it renews keys, and negotiates anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import ssl
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trustme

from pystickyhttp.transport.tls_in_tls import TLSInTLS
from tests.servers.certificates import KeyPair, server_context

DEADLINE = 10.0
_PIECE = 65536
PROXY = "localhost"
FAR_END = "example.com"

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def client_context(ca: trustme.CA, version: str | None = None) -> ssl.SSLContext:
    """The context of a client that trusts `ca` and speaks the version, or any without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    ca.configure_trust(context)
    if version is not None:
        context.minimum_version = context.maximum_version = _VERSIONS[version]
    return context


@dataclass(frozen=True)
class Contexts:
    """The contexts of all four ends."""

    proxy: ssl.SSLContext
    far_end: ssl.SSLContext
    to_proxy: ssl.SSLContext
    to_far_end: ssl.SSLContext

    @classmethod
    def of(cls, ca: trustme.CA, outer: str | None = None, inner: str | None = None) -> Contexts:
        """With certificates of `ca`; `outer` and `inner` are the versions, any without."""
        return cls(
            server_context(ca, PROXY),
            server_context(ca, FAR_END, alpn=("http/1.1",)),
            client_context(ca, outer),
            client_context(ca, inner),
        )

    def with_far_end(self, context: ssl.SSLContext) -> Contexts:
        return replace(self, far_end=context)


# -- both layers in memory --------------------------------------------------------------------------------


class Layer:
    """A server's end of TLS between two buffers.

    `end` is None as long as more may come, then "close_notify", "cut", or the error's text.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._shook_hands = False
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.end: str | None = None

    def take(self, data: bytes, *, ended: bool) -> bytes:
        """Take in what has come, and go as far as it goes: what can be read."""
        if data:
            self._incoming.write(data)
        if ended:
            self._incoming.write_eof()
        plain = b""
        if self.end is not None:
            return plain
        try:
            if not self._shook_hands:
                self.tls.do_handshake()
                self._shook_hands = True
            while piece := self.tls.read(_PIECE):
                plain += piece
            self.end = "close_notify"
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.end = "close_notify"
        except ssl.SSLEOFError:
            self.end = "cut"
        except ssl.SSLError as error:
            self.end = error.reason or str(error)
        return plain

    def encrypt(self, data: bytes) -> bytes:
        """What is to be sent for it, and for whatever else there was to say."""
        if data:
            self.tls.write(data)
        return self.to_send()

    def goodbye(self) -> bytes:
        """close_notify, as it is to be sent."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.to_send()

    def to_send(self) -> bytes:
        return self._outgoing.read()


class FarSide:
    """The server's ends of all layers over one socket, the context of the outermost first.

    `received` is what the client said to the innermost.
    """

    def __init__(self, sock: socket.socket, *contexts: ssl.SSLContext) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.layers = [Layer(context) for context in contexts]
        self.received = bytearray()
        self.holds_tickets = False  # what the far end has to say of its own accord stays unsaid
        self._unsent = bytearray()
        self._ended = False

    @property
    def far_end(self) -> Layer:
        return self.layers[-1]

    def run(self) -> None:
        """Take in all that has come, and let each layer answer."""
        self._send()
        while not self._ended:
            try:
                data = self.socket.recv(_PIECE)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            self._ended = not data
            self._take(data)

    def _take(self, data: bytes) -> None:
        ended = self._ended
        for layer in self.layers:
            data = layer.take(data, ended=ended)
            ended = layer.end is not None
        self.received += data
        for depth, layer in enumerate(self.layers):
            if not (self.holds_tickets and layer is self.far_end):
                self.transmit(self.wrapped(layer.to_send(), depth))

    def wrapped(self, data: bytes, depth: int = -1) -> bytes:
        """Bytes as the layers outside of that depth (by default of the far end) put them on the wire."""
        for layer in reversed(self.layers[:depth]):
            data = layer.encrypt(data) if data else b""
        return data

    def say(self, data: bytes) -> None:
        """What the far end says to the client."""
        self.transmit(self.wrapped(self.far_end.encrypt(data)))

    def say_goodbye(self, depth: int = -1) -> None:
        """close_notify of the layer at that depth, by default of the far end."""
        self.transmit(self.wrapped(self.layers[depth].goodbye(), depth))

    def transmit(self, data: bytes) -> None:
        """Put bytes on the wire that no layer touches, or keep them for the next `run`."""
        self._unsent += data
        self._send()

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent)]

    def hang_up(self) -> None:
        """An end by TCP alone: no layer says a word. What the client sends can still be read."""
        self.socket.shutdown(socket.SHUT_WR)


def encrypted(plain: socket.socket, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    """A client's TLS, with its handshake yet to come."""
    return context.wrap_socket(
        plain, server_hostname=name, do_handshake_on_connect=False, suppress_ragged_eofs=False
    )


def shake_hands(sock: ssl.SSLSocket | TLSInTLS, far: FarSide) -> None:
    """Let a client that does not wait shake hands, in turns with the other side."""
    while True:
        try:
            sock.do_handshake()
            return
        except ssl.SSLWantReadError:
            far.run()


class Pair:
    """A `TLSInTLS` that does not wait, and its other side, in one thread. The handshakes are done.

    Args:
        contexts: of the four ends.
        session: a TLS session of the far end to resume.
        holds_tickets: whether the far end's tickets stay unsent until it says something.
        handshake: whether the inner one is done too.
    """

    def __init__(
        self,
        contexts: Contexts,
        *,
        session: ssl.SSLSession | None = None,
        holds_tickets: bool = False,
        handshake: bool = True,
    ) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.far = FarSide(theirs, contexts.proxy)
        self.outer = encrypted(ours, contexts.to_proxy, PROXY)
        shake_hands(self.outer, self.far)
        self.far.run()
        # From here on the proxy is a tunnel.
        self.far.layers.append(Layer(contexts.far_end))
        self.far.holds_tickets = holds_tickets
        self.client = TLSInTLS(self.outer, contexts.to_far_end, server_hostname=FAR_END, session=session)
        if handshake:
            shake_hands(self.client, self.far)
            self.far.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.far.socket.close()


class Directly:
    """The same without a proxy: an `ssl.SSLSocket` and the far end."""

    def __init__(self, contexts: Contexts) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.far = FarSide(theirs, contexts.far_end)
        self.client = encrypted(ours, contexts.to_far_end, FAR_END)
        shake_hands(self.client, self.far)
        self.far.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.far.socket.close()
