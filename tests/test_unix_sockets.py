"""Unix sockets: `http+unix://%2Fpath%2Fof.sock/` by URL, and adapters that dial one for every URL.

The first half holds the rules without a socket: what a URL leads to, and what sticks to whom. The second half
talks to real sockets: of scripted servers, of gunicorn, of servers that are too busy to answer, and of files
that are no socket at all.
"""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import pickle
import re
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pystickyhttp
from pystickyhttp import Limits, Response, Retry, Session, exceptions, utils
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.auth import HTTPDigestAuth, HTTPNetrcAuth
from pystickyhttp.cookies import CookieJar
from pystickyhttp.environment import Environment, netrc_machine
from pystickyhttp.exceptions import InvalidSchema, InvalidURL
from pystickyhttp.proxy_choice import select_proxy
from pystickyhttp.redirects import keeps_secrets, redirect_target
from pystickyhttp.testing import MockAdapter, WSGIAdapter
from pystickyhttp.testing import respond as answer
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import unix
from pystickyhttp.transport.route import Route
from pystickyhttp.transport.sockets import SocketSettings
from pystickyhttp.urls import LONGEST_SOCKET_PATH, parse, redacted, socket_path
from tests.servers.scripted import (
    LAST_CHUNK,
    Peer,
    Request,
    ScriptedServer,
    chunk,
    keep_alive,
    respond,
    silence,
)
from tests.servers.sockets import no_socket_left
from tests.servers.unix import (
    BusyServer,
    UnixGunicorn,
    UnixServer,
    closing,
    keeping_alive,
    socket_folder,
    unix_url,
)

unhurried = settings(deadline=None)
HAS_ABSTRACT = sys.platform == "linux"

DOCKER = "http+unix://%2Fvar%2Frun%2Fdocker.sock"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for the path of a socket."""
    with socket_folder() as made:
        yield made


def which(request: Request) -> bytes:
    """The number of the connection, and what was asked for."""
    return respond(f"{request.connection} {request.method} {request.target}")


def to(location: str, request: Request) -> bytes:
    """A redirect."""
    return respond(status=302, headers=[("Location", location)])


# -- what a URL leads to ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"{DOCKER}/version", "/var/run/docker.sock"),
        ("http+unix://%2fvar%2frun%2fdocker.sock/", "/var/run/docker.sock"),
        ("HTTP+Unix://%2Ftmp%2FUpper.Sock/", "/tmp/Upper.Sock"),
        ("http+unix://%2Ftmp%2Fa%20b", "/tmp/a b"),
        ("http+unix://%2Ftmp%2Fa b/", "/tmp/a b"),
        ("http+unix://%2Ftmp%2Fb%C3%BCcher/", "/tmp/bücher"),
        ("http+unix://%2Ftmp%2Fbücher/", "/tmp/bücher"),
        ("http+unix://%2Ftmp%2F%E2%82/", os.fsdecode(b"/tmp/\xe2\x82")),
        ("http+unix://%2Ftmp%2Fa+b/", "/tmp/a+b"),
        ("http+unix://%2Ftmp%2F100%/", "/tmp/100%"),
        ("http+unix://%2Ftmp%2F%2541/", "/tmp/%41"),
        ("http+unix://%2Ftmp%2Fa%3A80/", "/tmp/a:80"),
        ("http+unix://%2Ftmp%2Fa%40b/", "/tmp/a@b"),
        ("http+unix://%2Ftmp%2F..%2Frun%2Fa/../b", "/tmp/../run/a"),
        ("http+unix://user:%2Fpass@%2Ftmp%2Fa/", "/tmp/a"),
    ],
)
def test_the_host_of_a_url_is_the_path_of_the_socket_percent_encoded(text: str, path: str) -> None:
    assert parse(text).unix_socket == path


@unhurried
@given(st.binary(max_size=LONGEST_SOCKET_PATH - 1).map(lambda name: b"/" + name.replace(b"\0", b"x")))
@example(b"/A/b/")
@example("/tmp/ä:@%25[]\\ ?#".encode())
@example(b"/\xff\r\n")
def test_whatever_the_bytes_of_a_path_are_its_url_leads_there_and_reads_as_it_was_written(
    path: bytes,
) -> None:
    text = unix_url(path, "/a%2fb?c=%2F#d", "user:p%40ss@")
    url = parse(text)
    assert url.unix_socket == os.fsdecode(path)
    assert url.text == text
    assert (url.host, url.port, url.target) == (quote(path, safe=""), None, "/a%2fb?c=%2F")
    assert url.credentials == ("user", "p@ss")


def test_a_url_of_http_or_https_leads_to_no_socket() -> None:
    assert parse("http://localhost/").unix_socket is None
    assert parse("https://localhost/").unix_socket is None


@pytest.mark.parametrize("name", [b"\0name", b"\0na\0me", b"\0" + b"x" * LONGEST_SOCKET_PATH])
def test_a_nul_begins_the_name_of_an_abstract_socket_which_only_linux_has(name: bytes) -> None:
    url = parse(unix_url(name))
    if HAS_ABSTRACT:
        assert url.unix_socket == os.fsdecode(name)
        return
    with pytest.raises(InvalidURL, match="only Linux has abstract sockets"):
        _ = url.unix_socket


UNUSABLE = {
    "a name": (
        "http+unix://docker/v1",
        f"no absolute path: write that of the socket percent-encoded, such as {DOCKER}/",
    ),
    "two slashes": ("http+unix://run/docker.sock/v1?a", "such as http+unix://%2Frun%2Fdocker.sock/v1"),
    "a relative path": ("http+unix://run%2Fa.sock", "such as http+unix://%2Frun%2Fa.sock/"),
    "another notation of abstract sockets": ("http+unix://%40name/", "no absolute path"),
    "a NUL in the path": ("http+unix://%2Ftmp%00x/", "holds a NUL"),
    "an abstract socket without a name": (
        "http+unix://%00/",
        "and nothing does" if HAS_ABSTRACT else "only Linux has abstract sockets",
    ),
    "a port": ("http+unix://%2Ftmp%2Fa:80/", "has no port, and a colon of its path is written %3A"),
    "a port that is none": ("http+unix://%2Ftmp%2Fa:b/", "has no port"),
    "an address": ("http+unix://[::1]/", "has no port"),
    "a path that is too long": (
        unix_url("/" + "x" * LONGEST_SOCKET_PATH),
        f"has {LONGEST_SOCKET_PATH} bytes at most, and '/{'x' * LONGEST_SOCKET_PATH}' has "
        f"{LONGEST_SOCKET_PATH + 1}: make a symbolic link with a shorter path",
    ),
    "a path that is too long in bytes": (
        unix_url("/" + "ä" * (LONGEST_SOCKET_PATH // 2 + 1)),
        "make a symbolic link with a shorter path",
    ),
    "an abstract name that is too long": (
        unix_url("\0" + "x" * (LONGEST_SOCKET_PATH + 1)),
        f"{LONGEST_SOCKET_PATH} bytes at most" if HAS_ABSTRACT else "only Linux has abstract sockets",
    ),
}


@pytest.mark.parametrize(("text", "remedy"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_path_that_can_not_be_dialled_is_told_with_its_remedy(
    text: str, remedy: str, session: Session
) -> None:
    """But only where it is to be dialled: an adapter of the user's may mean something else by it."""
    url = parse(text.replace("://", "://user:geheim@"))
    with pytest.raises(InvalidURL) as told:
        _ = url.unix_socket
    assert remedy in str(told.value)
    assert "geheim" not in str(told.value)
    with no_socket_left(), pytest.raises(InvalidURL) as told:
        session.get(text)
    assert remedy in str(told.value)
    assert told.value.request is not None


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("http+unix:///var/run/docker.sock/version?a=b", f"such as {DOCKER}/version"),
        ("http+unix:/var/run/docker.sock", f"such as {DOCKER}/"),
        ("http+unix:////run/my app.socket/a.sock", "such as http+unix://%2Frun%2Fmy%20app.socket/a.sock"),
        ("http+unix:///run/gunicorn", f"such as {DOCKER}/version"),
        ("http+unix:run/a.sock/x", "such as http+unix://%2Frun%2Fa.sock/x"),
        ("http+unix://", f"such as {DOCKER}/version"),
        ("http+unix:", f"such as {DOCKER}/version"),
        ("http+unix://user:geheim@/x", f"such as {DOCKER}/version"),
        ("http+unix://user:geheim@/run/a.sock/x", "such as http+unix://%2Frun%2Fa.sock/x"),
        ("http+unix:/user:geheim@/run/a.sock", "such as http+unix://%2Frun%2Fa.sock/"),
    ],
)
def test_slashes_in_the_place_of_the_host_are_told_how_to_be_written(text: str, remedy: str) -> None:
    with pytest.raises(InvalidURL) as told:
        parse(text)
    assert remedy in str(told.value)
    assert "geheim" not in str(told.value)


@unhurried
@given(st.text(st.characters()) | st.text(st.sampled_from("%2F0/:@?#[] aü\0\r\\\udc80")))
def test_any_text_behind_the_scheme_is_a_url_or_an_invalid_one(text: str) -> None:
    try:
        url = parse(f"http+unix:{text}")
        path = url.unix_socket
    except InvalidURL:
        return
    assert path is not None
    assert path == socket_path(path)
    assert parse(url.text) == url
    assert url.text.isascii()


def test_a_path_is_checked_as_text_as_bytes_and_as_an_object() -> None:
    assert socket_path("/tmp/a") == socket_path(b"/tmp/a") == socket_path(Path("/tmp/a")) == "/tmp/a"
    with pytest.raises(TypeError, match=r"give a str such as '/var/run/docker.sock'"):
        socket_path(3)  # type: ignore[arg-type]


def test_the_server_is_asked_for_as_localhost_whatever_the_path() -> None:
    """RFC 9112, section 3.2: there has to be a Host, and the path of a file is none."""
    url = parse("http+unix://user:pass@%2Ftmp%2Fa/b?c#d")
    assert (url.host_header, url.target, url.effective_port) == ("localhost", "/b?c", 80)


def test_no_message_shows_the_userinfo_of_a_sockets_url() -> None:
    assert redacted("http+unix://user:geheim@%2Ftmp%2Fa/b") == "http+unix://%2Ftmp%2Fa/b"


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        (f"{DOCKER}", {"a": "b"}, f"{DOCKER}/?a=b"),
        (f"{DOCKER}/a/./b/../c d?e=f#g", {"h": "i j"}, f"{DOCKER}/a/c%20d?e=f&h=i+j#g"),
        (f"{DOCKER}/containers/json", {"all": 1, "none": None}, f"{DOCKER}/containers/json?all=1"),
    ],
)
def test_path_params_and_fragment_are_those_of_any_url(text: str, params: Any, expected: str) -> None:
    prepared = Session().prepare_request(_request(text, params=params))
    assert prepared.url == expected
    assert prepared.path_url == expected.removeprefix(DOCKER).partition("#")[0]


def _request(url: str, **settings: Any) -> Any:
    return pystickyhttp.Request("GET", url, **settings)


def test_a_base_url_can_be_a_sockets() -> None:
    with Session(base_url=f"{DOCKER}/v1.47/") as session:
        assert session.prepare_request(_request("/info")).url == f"{DOCKER}/v1.47/info"
        assert session.prepare_request(_request("//other/info")).url == f"{DOCKER}/v1.47/other/info"


# -- what belongs to whom ---------------------------------------------------------------------------------


def test_a_socket_is_one_origin_in_each_spelling_of_its_path_and_no_other_sockets() -> None:
    origin = parse(DOCKER).origin
    assert parse("HTTP+UNIX://u:p@%2fvar%2Frun%2fd%6Fcker%2Esock/x").origin == origin
    for other in (
        "http+unix://%2Fvar%2Frun%2FDocker.sock/",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock2/",
        "http+unix://%00var%2Frun%2Fdocker.sock/",
        "http://localhost/",
        "https://localhost/",
    ):
        assert parse(other).origin != origin
        assert not keeps_secrets(parse(DOCKER), parse(other))
        assert not keeps_secrets(parse(other), parse(DOCKER))


STAYING = {
    "a path": ("/login?next=%2F", f"{DOCKER}/login?next=%2F"),
    "a relative path": ("c", f"{DOCKER}/a/c"),
    "a query": ("?c", f"{DOCKER}/a/b?c"),
    "the socket itself": (f"{DOCKER}/c", f"{DOCKER}/c"),
    "the Host that it was asked for as": ("http://localhost/c?d#e", f"{DOCKER}/c?d#e"),
    "that Host in capitals and with its port": ("HTTP://LocalHost:80/c", f"{DOCKER}/c"),
    "that Host without a path": ("http://localhost", f"{DOCKER}/"),
}


@pytest.mark.parametrize(("location", "expected"), STAYING.values(), ids=STAYING)
def test_a_redirect_that_names_no_other_place_stays_on_the_socket(location: str, expected: str) -> None:
    url = parse(f"{DOCKER}/a/b")
    target = redirect_target(url, location)
    assert str(target) == expected
    assert keeps_secrets(url, target)


LEAVING = (
    "http://example.com/c",
    "https://localhost/",
    "http://localhost:8080/",
    "http://127.0.0.1/",
    "http://user:pass@localhost/",
    "http://localhost./",
)


@pytest.mark.parametrize("location", LEAVING)
def test_a_redirect_from_a_socket_to_http_and_https_leaves_its_origin(location: str) -> None:
    url = parse(f"{DOCKER}/a")
    assert str(redirect_target(url, location)) == location
    assert not keeps_secrets(url, redirect_target(url, location))


@pytest.mark.parametrize("start", ["http://h/", "https://h/", "http+unix://%2Ftmp%2Fother/"])
@pytest.mark.parametrize("location", [f"{DOCKER}/version", "HTTP+UNIX://%2fvar%2frun%2fdocker.sock"])
def test_no_redirect_leads_to_a_socket_from_elsewhere(start: str, location: str) -> None:
    """Law: redirects. Who listens on a socket trusts those who can open it, and strangers can't."""
    with pytest.raises(InvalidSchema, match="never reached by a redirect from elsewhere"):
        redirect_target(parse(start), location)


def test_a_reference_without_a_scheme_is_no_other_socket() -> None:
    """What a server means by it that knows itself as http://localhost is a host, and no path."""
    with pytest.raises(InvalidSchema):
        redirect_target(parse(f"{DOCKER}/a"), "//example.com/b")


def cookies_of(url: str, *set_cookie: str) -> CookieJar:
    jar = CookieJar()
    jar.extract(parse(url), set_cookie)
    return jar


def sent_to(jar: CookieJar, url: str) -> list[str]:
    return [cookie.name for cookie in jar.cookies_for(parse(url))]


NOT_THE_SOCKET = (
    "http+unix://%2Fvar%2Frun%2FDocker.sock/",
    "http+unix://%2Fvar%2Frun%2Fother.docker.sock/",
    "http+unix://%2Fvar%2Frun%2Fdocker/",
    "http+unix://docker.sock/",
    "http+unix://%00var%2Frun%2Fdocker.sock/",
    "http://localhost/",
    "https://localhost/",
    "http://sock/",
    "http://docker.sock/",
)


@pytest.mark.parametrize("attribute", ["", "; Domain=localhost", "; Domain=.LOCALHOST", "; Domain="])
def test_a_cookie_of_a_socket_goes_back_to_it_and_to_nobody_else(attribute: str) -> None:
    jar = cookies_of(f"{DOCKER}/", f"a=b; Path=/{attribute}")
    assert sent_to(jar, f"{DOCKER}/v1") == ["a"]
    assert sent_to(jar, "http+unix://%2fvar%2frun%2fdocker%2Esock/v1") == ["a"]
    for other in NOT_THE_SOCKET:
        assert sent_to(jar, other) == []


@pytest.mark.parametrize("domain", ["sock", "docker.sock", "%2Fvar%2Frun%2Fdocker.sock", "localhost.local"])
def test_a_socket_sets_no_cookie_for_a_domain(domain: str) -> None:
    assert not cookies_of(f"{DOCKER}/", f"a=b; Domain={domain}")
    assert not cookies_of("http+unix://%2Frun%2Fa.example.com/", "a=b; Domain=example.com")


@pytest.mark.parametrize("other", ["http://localhost/", "http://docker/", "http://sock/"])
def test_a_cookie_of_a_host_goes_to_no_socket(other: str) -> None:
    jar = cookies_of(other, "a=b; Path=/")
    for url in (DOCKER, "http+unix://docker/", "http+unix://%2Fdocker/", "http+unix://localhost/"):
        assert sent_to(jar, url) == []


def test_a_cookie_for_every_host_goes_to_sockets_too_and_a_secure_one_to_none() -> None:
    """A socket is as http is: what says Secure waits for https (RFC 6265bis, section 5.8.3)."""
    jar = CookieJar({"a": "b"})
    jar.set("c", "d", secure=True)
    assert sent_to(jar, DOCKER) == ["a"]
    assert not cookies_of(DOCKER, "e=f; Secure")


def test_cookies_of_sockets_are_found_by_the_socket_in_any_spelling() -> None:
    upper, lower = "http+unix://%2Ftmp%2FA/", "http+unix://%2Ftmp%2Fa/"
    jar = cookies_of(upper, "name=upper")
    jar.extract(parse(lower), ["name=lower"])
    jar.set("code", "value", domain="%2ftmp%2FA")
    assert jar.get("name", domain="%2Ftmp%2FA") == jar.get("name", domain="%2ftmp%2fA") == "upper"
    assert jar.get_dict("%2Ftmp%2Fa") == {"name": "lower"}
    assert jar.list_domains() == ["%2Ftmp%2FA", "%2Ftmp%2Fa"]
    assert sent_to(jar, upper) == ["name", "code"]
    assert sent_to(jar, lower) == ["name"]
    assert sent_to(jar, "http+unix://%2Ftmp%2FA.b/") == []


@pytest.mark.parametrize("format", ["netscape", "json"])
def test_cookies_of_sockets_are_saved_and_loaded(format: str, tmp_path: Path) -> None:
    jar = CookieJar()
    jar.set("a", "b", domain="%2Ftmp%2FA%20%C3%BC.sock", expires=4e9, host_only=True)
    jar.set("c", "d", domain="%2Ftmp%2FB", expires=4e9)
    jar.save(tmp_path / "cookies", format=format)
    loaded = CookieJar.load(tmp_path / "cookies", format=format)
    assert loaded == jar
    assert sent_to(loaded, unix_url("/tmp/A ü.sock")) == ["a"]
    assert sent_to(loaded, unix_url("/tmp/a ü.sock")) == []
    assert sent_to(loaded, unix_url("/tmp/B")) == ["c"]


def test_a_jar_of_the_standard_library_has_no_room_for_cookies_of_sockets() -> None:
    """The case of its domains does not count, and that of paths does."""
    jar = cookies_of(DOCKER, "a=b")
    jar.set("c", "d", domain="docker.test")
    assert [cookie.name for cookie in jar.to_cookiejar()] == ["c"]


PROXIES = {
    "all": "http://proxy.test:1",
    "http": "http://proxy.test:2",
    "http+unix": "http://proxy.test:3",
    "http+unix://%2fvar%2frun%2fdocker.sock": "http://proxy.test:4",
}


def test_no_proxy_counts_for_a_socket_whatever_names_it() -> None:
    url = parse(DOCKER)
    variables = {"all_proxy": "http://proxy.test:1", "http_proxy": "http://proxy.test:2"}
    around = Environment.read({**variables, "http+unix_proxy": "http://proxy.test:3"})
    assert around.proxies_for(url) == {}
    assert around.proxies_for(url, no_proxy="") == {}
    assert select_proxy(url, PROXIES) is None
    assert utils.select_proxy(f"{DOCKER}/", PROXIES) is None
    assert utils.should_bypass_proxies(f"{DOCKER}/", None)


def test_a_socket_is_no_machine_of_the_netrc_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine localhost login a password b\ndefault login c password d\n")
    monkeypatch.setenv("NETRC", str(file))
    assert utils.get_netrc_auth("http://localhost/") == ("a", "b")
    for url in (f"{DOCKER}/", "http+unix://localhost/"):
        assert netrc_machine(parse(url)) is None
        assert utils.get_netrc_auth(url) is None
        for auth in (None, HTTPNetrcAuth(file), HTTPNetrcAuth()):
            assert "Authorization" not in Session().prepare_request(_request(url, auth=auth)).headers


# -- a server that says what the scenario says ------------------------------------------------------------


def test_every_session_speaks_to_sockets_and_the_connection_sticks() -> None:
    with UnixServer(keep_alive(which)) as server:
        with Session() as session:
            first = session.get(server.url("/a?b=c#d"), params={"e": "f"})
            texts = [first.text, *(session.post(server.url("/x"), data=b"body").text for _ in range(5))]
        assert texts == ["0 GET /a?b=c&e=f", *["0 POST /x"] * 5]
        assert first.url == first.request.url == server.url("/a?b=c&e=f#d")
        assert [request.header("Host") for request in server.requests] == ["localhost"] * 6
        server.wait_for_open(0)
        assert server.accepted == 1


def test_a_host_field_by_hand_goes_in_the_place_of_localhost(session: Session) -> None:
    with UnixServer(keep_alive(which)) as server:
        session.get(server.url(), headers={"Host": "vhost.example"})
        assert server.requests[0].header("Host") == "vhost.example"


def test_the_spelling_of_a_path_makes_no_other_connection(session: Session) -> None:
    """Law R1: the Route is the path."""
    with UnixServer(keep_alive(which)) as server:
        for url in (
            server.url(),
            server.url().replace("%2F", "%2f"),
            server.url().replace(".sock", "%2Esock"),
        ):
            assert session.get(url).text == "0 GET /"


def test_two_sockets_share_neither_connections_nor_cookies(session: Session) -> None:
    def answer_with_cookie(request: Request) -> bytes:
        return respond(request.header("Cookie") or "", headers=[("Set-Cookie", f"seen={request.connection}")])

    with (
        UnixServer(keep_alive(answer_with_cookie)) as one,
        UnixServer(keep_alive(answer_with_cookie)) as two,
        ScriptedServer(keep_alive(answer_with_cookie)) as tcp,
    ):
        localhost = tcp.url(host="localhost")
        assert [session.get(each).text for each in (one.url(), two.url(), localhost)] == ["", "", ""]
        assert [session.get(each).text for each in (one.url(), two.url(), localhost)] == ["seen=0"] * 3
        assert len(session.cookies) == 3
        assert [each.accepted for each in (one, two, tcp)] == [1, 1, 1]


if HAS_ABSTRACT:

    @pytest.mark.parametrize("length", [20, LONGEST_SOCKET_PATH], ids=["usual", "longest"])
    def test_abstract_sockets_are_dialled(length: int, session: Session) -> None:
        name = "\0" + os.urandom(10).hex().ljust(length, "x")
        with UnixServer(keep_alive(which), name) as server:
            assert session.get(server.url("/a")).text == "0 GET /a"

    def test_an_abstract_name_that_nobody_listens_by(session: Session) -> None:
        assert "nobody listens by that name" in refused(session, "\0" + os.urandom(20).hex())


@pytest.mark.parametrize("name", ["Upper Case", "bücher", "100%41", "a:80", "a@b", "[::1]", "x\udcff", "\n"])
def test_sockets_of_any_name_are_dialled(name: str, folder: Path, session: Session) -> None:
    if sys.platform == "darwin" and name == "x\udcff":
        name = "x"  # its file names are UTF-8
    with UnixServer(keep_alive(which), str(folder / name)) as server:
        assert session.get(server.url("/a")).text == "0 GET /a"


def test_a_path_of_the_greatest_length_is_dialled(folder: Path, session: Session) -> None:
    path = str(folder / "x").ljust(LONGEST_SOCKET_PATH, "x")
    with UnixServer(keep_alive(which), path) as server:
        assert session.get(server.url("/a")).text == "0 GET /a"


def test_the_remedy_for_a_path_that_is_too_long_is_one(folder: Path, session: Session) -> None:
    long = folder / ("x" * 50) / ("y" * 50)
    long.mkdir(parents=True)
    (folder / "link").symlink_to(long)
    with UnixServer(keep_alive(which), str(folder / "link" / "a.sock")) as server:
        with pytest.raises(InvalidURL, match="symbolic link"):
            session.get(unix_url(str(long / "a.sock")))
        assert session.get(server.url("/a")).text == "0 GET /a"


def test_userinfo_and_auth_objects_are_heard(session: Session) -> None:
    with UnixServer(keep_alive(which)) as server:
        session.get(server.url().replace("://", "://us%20er:p%3Aw@"))
        session.get(server.url(), auth=("user", "word"))
    assert [request.header("Authorization") for request in server.requests] == [
        "Basic dXMgZXI6cDp3",
        "Basic dXNlcjp3b3Jk",
    ]


def test_digest_is_spoken_over_sockets(session: Session) -> None:
    def challenge(request: Request) -> bytes:
        if request.header("Authorization") is not None:
            return respond(b"welcome")
        return respond(status=401, headers=[("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')])

    with UnixServer(keep_alive(challenge)) as server:
        session.auth = HTTPDigestAuth("user", "word")
        assert session.get(server.url("/a")).text == "welcome"
        assert session.get(server.url("/b")).text == "welcome"
        assert [request.target for request in server.requests] == ["/a", "/a", "/b"]
        assert 'uri="/b"' in (server.requests[2].header("Authorization") or "")


def test_no_proxy_and_no_netrc_of_the_environment_gets_to_a_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, session: Session
) -> None:
    (tmp_path / "netrc").write_text("default login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with UnixServer(keep_alive(which)) as server:
        assert session.get(server.url("/a")).text == "0 GET /a"
        assert session.get(server.url("/b"), proxies={"all": "http://127.0.0.1:1"}).text == "0 GET /b"
        session.proxies = {"http+unix": "socks5://127.0.0.1:1", "http": "http://127.0.0.1:1"}
        assert session.get(server.url("/c"), headers={"Proxy-Authorization": "x"}).text == "0 GET /c"
        for request in server.requests:
            assert request.header("Authorization") is None
            assert request.header("Proxy-Authorization") is None


def test_redirects_stay_on_the_socket_with_their_secrets(session: Session) -> None:
    def lead_on(request: Request) -> bytes:
        following = {"/": "/b", "/b": "c", "/c": "http://localhost/d"}.get(request.target)
        headers = [] if following is None else [("Location", following)]
        return respond(status=200 if following is None else 307, headers=headers)

    with UnixServer(keep_alive(lead_on)) as server:
        response = session.post(server.url(), data=b"body", auth=("user", "word"), cookies={"a": "b"})
        assert response.url == server.url("/d")
        assert [each.url for each in response.history] == [server.url(path) for path in ("/", "/b", "/c")]
        assert [request.body for request in server.requests] == [b"body"] * 4
        assert {request.header("Authorization") for request in server.requests} == {"Basic dXNlcjp3b3Jk"}
        assert {request.header("Cookie") for request in server.requests} == {"a=b"}
        assert server.accepted == 1


def test_redirects_off_the_socket_take_no_secret_along(session: Session) -> None:
    with ScriptedServer(keep_alive(which)) as away:
        moved = respond(status=302, headers=[("Location", away.url("/away")), ("Set-Cookie", "c=d")])
        with UnixServer(keep_alive(lambda request: moved)) as server:
            headers = {"Authorization": "Bearer x", "Cookie": "a=b", "Host": "by.hand"}
            assert session.get(server.url(), headers=headers).text == "0 GET /away"
        for name in headers:
            assert server.requests[0].header(name) == headers[name]
        assert away.requests[0].header("Authorization") is None
        assert away.requests[0].header("Cookie") is None
        assert away.requests[0].header("Host") == f"127.0.0.1:{away.port}"


def test_a_redirect_from_the_network_reaches_no_socket(session: Session) -> None:
    with UnixServer(keep_alive(which)) as inner, UnixServer(keep_alive(which)) as mounted:
        session.mount("http://inner.test/", HTTPAdapter(unix_socket=mounted.path))
        for location in (inner.url("/secret"), "http://inner.test/secret"):
            with ScriptedServer(keep_alive(partial(to, location))) as outer:
                with pytest.raises(InvalidSchema, match="redirect") as told:
                    session.get(outer.url())
                assert told.value.response is not None
        assert inner.accepted == mounted.accepted == 0
        assert session.get("http://inner.test/open").text == "0 GET /open"


def test_a_redirect_of_a_mounted_socket_stays_there(session: Session) -> None:
    def lead_on(request: Request) -> bytes:
        if request.target == "/end":
            return respond(b"end")
        return respond(status=302, headers=[("Location", "http://inner.test/end")])

    with UnixServer(keep_alive(lead_on)) as server:
        session.mount("http://inner.test/", HTTPAdapter(unix_socket=server.path))
        assert session.get("http://inner.test/").text == "end"
        assert server.accepted == 1


# -- adapters that dial a socket for every URL ------------------------------------------------------------


def test_an_adapter_dials_its_socket_for_every_url_that_it_is_mounted_for(session: Session) -> None:
    with UnixServer(keep_alive(which)) as server:
        session.mount("http://docker/", HTTPAdapter(unix_socket=server.path))
        session.proxies = {"all": "http://127.0.0.1:1"}
        response = session.get("http://docker/version", proxies={"http": "http://127.0.0.1:1"})
        assert (response.text, response.url) == ("0 GET /version", "http://docker/version")
        assert server.requests[0].header("Host") == "docker"


def test_an_adapter_takes_a_path_object_and_refuses_what_can_not_be_dialled() -> None:
    with UnixServer(keep_alive(which)) as server, Session() as session:
        session.mount("http://docker/", HTTPAdapter(unix_socket=Path(server.path)))
        assert session.get("http://docker/").ok
    with pytest.raises(ValueError, match=r"'docker\.sock' .* is not absolute: give one such as"):
        HTTPAdapter(unix_socket="docker.sock")
    with pytest.raises(TypeError, match="give a str"):
        HTTPAdapter(unix_socket=3)  # type: ignore[arg-type]


def test_tls_is_spoken_over_a_socket(session: Session, tls_context: ssl.SSLContext, ca_file: str) -> None:
    """The certificate is held against the URL's host, as the path of a file has none."""
    with UnixServer(keep_alive(which), tls=tls_context) as server:
        session.mount("https://", HTTPAdapter(unix_socket=server.path))
        assert session.get("https://example.com/a", verify=ca_file).text == "0 GET /a"
        assert session.get("https://example.com/b", verify=ca_file).text == "0 GET /b"
        assert server.requests[0].header("Host") == "example.com"


def test_an_adapter_of_the_users_goes_in_the_place_of_ours(session: Session) -> None:
    """And means by the URL what it likes: as plug-ins for requests do, which mount at the same prefix."""
    mock = MockAdapter(lambda request: answer(200, request.url))
    session.mount("http+unix://", mock)
    for url in ("http+unix://name/a%20b?c", "http+unix://%2Ftmp%2FA/", "http+unix://name:80/"):
        assert session.get(url).text == url


def test_an_application_behind_a_sockets_url_is_told_of_http_at_localhost(session: Session) -> None:
    """PEP 3333 knows no other schemes."""
    seen: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.extend(environ[name] for name in ("wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST"))
        start_response("204 No Content", [])
        return []

    session.mount("http+unix://", WSGIAdapter(application))
    assert session.get(f"{DOCKER}/").status_code == 204
    assert seen == ["http", "localhost", "80", "localhost"]


def test_a_session_without_the_adapter_speaks_to_no_socket(session: Session) -> None:
    with UnixServer(keep_alive(which)) as server:
        del session.adapters["http+unix://"]
        with pytest.raises(InvalidSchema, match="no adapter serves"):
            session.get(server.url())
        assert server.accepted == 0


# -- a real program ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gunicorn() -> Iterator[UnixGunicorn]:
    with socket_folder() as folder, keeping_alive(folder) as server:
        yield server


@pytest.fixture(scope="module")
def closing_gunicorn() -> Iterator[UnixGunicorn]:
    with socket_folder() as folder, closing(folder) as server:
        yield server


def test_gunicorn_serves_many_requests_over_one_connection(gunicorn: UnixGunicorn, session: Session) -> None:
    gunicorn.reset()
    for number in range(10):
        told = session.get(f"{gunicorn.url}/echo/{number}").json()
        assert told["path"] == f"/echo/{number}"
        assert ["host", "localhost"] in told["headers"]
    assert session.get(f"{gunicorn.url}/bytes/300000").content == (b"0123456789abcdef" * 18751)[:300000]
    assert session.get(f"{gunicorn.url}/chunked/3").text == "piece 0\npiece 1\npiece 2\n"
    assert session.get(f"{gunicorn.url}/gzip").text.startswith("hello, compressed")
    assert session.head(f"{gunicorn.url}/").headers["Content-Length"] == "6"
    assert gunicorn.connections() == 1


def test_gunicorn_takes_bodies_of_every_kind(
    gunicorn: UnixGunicorn, session: Session, tmp_path: Path
) -> None:
    gunicorn.reset()
    content = b"0123456789" * 100_000
    file = tmp_path / "upload"
    file.write_bytes(content)
    bodies: list[Callable[[], Any]] = [
        lambda: content,
        lambda: io.BytesIO(content),
        lambda: iter([content[:10], content[10:]]),
    ]
    for body in bodies:
        told = session.post(f"{gunicorn.url}/echo", data=body()).json()
        assert (told["method"], told["length"]) == ("POST", len(content))
    with file.open("rb") as opened:
        assert session.put(f"{gunicorn.url}/echo", data=opened).json()["length"] == len(content)
    with file.open("rb") as opened:
        told = session.post(f"{gunicorn.url}/echo", files={"file": opened}, data={"a": "b"}).json()
    assert told["length"] > len(content)
    assert session.post(f"{gunicorn.url}/echo", json={"a": 1}).json()["body"] == '{"a": 1}'
    assert gunicorn.connections() == 1


def test_gunicorn_redirects_to_what_it_takes_itself_for(gunicorn: UnixGunicorn, session: Session) -> None:
    """Frameworks that put a slash behind a path redirect to http://localhost/..., made of the Host field."""
    gunicorn.reset()
    response = session.post(f"{gunicorn.url}/where", data=b"body", auth=("user", "word"))
    assert response.url == f"{gunicorn.url}/echo"
    assert response.json()["body"] == "body"
    assert ["authorization", "Basic dXNlcjp3b3Jk"] in response.json()["headers"]
    assert session.get(f"{gunicorn.url}/redirect/3").text == "hello\n"
    assert gunicorn.connections() == 1


def test_a_program_that_closes_after_each_response_is_dialled_again(
    closing_gunicorn: UnixGunicorn, session: Session
) -> None:
    closing_gunicorn.reset()
    assert [session.get(f"{closing_gunicorn.url}/").text for _ in range(3)] == ["hello\n"] * 3
    assert len(closing_gunicorn.requests()) == 3


# -- conversations ----------------------------------------------------------------------------------------


def test_a_stream_of_events_is_read_as_it_comes(session: Session) -> None:
    """As `docker events` does: a chunk now, and the next one whenever something happens."""
    go_on = threading.Event()

    def stream(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(headers=[("Transfer-Encoding", "chunked")]) + chunk(b'{"status": "create"}\n'))
        peer.wait(go_on)
        peer.send(chunk(b'{"status": "start"}\n') + LAST_CHUNK)
        assert peer.read_request() is not None
        peer.send(respond(b"ok"))

    with UnixServer([stream]) as server:
        with session.get(server.url("/events"), stream=True) as response:
            lines = response.iter_lines()
            assert next(lines) == b'{"status": "create"}'
            go_on.set()
            assert list(lines) == [b'{"status": "start"}']
        assert session.get(server.url("/info")).text == "ok"


def test_an_idle_connection_that_the_server_closed_is_not_used_again(session: Session) -> None:
    """Law R4."""

    def close(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"once"))

    with UnixServer([close, keep_alive(which)]) as server:
        assert session.post(server.url(), data=b"x").text == "once"
        server.wait_for_open(0)
        assert session.post(server.url(), data=b"x").text == "1 POST /"


def test_a_request_on_a_connection_that_dies_without_an_answer_is_replayed(session: Session) -> None:
    """Law P1."""

    def die(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"once"))
        peer.expect_request()

    with UnixServer([die, keep_alive(which)]) as server:
        assert session.get(server.url()).text == "once"
        assert session.get(server.url("/again")).text == "1 GET /again"


HOSTILE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "NULs": b"\0" * 100,
    "TLS": b"\x15\x03\x01\x00\x02\x02\x16",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
    "no end of the head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE)
def test_what_is_broken_over_tcp_is_the_same_error_over_a_socket(said: bytes, session: Session) -> None:
    def say(peer: Peer) -> None:
        peer.expect_request()
        peer.try_send(said)

    errors = []
    for server in (UnixServer(say), ScriptedServer(say)):
        with server:
            with pytest.raises(exceptions.RequestException) as told:
                session.get(server.url())
            session.close()
            server.wait_for_open(0)
        errors.append(type(told.value))
    assert errors[0] is errors[1]


def test_a_large_body_goes_both_ways(session: Session) -> None:
    content = os.urandom(3_000_000)
    with UnixServer(keep_alive(lambda request: respond(request.body))) as server:
        assert session.post(server.url(), data=content).content == content
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            assert session.post(server.url(), data=file).content == content  # by sendfile
        assert session.post(server.url(), data=iter([content])).content == content
        assert server.accepted == 1


def test_a_final_answer_that_comes_early_ends_the_upload(session: Session) -> None:
    """Law X2."""

    def refuse(peer: Peer) -> None:
        peer.read_head()
        peer.send(respond(b"too much", status=413))
        peer.half_close()
        peer.read_until_eof()

    with UnixServer(refuse) as server:
        assert session.post(server.url(), data=b"x" * 10_000_000).text == "too much"


def test_a_silent_server_is_a_read_timeout(session: Session) -> None:
    with UnixServer(silence) as server:
        with pytest.raises(exceptions.ReadTimeout):
            session.get(server.url(), timeout=(5, 0.05))
        server.wait_for_open(0)


# -- who does not answer ----------------------------------------------------------------------------------


def refused(session: Session, path: str, **settings: Any) -> str:
    """What the error says of a socket that takes no connection."""
    with no_socket_left(), pytest.raises(exceptions.ConnectError) as told:
        session.get(unix_url(path, userinfo="user:geheim@"), **settings)
    assert told.value.leg == "tcp"
    assert told.value.request is not None
    message = str(told.value)
    assert f"unix socket {path!r}" in message
    assert "geheim" not in message
    return message


def test_a_socket_that_is_not_there(folder: Path, session: Session) -> None:
    assert "there is no such file; start the server" in refused(session, str(folder / "none"))
    assert "No such file or directory" in refused(session, str(folder / "none" / "below"))


def test_a_file_that_is_no_socket(folder: Path, session: Session) -> None:
    (folder / "file").write_text("no socket")
    assert "the file there is no socket" in refused(session, str(folder / "file"))
    assert "the file there is no socket" in refused(session, str(folder))


def test_a_socket_whose_server_is_gone(folder: Path, session: Session) -> None:
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(folder / "abandoned"))
    assert "nobody listens there any longer" in refused(session, str(folder / "abandoned"))


def test_a_socket_that_is_no_stream(folder: Path, session: Session) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(folder / "log"))
        assert "HTTP needs one (SOCK_STREAM)" in refused(session, str(folder / "log"))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("closed", ["the socket", "its folder"])
def test_a_socket_that_others_may_open(closed: str, folder: Path, session: Session) -> None:
    path = folder / "a.sock"
    with UnixServer(keep_alive(which), str(path)):
        os.chmod(folder, 0o755)
        os.chmod(path if closed == "the socket" else folder, 0)
        try:
            said = _as_nobody(lambda: refused(session, str(path)))
        finally:
            os.chmod(folder, 0o755)
    assert "Permission denied: who connects needs the right to write to the socket" in said


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EACCES, "Permission denied: who connects needs the right to write to the socket"),
        (errno.EPERM, "Operation not permitted: who connects needs the right"),
        (errno.ENOMEM, r"Cannot allocate memory \(after"),
        # It was removed between the attempt and the look at it: nothing else is known of it.
        (errno.ECONNREFUSED, "Connection refused: nobody listens there any longer"),
    ],
)
def test_what_the_system_says_of_a_socket_is_told(
    code: int, says: str, folder: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect_ex", lambda sock, address: code)
    assert re.search(says, refused(session, str(folder / "a.sock")))


def _as_nobody(task: Callable[[], str]) -> str:
    """What the task returns in a child that has no rights, which root's would have in spite of all."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writing, task().encode())
        except BaseException as error:  # noqa: BLE001 (it is told by the pipe)
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


def test_a_system_without_unix_sockets_is_told_so(monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    assert "this system has no unix sockets" in refused(session, "/tmp/a")


def test_what_can_not_be_connected_is_tried_again(folder: Path) -> None:
    with Session(retries=Retry(2, backoff_factor=0)) as session:
        assert "3 tries" in refused(session, str(folder / "none"))


def test_a_status_is_tried_again_over_the_same_connection() -> None:
    answers = iter([respond(status=503), respond(status=503), respond(b"up")])
    with UnixServer(keep_alive(lambda request: next(answers))) as server:
        with Session(retries=Retry(3, backoff_factor=0, status_forcelist=[503])) as session:
            assert session.get(server.url()).text == "up"
        assert server.accepted == 1


# -- who is too busy (T1, L3) -----------------------------------------------------------------------------


def test_a_server_whose_queue_is_full_is_a_connect_timeout(folder: Path, session: Session) -> None:
    """Linux answers EAGAIN; what polls such a socket is told that it can be written to."""
    path = str(folder / "busy")
    with BusyServer(path), no_socket_left():
        with pytest.raises(exceptions.ConnectTimeout, match="the queue of its server is full") as told:
            session.get(unix_url(path), timeout=(0.1, 5))
        assert told.value.leg == "tcp"
        assert "connect timeout of 0.1 s" in str(told.value)
        assert repr(path) in str(told.value)


def test_a_total_timeout_holds_for_a_queue_that_is_full(folder: Path, session: Session) -> None:
    path = str(folder / "busy")
    with BusyServer(path), no_socket_left(), pytest.raises(exceptions.TotalTimeout):
        session.get(unix_url(path), timeout=Timeout(total=0.1))


def test_a_server_that_makes_room_in_time_gets_the_connection(folder: Path) -> None:
    """The first time that the dial asks how long it may wait, it was told that the queue is full."""
    with BusyServer(str(folder / "busy")) as server:
        asked: list[str] = []

        def left(doing: str, leg: str | None) -> float:
            if not asked:
                server.make_room()
            asked.append(doing)
            return 5.0

        route = Route("http", "localhost", 80, unix_socket=server.path)
        with unix.connect(route, SocketSettings(), left) as sock:
            assert asked
            sock.sendall(b"hello")
            assert server.accept().recv(100) == b"hello"


@pytest.mark.parametrize("limit", [Timeout(), Timeout(connect=None), None], ids=repr)
def test_a_request_waits_for_its_turn_in_the_queue(limit: Any, folder: Path, session: Session) -> None:
    with BusyServer(str(folder / "busy")) as server:
        responses: list[Response] = []
        url = unix_url(server.path)
        client = threading.Thread(target=lambda: responses.append(session.get(url, timeout=limit)))
        client.start()
        server.make_room()
        connection = server.accept()
        connection.settimeout(10)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        connection.sendall(respond(b"at last"))
        client.join(10)
        assert [response.text for response in responses] == ["at last"]


def test_an_interrupt_while_the_queue_is_full_leaves_no_socket(folder: Path) -> None:
    """Law L3: for BaseException too."""

    def interrupt(doing: str, leg: str | None) -> float:
        raise KeyboardInterrupt

    with BusyServer(str(folder / "busy")) as server, no_socket_left():
        with pytest.raises(KeyboardInterrupt):
            unix.connect(Route("http", "h", 80, unix_socket=server.path), SocketSettings(), interrupt)


def test_a_server_that_goes_away_while_its_queue_is_full_is_told(folder: Path) -> None:
    with BusyServer(str(folder / "busy")) as server, no_socket_left():

        def leave(doing: str, leg: str | None) -> float:
            server.listener.close()
            return 5.0

        with pytest.raises(exceptions.ConnectError, match="nobody listens there any longer"):
            unix.connect(Route("http", "h", 80, unix_socket=server.path), SocketSettings(), leave)


# -- processes and threads (L1, L4) -----------------------------------------------------------------------


def _fetch(session: Session, url: str) -> str:
    return session.get(url).text


def test_a_session_that_speaks_to_sockets_pickles() -> None:
    with UnixServer(keep_alive(which)) as server, Session() as session:
        session.mount("http://docker/", HTTPAdapter(unix_socket=server.path))
        session.get(server.url())
        with pickle.loads(pickle.dumps(session)) as copy:
            assert copy.get(server.url()).text == "1 GET /"
            assert copy.get("http://docker/x").text == "2 GET /x"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_has_connections_of_its_own(method: str) -> None:
    """Law L4."""
    with UnixServer(keep_alive(which)) as server, Session() as session:
        assert session.get(server.url()).text == "0 GET /"
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(_fetch, (session, server.url())) == "1 GET /"
        assert session.get(server.url()).text == "0 GET /"


def test_the_limits_of_the_pool_hold_for_each_socket() -> None:
    """Laws L1 and L2."""
    with (
        UnixServer(keep_alive(which)) as one,
        UnixServer(keep_alive(which)) as two,
        Session(limits=Limits(max_per_host=1)) as session,
    ):
        with session.get(one.url(), stream=True):
            assert session.get(two.url()).text == "0 GET /"
            with pytest.raises(exceptions.PoolTimeout):
                session.get(one.url(), timeout=Timeout(pool=0.05))
        assert session.get(one.url()).text == "0 GET /"


def test_many_threads_share_a_socket() -> None:
    with UnixServer(keep_alive(which)) as server, Session(limits=Limits(max_per_host=4)) as session:
        texts: list[str] = []

        def work() -> None:
            for _ in range(20):
                texts.append(session.get(server.url("/x")).text)  # noqa: PERF401

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(texts) == 160
        assert server.accepted <= 4
