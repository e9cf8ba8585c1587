"""Session: what sticks from one request to the next, and the walk along redirects."""

from __future__ import annotations

import dataclasses
from types import TracebackType
from typing import Any, Final, Self

from . import models, redirects, urls
from .__version__ import __version__
from .adapters import BaseAdapter, CertTypes, HTTPAdapter, VerifyTypes
from .auth import AuthTypes, as_auth
from .bodies import BodyTypes
from .cookies import CookieJar, CookieTypes
from .decoding import ACCEPT_ENCODING
from .exceptions import InvalidSchema, RequestException, TooManyRedirects
from .headers import Headers, HeaderTypes, merge_headers
from .models import PreparedRequest, Request, Response
from .timeouts import UNSET, Deadline, Timeout, TimeoutTypes
from .transport import Limits
from .transport.dial import Resolver
from .urls import ParamTypes

# As many as requests and curl follow: a chain that is longer is a loop.
DEFAULT_REDIRECT_LIMIT: Final = 30


def default_headers() -> Headers:
    """The headers of a new session."""
    return Headers(
        {
            "User-Agent": f"pystickyhttp/{__version__}",
            "Accept-Encoding": ACCEPT_ENCODING,
            "Accept": "*/*",
            "Connection": "keep-alive",
        }
    )


class Session:
    """Requests that share connections, cookies, headers and auth. Any number of threads may use one.

    Every setting can be given at a request too, and counts for that request alone then: the call goes ahead
    of the session.

    Args:
        limits: how many connections there may be; by default `Limits()`.
        resolver: a function from (host, port) to a list of `Address`, by default the system's.

    Attributes:
        headers: fields of every request; one that is set to None is not sent.
        auth: a pair (user, password) for Basic, or an object of `AuthBase`; None by default.
        params: appended to the query of every request.
        cookies: the jar.
        verify: True (the default) for the system's root certificates, the path of a file or folder of
            others, or False for no check at all.
        cert: the client's certificate: a file, or a tuple (certificate, key[, password]).
        stream: whether the body is left for the caller to read. Default False.
        timeout: seconds, (connect, read), a `Timeout`, None for no limit, or `UNSET` for the defaults.
        max_redirects: how many redirects are followed. Default 30.
    """

    def __init__(self, *, limits: Limits | None = None, resolver: Resolver | None = None) -> None:
        self.headers = default_headers()
        self.auth: AuthTypes = None
        self.params: ParamTypes = None
        self.cookies = CookieJar()
        self.verify: VerifyTypes = True
        self.cert: CertTypes = None
        self.stream = False
        self.timeout: TimeoutTypes = UNSET
        self.max_redirects = DEFAULT_REDIRECT_LIMIT
        self.adapters: dict[str, BaseAdapter] = {}  # the longest prefix first
        adapter = HTTPAdapter(limits=limits, resolver=resolver)
        self._limits = adapter.pool.limits
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def __repr__(self) -> str:
        adapters = dict.fromkeys(self.adapters.values())
        return f"<Session with {', '.join(map(repr, adapters))}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- settings

    @property
    def max_connections(self) -> int | None:
        """How many connections there may be to one host; None, the default, is without limit.

        A request above the limit waits until a connection is free, for as long as the pool timeout. Setting
        it counts at once, for requests that wait already too.

        Raises:
            TypeError, ValueError: on setting what is neither None nor a whole number above 0.
        """
        return self._limits.max_per_host

    @max_connections.setter
    def max_connections(self, value: int | None) -> None:
        self._limits = dataclasses.replace(self._limits, max_per_host=value)
        for adapter in self.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                adapter.pool.limits = dataclasses.replace(adapter.pool.limits, max_per_host=value)

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Let an adapter serve the URLs that begin with a prefix; the longest prefix that fits wins.

        Args:
            prefix: such as "https://" or "https://api.example.com/".
            adapter: the adapter; it is closed with the session.
        """
        mounted = {**self.adapters, prefix.lower(): adapter}
        self.adapters = dict(sorted(mounted.items(), key=lambda item: -len(item[0])))

    def get_adapter(self, url: str) -> BaseAdapter:
        """The adapter for a URL.

        Raises:
            InvalidSchema: none is mounted for it.
        """
        lowered = url.lower()
        for prefix, adapter in self.adapters.items():
            if lowered.startswith(prefix):
                return adapter
        raise InvalidSchema(
            f"no adapter serves {urls.redacted(url)!r}: this session has {', '.join(self.adapters)}; "
            f"mount() takes others"
        )

    # --- requests

    def request(
        self,
        method: str,
        url: str,
        params: ParamTypes = None,
        data: BodyTypes = None,
        headers: HeaderTypes | None = None,
        cookies: CookieTypes = None,
        *,
        auth: AuthTypes = None,
        timeout: TimeoutTypes = UNSET,
        allow_redirects: bool = True,
        stream: bool | None = None,
        verify: VerifyTypes | None = None,
        cert: CertTypes = None,
        json: Any = None,
    ) -> Response:
        """Send a request.

        Args:
            method: such as "GET".
            url: absolute, http or https.
            params: appended to the query: a mapping, pairs, or a query that is written already.
            data: the body: a mapping or pairs (a form), str, bytes, a file, or an iterable of bytes.
            headers: fields of this request; None as a value takes a field of the session away.
            cookies: names and values for this request alone.
            auth: a pair (user, password) for Basic, or an object of `AuthBase`.
            timeout: seconds for connect, read and write each; (connect, read); a `Timeout`, which can set
                a deadline over all of it; or None for no limit. By default the session's.
            allow_redirects: whether redirects are followed. Default True (`head` has False).
            stream: whether the body is left for the caller to read, who closes the response then.
            verify: as the session's.
            cert: as the session's.
            json: a value to send as JSON, where there is no data.

        Returns:
            The response, at the end of all redirects, with its body read unless `stream` is set.

        Raises:
            RequestException: everything that can go wrong is below it.
            TypeError, ValueError: a setting, such as timeout or auth, is of no use.
        """
        prepared = self.prepare_request(
            Request(method, url, headers, data=data, params=params, auth=auth, cookies=cookies, json=json)
        )
        return self.send(
            prepared,
            timeout=timeout,
            allow_redirects=allow_redirects,
            stream=stream,
            verify=verify,
            cert=cert,
        )

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Merge a request with the settings of the session, and encode it.

        Raises:
            RequestException: a part of it can't be sent.
        """
        prepared = PreparedRequest()
        try:
            self._prepare(prepared, request)
        except RequestException as error:
            error.request = request
            raise
        return prepared

    def _prepare(self, prepared: PreparedRequest, request: Request) -> None:
        prepared.prepare_method(request.method)
        prepared.prepare_url(request.url, urls.merge_params(request.params, self.params))
        prepared.prepare_headers(merge_headers(request.headers, self.headers))
        prepared.own_cookies = models.own_cookies(request.cookies)
        prepared.prepare_cookies(self.cookies)
        prepared.prepare_body(request.data, request.json)
        prepared.prepare_auth(as_auth(self._choose_auth(request, prepared)))

    def _choose_auth(self, request: Request, prepared: PreparedRequest) -> AuthTypes:
        """The call goes ahead of the session, and what is explicit ahead of the URL's userinfo."""
        if request.auth is not None:
            return request.auth  # type: ignore[no-any-return]
        if request.headers is not None and "Authorization" in Headers(request.headers):
            return None
        if self.auth is not None:
            return self.auth
        if "Authorization" in prepared.headers or "@" not in prepared.url or not urls.is_http(prepared.url):
            return None
        return urls.parse(prepared.url).credentials

    def send(
        self,
        request: PreparedRequest,
        *,
        stream: bool | None = None,
        timeout: TimeoutTypes | Deadline = UNSET,
        allow_redirects: bool = True,
        verify: VerifyTypes | None = None,
        cert: CertTypes = None,
    ) -> Response:
        """Send a request that is prepared, and follow its redirects.

        Args:
            request: the request.
            stream, timeout, allow_redirects, verify, cert: as for `request`.

        Raises:
            TooManyRedirects: more than `max_redirects`.
            RequestException: as for `request`.
            TypeError: it is no PreparedRequest.
        """
        if not isinstance(request, PreparedRequest):
            raise TypeError(
                f"send() takes a PreparedRequest, not {type(request).__name__}: see prepare_request()"
            )
        timeout = self.timeout if timeout is UNSET else timeout
        deadline = timeout if isinstance(timeout, Deadline) else Timeout.of(timeout).start()
        stream = self.stream if stream is None else stream
        verify = self.verify if verify is None else verify
        cert = self.cert if cert is None else cert
        history: list[Response] = []
        while True:
            response = self._adapter_of(request).send(
                request, stream=stream, timeout=deadline, verify=verify, cert=cert
            )
            if "Set-Cookie" in response.headers:
                self.cookies.extract(urls.parse(request.url), response.headers.get_list("Set-Cookie"))
            following = self._next_request(request, response) if allow_redirects else None
            if following is None:
                break
            history.append(response)
            if len(history) > self.max_redirects:
                response.close()
                raise TooManyRedirects(
                    f"more than {self.max_redirects} redirects, the last to {urls.redacted(following.url)}",
                    response=response,
                )
            response.keep_undecoded()
            response.history = history[:-1]
            request = following
        response.history = history
        if not stream:
            _ = response.content
        return response

    def _adapter_of(self, request: PreparedRequest) -> BaseAdapter:
        try:
            return self.get_adapter(request.url)
        except InvalidSchema as error:
            error.request = request
            raise

    def _next_request(self, request: PreparedRequest, response: Response) -> PreparedRequest | None:
        """The request that a redirect asks for, or None. What it may not take along stays gone for good."""
        if response.status_code not in redirects.REDIRECT_STATUSES:
            return None
        try:
            redirect = redirects.next_redirect(
                urls.parse(request.url),
                request.method,
                response.status_code,
                response.headers.get("Location"),
            )
        except BaseException as error:
            response.close()
            if isinstance(error, RequestException):
                error.request, error.response = request, response
            raise
        return None if redirect is None else self._redirected(request, redirect)

    def _redirected(self, request: PreparedRequest, redirect: redirects.Redirect) -> PreparedRequest:
        following = request.copy()
        following.method = redirect.method
        following.url = str(redirect.url)
        dropped: tuple[str, ...] = ()
        if redirect.drops_body:
            following.body = following.body_position = None
            dropped += redirects.BODY_HEADERS
        if redirect.drops_secrets:
            following.own_cookies = ()
            following.cookie_by_hand = False
            dropped += redirects.SECRET_HEADERS
        for name in dropped:
            following.headers.pop(name, None)
        following.prepare_cookies(self.cookies)
        return following

    # `request` is looked up on the instance, so that one that was replaced there counts for all of these.

    def get(self, url: str, **kwargs: Any) -> Response:
        """GET; the arguments are those of `request`."""
        return self.request("GET", url, **kwargs)

    def options(self, url: str, **kwargs: Any) -> Response:
        """OPTIONS; the arguments are those of `request`."""
        return self.request("OPTIONS", url, **kwargs)

    def head(self, url: str, **kwargs: Any) -> Response:
        """HEAD; the arguments are those of `request`. Redirects are not followed unless it is asked for."""
        kwargs.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **kwargs)

    def post(self, url: str, data: BodyTypes = None, json: Any = None, **kwargs: Any) -> Response:
        """POST; the arguments are those of `request`."""
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: str, data: BodyTypes = None, **kwargs: Any) -> Response:
        """PUT; the arguments are those of `request`."""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: str, data: BodyTypes = None, **kwargs: Any) -> Response:
        """PATCH; the arguments are those of `request`."""
        return self.request("PATCH", url, data=data, **kwargs)

    def delete(self, url: str, **kwargs: Any) -> Response:
        """DELETE; the arguments are those of `request`."""
        return self.request("DELETE", url, **kwargs)

    def close(self) -> None:
        """Close the connections that are idle; those in use close when their responses end.

        The session can be used again afterwards. Its cookies and settings stay.
        """
        for adapter in self.adapters.values():
            adapter.close()


def session() -> Session:
    """A new `Session`; requests has this function too."""
    return Session()
