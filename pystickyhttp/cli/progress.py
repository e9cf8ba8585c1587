"""How far a download is: a bar by rich, or a line of plain text; nothing where nobody looks."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any, Final, Protocol

from .terminal import Terminal

# The eye sees no more, and each is a write to a terminal that may be far away.
_SECONDS_BETWEEN: Final = 0.1
_NAME_WIDTH: Final = 24
_BYTES: Final = "B"
_UNITS: Final = ("KB", "MB", "GB", "TB")


class Progress(Protocol):
    """What is told of a download."""

    def advance(self, done: int) -> None:
        """So many bytes of the file are here by now."""

    def close(self) -> None:
        """There are no more; the cursor is at the beginning of a line."""


def progress_of(talk: Terminal, name: str, have: int, total: int | None) -> Progress:
    """The best progress that a stream can show.

    Args:
        talk: the stream.
        name: of the file.
        have: the bytes that are here already.
        total: the bytes of the whole, None where nobody knows.
    """
    if not talk.is_terminal:
        return Silence()
    console = talk.console()
    return PlainBar(talk, name, have, total) if console is None else RichBar(console, name, have, total)


class Silence:
    """No progress."""

    def advance(self, done: int) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing was shown."""


class PlainBar:
    """A line that is written over itself.

    A thread does it: a server that sends no more is seen to be slow, and not the last piece that came.

    Args:
        talk, name, have, total: see `progress_of`.
    """

    def __init__(self, talk: Terminal, name: str, have: int, total: int | None) -> None:
        self._talk = talk
        self._name = name
        self._had = have
        self._done = have  # the one thing that both threads see; one sets it, the other reads it
        self._total = total
        self._began = time.monotonic()
        self._closed = threading.Event()
        # It must not keep a process alive that is interrupted before close().
        self._painter = threading.Thread(target=self._paint, name="progress", daemon=True)
        self._painter.start()

    def advance(self, done: int) -> None:
        """The next time it is shown, it is so much."""
        self._done = done

    def close(self) -> None:
        """Show how far it came, and end the line."""
        self._closed.set()
        self._painter.join()
        # Where nobody looks any more, the file is here all the same.
        with contextlib.suppress(OSError, ValueError):
            self._show()
            self._talk.stream.write("\n")
            self._talk.stream.flush()

    def _paint(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # as in close()
            self._show()
            while not self._closed.wait(_SECONDS_BETWEEN):
                self._show()

    def _show(self) -> None:
        seconds = time.monotonic() - self._began
        # A terminal that is written to its last column may wrap the line, and then none is written over.
        line = bar_line(self._name, self._had, self._done, self._total, seconds, self._talk.width - 1)
        encoding = self._talk.stream.encoding or "ascii"
        self._talk.stream.write("\r" + line.encode(encoding, "replace").decode(encoding))
        self._talk.stream.flush()


class RichBar:
    """A bar of rich's.

    Args:
        console: rich's console.
        name, have, total: see `progress_of`.
    """

    def __init__(self, console: Any, name: str, have: int, total: int | None) -> None:
        from rich import progress as bars  # it is there, since the console is

        self._bars = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.TaskProgressColumn(show_speed=False),
            bars.DownloadColumn(),
            bars.TransferSpeedColumn(),
            bars.TimeRemainingColumn(),
            console=console,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bars.add_task(_cut(name, _NAME_WIDTH), total=total, completed=have)
        self._bars.start()

    def advance(self, done: int) -> None:
        """Move the bar; rich shows it ten times in a second."""
        self._bars.update(self._task, completed=done)

    def close(self) -> None:
        """Show how far it came, and give the terminal back as it was."""
        with contextlib.suppress(OSError, ValueError):  # as `PlainBar.close`
            self._bars.stop()


def bar_line(name: str, had: int, done: int, total: int | None, seconds: float, width: int) -> str:
    """How far a download is, in one line.

    Args:
        name: of the file.
        had: the bytes that were here at the beginning, which say nothing about the speed.
        done: the bytes that are here now.
        total: the bytes of the whole, None where nobody knows.
        seconds: since the beginning.
        width: the columns of the line; shorter ones are filled up, to cover what was there before.
    """
    speed = (done - had) / seconds if seconds > 0 else 0.0
    of = amount(done) if total is None else f"{amount(done)} of {amount(total)}"
    right = f"{of}  {amount(speed)}/s"
    left = _cut(name, _NAME_WIDTH)
    if total is not None:
        right += f"  {_time_left(total - done, speed)}"
        left += f"  {100 * done // max(1, total):3d}%"
        room = width - len(left) - len(right) - 6
        if room >= 5:
            filled = min(room, room * done // max(1, total))
            left += f"  [{'=' * filled}{' ' * (room - filled)}]"
    return f"{left}  {right}"[:width].ljust(width)


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 3]}..."


def amount(size: float) -> str:
    """A number of bytes for reading, in units of 1000, as files are measured."""
    if size < 1000:
        return f"{size:.0f} {_BYTES}"
    *smaller, largest = _UNITS
    for unit in smaller:
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} {largest}"


def _time_left(bytes_left: int, speed: float) -> str:
    if bytes_left <= 0:
        return "0:00 left"
    if speed <= 0:
        return "-:-- left"
    minutes, seconds = divmod(round(bytes_left / speed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{minutes}:{seconds:02d} left"
