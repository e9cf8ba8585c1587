"""The command line of `growth`."""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import Parser, number, whole
from benchmarks.compare.nginx import find_nginx
from benchmarks.folder import RESULTS
from benchmarks.growth.axes import PEERS

AXES = ("threads", "round-trip", "size")

# With these the whole takes less than three minutes: a hundred processes have to start, and far away a
# request takes longer than its slice.
ROUNDS = 5
SECONDS = 90.0

SERVERS = ("nginx", "embedded")


@dataclass(frozen=True)
class Options:
    rounds: int
    seconds: float
    axes: tuple[str, ...]
    peers: tuple[str, ...]
    ends: bool
    server: str
    seed: int
    output: Path


def parse(arguments: Sequence[str] | None) -> Options:
    """What is asked for; ends the program with one line where that can't be had."""
    parser = _parser()
    given = parser.parse_args(arguments)
    there = find_nginx() is not None
    if given.server == "nginx" and not there:
        parser.error("--server nginx: there is no nginx here; install it, or name embedded")
    return Options(
        rounds=given.rounds,
        seconds=given.seconds,
        axes=tuple(axis for axis in AXES if axis in given.only),
        peers=tuple(peer for peer in PEERS if peer in given.peers),
        ends=given.ends,
        server=given.server or ("nginx" if there else "embedded"),
        seed=random.SystemRandom().randrange(10**6) if given.seed is None else given.seed,
        output=given.output,
    )


def as_given(options: Options) -> list[str]:
    """The options that repeat this run."""
    given = [
        "--rounds",
        str(options.rounds),
        "--seconds",
        f"{options.seconds:g}",
        "--seed",
        str(options.seed),
    ]
    given += ["--server", options.server]
    if options.axes != AXES:
        given += ["--only", *options.axes]
    if options.peers != PEERS:
        given += ["--peers", *options.peers]
    return [*given, "--ends"] if options.ends else given


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmarks.growth",
        description="How pystickyhttp, pooled and fresh, and its peers do with more threads, further away, "
        "and with larger bodies, against a server that it starts itself.",
    )
    add = parser.add_argument
    add("--rounds", type=whole("rounds", 1, 100), default=ROUNDS, metavar="N", help=f"turns ({ROUNDS})")
    add(
        "--seconds",
        type=number("s", 1, 3600),
        default=SECONDS,
        metavar="S",
        help=f"time to measure, were it all axes ({SECONDS:g})",
    )
    add("--only", nargs="+", choices=AXES, default=AXES, metavar="AXIS", help=f"of {', '.join(AXES)} (all)")
    add(
        "--peers",
        nargs="+",
        choices=PEERS,
        default=PEERS,
        metavar="PEER",
        help=f"of {', '.join(PEERS)} (all)",
    )
    add("--ends", action="store_true", help="the ends of each axis alone, for a quick look")
    add("--server", choices=SERVERS, help="nginx where there is one, else embedded")
    add("--seed", type=whole("", 0, 10**9), metavar="N", help="repeats the order of an earlier run")
    add(
        "--output",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="folder for the figures, the charts and the page (benchmarks/results)",
    )
    return parser
