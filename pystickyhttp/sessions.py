"""Session: what sticks from one request to the next, and the walk along redirects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple, Self

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
from .timeouts import UNSET, Deadline, TimeoutTypes
from .transport import Limits, Resolver
from .urls import ParamTypes

# As many as requests and libcurl follow: a chain that is longer is a loop.
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


class _Call(NamedTuple):
    """What holds for all exchanges of one call: the call's settings over the session's."""

    stream: bool
    deadline: Deadline
    verify: VerifyTypes
    cert: CertTypes


class Session:
    """Requests that share connections, cookies, headers and auth.

        with Session() as session:
            session.headers["User-Agent"] = "my-app/1.0"
            response = session.get("https://example.com/", params={"q": "sticky"}, timeout=5)
            response.raise_for_status()

    What a request shares with `request`'s arguments can be given there too, and counts for that request alone
    then: the call goes ahead of the session.

    Any number of threads may send requests on one session, and change its settings: each request takes them
    as they stand when it begins. The child of a fork starts with connections of its own. A pickled session
    takes its settings and cookies along, and no connection.

    Args:
        limits: how many connections there may be; by default `Limits()`.
        resolver: a function from (host, port) to a list of `Address`, by default the system's.

    Attributes:
        auth: a pair (user, password) for Basic, or an object of `AuthBase`; None by default.
        params: appended to the query of every request. Where the call gives params too, mappings are merged,
            and of other forms the call's go in the place of these.
        verify: True (the default) for the system's root certificates, the path of a file or folder of
            others, or False for no check at all.
        cert: the client's certificate: a file, or a tuple (certificate, key[, password]).
        stream: whether the body is left for the caller to read. Default False.
        timeout: seconds, (connect, read), a `Timeout`, None for no limit, or `UNSET` for the defaults.
        max_redirects: how many redirects are followed. Default 30.
        adapters: what `mount` has mounted, the longest prefix first.
    """

    def __init__(self, *, limits: Limits | None = None, resolver: Resolver | None = None) -> None:
        self._headers = default_headers()
        self._cookies = CookieJar()
        self.auth: AuthTypes = None
        self.params: ParamTypes = None
        self.verify: VerifyTypes = True
        self.cert: CertTypes = None
        self.stream = False
        self.timeout: TimeoutTypes = UNSET
        self.max_redirects = DEFAULT_REDIRECT_LIMIT
        self.adapters: dict[str, BaseAdapter] = {}  # the longest prefix first
        self._own_adapter = HTTPAdapter(limits=limits, resolver=resolver)
        self.mount("https://", self._own_adapter)
        self.mount("http://", self._own_adapter)

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
    def headers(self) -> Headers:
        """Fields of every request; one whose value is None is not sent. Any mapping can be assigned."""
        return self._headers

    @headers.setter
    def headers(self, value: HeaderTypes) -> None:
        self._headers = value if isinstance(value, Headers) else Headers(value)

    @property
    def cookies(self) -> CookieJar:
        """The jar. A mapping of names to values, or another jar, can be assigned."""
        return self._cookies

    @cookies.setter
    def cookies(self, value: CookieTypes) -> None:
        self._cookies = value if isinstance(value, CookieJar) else CookieJar(value)

    @property
    def max_connections(self) -> int | None:
        """How many connections there may be to one host; None, the default, is without limit.

        A request above the limit waits until a connection is free, for as long as the pool timeout. Setting
        it counts at once, for requests that wait already too, and for every `HTTPAdapter` that is mounted by
        then. It is the `max_per_host` of `Limits`, under the name that users of sessions know.

        Raises:
            TypeError, ValueError: on setting what is neither None nor a whole number above 0.
        """
        return self._own_adapter.limits.max_per_host

    @max_connections.setter
    def max_connections(self, value: int | None) -> None:
        for adapter in {self._own_adapter, *self.adapters.values()}:
            if isinstance(adapter, HTTPAdapter):
                adapter.limits = dataclasses.replace(adapter.limits, max_per_host=value)

    @property
    def proxies(self) -> Mapping[str, str]:
        """Always empty: this version speaks to no proxy.

        Raises:
            NotImplementedError: on setting any. A request that is meant for a proxy must not go out without.
        """
        return MappingProxyType({})

    @proxies.setter
    def proxies(self, value: Mapping[str, str] | None) -> None:
        if value:
            raise NotImplementedError("proxies are not spoken to yet: nothing is sent around them unasked")

    @property
    def hooks(self) -> Mapping[str, Any]:
        """Always empty: this version calls no hooks.

        Raises:
            NotImplementedError: on setting any.
        """
        return MappingProxyType({})

    @hooks.setter
    def hooks(self, value: Mapping[str, Any] | None) -> None:
        if value and any(value.values()):
            raise NotImplementedError("hooks are not called yet: use what the call returns")

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
            verify: as the session's attribute; None, the default, for that one.
            cert: as the session's attribute; None, the default, for that one.
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
            TypeError, ValueError: auth or cookies are of no use.
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
        if "Authorization" in prepared.headers or not urls.is_http(prepared.url):
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
            stream, allow_redirects, verify, cert: as for `request`.
            timeout: as for `request`; a `Deadline` is a timeout whose clock runs already.

        Returns:
            The response, at the end of all redirects, with its body read unless `stream` is set.

        Raises:
            TooManyRedirects: more than `max_redirects`.
            RequestException: as for `request`.
            TypeError: it is no PreparedRequest.
        """
        if not isinstance(request, PreparedRequest):
            raise TypeError(
                f"send() takes a PreparedRequest, not {type(request).__name__}: see prepare_request()"
            )
        call = _Call(
            stream=self.stream if stream is None else stream,
            deadline=Deadline.of(self.timeout if timeout is UNSET else timeout),
            verify=self.verify if verify is None else verify,
            cert=self.cert if cert is None else cert,
        )
        response = self._exchange(request, call)
        if allow_redirects and response.status_code in redirects.REDIRECT_STATUSES:
            response = self._follow(request, response, call)
        if not call.stream:
            _ = response.content
        return response

    def _exchange(self, request: PreparedRequest, call: _Call) -> Response:
        """One request and its response, whose cookies stick."""
        try:
            adapter = self.get_adapter(request.url)
        except InvalidSchema as error:
            error.request = request
            raise
        response = adapter.send(
            request, stream=call.stream, timeout=call.deadline, verify=call.verify, cert=call.cert
        )
        if "Set-Cookie" in response.headers:
            self.cookies.extract(urls.parse(request.url), response.headers.get_list("Set-Cookie"))
        return response

    def _follow(self, request: PreparedRequest, response: Response, call: _Call) -> Response:
        """Walk along redirects to the response that is none."""
        history: list[Response] = []
        while (following := self._next_request(request, response)) is not None:
            response.history = history.copy()
            if len(history) >= self.max_redirects:
                response.close()
                raise TooManyRedirects(
                    f"more than {self.max_redirects} redirects, the last to {urls.redacted(following.url)}",
                    response=response,
                )
            response.keep_undecoded()
            history.append(response)
            request = following
            response = self._exchange(request, call)
        response.history = history
        return response

    def _next_request(self, request: PreparedRequest, response: Response) -> PreparedRequest | None:
        """The request that a redirect asks for, or None. What it may not take along stays gone for good."""
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
