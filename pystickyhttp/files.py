"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def replacing(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes], mode: int | None = None
) -> Iterator[BinaryIO]:
    """A new file that takes the place of another one when the block ends, and only if it ends well.

    It is written beside the other one, under a name that nobody else has, and renamed when its bytes are on
    the disk: whoever reads the path finds the old bytes or the new ones, and never a part. What is there and
    is no ordinary file, such as a device or a pipe, is not replaced but written to.

    Args:
        path: the file; a symbolic link is followed, as it would be in writing.
        mode: the permissions that the file has at most. A new one has these, less the umask; one that is
            replaced keeps its own as far as they are among these. By default a new one has those that `open`
            gives, and one that is replaced keeps its own. Its owner and its group stay too, where the system
            lets us set them.

    Raises:
        IsADirectoryError: the path is a folder.
        OSError: the file can't be written.
    """
    given = os.fsdecode(path)
    old = _status_of(given)
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(f"{given!r} is a folder: name a file in it")
    if old is not None and not stat.S_ISREG(old.st_mode):
        # As it was named: /dev/stdout may lead to a pipe, which has no path of its own.
        with open(given, "wb") as file:
            yield file
        return
    target = os.path.realpath(given)
    # The name is a short one of its own: with something added, a long name may be too long.
    beside = os.path.join(os.path.dirname(target), f".{os.urandom(8).hex()}.part")
    # The opener is C: no interrupt comes between the making of the file and the object that closes it.
    opener = functools.partial(os.open, mode=_permissions(old, mode))
    try:
        with open(beside, "xb", opener=opener) as file:
            if old is not None:
                _keep_status(file.fileno(), old, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == beside and error.filename2 is None:
            error.filename = os.fsdecode(path)  # the name that the caller knows it by
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    _sync_folder(os.path.dirname(target))


def _status_of(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _permissions(old: os.stat_result | None, most: int | None) -> int:
    """The permissions to make a file with: those of the one that was there, if any, within the limit."""
    if old is None:
        return 0o666 if most is None else most
    return old.st_mode & (0o777 if most is None else most)


def _keep_status(descriptor: int, old: os.stat_result, most: int | None) -> None:
    """Give a file the group, the owner and the permissions of the one whose place it takes."""
    if not hasattr(os, "fchown"):  # pragma: no cover - Windows, whose files have other permissions
        return
    for owner, group in ((-1, old.st_gid), (old.st_uid, -1)):
        with contextlib.suppress(OSError):  # only an administrator may give a file away
            os.fchown(descriptor, owner, group)
    with contextlib.suppress(OSError):  # some file systems have no permissions
        os.fchmod(descriptor, _permissions(old, most))


def _sync_folder(folder: str) -> None:
    """Make the new name last when the power goes; not every system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
