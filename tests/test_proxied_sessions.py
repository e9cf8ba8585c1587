"""A session behind a proxy: which one it asks, and which secrets go where."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from pystickyhttp import Address, Session
from pystickyhttp.auth import HTTPProxyAuth
from pystickyhttp.exceptions import ConnectTimeout, InvalidProxyURL, InvalidSchema, ProxyError, TunnelError
from tests.servers.proxies import ProxyServer, basic
from tests.servers.scripted import Peer, Request, ScriptedServer, closed_port, keep_alive, respond

SECRET = basic("user", "secret")
says_ok = keep_alive(lambda request: respond(b"ok"))


@pytest.fixture
def origin() -> Iterator[ScriptedServer]:
    with ScriptedServer(says_ok) as server:
        yield server


@pytest.fixture
def tls_origin(tls_context: ssl.SSLContext) -> Iterator[ScriptedServer]:
    with ScriptedServer(says_ok, tls=tls_context) as server:
        yield server


@pytest.fixture
def proxy(origin: ScriptedServer, tls_origin: ScriptedServer) -> Iterator[ProxyServer]:
    """Leads the public names, which nobody else could reach here, to the two origins."""
    origins = {
        "example.com:80": (origin.host, origin.port),
        "example.com:443": (tls_origin.host, tls_origin.port),
    }
    with ProxyServer(origins) as server:
        yield server


@pytest.fixture
def session(ca_file: str) -> Iterator[Session]:
    with Session(verify=ca_file) as made:
        yield made


def secrets_of(request: Request) -> tuple[str | None, str | None]:
    return request.header("Proxy-Authorization"), request.header("Authorization")


def with_secret(proxy: ProxyServer) -> str:
    return f"http://user:secret@{proxy.host}:{proxy.port}"


def test_http_goes_in_absolute_form_and_https_through_a_tunnel(proxy: ProxyServer, session: Session) -> None:
    """RFC 9112, section 3.2.2; RFC 9110, section 9.3.6."""
    session.proxies = {"http": proxy.url(), "https": proxy.url()}
    for _ in range(2):
        assert session.get("http://user:pw@example.com/a?b#c").text == "ok"
        assert session.get("https://example.com/a").text == "ok"
    assert proxy.targets() == [
        "GET http://example.com/a?b",
        "CONNECT example.com:443",
        "GET http://example.com/a?b",
    ]


def test_the_credentials_of_a_proxy_go_to_it_alone(
    proxy: ProxyServer, origin: ScriptedServer, tls_origin: ScriptedServer, session: Session
) -> None:
    """Proxy law."""
    session.proxies = {"all": with_secret(proxy)}
    session.get("http://example.com/", auth=("me", "mine"))
    session.get("https://example.com/", auth=("me", "mine"))
    to_proxy = [secrets_of(request) for request in proxy.requests]
    assert to_proxy == [(SECRET, basic("me", "mine")), (SECRET, None)]
    assert [secrets_of(request) for request in tls_origin.requests] == [(None, basic("me", "mine"))]
    session.get(origin.url(), proxies={})
    assert origin.requests[-1].header("Proxy-Authorization") is None


@pytest.mark.parametrize("way", ["auth", "header"])
def test_proxy_authorization_by_hand_is_for_the_proxy_and_never_for_an_origin(
    way: str, proxy: ProxyServer, origin: ScriptedServer, tls_origin: ScriptedServer, session: Session
) -> None:
    """Proxy law: requests sends it to the origin of https."""
    given: dict[str, Any] = (
        {"auth": HTTPProxyAuth("user", "secret")}
        if way == "auth"
        else {"headers": {"Proxy-Authorization": SECRET}}
    )
    proxies = {"all": proxy.url()}
    session.get("http://example.com/", proxies=proxies, **given)
    session.get("https://example.com/", proxies=proxies, **given)
    session.get(origin.url("/direct"), **given)
    assert [secrets_of(request)[0] for request in proxy.requests] == [SECRET, SECRET]
    assert [secrets_of(request)[0] for request in tls_origin.requests] == [None]
    assert [secrets_of(request)[0] for request in origin.requests if request.target == "/direct"] == [None]


def test_the_environment_is_asked_at_each_request(
    proxy: ProxyServer, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, (origin.host, origin.port))]

    with Session(resolver=resolve) as session:
        monkeypatch.setenv("http_proxy", proxy.url())
        session.get("http://example.com/env")
        session.get(origin.url("/loopback"))
        monkeypatch.setenv("no_proxy", "example.com")
        session.get("http://example.com/past")
        monkeypatch.delenv("no_proxy")
        session.trust_env = False
        session.get("http://example.com/untrusted")
    assert proxy.targets() == ["GET http://example.com/env"]
    assert [request.target for request in origin.requests] == ["/env", "/loopback", "/past", "/untrusted"]


def test_no_proxy_is_asked_anew_on_each_hop(
    origin: ScriptedServer, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = respond(b"", status=302, headers=[("Location", origin.url("/direct"))])
    with ScriptedServer(keep_alive(lambda request: moved)) as first:
        with ProxyServer({"example.com:80": (first.host, first.port)}) as other:
            monkeypatch.setenv("http_proxy", with_secret(other))
            response = session.get("http://example.com/")
            assert other.targets() == ["GET http://example.com/"], "the loopback is not asked of a proxy"
    assert response.url == origin.url("/direct")
    assert secrets_of(origin.requests[-1]) == (None, None)


def test_a_redirect_takes_the_proxy_of_its_scheme_and_no_other_ones_secret(
    proxy: ProxyServer, session: Session
) -> None:
    moved = respond(b"", status=302, headers=[("Location", "https://example.com/end")])
    with ScriptedServer(keep_alive(lambda request: moved)) as first:
        with ProxyServer({"example.com:80": (first.host, first.port)}) as other:
            session.proxies = {"http": with_secret(other), "https": proxy.url()}
            assert session.get("http://example.com/").text == "ok"
            assert secrets_of(other.requests[0])[0] == SECRET
    assert proxy.targets() == ["CONNECT example.com:443"]
    assert secrets_of(proxy.requests[0])[0] is None


def test_other_credentials_are_another_connection(proxy: ProxyServer, session: Session) -> None:
    """R1."""
    for user in ("one", "two", "one"):
        session.get("http://example.com/", proxies={"http": f"http://{user}:x@{proxy.host}:{proxy.port}"})
    assert proxy.accepted == 2


def test_a_proxy_that_wants_credentials_is_an_error_that_says_so(
    origin: ScriptedServer, session: Session
) -> None:
    with ProxyServer({"example.com:443": (origin.host, origin.port)}, authorization=SECRET) as proxy:
        with pytest.raises(TunnelError, match="407") as caught:
            session.get("https://example.com/", proxies={"https": proxy.url()})
        assert caught.value.status == 407
        assert "user:password@" in str(caught.value)
        assert session.get("http://example.com/", proxies={"http": proxy.url()}).status_code == 407


def test_a_proxy_that_is_not_there_is_a_proxy_error(session: Session) -> None:
    with closed_port() as port:
        for url in ("http://example.com/", "https://example.com/"):
            with pytest.raises(ProxyError, match="proxy"):
                session.get(url, proxies={"all": f"http://127.0.0.1:{port}"})


@pytest.mark.parametrize(
    ("proxy", "error"),
    [
        ("http://", InvalidProxyURL),
        ("http://h:port", InvalidProxyURL),
        ("socks4://127.0.0.1:1080", InvalidSchema),
        ("quic://127.0.0.1:3128", InvalidSchema),
    ],
)
def test_a_proxy_of_no_use_is_an_error_and_nothing_goes_around_it(
    proxy: str, error: type[Exception], origin: ScriptedServer, session: Session
) -> None:
    with pytest.raises(error):
        session.get(origin.url(), proxies={"http": proxy})
    assert origin.accepted == 0


def test_proxies_may_be_set_for_a_host(proxy: ProxyServer, origin: ScriptedServer, session: Session) -> None:
    session.proxies = {"http://example.com": proxy.url(), "http": None}
    session.get("http://example.com/")
    session.get(origin.url())
    assert proxy.targets() == ["GET http://example.com/"]


@pytest.mark.parametrize("way", ["call", "session"])
def test_nothing_goes_past_the_proxy_of_a_misspelt_key(
    way: str, origin: ScriptedServer, session: Session
) -> None:
    """In a mapping that is the caller's to change, only the request can find it."""
    session.proxies.update({"htpp": "http://127.0.0.1:1"} if way == "session" else {})
    proxies = {"htpp": "http://127.0.0.1:1"} if way == "call" else None
    with pytest.raises(InvalidProxyURL, match="'htpp'") as caught:
        session.get(origin.url(), proxies=proxies)
    assert caught.value.request is not None
    assert origin.accepted == 0


# --- which variable names a proxy

OF_NO_USE = {
    "no URL": ("http://user:s3cret@h:port", InvalidProxyURL),
    "of a kind that is not spoken": ("socks4://127.0.0.1:1080", InvalidSchema),
    "a user with a colon": ("http://us%3Aer:s3cret@127.0.0.1:1", InvalidProxyURL),
    "not there": ("http://user:s3cret@127.0.0.1:{closed}", ProxyError),
    "SOCKS, and not there": ("socks5h://user:s3cret@127.0.0.1:{closed}", ProxyError),
    "wants credentials": ("http://user:s3cret@{wants_others}", TunnelError),
    "silent": ("http://user:s3cret@{silent}", ConnectTimeout),
}
VARIABLES = [
    ({"HTTPS_PROXY": "{}"}, "HTTPS_PROXY"),
    ({"https_proxy": "{}", "HTTPS_PROXY": "http://other.test"}, "https_proxy"),
    ({"ALL_PROXY": " {} ", "HTTP_PROXY": "{}"}, "ALL_PROXY"),
]


@pytest.fixture
def places(origin: ScriptedServer) -> Iterator[dict[str, str]]:
    """Where proxies of no use are."""
    wants_others = ProxyServer({"example.com:443": (origin.host, origin.port)}, authorization=basic("a", "b"))
    silent = ScriptedServer(Peer.stall)
    with closed_port() as port, wants_others as first, silent as second:
        yield {
            "closed": str(port),
            "wants_others": f"{first.host}:{first.port}",
            "silent": f"{second.host}:{second.port}",
        }


@pytest.mark.parametrize(("proxy", "kind"), OF_NO_USE.values(), ids=OF_NO_USE)
@pytest.mark.parametrize(("variables", "named"), VARIABLES, ids=[name for _, name in VARIABLES])
def test_an_error_about_a_proxy_of_the_environment_names_the_variable(
    proxy: str,
    kind: type[Exception],
    variables: dict[str, str],
    named: str,
    places: dict[str, str],
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one about a CA file does: who runs a program may never have heard of it."""
    proxy = proxy.format(**places)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value.format(proxy))
    with pytest.raises(kind) as caught:
        session.get("https://example.com/", timeout=(0.1 if kind is ConnectTimeout else 10, 10))
    said = re.findall(r"(\w+) of the environment names this proxy \(after", str(caught.value))
    assert said == [named]
    assert "s3cret" not in str(caught.value)


def test_an_error_about_another_proxy_than_that_of_the_environment_names_no_variable(
    places: dict[str, str], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://other.test:3128")
    session.proxies = {"https": f"http://127.0.0.1:{places['closed']}"}
    with pytest.raises(ProxyError) as caught:
        session.get("https://example.com/")
    assert "environment" not in str(caught.value)
