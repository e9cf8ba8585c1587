"""Cookies by RFC 6265bis (draft-22), section 5: one test for each step of its algorithms, named by the step.

What a jar offers to programs beyond that is in test_cookies_jar.py, its files in test_cookies_files.py.
"""

from __future__ import annotations

import calendar
import math
import string
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp.cookies import (
    MAX_LIFETIME,
    Cookie,
    CookieJar,
    cookie_header,
    default_path,
    domain_matches,
    is_public_suffix,
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


def sent(jar: CookieJar, url: str, now: float = NOW) -> str:
    """What goes back with a request of that URL."""
    return cookie_header(jar.cookies_for(parse(url), now))


def jar_of(url: str, *set_cookie: str, now: float = NOW, **limits: Any) -> CookieJar:
    jar = CookieJar(**limits)
    jar.extract(parse(url), set_cookie, now)
    return jar


def read(text: str, url: str = "https://example.com/", max_lifetime: float | None = MAX_LIFETIME) -> Cookie:
    cookie = parse_set_cookie(text, parse(url), NOW, max_lifetime)
    assert cookie is not None
    return cookie


def is_ignored(text: str, url: str = "https://example.com/") -> bool:
    ignored = parse_set_cookie(text, parse(url), NOW) is None
    assert ignored is (len(jar_of(url, text)) == 0)
    return ignored


# -- 5.1.1 dates


def seconds(*moment: int) -> int:
    return calendar.timegm((*moment, 0, 0, 0))


DELIMITERS = [
    "\t",
    *map(chr, [*range(0x20, 0x30), *range(0x3B, 0x41), *range(0x5B, 0x61), *range(0x7B, 0x7F)]),
]


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_5_1_1_step_1_tokens_stand_between_delimiters_of_any_kind_and_number(delimiter: str) -> None:
    parts = ["", "Sun", "06", "Nov", "1994", "08:49:37", "GMT", ""]
    assert parse_date(delimiter.join(parts)) == seconds(1994, 11, 6, 8, 49, 37)
    assert parse_date((3 * delimiter).join(parts)) == seconds(1994, 11, 6, 8, 49, 37)


@pytest.mark.parametrize("letter", ["\x00", "\x0a", "\x7f", "\xa0", "\xff", "0", "a", ":"])
def test_5_1_1_step_1_what_is_no_delimiter_is_a_part_of_a_token(letter: str) -> None:
    assert parse_date(letter.join(["06", "Nov", "1994", "08:49:37"])) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),  # the three of RFC 9110, section 5.6.7
        ("Sunday, 06-Nov-94 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
        ("Sun Nov  6 08:49:37 1994", (1994, 11, 6, 8, 49, 37)),
        ("Thu, 01-Jan-1970 00:00:00 GMT", (1970, 1, 1, 0, 0, 0)),
        ("1994 Nov 6 08:49:37", (1994, 11, 6, 8, 49, 37)),
        ("08:49:37 6 NOVEMBRE 1994", (1994, 11, 6, 8, 49, 37)),
        ("Nov 1994 08:49:37 6", (1994, 11, 6, 8, 49, 37)),
        ("06-Nov-1994 08:49:37 -0500", (1994, 11, 6, 8, 49, 37)),  # every date is UTC
        ("31 Dec 9999 23:59:59", (9999, 12, 31, 23, 59, 59)),
        ("29 Feb 2020 00:00:00", (2020, 2, 29, 0, 0, 0)),
    ],
)
def test_5_1_1_step_2_the_parts_come_in_any_order(text: str, expected: tuple[int, ...]) -> None:
    assert parse_date(text) == seconds(*expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8:9:7 6 Nov 1994", (1994, 11, 6, 8, 9, 7)),
        ("08:49:37x 6 Nov 1994", (1994, 11, 6, 8, 49, 37)),
        ("08:49:37:59 6 Nov 1994", (1994, 11, 6, 8, 49, 37)),
        # What is no time may well begin like a day, or a year, and then it is one.
        ("008:49:37 08:49:38 6 Nov 1994", (2008, 11, 6, 8, 49, 38)),
        ("08:49:377 08:49:38 6 Nov 1994", (1994, 11, 8, 8, 49, 38)),
        ("08:49 08:49:38 6 Nov 1994", (1994, 11, 8, 8, 49, 38)),
        ("08:49:37 09:49:38 6 Nov 1994", (1994, 11, 9, 8, 49, 37)),
    ],
)
def test_5_1_1_step_2_1_the_first_time_counts(text: str, expected: tuple[int, ...]) -> None:
    assert parse_date(text) == seconds(*expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6th Nov 1994 08:49:37", (1994, 11, 6, 8, 49, 37)),
        ("6 Nov 07 08:49:37", (2007, 11, 6, 8, 49, 37)),  # the first number of up to two digits is the day
        ("006 07 Nov 1994 08:49:37", (2006, 11, 7, 8, 49, 37)),  # three digits are a year
        ("x6 7 Nov 1994 08:49:37", (1994, 11, 7, 8, 49, 37)),
    ],
)
def test_5_1_1_step_2_2_the_first_day_counts(text: str, expected: tuple[int, ...]) -> None:
    assert parse_date(text) == seconds(*expected)


@pytest.mark.parametrize("number", range(1, 13))
def test_5_1_1_step_2_3_a_month_is_known_by_three_letters_in_any_case(number: int) -> None:
    name = calendar.month_name[number]
    for month in (name, name[:3], name.upper(), name.lower(), name[:3] + "\xff"):
        assert parse_date(f"6 {month} Xyz Foo 1994 08:49:37") == seconds(1994, number, 6, 8, 49, 37)
    assert parse_date(f"6 {name[:2]} 1994 08:49:37") is None
    assert parse_date(f"6 x{name} 1994 08:49:37") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6 Nov 1994th 08:49:37", (1994, 11, 6, 8, 49, 37)),
        ("6 Nov 1994 1995 08:49:37", (1994, 11, 6, 8, 49, 37)),
        ("6 Nov 19945 1995 08:49:37", (1995, 11, 6, 8, 49, 37)),
        ("6 Nov 5 1995 08:49:37", (1995, 11, 6, 8, 49, 37)),  # one digit is no year
    ],
)
def test_5_1_1_step_2_4_the_first_year_counts(text: str, expected: tuple[int, ...]) -> None:
    assert parse_date(text) == seconds(*expected)


@pytest.mark.parametrize(
    ("year", "expected"),
    [("70", 1970), ("99", 1999), ("00", 2000), ("69", 2069), ("094", 1994), ("0000", 2000)],
)
def test_5_1_1_steps_3_and_4_years_of_two_digits_are_from_1970_to_2069(year: str, expected: int) -> None:
    assert parse_date(f"01 Jan {year} 00:00:00") == seconds(expected, 1, 1, 0, 0, 0)


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
        "06 Nov 1994 24:00:00",
        "06 Nov 1994 08:60:00",
        "06 Nov 1994 08:49:60",
        "\u0660\u0666 Nov 1994 08:49:37",
    ],
)
def test_5_1_1_step_5_a_date_that_lacks_a_part_or_exceeds_a_bound_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_5_1_1_step_5_the_bounds_themselves_are_dates() -> None:
    assert parse_date("01 Jan 1601 00:00:00") == seconds(1601, 1, 1, 0, 0, 0)
    assert parse_date("31 Dec 1999 23:59:59") == seconds(1999, 12, 31, 23, 59, 59)


@pytest.mark.parametrize("text", ["31 Nov 1994 08:49:37", "29 Feb 2019 08:49:37", "30 Feb 2020 08:49:37"])
def test_5_1_1_step_6_a_date_that_does_not_exist_is_none(text: str) -> None:
    assert parse_date(text) is None


@unhurried
@given(st.text() | st.text(st.sampled_from("0123456789:- janfebdec²")))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = parse_date(text)
    assert found is None or math.isfinite(found)


@unhurried
@given(st.datetimes().filter(lambda moment: moment.year >= 1601), st.permutations(range(4)), st.data())
def test_a_date_is_read_back_however_it_is_written(
    moment: Any, order: list[int], data: st.DataObject
) -> None:
    month = data.draw(st.sampled_from([str.upper, str.lower, str.title]))(moment.strftime("%b"))
    parts = [f"{moment.day:02}", month, f"{moment.year:04}", moment.strftime("%H:%M:%S")]
    between = data.draw(st.text(st.sampled_from(DELIMITERS), min_size=1))
    expected = seconds(*moment.timetuple()[:6])
    assert parse_date(between.join(parts[index] for index in order)) == expected


# -- 5.1.2 host names


def test_5_1_2_a_domain_is_the_same_in_any_case_and_by_its_a_labels() -> None:
    jar = jar_of("http://www.B\xdcCHER.example/", "a=b; Domain=XN--BCHER-KVA.Example")
    assert [cookie.domain for cookie in jar] == ["xn--bcher-kva.example"]
    assert names(jar, "http://b\xfccher.EXAMPLE/") == ["a"]


def test_5_1_2_a_domain_given_in_code_is_made_canonical() -> None:
    jar = CookieJar()
    jar.set("a", "b", domain=".B\xfccher.example")
    assert names(jar, "http://www.xn--bcher-kva.example/") == ["a"]
    assert jar.get("a", domain="B\xdcCHER.example") == "b"


# -- 5.1.3 domain-match


@pytest.mark.parametrize(
    ("host", "domain", "expected"),
    [
        ("example.com", "example.com", True),
        ("localhost", "localhost", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("www.example.com", "example.com", True),
        ("a.b.example.com", "example.com", True),
        ("example.com", "www.example.com", False),
        ("badexample.com", "example.com", False),
        ("example.com.evil.org", "example.com", False),
        ("example.org", "example.com", False),
        ("example.com.", "example.com", False),
        ("127.0.0.1", "0.0.1", False),
        ("127.0.0.1", "1", False),
        ("10.1.2", "1.2", False),  # what a resolver takes for 10.1.0.2
        ("127.0.0.0x1", "0.0.0x1", False),
        ("1.127.0.0.1.", "127.0.0.1.", False),
        ("::ffff:1.2.3.4", "3.4", False),
        ("a.1.example", "1.example", True),
        ("x.0xyz", "0xyz", True),
    ],
)
def test_5_1_3_a_domain_matches_itself_and_what_is_below_it_unless_that_is_an_address(
    host: str, domain: str, expected: bool
) -> None:
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
    *(
        ".example.com",
        "..example.com",
        "EXAMPLE.com",
        "ample.com",
        "*.com",
        "com",
        ".com",
        "com.",
        "example.com.",
    ),
    *(
        "localhost",
        "a.localhost",
        "127.0.0.1",
        "0.0.1",
        "0.1",
        "::1",
        "[::1]",
        "example.com:80",
        "\xe9.com",
        "[example.com]",
    ),
]


def reach(host: str, domain: str) -> set[str]:
    """The hosts that a cookie reaches, by the labels of their names (sections 5.1.3 and 5.7)."""
    domain = domain.lower().removeprefix(".").replace("[::1]", "::1")
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


labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=3)
hosts = st.lists(
    st.sampled_from(["a", "b", "com", "co", "uk", "1", "0x1", "xn--p1ai"]), min_size=1, max_size=5
).map(".".join)


@unhurried
@given(
    hosts | st.sampled_from(HOSTS),
    st.text() | hosts | hosts.map(".{}".format),
    hosts | st.sampled_from(HOSTS),
)
def test_a_cookie_never_reaches_a_host_that_the_domain_match_denies(
    host: str, domain: str, other: str
) -> None:
    jar = jar_of(f"http://{host}/", f"a=b; Domain={domain}")
    if names(jar, f"http://{other}/"):
        (cookie,) = jar
        assert domain_matches(parse(f"http://{other}/").host, cookie.domain)
        assert domain_matches(parse(f"http://{host}/").host, cookie.domain)
        assert other == host or not is_public_suffix(cookie.domain)


# -- 5.1.4 paths


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"),
        ("x", "/"),
        ("/", "/"),
        ("/a", "/"),
        ("/a/", "/a"),
        ("/a/b", "/a"),
        ("/a/b/", "/a/b"),
        ("//", "/"),
    ],
)
def test_5_1_4_steps_2_to_4_the_default_path_goes_up_to_the_last_slash(path: str, expected: str) -> None:
    assert default_path(path) == expected


def test_5_1_4_step_1_the_default_path_is_of_the_path_and_not_of_the_query() -> None:
    assert read("a=b", "https://example.com/dir/page?/q/#/f/").path == "/dir"


@pytest.mark.parametrize(
    ("path", "cookie_path", "expected"),
    [
        ("/", "/", True),
        ("/a", "/a", True),
        ("/a/", "/a/", True),
        ("/a", "/", True),  # a prefix that ends in a slash
        ("/a/b", "/a/", True),
        ("/a/", "/a", True),  # a prefix that a slash follows
        ("/a/b", "/a", True),
        ("/a", "/a/", False),
        ("/ab", "/a", False),
        ("/A", "/a", False),
        ("/b/a", "/a", False),
        ("/", "/a", False),
        ("/%61", "/a", False),
    ],
)
def test_5_1_4_a_path_matches_itself_and_what_is_below_it(
    path: str, cookie_path: str, expected: bool
) -> None:
    assert path_matches(path, cookie_path) is expected


# -- 5.4 and 5.7, steps 20 to 22: prefixes of names


@pytest.mark.parametrize("prefix", ["__Secure-", "__secure-", "__SECURE-"])
def test_5_7_step_20_a_name_with_secure_ahead_needs_secure(prefix: str) -> None:
    assert is_ignored(f"{prefix}a=b")
    assert is_ignored(f"{prefix}a=b; Secure", "http://example.com/")
    assert read(f"{prefix}a=b; Secure; Domain=example.com; Path=/x").name == f"{prefix}a"


@pytest.mark.parametrize("prefix", ["__Host-", "__host-", "__HOST-"])
def test_5_7_step_21_a_name_with_host_ahead_needs_secure_its_own_host_and_the_path_of_all(
    prefix: str,
) -> None:
    assert read(f"{prefix}a=b; Secure; Path=/").name == f"{prefix}a"
    assert read(f"{prefix}a=b; Secure; Path=/; Domain=").host_only
    for attributes in (
        "Path=/",
        "Secure",  # the path has to be said, though it is the default
        "Secure; Path=/x",
        "Secure; Path=/; Domain=example.com",
    ):
        assert is_ignored(f"{prefix}a=b; {attributes}"), attributes
    assert is_ignored(f"{prefix}a=b; Secure; Path=/", "http://example.com/")


@pytest.mark.parametrize("value", ["__Secure-a", "__host-a", "=__Host-a", "=__SECURE-a=b", "__Host-"])
def test_5_7_step_22_a_value_without_a_name_may_not_look_like_a_prefixed_name(value: str) -> None:
    assert is_ignored(f"{value}; Secure; Path=/")


@pytest.mark.parametrize("name", ["__Secure", "_Secure-a", "x__Host-a", "__Hosta"])
def test_5_4_what_only_resembles_a_prefix_is_a_name_like_others(name: str) -> None:
    assert read(f"{name}=b", "http://example.com/").name == name


# -- 5.5 lifetime


@pytest.mark.parametrize(
    "attribute", ["Max-Age=99999999", "Max-Age=" + "9" * 900, "Expires=Thu, 01 Jan 2099 00:00:00 GMT"]
)
def test_5_5_no_cookie_lives_longer_than_400_days_unless_that_is_asked_for(attribute: str) -> None:
    assert read(f"a=b; {attribute}").expires == NOW + 400 * 86400
    assert read(f"a=b; {attribute}", max_lifetime=60).expires == NOW + 60
    unlimited = read(f"a=b; {attribute}", max_lifetime=None).expires
    assert unlimited is not None
    assert unlimited > NOW + 400 * 86400
    (kept,) = jar_of("https://example.com/", f"a=b; {attribute}", max_lifetime=60)._entries.values()
    assert kept.cookie.expires == NOW + 60


# -- 5.6 Set-Cookie: name and value


@pytest.mark.parametrize("control", [chr(code) for code in [*range(9), *range(0x0A, 0x20), 0x7F]], ids=repr)
@pytest.mark.parametrize("place", ["a{}=b", "a=b{}c", "a=b{}", "a=b; Path=/{}", "a=b; {}"])
def test_5_6_step_1_a_field_with_a_control_character_is_ignored(control: str, place: str) -> None:
    """Sent back, it would break every request that it matches (X7)."""
    assert is_ignored(place.format(control))


def test_5_6_step_1_a_tab_is_no_control_character() -> None:
    assert read("a=b\tc").value == "b\tc"


@pytest.mark.parametrize("text", ["a=b", "a=b;", "a=b;;;=;=x;y=z", "a=b; c=d"])
def test_5_6_step_2_name_and_value_end_at_the_first_semicolon(text: str) -> None:
    assert read(text) == read("a=b")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("a=b", "a", "b"),
        ("a=", "a", ""),
        ("a=b=c==", "a", "b=c=="),
        ("b", "", "b"),  # without "=" it is all value
        ("=b", "", "b"),
        ("=a=b", "", "a=b"),
        ("a=b,c=d", "a", "b,c=d"),  # one field, one cookie
        ('a="b, c"', "a", '"b, c"'),  # the quotes are part of the value
        ('a="b; c"', "a", '"b'),  # and keep no semicolon together
        ("a=%22b%3B", "a", "%22b%3B"),
        ("a=b c", "a", "b c"),
        ("a=\xe9\xff", "a", "\xe9\xff"),
        ("A=b; PATH=/; hTtPoNlY", "A", "b"),
    ],
)
def test_5_6_step_3_the_first_equals_sign_divides_name_and_value(text: str, name: str, value: str) -> None:
    cookie = read(text)
    assert (cookie.name, cookie.value) == (name, value)


@pytest.mark.parametrize("text", [" a\t=\tb ", "\t a = b\t ;Path=/", "a =b", "a= b"])
def test_5_6_step_4_white_space_around_name_and_value_is_no_part_of_them(text: str) -> None:
    assert (read(text).name, read(text).value) == ("a", "b")
    assert read(" a b\t= c\td ;").name == "a b"


@pytest.mark.parametrize(
    ("name", "value", "ignored"),
    [(0, 4096, False), (0, 4097, True), (1, 4095, False), (1, 4096, True), (4096, 0, False), (4097, 0, True)],
)
def test_5_6_step_5_name_and_value_have_at_most_4096_octets_together(
    name: int, value: int, ignored: bool
) -> None:
    assert is_ignored(f" {'n' * name} = {'v' * value} ; Path=/") is ignored


LATIN_1 = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f;"), max_size=200
)


@unhurried
@given(LATIN_1.map(lambda value: value.strip(" ")))
def test_5_6_step_6_a_value_goes_back_as_it_came(value: str) -> None:
    """Byte-exact both ways."""
    jar = jar_of("http://example.com/", f"name={value}; Path=/; Max-Age=10")
    assert sent(jar, "http://example.com/") == f"name={value}"


# -- 5.6 Set-Cookie: attributes


def test_5_6_attributes_steps_1_to_5_names_are_read_in_any_case_and_order_with_space_around() -> None:
    text = "a=b;SECURE;\tpAtH = /x ;httponly=yes; DOMAIN =.Example.COM;;  max-age\t=5; SameSite = lAX;Other"
    assert read(text, "https://www.example.com/") == Cookie(
        *("a", "b", "example.com", "/x", NOW + 5),
        secure=True,
        http_only=True,
        host_only=False,
        created=NOW,
        same_site="Lax",
    )


def test_5_6_attributes_step_4_the_first_equals_sign_divides_name_and_value() -> None:
    assert read("a=b; Path=/x=y=z").path == "/x=y=z"


@pytest.mark.parametrize(
    ("attribute", "same_as"),
    [
        ("; Path=/x; Path=/{}", "; Path=/x"),
        ("; Path=/{}", ""),
        ("; Domain=example.com; Domain={}.example.com", "; Domain=example.com"),
        ("; Max-Age=5; Max-Age={}", "; Max-Age=5"),
        ("; SameSite=Lax; SameSite={}", "; SameSite=Lax"),
        ("; Secure={}", ""),
        ("; HttpOnly={}", ""),
    ],
)
def test_5_6_attributes_step_6_an_attribute_whose_value_exceeds_1024_octets_is_ignored(
    attribute: str, same_as: str
) -> None:
    assert read("a=b" + attribute.format("0" * 1025)) == read("a=b" + same_as)


def test_5_6_attributes_step_6_a_value_of_1024_octets_is_not_too_long() -> None:
    assert read(f"a=b; Path=/{'x' * 1023}").path == "/" + "x" * 1023
    assert read(f"a=b; Secure={'x' * 1024}").secure


def test_5_6_attributes_step_7_unknown_ones_are_passed_over() -> None:
    assert read("a=b; Version=1; Port=80; Comment=c; Partitioned; Priority=High; $Path=/x") == read("a=b")


def test_a_cookie_without_attributes_is_for_its_host_and_the_session() -> None:
    assert read("a=b", "http://example.com/x/y") == Cookie(
        "a", "b", "example.com", "/x", None, secure=False, http_only=False, host_only=True, created=NOW
    )


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        ("Expires=Sat, 19 Sep 2020 00:00:00 GMT", seconds(2020, 9, 19, 0, 0, 0)),
        ("Expires=19 Sep 2020 00:00:00; Expires=20 Sep 2020 00:00:00", seconds(2020, 9, 20, 0, 0, 0)),
        ("Expires=tomorrow", None),
        ("Expires", None),
        ("Expires=19 Sep 2020 00:00:00; Expires=tomorrow", seconds(2020, 9, 19, 0, 0, 0)),
    ],
)
def test_5_6_1_the_last_expires_that_is_a_date_counts(attributes: str, expires: float | None) -> None:
    assert read(f"a=b; {attributes}").expires == expires


@pytest.mark.parametrize(
    ("value", "expires"),
    [
        ("10", NOW + 10),
        (" 10 ", NOW + 10),
        ("010", NOW + 10),
        ("0000000000000010", NOW + 10),
        ("10; Max-Age=20", NOW + 20),
        ("10; Max-Age=x", NOW + 10),
        ("", None),  # steps 1 to 3: what is no number is as if it were not there
        ("x", None),
        ("-", None),
        ("--1", None),
        ("+10", None),
        ("1.5", None),
        ("1_0", None),
        ("1 0", None),
        ('"10"', None),
        ("\u0661\u0660", None),
    ],
)
def test_5_6_2_the_last_max_age_that_is_a_number_counts(value: str, expires: float | None) -> None:
    assert read(f"a=b; Max-Age={value}").expires == expires


@pytest.mark.parametrize("value", ["0", "00", "-0", "-1", "-" + "9" * 900])
def test_5_6_2_step_7_a_max_age_of_nothing_or_less_has_passed(value: str) -> None:
    assert read(f"a=b; Max-Age={value}").is_expired(NOW)


@pytest.mark.parametrize(
    ("attributes", "domain", "host_only"),
    [
        ("Domain=example.com", "example.com", False),
        ("Domain=.example.com", "example.com", False),
        ("Domain=EXAMPLE.com", "example.com", False),
        ("Domain=www.example.com; Domain=example.com", "example.com", False),
        ("Domain=example.com; Domain=www.example.com", "www.example.com", False),
        ("Domain", "www.example.com", True),
        ("Domain=", "www.example.com", True),
        ("Domain=.", "www.example.com", True),
        ("Domain=example.com; Domain=", "www.example.com", True),
    ],
)
def test_5_6_3_the_last_domain_counts_without_its_dot(attributes: str, domain: str, host_only: bool) -> None:
    cookie = read(f"a=b; {attributes}", "http://www.example.com/")
    assert (cookie.domain, cookie.host_only) == (domain, host_only)


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ("Path=/x", "/x"),
        ("Path=/x/", "/x/"),
        ("Path=/x; Path=/y", "/y"),
        ('Path="/x"', "/dir"),
        ("Path", "/dir"),
        ("Path=", "/dir"),
        ("Path=x", "/dir"),
        ("Path=../", "/dir"),
        ("Path=/x; Path=y", "/dir"),
    ],
)
def test_5_6_4_the_last_path_counts_and_is_the_default_where_it_does_not_begin_with_a_slash(
    attributes: str, path: str
) -> None:
    assert read(f"a=b; {attributes}", "http://example.com/dir/page").path == path


@pytest.mark.parametrize("value", ["", "=", "=false", "=0", " = x"])
def test_5_6_5_and_5_6_6_secure_and_http_only_are_there_whatever_their_value(value: str) -> None:
    cookie = read(f"a=b; Secure{value}; HttpOnly{value}")
    assert (cookie.secure, cookie.http_only) == (True, True)


@pytest.mark.parametrize(
    ("attributes", "same_site"),
    [
        ("", ""),
        ("SameSite=Strict", "Strict"),
        ("SameSite=lax", "Lax"),
        ("SameSite=NONE", "None"),
        ("SameSite", ""),
        ("SameSite=Maybe", ""),
        ("SameSite=Lax; SameSite=Strict", "Strict"),
        ("SameSite=Lax; SameSite=Maybe", ""),
    ],
)
def test_5_6_7_and_5_7_step_17_the_last_same_site_is_kept_and_shown(attributes: str, same_site: str) -> None:
    cookie = read(f"a=b; Secure; {attributes}")
    assert cookie.same_site == same_site
    assert cookie.get_nonstandard_attr("samesite", "") == same_site
    # 5.2, step 1: requests that no document makes are same-site, so it goes with every one.
    assert cookie.matches(HTTPS)


# -- 5.7 storing


@pytest.mark.parametrize("text", ["", ";", "=", " = ; Path=/", "; a=b", "\t"])
def test_5_7_step_2_what_has_neither_name_nor_value_is_ignored(text: str) -> None:
    assert is_ignored(text)


def test_5_7_step_5_a_cookie_is_created_and_used_when_it_comes() -> None:
    jar = jar_of("http://example.com/", "a=b")
    (entry,) = jar._entries.values()
    assert (entry.cookie.created, entry.used) == (NOW, NOW)


@pytest.mark.parametrize(
    "attributes",
    [
        "Max-Age=10; Expires=Sat, 19 Sep 2020 00:00:00 GMT",
        "Expires=Sat, 19 Sep 2020 00:00:00 GMT; Max-Age=10",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=10",
        "Max-Age=10; Expires=tomorrow",
    ],
)
def test_5_7_step_6_max_age_goes_ahead_of_expires(attributes: str) -> None:
    assert read(f"a=b; {attributes}").expires == NOW + 10


def test_5_7_step_6_expires_counts_where_no_max_age_can_be_read() -> None:
    text = "a=b; Max-Age=x; Expires=Sat, 19 Sep 2020 00:00:00 GMT"
    assert read(text).expires == seconds(2020, 9, 19, 0, 0, 0)


def test_5_7_step_8_a_domain_outside_ascii_is_refused() -> None:
    assert is_ignored("a=b; Domain=\xe9.example.com", "http://xn--9ca.example.com/")


SUFFIXES = ["com", "co.uk", "github.io", "kawasaki.jp", "anything.kawasaki.jp", "xn--p1ai"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_5_7_step_9_no_host_sets_a_cookie_for_a_public_suffix(suffix: str) -> None:
    for domain in (suffix, f".{suffix}", suffix.upper()):
        assert is_ignored(f"a=b; Domain={domain}", f"http://www.{suffix}/")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_5_7_step_9_a_cookie_for_a_public_suffix_of_its_own_host_stays_with_that_host(suffix: str) -> None:
    jar = jar_of(f"http://{suffix}/", f"a=b; Domain={suffix}")
    assert [(cookie.domain, cookie.host_only) for cookie in jar] == [(suffix, True)]
    assert names(jar, f"http://{suffix}/") == ["a"]
    assert names(jar, f"http://www.{suffix}/") == []


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        *((suffix, True) for suffix in SUFFIXES),
        *(
            ("com.", True),
            (".com", True),
            ("co.uk.", True),
            ("localhost", True),
            ("unheard-of", True),
            ("", True),
        ),
        *(
            ("example.com", False),
            ("example.co.uk", False),
            ("city.kawasaki.jp", False),
            ("a.unheard-of", False),
        ),
    ],
)
def test_5_7_step_9_public_suffixes_are_single_labels_and_what_the_list_says(
    domain: str, expected: bool
) -> None:
    assert is_public_suffix(domain) is expected


def test_5_7_step_9_without_the_list_the_public_suffixes_are_the_single_labels() -> None:
    program = """
import sys
sys.modules["publicsuffixlist"] = None  # as if it were not installed
from pystickyhttp.cookies import CookieJar
from pystickyhttp.urls import parse
jar = CookieJar()
domains = ["co.uk", "uk", "example.co.uk"]
jar.extract(parse("http://www.example.co.uk/"), [f"{domain}=x; Domain={domain}" for domain in domains])
print(jar.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "['co.uk', 'example.co.uk']\n"


def test_5_7_step_9_the_list_is_not_read_before_a_cookie_has_a_domain() -> None:
    program = """
import sys
from pystickyhttp.cookies import CookieJar
from pystickyhttp.urls import parse
jar = CookieJar()
jar.extract(parse("http://www.example.com/"), ["a=b", "c=d; Domain=com", "e=f; Domain=example.org"])
print("publicsuffixlist" in sys.modules)
jar.extract(parse("http://www.example.com/"), ["a=b; Domain=example.com"])
print("publicsuffixlist" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\nTrue\n"


def test_5_7_step_10_a_cookie_without_a_domain_stays_with_its_host() -> None:
    jar = jar_of("http://example.com/", "own=1", "wide=2; Domain=example.com")
    assert names(jar, "http://example.com/") == ["own", "wide"]
    assert names(jar, "http://www.example.com/") == ["wide"]


def test_5_7_step_11_the_path_is_the_one_given_or_the_default() -> None:
    jar = jar_of("http://example.com/dir/page", "a=b", "c=d; Path=/other")
    assert [cookie.path for cookie in jar] == ["/dir", "/other"]


def test_5_7_step_13_a_secure_cookie_is_taken_from_https_alone() -> None:
    """Else anyone on the way could set it."""
    for host in ("example.com", "localhost", "127.0.0.1", "[::1]"):
        assert is_ignored("a=b; Secure", f"http://{host}/")
        assert read("a=b; Secure", f"https://{host}/").secure


@pytest.mark.parametrize(
    ("secure", "plain", "ignored"),
    [
        ("a=1; Secure; Path=/", "a=2; Path=/", True),
        ("a=1; Secure; Path=/", "a=2; Path=/x", True),  # it would go ahead of the other one
        ("a=1; Secure; Path=/x", "a=2; Path=/x/y", True),
        ("a=1; Secure; Path=/; Domain=example.com", "a=2; Path=/", True),
        ("a=1; Secure; Path=/", "a=2; Path=/; Domain=example.com", True),
        ("a=1; Secure; Path=/", "a=; Path=/; Max-Age=0", True),  # nor does it take it away
        ("a=1; Secure; Path=/x", "a=2; Path=/", False),
        ("a=1; Secure; Path=/x", "a=2; Path=/xy", False),
        ("a=1; Secure; Path=/", "b=2; Path=/", False),
        ("a=1; Path=/", "a=2; Path=/", False),
    ],
)
def test_5_7_step_16_what_http_sets_does_not_lie_over_what_is_secure(
    secure: str, plain: str, ignored: bool
) -> None:
    jar = jar_of("https://www.example.com/", secure)
    before = list(jar)
    jar.extract(parse("http://www.example.com/"), [plain], NOW)
    assert (list(jar) == before) is ignored


def test_5_7_step_16_holds_for_the_hosts_above_and_below_and_for_no_others() -> None:
    jar = jar_of("https://example.com/", "a=1; Secure; Domain=example.com")
    for url in ("http://www.example.com/", "http://example.com/"):
        jar.extract(parse(url), ["a=2"], NOW)
    assert jar.get_dict() == {"a": "1"}
    jar.extract(parse("http://example.org/"), ["a=2"], NOW)
    assert jar.get_dict(domain="example.org") == {"a": "2"}
    below = jar_of("https://a.www.example.com/", "a=1; Secure")
    below.extract(parse("http://www.example.com/"), ["a=2; Domain=example.com"], NOW)
    assert below.get_dict() == {"a": "1"}


def test_5_7_step_16_https_may_replace_a_secure_cookie_and_then_so_may_http() -> None:
    jar = jar_of("https://example.com/", "a=1; Secure")
    jar.extract(HTTPS, ["a=2"], NOW)
    assert sent(jar, "http://example.com/") == "a=2"
    jar.extract(HTTP, ["a=3"], NOW)
    assert sent(jar, "http://example.com/") == "a=3"


def test_5_7_step_16_a_secure_cookie_that_is_gone_is_in_nobodys_way() -> None:
    jar = jar_of("https://example.com/", "a=1; Secure", "a=; Secure; Max-Age=0", "b=1; Secure")
    jar.remove("b")
    jar.extract(HTTP, ["a=2", "b=2"], NOW)
    assert sent(jar, "http://example.com/") == "a=2; b=2"


def test_5_7_step_16_nor_is_one_that_has_expired() -> None:
    jar = jar_of("https://example.com/", "a=1; Secure; Max-Age=10")
    jar.extract(HTTP, ["a=2"], NOW + 10)
    assert sent(jar, "http://example.com/", NOW + 10) == "a=2"


def test_5_7_step_19_same_site_none_needs_secure() -> None:
    assert is_ignored("a=b; SameSite=None")
    assert is_ignored("a=b; SameSite=none", "http://localhost/")
    assert read("a=b; SameSite=None; Secure").same_site == "None"


def test_5_7_step_23_a_cookie_that_is_set_again_keeps_the_time_of_its_creation_and_so_its_place() -> None:
    jar = jar_of("http://example.com/", "a=1", "b=2")
    jar.extract(HTTP, ["a=3; HttpOnly"], NOW + 5)
    assert sent(jar, "http://example.com/") == "a=3; b=2"
    assert [(cookie.name, cookie.created, cookie.http_only) for cookie in jar] == [
        ("a", NOW, True),
        ("b", NOW, False),
    ]


def test_5_7_step_23_a_cookie_in_the_place_of_one_that_has_expired_is_a_new_one() -> None:
    jar = jar_of("http://example.com/", "a=1; Max-Age=10", "b=2")
    jar.extract(HTTP, ["a=3"], NOW + 20)
    assert sent(jar, "http://example.com/") == "b=2; a=3"


def test_5_7_step_23_cookies_of_one_name_differ_by_domain_path_and_host_only() -> None:
    jar = jar_of(
        "http://www.example.com/a/",
        *(
            "n=1; Path=/",
            "n=2; Path=/a",
            "n=3; Domain=example.com; Path=/",
            "n=4; Domain=www.example.com; Path=/",
        ),
    )
    assert sent(jar, "http://www.example.com/a/") == "n=2; n=1; n=3; n=4"
    jar.extract(parse("http://www.example.com/"), ["n=5; Path=/"], NOW)
    assert sent(jar, "http://www.example.com/a/") == "n=2; n=5; n=3; n=4"


@pytest.mark.parametrize(
    "attributes",
    ["Max-Age=0", "Max-Age=-1", "Max-Age=-99999999999999999999", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
)
def test_5_7_step_24_a_cookie_that_has_expired_takes_away_the_one_that_is_there(attributes: str) -> None:
    jar = jar_of("http://example.com/", "a=b", "other=c", f"a=; {attributes}", f"new=d; {attributes}")
    assert names(jar, "http://example.com/") == ["other"]
    assert len(jar) == 1


def test_5_7_at_its_end_an_expired_cookie_is_gone() -> None:
    jar = jar_of("http://example.com/", "a=b; Max-Age=10", "session=c")
    assert names(jar, "http://example.com/", NOW + 9) == ["a", "session"]
    assert names(jar, "http://example.com/", NOW + 10) == ["session"]
    assert names(jar, "http://example.com/", NOW) == ["session"]


@pytest.mark.parametrize(
    "look", [len, list, CookieJar.items, CookieJar.get_dict, lambda jar: "a" in jar, repr]
)
def test_5_7_at_its_end_an_expired_cookie_is_not_shown_either(look: Any) -> None:
    """It came long ago, by the clock that looks."""
    jar = jar_of("http://example.com/", "a=b; Max-Age=10")
    assert look(jar) == look(CookieJar())


def test_5_7_at_its_end_expired_cookies_go_first_when_a_domain_has_too_many() -> None:
    jar = jar_of("http://example.com/", "a=1", "b=2; Max-Age=10", "c=3", max_per_domain=3)
    jar.extract(HTTP, ["d=4"], NOW + 20)
    assert names(jar, "http://example.com/", NOW + 20) == ["a", "c", "d"]


def test_5_7_at_its_end_then_those_go_that_are_not_secure_and_were_not_used_for_longest() -> None:
    jar = jar_of("https://example.com/", "s=0; Secure", "a=1", "b=2; Path=/x", "c=3", max_per_domain=4)
    assert names(jar, "https://example.com/", NOW + 1) == ["s", "a", "c"]
    jar.extract(HTTPS, ["d=4"], NOW + 2)  # b was asked for by nobody
    assert sorted(jar.keys()) == ["a", "c", "d", "s"]
    jar.extract(HTTPS, ["e=5"], NOW + 3)  # a and c at the same time; a is older
    assert sorted(jar.keys()) == ["c", "d", "e", "s"]


def test_5_7_at_its_end_secure_cookies_are_not_driven_out_by_others() -> None:
    jar = jar_of("https://example.com/", *(f"s{number}=x; Secure" for number in range(3)), max_per_domain=3)
    jar.extract(HTTP, ["flood=1"], NOW + 1)
    assert jar.keys() == ["s0", "s1", "s2"]
    jar.extract(HTTPS, ["s3=x; Secure"], NOW + 2)
    assert jar.keys() == ["s1", "s2", "s3"]


def test_5_7_at_its_end_domains_do_not_drive_out_each_other_before_the_jar_is_full() -> None:
    jar = jar_of("http://example.com/", "a=1", "b=2", "c=3", max_per_domain=2, max_cookies=4)
    jar.extract(parse("http://example.org/"), ["d=4", "e=5", "f=6"], NOW + 1)
    assert jar.keys() == ["b", "c", "e", "f"]


def test_5_7_at_its_end_a_full_jar_drops_the_least_recently_used_of_all_domains() -> None:
    jar = CookieJar(max_cookies=3)
    for number in range(3):
        jar.extract(parse(f"http://host{number}.example/"), [f"c{number}=x"], NOW + number)
    assert names(jar, "http://host0.example/", NOW + 5) == ["c0"]
    jar.extract(HTTP, ["d=x"], NOW + 6)
    assert sorted(jar.keys()) == ["c0", "c2", "d"]
    assert names(jar, "http://host2.example/", NOW + 7) == ["c2"]
    jar.extract(HTTP, ["e=x", "f=x"], NOW + 8)
    assert sorted(jar.keys()) == ["c2", "e", "f"]


class SlowStore:
    """What section 5.7 says of eviction, said simply: at most 4 cookies of a host, and 6 in all."""

    def __init__(self) -> None:
        self.made = 0
        # host and name -> secure, when it was used, its number, when it expires
        self.cookies: dict[tuple[str, str], tuple[bool, float, int, float]] = {}

    def set(self, key: tuple[str, str], secure: bool, expires: float, now: float) -> None:
        self.made += 1
        known = self.cookies.get(key)
        number = self.made if known is None or known[3] <= now else known[2]
        self.cookies[key] = secure, now, number, expires
        if len(self._of(key[0])) > 4 or len(self.cookies) > 6:
            self.cookies = {key: cookie for key, cookie in self.cookies.items() if cookie[3] > now}
        while len(of_host := self._of(key[0])) > 4:
            del self.cookies[min(of_host, key=lambda key: self.cookies[key][:3])]
        while len(self.cookies) > 6:
            del self.cookies[min(self.cookies, key=lambda key: self.cookies[key][1:3])]

    def ask(self, host: str, now: float) -> list[str]:
        for key in self._of(host):
            secure, _, number, expires = self.cookies.pop(key)
            if expires > now:
                self.cookies[key] = secure, now, number, expires
        return sorted(name for _, name in self._of(host))

    def _of(self, host: str) -> list[tuple[str, str]]:
        return [key for key in self.cookies if key[0] == host]


@unhurried
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a.example", "b.example"]),
            st.sampled_from("cdefghij"),
            st.booleans(),
            st.none() | st.integers(1, 30),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_5_7_at_its_end_eviction_is_what_a_slow_and_simple_store_does(
    steps: list[tuple[str, str, bool, int | None, bool]],
) -> None:
    jar, slow, now = CookieJar(max_per_domain=4, max_cookies=6), SlowStore(), NOW
    for host, name, secure, age, ask in steps:
        now += 1
        attributes = ("; Secure" if secure else "") + ("" if age is None else f"; Max-Age={age}")
        jar.extract(parse(f"https://{host}/"), [f"{name}=x{attributes}"], now)
        slow.set((host, name), secure, math.inf if age is None else now + age, now)
        if ask:
            now += 1
            assert sorted(names(jar, f"https://{host}/", now)) == slow.ask(host, now)
    for host in ("a.example", "b.example"):
        assert sorted(names(jar, f"https://{host}/", now)) == slow.ask(host, now)


@pytest.mark.slow
def test_a_jar_has_180_cookies_of_a_domain_and_50_000_in_all_by_default() -> None:
    jar = CookieJar()
    for number in range(300):
        jar.extract(
            parse(f"http://host{number}.example/"), (f"c{index}=x" for index in range(181)), NOW + number
        )
    assert len(jar) == 50_000
    assert len(jar.get_dict(domain="host299.example")) == 180
    assert "c0" not in jar.get_dict(domain="host299.example")
    assert jar.get_dict(domain="host0.example") == {}  # the least recently used of all
    jar.extract(parse("http://one-more.example/"), ["a=b"], NOW + 300)
    assert len(jar) == 50_000


@pytest.mark.parametrize("limit", ["max_per_domain", "max_cookies", "max_lifetime"])
def test_a_jar_that_may_hold_nothing_is_refused(limit: str) -> None:
    limits: dict[str, Any] = {limit: 0}
    with pytest.raises(ValueError, match="limits"):
        CookieJar(**limits)


# -- 5.8.3 sending


def test_5_8_3_step_3_a_cookie_goes_to_its_domain_below_its_path() -> None:
    jar = jar_of("http://example.com/", "a=b; Path=/dir")
    assert names(jar, "http://example.com/dir/page") == ["a"]
    assert names(jar, "http://example.com/directory") == []
    assert names(jar, "http://example.com/?/dir") == []
    assert names(jar, "http://example.org/dir") == []


def test_5_8_3_step_3_the_port_of_a_cookie_does_not_matter() -> None:
    """Section 8.5."""
    assert names(jar_of("http://example.com:8080/", "a=b"), "http://example.com:9090/") == ["a"]


def test_5_8_3_step_3_a_secure_cookie_goes_over_https_alone() -> None:
    jar = jar_of("https://example.com/", "a=b; Secure", "plain=c")
    assert names(jar, "https://example.com/") == ["a", "plain"]
    assert names(jar, "http://example.com/") == ["plain"]
    assert names(jar, "http://example.com:443/") == ["plain"]


@unhurried
@given(
    st.sampled_from([*HOSTS, "a.example.com"]), st.sampled_from(["", "; Domain=example.com"]), st.booleans()
)
def test_a_secure_cookie_never_goes_over_http(host: str, domain: str, in_code: bool) -> None:
    """Not to the loopback either, as a proxy may lie between, which can't be seen from here."""
    jar = CookieJar()
    if in_code:
        jar.set("a", "b", secure=True, domain=host if domain else "")
    else:
        jar.extract(parse(f"https://{host}/"), [f"a=b; Secure{domain}"], NOW)
    for other in HOSTS:
        assert names(jar, f"http://{other}/") == []


def test_5_8_3_step_3_a_cookie_of_a_host_without_a_dot_goes_back_to_it() -> None:
    for host in ("localhost", "intranet", "127.0.0.1", "[::1]"):
        assert sent(jar_of(f"http://{host}:8000/", "a=b"), f"http://{host}:8000/") == "a=b"


def test_5_8_3_step_4_longer_paths_go_first_and_older_cookies_before_younger() -> None:
    jar = CookieJar()
    url = parse("http://example.com/a/b/c")
    jar.extract(url, ["young=1; Path=/a", "short=2; Path=/"], NOW + 2)
    jar.extract(url, ["old=3; Path=/a"], NOW + 1)
    jar.extract(url, ["long=4; Path=/a/b"], NOW + 3)
    assert names(jar, "http://example.com/a/b/c", NOW + 4) == ["long", "old", "young", "short"]


def test_5_8_3_step_4_cookies_of_one_response_go_back_in_their_order_whatever_their_domains() -> None:
    jar = jar_of("http://a.example.com/", "b=1; Domain=example.com", "a=2", "c=3; Domain=example.com")
    assert sent(jar, "http://a.example.com/") == "b=1; a=2; c=3"


def test_5_8_3_step_5_a_cookie_that_is_sent_is_used_and_one_that_is_not_sent_is_not() -> None:
    jar = jar_of("http://example.com/", "sent=1", "deep=2; Path=/deep")
    assert names(jar, "http://example.com/", NOW + 5) == ["sent"]
    assert [entry.used for entry in jar._entries.values()] == [NOW + 5, NOW]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a=b"], "a=b"),
        (["a="], "a="),
        (["b"], "b"),
        (["=b"], "b"),
        (["=a=b"], "a=b"),
        (['a="b"', "c", "d=e"], 'a="b"; c; d=e'),
        ([], ""),
    ],
)
def test_5_8_3_step_6_names_and_values_are_written_as_they_came(texts: list[str], expected: str) -> None:
    assert sent(jar_of("http://example.com/", *texts), "http://example.com/") == expected


# -- tables of what comes in and what goes out: (URL, its Set-Cookie fields) ... -> URL: Cookie

CONVERSATIONS: list[tuple[list[tuple[str, list[str]]], dict[str, str]]] = [
    # the examples of section 3.1
    ([("http://site.example/", ["SID=31d4d96e407aad42"])], {"http://site.example/": "SID=31d4d96e407aad42"}),
    (
        [("http://site.example/", ["SID=31d4d96e407aad42; Path=/; Domain=site.example"])],
        {
            "http://site.example/": "SID=31d4d96e407aad42",
            "http://www.site.example/deep/er": "SID=31d4d96e407aad42",
            "http://other.example/": "",
        },
    ),
    (
        [
            (
                "https://site.example/",
                ["SID=31d4d96e407aad42; Path=/; Secure; HttpOnly", "lang=en-US; Path=/; Domain=site.example"],
            )
        ],
        {
            "https://site.example/": "SID=31d4d96e407aad42; lang=en-US",
            "http://site.example/": "lang=en-US",
            "https://www.site.example/": "lang=en-US",
        },
    ),
    (
        [
            ("https://site.example/", ["SID=31d4d96e407aad42; Path=/; Secure", "lang=en-US; Path=/"]),
            ("https://site.example/", ["lang=; Path=/; Expires=Sun, 06 Nov 1994 08:49:37 GMT"]),
        ],
        {"https://site.example/": "SID=31d4d96e407aad42"},
    ),
    # what takes a cookie away has to name its path and domain (section 3.1, at its end)
    (
        [
            ("http://site.example/", ["a=1; Path=/x", "b=2; Domain=site.example"]),
            ("http://site.example/", ["a=; Path=/; Max-Age=0", "b=; Max-Age=0"]),
        ],
        {"http://site.example/x": "a=1; b=2"},
    ),
    # a login that moves from one path to another
    (
        [
            ("https://site.example/login", ["sid=new; Path=/; Secure; HttpOnly; SameSite=Lax"]),
            ("https://site.example/account/home", ["view=list", "sid=newer; Path=/; Secure; HttpOnly"]),
        ],
        {
            "https://site.example/account/": "view=list; sid=newer",
            "https://site.example/": "sid=newer",
            "https://www.site.example/": "",
        },
    ),
    # section 8.6: a sibling, and http, can't set what is the host's own
    (
        [
            ("https://bar.site.example/", ["__Host-sid=mine; Path=/; Secure"]),
            ("https://foo.site.example/", ["__Host-sid=yours; Path=/; Secure; Domain=site.example"]),
            ("http://bar.site.example/", ["__Host-sid=theirs; Path=/"]),
        ],
        {"https://bar.site.example/": "__Host-sid=mine"},
    ),
    # addresses, ports and single labels
    (
        [
            ("http://127.0.0.1:8000/", ["a=1; Domain=127.0.0.1", "b=2; Domain=0.0.1"]),
            ("http://localhost/", ["c=3; Domain=localhost", "d=4; Domain=.localhost"]),
        ],
        {
            "http://127.0.0.1:9000/": "a=1",
            "http://localhost:9000/": "c=3; d=4",
            "http://a.localhost/": "",
        },
    ),
]


@pytest.mark.parametrize(("came", "goes"), CONVERSATIONS)
def test_what_servers_set_goes_back_as_the_rfc_says(
    came: list[tuple[str, list[str]]], goes: dict[str, str]
) -> None:
    jar = CookieJar()
    for seconds_later, (url, set_cookie) in enumerate(came):
        jar.extract(parse(url), set_cookie, NOW + seconds_later)
    assert {url: sent(jar, url, NOW + len(came)) for url in goes} == goes


# -- any input

attribute_names = st.sampled_from(
    ["Domain", "Path", "Expires", "Max-Age", "Secure", "HttpOnly", "SameSite", "secure", ""]
)
attribute_values = st.one_of(
    st.text(),
    st.text(st.sampled_from("-0123456789:. ")),
    st.sampled_from(
        ["/", "/a", "example.com", ".com", "None", "Lax", "1", "-1", "Thu, 01 Jan 2099 00:00:00 GMT"]
    ),
)
pairs = st.one_of(st.text(), LATIN_1, st.text(st.sampled_from('a=;, \t"_Secure-Host')), st.just("a=b"))
set_cookies = st.builds(
    lambda pair, attributes: "".join((pair, *(f"; {name}={value}" for name, value in attributes))),
    pairs,
    st.lists(st.tuples(attribute_names, attribute_values), max_size=5),
)
URLS = ["http://example.com/a/b", "https://www.example.com/", "https://[::1]/", "http://localhost:8/"]


@unhurried
@given(st.lists(set_cookies), st.sampled_from(URLS))
def test_no_text_of_a_server_raises(texts: list[str], url: str) -> None:
    jar = jar_of(url, *texts)
    assert isinstance(sent(jar, url), str)
    for cookie in jar:
        assert cookie.matches(parse(url)) == (cookie in jar.cookies_for(parse(url), NOW))


def written(cookie: Cookie) -> Iterator[str]:
    """A cookie as the Set-Cookie field that says all of it."""
    yield f"{cookie.name}={cookie.value}"
    yield f"Path={cookie.path}"
    if not cookie.host_only:
        yield f"Domain={cookie.domain}"
    if cookie.expires is not None:
        yield f"Max-Age={int(cookie.expires - NOW)}"
    if cookie.secure:
        yield "Secure"
    if cookie.http_only:
        yield "HttpOnly"
    if cookie.same_site:
        yield f"SameSite={cookie.same_site}"


@unhurried
@given(set_cookies, st.sampled_from(URLS))
def test_what_was_read_and_is_written_is_read_the_same(text: str, url: str) -> None:
    cookie = parse_set_cookie(text, parse(url), NOW)
    if cookie is not None and not cookie.is_expired(NOW):
        again = parse_set_cookie("; ".join(written(cookie)), parse(url), NOW)
        assert again == cookie


@unhurried
@given(set_cookies, st.sampled_from(URLS))
def test_a_cookie_field_that_is_read_and_written_again_does_not_change(text: str, url: str) -> None:
    jar = jar_of(url, text)
    once = sent(jar, url)
    again = CookieJar()
    again.update([(cookie.name, cookie.value) for cookie in jar.cookies_for(parse(url), NOW)])
    assert sent(again, url) == once
