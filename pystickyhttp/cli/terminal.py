"""Where the command writes: what the stream is, what it can show, and colours if rich is installed."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console

# What terminals are wide that do not say, such as the one of a log that is looked at later.
DEFAULT_WIDTH: Final = 80


def harmless(text: str) -> str:
    """Text of a server, for a terminal: what would be a command to the terminal is shown as an escape."""
    return "".join(char if char.isprintable() or char == "\t" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return ascii(char)[1:-1]


class Terminal:
    """A stream, and what can be shown on it.

    Args:
        stream: standard output or standard error.
        colours: whether colours are wanted; there are none without rich, or where the stream is no terminal.

    Attributes:
        stream: as given.
        is_terminal: whether somebody looks at it.
    """

    def __init__(self, stream: TextIO, *, colours: bool = True) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        self._colours = colours and self.is_terminal and colours_are_welcome()

    @property
    def width(self) -> int:
        """Its width in columns."""
        with contextlib.suppress(OSError, ValueError):
            return os.get_terminal_size(self.stream.fileno()).columns or DEFAULT_WIDTH
        return DEFAULT_WIDTH

    def can_show(self, text: str) -> bool:
        """Whether its encoding has all characters of a text."""
        try:
            text.encode(self.stream.encoding or "ascii")
        except UnicodeEncodeError:
            return False
        return True

    def console(self) -> Console | None:
        """rich's console on this stream, or None where there are to be no colours, or there is no rich."""
        if not self._colours:
            return None
        try:
            from rich.console import Console  # an extra, which costs a start that most do not need
        except ImportError:
            return None
        return Console(file=self.stream, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line.

        Args:
            text: the line; what the encoding lacks is written as an escape.
            style: a style of rich, such as "bold red".
        """
        console = self.console() if style else None
        if console is not None:
            console.print(text, style=style)
            return
        encoding = self.stream.encoding or "ascii"
        self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        self.stream.flush()


class Talk(Terminal):
    """Standard error. Where it is closed or full, what is said goes nowhere, and the work is done all the
    same.

    Args:
        colours: see `Terminal`.
    """

    def __init__(self, *, colours: bool = True) -> None:
        super().__init__(io.StringIO() if sys.stderr is None else sys.stderr, colours=colours)

    def line(self, text: str = "", style: str = "") -> None:
        """As `Terminal.line`, where it can be written."""
        with contextlib.suppress(OSError, ValueError):
            super().line(text, style)

    def write_over(self, text: str) -> None:
        """Write a text in the place of the line that it is in, and stay in that line.

        Args:
            text: the text, in ASCII.
        """
        with contextlib.suppress(OSError, ValueError):
            self.stream.write("\r" + text)
            self.stream.flush()


def colours_are_welcome() -> bool:
    """Whether the environment has nothing against colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_interactive() -> bool:
    """Whether there is somebody who can be asked: both ways of the talk are a terminal."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
