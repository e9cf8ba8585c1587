"""Proxies that are spoken to by TLS: what they see, whom they are taken for, and what fails on which leg."""

from __future__ import annotations

import contextlib
import gzip
import pickle
import random
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from pystickyhttp import (
    ConnectTimeout,
    HandshakeLost,
    InsecureRequestWarning,
    PreparedRequest,
    ProxyError,
    ProxySSLError,
    RequestException,
    Session,
    SSLError,
    TotalTimeout,
    TunnelError,
)
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.exceptions import ContentDecodingError, InvalidHeader, InvalidURL
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport.tunnels import MOST_REASONS
from tests.patience import growing
from tests.servers.certificates import server_context
from tests.servers.proxies import ProxyServer, basic
from tests.servers.scripted import (
    BlackHole,
    ClientGone,
    Peer,
    ScriptedServer,
    closed_port,
    keep_alive,
    respond,
)
from tests.servers.sockets import no_socket_left

SHORT = 0.1
FAR = "example.com"


def listens(peer: Peer) -> None:
    """Say nothing to whatever comes, until the client hangs up."""
    while peer.read_some():
        pass


def url_of(proxy: ScriptedServer | BlackHole, userinfo: str = "") -> str:
    return f"https://{userinfo}{proxy.host}:{proxy.port}"


@pytest.fixture
def origin() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(lambda request: respond(b"plain"))) as server:
        yield server


@pytest.fixture
def tls_origin(ca: trustme.CA) -> Iterator[ScriptedServer]:
    context = server_context(ca, FAR)
    answer = keep_alive(lambda request: respond(b"secret"))
    with ScriptedServer(answer, tls=context, handshake_may_fail=True) as server:
        yield server


@pytest.fixture
def proxy(ca: trustme.CA, origin: ScriptedServer, tls_origin: ScriptedServer) -> Iterator[ProxyServer]:
    origins = {f"{FAR}:80": (origin.host, origin.port), f"{FAR}:443": (tls_origin.host, tls_origin.port)}
    context = server_context(ca, "127.0.0.1")
    with ProxyServer(origins, tls=context, handshake_may_fail=True) as server:
        yield server


@pytest.fixture
def session(ca_file: str) -> Iterator[Session]:
    with Session(verify=ca_file) as made:
        yield made


# --- what goes there


def test_https_goes_by_tls_within_tls_and_the_tunnel_is_used_again(
    proxy: ProxyServer, tls_origin: ScriptedServer, session: Session
) -> None:
    with no_socket_left():
        session.proxies = {"all": url_of(proxy)}
        for _ in range(3):
            assert session.get(f"https://{FAR}/").text == "secret"
        assert (proxy.accepted, tls_origin.accepted) == (1, 1)
        assert proxy.targets() == [f"CONNECT {FAR}:443"]
        session.close()


def test_http_goes_in_absolute_form_over_the_tls_of_the_proxy_which_is_kept(
    proxy: ProxyServer, session: Session
) -> None:
    session.proxies = {"all": url_of(proxy)}
    for _ in range(2):
        assert session.get(f"http://{FAR}/a").text == "plain"
    assert proxy.targets() == [f"GET http://{FAR}/a"] * 2
    assert proxy.accepted == 1


def test_the_tls_of_a_response_is_the_origins_and_never_the_proxys(
    proxy: ProxyServer, session: Session
) -> None:
    session.proxies = {"all": url_of(proxy)}
    through_tunnel = session.get(f"https://{FAR}/").tls
    assert through_tunnel is not None
    assert ("DNS", FAR) in through_tunnel.certificate["subjectAltName"]
    assert session.get(f"http://{FAR}/").tls is None


def test_large_bodies_go_both_ways_through_tls_within_tls(ca: trustme.CA, session: Session) -> None:
    body = bytes(range(256)) * 20_000

    def echo(peer: Peer) -> None:
        peer.send(respond(peer.expect_request().body))

    with ScriptedServer(echo, tls=server_context(ca, FAR)) as far:
        origins = {f"{FAR}:443": (far.host, far.port)}
        with ProxyServer(origins, tls=server_context(ca, "127.0.0.1")) as proxy:
            session.proxies = {"all": url_of(proxy)}
            assert session.post(f"https://{FAR}/", data=body).content == body


def test_an_early_answer_that_comes_along_with_the_end_of_the_handshake_stops_the_upload(
    ca: trustme.CA, session: Session
) -> None:
    """X2: it lies in the TLS of the far end, where no poll of the socket sees it."""
    context = server_context(ca, FAR)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in which the server has the last word

    def is_busy(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                inner.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.send(outgoing.read())
                incoming.write(peer.read_some())
        inner.write(respond(b"busy", status=503))
        peer.send(outgoing.read())
        peer.stall()

    with ScriptedServer(is_busy, tls=server_context(ca, "127.0.0.1")) as server:
        response = session.post(
            f"https://{FAR}/",
            data=b"x" * 30_000_000,
            proxies={"all": url_of(server)},
            timeout=Timeout(write=10),
        )
        assert (response.status_code, response.text) == (503, "busy")


# --- whom it is taken for (R1)


def test_verify_counts_for_the_proxy_as_for_a_server(ca: trustme.CA, ca_file: str) -> None:
    untrusted = server_context(trustme.CA(), "127.0.0.1")
    with ProxyServer(tls=untrusted, handshake_may_fail=True) as proxy, Session(verify=ca_file) as session:
        for url in (f"https://{FAR}/", f"http://{FAR}/"):
            with pytest.raises(
                ProxySSLError, match=r"TLS with the proxy failed: .*127\.0\.0\.1.*verify="
            ) as no:
                session.get(url, proxies={"all": url_of(proxy)})
            assert isinstance(no.value, SSLError)
            assert no.value.leg == "proxy"
        assert proxy.requests == []


def test_the_name_of_the_proxy_has_to_be_in_its_certificate(ca: trustme.CA, session: Session) -> None:
    with (
        ProxyServer(tls=server_context(ca, FAR), handshake_may_fail=True) as proxy,
        pytest.raises(ProxySSLError, match=r"127\.0\.0\.1"),
    ):
        session.get(f"https://{FAR}/", proxies={"all": url_of(proxy)})


def test_an_unverified_proxy_is_warned_of_by_its_own_name(origin: ScriptedServer) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    untrusted = server_context(trustme.CA(), "unknown-proxy.example")
    origins = {f"{FAR}:80": (origin.host, origin.port)}
    with ProxyServer(origins, tls=untrusted) as proxy, Session(resolver=resolve, verify=False) as unsure:
        way = {"all": f"https://unknown-proxy.example:{proxy.port}"}
        with pytest.warns(InsecureRequestWarning, match=r"unknown-proxy\.example"):
            assert unsure.get(f"http://{FAR}/", proxies=way).text == "plain"


def test_a_context_for_the_proxy_counts_for_it_alone(
    proxy: ProxyServer, ca: trustme.CA, session: Session
) -> None:
    strangers = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    session.mount("https://", HTTPAdapter(proxy_ssl_context=strangers))
    session.proxies = {"all": url_of(proxy)}
    with pytest.raises(ProxySSLError):
        session.get(f"https://{FAR}/")

    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(trusting)
    session.mount("https://", HTTPAdapter(proxy_ssl_context=trusting))
    assert session.get(f"https://{FAR}/").text == "secret"
    with pytest.raises(SSLError) as caught:
        session.get(f"https://{FAR}/", verify=True)
    assert not isinstance(caught.value, ProxyError)


def test_the_certificate_of_the_client_is_never_shown_to_the_proxy(
    ca: trustme.CA, tls_origin: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    mine = ca.issue_cert("client.example")
    file = tmp_path / "client.pem"
    mine.private_key_and_cert_chain_pem.write_to_path(str(file))
    asking = server_context(ca, "127.0.0.1", client_ca=ca)
    asking.verify_mode = ssl.CERT_OPTIONAL
    shown: list[object] = []

    class Asking(ProxyServer):
        def _shook_hands(self, peer: Peer) -> bool:
            done = super()._shook_hands(peer)
            shown.append(peer.tls.getpeercert(binary_form=True))
            return done

    origins = {f"{FAR}:443": (tls_origin.host, tls_origin.port)}
    with Asking(origins, tls=asking) as proxy:
        session.cert = str(file)
        assert session.get(f"https://{FAR}/", proxies={"all": url_of(proxy)}).text == "secret"
    assert shown == [None]


def test_a_tunnel_serves_nobody_who_trusts_the_proxy_in_another_way(
    proxy: ProxyServer, ca_file: str, tmp_path: Path, session: Session
) -> None:
    """R1: the same roots from another file are another identity."""
    other = tmp_path / "other.pem"
    other.write_bytes(Path(ca_file).read_bytes())
    session.proxies = {"all": url_of(proxy)}
    for verify in (ca_file, str(other), ca_file):
        session.get(f"http://{FAR}/", verify=verify)
    assert proxy.accepted == 2


# --- what it is shown


def test_the_fields_for_a_proxy_go_to_it_and_not_through_it(
    proxy: ProxyServer, origin: ScriptedServer, tls_origin: ScriptedServer, session: Session
) -> None:
    adapter = HTTPAdapter(proxy_headers={"X-Team": "blue"})
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.proxies = {"all": url_of(proxy, "us%65r:se%3Acret@")}
    session.get(f"https://{FAR}/", headers={"X-Mine": "1"})
    connect = proxy.requests[0]
    assert connect.header("X-Team") == "blue"
    assert connect.header("Proxy-Authorization") == basic("user", "se:cret")
    assert connect.header("X-Mine") is None
    assert [name for name, _ in connect.headers] == ["Host", "X-Team", "Proxy-Authorization"]
    arrived = tls_origin.requests[0]
    assert (arrived.header("X-Team"), arrived.header("Proxy-Authorization")) == (None, None)
    # A proxy that forwards finds them in each request; they take the place of the request's own.
    session.get(f"http://{FAR}/", headers={"X-Team": "red"})
    forwarded = proxy.requests[1]
    assert [value for name, value in forwarded.headers if name == "X-Team"] == ["blue"]
    session.get(origin.url(), proxies={}, headers={"X-Team": "red"})
    assert origin.requests[-1].header("X-Team") == "red"


def test_a_subclass_may_show_each_proxy_other_fields(proxy: ProxyServer, session: Session) -> None:
    """The hook is documented by requests."""

    class Adapter(HTTPAdapter):
        def proxy_headers(self, proxy: str) -> dict[str, str]:
            return {**super().proxy_headers(proxy), "X-Proxy": proxy.rpartition(":")[2]}

    session.mount("http://", Adapter())
    session.proxies = {"all": url_of(proxy, "u:p@")}
    session.get(f"http://{FAR}/")
    shown = proxy.requests[0]
    assert (shown.header("X-Proxy"), shown.header("Proxy-Authorization")) == (
        str(proxy.port),
        basic("u", "p"),
    )


def test_fields_for_every_proxy_hold_no_password_of_one() -> None:
    with pytest.raises(ValueError, match="put user and password into its URL"):
        HTTPAdapter(proxy_headers={"proxy-authorization": "Basic geheim"})
    with pytest.raises(InvalidHeader):
        HTTPAdapter(proxy_headers={"X-A": "b\r\nX-C: d"})


# --- what fails, and on which leg


def fails(session: Session, url: str, proxy: str, timeout: Timeout | None = None) -> RequestException:
    with pytest.raises(RequestException) as caught:
        session.get(url, proxies={"all": proxy}, timeout=Timeout() if timeout is None else timeout)
    return caught.value


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_an_error_of_the_proxy(scheme: str, session: Session) -> None:
    with closed_port() as port:
        error = fails(session, f"{scheme}://{FAR}/", f"https://127.0.0.1:{port}")
    assert type(error) is ProxyError
    assert error.leg == "proxy"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_takes_no_connection_is_a_timeout_of_the_proxy(scheme: str, session: Session) -> None:
    with BlackHole() as hole:
        error = fails(session, f"{scheme}://{FAR}/", url_of(hole), Timeout(connect=SHORT))
    assert isinstance(error, ConnectTimeout)
    assert error.leg == "proxy"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_silent_where_tls_begins_is_a_timeout_of_the_proxy(
    scheme: str, session: Session
) -> None:
    with ScriptedServer(listens) as server:
        error = fails(session, f"{scheme}://{FAR}/", url_of(server), Timeout(connect=SHORT))
    assert isinstance(error, ConnectTimeout)
    assert error.leg == "proxy"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_hangs_up_where_tls_begins_is_an_error_of_the_proxy_that_may_pass(
    scheme: str, session: Session
) -> None:
    def hangs_up(peer: Peer) -> None:
        peer.read_some()
        peer.rst()

    with ScriptedServer(hangs_up) as server:
        error = fails(session, f"{scheme}://{FAR}/", url_of(server))
    assert type(error) is ProxyError
    assert isinstance(error.__cause__, HandshakeLost)


def test_a_proxy_that_speaks_no_tls_is_told_to_be_one_of_http(session: Session) -> None:
    def answers_anything(peer: Peer) -> None:
        peer.read_some()
        peer.send(respond(status=400))

    with ScriptedServer(answers_anything) as plain:
        error = fails(session, f"https://{FAR}/", url_of(plain))
    assert isinstance(error, ProxySSLError)
    assert "http://" in str(error)


def test_a_proxy_that_is_silent_where_the_tunnel_should_be_is_a_timeout_of_the_tunnel(
    ca: trustme.CA, session: Session
) -> None:
    asked = threading.Event()

    def stalls(peer: Peer) -> None:
        peer.expect_request()
        asked.set()
        listens(peer)

    def stumbles(peer: Peer) -> None:
        with contextlib.suppress(ClientGone):  # where the limit was too short to get there
            stalls(peer)

    context = server_context(ca, "127.0.0.1")
    with ScriptedServer(stumbles, tls=context, handshake_may_fail=True) as server, no_socket_left():
        for limit in growing(SHORT):
            error = fails(session, f"https://{FAR}/", url_of(server), Timeout(connect=limit))
            if asked.is_set():
                break
    assert isinstance(error, ConnectTimeout)
    assert error.leg == "tunnel"


@pytest.mark.parametrize("clock", ["connect", "total"])
def test_a_far_end_that_is_silent_where_its_tls_begins_is_a_timeout_of_its_tls(
    clock: str, ca: trustme.CA, session: Session
) -> None:
    """T1: TLS within TLS is under the same clock as all else."""
    greeted = threading.Event()

    def listens_to_greeting(peer: Peer) -> None:
        if peer.read_some():
            greeted.set()
        listens(peer)

    with ScriptedServer(listens_to_greeting) as far:
        origins = {f"{FAR}:443": (far.host, far.port)}
        context = server_context(ca, "127.0.0.1")
        with ProxyServer(origins, tls=context, handshake_may_fail=True) as proxy, no_socket_left():
            for limit in growing(SHORT):
                timeout = Timeout(connect=limit) if clock == "connect" else Timeout(total=limit)
                error = fails(session, f"https://{FAR}/", url_of(proxy), timeout)
                if greeted.is_set():
                    break
    if clock == "connect":
        assert isinstance(error, ConnectTimeout)
        assert error.leg == "tls"
    else:
        assert isinstance(error, TotalTimeout)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_the_answer_of_a_proxy_that_makes_no_tunnel_is_the_response_of_the_error(
    coding: str, ca: trustme.CA, session: Session
) -> None:
    page = b"<p>Ask the help desk</p>"
    body = page if coding == "identity" else gzip.compress(page)

    def refuses(peer: Peer) -> None:
        peer.expect_request()
        fields = {"Content-Encoding": coding, "Proxy-Authenticate": 'Basic realm="tests"'}
        peer.send(respond(body, status=407, reason="Show Yourself", headers=fields))

    with ScriptedServer(refuses, tls=server_context(ca, "127.0.0.1")) as server, no_socket_left():
        error = fails(session, f"https://{FAR}/a", url_of(server))
    assert isinstance(error, TunnelError)
    assert error.leg == "tunnel"
    response = error.response
    assert (response.status_code, response.reason, response.content) == (407, "Show Yourself", page)
    assert response.headers["Proxy-Authenticate"] == 'Basic realm="tests"'
    assert (response.url, response.request) == (f"https://{FAR}/a", error.request)
    assert f"https://user:password@127.0.0.1:{server.port}" in str(error)


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("coding", CODERS)
def test_what_is_read_of_a_long_answer_of_a_proxy_is_decoded_as_far_as_it_goes(
    coding: str, ca: trustme.CA, session: Session
) -> None:
    """X5 holds for the answer of a server: this one's is an error already, and the page says why."""
    page = b"<p>Ask the help desk</p>" + random.Random(0).randbytes(2 * MOST_REASONS)
    body = CODERS[coding](page)

    def refuses(peer: Peer) -> None:
        peer.expect_request()
        peer.try_send(respond(body, status=407, headers={"Content-Encoding": coding}))

    with ScriptedServer(refuses, tls=server_context(ca, "127.0.0.1")) as server:
        error = fails(session, f"https://{FAR}/a", url_of(server))
    assert isinstance(error, TunnelError)
    assert (error.body, error.is_cut) == (body[:MOST_REASONS], True)
    content = error.response.content
    assert content == page[: len(content)]
    assert len(content) > MOST_REASONS // 2
    assert pickle.loads(pickle.dumps(error)).response.content == content


def test_an_answer_of_a_proxy_that_is_whole_and_can_not_be_decoded_is_an_error(
    ca: trustme.CA, session: Session
) -> None:
    def refuses(peer: Peer) -> None:
        peer.expect_request()
        broken = gzip.compress(b"page")[:-4]
        peer.send(respond(broken, status=407, headers={"Content-Encoding": "gzip"}))

    with ScriptedServer(refuses, tls=server_context(ca, "127.0.0.1")) as server:
        error = fails(session, f"https://{FAR}/a", url_of(server))
    assert isinstance(error, TunnelError)
    assert not error.is_cut
    with pytest.raises(ContentDecodingError, match="trailer is missing"):
        _ = error.response.content


def test_no_more_than_a_page_is_read_of_the_answer_of_a_proxy_that_makes_no_tunnel(
    ca: trustme.CA, session: Session
) -> None:
    def babbles(peer: Peer) -> None:
        peer.expect_request()
        peer.try_send(b"HTTP/1.1 403 No\r\n\r\n")
        while peer.try_send(b"x" * 65536):
            pass

    with ScriptedServer(babbles, tls=server_context(ca, "127.0.0.1")) as server:
        error = fails(session, f"https://{FAR}/", url_of(server))
    assert isinstance(error, TunnelError)
    assert error.response.content == b"x" * MOST_REASONS


def test_the_answer_of_a_proxy_that_does_not_end_is_not_waited_for(ca: trustme.CA, session: Session) -> None:
    over = threading.Event()

    def never_ends(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nbegun")
        listens(peer)
        over.set()

    with ScriptedServer(never_ends, tls=server_context(ca, "127.0.0.1")) as server:
        error = fails(session, f"https://{FAR}/", url_of(server), Timeout(connect=1000))
        assert over.wait(10)
    assert isinstance(error, TunnelError)
    assert error.response.content == b"begun"


@pytest.mark.parametrize("url", ["https://", "https://u:p@", "https://h:port", "https://u:a/geheim@h"])
def test_the_url_of_an_https_proxy_that_is_of_no_use_is_an_error(url: str, session: Session) -> None:
    with pytest.raises(InvalidURL, match="proxy") as caught:
        session.get(f"http://{FAR}/", proxies={"all": url})
    assert "geheim" not in str(caught.value)


# --- the pool's settings, under urllib3's names


def test_a_subclass_may_set_socket_options_and_the_source_address_as_for_urllib3(
    origin: ScriptedServer, session: Session
) -> None:
    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: object, **kwargs: object) -> None:
            kwargs["socket_options"] = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)]
            kwargs["source_address"] = ("127.0.0.2", 0)
            super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]

    adapter = Adapter()
    session.mount("http://", adapter)
    with session.get(origin.url(), stream=True) as response:
        body = response._body
        assert body is not None
        sock = body._connection._socket  # type: ignore[attr-defined]
        assert sock.getsockname()[0] == "127.0.0.2"
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        assert response.text == "plain"


def test_the_pool_takes_no_setting_that_it_does_not_know() -> None:
    with pytest.raises(TypeError, match=r"no maxretries.*ssl_context="):
        HTTPAdapter().init_poolmanager(1, 1, maxretries=3)


# --- who is refused when the handshake is over


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_proxy_that_wants_a_certificate_of_ours_is_told_of_as_the_proxy_and_with_its_own_remedy(
    version: ssl.TLSVersion, scheme: str, ca: trustme.CA, session: Session
) -> None:
    """RFC 8446, section 4.4.2.4: under TLS 1.3 the alert comes in the place of an answer."""
    asking = server_context(ca, "127.0.0.1", client_ca=ca)
    asking.maximum_version = version
    with ProxyServer(tls=asking, handshake_may_fail=True) as proxy, no_socket_left():
        error = fails(session, f"{scheme}://{FAR}/", url_of(proxy))
    assert isinstance(error, ProxySSLError)
    assert error.leg == "proxy"
    assert "proxy_ssl_context=" in str(error)
    assert " cert=" not in str(error)


# --- what an adapter is told


def test_a_field_for_the_proxy_that_the_hook_of_an_adapter_adds_reaches_it(
    proxy: ProxyServer, session: Session
) -> None:
    class Adapter(HTTPAdapter):
        def add_headers(self, request: PreparedRequest, **settings: object) -> None:
            request.headers["Proxy-Authorization"] = "Bearer abc"

    session.mount("http://", Adapter())
    session.get(f"http://{FAR}/", proxies={"all": url_of(proxy)})
    assert proxy.requests[0].header("Proxy-Authorization") == "Bearer abc"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Host"])
def test_fields_for_a_proxy_do_not_say_where_a_request_ends_or_whom_it_is_for(name: str) -> None:
    """X6."""
    with pytest.raises(ValueError, match="is about each request"):
        HTTPAdapter(proxy_headers={name: "5"})


@pytest.mark.parametrize(
    "name",
    [
        "build_connection_pool_key_attributes",
        "cert_verify",
        "get_connection",
        "get_connection_with_tls_context",
    ],
)
def test_a_subclass_with_a_step_of_requests_that_is_never_taken_is_refused(name: str) -> None:
    """Such a step pins certificates, or has a context for each host."""
    adapter = type("Pinning", (HTTPAdapter,), {name: lambda self, *args, **kwargs: None})
    with pytest.raises(TypeError, match=rf"Pinning\.{name}\(\) would never be called.*ssl_context="):
        adapter()


def test_a_client_certificate_beside_a_context_is_refused(tls_origin: ScriptedServer) -> None:
    """What is accepted has an effect."""
    with Session() as session:
        session.mount("https://", HTTPAdapter(ssl_context=ssl.create_default_context()))
        with pytest.raises(ValueError, match=r"cert= does not count .* load_cert_chain\(\)"):
            session.get(tls_origin.url(), cert="client.pem")
    assert tls_origin.accepted == 0


@pytest.mark.parametrize("name", ["", "example.com:443", "[::1]", "https://example.com", "a@b", "a?b"])
def test_a_server_hostname_is_a_host_name_and_nothing_else(name: str) -> None:
    with pytest.raises(ValueError, match="give a host name or an IP address"):
        HTTPAdapter(server_hostname=name)


def test_a_dot_at_the_end_of_a_server_hostname_is_no_part_of_it(
    tls_origin: ScriptedServer, session: Session
) -> None:
    """RFC 6066, section 3."""
    session.mount("https://", HTTPAdapter(server_hostname=f"{FAR}."))
    assert session.get(tls_origin.url()).text == "secret"
