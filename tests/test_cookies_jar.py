"""The jar as programs see it: requests' interface, other jars, copies, threads and forks."""

from __future__ import annotations

import copy
import dataclasses
import http.cookiejar
import os
import pickle
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, MutableMapping
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests.cookies

from pystickyhttp import Session, cookies
from pystickyhttp.cookies import (
    Cookie,
    CookieConflictError,
    CookieJar,
    RequestsCookieJar,
    cookie_header,
    cookiejar_from_dict,
    create_cookie,
    extract_cookies_to_jar,
    get_cookie_header,
    merge_cookies,
    morsel_to_cookie,
    remove_cookie_by_name,
)
from pystickyhttp.cookies import jar as jars
from pystickyhttp.headers import Headers
from pystickyhttp.urls import parse
from tests.servers.scripted import ScriptedServer, keep_alive, respond
from tests.servers.wire import Request

HTTP = parse("http://example.com/")
HTTPS = parse("https://example.com/")


def sent(jar: CookieJar, url: str) -> str:
    return cookie_header(jar.cookies_for(parse(url)))


def jar_of(url: str, *set_cookie: str, **limits: Any) -> CookieJar:
    jar = CookieJar(**limits)
    jar.extract(parse(url), set_cookie)
    return jar


# -- the same as in requests


def filled(jar: Any) -> Any:
    jar.set("a", "1")
    jar.set("b", "2", domain=".example.com", path="/x")
    jar.set("c", "3", domain=".example.org", secure=True, expires=4_000_000_000, rest={"HttpOnly": None})
    jar.set("n", "4", domain=".example.com")
    jar.set("n", "5", domain=".example.org")
    return jar


def outcome(jar: Any, act: Callable[[Any], Any]) -> Any:
    """What a call gives, an iterator as a list and an error by its name, and what the jar holds then."""
    try:
        given = act(jar)
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        given = type(error).__name__
    if isinstance(given, Iterator):
        given = list(given)
    if hasattr(given, "get_dict"):
        given = given.get_dict()
    return given, sorted((cookie.name, cookie.value) for cookie in jar)


ACTS: list[Callable[[Any], Any]] = [
    lambda jar: jar["a"],
    lambda jar: jar["none"],
    lambda jar: jar["n"],
    lambda jar: jar.get("a"),
    lambda jar: jar.get("none"),
    lambda jar: jar.get("none", "default"),
    lambda jar: jar.get("n"),
    lambda jar: jar.get("n", domain=".example.org"),
    lambda jar: jar.get("n", None, ".example.com", "/"),
    lambda jar: jar.get("b", path="/"),
    lambda jar: jar.get("b", path="/x"),
    lambda jar: "a" in jar,
    lambda jar: "none" in jar,
    lambda jar: "n" in jar,
    lambda jar: sorted(jar.keys()),
    lambda jar: sorted(jar.values()),
    lambda jar: sorted(jar.items()),
    lambda jar: sorted(jar.iterkeys()),
    lambda jar: sorted(jar.itervalues()),
    lambda jar: sorted(jar.iteritems()),
    lambda jar: sorted(dict(jar)),
    lambda jar: dict(jar.items())["b"],
    lambda jar: len(jar),
    lambda jar: bool(jar),
    lambda jar: sorted(jar.list_paths()),
    lambda jar: jar.get_dict(domain=".example.com"),
    lambda jar: jar.get_dict(path="/x"),
    lambda jar: jar.get_dict(".example.org", "/"),
    lambda jar: jar.set("a", "6").value,
    lambda jar: jar.set("a", None),
    lambda jar: jar.set("n", None, domain=".example.com"),
    lambda jar: jar.set("n", None, domain=""),
    lambda jar: jar.set("a", None, domain=""),
    lambda jar: jar.set("b", None, path="/x"),
    lambda jar: jar.set("x", "1", nonsense=True),
    lambda jar: jar.__setitem__("a", "6"),
    lambda jar: jar.__setitem__("a", None),
    lambda jar: jar.__delitem__("a"),
    lambda jar: jar.pop("a"),
    lambda jar: jar.pop("none"),
    lambda jar: jar.pop("none", None),
    lambda jar: (jar.set("empty", "").value, jar.pop("empty", "default"), jar.get("empty", "none")),
    lambda jar: jar.pop("n"),
    lambda jar: jar.setdefault("a", "6"),
    lambda jar: jar.setdefault("new", "6"),
    lambda jar: jar.update({"a": "6", "z": "7"}),
    lambda jar: jar.update(type(jar)()),
    lambda jar: jar.copy(),
    lambda jar: jar.clear(),
    lambda jar: jar.clear(".example.com"),
    lambda jar: jar.clear(".example.com", "/x"),
    lambda jar: jar.clear(".example.com", "/", "n"),
    lambda jar: jar.clear(".example.com", "/", "none"),
    lambda jar: jar.clear(".none.example"),
    lambda jar: jar.clear(path="/"),
    lambda jar: jar.clear(name="a"),
    lambda jar: jar.clear_expired_cookies(),
    lambda jar: jar == {"a": "1"},
    lambda jar: [
        (cookie.name, cookie.value, cookie.path, cookie.secure) for cookie in jar if cookie.name < "n"
    ],
    lambda jar: [(c.expires, c.is_expired(), c.is_expired(5e9)) for c in jar if c.name in "abc"],
    lambda jar: [(c.version, c.port, c.port_specified, c.comment, c.comment_url, c.rfc2109) for c in jar],
    lambda jar: [c.domain_specified for c in jar],
    lambda jar: [c.domain_initial_dot for c in jar],
    lambda jar: [c.path_specified for c in jar],
    lambda jar: [c.has_nonstandard_attr("HttpOnly") for c in jar if c.name == "c"],
    lambda jar: [c.get_nonstandard_attr("HttpOnly", "?") for c in jar if c.name == "c"],
    lambda jar: [(c.has_nonstandard_attr("X"), c.get_nonstandard_attr("X", "?")) for c in jar],
    lambda jar: isinstance(jar, MutableMapping),
]


@pytest.mark.parametrize("act", ACTS)
def test_a_jar_answers_as_that_of_requests_does(act: Callable[[Any], Any]) -> None:
    theirs = filled(requests.cookies.RequestsCookieJar())
    assert outcome(filled(RequestsCookieJar()), act) == outcome(theirs, act)


def test_the_functions_of_requests_cookies_are_there() -> None:
    for name in (
        *(
            "RequestsCookieJar",
            "CookieConflictError",
            "cookiejar_from_dict",
            "create_cookie",
            "merge_cookies",
        ),
        *("morsel_to_cookie", "extract_cookies_to_jar", "get_cookie_header", "remove_cookie_by_name"),
    ):
        assert hasattr(requests.cookies, name)
        assert hasattr(cookies, name)


# -- where it differs from requests


def test_a_domain_is_shown_without_the_dot_and_a_host_as_it_is() -> None:
    jar = jar_of("http://www.example.com/", "a=1; Domain=example.com", "b=2")
    jar.extract(parse("http://localhost/"), ["c=3"])
    assert [(cookie.domain, cookie.domain_specified) for cookie in jar] == [
        ("example.com", True),
        ("www.example.com", False),
        ("localhost", False),
    ]
    assert jar.list_domains() == ["example.com", "www.example.com", "localhost"]


@pytest.mark.parametrize("domain", ["example.com", ".example.com", ".EXAMPLE.com", "Example.Com"])
def test_a_domain_is_found_with_and_without_its_dot_in_any_case(domain: str) -> None:
    jar = CookieJar()
    jar.set("n", "1", domain=domain)
    assert jar.get("n", domain="example.com") == jar.get("n", domain=".Example.com") == "1"
    assert sent(jar, "http://www.example.com/") == "n=1"
    jar.set("n", None, domain=domain)
    assert not jar


def test_multiple_domains_are_two_or_more() -> None:
    jar = CookieJar()
    jar.set("a", "1", domain="example.com")
    jar.set("b", "2", domain="example.com")
    assert not jar.multiple_domains()
    jar.set("c", "3", domain="example.org")
    assert jar.multiple_domains()


def test_taking_away_a_cookie_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        del CookieJar()["missing"]


def test_popitem_gives_the_cookie_that_came_last() -> None:
    jar = CookieJar({"a": "1", "b": "2"})
    assert (jar.popitem(), jar.popitem(), len(jar)) == (("b", "2"), ("a", "1"), 0)
    with pytest.raises(KeyError):
        jar.popitem()


def test_quotes_of_a_cookie_of_another_library_are_kept() -> None:
    theirs = requests.cookies.create_cookie("a", r'"b\"c"', domain="example.com")
    jar = CookieJar()
    jar.set_cookie(theirs)
    assert jar["a"] == r'"b\"c"'


def test_a_cookie_that_is_bound_to_a_port_is_refused() -> None:
    jar = CookieJar()
    with pytest.raises(ValueError, match="port"):
        jar.set("a", "b", port="80")
    assert not jar


@pytest.mark.parametrize(("name", "value"), [("a", 1), (1, "a"), ("a", b"b"), ("a", ["b"])])
def test_names_and_values_are_text(name: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="str"):
        CookieJar({name: value})


def test_the_cookies_of_the_session_are_those_without_an_end() -> None:
    jar = CookieJar({"a": "1"})
    jar.set("b", "2", expires=4_000_000_000, discard=True)  # which says nothing here
    assert [(cookie.name, cookie.discard) for cookie in jar] == [("a", True), ("b", False)]
    jar.clear_session_cookies()
    assert jar.keys() == ["b"]


# -- on the wire


def test_the_bytes_of_a_value_come_back_to_the_server_as_it_sent_them(session: Session) -> None:
    value = bytes(code for code in range(0x21, 0x100) if code not in (0x3B, 0x7F))

    def answer(request: Request) -> bytes:
        return respond(headers=[("Set-Cookie", f'a="{value.decode("latin-1")}"; Path=/')])

    with ScriptedServer(keep_alive(answer)) as server:
        response = session.get(server.url())
        session.get(server.url())
        taken = CookieJar()
        extract_cookies_to_jar(taken, response.request, response)
    assert (server.requests[1].header("Cookie") or "").encode("latin-1") == b'a="' + value + b'"'
    assert taken == session.cookies


# -- cookies in code


def test_what_is_set_in_code_without_a_domain_goes_to_every_host() -> None:
    jar = CookieJar({"a": "1"})
    for host in ("example.com", "www.example.com", "localhost", "127.0.0.1", "[::1]"):
        assert sent(jar, f"http://{host}/any/path") == "a=1"


def test_what_is_set_in_code_for_every_host_is_not_limited_as_a_domain_is() -> None:
    jar = CookieJar({str(number): "x" for number in range(500)})
    assert len(jar) == 500


def test_a_cookie_set_in_code_lives_as_long_as_it_says() -> None:
    jar = CookieJar(max_lifetime=60)
    jar.set("a", "b", expires=time.time() + 1000 * 86400)
    assert [cookie.value for cookie in jar.cookies_for(HTTP, time.time() + 900 * 86400)] == ["b"]


def test_a_cookie_set_in_code_that_has_expired_is_none() -> None:
    jar = CookieJar({"a": "b"})
    jar.set("a", "c", expires=1)
    assert not jar


def test_set_takes_the_attributes_of_a_cookie() -> None:
    jar = CookieJar()
    made = jar.set(
        *("a", "b"),
        domain="example.com",
        path="/x",
        expires=4_000_000_000,
        secure=True,
        rest={"HttpOnly": None, "SameSite": "lax"},
        created=5,
        host_only=True,
    )
    assert [made] == list(jar)
    assert made == Cookie(
        *("a", "b", "example.com", "/x", 4_000_000_000.0),
        secure=True,
        http_only=True,
        host_only=True,
        created=5,
        same_site="Lax",
    )


def test_a_cookie_is_changed_by_making_another() -> None:
    jar = CookieJar({"a": "1"})
    (cookie,) = jar
    with pytest.raises(AttributeError):
        cookie.value = "2"  # type: ignore[misc]
    jar.set_cookie(dataclasses.replace(cookie, value="2"))
    assert jar.items() == [("a", "2")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a=b; Path=/x; Domain=example.com; Secure; HttpOnly; SameSite=Strict",
            ("b", "example.com", "/x", None),
        ),
        ('a="b c"', ('"b c"', "", "/", None)),  # as it stands in a header
        ("a=b; expires=Wed, 01 Jan 2070 00:00:00 GMT", ("b", "", "/", 3155760000.0)),
    ],
)
def test_a_morsel_is_set_with_its_attributes(text: str, expected: tuple[Any, ...]) -> None:
    simple: SimpleCookie = SimpleCookie(text)
    jar = CookieJar()
    jar["ignored"] = simple["a"]
    (cookie,) = jar
    assert cookie.name == "a"
    assert (cookie.value, cookie.domain, cookie.path, cookie.expires) == expected
    assert cookie.secure == cookie.http_only == bool(cookie.same_site) == ("Secure" in text)


def test_the_max_age_of_a_morsel_counts_from_now_and_ahead_of_its_expires() -> None:
    simple: SimpleCookie = SimpleCookie("a=b; max-age=100; expires=Wed, 01 Jan 2070 00:00:00 GMT")
    before = time.time()
    expires = morsel_to_cookie(simple["a"]).expires
    assert expires is not None
    assert before + 100 <= expires <= time.time() + 100


@pytest.mark.parametrize(("attribute", "error"), [("max-age", TypeError), ("expires", ValueError)])
def test_a_morsel_whose_time_makes_no_sense_is_refused(attribute: str, error: type[Exception]) -> None:
    """As in requests, by the same errors."""
    simple: SimpleCookie = SimpleCookie("a=b")
    simple["a"][attribute] = "soon"
    for convert in (morsel_to_cookie, requests.cookies.morsel_to_cookie):
        with pytest.raises(error):
            convert(simple["a"])


# -- a jar as a mapping


def test_a_jar_is_read_as_a_mapping() -> None:
    jar = CookieJar({"a": "1", "b": "2"})
    assert (jar.keys(), jar.values(), jar.items()) == (["a", "b"], ["1", "2"], [("a", "1"), ("b", "2")])
    assert jar.get_dict() == dict(jar.items()) == {"a": "1", "b": "2"}
    assert jar == {"a": "1", "b": "2"}
    assert jar != {"a": "1"}
    del jar["a"]
    jar["b"] = None
    assert not jar


def test_a_name_that_several_cookies_have_has_to_be_told_apart() -> None:
    jar = CookieJar()
    jar.set("n", "1", domain="example.com", path="/a")
    jar.set("n", "2", domain="example.org", path="/b")
    for ask in (lambda: jar.get("n"), lambda: jar["n"], lambda: jar.pop("n")):
        with pytest.raises(CookieConflictError, match="domain= and path="):
            ask()
    assert jar.get("n", domain="example.com") == "1"
    assert jar.get("n", path="/b") == "2"
    jar.remove("n", domain="example.com")
    assert jar["n"] == "2"


def test_jars_with_the_same_cookies_are_equal_whenever_they_were_made() -> None:
    one, other = CookieJar(), CookieJar()
    one.extract(HTTP, ["a=b"], 1)
    other.extract(HTTP, ["a=b"], 2)
    assert one == other
    assert one != jar_of("http://example.com/", "a=c")
    assert one != jar_of("http://example.org/", "a=b")
    assert one != jar_of("http://example.com/", "a=b; HttpOnly")
    assert one != "a=b"


def test_a_jar_says_which_cookies_it_has_and_keeps_their_values_to_itself() -> None:
    text = repr(jar_of("http://example.com/", "session=secret"))
    assert "session" in text
    assert "example.com" in text
    assert "secret" not in text
    assert repr(CookieJar()) == "<CookieJar: empty>"


@pytest.mark.parametrize(
    "other",
    [
        {"b": "3", "c": "4"},
        [("b", "3"), ("c", "4")],
        CookieJar({"b": "3", "c": "4"}),
        list(CookieJar({"b": "3", "c": "4"})),
        requests.cookies.cookiejar_from_dict({"b": "3", "c": "4"}),
        list(requests.cookies.cookiejar_from_dict({"b": "3", "c": "4"})),
    ],
)
def test_an_update_takes_over_what_is_given(other: Any) -> None:
    jar = CookieJar({"a": "1", "b": "2"})
    jar.update(other)
    assert jar.get_dict() == {"a": "1", "b": "3", "c": "4"}


def test_an_update_takes_names_as_a_dict_does() -> None:
    jar = CookieJar({"a": "1"})
    jar.update(a="2", b="3")
    jar.update({"c": "4"}, d="5")
    jar.update(jar)
    assert jar.get_dict() == {"a": "2", "b": "3", "c": "4", "d": "5"}


@pytest.mark.parametrize("nonsense", ["", b"", "a=b", b"a=b", 7, [7], [["a", "b"]], ["a=b"]])
def test_what_is_no_cookies_is_refused(nonsense: Any) -> None:
    for take in (CookieJar, CookieJar().update, lambda given: merge_cookies(CookieJar(), given)):
        with pytest.raises(TypeError, match="give"):
            take(nonsense)


# -- other jars


def test_a_jar_of_requests_is_taken_with_its_domains() -> None:
    """It is a mapping too, and must not be taken for one, or its cookies would go to everybody."""
    theirs = requests.cookies.RequestsCookieJar()
    theirs.set("a", "1", domain=".example.com", path="/x", secure=True)
    theirs.set("b", "2")
    jar = CookieJar(theirs)
    assert sorted((cookie.name, cookie.domain, cookie.path, cookie.secure) for cookie in jar) == [
        ("a", "example.com", "/x", True),
        ("b", "", "/", False),
    ]


@pytest.mark.parametrize(
    ("domain", "specified", "expected"),
    [
        ("example.com", True, {"example.com", "www.example.com"}),  # as requests makes them in code
        ("example.com", False, {"example.com"}),
        (".example.com", True, {"example.com", "www.example.com"}),
        ("", False, {"example.com", "www.example.com", "example.org"}),
    ],
)
def test_a_cookie_of_the_standard_library_is_for_the_hosts_that_it_was_made_for(
    domain: str, specified: bool, expected: set[str]
) -> None:
    theirs = requests.cookies.create_cookie("a", "1", domain=domain)
    theirs.domain_specified = specified
    jar = CookieJar([theirs])
    hosts = ("example.com", "www.example.com", "example.org")
    assert {host for host in hosts if sent(jar, f"http://{host}/")} == expected


def standard_jar(url: str, *set_cookie: str) -> http.cookiejar.CookieJar:
    """What the standard library makes of a response."""
    jar = http.cookiejar.CookieJar()
    response = SimpleNamespace(
        info=lambda: SimpleNamespace(
            get_all=lambda name, default: {"Set-Cookie": list(set_cookie)}.get(name, default)
        )
    )
    jar.extract_cookies(response, urllib.request.Request(url))  # type: ignore[arg-type]
    return jar


def header_of(jar: http.cookiejar.CookieJar, url: str) -> str | None:
    """What the standard library sends with a request."""
    request = urllib.request.Request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie")


FIELDS = [
    "own=1",
    "wide=2; Domain=example.com",
    "deep=3; Path=/deep",
    "safe=4; Secure",
    "late=5; Max-Age=1000",
    "hidden=6; HttpOnly",
    "site=7; SameSite=Lax",
    "empty=",
    "nameless",
]


@pytest.mark.parametrize("field", FIELDS)
def test_a_cookie_that_the_standard_library_took_is_the_same_here(field: str) -> None:
    jar = CookieJar(standard_jar("https://www.example.com/", field))
    ours = jar_of("https://www.example.com/", field)
    assert [dataclasses.replace(cookie, created=0, expires=None) for cookie in jar] == [
        dataclasses.replace(cookie, created=0, expires=None) for cookie in ours
    ]
    assert [cookie.discard for cookie in jar] == [cookie.discard for cookie in ours]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("host", ["www.example.com", "localhost"])
def test_a_cookie_given_to_the_standard_library_goes_as_it_would_from_here(field: str, host: str) -> None:
    field = field.replace("example.com", "www.example.com" if host == "www.example.com" else "localhost")
    ours = jar_of(f"https://{host}/", field)
    given = ours.to_cookiejar()
    for url in (f"https://{host}/deep", f"http://{host}/", "https://www.example.org/"):
        assert (header_of(given, url) or "") == sent(ours, url), url


def test_cookies_come_back_from_the_standard_library_as_they_went() -> None:
    jar = jar_of("https://www.example.com/", *FIELDS)
    jar.extract(parse("http://localhost/"), ["local=8"])
    jar.set("any", "9")
    jar.set("wide", "10", domain="localhost")
    again = CookieJar(jar.to_cookiejar())
    assert again == CookieJar(
        dataclasses.replace(cookie, expires=cookie.expires and int(cookie.expires)) for cookie in jar
    )


def test_requests_sends_the_cookies_of_a_jar_that_is_given_to_it() -> None:
    jar = jar_of("https://www.example.com/", "a=1", "b=2; Domain=example.com")
    with requests.Session() as session:
        session.cookies.update(jar.to_cookiejar())
        prepared = session.prepare_request(requests.Request("GET", "https://www.example.com/"))
    assert sorted(str(prepared.headers["Cookie"]).split("; ")) == ["a=1", "b=2"]


# -- the functions of requests.cookies


def test_cookiejar_from_dict_makes_or_fills_a_jar() -> None:
    assert cookiejar_from_dict(None) == CookieJar()
    assert cookiejar_from_dict({"a": "1"}) == {"a": "1"}
    jar = CookieJar({"a": "1"})
    assert cookiejar_from_dict({"a": "2", "b": "3"}, jar, overwrite=False) is jar
    assert jar == {"a": "1", "b": "3"}
    assert cookiejar_from_dict({"a": "2"}, jar) == {"a": "2", "b": "3"}
    empty = CookieJar()
    assert cookiejar_from_dict({"a": "1"}, cookiejar=empty) is empty


def test_merging_names_leaves_what_is_there_and_merging_a_jar_does_not() -> None:
    for source, expected in (({"a": "2"}, "1"), (CookieJar({"a": "2"}), "2"), (None, "1")):
        jar = CookieJar({"a": "1"})
        assert merge_cookies(jar, source) is jar
        assert jar["a"] == expected
    assert merge_cookies(CookieJar({"a": "1"}), requests.cookies.cookiejar_from_dict({"a": "2"})) == {
        "a": "2"
    }
    with pytest.raises(ValueError, match="CookieJar"):
        merge_cookies({}, {"a": "1"})  # type: ignore[arg-type]


def test_create_cookie_makes_a_cookie_for_every_host() -> None:
    cookie = create_cookie("a", "b", domain=None, path=None, version=0, discard=True, comment=None)
    assert dataclasses.replace(cookie, created=0) == Cookie("a", "b")
    assert not create_cookie("a", "b", host_only=True).host_only  # of which host?
    with pytest.raises(TypeError):
        create_cookie("a", "b", nonsense=1)  # type: ignore[call-arg]


def test_remove_cookie_by_name_removes_those_of_a_domain_and_path() -> None:
    jar = CookieJar()
    for domain in ("example.com", "example.org"):
        for path in ("/", "/x"):
            jar.set("n", domain + path, domain=domain, path=path)
    remove_cookie_by_name(jar, "missing")
    remove_cookie_by_name(jar, "n", domain="example.com", path="/x")
    assert jar.values() == ["example.com/", "example.org/", "example.org/x"]
    remove_cookie_by_name(jar, "n", path="/")
    assert jar.values() == ["example.org/x"]
    remove_cookie_by_name(jar, "n")
    assert not jar


def test_the_cookies_of_a_response_or_of_its_raw_body_can_be_taken_by_hand() -> None:
    headers = Headers()
    headers.add("Set-Cookie", "a=1, x")
    headers.add("set-cookie", "b=2; Secure")
    request = SimpleNamespace(url="http://example.com/dir/", headers=Headers())
    jar = CookieJar()
    extract_cookies_to_jar(jar, request, SimpleNamespace(headers=headers))
    assert [(cookie.name, cookie.value, cookie.path) for cookie in jar] == [("a", "1, x", "/dir")]
    for nothing in (None, SimpleNamespace(), SimpleNamespace(headers={}), SimpleNamespace(headers=Headers())):
        extract_cookies_to_jar(jar, request, nothing)
    extract_cookies_to_jar(jar, SimpleNamespace(url="mock://x/"), SimpleNamespace(headers=headers))
    assert jar.keys() == ["a"]


def test_the_cookies_of_a_response_of_urllib3_can_be_taken_by_hand() -> None:
    from urllib3 import HTTPHeaderDict

    headers = HTTPHeaderDict()
    headers.add("Set-Cookie", "a=1")
    headers.add("Set-Cookie", "b=2")
    jar = CookieJar()
    extract_cookies_to_jar(jar, SimpleNamespace(url="http://example.com/"), SimpleNamespace(headers=headers))
    assert jar.items() == [("a", "1"), ("b", "2")]


def test_the_cookie_field_for_a_request_can_be_asked_for() -> None:
    jar = jar_of("http://example.com/", "a=1", "b=2; Path=/x")
    request = SimpleNamespace(url="http://example.com/x", headers=Headers())
    assert get_cookie_header(jar, request) == "b=2; a=1"
    assert get_cookie_header(jar.to_cookiejar(), request) == "b=2; a=1"
    assert get_cookie_header(CookieJar(), request) is None
    assert get_cookie_header(jar, SimpleNamespace(url="mock://example.com/", headers=Headers())) is None
    by_hand = SimpleNamespace(url="http://example.com/", headers=Headers({"cookie": "by=hand"}))
    assert get_cookie_header(jar, by_hand) is None


@pytest.mark.parametrize("entry", [(), ("a",), ("a", "1", "example.com")])
def test_what_is_no_pair_among_cookies_is_told_as_that(entry: Any) -> None:
    """And not as a missing argument of a method that the caller has not called."""
    with pytest.raises(TypeError, match=rf"a tuple of {len(entry)}: give .* pairs \(name, value\)"):
        CookieJar([entry])


# -- copies


@pytest.mark.parametrize(
    "duplicate",
    [CookieJar.copy, copy.copy, copy.deepcopy, lambda jar: pickle.loads(pickle.dumps(jar))],
)
def test_a_copy_has_the_same_cookies_and_limits_and_goes_its_own_way(duplicate: Any) -> None:
    """L4: settings and cookies travel."""
    jar = jar_of(
        "https://example.com/a/",
        *("a=1; Secure; HttpOnly; Path=/a; Domain=example.com", "b=2; Path=/", "c=3; Path=/; Max-Age=100"),
        max_per_domain=3,
        max_cookies=5,
        max_lifetime=50,
    )
    twin = duplicate(jar)
    assert list(twin) == list(jar)
    assert [entry.used for entry in twin._entries.values()] == [entry.used for entry in jar._entries.values()]
    assert (twin.max_per_domain, twin.max_cookies, twin.max_lifetime) == (3, 5, 50)
    assert twin.cookies_for(HTTPS) == jar.cookies_for(HTTPS)
    twin.set("d", "4")
    jar.clear()
    assert (len(jar), len(twin)) == (0, 4)


def test_a_jar_of_ones_own_kind_copies_to_its_kind() -> None:
    class Mine(CookieJar):
        pass

    assert type(Mine({"a": "b"}).copy()) is Mine


def test_a_jar_of_ones_own_kind_is_asked_about_each_cookie_of_a_response() -> None:
    """As http.cookiejar asks it: it may keep cookies out, or note them."""

    class Picky(CookieJar):
        def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> None:
            if cookie.name != "tracker":
                super().set_cookie(cookie, *args, **kwargs)

    set_cookies = [("Set-Cookie", "tracker=1"), ("Set-Cookie", "kept=2")]
    with ScriptedServer(keep_alive(lambda request: respond(b"", headers=set_cookies))) as server:
        with Session(cookies=Picky()) as session:
            session.get(server.url())
            assert session.cookies.get_dict() == {"kept": "2"}


# -- cost


def calls_of(task: Callable[[], object]) -> int:
    """How many functions a task calls, those written in C included."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        task()
    finally:
        sys.setprofile(before)
    return calls


def test_a_lookup_does_as_much_among_10_000_cookies_on_1_000_domains_as_among_10() -> None:
    few, many = CookieJar(), CookieJar()
    for number in range(1000):
        for jar in (few, many) if number == 0 else (many,):
            jar.extract(
                parse(f"https://host{number}.example.com/"), [f"c{index}=x; Path=/" for index in range(10)]
            )
    assert (len(few), len(many)) == (10, 10_000)
    url = parse("https://host0.example.com/a/b")
    assert len(many.cookies_for(url)) == 10
    assert calls_of(lambda: many.cookies_for(url)) == calls_of(lambda: few.cookies_for(url))


def test_an_empty_jar_is_asked_without_a_lock_and_without_the_time() -> None:
    jar = CookieJar({"a": "b"})
    jar.clear()
    with jars._lock:  # who waits for it here waits for ever
        assert jar.cookies_for(HTTP) == []
        assert not jar
    # The lambda, and cookies_for itself; and the end of the counting.
    assert calls_of(lambda: jar.cookies_for(HTTP)) <= 3


def test_a_jar_that_was_emptied_keeps_nothing_of_what_it_had() -> None:
    jar = jar_of("https://example.com/", "a=1; Secure", "b=2; Max-Age=100", "c=3; Domain=example.com")
    for name in ("a", "b", "c"):
        jar.remove(name)
    assert (jar._entries, jar._by_domain, jar._secure) == ({}, {}, {})


# -- threads and forks


@pytest.mark.parametrize(
    "use",
    [
        lambda jar, path: jar.extract(HTTP, ["c=d"]),
        lambda jar, path: jar.cookies_for(HTTP),
        lambda jar, path: jar.set_cookie(Cookie("c", "d")),
        lambda jar, path: jar.remove("a"),
        lambda jar, path: jar.get("a"),
        lambda jar, path: len(jar),
        lambda jar, path: list(jar),
        lambda jar, path: jar.copy(),
        lambda jar, path: jar.clear_expired_cookies(),
        lambda jar, path: jar.save(path),
    ],
    ids=[
        "extract",
        "cookies_for",
        "set_cookie",
        "remove",
        "get",
        "len",
        "list",
        "copy",
        "clear_expired_cookies",
        "save",
    ],
)
def test_who_uses_a_jar_waits_for_who_is_at_it(
    use: Callable[[CookieJar, Path], object], tmp_path: Path
) -> None:
    jar, finished = CookieJar({"a": "b"}), threading.Event()

    def work() -> None:
        use(jar, tmp_path / "cookies.txt")
        finished.set()

    worker = threading.Thread(target=work)
    with jars._lock:
        worker.start()
        assert not finished.wait(0.05)
    assert finished.wait(10)
    worker.join()


@pytest.mark.slow
def test_a_jar_can_be_written_and_read_by_many_threads_at_once() -> None:
    """L4."""
    jar, threads, rounds = CookieJar(max_per_domain=1000), 8, 60
    ready = threading.Barrier(threads)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        host = parse(f"http://host{number % 2}.example/")
        try:
            ready.wait()
            for turn in range(rounds):
                jar.extract(host, [f"kept-{number}-{turn}=1", f"gone-{number}=1; Max-Age=1000"])
                assert f"kept-{number}-{turn}" in {cookie.name for cookie in jar.cookies_for(host)}
                jar.extract(host, [f"gone-{number}=; Max-Age=0"])
                assert jar.get(f"gone-{number}") is None
                jar[f"mine-{number}"] = str(turn)
                assert jar.pop(f"mine-{number}") == str(turn)
                assert len(jar.items()) > turn
                CookieJar().update(jar.copy())
                pickle.dumps(jar)
                jar.get_dict(domain=host.host)
                jar.clear_expired_cookies()
        except BaseException as error:  # noqa: BLE001 (told by the thread that waits)
            errors.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    kept = {f"kept-{number}-{turn}" for number in range(threads) for turn in range(rounds)}
    assert set(jar.keys()) == kept


def test_threads_that_fill_a_small_jar_leave_it_within_its_limits() -> None:
    jar, threads = CookieJar(max_per_domain=5, max_cookies=20), 6
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(200):
                host = parse(f"https://host{(turn * 7 + number) % 11}.example/")
                jar.extract(host, [f"c{turn % 13}=x; Secure", f"d{turn % 5}=y; Max-Age={turn % 3}"])
                assert len(jar.cookies_for(host)) <= 5
                assert len(jar) <= 20
        except BaseException as error:  # noqa: BLE001 (told by the thread that waits)
            errors.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    # What the jar knows by domain and by name is what it has.
    assert {key for group in jar._by_domain.values() for key in group} == set(jar._entries)
    assert {key for group in jar._secure.values() for key in group} <= set(jar._entries)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_can_use_a_jar_whose_lock_another_thread_held() -> None:
    """L4."""
    jar, held, done = CookieJar({"a": "b"}), threading.Event(), threading.Event()

    def hold() -> None:
        with jars._lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        jar.set("c", "d")
        os.write(writing, sent(jar, "http://example.com/").encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"a=b; c=d"
    os.waitpid(child, 0)
    done.set()
    thread.join(10)
    assert jar.keys() == ["a"]
