"""The cookie store: what servers set, kept and matched by domain and path (RFC 6265, section 5).

This is the working core of the store: domain and path matching, host-only cookies, expiry, Secure. Names,
values and their order go back as they came.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from .forks import after_fork_in_child
from .urls import URL

CookieTypes: TypeAlias = "Mapping[str, str] | CookieJar | Iterable[Any] | None"

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
# RFC 6265bis, section 5.6, step 1: such a field is ignored; sent back, it would be refused by everybody (X7).
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DATE_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")  # RFC 6265, section 5.1.1
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D|$)", re.ASCII)
_DAY = re.compile(r"(\d{1,2})(?:\D|$)", re.ASCII)
_YEAR = re.compile(r"(\d{2,4})(?:\D|$)", re.ASCII)


# Guards the cookies of every jar: an answer may set some in one thread while another one asks for them. It is
# held for microseconds, and one lock for all of them is one that the child of a fork can find again (law L4).
_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()  # who held it is a thread of the parent's


after_fork_in_child(_renew_lock)


class CookieConflictError(RuntimeError):
    """Several cookies of that name are in the jar; domain and path say which one is meant."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie.

    Attributes:
        name, value: as they came, quotes included.
        domain: the host or domain that it is for, in lower case; "" for every host (set in code only).
        path: the path below which it is sent.
        expires: seconds since 1970, or None for the time of the session.
        secure: whether it goes over https only.
        http_only: whether the server asked to hide it from scripts. Kept, and without effect here.
        host_only: whether it is for that very host, and not for those below it.
        created: seconds since 1970, for the order in which cookies are sent.
    """

    name: str
    value: str
    domain: str = ""
    path: str = "/"
    expires: float | None = None
    secure: bool = False
    http_only: bool = False
    host_only: bool = False
    created: float = 0.0

    def matches(self, url: URL) -> bool:
        """Whether it goes with a request of that URL (RFC 6265, section 5.4, step 1)."""
        return (
            (not self.secure or url.scheme == "https")
            and self._matches_host(url.host)
            and path_matches(url.path, self.path)
        )

    def _matches_host(self, host: str) -> bool:
        if not self.domain or host == self.domain:
            return True
        return not self.host_only and domain_matches(host, self.domain)


class CookieJar:
    """The cookies of a session. It is read as a mapping from names to values; iterating gives `Cookie`s.

    It can be used by any number of threads.

    Args:
        cookies: names and values, or another jar, to begin with.
    """

    def __init__(self, cookies: CookieTypes = None) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}  # (domain, path, name), in order of creation
        if cookies is not None:
            self.update(cookies)

    # --- the rules

    def extract(self, url: URL, set_cookie: Iterable[str], now: float | None = None) -> None:
        """Take in what a response set.

        Args:
            url: the URL of its request.
            set_cookie: the values of its Set-Cookie fields. What can't be read, or is for a host that the
                URL's host may not speak for, is passed over.
            now: seconds since 1970, by default the present.
        """
        now = time.time() if now is None else now
        for text in set_cookie:
            cookie = parse_set_cookie(text, url, now)
            if cookie is not None:
                self.set_cookie(cookie, now)

    def set_cookie(self, cookie: Cookie, now: float | None = None) -> None:
        """Store a cookie in the place of the one with its name, domain and path; one that expired goes."""
        now = time.time() if now is None else now
        key = (cookie.domain, cookie.path, cookie.name)
        with _lock:
            known = self._cookies.get(key)
            if cookie.expires is not None and cookie.expires <= now:
                self._cookies.pop(key, None)
            elif known is not None:
                self._cookies[key] = replace(cookie, created=known.created)
            else:
                self._cookies[key] = cookie

    def cookies_for(self, url: URL, now: float | None = None) -> list[Cookie]:
        """The cookies for a request: longer paths first, then older ones (RFC 6265, section 5.4, step 2)."""
        if not self._cookies:
            return []
        now = time.time() if now is None else now
        with _lock:
            self._expire(now)
            found = [cookie for cookie in self._cookies.values() if cookie.matches(url)]
        found.sort(key=lambda cookie: (-len(cookie.path), cookie.created))
        return found

    def _expire(self, now: float) -> None:
        for key in [key for key, c in self._cookies.items() if c.expires is not None and c.expires <= now]:
            del self._cookies[key]

    # --- the mapping

    def set(
        self, name: str, value: str | None, *, domain: str = "", path: str = "/", **attributes: Any
    ) -> None:
        """Set a cookie in code.

        Args:
            name: its name.
            value: its value; None removes the cookie.
            domain: the domain that it is for, "" for every host.
            path: the path below which it is sent, by default "/".
            **attributes: further attributes of `Cookie`.
        """
        if value is None:
            self.remove(name, domain=domain or None, path=path)
            return
        now = time.time()
        self.set_cookie(
            Cookie(name, value, domain.lower().lstrip("."), path or "/", **{"created": now, **attributes}),
            now,
        )

    def get(self, name: str, default: Any = None, domain: str | None = None, path: str | None = None) -> Any:
        """The value of a cookie, or the default.

        Raises:
            CookieConflictError: several match.
        """
        found = self._find(name, domain, path)
        if len(found) > 1:
            raise CookieConflictError(
                f"{len(found)} cookies are named {name!r}: say which by domain= and path="
            )
        return found[0].value if found else default

    def remove(self, name: str, domain: str | None = None, path: str | None = None) -> None:
        """Remove the cookies of a name, of all domains and paths where none is given."""
        for cookie in self._find(name, domain, path):
            with _lock:
                self._cookies.pop((cookie.domain, cookie.path, cookie.name), None)

    def get_dict(self, domain: str | None = None, path: str | None = None) -> dict[str, str]:
        """Names and values, of one domain or path where it is given."""
        return {cookie.name: cookie.value for cookie in self._select(domain, path)}

    def copy(self) -> CookieJar:
        """A jar with the same cookies."""
        return CookieJar(self)

    __copy__ = copy

    def __getstate__(self) -> dict[str, Any]:
        with _lock:
            return {"_cookies": dict(self._cookies)}

    def update(self, other: CookieJar | Mapping[str, str] | Iterable[Any]) -> None:
        """Take over the cookies of a jar (one of `http.cookiejar` too), or names and values."""
        if isinstance(other, CookieJar):
            for cookie in other:
                self.set_cookie(cookie)
            return
        for item in other.items() if isinstance(other, Mapping) else other:
            if isinstance(item, tuple):
                self.set(*item)
            else:
                self.set_cookie(_from_standard_library(item))

    def items(self) -> list[tuple[str, str]]:
        """Names and values, in order of creation."""
        return [(cookie.name, cookie.value) for cookie in self]

    def keys(self) -> list[str]:
        """Names, in order of creation."""
        return [cookie.name for cookie in self]

    def values(self) -> list[str]:
        """Values, in order of creation."""
        return [cookie.value for cookie in self]

    def clear(self) -> None:
        """Remove every cookie."""
        with _lock:
            self._cookies.clear()

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return str(value)

    def __setitem__(self, name: str, value: str | None) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        if not self._find(name, None, None):
            raise KeyError(name)
        self.remove(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._find(name, None, None))

    def __iter__(self) -> Iterator[Cookie]:
        with _lock:
            return iter(list(self._cookies.values()))

    def __len__(self) -> int:
        return len(self._cookies)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CookieJar):
            return {replace(cookie, created=0) for cookie in self} == {
                replace(cookie, created=0) for cookie in other
            }
        return self.get_dict() == other if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kept = ", ".join(f"{cookie.name} for {cookie.domain or 'any host'}" for cookie in self)
        return f"<CookieJar: {kept or 'empty'}>"

    def _find(self, name: str, domain: str | None, path: str | None) -> list[Cookie]:
        return [cookie for cookie in self._select(domain, path) if cookie.name == name]

    def _select(self, domain: str | None, path: str | None) -> list[Cookie]:
        domain = None if domain is None else domain.lower().lstrip(".")
        return [
            cookie
            for cookie in self
            if (domain is None or cookie.domain == domain) and (path is None or cookie.path == path)
        ]


def _from_standard_library(cookie: Any) -> Cookie:
    """A cookie of `http.cookiejar`, where a dot ahead of the domain means the hosts below it too."""
    return Cookie(
        cookie.name,
        cookie.value or "",
        cookie.domain.lower().removeprefix("."),
        cookie.path,
        expires=cookie.expires,
        secure=bool(cookie.secure),
        http_only=cookie.has_nonstandard_attr("HttpOnly"),
        host_only=bool(cookie.domain) and not cookie.domain.startswith("."),
        created=time.time(),
    )


def cookie_header(cookies: Iterable[Cookie]) -> str:
    """The value of a Cookie field."""
    return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in cookies)


def parse_set_cookie(text: str, url: URL, now: float) -> Cookie | None:
    """Read a Set-Cookie field (RFC 6265, sections 5.2 and 5.3).

    Args:
        text: its value.
        url: the URL of the request that it answers.
        now: seconds since 1970.

    Returns:
        The cookie, or None where it has to be ignored.
    """
    if _CONTROLS.search(text):
        return None
    pair, *attribute_texts = text.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not equals or not name:
        return None
    attributes: dict[str, str] = {}
    max_age: float | None = None
    expires: float | None = None
    for attribute in attribute_texts:
        key, _, attribute_value = (part.strip(" \t") for part in attribute.partition("="))
        attributes[key.lower()] = attribute_value  # the last one of a name counts
        # One that can't be read is passed over, and takes no earlier one away (sections 5.2.1, 5.2.2).
        if key.lower() == "max-age" and (found := _max_age(attribute_value, now)) is not None:
            max_age = found
        elif key.lower() == "expires" and (found := parse_date(attribute_value)) is not None:
            expires = found
    scope = _scope(attributes.get("domain", ""), url.host)
    if scope is None or ("secure" in attributes and url.scheme != "https"):
        return None
    domain, host_only = scope
    path = attributes.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain,
        path=path if path.startswith("/") else default_path(url.path),
        expires=expires if max_age is None else max_age,  # Max-Age goes ahead (section 5.3, step 3)
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        host_only=host_only,
        created=now,
    )


def _scope(domain: str, host: str) -> tuple[str, bool] | None:
    """The domain that the cookie is for, and whether for that host alone; None where it must be refused."""
    domain = domain.lower().removeprefix(".")
    if not domain or domain == host:
        return host, not domain or "." not in domain
    # A single label is a top-level domain: nobody may set cookies for all of it.
    if "." not in domain or not domain_matches(host, domain):
        return None
    return domain, False


def _max_age(value: str, now: float) -> float | None:
    """When a cookie of that Max-Age expires; None where it is no number (RFC 6265, section 5.2.2)."""
    if not re.fullmatch(r"-?[0-9]+", value):
        return None
    # A number of any length is allowed; a century is as good as for ever.
    seconds = 0 if value.startswith("-") else int(value.lstrip("0")[:12] or "0")
    return now + min(seconds, 100 * 365 * 86400)


def parse_date(text: str) -> float | None:
    """Read a cookie's date (RFC 6265, section 5.1.1).

    Returns:
        Seconds since 1970, or None where it is no date.
    """
    clock: tuple[int, int, int] | None = None
    day = month = year = None
    for token in filter(None, _DATE_DELIMITERS.split(text)):
        if clock is None and (match := _TIME.match(token)):
            clock = int(match[1]), int(match[2]), int(match[3])
        elif day is None and (match := _DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS[token[:3].lower()]
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[1])
    if clock is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        return datetime(year, month, day, *clock, tzinfo=UTC).timestamp() if year >= 1601 else None
    except ValueError:
        return None


def domain_matches(host: str, domain: str) -> bool:
    """RFC 6265, section 5.1.3: the same, or below it; an IP address is below nothing."""
    return host == domain or (host.endswith("." + domain) and not _is_ip(host))


def path_matches(path: str, cookie_path: str) -> bool:
    """RFC 6265, section 5.1.4: the same, or below it."""
    if not path.startswith(cookie_path):
        return False
    return len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"


def default_path(path: str) -> str:
    """RFC 6265, section 5.1.4: the path of the URL up to its last slash."""
    return path.rpartition("/")[0] or "/"


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
