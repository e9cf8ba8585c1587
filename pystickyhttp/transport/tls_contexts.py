"""SSLContexts by the settings of a TLS identity: whom they trust, and what they show (law S1)."""

from __future__ import annotations

import os
import re
import ssl
import sys
from functools import lru_cache
from typing import Final

from ..exceptions import SSLError
from .route import FileVersion, Store, TLSIdentity, file_version
from .tls_errors import reason_of

# The names by which OpenSSL looks for a certificate in a folder.
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")


def context_for(identity: TLSIdentity) -> ssl.SSLContext:
    """The SSLContext of an identity; one that was made before is used again, unless a file has changed since.

    Args:
        identity: the identity. Its `context`, where it has one, is returned as it is.

    Raises:
        SSLError: a file of the identity can't be read, or does not hold what it should; or the platform's
            verifier is asked for, and not installed.
    """
    if identity.context is not None:
        return identity.context
    if identity.verify and identity.ca is None and identity.store.platform:
        return _platform_context(identity)
    # The state of the files is read ahead of the files: what is loaded may be newer, and never older.
    versions = tuple([file_version(path) for path in _files_of(identity)])
    return _cached_context(
        identity.verify,
        identity.ca,
        identity.cert,
        identity.key,
        identity.password,
        identity.store,
        versions,
    )


def _files_of(identity: TLSIdentity) -> list[str]:
    files = [path for path in (identity.ca, identity.cert, identity.key) if path is not None]
    if identity.verify and identity.ca is None:
        files += _places_of(identity.store)
    return files


@lru_cache(maxsize=8)  # as many as the environment has ways to name a store, see `environment`
def _places_of(store: Store) -> tuple[str, ...]:
    """The file and the folders that a store is read from."""
    # OpenSSL would read the environment's variables by itself, whoever wants them or not.
    system = ssl.get_default_verify_paths()
    folders = (store.folder or system.openssl_capath).split(os.pathsep)
    return store.file or system.openssl_cafile, *folders


# Reading a store of roots costs as much as many requests. A program has a handful of identities; the bound
# is for one that makes them up as it goes, and for files that change by the hour.
@lru_cache(maxsize=64)
def _cached_context(
    verify: bool,
    ca: str | None,
    cert: str | None,
    key: str | None,
    password: str | None,
    store: Store,
    versions: tuple[FileVersion, ...],
) -> ssl.SSLContext:
    context = _bare_context(ssl.SSLContext)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is not None:
        _load_ca(context, ca)
    else:
        _load_store(context, store)
    if cert is not None:
        _load_client_certificate(context, cert, key, password)
    # As everywhere but in Python before 3.13: whoever trusts a certificate need not trust the one above it.
    # VERIFY_X509_STRICT, which Python 3.13 sets as well, is left out: it refuses authorities of companies for
    # an identifier that they lack, and keeps out nobody who has not the key of an authority anyway.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _bare_context(kind: type[ssl.SSLContext]) -> ssl.SSLContext:
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: the earlier ones are not to be used
    context.hostname_checks_common_name = False  # S3: the SAN only (RFC 9110, section 4.3.4)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _platform_context(identity: TLSIdentity) -> ssl.SSLContext:
    """A context that lets the platform verify.

    Each connection has one of its own: truststore holds a lock of the context over the whole handshake, and a
    server that is silent in one would hold up the others beyond their time (law T1).
    """
    try:
        import truststore  # an optional extra: loaded only where it is asked for
    except ImportError as error:
        raise SSLError(
            "the platform's own verifier is asked for by truststore, which is not installed: "
            "pip install 'pystickyhttp[truststore]', or leave verify=True for OpenSSL's"
        ) from error
    context = _bare_context(truststore.SSLContext)
    if identity.cert is not None:
        _load_client_certificate(context, identity.cert, identity.key, identity.password)
    return context


def _load_ca(context: ssl.SSLContext, ca: str) -> None:
    try:
        if os.path.isdir(ca):
            _check_is_hashed(ca)
            context.load_verify_locations(capath=ca)
        else:
            context.load_verify_locations(cafile=ca)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SSLError(
            f"the CA certificates {ca!r}{_named_by(ca)} can't be loaded: {reason_of(error)}. "
            f"verify= takes a PEM file or a folder made by `openssl rehash`"
        ) from error


def _check_is_hashed(folder: str) -> None:
    """OpenSSL would pass over files by other names without a word, and then know no authority."""
    if not any(_HASHED.fullmatch(name) for name in os.listdir(folder)):
        raise ValueError("the folder has no certificate by the name that OpenSSL looks for")


def _named_by(ca: str) -> str:
    """Which variable of the environment names a file that can't be loaded; the caller may never have."""
    names = [name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name) == ca]
    return f", which {' and '.join(names)} names," if names else ""


def _load_store(context: ssl.SSLContext, store: Store) -> None:
    """S1: the system's store first, certifi where it is installed and the system has none."""
    if sys.platform == "win32":  # pragma: no cover - Windows, whose store is no file
        context.load_default_certs()
    file, *folders = _places_of(store)
    _load_from(context, "SSL_CERT_FILE", store.file, cafile=file)
    _load_from(context, "SSL_CERT_DIR", store.folder, capath=os.pathsep.join(folders))
    if _has_roots(context, folders):
        return
    try:
        import certifi  # an optional extra: loaded only where the system has no store
    except ImportError:
        return  # the handshake fails, and says what to do
    context.load_verify_locations(cafile=certifi.where())


def _load_from(context: ssl.SSLContext, variable: str, said: str | None, **where: str) -> None:
    try:
        context.load_verify_locations(**where)
    except (OSError, ValueError) as error:
        if said is not None:  # of the system's own places it is normal that one is not there
            raise SSLError(
                f"the CA certificates {said!r}, which {variable} names, can't be loaded: {reason_of(error)}. "
                f"Correct the variable, or pass verify='/path/to/ca.pem'"
            ) from error


def _has_roots(context: ssl.SSLContext, folders: list[str]) -> bool:
    try:
        if context.cert_store_stats()["x509_ca"]:
            return True
    except NotImplementedError:  # truststore.inject_into_ssl() was called: the platform has its own
        return True
    # A folder of roots is read at the handshake, root by root: OpenSSL can't count it beforehand.
    return any(os.path.isdir(folder) and os.listdir(folder) for folder in folders)


def _load_client_certificate(
    context: ssl.SSLContext, cert: str, key: str | None, password: str | None
) -> None:
    asked = False

    def tell() -> str:
        nonlocal asked
        asked = True
        # Without a password OpenSSL asks for one at the terminal, and a program in the background would hang.
        return password or ""

    # RFC 8446, section 4.6.2: a server may want it for some resources alone, and ask when it sees which.
    context.post_handshake_auth = True
    try:
        context.load_cert_chain(cert, key, password=tell)
    except (OSError, ValueError) as error:
        remedy = "cert= takes a PEM file with both, or a pair of files"
        if asked:
            lack = "the key is encrypted" if password is None else "the password does not fit"
            remedy = f"{lack}: cert= takes it as (certificate, key, password)"
        raise SSLError(
            f"the client certificate {cert!r} with key {key or cert!r} can't be loaded: "
            f"{_reason_of_loading(error, cert, key)}. {remedy}"
        ) from error


def _reason_of_loading(error: OSError | ValueError, cert: str, key: str | None) -> str:
    """As `reason_of`, and which of the two files it is about, where the system does not say."""
    if not isinstance(error, FileNotFoundError):
        return reason_of(error)
    missing = [path for path in (cert, key) if path is not None and not os.path.exists(path)]
    return f"{reason_of(error)}: {', '.join(map(repr, missing))}"


def lacks_roots(identity: TLSIdentity) -> bool:
    """Whether the system's store is meant, and there is none, nor certifi in its place."""
    if identity.context is not None or identity.ca is not None or identity.store.platform:
        return False
    _, *folders = _places_of(identity.store)
    return not _has_roots(context_for(identity), folders)


def is_of_the_standard_library(context: ssl.SSLContext) -> bool:
    """Whether a context verifies as the standard library's do, and not by means of its own."""
    # Not `type(context) is ssl.SSLContext`: truststore can put its own class into that place.
    return type(context).__module__ == ssl.__name__
