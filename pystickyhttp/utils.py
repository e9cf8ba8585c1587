"""The helpers that programs import from `requests.utils`.

Each is a thin layer: where a module of this package has the rule, the helper asks that module, and so says
what the client itself would do. Where none has, the helper does as requests documents it.

Nothing in the package imports this module. A program that does not use it does not pay for it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, AnyStr, BinaryIO, Final, TypeVar, overload
from urllib.parse import quote, unquote, urlparse, urlsplit, urlunparse
from urllib.request import parse_http_list

from . import bodies, certs, decoding, environment, files, proxy_choice, urls
from .bodies import StreamedBody
from .cookies import CookieJar, cookiejar_from_dict
from .exceptions import InvalidURL
from .headers import Headers, encode_field, parse_links
from .models import PreparedRequest, Request, Response
from .sessions import default_headers, default_user_agent
from .structures import CaseInsensitiveDict
from .urls import DEFAULT_PORTS, URL

__all__ = [
    "CaseInsensitiveDict",
    "DEFAULT_PORTS",
    "NETRC_FILES",
    "UNRESERVED_SET",
    "add_dict_to_cookiejar",
    "address_in_network",
    "atomic_open",
    "check_header_validity",
    "cookiejar_from_dict",
    "default_headers",
    "default_user_agent",
    "dict_from_cookiejar",
    "dict_to_sequence",
    "dotted_netmask",
    "extract_zipped_paths",
    "from_key_val_list",
    "get_auth_from_url",
    "get_encoding_from_headers",
    "get_encodings_from_content",
    "get_environ_proxies",
    "get_netrc_auth",
    "get_unicode_from_response",
    "getproxies",
    "getproxies_environment",
    "guess_filename",
    "guess_json_utf",
    "is_ipv4_address",
    "is_valid_cidr",
    "iter_slices",
    "parse_dict_header",
    "parse_header_links",
    "parse_list_header",
    "prepend_scheme_if_needed",
    "proxy_bypass",
    "proxy_bypass_environment",
    "quote",
    "requote_uri",
    "resolve_proxies",
    "rewind_body",
    "select_proxy",
    "set_environ",
    "should_bypass_proxies",
    "stream_decode_response_unicode",
    "super_len",
    "to_key_val_list",
    "to_native_string",
    "unicode_is_ascii",
    "unquote",
    "unquote_header_value",
    "unquote_unreserved",
    "urldefragauth",
    "urlparse",
    "urlunparse",
]

K = TypeVar("K")
V = TypeVar("V")

NETRC_FILES: Final = environment.NETRC_NAMES  # what the netrc file may be called, below the home directory

UNRESERVED_SET: Final = frozenset(  # RFC 3986, section 2.3
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)


if TYPE_CHECKING:
    DEFAULT_ACCEPT_ENCODING: str
    DEFAULT_CA_BUNDLE_PATH: str
else:  # with it type checkers would take any name for one that is there

    def __getattr__(name: str) -> Any:
        if name == "DEFAULT_ACCEPT_ENCODING":
            return decoding.accept_encoding()
        if name == "DEFAULT_CA_BUNDLE_PATH":
            return certs.where()  # there may be none, which only who asks for it has to know
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# --- cookies


def dict_from_cookiejar(cj: Iterable[Any]) -> dict[str, str | None]:
    """The names and values of a jar, of ours or of `http.cookiejar`; of a name that comes twice, the last.

    Args:
        cj: the jar.
    """
    return {cookie.name: cookie.value for cookie in cj}


def add_dict_to_cookiejar(cj: Any, cookie_dict: Mapping[str, str] | None) -> Any:
    """Put names and values into a jar, of ours or of `http.cookiejar`, and return it.

    Args:
        cj: the jar.
        cookie_dict: names and values; None for none.
    """
    if isinstance(cj, CookieJar):
        return cookiejar_from_dict(cookie_dict, cj)
    for cookie in cookiejar_from_dict(cookie_dict).to_cookiejar():
        cj.set_cookie(cookie)
    return cj


# --- character sets

_META = re.compile(r"<meta[\s/][^>]*", re.IGNORECASE)
_CHARSET = re.compile(r"\bcharset\s*=[\s\"']*([^\s\"'/>;,]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(r"<\?xml\s[^<>]*?\bencoding\s*=\s*[\"']([^\"'<>]+)")


def get_encodings_from_content(content: str) -> list[str]:
    """The character sets that a page names, in its `<meta>` tags and then in its XML declaration.

    It is here to stay, and so there is no warning of its end, which requests gives.

    Args:
        content: the page, as text.
    """
    named = [charset for tag in _META.findall(content) for charset in _CHARSET.findall(tag)[:1]]
    declared = _XML_ENCODING.match(content)
    return named if declared is None else [*named, declared[1]]


def get_encoding_from_headers(headers: Mapping[str, Any]) -> str | None:
    """The character set that Content-Type names, or None where it names none that Python knows.

    Args:
        headers: the fields of a response; names in any case.
    """
    fields = headers if isinstance(headers, Headers) else Headers(headers)
    return decoding.charset_of(fields.get("Content-Type", ""))


def get_unicode_from_response(r: Response) -> str:
    """The body as text: by Content-Type, and else as `decoding.decode_text` finds out.

    Args:
        r: the response.

    Raises:
        RequestException: as `Response.content` does.
    """
    return decoding.decode_text(r.content, get_encoding_from_headers(r.headers))


def stream_decode_response_unicode(iterator: Iterable[bytes], r: Response) -> Iterator[Any]:
    """The pieces of a body as text by `r.encoding`, or as they are where that names no character set.

    Args:
        iterator: the pieces.
        r: the response that they are of.
    """
    if r.encoding is None or not decoding.is_known_charset(r.encoding):
        yield from iterator
    else:
        yield from decoding.decode_text_pieces(iterator, r.encoding)


def guess_json_utf(data: bytes) -> str:
    """Which encoding of Unicode JSON is in, by its first four bytes, as `Response.json` reads it.

    Args:
        data: the body, or its beginning.
    """
    return json.detect_encoding(data)


def to_native_string(string: str | bytes, encoding: str = "ascii") -> str:
    """Text as it is, and bytes as text.

    Args:
        string: the text or the bytes.
        encoding: the character set of bytes. Default "ascii".

    Raises:
        UnicodeDecodeError: the bytes are not of that encoding.
    """
    return string.decode(encoding) if isinstance(string, bytes) else string


def unicode_is_ascii(u_string: str) -> bool:
    """Whether a text is all ASCII.

    Args:
        u_string: the text.
    """
    return u_string.isascii()


def iter_slices(string: AnyStr, slice_length: int | None) -> Iterator[AnyStr]:
    """Text or bytes in slices of a length; the last may be shorter. None, 0 or less is all of it in one.

    Args:
        string: the text or the bytes.
        slice_length: characters or bytes of a slice.
    """
    if slice_length is None or slice_length <= 0:
        slice_length = max(len(string), 1)
    for start in range(0, len(string), slice_length):
        yield string[start : start + slice_length]


# --- URLs

_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})[^\W_]{2}")
_WITH_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://")
# RFC 3986, section 2.2, the % of what is escaped, and the ~ that `quote` would leave by itself.
_NOT_QUOTED: Final = "!#$&'()*+,/:;=?@[]~"


def _as_url(text: str) -> URL:
    """A URL of any scheme: those that we dial as we read them, others as the standard library does."""
    if urls.is_http(text):
        return urls.parse(text)
    parts = urlsplit(text)
    userinfo, at, _ = parts.netloc.rpartition("@")
    return URL(parts.scheme, userinfo if at else None, parts.hostname or "", parts.port or 0, "/", None, None)


def unquote_unreserved(uri: str) -> str:
    """Take the escapes off that no URI needs: those of letters, digits and -._~ (RFC 3986, section 2.3).

    The client itself leaves what is escaped as it is.

    Args:
        uri: the URI.

    Raises:
        InvalidURL: two letters or digits behind a % are no hexadecimal number.
    """
    broken = _BROKEN_ESCAPE.search(uri)
    if broken is not None:
        raise InvalidURL(
            f"{urls.redacted(uri)!r} has the escape {broken[0]!r}, which is none: write %25 for a %"
        )
    return _ESCAPED.sub(_without_need, uri)


def _without_need(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in UNRESERVED_SET else escape[0]


def requote_uri(uri: str) -> str:
    """Escape what is illegal in a URI, and take the escapes off that it does not need.

    Args:
        uri: the URI.
    """
    try:
        return quote(unquote_unreserved(uri), safe=_NOT_QUOTED + "%")
    except InvalidURL:
        # Where one % is no escape, the others can't be told to be any.
        return quote(uri, safe=_NOT_QUOTED)


def prepend_scheme_if_needed(url: str, new_scheme: str) -> str:
    """Put a scheme ahead of a URL that has none, such as `host:port`; of one that has, nothing is changed.

    Args:
        url: the URL.
        new_scheme: such as "http".
    """
    if _WITH_SCHEME.match(url):
        return url
    return f"{new_scheme}://{url.removeprefix('//')}"


def get_auth_from_url(url: str) -> tuple[str, str]:
    """User and password of a URL of any scheme, percent-decoded; both are empty where it has none.

    Args:
        url: the URL.

    Raises:
        InvalidURL, ValueError: it is no URL.
    """
    return _as_url(url).credentials or ("", "")


def urldefragauth(url: str) -> str:
    """A URL without its fragment and its userinfo.

    Args:
        url: the URL.
    """
    parts = urlparse(url)
    # What has no "//" begins with its host, too, as `host:port` does for prepend_scheme_if_needed.
    host, path = (parts.netloc, parts.path) if parts.netloc else (parts.path, "")
    return parts._replace(netloc=host.rpartition("@")[2], path=path, fragment="").geturl()


# --- proxies and netrc


def getproxies() -> dict[str, str]:
    """The proxies that the environment names for "http", "https" and "all", as it stands now.

    The system's settings on Windows and macOS are not read, and proxies for other schemes are of no use here.
    """
    return dict(environment.current().proxies)


def should_bypass_proxies(url: str, no_proxy: str | None = None) -> bool:
    """Whether a URL is reached without the environment's proxies.

    So is that of a loopback, of a unix socket, and one that NO_PROXY covers.

    Args:
        url: the URL, of any scheme. One without a host needs no proxy.
        no_proxy: rules that take the place of NO_PROXY; None, the default, for NO_PROXY as it stands now.

    Raises:
        InvalidURL: it is of http or https, and can't be used.
    """
    place = _as_url(url)
    return not place.host or environment.current().bypasses(place, no_proxy)


def proxy_bypass(host: str) -> bool:
    """Whether NO_PROXY, as it stands now, says that a host is reached directly; a loopback's always is.

    Args:
        host: a name or an address, with a port behind a colon or without one.
    """
    try:
        return should_bypass_proxies(f"http://{host}/")
    except InvalidURL:
        return False  # what is no host is reached by nobody


# requests tells what the environment says from what the system says; here it is the same.
getproxies_environment = getproxies
proxy_bypass_environment = proxy_bypass


def get_environ_proxies(url: str, no_proxy: str | None = None) -> dict[str, str]:
    """The proxies of the environment that may be asked for a URL.

    The arguments are those of `should_bypass_proxies`.

    Raises:
        InvalidURL: it is of http or https, and can't be used.
    """
    return {} if should_bypass_proxies(url, no_proxy) else getproxies()


def select_proxy(url: str, proxies: Mapping[str, str | None] | None) -> str | None:
    """The proxy for a URL, or None: see `proxy_choice.select_proxy`.

    Args:
        url: the URL, of any scheme.
        proxies: URLs of proxies by "scheme://host", "scheme", "all://host" or "all", in this order; or None.

    Raises:
        InvalidURL: it is of http or https, and can't be used.
        InvalidProxyURL: a key can fit no URL.
    """
    return proxy_choice.select_proxy(_as_url(url), proxies) if proxies else None


def resolve_proxies(
    request: Request | PreparedRequest, proxies: Mapping[str, str | None] | None, trust_env: bool = True
) -> dict[str, str | None]:
    """The proxies that a request may go through: those that were given, and then those of the environment.

    Args:
        request: the request, for its URL.
        proxies: as for `select_proxy`; "no_proxy" in it are rules that take the place of NO_PROXY.
        trust_env: whether the environment is asked. Default True.

    Returns:
        A mapping for `select_proxy`.

    Raises:
        InvalidURL: the URL is of http or https, and can't be used.
    """
    said = proxies or {}
    around = get_environ_proxies(str(request.url), said.get("no_proxy")) if trust_env else {}
    return dict(proxy_choice.merge_proxies(said or None, None, around))


def get_netrc_auth(url: str | bytes, raise_errors: bool = False) -> tuple[str, str] | None:
    """User and password that the netrc file has for the host of a URL, or None.

    Args:
        url: the URL, of any scheme.
        raise_errors: whether a file that can't be read is an error. By default it counts for nothing, and
            one that is malformed is worth a warning.

    Raises:
        OSError, netrc.NetrcParseError: the file can't be read, where `raise_errors` is set.
        InvalidURL: the URL is of http or https, and can't be used.
    """
    if raise_errors:
        _read_netrc()
    machine = environment.netrc_machine(_as_url(url.decode("utf-8") if isinstance(url, bytes) else url))
    return environment.netrc_credentials(machine) if machine else None


def _read_netrc() -> None:
    from netrc import netrc  # loaded only where somebody wants its errors

    for path in filter(os.path.exists, environment.current().netrc_paths):
        netrc(path)
        return


# --- addresses


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        # What a resolver takes for an address is one, such as 127.1: who asks wants to know where it leads.
        return IPv4Address(socket.inet_aton(text)) if _is_one_word(text) else ip_address(text)
    except OSError:
        return ip_address(text)


def _is_one_word(text: str) -> bool:
    """inet_aton(3) passes over what stands behind a blank, and Python's refuses a NUL by another error."""
    return not re.search(r"[\s\0]", text)


def is_ipv4_address(string_ip: str) -> bool:
    """Whether a text is an IPv4 address, also in the shorter forms that resolvers take, such as 127.1.

    Args:
        string_ip: the text.
    """
    try:
        return isinstance(_address(string_ip), IPv4Address)
    except ValueError:
        return False


def is_valid_cidr(string_network: str) -> bool:
    """Whether a text is a network in CIDR notation, of either family, such as 192.0.2.0/24.

    Args:
        string_network: the text.
    """
    _, _, bits = string_network.partition("/")
    if not re.fullmatch(r"[0-9]{1,3}", bits):
        return False
    try:
        ip_network(string_network, strict=False)
    except ValueError:
        return False
    return True


def address_in_network(ip: str, net: str) -> bool:
    """Whether an address is in a network in CIDR notation; both of either family.

    Args:
        ip: such as "192.0.2.7".
        net: such as "192.0.2.0/24".

    Raises:
        ValueError: one of them is none.
    """
    return _address(ip) in ip_network(net, strict=False)


def dotted_netmask(mask: int) -> str:
    """The netmask of IPv4 with so many bits set: 24 is "255.255.255.0".

    Args:
        mask: a number of bits from 0 to 32.

    Raises:
        ValueError: it is not from 0 to 32.
    """
    return str(IPv4Network((0, mask)).netmask)


# --- header fields

_QUOTED_PAIR = re.compile(r'\\([\\"])')


def unquote_header_value(value: str, is_filename: bool = False) -> str:
    r"""A quoted string without its quotes, and with `\"` and `\\` as `"` and `\`; other text as it is.

    Args:
        value: the text.
        is_filename: leave a backslash alone where it begins the path of a Windows share, as old browsers
            sent it. Default False.
    """
    if not value or value[0] != '"' or value[-1] != '"':
        return value
    value = value[1:-1]
    if is_filename and value.startswith("\\\\"):
        return value
    return _QUOTED_PAIR.sub(r"\1", value)


def parse_list_header(value: str) -> list[str]:
    """The members of a comma-separated list (RFC 9110, section 5.6.1), those in quotes without them.

    Args:
        value: the value of the field.
    """
    return [_without_quotes(member) for member in parse_http_list(value)]


def parse_dict_header(value: str) -> dict[str, str | None]:
    """The pairs of a comma-separated list, by name; the value of a name without "=" is None.

    Args:
        value: the value of the field.
    """
    pairs: dict[str, str | None] = {}
    for member in parse_http_list(value):
        name, equals, text = member.partition("=")
        pairs[name] = _without_quotes(text) if equals else None
    return pairs


def _without_quotes(text: str) -> str:
    # parse_http_list has taken the backslashes out, and taking them out once more would be too often.
    return text[1:-1] if text[:1] == text[-1:] == '"' else text


def parse_header_links(value: str) -> list[dict[str, str]]:
    """The links of a Link field, see `headers.parse_links`.

    Args:
        value: the value of the field.
    """
    return parse_links(value)


def check_header_validity(header: tuple[str | bytes, str | bytes]) -> None:
    """Check that a header field, a pair of name and value, may be sent: that nothing is smuggled in by it.

    Args:
        header: the pair.

    Raises:
        InvalidHeader: it may not.
    """
    name, value = header
    encode_field(name, value)


# --- bodies and files


def super_len(o: Any) -> int:
    """The bytes of a body from where it stands to its end; 0 where that is not known.

    Args:
        o: str (counted in UTF-8), bytes, a file, or anything that has a length.
    """
    if isinstance(o, str):
        return len(o.encode("utf-8"))
    position = bodies.tell(o)
    if position is None and hasattr(o, "tell"):
        return 0  # a pipe or the like: of what it holds, nobody knows how much is left
    if hasattr(o, "__len__"):
        return max(0, len(o) - (position or 0))
    if isinstance(getattr(o, "file", o), io.TextIOBase):  # tempfile's wrappers hold theirs as .file
        return _bytes_of_text(o, position or 0)
    return bodies.length_left(o, position) or 0


def _bytes_of_text(file: Any, position: int) -> int:
    """As `bodies.encode` would send it; a text file has no length in bytes before it was read."""
    length = bodies.encode(file).length or 0
    file.seek(position)
    return length


def rewind_body(prepared_request: PreparedRequest) -> None:
    """Wind the body back to where it stood when the request was prepared; bytes need not be.

    Args:
        prepared_request: the request.

    Raises:
        UnrewindableBodyError: it can't be wound back.
    """
    if isinstance(prepared_request.body, (str, bytes, type(None))):
        return
    StreamedBody(prepared_request.body, prepared_request.body_position, None).wind_back()


def guess_filename(obj: Any) -> str | None:
    """The last part of the name that a file has, or None where it has none, or one such as <stdin>.

    Args:
        obj: the file, or anything else.
    """
    return bodies.filename_of(obj) or None


def extract_zipped_paths(path: str) -> str:
    """The path of a file that may be in a zip archive, as that of a file which can be opened.

    Args:
        path: such as "/lib/certs.zip/ca.pem".

    Returns:
        The path as it is, where there is such a file, or where none of its folders is an archive that has it.
        Else that of a copy in the folder for temporary files, which is the caller's to remove.
    """
    if os.path.exists(path):
        return path
    archive = next(filter(os.path.exists, PurePath(path).parents), None)
    if archive is None or not zipfile.is_zipfile(archive):
        return path
    member = PurePath(path).relative_to(archive)
    with zipfile.ZipFile(archive) as opened:
        try:
            content = opened.read(member.as_posix())
        except KeyError:
            return path
    with tempfile.NamedTemporaryFile(suffix=member.suffix, delete=False) as copy:
        copy.write(content)
    return copy.name


def atomic_open(filename: str | os.PathLike[str]) -> contextlib.AbstractContextManager[BinaryIO]:
    """A file to write to, which takes that name at the end of the `with` block, and only if it ends well.

    Nobody but its owner may read it. See `files.replacing`.

    Args:
        filename: the name; a file that has it is replaced.
    """
    return files.replacing(filename, 0o600)


@contextlib.contextmanager
def set_environ(env_name: str, value: str | None) -> Iterator[None]:
    """Set a variable of the environment for a `with` block; None leaves it as it is.

    Args:
        env_name: its name.
        value: its value, or None.
    """
    before = os.environ.get(env_name)
    if value is not None:
        os.environ[env_name] = value
    try:
        yield
    finally:
        if value is not None and before is not None:
            os.environ[env_name] = before
        elif value is not None:
            os.environ.pop(env_name, None)


# --- pairs


def dict_to_sequence(d: Any) -> Iterable[Any]:
    """The items of a mapping; other things as they are.

    Args:
        d: the mapping, or what is none.
    """
    items: Iterable[Any] = d.items() if hasattr(d, "items") else d
    return items


def from_key_val_list(value: Any) -> OrderedDict[Any, Any] | None:
    """A mapping or pairs as an ordered dict; None as None.

    Args:
        value: the mapping, the pairs, or None.

    Raises:
        TypeError, ValueError: it is neither.
    """
    if value is None:
        return None
    _check_pairs(value)
    return OrderedDict(value)


@overload
def to_key_val_list(value: None) -> None: ...


@overload
def to_key_val_list(value: Mapping[K, V] | Iterable[tuple[K, V]]) -> list[tuple[K, V]]: ...


def to_key_val_list(value: Any) -> list[Any] | None:
    """A mapping or pairs as a list of pairs; None as None.

    Args:
        value: the mapping, the pairs, or None.

    Raises:
        TypeError, ValueError: it is neither.
    """
    if value is None:
        return None
    _check_pairs(value)
    return list(dict_to_sequence(value))


def _check_pairs(value: Any) -> None:
    if isinstance(value, (str, bytes, bool, int)):
        raise ValueError(f"{value!r} is not made of pairs: give a mapping, or pairs of name and value")
