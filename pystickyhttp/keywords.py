"""What the methods of a session take by name, for type checkers and editors alone: nothing here is run.

Import it below `if TYPE_CHECKING:`, as this package does. A function of yours that hands its keyword
arguments on can say so: `def fetch(path: str, **keywords: Unpack[Keywords]) -> Response`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from .adapters import ProxyTypes
from .auth import AuthTypes
from .bodies import BodyTypes, FileTypes
from .cookies import CookieTypes
from .headers import HeaderTypes
from .identity import CertTypes, VerifyTypes
from .timeouts import TimeoutTypes
from .urls import ParamTypes


class _Common(TypedDict, total=False):
    headers: HeaderTypes | None
    cookies: CookieTypes
    files: FileTypes
    auth: AuthTypes
    timeout: TimeoutTypes
    allow_redirects: bool
    proxies: ProxyTypes
    hooks: Mapping[str, Any] | None
    stream: bool | None
    verify: VerifyTypes | None
    cert: CertTypes


class GetKeywords(_Common, total=False):
    """What `get` takes beside url and params."""

    data: BodyTypes
    json: Any


class PostKeywords(_Common, total=False):
    """What `post` takes beside url, data and json."""

    params: ParamTypes


class PutKeywords(_Common, total=False):
    """What `put` and `patch` take beside url and data."""

    params: ParamTypes
    json: Any


class Keywords(_Common, total=False):
    """What `request` takes beside method and url, and `options`, `head` and `delete` beside url."""

    params: ParamTypes
    data: BodyTypes
    json: Any
