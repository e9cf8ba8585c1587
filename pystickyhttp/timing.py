"""How long each step of an exchange took: `Response.timing`, made of what the clock said on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .telling import DialTimes, Marks

_NO_DIAL: Final = DialTimes()


@dataclass(frozen=True, slots=True)
class Timing:
    """How long each step took, in seconds; 0.0 where one did not take place.

    The steps follow each other in this order, and are those of the exchange that the response came by. What
    `total` has beyond their sum went into this program's own work, and into tries and replays that came to
    nothing.

    Attributes:
        pool: the wait for a connection, where the limits left none.
        dns: the resolving of the name, of the proxy's where there is one.
        connect: the making of the TCP connection, the race of all addresses included.
        tunnel: the asking of the proxy for a tunnel, by CONNECT or SOCKS.
        tls: the handshake; those with an https proxy and with the server behind it together.
        send: the sending of the request, with its body.
        first_byte: from then on until the head of the response had come: the network, and the server's work.
        download: from the head to the end of the body, or until it was given up. What the program did
            between the pieces that it read is part of it. While the body lasts it counts up to now.
        total: all of it, from the beginning in the adapter, earlier tries and the waits between included.
        reused: whether the connection had served another request before; dns, connect, tunnel and tls are
            0.0 then.
        resumed: whether the connection is new and its TLS handshake was cut short by a session ticket.
        replayed: whether the request was sent twice, as the connection of the pool that it was sent over
            first turned out to be dead.
    """

    pool: float
    dns: float
    connect: float
    tunnel: float
    tls: float
    send: float
    first_byte: float
    download: float
    total: float
    reused: bool
    resumed: bool
    replayed: bool

    @classmethod
    def of(cls, marks: Marks, *, started: float, resumed: bool, now: float) -> Timing:
        """Read it from the marks of an exchange.

        Args:
            marks: the marks; the head has come.
            started: `time.monotonic()` of the beginning of all.
            resumed: whether the TLS of the connection began with a ticket.
            now: `time.monotonic()`, up to which a body that lasts is counted.
        """
        dialled = marks.dialled or _NO_DIAL
        ended = now if marks.ended is None else marks.ended
        return cls(
            pool=marks.waited,
            dns=dialled.dns,
            connect=dialled.connect,
            tunnel=dialled.tunnel,
            tls=dialled.tls,
            send=marks.sent - marks.taken,
            first_byte=marks.head - marks.sent,
            download=ended - marks.head,
            total=ended - started,
            reused=marks.dialled is None,
            resumed=resumed and marks.dialled is not None,
            replayed=marks.replayed,
        )
