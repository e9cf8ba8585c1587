"""The parent's side of the servers."""

import json
from collections.abc import Sequence

from benchmarks.compare.work import Work
from benchmarks.process import Process


class Server(Process):
    """A context in which one of the servers runs, on these processors.

    Args:
        kind: "nginx" or "embedded".
        size: of the large body.
        processors: where it may run; anywhere if there are none.
    """

    def __init__(self, kind: str, size: int, processors: Sequence[int]) -> None:
        super().__init__(
            f"the server ({kind})",
            ["-m", "benchmarks.compare.server", kind, str(size), *map(str, processors)],
        )
        self.size = size

    def _hear(self, first: str) -> None:
        told = json.loads(first)
        self._host: str = told["host"]
        self._ports: dict[str, int] = told["ports"]
        self._authority: str = told["authority"]
        self._large: str = told["large"]

    def work(self, kind: str, scheme: str = "http", *, at_once: int = 1, tickets: bool = True) -> Work:
        """Small requests to this server."""
        return Work(kind, self._url(scheme, tickets), self._trust(scheme), at_once=at_once)

    def large(self, kind: str) -> Work:
        """The large body."""
        return Work(kind, self._url("http", True) + "large.bin", size=self.size)

    def upload(self) -> Work:
        """A file as large as the large body."""
        return Work("upload", self._url("http", True) + "upload", size=self.size, path=self._large)

    def address(self) -> tuple[str, int]:
        return self._host, self._ports["http"]

    def _trust(self, scheme: str) -> str | None:
        return self._authority if scheme == "https" else None

    def _url(self, scheme: str, tickets: bool) -> str:
        port = self._ports[scheme if tickets else f"{scheme}_without_tickets"]
        return f"{scheme}://{self._host}:{port}/"
