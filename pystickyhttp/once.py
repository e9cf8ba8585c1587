"""What is computed when it is first asked for, and kept by its object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - it stands where functools.cached_property would
    """`functools.cached_property` without the lock that it takes before Python 3.12.

    The lock costs more than most of what is computed so. Threads that ask at the same time each compute it,
    and the last one's is kept. What is assigned takes its place.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    def __get__(self, owner: Any, kind: type | None = None) -> T:
        if owner is None:
            return self  # type: ignore[return-value]
        made: T = self._make(owner)
        owner.__dict__[self._name] = made  # where it is found from now on, ahead of this
        return made

    if TYPE_CHECKING:

        def __set__(self, owner: Any, value: T) -> None: ...
