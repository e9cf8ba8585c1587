"""Redirects, pure: where a response sends its request, and what may go along (RFC 9110, section 15.4).

`Session.resolve_redirects` walks along them; each of its steps asks one of these.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from .cookies import Cookie
from .exceptions import InvalidSchema
from .models import REDIRECT_STATI, Response
from .urls import UNIX, URL, join, parse, redacted, scheme_of

# What the caller wrote by hand for an origin, and nobody else shall see; auth objects and cookies go with it.
# Authorization goes too, and not by this list: `Session.rebuild_auth` takes it off, with which a subclass may
# have its own way.
SECRET_HEADERS: Final = frozenset({"cookie", "host", "proxy-authorization"})


def secret_headers(named: Collection[str]) -> frozenset[str]:
    """The fields that a request loses where a redirect leads off its origin, in lower case.

    Args:
        named: what a policy of retries names beside them, in lower case. It names Authorization by default,
            which is left to `Session.rebuild_auth` all the same.
    """
    return SECRET_HEADERS.union(named) - {"authorization"}


def location_of(response: Response) -> str | None:
    """Where a response sends its request: its Location as text, or None where it sends it nowhere.

    Its bytes are UTF-8 where they can be, else latin-1. An empty one would lead to where we are.
    """
    # `is_redirect` looks at the status too. To look at it ahead of that spares nearly every response a call,
    # on the path of each request.
    if response.status_code not in REDIRECT_STATI or not response.is_redirect:
        return None
    location: str = response.headers.get_list("Location")[0]  # of several, which none may send, the first
    try:
        text = location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        text = location
    return text.strip(" \t") or None


def redirect_target(url: URL, location: str) -> URL:
    """The URL that a redirect leads to.

    Args:
        url: the URL of the request.
        location: the Location of its response, as text: a URL, or a reference relative to `url`.

    Raises:
        InvalidSchema: it leads to what is neither http nor https, or to another unix socket.
        InvalidURL: it is no URL.
    """
    target = join(url, location)
    scheme = scheme_of(target)
    if scheme not in ("http", "https", UNIX):
        raise InvalidSchema(
            f"{redacted(str(url))} redirects to {redacted(target)!r}: only http and https are followed"
        )
    new = parse(target)
    if url.is_unix and _names_itself(url, new):
        return URL(url.scheme, url.userinfo, url.host, None, new.path, new.query, new.fragment)
    if new.is_unix and new.origin != url.origin:
        raise InvalidSchema(
            f"{redacted(str(url))} redirects to the unix socket {redacted(target)!r}: a socket is never "
            f"reached by a redirect from elsewhere, as what listens there trusts who can open it"
        )
    return new


def _names_itself(url: URL, target: URL) -> bool:
    """Whether a server behind a unix socket means itself by an absolute URL.

    It knows no other name of itself than the Host of the request, and many make a whole URL of that. Who
    listens at that name over TCP is somebody else.
    """
    return (target.scheme, target.userinfo, target.host_header) == ("http", None, url.host_header)


def redirected_method(method: str, status: int) -> str:
    """303 turns to GET, 301 and 302 turn POST to GET, as browsers do; HEAD stays, and so does all else."""
    if method == "HEAD":
        return method
    if status == 303 or (status in (301, 302) and method == "POST"):
        return "GET"
    return method


def drops_body(old_method: str, new_method: str, status: int) -> bool:
    """Whether the body stays behind, and what describes it: it was meant for a method that is gone.

    After 303 it does in any case: what is asked for then is another resource (RFC 9110, section 15.4.4).
    """
    return new_method != old_method or status == 303


def cookies_left(own: tuple[Cookie, ...], response: Response) -> tuple[Cookie, ...]:
    """The cookies of one call that still count after a redirect: those that it has not set, or taken away.

    A server that renews a session's id at the login must not get the old one beside it, or in its place.
    """
    if not own or "Set-Cookie" not in response.headers:
        return own
    said = {text.partition("=")[0].strip() for text in response.headers.get_list("Set-Cookie")}
    return tuple(cookie for cookie in own if cookie.name not in said)


def keeps_secrets(old: URL, new: URL) -> bool:
    """Whether what was meant for the old origin may go to the new one.

    The same origin may have it, and the same host on its way from http on 80 to https on 443, which only
    makes the channel better.
    """
    if old.origin == new.origin:
        return True
    return old.host == new.host and old.origin[::2] == ("http", 80) and new.origin[::2] == ("https", 443)
