"""The command line as its users have it: called, started as a process, and typed into a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from pystickyhttp.cli import main

# Nobody waits for so long but in vain, on however slow a machine.
DEADLINE = 60.0
ROOT = Path(__file__).parent.parent
# Who runs the tests in the background may let them ignore interrupts, as shells do; children inherit that.
# Nor are they measured by `make coverage`: an interrupt amid coverage's own work leaves its lock locked.
INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.environ.pop('COVERAGE_PROCESS_CONFIG', None); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
# The terminal becomes the one that the process is controlled by, so that Ctrl-C reaches it as a signal.
_TAKE_TERMINAL = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {INTERRUPTIBLE}"
WITHOUT_RICH = (
    "import sys; sys.modules['rich'] = None; sys.modules['rich.console'] = None; "
    "from pystickyhttp.cli import main; sys.exit(main())"
)


class Outcome(NamedTuple):
    """What a command came to: its exit code, and what it wrote."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


class Command:
    """The command line, called in this process, which is a hundred times faster than a child."""

    def __init__(self, captured: pytest.CaptureFixture[bytes]) -> None:
        self._captured = captured

    def __call__(self, *arguments: str | Path) -> Outcome:
        self._captured.readouterr()
        code = main([str(each) for each in arguments])
        out, err = self._captured.readouterr()
        return Outcome(code, out, err.decode())


@pytest.fixture
def command(capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    return Command(capsysbinary)


def surroundings(**more: str) -> dict[str, str]:
    """The environment of a child: as quiet as that of the test, with this package on its path."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "TERM": "xterm-256color", **more}


def start(*arguments: str | Path, program: Sequence[str] = ("-m", "pystickyhttp"), **more: str) -> Outcome:
    """Run the command as a child, with pipes."""
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE,
        env=surroundings(**more),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr.decode())


@dataclass
class Screen:
    """A command in a terminal, and somebody in front of it."""

    process: subprocess.Popen[bytes]
    master: int
    raw: bytes = b""

    @property
    def seen(self) -> str:
        return self.raw.decode(errors="backslashreplace")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> str:
        """All that was seen, once a text is among it."""
        limit = time.monotonic() + DEADLINE
        while text not in self.seen:
            assert self._read(limit), f"{text!r} was never shown: {self.seen!r}"
        return self.seen

    def finish(self) -> tuple[int, str]:
        """The exit code, and all that was seen, with plain ends of lines."""
        limit = time.monotonic() + DEADLINE
        while self._read(limit):
            pass
        return self.process.wait(DEADLINE), self.seen.replace("\r\n", "\n")

    def _read(self, limit: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], max(0.0, limit - time.monotonic()))
        assert ready, f"nothing more is shown, and the command does not end: {self.seen!r}"
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # what Linux says where the other end of a terminal is closed
            return False
        self.raw += piece
        return bool(piece)


@contextlib.contextmanager
def terminal(
    *arguments: str | Path,
    program: Sequence[str] = ("-m", "pystickyhttp"),
    out: int | None = None,
    size: tuple[int, int] = (24, 100),
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Screen]:
    """Run the command in a terminal of its own.

    `out` is a file that standard output goes to in the place of the terminal, `more` is for its environment.
    """
    master, slave = pty.openpty()
    try:
        _set_size(slave, *size)
        process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *program, *map(str, arguments)],
            stdin=slave,
            stdout=slave if out is None else out,
            stderr=slave,
            start_new_session=True,
            env=surroundings(**more),
        )
        os.close(slave)
        try:
            yield Screen(process, master)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(DEADLINE)
    finally:
        os.close(master)


def _set_size(terminal: int, rows: int, columns: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
