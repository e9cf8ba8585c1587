"""From the URL of a proxy, and what is said beside it, to the `Proxy` of a Route.

Which proxy a request goes through is decided in `proxy_choice`. Here is read how that one is spoken to, and
what it is shown: credentials and fields of a proxy are part of its identity (law R1), so that a connection
through it serves nobody who has others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from . import urls
from .credentials import basic_credentials
from .exceptions import InvalidProxyURL, InvalidSchema, InvalidURL
from .headers import encode_field
from .kept import kept
from .transport import Proxy, TLSIdentity
from .transport.route import PROXY_PORTS, is_socks

PROXY_AUTHORIZATION: Final = "Proxy-Authorization"


# X6: a proxy's own fields go over those of the request, and must not change where it ends or whom it is for.
_ABOUT_THE_REQUEST: Final = frozenset({"content-length", "host", "transfer-encoding"})

# RFC 3986, section 3.1.
_SCHEME: Final = "[a-z][a-z0-9+.-]*"


class ProxyURL:
    """The URL of a proxy in its parts.

    Attributes:
        scheme: in lower case, one of `PROXY_PORTS`.
        host, port: where it is dialled.
        credentials: user and password, percent-decoded, or None. Their bytes are as the URL has them.
    """

    __slots__ = ("credentials", "host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int, credentials: tuple[bytes, bytes] | None) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.credentials = credentials

    def __repr__(self) -> str:
        return f"<ProxyURL {self.scheme}://{self.host}:{self.port}>"  # no secret is part of it


# An environment names a handful of proxies; a program that goes through a list of them names hundreds.
@kept(512)
def read_proxy_url(text: str) -> ProxyURL:
    """Read the URL of a proxy.

    Args:
        text: such as "http://user:password@proxy.example:3128"; without a scheme it is one of http, and
            without a port it is at that of the scheme.

    Raises:
        InvalidProxyURL: it can't be used.
        InvalidSchema: it is of a kind that is not spoken to.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme.removeprefix("//")
    scheme = scheme.lower()
    if scheme not in PROXY_PORTS:
        raise _unspoken(scheme, rest)
    try:
        url = _after_scheme(rest)
    except InvalidURL as error:
        raise InvalidProxyURL(f"the proxy can't be used: {error}") from error
    user, _, password = map(urls.percent_decoded, (url.userinfo or "").partition(":"))
    credentials = (user, password) if user or password else None
    return ProxyURL(scheme, url.host, PROXY_PORTS[scheme] if url.port is None else url.port, credentials)


def _unspoken(scheme: str, rest: str) -> InvalidProxyURL | InvalidSchema:
    if scheme[:1] in ("'", '"'):
        return InvalidProxyURL("the URL of the proxy (not shown) stands in quotes: leave them out")
    if not re.fullmatch(_SCHEME, scheme):  # what stands ahead of it may be the beginning of a password
        return InvalidProxyURL(
            "the proxy (not shown, as it may hold a password) has no scheme: write "
            "http://user:password@host:port, and in a password : / ? # @ as %3A, %2F, %3F, %23, %40"
        )
    place = rest.rpartition("@")[2].partition("/")[0]
    kind = "socks5:// or socks5h://" if scheme.startswith("socks") else "http://, https:// or socks5://"
    return InvalidSchema(
        f"the proxy {place!r} is to be spoken to by {scheme}://, which nobody here can: give {kind}"
    )


def _after_scheme(rest: str) -> urls.URL:
    """What follows the scheme of a proxy's URL, read as if it were one of http."""
    if urls.is_http(rest):
        raise InvalidURL("it has no host: write http://host:port")
    url = urls.parse(f"http://{rest}")
    # A password with a slash in it ends the authority, and the user would be the host.
    if "@" in f"{url.target}#{url.fragment}":
        raise InvalidURL("its password holds / ? or #: write them as %2F, %3F, %23")
    return url


def basic_fields(text: str) -> dict[str, str]:
    """The fields by which a proxy's URL introduces us: Proxy-Authorization, where it has user and password.

    Raises:
        InvalidProxyURL, InvalidSchema: as `read_proxy_url`; and the user holds a colon.
    """
    proxy = read_proxy_url(text)
    if proxy.credentials is None or is_socks(proxy.scheme):
        return {}
    try:
        return {PROXY_AUTHORIZATION: basic_credentials(*proxy.credentials)}
    except ValueError:  # it names the user, and that may be "user:password", encoded as one
        raise InvalidProxyURL(
            "the proxy can't be used: its user (not shown) holds a colon (RFC 7617, section 2). Between user "
            "and password it is written as it is, and not as %3A"
        ) from None


def checked_proxy_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Fields for every http and https proxy, or None for none.

    Raises:
        InvalidHeader: one can't be sent (law X7).
        ValueError: one is about the request, or a secret of one proxy.
    """
    checked = {} if headers is None else dict(headers)
    for name, value in checked.items():
        encode_field(name, value)
        if name.lower() in _ABOUT_THE_REQUEST:
            raise ValueError(
                f"proxy_headers has {name}, which is about each request and not for the proxy: leave it out"
            )
        if name.lower() == PROXY_AUTHORIZATION.lower():
            raise ValueError(
                "proxy_headers go to every proxy, and a Proxy-Authorization belongs to one: put user and "
                "password into its URL, or override proxy_headers()"
            )
    return checked


def forwards_http(text: str) -> bool:
    """Whether a proxy takes requests of http in absolute form; those of SOCKS make tunnels alone."""
    return not is_socks(read_proxy_url(text).scheme)


def proxy_of(text: str, fields: Mapping[str, str | bytes], tls: TLSIdentity | None = None) -> Proxy:
    """The proxy of a URL.

    Args:
        text: as for `read_proxy_url`.
        fields: header fields for an http or https proxy, Proxy-Authorization among them.
        tls: whom to trust as an https proxy.

    Raises:
        InvalidProxyURL, InvalidSchema: as `read_proxy_url`.
        InvalidHeader: a field can't be sent (law X7).
    """
    try:
        return _made[text, tuple(fields.items()), tls]
    except TypeError:  # a list can't be looked up in a cache; the check itself says that it is wrong
        return _made.__wrapped__((text, tuple(fields.items()), tls))


@kept(512)  # as many as `read_proxy_url` has
def _made(said: tuple[str, tuple[tuple[str, str | bytes], ...], TLSIdentity | None]) -> Proxy:
    text, fields, tls = said
    url = read_proxy_url(text)
    if is_socks(url.scheme):
        return Proxy(url.scheme, url.host, url.port, credentials=url.credentials)
    encoded = [encode_field(name, value) for name, value in fields]
    shown = [value for name, value in encoded if name.lower() == b"proxy-authorization"]
    others = tuple(field for field in encoded if field[0].lower() != b"proxy-authorization")
    return Proxy(
        url.scheme,
        url.host,
        url.port,
        authorization=shown[-1] if shown else None,
        fields=others,
        tls=tls if url.scheme == "https" else None,
    )
