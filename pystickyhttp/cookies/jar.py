"""The jar: where the cookies of a session are kept, found again and driven out.

A `CookieJar` holds the cookies by domain: a lookup looks at those of the URL's host and of the domains above
it, however many there are of others. It is the only part of the cookies that changes, so the lock is here.
The sections named are those of RFC 6265bis, as in `rules`.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from ..forks import after_fork_in_child
from ..urls import URL
from .rules import (
    MAX_LIFETIME,
    Cookie,
    canonical,
    create_cookie,
    domain_matches,
    domains_for,
    is_socket,
    morsel_to_cookie,
    parse_set_cookie,
    path_matches,
)

if TYPE_CHECKING:  # http.cookiejar brings urllib.request and all that it needs, which start-up can do without
    import http.cookiejar
    from http.cookies import Morsel

CookieTypes: TypeAlias = "Mapping[str, Any] | CookieJar | http.cookiejar.CookieJar | Iterable[Any] | None"

# What browsers allow a domain (section 6.1 asks for 50 at least); more is one server filling the store.
MAX_PER_DOMAIN: Final = 180
# Some 20 MB of cookies of a usual size: a crawl of many sites fits in, and memory is bounded.
MAX_COOKIES: Final = 50_000
# How many of the least recently used are found at a time: one search of the whole store then serves so many.
_SEARCHED_AT_ONCE: Final = 500

# Guards the cookies of every jar: an answer may set some in one thread while another one asks for them. One
# lock for all of them is one that the child of a fork can find again (law L4). A request holds it for
# microseconds; to list, to evict and to copy takes milliseconds for each ten thousand cookies. Whether a jar
# is empty is seen without it: that is one step. It lets the thread that has it in once more: a finalizer or a
# signal handler that strikes there, and sends a request or closes a session, would else wait for ever.
_lock = threading.RLock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()  # who held it is a thread of the parent's


after_fork_in_child(_renew_lock)


class CookieConflictError(RuntimeError):
    """Several cookies of that name are in the jar; domain and path say which one is meant."""


# domain, path, name, host-only: there is one cookie of each (section 5.7, step 23).
_Key: TypeAlias = tuple[str, str, str, bool]


class _Entry:
    """A cookie in a jar, its number in the order of creation, and when it was last asked for."""

    __slots__ = ("cookie", "number", "used")

    def __init__(self, cookie: Cookie, number: int, used: float) -> None:
        self.cookie = cookie
        self.number = number
        self.used = used


class CookieJar:
    """The cookies of a session. It is read as a mapping from names to values; iterating gives `Cookie`s.

    It can be used by any number of threads. It copies, and it pickles with its cookies and limits.

    Beyond its limits cookies go: first those that have expired, then, of a domain that has too many, those
    that are not Secure, and among equals the least recently used (RFC 6265bis, section 5.7). The limit
    of a domain does not hold for cookies that were set in code for every host.

    Args:
        cookies: names and values, another jar, or one of `http.cookiejar`, to begin with.
        max_per_domain: how many cookies of one domain are kept. Default 180.
        max_cookies: how many are kept in all. Default 50,000.
        max_lifetime: for how long a cookie that a server sets is kept, in seconds; None is for as long as it
            says. Cookies that are set in code have the time that they are given. Default 400 days.

    Raises:
        ValueError: a limit is below 1.
        TypeError: the cookies are of no use.
    """

    def __init__(
        self,
        cookies: CookieTypes = None,
        *,
        max_per_domain: int = MAX_PER_DOMAIN,
        max_cookies: int = MAX_COOKIES,
        max_lifetime: float | None = MAX_LIFETIME,
    ) -> None:
        if max_per_domain < 1 or max_cookies < 1 or (max_lifetime is not None and max_lifetime < 1):
            raise ValueError(
                "the limits of a jar are numbers from 1 on; max_lifetime may be None for no limit"
            )
        self.max_per_domain = max_per_domain
        self.max_cookies = max_cookies
        self.max_lifetime = max_lifetime
        # All of these are guarded by _lock. The last three follow the first; a child whose parent was forked
        # in between finds cookies that are not sent, or not shown, and no error.
        self._entries: dict[_Key, _Entry] = {}  # in order of creation
        self._by_domain: dict[str, dict[_Key, _Entry]] = {}
        self._secure: dict[str, dict[_Key, _Entry]] = {}  # by name; some may no longer be Secure
        self._oldest: list[tuple[float, _Entry]] = []  # the least recently used as last found, and the time
        self._numbered = 0
        self._expiry = math.inf  # no cookie expires before
        if cookies is not None:
            self.update(cookies)

    # --- the rules

    def extract(self, url: URL, set_cookie: Iterable[str], now: float | None = None) -> None:
        """Take in what a response set.

        Args:
            url: the URL of its request.
            set_cookie: the values of its Set-Cookie fields, with their bytes read as latin-1. What can't be
                read, or is for a host that the URL's host may not speak for, is passed over.
            now: seconds since 1970, by default the present.
        """
        now = time.time() if now is None else now
        read = [parse_set_cookie(text, url, now, self.max_lifetime) for text in set_cookie]
        # A subclass may keep cookies out there, or note them: it has to see those of responses as well.
        is_asked = type(self).set_cookie is not CookieJar.set_cookie
        asked_about = []
        with _lock:
            for cookie in read:
                if cookie is None or (url.scheme != "https" and self._lies_over_secure(cookie, now)):
                    continue
                if is_asked:
                    asked_about.append(cookie)
                else:
                    self._store(cookie, now)
        for cookie in asked_about:  # it takes the lock by itself
            self.set_cookie(cookie)

    def _lies_over_secure(self, new: Cookie, now: float) -> bool:
        """Section 5.7, step 16: whether it would be sent for a Secure one, or beside it."""
        return any(
            old.secure
            and not old.is_expired(now)
            and (domain_matches(old.domain, new.domain) or domain_matches(new.domain, old.domain))
            and path_matches(new.path, old.path)
            for old in (entry.cookie for entry in self._secure.get(new.name, {}).values())
        )

    def cookies_for(self, url: URL, now: float | None = None) -> list[Cookie]:
        """The cookies for a request: longer paths first, then older ones (RFC 6265bis, section 5.8.3).

        Args:
            url: the URL of the request.
            now: seconds since 1970, by default the present.
        """
        if not self._entries:
            return []
        now = time.time() if now is None else now
        found: list[_Entry] = []
        with _lock:
            for domain in domains_for(url.cookie_host):
                for key, entry in list(self._by_domain.get(domain, {}).items()):
                    if entry.cookie.is_expired(now):
                        self._drop(key)
                    elif entry.cookie.matches(url):
                        entry.used = now
                        found.append(entry)
        found.sort(key=lambda entry: (-len(entry.cookie.path), entry.cookie.created, entry.number))
        return [entry.cookie for entry in found]

    def set_cookie(self, cookie: Cookie | http.cookiejar.Cookie, now: float | None = None) -> None:
        """Store a cookie in the place of the one with its name, domain and path; one that expired goes.

        Args:
            cookie: one of ours, or of `http.cookiejar`.
            now: seconds since 1970, by default the present.

        Raises:
            TypeError: it is no cookie.
        """
        ours = cookie if isinstance(cookie, Cookie) else _from_standard_library(cookie)
        with _lock:
            self._store(ours, time.time() if now is None else now)

    def _store(self, cookie: Cookie, now: float, used: float | None = None) -> None:
        """Section 5.7, steps 23 and 24. The lock is held."""
        key = (cookie.domain, cookie.path, cookie.name, cookie.host_only)
        known = self._entries.get(key)
        if known is not None and (cookie.is_expired(now) or known.cookie.is_expired(now)):
            self._drop(key)
            known = None
        if cookie.is_expired(now):
            return
        if known is None:
            self._numbered += 1
            known = _Entry(cookie, self._numbered, now if used is None else used)
        else:
            known.cookie = replace(cookie, created=known.cookie.created)
            known.used = now
        self._entries[key] = known
        self._by_domain.setdefault(cookie.domain, {})[key] = known
        if cookie.secure:
            self._secure.setdefault(cookie.name, {})[key] = known
        if cookie.expires is not None:
            self._expiry = min(self._expiry, cookie.expires)
        self._evict(cookie.domain, now)

    def _drop(self, key: _Key) -> None:
        self._entries.pop(key, None)
        for index, name in ((self._by_domain, key[0]), (self._secure, key[2])):
            group = index.get(name, {})
            group.pop(key, None)
            if not group:
                index.pop(name, None)

    def _drop_expired(self, now: float) -> None:
        if now < self._expiry:
            return
        for key in [key for key, entry in self._entries.items() if entry.cookie.is_expired(now)]:
            self._drop(key)
        expiries = (entry.cookie.expires for entry in self._entries.values())
        self._expiry = min((expires for expires in expiries if expires is not None), default=math.inf)

    def _evict(self, domain: str, now: float) -> None:
        """Bring the store back within its limits, after a cookie of that domain came in."""
        of_domain = self._by_domain.get(domain, {})
        crowded = bool(domain) and len(of_domain) > self.max_per_domain
        if not crowded and len(self._entries) <= self.max_cookies:
            return
        self._drop_expired(now)
        while domain and len(of_domain) > self.max_per_domain:
            self._drop(min(of_domain, key=lambda key: _worth(of_domain[key])))
        while len(self._entries) > self.max_cookies:
            self._drop(self._least_recently_used())

    def _least_recently_used(self) -> _Key:
        while True:
            while self._oldest:
                used, entry = self._oldest.pop()
                cookie = entry.cookie
                key = (cookie.domain, cookie.path, cookie.name, cookie.host_only)
                # What was found earlier still is the oldest, unless it went, or was asked for since.
                if entry.used == used and self._entries.get(key) is entry:
                    return key
            from heapq import nsmallest  # loaded only where a jar is full, to keep start-up light

            oldest = nsmallest(
                _SEARCHED_AT_ONCE, self._entries.values(), key=lambda entry: (entry.used, entry.number)
            )
            self._oldest = [(entry.used, entry) for entry in reversed(oldest)]

    # --- the mapping

    def set(self, name: str, value: str | Morsel[Any] | None, **attributes: Any) -> Cookie | None:
        """Set a cookie in code.

        Args:
            name: its name.
            value: its value. None removes the cookies of that name (and domain and path, where they are
                given); a `Morsel` of `http.cookies` is a cookie with its own name and attributes.
            **attributes: those of `create_cookie`: domain ("" is every host), path, expires, secure, ...

        Returns:
            The cookie, or None where it was removed.

        Raises:
            TypeError, ValueError: as `create_cookie`.
        """
        if value is None:
            self.remove(name, attributes.get("domain"), attributes.get("path"))
            return None
        cookie = (
            create_cookie(name, value, **attributes) if isinstance(value, str) else morsel_to_cookie(value)
        )
        self.set_cookie(cookie)
        return cookie

    def get(self, name: str, default: Any = None, domain: str | None = None, path: str | None = None) -> Any:
        """The value of a cookie, or the default.

        Args:
            name: its name.
            default: what is returned where there is none. Default None.
            domain: its domain, where several may have a cookie of that name.
            path: its path, likewise.

        Raises:
            CookieConflictError: several match.
        """
        found = self._select(domain, path, name)
        if len(found) > 1:
            raise CookieConflictError(
                f"{len(found)} cookies are named {name!r}: say which by domain= and path="
            )
        return found[0].value if found else default

    def remove(self, name: str, domain: str | None = None, path: str | None = None) -> None:
        """Remove the cookies of a name, of all domains and paths where none is given.

        Args:
            name: their name.
            domain: their domain; None, the default, for all.
            path: their path; None, the default, for all.
        """
        self._remove(self._select(domain, path, name))

    def get_dict(self, domain: str | None = None, path: str | None = None) -> dict[str, str]:
        """Names and values, of one domain or path where it is given.

        Args:
            domain: a domain; None, the default, for all.
            path: a path; None, the default, for all.
        """
        return {cookie.name: cookie.value for cookie in self._select(domain, path)}

    def list_domains(self) -> list[str]:
        """The domains that have cookies, each once."""
        return list(dict.fromkeys(cookie.domain for cookie in self))

    def list_paths(self) -> list[str]:
        """The paths that cookies have, each once."""
        return list(dict.fromkeys(cookie.path for cookie in self))

    def multiple_domains(self) -> bool:
        """Whether there are cookies of more than one domain."""
        return len(self.list_domains()) > 1

    def copy(self) -> Self:
        """A jar with the same cookies and limits."""
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin

    __copy__ = copy

    def __getstate__(self) -> dict[str, Any]:
        with _lock:
            entries = [(entry.cookie, entry.used) for entry in self._entries.values()]
        return {
            "max_per_domain": self.max_per_domain,
            "max_cookies": self.max_cookies,
            "max_lifetime": self.max_lifetime,
            "entries": entries,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        limits = {name: value for name, value in state.items() if name != "entries"}
        CookieJar.__init__(self, **limits)
        for cookie, used in state["entries"]:  # nobody else has this jar yet
            self._store(cookie, used, used)

    def update(self, other: CookieTypes = None, /, **values: str) -> None:
        """Take over cookies.

        Args:
            other: a jar, one of `http.cookiejar`, cookies of either kind, or names and values.
            **values: further names and values.

        Raises:
            TypeError, ValueError: they are none of these.
        """
        for item in _items_of(other):
            if isinstance(item, tuple):
                self.set(*_pair(item))
            else:
                self.set_cookie(item)
        for name, value in values.items():
            self.set(name, value)

    def items(self) -> list[tuple[str, str]]:
        """Names and values, in order of creation."""
        return [(cookie.name, cookie.value) for cookie in self]

    def keys(self) -> list[str]:
        """Names, in order of creation."""
        return [cookie.name for cookie in self]

    def values(self) -> list[str]:
        """Values, in order of creation."""
        return [cookie.value for cookie in self]

    def iteritems(self) -> Iterator[tuple[str, str]]:
        """As `items`, one after the other."""
        return iter(self.items())

    def iterkeys(self) -> Iterator[str]:
        """As `keys`, one after the other."""
        return iter(self.keys())

    def itervalues(self) -> Iterator[str]:
        """As `values`, one after the other."""
        return iter(self.values())

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a cookie.

        Args:
            name: its name.
            *default: what is returned where there is none.

        Returns:
            Its value, or the default where there is none.

        Raises:
            KeyError: there is none, and no default.
            CookieConflictError: there are several.
        """
        if default and name not in self:
            return default[0]
        value = self[name]
        self.remove(name)
        return value

    def popitem(self) -> tuple[str, str]:
        """Remove the cookie that came last.

        Returns:
            Its name and value.

        Raises:
            KeyError: the jar is empty.
        """
        cookies = self._select()
        if not cookies:
            raise KeyError("the jar is empty")
        self._remove(cookies[-1:])
        return cookies[-1].name, cookies[-1].value

    def setdefault(self, name: str, default: str) -> Any:
        """The value of a cookie, which is set first where there is none.

        Args:
            name: its name.
            default: the value that it gets where there is none.
        """
        if name not in self:
            self.set(name, default)
        return self[name]

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Remove every cookie, those of a domain, of its path, or the one of that name there.

        Args:
            domain: the domain; None, the default, for every cookie.
            path: the path, beside a domain.
            name: the name, beside a domain and a path.

        Raises:
            KeyError: a domain was given, and there is no such cookie.
            ValueError: a path without a domain, or a name without both.
        """
        if (path is not None and domain is None) or (name is not None and path is None):
            raise ValueError("clear() takes a domain, a domain and a path, or both and a name")
        found = self._select(domain, path, name)
        if domain is not None and not found:
            raise KeyError(next(part for part in (name, path, domain) if part is not None))
        self._remove(found)

    def clear_session_cookies(self) -> None:
        """Remove the cookies that end with the session (RFC 6265bis, section 5.7, at its end)."""
        self._remove([cookie for cookie in self if cookie.discard])

    def clear_expired_cookies(self) -> None:
        """Remove the cookies whose time is over; they are neither sent nor shown before that either."""
        with _lock:
            self._drop_expired(time.time())

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return str(value)

    def __setitem__(self, name: str, value: str | Morsel[Any] | None) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.remove(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._select(name=name))

    def __iter__(self) -> Iterator[Cookie]:
        return iter(self._select())

    def __len__(self) -> int:
        if not self._entries:
            return 0
        with _lock:
            self._drop_expired(time.time())
            return len(self._entries)

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

    def _select(
        self, domain: str | None = None, path: str | None = None, name: str | None = None
    ) -> list[Cookie]:
        wanted = None if domain is None else canonical(domain)
        with _lock:
            self._drop_expired(time.time())
            entries = self._entries if wanted is None else self._by_domain.get(wanted, {})
            return [
                entry.cookie
                for key, entry in entries.items()
                if (path is None or key[1] == path) and (name is None or key[2] == name)
            ]

    def _remove(self, cookies: list[Cookie]) -> None:
        with _lock:
            for cookie in cookies:
                self._drop((cookie.domain, cookie.path, cookie.name, cookie.host_only))

    # --- other forms

    def to_cookiejar(self) -> http.cookiejar.CookieJar:
        """The cookies as a jar of `http.cookiejar`, for urllib or requests.

        That one looks for the cookies of a host without a dot, such as localhost, under localhost.local.
        Those of unix sockets are left out: it knows names of hosts, whose case does not count.
        """
        import http.cookiejar  # loaded where it is asked for: it is slow to import

        jar = http.cookiejar.CookieJar()
        for cookie in self:
            if not is_socket(cookie.domain):
                jar.set_cookie(_to_standard_library(cookie))
        return jar

    def save(self, path: str | os.PathLike[str], *, format: str | None = None) -> None:
        """Write the cookies to a file, which nobody else may read; it is there in whole or as it was.

        Left out are cookies that have expired, and those that the format can't hold: with control characters
        or without a path, and in a cookies.txt also with a tab, or with text beyond latin-1. A cookies.txt
        has no room for SameSite, nor for when a cookie was made or used.

        Args:
            path: the file.
            format: "netscape" for a cookies.txt, as curl, wget and yt-dlp read and write it; "json" for all
                that is known of each cookie. By default "json" where the path ends in .json, else "netscape".

        Raises:
            ValueError: there is no such format.
            OSError: the file can't be written.
        """
        from . import files  # loaded only where there is one, to keep start-up light

        now = time.time()
        with _lock:
            kept = [(entry.cookie, entry.used) for entry in self._entries.values()]
        live = [(cookie, used) for cookie, used in kept if not cookie.is_expired(now)]
        files.write(path, live, files.format_of(path, format))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        missing_ok: bool = False,
        **limits: Any,
    ) -> Self:
        """Read a file of cookies.

        Args:
            path: the file. An empty one has no cookies.
            format: as for `save`.
            missing_ok: whether a file that is not there is an empty one. Default False.
            **limits: those of the jar.

        Returns:
            A jar with the cookies of the file that have not expired.

        Raises:
            CookieFileError: the file is malformed; it says where.
            ValueError: there is no such format.
            OSError: the file can't be read.
        """
        from . import files  # loaded only where there is one, to keep start-up light

        known_format = files.format_of(path, format)
        jar, now = cls(**limits), time.time()
        try:
            found = files.read(path, known_format, now)
        except FileNotFoundError:
            if missing_ok:
                return jar
            raise
        for cookie, used in found:  # nobody else has this jar yet
            jar._store(cookie, now, used)
        return jar


MutableMapping.register(CookieJar)  # as requests' jar is one, though iterating gives cookies

RequestsCookieJar = CookieJar  # the name that it has in requests


def _worth(entry: _Entry) -> tuple[bool, float, int]:
    """Which cookie of a domain with too many goes before which (section 5.7, at its end)."""
    return entry.cookie.secure, entry.used, entry.number


# --- conversions


def _items_of(cookies: CookieTypes) -> Iterable[Any]:
    """What a jar can be made of, as cookies or as pairs of name and value."""
    if cookies is None:
        return ()
    if isinstance(cookies, CookieJar) or is_standard_jar(cookies):
        return cookies
    if isinstance(cookies, Mapping):
        return cookies.items()
    if isinstance(cookies, (str, bytes)) or not isinstance(cookies, Iterable):
        raise TypeError(
            f"cookies are {type(cookies).__name__}: give a mapping of names to values, or a jar of cookies"
        )
    return cookies


def _pair(pair: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(pair) != 2:
        raise TypeError(
            f"cookies hold a tuple of {len(pair)}: give a mapping of names to values, or pairs (name, value)"
        )
    return pair


def is_standard_jar(cookies: object) -> bool:
    module = sys.modules.get("http.cookiejar")  # where nobody has loaded it, nobody has made one
    return module is not None and isinstance(cookies, module.CookieJar)


def _from_standard_library(cookie: Any) -> Cookie:
    """A cookie of `http.cookiejar`, where a dot ahead of the domain means the hosts below it too."""
    try:
        name, value, dotted = cookie.name, cookie.value, cookie.domain
        wide = dotted.startswith(".") or cookie.domain_specified
        # It keeps a cookie without a name as a name without a value, and localhost under this name.
        name, value = ("", name) if value is None else (name, value)
        domain = "localhost" if dotted.lstrip(".") == "localhost.local" else dotted
        return create_cookie(
            name,
            value,
            domain=domain,
            path=cookie.path,
            expires=cookie.expires,
            secure=bool(cookie.secure),
            host_only=bool(domain) and not wide,
            rest=cookie._rest,  # has_nonstandard_attr() tells HttpOnly from HTTPOnly
        )
    except AttributeError:
        raise TypeError(
            f"{type(cookie).__name__} is no cookie: give a Cookie, or one of http.cookiejar"
        ) from None


def _to_standard_library(cookie: Cookie) -> http.cookiejar.Cookie:
    import http.cookiejar

    domain = f".{cookie.domain}" if cookie.domain_specified else cookie.domain
    if domain and "." not in cookie.domain:
        domain += ".local"
    rest = {key: value or "" for key, value in cookie.rest.items()}
    if cookie.http_only:
        rest["HTTPOnly"] = ""  # how MozillaCookieJar spells it, which tells the two apart
    return http.cookiejar.Cookie(
        version=0,
        name=cookie.name or cookie.value,
        value=cookie.value if cookie.name else None,
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=cookie.domain_specified,
        domain_initial_dot=cookie.domain_initial_dot,
        path=cookie.path,
        path_specified=True,
        secure=cookie.secure,
        expires=None if cookie.expires is None else int(cookie.expires),
        discard=cookie.discard,
        comment=None,
        comment_url=None,
        rest=rest,
    )
