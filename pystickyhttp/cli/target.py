"""The files that a command writes. What is wrong with them is told before a request is sent.

A request may change something on its server: if its answer can't be kept, it had better not be sent.
"""

from __future__ import annotations

import os

from .arguments import Options
from .failures import CommandError, Exit


def check_targets(options: Options) -> None:
    """Refuse files that the body or the cookies can't be written to.

    Raises:
        CommandError: they can't.
    """
    if options.session is not None:
        _check_file(options.session, "name a file in it")
    path = options.output
    if path is None or path == "-":
        if options.download:
            _check_folder("")
    elif not options.download:
        _check_file(path, "name a file in it, or add --download, which takes the server's name")
    elif os.path.isdir(path):
        _check_folder(path)
    else:
        refuse_unusual(path)
        _check_file(path, "")


def behind_links(path: str) -> str:
    """The file that a link leads to, as in writing; any other path stays as the user knows it."""
    return os.path.realpath(path) if os.path.islink(path) else path


def refuse_unusual(path: str) -> None:
    """Refuse a path where no download can take its place.

    Raises:
        CommandError: what is there is no ordinary file.
    """
    if os.path.isdir(path):
        raise CommandError(f"{path!r} is a folder: name a file in it by -o FILE", Exit.WRITE_FAILED)
    if os.path.exists(path) and not os.path.isfile(path):
        raise CommandError(
            f"{path!r} is no ordinary file: -o without --download writes to it", Exit.WRITE_FAILED
        )


def _check_file(path: str, remedy: str) -> None:
    if os.path.isdir(path):
        raise CommandError(f"{path!r} is a folder: {remedy}", Exit.WRITE_FAILED)
    if path.endswith(("/", os.sep)):
        raise CommandError(f"there is no folder {path!r}: make it, or name a file", Exit.WRITE_FAILED)
    if os.path.exists(path) and not os.path.isfile(path):
        return  # a device or a pipe: it is written to as it is
    # A file is made beside the one that it replaces.
    _check_folder(os.path.dirname(behind_links(path)))


def _check_folder(folder: str) -> None:
    folder = folder or os.curdir
    if not os.path.isdir(folder):
        raise CommandError(f"there is no folder {folder!r}: make it, or name another", Exit.WRITE_FAILED)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(
            f"nothing may be written in the folder {folder!r}: name a file in another one by -o FILE",
            Exit.WRITE_FAILED,
        )
