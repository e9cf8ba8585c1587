"""Retries, pure: what to try again, how often, and how long to wait before it.

A `Retry` never changes. Each failure asks it for the next one, `after_error` or `after_status`, and None is
the answer where nothing is tried again. Its arguments are those of urllib3's Retry, and urllib3's own object
is read by `Retry.of`. There is no clock and no sleep in here: the adapter has both.

This is the caller's policy. The replay of a request whose reused connection was dead (law P1) is none of it,
and counts nowhere here.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, lru_cache
from itertools import takewhile
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    Protocol,
    Self,
    TypeAlias,
    runtime_checkable,
)

from .exceptions import (
    BodyTimeout,
    ChunkedEncodingError,
    ConnectError,
    ConnectionError,
    ConnectionLost,
    ConnectTimeout,
    HandshakeLost,
    NameResolutionError,
    PoolTimeout,
    ProxyError,
    ReadTimeout,
    RemoteProtocolError,
    SSLError,
    Timeout,
    TotalTimeout,
    TunnelError,
    WriteTimeout,
)
from .timeouts import MAX_SECONDS
from .transport.request import IDEMPOTENT_METHODS
from .values import Value, settle, value_class

if TYPE_CHECKING:
    from datetime import datetime

# The counter that an error counts against, beside the total.
Kind: TypeAlias = Literal["connect", "read", "other"]

# Not tried again, though they derive from what is. A certificate that is refused once is refused again.
# PoolTimeout and TotalTimeout are the caller's own limits, and have been waited for in full. A body breaks
# after its response was handed out, and what was read of it can't be taken back.
_NEVER: Final = (SSLError, PoolTimeout, TotalTimeout, ChunkedEncodingError, BodyTimeout)
# Raised while a connection is made, before there is one that a request could be written to.
_WHILE_CONNECTING: Final = (ConnectTimeout, NameResolutionError, ConnectError, ProxyError, HandshakeLost)
# Raised once a request is under way: the server may have read it, and acted upon it.
_UNDER_WAY: Final = (ReadTimeout, WriteTimeout, RemoteProtocolError)

# A float ends at 2**1024. Any factor times this is one still, and over any backoff_max that makes sense.
_MOST_DOUBLINGS: Final = 900
# Digits of a Retry-After that are worth a look: as many as a float holds exactly, some million years.
_MOST_DIGITS: Final = 15

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@cache
def _http_dates() -> tuple[re.Pattern[str], ...]:
    """The forms of a date, the one to send first; compiled at the first date that comes.

    RFC 9110, section 5.6.7: one form to send and two obsolete ones, and who reads a date must know all three.
    The day of the week is not held against the date: it says nothing that the date does not.
    """
    month = rf"(?P<month>{'|'.join(_MONTHS)})"
    clock = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    weekday = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
    long_weekday = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
    return (
        re.compile(rf"{weekday}, (?P<day>[0-9]{{2}}) {month} (?P<year>[0-9]{{4}}) {clock} GMT"),
        re.compile(rf"{long_weekday}, (?P<day>[0-9]{{2}})-{month}-(?P<year>[0-9]{{2}}) {clock} GMT"),
        re.compile(rf"{weekday} {month} (?P<day>[0-9]{{2}}| [0-9]) {clock} (?P<year>[0-9]{{4}})"),
    )


def _random() -> float:
    from random import random  # loaded only where a wait has jitter, to keep start-up light

    return random()


class RequestHistory(NamedTuple):
    """One attempt that did not suffice.

    Attributes:
        method: the method of the request.
        url: its URL.
        error: what it came to, or None where a response came.
        status: the status of the response, or None.
        redirect_location: where the response sent the request, or None.
    """

    method: str | None
    url: str | None
    error: Exception | None
    status: int | None
    redirect_location: str | None


@value_class()
class Retry(Value):
    """What is tried again, how often, and after which wait.

    A counter is a number of retries, None where it sets no limit of its own, or False: nothing of its kind
    is tried again, and what happened is told as it is.

    Args:
        total: of all kinds together; it goes ahead of the other counters. Redirects do not count here, as
            in requests. Default 10.
        connect: after errors upon which no byte of the request can have reached the server. They are tried
            again for any method. Default None.
        read: after errors while a request was under way, for the allowed methods. Default None.
        redirect: the most redirects that are followed; None leaves it to the session's `max_redirects`, and
            False returns 3xx responses as they are. Default None.
        status: after responses whose status is to be tried again, for the allowed methods. Default None.
        other: after errors of connection or time that are of no kind of this package's own, such as an
            adapter of the user's may raise, for the allowed methods. Default None.
        allowed_methods: the methods that may be sent again after the server may have read the request; None
            (or False) for any. By default those whose repetition has the effect of one request (RFC 9110,
            section 9.2.2).
        status_forcelist: the statuses upon which a request is tried again. Default none.
        backoff_factor: seconds; the n-th failure in a row is followed by a wait of
            `backoff_factor * 2 ** (n - 1)`, the first by none. Default 0.
        backoff_max: the longest such wait in seconds. Default 120.
        raise_on_redirect: whether a redirect beyond `redirect` is the error `TooManyRedirects`, or is
            returned. False wherever `total` or `redirect` is False. Default True.
        raise_on_status: whether a status of `status_forcelist` is the error `RetryError` once the retries
            are used up, or is returned. Default True.
        history: the attempts so far, the oldest first. Default none.
        respect_retry_after_header: whether a response's Retry-After sets the wait, and makes the statuses of
            `RETRY_AFTER_STATUS_CODES` be tried again. Default True.
        remove_headers_on_redirect: names of header fields that are dropped where a redirect leaves the
            origin, beside those that always are; kept in lower case. Default Authorization, Cookie,
            Proxy-Authorization.
        backoff_jitter: the most seconds, by chance, that are added to a wait of the backoff. Default 0.
        retry_after_max: the longest wait in seconds that a Retry-After may ask for; of a longer one that
            much is waited. Default 120.

    Raises:
        TypeError: an argument is of a type that is of no use.
        ValueError: a counter is below zero, a status is none, or seconds are not from 0 to `MAX_SECONDS`.
    """

    DEFAULT_ALLOWED_METHODS: ClassVar[frozenset[str]] = IDEMPOTENT_METHODS
    # Of these RFC 9110 (sections 15.5.14 and 15.6.4) and RFC 6585 (section 4) say that a Retry-After may tell
    # when to come again. A 3xx may have one too, but there it is for who follows it.
    RETRY_AFTER_STATUS_CODES: ClassVar[frozenset[int]] = frozenset({413, 429, 503})
    # urllib3's own: a program that waits for longer than two minutes looks like one that hangs.
    DEFAULT_BACKOFF_MAX: ClassVar[float] = 120
    # The same two minutes: a server must not put a program to sleep for hours that was not made for it.
    # (urllib3 allows six hours.) Who has the time sets retry_after_max.
    DEFAULT_RETRY_AFTER_MAX: ClassVar[float] = 120
    # What urllib3 drops, for who asks for its list. It adds to `redirects.SECRET_HEADERS`, and takes nothing
    # away from it: the law does not depend on a policy.
    DEFAULT_REMOVE_HEADERS_ON_REDIRECT: ClassVar[frozenset[str]] = frozenset(
        {"Authorization", "Cookie", "Proxy-Authorization"}
    )
    # What `from_int(None)` stands for; urllib3's own.
    DEFAULT: ClassVar[Retry]

    total: int | None
    connect: int | None
    read: int | None
    redirect: int | None
    status: int | None
    other: int | None
    allowed_methods: Collection[str] | None
    status_forcelist: Collection[int]
    backoff_factor: float
    backoff_max: float
    raise_on_redirect: bool
    raise_on_status: bool
    history: tuple[RequestHistory, ...]
    respect_retry_after_header: bool
    remove_headers_on_redirect: Collection[str]
    backoff_jitter: float
    retry_after_max: float

    def __init__(
        self,
        total: int | None = 10,
        connect: int | None = None,
        read: int | None = None,
        redirect: int | None = None,
        status: int | None = None,
        other: int | None = None,
        allowed_methods: Collection[str] | None = DEFAULT_ALLOWED_METHODS,
        status_forcelist: Collection[int] = (),
        backoff_factor: float = 0,
        backoff_max: float = DEFAULT_BACKOFF_MAX,
        raise_on_redirect: bool = True,
        raise_on_status: bool = True,
        history: tuple[RequestHistory, ...] = (),
        respect_retry_after_header: bool = True,
        remove_headers_on_redirect: Collection[str] = DEFAULT_REMOVE_HEADERS_ON_REDIRECT,
        backoff_jitter: float = 0.0,
        retry_after_max: float = DEFAULT_RETRY_AFTER_MAX,
    ) -> None:
        # The arguments are brought to one form.
        settle(self, total=total, connect=connect, read=read, redirect=redirect, status=status, other=other)
        settle(self, allowed_methods=_methods(allowed_methods), status_forcelist=_statuses(status_forcelist))
        settle(self, backoff_factor=backoff_factor, backoff_max=backoff_max, backoff_jitter=backoff_jitter)
        settle(self, raise_on_redirect=raise_on_redirect, raise_on_status=raise_on_status)
        settle(self, history=_entries(history), retry_after_max=retry_after_max)
        settle(self, respect_retry_after_header=respect_retry_after_header)
        removed = _texts("remove_headers_on_redirect", remove_headers_on_redirect, '{"Cookie"}')
        settle(self, remove_headers_on_redirect=frozenset(name.lower() for name in removed))
        self._check()
        if total is False or redirect is False:
            settle(self, raise_on_redirect=False)

    def _check(self) -> None:
        for name in ("total", "connect", "read", "redirect", "status", "other"):
            _check_count(name, getattr(self, name))
        for name in ("backoff_factor", "backoff_max", "backoff_jitter", "retry_after_max"):
            _check_seconds(name, getattr(self, name))
        for name in ("raise_on_redirect", "raise_on_status", "respect_retry_after_header"):
            _check_flag(name, getattr(self, name))

    def __repr__(self) -> str:
        names = ("total", "connect", "read", "redirect", "status", "other")
        counters = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({counters})"

    # --- making one

    def new(self, **changes: Any) -> Self:
        """One like it but for some arguments.

        Args:
            **changes: the arguments of `Retry` that differ.
        """
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_int(
        cls, retries: RetryTypes, redirect: bool | int | None = True, default: RetryTypes = None
    ) -> Retry:
        """Read a number of retries as urllib3 takes it: of every kind. (requests' number is `Retry.of`.)

        Args:
            retries: a Retry, which is returned as it is; the total; False for none; None for the default.
            redirect: whether redirects are followed. Default True.
            default: what None stands for; by default `Retry.DEFAULT`, a total of 3.
        """
        if retries is None:
            retries = cls.DEFAULT if default is None else default
        if not isinstance(retries, int):
            return cls.of(retries)
        return cls(retries, redirect=None if redirect else False)

    @classmethod
    def of(cls, value: RetryTypes) -> Retry:
        """Read what an adapter or a session was given for its retries.

        Args:
            value: a Retry, as it is; urllib3's Retry, which is read by its attributes; a number of retries,
                which are for connections that could not be made, as requests documents it, and for nothing
                that the server may have read; 0, None or False for no retries.

        Raises:
            TypeError: it is none of these.
            ValueError: the number is below zero.
        """
        if isinstance(value, Retry):
            return value
        if value is None or value is False:
            value = 0
        if isinstance(value, int):
            _check_count("retries", value)
            return _of_number(value) if cls is Retry else cls._of_connecting(value)
        return cls(**_arguments_of(value))

    @classmethod
    def _of_connecting(cls, number: int) -> Self:
        return cls(number, read=False, status=False, other=False)

    # --- the decisions

    def after_error(self, method: str, url: str, error: Exception) -> Self | None:
        """The Retry to go on with after an error, or None where the error is to be raised.

        Args:
            method: the method of the request.
            url: its URL, for the history.
            error: what the attempt came to, from its start to the head of the response. A copy of it is kept
                in the history, without its traceback and its causes: their frames would hold on to the
                response that comes after all.
        """
        kind = kind_of(error)
        if kind is None:
            return None
        if kind != "connect" and not self.allows(method):
            return None
        return self._spend(kind, RequestHistory(method, url, copy.copy(error), None, None))

    def after_status(self, method: str, url: str, status: int, retry_after: str | None) -> Self | None:
        """The Retry to go on with after a response, or None where there is no further try.

        With None the response is returned, unless `is_failure` says that it is an error.

        Args:
            method: the method of the request.
            url: its URL, for the history.
            status: the status of the response.
            retry_after: its Retry-After, or None. One that can't be read counts as none.
        """
        # Whether a Retry-After can be read does not depend on the time, so any will do.
        readable = retry_after is not None and retry_after_seconds(retry_after, 0.0) is not None
        if not self.is_retry(method, status, readable):
            return None
        return self._spend("status", RequestHistory(method, url, None, status, None))

    def allows(self, method: str) -> bool:
        """Whether a request of this method may be sent again after the server may have read it.

        Args:
            method: such as "GET".
        """
        return self.allowed_methods is None or method.upper() in self.allowed_methods

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether a response is one to try again upon, if there are retries left.

        Args:
            method: the method of the request.
            status_code: the status of the response.
            has_retry_after: whether the response has a Retry-After.
        """
        if self.total is False or self.status is False or not self.allows(method):
            return False
        if status_code in self.status_forcelist:
            return True
        # Nobody listed this status, so it takes a total with something left: that sets an end to it.
        return (
            bool(self.total)
            and self.respect_retry_after_header
            and has_retry_after
            and status_code in self.RETRY_AFTER_STATUS_CODES
        )

    def is_failure(self, method: str, status_code: int) -> bool:
        """Whether a response is an error because the retries for it are used up (`RetryError`).

        Args:
            method: the method of the request.
            status_code: the status of the response.
        """
        return self.raise_on_status and self.is_retry(method, status_code) and self._is_used_up("status")

    def is_exhausted(self) -> bool:
        """Whether nothing at all is tried again any more. The counters never go below zero."""
        return all(self._is_used_up(kind) for kind in ("connect", "read", "status", "other"))

    def _is_used_up(self, kind: Kind | Literal["status"]) -> bool:
        counters: tuple[int | None, int | None] = self.total, getattr(self, kind)
        return any(left is not None and not left for left in counters)

    def _spend(self, kind: Kind | Literal["status"], entry: RequestHistory) -> Self | None:
        if self._is_used_up(kind):
            return None
        changes: dict[str, Any] = {
            name: left - 1 for name in ("total", kind) if (left := getattr(self, name)) is not None
        }
        return self.new(**changes, history=(*self.history, entry))

    # --- the wait

    def delay(self, retry_after: str | None, now: float, random: Callable[[], float] = _random) -> float:
        """The seconds to wait before the next attempt: what the server asks for, else the backoff.

        A Retry-After of zero seconds, or of a date in the past, asks for no wait; the backoff is then ours.

        Args:
            retry_after: the Retry-After of the response, or None where there is none.
            now: the time of `time.time()`.
            random: a function from nothing to a number from 0 to 1, for the jitter.

        Returns:
            From 0 to the larger of `backoff_max` and `retry_after_max`. It knows of no deadline.
        """
        if retry_after is not None and self.respect_retry_after_header:
            asked = self.parse_retry_after(retry_after, now)
            if asked:
                return asked
        return self.get_backoff_time(random)

    def get_backoff_time(self, random: Callable[[], float] = _random) -> float:
        """The seconds of the backoff, by the failures in a row at the end of the history.

        Args:
            random: a function from nothing to a number from 0 to 1, for the jitter.
        """
        failures = takewhile(lambda entry: entry.redirect_location is None, reversed(self.history))
        doublings = sum(1 for _ in failures) - 1
        if doublings <= 0:  # most failures have passed by the second try
            return 0.0
        backoff = self.backoff_factor * 2.0 ** min(doublings, _MOST_DOUBLINGS)
        return float(min(backoff + self.backoff_jitter * random(), self.backoff_max))

    def parse_retry_after(self, retry_after: str, now: float) -> float | None:
        """The seconds that a Retry-After asks for, up to `retry_after_max`.

        Args:
            retry_after: the field's value.
            now: the time of `time.time()`.

        Returns:
            Seconds, or None where the value is neither a number of seconds nor a date: it is ignored then.
        """
        seconds = retry_after_seconds(retry_after, now)
        return None if seconds is None else float(min(seconds, self.retry_after_max))


# Each session asks for one, most of them for none at all, and it never changes. A program has a few numbers.
@lru_cache(maxsize=16)
def _of_number(number: int) -> Retry:
    return Retry._of_connecting(number)


@runtime_checkable
class RetryLike(Protocol):
    """What tells urllib3's Retry, of any of its versions, from all else."""

    @property
    def total(self) -> Any:
        """The counter of all retries."""

    @property
    def connect(self) -> Any:
        """The counter of errors before the request was sent."""

    @property
    def read(self) -> Any:
        """The counter of errors after it was."""

    @property
    def redirect(self) -> Any:
        """The counter of redirects."""

    @property
    def status_forcelist(self) -> Any:
        """The statuses upon which a request is tried again."""

    @property
    def backoff_factor(self) -> Any:
        """The seconds of the backoff."""


RetryTypes: TypeAlias = "Retry | RetryLike | int | None"


def kind_of(error: BaseException) -> Kind | None:
    """Which counter an error of an attempt counts against, or None where it is never tried again.

    "connect" is what happened before a byte of the request can have reached the server; "read" is what
    happened later, up to the head of the response; "other" is an error of connection or time that is of no
    kind of this package's own, so that nobody knows how far the request got. What lies with the caller, such
    as a URL or a body that can't be sent or wound back, comes out the same each time.
    """
    if _comes_out_the_same(error):
        return None
    if isinstance(error, ConnectionLost):
        return "read" if error.sent else "connect"
    if isinstance(error, _WHILE_CONNECTING):
        return "connect"
    if isinstance(error, _UNDER_WAY):
        return "read"
    return "other" if isinstance(error, (ConnectionError, Timeout)) else None


def _comes_out_the_same(error: BaseException) -> bool:
    """Whether the fault is one that another try won't mend, or that came when no try is left."""
    if isinstance(error, HandshakeLost):  # nothing was refused
        return False
    if isinstance(error, TunnelError):  # 4xx and "not allowed": to the proxy the fault is the client's
        from .transport.socks import NOT_ALLOWED  # loaded only with tunnels, to keep start-up light

        refused = error.status is not None and 400 <= error.status < 500
        return refused or error.wants_credentials or error.reply == NOT_ALLOWED
    return isinstance(error, _NEVER)


def retry_after_seconds(text: str, now: float) -> float | None:
    """Read a Retry-After (RFC 9110, section 10.2.3).

    Args:
        text: the field's value: a number of seconds, or a date.
        now: the time of `time.time()`, in seconds since 1970.

    Returns:
        The seconds from now, 0 for a date in the past, `math.inf` for a number that no clock counts to, or
        None where it is neither number nor date.
    """
    text = text.strip(" \t")
    if text.isascii() and text.isdigit():
        # int() of digits without end is slow, and refuses them at some length.
        digits = text.lstrip("0")
        return float(digits or "0") if len(digits) <= _MOST_DIGITS else math.inf
    when = _parse_http_date(text, now)
    return None if when is None else max(0.0, when - now)


def _parse_http_date(text: str, now: float) -> float | None:
    """Seconds since 1970 of an HTTP-date in any of its three forms, or None (RFC 9110, section 5.6.7)."""
    found = next(filter(None, (form.fullmatch(text) for form in _http_dates())), None)
    if found is None:
        return None
    from datetime import UTC, datetime  # loaded only where there is a date, to keep start-up light

    month = _MONTHS.index(found["month"]) + 1
    day, hour, minute, second = (int(found[part]) for part in ("day", "hour", "minute", "second"))
    year = int(found["year"])
    if second > 60:  # 60 is a leap second
        return None
    try:
        if len(found["year"]) == 2:
            year = _full_year(year, (month, day, hour, minute, second), datetime.fromtimestamp(now, UTC))
        return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() + second
    except ValueError:  # no such day, or hour
        return None


def _full_year(year: int, rest: tuple[int, ...], now: datetime) -> int:
    """RFC 9110, section 5.6.7: what appears to be more than 50 years ahead lies in the past."""
    latest = now.year + 50
    full = latest - (latest - year) % 100
    is_too_far = full == latest and rest > now.timetuple()[1:6]
    return full - 100 if is_too_far else full


# --- what the arguments may be


def _check_count(name: str, value: Any) -> None:
    if value is None or value is False:
        return
    if value is True or not isinstance(value, int):
        raise TypeError(
            f"Retry: {name} is {value!r}: give a number of retries, None for no limit of its own, "
            f"or False for none at all"
        )
    if value < 0:
        raise ValueError(f"Retry: {name} is {value!r}: give 0 or more, or False for no retries")


def _check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Retry: {name} is {value!r}: give a number of seconds")
    # Bounded as every other time is: time.sleep() refuses what is too long, infinity above all.
    if not 0 <= value <= MAX_SECONDS:  # NaN fails it too
        raise ValueError(f"Retry: {name} is {value!r}: give a number of seconds from 0 to {MAX_SECONDS}")


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"Retry: {name} is {value!r}: give True or False")


def _elements(name: str, value: Any, example: str) -> list[Any]:
    # A str is a collection too, of letters that nobody meant.
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"Retry: {name} is {value!r}: give a collection such as {example}")
    return list(value)


def _texts(name: str, value: Any, example: str) -> list[str]:
    texts = _elements(name, value, example)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"Retry: {name} holds {text!r}: give a collection of str such as {example}")
    return texts


def _methods(value: Any) -> frozenset[str] | None:
    if value is None or value is False:  # False said "any" in urllib3's first version
        return None
    example = '{"GET", "POST"}, or None for any method'
    return frozenset(method.upper() for method in _texts("allowed_methods", value, example))


def _statuses(value: Any) -> frozenset[int]:
    if value is None:  # as urllib3 says "none"
        return frozenset()
    statuses = _elements("status_forcelist", value, "{429, 503}")
    for status in statuses:
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(
                f"Retry: status_forcelist holds {status!r}: give a collection of int such as {{429, 503}}"
            )
        if not 100 <= status <= 999:  # RFC 9110, section 15: three digits
            raise ValueError(f"Retry: status_forcelist holds {status!r}, which is no status of HTTP")
    return frozenset(map(int, statuses))


def _entries(value: Any) -> tuple[RequestHistory, ...]:
    if value is None:  # as urllib3 says "none"
        return ()
    entries = _elements("history", value, "(RequestHistory(...),)")
    for entry in entries:
        if not isinstance(entry, tuple) or len(entry) != len(RequestHistory._fields):
            raise TypeError(f"Retry: history holds {entry!r}: give a tuple of RequestHistory")
    return tuple(entry if isinstance(entry, RequestHistory) else RequestHistory(*entry) for entry in entries)


def _arguments_of(value: Any) -> Mapping[str, Any]:
    """The arguments that make a Retry like one of urllib3's; what its version does not have is left out."""
    if isinstance(value, type) or not isinstance(value, RetryLike):
        raise TypeError(
            f"retries are {value!r}: give a number, a Retry, urllib3's Retry, or None for no retries"
        )
    names = [field.name for field in dataclasses.fields(Retry)]
    found = {name: getattr(value, name) for name in names if hasattr(value, name)}
    if "allowed_methods" not in found and hasattr(value, "method_whitelist"):  # before urllib3 1.26
        found["allowed_methods"] = value.method_whitelist
    if found["total"] is False:
        # urllib3 turns redirects off then. In requests that said nothing of the session's redirects.
        found["redirect"] = None
    return found


# Here, as what checks its arguments stands above.
Retry.DEFAULT = Retry(3)
