"""Standard output: bytes as they come, and what only a terminal gets to see."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from .failures import CommandError, Exit
from .terminal import Terminal


def standard_output() -> TextIO:
    """Standard output.

    Raises:
        CommandError: it is closed.
    """
    if sys.stdout is None:
        raise CommandError("standard output is closed", Exit.WRITE_FAILED)
    return sys.stdout


def write_text(text: str) -> None:
    """Write a text to standard output, to its end.

    Raises:
        CommandError: it can't be written, or is closed.
        BrokenPipeError: nobody reads it.
    """
    stream = standard_output()
    with telling():
        stream.write(text)
        stream.flush()


def unused_output() -> TextIO:
    """Standard output for a command that writes nothing to it: closed, it keeps nobody from the work."""
    return io.StringIO() if sys.stdout is None else sys.stdout


class Output:
    """Standard output, as a program reads it or as somebody looks at it.

    That it can't be written is the command's error, and that its reader has gone is told from that.

    Args:
        stream: the stream.
        terminal: the same, as it shows things.
    """

    def __init__(self, stream: TextIO, terminal: Terminal) -> None:
        self._stream = stream
        self._terminal = terminal

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks at it."""
        return self._terminal.is_terminal

    def write(self, piece: bytes) -> None:
        """Write bytes, untouched, at once: what streams in streams out.

        Raises:
            CommandError: they can't be written.
            BrokenPipeError: nobody reads them.
        """
        with telling():
            self._stream.flush()  # heads are text, and go ahead
            self._stream.buffer.write(piece)
            self._stream.buffer.flush()

    def line(self, text: str = "") -> None:
        """Write a line of text.

        Raises:
            CommandError, BrokenPipeError: as `write`.
        """
        with telling():
            self._terminal.line(text)

    def json(self, text: str) -> None:
        """Write JSON that is laid out, in colours where they can be.

        Raises:
            CommandError, BrokenPipeError: as `write`.
        """
        console = self._terminal.console()
        if console is None:
            self.line(text)
            return
        from rich.highlighter import JSONHighlighter  # it is there, if the console is
        from rich.text import Text

        with telling():
            console.print(JSONHighlighter()(Text(text)))

    def flush(self) -> None:
        """Write what is still kept.

        Raises:
            CommandError, BrokenPipeError: as `write`.
        """
        with telling():
            self._stream.flush()


@contextmanager
def telling() -> Iterator[None]:
    """Tell an error of standard output as the command's.

    Raises:
        CommandError: it can't be written.
        BrokenPipeError: nobody reads it.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:  # a ValueError where it is closed
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"can't write to standard output: {reason}", Exit.WRITE_FAILED) from None
