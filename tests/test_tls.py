"""TLS: whom a connection trusts, and when a context is made (laws S1 and S3)."""

from __future__ import annotations

import datetime
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from pystickyhttp import Session, SSLError, get
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.transport import TLSIdentity, tls_info, tls_tickets
from pystickyhttp.transport.tls_contexts import context_for
from tests.servers.certificates import key_pair, server_context
from tests.servers.scripted import Peer, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left


def serving(context: ssl.SSLContext) -> ScriptedServer:
    return ScriptedServer(keep_alive(lambda _: respond(b"ok")), tls=context, handshake_may_fail=True)


def refused(server: ScriptedServer, reason: str, **settings: Any) -> None:
    """The request fails with a reason and a remedy, and not a byte of it was sent."""
    with Session() as session, no_socket_left():
        with pytest.raises(SSLError, match=reason) as caught:
            session.get(server.url(host="localhost"), **settings)
        assert f"localhost:{server.port}" in str(caught.value)
        assert caught.value.request is not None
    assert server.requests == []


def test_a_certificate_of_an_authority_that_is_given_is_accepted(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    with serving(tls_context) as server:
        for host in ("localhost", "127.0.0.1"):
            assert get(server.url(host=host), verify=ca_file).text == "ok"
            assert get(server.url(host=host), verify=Path(ca_file)).text == "ok"


def test_a_certificate_of_an_unknown_authority_is_refused(tls_context: ssl.SSLContext) -> None:
    """S1: verification is on."""
    with serving(tls_context) as server:
        refused(server, r"unable to get local issuer.*verify=")


def test_a_certificate_for_another_name_is_refused(ca: trustme.CA, ca_file: str) -> None:
    with serving(server_context(ca, "elsewhere.example")) as server:
        refused(server, r"refused for 'localhost'.*name that the certificate is for", verify=ca_file)


def test_an_expired_certificate_is_refused(ca: trustme.CA, ca_file: str) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    with serving(server_context(ca, "localhost", not_after=yesterday)) as server:
        refused(server, r"expired.*renew", verify=ca_file)


def test_a_name_in_the_cn_alone_does_not_count(ca: trustme.CA, ca_file: str) -> None:
    """S3."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("elsewhere.example", common_name="localhost").configure_cert(context)
    with serving(context) as server:
        refused(server, "localhost", verify=ca_file)


def test_without_verification_any_certificate_will_do(ca: trustme.CA) -> None:
    with serving(server_context(ca, "elsewhere.example")) as server:
        assert get(server.url(), verify=False).text == "ok"


def test_a_server_that_speaks_no_tls_is_an_error_that_says_so() -> None:
    with ScriptedServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        with Session() as session, no_socket_left():
            with pytest.raises(
                SSLError, match=r"TLS handshake with https://127\.0\.0\.1.*does not speak TLS, use http://"
            ):
                session.get(server.url().replace("http", "https"))


def test_the_systems_store_is_used_and_can_be_pointed_elsewhere_by_openssls_variable(
    tls_context: ssl.SSLContext, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: the context is found again only while the variable stands as it did."""
    with serving(tls_context) as server:
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        assert get(server.url()).text == "ok"
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(SSLError):
            get(server.url())


def test_certifi_is_used_where_the_system_has_no_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """S1: told by an empty folder in the place of the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert context_for(TLSIdentity()).cert_store_stats()["x509_ca"] > 50


def test_contexts_are_cached_by_their_settings(ca_file: str) -> None:
    """S1."""
    assert context_for(TLSIdentity(ca=ca_file)) is context_for(TLSIdentity(ca=ca_file))
    assert context_for(TLSIdentity(ca=ca_file)) is not context_for(TLSIdentity())
    assert context_for(TLSIdentity(verify=False)).verify_mode is ssl.CERT_NONE
    assert context_for(TLSIdentity(ca=ca_file)).minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_context_that_is_given_is_used_as_it_is_and_not_changed(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """S1."""
    context = ssl.create_default_context(cafile=ca_file)
    before = (context.verify_mode, context.check_hostname, context.options, context.minimum_version)
    with serving(tls_context) as server, Session() as session:
        session.mount("https://", HTTPAdapter(ssl_context=context))
        assert session.get(server.url()).text == "ok"
    assert before == (context.verify_mode, context.check_hostname, context.options, context.minimum_version)


def test_no_context_is_built_before_the_first_https_request() -> None:
    """S1: told in a fresh interpreter, by the cache of contexts."""
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        program = (
            "import pystickyhttp, pystickyhttp.transport.tls_contexts as tls\n"
            f"with pystickyhttp.Session() as s: assert s.get({server.url()!r}).ok\n"
            "print(tls._cached_context.cache_info().currsize)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout == "0\n"


def test_a_client_certificate_is_shown(ca: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    client_ca = trustme.CA()
    pair = key_pair(client_ca, tmp_path, "me@example.com")
    shown: list[object] = []

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            shown.append(peer.tls.getpeercert())
            peer.send(respond(b"ok"))

    with ScriptedServer(script, tls=server_context(ca, client_ca=client_ca)) as server:
        assert get(server.url(), verify=ca_file, cert=(pair.certificate, pair.key)).text == "ok"
    assert shown
    assert shown[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"verify": "/nowhere/ca.pem"},
            r"'/nowhere/ca\.pem' can't be loaded: No such file.*PEM file or a folder",
        ),
        ({"cert": "/nowhere/me.pem"}, r"'/nowhere/me\.pem'.*can't be loaded: No such file"),
    ],
)
def test_a_file_that_can_not_be_loaded_is_an_error_that_names_it(
    settings: dict[str, Any], message: str, tls_context: ssl.SSLContext
) -> None:
    with serving(tls_context) as server, Session() as session, no_socket_left():
        with pytest.raises(SSLError, match=message):
            session.get(server.url(), **settings)


def test_a_file_that_holds_no_certificate_is_an_error_that_names_it(
    tls_context: ssl.SSLContext, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("this is no certificate")
    with serving(tls_context) as server, Session() as session, no_socket_left():
        with pytest.raises(SSLError, match=r"ca\.pem' can't be loaded"):
            session.get(server.url(), verify=str(path))


@pytest.mark.parametrize("settings", [{"verify": ""}, {"verify": 3.5}, {"cert": 5}, {"cert": ("a",)}])
def test_settings_of_no_use_are_refused_before_anything_is_dialled(settings: dict[str, Any]) -> None:
    with (
        closed_port() as port,
        Session() as session,
        pytest.raises((TypeError, ValueError), match=next(iter(settings))),
    ):
        session.get(f"https://127.0.0.1:{port}/", **settings)


# --- S2


def resumptions(server: ScriptedServer, session: Session, times: int, **settings: Any) -> None:
    for _ in range(times):
        session.get(server.url(), **settings)
        session.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_second_connection_resumes_the_tls_session_of_the_first(
    version: ssl.TLSVersion, ca: trustme.CA, ca_file: str
) -> None:
    """S2."""
    context = server_context(ca)
    context.maximum_version = context.minimum_version = version
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.tls.session_reused)
        while peer.read_request() is not None:
            peer.send(respond(b"ok"))

    with ScriptedServer(script, tls=context) as server:
        for _ in range(3):
            assert get(server.url(), verify=ca_file).text == "ok"
    assert resumed == [False, True, True]


def test_where_a_look_for_tickets_costs_memory_only_so_many_are_taken(
    ca: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython's gh-116810: the copy that `SSLSocket.session` makes is never freed."""
    monkeypatch.setattr(tls_tickets.tickets, "_looks_left", 1)
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.tls.session_reused)
        while peer.read_request() is not None:
            peer.send(respond(b"ok"))

    with ScriptedServer(script, tls=server_context(ca)) as server:
        for _ in range(4):
            assert get(server.url(), verify=ca_file).text == "ok"
    assert resumed == [False, True, False, False]


def test_where_a_look_for_tickets_costs_nothing_they_are_not_counted(
    ca: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2: as on the versions of Python that have gh-116810 mended."""
    monkeypatch.setattr(tls_tickets.tickets, "_looks_left", None)
    with ScriptedServer(keep_alive(lambda _: respond(b"ok")), tls=server_context(ca)) as server:
        for _ in range(2):
            assert get(server.url(), verify=ca_file).text == "ok"
    assert tls_tickets.tickets._looks_left is None


def test_only_so_many_tickets_are_kept_and_the_oldest_go_first(
    ca: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2: a crawler meets servers without end."""
    monkeypatch.setattr(tls_tickets.tickets, "_most", 1)
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.tls.session_reused)
        peer.expect_request()
        peer.send(respond(b"ok"))

    one, other = (ScriptedServer(script, tls=server_context(ca)) for _ in range(2))
    with one, other:
        for server in (one, other, other, one):
            assert get(server.url(), verify=ca_file).text == "ok"
        assert [route.port for _, route in tls_tickets.tickets._tickets] == [one.port]
    assert resumed == [False, False, True, False]


def test_what_a_context_of_the_callers_has_to_say_is_told() -> None:
    """One that was derived may refuse for reasons of its own, as the standard library's may."""

    class Picky(ssl.SSLContext):
        def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
            raise ValueError("not on a Saturday")

    context = Picky(ssl.PROTOCOL_TLS_CLIENT)
    with ScriptedServer([lambda peer: peer.stall()]) as server, Session() as session, no_socket_left():
        session.mount("https://", HTTPAdapter(ssl_context=context))
        with pytest.raises(SSLError, match=r"handshake with .* failed: not on a Saturday"):
            session.get(server.url().replace("http:", "https:"))


def test_tickets_of_an_earlier_state_of_a_ca_file_are_dropped(ca: trustme.CA, tmp_path: Path) -> None:
    """S2: nobody is going to take them, and each keeps a context alive, with a store of roots."""
    roots = tmp_path / "ca.pem"

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.send(respond(b"ok"))

    with ScriptedServer(script, tls=server_context(ca)) as server, Session() as session:
        for state in range(4):
            roots.write_bytes(ca.cert_pem.bytes() + b"\n" * state)
            session.get(server.url(), verify=str(roots))
            session.close()
        kept = [route for _, route in tls_tickets.tickets._tickets if route.port == server.port]
        assert len(kept) == 1


def test_a_ticket_is_used_once(ca: trustme.CA, ca_file: str) -> None:
    """S2: two connections at a time, and one ticket."""
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.tls.session_reused)
        while peer.read_request() is not None:
            peer.send(respond(b"x" * 200_000))

    with ScriptedServer(script, tls=server_context(ca)) as server, Session() as session:
        session.verify = ca_file
        session.get(server.url())
        session.close()
        first, second = (session.get(server.url(), stream=True) for _ in range(2))
        assert first.content == second.content
    assert resumed == [False, True, False]


def test_tickets_do_not_cross_tls_identities(ca: trustme.CA, ca_file: str) -> None:
    """S2: what was not verified is not resumed as if it had been."""
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.tls.session_reused)
        while peer.read_request() is not None:
            peer.send(respond(b"ok"))

    with (
        ScriptedServer(script, tls=server_context(ca), handshake_may_fail=True) as server,
        Session() as session,
    ):
        resumptions(server, session, 1, verify=False)
        with pytest.raises(SSLError):
            session.get(server.url())
        resumptions(server, session, 1, verify=ca_file)
        resumptions(server, session, 1, verify=False)
    assert resumed == [False, False, True]


def test_the_name_in_the_certificate_can_be_set_apart_from_the_urls_host(
    ca: trustme.CA, ca_file: str
) -> None:
    """S3: it is asked for in the handshake, and is what the certificate is held against."""
    asked: list[str | None] = []

    def script(peer: Peer) -> None:
        asked.append(peer.server_name)
        while (request := peer.read_request()) is not None:
            peer.send(respond(request.header("Host") or ""))

    with ScriptedServer(script, tls=server_context(ca, "real.example"), handshake_may_fail=True) as server:
        with Session() as session:
            session.verify = ca_file
            with pytest.raises(SSLError, match=r"refused for '127\.0\.0\.1'"):
                session.get(server.url())
            session.mount("https://", HTTPAdapter(server_hostname="real.example"))
            assert session.get(server.url()).text == f"127.0.0.1:{server.port}"
            session.mount("https://", HTTPAdapter(server_hostname="other.example"))
            with pytest.raises(SSLError, match=r"refused for 'other\.example'"):
                session.get(server.url())
    assert asked == ["real.example"]


# --- what is told of a certificate


def test_connections_to_one_server_share_what_stands_in_its_certificate(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    with serving(tls_context) as server:
        told = []
        for _ in range(2):
            with Session(verify=ca_file) as session:
                told.append(session.get(server.url()).tls)
    first, second = told
    assert first is not None
    assert second is not None
    assert first.certificate["subjectAltName"]
    assert first.certificate is second.certificate
    assert first.certificate_der is second.certificate_der


@pytest.mark.filterwarnings("ignore::pystickyhttp.InsecureRequestWarning")
def test_what_one_connection_has_verified_is_not_told_of_another_that_verified_nobody(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    with serving(tls_context) as server:
        with Session(verify=ca_file) as session:
            verified = session.get(server.url()).tls
        with Session(verify=False) as session:
            unverified = session.get(server.url()).tls
        with Session(verify=ca_file) as session:
            again = session.get(server.url()).tls
    assert verified is not None
    assert unverified is not None
    assert again is not None
    assert verified.certificate_der == unverified.certificate_der
    assert unverified.certificate == {}
    assert again.certificate == verified.certificate != {}


def test_certificates_of_servers_without_end_do_not_fill_the_memory(
    tls_context: ssl.SSLContext, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {b"%d" % number: tls_info._Certificate(b"", {}) for number in range(tls_info.MOST_DECODED)}
    monkeypatch.setattr(tls_info, "_decoded", known)
    with serving(tls_context) as server, Session(verify=ca_file) as session:
        session.get(server.url())
    assert len(known) == 1
