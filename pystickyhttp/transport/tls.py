"""The TLS handshake by the standard library, and what it says where it fails (law S3).

What it takes is made elsewhere: contexts in `tls_contexts`, tickets in `tls_tickets`, the words of errors in
`tls_errors`; `tls_in_tls` has the sockets within an https proxy's TLS.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

from ..exceptions import HandshakeLost, ProxySSLError, SSLError
from ..signal_handlers import is_of_a_signal_handler
from .route import Route, TLSIdentity
from .sockets import under_way
from .tls_contexts import context_for, is_of_the_standard_library, lacks_roots
from .tls_errors import (
    BY_CONTEXT,
    BY_SETTINGS,
    OF_PROXY_BY_CONTEXT,
    OF_PROXY_BY_SETTINGS,
    WITHOUT_ROOTS,
    Advice,
    is_lost,
    reason_of,
    why_failed,
    why_refused,
)
from .tls_in_tls import AnySocket, TLSInTLS, TLSSocket
from .tls_tickets import tickets

# What this client speaks; a server that has not heard of ALPN chooses none.
_SPOKEN: Final = ("http/1.1", "http/1.0", None)


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
        do_handshake_on_connect=not is_of_the_standard_library(context),
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
    if isinstance(error, SSLError) or is_of_a_signal_handler(error):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        assert route.tls is not None, "it had a handshake"
        if lacks_roots(route.tls):
            advice = advice._replace(trust=WITHOUT_ROOTS)
        why = why_refused(error, _shown(sock), advice, time.time(), route.tls.ca)
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
