"""What a client of a benchmark is, what it is asked, and how long it waits: the same for every benchmark."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

# A client that hangs must end the run with a line, and nothing here takes a tenth of this.
TIMEOUT = 10.0

# Sends one GET, reads the whole body, and returns the status.
Get = Callable[[], int]


@dataclass(frozen=True)
class Target:
    """Where the requests go, and the file of the authority to trust (None: the client's own roots)."""

    url: str
    authority: str | None


class Client(ABC):
    name: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]]

    @abstractmethod
    def fresh(self, target: Target) -> Get:
        """A request that opens a session of its own and closes it."""

    @abstractmethod
    def pooled(self, target: Target) -> AbstractContextManager[Get]:
        """A request within a session that is open as long as the context."""
