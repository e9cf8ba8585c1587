"""The warning that a server is not verified: once for each host, at the line of the caller's."""

from __future__ import annotations

import ssl
import sys
import threading
import warnings
from typing import Final

from ..exceptions import InsecureRequestWarning
from ..forks import after_fork_in_child
from .route import Route, TLSIdentity
from .tls_contexts import is_of_the_standard_library

_PACKAGE: Final = __name__.partition(".")[0]

# Guards _warned, and that nobody goes on while another thread is about to be told that warnings are errors.
_warning = threading.RLock()
_warned: Final[set[str]] = set()
# A crawler that verifies nobody meets hosts without end; it may be told of some twice.
_MOST_WARNED: Final = 10_000

# Why somebody is not verified, and what to do instead.
_BY_VERIFY: Final = (
    "verify=False",
    "If its certificate is of a CA that the system does not know, pass the path of that CA's PEM file, "
    "verify='/path/to/ca.pem'; else leave verify out, which is verify=True",
)
_BY_CONTEXT: Final = (
    "by its ssl_context, which checks no certificate, or no name in it",
    "Leave verify_mode and check_hostname of the context as they are made; where the certificate has another "
    "name than the URL, say that one by HTTPAdapter(server_hostname=)",
)


def warn_if_unverified(route: Route) -> None:
    """Warn that whoever answers is not verified, once for each host in the life of the process.

    Raises:
        InsecureRequestWarning: warnings are errors; then it comes each time.
    """
    if route.tls is None or _verifies(route.tls):
        return
    with _warning:
        if route.host in _warned:
            return
        cause, remedy = _BY_VERIFY if route.tls.context is None else _BY_CONTEXT
        warnings.warn(
            f"{route} is not verified ({cause}): anybody on the way there can pose as it, read all that is "
            f"sent, passwords and cookies included, and change what comes back. {remedy}. (This is said once "
            f"for each host.)",
            InsecureRequestWarning,
            stacklevel=_level_of_caller(),
        )
        if len(_warned) >= _MOST_WARNED:
            _warned.clear()
        _warned.add(route.host)


def _verifies(identity: TLSIdentity) -> bool:
    context = identity.context
    if context is None:
        return identity.verify
    # What is of another making may verify by means of its own, such as a fingerprint.
    if not is_of_the_standard_library(context):
        return True
    return context.verify_mode != ssl.CERT_NONE and context.check_hostname


def _level_of_caller() -> int:
    """The stacklevel, for the function that asks, of the first frame outside of this package."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
        frame = frame.f_back
        level += 1
    return level


def _renew_warning_lock() -> None:
    """L4: a thread that held it when the process forked is not in the child."""
    global _warning
    _warning = threading.RLock()


after_fork_in_child(_renew_warning_lock)
