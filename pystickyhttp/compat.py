"""What programs import from `requests.compat`: names of the standard library that were once hard to find.

Four of them are this package's own (see `utils`): the standard library's `getproxies` and `proxy_bypass`
would also speak of settings that this client does not read, and of NO_PROXY by other rules.
"""

from __future__ import annotations

import json
from builtins import bytes, str  # noqa: UP029 - to be imported from here
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from http import cookiejar as cookielib
from http.cookies import Morsel
from io import StringIO
from json import JSONDecodeError
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import (
    quote,
    quote_plus,
    unquote,
    unquote_plus,
    urldefrag,
    urlencode,
    urljoin,
    urlparse,
    urlsplit,
    urlunparse,
)
from urllib.request import parse_http_list

from . import decoding
from .utils import getproxies, getproxies_environment, proxy_bypass, proxy_bypass_environment

__all__ = [
    "Callable",
    "JSONDecodeError",
    "Mapping",
    "Morsel",
    "MutableMapping",
    "OrderedDict",
    "StringIO",
    "basestring",
    "builtin_str",
    "bytes",
    "cookielib",
    "getproxies",
    "getproxies_environment",
    "has_simplejson",
    "integer_types",
    "is_py2",
    "is_py3",
    "json",
    "numeric_types",
    "parse_http_list",
    "proxy_bypass",
    "proxy_bypass_environment",
    "quote",
    "quote_plus",
    "str",
    "unquote",
    "unquote_plus",
    "urldefrag",
    "urlencode",
    "urljoin",
    "urlparse",
    "urlsplit",
    "urlunparse",
]

is_py2: Final = False
is_py3: Final = True
has_simplejson: Final = False  # it would only be in the way: the standard library's is what reads JSON here

builtin_str: Final = str
basestring: Final = (str, bytes)
integer_types: Final = (int,)
numeric_types: Final = (int, float)


if TYPE_CHECKING:
    chardet: ModuleType | None
else:  # with it type checkers would take any name for one that is there

    def __getattr__(name: str) -> Any:
        if name == "chardet":
            return decoding.detector()  # the detector of character sets that is installed, or None
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
