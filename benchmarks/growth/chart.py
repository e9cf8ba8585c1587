"""The run as one picture: a panel for each axis, a line for each contestant, its name at the line's end."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.compare.page import digits
from benchmarks.growth.axes import FRESH, POOLED
from benchmarks.growth.figures import Growth, Line, Report, Scale, in_words
from benchmarks.theme import MARGIN, WIDTH, Theme, bare, spread_apart, write

# Inches: the title; a panel, and what it has above it; the labels left and right of a panel; the foot.
HEAD = 0.72
PANEL = 1.95
ABOVE = 0.66
BELOW = 0.34
LEFT = 0.95
RIGHT = 2.35
FOOT = 0.62

# Points between the middles of two labels at the ends of lines: a little more than a letter's height.
APART = 13.0
# Points from the last point of a line to its label, with room for a hair line that joins them.
TO_LABEL = 20.0

POINTS_PER_INCH = 72

# Besides colours, peers have marks of their own.
MARKS = {POOLED: "o", FRESH: "o", "requests": "s", "httpx": "^", "urllib3": "D"}


def draw(report: Report, theme: Theme) -> Figure:
    height = HEAD + len(report.axes) * (ABOVE + PANEL + BELOW) + FOOT
    figure = Figure(figsize=(WIDTH, height))
    write(figure, MARGIN, 0.13, "How it grows", fontsize=16, fontweight="bold")
    under = "One session for all requests (pooled), and for pystickyhttp also one for each (fresh). Medians."
    write(figure, MARGIN, 0.46, under, color=theme.quiet)
    for number, axis in enumerate(report.axes):
        top = HEAD + number * (ABOVE + PANEL + BELOW)
        _panel(figure, top, axis, theme)
    for number, line in enumerate((*report.signature[1:], str(report.facts["date"]))):
        write(figure, MARGIN, height - FOOT + 0.1 + number * 0.15, line, color=theme.quiet, fontsize=7.5)
    return figure


def _panel(figure: Figure, top: float, axis: Growth, theme: Theme) -> None:
    whole, tall = figure.get_size_inches()
    bottom = 1 - (top + ABOVE + PANEL) / tall
    axes = figure.add_axes((LEFT / whole, bottom, (WIDTH - LEFT - RIGHT) / whole, PANEL / tall))
    write(figure, MARGIN, top + 0.18, axis.scale.title, fontsize=11, fontweight="bold")
    words = f"{axis.scale.unit}, {axis.scale.better}"
    write(figure, MARGIN, top + 0.4, words, color=theme.quiet, fontsize=8.5)
    for line in axis.lines:
        medians = [value.median for value in line.values]
        axes.plot(axis.points, medians, markersize=_mark(line), **_style(line, theme))  # type: ignore[arg-type]
    _scales(axes, axis)
    _name_ends(axes, axis, theme)


def _mark(line: Line) -> float:
    return 6.0 if line.name in (POOLED, FRESH) else 4.5


def _style(line: Line, theme: Theme) -> dict[str, object]:
    """Ours is thick and stands in front; what is fresh is not filled and dashed."""
    ours = line.name in (POOLED, FRESH)
    return {
        "color": _colour(line.name, theme),
        "marker": MARKS[line.name],
        "linewidth": 2.6 if line.name == POOLED else 2.0 if ours else 1.4,
        "linestyle": (0, (3, 1.5)) if line.name == FRESH else "solid",
        "markerfacecolor": theme.paper if line.name == FRESH else _colour(line.name, theme),
        "markeredgewidth": 1.6 if line.name == FRESH else 0,
        "zorder": 4 if line.name == POOLED else 3,
        "clip_on": False,
    }


def _colour(name: str, theme: Theme) -> str:
    return {POOLED: theme.pooled, FRESH: theme.fresh, **theme.peers}[name]


def _scales(axes: Axes, axis: Growth) -> None:
    """Sizes and threads double or grow tenfold, so they are logarithmic; so are values that span powers."""
    if axis.scale.name == "round-trip":
        axes.set_xscale("symlog", linthresh=1.0)
    else:
        axes.set_xscale("log")
    if axis.scale.name == "threads":
        axes.set_ylim(0, 1.05 * max(value.median for line in axis.lines for value in line.values))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(axis.points))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(axis.scale, value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.tick_params(labelsize=9, pad=6)
    axes.grid(axis="y", zorder=0)
    bare(axes)


def _tick(scale: Scale, value: float) -> str:
    words = in_words(scale, value)
    if scale.name != "threads":
        return words
    return f"{words} thread" if value == 1 else words


def _name_ends(axes: Axes, axis: Growth, theme: Theme) -> None:
    """Each name with its last value, as near to its line's end as the others let it."""
    ends = [line.values[-1].median for line in axis.lines]
    wanted = [_points_up(axes, axis.points[-1], end) for end in ends]
    for line, end, there, place in zip(axis.lines, ends, wanted, _placed(wanted), strict=True):
        colour = _colour(line.name, theme)
        axes.annotate(
            f"{line.name}  {digits(end)}",
            (axis.points[-1], end),
            xytext=(TO_LABEL, place - there),
            textcoords="offset points",
            va="center_baseline",
            color=colour,
            fontsize=9.5,
            fontweight="bold" if line.name == POOLED else "normal",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "shrinkA": 1,
                "shrinkB": 6,
                # From the middle of the label's left edge.
                "relpos": (0, 0.5),
            },
        )


def _points_up(axes: Axes, across: float, value: float) -> float:
    """How far up the panel a value stands."""
    _, low = axes.transAxes.transform((0, 0))
    _, here = axes.transData.transform((across, value))
    return float(here - low) / axes.figure.dpi * POINTS_PER_INCH


def _placed(wanted: Sequence[float]) -> list[float]:
    return spread_apart(wanted, APART)
