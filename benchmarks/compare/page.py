"""What a run leaves behind: the page, which is the output of the program as well, and the JSON. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.compare.goals import STEADY, Figure, Goal, Section, Verdict, unsteady
from benchmarks.markdown import listed, table

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


def held(value: float, goal: Goal) -> str:
    """A ratio beside its goal, with as many digits as it takes to see on which side of it it is."""
    text = exact(value)
    return text if goal.met_by(float(text)) == goal.met_by(value) else f"{value:.4g}"


def met(verdict: Verdict) -> str:
    return {True: "yes", False: "**no**", None: ""}[verdict.met]


def page(report: Report) -> str:
    lines = ["# pystickyhttp beside its peers", "", *listed(report.signature), ""]
    lines += ["## Goals", "", *_goals(report.sections), ""]
    for section in report.sections:
        lines += [f"## {section.title}", "", *_section(section)]
    return "\n".join([*lines, "## How it was measured", "", *listed(report.notes)]) + "\n"


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
        lines += [*listed(notes), ""]
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
    return _figure(verdict), exact(verdict.value.lowest), exact(verdict.value.highest)


def _figure(verdict: Verdict) -> str:
    if verdict.value is None:
        return verdict.why
    median = verdict.value.median
    return exact(median) if verdict.goal is None else held(median, verdict.goal)
