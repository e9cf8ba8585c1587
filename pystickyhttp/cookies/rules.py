"""The rules of cookies: what a Set-Cookie field says, and which requests a cookie goes with.

They are those of RFC 6265bis (draft-ietf-httpbis-rfc6265bis-22), which takes the place of RFC 6265; its
sections are named where a rule is. Nothing here keeps anything: reading a field is a pure function of its
text, the URL and the time (`parse_set_cookie`), and so is each match of host, path and date.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .. import urls
from ..urls import UNIX_HOST_HEADER, URL
from ..values import Value, settle, value_class

if TYPE_CHECKING:
    from http.cookies import Morsel

# Seconds; section 5.5: the limit is not to be above 400 days.
MAX_LIFETIME: Final = 400 * 86400

# Octets of name and value together (section 5.6, step 5), and of an attribute's value (second part, 6).
_MOST_OF_PAIR: Final = 4096
_MOST_OF_ATTRIBUTE: Final = 1024

_WSP: Final = " \t"
_CONTROLS: Final = r"[\x00-\x08\x0a-\x1f\x7f]"  # section 5.6, step 1: all but the tab
_MAX_AGE: Final = r"-?[0-9]+"  # section 5.6.2, steps 1 to 3
# Patterns of what few cookies have are compiled where they are first needed, and kept by `re`.
# A host whose last label is a number is an IPv4 address, in one of its spellings, or nothing at all.
_ENDS_IN_A_NUMBER: Final = r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?"
_SAME_SITE: Final = {"strict": "Strict", "lax": "Lax", "none": "None"}  # section 5.6.7

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_DATE_DELIMITERS: Final = r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+"  # section 5.1.1
_TIME: Final = r"(?a:(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D|$))"
_DAY: Final = r"(?a:(\d{1,2})(?:\D|$))"
_YEAR: Final = r"(?a:(\d{2,4})(?:\D|$))"


@value_class()
class Cookie(Value):
    """One cookie. It does not change: `dataclasses.replace` makes another one of it.

    Attributes:
        name, value: as they came, quotes included.
        domain: the host or domain that it is for, in lower case and without a dot ahead; "" for every host
            (set in code only). Of a unix socket it is the path as a URL of http+unix has it.
        path: the path below which it is sent.
        expires: seconds since 1970, or None for the time of the session.
        secure: whether it goes over https only.
        http_only: whether the server asked to hide it from scripts. Kept, and without effect here.
        host_only: whether it is for that very host, and not for those below it.
        created: seconds since 1970, for the order in which cookies are sent.
        same_site: "Strict", "Lax", "None", or "" where the server did not say. Kept, and without effect here:
            a request that no document makes is same-site (RFC 6265bis, section 5.2).
    """

    name: str
    value: str
    domain: str
    path: str
    expires: float | None
    secure: bool
    http_only: bool
    host_only: bool
    created: float
    same_site: str

    def __init__(
        self,
        name: str,
        value: str,
        domain: str = "",
        path: str = "/",
        expires: float | None = None,
        secure: bool = False,
        http_only: bool = False,
        host_only: bool = False,
        created: float = 0.0,
        same_site: str = "",
    ) -> None:
        settle(self, name=name, value=value, domain=domain, path=path, expires=expires, created=created)
        settle(self, secure=secure, http_only=http_only, host_only=host_only, same_site=same_site)

    def matches(self, url: URL) -> bool:
        """Whether it goes with a request of that URL (RFC 6265bis, section 5.8.3, step 3).

        Args:
            url: the URL of the request, parsed.
        """
        return (
            (not self.secure or url.scheme == "https")
            and self._matches_host(url.cookie_host)
            and path_matches(url.path, self.path)
        )

    def _matches_host(self, host: str) -> bool:
        if not self.domain or host == self.domain:
            return True
        return not self.host_only and domain_matches(host, self.domain)

    def is_expired(self, now: float | None = None) -> bool:
        """Whether its time is over.

        Args:
            now: seconds since 1970, by default the present.
        """
        return self.expires is not None and self.expires <= (time.time() if now is None else now)

    # --- what programs read of a cookie of `http.cookiejar`, as far as RFC 6265 has it

    version: ClassVar[int] = 0
    port: ClassVar[str | None] = None
    port_specified: ClassVar[bool] = False
    path_specified: ClassVar[bool] = True
    comment: ClassVar[str | None] = None
    comment_url: ClassVar[str | None] = None
    rfc2109: ClassVar[bool] = False

    @property
    def domain_specified(self) -> bool:
        """Whether it is for the hosts below its domain too."""
        return bool(self.domain) and not self.host_only

    @property
    def domain_initial_dot(self) -> bool:
        """As `domain_specified`: the domain itself is shown without the dot."""
        return self.domain_specified

    @property
    def discard(self) -> bool:
        """Whether it ends with the session."""
        return self.expires is None

    @property
    def rest(self) -> dict[str, str | None]:
        """HttpOnly and SameSite, where the cookie has them."""
        found: dict[str, str | None] = {"HttpOnly": None} if self.http_only else {}
        if self.same_site:
            found["SameSite"] = self.same_site
        return found

    def has_nonstandard_attr(self, name: str) -> bool:
        """Whether the cookie is HttpOnly, or has a SameSite; the name is taken in any case.

        Args:
            name: "HttpOnly" or "SameSite".
        """
        return name.lower() in map(str.lower, self.rest)

    def get_nonstandard_attr(self, name: str, default: Any = None) -> Any:
        """Its SameSite, or None for HttpOnly where it is set; else the default.

        Args:
            name: "HttpOnly" or "SameSite".
            default: what is returned where there is no such attribute. Default None.
        """
        return {key.lower(): value for key, value in self.rest.items()}.get(name.lower(), default)


# --- reading Set-Cookie


def parse_set_cookie(
    text: str, url: URL, now: float, max_lifetime: float | None = MAX_LIFETIME
) -> Cookie | None:
    """Read a Set-Cookie field (RFC 6265bis, sections 5.6 and 5.7, as far as they do not ask the store).

    Args:
        text: its value, with its bytes read as latin-1.
        url: the URL of the request that it answers.
        now: seconds since 1970.
        max_lifetime: the longest time for which a cookie is kept, in seconds; None is as long as it says.

    Returns:
        The cookie, or None where it has to be ignored. One that takes a cookie away has expired already.
    """
    if has_controls(text):
        return None
    pair, *attribute_texts = text.split(";")
    name, equals, value = pair.partition("=")
    if not equals:  # section 5.6, step 3: what has no "=" is a value without a name
        name, value = "", pair
    name, value = name.strip(_WSP), value.strip(_WSP)
    if not (name or value) or len(name) + len(value) > _MOST_OF_PAIR:
        return None
    attributes = _attributes(attribute_texts)
    scope = _scope(_last(attributes, "domain"), url)
    if scope is None:
        return None
    domain, host_only = scope
    path = _last(attributes, "path")
    cookie = Cookie(
        name=name,
        value=value,
        domain=domain,
        path=path if path.startswith("/") else default_path(url.path),
        expires=_expiry(attributes, now, max_lifetime),
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        host_only=host_only,
        created=now,
        same_site=_SAME_SITE.get(_last(attributes, "samesite").lower(), ""),
    )
    return cookie if _may_be_set(cookie, url, "path" in attributes) else None


def has_controls(text: str) -> bool:
    """Whether a text holds a control character, for which no cookie has room."""
    return not text.isprintable() and re.search(_CONTROLS, text) is not None  # most have nothing to look for


def _attributes(texts: Iterable[str]) -> dict[str, list[str]]:
    """The values of each attribute in their order, by its name in lower case (section 5.6, second part)."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        value = value.strip(_WSP)
        if len(value) <= _MOST_OF_ATTRIBUTE:
            found.setdefault(name.strip(_WSP).lower(), []).append(value)
    return found


def _last(attributes: Mapping[str, list[str]], name: str) -> str:
    return attributes[name][-1] if name in attributes else ""


def _expiry(attributes: Mapping[str, list[str]], now: float, max_lifetime: float | None) -> float | None:
    """When it expires: by the last Max-Age that can be read, else by the last such Expires (5.7, step 6)."""
    ages = [age for value in attributes.get("max-age", ()) if (age := _max_age(value, now)) is not None]
    dates = [date for value in attributes.get("expires", ()) if (date := parse_date(value)) is not None]
    found = ages or dates
    if not found:
        return None
    return found[-1] if max_lifetime is None else min(found[-1], now + max_lifetime)  # section 5.5


def _max_age(value: str, now: float) -> float | None:
    """When a cookie of that Max-Age expires; None where it is no number (section 5.6.2)."""
    if not re.fullmatch(_MAX_AGE, value):
        return None
    # A number of any length is allowed, and 31,000 years are as good as for ever.
    return now if value.startswith("-") else now + int(value.lstrip("0")[:12] or "0")


def _scope(domain: str, url: URL) -> tuple[str, bool] | None:
    """The domain that a cookie is for, and whether for that host alone (section 5.7, steps 7 to 10).

    Args:
        domain: the value of its Domain, "" for none.
        url: the URL of the request that set it.

    Returns:
        Both, or None where that host may not set cookies for that domain.
    """
    host = url.cookie_host
    domain = _without_brackets(domain.removeprefix(".").lower())
    if not domain or (url.is_unix and domain == UNIX_HOST_HEADER):  # as which the server knows itself
        return host, True
    if not domain_matches(host, domain):  # which no domain outside ASCII does (step 8), as hosts are within
        return None
    if not is_public_suffix(domain):
        return domain, False
    # What is under a public suffix belongs to strangers; its own host can only speak for itself.
    return (host, True) if domain == host else None


def _may_be_set(cookie: Cookie, url: URL, has_path: bool) -> bool:
    """What a cookie has to fulfil by itself (section 5.7, steps 13 and 19 to 22)."""
    if cookie.secure and url.scheme != "https":
        return False
    if cookie.same_site == "None" and not cookie.secure:
        return False
    prefix = _prefix(cookie)
    if not prefix:
        return True
    if not cookie.name or not cookie.secure:
        return False
    return prefix == "__secure-" or (cookie.host_only and has_path and cookie.path == "/")


def _prefix(cookie: Cookie) -> str:
    """The prefix of the name that promises how the cookie was set; of the value, where it has no name.

    A server that reads `Cookie: __Host-a=b` can't tell whether that came of a value alone (step 22).
    """
    text = (cookie.name or cookie.value).lower()
    return next((prefix for prefix in ("__secure-", "__host-") if text.startswith(prefix)), "")


def parse_date(text: str) -> float | None:
    """Read a cookie's date (RFC 6265bis, section 5.1.1): any order of its parts, with anything between them.

    Args:
        text: such as "Wed, 21 Oct 2026 07:28:00 GMT".

    Returns:
        Seconds since 1970, or None where it is no date.
    """
    clock: tuple[int, int, int] | None = None
    day = month = year = None
    for token in filter(None, re.split(_DATE_DELIMITERS, text)):
        if clock is None and (match := re.match(_TIME, token)):
            clock = int(match[1]), int(match[2]), int(match[3])
        elif day is None and (match := re.match(_DAY, token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS[token[:3].lower()]
        elif year is None and (match := re.match(_YEAR, token)):
            year = int(match[1])
    if clock is None or day is None or month is None or year is None:
        return None
    from datetime import UTC, datetime  # loaded only where a cookie has a date, to keep start-up light

    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        return datetime(year, month, day, *clock, tzinfo=UTC).timestamp() if year >= 1601 else None
    except ValueError:
        return None


# --- matching


def domain_matches(host: str, domain: str) -> bool:
    """Whether a host is a domain, or below it (RFC 6265bis, section 5.1.3).

    An IP address is below nothing, and so is a unix socket.

    Args:
        host: the host of a request, in lower case.
        domain: the domain of a cookie.
    """
    return host == domain or (host.endswith("." + domain) and not (_is_address(host) or is_socket(host)))


def path_matches(path: str, cookie_path: str) -> bool:
    """Whether a path is that of a cookie, or below it (RFC 6265bis, section 5.1.4).

    Args:
        path: the path of a request.
        cookie_path: the path of a cookie.
    """
    if not path.startswith(cookie_path):
        return False
    return len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"


def default_path(path: str) -> str:
    """The path of a cookie that has none: that of the URL up to its last slash (RFC 6265bis, section 5.1.4).

    Args:
        path: the path of the URL.
    """
    return path.rpartition("/")[0] or "/"


def is_public_suffix(domain: str) -> bool:
    """Whether a domain is one under which anybody can register: "com", or "co.uk".

    A name of one label always is. The others are known where the extra `psl` is installed.

    Args:
        domain: in lower case.
    """
    name = domain.strip(".")  # "com." is no other domain than "com" to who resolves it
    if "." not in name:
        return True
    known = _public_suffixes()
    return known is not None and bool(known.is_public(name))


@cache
def _public_suffixes() -> Any:
    """The list, or None. It takes some 50 ms to read, so it waits for the first cookie with a Domain."""
    try:
        import publicsuffixlist  # an optional extra
    except ImportError:
        return None
    return publicsuffixlist.PublicSuffixList()


def _is_address(host: str) -> bool:
    return ":" in host or re.fullmatch(_ENDS_IN_A_NUMBER, host) is not None


def is_socket(domain: str) -> bool:
    """Whether a cookie's domain is a unix socket: no name and no address begins so (`URL.cookie_host`)."""
    return domain.startswith("%")


def domains_for(host: str) -> Iterator[str]:
    """The domains whose cookies may go to a host: every host's, its own, and those above it."""
    yield ""
    yield host
    while host := host.partition(".")[2]:
        yield host


def canonical(domain: str) -> str:
    """A domain given in code, as cookies have it: lower case, no dot ahead, by IDNA (section 5.1.2).

    An IPv6 address is without its zone, and a unix socket in the spelling of `URL.cookie_host`.
    """
    name = domain.lstrip(".")
    if is_socket(name):
        return urls.socket_spelling(name)
    name = _without_brackets(name.lower())
    if ":" in name:
        return name.partition("%")[0]
    return name if name.isascii() else urls.parse(f"http://{name}/").host


def _without_brackets(host: str) -> str:
    """An IPv6 address as `URL.host` has it."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") and ":" in host else host


# --- made in code


def create_cookie(
    name: str,
    value: str,
    *,
    domain: str | None = "",
    path: str | None = "/",
    expires: float | None = None,
    secure: bool = False,
    http_only: bool = False,
    host_only: bool = False,
    same_site: str = "",
    created: float | None = None,
    rest: Mapping[str, Any] | None = None,
    port: None = None,
    version: int = 0,
    discard: bool = True,
    comment: str | None = None,
    comment_url: str | None = None,
    rfc2109: bool = False,
) -> Cookie:
    """Make a cookie in code.

    Args:
        name, value: text, as it goes over the wire.
        domain: the domain that it is for, with the hosts below it; "" is every host.
        path: the path below which it is sent.
        expires: seconds since 1970; None is for the time of the session.
        secure: whether it goes over https only.
        http_only, host_only, created, same_site: as for `Cookie`. By default it is created now.
        rest: a mapping in which HttpOnly and SameSite may stand, as in requests.
        port: None; cookies are for every port.
        version, discard, comment, comment_url, rfc2109: taken, and without effect, as RFC 6265 has none.

    Raises:
        TypeError: name or value is no text.
        ValueError: a port is given, or expires is no number.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(
            f"the cookie {name!r} has a name of type {type(name).__name__} and a value of type "
            f"{type(value).__name__}: both have to be str"
        )
    if port is not None:
        raise ValueError(f"the cookie {name!r} is for port {port}: cookies can't be bound to one (RFC 6265)")
    given = {key.lower(): entry for key, entry in (rest or {}).items()}
    return Cookie(
        name=name,
        value=value,
        domain=canonical(domain or ""),
        path=path or "/",
        expires=None if expires is None else float(expires),
        secure=bool(secure),
        http_only=http_only or "httponly" in given,
        host_only=host_only and bool(domain),
        created=time.time() if created is None else created,
        same_site=same_site or _SAME_SITE.get(str(given.get("samesite", "")).lower(), ""),
    )


def morsel_to_cookie(morsel: Morsel[Any]) -> Cookie:
    """A cookie of `http.cookies.SimpleCookie`, with its value as it stands in a header.

    Args:
        morsel: the cookie.

    Raises:
        TypeError: it is no Morsel, or its max-age is no number.
        ValueError: its expires is no date.
    """
    try:
        max_age, date, value = morsel["max-age"], morsel["expires"], morsel.coded_value
    except (AttributeError, KeyError, TypeError):
        raise TypeError(f"a cookie's value is {type(morsel).__name__}: give str, or a Morsel") from None
    expires: float | None = None
    if max_age:
        if not re.fullmatch(_MAX_AGE, str(max_age)):
            raise TypeError(f"max-age is {max_age!r}: give a number of seconds")
        expires = time.time() + int(max_age)
    elif date:
        expires = parse_date(date)
        if expires is None:
            raise ValueError(f"expires is {date!r}: give a date such as 'Thu, 01 Jan 2032 00:00:00 GMT'")
    return create_cookie(
        morsel.key,
        value,
        domain=morsel["domain"],
        path=morsel["path"],
        expires=expires,
        secure=bool(morsel["secure"]),
        http_only=bool(morsel["httponly"]),
        same_site=_SAME_SITE.get(str(morsel["samesite"]).lower(), ""),
    )


# --- sending


def cookie_header(cookies: Iterable[Cookie]) -> str:
    """The value of a Cookie field (RFC 6265bis, section 5.8.3, step 6).

    Args:
        cookies: the cookies, in the order in which they are sent.
    """
    return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in cookies)
