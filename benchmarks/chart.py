"""The run as one picture: how far apart pooled and fresh sessions are, and what a warm GET costs.

Each client is a line from its pooled to its fresh median. The scale is logarithmic and the same in all
panels, so that the length of a line is the ratio of the two, wherever it stands.
"""

import textwrap
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.figures import Case, Row, WarmRow
from benchmarks.report import OURS, Report, milliseconds, place_of, ratio

# Told apart by those who see few colours, too: a dark blue and an orange.
POOLED = "#1f5fa8"
FRESH = "#e07b1f"
PEER = "#9db4d0"
QUIET = "#69707d"
LINK = "#ccd3dc"
FAINT = "#dfe3e8"
INK = "#1b1f27"

# Sharp on paper and on a dense screen.
DOTS_PER_INCH = 160

# Room beside the outermost dots for their labels, as a factor on the logarithmic scale.
ROOM = 2.8

# Inches: one line of a panel, what a panel needs besides for its title and axis, and the same for the whole.
LINE = 0.36
AROUND = 0.8
HEAD = 1.1
FOOT = 0.4

# How many characters of the foot's small type an inch holds, with a margin.
SMALL_PER_INCH = 16


def draw(report: Report, path: Path) -> None:
    sections = [list(rows) for _, rows in groupby(report.rows, lambda row: place_of(row.case))]
    across = min(2, len(sections))
    heights = [AROUND + LINE * len(sections[0]) / 2] * -(-len(sections) // across)
    if report.warm:
        heights.append(AROUND + LINE * len(report.warm))
    width, height = 1.4 + 4.6 * across, sum(heights) + HEAD + FOOT
    inner = (0.0, FOOT / height, 1.0, 1 - (HEAD + FOOT) / height)
    with matplotlib.rc_context({"font.size": 10, "text.color": INK}):
        layout = ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12, rect=inner)
        # A figure without pyplot draws into memory on every system, with or without a display.
        figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
        grid = figure.add_gridspec(len(heights), across, height_ratios=heights)
        ends = _ends(report.rows)
        for number, rows in enumerate(sections):
            axes = figure.add_subplot(grid[number // across, number % across])
            _compare(axes, rows, ends)
            if number % across:
                axes.tick_params(labelleft=False)
        if report.warm:
            _warm(figure.add_subplot(grid[-1, :]), report.warm)
        _frame(figure, report)
        figure.savefig(path, dpi=DOTS_PER_INCH)


def _frame(figure: Figure, report: Report) -> None:
    """Title and key above the panels, and below them what the figures are worth only together with."""
    width, height = figure.get_size_inches()
    figure.text(0.16 / width, 1 - 0.38 / height, "What one session saves", fontsize=15, fontweight="bold")
    figure.legend(
        handles=[
            _dot(POOLED, "pooled: one session for all requests"),
            _dot(FRESH, "fresh: a session per request"),
        ],
        title="Median milliseconds of a GET, on one logarithmic scale",
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(0.08 / width, 1 - 0.43 / height),
        borderpad=0,
        ncols=2,
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.2,
    )
    foot = textwrap.fill(report.signature, round(width * SMALL_PER_INCH))
    figure.text(0.16 / width, 0.1 / height, foot, color=QUIET, fontsize=7)


def _dot(colour: str, label: str) -> Line2D:
    return Line2D([], [], marker="o", markersize=9, linestyle="none", color=colour, label=label)


def _title(case: Case) -> str:
    if not case.round_trip_ms:
        return f"{case.scheme}, no delay added"
    return f"{case.scheme}, {case.round_trip_ms:g} ms round trip"


def _ends(rows: Sequence[Row]) -> tuple[float, float]:
    values = [row.median * 1e3 for row in rows]
    return min(values) / ROOM, max(values) * ROOM


def _compare(axes: Axes, rows: Sequence[Row], ends: tuple[float, float]) -> None:
    pairs = list(zip(rows[0::2], rows[1::2], strict=True))
    for line, (pooled, fresh) in enumerate(pairs):
        _pair(axes, line, pooled, fresh)
    axes.annotate(
        "fresh/pooled",
        (1.02, 1.0),
        xycoords="axes fraction",
        xytext=(0, 6),
        textcoords="offset points",
        color=QUIET,
        fontsize=8,
    )
    _name_lines(axes, [pooled.case.client for pooled, _ in pairs])
    axes.set_title(_title(rows[0].case), loc="left", fontsize=11, fontweight="bold")
    axes.set_xscale("log")
    axes.set_xlim(*ends)
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))


def _pair(axes: Axes, line: int, pooled: Row, fresh: Row) -> None:
    low, high = pooled.median * 1e3, fresh.median * 1e3
    axes.plot([low, high], [line, line], color=LINK, linewidth=4.5, solid_capstyle="round", zorder=2)
    # The labels stand outside the pair, also where a fresh session is the faster one.
    outward = 1 if high >= low else -1
    for row, colour, side in ((pooled, POOLED, -outward), (fresh, FRESH, outward)):
        axes.plot(row.median * 1e3, line, "o", color=colour, markersize=9, zorder=3)
        axes.annotate(
            milliseconds(row.median),
            (row.median * 1e3, line),
            xytext=(9 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            color=colour,
            fontweight=_weight(row.case.client),
        )
    if fresh.fresh_over_pooled is not None:
        text = f"{ratio(fresh.fresh_over_pooled)}\N{MULTIPLICATION SIGN}"
        axes.annotate(
            text,
            (1.02, line),
            xycoords=("axes fraction", "data"),
            va="center",
            fontweight=_weight(fresh.case.client),
        )


def _weight(client: str) -> str:
    return "bold" if client == OURS else "normal"


def _warm(axes: Axes, rows: Sequence[WarmRow]) -> None:
    values = [row.median * 1e6 for row in rows]
    # The bare loop stands first and is no client.
    colours = [QUIET, *(POOLED if row.client == OURS else PEER for row in rows[1:])]
    axes.barh(range(len(rows)), values, height=0.62, color=colours, zorder=2)
    for line, (row, value) in enumerate(zip(rows, values, strict=True)):
        axes.annotate(
            f"{value:,.0f} \N{MICRO SIGN}s   {row.over_floor:.1f}\N{MULTIPLICATION SIGN}",
            (value, line),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontweight=_weight(row.client),
        )
    _name_lines(axes, [row.client for row in rows])
    axes.set_title(
        "Warm GET on one http connection, beside bare h11",
        loc="left",
        fontsize=11,
        fontweight="bold",
    )
    axes.set_xlim(0, max(values) * 1.15)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f} \N{MICRO SIGN}s"))


def _name_lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    for label in axes.get_yticklabels():
        label.set_fontweight(_weight(label.get_text()))
    axes.tick_params(length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=QUIET, labelsize=9)
    axes.grid(axis="x", color=FAINT, linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
