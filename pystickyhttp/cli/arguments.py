"""The options, and the words around them: which is the method, which the URL, which are items."""

from __future__ import annotations

import argparse
import math
import re
import ssl
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from ..__version__ import __version__
from ..timeouts import MAX_SECONDS
from . import items
from .failures import CommandError, Exit
from .output import write_text

PROGRAM: Final = "pystickyhttp"

_USAGE: Final = f"{PROGRAM} [OPTION ...] [METHOD] URL [ITEM ...]\n       {PROGRAM} bench URL [OPTION ...]"
_DESCRIPTION: Final = r"""
Send a request over HTTP/1.1, and show what comes back.

  METHOD  such as GET or put; by default GET, or POST where there is a body
  URL     without a scheme it is http, as with curl: example.com is http://example.com;
          :8000/path is http://localhost:8000/path
  ITEM    what the request is made of:
            Name:value     a header (Name: takes one away, Name; sends an empty one)
            name==value    a parameter of the query
            name=value     a field of a JSON object, or of a form with --form
            name:=json     a field that is no text: number:=3, list:='["a", "b"]'
            name@file      a file to upload; name@file;type=text/csv says its type
            name=@file     a field with the text of a file; name:=@file with its JSON
          A separator in a name has a backslash before it: a\:b=c
"""
_EXAMPLES: Final = f"""
examples:
  {PROGRAM} example.com
  {PROGRAM} PUT api.example.com/users/1 name=Ada age:=36
  {PROGRAM} --form example.com/upload title=Cats photo@cats.jpg
  {PROGRAM} --auth ada --verbose --timing https://example.com/private
  {PROGRAM} --download https://example.com/big.iso     and, should it be cut off,
  {PROGRAM} --download --continue https://example.com/big.iso
  {PROGRAM} --session cookies.json --form example.com/login user=ada password=@secret.txt
  {PROGRAM} --unix-socket /var/run/docker.sock /version
  {PROGRAM} bench https://example.com/                 what do kept connections gain here?
"""


# As many columns of exit codes as fit into a line of a terminal.
_CODES_IN_LINE: Final = 3


def _exit_codes() -> str:
    """The exit codes as a table, for --help."""
    cells = [f"{code:<3} {code.meaning}" for code in Exit]
    width = max(map(len, cells)) + 2
    rows = (cells[begin : begin + _CODES_IN_LINE] for begin in range(0, len(cells), _CODES_IN_LINE))
    lines = ("".join(cell.ljust(width) for cell in row).rstrip() for row in rows)
    return "\n  ".join(["exit codes, those of curl:", *lines])


class Options(argparse.Namespace):
    """The options as they were given, under their long names, and the words that are none."""

    words: list[str]
    method: str | None
    json: bool
    form: bool
    data: list[str]
    header: list[str]
    auth: str | None
    digest: bool
    bearer: str | None
    proxy: str | None
    cert: str | None
    key: str | None
    cacert: str | None
    insecure: bool
    timeout: float | None
    connect_timeout: float | None
    follow: bool
    max_redirects: int | None
    retry: int
    session: str | None
    unix_socket: str | None
    verbose: int
    include: bool
    head: bool
    output: str | None
    download: bool
    resume: bool
    timing: bool
    fail: bool
    pretty: bool | None
    color: bool

    url: str
    items: list[str]

    @property
    def goes_to_a_file(self) -> bool:
        """Whether all that comes is kept in a file, and nothing is shown."""
        return self.download or (self.output not in (None, "-") and not self.include)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are the command's own, in one line."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see {PROGRAM} --help)")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MAX_SECONDS:  # not a number fails it too
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _count(text: str) -> int:
    # int() takes more than a user means: spaces, underlines, and the digits of other scripts.
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def versions() -> str:
    """The versions that a report of a bug has to name."""
    from importlib import metadata  # as slow to load as all the rest of this module

    python = ".".join(map(str, sys.version_info[:3]))
    parser = metadata.version("h11")
    return f"{PROGRAM} {__version__} (Python {python}, h11 {parser}, {ssl.OPENSSL_VERSION})"


class _ShowVersions(argparse.Action):
    """argparse's own action wants to know the versions at each start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        write_text(versions() + "\n")
        parser.exit()


class ShowHelp(argparse.Action):
    """argparse's own action ends as if all were well where the help can't be written."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        write_text(parser.format_help())
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\n{_exit_codes()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # An option that is added later must not change what a script's abbreviation means.
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    _add_request(parser.add_argument_group("the request"))
    _add_way(parser.add_argument_group("the way to the server"))
    _add_output(parser.add_argument_group("what is shown"))
    _add_download(parser.add_argument_group("files"))
    others = parser.add_argument_group("others")
    others.add_argument("--version", action=_ShowVersions, nargs=0, help="show the versions")
    others.add_argument("--help", "-h", action=ShowHelp, nargs=0, help="show this")
    return parser


def _add_request(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--request", "-X", dest="method", metavar="METHOD", help="the method; then the first word is the URL")
    add("--json", "-j", action="store_true", help="fields are JSON (the default), and so is --data")
    add("--form", "-f", action="store_true", help="fields are a form, or multipart where there are files")
    add(
        "--data",
        "-d",
        action="append",
        default=[],
        metavar="RAW",
        help="the body as it is: text, @FILE, or @- for standard input; several texts are joined by &; "
        "text is sent as a form, as curl does, unless a Content-Type or --json says otherwise",
    )
    add("--header", "-H", action="append", default=[], metavar="'NAME: VALUE'", help="as the item Name:value")
    add(
        "--auth",
        "-a",
        metavar="USER[:PASSWORD]",
        help="Basic auth; a password that is left out is asked for",
    )
    add("--digest", action="store_true", help="--auth by Digest")
    add("--bearer", metavar="TOKEN", help="Authorization: Bearer TOKEN")
    add("--session", metavar="FILE", help="keep cookies in a file: JSON if it is named so, else cookies.txt")


def _add_way(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--follow",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="follow redirects; the default, as in a Session",
    )
    add("--max-redirects", type=_count, metavar="N", help="follow so many at most; by default 30")
    add("--timeout", "-m", type=_seconds, metavar="SECONDS", help="the most that all of it may take")
    add("--connect-timeout", type=_seconds, metavar="SECONDS", help="the most to connect; by default 10")
    add(
        "--retry",
        type=_count,
        default=0,
        metavar="N",
        help="try again up to N times what failed on the way, or by 408, 429, 500, 502, 503 or 504; "
        "go on with a download that was cut off",
    )
    add("--proxy", metavar="URL", help="http://, https://, socks5:// or socks5h://; '' for none")
    add("--unix-socket", metavar="PATH", help="connect to a unix socket; the URL can be a path alone then")
    add("--cacert", metavar="FILE", help="trust these authorities in the place of the system's")
    add("--cert", metavar="FILE", help="the client's certificate")
    add("--key", metavar="FILE", help="its key, if that is in another file")
    add("--insecure", "-k", action="store_true", help="do not verify who answers")


def _add_output(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--verbose",
        "-v",
        action="count",
        default=0,
        help="show both heads on standard error; passwords and cookies are hidden, unless it is given twice",
    )
    add("--include", "-i", action="store_true", help="show the heads of responses before the body")
    add("--head", "-I", action="store_true", help="ask for the head alone, by HEAD, and show it")
    add("--timing", action="store_true", help="show on standard error where the time went")
    add("--fail", action="store_true", help="take a status from 400 on for an error: exit code 22, no body")
    add(
        "--pretty",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="lay JSON out for reading; by default on a terminal",
    )
    add("--no-color", dest="color", action="store_false", help="no colours; NO_COLOR says it for good")


def _add_download(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--output",
        "-o",
        metavar="FILE",
        help="write the body to a file; - is standard output, binary or not; a download may go into a folder",
    )
    add(
        "--download",
        action="store_true",
        help="save the body to a file that the server or the URL names, with a progress bar; "
        "one that is there is never replaced without asking, unless --output names it",
    )
    add(
        "--continue",
        "-c",
        dest="resume",
        action="store_true",
        help="go on with a download that was cut off, if the file is still the same",
    )


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises:
        CommandError: it is wrong.
        SystemExit: it asked for help or for the version, which were shown.
    """
    given, behind = _split_at_dashes(list(arguments))
    options = _parser().parse_intermixed_args(given, namespace=Options())
    options.words = [*options.words, *behind]
    method, options.url, options.items = _sorted_words(options.words, options.method)
    options.method = method
    options.download = options.download or options.resume
    _check(options)
    return options


def _split_at_dashes(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands behind "--" is no option; argparse forgets that where options and words are mixed."""
    if "--" not in arguments:
        return arguments, []
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _sorted_words(words: list[str], method: str | None) -> tuple[str | None, str, list[str]]:
    if method is None and len(words) > 1 and _is_method(words[0], words[1]):
        method, words = words[0], words[1:]
    if not words:
        raise CommandError(f"there is no URL: write {PROGRAM} [METHOD] URL (see {PROGRAM} --help)")
    return method, words[0], words[1:]


_KNOWN_METHODS: Final = frozenset({"get", "head", "post", "put", "patch", "delete", "options", "trace"})


def _is_method(word: str, following: str) -> bool:
    """Whether the first word is a method. A host of the same name is written with a slash behind it."""
    if word.lower() in _KNOWN_METHODS:
        return not items.is_item(following)
    return word.isascii() and word.replace("-", "").isalpha() and word.isupper()


def _check(options: Options) -> None:
    """Refuse what contradicts itself.

    Raises:
        CommandError: it does.
    """
    contradictions = (
        (options.json and options.form, "--json and --form"),
        (options.auth is not None and options.bearer is not None, "--auth and --bearer"),
        (options.insecure and options.cacert is not None, "--insecure and --cacert"),
        (options.head and options.download, "--head and --download"),
        (options.head and options.output is not None, "--head and --output"),
        (options.include and options.download, "--include and --download"),
        (options.download and options.output == "-", "--download and --output -"),
    )
    for both, names in contradictions:
        if both:
            raise CommandError(f"{names} contradict each other: leave one out")
    for option, path in (("--output", options.output), ("--session", options.session)):
        if path == "":
            raise CommandError(f"{option} '' names no file: name one, or leave it out")
    if options.digest and options.auth is None:
        raise CommandError("--digest says how, and nothing says who: add --auth USER:PASSWORD")
    if options.key is not None and options.cert is None:
        raise CommandError("--key belongs to a certificate: add --cert FILE")
