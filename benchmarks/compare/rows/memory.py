"""What a large body and an idle connection cost in memory."""

from contextlib import ExitStack

from benchmarks.compare.goals import Figure, Section, Verdict, at_most, ratios, spread
from benchmarks.compare.peers import NIQUESTS, OURS
from benchmarks.compare.run import Run
from benchmarks.compare.work import Work

READERS = (OURS, "requests", "httpx", "urllib3", "http.client", "aiohttp", "pycurl", NIQUESTS)
HOLDERS = (OURS, "requests", "httpx", "urllib3", NIQUESTS)

KIBI = 1024

# Two tell whether it is steady; it is disturbed by nothing, so more would show the same.
ROUNDS = 2

# Enough that what the process takes for all of them at once does not count for one.
CONNECTIONS = 200
# So many are open when it begins, so that what is made once is there.
BEFORE = 5


def content(run: Run) -> Section:
    over: dict[str, list[float]] = {}
    for peer in READERS:
        for _ in range(min(ROUNDS, run.rounds)):
            small = _peak(run, peer, run.server.work("get"))
            large = _peak(run, peer, run.server.large("read"))
            if small is not None and large is not None:
                over.setdefault(peer, []).append((large - small) / run.server.size)
    return Section(
        "content-memory",
        "Peak memory of the body by `.content`, over its size",
        tuple(Figure(peer, "\N{MULTIPLICATION SIGN} size", spread(values)) for peer, values in over.items()),
        (Verdict(OURS, spread(over[OURS]), at_most(1.15)),),
        ("the peak of a process that reads the body, without the peak of one that reads a small one",),
    )


def idle(run: Run) -> Section:
    figures: list[Figure] = []
    verdicts: list[Verdict] = []
    for scheme in ("http", "https"):
        each = {peer: _per_connection(run, peer, scheme) for peer in HOLDERS}
        known = {peer: values for peer, values in each.items() if values}
        figures += [
            Figure(f"{peer}, {scheme}", "KiB", spread([value / KIBI for value in values]))
            for peer, values in known.items()
        ]
        verdicts += [
            Verdict(f"{OURS} against {peer}, {scheme}", ratios(known[OURS], values), None)
            for peer, values in known.items()
            if peer != OURS and OURS in known
        ]
    return Section(
        "idle-memory",
        "Memory of an idle pooled connection",
        tuple(figures),
        tuple(verdicts),
        (
            f"growth of the resident memory by {CONNECTIONS} connections that were all in use at once and "
            "then given back, garbage collected and free memory returned where the system can do "
            "that (Linux alone tells)",
        ),
    )


def _peak(run: Run, peer: str, work: Work) -> int | None:
    with ExitStack() as stack:
        contestant = run.enter(stack, peer, work)
        if contestant is None:
            return None
        contestant.slice(0.0, 1)
        return contestant.memory().peak


def _per_connection(run: Run, peer: str, scheme: str) -> list[float]:
    grown = []
    for _ in range(min(ROUNDS, run.rounds)):
        with ExitStack() as stack:
            work = run.server.work("fill", scheme, at_once=CONNECTIONS + BEFORE)
            contestant = run.enter(stack, peer, work)
            if contestant is None:
                return []
            contestant.slice(0.0, BEFORE)
            before = contestant.memory().now
            contestant.slice(0.0, CONNECTIONS + BEFORE)
            after = contestant.memory().now
            if before is None or after is None:
                return []
            grown.append((after - before) / CONNECTIONS)
    return grown
