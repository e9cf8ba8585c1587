"""Certificates that are real in all but the authority.

An authority of the tests' own signs for any name, so that the client verifies chain, name and dates exactly
as it does in the world; only its trust store is another one.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from weakref import WeakKeyDictionary

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The names that the examples of the documentation talk to, and those of the loopback.
NAMES = ("localhost", "127.0.0.1", "::1", "httpbin.org", "api.example.com", "example.com")


# By which name the client asked for the server, of each connection that lives.
_names_asked_for: WeakKeyDictionary[ssl.SSLSocket | ssl.SSLObject, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its chain, and its key, as PEM files."""

    certificate: str
    key: str


def server_context(
    ca: trustme.CA,
    *names: str,
    not_after: datetime.datetime | None = None,
    client_ca: trustme.CA | None = None,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """A server's context with a certificate for `names` (all of NAMES without any).

    A `not_after` in the past makes it expired; with `client_ca` the client must show a certificate of that
    authority.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or NAMES), not_after=not_after).configure_cert(context)
    context.sni_callback = _remember_name
    if client_ca is not None:
        client_ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def name_asked_for(connection: ssl.SSLSocket | ssl.SSLObject) -> str | None:
    """The server name that the client indicated, None if it did not; for contexts of `server_context`."""
    return _names_asked_for.get(connection)


def _remember_name(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
    if name is not None:
        _names_asked_for[connection] = name


def key_pair(ca: trustme.CA, folder: Path, *names: str) -> KeyPair:
    """A certificate for `names` (all of NAMES without any) as files: a server program's, or a client's."""
    issued = ca.issue_cert(*(names or NAMES))
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    return KeyPair(str(certificate), str(key))


# -- certificates with a flaw -----------------------------------------------------------------------------

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and those above it that a server sends along."""

    certificate: x509.Certificate
    key: PrivateKey
    above: tuple[x509.Certificate, ...] = ()

    def files(self, folder: Path, password: str | None = None) -> KeyPair:
        """The certificate with its chain, and its key, as files."""
        folder.mkdir(parents=True, exist_ok=True)
        pair = KeyPair(str(folder / "certificate.pem"), str(folder / "key.pem"))
        Path(pair.certificate).write_bytes(pem(self.certificate, *self.above))
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password.encode())
        Path(pair.key).write_bytes(
            self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return pair

    def context(self) -> ssl.SSLContext:
        """A server's context that shows it, however weak it is."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with tempfile.TemporaryDirectory() as folder:
            pair = self.files(Path(folder))
            context.load_cert_chain(pair.certificate, pair.key)
        return context


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates as they stand in a file."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def authority(
    name: str,
    by: Issued | None = None,
    *,
    path_length: int | None = None,
    permitted: str | None = None,
    days: tuple[float, float] = (-2, 30),
) -> Issued:
    """An authority: a root, or below another one, which may allow it so many levels, or one domain alone."""
    may: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(True, path_length), True)]
    if permitted is not None:
        may.append((x509.NameConstraints([x509.DNSName(permitted)], None), True))
    return _signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), by, may, days)


def issue(
    by: Issued | None,
    *names: str,
    common_name: str = "a server",
    days: tuple[float, float] = (-2, 30),
    usage: x509.ObjectIdentifier = SERVER,
    key: PrivateKey | None = None,
    further: tuple[x509.ExtensionType, ...] = (),
) -> Issued:
    """A certificate for `names`, without any for the `common_name` alone; without `by` signed by itself.

    It is valid between so many `days` from now. What is `further` said in it is critical.
    """
    says: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage([usage]), False)]
    if names:
        says.append((x509.SubjectAlternativeName([_general_name(name) for name in names]), False))
    says += [(extension, True) for extension in further]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return _signed(subject, by, says, days, key)


def issue_with_odd_names(by: Issued, name: str, *others: tuple[int, bytes]) -> Issued:
    """A certificate for `name`, and for others as (tag of a GeneralName, bytes), which nobody checks."""
    names = [(0x82, name.encode("ascii")), *others]  # RFC 5280, section 4.2.1.6: 2 is a DNS name
    content = b"".join(bytes([tag, len(value)]) + value for tag, value in names)
    extension = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("2.5.29.17"), bytes([0x30, len(content)]) + content
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
    return _signed(subject, by, [(x509.ExtendedKeyUsage([SERVER]), False), (extension, False)])


def issue_by_sha1(by: Issued, name: str) -> Issued:
    """A certificate that is signed by SHA-1, which `cryptography` no longer does, and openssl does."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
    wanted = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        pair = by.files(folder)
        (folder / "wanted").write_bytes(wanted.public_bytes(serialization.Encoding.PEM))
        (folder / "extensions").write_text(f"subjectAltName = DNS:{name}\nextendedKeyUsage = serverAuth\n")
        signing = ["openssl", "x509", "-req", "-sha1", "-CA", pair.certificate, "-CAkey", pair.key]
        signing += ["-in", "wanted", "-extfile", "extensions", "-days", "30", "-set_serial", "1"]
        signed = subprocess.run(signing, cwd=folder, capture_output=True, timeout=60, check=True).stdout
    return Issued(x509.load_pem_x509_certificate(signed), key)


def _signed(
    subject: x509.Name,
    by: Issued | None,
    extensions: list[tuple[x509.ExtensionType, bool]],
    days: tuple[float, float] = (-2, 30),
    key: PrivateKey | None = None,
) -> Issued:
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    issuer_key = key if by is None else by.key
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=subject if by is None else by.certificate.subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now + datetime.timedelta(days=days[0]),
        not_valid_after=now + datetime.timedelta(days=days[1]),
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    # The root is the client's to have.
    above = (
        () if by is None or by.certificate.issuer == by.certificate.subject else (by.certificate, *by.above)
    )
    return Issued(certificate, key, above)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
