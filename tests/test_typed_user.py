"""The types are those that a user needs: a program with all public names, held to mypy --strict."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp import api, keywords

PROGRAM = Path(__file__).parent / "typed_user.py"


needs_mypy = pytest.mark.skipif(
    find_spec("mypy") is None, reason="mypy comes with the group lint, and `make lint` runs it too"
)
# What has names that are there only when they are asked for.
WITH_LATE_NAMES = ["", ".auth", ".compat", ".cookies", ".transport", ".utils"]


def checked(folder: Path, program: str) -> tuple[int, str]:
    """What mypy --strict says of a program, in a folder of its own, so that no setting of ours counts."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "program.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(PROGRAM.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.slow
@needs_mypy
def test_a_program_of_a_user_is_well_typed(tmp_path: Path) -> None:
    code, said = checked(tmp_path, PROGRAM.read_text(encoding="utf-8"))
    assert code == 0, said


@pytest.mark.slow
@needs_mypy
def test_a_misspelt_name_is_found_by_the_type_checker(tmp_path: Path) -> None:
    lines = [f"from pystickyhttp{module} import Mispelt{n}" for n, module in enumerate(WITH_LATE_NAMES)]
    code, said = checked(tmp_path, "\n".join(lines))
    found = [f'Module "pystickyhttp{module}" has no attribute' for module in WITH_LATE_NAMES]
    assert (code, [each in said for each in found]) == (1, [True] * len(found)), said


def test_the_program_touches_every_public_name() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    touched = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            touched |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
    assert sorted(set(pystickyhttp.__all__) - touched) == []


@pytest.mark.parametrize("name", ["get", "options", "head", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("whose", [api, pystickyhttp.Session])
def test_every_argument_of_a_method_is_that_of_request(whose: Any, name: str) -> None:
    """The types by which a checker finds a name that is mistyped: none is left out, and none too many."""
    taken = dict(getattr(whose, name).__annotations__)
    known = getattr(keywords, taken.pop("kwargs").removeprefix("Unpack[").removesuffix("]"))
    taken |= {each: kind.__forward_arg__ for each, kind in known.__annotations__.items()}
    expected = dict(pystickyhttp.Session.request.__annotations__)
    del expected["method"]
    assert taken == expected
