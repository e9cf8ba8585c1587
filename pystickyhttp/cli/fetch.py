"""The command itself: one request, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from .. import urls
from ..adapters import HTTPAdapter
from ..decoding import charset_of
from ..exceptions import RequestException
from ..models import PreparedRequest, Response
from ..sessions import Session
from ..transport import IncomingResponse
from . import show
from .arguments import Options
from .failures import CommandError, Exit, file_error
from .job import Job, http_error, show_timing
from .output import Output, standard_output, unused_output
from .request import cert_of, order_of, proxies_of, retries_of, socket_of, verify_of
from .target import check_targets
from .terminal import Talk, Terminal

# A body of JSON is laid out as a whole. A larger one is no reading matter, and is shown as it comes.
_MOST_TO_LAY_OUT = 4 * 1024 * 1024


def run(options: Options) -> Exit:
    """Send the request, and show or save what comes back.

    Raises:
        CommandError, RequestException, OSError: something failed.
    """
    check_targets(options)
    talk = Talk(colours=options.color)
    shown = unused_output() if options.goes_to_a_file else standard_output()
    output = Output(shown, Terminal(shown, colours=options.color))
    with ExitStack() as opened:
        order = order_of(options, opened)
        if options.insecure:
            talk.line(
                "pystickyhttp: warning: --insecure: whoever answers is believed to be the server", "yellow"
            )
        session = opened.enter_context(_session(options, Heads(options, talk, output)))
        return _carry_out(Job(session, order, options, talk, output))


class Heads:
    """Shows heads as they come and go.

    Args:
        options: say which, and whether with their secrets.
        talk: where --verbose writes.
        output: where --include and --head write.
    """

    def __init__(self, options: Options, talk: Terminal, output: Output) -> None:
        self._verbose = options.verbose > 0
        self._secrets = options.verbose > 1
        self._include = options.include or options.head
        self._talk = talk
        self._output = output

    def sent(self, request: PreparedRequest, target: str) -> None:
        """A request is about to be sent."""
        if not self._verbose:
            return
        fields = list(_text_lines(request.headers.lines()))
        if "Host" not in request.headers:
            fields.insert(0, ("Host", urls.parse(request.url).host_header))
        self._say(">", f"{request.method} {target} HTTP/1.1", fields)

    def received(self, response: IncomingResponse) -> None:
        """The head of a response has come."""
        version = f"HTTP/{response.version // 10}.{response.version % 10}"
        start = f"{version} {response.status} {response.reason.decode('utf-8', 'replace')}".rstrip()
        fields = list(_text_lines(response.fields))
        if self._verbose:
            self._say("<", start, fields)
        if self._include:
            # What is asked for on standard output goes to programs too, and is as it came.
            for line in show.head_lines(start, fields, secrets=True):
                self._output.line(line)
            self._output.line()

    def _say(self, mark: str, start: str, fields: list[tuple[str, str]]) -> None:
        lines = show.head_lines(start, fields, secrets=self._secrets)
        self._talk.line(f"{mark} {next(lines)}", "bold")
        for line in lines:
            self._talk.line(f"{mark} {line}")
        self._talk.line(mark)


def _text_lines(fields: Any) -> Iterator[tuple[str, str]]:
    for name, value in fields:
        yield _as_text(name), _as_text(value)


def _as_text(value: str | bytes) -> str:
    """RFC 9110 leaves bytes outside ASCII open; what is none in UTF-8 is the old latin-1."""
    raw = value if isinstance(value, bytes) else value.encode("latin-1", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class _WatchedAdapter(HTTPAdapter):
    """An adapter that tells of the heads that go through it: redirects and answered challenges among them."""

    def __init__(self, heads: Heads, **settings: Any) -> None:
        super().__init__(**settings)
        self._heads = heads

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        proxies = kwargs.get("proxies")
        self._heads.sent(request, self.request_url(request, proxies))
        return super().send(request, *args, **kwargs)

    def build_response(self, req: PreparedRequest, resp: IncomingResponse) -> Response:
        response = super().build_response(req, resp)
        try:
            self._heads.received(resp)
        except BaseException:  # such as of a disk that is full: nobody else knows of the response yet
            response.close()
            raise
        return response


@contextmanager
def _session(options: Options, heads: Heads) -> Iterator[Session]:
    session = _opened(options)
    adapter = _WatchedAdapter(heads, max_retries=retries_of(options), unix_socket=socket_of(options))
    for scheme in ("http://", "https://", f"{urls.UNIX}://"):
        session.mount(scheme, adapter)
    if options.max_redirects is not None:
        session.max_redirects = options.max_redirects
    try:
        yield session
    except BaseException:
        with suppress(OSError):  # what failed first is told
            session.close()
        raise
    _close(session)


def _opened(options: Options) -> Session:
    try:
        return Session(
            cookies_file=options.session,
            verify=verify_of(options),
            cert=cert_of(options),
            proxies=proxies_of(options),
        )
    except RequestException:
        raise
    except OSError as error:
        raise file_error(error, "read", str(options.session), Exit.READ_FAILED) from None


def _close(session: Session) -> None:
    """Close a session, which saves its cookies."""
    try:
        session.close()
    except OSError as error:
        raise file_error(error, "write", str(session.cookies_file), Exit.WRITE_FAILED) from None


def _carry_out(job: Job) -> Exit:
    if job.options.download:
        from .download import download  # which most do not need

        download(job)
        return Exit.OK
    with job.send() as response:
        if job.options.fail and not response.ok:
            raise http_error(response)
        _put_out(job, response)
        show_timing(job, response)
    return Exit.OK


def _put_out(job: Job, response: Response) -> None:
    path = job.options.output
    if path not in (None, "-"):
        _save(response, path)
    elif job.options.pretty or (job.options.pretty is None and job.output.is_terminal and path is None):
        _show(job, response)
    else:
        for piece in response.iter_content(None):
            job.output.write(piece)


def _save(response: Response, path: str | None) -> None:
    assert path is not None, "who asks has seen it"
    try:
        response.save(path)
    except RequestException:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"can't write {path!r}: {reason}", Exit.WRITE_FAILED) from None


# --- a body on a terminal


def _show(job: Job, response: Response) -> None:
    """The body for somebody who reads it."""
    pieces = response.iter_content(None)
    if not show.is_json(response.headers.get("Content-Type", "")):
        _show_text(job, pieces)
        return
    begun, whole = _gathered(pieces)
    text = show.pretty_json(_decoded(begun, response)) if whole else None
    if text is None:
        _show_text(job, _after(begun, pieces))
    else:
        job.output.json(text)


def _gathered(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """What comes of a body up to the bound, and whether that is all."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) > _MOST_TO_LAY_OUT:
            return bytes(gathered), False
    return bytes(gathered), True


def _after(begun: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield begun
    yield from rest


def _decoded(content: bytes, response: Response) -> str:
    charset = charset_of(response.headers.get("Content-Type", "")) or "utf-8-sig"
    try:
        return content.decode(charset)
    except UnicodeDecodeError:
        return ""  # which is no JSON


def _show_text(job: Job, pieces: Iterator[bytes]) -> None:
    """Text as it comes. On a terminal it ends in a line of its own, and before it is binary."""
    last = b"\n"
    for piece in pieces:
        if job.output.is_terminal and show.looks_binary(piece):
            job.talk.line("pystickyhttp: the body is binary, and not shown: -o FILE saves it", "yellow")
            return
        job.output.write(piece)
        last = piece or last
    if job.output.is_terminal and not last.endswith(b"\n"):
        job.output.write(b"\n")
