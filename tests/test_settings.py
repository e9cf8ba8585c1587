"""What is set on a session, by the environment and by the call, and which of them counts."""

from __future__ import annotations

import base64
import http.cookiejar
import itertools
import os
import pickle
import ssl
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp import Limits, Request, Session, environment
from pystickyhttp.auth import HTTPBasicAuth
from pystickyhttp.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError, URLRequired
from pystickyhttp.proxy_choice import select_proxy
from pystickyhttp.testing import MockAdapter
from pystickyhttp.testing import respond as respond_with
from pystickyhttp.timeouts import Timeout
from pystickyhttp.urls import parse
from tests.servers.scripted import ScriptedServer, keep_alive, respond, silence
from tests.servers.sockets import no_socket_left


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


says_ok = keep_alive(lambda request: respond(b"ok"))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(lambda request: respond(request.target.encode()))) as server:
        yield server


# --- what Session() takes


def test_a_session_can_be_made_with_its_settings(server: ScriptedServer) -> None:
    with Session(
        base_url=server.url("/api"),
        headers={"X-App": "mine", "Accept": None},
        auth=("user", "password"),
        params={"key": "value"},
        cookies={"a": "b"},
        timeout=5,
        limits=Limits(max_per_host=2),
        retries=3,
    ) as session:
        assert session.get("users", params={"q": 1}).text == "/api/users?key=value&q=1"
        assert session.timeout == 5
        assert session.max_connections == 2
    (request,) = server.requests
    assert request.header("X-App") == "mine"
    assert request.header("Accept") is None
    assert request.header("User-Agent") is not None, "the default ones are still there"
    assert request.header("Authorization") == basic("user", "password")
    assert request.header("Cookie") == "a=b"


def test_settings_for_tls_can_be_given_to_the_session(tls_context: ssl.SSLContext, ca_file: str) -> None:
    with ScriptedServer(keep_alive(lambda request: respond(b"ok")), tls=tls_context) as server:
        with Session(verify=ca_file) as session:
            assert session.get(server.url()).ok
        with Session(verify=False) as session:
            assert session.get(server.url()).ok
    with ScriptedServer([lambda peer: None], tls=tls_context, handshake_may_fail=True) as server:
        with pytest.raises(SSLError, match=r"none\.pem"), Session(cert="/none.pem", verify=False) as session:
            session.get(server.url())


def test_a_timeout_of_the_session_counts_where_the_call_has_none() -> None:
    with ScriptedServer(silence) as server:
        with Session(timeout=Timeout(total=0.2)) as session:
            with pytest.raises(pystickyhttp.TotalTimeout, match=r"0\.2"):
                session.get(server.url())
            with pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.3"):
                session.get(server.url(), timeout=0.3)


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"limits": 5}, TypeError),
        ({"base_url": "example.com"}, MissingSchema),
        ({"base_url": "ftp://example.com"}, InvalidSchema),
        ({"base_url": "https://"}, InvalidURL),
        ({"base_url": "https://example.com/?q"}, ValueError),
        ({"base_url": "https://example.com/#f"}, ValueError),
        ({"proxies": "http://p:1"}, TypeError),
        ({"cookies": "a=b"}, TypeError),
        ({"timeout": "5"}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"timeout": (1, 2, 3)}, ValueError),
        ({"verify": ""}, ValueError),
        ({"verify": None}, TypeError),
        ({"cert": 5}, TypeError),
        ({"cert": ("a", "b", "c", "d")}, TypeError),
        ({"auth": "x"}, TypeError),
        ({"auth": ["user", "password"]}, TypeError),
    ],
    ids=repr,
)
def test_settings_of_no_use_are_refused_where_they_are_given(setting: dict[str, Any], error: Any) -> None:
    with pytest.raises(error):
        Session(**setting)


def test_files_of_certificates_may_be_made_after_the_session(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    with Session(
        verify=missing, cert=(missing, missing), timeout=Timeout(total=5), auth=("u", "p")
    ) as session:
        assert (session.verify, session.cert) == (missing, (missing, missing))


def test_settings_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        Session("https://example.com")  # type: ignore[call-arg]


def test_params_and_headers_of_a_session_can_be_added_to(server: ScriptedServer, session: Session) -> None:
    """As programs for requests do: none of them is None."""
    session.params["a"] = 1
    session.params.update({"b": 2})
    session.proxies.update({})
    session.hooks["response"].append(lambda response, **settings: None)
    assert session.get(server.url()).text == "/?a=1&b=2"


@pytest.mark.parametrize(
    "params",
    [
        {"a": "1", "b": "2"},
        [("a", "1"), ("b", "2")],
        (("a", "1"), ("b", "2")),
        iter([("a", "1"), ("b", "2")]),
    ],
    ids=["mapping", "list", "tuple", "iterator"],
)
def test_params_may_be_any_mapping_or_pairs(params: Any, server: ScriptedServer, session: Session) -> None:
    assert session.get(server.url("/?z"), params=params).text == "/?z&a=1&b=2"


@pytest.mark.parametrize("way", ["argument", "attribute"])
def test_params_of_a_session_that_are_an_iterator_count_for_every_request(
    way: str, server: ScriptedServer
) -> None:
    """And not for the first one alone, with no word about the others."""
    params = (pair for pair in [("a", "1"), ("b", "2")])
    with Session(params=params if way == "argument" else None) as session:
        if way == "attribute":
            session.params = params
        assert [session.get(server.url()).text for _ in range(3)] == ["/?a=1&b=2"] * 3
        assert session.params == [("a", "1"), ("b", "2")]


def test_a_subclass_may_have_params_of_its_own_making(server: ScriptedServer) -> None:
    """As with requests, where it is an attribute like any other."""

    class Counting(Session):
        asked = 0

        @property
        def params(self) -> dict[str, int]:
            self.asked += 1
            return {"n": self.asked}

        @params.setter
        def params(self, value: Any) -> None:
            pass

    with Counting() as session:
        texts = [session.get(server.url()).text for _ in range(2)]
    assert len(set(texts)) == 2
    assert all(text.startswith("/?n=") for text in texts)


def test_a_session_pickles_with_its_settings(server: ScriptedServer) -> None:
    """L4."""
    made = Session(base_url=server.url(), timeout=5, retries=3, auth=("u", "p"), cookies={"a": "b"})
    made.proxies = {}
    with pickle.loads(pickle.dumps(made)) as session:
        assert session.get("x").text == "/x"
        assert (session.timeout, session.auth, session.proxies) == (5, ("u", "p"), {})
        assert session.get_adapter("http://h/").max_retries.total == 3
        assert session.cookies.get_dict() == {"a": "b"}
    made.close()


# --- base_url


@pytest.mark.parametrize("base", ["http://h/api", "http://h/api/"])
@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("users", "http://h/api/users"),
        ("/users", "http://h/api/users"),
        ("users/1?q=2#f", "http://h/api/users/1?q=2#f"),
        ("a:b", "a:b"),
        (" http://other/x", "http://other/x"),  # as without a base: blanks come of copying
        (b"\t/users", "http://h/api/users"),
        ("../other", "http://h/other"),
        ("http://other/x", "http://other/x"),
        ("HTTPS://other/x", "https://other/x"),
        ("//other/x", "http://h/api/other/x"),  # put together of "/" and what a user gave
        (b"users", "http://h/api/users"),
        (PurePosixPath("users"), "http://h/api/users"),
    ],
)
def test_a_relative_url_is_below_the_base(base: str, reference: Any, expected: str) -> None:
    with Session(base_url=base) as session:
        prepared = session.prepare_request(Request("GET", reference))
    assert prepared.url == expected


@pytest.mark.parametrize(("reference", "expected"), [("", "http://h/api"), ("?q", "http://h/api?q")])
def test_an_empty_url_is_the_base_itself(reference: str, expected: str) -> None:
    with Session(base_url="http://h/api") as session:
        assert session.prepare_request(Request("GET", reference)).url == expected


def test_the_base_can_be_changed_and_taken_away() -> None:
    with Session(base_url="http://h/1") as session:
        session.base_url = "http://h/2"
        assert session.prepare_request(Request("GET", "x")).url == "http://h/2/x"
        session.base_url = None
        with pytest.raises(MissingSchema):
            session.prepare_request(Request("GET", "x"))


# --- the call > the session > the environment > the default


def authorization(server: ScriptedServer, session: Session, **settings: Any) -> str | None:
    session.get(settings.pop("url", server.url()), **settings)
    return server.requests[-1].header("Authorization")


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login netrc password secret\n")
    monkeypatch.setenv("NETRC", str(path))
    return path


def test_who_says_who_sends_the_request(netrc: Path, server: ScriptedServer, session: Session) -> None:
    """Precedence law: explicit auth beats URL userinfo beats netrc."""
    with_userinfo = f"http://url:secret@127.0.0.1:{server.port}/"
    assert authorization(server, session) == basic("netrc", "secret")
    assert authorization(server, session, url=with_userinfo) == basic("url", "secret")
    session.auth = ("session", "secret")
    assert authorization(server, session, url=with_userinfo) == basic("session", "secret")
    assert authorization(server, session, auth=("call", "secret")) == basic("call", "secret")
    assert authorization(server, session, headers={"Authorization": "by hand"}) == "by hand"
    session.auth = None
    session.headers["Authorization"] = "of the session"
    assert authorization(server, session, url=with_userinfo) == "of the session"


# Who may say who sends a request, the one who goes ahead of all others first.
SAYING_WHO = ["auth of the call", "header of the call", "auth of the session", "header of the session", "url"]


@pytest.mark.parametrize("trust_env", [True, False])
@pytest.mark.parametrize("there_is_a_netrc", [True, False])
@pytest.mark.parametrize(
    "saying",
    [those for number in range(6) for those in itertools.combinations(SAYING_WHO, number)],
    ids=lambda those: ", ".join(those) or "nobody",
)
def test_of_all_who_say_who_sends_a_request_the_first_counts(
    saying: tuple[str, ...],
    there_is_a_netrc: bool,
    trust_env: bool,
    netrc: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Precedence law: the call, the session; explicit auth, userinfo, netrc. requests has netrc go ahead of a
    field that was written by hand."""
    monkeypatch.setattr(environment, "NETRC_ABSENCE", 0.0)
    if not there_is_a_netrc:
        netrc.unlink()
    with Session(trust_env=trust_env) as session:
        call: dict[str, Any] = {}
        if "auth of the call" in saying:
            call["auth"] = ("auth of the call", "x")
        if "header of the call" in saying:
            call["headers"] = {"authorization": basic("header of the call", "x")}
        if "auth of the session" in saying:
            session.auth = ("auth of the session", "x")
        if "header of the session" in saying:
            session.headers["Authorization"] = basic("header of the session", "x")
        url = "http://url:x@127.0.0.1/" if "url" in saying else "http://127.0.0.1/"
        sent = session.prepare_request(Request("GET", url, **call)).headers.get("Authorization")
    from_netrc = basic("netrc", "secret") if there_is_a_netrc and trust_env else None
    assert sent == (basic(saying[0], "x") if saying else from_netrc)


@pytest.mark.parametrize("auth_of_session", [None, ("session", "secret")])
def test_who_says_that_authorization_is_none_is_not_overruled_by_netrc(
    auth_of_session: Any, netrc: Path, server: ScriptedServer, session: Session
) -> None:
    """Precedence law: netrc is the environment's. requests asks it, and the session's auth."""
    session.auth = auth_of_session
    for given in ({"authorization": None}, [("Authorization", None)]):
        assert authorization(server, session, headers=given) is None
    session.auth = None
    session.headers["Authorization"] = None
    assert authorization(server, session) is None
    assert authorization(server, session, auth=("call", "secret")) == basic("call", "secret")
    assert authorization(server, session, url=server.url().replace("//", "//url:x@")) == basic("url", "x")


def test_netrc_is_read_as_it_stands_at_the_request(
    netrc: Path, server: ScriptedServer, session: Session
) -> None:
    assert authorization(server, session) == basic("netrc", "secret")
    netrc.write_text("machine 127.0.0.1 login other password changed\n")
    assert authorization(server, session) == basic("other", "changed")
    netrc.unlink()
    assert authorization(server, session) is None


def test_netrc_is_not_read_where_the_environment_is_not_trusted(
    netrc: Path, server: ScriptedServer, session: Session
) -> None:
    session.trust_env = False
    assert authorization(server, session) is None


def test_off_the_origin_netrc_has_the_credentials_of_the_next_host(
    netrc: Path, server: ScriptedServer, session: Session
) -> None:
    """Redirect law: what was for the first host is gone; the second one's own is no secret to it."""
    moved = respond(b"", status=302, headers=[("Location", server.url())])
    with ScriptedServer(keep_alive(lambda request: moved)) as first:
        session.get(f"http://localhost:{first.port}/", auth=("call", "secret"))
    assert server.requests[-1].header("Authorization") == basic("netrc", "secret")


CA_VARIABLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_the_environment_names_the_ca_file(
    variable: str, monkeypatch: pytest.MonkeyPatch, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    with ScriptedServer(says_ok, tls=tls_context, handshake_may_fail=True) as server:
        with Session() as session:
            with pytest.raises(SSLError):
                session.get(server.url())
            monkeypatch.setenv(variable, ca_file)
            assert session.get(server.url()).ok
            assert session.get(server.url(), verify=True).ok
            monkeypatch.delenv(variable)
            with pytest.raises(SSLError):  # R1: nor is the connection used that was verified with another
                session.get(server.url())


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_the_environments_ca_file_is_not_asked_where_it_is_not_trusted(
    variable: str, monkeypatch: pytest.MonkeyPatch, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    monkeypatch.setenv(variable, ca_file)
    with ScriptedServer(says_ok, tls=tls_context, handshake_may_fail=True) as server:
        with Session(trust_env=False) as session, pytest.raises(SSLError):
            session.get(server.url())


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_verify_in_code_goes_ahead_of_the_environment(
    variable: str, monkeypatch: pytest.MonkeyPatch, tls_context: ssl.SSLContext, ca_file: str, tmp_path: Path
) -> None:
    """Precedence law: neither verify=False nor a CA given in code is overridden."""
    other = tmp_path / "other.pem"
    other.write_text("no certificate")
    monkeypatch.setenv(variable, str(other))
    with ScriptedServer(keep_alive(lambda request: respond(b"ok")), tls=tls_context) as server:
        for verify in (False, ca_file):
            with Session() as session:
                assert session.get(server.url(), verify=verify).ok
            with Session(verify=verify) as session:
                assert session.get(server.url()).ok


@pytest.mark.parametrize("way", ["request", "send", "redirect"])
@pytest.mark.parametrize("trust_env", [True, False])
@pytest.mark.parametrize("variables", [(), ("REQUESTS_CA_BUNDLE",), ("CURL_CA_BUNDLE",)], ids=str)
@pytest.mark.parametrize("of_session", [True, False, "session.pem"])
@pytest.mark.parametrize("of_call", [None, True, False, "call.pem"])
def test_whom_to_trust_is_what_the_first_says_who_says_more_than_true(
    of_call: Any,
    of_session: Any,
    variables: tuple[str, ...],
    trust_env: bool,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Precedence law. requests lets REQUESTS_CA_BUNDLE override session.verify=False, and does not ask it in
    send()."""
    for variable in variables:
        monkeypatch.setenv(variable, "environment.pem")
    seen: list[Any] = []
    moved = respond_with(302, headers={"Location": "/end"})
    adapter = MockAdapter(
        lambda request: moved if way == "redirect" and request.url.endswith("/begin") else respond_with(200)
    )
    with Session(verify=of_session, trust_env=trust_env) as session:
        session.mount("https://", adapter)
        session.hooks["response"].append(lambda response, **settings: seen.append(settings["verify"]))
        if way == "send":
            session.send(session.prepare_request(Request("GET", "https://h.test/begin")), verify=of_call)
        else:
            session.get("https://h.test/begin", verify=of_call)
    said = of_session if of_call is None else of_call
    if said is True and variables and trust_env:
        said = "environment.pem"
    assert seen == [said] * (2 if way == "redirect" else 1)


def test_a_ca_file_of_the_environment_that_is_none_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, tls_context: ssl.SSLContext, session: Session, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with ScriptedServer([lambda peer: None], tls=tls_context, handshake_may_fail=True) as server:
        with pytest.raises(SSLError, match="SSL_CERT_FILE"):
            session.get(server.url())


# --- proxies


def settings_for(session: Session, url: str, proxies: Any = None) -> Any:
    return session.merge_environment_settings(url, proxies, None, None, None)["proxies"]


def test_proxies_of_the_call_go_ahead_of_the_sessions_and_those_of_the_environments(
    monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("http_proxy", "http://environment:1")
    url = "http://example.com/"
    assert settings_for(session, url) == {"http": "http://environment:1"}
    session.proxies = {"http": "http://session:1"}
    assert settings_for(session, url) == {"http": "http://session:1"}
    assert settings_for(session, url, {"http": "http://call:1"}) == {"http": "http://call:1"}
    assert settings_for(session, url, {"http": None}) == {"http": None}


def test_empty_proxies_mean_direct(monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    """Precedence law."""
    monkeypatch.setenv("http_proxy", "http://environment:1")
    url = "http://example.com/"
    adapter = MockAdapter(lambda request: respond_with(200))
    seen: list[Any] = []
    session.mount("http://", adapter)
    session.hooks["response"].append(lambda response, **settings: seen.append(settings["proxies"]))
    session.get(url, proxies={})
    session.send(session.prepare_request(Request("GET", url)), proxies={})
    assert [select_proxy(parse(url), proxies) for proxies in seen] == [None, None]
    session.proxies = {}
    assert settings_for(session, url) == {}
    session.proxies = None
    assert settings_for(session, url) == {"http": "http://environment:1"}
    with Session(proxies={}) as direct:
        assert settings_for(direct, url) == {}


def test_the_recipe_of_requests_guide_asks_the_environment(
    monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    """There the empty mapping says nothing."""
    monkeypatch.setenv("http_proxy", "http://environment:1")
    settings = session.merge_environment_settings("http://example.com/", {}, None, None, None)
    assert settings["proxies"] == {"http": "http://environment:1"}


def test_no_proxy_among_the_proxies_of_a_call_takes_the_place_of_the_environments(
    monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("http_proxy", "http://environment:1")
    url = parse("http://example.com/")
    for no_proxy, expected in (("example.com", None), ("other", "http://environment:1")):
        proxies = settings_for(session, str(url), {"no_proxy": no_proxy})
        assert select_proxy(url, proxies) == expected


def test_proxies_of_the_environment_are_not_asked_where_it_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("http_proxy", "http://environment:1")
    session.trust_env = False
    assert settings_for(session, "http://example.com/") == {}


# --- what carries over


def test_a_jar_of_the_standard_library_can_be_the_sessions() -> None:
    with Session(cookies=http.cookiejar.CookieJar()) as session:
        assert len(session.cookies) == 0


def test_auth_objects_compare_as_in_requests() -> None:
    assert HTTPBasicAuth("u", "p") == HTTPBasicAuth("u", "p")
    assert HTTPBasicAuth("u", "p") != HTTPBasicAuth("u", "q")


# --- cookies_file


def test_cookies_are_saved_on_close_and_loaded_by_the_next_session(tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    setting = respond(b"", headers=[("Set-Cookie", "kept=1; Max-Age=1000")])
    with ScriptedServer(keep_alive(lambda request: setting)) as server:
        with Session(cookies_file=path, cookies={"given": "2"}) as session:
            assert not path.exists()
            session.get(server.url())
        with Session(cookies_file=path) as session:
            session.get(server.url())
        assert sorted((server.requests[1].header("Cookie") or "").split("; ")) == ["given=2", "kept=1"]


def test_the_file_of_cookies_belongs_to_the_process_that_made_the_session(tmp_path: Path) -> None:
    """L4: neither the child of a fork nor an unpickled copy writes over it."""
    path = tmp_path / "cookies.json"
    with Session(cookies_file=path) as session:
        session.cookies.set("ours", "1")
        copy = pickle.loads(pickle.dumps(session))
        copy.cookies.set("theirs", "2")
        copy.close()
        assert not path.exists()
        child = os.fork()
        if child == 0:
            session.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert not path.exists()
    assert path.exists()


def test_a_process_may_give_a_session_that_came_to_it_a_file_of_its_own(tmp_path: Path) -> None:
    """L4: who asks the child of a fork, or an unpickled copy, to save its cookies finds them saved."""
    session = Session(cookies={"ours": "1"}, cookies_file=tmp_path / "parents.txt")
    pickled = pickle.dumps(session)
    child = os.fork()
    if child == 0:
        for name, inherited in (("forked.txt", session), ("unpickled.txt", pickle.loads(pickled))):
            inherited.cookies_file = tmp_path / name
            inherited.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"forked.txt", "unpickled.txt"}
    session.close()
    assert "ours" in (tmp_path / "parents.txt").read_text()


def test_a_file_of_cookies_that_cant_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text("# Netscape HTTP Cookie File\nnonsense\n")
    with pytest.raises(ValueError, match=r"cookies\.txt.*2"):
        Session(cookies_file=path)
    assert path.read_text().endswith("nonsense\n")


def test_closing_closes_the_connections_though_the_file_cant_be_written(tmp_path: Path) -> None:
    with ScriptedServer(keep_alive(lambda request: respond(b"ok"))) as server, no_socket_left():
        folder = tmp_path / "none"
        folder.mkdir()
        session = Session(cookies_file=folder / "cookies.txt")
        session.get(server.url())
        folder.rmdir()
        with pytest.raises(OSError, match="none"):
            session.close()


@pytest.mark.parametrize("name", ["none/cookies.txt", ""])
def test_a_file_of_cookies_that_could_not_be_saved_is_told_ahead_of_the_login(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="cookies_file"):
        Session(cookies_file=name)


@pytest.mark.parametrize("value", ["5", None, 1.5, True, -1], ids=repr)
def test_max_redirects_of_no_use_is_refused_where_it_is_set(value: Any, session: Session) -> None:
    with pytest.raises((TypeError, ValueError), match="max_redirects"):
        session.max_redirects = value
    assert session.max_redirects == 30


# --- beside adapters that are not ours, and without a URL


def test_the_limit_of_connections_is_set_on_those_who_have_one() -> None:
    with Session(base_url="http://h/api") as session:
        session.mount("mock://", MockAdapter(lambda _: respond_with()))
        session.max_connections = 3
        assert session.max_connections == 3
        assert session.get("mock://x/").ok
        assert session.base_url == "http://h/api"


def test_no_url_is_none_below_a_base_too() -> None:
    with Session(base_url="http://h/api") as session, pytest.raises(URLRequired):
        session.get(None)  # type: ignore[arg-type]


def test_a_base_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="base_url is 5: give a str"):
        Session(base_url=5)  # type: ignore[arg-type]
