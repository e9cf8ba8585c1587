"""What happens to a request, told to who wants to know: the trace of a session, and the log.

There is one place in the code for each event, which tells both. A line of the log is the event's own text
(see `events`), so that the two can't contradict each other, and no secret gets into one that is not in the
other. Where neither is on, no event is made: what a request pays is the question whether `is_logged`.

`logging` is never imported here. Where a program has not done so, nobody can have asked for a log.

`Marks` are what the clock said on the way of one exchange; `Response.timing` is made of them.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeAlias

if TYPE_CHECKING:
    import logging

    from .events import Event

Trace: TypeAlias = "Callable[[Event], object]"
Facts = ParamSpec("Facts")

# The name of the package's own logger, and of those below it: one for each kind of thing that tells.
LOGGER: Final = "pystickyhttp"
SOURCES: Final = ("session", "retries", "redirects", "pool", "dial", "connection")
# logging.DEBUG, which can't be looked up without an import.
_DEBUG: Final = 10


class DialTimes:
    """What the steps of one dial took, in seconds; 0.0 where one did not take place."""

    dns = 0.0
    connect = 0.0
    tunnel = 0.0
    tls = 0.0


class Marks:
    """What the clock said on the way of one exchange, each `time.monotonic()`.

    It is written by the thread that has the exchange, and may be read by any.

    Attributes:
        waited: the seconds in the queue of the pool.
        dialled: what the dial took; None where the connection was reused.
        replayed: whether the request was sent once before, over a connection that was dead (law P1).
        taken: when the connection was there.
        sent: when the last byte of the request was given to the system.
        head: when the head of the response had come.
        ended: when the body had, or was given up; None while it lasts.
    """

    # What most exchanges do not have is not set on each of them.
    waited = 0.0
    dialled: DialTimes | None = None
    replayed = False
    taken: float
    sent: float
    head: float
    ended: float | None = None


class Teller:
    """Tells the events of one request.

    Args:
        trace: what the session has as its `trace`, or None.
        request_id: what ties the events together; 0 for what belongs to no request.
        request: the request that is under way, by which nested ones are told apart.
    """

    __slots__ = ("request", "request_id", "trace")

    def __init__(self, trace: Trace | None, request_id: int, request: object = None) -> None:
        self.trace = trace
        self.request_id = request_id
        self.request = request

    def tell(
        self,
        kind: Callable[Concatenate[int, int, float, Facts], Event],
        *facts: Facts.args,
        **more: Facts.kwargs,
    ) -> None:
        """Make an event, write its line, and hand it to the trace.

        It is called where no lock is held, and where whatever is raised does no harm: a trace may call the
        session back, and a KeyboardInterrupt that strikes in it passes. Any other error of the trace is a
        warning: whoever looks on must not break what he looks at.

        Args:
            kind: the class of the event.
            *facts, **more: its fields, from the fourth on.
        """
        logger = _logger_of(kind)
        if (self.trace is None and logger is None) or here.is_telling:
            return
        event = kind(self.request_id, time.time_ns(), time.monotonic(), *facts, **more)
        try:
            here.is_telling = True
            if logger is not None:
                logger.debug("%s", event)
            if self.trace is not None:
                _call(self.trace, event)
        finally:
            here.is_telling = False


def _call(trace: Trace, event: Event) -> None:
    try:
        trace(event)
    except Exception as error:  # noqa: BLE001 (it is the caller's own, and told as a warning)
        warnings.warn(
            f"the trace raised {type(error).__name__} at {type(event).__name__}: {error}",
            RuntimeWarning,
            stacklevel=3,
        )


class _Here(threading.local):
    """What is under way in this thread.

    Attributes:
        teller: that of the request that it sends.
        is_telling: whether a trace, or a handler of the log, runs. What they send themselves is told to
            nobody, as that would never end.
    """

    teller: Teller | None = None
    is_telling = False


here: Final = _Here()

_request_ids: Final = count(1)

# The loggers by their names, once the program has imported `logging`: they are never made anew.
_loggers: dict[str, logging.Logger] = {}


def _find_loggers() -> dict[str, logging.Logger]:
    module = sys.modules.get("logging")
    if module is None or not hasattr(module, "NullHandler"):  # another thread is just importing it
        return _loggers
    found = {name: module.getLogger(f"{LOGGER}.{name}") for name in SOURCES}
    own = module.getLogger(LOGGER)
    own.addHandler(module.NullHandler())  # what a program does not ask for does not go to its stderr
    _loggers.update({"": own, **found})
    return _loggers


def _logger_of(kind: Any) -> logging.Logger | None:
    """The logger that writes events of a class, or None where it does not."""
    logger = (_loggers or _find_loggers()).get(kind.source)
    return logger if logger is not None and logger.isEnabledFor(_DEBUG) else None


_level_of: Final = attrgetter("level")


def is_logged() -> bool:
    """Whether any of the loggers may write."""
    loggers = _loggers or _find_loggers()
    if not loggers:
        return False
    if loggers[""].isEnabledFor(_DEBUG):
        return True
    # One that has a level of its own; most have not (it is 0), and write if the package's does.
    if not any(map(_level_of, loggers.values())):
        return False
    return any(0 < logger.level <= _DEBUG for logger in loggers.values())


def teller_for(trace: Trace | None, request: object) -> Teller:
    """The teller of a request that begins."""
    return Teller(trace, next(_request_ids), request)


def teller_of_now() -> Teller | None:
    """The teller of what happens now: of the request under way, or for the log alone; None if none is on."""
    teller = here.teller
    if teller is not None:
        return teller
    return Teller(None, 0) if is_logged() else None
