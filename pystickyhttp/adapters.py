"""From one PreparedRequest to one Response: what a session mounts for the URLs that begin with a prefix."""

from __future__ import annotations

import dataclasses
import os
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from . import environment, urls
from .auth import basic_credentials
from .exceptions import InvalidMethod, InvalidProxyURL, InvalidURL, RequestException, RetryError
from .headers import Headers, encode_field
from .models import PreparedRequest, Response
from .retries import Retry, RetryTypes
from .timeouts import UNSET, Deadline, TimeoutTypes
from .transport import (
    ConnectionPool,
    Dialer,
    IncomingResponse,
    Limits,
    OutgoingRequest,
    Proxy,
    Resolver,
    Route,
    TLSIdentity,
)
from .transport.route import SYSTEM_STORE, Store
from .urls import URL

VerifyTypes: TypeAlias = "bool | str | Path | Store"
CertTypes: TypeAlias = "str | Path | tuple[str, str] | tuple[str, str, str] | None"
ProxyTypes: TypeAlias = "Mapping[str, str | None] | None"


# The defaults of requests' adapter. Its ten idle connections to a host, and its ten hosts, count only where
# one of both is given: `Limits` has a better default.
DEFAULT_POOLSIZE: Final = 10
DEFAULT_RETRIES: Final = 0
DEFAULT_POOLBLOCK: Final = False


class BaseAdapter:
    """What every adapter derives from."""

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: TimeoutTypes | Deadline = UNSET,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
        proxies: ProxyTypes = None,
    ) -> Response:
        """Send a request, and return its response with the body unread.

        Args:
            request: the request.
            stream: whether the caller is going to read the body later. The session reads it otherwise.
            timeout: the limits of time; a `Deadline` where their clock runs already. Not given where nobody
                has set any.
            verify: True, False, or a file or folder of root certificates.
            cert: the client's certificate.
            proxies: the proxy for each scheme, or None.

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
        pool_connections: for how many hosts idle connections are kept. Together with `pool_maxsize`, which
            is 10 then if it is not given, it bounds how many are kept in all.
        pool_maxsize: how many idle connections to one host are kept.
        max_retries: a `Retry`, one of urllib3's, or how many times a connection that could not be made is
            tried again. Default 0.
        pool_block: whether `pool_maxsize` bounds the connections in use as well, so that a request waits for
            one to be free. Default False.
        limits: how many connections there may be, in the place of the three `pool_` arguments; by default
            `Limits()`.
        resolver: a function from (host, port) to a list of `Address`, by default the system's.
        ssl_context: used for every https request as it is given; `verify` and `cert` do not count then.
        server_hostname: the name that a server's certificate is held against, and that is asked for in the
            handshake, in the place of the URL's host (law S3).

    Attributes:
        pool: the `ConnectionPool`.

    It pickles: the settings travel, the sockets do not (law L4). An SSLContext can't, and is an error then.

    Raises:
        TypeError, ValueError: an argument is of no use.
    """

    def __init__(
        self,
        pool_connections: int | None = None,
        pool_maxsize: int | None = None,
        max_retries: RetryTypes = DEFAULT_RETRIES,
        pool_block: bool = DEFAULT_POOLBLOCK,
        *,
        limits: Limits | None = None,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        self.max_retries = max_retries
        if resolver is not None and not callable(resolver):
            raise TypeError(
                f"resolver is {resolver!r}: give a function from (host, port) to a list of Address"
            )
        self._resolver = resolver
        self._ssl_context = ssl_context
        self._server_hostname = server_hostname
        self._limits = limits
        self.init_poolmanager(pool_connections, pool_maxsize, block=pool_block)
        if not isinstance(getattr(self, "pool", None), ConnectionPool):
            raise TypeError(
                f"init_poolmanager of {type(self).__name__} made no pool of this package: "
                f"call super().init_poolmanager(...), or pass ssl_context= to the adapter"
            )

    def init_poolmanager(
        self, connections: int | None, maxsize: int | None, block: bool = False, **pool_settings: Any
    ) -> None:
        """Make the pool. It is there for subclasses that set what it is made with.

        Args:
            connections, maxsize, block: `pool_connections`, `pool_maxsize` and `pool_block`.
            **pool_settings: `ssl_context` or `server_hostname`, as those of the adapter.

        Raises:
            TypeError, ValueError: an argument is of no use.
        """
        self._ssl_context = pool_settings.pop("ssl_context", self._ssl_context)
        self._server_hostname = pool_settings.pop("server_hostname", self._server_hostname)
        if pool_settings:
            raise TypeError(
                f"the pool knows no {', '.join(pool_settings)}: what is about TLS goes into an ssl_context="
            )
        if self._server_hostname is not None and not isinstance(self._server_hostname, str):
            raise TypeError(f"server_hostname is {self._server_hostname!r}: give a str")
        if self._ssl_context is not None and not isinstance(self._ssl_context, ssl.SSLContext):
            raise TypeError(f"ssl_context is {self._ssl_context!r}: give an ssl.SSLContext")
        limits = limits_of(connections, maxsize, block=block) if self._limits is None else self._limits
        self.pool = ConnectionPool(limits, Dialer(self._resolver))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pool": None, "_limits": self.pool.limits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        HTTPAdapter.init_poolmanager(self, None, None)

    def __repr__(self) -> str:
        return f"<HTTPAdapter with {self.pool!r}>"

    @property
    def max_retries(self) -> Retry:
        """The policy of retries. A number, or urllib3's Retry, can be assigned too.

        Raises:
            TypeError, ValueError: on setting what is none of these.
        """
        return self._max_retries

    @max_retries.setter
    def max_retries(self, value: RetryTypes) -> None:
        self._max_retries = Retry.of(value)

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
        stream: bool = False,
        timeout: TimeoutTypes | Deadline = UNSET,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
        proxies: ProxyTypes = None,
    ) -> Response:
        """Send a request over a connection of the pool; see `BaseAdapter.send` for the arguments.

        What fails is tried again as `max_retries` allows, within the total timeout.

        Raises:
            RetryError: the policy of retries does not accept the status of the last response.
            RequestException: those that `ConnectionPool.send` and `outgoing_request` name, `InvalidURL`,
                `InvalidSchema` and `InvalidProxyURL`.
            TypeError, ValueError: timeout, verify or cert are of no use.
        """
        tries = _Tries(self.max_retries, request, Deadline.of(timeout))
        started = time.perf_counter()
        try:
            url = urls.parse(request.url)
            proxy = proxy_for(url, proxies, request.headers) if proxies else None
            route = self._route(url, verify, cert, proxy)
            self.add_headers(
                request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies
            )
            response = self._send_until_it_will_do(request, url, route, proxies, tries)
            response._seconds = time.perf_counter() - started
            return response
        except RequestException as error:
            if error.request is None:  # a body may be made of other requests, which have errors of their own
                error.request = request
                _tell_what_was_tried(error, request, time.perf_counter() - started, tries.count)
            raise

    def _send_until_it_will_do(
        self, request: PreparedRequest, url: URL, route: Route, proxies: ProxyTypes, tries: _Tries
    ) -> Response:
        target = self.request_url(request, proxies)
        while True:
            outgoing = outgoing_request(request, url, target, route.proxy)
            try:
                incoming = self.pool.send(route, outgoing, tries.deadline)
            except RequestException as error:
                # An error that has a request already is that one's: a body may be made of other requests.
                if error.request is not None or not outgoing.rewindable or not tries.go_on_after_error(error):
                    raise
                continue
            response = self.build_response(request, incoming)
            if not (outgoing.rewindable and tries.go_on_after_response(response)):
                return tries.accept(response)

    def _route(self, url: URL, verify: VerifyTypes, cert: CertTypes, proxy: Proxy | None) -> Route:
        if verify is True and url.scheme == "https":
            verify = system_store()  # part of whom a connection trusts, so part of its Route (law R1)
        given = (url.origin, verify, cert, self._ssl_context, self._server_hostname, proxy)
        try:
            return route_for(*given)
        except TypeError:  # a list can't be looked up in a cache; the check itself says if it is wrong
            return route_for.__wrapped__(*given)

    def add_headers(self, request: PreparedRequest, **settings: Any) -> None:
        """Called before each request is sent, for subclasses that add fields to it.

        Args:
            request: the request.
            **settings: those of `send`, by their names.
        """

    def request_url(self, request: PreparedRequest, proxies: ProxyTypes) -> str:
        """The request target: path and query, or the whole URL for http through a proxy (RFC 9112, 3.2).

        Args:
            request: the request.
            proxies: those of `send`.
        """
        url = urls.parse(request.url)
        if proxies and url.scheme == "http" and environment.select_proxy(url, proxies) is not None:
            return url.absolute_target
        return url.target

    def build_response(self, req: PreparedRequest, resp: IncomingResponse) -> Response:
        """A Response of what came over the wire.

        Args:
            req: the request that it answers.
            resp: its head, and its body, which has yet to be read.
        """
        response = Response()
        response.request = req
        response.url = req.url
        response.status_code = resp.status
        response.reason = resp.reason.decode("utf-8", "replace")
        response.headers = Headers.from_wire(resp.fields)
        response.connection = self
        response._body = resp
        return response

    def close(self) -> None:
        """Close the idle connections; those in use close when their responses end."""
        self.pool.close()


class _Tries:
    """The tries at one request: what the policy of retries says after each, and the wait before the next.

    Args:
        retry: the policy.
        request: the request.
        deadline: the limits of time over all tries.
    """

    __slots__ = ("_request", "_retry", "deadline")

    def __init__(self, retry: Retry, request: PreparedRequest, deadline: Deadline) -> None:
        self._retry = retry
        self._request = request
        self.deadline = deadline

    @property
    def count(self) -> int:
        """How many there were, the one that is under way included."""
        return len(self._retry.history) + 1

    def go_on_after_error(self, error: RequestException) -> bool:
        """Whether to try again after an error; if so, the wait is over when this returns."""
        following = self._retry.after_error(self._request.method, self._request.url, error)
        return following is not None and self._wait(following, None)

    def go_on_after_response(self, response: Response) -> bool:
        """Whether to try again after a response; if so, it is closed, and the wait is over."""
        retry_after = response.headers.get("Retry-After")
        following = self._retry.after_status(
            self._request.method, self._request.url, response.status_code, retry_after
        )
        return following is not None and self._wait(following, retry_after, response)

    def _wait(self, following: Retry, retry_after: str | None, response: Response | None = None) -> bool:
        seconds = following.delay(retry_after, time.time())
        if not self.deadline.allows(seconds):  # what is at hand is worth more than a TotalTimeout later
            return False
        if response is not None:
            response.close()  # its connection may serve the next try
        self._retry = following
        time.sleep(seconds)
        return True

    def accept(self, response: Response) -> Response:
        """The response of the last try.

        Raises:
            RetryError: the policy does not accept its status.
        """
        response._tries = self._retry.history
        if self._retry.is_failure(self._request.method, response.status_code):
            response.keep_undecoded()
            error = RetryError(f"the answer is still {response.status_code} {response.reason}")
            error.response = response
            raise error
        return response


def limits_of(connections: int | None, maxsize: int | None, *, block: bool) -> Limits:
    """requests' three numbers as limits; those that are not given leave the default of `Limits`.

    Args:
        connections: for how many hosts idle connections are kept.
        maxsize: how many idle connections to one host are kept, and with `block` how many may be in use.
        block: whether a request waits where `maxsize` is reached.

    Raises:
        TypeError, ValueError: one of both is no whole number from 0 on.
    """
    for name, value in (("pool_connections", connections), ("pool_maxsize", maxsize)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise TypeError(f"{name} is {value!r}: give a whole number, or None")
    given: dict[str, Any] = {}
    if connections is not None:
        given["max_idle"] = connections * (DEFAULT_POOLSIZE if maxsize is None else maxsize)
    if maxsize is not None:
        given["max_idle_per_host"] = maxsize
    if block:
        given["max_per_host"] = DEFAULT_POOLSIZE if maxsize is None else maxsize
    return Limits(**given)


def _tell_what_was_tried(
    error: RequestException, request: PreparedRequest, seconds: float, tries: int
) -> None:
    """Put the request ahead of an error's message, and behind it how long it took, and in how many tries."""
    what, *others = error.args or ("failed",)
    where = f"{request.method} {urls.redacted(request.url)}"
    often = "" if tries == 1 else f" and {tries} tries"
    error.args = (f"{where}: {what} (after {seconds:.3f} s{often})", *others)


def system_store() -> Store:
    """What the environment's SSL_CERT_FILE and SSL_CERT_DIR say of the system's store, as they stand."""
    around = environment.current()
    if around.ssl_cert_file is None and around.ssl_cert_dir is None:
        return SYSTEM_STORE
    return Store(around.ssl_cert_file, around.ssl_cert_dir)


# An environment names a handful of proxies; a program that goes through a list of them names hundreds.
@lru_cache(maxsize=512)
def proxy_of(text: str, authorization: str | bytes | None = None) -> Proxy:
    """Read the URL of a proxy.

    Args:
        text: such as "http://user:password@proxy.example:3128"; without a scheme it is one of http, and
            without a port it is at that of the scheme.
        authorization: the value of Proxy-Authorization; None for Basic by the URL's userinfo, if it has any.

    Raises:
        InvalidProxyURL: it can't be used.
        InvalidSchema: it is of a kind that is not spoken to.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme.removeprefix("//")
    try:
        credentials, url = _proxy_url(rest)
        if authorization is None and any(credentials):
            authorization = basic_credentials(*credentials)
    except ValueError as error:  # InvalidURL is one; the other is of a user with a colon
        raise InvalidProxyURL(f"the proxy can't be used: {error}") from error
    if isinstance(authorization, str):
        authorization = encode_field("Proxy-Authorization", authorization)[1]
    return Proxy(scheme.lower(), url.host, url.effective_port, authorization)


def _proxy_url(rest: str) -> tuple[tuple[str, str], URL]:
    """Credentials and the rest of a proxy's URL, of which what follows its scheme is given."""
    if urls.is_http(rest):
        raise InvalidURL("it has no host: write http://host:port")
    url = urls.parse(f"http://{rest}")
    # A password with a slash in it ends the authority, and the user would be the host.
    if "@" in f"{url.target}#{url.fragment}":
        raise InvalidURL("its password holds / ? or #: write them as %2F, %3F, %23")
    return url.credentials or ("", ""), url


def proxy_for(url: URL, proxies: Mapping[str, str | None], headers: Headers) -> Proxy | None:
    """The proxy that a request goes through, or None.

    Args:
        url: the URL of the request.
        proxies: the proxy for each scheme.
        headers: the fields of the request. A Proxy-Authorization among them is for the proxy.

    Raises:
        InvalidProxyURL: its URL can't be used.
        InvalidSchema: it is of a kind that is not spoken to.
    """
    text = environment.select_proxy(url, proxies)
    return None if text is None else proxy_of(text, headers.get("Proxy-Authorization"))


def outgoing_request(request: PreparedRequest, url: URL, target: str, proxy: Proxy | None) -> OutgoingRequest:
    """A PreparedRequest as the transport takes it.

    Args:
        request: the request.
        url: its URL.
        target: the request target.
        proxy: the proxy that it goes through, or None.

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
    # Through a tunnel the request is for the origin's eyes; CONNECT has told the proxy what it has to know.
    authorization = proxy.authorization if proxy is not None and url.scheme == "http" else None
    try:
        fields = wire_fields(host, lines, authorization)
    except TypeError:  # what can't be looked up in a cache is neither str nor bytes, and is told so
        fields = wire_fields.__wrapped__(host, lines, authorization)
    return OutgoingRequest.make(request.method, target, fields, request.outgoing_body())


# A program sends the same few sets of fields over and over. They are kept as long as the process lives, with
# the credentials and cookies among them, as the session that they come from mostly is.
@lru_cache(maxsize=512)
def wire_fields(
    host: str, lines: tuple[tuple[str, str], ...], proxy_authorization: bytes | None
) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields as they go over the wire.

    Args:
        host: the value of Host, which goes first (RFC 9110, section 7.2).
        lines: the other fields. A Host among them is left out, and so is Proxy-Authorization: it is no
            origin's business.
        proxy_authorization: its value for the proxy that the request goes to, or None.

    Raises:
        InvalidHeader: a field can't be sent (law X7).
    """
    encoded = [encode_field(name, value) for name, value in lines]
    others = [field for field in encoded if field[0].lower() not in (b"host", b"proxy-authorization")]
    if proxy_authorization is not None:
        others.append((b"Proxy-Authorization", proxy_authorization))
    return encode_field("Host", host), *others


# The identity of a connection is asked for at each request. One is some hundred bytes; a crawler has as many
# as it has hosts. typed: 1 is equal to True, and no setting of verify.
@lru_cache(maxsize=1024, typed=True)
def route_for(
    origin: tuple[str, str, int],
    verify: VerifyTypes,
    cert: CertTypes,
    context: ssl.SSLContext | None,
    server_hostname: str | None,
    proxy: Proxy | None = None,
) -> Route:
    """The Route of a request (law R1).

    Args:
        origin: scheme, host and port.
        verify: True, False, a file or folder of root certificates, or what stands for the system's store.
        cert: a file with certificate and key, a pair of files, or those and the password of the key.
        context: an SSLContext that stands for both, or None.
        server_hostname: the name in the server's certificate, or None for the host.
        proxy: what the connection goes through, or None.

    Raises:
        TypeError, ValueError: verify or cert is none of these.
    """
    scheme, host, port = origin
    if scheme == "http":
        return Route(scheme, host, port, proxy=proxy)
    tls = dataclasses.replace(_tls_identity(verify, cert, context), server_hostname=server_hostname)
    return Route(scheme, host, port, tls, proxy=proxy)


def _tls_identity(verify: VerifyTypes, cert: CertTypes, context: ssl.SSLContext | None) -> TLSIdentity:
    if context is not None:
        return TLSIdentity(context=context)
    cert_file, key_file, password = _cert_files(cert)
    if isinstance(verify, Store):
        return TLSIdentity(store=verify, cert=cert_file, key=key_file, password=password)
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
        return os.fspath(cert[0]), None if cert[1] is None else os.fspath(cert[1]), None
    if isinstance(cert, (tuple, list)) and len(cert) == 3:
        return os.fspath(cert[0]), os.fspath(cert[1]), cert[2]
    raise TypeError(f"cert is {type(cert).__name__}: give a file, or (certificate, key[, password])")
