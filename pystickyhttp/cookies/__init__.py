"""The cookie store: what servers set, kept, matched and given back as browsers do it.

- `rules` reads Set-Cookie fields and decides by RFC 6265bis which requests a cookie goes with; it keeps
  nothing.
- `files` writes and reads cookies.txt and JSON.
- `jar` has the `CookieJar` of a session, and turns cookies into those of `http.cookiejar` and back.
- `functions` are those that programs know from `requests.cookies`.

Each of them knows only those above it.

Names and values are text that holds the bytes of the wire as latin-1, quotes and all: what a server set goes
back byte for byte.

The draft leaves to each client which connections are "secure" (section 5.8.3). Here it is https, and nothing
else: a plain request to localhost may be led through a proxy, which this store can't see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .functions import (
    cookiejar_from_dict,
    extract_cookies_to_jar,
    get_cookie_header,
    merge_cookies,
    remove_cookie_by_name,
)
from .jar import (
    MAX_COOKIES,
    MAX_PER_DOMAIN,
    CookieConflictError,
    CookieJar,
    CookieTypes,
    RequestsCookieJar,
)
from .rules import (
    MAX_LIFETIME,
    Cookie,
    cookie_header,
    create_cookie,
    default_path,
    domain_matches,
    is_public_suffix,
    morsel_to_cookie,
    parse_date,
    parse_set_cookie,
    path_matches,
)

if TYPE_CHECKING:
    from .files import CookieFileError


if not TYPE_CHECKING:  # with it type checkers would take any name for one that is there

    def __getattr__(name: str) -> Any:
        if name == "CookieFileError":
            from .files import CookieFileError  # loaded only where there is a file, to keep start-up light

            return CookieFileError
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Cookie",
    "CookieConflictError",
    "CookieFileError",
    "CookieJar",
    "CookieTypes",
    "MAX_COOKIES",
    "MAX_LIFETIME",
    "MAX_PER_DOMAIN",
    "RequestsCookieJar",
    "cookie_header",
    "cookiejar_from_dict",
    "create_cookie",
    "default_path",
    "domain_matches",
    "extract_cookies_to_jar",
    "get_cookie_header",
    "is_public_suffix",
    "merge_cookies",
    "morsel_to_cookie",
    "parse_date",
    "parse_set_cookie",
    "path_matches",
    "remove_cookie_by_name",
]
