"""Session: what sticks from one request to the next, and the walk along redirects."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from functools import partial
from operator import attrgetter
from time import monotonic
from types import MappingProxyType, NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from . import environment, redirects, urls
from .__version__ import __version__
from .adapters import BaseAdapter, HTTPAdapter, ProxyTypes
from .auth import AuthTypes, as_auth
from .bodies import BodyTypes, FileTypes
from .cookies import CookieJar, CookieTypes
from .decoding import accept_encoding
from .environment import Environment
from .exceptions import InvalidSchema, RequestException, TooManyRedirects, UnrewindableBodyError
from .headers import Headers, HeaderTypes, merge_headers
from .hooks import default_hooks, dispatch_hook, merge_hooks
from .identity import CertTypes, VerifyTypes, check_identity
from .models import DEFAULT_REDIRECT_LIMIT, PreparedRequest, Request, Response
from .models import REDIRECT_STATI as REDIRECT_STATI  # programs import it from here
from .proxy_choice import check_keys, merge_proxies, select_proxy
from .retries import RetryTypes
from .telling import Teller, Trace, here, is_logged, teller_for
from .timeouts import UNSET, Deadline, TimeoutTypes, one_clock
from .transport import Limits, Resolver
from .transport.route import SYSTEM_STORE
from .urls import ParamTypes

if TYPE_CHECKING:
    from .keywords import GetKeywords, Keywords, PostKeywords, PutKeywords
    from .stats import Stats


def default_user_agent(name: str = "pystickyhttp") -> str:
    """A value for User-Agent: the name, and the version of this package.

    Args:
        name: what stands ahead of the version. Default "pystickyhttp".
    """
    return f"{name}/{__version__}"


def default_headers() -> Headers:
    """The headers of a new session."""
    return Headers(
        {
            "User-Agent": default_user_agent(),
            "Accept-Encoding": accept_encoding(),
            "Accept": "*/*",
            "Connection": "keep-alive",
        }
    )


class _Proxies(dict[str, str | None]):
    """The proxies for one URL, which remember what the caller gave: the next hop may need others."""

    given: Mapping[str, str | None] | None = None


# An empty mapping of the caller's in words: no proxy, whatever the session and the environment say.
_DIRECT: Final[Mapping[str, str | None]] = MappingProxyType({"all": None})


class _RedirectPolicy:
    """How far a walk along redirects goes, and which fields it loses off its origin."""

    __slots__ = ("gives_up_quietly", "limit", "secrets")

    def __init__(
        self,
        limit: int,
        gives_up_quietly: bool = False,
        secrets: Collection[str] = redirects.SECRET_HEADERS,
    ) -> None:
        self.limit = limit
        self.gives_up_quietly = gives_up_quietly
        self.secrets = secrets


class Session:
    """Requests that share connections, cookies, headers and auth.

        with Session(base_url="https://example.com/api", timeout=5) as session:
            session.headers["User-Agent"] = "my-app/1.0"
            response = session.get("search", params={"q": "sticky"})
            response.raise_for_status()

    `get`, `options`, `head`, `post`, `put`, `patch` and `delete` send a request and return its `Response`;
    `request` tells of the arguments that they take. The attributes are defaults for all requests. What a call
    gives counts for that request alone, and goes ahead of the session, which goes ahead of the environment,
    and that of the defaults.

    A connection is kept when a response was read to its end, and serves the next request to the same host.
    The end of the `with` block, or `close`, closes the connections, and saves the cookies to `cookies_file`.

    Any number of threads may send requests on one session, and change its settings: each request takes them
    as they stand when it begins. The child of a fork starts with connections of its own. A pickled session
    takes its settings and cookies along, and no connection.

    Args:
        base_url: what relative URLs are appended to: with "https://example.com/api", both "users" and
            "/users" are "https://example.com/api/users". By default URLs have to be absolute.
        headers: fields that are added to the default ones, or take their places.
        auth, params, cookies, verify, cert, proxies, timeout: see the attributes.
        cookies_file: a file that the cookies are loaded from, if it is there, and saved to when the session
            is closed: JSON where its name ends in .json, else cookies.txt as curl writes it. `cookies` are
            added to what it holds.
        trace: see the attributes.
        retries: what is tried again: a `Retry`, or how many times a connection that could not be made is.
            By default nothing, but for the replay on a connection that turned out to be dead.
        limits: how many connections there may be; by default `Limits()`.
        resolver: a function from (host, port) to a list of IP addresses as text, or of `Address`; by default
            the system's resolver.
        trust_env: see the attributes.

    Attributes:
        auth: a pair (user, password) for Basic, or any callable that takes and returns a `PreparedRequest`,
            such as an object of `AuthBase`. By default None, and then the userinfo of the URL counts, and
            then the netrc file.
        params: appended to the query of every request. Where the call gives params too, mappings are merged,
            and of other forms the call's go in the place of these. An iterator is kept as a list. Default
            none.
        headers, cookies, cookies_file, proxies, max_connections, max_redirects: see each of them below.
        hooks: functions that are called with each response: `{"response": [function, ...]}`. Each gets
            `(response, **settings)`, with timeout, verify and the like by their names, and may return a
            response to put in the place of that one. Default none.
        verify: True (the default) for the system's root certificates, the path of a file or folder of
            others, or False for no check at all. Where it is True, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE of
            the environment can name another file.
        cert: the client's certificate: a PEM file, or a tuple (certificate, key[, password]). Default None.
        stream: whether the body is left for the caller to read. Default False.
        timeout: seconds for connecting, reading and writing each; (connect, read) in seconds; a `Timeout`,
            which can set a deadline over all of it; None for no limit; or `UNSET`, the default, for the
            defaults of `Timeout`: 10 seconds to connect, 60 for each silence of the server.
        trust_env: whether the environment is asked for proxies, the netrc file and CA files. Default True.
        base_url: as the argument.
        adapters: what `mount` has mounted, the longest prefix first.
        trace: a function that is called with each event of its requests, or None, the default.

    Raises:
        TypeError, ValueError: auth, verify, cert, timeout, limits, retries or base_url are of no use. (Those
            that are assigned as attributes are told of by the requests.)
        CookieFileError: a line of cookies_file can't be read.
        OSError: cookies_file can't be read.
        InvalidURL, MissingSchema: base_url is no absolute URL.
        InvalidProxyURL: a key of proxies can fit no URL.
    """

    # What requests' Session does not have. A subclass that was written for that one may have set its own
    # attribute of the name before it calls this __init__, which then has to leave it alone.
    _cookies_file: str | os.PathLike[str] | None = None
    timeout: TimeoutTypes = UNSET
    _base_url: str | None = None
    _trace: Callable[[Any], object] | None = None

    def __init__(
        self,
        *,
        base_url: str | None = None,
        headers: HeaderTypes | None = None,
        auth: AuthTypes = None,
        params: ParamTypes = None,
        cookies: CookieTypes = None,
        cookies_file: str | os.PathLike[str] | None = None,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
        proxies: ProxyTypes = None,
        timeout: TimeoutTypes = UNSET,
        retries: RetryTypes = 0,
        limits: Limits | None = None,
        resolver: Resolver | None = None,
        trust_env: bool = True,
        trace: Trace | None = None,
    ) -> None:
        # Told here, where the mistake stands. What is assigned later may be for a subclass, or for an adapter
        # of others, and is told of by the requests that it is used for.
        if auth is not None:
            as_auth(auth)
        if timeout is not UNSET:
            Deadline.of(timeout)
        if verify is not True or cert is not None:
            check_identity(verify, cert)
        if trace is not None:
            self.trace = trace
        self._headers = default_headers()
        if headers is not None:
            self._headers = merge_headers(headers, self._headers)
        self.cookies = cookies
        if cookies_file is not None:
            self.cookies_file = cookies_file
            _check_folder_of(cookies_file)
            self.cookies = CookieJar.load(cookies_file, missing_ok=True)
            self.cookies.update(cookies or ())
        self.auth: AuthTypes = auth
        self.params = {} if params is None else params
        self.hooks: Any = default_hooks()
        self.verify: VerifyTypes = verify
        self.cert: CertTypes = cert
        self.proxies = proxies
        self.stream = False
        if timeout is not UNSET:
            self.timeout = timeout
        self.max_redirects = DEFAULT_REDIRECT_LIMIT
        self.trust_env = trust_env
        if base_url is not None:
            self.base_url = base_url
        self.adapters: dict[str, BaseAdapter] = {}  # the longest prefix first
        self._own_adapter = HTTPAdapter(limits=limits, max_retries=retries, resolver=resolver)
        # In mount()'s order; a session that serves one request should not sort them three times.
        self.adapters.update(dict.fromkeys((f"{urls.UNIX}://", "https://", "http://"), self._own_adapter))

    def __repr__(self) -> str:
        adapters = ", ".join(map(repr, _each_once(self.adapters.values())))
        return f"<Session with {len(self.cookies)} cookies and {adapters}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        from .pickling import can_travel  # loaded only where something is pickled, to keep start-up light

        # The file has one owner: a copy elsewhere that is closed must not write its cookies over it.
        trace = self._trace if can_travel(self._trace) else None
        return {**self.__dict__, "_cookies_file": None, "_trace": trace}

    # --- settings

    @property
    def headers(self) -> Headers:
        """Fields of every request; one whose value is None is not sent. Any mapping can be assigned.

        Raises:
            InvalidHeader: on setting what is neither a mapping nor pairs.
        """
        return self._headers

    @headers.setter
    def headers(self, value: HeaderTypes) -> None:
        self._headers = Headers.of(value)

    def _keep_params(self, value: Any) -> None:
        # An iterator would be empty after the first request, which nobody has meant.
        self._params = list(value) if hasattr(value, "__next__") else value

    # It is on the path of each request, and so it is read without a call of Python code.
    params: Any = property(attrgetter("_params"), _keep_params, doc="See the attributes.")

    @property
    def cookies(self) -> CookieJar:
        """The jar. A mapping of names to values, or another jar, can be assigned."""
        return self._cookies

    @cookies.setter
    def cookies(self, value: CookieTypes) -> None:
        self._cookies = value if isinstance(value, CookieJar) else CookieJar(value)

    @property
    def cookies_file(self) -> str | os.PathLike[str] | None:
        """The file that `close` saves the cookies to, or None. It belongs to the process that has set it."""
        return self._cookies_file

    @cookies_file.setter
    def cookies_file(self, value: str | os.PathLike[str] | None) -> None:
        self._cookies_file = value
        self._process = os.getpid()  # the one that the file belongs to

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
        for adapter in self._all_adapters():
            if isinstance(adapter, HTTPAdapter):
                adapter.limits = dataclasses.replace(adapter.limits, max_per_host=value)

    @property
    def proxies(self) -> MutableMapping[str, str | None]:
        """The proxy for each scheme, as a mapping from "http", "https" or "all", or any of them with a host
        ("https://example.com"), to a URL; None as the URL is for none.

        What it does not say, the environment says. An empty mapping that is assigned means direct, whatever
        the environment says; None gives the word back to it.

        Raises:
            TypeError: on setting what is no mapping.
            InvalidProxyURL: on setting one with a key that can fit no URL, such as "htpp" or "https//host".
                Where such a key is put into it later, each request raises it.
        """
        proxies: MutableMapping[str, str | None] = self._proxies
        return proxies

    @proxies.setter
    def proxies(self, value: ProxyTypes) -> None:
        checked = {} if value is None else _checked_proxies(value)
        check_keys(checked)
        self._speaks_of_proxies = value is not None
        self._proxies: Any = checked

    @property
    def trace(self) -> Trace | None:
        """A function that is called with each event of its requests (see `pystickyhttp.events`), or None.

        It is called with one event at a time, in the thread in which that happens. It may use the session:
        what it sends needs a connection of its own, and is told to nobody. An error that it raises is a
        RuntimeWarning, and does not reach the request. It travels in a pickle if it can be pickled. Setting
        it counts from the next request on.

        Raises:
            TypeError: on setting what can't be called.
        """
        return self._trace

    @trace.setter
    def trace(self, value: Trace | None) -> None:
        if value is not None and not callable(value):
            raise TypeError(f"trace is {value!r}: give a function that takes one event, such as print")
        self._trace = value

    @property
    def max_redirects(self) -> int:
        """How many redirects of one request are followed; beyond, it is `TooManyRedirects`. Default 30.

        Raises:
            TypeError, ValueError: on setting what is no whole number from 0 on.
        """
        return self._max_redirects

    @max_redirects.setter
    def max_redirects(self, value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"max_redirects is {value!r}: give a whole number")
        if value < 0:
            raise ValueError(f"max_redirects is {value!r}: give 0 or more")
        self._max_redirects = value

    @property
    def base_url(self) -> str | None:
        """What relative URLs are appended to, or None.

        Raises:
            InvalidURL, MissingSchema, InvalidSchema: on setting what is no absolute URL of http, https or
                http+unix.
            ValueError: on setting one with a query or a fragment.
        """
        return self._base_url

    @base_url.setter
    def base_url(self, value: str | None) -> None:
        if value is not None:
            urls.check_base(value)
        self._base_url = value

    def mount(self, prefix: str, adapter: BaseAdapter) -> None:
        """Let an adapter serve the URLs that begin with a prefix; the longest prefix that fits wins.

        Of two threads that mount at the same time one may be forgotten: it is for the beginning.

        Args:
            prefix: such as "https://" or "https://api.example.com/".
            adapter: the adapter; it is closed with the session.

        Raises:
            TypeError: they are none of these.
        """
        is_adapter = callable(getattr(adapter, "send", None)) and not isinstance(adapter, type)
        if not isinstance(prefix, str) or not is_adapter:
            raise TypeError(
                f"mount({prefix!r}, {adapter!r}): give a prefix such as 'https://', and an adapter"
            )
        mounted = {**self.adapters, prefix.lower(): adapter}
        self.adapters = dict(sorted(mounted.items(), key=lambda item: -len(item[0])))

    def get_adapter(self, url: str) -> BaseAdapter:
        """The adapter for a URL.

        Args:
            url: an absolute URL; its case does not count.

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
        files: FileTypes = None,
        auth: AuthTypes = None,
        timeout: TimeoutTypes = UNSET,
        allow_redirects: bool = True,
        proxies: ProxyTypes = None,
        hooks: Mapping[str, Any] | None = None,
        stream: bool | None = None,
        verify: VerifyTypes | None = None,
        cert: CertTypes = None,
        json: Any = None,
    ) -> Response:
        """Send a request.

        Args:
            method: such as "GET".
            url: absolute, of http or https, or of http+unix (the path of a unix socket, percent-encoded, in
                the place of the host: "http+unix://%2Fvar%2Frun%2Fdocker.sock/version"); or relative to the
                session's `base_url`.
            params: appended to the query: a mapping, pairs, or a query that is written already.
            data: the body: a mapping or pairs (a form), str, bytes, a file, or an iterable of bytes.
            headers: fields of this request; None as a value takes a field of the session away.
            cookies: names and values for this request alone.
            files: files to upload as multipart/form-data, beside the fields of `data`: a mapping or pairs
                from the name of a field to a file, to its content, or to a tuple
                (filename, file or content[, content type[, headers]]).
            auth: a pair (user, password) for Basic, or any callable that takes and returns a
                `PreparedRequest`. By default the session's, unless the headers have an Authorization.
            timeout: seconds for connect, read and write each; (connect, read); a `Timeout`, which can set
                a deadline over all of it; or None for no limit. By default the session's.
            allow_redirects: whether redirects are followed. Default True (`head` has False).
            proxies: as the session's attribute; an empty mapping means direct.
            hooks: functions to call with the response, in the place of the session's; as its attribute.
            stream: whether the body is left for the caller to read, who closes the response then; None, the
                default, for the session's.
            verify: as the session's attribute; None, the default, for that one.
            cert: as the session's attribute; None, the default, for that one.
            json: a value to send as JSON, where there is neither data nor files.

        Returns:
            The response, at the end of all redirects, with its body read unless `stream` is set.

        Raises:
            RequestException: everything that can go wrong is below it.
            TypeError, ValueError: a setting, such as timeout or auth, is of no use.
        """
        prepared = self.prepare_request(
            Request(method, url, headers, files, data, params, auth, cookies, hooks, json)
        )
        settings = self.merge_environment_settings(prepared.url, _spoken(proxies), stream, verify, cert)
        if timeout is not UNSET:
            settings["timeout"] = timeout
        return self.send(prepared, allow_redirects=allow_redirects, **settings)

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Merge a request with the settings of the session, and encode it.

        Args:
            request: what the caller says; what it does not say, the session does.

        Raises:
            RequestException: a part of it can't be sent.
            TypeError, ValueError: auth, cookies or hooks are of no use.
        """
        if not isinstance(request, Request):
            raise TypeError(f"prepare_request() takes a Request, not {type(request).__name__}")
        try:
            prepared = self._merged(request)
        except RequestException as error:
            error.request = request
            raise
        if self.trust_env:
            self._add_netrc_auth(prepared, request.headers)
        return prepared

    def _merged(self, request: Request) -> PreparedRequest:
        """A request with the settings of the session in it."""
        url = request.url if self._base_url is None else urls.below(self._base_url, request.url)
        given = Headers.of(request.headers) if request.headers else None  # once: it may be an iterator
        auth = self._choose_auth(request.auth, given)
        hooks = merge_hooks(request.hooks, self.hooks)
        if request.is_plain and not self.params and type(url) is str:
            fields = self.headers.snapshot()
            return PreparedRequest.plain(
                request.method, url, fields, auth, request.cookies, hooks, self._cookies
            )
        prepared = PreparedRequest()
        prepared.prepare(
            method=request.method,
            url=url,
            files=request.files,
            data=request.data,
            json=request.json,
            headers=merge_headers(given, self.headers),
            params=urls.merge_params(request.params, self.params),
            auth=auth,
            cookies=request.cookies,
            hooks=hooks,
            jar=self._cookies,
        )
        return prepared

    def _choose_auth(self, auth: AuthTypes, headers: Headers | None) -> AuthTypes:
        """What the call says goes ahead of the session; the URL's userinfo and netrc come after both."""
        if auth is not None:
            return auth
        if headers is not None and "Authorization" in headers:
            return None
        return self.auth

    def _add_netrc_auth(self, prepared: PreparedRequest, given: HeaderTypes | None = None) -> None:
        """Where nobody else has said who sends the request, the netrc file may (law: auth).

        Args:
            prepared: the request.
            given: the headers of the call. Who says there, or on the session, that Authorization is None has
                said it.
        """
        if prepared.has_auth or (netrc := environment.netrc()) is None:
            return
        if any(Headers.of(said).get("Authorization", "") is None for said in (given or {}, self.headers)):
            return
        if "Authorization" in prepared.headers or not urls.is_http(prepared.url):
            return
        machine = environment.netrc_machine(urls.parse(prepared.url))
        credentials = None if machine is None else netrc.credentials(machine)
        if credentials is not None:
            prepared.prepare_auth(credentials)

    def merge_environment_settings(
        self,
        url: str,
        proxies: ProxyTypes,
        stream: bool | None,
        verify: VerifyTypes | None,
        cert: CertTypes,
    ) -> dict[str, Any]:
        """The settings for one URL: the call's over the session's over the environment's, as it stands now.

        Args:
            url: the URL.
            proxies, stream, verify, cert: those of the call, or None. Proxies may be an empty mapping for
                None, as in the recipe of requests' guide; direct is `{"all": None}` here.

        Returns:
            All four by their names, for `send`.
        """
        around = environment.current() if self.trust_env else None
        verify = self.verify if verify is None else verify
        if verify is True:  # it alone leaves room for the environment
            verify = _verified_apart_from_environment() if around is None else around.ca_bundle or True
        return {
            "proxies": self._proxies_for(url, proxies or None, around),
            "stream": self.stream if stream is None else stream,
            "verify": verify,
            "cert": self.cert if cert is None else cert,
        }

    def _proxies_for(self, url: str, given: ProxyTypes, around: Environment | None) -> _Proxies:
        """The proxies for one URL: the caller's over the session's over the environment's."""
        said = dict(self._proxies) if self._proxies or self._speaks_of_proxies else None
        if given is None and said is None and (around is None or not around.proxies):
            return _Proxies()  # as mostly
        no_proxy = None if given is None else _checked_proxies(given).get("no_proxy")
        found: Mapping[str, str] = {}
        if around is not None and urls.is_http(url):
            found = around.proxies_for(urls.parse(url), no_proxy)
        proxies = _Proxies(merge_proxies(given, said, found))
        proxies.given = given
        return proxies

    def send(
        self,
        request: PreparedRequest,
        *,
        stream: bool | None = None,
        timeout: TimeoutTypes | Deadline = UNSET,
        allow_redirects: bool = True,
        verify: VerifyTypes | None = None,
        cert: CertTypes = None,
        proxies: ProxyTypes = None,
        **adapter_settings: Any,
    ) -> Response:
        """Send a request that is prepared, and follow its redirects.

        Args:
            request: the request.
            stream, allow_redirects, verify, cert, proxies: as for `request`.
            timeout: as for `request`; a `Deadline` is a timeout whose clock runs already.
            **adapter_settings: handed on to the adapter, for those that take more.

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
        is_watched = self._trace is not None or here.teller is not None or is_logged()
        if is_watched and not _is_told_of(request):
            given: dict[str, Any] = {"stream": stream, "timeout": timeout, "allow_redirects": allow_redirects}
            given.update(verify=verify, cert=cert, proxies=proxies, **adapter_settings)
            return self._send_and_tell(request, given)
        settings: dict[str, Any] = {"stream": stream, "verify": verify, "cert": cert, "proxies": proxies}
        if stream is None or verify is None or not isinstance(proxies, _Proxies):  # which are merged already
            settings = self.merge_environment_settings(request.url, _spoken(proxies), stream, verify, cert)
        timeout = self.timeout if timeout is UNSET else timeout
        # What nobody has set is not said: adapters and hooks have defaults of their own.
        if timeout is not UNSET:
            settings["timeout"] = one_clock(timeout)
        settings.update(adapter_settings)
        response = self._exchange(request, settings)
        if not allow_redirects:
            response._next = partial(self._next_request, request=request, settings=settings)
        elif self.get_redirect_target(response) is not None:
            for hop in self.resolve_redirects(response, request, **settings):
                response = hop
        if not settings["stream"]:
            _ = response.content
        return response

    def _send_and_tell(self, request: PreparedRequest, given: dict[str, Any]) -> Response:
        """Send a request that somebody looks at: whatever happens in this thread meanwhile is part of it.

        A hop of a walk along redirects belongs to the request that the walk began with.
        """
        around = here.teller
        is_hop = request.redirected_from is not None and around is not None and around.trace is self._trace
        if is_hop and around is not None:
            teller = Teller(self._trace, around.request_id, request)
        else:
            teller = teller_for(self._trace, request)
        try:
            here.teller = teller
            if is_hop:
                # By the class: a subclass's own send is on the stack already, and has led here.
                return Session.send(self, request, **given)
            return self._walk_and_tell(teller, request, given)
        finally:
            here.teller = around

    def _walk_and_tell(self, teller: Teller, request: PreparedRequest, given: dict[str, Any]) -> Response:
        from . import events  # loaded only where somebody looks on, to keep start-up light

        began = monotonic()
        teller.tell(events.RequestStarted, request.method, urls.shown(request.url))
        try:
            response = Session.send(self, request, **given)
        except BaseException as error:
            teller.tell(events.RequestFailed, type(error).__name__, monotonic() - began)
            raise
        hops = sum(1 for each in response.history if each.is_redirect)
        try:
            teller.tell(events.RequestEnded, response.status_code, hops, monotonic() - began)
        except BaseException:
            response.close()  # nobody is going to see it
            raise
        return response

    def _exchange(self, request: PreparedRequest, settings: dict[str, Any]) -> Response:
        """One request and its response, which hooks may replace, and whose cookies stick."""
        adapter = self._adapter_for(request)
        if isinstance(deadline := settings.get("timeout"), Deadline):  # of which other adapters know nothing
            deadline.clip(None, f"sending {request.method} {urls.redacted(request.url)}")
        if not isinstance(adapter, HTTPAdapter):
            settings = {"timeout": None, **settings}  # which adapters for requests may insist on
        response = adapter.send(request, **settings)
        if not isinstance(response, Response):
            raise TypeError(f"{adapter!r} returned {response!r}: an adapter has to return a Response")
        try:
            _complete(response, adapter)
            if request.hooks.get("response"):
                response = _hooked(request, response, settings)
            for each in response.history:
                self._take_cookies(request, each)
            self._take_cookies(request, response)
        except BaseException:
            response.close()  # nobody is going to see it
            raise
        return response

    def _adapter_for(self, request: PreparedRequest) -> BaseAdapter:
        if type(request.headers) is not Headers:  # any mapping can be put there, as in requests
            request.headers = Headers.of(request.headers)
        try:
            return self.get_adapter(request.url)
        except InvalidSchema as error:
            error.request = request
            raise

    def _take_cookies(self, request: PreparedRequest, response: Response) -> None:
        if not response.has_field(b"set-cookie"):
            return
        url = response.url or request.url
        if urls.is_http(url):
            self.cookies.extract(urls.parse(url), response.headers.get_list("Set-Cookie"))

    # --- redirects

    def resolve_redirects(
        self,
        resp: Response,
        req: PreparedRequest,
        stream: bool = False,
        timeout: TimeoutTypes | Deadline = UNSET,
        verify: VerifyTypes = True,
        cert: CertTypes = None,
        proxies: ProxyTypes = None,
        yield_requests: bool = False,
        **adapter_settings: Any,
    ) -> Iterator[Any]:
        """Walk along redirects.

        Each step asks `get_redirect_target`, `rebuild_method`, `rebuild_auth`, `rebuild_proxies` and `send`,
        any of which a subclass may have its own way with.

        Args:
            resp: the response to begin with.
            req: the request that it answers.
            stream, timeout, verify, cert, proxies: as for `send`.
            yield_requests: give the next request, unsent, and end. Default False.
            **adapter_settings: as for `send`.

        Yields:
            The response of each hop. What came before it is its `history`.

        Raises:
            TooManyRedirects: more than `max_redirects`, or than the policy of retries allows.
            InvalidURL, InvalidSchema: a redirect leads to what is no URL, or neither http nor https, or from
                elsewhere to a unix socket.
            RequestException: as for `send`.
        """
        response, request = resp, req
        settings = {"verify": verify, "cert": cert, **adapter_settings}
        if timeout is not UNSET:
            settings["timeout"] = one_clock(timeout)
        policy = self._policy_of_redirects(request)
        hops = 0
        while (location := self.get_redirect_target(response)) is not None:
            if hops >= policy.limit:
                if policy.gives_up_quietly:
                    return
                raise _too_many(policy.limit, response, location)
            try:
                proxy = _proxy_of(request, proxies)
                request = self._redirected(request, response, location, policy)
                proxies = self.rebuild_proxies(request, proxies)
                if _proxy_of(request, proxies) != proxy:
                    request.leave_proxy()
            except BaseException as error:
                response.keep_undecoded()  # the walk ends here
                if isinstance(error, RequestException):
                    error.request = error.request or request
                    error.response = response
                raise
            if yield_requests:
                yield request
                return
            response = self._hop(request, response, proxies, settings)
            hops += 1
            if not stream and self.get_redirect_target(response) is None:
                _ = response.content
            yield response

    def _hop(
        self,
        request: PreparedRequest,
        response: Response,
        proxies: Mapping[str, str | None] | None,
        settings: dict[str, Any],
    ) -> Response:
        """Send the request that a redirect asks for."""
        history = [*response.history, response]
        response.keep_undecoded()
        if here.teller is not None:
            from .events import Redirected  # loaded only where somebody looks on, to keep start-up light

            here.teller.tell(Redirected, response.status_code, request.method, urls.shown(request.url))
        try:
            # The body is read when it is known to be the last one's: a redirect's is never decoded.
            following = self.send(request, stream=True, allow_redirects=False, proxies=proxies, **settings)
        except UnrewindableBodyError as error:
            error.response = response  # that it has to be sent again, this one said
            raise
        following.history = history + following.history
        return following

    def _policy_of_redirects(self, request: PreparedRequest) -> _RedirectPolicy:
        """The session's limit, and what the policy of retries of the first adapter says beyond it."""
        adapter = self.get_adapter(request.url)
        if not isinstance(adapter, HTTPAdapter):
            return _RedirectPolicy(self.max_redirects)
        retry = adapter.max_retries
        secrets = redirects.secret_headers(retry.remove_headers_on_redirect)
        if retry.redirect is None or retry.redirect > self.max_redirects:
            return _RedirectPolicy(self.max_redirects, secrets=secrets)
        return _RedirectPolicy(int(retry.redirect), not retry.raise_on_redirect, secrets)

    def _next_request(
        self, response: Response, request: PreparedRequest, settings: Mapping[str, Any]
    ) -> PreparedRequest | None:
        walk = self.resolve_redirects(response, request, yield_requests=True, **settings)
        following: PreparedRequest | None = next(walk, None)
        return following

    def _redirected(
        self, request: PreparedRequest, response: Response, location: str, policy: _RedirectPolicy
    ) -> PreparedRequest:
        """The request that a redirect asks for. What it may not take along stays gone for good."""
        old = urls.parse(request.url)
        new = redirects.redirect_target(urls.parse(response.url or request.url), location)
        self._check_way_to_socket(request, str(new))
        following = request.copy()
        following.url, following.redirected_from = str(new), request.url
        self.rebuild_method(following, response)
        if redirects.drops_body(request.method, following.method, response.status_code):
            following.drop_body()
        following.own_cookies = redirects.cookies_left(following.own_cookies, response)
        if not redirects.keeps_secrets(old, new):
            following.own_cookies = ()
            for name in policy.secrets:
                following.headers.pop(name, None)
        following.match_cookies(self.cookies)
        self.rebuild_auth(following, response)
        return following

    def _check_way_to_socket(self, request: PreparedRequest, url: str) -> None:
        """Refuse a redirect that leads to a mounted unix socket from elsewhere, as one to http+unix is.

        Raises:
            InvalidSchema: it does, or no adapter is mounted for the URL.
        """
        adapter = self.get_adapter(url)
        if getattr(adapter, "unix_socket", None) is None or adapter is self.get_adapter(request.url):
            return
        raise InvalidSchema(
            f"{urls.redacted(request.url)} redirects to {urls.redacted(url)!r}, which {adapter!r} takes to a "
            f"unix socket: a socket is never reached by a redirect from elsewhere"
        )

    def get_redirect_target(self, resp: Response) -> str | None:
        """The Location that a response sends its request to, as text, or None where it is no redirect.

        Args:
            resp: the response.
        """
        return redirects.location_of(resp)

    def rebuild_method(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Set the method that a redirect leads to: 303 turns to GET, 301 and 302 turn POST to GET.

        Args:
            prepared_request: the next request, whose method is still that of the last one.
            response: the redirect.
        """
        prepared_request.method = redirects.redirected_method(prepared_request.method, response.status_code)

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Renew the credentials on their own origin, and drop them off it, where netrc may have others.

        Args:
            prepared_request: the next request, whose URL is set.
            response: the redirect.
        """
        # They are for the request's origin: a hook may have replaced the response by one of another.
        old_url = prepared_request.redirected_from or response.url
        if not self.should_strip_auth(old_url, prepared_request.url):
            prepared_request.renew_auth()
            return
        prepared_request.drop_auth()
        if self.trust_env:
            self._add_netrc_auth(prepared_request)

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        """Whether credentials for one URL must not go to another one: it is of another origin.

        The way from http on port 80 to https on port 443 of the same host only makes the channel better.

        Args:
            old_url: the URL that the credentials were given for.
            new_url: the URL that a redirect leads to.
        """
        return not redirects.keeps_secrets(urls.parse(old_url), urls.parse(new_url))

    def rebuild_proxies(
        self, prepared_request: PreparedRequest, proxies: Mapping[str, str | None] | None
    ) -> Mapping[str, str | None]:
        """The proxies for the next request: the environment is asked anew, NO_PROXY included.

        Args:
            prepared_request: the next request, whose URL is set.
            proxies: those of the last one.
        """
        given = proxies.given if isinstance(proxies, _Proxies) else proxies
        around = environment.current() if self.trust_env else None
        return self._proxies_for(prepared_request.url, given, around)

    # `request` is looked up on the instance, so that one that was replaced there counts for all of these.

    def get(self, url: str, params: ParamTypes = None, **kwargs: Unpack[GetKeywords]) -> Response:
        """Send a GET request; the arguments are those of `request`."""
        return self.request("GET", url, params=params, **kwargs)

    def options(self, url: str, **kwargs: Unpack[Keywords]) -> Response:
        """Send an OPTIONS request; the arguments are those of `request`."""
        return self.request("OPTIONS", url, **kwargs)

    def head(self, url: str, **kwargs: Unpack[Keywords]) -> Response:
        """Send a HEAD request; the arguments are those of `request`.

        Redirects are not followed unless `allow_redirects` is True.
        """
        kwargs.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **kwargs)

    def post(
        self, url: str, data: BodyTypes = None, json: Any = None, **kwargs: Unpack[PostKeywords]
    ) -> Response:
        """Send a POST request; the arguments are those of `request`."""
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: str, data: BodyTypes = None, **kwargs: Unpack[PutKeywords]) -> Response:
        """Send a PUT request; the arguments are those of `request`."""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: str, data: BodyTypes = None, **kwargs: Unpack[PutKeywords]) -> Response:
        """Send a PATCH request; the arguments are those of `request`."""
        return self.request("PATCH", url, data=data, **kwargs)

    def delete(self, url: str, **kwargs: Unpack[Keywords]) -> Response:
        """Send a DELETE request; the arguments are those of `request`."""
        return self.request("DELETE", url, **kwargs)

    def close(self) -> None:
        """Close the connections that are idle; those in use close when their responses end.

        The session can be used again afterwards. Its cookies and settings stay. The cookies are saved to its
        `cookies_file`, but for one that another process has set.

        Raises:
            OSError: the file can't be written; the connections are closed all the same.
            Exception: whatever an adapter of others raises; the other adapters are closed all the same.
        """
        try:
            if self._cookies_file is not None and self._process == os.getpid():
                self.cookies.save(self._cookies_file)
        finally:
            around = here.teller
            try:
                if self._trace is not None:
                    here.teller = Teller(self._trace, 0)
                # Each of them is closed, whatever closing another one raises.
                with contextlib.ExitStack() as closing:
                    for adapter in self._all_adapters():
                        closing.callback(adapter.close)
            finally:
                here.teller = around

    def stats(self) -> Stats:
        """What its connections came to: how many were opened, reused, discarded and why, per host and in all.

        They are counted since the session was made, unpickled or forked. Those of all `HTTPAdapter`s that are
        mounted are taken together.
        """
        from .stats import Stats  # loaded only where somebody asks, to keep start-up light

        ours = [each for each in self._all_adapters() if isinstance(each, HTTPAdapter)]
        return Stats.merged(each.pool.stats() for each in ours)

    def _all_adapters(self) -> list[BaseAdapter]:
        """Those that are mounted, and its own, which may be mounted no longer and has connections still."""
        return _each_once([self._own_adapter, *self.adapters.values()])


def _is_told_of(request: PreparedRequest) -> bool:
    """Whether a request is the one that this thread has under way, and looks at already."""
    return here.teller is not None and here.teller.request is request


def _each_once(adapters: Iterable[BaseAdapter]) -> list[BaseAdapter]:
    """In their order, by identity: an adapter of others, such as a dataclass, may have no hash."""
    return list({id(adapter): adapter for adapter in adapters}.values())


def _complete(response: Response, adapter: BaseAdapter) -> None:
    """What adapters of others may leave out of a response, or give in their own way."""
    headers = response.__dict__.get("headers")  # of ours they are mostly unread
    if headers is not None and type(headers) is not Headers:
        response.headers = Headers.of(headers)
    if response.connection is None:  # a hook that answers a challenge sends through it
        response.connection = adapter


def _hooked(request: PreparedRequest, response: Response, settings: dict[str, Any]) -> Response:
    """The response that the request's hooks make of one."""
    made = dispatch_hook("response", request.hooks, response, **settings)
    if not isinstance(made, Response):
        raise TypeError(
            f"a hook for 'response' returned {made!r}: it has to return a Response, or None for its own"
        )
    if made is not response and response not in made.history:
        response.keep_undecoded()  # what a hook puts aside is given back
    return made


def _verified_apart_from_environment() -> VerifyTypes:
    """What verify=True stands for where the environment, OpenSSL's variables among it, is not trusted."""
    around = environment.current()
    return True if around.ssl_cert_file is None and around.ssl_cert_dir is None else SYSTEM_STORE


def _check_folder_of(cookies_file: str | os.PathLike[str]) -> None:
    """A login must not be lost at the end of a program for want of a folder."""
    folder = os.path.dirname(os.path.abspath(os.fspath(cookies_file)))
    if not os.fspath(cookies_file) or not os.path.isdir(folder):
        raise FileNotFoundError(f"cookies_file is {cookies_file!r}: there is no such folder; make it first")


def _proxy_of(request: PreparedRequest, proxies: ProxyTypes) -> str | None:
    """The URL of the proxy that a request goes through, or None."""
    if not proxies or not urls.is_http(request.url):
        return None
    return select_proxy(urls.parse(request.url), proxies)


def _spoken(proxies: ProxyTypes) -> ProxyTypes:
    """Proxies of a call in words: an empty mapping says that there is to be none."""
    return _DIRECT if proxies is not None and not proxies else proxies


def _checked_proxies(proxies: Any) -> Mapping[str, str | None]:
    if not isinstance(proxies, Mapping):
        raise TypeError(
            f"proxies are of {type(proxies).__name__}: give a mapping such as {{'https': 'http://proxy:3128'}}"
        )
    for key, proxy in proxies.items():
        if not isinstance(key, str) or not isinstance(proxy, (str, NoneType)):
            raise TypeError(
                f"the proxy for {key!r} is a {type(proxy).__name__}: give a scheme and a proxy's URL, as in "
                f"{{'https': 'http://proxy:3128'}}"
            )
    return proxies


def _too_many(limit: int, response: Response, location: str) -> TooManyRedirects:
    response.keep_undecoded()
    way = f"from {urls.redacted(response.url)} to {urls.redacted(location)}"
    return TooManyRedirects(f"more than {limit} redirects, the last {way}", response=response)


def session() -> Session:
    """A new `Session`; requests has this function too."""
    return Session()
