"""What a run leaves behind: the page, which is the output of the program as well, and the JSON. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.compare.goals import STEADY, Figure, Section, Spread, Verdict, unsteady

# Under the name of whoever is not there; a dash, since 0 would be a figure.
NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Report:
    """A whole run."""

    # The machine, the versions, the date and the parameters, as the JSON has them.
    facts: dict[str, Any]
    # The same as lines for the page.
    signature: tuple[str, ...]
    notes: tuple[str, ...]
    sections: Sequence[Section]


def digits(value: float) -> str:
    """Three digits that count."""
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{decimals}f}"


def exact(value: float) -> str:
    """A ratio: two decimals, three where it is small, none where it is a count."""
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def met(verdict: Verdict) -> str:
    return {True: "yes", False: "**no**", None: ""}[verdict.met]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of Markdown that reads as one in a terminal, too; all columns but the first are numbers."""
    cells = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        first, *rest = zip(row, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)])} |"

    rule = " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return [line(cells[0]), f"| {rule} |", *map(line, cells[1:])]


def page(report: Report) -> str:
    lines = ["# pystickyhttp beside its peers", "", *_listed(report.signature), ""]
    lines += ["## Goals", "", *_goals(report.sections), ""]
    for section in report.sections:
        lines += [f"## {section.title}", "", *_section(section)]
    return "\n".join([*lines, "## How it was measured", "", *_listed(report.notes)]) + "\n"


def content(report: Report) -> dict[str, Any]:
    """The JSON: the same figures, in full."""
    return {
        **report.facts,
        "notes": report.notes,
        "rows": [
            {**asdict(section), "verdicts": [_verdict(verdict) for verdict in section.verdicts]}
            for section in report.sections
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "met": verdict.met}


def _listed(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _goals(sections: Sequence[Section]) -> list[str]:
    """Everything that was promised, at one glance."""
    return table(
        ("what", "figure", "goal", "met"),
        [
            (f"{section.title}: {verdict.what}", _figure(verdict), str(verdict.goal), met(verdict))
            for section in sections
            for verdict in section.verdicts
            if verdict.goal is not None
        ],
    )


def _section(section: Section) -> list[str]:
    lines: list[str] = []
    if section.figures:
        lines += [*table(("", "unit", "median", "lowest", "highest"), map(_reached, section.figures)), ""]
    if section.verdicts:
        heads = ("", "median", "lowest", "highest", "goal", "met")
        lines += [*table(heads, map(_compared, section.verdicts)), ""]
    notes = [*section.notes, *_warning(unsteady(section.verdicts))]
    if notes:
        lines += [*_listed(notes), ""]
    return lines


def _warning(shaky: Sequence[str]) -> list[str]:
    if not shaky:
        return []
    return [
        f"unsteady, the rounds are more than {STEADY:g} times apart: {', '.join(shaky)}; run again on an "
        "idle machine"
    ]


def _reached(figure: Figure) -> tuple[str, ...]:
    value = figure.value
    return figure.contestant, figure.unit, digits(value.median), digits(value.lowest), digits(value.highest)


def _compared(verdict: Verdict) -> tuple[str, ...]:
    goal = "" if verdict.goal is None else str(verdict.goal)
    return verdict.what, *_range(verdict), goal, met(verdict)


def _range(verdict: Verdict) -> tuple[str, str, str]:
    if verdict.value is None:
        return verdict.why, NOTHING, NOTHING
    value: Spread = verdict.value
    return exact(value.median), exact(value.lowest), exact(value.highest)


def _figure(verdict: Verdict) -> str:
    return verdict.why if verdict.value is None else exact(verdict.value.median)
