"""Cookies by RFC 6265, section 5: what is stored, what goes back, and to whom."""

from __future__ import annotations

import calendar
import copy
import math
import pickle
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp.cookies import (
    Cookie,
    CookieConflictError,
    CookieJar,
    cookie_header,
    default_path,
    domain_matches,
    parse_date,
    parse_set_cookie,
    path_matches,
)
from pystickyhttp.urls import parse

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

NOW = 1_600_000_000.0
HTTP = parse("http://example.com/")
HTTPS = parse("https://example.com/")


def names(jar: CookieJar, url: str, now: float = NOW) -> list[str]:
    return [cookie.name for cookie in jar.cookies_for(parse(url), now)]


def jar_of(url: str, *set_cookie: str, now: float = NOW) -> CookieJar:
    jar = CookieJar()
    jar.extract(parse(url), set_cookie, now)
    return jar


def read(text: str, url: str = "http://example.com/") -> Cookie:
    cookie = parse_set_cookie(text, parse(url), NOW)
    assert cookie is not None
    return cookie


# -- Set-Cookie


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("a=b", "a", "b"),
        ("a=", "a", ""),
        ("a=b=c==", "a", "b=c=="),
        (" a\t=\tb ", "a", "b"),
        ("a=b c", "a", "b c"),
        ('a="b, c"', "a", '"b, c"'),  # the quotes are part of the value
        ("A=b; PATH=/; hTtPoNlY", "A", "b"),
        ("a=b;", "a", "b"),
        ("a=b;;;=;=x;y=z", "a", "b"),
        ("a=\xe9", "a", "\xe9"),
        ("a=b,c=d", "a", "b,c=d"),  # one field, one cookie
    ],
)
def test_name_and_value_are_kept_as_they_came(text: str, name: str, value: str) -> None:
    """RFC 6265, section 5.2."""
    cookie = read(text)
    assert (cookie.name, cookie.value) == (name, value)


@pytest.mark.parametrize("text", ["", ";", "=", " = ; Path=/", "; a=b"])
def test_what_has_neither_name_nor_value_is_passed_over(text: str) -> None:
    assert parse_set_cookie(text, HTTP, NOW) is None
    assert len(jar_of("http://example.com/", text)) == 0


VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f;"))


@unhurried
@given(VALUE.map(str.strip).filter(lambda value: value == value.strip(" \t")))
def test_a_value_goes_back_as_it_came(value: str) -> None:
    """Values are byte-exact both ways."""
    jar = jar_of("http://example.com/", f"name={value}; Path=/; Max-Age=10")
    assert cookie_header(jar.cookies_for(HTTP, NOW)) == f"name={value}"


attribute_names = st.sampled_from(
    ["Domain", "Path", "Expires", "Max-Age", "Secure", "HttpOnly", "SameSite", ""]
)
set_cookies = st.one_of(
    st.text(),
    st.text(st.sampled_from('a=;, \t"-0123456789:./')),
    st.builds("a=b; {}={}".format, attribute_names, st.text() | st.text(st.sampled_from("-0123456789:. "))),
)


@unhurried
@given(
    st.lists(set_cookies),
    st.sampled_from(["http://example.com/a/b", "https://[::1]/", "http://localhost:8/"]),
)
def test_no_text_of_a_server_raises(texts: list[str], url: str) -> None:
    jar = jar_of(url, *texts)
    assert isinstance(cookie_header(jar.cookies_for(parse(url), NOW)), str)


@unhurried
@given(st.text() | st.text(st.sampled_from("0123456789:- janfebdec²")))
def test_any_text_is_a_date_or_none(text: str) -> None:
    seconds = parse_date(text)
    assert seconds is None or math.isfinite(seconds)


def test_attributes_are_read_in_any_case_and_order() -> None:
    cookie = read(
        "a=b; SECURE; pAtH=/x; httponly; DOMAIN=.Example.COM; max-age=5", "https://www.example.com/"
    )
    assert cookie == Cookie(
        "a", "b", "example.com", "/x", NOW + 5, secure=True, http_only=True, host_only=False, created=NOW
    )


def test_a_cookie_without_attributes_is_for_its_host_and_the_session() -> None:
    assert read("a=b", "http://example.com/x/y") == Cookie(
        "a", "b", "example.com", "/x", None, secure=False, http_only=False, host_only=True, created=NOW
    )


# -- domain


@pytest.mark.parametrize(
    ("host", "domain", "expected"),
    [
        ("example.com", "example.com", True),
        ("www.example.com", "example.com", True),
        ("a.b.example.com", "example.com", True),
        ("example.com", "www.example.com", False),
        ("badexample.com", "example.com", False),
        ("example.com.evil.org", "example.com", False),
        ("example.org", "example.com", False),
        ("example.com.", "example.com", False),
        ("localhost", "localhost", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.1", False),
        ("127.0.0.1", "1", False),
        ("::1", "::1", True),
        ("::ffff:1.2.3.4", "3.4", False),
    ],
)
def test_a_domain_matches_itself_and_what_is_below_it(host: str, domain: str, expected: bool) -> None:
    """RFC 6265, section 5.1.3."""
    assert domain_matches(host, domain) is expected


HOSTS = [
    "example.com",
    "www.example.com",
    "a.www.example.com",
    "badexample.com",
    "example.org",
    "com",
    "localhost",
    "a.localhost",
    "127.0.0.1",
    "[::1]",
]
DOMAINS = [
    *("", ".", "example.com", "www.example.com", "a.www.example.com", "badexample.com", "example.org"),
    *(".example.com", "..example.com", "EXAMPLE.com", "ample.com", "*.com", "com", ".com"),
    *("localhost", "a.localhost", "127.0.0.1", "0.0.1", "0.1", "::1"),
]


def reach(host: str, domain: str) -> set[str]:
    """The hosts that a cookie reaches, by the labels of their names (RFC 6265, sections 5.1.3 and 5.3)."""
    domain = domain.lower().removeprefix(".")
    if domain in ("", host.strip("[]")) and (not domain or "." not in domain):
        return {host}
    own, wanted = host.split("."), domain.split(".")
    is_address = own[-1].isdigit() or host.startswith("[")
    if host != domain and (is_address or len(wanted) < 2 or own[-len(wanted) :] != wanted):
        return set()
    if is_address:
        return {host}
    return {other for other in HOSTS if other.split(".")[-len(wanted) :] == wanted}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_cookie_reaches_the_hosts_that_the_domain_match_allows_and_no_other(host: str, domain: str) -> None:
    attribute = f"; Domain={domain}" if domain else ""
    jar = jar_of(f"http://{host}/", f"a=b{attribute}")
    assert {other for other in HOSTS if names(jar, f"http://{other}/")} == reach(host, domain)


@unhurried
@given(st.sampled_from(HOSTS), st.text(), st.sampled_from(HOSTS))
def test_a_cookie_never_reaches_a_host_that_the_domain_match_denies(
    host: str, domain: str, other: str
) -> None:
    jar = jar_of(f"http://{host}/", f"a=b; Domain={domain}")
    if names(jar, f"http://{other}/"):
        (cookie,) = jar
        assert domain_matches(parse(f"http://{other}/").host, cookie.domain)
        assert domain_matches(parse(f"http://{host}/").host, cookie.domain)


def test_a_host_only_cookie_stays_with_its_host() -> None:
    jar = jar_of("http://example.com/", "own=1", "wide=2; Domain=example.com")
    assert names(jar, "http://example.com/") == ["own", "wide"]
    assert names(jar, "http://www.example.com/") == ["wide"]


def test_the_port_of_a_cookie_does_not_matter() -> None:
    """RFC 6265, section 8.5."""
    assert names(jar_of("http://example.com:8080/", "a=b"), "http://example.com:9090/") == ["a"]


# -- path


@pytest.mark.parametrize(
    ("path", "cookie_path", "expected"),
    [
        ("/", "/", True),
        ("/a", "/", True),
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b", "/a/", True),
        ("/a", "/a/", False),
        ("/ab", "/a", False),
        ("/A", "/a", False),
        ("/b/a", "/a", False),
        ("/", "/a", False),
        ("/%61", "/a", False),
    ],
)
def test_a_path_matches_itself_and_what_is_below_it(path: str, cookie_path: str, expected: bool) -> None:
    """RFC 6265, section 5.1.4."""
    assert path_matches(path, cookie_path) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b", "/a"), ("/a/b/", "/a/b"), ("", "/")],
)
def test_the_default_path_goes_up_to_the_last_slash(path: str, expected: str) -> None:
    """RFC 6265, section 5.1.4."""
    assert default_path(path) == expected


@pytest.mark.parametrize(
    "attribute", ["", "; Path", "; Path=", "; Path=b", "; Path=../", "; Path=/x; Path=b"]
)
def test_without_a_path_that_begins_with_a_slash_the_default_counts(attribute: str) -> None:
    """RFC 6265, section 5.2.4."""
    assert read(f"a=b{attribute}", "http://example.com/dir/page?/q/").path == "/dir"


def test_a_cookie_goes_below_its_path_alone() -> None:
    jar = jar_of("http://example.com/", "a=b; Path=/dir")
    assert names(jar, "http://example.com/dir/page") == ["a"]
    assert names(jar, "http://example.com/directory") == []
    assert names(jar, "http://example.com/?/dir") == []


# -- time


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        ("", None),
        ("; Max-Age=10", NOW + 10),
        ("; Max-Age= 10 ", NOW + 10),
        ("; Max-Age=010", NOW + 10),
        ("; Max-Age=0000000000000010", NOW + 10),
        ("; Max-Age=10; Max-Age=20", NOW + 20),
        ("; Expires=Thu, 01 Jan 2032 00:00:00 GMT", 1956528000),
        # Max-Age goes ahead of Expires, whichever comes first (section 5.3, step 3)
        ("; Max-Age=10; Expires=Thu, 01 Jan 2032 00:00:00 GMT", NOW + 10),
        ("; Expires=Thu, 01 Jan 2032 00:00:00 GMT; Max-Age=10", NOW + 10),
        ("; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=10", NOW + 10),
        # What is no number, or no date, is as if it were not there (sections 5.2.1 and 5.2.2)
        ("; Max-Age=", None),
        ("; Max-Age=x", None),
        ("; Max-Age=+10", None),
        ("; Max-Age=1.5", None),
        ("; Max-Age=1_0", None),
        ("; Max-Age=\u0661\u0660", None),
        ("; Max-Age=x; Expires=Thu, 01 Jan 2032 00:00:00 GMT", 1956528000),
        ("; Max-Age=10; Max-Age=x", NOW + 10),
        ("; Expires=tomorrow", None),
        ("; Expires=Thu, 01 Jan 2032 00:00:00 GMT; Expires=tomorrow", 1956528000),
    ],
)
def test_max_age_goes_ahead_of_expires(attributes: str, expires: float | None) -> None:
    assert read(f"a=b{attributes}").expires == expires


@pytest.mark.parametrize("max_age", ["9" * 15, "9" * 5000])
def test_a_max_age_of_any_length_is_a_long_time(max_age: str) -> None:
    assert names(
        jar_of("http://example.com/", f"a=b; Max-Age={max_age}"), "http://example.com/", NOW + 1e7
    ) == ["a"]


@pytest.mark.parametrize(
    "attributes",
    ["Max-Age=0", "Max-Age=-1", "Max-Age=-99999999999999999999", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
)
def test_a_cookie_that_has_expired_takes_away_the_one_that_is_there(attributes: str) -> None:
    jar = jar_of("http://example.com/", "a=b", "other=c", f"a=; {attributes}")
    assert names(jar, "http://example.com/") == ["other"]
    assert len(jar) == 1


def test_a_cookie_goes_until_its_time_and_then_is_gone() -> None:
    jar = jar_of("http://example.com/", "a=b; Max-Age=10", "session=c")
    assert names(jar, "http://example.com/", NOW + 9) == ["a", "session"]
    assert names(jar, "http://example.com/", NOW + 10) == ["session"]
    assert len(jar) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),  # the three of RFC 9110, section 5.6.7
        ("Sunday, 06-Nov-94 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
        ("Sun Nov  6 08:49:37 1994", (1994, 11, 6, 8, 49, 37)),
        ("Thu, 01-Jan-1970 00:00:00 GMT", (1970, 1, 1, 0, 0, 0)),
        ("6 november 1994 8:9:7", (1994, 11, 6, 8, 9, 7)),
        ("1994 Nov 6 08:49:37", (1994, 11, 6, 8, 49, 37)),
        ("08:49:37 6 NOVEMBRE 1994", (1994, 11, 6, 8, 49, 37)),
        ("06-Nov-1994 08:49:37 -0500", (1994, 11, 6, 8, 49, 37)),  # every date is UTC
        ("01 Jan 69 00:00:00", (2069, 1, 1, 0, 0, 0)),
        ("01 Jan 70 00:00:00", (1970, 1, 1, 0, 0, 0)),
        ("01 Jan 99 00:00:00", (1999, 1, 1, 0, 0, 0)),
        ("01 Jan 00 00:00:00", (2000, 1, 1, 0, 0, 0)),
        ("01 Jan 1601 00:00:00", (1601, 1, 1, 0, 0, 0)),
        ("31 Dec 9999 23:59:59", (9999, 12, 31, 23, 59, 59)),
        ("29 Feb 2020 00:00:00", (2020, 2, 29, 0, 0, 0)),
        ("6th Nov 1994th 08:49:37x", (1994, 11, 6, 8, 49, 37)),
    ],
)
def test_a_date_is_read_by_the_algorithm_of_the_rfc(text: str, expected: tuple[int, ...]) -> None:
    """RFC 6265, section 5.1.1."""
    assert parse_date(text) == calendar.timegm((*expected, 0, 0, 0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "06 Nov 1994",
        "Nov 1994 08:49:37",
        "06 1994 08:49:37",
        "06 Nov 08:49:37",
        "06 Nov 1600 08:49:37",
        "06 Nov 100 08:49:37",
        "00 Nov 1994 08:49:37",
        "32 Nov 1994 08:49:37",
        "31 Nov 1994 08:49:37",
        "29 Feb 2019 08:49:37",
        "06 Nov 1994 24:00:00",
        "06 Nov 1994 08:60:00",
        "06 Nov 1994 08:49:60",
        "06 Nov 1994 08:49",
        "06 Nov 1994 008:49:37",
        "06 Nov 19945 08:49:37",
        "٠٦ Nov 1994 08:49:37",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    """RFC 6265, section 5.1.1, step 5."""
    assert parse_date(text) is None


# -- Secure


def test_a_secure_cookie_never_goes_over_http() -> None:
    jar = jar_of("https://example.com/", "a=b; Secure", "plain=c")
    assert names(jar, "https://example.com/") == ["a", "plain"]
    assert names(jar, "http://example.com/") == ["plain"]
    assert names(jar, "http://example.com:443/") == ["plain"]


def test_a_secure_cookie_is_not_taken_from_http() -> None:
    """RFC 6265bis, section 5.7: else anyone on the way could set it."""
    assert len(jar_of("http://example.com/", "a=b; Secure")) == 0


def test_a_secure_cookie_set_in_code_never_goes_over_http() -> None:
    jar = CookieJar()
    jar.set("a", "b", secure=True)
    assert jar.cookies_for(HTTP) == []
    assert [cookie.name for cookie in jar.cookies_for(HTTPS)] == ["a"]


# -- order


def test_longer_paths_go_first_and_older_cookies_before_younger() -> None:
    """RFC 6265, section 5.4, step 2."""
    jar = CookieJar()
    url = parse("http://example.com/a/b/c")
    jar.extract(url, ["young=1; Path=/a", "short=2; Path=/"], NOW + 2)
    jar.extract(url, ["old=3; Path=/a"], NOW + 1)
    jar.extract(url, ["long=4; Path=/a/b"], NOW + 3)
    assert names(jar, "http://example.com/a/b/c", NOW + 4) == ["long", "old", "young", "short"]


def test_cookies_of_one_response_go_back_in_their_order() -> None:
    jar = jar_of("http://example.com/", "b=1", "a=2", "c=3")
    assert cookie_header(jar.cookies_for(HTTP, NOW)) == "b=1; a=2; c=3"


def test_a_cookie_that_is_set_again_keeps_its_place() -> None:
    """RFC 6265, section 5.3, step 11.3: it has the creation time of the one that it replaces."""
    jar = jar_of("http://example.com/", "a=1", "b=2")
    jar.extract(HTTP, ["a=3"], NOW + 5)
    assert cookie_header(jar.cookies_for(HTTP, NOW + 5)) == "a=3; b=2"
    assert len(jar) == 2


def test_cookies_of_one_name_differ_by_domain_and_path() -> None:
    jar = jar_of(
        "http://www.example.com/a/", "n=1; Path=/", "n=2; Path=/a", "n=3; Domain=example.com; Path=/"
    )
    assert cookie_header(jar.cookies_for(parse("http://www.example.com/a/"), NOW)) == "n=2; n=1; n=3"


# -- the mapping


def test_a_jar_is_read_as_a_mapping() -> None:
    jar = CookieJar({"a": "1", "b": "2"})
    assert jar["a"] == "1"
    assert jar.get("missing") is None
    assert jar.get("missing", "default") == "default"
    assert "a" in jar
    assert "missing" not in jar
    assert (jar.keys(), jar.values(), jar.items()) == (["a", "b"], ["1", "2"], [("a", "1"), ("b", "2")])
    assert jar.get_dict() == dict(jar.items()) == {"a": "1", "b": "2"}
    assert jar == {"a": "1", "b": "2"}
    del jar["a"]
    jar["b"] = None
    assert not jar
    for missing in (lambda: jar["a"], lambda: jar.__delitem__("a")):
        with pytest.raises(KeyError):
            missing()


def test_what_is_set_in_code_without_a_domain_goes_to_every_host() -> None:
    jar = CookieJar({"a": "1"})
    for host in HOSTS:
        assert [cookie.name for cookie in jar.cookies_for(parse(f"http://{host}/any/path"))] == ["a"]


def test_a_name_that_several_cookies_have_has_to_be_told_apart() -> None:
    jar = CookieJar()
    jar.set("n", "1", domain="example.com", path="/a")
    jar.set("n", "2", domain="example.org", path="/b")
    for ask in (lambda: jar.get("n"), lambda: jar["n"]):
        with pytest.raises(CookieConflictError):
            ask()
    assert jar.get("n", domain="example.com") == "1"
    assert jar.get("n", path="/b") == "2"
    assert jar.get_dict(domain=".example.org") == {"n": "2"}
    jar.remove("n", domain="example.com")
    assert jar["n"] == "2"


def test_a_domain_is_the_same_in_any_case() -> None:
    """RFC 6265, section 5.2.3: what is set under a domain is found, and removed, under it."""
    jar = CookieJar()
    jar.set("n", "1", domain="Example.COM")
    assert [cookie.value for cookie in jar.cookies_for(HTTP)] == ["1"]
    assert jar.get("n", domain="Example.COM") == "1"
    jar.set("n", None, domain="Example.COM")
    assert not jar


def test_jars_with_the_same_cookies_are_equal_whenever_they_were_made() -> None:
    one, other = jar_of("http://example.com/", "a=b"), jar_of("http://example.com/", "a=b", now=NOW + 1)
    assert one == other
    assert one != jar_of("http://example.com/", "a=c")
    assert one != jar_of("http://example.org/", "a=b")


def test_a_jar_says_which_cookies_it_has_and_keeps_their_values_to_itself() -> None:
    text = repr(jar_of("http://example.com/", "session=secret"))
    assert "session" in text
    assert "example.com" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "other", [{"b": "3", "c": "4"}, [("b", "3"), ("c", "4")], CookieJar({"b": "3", "c": "4"})]
)
def test_an_update_takes_over_what_is_given(other: Any) -> None:
    jar = CookieJar({"a": "1", "b": "2"})
    jar.update(other)
    assert jar.get_dict() == {"a": "1", "b": "3", "c": "4"}


@pytest.mark.parametrize(
    "duplicate",
    [CookieJar.copy, CookieJar, copy.copy, copy.deepcopy, lambda jar: pickle.loads(pickle.dumps(jar))],
)
def test_a_copy_has_the_same_cookies_and_goes_its_own_way(duplicate: Any) -> None:
    """L4: settings and cookies travel."""
    jar = jar_of(
        "https://example.com/a/", "a=1; Secure; HttpOnly; Path=/a; Domain=example.com", "b=2; Path=/"
    )
    twin = duplicate(jar)
    assert list(twin) == list(jar)
    twin.set("c", "3")
    jar.clear()
    assert (len(jar), len(twin)) == (0, 3)


# -- threads


def test_a_jar_can_be_used_by_many_threads_at_once() -> None:
    """L4."""
    jar, threads, rounds = CookieJar(), 8, 100
    ready = threading.Barrier(threads)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            ready.wait()
            for turn in range(rounds):
                jar.extract(HTTP, [f"kept-{number}-{turn}=1", f"gone-{number}=1; Max-Age=10"], NOW)
                assert f"kept-{number}-{turn}" in {cookie.name for cookie in jar.cookies_for(HTTP, NOW)}
                jar.extract(HTTP, [f"gone-{number}=; Max-Age=0"], NOW)
                assert len(jar.items()) >= turn
                jar.copy()
                pickle.dumps(jar)
        except BaseException as error:  # noqa: BLE001 (told by the thread that waits)
            errors.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert set(jar.keys()) == {f"kept-{number}-{turn}" for number in range(threads) for turn in range(rounds)}


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x08", "\x0a", "\x1f", "\x7f"], ids=repr)
@pytest.mark.parametrize("place", ["a{}=b", "a=b{}c", "a=b; Path=/{}"])
def test_a_cookie_with_a_control_character_is_ignored(control: str, place: str) -> None:
    """RFC 6265bis, section 5.6, step 1. Sent back, it would break every request that it matches (X7)."""
    jar = CookieJar()
    jar.extract(parse("http://h.example/"), [place.format(control)])
    assert len(jar) == 0
