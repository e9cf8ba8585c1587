"""help() is a manual: every public name has a docstring, and no argument is left out of one.

Public is what `pystickyhttp` gives, what the modules that it names define, and what their objects hand to the
caller, such as the `Headers` of a response.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cached_property
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import pystickyhttp
from pystickyhttp.digest_auth import HTTPDigestAuth
from pystickyhttp.headers import Headers
from pystickyhttp.raw import RawResponse
from pystickyhttp.retries import RequestHistory
from pystickyhttp.transport import ConnectionPool, DuplexStream, TLSInfo

# What a program is handed by an attribute or as a result, and may look up by help().
HANDED_OUT = (Headers, RawResponse, RequestHistory, HTTPDigestAuth, ConnectionPool, DuplexStream, TLSInfo)

# The head of a section, as in Google's style; of an entry, which may be for several names.
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):$")
_ENTRY = re.compile(r"^ {4}((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*): ")
# One docstring may leave the arguments to that of another name, where the reader goes on.
_ELSEWHERE = re.compile(r"(?:arguments?|others?)[^.`]*? (?:those|that) of `([\w.]+)`")
# R1, X5, ...: it says nothing to who has not the list of them beside it.
_LAW = re.compile(r"\b[RPLXTS][1-7]\b")


class Public(NamedTuple):
    """A public class, function, method or property.

    Attributes:
        name: such as "pystickyhttp.Session.get".
        what: the object.
        owner: the class that it is an attribute of, or None.
    """

    name: str
    what: Any
    owner: type | None

    def __str__(self) -> str:
        return self.name

    @property
    def doc(self) -> str:
        """Its own docstring, else the one that it inherits."""
        return inspect.getdoc(self.what) or ""

    def parameters(self) -> set[str]:
        """The names of its arguments; those of a property are none."""
        if isinstance(self.what, (property, cached_property)) or not callable(self.what):
            return set()
        if isinstance(self.what, type) and not _is_made_by_its_own(self.what):
            return set()
        made_by = vars(self.what).get("__init__", self.what) if isinstance(self.what, type) else self.what
        return {name for name in inspect.signature(made_by).parameters if name not in ("self", "cls")}

    def told(self) -> set[str]:
        """The names that its docstring has an entry for, or one that it leaves them to."""
        told = entries(self.doc)
        for name in _ELSEWHERE.findall(self.doc):
            other = self._look_up(name)
            told |= entries(inspect.getdoc(other) or "") | {"kwargs"}
        for base in self._bases():
            told |= entries(inspect.getdoc(base) or "")
        return told

    def _look_up(self, name: str) -> Any:
        for place in (self.owner, pystickyhttp, pystickyhttp.adapters, pystickyhttp.auth, pystickyhttp.utils):
            found: Any = place
            for part in name.split("."):
                found = getattr(found, part, None)
            if found is not None and place is not None:
                return found
        raise AssertionError(f"{self.name} refers to {name}, and there is none")

    def _bases(self) -> Iterator[Any]:
        """What it inherits from: a subclass need not say again what its base says."""
        if isinstance(self.what, type):
            yield from (base for base in self.what.__mro__[1:] if base.__module__.startswith("pystickyhttp"))


def entries(doc: str) -> set[str]:
    """The names in the sections Args and Attributes."""
    section = ""
    found: set[str] = set()
    for line in doc.splitlines():
        if head := _SECTION.match(line):
            section = head[1]
        elif section in ("Args", "Attributes") and (entry := _ENTRY.match(line + " ")):
            found |= {name.strip(" *") for name in entry[1].split(",")}
    return found


def _is_made_by_its_own(kind: type) -> bool:
    """Whether its arguments are its own, and not those of Protocol, Enum or the like."""
    for base in kind.__mro__:
        if "__init__" in vars(base) or "__new__" in vars(base):
            return base.__module__.startswith("pystickyhttp") and not getattr(kind, "_is_protocol", False)
    return False


def _is_ours(what: Any) -> bool:
    return str(getattr(what, "__module__", "")).startswith("pystickyhttp")


def _of_module(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module is there for: what it names, else what it defines."""
    names = getattr(module, "__all__", None)
    if names is not None:
        yield from ((name, getattr(module, name)) for name in names)
        return
    for name, what in vars(module).items():
        if not name.startswith("_") and getattr(what, "__module__", "") == module.__name__:
            yield name, what


def _of_class(name: str, kind: type) -> Iterator[Public]:
    yield Public(name, kind, None)
    for attribute, what in vars(kind).items():
        if attribute.startswith("_"):
            continue
        if isinstance(what, (classmethod, staticmethod)):
            what = getattr(kind, attribute)
        if callable(what) or isinstance(what, (property, cached_property)):
            yield Public(f"{name}.{attribute}", what, kind)


def public_names() -> list[Public]:
    """All of them, each once."""
    modules = [what for what in vars(pystickyhttp).values() if isinstance(what, ModuleType)]
    modules = [module for module in modules if module.__name__.rpartition(".")[2] in pystickyhttp.__all__]
    late = [getattr(pystickyhttp, name) for name in pystickyhttp.__all__]
    named = {
        id(module): module for module in (pystickyhttp, *modules, *late) if isinstance(module, ModuleType)
    }
    found: dict[int, list[Public]] = {}
    for module in named.values():
        for name, what in _of_module(module):
            if not _is_ours(what) or isinstance(what, ModuleType) or id(what) in found:
                continue
            full = f"{module.__name__}.{name}"
            if isinstance(what, type):
                found[id(what)] = list(_of_class(full, what))
            elif inspect.isfunction(what):
                found[id(what)] = [Public(full, what, None)]
    for kind in HANDED_OUT:
        found.setdefault(id(kind), list(_of_class(f"{kind.__module__}.{kind.__name__}", kind)))
    return [each for group in found.values() for each in group]


PUBLIC = public_names()


@pytest.mark.parametrize("public", PUBLIC, ids=str)
def test_each_public_name_has_a_docstring_that_leaves_no_argument_out(public: Public) -> None:
    assert public.doc, "it has no docstring"
    assert sorted(public.parameters() - public.told()) == [], public.doc


@pytest.mark.parametrize("public", PUBLIC, ids=str)
def test_no_docstring_of_a_public_name_has_a_rule_by_its_number_alone(public: Public) -> None:
    assert _LAW.findall(public.doc) == [], public.doc


@pytest.mark.parametrize("public", PUBLIC, ids=str)
def test_no_docstring_of_a_public_name_has_a_section_of_a_document_that_it_does_not_name(
    public: Public,
) -> None:
    named = re.sub(r"(?:RFC \w+|PEP \d+)[^.;]{0,40}?[Ss]ections? [\d.]+( and [\d.]+)?", "", public.doc)
    assert re.findall(r"[Ss]ections? \d", named) == [], public.doc


@pytest.mark.parametrize("public", [each for each in PUBLIC if isinstance(each.what, type)], ids=str)
def test_each_public_attribute_of_an_object_is_told_of(public: Public) -> None:
    properties = {name for name in dir(public.what) if getattr(public.what, name, None) is not None}
    assert sorted(_attributes(public.what) - public.told() - properties) == []


def _attributes(kind: type) -> set[str]:
    """The public names that its __init__ sets on an object."""
    if "__init__" not in vars(kind) or is_dataclass(kind):  # whose fields are its arguments
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(vars(kind)["__init__"])))
    targets = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {
        node.attr
        for node in targets
        if isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and not node.attr.startswith("_")
    }


def test_the_manual_of_a_session_names_all_that_it_can_be_given() -> None:
    doc = inspect.getdoc(pystickyhttp.Session) or ""
    for name in inspect.signature(pystickyhttp.Session).parameters:
        assert re.search(rf"^ {{4}}(\w+, )*{name}(, \w+)*: ", doc, re.MULTILINE), name


def test_the_manual_of_the_package_says_which_modules_are_for_programs() -> None:
    """help() lists all of them, and most are inside."""
    manual = inspect.getdoc(pystickyhttp) or ""
    named = set(re.findall(r"^ {4}(\w+(?:, \w+)*)", manual, re.MULTILINE))
    told = {name for entry in named for name in entry.split(", ")} | set(re.findall(r"`(\w+)`", manual))
    there = {name for name in told if find_spec(f"pystickyhttp.{name}") is not None}
    public = {name for name in pystickyhttp.__all__ if isinstance(getattr(pystickyhttp, name), ModuleType)}
    assert there == public | {"keywords", "transport"}


def test_what_the_manual_of_the_package_names_is_there() -> None:
    manual = inspect.getdoc(pystickyhttp) or ""
    table = manual.partition("What there is")[2].partition("The modules")[0]
    for entry in re.findall(r"^ {4}(\w+(?:, \w+)*)", table, re.MULTILINE):
        for name in entry.split(", "):
            assert name in pystickyhttp.__all__
