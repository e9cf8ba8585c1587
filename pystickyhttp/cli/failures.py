"""What a command ends with: its exit code, and one line that says what failed.

The codes are those of curl, which scripts know already; where curl has none, the shell's.
"""

from __future__ import annotations

import re
import ssl
from enum import IntEnum
from typing import Final, Self

from .. import exceptions
from ..cookies import CookieFileError
from .terminal import harmless


class Exit(IntEnum):
    """The exit codes of the command line, by curl's names for them.

    Attributes:
        meaning: what it says, in a few words; --help is made of them, and the README repeats them.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "done"
    UNSUPPORTED_SCHEME = 1, "unknown scheme"
    USAGE = 2, "wrong usage"
    MALFORMED_URL = 3, "bad URL"
    PROXY_NOT_RESOLVED = 5, "proxy unknown"
    HOST_NOT_RESOLVED = 6, "host unknown"
    CONNECT_FAILED = 7, "not connected"
    WEIRD_REPLY = 8, "not HTTP"
    PARTIAL_FILE = 18, "cut off"
    HTTP_ERROR = 22, "HTTP error"
    WRITE_FAILED = 23, "not written"
    READ_FAILED = 26, "not read"
    TIMED_OUT = 28, "out of time"
    RANGE_FAILED = 33, "bad range"
    TLS_FAILED = 35, "TLS failed"
    TOO_MANY_REDIRECTS = 47, "too many redirects"
    EMPTY_REPLY = 52, "empty reply"
    SEND_FAILED = 55, "not sent"
    RECEIVE_FAILED = 56, "connection lost"
    BAD_CLIENT_CERTIFICATE = 58, "bad client certificate"
    NOT_VERIFIED = 60, "not verified"
    BAD_CODING = 61, "bad content coding"
    CANNOT_REWIND = 65, "not to be sent again"
    BAD_CA_FILE = 77, "bad CA file"
    SOCKS_FAILED = 97, "SOCKS failed"
    # The shell's: 128, and the number of the signal, SIGINT or SIGPIPE.
    INTERRUPTED = 130, "interrupted"
    PIPE_CLOSED = 141, "its reader has left"


class CommandError(Exception):
    """Something that the user has to hear of in one line.

    Args:
        message: what failed, and what to do about it.
        code: the exit code.
    """

    def __init__(self, message: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.code = code


# The first that fits counts, so that the finer ones go first. What has to be asked closer is not in here.
_CODES: Final[tuple[tuple[type[BaseException], Exit], ...]] = (
    (CookieFileError, Exit.READ_FAILED),
    (exceptions.Timeout, Exit.TIMED_OUT),
    (exceptions.NameResolutionError, Exit.HOST_NOT_RESOLVED),
    (exceptions.ConnectError, Exit.CONNECT_FAILED),
    (exceptions.IncompleteBody, Exit.PARTIAL_FILE),
    (exceptions.RemoteProtocolError, Exit.WEIRD_REPLY),
    (exceptions.ChunkedEncodingError, Exit.RECEIVE_FAILED),
    (exceptions.ContentDecodingError, Exit.BAD_CODING),
    (exceptions.TooManyRedirects, Exit.TOO_MANY_REDIRECTS),
    (exceptions.UnrewindableBodyError, Exit.CANNOT_REWIND),
    (exceptions.InvalidProxyURL, Exit.PROXY_NOT_RESOLVED),
    (exceptions.InvalidURL, Exit.MALFORMED_URL),
    (exceptions.InvalidSchema, Exit.UNSUPPORTED_SCHEME),
    (exceptions.InvalidMethod, Exit.USAGE),
    (exceptions.InvalidHeader, Exit.USAGE),
    (exceptions.InvalidBody, Exit.USAGE),
    (exceptions.InvalidJSONError, Exit.USAGE),
)


def code_of(error: exceptions.RequestException) -> Exit:
    """The exit code for an error of a request."""
    if isinstance(error, exceptions.SSLError):
        return _code_of_tls(error)
    if isinstance(error, exceptions.TunnelError):
        # curl: CONNECT that is refused is a failure to receive; of SOCKS there is a code of its own.
        return Exit.SOCKS_FAILED if _speaks_socks(error) else Exit.RECEIVE_FAILED
    if isinstance(error, exceptions.ProxyError):
        unresolved = isinstance(error.__cause__, exceptions.NameResolutionError)
        return Exit.PROXY_NOT_RESOLVED if unresolved else Exit.CONNECT_FAILED
    if isinstance(error, exceptions.ConnectionLost):
        return _code_of_loss(error)
    fitting = (code for kind, code in _CODES if isinstance(error, kind))
    return next(fitting, Exit.RECEIVE_FAILED)


# Files that could not be loaded, ahead of any handshake: the error says so in its words alone.
_NOT_LOADED: Final = (
    (re.compile(r"\bthe CA certificates .* can't be loaded\b"), Exit.BAD_CA_FILE),
    (re.compile(r"\bthe client certificate .* can't be loaded\b"), Exit.BAD_CLIENT_CERTIFICATE),
)


def _code_of_tls(error: exceptions.SSLError) -> Exit:
    for pattern, code in _NOT_LOADED:
        if pattern.search(str(error)):
            return code
    refused = any(isinstance(each, ssl.SSLCertVerificationError) for each in _causes(error))
    return Exit.NOT_VERIFIED if refused else Exit.TLS_FAILED


def _speaks_socks(error: exceptions.TunnelError) -> bool:
    return error.reply is not None or error.wants_credentials


def _code_of_loss(error: exceptions.ConnectionLost) -> Exit:
    """curl: a reset is a failure to receive; an end before the first byte is an empty reply.

    curl's code for an upload that breaks off is that of the call that saw it first, to send or to receive.
    Here it is one code for all of them.
    """
    if not error.received and _is_surely_unsent(error):
        return Exit.SEND_FAILED
    if any(isinstance(each, (ConnectionResetError, BrokenPipeError)) for each in _causes(error)):
        return Exit.RECEIVE_FAILED
    return Exit.RECEIVE_FAILED if error.received else Exit.EMPTY_REPLY


def _is_surely_unsent(error: exceptions.ConnectionLost) -> bool:
    """Whether a part of the request was not sent. Its head has bytes too, and so whoever sent no more than
    the body has did not send all; how long a body in chunks was going to be is not known."""
    said = "0" if error.request is None else error.request.headers.get("Content-Length", "0")
    return error.sent <= int(said)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    following = error.__cause__ or error.__context__
    while following is not None and following not in found:
        found.append(following)
        following = following.__cause__ or following.__context__
    return found


# The remedies of the package speak to programs; who types a command has options in their places.
_REMEDIES: Final = (
    (re.compile(r"\bverify='([^']*)'"), r"--cacert \1"),
    (re.compile(r"\bverify=False\b"), "--insecure"),
    (re.compile(r"\bverify="), "--cacert"),
    (re.compile(r"\bcert=\(certificate, key\)"), "--cert and --key"),
    (
        re.compile(r"\bcert= takes a PEM file with both, or a pair of files"),
        "--cert takes both, --key the key",
    ),
    (
        re.compile(r"\bcert= takes it as \(certificate, key, password\)"),
        "`openssl pkey -in KEY -out OTHER` takes the password off",
    ),
    (re.compile(r", or say it by server_hostname="), ""),
    (re.compile(r"\bsession's max_redirects\b"), "--max-redirects"),
    (re.compile(r"no adapter serves (.+): this session has .+"), r"\1 is neither http:// nor https://"),
    (
        re.compile(r"\bheaders=\{'Authorization': f'Bearer \{token\}'\}"),
        "--header 'Authorization: Bearer TOKEN'",
    ),
    (re.compile(r"; strip\(\) it of a line end"), ", without the end of a line"),
    (re.compile(r"\bpass (?=--)"), "give "),
)
# What an option would change, and the package can't know of.
_HINTS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (exceptions.TooManyRedirects, "--max-redirects allows more, --no-follow shows the first"),
    (exceptions.TotalTimeout, "--timeout allows more"),
    (exceptions.ConnectTimeout, "--connect-timeout allows more"),
)


def line_of(error: BaseException) -> str:
    """What failed, in one line, with the remedy in the words of the command line."""
    text = str(error)
    for pattern, option in _REMEDIES:
        text = pattern.sub(option, text)
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), None)
    if hint is not None:
        text = f"{text}: {hint}"
    return harmless(" ".join(text.split()))


def file_error(error: OSError, doing: str, path: str, code: Exit) -> CommandError:
    """An error of the file system, told with what was being done.

    Args:
        error: the error.
        doing: such as "read".
        path: the file.
        code: the exit code.
    """
    return CommandError(f"can't {doing} {path!r}: {error.strerror or error}", code)
