"""URLs: parse, quote, join (RFC 3986), and the origin of a URL (RFC 6454).

The law on URLs: an existing %XX is never touched, only what is illegal gets encoded, and params are
appended to the query that is there.

Besides http and https, URLs of http+unix are read: in the place of the host they have the percent-encoded
path of a unix socket, as in http+unix://%2Fvar%2Frun%2Fdocker.sock/version. No standard knows them; the
plug-ins for requests that speak to sockets have agreed upon them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from .exceptions import InvalidSchema, InvalidURL, MissingSchema, URLRequired
from .kept import kept
from .once import once

ParamTypes: TypeAlias = "Mapping[Any, Any] | Iterable[tuple[Any, Any]] | str | bytes | None"

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
UNIX: Final = "http+unix"  # the scheme of URLs whose host is the path of a unix socket
_OURS: Final = frozenset({*DEFAULT_PORTS, UNIX})
# Who is asked for over a unix socket: there is no host, and every request has to name one (RFC 9112, 3.2).
UNIX_HOST_HEADER: Final = "localhost"
# Bytes that a path may have; unix(7) and the BSDs keep room for one more, the NUL at its end.
_IS_LINUX: Final = sys.platform in ("linux", "android")
LONGEST_SOCKET_PATH: Final = 107 if _IS_LINUX else 103

# Only what most requests need is compiled here. `re` keeps what is compiled where it is first needed.
# RFC 3986, appendix B, with the scheme held to its grammar (section 3.1).
_PARTS = re.compile(
    r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.\-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:\#(?P<fragment>.*))?",
    re.DOTALL,
)
_HOST_AND_PORT_ONLY = re.compile(r"[^/?#@:]+:\d+(?:[/?#]|$)")
_REG_NAME = re.compile(r"[a-z0-9\-._~!$&'()*+,;=]+")  # RFC 3986, section 3.2.2, less %XX: DNS has none
_ZONE: Final = r"[0-9A-Za-z\-._~]{1,255}"  # RFC 6874, section 2, less %XX; no system has longer names
# What stands ahead of the host, with too few slashes or too many, and without a scheme too. Without slashes
# there may be a password as well, as in "user:password@host"; only mailto is known to have none (RFC 6068).
_UP_TO_AT: Final = r"\A(?!(?i:mailto):[^/])([a-zA-Z][a-zA-Z0-9+.\-]*:/*|/*)[^/?#]*@"
# A path that ends as most sockets' do, behind any number of slashes. No text is gone over twice (*+).
_SOCKET_AS_TYPED: Final = r"[^:]*+:/*+(?P<socket>[^?#]*?\.sock(?:et)?)(?P<path>/[^?#]*+)?(?:[?#]|\Z)"
_LINE_BREAKERS = re.compile(r"[\r\n\0]")

_UNRESERVED_AND_SUBDELIMS = r"A-Za-z0-9\-._~!$&'()*+,;="
_ILLEGAL_IN_PATH = re.compile(rf"[^{_UNRESERVED_AND_SUBDELIMS}:@/%]+|%(?![0-9A-Fa-f]{{2}})")
_ILLEGAL_IN_QUERY = re.compile(rf"[^{_UNRESERVED_AND_SUBDELIMS}:@/?%]+|%(?![0-9A-Fa-f]{{2}})")
# A colon too: that there is no port is told where the path is asked for.
_ILLEGAL_IN_AUTHORITY: Final = rf"[^{_UNRESERVED_AND_SUBDELIMS}:%]+|%(?![0-9A-Fa-f]{{2}})"


class _Parts(NamedTuple):
    scheme: str
    userinfo: str | None
    host: str
    port: int | None
    path: str
    query: str | None
    fragment: str | None


class URL(_Parts):
    """An absolute URL in its parts, each as it goes over the wire. What is made of them is made once.

    Attributes:
        scheme: in lower case.
        userinfo: what stands before the @, still percent-encoded, or None.
        host: in lower case, names outside ASCII by IDNA, IPv6 without its brackets. Of http+unix the
            percent-encoded path of the socket, in the case that it has.
        port: the port that the URL names, or None, which it always is of http+unix.
        path: percent-encoded, "/" where the URL has none.
        query: what follows the "?", or None.
        fragment: what follows the "#", or None; it is never sent.
    """

    def __repr__(self) -> str:
        shown = zip(self._fields, self, strict=True)
        # The userinfo may hold a password.
        return f"URL({', '.join(f'{name}={part!r}' for name, part in shown if name != 'userinfo')})"

    def __reduce__(self) -> tuple[type[URL], tuple[Any, ...]]:
        return URL, tuple(self)  # what was made of its parts is made again elsewhere

    @once
    def effective_port(self) -> int:
        """The port that is dialled: the URL's own, or its scheme's; that of http over a unix socket."""
        if self.port is not None:
            return self.port
        return DEFAULT_PORTS["http" if self.is_unix else self.scheme]

    @once
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and effective port: what secrets are bound to (RFC 6454, section 4)."""
        host = socket_spelling(self.host) if self.is_unix else self.host
        return self.scheme, host, self.effective_port

    @property
    def is_unix(self) -> bool:
        """Whether it leads to a unix socket."""
        return self.scheme == UNIX

    @once
    def unix_socket(self) -> str | None:
        """The path of the unix socket that it leads to, as `os.fsdecode` has it; None for http and https.

        Raises:
            InvalidURL: nothing can be dialled by that path, see `socket_path`.
        """
        if not self.is_unix:
            return None
        shown = redacted(self.text)
        path = percent_decoded(self.host)
        if ":" in self.host:
            raise InvalidURL(
                f"URL {shown!r} has a colon in its host: a unix socket has no port, and a colon of its path "
                f"is written %3A"
            )
        if not path.startswith((b"/", b"\0")):
            raise InvalidURL(
                f"URL {shown!r} has the host {self.host!r}, which is no absolute path: write that of the "
                f"socket percent-encoded, such as {_encoded_as_socket(self.text)}"
            )
        try:
            return socket_path(path)
        except ValueError as error:
            raise InvalidURL(f"URL {shown!r} leads to no unix socket: {error}") from None

    @once
    def cookie_host(self) -> str:
        """The host as cookies know it: IPv6 without its zone id, and a unix socket in one spelling."""
        return socket_spelling(self.host) if self.is_unix else self.host.partition("%")[0]

    @once
    def host_header(self) -> str:
        """The value of Host: brackets around IPv6, no zone id (RFC 6874), no port that is the default."""
        if self.is_unix:
            return UNIX_HOST_HEADER
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        if self.port is None or self.port == DEFAULT_PORTS[self.scheme]:
            return host
        return f"{host}:{self.port}"

    @once
    def target(self) -> str:
        """The request target in origin form (RFC 9112, section 3.2.1)."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @once
    def absolute_target(self) -> str:
        """The request target in absolute form, for a proxy (RFC 9112, section 3.2.2): without userinfo."""
        return f"{self.scheme}://{self.host_header}{self.target}"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password of the userinfo, percent-decoded, or None where the URL has none."""
        if self.userinfo is None:
            return None
        user, _, password = self.userinfo.partition(":")
        return _decoded(user), _decoded(password)

    @property
    def authority(self) -> str:
        """Userinfo, host and port, as they stand in the URL."""
        is_ipv6 = ":" in self.host and not self.is_unix
        host = f"[{self.host.replace('%', '%25')}]" if is_ipv6 else self.host
        userinfo = "" if self.userinfo is None else f"{self.userinfo}@"
        port = "" if self.port is None else f":{self.port}"
        return f"{userinfo}{host}{port}"

    @once
    def text(self) -> str:
        """The whole of it."""
        fragment = "" if self.fragment is None else f"#{self.fragment}"
        return f"{self.scheme}://{self.authority}{self.target}{fragment}"

    def __str__(self) -> str:
        return self.text


@kept(512)  # the URLs that a program calls over and over; one costs about a kilobyte
def parse(text: str) -> URL:
    """Read an absolute URL of http, https or http+unix, and encode what is illegal in it.

    Whether there can be a socket by the path of the last one is asked by `URL.unix_socket`: where an adapter
    of the caller's is mounted, it may mean something else by it.

    Raises:
        URLRequired: the text is empty.
        MissingSchema: it has no scheme.
        InvalidSchema: its scheme is none of these.
        InvalidURL: it has no host, its port is out of range, or a part holds what no URL may.
    """
    if _LINE_BREAKERS.search(text):
        raise InvalidURL(
            f"URL {redacted(text)!r} holds CR, LF or NUL: strip() it, or percent-encode what is data"
        )
    match = _PARTS.fullmatch(text)
    assert match is not None, "the expression of appendix B matches every text"
    named, authority, path, query, fragment = match.groups()
    scheme = (named or "").lower()
    if not authority or scheme not in _OURS:
        raise _unreadable(text, named)
    return URL(
        scheme,
        *_authority_of(scheme, authority, text),
        _quote(remove_dot_segments(path or "/"), _ILLEGAL_IN_PATH),
        None if query is None else _quote(query, _ILLEGAL_IN_QUERY),
        None if fragment is None else _quote(fragment, _ILLEGAL_IN_QUERY),
    )


def _unreadable(text: str, scheme: str | None) -> Exception:
    """The error of a URL that has no host, or not one of our schemes."""
    if not text:
        return URLRequired("the URL is empty: give one such as https://example.com/")
    if text.startswith(("/", ".", "?", "#")) and not text.startswith("//"):
        return MissingSchema(
            f"URL {redacted(text)!r} is relative: give one such as https://example.com/, or a base_url to "
            f"the Session"
        )
    if scheme is None or _HOST_AND_PORT_ONLY.match(text):
        return MissingSchema(
            f"URL {redacted(text)!r} has no scheme. Did you mean https://{redacted(text).lstrip('/')} ?"
        )
    if scheme.lower() not in _OURS:
        return InvalidSchema(f"URL {redacted(text)!r} is neither http nor https")
    return InvalidURL(f"URL {redacted(text)!r} has no host: write {_with_host(scheme.lower(), text)}")


def as_text(url: Any) -> str:
    """A URL as a caller gives it, as text. Blanks ahead of it come of copying, and go, as in requests.

    Args:
        url: text, bytes, or an object whose text is a URL.
    """
    return (url.decode("utf-8", "replace") if isinstance(url, bytes) else str(url)).lstrip()


def scheme_of(text: str) -> str | None:
    """The scheme of a URL in lower case, or None; `localhost:8080` has none, though it looks like one."""
    scheme: str | None = _split(text)["scheme"]
    if scheme is None or _HOST_AND_PORT_ONLY.match(text):
        return None
    return scheme.lower()


def is_http(text: str) -> bool:
    """Whether a URL is one of ours to read; others are left to the adapters that are mounted for them."""
    return text[:10].lower().startswith(("http:", "https:", "http+unix:"))


def merge_params(given: ParamTypes, session: ParamTypes) -> ParamTypes:
    """The params of one request: the call goes ahead of the session.

    Args:
        given: what the caller passed for this request, or None.
        session: the params of the session, or None.

    Returns:
        Both, where both are mappings: a name of the call takes the place of the session's, and a value of
        None takes it away. Else the call's, where it has any.
    """
    if not given:
        return session.copy() if type(session) is dict else session  # another thread may add to it
    if isinstance(given, Mapping) and isinstance(session, Mapping):
        return {**session, **given}
    return given


def with_params(url: URL, params: ParamTypes) -> URL:
    """Append parameters to the query.

    Args:
        url: the URL.
        params: a mapping or pairs, where a value of None is left out and a list or tuple gives one
            parameter for each member; or str or bytes, taken as a query that is written already.

    Raises:
        InvalidURL: params is none of these.
    """
    if params is None or params == {}:  # as with most requests
        return url
    added = _encode_params(params)
    if not added:
        return url
    query = f"{url.query}&{added}" if url.query else added
    return URL(url.scheme, url.userinfo, url.host, url.port, url.path, query, url.fragment)


def join(base: URL, reference: str) -> str:
    """Resolve a reference, such as a Location, against a base (RFC 3986, section 5.2.2).

    Returns:
        The URL as text. Its scheme may be any; a fragment of the base is inherited where the reference has
        none (RFC 9110, section 10.2.2).
    """
    parts = _split(reference)
    fragment = parts["fragment"] if parts["fragment"] is not None else base.fragment
    tail = "" if fragment is None else f"#{fragment}"
    if parts["scheme"] is not None:
        return reference.partition("#")[0] + tail
    if parts["authority"] is not None:
        return f"{base.scheme}:{reference.partition('#')[0]}{tail}"
    path, query = parts["path"], parts["query"]
    if not path:
        query = base.query if query is None else query
        path = base.path
    elif not path.startswith("/"):
        path = base.path.rpartition("/")[0] + "/" + path
    query_text = "" if query is None else f"?{query}"
    return f"{base.scheme}://{base.authority}{remove_dot_segments(path)}{query_text}{tail}"


def check_base(text: str) -> None:
    """Check the base of relative URLs.

    Raises:
        MissingSchema, InvalidSchema, InvalidURL: it is no absolute URL of http, https or http+unix.
        ValueError: it has a query or a fragment, to which nothing can be appended.
        TypeError: it is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"base_url is {text!r}: give a str such as https://example.com/api")
    base = parse(text)
    if base.query is not None or base.fragment is not None:
        raise ValueError(
            f"base_url {redacted(text)!r} has a query or a fragment: give the query as params= of the session"
        )


def below(base: str, reference: Any) -> Any:
    """A URL that is relative to a base, appended to it.

    Unlike a link on a page (RFC 3986, section 5), "/users" is below the base as "users" is: the base is the
    root of an API, and nobody wants to leave it.

    Args:
        base: an absolute URL without query and fragment.
        reference: what is appended: text, bytes, or an object whose text is a URL. An absolute URL, and None,
            are returned as they are. What begins with two slashes is below the base too: it comes of putting
            a path together, and must not lead the session's credentials to another host.
    """
    if reference is None:
        return None
    text = as_text(reference)
    if scheme_of(text) is not None:
        return text
    if not text or text[0] in "?#":
        return base + text
    return f"{base.rstrip('/')}/{text.lstrip('/')}"


def target_of(text: str) -> str:
    """Path and query of a URL of any scheme, as the adapter that is mounted for it asks for them."""
    parts = _split(text)
    return (parts["path"] or "/") + (f"?{parts['query']}" if parts["query"] else "")


def with_params_kept(text: str, params: ParamTypes) -> str:
    """A URL of a scheme such as `http+docker`: path and query as those of http, and the rest as it is.

    Args:
        text: the URL.
        params: as for `with_params`.

    Raises:
        InvalidURL: a part holds what no URL may.
    """
    parts = _split(text)
    query = "&".join(filter(None, [_quote(parts["query"] or "", _ILLEGAL_IN_QUERY), _encode_params(params)]))
    fragment = "" if parts["fragment"] is None else f"#{_quote(parts['fragment'], _ILLEGAL_IN_QUERY)}"
    authority = "" if parts["authority"] is None else f"//{parts['authority']}"
    path = _quote(remove_dot_segments(parts["path"] or "/"), _ILLEGAL_IN_PATH)
    return f"{parts['scheme']}:{authority}{path}{f'?{query}' if query else ''}{fragment}"


def remove_dot_segments(path: str) -> str:
    """RFC 3986, section 5.2.4, for a path that begins with a slash."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def encode_form(data: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> str:
    """Pairs as application/x-www-form-urlencoded; None leaves a pair out, a list gives one pair a member.

    Raises:
        TypeError, ValueError: data is not made of pairs, which the message tells in the caller's words.
    """
    items = data.items() if isinstance(data, Mapping) else _checked_pairs(data)
    pairs: list[tuple[Any, Any]] = []
    for name, value in items:
        members = value if is_list(value) else (value,)
        pairs.extend((name, member) for member in members if member is not None)
    encoded: str = _library().urlencode([(_settled(name), _settled(value)) for name, value in pairs])
    return encoded


def _checked_pairs(members: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for number, member in enumerate(members, 1):
        if isinstance(member, (str, bytes)):  # one of two letters would be a name and a value
            raise ValueError(_no_pair(number, member))
        try:
            name, value = member
        except (TypeError, ValueError):
            raise ValueError(_no_pair(number, member)) from None
        yield name, value


def _no_pair(number: int, member: Any) -> str:
    size = f" of {len(member)}" if isinstance(member, (tuple, list)) else ""
    # Its type alone: what stands in it may be a password.
    return f"its member {number} ({type(member).__name__}{size}) is no pair of name and value"


def _settled(value: Any) -> Any:
    """A name or a value of a form, which `urlencode` takes by its `str()` unless it is bytes."""
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return own_text(value) if isinstance(value, str) else value


def own_text(text: str) -> str:
    """The characters that a str is made of: a member of an Enum of them shows others.

    Args:
        text: of str, or of a class below it.
    """
    return str.__str__(text)


def redacted(text: str) -> str:
    """A URL for messages and logs, without the userinfo, which holds a password, be it mistyped or not."""
    return re.sub(_UP_TO_AT, r"\1", text)


def shown(text: str) -> str:
    """A URL for events and logs that are kept: without userinfo, and without query and fragment, which often
    hold a token."""
    return redacted(text).partition("#")[0].partition("?")[0]


# --- unix sockets


def socket_path(path: str | bytes | os.PathLike[Any]) -> str:
    r"""The path of a unix socket, checked for what can be dialled.

    Args:
        path: absolute, or the name of an abstract socket of Linux behind a NUL, such as "\0name".

    Returns:
        It as text, as `os.fsdecode` has it.

    Raises:
        TypeError: it is no path.
        ValueError: it is relative, too long, or holds what no path may.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise TypeError(
            f"the path of a unix socket is {path!r}: give a str such as '/var/run/docker.sock'"
        ) from None
    length = len(os.fsencode(text))
    if text.startswith("\0"):
        _check_abstract(text, length)
        return text
    if not text.startswith("/"):
        # Where it leads would change with the working directory, and the connections in the pool would not.
        raise ValueError(
            f"the path {text!r} of a unix socket is not absolute: give one such as '/var/run/docker.sock', "
            f"without a scheme"
        )
    if "\0" in text:
        raise ValueError(f"the path {text!r} of a unix socket holds a NUL, where the system takes it to end")
    if length > LONGEST_SOCKET_PATH:
        raise ValueError(
            f"the path of a unix socket has {LONGEST_SOCKET_PATH} bytes at most, and {text!r} has {length}: "
            f"make a symbolic link with a shorter path to the folder that the socket is in"
        )
    return text


def _check_abstract(name: str, length: int) -> None:
    """unix(7): an abstract socket is no file. Its name begins with a NUL, and there may be others in it."""
    if not _IS_LINUX:  # pragma: no cover - macOS and Windows
        raise ValueError(f"{name!r} begins with a NUL: only Linux has abstract sockets; give a path")
    if length < 2:
        raise ValueError("the name of an abstract socket is what follows the NUL, and nothing does")
    if length > LONGEST_SOCKET_PATH + 1:  # no NUL at its end
        raise ValueError(
            f"the name of an abstract socket has {LONGEST_SOCKET_PATH} bytes at most, and {name!r} has "
            f"{length - 1}: give the server a shorter one"
        )


def socket_spelling(host: str) -> str:
    """The host of a URL of http+unix in the one spelling that all have that lead to the same path.

    It begins with a %, as no name and no address of a host does.
    """
    raw = percent_decoded(host)
    return f"%{raw[0]:02X}{_library().quote_from_bytes(raw[1:], safe='')}"


def _with_host(scheme: str, text: str) -> str:
    """How a URL without a host is to be written."""
    if scheme != UNIX:
        return f"{scheme}://host/path"
    return f"the path of the socket percent-encoded, such as {_encoded_as_socket(text)}"


def _encoded_as_socket(text: str) -> str:
    """What was most likely meant by a URL of http+unix in whose path, or ahead of it, the socket's is."""
    meant = re.match(_SOCKET_AS_TYPED, redacted(text), re.DOTALL)
    if meant is None:
        return f"{UNIX}://%2Fvar%2Frun%2Fdocker.sock/version"
    socket = percent_decoded(f"/{meant['socket']}")
    return f"{UNIX}://{_library().quote_from_bytes(socket, safe='')}{meant['path'] or '/'}"


# --- parts


def _split(text: str) -> dict[str, Any]:
    match = _PARTS.fullmatch(text)
    assert match is not None, "the expression of appendix B matches every text"
    return match.groupdict()


def _split_authority(scheme: str, authority: str, text: str) -> tuple[str | None, str, int | None]:
    if "\\" in authority:
        # Browsers take it for a slash, others for a part of the userinfo: they would go to different hosts.
        raise InvalidURL(f"URL {redacted(text)!r} has a backslash ahead of its path: write a slash, or %5C")
    userinfo, at, rest = authority.rpartition("@")
    port_text = ""
    if scheme == UNIX:
        host = _encoded_socket(rest, text)
    elif rest.startswith("["):
        host, bracket, port_text = rest[1:].partition("]")
        if not bracket or (port_text and not port_text.startswith(":")):
            raise InvalidURL(f"URL {redacted(text)!r} has a broken IPv6 address: write [address]:port")
        port_text = port_text[1:]
        host = _ipv6(host, text)
    else:
        host, _, port_text = rest.partition(":")
        host = _reg_name(host, text)
    return (
        _quote(userinfo, re.compile(_ILLEGAL_IN_AUTHORITY)) if at else None,
        host,
        _port(port_text, text) if port_text else None,
    )


def _authority_of(scheme: str, authority: str, text: str) -> tuple[str | None, str, int | None]:
    """Userinfo, host and port."""
    try:
        return _known_authority[scheme, authority]
    except InvalidURL:
        pass  # the next one is to know nothing of it, which may show a password, and speaks of the whole URL
    return _split_authority(scheme, authority, text)


# A program asks few servers for many things. As many as `parse` keeps.
@kept(512)
def _known_authority(said: tuple[str, str]) -> tuple[str | None, str, int | None]:
    scheme, authority = said
    return _split_authority(scheme, authority, authority)


def _encoded_socket(host: str, text: str) -> str:
    if not host:
        raise InvalidURL(f"URL {redacted(text)!r} has no host: write {_with_host(UNIX, text)}")
    return _quote(host, re.compile(_ILLEGAL_IN_AUTHORITY))


def _port(port_text: str, text: str) -> int:
    # isdecimal() alone lets other scripts' digits through, and int() takes as many as there are.
    if port_text.isascii() and port_text.isdecimal() and len(port_text) <= 5 and 0 < int(port_text) < 65536:
        return int(port_text)
    if "@" in text:  # what looks like a port is the beginning of a password
        raise InvalidURL(
            "the URL (not shown, as it may hold a password) has no port that can be used: a port is a number "
            "from 1 to 65535, and in a password / ? # are written %2F %3F %23"
        )
    raise InvalidURL(f"URL {redacted(text)!r} has the port {port_text!r}: a port is a number from 1 to 65535")


def _ipv6(host: str, text: str) -> str:
    from ipaddress import IPv6Address  # loaded only where a URL has one, to keep start-up light

    # The zone is the name of a network interface (RFC 6874, section 2), and its case counts.
    address, percent, zone = host.replace("%25", "%", 1).partition("%")
    try:
        IPv6Address(address)
        if percent and not re.fullmatch(_ZONE, zone):
            raise ValueError(zone)
    except ValueError:
        raise InvalidURL(
            f"URL {redacted(text)!r} has {host!r} in brackets, which is no IPv6 address"
        ) from None
    return address.lower() + percent + zone


def _reg_name(host: str, text: str) -> str:
    if not host:
        raise InvalidURL(f"URL {redacted(text)!r} has no host")
    if not host.isascii():
        host = _to_ascii(host, text)
    host = host.lower()
    if not _REG_NAME.fullmatch(host):
        raise InvalidURL(f"URL {redacted(text)!r} has the host {host!r}, which holds what no host name may")
    name = host.removesuffix(".")
    fits = len(name) <= 253 and all(0 < len(label) < 64 for label in name.split("."))
    if not fits or host.startswith("*"):
        raise InvalidURL(
            f"URL {redacted(text)!r} has the host {host!r}, which is no name: labels between dots have "
            f"1 to 63 characters, and all of it 253 (RFC 1035, section 2.3.4), and * stands for no host"
        )
    return host


def _to_ascii(host: str, text: str) -> str:
    try:
        import idna  # an optional extra: loaded only where a host needs it
    except ImportError:
        return _to_ascii_2003(host, text)
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidURL(
            f"URL {redacted(text)!r} has the host {host!r}, which is no domain: {error}"
        ) from None


# These four are the characters that IDNA 2003 maps to others, and IDNA 2008 keeps (RFC 5894, section 7.2).
_DEVIATIONS: Final = "[\u00df\u03c2\u200c\u200d]"


def _to_ascii_2003(host: str, text: str) -> str:
    """The standard library's IDNA 2003, where both editions agree on which host is meant."""
    if re.search(_DEVIATIONS, host):
        raise InvalidURL(
            f"URL {redacted(text)!r} has the host {host!r}, which IDNA 2008 and 2003 read differently: "
            f"install pystickyhttp[idna]"
        )
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidURL(
            f"URL {redacted(text)!r} has the host {host!r}, which is no domain: {error}"
        ) from None


def percent_decoded(text: str) -> bytes:
    """The bytes that a text stands for, of whose characters some are percent-encoded."""
    decoded: bytes = _library().unquote_to_bytes(text)
    return decoded


@cache
def _library() -> ModuleType:
    """urllib.parse, loaded when a form or a userinfo first needs it, to keep start-up light."""
    import urllib.parse

    return urllib.parse


def _quote(part: str, illegal: re.Pattern[str]) -> str:
    return illegal.sub(_percent, part)


def _percent(match: re.Match[str]) -> str:
    try:
        raw = match[0].encode("utf-8", "surrogateescape")  # a query given as bytes keeps its bytes
    except UnicodeEncodeError:
        raise InvalidURL(
            f"URL part {match[0]!r} holds half a surrogate pair, which is no character"
        ) from None
    return "".join(f"%{byte:02X}" for byte in raw)


def _decoded(part: str) -> str:
    raw = percent_decoded(part)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _encode_params(params: ParamTypes) -> str:
    if params is None:
        return ""
    if isinstance(params, bytes):
        params = params.decode("utf-8", "surrogateescape")
    if isinstance(params, str):
        if _LINE_BREAKERS.search(params):
            raise InvalidURL(f"params {params!r} hold CR, LF or NUL: pass a mapping, which encodes them")
        return _quote(params, _ILLEGAL_IN_QUERY)
    try:
        return encode_form(params)
    except (TypeError, ValueError) as error:
        raise InvalidURL(
            f"params= of type {type(params).__name__} can't be read: {error}; give a mapping, pairs such as "
            f"[('name', 'value')], str or bytes"
        ) from error


def is_list(value: object) -> bool:
    """Whether a value of a form stands for several, each of which is a pair of its own."""
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes, bytearray, memoryview))
