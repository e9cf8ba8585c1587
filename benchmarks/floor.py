"""The floor of the warm GET: h11 on one blocking socket, without any client around it.

It does what every client built on h11 must do (write the head, parse the answer, keep the connection)
and nothing that a client adds: no pool, no cookies, no redirects, no timeouts. It stands among the clients
so that the same code measures it.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import h11

from benchmarks.client import Client, Get, Target

# Enough for any answer of the embedded server in one call.
CHUNK = 65536


class BareH11(Client):
    name = "bare h11 loop"
    errors = (h11.ProtocolError, OSError)

    def fresh(self, target: Target) -> Get:
        raise NotImplementedError("the floor is one warm connection")

    @contextmanager
    def pooled(self, target: Target) -> Iterator[Get]:
        parts = urlsplit(target.url)
        assert parts.hostname is not None
        # The headers that requests sends, so that the floor writes and parses as much as the clients do.
        request = h11.Request(
            method="GET",
            target=parts.path,
            headers=[
                ("Host", parts.netloc),
                ("User-Agent", "bare-h11"),
                ("Accept-Encoding", "gzip, deflate"),
                ("Accept", "*/*"),
                ("Connection", "keep-alive"),
            ],
        )
        with socket.create_connection((parts.hostname, parts.port or 80)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            protocol = h11.Connection(h11.CLIENT)
            yield lambda: exchange(connection, protocol, request)


def exchange(connection: socket.socket, protocol: h11.Connection, request: h11.Request) -> int:
    """One request and its whole answer; the status."""
    connection.sendall((protocol.send(request) or b"") + (protocol.send(h11.EndOfMessage()) or b""))
    status = 0
    body = []
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(connection.recv(CHUNK))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body.append(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
    _ = b"".join(body)
    protocol.start_next_cycle()
    return status
