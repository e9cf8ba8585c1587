"""Runs a program only as long as someone holds the other end.

A server started for the tests must not outlive them, not even when they are killed and can clean up nothing.
So between the two stands this process: it runs the program given as its arguments, and ends it when its own
standard input ends, which happens by itself when the owner is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

PATIENCE = 5.0


def _end_with_owner(program: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    # An interrupt is the word that all of them understand as "at once": after a termination gunicorn would
    # first wait for its idle connections.
    program.send_signal(signal.SIGINT)
    try:
        program.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        # The group is this process and whatever the program started.
        os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> int:
    # Whoever was started in the background ignores interrupts, and so would the program.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The program is handed the listening socket along with all else that was handed to this process.
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, close_fds=False)
    threading.Thread(target=_end_with_owner, args=(program,), daemon=True).start()
    return program.wait()


if __name__ == "__main__":
    sys.exit(main())
