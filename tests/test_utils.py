"""The helpers of `utils`, side by side with those of requests.

What holds for all of them: the same names; the same results, or an error of the same name, for what stands in
`SAME` and for what hypothesis makes up; and `OTHERWISE` says where they differ, and why.
"""

from __future__ import annotations

import gzip
import http.cookiejar
import io
import os
import stat
import tempfile
import types
import warnings
import zipfile
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import requests.utils
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from requests_toolbelt.multipart.encoder import CustomBytesIO

import pystickyhttp
from pystickyhttp import certs, utils
from pystickyhttp.cookies import CookieJar
from pystickyhttp.exceptions import InvalidHeader, InvalidURL, UnrewindableBodyError
from pystickyhttp.models import PreparedRequest, Request, Response

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

# --- names

FOR_ITSELF = "requests needs it for itself, and it is the standard library's or another module's"
OF_URLLIB3 = "it is urllib3's, and there is no urllib3"

LEFT_OUT = {
    **dict.fromkeys(
        ("Any", "Final", "Generator", "Iterable", "Mapping", "OrderedDict", "TYPE_CHECKING", "TypeVar"),
        FOR_ITSELF,
    ),
    **dict.fromkeys(("annotations", "bytes", "cast", "integer_types", "overload", "str"), FOR_ITSELF),
    **dict.fromkeys(
        ("FileModeWarning", "InvalidHeader", "InvalidURL", "UnrewindableBodyError"),
        "the errors stand in `exceptions`",
    ),
    **dict.fromkeys(("is_urllib3_1", "make_headers", "parse_url"), OF_URLLIB3),
    "HEADER_VALIDATORS": "what a header may be is no pair of expressions here: see check_header_validity()",
}
FOUND_OUT_WHEN_ASKED_FOR = {"DEFAULT_ACCEPT_ENCODING", "DEFAULT_CA_BUNDLE_PATH"}
NAMES_OF_REQUESTS = sorted(
    name
    for name, value in vars(requests.utils).items()
    if not name.startswith("_") and not isinstance(value, types.ModuleType)
)


@pytest.mark.parametrize("name", NAMES_OF_REQUESTS)
def test_every_name_of_requests_utils_is_there_or_left_out_for_a_reason(name: str) -> None:
    if name in LEFT_OUT:
        assert name not in utils.__all__
    else:
        assert name in utils.__all__ or name in FOUND_OUT_WHEN_ASKED_FOR
        getattr(utils, name)


def test_nothing_is_left_out_that_requests_does_not_have() -> None:
    assert set(LEFT_OUT) <= set(NAMES_OF_REQUESTS)


def test_every_helper_says_what_it_does() -> None:
    for name in utils.__all__:
        helper = getattr(utils, name)
        assert not callable(helper) or helper.__doc__ or helper.__module__ == "urllib.parse", name


def test_the_constants_say_what_those_of_requests_say() -> None:
    assert requests.utils.DEFAULT_PORTS == utils.DEFAULT_PORTS
    assert requests.utils.NETRC_FILES == utils.NETRC_FILES
    assert requests.utils.UNRESERVED_SET == utils.UNRESERVED_SET
    assert certs.where() == utils.DEFAULT_CA_BUNDLE_PATH


def test_a_session_begins_with_the_default_headers_and_they_name_this_package(
    session: pystickyhttp.Session,
) -> None:
    headers = utils.default_headers()
    assert headers == session.headers
    assert set(headers) == set(requests.utils.default_headers())
    assert headers["User-Agent"] == utils.default_user_agent()
    assert headers["Accept-Encoding"] == utils.DEFAULT_ACCEPT_ENCODING
    assert utils.default_user_agent("my-app") == f"my-app/{pystickyhttp.__version__}"


# --- the same results


def outcome(helper: Callable[..., Any], *args: Any) -> Any:
    """What it returns, generators as lists; or the name of the error that it raises."""
    try:
        with warnings.catch_warnings():
            # Of helpers that requests will drop some day, which it says before it looks at the arguments.
            warnings.filterwarnings("ignore", "In requests 3.0, get_", DeprecationWarning)
            result = helper(*args)
            return list(result) if isinstance(result, types.GeneratorType) else result
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return type(error).__name__


def ours_and_theirs(name: str, *args: Any) -> tuple[Any, Any]:
    return outcome(getattr(utils, name), *args), outcome(getattr(requests.utils, name), *args)


def assert_same(name: str, *args: Any) -> None:
    ours, theirs = ours_and_theirs(name, *args)
    assert ours == theirs
    assert type(ours) is type(theirs)


class Pairs:
    """Has items, and is no mapping."""

    def items(self) -> list[tuple[str, str]]:
        return [("a", "b")]


class Named:
    def __init__(self, name: Any) -> None:
        self.name = name


# For each helper the arguments of some calls.
SAME: dict[str, list[tuple[Any, ...]]] = {
    "address_in_network": [
        ("192.168.1.1", "192.168.1.0/24"),
        ("172.16.0.1", "192.168.1.0/24"),
        ("192.168.1.1", "192.168.1.77/24"),
        ("1.2.3.4", "0.0.0.0/0"),
        ("1.2.3.4", "1.2.3.4/32"),
        ("1.2.3.5", "1.2.3.4/32"),
        ("127.1", "127.0.0.0/8"),
        ("10", "0.0.0.0/8"),
    ],
    "dict_to_sequence": [(Pairs(),), ({"a": 1}.items(),), ([("a", 1)],), ("text",)],
    "dotted_netmask": [(bits,) for bits in range(33)],
    "from_key_val_list": [
        (None,),
        ([("a", "b")],),
        ({"a": "b"},),
        ("text",),
        (b"bytes",),
        (True,),
        (5,),
        (5.0,),
        ([],),
        (["ab"],),
        (["abc"],),
        ([("a", "b"), ("a", "c")],),
    ],
    "get_auth_from_url": [
        ("http://user:password@host/",),
        ("http://host/",),
        ("http://:password@host",),
        ("http://user:@host/",),
        ("https://a%20b:c%3Ad@host:1/",),
        ("socks5://user:p%40ss@host:1080",),
        ("http://user%:pass@host/",),
        ("http://us@er:pass@host/",),
        ("host/path",),
        ("user:password@host",),
        ("",),
    ],
    "get_encoding_from_headers": [
        ({},),
        ({"content-type": "text/html; charset=utf-8"},),
        ({"content-type": 'text/html; charset="UTF-8"'},),
        ({"content-type": "text/html; charset='latin-1'"},),
        ({"content-type": "text/html; version=1; CHARSET=koi8-r; a=b"},),
        ({"content-type": "image/png"},),
    ],
    "get_encodings_from_content": [
        ("",),
        ("<p>charset=no</p>",),
        ('<meta charset="UTF-8">',),
        ("<meta charset=UTF-8>",),
        ("<META CHARSET='x'><meta charset=\"y\">",),
        ('<meta http-equiv="Content-Type" content="text/html; charset=utf-8">',),
        ('<meta content="text/html; charset=a" charset="b"><meta charset="c">',),
        ('<meta name="<" charset="a">',),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a/>',),
        ("<?xml version='1.0' encoding='koi8-r'?>",),
        (' <?xml version="1.0" encoding="z"?>',),
        ('<?xml version="1.0"?><meta charset="a">',),
    ],
    "guess_filename": [
        (object(),),
        (Named("a.txt"),),
        (Named("/folder/a.txt"),),
        (Named(""),),
        (Named("<stdin>"),),
        (Named("<fdopen>"),),
        (Named(5),),
        (Named(None),),
        (io.BytesIO(),),
    ],
    "guess_json_utf": [
        (b"",),
        (b"1",),
        (b"{}",),
        (b'{"a": 1}',),
        *(('{"a": 1}'.encode(name),) for name in ("utf-16", "utf-16-le", "utf-16-be")),
        *(('{"a": 1}'.encode(name),) for name in ("utf-32", "utf-32-le", "utf-32-be", "utf-8-sig")),
    ],
    "is_ipv4_address": [
        ("8.8.8.8",),
        ("8.8.8",),
        ("127.1",),
        ("0x7f.1",),
        ("01.02.03.04",),
        ("8.8.8.8.8",),
        ("256.1.1.1",),
        ("localhost.localdomain",),
        ("::1",),
        ("",),
    ],
    "is_valid_cidr": [
        ("192.168.1.0/24",),
        ("192.168.1.7/24",),
        ("1.2.3.4/32",),
        ("0.0.0.0/1",),
        ("8.8.8.8",),
        ("192.168.1.0/a",),
        ("192.168.1.0/128",),
        ("192.168.1.0/-1",),
        ("192.168.1.999/24",),
        ("1.2.3.4/8/9",),
        ("/8",),
        ("",),
    ],
    "iter_slices": [
        ("", 1),
        ("", None),
        (b"", 0),
        ("text", 3),
        ("text", 4),
        ("text", 40),
        (b"bytes", 2),
        ("text", None),
        ("text", 0),
        (b"bytes", -1),
    ],
    "parse_header_links": [
        # the examples that requests documents
        ('<http:/.../front.jpeg>; rel=front; type="image/jpeg"',),
        ("<http:/.../front.jpeg>",),
        ("<http:/.../front.jpeg>;",),
        ('<http:/.../front.jpeg>; type="image/jpeg",<http://.../back.jpeg>;',),
        (
            '<http:/.../front.jpeg>; rel=front; type="image/jpeg",'
            '<http://.../back.jpeg>; rel=back;type="image/jpeg"',
        ),
        (
            '<https://api.example.com/users?page=2&per_page=10>; rel="next", '
            '<https://api.example.com/users?page=6&per_page=10>; rel="last"',
        ),
        ("",),
        ("</relative>; rel=\"next last\"; title*=UTF-8''%e2%82%ac",),
        ("<http://h/>; rel='next'",),
        ("<http://h/>;rel = next ; REL=NEXT",),
    ],
    "parse_dict_header": [
        ('foo="is a fish", bar="as well"',),
        ("key_without_value",),
        ('a=1,b="x, y",c',),
        ("a==b",),
        ("=x",),
        ('a = "b"',),
        ('a="b',),
        ('a=","',),
        ('a="say \\"so\\""',),
        ("A=1, a=2, A=3",),
        ("",),
        (",,",),
    ],
    "parse_list_header": [
        ('token, "quoted value"',),
        ('a, "b,c", d',),
        ("a,,b",),
        ("a, ",),
        ("",),
        ('"',),
        ('""',),
        ('"a',),
        ('"a"b',),
        ('"say \\"so\\""',),
        ("a\\,b",),
        ('"C:\\temp"',),
    ],
    "prepend_scheme_if_needed": [
        ("example.com", "http"),
        ("example.com/path", "http"),
        ("//example.com/path", "http"),
        ("example.com:80", "http"),
        ("[::1]:80", "https"),
        ("http://user:password@example.com/path?query", "http"),
        ("http://example.com", "https"),
        ("socks5://example.com:1080", "http"),
        ("example.com/?next=http://other/", "http"),
    ],
    "requote_uri": [
        ("http://h/a b",),
        ("http://h/%7Efoo/%41%2f?a=%5B",),
        ("http://example.com/fiz?buz=%25ppicture",),
        ("http://example.com/fiz?buz=%ppicture",),
        ("http://h/100%",),
        ("http://h/é?ü=[1]#|",),
        ("",),
    ],
    "to_key_val_list": [
        (None,),
        ([("a", "b")],),
        ({"a": "b"},),
        (Pairs(),),
        ((("a", "b"),),),
        ("text",),
        (b"bytes",),
        (True,),
        (5,),
        (5.0,),
    ],
    "to_native_string": [("text",), (b"bytes",), (b"\xc3\xa9", "utf-8"), (b"\xe9",)],
    "unquote_header_value": [
        ("",),
        ("token",),
        ('"',),
        ('""',),
        ('"a"',),
        ('"a',),
        ('"say \\"so\\""',),
        ('"a\\\\b\\c"',),
        ('"\\\\host\\share"', True),
        ('"\\\\host\\share"',),
        ('"\\"',),
    ],
    "unquote_unreserved": [
        ("http://h/%7e%7E%41%2d",),
        ("%2f%25%20%e9%C3%A9",),
        ("%",),
        ("%4",),
        ("%%41",),
        ("% 1%_1",),
        ("%zz",),
        ("%4g",),
        ("%é1",),
        ("é",),
    ],
    "urldefragauth": [
        ("http://user:password@example.com/path?a=1#test",),
        ("http://example.com/path?a=1#",),
        ("//user:password@example.com/path",),
        ("//example.com/path",),
        ("example.com/path",),
        ("scheme:user:password@example.com/path",),
        ("http://h/p;x?a#f",),
        ("http://a@b@c/",),
        ("#only",),
        ("",),
    ],
}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        pytest.param(name, row, id=f"{name}-{number}")
        for name, rows in SAME.items()
        for number, row in enumerate(rows)
    ],
)
def test_a_helper_says_what_that_of_requests_says(name: str, args: tuple[Any, ...]) -> None:
    assert_same(name, *args)


# Where a helper says something else than that of requests: what it is called with, what it says, what that of
# requests says, and the reason.
TEXT = "the law of text: no charset is assumed where none is named"
LINKS = "RFC 8288, section 3 and appendix B"
OTHERWISE: list[tuple[str, tuple[Any, ...], Any, Any, str]] = [
    ("address_in_network", ("::1", "::/64"), True, "OSError", "IPv6 has networks too"),
    ("address_in_network", ("1.2.3.4", "1.2.3.4"), True, "ValueError", "an address is a network of one"),
    ("address_in_network", ("a", "1.2.3.4/8"), "ValueError", "OSError", "the system has no part in it"),
    ("dotted_netmask", (-1,), "NetmaskValueError", "error", "it is a ValueError, as for 33"),
    ("dotted_netmask", (33,), "NetmaskValueError", "ValueError", "it is a ValueError"),
    ("get_auth_from_url", ("http://user@host/",), ("user", ""), ("", ""), "the password may be empty"),
    ("get_auth_from_url", ("http://u%E9:p@h/",), ("u\xe9", "p"), ("u\ufffd", "p"), "latin-1, and no loss"),
    ("get_auth_from_url", ("http://[::1",), "InvalidURL", "ValueError", "it is a ValueError"),
    ("get_encoding_from_headers", ({"Content-Type": "a/b; charset=utf-8"},), "utf-8", None, "any case"),
    ("get_encoding_from_headers", ({"content-type": "text/html"},), None, "ISO-8859-1", TEXT),
    ("get_encoding_from_headers", ({"content-type": "application/json"},), None, "utf-8", TEXT),
    (
        "get_encoding_from_headers",
        ({"content-type": "a/b; charset=?"},),
        None,
        "?",
        "nothing can be read by it",
    ),
    ("get_encodings_from_content", ('<meta charset="">',), [], ['"'], "a quote is no charset"),
    ("get_encodings_from_content", ("<meta charset=a />",), ["a"], ["a /"], "a slash is no part of one"),
    ("get_encodings_from_content", ('<meta\ncharset="a">',), ["a"], [], "a line end is a blank"),
    ("get_encodings_from_content", ('<meta content="charset=a">',), ["a"], ["a", "a"], "a tag names one"),
    ("guess_filename", (Named(b"/folder/a.txt"),), "a.txt", b"a.txt", "a name is text"),
    ("guess_filename", (Named("folder/"),), None, "", "a folder is no file"),
    ("guess_json_utf", (b"1\0",), "utf-16-le", None, "short JSON is JSON"),
    ("guess_json_utf", (b"\0abc",), "utf-16-be", None, "that it is no JSON is seen when it is read"),
    ("is_ipv4_address", ("8.8.8.8 and more",), False, True, "what follows a blank is no part of an address"),
    ("is_ipv4_address", ("8.8.8.8\0",), False, "ValueError", "it is none"),
    ("is_valid_cidr", ("0.0.0.0/0",), True, False, "all addresses are a network"),
    ("is_valid_cidr", ("2001:db8::/32",), True, False, "IPv6 has networks too"),
    ("is_valid_cidr", ("10/8",), False, True, "it would be the network of 0.0.0.10"),
    ("is_valid_cidr", ("1.2.3.4/ 8",), False, True, "a number has no blanks"),
    ("is_valid_cidr", ("1.2.3.4/+8",), False, True, "nor a sign"),
    ("parse_list_header", (r'"\"a\""',), ['"a"'], ["a"], "quotes are taken off once"),
    ("parse_dict_header", (r'x="\"a\""',), {"x": '"a"'}, {"x": "a"}, "quotes are taken off once"),
    ("parse_header_links", ("<a>; b; c=d",), [{"url": "a", "b": "", "c": "d"}], [{"url": "a"}], LINKS),
    ("parse_header_links", ("<a>;t=1;t=2",), [{"url": "a", "t": "1"}], [{"url": "a", "t": "2"}], LINKS),
    ("parse_header_links", ("<a>;url=b",), [{"url": "a"}], [{"url": "b"}], "the target is the target"),
    ("parse_header_links", ("a; rel=x",), [], [{"url": "a", "rel": "x"}], LINKS),
    ("parse_header_links", (",<a>, ,",), [{"url": "a"}], [{"url": ""}, {"url": "a>, ,"}], LINKS),
    ("parse_header_links", ('<a>;t="b;c"',), [{"url": "a", "t": "b;c"}], [{"url": "a", "t": "b"}], LINKS),
    ("parse_header_links", ('<a>;t="b=c"',), [{"url": "a", "t": "b=c"}], [{"url": "a"}], LINKS),
    ("parse_header_links", (r'<a>;t="\"b"',), [{"url": "a", "t": '"b'}], [{"url": "a", "t": r"\"b"}], LINKS),
    ("parse_header_links", ("<a,<b>",), [{"url": "a,<b"}], [{"url": "a"}, {"url": "b"}], LINKS),
    (
        "prepend_scheme_if_needed",
        ("host:80/a", "http"),
        "http://host:80/a",
        "host:///80/a",
        "a port is no path",
    ),
    (
        "prepend_scheme_if_needed",
        ("h/a b", "http"),
        "http://h/a b",
        "http://h/a%20b",
        "only the scheme is added",
    ),
    ("unquote_unreserved", ("%٤١",), "InvalidURL", "A", "they are no hexadecimal digits"),
    ("unquote_header_value", (r'"\\""',), '\\"', '"', "what was unquoted is not unquoted once more"),
]


@pytest.mark.parametrize(
    ("name", "args", "ours", "theirs", "reason"),
    [pytest.param(*row, id=f"{row[0]}-{number}") for number, row in enumerate(OTHERWISE)],
)
def test_a_helper_says_otherwise_than_that_of_requests_for_a_reason(
    name: str, args: tuple[Any, ...], ours: Any, theirs: Any, reason: str
) -> None:
    assert reason
    assert ours_and_theirs(name, *args) == (ours, theirs)


@pytest.mark.parametrize("name", ["get_encodings_from_content", "get_unicode_from_response"])
def test_no_helper_warns_of_its_end(name: str) -> None:
    """requests announces that they will be gone; here they stay."""
    argument: Any = "<p>" if "content" in name else answered(b"", "text/plain")
    getattr(utils, name)(argument)
    with pytest.warns(DeprecationWarning, match="will be removed"):
        outcome_with_warnings = getattr(requests.utils, name)(argument)
    assert outcome_with_warnings in ([], "", b"")


# --- text


def answered(content: bytes, content_type: str | None) -> Any:
    """A response, as an adapter makes one."""
    response = Response()
    response.status_code = 200
    if content_type is not None:
        response.headers["Content-Type"] = content_type
    response.raw = io.BytesIO(content)
    return response


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        ("é".encode(), "text/html; charset=utf-8", "é"),
        (b"\xe9", "text/html; charset=latin-1", "é"),
        (b"\xe9", "text/html; charset=utf-8", "\ufffd"),
        ("é".encode("utf-16"), "text/html", "é"),
        ("é".encode(), "text/html", "é"),
        (b"\xe9", None, "é"),
        ("é".encode(), "text/html; charset=nobody-knows", "é"),
    ],
)
def test_the_text_of_a_response_is_read_by_the_law_of_text(
    content: bytes, content_type: str | None, text: str
) -> None:
    assert utils.get_unicode_from_response(answered(content, content_type)) == text


@unhurried
@given(st.text(), st.sampled_from(["utf-8", "utf-16", "latin-1", None]), st.integers(1, 5))
def test_pieces_are_decoded_as_by_requests(text: str, encoding: str | None, length: int) -> None:
    content = text.encode(encoding or "utf-8", "replace")
    response = answered(content, None)
    response.encoding = encoding
    pieces = list(utils.iter_slices(content, length))
    ours = list(utils.stream_decode_response_unicode(iter(pieces), response))
    theirs = list(requests.utils.stream_decode_response_unicode(iter(pieces), response))
    empty: Any = b"" if encoding is None else ""
    assert empty.join(ours) == empty.join(theirs)


def test_pieces_in_an_encoding_that_nobody_knows_are_left_as_they_are() -> None:
    response = answered(b"", None)
    response.encoding = "nobody-knows"
    assert list(utils.stream_decode_response_unicode(iter([b"a", b"\xe9"]), response)) == [b"a", b"\xe9"]


@unhurried
@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"])),
    st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-32", "utf-32-be", "utf-8-sig"]),
)
def test_the_encoding_of_json_is_guessed_as_by_requests(text: str, encoding: str) -> None:
    """Of JSON, that is: it begins with two characters of ASCII, or is one, and has no NUL."""
    assert_same("guess_json_utf", f'{{"{text}'.encode(encoding))


@unhurried
@given(st.text() | st.binary(), st.none() | st.integers(-3, 12))
def test_slices_are_those_of_requests(whole: str | bytes, length: int | None) -> None:
    assert_same("iter_slices", whole, length)


def test_a_text_is_ascii_or_not() -> None:
    assert utils.unicode_is_ascii("abc")
    assert utils.unicode_is_ascii("")
    assert not utils.unicode_is_ascii("é")


# --- URLs

few = st.text(st.sampled_from("%aZ0~.-/?#[]:@;!=& |\\é{^'"))


@unhurried
@given(few | st.from_regex(r"(%[0-9A-Fa-f]{1,2}|[a-z ])*", fullmatch=True) | st.text())
@example("%%41%4")
def test_a_uri_is_quoted_as_by_requests(uri: str) -> None:
    assume(not any(char.isdigit() and not char.isascii() for char in uri))  # see OTHERWISE
    assert_same("unquote_unreserved", uri)
    assert_same("requote_uri", uri)


def test_the_error_of_a_broken_escape_shows_no_password() -> None:
    with pytest.raises(InvalidURL, match="'%zz'") as caught:
        utils.unquote_unreserved("http://user:password@host/%zz")
    assert "password" not in str(caught.value)


@unhurried
@given(st.text(), st.text(), st.sampled_from(["http://{}@h/", "https://{}@h:1/a?b", "socks5://{}@h:1"]))
def test_user_and_password_come_out_of_a_url_as_they_went_in(user: str, password: str, url: str) -> None:
    assume(not any("\ud800" <= char <= "\udfff" for char in user + password))
    written = url.format(f"{quote(user, safe='')}:{quote(password, safe='')}")
    assert utils.get_auth_from_url(written) == (user, password)
    assert_same("get_auth_from_url", written)


@unhurried
@given(st.text(st.sampled_from("htp:/@?#;ab[].1")) | st.text())
@example("a;b@c")
def test_fragment_and_userinfo_are_taken_off_as_by_requests(url: str) -> None:
    assert_same("urldefragauth", url)


@unhurried
@given(
    st.text(st.sampled_from("ab.-1"), min_size=1),
    st.text(st.sampled_from("ab/.1?=&")),
    st.sampled_from(["http", "socks5"]),
)
def test_a_scheme_is_prepended_where_there_is_none(host: str, path: str, scheme: str) -> None:
    url = f"{host}/{path}"
    assert utils.prepend_scheme_if_needed(url, scheme) == f"{scheme}://{url}"
    assert utils.prepend_scheme_if_needed(f"//{url}", scheme) == f"{scheme}://{url}"
    assert utils.prepend_scheme_if_needed(f"a+b-1.c://{url}", scheme) == f"a+b-1.c://{url}"


# --- proxies: what the environment says goes into both

ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"http_proxy": "http://p:1", "https_proxy": "http://p:2"},
    {"HTTP_PROXY": "http://p:1", "all_proxy": "http://p:3"},
    {
        "all_proxy": "http://p:3",
        "no_proxy": "direct.test, .below.test,192.0.2.7 ,198.51.100.0/24,h.test:8443",
    },
    {"http_proxy": "http://p:1", "no_proxy": "*"},
    {"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"},
]
URLS = [
    "http://h.test/",
    "https://h.test/",
    "https://h.test:8443/a",
    "http://direct.test/",
    "http://www.direct.test:81/",
    "https://a.below.test/",
    "http://192.0.2.7/",
    "http://192.0.2.8/",
    "https://198.51.100.99:1/",
    "http://USER:word@direct.test/",
    "file:///etc/motd",
]


@pytest.fixture(params=ENVIRONMENTS, ids=str)
def surroundings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    variables: dict[str, str] = request.param
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.mark.parametrize("url", URLS)
def test_the_environments_proxies_are_those_of_requests(surroundings: dict[str, str], url: str) -> None:
    assert_same("should_bypass_proxies", url, None)
    theirs = requests.utils.get_environ_proxies(url)
    theirs.pop("no", None)  # the standard library takes NO_PROXY for a proxy of the scheme "no"
    assert utils.get_environ_proxies(url) == theirs


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("no_proxy", ["", "h.test", "direct.test,192.0.2.0/24"])
def test_rules_can_be_given_in_the_place_of_no_proxy(
    surroundings: dict[str, str], url: str, no_proxy: str
) -> None:
    assert_same("should_bypass_proxies", url, no_proxy)
    theirs = requests.utils.get_environ_proxies(url, no_proxy)
    theirs.pop("no", None)
    assert utils.get_environ_proxies(url, no_proxy) == theirs


def test_every_proxy_of_the_environment_is_told(surroundings: dict[str, str]) -> None:
    theirs = requests.utils.getproxies()  # type: ignore[attr-defined]
    theirs.pop("no", None)
    assert utils.getproxies() == utils.getproxies_environment() == theirs


@pytest.mark.parametrize("host", ["h.test", "direct.test", "direct.test:8080", "h.test:8443", "a.below.test"])
def test_a_host_is_bypassed_as_by_requests(surroundings: dict[str, str], host: str) -> None:
    ours, theirs = ours_and_theirs("proxy_bypass", host)
    assert ours == bool(theirs)
    assert utils.proxy_bypass_environment(host) == ours


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]:80"])
def test_a_loopback_is_never_proxied_by_the_environment(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law of proxies; requests would ask the proxy for it."""
    monkeypatch.setenv("http_proxy", "http://p:1")
    assert utils.proxy_bypass(host)
    assert utils.should_bypass_proxies(f"http://{host}/", no_proxy="")
    assert utils.get_environ_proxies(f"http://{host}/") == {}
    assert requests.utils.get_environ_proxies(f"http://{host}/") != {}


def test_what_is_no_host_is_not_bypassed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "h.test")
    assert not utils.proxy_bypass("not a host")
    assert not utils.proxy_bypass("")


@unhurried
@given(
    st.sampled_from(
        ["http://h/", "https://h/a", "HTTP://h:80", "https://other/", "ftp://h/", "file:///a", "a"]
    ),
    st.none()
    | st.dictionaries(
        st.sampled_from(
            ["http", "https", "all", "ftp", "http://h", "https://h", "all://h", "https://other", "ftp://h"]
        ),
        st.sampled_from(["http://p:1", "http://p:2", "http://p:3"]),
    ),
)
def test_the_proxy_for_a_url_is_that_of_requests(url: str, proxies: dict[str, str] | None) -> None:
    assert_same("select_proxy", url, proxies)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"http": "http://mine:1"},
        {"http": "http://mine:1", "https": "http://mine:2"},
        {"no_proxy": "h.test"},
        {"https://h.test": "http://mine:2"},
    ],
    ids=str,
)
@pytest.mark.parametrize("trust_env", [True, False])
def test_a_requests_proxies_lead_where_those_of_requests_lead(
    surroundings: dict[str, str], url: str, given: dict[str, str] | None, trust_env: bool
) -> None:
    request = requests.Request("GET", url)
    before = None if given is None else dict(given)
    ours: Any = utils.resolve_proxies(request, given, trust_env)  # type: ignore[arg-type]
    theirs = requests.utils.resolve_proxies(request, given, trust_env)
    assert requests.utils.select_proxy(url, ours) == requests.utils.select_proxy(url, theirs)
    assert given == before


def test_a_proxy_for_all_that_was_given_goes_ahead_of_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The law of precedence; requests takes the environment's, as it has the scheme."""
    monkeypatch.setenv("http_proxy", "http://p:1")
    request = Request("GET", "http://h.test/")
    resolved = utils.resolve_proxies(request, {"all": "http://mine:1"})
    assert utils.select_proxy("http://h.test/", resolved) == "http://mine:1"


# --- netrc

NETRC = (
    "machine h.test login user password word\nmachine x.test login only\ndefault login any password thing\n"
)


def named_netrc(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(text)
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.parametrize(
    "url", ["http://h.test/", b"http://h.test:8080/", "https://x.test", "http://y/", "/a"]
)
def test_the_netrc_file_has_for_a_url_what_requests_finds(
    url: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named_netrc(tmp_path / "netrc", NETRC, monkeypatch)
    assert_same("get_netrc_auth", url)
    assert_same("get_netrc_auth", url, True)


def test_without_a_netrc_file_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert utils.get_netrc_auth("http://h.test/") is None
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert utils.get_netrc_auth("http://h.test/", raise_errors=True) is None


def test_the_netrc_file_below_the_home_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "_netrc").write_text(NETRC)
    (tmp_path / "_netrc").chmod(0o600)
    assert_same("get_netrc_auth", "http://h.test/")


def test_a_malformed_netrc_file_is_an_error_for_who_wants_to_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named_netrc(tmp_path / "netrc", "machine h.test nonsense", monkeypatch)
    assert ours_and_theirs("get_netrc_auth", "http://h.test/", True) == ("NetrcParseError", "NetrcParseError")
    with pytest.warns(UserWarning, match="malformed"):
        assert utils.get_netrc_auth("http://h.test/") is None


def test_a_password_is_only_given_to_the_host_that_is_dialled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is ahead of the @ is no host, however it looks (CVE-2024-47081)."""
    named_netrc(tmp_path / "netrc", "machine h.test login user password word\n", monkeypatch)
    assert utils.get_netrc_auth("http://h.test:@other.test/") is None
    assert utils.get_netrc_auth("http://user@h.test/") == ("user", "word")


# --- addresses


@unhurried
@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(1, 32))
def test_an_address_is_in_a_network_as_with_requests(ip: IPv4Address, of: IPv4Address, bits: int) -> None:
    inside = IPv4Network((int(of), bits), strict=False)[int(ip) % (1 << (32 - bits))]
    assert_same("address_in_network", str(ip), f"{of}/{bits}")
    assert utils.address_in_network(str(inside), f"{of}/{bits}")
    assert_same("is_ipv4_address", str(ip))
    assert_same("is_valid_cidr", f"{of}/{bits}")


@unhurried
@given(st.text(st.sampled_from("0129./:a")))
def test_what_is_no_address_is_known_as_by_requests(text: str) -> None:
    assert_same("is_ipv4_address", text)


# --- header fields

tokens = st.text(st.sampled_from("abAB-*09"), min_size=1)
plain_values = st.text(st.sampled_from("abz 09/.:_"))


@unhurried
@given(st.text(st.sampled_from('ab=", \t\\')))
def test_lists_and_pairs_are_read_as_by_requests(value: str) -> None:
    assume('""' not in value and r"\"" not in value)  # see OTHERWISE
    assert_same("parse_list_header", value)
    assert_same("parse_dict_header", value)


def in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@unhurried
@given(st.lists(st.text(st.sampled_from('ab=", \\;<>'))))
def test_what_went_into_a_list_in_quotes_comes_out(members: list[str]) -> None:
    """RFC 9110, section 5.6.4: any text can be quoted."""
    assert utils.parse_list_header(", ".join(map(in_quotes, members))) == members
    assert [utils.unquote_header_value(in_quotes(member)) for member in members] == members
    pairs = ",".join(f"n{number}={in_quotes(member)}" for number, member in enumerate(members))
    assert utils.parse_dict_header(pairs) == {f"n{number}": member for number, member in enumerate(members)}


targets = st.text(st.sampled_from("ab/:?&=%."), min_size=1)


@unhurried
@given(st.lists(st.tuples(targets, st.dictionaries(tokens, plain_values)), min_size=1))
def test_simple_links_are_read_as_by_requests(links: list[tuple[str, dict[str, str]]]) -> None:
    value = ", ".join(
        "; ".join([f"<{target}>", *(f'{name}="{text.strip()}"' for name, text in parameters.items())])
        for target, parameters in links
    )
    assert_same("parse_header_links", value)


@unhurried
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from('ab,;="<\\ '), min_size=1),
            st.dictionaries(tokens, st.text(st.sampled_from("ab,;=\"<>\\ '\n"))),
        )
    )
)
def test_any_link_is_read_as_it_was_written(links: list[tuple[str, dict[str, str]]]) -> None:
    """RFC 8288, section 3: commas, semicolons and quotes may be within."""
    value = " ,".join(
        f"<{target}>" + "".join(f" ;{name} = {in_quotes(text)}" for name, text in parameters.items())
        for target, parameters in links
    )
    expected = [{"url": target.strip(), **parameters} for target, parameters in links]
    assert utils.parse_header_links(value) == expected


@unhurried
@given(st.text(st.sampled_from("<>;,=\"\\' ab\n")) | st.text())
def test_no_text_is_too_broken_to_look_for_links_in(value: str) -> None:
    for link in utils.parse_header_links(value):
        assert all(isinstance(part, str) for part in (*link, *link.values()))


# Each would take hours if the time were not linear, and the suite has a limit of time.
MANY = 500_000


@pytest.mark.slow
@pytest.mark.parametrize("start", ["", "<a>", "<a>;t=", '<a>;t="'], ids=repr)
@pytest.mark.parametrize(
    "piece", ["<", '"', ";", "\\", " ", "; ", ";a", ";a ", ";a=", ",", '="', "'", '\\"', "<>"]
)
def test_links_are_read_in_linear_time_whatever_comes(start: str, piece: str) -> None:
    utils.parse_header_links(start + piece * MANY)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["<meta", "<meta ", "<meta charset", "charset=", "charset ", "=", "<", "<?xml ", "encoding", "'"]
)
@pytest.mark.parametrize("start", ["", "<meta ", "<?xml "])
def test_character_sets_are_found_in_linear_time_whatever_comes(start: str, piece: str) -> None:
    utils.get_encodings_from_content(start + piece * MANY)


@pytest.mark.parametrize(
    "header",
    [
        ("Name", "value"),
        (b"Name", b"value"),
        ("Name", ""),
        ("Name", "value "),
        ("Name", "\xe9"),
        ("", "value"),
        (" Name", "value"),
        ("Name:", "value"),
        ("Name", " value"),
        ("Name", "\tvalue"),
        ("Name", "value\r\nOther: value"),
        ("Name", "value\n"),
        ("Na\nme", "value"),
        ("Name", 5),
        (5, "value"),
    ],
)
def test_a_header_may_be_sent_as_with_requests(header: Any) -> None:
    assert_same("check_header_validity", header)


@pytest.mark.parametrize(
    "header", [("Na me", "value"), ("Name", "\0"), ("Name", "\u20ac"), ("N\xe4me", "value")]
)
def test_a_header_that_only_requests_would_send_is_refused(header: tuple[str, str]) -> None:
    """Law X7, and RFC 9110, sections 5.1 and 5.5."""
    requests.utils.check_header_validity(header)
    with pytest.raises(InvalidHeader):
        utils.check_header_validity(header)


# --- cookies


def test_names_and_values_are_read_from_jars_of_either_kind() -> None:
    ours, theirs = CookieJar({"a": "b", "c": ""}), requests.cookies.cookiejar_from_dict({"a": "b", "c": ""})
    jars: list[Any] = [ours, theirs, ours.to_cookiejar()]
    for jar in jars:
        assert utils.dict_from_cookiejar(jar) == {"a": "b", "c": ""}
        assert requests.utils.dict_from_cookiejar(jar) == {"a": "b", "c": ""}


@pytest.mark.parametrize("jar", [CookieJar({"a": "old"}), CookieJar({"a": "old"}).to_cookiejar()], ids=type)
def test_names_and_values_are_put_into_jars_of_either_kind(jar: Any) -> None:
    assert utils.add_dict_to_cookiejar(jar, {"a": "b", "c": "d"}) is jar
    assert utils.dict_from_cookiejar(jar) == {"a": "b", "c": "d"}
    utils.add_dict_to_cookiejar(jar, {})
    assert len(jar) == 2


def test_a_cookie_in_the_standard_librarys_jar_goes_where_that_of_requests_goes() -> None:
    ours = utils.add_dict_to_cookiejar(http.cookiejar.CookieJar(), {"a": "b"})
    theirs = requests.utils.add_dict_to_cookiejar(http.cookiejar.CookieJar(), {"a": "b"})
    for (mine,), (their,) in [(ours, theirs)]:
        where = ("name", "value", "domain", "path", "secure", "expires", "port")
        assert [getattr(mine, name) for name in where] == [getattr(their, name) for name in where]


# --- the length of bodies


class WithLength:
    def __len__(self) -> int:
        return 5


class WithLengthAt(WithLength):
    def __init__(self, position: int) -> None:
        self.position = position

    def tell(self) -> int:
        return self.position


class WithLengthNowhere(WithLength):
    def tell(self) -> int:
        raise OSError("nobody knows")


class WithLen:
    def __init__(self, length: int) -> None:
        self.len = length


class WithLenAt(WithLen):
    def tell(self) -> int:
        return 2


class WithoutAnything:
    pass


def at(file: Any, position: int) -> Any:
    file.seek(position)
    return file


@pytest.mark.parametrize(
    "make",
    [
        lambda: None,
        lambda: "",
        lambda: "text",
        lambda: "t€xt",
        lambda: b"bytes",
        lambda: bytearray(b"bytes"),
        lambda: memoryview(b"bytes"),
        lambda: [1, 2, 3],
        lambda: {"a": "b"},
        lambda: 5,
        lambda: iter([b"piece"]),
        lambda: (piece for piece in [b"piece"]),
        lambda: io.BytesIO(b"0123456789"),
        lambda: at(io.BytesIO(b"0123456789"), 4),
        lambda: at(io.BytesIO(b"0123456789"), 40),
        lambda: at(io.StringIO("0123456789"), 4),
        WithLength,
        lambda: WithLengthAt(2),
        lambda: WithLengthAt(20),
        WithLengthNowhere,
        lambda: WithLen(7),
        lambda: WithLenAt(7),
        lambda: WithLenAt(1),
        WithoutAnything,
    ],
)
def test_a_body_is_as_long_as_with_requests(make: Callable[[], Any]) -> None:
    ours, theirs = make(), make()
    assert utils.super_len(ours) == requests.utils.super_len(theirs)
    if hasattr(ours, "seek"):
        assert ours.tell() == theirs.tell()


@pytest.mark.parametrize("position", [0, 4, 40])
@pytest.mark.parametrize("buffering", [-1, 0])
def test_a_file_is_as_long_as_what_is_left_of_it(position: int, buffering: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with open(tmp_path / "file", "rb", buffering) as file:
        file.seek(position)
        assert utils.super_len(file) == requests.utils.super_len(file) == max(0, 10 - position)
        assert file.tell() == position


def test_a_temporary_file_is_as_long_as_what_is_left_of_it() -> None:
    with tempfile.NamedTemporaryFile() as named, tempfile.SpooledTemporaryFile() as spooled:
        for file in (named, spooled):
            file.write(b"0123456789")
            file.seek(4)
            assert utils.super_len(file) == requests.utils.super_len(file) == 6
            assert file.tell() == 4


def test_the_length_of_a_pipe_is_not_known() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as file, open(writing, "wb") as other:
        other.write(b"something")
        other.flush()
        assert utils.super_len(file) == requests.utils.super_len(file) == 0


def test_a_text_file_is_as_long_as_its_text_in_utf8(tmp_path: Path) -> None:
    """What is sent of it; requests counts the bytes of the file, and warns that they may be others."""
    (tmp_path / "file").write_text("äöü\n", encoding="utf-16")
    with open(tmp_path / "file", encoding="utf-16") as file:
        assert utils.super_len(file) == 7
        assert file.read() == "äöü\n"
    assert utils.super_len(at(io.StringIO("äöü"), 1)) == 4


def test_a_file_that_decompresses_is_as_long_as_what_it_gives(tmp_path: Path) -> None:
    """requests takes the length of the compressed one."""
    with gzip.open(tmp_path / "file", "wb") as file:
        file.write(b"0" * 1000)
    with gzip.open(tmp_path / "file", "rb") as file:
        file.read(400)
        assert utils.super_len(file) == 600
        assert file.tell() == 400


def test_a_len_that_is_what_is_left_is_not_shortened_where_seeking_can_tell() -> None:
    """So requests-toolbelt's own buffers mean it; requests takes off once more what was read."""
    buffer = CustomBytesIO(b"0123456789")
    buffer.read(3)
    assert buffer.len == 7
    assert utils.super_len(buffer) == 7
    assert requests.utils.super_len(buffer) == 4


# --- bodies are wound back


def prepared(body: Any) -> PreparedRequest:
    return Request("POST", "http://h/", data=body).prepare()


def test_a_file_is_wound_back_to_where_it_stood() -> None:
    """Law P2."""
    file = at(io.BytesIO(b"0123456789"), 4)
    request = prepared(file)
    file.read()
    utils.rewind_body(request)
    assert file.tell() == 4


@pytest.mark.parametrize("body", [b"bytes", "text", {"a": "b"}, None])
def test_what_is_no_file_need_not_be_wound_back(body: Any) -> None:
    utils.rewind_body(prepared(body))


class Unseekable(io.BytesIO):
    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError("it can't")


@pytest.mark.parametrize("make", [lambda: iter([b"piece"]), lambda: Unseekable(b"bytes")])
def test_a_body_that_cant_be_wound_back_is_an_error_as_with_requests(make: Callable[[], Any]) -> None:
    ours, theirs = prepared(make()), requests.Request("POST", "http://h/", data=make()).prepare()
    bodies: list[Any] = [ours.body, theirs.body]
    for body in bodies:
        next(iter(body))
    assert outcome(utils.rewind_body, ours) == outcome(requests.utils.rewind_body, theirs)
    with pytest.raises(UnrewindableBodyError):
        utils.rewind_body(ours)


# --- files


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as file:
        file.writestr("ca.pem", b"top")
        file.writestr("folder/inner/ca.pem", b"inner")
    return tmp_path / "archive.zip"


@pytest.mark.parametrize(("member", "content"), [("ca.pem", b"top"), ("folder/inner/ca.pem", b"inner")])
def test_a_file_in_an_archive_is_copied_out_of_it(archive: Path, member: str, content: bytes) -> None:
    for helper in (utils.extract_zipped_paths, requests.utils.extract_zipped_paths):
        copy = Path(helper(str(archive / member)))
        assert copy.read_bytes() == content
        assert copy.suffix == ".pem"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "path",
    ["archive.zip", "archive.zip/none.pem", "archive.zip/folder", "none/a.pem", "plain/a.pem", "plain"],
)
def test_a_path_that_leads_into_no_archive_stays_as_it_is(archive: Path, path: str) -> None:
    (archive.parent / "plain").write_bytes(b"no archive")
    before = sorted(archive.parent.iterdir())
    assert utils.extract_zipped_paths(str(archive.parent / path)) == str(archive.parent / path)
    assert_same("extract_zipped_paths", str(archive.parent / path))
    assert sorted(archive.parent.iterdir()) == before


@pytest.mark.parametrize("path", ["", "none", "/", "none/at/all", "/none"])
def test_a_path_to_nothing_stays_as_it_is(path: str) -> None:
    assert_same("extract_zipped_paths", path)


class AmidTheBlockError(Exception):
    """What goes wrong within a `with` block."""


@pytest.mark.parametrize("helper", [utils.atomic_open, requests.utils.atomic_open])
def test_a_file_is_there_at_the_end_of_the_block_and_only_if_it_ends_well(
    helper: Any, tmp_path: Path
) -> None:
    path = tmp_path / "file"

    def write(content: bytes, error: Exception | None = None) -> None:
        before = path.exists()
        with helper(str(path)) as file:
            file.write(content)
            assert path.exists() == before
            if error is not None:
                raise error

    write(b"first")
    with pytest.raises(AmidTheBlockError):
        write(b"half", AmidTheBlockError())
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write(b"second")
    assert path.read_bytes() == b"second"


@pytest.mark.parametrize("helper", [utils.set_environ, requests.utils.set_environ])
def test_a_variable_is_set_for_a_block(helper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_VARIABLE", "before")
    monkeypatch.delenv("ANOTHER", raising=False)

    def fail_within() -> None:
        with helper("A_VARIABLE", "within"), helper("ANOTHER", "within"):
            assert (os.environ["A_VARIABLE"], os.environ["ANOTHER"]) == ("within", "within")
            raise AmidTheBlockError

    with pytest.raises(AmidTheBlockError):
        fail_within()
    assert os.environ["A_VARIABLE"] == "before"
    assert "ANOTHER" not in os.environ


def test_a_variable_that_is_set_to_none_is_left_to_the_block() -> None:
    for helper in (utils.set_environ, requests.utils.set_environ):
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("A_VARIABLE", "before")
            with helper("A_VARIABLE", None):
                assert os.environ["A_VARIABLE"] == "before"
                os.environ["A_VARIABLE"] = "changed"
            assert os.environ["A_VARIABLE"] == "changed"
