"""The exact cost of the hot path: see `benchmarks.hotpath`."""

from benchmarks.compare.goals import Figure, Section, Verdict, at_most, spread
from benchmarks.compare.run import Run
from benchmarks.hotpath import GROWTH, THIS_VERSION, count, noted


def hot_path(run: Run) -> Section:
    counted = count()
    before = noted().get(THIS_VERSION)
    verdict = Verdict(
        "Python calls, against those written down", None, at_most(GROWTH), "none are written down"
    )
    if before is not None:
        verdict = Verdict(verdict.what, spread([counted.python / before.python_calls]), verdict.goal)
    return Section(
        "calls",
        "Calls of a warm GET",
        (
            Figure("of Python functions", "", spread([counted.python])),
            Figure("of C functions", "", spread([counted.c])),
        ),
        (verdict,),
        (f"counted in a process of its own, on Python {THIS_VERSION}",),
    )
