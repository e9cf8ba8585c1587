"""Responses, streams and redirects, side by side with requests: the same answer is read in the same way.

What a server may answer stands in tables; see `test_side_by_side` for how they are read.
"""

from __future__ import annotations

import gzip
import io
import pickle
import shutil
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.beside import (
    END,
    JSON_BY_ITSELF,
    SETS_COOKIES,
    At,
    Call,
    Case,
    Difference,
    Recorder,
    Table,
    always,
    cases,
    check,
    giving,
    having,
    in_session,
    opened,
    raising,
    route,
    to,
)
from tests.servers.scripted import (
    respond,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    with Recorder() as server:
        yield server


# --- responses


def _answered(*fields: tuple[str, str], body: bytes | str = "", **how: Any) -> Case:
    return Case(lambda lib, at: lib.get(at("/")), answer=always(body, headers=list(fields), **how))


def _typed(content_type: str, body: bytes | str, but: Difference | None = None) -> Case:
    return Case(
        lambda lib, at: lib.get(at("/")),
        answer=always(body, headers=[("Content-Type", content_type)]),
        but=but,
    )


def _coded(coding: str, body: bytes) -> Case:
    fields = [("Content-Encoding", coding), ("Content-Type", "text/plain; charset=utf-8")]
    return Case(lambda lib, at: lib.get(at("/")), answer=always(body, headers=fields))


TEXT = "Grüße ☃, und noch viel mehr Text, der nach UTF-8 aussieht"
TOO_SHORT = Difference("nobody can tell by a few bytes", having(apparent_encoding="iso-8859-1"))
UNTOLD = Difference(
    "text is by byte order mark, UTF-8, or latin-1, which `encoding` does not say it was told",
    result=lambda facts: {**facts, "encoding": None, "text": facts["content"].decode("utf-8", "replace")},
)

RESPONSES: Table = {
    **{
        f"status {status}": Case(lambda lib, at: lib.get(at("/")), answer=always("", status=status))
        for status in (200, 201, 202, 204, 206, 299, 304, 400, 401, 403, 404, 418, 429, 451, 500, 503, 599)
    },
    "a reason of its own": _answered(status=200, reason="All Right Then"),
    "no reason": _answered(status=200, reason=""),
    "a reason in UTF-8": Case(
        lambda lib, at: lib.get(at("/")).reason,
        answer=lambda request: "HTTP/1.1 200 Größe\r\nContent-Length: 0\r\n\r\n".encode(),
        but=Difference("requests takes it for latin-1", result=giving("Größe")),
    ),
    **{
        f"status {status}": Case(
            lambda lib, at: lib.get(at("/")),
            answer=always("", status=status),
            but=Difference(
                "`ok` is whether the status is below 400, as documented", having(ok=False, bool=False)
            ),
        )
        for status in (600, 999)
    },
    "chunks": Case(lambda lib, at: lib.get(at("/")), answer=always(TEXT, chunked=True)),
    "no length, to the end": Case(
        lambda lib, at: lib.get(at("/")),
        answer=lambda request: b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
    ),
    "HTTP/1.0": Case(
        lambda lib, at: lib.get(at("/")),
        answer=lambda request: b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nold",
    ),
    "100 Continue ahead": Case(
        lambda lib, at: lib.get(at("/")),
        answer=lambda request: b"HTTP/1.1 100 Continue\r\n\r\n" + respond("b"),
    ),
    "a field that comes twice": _answered(("X-A", "1"), ("x-a", "2"), body="x"),
    "a field without a value": _answered(("X-A", ""), body="x"),
    "a field in latin-1": _answered(("X-A", "é"), body="x"),
    "names of fields in any case": Case(
        lambda lib, at: [lib.get(at("/")).headers[name] for name in ("content-type", "CONTENT-TYPE")],
        answer=always("x", headers=[("Content-Type", "a/b")]),
    ),
    "links": _answered(
        ("Link", '<https://api.example/?page=2>; rel="next", <https://api.example/?page=7>; rel="last"'),
        body="x",
    ),
    "links without rel": _answered(("Link", "</a>, </b>; title=b"), body="x"),
    "a link of many parameters": _answered(
        ("Link", "<http:/.../front.jpeg>; rel=front; type='image/jpeg'"), body="x"
    ),
    "text in UTF-8": _typed("text/plain; charset=utf-8", TEXT),
    "text in latin-1": _typed("text/plain; charset=ISO-8859-1", TEXT.encode("latin-1", "replace")),
    "text in windows-1251": _typed(
        "text/plain; charset=windows-1251", "Привет, мир".encode("windows-1251"), TOO_SHORT
    ),
    "text in UTF-16": _typed("text/plain; charset=utf-16", TEXT.encode("utf-16")),
    "text with a charset in quotes": _typed('text/html; charset="utf-8"', TEXT),
    "text with a charset in capitals": _typed("text/html; CHARSET=UTF-8", TEXT),
    "text that is no UTF-8": _typed("text/plain; charset=utf-8", b"a\xffb", TOO_SHORT),
    "no Content-Type": Case(lambda lib, at: lib.get(at("/")), answer=always(TEXT)),
    "bytes": _typed(
        "application/octet-stream",
        bytes(range(256)),
        Difference(
            "it is never None, and text is latin-1 then, where nothing gets lost",
            having(apparent_encoding="iso-8859-1", text=bytes(range(256)).decode("latin-1")),
        ),
    ),
    "an image": _typed(
        "image/png",
        b"\x89PNG\r\n\x1a\n",
        Difference(
            "nobody can tell by a few bytes; requests takes it for Chinese",
            having(apparent_encoding="iso-8859-1", text="\x89PNG\r\n\x1a\n"),
        ),
    ),
    "text of no charset that looks like latin-1": _typed("application/x", ("Größe, " * 20).encode("latin-1")),
    "text of no charset": _typed("text/plain", TEXT, UNTOLD),
    "JSON": _typed("application/json", '{"a": [1, "ü", null]}', JSON_BY_ITSELF),
    "JSON with its charset": _typed("application/json; charset=utf-8", '{"a": [1, "ü", null]}'),
    "JSON of another type": _typed("application/problem+json", '{"a": 1}'),
    "JSON in UTF-16": _typed("application/json; charset=utf-16", '{"a": "ü"}'.encode("utf-16")),
    "gzip": _coded("gzip", gzip.compress(TEXT.encode())),
    "x-gzip": _coded("x-gzip", gzip.compress(TEXT.encode())),
    "gzip of two members": _coded("gzip", gzip.compress(b"one ") + gzip.compress(b"two")),
    "deflate": _coded("deflate", zlib.compress(TEXT.encode())),
    "deflate without its head": _coded("deflate", zlib.compress(TEXT.encode(), wbits=-15)),
    "deflate, then gzip": _coded("deflate, gzip", gzip.compress(zlib.compress(TEXT.encode()))),
    "a coding in capitals": _coded("GZIP", gzip.compress(TEXT.encode())),
    "identity": _coded("identity", TEXT.encode()),
    "a coding that nobody knows": _coded("x-unknown", b"as it is"),
    "gzip of nothing": _coded("gzip", b""),
    "gzip in chunks": Case(
        lambda lib, at: lib.get(at("/")),
        answer=always(gzip.compress(TEXT.encode()), headers=[("Content-Encoding", "gzip")], chunked=True),
    ),
    "encoding that is set": Case(lambda lib, at: _decoded(lib.get(at("/")), "latin-1"), answer=always(TEXT)),
    "encoding that is none": Case(lambda lib, at: _decoded(lib.get(at("/")), "no-such"), answer=always(TEXT)),
    "json with arguments": Case(
        lambda lib, at: lib.get(at("/")).json(parse_float=str, object_pairs_hook=list),
        answer=always('{"a": 1.10}'),
    ),
    "json with a byte order mark": Case(
        lambda lib, at: lib.get(at("/")).json(), answer=always("\ufeff[1]".encode("utf-8"))
    ),
    "pickled": Case(lambda lib, at: _pickled(lib.get(at("/"))), answer=SETS_COOKIES),
    "pickled after a redirect": Case(
        lambda lib, at: _pickled(lib.get(at("/from"))),
        answer=route(
            **{"from": respond("", status=302, headers=[("Location", "/to")]), "to": respond("there")}
        ),
    ),
    "made by hand": lambda lib, at: _made_by_hand(lib),
    "made by hand, and nothing set": Case(
        lambda lib, at: [lib.Response().status_code, lib.Response().url, lib.Response().reason],
        but=Difference("their types are int and str; each is as false as None", giving([0, "", ""])),
    ),
    "raise_for_status of a success": lambda lib, at: lib.get(at("/")).raise_for_status(),
    **{
        f"raise_for_status of {status}": Case(
            lambda lib, at: _message_of_status(lib, lib.get(at("/x?a=b"))), answer=always("", status=status)
        )
        for status in (304, 399, 400, 404, 499, 500, 503, 599, 600)
    },
}


def _made_by_hand(lib: Any) -> Any:
    """As programs do to test what they make of responses."""
    response = lib.Response()
    bare = [
        response.history,
        dict(response.headers),
        response.raw,
        response.encoding,
        response.cookies.get_dict(),
    ]
    response.status_code = 404
    response.reason = "Not Found"
    response.url = "http://a.example/"
    response.headers["content-type"] = "text/plain; charset=utf-8"
    response.encoding = "utf-8"
    response.elapsed = timedelta(seconds=1)
    response._content = b'{"a": 1}'
    made = [response.json(), response.text, response.ok, response.elapsed, _message_of_status(lib, response)]
    response.raw = io.BytesIO(b"raw")
    return [*bare, *made, response.content]


def _decoded(response: Any, encoding: str) -> str:
    response.encoding = encoding
    return str(response.text)


def _pickled(response: Any) -> Any:
    copy = pickle.loads(pickle.dumps(response))
    return {
        "all that can be told": [
            copy.status_code,
            copy.reason,
            copy.url,
            copy.text,
            copy.encoding,
            copy.ok,
            repr(copy),
        ],
        "headers": dict(copy.headers),
        "cookies": copy.cookies.get_dict(),
        "history": [each.status_code for each in copy.history],
        "elapsed": type(copy.elapsed),
        "request": copy.request.url,
    }


def _message_of_status(lib: Any, response: Any) -> Any:
    try:
        response.raise_for_status()
    except lib.HTTPError as error:
        return [str(error), error.response is response, error.request is response.request]
    return "fine"


# --- streams


def _streamed(lib: Any, at: At, read: Callable[[Any], Any], **how: Any) -> Any:
    with lib.get(at("/"), stream=True, **how) as response:
        return read(response)


def _stream(read: Callable[[Any], Any], body: bytes | str = b"0123456789" * 20, **how: Any) -> Case:
    return Case(lambda lib, at: _streamed(lib, at, read), answer=always(body, **how))


LINES = "one\ntwo\r\nthree\rfour\n\nsix"
GZIPPED: dict[str, Any] = {"body": gzip.compress(LINES.encode()), "headers": [("Content-Encoding", "gzip")]}
STREAMS: Table = {
    "content": _stream(lambda response: response.content),
    "text": _stream(lambda response: response.text),
    "content, twice": _stream(lambda response: [response.content, response.content]),
    "iter_content": _stream(lambda response: b"".join(response.iter_content())),
    "iter_content by a size": _stream(lambda response: b"".join(response.iter_content(chunk_size=128))),
    "iter_content of None": _stream(lambda response: b"".join(response.iter_content(None))),
    "iter_content of a whole piece": _stream(lambda response: list(response.iter_content(1000))),
    "iter_content by the size of the pieces": _stream(lambda response: list(response.iter_content(10))),
    "iter_content of text": _stream(
        lambda response: "".join(response.iter_content(2, decode_unicode=True)),
        TEXT,
        headers=[("Content-Type", "text/plain; charset=utf-8")],
    ),
    "iter_content of text without a charset": _stream(
        lambda response: b"".join(response.iter_content(2, decode_unicode=True)), TEXT
    ),
    "iter_content, after content": _stream(
        lambda response: [
            response.content,
            list(response.iter_content(64)),
            list(response.iter_content(None)),
        ]
    ),
    "iter_content of gzip": _stream(lambda response: b"".join(response.iter_content(3)), **GZIPPED),
    "iter_content by what is no size": _stream(lambda response: list(response.iter_content("1"))),
    "iteration": _stream(lambda response: list(response)),
    "iter_lines": _stream(lambda response: list(response.iter_lines()), LINES),
    "iter_lines of chunks": _stream(lambda response: list(response.iter_lines()), LINES, chunked=True),
    "iter_lines of gzip": _stream(lambda response: list(response.iter_lines()), **GZIPPED),
    "iter_lines of text": _stream(
        lambda response: list(response.iter_lines(decode_unicode=True)),
        TEXT + "\n" + TEXT,
        headers=[("Content-Type", "text/plain; charset=utf-8")],
    ),
    "iter_lines by a delimiter": _stream(
        lambda response: list(response.iter_lines(delimiter=b"|")), "a|b||c"
    ),
    "iter_lines of nothing": _stream(lambda response: list(response.iter_lines()), ""),
    "raw.read": _stream(lambda response: [response.raw.read(10), response.raw.read()]),
    "raw.read of gzip": _stream(lambda response: response.raw.read(), **GZIPPED),
    "raw.read of what has no coding, decoded": _stream(
        lambda response: response.raw.read(decode_content=True)
    ),
    "raw.read of gzip, decoded": _stream(lambda response: response.raw.read(decode_content=True), **GZIPPED),
    "raw.stream of a whole piece": _stream(lambda response: list(response.raw.stream(1000))),
    "raw.stream": _stream(lambda response: b"".join(response.raw.stream(7))),
    "raw, after the end": _stream(lambda response: [response.raw.read(), response.raw.read()]),
    "raw as a file": _stream(lambda response: _copied_to_memory(response.raw)),
    "raw, once content was read": _stream(
        lambda response: [response.content, response.raw.closed, response.raw.isclosed(), response.raw.read()]
    ),
    "raw, once its pieces were iterated over": _stream(
        lambda response: [response.raw.closed, list(response.iter_content(10)), response.raw.closed]
    ),
    "raw, once the response was closed": _stream(
        lambda response: [response.close(), response.raw.closed], "x" * 2_000_000
    ),
    "raw, once the response was closed amid its pieces": _stream(
        lambda response: [len(next(response.iter_content(1))), response.close(), response.raw.closed],
        "x" * 2_000_000,
    ),
    "raw of nothing is open until it is read": Case(
        lambda lib, at: _streamed(
            lib, at, lambda response: [response.raw.closed, _copied_to_memory(response.raw)]
        ),
        answer=always(""),
    ),
    "raw tells how much came, coding and all": _stream(
        lambda response: [list(response.iter_content(1000)), response.raw.tell()], **GZIPPED
    ),
    "raw has the lines of a field apart": Case(
        lambda lib, at: _streamed(
            lib, at, lambda response: [response.raw.headers.getlist(name) for name in ("set-cookie", "none")]
        ),
        answer=SETS_COOKIES,
    ),
    "raw has status, reason and headers": _stream(
        lambda response: [response.raw.status, response.raw.reason, response.raw.headers["Content-Length"]]
    ),
    "close": _stream(lambda response: [response.close(), response.close()]),
    "consumed": Case(
        lambda lib, at: _streamed(
            lib, at, lambda response: [list(response.iter_content(10)), response.content]
        ),
        answer=always("body"),
        but=Difference("requests has a RuntimeError for it", result=raising("StreamConsumedError")),
    ),
    "consumed, iterated again": _stream(
        lambda response: [*response.iter_content(10), *response.iter_content(10)]
    ),
    "of a session": Case(
        lambda lib, at: in_session(lib, lambda session: _streaming(session, at)), answer=always("body")
    ),
    "the size decides": _stream(
        lambda response: int(response.headers["content-length"]) < 10 or response.content
    ),
    "content of what was closed": Case(
        lambda lib, at: _streamed(lib, at, lambda response: [response.close(), response.content]),
        answer=always("body"),
        but=Difference("nothing must not look like an empty answer", result=raising("StreamConsumedError")),
    ),
}


def _copied_to_memory(file: Any) -> bytes:
    copy = io.BytesIO()
    shutil.copyfileobj(file, copy)
    return copy.getvalue()


def _streaming(session: Any, at: At) -> Any:
    session.stream = True
    response = session.get(at("/"))
    with response:
        return response.raw.read()


# --- redirects


def _redirect(
    location: str, status: int = 302, method: str = "GET", but: Difference | None = None, **how: Any
) -> Case:
    return Case(
        lambda lib, at: lib.request(method, at("/from/here?a=b"), **how),
        answer=lambda request: to(location, status) if request.target.startswith("/from") else END,
        but=but,
    )


REDIRECTS: Table = {
    "to a path": _redirect("/to"),
    "to a relative path": _redirect("../to"),
    "to a query": _redirect("/to?x=y#z"),
    "to what needs escapes": _redirect("/to there/<>"),
    "to UTF-8": _redirect("/to/ü".encode().decode("latin-1")),
    "of a URL with a fragment": Case(
        lambda lib, at: lib.get(at("/from#part")), answer=route(**{"from": to("/to"), "to": END})
    ),
    "not followed": Case(
        lambda lib, at: lib.get(at("/from"), allow_redirects=False),
        answer=route(**{"from": to("/to"), "to": END}),
    ),
    "not followed by head": Case(lambda lib, at: lib.head(at("/from")), answer=route(**{"from": to("/to")})),
    "followed by head": Case(
        lambda lib, at: lib.head(at("/from"), allow_redirects=True),
        answer=lambda request: to("/to").partition(b"moved")[0] if request.target == "/from" else END[:-5],
    ),
    "three, with their history": Case(
        lambda lib, at: lib.get(at("/a")), answer=route(a=to("/b"), b=to("/c", 301), c=to("/d", 307), d=END)
    ),
    "that set cookies": Case(
        lambda lib, at: in_session(lib, lambda session: [session.get(at("/a")), session.cookies.get_dict()]),
        answer=route(a=to("/b", 302, ("Set-Cookie", "a=1")), b=to("/c", 302, ("Set-Cookie", "b=2")), c=END),
    ),
    "with cookies of the call": _redirect("/to", cookies={"a": "b"}),
    "with auth": _redirect("/to", auth=("user", "pass")),
    "with headers": _redirect("/to", headers={"X-A": "b", "Referer": "x"}),
    "without a Location": Case(lambda lib, at: lib.get(at("/")), answer=always("x", status=302)),
    "to an empty Location": _redirect(""),
    "300 is none": _redirect("/to", 300),
    "304 is none": Case(
        lambda lib, at: lib.get(at("/")), answer=always("", status=304, headers=[("Location", "/to")])
    ),
    "305 is none": _redirect("/to", 305),
    **{
        f"{status} of {method}": _redirect("/to", status, method)
        for status in (301, 302, 303, 307, 308)
        for method in ("GET", "HEAD")
        if method == "GET" or status != 303
    },
    **{
        f"{status} of a POST": _redirect("/to", status, "POST", data={"a": "1"})
        for status in (301, 302, 303, 307, 308)
    },
    **{f"{status} of a PUT": _redirect("/to", status, "PUT", data=b"x") for status in (303, 307, 308)},
    "301 of a PUT": Case(
        lambda lib, at: lib.put(at("/from"), data=b"x").status_code,
        answer=lambda request: to("/to", 301) if request.target == "/from" else END,
        but=Difference(
            "the body goes along: requests sends an empty one",
            wire=lambda wire: (wire[0], wire[0].replace(b"/from", b"/to")),
        ),
    ),
    "302 of a PUT": Case(
        lambda lib, at: lib.put(at("/from"), data=b"x").status_code,
        answer=lambda request: to("/to", 302) if request.target == "/from" else END,
        but=Difference(
            "only POST turns to GET (RFC 9110, section 15.4)",
            wire=lambda wire: (wire[0], wire[0].replace(b"/from", b"/to")),
        ),
    ),
    "307 of JSON": _redirect("/to", 307, "POST", json={"a": 1}),
    "307 of an upload": _redirect("/to", 307, "POST", files={"f": ("n", b"x")}),
    "307 of a file": Case(
        lambda lib, at: lib.post(at("/from"), data=opened(b"not this", 4)),
        answer=lambda request: to("/to", 307) if request.target == "/from" else END,
    ),
    "too many": Case(
        lambda lib, at: lib.get(at("/from")), answer=always("", status=302, headers=[("Location", "/x")])
    ),
    "more than the session follows": Case(
        lambda lib, at: in_session(
            lib, lambda session: [session.__setattr__("max_redirects", 2), session.get(at("/a"))]
        ),
        answer=route(a=to("/b"), b=to("/c"), c=to("/d"), d=END),
    ),
    "next of what is not followed": Case(
        lambda lib, at: in_session(lib, lambda session: _followed_by_hand(session, at)),
        answer=route(a=to("/b"), b=to("/c", 303), c=END),
    ),
    "resolve_redirects": Case(
        lambda lib, at: in_session(lib, lambda session: _resolved(lib, session, at)),
        answer=route(a=to("/b"), b=to("/c"), c=END),
    ),
    "to another scheme": _redirect("ftp://a.example/"),
    "to no URL": _redirect(
        "http://",
        but=Difference(
            "it says so at once; requests asks for the same page 30 times",
            result=raising("InvalidURL"),
            wire=lambda wire: wire[:1],
        ),
    ),
}


def _followed_by_hand(session: Any, at: At) -> Any:
    response = session.get(at("/a"), allow_redirects=False)
    seen = [response]
    while response.next is not None:
        response = session.send(response.next, allow_redirects=False)
        seen.append(response)
    return seen


def _resolved(lib: Any, session: Any, at: At) -> Any:
    prepared = session.prepare_request(lib.Request("GET", at("/a")))
    first = session.send(prepared, allow_redirects=False)
    hops = list(session.resolve_redirects(first, prepared))
    return [[hop.url, hop.status_code, hop.text] for hop in hops]


@pytest.mark.parametrize("case", cases(responses=RESPONSES, streams=STREAMS, redirects=REDIRECTS))
def test_the_same_answer_is_the_same_response(case: Case | Call, server: Recorder) -> None:
    check(case, server)
