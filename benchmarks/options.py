"""The command line: what can be asked for, and what is refused with one line that names the remedy."""

import argparse
import random
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.arguments import Parser, number, whole
from benchmarks.clients import CLIENTS
from benchmarks.figures import MODES
from benchmarks.folder import RESULTS

ROUNDS = 5

# Milliseconds: a server in the same country.
ROUND_TRIP = 20.0

# With the start of the server and the drawing of the chart a run then stays well under two minutes.
SECONDS = 60.0

# A number that no server notices, and enough for a median per client and mode.
REQUESTS = 200

# More is no comparison of clients but a test of somebody's server.
MOST_REQUESTS = 5000

# A pooled turn has one request that opens the connection and one that is timed.
FEWEST_PER_TURN = 2


@dataclass(frozen=True)
class Options:
    clients: tuple[str, ...]
    rounds: int
    round_trip_ms: float
    seconds: float
    seed: int
    output: Path
    url: str | None
    requests: int
    authority: str | None


def parse(arguments: list[str] | None = None) -> Options:
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.url is None:
        for option, value in (("--requests", given.requests), ("--ca", given.authority)):
            if value is not None:
                parser.error(f"{option} belongs to a run against a server of yours: add --url")
    elif given.rtt is not None:
        parser.error("--rtt is simulated for the embedded server only: leave out --rtt or --url")
    options = Options(
        clients=given.clients,
        rounds=given.rounds,
        round_trip_ms=ROUND_TRIP if given.rtt is None else given.rtt,
        seconds=given.seconds,
        seed=random.SystemRandom().randrange(10**6) if given.seed is None else given.seed,
        output=given.output,
        url=given.url,
        requests=REQUESTS if given.requests is None else given.requests,
        authority=given.authority,
    )
    fewest = options.rounds * len(options.clients) * len(MODES) * FEWEST_PER_TURN
    # The check before the run is a request as well.
    if options.url is not None and options.requests <= fewest:
        parser.error(
            f"--requests: {options.requests} are too few for {options.rounds} rounds of "
            f"{len(options.clients)} clients: allow {fewest + 1}, or lower --rounds"
        )
    return options


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmarks.pooling",
        description="Compares pooled sessions with a fresh session per request, for pystickyhttp and its "
        "peers. Without options it starts an http and https server of its own.",
    )
    add = parser.add_argument
    add(
        "--clients",
        type=_clients,
        default=tuple(CLIENTS),
        metavar="A,B",
        help=f"of {', '.join(CLIENTS)} (all)",
    )
    add(
        "--rounds",
        type=whole("rounds", 1, 100),
        default=ROUNDS,
        metavar="N",
        help=f"turns of each case ({ROUNDS})",
    )
    add(
        "--rtt",
        type=number("ms", 0, 500),
        metavar="MS",
        help=f"simulated round trip ({ROUND_TRIP:g}); 0 for none",
    )
    add(
        "--seconds",
        type=number("s", 5, 600),
        default=SECONDS,
        metavar="S",
        help=f"time to measure ({SECONDS:g})",
    )
    add("--seed", type=whole("", 0, 10**9), metavar="N", help="repeats the order of an earlier run")
    add(
        "--output",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="folder for the JSON and the PNG (benchmarks/results)",
    )
    server = parser.add_argument_group("a server of yours", "GET only, in place of the embedded server")
    add = server.add_argument
    add("--url", type=_url, metavar="URL", help="its http or https address")
    add(
        "--requests",
        type=whole("requests", 1, MOST_REQUESTS),
        metavar="N",
        help=f"at most so many in all ({REQUESTS}; up to {MOST_REQUESTS})",
    )
    add(
        "--ca",
        dest="authority",
        type=_authority,
        metavar="FILE",
        help="PEM file of the certificate authority to trust for https",
    )
    return parser


def _clients(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in CLIENTS:
            raise argparse.ArgumentTypeError(f"no client {name!r}; choose from {', '.join(CLIENTS)}")
    if not names:
        raise argparse.ArgumentTypeError(f"names no client; choose from {', '.join(CLIENTS)}")
    return tuple(name for name in CLIENTS if name in names)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not text.isascii() or any(character <= " " for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as https://example.org/path")
    if parts.username is not None:
        raise argparse.ArgumentTypeError("leave the user name and password out of the address")
    return text


def _authority(text: str) -> str:
    try:
        ssl.create_default_context(cafile=text)
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no readable PEM file of certificates: {error}"
        ) from error
    return text
