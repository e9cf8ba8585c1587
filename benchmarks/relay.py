"""A TCP relay that makes loopback as slow as a network: every byte arrives half a round trip later.

A chunk is stamped with the time at which it is due and waits in a queue, so that any number of chunks
is under way at once: the relay adds delay and leaves throughput alone.

The handshake is modelled apart. On loopback the kernel completes connect() at once, while on a network
it takes one round trip before the client may speak. The relay makes up for it by holding the first bytes
of every connection one round trip longer. A TLS handshake needs no model: its messages pass the relay as
any bytes do and take as many round trips as they take.
"""

import socket
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeAlias

HANDSHAKE_MODEL = (
    "the relay delays the bytes by half the round trip each way and holds the first bytes of each new "
    "connection one round trip longer, in place of the TCP handshake that loopback completes at once; "
    "TLS handshakes pass the relay and take their own round trips"
)

# More than any answer or request of the benchmark, so that each is one chunk.
CHUNK = 65536

# When a chunk is due at the other end, and its bytes; no bytes end the stream.
Journey: TypeAlias = tuple[float, bytes]


def relay_forever(listener: socket.socket, upstream: tuple[str, int], round_trip: float) -> None:
    """Joins every connection that the listener accepts to a new one upstream."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_join, args=(client, upstream, round_trip), daemon=True).start()


def _join(client: socket.socket, upstream: tuple[str, int], round_trip: float) -> None:
    with client, socket.create_connection(upstream) as server:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        half = round_trip / 2
        answers = threading.Thread(target=_carry, args=(server, client, half, 0.0), daemon=True)
        answers.start()
        _carry(client, server, half, round_trip)
        answers.join()


def _carry(source: socket.socket, sink: socket.socket, delay: float, handshake: float) -> None:
    """Carries one direction until its source ends; returns when the last byte has been delivered."""
    journeys: SimpleQueue[Journey] = SimpleQueue()
    delivery = threading.Thread(target=_deliver, args=(journeys, sink), daemon=True)
    delivery.start()
    while True:
        chunk = _receive(source)
        # Later chunks queue behind the first, so only that one needs to be held for the handshake.
        journeys.put((time.monotonic() + delay + handshake, chunk))
        handshake = 0.0
        if not chunk:
            break
    delivery.join()


def _deliver(journeys: SimpleQueue[Journey], sink: socket.socket) -> None:
    while True:
        due, chunk = journeys.get()
        time.sleep(max(0.0, due - time.monotonic()))
        # An end that is gone cannot be told anything; its other direction ends by itself.
        with suppress(OSError):
            if chunk:
                sink.sendall(chunk)
            else:
                sink.shutdown(socket.SHUT_WR)
        if not chunk:
            return


def _receive(source: socket.socket) -> bytes:
    """The next bytes; a connection that was reset ends as one that was closed."""
    try:
        return source.recv(CHUNK)
    except OSError:
        return b""
