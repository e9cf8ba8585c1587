"""From the options to a session and a request: what is sent, to whom, as whom."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ..auth import AuthTypes, HTTPBearerAuth, HTTPDigestAuth, basic_credentials, bearer_credentials
from ..headers import Headers
from ..identity import CertTypes, VerifyTypes
from ..retries import Retry
from ..timeouts import DEFAULT_CONNECT, UNSET, Timeout, TimeoutTypes
from ..urls import socket_path
from .arguments import Options
from .failures import CommandError, Exit
from .items import UNKNOWN_TYPE, Items, add_header_lines, as_typed, gather, guessed_type, unreadable
from .terminal import is_interactive

# The failures of a server that pass, as curl's --retry has them.
_PASSING: Final = (408, 429, 500, 502, 503, 504)
# The waits are then 0, 1, 2, 4 ... seconds: enough for a server that starts anew.
_BACKOFF: Final = 0.5
# A limit of time has to be above 0; this one has passed before anything can be done.
_NEXT_TO_NOTHING: Final = 1e-6
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
# Who sends JSON wants JSON back; who has none may answer all the same. As HTTPie asks.
_PREFERS_JSON: Final = "application/json, */*;q=0.5"

_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

# A field of multipart/form-data as a session takes it: its name, and (filename, content[, type]).
_Part: TypeAlias = "tuple[str, tuple[Any, ...]]"


@dataclass
class Body:
    """The body of a request, as `Session.request` takes it.

    Attributes:
        data, json, files: as there.
        content_type: the type, where neither the user nor the session says one.
    """

    data: Any = None
    json: Any = None
    files: list[_Part] | None = None
    content_type: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return self.data is None and self.json is None and self.files is None


@dataclass
class Order:
    """A request that the options ask for.

    Attributes:
        method, url, params, headers: of the request.
        body: its body.
        auth: who sends it.
    """

    method: str
    url: str
    params: list[tuple[str | bytes, str | bytes]]
    headers: Headers
    body: Body
    auth: AuthTypes


def order_of(options: Options, opened: ExitStack) -> Order:
    """The request that the options ask for.

    Args:
        options: the options.
        opened: takes the files that are uploaded, and closes them at the end.

    Raises:
        CommandError: it can't be made.
    """
    items = gather(options.items)
    body = _body(options, items, opened)
    return Order(
        method=_method(options, body),
        url=full_url(options.url, over_socket=options.unix_socket is not None),
        params=items.params,
        headers=_headers(options, items, body),
        body=body,
        auth=_auth(options),
    )


def full_url(text: str, *, over_socket: bool = False) -> str:
    """A URL as users write it, with its scheme and its host.

    Args:
        text: the URL, or a part of it.
        over_socket: whether a unix socket is dialled, so that a path alone will do.
    """
    text = text.strip()
    if _HAS_SCHEME.match(text):
        return text
    if text.startswith("//"):
        return f"http:{text}"
    if text.startswith("/") and over_socket:
        return f"http://localhost{text}"
    shorthand = re.fullmatch(r":([0-9]*)([/?#].*)?", text)
    if shorthand is not None:
        port = f":{shorthand[1]}" if shorthand[1] else ""
        return f"http://localhost{port}{shorthand[2] or '/'}"
    return f"http://{text}"


def _method(options: Options, body: Body) -> str:
    if options.head and (options.method or "HEAD").upper() != "HEAD":
        raise CommandError(f"--head asks by HEAD, and the method is {options.method}: leave one out")
    if options.head and not body.is_empty:
        raise CommandError("--head asks by HEAD, which takes no body: leave the fields out")
    if options.head:
        return "HEAD"
    if options.method is not None:
        return options.method
    return "GET" if body.is_empty else "POST"


# --- headers


def _headers(options: Options, items: Items, body: Body) -> Headers:
    headers = items.headers
    add_header_lines(headers, options.header)
    if options.bearer is not None or options.auth is not None:
        _refuse_two_authorizations(headers)
    if body.content_type is not None and "Content-Type" not in headers:
        headers["Content-Type"] = body.content_type
    if (options.json or body.json is not None) and "Accept" not in headers:
        headers["Accept"] = _PREFERS_JSON
    return headers


def _refuse_two_authorizations(headers: Headers) -> None:
    if "Authorization" in headers:
        raise CommandError("a header Authorization and --auth or --bearer contradict each other")


# --- body


def _body(options: Options, items: Items, opened: ExitStack) -> Body:
    has_fields = bool(items.fields or items.uploads)
    if options.data and has_fields:
        raise CommandError("--data is the whole body: leave it out, or the fields")
    if options.data:
        return _raw_body(options, opened)
    if items.uploads and (options.json or items.has_json):
        raise CommandError("a file is uploaded in a form, which has no JSON: name:=@file puts its JSON in")
    if items.has_json and options.form:
        raise CommandError("a form has no JSON (:=): write name=value, or leave --form out")
    if items.uploads:
        fields = [(name, (None, as_typed(value))) for name, value in items.fields]
        return Body(files=[*fields, *_parts(items, opened)])
    if not items.fields:
        return Body()
    if options.form:
        return Body(data=[(as_typed(name), as_typed(value)) for name, value in items.fields])
    if items.not_text is not None:  # RFC 8259, section 8.1
        raise CommandError(f"the field {items.not_text!r} is no text, as JSON has to be: --form sends bytes")
    return Body(json=dict(items.fields))


def _raw_body(options: Options, opened: ExitStack) -> Body:
    texts = options.data
    if len(texts) > 1 and any(text.startswith("@") for text in texts):
        raise CommandError("--data with a file is the whole body: give it once")
    if texts[0].startswith("@"):
        path = texts[0][1:]
        kind = _JSON if options.json else _FORM if options.form else guessed_type(path)
        return Body(data=_opened(path, opened), content_type=kind)
    # Bytes that are no text in this system's encoding come out as they went in.
    return Body(data=os.fsencode("&".join(texts)), content_type=_JSON if options.json else _FORM)


def _parts(items: Items, opened: ExitStack) -> list[_Part]:
    return [
        (name, (os.path.basename(path) or path, _opened(path, opened), content_type or UNKNOWN_TYPE))
        for name, path, content_type in items.uploads
    ]


def _opened(path: str, opened: ExitStack) -> Any:
    if path == "-":
        if sys.stdin is None:
            raise CommandError("standard input is closed: name a file", Exit.READ_FAILED)
        return sys.stdin.buffer
    try:
        return opened.enter_context(open(path, "rb"))
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from None


# --- auth


def _auth(options: Options) -> AuthTypes:
    try:
        if options.bearer is not None:
            bearer_credentials(options.bearer)
            return HTTPBearerAuth(options.bearer)
        if options.auth is None:
            return None
        user, password = map(as_typed, _credentials(options.auth))
        basic_credentials(user, password)
    except ValueError as error:
        raise CommandError(str(error)) from None
    return HTTPDigestAuth(user, password) if options.digest else (user, password)


def _credentials(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if colon:
        return user, password
    if not is_interactive():
        raise CommandError(
            f"--auth {user} has no password, and there is nobody to ask: write --auth {user}:PASSWORD"
        )
    try:
        return user, getpass.getpass(f"password of {user}: ", sys.stderr)
    except EOFError:
        raise CommandError("there is no password") from None


# --- the settings of the session


def timeout_of(options: Options, passed: float = 0.0) -> TimeoutTypes:
    """The limits of time. With one for the whole, a silence has none of its own.

    Args:
        options: the options.
        passed: the seconds that earlier requests of the same command took.
    """
    connect = DEFAULT_CONNECT if options.connect_timeout is None else options.connect_timeout
    if options.timeout is not None:
        # Where nothing is left, the request has to say so, and not the setting.
        left = max(round(options.timeout - passed, 3), _NEXT_TO_NOTHING)
        return Timeout(connect=connect, read=None, write=None, pool=None, total=left)
    return UNSET if options.connect_timeout is None else Timeout(connect=connect)


def retries_of(options: Options) -> Retry | int:
    """What is tried again; a status that does not go away is an answer like others."""
    if not options.retry:
        return 0
    return Retry(options.retry, status_forcelist=_PASSING, backoff_factor=_BACKOFF, raise_on_status=False)


def verify_of(options: Options) -> VerifyTypes:
    """Whom to trust.

    Raises:
        CommandError: there is no such file.
    """
    if options.insecure:
        return False
    if options.cacert is None:
        return True
    if not os.path.exists(options.cacert):
        raise CommandError(f"--cacert {options.cacert!r}: there is no such file", Exit.BAD_CA_FILE)
    return options.cacert


def cert_of(options: Options) -> CertTypes:
    """As whom to appear.

    Raises:
        CommandError: there is no such file.
    """
    for option, path in (("--cert", options.cert), ("--key", options.key)):
        if path is not None and not os.path.isfile(path):
            raise CommandError(f"{option} {path!r}: there is no such file", Exit.BAD_CLIENT_CERTIFICATE)
    if options.cert is None or options.key is None:
        return options.cert
    return options.cert, options.key


def proxies_of(options: Options) -> Mapping[str, str | None] | None:
    """The proxies: None leaves the word to the environment; an empty text means direct, as to curl."""
    if options.proxy is None:
        return None
    return {"all": options.proxy} if options.proxy else {}


def socket_of(options: Options) -> str | None:
    """The path of the unix socket, absolute, or None.

    Raises:
        CommandError: it is none.
    """
    if options.unix_socket is None:
        return None
    if not options.unix_socket:
        raise CommandError("--unix-socket '' names no socket: name one, or leave it out")
    try:
        return socket_path(os.path.abspath(options.unix_socket))
    except (OSError, ValueError) as error:  # an OSError where the folder was deleted under us
        raise CommandError(f"--unix-socket: {error}") from None
