"""What of a request, a session or an error goes along when it is pickled, and what stays in its process."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping
from typing import Any, Final

from .bodies import LeftBehind
from .hooks import Hooks, as_hooks


class _Trial(threading.local):
    """Whether this thread tries out a value. What is in it is tried out with it, and not by itself again."""

    under_way = False


_trial: Final = _Trial()


def can_travel(value: Any) -> bool:
    """Whether a value can go to another process: not so locks, open files, and functions without a name.

    Only pickle can tell: an auth object, or a hook of one, holds whatever its author liked.

    Args:
        value: the value.
    """
    if value is None or _trial.under_way:
        return True
    try:
        _trial.under_way = True
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 (whatever a class of the caller's raises)
        return False
    finally:
        _trial.under_way = False
    return True


def hooks_that_travel(hooks: Mapping[str, Any]) -> Hooks:
    """Of some hooks those that can go to another process.

    Args:
        hooks: as `hooks.as_hooks` takes them.
    """
    return {event: list(filter(can_travel, registered)) for event, registered in as_hooks(hooks).items()}


def body_travels(body: Any) -> bool:
    """Whether a prepared body can go to another process: a file or an iterator is read in its own.

    Args:
        body: the body.
    """
    return body is None or isinstance(body, (str, bytes, LeftBehind))
