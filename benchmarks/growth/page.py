"""The page of `growth`, in Markdown. Pure."""

from benchmarks.compare.goals import STEADY
from benchmarks.compare.page import digits
from benchmarks.growth.figures import Growth, Report, in_words
from benchmarks.markdown import listed, picture, table

NAME = "growth"


def page(report: Report) -> str:
    lines = ["# How it grows", "", *listed(report.signature), "", *picture(NAME, said(report)), ""]
    for axis in report.axes:
        lines += [f"## {axis.scale.title}", "", *figures(axis), "", *listed(_told(axis)), ""]
    return "\n".join([*lines, "## How it was measured", "", *listed(report.notes)]) + "\n"


def figures(axis: Growth) -> list[str]:
    """A line for each point, a column for each contestant: medians of the rounds."""
    heads = (f"{axis.scale.across}, {axis.scale.unit}", *(line.name for line in axis.lines))
    return table(
        heads,
        [
            (in_words(axis.scale, point), *(digits(line.values[number].median) for line in axis.lines))
            for number, point in enumerate(axis.points)
        ],
    )


def said(report: Report) -> str:
    """The picture in words."""
    titles = "; ".join(f"{axis.scale.title.lower()} ({axis.scale.better})" for axis in report.axes)
    return f"Lines for pystickyhttp, pooled and fresh, and its peers: {titles}. The tables have the figures."


def unsteady(axis: Growth) -> list[str]:
    """The points whose rounds contradict each other: a median of these may be an accident."""
    return [
        f"{line.name} at {in_words(axis.scale, point)}"
        for line in axis.lines
        for point, value in zip(axis.points, line.values, strict=True)
        if value.highest > STEADY * value.lowest
    ]


def _told(axis: Growth) -> list[str]:
    lines = [f"{axis.scale.unit}, medians: {axis.scale.better}", axis.scale.note]
    if shaky := unsteady(axis):
        lines.append(
            f"unsteady, the rounds are more than {STEADY:g} times apart: {'; '.join(shaky)}; run again on an "
            "idle machine"
        )
    return lines
