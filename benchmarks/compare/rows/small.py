"""Small requests: warm, with all of it new each time, within TLS, by sessions of their own, by threads."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.compare.goals import Figure, Section, Verdict, at_least, at_most
from benchmarks.compare.peers import BARE, NIQUESTS, OURS
from benchmarks.compare.run import Results, Run
from benchmarks.compare.work import Work

MICRO = 1e6

# Shares of the run's seconds. The first rows have the finest goals, so they get the most.
WARM = 0.22
VARIED = 0.17
WARM_HTTPS = 0.15
ONE_SHOT = 0.11
ONE_SHOT_HTTPS = 0.12
ONE_SHOT_HTTPS_SMALL = 0.05
THREADS = 0.13

ALL = (BARE, OURS, "requests", "httpx", "urllib3", "http.client", "aiohttp", "pycurl", NIQUESTS)
# Those that have a way to send one request without a session, or a session that takes one line.
WITH_ONE_SHOTS = (OURS, "requests", "httpx", "urllib3", "pycurl", NIQUESTS)
# Those whose one session may be used by several threads at once.
WITH_THREADS = (OURS, "requests", "httpx", "urllib3", NIQUESTS)

# More threads than a small machine has processors, so that they contend for the pool.
AT_ONCE = 8

# A connection that was closed keeps its port for a minute, and a system has some 28000 of them.
MOST_CONNECTIONS = 20_000

# Python before 3.12.8 and 3.13.1 loses memory at each look at a ticket, so that pystickyhttp looks at no more
# than a thousand in a process (law S2); each row has processes of its own.
MOST_TICKETS = 900

SMALL_FILE = ", small file"

NOTES_ONE_SHOT_HTTPS = (
    "the bundle is certifi's with the run's authorities among its roots, one file for all: by default "
    "requests and httpx read certifi's, and the others the system's, which is about the same",
    "small file: the run's authorities alone, as a program has it that knows its one server; no goal, since "
    "hardly any is like that",
    "pystickyhttp keeps the context, so that it reads the file once in a process (and when it has changed) "
    "and resumes by the tickets of earlier sessions; the others make a context for each request",
    "the server's certificate is of ECDSA P-256, as in all rows that do not name another",
)

NOTE_ASYNC = "aiohttp: within one event loop that runs, one request after the other"
NOTE_PYCURL = (
    "pycurl: one handle; the header fields of an answer are not read, as libcurl leaves them to the program"
)


def warm(run: Run) -> Section:
    results = _all(run, run.server.work("get"), WARM)
    goals = {BARE: at_most(1.10), "requests": at_most(0.27), "httpx": at_most(0.48), "urllib3": at_most(0.68)}
    return Section(
        "warm",
        "Small warm GET over http: `Session.get(url).content`",
        results.figures("\N{MICRO SIGN}s", MICRO),
        results.against_all(goals),
        (NOTE_ASYNC, NOTE_PYCURL),
    )


def varied(run: Run) -> Section:
    results = _all(run, run.server.work("varied"), VARIED)
    return Section(
        "varied",
        "Small warm GET with a new URL and a new header value in each request",
        results.figures("\N{MICRO SIGN}s", MICRO),
        results.against_all({BARE: at_most(1.35)}),
        ("the bare loop makes a new h11.Request for each as well",),
    )


def warm_https(run: Run) -> Section:
    results = _all(run, run.server.work("get", "https"), WARM_HTTPS)
    return Section(
        "warm-https",
        "Small warm GET over https",
        results.figures("\N{MICRO SIGN}s", MICRO),
        results.against_all({"requests": at_most(0.30)}),
    )


def one_shot(run: Run) -> Section:
    most = MOST_CONNECTIONS // len(WITH_ONE_SHOTS) // run.rounds
    results = run.in_turns(_each(WITH_ONE_SHOTS, run.server.work("once")), ONE_SHOT, most)
    return Section(
        "one-shot",
        "One-shot `get()` over http",
        results.figures("\N{MICRO SIGN}s", MICRO),
        results.against_all({"requests": at_most(0.5)}),
        ("urllib3: a PoolManager per request; pycurl: a handle; httpx makes a TLS context here, too",),
    )


def one_shot_https(run: Run) -> Section:
    small = run.server.work("once", "https")
    most = max(1, MOST_TICKETS // run.rounds)
    goals = {"requests": at_most(0.45)}
    figures: tuple[Figure, ...] = ()
    verdicts: tuple[Verdict, ...] = tuple(
        Verdict(f"{OURS} against {name}", None, goal, "certifi is not there") for name, goal in goals.items()
    )
    if run.server.bundle is not None:
        usual = replace(small, authority=run.server.bundle)
        results = run.in_turns(_each(WITH_ONE_SHOTS, usual), ONE_SHOT_HTTPS, most)
        figures, verdicts = results.figures("\N{MICRO SIGN}s", MICRO), results.against_all(goals)
    beside = run.in_turns(_each(WITH_ONE_SHOTS, small), ONE_SHOT_HTTPS_SMALL, most)
    return Section(
        "one-shot-https",
        "One-shot `get()` over https, with a bundle of roots of the usual size",
        (*figures, *(_of_small_file(each) for each in beside.figures("\N{MICRO SIGN}s", MICRO))),
        (*verdicts, *(replace(each, what=each.what + SMALL_FILE) for each in beside.against_all({}))),
        NOTES_ONE_SHOT_HTTPS,
    )


def _of_small_file(figure: Figure) -> Figure:
    return replace(figure, contestant=figure.contestant + SMALL_FILE)


def threads(run: Run) -> Section:
    work = run.server.work("threads", at_once=AT_ONCE)
    # One slice in a round: in a short one the start and the end of the threads would count for too much.
    results = run.in_turns(_each(WITH_THREADS, work), THREADS, passes=1)
    rates = Results(
        {name: [1 / seconds for seconds in rounds] for name, rounds in results.rounds.items()}, results.absent
    )
    return Section(
        "threads",
        f"{AT_ONCE} threads on one session",
        rates.figures("requests/s"),
        rates.against_all({"requests": at_least(3), "urllib3": at_least(1.15)}),
        (f"urllib3: PoolManager(maxsize={AT_ONCE}); the threads share the client's processor",),
    )


def _all(run: Run, work: Work, share: float) -> Results:
    return run.in_turns(_each(ALL, work), share)


def _each(peers: Sequence[str], work: Work) -> dict[str, tuple[str, Work]]:
    return {peer: (peer, work) for peer in peers}
