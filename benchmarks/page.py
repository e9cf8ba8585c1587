"""The results page of `make bench`, in Markdown. Pure."""

from collections.abc import Sequence
from itertools import groupby

from benchmarks.figures import Row, WarmRow
from benchmarks.markdown import listed, picture, table
from benchmarks.report import Report, milliseconds, place_of, ratio

# Where nobody counts; 0 would be a count.
NOTHING = "\N{EN DASH}"


def page(report: Report, name: str, said: str) -> str:
    """The page; `name` is that of its charts, and `said` what they show, in words."""
    lines = ["# What one session saves", "", *listed(report.signature), "", *picture(name, said), ""]
    lines += ["## One session for all requests (pooled), or one for each (fresh)", ""]
    for place, rows in groupby(report.rows, lambda row: place_of(row.case)):
        lines += [f"### {place}", "", *comparison(list(rows)), ""]
    if report.warm:
        lines += ["## Warm GET on one http connection, no delay", "", *warm(report.warm), ""]
    return "\n".join([*lines, "## How it was measured", "", *listed(report.notes)]) + "\n"


def comparison(rows: Sequence[Row]) -> list[str]:
    """A line for each client: its pooled row and its fresh one."""
    heads = (
        "client",
        "pooled, median ms",
        "p95",
        "fresh, median ms",
        "p95",
        "fresh/pooled",
        "requests",
        "connections",
    )
    return table(heads, [_line(*pair) for pair in zip(rows[0::2], rows[1::2], strict=True)])


def _line(pooled: Row, fresh: Row) -> tuple[str, ...]:
    times = [milliseconds(value) for row in (pooled, fresh) for value in (row.median, row.p95)]
    gained = NOTHING if fresh.fresh_over_pooled is None else ratio(fresh.fresh_over_pooled)
    requests = f"{pooled.requests:,} / {fresh.requests:,}"
    connections = " / ".join(
        NOTHING if row.connections is None else f"{row.connections:,}" for row in (pooled, fresh)
    )
    return pooled.case.client, *times, gained, requests, connections


def warm(rows: Sequence[WarmRow]) -> list[str]:
    return table(
        ("client", "median \N{MICRO SIGN}s", "p95", "per second", "requests", "by bare h11 loop"),
        [
            (
                row.client,
                f"{row.median * 1e6:,.0f}",
                f"{row.p95 * 1e6:,.0f}",
                f"{row.per_second:,.0f}",
                f"{row.timed:,}",
                f"{row.over_floor:.2f}",
            )
            for row in rows
        ],
    )
