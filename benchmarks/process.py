"""A process of the benchmark's own, spoken to line by line, that never outlives its parent.

The child says one line when it is ready, and one line to each that it reads. The end of its standard input is
its own end, and that comes whatever happens to the parent.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.errors import BenchmarkError

# The folder that holds the package `benchmarks`, from where the child can import it.
ROOT = Path(__file__).resolve().parent.parent

# A child has little to finish; one that takes longer than this is stuck and is killed.
SECONDS_TO_END = 5


class Process:
    """A context: the process runs from entering to leaving, and no longer.

    Args:
        what: its name in messages.
        arguments: what follows the name of the interpreter.
        python: the interpreter.
    """

    def __init__(self, what: str, arguments: Sequence[str], python: str = sys.executable) -> None:
        self.what = what
        self._command = [python, *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # Out of the terminal's group: Ctrl-C is the parent's to handle.
            process_group=0,
        )
        try:
            self._hear(self._line())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _hear(self, first: str) -> None:
        """Its first line; for subclasses."""

    def ask(self, question: str) -> str:
        """The line that it answers to a line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        return line

    def _died(self) -> BenchmarkError:
        return BenchmarkError(f"{self.what} has died; its own words stand above")

    def _end(self) -> None:
        # communicate() closes the standard input, which is the sign to end, and drains the output.
        try:
            self._process.communicate(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def run_to_end(command: Sequence[str], seconds: float | None) -> "subprocess.CompletedProcess[str]":
    """Runs a program that ends by itself, and that Ctrl-C ends with its parent, without a word of its own.

    Args:
        command: the program and its arguments.
        seconds: as long as it may take. None is for what is timed, and has been run before: to keep a limit
            subprocess looks for the end now and then, and so finds it too late.

    Raises:
        BenchmarkError: it took longer, or there is no such program.
    """
    try:
        return subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False, process_group=0
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(f"{command[0]} can't be run to its end: {error}") from error


def last_words(done: "subprocess.CompletedProcess[str]") -> str:
    """The last line that a program has said of what went wrong."""
    return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]


# --- the child's side


def ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal, and is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def say(line: str) -> None:
    """A line for the parent. Where it is gone the next line read is the end."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        # What was left unsaid is not to be tried once more, and complained of, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
