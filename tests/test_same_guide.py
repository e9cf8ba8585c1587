"""The snippets of requests' quickstart and its advanced guide, side by side with requests, against httpbin.

Each is adapted to the server here, and to nothing else. Proxies, certificates and the environment are those
of the guide too, with what they stand for on the loopback.
"""

from __future__ import annotations

import json
import ssl
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import urllib3

from tests.beside import OURS, THEIRS, Recorder, assert_same, in_session, outcome, plain, told
from tests.servers.certificates import key_pair, server_context
from tests.servers.proxies import ProxyServer
from tests.servers.real import RealServer
from tests.servers.scripted import Request, ScriptedServer, keep_alive, respond
from tests.servers.surroundings import lead_to_loopback

# A snippet takes the library, and the address of httpbin without a path.
Snippet = Callable[[Any, str], Any]

# What httpbin tells about a request has this in it.
NAMED: dict[str, str] = {"User-Agent": "my-app/0.0.1"}


def both(snippet: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What a snippet gives with each of the two libraries."""
    return told(snippet(THEIRS)), told(snippet(OURS))


# --- every page of httpbin that is the same twice

PAGES = """
    /get /get?a=1&a=2 /ip /headers /user-agent /anything/a/b?c=d
    /gzip /deflate /brotli /encoding/utf8 /html /json /xml /robots.txt /deny /forms/post
    /image/png /image/jpeg /image/svg /image/webp
    /bytes/100?seed=1 /stream-bytes/100?seed=1 /stream/3 /range/50 /drip?duration=0&numbytes=5&delay=0
    /links/5/1 /response-headers?a=b&a=c /base64/aGVsbG8= /cache/60 /etag/x
    /status/200 /status/204 /status/304 /status/401 /status/404 /status/406 /status/407
    /status/418 /status/500
    /redirect/2 /absolute-redirect/2 /relative-redirect/2 /redirect-to?url=/get
    /redirect-to?url=/get&status_code=307
    /cookies/set?a=b /cookies/set/a/b /cookies/delete?a /cookies
    /basic-auth/user/pass /hidden-basic-auth/user/pass /bearer /delay/0 /no/such/page
"""


def as_here(facts: Any) -> Any:
    """What requests says of a response whose Content-Type says no charset, as it is said here.

    JSON is UTF-8, 16 or 32 by itself, and other text is UTF-8 where it can be: `encoding` is None.
    """
    content_type = facts["headers"].get("Content-Type", b"")
    facts = {**facts, "history": [as_here(each) for each in facts["history"]]}
    if b"charset" in content_type:
        return facts
    if content_type == b"application/json":
        return {**facts, "encoding": None}
    if content_type.startswith(b"text/"):
        return {**facts, "encoding": None, "text": facts["content"].decode("utf-8")}
    return facts


def without_guesses(facts: dict[str, Any]) -> dict[str, Any]:
    """What is known of a response that is no text; what it would be as text, each guesses by itself."""
    try:
        facts["content"].decode("utf-8")
    except UnicodeDecodeError:
        return {**facts, "text": "", "apparent_encoding": ""}
    return facts


@pytest.mark.parametrize("page", PAGES.split())
def test_every_page_of_httpbin_is_the_same_response(page: str, httpbin_server: RealServer) -> None:
    theirs, ours = both(lambda lib: lib.get(httpbin_server.url + page, headers=NAMED))
    assert_same(without_guesses(as_here(theirs)), without_guesses(ours))


# --- the quickstart and the advanced guide


def _streams_to_a_file(lib: Any, at: str) -> Any:
    with lib.get(f"{at}/stream-bytes/1000?seed=1", stream=True) as response:
        chunks = list(response.iter_content(chunk_size=128))
    return [b"".join(chunks), max(map(len, chunks))]


def _raw(lib: Any, at: str) -> Any:
    with lib.get(f"{at}/gzip", stream=True) as response:
        return [response.raw.read(2), len(response.raw.read(1))]


def _bad_status(lib: Any, at: str) -> Any:
    bad = lib.get(f"{at}/status/404")
    try:
        bad.raise_for_status()
    except lib.exceptions.HTTPError as error:
        return [str(error), bad.status_code, bad.status_code == lib.codes.not_found]
    return None


def _jar(lib: Any, at: str) -> Any:
    jar = lib.cookies.RequestsCookieJar()
    jar.set("tasty_cookie", "yum", domain="127.0.0.1", path="/cookies")
    jar.set("gross_cookie", "blech", domain="127.0.0.1", path="/elsewhere")
    return lib.get(f"{at}/cookies", cookies=jar).json()


def _cookies_persist(lib: Any, at: str) -> Any:
    def act(session: Any) -> Any:
        session.get(f"{at}/cookies/set/sessioncookie/123456789")
        return [session.get(f"{at}/cookies").json(), session.cookies.get_dict()]

    return in_session(lib, act)


def _defaults(lib: Any, at: str) -> Any:
    def act(session: Any) -> Any:
        session.auth = ("user", "pass")
        session.headers.update({"x-test": "true"})
        seen = session.get(f"{at}/headers", headers={"x-test2": "true"}).json()["headers"]
        return [seen["X-Test"], seen["X-Test2"], seen["Authorization"]]

    return in_session(lib, act)


def _cookies_of_a_call(lib: Any, at: str) -> Any:
    return in_session(
        lib,
        lambda session: [
            session.get(f"{at}/cookies", cookies={"from-my": "browser"}).json(),
            session.get(f"{at}/cookies").json(),
        ],
    )


def _prepared(lib: Any, at: str) -> Any:
    def act(session: Any) -> Any:
        request = lib.Request("POST", f"{at}/post", data={"a": "b"}, headers={"X-A": "b"})
        prepared = request.prepare()
        prepared.body = "No, I want exactly this as the body."
        prepared.headers["Content-Length"] = str(len(prepared.body))
        del prepared.headers["Content-Type"]
        response = session.send(prepared, stream=False, verify=True, proxies={}, cert=None, timeout=5)
        return [response.status_code, response.json()["data"], response.json()["form"]]

    return in_session(lib, act)


def _prepared_by_a_session(lib: Any, at: str) -> Any:
    def act(session: Any) -> Any:
        session.cookies.set("kept", "yes")
        prepared = session.prepare_request(lib.Request("GET", f"{at}/headers"))
        prepared.headers["Keep-Dead"] = "parrot"
        settings = session.merge_environment_settings(prepared.url, {}, None, None, None)
        seen = session.send(prepared, **settings).json()["headers"]
        return [seen["Keep-Dead"], seen["Cookie"]]

    return in_session(lib, act)


def _content_is_conditional(lib: Any, at: str) -> Any:
    with lib.get(f"{at}/bytes/100?seed=1", stream=True) as response:
        if int(response.headers["content-length"]) < 1000:
            return response.content
    return None


def _chunks(lib: Any, at: str) -> Any:
    def gen() -> Any:
        yield b"hi"
        yield b"there"

    return lib.post(f"{at}/anything", data=gen()).json()["data"]


def _hooks(lib: Any, at: str) -> Any:
    seen: list[Any] = []

    def print_url(response: Any, *args: Any, **kwargs: Any) -> None:
        seen.append(response.url)

    def record_hook(response: Any, *args: Any, **kwargs: Any) -> Any:
        response.hook_called = True
        return response

    def act(session: Any) -> Any:
        session.hooks["response"].append(print_url)
        session.get(f"{at}/redirect/1")

    response = lib.get(f"{at}/get", hooks={"response": [print_url, record_hook]})
    return [response.hook_called, in_session(lib, act), seen]


def _pizza(lib: Any, at: str) -> Any:
    class PizzaAuth(lib.auth.AuthBase):  # type: ignore[misc]
        def __init__(self, username: str) -> None:
            self.username = username

        def __call__(self, request: Any) -> Any:
            request.headers["X-Pizza"] = self.username
            return request

    return lib.get(f"{at}/headers", auth=PizzaAuth("kenneth")).json()["headers"]["X-Pizza"]


def _lines(lib: Any, at: str) -> Any:
    with lib.get(f"{at}/stream/20", stream=True) as response:
        return [json.loads(line.decode("utf-8"))["id"] for line in response.iter_lines() if line]


def _lines_of_text(lib: Any, at: str) -> Any:
    with lib.get(f"{at}/stream/20", stream=True) as response:
        if response.encoding is None:
            response.encoding = "utf-8"
        return [json.loads(line)["id"] for line in response.iter_lines(decode_unicode=True) if line]


def _first_line(lib: Any, at: str) -> Any:
    with lib.get(f"{at}/stream/3", stream=True) as response:
        lines = response.iter_lines()
        return [json.loads(next(lines))["id"], [json.loads(line)["id"] for line in lines]]


def _retries(lib: Any, at: str) -> Any:
    def act(session: Any) -> Any:
        retries = urllib3.Retry(total=2, backoff_factor=0, status_forcelist=[503], allowed_methods={"POST"})
        session.mount("http://", lib.adapters.HTTPAdapter(max_retries=retries))
        try:
            session.post(f"{at}/status/503")
        except lib.exceptions.RetryError:
            return session.get(f"{at}/status/503").status_code

    return in_session(lib, act)


def _files(lib: Any, at: str, **files: Any) -> Any:
    told = lib.post(f"{at}/post", files=files).json()
    return [told["files"], told["form"], told["headers"]["Content-Length"]]


def _login(lib: Any, at: str) -> Any:
    auth = lib.auth.HTTPDigestAuth("user", "pass")
    paths = [
        "/digest-auth/auth/user/pass",
        "/digest-auth/auth-int/user/pass",
        "/digest-auth/auth/user/pass/SHA-256",
        "/digest-auth/auth/user/pass/SHA-512",
        "/digest-auth/auth/user/pass/MD5/never",
        "/digest-auth/auth/user/other",
    ]
    return in_session(lib, lambda session: [session.get(at + path, auth=auth).status_code for path in paths])


SNIPPETS: dict[str, Snippet] = {
    "params": lambda lib, at: (
        lib.get(f"{at}/get", params={"key1": "value1", "key2": ["value2", "value3"]}).url
    ),
    "text": lambda lib, at: lib.get(f"{at}/encoding/utf8").text,
    "another encoding": lambda lib, at: _encoded(lib.get(f"{at}/encoding/utf8")),
    "binary content": lambda lib, at: lib.get(f"{at}/image/png").content,
    "JSON": lambda lib, at: lib.get(f"{at}/json").json(),
    "raw": _raw,
    "streaming to a file": _streams_to_a_file,
    "headers": lambda lib, at: lib.get(f"{at}/user-agent", headers={"user-agent": "my-app/0.0.1"}).json(),
    "a form": lambda lib, at: lib.post(f"{at}/post", data={"key1": "value1", "key2": "value2"}).json()[
        "form"
    ],
    "a form of pairs": lambda lib, at: lib.post(f"{at}/post", data=[("key1", "a"), ("key1", "b")]).json()[
        "form"
    ],
    "a form of lists": lambda lib, at: lib.post(f"{at}/post", data={"key1": ["a", "b"]}).json()["form"],
    "JSON as text": lambda lib, at: lib.post(f"{at}/post", data=json.dumps({"some": "data"})).json()["json"],
    "json=": lambda lib, at: lib.post(f"{at}/post", json={"some": "data"}).json()["json"],
    "files": lambda lib, at: _files(
        lib, at, file=("report.xls", b"\x00\xff", "application/vnd.ms-excel", {"Expires": "0"})
    ),
    "files of text": lambda lib, at: _files(lib, at, file=("report.csv", "some,data\nanother,row\n")),
    "a status": lambda lib, at: lib.get(f"{at}/get").status_code == lib.codes.ok,
    "a bad status": _bad_status,
    "headers of the response": lambda lib, at: lib.get(f"{at}/get").headers.get("content-type"),
    "a cookie of the response": lambda lib, at: lib.get(
        f"{at}/cookies/set/a/b", allow_redirects=False
    ).cookies["a"],
    "cookies": lambda lib, at: lib.get(f"{at}/cookies", cookies={"cookies_are": "working"}).json(),
    "a jar": _jar,
    "history": lambda lib, at: [response.status_code for response in lib.get(f"{at}/redirect/2").history],
    "no redirects": lambda lib, at: lib.get(f"{at}/redirect/2", allow_redirects=False).status_code,
    "redirects of head": lambda lib, at: lib.head(f"{at}/redirect/2", allow_redirects=True).url,
    "a session's cookies": _cookies_persist,
    "a session's defaults": _defaults,
    "cookies of a call": _cookies_of_a_call,
    "request headers": lambda lib, at: lib.get(f"{at}/get", headers=NAMED).request.headers["User-Agent"],
    "prepared": _prepared,
    "prepared by a session": _prepared_by_a_session,
    "content, if it is short": _content_is_conditional,
    "chunks": _chunks,
    "hooks": _hooks,
    "a pizza": _pizza,
    "lines": _lines,
    "lines of text": _lines_of_text,
    "the first line, and the others": _first_line,
    "verbs": lambda lib, at: [
        lib.request(verb, f"{at}/anything", data="x").json()["method"]
        for verb in ("PUT", "PATCH", "DELETE", "TRACE")
    ],
    "options": lambda lib, at: sorted(lib.options(f"{at}/get").headers["allow"].split(", ")),
    "links": lambda lib, at: lib.head(f"{at}/links/3/1").links,
    "retries": _retries,
    "basic auth": lambda lib, at: lib.get(
        f"{at}/basic-auth/user/pass", auth=lib.auth.HTTPBasicAuth("user", "pass")
    ).json(),
    "basic auth by a pair": lambda lib, at: lib.get(
        f"{at}/basic-auth/user/pass", auth=("user", "pass")
    ).json(),
    "basic auth by the URL": lambda lib, at: lib.get(
        f"{at}/basic-auth/user/pass".replace("//", "//user:pass@")
    ).json(),
    "digest auth": _login,
    "an order of headers": lambda lib, at: list(
        lib.get(f"{at}/get", headers=OrderedDict([("X-Z", "1"), ("X-A", "2")])).request.headers
    )[-2:],
    "timeouts": lambda lib, at: [
        lib.get(f"{at}/get", timeout=timeout).status_code for timeout in (5, (3.05, 27), None)
    ],
}


def _encoded(response: Any) -> Any:
    response.encoding = "ISO-8859-1"
    return [response.encoding, response.text]


@pytest.mark.parametrize("name", SNIPPETS)
def test_the_snippets_of_the_guide_give_the_same(name: str, httpbin_server: RealServer) -> None:
    snippet = SNIPPETS[name]
    assert_same(*both(lambda lib: snippet(lib, httpbin_server.url)))


def test_an_upload_of_a_file_is_the_same(tmp_path: Path, httpbin_server: RealServer) -> None:
    path = tmp_path / "massive-body"
    path.write_bytes(bytes(range(256)) * 300)

    def upload(lib: Any) -> Any:
        with path.open("rb") as file:
            streamed = lib.post(httpbin_server.url + "/post", data=file).json()
        with path.open("rb") as one, path.open("rb") as two:
            files = [("images", ("foo.png", one, "image/png")), ("images", ("bar.png", two, "image/png"))]
            several = lib.post(httpbin_server.url + "/post", files=files).json()
        lengths = [each["headers"]["Content-Length"] for each in (streamed, several)]
        return [streamed["data"], several["files"], lengths]

    assert_same(*both(upload))


# --- certificates


def test_certificates_are_verified_in_the_same_way(
    ca_file: str, httpbin_tls_server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = httpbin_tls_server.url + "/get"

    def verified(lib: Any) -> Any:
        def act(session: Any) -> Any:
            session.verify = ca_file
            return session.get(url).status_code

        seen = [
            lib.get(url, verify=ca_file).status_code,
            lib.get(url, verify=False).status_code,
            in_session(lib, act),
        ]
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            with monkeypatch.context() as patch:
                patch.setenv(variable, ca_file)
                seen.append(lib.get(url).status_code)
        try:
            lib.get(url)
        except lib.exceptions.SSLError:
            return seen
        return None

    assert_same(*both(lambda lib: outcome(lib, lambda lib, at: verified(lib), Recorder()).result))


@pytest.mark.parametrize("form", ["one file", "a pair"])
def test_a_certificate_of_the_client_is_shown_in_the_same_way(
    form: str, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    pair = key_pair(ca, tmp_path, "client.example")
    whole = tmp_path / "whole.pem"
    whole.write_text(Path(pair.key).read_text() + Path(pair.certificate).read_text())
    cert: Any = str(whole) if form == "one file" else (pair.certificate, pair.key)
    context = server_context(ca, client_ca=ca)

    def shown(lib: Any) -> Any:
        with ScriptedServer(keep_alive(lambda request: respond(b"known")), tls=context) as server:

            def act(session: Any) -> Any:
                session.cert = cert
                return session.get(server.url(), verify=ca_file).text

            return [lib.get(server.url(), cert=cert, verify=ca_file).text, in_session(lib, act)]

    assert_same(*both(shown))


# --- proxies

# How the proxy is told, by its URL: arguments of the call, settings of the session, and the environment.
PROXIED: dict[str, Callable[[Any, str, str, pytest.MonkeyPatch], Any]] = {
    "by the call": lambda lib, url, proxy, patch: lib.get(url, proxies={"http": proxy}),
    "by the call, for all": lambda lib, url, proxy, patch: lib.get(url, proxies={"all": proxy}),
    "by the call, for a host": lambda lib, url, proxy, patch: lib.get(
        url, proxies={"http://a.example": proxy}
    ),
    "by the call, for another host": lambda lib, url, proxy, patch: lib.get(
        url, proxies={"http://b.example": "http://127.0.0.1:1", "http": proxy}
    ),
    "by the session": lambda lib, url, proxy, patch: in_session(
        lib, lambda session: [session.proxies.update({"http": proxy}), session.get(url)]
    ),
    "by the environment": lambda lib, url, proxy, patch: _with_environment(lib, url, patch, http_proxy=proxy),
    "by the environment in capitals, but not http": lambda lib, url, proxy, patch: _with_environment(
        lib, url, patch, ALL_PROXY=proxy
    ),
    "by the environment, around another host": lambda lib, url, proxy, patch: _with_environment(
        lib, url, patch, http_proxy=proxy, no_proxy="b.example"
    ),
    "without a scheme": lambda lib, url, proxy, patch: lib.get(
        url, proxies={"http": proxy.removeprefix("http://")}
    ),
    "with a password": lambda lib, url, proxy, patch: lib.get(
        url, proxies={"http": proxy.replace("//", "//user:p%40ss@")}
    ),
    "a post": lambda lib, url, proxy, patch: lib.post(url, data={"a": "1"}, proxies={"http": proxy}),
    "userinfo of the URL": lambda lib, url, proxy, patch: lib.get(
        url.replace("//", "//user:pass@"), proxies={"http": proxy}
    ),
}


def _with_environment(lib: Any, url: str, patch: pytest.MonkeyPatch, **variables: str) -> Any:
    with patch.context() as inner:
        for name, value in variables.items():
            inner.setenv(name, value)
        return lib.get(url)


@pytest.mark.parametrize("name", PROXIED)
def test_a_request_through_a_proxy_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy answers by itself: what it is asked is the absolute form (RFC 9112, section 3.2.2)."""
    with Recorder(plain) as proxy:

        def act(lib: Any, at: Any) -> Any:
            return PROXIED[name](lib, "http://a.example/path?q=1", proxy.url("").rstrip("/"), monkeypatch)

        theirs, ours = outcome(THEIRS, act, proxy), outcome(OURS, act, proxy)
    assert len(ours.wire) == 1
    assert_same(theirs.wire, ours.wire)
    assert_same(theirs.result, ours.result)


def test_a_tunnel_is_asked_for_the_same_host(ca_file: str, tls_context: ssl.SSLContext) -> None:
    def through(lib: Any) -> Any:
        with ScriptedServer(keep_alive(lambda request: respond(b"there")), tls=tls_context) as origin:
            with ProxyServer(
                {"example.com:443": origin.address}, authorization="Basic dXNlcjpwYXNz"
            ) as proxy:
                proxies = {"https": proxy.url("").replace("//", "//user:pass@")}
                text = lib.get("https://example.com/path", proxies=proxies, verify=ca_file).text
            return [text, proxy.targets(), [request.target for request in origin.requests]]

    assert_same(*both(through))


def test_a_tunnel_is_asked_for_in_the_same_words() -> None:
    """But for the version and Host, which http.client has in later versions of Python (RFC 9110, 9.3.6)."""

    def refuse(request: Request) -> bytes:
        return respond(status=403, headers=[("Connection", "close")])

    asked = []
    for library in (THEIRS, OURS):
        with Recorder(refuse) as proxy:
            through = {"https": proxy.url("").replace("//", "//user:pass@")}
            with pytest.raises(library.exceptions.ProxyError):
                library.get("https://example.com/path", proxies=through)
        start, *lines = proxy.received[0].split(b"\r\n")
        asked.append([start.replace(b"HTTP/1.0", b"HTTP/1.1"), sorted({*lines, b"Host: example.com:443"})])
        assert (library is THEIRS) or b"Host: example.com:443" in lines
    assert asked[0] == asked[1]


def test_what_the_environment_leads_around_a_proxy_goes_there_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    def around(lib: Any) -> Any:
        seen = []
        for rules in (
            "api.example.com",
            "example.com",
            ".example.com",
            "*",
            "a.example, api.example.com",
            "",
        ):
            with monkeypatch.context() as patch:
                patch.setenv("no_proxy", rules)
                try:
                    seen.append(lib.get("http://api.example.com/").status_code)
                except lib.exceptions.ProxyError:
                    seen.append(0)
        return seen

    with Recorder() as server:
        lead_to_loopback(monkeypatch, {80: server.port})
        assert_same(*both(around))
        assert len(server.received) == 10


# --- netrc


def test_the_netrc_file_is_read_in_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\ndefault login nobody password none\n")
    monkeypatch.setenv("NETRC", str(netrc))

    def act(lib: Any, at: Callable[[str], str]) -> Any:
        def quiet(session: Any) -> Any:
            session.trust_env = False
            return session.get(at("/")).status_code

        return [
            lib.get(at("/")).status_code,
            lib.get(at("/"), auth=("other", "pass")).status_code,
            in_session(lib, quiet),
        ]

    with Recorder() as server:
        theirs, ours = outcome(THEIRS, act, server), outcome(OURS, act, server)
    assert_same(theirs.wire, ours.wire)
    assert_same(theirs.result, ours.result)
