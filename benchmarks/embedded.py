"""The parent's side of the embedded server: start it, ask for its count of connections, end it."""

import json
from collections.abc import Sequence

from benchmarks.process import Process


class EmbeddedServer(Process):
    """A context: the server runs from entering to leaving, and no longer."""

    def __init__(self, round_trip: float, processors: Sequence[int] = ()) -> None:
        super().__init__(
            "the embedded server", ["-m", "benchmarks.server", repr(round_trip), *map(str, processors)]
        )

    def _hear(self, first: str) -> None:
        answer = json.loads(first)
        self._host: str = answer["host"]
        self._ports: dict[str, dict[str, int]] = answer["ports"]
        self.authority: str = answer["authority"]

    def url(self, scheme: str, *, delayed: bool) -> str:
        port = self._ports["delayed" if delayed else "direct"][scheme]
        return f"{scheme}://{self._host}:{port}/"

    def connections(self) -> int:
        """How many connections the server has accepted since it started."""
        return int(self.ask("connections"))
