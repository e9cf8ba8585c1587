"""What was found out, and how it goes into JSON and out of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.compare.goals import Spread


@dataclass(frozen=True)
class Scale:
    """What an axis is about, and in which words."""

    name: str
    title: str
    # What grows, and the words for each point of it.
    across: str
    # What is measured, and which way it is better.
    unit: str
    better: str
    # How it was done, where that is not plain.
    note: str


@dataclass(frozen=True)
class Line:
    """One contestant along an axis: a value for each of its points that was measured."""

    name: str
    values: tuple[Spread, ...]


@dataclass(frozen=True)
class Growth:
    """An axis with all its lines."""

    scale: Scale
    points: tuple[float, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Report:
    """A whole run."""

    # The machine, the versions, the date and the parameters, as the JSON has them.
    facts: Mapping[str, Any]
    # The same as lines.
    signature: tuple[str, ...]
    notes: tuple[str, ...]
    axes: tuple[Growth, ...]


def content(report: Report) -> dict[str, Any]:
    return {
        **report.facts,
        "signature": report.signature,
        "notes": report.notes,
        "axes": [asdict(axis) for axis in report.axes],
    }


def from_content(told: Mapping[str, Any]) -> Report:
    """The run that `content` told of."""
    facts = {name: value for name, value in told.items() if name not in ("signature", "notes", "axes")}
    axes = tuple(_axis(each) for each in told["axes"])
    return Report(facts, tuple(told["signature"]), tuple(told["notes"]), axes)


def _axis(told: Mapping[str, Any]) -> Growth:
    lines = tuple(
        Line(line["name"], tuple(Spread(**value) for value in line["values"])) for line in told["lines"]
    )
    return Growth(Scale(**told["scale"]), tuple(told["points"]), lines)


def in_words(scale: Scale, point: float) -> str:
    """A point of an axis, as its ticks and the tables have it."""
    if scale.name == "size":
        return size(point)
    return f"{point:g} ms" if scale.name == "round-trip" else f"{point:g}"


def size(count: float) -> str:
    for unit, least in (("MB", 1e6), ("KB", 1e3)):
        if count >= least:
            return f"{count / least:g} {unit}"
    return f"{count:g} B"


def lines_of(rounds: Mapping[str, Sequence[Spread]]) -> tuple[Line, ...]:
    return tuple(Line(name, tuple(values)) for name, values in rounds.items())
