"""What the connections of a session came to: `Session.stats()`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class HostStats:
    """What the connections to one host came to, since the session was made.

    `opened` is the sum of those that are open, without those that are being dialled, and of those that were
    discarded.

    Attributes:
        opened: connections that were made.
        reused: requests that were given a connection that had served another one.
        replayed: requests that were sent twice, as the reused connection turned out to be dead.
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
    def of(cls, figures: Iterable[tuple[str, tuple[int, ...], dict[str, int]]]) -> Stats:
        """Put it together.

        Args:
            figures: for each way to a host its name, the numbers in the order of the attributes, and what was
                discarded. What has no name is part of the sums alone.
        """
        hosts: dict[str, list[HostStats]] = {}
        for name, counts, discarded in figures:
            host = HostStats(**_named(counts), discarded=discarded)
            hosts.setdefault(name, []).append(host)
        by_host = {name: _sum(found) for name, found in hosts.items()}
        total = _sum(by_host.values())
        by_host.pop("", None)
        return cls._with_hosts(total, by_host)

    @classmethod
    def merged(cls, each: Iterable[Stats]) -> Stats:
        """Several together.

        Args:
            each: such as those of the adapters of one session.
        """
        parts = list(each)
        hosts: dict[str, list[HostStats]] = {}
        for part in parts:
            for name, host in part.hosts.items():
                hosts.setdefault(name, []).append(host)
        return cls._with_hosts(_sum(parts), {name: _sum(found) for name, found in hosts.items()})

    @classmethod
    def _with_hosts(cls, total: HostStats, hosts: dict[str, HostStats]) -> Stats:
        return cls(**_named(_counts(total)), discarded=total.discarded, hosts=hosts)


# The attributes that are numbers, in their order.
_NUMBERS: Final = ("opened", "reused", "replayed", "resumed", "idle", "active", "waiting")
_counts: Final = attrgetter(*_NUMBERS)


def _named(counts: Iterable[int]) -> dict[str, Any]:
    return dict(zip(_NUMBERS, counts, strict=False))  # the sum of nothing has none


def _sum(parts: Iterable[HostStats]) -> HostStats:
    found = list(parts)
    discarded: Counter[str] = Counter()
    for part in found:
        discarded.update(part.discarded)
    sums = map(sum, zip(*map(_counts, found), strict=True))
    return HostStats(**_named(sums), discarded=dict(discarded))
