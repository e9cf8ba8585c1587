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
from pystickyhttp import api, arguments

PROGRAM = Path(__file__).parent / "typed_user.py"


@pytest.mark.skipif(
    find_spec("mypy") is None, reason="mypy comes with the group lint, and `make lint` runs it too"
)
def test_a_program_of_a_user_is_well_typed(tmp_path: Path) -> None:
    """From a folder of its own, so that no setting of this project counts."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, program.name],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(PROGRAM.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


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
    options = getattr(arguments, taken.pop("kwargs").removeprefix("Unpack[").removesuffix("]"))
    taken |= {each: kind.__forward_arg__ for each, kind in options.__annotations__.items()}
    expected = dict(pystickyhttp.Session.request.__annotations__)
    del expected["method"]
    assert taken == expected
