"""From one PreparedRequest to one Response: what a session mounts for the URLs that begin with a prefix."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from . import environment, urls
from .exceptions import (
    InvalidProxyURL,
    InvalidSchema,
    ProxyError,
    RequestException,
    RetryError,
    TunnelError,
)
from .headers import Headers
from .identity import UNVERIFIED, CertTypes, VerifyTypes, identity_of, whom_to_trust
from .models import PreparedRequest, Response
from .outgoing import outgoing_request
from .proxies import (
    PROXY_AUTHORIZATION,
    basic_fields,
    checked_proxy_headers,
    forwards_http,
    proxy_of,
    read_proxy_url,
)
from .proxy_choice import select_proxy
from .retries import Retry, RetryTypes
from .routing import Way, check_context, checked_server_hostname, route_for
from .signal_handlers import is_of_a_signal_handler
from .telling import Teller, here
from .timeouts import UNSET, Deadline, TimeoutTypes
from .transport import (
    ConnectionPool,
    Dialer,
    IncomingResponse,
    KeepAlive,
    Limits,
    Proxy,
    Resolver,
    Route,
    SocketOption,
    SocketSettings,
)
from .transport.ledger import DEFAULT_LIMITS
from .transport.sockets import DEFAULT_KEEPALIVE, local_address_of
from .urls import URL

if TYPE_CHECKING:
    import ssl

ProxyTypes: TypeAlias = "Mapping[str, str | None] | None"


# The defaults of requests' adapter. Its ten idle connections to a host, and its ten hosts, count only where
# one of both is given: `Limits` has a better default.
DEFAULT_POOLSIZE: Final = 10
DEFAULT_RETRIES: Final = 0
DEFAULT_POOLBLOCK: Final = False
# Errors on these are about the proxy, timeouts of it included.
_LEGS_OF_PROXY: Final = frozenset({ProxyError.leg, TunnelError.leg})
# Where requests' adapters are told whom to trust and where to connect; what is said there must not get lost.
_STEPS_OF_URLLIB3: Final = (
    "build_connection_pool_key_attributes",
    "cert_verify",
    "get_connection",
    "get_connection_with_tls_context",
)


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
            is 10 then if it is not given, it bounds how many are kept in all. By default 100 are.
        pool_maxsize: how many idle connections to one host are kept. By default as many as in all.
        max_retries: a `Retry`, one of urllib3's, or how many times a connection that could not be made is
            tried again. Default 0.
        pool_block: whether `pool_maxsize` bounds the connections in use as well, so that a request waits for
            one to be free. Default False.
        limits: how many connections there may be, in the place of the three `pool_` arguments; by default
            `Limits()`.
        resolver: a function from (host, port) to a list of `Address`, or of IP addresses as text; by default
            the system's.
        ssl_context: used for every https server as it is given; `verify` and `cert` do not count then.
            Default None.
        server_hostname: the name that a server's certificate is held against, and that is asked for in the
            handshake, in the place of the URL's host.
        proxy_headers: header fields for the eyes of every http and https proxy that is gone through, and of
            nobody else. What is for one alone is told by `proxy_headers()`, or stands in its URL.
        proxy_ssl_context: used for the connection to an https proxy; by default `verify` counts for it as it
            does for a server, and `cert` never.
        unix_socket: the path of a unix socket, which is dialled in the place of every URL's host, whatever
            proxies there are.
        local_address: the IP address that connections are made from, or (address, port); by default the
            system's choice.
        socket_options: options for each socket, as (level, name, value); they win over our own.
        keepalive: the probes by which a peer is found out that vanished without a word, a `KeepAlive`;
            None for none. By default the first after 60 seconds of silence, then 4 in all, 15 seconds apart.

    Attributes:
        pool: the `ConnectionPool`.

    It pickles: the settings travel, the sockets do not. An SSLContext can't, and is an error then.

    Raises:
        TypeError, ValueError: an argument is of no use.
        InvalidHeader: one of `proxy_headers` can't be sent.
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
        proxy_headers: Mapping[str, str] | None = None,
        proxy_ssl_context: ssl.SSLContext | None = None,
        unix_socket: str | os.PathLike[str] | None = None,
        local_address: str | tuple[str, int] | None = None,
        socket_options: Iterable[SocketOption] = (),
        keepalive: KeepAlive | None = DEFAULT_KEEPALIVE,
    ) -> None:
        self._check_overridden()
        self.max_retries = max_retries
        if resolver is not None and not callable(resolver):
            raise TypeError(
                f"resolver is {resolver!r}: give a function from (host, port) to a list of Address or of IP "
                f"addresses, such as lambda host, port: table[host]"
            )
        check_context("proxy_ssl_context", proxy_ssl_context)
        self._resolver = resolver
        self._proxy_headers = checked_proxy_headers(proxy_headers)
        self._proxy_ssl_context = proxy_ssl_context
        self._way = Way(unix_socket=None if unix_socket is None else urls.socket_path(unix_socket))
        self._keepalive = keepalive
        self._pool_settings = {
            "ssl_context": ssl_context,
            "server_hostname": server_hostname,
            "socket_options": socket_options,
            "source_address": local_address,
        }
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
            **pool_settings: `ssl_context`, `server_hostname` and `socket_options` as those of the adapter,
                or `source_address`, urllib3's name for its `local_address`.

        Raises:
            TypeError, ValueError: an argument is of no use.
        """
        unknown = pool_settings.keys() - self._pool_settings.keys()
        if unknown:
            raise TypeError(
                f"the pool knows no {', '.join(unknown)}: what is about TLS goes into an ssl_context="
            )
        self._pool_settings = settings = {**self._pool_settings, **pool_settings}
        check_context("ssl_context", settings["ssl_context"])
        self._way = self._way._replace(
            context=settings["ssl_context"],
            server_hostname=checked_server_hostname(settings["server_hostname"]),
            local_address=local_address_of(settings["source_address"]),
        )
        limits = limits_of(connections, maxsize, block=block) if self._limits is None else self._limits
        sockets = SocketSettings(settings["socket_options"], self._keepalive)
        settings["socket_options"] = sockets.options  # an iterator is at its end, and does not pickle
        self.pool = ConnectionPool(limits, Dialer(self._resolver, sockets))

    def _check_overridden(self) -> None:
        """A subclass whose steps are never taken, such as one that pins certificates, must not look as if.

        Raises:
            TypeError: it has one of the steps that requests takes with urllib3.
        """
        for name in _STEPS_OF_URLLIB3:
            if hasattr(self, name):
                raise TypeError(
                    f"{type(self).__name__}.{name}() would never be called, since there is no urllib3 below: "
                    f"say it by ssl_context=, server_hostname= or init_poolmanager(), or override send()"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pool": None, "_limits": self.pool.limits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        HTTPAdapter.init_poolmanager(self, None, None)

    def __repr__(self) -> str:
        return f"<HTTPAdapter with {self.pool!r}>"

    @property
    def unix_socket(self) -> str | None:
        """The path of the unix socket that is dialled for every URL, or None."""
        return self._way.unix_socket

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
        """Send a request over a connection of the pool; the arguments are those of `BaseAdapter.send`.

        What fails is tried again as `max_retries` allows, within the total timeout.

        Raises:
            RetryError: the policy of retries does not accept the status of the last response.
            RequestException: those that `ConnectionPool.send` and `outgoing_request` name, `InvalidURL`,
                `InvalidSchema` and `InvalidProxyURL`.
            TypeError, ValueError: timeout, verify or cert are of no use.
        """
        tries = _Tries(self._max_retries, request, Deadline.of(timeout))
        started = time.monotonic()
        try:
            # First of all, since a Proxy-Authorization that it adds is part of the Route.
            self.add_headers(
                request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies
            )
            url = urls.parse(request.url)
            proxy = self._proxy(url, proxies, request.headers, verify) if proxies else None
            route = self._route(url, verify, cert, proxy)
            response = self._send_until_it_will_do(request, url, route, proxies, tries)
            marks = response._marks  # a subclass may make responses of its own
            response._started = started
            response._seconds = (time.monotonic() if marks is None else marks.head) - started
            return response
        except RequestException as error:
            if is_of_a_signal_handler(error):  # what it says is not about this request
                raise
            if isinstance(error, TunnelError) and error.status is not None and error.response is None:
                error.response = self._answer_of_proxy(request, error)
                error.response._seconds = time.monotonic() - started
            if isinstance(error, RetryError) and error.response is not None:
                error.response._started = started
                error.response._seconds = time.monotonic() - started
            if error.request is None:  # a body may be made of other requests, which have errors of their own
                error.request = request
                if error.leg in _LEGS_OF_PROXY:
                    _name_variable(error, url, self._proxy_url(url, proxies))
                _tell_what_was_tried(error, request, time.monotonic() - started, tries.count)
            raise

    def _send_until_it_will_do(
        self, request: PreparedRequest, url: URL, route: Route, proxies: ProxyTypes, tries: _Tries
    ) -> Response:
        target = self.request_url(request, proxies)
        while True:
            outgoing = outgoing_request(request, url, target, route)
            if tries.teller is not None:
                tries.tell_start()
            try:
                incoming = self.pool.send(route, outgoing, tries.deadline)
            except RequestException as error:
                if tries.teller is not None:
                    tries.tell_failure(error)
                if not (_is_of_this_try(error) and outgoing.rewindable and tries.go_on_after_error(error)):
                    raise
                continue
            try:
                response = self.build_response(request, incoming)
            except BaseException:
                incoming.close()  # L3: nobody is going to see it
                raise
            if tries.teller is not None:
                tries.tell_end(response)
            if tries.end_with(response):
                return response
            if not (outgoing.rewindable and tries.go_on_after_response(response)):
                return tries.accept(response)

    def _route(self, url: URL, verify: VerifyTypes, cert: CertTypes, proxy: Proxy | None) -> Route:
        way = self._way if url.unix_socket is None else self._way._replace(unix_socket=url.unix_socket)
        if url.scheme != "https":
            return route_for(url.origin, UNVERIFIED, None, way, proxy)
        trust = whom_to_trust(verify)
        try:
            return route_for(url.origin, trust, cert, way, proxy)
        except TypeError:  # a list can't be looked up in a cache; the check itself says if it is wrong
            return route_for.__wrapped__(url.origin, trust, cert, way, proxy)

    def _proxy(
        self, url: URL, proxies: Mapping[str, str | None], headers: Headers, verify: VerifyTypes
    ) -> Proxy | None:
        """The proxy that a request goes through, with all that it is shown, or None."""
        text = self._proxy_url(url, proxies)
        if text is None:
            return None
        try:
            fields = self.proxy_headers(text)
            is_https = read_proxy_url(text).scheme == "https"
        except (InvalidProxyURL, InvalidSchema) as error:
            _name_variable(error, url, text)
            raise
        # One among the fields of the request is for the proxy as well, and goes ahead of its URL.
        given = headers.get(PROXY_AUTHORIZATION)
        if given is not None:
            fields = {**fields, PROXY_AUTHORIZATION: given}
        tls = None
        if is_https:
            trust = UNVERIFIED if self._proxy_ssl_context is not None else whom_to_trust(verify)
            tls = identity_of(trust, None, self._proxy_ssl_context, None)
        return proxy_of(text, fields, tls)

    def _proxy_url(self, url: URL, proxies: ProxyTypes) -> str | None:
        """The URL of the proxy that a request goes through, or None; to a unix socket none ever leads."""
        if not proxies or self._way.unix_socket is not None or url.unix_socket is not None:
            return None
        return select_proxy(url, proxies)

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """The header fields for the eyes of a proxy; a subclass may have others for each.

        Args:
            proxy: its URL, as it was given.

        Returns:
            Those of the argument `proxy_headers`, and Proxy-Authorization by the user and password of the
            URL, where it has them. They go with CONNECT where the far end is one of https, and with each
            request of http. A proxy of SOCKS is shown none.

        Raises:
            InvalidProxyURL, InvalidSchema: the URL can't be used.
        """
        return {**self._proxy_headers, **basic_fields(proxy)}

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
        if not proxies or url.scheme != "http":
            return url.target
        proxy = self._proxy_url(url, proxies)
        return url.target if proxy is None or not forwards_http(proxy) else url.absolute_target

    def build_response(self, req: PreparedRequest, resp: IncomingResponse) -> Response:
        """A Response of what came over the wire.

        Args:
            req: the request that it answers.
            resp: its head, and its body, which has yet to be read.
        """
        response = Response.received(req, resp.status, resp.reason, resp.fields, self)
        if resp.tls is not None:
            response.tls = resp.tls
        response._body = resp
        response._marks = resp.marks
        return response

    def _answer_of_proxy(self, request: PreparedRequest, error: TunnelError) -> Response:
        """What a proxy answered that makes no tunnel, as a Response."""
        assert error.status is not None, "who asks has seen it"
        response = Response.received(request, error.status, error.reason, error.fields, self)
        response._undecoded, response._is_cut = error.body, error.is_cut
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

    __slots__ = ("_request", "_retry", "deadline", "teller")

    def __init__(self, retry: Retry, request: PreparedRequest, deadline: Deadline) -> None:
        self._retry = retry
        self._request = request
        self.deadline = deadline
        self.teller: Teller | None = here.teller  # who is told of each, if anybody wants to know

    @property
    def count(self) -> int:
        """How many there were, the one that is under way included."""
        return len(self._retry.history) + 1

    def go_on_after_error(self, error: RequestException) -> bool:
        """Whether to try again after an error; if so, the wait is over when this returns."""
        following = self._retry.after_error(self._request.method, self._request.url, error)
        return following is not None and self._wait(following, None)

    def end_with(self, response: Response) -> bool:
        """Whether nothing in a response asks for another try, as in most; there is nothing to decide then."""
        retry = self._retry
        if response.has_field(b"retry-after") or retry.is_retry(self._request.method, response.status_code):
            return False
        if retry.history:
            response._tries = retry.history
        return True

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
        if self.teller is not None:
            from .events import Retrying  # loaded only where somebody looks on, to keep start-up light

            self.teller.tell(Retrying, seconds, self.count)
        time.sleep(seconds)
        return True

    def tell_start(self) -> None:
        """Tell that a try begins."""
        from .events import AttemptStarted  # loaded only where somebody looks on, to keep start-up light

        assert self.teller is not None, "who asks has seen it"
        self.teller.tell(AttemptStarted, self.count, self._request.method, urls.shown(self._request.url))

    def tell_failure(self, error: RequestException) -> None:
        """Tell that a try has come to an error."""
        from .events import AttemptFailed  # loaded only where somebody looks on, to keep start-up light

        assert self.teller is not None, "who asks has seen it"
        self.teller.tell(AttemptFailed, self.count, type(error).__name__)

    def tell_end(self, response: Response) -> None:
        """Tell that a try has come to a response."""
        from .events import AttemptEnded  # loaded only where somebody looks on, to keep start-up light

        assert self.teller is not None, "who asks has seen it"
        try:
            self.teller.tell(AttemptEnded, self.count, response.status_code)
        except BaseException:
            response.close()  # nobody is going to see it
            raise

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
    return Limits(**given) if given else DEFAULT_LIMITS


def _is_of_this_try(error: RequestException) -> bool:
    """Whether an error may be met by another try.

    One that has a request already is that one's: a body may be made of other requests. And what a signal
    handler raises is its program's.
    """
    return error.request is None and not is_of_a_signal_handler(error)


def _name_variable(error: RequestException, url: URL, proxy: str | None) -> None:
    """Say in an error about a proxy which variable of the environment names it, if one does."""
    variable = None if proxy is None else environment.proxy_variable(url.scheme, proxy)
    if variable is not None:
        what, *others = error.args or ("failed",)
        error.args = (f"{what}; {variable} of the environment names this proxy", *others)


def _tell_what_was_tried(
    error: RequestException, request: PreparedRequest, seconds: float, tries: int
) -> None:
    """Put the request ahead of an error's message, and behind it how long it took, and in how many tries."""
    what, *others = error.args or ("failed",)
    where = f"{request.method} {urls.redacted(request.url)}"
    often = "" if tries == 1 else f" and {tries} tries"
    error.args = (f"{where}: {what} (after {seconds:.3f} s{often})", *others)
