"""Values: immutable dataclasses whose methods stand in one place."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

from pystickyhttp import KeepAlive, Limits, Retry
from pystickyhttp.cookies import Cookie
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import Proxy, Route, SocketSettings, TLSIdentity
from pystickyhttp.urls import URL, parse
from pystickyhttp.values import Value

VALUES: list[Value] = [
    Timeout(connect=1, total=9),
    Limits(max_per_host=2),
    KeepAlive(idle=7),
    SocketSettings([(1, 2, 3)]),
    Retry(3, status_forcelist=[503]),
    Cookie("a", "b", "example.com", secure=True),
    TLSIdentity(ca="ca.pem", password="secret"),
    Proxy("http", "proxy", 3128, authorization=b"Basic secret"),
    Route("https", "example.com", 443, TLSIdentity()),
]
each_value = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


class LastingRetry(Retry):
    """As programs write them."""


@each_value
def test_a_value_is_a_dataclass_to_the_standard_library(value: Any) -> None:
    names = [field.name for field in dataclasses.fields(value)]
    assert [*inspect.signature(type(value)).parameters] == names
    assert dataclasses.replace(value) == value
    assert dataclasses.replace(value) is not value
    assert type(value).__match_args__ == tuple(names)


@each_value
def test_a_value_does_not_change(value: Any) -> None:
    name = type(value).__match_args__[0]
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(value, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(value, name)


@each_value
def test_a_value_is_equal_to_its_copies_and_hashes_as_they_do(value: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        travelled = pickle.loads(pickle.dumps(value, protocol))
        assert travelled == value
        assert hash(travelled) == hash(value)
    assert copy.copy(value) == copy.deepcopy(value) == value
    assert value != object()
    assert value != tuple(getattr(value, name) for name in type(value).__match_args__)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Timeout(1), Timeout(2)),
        (Limits(), Limits(max_idle=1)),
        (TLSIdentity(), TLSIdentity(password="x")),
        (Cookie("a", "b"), Cookie("a", "c")),
        (Retry(1), LastingRetry(1)),
    ],
)
def test_values_of_other_fields_or_of_another_class_are_not_equal(one: Value, other: Value) -> None:
    assert one != other


@each_value
def test_a_value_shows_its_fields_but_no_secret(value: Any) -> None:
    assert "secret" not in repr(value)
    assert repr(value).startswith(f"{type(value).__name__}(")


def test_a_value_is_shown_as_a_dataclass_is() -> None:
    assert repr(KeepAlive(1, 2, 3)) == "KeepAlive(idle=1, interval=2, count=3)"
    assert repr(parse("http://u:p@h/")) == (
        "URL(scheme='http', host='h', port=None, path='/', query=None, fragment=None)"
    )


def test_what_is_made_of_a_url_once_does_not_travel_and_does_not_count() -> None:
    used, fresh = parse("http://example.com/x"), URL("http", None, "example.com", None, "/x", None, None)
    assert used.origin == ("http", "example.com", 80)
    assert used == fresh
    assert hash(used) == hash(fresh)
    assert vars(pickle.loads(pickle.dumps(used))) == vars(fresh)


class Patient(Retry):
    def __init__(self) -> None:
        super().__init__(99, backoff_factor=1)


def test_a_subclass_whose_init_takes_other_arguments_travels_too() -> None:
    patient = Patient()
    travelled = pickle.loads(pickle.dumps(patient))
    assert type(travelled) is Patient
    assert travelled == patient
