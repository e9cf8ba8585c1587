"""`pystickyhttp bench` against servers that count for themselves."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import ssl
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from pystickyhttp.cli import main
from pystickyhttp.cli.bench_figures import Reply
from pystickyhttp.cli.bench_measure import MOST_FAILURES, Run, Way
from pystickyhttp.cli.bench_options import Options
from pystickyhttp.timeouts import Timeout
from tests.interrupts import ctrl_c_once
from tests.patience import DEADLINE, growing, wait_for
from tests.servers.scripted import (
    BlackHole,
    Peer,
    Request,
    Script,
    ScriptedServer,
    closed_port,
    keep_alive,
    respond,
)
from tests.servers.unix import UnixServer

ROOT = Path(__file__).parent.parent
# Who runs the tests in the background has them ignore interrupts, which a child inherits.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pystickyhttp.cli import main
sys.exit(main(["bench", *sys.argv[1:]]))
"""


class Ran(NamedTuple):
    """What a run gave its caller."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> dict[str, list[str]]:
        """The cells of the table, by the names of the ways."""
        lines = [re.split(r"\s{2,}", line) for line in self.out.splitlines()]
        return {cells[0]: cells[1:] for cells in lines if len(cells) == 8}


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: str) -> Ran:
        code = main(["bench", *arguments])
        return Ran(code, *capsys.readouterr())

    return run


def always(answer: bytes) -> Script:
    return keep_alive(lambda request: answer)


def answered(count: int, then: Script) -> Script:
    """The first requests of all connections are answered; one that comes after them is left to `then`."""
    left = iter(range(count))
    lock = threading.Lock()

    def converse(peer: Peer) -> None:
        while peer.read_request() is not None:
            with lock:
                is_answered = next(left, None) is not None
            if not is_answered:
                then(peer)
                return
            if not peer.try_send(respond(b"ok")):
                return

    return converse


def hang(peer: Peer) -> None:
    peer.stall()


def hang_up(peer: Peer) -> None:
    """The connection closes without an answer."""


def hang_and_tell(event: threading.Event) -> Script:
    def converse(peer: Peer) -> None:
        event.set()
        peer.stall()

    return converse


# --- what the server saw is what the table says


@pytest.mark.parametrize("threads", [1, 3])
def test_the_table_says_what_the_server_saw(bench: Callable[..., Ran], threads: int) -> None:
    with ScriptedServer(always(respond(b"hello"))) as server:
        ran = bench(server.url("/path"), "-n", "17", "-c", str(threads))
        server.wait_for_open(0)
    assert ran.code == 0
    rows = ran.rows
    assert rows["fresh"][0] == rows["pooled"][0] == "17"
    assert rows["fresh"][5] == "17"
    assert 1 <= int(rows["pooled"][5]) <= threads
    assert rows["fresh"][6] == rows["pooled"][6] == "85 B"
    # One request each way warms up, and does not count.
    assert server.accepted == 17 + int(rows["pooled"][5]) + 2
    assert len(server.requests) == 2 * 17 + 2
    assert {(request.method, request.target) for request in server.requests} == {("GET", "/path")}


def test_the_document_says_what_the_server_saw(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(always(respond(b"hello"))) as server:
        ran = bench(server.url(), "-n", "12", "--json")
        server.wait_for_open(0)
    ways = ran.document["ways"]
    assert [ways[name]["opened"] for name in ("fresh", "pooled")] == [12, 1]
    assert [ways[name]["requests"] for name in ("fresh", "pooled")] == [12, 12]
    assert server.accepted == 12 + 1 + 2
    assert ran.document["gain"] == ways["fresh"]["median"] / ways["pooled"]["median"]
    assert ran.document["ended"] is None


def test_it_says_what_it_is_going_to_do_before_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def handle(request: Request) -> bytes:
        said.append(capsys.readouterr().err)
        return respond(b"")

    with ScriptedServer(keep_alive(handle)) as server:
        assert main(["bench", server.url(), "-n", "2"]) == 0
    assert "4 GET requests to http://127.0.0.1:" in said[0]


def test_the_ways_take_turns(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(always(respond(b""))) as server:
        assert bench(server.url(), "-n", "20", "--json").code == 0
    measured = server.requests[2:]
    (pooled,) = {request.connection for request in measured[5:10]}
    turns = [request.connection == pooled for request in measured]
    assert turns == [way for first in (False, True) * 2 for way in [first] * 5 + [not first] * 5]


def test_over_https_fresh_means_full_handshakes_and_resumed_ones_stand_apart(
    bench: Callable[..., Ran], tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """Law S2."""
    reused: list[bool | None] = []

    def converse(peer: Peer) -> None:
        reused.append(peer.tls.session_reused)
        always(respond(b"ok"))(peer)

    with ScriptedServer(converse, tls=tls_context) as server:
        ran = bench(server.url(), "-n", "8", "--cacert", ca_file, "--json")
        server.wait_for_open(0)
    ways = ran.document["ways"]
    assert [ways[name]["opened"] for name in ways] == [8, 8, 1]
    assert ways["fresh"]["resumed"] == 0
    assert ways["fresh, resumed"]["resumed"] == 8
    warmed_up, measured = reused[:3], reused[3:]
    assert warmed_up == [False, True, True]
    assert sum(map(bool, measured)) == 8 + ways["pooled"]["resumed"]
    assert "spared the handshake" in ran.document["findings"][0] or "Pooled" in ran.document["findings"][0]


def test_a_server_without_tickets_is_found_out(
    bench: Callable[..., Ran], ca: trustme.CA, ca_file: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    context.num_tickets = 0
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with ScriptedServer(always(respond(b"ok")), tls=context) as server:
        ran = bench(server.url(), "-n", "3", "--cacert", ca_file, "--json")
    assert any("resumes no TLS session" in said for said in ran.document["findings"])


# --- servers that do not keep connections


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (respond(b"ok", headers={"Connection": "close"}), "it answers with 'Connection: close'"),
        (respond(b"ok", version="HTTP/1.0"), "it answers by HTTP/1.0"),
    ],
    ids=["Connection: close", "HTTP/1.0"],
)
def test_that_the_server_closes_each_connection_is_said_with_the_reason(
    bench: Callable[..., Ran], answer: bytes, why: str
) -> None:
    def converse(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.try_send(answer)

    with ScriptedServer(converse) as server:
        ran = bench(server.url(), "-n", "6")
    assert ran.code == 0
    assert ran.rows["pooled"][5] == "6"
    said = " ".join(ran.out.split())
    assert "Pooling gained nothing" in said
    assert f"The server closes each connection, so that there is nothing to pool, because {why}" in said
    assert server.accepted == 2 * 6 + 2


def test_an_answer_that_only_the_end_of_the_connection_ends_is_the_reason(bench: Callable[..., Ran]) -> None:
    def converse(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.try_send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")

    with ScriptedServer(converse) as server:
        ran = bench(server.url(), "-n", "2", "--json")
    assert "neither a Content-Length nor chunks" in " ".join(ran.document["findings"])


def test_a_server_that_closes_without_a_word_is_found_out(bench: Callable[..., Ran]) -> None:
    def converse(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.try_send(respond(b"ok"))

    with ScriptedServer(converse) as server:
        ran = bench(server.url(), "-n", "6", "--json")
    assert ran.document["ways"]["pooled"]["requests"] == 6
    assert "without a word" in " ".join(ran.document["findings"])


def test_who_asks_for_the_close_is_told_so(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(always(respond(b"ok"))) as server:
        ran = bench(server.url(), "-n", "2", "-H", "Connection: close", "--json")
    assert "your own header asks for it" in " ".join(ran.document["findings"])


# --- answers that are no success


def test_statuses_that_are_no_success_are_counted_and_said(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(always(respond(b"no", status=500))) as server:
        ran = bench(server.url(), "-n", "4", "--json")
    assert ran.code == 0
    assert ran.document["ways"]["pooled"]["statuses"] == {"500": 4}
    said = "Of 4 requests (fresh) the server answered 4 times 500 Internal Server Error."
    assert said in ran.document["findings"]


def test_a_redirect_is_not_followed(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(always(respond(b"", status=302, headers={"Location": "/elsewhere"}))) as server:
        ran = bench(server.url("/"), "-n", "2", "--json")
    assert {request.target for request in server.requests} == {"/"}
    assert "redirect" in " ".join(ran.document["findings"])


def test_a_server_that_hangs_ends_the_run_with_what_there_is_when_its_time_is_up(
    bench: Callable[..., Ran],
) -> None:
    """Law T1: one deadline over all of it, whatever each step may take."""
    for limit in growing(1.0):
        with ScriptedServer(answered(2 + 7, hang)) as server:
            ran = bench(server.url(), "-n", "50", "--max-time", str(limit), "--timeout", "60", "--json")
            server.wait_for_open(0)
        if len(server.requests) == 2 + 7 + 1:  # it was the server that took the time
            break
    ways = ran.document["ways"]
    assert ran.code == 0
    assert "It ended early, since the time for the whole run was up" in ran.document["findings"][-1]
    assert sum(way["requests"] for way in ways.values()) == 7
    assert sum(way["unfinished"] for way in ways.values()) == 1
    assert ran.document["ended"] == "the time for the whole run was up"


def test_a_server_that_hangs_from_the_first_request_on_is_a_timeout(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(answered(0, hang)) as server:
        ran = bench(server.url(), "--timeout", "0.2")
    assert ran.code == 28
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 2  # what it is going to do, and why it did not


def test_requests_that_fail_are_counted_and_do_not_go_on_for_ever(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(answered(2 + 10, hang_up)) as server:
        ran = bench(server.url(), "-n", "50", "--json")
        server.wait_for_open(0)
    assert ran.code == 52
    fresh = ran.document["ways"]["fresh"]
    assert fresh["requests"] == 5
    assert ran.document["ways"]["pooled"]["failures"] == {"ConnectionLost": 5}
    assert "too many requests failed" in ran.document["findings"][-1]
    assert ran.err.splitlines()[-1].startswith("pystickyhttp: GET http://127.0.0.1:")


def test_a_failure_in_a_thread_is_counted_as_well(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(answered(2 + 10, hang_up)) as server:
        ran = bench(server.url(), "-n", "50", "-c", "4", "--json")
        server.wait_for_open(0)
    assert ran.code in (52, 56)
    ways = ran.document["ways"]
    assert sum(sum(way["failures"].values()) for way in ways.values()) >= 5
    assert sum(way["requests"] for way in ways.values()) == 10


def test_where_all_that_is_measured_fails_there_is_no_table(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(answered(2, hang_up)) as server:
        ran = bench(server.url(), "-n", "50", "--json")
    assert (ran.code, ran.out) == (52, "")
    assert len(server.requests) == 2 + MOST_FAILURES


def test_where_the_time_is_up_before_the_first_answer_there_is_no_table(bench: Callable[..., Ran]) -> None:
    for limit in growing(0.5):
        with ScriptedServer(answered(2, hang)) as server:
            ran = bench(server.url(), "--max-time", str(limit))
        if len(server.requests) == 2 + 1:
            break
    assert (ran.code, ran.out) == (28, "")
    assert "the time was up before anything was answered" in ran.err


def test_what_fails_at_once_is_one_line_and_curl_s_exit_code(bench: Callable[..., Ran]) -> None:
    with closed_port() as port:
        ran = bench(f"http://127.0.0.1:{port}/")
    assert (ran.code, ran.out) == (7, "")
    assert ran.err.splitlines()[-1].startswith("pystickyhttp: GET http://127.0.0.1:")
    assert len(ran.err.splitlines()) == 2


def test_a_connect_that_hangs_is_a_timeout(bench: Callable[..., Ran]) -> None:
    with BlackHole() as hole:
        assert bench(hole.url(), "--timeout", "0.2").code == 28


def test_a_certificate_that_is_not_trusted_has_an_exit_code_of_its_own(
    bench: Callable[..., Ran], tls_context: ssl.SSLContext
) -> None:
    with ScriptedServer(always(respond(b"")), tls=tls_context, handshake_may_fail=True) as server:
        assert bench(server.url()).code == 60
        assert bench(server.url(), "--cacert", "/nowhere/ca.pem").code == 77
        assert bench(server.url(), "--insecure", "-n", "2").code == 0


@pytest.mark.parametrize(
    "arguments", [["POST", "http://127.0.0.1:1/"], ["http://127.0.0.1:1/", "-n", "x"], []]
)
def test_wrong_usage_is_one_line(bench: Callable[..., Ran], arguments: list[str]) -> None:
    ran = bench(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1


def test_help_is_no_error(bench: Callable[..., Ran]) -> None:
    ran = bench("--help")
    assert ran.code == 0
    assert "--concurrency" in ran.out


# --- the user's settings


def test_methods_and_headers_are_the_user_s(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(always(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as server:
        ran = bench("HEAD", server.url(), "-n", "3", "-H", "X-Mine: yes", "-H", "Accept:", "--json")
    assert ran.document["ways"]["pooled"]["opened"] == 1
    assert {request.method for request in server.requests} == {"HEAD"}
    assert {request.header("X-Mine") for request in server.requests} == {"yes"}
    assert {request.header("Accept") for request in server.requests} == {None}


def test_the_proxy_is_gone_through(bench: Callable[..., Ran]) -> None:
    with ScriptedServer(always(respond(b"ok"))) as proxy:
        assert bench("http://origin.test/", "-n", "3", "--pause", "0", "--proxy", proxy.url("")).code == 0
    assert {request.target for request in proxy.requests} == {"http://origin.test/"}
    assert len(proxy.requests) == 2 * 3 + 2


def test_the_unix_socket_is_dialled(bench: Callable[..., Ran]) -> None:
    with UnixServer(always(respond(b"ok"))) as server:
        ran = bench("http://docker.test/version", "-n", "3", "--unix-socket", server.path, "--json")
    assert ran.document["ways"]["pooled"]["opened"] == 1
    assert server.accepted == 3 + 1 + 2
    assert {request.target for request in server.requests} == {"/version"}


def test_pauses_are_made_and_end_with_the_run(bench: Callable[..., Ran]) -> None:
    for limit in growing(0.5):
        with ScriptedServer(always(respond(b"ok"))) as server:
            ran = bench(server.url(), "-n", "50", "--pause", "60", "--max-time", str(limit), "--json")
        if ran.out:  # there was time for the requests that warm up
            break
    assert ran.document["ways"]["fresh"]["requests"] == 1
    assert len(server.requests) == 2 + 1


# --- Ctrl-C


def test_ctrl_c_ends_it_with_a_table_of_what_there_is(bench: Callable[..., Ran]) -> None:
    """Law L3."""
    hangs = threading.Event()

    with ScriptedServer(answered(2 + 7, hang_and_tell(hangs))) as server:
        with ctrl_c_once(hangs.is_set):
            ran = bench(server.url(), "-n", "50")
        server.wait_for_open(0)
    assert ran.code == 130
    assert (ran.rows["fresh"][0], ran.rows["pooled"][0]) == ("5", "2")
    assert "It ended early, since it was interrupted" in ran.out


def test_ctrl_c_does_not_wait_for_what_hangs_in_other_threads(bench: Callable[..., Ran]) -> None:
    """Law L3."""
    before = threading.active_count()
    hangs = threading.Event()
    with ScriptedServer(answered(2 + 30, hang_and_tell(hangs))) as server:
        with ctrl_c_once(hangs.is_set):
            ran = bench(server.url(), "-n", "50", "-c", "3")
        assert server.open_connections  # the server has not let go of anybody
    wait_for(lambda: threading.active_count() <= before, "the threads see that the server is gone")
    assert ran.code == 130
    assert "It ended early, since it was interrupted" in ran.out


def test_ctrl_c_before_anything_was_measured_is_one_line(bench: Callable[..., Ran]) -> None:
    begun = threading.Event()

    with ScriptedServer(answered(0, hang_and_tell(begun))) as server:
        with ctrl_c_once(begun.is_set):
            ran = bench(server.url())
        server.wait_for_open(0)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "pystickyhttp: interrupted before anything was measured"


class InterruptedTerminal(io.StringIO):
    """Ctrl-C comes while the first line is written."""

    def write(self, text: str) -> int:
        if not self.getvalue():
            super().write("^C")
            raise KeyboardInterrupt
        return super().write(text)


def test_ctrl_c_ahead_of_the_measuring_has_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = InterruptedTerminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["bench", "http://127.0.0.1:1/"]) == 130
    assert terminal.getvalue() == "^C"


# --- what is no request's failure


class Broken(Way):
    """A defect of this program, not of the server."""

    def ask(self, timeout: Timeout) -> Reply:
        raise ZeroDivisionError


@pytest.mark.parametrize("threads", [1, 3])
def test_a_defect_is_hidden_in_no_thread(threads: int) -> None:
    options = Options("GET", "http://host/", concurrency=threads)
    broken = Broken(options)
    with contextlib.closing(Run(options, {"fresh": broken})) as run:
        with pytest.raises(ZeroDivisionError):
            run.measure()
        assert 1 <= run.figures()["fresh"].unfinished <= threads


# --- what reads it


class Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        return True


@pytest.mark.slow
def test_how_far_it_is_is_shown_and_taken_away_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ScriptedServer(always(respond(b"ok"))) as server:
        assert main(["bench", server.url(), "-n", "20", "--pause", "0.05", "--json"]) == 0
    shown = terminal.getvalue().rpartition("\n")[2]
    assert re.fullmatch(r"(\r\d+ requests done)+\r +\r", shown)


class Gone(Terminal):
    """Somebody looked, and closed the window."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.slow
def test_a_terminal_that_goes_away_does_not_keep_a_run_from_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with downloads."""
    monkeypatch.setattr(sys, "stderr", Gone())
    with ScriptedServer(always(respond(b"ok"))) as server:
        assert main(["bench", server.url(), "-n", "20", "--pause", "0.05", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ways"]["pooled"]["requests"] == 20


def test_a_pipe_that_nobody_reads_is_a_quiet_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as pipe, ScriptedServer(always(respond(b"ok"))) as server:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["bench", server.url(), "-n", "2"]) == 141
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- as a program


@contextlib.contextmanager
def program(*arguments: str, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "xterm", "LANG": "C.UTF-8"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment | settings.pop("env", {}),
        **settings,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("threads", ["1", "3"])
def test_ctrl_c_in_a_terminal_ends_the_program_with_its_table(threads: str) -> None:
    hangs = threading.Event()

    with ScriptedServer(answered(2 + 30, hang_and_tell(hangs))) as server:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with program(server.url(), "-n", "500", "-c", threads, "--json", **pipes) as child:
            assert hangs.wait(DEADLINE)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=DEADLINE)
        server.wait_for_open(0)
    assert child.returncode == 130
    assert b"Traceback" not in err
    ways = json.loads(out)["ways"]
    # What other threads had under way was given some time, and no more.
    assert 30 - int(threads) < sum(way["requests"] for way in ways.values()) <= 30


def test_nobody_who_reads_is_a_quiet_end() -> None:
    read, write = os.pipe()
    os.close(read)
    with ScriptedServer(always(respond(b"ok"))) as server:
        with program(server.url(), "-n", "2", stdout=write, stderr=subprocess.PIPE) as child:
            os.close(write)
            _, err = child.communicate(timeout=DEADLINE)
    assert child.returncode == 141
    assert len(err.splitlines()) == 1


def on_a_terminal(*arguments: str, columns: int, env: dict[str, str]) -> tuple[int, str]:
    """Run it with a terminal of so many columns; what it showed there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    with program(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as child:
        os.close(theirs)
        # A read of a terminal whose other side is closed is an error on Linux, and an end elsewhere.
        with contextlib.suppress(OSError):
            while select.select([ours], [], [], DEADLINE)[0] and (piece := os.read(ours, 65536)):
                shown += piece
        code = child.wait(DEADLINE)
    os.close(ours)
    return code, shown.decode()


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_terminal_gets_bars_that_fit(columns: int) -> None:
    with ScriptedServer(always(respond(b"ok"))) as server:
        code, shown = on_a_terminal(server.url(), "-n", "6", columns=columns, env={})
    assert code == 0
    assert "█" in shown
    announced, report = re.split(r"(?<=ends)\s+it\.\n", without_colours(shown).replace("\r", ""))
    assert " ".join(announced.split()).startswith(f"Sending 12 GET requests to {server.url()[:-1]} (6 each:")
    assert "per second" in report
    assert max(map(len, [*announced.splitlines(), *report.splitlines()])) <= columns


def test_a_terminal_that_knows_only_ascii_gets_ascii() -> None:
    with ScriptedServer(always(respond(b"ok"))) as server:
        code, shown = on_a_terminal(
            server.url(), "-n", "6", columns=80, env={"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
        )
    assert code == 0
    assert shown.isascii()
    assert "#" in shown


@pytest.mark.slow
def test_a_terminal_sees_how_far_it_is() -> None:
    arguments = ["-n", "20", "--pause", "0.05"]
    with ScriptedServer(always(respond(b"ok"))) as server:
        _, shown = on_a_terminal(server.url(), *arguments, columns=80, env={})
    assert re.search(r"\r\d+ requests done", shown)


def test_the_library_does_without_the_command() -> None:
    loaded = "import sys, pystickyhttp; print([m for m in sys.modules if m.startswith('pystickyhttp.cli')])"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", loaded],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert said.stdout == "[]\n"
