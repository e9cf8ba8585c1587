"""What requests took, in figures. Pure: from what was measured to numbers."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

# The steps of a request whose time is worth a bar, as fields of `response.timing`, and their names.
STEPS: Final = {
    "dns": "name",
    "connect": "connect",
    "tunnel": "tunnel",
    "tls": "TLS",
    "send": "send",
    "first_byte": "first byte",
    "download": "download",
}


class Reply(NamedTuple):
    """What one request brought.

    Attributes:
        seconds: from the call to the last byte of the body.
        status: of the answer.
        size: bytes of the body, content coding taken off.
        farewell: why the connection can't be used again, as far as the answer says, or None.
        steps: where the time went, by the names of `STEPS`; empty where nobody measured that.
    """

    seconds: float
    status: int
    size: int
    farewell: str | None = None
    steps: Mapping[str, float] = {}


class Figures(NamedTuple):
    """One way to send requests, in figures. Times are in seconds, and None where nothing was answered.

    Attributes:
        requests: those that were answered.
        median, p95, p99: of the time that one took.
        per_second: how many get done in a second, the pauses between them left out.
        opened: the connections that were made for them.
        resumed: those among them whose TLS took up an earlier session.
        size: bytes of all bodies.
        statuses: each status that was answered, and how often.
        failures: what went wrong where there was no answer, and how often.
        unfinished: requests that were cut off when the run came to its end.
        farewells: why connections could not be used again, as the answers say, and how often.
        steps: the median time of each of `STEPS`; empty where nobody measured that.
    """

    requests: int
    median: float | None
    p95: float | None
    p99: float | None
    per_second: float | None
    opened: int
    resumed: int
    size: int
    statuses: Mapping[int, int]
    failures: Mapping[str, int]
    unfinished: int
    farewells: Mapping[str, int]
    steps: Mapping[str, float]


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that a share of all values does not exceed: one of those that were measured.

    Args:
        ordered: the values, ascending.
        share: above 0, and at most 1.

    Returns:
        The value by the nearest rank, or None where there is none.
    """
    if not ordered:
        return None
    # 0.95 * 20 is a little more than 19 in binary: without rounding it would be the twentieth.
    rank = math.ceil(round(share * len(ordered), 9))
    return ordered[max(1, rank) - 1]


def figures_of(
    replies: Sequence[Reply],
    *,
    threads: int,
    opened: int = 0,
    resumed: int = 0,
    failures: Mapping[str, int] | None = None,
    unfinished: int = 0,
) -> Figures:
    """The figures of what was measured.

    Args:
        replies: what the requests brought.
        threads: how many sent requests at the same time.
        opened, resumed, failures, unfinished: see `Figures`.
    """
    ordered = sorted(reply.seconds for reply in replies)
    return Figures(
        requests=len(ordered),
        median=quantile(ordered, 0.5),
        p95=quantile(ordered, 0.95),
        p99=quantile(ordered, 0.99),
        per_second=rate(ordered, threads),
        opened=opened,
        resumed=resumed,
        size=sum(reply.size for reply in replies),
        statuses=dict(sorted(Counter(reply.status for reply in replies).items())),
        failures=dict(failures or {}),
        unfinished=unfinished,
        farewells=dict(Counter(reply.farewell for reply in replies if reply.farewell is not None)),
        steps=median_steps(replies),
    )


def rate(seconds: Sequence[float], threads: int) -> float | None:
    """How many requests get done in a second while every thread has one under way (Little's law).

    It leaves out the pauses, which are there to be polite, and what this program does between two requests.
    """
    taken = sum(seconds)
    return None if not taken else min(threads, len(seconds)) * len(seconds) / taken


def steps_of(timing: Any) -> dict[str, float]:
    """The steps of one request that took place.

    Args:
        timing: a `Timing`, or None where the response has none.
    """
    taken = {name: getattr(timing, name, 0.0) for name in STEPS}
    return {name: seconds for name, seconds in taken.items() if seconds > 0}


def median_steps(replies: Sequence[Reply]) -> dict[str, float]:
    """The median of each step, in the order of a request; a step that most did without is left out."""
    timed = [reply.steps for reply in replies if reply.steps]
    if not timed:
        return {}
    medians = {name: statistics.median(steps.get(name, 0.0) for steps in timed) for name in STEPS}
    return {name: seconds for name, seconds in medians.items() if seconds > 0}


def gain(fresh: Figures, pooled: Figures) -> float | None:
    """How many times as fast pooled requests are, by the medians; None where there is nothing to compare."""
    if not fresh.median or not pooled.median:
        return None
    return fresh.median / pooled.median


def shares(left: int, threads: int, most: int) -> list[int]:
    """How many of the requests that are left each thread sends in one turn.

    Args:
        left: the requests that are left.
        threads: the threads that there may be.
        most: how many one thread sends before it is another way's turn.

    Returns:
        A number above 0 for each thread that has something to do.
    """
    each, more = divmod(min(left, threads * most), threads)
    return [count for count in (each + (number < more) for number in range(threads)) if count]
