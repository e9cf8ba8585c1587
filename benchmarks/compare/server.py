"""The servers of `compare`, each a process of its own: nginx, or the embedded one.

    python -m benchmarks.compare.server nginx|embedded SIZE [PROCESSOR ...]

Both answer a GET of / with the same small body, and a GET of /large.bin with SIZE bytes, over http and over
https; a third port speaks https without session tickets. The embedded one also swallows what is uploaded,
which nginx has no quick way to do, and is there for that in every run.

The first line says where; the end of the standard input is the end of it all, as in `benchmarks.server`.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from benchmarks.compare.nginx import configuration, find_nginx
from benchmarks.process import ignore_interrupts, say
from benchmarks.server import ANSWER, HEAD, HOST, listen

# https without tickets differs from https in nothing else.
PORTS = ("http", "https", "https_without_tickets")

# As many threads wait in accept() from the start; where fewer than FREE of them are left, there is another.
THREADS_PER_PORT = 32
FREE = 4

LARGE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"

# A megabyte is read of an upload at a time: many pieces of the sender's, and still in the processor's cache.
SWALLOW = 1 << 20

# Written so often that SIZE is reached; of no pattern, so that nothing on the way could make it smaller.
PIECE = 1_000_000

SECONDS_TO_START = 10.0


def write_large(path: Path, size: int) -> None:
    piece = os.urandom(PIECE)
    with path.open("wb") as file:
        for start in range(0, size, PIECE):
            file.write(piece[: size - start])


def write_certificates(folder: Path) -> tuple[Path, Path]:
    """The authority's file, and the server's with its key."""
    authority = trustme.CA()
    authority_file, pair = folder / "authority.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(authority_file)
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(pair)
    return authority_file, pair


# --- the embedded server


class Door:
    """A port with threads that wait in accept(), so that a new connection costs no new thread.

    Each connection keeps its thread as long as it is open.
    """

    def __init__(self, context: ssl.SSLContext | None, large: Path) -> None:
        self._context = context
        self._large = large
        self._listener = listen()
        # Guards _free, the number of threads that wait.
        self._lock = threading.Lock()
        self._free = 0
        self.port: int = self._listener.getsockname()[1]
        for _ in range(THREADS_PER_PORT):
            self._add_thread()

    def _add_thread(self) -> None:
        with self._lock:
            self._free += 1
        # A daemon: the process ends when its main thread does.
        threading.Thread(target=self._serve_forever, daemon=True).start()

    def _serve_forever(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with self._lock:
                self._free -= 1
                few = self._free < FREE
            if few:
                self._add_thread()
            # A client may leave in the middle of anything, also of the TLS handshake.
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                self._answer_all(connection)
            except OSError:
                pass
            finally:
                connection.close()
            with self._lock:
                self._free += 1

    def _answer_all(self, connection: socket.socket) -> None:
        head = b""
        while chunk := connection.recv(HEAD):
            head += chunk
            end = head.find(b"\r\n\r\n")
            if end < 0:
                continue
            if head.startswith(b"PUT "):
                _swallow(connection, _content_length(head[:end]) - (len(head) - end - 4))
                connection.sendall(ANSWER)
            elif head.startswith(b"GET /large.bin"):
                self._send_large(connection)
            else:
                connection.sendall(ANSWER)
            if b"connection: close" in head[:end].lower():
                return
            head = b""

    def _send_large(self, connection: socket.socket) -> None:
        with self._large.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            connection.sendall(LARGE_HEAD % size)
            connection.sendfile(file)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise OSError("an upload without Content-Length: nobody here reads chunks")


def _swallow(connection: socket.socket, count: int) -> None:
    buffer = bytearray(min(SWALLOW, max(count, 1)))
    while count > 0:
        received = connection.recv_into(buffer)
        if not received:
            raise ConnectionError("the client has left amid its upload")
        count -= received


def context_of(pair: Path, *, tickets: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    if not tickets:
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context


@contextmanager
def embedded(folder: Path, pair: Path) -> Iterator[dict[str, int]]:
    contexts = (None, context_of(pair, tickets=True), context_of(pair, tickets=False))
    doors = [Door(context, folder / "large.bin") for context in contexts]
    yield {name: door.port for name, door in zip(PORTS, doors, strict=True)}


# --- nginx


@contextmanager
def nginx(folder: Path, pair: Path) -> Iterator[dict[str, int]]:
    program = find_nginx()
    if program is None:
        sys.exit("benchmark: there is no nginx here")
    # It opens its ports by itself and can't say which: these were free an instant ago.
    probes = [listen() for _ in PORTS]
    ports = {name: probe.getsockname()[1] for name, probe in zip(PORTS, probes, strict=True)}
    for probe in probes:
        probe.close()
    written = folder / "nginx.conf"
    written.write_text(configuration(folder, pair, HOST, ports))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(written)], stdin=subprocess.DEVNULL)
    try:
        _wait_until_it_listens(process, ports["https_without_tickets"])
        yield ports
    finally:
        # SIGTERM is its quick end, which needs no answer that is on its way.
        process.terminate()
        try:
            process.wait(SECONDS_TO_START)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    limit = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < limit:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.01)
    sys.exit("benchmark: nginx does not serve")


def main() -> None:
    kind, size, processors = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    # Before any thread or process starts, since they take over where they may run.
    if processors and sys.platform == "linux":
        os.sched_setaffinity(0, {int(processor) for processor in processors})
    ignore_interrupts()
    with TemporaryDirectory(prefix="pystickyhttp-benchmark-") as name:
        folder = Path(name)
        write_large(folder / "large.bin", size)
        authority, pair = write_certificates(folder)
        serve = {"nginx": nginx, "embedded": embedded}[kind]
        with serve(folder, pair) as ports:
            files = {"authority": str(authority), "large": str(folder / "large.bin")}
            say(json.dumps({"host": HOST, "ports": ports, **files}))
            for _ in sys.stdin:
                pass


if __name__ == "__main__":
    main()
