"""A contestant: one peer and one kind of work, in a process of its own.

`python -m benchmarks.compare.contestant PEER WORK` is the child. It says a line when the session is open, and
answers each order, a line of JSON, with a line: {"seconds": ..., "most": ...} with samples, {"memory": true}
with the bytes that it occupies. Its errors are lines as well.
"""

import ctypes
import gc
import json
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare.peers import load, version_of
from benchmarks.compare.work import Slice, Work, opened
from benchmarks.errors import BenchmarkError
from benchmarks.process import Process, ignore_interrupts, say


@dataclass(frozen=True)
class Memory:
    """Bytes of a process; `now` is None where the system does not say."""

    now: int | None
    peak: int


class Absent(Exception):
    """The peer is not installed; the message says what is missing."""


class Contestant(Process):
    """The parent's side: a context in which the peer's session is open.

    Raises:
        Absent: on entering: the peer is not there.
        BenchmarkError: it failed.
    """

    def __init__(self, name: str, work: Work, python: str = sys.executable) -> None:
        self.name = name
        super().__init__(
            f"the process of {name}",
            ["-m", "benchmarks.compare.contestant", name, json.dumps(asdict(work))],
            python,
        )
        self._work = work
        self.version: str | None = None

    def _hear(self, first: str) -> None:
        self.version = self._answer(first)["version"]

    def slice(self, seconds: float, most: int) -> list[float]:
        """Does a slice of its work; the samples."""
        answer = self._answer(self.ask(json.dumps({"seconds": seconds, "most": most})))
        return [float(sample) for sample in answer["samples"]]

    def memory(self) -> Memory:
        answer = self._answer(self.ask(json.dumps({"memory": True})))
        return Memory(answer["now"], answer["peak"])

    def _answer(self, line: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(line)
        if "absent" in answer:
            raise Absent(answer["absent"])
        if "error" in answer:
            raise BenchmarkError(f"{self.name} failed at {self._work.url}: {answer['error']}")
        return answer


def main() -> None:
    ignore_interrupts()
    name, work = sys.argv[1], Work(**json.loads(sys.argv[2]))
    try:
        peer = load(name)
    except ImportError as error:
        say(json.dumps({"absent": str(error)}))
        return
    errors: tuple[type[Exception], ...] = (BenchmarkError, *peer.errors)
    try:
        with opened(peer, work) as do:
            say(json.dumps({"version": version_of(name)}))
            gc.collect()
            gc.freeze()
            for line in sys.stdin:
                say(json.dumps(_obey(json.loads(line), do)))
    except errors as error:
        say(json.dumps({"error": repr(error)}))


def _obey(order: dict[str, Any], do: Slice) -> dict[str, Any]:
    if "memory" in order:
        return {"now": _resident(), "peak": _peak()}
    # What the last slice left behind is collected at nobody's expense.
    gc.collect()
    return {"samples": do(order["seconds"], order["most"])}


def _resident() -> int | None:
    """What is in memory once all that is free was given back, as far as the system tells and does it."""
    gc.collect()
    with suppress(OSError, AttributeError):  # only glibc has it
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        trim(0)
    with suppress(OSError):  # only Linux has it
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return None


def _peak() -> int:
    with suppress(OSError):
        # Only Linux has it. There the other counts what was in memory ahead of exec(), the parent's, as well.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    # The BSDs count kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
