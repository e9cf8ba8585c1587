"""A server that says exactly what the scenario says.

A script is a function of a `Peer`, the server's end of one accepted connection, and reads like the
conversation that it plays: read a request, send these bytes, wait for that event, reset. Each connection
plays its script in a thread of its own.

    def conversation(peer: Peer) -> None:
        request = peer.expect_request()
        peer.send(respond(b"ok"))
        assert peer.read_request() is None      # and then the client closes

    with ScriptedServer(conversation) as server:
        ...  # the client, at server.url("/path")

What goes wrong in a script (a failed assertion, a deadline, a client that left in the middle) is raised again
where the `with` block ends, so a scenario that did not take place cannot pass. Every wait has a deadline and
every wait ends at once when the server is stopped.

Two servers say nothing at all: `BlackHole` lets a connect hang, `closed_port` lets it be refused.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from tests.servers.certificates import name_asked_for
from tests.servers.sockets import socket_of_server
from tests.servers.wire import (
    LAST_CHUNK,
    MalformedRequest,
    Request,
    chunk,
    parse_chunk_size,
    parse_fields,
    parse_head,
    respond,
    says_close,
    split_lines,
)

__all__ = [
    "LAST_CHUNK",
    "BlackHole",
    "ClientGone",
    "DeadlineMissed",
    "MalformedRequest",
    "Peer",
    "Request",
    "Script",
    "ScriptedServer",
    "chunk",
    "closed_port",
    "keep_alive",
    "respond",
    "silence",
]

# Nobody waits for so long but in vain, on however slow a machine.
DEADLINE = 30.0
_PIECE = 65536
# Only Linux has it; elsewhere poll() reports a client that left as POLLHUP, which needs no asking for.
_CLIENT_LEFT = getattr(select, "POLLRDHUP", 0)


class ClientGone(Exception):
    """The client closed, reset or would not shake hands where the script still needed it."""


class DeadlineMissed(AssertionError):
    """What the script or the test waited for did not come."""


class _Stopped(Exception):
    """The server is being stopped; ends a script silently, since stopping in mid-conversation is no error."""


class _Secure:
    """The TLS of one connection, between two buffers in memory.

    An `SSLSocket` reads when it is told to close (it looks for the client's close_notify), and what it read
    is lost to the script. Here nothing goes over the wire that the script did not ask for.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def feed(self, received: bytes) -> None:
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    def shakes_hands(self) -> bool:
        """Take the handshake as far as it goes; whether it is complete."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def decrypt(self) -> tuple[bytes, bool]:
        """All that can be read by now, and whether more may come."""
        plain = b""
        try:
            while piece := self.tls.read(_PIECE):
                plain += piece
        except ssl.SSLWantReadError:
            return plain, True
        except ssl.SSLEOFError:
            pass
        return plain, False

    def encrypt(self, data: memoryview) -> bytes:
        while data:
            data = data[self.tls.write(data) :]
        return self.to_send()

    def close_notify(self) -> bytes:
        with contextlib.suppress(OSError):
            self.tls.unwrap()
        return self.to_send()

    def to_send(self) -> bytes:
        return self._outgoing.read()


class Peer:
    """The server's end of one accepted connection; `number` is its serial number, from 0.

    `was_reset` says that the client did not close but reset. A client of TLS 1.3 may do so unawares, when it
    closes before it has read the session tickets.
    """

    def __init__(self, server: ScriptedServer, connection: socket.socket, number: int) -> None:
        self.number = number
        self.was_reset = False
        self._server = server
        self._socket = connection
        self._buffer = bytearray()
        self._secure: _Secure | None = None
        self._open = True
        connection.setblocking(False)
        # Without it the kernel joins small writes, and what a script sends in pieces would come as one.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # -- reading ------------------------------------------------------------------------------------------

    def read_request(self, deadline: float = DEADLINE) -> Request | None:
        """The next whole request, or None if the client closed instead of sending one."""
        limit = time.monotonic() + deadline
        request = self._read_head(limit)
        if request is not None:
            self._read_body(request, limit)
            self._server._note_request(request)
        return request

    def expect_request(self, deadline: float = DEADLINE) -> Request:
        """The next whole request; that the client closes instead is an error."""
        request = self.read_request(deadline)
        if request is None:
            raise ClientGone("the client closed the connection, a request was expected")
        return request

    def read_head(self, deadline: float = DEADLINE) -> Request:
        """The head of the next request, its body left on the wire (for 100-continue and early refusals)."""
        request = self._read_head(time.monotonic() + deadline)
        if request is None:
            raise ClientGone("the client closed the connection, the head of a request was expected")
        self._server._note_request(request)
        return request

    def read_body(self, request: Request, deadline: float = DEADLINE) -> bytes:
        """The body that belongs to a request whose head is all that was read."""
        self._read_body(request, time.monotonic() + deadline)
        return request.body

    def read_some(self, deadline: float = DEADLINE) -> bytes:
        """Whatever bytes come next, at least one; b"" if the client closed."""
        if not self._buffer:
            self._fill(time.monotonic() + deadline)
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def read_until_eof(self, deadline: float = DEADLINE) -> bytes:
        """All bytes until the client closes."""
        limit = time.monotonic() + deadline
        while self._fill(limit):
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def _read_head(self, limit: float) -> Request | None:
        while b"\r\n\r\n" not in self._buffer:
            if not self._fill(limit):
                if self._buffer:
                    raise ClientGone(f"the client closed in the middle of a head: {bytes(self._buffer)!r}")
                return None
        end = self._buffer.index(b"\r\n\r\n")
        request = parse_head(bytes(self._buffer[:end]), self.number)
        del self._buffer[: end + 4]
        return request

    def _read_body(self, request: Request, limit: float) -> None:
        if request.is_chunked:
            self._read_chunks(request, limit)
        else:
            request.body = self._take(request.content_length, limit)
            request.raw += request.body

    def _read_chunks(self, request: Request, limit: float) -> None:
        while size := parse_chunk_size(self._take_line(request, limit)):
            data = self._take(size, limit)
            request.raw += data
            request.chunks.append(data)
            if self._take_line(request, limit):
                raise MalformedRequest(f"a chunk is longer than the {size} bytes that it declares")
        while line := self._take_line(request, limit):
            request.trailers += parse_fields([line])
        request.body = b"".join(request.chunks)

    def _take_line(self, request: Request, limit: float) -> bytes:
        while b"\r\n" not in self._buffer:
            self._need_more(limit)
        line = self._take(self._buffer.index(b"\r\n"), limit)
        request.raw += line + self._take(2, limit)
        return split_lines(line)[0]

    def _take(self, size: int, limit: float) -> bytes:
        while len(self._buffer) < size:
            self._need_more(limit)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _need_more(self, limit: float) -> None:
        if not self._fill(limit):
            raise ClientGone(f"the client closed in the middle of a body, after {bytes(self._buffer)!r}")

    def _fill(self, limit: float) -> bool:
        """Put what comes next into the buffer; False if the client closed (`was_reset` tells how)."""
        if self._secure is None:
            received = self._receive(limit)
            self._buffer += received
            return bool(received)
        while True:
            plain, more = self._secure.decrypt()
            self._buffer += plain
            if plain or not more:
                return bool(plain)
            self._secure.feed(self._receive(limit))

    def _receive(self, limit: float) -> bytes:
        while True:
            self._server._check_running()
            try:
                return self._socket.recv(_PIECE)
            except BlockingIOError:
                self._poll(select.POLLIN, limit, "nothing came from the client")
            except (ConnectionResetError, BrokenPipeError):
                self.was_reset = True
                return b""

    # -- writing ------------------------------------------------------------------------------------------

    def send(self, data: bytes, deadline: float = DEADLINE) -> None:
        """Hand all of `data` to the kernel; that the client is gone is an error (see `try_send`)."""
        limit = time.monotonic() + deadline
        for start in range(0, len(data), _PIECE):
            piece = memoryview(data)[start : start + _PIECE]
            self._transmit(piece if self._secure is None else self._secure.encrypt(piece), limit)

    def send_beneath_tls(self, data: bytes, deadline: float = DEADLINE) -> None:
        """Send bytes that are no TLS where TLS is spoken."""
        self._transmit(data, time.monotonic() + deadline)

    def _transmit(self, data: bytes | memoryview, limit: float) -> None:
        rest = memoryview(data)
        while rest:
            self._server._check_running()
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                self._poll(select.POLLOUT, limit, "the client did not read")
            except (ConnectionResetError, BrokenPipeError) as error:
                self.was_reset = True
                raise ClientGone("the client left before it was sent everything") from error

    def try_send(self, data: bytes, deadline: float = DEADLINE) -> bool:
        """Like `send` where the client may well leave; says whether it stayed."""
        try:
            self.send(data, deadline)
        except ClientGone:
            return False
        return True

    def drip(self, data: bytes, *, size: int = 1, every: float = 0.0) -> None:
        """Send `data` in pieces of `size` bytes, a segment each, one `every` so many seconds."""
        for start in range(0, len(data), size):
            if start and self._server._stopping.wait(every):
                raise _Stopped
            self.send(data[start : start + size])

    # -- waiting ------------------------------------------------------------------------------------------

    def wait(self, event: threading.Event, deadline: float = DEADLINE) -> None:
        """Go on when the test sets `event`."""
        limit = time.monotonic() + deadline
        # An Event cannot be polled together with the stopping of the server: so in turns, in small slices.
        while not event.wait(0.02):
            self._server._check_running()
            if time.monotonic() > limit:
                raise DeadlineMissed(f"the event that the script waits for was not set in {deadline} s")

    def stall(self) -> None:
        """Do nothing, not even read, until the client leaves or the server is stopped."""
        self._poll(_CLIENT_LEFT, None, "")

    def _poll(self, events: int, limit: float | None, complaint: str) -> None:
        poll = select.poll()
        poll.register(self._socket, events)
        poll.register(self._server._wake_up, select.POLLIN)
        timeout = None if limit is None else max(0.0, limit - time.monotonic()) * 1000
        ready = poll.poll(timeout)
        self._server._check_running()
        if not ready:
            raise DeadlineMissed(f"connection {self.number}: {complaint} before the deadline")

    # -- leaving ------------------------------------------------------------------------------------------

    def fin(self) -> None:
        """Close in good order: over TLS with close_notify, then FIN."""
        if self._open:
            self._close_notify()
            self.cut()

    def cut(self) -> None:
        """Close by FIN alone: over TLS that is a truncation, since no close_notify precedes it."""
        if self._open:
            # A close with bytes unread would be a reset.
            with contextlib.suppress(OSError):
                while self._socket.recv(_PIECE):
                    pass
            self._release()

    def half_close(self) -> None:
        """Send FIN (over TLS close_notify before it) and stay able to read."""
        self._close_notify()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def rst(self) -> None:
        """Close by reset."""
        if self._open:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._release()

    def _close_notify(self) -> None:
        if self._secure is not None:
            # What the client sent so far would be lost in the closing.
            self._buffer += self._secure.decrypt()[0]
            with contextlib.suppress(ClientGone, DeadlineMissed):
                self._transmit(self._secure.close_notify(), time.monotonic())

    def _release(self) -> None:
        self._open = False
        self._socket.close()
        self._server._note_closed()

    # -- changing the layer -------------------------------------------------------------------------------

    @property
    def tls(self) -> ssl.SSLObject:
        """The TLS of this connection, to ask for its version, its cipher or the client's certificate."""
        assert self._secure is not None, "this connection is not encrypted"
        return self._secure.tls

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for in the handshake, None if it named none."""
        return name_asked_for(self.tls)

    def start_tls(self, context: ssl.SSLContext, deadline: float = DEADLINE) -> None:
        """Shake hands now: a proxy's script after CONNECT. A server with `tls` does it by itself."""
        if self._buffer:
            raise MalformedRequest(f"the client spoke before the handshake: {bytes(self._buffer)!r}")
        limit = time.monotonic() + deadline
        secure = _Secure(context)
        try:
            while not secure.shakes_hands():
                self._transmit(secure.to_send(), limit)
                secure.feed(self._receive(limit))
        except ssl.SSLError as error:
            # The alert that tells the client what is wrong.
            with contextlib.suppress(ClientGone):
                self._transmit(secure.to_send(), limit)
            raise ClientGone(f"the handshake failed: {error}") from error
        # Session tickets: the handshake is over, and a client that left since then will be missed by whoever
        # needs it.
        with contextlib.suppress(ClientGone):
            self._transmit(secure.to_send(), limit)
        self._secure = secure

    def tunnel(self, address: tuple[str, int], deadline: float = DEADLINE) -> None:
        """Pass bytes on to and back from `address` until either side closes (a proxy's script)."""
        with socket_of_server() as upstream:
            upstream.settimeout(deadline)
            upstream.connect(address)
            while self._pass_on(upstream):
                pass

    def _pass_on(self, upstream: socket.socket) -> bool:
        poll = select.poll()
        for end in (self._socket, upstream, self._server._wake_up):
            poll.register(end, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        self._server._check_running()
        if self._buffer or self._socket.fileno() in ready:
            sent = self.read_some()
            upstream.sendall(sent)
            return bool(sent)
        answered = upstream.recv(_PIECE)
        return bool(answered) and self.try_send(answered)


Script = Callable[[Peer], None]


def keep_alive(handler: Callable[[Request], bytes]) -> Script:
    """A script that answers requests by `handler` until the client closes or either side says `close`."""

    def converse(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            answer = handler(request)
            if not peer.try_send(answer) or request.asks_to_close or says_close(answer):
                break

    return converse


class ScriptedServer:
    """A listening socket whose connections play scripts.

    One script is played on every connection; of a list, the first on the first connection, the second on the
    second …, and a connection beyond the list is an error.
    """

    def __init__(
        self,
        scripts: Script | Sequence[Script],
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        handshake_may_fail: bool = False,
        receive_buffer: int | None = None,
    ) -> None:
        self.host = host
        self.port = 0
        self.accepted = 0
        self.open_connections = 0
        self.most_open_connections = 0
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self.handshake_errors: list[ClientGone] = []
        self._scripts = scripts
        self._tls = tls
        self._handshake_may_fail = handshake_may_fail
        self._receive_buffer = receive_buffer
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._playing = 0
        self._listener: socket.socket | None = None
        self._wake_up = self._waker = -1

    # -- living -------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is not None:
            # The test's own failure is often the consequence of the script's: tell both.
            for failure in self.errors:
                if failure is not error:
                    error.add_note("in the server's script:\n" + "".join(traceback.format_exception(failure)))
        elif len(self.errors) == 1:
            raise self.errors[0]
        elif self.errors:
            raise BaseExceptionGroup("several scripts of the server failed", self.errors)

    def start(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.socket(family)
        if self._receive_buffer is not None:
            # Accepted connections inherit it, and only before the handshake does it bound the window.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self._listener.bind((self.host, 0))
        self.port = self._listener.getsockname()[1]
        self._listener.setblocking(False)
        self._listener.listen(512)
        # A pipe and no pair of sockets, so that it is not counted among the sockets of the process.
        self._wake_up, self._waker = os.pipe()
        self._spawn(self._accept)

    def stop(self) -> None:
        """End all scripts and close everything; a second time it does nothing."""
        if self._listener is None or self._stopping.is_set():
            return
        self._stopping.set()
        os.write(self._waker, b"!")
        limit = time.monotonic() + DEADLINE
        # The accepting thread is the first of the list and the only one that lengthens it.
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
        self._listener.close()
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        if stuck:
            self.errors.append(DeadlineMissed(f"scripts that do not end when the server is stopped: {stuck}"))
            return
        os.close(self._wake_up)
        os.close(self._waker)

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name=f"scripted-{self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    # -- what it is and what it saw -----------------------------------------------------------------------

    @property
    def scheme(self) -> str:
        return "https" if self._tls else "http"

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        name = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{self.scheme}://{name}:{self.port}{path}"

    def wait_for_connections(self, count: int, deadline: float = DEADLINE) -> None:
        """Until `count` connections in all were accepted."""
        self._wait_until(lambda: self.accepted >= count, f"{count} connections", deadline)

    def wait_for_requests(self, count: int, deadline: float = DEADLINE) -> None:
        """Until `count` requests in all were read."""
        self._wait_until(lambda: len(self.requests) >= count, f"{count} requests", deadline)

    def wait_for_open(self, count: int, deadline: float = DEADLINE) -> None:
        """Until exactly `count` connections are open: accepted, and closed by neither side."""
        self._wait_until(lambda: self.open_connections == count, f"{count} open connections", deadline)

    def wait_for_scripts(self, deadline: float = DEADLINE) -> None:
        """Until every script so far begun has come to its end by itself."""
        self._wait_until(lambda: self._playing == 0, "the end of all scripts", deadline, give_up=False)

    def _wait_until(
        self, reached: Callable[[], bool], what: str, deadline: float, *, give_up: bool = True
    ) -> None:
        with self._changed:
            # A script that failed will not bring about what is waited for.
            self._changed.wait_for(lambda: reached() or (give_up and bool(self.errors)), deadline)
            if not reached() and self.errors:
                raise self.errors[0]
            if not reached():
                raise DeadlineMissed(
                    f"waited for {what}; the server accepted {self.accepted}, "
                    f"has {self.open_connections} open, read {len(self.requests)} requests"
                )

    # -- the threads --------------------------------------------------------------------------------------

    def _accept(self) -> None:
        assert self._listener is not None
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake_up, select.POLLIN)
        while True:
            poll.poll()
            if self._stopping.is_set():
                return
            with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
                connection, _ = self._listener.accept()
                self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        peer = Peer(self, connection, self.accepted)
        with self._changed:
            self.accepted += 1
            self.open_connections += 1
            self.most_open_connections = max(self.most_open_connections, self.open_connections)
            self._playing += 1
            self._changed.notify_all()
        self._spawn(self._play, peer)

    def _play(self, peer: Peer) -> None:
        failure: BaseException | None = None
        try:
            if self._shook_hands(peer):
                self._script_of(peer)(peer)
            peer.fin()
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - kept, and raised where the with block ends
            failure = error
        finally:
            if peer._open:
                peer._release()
            with self._changed:
                if failure is not None:
                    self.errors.append(failure)
                self._playing -= 1
                self._changed.notify_all()

    def _shook_hands(self, peer: Peer) -> bool:
        if self._tls is None:
            return True
        try:
            peer.start_tls(self._tls)
        except ClientGone as error:
            self.handshake_errors.append(error)
            if not self._handshake_may_fail:
                raise
            return False
        return True

    def _script_of(self, peer: Peer) -> Script:
        if callable(self._scripts):
            return self._scripts
        if peer.number >= len(self._scripts):
            raise AssertionError(
                f"connection {peer.number + 1} was opened, the scenario has {len(self._scripts)}"
            )
        return self._scripts[peer.number]

    def _check_running(self) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _note_request(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def _note_closed(self) -> None:
        with self._changed:
            self.open_connections -= 1
            self._changed.notify_all()


def silence(peer: Peer) -> None:
    """A script: take the request, and say nothing until the client gives up.

    Its patience may be at an end before it has sent one.
    """
    if peer.read_request() is not None:
        peer.stall()


class BlackHole:
    """A port where a connect neither succeeds nor fails: it listens, never accepts, and its queue is full."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self._sockets: list[socket.socket] = []

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def __enter__(self) -> Self:
        listener = socket.socket()
        self._sockets.append(listener)
        try:
            listener.bind((self.host, 0))
            listener.listen(0)
            self.port = listener.getsockname()[1]
            self._fill_queue()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _fill_queue(self) -> None:
        for _ in range(32):
            filler = socket.socket()
            self._sockets.append(filler)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect((self.host, self.port))
            poll = select.poll()
            poll.register(filler, select.POLLOUT)
            # On loopback a connect that succeeds does so at once; that this one does not is the proof.
            if not poll.poll(200):
                return
        raise AssertionError("the queue of the black hole takes more connections than it should")

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port where a connect is refused: it is taken, so no one else gets it, but nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
