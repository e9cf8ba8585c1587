"""What the connections of a session came to: `Session.stats()`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HostStats:
    """What the connections to one host came to, since the session was made.

    `opened` is the sum of those that are open, without those that are being dialled, and of those that were
    discarded.

    Attributes:
        opened: connections that were made.
        reused: requests that were given a connection that had served another one.
        replayed: requests that were sent twice, as the reused connection turned out to be dead (law P1).
        resumed: connections whose TLS began with a session ticket, and took a round trip less.
        idle: connections that wait for a request now.
        active: connections that are in use now, or being dialled.
        waiting: requests that wait for a connection now.
        discarded: connections that were given up: why, and how many.
    """

    opened: int = 0
    reused: int = 0
    replayed: int = 0
    resumed: int = 0
    idle: int = 0
    active: int = 0
    waiting: int = 0
    discarded: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stats(HostStats):
    """What the connections to all hosts came to, in all and for each.

    Attributes:
        hosts: the same for each host, by "scheme://host:port". Of hosts that nothing leads to any more the
            last 1,000 are here; the figures in all count every one.
    """

    hosts: dict[str, HostStats] = field(default_factory=dict)

    @classmethod
    def merged(cls, each: Iterable[Stats]) -> Stats:
        """Several together, such as those of the adapters of one session."""
        parts = list(each)
        hosts: dict[str, list[HostStats]] = {}
        for part in parts:
            for name, host in part.hosts.items():
                hosts.setdefault(name, []).append(host)
        return cls.of(parts, {name: merged(found) for name, found in hosts.items()})

    @classmethod
    def of(cls, parts: Iterable[HostStats], hosts: dict[str, HostStats]) -> Stats:
        """The sums of some figures, beside those of each host."""
        total = merged(parts)
        return cls(
            total.opened,
            total.reused,
            total.replayed,
            total.resumed,
            total.idle,
            total.active,
            total.waiting,
            total.discarded,
            hosts,
        )


def merged(parts: Iterable[HostStats]) -> HostStats:
    """The sums of some figures."""
    found = list(parts)
    discarded: Counter[str] = Counter()
    for part in found:
        discarded.update(part.discarded)
    return HostStats(
        opened=sum(part.opened for part in found),
        reused=sum(part.reused for part in found),
        replayed=sum(part.replayed for part in found),
        resumed=sum(part.resumed for part in found),
        idle=sum(part.idle for part in found),
        active=sum(part.active for part in found),
        waiting=sum(part.waiting for part in found),
        discarded=dict(discarded),
    )
