"""What the command line shows, pure: heads without their secrets, JSON laid out, the waterfall, the bar."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystickyhttp.cli import show
from pystickyhttp.cli.progress import amount, bar_line
from pystickyhttp.cli.terminal import DEFAULT_WIDTH, Terminal, harmless


@dataclass
class Times:
    """Times as `pystickyhttp.timing.Timing` has them."""

    pool: float = 0.0
    dns: float = 0.0
    connect: float = 0.0
    tunnel: float = 0.0
    tls: float = 0.0
    send: float = 0.0
    first_byte: float = 0.0
    download: float = 0.0
    total: float = 0.0
    reused: bool = False
    resumed: bool = False
    replayed: bool = False


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Basic c2VjcmV0", "Basic ***"),
        ("authorization", "c2VjcmV0", "***"),
        ("Proxy-Authorization", 'Digest username="a", response="b"', "Digest ***"),
        ("Cookie", "id=secret; theme=dark", "id=***; theme=***"),
        ("Cookie", "secret", "***"),
        ("Set-Cookie", "id=secret; Path=/; HttpOnly", "id=***; Path=/; HttpOnly"),
        ("Accept", "id=1; q=2", "id=1; q=2"),
    ],
)
def test_secrets_are_hidden_and_all_else_is_shown(name: str, value: str, shown: str) -> None:
    assert show.visible(name, value) == shown


def test_a_head_cannot_command_the_terminal() -> None:
    lines = list(show.head_lines("HTTP/1.1 200 \x1b[2J", [("X", "a\x9b31mb\tc")], secrets=True))
    assert lines == ["HTTP/1.1 200 \\x1b[2J", "X: a\\x9b31mb\tc"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_json_means_the_same_after_it_was_laid_out(value: Any) -> None:
    laid_out = show.pretty_json(json.dumps(value))
    assert laid_out is not None
    assert json.loads(laid_out) == value


@given(JSON)
def test_json_is_laid_out_as_the_standard_library_does_it(value: Any) -> None:
    text = json.dumps(value)
    if "\\" not in text:  # escapes stay where a terminal could not show what they stand for
        assert show.pretty_json(text) == json.dumps(value, indent=4)


def test_json_keeps_its_digits_and_its_doubled_names() -> None:
    assert show.pretty_json('{"a":1.50,"a":1E400,"b":12345678901234567890.10}') == (
        '{\n    "a": 1.50,\n    "a": 1E400,\n    "b": 12345678901234567890.10\n}'
    )


def test_escapes_are_resolved_where_the_terminal_is_safe_from_them() -> None:
    assert show.pretty_json(r'["gr\u00fc\u00dfe", "\u001b[2J", "a\nb", "\ud800"]') == (
        '[\n    "grüße",\n    "\\u001b[2J",\n    "a\\nb",\n    "\\ud800"\n]'
    )


@pytest.mark.parametrize("text", ["", "{", "<html>", "[" * 100_000])
def test_what_is_no_json_is_not_laid_out(text: str) -> None:
    assert show.pretty_json(text) is None


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("text/html", False),
        ("", False),
    ],
)
def test_json_is_known_by_its_type(content_type: str, is_json: bool) -> None:
    assert show.is_json(content_type) is is_json


# --- the waterfall


def test_each_step_has_a_bar_where_the_one_before_it_ends() -> None:
    timing = Times(dns=0.01, connect=0.01, tls=0.02, send=0.0, first_byte=0.05, download=0.01, total=0.1)
    lines = [line for line, _ in show.waterfall(timing, width=46, block="#")]
    assert lines == [
        "pool                   -",
        "dns              10.0 ms  ##",
        "connect          10.0 ms    ##",
        "tunnel                 -",
        "tls              20.0 ms      ####",
        "send                   -",
        "first byte       50.0 ms          ##########",
        "download         10.0 ms                    ##",
        "total           100.0 ms  new connection",
    ]


def test_the_waterfall_says_what_the_connection_was() -> None:
    timing = Times(first_byte=0.001, total=0.001, reused=True, resumed=True, replayed=True)
    assert show.waterfall(timing)[-1][0].endswith("reused connection, TLS resumed, replayed")


def test_a_step_that_is_too_short_for_a_bar_has_one_all_the_same() -> None:
    lines = [
        line for line, _ in show.waterfall(Times(send=1e-6, first_byte=1.0, download=1e-6, total=1.0), 50)
    ]
    assert [line.count(show.BLOCKS) for line in lines] == [0, 0, 0, 0, 0, 1, 24, 1, 0]


seconds = st.floats(min_value=0, max_value=1e5) | st.just(0.0)


@given(st.builds(Times, *[seconds] * 9), st.integers(min_value=1, max_value=300))
def test_the_waterfall_is_never_wider_than_the_terminal(timing: Times, width: int) -> None:
    for line, _ in show.waterfall(timing, width):
        assert len(line) <= max(width, 50)


def test_nothing_that_took_time_is_drawn_too() -> None:
    assert [line for line, _ in show.waterfall(Times())][-1] == "total             0.0 ms  new connection"


# --- the bar


def test_the_bar_says_how_far_how_fast_and_how_long_still() -> None:
    line = bar_line("big.iso", 0, 25_000_000, 100_000_000, 5.0, 90)
    assert line.startswith("big.iso   25%  [=")
    assert line.rstrip().endswith("]  25.0 MB of 100.0 MB  5.0 MB/s  0:15 left")
    assert len(line) == 90


def test_what_an_earlier_run_left_says_nothing_about_the_speed() -> None:
    assert "1.0 MB/s  0:01 left" in bar_line("f", 8_000_000, 9_000_000, 10_000_000, 1.0, 90)


@pytest.mark.parametrize(
    ("done", "total", "seconds", "left"),
    [
        (0, 10, 0.0, "-:-- left"),
        (10, 10, 1.0, "0:00 left"),
        (1, 3602, 1.0, "1:00:01 left"),
        (20, 10, 1.0, "0:00 left"),
        (0, 0, 1.0, "0:00 left"),
    ],
)
def test_the_time_left_is_told_as_far_as_it_is_known(
    done: int, total: int, seconds: float, left: str
) -> None:
    assert left in bar_line("f", 0, done, total, seconds, 90)


def test_without_a_whole_the_bar_says_what_has_come() -> None:
    assert bar_line("f", 0, 1500, None, 1.0, 30) == "f  1.5 KB  1.5 KB/s           "


@given(
    st.text(alphabet="abcdefgh.", max_size=60),
    st.integers(min_value=0, max_value=10**15),
    st.integers(min_value=0, max_value=10**15) | st.none(),
    st.integers(min_value=1, max_value=250),
)
def test_the_bar_is_as_wide_as_the_terminal(name: str, done: int, total: int | None, width: int) -> None:
    assert len(bar_line(name, 0, done, total, 1.0, width)) == width


def test_amounts_are_read_at_a_glance() -> None:
    assert [amount(size) for size in (0, 999, 1000, 1_500_000, 10**9, 10**12, 10**16)] == [
        "0 B",
        "999 B",
        "1.0 KB",
        "1.5 MB",
        "1.0 GB",
        "1.0 TB",
        "10000.0 TB",
    ]


# --- the stream


def test_what_a_stream_cannot_encode_is_written_as_an_escape() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    told = Terminal(stream)
    told.line("grüße", "bold")
    assert raw.getvalue() == b"gr\\xfc\\xdfe\n"
    assert not told.can_show(show.BLOCKS)
    assert told.can_show(show.PLAIN_BLOCKS)
    assert told.width == DEFAULT_WIDTH


def test_harmless_text_stays_as_it_is() -> None:
    assert harmless("grüße 日本\t€") == "grüße 日本\t€"
