"""The functions of `requests.cookies` that take a jar, for programs that were written with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .. import urls
from .jar import CookieJar, CookieTypes, is_standard_jar
from .rules import cookie_header


def cookiejar_from_dict(
    cookie_dict: Mapping[str, str] | None, cookiejar: CookieJar | None = None, overwrite: bool = True
) -> CookieJar:
    """Put names and values into a jar.

    Args:
        cookie_dict: names and values, or None.
        cookiejar: the jar; None makes one.
        overwrite: whether a cookie takes the place of one of its name.

    Returns:
        The jar.
    """
    jar = CookieJar() if cookiejar is None else cookiejar
    known: Collection[str] = () if overwrite else set(jar.keys())
    jar.update({name: value for name, value in (cookie_dict or {}).items() if name not in known})
    return jar


def merge_cookies(cookiejar: CookieJar, cookies: CookieTypes) -> CookieJar:
    """Add cookies to a jar. Names and values do not take the place of what is there; cookies of a jar do.

    Args:
        cookiejar: the jar.
        cookies: names and values, or a jar; None for none.

    Returns:
        The jar.

    Raises:
        ValueError: it is none.
        TypeError: the cookies are of no use.
    """
    if not isinstance(cookiejar, CookieJar):
        raise ValueError(
            f"cookies can only be merged into a CookieJar, and not into {type(cookiejar).__name__}"
        )
    if isinstance(cookies, Mapping) and not isinstance(cookies, CookieJar) and not is_standard_jar(cookies):
        return cookiejar_from_dict(cookies, cookiejar, overwrite=False)
    cookiejar.update(cookies)
    return cookiejar


def extract_cookies_to_jar(jar: CookieJar, request: Any, response: Any) -> None:
    """Take the cookies of a response into a jar.

    Args:
        jar: the jar.
        request: what has the URL as `url`.
        response: a response or its `raw`: what has the fields as `headers`. None has no cookies.
    """
    headers = getattr(response, "headers", None)
    listed = getattr(headers, "get_list", None) or getattr(headers, "getlist", None)  # ours, or urllib3's
    if listed is not None and urls.is_http(request.url):
        jar.extract(urls.parse(request.url), listed("Set-Cookie"))


def get_cookie_header(jar: CookieTypes, request: Any) -> str | None:
    """The Cookie field that a jar has for a request.

    Args:
        jar: the jar.
        request: what has the URL as `url`, and the fields as `headers`.

    Returns:
        Its value, or None where there is no cookie for that URL, or the request has the field already.
    """
    if "Cookie" in request.headers or not urls.is_http(request.url):
        return None
    ours = jar if isinstance(jar, CookieJar) else CookieJar(jar)
    return cookie_header(ours.cookies_for(urls.parse(request.url))) or None


def remove_cookie_by_name(
    cookiejar: CookieJar, name: str, domain: str | None = None, path: str | None = None
) -> None:
    """Remove the cookies of a name, of all domains and paths where none is given.

    Args:
        cookiejar: the jar.
        name: their name.
        domain: their domain; None, the default, for all.
        path: their path; None, the default, for all.
    """
    cookiejar.remove(name, domain, path)
