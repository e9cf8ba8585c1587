"""What a response means for a download that was begun before, pure (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final, NamedTuple

from ..headers import Headers
from .failures import CommandError, Exit

_CONTENT_RANGE: Final = re.compile(
    r"bytes\s+([0-9]{1,20})-([0-9]{1,20})/([0-9]{1,20}|\*)", re.IGNORECASE
)  # of no more digits than a Content-Length may have: int() refuses a few thousand
_UNSATISFIED: Final = re.compile(r"bytes\s+\*/([0-9]{1,20})", re.IGNORECASE)
# RFC 9110, section 8.8.3, and a strong one. Anything else goes into no If-Range: it might be nothing that can
# be sent, or fit two versions of a file.
_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
# RFC 9110, section 8.8.2.2: the clock of a server counts seconds, so that a file may change twice in one.
_STRONG_AFTER: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Known:
    """What is known of a file that is being downloaded, so that it can be gone on with.

    Attributes:
        url: the digest of the URL, which may hold secrets.
        validator: its strong ETag, or its date, for If-Range; None where it can't be told from its successor.
        size: its whole size in bytes, None where the server does not say.
    """

    url: str
    validator: str | None
    size: int | None


def validator_of(headers: Headers) -> str | None:
    """What names this state of a file and no other (RFC 9110, section 8.8), or None."""
    etag = headers.get("ETag")
    if etag is not None:
        # RFC 9110, section 13.1.5: a weak one may not be asked by, and a date beside it says no more.
        return str(etag) if _STRONG_ETAG.fullmatch(etag) else None
    modified = headers.get("Last-Modified")
    return str(modified) if modified is not None and _is_strong(modified, headers.get("Date")) else None


def _is_strong(modified: str, date: str | None) -> bool:
    if not modified.isprintable():
        return False
    try:
        return parsedate_to_datetime(date or "") - parsedate_to_datetime(modified) >= _STRONG_AFTER
    except (TypeError, ValueError):  # no dates, or only one of both with a time zone
        return False


def size_of(headers: Headers) -> int | None:
    """The size of the whole, where a response that is whole says so."""
    if "Content-Encoding" in headers:  # what is saved is what it decodes to
        return None
    said = headers.get("Content-Length", "")
    return int(said) if said.isascii() and said.isdecimal() else None


class Verdict(Enum):
    """What to do with a response."""

    ANEW = auto()  # it is the whole file
    APPEND = auto()  # it is the rest of what is here
    COMPLETE = auto()  # there is no rest
    AGAIN = auto()  # what is here is none of the file: ask for the whole


class Answer(NamedTuple):
    """A response to a request for the rest, as it bears on the file.

    Attributes:
        status: the status code.
        headers: its fields.
    """

    status: int
    headers: Headers


def judge(answer: Answer, known: Known | None, have: int) -> Verdict:
    """What a response is for a download.

    Args:
        answer: the response; its status is below 400, or 416.
        known: what is known of the file, None where the whole was asked for.
        have: how many bytes of it are here.

    Raises:
        CommandError: it answers something else than was asked.
    """
    if answer.status == 416:
        return _judge_unsatisfied(answer, known, have)
    if answer.status != 206:
        return Verdict.ANEW
    if known is None:
        raise _unasked("sent a part (206), and the whole was asked for")
    _check_part(answer, known, have)
    return Verdict.APPEND


def _judge_unsatisfied(answer: Answer, known: Known | None, have: int) -> Verdict:
    if known is None:
        raise _unasked("says 416 Range Not Satisfiable, and no range was asked for")
    complete = _UNSATISFIED.fullmatch(answer.headers.get("Content-Range", "").strip())
    same = _validator_fits(answer.headers, known)
    if same and complete is not None and int(complete[1]) == have and known.size in (None, have):
        return Verdict.COMPLETE
    return Verdict.AGAIN


def _check_part(answer: Answer, known: Known, have: int) -> None:
    said = answer.headers.get("Content-Range", "")
    found = _CONTENT_RANGE.fullmatch(said.strip())
    if found is None:
        raise _unfit(f"sent a part, and its Content-Range {said!r} does not say which")
    begin, end, whole = int(found[1]), int(found[2]), found[3]
    if begin != have or end < begin:
        raise _unfit(f"sent the part {said!r}, and that from {have} on was asked for")
    size = known.size if whole == "*" else int(whole)
    if size is not None and (size <= end or known.size not in (None, size)):
        raise _unfit(f"sent the part {said!r} of a file that had {known.size} bytes when it was begun")
    if not _validator_fits(answer.headers, known) or "Content-Encoding" in answer.headers:
        raise _unfit("sent a part of another file than the one that was begun")


def _validator_fits(headers: Headers, known: Known) -> bool:
    """Whether a response is of the state that is known; one that does not say is believed to be."""
    said = headers.get("ETag" if (known.validator or "").startswith('"') else "Last-Modified")
    return said is None or said == known.validator


def whole_of(answer: Answer, known: Known) -> int | None:
    """The size of the whole file that a part is of, None where nobody has said."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    return known.size if found is None or found[3] == "*" else int(found[3])


def end_of(answer: Answer) -> int:
    """How much of the file is here behind the part that a response says it sends."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    assert found is not None, "it was judged"
    return int(found[2]) + 1


def check_came(have: int, end: int) -> None:
    """Hold what has come of a part against what its response said (law X5).

    Args:
        have: how much of the file is here.
        end: how much there has to be.

    Raises:
        CommandError: the server has sent another number of bytes than it said.
    """
    if have != end:
        raise _unfit(f"sent a part up to {have}, and said that it ends at {end}")


def _unfit(what: str) -> CommandError:
    return CommandError(f"the server {what}: leave --continue out to begin anew", Exit.RANGE_FAILED)


def _unasked(what: str) -> CommandError:
    return CommandError(
        f"the server {what}: -o FILE without --download saves what it sends", Exit.RANGE_FAILED
    )
