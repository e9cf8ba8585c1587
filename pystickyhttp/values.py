"""`Value`: the base of the immutable classes that settings and facts are kept in.

`@dataclass(frozen=True)` writes the methods of each class as text, and compiles it when the class is made:
half a millisecond a class, at each start of each program. All but `__init__` are the same for all classes,
and stand here once. `@value_class()` leaves to the standard library what costs little: to say what the fields
are, so that `dataclasses.replace`, `fields` and `asdict` know them, and type checkers see a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, FrozenInstanceError, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

V = TypeVar("V", bound="Value")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_class(*, slots: bool = True) -> Callable[[type[V]], type[V]]:
    """Make a dataclass of a subclass of `Value`, which has an `__init__` of its own.

    Args:
        slots: whether its instances have the fields alone, and no room to keep what is made of them.
    """
    return dataclass(init=False, repr=False, eq=False, slots=slots)


class Value:
    """A dataclass whose instances don't change; two of one class are equal if their fields are.

    A subclass sets its fields by `settle` in its `__init__`, which takes them in their order.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]  # the names of the fields, in their order

    # To a type checker a class with these has attributes of any name.
    if not TYPE_CHECKING:  # pragma: no branch - what runs is no type checker

        def __setattr__(self, name: str, value: object) -> None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name: str) -> None:
            raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _facts(self) == _facts(other)

    def __hash__(self) -> int:
        return hash(_facts(self))

    def __repr__(self) -> str:
        shown = [name for name in self.__match_args__ if self.__dataclass_fields__[name].repr]
        facts = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{self.__class__.__qualname__}({facts})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.__class__, _facts(self))


def settle(value: Value, /, **facts: Any) -> None:
    """Set fields of a value that is being made, which nobody else has seen yet."""
    for name, fact in facts.items():
        object.__setattr__(value, name, fact)


def _facts(value: Any) -> tuple[Any, ...]:
    return tuple([getattr(value, name) for name in value.__match_args__])


def _restored(kind: type[Value], facts: tuple[Any, ...]) -> Value:
    # Past `__init__`: what is pickled has been through it, and that of a subclass may want other arguments.
    value = kind.__new__(kind)
    settle(value, **dict(zip(kind.__match_args__, facts, strict=True)))
    return value
