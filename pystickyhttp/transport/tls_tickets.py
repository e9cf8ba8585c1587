"""Session tickets of TLS: by one a server knows a client again, and both are spared a handshake (law S2)."""

from __future__ import annotations

import ssl
import sys
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from ..forks import after_fork_in_child
from .route import Route, TLSIdentity
from .tls_contexts import is_of_the_standard_library
from .tls_in_tls import TLSInTLS, TLSSocket

# CPython 3.11, 3.12 up to 3.12.7 and 3.13.0 lose a copy of the TLS session, some seven kilobytes, each time
# that `session` is looked at (gh-116810).
_SESSION_LEAKS: Final = sys.implementation.name == "cpython" and (
    sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
)
# There tickets are taken from the first connections of a process alone: that bounds the loss to 7 MB.
MOST_LEAKS: Final = 1000


class TicketStore:
    """S2: session tickets, each for one server and one TLS identity, used once.

    Args:
        most: how many are kept; the oldest go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._looks_left = MOST_LEAKS if _SESSION_LEAKS else None
        # Guards _tickets and _looks_left: connections of any thread take from it and put into it. It lets the
        # thread that has it in once more, for the sake of finalizers and signal handlers that strike there.
        self._lock = threading.RLock()
        # The context is the identity made real: a ticket of another one would carry its trust over. The Route
        # is all the rest: whoever goes through another proxy, or from another address, may not want to be
        # recognized.
        self._tickets: OrderedDict[tuple[ssl.SSLContext, Route], ssl.SSLSession] = OrderedDict()

    def keep(self, sock: TLSSocket, route: Route) -> None:
        """Keep the ticket that a connection was given, if it was; best after response bytes came."""
        assert route.tls is not None, "what has tickets has TLS"
        if not _may_resume(route.tls):
            return
        with self._lock:
            if self._looks_left is not None:
                if not self._looks_left:
                    return
                self._looks_left -= 1
        session = sock.session
        if session is None or not session.has_ticket:
            return
        with self._lock:
            for outdated in self._outdated(sock.context, route):
                self._tickets.pop(outdated, None)
            self._tickets[sock.context, route] = session
            while len(self._tickets) > self._most:
                self._tickets.popitem(last=False)

    def take(self, context: ssl.SSLContext, route: Route) -> ssl.SSLSession | None:
        """A ticket for a new connection; it is gone then, as none is to be used twice (RFC 8446, C.4)."""
        with self._lock:
            return self._tickets.pop((context, route), None)

    def _outdated(self, context: ssl.SSLContext, route: Route) -> list[tuple[ssl.SSLContext, Route]]:
        """The tickets of contexts that an earlier state of the same files made: nobody is going to take them.

        They would keep those contexts alive, each of which may hold a whole store of roots.
        """
        return [
            (other, its)
            for other, its in list(self._tickets)
            if other is not context
            and (its.host, its.port) == (route.host, route.port)
            and _whatever_version(its) == _whatever_version(route)
        ]

    def start_afresh(self) -> None:
        """L4: in the child of a fork the tickets are the parent's, which may use them."""
        self._lock = threading.RLock()
        self._tickets.clear()


def _whatever_version(route: Route) -> Route:
    """The Route, whichever state its CA file is asked for in."""
    if route.tls is None or route.tls.ca_version is None:
        return route
    return replace(route, tls=replace(route.tls, ca_version=None))


def _may_resume(identity: TLSIdentity) -> bool:
    """Whether OpenSSL is the one that verifies; nobody else is asked when a session is resumed."""
    if identity.context is not None:
        return is_of_the_standard_library(identity.context)
    return not identity.store.platform


# One costs a few kilobytes; a program that talks to more servers than this by https gains least by resuming.
tickets: Final = TicketStore(most=256)

after_fork_in_child(tickets.start_afresh)


def keep_tickets(sock: TLSSocket, route: Route) -> None:
    """Keep the tickets of a connection, each for the leg that its TLS is on; best after response bytes came.

    Args:
        sock: the connection.
        route: whom it leads to.
    """
    if isinstance(sock, TLSInTLS):
        tickets.keep(sock.outer, route.to_proxy)
    tickets.keep(sock, route.to_proxy if route.is_forwarded else route)
