"""The other side of TLS within TLS: a proxy, and a far end behind it.

`FarSide` is both of them in memory, over one socket. It has no thread and never waits: it takes in what has
come when it is told to, and sends what it is told to say, layer by layer, so that a test decides which byte
comes when, and what is missing. With one context instead of two it is a server without a proxy, for the
comparison. Over a pair of unix sockets what one end sent is there when the other one looks.

`Commanded` is a program in the place of either, which does what the `ssl` module can't: it renews its keys,
and negotiates anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shutil
import socket
import ssl
import struct
import subprocess
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trustme

from pystickyhttp.transport.tls_in_tls import TLSInTLS
from tests.servers.certificates import key_pair, server_context

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
        """What is to be sent for it, and for whatever else there was to say; nothing once TLS is broken."""
        with contextlib.suppress(ssl.SSLError):
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

    @property
    def has_more_to_send(self) -> bool:
        """Whether there was no room on the wire for all that was to be sent."""
        return bool(self._unsent)

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
            break
        except ssl.SSLWantReadError:
            far.run()
    far.run()


class Ends:
    """A client's socket that does not wait, and its other side, in one thread."""

    def __init__(self, client: ssl.SSLSocket | TLSInTLS, far: FarSide) -> None:
        self.client = client
        self.far = far

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.far.socket.close()


class Direct(Ends):
    """Without a proxy: an `ssl.SSLSocket`. The handshake is done, if `handshake` does not say otherwise."""

    def __init__(self, contexts: Contexts, *, handshake: bool = True) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        super().__init__(encrypted(ours, contexts.to_far_end, FAR_END), FarSide(theirs, contexts.far_end))
        if handshake:
            shake_hands(self.client, self.far)


class Nested(Ends):
    """Through a proxy: a `TLSInTLS`. The handshakes are done.

    Args:
        contexts: of the four ends.
        session: a TLS session of the far end to resume.
        handshake: whether the inner one is done too.
        send_buffer: the client's, in bytes, so that it is full some day.
    """

    client: TLSInTLS

    def __init__(
        self,
        contexts: Contexts,
        *,
        session: ssl.SSLSession | None = None,
        handshake: bool = True,
        send_buffer: int | None = None,
    ) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        if send_buffer is not None:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        far = FarSide(theirs, contexts.proxy)
        outer = encrypted(ours, contexts.to_proxy, PROXY)
        shake_hands(outer, far)
        # From here on the proxy is a tunnel.
        far.layers.append(Layer(contexts.far_end))
        client = TLSInTLS(outer, contexts.to_far_end, server_hostname=FAR_END, session=session)
        super().__init__(client, far)
        if handshake:
            shake_hands(client, far)


# -- a program in the place of either ---------------------------------------------------------------------


class Commanded:
    """s_server in the place of the proxy or of the far end, and the other one in memory; for a `with` block.

    Between the client, which has `socket`, and the program nothing moves but by `carry`; so the test decides
    what the client has seen of it. It ends with its one connection, as it does when its owner dies.
    """

    def __init__(self, folder: Path, ca: trustme.CA, name: str, *options: str) -> None:
        pair = key_pair(ca, folder, name)
        self._options = [
            "-cert",
            pair.certificate,
            "-cert_chain",
            pair.certificate,
            "-key",
            pair.key,
            *options,
        ]
        self._printed = b""

    def __enter__(self) -> Self:
        program = shutil.which("openssl")
        assert program is not None, "these tests need openssl: apt-get install openssl"
        with contextlib.ExitStack() as undo:
            self._program = undo.enter_context(
                subprocess.Popen(
                    [program, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", *self._options],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,
                    # What the machine's openssl.cnf allows must not matter.
                    env={"OPENSSL_CONF": os.devnull},
                )
            )
            undo.callback(self._program.kill)
            assert self._program.stdin is not None
            assert self._program.stdout is not None
            self._input, self._output = self._program.stdin.fileno(), self._program.stdout.fileno()
            self._wire = undo.enter_context(socket.create_connection(("127.0.0.1", self._port())))
            self.socket, self._client = socket.socketpair()
            undo.callback(self.socket.close)
            undo.enter_context(self._client)
            for end in (self.socket, self._client, self._wire):
                end.setblocking(False)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _port(self) -> int:
        while (match := re.search(rb"ACCEPT \S+:(\d+)\n", self._printed)) is None:
            select.select([self._output], [], [], DEADLINE)
            self._note_output()
        return int(match[1])

    def command(self, letter: bytes) -> None:
        """Give a command, by itself, so that it is not taken for a part of what is said before or after."""
        self._wait_until_read()
        os.write(self._input, letter + b"\n")
        self._wait_until_read()

    def _wait_until_read(self) -> None:
        limit = time.monotonic() + DEADLINE
        while struct.unpack("i", fcntl.ioctl(self._input, termios.FIONREAD, b"\0" * 4)) != (0,):
            assert time.monotonic() < limit, "s_server does not read what it is told"
            time.sleep(0.001)

    def carry(self) -> None:
        """Carry what there is by now one step on: client, proxy, far end, and back."""
        select.select([self._client.fileno(), self._wire.fileno(), self._output], [], [], 0.01)
        with contextlib.suppress(BlockingIOError):
            self._from_client(self._client.recv(_PIECE))
        with contextlib.suppress(BlockingIOError):
            self._from_program(self._wire.recv(_PIECE))
        if select.select([self._output], [], [], 0.0)[0]:
            self._note_output()

    def _note_output(self) -> None:
        self._printed += os.read(self._output, _PIECE)

    def records_on_the_way(self) -> int:
        """How many records of the program's have come as far as the next `carry` will carry them."""
        with contextlib.suppress(BlockingIOError):
            data = self._wire.recv(_PIECE, socket.MSG_PEEK)
            count = 0
            while data:
                # RFC 8446, section 5.1: the type, the version, the length.
                data = data[5 + int.from_bytes(data[3:5]) :]
                count += 1
            return count
        return 0

    def _from_client(self, data: bytes) -> None:
        self._wire.sendall(data)

    def _from_program(self, data: bytes) -> None:
        self._client.sendall(data)

    def say(self, data: bytes) -> None:
        """What the far end says to the client."""
        os.write(self._input, data)

    def has_heard(self, data: bytes) -> bool:
        """Whether just this is what the client said to the far end, since the last time that it was so."""
        raise NotImplementedError


class CommandedFarEnd(Commanded):
    """The program is the far end."""

    def __init__(self, folder: Path, ca: trustme.CA, proxy: ssl.SSLContext, *options: str) -> None:
        super().__init__(folder, ca, FAR_END, *options)
        self._proxy = Layer(proxy)

    def _from_client(self, data: bytes) -> None:
        super()._from_client(self._proxy.take(data, ended=not data))
        self._client.sendall(self._proxy.to_send())

    def _from_program(self, data: bytes) -> None:
        super()._from_program(self._proxy.encrypt(data))

    def has_heard(self, data: bytes) -> bool:
        # Among words of its own.
        _, heard, rest = self._printed.partition(data)
        self._printed = rest if heard else self._printed
        return bool(heard)


class CommandedProxy(Commanded):
    """The program is the proxy."""

    def __init__(self, folder: Path, ca: trustme.CA, far_end: ssl.SSLContext, *options: str) -> None:
        super().__init__(folder, ca, PROXY, *options)
        self._far_end = Layer(far_end)
        self._received = b""

    def say(self, data: bytes) -> None:
        super().say(self._far_end.encrypt(data))

    def has_heard(self, data: bytes) -> bool:
        if self._received != data:
            return False
        self._received = b""
        return True

    def _note_output(self) -> None:
        super()._note_output()
        while record := self._next_record():
            self._received += self._far_end.take(record, ended=False)
            os.write(self._input, self._far_end.to_send())

    def _next_record(self) -> bytes:
        """What the client said within the program's TLS. The program prints words of its own in between."""
        # RFC 8446, section 5.1: the type, the version, the length.
        start = re.search(rb"[\x14-\x17]\x03", self._printed)
        if start is None:
            return b""
        record = self._printed[start.start() :]
        length = 5 + int.from_bytes(record[3:5])
        if len(record) < max(5, length):
            return b""
        self._printed = record[length:]
        return record[:length]
