"""`python -m benchmarks.readme`: puts the figures of the last runs into the README.

It takes `compare.json` and `pooling.json` from benchmarks/results, keeps them in benchmarks/charts beside the
chart that it draws from them, and writes chart and table, each between two marks, in README.md. Where one of
them is not in benchmarks/results, what benchmarks/charts has of it stays. Nothing there is written by hand,
and a test holds the README to the figures that are kept.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.compare.goals import Goal
from benchmarks.compare.page import digits, held
from benchmarks.compare.peers import OURS
from benchmarks.environment import described, numbered
from benchmarks.errors import BenchmarkError
from benchmarks.folder import RESULTS, make_folder
from benchmarks.markdown import picture, table
from benchmarks.process import ROOT
from benchmarks.report import Report, read_json, said

README = ROOT / "README.md"
CHARTS = ROOT / "benchmarks" / "charts"

# As a link from the README.
FOLDER = "benchmarks/charts/"
CHART = "pooling"
KEPT = ("pooling.json", "compare.json")

BEGIN = "<!-- {}: from here to the end mark `python -m benchmarks.readme` writes -->"
END = "<!-- {}: end -->"

LEGEND = (
    "What this client is held to, met or not: ours and theirs are medians, and the figure is the median of "
    "the ratios of ours to theirs in each round (or what else the line is about)."
)

COMMANDS = "make bench bench-compare readme"

# The rows of `make bench-compare` in few words; what isn't here has no goal.
TITLES = {
    "warm": "small warm GET",
    "varied": "small warm GET, new URL and header each time",
    "warm-https": "small warm GET over https",
    "one-shot": "one-shot `get()`, http",
    "one-shot-https": "one-shot `get()`, https, usual roots",
    "resumed": "new connection, https",
    "stream": "100 MB by `iter_content`",
    "content": "100 MB by `.content`",
    "content-memory": "memory for 100 MB by `.content`",
    "upload": "100 MB PUT from a file",
    "threads": "8 threads on one session",
    "idle-pool": "acquire and release in the pool",
    "import": "`import`",
    "no-tls": "first session and http GET",
    "calls": "calls of a warm GET",
}

HEADS = ("what", "ours", "against", "theirs", "figure", "goal", "met")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        make_folder(options.charts)
        keep(options.results, options.charts)
        update(options.readme, options.charts)
    except (BenchmarkError, OSError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    print(f"{options.readme} has the figures of {options.charts}")
    return 0


def keep(results: Path, charts: Path) -> None:
    """Copies the figures that are there, and draws the chart of what is kept."""
    # matplotlib takes a second to import, and the README's test has no need of it.
    from benchmarks.chart import draw
    from benchmarks.theme import save

    for name in KEPT:
        if (results / name).exists():
            shutil.copyfile(results / name, charts / name)
        elif not (charts / name).exists():
            raise BenchmarkError(f"there is no {name} in {results}: `{COMMANDS}` makes it")
    save(partial(draw, read_json(charts / KEPT[0])), charts, CHART, ("svg",))


def update(readme: Path, charts: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    for name, lines in written(charts).items():
        before, _, after = parts(text, name)
        text = f"{before}{lines}{after}"
    readme.write_text(text, encoding="utf-8")


def parts(text: str, name: str) -> tuple[str, str, str]:
    """What stands ahead of the marks of this name, between them, and behind.

    Raises:
        BenchmarkError: they are not there.
    """
    first, last = BEGIN.format(name), END.format(name)
    before, begin, rest = text.partition(f"{first}\n")
    between, end, after = rest.partition(last)
    if not begin or not end:
        raise BenchmarkError(f"the README lacks the marks {first!r} and {last!r}")
    return before + begin, between, end + after


def written(charts: Path) -> dict[str, str]:
    """What stands between the marks of each name, from the figures in this folder."""
    compared = json.loads((charts / "compare.json").read_text(encoding="utf-8"))
    return {"chart": drawn(read_json(charts / "pooling.json")), "table": measured(compared)}


def drawn(pooled: Report) -> str:
    """The chart, with its date and machine. Pure."""
    source = f"Drawn from a run of {pooled.facts['date'][:10]}: {described(pooled.facts['machine'])}."
    return "\n".join(["", *picture(CHART, said(pooled), FOLDER), "", source, ""]) + "\n"


def measured(compared: Mapping[str, Any]) -> str:
    """The table, with its date and what it was measured with. Pure."""
    source = (
        f"Measured on {compared['date'][:10]}: {described(compared['machine'])}; "
        f"server: {compared['server']}; {numbered(compared['versions'])}."
    )
    return "\n".join(["", LEGEND, "", *goals(compared), "", source, ""]) + "\n"


def goals(compared: Mapping[str, Any]) -> list[str]:
    """A line for each goal, met or not."""
    return table(
        HEADS,
        [
            _goal(row, verdict)
            for row in compared["rows"]
            for verdict in row["verdicts"]
            if verdict["goal"] is not None
        ],
    )


def _goal(row: Mapping[str, Any], verdict: Mapping[str, Any]) -> tuple[str, ...]:
    figures = {each["contestant"]: each for each in row["figures"]}
    ours, _, theirs = verdict["what"].replace(", against ", " against ").partition(" against ")
    goal = Goal(**verdict["goal"])
    figure = verdict["why"] if verdict["value"] is None else held(verdict["value"]["median"], goal)
    met = {True: "yes", False: "**no**", None: ""}[verdict["met"]]
    title = TITLES[row["name"]] + ("" if ours == OURS else f", {ours}")
    return title, _taken(figures, ours), theirs, _taken(figures, theirs), figure, str(goal), met


def _taken(figures: Mapping[str, Any], contestant: str) -> str:
    if contestant not in figures:
        return ""
    figure = figures[contestant]
    return f"{digits(figure['value']['median'])} {figure['unit']}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="the last runs")
    parser.add_argument("--charts", type=Path, default=CHARTS, metavar="DIR", help="where they are kept")
    parser.add_argument("--readme", type=Path, default=README, metavar="FILE", help="the file with the marks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
