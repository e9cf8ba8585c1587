"""Which proxy a request goes through, pure: from what was said of proxies to the one for a URL.

How that one is spoken to is read in `proxies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from .exceptions import InvalidProxyURL, InvalidURL
from .kept import kept
from .urls import URL, parse

ProxyMapping: TypeAlias = Mapping[str, str | None]

# Any word is a scheme, or "no" and "npm_config" of urllib's getproxies(); but none holds what parts a URL.
_WORD: Final = r"[^\s:/?#@*]+"
# "htpp", "htps", "hhttp": nobody speaks such a thing, and the keys are typed by hand.
_SLIP: Final = r"(?!https?\Z)h(?=.*t)(?=.*p)[htps]+"
_ASKED_FOR: Final = ("http", "https", "all")


class _Scope(NamedTuple):
    """What a key of a mapping of proxies speaks of; "" is any."""

    scheme: str
    host: str = ""
    port: str = ""

    def covers(self, other: _Scope) -> bool:
        """Whether it speaks of everything that the other speaks of."""
        return (
            self.scheme in ("", other.scheme)
            and self.host in ("", other.host)
            and self.port in ("", other.port)
        )

    def narrowed_to(self, other: _Scope) -> _Scope:
        """The part of it that names what the other names, where it leaves that open."""
        return _Scope(*(mine or its for mine, its in zip(self, other, strict=True)))

    @property
    def rank(self) -> tuple[bool, ...]:
        """The order in which requests documents the keys: scheme and host, the scheme, the host, "all"."""
        return tuple(map(bool, self))

    def __str__(self) -> str:
        scheme = self.scheme or "all"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return scheme + (f"://{host}" if host else "") + (f":{self.port}" if self.port else "")


def check_keys(keys: Iterable[str]) -> None:
    """Check that the keys of a mapping of proxies can fit a URL: past one that can't, requests go directly.

    A word that is no slip of "http" or "https" passes, though nothing here is of such a scheme: "ftp",
    "socks5" and "no_proxy" stand in the mappings of many programs.

    Args:
        keys: the keys.

    Raises:
        InvalidProxyURL: one can't.
    """
    for key in keys:
        _read(key)


# The keys that a program has in its mappings, of which two or three are usual.
@kept(256)
def _read(key: str) -> _Scope:
    scheme, _, place = key.lower().partition("://")
    if not re.fullmatch(_WORD, scheme) or re.fullmatch(_SLIP, scheme):
        raise _fits_nothing(key)
    scope = _Scope("" if scheme == "all" else scheme)
    place = place.rstrip("/")
    if not place:
        return scope
    try:
        # As the URLs that it is held against are read, so that names outside ASCII meet.
        url = parse(f"http://[{place}]" if place.count(":") > 1 and place[0] != "[" else f"http://{place}")
    except InvalidURL:
        if scheme in _ASKED_FOR:
            raise _fits_nothing(key) from None  # the error may show what is secret
        return scope._replace(host=place)
    if scheme in _ASKED_FOR and (url.userinfo is not None or url.target != "/" or url.fragment is not None):
        raise _fits_nothing(key)
    return scope._replace(host=url.host, port="" if url.port is None else str(url.port))


def _fits_nothing(key: str) -> InvalidProxyURL:
    # Who confuses keys and values has a proxy's URL there.
    shown = "(not shown, as it may hold a password)" if "@" in key else repr(key)
    return InvalidProxyURL(
        f"the key {shown} of proxies fits no URL, and what it is meant for would go past the proxy: give a "
        f"scheme ('http', 'https' or 'all'), or a scheme and a host ('https://example.com', "
        f"'all://example.com:8080')"
    )


@kept(256)
def _scope(key: str) -> _Scope:
    """What a key speaks of; nothing that is asked for, where it can't be read."""
    try:
        return _read(key)
    except InvalidProxyURL:  # told where the request that it is for is at hand
        return _Scope(f"://{key}")


def select_proxy(url: URL, proxies: ProxyMapping) -> str | None:
    """The proxy for a URL.

    Args:
        url: the URL.
        proxies: URLs of proxies by what they are for: "scheme://host" goes ahead of "scheme", then comes
            "all://host", then "all". A host can have a port, and goes ahead of the host without one then.
            None or "" as the URL means that there is to be no proxy.

    Returns:
        The text as it stands in the mapping, or None for none. No proxy reaches a unix socket, whatever the
        mapping says.

    Raises:
        InvalidProxyURL: a key can fit no URL.
    """
    if not proxies or url.is_unix:
        return None
    check_keys(proxies)
    key = _closest(_Scope(url.scheme, url.host, str(url.effective_port)), proxies)
    return None if key is None else proxies[key] or None


def merge_proxies(
    given: ProxyMapping | None, session: ProxyMapping | None, environment: Mapping[str, str]
) -> ProxyMapping:
    """One mapping of the call's, the session's and the environment's proxies, in this order.

    What one of them says of a URL holds, whatever the next ones say of it in other words: {"all": proxy} of
    the session covers "http" of the environment.

    Args:
        given: what the caller passed for this request, or None.
        session: what was set on the session, or None.
        environment: what `Environment.proxies_for` says.

    Returns:
        A mapping for `select_proxy`, to be read and not to be changed. A value of None stays in it: it says
        that there is to be no proxy, and to leave it out would give the word to a key such as "all". An empty
        mapping of the caller or the session means direct, for all that was not said before it.
    """
    merged: ProxyMapping | None = None
    for said in (given, session):
        if said is not None:
            merged = said if merged is None else _laid_under(merged, said)
            if not said:
                return merged
    return environment if merged is None else _laid_under(merged, environment)


def _laid_under(above: ProxyMapping, below: ProxyMapping) -> ProxyMapping:
    """Both mappings in one, in which `below` counts for nothing that `above` speaks of."""
    if not below:
        return above
    merged = dict(above)
    scopes = [_scope(key) for key in above]
    for key, proxy in below.items():
        scope = _scope(key)
        if any(other.covers(scope) for other in scopes):
            continue
        merged[key] = proxy
        # "http" of `below` would go ahead of "all://host" of `above`. So what stands above is said again, by
        # keys that nothing goes ahead of.
        for other in scopes:
            shared = other.narrowed_to(scope)
            # Most speak of other hosts, or are as narrow as they can be: there is nothing to say again.
            if shared == other or not scope.covers(shared):
                continue
            closest = _closest(shared, above)
            assert closest is not None, "the key that was narrowed covers it"
            merged[str(shared)] = above[closest]
    return merged


def _closest(target: _Scope, proxies: ProxyMapping) -> str | None:
    """The key that speaks of the target most closely, or None."""
    keys = [key for key in proxies if _scope(key).covers(target)]
    return max(keys, key=lambda key: _scope(key).rank, default=None)
