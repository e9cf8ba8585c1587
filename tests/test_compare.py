"""`make bench-compare`: figures that are what they say, and a program that ends and leaves nothing behind.

What it measures is no test. That it measures, and says honestly what, is.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.compare.contestant import Absent, Contestant
from benchmarks.compare.goals import (
    Figure,
    Section,
    Spread,
    Verdict,
    at_least,
    at_most,
    best_of_round,
    ratios,
    spread,
    unsteady,
)
from benchmarks.compare.niquests import python_with_niquests
from benchmarks.compare.options import PEERS, parse
from benchmarks.compare.page import Report, content, held, page
from benchmarks.compare.peers import MODULES, OURS, load, version_of
from benchmarks.compare.rows import ROWS
from benchmarks.compare.rows.small import WITH_THREADS
from benchmarks.compare.run import Results, Run
from benchmarks.compare.servers import Key, Server
from benchmarks.compare.work import Work, opened
from benchmarks.errors import BenchmarkError
from benchmarks.process import ROOT

# Most of them run the program, or a part of it, against servers.
pytestmark = pytest.mark.slow

MEGA = 1_000_000

# The least that can be asked for.
TINY = ("--rounds", "1", "--seconds", "1", "--seed", "7", "--megabytes", "1")

# As long as any run of this module may take, which pytest would end by itself otherwise.
DEADLINE = 100


# --- figures


def test_a_figure_is_the_median_of_the_rounds_between_the_lowest_and_the_highest() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0, 2.5]) == Spread(2.5, 1.0, 10.0)


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine was twice as slow in the second round, for both.
    assert ratios([1.0, 2.0, 1.5], [2.0, 4.0, 2.0]) == Spread(0.5, 0.5, 0.75)


def test_the_fastest_peer_may_be_another_in_each_round() -> None:
    assert best_of_round([[1.0, 5.0], [2.0, 4.0]]) == [2.0, 5.0]


def test_a_goal_is_met_by_its_limit_too() -> None:
    assert at_most(1.1).met_by(1.1)
    assert not at_most(1.1).met_by(1.11)
    assert at_least(3).met_by(3.0)
    assert not at_least(3).met_by(2.99)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert Verdict("against httpx", None, at_most(1), "httpx is not there").met is None
    assert Verdict("against aiohttp", Spread(2.0, 2.0, 2.0), None).met is None


def test_a_peer_that_is_not_there_is_named_in_the_place_of_its_ratio() -> None:
    results = Results({"pystickyhttp": [1.0], "requests": [4.0], "aiohttp": [2.0]}, {"httpx": "no module"})
    httpx, requests, aiohttp = results.against_all({"httpx": at_most(1), "requests": at_most(0.27)})
    assert (httpx.value, httpx.why) == (None, "httpx is not there")
    assert (requests.value, requests.met) == (Spread(0.25, 0.25, 0.25), True)
    assert (aiohttp.what, aiohttp.goal) == ("pystickyhttp against aiohttp", None)


def test_rounds_that_are_more_than_twice_apart_are_unsteady() -> None:
    verdicts = [
        Verdict("steady", Spread(1.5, 1.0, 2.0), None),
        Verdict("unsteady", Spread(1.5, 1.0, 2.1), at_most(1)),
        Verdict("none", None, None),
    ]
    assert unsteady(verdicts) == ["unsteady"]


# --- the page


@pytest.fixture
def report() -> Report:
    verdicts = (
        Verdict("ours against requests", Spread(0.251, 0.2, 0.3), at_most(0.27)),
        Verdict("ours against httpx", None, at_most(0.48), "httpx is not there"),
        Verdict("ours against bare h11", Spread(1.5, 1.4, 1.6), at_most(1.1)),
        Verdict("ours against aiohttp", Spread(1.25, 1.2, 1.3), None),
    )
    figures = (Figure("ours", "ms", Spread(1234.5, 12.34, 1.234)),)
    section = Section("warm", "A warm GET", figures, verdicts, ("how it was done",))
    return Report({"date": "today"}, ("a machine",), ("in turns",), (section,))


def test_a_ratio_that_rounding_would_put_on_the_other_side_of_its_goal_is_shown_with_more_digits() -> None:
    assert held(0.7034, at_most(0.7)) == "0.7034"
    assert held(0.6966, at_most(0.7)) == "0.70"
    assert held(0.2514, at_most(0.27)) == "0.25"


def lines_of(text: str) -> list[str]:
    """With runs of spaces as one, since the columns are as wide as they have to be."""
    return [re.sub(" +", " ", line) for line in text.splitlines()]


def test_the_page_shows_each_goal_beside_the_figure_and_whether_it_was_met(report: Report) -> None:
    lines = lines_of(page(report))
    assert "| A warm GET: ours against requests | 0.25 | at most 0.27 | yes |" in lines
    assert "| A warm GET: ours against bare h11 | 1.50 | at most 1.1 | **no** |" in lines
    assert "| A warm GET: ours against httpx | httpx is not there | at most 0.48 | |" in lines


def test_the_page_shows_the_rounds_between_which_a_median_stands(report: Report) -> None:
    lines = lines_of(page(report))
    assert "| ours | ms | 1,234 | 12.3 | 1.23 |" in lines
    assert "| ours against aiohttp | 1.25 | 1.20 | 1.30 | | |" in lines
    assert {"- a machine", "- how it was done", "- in turns"} <= set(lines)


def test_the_json_holds_the_same_in_full(report: Report) -> None:
    told = json.loads(json.dumps(content(report)))
    assert told["date"] == "today"
    (row,) = told["rows"]
    assert row["verdicts"][0] == {
        "what": "ours against requests",
        "value": {"median": 0.251, "lowest": 0.2, "highest": 0.3},
        "goal": {"bound": "at most", "limit": 0.27},
        "why": "",
        "met": True,
    }


# --- contestants


@pytest.fixture(scope="module")
def embedded() -> Iterator[Server]:
    with Server("embedded", MEGA, ()) as server:
        yield server


@pytest.fixture(scope="module")
def nginx() -> Iterator[Server]:
    with Server("nginx", MEGA, ()) as server:
        yield server


def works(server: Server, peer: str) -> list[Work]:
    """One of each kind that a peer may be asked for."""
    small = [server.work("get"), server.work("get", "https"), server.work("varied"), server.work("once")]
    large = [server.large("read"), server.large("stream"), server.upload()]
    together = [server.work(kind, at_once=2) for kind in ("threads", "threads-once", "fill")]
    return [*small, *large, *(together if peer in WITH_THREADS else ())]


# http.client has no version of its own; pycurl has no wheel for every platform.
HERE = [name for name in MODULES if name == "http.client" or version_of(name)]


@pytest.mark.parametrize("peer", HERE)
def test_each_peer_does_what_it_can_be_asked_for(peer: str, embedded: Server) -> None:
    done = 0
    for work in works(embedded, peer):
        # What a peer can't do says so before it does anything.
        with suppress(NotImplementedError), opened(load(peer), work) as do:
            do(0.0, 2)
            done += 1
    assert done >= 3


@pytest.mark.parametrize("kind", ["nginx", "embedded"])
@pytest.mark.parametrize("key", ["ecdsa", "rsa"])
def test_both_servers_give_tickets_where_they_are_to(
    kind: str, key: Key, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(kind)
    for name, tickets in (("resumed", True), ("full", False)):
        with opened(load(OURS), server.work(name, "https", key=key, tickets=tickets)) as do:
            assert len(do(0.0, 1)) == 1


def test_both_servers_give_the_same_answers(nginx: Server, embedded: Server) -> None:
    for server in (nginx, embedded):
        for work in (server.work("varied", "https"), server.large("stream")):
            with opened(load(OURS), work) as do:
                assert len(do(0.0, 1)) == 1


def test_the_bundle_is_of_the_usual_size_and_has_the_authority_of_the_run(embedded: Server) -> None:
    assert embedded.bundle is not None
    assert Path(embedded.bundle).read_text().count("BEGIN CERTIFICATE") > 100
    work = replace(embedded.work("once", "https"), authority=embedded.bundle)
    with opened(load("requests"), work) as do:
        assert len(do(0.0, 1)) == 1


def test_a_peer_that_is_not_installed_is_told_apart_from_one_that_fails() -> None:
    nowhere = Work("get", "http://127.0.0.1:1/")
    with pytest.raises(Absent, match="niquests"), Contestant("niquests", nowhere):
        pass
    with (
        Contestant("requests", nowhere) as contestant,
        pytest.raises(BenchmarkError, match=r"requests failed at http://127.0.0.1:1/: ConnectionError"),
    ):
        contestant.slice(0.0, 1)


def test_work_whose_outcome_is_not_what_was_to_come_is_not_measured(embedded: Server) -> None:
    work = Work("read", embedded.large("read").url, size=MEGA + 1)
    with (
        Contestant("pystickyhttp", work) as contestant,
        pytest.raises(BenchmarkError, match="1000000 is not the 1000001"),
    ):
        contestant.slice(0.0, 1)


# --- rows


@pytest.mark.parametrize("row", ROWS)
def test_each_row_is_measured_beside_one_peer_and_says_who_is_not_there(row: str, embedded: Server) -> None:
    # Each contestant is a process, so two tell as much as ten; how each peer does each work stands above.
    absent = {name: "left out" for name in PEERS if name != "urllib3"}
    run = Run(embedded, embedded, 1, 0.1, random.Random(7), None, absent=absent, connections=10, hosts=3)
    section = ROWS[row](run)
    assert section.name == row
    assert any(verdict.value is not None for verdict in section.verdicts)
    for verdict in section.verdicts:
        assert verdict.value is not None or verdict.why.removesuffix(" is not there") in absent


# --- the program


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.compare", *options]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*options), cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


def test_a_run_writes_what_it_prints_and_how_to_repeat_it(tmp_path: Path) -> None:
    done = run(
        *TINY,
        "--server",
        "nginx",
        "--only",
        "no-tls",
        "upload",
        "--peers",
        "pycurl",
        "--output",
        str(tmp_path / "new"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith((tmp_path / "new" / "compare.md").read_text())
    told = json.loads((tmp_path / "new" / "compare.json").read_text())
    assert told["server"].startswith("nginx 1.")
    repeat = f"{' '.join(TINY)} --server nginx --only upload no-tls --peers pycurl"
    assert told["command"] == f"python -m benchmarks.compare {repeat}"
    assert told["command"] in done.stdout
    assert f"h11 {told['versions']['h11']}" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rounds", "0"], "'0' should be a whole number from 1 to 100 rounds"),
        (["--seconds", "soon"], "'soon' should be a number from 1 to 3600 s"),
        (["--megabytes", "-1"], "should be a whole number from 1 to 10000 MB"),
        (["--only", "warmth"], "invalid choice: 'warmth'"),
        (["--server", "apache"], "invalid choice: 'apache'"),
        (["--quick"], "unrecognized arguments: --quick"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(options, tuple(ROWS))
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_folder_that_cannot_hold_the_results_is_told_in_one_line_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    done = run("--output", str(tmp_path / "file"))
    assert done.returncode == 1
    assert "cannot hold the results" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("stop", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_run_that_is_ended_leaves_no_process_and_no_folder_behind(
    tmp_path: Path, stop: signal.Signals, status: int
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    program = subprocess.Popen(
        command(
            "--seconds",
            "3600",
            "--only",
            "one-shot",
            "--peers",
            "requests",
            "--output",
            str(tmp_path / "results"),
        ),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests may ignore interrupts, and a program takes that over.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert program.stderr is not None
    assert "one-shot" in program.stderr.readline()
    assert list(folder.iterdir())
    program.send_signal(stop)
    # It ends when nobody has the other end of it any more: neither the program nor anyone whom it started.
    said, _ = program.communicate(timeout=DEADLINE)[::-1]
    assert program.returncode == status
    assert said == ("benchmark: interrupted\n" if stop == signal.SIGINT else "")
    assert list(folder.iterdir()) == []


def test_an_environment_for_niquests_that_cannot_be_made_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(BenchmarkError, match=r"no environment for niquests \(.*\): leave out --niquests"):
        python_with_niquests(tmp_path)
    assert list(tmp_path.iterdir()) == []
