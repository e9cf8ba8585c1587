"""`codes`: the names of requests and their numbers, and the lookup that holds them."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable

import pytest
import requests
import requests.status_codes

import pystickyhttp
from pystickyhttp import status_codes
from pystickyhttp.status_codes import codes
from pystickyhttp.structures import LookupDict


def test_every_name_of_requests_has_its_number_and_no_other_name_is_there() -> None:
    theirs = {name: number for name, number in vars(requests.codes).items() if name != "name"}
    assert dict(codes) == theirs


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ok", 200),
        ("OK", 200),
        ("okay", 200),
        ("\\o/", 200),
        ("✓", 200),
        ("continue", 100),
        ("temporary_redirect", 307),
        ("not_found", 404),
        ("-o-", 404),
        ("teapot", 418),
        ("IM_A_TEAPOT", 418),
        ("/o\\", 500),
        ("✗", 500),
        ("uri_too_long", 414),
        ("precondition", 428),
    ],
)
def test_a_number_is_found_as_an_item_and_as_an_attribute(name: str, number: int) -> None:
    assert codes[name] == number
    assert getattr(codes, name) == number
    assert codes.get(name) == number


def test_a_name_that_is_not_there_is_none_as_an_item_and_an_error_as_an_attribute() -> None:
    for lookup in (codes, requests.codes):
        assert lookup["nobody_knows"] is None
        assert lookup.get("nobody_knows") is None
        assert lookup.get("nobody_knows", 404) == 404
        assert not hasattr(lookup, "nobody_knows")
    assert "nobody_knows" not in codes


def test_the_names_of_a_status_are_read_from_the_table_that_programs_for_requests_read() -> None:
    assert status_codes._codes == requests.status_codes._codes
    assert status_codes._codes[404][0] == "not_found"


def test_the_package_has_the_codes_under_the_name_of_requests() -> None:
    assert pystickyhttp.codes is codes
    assert repr(codes) == repr(requests.codes)


def test_the_start_of_the_package_loads_neither_the_statuses_of_http_nor_the_helpers() -> None:
    script = "import sys, pystickyhttp; pystickyhttp.codes; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "pystickyhttp.status_codes" in loaded
    assert not loaded & {"http", "urllib.request", *(f"pystickyhttp.{name}" for name in ("utils", "compat"))}


# --- the lookup


def test_an_item_is_an_attribute_and_an_attribute_an_item() -> None:
    lookup: LookupDict[int] = LookupDict("numbers")
    lookup["one"] = 1
    lookup.two = 2
    assert (lookup.one, lookup["two"]) == (1, 2)
    assert dict(lookup) == {"one": 1, "two": 2}
    assert list(lookup) == ["one", "two"]
    assert "two" in lookup
    assert {"one", "two"} <= set(dir(lookup))
    del lookup.one
    assert lookup["one"] is None


def test_its_name_is_no_item() -> None:
    lookup: LookupDict[int] = LookupDict("numbers")
    assert lookup.name == "numbers"
    assert repr(lookup) == "<lookup 'numbers'>"
    assert not lookup
    assert LookupDict().name is None


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda lookup: pickle.loads(pickle.dumps(lookup))]
)
def test_a_copy_has_items_of_its_own_that_are_its_attributes(
    copied: Callable[[LookupDict[int]], LookupDict[int]],
) -> None:
    twin = copied(codes)
    assert twin == codes
    assert twin.name == "status_codes"
    twin["mine"] = 299
    assert twin.mine == 299
    assert not hasattr(codes, "mine")
