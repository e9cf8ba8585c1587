"""Cookies on disk: cookies.txt as curl and the standard library have it, and JSON with everything."""

from __future__ import annotations

import dataclasses
import http.cookiejar
import json
import math
import os
import pickle
import shutil
import ssl
import stat
import string
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pystickyhttp.cookies import Cookie, CookieFileError, CookieJar, cookie_header
from pystickyhttp.exceptions import RequestException
from pystickyhttp.urls import parse
from tests.servers.scripted import ScriptedServer, keep_alive, respond
from tests.servers.wire import Request

FAR = 4_000_000_000
# The machine that runs the tests may be busy; and each example writes over the file of the one before.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sent(jar: CookieJar, url: str) -> str:
    return cookie_header(jar.cookies_for(parse(url)))


def jar_of(url: str, *set_cookie: str) -> CookieJar:
    jar = CookieJar()
    jar.extract(parse(url), set_cookie)
    return jar


def many_kinds() -> CookieJar:
    jar = jar_of(
        "https://www.example.com/dir/",
        *("own=1", "wide=2; Domain=example.com; Path=/", "safe=3; Secure", "hidden=4; HttpOnly"),
        *("late=5; Max-Age=100000; Path=/", 'quoted="a b, c"', "bytes=\xe9\xff", "empty=", "nameless"),
        *("site=6; SameSite=Strict; Secure", "all=7; Domain=example.com; Secure; HttpOnly; Max-Age=100000"),
    )
    jar.extract(parse("http://127.0.0.1:80/"), ["address=8"])
    jar.extract(parse("http://localhost/"), ["local=9"])
    jar.extract(parse("http://[::1]/"), ["six=10"])
    jar.set("any", "11")
    jar.set("named", "12", domain="localhost", expires=FAR)
    return jar


def without_times(jar: CookieJar) -> list[Cookie]:
    """What a cookies.txt keeps: neither fractions of seconds, nor when a cookie came, nor SameSite."""
    return [
        dataclasses.replace(
            cookie,
            created=0,
            same_site="",
            expires=None if cookie.expires is None else math.floor(cookie.expires),
        )
        for cookie in jar
    ]


# -- what is kept


def test_a_cookies_txt_keeps_all_that_the_format_has(tmp_path: Path) -> None:
    jar = many_kinds()
    jar.save(tmp_path / "cookies.txt")
    assert without_times(CookieJar.load(tmp_path / "cookies.txt")) == without_times(jar)


def test_json_keeps_everything(tmp_path: Path) -> None:
    jar = many_kinds()
    jar.cookies_for(parse("https://www.example.com/"), time.time() + 5)
    jar.save(tmp_path / "cookies.json")
    again = CookieJar.load(tmp_path / "cookies.json")
    assert list(again) == list(jar)
    assert [entry.used for entry in again._entries.values()] == [
        entry.used for entry in jar._entries.values()
    ]


def test_a_cookies_txt_is_written_as_curl_writes_it(tmp_path: Path) -> None:
    jar = CookieJar()
    jar.set("a", "1", domain="example.com", path="/x", expires=FAR + 0.9, secure=True, http_only=True)
    jar.set("b", "", domain="www.example.com", host_only=True)
    jar.set("c", '"3 4"', domain="127.0.0.1")
    jar.save(tmp_path / "cookies.txt")
    header, *lines = (tmp_path / "cookies.txt").read_text().splitlines()
    assert header == "# Netscape HTTP Cookie File"
    assert [line for line in lines if line and not line.startswith("# ")] == [
        "#HttpOnly_.example.com\tTRUE\t/x\tTRUE\t4000000000\ta\t1",
        "www.example.com\tFALSE\t/\tFALSE\t0\tb\t",
        '.127.0.0.1\tTRUE\t/\tFALSE\t0\tc\t"3 4"',
    ]


def test_each_cookie_of_a_json_file_has_a_line(tmp_path: Path) -> None:
    many_kinds().save(tmp_path / "cookies.json")
    content = (tmp_path / "cookies.json").read_text()
    assert json.loads(content)["version"] == 1
    assert len(content.splitlines()) == len(many_kinds()) + 2


@pytest.mark.parametrize(
    ("name", "given", "is_json"),
    [
        ("cookies.json", None, True),
        ("cookies.JSON", None, True),
        ("cookies.txt", None, False),
        ("cookies", None, False),
        ("cookies.json", "netscape", False),
        ("cookies.txt", "json", True),
    ],
)
def test_the_suffix_says_the_format_where_nobody_else_does(
    tmp_path: Path, name: str, given: str | None, is_json: bool
) -> None:
    jar = CookieJar({"a": "b"})
    jar.save(tmp_path / name, format=given)
    assert (tmp_path / name).read_text().startswith("{") is is_json
    assert CookieJar.load(str(tmp_path / name), format=given) == jar


def test_another_format_is_refused(tmp_path: Path) -> None:
    for use in (CookieJar().save, CookieJar.load):
        with pytest.raises(ValueError, match="'netscape' or 'json'"):
            use(tmp_path / "x", format="pickle")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["cookies.txt", "cookies.json"])
def test_an_empty_file_has_no_cookies_and_an_empty_jar_can_be_saved(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert len(CookieJar.load(tmp_path / name)) == 0
    CookieJar().save(tmp_path / name)
    assert len(CookieJar.load(tmp_path / name)) == 0


@pytest.mark.parametrize("name", ["cookies.txt", "cookies.json"])
def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        CookieJar.load(tmp_path / name)
    assert len(CookieJar.load(tmp_path / name, missing_ok=True, max_cookies=5)) == 0
    with pytest.raises(FileNotFoundError, match="folder"):
        CookieJar().save(tmp_path / "folder" / name)


@pytest.mark.parametrize("name", ["cookies.txt", "cookies.json"])
def test_what_has_expired_is_neither_saved_nor_loaded(tmp_path: Path, name: str) -> None:
    jar = CookieJar({"a": "b"})
    jar.extract(parse("http://example.com/"), ["old=c; Max-Age=1"], time.time() - 5)
    jar.save(tmp_path / name)
    assert "old" not in (tmp_path / name).read_text()
    soon = time.time() + 0.05
    jar.set("soon", "d", expires=math.ceil(soon))
    jar.save(tmp_path / name)
    text = (tmp_path / name).read_text().replace(str(math.ceil(soon)), str(int(soon) - 1))
    (tmp_path / name).write_text(text)
    assert CookieJar.load(tmp_path / name).keys() == ["a"]


@pytest.mark.parametrize("name", ["cookies.txt", "cookies.json"])
def test_a_file_is_loaded_within_the_limits_of_the_jar(tmp_path: Path, name: str) -> None:
    jar = jar_of("http://example.com/", *(f"c{number}=x" for number in range(10)))
    jar.save(tmp_path / name)
    assert CookieJar.load(tmp_path / name, max_per_domain=3).keys() == ["c7", "c8", "c9"]


def test_what_a_cookies_txt_cannot_hold_is_left_out_and_breaks_no_line(tmp_path: Path) -> None:
    jar = jar_of("http://example.com/", "tab=a\tb", "kept=c", "na\tme=d", "path=e; Path=/x\ty")
    jar.set("line", "f\n.evil.example\tTRUE\t/\tFALSE\t0\tg\th")
    jar.set("wide", "\u65e5")
    jar.save(tmp_path / "cookies.txt")
    assert CookieJar.load(tmp_path / "cookies.txt").keys() == ["kept"]
    jar.save(tmp_path / "cookies.json")
    assert CookieJar.load(tmp_path / "cookies.json").keys() == ["tab", "kept", "na\tme", "path", "wide"]


texts = st.text(string.ascii_letters + '\t\r\n\x00\x7f #"=;é\xff\u65e5' + string.digits, max_size=8)


@settings(unhurried, max_examples=50)
@given(
    st.lists(
        st.builds(
            Cookie,
            name=texts,
            value=texts,
            domain=st.sampled_from(["", "example.com", "localhost", "127.0.0.1", "::1", "xn--p1ai"]),
            path=st.sampled_from(["/", "/a", "/a\tb", "", "x", "/\n"]),
            expires=st.none() | st.floats() | st.integers(FAR, 2 * FAR).map(float),
            secure=st.booleans(),
            http_only=st.booleans(),
            host_only=st.booleans(),
            created=st.floats(0, 1e9),
            same_site=st.sampled_from(["", "Lax"]),
        ).filter(lambda cookie: bool(cookie.domain) or not cookie.host_only)
    )
)
def test_whatever_is_in_a_jar_can_be_saved_and_what_was_saved_is_loaded_as_it_was(
    tmp_path: Path, cookies: list[Cookie]
) -> None:
    jar = CookieJar(cookies)
    for name in ("cookies.txt", "cookies.json"):
        jar.save(tmp_path / name)
        again = CookieJar.load(tmp_path / name)
        assert set(without_times(again)) <= {
            *without_times(CookieJar(cookie for cookie in jar if math.isfinite(cookie.expires or 0)))
        }
        again.save(tmp_path / f"again-{name}")
        assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()


# -- how it is written


@pytest.mark.parametrize("name", ["cookies.txt", "cookies.json"])
def test_a_file_of_cookies_is_for_its_owner_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch(mode=0o644)
    path.chmod(0o644)
    before = os.umask(0)
    try:
        CookieJar({"a": "b"}).save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [name]


def test_a_link_goes_on_pointing_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "cookies.txt")
    CookieJar({"a": "b"}).save(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert CookieJar.load(tmp_path / "real" / "cookies.txt") == {"a": "b"}


def test_a_file_in_the_folder_one_is_in_can_be_named_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    CookieJar({"a": "b"}).save("cookies.txt")
    assert CookieJar.load("cookies.txt") == {"a": "b"}


def test_what_goes_wrong_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "cookies.txt").mkdir()
    (tmp_path / "cookies.txt" / "kept").touch()
    with pytest.raises(OSError, match=r"cookies\.txt"):
        CookieJar({"a": "b"}).save(tmp_path / "cookies.txt")
    assert os.listdir(tmp_path) == ["cookies.txt"]
    assert os.listdir(tmp_path / "cookies.txt") == ["kept"]


def test_who_reads_while_another_writes_finds_the_one_or_the_other(tmp_path: Path) -> None:
    path, stop = tmp_path / "cookies.txt", threading.Event()
    small, large = CookieJar({"a": "b"}), CookieJar({f"c{number}": "x" * 50 for number in range(2000)})
    small.save(path)
    errors: list[BaseException] = []

    def write() -> None:
        try:
            while not stop.is_set():
                large.save(path)
                small.save(path)
        except BaseException as error:  # noqa: BLE001 (told by the thread that waits)
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {len(CookieJar.load(path)) for _ in range(100)}
    finally:
        stop.set()
        writer.join()
    assert errors == []
    assert seen <= {1, 2000}


# -- what is malformed

GOOD = ".example.com\tTRUE\t/\tFALSE\t0\ta\tb"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "has 1"),
        ("example.com TRUE / FALSE 0 a b", "has 1"),
        ("example.com\tFALSE\t/\tFALSE\t0", "has 5"),
        (GOOD + "\tc", "has 8"),
        (GOOD.replace("TRUE", "YES"), "'YES'"),
        (GOOD.replace("FALSE", ""), "''"),
        (GOOD.replace("\t0\t", "\tsoon\t"), "soon"),
        (GOOD.replace("\t0\t", "\tinf\t"), "no time"),
        (GOOD.replace("\t0\t", "\tnan\t"), "no time"),
        (GOOD.replace("\t/\t", "\tx\t"), "slash"),
        (GOOD.replace("b", "b\x01"), "control"),
        (GOOD.replace("a\tb", "\t"), "neither"),
        ("#HttpOnly_x", "has 1"),
    ],
)
def test_a_malformed_line_is_reported_with_its_number(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text(f"# comment\n\n{GOOD}\n{line}\n{GOOD}\n")
    with pytest.raises(CookieFileError, match=problem) as caught:
        CookieJar.load(path)
    assert f"{path}, line 4: " in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), 4)
    assert isinstance(caught.value, RequestException)
    assert isinstance(caught.value, ValueError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.path, again.line) == (str(caught.value), str(path), 4)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (GOOD, Cookie("a", "b", "example.com")),
        (
            GOOD.replace(".example", "example"),
            Cookie("a", "b", "example.com"),
        ),  # the flag counts, not the dot
        (GOOD.replace("TRUE", "FALSE"), Cookie("a", "b", "example.com", host_only=True)),
        ("#HttpOnly_" + GOOD, Cookie("a", "b", "example.com", http_only=True)),
        (GOOD.replace("FALSE", "TRUE"), Cookie("a", "b", "example.com", secure=True)),
        (GOOD.replace("TRUE", "true").replace("FALSE", "false"), Cookie("a", "b", "example.com")),
        (GOOD.replace(".example", ".EXAMPLE"), Cookie("a", "b", "example.com")),
        (GOOD.replace("\t0\t", f"\t{FAR}\t"), Cookie("a", "b", "example.com", expires=FAR)),
        (GOOD.replace("\t0\t", f"\t{FAR}.25\t"), Cookie("a", "b", "example.com", expires=FAR + 0.25)),
        (GOOD.replace("\t0\t", "\t\t"), Cookie("a", "b", "example.com")),  # the standard library's session
        (GOOD.replace("\t0\t", "\t-1\t"), Cookie("a", "b", "example.com")),  # and that of others
        (GOOD.replace("\tb", "\t"), Cookie("a", "", "example.com")),
        (GOOD.replace("\tb", ""), Cookie("a", "", "example.com")),  # an editor took off the last tab
        (GOOD.replace("\ta\t", "\t\t"), Cookie("", "b", "example.com")),
        (GOOD.replace("b", '"b c"'), Cookie("a", '"b c"', "example.com")),
        (GOOD.replace("b", "\xe9\x85"), Cookie("a", "\xe9\x85", "example.com")),
        (GOOD + "\r", Cookie("a", "b", "example.com")),
        ("\tFALSE\t/\tFALSE\t0\ta\tb", Cookie("a", "b")),
        ("[::1]\tFALSE\t/\tFALSE\t0\ta\tb", Cookie("a", "b", "::1", host_only=True)),
    ],
)
def test_the_dialects_of_a_line_are_read(tmp_path: Path, line: str, expected: Cookie) -> None:
    path = tmp_path / "cookies.txt"
    path.write_bytes(b"\xef\xbb\xbf# comment\n#HttpOnly is a comment too\n\r\n  \n" + line.encode("latin-1"))
    assert [dataclasses.replace(cookie, created=0) for cookie in CookieJar.load(path)] == [expected]


COOKIE = '{"name": "a", "value": "b"}'


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ('{"version": 1,\n"cookies": [\n{nonsense', 3, "no JSON"),
        ('{"version": 1, "cookies": [', 1, "no JSON"),
        ("[" * 200_000, None, "no JSON"),
        ("[]", None, "version"),
        ("{}", None, "version"),
        ('{"version": 2, "cookies": []}', None, "version"),
        ('{"version": 1}', None, "cookie 1: "),
        ('{"version": 1, "cookies": {}}', None, "cookie 1: "),
        (f'{{"version": 1, "cookies": [{COOKIE}, 7]}}', None, "cookie 2: it has to be an object"),
        (f'{{"version": 1, "cookies": [{COOKIE}, {{"name": "a"}}]}}', None, "cookie 2: .*value"),
        *(
            (
                f'{{"version": 1, "cookies": [{{"name": "a", "value": "b", {bad}}}]}}',
                None,
                f"cookie 1: .*{problem}",
            )
            for bad, problem in (
                ('"value": 7', "'value'"),
                ('"secure": 1', "'secure'"),
                ('"expires": "soon"', "'expires'"),
                ('"used": null', "'used'"),
                ('"nonsense": 1', "'nonsense'"),
                ('"path": "x"', "slash"),
                ('"value": "a\\nb"', "control"),
                ('"expires": Infinity', "no time"),
                (f'"expires": {10**400}', "no time"),
                ('"created": NaN', "no time"),
                ('"used": NaN', "no time"),
                ('"name": "", "value": ""', "neither"),
            )
        ),
    ],
)
def test_a_malformed_json_file_is_reported_with_its_line_or_its_cookie(
    tmp_path: Path, content: str, line: int | None, problem: str
) -> None:
    path = tmp_path / "cookies.json"
    path.write_text(content)
    with pytest.raises(CookieFileError, match=problem) as caught:
        CookieJar.load(path)
    assert str(path) in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), line)


def test_a_json_file_may_leave_out_what_has_a_default(tmp_path: Path) -> None:
    path = tmp_path / "cookies.json"
    path.write_text(
        f'{{"version": 1, "cookies": [{COOKIE}, {{"name": "c", "value": "d", "domain": ".X.example"}}]}}'
    )
    before = time.time()
    one, other = CookieJar.load(path)
    assert before <= one.created <= time.time()
    assert dataclasses.replace(one, created=0) == Cookie("a", "b")
    assert other.domain == "x.example"


@unhurried
@given(st.binary() | st.text(st.sampled_from("\t\nTRUEFALSE/0.ab#{}[]\"':,")).map(str.encode))
def test_no_file_raises_anything_else(tmp_path: Path, content: bytes) -> None:
    for name in ("cookies.txt", "cookies.json"):
        (tmp_path / name).write_bytes(content)
        try:
            jar = CookieJar.load(tmp_path / name)
        except CookieFileError:
            continue
        jar.save(tmp_path / name)
        CookieJar.load(tmp_path / name)


# -- with the standard library


def test_the_standard_library_reads_our_cookies_txt(tmp_path: Path) -> None:
    jar = jar_of(
        "https://www.example.com/dir/",
        *(
            "own=1; Max-Age=1000",
            "wide=2; Domain=example.com; Max-Age=1000; Path=/",
            "safe=3; Secure; Max-Age=1000",
        ),
        *(
            "hidden=4; HttpOnly; Max-Age=1000",
            'quoted="a b"; Max-Age=1000',
            "nameless; Max-Age=1000",
            "session=5",
        ),
    )
    jar.set("any", "6", expires=FAR)
    jar.save(tmp_path / "cookies.txt")
    theirs = http.cookiejar.MozillaCookieJar(str(tmp_path / "cookies.txt"))
    theirs.load()
    read = without_times(CookieJar(theirs))
    assert sorted(read, key=repr) == sorted(
        (cookie for cookie in without_times(jar) if cookie.expires is not None), key=repr
    )
    # A session's cookie, 0 in the file as curl has it, is one from 1970 to the standard library.
    theirs.load(ignore_discard=True, ignore_expires=True)
    assert {cookie.name for cookie in theirs} >= {"session"}


def test_we_read_the_cookies_txt_of_the_standard_library(tmp_path: Path) -> None:
    theirs = http.cookiejar.MozillaCookieJar(str(tmp_path / "cookies.txt"))
    jar = jar_of(
        "https://www.example.com/dir/",
        *(
            "own=1; Max-Age=1000",
            "wide=2; Domain=example.com; Path=/",
            "safe=3; Secure; HttpOnly",
            "nameless",
        ),
    )
    for cookie in jar.to_cookiejar():
        theirs.set_cookie(cookie)
    theirs.save(ignore_discard=True)
    read = CookieJar.load(tmp_path / "cookies.txt")
    assert sorted(without_times(read), key=repr) == sorted(without_times(jar), key=repr)


# -- with curl


def curl(*arguments: str, cwd: Path) -> str:
    """Run the real curl, on the loopback and without any settings of the machine's."""
    program = shutil.which("curl")
    assert program is not None, "these tests need curl: apt-get install curl"
    done = subprocess.run(
        [program, "--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SET_BY_SERVER = [
    "own=1",
    "wide=2; Domain=example.com; Path=/",
    "deep=3; Path=/dir/",
    "late=4; Max-Age=100000",
    "dated=5; Expires=Wed, 01 Jan 2070 00:00:00 GMT",
    "hidden=6; HttpOnly",
    'quoted="a b, c"',
    "bytes=\xe9\xfc",
    "empty=",
    "gone=7; Max-Age=0",
]
SET_OVER_TLS = ["safe=8; Secure; Path=/", "__Host-strict=9; Secure; Path=/; HttpOnly; SameSite=Strict"]


def setting(*cookies: str) -> Any:
    def answer(request: Request) -> bytes:
        return respond("ok", headers=[("Set-Cookie", cookie) for cookie in cookies])

    return keep_alive(answer)


def place(scheme: str, port: int, host: str = "www.example.com", path: str = "/dir/page") -> tuple[str, ...]:
    """The URL of a server on the loopback under a public name, and how curl gets there."""
    return "--resolve", f"{host}:{port}:127.0.0.1", f"{scheme}://{host}:{port}{path}"


def test_we_read_what_curl_was_given(tmp_path: Path) -> None:
    with ScriptedServer(setting(*SET_BY_SERVER)) as server:
        curl("--cookie-jar", "cookies.txt", *place("http", server.port), cwd=tmp_path)
    read = CookieJar.load(tmp_path / "cookies.txt")
    ours = jar_of("http://www.example.com/dir/page", *SET_BY_SERVER)
    # curl has limits of its own for lifetimes, and leaves the slash at the end of a default path.
    assert {(c.name, c.value, c.domain, c.host_only, c.path.rstrip("/"), c.http_only) for c in read} == {
        (c.name, c.value, c.domain, c.host_only, c.path.rstrip("/"), c.http_only) for c in ours
    }
    assert {c.name for c in read if c.discard} == {c.name for c in ours if c.discard}
    for url in ("http://www.example.com/dir/page", "http://example.com/", "http://other.example/"):
        assert set(sent(read, url).split("; ")) == set(sent(ours, url).split("; "))


def test_we_read_what_curl_was_given_over_tls(
    tmp_path: Path, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    with ScriptedServer(setting(*SET_OVER_TLS), tls=tls_context) as server:
        target = place("https", server.port, "example.com")
        curl("--cacert", ca_file, "--cookie-jar", "cookies.txt", *target, cwd=tmp_path)
    read = CookieJar.load(tmp_path / "cookies.txt")
    ours = jar_of("https://example.com/dir/page", *SET_OVER_TLS)
    assert sorted(without_times(read), key=repr) == sorted(without_times(ours), key=repr)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("www.example.com", "/dir/page"),
        ("www.example.com", "/"),
        ("example.com", "/dir/"),
        ("other.example", "/"),
    ],
)
def test_curl_sends_what_we_saved_and_would_send(tmp_path: Path, host: str, path: str) -> None:
    ours = jar_of("http://www.example.com/dir/page", *SET_BY_SERVER)
    ours.extract(parse("https://www.example.com/dir/page"), SET_OVER_TLS)
    ours.save(tmp_path / "cookies.txt")
    with ScriptedServer(setting()) as server:
        curl("--cookie", "cookies.txt", *place("http", server.port, host, path), cwd=tmp_path)
        (request,) = server.requests
    expected = sent(ours, f"http://{host}{path}")
    assert sorted((request.header("Cookie") or "").split("; ")) == sorted(expected.split("; "))


def test_curl_sends_over_tls_what_we_saved_and_would_send(
    tmp_path: Path, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    ours = jar_of("https://example.com/dir/page", *SET_BY_SERVER, *SET_OVER_TLS)
    ours.save(tmp_path / "cookies.txt")
    with ScriptedServer(setting(), tls=tls_context) as server:
        target = place("https", server.port, "example.com")
        curl("--cacert", ca_file, "--cookie", "cookies.txt", *target, cwd=tmp_path)
        (request,) = server.requests
    assert "safe=8" in sent(ours, "https://example.com/dir/page")
    assert sorted((request.header("Cookie") or "").split("; ")) == sorted(
        sent(ours, "https://example.com/dir/page").split("; ")
    )


def test_a_file_goes_through_curl_and_comes_back_as_it_was(tmp_path: Path) -> None:
    ours = jar_of("http://www.example.com/dir/page", *SET_BY_SERVER)
    ours.extract(parse("https://www.example.com/dir/page"), SET_OVER_TLS)
    ours.save(tmp_path / "cookies.txt")
    with ScriptedServer(setting("new=1; Path=/")) as server:
        target = place("http", server.port, "other.example")
        curl("--cookie", "cookies.txt", "--cookie-jar", "cookies.txt", *target, cwd=tmp_path)
    ours.extract(parse("http://other.example/"), ["new=1; Path=/"])
    read = CookieJar.load(tmp_path / "cookies.txt")
    assert sorted(without_times(read), key=repr) == sorted(without_times(ours), key=repr)
