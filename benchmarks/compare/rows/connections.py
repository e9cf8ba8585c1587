"""What a further connection costs, and what it costs to have many."""

import json
from typing import Final

from benchmarks.compare.goals import Figure, Section, Verdict, at_most, ratios, spread
from benchmarks.compare.idle_pool import CONNECTIONS_PER_HOST, HOSTS, IN_TURN, ONE, SAME
from benchmarks.compare.peers import OURS
from benchmarks.compare.rows.small import MICRO, MOST_TICKETS
from benchmarks.compare.run import Run
from benchmarks.process import Process

RESUMED: Final = "resumed by ticket"
FULL: Final = "full handshake"

# Of the run's seconds.
SHARE = 0.08


def resumed(run: Run) -> Section:
    most = max(1, MOST_TICKETS // run.rounds)
    works = {
        RESUMED: (OURS, run.server.work("resumed", "https")),
        FULL: (OURS, run.server.work("full", "https", tickets=False)),
    }
    results = run.in_turns(works, SHARE, most)
    return Section(
        "resumed",
        "A GET over a new connection to the same https host, within one Session",
        results.figures("\N{MICRO SIGN}s", MICRO),
        (results.against(FULL, at_most(0.7), ours=RESUMED),),
        (
            "two ports of one server, with the same certificate (ECDSA P-256, by an authority of its own), "
            "of which one gives tickets and the other none; each request says `Connection: close`, and "
            "`response.tls.resumed` tells of each that it was what it is to be. Dial, handshake, request, "
            "answer and close are all counted, to make the TLS context is not",
        ),
    )


def idle_pool(run: Run) -> Section:
    host, port = run.server.address()
    child = Process(
        "the process with idle connections", ["-m", "benchmarks.compare.idle_pool", host, str(port)]
    )
    rounds: dict[str, list[float]] = {ONE: [], SAME: [], IN_TURN: []}
    with child:
        for _ in range(run.rounds):
            for name, value in json.loads(child.ask("round")).items():
                rounds[name].append(value)
    figures = tuple(
        Figure(name, "\N{MICRO SIGN}s", spread([value * MICRO for value in values]))
        for name, values in rounds.items()
    )
    return Section(
        "idle-pool",
        f"Acquire and release among {HOSTS * CONNECTIONS_PER_HOST:,} idle connections over {HOSTS} hosts",
        figures,
        (
            Verdict(f"{SAME}, against {ONE}", ratios(rounds[SAME], rounds[ONE]), at_most(1.2)),
            Verdict(f"{IN_TURN}, against {ONE}", ratios(rounds[IN_TURN], rounds[ONE]), None),
        ),
        (
            "real sockets, names by a resolver of the run's; `ConnectionPool.send` of a HEAD without what "
            "`HTTPConnection.exchange` takes, so that what is left is the pool. Each host in turn finds what "
            "it needs out of the processor's caches, the more so the less of them there is",
        ),
    )
