"""The command line in a terminal, a real one: colours, questions, bars, Ctrl-C; with rich and without it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pystickyhttp.cli.failures import Exit
from tests.command import DEADLINE, WITHOUT_RICH, start, surroundings, terminal
from tests.servers.scripted import Peer, Request, ScriptedServer, keep_alive, respond

AS_JSON = {"Content-Type": "application/json"}
WITH: Sequence[str] = ("-m", "pystickyhttp")
WITHOUT: Sequence[str] = ("-c", WITHOUT_RICH)
BODY = b"x" * 100_000


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shown(*arguments: str, program: Sequence[str] = WITH, **more: str) -> tuple[int, str]:
    with terminal(*arguments, program=program, more=more) as screen:
        return screen.finish()


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_json_is_laid_out_in_colours_with_rich_and_plain_without_it() -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b'{"a":[1.50,"x"]}', headers=AS_JSON))) as server:
        laid_out = '{\n    "a": [\n        1.50,\n        "x"\n    ]\n}\n'
        code, coloured = shown(server.url())
        assert code == 0
        assert "\x1b[" in coloured
        assert without_colours(coloured) == laid_out
        assert shown(server.url(), program=WITHOUT) == (0, laid_out)
        assert shown(server.url(), "--no-color") == (0, laid_out)
        assert shown(server.url(), NO_COLOR="1") == (0, laid_out)
        assert shown(server.url(), TERM="dumb") == (0, laid_out)
        assert shown(server.url(), "--no-pretty") == (0, '{"a":[1.50,"x"]}')
        # A program that reads it gets what came, whoever looks on.
        assert start(server.url()).text == '{"a":[1.50,"x"]}'


def test_text_ends_in_a_line_of_its_own_and_binary_is_not_shown() -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"no end of line"))) as server:
        assert shown(server.url()) == (0, "no end of line\n")
    # Small ones have no NUL as often as not.
    for binary in (b"\x89PNG\0\x1b]0;title", b"\x89PNG\x1a\x1b]0;title", b"PNG\x7f"):
        answer = respond(binary)
        with ScriptedServer(keep_alive(lambda _, answer=answer: answer)) as server:  # type: ignore[misc]
            for program in (WITH, WITHOUT):
                code, text = shown(server.url(), program=program)
                assert code == 0
                assert "the body is binary, and not shown: -o FILE saves it" in without_colours(text)
                assert "PNG" not in text
            assert "PNG" in shown(server.url(), "-o", "-")[1]


def test_text_may_have_colours_and_pages() -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"\x1b[31mred\x1b[0m\tand\x0c\x08\r\n"))) as server:
        assert "red\x1b[0m\tand" in shown(server.url())[1]


def test_a_long_line_is_not_broken() -> None:
    long = json.dumps(["x" * 500])
    with ScriptedServer(keep_alive(lambda _: respond(long, headers=AS_JSON))) as server:
        assert f'"{"x" * 500}"' in without_colours(shown(server.url(), "-v")[1])


def test_a_password_is_asked_for_and_not_shown() -> None:
    def answer(request: Request) -> bytes:
        return respond(request.header("Authorization") or "none")

    with ScriptedServer(keep_alive(answer)) as server:
        with terminal("--auth", "ada", server.url()) as screen:
            screen.wait_for("password of ada: ")
            screen.type("secret\n")
            code, text = screen.finish()
        assert code == 0
        assert "YWRhOnNlY3JldA==" in text
        assert "secret" not in text
        with terminal("--auth", "ada", server.url()) as screen:
            screen.wait_for("password of ada: ")
            screen.type("\x04")
            code, text = screen.finish()
        assert code == Exit.USAGE
        assert "there is no password" in text


@pytest.mark.parametrize(
    ("answer", "code", "content"),
    [("y\n", 0, BODY), ("\n", Exit.WRITE_FAILED, b"mine"), ("\x04", 23, b"mine")],
)
def test_who_is_there_is_asked_before_a_file_is_replaced(answer: str, code: int, content: bytes) -> None:
    Path("a").write_bytes(b"mine")
    with ScriptedServer(keep_alive(lambda _: respond(BODY))) as server:
        with terminal("--download", server.url("/a")) as screen:
            screen.wait_for("'a' is there already. Replace it? [y/N] ")
            screen.type(answer)
            assert screen.finish()[0] == code
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == {"a": content}


def halting(release: threading.Event | None) -> ScriptedServer:
    """A server that sends half of a file, and the other half when it is told to, or never."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        head = f'HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nETag: "1"\r\n\r\n'
        peer.send(head.encode() + BODY[: len(BODY) // 2])
        if release is None:
            peer.stall()
            return
        release.wait(DEADLINE)
        peer.send(BODY[len(BODY) // 2 :])

    return ScriptedServer(script)


@pytest.mark.parametrize("program", [WITH, WITHOUT])
def test_a_download_has_a_bar_with_speed_and_time_left(program: Sequence[str]) -> None:
    release = threading.Event()
    with halting(release) as server:
        with terminal("--download", server.url("/big.iso"), program=program) as screen:
            screen.wait_for("big.iso")
            release.set()
            code, text = screen.finish()
    assert code == 0
    plain = without_colours(text)
    assert "100%" in plain
    assert "B/s" in plain
    assert re.search(r"[0-9]:[0-9][0-9]", plain)
    assert "saved 'big.iso': 100.0 KB" in plain
    if program is WITHOUT:
        assert "\x1b" not in text
        # The bar is written over itself, and never reaches the last column, where terminals wrap.
        assert {len(line) for line in plain.split("\n")[0].split("\r")[1:]} == {99}


@pytest.mark.parametrize("program", [WITH, WITHOUT])
def test_ctrl_c_in_a_download_leaves_the_terminal_as_it_was(program: Sequence[str]) -> None:
    with halting(None) as server:
        with terminal("--download", server.url("/big.iso"), program=program) as screen:
            screen.wait_for("50.0")
            screen.type("\x03")
            code, text = screen.finish()
    assert code == Exit.INTERRUPTED
    assert "Traceback" not in text
    assert "with --continue goes on" in without_colours(text)
    assert text.rfind("\x1b[?25h") >= text.rfind("\x1b[?25l")  # a cursor that was hidden is shown again
    assert Path("big.iso.part").read_bytes() == BODY[: len(BODY) // 2]


@pytest.mark.parametrize("arguments", [[], ["-v"], ["-o", "file"]])
def test_ctrl_c_ends_a_request_quietly(arguments: list[str]) -> None:
    with halting(None) as server:
        with terminal(server.url(), *arguments) as screen:
            server.wait_for_requests(1)
            screen.type("\x03")
            code, text = screen.finish()
    assert code == Exit.INTERRUPTED
    assert "Traceback" not in text
    assert list(Path().iterdir()) == []


def test_without_rich_there_is_plain_text_and_no_traceback() -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"{}", headers=AS_JSON))) as server:
        for program in (WITH, WITHOUT):
            code, text = shown(server.url(), "-v", "--timing", "-k", program=program)
            assert code == 0
            assert "> GET / HTTP/1.1" in without_colours(text)
            assert "{}" in without_colours(text)
            assert ("\x1b" in text) is (program is WITH)
        outcome = start(server.url(), "--pretty", "-v", program=WITHOUT)
        assert outcome.text == "{}\n"


def test_colours_are_for_the_stream_that_is_a_terminal(tmp_path: Path) -> None:
    """Output goes to a file while somebody looks at what is said beside it."""
    with ScriptedServer(keep_alive(lambda _: respond(b'{"a": 1}', headers=AS_JSON))) as server:
        with (
            open(tmp_path / "out", "wb") as out,
            terminal("-v", "-i", server.url(), out=out.fileno()) as screen,
        ):
            code, text = screen.finish()
    assert code == 0
    assert "\x1b[" in text
    assert (tmp_path / "out").read_bytes().endswith(b'\n\n{"a": 1}')
    assert b"\x1b" not in (tmp_path / "out").read_bytes()


@pytest.fixture
def tmux(tmp_path: Path) -> str:
    """A tmux of our own, at a socket that nobody else has."""
    program = shutil.which("tmux")
    assert program is not None, "apt-get install tmux (see .ci/run)"
    return program


def test_in_tmux_the_screen_reads_well(tmux: str, tmp_path: Path) -> None:
    socket = str(tmp_path / "tmux")

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [tmux, "-S", socket, "-f", "/dev/null", *arguments],
            env=surroundings(LC_ALL="C.UTF-8"),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
        return done.stdout

    with ScriptedServer(keep_alive(lambda _: respond('{"name":"Grüße"}', headers=AS_JSON))) as server:
        command = f"{sys.executable} -m pystickyhttp -v {server.url()}; echo ended with $?; cat"
        ask("new-session", "-d", "-x", "90", "-y", "40", command)
        try:
            limit = time.monotonic() + DEADLINE
            while "ended with" not in (screen := ask("capture-pane", "-p")):
                assert time.monotonic() < limit, screen
        finally:
            ask("kill-server")
    assert "> GET / HTTP/1.1" in screen
    assert '{\n    "name": "Grüße"\n}\nended with 0' in screen
