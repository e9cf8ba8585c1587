"""What the figures say, in plain sentences. Pure: from figures to words."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from ..transport.connection import parse_keep_alive
from .bench_figures import Figures, gain

ENDED_BY_TIME: Final = "the time for the whole run was up"
ENDED_BY_FAILURES: Final = "too many requests failed one after the other"
ENDED_BY_CTRL_C: Final = "it was interrupted"

# Medians that are nearer to each other than this are the same: two runs differ by more.
_SAME: Final = 1.05


def duration(seconds: float | None) -> str:
    """A time in milliseconds, or in seconds where it is long, with three digits."""
    if seconds is None:
        return "-"
    if seconds >= 10:
        return f"{seconds:.1f} s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    milliseconds = seconds * 1000
    digits = 0 if milliseconds >= 100 else 1 if milliseconds >= 10 else 2
    return f"{milliseconds:.{digits}f} ms"


def amount(size: int) -> str:
    """A number of bytes, short; units of 1,000."""
    if size < 1000:
        return f"{size} B"
    power = next((power for power in (1, 2) if size < 999.5 * 1000**power), 3)
    value = size / 1000**power
    return f"{value:,.{0 if value >= 99.95 else 1}f} {('kB', 'MB', 'GB')[power - 1]}"


def counted(number: int, thing: str, things: str | None = None) -> str:
    """Such as "1 request" and "2 requests"."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(items: list[str]) -> str:
    """Such as "a, b and c"."""
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def why_it_closes(
    *, version: int, headers: Mapping[str, str], has_body: bool, is_asked_to: bool
) -> str | None:
    """Why a connection can't be used again after an answer, as far as the answer says.

    Args:
        version: of HTTP: 11 or 10.
        headers: of the answer.
        has_body: whether its method and status allow for a body.
        is_asked_to: whether the request asked for it.

    Returns:
        The end of a sentence that begins with "because", or None where the answer has no objection.
    """
    if is_asked_to:
        return "your own header asks for it: leave out -H 'Connection: close'"
    if "close" in headers.get("Connection", "").lower():
        return "it answers with 'Connection: close'"
    if version < 11:
        return "it answers by HTTP/1.0, where each connection serves one request"
    if has_body and not ("Content-Length" in headers or "Transfer-Encoding" in headers):
        return (
            "its answers have neither a Content-Length nor chunks, "
            "so that only the end of the connection shows where they end"
        )
    return _why_keep_alive_forbids(headers.get("Keep-Alive", ""))


def _why_keep_alive_forbids(value: str) -> str | None:
    # R3: a request takes up to a second to arrive, so one second of patience is none.
    timeout, most = parse_keep_alive(value.encode("latin-1", "replace"))
    if timeout is not None and timeout <= 1:
        return f"it says by 'Keep-Alive: timeout={timeout}' that it does not wait for another request"
    return None if most != 0 else "it says by 'Keep-Alive: max=0' that it takes no other request"


def about_gain(fresh: Figures, pooled: Figures, *, is_https: bool) -> str:
    """What pooling gained, in one sentence."""
    factor = gain(fresh, pooled)
    if factor is None:
        return "There is nothing to compare: not both ways had an answer."
    now, before = duration(pooled.median), duration(fresh.median)
    spared = pooled.requests - pooled.opened
    if spared <= 0:  # whatever the medians say then is not the pool's doing
        return (
            f"Pooling gained nothing: each pooled request took a new connection too ({now}; fresh {before})."
        )
    if factor >= _SAME:
        how = f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}"
        what = "the handshake" if is_https else "the making of a connection"
        verb = "was" if spared == 1 else "were"
        return (
            f"Pooled connections were {how} times as fast: {now} instead of {before} per request, "
            f"as {spared:,} of {counted(pooled.requests, 'request')} {verb} spared {what}."
        )
    if factor > 1 / _SAME:
        return f"Pooled connections made no difference: {now} per request, and {before} over fresh ones."
    return (
        f"Pooled connections were slower here: {now} instead of {before} per request. Repeat it: "
        f"the machine or the server may have been busy with something else."
    )


def findings(ways: Mapping[str, Figures], threads: int) -> list[str]:
    """What a user has to know beside the gain, one sentence each.

    Args:
        ways: the figures of "fresh", of "pooled", and of "fresh, resumed" for https.
        threads: how many sent requests at the same time.
    """
    pooled = ways["pooled"]
    said = [
        _about_closing(pooled, threads),
        *(_about_statuses(name, figures) for name, figures in ways.items()),
        *(_about_failures(name, figures) for name, figures in ways.items()),
        _about_tickets(ways.get("fresh, resumed")),
    ]
    return [sentence for sentence in said if sentence is not None]


def _about_closing(pooled: Figures, threads: int) -> str | None:
    """The most valuable finding of all: that the pool had nothing to pool, and why."""
    if pooled.opened <= threads or not pooled.requests:
        return None
    why = listed(list(pooled.farewells)) or (
        "it closed idle connections without a word: its keep-alive timeout is short, or its limit of "
        "requests for each connection is"
    )
    if pooled.opened >= pooled.requests:
        return f"The server closes each connection, so that there is nothing to pool, because {why}."
    return (
        f"The server closes connections: {counted(pooled.requests, 'pooled request')} took "
        f"{pooled.opened:,} of them, because {why}."
    )


def _about_statuses(name: str, figures: Figures) -> str | None:
    """Statuses that are no success: the figures are those of an error page, or of a redirect."""
    odd = {status: often for status, often in figures.statuses.items() if not 200 <= status < 400}
    if odd:
        times = listed([f"{counted(often, 'time')} {_status(status)}" for status, often in odd.items()])
        return f"Of {counted(figures.requests, 'request')} ({name}) the server answered {times}."
    if name == "pooled" and any(status >= 300 and status != 304 for status in figures.statuses):
        return "The server answers with a redirect, which is not followed: measure where it leads to."
    return None


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _about_failures(name: str, figures: Figures) -> str | None:
    if not figures.failures:
        return None
    which = listed([f"{counted(often, 'time')} {error}" for error, often in figures.failures.items()])
    return f"Without an answer ({name}): {which}; these are not in the figures."


def _about_tickets(resumed: Figures | None) -> str | None:
    if resumed is None or resumed.resumed >= resumed.opened:
        return None
    if not resumed.resumed:
        return "The server resumes no TLS session: each new connection takes a full handshake."
    return (
        f"Of {counted(resumed.opened, 'connection')} (fresh, resumed) {resumed.resumed:,} took up an earlier "
        f"session of TLS; the others took a full handshake."
    )


def about_end(ended: str | None, ways: Mapping[str, Figures], requests: int) -> str | None:
    """That the run ended early, or None.

    Args:
        ended: why, in words; None where it did not.
        ways: the figures.
        requests: how many there should have been each way.
    """
    if ended is None:
        return None
    done = listed([f"{figures.requests:,} {name}" for name, figures in ways.items()])
    return f"It ended early, since {ended}: answered were {done}, of {requests:,} each."


def plan(
    method: str,
    host: str,
    ways: list[str],
    *,
    requests: int,
    threads: int,
    pause: float,
    max_time: float,
) -> str:
    """What is going to be done, in one sentence, for whoever wants to stop it."""
    return (
        f"Sending {counted(requests * len(ways), method + ' request')} to {host} ({requests:,} each: "
        f"{' / '.join(ways)}), {_manner(threads, pause)}, and {len(ways)} to warm up; "
        f"at most {duration(max_time)}, and Ctrl-C ends it."
    )


def headline(method: str, host: str, threads: int, pause: float) -> str:
    """What was measured, as the title of the report."""
    return f"{method} {host}, {_manner(threads, pause)}"


def _manner(threads: int, pause: float) -> str:
    by = "one after the other" if threads == 1 else f"by {threads} threads"
    return f"{by}, pauses of {duration(pause)}" if pause else f"{by}, without pauses"
