"""Http proxies: what goes to them and what through them, whom a tunnel serves, and what fails on the way."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import pickle
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pystickyhttp.exceptions import (
    ConnectTimeout,
    InvalidHeader,
    InvalidProxyURL,
    InvalidSchema,
    ProxyError,
    SSLError,
    TotalTimeout,
    TunnelError,
)
from pystickyhttp.proxies import basic_fields, proxy_of
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import (
    Address,
    ConnectionPool,
    Dialer,
    IncomingResponse,
    Limits,
    OutgoingRequest,
    Route,
    TLSIdentity,
)
from pystickyhttp.transport.connection import MAX_HEAD, MAX_INFORMATIONAL
from pystickyhttp.transport.dial import Budget, _step
from pystickyhttp.transport.route import Proxy
from pystickyhttp.transport.tunnels import connect_request, connect_tunnel
from tests.interrupts import ctrl_c_once
from tests.patience import growing
from tests.servers.certificates import server_context
from tests.servers.programs import ProxyPy
from tests.servers.proxies import ProxyServer, basic
from tests.servers.scripted import (
    BlackHole,
    ClientGone,
    Peer,
    Script,
    ScriptedServer,
    closed_port,
    keep_alive,
    respond,
    silence,
)
from tests.servers.sockets import no_socket_left
from tests.servers.wire import Request

# Long enough that it would fail the test by its own timeout, were it waited for.
NEVER = 1000.0
SHORT = 0.1
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
FAR = "example.com"  # the tests' certificates are for it, and nothing here resolves it


def to(server: ScriptedServer | ProxyPy, authorization: bytes | None = None) -> Proxy:
    return Proxy("http", server.host, server.port, authorization)


def far_end(scheme: str, proxy: Proxy, *, ca: str | None = None, host: str = FAR) -> Route:
    if scheme == "http":
        return Route("http", host, 80, proxy=proxy)
    return Route("https", host, 443, TLSIdentity(ca=ca), proxy=proxy)


def ask(pool: ConnectionPool, route: Route, timeout: Timeout | None = None) -> IncomingResponse:
    """A GET as the adapter would send it over such a Route."""
    fields = [(b"Host", route.host.encode())]
    target = "/"
    if route.scheme == "http" and route.proxy is not None:
        target = f"http://{route.host}/"
        if route.proxy.authorization is not None:
            fields.append((b"Proxy-Authorization", route.proxy.authorization))
    request = OutgoingRequest.make("GET", target, fields)
    return pool.send(route, request, (timeout or Timeout()).start())


def dial(route: Route, timeout: Timeout | None = None) -> socket.socket:
    sock = Dialer().dial(route, (timeout or Timeout()).start())
    assert isinstance(sock, socket.socket), "there is no TLS within TLS here"
    return sock


def ok(_: Request) -> bytes:
    return respond(b"ok")


@pytest.fixture
def pool() -> Iterator[ConnectionPool]:
    pool = ConnectionPool()
    yield pool
    pool.close()


# --- what goes where


def test_http_goes_to_the_proxy_and_one_connection_to_it_serves_request_after_request(
    pool: ConnectionPool,
) -> None:
    """R1: the connection belongs to origin and proxy both."""
    with ScriptedServer(keep_alive(ok)) as origin, ProxyServer({f"{FAR}:80": origin.address}) as proxy:
        with no_socket_left():
            for _ in range(3):
                assert ask(pool, far_end("http", to(proxy))).read() == b"ok"
            pool.close()
        assert proxy.targets() == [f"GET http://{FAR}/"] * 3
        assert proxy.accepted == 1


def test_https_goes_through_a_tunnel_that_serves_request_after_request(
    pool: ConnectionPool, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """R1, S3: the certificate is the origin's, whoever stands in between."""
    with (
        ScriptedServer(keep_alive(ok), tls=tls_context) as origin,
        ProxyServer({f"{FAR}:443": origin.address}) as proxy,
    ):
        with no_socket_left():
            for _ in range(3):
                assert ask(pool, far_end("https", to(proxy), ca=ca_file)).read() == b"ok"
            pool.close()
        assert proxy.targets() == [f"CONNECT {FAR}:443"]
        assert origin.accepted == 1
        assert [request.target for request in origin.requests] == ["/"] * 3


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("a.example", b"a.example:8443"),
        ("192.0.2.1", b"192.0.2.1:8443"),
        ("2001:db8::1", b"[2001:db8::1]:8443"),
        ("fe80::1%eth0", b"[fe80::1]:8443"),
    ],
)
@pytest.mark.parametrize(
    ("authorization", "line"), [(None, b""), (b"Basic eDp5", b"Proxy-Authorization: Basic eDp5\r\n")]
)
def test_connect_says_whereto_and_by_whom_and_nothing_else(
    host: str, authority: bytes, authorization: bytes | None, line: bytes
) -> None:
    """RFC 9112, section 3.2.3: the authority form, without a zone, which means nothing to anybody else."""
    with ScriptedServer(keep_alive(lambda _: respond(status=403))) as proxy, no_socket_left():
        route = Route("https", host, 8443, TLSIdentity(), proxy=to(proxy, authorization))
        with pytest.raises(ProxyError):
            dial(route)
        expected = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (authority, authority, line)
        assert proxy.requests[0].raw == expected


@pytest.mark.parametrize("host", ["a.example\r\nX: y", "a.example\0", "a b", "\u00fc.example"])
def test_a_host_that_can_not_be_sent_is_refused_before_a_byte_is(host: str) -> None:
    """X7."""
    got: list[bytes] = []
    with ScriptedServer(lambda peer: got.append(peer.read_until_eof())) as proxy, no_socket_left():
        with pytest.raises(InvalidHeader):
            dial(Route("https", host, 443, TLSIdentity(), proxy=to(proxy)))
        proxy.wait_for_connections(1)
        proxy.wait_for_scripts()
    assert got == [b""]


def test_credentials_of_a_proxy_are_for_the_proxy_alone(
    pool: ConnectionPool, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """The law on proxies."""
    word = basic("user", "geheim")
    with (
        ScriptedServer(keep_alive(ok)) as plain,
        ScriptedServer(keep_alive(ok), tls=tls_context) as secure,
        ProxyServer({f"{FAR}:80": plain.address, f"{FAR}:443": secure.address}, authorization=word) as proxy,
    ):
        for scheme in ("http", "https"):
            route = far_end(scheme, to(proxy, word.encode()), ca=ca_file)
            assert ask(pool, route).read() == b"ok"
        pool.close()
        assert [request.header("Proxy-Authorization") for request in proxy.requests] == [word, word]
        for request in plain.requests + secure.requests:
            assert request.header("Proxy-Authorization") is None


def test_only_the_name_of_the_proxy_is_resolved_here(tls_context: ssl.SSLContext, ca_file: str) -> None:
    """The proxy resolves the origin's: it may stand where there is no other DNS."""
    asked: list[tuple[str, int]] = []
    with (
        ScriptedServer(keep_alive(ok), tls=tls_context) as origin,
        ProxyServer({f"{FAR}:443": origin.address}) as proxy,
    ):

        def resolver(host: str, port: int) -> list[Address]:
            asked.append((host, port))
            return [Address(socket.AF_INET, proxy.address)]

        pool = ConnectionPool(dialer=Dialer(resolver))
        through = Proxy("http", "proxy.example", 3128)
        assert ask(pool, far_end("https", through, ca=ca_file)).read() == b"ok"
        pool.close()
    assert asked == [("proxy.example", 3128)]


def test_a_proxy_is_reached_from_the_local_address_of_the_route() -> None:
    """R1."""
    with ScriptedServer(lambda peer: peer.stall()) as proxy:
        with dial(Route("http", FAR, 80, local_address=("127.0.0.9", 0), proxy=to(proxy))) as sock:
            assert sock.getsockname()[0] == "127.0.0.9"


# --- whom a connection serves


def test_two_proxies_or_two_credentials_never_share_a_connection(pool: ConnectionPool) -> None:
    """R1."""
    with (
        ScriptedServer(keep_alive(ok)) as origin,
        ProxyServer({f"{FAR}:80": origin.address}) as one,
        ProxyServer({f"{FAR}:80": origin.address}) as other,
    ):
        proxies = [to(one), to(one, b"Basic eDp5"), to(one, b"Basic eDp6"), to(other)]
        for proxy in proxies * 2:
            ask(pool, far_end("http", proxy)).read()
        pool.close()
        assert [request.connection for request in one.requests] == [0, 1, 2, 0, 1, 2]
        assert [request.connection for request in other.requests] == [0, 0]


def test_a_tunnel_is_not_shared_with_a_direct_connection_nor_with_another_tls_identity(
    pool: ConnectionPool, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """R1."""
    with ScriptedServer(keep_alive(ok), tls=tls_context) as origin, ProxyServer() as proxy:
        routes = [
            Route("https", origin.host, origin.port, TLSIdentity(ca=ca_file), proxy=to(proxy)),
            Route("https", origin.host, origin.port, TLSIdentity(verify=False), proxy=to(proxy)),
            Route("https", origin.host, origin.port, TLSIdentity(ca=ca_file)),
        ]
        for route in routes * 2:
            assert ask(pool, route).read() == b"ok"
        pool.close()
        assert [request.connection for request in origin.requests] == [0, 1, 2, 0, 1, 2]
        assert proxy.accepted == 2


def test_the_tunnel_that_was_given_back_last_is_used_first(
    pool: ConnectionPool, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """R2."""
    with (
        ScriptedServer(keep_alive(ok), tls=tls_context) as origin,
        ProxyServer({f"{FAR}:443": origin.address}) as proxy,
    ):
        route = far_end("https", to(proxy), ca=ca_file)
        first, second = ask(pool, route), ask(pool, route)
        second.read()
        first.read()
        ask(pool, route).read()
        pool.close()
        assert [request.connection for request in origin.requests] == [0, 1, 0]
        assert proxy.accepted == 2


def test_a_tunnel_that_was_closed_while_it_was_idle_is_replaced_unnoticed(
    pool: ConnectionPool, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """R4."""

    def answers_once(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))

    with (
        ScriptedServer(answers_once, tls=tls_context) as origin,
        ProxyServer({f"{FAR}:443": origin.address}) as proxy,
        no_socket_left(),
    ):
        for _ in range(3):
            assert ask(pool, far_end("https", to(proxy), ca=ca_file)).read() == b"ok"
            proxy.wait_for_open(0)
        pool.close()
        assert proxy.targets() == [f"CONNECT {FAR}:443"] * 3


def test_a_route_and_its_proxy_show_no_secret() -> None:
    proxy = Proxy("http", "2001:db8::1", 3128, b"Basic geheim")
    route = far_end("https", proxy)
    assert str(route) == "https://example.com:443 through proxy http://[2001:db8::1]:3128"
    assert "geheim" not in f"{proxy} {proxy!r} {route} {route!r} {route.to_proxy!r}"
    copy = pickle.loads(pickle.dumps(route))
    assert (copy, hash(copy)) == (route, hash(route))
    assert copy.proxy.authorization == b"Basic geheim"


@pytest.mark.parametrize("scheme", ["socks4", "socks", "ftp", "quic", ""])
def test_a_proxy_that_can_not_be_spoken_to_is_refused_and_never_passed_by(scheme: str) -> None:
    with pytest.raises(InvalidSchema, match=rf"'p\.example' .* by {scheme}://, .* give one of http://, "):
        Proxy(scheme, "p.example", 1080, b"Basic geheim")


@pytest.mark.parametrize("broken", ["p\r", "p\nx", "\0p", "p\x01", "p\x7f", " p", "p "])
def test_a_proxy_whose_host_or_credentials_can_not_be_sent_is_refused_and_they_are_not_shown(
    broken: str,
) -> None:
    """X7."""
    with pytest.raises(InvalidProxyURL, match=r"CR, LF or NUL.*strip\(\)"):
        Proxy("http", broken, 3128)
    with pytest.raises(InvalidProxyURL, match="CR, LF or NUL") as caught:
        Proxy("http", "p", 3128, broken.replace("p", "geheim").encode())
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "given"),
    [
        ("socks5", {"authorization": b"Basic geheim"}),
        ("socks5h", {"fields": ((b"X-Team", b"geheim"),)}),
        ("http", {"credentials": (b"user", b"geheim")}),
        ("http", {"tls": TLSIdentity()}),
    ],
)
def test_a_proxy_with_what_one_of_its_scheme_is_never_shown_is_refused(
    scheme: str, given: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="p:80 ") as caught:
        Proxy(scheme, "p", 80, **given)
    assert "geheim" not in str(caught.value)


def test_a_proxy_without_a_host_is_refused() -> None:
    """The resolver would take it for this very machine."""
    with pytest.raises(InvalidProxyURL, match="no host"):
        Proxy("http", "", 3128)


def test_a_unix_socket_through_a_proxy_is_refused() -> None:
    """One of both would have to be passed by in silence."""
    with pytest.raises(ValueError, match=r"a unix socket is not reached through a proxy.*/run/a"):
        Route("http", "a", 80, unix_socket="/run/a", proxy=Proxy("http", "p", 3128))


# --- the URL of a proxy


def read(text: str) -> Proxy:
    """The proxy of a URL, with the fields by which that URL introduces us."""
    return proxy_of(text, basic_fields(text))


def basic_of(user: str, password: str) -> bytes:
    return basic(user, password).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://p.example:3128", Proxy("http", "p.example", 3128)),
        ("http://p.example:3128/", Proxy("http", "p.example", 3128)),
        ("HTTP://P.Example:3128", Proxy("http", "p.example", 3128)),
        ("http://p.example", Proxy("http", "p.example", 80)),
        ("p.example:3128", Proxy("http", "p.example", 3128)),
        ("p.example", Proxy("http", "p.example", 80)),
        ("user:pw@p.example:3128", Proxy("http", "p.example", 3128, basic_of("user", "pw"))),
        ("http://user:pw@p.example", Proxy("http", "p.example", 80, basic_of("user", "pw"))),
        ("http://u%40ser:p%3Aw%2F@p.example", Proxy("http", "p.example", 80, basic_of("u@ser", "p:w/"))),
        (
            "http://us\u00e9r:p%C3%A9@p.example",
            Proxy("http", "p.example", 80, basic_of("us\u00e9r", "p\u00e9")),
        ),
        ("http://u:p%0D%0AX:%20y@p.example", Proxy("http", "p.example", 80, basic_of("u", "p\r\nX: y"))),
        ("http://token@p.example", Proxy("http", "p.example", 80, basic_of("token", ""))),
        ("http://[2001:DB8::1]:3128", Proxy("http", "2001:db8::1", 3128)),
        ("http://127.0.0.1:3128", Proxy("http", "127.0.0.1", 3128)),
        ("//p:3128", Proxy("http", "p", 3128)),
        ("http://@p", Proxy("http", "p", 80)),
        ("https://p", Proxy("https", "p", 443)),
        ("HTTPS://u:w@p:8443", Proxy("https", "p", 8443, basic_of("u", "w"))),
        ("socks5://p", Proxy("socks5", "p", 1080)),
        ("socks5h://p:9050", Proxy("socks5h", "p", 9050)),
        ("socks5://u%3Aser:p%C3%A9@p", Proxy("socks5", "p", 1080, credentials=(b"u:ser", b"p\xc3\xa9"))),
        ("socks5h://%FF:%00@p", Proxy("socks5h", "p", 1080, credentials=(b"\xff", b"\0"))),
    ],
)
def test_the_url_of_a_proxy_is_read(text: str, expected: Proxy) -> None:
    """RFC 7617, RFC 1929: the userinfo is percent-decoded, and its bytes are those of UTF-8."""
    assert read(text) == expected


def test_the_fields_of_a_proxy_are_shown_to_one_of_http_and_are_part_of_who_it_is() -> None:
    """R1, X7."""
    fields = {"X-Team": "a", "proxy-authorization": "Bearer abc"}
    proxy = proxy_of("http://user:pw@p.example", fields)
    assert proxy == Proxy("http", "p.example", 80, b"Bearer abc", fields=((b"X-Team", b"a"),))
    assert proxy.own_fields == ((b"X-Team", b"a"), (b"Proxy-Authorization", b"Bearer abc"))
    assert proxy != proxy_of("http://user:pw@p.example", {**fields, "X-Team": "b"})
    assert proxy_of("socks5://p.example", fields).own_fields == ()
    with pytest.raises(InvalidHeader):
        proxy_of("http://p.example", {"X-Team": "a\r\nX: y"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://", "no host"),
        ("http://user:geheim@", "no host"),
        ("http://user:geheim@:3128", "no host"),
        ("http://user:geheim@p.example:port", "port is a number"),
        ("http://user:geheim@p.example:65536", "port is a number"),
        ("http://user:geheim@p.exa mple:3128", "no host name may"),
        ("http://user:geheim@[::1:3128", "broken IPv6"),
        ("http://user:geheim@p.example\r\nX: y", "CR, LF or NUL"),
        ("http://user:geheim@p.example\0:3128", "CR, LF or NUL"),
        ("http://user:ge\nheim@p.example:3128", "CR, LF or NUL"),
        ("http:/p:3128", "no host"),
        ("http://user:1/geheim@p", "%2F"),
        ("http://user:1#geheim@p", "%23"),
        ("http://us%3Aer:geheim@p", "colon"),
        ("'http://user:geheim@p'", "quotes"),
        ('"user:geheim@p://"', "quotes"),
    ],
)
def test_the_url_of_a_proxy_that_is_of_no_use_is_an_error_that_says_why_and_shows_no_password(
    text: str, why: str
) -> None:
    """X7."""
    with pytest.raises(InvalidProxyURL, match=why) as caught:
        read(text)
    assert "heim" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "remedy"), [("socks4", "socks5://"), ("SOCKS", "socks5h://"), ("ftp", "http://")]
)
def test_the_url_of_a_proxy_of_another_kind_is_an_error_that_says_which_kind_can_be_spoken_to(
    scheme: str, remedy: str
) -> None:
    why = rf"'p\.example:1080' is to be spoken to by {scheme.lower()}://, .* {remedy}"
    with pytest.raises(InvalidSchema, match=why) as caught:
        read(f"{scheme}://user:geheim@p.example:1080")
    assert "geheim" not in str(caught.value)


# --- what fails, and on which leg


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


def test_a_proxy_that_refuses_the_connection_is_an_error_of_the_proxy(scheme: str) -> None:
    with closed_port() as port, no_socket_left():
        with pytest.raises(
            ProxyError,
            match=rf"^{scheme}://example\.com:\d+ through proxy http://127\.0\.0\.1:{port}: "
            rf"the proxy can't be reached: connecting to http://127\.0\.0\.1:{port} failed: .*refused",
        ):
            dial(far_end(scheme, Proxy("http", "127.0.0.1", port)))


def test_a_proxy_whose_name_has_no_address_is_an_error_of_the_proxy(scheme: str) -> None:
    dialer = Dialer(lambda host, port: [])
    with pytest.raises(ProxyError, match=r"the proxy can't be reached: 'p\.example' has no address"):
        dialer.dial(far_end(scheme, Proxy("http", "p.example", 3128)), Timeout().start())


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(Timeout(connect=SHORT), ConnectTimeout), (Timeout(connect=NEVER, total=SHORT), TotalTimeout)],
)
def test_a_proxy_that_does_not_answer_the_connect_ends_at_the_limit(
    timeout: Timeout, error: type[Exception], scheme: str
) -> None:
    """T1."""
    with BlackHole() as hole, no_socket_left():
        with pytest.raises(error, match=rf"through proxy http://127\.0\.0\.1:{hole.port}: .*no answer"):
            dial(far_end(scheme, Proxy("http", hole.host, hole.port)), timeout)


def dripping(peer: Peer) -> None:
    if peer.read_request() is None:  # the limit may strike ahead of it
        return
    peer.send(b"HTTP/1.1 200 OK\r\nX: ")
    while peer.try_send(b"y"):
        threading.Event().wait(0.01)


def by_connect(seconds: float) -> Timeout:
    return Timeout(connect=seconds)


def by_total(seconds: float) -> Timeout:
    return Timeout(connect=NEVER, total=seconds)


def by_connect_ahead_of_total(seconds: float) -> Timeout:
    return Timeout(connect=seconds, total=NEVER)


def by_connect_and_not_read(seconds: float) -> Timeout:
    return Timeout(connect=seconds, read=NEVER)


@pytest.mark.parametrize("script", [silence, dripping])
@pytest.mark.parametrize(
    ("by", "error"),
    [
        (by_connect, ConnectTimeout),
        (by_total, TotalTimeout),
        (by_connect_ahead_of_total, ConnectTimeout),
        (by_connect_and_not_read, ConnectTimeout),
    ],
)
def test_an_answer_to_connect_that_is_slow_ends_at_the_connect_timeout_or_the_deadline(
    script: Script, by: Callable[[float], Timeout], error: type[Exception]
) -> None:
    """T1: the limit is over the whole tunnel, and no byte puts it off."""
    name = "connect" if error is ConnectTimeout else "total"
    for limit in growing(SHORT):
        with ScriptedServer(script) as proxy, no_socket_left():
            with pytest.raises(error, match=f"{name} timeout of {limit:g} s") as caught:
                dial(far_end("https", to(proxy)), by(limit))
            if proxy.requests:
                assert f"asking for the tunnel to https://{FAR}:443 through " in str(caught.value)
                return


@pytest.mark.parametrize(
    ("slow", "doing"),
    [(("name", "tunnel"), "asking for the tunnel"), (("tunnel", "tls"), "the TLS handshake")],
)
def test_all_legs_draw_on_one_connect_timeout(
    slow: tuple[str, str], doing: str, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """T1: each of them is well within it, and two of them together are not."""

    def hesitate(over: str, leg: float) -> None:
        if over in slow:
            threading.Event().wait(leg)

    def ends_amid_the_second(leg: float) -> bool:
        """Whether it was not held up for as long as half a leg: then it ends ahead of the second one."""

        def resolver(host: str, port: int) -> list[Address]:
            hesitate("name", leg)
            return [Address(socket.AF_INET, proxy.address)]

        def script(peer: Peer) -> None:
            if peer.read_request() is None:
                return
            hesitate("tunnel", leg)
            with contextlib.suppress(ClientGone):
                peer.send(TUNNEL)
                hesitate("tls", leg)
                peer.start_tls(tls_context)

        with ScriptedServer(script) as proxy, no_socket_left():
            route = far_end("https", Proxy("http", "p.example", 3128), ca=ca_file)
            with pytest.raises(ConnectTimeout) as caught:
                Dialer(resolver).dial(route, Timeout(connect=1.5 * leg).start())
        return doing in str(caught.value)

    assert any(ends_amid_the_second(leg) for leg in growing(0.3))


def no_farther(begun: threading.Event) -> Script:
    """A proxy that lets a TLS handshake beyond the tunnel begin, and no more."""

    def script(peer: Peer) -> None:
        if peer.read_request() is None:
            return
        peer.try_send(TUNNEL)
        if peer.read_some():
            begun.set()
            peer.stall()

    return script


@pytest.mark.parametrize(("by", "error"), [(by_connect, ConnectTimeout), (by_total, TotalTimeout)])
def test_a_tls_handshake_beyond_the_tunnel_that_never_ends_is_within_the_limits_too(
    by: Callable[[float], Timeout], error: type[Exception]
) -> None:
    """T1."""
    for limit in growing(SHORT):
        begun = threading.Event()
        with ScriptedServer(no_farther(begun)) as proxy, no_socket_left():
            with pytest.raises(error) as caught:
                dial(far_end("https", to(proxy)), by(limit))
            proxy.wait_for_scripts()
        if begun.is_set():
            assert f"the TLS handshake with https://{FAR}:443 through proxy" in str(caught.value)
            return


def test_without_any_limit_a_tunnel_is_made_too(
    pool: ConnectionPool, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """T1: None is given, and means no limit."""
    with (
        ScriptedServer(keep_alive(ok), tls=tls_context) as origin,
        ProxyServer({f"{FAR}:443": origin.address}) as proxy,
    ):
        route = far_end("https", to(proxy), ca=ca_file)
        assert ask(pool, route, Timeout.of(None)).read() == b"ok"
        pool.close()


@pytest.mark.parametrize("status", [301, 400, 403, 404, 502, 503, 504])
def test_any_answer_to_connect_that_is_no_2xx_is_an_error_with_its_status_reason_and_fields(
    status: int,
) -> None:
    """RFC 9110, section 9.3.6."""
    answer = respond(b"Sorry", status=status, reason="Not So", headers={"X-Why": "Because"})
    with ScriptedServer(keep_alive(lambda _: answer)) as proxy, no_socket_left():
        with pytest.raises(
            TunnelError,
            match=rf"^proxy http://127\.0\.0\.1:{proxy.port} refused a tunnel to example\.com:443: "
            rf"{status} Not So$",
        ) as caught:
            dial(far_end("https", to(proxy)))
        copy = pickle.loads(pickle.dumps(caught.value))
        for error in (caught.value, copy):
            assert (error.status, error.reason) == (status, b"Not So")
            assert error.fields == [(b"X-Why", b"Because"), (b"Content-Length", b"5")]


def test_a_tunnel_without_credentials_where_some_are_wanted_says_how_to_give_them() -> None:
    with ProxyServer(authorization=basic("user", "geheim")) as proxy, no_socket_left():
        with pytest.raises(
            TunnelError,
            match=rf"407 .*: it wants credentials, .*http://user:password@127\.0\.0\.1:{proxy.port}$",
        ) as caught:
            dial(far_end("https", to(proxy)))
        assert (b"Proxy-Authenticate", b'Basic realm="tests"') in caught.value.fields


def test_wrong_credentials_are_said_to_be_that_and_are_not_shown() -> None:
    with ProxyServer(authorization=basic("user", "geheim")) as proxy, no_socket_left():
        with pytest.raises(ProxyError, match="does not take the credentials that it was given") as caught:
            dial(far_end("https", to(proxy, b"Basic dmVyYm90ZW4=")))
        assert "dmVyYm90ZW4" not in f"{caught.value} {caught.value!r}"


def test_the_body_of_a_refusal_is_not_waited_for() -> None:
    """X5: it may be as long as the proxy likes."""

    def refuses_at_length(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000000000\r\n\r\nBecause")
        peer.stall()

    with ScriptedServer(refuses_at_length) as proxy, no_socket_left():
        with pytest.raises(ProxyError, match="403 Forbidden"):
            dial(far_end("https", to(proxy)), Timeout(connect=NEVER))


def saying(answer: bytes, then: Callable[[Peer], None] = Peer.stall) -> Script:
    """A proxy that gives this answer to CONNECT, whatever it is, and then does that."""

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.try_send(answer)
        then(peer)

    return script


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (saying(b"", Peer.fin), "the server closed it without a whole answer"),
        (saying(b"", Peer.rst), "reset"),
        (saying(b"HTTP/1.1 200 Conn", Peer.fin), "the server closed it without a whole answer"),
        (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), "not HTTP/1.1: b'SSH-2.0-OpenSSH_9.6"),
        (saying(b"\x15\x03\x03\x00\x02\x02\x46"), "not HTTP/1.1.*the port speaks TLS"),
        (saying(b"HTTP/1.1 two hundred OK\r\n\r\n"), "not HTTP/1.1"),
        (saying(b"HTTP/1.1 200 OK\r\nno field\r\n\r\n"), "not HTTP/1.1"),
        (saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tunnel\r\n\r\n"), "not HTTP/1.1"),
        (saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2 * MAX_HEAD), "not HTTP/1.1"),
        (saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MAX_HEAD), "not HTTP/1.1"),
        (saying(b"HTTP/1.1 102 P\r\n\r\n" * (MAX_INFORMATIONAL + 1) + TUNNEL), "more than 20 interim"),
    ],
    ids=["fin", "rst", "half", "ssh", "tls", "status", "field", "101", "long", "many", "1xx"],
)
def test_an_answer_to_connect_that_is_none_is_an_error_of_the_proxy(script: Script, why: str) -> None:
    """X4, X5."""
    with ScriptedServer(script) as proxy, no_socket_left():
        with pytest.raises(
            ProxyError, match=rf"^proxy http://127.*:{proxy.port} made no tunnel to example\.com:443: .*{why}"
        ):
            dial(far_end("https", to(proxy)))


def test_bytes_ahead_of_the_tls_of_a_tunnel_are_an_error() -> None:
    """Whoever stands before the server could say in its name what came over no TLS."""
    with ScriptedServer(saying(TUNNEL + b"\x16\x03\x03")) as proxy, no_socket_left():
        with pytest.raises(ProxyError, match="begins with bytes that are not the far end's"):
            dial(far_end("https", to(proxy)))


def test_a_tunnel_that_is_closed_as_soon_as_it_is_made_is_an_error_of_the_proxy() -> None:
    with connected() as (sock, proxy):
        proxy.sendall(TUNNEL)
        proxy.shutdown(socket.SHUT_WR)
        with pytest.raises(
            ProxyError, match=r"tunnel to example\.com:443 that .*p\.example:3128 made was closed"
        ):
            connect_tunnel(sock, THROUGH, PATIENCE)


class Breaking(socket.socket):
    """An end of a socket pair that the peer resets as soon as there is nothing more to read."""

    def recv(self, size: int, *flags: int) -> bytes:
        try:
            return super().recv(size, *flags)
        except BlockingIOError:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from None


def test_a_tunnel_that_breaks_as_soon_as_it_is_made_is_an_error_of_the_proxy() -> None:
    with connected() as (sock, proxy), Breaking(fileno=sock.dup().detach()) as breaking:
        proxy.sendall(TUNNEL)
        with pytest.raises(ProxyError, match=r"that .*p\.example:3128 made broke at once: Connection reset"):
            connect_tunnel(breaking, THROUGH, PATIENCE)


def test_a_certificate_beyond_a_tunnel_is_held_against_the_origins_name(ca: trustme.CA, ca_file: str) -> None:
    """S3: that of the proxy is of no account."""
    with (
        ScriptedServer(
            keep_alive(ok), tls=server_context(ca, "127.0.0.1", "elsewhere.example"), handshake_may_fail=True
        ) as origin,
        ProxyServer({f"{FAR}:443": origin.address}) as proxy,
        no_socket_left(),
    ):
        with pytest.raises(
            SSLError,
            match=r"certificate of https://example\.com:443 through proxy .* refused for 'example\.com'",
        ):
            dial(far_end("https", to(proxy), ca=ca_file))
        assert origin.requests == []


def test_an_origin_beyond_a_tunnel_that_speaks_no_tls_is_told_apart_from_the_proxy() -> None:
    with (
        ScriptedServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as origin,
        ProxyServer({f"{FAR}:443": origin.address}) as proxy,
        no_socket_left(),
    ):
        with pytest.raises((SSLError, ProxyError)) as caught:
            dial(far_end("https", to(proxy)))
        assert f"{FAR}:443" in str(caught.value)


# --- L3


class Boom(BaseException):
    """What nobody expects."""


@pytest.mark.parametrize("stage", ["resolving", "the tunnel", "the tls handshake"])
def test_an_interrupt_on_any_leg_leaves_no_socket_and_no_slot(stage: str) -> None:
    """L3."""
    inside, over = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        if stage == "the tls handshake":
            peer.send(TUNNEL)
            peer.read_some()
        inside.set()
        peer.stall()

    def resolver(host: str, port: int) -> list[Address]:
        if stage == "resolving":
            inside.set()
            over.wait(10)
        return [Address(socket.AF_INET, proxy.address)]

    with ScriptedServer(script) as proxy, no_socket_left():
        pool = ConnectionPool(Limits(max_connections=1), Dialer(resolver))
        with ctrl_c_once(inside.is_set):
            with pytest.raises(KeyboardInterrupt):
                ask(pool, far_end("https", Proxy("http", "p.example", 3128)))
        over.set()
        assert pool._ledger.open == 0


@pytest.mark.parametrize(
    ("error", "ours_of_it"),
    [
        (Boom, Boom),
        (ValueError, ValueError),
        (ProxyError, ProxyError),
        (OSError, TunnelError),
        (TimeoutError, ConnectTimeout),
    ],
)
def test_whatever_ends_a_step_closes_the_socket_and_errors_of_the_system_become_ours(
    error: type[BaseException], ours_of_it: type[BaseException]
) -> None:
    """L3."""

    def explode(seconds: float | None) -> None:
        raise error

    ours, theirs = socket.socketpair()
    with theirs:
        with pytest.raises(ours_of_it):
            _step(ours, Budget(Timeout().start()), "testing", TunnelError, explode)
        assert ours.fileno() == -1


def test_a_step_for_which_no_time_is_left_is_not_taken_and_closes_the_socket() -> None:
    """T1, L3."""
    deadline = Timeout(total=1e-9).start()
    while not deadline.passed():
        pass
    ours, theirs = socket.socketpair()
    taken: list[float | None] = []
    with theirs:
        with pytest.raises(TotalTimeout, match=r"testing: the total timeout of 1e-09 s passed"):
            _step(ours, Budget(deadline), "testing", TunnelError, taken.append)
        assert ours.fileno() == -1
    assert not taken


# --- any split, any bytes


@contextlib.contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    # Each sendall() on one end is one recv() on the other: the cuts are where they were made.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


THROUGH = far_end("https", Proxy("http", "p.example", 3128, b"Basic eDp5"))
# Silence on a socket pair is a defect; this is for how long it is waited out.
PATIENCE = 5.0


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """What opens a tunnel."""
    interim = draw(st.integers(0, 3)) * b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
    version = draw(st.sampled_from([b"1.1", b"1.0"]))
    status = draw(st.integers(200, 299))
    reason = draw(st.sampled_from([b"", b" ", b" OK", b" Connection established"]))
    # RFC 9110, section 9.3.6: what they say of a body is to be ignored.
    fields = draw(
        st.lists(
            st.sampled_from(
                [b"Via: 1.1 p\r\n", b"Transfer-Encoding: chunked\r\n", b"Keep-Alive: timeout=1\r\n"]
            ),
            unique=True,
        )
    )
    return interim + b"HTTP/%b %d%b\r\n%b\r\n" % (version, status, reason, b"".join(fields))


@given(answer=answers(), places=st.lists(st.integers(0, 10_000), max_size=20))
@settings(deadline=None, max_examples=200)
def test_any_split_of_a_2xx_makes_a_tunnel_through_which_bytes_go_both_ways(
    answer: bytes, places: list[int]
) -> None:
    """X4."""
    with connected() as (sock, proxy):
        for piece in cut(answer, places):
            proxy.sendall(piece)
        connect_tunnel(sock, THROUGH, PATIENCE)
        assert proxy.recv(1000).startswith(b"CONNECT example.com:443 HTTP/1.1\r\n")
        sock.settimeout(PATIENCE)
        sock.sendall(b"hello")
        proxy.sendall(b"you too")
        assert (proxy.recv(100), sock.recv(100)) == (b"hello", b"you too")


@given(answer=answers(), places=st.lists(st.integers(0, 10_000), max_size=5), end=st.integers(0, 10_000))
@settings(deadline=None, max_examples=200)
@example(answer=TUNNEL, places=[], end=0)
@example(answer=TUNNEL, places=[], end=len(TUNNEL))
def test_an_answer_cut_off_anywhere_its_very_end_included_is_an_error(
    answer: bytes, places: list[int], end: int
) -> None:
    with connected() as (sock, proxy):
        for piece in cut(answer[: end % (len(answer) + 1)], places):
            proxy.sendall(piece)
        proxy.shutdown(socket.SHUT_WR)
        with pytest.raises(ProxyError):
            connect_tunnel(sock, THROUGH, PATIENCE)


@given(answer=answers(), more=st.binary(min_size=1, max_size=50), places=st.lists(st.integers(0, 10_000)))
@example(answer=b"HTTP/1.1 204\r\n\r\n", more=b"\0", places=[])  # h11 makes a tunnel of it
@settings(deadline=None, max_examples=200)
def test_bytes_behind_the_answer_are_an_error_wherever_they_are_cut(
    answer: bytes, more: bytes, places: list[int]
) -> None:
    with connected() as (sock, proxy):
        for piece in cut(answer + more, places):
            proxy.sendall(piece)
        with pytest.raises(ProxyError):
            connect_tunnel(sock, THROUGH, PATIENCE)


@given(garbage=st.binary(max_size=300), start=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n"]))
@settings(deadline=None, max_examples=200)
def test_no_garbage_raises_anything_but_an_error_of_the_proxy(garbage: bytes, start: bytes) -> None:
    with connected() as (sock, proxy):
        if start + garbage:
            proxy.sendall(start + garbage)
        proxy.shutdown(socket.SHUT_WR)
        with pytest.raises(ProxyError):
            connect_tunnel(sock, THROUGH, PATIENCE)


def test_the_request_for_a_tunnel_is_made_of_any_route_that_has_a_proxy() -> None:
    request = connect_request(THROUGH)
    assert (request.method, request.head.target) == ("CONNECT", b"example.com:443")
    assert list(request.head.headers) == [
        (b"host", b"example.com:443"),
        (b"proxy-authorization", b"Basic eDp5"),
    ]


# --- a program that others wrote


@pytest.fixture(scope="module")
def proxy_py(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyPy]:
    with ProxyPy(tmp_path_factory.mktemp("proxy"), guarded=True) as running:
        yield running


def test_a_real_proxy_forwards_http_and_tunnels_https_for_whoever_shows_the_credentials(
    proxy_py: ProxyPy, pool: ConnectionPool, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """The law on proxies, against proxy.py."""
    word = basic("user", "secret").encode()
    through = to(proxy_py, word)
    with (
        ScriptedServer(keep_alive(ok)) as plain,
        ScriptedServer(keep_alive(ok), tls=tls_context) as secure,
        no_socket_left(),
    ):
        tunnelled = Route("https", secure.host, secure.port, TLSIdentity(ca=ca_file), proxy=through)
        for _ in range(3):
            assert ask(pool, tunnelled).read() == b"ok"
        forwarded = Route("http", plain.host, plain.port, proxy=through)
        fields = [(b"Host", b"a.example"), (b"Proxy-Authorization", word)]
        for _ in range(3):
            request = OutgoingRequest.make("GET", plain.url("/path?a=b"), fields)
            assert pool.send(forwarded, request, Timeout().start()).read() == b"ok"
        pool.close()
        assert secure.accepted == 1
        assert [request.header("Via") for request in secure.requests] == [None] * 3
        assert [request.target for request in plain.requests] == ["/path?a=b"] * 3
        # On a connection that it has seen before it adds nothing to a request, and takes nothing out.
        assert "proxy.py" in (plain.requests[0].header("Via") or "")


@pytest.mark.parametrize("authorization", [None, basic("user", "falsch").encode()])
def test_a_real_proxy_refuses_a_tunnel_to_whoever_does_not(
    proxy_py: ProxyPy, authorization: bytes | None
) -> None:
    with no_socket_left():
        with pytest.raises(TunnelError, match=r"407 Proxy Authentication Required.* credentials") as caught:
            dial(far_end("https", to(proxy_py, authorization)))
        assert caught.value.status == 407
