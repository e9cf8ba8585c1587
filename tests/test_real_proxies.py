"""Sessions behind proxies that others wrote: of http, of http within TLS, and of SOCKS5.

What a proxy of our own shows (tests/test_tunnels.py, tests/test_https_proxies.py, tests/test_socks.py) is
what we think that proxies do. Here are tinyproxy, Squid, stunnel, proxy.py, microsocks, Dante and pproxy.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import socket
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from pystickyhttp import Address, Response, Session
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.exceptions import (
    ConnectionLost,
    HandshakeLost,
    ProxyError,
    ProxySSLError,
    SSLError,
    TunnelError,
)
from tests.servers.certificates import server_context
from tests.servers.programs import CREDENTIALS, KNOWN_TO_PROXIES, Door, Microsocks, Proxies, Squid, Stunnel
from tests.servers.scripted import Request, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left

RIGHT = "{}:{}".format(*CREDENTIALS)
WRONG = "user:forged"
LARGE = bytes(range(256)) * 20_000  # 5 MB


def _loopback_of_ipv6() -> list[str]:
    """The address, on a machine that has it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return []
    return ["::1"]


IPV6 = _loopback_of_ipv6()


@dataclass(frozen=True)
class Way:
    """A program, how it is spoken to, and whether it asks for credentials."""

    program: str
    scheme: str
    guarded: bool = False

    def __str__(self) -> str:
        return f"{self.program}-{self.scheme}"

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def refusal(self) -> int:
        """The status with which it refuses wrong credentials."""
        return 401 if self.program in ("tinyproxy", "stunnel") else 407

    @property
    def tells_why(self) -> bool:
        """Whether it says why there is no tunnel. pproxy closes, at times after it said that there is."""
        return self.program != "pproxy"

    def door(self, proxies: Proxies) -> Door:
        return proxies.door(self.program, self.scheme.removesuffix("h"), guarded=self.guarded)

    def through(self, proxies: Proxies, userinfo: str = "") -> dict[str, str | None]:
        return {"all": self.door(proxies).url(userinfo, scheme=self.scheme)}


OPEN = [
    Way("tinyproxy", "http"),
    Way("squid", "http"),
    Way("squid", "https"),
    Way("stunnel", "https"),
    Way("proxy.py", "https"),
    Way("microsocks", "socks5"),
    Way("microsocks", "socks5h"),
    Way("danted", "socks5"),
    Way("danted", "socks5h"),
]
GUARDED = [
    Way("tinyproxy", "http", guarded=True),
    Way("squid", "http", guarded=True),
    Way("proxy.py", "http", guarded=True),
    Way("squid", "https", guarded=True),
    Way("stunnel", "https", guarded=True),
    Way("microsocks", "socks5", guarded=True),
    Way("pproxy", "socks5", guarded=True),
    Way("pproxy", "socks5h", guarded=True),
]
FORWARDING = [way for way in OPEN if not way.is_socks]
HTTPS = [way for way in OPEN if way.scheme == "https"]
SOCKS = [way for way in OPEN if way.is_socks]


def each(ways: Sequence[Way]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", ways, ids=str)


@pytest.fixture(scope="module")
def proxies(ca: trustme.CA) -> Iterator[Proxies]:
    with Proxies(ca) as running:
        yield running


def answer(request: Request) -> bytes:
    """To a GET its path, or five megabytes; to a POST what came."""
    if request.method == "POST":
        return respond(f"{len(request.body)} {hashlib.sha256(request.body).hexdigest()}".encode())
    return respond(LARGE if request.target.endswith("/large") else request.target.encode())


def received(body: bytes) -> str:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def origin() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(answer)) as server:
        yield server


@pytest.fixture
def tls_origin(tls_context: ssl.SSLContext) -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(answer), tls=tls_context) as server:
        yield server


@pytest.fixture
def session(ca_file: str) -> Iterator[Session]:
    with Session(verify=ca_file) as made:
        yield made


def knows_no_name(host: str, port: int) -> list[Address]:
    raise AssertionError(f"{host}:{port} was resolved here")


def session_without_names(ca_file: str) -> Session:
    return Session(verify=ca_file, resolver=knows_no_name)


# -- it works, and sticks ---------------------------------------------------------------------------------


def converse(session: Session, server: ScriptedServer, through: dict[str, str | None]) -> None:
    # tinyproxy closes after each answer of http, and neither says so nor does it at once: a request that runs
    # into it is sent again if it says that it may be (P1).
    may_be_sent_again = {"Idempotency-Key": "1"}
    for number in range(2):
        assert session.get(server.url(f"/{number}"), proxies=through).text == f"/{number}"
        body = b"body" * (number + 1)
        posted = session.post(server.url("/post"), data=body, proxies=through, headers=may_be_sent_again)
        assert posted.text == received(body)
    assert [request.target for request in server.requests] == ["/0", "/post", "/1", "/post"]


@each(OPEN)
def test_requests_to_an_https_server_share_a_tunnel(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer, session: Session
) -> None:
    """R1, R3."""
    converse(session, tls_origin, way.through(proxies))
    assert tls_origin.accepted == 1
    assert {request.header("Proxy-Authorization") for request in tls_origin.requests} == {None}


@each(SOCKS)
def test_requests_to_an_http_server_share_a_tunnel_of_socks(
    way: Way, proxies: Proxies, origin: ScriptedServer, session: Session
) -> None:
    converse(session, origin, way.through(proxies))
    assert origin.accepted == 1


@each(FORWARDING)
def test_requests_to_an_http_server_are_forwarded(
    way: Way, proxies: Proxies, origin: ScriptedServer, session: Session
) -> None:
    """RFC 9112, section 3.2.2: in absolute form, which no server gets to see."""
    converse(session, origin, way.through(proxies))
    assert origin.requests[0].header("Via"), "RFC 9110, section 7.6.3: by which a proxy is known"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_squid_is_sent_all_requests_of_http_over_one_connection(
    scheme: str, proxies: Proxies, origin: ScriptedServer, session: Session
) -> None:
    """R3."""
    door = proxies.door("squid", scheme)
    door.program.reset()
    for number in range(3):
        assert session.get(origin.url(f"/{number}"), proxies={"http": door.url()}).ok
        assert session.post(origin.url("/"), proxies={"http": door.url()}, data=b"body").ok
    assert door.program.requests()[:2] == [f"GET {origin.url('/0')}", f"POST {origin.url('/')}"]
    assert len(door.program.requests()) == 6
    assert door.program.connections() == 1


@each(OPEN)
def test_threads_share_tunnels(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer, session: Session
) -> None:
    """L1, L4."""
    session.max_connections = 3
    through = way.through(proxies)

    def get(number: int) -> str:
        return session.get(tls_origin.url(f"/{number}"), proxies=through, timeout=30).text

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(get, range(30))) == [f"/{number}" for number in range(30)]
    assert tls_origin.accepted <= 3


@each(OPEN)
def test_five_megabytes_stream_through_both_ways(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer, session: Session
) -> None:
    through = way.through(proxies)
    with session.get(tls_origin.url("/large"), proxies=through, stream=True) as response:
        assert b"".join(response.iter_content(10_000)) == LARGE
    posted = session.post(tls_origin.url("/"), data=io.BytesIO(LARGE), proxies=through)
    assert posted.text == received(LARGE)
    assert tls_origin.accepted == 1


@each([way for way in FORWARDING if way.program == "squid"])
def test_five_megabytes_of_http_stream_through_squid_both_ways(
    way: Way, proxies: Proxies, origin: ScriptedServer, session: Session
) -> None:
    through = way.through(proxies)
    with session.get(origin.url("/large"), proxies=through, stream=True) as response:
        assert b"".join(response.iter_content(10_000)) == LARGE
    assert session.post(origin.url("/"), data=io.BytesIO(LARGE), proxies=through).text == received(LARGE)


@each(OPEN)
def test_a_session_that_is_closed_leaves_no_socket(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer, ca_file: str
) -> None:
    """L3."""
    through = way.through(proxies)
    with no_socket_left(), Session(verify=ca_file) as session:
        assert session.get(tls_origin.url("/"), proxies=through).ok
        # One that is given up in the middle.
        session.get(tls_origin.url("/large"), proxies=through, stream=True).close()


# proxy.py looks for "[::1]", brackets included, as a name.
@each([way for way in OPEN if way.program != "proxy.py"])
@pytest.mark.parametrize("host", ["127.0.0.1", *IPV6])
def test_a_server_may_be_an_address_of_either_family(
    way: Way, host: str, proxies: Proxies, tls_context: ssl.SSLContext, session: Session
) -> None:
    """RFC 3986, section 3.2.2; RFC 1928, section 5: an IPv6 address is told in brackets, or as 16 bytes."""
    with ScriptedServer(keep_alive(answer), tls=tls_context, host=host) as server:
        assert session.get(server.url("/"), proxies=way.through(proxies)).text == "/"


# -- credentials ------------------------------------------------------------------------------------------


@each(GUARDED)
def test_a_proxy_that_asks_for_credentials_gets_those_of_its_url(
    way: Way, proxies: Proxies, origin: ScriptedServer, tls_origin: ScriptedServer, session: Session
) -> None:
    """Proxy law."""
    through = way.through(proxies, RIGHT)
    converse(session, origin, through)
    converse(session, tls_origin, through)
    # Of what is forwarded it is the proxy's to take away, and proxy.py does so once in a connection.
    told = tls_origin.requests + (origin.requests if way.is_socks else [])
    assert {request.header("Proxy-Authorization") for request in told} == {None}
    assert tls_origin.accepted == 1


@each(GUARDED)
@pytest.mark.parametrize("userinfo", ["", WRONG], ids=["none", "wrong"])
def test_a_tunnel_that_is_refused_for_its_credentials_is_an_error(
    way: Way, userinfo: str, proxies: Proxies, tls_origin: ScriptedServer, session: Session
) -> None:
    through = way.through(proxies, userinfo)
    with no_socket_left():
        with pytest.raises(TunnelError) as caught:
            session.get(tls_origin.url("/"), proxies=through)
    assert caught.value.leg == "tunnel"
    assert f"127.0.0.1:{way.door(proxies).port}" in str(caught.value)
    assert "forged" not in str(caught.value)
    if way.is_socks:
        assert caught.value.wants_credentials is way.tells_why
    else:
        assert isinstance(caught.value.response, Response)
        assert caught.value.response.status_code == (way.refusal if userinfo else 407)
    assert tls_origin.accepted == 0


@each([way for way in GUARDED if not way.is_socks])
@pytest.mark.parametrize("userinfo", ["", WRONG], ids=["none", "wrong"])
def test_a_request_of_http_that_is_refused_for_its_credentials_is_a_response(
    way: Way, userinfo: str, proxies: Proxies, origin: ScriptedServer, session: Session
) -> None:
    response = session.get(origin.url("/"), proxies=way.through(proxies, userinfo))
    assert response.status_code == (way.refusal if userinfo else 407)
    assert origin.accepted == 0


@each([way for way in GUARDED if way.is_socks])
@pytest.mark.parametrize("userinfo", ["", WRONG], ids=["none", "wrong"])
def test_a_tunnel_of_socks_to_an_http_server_is_refused_for_its_credentials(
    way: Way, userinfo: str, proxies: Proxies, origin: ScriptedServer, session: Session
) -> None:
    with pytest.raises(TunnelError) as caught:
        session.get(origin.url("/"), proxies=way.through(proxies, userinfo))
    assert caught.value.wants_credentials is way.tells_why
    assert origin.accepted == 0


def test_credentials_are_percent_decoded(
    proxies: Proxies, tls_origin: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    userinfo = ":".join(quote(part, safe="") for part in Squid.ODD)
    for scheme in ("http", "https"):
        door = proxies.door("squid", scheme, guarded=True)
        assert session.get(tls_origin.url("/"), proxies={"https": door.url(userinfo)}).ok
    with Microsocks(tmp_path / "microsocks", Squid.ODD) as program:
        url = program.doors["socks5"].url(userinfo)
        assert session.get(tls_origin.url("/"), proxies={"https": url}).ok


# -- names ------------------------------------------------------------------------------------------------


@each(
    [
        Way("squid", "http", guarded=True),
        Way("squid", "https", guarded=True),
        Way("pproxy", "socks5h", guarded=True),
    ]
)
def test_a_name_that_the_proxy_alone_knows_is_resolved_there(
    way: Way, proxies: Proxies, origin: ScriptedServer, tls_origin: ScriptedServer, ca_file: str
) -> None:
    with session_without_names(ca_file) as session:
        for server in (origin, tls_origin):
            url = server.url("/there", host=KNOWN_TO_PROXIES)
            assert session.get(url, proxies=way.through(proxies, RIGHT)).text == "/there"


@each([Way("microsocks", "socks5"), Way("danted", "socks5")])
def test_socks5_resolves_the_name_here(way: Way, proxies: Proxies, tls_origin: ScriptedServer) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[Address]:
        asked.append(host)
        return [Address(socket.AF_INET, ("127.0.0.1", port))]

    with Session(resolver=resolve) as session:
        session.verify = False
        url = tls_origin.url("/here", host="known-here-alone.invalid")
        assert session.get(url, proxies=way.through(proxies)).text == "/here"
    assert asked == ["known-here-alone.invalid"]
    assert tls_origin.requests[0].header("Host") == f"known-here-alone.invalid:{tls_origin.port}"


@each([Way("microsocks", "socks5"), Way("danted", "socks5")])
def test_socks5_is_asked_for_the_next_address_where_the_first_one_refuses(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer
) -> None:
    def resolve(host: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, (address, port)) for address in ("127.0.0.9", "127.0.0.1")]

    with Session(resolver=resolve) as session:
        session.verify = False
        url = tls_origin.url("/", host="two-addresses.invalid")
        assert session.get(url, proxies=way.through(proxies)).text == "/"


@pytest.mark.parametrize(
    ("variable", "way"),
    [
        ("HTTPS_PROXY", Way("squid", "https", guarded=True)),
        ("https_proxy", Way("squid", "http", guarded=True)),
        ("ALL_PROXY", Way("pproxy", "socks5h", guarded=True)),
    ],
    ids=str,
)
def test_the_environment_may_name_the_proxy(
    variable: str,
    way: Way,
    proxies: Proxies,
    tls_origin: ScriptedServer,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, way.door(proxies).url(RIGHT, scheme=way.scheme))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    with Session(resolver=knows_no_name) as session:
        for number in range(3):
            url = tls_origin.url(f"/{number}", host=KNOWN_TO_PROXIES)
            assert session.get(url).text == f"/{number}"
    assert tls_origin.accepted == 1


@pytest.mark.parametrize("rule", [KNOWN_TO_PROXIES, "*", ".com"])
def test_no_proxy_goes_around_it(
    rule: str, tls_origin: ScriptedServer, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, ("127.0.0.1", port))]

    with closed_port() as port, Session(verify=ca_file, resolver=resolve) as session:
        monkeypatch.setenv("HTTPS_PROXY", f"https://{RIGHT}@127.0.0.1:{port}")
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{RIGHT}@127.0.0.1:{port}")
        url = tls_origin.url("/around", host=KNOWN_TO_PROXIES)
        with pytest.raises(ProxyError):
            session.get(url)
        monkeypatch.setenv("NO_PROXY", rule)
        assert session.get(url).text == "/around"


# -- what fails -------------------------------------------------------------------------------------------


@each(
    [
        Way("tinyproxy", "http"),
        Way("stunnel", "https"),
        Way("microsocks", "socks5h"),
        Way("danted", "socks5"),
    ]
)
def test_a_proxy_that_dies_and_comes_back_is_never_noticed(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer, session: Session
) -> None:
    """R4: a connection that went with it is not used again. While it is away, nothing goes around it."""
    through = way.through(proxies)
    door = way.door(proxies)
    assert session.get(tls_origin.url("/before"), proxies=through).ok
    with door.program.down():
        pass
    assert session.get(tls_origin.url("/between"), proxies=through).ok
    with door.program.down():
        with pytest.raises(ProxyError, match=f"{way.scheme}://127.0.0.1:{door.port}") as caught:
            session.get(tls_origin.url("/away"), proxies=through)
        assert caught.value.leg == "proxy"
    assert session.get(tls_origin.url("/after"), proxies=through).ok
    assert [request.target for request in tls_origin.requests] == ["/before", "/between", "/after"]


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("target", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(scheme: str, target: str, session: Session) -> None:
    with closed_port() as port, no_socket_left():
        with pytest.raises(ProxyError, match=f"{scheme}://127.0.0.1:{port}") as caught:
            session.get(f"{target}://127.0.0.1/", proxies={"all": f"{scheme}://{RIGHT}@127.0.0.1:{port}"})
    assert caught.value.leg == "proxy"
    assert "secret" not in str(caught.value)


@each([*OPEN, Way("proxy.py", "http", guarded=True)])
def test_a_server_that_the_proxy_does_not_reach_is_a_tunnel_error(
    way: Way, proxies: Proxies, session: Session
) -> None:
    through = way.through(proxies, RIGHT if way.guarded else "")
    with closed_port() as port, no_socket_left():
        with pytest.raises(TunnelError, match=f"127.0.0.1:{port}") as caught:
            session.get(f"https://127.0.0.1:{port}/", proxies=through)
    assert caught.value.leg == "tunnel"
    assert "secret" not in str(caught.value)
    if not way.is_socks:
        assert caught.value.response is not None
        assert caught.value.response.status_code >= 500
        assert caught.value.response.text, "the proxy's page tells why"


@each([way for way in GUARDED if not way.tells_why])
def test_a_tunnel_that_leads_nowhere_is_an_error_too(way: Way, proxies: Proxies, session: Session) -> None:
    with closed_port() as port, no_socket_left():
        for scheme, error in (("https", HandshakeLost), ("http", ConnectionLost)):
            with pytest.raises(error, match=f"proxy {way.scheme}://"):
                session.get(f"{scheme}://127.0.0.1:{port}/", proxies=way.through(proxies, RIGHT))


@each(SOCKS)
def test_a_refusal_by_the_server_is_told_by_socks(way: Way, proxies: Proxies, session: Session) -> None:
    """RFC 1928, section 6."""
    with closed_port() as port, pytest.raises(TunnelError, match="refused") as caught:
        session.get(f"http://127.0.0.1:{port}/", proxies=way.through(proxies))
    assert caught.value.reply == 5


@each(FORWARDING)
def test_a_request_of_http_that_the_proxy_can_not_forward_is_a_response(
    way: Way, proxies: Proxies, session: Session
) -> None:
    with closed_port() as port:
        assert session.get(f"http://127.0.0.1:{port}/", proxies=way.through(proxies)).status_code >= 500


# -- TLS with the proxy -----------------------------------------------------------------------------------


@each(HTTPS)
def test_an_https_proxy_that_is_not_trusted_is_told_nothing(
    way: Way,
    proxies: Proxies,
    origin: ScriptedServer,
    tls_origin: ScriptedServer,
    session: Session,
    tmp_path: Path,
) -> None:
    """S1."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    door = way.door(proxies)
    trusted: tuple[bool | str, ...] = (True, str(other))
    for server, verify in itertools.product((origin, tls_origin), trusted):
        with no_socket_left():
            with pytest.raises(ProxySSLError, match=f"127.0.0.1:{door.port}") as caught:
                session.get(server.url("/"), proxies=way.through(proxies, RIGHT), verify=verify)
        assert caught.value.leg == "proxy"
        assert "secret" not in str(caught.value)
    assert (origin.accepted, tls_origin.accepted) == (0, 0)


def test_squid_hears_no_request_of_a_client_that_does_not_trust_it(
    proxies: Proxies, origin: ScriptedServer, tls_origin: ScriptedServer
) -> None:
    door = proxies.door("squid", "https")
    door.program.reset()
    with Session() as session:
        for server in (origin, tls_origin):
            with pytest.raises(ProxySSLError):
                session.get(server.url("/"), proxies={"all": door.url()})
    assert set(door.program.requests()) <= {"- error:transaction-end-before-headers"}


@each(HTTPS)
def test_verify_false_counts_for_the_proxy_too(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer
) -> None:
    with Session(verify=False) as session:
        assert session.get(tls_origin.url("/"), proxies=way.through(proxies)).ok


@each(HTTPS)
def test_a_context_for_proxies_counts_for_no_server(
    way: Way, proxies: Proxies, ca_file: str, tls_context: ssl.SSLContext
) -> None:
    context = ssl.create_default_context(cafile=ca_file)
    through = way.through(proxies)
    with ScriptedServer(keep_alive(answer), tls=tls_context, handshake_may_fail=True) as server:
        with Session() as session:
            session.mount("https://", HTTPAdapter(proxy_ssl_context=context))
            assert session.get(server.url("/"), proxies=through, verify=ca_file).ok
            with pytest.raises(SSLError) as caught:
                session.get(server.url("/"), proxies=through)
            assert not isinstance(caught.value, ProxyError)


@pytest.mark.parametrize("outer", Stunnel.VERSIONS)
@pytest.mark.parametrize("inner", ["TLSv1.2", "TLSv1.3"])
def test_both_versions_of_tls_go_within_both(
    outer: str, inner: str, proxies: Proxies, ca: trustme.CA, session: Session
) -> None:
    context = server_context(ca)
    version = ssl.TLSVersion.TLSv1_2 if inner == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = version
    through = {"https": proxies.door("stunnel", outer).url()}
    with ScriptedServer(keep_alive(answer), tls=context) as server:
        response = session.get(server.url("/"), proxies=through)
        assert response.tls is not None
        assert response.tls.version == inner
        assert session.get(server.url("/large"), proxies=through).content == LARGE
        assert session.post(server.url("/"), data=LARGE, proxies=through).text == received(LARGE)
        assert server.accepted == 1


@each(OPEN)
def test_what_is_told_of_tls_is_about_the_server(
    way: Way, proxies: Proxies, tls_origin: ScriptedServer, session: Session
) -> None:
    through = way.through(proxies)
    direct = session.get(tls_origin.url("/"), proxies={}).tls
    tunnelled = session.get(tls_origin.url("/"), proxies=through).tls
    assert direct is not None
    assert tunnelled is not None
    assert tunnelled.certificate == direct.certificate
    assert tunnelled.certificate_der == direct.certificate_der
    # Its file has the one certificate alone: that of the authority is left to the client.
    of_proxy = ssl.PEM_cert_to_DER_cert(Path(proxies.pair.certificate).read_text())
    assert tunnelled.certificate_der != of_proxy


@each(FORWARDING)
def test_a_response_of_http_has_no_tls_of_a_proxy(
    way: Way, proxies: Proxies, origin: ScriptedServer, session: Session
) -> None:
    assert session.get(origin.url("/"), proxies=way.through(proxies)).tls is None


@each(HTTPS)
def test_servers_behind_one_https_proxy_are_not_mixed_up(
    way: Way, proxies: Proxies, ca: trustme.CA, session: Session
) -> None:
    """R1: a tunnel belongs to its far end."""
    through = way.through(proxies)
    with ScriptedServer(keep_alive(lambda request: respond(b"first")), tls=server_context(ca)) as first:
        with ScriptedServer(keep_alive(lambda request: respond(b"second")), tls=server_context(ca)) as second:
            for _ in range(3):
                assert session.get(first.url("/"), proxies=through).text == "first"
                assert session.get(second.url("/"), proxies=through).text == "second"
            assert (first.accepted, second.accepted) == (1, 1)
