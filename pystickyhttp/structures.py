"""Two structures by the names of requests: the case-insensitive multi-map, and the lookup of `codes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from .headers import Headers as CaseInsensitiveDict

__all__ = ["CaseInsensitiveDict", "LookupDict"]

V = TypeVar("V")


class LookupDict(dict[str, V], Generic[V]):
    """A dict whose items are its attributes too.

    `lookup["missing"]` is None, and `lookup.missing` an AttributeError, as with requests. Unlike the one of
    requests it is a dict in every way: `in`, iteration and `len()` know the items.

    Args:
        name: what `repr()` shows.

    Attributes:
        name: as given.
    """

    __slots__ = ("__dict__", "name")

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        lookup = super().__new__(cls, *args, **kwargs)
        lookup.__dict__ = lookup  # an item that is set one way is there the other way, at no cost
        return lookup

    def __init__(self, name: Any = None) -> None:
        super().__init__()
        self.name = name

    def __missing__(self, key: str) -> None:
        return None

    def __repr__(self) -> str:
        return f"<lookup {self.name!r}>"

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> V: ...

        def __setattr__(self, name: str, value: V) -> None: ...
