"""Law L4: what the child of a fork begins anew, such as a lock that a thread of the parent's may hold."""

from __future__ import annotations

import os
from collections.abc import Callable


def after_fork_in_child(callback: Callable[[], object]) -> None:
    """Call a function in the child of every fork from now on; where there is no fork (Windows), never."""
    if hasattr(os, "register_at_fork"):  # pragma: no branch - only Windows has none
        os.register_at_fork(after_in_child=callback)
