"""A pure-socket HTTP/1.1 client whose sessions stick, with the interface of requests.

    import pystickyhttp as requests

    with requests.Session() as session:
        response = session.get("https://example.com/")
        print(response.status_code, response.text)

What there is; `help()` of each name is its manual, beginning with `help(pystickyhttp.Session)`:

    Session                 requests that share connections, cookies, headers and auth
    get, post, request ...  one request, without a session of yours
    Response                what they return; Request and PreparedRequest are what is sent
    RequestException        every error of a request; ConnectionError, Timeout, HTTPError ... are below it
    Retry, Limits           what is tried again, and how many connections there may be
    KeepAlive, Address      settings of sockets: probes, and what a resolver of yours may return
    Timing, Stats           how long a response took, and what became of the connections of a session
    codes                   statuses by their names: codes.not_found is 404

The modules `adapters`, `api`, `auth`, `certs`, `compat`, `cookies`, `exceptions`, `hooks`, `models`,
`sessions`, `status_codes`, `structures` and `utils` have what requests has in those of the same names. These
are for programs too:

    timeouts                Timeout, the setting (the one beside Session is the error), and Deadline
    events                  what Session(trace=...) is told
    timing, stats           the facts behind Response.timing and Session.stats()
    testing                 adapters that answer without a network, for tests of programs
    keywords                types of the arguments of get() and its sisters, for functions that hand them on
    transport               the pool and its connections, without sessions

All other modules are the inside of these, and may change. `python -m pystickyhttp --help` is the manual of
the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from . import (
    adapters,
    api,
    auth,
    cookies,
    exceptions,
    hooks,
    models,
    sessions,
    timeouts,
)
from .__version__ import __version__
from .api import delete, get, head, options, patch, post, put, request
from .exceptions import (
    BodyTimeout,
    ConnectError,
    ConnectionError,
    ConnectionLost,
    ConnectTimeout,
    FileModeWarning,
    HandshakeLost,
    HTTPError,
    IncompleteBody,
    InsecureRequestWarning,
    JSONDecodeError,
    NameResolutionError,
    PoolTimeout,
    ProxyError,
    ProxySSLError,
    ReadTimeout,
    RequestException,
    RequestsDependencyWarning,
    SSLError,
    Timeout,
    TooManyRedirects,
    TotalTimeout,
    TunnelError,
    URLRequired,
    WriteTimeout,
)
from .models import PreparedRequest, Request, Response
from .retries import Retry
from .sessions import Session, session
from .transport import Address, KeepAlive, Limits

if TYPE_CHECKING:
    from . import certs, compat, events, stats, status_codes, structures, testing, timing, utils
    from .stats import Stats
    from .status_codes import codes
    from .timing import Timing

# What a program may never touch is loaded when it does: a start is a cost that everybody pays.
_LATE: Final = frozenset(
    {"certs", "compat", "events", "stats", "status_codes", "structures", "testing", "timing", "utils"}
)
_LATE_CLASSES: Final = {"Timing": "timing", "Stats": "stats"}


if not TYPE_CHECKING:  # with it type checkers would take any name for one that is there

    def __getattr__(name: str) -> Any:
        if name in _LATE:
            return import_module(f".{name}", __name__)
        if name in _LATE_CLASSES:
            return getattr(import_module(f".{_LATE_CLASSES[name]}", __name__), name)
        if name == "codes":
            from .status_codes import codes

            globals()[name] = codes  # a program may look at it after each request
            return codes
        if name == "packages":
            raise AttributeError(
                "pystickyhttp has no packages: there is no urllib3 below it. For disable_warnings() write "
                "warnings.simplefilter('ignore', pystickyhttp.InsecureRequestWarning)"
            )
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
    "KeepAlive",
    "Retry",
    "Request",
    "PreparedRequest",
    "Response",
    "Timing",
    "Stats",
    "codes",
    # errors
    "RequestException",
    "ConnectionError",
    "ConnectionLost",
    "NameResolutionError",
    "ConnectError",
    "ProxyError",
    "ProxySSLError",
    "TunnelError",
    "SSLError",
    "HandshakeLost",
    "Timeout",
    "ConnectTimeout",
    "ReadTimeout",
    "BodyTimeout",
    "WriteTimeout",
    "PoolTimeout",
    "TotalTimeout",
    "HTTPError",
    "TooManyRedirects",
    "IncompleteBody",
    "JSONDecodeError",
    "URLRequired",
    "FileModeWarning",
    "InsecureRequestWarning",
    "RequestsDependencyWarning",
    # modules
    "adapters",
    "api",
    "auth",
    "certs",
    "compat",
    "cookies",
    "events",
    "exceptions",
    "hooks",
    "models",
    "sessions",
    "stats",
    "status_codes",
    "structures",
    "testing",
    "timeouts",
    "timing",
    "utils",
]
