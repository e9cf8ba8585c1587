"""URLs by RFC 3986, and by the law on URLs: an existing %XX is never touched, only what is illegal gets
encoded, and params are appended to the query that is there."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pystickyhttp import PreparedRequest
from pystickyhttp.cookies import CookieJar
from pystickyhttp.exceptions import (
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    RequestException,
    URLRequired,
)
from pystickyhttp.urls import (
    URL,
    encode_form,
    join,
    parse,
    redacted,
    remove_dot_segments,
    scheme_of,
    with_params,
)

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
SUB_DELIMS = "!$&'()*+,;="
PCHAR = UNRESERVED + SUB_DELIMS + ":@"  # RFC 3986, section 3.3, less the percent-encoded ones

anything = st.text(st.characters())  # halves of surrogate pairs included
near_urls = st.text(st.sampled_from(":/?#[]@%.25aZ0\\ \t\r\n\0é°\uff0f\u2100\udc80"))
texts = st.one_of(
    anything,
    near_urls,
    st.builds("{}{}".format, st.sampled_from(["http://", "HTTPS:", "http://h/", "//"]), anything | near_urls),
    st.builds("http://[{}]{}".format, st.text(st.sampled_from(":.%25af0e")), near_urls),
)
percent_escapes = st.builds("%{}{}".format, *[st.sampled_from("0123456789abcdefABCDEF")] * 2)


def legal(characters: str) -> st.SearchStrategy[str]:
    """Text that RFC 3986 allows as it stands: of these characters and of percent-escapes."""
    return st.lists(st.sampled_from(characters) | percent_escapes).map("".join)


# -- parse


@unhurried
@given(texts)
def test_any_text_parses_or_raises_invalid_url(text: str) -> None:
    try:
        url = parse(text)
    except (InvalidURL, InvalidSchema):
        return
    assert isinstance(url, URL)


@unhurried
@given(texts)
@example("http://[fe80::1%2525]/")  # the zone of RFC 6874 whose name begins with 25
@example("http://[fe80::1%25eth0]/")
@example("http://h?")
@example("http://h/a/..//b")
def test_the_text_of_a_url_parses_to_the_same_url(text: str) -> None:
    try:
        url = parse(text)
    except (InvalidURL, InvalidSchema):
        return
    assert parse(str(url)) == url


@unhurried
@given(texts)
def test_what_goes_over_the_wire_is_printable_ascii_without_spaces(text: str) -> None:
    try:
        url = parse(text)
    except (InvalidURL, InvalidSchema):
        return
    for part in (url.target, url.host, str(url)):
        assert part.isascii()
        assert part.isprintable()
        assert " " not in part


def test_a_url_comes_apart_into_its_parts() -> None:
    url = parse("HTTPS://User:Pass@Example.COM:8443/Path;v=1?Query=1#Fragment")
    assert url == URL("https", "User:Pass", "example.com", 8443, "/Path;v=1", "Query=1", "Fragment")


@pytest.mark.parametrize(
    "text",
    [
        "http://h/",
        "http://h/?",
        "http://h/#",
        "http://h/?#",
        "http://h//a//b//",
        "http://h/a?b?c/d#e?f/g",
        "http://u@h/",
        "http://u:@h/",
        "http://:@h/",
        "https://h:80/",
        "https://h:443/",
        "http://[::1]:8080/",
        "http://a_b.example./",
    ],
)
def test_a_url_without_fault_is_the_same_text_again(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "path", "query", "target"),
    [
        ("http://h", "/", None, "/"),
        ("http://h?q", "/", "q", "/?q"),
        ("http://h#f", "/", None, "/"),
        ("http://h/?", "/", "", "/?"),
        ("http://h/a?q#f", "/a", "q", "/a?q"),
    ],
)
def test_the_target_is_path_and_query_and_never_the_fragment(
    text: str, path: str, query: str | None, target: str
) -> None:
    url = parse(text)
    assert (url.path, url.query, url.target) == (path, query, target)


def test_an_empty_url_is_one_that_is_required() -> None:
    with pytest.raises(URLRequired):
        parse("")


@pytest.mark.parametrize(
    "text", ["example.com", "example.com/path", "//example.com/", "/path", "localhost:8080", "h:80/p", "?q"]
)
def test_a_url_without_scheme_is_told_so(text: str) -> None:
    with pytest.raises(MissingSchema):
        parse(text)
    assert scheme_of(text) is None


@pytest.mark.parametrize(
    ("text", "scheme"),
    [("HTTP://h/", "http"), ("mailto:a@b", "mailto"), ("x+y.z-1:t", "x+y.z-1"), ("1x://h/", None)],
)
def test_the_scheme_is_read_by_its_grammar_and_in_lower_case(text: str, scheme: str | None) -> None:
    assert scheme_of(text) == scheme


@pytest.mark.parametrize(
    "text",
    [
        "http://",
        "http:",
        "http:path",
        "http:/path",
        "http:///path",
        "http://:80/",
        "http://u@/",
        "http://u@:80/",
        "http://a b/",
        "http://a%41/",
        "http://a\\b/",
        "http://a<b/",
        "http://a..é/",
        "http://a:b@c:d/",
    ],
)
def test_a_url_without_a_usable_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidURL):
        parse(text)


@pytest.mark.parametrize(
    "position", ["http{}://h/", "http://h{}/", "http://h/{}", "http://h/?{}", "{}http://h/"]
)
@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\r\nX: y"])
def test_a_url_with_cr_lf_or_nul_is_refused(position: str, character: str) -> None:
    """X7."""
    with pytest.raises(InvalidURL):
        parse(position.format(character))


@pytest.mark.parametrize(
    ("text", "port", "effective"),
    [
        ("http://h/", None, 80),
        ("https://h/", None, 443),
        ("http://h:/", None, 80),  # RFC 3986, section 3.2.3: port = *DIGIT
        ("http://h:1/", 1, 1),
        ("http://h:65535/", 65535, 65535),
        ("http://h:080/", 80, 80),
        ("http://[::1]:8080/", 8080, 8080),
    ],
)
def test_the_port_is_the_urls_own_or_its_schemes(text: str, port: int | None, effective: int) -> None:
    url = parse(text)
    assert (url.port, url.effective_port) == (port, effective)


@pytest.mark.parametrize(
    "port", ["0", "65536", "99999999999", "-1", "+1", "1_0", "8 0", "٨٠", "x", "80:80", "²"]
)
def test_a_port_that_is_no_number_in_range_is_refused(port: str) -> None:
    for host in ("h", "[::1]"):
        with pytest.raises(InvalidURL):
            parse(f"http://{host}:{port}/")


@pytest.mark.parametrize(
    ("text", "host", "host_header"),
    [
        ("http://[::1]/", "::1", "[::1]"),
        ("http://[2001:DB8::A]:80/", "2001:db8::a", "[2001:db8::a]"),
        ("http://[::ffff:192.0.2.1]:8080/", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:8080"),
        ("http://[fe80::1%25eth0]/", "fe80::1%eth0", "[fe80::1]"),  # RFC 6874, sections 2 and 4
        ("http://[fe80::1%25eth0]:8080/", "fe80::1%eth0", "[fe80::1]:8080"),
        # As it is typed, and browsers and curl take it (RFC 6874, section 3).
        ("http://[fe80::1%eth0]/", "fe80::1%eth0", "[fe80::1]"),
        ("https://u:p@[FE80::1%Eth0]:443/", "fe80::1%Eth0", "[fe80::1]"),
        ("http://[fe80::1%2]/", "fe80::1%2", "[fe80::1]"),
        ("http://[fe80::1%252]/", "fe80::1%2", "[fe80::1]"),
        ("http://[ff02::1%25en0.1_x~]:1/", "ff02::1%en0.1_x~", "[ff02::1]:1"),
    ],
)
def test_an_ipv6_address_stands_in_brackets_and_its_zone_stays_here(
    text: str, host: str, host_header: str
) -> None:
    url = parse(text)
    assert (url.host, url.host_header) == (host, host_header)
    assert url.absolute_target == f"{url.scheme}://{host_header}/"


@pytest.mark.parametrize(
    "text", ["http://u:p@[fe80::1%eth0]:8080/a?b#c", "http://u:p@[fe80::1%25eth0]:8080/a?b#c"]
)
def test_a_zone_is_written_as_its_standard_has_it(text: str) -> None:
    """RFC 6874, section 2: behind %25, so that the URL can be read again."""
    url = parse(text)
    assert url.text == "http://u:p@[fe80::1%25eth0]:8080/a?b#c"
    assert parse(url.text) == url
    assert join(url, "/x") == "http://u:p@[fe80::1%25eth0]:8080/x#c"
    assert parse(join(url, "//[fe80::2%eth1]/")).host == "fe80::2%eth1"


def test_a_host_is_at_most_as_long_as_a_name_can_be() -> None:
    """RFC 1035, section 2.3.4. What is kept by the host, such as a Route, is bounded by it."""
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(name) == 253
    for host in (name, f"{name}.", f"[fe80::1%25{'e' * 255}]"):
        assert parse(f"http://{host}/").text == f"http://{host}/"
    for host in (f"{name}b", "a." * 30_000 + "a"):
        with pytest.raises(InvalidURL, match="253"):
            parse(f"http://{host}/")
    with pytest.raises(InvalidURL, match="no IPv6 address"):
        parse(f"http://[fe80::1%25{'e' * 256}]/")


def test_the_same_address_in_two_zones_is_two_hosts() -> None:
    """RFC 4007, section 6: they may be two machines, and secrets are for one of them."""
    one, two, none = (parse(f"http://[fe80::1{zone}]/") for zone in ("%25eth0", "%25eth1", ""))
    assert len({one.origin, two.origin, none.origin}) == 3


def test_no_cookie_names_a_zone() -> None:
    """RFC 6874, section 4: it is of no meaning outside of this machine, and not to be sent."""
    jar = CookieJar()
    for attribute in ("", "; Domain=fe80::1", "; Domain=[FE80::1]"):
        jar.extract(parse("http://[fe80::1%25eth0]/"), [f"a=b; Path=/{attribute}"])
        (cookie,) = jar
        assert cookie.domain == "fe80::1"
        assert jar.get("a", domain="fe80::1%eth0") == jar.get("a", domain="[fe80::1%25eth0]") == "b"
        assert jar.cookies_for(parse("http://[fe80::1%eth0]/")) == [cookie]
        assert jar.cookies_for(parse("http://[fe80::2%eth0]/")) == []
        jar.clear()


@pytest.mark.parametrize(
    "text",
    [
        "http://[::1/",
        "http://::1]/",
        "http://[::1]x/",
        "http://[::1]80/",
        "http://[]/",
        "http://[h]/",
        "http://[127.0.0.1]/",
        "http://[::g]/",
        "http://[fe80::1%25]/",
        "http://[fe80::1%25a/b]/",
        "http://[fe80::1%]/",
        "http://[fe80::1%a%b]/",
        "http://[fe80::1%a b]/",
        "http://[fe80::1%é]/",
        "http://[%25eth0]/",
        "http://fe80::1%25eth0/",
        "http://127.0.0.1%25eth0/",
    ],
)
def test_a_broken_ipv6_literal_is_refused(text: str) -> None:
    with pytest.raises(InvalidURL):
        parse(text)


@pytest.mark.parametrize("address", ["1:2", ":", "::1::2", "1:2:3:4:5:6:7:8:9", "12345::", "::1.2.3"])
def test_what_stands_in_brackets_is_an_address_by_its_grammar(address: str) -> None:
    """RFC 3986, section 3.2.2: an IP-literal is an IPv6address, and nothing that only looks like one."""
    with pytest.raises(InvalidURL):
        parse(f"http://[{address}]/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://h/", "h"),
        ("http://h:80/", "h"),
        ("https://h:443/", "h"),
        ("http://h:443/", "h:443"),
        ("https://h:80/", "h:80"),
        ("http://u:p@h:8080/", "h:8080"),
    ],
)
def test_the_host_header_names_the_port_unless_it_is_the_default(text: str, expected: str) -> None:
    assert parse(text).host_header == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("EXAMPLE.com", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),  # IDNA 2008 keeps what 2003 turned into another name
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),  # with the full stop that Japanese writes
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_host_outside_ascii_goes_by_idna(host: str, expected: str) -> None:
    assert parse(f"http://{host}/").host == expected


@pytest.mark.parametrize(
    "host", ["a\uff0fb", "a\u2100b", "a\uff20b", "a\uff1ab", "a\uff1fb", "\ud800", "é" * 300]
)
def test_no_host_turns_into_another_part_of_the_url(host: str) -> None:
    """Some characters are mapped to a slash, an @ or a colon: the host must not come to an end there."""
    with pytest.raises(InvalidURL):
        parse(f"http://{host}/")


@pytest.mark.parametrize(
    ("text", "credentials"),
    [
        ("http://h/", None),
        ("http://u@h/", ("u", "")),
        ("http://u:p@h/", ("u", "p")),
        ("http://u:p:q@h/", ("u", "p:q")),
        ("http://u%3A%40:p%2F%3F@h/", ("u:@", "p/?")),
        ("http://a@b:c@h/", ("a@b", "c")),
        ("http://ü:%C3%BC@h/", ("ü", "ü")),
        ("http://u:%FC@h/", ("u", "ü")),  # no UTF-8, so latin-1
        ("http://u:100%@h/", ("u", "100%")),
        ("http://@h/", ("", "")),
    ],
)
def test_credentials_are_the_userinfo_percent_decoded(text: str, credentials: tuple[str, str] | None) -> None:
    assert parse(text).credentials == credentials


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://h/", "http://H:80/other?q#f", True),
        ("https://u:p@h/", "https://h:443", True),
        ("http://h/", "https://h/", False),
        ("http://h:443/", "https://h:443/", False),
        ("http://h/", "http://h:8080/", False),
        ("http://h/", "http://h./", False),
        ("http://h/", "http://www.h/", False),
    ],
)
def test_an_origin_is_scheme_host_and_effective_port(one: str, other: str, same: bool) -> None:
    assert (parse(one).origin == parse(other).origin) is same


# -- quoting


@pytest.mark.parametrize(
    "text",
    ["http://h/%41%2f%2F%e2%82%ac", "http://h/?%41=%2f&%ff", "http://%41:%40@h/#%41"],
)
def test_an_existing_percent_escape_is_never_touched(text: str) -> None:
    assert str(parse(text)) == text


@unhurried
@given(legal(PCHAR.replace(".", "") + "/"), legal(PCHAR + "/?"), legal(PCHAR + "/?"))
def test_legal_text_is_left_alone(path: str, query: str, fragment: str) -> None:
    # The path has no dots here: dot segments are removed, and that is another rule.
    assert str(parse(f"http://h/{path}?{query}#{fragment}")) == f"http://h/{path}?{query}#{fragment}"


@unhurried
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0%#?./")))
def test_what_is_illegal_in_a_path_becomes_its_utf8_bytes(segment: str) -> None:
    assert parse(f"http://h/{segment}").path == "/" + quote(segment, safe=SUB_DELIMS + ":@")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://h/a b", "http://h/a%20b"),
        ("http://h/é?é#é", "http://h/%C3%A9?%C3%A9#%C3%A9"),
        ("http://h/100%", "http://h/100%25"),
        ("http://h/%zz%4", "http://h/%25zz%254"),
        ("http://h/%%41", "http://h/%25%41"),
        ('http://h/"<>\\^`{|}', "http://h/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("http://h/[a]?[b]", "http://h/%5Ba%5D?%5Bb%5D"),
        ("http://h/a#b#c", "http://h/a#b%23c"),
        ("http://h/\x7f\x01", "http://h/%7F%01"),
        ("http://u[:p^@h/", "http://u%5B:p%5E@h/"),
    ],
)
def test_only_what_is_illegal_gets_encoded(text: str, expected: str) -> None:
    assert str(parse(text)) == expected


# -- params


@pytest.mark.parametrize(
    ("text", "params", "expected"),
    [
        ("http://h/", {"a": "1"}, "http://h/?a=1"),
        ("http://h", {"a": "1"}, "http://h/?a=1"),
        ("http://h/?", {"a": "1"}, "http://h/?a=1"),
        ("http://h/?x=%41&y", {"a": "1"}, "http://h/?x=%41&y&a=1"),
        ("http://h/#f", {"a": "1"}, "http://h/?a=1#f"),
        ("http://h/?x#f", [("a", "1"), ("a", "2")], "http://h/?x&a=1&a=2#f"),
        ("http://h/", {"a": ["1", 2, None], "b": None, "c": ()}, "http://h/?a=1&a=2"),
        ("http://h/", {"a b": "c d&e=é"}, "http://h/?a+b=c+d%26e%3D%C3%A9"),
        ("http://h/", {"a": b"\xff"}, "http://h/?a=%FF"),
        ("http://h/", {1: True}, "http://h/?1=True"),
        ("http://h/", "a=%41 é#", "http://h/?a=%41%20%C3%A9%23"),
        ("http://h/?x", "y", "http://h/?x&y"),
        ("http://h/", b"a=\xc3\xa9\xff", "http://h/?a=%C3%A9%FF"),
        ("http://h/?x", None, "http://h/?x"),
        ("http://h/?x", {}, "http://h/?x"),
        ("http://h/?x", {"a": None}, "http://h/?x"),
        ("http://h/?", "", "http://h/?"),
    ],
)
def test_params_are_appended_to_the_query_that_is_there(text: str, params: Any, expected: str) -> None:
    assert str(with_params(parse(text), params)) == expected


@pytest.mark.parametrize("params", [5, object(), ["a", "b"], [("a",)], [1], {"a": "\ud800"}, "\ud800"])
def test_params_that_are_no_params_are_refused(params: Any) -> None:
    with pytest.raises(InvalidURL):
        with_params(parse("http://h/"), params)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (
            ("id", "42"),
            "params= of type tuple can't be read: its member 1 (str) is no pair of name and value;",
        ),
        (["ab"], "params= of type list can't be read: its member 1 (str) is no pair of name and value;"),
        (
            iter([("a", "1"), ("b",)]),
            "params= of type list_iterator can't be read: its member 2 (tuple of 1) is no pair of name",
        ),
        ({"id", "x"}, "params= of type set can't be read: its member 1 (str) is no pair of name and value;"),
    ],
)
def test_what_is_wrong_with_params_is_told_in_terms_of_what_was_given(params: Any, told: str) -> None:
    """A text of two letters would be read as a name and a value, which nobody has meant."""
    with pytest.raises(InvalidURL) as caught:
        with_params(parse("http://h/"), params)
    assert told in str(caught.value)


@pytest.mark.parametrize("params", ["a\r\nb", "a\0", b"a\nb"])
def test_params_written_by_hand_with_cr_lf_or_nul_are_refused(params: str | bytes) -> None:
    """X7."""
    with pytest.raises(InvalidURL):
        with_params(parse("http://h/"), params)


scalars = st.one_of(st.text(), st.integers(), st.booleans(), st.binary(), st.floats(allow_nan=False))
values = st.one_of(scalars, st.none(), st.lists(scalars | st.none()), st.tuples(scalars, st.none()))


def urlencoded(pairs: list[tuple[Any, Any]]) -> str:
    """What the standard library makes of it, where None is left out beforehand."""
    given_pairs = [
        (
            name,
            [member for member in value if member is not None] if isinstance(value, (list, tuple)) else value,
        )
        for name, value in pairs
        if value is not None
    ]
    return urlencode(given_pairs, doseq=True)


@unhurried
@given(st.lists(st.tuples(scalars, values)))
def test_pairs_are_encoded_as_urlencode_encodes_them_with_none_left_out(pairs: list[tuple[Any, Any]]) -> None:
    assert encode_form(pairs) == urlencoded(pairs)


@unhurried
@given(st.dictionaries(st.text(), values))
def test_a_mapping_is_encoded_as_its_pairs(mapping: dict[str, Any]) -> None:
    assert encode_form(mapping) == urlencoded(list(mapping.items()))


# -- join

BASE = parse("http://a/b/c/d;p?q")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        # RFC 3986, section 5.4.1: normal examples
        ("g:h", "g:h"),
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("g#s", "http://a/b/c/g#s"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y#s"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        # RFC 3986, section 5.4.2: abnormal examples
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g#s/./x"),
        ("g#s/../x", "http://a/b/c/g#s/../x"),
        ("http:g", "http:g"),  # for strict parsers
    ],
)
def test_a_reference_resolves_as_in_the_examples_of_rfc_3986(reference: str, expected: str) -> None:
    assert join(BASE, reference) == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("g", "http://h/g#base"),
        ("", "http://h/p?q#base"),
        ("//i/g", "http://i/g#base"),
        ("https://i/g", "https://i/g#base"),
        ("g#own", "http://h/g#own"),
        ("g#", "http://h/g#"),  # an empty fragment is one
        ("https://i/#own", "https://i/#own"),
    ],
)
def test_a_fragment_is_inherited_where_the_reference_has_none(reference: str, expected: str) -> None:
    """RFC 9110, section 10.2.2."""
    assert join(parse("http://h/p?q#base"), reference) == expected


@unhurried
@given(texts)
def test_any_reference_resolves_to_a_text(reference: str) -> None:
    assert isinstance(join(BASE, reference), str)


@unhurried
@given(legal(PCHAR + "/"))
def test_a_path_that_is_given_never_leaves_its_authority(path: str) -> None:
    """A path that begins with two slashes after its dots are gone must not be read as a host."""
    reference = "/" + path.lstrip("/")
    assert parse(join(BASE, reference)).origin == BASE.origin
    assert parse(join(BASE, "/." + reference)).origin == BASE.origin
    assert parse(join(BASE, "/.//" + path)).origin == BASE.origin


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b/c/./../../g", "/a/g"),  # RFC 3986, section 5.2.4
        ("/", "/"),
        ("/.", "/"),
        ("/..", "/"),
        ("/./", "/"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a//../b", "/a/b"),
        ("/a/..//b", "//b"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        ("/%2E/%2e%2e/a", "/%2E/%2e%2e/a"),  # an escape is never touched
    ],
)
def test_dot_segments_are_removed_as_rfc_3986_does_it(path: str, expected: str) -> None:
    assert remove_dot_segments(path) == expected


# -- passwords


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://u:secret@h:80/p?q#f", "http://h:80/p?q#f"),
        ("http://u@h/", "http://h/"),
        ("http://a@b:c@h/", "http://h/"),
        ("http://h/a@b", "http://h/a@b"),
        ("http://u:secret@h/u:secret@h", "http://h/u:secret@h"),
        ("//u:secret@h/", "//h/"),
        ("mailto:a@b", "mailto:a@b"),  # RFC 6068 has no userinfo
        ("MailTo:a@b?cc=c@d", "MailTo:a@b?cc=c@d"),
        ("mailto://u:secret@h/", "mailto://h/"),
        ("mailto:/u:secret@h/", "mailto:/h/"),
        ("sip:u:secret@h", "sip:h"),  # RFC 3261, section 19.1 has one
    ],
)
def test_a_url_for_messages_has_no_userinfo(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://u:secret@h:0/",
        "http://u:secret@[::1/",
        "http://u:secret@[x]/",
        "http://u:secret@/",
        "http://u:secret@a b/",
        "http://u:secret@a..é/",
        "//u:secret@h/",
        "http://u:secret@h/\n",
        "http://u:secret@h/\0",
    ],
)
def test_no_message_about_a_url_tells_its_password(text: str) -> None:
    with pytest.raises(RequestException) as caught:
        parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "mistyped",
    [
        "user:geheim@h/p",
        "http:user:geheim@h/",
        "http:/user:geheim@h/",
        "//user:geheim@h/",
        "http://u:ge@heim@h:x/",
    ],
)
def test_no_message_about_a_mistyped_url_tells_its_password(mistyped: str) -> None:
    assert "geheim" not in redacted(mistyped)
    assert "heim" not in redacted(mistyped)
    assert "h" in redacted(mistyped)


@pytest.mark.parametrize("text", ["ftp://h/", "A:", "mailto:a@b", "http+docker://x/", "https+unix://x/"])
def test_a_url_of_another_scheme_is_not_ours_to_read(text: str) -> None:
    with pytest.raises(InvalidSchema, match="neither http nor https"):
        parse(text)


# --- without the package idna


@pytest.fixture
def without_idna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idna", None)


@pytest.mark.usefixtures("without_idna")
def test_without_the_package_the_standard_library_knows_most_hosts() -> None:
    assert parse("http://ohne-zusätze.example/").host == "xn--ohne-zustze-s8a.example"


@pytest.mark.usefixtures("without_idna")
@pytest.mark.parametrize("host", ["ohne-faß.example", "ohne-ς.example"])
def test_without_the_package_a_host_that_it_reads_differently_is_refused(host: str) -> None:
    """To guess would send credentials to whoever has registered the other name."""
    with pytest.raises(InvalidURL, match=r"2008 and 2003 read differently: install pystickyhttp\[idna\]"):
        parse(f"http://{host}/")


@pytest.mark.usefixtures("without_idna")
def test_without_the_package_too_what_is_no_domain_is_refused() -> None:
    with pytest.raises(InvalidURL, match="which is no domain"):
        parse(f"http://{'ö' * 300}/")


# --- schemes of others


def test_params_go_into_the_query_of_a_scheme_that_is_a_kind_of_http() -> None:
    """As with requests: what else stands in the URL is left to the adapter that is mounted for it."""
    for text, params, expected in (
        ("http+docker://a b/c d", None, "http+docker://a b/c%20d"),
        ("http+docker://h?e=f", {"g": "h i"}, "http+docker://h/?e=f&g=h+i"),
        ("http+docker:/c?e=é#ü", {"g": "h"}, "http+docker:/c?e=%C3%A9&g=h#%C3%BC"),
    ):
        prepared = PreparedRequest()
        prepared.prepare_url(text, params)
        assert prepared.url == expected
