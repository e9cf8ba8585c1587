"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], mode: int = 0o666) -> Iterator[BinaryIO]:
    """A new file that takes the place of another one when the block ends, and only if it ends well.

    It is written beside the other one, under a name that nobody else has, and renamed when its bytes are on
    the disk: whoever reads the path finds the old bytes or the new ones, and never a part.

    Args:
        path: the file; a symbolic link is followed, as it would be in writing.
        mode: the permissions of the new file, less the umask. By default those that `open` gives. Where a
            file is replaced, its own permissions stay, unless they are wider than this.

    Raises:
        IsADirectoryError: the path is a folder.
        OSError: the file can't be written.
    """
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(f"{os.fspath(path)!r} is a folder: name a file in it")
    with contextlib.suppress(FileNotFoundError):
        mode &= os.stat(target).st_mode
    beside = f"{target}.{secrets.token_hex(8)}.part"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    _sync_folder(os.path.dirname(target))


def _sync_folder(folder: str) -> None:
    """Make the new name last when the power goes; not every system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
