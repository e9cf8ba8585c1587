"""The small modules that programs for requests import from: compat, certs, structures and hooks."""

from __future__ import annotations

import importlib
import os
import ssl
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import certifi
import pytest
import requests.certs
import requests.compat
import requests.hooks
import requests.structures

import pystickyhttp
from pystickyhttp import certs, compat, hooks, structures, utils
from pystickyhttp.headers import Headers
from pystickyhttp.hooks import as_hooks, dispatch_hook, merge_hooks

# --- compat

AN_IMPORT_OF_ITS_OWN = "an import that requests needs for itself"

LEFT_OUT = {
    "annotations": AN_IMPORT_OF_ITS_OWN,
    "importlib": AN_IMPORT_OF_ITS_OWN,
    "sys": AN_IMPORT_OF_ITS_OWN,
    "ModuleType": AN_IMPORT_OF_ITS_OWN,
    "urllib3_version": "there is no urllib3",
    "is_urllib3_1": "there is no urllib3",
}

# The standard library's speak of the system's settings, and of NO_PROXY by other rules.
OF_OUR_OWN = {"getproxies", "getproxies_environment", "proxy_bypass", "proxy_bypass_environment"}

OF_REQUESTS = sorted(name for name in dir(requests.compat) if not name.startswith("_"))


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_every_name_of_requests_compat_is_there_or_left_out_for_a_reason(name: str) -> None:
    if name in LEFT_OUT:
        assert name not in compat.__all__
    else:
        getattr(compat, name)


@pytest.mark.parametrize("name", sorted(set(OF_REQUESTS) - set(LEFT_OUT) - OF_OUR_OWN - {"chardet"}))
def test_what_stands_behind_a_name_is_the_same_as_with_requests(name: str) -> None:
    ours, theirs = getattr(compat, name), getattr(requests.compat, name)
    assert ours is theirs or (type(ours) is type(theirs) and ours == theirs)


@pytest.mark.parametrize("name", sorted(OF_OUR_OWN))
def test_what_speaks_of_proxies_says_what_the_helpers_say(name: str) -> None:
    assert getattr(compat, name) is getattr(utils, name)


def test_a_star_import_gives_every_name_but_those_that_are_loaded_when_they_are_asked_for() -> None:
    assert set(compat.__all__) == set(OF_REQUESTS) - set(LEFT_OUT) - {"chardet"}


def test_chardet_is_the_detector_that_requests_takes() -> None:
    """Of those that are installed; it is loaded when somebody asks for it."""
    assert compat.chardet is requests.compat.chardet
    assert compat.chardet is not None


@pytest.mark.parametrize("module", [compat, utils])
def test_a_name_that_is_not_there_is_an_attribute_error_that_names_both(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match=rf"{module.__name__}.*no_such_name"):
        _ = module.no_such_name


# --- certs


def test_the_bundle_is_certifis_as_with_requests() -> None:
    assert certs.where() == certifi.where() == requests.certs.where()  # type: ignore[attr-defined]


def without_certifi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "certifi", None)


def paths_of_openssl(monkeypatch: pytest.MonkeyPatch, cafile: Path) -> None:
    """OpenSSL was built to read that file, as `ssl` tells."""
    paths = ssl.get_default_verify_paths()._replace(cafile=None, openssl_cafile=str(cafile))  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


def test_without_certifi_it_is_the_file_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, ca_file: str
) -> None:
    without_certifi(monkeypatch)
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    assert certs.where() == ca_file


def test_without_certifi_it_is_else_the_file_that_openssl_reads(
    monkeypatch: pytest.MonkeyPatch, ca_file: str
) -> None:
    without_certifi(monkeypatch)
    paths_of_openssl(monkeypatch, Path(ca_file))
    assert certs.where() == ca_file


def test_where_there_is_no_bundle_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_certifi(monkeypatch)
    paths_of_openssl(monkeypatch, tmp_path / "none.pem")
    with pytest.raises(FileNotFoundError, match=r"none\.pem\. Install pystickyhttp\[certifi\]"):
        certs.where()
    with pytest.raises(FileNotFoundError, match="SSL_CERT_FILE"):
        _ = utils.DEFAULT_CA_BUNDLE_PATH


def test_the_path_can_be_asked_for_at_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pystickyhttp.certs"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{certs.where()}\n"
    assert os.path.isfile(done.stdout.strip())


# --- structures


def test_the_structures_of_requests_are_there() -> None:
    theirs = {
        name
        for name, kind in vars(requests.structures).items()
        if isinstance(kind, type) and kind.__module__ == "requests.structures"
    }
    assert theirs == set(structures.__all__)
    assert structures.CaseInsensitiveDict is Headers


# --- the modules that are loaded late


@pytest.mark.parametrize("name", ["certs", "compat", "utils"])
def test_a_module_is_an_attribute_of_the_package(name: str) -> None:
    assert getattr(pystickyhttp, name) is importlib.import_module(f"pystickyhttp.{name}")


# --- hooks: what the functions do; when they are called stands in test_hooks


def test_the_hooks_of_requests_are_there() -> None:
    assert hooks.HOOKS == requests.hooks.HOOKS
    assert hooks.default_hooks() == requests.hooks.default_hooks()
    assert hooks.default_hooks()["response"] is not hooks.default_hooks()["response"]


def add(text: str) -> Any:
    return lambda data, **kwargs: data + text + "".join(kwargs.values())


def pass_on(data: Any, **kwargs: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("key", "registered"),
    [
        ("response", None),
        ("response", {}),
        ("response", {"response": []}),
        ("response", {"response": None}),
        ("response", {"response": add("a")}),
        ("response", {"response": [add("a")]}),
        ("response", {"response": [add("a"), pass_on, add("b")]}),
        ("response", {"response": (pass_on,)}),
        ("other", {"response": [add("a")]}),
        ("other", {"other": [add("a")]}),
    ],
)
def test_hooks_are_called_as_by_requests(key: str, registered: Any) -> None:
    ours = dispatch_hook(key, registered, "data", setting="!")
    theirs = requests.hooks.dispatch_hook(key, registered, "data", setting="!")  # type: ignore[arg-type]
    assert ours == theirs


def test_what_a_hook_raises_is_raised_and_the_next_one_is_not_called() -> None:
    calls: list[str] = []

    def fail(data: Any) -> None:
        raise RuntimeError("the hook's own")

    with pytest.raises(RuntimeError, match="the hook's own"):
        dispatch_hook("response", {"response": [fail, calls.append]}, "data")
    assert calls == []


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (None, []),
        ({}, []),
        ({"response": None}, []),
        ({"response": []}, []),
        ({"response": print}, [print]),
        ({"response": (print, repr)}, [print, repr]),
        ({"response": iter([print])}, [print]),
    ],
)
def test_what_the_caller_gave_as_hooks_is_put_into_lists(given: Any, made: list[Any]) -> None:
    assert as_hooks(given) == {"response": made}


def test_the_lists_of_hooks_are_not_the_callers() -> None:
    given = {"response": [print]}
    as_hooks(given)["response"].append(repr)
    assert given == {"response": [print]}


def test_an_event_that_nobody_knows_is_refused_with_the_names_of_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"'request'.* known events are response"):
        as_hooks({"request": print})


@pytest.mark.parametrize(
    ("hook", "shown"), [(5, "5"), ("print", "'print'"), ([print, 5], "5"), ([None], "None"), (["a"], "'a'")]
)
def test_a_hook_that_cant_be_called_is_refused_with_what_to_give(hook: Any, shown: str) -> None:
    with pytest.raises(TypeError, match=f"the hook {shown} for 'response' can't be called: give a function"):
        as_hooks({"response": hook})


def test_hooks_that_are_no_mapping_are_refused_with_what_to_give() -> None:
    given: Any = [print]
    with pytest.raises(TypeError, match="give a mapping such as"):
        as_hooks(merge_hooks(given, None))


@pytest.mark.parametrize("none", [None, {}, {"response": []}, {"response": None}])
def test_the_calls_hooks_go_ahead_of_the_sessions_unless_there_are_none(none: Any) -> None:
    call, session = {"response": [print]}, {"response": [repr]}
    assert merge_hooks(call, session) is call
    assert merge_hooks(none, session) is session
    assert merge_hooks(call, none) is call
    assert as_hooks(merge_hooks(none, none)) == {"response": []}
