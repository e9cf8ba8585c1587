"""Whom a connection trusts: what is refused and why, stores, files that change, and who shares nothing."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pickle
import ssl
import subprocess
import sys
import threading
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme
import truststore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pystickyhttp import InsecureRequestWarning, Session, SSLError, certs
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import (
    ConnectionPool,
    OutgoingRequest,
    Route,
    TLSIdentity,
    tls_contexts,
    tls_errors,
    tls_unverified,
)
from pystickyhttp.transport.route import Store, file_version
from pystickyhttp.transport.tls_contexts import context_for
from tests.servers.certificates import (
    CLIENT,
    Issued,
    KeyPair,
    authority,
    issue,
    issue_by_sha1,
    issue_with_odd_names,
    key_pair,
    pem,
    server_context,
)
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import Peer, Request, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def answer(_: Request) -> bytes:
    return respond(b"ok")


def serving(context: ssl.SSLContext) -> ScriptedServer:
    return ScriptedServer(keep_alive(answer), tls=context, handshake_may_fail=True)


def loopback(host: str, port: int) -> list[str]:
    """A resolver by which every name is this machine."""
    return ["127.0.0.1"]


@pytest.fixture(scope="module")
def root() -> Issued:
    return authority("the root")


@pytest.fixture
def root_file(root: Issued, tmp_path: Path) -> str:
    path = tmp_path / "root.pem"
    path.write_bytes(pem(root.certificate))
    return str(path)


# --- certificates that are refused


def weak_key(root: Issued) -> Issued:
    return issue(root, "localhost", key=rsa.generate_private_key(65537, 1024))


def expired_above(root: Issued) -> Issued:
    return issue(authority("an expired authority", root, days=(-20, -10)), "localhost")


def signed_by_no_authority(root: Issued) -> Issued:
    return issue(issue(root, "localhost", common_name="no authority"), "localhost")


def below_too_many(root: Issued) -> Issued:
    narrow = authority("an authority without others below", root, path_length=0)
    return issue(authority("one below", narrow), "localhost")


def unknown_and_critical(root: Issued) -> Issued:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    return issue(root, "localhost", further=(extension,))


def forged(root: Issued) -> Issued:
    """The authority's name, and another key."""
    return issue(authority("the root"), "localhost")


def without_those_above(root: Issued) -> Issued:
    return dataclasses.replace(issue(authority("an unknown intermediate", root), "localhost"), above=())


def with_its_root(_: Issued) -> Issued:
    other = authority("another root")
    return dataclasses.replace(issue(other, "localhost"), above=(other.certificate,))


FLAWS: dict[str, tuple[Callable[[Issued], Issued], str]] = {
    "expired": (
        lambda root: issue(root, "localhost", days=(-20, -10)),
        r"certificate has expired \(it was valid until .* GMT\): the server's operator has to renew it",
    ),
    "the authority above it expired": (
        expired_above,
        r"certificate has expired: the server's operator has to renew it",
    ),
    "not yet valid": (
        lambda root: issue(root, "localhost", days=(10, 20)),
        r"not yet valid \(it is valid from .* GMT\): see whether this machine's clock is right",
    ),
    "for another name": (
        lambda root: issue(root, "a.example", "*.b.example"),
        r"ismatch.* \(it is for 'a\.example', '\*\.b\.example'\): use the name that the certificate is for",
    ),
    "for many other names": (
        lambda root: issue(root, *(f"{number}.example" for number in range(40))),
        r"it is for '0\.example'.*'4\.example' and 35 more\)",
    ),
    "for an address": (
        lambda root: issue(root, "127.0.0.1"),
        r"\(it is for '127\.0\.0\.1'\): use the name that the certificate is for, or .*server_hostname=",
    ),
    "with the name in the CN alone": (
        lambda root: issue(root, common_name="localhost"),
        r"ismatch.*it has no subjectAltName, and the common name does not count",
    ),
    "with a wildcard for a name without a dot": (
        lambda root: issue(root, "*"),
        r"ismatch.*it is for '\*'",
    ),
    "self-signed": (
        lambda root: issue(None, "localhost"),
        r"self-signed certificate \(it was issued by 'a server'; only.*: pass verify='/path/to/that/cert",
    ),
    "of an unknown root that is sent along": (
        with_its_root,
        r"self-signed certificate in certificate chain \(.*'another root'; only.*: pass verify='",
    ),
    "of an unknown root": (
        lambda root: issue(authority("another root"), "localhost"),
        r"unable to get local issuer .*'another root'; only.*\): pass verify='/path/to/its/ca\.pem' \(",
    ),
    "without the intermediate above it": (
        without_those_above,
        r"unable to get local issuer .*'an unknown intermediate'; only",
    ),
    "forged": (forged, r"signature failure: .*somebody may stand in between"),
    "of an issuer that is no authority": (
        signed_by_no_authority,
        r"an authority in its chain was not allowed",
    ),
    "of an authority below too many": (below_too_many, r"path length.*an authority in its chain was not"),
    "of an authority for another domain": (
        lambda root: issue(authority("narrow", root, permitted="example.com"), "localhost"),
        r"permitted subtree violation: an authority in its chain was not allowed to issue it",
    ),
    "for clients": (
        lambda root: issue(root, "localhost", usage=CLIENT),
        r"purpose.*was not issued for servers",
    ),
    "with a weak key": (weak_key, r"key too weak: .*2048 bits of RSA.*SECLEVEL"),
    "signed by SHA-1": (
        lambda root: issue_by_sha1(root, "localhost"),
        r"digest algorithm too weak: .*SHA-256.*SECLEVEL",
    ),
    "with what is critical and unknown": (unknown_and_critical, r"critical extension: a critical extension"),
}


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("flaw", FLAWS)
def test_a_certificate_with_a_flaw_is_refused_with_its_reason_and_not_a_byte_is_sent(
    flaw: str, version: ssl.TLSVersion, root: Issued, root_file: str
) -> None:
    """S1, S3."""
    make, reason = FLAWS[flaw]
    context = make(root).context()
    context.minimum_version = context.maximum_version = version
    heard: list[bytes] = []

    def listen(peer: Peer) -> None:
        heard.append(peer.read_until_eof())

    with ScriptedServer(listen, tls=context, handshake_may_fail=True) as server:
        with Session(verify=root_file) as session, no_socket_left():
            with pytest.raises(SSLError, match=reason) as refused:
                session.post(server.url("/secret", host="localhost"), data="secret")
        assert f"https://localhost:{server.port} was refused for 'localhost'" in str(refused.value)
        assert refused.value.leg == "tls"
        server.wait_for_scripts()
    assert b"".join(heard) == b""
    assert server.accepted == 1  # a refusal is not tried again


def test_the_remedy_beside_a_given_context_is_about_that_context(root: Issued) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with serving(issue(root, "localhost").context()) as server, Session() as session:
        session.mount("https://", HTTPAdapter(ssl_context=context))
        with pytest.raises(SSLError, match=r"to load_verify_locations\(\) of the ssl_context") as refused:
            session.get(server.url(host="localhost"))
    assert "verify=" not in str(refused.value)


def test_a_certificate_that_was_revoked_is_refused_by_a_context_that_looks(
    root: Issued, tmp_path: Path
) -> None:
    leaf = issue(root, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem(root.certificate).decode())
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    with serving(leaf.context()) as server, Session() as session:
        session.mount("https://", HTTPAdapter(ssl_context=context))
        with pytest.raises(SSLError, match=r"unable to get certificate CRL: give the lists of revoked cert"):
            session.get(server.url(host="localhost"))
        (tmp_path / "revoked.pem").write_bytes(crl(root, leaf))
        context.load_verify_locations(tmp_path / "revoked.pem")
        with pytest.raises(SSLError, match=r"certificate revoked: the key may be in other hands"):
            session.get(server.url(host="localhost"))
    assert server.requests == []


def crl(root: Issued, *revoked: Issued) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=root.certificate.subject,
        last_update=now - datetime.timedelta(days=1),
        next_update=now + datetime.timedelta(days=1),
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, now)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    "advice",
    [
        tls_errors.BY_SETTINGS,
        tls_errors.BY_CONTEXT,
        tls_errors.OF_PROXY_BY_SETTINGS,
        tls_errors.OF_PROXY_BY_CONTEXT,
    ],
)
def test_every_reason_of_openssl_has_a_remedy_in_whole_sentences(advice: tls_errors.Advice) -> None:
    """Also those that no server here can be made to give: the numbers of x509_vfy.h, and beyond."""
    for code in range(120):
        error = ssl.SSLCertVerificationError(1, "refused")
        error.verify_code, error.verify_message = code, f"reason {code}."
        why = tls_errors.why_refused(error, {}, advice, now=0.0)
        reason, _, remedy = why.partition(": ")
        assert reason == f"reason {code}"
        assert len(remedy.split()) > 3
        assert not set("{}") & set(why)


def test_a_verifier_may_say_no_more_than_that_it_refuses() -> None:
    """Verifiers of another making set neither code nor message."""
    error = ssl.SSLCertVerificationError("no")
    assert tls_errors.why_refused(error, {}, tls_errors.BY_SETTINGS, now=0.0).startswith("no: see the")


# --- certificates that are accepted


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("a.example.", "a.example"),  # RFC 6066, section 3
        ("b.a.example", "*.a.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),  # IDNA 2008, as browsers read it
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_certificate_for_the_host_is_accepted_however_the_host_is_written(
    host: str, name: str, root: Issued, root_file: str
) -> None:
    """S3."""
    with serving(issue(root, name, common_name="other.example").context()) as server:
        with Session(verify=root_file, resolver=loopback) as session:
            assert session.get(f"https://{host}:{server.port}/").text == "ok"


def test_the_address_in_a_certificate_may_be_of_either_family(root: Issued, root_file: str) -> None:
    """S3."""
    for host, certified in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::1", "127.0.0.1")):
        context = issue(root, certified).context()
        server = ScriptedServer(keep_alive(answer), tls=context, host=host, handshake_may_fail=True)
        with server, Session(verify=root_file) as session:
            if host == certified:
                assert session.get(server.url()).text == "ok"
            else:
                with pytest.raises(SSLError, match=r"it is for '127\.0\.0\.1'"):
                    session.get(server.url())


def test_whoever_trusts_a_certificate_need_not_trust_the_one_above_it(root: Issued, tmp_path: Path) -> None:
    """S1: an intermediate authority, and the server's own certificate."""
    intermediate = authority("an intermediate", root)
    leaf = issue(intermediate, "localhost")
    path = tmp_path / "trusted.pem"
    with serving(leaf.context()) as server:
        for trusted in (intermediate, leaf):
            path.write_bytes(pem(trusted.certificate))
            with Session(verify=path) as session:
                assert session.get(server.url(host="localhost")).text == "ok"


def test_an_authority_that_python_3_13_finds_too_careless_will_do(root: Issued, root_file: str) -> None:
    """S1: these have no key identifiers, which VERIFY_X509_STRICT wants."""
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    strict.load_verify_locations(root_file)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    with serving(issue(root, "localhost").context()) as server, Session(verify=root_file) as session:
        assert session.get(server.url(host="localhost")).text == "ok"
        session.mount("https://", HTTPAdapter(ssl_context=strict))
        with pytest.raises(SSLError, match=r"take VERIFY_X509_STRICT out of the verify_flags"):
            session.get(server.url(host="localhost"))


def test_a_system_without_root_certificates_is_told_apart_from_one_that_does_not_know_the_authority(
    root: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: told by a file without an authority, in the place of the system's, and certifi gone."""
    store, folder = tmp_path / "store.pem", tmp_path / "folder"
    store.write_bytes(pem(issue(root, "other.example").certificate))
    folder.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    monkeypatch.setitem(sys.modules, "certifi", None)
    with serving(issue(root, "localhost").context()) as server, Session() as session, no_socket_left():
        with pytest.raises(SSLError, match=r"no root certificates: pip install 'pystickyhttp\[certifi\]'"):
            session.get(server.url(host="localhost"))


def test_where_the_system_has_no_root_certificates_those_of_certifi_are_trusted(
    root: Issued, root_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: the system's own places are not there, as in a container with nothing else in it."""
    none = str(tmp_path / "none")
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=none, openssl_capath=none)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(certifi, "where", lambda: root_file)
    # They are the process's, and do not change.
    tls_contexts._places_of.cache_clear()
    try:
        with serving(issue(root, "localhost").context()) as server, Session() as session:
            assert session.get(server.url(host="localhost")).text == "ok"
    finally:
        tls_contexts._places_of.cache_clear()


# --- files that can't be used


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_file_that_the_environment_names_is_told_by_its_variable(
    variable: str, root: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/nowhere/ca.pem")
    with serving(issue(root, "localhost").context()) as server, Session() as session, no_socket_left():
        with pytest.raises(SSLError, match=rf"'/nowhere/ca\.pem', which {variable} names, can't be loaded"):
            session.get(server.url())


def test_a_folder_without_the_names_that_openssl_looks_for_is_told(root: Issued, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(pem(root.certificate))
    with serving(issue(root, "localhost").context()) as server, Session(verify=tmp_path) as session:
        with pytest.raises(SSLError, match=r"no certificate by the name.*openssl rehash"):
            session.get(server.url(host="localhost"))
        rehash(tmp_path)
        assert session.get(server.url(host="localhost")).text == "ok"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("encrypted", r"the key is encrypted: cert= takes it as \(certificate, key, password\)"),
        ("wrong password", r"the password does not fit: cert= takes it as"),
        ("long password", r"password cannot be longer.*the password does not fit"),
        ("other key", r"key values mismatch.*takes a PEM file with both, or a pair of files"),
        ("no key", r"can't be loaded.*takes a PEM file with both, or a pair of files"),
        ("missing key", r"No such file or directory: '/nowhere/key\.pem'"),
        ("missing both", r"No such file or directory: '/nowhere/me\.pem', '/nowhere/key\.pem'"),
        ("a NUL", r"null"),
    ],
)
def test_a_client_certificate_that_can_not_be_used_is_told_with_the_remedy_and_no_secret(
    what: str, message: str, root: Issued, root_file: str, tmp_path: Path
) -> None:
    mine = issue(root, "me.example", usage=CLIENT)
    plain = mine.files(tmp_path / "plain")
    encrypted = mine.files(tmp_path / "encrypted", "the password")
    other = issue(root, "me.example").files(tmp_path / "other")
    certificates: dict[str, Any] = {
        "encrypted": (encrypted.certificate, encrypted.key),
        "wrong password": (encrypted.certificate, encrypted.key, "geheim"),
        "long password": (encrypted.certificate, encrypted.key, "geheim" * 1000),
        "other key": (plain.certificate, other.key),
        "no key": plain.certificate,
        "missing key": (plain.certificate, "/nowhere/key.pem"),
        "missing both": ("/nowhere/me.pem", "/nowhere/key.pem"),
        "a NUL": ("a\0b", plain.key),
    }
    with serving(issue(root, "localhost").context()) as server, Session(verify=root_file) as session:
        with no_socket_left(), pytest.raises(SSLError, match=message) as refused:
            session.get(server.url(host="localhost"), cert=certificates[what])
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("name", ["a" * 64 + ".example", ".example", "a\0b"])
def test_a_name_that_can_be_in_no_certificate_leaves_no_socket_behind(
    name: str, root: Issued, root_file: str
) -> None:
    with serving(issue(root, "localhost").context()) as server, Session(verify=root_file) as session:
        session.mount("https://", HTTPAdapter(server_hostname=name))
        with no_socket_left(), pytest.raises(SSLError):
            session.get(server.url(host="localhost"))


# --- files that change


def rehash(folder: Path) -> None:
    subprocess.run(["openssl", "rehash", str(folder)], capture_output=True, timeout=60, check=True)


def write_in_place(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def put_in_its_place(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def write_with_the_old_date_and_size(path: Path, content: bytes) -> None:
    before = path.stat()
    path.write_bytes(content.ljust(before.st_size, b"\n")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [write_in_place, put_in_its_place, write_with_the_old_date_and_size])
def test_a_changed_ca_file_counts_at_once_for_connections_too_that_the_old_one_verified(
    change: Callable[[Path, bytes], None], root: Issued, tmp_path: Path
) -> None:
    """R1, S1."""
    other = authority("the roof")
    path = tmp_path / "ca.pem"
    # Of the same length, which in DER the numbers in it may differ by.
    path.write_bytes(pem(root.certificate).ljust(2000, b"\n"))
    with serving(issue(root, "localhost").context()) as server, Session(verify=path) as session:
        url = server.url(host="localhost")
        session.get(url)
        session.get(url)
        assert (server.accepted, len(server.requests)) == (1, 2)
        change(path, pem(other.certificate).ljust(2000, b"\n"))
        for _ in range(2):
            with pytest.raises(SSLError, match="unable to get local issuer"):
                session.get(url)
        assert len(server.requests) == 2
        change(path, pem(root.certificate).ljust(2000, b"\n"))
        assert session.get(url).text == "ok"


def test_a_ca_file_that_vanishes_or_appears_counts_at_once(root: Issued, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with serving(issue(root, "localhost").context()) as server, Session(verify=path) as session:
        url = server.url(host="localhost")
        for _ in range(2):
            with pytest.raises(SSLError, match=r"No such file"):
                session.get(url)
            path.write_bytes(pem(root.certificate))
            assert session.get(url).text == "ok"
            path.unlink()


def test_what_is_put_into_a_ca_folder_or_taken_out_of_it_counts_at_once(root: Issued, tmp_path: Path) -> None:
    other = authority("another root")
    (tmp_path / "other.pem").write_bytes(pem(other.certificate))
    rehash(tmp_path)
    with serving(issue(root, "localhost").context()) as server, Session(verify=tmp_path) as session:
        url = server.url(host="localhost")
        with pytest.raises(SSLError, match="unable to get local issuer"):
            session.get(url)
        (tmp_path / "root.pem").write_bytes(pem(root.certificate))
        rehash(tmp_path)
        assert session.get(url).text == "ok"
        (tmp_path / "root.pem").unlink()
        rehash(tmp_path)
        with pytest.raises(SSLError, match="unable to get local issuer"):
            session.get(url)
        assert len(server.requests) == 1


def test_a_renewed_client_certificate_is_shown_from_the_next_connection_on(
    ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    clients = trustme.CA()
    shown: list[str] = []

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            certificate = peer.tls.getpeercert()
            assert certificate is not None
            shown.append(str(certificate["serialNumber"]))
            peer.send(respond(b"ok"))

    with ScriptedServer(script, tls=server_context(ca, client_ca=clients)) as server:
        with Session(verify=ca_file) as session:
            for _ in range(2):
                pair = key_pair(clients, tmp_path, "me.example")
                session.get(server.url(), cert=(pair.certificate, pair.key))
                session.close()
    assert len(set(shown)) == 2


def test_the_file_that_ssl_cert_file_names_may_change(
    root: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1."""
    path = tmp_path / "store.pem"
    path.write_bytes(pem(authority("another root").certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with serving(issue(root, "localhost").context()) as server, Session() as session:
        with pytest.raises(SSLError, match="unable to get local issuer"):
            session.get(server.url(host="localhost"))
        path.write_bytes(pem(root.certificate))
        assert session.get(server.url(host="localhost")).text == "ok"
        # R1: nor is a connection used that the old one verified.
        path.write_bytes(pem(authority("another root").certificate))
        with pytest.raises(SSLError, match="unable to get local issuer"):
            session.get(server.url(host="localhost"))
        assert len(server.requests) == 1


def test_a_context_is_found_again_until_a_file_of_its_changes(ca: trustme.CA, tmp_path: Path) -> None:
    """S1."""
    mine = key_pair(ca, tmp_path, "me.example")
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    identity = TLSIdentity(ca=str(path), cert=mine.certificate, key=mine.key)
    seen = [context_for(identity)]
    assert context_for(identity) is seen[0]
    for changed in (path, Path(mine.certificate), Path(mine.key)):
        changed.write_bytes(changed.read_bytes())
        os.utime(changed, ns=(1, 1))
        seen.append(context_for(identity))
        assert context_for(identity) is seen[-1]
    assert len(set(seen)) == 4


def test_the_version_of_a_file_is_none_where_there_is_none(tmp_path: Path) -> None:
    assert file_version(str(tmp_path / "none")) is None
    assert file_version("a\0b") is None
    assert file_version(str(tmp_path)) == file_version(str(tmp_path)) is not None


# --- nobody is served by a connection, or by a ticket, that somebody else's trust made


def identities(ca_file: str, folder: Path, mine: KeyPair, others: KeyPair) -> list[TLSIdentity]:
    """One for each thing that an identity can differ in; all of them accept the server."""
    plain = TLSIdentity(ca=ca_file)
    copy = folder / "copy.pem"
    copy.write_bytes(Path(ca_file).read_bytes())
    contexts = [ssl.create_default_context(cafile=ca_file) for _ in range(2)]
    return [
        plain,
        TLSIdentity(ca=str(copy)),
        TLSIdentity(ca=ca_file, ca_version=(1,)),
        TLSIdentity(ca=ca_file, ca_version=(2,)),
        TLSIdentity(store=Store(file=ca_file)),
        TLSIdentity(ca=ca_file, cert=mine.certificate, key=mine.key),
        TLSIdentity(ca=ca_file, cert=others.certificate, key=others.key),
        TLSIdentity(ca=ca_file, cert=mine.certificate, key=mine.key, password="any"),
        TLSIdentity(ca=ca_file, server_hostname="example.com"),
        TLSIdentity(ca=ca_file, server_hostname="api.example.com"),
        *[TLSIdentity(context=context) for context in contexts],
        TLSIdentity(context=contexts[0], server_hostname="example.com"),
        TLSIdentity(verify=False),
        TLSIdentity(verify=False, cert=mine.certificate, key=mine.key),
    ]


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_neither_connections_nor_tickets_are_shared_between_identities(
    version: ssl.TLSVersion, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    """R1, S2: same host, same port; each has a connection of its own, and resumes a session of its own."""
    pairs = [key_pair(ca, tmp_path / name, f"{name}.example") for name in ("me", "you")]
    every = identities(ca_file, tmp_path, *pairs)
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.tls.session_reused)
        while peer.read_request() is not None:
            peer.send(respond(b"ok"))

    context = server_context(ca)
    context.minimum_version = context.maximum_version = version
    with ScriptedServer(script, tls=context) as server:
        routes = [Route("https", server.host, server.port, identity) for identity in every]
        pool = ConnectionPool()
        for expected in (len(every), len(every), 2 * len(every)):
            for route in routes:
                ask(pool, route)
            assert server.accepted == expected
            if expected == len(resumed) and len(server.requests) > len(every):
                pool.close()  # after the second round, whose requests went over the connections of the first
        pool.close()
    assert resumed == [False] * len(every) + [True] * len(every)


def ask(pool: ConnectionPool, route: Route) -> bytes:
    request = OutgoingRequest.make("GET", "/", [(b"Host", b"example.com")])
    return pool.send(route, request, Timeout().start()).read()


@pytest.mark.parametrize("first", ["no verification", "its authority", "its authority in a file"])
def test_who_stands_in_between_is_not_used_by_a_request_that_would_refuse_him(
    first: str, root: Issued, root_file: str, tmp_path: Path
) -> None:
    """R1, S2: one request accepted his certificate; the next one asks for the true authority."""
    other = authority("the authority of who stands in between")
    his = tmp_path / "his.pem"
    his.write_bytes(pem(other.certificate))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(pem(other.certificate))
    rehash(folder)
    accepting: dict[str, Any] = {
        "no verification": False,
        "its authority": str(his),
        "its authority in a file": str(folder),
    }
    with serving(issue(other, "localhost").context()) as server, Session() as session:
        url = server.url(host="localhost")
        for _ in range(2):
            assert session.get(url, verify=accepting[first]).text == "ok"
            with pytest.raises(SSLError):
                session.get(url, verify=root_file)
            with pytest.raises(SSLError):
                session.get(url)
        assert len(server.requests) == 2


# --- unverified


@pytest.fixture
def nobody() -> str:
    """A name that no test has warned of: it is done once in the life of the process."""
    return f"{uuid.uuid4().hex}.example"


def test_who_is_not_verified_is_warned_of_once_at_the_line_that_asks(root: Issued, nobody: str) -> None:
    with serving(issue(root, "other.example").context()) as server:
        with Session(verify=False, resolver=loopback) as session:

            def ask_twice() -> None:
                for _ in range(2):
                    assert session.get(f"https://{nobody}:{server.port}/").text == "ok"
                    session.close()

            with pytest.warns(InsecureRequestWarning) as told:
                ask_twice()
    line = ask_twice.__code__.co_firstlineno + 2
    assert [(each.filename, each.lineno) for each in told] == [(__file__, line)]
    assert nobody in str(told[0].message)
    message = str(told[0].message)
    for words in ("verify=False", "can pose as it, read all", "PEM file, verify='/path/to/ca.pem'"):
        assert words in message


def test_each_host_is_warned_of_and_none_that_is_verified(ca: trustme.CA, ca_file: str, nobody: str) -> None:
    names = [nobody, f"a.{nobody}", f"verified.{nobody}"]
    with serving(server_context(ca, *names)) as server:
        with warnings.catch_warnings(record=True) as told, Session(resolver=loopback) as session:
            warnings.simplefilter("always")
            for name in (names[0], names[1], names[0]):
                session.get(f"https://{name}:{server.port}/", verify=False)
            session.get(f"https://{names[2]}:{server.port}/", verify=ca_file)
    kinds = [each.category for each in told]
    assert kinds == [InsecureRequestWarning] * 2


def test_where_warnings_are_errors_nothing_is_dialled_however_often(root: Issued, nobody: str) -> None:
    with serving(issue(root, "other.example").context()) as server:
        with warnings.catch_warnings(), Session(verify=False, resolver=loopback) as session, no_socket_left():
            warnings.simplefilter("error")
            for _ in range(2):
                with pytest.raises(InsecureRequestWarning):
                    session.get(f"https://{nobody}:{server.port}/")
    assert server.accepted == 0


def test_many_threads_at_once_are_warned_once(root: Issued, nobody: str) -> None:
    with serving(issue(root, "other.example").context()) as server:
        with Session(verify=False, resolver=loopback) as session:

            def ask_in_many_threads() -> None:
                start = threading.Barrier(8)

                def go() -> None:
                    start.wait()
                    session.get(f"https://{nobody}:{server.port}/")

                threads = [threading.Thread(target=go) for _ in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

            with pytest.warns(InsecureRequestWarning) as told:
                ask_in_many_threads()
    assert len(told) == 1
    assert len(server.requests) == 8


def test_a_context_that_verifies_nobody_is_warned_of_too(root: Issued, nobody: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with serving(issue(root, "other.example").context()) as server:
        with Session() as session:
            session.mount("https://", HTTPAdapter(ssl_context=context, resolver=loopback))
            with pytest.warns(InsecureRequestWarning):
                session.get(f"https://{nobody}:{server.port}/")


@pytest.mark.parametrize("way", ["argument", "init_poolmanager"])
def test_a_context_that_checks_no_name_is_warned_of_with_the_remedy(
    way: str, root: Issued, root_file: str, nobody: str
) -> None:
    """Under requests urllib3 checks the name beside such a context, and programs rely on that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(root_file)
    context.check_hostname = False

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            kwargs["ssl_context"] = context
            super().init_poolmanager(*args, **kwargs)

    given: dict[str, Any] = {"ssl_context": context} if way == "argument" else {}
    adapter = (HTTPAdapter if way == "argument" else Adapter)(resolver=loopback, **given)
    with serving(issue(root, "other.example").context()) as server, Session() as session:
        session.mount("https://", adapter)
        with pytest.warns(InsecureRequestWarning, match=r"check_hostname.*server_hostname="):
            session.get(f"https://{nobody}:{server.port}/")


def test_a_crawler_that_verifies_nobody_keeps_a_bounded_record_of_whom_it_was_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tls_unverified, "_MOST_WARNED", 3)
    for number in range(10):
        tls_unverified.warn_if_unverified(
            Route("https", f"h{number}.example", 443, TLSIdentity(verify=False))
        )
        assert len(tls_unverified._warned) <= 3


@pytest.mark.parametrize(
    "odd",
    [(0x81, b"j\xfcrgen@example.com"), (0x86, b"http://x.example/\xfc"), (0x82, b"b\xfccher.example")],
    ids=["e-mail", "URL", "DNS"],
)
def test_a_certificate_with_names_beside_the_hosts_that_are_not_utf_8_is_taken(
    odd: tuple[int, bytes], root: Issued, root_file: str, nobody: str
) -> None:
    """It was verified by OpenSSL; Python alone can't show it."""
    with serving(issue_with_odd_names(root, nobody, odd).context()) as server:
        with Session(verify=root_file, resolver=loopback) as session, no_socket_left():
            response = session.get(f"https://{nobody}:{server.port}/")
            session.close()
    assert response.text == "ok"
    assert response.tls is not None
    assert response.tls.certificate == {}
    assert odd[1] in response.tls.certificate_der


def test_a_child_may_warn_though_a_thread_of_its_parent_was_about_to(root: Issued) -> None:
    """L4: told by a hook that never comes to its end in the parent."""
    program = """
import os, signal, sys, threading, warnings
import pystickyhttp
url = sys.argv[1]
warning, end = threading.Event(), threading.Event()

def hang(message, category, *args, **kwargs):
    # os.fork() warns as well.
    if category is pystickyhttp.InsecureRequestWarning:
        warning.set()
        end.wait()

warnings.showwarning = hang
warnings.simplefilter("always", pystickyhttp.InsecureRequestWarning)
thread = threading.Thread(target=pystickyhttp.get, args=(url,), kwargs={"verify": False})
thread.start()
warning.wait()
child = os.fork()
if not child:
    signal.alarm(30)
    warnings.showwarning = lambda *args, **kwargs: None
    os._exit(pystickyhttp.get(url, verify=False).status_code - 200)
print(os.waitpid(child, 0)[1])
end.set()
thread.join()
"""
    with serving(issue(root, "localhost").context()) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.url()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.stdout, done.returncode) == ("0\n", 0)


# --- verifiers of another making


class Pinning(ssl.SSLContext):
    """Trusts one certificate alone, and looks at it when the handshake is over, as truststore once did."""

    pinned = b""

    def wrap_socket(self, *args: Any, **settings: Any) -> ssl.SSLSocket:
        sock = super().wrap_socket(*args, **settings)
        if sock.version() is not None and sock.getpeercert(binary_form=True) != self.pinned:
            sock.close()
            raise ssl.SSLCertVerificationError("it is not the pinned one")
        return sock


def pinning(certificate: x509.Certificate | None) -> Pinning:
    context = Pinning(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.pinned = b"" if certificate is None else ssl.PEM_cert_to_DER_cert(pem(certificate).decode())
    return context


def test_a_context_that_verifies_when_the_handshake_is_over_is_let_do_so_before_a_byte_is_sent(
    root: Issued, nobody: str
) -> None:
    """S1: no ticket makes up for it either."""
    leaf = issue(root, "localhost")
    heard: list[bytes] = []

    def listen(peer: Peer) -> None:
        heard.append(peer.read_until_eof())

    with serving(leaf.context()) as server, Session() as session:
        session.mount("https://", HTTPAdapter(ssl_context=pinning(leaf.certificate)))
        for _ in range(2):
            response = session.get(server.url())
            assert response.text == "ok"
            assert response.tls is not None
            assert not response.tls.resumed
            session.close()
    with ScriptedServer(listen, tls=leaf.context()) as server, Session() as session:
        session.mount("https://", HTTPAdapter(ssl_context=pinning(None)))
        with no_socket_left(), pytest.raises(SSLError, match="it is not the pinned one"):
            session.post(server.url(), data="secret")
        server.wait_for_scripts()
    assert heard == [b""]


class LateSocket(ssl.SSLSocket):
    """Verifies in a handshake of its own."""

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        raise ssl.SSLCertVerificationError("nobody is good enough")


@pytest.mark.parametrize("kind", ["by wrap_socket", "by its sockets"])
def test_within_the_tls_of_a_proxy_a_context_that_would_verify_nobody_there_is_refused(
    kind: str, ca: trustme.CA, root: Issued
) -> None:
    """S1: TLS within TLS is made in memory."""
    if kind == "by wrap_socket":
        context: ssl.SSLContext = pinning(None)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.sslsocket_class = LateSocket
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(trusting)
    with serving(issue(root, "localhost").context()) as far:
        origins = {"localhost:443": (far.host, far.port)}
        with ProxyServer(origins, tls=server_context(ca, "127.0.0.1")) as proxy:
            adapter = HTTPAdapter(ssl_context=context, proxy_ssl_context=trusting)
            with Session(proxies={"all": f"https://127.0.0.1:{proxy.port}"}) as session, no_socket_left():
                session.mount("https://", adapter)
                with pytest.raises(SSLError, match=r"TLS within that of an https proxy .*http:// proxy"):
                    session.get("https://localhost/")
                session.close()
    assert far.requests == []


def test_a_context_of_truststores_verifies_here_and_within_the_tls_of_a_proxy(
    ca: trustme.CA, root: Issued, root_file: str
) -> None:
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(root_file)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(trusting)
    good, bad = issue(root, "localhost"), issue(root, "other.example")
    with serving(good.context()) as first, serving(bad.context()) as second:
        origins = {"localhost:1": (first.host, first.port), "localhost:2": (second.host, second.port)}
        with ProxyServer(origins, tls=server_context(ca, "127.0.0.1")) as proxy, Session() as session:
            session.mount("https://", HTTPAdapter(ssl_context=context, proxy_ssl_context=trusting))
            through = {"all": f"https://127.0.0.1:{proxy.port}"}
            for _ in range(2):
                assert session.get(first.url(host="localhost")).text == "ok"
                assert session.get("https://localhost:1/", proxies=through).text == "ok"
                with pytest.raises(SSLError, match="localhost"):
                    session.get(second.url(host="localhost"))
                with pytest.raises(SSLError, match="localhost"):
                    session.get("https://localhost:2/", proxies=through)
                session.close()
    assert second.requests == []


def test_the_platforms_own_verifier_is_asked_where_it_is_wanted(
    root: Issued, root_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: on Linux it reads OpenSSL's variables by itself."""
    with serving(issue(root, "localhost").context()) as server, Session(verify=certs.PLATFORM) as session:
        with no_socket_left(), pytest.raises(SSLError, match="localhost"):
            session.get(server.url(host="localhost"))
        monkeypatch.setenv("SSL_CERT_FILE", root_file)
        for _ in range(2):
            response = session.get(server.url(host="localhost"))
            assert response.text == "ok"
            assert response.tls is not None
            assert response.tls.certificate["subjectAltName"] == (("DNS", "localhost"),)
        assert server.accepted == 2
    with serving(issue(root, common_name="localhost").context()) as server:
        with Session(verify=certs.PLATFORM) as session, pytest.raises(SSLError, match="ismatch"):
            session.get(server.url(host="localhost"))


def test_who_is_verified_by_the_platform_may_be_shown_a_client_certificate(
    ca: trustme.CA, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: `verify` says whom the client believes, and `cert` who it is."""
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    clients = trustme.CA()
    pair = key_pair(clients, tmp_path, "me.example")
    shown: list[Any] = []

    def script(peer: Peer) -> None:
        peer.expect_request()
        shown.append(peer.tls.getpeercert())
        peer.send(respond(b"ok"))

    with ScriptedServer(script, tls=server_context(ca, client_ca=clients)) as server:
        with Session(verify=certs.PLATFORM) as session:
            assert session.get(server.url(), cert=(pair.certificate, pair.key)).text == "ok"
    assert ("DNS", "me.example") in shown[0]["subjectAltName"]


def test_without_truststore_the_platforms_verifier_is_an_error_that_says_what_to_install(
    root: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "truststore", None)
    with serving(issue(root, "localhost").context()) as server, Session(verify=certs.PLATFORM) as session:
        with no_socket_left(), pytest.raises(SSLError, match=r"pip install 'pystickyhttp\[truststore\]'"):
            session.get(server.url(host="localhost"))


def test_the_platforms_verifier_of_one_connection_does_not_wait_for_that_of_another(
    root: Issued, root_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T1: a server that is silent in its handshake holds up nobody else."""
    monkeypatch.setenv("SSL_CERT_FILE", root_file)
    shaking, done = threading.Event(), threading.Event()

    def fall_silent(peer: Peer) -> None:
        peer.read_some()
        shaking.set()
        peer.wait(done)

    with ScriptedServer(fall_silent) as silent, serving(issue(root, "localhost").context()) as server:
        with Session(verify=certs.PLATFORM) as session:

            def ask_the_silent_one() -> None:
                with pytest.raises(SSLError):
                    session.get(f"https://127.0.0.1:{silent.port}/", timeout=60)

            thread = threading.Thread(target=ask_the_silent_one)
            thread.start()
            assert shaking.wait(30)
            assert session.get(server.url(host="localhost")).text == "ok"
            assert thread.is_alive()
            done.set()
            thread.join()


def test_platform_pickles_as_what_it_is() -> None:
    """L4."""
    assert pickle.loads(pickle.dumps(certs.PLATFORM)) == certs.PLATFORM
    with Session(verify=certs.PLATFORM) as session, pickle.loads(pickle.dumps(session)) as copy:
        assert copy.verify == certs.PLATFORM


def test_truststore_may_have_been_put_in_the_place_of_the_standard_library(
    root: Issued, root_file: str
) -> None:
    """By inject_into_ssl(), before or after: contexts are of another making then."""
    program = """
import sys, truststore
before, url, ca = sys.argv[1:]
if before == "before":
    truststore.inject_into_ssl()
import pystickyhttp
truststore.inject_into_ssl()
print(pystickyhttp.get(url, verify=ca).text)
for refusing in (True, pystickyhttp.certs.PLATFORM):
    try:
        pystickyhttp.get(url, verify=refusing)
    except pystickyhttp.SSLError as error:
        print("local issuer" in str(error))
"""
    with serving(issue(root, "localhost").context()) as server:
        for moment in ("before", "after"):
            done = subprocess.run(
                [
                    sys.executable,
                    "-W",
                    "error",
                    "-c",
                    program,
                    moment,
                    server.url(host="localhost"),
                    root_file,
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.stdout.split(), done.stderr) == (["ok", "True", "True"], "")


def test_a_server_hostname_may_be_given_in_any_script(root: Issued, root_file: str) -> None:
    """S3: by IDNA 2008, as a URL's host."""
    with serving(issue(root, "xn--strae-oqa.example").context()) as server:
        with Session(verify=root_file) as session:
            session.mount("https://", HTTPAdapter(server_hostname="straße.example"))
            assert session.get(server.url()).text == "ok"
