"""A real Ctrl-C, of which exactly one KeyboardInterrupt comes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from tests.patience import wait_for


@contextlib.contextmanager
def ctrl_c_once(ready: Callable[[], bool]) -> Iterator[None]:
    """SIGINT for the main thread, which runs the block, once `ready` says that it is where it should be.

    The signal is sent until it is noticed: one that comes between the last instruction of Python's and the
    call that blocks would be seen when that call is over. Only the first one to be noticed raises, so that
    none strikes what comes after it, on however slow a machine. And it does so where whoever started the
    tests lets them ignore interrupts too, as a shell does with what runs in the background.
    """
    noticed = threading.Event()
    over = threading.Event()

    def interrupt(*_: object) -> None:
        if not noticed.is_set():
            noticed.set()
            raise KeyboardInterrupt

    def strike() -> None:
        wait_for(lambda: ready() or over.is_set(), "the main thread is where it should be")
        while not noticed.wait(0.05):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, interrupt)
    killer = threading.Thread(target=strike)
    killer.start()
    try:
        yield
    finally:
        noticed.set()
        over.set()
        killer.join()
        signal.signal(signal.SIGINT, before)
