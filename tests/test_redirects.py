"""Redirects (RFC 9110, section 15.4): the next URL, the next method, and what may not go along."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pystickyhttp import Response
from pystickyhttp.exceptions import InvalidSchema, InvalidURL
from pystickyhttp.models import REDIRECT_STATI, describes_body
from pystickyhttp.redirects import (
    SECRET_HEADERS,
    drops_body,
    keeps_secrets,
    location_of,
    redirect_target,
    redirected_method,
    secret_headers,
)
from pystickyhttp.retries import Retry
from pystickyhttp.urls import URL, parse

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]
STATUSES = [301, 302, 303, 307, 308]

# From, to, and whether what was meant for the old origin stays behind.
ORIGINS = {
    "the same origin": ("http://h/a", "http://h/b", False),
    "the default port by its number": ("http://h/", "http://h:80/", False),
    "the host in capitals": ("http://h/", "http://H/", False),
    "other userinfo": ("http://u:p@h/", "http://v:q@h/", False),
    "to another port": ("http://h/", "http://h:8080/", True),
    "between ports": ("http://h:8080/", "http://h:8081/", True),
    "to another host": ("http://h/", "http://other/", True),
    "to a host below": ("http://h/", "http://www.h/", True),
    "to a host above": ("http://www.h/", "http://h/", True),
    "to the host with a dot": ("http://h/", "http://h./", True),
    "from address to name": ("http://127.0.0.1/", "http://localhost/", True),
    "https to http": ("https://h/", "http://h/", True),
    "https to http on its port": ("https://h/", "http://h:443/", True),
    "http:80 to https:443": ("http://h/", "https://h/", False),
    "http:80 to https:443 by numbers": ("http://h:80/", "https://h:443/", False),
    "http:80 to https:443 by address": ("http://[::1]/", "https://[::1]/", False),
    "http:80 to https:443 elsewhere": ("http://h/", "https://other/", True),
    "http:80 to https:8443": ("http://h/", "https://h:8443/", True),
    "http:80 to https:80": ("http://h/", "https://h:80/", True),
    "http:8080 to https:443": ("http://h:8080/", "https://h/", True),
    "http:443 to https:443": ("http://h:443/", "https://h:443/", True),
}


class Redirect(NamedTuple):
    url: URL
    method: str
    drops_body: bool
    drops_secrets: bool


def next_redirect(url: URL, method: str, status: int, location: str | None) -> Redirect | None:
    """Each question that the walk along redirects asks, for one step of it."""
    response = Response()
    response.status_code = status
    if location is not None:
        response.headers["Location"] = location
    found = location_of(response)
    if found is None:
        return None
    target, next_method = redirect_target(url, found), redirected_method(method, status)
    drops = drops_body(method, next_method, status)
    return Redirect(target, next_method, drops, not keeps_secrets(url, target))


def followed(url: str, location: str, method: str = "GET", status: int = 302) -> Redirect:
    redirect = next_redirect(parse(url), method, status, location)
    assert redirect is not None
    return redirect


def lawful_method(method: str, status: int) -> str:
    """303 -> GET; 301/302 POST -> GET; 307/308 keep the method; HEAD stays."""
    return {
        (301, "POST"): "GET",
        (302, "POST"): "GET",
        **{(303, other): "GET" for other in METHODS if other != "HEAD"},
    }.get((status, method), method)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", METHODS)
def test_the_method_changes_as_the_law_has_it(method: str, status: int) -> None:
    """RFC 9110, sections 15.4.2 to 15.4.9."""
    assert redirected_method(method, status) == lawful_method(method, status)


@pytest.mark.parametrize(("old", "new", "drops_secrets"), ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", METHODS)
def test_every_redirect_is_what_its_status_its_method_and_its_origins_make_it(
    method: str, status: int, old: str, new: str, drops_secrets: bool
) -> None:
    """Secrets stay with their origin, but for the way from http on 80 to https on 443 of the same host; a
    body stays behind where the method becomes GET."""
    redirect = followed(old, new, method, status)
    assert redirect.url == parse(new)
    assert redirect.method == lawful_method(method, status)
    assert redirect.drops_secrets is drops_secrets
    assert redirect.drops_body is (redirect.method != method or status == 303)


def test_what_is_secret_and_what_describes_a_body() -> None:
    assert {"cookie", "host", "proxy-authorization"} == SECRET_HEADERS  # Authorization goes with auth
    assert secret_headers(()) == SECRET_HEADERS
    assert secret_headers(Retry().remove_headers_on_redirect) == SECRET_HEADERS
    assert secret_headers({"x-api-key", "authorization"}) == {*SECRET_HEADERS, "x-api-key"}
    for name in ("Content-Length", "content-type", "Content-Encoding", "Transfer-Encoding", "Repr-Digest"):
        assert describes_body(name)
    for name in ("Accept", "Accept-Encoding", "User-Agent", "Cookie", "Range"):
        assert not describes_body(name)


@pytest.mark.parametrize("status", [100, 200, 201, 202, 204, 300, 304, 305, 306, 309, 400, 401, 503])
def test_another_status_is_no_redirect_whatever_its_location(status: int) -> None:
    assert status not in REDIRECT_STATI
    assert next_redirect(parse("http://h/"), "GET", status, "http://other/") is None


@pytest.mark.parametrize("status", STATUSES)
def test_without_a_location_there_is_no_redirect(status: int) -> None:
    assert status in REDIRECT_STATI
    assert next_redirect(parse("http://h/"), "GET", status, None) is None


# -- Location


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://other/p?x#f", "http://other/p?x#f"),
        ("HTTPS://Other/P", "https://other/P"),
        ("//other:8080/p", "http://other:8080/p"),
        ("/p", "http://h/p"),
        ("p", "http://h/dir/p"),
        ("../p", "http://h/p"),
        ("?x", "http://h/dir/page?x"),
        ("#f", "http://h/dir/page?q#f"),
        ("/a/./b/../c", "http://h/a/c"),
        (" /p\t", "http://h/p"),
        ("/a b", "http://h/a%20b"),
        ("/%41%2f%e9", "http://h/%41%2f%e9"),
        ("/100%", "http://h/100%25"),
    ],
)
def test_a_location_is_resolved_against_the_url(location: str, expected: str) -> None:
    """RFC 9110, section 10.2.2."""
    assert str(followed("http://h/dir/page?q", location).url) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/café".encode(), "http://h/caf%C3%A9"),
        ("/€?€".encode(), "http://h/%E2%82%AC?%E2%82%AC"),
        ("http://bücher.example/".encode(), "http://xn--bcher-kva.example/"),
        (b"/caf\xe9", "http://h/caf%C3%A9"),  # no UTF-8, so latin-1
        (b"/\xc3\xa9\xe9", "http://h/%C3%83%C2%A9%C3%A9"),
        (b"/\xff", "http://h/%C3%BF"),
    ],
    ids=repr,
)
def test_a_location_is_utf_8_then_latin_1(raw: bytes, expected: str) -> None:
    assert str(followed("http://h/", raw.decode("latin-1")).url) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/p", "http://h/p#base"),
        ("https://other/", "https://other/#base"),
        ("//other/", "http://other/#base"),
        ("?x", "http://h/?x#base"),
        ("/p#own", "http://h/p#own"),
        ("/p#", "http://h/p#"),
    ],
)
def test_a_fragment_is_inherited_where_the_location_has_none(location: str, expected: str) -> None:
    """RFC 9110, section 10.2.2."""
    assert str(followed("http://h/#base", location).url) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [("/p", ("u", "p")), ("//other/", None), ("http://h/", None), ("http://v:q@h/", ("v", "q"))],
)
def test_userinfo_goes_along_with_a_relative_reference_alone(
    location: str, expected: tuple[str, str] | None
) -> None:
    """RFC 3986, section 5.2.2: the authority is the base's, or the reference's, as a whole."""
    assert followed("http://u:p@h/", location).url.credentials == expected


@pytest.mark.parametrize(
    "location",
    [
        "mailto:a@example.com",
        "ftp://example.com/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,hello",
        "ws://example.com/",
        "httpx://example.com/",
        "http+unix://socket/",
    ],
)
def test_only_http_and_https_are_followed(location: str) -> None:
    with pytest.raises(InvalidSchema):
        followed("http://h/", location)


@pytest.mark.parametrize(
    "location",
    ["http://", "http:///p", "https:p", "//", "///p", "http://h:99999/", "http://[::1/", "http://a b/"],
)
def test_a_location_that_is_no_url_is_an_error(location: str) -> None:
    with pytest.raises(InvalidURL):
        followed("http://h/", location)


@pytest.mark.parametrize("location", ["", " ", "\t", None], ids=repr)
def test_an_empty_location_leads_nowhere(location: str | None) -> None:
    assert next_redirect(parse("http://h/"), "GET", 302, location) is None


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\r\nSet-Cookie: a=b"])
def test_a_location_with_cr_lf_or_nul_is_refused(character: str) -> None:
    """X7."""
    for location in (f"/p{character}x", f"http://other{character}/"):
        with pytest.raises(InvalidURL):
            followed("http://h/", location)


@unhurried
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")), st.sampled_from(STATUSES))
def test_any_location_leads_to_http_or_is_refused(location: str, status: int) -> None:
    assume(location.strip(" \t"))
    try:
        redirect = followed("http://h/dir/page?q#f", location, "POST", status)
    except (InvalidURL, InvalidSchema):
        return
    assert redirect.url.scheme in ("http", "https")
    assert redirect.drops_secrets is (redirect.url.origin != ("http", "h", 80)) or (
        redirect.url.origin == ("https", "h", 443)
    )


@pytest.mark.parametrize("location", ["ftp://u:secret@other/", "http://u:secret@other:0/", "//u:secret@[x]/"])
def test_no_message_about_a_redirect_tells_a_password(location: str) -> None:
    with pytest.raises((InvalidSchema, InvalidURL)) as caught:
        followed("http://v:hidden@h/", location)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)
