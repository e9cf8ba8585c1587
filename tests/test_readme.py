"""The README's programs run as they stand there, against httpbin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


PRINTS = re.compile(r"# prints (.*)$", re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
@pytest.mark.usefixtures("names_to_loopback")
def test_each_program_runs_and_prints_what_it_says(
    program: str,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {})
    told = PRINTS.findall(program)
    if told:
        assert capsys.readouterr().out.splitlines() == told


def test_the_first_screen_has_the_two_commands() -> None:
    first_screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:35])
    for wanted in ("pip install", "import pystickyhttp as requests", "make bench", "make test"):
        assert wanted in first_screen
