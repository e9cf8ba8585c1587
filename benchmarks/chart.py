"""The run as one picture: how far apart pooled and fresh sessions are, and what a warm GET costs.

Each client is a line from its pooled to its fresh median. The scale is logarithmic and the same in all
panels, so that the length of a line is the ratio of the two, wherever it stands.
"""

import math
import textwrap
from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.figures import Case, Row, WarmRow
from benchmarks.report import OURS, Report, milliseconds, place_of, ratio
from benchmarks.theme import MARGIN, WIDTH, Theme, bare, write

TIMES = "\N{MULTIPLICATION SIGN}"

# Inches: title, subtitle and key; what the names of clients take; what the ratios take; between two panels.
HEAD = 0.98
NAMES = 1.2
RATIOS = 0.92
GAP = 0.08

# Inches beside the outermost dots, and beyond the longest bar, for their labels.
ROOM = 0.6
ROOM_OF_BAR = 1.5

# Inches: a line of a panel, what a panel has above its first line, and below its last one for the scale.
LINE = 0.29
ABOVE = 0.4
BELOW = 0.3

# Inches of a line of the small type at the foot, and how many characters of it stand in an inch.
SMALL = 0.15
SMALL_PER_INCH = 15.5

# Powers of ten, in milliseconds, of which the scale shows those that are within it.
DECADES = tuple(10.0**power for power in range(-3, 6))
NEAR = 2


def draw(report: Report, theme: Theme) -> Figure:
    sections = [list(rows) for _, rows in groupby(report.rows, lambda row: place_of(row.case))]
    across = min(2, len(sections))
    down = -(-len(sections) // across)
    lines = len(sections[0]) // 2
    foot = [line for words in _foot(report) for line in textwrap.wrap(words, round(WIDTH * SMALL_PER_INCH))]
    panel = ABOVE + lines * LINE + BELOW
    bars = ABOVE + len(report.warm) * LINE if report.warm else 0.0
    height = HEAD + down * panel + bars + 0.3 + len(foot) * SMALL
    # A figure without pyplot draws into memory on every system, with or without a display.
    figure = Figure(figsize=(WIDTH, height))
    _head(figure, theme)
    width = (WIDTH - NAMES - MARGIN) / across
    ends = _ends(report.rows, width - RATIOS - GAP)
    for number, rows in enumerate(sections):
        left, top = NAMES + number % across * width, HEAD + number // across * panel + ABOVE
        axes = _axes(figure, left, top, width - RATIOS - GAP, lines * LINE)
        _compare(axes, rows, ends, theme, named=number % across == 0)
    if report.warm:
        top = HEAD + down * panel + ABOVE
        _warm(_axes(figure, NAMES, top, WIDTH - NAMES - MARGIN, len(report.warm) * LINE), report.warm, theme)
    for number, line in enumerate(foot):
        y = height - 0.06 - (len(foot) - number) * SMALL
        write(figure, MARGIN, y, line, color=theme.quiet, fontsize=7.5)
    return figure


def _foot(report: Report) -> tuple[str, ...]:
    """What the figures are worth only together with."""
    _, where, versions = report.signature
    return where, f"{versions}; {report.facts['date']}"


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """At inches from the upper left corner."""
    whole, tall = figure.get_size_inches()
    return figure.add_axes((left / whole, 1 - (top + height) / tall, width / whole, height / tall))


def _head(figure: Figure, theme: Theme) -> None:
    write(figure, MARGIN, 0.13, "What one session saves", fontsize=16, fontweight="bold")
    scale = "Median milliseconds of a GET: left is better. The scale is logarithmic, and the same everywhere."
    write(figure, MARGIN, 0.46, scale, color=theme.quiet)
    left = MARGIN
    for colour, word, wide, meaning in (
        (theme.pooled, "pooled", 0.63, "one session for all requests"),
        (theme.fresh, "fresh", 0.5, "a session for each request"),
    ):
        write(figure, left, 0.69, "\N{BLACK CIRCLE}", color=colour, fontsize=12)
        write(figure, left + 0.19, 0.71, word, color=colour, fontweight="bold")
        write(figure, left + 0.19 + wide, 0.71, meaning)
        left += 3.0


def _title(case: Case) -> str:
    if case.round_trip_ms is None:
        return case.scheme
    if not case.round_trip_ms:
        return f"{case.scheme}, no delay added"
    return f"{case.scheme}, {case.round_trip_ms:g} ms round trip"


def _ends(rows: Sequence[Row], width: float) -> tuple[float, float]:
    """Of a scale of so many inches, so that all dots have room for their labels."""
    values = [row.median * 1e3 for row in rows]
    # At least one power of ten, where the values are near each other.
    powers = max(1.0, math.log10(max(values) / min(values)))
    factor = 10 ** (ROOM * powers / (width - 2 * ROOM))
    return min(values) / factor, min(values) * 10**powers * factor


def _compare(
    axes: Axes, rows: Sequence[Row], ends: tuple[float, float], theme: Theme, *, named: bool
) -> None:
    pairs = list(zip(rows[0::2], rows[1::2], strict=True))
    for line, (pooled, fresh) in enumerate(pairs):
        _pair(axes, line, pooled, fresh, theme)
    _name_lines(axes, [pooled.case.client for pooled, _ in pairs], shown=named)
    _head_panel(axes, _title(rows[0].case))
    _beside(axes, -0.5, "fresh / pooled", va="bottom", color=theme.quiet, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(*ends)
    axes.xaxis.set_major_locator(FixedLocator(_decades(ends)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))
    axes.tick_params(axis="x", labelsize=8.5)
    axes.grid(axis="x", zorder=0)


def _decades(ends: tuple[float, float]) -> list[float]:
    """Powers of ten that are not at the very ends, where their labels would stand outside."""
    return [each for each in DECADES if ends[0] * NEAR < each < ends[1] / NEAR]


def _pair(axes: Axes, line: int, pooled: Row, fresh: Row, theme: Theme) -> None:
    low, high = pooled.median * 1e3, fresh.median * 1e3
    weight = _weight(pooled.case.client)
    axes.plot(
        [low, high], [line, line], color=theme.quiet, alpha=0.45, linewidth=3, solid_capstyle="butt", zorder=2
    )
    # The labels stand outside the pair, also where a fresh session is the faster one.
    outward = 1 if high >= low else -1
    for row, colour, side in ((pooled, theme.pooled, -outward), (fresh, theme.fresh, outward)):
        axes.plot(row.median * 1e3, line, "o", color=colour, markersize=8, zorder=3)
        axes.annotate(
            milliseconds(row.median),
            (row.median * 1e3, line),
            xytext=(8 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center_baseline",
            color=colour,
            fontweight=weight,
        )
    if fresh.fresh_over_pooled is not None:
        _beside(axes, line, ratio(fresh.fresh_over_pooled) + TIMES, va="center_baseline", fontweight=weight)


def _beside(axes: Axes, line: float, text: str, **named: object) -> None:
    """In the column of ratios."""
    axes.annotate(text, (1.0, line), xycoords=("axes fraction", "data"), **named)  # type: ignore[arg-type]


def _warm(axes: Axes, rows: Sequence[WarmRow], theme: Theme) -> None:
    values = [row.median * 1e6 for row in rows]
    # The bare loop stands first and is no client.
    colours = [theme.quiet, *(theme.pooled if row.client == OURS else theme.peer for row in rows[1:])]
    axes.barh(range(len(rows)), values, height=0.62, color=colours)
    for line, (row, value) in enumerate(zip(rows, values, strict=True)):
        axes.annotate(
            f"{value:,.0f} \N{MICRO SIGN}s   {row.over_floor:.1f}{TIMES}",
            (value, line),
            xytext=(6, 0),
            textcoords="offset points",
            va="center_baseline",
            fontweight=_weight(row.client),
        )
    _name_lines(axes, [row.client for row in rows], shown=True)
    _head_panel(axes, f"Warm GET over one http connection: shorter is better; {TIMES} of a bare h11 loop")
    width = WIDTH - NAMES - MARGIN
    axes.set_xlim(0, max(values) * width / (width - ROOM_OF_BAR))
    axes.set_xticks([])


def _head_panel(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", pad=5)


def _name_lines(axes: Axes, names: Sequence[str], *, shown: bool) -> None:
    axes.set_yticks(range(len(names)), names if shown else [])
    axes.set_ylim(len(names) - 0.5, -0.5)
    for label in axes.get_yticklabels():
        label.set_fontweight(_weight(label.get_text()))
    bare(axes)


def _weight(client: str) -> str:
    return "bold" if client == OURS else "normal"
