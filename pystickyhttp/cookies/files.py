"""Files of cookies: the cookies.txt that curl, wget and yt-dlp share, and JSON for all that is known.

Both are read strictly: a file that is not what it should be is an error that says where, and no cookie
of it is taken. What a format can't hold is left out in writing, so that what is written can be read again.
"""

from __future__ import annotations

import codecs
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from ..exceptions import RequestException
from ..files import replacing
from .rules import Cookie, canonical, has_controls

_NETSCAPE_HEADER: Final = "# Netscape HTTP Cookie File\n# Written by pystickyhttp; curl reads it too.\n\n"
_HTTP_ONLY: Final = "#HttpOnly_"
_JSON_VERSION: Final = 1
_JSON_KINDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("name", "value", "domain", "path", "same_site"), str),
    **dict.fromkeys(("secure", "http_only", "host_only"), bool),
    **dict.fromkeys(("created", "used"), (int, float)),
    "expires": (int, float, type(None)),
}


class CookieFileError(RequestException, ValueError):
    """A file of cookies can't be read.

    Attributes:
        path: the file.
        line: the number of its line, from 1; None where the trouble has none.
    """

    def __init__(
        self,
        *args: object,
        path: str = "",
        line: int | None = None,
        request: Any = None,
        response: Any = None,
    ) -> None:
        super().__init__(*args, request=request, response=response)
        self.path = path
        self.line = line


def format_of(path: str | os.PathLike[str], given: str | None) -> str:
    """The format of a file: the one that is given, or else what its name says.

    Raises:
        ValueError: there is no such format.
    """
    if given is None:
        return "json" if os.fspath(path).lower().endswith(".json") else "netscape"
    if given not in ("json", "netscape"):
        raise ValueError(f"the format of a cookie file is {given!r}: give 'netscape' or 'json'")
    return given


def write(path: str | os.PathLike[str], kept: Iterable[tuple[Cookie, float]], format: str) -> None:
    """Write cookies to a file for the user's eyes alone: whole, or not at all, whenever the power goes.

    Args:
        path: the file.
        kept: the cookies, each with when it was last used, in seconds since 1970. Those that the format can't
            hold are left out.
        format: "netscape" or "json".

    Raises:
        OSError: the file can't be written.
    """
    sound = [(cookie, used) for cookie, used in kept if not _flaw(cookie)]
    text = _to_json(sound) if format == "json" else _to_netscape(cookie for cookie, _ in sound)
    with replacing(path, 0o600) as file:
        file.write(text.encode("latin-1"))


def read(path: str | os.PathLike[str], format: str, now: float) -> list[tuple[Cookie, float]]:
    """Read a file of cookies.

    Args:
        path: the file. An empty one has no cookies.
        format: "netscape" or "json".
        now: seconds since 1970, for what the file does not say.

    Returns:
        The cookies, each with when it was last used. Some may have expired.

    Raises:
        CookieFileError: the file is malformed; it says where.
        OSError: the file can't be read.
    """
    parse = _from_json if format == "json" else _from_netscape
    with open(path, "rb") as file:
        raw = file.read().removeprefix(codecs.BOM_UTF8)
    return list(parse(raw.decode("latin-1"), os.fspath(path), now))


def _flaw(cookie: Cookie) -> str | None:
    """Why no file may hold the cookie, or None: it could never be sent, or would break a line."""
    if any(map(has_controls, (cookie.name, cookie.value, cookie.domain, cookie.path))):
        return "the cookie holds a control character"
    if not (cookie.name or cookie.value):
        return "the cookie has neither name nor value"
    if not cookie.path.startswith("/"):
        return f"the path {cookie.path!r} does not begin with a slash"
    if not _is_time(cookie.expires or 0):
        return "'expires' of the cookie is no time"
    if not _is_time(cookie.created):
        return "'created' of the cookie is no time"
    return None


def _is_time(seconds: float) -> bool:
    """Whether it can be compared with other times: the jar looks for the earliest."""
    try:
        return math.isfinite(seconds)
    except OverflowError:  # JSON has whole numbers that no float can hold
        return False


def _to_netscape(cookies: Iterable[Cookie]) -> str:
    """A cookies.txt: domain, whether for hosts below it, path, https only, expiry or 0, name, value."""
    lines = []
    for cookie in cookies:
        fields = (
            f".{cookie.domain}" if cookie.domain_specified else cookie.domain,
            "TRUE" if cookie.domain_specified else "FALSE",
            cookie.path,
            "TRUE" if cookie.secure else "FALSE",
            "0" if cookie.expires is None else str(int(cookie.expires)),
            cookie.name,
            cookie.value,
        )
        line = "\t".join(fields)
        if line.count("\t") == len(fields) - 1 and max(line) <= "\xff" and not line.startswith("#"):
            lines.append(f"{_HTTP_ONLY if cookie.http_only else ''}{line}\n")
    return _NETSCAPE_HEADER + "".join(lines)


def _from_netscape(text: str, path: str, now: float) -> Iterator[tuple[Cookie, float]]:
    for number, line in enumerate(text.split("\n"), start=1):
        http_only = line.startswith(_HTTP_ONLY)
        line = line.removeprefix(_HTTP_ONLY).rstrip("\r")
        if not line.strip() or (line.startswith("#") and not http_only):
            continue
        try:
            yield replace(_netscape_cookie(line), http_only=http_only, created=now), now
        except ValueError as error:
            raise CookieFileError(f"{path}, line {number}: {error}", path=path, line=number) from None


def _netscape_cookie(line: str) -> Cookie:
    fields = line.split("\t")
    if len(fields) == 6:
        fields.append("")  # an empty value, whose tab an editor has taken off
    if len(fields) != 7:
        raise ValueError(f"a cookie has 7 fields with tabs between them, and this line has {len(fields)}")
    domain, below, path, secure, expires, name, value = fields
    wide = _flag(below)
    seconds = float(expires or 0)
    cookie = Cookie(
        name=name,
        value=value,
        domain=canonical(domain),
        path=path,
        expires=None if seconds <= 0 else seconds,
        secure=_flag(secure),
        host_only=bool(domain) and not wide,
    )
    return _without_flaw(cookie)


def _flag(text: str) -> bool:
    if text.upper() not in ("TRUE", "FALSE"):
        raise ValueError(f"{text!r} stands where TRUE or FALSE has to")
    return text.upper() == "TRUE"


def _without_flaw(cookie: Cookie) -> Cookie:
    flaw = _flaw(cookie)
    if flaw is not None:
        raise ValueError(flaw)
    return cookie


def _to_json(kept: Iterable[tuple[Cookie, float]]) -> str:
    # A line for each cookie, so that files can be compared.
    lines = ",\n".join(json.dumps({**asdict(cookie), "used": used}) for cookie, used in kept)
    return f'{{"version": {_JSON_VERSION}, "cookies": [\n{lines}\n]}}\n'


def _from_json(text: str, path: str, now: float) -> Iterator[tuple[Cookie, float]]:
    if not text.strip():
        return
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # the latter where lists in lists have no end
        line = getattr(error, "lineno", None)
        raise CookieFileError(f"{path} is no JSON: {error}", path=path, line=line) from None
    if not isinstance(content, dict) or content.get("version") != _JSON_VERSION:
        raise CookieFileError(
            f"{path} is no file of cookies: it has to be an object whose version is {_JSON_VERSION}",
            path=path,
        )
    items = content.get("cookies")
    for number, item in enumerate(items if isinstance(items, list) else [items], start=1):
        try:
            yield _json_cookie(item, now)
        except (TypeError, ValueError) as error:
            raise CookieFileError(f"{path}, cookie {number}: {error}", path=path) from None


def _json_cookie(item: Any, now: float) -> tuple[Cookie, float]:
    if not isinstance(item, dict):
        raise ValueError("it has to be an object")
    for key, value in item.items():
        if not isinstance(value, _JSON_KINDS.get(key, ())):
            raise ValueError(f"{key!r} is unknown, or not of the right kind")
    used = item.pop("used", now)
    if not _is_time(used):
        raise ValueError("'used' of the cookie is no time")
    cookie = Cookie(**{"created": now, **item, "domain": canonical(item.get("domain", ""))})
    return _without_flaw(cookie), used
