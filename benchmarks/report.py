"""What a run leaves behind in words and figures: the tables on the terminal and the JSON file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.environment import described, numbered
from benchmarks.figures import Case, Row, WarmRow

# The client whose rows stand out.
OURS = "pystickyhttp"


@dataclass(frozen=True)
class Report:
    """A whole run."""

    # The machine, the versions, the date and the parameters, as the JSON has them.
    facts: Mapping[str, Any]
    # Sentences on how it was measured, without which the figures cannot be read.
    notes: tuple[str, ...]
    rows: Sequence[Row]
    warm: Sequence[WarmRow]

    @property
    def signature(self) -> tuple[str, ...]:
        """The facts in lines, for the head of the page and the foot of tables and charts."""
        given = self.facts["parameters"]
        return (
            f"{self.facts['date']}, `{self.facts['command']}`, {given['rounds_taken']} rounds",
            f"{described(self.facts['machine'])}; server: {given['server']}",
            numbered(self.facts["versions"]),
        )


def place_of(case: Case) -> str:
    if case.round_trip_ms is None:
        return case.scheme
    return f"{case.scheme}, {case.round_trip_ms:g} ms"


def said(report: Report) -> str:
    """The chart in words, for those who do not see it: our own rows."""
    told = [
        f"{place_of(fresh.case)}: "
        f"{milliseconds(pooled.median)} ms pooled, {milliseconds(fresh.median)} ms fresh"
        for pooled, fresh in zip(report.rows[0::2], report.rows[1::2], strict=True)
        if pooled.case.client == OURS
    ]
    return f"Median time of a GET with {OURS}. {'; '.join(told)}."


def milliseconds(seconds: float) -> str:
    """Three digits that count, from microseconds on loopback to seconds far away."""
    value = seconds * 1e3
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{decimals}f}"


def ratio(value: float) -> str:
    """One decimal; more below one, where a server is slower on an open connection than on a new one."""
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def print_tables(report: Report, console: Console) -> None:
    console.print(_comparison(report.rows))
    if report.warm:
        console.print(_warm(report.warm))
    for note in (*report.notes, *report.signature):
        console.print(f"- {note}", highlight=False, style="dim")


def _table(title: str) -> Table:
    return Table(
        title=f"\n{title}\n",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 0, 0, 1),
    )


def _comparison(rows: Sequence[Row]) -> Table:
    """Fits a terminal of 80 columns, which is why the headings take two lines."""
    table = _table("One session for all requests (pooled), or one for each (fresh)")
    table.add_column("round trip,\nclient", no_wrap=True)
    table.add_column("session", no_wrap=True)
    for name in (
        "median\nms",
        "p95\nms",
        "requests/\nsecond",
        "requests",
        "connec-\ntions",
        "fresh/\npooled",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for place, section in groupby(rows, lambda row: place_of(row.case)):
        table.add_section()
        table.add_row(place, style="bold")
        for row in section:
            # A name is said once and stands for the line below it, too.
            name = f" {row.case.client}" if row.case.mode == "pooled" else ""
            table.add_row(name, row.case.mode, *_cells(row), style=_style(row.case.client))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    return (
        milliseconds(row.median),
        milliseconds(row.p95),
        f"{row.per_second:,.0f}" if row.per_second >= 10 else f"{row.per_second:.1f}",
        f"{row.requests:,}",
        "\N{EN DASH}" if row.connections is None else f"{row.connections:,}",
        "" if row.fresh_over_pooled is None else ratio(row.fresh_over_pooled),
    )


def _style(client: str) -> str | None:
    return "bold" if client == OURS else None


def _warm(rows: Sequence[WarmRow]) -> Table:
    table = _table("Warm GET on one http connection, no delay")
    table.add_column("client", no_wrap=True)
    for name in (
        "median \N{MICRO SIGN}s",
        "p95 \N{MICRO SIGN}s",
        "per second",
        "requests",
        "by bare h11 loop",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.client,
            f"{row.median * 1e6:,.0f}",
            f"{row.p95 * 1e6:,.0f}",
            f"{row.per_second:,.0f}",
            f"{row.timed:,}",
            f"{row.over_floor:.2f}",
            style=_style(row.client),
        )
    return table


def write_json(report: Report, path: Path) -> None:
    content = {
        **report.facts,
        "notes": report.notes,
        "units": "seconds unless the name says otherwise",
        "pooling": [{**asdict(row.case), **_without_case(row)} for row in report.rows],
        "warm_get": [asdict(row) for row in report.warm],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Report:
    """What `write_json` wrote."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    del facts["units"]
    notes, pooling, warm = (facts.pop(name) for name in ("notes", "pooling", "warm_get"))
    return Report(facts, tuple(notes), [_row(each) for each in pooling], [WarmRow(**each) for each in warm])


def _row(told: dict[str, Any]) -> Row:
    case = Case(**{field: told.pop(field) for field in asdict(Case("", None, "", "pooled"))})
    return Row(case, **{**told, "turn_medians": tuple(told["turn_medians"])})


def _without_case(row: Row) -> dict[str, object]:
    return {name: value for name, value in asdict(row).items() if name != "case"}
