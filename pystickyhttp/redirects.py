"""Redirects, pure: from a request and its answer to the next request, or none (RFC 9110, section 15.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .exceptions import InvalidSchema
from .urls import URL, join, parse, redacted, scheme_of

REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})

# What is bound to the origin that it was given for.
SECRET_HEADERS: Final = ("Authorization", "Cookie", "Host", "Proxy-Authorization")
# What describes a body, and goes with it.
BODY_HEADERS: Final = (
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Transfer-Encoding",
    "Expect",
)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a response sends its request.

    Attributes:
        url: the next URL.
        method: the next method.
        drops_body: whether the body stays behind, and what describes it.
        drops_secrets: whether the origin is left, and with it all that was for its eyes only.
    """

    url: URL
    method: str
    drops_body: bool
    drops_secrets: bool


def next_redirect(url: URL, method: str, status: int, location: str | None) -> Redirect | None:
    """Where a response sends its request, or None where it does not.

    Args:
        url: the URL of the request.
        method: its method.
        status: the status of the response.
        location: its Location as it was read, in latin-1, or None.

    Raises:
        InvalidSchema: it sends to what is neither http nor https.
        InvalidURL: its Location is no URL.
    """
    reference = _as_text(location or "").strip(" \t")
    if status not in REDIRECT_STATUSES or not reference:  # an empty one would lead to where we are
        return None
    target = join(url, reference)
    if scheme_of(target) not in ("http", "https"):
        raise InvalidSchema(
            f"{redacted(str(url))} redirects to {redacted(target)!r}: only http and https are followed"
        )
    target_url = parse(target)
    new_method = redirected_method(method, status)
    return Redirect(
        url=target_url,
        method=new_method,
        drops_body=new_method != method or status == 303,
        drops_secrets=not keeps_secrets(url, target_url),
    )


def redirected_method(method: str, status: int) -> str:
    """303 turns to GET, 301 and 302 turn POST to GET, as browsers do; HEAD stays, and so does all else."""
    if method == "HEAD":
        return method
    if status == 303 or (status in (301, 302) and method == "POST"):
        return "GET"
    return method


def keeps_secrets(old: URL, new: URL) -> bool:
    """Whether what was meant for the old origin may go to the new one.

    The same origin may have it, and the same host on its way from http on 80 to https on 443, which only
    makes the channel better.
    """
    if old.origin == new.origin:
        return True
    return old.host == new.host and old.origin[::2] == ("http", 80) and new.origin[::2] == ("https", 443)


def _as_text(location: str) -> str:
    """The bytes of a Location are UTF-8 where they can be, though fields are read as latin-1."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location
