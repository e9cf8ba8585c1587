"""What a failure is to the caller of `bench`: an exit code as curl has it, and one line."""

from __future__ import annotations

import ssl
from typing import Final

from .. import exceptions
from ..exceptions import RequestException

USAGE: Final = 2
INTERRUPTED: Final = 130  # 128 and the number of SIGINT, as shells have it
PIPE_CLOSED: Final = 141  # 128 and the number of SIGPIPE
TIMED_OUT: Final = 28
_FAILED_OTHERWISE: Final = 1
_EMPTY_REPLY: Final = 52
_RECEIVE_ERROR: Final = 56
_CERTIFICATE_REFUSED: Final = 60
_NO_CA_FILE: Final = 77
_PROXY_NOT_RESOLVED: Final = 5

# The first that fits counts: an error can be of several kinds, and the finer ones stand ahead.
_CODES: Final = (
    (exceptions.InvalidHeader, USAGE),
    (exceptions.InvalidMethod, USAGE),
    (exceptions.InvalidURL, 3),
    (exceptions.InvalidSchema, 1),
    (exceptions.Timeout, TIMED_OUT),
    (exceptions.NameResolutionError, 6),
    (exceptions.ProxySSLError, 35),
    (exceptions.TunnelError, 56),
    (exceptions.ProxyError, 7),
    (exceptions.SSLError, 35),
    (exceptions.ConnectError, 7),
    (exceptions.IncompleteBody, 18),
    (exceptions.ChunkedEncodingError, 56),
    (exceptions.ContentDecodingError, 61),
    (exceptions.RemoteProtocolError, 8),
    (exceptions.ConnectionError, 56),
)


def exit_code(error: RequestException) -> int:
    """The exit code for an error: that of curl where curl has one."""
    if isinstance(error, exceptions.ConnectionLost):
        return _RECEIVE_ERROR if error.received else _EMPTY_REPLY
    if isinstance(error, exceptions.SSLError) and not isinstance(error, exceptions.Timeout):
        return _code_of_tls(error)
    if isinstance(error, exceptions.ProxyError) and _has_cause(error, exceptions.NameResolutionError):
        return _PROXY_NOT_RESOLVED
    return next((code for kind, code in _CODES if isinstance(error, kind)), _FAILED_OTHERWISE)


def _code_of_tls(error: exceptions.SSLError) -> int:
    if _has_cause(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_REFUSED
    return _NO_CA_FILE if _has_cause(error, FileNotFoundError) else 35


def _has_cause(error: BaseException, kind: type[BaseException]) -> bool:
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, kind):
            return True
        cause = cause.__cause__
    return False


def one_line(error: object) -> str:
    """An error's message in one line, without what would steer a terminal: a server may have put it there."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())
