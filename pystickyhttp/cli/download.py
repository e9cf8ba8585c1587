"""--download: a file that is there whole or not at all, and can be gone on with where it was cut off."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from ..exceptions import RequestException, TotalTimeout
from ..models import Response
from .failures import CommandError, Exit, code_of, line_of
from .job import Job, http_error, show_timing
from .names import name_of
from .partial import PART, Part, begun_from, digest_of
from .progress import Progress, amount, progress_of
from .ranges import Answer, Known, Verdict, check_came, end_of, judge, size_of, validator_of, whole_of
from .target import behind_links, refuse_unusual
from .terminal import harmless, is_interactive

# As between the tries at a request: none before the first, then 1, 2, 4 ... seconds.
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0


def download(job: Job) -> None:
    """Save the body to a file.

    Raises:
        CommandError, RequestException: it could not be saved, or not wholly.
    """
    with ExitStack() as held:
        Download(job, held).run()


class Download:
    """A download, from the first request to the last.

    Args:
        job: the request.
        held: what closes the part at the end, whatever the end is.
    """

    def __init__(self, job: Job, held: ExitStack) -> None:
        self._job = job
        self._held = held
        # The file that was named; or the folder that a file is made in whose name the server may propose.
        self._given = job.options.output
        self._folder = ""
        if self._given is not None and os.path.isdir(self._given):
            self._folder, self._given = self._given, None
        self._url = digest_of(f"{job.order.url} {job.order.params}")
        self._part: Part | None = None
        self._had = 0  # what an earlier run left, which says nothing about the speed
        self._cuts = 0

    def run(self) -> None:
        """Ask for the file until it is here.

        Raises:
            CommandError, RequestException: it could not be had.
        """
        if self._job.options.resume:
            self._find_part()
        began = time.monotonic()
        with self._telling_how_to_go_on():
            while not self._is_done():
                pass
        part = self._part
        assert part is not None, "what is done has begun"
        part.finish(replace=self._given is not None or self._may_replace)
        seconds = time.monotonic() - began
        speed = amount((part.have - self._had) / max(seconds, 1e-6))
        name = harmless(part.target)
        self._job.talk.line(f"saved {name!r}: {amount(part.have)} in {seconds:.1f} s ({speed}/s)", "green")

    _may_replace = False  # of a name that the server chose, somebody has to allow it

    # --- what is here

    def _find_part(self) -> None:
        """Take the part that an earlier run left, if it can be gone on with."""
        if self._job.order.method.upper() != "GET":
            raise CommandError("--continue asks for a range, which only GET has: leave it out")
        target = begun_from(self._url, self._folder) if self._given is None else behind_links(self._given)
        if target is None or not os.path.lexists(target + PART):
            self._job.talk.line("there is nothing to continue: the download begins anew")
            return
        if self._given is None:
            self._check_is_free(target)
        part = self._part = self._held.enter_context(Part(target))
        if self._is_of_this_file(part.known) and part.have:
            self._had = part.have
            return
        part.known = None
        self._job.talk.line("what is here can't be told to be a part of this file: the download begins anew")

    def _is_of_this_file(self, known: Known | None) -> bool:
        """A user who names a file may know better than its URL, which changes where links are signed: a
        strong ETag says then whether it is the same."""
        if known is None or known.validator is None:
            return False
        return known.url == self._url or (self._given is not None and known.validator.startswith('"'))

    def _target_for(self, response: Response) -> str:
        if self._given is not None:
            return behind_links(self._given)
        headers = response.headers
        name = name_of(
            headers.get("Content-Disposition"), self._job.order.url, headers.get("Content-Type", "")
        )
        target = os.path.join(self._folder, name)
        self._check_is_free(target)
        return target

    def _check_is_free(self, name: str) -> None:
        """Ask before a file is replaced that the user has not named.

        Raises:
            CommandError: it is there, and stays.
        """
        if not os.path.lexists(name):
            return
        refuse_unusual(name)
        if not is_interactive():
            raise CommandError(
                f"{name!r} is there already: -o {shlex.quote(name)} replaces it, "
                f"-o FILE saves under another name",
                Exit.WRITE_FAILED,
            )
        if not _agrees(f"{harmless(name)!r} is there already. Replace it? [y/N] "):
            raise CommandError(
                f"{name!r} stays as it is: -o FILE saves under another name", Exit.WRITE_FAILED
            )
        self._may_replace = True

    # --- one request

    def _is_done(self) -> bool:
        """One request, for what is not here yet; whether the file is whole behind it."""
        asked = self._asked_for()
        try:
            with self._job.send(_fields_for(asked, self._have)) as response:
                done = self._took(response, asked)
            show_timing(self._job, response)
        except RequestException as error:
            if not self._goes_on_after(error):
                raise
            return False
        return done

    @property
    def _have(self) -> int:
        return 0 if self._part is None else self._part.have

    def _asked_for(self) -> Known | None:
        """What the rest is asked of; None where the whole is to come."""
        known = None if self._part is None else self._part.known
        return known if known is not None and known.validator is not None and self._have else None

    def _took(self, response: Response, asked: Known | None) -> bool:
        """Take what a response has of the file; whether that is all."""
        status = response.status_code
        if status != 416 and not 200 <= status < 300:
            raise http_error(response, ": nothing is saved of that")
        if status in (204, 205):
            # RFC 9110, sections 15.3.5 and 15.3.6: no content, and so no empty file either.
            raise http_error(response, ": there is nothing to save")
        answer = Answer(status, response.headers)
        verdict = judge(answer, asked, self._have)
        if verdict is Verdict.COMPLETE:
            return True
        if verdict is Verdict.AGAIN:
            self._forget_part()
            return False
        if verdict is Verdict.ANEW:
            part, whole, end = self._begun(response), size_of(response.headers), None
        else:
            assert self._part is not None, "a part is asked for where there is one"
            assert asked is not None, "as it was"
            part, whole, end = self._part, whole_of(answer, asked), end_of(answer)
        self._receive(response, part, whole, end)
        # A server may send less of a range than it was asked for (RFC 9110, section 15.3.7).
        return whole is None or part.have >= whole

    def _forget_part(self) -> None:
        assert self._part is not None, "a part is asked for where there is one"
        self._part.known = None
        self._job.talk.line("what is here is no part of the file: the download begins anew")

    def _begun(self, response: Response) -> Part:
        if self._part is None:
            self._part = self._held.enter_context(Part(self._target_for(response)))
        elif self._asked_for() is not None:
            self._job.talk.line("the file has changed, or the server can't go on: the download begins anew")
        coded = "Content-Encoding" in response.headers  # what is saved has other bytes than what ranges count
        validator = None if coded else validator_of(response.headers)
        self._part.begin(Known(self._url, validator, size_of(response.headers)))
        self._had = 0
        return self._part

    def _receive(self, response: Response, part: Part, whole: int | None, end: int | None) -> None:
        progress = progress_of(self._job.talk, harmless(os.path.basename(part.target)), part.have, whole)
        with _closing(progress):
            for piece in response.iter_content(None):
                if end is not None and part.have + len(piece) > end:
                    check_came(part.have + len(piece), end)
                part.write(piece)
                progress.advance(part.have)
        if end is not None:
            check_came(part.have, end)

    # --- where it is cut off

    def _goes_on_after(self, error: RequestException) -> bool:
        """Whether --retry allows to go on; if so, the wait is over when this returns."""
        if isinstance(error, TotalTimeout) or self._asked_for() is None:
            return False
        self._cuts += 1
        if self._cuts > self._job.options.retry:
            return False
        self._job.talk.line(f"cut off at {amount(self._have)}: going on", "yellow")
        if self._cuts > 1:
            time.sleep(min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (self._cuts - 2)))
        return True

    @contextmanager
    def _telling_how_to_go_on(self) -> Iterator[None]:
        """A download that ends too early says what there is of it, and what can be done with that."""
        try:
            yield
        except KeyboardInterrupt:
            if self._have:
                self._job.talk.line(f"pystickyhttp: interrupted: {self._way_on()}", "yellow")
            raise
        except RequestException as error:
            if not self._have:
                raise
            raise CommandError(f"{line_of(error)}: {self._way_on()}", code_of(error)) from None

    def _way_on(self) -> str:
        part, known = self._part, self._asked_for()
        assert part is not None, "who asks has seen it"
        of = "" if part.known is None or part.known.size is None else f" of {amount(part.known.size)}"
        what = f"{amount(part.have)}{of} are in {part.target + PART!r}"
        if known is None:
            return f"{what}, and the server says nothing by which one could go on: it has to begin anew"
        return f"{what}, the same command with --continue goes on"


def _fields_for(asked: Known | None, have: int) -> dict[str, str]:
    """What a request for a file says, beside what the user does.

    Nothing is to be coded: a range of what is coded is none of the file.
    """
    fields = {"Accept-Encoding": "identity"}
    if asked is not None and asked.validator is not None:
        fields |= {"Range": f"bytes={have}-", "If-Range": asked.validator}
    return fields


def _agrees(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # Ctrl-D: what comes next begins on a line of its own
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


@contextmanager
def _closing(progress: Progress) -> Iterator[None]:
    try:
        yield
    finally:
        progress.close()
