"""`python -m benchmarks.cookies`: finding the cookies of a request, in a small jar and in a large one.

Both jars hold the same 10 cookies for the host that is asked for; the large one holds 10,000, on 1,000
domains. The promise is that a lookup in the large one takes at most twice as long; the program ends with
status 1 where it does not. Beside it stands the jar of requests, asked for the same cookies, which it finds
by walking along all of them.
"""

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests
import requests.cookies
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.environment import versions
from benchmarks.figures import percentile
from pystickyhttp.cookies import CookieJar, cookie_header
from pystickyhttp.urls import parse

FEW_DOMAINS = 1
MANY_DOMAINS = 1000
COOKIES_PER_DOMAIN = 10

# What is promised of many by few.
AT_MOST = 2.0

ROUNDS = 30

# For all rounds together: enough for hundreds of lookups of the slowest.
SECONDS = 6.0

# Takes some 10 microseconds, a hundred times what reading the clock takes: each sample is one lookup.
Lookup = Callable[[], str | None]


@dataclass(frozen=True)
class Subject:
    jar: str
    cookies: int
    lookup: Lookup


@dataclass(frozen=True)
class Row:
    jar: str
    cookies: int
    lookups: int
    # Seconds.
    median: float
    p95: float
    # Median of this jar by that of the small one of its kind.
    by_few: float


def host(number: int) -> str:
    return f"host{number}.example.com"


def url(number: int) -> str:
    return f"https://{host(number)}/account/page"


def ours(domains: int) -> Subject:
    jar = CookieJar()
    for number in range(domains):
        fields = (f"name{index}=value; Path=/; Secure" for index in range(COOKIES_PER_DOMAIN))
        jar.extract(parse(url(number)), fields)
    asked = parse(url(0))
    return Subject("pystickyhttp", len(jar), lambda: cookie_header(jar.cookies_for(asked)))


def theirs(domains: int) -> Subject:
    jar = requests.cookies.RequestsCookieJar()
    for number in range(domains):
        for index in range(COOKIES_PER_DOMAIN):
            jar.set(f"name{index}", "value", domain=host(number), path="/", secure=True)
    request = requests.Request("GET", url(0)).prepare()
    return Subject("requests", len(jar), lambda: requests.cookies.get_cookie_header(jar, request))


def check(subject: Subject) -> None:
    """That it finds what it is to find, and no more."""
    found = sorted((subject.lookup() or "").split("; "))
    if found != sorted(f"name{index}=value" for index in range(COOKIES_PER_DOMAIN)):
        sys.exit(f"benchmark: {subject.jar} found {found} among {subject.cookies} cookies")


def timed(lookup: Lookup, seconds: float) -> Iterator[float]:
    """Samples until the time is over: at least one."""
    clock = time.perf_counter
    end = clock() + seconds
    while True:
        start = clock()
        lookup()
        now = clock()
        yield now - start
        if now >= end:
            return


def measure(subjects: list[Subject], rounds: int, seconds: float, shuffler: random.Random) -> list[Row]:
    """Every subject once per round in a shuffled order, so that a busy moment of the machine hits all."""
    samples: dict[Subject, list[float]] = {subject: [] for subject in subjects}
    gc.collect()
    gc.freeze()  # the cookies themselves live until the end
    for _ in range(rounds):
        for subject in shuffler.sample(subjects, len(subjects)):
            samples[subject].extend(timed(subject.lookup, seconds / rounds / len(subjects)))
    medians = {(subject.jar, subject.cookies): statistics.median(samples[subject]) for subject in subjects}
    return [
        Row(
            jar=subject.jar,
            cookies=subject.cookies,
            lookups=len(samples[subject]),
            median=medians[subject.jar, subject.cookies],
            p95=percentile(samples[subject], 95),
            by_few=medians[subject.jar, subject.cookies] / medians[subject.jar, COOKIES_PER_DOMAIN],
        )
        for subject in subjects
    ]


def show(rows: list[Row], console: Console) -> None:
    table = Table(
        title="\nThe 10 cookies of a request, among few and many\n", title_justify="left", box=SIMPLE_HEAD
    )
    table.add_column("jar", no_wrap=True)
    for name in ("cookies", "median \N{MICRO SIGN}s", "p95 \N{MICRO SIGN}s", "lookups", "many/few"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.jar,
            f"{row.cookies:,}",
            f"{row.median * 1e6:,.1f}",
            f"{row.p95 * 1e6:,.1f}",
            f"{row.lookups:,}",
            f"{row.by_few:,.2f}" if row.cookies > COOKIES_PER_DOMAIN else "",
        )
    console.print(table)
    facts = ", ".join(f"{name} {version}" for name, version in versions(["pystickyhttp", "requests"]).items())
    console.print(f"- {facts}", highlight=False, style="dim")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cookies", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all rounds, default %(default)s")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the order"
    )
    options = parser.parse_args(arguments)
    subjects = [make(domains) for make in (ours, theirs) for domains in (FEW_DOMAINS, MANY_DOMAINS)]
    for subject in subjects:
        check(subject)
    rows = measure(subjects, max(1, options.rounds), options.seconds, random.Random(options.seed))
    show(rows, Console())
    held = all(row.by_few <= AT_MOST for row in rows if row.jar == "pystickyhttp")
    print(f"- a lookup among many takes at most {AT_MOST:g} times one among few: {'yes' if held else 'NO'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
