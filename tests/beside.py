"""The same call on requests and on this package, side by side: what it gave, and what came over the wire.

A `Case` is a call that takes a library and says what it got; `check` makes it on both, against one recording
server, and holds the one against the other. Whatever is not said to differ has to be equal, bytes of the
requests included; what is said to differ has to differ, and in just that way.
"""

from __future__ import annotations

import io
import re
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import requests
import urllib3.exceptions

import pystickyhttp
from tests.servers.scripted import Peer, Request, ScriptedServer, respond

# They have the same interface, and no common type.
THEIRS: Final[Any] = requests
OURS: Final[Any] = pystickyhttp

At = Callable[[str], str]
Call = Callable[[Any, At], Any]
Answer = Callable[[Request], bytes]

# A client that says nothing for so long has forgotten its connection; the other one may be at work meanwhile.
_PATIENCE: Final = 60.0


# --- the server


def plain(request: Request) -> bytes:
    """A short text, that says what it is."""
    return respond(b"as sent", headers=[("Content-Type", "text/plain; charset=utf-8")])


class Recorder(ScriptedServer):
    """A server that takes every request, be it as broken as it likes, and keeps its bytes in `received`.

    `answer` makes the responses, and can be set at any time.
    """

    def __init__(self, answer: Answer = plain, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._converse, tls=tls)
        self.answer = answer
        self.received: list[bytes] = []

    def _converse(self, peer: Peer) -> None:
        stream = _Stream(peer)
        while (request := stream.read_request()) is not None:
            self._note_request(request)
            self.received.append(request.raw)
            answer = self.answer(request)
            # An answer that ends with the connection has neither a length nor chunks.
            head = answer.partition(b"\r\n\r\n")[0].lower()
            if not peer.try_send(answer) or request.asks_to_close or b"connection: close" in head:
                return


class _Stream:
    """Requests as they come from one connection; only their framing is understood."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._held = b""

    def read_request(self) -> Request | None:
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        start, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, version = (*start.split(" ", 2), "", "")[:3]
        fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        request = Request(method, target, version, fields, self._peer.number)
        length = request.header_values("Content-Length")
        # A request that has both is broken; it is kept as it was meant to be read.
        if not length and request.header_values("Transfer-Encoding"):
            request.body = self._chunks()
        else:
            request.body = self._take(int((length or ["0"])[0]))
        request.raw = head + request.body
        return request

    def _chunks(self) -> bytes:
        chunks = b""
        while True:
            line = self._until(b"\r\n") or b"0\r\n"
            chunks += line + self._take(int(line, 16) + 2)
            if int(line, 16) == 0:
                return chunks

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._held:
            if not self._more():
                return None
        return self._take(self._held.index(end) + len(end))

    def _take(self, size: int) -> bytes:
        while len(self._held) < size and self._more():
            pass
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _more(self) -> bool:
        piece = self._peer.read_some(_PATIENCE)
        self._held += piece
        return bool(piece)


# --- what a call gave


@dataclass(frozen=True)
class Raised:
    """An error, by name. `kinds` are the names of all classes that catch it."""

    name: str
    kinds: frozenset[str] = field(default=frozenset(), repr=False)
    message: str = ""

    @classmethod
    def of(cls, error: BaseException, library: Any) -> Raised:
        names = [_class_name(kind, library) for kind in type(error).__mro__]
        return cls(names[0], frozenset(names), str(error))


def _class_name(kind: type, library: Any) -> str:
    """The name of a class of the library's own; of any other, with its module."""
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package == library.__name__ else f"{kind.__module__}.{kind.__name__}"


def told(result: Any) -> Any:
    """A result in terms that both libraries share: responses and requests as what is known of them."""
    if isinstance(result, (THEIRS.Response, OURS.Response)):
        return facts_of_response(result)
    if isinstance(result, (THEIRS.PreparedRequest, OURS.PreparedRequest)):
        return facts_of_request(result)
    if isinstance(result, (list, tuple)):
        return [told(each) for each in result]
    if isinstance(result, Mapping):
        return {name: told(value) for name, value in result.items()}
    return result


def facts_of_response(response: Any) -> dict[str, Any]:
    """Everything that is documented of a response, and can be compared."""
    with response:
        return {
            "status_code": response.status_code,
            "reason": response.reason,
            "ok": response.ok,
            "bool": bool(response),
            "repr": repr(response),
            "url": response.url,
            "headers": dict(_same_headers(response.headers)),
            "history": told(response.history),
            "next": told(response.next),
            "is_redirect": response.is_redirect,
            "is_permanent_redirect": response.is_permanent_redirect,
            "links": response.links,
            "cookies": response.cookies.get_dict(),
            "elapsed": type(response.elapsed),
            "encoding": response.encoding,
            "content": response.content,
            "apparent_encoding": (response.apparent_encoding or "none").lower(),
            "text": response.text,
            "json": _json(response),
            "pieces": b"".join(response.iter_content(3)),
            "iterated": b"".join(response),
            "lines": list(response.iter_lines()),
            "request": told(response.request),
        }


def facts_of_request(request: Any) -> dict[str, Any]:
    """Everything that is documented of a prepared request, and can be compared."""
    body = request.body
    return {
        "method": request.method,
        "url": request.url,
        "path_url": request.path_url,
        "headers": list(_same_headers(request.headers)),
        "body": without_chance(body) if isinstance(body, bytes) else body if isinstance(body, str) else None,
        "repr": repr(request),
    }


def _same_headers(headers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in headers.items():
        if name != "Date":  # the second may have passed
            text = without_chance(value.encode("latin-1")) if isinstance(value, str) else value
            yield name, text


def _json(response: Any) -> Any:
    try:
        return response.json()
    except ValueError as error:
        return f"raises {type(error).__name__}"


# What may differ in the bytes of any request, and why.
_BY_CHANCE: Final = (
    # Each says which library it is.
    (re.compile(rb"(?:python-requests|pystickyhttp)/[0-9.]+"), b"library/version"),
    # It has to be in no part, and so is random (RFC 2046, section 5.1.1).
    (re.compile(rb"(?<=boundary=)[0-9a-f]{32}|(?<=--)[0-9a-f]{32}(?=(?:--)?\r\n)"), b"BOUNDARY"),
    # The client's nonce of Digest is random, and the response is made of it (RFC 7616, section 3.4).
    (re.compile(rb"""(?<=cnonce=")[^"]*|(?<= response=")[^"]*(?=".*cnonce=)"""), b"CHANCE"),
)


def without_chance(raw: bytes) -> bytes:
    """The bytes of a request, or of a part of one, without what differs each time or by name."""
    for pattern, replacement in _BY_CHANCE:
        raw = pattern.sub(replacement, raw)
    return raw


# --- both


@dataclass(frozen=True)
class Outcome:
    """What one library made of a call: the result, or the error, and the bytes of its requests."""

    result: Any
    wire: tuple[bytes, ...]


Wire = tuple[bytes, ...]


@dataclass(frozen=True)
class Difference:
    """How ours differs from theirs on purpose, and why.

    Attributes:
        reason: why.
        result: makes ours of their result.
        wire: makes ours of the bytes of their requests.
    """

    reason: str
    result: Callable[[Any], Any] | None = None
    wire: Callable[[Wire], Wire] | None = None

    def applied(self, theirs: Outcome) -> Outcome:
        """What ours has to be, where theirs is this."""
        return Outcome(
            theirs.result if self.result is None else self.result(theirs.result),
            theirs.wire if self.wire is None else self.wire(theirs.wire),
        )


@dataclass(frozen=True)
class Case:
    """A call, how the server answers it, and how the two differ, if they do."""

    call: Call
    answer: Answer = plain
    but: Difference | None = None


Table = dict[str, Case | Call]


def outcome(library: Any, call: Call, server: Recorder) -> Outcome:
    """Make a call on one library."""
    before = len(server.received)
    with warnings.catch_warnings():
        # What requests is going to take away some day, and that somebody asked for no verification.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        try:
            result = told(call(library, server.url))
        except Exception as error:  # noqa: BLE001 - which error it is is what is compared
            result = Raised.of(error, library)
    return Outcome(result, tuple(map(without_chance, server.received[before:])))


def check(case: Case | Call, server: Recorder) -> None:
    """Make a call on both libraries, and assert that they do the same."""
    __tracebackhide__ = True
    case = case if isinstance(case, Case) else Case(case)
    server.answer = case.answer
    theirs, ours = outcome(THEIRS, case.call, server), outcome(OURS, case.call, server)
    if case.but is not None:
        expected = case.but.applied(theirs)
        assert not (same(expected.result, theirs.result) and expected.wire == theirs.wire), (
            f"they do not differ any more: {case.but.reason}"
        )
        theirs = expected
    assert_same(theirs.wire, ours.wire)
    assert_same(theirs.result, ours.result)


def same(theirs: Any, ours: Any) -> bool:
    """Whether who works with the one result, or catches the one error by its name, can do so with both."""
    if isinstance(theirs, Raised):
        return isinstance(ours, Raised) and theirs.name in (ours.name, *ours.kinds)
    return bool(theirs == ours)


def assert_same(theirs: Any, ours: Any) -> None:
    """Assert `same`, and tell apart what is not."""
    __tracebackhide__ = True
    if not same(theirs, ours):
        raise AssertionError("\n".join(["requests (-) and ours (+):", *_told_apart("", theirs, ours)]))


def _told_apart(where: str, theirs: Any, ours: Any) -> Iterator[str]:
    if same(theirs, ours):
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in {**theirs, **ours}:
            yield from _told_apart(f"{where}.{key}", theirs.get(key), ours.get(key))
    elif isinstance(theirs, (list, tuple)) and isinstance(ours, (list, tuple)) and len(theirs) == len(ours):
        for number, pair in enumerate(zip(theirs, ours, strict=True)):
            yield from _told_apart(f"{where}[{number}]", *pair)
    else:
        yield from (f"{where}", f"  - {theirs!r}", f"  + {ours!r}")


# --- words for answers and calls


def always(body: bytes | str = b"", **how: Any) -> Answer:
    """The same answer to every request."""
    answer = respond(body, **how)
    return lambda request: answer


def route(**answers: bytes) -> Answer:
    """An answer for each path, named by it; to others, 404."""
    return lambda request: answers.get(request.target.strip("/").partition("?")[0], respond(status=404))


def plain_if(condition: Any, otherwise: bytes) -> bytes:
    """Yes where the condition holds, and else the other answer."""
    if not condition:
        return otherwise
    return respond("yes", headers=[("Content-Type", "text/plain; charset=utf-8")])


def to(location: str, status: int = 302, *fields: tuple[str, str]) -> bytes:
    """A redirect."""
    return respond("moved", status=status, headers=[("Location", location), *fields])


END = respond("there", headers=[("Content-Type", "text/plain; charset=utf-8")])


SETS_COOKIES = always(
    "set",
    headers=[
        ("Set-Cookie", "plain=1"),
        ("Set-Cookie", "pathed=2; Path=/a"),
        ("Set-Cookie", 'quoted="x y"; HttpOnly'),
        ("Set-Cookie", "old=3; Max-Age=0"),
        ("Set-Cookie", "kept=4; Expires=Wed, 01 Jan 2098 00:00:00 GMT; SameSite=Lax"),
        ("Content-Type", "text/plain; charset=utf-8"),
    ],
)


def in_session(lib: Any, act: Callable[[Any], Any]) -> Any:
    """What something does with a session, which is closed then."""
    with lib.Session() as session:
        return act(session)


def opened(content: bytes, position: int) -> io.BytesIO:
    """A file in memory, that stands somewhere."""
    file = io.BytesIO(content)
    file.seek(position)
    return file


# --- words for differences


def having(**facts: Any) -> Callable[[Any], Any]:
    """The same, but for these facts."""

    def changed(result: Any) -> Any:
        return {**result, **facts}

    return changed


def raising(name: str) -> Callable[[Any], Any]:
    """This error, in the place of whatever there is."""
    return lambda result: Raised(name)


def giving(result: Any) -> Callable[[Any], Any]:
    """This result, in the place of whatever there is."""
    return lambda _: result


def without_line(line: bytes) -> Callable[[Wire], Wire]:
    """The requests without a line of their heads."""
    return instead(line + b"\r\n", b"")


def instead(old: bytes, new: bytes) -> Callable[[Wire], Wire]:
    """The requests with other bytes at one place."""
    return lambda wire: tuple(raw.replace(old, new, 1) for raw in wire)


def nothing_sent(wire: Wire) -> Wire:
    """No request at all."""
    return ()


def in_all(change: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    """A change of bytes, wherever there are any in a result or on the wire."""

    def changed(thing: Any) -> Any:
        if isinstance(thing, bytes):
            return change(thing)
        if isinstance(thing, (list, tuple)):
            return type(thing)(map(changed, thing))
        if isinstance(thing, dict):
            return {name: changed(value) for name, value in thing.items()}
        return thing

    return changed


def cases(**tables: Mapping[str, Case | Call]) -> list[Any]:
    """Tables as parameters of a test, each case by the names of its table and its own."""
    return [
        pytest.param(case, id=f"{table}: {name}")
        for table, calls in tables.items()
        for name, case in calls.items()
    ]


JSON_BY_ITSELF = Difference("JSON is UTF-8, 16 or 32 by itself (RFC 8259)", result=having(encoding=None))
