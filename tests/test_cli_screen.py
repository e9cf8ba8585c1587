"""What only a terminal gets to see, in this process: the streams are one end of a pseudo-terminal."""

from __future__ import annotations

import contextlib
import errno
import getpass
import io
import os
import pty
import select
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import trustme

from pystickyhttp.cli import main
from pystickyhttp.cli.failures import Exit
from pystickyhttp.cli.partial import Part
from pystickyhttp.cli.progress import PlainBar, RichBar, Silence, progress_of
from pystickyhttp.cli.terminal import DEFAULT_WIDTH, Terminal
from tests.command import DEADLINE, Command
from tests.command import command as command  # the fixture
from tests.servers.certificates import server_context
from tests.servers.scripted import ScriptedServer, keep_alive, respond

AS_JSON = {"Content-Type": "application/json"}


class Glass:
    """The two ends of a pseudo-terminal: a stream to write to, and what somebody sees of it."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        self.stdin = open(self._slave, encoding="utf-8", closefd=False)  # noqa: SIM115 - see close()
        self.stream = open(self._slave, "w", encoding="utf-8", closefd=False)  # noqa: SIM115

    def seen_up_to(self, text: str) -> str:
        """What is seen since the last time, once a text is among it: a terminal hands on in its own time."""
        self.stream.flush()
        seen = b""
        while text not in seen.decode(errors="ignore").replace("\r\n", "\n"):
            ready, _, _ = select.select([self.master], [], [], DEADLINE)
            assert ready, f"{text!r} is never shown: {seen!r}"
            seen += os.read(self.master, 65536)
        return seen.decode().replace("\r\n", "\n")

    def run(self, *arguments: str) -> int:
        """The command in this terminal, for which pytest's own streams give way."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", self.stdin)
            patch.setattr("sys.stdout", self.stream)
            patch.setattr("sys.stderr", self.stream)
            return main(arguments)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def close(self) -> None:
        self.stdin.close()
        self.stream.close()
        os.close(self._slave)
        os.close(self.master)


@pytest.fixture
def glass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Glass]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    made = Glass()
    yield made
    made.close()


def test_json_on_a_terminal_is_coloured_and_text_ends_in_a_line(glass: Glass) -> None:
    with ScriptedServer(keep_alive(lambda _: respond("[1]", headers=AS_JSON))) as server:
        assert glass.run(server.url()) == 0
        glass.seen_up_to("]\x1b[0m\n")
        assert glass.run("--no-color", "-v", server.url()) == 0
        assert "\x1b" not in glass.seen_up_to("[\n    1\n]\n")
    with ScriptedServer(keep_alive(lambda _: respond("", headers=AS_JSON))) as server:
        assert glass.run(server.url()) == 0
    with ScriptedServer(keep_alive(lambda _: respond("text"))) as server:
        assert glass.run(server.url()) == 0
        assert glass.seen_up_to("text\n") == "text\n"
    with ScriptedServer(keep_alive(lambda _: respond(b"\0"))) as server:
        assert glass.run(server.url()) == 0
        glass.seen_up_to("the body is binary")


def test_without_rich_a_terminal_is_plain(glass: Glass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    told = Terminal(glass.stream)
    told.line("bold", "bold")
    assert glass.seen_up_to("\n") == "bold\n"
    assert isinstance(progress_of(told, "a", 0, 1), PlainBar)


@pytest.mark.parametrize("answer", ["y\n", "n\n", "\x04"])
def test_somebody_is_asked_before_a_file_is_replaced(glass: Glass, answer: str) -> None:
    Path("a").write_bytes(b"mine")
    glass.type(answer)
    with ScriptedServer(keep_alive(lambda _: respond(b"theirs"))) as server:
        assert glass.run("--download", server.url("/a")) == (0 if answer == "y\n" else Exit.WRITE_FAILED)
    assert Path("a").read_bytes() == (b"theirs" if answer == "y\n" else b"mine")
    if answer == "\x04":
        glass.seen_up_to("\npystickyhttp: 'a' stays as it is")


def test_a_file_stays_where_the_terminal_goes_away_as_somebody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"mine")
    monkeypatch.setattr("sys.stdin", Gone())
    monkeypatch.setattr("sys.stderr", Gone())
    with ScriptedServer(keep_alive(lambda _: respond(b"theirs"))) as server:
        assert main(["--download", server.url("/a")]) == Exit.WRITE_FAILED
    assert Path("a").read_bytes() == b"mine"


def test_a_password_is_asked_for(glass: Glass, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is read from is the terminal that controls the process, which a test has no hold of."""
    monkeypatch.setattr(getpass, "getpass", lambda prompt, stream: "secret")
    with ScriptedServer(keep_alive(lambda request: respond(request.header("Authorization") or ""))) as server:
        assert glass.run("--auth", "ada", server.url()) == 0
    glass.seen_up_to("Basic YWRhOnNlY3JldA==")

    def at_its_end(prompt: str, stream: TextIO) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", at_its_end)
    assert glass.run("--auth", "ada", "http://127.0.0.1:9/") == Exit.USAGE


@pytest.mark.parametrize("colours", [True, False])
def test_a_bar_shows_how_far_it_is(glass: Glass, colours: bool) -> None:
    bar = progress_of(Terminal(glass.stream, colours=colours), "name.iso", 0, 1000)
    assert isinstance(bar, RichBar if colours else PlainBar)
    bar.advance(500)
    # It is shown by a thread, whether more comes or not.
    assert "name.iso" in glass.seen_up_to("50%")
    bar.advance(1000)
    bar.close()
    glass.seen_up_to("100%")


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_that_goes_away_does_not_keep_a_download_from_its_end(
    colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the command was told to go on without it, by nohup or disown."""
    monkeypatch.setenv("TERM", "xterm-256color")
    master, slave = pty.openpty()
    stream = os.fdopen(slave, "w")
    bar = progress_of(Terminal(stream, colours=colours), "name.iso", 0, 1000)
    os.close(master)
    bar.advance(1000)
    bar.close()
    with contextlib.suppress(OSError):  # of what is in its buffer
        stream.close()


def test_nobody_is_shown_a_bar_who_does_not_look() -> None:
    bar = progress_of(Terminal(io.StringIO()), "a", 0, 1)
    assert isinstance(bar, Silence)
    bar.advance(1)
    bar.close()


def test_a_terminal_without_a_size_has_the_usual_one(glass: Glass) -> None:
    assert Terminal(glass.stream).width == DEFAULT_WIDTH


def test_an_output_that_nobody_reads_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr("sys.stdout", open(write, "w"))  # noqa: SIM115 - the command is what closes its use
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        assert main([server.url()]) == Exit.PIPE_CLOSED
    sys.stdout.close()


def test_a_client_certificate_of_two_files_is_shown(
    command: Command, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    pair = ca.issue_cert("ada.example.com")
    pair.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    context = server_context(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    with ScriptedServer(keep_alive(lambda _: respond(b"ok")), tls=context) as server:
        shown = ["--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")]
        for given in (shown, ["--cert", str(tmp_path / "both.pem")]):
            assert command(server.url(), "--cacert", ca_file, *given).out == b"ok"


def test_a_system_without_locks_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pystickyhttp.cli.partial.fcntl", None)
    with Part(str(tmp_path / "a")) as first, Part(str(tmp_path / "b")) as second:
        assert first.have == second.have == 0
