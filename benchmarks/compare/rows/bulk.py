"""Large bodies, down and up."""

from benchmarks.compare.goals import Section, Verdict, at_least, best_of_round, ratios
from benchmarks.compare.peers import NIQUESTS, OURS
from benchmarks.compare.peers.base import PIECE
from benchmarks.compare.run import Results, Run
from benchmarks.compare.work import Work

MEGA = 1e6

ALL = (OURS, "requests", "httpx", "urllib3", "http.client", "aiohttp", "pycurl", NIQUESTS)

# One body takes as long as it takes; so much of the run's seconds is for further ones in the same slice.
SHARE = 0.02

# Of bodies in a slice: the median of three is not the one that was disturbed.
MOST = 3


def stream(run: Run) -> Section:
    results = _rates(run, run.server.large("stream"))
    return Section(
        "stream",
        f"{_size(run)} by `iter_content({PIECE})`",
        results.figures("MB/s", 1 / MEGA),
        results.against_all({"pycurl": at_least(0.9), "requests": at_least(1.0)}),
        (f"pieces of {PIECE} bytes for all; pycurl: a function in Python takes each piece",),
    )


def content(run: Run) -> Section:
    results = _rates(run, run.server.large("read"))
    return Section(
        "content",
        f"{_size(run)} by `.content`",
        results.figures("MB/s", 1 / MEGA),
        results.against_all({"requests": at_least(3)}),
    )


def upload(run: Run) -> Section:
    results = _rates(run, run.swallower.upload())
    peers = {name: rounds for name, rounds in results.rounds.items() if name != OURS}
    fastest = Verdict(
        f"{OURS} against the fastest peer of each round", None, at_least(1.0), "no peer is there"
    )
    if peers:
        best = best_of_round(list(peers.values()))
        fastest = Verdict(fastest.what, ratios(results.rounds[OURS], best), fastest.goal)
    return Section(
        "upload",
        f"{_size(run)} PUT from a file",
        results.figures("MB/s", 1 / MEGA),
        (fastest, *results.against_all({})),
        (
            "the embedded server swallows it; urllib3 and http.client are told the length, without which "
            "they would send chunks; pycurl does not wait for 100 Continue",
        ),
    )


def _rates(run: Run, work: Work) -> Results:
    """Bytes per second."""
    results = run.in_turns({peer: (peer, work) for peer in ALL}, SHARE, MOST, passes=1)
    rates = {name: [work.size / value for value in rounds] for name, rounds in results.rounds.items()}
    return Results(rates, results.absent)


def _size(run: Run) -> str:
    return f"{run.server.size / MEGA:g} MB"
