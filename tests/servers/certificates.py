"""Certificates that are real in all but the authority.

An authority of the tests' own signs for any name, so that the client verifies chain, name and dates exactly
as it does in the world; only its trust store is another one.
"""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import trustme

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
