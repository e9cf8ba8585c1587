"""Header fields: names that ignore case, fields that come more than once, and what may be sent (RFC 9110,
section 5)."""

from __future__ import annotations

import copy
import pickle
import time
from typing import Any

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pystickyhttp import Request, Session
from pystickyhttp.exceptions import InvalidHeader
from pystickyhttp.headers import Headers, encode_field, merge_headers
from pystickyhttp.structures import CaseInsensitiveDict
from tests.names import named

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

TCHAR = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
tokens = st.text(st.sampled_from(TCHAR), min_size=1)
few_names = st.sampled_from(["A", "a", "Ab", "aB", "AB", "c"])
steps = st.lists(st.tuples(st.sampled_from(["set", "add", "delete", "pop"]), few_names, st.text()))


# -- the map


@unhurried
@given(steps)
def test_headers_behave_as_a_dict_of_lower_case_names(steps: list[tuple[str, str, str]]) -> None:
    headers = Headers()
    model: dict[str, list[str]] = {}
    for step, name, value in steps:
        key = name.lower()
        if step == "set":
            headers[name] = value
            model[key] = [value]
        elif step == "add":
            headers.add(name, value)
            model.setdefault(key, []).append(value)
        elif step == "pop":
            expected = ", ".join(model.pop(key)) if key in model else None
            assert headers.pop(name, None) == expected
        elif key in model:
            del headers[name]
            del model[key]
        else:
            with pytest.raises(KeyError):
                del headers[name]
    assert dict(headers.lower_items()) == {key: ", ".join(values) for key, values in model.items()}
    assert {key.lower(): headers.get_list(key) for key in headers} == model
    assert [(name.lower(), value) for name, value in headers.lines()] == [
        (key, value) for key, values in model.items() for value in values
    ]
    assert len(headers) == len(model)
    assert bool(headers) == bool(model)
    assert all(name in headers and name.swapcase() in headers for name in model)


def test_a_field_is_found_by_its_name_in_any_case() -> None:
    headers = Headers({"Content-Type": "text/html"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == "text/html"
    assert "cOnTent-tYpe" in headers
    assert headers.get("x-missing") is None
    with pytest.raises(KeyError):
        headers["x-missing"]


def test_iterating_gives_the_names_as_they_were_given_last() -> None:
    headers = Headers({"content-type": "a", "X-One": "1"})
    headers["Content-Type"] = "b"
    assert list(headers) == ["Content-Type", "X-One"]
    assert list(headers.items()) == [("Content-Type", "b"), ("X-One", "1")]


def test_a_name_that_comes_twice_in_pairs_keeps_the_last_value() -> None:
    assert Headers([("A", "1"), ("a", "2")]).get_list("A") == ["2"]


def test_a_name_that_is_given_as_bytes_is_the_same_field() -> None:
    """requests takes names as bytes. One that its own text does not find would be sent twice (X6), and would
    not be taken away when a redirect leaves the origin."""
    headers = Headers({b"Authorization": "secret"})
    assert "Authorization" in headers
    assert headers.pop("Authorization", None) == "secret"
    assert not headers
    headers.add(b"Authorization", "secret")
    assert headers.pop("Authorization", None) == "secret"
    assert not headers


def test_fields_that_came_more_than_once_are_kept_apart() -> None:
    headers = Headers.from_wire([(b"Set-Cookie", b"a=1, 2"), (b"Via", b"x"), (b"set-cookie", b"b=2")])
    assert headers.get_list("set-cookie") == ["a=1, 2", "b=2"]
    assert headers["Set-Cookie"] == "a=1, 2, b=2"
    assert headers.get_list("missing") == []
    assert list(headers.lines()) == [("Set-Cookie", "a=1, 2"), ("Set-Cookie", "b=2"), ("Via", "x")]


@unhurried
@given(st.binary())
def test_a_received_value_is_read_as_latin_1(value: bytes) -> None:
    assert Headers.from_wire([(b"X", value)])["x"].encode("latin-1") == value


def test_a_field_of_many_lines_is_read_in_no_time() -> None:
    """As many as a head has room for (X5): a second for each response would be the server's to spend."""
    began = time.process_time()
    headers = Headers.from_wire([(b"a", b"%d" % number) for number in range(26_000)])
    assert time.process_time() - began < 0.5
    assert headers.get_list("A") == [str(number) for number in range(26_000)]


def test_headers_equal_any_mapping_with_the_same_fields_in_any_case() -> None:
    headers = Headers({"Accept": "*/*"})
    assert headers == {"accept": "*/*"}
    assert headers == Headers({"ACCEPT": "*/*"})
    assert headers != {"accept": "text/html"}
    assert headers != {"accept": "*/*", "x": "y"}
    assert headers != [("accept", "*/*")]


def test_headers_are_unequal_to_a_mapping_with_other_keys_than_names() -> None:
    """A comparison has an answer, and does not raise."""
    assert Headers({"a": "1"}) != {1: "1"}


def test_headers_can_not_be_hashed() -> None:
    with pytest.raises(TypeError):
        hash(Headers())


@pytest.mark.parametrize(
    "duplicate", [Headers.copy, copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))]
)
def test_a_copy_shares_nothing_that_can_change(duplicate: Any) -> None:
    headers = Headers.from_wire([(b"A", b"1"), (b"A", b"2")])
    twin = duplicate(headers)
    assert twin == headers
    assert twin.get_list("a") == ["1", "2"]
    twin["A"] = "3"
    twin.add("B", "4")
    assert list(headers.lines()) == [("A", "1"), ("A", "2")]


def test_structures_has_it_under_the_name_of_requests() -> None:
    headers = CaseInsensitiveDict({"Accept": "x"}, Other="y")
    assert isinstance(headers, Headers)
    assert headers["accept"] == "x"
    assert headers["other"] == "y"
    headers.update({"ACCEPT": "z"})
    assert dict(headers) == {"ACCEPT": "z", "Other": "y"}
    assert headers.setdefault("accept", "w") == "z"


# -- the call's headers over the session's


def test_the_headers_of_a_call_go_over_those_of_the_session() -> None:
    session = Headers({"Accept": "*/*", "X-Session": "1"})
    merged = merge_headers({"accept": "text/html", "X-Call": "2"}, session)
    assert merged == {"accept": "text/html", "x-session": "1", "x-call": "2"}
    assert session == {"Accept": "*/*", "X-Session": "1"}


@pytest.mark.parametrize("given_headers", [None, {}, []])
def test_without_headers_of_the_call_those_of_the_session_are_meant(given_headers: Any) -> None:
    session = Headers({"Accept": "*/*"})
    merged = merge_headers(given_headers, session)
    assert merged == session
    assert merged is not session


@pytest.mark.parametrize("form", [dict, list, iter, Headers], ids=named)
def test_headers_of_a_call_may_come_in_any_form_and_are_read_once(form: Any) -> None:
    """Pairs may be an iterator: who looked among them for Authorization left nothing to be sent."""
    pairs = (("X-Call", "2"), ("Authorization", "by hand"))
    with Session(auth=("user", "password")) as session:
        prepared = session.prepare_request(Request("GET", "http://h/", headers=form(pairs)))
    assert (prepared.headers["X-Call"], prepared.headers["Authorization"]) == ("2", "by hand")
    assert Request("GET", "http://h/", headers=form(pairs)).prepare().headers == dict(pairs)


def test_what_a_request_adds_to_its_headers_is_no_part_of_the_callers_own() -> None:
    """The same headers may serve the next request, which must not carry the credentials of this one."""
    mine = Headers({"X-Mine": "1", "X-None": None})
    prepared = Request(
        "POST", "http://h/", headers=mine, data=b"x", auth=("u", "p"), cookies={"a": "b"}
    ).prepare()
    assert {"Authorization", "Cookie", "Content-Length"} <= set(prepared.headers)
    assert dict(mine) == {"X-Mine": "1", "X-None": None}
    assert "X-None" not in prepared.headers


def test_none_takes_a_field_of_the_session_away() -> None:
    session = Headers({"Accept": "*/*", "X-None": None})
    assert merge_headers({"ACCEPT": None, "X-Missing": None}, session) == {}


# -- what may be sent


def h11_takes(name: bytes, value: bytes) -> bool:
    try:
        h11.Request(method="GET", target="/", headers=[(b"Host", b"h"), (name, value)])
    except h11.LocalProtocolError:
        return False
    return True


def encoded_or_none(name: str | bytes, value: str | bytes) -> tuple[bytes, bytes] | None:
    try:
        return encode_field(name, value)
    except InvalidHeader:
        return None


def has_other_control_characters(value: bytes) -> bool:
    """RFC 9110, section 5.5 forbids to send these too; h11 lets some of them pass."""
    return any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in value)


@unhurried
@given(st.binary() | tokens.map(str.encode), st.binary())
@example(b"X", b"")
@example(b"X", b" ")
@example(b"X", b"a \t")
@example(b"X", b"\ta")
@example(b"X:", b"a")
@example(b"X ", b"a")
@example(b"", b"a")
def test_a_field_is_accepted_exactly_where_h11_accepts_it(name: bytes, value: bytes) -> None:
    # Space behind a value is cut off here, and refused by h11; Host and the framing fields have to agree with
    # each other as well, which h11 alone can tell.
    prefixed = b"X" + name if name.lower() in (b"host", b"content-length", b"transfer-encoding") else name
    acceptable = h11_takes(prefixed, value.rstrip(b" \t")) and not has_other_control_characters(value)
    # A value that is nothing but space begins with one.
    acceptable = acceptable and value[:1] not in (b" ", b"\t")
    encoded = encoded_or_none(prefixed, value)
    assert (encoded is not None) == acceptable
    if encoded is not None:
        assert encoded == (prefixed, value.rstrip(b" \t"))
        assert h11_takes(*encoded)


@unhurried
@given(tokens, st.text(st.characters(max_codepoint=255)))
def test_text_and_its_latin_1_bytes_are_the_same_field(name: str, value: str) -> None:
    assert encoded_or_none(name, value) == encoded_or_none(name.encode(), value.encode("latin-1"))


@unhurried
@given(tokens, st.text(st.sampled_from("ab\xe9\t"), min_size=1), st.data())
@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\r\n", "\r\n ", "\x0b", "\x7f"])
def test_a_control_character_is_refused_wherever_it_stands(
    character: str, name: str, value: str, data: st.DataObject
) -> None:
    """X7."""
    for part in ("name", "value"):
        text = name if part == "name" else value
        at = data.draw(st.integers(0, len(text)))
        broken = text[:at] + character + text[at:]
        arguments = (broken, value) if part == "name" else (name, broken)
        with pytest.raises(InvalidHeader):
            encode_field(*arguments)
        with pytest.raises(InvalidHeader):
            encode_field(*(argument.encode("latin-1") for argument in arguments))


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a\t", "é", "a/b", 'a"', "a(b)", "€", b"\xe9", b"a b"]
)
def test_a_name_that_is_no_token_is_refused(name: str | bytes) -> None:
    with pytest.raises(InvalidHeader):
        encode_field(name, "value")


@pytest.mark.parametrize("value", ["secret €", "secret\n", " secret"])
def test_nothing_that_an_error_of_a_value_knows_of_holds_the_value(value: str) -> None:
    with pytest.raises(InvalidHeader) as raised:
        encode_field("X", value)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize("value", ["€", "日本", "\ud800"])
def test_a_value_outside_latin_1_is_refused_as_text_and_taken_as_bytes(value: str) -> None:
    with pytest.raises(InvalidHeader):
        encode_field("X", value)
    raw = value.encode("utf-8", "surrogatepass")
    assert encode_field("X", raw) == (b"X", raw)


@pytest.mark.parametrize(
    "value", [1, 1.5, True, None, object(), [], ["a"], {"a": "b"}, bytearray(b"a")], ids=named
)
def test_a_value_that_is_neither_text_nor_bytes_is_refused(value: Any) -> None:
    with pytest.raises(InvalidHeader):
        encode_field("X", value)


def test_a_field_that_is_not_there_can_not_be_taken_off() -> None:
    with pytest.raises(KeyError, match="X-None"):
        Headers().pop("X-None")
    assert Headers().pop("X-None", "default") == "default"


@pytest.mark.parametrize("given", [5, object(), ["a"], [("a", "b", "c")]], ids=named)
def test_what_is_neither_a_mapping_nor_pairs_is_refused_as_headers(given: Any) -> None:
    with pytest.raises(InvalidHeader, match=f"headers of type {type(given).__name__} .*: give a mapping"):
        merge_headers(given, Headers())
