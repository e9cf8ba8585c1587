"""What the server's Keep-Alive says (law R3), and what is sent again when a connection was stale (law P1)."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp.bodies import StreamedBody
from pystickyhttp.exceptions import UnrewindableBodyError
from pystickyhttp.transport.connection import parse_keep_alive
from pystickyhttp.transport.request import IDEMPOTENT_METHODS, OutgoingRequest, may_replay

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)


# -- Keep-Alive


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"timeout=5, max=100", (5, 100)),
        (b"max=100, timeout=5", (5, 100)),
        (b"timeout=5", (5, None)),
        (b"max=100", (None, 100)),
        (b"TimeOut=5,MAX=100", (5, 100)),
        (b"timeout = 5 , max = 100", (5, 100)),
        (b'timeout="5", max="100"', (5, 100)),
        (b"timeout=0, max=0", (0, 0)),
        (b"timeout=007", (7, None)),
        (b"timeout=5, x=y, max=100, z", (5, 100)),
        # What is not a whole number counts as not said
        (b"", (None, None)),
        (b"timeout", (None, None)),
        (b"timeout=", (None, None)),
        (b"timeout=x, max=y", (None, None)),
        (b"timeout=-5", (None, None)),
        (b"timeout=+5", (None, None)),
        (b"timeout=5.5, max=3", (None, 3)),
        (b"timeout=5s", (None, None)),
        (b"timeout=5, timeout=x", (5, None)),
        (b"timeouts=5, maxi=3", (None, None)),
        (b"timeout=\xb2, max=\xd9\xa3", (None, None)),
        (b"5, 100", (None, None)),
    ],
    ids=repr,
)
def test_keep_alive_says_how_long_and_how_often(
    value: bytes, expected: tuple[int | None, int | None]
) -> None:
    """R3."""
    assert parse_keep_alive(value) == expected


@pytest.mark.parametrize("length", [20, 5000])
def test_a_number_of_any_length_is_a_large_number(length: int) -> None:
    timeout, most = parse_keep_alive(b"timeout=" + b"9" * length + b", max=" + b"9" * length)
    assert timeout is not None
    assert most is not None
    assert min(timeout, most) >= 10**8


def test_noughts_ahead_of_a_number_do_not_count() -> None:
    """R3: a limit of nought would close each connection after its first exchange."""
    assert parse_keep_alive(b"timeout=000000000005, max=000000000100") == (5, 100)


@unhurried
@given(
    st.binary() | st.lists(st.sampled_from([b"timeout", b"max", b"=", b",", b" ", b"5", b'"'])).map(b"".join)
)
def test_any_field_can_be_read(value: bytes) -> None:
    assert all(number is None or number >= 0 for number in parse_keep_alive(value))


# -- replay

METHODS = {
    "GET": True,
    "HEAD": True,
    "OPTIONS": True,
    "TRACE": True,
    "PUT": True,
    "DELETE": True,
    "POST": False,
    "PATCH": False,
    "PURGE": False,
    "get": False,  # methods are case-sensitive (RFC 9110, section 9.1), and this is none that we know
}


def file() -> StreamedBody:
    return StreamedBody(io.BytesIO(b"body"), 0, 4)


def generator() -> StreamedBody:
    return StreamedBody((piece for piece in [b"bo", b"dy"]), None, 4)


def begun(body: StreamedBody) -> StreamedBody:
    next(iter(body))
    return body


# How each body is made, and whether it can be had again.
BODIES: dict[str, tuple[Callable[[], bytes | StreamedBody], bool]] = {
    "no body": (lambda: b"", True),
    "bytes": (lambda: b"body", True),
    "a file": (file, True),
    "a file that was begun": (lambda: begun(file()), True),
    "a list that was begun": (lambda: begun(StreamedBody([b"bo", b"dy"], None, 4)), True),
    "a generator": (generator, True),
    "a generator that was begun": (lambda: begun(generator()), False),
    "a pipe that was begun": (lambda: begun(StreamedBody(io.BytesIO(b"body"), None, 4)), False),
}

# How the field is written, and whether it is there.
KEYS: dict[str, tuple[list[tuple[bytes, bytes]], bool]] = {
    "no key": ([], False),
    "another key": ([(b"X-Idempotency-Key", b"1")], False),
    "a key": ([(b"Idempotency-Key", b"1")], True),
    "a key in lower case": ([(b"idempotency-key", b"1")], True),
}


def a_request(method: str, key: str, body: str) -> OutgoingRequest:
    content = BODIES[body][0]()
    framing = [(b"Content-Length", b"4")] if content else []
    return OutgoingRequest.make(method, "/", [(b"Host", b"h"), *KEYS[key][0], *framing], content)


def lawful(method: str, key: str, body: str) -> bool:
    """P1: the method or the key says that it may be repeated, and the body can be had again."""
    return (METHODS[method] or KEYS[key][1]) and BODIES[body][1]


def test_the_methods_that_may_be_repeated_are_those_of_the_law() -> None:
    """P1; RFC 9110, section 9.2.2."""
    assert {method for method, idempotent in METHODS.items() if idempotent} == IDEMPOTENT_METHODS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("body", BODIES)
def test_a_request_is_replayable_by_its_method_or_its_key_and_its_body(
    method: str, key: str, body: str
) -> None:
    """P1."""
    assert a_request(method, key, body).replayable is lawful(method, key, body)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("body", BODIES)
def test_a_stale_connection_is_replayed_in_no_other_case_than_the_laws(
    method: str, key: str, body: str
) -> None:
    """P1, each cell: a reused connection, not one byte of the response, and either nothing sent or a request
    that may be repeated."""
    for reused in (True, False):
        for sent in (0, 1, 10_000):
            for received in (0, 1, 10_000):
                allowed = reused and not received and (not sent or lawful(method, key, body))
                request = a_request(method, key, body)
                assert may_replay(request, reused=reused, sent=sent, received=received) is allowed


@pytest.mark.parametrize("body", BODIES)
def test_what_is_replayable_rewinds_and_what_is_not_says_so(body: str) -> None:
    """P2: the whole body again, or the error; never an empty one."""
    request = a_request("PUT", "no key", body)
    if not request.replayable:
        with pytest.raises(UnrewindableBodyError):
            request.rewind()
        return
    request.rewind()
    content = request.body if isinstance(request.body, bytes) else b"".join(request.body)
    assert content == (b"" if body == "no body" else b"body")
