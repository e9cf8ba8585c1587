"""From one PreparedRequest to one Response: what a session mounts for the URLs that begin with a prefix."""

from __future__ import annotations

import dataclasses
import os
import ssl
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from . import urls
from .exceptions import InvalidMethod, RequestException
from .headers import Headers, encode_field
from .models import PreparedRequest, Response
from .timeouts import UNSET, Deadline, TimeoutTypes
from .transport import ConnectionPool, Dialer, Limits, OutgoingRequest, Resolver, Route, TLSIdentity
from .urls import URL

VerifyTypes: TypeAlias = "bool | str | Path"
CertTypes: TypeAlias = "str | Path | tuple[str, str] | tuple[str, str, str] | None"


class BaseAdapter:
    """What every adapter derives from."""

    def send(
        self,
        request: PreparedRequest,
        *,
        stream: bool = False,
        timeout: TimeoutTypes | Deadline = UNSET,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
    ) -> Response:
        """Send a request, and return its response with the body unread.

        Args:
            request: the request.
            stream: whether the caller is going to read the body later. The session reads it otherwise.
            timeout: the limits of time; a `Deadline` where their clock runs already.
            verify: True, False, or a file or folder of root certificates.
            cert: the client's certificate.

        Returns:
            The response.

        Raises:
            RequestException: there is none.
        """
        raise NotImplementedError("an adapter has to say in send() how it answers a request")

    def close(self) -> None:
        """Let go of everything that is kept between requests."""


class HTTPAdapter(BaseAdapter):
    """Sends requests through a pool of connections.

    Args:
        limits: how many connections there may be; by default `Limits()`.
        resolver: a function from (host, port) to a list of `Address`, by default the system's.
        ssl_context: used for every https request as it is given; `verify` and `cert` do not count then.
        server_hostname: the name that a server's certificate is held against, and that is asked for in the
            handshake, in the place of the URL's host (law S3).

    It pickles: the settings travel, the sockets do not (law L4). An SSLContext can't, and is an error then.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        self.pool = ConnectionPool(limits, Dialer(resolver))
        self._resolver = resolver
        self._ssl_context = ssl_context
        self._server_hostname = server_hostname

    def __getstate__(self) -> dict[str, Any]:
        return {
            "limits": self.pool.limits,
            "resolver": self._resolver,
            "ssl_context": self._ssl_context,
            "server_hostname": self._server_hostname,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        HTTPAdapter.__init__(self, **state)

    def __repr__(self) -> str:
        return f"<HTTPAdapter with {self.pool!r}>"

    @property
    def limits(self) -> Limits:
        """The limits of its pool. Assigning others counts at once, for requests that wait already too."""
        return self.pool.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.pool.limits = limits

    def send(
        self,
        request: PreparedRequest,
        *,
        stream: bool = False,
        timeout: TimeoutTypes | Deadline = UNSET,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
    ) -> Response:
        """Send a request over a connection of the pool; see `BaseAdapter.send` for the arguments.

        Raises:
            RequestException: those that `ConnectionPool.send` and `outgoing_request` name, `InvalidURL` and
                `InvalidSchema`.
            TypeError, ValueError: timeout, verify or cert are of no use.
        """
        deadline = Deadline.of(timeout)
        started = time.perf_counter()
        try:
            url = urls.parse(request.url)
            route = self._route(url, verify, cert)
            raw = self.pool.send(route, outgoing_request(request, url), deadline)
        except RequestException as error:
            error.request = request
            _tell_what_was_tried(error, request, time.perf_counter() - started)
            raise
        seconds = time.perf_counter() - started
        reason = raw.reason.decode("utf-8", "replace")
        return Response(request, raw.status, reason, Headers.from_wire(raw.fields), raw, seconds)

    def _route(self, url: URL, verify: VerifyTypes, cert: CertTypes) -> Route:
        given = (url.origin, verify, cert, self._ssl_context, self._server_hostname)
        try:
            return route_for(*given)
        except TypeError:  # a list can't be looked up in a cache; the check itself says if it is wrong
            return route_for.__wrapped__(*given)

    def close(self) -> None:
        """Close the idle connections; those in use close when their responses end."""
        self.pool.close()


def _tell_what_was_tried(error: RequestException, request: PreparedRequest, seconds: float) -> None:
    """Put the request ahead of an error's message, and behind it how long it took."""
    what, *others = error.args or ("failed",)
    error.args = (f"{request.method} {urls.redacted(request.url)}: {what} (after {seconds:.3f} s)", *others)


def outgoing_request(request: PreparedRequest, url: URL) -> OutgoingRequest:
    """A PreparedRequest as the transport takes it.

    Raises:
        InvalidHeader: a field can't be sent (law X7).
        InvalidBody: the body is of no type that can be sent.
        UnrewindableBodyError: the body was sent before, and can't be wound back (law P2).
        InvalidMethod: the method is CONNECT, whose target is no URL.
    """
    if request.method == "CONNECT":
        raise InvalidMethod(
            "CONNECT is for proxies alone, and its target is no URL (RFC 9110, section 9.3.6)"
        )
    lines = tuple(request.headers.lines())
    host = request.headers.get("Host", url.host_header)
    try:
        fields = wire_fields(host, lines)
    except TypeError:  # what can't be looked up in a cache is neither str nor bytes, and is told so
        fields = wire_fields.__wrapped__(host, lines)
    return OutgoingRequest.make(request.method, url.target, fields, request.outgoing_body())


# A program sends the same few sets of fields over and over. They are kept as long as the process lives, with
# the credentials and cookies among them, as the session that they come from mostly is.
@lru_cache(maxsize=512)
def wire_fields(host: str, lines: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields as they go over the wire.

    Args:
        host: the value of Host, which goes first (RFC 9110, section 7.2).
        lines: the other fields; a Host among them is left out.

    Raises:
        InvalidHeader: a field can't be sent (law X7).
    """
    others = [encode_field(name, value) for name, value in lines]
    return encode_field("Host", host), *(field for field in others if field[0].lower() != b"host")


# The identity of a connection is asked for at each request. One is some hundred bytes; a crawler has as many
# as it has hosts. typed: 1 is equal to True, and no setting of verify.
@lru_cache(maxsize=1024, typed=True)
def route_for(
    origin: tuple[str, str, int],
    verify: VerifyTypes,
    cert: CertTypes,
    context: ssl.SSLContext | None,
    server_hostname: str | None,
) -> Route:
    """The Route of a request (law R1).

    Args:
        origin: scheme, host and port.
        verify: True, False, or a file or folder of root certificates.
        cert: a file with certificate and key, a pair of files, or those and the password of the key.
        context: an SSLContext that stands for both, or None.
        server_hostname: the name in the server's certificate, or None for the host.

    Raises:
        TypeError, ValueError: verify or cert is none of these.
    """
    scheme, host, port = origin
    if scheme == "http":
        return Route(scheme, host, port)
    tls = dataclasses.replace(_tls_identity(verify, cert, context), server_hostname=server_hostname)
    return Route(scheme, host, port, tls)


def _tls_identity(verify: VerifyTypes, cert: CertTypes, context: ssl.SSLContext | None) -> TLSIdentity:
    if context is not None:
        return TLSIdentity(context=context)
    cert_file, key_file, password = _cert_files(cert)
    if isinstance(verify, bool):
        return TLSIdentity(verify=verify, cert=cert_file, key=key_file, password=password)
    if not isinstance(verify, (str, Path)):
        raise TypeError(f"verify is {verify!r}: give True, False, or the path of a CA file or folder")
    if not str(verify):
        raise ValueError("verify is an empty path: give True, False, or the path of a CA file or folder")
    return TLSIdentity(ca=os.fspath(verify), cert=cert_file, key=key_file, password=password)


def _cert_files(cert: CertTypes) -> tuple[str | None, str | None, str | None]:
    if cert is None:
        return None, None, None
    if isinstance(cert, (str, Path)):
        return os.fspath(cert), None, None
    if isinstance(cert, (tuple, list)) and len(cert) == 2:
        return os.fspath(cert[0]), os.fspath(cert[1]), None
    if isinstance(cert, (tuple, list)) and len(cert) == 3:
        return os.fspath(cert[0]), os.fspath(cert[1]), cert[2]
    raise TypeError(f"cert is {type(cert).__name__}: give a file, or (certificate, key[, password])")
