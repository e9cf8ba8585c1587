"""The command line of `compare`."""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import Parser, number, whole
from benchmarks.compare.nginx import find_nginx
from benchmarks.compare.peers import BARE, MODULES, NIQUESTS, OURS
from benchmarks.folder import RESULTS

# With these the whole takes less than four minutes on two processors of today: what is measured by time takes
# SECONDS, large bodies and new processes take the rest, which grows with the rounds.
ROUNDS = 9
SECONDS = 90.0

# Large enough that the head, and TCP's slow start, count for nothing in it.
MEGABYTES = 100

SERVERS = ("nginx", "embedded")

# Who can be left out. niquests is in only where it is asked for, and the bare loop is no peer.
PEERS = tuple(name for name in MODULES if name not in (OURS, BARE, NIQUESTS))


@dataclass(frozen=True)
class Options:
    rounds: int
    seconds: float
    rows: tuple[str, ...]
    peers: tuple[str, ...]
    server: str
    megabytes: int
    niquests: bool
    seed: int
    output: Path


def parse(arguments: Sequence[str] | None, rows: Sequence[str]) -> Options:
    """What is asked for; ends the program with one line where that can't be had."""
    parser = _parser(rows)
    given = parser.parse_args(arguments)
    there = find_nginx() is not None
    if given.server == "nginx" and not there:
        parser.error("--server nginx: there is no nginx here; install it, or name embedded")
    return Options(
        rounds=given.rounds,
        seconds=given.seconds,
        rows=tuple(row for row in rows if row in given.only) if given.only else tuple(rows),
        peers=tuple(peer for peer in PEERS if peer in given.peers) if given.peers else PEERS,
        server=given.server or ("nginx" if there else "embedded"),
        megabytes=given.megabytes,
        niquests=given.niquests,
        seed=random.SystemRandom().randrange(10**6) if given.seed is None else given.seed,
        output=given.output,
    )


def _parser(rows: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmarks.compare",
        description="Sets pystickyhttp beside its peers, as ratios with their goals, against a server that "
        "it starts itself. It ends with 0 whatever the figures are.",
    )
    add = parser.add_argument
    add(
        "--rounds",
        type=whole("rounds", 1, 100),
        default=ROUNDS,
        metavar="N",
        help=f"turns of each contestant ({ROUNDS})",
    )
    add(
        "--seconds",
        type=number("s", 1, 3600),
        default=SECONDS,
        metavar="S",
        help=f"for what is measured by time, were it all rows ({SECONDS:g})",
    )
    add(
        "--only",
        nargs="+",
        choices=tuple(rows),
        metavar="ROW",
        help=f"of {', '.join(rows)} (all)",
    )
    add(
        "--peers",
        nargs="+",
        choices=PEERS,
        metavar="PEER",
        help=f"of {', '.join(PEERS)} (all)",
    )
    add("--server", choices=SERVERS, help="nginx where there is one, else embedded")
    add(
        "--megabytes",
        type=whole("MB", 1, 10_000),
        default=MEGABYTES,
        metavar="N",
        help=f"of the large bodies ({MEGABYTES})",
    )
    add(
        "--niquests",
        action="store_true",
        help="measures niquests too, in an environment of its own, which pip fills at the first time",
    )
    add("--seed", type=whole("", 0, 10**9), metavar="N", help="repeats the order of an earlier run")
    add(
        "--output",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="folder for compare.json and compare.md (benchmarks/results)",
    )
    return parser
