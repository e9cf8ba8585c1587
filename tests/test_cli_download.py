"""--download: a file is there whole or not at all, under a safe name, and goes on where it was cut off."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import pystickyhttp
from pystickyhttp.cli.failures import CommandError, Exit
from pystickyhttp.cli.partial import Part, begun_from, digest_of
from pystickyhttp.cli.ranges import Answer, Known, Verdict, judge, validator_of
from pystickyhttp.headers import Headers
from tests.command import DEADLINE, INTERRUPTIBLE, Command, surroundings
from tests.command import command as command  # the fixture
from tests.interrupts import ctrl_c_once
from tests.servers.real import RealServer
from tests.servers.scripted import Peer, Request, Script, ScriptedServer, keep_alive, respond

BODY = bytes(range(256)) * 400
HALF = len(BODY) // 2
STRONG = {"ETag": '"v1"'}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path().iterdir())}


def names() -> list[str]:
    return sorted(os.listdir())


def head(fields: dict[str, str], status: str = "200 OK") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()


def cut(fields: dict[str, str] = STRONG, at: int = HALF) -> Script:
    """A server that breaks off in the middle."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(head({"Content-Length": str(len(BODY)), **fields}) + BODY[:at])

    return script


def ranged(body: bytes = BODY, fields: dict[str, str] = STRONG) -> Script:
    """A server that does as RFC 9110 says: ranges, and If-Range."""

    def answer(request: Request) -> bytes:
        wanted = re.fullmatch("bytes=([0-9]+)-", request.header("Range") or "")
        if wanted is None or request.header("If-Range") not in fields.values():
            return respond(body, headers=fields)
        begin = int(wanted[1])
        if begin >= len(body):
            return respond(status=416, headers={"Content-Range": f"bytes */{len(body)}", **fields})
        part = {"Content-Range": f"bytes {begin}-{len(body) - 1}/{len(body)}", **fields}
        return respond(body[begin:], status=206, headers=part)

    return keep_alive(answer)


def left_by_a_cut(command: Command, url: str, *options: str) -> None:
    outcome = command("--download", url, *options)
    assert outcome.code == Exit.PARTIAL_FILE


# --- one that is not cut


def test_a_file_is_saved_under_the_name_of_its_url(command: Command) -> None:
    with ScriptedServer(ranged()) as server:
        outcome = command("--download", server.url("/a/data.bin?x=1"))
    assert (outcome.code, outcome.out) == (0, b"")
    assert re.fullmatch(r"saved 'data.bin': 102.4 KB in [0-9.]+ s \([0-9.]+ [KMG]B/s\)\n", outcome.err)
    assert files() == {"data.bin": BODY}


def test_the_server_names_the_file_but_not_its_place(command: Command) -> None:
    fields = {"Content-Disposition": 'attachment; filename="../../evil.sh"'}
    with ScriptedServer(ranged(b"x", fields)) as server:
        assert command("--download", server.url("/a")).code == 0
    assert files() == {"evil.sh": b"x"}


def test_a_file_that_is_there_is_not_replaced_where_nobody_can_be_asked(command: Command) -> None:
    Path("a").write_bytes(b"mine")
    with ScriptedServer(ranged()) as server:
        outcome = command("--download", server.url("/a"))
        assert outcome.code == Exit.WRITE_FAILED
        assert "'a' is there already: -o a replaces it" in outcome.err
        assert files() == {"a": b"mine"}
        Path("a; b").write_bytes(b"mine")
        assert "-o 'a; b' replaces it" in command("--download", server.url("/a;%20b")).err
        Path("a; b").unlink()
        assert command("--download", "-o", "a", server.url("/a")).code == 0
    assert files() == {"a": BODY}


def test_a_file_that_is_replaced_keeps_its_permissions(command: Command) -> None:
    Path("a").write_bytes(b"mine")
    Path("a").chmod(0o640)
    with ScriptedServer(ranged()) as server:
        command("--download", "-o", "a", server.url())
    assert stat.S_IMODE(Path("a").stat().st_mode) == 0o640


def test_a_link_that_is_named_is_followed(command: Command) -> None:
    os.symlink("behind", "link")
    with ScriptedServer(ranged()) as server:
        assert command("--download", "-o", "link", server.url()).code == 0
    assert os.path.islink("link")
    assert files() == {"behind": BODY, "link": BODY}


def test_a_name_that_is_taken_in_the_meantime_stays_with_who_took_it(command: Command) -> None:
    def slowly(peer: Peer) -> None:
        peer.expect_request()
        peer.send(head({"Content-Length": "2"}) + b"o")
        while not os.path.exists("a.part.json"):
            pass
        Path("a").write_bytes(b"theirs")
        peer.send(b"k")

    with ScriptedServer(slowly) as server:
        outcome = command("--download", server.url("/a"))
    assert outcome.code == Exit.WRITE_FAILED
    assert "is there by now" in outcome.err
    assert files()["a"] == b"theirs"
    assert files()["a.part"] == b"ok"


def test_without_hard_links_a_file_gets_its_name_all_the_same(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", unsupported)
    with ScriptedServer(ranged()) as server:
        assert command("--download", server.url("/a")).code == 0
    assert files() == {"a": BODY}


def test_nothing_is_asked_for_in_a_coding_and_what_comes_so_is_decoded(command: Command) -> None:
    fields = {"Content-Encoding": "gzip", **STRONG}
    with ScriptedServer(ranged(gzip.compress(BODY), fields)) as server:
        assert command("--download", server.url("/a")).code == 0
        assert server.requests[0].header("Accept-Encoding") == "identity"
    assert files() == {"a": BODY}


@pytest.mark.parametrize("status", [204, 205, 301, 404, 500])
def test_a_page_that_says_no_is_not_the_file(command: Command, status: int) -> None:
    body = b"" if status in (204, 205) else b"sorry"
    no = keep_alive(lambda _: respond(body, status=status))
    with ScriptedServer([no, cut(), no]) as server:
        outcome = command("--download", server.url("/a"))
        assert outcome.code == Exit.HTTP_ERROR
        assert str(status) in outcome.err
        assert names() == []
        left_by_a_cut(command, server.url("/a"))
        assert command("-c", server.url("/a")).code == Exit.HTTP_ERROR
    assert files()["a.part"] == BODY[:HALF]  # what is here stays


def test_what_is_no_ordinary_file_is_not_replaced(command: Command) -> None:
    os.mkdir("folder")
    os.mkfifo("pipe")
    with ScriptedServer(ranged()) as server:
        for name in ("folder", "pipe"):
            assert command("--download", server.url(f"/{name}")).code == Exit.WRITE_FAILED
        assert len(server.requests) == 2
        assert command("--download", "-o", "pipe", server.url()).code == Exit.WRITE_FAILED
        assert len(server.requests) == 2
    assert os.listdir("folder") == []
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)


@pytest.mark.parametrize("folder", ["folder", "folder/"])
def test_a_folder_that_is_named_gets_the_file_under_the_name_of_the_server(
    command: Command, folder: str
) -> None:
    os.mkdir("folder")
    fields = {"Content-Disposition": "attachment; filename=../b", **STRONG}
    with ScriptedServer([cut(fields), ranged(BODY, fields), ranged(BODY, fields)]) as server:
        first = command("--download", "-o", folder, server.url("/a"))
        assert "are in 'folder/b.part', the same command with --continue goes on" in first.err
        second = command("--continue", "-o", folder, server.url("/a"))
        assert second.err.startswith("saved 'folder/b'"), second.err
        assert server.requests[1].header("Range") == f"bytes={HALF}-"
        third = command("--download", "-o", folder, server.url("/a"))
        assert third.code == Exit.WRITE_FAILED
        assert "'folder/b' is there already: -o folder/b replaces it" in third.err
    assert names() == ["folder"]
    assert {path.name: path.read_bytes() for path in Path("folder").iterdir()} == {"b": BODY}


def test_a_part_that_is_not_ours_is_left_alone(command: Command) -> None:
    Path("a.part").write_bytes(b"of a browser")
    with ScriptedServer(ranged()) as server:
        outcome = command("--download", server.url("/a"))
    assert outcome.code == Exit.WRITE_FAILED
    assert "no download of ours" in outcome.err
    assert files() == {"a.part": b"of a browser"}


def test_a_link_under_the_name_of_the_part_is_not_written_through(command: Command) -> None:
    Path("precious").write_bytes(b"mine")
    os.symlink("precious", "a.part")
    Path("a.part.json").write_text("{}")
    with ScriptedServer(ranged()) as server:
        assert command("--download", server.url("/a")).code == Exit.WRITE_FAILED
    assert files()["precious"] == b"mine"


def test_two_downloads_of_one_file_are_held_apart(command: Command) -> None:
    with Part("a") as part, ScriptedServer(ranged()) as server:
        part.begin(Known("", None, None))
        part.write(b"x")
        outcome = command("--download", server.url("/a"))
        assert outcome.code == Exit.WRITE_FAILED
        assert "by another process" in outcome.err


def test_a_file_that_another_process_ends_while_it_is_opened_stays_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was opened as the part is the whole file by the time that the lock is free."""
    lock = fcntl.flock

    def once_the_other_has_ended(file: int, how: int) -> None:
        if not os.path.exists("a"):
            Path("a.part").write_bytes(b"theirs")
            os.rename("a.part", "a")
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", once_the_other_has_ended)
    with Part("a") as part:
        part.begin(Known("", None, None))
        part.write(b"ours")
        assert Path("a").read_bytes() == b"theirs"
        part.finish(replace=True)
    assert files() == {"a": b"ours"}


def test_a_file_system_without_locks_will_do(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with ScriptedServer(ranged()) as server:
        assert command("--download", server.url("/a")).code == 0


# --- one that is cut, and goes on


@pytest.mark.parametrize("fields", [STRONG, {"Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"}])
@pytest.mark.parametrize("options", [[], ["-o", "mine.bin"]])
def test_what_was_cut_goes_on_where_it_was_cut(
    command: Command, fields: dict[str, str], options: list[str]
) -> None:
    said = {**fields, "Date": "Sun, 01 Nov 2026 10:00:01 GMT", "Content-Disposition": "x; filename=b"}
    with ScriptedServer([cut(said), ranged(BODY, said)]) as server:
        first = command("--download", server.url("/a"), *options)
        assert first.code == Exit.PARTIAL_FILE
        assert "51.2 KB of 102.4 KB are in" in first.err
        assert "the same command with --continue goes on" in first.err
        name = options[1] if options else "b"
        assert names() == [f"{name}.part", f"{name}.part.json"]
        assert stat.S_IMODE(os.stat(f"{name}.part.json").st_mode) == 0o600
        second = command("--continue", server.url("/a"), *options)
        assert second.code == 0, second.err
        request = server.requests[1]
        assert request.header("Range") == f"bytes={HALF}-"
        assert request.header("If-Range") == next(iter(fields.values()))
    assert files() == {name: BODY}


def test_a_file_that_has_changed_begins_anew(command: Command) -> None:
    with ScriptedServer([cut(), ranged(b"new", {"ETag": '"v2"'})]) as server:
        left_by_a_cut(command, server.url("/a"))
        outcome = command("-c", server.url("/a"))
    assert "the file has changed" in outcome.err
    assert files() == {"a": b"new"}


@pytest.mark.parametrize(
    "fields",
    [
        {"ETag": 'W/"v1"', "Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"},
        {},
        {"Content-Encoding": "identity"},
    ],
)
def test_what_cannot_be_told_from_its_successor_is_not_gone_on_with(
    command: Command, fields: dict[str, str]
) -> None:
    with ScriptedServer([cut(fields), ranged(BODY, {})]) as server:
        outcome = command("--download", server.url("/a"))
        if "Content-Encoding" in fields:
            assert outcome.code != 0
        assert "it has to begin anew" in outcome.err
        outcome = command("-c", server.url("/a"))
        assert "begins anew" in outcome.err
        assert server.requests[1].header("Range") is None
    assert files() == {"a": BODY}


def test_where_all_is_here_already_the_server_is_believed(command: Command) -> None:
    with ScriptedServer([cut(), ranged()]) as server:
        left_by_a_cut(command, server.url("/a"))
        Path("a.part").write_bytes(BODY)  # the last byte came, and then the power went
        assert command("-c", server.url("/a")).code == 0
    assert files() == {"a": BODY}


def test_a_part_that_is_longer_than_the_file_begins_anew(command: Command) -> None:
    with ScriptedServer([cut(), ranged()]) as server:
        left_by_a_cut(command, server.url("/a"))
        Path("a.part").write_bytes(BODY + b"x")
        outcome = command("-c", server.url("/a"))
        assert outcome.code == 0
        assert "is no part of the file" in outcome.err
    assert files() == {"a": BODY}


def test_a_server_that_sends_less_of_a_range_is_asked_again(command: Command) -> None:
    def piecewise(request: Request) -> bytes:
        begin = int((request.header("Range") or "bytes=0-")[6:-1])
        end = min(begin + 30_000, len(BODY))
        fields = {"Content-Range": f"bytes {begin}-{end - 1}/{len(BODY)}", **STRONG}
        return respond(BODY[begin:end], status=206, headers=fields)

    with ScriptedServer([cut(), keep_alive(piecewise)]) as server:
        left_by_a_cut(command, server.url("/a"))
        assert command("-c", server.url("/a")).code == 0
        assert len(server.requests) == 3
    assert files() == {"a": BODY}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Content-Range": "bytes 0-9/102400"},
        {"Content-Range": f"bytes {HALF}-{HALF}/999"},
        {"Content-Range": f"bytes {HALF}-{HALF}/102400", "ETag": '"v2"'},
        {"Content-Range": f"bytes {HALF}-{HALF}/102400", "Content-Encoding": "gzip"},
    ],
)
def test_a_part_that_does_not_fit_is_refused_and_what_is_here_stays(
    command: Command, fields: dict[str, str]
) -> None:
    wrong = keep_alive(lambda _: respond(b"x", status=206, headers=fields))
    with ScriptedServer([cut(), wrong]) as server:
        left_by_a_cut(command, server.url("/a"))
        outcome = command("-c", server.url("/a"))
    assert outcome.code == Exit.RANGE_FAILED
    assert "leave --continue out" in outcome.err
    assert files()["a.part"] == BODY[:HALF]


@pytest.mark.parametrize("said", [f"{HALF}-{HALF + 8}/{len(BODY)}", f"{HALF}-{HALF + 8}/*"])
@pytest.mark.parametrize("came", [0, 5, 10])
def test_a_part_of_another_length_than_it_says_is_refused(command: Command, said: str, came: int) -> None:
    """X5: neither is a file saved of it, nor is the server asked for ever."""
    fields = {"Content-Range": f"bytes {said}", **STRONG}
    lie = keep_alive(lambda _: respond(BODY[HALF:][:came], status=206, headers=fields))
    with ScriptedServer([cut(), lie]) as server:
        left_by_a_cut(command, server.url("/a"))
        outcome = command("-c", server.url("/a"))
        assert len(server.requests) == 2
    assert outcome.code == Exit.RANGE_FAILED
    assert "said that it ends" in outcome.err
    assert "a" not in files()
    assert BODY.startswith(files()["a.part"])


def test_a_part_of_an_unknown_whole_is_of_the_size_that_is_known(command: Command) -> None:
    def piecewise(request: Request) -> bytes:
        begin = int((request.header("Range") or "bytes=0-")[6:-1])
        fields = {"Content-Range": f"bytes {begin}-{min(begin + 30_000, len(BODY)) - 1}/*", **STRONG}
        return respond(BODY[begin : begin + 30_000], status=206, headers=fields)

    with ScriptedServer([cut(), keep_alive(piecewise)]) as server:
        left_by_a_cut(command, server.url("/a"))
        assert command("-c", server.url("/a")).code == 0
    assert files() == {"a": BODY}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (respond(b"x", status=206, headers={"Content-Range": f"bytes {HALF}-{HALF}/{'9' * 5000}"}), 33),
        (respond(b"x", status=206, headers={"Content-Range": f"bytes {HALF}-{len(BODY)}/*"}), 33),
        (respond(status=416, headers={"Content-Range": f"bytes */{'9' * 5000}"}), 33),
    ],
)
def test_numbers_that_no_file_has_are_refused(command: Command, answer: bytes, code: int) -> None:
    with ScriptedServer([cut(), keep_alive(lambda _: answer)]) as server:
        left_by_a_cut(command, server.url("/a"))
        assert command("-c", server.url("/a")).code == code


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (respond(b"x", status=206, headers={"Content-Range": "bytes 0-0/1"}), "206"),
        (respond(status=416), "416"),
    ],
)
def test_a_range_that_nobody_asked_for_is_refused(command: Command, answer: bytes, words: str) -> None:
    with ScriptedServer(keep_alive(lambda _: answer)) as server:
        outcome = command("--download", server.url("/a"))
    assert outcome.code == Exit.RANGE_FAILED
    assert words in outcome.err
    assert "--continue" not in outcome.err


def test_no_server_plants_the_beginning_of_the_file_of_another(command: Command) -> None:
    note = {"version": 1, "validator": '"v1"', "size": len(BODY)}

    def plant(request: Request) -> bytes:
        name, body = "a.part", b"#!/bin/sh\n"
        if request.target == "/note":
            name, body = "a.part.json", json.dumps(note).encode()
        return respond(body, headers={"Content-Disposition": f"attachment; filename={name}"})

    with ScriptedServer(keep_alive(plant)) as other, ScriptedServer(ranged()) as server:
        note["url"] = digest_of(f"{server.url('/a')} []")
        assert command("--download", other.url("/note")).code == 0
        assert command("--download", other.url("/part")).code == 0
        assert command("-c", server.url("/a")).code == 0
    assert files()["a"] == BODY


def test_the_part_of_another_url_is_gone_on_with_only_by_its_name_and_etag(command: Command) -> None:
    """Links that are signed change with each visit, and the file does not."""
    with ScriptedServer([cut(), ranged()]) as server:
        left_by_a_cut(command, server.url("/a?signature=1"))
        outcome = command("-c", "-o", "a", server.url("/a?signature=2"))
        assert outcome.code == 0
        assert server.requests[1].header("Range") is not None
    assert files() == {"a": BODY}
    os.unlink("a")
    with ScriptedServer([cut(), ranged()]) as server:
        left_by_a_cut(command, server.url("/a?file=1"))
        outcome = command("-c", server.url("/b?file=2"))
        assert "nothing to continue" in outcome.err
    assert names() == ["a.part", "a.part.json", "b"]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 1, "url": 1, "size": "x"}',
        "\xff",
        "[" * 10**5,
    ],
)
def test_a_note_that_cannot_be_read_is_none(command: Command, note: str) -> None:
    with ScriptedServer([cut(), ranged()]) as server:
        left_by_a_cut(command, server.url("/a"))
        Path("a.part.json").write_text(note, encoding="latin-1")
        outcome = command("-c", "-o", "a", server.url("/a"))
        assert outcome.code == 0
        assert "begins anew" in outcome.err
    assert files() == {"a": BODY}


def test_without_continue_a_download_begins_anew(command: Command) -> None:
    with ScriptedServer([cut(), ranged()]) as server:
        left_by_a_cut(command, server.url("/a"))
        assert command("--download", server.url("/a")).code == 0
        assert server.requests[1].header("Range") is None
    assert files() == {"a": BODY}


def test_going_on_does_not_replace_a_file_that_came_in_between(command: Command) -> None:
    with ScriptedServer(cut()) as server:
        left_by_a_cut(command, server.url("/a"))
        Path("a").write_bytes(b"mine")
        assert command("-c", server.url("/a")).code == Exit.WRITE_FAILED
    assert files()["a"] == b"mine"


def test_only_get_has_ranges(command: Command) -> None:
    outcome = command("-c", "http://127.0.0.1:9/", "a=b")
    assert outcome.code == Exit.USAGE
    assert "only GET" in outcome.err


def test_a_cut_before_the_first_byte_leaves_nothing(command: Command) -> None:
    with ScriptedServer(cut(at=0)) as server:
        assert command("--download", server.url("/a")).code == Exit.PARTIAL_FILE
    assert names() == []


def test_retries_go_on_where_it_was_cut(command: Command) -> None:
    with ScriptedServer([cut(), ranged()]) as server:
        outcome = command("--download", "--retry", "1", server.url("/a"))
        assert outcome.code == 0
        assert "cut off at 51.2 KB: going on" in outcome.err
    assert files() == {"a": BODY}


def test_retries_are_counted_and_waited_for(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("pystickyhttp.cli.download.time.sleep", waits.append)

    def cut_again(peer: Peer) -> None:
        begin = int((peer.expect_request().header("Range") or "")[6:-1])
        said = {"Content-Range": f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}", **STRONG}
        peer.send(head({"Content-Length": str(len(BODY) - begin), **said}, "206 Partial Content") + b"\0")

    with ScriptedServer([cut(), cut_again, cut_again, cut_again]) as server:
        outcome = command("--download", "--retry", "3", server.url("/a"))
    assert outcome.code == Exit.PARTIAL_FILE
    assert waits == [1.0, 2.0]


def test_the_whole_time_is_one_for_all_requests(command: Command) -> None:
    def stalls(peer: Peer) -> None:
        peer.expect_request()
        peer.send(head({"Content-Length": str(len(BODY)), **STRONG}) + BODY[:HALF])
        peer.stall()

    with ScriptedServer(stalls) as server:
        outcome = command("--download", "--retry", "5", "--timeout", "0.3", server.url("/a"))
        assert outcome.code == Exit.TIMED_OUT
        assert "with --continue goes on" in outcome.err
        assert server.accepted == 1


# --- one that is ended from outside


def ended_by(number: signal.Signals) -> tuple[int, str]:
    """Start a download, end it by a signal once half of it is here, and let it be gone on with."""

    def stalls(peer: Peer) -> None:
        peer.expect_request()
        peer.send(head({"Content-Length": str(len(BODY)), **STRONG}) + BODY[:HALF])
        half_is_sent.set()
        peer.stall()

    half_is_sent = threading.Event()
    with ScriptedServer([stalls, ranged()]) as server:
        arguments = [sys.executable, "-m", "pystickyhttp", "--download", server.url("/a")]
        interruptible = [sys.executable, "-c", INTERRUPTIBLE, *arguments[1:]]
        process = subprocess.Popen(interruptible, stderr=subprocess.PIPE, env=surroundings())
        with process:
            half_is_sent.wait(DEADLINE)
            while not (os.path.exists("a.part") and os.path.getsize("a.part")):
                pass
            process.send_signal(number)
            assert process.stderr is not None
            told = process.stderr.read().decode()
        code = process.returncode
        again = subprocess.run([*arguments, "-c"], env=surroundings(), capture_output=True, check=True)
        assert b"saved" in again.stderr
        assert server.requests[1].header("Range") is not None
    assert files() == {"a": BODY}
    return code, told


def test_who_interrupts_a_download_is_told_how_to_go_on() -> None:
    code, told = ended_by(signal.SIGINT)
    assert code == Exit.INTERRUPTED
    assert re.fullmatch(r"pystickyhttp: interrupted: .* are in 'a.part', the same command .*\n", told)


def test_who_interrupts_the_command_in_a_program_is_told_how_to_go_on(command: Command) -> None:
    def stalls(peer: Peer) -> None:
        peer.expect_request()
        peer.send(head({"Content-Length": str(len(BODY)), **STRONG}) + BODY[:HALF])
        peer.stall()

    with ScriptedServer(stalls) as server:
        with ctrl_c_once(lambda: os.path.exists("a.part") and os.path.getsize("a.part") > 0):
            outcome = command("--download", server.url("/a"))
    assert outcome.code == Exit.INTERRUPTED
    assert re.fullmatch(r"pystickyhttp: interrupted: .* are in 'a.part', the same command .*\n", outcome.err)


def test_who_interrupts_a_download_of_which_nothing_came_is_told_nothing(command: Command) -> None:
    def silent(peer: Peer) -> None:
        peer.expect_request()
        peer.stall()

    with ScriptedServer(silent) as server, ctrl_c_once(lambda: len(server.requests) == 1):
        outcome = command("--download", server.url("/a"))
    assert (outcome.code, outcome.err) == (Exit.INTERRUPTED, "")


def test_a_download_that_is_killed_can_be_gone_on_with() -> None:
    assert ended_by(signal.SIGKILL) == (-signal.SIGKILL, "")


def test_a_full_disk_is_told(command: Command) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with ScriptedServer(ranged()) as server:
            outcome = command("--download", server.url("/a"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert outcome.code == Exit.WRITE_FAILED
    assert "File too large" in outcome.err
    assert "a" not in names()


# --- the decisions


@pytest.mark.parametrize(
    ("fields", "validator"),
    [
        ({"ETag": '"a"'}, '"a"'),
        ({"ETag": 'W/"a"', "Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"}, None),
        (
            {"Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT", "Date": "Sun, 01 Nov 2026 10:00:01 GMT"},
            "Sun, 01 Nov 2026 10:00:00 GMT",
        ),
        ({"Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT", "Date": "Sun, 01 Nov 2026 10:00:00 GMT"}, None),
        ({"Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"}, None),
        ({"Last-Modified": "yesterday", "Date": "today"}, None),
        ({"ETag": '"\xe9"'}, '"\xe9"'),
        ({"ETag": '"a'}, None),
        ({"ETag": '"a", "b"'}, None),
        ({"ETag": '"\x1b[31m"'}, None),
        (
            {"Last-Modified": "Sun, 01\x1cNov 2026 10:00:00 GMT", "Date": "Sun, 01 Nov 2026 10:00:01 GMT"},
            None,
        ),
        ({}, None),
    ],
)
def test_only_what_is_strong_validates(fields: dict[str, str], validator: str | None) -> None:
    """RFC 9110, sections 8.8.2.2 and 13.1.5."""
    assert validator_of(Headers(fields)) == validator


def test_a_complete_range_is_believed_only_of_the_same_file() -> None:
    known = Known("", '"a"', 10)
    said = {"Content-Range": "bytes */10"}
    assert judge(Answer(416, Headers(said)), known, 10) is Verdict.COMPLETE
    assert judge(Answer(416, Headers({**said, "ETag": '"b"'})), known, 10) is Verdict.AGAIN
    assert judge(Answer(416, Headers(said)), known, 9) is Verdict.AGAIN
    assert judge(Answer(416, Headers()), known, 10) is Verdict.AGAIN
    assert judge(Answer(416, Headers(said)), Known("", '"a"', 11), 10) is Verdict.AGAIN
    part = {"Content-Range": "bytes 5-9/*"}
    assert judge(Answer(206, Headers(part)), known, 5) is Verdict.APPEND
    with pytest.raises(CommandError):
        judge(Answer(206, Headers({"Content-Range": "bytes 5-4/10"})), known, 5)


def test_a_folder_that_cannot_be_read_has_no_part_in_it() -> None:
    assert begun_from("x", "/nowhere") is None


def test_a_download_goes_on_at_a_real_server(command: Command, nginx_server: RealServer) -> None:
    url = f"{nginx_server.url}/large.bin"
    whole = bytes(range(256)) * 4096
    etag = pystickyhttp.head(url).headers["ETag"]

    def first_half(peer: Peer) -> None:
        peer.expect_request()
        peer.send(head({"Content-Length": str(len(whole)), "ETag": etag}) + whole[: len(whole) // 2])

    with ScriptedServer(first_half) as server:
        left_by_a_cut(command, server.url(), "-o", "a")
    outcome = command("-c", "-o", "a", url)
    assert outcome.code == 0
    assert "anew" not in outcome.err
    assert files() == {"a": whole}
    # All of it is here, and nginx says so: 416.
    Path("a.part").write_bytes(whole)
    digest = json.dumps({"version": 1, "url": "", "validator": etag, "size": len(whole)})
    Path("a.part.json").write_text(digest)
    assert command("-c", "-o", "a", url).code == 0
    assert files() == {"a": whole}
