"""A request of the command line that is to be sent, once or more often, and what is told of its end."""

from __future__ import annotations

import time
from typing import Any

from .. import urls
from ..models import Response
from ..sessions import Session
from . import show
from .arguments import Options
from .failures import CommandError, Exit
from .output import Output
from .request import Order, timeout_of
from .terminal import Terminal, harmless


class Job:
    """All that it takes to carry out a request.

    Attributes:
        session, order, options: what to send, and how.
        talk: standard error.
        output: standard output.
    """

    def __init__(
        self, session: Session, order: Order, options: Options, talk: Terminal, output: Output
    ) -> None:
        self.session = session
        self.order = order
        self.options = options
        self.talk = talk
        self.output = output
        self._began = time.monotonic()

    def send(self, fields: dict[str, str] | None = None) -> Response:
        """Send the request.

        Args:
            fields: header fields beside those of the order, such as Range.

        Raises:
            RequestException: there is no response.
        """
        order = self.order
        headers = order.headers.copy()
        headers.update(fields or {})
        return self.session.request(
            order.method,
            order.url,
            params=order.params,
            data=order.body.data,
            json=order.body.json,
            files=order.body.files,
            headers=headers,
            auth=order.auth,
            timeout=timeout_of(self.options, time.monotonic() - self._began),
            allow_redirects=self.options.follow,
            stream=True,
        )


def http_error(response: Response, what: str = "") -> CommandError:
    """The error for a response whose status is one."""
    status = f"{response.status_code} {response.reason}".strip()
    return CommandError(f"{urls.redacted(response.url)} answered {status}{what}", Exit.HTTP_ERROR)


def show_timing(job: Job, response: Response) -> None:
    """Where the time went, for each hop, if that was asked for."""
    if not job.options.timing:
        return
    job.output.flush()
    for each in (*response.history, response):
        timing = each.timing
        request: Any = each.request
        status = f"{each.status_code} {each.reason}".strip()
        job.talk.line(harmless(f"{request.method} {urls.redacted(each.url)}: {status}"), "bold")
        block = show.BLOCKS if job.talk.can_show(show.BLOCKS) else show.PLAIN_BLOCKS
        lines = [] if timing is None else show.waterfall(timing, job.talk.width, block)
        for line, style in lines:
            job.talk.line(line, style)
