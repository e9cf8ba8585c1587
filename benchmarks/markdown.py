"""The pieces that pages are made of. Pure."""

from collections.abc import Iterable, Sequence

# As wide as a README has room for; the drawings are made for it.
PIXELS = 864


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table that reads as one in a terminal, too; all columns but the first are numbers."""
    cells = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        first, *rest = zip(row, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)])} |"

    rule = " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return [line(cells[0]), f"| {rule} |", *map(line, cells[1:])]


def listed(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def picture(name: str, said: str, folder: str = "") -> list[str]:
    """The chart of this name, light or dark as the reader's screen is; `said` is for those who hear it."""
    return [
        "<picture>",
        f'  <source media="(prefers-color-scheme: dark)" srcset="{folder}{name}-dark.svg">',
        f'  <img alt="{said}" src="{folder}{name}-light.svg" width="{PIXELS}">',
        "</picture>",
    ]
