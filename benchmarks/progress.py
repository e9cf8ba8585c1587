"""How far a run is: a bar on a terminal, a line per round elsewhere.

It draws only when it is told of a step, between two measurements: a bar that redraws by a thread of its
own would take the interpreter from the request that is being timed.
"""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

# Drawing takes a millisecond or two, and an eye does not follow more than this.
SECONDS_BETWEEN = 0.1


class RunProgress:
    """A context around the measuring; the bar goes from 0 to 1 over everything that is to be done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = ""
        self._drawn = 0.0
        self._bar = Progress(
            BarColumn(bar_width=40),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def step(self, done: float, stage: str, detail: str = "") -> None:
        """`done` is from 0 to 1; the stage is all that an output without a terminal hears of."""
        now = time.monotonic()
        if self._console.is_terminal and now - self._drawn >= SECONDS_BETWEEN:
            self._bar.update(self._task, completed=done, description=f"{stage}  {detail}", refresh=True)
            self._drawn = now
        elif not self._console.is_terminal and stage != self._said:
            self._console.print(f"{stage} ...", highlight=False)
            self._said = stage
