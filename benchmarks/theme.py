"""How charts look: one hand for all of them, in a light and a dark version, as SVG and as PNG.

The colours are told apart by those who see few of them: blue and orange for the two things that are compared,
and for peers a violet, a green and a grey that differ in lightness, too. Nothing is said by colour alone.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Inches: at 96 dots each a picture that a README shows in its whole width without making it smaller.
WIDTH = 9.0

# Twice as many as a README shows, for dense screens.
DOTS_PER_INCH = 192

# Without a salt of its own the ids in an SVG would be others each time, and so would the file.
SALT = "pystickyhttp"

# Hundredths of a point are finer than any screen, and a third of a file is what comes behind them. Numbers
# below one are scales, of which every digit counts.
_DIGITS = re.compile(r"(?<![\d.])([1-9]\d*\.\d\d)\d+")
_INDENTED = re.compile(r"\n +")

# Inches from the picture's left edge to its first letter.
MARGIN = 0.15


@dataclass(frozen=True)
class Theme:
    """The colours of one version."""

    name: str
    paper: str
    ink: str
    # For what is said beside the figures.
    quiet: str
    # For lines behind the figures.
    faint: str
    pooled: str
    fresh: str
    # Bars of peers, where only ours is to stand out.
    peer: str
    # Lines of peers, by their names.
    peers: Mapping[str, str]


# The papers are those of the sites that show READMEs.
LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#1b1f27",
    quiet="#5c6470",
    faint="#e3e7ec",
    pooled="#0b5fad",
    fresh="#b8510a",
    peer="#a9bdd6",
    peers={"requests": "#9a3a8f", "httpx": "#0a7d61", "urllib3": "#6b7280"},
)
DARK = Theme(
    name="dark",
    paper="#0d1117",
    ink="#e6edf3",
    quiet="#9aa4b0",
    faint="#262c35",
    pooled="#5aaeff",
    fresh="#ffa04d",
    peer="#3b516d",
    peers={"requests": "#e08ad6", "httpx": "#4fd1a5", "urllib3": "#a3acb8"},
)
THEMES = (LIGHT, DARK)


def save(draw: Callable[[Theme], Figure], folder: Path, name: str, kinds: Sequence[str]) -> list[Path]:
    """Draws in all themes and writes NAME-THEME.KIND; the files."""
    files = []
    for theme in THEMES:
        with matplotlib.rc_context(_settings(theme)):
            figure = draw(theme)
            for kind in kinds:
                file = folder / f"{name}-{theme.name}.{kind}"
                if kind == "svg":
                    file.write_text(_svg(figure), encoding="utf-8")
                else:
                    figure.savefig(file, dpi=DOTS_PER_INCH)
                files.append(file)
    return files


def _svg(figure: Figure) -> str:
    drawn = io.StringIO()
    # Without a date the same figures make the same file.
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return smaller(drawn.getvalue())


def smaller(svg: str) -> str:
    """The same picture with nothing before a line, and no more of a number than a screen could show."""
    return _DIGITS.sub(r"\1", _INDENTED.sub("\n", svg))


def _settings(theme: Theme) -> Any:
    """By names, which matplotlib has types of in some versions and not in others."""
    return {
        "font.size": 10,
        "figure.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "axes.facecolor": theme.paper,
        "axes.labelcolor": theme.quiet,
        "text.color": theme.ink,
        "xtick.labelcolor": theme.quiet,
        "ytick.labelcolor": theme.ink,
        "grid.color": theme.faint,
        "grid.linewidth": 0.8,
        # As shapes, since nobody knows which letters a reader's machine has.
        "svg.fonttype": "path",
        "svg.hashsalt": SALT,
    }


def write(figure: Figure, x: float, y: float, text: str, **named: object) -> None:
    """Text at inches from the upper left corner."""
    width, height = figure.get_size_inches()
    figure.text(x / width, 1 - y / height, text, va="top", **named)  # type: ignore[arg-type]


def bare(axes: Axes) -> None:
    """No frame, and no ticks: their labels stand at the grid's lines or at the bars."""
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def spread_apart(wanted: Sequence[float], least: float) -> list[float]:
    """Places for labels, as near as can be to those wanted and at least so far from each other.

    Labels that would meet become a block around the middle of what they want (the least sum of squares).
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Sum and number of what a block wants, each less what those before it in the order take up.
    blocks: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        block = (wanted[index] - rank * least, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] >= block[0] / block[1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1])
        blocks.append(block)
    starts = [total / count for total, count in blocks for _ in range(count)]
    places = [0.0] * len(wanted)
    for rank, (index, start) in enumerate(zip(order, starts, strict=True)):
        places[index] = start + rank * least
    return places
