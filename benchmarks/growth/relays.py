"""`python -m benchmarks.growth.relays HOST PORT PROCESSORS DELAY...`: relays of several delays to one server.

PROCESSORS are numbers with commas between them, or a dash for anywhere; a DELAY is a round trip in seconds.
The first line says the ports; the end of the standard input is the end of all of them.
"""

import json
import os
import sys
import threading
from collections.abc import Sequence

from benchmarks.process import Process, ignore_interrupts, say
from benchmarks.relay import relay_forever
from benchmarks.server import HOST, listen

ANYWHERE = "-"


class Relays(Process):
    """A context in which the relays run; `ports` are theirs, in the order of the delays."""

    def __init__(self, upstream: tuple[str, int], delays: Sequence[float], processors: Sequence[int]) -> None:
        where = ",".join(map(str, processors)) or ANYWHERE
        host, port = upstream
        told = [host, str(port), where, *(repr(delay) for delay in delays)]
        super().__init__("the relays", ["-m", "benchmarks.growth.relays", *told])

    def _hear(self, first: str) -> None:
        self.ports: list[int] = json.loads(first)

    def url(self, number: int) -> str:
        return f"https://{HOST}:{self.ports[number]}/"


def main() -> None:
    host, port, processors, *delays = sys.argv[1:]
    # Before any thread starts, since threads take over where they may run.
    if processors != ANYWHERE and sys.platform == "linux":
        os.sched_setaffinity(0, {int(processor) for processor in processors.split(",")})
    ignore_interrupts()
    ports = []
    for delay in delays:
        listener = listen()
        arguments = (listener, (host, int(port)), float(delay))
        # A daemon: the process ends when its main thread does.
        threading.Thread(target=relay_forever, args=arguments, daemon=True).start()
        ports.append(listener.getsockname()[1])
    say(json.dumps(ports))
    for _ in sys.stdin:
        pass


if __name__ == "__main__":
    main()
