"""A pure-socket HTTP/1.1 client whose sessions stick, with the interface of requests.

import pystickyhttp as requests

with requests.Session() as session:
    response = session.get("https://example.com/")
    print(response.status_code, response.text)
"""

from __future__ import annotations

from . import exceptions, structures, timeouts
from .__version__ import __version__
from .api import delete, get, head, options, patch, post, put, request
from .exceptions import (
    ConnectionError,
    ConnectionLost,
    ConnectTimeout,
    HTTPError,
    IncompleteBody,
    JSONDecodeError,
    NameResolutionError,
    PoolTimeout,
    ReadTimeout,
    RequestException,
    SSLError,
    Timeout,
    TooManyRedirects,
    TotalTimeout,
    URLRequired,
    WriteTimeout,
)
from .models import PreparedRequest, Request, Response
from .sessions import Session, session
from .transport import Address, Limits

__all__ = [
    "__version__",
    # one request
    "request",
    "get",
    "options",
    "head",
    "post",
    "put",
    "patch",
    "delete",
    # sessions
    "Session",
    "session",
    "Limits",
    "Address",
    "Request",
    "PreparedRequest",
    "Response",
    # errors
    "RequestException",
    "ConnectionError",
    "ConnectionLost",
    "NameResolutionError",
    "SSLError",
    "Timeout",
    "ConnectTimeout",
    "ReadTimeout",
    "WriteTimeout",
    "PoolTimeout",
    "TotalTimeout",
    "HTTPError",
    "TooManyRedirects",
    "IncompleteBody",
    "JSONDecodeError",
    "URLRequired",
    # modules
    "exceptions",
    "structures",
    "timeouts",
]
