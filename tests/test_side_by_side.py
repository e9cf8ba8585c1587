"""requests and this package, side by side: the same call, the same bytes on the wire, the same result.

Each table is a part of what requests documents; each of its cases is a call that is made on both libraries,
against one server. What differs on purpose says so in its case, with the reason, and has to differ in just
that way; most of it stands in the README's table. What may differ in the bytes of every request stands in
`tests.beside`.
"""

from __future__ import annotations

import enum
import io
import json
import pickle
import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from importlib.metadata import version
from typing import Any

import pytest
import urllib3

from tests.beside import (
    END,
    SETS_COOKIES,
    THEIRS,
    At,
    Call,
    Case,
    Difference,
    Recorder,
    Table,
    always,
    cases,
    check,
    in_all,
    in_session,
    instead,
    nothing_sent,
    opened,
    plain,
    plain_if,
    raising,
    route,
    to,
    without_line,
)
from tests.servers.scripted import (
    Request,
    respond,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    with Recorder() as server:
        yield server


# --- differences that several cases have

NO_LENGTH = Difference(
    "a method whose body means nothing does not announce an empty one (RFC 9110, section 8.6)",
    result=lambda facts: {**facts, "request": _without_header(facts["request"], "Content-Length")},
    wire=without_line(b"Content-Length: 0"),
)
HOST_FIRST = Difference(
    "Host goes first, as a user agent ought to send it (RFC 9110, section 7.2)",
    wire=lambda wire: tuple(_host_first(raw) for raw in wire),
)
LEFT_AS_IT_IS = "what is legal in a URL is left as it is"


def _without_header(request: dict[str, Any], name: str) -> dict[str, Any]:
    return {**request, "headers": [field for field in request["headers"] if field[0] != name]}


def _host_first(raw: bytes) -> bytes:
    head, end, body = raw.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    lines.sort(key=lambda line: not line.lower().startswith(b"host:"))
    return b"\r\n".join([start, *lines]) + end + body


# --- the main interface

VERBS: Table = {
    "get": lambda lib, at: lib.get(at("/")),
    "head": lambda lib, at: lib.head(at("/")),
    "post": lambda lib, at: lib.post(at("/")),
    "put": lambda lib, at: lib.put(at("/")),
    "patch": lambda lib, at: lib.patch(at("/")),
    "delete": Case(lambda lib, at: lib.delete(at("/")), but=NO_LENGTH),
    "options": Case(lambda lib, at: lib.options(at("/")), but=NO_LENGTH),
    "request": lambda lib, at: lib.request("GET", at("/")),
    "request in lower case": lambda lib, at: lib.request("get", at("/")),
    "request with a verb of WebDAV": lambda lib, at: lib.request("MKCOL", at("/"), data="body"),
    "request with a verb of no body": Case(lambda lib, at: lib.request("PROPFIND", at("/")), but=NO_LENGTH),
    "delete with a body": lambda lib, at: lib.delete(at("/"), data={"a": "1"}),
    "get with a body": lambda lib, at: lib.get(at("/"), data="body"),
    "all arguments by position": lambda lib, at: [
        lib.get(at("/"), {"a": "1"}),
        lib.post(at("/"), {"a": "1"}),
        lib.post(at("/"), None, {"a": 1}),
        lib.put(at("/"), {"a": "1"}),
        lib.patch(at("/"), {"a": "1"}),
    ],
    "all arguments by name": lambda lib, at: lib.request(
        method="POST",
        url=at("/"),
        params={"q": "1"},
        data={"a": "b"},
        json=None,
        headers={"X-A": "b"},
        cookies={"c": "d"},
        files=None,
        auth=("user", "password"),
        timeout=5,
        allow_redirects=True,
        proxies=None,
        hooks=None,
        stream=None,
        verify=None,
        cert=None,
    ),
    "timeout as a number": lambda lib, at: lib.get(at("/"), timeout=5),
    "timeout as a fraction": lambda lib, at: lib.get(at("/"), timeout=5.5),
    "timeout as a pair": lambda lib, at: lib.get(at("/"), timeout=(3.05, 27)),
    "timeout as a pair with None": lambda lib, at: lib.get(at("/"), timeout=(3.05, None)),
    "timeout None": lambda lib, at: lib.get(at("/"), timeout=None),
}


class _Colour(str, enum.Enum):  # noqa: UP042 - a StrEnum shows its text, and would prove nothing
    """Text that shows itself as "_Colour.RED", and is "red"."""

    RED = "red"


PARAMS: Table = {
    "a mapping": lambda lib, at: lib.get(at("/get"), params={"key1": "value1", "key2": "value2"}),
    "a mapping with a list": lambda lib, at: lib.get(at("/get"), params={"key1": "1", "key2": ["2", "3"]}),
    "a mapping with a tuple": lambda lib, at: lib.get(at("/get"), params={"key": ("2", "3")}),
    "a mapping with an empty list": lambda lib, at: lib.get(at("/get"), params={"key": [], "b": "1"}),
    "a mapping with None": lambda lib, at: lib.get(at("/get"), params={"a": None, "b": "1"}),
    "a mapping with nothing but None": lambda lib, at: lib.get(at("/get"), params={"a": None}),
    "a list with None in it": lambda lib, at: lib.get(at("/get"), params={"a": ["1", None, "2"]}),
    "numbers and truth": lambda lib, at: lib.get(at("/"), params={"a": 1, "b": 1.5, "c": True}),
    "text of an Enum": lambda lib, at: lib.get(
        at("/"), params={"a": _Colour.RED, _Colour.RED: [_Colour.RED]}
    ),
    "empty values": lambda lib, at: lib.get(at("/"), params={"a": "", "": "b"}),
    "pairs": lambda lib, at: lib.get(at("/"), params=[("a", "1"), ("b", "2"), ("a", "3")]),
    "pairs with lists": lambda lib, at: lib.get(at("/"), params=[("a", ["1", "2"]), ("b", "3")]),
    "a tuple of pairs": lambda lib, at: lib.get(at("/"), params=(("a", "1"), ("a", "2"))),
    "a mapping with an order": lambda lib, at: lib.get(at("/"), params=OrderedDict([("z", 1), ("a", 2)])),
    "a generator of pairs": lambda lib, at: lib.get(at("/"), params=((x, x) for x in "ab")),
    "text": lambda lib, at: lib.get(at("/"), params="a=1&b=2"),
    "text that needs escapes": lambda lib, at: lib.get(at("/"), params='a=b c&ü="<>\\^`{|}'),
    "text with escapes": lambda lib, at: lib.get(at("/"), params="a=%20%2F&b=+"),
    "bytes": lambda lib, at: lib.get(at("/"), params=b"a=1&b=2"),
    "bytes for names and values": lambda lib, at: lib.get(at("/"), params={b"a": b"\xff", "b": b"x y"}),
    "unicode": lambda lib, at: lib.get(at("/"), params={"ü": "é ☃", "ähm": "&=#?+/"}),
    "behind a query": lambda lib, at: lib.get(at("/?a=1"), params={"b": "2"}),
    "behind a query that ends in &": lambda lib, at: lib.get(at("/?a=1&"), params={"b": "2"}),
    "ahead of a fragment": lambda lib, at: lib.get(at("/?a=1#there"), params={"b": "2"}),
    "where there is no path": lambda lib, at: lib.get(at(""), params={"b": "2"}),
    "behind a question mark": lambda lib, at: lib.get(at("/?"), params={"b": "2"}),
    "empty mapping": lambda lib, at: lib.get(at("/"), params={}),
    "empty list": lambda lib, at: lib.get(at("/"), params=[]),
    "empty text": lambda lib, at: lib.get(at("/"), params=""),
    "None": lambda lib, at: lib.get(at("/"), params=None),
    "of a post with a form": lambda lib, at: lib.post(at("/"), params={"a": "1"}, data={"b": "2"}),
    "of every verb": lambda lib, at: [
        lib.request(verb, at("/"), params={"a": "1"}, data="x") for verb in ("PUT", "PATCH", "DELETE", "HEAD")
    ],
}

URLS: Table = {
    "as bytes": lambda lib, at: lib.get(at("/ü").encode()),
    "with white space ahead": lambda lib, at: lib.get("  " + at("/")),
    "with a blank at the end": lambda lib, at: lib.get(at("/ ")),
    "with a scheme in capitals": lambda lib, at: lib.get(at("/").replace("http", "HTTP")),
    "with unicode": lambda lib, at: lib.get(at("/ü/☃?é=ö#ß")),
    "with characters that are illegal": lambda lib, at: lib.get(at('/a b"<>\\^`{|}?a b"<>\\^`{|}[]')),
    "with a percent sign that is none": lambda lib, at: lib.get(at("/%zz/%2/%")),
    "with a fragment": lambda lib, at: lib.get(at("/#there")),
    "with dot segments": lambda lib, at: lib.get(at("/a/../b/./c//d/..")),
    "with parameters of the path": lambda lib, at: lib.get(at("/a;b=c;d?x;y")),
    "without a path": lambda lib, at: lib.get(at("")),
    "without a path, with a query": lambda lib, at: lib.get(at("?a=b")),
    "with an empty port": lambda lib, at: lib.Request("GET", "http://a.example:/x").prepare().path_url,
    "with the default port": lambda lib, at: lib.Request("GET", "http://a.example:80/").prepare(),
    "with a host in capitals": lambda lib, at: lib.Request("GET", "http://A.Example/").prepare(),
    "with a host of another script": lambda lib, at: lib.Request("GET", "http://bücher.example/").prepare(),
    "with an IPv6 address": lambda lib, at: lib.Request("GET", "http://[::1]:8000/").prepare(),
    "with userinfo": lambda lib, at: lib.get(at("/").replace("//", "//us%20er:pass%3Aword@")),
    "of other schemes are left alone": lambda lib, at: lib.Request(
        "GET", "mailto:A@b?c d", params={"a": 1}
    ).prepare(),
    "of other schemes, with a host": lambda lib, at: lib.Request(
        "GET", "http+unix://%2Ftmp%2Fsocket/a b?c=d#e"
    ).prepare(),
    "of other schemes, with params": lambda lib, at: lib.Request(
        "GET", "http+unix://%2Ftmp%2Fsocket/x?a=b#c", params={"d": "e f"}
    ).prepare(),
    "of other schemes, without a path": lambda lib, at: lib.Request("GET", "custom://Host").prepare(),
    "as an object": lambda lib, at: lib.get(_Text(at("/x"))),
    "with an escape that none is needed for": Case(
        lambda lib, at: lib.get(at("/%7euser?%41")).request,
        but=Difference(
            f"{LEFT_AS_IT_IS}: signed URLs",
            result=lambda told: {
                **told,
                "url": told["url"].replace("~", "%7e").replace("A", "%41"),
                "path_url": "/%7euser?%41",
            },
            wire=instead(b"/~user?A", b"/%7euser?%41"),
        ),
    ),
    "with an escape in small letters": Case(
        lambda lib, at: lib.get(at("/%c3%bc")).status_code,
        but=Difference(f"{LEFT_AS_IT_IS}: signed URLs", wire=instead(b"%C3%BC", b"%c3%bc")),
    ),
    "with an empty query": Case(
        lambda lib, at: lib.get(at("/?")).status_code,
        but=Difference(
            f"{LEFT_AS_IT_IS}; a server may tell it from none", wire=instead(b"GET / ", b"GET /? ")
        ),
    ),
}


class _Text:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class _Sized:
    """A body that can be read once, and says how long it is."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __len__(self) -> int:
        return len(self.content)

    def read(self, size: int = -1) -> bytes:
        taken, self.content = self.content[:size], self.content[size:] if size >= 0 else b""
        return taken


def _pieces() -> Iterator[bytes]:
    yield b"hi"
    yield b"there"


BODIES: Table = {
    "a form": lambda lib, at: lib.post(at("/post"), data={"key1": "value1", "key2": "value2"}),
    "a form with a list": lambda lib, at: lib.post(at("/"), data={"a": ["1", "2"], "b": "3"}),
    "a form with None": lambda lib, at: lib.post(at("/"), data={"a": None, "b": "3"}),
    "a form of pairs": lambda lib, at: lib.post(at("/"), data=[("a", "1"), ("b", "2"), ("a", "3")]),
    "a form of a tuple of pairs": lambda lib, at: lib.post(at("/"), data=(("a", "1"), ("a", "2"))),
    "a form with unicode": lambda lib, at: lib.post(at("/"), data={"ü": "é ☃", "a": "&=+/ %"}),
    "a form with bytes": lambda lib, at: lib.post(at("/"), data={b"a": b"\xff"}),
    "a form with numbers": lambda lib, at: lib.post(at("/"), data={"a": 1, "b": 1.5, "c": False}),
    "a form with text of an Enum": lambda lib, at: lib.post(
        at("/"), data={"a": _Colour.RED, _Colour.RED: "b"}
    ),
    "an upload under text of an Enum": lambda lib, at: lib.post(
        at("/"), files={_Colour.RED: (_Colour.RED, "content")}
    ),
    "an empty form": lambda lib, at: lib.post(at("/"), data={}),
    "an empty list": lambda lib, at: lib.post(at("/"), data=[]),
    "a form with a type of its own": lambda lib, at: lib.post(
        at("/"), data={"a": "1"}, headers={"content-type": "text/x-form"}
    ),
    "text": lambda lib, at: lib.post(at("/"), data="text"),
    "text outside ASCII": lambda lib, at: lib.post(at("/"), data="ü ☃"),
    "empty text": lambda lib, at: lib.post(at("/"), data=""),
    "JSON that somebody made": lambda lib, at: lib.post(at("/"), data=json.dumps({"some": "data"})),
    "bytes": lambda lib, at: lib.post(at("/"), data=b"\x00\xff"),
    "empty bytes": lambda lib, at: lib.post(at("/"), data=b""),
    "a bytearray": lambda lib, at: lib.post(at("/"), data=bytearray(b"bytes")).status_code,
    "a memoryview": lambda lib, at: lib.post(at("/"), data=memoryview(b"bytes")).status_code,
    "a file in memory": lambda lib, at: lib.post(at("/"), data=io.BytesIO(b"a file")),
    "a file from where it stands": lambda lib, at: lib.post(at("/"), data=opened(b"not this a file", 9)),
    "a text file": lambda lib, at: lib.post(at("/"), data=io.StringIO("text")).status_code,
    "a file with a length": lambda lib, at: lib.post(at("/"), data=_Sized(b"sized")),
    "a generator": lambda lib, at: lib.post(at("/chunked"), data=_pieces()),
    "a generator of text": lambda lib, at: lib.post(at("/"), data=(text for text in ("hi", "ü"))),
    "a generator with empty pieces": lambda lib, at: lib.post(at("/"), data=(x for x in (b"", b"a", b""))),
    "a generator of nothing": lambda lib, at: lib.post(at("/"), data=iter(())),
    "JSON": lambda lib, at: lib.post(at("/"), json={"some": "data", "ü": [1, 1.5, None, True, "☃"]}),
    "JSON of an empty mapping": lambda lib, at: lib.post(at("/"), json={}),
    "JSON of an empty list": lambda lib, at: lib.post(at("/"), json=[]),
    "JSON of zero": lambda lib, at: lib.post(at("/"), json=0),
    "JSON of False": lambda lib, at: lib.post(at("/"), json=False),
    "JSON of empty text": lambda lib, at: lib.post(at("/"), json=""),
    "JSON of None": lambda lib, at: lib.post(at("/"), json=None),
    "JSON with a type of its own": lambda lib, at: lib.post(
        at("/"), json=1, headers={"Content-Type": "application/vnd.api+json"}
    ),
    "data goes ahead of JSON": lambda lib, at: lib.post(at("/"), data={"a": "1"}, json={"b": 2}),
    "JSON beside empty data": lambda lib, at: lib.post(at("/"), data={}, json={"b": 2}),
    "JSON beside empty bytes": lambda lib, at: lib.post(at("/"), data=b"", json={"b": 2}),
    "JSON that is none": lambda lib, at: lib.post(at("/"), json={"a": float("nan")}),
    "JSON of what can't be written": Case(
        lambda lib, at: lib.post(at("/"), json={"a": object()}),
        but=Difference(
            "all that is wrong with a request is below RequestException", raising("InvalidJSONError")
        ),
    ),
    "a generator with its length": Case(
        lambda lib, at: lib.post(at("/"), data=_pieces(), headers={"Content-Length": "7"}).status_code,
        but=Difference(
            "X6: requests announces chunks too, and sends none",
            wire=without_line(b"Transfer-Encoding: chunked"),
        ),
    ),
    "a form of nothing but None": Case(
        lambda lib, at: lib.post(at("/"), data={"a": None}).status_code,
        but=Difference(
            "its length is known: it is 0",
            wire=lambda wire: instead(b"Content-Type", b"Content-Length: 0\r\nContent-Type")(
                instead(b"\r\n\r\n0\r\n\r\n", b"\r\n\r\n")(without_line(b"Transfer-Encoding: chunked")(wire))
            ),
        ),
    ),
    "a text file outside ASCII": Case(
        lambda lib, at: lib.post(at("/"), data=io.StringIO("text ü")).status_code,
        but=Difference(
            "the length is that of the bytes: requests cuts the body short",
            wire=instead(b"Content-Length: 6\r\n\r\ntext \xc3", b"Content-Length: 7\r\n\r\ntext \xc3\xbc"),
        ),
    ),
    "an empty file": Case(
        lambda lib, at: lib.post(at("/"), data=io.BytesIO()).status_code,
        but=Difference(
            "its length is known: it is 0",
            wire=instead(b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 0\r\n\r\n"),
        ),
    ),
}


class _Named(io.BytesIO):
    """A file in memory that has a name, as one on a disk has."""

    def __init__(self, name: Any, content: bytes) -> None:
        super().__init__(content)
        self.name = name


STREAMED = Difference(
    "files are read as they are sent",
    result=lambda facts: {**facts, "request": {**facts["request"], "body": None}},
)


def _upload(files: Any, **how: Any) -> Case:
    return Case(lambda lib, at: lib.post(at("/post"), files=files(), **how), but=STREAMED)


FILES: Table = {
    "a file": _upload(lambda: {"file": _Named("/tmp/report.xls", b"\x00\xff")}),
    "a file without a name": _upload(lambda: {"file": io.BytesIO(b"content")}),
    "a file whose name is none": _upload(lambda: {"file": _Named("<stdin>", b"x")}),
    "a file whose name is a number": _upload(lambda: {"file": _Named(3, b"x")}),
    "bytes": lambda lib, at: lib.post(at("/"), files={"file": b"content"}),
    "text": lambda lib, at: lib.post(at("/"), files={"file": "content"}),
    "text outside ASCII": lambda lib, at: lib.post(at("/"), files={"file": ("n", "ü")}),
    "a name and a file": _upload(lambda: {"file": ("n.csv", io.BytesIO(b"a,b"))}),
    "a name and text": lambda lib, at: lib.post(
        at("/"), files={"file": ("report.csv", "some,data\nto,send\n")}
    ),
    "a content type": lambda lib, at: lib.post(at("/"), files={"file": ("n", b"x", "text/plain")}),
    "headers": lambda lib, at: lib.post(
        at("/"), files={"file": ("report.xls", b"x", "application/vnd.ms-excel", {"Expires": "0"})}
    ),
    "no name: a field": lambda lib, at: lib.post(at("/"), files={"field": (None, "value")}),
    "an empty name": lambda lib, at: lib.post(at("/"), files={"field": ("", "value")}),
    "an empty file": lambda lib, at: lib.post(at("/"), files={"file": ("n", b"")}),
    "None as a file": lambda lib, at: lib.post(at("/"), files={"file": None}),
    "one of two is None": lambda lib, at: lib.post(at("/"), files={"a": None, "b": b"x"}),
    "several of one name": _upload(
        lambda: [
            ("images", ("foo.png", io.BytesIO(b"foo"), "image/png")),
            ("images", ("bar.png", io.BytesIO(b"bar"), "image/png")),
        ]
    ),
    "fields go ahead of files": lambda lib, at: lib.post(at("/"), data={"a": "1"}, files={"file": b"x"}),
    "fields with lists and None": lambda lib, at: lib.post(
        at("/"), data={"a": ["1", "2"], "b": None, "c": 3}, files={"file": b"x"}
    ),
    "fields as pairs": lambda lib, at: lib.post(at("/"), data=[("a", "1"), ("a", "2")], files={"f": b"x"}),
    "fields of bytes": lambda lib, at: lib.post(at("/"), data={"a": b"\xff"}, files={"f": b"x"}),
    "names outside ASCII": lambda lib, at: lib.post(
        at("/"), data={"ä": "ö"}, files={"ü☃": ("é☃.txt", b"x", "text/plain")}
    ),
    "names with quotes": lambda lib, at: lib.post(at("/"), files={'a"b\\c': ('d"e\\f', b"x")}),
    "a file from where it stands": _upload(lambda: {"f": ("n", opened(b"not this", 4))}),
    "a type of its own": lambda lib, at: (
        lib.post(at("/"), files={"f": b"x"}, headers={"Content-Type": "multipart/mixed"}).status_code
    ),
    "no files": lambda lib, at: lib.post(at("/"), data={"a": "1"}, files={}),
    "no files, an empty list": lambda lib, at: lib.post(at("/"), data={"a": "1"}, files=[]),
    "by put and patch": lambda lib, at: [
        lib.put(at("/"), files={"f": b"x"}),
        lib.patch(at("/"), files={"f": b"x"}),
    ],
    "JSON beside files is passed over": lambda lib, at: lib.post(at("/"), json={"a": 1}, files={"f": b"x"}),
    "text beside files": lambda lib, at: lib.post(at("/"), data="text", files={"f": b"x"}),
    "a line end in a name": Case(
        lambda lib, at: lib.post(at("/"), files={"a\r\nb": b"x"}),
        but=Difference(
            "law X7: what may smuggle a line is refused, and not escaped",
            result=raising("InvalidHeader"),
            wire=nothing_sent,
        ),
    ),
}

HEADERS: Table = {
    "some": lambda lib, at: lib.get(at("/"), headers={"user-agent": "my-app/0.0.1"}),
    "in an order": lambda lib, at: lib.get(at("/"), headers=OrderedDict([("X-Z", "1"), ("X-A", "2")])),
    "pairs": lambda lib, at: lib.get(at("/"), headers=lib.structures.CaseInsensitiveDict({"X-A": "b"})),
    "one of the defaults, in small letters": lambda lib, at: lib.get(
        at("/"), headers={"accept": "text/html"}
    ),
    "None takes a default away": lambda lib, at: lib.get(
        at("/"), headers={"Accept": None, "Connection": None}
    ),
    "None for what there is not": lambda lib, at: lib.get(at("/"), headers={"X-A": None}),
    "an empty value": lambda lib, at: lib.get(at("/"), headers={"X-A": ""}),
    "a value of bytes": lambda lib, at: lib.get(at("/"), headers={"X-A": b"\xff\xfe"}),
    "a name of bytes": lambda lib, at: lib.get(at("/"), headers={b"X-A": "b"}),
    "a value in latin-1": lambda lib, at: lib.get(at("/"), headers={"X-A": "é"}).status_code,
    "a value with blanks in it": lambda lib, at: lib.get(at("/"), headers={"X-A": "a  b"}),
    "a value with a tab in it": lambda lib, at: lib.get(at("/"), headers={"X-A": "a\tb"}),
    "a cookie by hand": lambda lib, at: lib.get(at("/"), headers={"Cookie": "a=b"}),
    "a cookie by hand beside cookies": lambda lib, at: lib.get(
        at("/"), headers={"Cookie": "a=b"}, cookies={"c": "d"}
    ),
    "an authorization by hand": lambda lib, at: lib.get(at("/"), headers={"Authorization": "Bearer x"}),
    "no mapping": lambda lib, at: lib.get(at("/"), headers={}),
    "None": lambda lib, at: lib.get(at("/"), headers=None),
    "a length that is wrong is put right": lambda lib, at: lib.post(
        at("/"), data="abc", headers={"Content-Length": "7"}
    ),
    "Connection: close": lambda lib, at: lib.get(at("/"), headers={"Connection": "close"}),
    "a host of its own": Case(
        lambda lib, at: lib.get(at("/"), headers={"Host": "a.example"}), but=HOST_FIRST
    ),
    "None for what is urllib3's by default": Case(
        lambda lib, at: lib.get(at("/"), headers={"User-Agent": None, "Accept-Encoding": None}).status_code,
        but=Difference(
            "None is for not sending it; urllib3 sends its own",
            wire=lambda wire: without_line(b"Accept-Encoding: identity")(
                without_line(f"User-Agent: python-urllib3/{version('urllib3')}".encode())(wire)
            ),
        ),
    ),
    "a blank behind a value": Case(
        lambda lib, at: lib.get(at("/"), headers={"X-A": "b "}).status_code,
        but=Difference("it is no part of a value (RFC 9110, section 5.5)", wire=instead(b"b \r\n", b"b\r\n")),
    ),
    "chunked by hand": Case(
        lambda lib, at: lib.post(at("/"), data=b"abc", headers={"Transfer-Encoding": "chunked"}).status_code,
        but=Difference(
            "X6: requests announces a length too, and sends no chunks",
            wire=lambda wire: instead(b"abc", b"3\r\nabc\r\n0\r\n\r\n")(
                without_line(b"Content-Length: 3")(wire)
            ),
        ),
    ),
}


def _with_header(name: Any, value: Any) -> Call:
    return lambda lib, at: lib.get(at("/"), headers={name: value})


BAD_HEADERS: Table = {
    f"{name!r}: {value!r}": _with_header(name, value)
    for name, value in [
        ("X-A", "a\r\nX-B: b"),
        ("X-A", "a\nb"),
        ("X-A", "a\rb"),
        ("X-A", "a\r\n b"),
        ("X-A", b"a\r\nX-B: b"),
        ("X-A", " a"),
        ("X-A", "\ta"),
        ("X-A", 3),
        ("X-A", ["a"]),
        ("X-A", {"a": "b"}),
        ("X-A\r\nX-B", "a"),
        (" X-A", "a"),
        ("", "a"),
        ("X-A:", "a"),
    ]
}
for _name, _value, _reason in [
    ("X-A", "a\0b", "law X7: NUL ends a line for some"),
    ("X-A", "a\x1fb", "law X7: RFC 9110, section 5.5, has no control characters"),
    ("X A", "a", "RFC 9110, section 5.1: a name is a token"),
]:
    BAD_HEADERS[f"{_name!r}: {_value!r}"] = Case(
        _with_header(_name, _value),
        but=Difference(_reason, result=raising("InvalidHeader"), wire=nothing_sent),
    )
BAD_HEADERS["outside latin-1"] = Case(
    _with_header("X-A", "☃"),
    but=Difference("all errors of a request are below RequestException", result=raising("InvalidHeader")),
)


def _jar_of(lib: Any) -> Any:
    jar = lib.cookies.RequestsCookieJar()
    jar.set("tasty", "yum", domain="127.0.0.1", path="/cookies")
    jar.set("gross", "blech", domain="127.0.0.1", path="/elsewhere")
    jar.set("foreign", "no", domain="a.example", path="/")
    return jar


def _standard_jar() -> CookieJar:
    jar = CookieJar()
    for cookie in THEIRS.cookies.cookiejar_from_dict({"a": "1", "b": "2"}):
        jar.set_cookie(cookie)
    return jar


COOKIES: Table = {
    "a mapping": lambda lib, at: lib.get(at("/cookies"), cookies={"cookies_are": "working"}),
    "a mapping of several": lambda lib, at: lib.get(at("/"), cookies={"a": "1", "b": "2", "c": "3"}),
    "values with blanks and quotes": lambda lib, at: lib.get(at("/"), cookies={"a": '"x y"', "b": "x y"}),
    "an empty value": lambda lib, at: lib.get(at("/"), cookies={"a": ""}),
    "an empty mapping": lambda lib, at: lib.get(at("/"), cookies={}),
    "a jar": lambda lib, at: lib.get(at("/cookies"), cookies=_jar_of(lib)),
    "a jar of the standard library": lambda lib, at: lib.get(at("/"), cookies=_standard_jar()),
    "those that a response sets": Case(lambda lib, at: lib.get(at("/a/b")), answer=SETS_COOKIES),
    "by name of a response": Case(lambda lib, at: lib.get(at("/a/b")).cookies["plain"], answer=SETS_COOKIES),
    "of the session, as a mapping": Case(
        lambda lib, at: in_session(lib, lambda session: (session.get(at("/")), dict(session.cookies))[1]),
        answer=SETS_COOKIES,
    ),
    "come back": Case(
        lambda lib, at: in_session(lib, lambda session: [session.get(at("/a/b")), session.get(at("/a/c"))]),
        answer=SETS_COOKIES,
    ),
    "of the session, and of the call": lambda lib, at: in_session(
        lib,
        lambda session: [
            session.cookies.set("a", "1", domain="127.0.0.1").value,
            session.cookies.update({"b": "2"}),
            session.get(at("/"), cookies={"b": "3", "c": "4"}),
            session.get(at("/")),
            session.cookies.get_dict(),
        ],
    ),
    "of the call are forgotten": lambda lib, at: in_session(
        lib,
        lambda session: [
            session.get(at("/cookies"), cookies={"from-my": "browser"}),
            session.get(at("/cookies")),
        ],
    ),
    "the jar as a mapping": lambda lib, at: _all_of_the_jar(lib.cookies.RequestsCookieJar()),
    "helpers": lambda lib, at: [
        lib.utils.dict_from_cookiejar(lib.cookies.cookiejar_from_dict({"a": "1"})),
        lib.utils.dict_from_cookiejar(lib.utils.add_dict_to_cookiejar(_jar_of(lib), {"a": "1"})),
        lib.cookies.merge_cookies(_jar_of(lib), {"a": "2"}).get_dict(),
        lib.cookies.create_cookie("a", "b", domain="c.example", path="/d", secure=True).domain,
    ],
    "a conflict": lambda lib, at: _conflict(lib.cookies.RequestsCookieJar()),
}


def _all_of_the_jar(jar: Any) -> Any:
    jar.set("a", "1", domain="x.example", path="/")
    jar.set("b", "2", domain="y.example", path="/y")
    jar["c"] = "3"
    jar.update({"d": "4"})
    seen = [
        sorted(jar.keys()),
        sorted(jar.values()),
        sorted(jar.items()),
        sorted(jar.iterkeys()),
        sorted(jar.itervalues()),
        sorted(jar.iteritems()),
        sorted(jar.list_domains()),
        sorted(jar.list_paths()),
        jar.multiple_domains(),
        jar.get_dict(),
        jar.get_dict(domain="y.example"),
        jar.get_dict(domain="y.example", path="/y"),
        jar.get("a"),
        jar.get("a", domain="y.example"),
        jar.get("none", "default"),
        "a" in jar,
        "none" in jar,
        len(jar),
        jar.pop("c"),
        sorted(jar.copy().get_dict()),
    ]
    del jar["d"]
    jar.set("b", None)
    seen.append(sorted(jar.get_dict()))
    jar.clear()
    return [*seen, len(jar), bool(list(jar))]


def _conflict(jar: Any) -> Any:
    jar.set("a", "1", domain="x.example")
    jar.set("a", "2", domain="y.example")
    return jar["a"]


class _Pizza:
    """A callable, as the guide to auth has it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, request: Any) -> Any:
        request.headers["X-Pizza"] = self.name
        return request


def _pizza_of(lib: Any) -> Any:
    return type("PizzaAuth", (_Pizza, lib.auth.AuthBase), {})("kenneth")


def _changes_the_body(request: Any) -> Any:
    request.prepare_body(b"signed " + request.body, None)
    return request


def challenge(*, algorithm: str = "MD5", qop: str = "auth") -> Any:
    """Wants Digest; takes any answer, as the other end of the comparison proves it right."""
    words = f'Digest realm="r", nonce="n", opaque="o", algorithm={algorithm}' + (
        f', qop="{qop}"' if qop else ""
    )
    headers = [("WWW-Authenticate", words), ("Content-Type", "text/plain; charset=utf-8")]
    wants = respond("no", status=401, headers=headers)
    return lambda request: plain_if(request.header("Authorization"), wants)


def _digest(lib: Any, at: At) -> Any:
    return lib.get(at("/dir/index.html?a=b"), auth=lib.auth.HTTPDigestAuth("user", "pass"))


def _as_tokens(raw: bytes) -> bytes:
    raw = re.sub(rb'(opaque="\w+"), algorithm="([\w-]+)"', rb"algorithm=\2, \1", raw)
    return re.sub(rb'qop="(\w+)", nc', rb"qop=\1, nc", raw)


TOKENS = Difference(
    "algorithm and qop are not quoted (RFC 7616, section 3.4)",
    result=in_all(_as_tokens),
    wire=in_all(_as_tokens),
)

AUTH: Table = {
    "a pair": lambda lib, at: lib.get(at("/basic-auth/user/pass"), auth=("user", "pass")),
    "Basic": lambda lib, at: lib.get(at("/"), auth=lib.auth.HTTPBasicAuth("user", "pass")),
    "Basic of empty strings": lambda lib, at: lib.get(at("/"), auth=("", "")),
    "Basic of bytes": lambda lib, at: lib.get(at("/"), auth=(b"user", b"p\xff")),
    "a password with a colon": lambda lib, at: lib.get(at("/"), auth=("user", "a:b")),
    "beside a body": lambda lib, at: lib.post(at("/"), data={"a": "1"}, auth=("user", "pass")),
    "of the URL": lambda lib, at: lib.get(at("/").replace("//", "//us%20er:p%40ss@")),
    "of the URL, without a password": Case(
        lambda lib, at: lib.get(at("/").replace("//", "//user@")).status_code,
        but=Difference(
            "the URL names a user, as for curl and browsers",
            wire=instead(b"\r\n\r\n", b"\r\nAuthorization: Basic dXNlcjo=\r\n\r\n"),
        ),
    ),
    "the argument goes ahead of the URL": lambda lib, at: lib.get(
        at("/").replace("//", "//a:b@"), auth=("user", "pass")
    ),
    "a class of one's own": lambda lib, at: lib.get(at("/admin"), auth=_pizza_of(lib)),
    "a callable": lambda lib, at: lib.get(at("/"), auth=_Pizza("kenneth")),
    "a callable that changes the body": lambda lib, at: lib.post(at("/"), data=b"x", auth=_changes_the_body),
    "of the session": lambda lib, at: in_session(
        lib, lambda session: [_set(session, auth=("user", "pass")), session.get(at("/"))]
    ),
    "the call's goes ahead of the session's": lambda lib, at: in_session(
        lib,
        lambda session: [_set(session, auth=("a", "b")), session.get(at("/"), auth=("user", "pass"))],
    ),
    "equality": lambda lib, at: [
        lib.auth.HTTPBasicAuth("a", "b") == lib.auth.HTTPBasicAuth("a", "b"),
        lib.auth.HTTPBasicAuth("a", "b") != lib.auth.HTTPBasicAuth("a", "c"),
        lib.auth.HTTPDigestAuth("a", "b") == lib.auth.HTTPDigestAuth("a", "b"),
        lib.auth.HTTPBasicAuth("a", "b") == "a:b",
        lib.auth.HTTPBasicAuth("a", "b").username,
        lib.auth.HTTPDigestAuth("a", "b").password,
    ],
    "AuthBase says that it is to be made": lambda lib, at: lib.get(at("/"), auth=lib.auth.AuthBase()),
    "Digest, MD5": Case(_digest, answer=challenge(), but=TOKENS),
    "Digest, MD5-sess": Case(_digest, answer=challenge(algorithm="MD5-sess"), but=TOKENS),
    "Digest, SHA-256": Case(_digest, answer=challenge(algorithm="SHA-256"), but=TOKENS),
    "Digest, two kinds of qop": Case(_digest, answer=challenge(qop="auth,auth-int"), but=TOKENS),
    "Digest, no qop": Case(_digest, answer=challenge(qop=""), but=TOKENS),
    "Digest with a body": Case(
        lambda lib, at: lib.post(at("/"), data={"a": "1"}, auth=lib.auth.HTTPDigestAuth("user", "pass")),
        answer=challenge(),
        but=TOKENS,
    ),
    "Digest with a file": Case(
        lambda lib, at: lib.post(at("/"), data=io.BytesIO(b"x"), auth=lib.auth.HTTPDigestAuth("u", "p")),
        answer=challenge(),
        but=TOKENS,
    ),
    "Digest twice with one object": Case(
        lambda lib, at: _digest_twice(lib, at), answer=challenge(), but=TOKENS
    ),
    "Digest that is not asked for": _digest,
    "Digest where Basic is asked for": Case(
        _digest, answer=always("no", status=401, headers=[("WWW-Authenticate", 'Basic realm="r"')])
    ),
    "Basic outside ASCII": Case(
        lambda lib, at: lib.get(at("/"), auth=("user", "é")).status_code,
        but=Difference(
            "Basic is in UTF-8 (RFC 7617)",
            wire=instead(b64encode("user:é".encode("latin-1")), b64encode("user:é".encode())),
        ),
    ),
    "Basic of numbers": Case(
        lambda lib, at: lib.get(at("/"), auth=(1, 2)),
        but=Difference(
            "requests is going to refuse it, and says so",
            result=raising("builtins.TypeError"),
            wire=nothing_sent,
        ),
    ),
    "for a proxy, where there is none": Case(
        lambda lib, at: lib.get(at("/"), auth=lib.auth.HTTPProxyAuth("user", "pass")).status_code,
        but=Difference(
            "a proxy's password goes to the proxy alone",
            wire=without_line(b"Proxy-Authorization: Basic dXNlcjpwYXNz"),
        ),
    ),
    "an authorization by hand, and auth of the session": Case(
        lambda lib, at: in_session(lib, lambda session: _auth_twice(session, at)),
        but=Difference(
            "the call goes ahead of the session",
            wire=lambda wire: instead(b"Authorization: Basic dXNlcjpwYXNz", b"Authorization: Bearer x")(wire),
        ),
    ),
}


def _auth_twice(session: Any, at: At) -> Any:
    session.auth = ("user", "pass")
    return session.get(at("/"), headers={"Authorization": "Bearer x"}).status_code


def _digest_twice(lib: Any, at: At) -> Any:
    auth = lib.auth.HTTPDigestAuth("user", "pass")
    return [lib.get(at("/a"), auth=auth), lib.get(at("/b"), auth=auth)]


# --- sessions


def _session_case(
    act: Callable[[Any, Any, At], Any], answer: Any = None, but: Difference | None = None
) -> Case:
    return Case(lambda lib, at: in_session(lib, lambda session: act(lib, session, at)), answer or plain, but)


def _set(thing: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(thing, name, value)
    return thing is None


SOCKETS = "unix sockets are spoken to without a plug-in"


def _mounted(lib: Any, session: Any, at: At) -> Any:
    one, two = lib.adapters.HTTPAdapter(), lib.adapters.HTTPAdapter()
    session.mount(at("/a"), one)
    session.mount(at("/a/b"), two)
    found = [session.get_adapter(at(path)) for path in ("/a", "/a/b/c", "/A/b", "/c")]
    return [[each is one, each is two] for each in found] + [len(session.adapters)]


def _own_adapter(lib: Any, session: Any, at: At) -> Any:
    class Canned(lib.adapters.BaseAdapter):  # type: ignore[misc]
        def send(self, request: Any, **kwargs: Any) -> Any:
            response = lib.Response()
            response.status_code = 200
            response.url = request.url
            response.request = request
            response.raw = io.BytesIO(b"canned")
            response.headers["Set-Cookie"] = "a=b"
            response.kwargs = sorted(kwargs)
            return response

        def close(self) -> None:
            pass

    session.mount("canned://", Canned())
    response = session.get("canned://Some/Thing", params={"a": "b"}, timeout=5)
    return [response.content, response.url, response.kwargs]


def _with_default_retries(lib: Any, session: Any, at: At) -> Any:
    retries = urllib3.Retry(total=3, backoff_factor=0, status_forcelist=[503], allowed_methods={"POST"})
    session.mount(at("/"), lib.adapters.HTTPAdapter(max_retries=retries))
    return session.post(at("/")).status_code


def _failing(times: int, status: int = 503) -> Any:
    """Fails so often for each client that counts on it: both are told apart by their names."""
    seen: dict[str | None, int] = {}

    def answer(request: Request) -> bytes:
        who = request.header("User-Agent")
        seen[who] = seen.get(who, 0) + 1
        return respond("", status=status) if seen[who] <= times else END

    return answer


SESSIONS: Table = {
    "headers are merged": _session_case(
        lambda lib, session, at: [
            session.headers.update({"x-test": "true"}),
            session.get(at("/headers"), headers={"x-test2": "true"}),
            session.get(at("/headers"), headers={"X-Test": "false"}),
            session.get(at("/headers"), headers={"x-TEST": None}),
            session.get(at("/headers")),
        ]
    ),
    "headers can be replaced": _session_case(
        lambda lib, session, at: [
            _set(
                session,
                headers={
                    "X-Only": "this",
                    "Accept": "a/b",
                    "User-Agent": "me",
                    "Accept-Encoding": "identity",
                },
            ),
            session.get(at("/")),
        ]
    ),
    "headers in an order of their own": _session_case(
        lambda lib, session, at: [
            _set(
                session,
                headers=OrderedDict(
                    [("Z", "1"), ("Accept-Encoding", "gzip"), ("A", "2"), ("User-Agent", "me")]
                ),
            ),
            session.get(at("/"), headers={"B": "3", "A": "4"}),
        ]
    ),
    "params are merged": _session_case(
        lambda lib, session, at: [
            _set(session, params={"a": "1", "b": "2"}),
            session.get(at("/"), params={"b": "3", "c": "4"}),
            session.get(at("/"), params={"a": None}),
            session.get(at("/?z=1")),
            session.get(at("/"), params="q=1"),
            session.get(at("/"), params=[("b", "5")]),
        ]
    ),
    "auth and headers stick": _session_case(
        lambda lib, session, at: [
            _set(session, auth=("user", "pass")),
            session.headers.update({"x-test": "true"}),
            session.get(at("/headers"), headers={"x-test2": "true"}),
        ]
    ),
    "cookies stick": _session_case(
        lambda lib, session, at: [
            session.get(at("/cookies/set/sessioncookie/123456789")),
            session.get(at("/cookies")),
        ],
        always("", headers=[("Set-Cookie", "sessioncookie=123456789; Path=/")]),
    ),
    "cookies can be replaced": _session_case(
        lambda lib, session, at: [
            _set(session, cookies=lib.cookies.cookiejar_from_dict({"a": "b"})),
            session.get(at("/")),
        ]
    ),
    "hooks of the session": _session_case(lambda lib, session, at: _hooked(session, at)),
    "attributes that a session begins with": _session_case(
        lambda lib, session, at: [
            sorted(session.headers),
            session.headers["accept"],
            session.auth,
            session.params,
            session.hooks,
            session.verify,
            session.cert,
            session.stream,
            session.max_redirects,
            session.trust_env,
            session.proxies,
            session.cookies.get_dict(),
            list(session.adapters),
        ],
        but=Difference(SOCKETS, result=lambda told: [*told[:-1], ["http+unix://", *told[-1]]]),
    ),
    "every verb": Case(
        lambda lib, at: in_session(
            lib,
            lambda session: [
                getattr(session, verb)(at("/"), data=b"x")
                for verb in ("get", "post", "put", "patch", "delete", "head")
            ],
        )
    ),
    "arguments by position": _session_case(
        lambda lib, session, at: [
            session.post(at("/"), {"a": "1"}),
            session.post(at("/"), None, {"a": 1}),
            session.put(at("/"), {"a": "1"}),
            session.patch(at("/"), {"a": "1"}),
            session.request("POST", at("/"), {"p": "1"}, {"d": "2"}, {"X-H": "3"}, {"c": "4"}),
        ]
    ),
    "session() is Session()": lambda lib, at: type(lib.session()).__name__,
    "mount, by the longest prefix": _session_case(
        _mounted, but=Difference(SOCKETS, result=lambda told: [*told[:-1], told[-1] + 1])
    ),
    "no adapter": _session_case(lambda lib, session, at: session.get_adapter("ftp://a.example/")),
    "an adapter of one's own": _session_case(_own_adapter),
    "retries": _session_case(_with_default_retries, _failing(2)),
    "retries that are used up": _session_case(_with_default_retries, always("", status=503), but=None),
    "closed, and used again": _session_case(
        lambda lib, session, at: [session.get(at("/")), session.close(), session.get(at("/"))]
    ),
    "pickled": lambda lib, at: _pickled_session(lib, at),
}


def _hooked(session: Any, at: At) -> Any:
    seen: list[Any] = []
    session.hooks["response"].append(
        lambda response, *args, **kwargs: seen.append((1, response.url, args, sorted(kwargs)))
    )
    session.hooks["response"].append(lambda response, *args, **kwargs: seen.append((2, response.status_code)))
    return [
        session.get(at("/a"), timeout=5),
        session.get(at("/b"), hooks={"response": lambda response, **kwargs: None}),
        seen,
    ]


def _pickled_session(lib: Any, at: At) -> Any:
    with lib.Session() as session:
        _set(session, auth=("user", "pass"), params={"a": "b"}, max_redirects=3, trust_env=False)
        session.headers["X-A"] = "b"
        session.cookies.set("c", "d")
        with pickle.loads(pickle.dumps(session)) as copy:
            return [copy.get(at("/")), copy.max_redirects, copy.trust_env]


# --- requests that are prepared


# urllib3 adds them to what was prepared without a session, where they are missing.
NAMED: dict[str, str] = {"User-Agent": "me", "Accept-Encoding": "gzip"}


def _the_recipe(lib: Any, session: Any, at: At) -> Any:
    request = lib.Request("POST", at("/"), data={"a": "b"}, headers=NAMED)
    prepared = request.prepare()
    prepared.body = "No, I want exactly this as the body."
    del prepared.headers["Content-Type"]
    prepared.headers["Content-Length"] = str(len(prepared.body))
    return session.send(prepared, stream=False, verify=True, proxies={}, cert=None, timeout=5)


def _the_recipe_with_a_session(lib: Any, session: Any, at: At) -> Any:
    session.cookies.set("a", "b")
    prepared = session.prepare_request(lib.Request("GET", at("/"), headers={"X-A": "b"}))
    prepared.headers["Keep-Dead"] = "parrot"
    settings = session.merge_environment_settings(prepared.url, {}, None, None, None)
    return [session.send(prepared, **settings), sorted(settings), settings["verify"], settings["stream"]]


def _by_steps(lib: Any, session: Any, at: At) -> Any:
    prepared = lib.PreparedRequest()
    prepared.prepare_method("post")
    prepared.prepare_url(at("/a b"), {"c": "d"})
    prepared.prepare_headers(NAMED)
    prepared.prepare_cookies({"e": "f"})
    prepared.prepare_body({"g": "h"}, None)
    prepared.prepare_auth(("user", "pass"))
    prepared.prepare_hooks({"response": []})
    return [prepared, session.send(prepared)]


def _copied(lib: Any, session: Any, at: At) -> Any:
    first = lib.Request("POST", at("/"), data={"a": "b"}, cookies={"c": "d"}, headers=NAMED).prepare()
    second = first.copy()
    second.headers["X-A"] = "b"
    second.prepare_url(at("/second"), None)
    return [first, second, session.send(second)]


def _lengths(lib: Any, session: Any, at: At) -> Any:
    prepared = lib.Request("POST", at("/"), data="abc").prepare()
    prepared.prepare_content_length(b"abcde")
    return prepared.headers["Content-Length"]


PREPARED: Table = {
    "the recipe": _session_case(_the_recipe),
    "the recipe with a session": _session_case(_the_recipe_with_a_session),
    "step by step": _session_case(_by_steps),
    "copied": _session_case(_copied),
    "prepare_content_length": _session_case(_lengths),
    "a Request's attributes": lambda lib, at: [
        getattr(lib.Request("GET", "http://a.example"), name)
        for name in (
            "method",
            "url",
            "headers",
            "files",
            "data",
            "json",
            "params",
            "auth",
            "cookies",
            "hooks",
        )
    ],
    "repr": lambda lib, at: [repr(lib.Request("GET", "http://a.example")), repr(lib.Request())],
    "a Request without a method": Case(
        lambda lib, at: lib.Request(url=at("/")).prepare().url,
        but=Difference("requests finds out when it is sent", result=raising("InvalidMethod")),
    ),
    "all arguments by position": lambda lib, at: lib.Request(
        "POST", at("/"), {"X-A": "b"}, None, {"c": "d"}, {"e": "f"}, ("user", "pass"), {"g": "h"}, None, None
    ).prepare(),
    "send takes what is prepared": _session_case(
        lambda lib, session, at: session.send(lib.Request("GET", at("/"))),
        but=Difference("it is of the wrong type", result=raising("builtins.TypeError")),
    ),
    "hooks are registered, and taken off": lambda lib, at: _registered(lib),
    "a hook for an event that there is not": lambda lib, at: lib.Request(hooks={"request": print}),
}


def _registered(lib: Any) -> Any:
    request = lib.Request("GET", "http://a.example/", hooks={"response": print})
    return [
        request.hooks["response"] == [print],
        request.register_hook("response", [len, repr]),
        request.hooks["response"] == [print, len, repr],
        request.deregister_hook("response", len),
        request.deregister_hook("response", len),
        request.prepare().hooks["response"] == [print, repr],
    ]


# --- hooks


def _records(response: Any, *args: Any, **kwargs: Any) -> Any:
    response.hook_called = True
    return response


def _asks_again(response: Any, **kwargs: Any) -> Any:
    """As auth does that answers a challenge."""
    if response.status_code != 401:
        return None
    response.content  # noqa: B018 - so that the connection is free
    response.close()
    request = response.request.copy()
    request.headers["Authorization"] = "Bearer x"
    again = response.connection.send(request, **kwargs)
    again.history.append(response)
    again.request = request
    return again


def _replacing(lib: Any, at: At) -> Any:
    other = lib.Response()
    other.status_code, other.url, other.raw = 299, "http://other.example/", io.BytesIO(b"other")

    def replace(response: Any, **kwargs: Any) -> Any:
        response.close()
        return other

    replaced = lib.get(at("/"), hooks={"response": replace})
    return [replaced.status_code, replaced.content, replaced is other]


HOOKS: Table = {
    "one": lambda lib, at: lib.get(at("/"), hooks={"response": _records}).hook_called,
    "several": lambda lib, at: (
        lib.get(at("/"), hooks={"response": [_records, lambda r, **k: None]}).hook_called
    ),
    "what it is called with": lambda lib, at: _called_with(lib, at, timeout=5),
    "what it is called with, without a timeout": Case(
        lambda lib, at: _called_with(lib, at),
        but=Difference(
            "what nobody has set is not said: adapters have a default of their own",
            result=lambda seen: [[1, ["cert", "proxies", "stream", "verify"]]],
        ),
    ),
    "one that replaces the response": _replacing,
    "one that asks again": Case(
        lambda lib, at: lib.get(at("/"), hooks={"response": _asks_again}),
        answer=lambda request: plain_if(request.header("Authorization"), respond("", status=401)),
    ),
    "one that fails": lambda lib, at: lib.get(at("/"), hooks={"response": lambda response, **kwargs: 1 / 0}),
    "one for each hop": Case(
        lambda lib, at: _called_for(lib, at("/a")), answer=route(a=to("/b"), b=to("/c"), c=END)
    ),
}


def _called_with(lib: Any, at: At, **how: Any) -> Any:
    seen: list[Any] = []
    hook = lambda *args, **kwargs: seen.append((len(args), sorted(kwargs)))  # noqa: E731 - it returns None
    lib.get(at("/"), verify=False, hooks={"response": hook}, **how)
    return seen


def _called_for(lib: Any, url: str) -> Any:
    seen: list[Any] = []
    lib.get(
        url, hooks={"response": lambda response, **kwargs: seen.append((response.url, response.status_code))}
    )
    return seen


# --- the helpers that need no server


def _case_insensitive(lib: Any, at: At) -> Any:
    fields = lib.structures.CaseInsensitiveDict({"Content-Type": "a/b"}, accept="c/d")
    fields["X-A"] = "1"
    fields["x-a"] = "2"
    copy = fields.copy()
    del copy["CONTENT-type"]
    return [
        dict(fields),
        list(fields),
        fields["ACCEPT"],
        fields.get("none", "default"),
        "x-A" in fields,
        len(fields),
        sorted(fields.lower_items()),
        fields == {"CONTENT-TYPE": "a/b", "Accept": "c/d", "x-A": "2"},
        fields == {"x-a": "2"},
        fields == 3,
        dict(copy),
        repr(copy),
        str(copy),
        fields.pop("x-a"),
        fields.setdefault("accept", "e"),
        sorted(fields.keys()),
        sorted(fields.values()),
    ]


HELPERS: Table = {
    "CaseInsensitiveDict": _case_insensitive,
    "CaseInsensitiveDict without a name": lambda lib, at: lib.structures.CaseInsensitiveDict()["a"],
    "codes": lambda lib, at: {name: code for name, code in vars(lib.codes).items() if name != "name"},
    "codes by attribute and by item": lambda lib, at: [
        lib.codes.ok,
        lib.codes.OK,
        lib.codes["not_found"],
        lib.codes["none"],
        lib.codes.get("teapot"),
        lib.codes.get("none", 3),
        repr(lib.codes),
        lib.status_codes.codes is lib.codes,
    ],
    "a code that there is not": lambda lib, at: lib.codes.none,
    "default_hooks": lambda lib, at: [lib.hooks.default_hooks(), lib.hooks.HOOKS],
    "dispatch_hook": lambda lib, at: [
        lib.hooks.dispatch_hook("response", {"response": [lambda x, **k: x + 1, lambda x, **k: None]}, 1),
        lib.hooks.dispatch_hook("response", {"response": lambda x, y: x + y}, 1, y=2),
        lib.hooks.dispatch_hook("response", {}, 1),
        lib.hooks.dispatch_hook("response", None, 1),
    ],
    "encodings": lambda lib, at: [
        lib.utils.get_encodings_from_content(
            '<meta charset="utf-8"><meta content="text/html;charset=latin-1">'
        ),
        lib.utils.get_encoding_from_headers({"content-type": "text/html; charset=utf-8"}),
        lib.utils.get_encoding_from_headers({"content-type": "image/png"}),
        lib.utils.get_encoding_from_headers({}),
    ],
}


@pytest.mark.parametrize(
    "case",
    cases(
        verbs=VERBS,
        params=PARAMS,
        urls=URLS,
        bodies=BODIES,
        files=FILES,
        headers=HEADERS,
        bad_headers=BAD_HEADERS,
        cookies=COOKIES,
        auth=AUTH,
        sessions=SESSIONS,
        prepared=PREPARED,
        hooks=HOOKS,
        helpers=HELPERS,
    ),
)
def test_the_same_call_sends_the_same_and_gives_the_same(case: Case | Call, server: Recorder) -> None:
    check(case, server)
