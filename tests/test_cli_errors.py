"""Whatever fails ends in one line on standard error, and in the exit code that curl has for it."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp import exceptions
from pystickyhttp.cli import main
from pystickyhttp.cli.failures import Exit, code_of, line_of
from tests.command import ROOT, Command, Outcome, start, surroundings
from tests.command import command as command  # the fixture
from tests.servers.scripted import BlackHole, Peer, ScriptedServer, closed_port, keep_alive, respond, silence


def told(outcome: Outcome, code: Exit, *words: str) -> None:
    """It ended with a code, and one line that has these words in it."""
    assert outcome.code == code, outcome.err
    assert outcome.err.startswith("pystickyhttp: ")
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith("\n")
    for word in words:
        assert word in outcome.err


def hangs_up(peer: Peer) -> None:
    peer.expect_request()


def resets(peer: Peer) -> None:
    peer.expect_request()
    peer.rst()


def cuts(peer: Peer) -> None:
    peer.expect_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


def cuts_a_chunk(peer: Peer) -> None:
    peer.expect_request()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")


def lies(peer: Peer) -> None:
    peer.expect_request()
    peer.send(b"SMTP? no\r\n\r\n")


def miscodes(peer: Peer) -> None:
    peer.expect_request()
    peer.send(respond(b"not gzip at all", headers={"Content-Encoding": "gzip"}))


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        (hangs_up, Exit.EMPTY_REPLY, "closed"),
        (resets, Exit.RECEIVE_FAILED, "reset"),
        (cuts, Exit.PARTIAL_FILE, "4 bytes of 10"),
        (cuts_a_chunk, Exit.RECEIVE_FAILED, "chunk"),
        (lies, Exit.WEIRD_REPLY, "not HTTP/1.1"),
        (miscodes, Exit.BAD_CODING, "gzip"),
    ],
)
def test_a_server_that_fails_is_told(
    command: Command, script: Callable[[Peer], None], code: Exit, words: str
) -> None:
    with ScriptedServer(script) as server:
        told(command(server.url()), code, words)


@pytest.mark.parametrize("leave", [Peer.rst, Peer.half_close])
def test_an_upload_that_breaks_off_was_not_sent_however_that_was_noticed(
    command: Command, leave: Callable[[Peer], None], tmp_path: Path
) -> None:
    """curl's code depends on whether sending or receiving sees the end first."""

    def takes_no_more(peer: Peer) -> None:
        peer.read_head()
        leave(peer)

    with open(tmp_path / "large", "wb") as file:
        file.truncate(64 * 1024 * 1024)  # more than the buffers of any system take in
    with ScriptedServer(takes_no_more) as server:
        told(command("PUT", server.url(), "-d", f"@{file.name}"), Exit.SEND_FAILED, "while the request was")


def test_a_host_that_is_unknown_is_told(command: Command) -> None:
    told(command("http://nowhere.invalid/"), Exit.HOST_NOT_RESOLVED, "nowhere.invalid", "resolved")


def test_a_port_where_nobody_listens_is_told(command: Command) -> None:
    with closed_port() as port:
        told(command(f":{port}"), Exit.CONNECT_FAILED, "refused")


def test_a_proxy_that_fails_is_told_apart_from_the_server(command: Command) -> None:
    told(command("http://a/", "--proxy", "http://nowhere.invalid"), Exit.PROXY_NOT_RESOLVED, "proxy")
    told(command("http://a/", "--proxy", "http://"), Exit.PROXY_NOT_RESOLVED)
    told(command("http://a/", "--proxy", "gopher://a"), Exit.UNSUPPORTED_SCHEME)
    with closed_port() as port:
        told(command("http://a/", "--proxy", f"http://127.0.0.1:{port}"), Exit.CONNECT_FAILED, "proxy")
    with ScriptedServer(keep_alive(lambda _: respond(status=403))) as proxy:
        told(command("https://a/", "--proxy", proxy.url()), Exit.RECEIVE_FAILED, "403")


def test_a_socks_proxy_that_refuses_has_a_code_of_its_own(command: Command) -> None:
    def refuses(peer: Peer) -> None:
        peer.read_some()
        peer.send(b"\x05\x00")
        peer.read_some()
        peer.send(b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")

    with ScriptedServer(refuses) as proxy:
        outcome = command("http://a/", "--proxy", f"socks5h://127.0.0.1:{proxy.port}")
        told(outcome, Exit.SOCKS_FAILED, "do not allow")


def test_time_that_runs_out_is_told(command: Command) -> None:
    with ScriptedServer(silence) as server:
        told(command(server.url(), "--timeout", "0.1"), Exit.TIMED_OUT, "0.1 s", "--timeout allows more")
    with BlackHole() as nowhere:
        outcome = command(nowhere.url(), "--connect-timeout", "0.1")
        told(outcome, Exit.TIMED_OUT, "--connect-timeout allows more")


def test_a_certificate_that_is_not_trusted_is_told_with_the_options_that_would(
    command: Command, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    script = keep_alive(lambda _: respond(b"ok"))
    with ScriptedServer(script, tls=tls_context, handshake_may_fail=True) as server:
        told(command(server.url()), Exit.NOT_VERIFIED, "--cacert /path/to/")
        assert command(server.url(), "--cacert", ca_file).out == b"ok"
        insecure = command(server.url(), "-k")
        assert insecure.out == b"ok"
        assert insecure.err.count("\n") == 1
        assert "warning: --insecure" in insecure.err


def test_a_file_of_certificates_that_is_none_has_the_code_of_one_that_is_not_there(
    command: Command, ca_file: str
) -> None:
    def is_left_alone(peer: Peer) -> None:
        peer.read_until_eof()

    with ScriptedServer(is_left_alone) as server:
        url = server.url().replace("http:", "https:")
        told(command(url, "--cacert", __file__), Exit.BAD_CA_FILE, "--cacert takes a PEM file")
        told(command(url, "--cert", ca_file), Exit.BAD_CLIENT_CERTIFICATE, "--cert takes both, --key the key")


def test_a_server_that_speaks_no_tls_is_told(command: Command) -> None:
    def answers_in_plain(peer: Peer) -> None:
        peer.read_some()
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ScriptedServer(answers_in_plain) as server:
        told(command(server.url().replace("http:", "https:")), Exit.TLS_FAILED)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ftp://a/"], Exit.UNSUPPORTED_SCHEME, "pystickyhttp: 'ftp://a/' is neither http:// nor https://\n"),
        (["http://"], Exit.MALFORMED_URL, "no host"),
        (["http://a b/"], Exit.MALFORMED_URL, "host name"),
        (["a:99999"], Exit.MALFORMED_URL, "port"),
        (["http://\udcff/"], Exit.MALFORMED_URL, "domain"),
        (["a", "word"], Exit.USAGE, "'word'"),
        (["a", "http://b/"], Exit.USAGE, "'http://b/' is a second URL"),
        (["a", "x:={"], Exit.USAGE, "no JSON"),
        (["a", "x:=1e999"], Exit.USAGE, "JSON"),
        (["a", "f@/nowhere"], Exit.READ_FAILED, "No such file"),
        (["a", "f@/"], Exit.READ_FAILED, "directory"),
        (["a", "-d", "@/nowhere"], Exit.READ_FAILED, "No such file"),
        (["a", "-d", "x", "y=z"], Exit.USAGE, "--data"),
        (["a", "-d", "x", "-d", "@y"], Exit.USAGE, "once"),
        (["a", "x:=1", "f@y"], Exit.USAGE, "name:=@file"),
        (["--form", "a", "x:=1"], Exit.USAGE, "--form"),
        (["--json", "a", "f@y"], Exit.USAGE, "no JSON"),
        (["a", "b ad:x"], Exit.USAGE, "token"),
        (["a", "x:a\nb"], Exit.USAGE, "x"),
        (["a", "-H", "novalue"], Exit.USAGE, "novalue"),
        (["-X", "B AD", "a"], Exit.USAGE, "token"),
        (["-X", "connect", "a"], Exit.USAGE, "CONNECT"),
        (["-I", "a", "x=y"], Exit.USAGE, "--head"),
        (["-I", "-X", "POST", "a"], Exit.USAGE, "--head"),
        (["a", "--bearer", "a b"], Exit.USAGE, "token"),
        (["a", "--bearer", "x", "Authorization:y"], Exit.USAGE, "contradict"),
        (["a", "--bearer", "a\n"], Exit.USAGE, "end of a line. Where"),
        (["a", "--bearer", ""], Exit.USAGE, "--header 'Authorization: Bearer TOKEN'"),
        (["a", "x=\udcff"], Exit.USAGE, "--form"),
        (["a", "\udcff:=1"], Exit.USAGE, "--form"),
        (["-X", "", "a"], Exit.USAGE, "token"),
        (["https://a", "--cacert", "/nowhere"], Exit.BAD_CA_FILE, "/nowhere"),
        (["https://a", "--cert", "/nowhere"], Exit.BAD_CLIENT_CERTIFICATE, "--cert"),
        (["https://a", "--cert", __file__, "--key", "/nowhere"], Exit.BAD_CLIENT_CERTIFICATE, "--key"),
        (["a", "--unix-socket", "/nowhere/at/all"], Exit.CONNECT_FAILED, "/nowhere/at/all"),
        (["a", "--unix-socket", "x" * 200], Exit.USAGE, "--unix-socket"),
        (["a", "--unix-socket", ""], Exit.USAGE, "--unix-socket '' names no socket"),
        (["bench", "http://a/", "POST"], Exit.USAGE, "'http://a/' is no method"),
        (["a", "--session", "/nowhere/cookies"], Exit.WRITE_FAILED, "no folder '/nowhere'"),
        (["a", "--session", "/nowhere/"], Exit.WRITE_FAILED, "no folder '/nowhere/'"),
        (["a", "--session", "/"], Exit.WRITE_FAILED, "'/' is a folder"),
        (["a", "--session", ""], Exit.USAGE, "--session '' names no file"),
        (["a", "--session", "x" * 300], Exit.READ_FAILED, "can't read 'xxx"),
        (["a", "--session", __file__], Exit.READ_FAILED, "line"),
    ],
)
def test_what_a_user_gets_wrong_is_told_in_a_line(
    command: Command, arguments: list[str], code: Exit, words: str
) -> None:
    told(command(*arguments), code, words)


@given(
    st.lists(
        st.text(max_size=8) | st.sampled_from(["-f", "-j", "--auth", "-d", "a=b", ":9", "-I"]), max_size=5
    )
)
@settings(max_examples=60, deadline=None)
def test_no_word_whatsoever_makes_a_traceback(words: list[str]) -> None:
    """What is sent at all goes to a port where nobody listens."""
    assert main([*words, "--proxy", "http://127.0.0.1:9", "--retry", "0"]) in set(Exit)


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("", Exit.USAGE, "--output '' names no file"),
        ("here", Exit.WRITE_FAILED, "'here' is a folder: name a file in it, or add --download"),
        ("nowhere/", Exit.WRITE_FAILED, "no folder 'nowhere/'"),
        ("file/", Exit.WRITE_FAILED, "no folder 'file/'"),
        ("nowhere/file", Exit.WRITE_FAILED, "no folder 'nowhere'"),
        ("file/file", Exit.WRITE_FAILED, "no folder 'file'"),
        ("astray", Exit.WRITE_FAILED, "nowhere': make it"),
        ("shut/file", Exit.WRITE_FAILED, "in the folder 'shut'"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--download"]])
def test_where_nothing_can_be_written_is_told_before_anything_is_sent(
    command: Command,
    output: str,
    code: Exit,
    words: str,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who sends an order and loses the answer does not know whether to send it again."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("here")
    os.mkdir("shut")
    # An administrator may write everywhere, and may be who runs this test.
    monkeypatch.setattr(os, "access", lambda path, mode: path != "shut")
    Path("file").write_bytes(b"mine")
    os.symlink("nowhere/file", "astray")
    if options and output == "here":  # where a download goes into, if it may
        output, words = "shut", "in the folder 'shut'"
    with ScriptedServer([]) as server:
        told(command("POST", "-o", output, *options, server.url()), code, words)
        assert server.accepted == 0
    assert Path("file").read_bytes() == b"mine"


def test_cookies_that_cannot_be_written_are_told_unless_something_failed_before(command: Command) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        outcome = command("--session", "/proc/cookies", server.url())
        told(outcome, Exit.WRITE_FAILED, "can't write '/proc/cookies': No such file")
        assert outcome.out == b"ok"
    with closed_port() as port:
        told(command("--session", "/proc/cookies", f":{port}"), Exit.CONNECT_FAILED)


def test_with_fail_an_error_of_http_is_one_and_its_body_is_not_shown(command: Command) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"sorry", status=404))) as server:
        assert command(server.url()) == (0, b"sorry", "")
        outcome = command("--fail", server.url())
        assert outcome.out == b""
        told(outcome, Exit.HTTP_ERROR, "404 Not Found")


def test_retries_are_made_of_what_passes(command: Command) -> None:
    answers = [respond(b"sorry", status=503), respond(b"ok")]
    with ScriptedServer(keep_alive(lambda _: answers.pop(0))) as server:
        assert command("--retry", "1", server.url()).out == b"ok"
    with ScriptedServer(keep_alive(lambda _: respond(b"sorry", status=503))) as server:
        outcome = command("--retry", "1", "--fail", server.url())
        told(outcome, Exit.HTTP_ERROR, "503")
        assert len(server.requests) == 2


def test_a_body_that_cannot_be_read_twice_is_told() -> None:
    def moved(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(status=307, headers={"Location": "/"}))

    program = (
        "import os, sys; read, write = os.pipe(); os.write(write, b'x'); os.close(write); "
        "sys.stdin = os.fdopen(read); from pystickyhttp.cli import main; sys.exit(main())"
    )
    with ScriptedServer(moved) as server:
        told(start(server.url(), "-d", "@-", program=("-c", program)), Exit.CANNOT_REWIND)


def test_standard_input_that_is_closed_is_told(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    told(command("http://a/", "-d", "@-"), Exit.READ_FAILED, "closed")


def test_a_warning_is_a_line_too(tmp_path: Path) -> None:
    """It is made for programs, and Python would show where in the package it was raised."""
    (tmp_path / "netrc").write_text("machine")
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        outcome = start(server.url(), NETRC=str(tmp_path / "netrc"))
    assert outcome.out == b"ok"
    told(outcome, Exit.OK, "pystickyhttp: warning: the netrc file", "malformed")


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    body = b"x" * 5_000_000

    def endless(peer: Peer) -> None:
        peer.expect_request()
        peer.try_send(respond(body))

    with ScriptedServer(endless) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "pystickyhttp", server.url()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=surroundings(),
        )
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(3) == b"xxx"
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == Exit.PIPE_CLOSED


@pytest.mark.parametrize(
    "arguments",
    [
        ["URL"],
        ["-i", "URL"],
        ["--pretty", "URL"],
        ["--help"],
        ["--version"],
        ["bench", "--help"],
        ["bench", "-n1", "URL"],
        ["bench", "-n1", "--json", "URL"],
    ],
)
def test_a_disk_that_is_full_is_told(arguments: list[str]) -> None:
    """And nothing is left open, which a warning would tell of."""
    with ScriptedServer(keep_alive(lambda _: respond(b"{}"))) as server, open("/dev/full", "wb") as full:
        words = [server.url() if each == "URL" else each for each in arguments]
        done = subprocess.run(
            [sys.executable, "-W", "always::ResourceWarning", "-m", "pystickyhttp", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            env=surroundings(),
            check=False,
        )
    lines = done.stderr.decode().splitlines(keepends=True)
    if arguments[0] == "bench" and "URL" in arguments:
        assert lines.pop(0).startswith("Sending 2 GET requests")
    words = ["can't write to standard output", "No space left"]
    told(Outcome(done.returncode, b"", "".join(lines)), Exit.WRITE_FAILED, *words)


def test_a_disk_that_is_full_is_told_of_a_file_too(command: Command) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"{}"))) as server:
        told(
            command("-o", "/dev/full", server.url()),
            Exit.WRITE_FAILED,
            "can't write '/dev/full': No space left",
        )


WITHOUT_OUTPUT = ("-c", "import sys; sys.stdout = None; from pystickyhttp.cli import main; sys.exit(main())")


def test_output_that_is_closed_is_told() -> None:
    told(start("http://127.0.0.1:9/", program=WITHOUT_OUTPUT), Exit.WRITE_FAILED, "closed")
    told(start("bench", "http://127.0.0.1:9/", program=WITHOUT_OUTPUT), Exit.WRITE_FAILED, "closed")
    for words in (["--version"], ["--help"], ["bench", "--help"]):
        told(start(*words, program=WITHOUT_OUTPUT), Exit.WRITE_FAILED, "closed")


def test_a_download_needs_no_standard_output(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with ScriptedServer(keep_alive(lambda _: respond(b"content"))) as server:
        outcome = start("--download", "-o", target, server.url(), program=WITHOUT_OUTPUT)
    assert (outcome.code, target.read_bytes()) == (Exit.OK, b"content")


def test_an_error_that_nobody_can_be_told_of_still_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert main(["--bogus"]) == Exit.USAGE


def test_a_closed_standard_error_keeps_nobody_from_the_body_and_the_code() -> None:
    program = "import sys; sys.stderr = None; from pystickyhttp.cli import main; sys.exit(main())"
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        outcome = start("-v", server.url(), program=("-c", program))
    assert (outcome.code, outcome.out) == (Exit.OK, b"ok")
    outcome = start(server.url(), program=("-c", program))
    assert outcome.code == Exit.CONNECT_FAILED


def full_standard_error(*arguments: str) -> tuple[int, bytes]:
    """Run the command with a standard error that takes nothing."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pystickyhttp", *arguments],
            stdout=subprocess.PIPE,
            stderr=full,
            env=surroundings(),
            check=False,
        )
    return done.returncode, done.stdout


def test_a_full_standard_error_keeps_nobody_from_the_body_and_the_code() -> None:
    """What is said beside the work is no part of it."""
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        assert full_standard_error("-v", "-k", "--timing", server.url()) == (Exit.OK, b"ok")
        code, out = full_standard_error("bench", "-n1", server.url())
        assert (code, b"pooled" in out) == (Exit.OK, True)
    with closed_port() as port:
        assert full_standard_error("-v", f":{port}") == (Exit.CONNECT_FAILED, b"")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exceptions.PoolTimeout(), Exit.TIMED_OUT),
        (exceptions.ProxySSLError(), Exit.TLS_FAILED),
        (exceptions.TunnelError(wants_credentials=True), Exit.SOCKS_FAILED),
        (exceptions.ConnectionLost(received=1), Exit.RECEIVE_FAILED),
        (exceptions.ConnectionLost(sent=1), Exit.EMPTY_REPLY),
        (exceptions.ConnectionLost(sent=0), Exit.SEND_FAILED),
        (exceptions.WriteTimeout(), Exit.TIMED_OUT),
        (exceptions.RequestException(), Exit.RECEIVE_FAILED),
    ],
)
def test_each_error_of_the_package_has_a_code(error: exceptions.RequestException, code: Exit) -> None:
    assert code_of(error) == code


def test_help_and_the_readme_list_the_exit_codes_that_there_are() -> None:
    """Each code and what it says stand once, in the enum."""
    there_are = [f"{code} {code.meaning}" for code in Exit]
    shown = start("--help").text.partition("exit codes, those of curl:\n")[2]
    assert [" ".join(cell.split()) for cell in re.findall(r"\d+ +\S+(?: \S+)*", shown)] == there_are
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.search(rf"^{there_are[0]} ·.*?\n\n", written, re.DOTALL | re.MULTILINE)
    assert listed is not None
    assert [" ".join(each.split()) for each in listed[0].split("·")] == there_are


def test_the_line_is_one_and_speaks_of_options() -> None:
    assert line_of(exceptions.SSLError("use its name, or say it by server_hostname=")) == "use its name"
    error = exceptions.SSLError("the key is encrypted: cert= takes it as (certificate, key, password)")
    assert line_of(error) == "the key is encrypted: `openssl pkey -in KEY -out OTHER` takes the password off"
    error = exceptions.SSLError("no\nlocal issuer: pass verify='/ca.pem' or cert=(certificate, key)\x1b[2J")
    assert line_of(error) == "no local issuer: give --cacert /ca.pem or --cert and --key\\x1b[2J"
