"""Pieces of a body put together, in the memory that they take and little more.

For a large body it is not the bytes that take the time but the memory for them: the system makes each page as
it is touched first, which costs several times what the copy into it does. So nothing is held twice, as
`b"".join` would have it at its end, and where the length is known, pages are asked for that are large.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any, Final

# From here on a body gets a block of its own at once. Below, there is little to gain, and a large page would
# be a good part of it; numpy asks for them from the same size on.
LARGE: Final = 4 * 1024 * 1024
# One part in so many of a length has to be there before the rest of it is believed: little enough that moving
# it is no matter, and enough that a lie takes its time.
BELIEVED: Final = 16


def gathered(pieces: Iterator[bytes], length: int | None = None) -> bytes:
    """Put the pieces of a body together.

    A BytesIO grows by an eighth as bytes come, so that nothing but what has arrived takes memory. In CPython
    its value is the very block that it wrote to, cut to size; elsewhere there may be one copy.

    Args:
        pieces: the pieces, in order.
        length: how many bytes there are going to be, or None. It may be a lie: memory is taken by what has
            come.

    Returns:
        All of them; a single one as it is.

    Raises:
        Exception: whatever the pieces raise.
    """
    first = next(pieces, b"")
    second = next(pieces, None)
    if second is None:
        return first
    whole = io.BytesIO()
    whole.write(first)
    for piece in chain([second], pieces):
        whole.write(piece)
        if length is not None and LARGE <= length <= whole.tell() * BELIEVED:
            return _in_one_block(chain([whole.getvalue()], pieces), length)
    return whole.getvalue()


def _in_one_block(pieces: Iterator[bytes], length: int) -> bytes:
    """As `gathered`, into a block that is there from the first, and takes no memory before it is filled."""
    # A BufferedReader lets a file fill the bytes that it returns, and cuts them where the file has ended.
    file = _PiecesFile(pieces)
    try:
        whole = io.BufferedReader(file).read(length)
    except MemoryError:
        if file.is_begun:
            raise
        whole = b""  # the system promises no more than it has, and the length may be a lie
    beyond = file.rest()
    return whole + beyond if beyond else whole


class _PiecesFile(io.RawIOBase):
    """Pieces as a file, whose first reader is asked to have large pages."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = memoryview(b"")  # what is left of the piece that is being read
        self._prepare: Callable[[memoryview], None] | None = _ask_for_large_pages

    @property
    def is_begun(self) -> bool:
        """Whether a piece was taken from it."""
        return self._prepare is None

    def readable(self) -> bool:
        return True

    def readinto(self, block: Any) -> int:
        # It is released here, as the reader's memory may be gone before a traceback lets go of it.
        with block:
            if self._prepare is not None:
                prepare, self._prepare = self._prepare, None
                prepare(block)
            if not self._held:
                self._held = memoryview(next(self._pieces, b""))
            size = min(len(block), len(self._held))
            block[:size] = self._held[:size]
            self._held = self._held[size:]
            return size

    def rest(self) -> bytes:
        """What was not read."""
        left = io.BytesIO()
        left.write(self._held)
        for piece in self._pieces:
            left.write(piece)
        return left.getvalue()


def _ask_for_large_pages(block: memoryview) -> None:
    """Tell Linux that it may take pages of 2 MiB for a block: one is sooner made than 512 of 4 KiB."""
    madvise = _madvise()
    if madvise is not None:
        madvise(block)


@cache
def _madvise() -> Callable[[memoryview], None] | None:
    """madvise(2) with MADV_HUGEPAGE for a block, or None where there is no such thing."""
    if sys.platform != "linux" or sys.implementation.name != "cpython":  # pragma: no cover - macOS, PyPy ...
        return None
    try:
        # Loaded for the first large body, and not with the package; Python may be built without it.
        import ctypes
        import mmap

        function = ctypes.CDLL(None).madvise
    except (ImportError, OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    page, advice = mmap.PAGESIZE, mmap.MADV_HUGEPAGE

    def advise(block: memoryview) -> None:
        start = ctypes.addressof(ctypes.c_char.from_buffer(block))
        skipped = -start % page  # it takes whole pages
        # It is an advice: whether the system follows it changes nothing but the time that it takes.
        function(start + skipped, max(0, len(block) - skipped) // page * page, advice)

    return advise
