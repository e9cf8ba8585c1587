"""What a signal handler raises is its program's, and comes out as it is.

A handler runs amid what it interrupts, and what it raises looks as if that had raised it. Many a program
raises TimeoutError upon SIGALRM, which is no read timeout, and no death of a connection upon which the
request would go out once more (P1).
"""

from __future__ import annotations

import contextlib
from types import TracebackType


def is_of_a_signal_handler(error: BaseException) -> bool:
    """Whether a signal handler has raised an error.

    What gives a handler away is what Python calls it with: the frame that it has interrupted, which is the
    one above its own in the traceback. That there is a frame below ours at all says nothing: the sockets of
    TLS are written in Python, and so are those that gevent and its like put in the place of Python's. A
    handler that is written in C, or that has dropped its arguments, is not told from a socket.
    """
    above = error.__traceback__
    while above is not None and (below := above.tb_next) is not None:
        for value in below.tb_frame.f_locals.values():
            given = value if isinstance(value, tuple) else (value,)  # the former is `*args`
            if any(each is above.tb_frame for each in given):
                return True
        above = below
    return False


class tolerated(contextlib.suppress):  # noqa: N801 - it stands where contextlib.suppress would
    """`contextlib.suppress`, but for what a signal handler has raised."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        # Of `traceback` the first frame is the one that has the `with`.
        return super().__exit__(kind, error, traceback) and not (error and is_of_a_signal_handler(error))
