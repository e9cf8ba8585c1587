"""What is made of a text, and kept by it as long as the process lives.

It is `functools.lru_cache` with two rules more. What is made of a large text is not kept: a bound on how many
there are bounds no memory where a server, or a program, makes up URLs and fields of many kilobytes each. And
what is made of a text of a class of the caller's is not: a member of an Enum is found where its characters
are, and so whoever has the characters alone would be given what another class has made of them.

A lookup is that of a dict, with no call of a Python function: it is on the path of each request. So there is
no lock, and the oldest goes first, whether or not it was asked for since. Two threads that miss at the same
time make the same thing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# Characters and bytes. Few URLs are as long, and most servers take a head of twice as much at most; what is
# above is made anew each time, which costs less than to send it.
MOST_KEPT: Final = 4096


class Kept(dict[K, V]):
    """A function of one argument, `kept(argument)` or `kept[argument]`, that keeps what it returned.

    Args:
        make: the function. As with `functools.lru_cache` it is `__wrapped__`, for what can't be looked up.
        most: how many are kept.
    """

    if TYPE_CHECKING:
        __wrapped__: Callable[[K], V]

        def __call__(self, key: K) -> V: ...
    else:
        __call__ = dict.__getitem__

    def __init__(self, make: Callable[[K], V], most: int) -> None:
        update_wrapper(self, make)
        self.most = most

    def __repr__(self) -> str:
        return f"<{self.__wrapped__.__qualname__}, {len(self)} kept>"  # which may hold passwords

    def __reduce__(self) -> str:
        return self.__wrapped__.__qualname__  # as a function it pickles, and is copied, by its name alone

    def __missing__(self, key: K) -> V:
        made = self.__wrapped__(key)
        if _may_be_kept(key):
            while len(self) >= self.most:
                self._forget_oldest()
            self[key] = made
        return made

    def _forget_oldest(self) -> None:
        try:  # noqa: SIM105 - each new URL comes by here, and `suppress` costs more than all the rest
            del self[next(iter(self))]
        except (KeyError, RuntimeError, StopIteration):
            pass  # another thread came in between


def kept(most: int) -> Callable[[Callable[[K], V]], Kept[K, V]]:
    """Keep what a function of one argument returns, unless that argument is large, or of a class of its own.

    Args:
        most: how many are kept.
    """

    def keeping(make: Callable[[K], V]) -> Kept[K, V]:
        return Kept(make, most)

    return keeping


def _may_be_kept(key: object) -> bool:
    """Whether the texts of a key, which may be a tuple of others, are str and bytes, and not too large."""
    size = 0
    parts: list[Any] = [key]
    for part in parts:
        kind = type(part)
        if kind is str or kind is bytes:
            size += len(part)
        elif isinstance(part, tuple):
            parts.extend(part)
        elif isinstance(part, (str, bytes)):
            return False
    return size <= MOST_KEPT
