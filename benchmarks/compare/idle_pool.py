"""`python -m benchmarks.compare.idle_pool HOST PORT HOSTS`: a pool with one idle connection, one with many.

It says a line when all of them are open, and answers each line with the seconds that acquire and release took
in a further round, as JSON. It ends with its standard input, like a contestant.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Iterable
from typing import Any

from benchmarks.process import ignore_interrupts, say
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import ConnectionPool, Dialer, HTTPConnection, Limits, OutgoingRequest, Route

# On each of a hundred hosts: a thousand, enough for a walk along all of them to show.
CONNECTIONS_PER_HOST = 10

# What is measured.
ONE = "one idle connection"
SAME = "many, the same host each time"
IN_TURN = "many, each host in turn"

# So often each is measured in a round, by turns of as many requests as there are hosts: each is visited once.
SLICES = 5

# Files that the process has open besides.
OTHER_FILES = 100


class Watch:
    """How long a request took without its exchange: it stands where `HTTPConnection.exchange` stood."""

    def __init__(self) -> None:
        self._exchange = HTTPConnection.exchange
        self.away = 0.0

        def exchange(connection: HTTPConnection, *arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return self._exchange(connection, *arguments)
            finally:
                self.away = time.perf_counter() - start

        HTTPConnection.exchange = exchange  # type: ignore[method-assign,assignment]

    def seconds(self, pool: ConnectionPool, route: Route, request: OutgoingRequest) -> float:
        deadline = Timeout().start()
        start = time.perf_counter()
        response = pool.send(route, request, deadline)
        took = time.perf_counter() - start - self.away
        assert response.closed, "the answer to HEAD has no body"
        return took


def fill(pool: ConnectionPool, route: Route, count: int) -> None:
    """Leaves so many connections idle: they are in use at the same time, and then all are given back."""
    request = asked("GET", route)
    for response in [pool.send(route, request, Timeout().start()) for _ in range(count)]:
        response.read()


def asked(method: str, route: Route) -> OutgoingRequest:
    return OutgoingRequest.make(method, "/", [(b"Host", route.authority.encode())])


def more_files(hosts: int) -> None:
    """As many as the system lets this process have, if its shell gave it fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = hosts * CONNECTIONS_PER_HOST + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(
            f"benchmark: the row idle-pool needs {needed} open files, and the limit is {hard} (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def medians(watch: Watch, few: ConnectionPool, many: ConnectionPool, routes: list[Route]) -> dict[str, float]:
    """One round."""
    visits: dict[str, tuple[ConnectionPool, list[Route]]] = {
        ONE: (few, routes[:1] * len(routes)),
        SAME: (many, routes[:1] * len(routes)),
        IN_TURN: (many, routes),
    }
    requests = {route: asked("HEAD", route) for route in routes}
    samples: dict[str, list[float]] = {name: [] for name in visits}
    for _ in range(SLICES):
        for name, (pool, visited) in visits.items():
            samples[name] += [watch.seconds(pool, route, requests[route]) for route in visited]
    return {name: statistics.median(taken) for name, taken in samples.items()}


def pool_to(address: str, limits: Limits) -> ConnectionPool:
    return ConnectionPool(limits, Dialer(lambda host, port: [address]))


def serve(orders: Iterable[str], address: str, port: int, hosts: int) -> None:
    routes = [Route("http", f"host{number}.test", port) for number in range(hosts)]
    total = hosts * CONNECTIONS_PER_HOST
    limits = Limits(max_idle=total, max_idle_per_host=CONNECTIONS_PER_HOST)
    few, many = pool_to(address, limits), pool_to(address, limits)
    fill(few, routes[0], 1)
    for route in routes:
        fill(many, route, CONNECTIONS_PER_HOST)
    watch = Watch()
    say("ready")
    for _ in orders:
        say(json.dumps(medians(watch, few, many, routes)))
    few.close()
    many.close()


if __name__ == "__main__":
    ignore_interrupts()
    host, port, hosts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    more_files(hosts)
    serve(sys.stdin, host, port, hosts)
