"""Request -> PreparedRequest -> Response.

A `Request` is what the caller said; a `PreparedRequest` is what goes over the wire; a `Response` is what
came back, with its body read when it is asked for.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self, overload

from . import bodies, decoding, urls
from .bodies import BodyTypes
from .cookies import Cookie, CookieJar, CookieTypes, cookie_header
from .exceptions import (
    HTTPError,
    InvalidHeader,
    InvalidMethod,
    JSONDecodeError,
    RequestException,
    StreamConsumedError,
    URLRequired,
)
from .headers import TOKEN, Headers, HeaderTypes
from .urls import ParamTypes

# X6: methods whose body, where there is none, is announced as empty (RFC 9110, section 8.6).
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


class Request:
    """What the caller said: a request that a session has yet to prepare.

    Args:
        method: such as "GET".
        url: absolute, http or https.
        headers: fields of this request; None as a value takes a field of the session away.
        data: the body; see `bodies.encode`.
        params: appended to the query of the URL.
        auth: a pair (user, password) for Basic, or an object of `AuthBase`.
        cookies: names and values, or a `CookieJar`, for this request alone.
        json: a value to send as JSON, where there is no data.
    """

    def __init__(
        self,
        method: str,
        url: str,
        headers: HeaderTypes | None = None,
        *,
        data: BodyTypes = None,
        params: ParamTypes = None,
        auth: Any = None,
        cookies: CookieTypes = None,
        json: Any = None,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.data = data
        self.params = params
        self.auth = auth
        self.cookies = cookies
        self.json = json

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"


class PreparedRequest:
    """What goes over the wire.

    Attributes:
        method: the method.
        url: the absolute URL, encoded.
        headers: all fields but Host, unless it was given.
        body: str, bytes, a file, an iterable, or None.
        body_position: where the file of the body stood when the request was prepared, or None (law P2).
        own_cookies: the cookies that were given for this request alone.
        cookie_by_hand: whether the caller wrote the Cookie field, which then goes as it is.
    """

    def __init__(self) -> None:
        self.method = ""
        self.url = ""
        self.headers = Headers()
        self.body: Any = None
        self.body_position: int | None = None
        self.own_cookies: tuple[Cookie, ...] = ()
        self.cookie_by_hand = False
        self._stream: bodies.StreamedBody | None = None  # remembers whether the body was begun

    def __getstate__(self) -> dict[str, Any]:
        # A file or an iterator stays in its process.
        travels = self.body is None or isinstance(self.body, (str, bytes))
        return {**self.__dict__, "_stream": None, "body": self.body if travels else None}

    def __repr__(self) -> str:
        return f"<PreparedRequest [{self.method}]>"

    def copy(self) -> PreparedRequest:
        """A copy with headers of its own; the body is the same object, and as far read as it is."""
        twin = PreparedRequest()
        twin.__dict__.update(self.__dict__)
        twin.headers = self.headers.copy()
        return twin

    def prepare_method(self, method: str) -> None:
        """Set the method, in upper case as requests does.

        Raises:
            InvalidMethod: it is no token (law X7; RFC 9110, section 9.1).
        """
        if not isinstance(method, str) or not TOKEN.fullmatch(method):
            raise InvalidMethod(f"the method {method!r} is not a token such as GET or POST")
        self.method = method.upper()

    def prepare_url(self, url: str, params: ParamTypes = None) -> None:
        """Set the URL, and append the params to its query.

        A URL that is neither http nor https is left as it is, for the adapter that is mounted for it.

        Raises:
            URLRequired: it is None or empty.
            MissingSchema: it has no scheme.
            InvalidURL: it is no absolute URL, or holds what none may.
        """
        if url is None:
            raise URLRequired("the URL is None: give one such as https://example.com/")
        text = (url.decode("utf-8", "replace") if isinstance(url, bytes) else str(url)).lstrip()
        if not urls.is_http(text) and urls.scheme_of(text) is not None:
            self.url = text  # what it means, and what params would be in it, only its adapter knows
            return
        self.url = urls.with_params(urls.parse(text), params).text

    def prepare_headers(self, headers: Headers) -> None:
        """Set the fields. They are checked when they are sent, as auth may add to them."""
        self.headers = headers
        self.cookie_by_hand = "Cookie" in headers

    def prepare_body(self, data: BodyTypes, json: Any = None) -> None:
        """Set the body, with its type where none was given, and its framing.

        Raises:
            InvalidBody, InvalidJSONError: as `bodies.encode` says.
            InvalidHeader: the caller gave framing fields that contradict each other or the body.
        """
        encoded = bodies.encode(data, json)
        self._take_body(encoded)
        if encoded.content_type is not None and "Content-Type" not in self.headers:
            self.headers["Content-Type"] = encoded.content_type

    def prepare_content_length(self, body: BodyTypes) -> None:
        """Take a body that somebody made of the first one, and set the framing that it needs.

        Raises:
            InvalidBody: it is of no type that can be sent.
        """
        for name in ("Content-Length", "Transfer-Encoding"):
            self.headers.pop(name, None)
        self._take_body(bodies.encode(body))

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
        """The body as the transport takes it, wound back where it was sent before (law P2).

        Raises:
            InvalidBody: it is of no type that can be sent.
            InvalidHeader: Content-Length is no number.
            UnrewindableBodyError: it was sent before, and can't be wound back.
        """
        content = bodies.as_bytes(self.body)
        if content is not None:
            return content
        if self._stream is None or self._stream.source is not self.body:
            self._stream = bodies.StreamedBody(self.body, self.body_position, self._content_length())
        self._stream.rewind()
        return self._stream

    def prepare_cookies(self, jar: CookieJar) -> None:
        """Set Cookie from the jar and the request's own cookies, unless the caller wrote it by hand."""
        if self.cookie_by_hand:
            return
        self.headers.pop("Cookie", None)
        if not (jar or self.own_cookies) or not urls.is_http(self.url):
            return
        url = urls.parse(self.url)
        own = [cookie for cookie in self.own_cookies if cookie.matches(url)]
        own_names = {cookie.name for cookie in own}
        cookies = [cookie for cookie in jar.cookies_for(url) if cookie.name not in own_names] + own
        if cookies:
            self.headers["Cookie"] = cookie_header(cookies)

    def prepare_auth(self, auth: Callable[[PreparedRequest], PreparedRequest] | None) -> None:
        """Let the auth object put its credentials in; it may change all of the request.

        Raises:
            TypeError: it does not return the request.
        """
        if auth is None:
            return
        body = self.body
        changed = auth(self)
        if not isinstance(changed, PreparedRequest):
            raise TypeError(f"the auth object {auth!r} returned {changed!r}: it has to return the request")
        self.__dict__.update(changed.__dict__)  # it may have made a new one
        if self.body is not body:
            self.prepare_content_length(self.body)


def _text_of(value: Any) -> str | None:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class RawBody(Protocol):
    """What a Response reads its body from: undecoded, piece by piece."""

    @property
    def closed(self) -> bool: ...

    def read_piece(self) -> bytes: ...

    def pieces(self) -> Iterator[bytes]: ...

    def read_rest(self) -> bytes | None: ...

    def check_time(self) -> None: ...

    def close(self) -> None: ...


class Response:
    """What came back.

    Attributes:
        request: the `PreparedRequest` that it answers.
        url: the URL of that request.
        status_code: such as 200.
        reason: such as "OK".
        headers: its fields, case-insensitive.
        history: the responses that redirected to it, oldest first.
        raw: the body as it comes from the connection, undecoded, or None.
    """

    def __init__(
        self,
        request: PreparedRequest,
        status_code: int,
        reason: str,
        headers: Headers,
        raw: RawBody | None,
        seconds: float = 0.0,
    ) -> None:
        self.request = request
        self.url = request.url
        self.status_code = status_code
        self.reason = reason
        self.headers = headers
        self.raw = raw
        self.history: list[Response] = []
        self._seconds = seconds
        self._content: bytes | None = None
        self._undecoded: bytes | None = None  # a body that was kept without being decoded
        self._consumed = False

    def __getstate__(self) -> dict[str, Any]:
        # What was read travels; what was not is read now, unless that was tried before.
        if self.raw is not None and not self._consumed and self._content is None:
            _ = self.content
        return {**self.__dict__, "raw": None}

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"

    def __bool__(self) -> bool:
        """Whether the status is below 400, as `ok`."""
        return self.ok

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @cached_property
    def cookies(self) -> CookieJar:
        """The cookies that it set."""
        jar = CookieJar()
        set_cookie = self.headers.get_list("Set-Cookie")
        if set_cookie:
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
        """The time from the sending of the request to the end of the response's head."""
        return timedelta(seconds=self._seconds)

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
            self._content = b"".join(self._decoded_pieces())
        return self._content

    @property
    def text(self) -> str:
        """The body as text: by `encoding`, else a byte order mark, else UTF-8, else latin-1.

        Raises:
            RequestException: as `content` does.
        """
        return decoding.decode_text(self.content, self.encoding)

    def json(self, **kwargs: Any) -> Any:
        """The body read as JSON (RFC 8259).

        Args:
            **kwargs: for `json.loads`.

        Raises:
            JSONDecodeError: it is not JSON.
            RequestException: as `content` does.
        """
        content: bytes | str = self.content
        try:
            try:
                return jsonlib.loads(content, **kwargs)
            except UnicodeDecodeError:
                return jsonlib.loads(self.text, **kwargs)
        except jsonlib.JSONDecodeError as error:
            raise JSONDecodeError(error.msg, error.doc, error.pos, response=self) from error

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
        known = self.encoding is not None and decoding.is_known_charset(self.encoding)
        return self.encoding if decode_unicode and known else None

    def iter_lines(
        self, chunk_size: int | None = 512, decode_unicode: bool = False, delimiter: str | bytes | None = None
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
        """Let go of the connection. A body that was not read is gone then; may be called again."""
        if self.raw is None or self.raw.closed:
            return
        self._consumed = True  # what was not read must not look like nothing
        self.raw.close()

    def keep_undecoded(self) -> None:
        """End a response that only redirects: its body is kept if it is small, and never decoded by us.

        `content` decodes it if somebody asks.
        """
        if self.raw is None or self._content is not None:
            return
        self._undecoded = self.raw.read_rest()
        self._consumed = self._undecoded is None

    def _decoded_pieces(self) -> Iterator[bytes]:
        if self._consumed:
            raise StreamConsumedError(
                f"the body of {self!r} from {urls.redacted(self.url)} was read already, and was not kept: "
                f"use content or text to keep it",
                response=self,
            )
        if self._undecoded is None:
            self._consumed = True
        return self._read()

    def _read(self) -> Iterator[bytes]:
        try:
            pieces: Iterable[bytes] = self._raw_pieces()
            coding = self.headers.get("Content-Encoding")
            if coding:
                pieces = self._timed(decoding.decode(pieces, decoding.decoders_for(coding)))
            yield from pieces
        except GeneratorExit:
            raise  # whoever reads no further closes the response, or lets it be collected
        except BaseException as error:
            self.close()
            if isinstance(error, RequestException):
                error.request, error.response = self.request, self
            raise

    def _timed(self, steps: Iterable[bytes]) -> Iterator[bytes]:
        """T1: a few bytes can take long to decode, and longer to decode to nothing."""
        for piece in steps:
            if self.raw is not None:
                self.raw.check_time()
            if piece:
                yield piece

    def _raw_pieces(self) -> Iterable[bytes]:
        if self._undecoded is not None:
            return [self._undecoded]
        return () if self.raw is None else self.raw.pieces()


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
    """What the caller gave as cookies of one request."""
    if not cookies:
        return ()
    if isinstance(cookies, (str, bytes)) or not isinstance(cookies, Iterable):
        raise TypeError(
            f"cookies is {type(cookies).__name__}: give a mapping of names to values, or a jar of cookies"
        )
    return tuple(cookies if isinstance(cookies, CookieJar) else CookieJar(cookies))
