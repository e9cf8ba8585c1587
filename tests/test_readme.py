"""The README's programs and commands run as they stand there, against servers on the loopback.

A block is passed over only where the line above it says why: `<!-- not run: the reason -->`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.on_loopback import resolver_of
from tests.servers.proxies import ProxyServer, basic
from tests.servers.real import RealServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# With the end of the line above it, where that says why the block is not run.
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why_not>[^\n]+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_PRINTS = re.compile(r"# prints (.*)$", re.MULTILINE)
# What hangs is ended then; `bench` ends by itself after half of it, however slow the machine is.
LONGEST = 60.0
_COMMANDS = ("pystickyhttp", "python -m pystickyhttp")


@dataclass(frozen=True)
class Block:
    """A piece of the README in a fence.

    Attributes:
        language: what stands behind the fence.
        text: what stands within.
        line: the number of its first line.
        why_not: the reason for which it is not run, or None.
    """

    language: str
    text: str
    line: int
    why_not: str | None

    def __str__(self) -> str:
        return f"line {self.line}"

    def steps(self) -> list[Step]:
        """The commands, each with what it shows, up to the next prompt."""
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        told = [
            (command, shown.splitlines()) for command, _, shown in (part.partition("\n") for part in parts)
        ]
        steps: list[Step] = []
        for command, lines in told:
            if command == "echo $?":
                steps[-1] = replace(steps[-1], code=int(lines[0]))
            else:
                steps.append(Step(command, lines))
        return steps


@dataclass(frozen=True)
class Step:
    """A command behind a prompt, the lines that it shows, and the exit code that it ends with."""

    command: str
    lines: list[str]
    code: int = 0

    def words(self) -> list[str]:
        """Those lines that no figure of another machine, and of another day, is in."""
        return [_words(line) for line in self.lines if re.fullmatch(r"\D*\w\D*", line)]


def _words(line: str) -> str:
    """A line of output without what lines it up."""
    return " ".join(line.split())


def _blocks(*languages: str) -> list[Block]:
    return [
        Block(
            found["language"], found["text"], README.count("\n", 0, found.start("text")) + 1, found["why_not"]
        )
        for found in _BLOCK.finditer(README)
        if found["language"] in languages
    ]


def _run(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block.why_not is None]


PROGRAMS = _blocks("python")
SESSIONS = _blocks("console")


@pytest.fixture
def places(httpbin_server: RealServer, httpbin_tls_server: RealServer) -> Iterator[dict[str, int]]:
    """Where the hosts of the README are: the port on the loopback for each "host:port"."""
    plain, tls = httpbin_server.port, httpbin_tls_server.port
    names = ("httpbin.org", "example.com", "api.example.com")
    served = {f"{name}:{port}": at for name in names for port, at in ((80, plain), (443, tls))}
    origins = {place: ("127.0.0.1", port) for place, port in served.items()}
    with ProxyServer(origins, authorization=basic("user", "password")) as proxy:
        yield {
            **served,
            "localhost:8000": plain,
            "localhost:8001": 9,  # where nobody listens: the port is reserved for throwing away (RFC 863)
            "localhost:8443": tls,
            "proxy.example:3128": proxy.port,
        }


@pytest.fixture
def log_as_it_was() -> Iterator[None]:
    """A program that turns a log on leaves it so for the tests that come after it."""
    log = logging.getLogger("pystickyhttp")
    level = log.level
    yield
    log.setLevel(level)


@pytest.mark.usefixtures("log_as_it_was")
@pytest.mark.parametrize("program", _run(PROGRAMS), ids=str)
def test_each_program_runs_and_prints_what_it_says(
    program: Block,
    places: dict[str, int],
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver_of(places))
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    monkeypatch.chdir(tmp_path)
    # With as many lines ahead of it as the README has, so that a traceback names those. The brackets keep
    # pytest from showing all of the file.
    code = compile("\n" * (program.line - 1) + program.text, "<README.md>", "exec")
    exec(code, {"__name__": "__main__"})
    told = _PRINTS.findall(program.text)
    if told:
        assert capsys.readouterr().out.splitlines() == told


def _put_on_path(folder: Path) -> None:
    """The program by both of its names, as in an environment that it was installed into."""
    for name in ("pystickyhttp", "python"):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.on_loopback {name} "$@"\n')
        script.chmod(0o755)


@pytest.mark.parametrize("session", _run(SESSIONS), ids=str)
def test_each_command_runs_and_shows_what_it_says(
    session: Block, places: dict[str, int], ca_file: str, tmp_path: Path
) -> None:
    programs, work = tmp_path / "bin", tmp_path / "work"
    for folder in (programs, work):
        folder.mkdir()
    _put_on_path(programs)
    shutil.copy(ca_file, work / "ca.pem")
    (work / "cats.jpg").write_bytes(b"\xff\xd8 cats")
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SSL_CERT_FILE": ca_file,
        "PLACES": json.dumps(places),
        "COLUMNS": "100",
    }
    for step in session.steps():
        done = subprocess.run(
            ["sh", "-c", step.command],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert done.returncode == step.code, f"{step.command}\n{done.stdout}"
        shown = {_words(line) for line in done.stdout.splitlines()}
        assert [line for line in step.words() if line not in shown] == [], done.stdout


def test_each_command_line_is_one_of_a_session_that_is_run() -> None:
    """A command in a block of another kind would never be tried."""
    for block in _blocks("sh", "text", "bash", "shell"):
        for line in block.text.splitlines():
            assert not line.removeprefix("$ ").startswith(_COMMANDS), f"README.md, {block}: {line}"


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_each_program_is_python_and_one_that_is_not_run_says_why(program: Block) -> None:
    compile(program.text, "README.md", "exec")
    assert program.why_not is None or len(program.why_not) > 20


# --- links


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE))


def _anchors() -> set[str]:
    """The anchors that GitHub makes of the headings."""
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    made: dict[str, int] = {}
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        again = made.get(name, 0)
        made[name] = again + 1
        anchors.add(f"{name}-{again}" if again else name)
    return anchors


def _targets() -> set[str]:
    prose = _without_code(README)
    return {
        *re.findall(r"\]\(([^)\s]+)[^)]*\)", prose),
        *re.findall(r"(?:src|href|srcset)=\"([^\"\s]+)", prose),
    }


def test_no_link_within_leads_nowhere() -> None:
    within = {target for target in _targets() if not re.match(r"https?://", target)}
    assert within, "there is a table of contents"
    anchors = {f"#{anchor}" for anchor in _anchors()}
    files = {target for target in within if not target.startswith("#")}
    assert sorted(within - files - anchors) == []
    assert sorted(name for name in files if not (ROOT / name.partition("#")[0]).exists()) == []


def test_each_section_is_in_the_table_of_contents() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    sections = re.findall(r"^## (.+)$", prose, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", section.lower()).replace(" ", "-") for section in sections}
    assert sorted(slugs - {target[1:] for target in _targets() if target.startswith("#")}) == []


def test_the_first_screen_has_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:35])
    for wanted in ("pip install", "import pystickyhttp as requests", "make bench", "make test"):
        assert wanted in first_screen
