"""`make bench` and `make bench-growth`, and what the README shows: pages, charts, programs that run.

What they measure is no test. That they measure, and show what they measured, is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import chart, page
from benchmarks.compare.goals import Spread
from benchmarks.environment import described, machine
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Case, Mode, Row, WarmRow
from benchmarks.growth import chart as growth_chart
from benchmarks.growth import page as growth_page
from benchmarks.growth.figures import Growth, Line, Scale, content, from_content, size
from benchmarks.growth.figures import Report as Grown
from benchmarks.markdown import table
from benchmarks.process import ROOT
from benchmarks.readme import BEGIN, CHARTS, END, README, goals, keep, parts, update, written
from benchmarks.report import Report, read_json, said, write_json
from benchmarks.theme import THEMES, save, smaller, spread_apart

# As long as any run of this module may take, which pytest would end by itself otherwise.
DEADLINE = 100

# What a README shows without being slow.
MOST_BYTES = 150_000


def run(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def row(scheme: str, client: str, mode: Mode, median: float) -> Row:
    return Row(
        case=Case(scheme, 20.0, client, mode),
        timed=10,
        median=median,
        p95=2 * median,
        per_second=1 / median,
        requests=11,
        connections=1 if mode == "pooled" else 11,
        turn_medians=(median, median),
        fresh_over_pooled=None if mode == "pooled" else 3.0,
    )


@pytest.fixture
def report() -> Report:
    facts = {
        "date": "2026-11-21T12:00:00+00:00",
        "command": "python -m benchmarks.pooling",
        "machine": machine(),
        "versions": {"pystickyhttp": "0.1.0"},
        "parameters": {"server": "embedded", "rounds": 5, "rounds_taken": 5},
    }
    rows = [
        row(scheme, client, mode, 0.021 if mode == "pooled" else 0.063)
        for scheme in ("http", "https")
        for client in ("pystickyhttp", "requests")
        for mode in ("pooled", "fresh")
    ]
    warm = [
        WarmRow("bare h11 loop", 10, 1e-4, 2e-4, 1e4, 1.0),
        WarmRow("pystickyhttp", 10, 1.1e-4, 2e-4, 9e3, 1.1),
    ]
    return Report(facts, ("how it was done",), rows, warm)


@pytest.fixture
def grown() -> Grown:
    scale = Scale("threads", "By threads", "threads", "requests/s", "higher is better", "how it was done")
    lines = tuple(
        Line(name, (Spread(median, 1.0, 9000.0), Spread(2 * median, 1.0, 9000.0)))
        for name, median in (
            ("pystickyhttp, pooled", 4000.0),
            ("pystickyhttp, fresh", 3990.0),
            ("requests", 600.0),
        )
    )
    return Grown({"date": "today"}, ("a run", "a machine"), ("in turns",), (Growth(scale, (1, 64), lines),))


def well_formed(files: Sequence[Path]) -> list[str]:
    for file in files:
        if file.suffix == ".svg":
            ElementTree.parse(file)
            assert file.stat().st_size < MOST_BYTES
        else:
            assert file.read_bytes().startswith(b"\x89PNG")
    return sorted(file.name for file in files)


# --- pieces


def test_labels_that_would_meet_move_apart_and_keep_their_order() -> None:
    assert spread_apart([10.0, 100.0, 12.0], 5.0) == [8.5, 100.0, 13.5]
    assert spread_apart([0.0, 0.0, 0.0], 2.0) == [-2.0, 0.0, 2.0]


def test_labels_that_are_far_enough_from_each_other_stay() -> None:
    assert spread_apart([30.0, 10.0, 20.0], 10.0) == [30.0, 10.0, 20.0]
    assert spread_apart([], 1.0) == []


def test_a_drawing_becomes_smaller_by_digits_that_nobody_sees() -> None:
    drawn = '<g>\n   <use x="12.345678" y="-3.1" transform="scale(0.015625)"/>\n</g>'
    assert smaller(drawn) == '<g>\n<use x="12.34" y="-3.1" transform="scale(0.015625)"/>\n</g>'


def test_a_table_of_markdown_reads_as_one_in_a_terminal() -> None:
    assert table(("what", "ms"), [("a", "1,234"), ("longer", "5")]) == [
        "| what   |    ms |",
        "| ------ | ----: |",
        "| a      | 1,234 |",
        "| longer |     5 |",
    ]


def test_the_machine_is_told_without_the_name_of_its_build() -> None:
    assert described(
        {"platform": "Linux 6.1, x86_64", "processor": None, "cpus": 2, "python": "CPython 3.11"}
    ) == ("Linux 6.1, x86_64, 2 CPUs, CPython 3.11")
    assert "-" not in str(machine()["platform"]).split(",")[0]


def test_sizes_are_told_in_the_unit_that_they_are_whole_in() -> None:
    assert [size(count) for count in (1, 1_000, 100_000, 10_000_000)] == ["1 B", "1 KB", "100 KB", "10 MB"]


# --- make bench


def test_a_report_is_the_same_after_it_was_written_and_read(report: Report, tmp_path: Path) -> None:
    write_json(report, tmp_path / "pooling.json")
    assert read_json(tmp_path / "pooling.json") == report


def test_the_page_has_a_line_for_each_client_with_what_pooling_gains(report: Report) -> None:
    lines = page.page(report, "pooling", said(report)).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells.count(["pystickyhttp", "21.0", "42.0", "63.0", "126", "3.0", "11 / 11", "1 / 11"]) == 2
    assert ["pystickyhttp", "110", "200", "9,000", "10", "1.10"] in cells
    assert {"### http, 20 ms", "### https, 20 ms", "- how it was done"} <= set(lines)


def test_the_chart_is_told_in_words_to_those_who_do_not_see_it(report: Report) -> None:
    assert said(report) == (
        "Median time of a GET with pystickyhttp. http, 20 ms: 21.0 ms pooled, 63.0 ms fresh; "
        "https, 20 ms: 21.0 ms pooled, 63.0 ms fresh."
    )


def test_charts_are_drawn_for_light_and_dark_screens(report: Report, tmp_path: Path) -> None:
    files = save(partial(chart.draw, report), tmp_path, "pooling", ("svg", "png"))
    assert well_formed(files) == [
        "pooling-dark.png",
        "pooling-dark.svg",
        "pooling-light.png",
        "pooling-light.svg",
    ]


def test_the_same_figures_make_the_same_drawing(report: Report, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        save(partial(chart.draw, report), folder, "pooling", ("svg",))
    for theme in THEMES:
        name = f"pooling-{theme.name}.svg"
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.slow
def test_a_run_of_make_bench_leaves_figures_page_and_charts(tmp_path: Path) -> None:
    options = ("--clients", "pystickyhttp", "--rounds", "1", "--seconds", "1", "--rtt", "0", "--seed", "7")
    done = run("benchmarks.pooling", *options, "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    taken = read_json(tmp_path / "pooling.json")
    assert {row.case.mode for row in taken.rows} == {"pooled", "fresh"}
    assert taken.facts["command"].startswith("python -m benchmarks.pooling --rounds 1 --seconds 1 --seed 7")
    assert (tmp_path / "pooling.md").read_text(encoding="utf-8") == page.page(taken, "pooling", said(taken))
    assert len(well_formed(list(tmp_path.glob("pooling-*.*")))) == 4


# --- make bench-growth


def test_what_has_grown_is_the_same_after_it_was_written_and_read(grown: Grown) -> None:
    assert from_content(json.loads(json.dumps(content(grown)))) == grown


def test_the_page_of_growth_has_a_line_for_each_point(grown: Grown) -> None:
    lines = growth_page.page(grown).splitlines()
    assert "| 1                   |                4,000 |               3,990 |      600 |" in lines
    assert "| 64                  |                8,000 |               7,980 |    1,200 |" in lines
    assert {"- requests/s, medians: higher is better", "- how it was done", "- in turns"} <= set(lines)


def test_points_whose_rounds_are_far_apart_are_named(grown: Grown) -> None:
    (axis,) = grown.axes
    steady = Line("requests", (Spread(600.0, 500.0, 1000.0), Spread(600.0, 499.0, 1000.0)))
    assert growth_page.unsteady(replace(axis, lines=(steady,))) == ["requests at 64"]


def test_the_chart_of_growth_is_drawn_for_light_and_dark_screens(grown: Grown, tmp_path: Path) -> None:
    assert len(well_formed(save(partial(growth_chart.draw, grown), tmp_path, "growth", ("svg",)))) == 2


@pytest.mark.slow
def test_a_run_of_make_bench_growth_leaves_figures_page_and_charts(tmp_path: Path) -> None:
    options = ("--only", "round-trip", "--ends", "--peers", "urllib3", "--rounds", "1", "--seconds", "1")
    done = run("benchmarks.growth", *options, "--server", "embedded", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    taken = from_content(json.loads((tmp_path / "growth.json").read_text(encoding="utf-8")))
    (axis,) = taken.axes
    assert [line.name for line in axis.lines] == ["pystickyhttp, pooled", "pystickyhttp, fresh", "urllib3"]
    # The relay holds each byte so long, so that no answer can be there earlier.
    assert all(line.values[-1].lowest >= 100 for line in axis.lines)
    assert (tmp_path / "growth.md").read_text(encoding="utf-8") == growth_page.page(taken)
    assert len(well_formed(list(tmp_path.glob("growth-*.*")))) == 4


# --- the README


def test_the_readme_shows_the_figures_that_are_stored_beside_its_chart() -> None:
    readme = README.read_text(encoding="utf-8")
    assert {name: parts(readme, name)[1] for name in ("chart", "table")} == written(CHARTS)


def test_the_charts_of_the_readme_are_there_and_small() -> None:
    assert well_formed(list(CHARTS.glob("*.svg"))) == ["pooling-dark.svg", "pooling-light.svg"]


def test_the_table_has_goals_that_were_missed_as_well_as_those_that_were_met() -> None:
    value = {"median": 0.251, "lowest": 0.2, "highest": 0.3}
    figures = [
        {"contestant": name, "unit": "µs", "value": {**value, "median": median}}
        for name, median in (("pystickyhttp", 120.0), ("requests", 700.0))
    ]
    met = {
        "what": "pystickyhttp against requests",
        "value": value,
        "goal": {"bound": "at most", "limit": 0.27},
        "why": "",
        "met": True,
    }
    missed = {**met, "goal": {"bound": "at most", "limit": 0.2}, "met": False}
    absent = {
        **met,
        "what": "pystickyhttp against httpx",
        "value": None,
        "why": "httpx is not there",
        "met": None,
    }
    unbound = {**met, "goal": None, "met": None}
    rows = [{"name": "warm", "figures": figures, "verdicts": [met, missed, absent, unbound]}]
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in goals({"rows": rows})[2:]]
    assert told == [
        ["small warm GET", "120 µs", "requests", "700 µs", "0.25", "at most 0.27", "yes"],
        ["small warm GET", "120 µs", "requests", "700 µs", "0.25", "at most 0.2", "**no**"],
        ["small warm GET", "120 µs", "httpx", "", "httpx is not there", "at most 0.27", ""],
    ]


def test_what_stands_around_the_marks_stays(tmp_path: Path) -> None:
    def page(chart: str, table: str) -> str:
        chart = f"{BEGIN.format('chart')}\n{chart}{END.format('chart')}"
        table = f"{BEGIN.format('table')}\n{table}{END.format('table')}"
        return f"before\n{chart}\nbetween\n{table}\nafter\n"

    readme = tmp_path / "README.md"
    readme.write_text(page("old\n", "old\n"), encoding="utf-8")
    for _ in range(2):
        update(readme, CHARTS)
        assert readme.read_text(encoding="utf-8") == page(**written(CHARTS))


def test_a_readme_without_the_marks_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(BenchmarkError, match="lacks the marks"):
        update(tmp_path / "README.md", CHARTS)


def test_figures_that_nobody_has_measured_are_told_with_the_command_that_does(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="make bench bench-compare readme"):
        keep(tmp_path, tmp_path)


def test_a_url_of_the_users_has_a_chart_of_its_one_place(report: Report, tmp_path: Path) -> None:
    rows = [replace(row, case=replace(row.case, round_trip_ms=None)) for row in report.rows[:4]]
    files = save(partial(chart.draw, replace(report, rows=rows, warm=())), tmp_path, "url", ("svg",))
    assert len(well_formed(files)) == 2
