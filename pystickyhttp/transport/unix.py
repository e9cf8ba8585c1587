"""Connecting to a unix socket (unix(7)), where the server is a file on this machine, or an abstract name.

There is one address and nothing to race. What is of its own here is a server that is busy: while its queue is
full, Linux answers a connect that does not block with EAGAIN, and has no event that tells when there is room.
To poll such a socket is worse than useless: it says that it can be written to, and that there was no error.
So the connect is asked again, after short pauses, as long as the time of the dial lasts (laws T1, L3).
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from ..exceptions import ConnectError
from .route import Route
from .sockets import SocketSettings, configure, under_way

# Seconds. A server that is not stuck makes room within a millisecond, so the first pauses cost next to
# nothing; the longest is what nobody notices behind a queue that does not move, and 20 questions a second
# cost neither side anything.
FIRST_PAUSE: Final = 0.001
LONGEST_PAUSE: Final = 0.05

_CONNECTED: Final = frozenset({0, errno.EISCONN})
_NOT_YET: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINPROGRESS, errno.EALREADY, errno.EINTR})

# The seconds that are left of a dial, None without limit: `Budget.left`.
Left: TypeAlias = Callable[[str, str | None], float | None]


def connect(route: Route, settings: SocketSettings, left: Left) -> socket.socket:
    """Connect to the unix socket of a Route.

    Args:
        route: where to.
        settings: what the socket is made with.
        left: tells how many seconds are left for it, and raises where none are.

    Returns:
        The socket. It does not block.

    Raises:
        ConnectError: there is no such socket, or nobody who takes the connection.
        ConnectTimeout, TotalTimeout: the server's queue stayed full.
        OSError: the system makes no socket, or takes no such path.
    """
    path = route.unix_socket
    assert path is not None, "who asks has seen that there is one"
    if not hasattr(socket, "AF_UNIX"):
        raise ConnectError(
            f"connecting to {route} failed: this system has no unix sockets, as far as Python knows them: "
            f"let the server listen at a host and a port"
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    under_way.add(sock)
    try:
        configure(sock, socket.AF_UNIX, settings, None)
        pause = FIRST_PAUSE
        while (code := sock.connect_ex(path)) in _NOT_YET:
            seconds = left(f"connecting to {route} (the queue of its server is full)", ConnectError.leg)
            time.sleep(pause if seconds is None else min(pause, seconds))
            pause = min(2 * pause, LONGEST_PAUSE)
        if code not in _CONNECTED:
            raise ConnectError(f"connecting to {route} failed: {_reason(code, path)}") from OSError(
                code, os.strerror(code)
            )
        return sock
    except BaseException:
        sock.close()
        raise


def _reason(code: int, path: str) -> str:
    """Why a connect failed, and what can be done about it."""
    remedy = _remedy(code, path)
    return os.strerror(code) if remedy is None else f"{os.strerror(code)}: {remedy}"


def _remedy(code: int, path: str) -> str | None:
    is_abstract = path.startswith("\0")
    if code == errno.ENOENT:
        return "there is no such file; start the server, or look at where it makes its socket"
    if code in (errno.ECONNREFUSED, errno.ENOTSOCK) and not is_abstract and not _is_socket(path):
        return "the file there is no socket; look at where the server makes its own"
    if code == errno.ECONNREFUSED and is_abstract:
        return "nobody listens by that name, in the network namespace of this process; start the server"
    if code == errno.ECONNREFUSED:
        return "nobody listens there any longer; start the server that made the socket again"
    if code in (errno.EACCES, errno.EPERM):
        return (
            "who connects needs the right to write to the socket, and to search the folders that it is in; "
            "often a group has it"
        )
    if code == errno.EPROTOTYPE:
        return "the socket there is no stream, and HTTP needs one (SOCK_STREAM)"
    return None


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return True  # nothing else is known of it
