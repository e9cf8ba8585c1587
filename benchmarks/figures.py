"""From samples to figures: medians, percentiles, rates and ratios. Pure, and in seconds throughout."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Mode = Literal["pooled", "fresh"]

# As far apart as the medians of a case's turns may be: well above what a machine at rest shows, and below the
# factor of two by which a change of processors bends a warm GET.
STEADY = 1.5

MODES: tuple[Mode, ...] = ("pooled", "fresh")


@dataclass(frozen=True)
class Case:
    """One thing that is measured, once per round."""

    scheme: str
    # The simulated round trip in milliseconds; None for a server of the user's, whose distance is real.
    round_trip_ms: float | None
    client: str
    mode: Mode


@dataclass(frozen=True)
class Turn:
    """What one turn of a case brought; its requests include those that were not timed."""

    case: Case
    samples: tuple[float, ...]
    requests: int
    connections: int | None


@dataclass(frozen=True)
class Row:
    """All turns of a case together."""

    case: Case
    timed: int
    median: float
    p95: float
    per_second: float
    requests: int
    # As counted by the server; None where nobody counts.
    connections: int | None
    # The medians of the single turns show how steady the machine was.
    turn_medians: tuple[float, ...]
    # Median fresh by median pooled: in the rows of fresh sessions.
    fresh_over_pooled: float | None


@dataclass(frozen=True)
class WarmRow:
    """Warm GETs of one client on its one connection."""

    client: str
    timed: int
    median: float
    p95: float
    per_second: float
    # Median by the median of the bare h11 loop.
    over_floor: float


def percentile(samples: Sequence[float], percent: float) -> float:
    """By nearest rank: always a sample that was measured, also when there are few."""
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def rows(turns: Iterable[Turn], order: Iterable[Case]) -> list[Row]:
    """One row per case in the order given; the turns come in the order in which they were taken."""
    by_case: dict[Case, list[Turn]] = {case: [] for case in order}
    for turn in turns:
        by_case[turn.case].append(turn)
    return [_row(case, by_case) for case in by_case]


def unsteady(figures: Iterable[Row]) -> list[Case]:
    """The cases whose turns contradict each other: a median over all of them may be an accident."""
    return [row.case for row in figures if max(row.turn_medians) > STEADY * min(row.turn_medians)]


def _row(case: Case, by_case: dict[Case, list[Turn]]) -> Row:
    turns = by_case[case]
    samples = _samples(turns)
    median = statistics.median(samples)
    pooled = by_case.get(replace(case, mode="pooled"), [])
    counts = [turn.connections for turn in turns if turn.connections is not None]
    return Row(
        case=case,
        timed=len(samples),
        median=median,
        p95=percentile(samples, 95),
        per_second=len(samples) / sum(samples),
        requests=sum(turn.requests for turn in turns),
        connections=sum(counts) if counts else None,
        turn_medians=tuple(statistics.median(turn.samples) for turn in turns),
        fresh_over_pooled=(
            median / statistics.median(_samples(pooled)) if pooled and case.mode == "fresh" else None
        ),
    )


def _samples(turns: Iterable[Turn]) -> list[float]:
    return [sample for turn in turns for sample in turn.samples]


def warm_rows(samples: dict[str, list[float]], floor: str) -> list[WarmRow]:
    """One row per client, in the order given; `floor` is the one that the others are set beside."""
    base = statistics.median(samples[floor])
    return [
        WarmRow(
            client=client,
            timed=len(taken),
            median=statistics.median(taken),
            p95=percentile(taken, 95),
            per_second=len(taken) / sum(taken),
            over_floor=statistics.median(taken) / base,
        )
        for client, taken in samples.items()
    ]
