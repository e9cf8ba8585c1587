"""What the environment says: proxies, NO_PROXY, CA files and netrc, as they stand at the request.

The law of the Session: the call goes ahead of the session, the session of the environment. NO_PROXY is `*`,
`host`, `.host`, `host:port`, IP, or CIDR of both families; loopback names are never proxied from the
environment; HTTP_PROXY is ignored under CGI. Where the real requests says otherwise, the reason stands beside
the case.
"""

from __future__ import annotations

import builtins
import importlib.util
import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple
from unittest import mock

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pystickyhttp import Session, environment
from pystickyhttp.environment import Environment, current, netrc, netrc_credentials
from pystickyhttp.exceptions import InvalidProxyURL
from pystickyhttp.no_proxy import NoProxy, bypasses_proxy, is_loopback
from pystickyhttp.proxy_choice import merge_proxies, select_proxy
from pystickyhttp.urls import parse

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

PROXY = "http://proxy.test:3128"
OTHER = "http://other.test:3128"

anything = st.text(st.characters())  # halves of surrogate pairs included


# --- NO_PROXY


class Case(NamedTuple):
    """A URL, the value of NO_PROXY, whether the URL is reached directly, and why requests says otherwise."""

    url: str
    rules: str
    direct: bool
    requests_differs: str = ""


SUFFIX = "requests takes an address for a name too, and compares its end"
EXPLICIT_PORT = "requests looks at ports that the URL names, and not at those that its scheme means"
PORT_OF_IP = "requests knows ports for names alone"
ZONE = "requests takes the zone for a part of the address"
V6 = "requests knows networks of IPv4 alone"
BRACKETS = "requests holds the brackets against an address without them"
BLANKS = "requests takes blanks away before it splits at commas"
TRAILING_DOT = "a dot at the end makes another name for requests"
UNICODE = "requests compares the Unicode of the rule to the ASCII of the URL"
LOOPBACK = "requests sends what is meant for this machine to the proxy"
WILDCARD = "requests knows * by itself, as the whole of NO_PROXY"
V6_TEXT = "requests compares the text of IPv6 addresses"
ZERO_BITS = "requests knows no network of all addresses"
OLD_FORM = "requests compares the text of an address, when it is no network"

# What curl's, Go's (golang.org/x/net/http/httpproxy) and requests' documentation and tests say, and beyond.
CASES = [
    # nothing
    Case("http://example.com/", "", False),
    Case("http://example.com/", " , ,, ", False),
    Case("http://example.com/", ".", False),
    Case("http://example.com/", "*.", False),
    Case("http://example.com/", ":80", False),
    Case("http://example.com/", ":1", False),
    # everything
    Case("http://example.com/", "*", True),
    Case("https://example.com:8443/", "*", True),
    Case("http://192.0.2.1/", "*", True),
    Case("http://[2001:db8::1]/", "*", True),
    Case("http://example.com/", " * ", True, WILDCARD),
    Case("http://example.com/", "a.test,*", True, WILDCARD),
    Case("http://example.com/", "*,a.test", True, WILDCARD),
    Case("http://example.com/", "**", False),
    # names
    Case("http://example.com/", "example.com", True),
    Case("https://example.com/", "example.com", True),
    Case("http://example.com:8080/", "example.com", True),
    Case("http://www.example.com/", "example.com", True),
    Case("http://a.b.example.com/", "example.com", True),
    Case("http://notexample.com/", "example.com", False),
    Case("http://www.notexample.com/", "example.com", False),
    Case("http://example.com.org/", "example.com", False),
    Case("http://example.com/", "www.example.com", False),
    Case("http://example.com/", "ample.com", False),
    Case("http://com/", "example.com", False),
    Case("http://example.com/", "com", True),
    Case("http://intranet/", "intranet", True),
    Case("http://intranet/", "intra", False),
    # a leading dot: curl and requests pass over it, for Go it leaves the domain itself out
    Case("http://example.com/", ".example.com", True),
    Case("http://www.example.com/", ".example.com", True),
    Case("http://nonexample.com/", ".example.com", False),
    Case("http://example.com/", "..example.com", True),
    Case("http://example.com:8080/", ".example.com:8080", True),
    # a wildcard, as in Go: what is below the domain, and not the domain
    Case("http://www.example.com/", "*.example.com", True, WILDCARD),
    Case("http://a.b.example.com/", "*.example.com", True, WILDCARD),
    Case("http://example.com/", "*.example.com", False),
    Case("http://awildcard.io/", "*wildcard.io", False),
    Case("http://www.example.com/", "www.*", False),
    Case("http://www.example.com/", "*.*.com", False),
    # case, and dots at the end
    Case("http://EXAMPLE.com/", "example.COM", True),
    Case("http://www.example.com/", "WWW.Example.Com", True),
    Case("http://example.com./", "example.com", True, TRAILING_DOT),
    Case("http://www.example.com./", ".example.com", True, TRAILING_DOT),
    Case("http://www.example.com/", ".example.com.", True, TRAILING_DOT),
    Case("http://example.com./", "example.com.", True),
    Case("http://example.com/", "example.com.:80", True, TRAILING_DOT),
    Case("http://example.com/", "example.com..", False),
    # lists
    Case("http://b.test/", "a.test,b.test", True),
    Case("http://b.test/", "a.test, b.test", True),
    Case("http://b.test/", "a.test b.test", True, BLANKS),
    Case("http://b.test/", "a.test\tb.test\n", True, BLANKS),
    Case("http://b.test/", "a.test,,,,,              b.test, c.test", True),
    Case("http://b.test/", "localhost,.a.test,.c.test", False),
    Case("http://b.test/", "a.test;b.test", False),
    # ports
    Case("http://example.com:8080/", "example.com:8080", True),
    Case("http://www.example.com:8080/", "example.com:8080", True),
    Case("http://example.com:8081/", "example.com:8080", False),
    Case("http://example.com/", "example.com:8080", False),
    Case("http://example.com/", "example.com:80", True, EXPLICIT_PORT),
    Case("https://example.com/", "example.com:443", True, EXPLICIT_PORT),
    Case("https://example.com/", "example.com:80", False),
    Case("http://example.com:80/", "example.com:80", True),
    Case("http://example.com/", "example.com:", True, "requests takes the colon for a part of the name"),
    Case("http://example.com/", "example.com:http", False),
    Case("http://example.com/", "example.com:+80", False),
    Case("http://example.com/", "example.com:٨٠", False),
    Case("http://example.com/", "example.com:080000", False),
    # IPv4
    Case("http://192.168.1.1/", "192.168.1.1", True),
    Case("http://192.168.1.1/", "foo, bar, 192.168.1.1", True),
    Case("http://192.168.1.2/", "192.168.1.1", False),
    Case("http://192.168.1.1:8080/", "192.168.1.1", True),
    Case("http://192.168.1.3/", "192.168.1.3:80", True, PORT_OF_IP),
    Case("http://192.168.1.3:81/", "192.168.1.3:80", False),
    Case("http://10.192.168.1/", "192.168.1", False, SUFFIX),
    Case("http://10.0.0.1/", "0.0.1", False, SUFFIX),
    Case("http://10.0.0.1/", "1", False, SUFFIX),
    Case("http://10.0.0.1/", ".1", False, SUFFIX),
    Case("http://10.1/", "1", False, SUFFIX),
    Case("http://10.1/", "10.0.0.1", True, OLD_FORM),
    Case("http://0xa000001/", "10.0.0.0/8", True),
    Case("http://010.0.0.1/", "8.0.0.1", True, OLD_FORM),
    Case("http://10.0.0.1.test/", "10.0.0.1", False),
    Case("http://a.10.0.0.1.test/", "10.0.0.0/8", False),
    Case("http://192.168.0.1/", "192.168.*", False),
    # networks of IPv4
    Case("http://192.168.0.1/", "192.168.0.0/16", True),
    Case("http://192.168.0.1/", "192.168.0.0/24", True),
    Case("http://192.168.0.1/", "192.168.0.0/32", False),
    Case("http://192.168.0.0/", "192.168.0.0/32", True),
    Case("http://192.168.1.1/", "foo, bar, 192.168.0.0/24", False),
    Case("http://192.168.1.1/", "foo, bar, 192.168.0.0/16", True),
    Case("http://10.0.0.2/", "10.0.0.0/30", True),
    Case("http://10.0.0.4/", "10.0.0.0/30", False),
    Case("http://10.0.0.3/", "10.0.0.1/31", False),
    Case("http://10.0.0.1/", "10.0.0.1/31", True),
    Case("http://10.9.9.9/", "10.1.2.3/8", True),
    Case("http://10.9.9.9/", "0.0.0.0/0", True, ZERO_BITS),
    Case("http://10.0.0.1/", "10.0.0.1/33", False),
    Case("http://10.0.0.1/", "10.0.0.1/", False),
    Case("http://10.0.0.1/", "10.0.0.0/255.0.0.0", False),
    Case("http://10.0.0.1/", "10.0.0.0/-8", False),
    Case("http://10.0.0.1/", "10.0.0/8", False, "requests takes 10.0.0 for 10.0.0.0"),
    Case("http://10.0.0.1/", "10.0.0.0/8:80", False),
    Case("http://10.0.0.1/", "10.0.0.1/32:80", False),
    Case("http://example.com/", "0.0.0.0/0", False),
    # IPv6
    Case("http://[2001:db8::1]/", "2001:db8::1", True),
    Case("http://[2001:db8::1]/", "2001:DB8:0:0::1", True, V6_TEXT),
    Case("http://[2001:db8::1]/", "[2001:db8::1]", True, BRACKETS),
    Case("http://[2001:db8::1]:8080/", "[2001:db8::1]:8080", True, BRACKETS),
    Case("http://[2001:db8::1]:8080/", "[2001:db8::1]:80", False),
    Case("http://[2001:db8::1]/", "[2001:db8::1]:80", True, BRACKETS),
    Case("http://[2001:db8::2]/", "2001:db8::1", False),
    Case("http://[2001:db8::1]/", "[2001:db8::1", False),
    Case("http://[2001:db8::1]/", "[2001:db8::1]x80", False),
    Case("http://[2001:db8::1]/", "2001:db8::g", False),
    Case("http://10.0.0.1/", "[10.0.0.1]", False),
    Case("http://example.com/", "[example.com]", False),
    Case("http://[fe80::1%25eth0]/", "fe80::1", True, ZONE),
    Case("http://[fe80::1%25.example.com]/", "example.com", False, SUFFIX),
    # networks of IPv6
    Case("http://[2002:db8:a::123]/", "2002:db8:a::45/64", True, V6),
    Case("http://[fe80::424b:c8be:1643:a1b6]/", "2002:db8:a::45/64", False),
    Case("http://[2001:db8::1]/", "[2001:db8::]/32", True, V6),
    Case("http://[2001:db8::1]/", "2001:db8::/129", False),
    Case("http://[2001:db8::1]/", "::/0", True, V6),
    Case("http://10.0.0.1/", "::/0", False),
    Case("http://[2001:db8::1]/", "0.0.0.0/0", False),
    Case("http://[fe80::1%25eth0]/", "fe80::/10", True, V6),
    Case("http://[::ffff:10.0.0.1]/", "10.0.0.0/8", True, V6),
    Case("http://[::ffff:10.0.0.1]/", "::ffff:0:0/96", True, V6),
    Case("http://[::ffff:10.0.0.1]/", "11.0.0.0/8", False),
    # names outside ASCII
    Case("http://bücher.example/", "bücher.example", True, UNICODE),
    Case("http://www.bücher.example/", ".BÜCHER.example.", True, UNICODE),
    Case("http://xn--bcher-kva.example/", "bücher.example", True, UNICODE),
    Case("http://bücher.example/", "xn--bcher-kva.example", True),
    Case("http://bücher.example:8080/", "bücher.example:8080", True, UNICODE),
    Case("http://www.bücher.example/", "*.bücher.example", True, UNICODE),
    Case("http://bücher.example/", "user@bücher.example", False),
    Case("http://bücher.example/", "bücher.example/path", False),
    Case("http://bücher.example/", "bücher.example?", False),
    Case("http://bücher.example/", "\udc80.example", False),
    # what is no entry
    Case("http://example.com/", "http://example.com", False),
    Case("http://example.com/", "example.com/", False),
    Case("http://example.com/", "user@example.com", False),
    # this machine, whatever NO_PROXY says
    Case("http://localhost/", "", True, LOOPBACK),
    Case("http://localhost:8080/", "a.test", True, LOOPBACK),
    Case("http://LOCALHOST./", "", True, LOOPBACK),
    Case("http://app.localhost/", "", True, LOOPBACK),
    Case("http://127.0.0.1/", "", True, LOOPBACK),
    Case("http://127.255.255.254/", "", True, LOOPBACK),
    Case("http://127.1/", "", True, LOOPBACK),
    Case("http://2130706433/", "", True, LOOPBACK),
    Case("http://[::1]/", "", True, LOOPBACK),
    Case("http://[::ffff:127.0.0.1]/", "", True, LOOPBACK),
    Case("http://localhost.example/", "", False),
    Case("http://notlocalhost/", "", False),
    Case("http://128.0.0.1/", "", False),
    Case("http://[::2]/", "", False),
    Case("http://127.0.0.1.example/", "", False),
]
in_all_cases = pytest.mark.parametrize(
    "case", CASES, ids=[f"{case.url} by {case.rules}".encode("unicode_escape").decode() for case in CASES]
)


@in_all_cases
def test_no_proxy_and_the_loopback_decide_which_urls_are_reached_directly(case: Case) -> None:
    """The law: `*`, `host`, `.host`, `host:port`, IP, CIDR of both families; never what is loopback."""
    around = Environment.read({"all_proxy": PROXY, "no_proxy": case.rules})
    assert around.proxies_for(parse(case.url)) == ({} if case.direct else {"all": PROXY})


@in_all_cases
def test_requests_agrees_or_the_table_says_why_not(case: Case) -> None:
    url = str(parse(case.url))  # as both put it on the wire
    theirs = requests.utils.should_bypass_proxies(url, no_proxy=case.rules)
    assert theirs == (case.direct is not bool(case.requests_differs))


@unhurried
@given(anything, st.sampled_from(["example.com", "10.0.0.1", "2001:db8::1", "x"]), st.integers(1, 65535))
@example("[", "example.com", 80)
@example("\u2100", "example.com", 80)
@example("a" * 70 + "é", "example.com", 80)
def test_no_text_breaks_no_proxy(text: str, host: str, port: int) -> None:
    bypasses_proxy(host, port, text)


entries = st.one_of(
    st.text(st.sampled_from("[]:/*.%-+@a0 \u00fc")),
    st.sampled_from(["example.com", ".a.test:80", "10.0.0.0/8", "[::1]:80", "*.b.test"]),
)


@unhurried
@given(st.lists(entries), st.lists(entries))
def test_a_list_covers_what_its_entries_cover_and_no_more(first: list[str], second: list[str]) -> None:
    for host in ("example.com", "x.a.test", "b.test", "x.b.test", "10.1.1.1", "::1"):
        parts = [NoProxy.parse(",".join(part)).covers(host, 80) for part in (first, second)]
        assert NoProxy.parse(",".join(first + second)).covers(host, 80) == any(parts)


@unhurried
@given(st.data(), st.sampled_from([4, 6]))
def test_a_network_covers_the_addresses_that_share_its_leading_bits(
    data: st.DataObject, version: Literal[4, 6]
) -> None:
    width = 32 if version == 4 else 128
    network, address = (data.draw(st.ip_addresses(v=version)) for _ in range(2))
    bits = data.draw(st.integers(0, width))
    shared = data.draw(st.integers(0, width))  # otherwise no two addresses would share any
    keep = (1 << width) - (1 << (width - shared))
    mixed = ip_address((int(network) & keep | int(address) & ~keep).to_bytes(width // 8))
    same = int(network) >> (width - bits) == int(mixed) >> (width - bits)
    assert bypasses_proxy(str(mixed), 80, f"{network}/{bits}") == same


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("a.b.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("0x7f.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost.localdomain", False),
        ("mylocalhost", False),
        ("126.0.0.1", False),
        ("127.0.0.1.nip.io", False),
        ("0.0.0.0", False),
        ("::", False),
        ("999.1", False),
    ],
)
def test_loopback_is_what_its_name_says(host: str, loopback: bool) -> None:
    """RFC 6761, section 6.3; RFC 5735, section 3; RFC 4291, section 2.5.3."""
    assert is_loopback(host) is loopback


def test_the_rules_of_a_call_take_the_place_of_no_proxy() -> None:
    around = Environment.read({"http_proxy": PROXY, "no_proxy": "a.test"})
    assert around.proxies_for(parse("http://a.test/"), no_proxy="b.test") == {"http": PROXY}
    assert around.proxies_for(parse("http://b.test/"), no_proxy="b.test") == {}
    assert around.proxies_for(parse("http://a.test/"), no_proxy="") == {"http": PROXY}


# --- the proxies of the environment

PROXY_VARIABLES = {
    "nothing": ({}, {}),
    "lower case": ({"http_proxy": PROXY}, {"http": PROXY}),
    "upper case": ({"HTTP_PROXY": PROXY}, {"http": PROXY}),
    "each scheme its own": (
        {"http_proxy": PROXY, "HTTPS_PROXY": OTHER, "all_proxy": "socks5h://s.test"},
        {"http": PROXY, "https": OTHER, "all": "socks5h://s.test"},
    ),
    "lower case ahead of upper case": ({"https_proxy": PROXY, "HTTPS_PROXY": OTHER}, {"https": PROXY}),
    "all in both cases": ({"all_proxy": PROXY, "ALL_PROXY": OTHER}, {"all": PROXY}),
    "empty": ({"http_proxy": "", "HTTPS_PROXY": ""}, {}),
    "empty in lower case takes the upper case away": ({"http_proxy": "", "HTTP_PROXY": PROXY}, {}),
    "empty in upper case": ({"http_proxy": PROXY, "HTTP_PROXY": ""}, {"http": PROXY}),
    "no scheme": ({"http_proxy": "proxy.test:3128"}, {"http": "proxy.test:3128"}),
    "CGI": ({"REQUEST_METHOD": "GET", "HTTP_PROXY": PROXY}, {}),
    "CGI with an empty method": ({"REQUEST_METHOD": "", "HTTP_PROXY": PROXY}, {}),
    "CGI and lower case": (
        {"REQUEST_METHOD": "GET", "HTTP_PROXY": OTHER, "http_proxy": PROXY},
        {"http": PROXY},
    ),
    "CGI and other schemes": (
        {"REQUEST_METHOD": "GET", "HTTPS_PROXY": PROXY, "ALL_PROXY": OTHER},
        {"https": PROXY, "all": OTHER},
    ),
}
with_all_proxy_variables = pytest.mark.parametrize(
    ("variables", "proxies"), PROXY_VARIABLES.values(), ids=PROXY_VARIABLES
)


@with_all_proxy_variables
def test_the_proxy_variables_say_which_proxy_serves_which_scheme(
    variables: dict[str, str], proxies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law: HTTP_PROXY is ignored under CGI (CVE-2016-5385)."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert current().proxies == proxies
    assert current().proxies_for(parse("http://a.test/")) == proxies


@with_all_proxy_variables
def test_requests_reads_the_proxy_variables_alike(
    variables: dict[str, str], proxies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert requests.utils.get_environ_proxies("http://a.test/") == proxies


def test_blanks_around_a_value_do_not_count() -> None:
    around = Environment.read({"http_proxy": f" {PROXY}\n", "https_proxy": "  ", "no_proxy": " a.test "})
    assert around.proxies == {"http": PROXY}
    assert around.no_proxy == "a.test"


def test_under_cgi_no_variable_counts_whose_name_may_be_of_either_case() -> None:
    """On Windows `http_proxy` is HTTP_PROXY, which is what the client of the CGI program says."""
    cgi = {"REQUEST_METHOD": "GET", "http_proxy": PROXY, "HTTP_PROXY": PROXY, "HTTPS_PROXY": OTHER}
    assert Environment.read(cgi, names_have_case=False).proxies == {"https": OTHER}
    del cgi["REQUEST_METHOD"]
    assert Environment.read(cgi, names_have_case=False).proxies == {"http": PROXY, "https": OTHER}


@pytest.mark.parametrize(
    ("variables", "no_proxy"),
    [
        ({}, ""),
        ({"no_proxy": "a.test"}, "a.test"),
        ({"NO_PROXY": "b.test"}, "b.test"),
        ({"no_proxy": "a.test", "NO_PROXY": "b.test"}, "a.test"),
        ({"no_proxy": "", "NO_PROXY": "b.test"}, ""),
    ],
)
def test_no_proxy_in_lower_case_goes_first(variables: dict[str, str], no_proxy: str) -> None:
    assert Environment.read(variables).no_proxy == no_proxy


def test_the_answers_can_not_be_changed_by_those_who_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    answers: list[Any] = [current().proxies, current().proxies_for(parse("http://a.test/"))]
    monkeypatch.delenv("HTTP_PROXY")
    answers.append(current().proxies_for(parse("http://a.test/")))
    for answer in answers:
        with pytest.raises(TypeError):
            answer["http"] = OTHER


def test_the_repr_of_an_environment_shows_no_password() -> None:
    assert "secret" not in repr(Environment.read({"http_proxy": "http://user:secret@proxy.test"}))


# --- CA files


@pytest.mark.parametrize(
    ("variables", "ca_bundle"),
    [
        ({}, None),
        ({"REQUESTS_CA_BUNDLE": "/r.pem"}, "/r.pem"),
        ({"CURL_CA_BUNDLE": "/c.pem"}, "/c.pem"),
        ({"REQUESTS_CA_BUNDLE": "/r.pem", "CURL_CA_BUNDLE": "/c.pem"}, "/r.pem"),
        ({"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "/c.pem"}, "/c.pem"),
        ({"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}, None),
        ({"SSL_CERT_FILE": "/s.pem", "SSL_CERT_DIR": "/s"}, None),
    ],
)
def test_the_ca_bundle_is_requests_own_else_curls(variables: dict[str, str], ca_bundle: str | None) -> None:
    assert Environment.read(variables).ca_bundle == ca_bundle
    with mock.patch.dict(os.environ, variables), requests.Session() as theirs:
        verify = theirs.merge_environment_settings("https://a.test/", {}, None, None, None)["verify"]
    assert verify == (ca_bundle or True)


def test_the_files_of_openssl_are_told_apart_from_a_bundle() -> None:
    around = Environment.read({"SSL_CERT_FILE": "/s.pem", "SSL_CERT_DIR": "/s", "CURL_CA_BUNDLE": "/c.pem"})
    assert (around.ssl_cert_file, around.ssl_cert_dir, around.ca_bundle) == ("/s.pem", "/s", "/c.pem")
    around = Environment.read({"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""})
    assert (around.ssl_cert_file, around.ssl_cert_dir) == (None, None)


# --- as it stands at the request


def test_what_changes_between_two_requests_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    url = parse("https://a.test/")
    assert current().proxies_for(url) == {}
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert current().proxies_for(url) == {"https": PROXY}
    monkeypatch.setenv("HTTPS_PROXY", OTHER)
    assert current().proxies_for(url) == {"https": OTHER}
    monkeypatch.setenv("NO_PROXY", "a.test")
    assert current().proxies_for(url) == {}
    monkeypatch.setenv("NO_PROXY", "b.test")
    assert current().proxies_for(url) == {"https": OTHER}
    monkeypatch.delenv("HTTPS_PROXY")
    assert current().proxies_for(url) == {}


EACH_VARIABLE: dict[str, Callable[[Environment], object]] = {
    "http_proxy": lambda around: around.proxies["http"],
    "HTTP_PROXY": lambda around: around.proxies["http"],
    "https_proxy": lambda around: around.proxies["https"],
    "HTTPS_PROXY": lambda around: around.proxies["https"],
    "all_proxy": lambda around: around.proxies["all"],
    "ALL_PROXY": lambda around: around.proxies["all"],
    "no_proxy": lambda around: around.no_proxy,
    "NO_PROXY": lambda around: around.no_proxy,
    "REQUESTS_CA_BUNDLE": lambda around: around.ca_bundle,
    "CURL_CA_BUNDLE": lambda around: around.ca_bundle,
    "SSL_CERT_FILE": lambda around: around.ssl_cert_file,
    "SSL_CERT_DIR": lambda around: around.ssl_cert_dir,
    "NETRC": lambda around: around.netrc_paths[0],
}


@pytest.mark.parametrize("name", EACH_VARIABLE)
def test_each_variable_is_heard_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("/one", "/bücher/\udcff"):  # what is not UTF-8 comes as it does from os.environ
        monkeypatch.setenv(name, value)
        assert EACH_VARIABLE[name](current()) == value


def test_the_same_variables_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    first = current()
    monkeypatch.setenv("UNHEARD_OF", "1")
    assert current() is first


def test_another_mapping_in_the_place_of_the_environment_is_asked_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", OTHER)
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", {"HTTP_PROXY": PROXY, "NO_PROXY": "b.test", "NETRC": "/n"})
        assert current() == Environment.read(os.environ)
        assert current().proxies == {"http": PROXY}
        os.environ["HTTP_PROXY"] = "http://third.test"
        assert current().proxies == {"http": "http://third.test"}
    assert current().proxies == {"http": OTHER}


def test_a_copy_of_the_environment_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "bücher.example,\udcff")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/c.pem")
    said = current()
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert current() is said


def test_a_variable_that_is_not_set_costs_no_error_inside_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A warm request asks for a dozen variables, of which most are not set."""
    monkeypatch.setenv("HTTP_PROXY", PROXY)

    def refuse(self: object, name: str) -> str:
        raise AssertionError(f"os.environ itself was asked for {name}")

    with monkeypatch.context() as patch:
        patch.setattr(type(os.environ), "__getitem__", refuse)
        said = current()
    assert said.proxies == {"http": PROXY}


def test_a_patched_environment_is_heard_and_forgotten_again() -> None:
    before = current()
    with mock.patch.dict(os.environ, {"https_proxy": PROXY, "HOME": "/elsewhere"}, clear=True):
        assert current().proxies == {"https": PROXY}
        assert current().netrc_paths == ("/elsewhere/.netrc", "/elsewhere/_netrc")
    assert current() is before


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[], ModuleType]:
    """Load the module once more, under a name of its own, as at the start of a program."""

    def load() -> ModuleType:
        assert environment.__file__ is not None
        spec = importlib.util.spec_from_file_location("pystickyhttp.environment_again", environment.__file__)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("at_first", [{}, {"HTTP_PROXY": OTHER}], ids=["empty", "with a proxy"])
def test_a_program_that_begins_with_another_mapping_is_heard_too(
    load: Callable[[], ModuleType], at_first: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", at_first)
        again = load()
        os.environ["HTTP_PROXY"] = PROXY
        assert again.current().proxies == {"http": PROXY}
    assert again.current().proxies == {}
    monkeypatch.setenv("HTTP_PROXY", OTHER)
    assert again.current().proxies == {"http": OTHER}


def test_a_program_that_begins_with_no_variable_at_all_is_heard(load: Callable[[], ModuleType]) -> None:
    with mock.patch.dict(os.environ, clear=True):
        again = load()
        os.environ["HTTP_PROXY"] = PROXY
        assert again.current().proxies == {"http": PROXY}


def test_a_thread_hears_one_of_the_values_that_another_one_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law L4: sessions are thread-safe."""
    url = parse("https://a.test/")
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    heard: set[str] = set()
    together, done = threading.Barrier(5), threading.Event()

    def listen() -> None:
        together.wait(30)
        last = False
        while not last:
            last = done.is_set()  # and once more, when nobody changes it any longer
            heard.add(current().proxies_for(url)["https"])

    threads = [threading.Thread(target=listen) for _ in range(4)]
    for thread in threads:
        thread.start()
    together.wait(30)
    for proxy in itertools.islice(itertools.cycle([OTHER, PROXY]), 1000):
        os.environ["HTTPS_PROXY"] = proxy
    done.set()
    for thread in threads:
        thread.join()
    assert PROXY in heard
    assert heard <= {PROXY, OTHER}


# --- which proxy

SELECTIONS = {
    "none": ("http://h.test/", {}, None),
    "the scheme": ("http://h.test/", {"http": PROXY, "https": OTHER}, PROXY),
    "another scheme": ("http://h.test/", {"https": PROXY}, None),
    "all": ("https://h.test/", {"all": PROXY}, PROXY),
    "the scheme ahead of all": ("http://h.test/", {"all": OTHER, "http": PROXY}, PROXY),
    "scheme and host ahead of the scheme": ("http://h.test/", {"http": OTHER, "http://h.test": PROXY}, PROXY),
    "another host": ("http://h.test/", {"http": PROXY, "http://g.test": OTHER}, PROXY),
    "the host above": ("http://www.h.test/", {"http": PROXY, "http://h.test": OTHER}, PROXY),
    "the scheme ahead of all for the host": (
        "http://h.test/",
        {"all://h.test": OTHER, "http": PROXY},
        PROXY,
    ),
    "all for the host ahead of all": ("http://h.test/", {"all": OTHER, "all://h.test": PROXY}, PROXY),
    "a host in capitals": ("http://H.TEST/", {"http://h.test": PROXY}, PROXY),
    "any port": ("http://h.test:8080/", {"http://h.test": PROXY}, PROXY),
    "None means none": ("http://h.test/", {"http": None, "all": OTHER}, None),
    "None for the host": ("http://h.test/", {"http://h.test": None, "http": OTHER}, None),
    "a key that is for nobody": ("http://h.test/", {"ftp": OTHER, "no_proxy": "h.test"}, None),
    "the text as it stands": ("http://h.test/", {"http": "proxy.test:3128"}, "proxy.test:3128"),
}


@pytest.mark.parametrize(("url", "proxies", "expected"), SELECTIONS.values(), ids=SELECTIONS)
def test_the_closest_key_names_the_proxy_as_in_requests(
    url: str, proxies: dict[str, str | None], expected: str | None
) -> None:
    assert select_proxy(parse(url), proxies) == expected
    theirs: Any = proxies
    assert requests.utils.select_proxy(url, theirs) == expected


SELECTIONS_OF_OURS = {
    "scheme, host and port first": (
        "http://h.test:8080/",
        {"http://h.test:8080": PROXY, "http://h.test": OTHER},
        PROXY,
    ),
    "another port": ("http://h.test:8081/", {"http://h.test:8080": OTHER, "http://h.test": PROXY}, PROXY),
    "the port of the scheme": ("https://h.test/", {"https://h.test:443": PROXY}, PROXY),
    "all for host and port ahead of the host": (
        "http://h.test/",
        {"all://h.test": OTHER, "all://h.test:80": PROXY},
        PROXY,
    ),
    "an address in brackets": ("http://[2001:db8::1]/", {"http://[2001:db8::1]": PROXY}, PROXY),
    "an address and a port": ("http://[2001:db8::1]:81/", {"http://[2001:db8::1]:81": PROXY}, PROXY),
    "an address without brackets": ("http://[2001:db8::1]/", {"http://2001:db8::1": PROXY}, PROXY),
    "a key in capitals": ("http://h.test/", {"HTTP://H.Test": PROXY}, PROXY),
    "a slash at the end": ("http://h.test/", {"http://h.test/": PROXY}, PROXY),
    "an empty text means none": ("http://h.test/", {"http": "", "all": OTHER}, None),
}


@pytest.mark.parametrize(("url", "proxies", "expected"), SELECTIONS_OF_OURS.values(), ids=SELECTIONS_OF_OURS)
def test_keys_may_have_ports_brackets_and_capitals_too(
    url: str, proxies: dict[str, str | None], expected: str | None
) -> None:
    assert select_proxy(parse(url), proxies) == expected


KEYS_THAT_FIT = [
    *("http", "https", "all", "HTTP", "http://", "https://", "all://"),  # the last three are httpx's
    *("https://h.test", "all://h.test", "all://h.test/", "https://h.test:443", "all://[2001:db8::1]:81"),
    *("ftp", "socks", "socks5", "sftp", "ssh", "wss", "http+unix", "httpx", "http2", "no", "no_proxy"),
    *("npm_config_https", "ftp://h.test", "ftp://user@h.test/path", "http+unix://%2Frun%2Fa.sock"),
]
KEYS_THAT_FIT_NOTHING = [
    *("htpp", "htps", "hhttp", "httpss", "HTPP", "htpp://h.test"),
    *("http:", "https:", "http:/", "https//:h.test", "https//h.test", "https:h.test", "http/", "http "),
    *("://h.test", "h.test:8080", "[::1]", "", "*", "*://h.test", "http://*", "https://*.h.test"),
    *("https://h.test:port", "https://h.test/path", "https://h.test?a", "https://h.test#a"),
]


@pytest.mark.parametrize("key", KEYS_THAT_FIT)
def test_a_scheme_or_a_scheme_and_a_host_is_a_key_whoever_speaks_that_scheme(key: str) -> None:
    select_proxy(parse("https://h.test/"), {key: PROXY})
    assert Session(proxies={key: PROXY}).proxies == {key: PROXY}


@pytest.mark.parametrize("key", KEYS_THAT_FIT_NOTHING)
def test_a_key_that_can_fit_no_url_is_an_error_that_names_it_and_those_that_can(key: str) -> None:
    """Whoever is meant to go through a proxy never goes around it; requests goes."""
    assert requests.utils.select_proxy("https://h.test/", {key: PROXY}) is None
    with pytest.raises(InvalidProxyURL, match=re.escape("'https://example.com'")) as caught:
        select_proxy(parse("https://g.test/"), {"all": OTHER, key: PROXY})
    assert repr(key) in str(caught.value)
    session = Session()
    with pytest.raises(ValueError, match="fits no URL"):
        session.proxies = {key: PROXY}
    assert session.proxies == {}


@pytest.mark.parametrize("key", ["http://user:secret@proxy.test:3128", "user:secret@proxy.test:3128"])
def test_a_proxys_url_in_the_place_of_a_key_is_not_shown(key: str) -> None:
    with pytest.raises(InvalidProxyURL, match="not shown") as caught:
        select_proxy(parse("https://h.test/"), {key: "https"})
    assert "secret" not in str(caught.value)


def test_a_key_with_a_name_outside_ascii_fits_the_url_that_has_it() -> None:
    assert select_proxy(parse("http://b\u00fccher.test/"), {"http://B\u00fccher.test": PROXY}) == PROXY


# --- the call, the session, the environment

A, B, C = "http://a.proxy", "http://b.proxy", "http://c.proxy"

MERGES: dict[str, tuple[Any, Any, dict[str, str], dict[str, str | None]]] = {
    "nothing is said": (None, None, {}, {"http": None, "https": None}),
    "the environment alone": (None, None, {"http": C}, {"http": C, "https": None}),
    "the session alone": (None, {"http": B}, {}, {"http": B, "https": None}),
    "the call alone": ({"http": A}, None, {}, {"http": A, "https": None}),
    "the session ahead of the environment": (None, {"http": B}, {"http": C}, {"http": B, "https": None}),
    "the call ahead of the environment": ({"http": A}, None, {"http": C}, {"http": A, "https": None}),
    "the call ahead of both": ({"http": A}, {"http": B}, {"http": C}, {"http": A, "https": None}),
    "each says one thing": ({"http": A}, {"https": B}, {}, {"http": A, "https": B}),
    "what the call leaves open": ({"http": A}, None, {"https": C}, {"http": A, "https": C}),
    "what session and call leave open": ({"http://g.test": A}, {"http": B}, {"https": C}, {"https": C}),
    "all of the session covers a scheme of the environment": (
        None,
        {"all": B},
        {"http": C, "https": C, "all": C},
        {"http": B, "https": B},
    ),
    "all of the call covers a host of the session": ({"all": A}, {"http://h.test": B}, {}, {"http": A}),
    "a scheme of the call covers a host of the session": (
        {"http": A},
        {"http://h.test": B, "https://h.test": B},
        {},
        {"http": A, "https": B},
    ),
    "a host of the call, in any scheme, ahead of a scheme": (
        {"all://h.test": A},
        {"http": B},
        {"https": C},
        {"http": A, "https": A},
    ),
    "nothing in the call means direct": ({}, {"http": B}, {"https": C}, {"http": None, "https": None}),
    "nothing in the session means direct": (None, {}, {"http": C}, {"http": None, "https": None}),
    "nothing in the session, something in the call": (
        {"http": A},
        {},
        {"http": C, "https": C},
        {"http": A, "https": None},
    ),
    "None in the call": ({"http": None}, {"http": B, "https": B}, {}, {"http": None, "https": B}),
    "None in the session": (None, {"http": None}, {"http": C, "https": C}, {"http": None, "https": C}),
    "None leaves no room for all": ({"http": None}, None, {"all": C}, {"http": None, "https": C}),
    "None for all": ({"all": None}, {"http": B}, {"https": C}, {"http": None, "https": None}),
    "None for a host": (None, {"http://h.test": None}, {"http": C}, {"http": None}),
    "capitals": ({"ALL://H.TEST": A}, {"HTTP": B}, {"https": C}, {"http": A, "https": A}),
    "capitals that cover": (None, {"ALL": B}, {"http": C}, {"http": B}),
    "empty text": (None, {"http": ""}, {"http": C}, {"http": None}),
}


@pytest.mark.parametrize(("given", "session", "around", "expected"), MERGES.values(), ids=MERGES)
def test_the_call_goes_ahead_of_the_session_and_the_session_of_the_environment(
    given: Any, session: Any, around: dict[str, str], expected: dict[str, str | None]
) -> None:
    """The law of precedence; `proxies={}` means direct."""
    merged = merge_proxies(given, session, around)
    for scheme, proxy in expected.items():
        assert select_proxy(parse(f"{scheme}://h.test/"), merged) == proxy


def test_a_merge_leaves_out_what_does_not_count() -> None:
    assert merge_proxies(None, {"all": B}, {"http": C, "https": C}) == {"all": B}
    assert merge_proxies({"http": A}, {"http": B, "https": B}, {"http": C}) == {"http": A, "https": B}


HOSTS = ["", "://h.test", "://h.test:8080", "://g.test", "://[2001:db8::1]"]
proxy_keys = st.builds("{}{}".format, st.sampled_from(["http", "https", "all"]), st.sampled_from(HOSTS))
mappings = st.dictionaries(proxy_keys, st.sampled_from([A, B, C, None]), max_size=5)
URLS = [
    f"{scheme}://{host}/"
    for scheme in ("http", "https")
    for host in ("h.test", "h.test:8080", "h.test:443", "g.test", "g.test:8080", "[2001:db8::1]", "f.test")
]


def said_of(url: str, proxies: Mapping[str, str | None]) -> list[str | None]:
    """What one mapping says of a URL, by the order in which requests has the keys: one value, or none."""
    scheme, _, authority = url.rstrip("/").partition("://")
    host, _, _ = authority.partition(":8080" if authority.endswith(":8080") else ":443")
    keys = [
        f"{scheme}://{authority}",
        f"{scheme}://{host}",
        scheme,
        f"all://{authority}",
        f"all://{host}",
        "all",
    ]
    return [proxies[key] for key in keys if key in proxies][:1]


@unhurried
@given(st.none() | mappings, st.none() | mappings, mappings)
@example({"all://h.test": A}, {"http": B}, {})
@example({"all://h.test": A, "all://h.test:8080": None}, {"http": B}, {"https": C})
@example({"http://h.test": A, "all://h.test:8080": B}, {"http": C}, {})
def test_of_each_url_the_first_one_that_speaks_of_it_is_heard(
    given: dict[str, str | None] | None, session: dict[str, str | None] | None, around: dict[str, str | None]
) -> None:
    heard: Any = around
    merged = merge_proxies(given, session, heard)
    for url in URLS:
        said: list[str | None] = []
        for level in (given, session):
            if level is not None:
                # An empty mapping says "direct" of every URL.
                said += said_of(url, level) if level else [None]
        said += said_of(url, around)
        assert select_proxy(parse(url), merged) == next(iter(said), None)


@unhurried
@given(st.none() | mappings, st.none() | mappings, mappings)
def test_a_merge_changes_none_of_its_parts(
    given: dict[str, str | None] | None, session: dict[str, str | None] | None, around: dict[str, str | None]
) -> None:
    parts: list[Any] = [given, session, around]
    before = [part and part.copy() for part in parts]
    merge_proxies(*parts)
    assert parts == before


@pytest.mark.parametrize("key", ["http:", "htpp", "://h.test", ""])
@pytest.mark.parametrize("around", [{}, {"all": C}, {"http": C}], ids=str)
def test_a_key_that_can_fit_no_url_is_in_the_way_of_no_merge(key: str, around: dict[str, str]) -> None:
    """The error comes where there is a request that it can name."""
    merged = merge_proxies({key: A}, {"all://h.test": B}, around)
    with pytest.raises(InvalidProxyURL, match=re.escape(repr(key))):
        select_proxy(parse("http://g.test/"), merged)


# --- netrc

NETRC = "machine a.test login user password pass\n"

FILES: dict[str, tuple[str, dict[str, tuple[str, str] | None]]] = {
    "a machine": (NETRC, {"a.test": ("user", "pass"), "b.test": None, "www.a.test": None}),
    "a machine on several lines": ("machine a.test\n\tlogin u\n\tpassword p\n", {"a.test": ("u", "p")}),
    "user for login": ("machine a.test user u password p", {"a.test": ("u", "p")}),
    "a default": (
        f"{NETRC}default login anyone password guess",
        {"a.test": ("user", "pass"), "b.test": ("anyone", "guess"), "default": ("anyone", "guess")},
    ),
    "account for a login": ("machine a.test account c password p", {"a.test": ("c", "p")}),
    "login ahead of account": ("machine a.test account c login u password p", {"a.test": ("u", "p")}),
    "password alone": ("machine a.test password p", {"a.test": ("", "p")}),
    "login alone": ("machine a.test login u", {"a.test": ("u", "")}),
    "a machine without credentials is not the default": (
        "machine a.test\ndefault login u password p",
        {"a.test": None, "b.test": ("u", "p")},
    ),
    "quotes": ('machine a.test login "a user" password "p\\"q"', {"a.test": ("a user", 'p"q')}),
    "comments": (
        f"# machine b.test login x password y\n{NETRC}",
        {"a.test": ("user", "pass"), "b.test": None},
    ),
    "a macro": (
        f"macdef init\nmachine b.test login x\n\n{NETRC}",
        {"a.test": ("user", "pass"), "b.test": None},
    ),
    "an address": (
        "machine 192.0.2.1 login u password p\nmachine 2001:db8::1 login v password q",
        {"192.0.2.1": ("u", "p"), "2001:db8::1": ("v", "q")},
    ),
    "outside ASCII": ("machine a.test login ü password π", {"a.test": ("ü", "π")}),
    "two for one machine": (f"{NETRC}machine a.test login last password p", {"a.test": ("last", "p")}),
    "nothing": ("", {"a.test": None}),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def url_of(host: str) -> str:
    return f"http://[{host}]/" if ":" in host else f"http://{host}/"


@pytest.mark.parametrize(("text", "answers"), FILES.values(), ids=FILES)
def test_netrc_names_user_and_password_of_a_host_as_in_requests(
    text: str, answers: dict[str, tuple[str, str] | None], home: Path
) -> None:
    (home / ".netrc").write_text(text, encoding="utf-8")
    for host, expected in answers.items():
        assert netrc_credentials(host) == expected
        assert requests.utils.get_netrc_auth(url_of(host)) == expected


def test_the_case_of_a_machine_does_not_count(home: Path) -> None:
    """Unlike requests, which finds nothing: names of hosts have no case (RFC 4343), and URLs lose theirs."""
    (home / ".netrc").write_text("machine A.Test login user password pass")
    assert netrc_credentials(parse("http://a.TEST/").host) == ("user", "pass")
    assert requests.utils.get_netrc_auth("http://a.TEST/") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://a.test:@evil.test/",
        "http://a.test@evil.test/",
        "http://a.test:80@evil.test/",
        "http://evil.test/a.test",
        "http://evil.test?a.test",
        "http://evil.test:80/@a.test/",
    ],
)
def test_netrc_is_asked_for_the_host_that_is_dialled(url: str, home: Path) -> None:
    """CVE-2024-47081."""
    (home / ".netrc").write_text(NETRC)
    assert netrc_credentials(parse(url).host) is None


@pytest.mark.parametrize("names", [[".netrc"], ["_netrc"], [".netrc", "_netrc"]], ids=str)
def test_the_file_is_found_in_the_home_directory_by_both_of_its_names(names: list[str], home: Path) -> None:
    for name in names:
        (home / name).write_text(f"machine a.test login {name} password p")
    assert netrc_credentials("a.test") == (names[0], "p")
    assert requests.utils.get_netrc_auth("http://a.test/") == (names[0], "p")


def test_netrc_in_the_environment_names_the_only_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".netrc").write_text(NETRC)
    (home / "other").write_text("machine a.test login other password p")
    for value, expected in {
        str(home / "other"): ("other", "p"),
        "~/other": ("other", "p"),
        str(home / "missing"): None,
        os.devnull: None,
        "": None,
    }.items():
        monkeypatch.setenv("NETRC", value)
        assert netrc_credentials("a.test") == expected
        assert requests.utils.get_netrc_auth("http://a.test/") == expected
    monkeypatch.delenv("NETRC")
    assert netrc_credentials("a.test") == ("user", "pass")


def test_a_file_below_the_home_directory_is_named_by_a_tilde() -> None:
    home = {"HOME": "/home/of/a", "USERPROFILE": "/home/of/a"}
    assert Environment.read({**home, "NETRC": "~/secrets"}).netrc_paths == ("/home/of/a/secrets",)
    assert Environment.read({**home, "NETRC": "/etc/~"}).netrc_paths == ("/etc/~",)


@pytest.mark.parametrize("value", ["", ".", "~"])
def test_a_home_that_is_nowhere_holds_no_netrc(
    value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file would be one of the working directory's, which may be anybody's."""
    (home / ".netrc").write_text(NETRC)
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", value)
    monkeypatch.setenv("USERPROFILE", value)
    assert netrc() is None


def test_without_home_the_system_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("USERPROFILE")
    assert current().netrc_paths[0] == os.path.join(os.path.expanduser("~"), ".netrc")


def test_no_file_says_nothing(home: Path) -> None:
    assert netrc() is None
    assert netrc_credentials("a.test") is None


def test_a_file_is_read_once(home: Path) -> None:
    (home / ".netrc").write_text(NETRC)
    first = netrc()
    assert first is not None
    assert netrc() is first


def test_a_file_that_changes_is_read_again(home: Path) -> None:
    path = home / ".netrc"
    for user in ("a", "bc", "def"):
        path.write_text(f"machine a.test login {user} password p")
        assert netrc_credentials("a.test") == (user, "p")
    path.unlink()
    assert netrc_credentials("a.test") is None


def test_a_change_that_keeps_the_length_is_told_by_the_time(home: Path) -> None:
    path = home / ".netrc"
    for second, user in enumerate("abc"):
        path.write_text(f"machine a.test login {user} password p")
        os.utime(path, ns=(0, 10**18 + second))
        assert netrc_credentials("a.test") == (user, "p")


def test_a_change_within_the_same_instant_is_told_by_the_length(home: Path) -> None:
    path = home / ".netrc"
    for user in ("a", "bc", "def"):
        path.write_text(f"machine a.test login {user} password p")
        os.utime(path, ns=(0, 10**18))
        assert netrc_credentials("a.test") == (user, "p")


def test_another_file_of_the_same_length_and_time_is_told_by_its_number(home: Path) -> None:
    path = home / ".netrc"
    for user in "ab":
        new = home / f"new {user}"
        new.write_text(f"machine a.test login {user} password p")
        os.utime(new, ns=(0, 10**18))
        os.link(new, home / f"kept {user}")  # so that its number is not given to the next one
        new.replace(path)
        assert netrc_credentials("a.test") == (user, "p")


def test_a_file_that_may_not_be_read_says_nothing_until_it_may(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".netrc").write_text(NETRC)
    really_open = open

    def refuse(file: Any, *args: Any, **kwargs: Any) -> Any:
        if str(file).endswith(".netrc"):
            raise PermissionError(13, "Permission denied", file)
        return really_open(file, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", refuse)
        assert netrc_credentials("a.test") is None
    assert netrc_credentials("a.test") == ("user", "pass")


def test_what_is_no_regular_file_is_not_opened(home: Path) -> None:
    os.mkfifo(home / ".netrc")  # opening it would wait for a writer
    assert netrc() is None
    (home / ".netrc").unlink()
    (home / ".netrc").mkdir()
    assert netrc() is None


MALFORMED = {
    "a word that is none": ("machine a.test login user password two words\n", "line [12]"),
    "a macro without an end": ("machine a.test login user password pass\nmacdef init\ncd", "line 3"),
    "something else altogether": ("{}", "line 1"),
    "no text": (b"machine a.test login user password \xff\xfe", "not text"),
}


@pytest.mark.parametrize(("content", "where"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_says_nothing_and_warns_once(
    content: str | bytes, where: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / ".netrc"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.warns(UserWarning, match=where) as caught:
        assert netrc_credentials("a.test") is None
    assert netrc_credentials("a.test") is None  # a further warning would be an error
    (warning,) = caught
    assert str(path) in str(warning.message)
    assert "words" not in str(warning.message), "what stands in the file may be a password"
    path.write_text(NETRC)
    assert netrc_credentials("a.test") == ("user", "pass")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


numbers = itertools.count()  # a file of its own for each example
tokens = st.sampled_from(
    [
        "machine",
        "default",
        "login",
        "user",
        "password",
        "account",
        "macdef",
        "a.test",
        "b.test",
        "#",
        '"',
        "\\",
    ]
)
spaces = st.sampled_from([" ", "\n", "\t", "\n\n", ""])
near_netrc = st.lists(st.tuples(tokens, spaces)).map(lambda pairs: "".join(map("".join, pairs)))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anything | near_netrc)
def test_no_text_of_a_netrc_file_breaks_a_request_and_requests_reads_it_alike(
    folder: Path, text: str
) -> None:
    path = folder / f"netrc {next(numbers)}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    around = Environment.read({"NETRC": str(path)})
    with warnings.catch_warnings(record=True) as malformed:
        warnings.simplefilter("always")
        file = around.netrc()
    assert file is not None
    for host in ("a.test", "b.test"):
        ours = file.credentials(host)
        assert ours is None or not malformed
        try:
            with mock.patch.dict(os.environ, {"NETRC": str(path)}):
                theirs = requests.utils.get_netrc_auth(f"http://{host}/")
        except UnicodeError:
            theirs = None  # requests lets it out
        assert ours == theirs


def test_the_repr_of_a_netrc_file_shows_no_password(home: Path) -> None:
    (home / ".netrc").write_text(f"{NETRC}default login anyone password guess")
    assert "pass" not in repr(netrc())
    assert "guess" not in repr(netrc())


def test_the_reader_of_netrc_files_is_loaded_only_where_there_is_one(home: Path) -> None:
    script = "import sys; from pystickyhttp.environment import netrc; netrc(); print('netrc' in sys.modules)"

    def loaded() -> str:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert loaded() == "False"
    (home / ".netrc").write_text(NETRC)
    assert loaded() == "True"


# --- where requests says otherwise, besides the table of NO_PROXY


def merged_by_requests(session: dict[str, str], url: str) -> dict[str, str]:
    with requests.Session() as theirs:
        theirs.proxies = session
        merged: dict[str, str] = theirs.merge_environment_settings(url, {}, None, None, None)["proxies"]
        return dict(merged)


class Difference(NamedTuple):
    """One question to both, under the same variables, and why the answers differ."""

    variables: dict[str, str]
    theirs: Callable[[], object]
    ours: Callable[[], object]
    answers: tuple[object, object]
    reason: str


DIFFERENCES = {
    "the environment goes ahead of the session": Difference(
        {"http_proxy": C},
        lambda: merged_by_requests({"http": B}, "http://a.test/")["http"],
        lambda: merge_proxies(None, {"http": B}, current().proxies_for(parse("http://a.test/")))["http"],
        (C, B),
        "the law of precedence",
    ),
    "a scheme of the environment goes ahead of all of the session": Difference(
        {"http_proxy": C},
        lambda: requests.utils.select_proxy(
            "http://a.test/", merged_by_requests({"all": B}, "http://a.test/")
        ),
        lambda: select_proxy(parse("http://a.test/"), merge_proxies(None, {"all": B}, current().proxies)),
        (C, B),
        "the law of precedence",
    ),
    "an empty no_proxy gives way to NO_PROXY": Difference(
        {"http_proxy": C, "no_proxy": "", "NO_PROXY": "a.test"},
        lambda: requests.utils.get_environ_proxies("http://a.test/"),
        lambda: current().proxies_for(parse("http://a.test/")),
        ({}, {"http": C}),
        "the variable in lower case goes first, as with the proxies, and in curl",
    ),
    "variables for other schemes": Difference(
        {"ftp_proxy": C},
        lambda: requests.utils.get_environ_proxies("http://a.test/"),
        lambda: current().proxies_for(parse("http://a.test/")),
        ({"ftp": C}, {}),
        "no URL of ours can have them",
    ),
    "names in mixed case": Difference(
        {"Http_Proxy": C},
        lambda: requests.utils.get_environ_proxies("http://a.test/"),
        lambda: current().proxies_for(parse("http://a.test/")),
        ({"http": C}, {}),
        "nobody documents them, and looking for them takes all variables",
    ),
    "keys with a port": Difference(
        {},
        lambda: requests.utils.select_proxy("http://a.test:81/", {"http://a.test:81": A}),
        lambda: select_proxy(parse("http://a.test:81/"), {"http://a.test:81": A}),
        (None, A),
        "it can only mean what it says",
    ),
    "keys in capitals": Difference(
        {},
        lambda: requests.utils.select_proxy("http://a.test/", {"HTTP": A}),
        lambda: select_proxy(parse("http://a.test/"), {"HTTP": A}),
        (None, A),
        "it can only mean what it says",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_requests_says_otherwise_for_a_reason(
    difference: Difference, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in difference.variables.items():
        monkeypatch.setenv(name, value)
    assert (difference.theirs(), difference.ours()) == difference.answers


def test_what_the_standard_library_reads_from_the_environment_we_read_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All four variables in all combinations of case, empty or not."""
    for values in itertools.product([None, "", PROXY], repeat=4):
        with monkeypatch.context() as patch:
            for name, value in zip(
                ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"], values, strict=True
            ):
                if value is not None:
                    patch.setenv(name, value)
            assert current().proxies == urllib.request.getproxies_environment()
