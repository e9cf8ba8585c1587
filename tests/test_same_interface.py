"""Every public name of requests' modules is here too, and is called in the same way, or a table says why not.

The modules are those of requests' API reference, and those that its users import from besides. What they
import themselves is theirs to import; a name is looked for where it is defined.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import requests

MODULES = (
    "requests",
    "requests.adapters",
    "requests.api",
    "requests.auth",
    "requests.certs",
    "requests.compat",
    "requests.cookies",
    "requests.exceptions",
    "requests.hooks",
    "requests.models",
    "requests.sessions",
    "requests.status_codes",
    "requests.structures",
    "requests.utils",
)

POOLS = "urllib3's pools, proxy managers and connections: there is no urllib3 below"
STANDARD_JAR = "the jar is none of http.cookiejar's; to_cookiejar() makes one, for what wants one"
CHECKS_OF_DEPENDENCIES = "there is no dependency whose version it would have to check"
INTERNAL = "undocumented: a step of requests' own on the way"

# By module, or by module and class.
LEFT_OUT: dict[str, dict[str, str]] = {
    "requests": {
        "check_compatibility": CHECKS_OF_DEPENDENCIES,
    },
    "requests.adapters": {
        "DEFAULT_CA_BUNDLE_PATH": "utils and certs have it",
        "DEFAULT_POOL_TIMEOUT": "Timeout(pool=) is where it is set, and it is finite",
        "SOCKSProxyManager": POOLS,
    },
    "requests.adapters.HTTPAdapter": {
        "build_connection_pool_key_attributes": POOLS,
        "cert_verify": POOLS,
        "get_connection": POOLS,
        "get_connection_with_tls_context": POOLS,
        "proxy_manager_for": POOLS,
    },
    "requests.auth": {"CONTENT_TYPE_FORM_URLENCODED": INTERNAL, "CONTENT_TYPE_MULTI_PART": INTERNAL},
    "requests.auth.HTTPDigestAuth": {
        "build_digest_header": INTERNAL,
        "handle_redirect": INTERNAL,
        "init_per_thread_state": "one object serves any number of threads, without a state for each",
    },
    "requests.cookies": {
        "MockRequest": STANDARD_JAR,
        "MockResponse": STANDARD_JAR,
    },
    "requests.cookies.RequestsCookieJar": dict.fromkeys(
        (
            "add_cookie_header",
            "domain_re",
            "dots_re",
            "extract_cookies",
            "get_policy",
            "magic_re",
            "make_cookies",
            "non_word_re",
            "quote_re",
            "set_cookie_if_ok",
            "set_policy",
            "strict_domain_re",
        ),
        STANDARD_JAR,
    ),
    "requests.models": {
        "CONTENT_CHUNK_SIZE": "content is read in pieces as they come",
        "RequestEncodingMixin": INTERNAL,
    },
    "requests.sessions": {
        "DEFAULT_PORTS": INTERNAL,
        "SessionRedirectMixin": "a part of Session there; its methods are methods of Session",
        "merge_setting": INTERNAL,
    },
    "requests.utils": {"HEADER_VALIDATORS": INTERNAL},
}

# What an object has besides its members; by class.
ATTRIBUTES_LEFT_OUT: dict[str, dict[str, str]] = {
    "HTTPAdapter": {"config": INTERNAL, "poolmanager": POOLS, "proxy_manager": POOLS},
}

# What programs import from modules that import it themselves.
IMPORTED_FROM: dict[str, str] = {
    "requests.adapters": "BaseAdapter HTTPAdapter Retry Response",
    "requests.auth": "HTTPBasicAuth HTTPDigestAuth AuthBase",
    "requests.certs": "where",
    "requests.compat": "urlparse urljoin urlencode quote unquote json str bytes basestring cookielib",
    "requests.models": "CaseInsensitiveDict HTTPError PreparedRequest Response StreamConsumedError",
    "requests.sessions": "Session Request PreparedRequest TooManyRedirects HTTPAdapter merge_hooks",
    "requests.status_codes": "codes",
    "requests.structures": "CaseInsensitiveDict LookupDict",
    "requests.utils": "quote unquote urlparse CaseInsensitiveDict cookiejar_from_dict getproxies",
}

# Signatures that differ on purpose: how, and why.
NO_LIMIT = (
    "timeout is UNSET by default, and not None",
    "None is without limit, and what nobody says is finite",
)
OTHER_SIGNATURES: dict[str, tuple[str, str]] = {
    "requests.adapters.BaseAdapter.send": NO_LIMIT,
    "requests.adapters.HTTPAdapter.send": NO_LIMIT,
    "requests.sessions.Session.request": NO_LIMIT,
    "requests.sessions.Session.resolve_redirects": NO_LIMIT,
    "requests.sessions.merge_hooks": (
        "request_hooks is given; session_hooks is session; no dict_class; "
        "given has to be given; session has to be given",
        INTERNAL,
    ),
    "requests.adapters.HTTPAdapter": (
        "pool_connections is None by default, and not 10; pool_maxsize is None by default, and not 10",
        "the limits of Limits() are the default",
    ),
    "requests.cookies.RequestsCookieJar": ("policy is cookies", STANDARD_JAR),
    "requests.cookies.RequestsCookieJar.pop": (
        "key is name; default is variadic positional; name has to be given",
        "as dict.pop has it, and nobody names a key",
    ),
    "requests.cookies.RequestsCookieJar.setdefault": (
        "key is name; default has to be given; name has to be given",
        "nobody names a key, and None is no value of a cookie",
    ),
    "requests.cookies.RequestsCookieJar.update": (
        "other is positional-only",
        "so that a cookie can be called other: update(other=value)",
    ),
    "requests.structures.LookupDict": (
        "name is args",
        "inspect sees the __new__ of a dict, which takes it too",
    ),
    "requests.structures.LookupDict.get": (
        "key is positional-only; default is positional-only",
        "it is dict.get",
    ),
    "requests.utils.default_user_agent": (
        "name is 'pystickyhttp' by default, and not 'python-requests'",
        "it is another one",
    ),
    "requests.exceptions.JSONDecodeError": (
        "msg has to be given; doc has to be given; pos has to be given",
        "json.JSONDecodeError can't be made without them, nor can theirs",
    ),
}


def ours_of(module: str) -> ModuleType:
    """The module of ours that stands for one of requests'."""
    return importlib.import_module(module.replace("requests", "pystickyhttp", 1))


def names_of(module: ModuleType) -> list[str]:
    """The public names that a module defines; constants count, and what it imports does not."""
    return [
        name
        for name, value in vars(module).items()
        if _is_public(name) and _is_defined_by(module, name, value)
    ]


def _is_public(name: str) -> bool:
    return not name.startswith("_") and name != "TYPE_CHECKING"


def _is_defined_by(module: ModuleType, name: str, value: Any) -> bool:
    if isinstance(value, ModuleType):
        return False
    home = getattr(value, "__module__", None)
    if home is None:
        return name.isupper()
    # The package offers what its modules define.
    return str(home) == module.__name__ or (module is requests and str(home).startswith("requests."))


def members_of(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_") and not hasattr(Exception, name)]


def all_names() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        for name in names_of(importlib.import_module(module)):
            yield module, name


def all_classes() -> Iterator[tuple[str, str]]:
    for module, name in all_names():
        if isinstance(getattr(importlib.import_module(module), name), type) and module != "requests":
            yield module, name


@pytest.mark.parametrize("module", MODULES)
def test_every_name_of_a_module_is_here_or_left_out_for_a_reason(module: str) -> None:
    theirs, ours = importlib.import_module(module), ours_of(module)
    missing = {name for name in names_of(theirs) if not hasattr(ours, name)}
    assert missing == set(LEFT_OUT.get(module, {})), "(missing on the left; left out on the right)"


@pytest.mark.parametrize("place", list(all_classes()), ids=".".join)
def test_every_member_of_a_class_is_here_or_left_out_for_a_reason(place: tuple[str, str]) -> None:
    module, name = place
    if name in LEFT_OUT.get(module, {}):
        return
    theirs, ours = getattr(importlib.import_module(module), name), getattr(ours_of(module), name)
    missing = {member for member in members_of(theirs) if not hasattr(ours, member)}
    assert missing == set(LEFT_OUT.get(f"{module}.{name}", {})), (
        "(missing on the left; left out on the right)"
    )


@pytest.mark.parametrize(("module", "names"), IMPORTED_FROM.items(), ids=IMPORTED_FROM)
def test_what_programs_import_from_a_module_that_imports_it_is_there(module: str, names: str) -> None:
    theirs, ours = importlib.import_module(module), ours_of(module)
    assert [name for name in names.split() if not hasattr(theirs, name)] == []
    assert [name for name in names.split() if not hasattr(ours, name)] == []


def test_the_modules_are_members_of_the_package() -> None:
    modules = [name for name, value in vars(requests).items() if isinstance(value, ModuleType)]
    theirs = [name for name in modules if f"requests.{name}" in MODULES]
    ours = importlib.import_module("pystickyhttp")
    assert [name for name in theirs if not isinstance(getattr(ours, name, None), ModuleType)] == []


# --- attributes that are set when an object is made


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.Session(),
        lambda lib: lib.Request("GET", "http://a.example/"),
        lambda lib: lib.Request("GET", "http://a.example/").prepare(),
        lambda lib: lib.Response(),
        lambda lib: lib.adapters.HTTPAdapter(),
        lambda lib: lib.auth.HTTPBasicAuth("user", "password"),
        lambda lib: lib.auth.HTTPDigestAuth("user", "password"),
        lambda lib: lib.RequestException("message"),
        lambda lib: lib.exceptions.JSONDecodeError("message", "document", 0),
        lambda lib: lib.cookies.create_cookie("name", "value"),
    ],
    ids=[
        "Session",
        "Request",
        "PreparedRequest",
        "Response",
        "HTTPAdapter",
        "Basic",
        "Digest",
        "error",
        "JSON",
        "cookie",
    ],
)
def test_every_attribute_of_an_object_is_here_or_left_out_for_a_reason(make: Any) -> None:
    theirs, ours = make(requests), make(importlib.import_module("pystickyhttp"))
    missing = {name for name in dir(theirs) if not name.startswith("_") and not hasattr(ours, name)}
    kind = type(theirs)
    members = set(members_of(kind))
    assert missing - members == set(ATTRIBUTES_LEFT_OUT.get(kind.__name__, {}))
    for each in (theirs, ours):
        if hasattr(each, "send"):
            each.close()


# --- signatures


def callables() -> Iterator[str]:
    """Every function and method of theirs that is here too, by its whole name."""
    for module, name in all_names():
        value = getattr(importlib.import_module(module), name)
        if getattr(value, "__module__", module) != module:
            continue  # it is asked for where it is defined
        if name in LEFT_OUT.get(module, {}) or not hasattr(ours_of(module), name) or not callable(value):
            continue
        yield f"{module}.{name}"
        if isinstance(value, type):
            yield from (
                f"{module}.{name}.{member}"
                for member in members_of(value)
                if callable(getattr(value, member)) and hasattr(getattr(ours_of(module), name), member)
            )


def found(whole_name: str, package: str) -> Any:
    return pkgutil.resolve_name(whole_name.replace("requests", package, 1))


def _signature(value: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(value)
    except ValueError:  # of what is made in C, nobody knows it
        return None


def told_apart(theirs: inspect.Signature, ours: inspect.Signature) -> list[str]:
    """What a call that is right there would find wrong here."""
    named = [
        each
        for each in theirs.parameters.values()
        if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    others = list(ours.parameters.values())
    found = []
    for place, each in enumerate(named):
        same_place = others[place] if place < len(others) else None
        if same_place is None or same_place.kind is same_place.VAR_KEYWORD:
            found.append(f"no {each.name}")
        elif same_place.name != each.name:
            found.append(f"{each.name} is {same_place.name}")
        elif same_place.kind is not each.kind and each.name != "self":
            found.append(f"{each.name} is {same_place.kind.description}")
        elif each.default is not each.empty and same_place.default is each.empty:
            found.append(f"{each.name} has to be given")
        elif type(each.default) is type(same_place.default) is object:
            pass  # each has an object of its own that says "none was given"
        elif each.default is not each.empty and same_place.default != each.default:
            found.append(f"{each.name} is {same_place.default!r} by default, and not {each.default!r}")
    taken = {each.name for each in named}
    found += [
        f"{each.name} has to be given"
        for each in others
        if each.name not in taken
        and each.default is each.empty
        and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    swallows = any(each.kind is each.VAR_KEYWORD for each in theirs.parameters.values())
    takes_more = len(others) > len(named)
    return found + ([] if not swallows or takes_more else ["no further arguments"])


@pytest.mark.parametrize("name", list(callables()))
def test_what_can_be_called_there_can_be_called_so_here(name: str) -> None:
    theirs, ours = _signature(found(name, "requests")), _signature(found(name, "pystickyhttp"))
    if theirs is None or ours is None:
        return
    assert "; ".join(told_apart(theirs, ours)) == OTHER_SIGNATURES.get(name, ("", ""))[0]
