"""A download under way: `NAME.part` with its bytes, and beside it `NAME.part.json` with what it is a part of.

The second is what makes it safe to go on: without it a file would be joined of the halves of two. It is
written before the first byte, so that a download that is killed can be gone on with like one that is cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from .. import files
from .failures import CommandError, Exit, file_error
from .ranges import Known

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where nobody holds two downloads of one file apart
    fcntl = None  # type: ignore[assignment]

PART: Final = ".part"
NOTE: Final = ".part.json"
_NOTE_VERSION: Final = 1
# Whatever lies there under this name, a link to elsewhere is not written through. Windows has no such flag.
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def digest_of(url: str) -> str:
    """What a URL is known by again. It may hold secrets, and those are not for the disk."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


class Part:
    """The part of a file that is here.

    Args:
        target: the file that it is going to be.

    Attributes:
        target: as given.
        known: what is known of the whole; None where nothing is that could be gone on with.
        have: its size in bytes.

    Raises:
        CommandError: it can't be written, is another download's, or is none of ours.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self._path = target + PART
        self._note = target + NOTE
        is_ours = os.path.lexists(self._note)
        if os.path.lexists(self._path) and not is_ours:
            raise CommandError(
                f"{self._path!r} is there, and no download of ours: move it away, or save under another name "
                f"by -o FILE",
                Exit.WRITE_FAILED,
            )
        self._file = self._opened()
        self.known = _read_note(self._note)
        self.have = self._file.seek(0, os.SEEK_END)

    def _opened(self) -> BinaryIO:
        """The part, locked."""
        while True:
            with self.telling():
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o666)
            with ExitStack() as unless_taken:
                file = unless_taken.enter_context(os.fdopen(descriptor, "r+b"))
                self._lock(file)
                # Who had the lock may have given it its name since: it is the whole file then, and no part.
                if self._names(file):
                    unless_taken.pop_all()
                    return file

    def _names(self, file: BinaryIO) -> bool:
        """Whether an open file is the one that is found under the name of the part."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.lstat(self._path))
        except FileNotFoundError:
            return False

    def _lock(self, file: BinaryIO) -> None:
        """Two that write one file at a time would make one of both."""
        if fcntl is None:
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"{self._path!r} is being downloaded by another process: let it end, or save under another "
                f"name by -o FILE",
                Exit.WRITE_FAILED,
            ) from None
        except OSError:
            pass  # a file system without locks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def begin(self, known: Known) -> None:
        """Begin anew, with a file of which so much is known.

        Raises:
            CommandError: it can't be written.
        """
        with self.telling():
            # In this order: at no time does a note stand beside bytes that it is not about.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._note)
            self._file.seek(0)
            self._file.truncate()
            self.known, self.have = known, 0
            with files.replacing(self._note, mode=0o600) as note:
                note.write(json.dumps({"version": _NOTE_VERSION, **asdict(known)}).encode())

    def write(self, piece: bytes) -> None:
        """Write what comes next.

        Raises:
            CommandError: it can't be written.
        """
        with self.telling():
            self._file.write(piece)
            self.have += len(piece)

    def finish(self, *, replace: bool) -> None:
        """Give the file its name: it is whole.

        Args:
            replace: whether it takes the place of one that is there.

        Raises:
            CommandError: it can't, or one is there by now.
        """
        with self.telling():
            self._file.flush()
            os.fsync(self._file.fileno())
            if replace:
                self._replace()
            else:
                self._take_free_name()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._note)

    def _replace(self) -> None:
        with contextlib.suppress(OSError):  # none is there, or the file system has no permissions
            shutil.copymode(self.target, self._path)
        os.replace(self._path, self.target)

    def _take_free_name(self) -> None:
        """Somebody may have taken the name since it was asked for; a second one in the same place can't."""
        try:
            os.link(self._path, self.target)
        except FileExistsError:
            raise CommandError(
                f"{self.target!r} is there by now: the download is in {self._path!r}", Exit.WRITE_FAILED
            ) from None
        except OSError:  # a file system without hard links
            os.rename(self._path, self.target)
        else:
            os.unlink(self._path)

    def close(self) -> None:
        """Close the file. What is in it stays; if that is nothing, it goes."""
        with contextlib.suppress(OSError):  # a full disk, which is told already
            self._file.close()
        with contextlib.suppress(OSError):
            if self.have == 0 and os.path.getsize(self._path) == 0:
                os.unlink(self._path)
                os.unlink(self._note)

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Tell an error of the file system as the command's."""
        try:
            yield
        except OSError as error:
            raise file_error(error, "write", self._path, Exit.WRITE_FAILED) from None


def _read_note(path: str) -> Known | None:
    """What is known of a part; None for what is no note, or one of another version."""
    try:
        with open(path, "rb") as file:
            said: Any = json.loads(file.read())
        return _known_of(said)
    except (OSError, ValueError, RecursionError):
        return None


def _known_of(said: Any) -> Known | None:
    if not isinstance(said, dict) or said.get("version") != _NOTE_VERSION:
        return None
    url, validator, size = said.get("url"), said.get("validator"), said.get("size")
    sound = isinstance(url, str) and isinstance(validator, str | None) and isinstance(size, int | None)
    return Known(url, validator, size) if sound else None  # type: ignore[arg-type]


def begun_from(url: str, folder: str = "") -> str | None:
    """The file in a folder that a download of a URL was begun for, None where there is none.

    Args:
        url: its digest.
        folder: the folder; "" for that of the process.
    """
    with contextlib.suppress(OSError), os.scandir(folder or os.curdir) as entries:
        for path in sorted(entry.name for entry in entries if entry.name.endswith(NOTE)):
            known = _read_note(os.path.join(folder, path))
            if known is not None and known.url == url:
                return os.path.join(folder, path.removesuffix(NOTE))
    return None
