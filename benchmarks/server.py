"""The embedded server, a process of its own: one small answer over http and https, with and without delay.

It is kept as cheap as Python allows, so that a measurement is about the client: blocking sockets, no
parsing beyond the end of the request's head, one send per answer, and threads that wait in accept(), so
that a new connection costs no new thread.

The parent talks to it over the standard streams. The server's first line is JSON with the addresses and
the file of the certificate authority; after that each line it reads is a question for the number of
connections accepted so far. The end of its standard input is its own end, and that comes whatever happens
to the parent, so no server is ever left behind.
"""

import json
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec

import trustme

from benchmarks.relay import relay_forever

P = ParamSpec("P")

HOST = "127.0.0.1"

# One connection occupies one thread. A run has at most a handful open at a time; the rest is for those
# that a delay keeps from closing.
THREADS_PER_PORT = 32

BODY = b'{"message": "hello", "number": 42}\n'

# Four headers, as a plain server in the wild sends them; the date may stand still.
ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Server: benchmark\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: %d\r\n"
    b"\r\n"
    b"%b"
) % (len(BODY), BODY)

# Greater than the head of any request that is measured.
HEAD = 65536


class Counter:
    """Accepted connections, counted by many threads."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        with self._lock:
            self.value += 1


def listen() -> socket.socket:
    return socket.create_server((HOST, 0), backlog=128)


def answer_forever(listener: socket.socket, accepted: Counter, context: ssl.SSLContext | None) -> None:
    while True:
        connection, _ = listener.accept()
        accepted.add()
        # A client may leave in the middle of anything, also of the TLS handshake.
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            _answer_all(connection)
        except OSError:
            pass
        finally:
            connection.close()


def _answer_all(connection: socket.socket) -> None:
    head = b""
    while chunk := connection.recv(HEAD):
        head += chunk
        if head.endswith(b"\r\n\r\n"):
            connection.sendall(ANSWER)
            head = b""


def _tls_context(authority_file: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(authority_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    return context


def _start(target: Callable[P, None], *arguments: P.args, **options: P.kwargs) -> None:
    # Daemons: the process ends when its main thread does.
    threading.Thread(target=target, args=arguments, kwargs=options, daemon=True).start()


def main() -> None:
    round_trip = float(sys.argv[1])
    # Before any thread starts, since threads take over where they may run.
    if len(sys.argv) > 2 and sys.platform == "linux":
        os.sched_setaffinity(0, {int(processor) for processor in sys.argv[2:]})
    # Ctrl-C reaches every process of the terminal; this one ends with its standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with TemporaryDirectory(prefix="pystickyhttp-benchmark-") as folder:
        authority_file = Path(folder) / "authority.pem"
        accepted = Counter()
        ports: dict[str, dict[str, int]] = {"direct": {}, "delayed": {}}
        for scheme, context in (("http", None), ("https", _tls_context(authority_file))):
            listener, relayed = listen(), listen()
            address = listener.getsockname()
            for _ in range(THREADS_PER_PORT):
                _start(answer_forever, listener, accepted, context)
            _start(relay_forever, relayed, address, round_trip)
            ports["direct"][scheme] = address[1]
            ports["delayed"][scheme] = relayed.getsockname()[1]
        print(json.dumps({"host": HOST, "ports": ports, "authority": str(authority_file)}), flush=True)
        for _ in sys.stdin:
            print(accepted.value, flush=True)


if __name__ == "__main__":
    main()
