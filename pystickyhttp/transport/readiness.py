"""Whether a socket can be read from or written to, by the means of the platform."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence
from typing import Protocol


class HasDescriptor(Protocol):
    """A socket, or what stands for one."""

    def fileno(self) -> int:
        """Its file descriptor."""


def wait_for_socket(
    sock: HasDescriptor, *, read: bool, write: bool, seconds: float | None
) -> tuple[bool, bool]:
    """Wait until a socket can be read from or written to.

    Args:
        sock: the socket. An end and an error make it readable.
        read, write: what to wait for.
        seconds: for how long, or None.

    Returns:
        Whether it can be read from, and whether it can be written to; neither where the time ran out.
    """
    if not hasattr(select, "poll"):  # Windows
        readable, writable, _ = select.select([sock] * read, [sock] * write, [], seconds)
        return bool(readable), bool(writable)
    poll = select.poll()
    poll.register(sock, select.POLLIN * read | select.POLLOUT * write)
    # Rounded up: less than a millisecond is no reason to spin.
    ready = poll.poll(None if seconds is None else math.ceil(seconds * 1000))
    events = ready[0][1] if ready else 0
    return bool(events & ~select.POLLOUT), bool(events & select.POLLOUT)


class Poll(Protocol):
    """A question that can be asked again and again: a list of news, empty where there is none.

    Args:
        milliseconds: how long to wait for some, rounded up; None is without limit.
    """

    def __call__(self, milliseconds: float | None, /) -> Sequence[object]: ...


def poller(sock: HasDescriptor) -> Poll:
    """A question that costs one system call: can something be read?"""
    if not hasattr(select, "poll"):  # Windows
        return lambda wait: select.select([sock], [], [], None if wait is None else wait / 1000)[0]
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll
