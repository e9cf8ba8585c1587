"""The command line sends what was asked for, and puts out what came back."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pystickyhttp.cli.failures import Exit
from tests.command import Command, start, surroundings
from tests.command import command as command  # the fixture
from tests.servers.scripted import Peer, Request, ScriptedServer, chunk, keep_alive, respond
from tests.servers.unix import UnixServer

OK = respond(b"ok")


def answering(handler: Callable[[Request], bytes] = lambda _: OK) -> ScriptedServer:
    return ScriptedServer(keep_alive(handler))


def sent(command: Command, *arguments: str | Path) -> Request:
    """The request that a command line sends; URL stands for the server's."""
    with answering() as server:
        given = [server.url("/") if each == "URL" else each for each in arguments]
        outcome = command(*given)
        assert outcome.code == 0, outcome.err
        return server.requests[-1]


# --- what is sent


def test_without_a_body_it_is_get_and_with_one_it_is_post(command: Command) -> None:
    assert sent(command, "URL").method == "GET"
    assert sent(command, "URL", "a==b", "X:y").method == "GET"
    assert sent(command, "URL", "a=b").method == "POST"
    assert sent(command, "URL", "-d", "x").method == "POST"
    assert sent(command, "put", "URL", "a=b").method == "PUT"
    assert sent(command, "-X", "purge", "URL").method == "PURGE"


def test_fields_are_json_in_their_order(command: Command) -> None:
    request = sent(command, "URL", "name=Ada", "age:=36", "list:=[1, null]", "name=Grace")
    assert json.loads(request.body) == {"name": "Grace", "age": 36, "list": [1, None]}
    assert request.header("Content-Type") == "application/json"
    assert request.header("Accept") == "application/json, */*;q=0.5"


def test_what_is_said_by_hand_goes_ahead(command: Command) -> None:
    request = sent(command, "URL", "a=b", "Content-Type:application/x+json", "Accept:*/*", "User-Agent:me")
    assert request.header("Content-Type") == "application/x+json"
    assert request.header("Accept") == "*/*"
    assert request.header("User-Agent") == "me"


def test_json_is_asked_for_without_a_body_too(command: Command) -> None:
    request = sent(command, "--json", "URL")
    assert request.method == "GET"
    assert request.header("Accept") == "application/json, */*;q=0.5"


def test_a_form_keeps_fields_that_come_twice(command: Command) -> None:
    request = sent(command, "--form", "URL", "a=1", "a=2 ü")
    assert request.body == b"a=1&a=2+%C3%BC"
    assert request.header("Content-Type") == "application/x-www-form-urlencoded"


def test_a_file_is_uploaded_in_a_form_with_its_name_and_type(command: Command, tmp_path: Path) -> None:
    (tmp_path / "cats.png").write_bytes(b"\x89PNG")
    request = sent(
        command, "URL", "title=Cats", f"photo@{tmp_path}/cats.png", f"x@{tmp_path}/cats.png;type=a/b"
    )
    assert (request.header("Content-Type") or "").startswith("multipart/form-data; boundary=")
    assert b'name="title"\r\n\r\nCats\r\n' in request.body
    assert b'name="photo"; filename="cats.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n' in request.body
    assert b'name="x"; filename="cats.png"\r\nContent-Type: a/b\r\n' in request.body


def test_headers_are_sent_taken_away_and_sent_empty(command: Command) -> None:
    request = sent(
        command,
        "URL",
        "User-Agent:",
        "X-Empty;",
        "X-Two:1",
        "-H",
        "X-Two: 2",
        "-H",
        "Accept:",
        "-H",
        "Y;",
        "Z:ü",
    )
    assert request.header("User-Agent") is None
    assert request.header("Accept") is None
    assert request.header("X-Empty") == ""
    assert request.header("Y") == ""
    assert request.header_values("X-Two") == ["1", "2"]
    assert (request.header("Z") or "").encode("latin-1").decode() == "ü"


def test_a_header_that_was_taken_away_can_be_given_anew(command: Command) -> None:
    assert sent(command, "URL", "User-Agent:", "User-Agent:me").header("User-Agent") == "me"
    again = sent(command, "URL", "-H", "User-Agent:", "-H", "User-Agent: ü").header("User-Agent")
    assert again == "ü".encode().decode("latin-1")


def test_an_item_and_an_option_take_a_header_away_in_the_same_words(command: Command) -> None:
    """As to curl, spaces are no value."""
    assert sent(command, "URL", "User-Agent: ").header("User-Agent") is None
    assert sent(command, "URL", "-H", "User-Agent: ").header("User-Agent") is None


def test_parameters_are_appended_to_the_query(command: Command) -> None:
    with answering() as server:
        command(server.url("/?a=1"), "b==2 ü", "b==3")
        assert server.requests[0].target == "/?a=1&b=2+%C3%BC&b=3"


def test_bytes_that_are_no_text_are_sent_as_they_were_typed(command: Command) -> None:
    """The system hands them over as halves of surrogate pairs (PEP 383)."""
    assert sent(command, "URL", "\udcff==\udcfe").target == "/?%FF=%FE"
    assert sent(command, "--form", "URL", "\udcff=\udcfe").body == b"%FF=%FE"
    assert b"\r\n\r\n\xff\r\n" in sent(command, "URL", "a=\udcff", f"b@{__file__}").body
    credentials = sent(command, "--auth", "a\udcff:b", "URL").header("Authorization") or ""
    assert base64.b64decode(credentials.removeprefix("Basic ")) == b"a\xff:b"


@pytest.mark.parametrize(
    ("arguments", "body", "content_type"),
    [
        (["-d", "a=1", "-d", "b=2"], b"a=1&b=2", "application/x-www-form-urlencoded"),
        (["--json", "-d", "{}"], b"{}", "application/json"),
        (["-d", "a", "Content-Type:text/plain"], b"a", "text/plain"),
        (["-d", "@DATA.csv"], b"1,2\n", "text/csv"),
        (["-d", "@DATA.csv", "--json"], b"1,2\n", "application/json"),
        (["-d", "@DATA.csv", "--form"], b"1,2\n", "application/x-www-form-urlencoded"),
        (["-d", "gr\udcfc"], b"gr\xfc", "application/x-www-form-urlencoded"),
    ],
)
def test_a_raw_body_goes_as_it_is(
    command: Command, tmp_path: Path, arguments: list[str], body: bytes, content_type: str
) -> None:
    (tmp_path / "DATA.csv").write_bytes(b"1,2\n")
    request = sent(command, "URL", *[each.replace("@", f"@{tmp_path}/") for each in arguments])
    assert request.body == body
    assert request.header("Content-Type") == content_type


def test_a_body_comes_from_standard_input(tmp_path: Path) -> None:
    with answering() as server:
        program = (
            "import io, sys; from pystickyhttp.cli import main; "
            "sys.stdin = io.TextIOWrapper(io.BytesIO(b'from a pipe')); sys.exit(main())"
        )
        assert start(server.url(), "-d", "@-", program=("-c", program)).text == "ok"
        assert server.requests[0].body == b"from a pipe"


def test_basic_digest_and_bearer_say_who_it_is(command: Command) -> None:
    basic = sent(command, "URL", "--auth", "ada:pass:word").header("Authorization") or ""
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"ada:pass:word"
    assert sent(command, "URL", "--bearer", "abc").header("Authorization") == "Bearer abc"

    def challenge(request: Request) -> bytes:
        if request.header("Authorization"):
            return OK
        return respond(status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})

    with answering(challenge) as server:
        outcome = command(server.url(), "--auth", "ada:secret", "--digest", "-v")
        assert (outcome.code, outcome.out) == (0, b"ok")
        # Each exchange is shown: that without credentials, and the answer to the challenge.
        assert outcome.err.count("> GET / HTTP/1.1") == 2
        assert "> Authorization: Digest ***" in outcome.err


def test_a_password_cannot_be_asked_for_where_nobody_is(command: Command) -> None:
    outcome = command("--auth", "ada", "http://127.0.0.1:9/")
    assert outcome.code == Exit.USAGE
    assert "--auth ada:PASSWORD" in outcome.err


def test_cookies_are_kept_in_a_file(command: Command, tmp_path: Path) -> None:
    def login(request: Request) -> bytes:
        return respond(b"", headers={"Set-Cookie": "id=1; Path=/; Max-Age=1000"})

    for name in ("cookies.json", "cookies.txt"):
        file = tmp_path / name
        with answering(login) as server:
            command("--session", file, server.url())
            command("--session", file, server.url())
            assert [each.header("Cookie") for each in server.requests] == [None, "id=1"]
        assert file.read_text().startswith("{" if name.endswith("json") else "# Netscape")


def test_a_unix_socket_is_dialled_in_the_place_of_the_host(command: Command, tmp_path: Path) -> None:
    with UnixServer(keep_alive(lambda _: OK), str(tmp_path / "s.sock")) as server:
        assert command("--unix-socket", tmp_path / "s.sock", "/version").out == b"ok"
        assert server.requests[0].target == "/version"
        assert server.requests[0].header("Host") == "localhost"


def test_a_pipe_that_has_no_path_of_its_own_is_written_to(command: Command) -> None:
    """As in `-o /dev/stdout | less`, and in `-o >(gzip)`."""
    begin, end = os.pipe()
    try:
        with answering() as server:
            assert command("-o", f"/dev/fd/{end}", server.url()) == (0, b"", "")
        assert os.read(begin, 100) == b"ok"
    finally:
        os.close(begin)
        os.close(end)


def test_a_proxy_is_gone_through_and_an_empty_one_is_none(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(lambda request: respond(request.target)) as server:
        assert command("--proxy", server.url(), "http://example.com/a").text == "http://example.com/a"
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        assert command("--proxy", "", server.url("/b")).text == "/b"


# --- redirects


def redirecting(request: Request) -> bytes:
    if request.target == "/from":
        return respond(b"go away", status=302, headers={"Location": "/to", "X-Hop": "1"})
    return respond(b"there")


def test_redirects_are_followed_unless_they_are_to_be_seen(command: Command) -> None:
    with answering(redirecting) as server:
        assert command(server.url("/from")).out == b"there"
        assert command("--no-follow", server.url("/from")).out == b"go away"
        included = command("-i", server.url("/from")).text
        assert included.startswith("HTTP/1.1 302 Found\nLocation: /to\nX-Hop: 1\n")
        assert included.endswith("\n\nthere")


def test_too_many_redirects_have_a_code_of_their_own(command: Command) -> None:
    with answering(lambda _: respond(status=302, headers={"Location": "/"})) as server:
        outcome = command("--max-redirects", "2", server.url())
        assert outcome.code == Exit.TOO_MANY_REDIRECTS
        assert "more than 2 redirects" in outcome.err
        assert "--max-redirects allows more" in outcome.err


# --- what is put out


def test_the_body_comes_out_byte_by_byte_as_it_is(command: Command) -> None:
    body = bytes(range(256)) * 500
    with answering(
        lambda _: respond(body, headers={"Content-Type": "application/json"}, chunked=True)
    ) as server:
        outcome = command(server.url())
    assert outcome == (0, body, "")


def test_both_heads_are_shown_apart_from_the_body_and_without_secrets(command: Command) -> None:
    def answer(_: Request) -> bytes:
        return respond(
            b"ok", headers=[("Set-Cookie", "id=secret; Path=/"), ("X", "gr\u00fc\u00df"), ("X", "2")]
        )

    with answering(answer) as server:
        outcome = command("-v", "--auth", "ada:secret", server.url("/?q"), "Cookie:theme=secret")
        assert outcome.out == b"ok"
        assert outcome.err.splitlines()[0] == "> GET /?q HTTP/1.1"
        for line in (
            f"> Host: 127.0.0.1:{server.port}",
            "> Authorization: Basic ***",
            "> Cookie: theme=***",
            "< HTTP/1.1 200 OK",
            "< Set-Cookie: id=***; Path=/",
            "< X: gr\u00fc\u00df",
            "< X: 2",
        ):
            assert line in outcome.err.splitlines()
        assert "secret" not in outcome.err
        again = command("-vv", "--auth", "ada:secret", server.url(), "Host:other")
        assert "> Authorization: Basic YWRhOnNlY3JldA==" in again.err
        assert again.err.count("> Host: ") == 1


def test_a_head_is_shown_with_the_version_that_the_server_speaks(command: Command) -> None:
    def old_fashioned(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\nok")

    with ScriptedServer(old_fashioned) as server:
        outcome = command("-i", "-v", server.url())
    assert outcome.text == "HTTP/1.0 200 OK\n\nok"
    assert "< HTTP/1.0 200 OK\n" in outcome.err


def test_the_head_alone_is_asked_for_and_shown(command: Command) -> None:
    with answering(lambda _: respond(headers={"Content-Length": "5", "Set-Cookie": "a=b"})) as server:
        outcome = command("-I", server.url())
        assert server.requests[0].method == "HEAD"
        assert outcome.text == "HTTP/1.1 200 OK\nContent-Length: 5\nSet-Cookie: a=b\n\n"


def test_json_is_laid_out_where_that_is_asked_for(command: Command) -> None:
    as_json = {"Content-Type": "application/json"}
    with answering(lambda _: respond(b'{"a":[1.0]}', headers=as_json)) as server:
        assert command("--pretty", server.url()).text == '{\n    "a": [\n        1.0\n    ]\n}\n'
    with answering(lambda _: respond(b"{no json}", headers=as_json)) as server:
        assert command("--pretty", server.url()).text == "{no json}"
    with answering(lambda _: respond(b'{"a":"\xff"}', headers=as_json)) as server:
        assert command("--pretty", server.url()).out == b'{"a":"\xff"}'
    latin = {"Content-Type": "application/json; charset=latin-1"}
    with answering(lambda _: respond(b'"\xfc"', headers=latin)) as server:
        assert command("--pretty", server.url()).text == '"ü"\n'
    unknown = {"Content-Type": "application/json; charset=klingon"}
    with answering(lambda _: respond(b"[]", headers=unknown)) as server:
        assert command("--pretty", server.url()).text == "[]\n"
    with answering(lambda _: respond(b"<a>", headers={"Content-Type": "text/html"})) as server:
        assert command("--pretty", server.url()).text == "<a>"


def test_json_that_nobody_reads_to_its_end_is_not_laid_out(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pystickyhttp.cli.fetch._MOST_TO_LAY_OUT", 10)
    body = b"[" + b"1," * 100_000 + b"1]"
    with answering(lambda _: respond(body, headers={"Content-Type": "application/json"})) as server:
        assert command("--pretty", server.url()).out == body


def test_what_streams_in_streams_out() -> None:
    """The second piece is not sent before the first one was put out."""

    def slowly(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one"))
        release.wait(30)
        peer.send(chunk(b"two") + b"0\r\n\r\n")

    release = threading.Event()
    with ScriptedServer(slowly) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "pystickyhttp", server.url()], stdout=subprocess.PIPE, env=surroundings()
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.read(3) == b"one"
            release.set()
            assert process.stdout.read() == b"two"
    assert process.returncode == 0


def test_a_body_is_written_to_a_file_whole_or_not_at_all(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "out"
    with answering() as server:
        assert command("-o", file, server.url()) == (0, b"", "")
        assert command("-o", "-", server.url()).out == b"ok"
    assert file.read_bytes() == b"ok"

    def cut(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    with ScriptedServer(cut) as server:
        assert command("-o", file, server.url()).code == Exit.PARTIAL_FILE
    assert file.read_bytes() == b"ok"
    assert list(tmp_path.iterdir()) == [file]


def test_the_time_is_shown_apart_from_the_body(command: Command) -> None:
    with answering(redirecting) as server:
        outcome = command("--timing", server.url("/from"))
    assert outcome.out == b"there"
    lines = [line for line in outcome.err.splitlines() if line.startswith("GET ")]
    assert [line.rpartition("/")[2] for line in lines] == ["from: 302 Found", "to: 200 OK"]
    totals = [line.split("ms")[-1].strip() for line in outcome.err.splitlines() if line.startswith("total")]
    assert totals == ["new connection", "reused connection"]


def test_help_and_version_are_for_standard_output(command: Command) -> None:
    outcome = command("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for wanted in ("METHOD", "--download", "name@file", "examples:", "exit codes", "bench"):
        assert wanted in outcome.text
    version = command("--version")
    assert (version.code, version.err) == (0, "")
    assert version.text.startswith("pystickyhttp ")
    assert "OpenSSL" in version.text


def test_a_start_that_is_wrong_or_asks_for_help_loads_no_more_than_it_needs() -> None:
    program = (
        "import sys; from pystickyhttp.cli import main; main(['--bogus']); "
        "print([name for name in ('rich', 'pystickyhttp.cli.fetch', 'email') if name in sys.modules])"
    )
    assert start(program=("-c", program)).text == "[]\n"


def test_the_package_alone_loads_nothing_of_the_command_line() -> None:
    program = (
        "import sys, pystickyhttp; pystickyhttp.Session(); "
        "print([name for name in ('argparse', 'rich', 'pystickyhttp.cli') if name in sys.modules])"
    )
    assert start(program=("-c", program)).text == "[]\n"


def test_to_import_the_command_line_runs_nothing() -> None:
    """As tools do that make lists of all modules, and children of multiprocessing."""
    assert start("--bogus", program=("-c", "import pystickyhttp.__main__")) == (0, b"", "")
