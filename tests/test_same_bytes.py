"""The bytes that requests sends are those that we send: hypothesis makes the calls, a server keeps the bytes.

What may differ in every request stands in `tests.beside`: the name in User-Agent, the boundary of multipart.
What differs on purpose stands here, each as a function that says what we send where requests sends something
else, or as a predicate of what we refuse; the reason stands beside it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import requests
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import pystickyhttp
from tests.beside import OURS, THEIRS, Raised, Recorder, assert_same, plain, without_chance

unhurried = settings(deadline=None, max_examples=150)


class Pair:
    """A session of each library, and the server that both talk to, over connections that stay."""

    def __init__(self, server: Recorder, theirs: requests.Session, ours: pystickyhttp.Session) -> None:
        self.server = server
        self._sessions: tuple[tuple[Any, Any], ...] = ((THEIRS, theirs), (OURS, ours))
        for _, session in self._sessions:
            session.trust_env = False  # nobody is to look for a netrc file each time

    def send(self, method: str, path: str = "/", **how: Any) -> tuple[Any, Any]:
        """What requests sent, and what we sent: the bytes, or the error of who refused to.

        Args:
            method, path: what for.
            **how: the other arguments of `Session.request`; what can be used once is given as a function that
                makes it.
        """
        theirs, ours = (
            self._sent(library, session, method, path, how) for library, session in self._sessions
        )
        return theirs, ours

    def _sent(self, library: Any, session: Any, method: str, path: str, how: dict[str, Any]) -> Any:
        before = len(self.server.received)
        arguments = {name: value() if callable(value) else value for name, value in how.items()}
        try:
            session.request(method, self.server.url(path), **arguments)
        except Exception as error:  # noqa: BLE001 - which one it is is what is compared
            assert len(self.server.received) == before, "it was sent, and was an error then"
            return Raised.of(error, library)
        (raw,) = self.server.received[before:]
        return without_chance(raw)

    def assert_same(self, method: str, path: str = "/", **how: Any) -> None:
        assert_same(*self.send(method, path, **how))


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Recorder(plain) as server, requests.Session() as theirs, pystickyhttp.Session() as ours:
        yield Pair(server, theirs, ours)


def target_of(raw: bytes) -> str:
    return raw.split(b" ", 2)[1].decode("ascii")


def texts(without: str = "", *, most: int = 12) -> SearchStrategy[str]:
    """Text of any characters, but for some and for half surrogate pairs, which are none."""
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters=without), max_size=most)


# Law X7: these are refused in a URL, in a header and in the name of a part, be they meant or not.
LINE_ENDS = "\r\n\0"
# What has a meaning in a URL, or is illegal in one.
URL_ATOMS = [
    *"/?#@:;=&+ [](){}|\\^`<>\"'~-_.!$*,",
    *("//", "/.", "/..", "/./", "/../", "..", "a", "b", "\xfc", "\u2603", "\t", "\x7f", "\xa0"),
]
ESCAPES = ["%41", "%7e", "%7E", "%2F", "%2f", "%25", "%2e%2e", "%2E", "%c3%bc", "%00", "%0a", "%20", "%3f"]


def tails(atoms: list[str]) -> SearchStrategy[str]:
    """What stands behind the first slash of a URL: path, query, fragment."""
    return st.lists(st.sampled_from(atoms), max_size=10).map("".join)


# --- URLs


def has_an_empty_query(tail: str) -> bool:
    """`/?` stays `/?`, as a server may tell it from `/`; requests drops the question mark."""
    return tail.partition("#")[0].endswith("?") and tail.partition("#")[0].count("?") == 1


def climbs_over_nothing(tail: str) -> bool:
    """`//../x` is `/x` (RFC 3986, section 5.2.4), and so on; urllib3 loses segments that are empty."""
    path = re.split("[?#]", "/" + tail)[0]
    return "//" in path and "/.." in path


@unhurried
@given(tail=st.one_of(texts("%" + LINE_ENDS), tails(URL_ATOMS)))
def test_a_url_is_sent_as_the_same_bytes(tail: str, pair: Pair) -> None:
    assume(not has_an_empty_query(tail) and not climbs_over_nothing(tail))
    pair.assert_same("GET", "/" + tail)


@unhurried
@given(tail=tails([*ESCAPES, *"/?#=&a"]))
def test_a_url_is_sent_with_its_escapes_as_they_are(tail: str, pair: Pair) -> None:
    """requests takes off those that are not needed, and writes the others in capitals: signed URLs break."""
    assume(not has_an_empty_query(tail) and not climbs_over_nothing(tail))
    theirs, ours = pair.send("GET", "/" + tail)
    sent = ("/" + tail).partition("#")[0]
    assert target_of(ours) == sent
    assert theirs == ours.replace(sent.encode(), normalized(sent).encode(), 1)


def normalized(target: str) -> str:
    """RFC 3986, section 6.2.2: escapes of what is unreserved are taken off, the others are in capitals."""

    def plainly(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if re.fullmatch(r"[A-Za-z0-9._~-]", character) else escape[0].upper()

    return re.sub("%([0-9A-Fa-f]{2})", plainly, target)


@unhurried
@given(tail=tails([*ESCAPES, "%", "%zz", "%4", "/", "a", "%%"]))
def test_a_percent_sign_that_begins_no_escape_leaves_the_others_as_they_are(tail: str, pair: Pair) -> None:
    """requests takes all of them for text then."""
    broken = re.compile("%(?![0-9A-Fa-f]{2})")
    assume(broken.search(tail))
    theirs, ours = pair.send("GET", "/" + tail)
    assert target_of(ours) == "/" + broken.sub("%25", tail)
    # urllib3 writes what was an escape in capitals before it becomes text.
    assert target_of(theirs).upper() == "/" + tail.replace("%", "%25").upper()


@unhurried
@given(ahead=texts("%" + LINE_ENDS), end=st.sampled_from(LINE_ENDS), behind=texts("%"))
def test_a_url_with_a_line_end_is_refused(ahead: str, end: str, behind: str, pair: Pair) -> None:
    """Law X7; requests escapes it. One at the end is most often that of a line that was read."""
    theirs, ours = pair.send("GET", f"/{ahead}{end}{behind}")
    assert not isinstance(theirs, Raised)
    assert_same(Raised("InvalidURL"), ours)


# --- params and forms

numbers = st.one_of(st.integers(), st.floats(), st.booleans())
members = st.one_of(texts(), st.binary(max_size=8), numbers, st.none())
values = st.one_of(members, st.lists(members, max_size=3), st.tuples(members, members))
names = st.one_of(texts(), st.binary(max_size=6), st.integers())
pairs: SearchStrategy[Any] = st.one_of(
    st.dictionaries(names, values, max_size=4),
    st.lists(st.tuples(names, values), max_size=4),
    st.lists(st.tuples(names, values), max_size=4).map(tuple),
)


@unhurried
@given(params=pairs, path=st.sampled_from(["/", "", "/?a=b", "/?a=b&", "/x;y?q#part", "/#part"]))
def test_params_are_sent_as_the_same_bytes(params: Any, path: str, pair: Pair) -> None:
    pair.assert_same("GET", path, params=params)


def is_cut_short(params: str) -> bool:
    """requests takes what follows a # for a fragment, which is not sent; here it is a part of the query."""
    return "#" in params


@unhurried
@given(params=st.one_of(texts("%" + LINE_ENDS), tails(URL_ATOMS)))
def test_params_that_are_text_are_sent_as_the_same_bytes(params: str, pair: Pair) -> None:
    assume(not is_cut_short(params))
    pair.assert_same("GET", "/", params=params)
    pair.assert_same("GET", "/?a=b", params=params.encode("ascii", "ignore"))


@unhurried
@given(params=texts("%" + LINE_ENDS))
@example(params="a#b")
def test_params_that_are_text_are_all_of_them_sent(params: str, pair: Pair) -> None:
    _, ours = pair.send("GET", "/?a=b", params=params.replace("#", "%23"))
    assert pair.send("GET", "/?a=b", params=params)[1] == ours


@unhurried
@given(params=st.binary().filter(lambda raw: not raw.isascii() and not set(raw) & set(b"\r\n\0%")))
def test_params_that_are_bytes_outside_ascii_are_sent_as_they_are(params: bytes, pair: Pair) -> None:
    """In requests they are a UnicodeDecodeError."""
    theirs, ours = pair.send("GET", params=params)
    assert_same(Raised("builtins.UnicodeDecodeError"), theirs)
    assert unquote_to_bytes(target_of(ours)) == b"/?" + params


def is_empty(data: Any) -> bool:
    """A form of nothing has a known length: 0. requests sends it in chunks."""
    items = data.items() if isinstance(data, dict) else data
    return len(items) > 0 and all(
        value is None or value in ([], (None, None)) or _all_none(value) for _, value in items
    )


def _all_none(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(member is None for member in value)


@unhurried
@given(data=st.one_of(pairs, texts(), st.binary(max_size=20)))
def test_a_form_is_sent_as_the_same_bytes(data: Any, pair: Pair) -> None:
    assume(isinstance(data, (str, bytes)) or not is_empty(data))
    pair.assert_same("POST", data=data)


@unhurried
@given(pieces=st.lists(st.one_of(st.binary(max_size=20), texts()), max_size=4))
def test_an_iterator_is_sent_in_the_same_chunks(pieces: list[bytes | str], pair: Pair) -> None:
    pair.assert_same("PUT", data=lambda: iter(pieces))


@unhurried
@given(content=st.binary(min_size=1), position=st.integers(0, 20))
def test_a_file_is_sent_from_where_it_stands(content: bytes, position: int, pair: Pair) -> None:
    def opened() -> io.BytesIO:
        file = io.BytesIO(content)
        file.seek(position)
        return file

    assume(position < len(content))  # an empty file is sent in chunks there, and with its length here
    pair.assert_same("POST", data=opened)


json_values = st.recursive(
    st.one_of(st.none(), numbers, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@unhurried
@given(value=json_values)
def test_json_is_sent_as_the_same_bytes_or_refused_by_the_same_error(value: Any, pair: Pair) -> None:
    pair.assert_same("POST", json=value)


# --- multipart

contents: SearchStrategy[Any] = st.one_of(
    texts(), st.binary(max_size=20), st.binary(max_size=20).map(lambda content: lambda: io.BytesIO(content))
)
part_names = texts(LINE_ENDS)
content_types = st.sampled_from([None, "", "text/plain", 'a/b; c="d"', "a/\xe9"])
fields_of_parts = st.dictionaries(
    st.sampled_from(
        ["X-A", "x-a", "Content-ID", "Content-Transfer-Encoding", "Content-Type", "content-location"]
    ),
    part_names,
    max_size=3,
)
given_files: SearchStrategy[Any] = st.one_of(
    contents,
    st.tuples(st.one_of(st.none(), part_names), contents),
    st.tuples(part_names, contents, content_types),
    st.tuples(part_names, contents, content_types, fields_of_parts),
)
form_values = st.one_of(
    part_names, st.binary(max_size=8), numbers, st.none(), st.lists(part_names, max_size=3)
)


def opened(files: Any) -> Any:
    """The files, each as a new object where it is one."""
    if isinstance(files, dict):
        return {name: opened(each) for name, each in files.items()}
    if isinstance(files, (list, tuple)):
        return type(files)(opened(each) for each in files)
    return files() if callable(files) else files


@unhurried
@given(
    data=st.one_of(
        st.none(),
        st.dictionaries(part_names, form_values, max_size=3),
        st.lists(st.tuples(part_names, form_values), max_size=3),
    ),
    files=st.one_of(
        st.dictionaries(part_names, given_files, min_size=1, max_size=3),
        st.lists(st.tuples(part_names, given_files), min_size=1, max_size=3),
    ),
)
def test_multipart_is_sent_as_the_same_bytes(data: Any, files: Any, pair: Pair) -> None:
    pair.assert_same("POST", data=data, files=lambda: opened(files))


@unhurried
@given(
    ahead=texts(),
    end=st.sampled_from(LINE_ENDS),
    place=st.sampled_from(["name", "filename", "field", "type"]),
)
def test_a_line_end_in_the_head_of_a_part_is_refused(ahead: str, end: str, place: str, pair: Pair) -> None:
    """Law X7; requests escapes it in names, and sends it as it is in a type or a field."""
    bad = ahead + end
    given = {"name": "n", "filename": "f", "field": "x", "type": "a/b", place: bad}
    files = {given["name"]: (given["filename"], b"x", given["type"], {"X-A": given["field"]})}
    assert_same(Raised("InvalidHeader"), pair.send("POST", files=files)[1])


# --- headers, cookies, credentials

tokens = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=8)
# RFC 9110, section 5.5: text, blanks and tabs within, and what was once latin-1. Text that begins with one of
# the last two is none for requests, which takes them for blanks.
legal = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=10
).filter(lambda value: value[:1] not in ("\x85", "\xa0"))
header_values = st.one_of(legal, legal.map(lambda value: value.encode("latin-1")))


def with_trimmed_lines(raw: bytes) -> bytes:
    """Blanks behind a value are no part of it (RFC 9110, section 5.5), and are left out here."""
    head, end, body = raw.partition(b"\r\n\r\n")
    return (
        b"\r\n".join(line.rstrip(b" \t") if b": " in line.rstrip() else line for line in head.split(b"\r\n"))
        + end
        + body
    )


@unhurried
@given(headers=st.dictionaries(tokens.map("X-".__add__), header_values, max_size=4))
def test_headers_are_sent_as_the_same_bytes_or_refused_by_the_same_error(
    headers: dict[str, Any], pair: Pair
) -> None:
    theirs, ours = pair.send("GET", headers=headers)
    assert_same(with_trimmed_lines(theirs) if isinstance(theirs, bytes) else theirs, ours)


@unhurried
@given(headers=st.dictionaries(tokens, st.none(), max_size=4))
def test_headers_of_none_are_not_sent(headers: dict[str, Any], pair: Pair) -> None:
    # urllib3 sends its own then.
    assume(not {name.lower() for name in headers} & {"user-agent", "accept-encoding"})
    pair.assert_same("GET", headers=headers)


bad_names = st.one_of(st.text(max_size=6), st.binary(max_size=6)).filter(
    lambda name: (
        not re.fullmatch(
            rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+",
            name if isinstance(name, bytes) else name.encode("utf-8", "replace"),
        )
    )
)
bad_values = st.one_of(
    st.tuples(legal, st.sampled_from([chr(code) for code in (*range(9), *range(10, 32), 127)]), legal).map(
        "".join
    ),
    legal.map(" ".__add__),
    legal.map("\t".__add__),
    st.text(st.characters(min_codepoint=0x100), min_size=1),
    st.integers(),
    st.lists(st.text()),
)


@unhurried
@given(header=st.one_of(st.tuples(bad_names, legal), st.tuples(tokens, bad_values)))
def test_a_header_that_is_none_is_refused(header: tuple[Any, Any], pair: Pair) -> None:
    """Whatever requests makes of it: it lets bad names and control characters through, or trips over them."""
    assert_same(Raised("InvalidHeader"), pair.send("GET", headers=dict([header]))[1])


@unhurried
@given(
    value=st.text(st.characters(max_codepoint=0xFF), max_size=8),
    end=st.sampled_from(["\r\n", "\n", "\r", "\r\n "]),
)
def test_a_line_end_in_a_header_is_refused_by_both(value: str, end: str, pair: Pair) -> None:
    theirs, ours = pair.send("GET", headers={"X-A": f"{value}{end}x"})
    assert_same(Raised("InvalidHeader"), theirs)
    assert_same(theirs, ours)


cookie_values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=" "), max_size=10
)


@unhurried
@given(cookies=st.dictionaries(tokens, cookie_values, max_size=4))
def test_cookies_are_sent_as_the_same_bytes(cookies: dict[str, str], pair: Pair) -> None:
    pair.assert_same("GET", cookies=cookies)


def has_a_colon(user: Any) -> bool:
    """A user with a colon in it is another one for the server (RFC 7617, section 2), and is refused here."""
    return (b":" if isinstance(user, bytes) else ":") in user


credentials = st.one_of(st.text(st.characters(max_codepoint=0x7F), max_size=8), st.binary(max_size=8))


@unhurried
@given(user=credentials, password=credentials)
def test_credentials_are_sent_as_the_same_bytes(user: Any, password: Any, pair: Pair) -> None:
    theirs, ours = pair.send("GET", auth=(user, password))
    if has_a_colon(user):
        assert_same(Raised("builtins.ValueError"), ours)
    else:
        assert_same(theirs, ours)


userinfo = st.text("abAZ09-._~!$&'()*+,;=\xfc", min_size=1, max_size=6)


@unhurried
@given(user=userinfo, password=userinfo)
def test_credentials_of_a_url_are_sent_as_the_same_bytes(user: str, password: str, pair: Pair) -> None:
    assume((user + password).isascii())  # requests writes others in latin-1, and we in UTF-8 (RFC 7617)
    url = pair.server.url("/").replace("//", f"//{user}:{password}@")
    sent = []
    for library in (THEIRS, OURS):
        library.get(url)
        sent.append(without_chance(pair.server.received[-1]))
    assert_same(*sent)


# --- all at once

calls: dict[str, SearchStrategy[Any]] = {
    "params": st.one_of(st.none(), st.dictionaries(texts(), texts(), max_size=2)),
    "headers": st.one_of(
        st.none(), st.dictionaries(tokens.map("X-".__add__), legal.map(str.strip), max_size=2)
    ),
    "cookies": st.one_of(st.none(), st.dictionaries(tokens, cookie_values, max_size=2)),
    "auth": st.one_of(st.none(), st.tuples(st.text("abc"), st.text("abc:"))),
    "data": st.one_of(st.none(), st.dictionaries(part_names, texts(), max_size=2), st.binary(max_size=8)),
    "json": st.one_of(st.none(), st.integers()),
    "files": st.one_of(
        st.none(), st.just({}), st.dictionaries(part_names, st.binary(max_size=8), max_size=2)
    ),
}


@unhurried
@given(method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH"]), how=st.fixed_dictionaries(calls))
def test_a_request_of_everything_is_sent_as_the_same_bytes(
    method: str, how: dict[str, Any], pair: Pair
) -> None:
    """In one order of the fields, too."""
    pair.assert_same(method, **how)
