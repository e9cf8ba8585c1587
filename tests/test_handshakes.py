"""How TLS begins with servers as they are: what they refuse in words, what breaks, and what is known then."""

from __future__ import annotations

import json
import pickle
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pystickyhttp import HandshakeLost, Response, Retry, Session, SSLError
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.transport import Route, TLSIdentity, TLSInfo
from pystickyhttp.transport.tls import handshake_with_proxy
from tests.servers.certificates import CLIENT, Issued, KeyPair, authority, issue, pem, server_context
from tests.servers.nginx_tls import Client, NginxWithClientCertificates
from tests.servers.openssl import OpenSSLServer
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import Peer, Request, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left


def answer(_: Request) -> bytes:
    return respond(b"ok")


@pytest.fixture(scope="module")
def root() -> Issued:
    return authority("the root")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def root_file(root: Issued, folder: Path) -> str:
    path = folder / "root.pem"
    path.write_bytes(pem(root.certificate))
    return str(path)


@pytest.fixture(scope="module")
def pair(root: Issued, folder: Path) -> KeyPair:
    return issue(root, "localhost").files(folder / "localhost")


@pytest.fixture
def session(root_file: str) -> Iterator[Session]:
    with Session(verify=root_file) as made:
        yield made


# --- what servers speak, told by a program that others wrote

SECLEVEL_0 = ("-cipher", "ALL:@SECLEVEL=0")
OLD = r"protocol version\): .*TLS 1\.1 at most, .*RFC 8996.*ssl_context= with a lower minimum_version"
NO_CIPHER = r"handshake failure\): it has no cipher or key exchange in common with us.* set_ciphers\(\)"

REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "TLS 1.0 alone": (("-tls1", *SECLEVEL_0), OLD),
    "TLS 1.1 alone": (("-tls1_1", *SECLEVEL_0), OLD),
    "no cipher of ours under TLS 1.2": (("-tls1_2", "-cipher", "AES128-SHA"), NO_CIPHER),
    "no cipher of ours under TLS 1.3": (("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"), NO_CIPHER),
    "no signature of ours": (("-sigalgs", "RSA-PSS+SHA512"), "handshake failure"),
    "another protocol by ALPN": (
        ("-alpn", "h2"),
        r"no application protocol\): it does not speak HTTP/1\.1 here, as ALPN tells",
    ),
    "a client certificate under TLS 1.2": (
        ("-tls1_2", "-Verify", "1"),
        r"handshake failure\): .*wants a client certificate.* given by cert=\(certificate, key\)",
    ),
    "a client certificate under TLS 1.3": (
        ("-tls1_3", "-Verify", "1"),
        r"certificate required\): it wants a client certificate: give one by cert=",
    ),
    "another name": (
        ("-servername", "other.example", "-servername_fatal"),
        r"unrecognized name\): it does not serve the name that it was asked for: .* server_hostname=",
    ),
}


@pytest.mark.parametrize("wants", REFUSED)
def test_a_server_that_wants_what_we_do_not_have_is_refused_in_words_and_hears_nothing(
    wants: str, pair: KeyPair, session: Session, tmp_path: Path
) -> None:
    options, reason = REFUSED[wants]
    if "-servername" in options:
        options = (*options, "-cert2", pair.certificate, "-key2", pair.key)
    with OpenSSLServer(tmp_path, pair, *options) as server, no_socket_left():
        with pytest.raises(SSLError, match=reason) as refused:
            session.post(server.url(), data="secret")
        assert f"https://localhost:{server.port}" in str(refused.value)
        assert not isinstance(refused.value, HandshakeLost)
        assert b"secret" not in server.all_it_said()


# The second group of RFC 2409, section 6.2, which is of 1024 bits.
WEAK_GROUP = """\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
"""


def test_a_server_whose_key_exchange_is_weak_is_refused(
    root: Issued, session: Session, tmp_path: Path
) -> None:
    leaf = issue(root, "localhost", key=rsa.generate_private_key(65537, 2048)).files(tmp_path)
    group = tmp_path / "group.pem"
    group.write_text(WEAK_GROUP)
    weak = ("-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0", "-dhparam", str(group))
    with OpenSSLServer(tmp_path, leaf, *weak) as server, no_socket_left():
        with pytest.raises(SSLError, match=r"dh key too small: .*stronger keys.*SECLEVEL"):
            session.post(server.url(), data="secret", timeout=10)
        assert b"secret" not in server.all_it_said()


def ask(session: Session, server: OpenSSLServer, **settings: Any) -> Response:
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(session.get, server.url(), **settings)
        server.expect_request()
        server.answer(b"ok")
        return asked.result()


WORKING: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "TLS 1.2 alone": (("-tls1_2",), {"version": "TLSv1.2"}),
    "TLS 1.3 alone": (("-tls1_3",), {"version": "TLSv1.3"}),
    "one cipher": (
        ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
        {"cipher": "TLS_CHACHA20_POLY1305_SHA256"},
    ),
    "no ALPN": ((), {"alpn": None}),
    "ALPN": (("-alpn", "h2,http/1.1"), {"alpn": "http/1.1"}),
    "no tickets": (("-tls1_2", "-no_ticket"), {"resumed": False}),
    "no tickets under TLS 1.3": (("-tls1_3", "-num_tickets", "0"), {"resumed": False}),
    "a client certificate, if there is one": (("-verify", "1"), {}),
    "a group that costs a further round": (("-tls1_3", "-groups", "P-521"), {"version": "TLSv1.3"}),
    "small records": (("-max_send_frag", "512"), {}),
}


@pytest.mark.parametrize("speaks", WORKING)
def test_a_server_that_speaks_one_thing_alone_is_spoken_to(
    speaks: str, pair: KeyPair, session: Session, tmp_path: Path
) -> None:
    options, facts = WORKING[speaks]
    with OpenSSLServer(tmp_path, pair, *options) as server, no_socket_left():
        for _ in range(2):
            response = ask(session, server)
            assert response.text == "ok"
            assert response.tls is not None
            assert {name: getattr(response.tls, name) for name in facts} == facts
        session.close()


def test_the_order_of_the_certificates_that_a_server_sends_does_not_matter_nor_do_further_ones(
    root: Issued, session: Session, tmp_path: Path
) -> None:
    upper = authority("upper", root)
    lower = authority("lower", upper)
    leaf = issue(lower, "localhost")
    stranger = authority("stranger")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(pem(*(each.certificate for each in (stranger, root, upper, lower))))
    with OpenSSLServer(tmp_path, leaf.files(tmp_path), "-cert_chain", str(chain)) as server:
        assert ask(session, server).text == "ok"
        session.close()
        server.all_it_said()


@pytest.mark.parametrize(
    ("version", "command", "proof"),
    [
        ("-tls1_2", b"r\n", b"2 server accepts that finished"),
        ("-tls1_3", b"K\n", b"1 server accepts that finished"),
    ],
    ids=["renegotiation under TLS 1.2", "new keys under TLS 1.3"],
)
def test_a_server_may_shake_hands_anew_on_an_idle_connection(
    version: str, command: bytes, proof: bytes, pair: KeyPair, session: Session, tmp_path: Path
) -> None:
    with OpenSSLServer(tmp_path, pair, version) as server, no_socket_left():
        assert ask(session, server).text == "ok"
        server.send(command)
        assert ask(session, server).text == "ok"
        assert ask(session, server).text == "ok"
        session.close()
        assert proof in server.all_it_said()


def test_a_context_that_offers_other_protocols_is_an_error_where_the_server_takes_one(
    ca: trustme.CA, ca_file: str
) -> None:
    """ALPN (RFC 7301): what is spoken then is not HTTP/1.1."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    heard: list[bytes] = []

    def listen(peer: Peer) -> None:
        heard.append(peer.read_until_eof())

    with Session() as session:
        session.mount("https://", HTTPAdapter(ssl_context=context))
        with ScriptedServer(listen, tls=server_context(ca, alpn=("h2",))) as server, no_socket_left():
            with pytest.raises(SSLError, match=r"'h2'.*set_alpn_protocols\(\['http/1\.1'\]\)"):
                session.get(server.url())
            server.wait_for_scripts()
        with ScriptedServer(keep_alive(answer), tls=server_context(ca, alpn=("http/1.1", "h2"))) as server:
            assert session.get(server.url()).text == "ok"
    assert heard == [b""]


# --- alerts (RFC 8446, section 6.2), each as the server's first word

ALERTS = {
    10: r"unexpected message\): it could make nothing of what it was sent: its log may say why",
    20: r"bad record mac\): it could make nothing of what it was sent",
    22: r"record overflow\): it could make nothing",
    40: r"handshake failure\): it has no cipher or key exchange in common with us, or wants a client cert",
    41: r"no certificate\): it does not accept the client certificate, or that there is none",
    42: r"bad certificate\): it does not accept the client certificate.*cert=",
    43: r"unsupported certificate\): it does not accept the client certificate.*cert=",
    44: r"certificate revoked\): the client certificate was revoked: get a new one.*cert=",
    45: r"certificate expired\): the client certificate has expired: renew it.*cert=",
    46: r"certificate unknown\): it does not accept the client certificate.*cert=",
    47: r"illegal parameter\): it could make nothing",
    48: r"unknown ca\): it does not know the authority that issued the client certificate.*cert=",
    49: r"access denied\): .*does not let it in: give another by cert=",
    50: r"decode error\): it could make nothing",
    51: r"decrypt error\): a signature did not hold: .*key belong together",
    70: r"protocol version\): .*TLS 1\.1 at most",
    71: r"insufficient security\): it wants stronger ciphers.*set_ciphers",
    80: r"internal error\): something failed on its side",
    86: r"inappropriate fallback\): it could make nothing",
    90: r"user cancelled\): it was told to stop",
    109: r"missing extension\): it could make nothing",
    110: r"unsupported extension\): it could make nothing",
    112: r"unrecognized name\): it does not serve the name",
    116: r"certificate required\): it wants a client certificate: give one by cert=",
    120: r"no application protocol\): it does not speak HTTP/1\.1 here",
}


def alerting(code: int) -> Callable[[Peer], None]:
    def alert(peer: Peer) -> None:
        peer.read_some()
        # The header of the record, then: fatal, and why.
        peer.send_beneath_tls(b"\x15\x03\x03\x00\x02\x02" + bytes([code]))

    return alert


@pytest.mark.parametrize("code", ALERTS)
def test_an_alert_of_the_server_is_told_in_words_with_the_remedy(code: int, session: Session) -> None:
    with ScriptedServer(alerting(code)) as server, no_socket_left():
        with pytest.raises(SSLError, match=r"ended it by an alert \(.*" + ALERTS[code]) as refused:
            session.get(f"https://localhost:{server.port}/")
    assert not isinstance(refused.value, HandshakeLost)


def test_an_alert_of_no_known_meaning_is_an_error_as_well(session: Session) -> None:
    with ScriptedServer(alerting(250)) as server, no_socket_left():
        with pytest.raises(SSLError, match=r"TLS handshake with https://localhost:\d+ failed: "):
            session.get(f"https://localhost:{server.port}/")


def test_beside_a_given_context_the_remedy_is_about_that_context() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for code, remedy in (
        (116, r"load_cert_chain\(\) of the ssl_context"),
        (70, "maximum_version of the ssl_"),
    ):
        with ScriptedServer(alerting(code)) as server, Session() as session:
            session.mount("https://", HTTPAdapter(ssl_context=context))
            with pytest.raises(SSLError, match=remedy) as refused:
                session.get(f"https://localhost:{server.port}/")
        assert "cert=" not in str(refused.value)


def test_the_remedy_for_the_leg_to_a_proxy_is_about_the_settings_that_count_there(ca_file: str) -> None:
    """verify= counts there, cert= and ssl_context= do not."""
    identities = (
        (TLSIdentity(ca=ca_file), r"give one by a proxy_ssl_context= with load_cert_chain\(\)"),
        (
            TLSIdentity(context=ssl.create_default_context()),
            r"give one by load_cert_chain\(\) of the proxy_ssl",
        ),
    )
    for identity, remedy in identities:
        with ScriptedServer(alerting(116)) as server, no_socket_left():
            sock = socket.create_connection(server.address, timeout=10)
            with pytest.raises(SSLError, match=remedy) as refused:
                handshake_with_proxy(sock, Route("https", server.host, server.port, identity))
        assert " cert=" not in str(refused.value)


# --- connections that break


def first_flight(peer: Peer, context: ssl.SSLContext) -> bytes:
    """What a server of TLS says to the client's hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(peer.read_some())
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("said", [0, 1, 5, 60, 300, -1], ids=lambda said: f"{said} bytes")
def test_a_connection_that_breaks_in_the_handshake_is_lost_and_may_be_tried_again(
    said: int, end: str, tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """`HandshakeLost`: nothing was refused."""

    def break_off(peer: Peer) -> None:
        peer.send_beneath_tls(first_flight(peer, tls_context)[:said])
        getattr(peer, end)()

    def go_on(peer: Peer) -> None:
        peer.start_tls(tls_context)
        keep_alive(answer)(peer)

    with Session(verify=ca_file) as session:
        with ScriptedServer(break_off) as server, no_socket_left():
            with pytest.raises(
                HandshakeLost, match=r"TLS handshake with .* broke off: .*nothing was refused"
            ):
                session.get(f"https://localhost:{server.port}/")
        session.mount("https://", HTTPAdapter(max_retries=Retry(connect=2, backoff_factor=0)))
        with ScriptedServer([break_off, break_off, go_on]) as server:
            response = session.get(f"https://localhost:{server.port}/")
            assert (response.text, server.accepted) == ("ok", 3)


def test_a_server_that_says_goodbye_in_the_handshake_has_refused_nothing(session: Session) -> None:
    """close_notify (RFC 8446, section 6.1)."""

    def leave(peer: Peer) -> None:
        peer.read_some()
        peer.send_beneath_tls(b"\x15\x03\x03\x00\x02\x01\x00")

    with ScriptedServer(leave) as server, no_socket_left():
        with pytest.raises(HandshakeLost):
            session.get(f"https://localhost:{server.port}/")


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0" * 100,
    ],
)
def test_a_port_where_something_else_is_spoken_is_told_so(words: bytes, session: Session) -> None:
    with ScriptedServer(lambda peer: peer.send(words)) as server, no_socket_left():
        with pytest.raises(SSLError, match=r"the port does not speak TLS, use http://"):
            session.get(f"https://localhost:{server.port}/")


# --- client certificates, told by nginx


@pytest.fixture(scope="module")
def clients() -> Issued:
    return authority("the clients' authority")


@pytest.fixture(scope="module")
def nginx(
    clients: Issued, pair: KeyPair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NginxWithClientCertificates]:
    folder = tmp_path_factory.mktemp("nginx")
    client_ca = folder.with_suffix(".pem")
    client_ca.write_bytes(pem(clients.certificate))
    with NginxWithClientCertificates(folder, pair, str(client_ca)) as running:
        yield running


def who(session: Session, nginx: NginxWithClientCertificates, cert: Any) -> Client:
    response = session.get(f"{nginx.tls_url}/who", cert=cert)
    response.raise_for_status()
    return Client.read(response.text)


def forms_of(mine: Issued, folder: Path) -> dict[str, Any]:
    """All the forms in which a client certificate can be given."""
    plain, locked = mine.files(folder / "plain"), mine.files(folder / "locked", "pass word")
    single = folder / "single.pem"
    single.write_bytes(Path(plain.key).read_bytes() + Path(plain.certificate).read_bytes())
    return {
        "one file": str(single),
        "a path": single,
        "two files": (plain.certificate, plain.key),
        "two files in a list": [plain.certificate, plain.key],
        "with a password": (locked.certificate, locked.key, "pass word"),
        "with a password that is not needed": (plain.certificate, plain.key, "pass word"),
    }


def test_a_client_certificate_can_be_given_in_any_form(
    nginx: NginxWithClientCertificates, clients: Issued, session: Session, tmp_path: Path
) -> None:
    mine = issue(clients, "me.example", usage=CLIENT)
    for name, cert in forms_of(mine, tmp_path).items():
        assert who(session, nginx, cert).serial == mine.certificate.serial_number, name


def test_the_authorities_above_a_client_certificate_are_sent_along(
    nginx: NginxWithClientCertificates, clients: Issued, session: Session, tmp_path: Path
) -> None:
    mine = issue(authority("an authority below", clients), "me.example", usage=CLIENT)
    pair = mine.files(tmp_path)
    assert who(session, nginx, (pair.certificate, pair.key)).serial == mine.certificate.serial_number


def test_nobody_appears_as_somebody_else_by_a_connection_or_by_a_ticket(
    nginx: NginxWithClientCertificates, clients: Issued, session: Session, tmp_path: Path
) -> None:
    """R1, S2."""
    me, you = (issue(clients, f"{name}.example", usage=CLIENT) for name in ("me", "you"))
    as_me, as_you = (
        (files.certificate, files.key)
        for files in (each.files(tmp_path / str(number)) for number, each in enumerate((me, you)))
    )
    seen = []
    for _ in range(2):
        seen += [who(session, nginx, cert) for cert in (as_me, as_you, as_me, as_you)]
        refused = session.get(f"{nginx.tls_url}/who")
        assert (refused.status_code, "No required SSL certificate" in refused.text) == (400, True)
        session.close()
    serials = [me.certificate.serial_number, you.certificate.serial_number]
    assert [each.serial for each in seen] == serials * 4
    assert len({each.connection for each in seen}) == 4
    assert [each.resumed for each in seen] == [False] * 4 + [True] * 4


def test_a_client_certificate_of_an_unknown_authority_is_for_the_server_to_refuse(
    nginx: NginxWithClientCertificates, root: Issued, session: Session, tmp_path: Path
) -> None:
    pair = issue(root, "me.example", usage=CLIENT).files(tmp_path)
    response = session.get(f"{nginx.tls_url}/who", cert=(pair.certificate, pair.key))
    assert (response.status_code, "SSL certificate error" in response.text) == (400, True)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_certificate_that_a_server_refuses_by_an_alert_is_told(
    version: str, pair: KeyPair, root: Issued, root_file: str, session: Session, tmp_path: Path
) -> None:
    strangers = issue(authority("strangers"), "me.example", usage=CLIENT).files(tmp_path)
    refusing = ("-Verify", "2", "-verify_return_error", "-CAfile", root_file, version)
    with OpenSSLServer(tmp_path, pair, *refusing) as server, no_socket_left():
        with pytest.raises(SSLError, match=r"unknown ca.*cert="):
            session.get(server.url(), cert=(strangers.certificate, strangers.key))


def test_a_refusal_amid_a_large_upload_is_told_as_one(
    root: Issued, clients: Issued, session: Session
) -> None:
    """RFC 8446, section 4.4.2.4: whether the alert meets us while we send or while we read is chance."""
    asking = issue(root, "localhost").context()
    asking.load_verify_locations(cadata=pem(clients.certificate).decode())
    asking.verify_mode = ssl.CERT_REQUIRED
    with ScriptedServer(keep_alive(answer), tls=asking, handshake_may_fail=True) as server:
        for _ in range(10):
            with pytest.raises(SSLError, match=r"give one by cert="):
                session.put(server.url(host="localhost"), data=b"x" * 3_000_000)
        assert server.requests == []


def test_a_client_certificate_may_be_asked_for_when_the_server_has_seen_the_request(
    root: Issued, clients: Issued, session: Session, tmp_path: Path
) -> None:
    """RFC 8446, section 4.6.2: some servers want it for some of their resources alone."""
    mine = issue(clients, "me.example", usage=CLIENT)
    context = issue(root, "localhost").context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.post_handshake_auth = True
    context.load_verify_locations(cadata=pem(clients.certificate).decode())
    shown: list[dict[str, Any] | None] = []

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            shown.append(peer.tls.getpeercert())
            if len(shown) == 1:
                peer.tls.verify_client_post_handshake()
            peer.send(respond(b"ok"))

    files = mine.files(tmp_path)
    with ScriptedServer(script, tls=context) as server:
        for _ in range(3):
            cert = (files.certificate, files.key)
            assert session.get(server.url(host="localhost"), cert=cert).text == "ok"
        assert server.accepted == 1
    before, *after = shown
    assert not before
    assert [int(each["serialNumber"], 16) for each in after if each] == [mine.certificate.serial_number] * 2


# --- what is known of a connection


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_response_tells_of_the_tls_that_it_came_by(
    version: ssl.TLSVersion, root: Issued, session: Session
) -> None:
    leaf = issue(root, "localhost")
    context = leaf.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["http/1.1"])
    seen: list[tuple[Any, ...]] = []

    def script(peer: Peer) -> None:
        cipher = peer.tls.cipher()
        assert cipher is not None
        seen.append(
            (peer.tls.version(), cipher[0], peer.tls.selected_alpn_protocol(), peer.tls.session_reused)
        )
        while peer.read_request() is not None:
            peer.send(respond(b"ok"))

    told: list[TLSInfo] = []
    with ScriptedServer(script, tls=context) as server:
        for _ in range(2):
            for _ in range(2):
                info = session.get(server.url(host="localhost")).tls
                assert info is not None
                told.append(info)
            session.close()
    assert [each[:4] for each in told] == [seen[0], seen[0], seen[1], seen[1]]
    assert [each.resumed for each in told] == [False, False, True, True]
    assert {each.certificate_der for each in told} == {
        leaf.certificate.public_bytes(serialization.Encoding.DER)
    }
    for each in told:
        assert each.certificate["subjectAltName"] == (("DNS", "localhost"),)
        assert int(each.certificate["serialNumber"], 16) == leaf.certificate.serial_number


def test_what_is_told_of_tls_can_not_be_changed_and_pickles(root: Issued, session: Session) -> None:
    with ScriptedServer(keep_alive(answer), tls=issue(root, "localhost").context()) as server:
        first, second = (session.get(server.url(host="localhost")) for _ in range(2))
    info: Any = first.tls
    assert info == second.tls
    with pytest.raises(AttributeError):
        info.resumed = True
    with pytest.raises(TypeError):
        info.certificate["subjectAltName"] = ()
    assert pickle.loads(pickle.dumps(info)) == info
    assert pickle.loads(pickle.dumps(first)).tls == info
    assert json.loads(json.dumps(dict(info.certificate)))["subjectAltName"] == [["DNS", "localhost"]]
    assert repr(info).startswith("TLSInfo(version='TLSv1.3', cipher=")
    assert len(repr(info)) < 200


def test_of_a_server_that_is_not_verified_the_certificate_is_known_in_der_alone(
    root: Issued, session: Session
) -> None:
    leaf = issue(root, "other.example")
    with ScriptedServer(keep_alive(answer), tls=leaf.context()) as server:
        info = session.get(server.url(), verify=False).tls
    assert info is not None
    assert dict(info.certificate) == {}
    assert info.certificate_der == leaf.certificate.public_bytes(serialization.Encoding.DER)


def test_a_response_that_came_in_the_clear_has_no_tls(session: Session) -> None:
    with ScriptedServer(keep_alive(answer)) as server:
        assert session.get(server.url()).tls is None


# --- tickets on either leg


class ResumingProxy(ProxyServer):
    """Notes of each connection whether it resumed a session."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.resumed: list[bool | None] = []
        super().__init__(*args, **settings)

    def _serve(self, peer: Peer) -> None:
        self.resumed.append(peer.tls.session_reused)
        super()._serve(peer)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_through_an_https_proxy_the_sessions_of_both_legs_are_resumed(
    version: ssl.TLSVersion, ca: trustme.CA, ca_file: str
) -> None:
    """S2: and that of the proxy by requests of http too, which it forwards."""
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.tls.session_reused)
        keep_alive(answer)(peer)

    contexts = [server_context(ca, "example.com"), server_context(ca, "127.0.0.1")]
    for context in contexts:
        context.minimum_version = context.maximum_version = version
    with ScriptedServer(script, tls=contexts[0]) as far, ScriptedServer(keep_alive(answer)) as plain:
        origins = {"example.com:443": (far.host, far.port), "example.com:80": (plain.host, plain.port)}
        with ResumingProxy(origins, tls=contexts[1]) as proxy, Session(verify=ca_file) as session:
            session.proxies = {"all": f"https://127.0.0.1:{proxy.port}"}
            for scheme in ("https", "https", "http", "http", "https"):
                assert session.get(f"{scheme}://example.com/").text == "ok"
                session.close()
    assert resumed == [False, True, True]
    assert proxy.resumed == [False, True, True, True, True]
