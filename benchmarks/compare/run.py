"""What a run has at hand for its rows, and how contestants take turns in it."""

import random
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.compare.contestant import Absent, Contestant
from benchmarks.compare.goals import Figure, Goal, Verdict, ratios, spread
from benchmarks.compare.peers import NIQUESTS, OURS
from benchmarks.compare.servers import Server
from benchmarks.compare.work import Work

# The slices of a contestant in a round. On a busy machine long ones would meet now with more of what else
# runs and now with less; much shorter ones would have to do with caches that the others have filled.
PASSES = 5

# More per slice would tell no more, and would let a run with many seconds fill the memory.
MOST = 100_000


@dataclass
class Run:
    """A whole run, while it lasts."""

    server: Server
    # Swallows what is uploaded, also where the server is another.
    swallower: Server
    rounds: int
    # For all that is measured by time.
    seconds: float
    shuffler: random.Random
    # The interpreter of the environment with niquests; None where nobody asked for it.
    niquests: str | None
    # What was found to be there, with its version, and what was not or was left out, with the reason.
    versions: dict[str, str | None] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    # Idle connections whose memory is told apart: what the process takes for all at once counts for none.
    connections: int = 200
    # Hosts that the many idle connections are spread over; on all of them together there are a thousand.
    hosts: int = 100

    def contestant(self, peer: str, work: Work) -> Contestant:
        python = self.niquests if peer == NIQUESTS else sys.executable
        return Contestant(peer, work, python or sys.executable)

    def enter(self, stack: ExitStack, peer: str, work: Work) -> Contestant | None:
        """The contestant, for as long as the stack is open; None where the peer is not there."""
        if peer in self.absent or (peer == NIQUESTS and self.niquests is None):
            return None
        try:
            entered = stack.enter_context(self.contestant(peer, work))
        except Absent as absent:
            self.absent[peer] = str(absent)
            return None
        self.versions[peer] = entered.version
        return entered

    def in_turns(
        self,
        works: Mapping[str, tuple[str, Work]],
        share: float,
        most: int = MOST,
        passes: int = PASSES,
    ) -> "Results":
        """Each (peer, work) does some slices in each round, in a shuffled order.

        Args:
            works: by the names under which they are shown.
            share: of the run's seconds, for all rounds together.
            most: pieces of work by one contestant in a round.
            passes: the slices of one contestant in a round.

        Returns:
            For each contestant the median of each round, in seconds.
        """
        with ExitStack() as stack:
            entered = {name: self.enter(stack, *work) for name, work in works.items()}
            contestants = {name: one for name, one in entered.items() if one is not None}
            for one in contestants.values():
                one.slice(0.0, 1)  # imports and tables that are made once are made here
            seconds = self.seconds * share / self.rounds / passes / len(contestants)
            rounds: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(self.rounds):
                for name, samples in self._round(contestants, seconds, max(1, most // passes), passes):
                    rounds[name].append(statistics.median(samples))
        return Results(rounds, self.absent)

    def _round(
        self, contestants: Mapping[str, Contestant], seconds: float, most: int, passes: int
    ) -> Iterable[tuple[str, list[float]]]:
        samples: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(passes):
            for name in self.shuffler.sample(list(contestants), len(contestants)):
                samples[name] += contestants[name].slice(seconds, most)
        return samples.items()


@dataclass(frozen=True)
class Results:
    """The figure of each round, for every contestant that was there."""

    rounds: Mapping[str, Sequence[float]]
    absent: Mapping[str, str]

    def figures(self, unit: str, factor: float = 1.0) -> tuple[Figure, ...]:
        return tuple(
            Figure(name, unit, spread([value * factor for value in rounds]))
            for name, rounds in self.rounds.items()
        )

    def against(self, name: str, goal: Goal | None, *, ours: str = OURS) -> Verdict:
        """Ours by theirs: the ratio of the figures."""
        what = f"{ours} against {name}"
        if name not in self.rounds:
            return Verdict(what, None, goal, f"{name} is not there")
        return Verdict(what, ratios(self.rounds[ours], self.rounds[name]), goal)

    def against_all(self, goals: Mapping[str, Goal]) -> tuple[Verdict, ...]:
        """First those with a goal, in their order, then all that are there, for information."""
        others = [name for name in self.rounds if name not in goals and name != OURS]
        return tuple(self.against(name, goals.get(name)) for name in (*goals, *others))
