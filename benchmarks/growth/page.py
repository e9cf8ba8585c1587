"""The page of `growth`, in Markdown. Pure."""

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


def _told(axis: Growth) -> tuple[str, str]:
    return f"{axis.scale.unit}, medians: {axis.scale.better}", axis.scale.note
