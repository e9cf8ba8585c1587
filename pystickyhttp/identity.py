"""Whom to trust, and as whom to appear: from `verify` and `cert` to a TLSIdentity."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from . import environment
from .transport import TLSIdentity
from .transport.route import SYSTEM_STORE, FileVersion, Store, file_version

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

VerifyTypes: TypeAlias = "bool | str | Path | Store"
CertTypes: TypeAlias = "str | Path | tuple[str, str] | tuple[str, str, str] | None"


class CA(NamedTuple):
    """A file or folder of root certificates, in the state that it has now.

    Attributes:
        path: the path.
        version: see `file_version`; None where there is none, which the handshake says.
    """

    path: str
    version: FileVersion


Trust: TypeAlias = "CA | Store | bool"

UNVERIFIED: Final = False


def whom_to_trust(verify: Any) -> Trust:
    """What `verify` says, as things stand: a file may have changed since it was asked for last.

    Args:
        verify: True for the system's store (and what the environment says of it), False, the path of a file
            or folder of root certificates, or a `Store`.

    Raises:
        TypeError, ValueError: it is none of these.
    """
    if verify is True:
        return system_store()
    if verify is False:
        return UNVERIFIED
    if isinstance(verify, Store):
        return verify
    path = os.fspath(verify) if isinstance(verify, os.PathLike) else verify
    if not isinstance(path, str):
        is_context = hasattr(verify, "load_verify_locations")
        hint = "; a context goes into HTTPAdapter(ssl_context=)" if is_context else ""
        raise TypeError(f"verify is {verify!r}: give True, False, or the path of a CA file or folder{hint}")
    if not path:
        raise ValueError("verify is an empty path: give True, False, or the path of a CA file or folder")
    return CA(path, file_version(path))


def check_identity(verify: Any, cert: Any) -> None:
    """Check what was given for both, and not whether the files are there, as they may be made later.

    Raises:
        TypeError, ValueError: they are none of what they can be.
    """
    whom_to_trust(verify)
    _cert_files(cert)


def system_store() -> Store:
    """What the environment's SSL_CERT_FILE and SSL_CERT_DIR say of the system's store."""
    around = environment.current()
    if around.ssl_cert_file is None and around.ssl_cert_dir is None:
        return SYSTEM_STORE
    places = [around.ssl_cert_file or "", *(around.ssl_cert_dir or "").split(os.pathsep)]
    versions = tuple(file_version(place) for place in places if place)
    return Store(around.ssl_cert_file, around.ssl_cert_dir, versions=versions)


def identity_of(
    trust: Trust, cert: CertTypes, context: ssl.SSLContext | None, server_hostname: str | None
) -> TLSIdentity:
    """The identity of a connection (law R1).

    Args:
        trust: what `whom_to_trust` says.
        cert: a file with certificate and key, a pair of files, or those and the password of the key.
        context: an SSLContext that stands for both, or None.
        server_hostname: the name in the server's certificate, or None for the host.

    Raises:
        TypeError: cert is none of these.
        ValueError: there is a cert beside a context, which is used as it is.
    """
    if context is not None and cert is not None:
        raise ValueError(
            "cert= does not count beside the adapter's ssl_context=: give it to load_cert_chain() of that one"
        )
    if context is not None:
        return TLSIdentity(context=context, server_hostname=server_hostname)
    file, key, password = _cert_files(cert)
    if isinstance(trust, CA):
        return TLSIdentity(
            ca=trust.path,
            ca_version=trust.version,
            cert=file,
            key=key,
            password=password,
            server_hostname=server_hostname,
        )
    store = trust if isinstance(trust, Store) else SYSTEM_STORE
    return TLSIdentity(
        verify=trust is not UNVERIFIED,
        store=store,
        cert=file,
        key=key,
        password=password,
        server_hostname=server_hostname,
    )


def _cert_files(cert: Any) -> tuple[str | None, str | None, str | None]:
    if cert is None:
        return None, None, None
    if isinstance(cert, (str, os.PathLike)):
        return os.fspath(cert), None, None
    if isinstance(cert, (tuple, list)) and len(cert) == 2:
        return os.fspath(cert[0]), None if cert[1] is None else os.fspath(cert[1]), None
    if isinstance(cert, (tuple, list)) and len(cert) == 3:
        return os.fspath(cert[0]), os.fspath(cert[1]), cert[2]
    raise TypeError(f"cert is {type(cert).__name__}: give a file, or (certificate, key[, password])")
