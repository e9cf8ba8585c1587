"""What is shown: heads, bodies, and where the time went."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, Protocol

from .terminal import harmless

# --- heads

_SECRET: Final = "***"


def visible(name: str, value: str) -> str:
    """The value of a header field with its secrets hidden: what is shown gets pasted into reports."""
    lowered = name.lower()
    if lowered in ("authorization", "proxy-authorization"):
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {_SECRET}" if space else _SECRET
    if lowered == "cookie":
        return "; ".join(_without_value(cookie) for cookie in value.split("; "))
    if lowered == "set-cookie":
        cookie, semicolon, attributes = value.partition(";")
        return _without_value(cookie) + semicolon + attributes
    return value


def _without_value(cookie: str) -> str:
    name, equals, _ = cookie.partition("=")
    return f"{name}={_SECRET}" if equals else _SECRET


def head_lines(start: str, fields: Iterable[tuple[str, str]], *, secrets: bool) -> Iterator[str]:
    """The lines of a head as they are shown.

    Args:
        start: the request line, or the status line.
        fields: names and values.
        secrets: whether credentials and cookies are shown.
    """
    yield harmless(start)
    for name, value in fields:
        yield harmless(f"{name}: {value if secrets else visible(name, value)}")


# --- bodies

# The tokens of JSON (RFC 8259), for a text that is known to be some.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_INDENT: Final = "    "


def is_json(content_type: str) -> bool:
    """Whether a media type is JSON, or one of those that are JSON underneath (RFC 6839, section 3.1)."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def pretty_json(text: str) -> str | None:
    """JSON laid out for reading, None if it is none.

    Numbers stay digit by digit as they came, and names that come twice stay two: what is looked at is what
    was sent. Escapes in texts are resolved where the characters can be shown.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return "".join(_laid_out(_TOKEN.findall(text)))


def _laid_out(tokens: list[str]) -> Iterator[str]:
    depth = 0
    before = ""
    for token in tokens:
        closes = token in ("]", "}")
        if closes:
            depth -= 1
        # An empty object or list stays on its line.
        if (before in ("{", "[")) != closes:
            yield "\n" + _INDENT * depth
        yield _readable(token)
        if token == ",":
            yield "\n" + _INDENT * depth
        elif token == ":":
            yield " "
        elif token in ("{", "["):
            depth += 1
        before = token


def _readable(token: str) -> str:
    if not token.startswith('"') or "\\" not in token:
        return harmless(token)
    shown = json.dumps(json.loads(token), ensure_ascii=False)
    return shown if shown.isprintable() else token


# As file(1) has it: of control characters, text has BEL, BS, TAB, LF, VT, FF, CR, and ESC for its colours.
_NOT_IN_TEXT: Final = bytes({*range(0x20), 0x7F} - {*range(0x07, 0x0E), 0x1B})


def looks_binary(piece: bytes) -> bool:
    """Whether bytes would only upset a terminal: they have control characters that no text has."""
    return len(piece.translate(None, _NOT_IN_TEXT)) < len(piece)


# --- time


class TimingLike(Protocol):
    """What the waterfall is drawn of: `pystickyhttp.timing.Timing`, in seconds."""

    @property
    def pool(self) -> float: ...
    @property
    def dns(self) -> float: ...
    @property
    def connect(self) -> float: ...
    @property
    def tunnel(self) -> float: ...
    @property
    def tls(self) -> float: ...
    @property
    def send(self) -> float: ...
    @property
    def first_byte(self) -> float: ...
    @property
    def download(self) -> float: ...
    @property
    def total(self) -> float: ...
    @property
    def reused(self) -> bool: ...
    @property
    def resumed(self) -> bool: ...
    @property
    def replayed(self) -> bool: ...


class Step(NamedTuple):
    """One line of the waterfall.

    Attributes:
        name: such as "first byte".
        seconds: how long it took; 0 where it did not take place.
        begin, end: its part of the whole, as fractions.
    """

    name: str
    seconds: float
    begin: float
    end: float


_STEPS: Final = ("pool", "dns", "connect", "tunnel", "tls", "send", "first_byte", "download")
# Each step has a colour of its own, so that a bar is found by its name at a glance.
STYLES: Final = {
    "pool": "yellow",
    "dns": "cyan",
    "connect": "blue",
    "tunnel": "blue",
    "tls": "magenta",
    "send": "green",
    "first byte": "red",
    "download": "green",
    "total": "bold",
}
_NAME_WIDTH: Final = 10
_TIME_WIDTH: Final = 13
# Bars that are longer say no more, and the eye has farther to go.
_WIDEST_BAR: Final = 60
_NARROWEST_BAR: Final = 10
BLOCKS: Final = "█"
PLAIN_BLOCKS: Final = "#"


def steps(timing: TimingLike) -> list[Step]:
    """The steps of a request, one after the other."""
    seconds = [max(0.0, getattr(timing, name)) for name in _STEPS]
    # What lies between the steps belongs to none; clocks that are read twice may even make them longer.
    whole = max(timing.total, sum(seconds)) or 1.0
    made, passed = [], 0.0
    for name, took in zip(_STEPS, seconds, strict=True):
        made.append(Step(name.replace("_", " "), took, passed / whole, (passed + took) / whole))
        passed += took
    return made


def connection_of(timing: TimingLike) -> str:
    """What the connection was, in words."""
    words = ["reused connection" if timing.reused else "new connection"]
    words += ["TLS resumed"] if timing.resumed else []
    words += ["replayed"] if timing.replayed else []
    return ", ".join(words)


def waterfall(timing: TimingLike, width: int = 80, block: str = BLOCKS) -> list[tuple[str, str]]:
    """Where the time went, as a picture.

    Args:
        timing: the times.
        width: the columns that there are.
        block: the character that bars are made of.

    Returns:
        Its lines, each with the style that it is shown in.
    """
    room = max(_NARROWEST_BAR, min(_WIDEST_BAR, width - _NAME_WIDTH - _TIME_WIDTH - 3))
    lines = [_line(step, room, block) for step in steps(timing)]
    lines.append((_labelled("total", _time(timing.total)) + f"  {connection_of(timing)}", "bold"))
    return lines


def _line(step: Step, room: int, block: str) -> tuple[str, str]:
    if not step.seconds:
        return _labelled(step.name, "-"), "dim"
    # Rounded at both ends in the same way, so that bars neither overlap nor leave a gap.
    begin, end = min(room - 1, round(step.begin * room)), round(step.end * room)
    bar = " " * begin + block * max(1, end - begin)
    return _labelled(step.name, _time(step.seconds)) + f"  {bar}", STYLES[step.name]


def _labelled(name: str, time: str) -> str:
    return f"{name:<{_NAME_WIDTH}} {time:>{_TIME_WIDTH}}".rstrip()


def _time(seconds: float) -> str:
    # Who waits for minutes does not count milliseconds.
    return f"{seconds * 1000:,.1f} ms" if seconds < 100 else f"{seconds:,.1f} s"
