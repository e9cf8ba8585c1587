"""Whether this process left a socket open.

The file descriptors of the process are asked, not its objects: a socket that the garbage collector has yet
to find is as open as any. The servers of the tests live in the same process, and their ends of the
connections close a moment after the client's do, when their threads see it. So the two are told apart by
their local port: a socket on a port where this process listens is a server's, and has a deadline; any other
is the client's, and must be closed when the client says so.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator

DEADLINE = 30.0

# Local ports of sockets that belong to a server here although nobody listens on them (a proxy's way out).
_ports_of_servers: set[int] = set()
# Guards that nobody looks at such a socket between its making and its place in that set.
_making = threading.Lock()

# A descriptor's number is used again, its inode is not while the socket lives: both make the identity.
Descriptor = tuple[int, int]


def open_descriptors(kind: Callable[[int], bool] = lambda mode: True) -> set[Descriptor]:
    """This process's file descriptors, or those of a kind that `stat` can tell by the mode.

    To count them is not enough: what an earlier test forgot may be collected, and closed, at any moment.
    """
    found = set()
    for name in os.listdir("/dev/fd"):
        # The descriptor by which the folder itself was read is gone by now.
        with contextlib.suppress(OSError):
            status = os.fstat(int(name))
            if kind(status.st_mode):
                found.add((int(name), status.st_ino))
    return found


def open_sockets() -> set[Descriptor]:
    """The sockets among this process's file descriptors."""
    return open_descriptors(stat.S_ISSOCK)


def socket_of_server() -> socket.socket:
    """A socket by which a server goes out to another one, and that is known for a server's from the first."""
    with _making:
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        _ports_of_servers.add(made.getsockname()[1])
    return made


@contextlib.contextmanager
def no_socket_left() -> Iterator[None]:
    """Assert that the block leaves no socket open: the client's at once, the servers' before a deadline.

    It belongs inside the `with` block of the server, since the listening socket is there before and after.
    """
    before = open_sockets()
    yield
    with _making:
        left = [describe(each) for each in open_sockets() - before if not _is_servers(each)]
    left = [each for each in left if each is not None]
    assert not left, f"the client left sockets open: {left}"
    limit = time.monotonic() + DEADLINE
    while (rest := open_sockets() - before) and time.monotonic() < limit:
        time.sleep(0.005)
    assert not rest, f"the servers still have sockets open: {[describe(each) for each in rest]}"


def describe(descriptor: Descriptor) -> str | None:
    """Where this socket is and whereto it leads, None if it is closed by now."""
    with _duplicate(descriptor) as copy:
        if copy is None:
            return None
        try:
            peer = copy.getpeername()
        except OSError:
            peer = None
        return f"fd {descriptor[0]}: {copy.getsockname()} to {peer}"


def _is_servers(descriptor: Descriptor) -> bool:
    port = _local_port(descriptor)
    return port is not None and (port in _ports_of_servers or port in _listening_ports())


def _listening_ports() -> set[int]:
    ports = set()
    for descriptor in open_sockets():
        with _duplicate(descriptor) as copy, contextlib.suppress(OSError):
            if copy is not None and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                ports.add(copy.getsockname()[1])
    return ports


def _local_port(descriptor: Descriptor) -> int | None:
    with _duplicate(descriptor) as copy:
        if copy is None or copy.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        port: int = copy.getsockname()[1]
        return port


@contextlib.contextmanager
def _duplicate(descriptor: Descriptor) -> Iterator[socket.socket | None]:
    """The socket behind a descriptor, by a copy, so that closing the copy does not close it."""
    try:
        copy = socket.socket(fileno=os.dup(descriptor[0]))
    except OSError:
        # Closed in the meantime: by a thread of a server, or there would be nobody left to close it.
        yield None
        return
    with copy:
        # Or closed, and its number given to another one.
        yield copy if os.fstat(copy.fileno()).st_ino == descriptor[1] else None
