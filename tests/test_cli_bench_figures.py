"""The figures of `pystickyhttp bench`, its words, its table and its bars: all that needs no server."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystickyhttp import exceptions
from pystickyhttp.cli import bench_figures, bench_options, bench_table, bench_words
from pystickyhttp.cli.bench_figures import Figures, Reply, figures_of
from pystickyhttp.cli.bench_measure import asks_to_close, without_tickets
from pystickyhttp.cli.failures import CommandError
from pystickyhttp.headers import Headers
from pystickyhttp.transport import Proxy, Route, TLSIdentity

seconds = st.floats(min_value=1e-6, max_value=3600.0)
many_seconds = st.lists(seconds, min_size=1, max_size=200)
names = st.sampled_from(["fresh", "fresh, resumed", "pooled"])


def made(*took: float, threads: int = 1, **what: Any) -> Figures:
    replies = [Reply(one, 200, 10) for one in took]
    return figures_of(replies, threads=threads, **what)


# --- figures


@given(many_seconds, st.floats(min_value=0.001, max_value=1.0))
def test_a_quantile_is_a_value_that_was_measured_and_its_share_does_not_exceed_it(
    values: list[float], share: float
) -> None:
    found = bench_figures.quantile(sorted(values), share)
    assert found in values
    within = sum(value <= found for value in values)
    below = sum(value < found for value in values)
    assert within >= share * len(values) - 1e-6
    assert below < share * len(values) + 1e-6


@pytest.mark.parametrize(("share", "rank"), [(0.5, 10), (0.95, 19), (0.99, 20), (1.0, 20)])
def test_a_quantile_has_the_nearest_rank(share: float, rank: int) -> None:
    assert bench_figures.quantile([float(number) for number in range(1, 21)], share) == rank


def test_of_nothing_there_are_no_figures() -> None:
    figures = figures_of([], threads=3)
    assert (figures.requests, figures.median, figures.p99, figures.per_second) == (0, None, None, None)
    assert bench_figures.gain(figures, made(1.0)) is None
    assert bench_figures.gain(made(1.0), figures) is None


@given(many_seconds, st.integers(min_value=1, max_value=64))
def test_median_p95_and_p99_ascend_and_lie_among_what_was_measured(values: list[float], threads: int) -> None:
    figures = made(*values, threads=threads)
    assert figures.median is not None
    assert figures.p95 is not None
    assert figures.p99 is not None
    assert min(values) <= figures.median <= figures.p95 <= figures.p99 <= max(values)
    assert figures.requests == len(values)
    assert figures.size == 10 * len(values)


def test_the_rate_is_what_the_threads_get_done_without_the_pauses() -> None:
    assert made(0.5, 0.5, 0.5, 0.5).per_second == 2.0
    assert made(0.5, 0.5, 0.5, 0.5, threads=2).per_second == 4.0
    assert made(0.5, threads=64).per_second == 2.0  # there was never more than one under way


def test_statuses_and_farewells_are_counted() -> None:
    replies = [Reply(1.0, 200, 0, "why"), Reply(1.0, 500, 0), Reply(1.0, 200, 0, "why")]
    figures = figures_of(replies, threads=1)
    assert figures.statuses == {200: 2, 500: 1}
    assert figures.farewells == {"why": 2}


@given(
    st.integers(min_value=0, max_value=10_000),
    st.integers(min_value=1, max_value=64),
    st.integers(min_value=1, max_value=10),
)
def test_the_shares_of_a_turn_are_even_and_send_no_more_than_is_left(
    left: int, threads: int, most: int
) -> None:
    shares = bench_figures.shares(left, threads, most)
    assert sum(shares) == min(left, threads * most)
    assert len(shares) <= threads
    assert all(1 <= share <= most for share in shares)
    assert not shares or max(shares) - min(shares) <= 1


def test_the_steps_of_a_response_are_those_that_took_place() -> None:
    timing = SimpleNamespace(pool=0.5, dns=0.0, connect=0.1, tls=0.2, first_byte=0.3, reused=False)
    assert bench_figures.steps_of(timing) == {"connect": 0.1, "tls": 0.2, "first_byte": 0.3}


def test_a_response_without_timing_has_no_steps() -> None:
    assert bench_figures.steps_of(None) == {}
    assert made(1.0).steps == {}


def test_the_steps_of_many_are_their_medians_and_come_in_the_order_of_a_request() -> None:
    each = [{"first_byte": 5.0, "connect": 1.0}, {"first_byte": 3.0, "connect": 2.0, "dns": 9.0}]
    figures = figures_of(
        [Reply(1.0, 200, 0, None, steps) for steps in (*each, {"first_byte": 4.0, "connect": 3.0})], threads=1
    )
    assert list(figures.steps.items()) == [("connect", 2.0), ("first_byte", 4.0)]


# --- words


@given(seconds)
def test_a_duration_is_short_and_has_its_unit(value: float) -> None:
    said = bench_words.duration(value)
    number, unit = said.split()
    assert len(number) <= 6
    assert float(number) * {"ms": 0.001, "s": 1.0}[unit] == pytest.approx(value, rel=0.01, abs=5.1e-6)


def test_no_duration_is_a_dash() -> None:
    assert bench_words.duration(None) == "-"


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_499, "999 kB"), (999_600, "1.0 MB"),
     (1_234_567, "1.2 MB"), (5_000_000_000, "5.0 GB"), (7_000_000_000_000, "7,000 GB")],
)  # fmt: skip
def test_an_amount_is_short(size: int, said: str) -> None:
    assert bench_words.amount(size) == said


def test_things_are_listed_as_one_says_them() -> None:
    assert [bench_words.listed(list(text)) for text in ("", "a", "ab", "abc")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_the_gain_is_said_with_what_it_comes_from() -> None:
    fresh, pooled = made(*[0.0011] * 100, opened=100), made(*[0.0004] * 100, opened=1)
    assert bench_words.about_gain(fresh, pooled, is_https=True) == (
        "Pooled connections were 2.8 times as fast: 0.40 ms instead of 1.10 ms per request, "
        "as 99 of 100 requests were spared the handshake."
    )
    assert "spared the making of a connection" in bench_words.about_gain(fresh, pooled, is_https=False)


def test_one_is_not_many() -> None:
    said = bench_words.about_gain(made(2.0, 2.0), made(1.0, 1.0, opened=1), is_https=True)
    assert said.endswith("as 1 of 2 requests was spared the handshake.")


def test_a_gain_above_ten_has_no_decimals() -> None:
    said = bench_words.about_gain(made(*[0.02] * 3), made(*[0.001] * 3, opened=1), is_https=True)
    assert "were 20 times as fast" in said


@pytest.mark.parametrize(
    ("pooled", "said"), [(1.0, "made no difference"), (1.04, "made no difference"), (2.0, "were slower")]
)
def test_where_nothing_was_gained_that_is_said(pooled: float, said: str) -> None:
    assert said in bench_words.about_gain(made(1.0, 1.0), made(pooled, pooled, opened=1), is_https=False)


def test_what_the_pool_did_not_do_is_not_praised_as_its_gain() -> None:
    said = bench_words.about_gain(made(2.0, 2.0), made(1.0, 1.0, opened=2), is_https=False)
    assert said.startswith("Pooling gained nothing: each pooled request took a new connection too")


def test_of_one_way_without_an_answer_nothing_is_compared() -> None:
    assert "nothing to compare" in bench_words.about_gain(made(1.0), made(), is_https=False)


CLOSES = {"version": 11, "headers": {"Content-Length": "0"}, "has_body": True, "is_asked_to": False}


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({}, None),
        ({"headers": {"Transfer-Encoding": "chunked"}}, None),
        ({"headers": {}, "has_body": False}, None),
        ({"headers": {"Content-Length": "0", "Connection": "Close"}}, "it answers with 'Connection: close'"),
        ({"is_asked_to": True}, "your own header asks for it"),
        ({"version": 10}, "HTTP/1.0"),
        ({"headers": {}}, "neither a Content-Length nor chunks"),
        ({"headers": {"Content-Length": "0", "Keep-Alive": "timeout=1"}}, "'Keep-Alive: timeout=1'"),
        ({"headers": {"Content-Length": "0", "Keep-Alive": "max=0"}}, "'Keep-Alive: max=0'"),
        ({"headers": {"Content-Length": "0", "Keep-Alive": "timeout=5, max=99"}}, None),
    ],
)
def test_why_a_connection_can_not_be_used_again_is_read_from_the_answer(
    what: dict[str, Any], why: str | None
) -> None:
    """Law R3."""
    said = bench_words.why_it_closes(**{**CLOSES, **what})
    assert said is None if why is None else said is not None and why in said


@pytest.mark.parametrize(
    ("headers", "asks"),
    [
        ({}, False),
        ({"Connection": "keep-alive"}, False),
        ({"connection": "x, Close"}, True),
        ({"Connection": None}, False),
    ],
)
def test_who_asks_the_server_to_close_is_told_so(headers: dict[str, str | None], asks: bool) -> None:
    assert asks_to_close(headers) is asks


def test_a_server_that_closes_each_connection_is_the_finding_with_the_reason() -> None:
    replies = [Reply(1.0, 200, 0, "it answers with 'Connection: close'")] * 4
    pooled = figures_of(replies, threads=1, opened=4)
    (said,) = bench_words.findings({"fresh": made(1.0), "pooled": pooled}, 1)
    assert said == (
        "The server closes each connection, so that there is nothing to pool, "
        "because it answers with 'Connection: close'."
    )


def test_a_server_that_closes_some_connections_without_a_word_is_a_finding() -> None:
    (said,) = bench_words.findings({"fresh": made(1.0), "pooled": made(*[1.0] * 9, opened=4)}, 1)
    assert said.startswith(
        "The server closes connections: 9 pooled requests took 4 of them, because it closed"
    )


def test_a_connection_for_each_thread_is_no_finding() -> None:
    assert bench_words.findings({"fresh": made(1.0), "pooled": made(*[1.0] * 9, opened=4)}, 4) == []


def test_statuses_that_are_no_success_are_said() -> None:
    replies = [Reply(1.0, status, 0) for status in (200, 503, 503, 599)]
    said = bench_words.findings({"fresh": figures_of(replies, threads=1), "pooled": made(1.0)}, 1)
    assert said == [
        "Of 4 requests (fresh) the server answered 2 times 503 Service Unavailable and 1 time 599."
    ]


def test_a_redirect_is_said_once_and_not_modified_is_none() -> None:
    redirected, unchanged = (figures_of([Reply(1.0, status, 0)], threads=1) for status in (302, 304))
    (said,) = bench_words.findings({"fresh": redirected, "pooled": redirected}, 1)
    assert "redirect" in said
    assert bench_words.findings({"fresh": unchanged, "pooled": unchanged}, 1) == []


def test_failures_are_said() -> None:
    said = bench_words.findings({"fresh": made(1.0, failures={"ReadTimeout": 2}), "pooled": made(1.0)}, 1)
    assert said == ["Without an answer (fresh): 2 times ReadTimeout; these are not in the figures."]


@pytest.mark.parametrize(
    ("taken", "said"), [(3, []), (0, ["resumes no TLS session"]), (2, ["2 took up an earlier"])]
)
def test_handshakes_that_were_not_resumed_are_said(taken: int, said: list[str]) -> None:
    ways = {"fresh": made(1.0), "fresh, resumed": made(1.0, opened=3, resumed=taken), "pooled": made(1.0)}
    found = bench_words.findings(ways, 1)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_an_early_end_is_said_with_what_there_is() -> None:
    ways = {"fresh": made(1.0, 1.0), "pooled": made(1.0)}
    assert bench_words.about_end(None, ways, 5) is None
    assert bench_words.about_end(bench_words.ENDED_BY_TIME, ways, 5) == (
        "It ended early, since the time for the whole run was up: "
        "answered were 2 fresh and 1 pooled, of 5 each."
    )


def test_the_plan_says_how_much_is_sent_where_to() -> None:
    said = bench_words.plan(
        "GET", "http://host", ["fresh", "pooled"], requests=100, threads=2, pause=0.05, max_time=30
    )
    assert "200 GET requests to http://host (100 each: fresh / pooled)" in said
    assert "by 2 threads, pauses of 50.0 ms" in said
    assert "30.0 s" in said


# --- the table and the bars

figures = st.builds(
    lambda took, threads, opened: made(*took, threads=threads, opened=opened),
    st.lists(seconds, max_size=30),
    st.integers(min_value=1, max_value=64),
    st.integers(min_value=0, max_value=10_000),
)
ways = st.dictionaries(names, figures, min_size=2, max_size=3)


def texts(lines: list[bench_table.Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@given(ways, st.integers(min_value=60, max_value=100))
def test_a_table_is_rectangular_and_fits(given_ways: dict[str, Figures], width: int) -> None:
    lines = texts(bench_table.table(given_ways, width))
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= width


def test_a_table_too_wide_for_the_screen_has_a_column_for_each_way() -> None:
    both = {"fresh": made(0.5, opened=1), "pooled": made(0.25, opened=1)}
    wide, narrow = texts(bench_table.table(both, 100)), texts(bench_table.table(both, 40))
    assert [line.split()[0] for line in wide] == ["requests", "fresh", "pooled"]
    assert narrow[0].split() == ["fresh", "pooled"]
    assert narrow[2].split() == ["median", "500", "ms", "250", "ms"]


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=1, max_value=100), st.booleans())
def test_a_bar_never_leaves_its_room_and_what_is_above_nothing_is_seen(
    share: float, room: int, unicode: bool
) -> None:
    drawn = bench_table.bar(share, room, unicode=unicode)
    assert len(drawn) <= room
    assert bool(drawn.strip()) is (share > 0)
    assert unicode or drawn.isascii()


@given(
    st.dictionaries(st.text("ab ", min_size=1, max_size=14), seconds, min_size=1, max_size=7), st.booleans()
)
def test_the_longest_bar_is_that_of_the_largest_value(values: dict[str, float], unicode: bool) -> None:
    lines = bench_table.bars(values, 80, unicode=unicode)
    drawn = {name: len(line[1][0]) for name, line in zip(values, lines, strict=True)}
    assert drawn[max(values, key=lambda name: values[name])] == max(drawn.values())
    assert all(len(text) <= 80 for text in texts(lines))


def test_no_bars_of_nothing() -> None:
    assert bench_table.bars({}, 80, unicode=True) == []
    assert texts(bench_table.bars({"a": 0.0}, 80, unicode=True)) == ["a    0.00 ms"]


class Terminal(io.TextIOWrapper):
    """What says that somebody looks, and how it writes."""

    def __init__(self, encoding: str) -> None:
        self.written = io.BytesIO()
        super().__init__(self.written, encoding=encoding)

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("encoding", "can"), [("utf-8", True), ("ascii", False), ("latin-1", False)])
def test_blocks_are_drawn_where_the_terminal_can_show_them(encoding: str, can: bool) -> None:
    with Terminal(encoding) as terminal:
        assert bench_table.Screen(terminal).unicode is can


def test_who_looks_not_gets_eighty_columns_of_ascii() -> None:
    screen = bench_table.Screen(io.StringIO())
    assert (screen.width, screen.unicode) == (80, False)


@pytest.mark.parametrize(("columns", "width"), [(10, 30), (64, 64), (500, 100)])
def test_the_width_is_the_terminals_within_what_one_can_read(columns: int, width: int) -> None:
    assert bench_table.readable(columns) == width


def test_with_rich_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with Terminal("utf-8") as terminal:
        bench_table.Screen(terminal).write([[("caf\u00e9", "bold"), (" bar [x]", "green")]])
        shown = terminal.written.getvalue().decode()
    assert "\x1b[32m bar [x]" in shown  # what is in brackets is none of rich's markup


def test_without_rich_a_terminal_gets_the_same_text_in_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    with Terminal("ascii") as terminal:
        bench_table.Screen(terminal).write([[("caf\u00e9", "bold"), (" bar", "green")], []])
        assert terminal.written.getvalue() == b"caf\\xe9 bar\n\n"


def test_where_the_time_goes_is_a_chart_of_its_own_where_it_was_measured() -> None:
    fresh = figures_of([Reply(1.0, 200, 0, None, {"connect": 0.25, "tls": 0.5})], threads=1)
    screen = bench_table.Screen(io.StringIO())
    lines = texts(bench_table.report({"fresh": fresh, "pooled": made(1.0)}, "headline", ["said"], screen))
    at = lines.index("Where it goes over a fresh connection")
    assert lines[at + 1].split()[0] == "connect"
    assert lines[at + 1].endswith("250 ms")
    assert lines[at + 2].split()[0] == "TLS"
    without = texts(
        bench_table.report({"fresh": made(1.0), "pooled": made(1.0)}, "headline", ["said"], screen)
    )
    assert "Where it goes over a fresh connection" not in without


# --- options


def test_the_bounds_are_there_by_default() -> None:
    options = bench_options.read_options(["example.com/path"])
    assert options == bench_options.Options(
        "GET", "http://example.com/path", pause=bench_options.POLITE_PAUSE
    )
    assert (options.requests, options.concurrency, options.max_time) == (100, 1, 30.0)


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://127.0.0.7/", "https://[::1]/", "http+unix://%2Ftmp%2Fx/"]
)
def test_one_s_own_machine_needs_no_pauses(url: str) -> None:
    assert bench_options.read_options([url]).pause == 0.0
    assert bench_options.read_options([url, "--pause", "0.5"]).pause == 0.5


def test_all_options_are_taken() -> None:
    given = ["HEAD", "https://host/", "-n", "7", "-c", "3", "--pause", "0", "--max-time", "5",
             "--timeout", "2", "-H", "A: b:c", "-H", "Accept:", "-H", "Empty;", "--cacert", __file__,
             "--proxy", "http://proxy", "--unix-socket", "/tmp/x", "--json"]  # fmt: skip
    assert bench_options.read_options(given) == bench_options.Options(
        method="HEAD", url="https://host/", requests=7, concurrency=3, pause=0.0, max_time=5.0, timeout=2.0,
        headers=Headers({"A": "b:c", "Accept": None, "Empty": ""}), verify=__file__, proxies={"all": "http://proxy"},
        unix_socket="/tmp/x", as_json=True,
    )  # fmt: skip


def test_insecure_verifies_nobody_and_an_empty_proxy_is_none() -> None:
    options = bench_options.read_options(["https://host/", "-k", "--proxy", ""])
    assert options.verify is False
    assert options.proxies == {}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["GET", "http://host", "more"],
        ["POST", "http://host"],
        ["http://host", "-n", "0"],
        ["http://host", "-n", "10001"],
        ["http://host", "-n", "many"],
        ["http://host", "-c", "65"],
        ["http://host", "--pause", "-1"],
        ["http://host", "--pause", "nan"],
        ["http://host", "--pause", "61"],
        ["http://host", "--max-time", "0"],
        ["http://host", "--timeout", "soon"],
        ["http://host", "-H", "no header"],
        ["http://host", "-H", ": value"],
        ["http://host", "-k", "--cacert", "x"],
        ["http://host", "--unix-socket", "x" * 200],
        ["http://host", "--cacert", "/nowhere/ca.pem"],
        ["http://host", "--unknown"],
    ],
)
def test_arguments_of_no_use_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        bench_options.read_options(arguments)


@pytest.mark.parametrize("url", ["http://", "ftp://host/", "http://host:port/"])
def test_urls_of_no_use_are_refused(url: str) -> None:
    with pytest.raises((exceptions.RequestException, CommandError)):
        bench_options.read_options([url])


def test_methods_that_change_something_have_to_be_asked_for_twice() -> None:
    assert bench_options.read_options(["post", "http://host", "--unsafe"]).method == "POST"


def test_no_secret_of_the_url_is_said() -> None:
    said = bench_options.Options("GET", "https://user:secret@host:8443/path?token=hidden").host
    assert said == "https://host:8443"
    assert bench_options.Options("GET", "http://host/", unix_socket="/tmp/x").host == "the unix socket /tmp/x"
    assert bench_options.Options("GET", "http+unix://%2Ftmp%2Fx/").host == "the unix socket /tmp/x"


# --- fresh handshakes


def test_a_route_without_tickets_differs_from_the_one_that_they_belong_to_by_name_alone() -> None:
    """Law S2: tickets are kept for the full TLS identity."""
    proxy = Proxy("https", "proxy", 443, tls=TLSIdentity())
    route = Route("https", "host", 443, TLSIdentity(ca="ca.pem"), proxy=proxy)
    other = without_tickets(route)
    assert other != route
    assert other.to_proxy != route.to_proxy
    assert other.tls == TLSIdentity(ca="ca.pem", server_hostname="host")
    assert other.to_proxy.tls == TLSIdentity(server_hostname="proxy")
    assert without_tickets(Route("http", "host", 80)) == Route("http", "host", 80)
