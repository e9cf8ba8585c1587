"""Request -> PreparedRequest -> Response.

A `Request` is what the caller said; a `PreparedRequest` is what goes over the wire; a `Response` is what
came back, with its body read when it is asked for.
"""

from __future__ import annotations

import copy as copying
import json as jsonlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, overload

from . import bodies, decoding, urls
from .auth import AuthCallable, AuthTypes, as_auth
from .bodies import BodyTypes, FileTypes
from .cookies import Cookie, CookieJar, CookieTypes, cookie_header
from .exceptions import (
    HTTPError,
    IncompleteBody,
    InvalidHeader,
    InvalidMethod,
    JSONDecodeError,
    RequestException,
    StreamConsumedError,
    UnrewindableBodyError,
    URLRequired,
)
from .gathering import gathered
from .headers import TOKEN, Field, Headers, HeaderTypes, parse_links
from .headers import Headers as CaseInsensitiveDict  # noqa: F401 - programs import it from here
from .hooks import Hook, Hooks, as_hooks, default_hooks, has_hooks
from .kept import kept
from .once import once
from .raw import FileBody, RawBody, RawResponse, decoded
from .retries import RequestHistory
from .signal_handlers import is_of_a_signal_handler
from .urls import ParamTypes

if TYPE_CHECKING:
    from datetime import timedelta

    from .telling import Marks
    from .timing import Timing
    from .transport import TLSInfo

Progress: TypeAlias = Callable[[int, int | None], object]

# X6: methods whose body, where there is none, is announced as empty (RFC 9110, section 8.6).
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# The known ones of which nothing is said where there is no body.
_METHODS_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
# What describes a body without saying so in its name, and goes with it (RFC 9110, section 15.4).
_OF_A_BODY: Final = frozenset(
    {"transfer-encoding", "trailer", "expect", "digest", "repr-digest", "last-modified"}
)
# What `iter_lines` reads at most at once, as in requests; it makes no difference to the lines.
ITER_CHUNK_SIZE: Final = 512
# As many redirects as requests and libcurl follow: a chain that is longer is a loop.
DEFAULT_REDIRECT_LIMIT: Final = 30
# The statuses that send their request on (RFC 9110, section 15.4; 300, 304 and 305 do not); requests' name.
REDIRECT_STATI: Final = frozenset({301, 302, 303, 307, 308})


def describes_body(name: str) -> bool:
    """Whether a field says something of the body, and is of no use without it (RFC 9110, section 15.4).

    Args:
        name: the name of the field, in any case.
    """
    return name.lower().startswith("content-") or name.lower() in _OF_A_BODY


class RequestHooksMixin:
    """What `Request` and `PreparedRequest` share: hooks that can be registered and taken off."""

    hooks: Hooks

    def register_hook(self, event: str, hook: Hook | Iterable[Hook]) -> None:
        """Register a function, or several, for an event.

        Args:
            event: "response", the only one there is.
            hook: called with the response, and by name with the settings that it was sent with. What it
                returns, unless that is None, takes the place of the response.

        Raises:
            ValueError: there is no such event.
            TypeError: the hook can't be called.
        """
        for name, added in as_hooks({event: hook}).items():
            self.hooks[name] = [*self.hooks.get(name, ()), *added]

    def deregister_hook(self, event: str, hook: Hook) -> bool:
        """Take a function off.

        Args:
            event: "response".
            hook: the function.

        Returns:
            Whether it was registered.
        """
        registered = self.hooks.get(event, [])
        if hook not in registered:
            return False
        registered.remove(hook)
        return True

    # `copy` would go by pickle, which leaves behind what can't go to another process. A copy has all of it.

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copying.deepcopy(self.__dict__, memo))
        return twin


class Request(RequestHooksMixin):
    """What the caller said: a request that a session has yet to prepare.

        request = Request("POST", "https://example.com/", json={"name": "Ada"})
        response = session.send(session.prepare_request(request))

    Args:
        method: such as "GET".
        url: absolute, or for a session with a `base_url` relative to that.
        headers: fields of this request; None as a value takes a field of the session away.
        files: files to upload as multipart/form-data; see `bodies.encode`.
        data: the body; see `bodies.encode`.
        params: appended to the query of the URL.
        auth: a pair (user, password) for Basic, or any callable that takes and returns a `PreparedRequest`.
        cookies: names and values, or a `CookieJar`, for this request alone.
        hooks: functions to call with the response: `{"response": function}`, or a list of them.
        json: a value to send as JSON, where there is neither data nor files.

    Raises:
        ValueError, TypeError: hooks are of no use.
    """

    def __init__(
        self,
        method: str | None = None,
        url: str | None = None,
        headers: HeaderTypes | None = None,
        files: FileTypes = None,
        data: BodyTypes = None,
        params: ParamTypes = None,
        auth: AuthTypes = None,
        cookies: CookieTypes = None,
        hooks: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> None:
        # What can be added to is there to be added to, as in requests.
        self.method = method
        self.url = url
        self.headers: Any = {} if headers is None else headers
        self.files: Any = [] if files is None else files
        self.data: Any = [] if data is None else data
        self.params: Any = {} if params is None else params
        self.auth = auth
        self.cookies = cookies
        self.hooks = as_hooks(hooks) if hooks else default_hooks()
        self.json = json

    def __getstate__(self) -> dict[str, Any]:
        # An error of its preparation goes to other processes, whatever the caller has put in.
        from . import pickling  # loaded only where something is pickled, to keep start-up light

        blank = Request()
        state = {
            name: value if pickling.can_travel(value) else getattr(blank, name, None)
            for name, value in self.__dict__.items()
        }
        for name in ("data", "files"):  # P2: never an empty body instead
            if state[name] is not self.__dict__[name]:
                state[name] = bodies.LeftBehind(self.__dict__[name])
        return {**state, "hooks": pickling.hooks_that_travel(self.hooks)}

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"

    @property
    def is_plain(self) -> bool:
        """Whether it says nothing of params, headers and a body, nor that there is none, as most do."""
        # What is no text is told so by `prepare_method`, and may have no hash.
        if type(self.method) is not str or self.method not in _METHODS_WITHOUT_BODY:
            return False
        if self.headers or self.params or self.files or self.json is not None:
            return False
        return self.data is None or (type(self.data) is list and not self.data)

    def prepare(self) -> PreparedRequest:
        """Encode the request by itself; `Session.prepare_request` merges it with a session's settings first.

        Raises:
            RequestException: a part of it can't be sent.
            TypeError, ValueError: auth or cookies are of no use.
        """
        prepared = PreparedRequest()
        prepared.prepare(
            method=self.method,
            url=self.url,
            headers=self.headers,
            files=self.files,
            data=self.data,
            params=self.params,
            auth=self.auth,
            cookies=self.cookies,
            hooks=self.hooks,
            json=self.json,
        )
        return prepared


class PreparedRequest(RequestHooksMixin):
    """What goes over the wire.

    Attributes:
        method: the method.
        url: the absolute URL, encoded.
        headers: all fields but Host, unless it was given.
        body: str, bytes, a file, an iterable, or None.
        hooks: the functions that are called with the response, by event.
        body_position: where the file of the body stood when the request was prepared, which it is wound back
            to where it is sent again, or None.
        own_cookies: the cookies that were given for this request alone.
        redirected_from: the URL of the request whose redirect led to this one, or None.
    """

    # What most requests never have is not set on each of them.
    body: Any = None
    body_position: int | None = None
    own_cookies: tuple[Cookie, ...] = ()
    redirected_from: str | None = None
    _jar: CookieJar | None = None  # of the session that it was prepared by
    _handed: CookieJar | None = None  # to auth that adds to it, see `_cookies`
    _jar_cookie: str | None = None  # the Cookie field that we wrote; another one is the caller's
    _auth: AuthCallable | None = None
    _auth_changes: _AuthChanges | None = None  # what the auth object did
    _stream: bodies.StreamedBody | None = None  # remembers whether the body was begun
    _left_proxy: bool = False  # whether a redirect led it away from the proxy that it was made for

    def __init__(self) -> None:
        self.method = ""
        self.url = ""
        self.headers = Headers()
        self.hooks: Hooks = default_hooks()

    def __getstate__(self) -> dict[str, Any]:
        from . import pickling  # loaded only where something is pickled, to keep start-up light

        # A file or an iterator stays in its process, and the jar with its session.
        return {
            **self.__dict__,
            "_stream": None,
            "_jar": None,
            "_handed": None,
            "_auth": self._auth if pickling.can_travel(self._auth) else None,
            "_auth_changes": None if self._auth_changes is None else self._auth_changes.that_travel(),
            "body": self.body if pickling.body_travels(self.body) else bodies.LeftBehind(self.body),
            "hooks": pickling.hooks_that_travel(self.hooks),
        }

    def without_auth_object(self) -> PreparedRequest:
        """A copy for the record: what was sent, without the one who signs, and has the password."""
        twin = self.copy()
        if twin._auth_changes is not None:
            for hook in twin._auth_changes.hooks:
                twin.deregister_hook("response", hook)
            twin._auth_changes = twin._auth_changes.without_hooks()
        twin._auth = None
        return twin

    def __repr__(self) -> str:
        return f"<PreparedRequest [{self.method}]>"

    @property
    def path_url(self) -> str:
        """The request target: path and query, as they go over the wire (RFC 9112, section 3.2.1)."""
        return urls.parse(self.url).target if urls.is_http(self.url) else urls.target_of(self.url)

    def copy(self) -> Self:
        """A copy with headers and hooks of its own; the body is the same object, and as far read as it is."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.headers = self.headers.copy()
        twin.hooks = {event: list(registered) for event, registered in self.hooks.items()}
        if twin._handed is not None:
            twin._handed = None
        return twin

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self._jar)] = self._jar  # it is the session's, whose cookies are not the request's to copy
        return super().__deepcopy__(memo)

    def prepare(
        self,
        method: str | None = None,
        url: str | None = None,
        headers: HeaderTypes | None = None,
        files: FileTypes = None,
        data: BodyTypes = None,
        params: ParamTypes = None,
        auth: AuthTypes = None,
        cookies: CookieTypes = None,
        hooks: Mapping[str, Any] | None = None,
        json: Any = None,
        *,
        jar: CookieJar | None = None,
    ) -> None:
        """Set everything; the arguments are those of `Request`.

        Args:
            jar: the cookies of the session, which are matched anew on each hop of a redirect.

        Raises:
            RequestException: a part of it can't be sent.
            TypeError, ValueError: auth, cookies or hooks are of no use.
        """
        self.prepare_method(method)
        self.prepare_url(url, params)
        self.prepare_headers(headers)
        self._jar = jar
        self.prepare_cookies(cookies)
        self.prepare_body(data, files, json)
        # Last, so that who signs the request signs all of it; but for hooks, which follow those of auth.
        self.prepare_auth(auth, url or "")
        self.prepare_hooks(hooks)

    @classmethod
    def plain(
        cls,
        method: str | None,
        url: str,
        fields: tuple[Field, ...],
        auth: AuthTypes,
        cookies: CookieTypes,
        hooks: Mapping[str, Any] | None,
        jar: CookieJar,
    ) -> PreparedRequest:
        """As `prepare`, for a request without a body and params, whose like was mostly prepared before.

        Args:
            method, url, auth, cookies, hooks, jar: as for `prepare`.
            fields: a snapshot of the headers; a value of None is no field.
        """
        try:
            plain = _plain[method, url, fields]
        except (TypeError, BytesWarning):
            # What can't be looked up in a cache is neither str nor bytes, and is told so later. With -bb
            # Python does not let a value of bytes meet the same one of text there.
            plain = _plain.__wrapped__((method, url, fields))
        prepared = cls.__new__(cls)
        prepared.method, prepared.url, headers = plain
        prepared.headers = headers.copy()
        prepared.hooks = default_hooks()
        prepared._jar = jar
        if cookies or jar:
            prepared.prepare_cookies(cookies)
        if auth is not None or "@" in url:  # userinfo, which may be there to authenticate
            prepared.prepare_auth(auth)
        if hooks != prepared.hooks:
            prepared.prepare_hooks(hooks)
        return prepared

    def prepare_method(self, method: str | None) -> None:
        """Set the method, in upper case as requests does.

        Args:
            method: such as "GET".

        Raises:
            InvalidMethod: it is no token, so that nothing can be smuggled in by it (RFC 9110, section 9.1).
        """
        if not isinstance(method, str) or not TOKEN.fullmatch(method):
            raise InvalidMethod(f"the method {method!r} is not a token such as GET or POST")
        self.method = method.upper()

    def prepare_url(self, url: Any, params: ParamTypes = None) -> None:
        """Set the URL, and append the params to its query.

        A URL of another scheme than http, https and http+unix is left to the adapter that is mounted for it.

        Args:
            url: text, bytes, or an object whose text is a URL.
            params: a mapping, pairs, or a query that is written already.

        Raises:
            URLRequired: it is None or empty.
            MissingSchema: it has no scheme.
            InvalidURL: it is no absolute URL, or holds what none may.
        """
        if url is None:
            raise URLRequired("the URL is None: give one such as https://example.com/")
        text = urls.as_text(url)
        if not urls.is_http(text) and urls.scheme_of(text) is not None:
            # As with requests, a scheme such as http+docker is a kind of http; what others mean only their
            # adapters know, and what params would be in them.
            self.url = urls.with_params_kept(text, params) if text[:4].lower() == "http" else text
            return
        self.url = urls.with_params(urls.parse(text), params).text

    def prepare_headers(self, headers: HeaderTypes | None) -> None:
        """Set the fields. They are checked when they are sent, as auth may add to them.

        Args:
            headers: a mapping or pairs; a value of None is not sent.
        """
        # A copy in any case: what is added here, such as credentials, is no part of the caller's own.
        self.headers = Headers.of(headers).without_none()

    def prepare_body(self, data: BodyTypes, files: FileTypes = None, json: Any = None) -> None:
        """Set the body, with its type where none was given, and its framing.

        Args:
            data: as `data` of `Session.request`.
            files: as `files` of `Session.request`.
            json: a value to send as JSON, where there is neither data nor files.

        Raises:
            InvalidBody, InvalidJSONError: as `bodies.encode` says.
            InvalidHeader: the caller gave framing fields that contradict each other or the body.
        """
        encoded = bodies.encode(data, json, files)
        self._take_body(encoded)
        if encoded.content_type is not None and "Content-Type" not in self.headers:
            self.headers["Content-Type"] = encoded.content_type

    def prepare_content_length(self, body: BodyTypes) -> None:
        """Take a body that somebody made of the first one, and set the framing that it needs.

        Args:
            body: the body; None for the one that is there.

        Raises:
            InvalidBody: it is of no type that can be sent.
        """
        for name in ("Content-Length", "Transfer-Encoding"):
            self.headers.pop(name, None)
        self._take_body(bodies.encode(self.body if body is None else body))

    def drop_body(self) -> None:
        """Take the body off, and what describes it: a redirect turned the request to a GET."""
        self.body = self.body_position = None
        for name in list(self.headers):
            if describes_body(name):
                del self.headers[name]

    def _take_body(self, encoded: bodies.EncodedBody) -> None:
        self.body = encoded.content
        self.body_position = encoded.position
        self._frame(encoded.length)

    def _frame(self, length: int | None) -> None:
        """X6: exactly one framing field where there is a body, and Content-Length: 0 where one is missed."""
        headers = self.headers
        coding = _text_of(headers.get("Transfer-Encoding"))
        if coding is not None:
            if coding.strip().lower() != "chunked":
                raise InvalidHeader(
                    f"Transfer-Encoding is {coding!r}: it can only be 'chunked'; leave it out, it sets itself"
                )
            headers.pop("Content-Length", None)
        elif self.body is None:
            headers.pop("Content-Length", None)
            if self.method in _METHODS_WITH_BODY:
                headers["Content-Length"] = "0"
        elif length is not None:
            headers["Content-Length"] = str(length)
        elif self._content_length() is None:  # the caller may know the length of an iterable
            headers["Transfer-Encoding"] = "chunked"

    def _content_length(self) -> int | None:
        said = _text_of(self.headers.get("Content-Length"))
        if said is None:
            return None
        if not (said.isascii() and said.isdecimal()):
            raise InvalidHeader(f"Content-Length is {said!r}: give the number of bytes, or leave it out")
        return int(said)

    def outgoing_body(self) -> bytes | bodies.StreamedBody:
        """The body as the transport takes it, wound back where it was sent before.

        Raises:
            InvalidBody: it is of no type that can be sent.
            InvalidHeader: Content-Length is no number.
            UnrewindableBodyError: it was sent before, and can't be wound back.
        """
        content = bodies.as_bytes(self.body)
        if content is not None:
            return content
        stream = self._stream_of_body()
        stream.rewind()
        return stream

    def _stream_of_body(self) -> bodies.StreamedBody:
        if self._stream is None or self._stream.source is not self.body:
            self._stream = bodies.StreamedBody(self.body, self.body_position, self._content_length())
        return self._stream

    # --- cookies

    def prepare_cookies(self, cookies: CookieTypes) -> None:
        """Set Cookie from cookies of this request alone, and those of the session that it was prepared by.

        A Cookie field that was written by hand stays as it is.

        Args:
            cookies: names and values, or a jar; None for none of its own.

        Raises:
            TypeError: cookies are neither a mapping nor a jar.
        """
        self.own_cookies = own_cookies(cookies)
        self.match_cookies(self._jar)

    def match_cookies(self, jar: CookieJar | None) -> None:
        """Set Cookie anew: what the jar and the request's own cookies have for the URL as it is now.

        Args:
            jar: the cookies that stuck, or None.
        """
        if self._has_cookie_by_hand():
            return
        self.headers.pop("Cookie", None)
        self._jar_cookie = None
        if not (jar or self.own_cookies) or not urls.is_http(self.url):
            return
        url = urls.parse(self.url)
        own = [cookie for cookie in self.own_cookies if cookie.matches(url)]
        own_names = {cookie.name for cookie in own}
        stuck = () if jar is None else jar.cookies_for(url)
        cookies = [cookie for cookie in stuck if cookie.name not in own_names] + own
        if cookies:
            self._jar_cookie = self.headers["Cookie"] = cookie_header(cookies)

    @property
    def _cookies(self) -> CookieJar:
        """All cookies of the request, under the name by which auth that was written for requests finds them.

        It adds what a challenge set, and hands them to `prepare_cookies`.
        """
        if self._handed is None:
            self._handed = CookieJar(self._stuck_cookies())
            for cookie in self.own_cookies:
                self._handed.set_cookie(cookie)
        return self._handed

    def _stuck_cookies(self) -> list[Cookie]:
        """What the session's jar has for the URL as it is now."""
        if self._jar is None or not urls.is_http(self.url):
            return []
        return self._jar.cookies_for(urls.parse(self.url))

    def take_cookies_of(self, response: Response) -> None:
        """Set Cookie anew, with what a response has just set: for auth that answers it before the session.

        Args:
            response: the response that the request is sent again for.
        """
        jar = CookieJar(self._stuck_cookies())
        jar.extract(urls.parse(response.url), response.headers.get_list("Set-Cookie"))
        self.match_cookies(jar)

    def _has_cookie_by_hand(self) -> bool:
        cookie = self.headers.get("Cookie")
        return cookie is not None and cookie != self._jar_cookie

    # --- auth

    def prepare_auth(self, auth: AuthTypes, url: str = "") -> None:
        """Let the auth object put its credentials in; it may change all of the request.

        Args:
            auth: a pair (user, password) for Basic, or a callable; None for the userinfo of the URL, unless
                Authorization is written by hand.
            url: not used, as the request has its URL; requests has the argument.

        Raises:
            TypeError: auth is of no use, or does not return the request.
        """
        chosen = self._auth_of_url() if auth is None else as_auth(auth)
        if chosen is None:
            return
        hooks = list(self.hooks.get("response", ()))
        unsigned = _Unsigned(self.headers.copy(), self.body, self.body_position, hooks)
        changed = chosen(self)
        if not isinstance(changed, PreparedRequest):
            raise TypeError(
                f"the auth object, a {type(chosen).__name__}, returned {type(changed).__name__}: it has to "
                f"return the request"
            )
        if changed is not self:  # it may have made a new one
            self.__dict__.clear()
            self.__dict__.update(changed.__dict__)
        if self.body is not unsigned.body:
            self.prepare_content_length(self.body)
        self._auth = chosen
        self._auth_changes = _AuthChanges.between(unsigned, self)
        if self._auth_changes.hooks:
            # Ahead of the caller's, which are to see what a challenge came to, on each hop of a redirect.
            others = [hook for hook in self.hooks["response"] if hook not in self._auth_changes.hooks]
            self.hooks["response"] = [*self._auth_changes.hooks, *others]

    def _auth_of_url(self) -> AuthCallable | None:
        if "@" not in self.url or "Authorization" in self.headers or not urls.is_http(self.url):
            return None
        return as_auth(urls.parse(self.url).credentials)

    @property
    def has_auth(self) -> bool:
        """Whether an auth object had its say."""
        return self._auth is not None

    def renew_auth(self) -> None:
        """Let the auth object see the request anew, whose URL or method has changed since.

        What it did to the request before is taken back: a signature is for one URL.
        """
        auth = self._auth
        if auth is not None:
            self.drop_auth()
            self.show_body_from_start(was_read=False)
            self.prepare_auth(auth)
            if self._left_proxy:
                self.leave_proxy()

    def leave_proxy(self) -> None:
        """Take off the Proxy-Authorization for good: it was for a proxy that it no longer goes through.

        Proxy law: no other one gets to see it, though it is asked for the same origin.
        """
        self._left_proxy = True
        self.headers.pop("Proxy-Authorization", None)

    def show_body_from_start(self, *, was_read: bool) -> None:
        """Wind a file back for an auth object that reads it: the socket has read it, and so did the last one.

        Args:
            was_read: whether somebody has read it whom we do not know of, such as an auth object that made
                another body of it. What can be read only once is gone then, though it was never sent.

        Raises:
            UnrewindableBodyError: the body was read, and can't be wound back.
        """
        if bodies.as_bytes(self.body) is not None:
            return
        body = self._stream_of_body()
        try:
            if was_read or body.restartable:
                body.wind_back()
            else:
                body.rewind()
        except UnrewindableBodyError as error:
            error.request = self
            raise

    def drop_auth(self) -> None:
        """Take off the credentials, and all else that the auth object put in: fields, a body, and hooks."""
        if self._auth_changes is not None:
            self._auth_changes.take_back(self)
        self._auth = self._auth_changes = None
        self.headers.pop("Authorization", None)

    # --- hooks

    def prepare_hooks(self, hooks: Mapping[str, Any] | None) -> None:
        """Register hooks, behind those that are there.

        Args:
            hooks: functions by event: `{"response": function}`, or a list of them; None for none.

        Raises:
            ValueError, TypeError: there is no such event, or a hook can't be called.
        """
        if not has_hooks(hooks):
            return
        for event, registered in as_hooks(hooks).items():
            if registered:
                self.register_hook(event, registered)


# A request without a body as it is prepared, up to its cookies, auth and hooks: method, URL, and the fields,
# which are to be copied and never changed.
_Plain: TypeAlias = "tuple[str, str, Headers]"


# A program sends the same few requests over and over. What this gives follows from its arguments alone, so
# that it is never out of date. As many as `urls.parse` keeps, at a kilobyte each; credentials in the URL or
# the fields stay as long, as in `outgoing`.
@kept(512)
def _plain(said: tuple[str | None, str, tuple[Field, ...]]) -> _Plain:
    method, url, fields = said
    prepared = PreparedRequest()
    prepared.prepare_method(method)
    prepared.prepare_url(url)
    prepared.headers = Headers.from_snapshot(fields).without_none()
    prepared.prepare_body(None)
    return prepared.method, prepared.url, prepared.headers


class _Unsigned:
    """What a request was before its auth object saw it."""

    __slots__ = ("body", "body_position", "headers", "hooks")

    def __init__(self, headers: Headers, body: Any, body_position: int | None, hooks: list[Hook]) -> None:
        self.headers = headers
        self.body = body
        self.body_position = body_position
        self.hooks = hooks


class _AuthChanges:
    """What an auth object did to a request, so that it can be taken back where a redirect leads elsewhere.

    Attributes:
        fields: the values of the fields that it set, by name, before and after.
        unsigned: the request as it was.
        body: the body that it made.
        hooks: the hooks that it registered.
    """

    __slots__ = ("body", "fields", "hooks", "unsigned")

    def __init__(
        self,
        fields: dict[str, tuple[list[Any], list[Any]]],
        unsigned: _Unsigned,
        body: Any,
        hooks: tuple[Hook, ...],
    ) -> None:
        self.fields = fields
        self.unsigned = unsigned
        self.body = body
        self.hooks = hooks

    @classmethod
    def between(cls, unsigned: _Unsigned, signed: PreparedRequest) -> _AuthChanges:
        """The changes from one state of a request to the next."""
        fields = {}
        for name in {*unsigned.headers, *signed.headers}:
            before, after = unsigned.headers.get_list(name), signed.headers.get_list(name)
            if before != after:
                fields[name] = before, after
        hooks = tuple(hook for hook in signed.hooks.get("response", ()) if hook not in unsigned.hooks)
        return cls(fields, unsigned, signed.body, hooks)

    def that_travel(self) -> _AuthChanges:
        """As they are pickled: files, iterators and functions without a name stay in their process."""
        from . import pickling  # loaded only where something is pickled, to keep start-up light

        before, body = self.unsigned, self.body
        bodies_travel = pickling.body_travels(before.body) and pickling.body_travels(body)
        unsigned = _Unsigned(before.headers, before.body if bodies_travel else None, before.body_position, [])
        hooks = tuple(filter(pickling.can_travel, self.hooks))
        return _AuthChanges(self.fields, unsigned, body if bodies_travel else None, hooks)

    def without_hooks(self) -> _AuthChanges:
        """The same for a copy of the request, from which the hooks are gone."""
        return _AuthChanges(self.fields, self.unsigned, self.body, ())

    def take_back(self, request: PreparedRequest) -> None:
        """Take off a request what is still as the auth object left it."""
        for hook in self.hooks:
            request.deregister_hook("response", hook)
        for name, (before, after) in self.fields.items():
            # What it took off stays off: it may be a secret, or a cookie, that the next hop is not to see.
            if after and request.headers.get_list(name) == after:
                request.headers.pop(name, None)
                for value in before:
                    request.headers.add(name, value)
        if request.body is self.body and self.body is not self.unsigned.body:
            request.body, request.body_position = self.unsigned.body, self.unsigned.body_position
            request.show_body_from_start(was_read=True)


def _text_of(value: Any) -> str | None:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Response:
    """What came back: the status, the header fields, and the body.

    `content`, `text` and `json()` are the whole body, which is read once and kept. With `stream=True` it is
    left to be read: by `iter_content`, `iter_lines`, `save` or `raw`. The connection is in use until the body
    has ended, or the response is closed, by `close` or by the end of a `with` block. A response is true where
    its status is below 400.

    An adapter makes it, and sets its attributes.

    Attributes:
        request: the `PreparedRequest` that it answers.
        url: the URL of that request.
        status_code: such as 200.
        reason: such as "OK".
        headers: its fields, case-insensitive.
        history: the responses that redirected to it, and those that auth answered, oldest first.
        connection: the adapter that it came through.
        tls: facts of the TLS with the server: `version`, `cipher`, `alpn`, `resumed`, `certificate`,
            `certificate_der`; None for http. Where a proxy stands between, they are still the server's.
    """

    # What most responses never have is not set on each of them.
    request: PreparedRequest = None  # type: ignore[assignment]  # an adapter sets it
    url: str = ""
    status_code: int = 0
    reason: str = ""
    connection: Any = None
    tls: TLSInfo | None = None
    _body: RawBody | None = None
    _raw: Any = None  # the file that `raw` is, once somebody asked for it
    _seconds: float = 0.0
    _started: float = 0.0  # `time.monotonic()`
    _marks: Marks | None = None  # of an exchange over a connection of a pool
    _timing: Timing | None = None  # once it is pickled: clocks of others say nothing here
    _tries: tuple[RequestHistory, ...] = ()  # those before the one that it came by
    _next: Callable[[Response], PreparedRequest | None] | None = None
    _content: bytes | None = None
    _undecoded: bytes | None = None  # a body that was kept without being decoded
    _is_cut: bool = False  # whether that is known to be its beginning alone
    _consumed: bool = False

    _received: Collection[tuple[bytes, bytes]] = ()  # the fields as they came
    _names: Collection[bytes] = ()  # of these, in lower case

    def __init__(self) -> None:
        self.headers = Headers()
        self.history: list[Response] = []

    @classmethod
    def received(
        cls,
        request: PreparedRequest,
        status: int,
        reason: bytes,
        fields: Collection[tuple[bytes, bytes]],
        connection: Any,
    ) -> Response:
        """The head of a response as it came over the wire.

        Args:
            request: the request that it answers.
            status, reason, fields: of the head; the reason is read as UTF-8.
            connection: the adapter that it came through.
        """
        response = cls.__new__(cls)
        response.request = request
        response.url = request.url
        response.status_code = status
        response.reason = reason.decode("utf-8", "replace")
        response._received = fields
        response._names = {name.lower() for name, _ in fields}
        response.history = []
        response.connection = connection
        return response

    def __getstate__(self) -> dict[str, Any]:
        # What was read travels; what was not is read now, unless that was tried before.
        if self._body is not None and not self._consumed and self._content is None:
            _ = self.content
        request = self.request
        if isinstance(request, PreparedRequest):
            request = request.without_auth_object()
        gone = dict.fromkeys(("_body", "_raw", "_next", "_marks", "connection"))
        return {**self.__dict__, **gone, "request": request, "_timing": self.timing}

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"

    def __bool__(self) -> bool:
        """Whether the status is below 400, as `ok`."""
        return self.ok

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces of at most 128 bytes, as requests has it; see `iter_content`."""
        return self.iter_content(128)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @once
    def headers(self) -> Headers:
        """Its fields, case-insensitive. They are read when somebody asks for one; any others can be set."""
        return Headers.from_wire(self._received)

    def has_field(self, name: bytes) -> bool:
        """Whether a field is there. Mostly those that are acted upon are not, and then none has to be read.

        Args:
            name: its name in lower case.
        """
        read = self.__dict__.get("headers")
        return name in self._names if read is None else name.decode() in read

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def is_redirect(self) -> bool:
        """Whether it is a redirect that a session can follow: by its status, and with a Location."""
        return self.status_code in REDIRECT_STATI and "Location" in self.headers

    @property
    def is_permanent_redirect(self) -> bool:
        """Whether it is a redirect for good: 301 or 308, with a Location."""
        return self.status_code in (301, 308) and "Location" in self.headers

    @property
    def next(self) -> PreparedRequest | None:
        """The request that a redirect asks for, where it was not followed; else None.

        Raises:
            InvalidURL, InvalidSchema: the redirect leads to what is no URL, or neither http nor https.
        """
        return None if self._next is None else self._next(self)

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The links of its Link fields (RFC 8288): the parameters of each, by its `rel`, else by its URL."""
        return {_key_of_link(link): link for link in parse_links(self.headers.get("Link", ""))}

    @property
    def attempts(self) -> tuple[RequestHistory, ...]:
        """Every try that it took: those that the policy of retries did not leave it at, and itself last.

        Each has `method`, `url`, `error` (the exception that it ended with, or None), `status` and
        `redirect_location`. A replay over a new connection (see `Timing.replayed`) is part of its try, and a
        redirect is a request of its own, whose tries are those of its response in `history`.
        """
        method = None if self.request is None else self.request.method
        location = self.headers.get("Location") if self.is_redirect else None
        own = RequestHistory(method, self.url, None, self.status_code, location)
        return tuple(each._replace(url=urls.redacted(each.url or "")) for each in (*self._tries, own))

    @property
    def timing(self) -> Timing | None:
        """How long each step took, from the wait for a connection to the end of the body, and whether the
        connection was reused; see `Timing`. While the body lasts it counts up to now.

        None where the response did not come over a connection of an `HTTPAdapter`. Each response in
        `history` has its own.
        """
        marks = self._marks
        if marks is None:
            return self._timing
        from .timing import Timing  # loaded only where it is asked for, to keep start-up light

        resumed = self.tls is not None and self.tls.resumed
        return Timing.of(marks, started=self._started, resumed=resumed, now=monotonic())

    @property
    def raw(self) -> Any:
        """The body as a file of the bytes as they come, undecoded (`RawResponse`), or None.

        Another file can be assigned, which the body is then read from.
        """
        if self._raw is None and self._body is not None:
            self._raw = RawResponse(self._body, self.headers, self.status_code, self.reason, response=self)
        return self._raw

    @raw.setter
    def raw(self, file: Any) -> None:
        self._raw = file
        self._body = None if file is None else FileBody(file)

    @cached_property
    def cookies(self) -> CookieJar:
        """The cookies that it set."""
        jar = CookieJar()
        set_cookie = self.headers.get_list("Set-Cookie")
        if set_cookie and urls.is_http(self.url):
            jar.extract(urls.parse(self.url), set_cookie)
        return jar

    @cached_property
    def encoding(self) -> str | None:
        """The character set for `text`; it can be set.

        By default it is that of Content-Type, or None, where `text` finds out by itself.
        """
        return decoding.charset_of(self.headers.get("Content-Type", ""))

    @property
    def elapsed(self) -> timedelta:
        """The time from the beginning in the adapter to the end of the response's head; it can be set.

        The wait for a connection, its making, and earlier tries with the waits between them are part of it.
        """
        from datetime import timedelta  # loaded only where it is asked for, to keep start-up light

        return timedelta(seconds=self._seconds)

    @elapsed.setter
    def elapsed(self, value: timedelta) -> None:
        self._seconds = value.total_seconds()

    @property
    def apparent_encoding(self) -> str:
        """The character set that the body looks like: by its first bytes, as UTF-8, or by a detector.

        Raises:
            RequestException: as `content` does.
        """
        return decoding.apparent_encoding(self.content)

    @property
    def content(self) -> bytes:
        """The whole body, decoded by its Content-Encoding; it is read once, and kept.

        Raises:
            StreamConsumedError: it was read piece by piece before.
            IncompleteBody, ChunkedEncodingError: it was cut short, or broken.
            ContentDecodingError: it can't be decoded.
            ReadTimeout, TotalTimeout: the time ran out.
        """
        if self._content is None:
            self._content = self._read_whole()
        return self._content

    @property
    def text(self) -> str:
        """The body as text: by `encoding`, else a byte order mark, else UTF-8, else a detector, else latin-1.

        Raises:
            RequestException: as `content` does.
        """
        return decoding.decode_text(self.content, self.encoding)

    def json(self, **kwargs: Any) -> Any:
        """The body read as JSON (RFC 8259).

        Args:
            **kwargs: for `json.loads`.

        Raises:
            JSONDecodeError: it is not JSON, or has numbers too long or nesting too deep for Python to read.
            RequestException: as `content` does.
            Exception: whatever the functions among `kwargs` raise.
        """
        content: bytes | str = self.content
        try:
            try:
                return jsonlib.loads(content, **kwargs)
            except UnicodeDecodeError:
                return jsonlib.loads(self.text, **kwargs)
        except jsonlib.JSONDecodeError as error:
            raise self._no_json(error.msg, error.doc, error.pos) from error
        except (ValueError, RecursionError) as error:
            if kwargs:  # it may come from a function among them, such as object_hook
                raise
            raise self._no_json(str(error), self.text, 0) from error

    def _no_json(self, why: str, text: str, position: int) -> JSONDecodeError:
        what = f"{self._body_told()} (Content-Type {self.headers.get('Content-Type')!r})"
        return JSONDecodeError(why, text, position, response=self, what=what)

    @overload
    def iter_content(
        self, chunk_size: int | None = 1, decode_unicode: Literal[False] = False
    ) -> Iterator[bytes]: ...

    @overload
    def iter_content(self, chunk_size: int | None, decode_unicode: bool) -> Iterator[Any]: ...

    @overload
    def iter_content(self, chunk_size: int | None = 1, *, decode_unicode: bool) -> Iterator[Any]: ...

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        """The body piece by piece, decoded by its Content-Encoding, without keeping it.

        Args:
            chunk_size: the bytes of a piece at most; pieces are handed on as they come, and may be shorter.
                None is without limit. Default 1, as in requests.
            decode_unicode: decode to str by `encoding`, where there is one.

        Raises:
            TypeError, ValueError: chunk_size is not None and not a whole number above 0.
            StreamConsumedError: the body was read piece by piece before.
            RequestException: while iterating, as `content` does.
        """
        if chunk_size is not None and (isinstance(chunk_size, bool) or not isinstance(chunk_size, int)):
            raise TypeError(f"chunk_size is {chunk_size!r}: give a whole number, or None")
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size is {chunk_size}: give 1 or more, or None")
        pieces: Iterator[bytes] = (
            iter([self._content]) if self._content is not None else self._decoded_pieces()
        )
        sliced = _slices(pieces, chunk_size)
        encoding = self._unicode_encoding(decode_unicode)
        return sliced if encoding is None else decoding.decode_text_pieces(sliced, encoding)

    def _unicode_encoding(self, decode_unicode: bool) -> str | None:
        """The charset by which pieces are decoded; None for pieces of bytes."""
        if not decode_unicode:
            return None
        if self.encoding is not None and decoding.is_known_charset(self.encoding):
            return self.encoding
        return decoding.streaming_charset(self.headers.get("Content-Type", ""))

    def iter_lines(
        self,
        chunk_size: int | None = ITER_CHUNK_SIZE,
        decode_unicode: bool = False,
        delimiter: str | bytes | None = None,
    ) -> Iterator[Any]:
        """The lines of the body, without their ends, as splitting the whole of it would give them.

        Args:
            chunk_size: as for `iter_content`. Default 512, as in requests.
            decode_unicode: give str, by `encoding`, where there is one.
            delimiter: what ends a line, of the type of the lines; by default every line end of
                `splitlines()`.

        Raises:
            TypeError: the delimiter is not of the type of the lines.
            RequestException: as `iter_content` does.
        """
        pieces = self.iter_content(chunk_size, decode_unicode)
        empty: Any = b"" if self._unicode_encoding(decode_unicode) is None else ""
        if delimiter is not None and type(delimiter) is not type(empty):
            raise TypeError(
                f"delimiter is {type(delimiter).__name__}, and the lines are {type(empty).__name__}"
            )
        return _lines(pieces, decoding.LineSplitter(empty, delimiter))

    def save(self, path: str | os.PathLike[str], progress: Progress | None = None) -> int:
        """Write the body to a file, decoded by its Content-Encoding, without keeping it in memory.

        The file is there whole or not at all: the body goes to a file beside it, which takes its name at the
        end. Where that fails the file that was there stays as it was.

        Args:
            path: the file; one that is there is replaced.
            progress: called with the bytes that were written so far, and with how many there will be, or
                None where that is not known; once before the first byte, and after each piece.

        Returns:
            The size of the file in bytes.

        Raises:
            OSError: it can't be written.
            RequestException: as `content` does.
        """
        total = None if "Content-Encoding" in self.headers else self._announced_length()
        written = 0
        from .files import replacing  # loaded only where a body is saved, to keep start-up light

        with self, replacing(path) as file:
            if progress is not None:
                progress(0, total)
            for piece in self.iter_content(None):
                file.write(piece)
                written += len(piece)
                if progress is not None:
                    progress(written, total)
            if self._body is not None and self._body.closed_early:  # `progress` may do so
                raise IncompleteBody(
                    f"{self._body_told()} is cut short after {self._body.received} bytes: the response was "
                    f"closed while it was saved",
                    received=self._body.received,
                    response=self,
                )
        return written

    def _announced_length(self) -> int | None:
        said = self.headers.get("Content-Length", "")
        return int(said) if said.isascii() and said.isdecimal() else None

    def raise_for_status(self) -> None:
        """Raise for an error of the client or the server.

        Raises:
            HTTPError: the status is 4xx or 5xx.
        """
        if 400 <= self.status_code < 600:
            whose = "Client" if self.status_code < 500 else "Server"
            raise HTTPError(
                f"{self.status_code} {whose} Error: {self.reason} for url: {urls.redacted(self.url)}",
                response=self,
            )

    def close(self) -> None:
        """Let go of the connection. A body that was not read is gone then; may be called again.

        Another thread may call it too: whoever reads is woken, and gets an `IncompleteBody`.
        """
        if self._body is None or self._body.closed:
            return
        self._consumed = True  # what was not read must not look like nothing
        self._body.close()

    def keep_undecoded(self) -> None:
        """End a response that only redirects: its body is kept if it is small, and never decoded by us.

        `content` decodes it if somebody asks.
        """
        if self._body is None or self._content is not None:
            return
        rest = self._body.read_rest()
        if self._is_begun():  # what is left of it is not the body
            return
        self._undecoded = rest
        self._consumed = rest is None

    def _decoded_pieces(self) -> Iterator[bytes]:
        self._check_is_whole()
        return self._read()

    def _check_is_whole(self) -> None:
        if self._is_begun():
            raise StreamConsumedError(
                f"{self._body_told()} was read or closed already, and was not kept: use content or text "
                f"before that, which keep it",
                response=self,
            )

    def _body_told(self) -> str:
        return f"the body of {self!r} from {urls.redacted(self.url)}"

    def _is_begun(self) -> bool:
        return self._consumed or (isinstance(self._raw, RawResponse) and self._raw.was_read)

    def _read_whole(self) -> bytes:
        if self._body is None or self._undecoded is not None or self.has_field(b"content-encoding"):
            whole = gathered(self._read())
            if self._body is not None and self._body.closed_early:  # by a signal handler, between two pieces
                raise IncompleteBody(
                    f"{self._body_told()} is cut short: the response was closed while it was read",
                    response=self,
                )
            return whole
        # Nothing has to be done to the bytes that the transport puts together.
        self._check_is_whole()
        self._consumed = True
        try:
            return self._body.read()
        except BaseException as error:
            self._fail(error)
            raise

    def _read(self) -> Iterator[bytes]:
        self._check_is_whole()  # between the call and the first piece somebody else may have read
        self._consumed = self._undecoded is None
        try:
            pieces: Iterable[bytes] = self._raw_pieces()
            if self.has_field(b"content-encoding"):
                pieces = decoded(pieces, self.headers, self._body, is_cut=self._is_cut)
            yield from pieces
        except GeneratorExit:
            raise  # whoever reads no further closes the response, or lets it be collected
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        """Let go of the connection, and name in an error what it happened to."""
        self.close()
        if isinstance(error, RequestException) and not is_of_a_signal_handler(error):
            error.request, error.response = self.request, self

    def _raw_pieces(self) -> Iterable[bytes]:
        if self._undecoded is not None:
            return [self._undecoded]
        return () if self._body is None else self._body.pieces()


def _key_of_link(link: dict[str, str]) -> str:
    # The case of a parameter's name does not count (RFC 8288, section 3.2), and stays as it came.
    return next((value for name, value in link.items() if name.lower() == "rel" and value), link["url"])


def _slices(pieces: Iterable[bytes], size: int | None) -> Iterator[bytes]:
    for piece in pieces:
        if size is None or len(piece) <= size:
            if piece:
                yield piece
            continue
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


def _lines(pieces: Iterable[Any], splitter: decoding.LineSplitter[Any]) -> Iterator[Any]:
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.finish()


def own_cookies(cookies: CookieTypes) -> tuple[Cookie, ...]:
    """What the caller gave as cookies of one request.

    Args:
        cookies: names and values, or a jar; None for none.
    """
    if not cookies:
        return ()
    return tuple(cookies if isinstance(cookies, CookieJar) else CookieJar(cookies))
