"""How long it takes to be there, and what is not made before it is needed."""

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks.compare.goals import Figure, Section, Verdict, at_most, spread
from benchmarks.compare.peers import NIQUESTS, OURS
from benchmarks.compare.run import Results, Run
from benchmarks.errors import BenchmarkError
from benchmarks.process import last_words, run_to_end

MILLI = 1e3

BARE = "the interpreter alone"
LIBRARIES = (OURS, "requests", "httpx", "urllib3", "aiohttp", NIQUESTS)

# Interpreters are started so many times in a round: one start is a few milliseconds that anything disturbs.
STARTS = 2

# No import here takes a hundredth of it.
SECONDS = 60


def importing(run: Run) -> Section:
    commands = _commands(run)
    rounds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(run.rounds):
        for name, seconds in _round(commands, run.shuffler).items():
            rounds[name].append(seconds)
    bare = rounds.pop(BARE)
    over = {
        name: [value - least for value, least in zip(values, bare, strict=True)]
        for name, values in rounds.items()
    }
    goals = {"requests": at_most(0.45)}
    return Section(
        "import",
        "Start-up: `import` over the bare interpreter",
        (_figure(BARE, "ms", bare), *(_figure(name, "ms more", values) for name, values in over.items())),
        Results(over, run.absent).against_all(goals),
        (f"each round: the quicker of {STARTS} starts, .pyc files written beforehand",),
    )


def _figure(name: str, unit: str, seconds: Sequence[float]) -> Figure:
    return Figure(name, unit, spread([value * MILLI for value in seconds]))


def _commands(run: Run) -> dict[str, list[str]]:
    commands = {BARE: [sys.executable, "-c", "pass"]}
    for name in LIBRARIES:
        python = run.niquests if name == NIQUESTS else sys.executable
        command = [python or "", "-c", f"import {name}"]
        # The first one writes the .pyc files, and finds out what is there.
        if python is not None and _runs(command):
            commands[name] = command
    return commands


def _round(commands: Mapping[str, list[str]], shuffler: random.Random) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name in shuffler.sample(list(commands), len(commands)):
            taken[name].append(_seconds(commands[name]))
    return {name: min(values) for name, values in taken.items()}


def no_tls(run: Run) -> Section:
    host, port = run.server.address()
    command = [sys.executable, "-m", "benchmarks.compare.contexts", f"http://{host}:{port}/"]
    done = run_to_end(command, SECONDS)
    if done.returncode:
        raise BenchmarkError(f"the process that counts TLS contexts has died: {last_words(done)}")
    built = json.loads(done.stdout)["contexts"]
    return Section(
        "no-tls",
        "First `Session()` and its first http GET",
        (),
        (Verdict("TLS contexts that are built", spread([built]), at_most(0)),),
        ("counted in a process of its own, from before the import to after the request",),
    )


def _runs(command: list[str]) -> bool:
    return run_to_end(command, SECONDS).returncode == 0


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    run_to_end(command, None)
    return time.perf_counter() - start
