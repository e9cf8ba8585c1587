"""What `pystickyhttp bench` was asked to do: its arguments, and the bounds that they are held to."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, NoReturn

from .. import urls
from ..headers import TOKEN, Headers
from ..identity import VerifyTypes
from ..no_proxy import is_loopback
from .arguments import PROGRAM, ShowHelp
from .arguments import Options as Given
from .failures import CommandError
from .items import add_header_lines
from .request import full_url, proxies_of, socket_of, verify_of

# Enough for a p99 that is not the slowest one by name only, and few enough for a server of somebody else.
DEFAULT_REQUESTS: Final = 100
# Each way. What 10,000 requests do not show, more don't either, and it is a comparison, no load test.
MOST_REQUESTS: Final = 10_000
# As many connections as a gateway has for one client at the most; threads of Python gain nothing by more.
MOST_THREADS: Final = 64
# Seconds between two requests of one thread to a server that may not be one's own: 20 requests a second are
# what a browser sends for one page. One's own machine needs no such manners.
POLITE_PAUSE: Final = 0.05
# Longer than this most servers keep no idle connection, and the pool would be judged by their patience.
LONGEST_PAUSE: Final = 60.0
# Seconds for the whole run: longer than the default run takes by a good line, and short enough to wait for.
DEFAULT_MAX_TIME: Final = 30.0
LONGEST_MAX_TIME: Final = 3600.0
# Seconds for one request: more would be no limit beside that of the whole run.
LONGEST_TIMEOUT: Final = LONGEST_MAX_TIME

# RFC 9110, section 9.2.1: a request of these changes nothing on the server, however often it is sent.
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS", "TRACE")

_PROG: Final = f"{PROGRAM} bench"
_DESCRIPTION: Final = """\
Compare pooled with fresh connections on your own server: the same request is sent in turns over a new
connection each time, and over the pooled connections of one session. The bounds are those of a comparison: it
is no load test."""
_EPILOG: Final = f"""\
fresh: a new Session for each request, as pystickyhttp.get() has it: name, connection and, for https, a full
handshake each time. The TLS context with the root certificates is made once for all of them. fresh, resumed
(https only): the same, but the handshake takes up the session of an earlier connection by its ticket, which
pystickyhttp does by itself. pooled: one Session. Redirects are not followed. The exit codes are those
that `{PROGRAM} --help` lists; after Ctrl-C there is a table of what was measured all the same."""


class Options(NamedTuple):
    """What to do.

    Attributes:
        method, url: of the request.
        requests: how many each way.
        concurrency: how many threads send them.
        pause: seconds between two requests of a thread.
        max_time: seconds for the whole run.
        timeout: seconds for one request, or None for the limits of the library.
        headers: fields for each request; None takes a default one away.
        verify: as in `Session`.
        proxies: as in `Session`.
        unix_socket: the path of the socket that is dialled in the place of the URL's host, or None.
        as_json: whether one JSON document is printed in the place of the table.
    """

    method: str
    url: str
    requests: int = DEFAULT_REQUESTS
    concurrency: int = 1
    pause: float = 0.0
    max_time: float = DEFAULT_MAX_TIME
    timeout: float | None = None
    headers: Headers = Headers()
    verify: VerifyTypes = True
    proxies: Mapping[str, str | None] | None = None
    unix_socket: str | None = None
    as_json: bool = False

    @property
    def host(self) -> str:
        """Where the requests go to, for messages: no secret is part of it."""
        if self.unix_socket is not None:
            return f"the unix socket {self.unix_socket}"
        url = urls.parse(self.url)
        # A query can hold a secret too, and a report is shown to others.
        return f"the unix socket {url.unix_socket}" if url.is_unix else f"{url.scheme}://{url.host_header}"

    @property
    def is_https(self) -> bool:
        """Whether there is a handshake of TLS to be spared."""
        return urls.parse(self.url).scheme == "https"


class _Parser(argparse.ArgumentParser):
    """argparse's own error is the whole usage; the command line promises one line."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see {self.prog} --help)")


def read_options(arguments: list[str]) -> Options:
    """Read the arguments.

    Args:
        arguments: those behind the word `bench`.

    Raises:
        CommandError: they are of no use.
        InvalidURL, InvalidSchema: the URL can't be used.
        SystemExit: help was asked for, and given.
    """
    # What the main command has too is read by the same functions, which know it by the same names.
    given = _parser().parse_intermixed_args(arguments, namespace=Given())
    method, url = _method_and_url(given)
    if method not in SAFE_METHODS and not given.unsafe:
        raise CommandError(
            f"{method} may change something on the server each time: give --unsafe if that is what you want"
        )
    if given.insecure and given.cacert is not None:
        raise CommandError("--insecure and --cacert contradict each other: leave one out")
    unix_socket = socket_of(given)
    headers = Headers()
    add_header_lines(headers, given.header)
    return Options(
        method=method,
        url=url,
        requests=given.requests,
        concurrency=given.concurrency,
        pause=default_pause(url, unix_socket) if given.pause is None else given.pause,
        max_time=given.max_time,
        timeout=given.timeout,
        headers=headers,
        verify=verify_of(given),
        proxies=proxies_of(given),
        unix_socket=unix_socket,
        as_json=given.json,
    )


def default_pause(url: str, unix_socket: str | None) -> float:
    """Seconds between two requests where nobody says: none on this machine, some manners elsewhere."""
    parsed = urls.parse(url)
    if unix_socket is not None or parsed.is_unix or is_loopback(parsed.host):
        return 0.0
    return POLITE_PAUSE


def _method_and_url(given: Given) -> tuple[str, str]:
    words = given.words
    if not words:
        raise CommandError(f"there is no URL: write {_PROG} [METHOD] URL (see {_PROG} --help)")
    if len(words) > 2:
        raise CommandError(f"{words[2]!r} is too much: write {_PROG} [METHOD] URL (see {_PROG} --help)")
    url = full_url(words[-1], over_socket=given.unix_socket is not None)
    urls.parse(url)  # what is wrong with it is said ahead of all else
    if len(words) == 1:
        return "GET", url
    if not TOKEN.fullmatch(words[0]):
        raise CommandError(f"{words[0]!r} is no method: write {_PROG} [METHOD] URL (see {_PROG} --help)")
    return words[0].upper(), url


def _whole(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else 0
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 to {most:,}")
        return number

    return read


def _seconds(most: float, *, zero: bool = False) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (0 < number <= most or (zero and number == 0)):
            least = "0" if zero else "above 0"
            raise argparse.ArgumentTypeError(f"{text!r}: give seconds, {least} to {most:,.0f}")
        return number

    return read


def _parser() -> _Parser:
    parser = _Parser(
        prog=_PROG,
        usage="%(prog)s [options] [METHOD] URL",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument(
        "words",
        nargs="*",
        default=[],
        metavar="[METHOD] URL",
        help="GET by default; those that are not safe need --unsafe",
    )
    parser.add_argument("-h", "--help", action=ShowHelp, nargs=0, help="show this")
    _add_bounds(parser)
    _add_settings(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document on the standard output, and nothing else"
    )
    return parser


def _add_bounds(parser: _Parser) -> None:
    numbers: tuple[tuple[tuple[str, ...], Callable[[str], float], float | None, str], ...] = (
        (("-n", "--requests"), _whole(MOST_REQUESTS), DEFAULT_REQUESTS,
         f"requests each way (default {DEFAULT_REQUESTS}, at most {MOST_REQUESTS:,})"),
        (("-c", "--concurrency"), _whole(MOST_THREADS), 1,
         f"threads that send them at the same time (default 1, at most {MOST_THREADS})"),
        (("--pause",), _seconds(LONGEST_PAUSE, zero=True), None,
         f"seconds between two requests of a thread (default 0 on this machine, elsewhere {POLITE_PAUSE})"),
        (("--max-time",), _seconds(LONGEST_MAX_TIME), DEFAULT_MAX_TIME,
         f"seconds after which it ends with what there is (default {DEFAULT_MAX_TIME:.0f})"),
        (("-m", "--timeout"), _seconds(LONGEST_TIMEOUT), None,
         "seconds that one request may take at most"),
    )  # fmt: skip
    for names, read, default, what in numbers:
        parser.add_argument(*names, type=read, default=default, metavar="N", help=what)


def _add_settings(parser: _Parser) -> None:
    texts = (
        (("--cacert",), "FILE", "root certificates to verify the server by"),
        (("--proxy",), "URL", "the proxy to go through; '' for none, whatever the environment says"),
        (("--unix-socket",), "PATH", "the unix socket to dial in the place of the URL's host"),
    )
    for names, metavar, what in texts:
        parser.add_argument(*names, metavar=metavar, help=what)
    flags: tuple[tuple[tuple[str, ...], str], ...] = (
        (("-k", "--insecure"), "do not verify the server's certificate"),
        (("--unsafe",), "allow methods that change something; they have no body"),
    )
    for switches, what in flags:
        parser.add_argument(*switches, action="store_true", help=what)
    parser.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a header for each request; may be given several times",
    )
