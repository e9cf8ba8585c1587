"""The parent's side of the embedded server: start it, ask for its count of connections, end it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.errors import BenchmarkError

# The folder that holds the package `benchmarks`, from where the child can import it.
ROOT = Path(__file__).resolve().parent.parent

# The server has nothing to finish; one that takes longer than this is stuck and is killed.
SECONDS_TO_END = 5


class EmbeddedServer:
    """A context: the server runs from entering to leaving, and no longer."""

    def __init__(self, round_trip: float, processors: Sequence[int] = ()) -> None:
        self._arguments = [repr(round_trip), *map(str, processors)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # Out of the terminal's group: Ctrl-C is the parent's to handle.
            process_group=0,
        )
        try:
            answer = json.loads(self._line())
        except BaseException:
            self._end()
            raise
        self._host: str = answer["host"]
        self._ports: dict[str, dict[str, int]] = answer["ports"]
        self.authority: str = answer["authority"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def url(self, scheme: str, *, delayed: bool) -> str:
        port = self._ports["delayed" if delayed else "direct"][scheme]
        return f"{scheme}://{self._host}:{port}/"

    def connections(self) -> int:
        """How many connections the server has accepted since it started."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("connections\n")
            self._process.stdin.flush()
        except OSError as error:
            raise BenchmarkError("the embedded server has died; its own words stand above") from error
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError("the embedded server has died; its own words stand above")
        return line

    def _end(self) -> None:
        # communicate() closes the standard input, which is the sign to end, and drains the output.
        try:
            self._process.communicate(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
