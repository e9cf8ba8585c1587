"""TLS by the standard library: contexts, session tickets, the handshake (laws S1, S2, S3)."""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from ..exceptions import HandshakeLost, InsecureRequestWarning, ProxySSLError, SSLError
from ..forks import after_fork_in_child
from .route import FileVersion, Route, Store, TLSIdentity, file_version
from .sockets import under_way
from .tls_errors import (
    BY_CONTEXT,
    BY_SETTINGS,
    OF_PROXY_BY_CONTEXT,
    OF_PROXY_BY_SETTINGS,
    WITHOUT_ROOTS,
    Advice,
    is_lost,
    why_failed,
    why_refused,
)
from .tls_errors import is_alert as is_alert
from .tls_errors import reason_of as reason_of
from .tls_in_tls import TLSInTLS

# A connection that speaks TLS, within the TLS of an https proxy or not.
TLSSocket: TypeAlias = ssl.SSLSocket | TLSInTLS
# All that a connection can be.
AnySocket: TypeAlias = socket.socket | TLSInTLS

# What this client speaks; a server that has not heard of ALPN chooses none.
_SPOKEN: Final = ("http/1.1", "http/1.0", None)
# The names by which OpenSSL looks for a certificate in a folder.
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_PACKAGE: Final = __name__.partition(".")[0]


# --- contexts


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


def _is_of_the_standard_library(context: ssl.SSLContext) -> bool:
    # Not `type(context) is ssl.SSLContext`: truststore can put its own class into that place.
    return type(context).__module__ == ssl.__name__


# --- tickets


# CPython 3.11, 3.12 up to 3.12.7 and 3.13.0 lose a copy of the TLS session, some seven kilobytes, each time
# that `session` is looked at (gh-116810).
_SESSION_LEAKS: Final = sys.implementation.name == "cpython" and (
    sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
)
# There tickets are taken from the first connections of a process alone: that bounds the loss to 7 MB.
MOST_LEAKS: Final = 1000


class TicketStore:
    """S2: session tickets, each for one server and one TLS identity, used once.

    Args:
        most: how many are kept; the oldest go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._looks_left = MOST_LEAKS if _SESSION_LEAKS else None
        # Guards _tickets and _looks_left: connections of any thread take from it and put into it. It lets the
        # thread that has it in once more, for the sake of finalizers and signal handlers that strike there.
        self._lock = threading.RLock()
        # The context is the identity made real: a ticket of another one would carry its trust over. The Route
        # is all the rest: whoever goes through another proxy, or from another address, may not want to be
        # recognized.
        self._tickets: OrderedDict[tuple[ssl.SSLContext, Route], ssl.SSLSession] = OrderedDict()

    def keep(self, sock: TLSSocket, route: Route) -> None:
        """Keep the ticket that a connection was given, if it was; best after response bytes came."""
        assert route.tls is not None, "what has tickets has TLS"
        if not _may_resume(route.tls):
            return
        with self._lock:
            if self._looks_left is not None:
                if not self._looks_left:
                    return
                self._looks_left -= 1
        session = sock.session
        if session is None or not session.has_ticket:
            return
        with self._lock:
            for outdated in self._outdated(sock.context, route):
                self._tickets.pop(outdated, None)
            self._tickets[sock.context, route] = session
            while len(self._tickets) > self._most:
                self._tickets.popitem(last=False)

    def take(self, context: ssl.SSLContext, route: Route) -> ssl.SSLSession | None:
        """A ticket for a new connection; it is gone then, as none is to be used twice (RFC 8446, C.4)."""
        with self._lock:
            return self._tickets.pop((context, route), None)

    def _outdated(self, context: ssl.SSLContext, route: Route) -> list[tuple[ssl.SSLContext, Route]]:
        """The tickets of contexts that an earlier state of the same files made: nobody is going to take them.

        They would keep those contexts alive, each of which may hold a whole store of roots.
        """
        return [
            (other, its)
            for other, its in list(self._tickets)
            if other is not context
            and (its.host, its.port) == (route.host, route.port)
            and _whatever_version(its) == _whatever_version(route)
        ]

    def start_afresh(self) -> None:
        """L4: in the child of a fork the tickets are the parent's, which may use them."""
        self._lock = threading.RLock()
        self._tickets.clear()


def _whatever_version(route: Route) -> Route:
    """The Route, whichever state its CA file is asked for in."""
    if route.tls is None or route.tls.ca_version is None:
        return route
    return replace(route, tls=replace(route.tls, ca_version=None))


def _may_resume(identity: TLSIdentity) -> bool:
    """Whether OpenSSL is the one that verifies; nobody else is asked when a session is resumed."""
    if identity.context is not None:
        return _is_of_the_standard_library(identity.context)
    return not identity.store.platform


# One costs a few kilobytes; a program that talks to more servers than this by https gains least by resuming.
tickets: Final = TicketStore(most=256)

after_fork_in_child(tickets.start_afresh)


def keep_tickets(sock: TLSSocket, route: Route) -> None:
    """Keep the tickets of a connection, each for the leg that its TLS is on; best after response bytes came.

    Args:
        sock: the connection.
        route: whom it leads to.
    """
    if isinstance(sock, TLSInTLS):
        tickets.keep(sock.outer, route.to_proxy)
    tickets.keep(sock, route.to_proxy if route.is_forwarded else route)


# --- the handshake


def handshake(sock: socket.socket, route: Route) -> TLSSocket:
    """Make the TLS handshake over a connected socket, within the timeout that the socket has.

    Args:
        sock: the socket; it is closed if the handshake fails. One that speaks TLS already is that of an
            https proxy, within whose TLS this one is made.
        route: whom it is connected to; its `tls` says whom to trust.

    Raises:
        SSLError: the certificate was refused, or the peer does not speak TLS as we do.
        HandshakeLost: the connection broke, or the peer closed it without a word.
        TimeoutError: the time is up.
    """
    return _shake_hands(sock, route, _advice(route.tls))


def handshake_with_proxy(sock: socket.socket, route: Route) -> TLSSocket:
    """The same with an https proxy, which other settings are for.

    Args:
        sock: likewise.
        route: the Route to the proxy (`Route.to_proxy`).

    Raises:
        SSLError, HandshakeLost, TimeoutError: likewise.
    """
    return _shake_hands(sock, route, _advice_of_proxy(route.tls))


def _shake_hands(sock: socket.socket, route: Route, advice: Advice) -> TLSSocket:
    identity = route.tls
    assert identity is not None, "a Route of https has a TLS identity"
    secured: AnySocket = sock
    try:
        context = context_for(identity)
        name = _name_for(route, identity)
        secured = _wrapped(sock, context, name, tickets.take(context, route))
        if isinstance(secured, socket.socket):
            under_way.add(secured)  # the descriptor is no longer that of `sock`
        if secured.version() is None:  # else `wrap_socket` has made it already
            secured.do_handshake()
        _check_protocol(secured, route)
        return secured
    except BaseException as error:
        try:
            failure = _explained(error, secured, route, advice)
        finally:
            secured.close()
        if failure is None:
            raise
        raise failure from error


def _name_for(route: Route, identity: TLSIdentity) -> str:
    """S3: the name that is asked for, and that the certificate is held against.

    Raises:
        SSLError: it can be in no certificate.
    """
    # The dot at the end of a name in full is no part of it here (RFC 6066, section 3), nor is a zone.
    name = (identity.server_hostname or route.host.partition("%")[0]).removesuffix(".")
    try:
        # As wrap_socket() does, which before Python 3.13 leaves a socket behind where it fails.
        if "\0" in name:
            raise UnicodeError("it holds a NUL")
        name.encode("idna")
    except UnicodeError as error:
        raise SSLError(f"{name!r} can't be the name of {route}: {error}: see server_hostname=") from error
    return name


def _wrapped(
    sock: socket.socket, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None
) -> TLSSocket:
    if isinstance(sock, ssl.SSLSocket):
        _check_verifies_in_memory(context)
        return TLSInTLS(sock, context, server_hostname=name, session=session)
    return context.wrap_socket(
        sock,
        server_hostname=name,
        # A peer that goes without close_notify may have been cut off (RFC 9112, section 9.8): it must not
        # look like an end.
        suppress_ragged_eofs=False,
        # Whoever is no context of the standard library's may verify when all is said, within this call:
        # truststore did up to 0.10.4. Else the handshake is made when there is a socket that can be closed.
        do_handshake_on_connect=not _is_of_the_standard_library(context),
        session=session,
    )


def _check_verifies_in_memory(context: ssl.SSLContext) -> None:
    """TLS within TLS is made in memory, past whoever verifies at a socket alone.

    Raises:
        SSLError: the context is such a one, and nobody would be verified.
    """
    kind = type(context)
    # An implementation whose contexts have no such attributes has nobody to change them.
    at_socket = getattr(context, "sslsocket_class", ssl.SSLSocket)
    in_memory = getattr(context, "sslobject_class", ssl.SSLObject)
    wraps = kind.wrap_socket is not ssl.SSLContext.wrap_socket and kind.wrap_bio is ssl.SSLContext.wrap_bio
    shakes = (
        at_socket.do_handshake is not ssl.SSLSocket.do_handshake
        and in_memory.do_handshake is ssl.SSLObject.do_handshake
    )
    if wraps or shakes:
        lack = (
            "a wrap_bio() beside its wrap_socket()"
            if wraps
            else "an sslobject_class beside its sslsocket_class"
        )
        raise SSLError(
            f"the {kind.__qualname__} lacks {lack}: TLS within that of an https proxy is made in memory, "
            f"where it might verify nobody. Give it one that verifies alike, or go through an http:// proxy"
        )


def _check_protocol(sock: TLSSocket, route: Route) -> None:
    """A context that is given may offer what is not spoken here (RFC 7301), and a server choose it.

    Raises:
        SSLError: it did.
    """
    chosen = sock.selected_alpn_protocol()
    if chosen not in _SPOKEN:
        raise SSLError(
            f"{route} chose the protocol {chosen!r}, which the ssl_context offered and nobody here speaks: "
            f"call its set_alpn_protocols(['http/1.1'])"
        )


def _explained(error: BaseException, sock: AnySocket, route: Route, advice: Advice) -> SSLError | None:
    """The error that says why a handshake failed, None for one that is raised as it is."""
    if isinstance(error, SSLError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        assert route.tls is not None, "it had a handshake"
        if _lacks_roots(route.tls):
            advice = advice._replace(trust=WITHOUT_ROOTS)
        why = why_refused(error, _shown(sock), advice, time.time())
        return SSLError(f"the certificate of {route} was refused for {_name_for(route, route.tls)!r}: {why}")
    if is_lost(error):
        return HandshakeLost(
            f"the TLS handshake with {route} broke off: {reason_of(error)}: nothing was refused, and it may "
            f"be tried again; a server that always does so may want another version of TLS, or speak none"
        )
    if isinstance(error, (ssl.SSLError, ValueError)):
        return SSLError(f"the TLS handshake with {route} failed: {why_failed(error, advice)}")
    return None


def refusal(error: ssl.SSLError, route: Route) -> SSLError:
    """The error of an alert that came when the handshake was over.

    Under TLS 1.3 a server looks at the client's certificate when the client's handshake is over.

    Args:
        error: what `ssl` raised.
        route: whom the connection leads to.
    """
    if route.is_forwarded:
        return refusal_of_proxy(error, route)
    return SSLError(f"the TLS handshake with {route} failed: {why_failed(error, _advice(route.tls))}")


def refusal_of_proxy(error: ssl.SSLError, route: Route) -> ProxySSLError:
    """The same where the alert is an https proxy's.

    Args:
        error: likewise.
        route: whom the connection leads to, through that proxy.
    """
    leg = route.to_proxy
    why = why_failed(error, _advice_of_proxy(leg.tls))
    return ProxySSLError(f"{route}: TLS with the proxy failed: the TLS handshake with {leg} failed: {why}")


def _advice(identity: TLSIdentity | None) -> Advice:
    return BY_SETTINGS if identity is None or identity.context is None else BY_CONTEXT


def _advice_of_proxy(identity: TLSIdentity | None) -> Advice:
    return OF_PROXY_BY_SETTINGS if identity is None or identity.context is None else OF_PROXY_BY_CONTEXT


def _lacks_roots(identity: TLSIdentity) -> bool:
    """Whether the system's store is meant, and there is none, nor certifi in its place."""
    if identity.context is not None or identity.ca is not None or identity.store.platform:
        return False
    _, *folders = _places_of(identity.store)
    return not _has_roots(context_for(identity), folders)


def _shown(sock: AnySocket) -> Mapping[str, Any]:
    """The certificate that a peer showed in a handshake that failed: what it says is for messages alone."""
    try:
        # The standard library has it, and shows it from Python 3.13 on, but not what stands in it.
        shaking = sock._inner if isinstance(sock, TLSInTLS) else sock
        certificates = shaking._sslobj.get_unverified_chain()  # type: ignore[union-attr]
        shown: Mapping[str, Any] = certificates[0].get_info()
        return shown
    except (AttributeError, LookupError, TypeError, ValueError, OSError):
        return {}


# --- who is not verified

# Guards _warned, and that nobody goes on while another thread is about to be told that warnings are errors.
_warning = threading.RLock()
_warned: Final[set[str]] = set()
# A crawler that verifies nobody meets hosts without end; it may be told of some twice.
_MOST_WARNED: Final = 10_000


def warn_if_unverified(route: Route) -> None:
    """Warn that whoever answers is not verified, once for each host in the life of the process.

    Raises:
        InsecureRequestWarning: warnings are errors; then it comes each time.
    """
    if route.tls is None or _verifies(route.tls):
        return
    with _warning:
        if route.host in _warned:
            return
        remedy = (
            "leave verify=True, or pass verify='/path/to/ca.pem'"
            if route.tls.context is None
            else "leave verify_mode and check_hostname of its ssl_context as they are made; the name in the "
            "certificate can be said by HTTPAdapter(server_hostname=)"
        )
        warnings.warn(
            f"the certificate of {route} is not verified, or not held against its name: whoever stands in "
            f"between can read and change everything. So {remedy}. This is said once a host",
            InsecureRequestWarning,
            stacklevel=_level_of_caller(),
        )
        if len(_warned) >= _MOST_WARNED:
            _warned.clear()
        _warned.add(route.host)


def _verifies(identity: TLSIdentity) -> bool:
    context = identity.context
    if context is None:
        return identity.verify
    # What is of another making may verify by means of its own, such as a fingerprint.
    if not _is_of_the_standard_library(context):
        return True
    return context.verify_mode != ssl.CERT_NONE and context.check_hostname


def _level_of_caller() -> int:
    """The stacklevel, for the function that asks, of the first frame outside of this package."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
        frame = frame.f_back
        level += 1
    return level


def _renew_warning_lock() -> None:
    """L4: a thread that held it when the process forked is not in the child."""
    global _warning
    _warning = threading.RLock()


after_fork_in_child(_renew_warning_lock)
