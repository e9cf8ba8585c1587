"""Limits of time: `Timeout` is the setting, `Deadline` the same setting once its clock runs (law T1)."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from .exceptions import TotalTimeout
from .values import Value, settle, value_class


class Unset:
    """The type of `UNSET`: a setting that was not given. None is given, and means "no limit"."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        # There is one UNSET in a process, and a pickled one comes back as that one.
        return "UNSET"


UNSET: Final = Unset()

# A server that does not take a connection within this time is not there: TCP has tried four times by then.
DEFAULT_CONNECT: Final = 10.0
# Idle time between two pieces of an answer. Longer than any answer worth waiting for without being told
# to, and the usual idle limit of the gateways in between.
DEFAULT_READ: Final = 60.0
# poll(2) counts milliseconds in an int, so a socket takes no longer timeout than this (24 days).
MAX_SECONDS: Final = 2_147_483

# By its whole name: the Timeout beside Session is an error, under requests' name.
_WHAT_A_TIMEOUT_IS: Final = (
    "give a number of seconds, a pair (connect, read), None for no limit, or "
    "pystickyhttp.timeouts.Timeout(connect=..., read=..., total=...)"
)


@value_class()
class Timeout(Value):
    """How long each leg of a request may take, in seconds; None is without limit.

    Args:
        connect: from the first DNS query to the end of the TLS handshake. Default 10.
        read: the longest silence of the server while an answer is awaited or read. Default 60.
        write: the longest time in which the server takes nothing of what is sent. Default 60.
        pool: the wait for a connection where the limits of the pool are reached. Default 60.
        total: one deadline over all of it: waiting, connecting, sending, redirects and the body.
            Default None.

    Raises:
        ValueError: a limit is zero, negative, not a number, or above `MAX_SECONDS`.
        TypeError: a limit is not a number.
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None

    def __init__(
        self,
        connect: float | None = DEFAULT_CONNECT,
        read: float | None = DEFAULT_READ,
        write: float | None = DEFAULT_READ,
        pool: float | None = DEFAULT_READ,
        total: float | None = None,
    ) -> None:
        settle(self, connect=connect, read=read, write=write, pool=pool, total=total)
        for name in self.__match_args__:
            _check_seconds(name, getattr(self, name))

    @classmethod
    def of(cls, value: TimeoutTypes) -> Timeout:
        """Read a timeout as requests takes it.

        Args:
            value: a `Timeout`; a number of seconds for connect, read and write each; a pair
                (connect, read); urllib3's Timeout, whose total bounds each of these two; None for no limit
                at all; `UNSET` for the defaults.

        Returns:
            The timeout. The wait for the pool keeps its default where one or two numbers are given:
            they speak of the server, and a queue of one's own threads is not its fault.

        Raises:
            ValueError: the tuple is not a pair, or a number is not above zero.
            TypeError: it is none of these.
        """
        if isinstance(value, Timeout):
            return value
        if value is UNSET:
            return DEFAULT
        if value is None:
            return UNLIMITED
        if type(value) is float or type(value) is int:
            return _of_seconds(value)
        if isinstance(value, tuple):
            if len(value) != 2:
                raise ValueError(f"timeout {value!r} is not a pair: {_WHAT_A_TIMEOUT_IS}")
            connect, read = value
            return cls(connect=connect, read=read, write=read)
        if isinstance(value, TimeoutLike):
            return cls(**_arguments_of(value))
        if isinstance(value, (float, int)) and not isinstance(value, bool):  # such as numpy's float64
            return _of_seconds(value)
        raise TypeError(f"timeout is {value!r}: {_WHAT_A_TIMEOUT_IS}")

    def start(self, now: float | None = None) -> Deadline:
        """Start the clock.

        Args:
            now: the time of `time.monotonic()`, by default the present.
        """
        return Deadline(self, time.monotonic() if now is None else now)


def one_clock(timeout: TimeoutTypes | Deadline) -> TimeoutTypes | Deadline:
    """A timeout for several exchanges: one with a total starts its clock now, so that it covers them all.

    Any other one is handed on as the caller gave it: each exchange has its own silences.

    Args:
        timeout: as `Timeout.of` takes it, or a `Deadline`.
    """
    if isinstance(timeout, Timeout) and timeout.total is not None:
        return timeout.start()
    return timeout


# A program gives the same number to each request. It takes as many different ones as it has kinds of
# requests.
@lru_cache(maxsize=64)
def _of_seconds(seconds: float) -> Timeout:
    return Timeout(connect=seconds, read=seconds, write=seconds)


@runtime_checkable
class TimeoutLike(Protocol):
    """What tells urllib3's Timeout, of any of its versions, from all else."""

    @property
    def total(self) -> Any:
        """The limit of connecting and reading together."""

    def start_connect(self) -> Any:
        """Start the clock."""


def _arguments_of(value: Any) -> dict[str, float | None]:
    """The arguments that make a Timeout like one of urllib3's; a leg of which it says nothing is left out."""
    # Not by its properties of these names: they have None for what was not given, too.
    legs = {"connect": value._connect, "read": value._read, "write": value._read}
    if _is_number(value.total):
        return {name: min(leg, value.total) if _is_number(leg) else value.total for name, leg in legs.items()}
    return {name: leg for name, leg in legs.items() if leg is None or _is_number(leg)}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


TimeoutTypes: TypeAlias = Timeout | TimeoutLike | float | tuple[float | None, float | None] | Unset | None


def _check_seconds(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"timeout: {name} is {value!r}: give a number of seconds, or None for no limit")
    if not 0 < value <= MAX_SECONDS:  # NaN fails it too
        raise ValueError(
            f"timeout: {name} is {value!r}: give a number of seconds above 0 and up to {MAX_SECONDS}, "
            f"or None for no limit"
        )


DEFAULT: Final = Timeout()
UNLIMITED: Final = Timeout(None, None, None, None, None)


class Deadline:
    """A `Timeout` whose clock runs: from one request's start to the last byte of its body.

    Attributes:
        timeout: the setting.
        started: `time.monotonic()` at the start.
        expires: when `total` is used up, or None.
    """

    __slots__ = ("expires", "started", "timeout")

    def __init__(self, timeout: Timeout, started: float) -> None:
        self.timeout = timeout
        self.started = started
        self.expires = None if timeout.total is None else started + timeout.total

    @classmethod
    def of(cls, timeout: TimeoutTypes | Deadline) -> Deadline:
        """A deadline as it is, or a timeout (see `Timeout.of`) whose clock starts now.

        Args:
            timeout: as `Timeout.of` takes it, or a deadline.
        """
        if timeout is UNSET:  # as mostly; `Timeout.of` would say the same
            return Deadline(DEFAULT, time.monotonic())
        if isinstance(timeout, Deadline):
            return timeout
        return Deadline(Timeout.of(timeout), time.monotonic())

    def clip(self, limit: float | None, doing: str) -> float | None:
        """The seconds that one step may take: its own limit, or what is left of the total if less.

        Args:
            limit: the step's own limit, or None.
            doing: the step, for the message, such as "connecting to example.com".

        Raises:
            TotalTimeout: nothing is left of the total.
        """
        if self.expires is None:
            return limit
        left = self.expires - time.monotonic()
        if left <= 0:
            raise TotalTimeout(f"{doing}: {self.exceeded()}")
        return left if limit is None or left < limit else limit

    def passed(self) -> bool:
        """Whether the total is used up."""
        return self.expires is not None and time.monotonic() >= self.expires

    def allows(self, seconds: float) -> bool:
        """Whether something of the total would be left after a wait of so many seconds.

        Args:
            seconds: the wait.
        """
        return self.expires is None or time.monotonic() + seconds < self.expires

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def exceeded(self) -> str:
        """The sentence that says that the total is used up."""
        return f"the total timeout of {self.timeout.total:g} s passed, {self.elapsed():.3f} s after the start"
