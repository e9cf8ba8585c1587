"""The guard of the hot path: the calls of a warm GET are counted, and held to what is written down.

Time can't be a test: no machine is quiet. The number of calls is exact.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.hotpath import THIS_VERSION, Noted, count, note, noted, too_many


def test_a_warm_get_takes_at_most_a_tenth_more_python_calls_than_are_written_down() -> None:
    written = noted()
    # Who is the first on a new version of Python is held to the most of the others.
    most = max(each.python_calls for each in written.values())
    expected = written[THIS_VERSION].python_calls if THIS_VERSION in written else most
    calls = count().python
    assert not too_many(calls, expected), (
        f"a warm GET takes {calls} calls of Python functions, and {expected} are written down for Python "
        f"{THIS_VERSION}: take out what was put into the hot path, or, where it is worth it, write the new "
        f"number down by `python -m benchmarks.hotpath --write`"
    )


def test_the_count_is_the_same_each_time() -> None:
    assert count().python == count().python


def test_a_tenth_more_is_allowed_and_one_call_above_that_is_not() -> None:
    assert not too_many(330, 300)
    assert too_many(331, 300)


def test_to_write_down_the_calls_of_one_version_keeps_those_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "hot_path.json"
    note(Noted(python_calls=200, instructions=None), file)
    file.write_text(file.read_text().replace(THIS_VERSION, "2.7"))
    note(Noted(python_calls=300, instructions=1_000_000), file)
    assert noted(file) == {"2.7": Noted(200, None), THIS_VERSION: Noted(300, 1_000_000)}


def test_the_calls_are_written_down_for_every_version_that_is_supported() -> None:
    assert {"3.11", "3.12", "3.13"} <= noted().keys()
