"""From rounds to figures, ratios and goals. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Bound = Literal["at most", "at least"]


@dataclass(frozen=True)
class Goal:
    bound: Bound
    limit: float

    def met_by(self, value: float) -> bool:
        return value <= self.limit if self.bound == "at most" else value >= self.limit

    def __str__(self) -> str:
        return f"{self.bound} {self.limit:g}"


def at_most(limit: float) -> Goal:
    return Goal("at most", limit)


def at_least(limit: float) -> Goal:
    return Goal("at least", limit)


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, between the lowest and the highest."""

    median: float
    lowest: float
    highest: float


def spread(rounds: Sequence[float]) -> Spread:
    return Spread(statistics.median(rounds), min(rounds), max(rounds))


@dataclass(frozen=True)
class Figure:
    """What one contestant has reached in a row."""

    contestant: str
    unit: str
    value: Spread


@dataclass(frozen=True)
class Verdict:
    """A figure of a row: what it compares, what came out, and the goal that it is held to, if any."""

    what: str
    # None where it was not measured, and then `why` says why not.
    value: Spread | None
    goal: Goal | None
    why: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is nothing to meet, or nothing was measured."""
        if self.value is None or self.goal is None:
            return None
        return self.goal.met_by(self.value.median)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours by theirs within each round: what shakes the machine for a while shakes both."""
    return spread([mine / other for mine, other in zip(ours, theirs, strict=True)])


def best_of_round(several: Sequence[Sequence[float]]) -> list[float]:
    """The highest of several contestants, in each round."""
    return [max(each) for each in zip(*several, strict=True)]


# Of the highest round by the lowest: an idle machine shows less for all but the quickest of things.
STEADY = 2.0


def unsteady(verdicts: Iterable[Verdict]) -> list[str]:
    """What was said of the rounds that contradict each other: a median of these may be an accident."""
    return [
        verdict.what
        for verdict in verdicts
        if verdict.value is not None and verdict.value.highest > STEADY * verdict.value.lowest
    ]


@dataclass(frozen=True)
class Section:
    """All that was found out for one row."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
