"""TLS by the standard library: contexts, session tickets, the handshake (laws S1, S2, S3)."""

from __future__ import annotations

import os
import socket
import ssl
import sys
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final

from ..exceptions import SSLError
from ..forks import after_fork_in_child
from .route import Route, Store, TLSIdentity

# What OpenSSL calls a failed verification (x509_vfy.h), and what the user can do about it.
_REMEDIES: Final = {
    10: "the server's operator has to renew it",
    18: "pass verify='/path/to/that/certificate.pem' if you trust it",
    19: "pass verify='/path/to/its/ca.pem' if you trust it",
    20: "pass verify='/path/to/its/ca.pem', or add that CA to the system's store",
    21: "the server has to send its intermediate certificates, or pass verify='/path/to/its/ca.pem'",
    62: "use the name that the certificate is for",
    64: "use the name that the certificate is for",
}


def context_for(identity: TLSIdentity) -> ssl.SSLContext:
    """The SSLContext of an identity; one that was made before is used again.

    Args:
        identity: the identity. Its `context`, where it has one, is returned as it is.

    Raises:
        SSLError: a file of the identity can't be read, or does not hold what it should.
    """
    if identity.context is not None:
        return identity.context
    return _cached_context(
        identity.verify, identity.ca, identity.cert, identity.key, identity.password, identity.store
    )


# Reading a store of roots costs as much as many requests. A program has a handful of identities; the bound
# is for one that makes them up as it goes.
@lru_cache(maxsize=64)
def _cached_context(
    verify: bool,
    ca: str | None,
    cert: str | None,
    key: str | None,
    password: str | None,
    store: Store,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # S3: the SAN only (RFC 9110, section 4.3.4)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is not None:
        _load_ca(context, ca)
    else:
        _load_store(context, store)
    if cert is not None:
        _load_client_certificate(context, cert, key, password)
    return context


def _load_ca(context: ssl.SSLContext, ca: str) -> None:
    try:
        if os.path.isdir(ca):
            context.load_verify_locations(capath=ca)
        else:
            context.load_verify_locations(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise SSLError(
            f"the CA certificates {ca!r} can't be loaded: {reason_of(error)}. "
            f"verify= takes a PEM file or a folder made by `openssl rehash`"
        ) from error


def _load_store(context: ssl.SSLContext, store: Store) -> None:
    """S1: the system's store first, certifi where it is installed and the system has none."""
    if sys.platform == "win32":
        context.load_default_certs()  # its store is no file
    # OpenSSL would read the environment's variables by itself, whoever wants them or not.
    system = ssl.get_default_verify_paths()
    _load_from(context, "SSL_CERT_FILE", store.file, cafile=store.file or system.openssl_cafile)
    _load_from(context, "SSL_CERT_DIR", store.folder, capath=store.folder or system.openssl_capath)
    if _has_roots(context, store.folder or system.openssl_capath):
        return
    try:
        import certifi  # an optional extra: loaded only where the system has no store
    except ImportError:
        return  # the handshake fails, and says what to do
    context.load_verify_locations(cafile=certifi.where())


def _load_from(context: ssl.SSLContext, variable: str, said: str | None, **where: str) -> None:
    try:
        context.load_verify_locations(**where)
    except OSError as error:
        if said is not None:  # of the system's own places it is normal that one is not there
            raise SSLError(
                f"the CA certificates {said!r}, which {variable} names, can't be loaded: {reason_of(error)}. "
                f"Correct the variable, or pass verify='/path/to/ca.pem'"
            ) from error


def _has_roots(context: ssl.SSLContext, folders: str) -> bool:
    if context.cert_store_stats()["x509_ca"]:
        return True
    # A folder of roots is read at the handshake, root by root: OpenSSL can't count it beforehand.
    return any(os.path.isdir(folder) and os.listdir(folder) for folder in folders.split(os.pathsep))


def _load_client_certificate(
    context: ssl.SSLContext, cert: str, key: str | None, password: str | None
) -> None:
    # Without a password OpenSSL asks for one at the terminal, and a program in the background would hang.
    try:
        context.load_cert_chain(cert, key, password=lambda: password or "")
    except OSError as error:
        raise SSLError(
            f"the client certificate {cert!r} with key {key or cert!r} can't be loaded: {reason_of(error)}. "
            f"cert= takes a PEM file with both, or a pair of files"
        ) from error


class TicketStore:
    """S2: session tickets, each for one server and one TLS identity, used once.

    Args:
        most: how many are kept; the oldest go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # Guards _tickets: connections of any thread take from it and put into it.
        self._lock = threading.Lock()
        self._tickets: OrderedDict[tuple[Any, ...], ssl.SSLSession] = OrderedDict()

    def keep(self, sock: ssl.SSLSocket, route: Route) -> None:
        """Keep the ticket that a connection was given, if it was; best after response bytes came."""
        session = sock.session
        if session is None or not session.has_ticket:
            return
        with self._lock:
            self._tickets[self._key(sock.context, route)] = session
            while len(self._tickets) > self._most:
                self._tickets.popitem(last=False)

    def take(self, context: ssl.SSLContext, route: Route) -> ssl.SSLSession | None:
        """A ticket for a new connection; it is gone then, as none is to be used twice (RFC 8446, C.4)."""
        with self._lock:
            return self._tickets.pop(self._key(context, route), None)

    def start_afresh(self) -> None:
        """L4: in the child of a fork the tickets are the parent's, which may use them."""
        self._lock = threading.Lock()
        self._tickets.clear()

    def _key(self, context: ssl.SSLContext, route: Route) -> tuple[Any, ...]:
        # The context is the identity made real: a ticket of another one would carry its trust over.
        return context, route.tls, route.host, route.port, route.unix_socket


# One costs a few kilobytes; a program that talks to more servers than this by https gains least by resuming.
tickets: Final = TicketStore(most=256)

after_fork_in_child(tickets.start_afresh)


def handshake(sock: socket.socket, route: Route) -> ssl.SSLSocket:
    """Make the TLS handshake over a connected socket, within the timeout that the socket has.

    Args:
        sock: the socket; it is closed if the handshake fails.
        route: whom it is connected to; its `tls` says whom to trust.

    Raises:
        SSLError: the certificate was refused, or the peer does not speak TLS as we do.
        TimeoutError, OSError: as the socket raises them.
    """
    identity = route.tls
    assert identity is not None, "a Route of https has a TLS identity"
    name = identity.server_hostname or route.host.partition("%")[0]
    try:
        # A peer that goes without close_notify may have been cut off (RFC 9112, section 9.8): it must not
        # look like an end.
        context = context_for(identity)
        secured = context.wrap_socket(
            sock,
            server_hostname=name,
            suppress_ragged_eofs=False,
            do_handshake_on_connect=False,
            session=tickets.take(context, route),
        )
        sock = secured  # it owns the file descriptor from here on
        secured.do_handshake()
        return secured
    except ssl.SSLCertVerificationError as error:
        sock.close()
        remedy = _REMEDIES.get(error.verify_code, "see the reason; verify= takes another CA")
        raise SSLError(
            f"the certificate of {route} was refused for {name!r}: {error.verify_message}: {remedy}"
        ) from error
    except (ssl.SSLError, ValueError) as error:
        sock.close()
        reason = reason_of(error)
        remedy = ": the port does not speak TLS, use http://" if reason == "wrong version number" else ""
        raise SSLError(f"the TLS handshake with {route} failed: {reason}{remedy}") from error
    except BaseException:
        sock.close()
        raise


def is_alert(error: BaseException) -> bool:
    """Whether the peer said why it ends TLS (RFC 8446, section 6.2)."""
    return isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")


def reason_of(error: BaseException) -> str:
    """What an error of a socket, TLS or not, says of its cause."""
    if isinstance(error, ssl.SSLEOFError):
        return "the TLS stream ended without close_notify"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
