"""The figures in a terminal: a table, and bars. Pure: from figures to lines of styled text.

A line is a list of pieces, each a text with the name of a style. `Screen` prints them with `rich`, where that
is installed and somebody looks; else the texts alone, which stand in the same places.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Final, TextIO, TypeAlias

from .bench_figures import STEPS, Figures
from .bench_words import amount, duration
from .terminal import Terminal

Piece: TypeAlias = tuple[str, str]
Line: TypeAlias = list[Piece]

# Longer lines are hard to read, and shorter ones hold no bar.
_WIDEST: Final = 100
_NARROWEST: Final = 30
# Columns of a bar, and of what stands before and behind it; longer bars show no more.
_LONGEST_BAR: Final = 50
_SHORTEST_BAR: Final = 8
# Eighths of a block: a bar of 20 columns shows 160 lengths.
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"
_ASCII: Final = "#"
_HEADINGS: Final = ("", "requests", "median", "p95", "p99", "per second", "connections", "bytes")
_STYLES: Final = {"fresh": "yellow", "fresh, resumed": "cyan", "pooled": "green"}


class Screen:
    """What the report is written to, and what it can show.

    Args:
        stream: where the lines go.

    Attributes:
        width: in columns, within what one can read.
        unicode: whether it can show blocks; not where nobody looks.
    """

    def __init__(self, stream: TextIO) -> None:
        self._terminal = Terminal(stream)
        self.width = readable(self._terminal.width)
        self.unicode = self._terminal.is_terminal and self._terminal.can_show(_BLOCKS)

    def write(self, lines: Sequence[Line]) -> None:
        """Print lines, in colours as far as the terminal, the environment and the extra `cli` allow.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        console = self._terminal.console()
        if console is None:
            for line in lines:
                self._terminal.line("".join(text for text, _ in line).rstrip())
            return
        from rich.text import Text  # the extra is there, or there would be no console

        for line in lines:
            console.print(Text.assemble(*line))


def readable(columns: int) -> int:
    """The width of a report on a terminal of so many columns."""
    return max(_NARROWEST, min(_WIDEST, columns))


# --- the table


def table(ways: Mapping[str, Figures], width: int) -> list[Line]:
    """The table of all ways: one line each, or one column each where the lines would be too long."""
    rows = [_HEADINGS, *(_row(name, figures) for name, figures in ways.items())]
    if _length(rows) <= width:
        return [_line(row, rows, "bold" if number == 0 else "", is_way=number > 0)
                for number, row in enumerate(rows)]  # fmt: skip
    columns = list(zip(*rows, strict=True))
    return [_line(row, columns, "bold" if number == 0 else "") for number, row in enumerate(columns)]


def _row(name: str, figures: Figures) -> tuple[str, ...]:
    return (
        name,
        f"{figures.requests:,}",
        duration(figures.median),
        duration(figures.p95),
        duration(figures.p99),
        "-" if figures.per_second is None else f"{figures.per_second:,.0f}",
        f"{figures.opened:,}",
        amount(figures.size),
    )


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _length(rows: Sequence[Sequence[str]]) -> int:
    widths = _widths(rows)
    return sum(widths) + 2 * (len(widths) - 1)


def _line(row: Sequence[str], rows: Sequence[Sequence[str]], style: str, *, is_way: bool = False) -> Line:
    first, *others = _widths(rows)
    name = (row[0].ljust(first), _STYLES.get(row[0], "") if is_way else style)
    cells = [("  " + cell.rjust(width), style) for cell, width in zip(row[1:], others, strict=True)]
    return [name, *cells]


# --- bars


def bars(values: Mapping[str, float], width: int, *, unicode: bool) -> list[Line]:
    """A bar for each value, the longest for the largest, with the value behind it."""
    largest = max(values.values(), default=0.0)
    labels = max(map(len, values), default=0)
    figures = max((len(duration(value)) for value in values.values()), default=0)
    room = max(_SHORTEST_BAR, min(_LONGEST_BAR, width - labels - figures - 4))
    return [
        [
            (name.ljust(labels) + "  ", ""),
            (bar(value / largest if largest else 0.0, room, unicode=unicode), _STYLES.get(name, "blue")),
            ("  " + duration(value), ""),
        ]
        for name, value in values.items()
    ]


def bar(share: float, room: int, *, unicode: bool) -> str:
    """A bar.

    Args:
        share: how much of the room it takes, from 0 to 1; what is above 0 is seen.
        room: in columns.
        unicode: whether it is made of blocks, or of ASCII.
    """
    if not unicode:
        return _ASCII * max(share > 0, round(share * room))
    eighths = max(int(share > 0), round(share * room * 8))
    whole, rest = divmod(eighths, 8)
    return _BLOCKS[8] * whole + (_BLOCKS[rest] if rest else "")


# --- all of it


def report(
    ways: Mapping[str, Figures], headline: str, sentences: Sequence[str], screen: Screen
) -> list[Line]:
    """The whole report.

    Args:
        ways: the figures.
        headline: what was measured.
        sentences: what they say; the first is set off from the others.
        screen: what it is shown on.
    """
    lines = [*_paragraph(headline, screen.width, "bold"), [], *table(ways, screen.width)]
    medians = {name: figures.median for name, figures in ways.items() if figures.median is not None}
    lines += _chart("Median time of a request", medians, screen)
    steps = {STEPS[name]: seconds for name, seconds in ways["fresh"].steps.items()}
    lines += _chart("Where it goes over a fresh connection", steps, screen)
    for number, sentence in enumerate(sentences):
        lines += [[], *_paragraph(sentence, screen.width, "" if number else "bold green")]
    return lines


def _chart(title: str, values: Mapping[str, float], screen: Screen) -> list[Line]:
    if not values:
        return []
    return [[], [(title, "bold")], *bars(values, screen.width, unicode=screen.unicode)]


def _paragraph(text: str, width: int, style: str) -> list[Line]:
    return [[(line, style)] for line in wrapped(text, width)]


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a paragraph: words stay whole."""
    return textwrap.wrap(text, width, break_on_hyphens=False)
