"""The redirect matrix: what arrives at each place that redirects lead to, byte for byte.

Eight servers on the loopback are the places of a small world: hosts below `.test` on their default ports and
on others, over http and https. A resolver leads there, so that URLs, Host and certificates are as they are in
the world. Each case is a journey from place to place; what has to arrive is worked out beside it by an oracle
that knows RFC 9110 (section 15.4), RFC 9112 (section 6), RFC 6265 and the laws on redirects, and nothing of
the client. All of each request is compared: method, target, every field, body, and in which order it came.

Where `requests` documents the same behaviour, the real one makes the same journey.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import hashlib
import io
import itertools
import pickle
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest
import requests
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

import pystickyhttp
from pystickyhttp import PreparedRequest, Response
from pystickyhttp.adapters import BaseAdapter
from pystickyhttp.auth import AuthBase, HTTPBearerAuth, HTTPDigestAuth, HTTPProxyAuth
from pystickyhttp.cookies import Cookie, CookieJar
from pystickyhttp.exceptions import UnrewindableBodyError
from pystickyhttp.transport import Address
from tests.servers.certificates import server_context
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import Peer, Request, ScriptedServer, keep_alive, respond
from tests.test_redirects_on_the_wire import Pipe, Site, basic, to

STATUSES = (301, 302, 303, 307, 308)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# -- the world --------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """An origin (RFC 6454, section 4)."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As Host has it (RFC 9110, section 7.2): a default port is not named."""
        default = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == default else f"{self.host}:{self.port}"

    def url(self, path: str = "/", userinfo: str = "") -> str:
        return f"{self.scheme}://{userinfo}{self.authority}{path}"


HOME = Place("http", "home.test", 80)
HOME_8080 = Place("http", "home.test", 8080)
HOME_TLS = Place("https", "home.test", 443)
HOME_TLS_8443 = Place("https", "home.test", 8443)
BELOW = Place("http", "below.home.test", 80)
BELOW_TLS = Place("https", "below.home.test", 443)
AWAY = Place("http", "away.test", 80)
AWAY_TLS = Place("https", "away.test", 443)
PLACES = (HOME, HOME_8080, HOME_TLS, HOME_TLS_8443, BELOW, BELOW_TLS, AWAY, AWAY_TLS)

Journey: TypeAlias = tuple[Place, ...]

STEPS: Mapping[str, Journey] = {
    "same origin": (HOME, HOME),
    "same origin over TLS": (HOME_TLS, HOME_TLS),
    "to another port": (HOME, HOME_8080),
    "to another host": (HOME, AWAY),
    "to another host over TLS": (HOME_TLS, AWAY_TLS),
    "https to http": (HOME_TLS, HOME),
    "http to https": (HOME, HOME_TLS),
    "http on 8080 to https": (HOME_8080, HOME_TLS),
}
FURTHER: Mapping[str, Journey] = {
    **STEPS,
    "from another port": (HOME_8080, HOME),
    "to another port over TLS": (HOME_TLS, HOME_TLS_8443),
    "http to https on 8443": (HOME, HOME_TLS_8443),
    "http to https elsewhere": (HOME, AWAY_TLS),
    "to a host below": (HOME, BELOW),
    "to a host above": (BELOW_TLS, HOME_TLS),
    "away and back": (HOME, AWAY, HOME),
    "away and back over TLS": (HOME_TLS, AWAY_TLS, HOME_TLS, HOME_TLS),
    "near, away, further, back": (HOME, HOME, AWAY, AWAY, HOME),
    "to https and back": (HOME, HOME_TLS, HOME),
    "to https, and there on": (HOME, HOME_TLS, HOME_TLS),
    "to https, away and back": (HOME, HOME_TLS, AWAY, HOME_TLS),
    "away, and back to http and https": (HOME, AWAY, HOME, HOME_TLS),
}


class Arrival(NamedTuple):
    place: Place
    request: Request


Answer: TypeAlias = "bytes | Callable[[Request], bytes]"


class World:
    """All places, and what arrived at them, in order."""

    def __init__(self, tls: ssl.SSLContext, ca_file: str, file: Path) -> None:
        self.arrivals: list[Arrival] = []
        self.answers: dict[tuple[Place, str], Answer] = {}
        self.file = file  # of FILE, to upload
        self._ca_file = ca_file
        self._servers = {
            place: ScriptedServer(self._at(place), tls=tls if place.scheme == "https" else None)
            for place in PLACES
        }

    def __enter__(self) -> World:
        with contextlib.ExitStack() as stack:
            for server in self._servers.values():
                stack.enter_context(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _at(self, place: Place) -> Callable[[Peer], None]:
        def answer(request: Request) -> bytes:
            self.arrivals.append(Arrival(place, request))
            found = self.answers.get((place, request.target), respond(b"arrived"))
            whole = found(request) if callable(found) else found
            head, _, _ = whole.partition(b"\r\n\r\n")
            return head + b"\r\n\r\n" if request.method == "HEAD" else whole

        return keep_alive(answer)

    def resolve(self, host: str, port: int) -> list[Address]:
        """Only the world is known, so that who strays does not reach another one."""
        for place, server in self._servers.items():
            if (place.host, place.port) == (host.rstrip("."), port):
                return [Address(socket.AF_INET, server.address)]
        raise socket.gaierror(socket.EAI_NONAME, f"there is no {host}:{port} in this world")

    def address(self, place: Place) -> tuple[str, int]:
        return self._servers[place].address

    def session(self, **given: Any) -> pystickyhttp.Session:
        """A session of two fields, so that all that arrives beside them has a reason of its own."""
        session = pystickyhttp.Session(resolver=self.resolve, verify=self._ca_file, **given)
        session.headers = SESSION_FIELDS
        return session

    def forget(self) -> None:
        """Nothing arrived, and nothing redirects."""
        self.arrivals.clear()
        self.answers.clear()
        for server in self._servers.values():
            server.requests.clear()

    def lead(self, case: Case) -> None:
        """Let each place of the journey, at /0, /1 and so on, redirect to the next."""
        self.forget()
        for number, (status, location) in enumerate(zip(case.statuses, case.locations(), strict=True)):
            self.answers[case.journey[number], f"/{number}"] = redirecting(status, location, number)


SESSION_FIELDS = {"User-Agent": "matrix", "X-Session": "kept"}
CALL_FIELDS = {"X-Call": "kept", "Accept-Language": "de"}
KEPT_FIELDS = {name.lower(): value for name, value in (SESSION_FIELDS | CALL_FIELDS).items()}


def redirecting(status: int, location: str, number: int) -> bytes:
    """A redirect with a body to pass over, which sets cookies for its host, its domain and TLS."""
    fields = [
        ("Location", location),
        ("Set-Cookie", f"host{number}=1; Path=/"),
        ("Set-Cookie", f"wide{number}=1; Path=/; Domain=home.test"),
        ("Set-Cookie", f"safe{number}=1; Path=/; Secure"),
    ]
    return respond(b"moved", status=status, headers=fields)


@pytest.fixture(scope="module")
def world(ca: trustme.CA, ca_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    file = tmp_path_factory.mktemp("upload") / "upload.bin"
    file.write_bytes(SKIPPED + FILE)
    with World(server_context(ca, *{place.host for place in PLACES}), ca_file, file) as world:
        yield world


# -- the bodies -------------------------------------------------------------------------------------------

SKIPPED = b"skip"  # each file stands behind it
FILE = bytes(range(256)) * 300  # so large that the system sends it, where it can
BOUNDARY = "(boundary)"  # in the place of the one that the client draws
DESCRIBING = {"Content-Language": "en", "Content-Encoding": "identity", "Content-Location": "/draft"}


@dataclass(frozen=True)
class Upload:
    """A body: how the call gives it, and what the far end has to see of it.

    Attributes:
        given: the arguments of the call.
        content: the bytes.
        type: its Content-Type, or None.
        chunked: whether its length is not known beforehand.
        one_shot: whether it can be sent only once.
        fields: what the caller says of it by hand.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    type: str | None = None
    chunked: bool = False
    one_shot: bool = False
    fields: Mapping[str, str] = field(default_factory=lambda: DESCRIBING)

    def bounded_by(self, boundary: str) -> Upload:
        if self.content is None or self.type is None:
            return self
        content = self.content.replace(BOUNDARY.encode(), boundary.encode())
        return replace(self, content=content, type=self.type.replace(BOUNDARY, boundary))

    def describing_fields(self) -> dict[str, str]:
        """The fields that come and go with the body, one for its framing among them (X6)."""
        assert self.content is not None
        found = {name.lower(): value for name, value in self.fields.items()}
        if self.type is not None:
            found["content-type"] = self.type
        framing = (
            {"transfer-encoding": "chunked"} if self.chunked else {"content-length": str(len(self.content))}
        )
        return found | framing


Kind: TypeAlias = "Callable[[contextlib.ExitStack, Path], Upload]"


def file_in_memory() -> io.BytesIO:
    file = io.BytesIO(SKIPPED + b"in memory")
    file.seek(len(SKIPPED))
    return file


def file_on_disk(stack: contextlib.ExitStack, path: Path) -> Any:
    file = stack.enter_context(path.open("rb"))
    file.seek(len(SKIPPED))
    return file


def multipart(content: bytes, filename: str = "f.bin") -> bytes:
    """RFC 7578, section 4: a field, and a file."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        f"Content-Type: text/plain\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def multipart_of(content: Any, seen: bytes, **more: Any) -> Upload:
    given = {"data": {"field": "value"}, "files": {"file": ("f.bin", content, "text/plain")}}
    return Upload(given, multipart(seen), f"multipart/form-data; boundary={BOUNDARY}", **more)


def pieces() -> Iterator[bytes]:
    yield from (b"one", b"", b"two")


NOTHING = Upload(fields={})

KINDS: Mapping[str, Kind] = {
    "none": lambda stack, path: NOTHING,
    "bytes": lambda stack, path: Upload({"data": b"\x00bytes\r\n\r\n"}, b"\x00bytes\r\n\r\n"),
    "str": lambda stack, path: Upload({"data": "str: \u20ac"}, "str: \u20ac".encode()),
    "form": lambda stack, path: Upload(
        {"data": {"a": "b c", "\u00e9": ["&", "="]}},
        b"a=b+c&%C3%A9=%26&%C3%A9=%3D",
        "application/x-www-form-urlencoded",
    ),
    "JSON": lambda stack, path: Upload({"json": {"a": [1, None]}}, b'{"a": [1, null]}', "application/json"),
    "file on disk": lambda stack, path: Upload({"data": file_on_disk(stack, path)}, FILE),
    "file in memory": lambda stack, path: Upload({"data": file_in_memory()}, b"in memory"),
    "collection": lambda stack, path: Upload(
        {"data": collections.deque([b"one", "two"])}, b"onetwo", chunked=True
    ),
    "generator": lambda stack, path: Upload({"data": pieces()}, b"onetwo", chunked=True, one_shot=True),
    "generator of known length": lambda stack, path: Upload(
        {"data": pieces()}, b"onetwo", one_shot=True, fields={**DESCRIBING, "Content-Length": "6"}
    ),
    "pipe": lambda stack, path: Upload({"data": Pipe(b"pipe")}, b"pipe", chunked=True, one_shot=True),
    "multipart": lambda stack, path: multipart_of(b"content", b"content"),
    "multipart with a file": lambda stack, path: multipart_of(file_on_disk(stack, path), FILE),
    "multipart with a pipe": lambda stack, path: multipart_of(
        Pipe(b"pipe"), b"pipe", chunked=True, one_shot=True
    ),
}


# -- the secrets ------------------------------------------------------------------------------------------


class Baked(NamedTuple):
    """A cookie, and where it goes (RFC 6265, section 5.4)."""

    name: str
    value: str = "1"
    domain: str = ""
    host_only: bool = True
    secure: bool = False
    path: str = "/"

    def goes_to(self, place: Place, path: str) -> bool:
        below = not self.host_only and place.host.endswith(f".{self.domain}")
        in_path = path == self.path or path.startswith(f"{self.path.rstrip('/')}/")
        in_host = not self.domain or place.host == self.domain or below
        return in_host and in_path and (place.scheme == "https" or not self.secure)

    def cookie(self) -> Cookie:
        return Cookie(
            self.name,
            self.value,
            domain=self.domain,
            path=self.path,
            secure=self.secure,
            host_only=self.host_only,
        )


# What the jar of each session holds at the start.
STUCK = (
    Baked("host", domain="home.test"),
    Baked("wide", domain="home.test", host_only=False),
    Baked("safe", domain="home.test", secure=True),
    Baked("path", domain="home.test", path="/1"),
    Baked("below", domain="below.home.test"),
    Baked("away", domain="away.test", host_only=False),
    Baked("everywhere"),
)


def baked_by(place: Place, number: int) -> Iterator[Baked]:
    """What sticks of the cookies that `redirecting` sets (RFC 6265, section 5.3)."""
    yield Baked(f"host{number}", domain=place.host)
    if place.host.endswith("home.test"):
        yield Baked(f"wide{number}", domain="home.test", host_only=False)
    if place.scheme == "https":
        yield Baked(f"safe{number}", domain=place.host, secure=True)


Sign: TypeAlias = "str | Callable[[str, str], str]"  # of the method and the URL


@dataclass(frozen=True)
class Secret:
    """Something that is meant for one origin.

    Attributes:
        call: arguments of the call.
        session: attributes of the session; of headers, those that are added.
        userinfo: the part of the first URL ahead of the host.
        fields: what arrives where it is meant for.
        own: cookies of the call.
    """

    call: Mapping[str, Any] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)
    userinfo: str = ""
    fields: Mapping[str, Sign] = field(default_factory=dict)
    own: tuple[Baked, ...] = ()

    def settle(self, session: pystickyhttp.Session) -> None:
        for name, value in self.session.items():
            if name == "headers":
                session.headers.update(value)
            else:
                setattr(session, name, value)


class Signing(AuthBase):
    """Signs method and URL, as the schemes of clouds do."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = signature(request.method, request.url.partition("#")[0])
        return request


def signature(method: str, url: str) -> str:
    return f"Signed s3cret {method} {url}"


def signing(request: PreparedRequest) -> PreparedRequest:
    return Signing()(request)


BASIC = basic("user", "s3cret")
BEARER = "Bearer s3cret"
# None of these may be found off the origin, in no part of a request.
WORDS = (b"s3cret", BASIC.partition(" ")[2].encode(), base64.b64encode(b"s3cret"))


def cookies_of_call() -> CookieJar:
    jar = CookieJar()
    for baked in COOKIES_OF_CALL:
        jar.set_cookie(baked.cookie())
    return jar


COOKIES_OF_CALL = (
    Baked("host", "s3cret", "home.test"),
    Baked("once", "s3cret", "home.test", host_only=False),
    Baked("tls", "s3cret", "home.test", secure=True),
    Baked("theirs", "s3cret", "away.test"),
)
NO_SECRET = Secret()
ALL_AT_ONCE = Secret(
    call={
        "auth": ("user", "s3cret"),
        "cookies": {"own": "s3cret"},
        "headers": {"Host": "s3cret.test", "Proxy-Authorization": BEARER},
    },
    session={"headers": {"Authorization": BEARER, "Host": "other-s3cret.test"}, "auth": ("v", "s3cret")},
    userinfo="w:s3cret@",
    fields={"authorization": BASIC, "host": "s3cret.test"},
    own=(Baked("own", "s3cret"),),
)
SECRETS: Mapping[str, Secret] = {
    "Authorization by hand": Secret({"headers": {"Authorization": BEARER}}, fields={"authorization": BEARER}),
    "authorization as bytes": Secret(
        {"headers": {b"authorization": BEARER.encode()}}, fields={"authorization": BEARER}
    ),
    "Authorization of the session": Secret(
        session={"headers": {"AUTHORIZATION": BEARER}}, fields={"authorization": BEARER}
    ),
    "auth of the call": Secret({"auth": ("user", "s3cret")}, fields={"authorization": BASIC}),
    "auth of the session": Secret(session={"auth": ("user", "s3cret")}, fields={"authorization": BASIC}),
    "bearer": Secret({"auth": HTTPBearerAuth("s3cret")}, fields={"authorization": BEARER}),
    "an auth object": Secret({"auth": Signing()}, fields={"authorization": signature}),
    "an auth object of the session": Secret(session={"auth": Signing()}, fields={"authorization": signature}),
    "an auth function": Secret({"auth": signing}, fields={"authorization": signature}),
    "userinfo": Secret(userinfo="user:s3cret@", fields={"authorization": BASIC}),
    "Cookie by hand": Secret({"headers": {"Cookie": "by=s3cret"}}, fields={"cookie": "by=s3cret"}),
    "Cookie of the session by hand": Secret(
        session={"headers": {"cookie": "by=s3cret"}}, fields={"cookie": "by=s3cret"}
    ),
    "cookies of the call": Secret(
        {"cookies": {"own": "s3cret", "wide": "s3cret"}},
        own=(Baked("own", "s3cret"), Baked("wide", "s3cret")),
    ),
    "cookies of the call in a jar": Secret({"cookies": cookies_of_call()}, own=COOKIES_OF_CALL),
    "Host by hand": Secret({"headers": {"Host": "s3cret.test"}}, fields={"host": "s3cret.test"}),
    "Host of the session": Secret(
        session={"headers": {"host": "s3cret.test"}}, fields={"host": "s3cret.test"}
    ),
    # Where there is no proxy, nobody is to see it at all.
    "Proxy-Authorization by hand": Secret({"headers": {"Proxy-Authorization": BEARER}}),
    "Proxy-Authorization of the session": Secret(session={"headers": {"Proxy-Authorization": BEARER}}),
    "auth for a proxy": Secret({"auth": HTTPProxyAuth("user", "s3cret")}),
    "all at once": ALL_AT_ONCE,
}


# -- the oracle -------------------------------------------------------------------------------------------


class Hop(NamedTuple):
    """A request as it has to arrive, or as it did; the names of fields are in lower case."""

    place: Place
    method: str
    target: str
    fields: Mapping[str, str]
    body: bytes


def hop_of(arrival: Arrival) -> Hop:
    place, request = arrival
    # That the connection ends is only ever said by the proxy of the tests.
    said = [
        (name.lower(), value) for name, value in request.headers if (name, value) != ("Connection", "close")
    ]
    fields = dict(said)
    assert len(fields) == len(said), f"a field came twice: {said}"
    return Hop(place, request.method, request.target, fields, request.body)


def following(method: str, status: int) -> str:
    """Law: 303 -> GET; 301/302 POST -> GET; 307/308 keep the method; HEAD stays."""
    if method == "HEAD" or status in (307, 308):
        return method
    return "GET" if status == 303 or method == "POST" else method


def is_trusted(old: Place, new: Place) -> bool:
    """Law: the origin itself, and http on 80 to https on 443 of the same host."""
    return new == old or (old, new) == (Place("http", old.host, 80), Place("https", old.host, 443))


def cookie_of(place: Place, path: str, stuck: Iterable[Baked], own: Iterable[Baked]) -> str:
    """RFC 6265, section 5.4: longer paths first, then older ones; the call goes ahead of the session."""
    mine = [baked for baked in own if baked.goes_to(place, path)]
    names = {baked.name for baked in mine}
    found = [baked for baked in stuck if baked.goes_to(place, path) and baked.name not in names]
    found.sort(key=lambda baked: -len(baked.path))
    return "; ".join(f"{baked.name}={baked.value}" for baked in found + mine)


@dataclass
class Expected:
    """What has to come of a journey.

    Attributes:
        hops: the requests that arrive.
        trusted: for each of them, whether it may carry what was meant for the first origin.
        ends_early: whether the body that has to be sent once more is gone.
    """

    hops: list[Hop] = field(default_factory=list)
    trusted: list[bool] = field(default_factory=list)
    ends_early: bool = False


def expected(
    journey: Journey,
    statuses: Sequence[int],
    method: str,
    upload: Upload = NOTHING,
    secret: Secret = NO_SECRET,
    netrc: Mapping[str, tuple[str, str]] | None = None,
) -> Expected:
    result, trusted, has_body, stuck = Expected(), True, upload.content is not None, list(STUCK)
    for number, place in enumerate(journey):
        if number > 0:
            status = statuses[number - 1]
            trusted = trusted and is_trusted(journey[number - 1], place)
            has_body = has_body and status != 303 and following(method, status) == method
            method = following(method, status)
            if has_body and upload.one_shot:
                result.ends_early = True
                break
        path = f"/{number}"
        fields = {"host": place.authority, **KEPT_FIELDS}
        if has_body:
            fields |= upload.describing_fields()
        elif method in ("POST", "PUT", "PATCH"):  # X6
            fields["content-length"] = "0"
        if cookie := cookie_of(place, path, stuck, secret.own if trusted else ()):
            fields["cookie"] = cookie
        if netrc and place.host in netrc:
            fields["authorization"] = basic(*netrc[place.host])
        if trusted:
            url = place.url(path, secret.userinfo if number == 0 else "")
            for name, value in secret.fields.items():
                fields[name] = value if isinstance(value, str) else value(method, url)
        body = upload.content if has_body and upload.content is not None else b""
        result.hops.append(Hop(place, method, path, fields, body))
        result.trusted.append(trusted)
        stuck += baked_by(place, number)
    return result


# -- a case -----------------------------------------------------------------------------------------------


def as_path(old: Place, new: Place, path: str) -> str:
    return path if old == new else new.url(path)


def without_scheme(old: Place, new: Place, path: str) -> str:
    return f"//{new.authority}{path}" if old.scheme == new.scheme else new.url(path)


# The ways in which a Location can name a place (RFC 3986, section 4.2), where that place allows them.
FORMS: Mapping[str, Callable[[Place, Place, str], str]] = {
    "whole": lambda old, new, path: new.url(path),
    "path": as_path,
    "without a scheme": without_scheme,
}


@dataclass
class Case:
    """One journey of one request, and how it has to go."""

    journey: Journey
    statuses: Sequence[int]
    method: str = "GET"
    upload: Upload = NOTHING
    secret: Secret = NO_SECRET
    netrc: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    fragments: Sequence[str] = ("#part",)  # of each URL; those that are missing are inherited
    forms: Sequence[str] = ()  # how each Location is written: as FORMS has it, by default as a whole

    def __str__(self) -> str:
        body = "no body" if self.upload.content is None else f"{dict(self.upload.given)!r:.300}"
        locations = [
            f"{status} {location}" for status, location in zip(self.statuses, self.locations(), strict=True)
        ]
        return f"{self.method} {self.urls()[0]} with {body}, then {locations}, {self.secret}"

    def form(self, number: int) -> str:
        return self.forms[number] if number < len(self.forms) else "whole"

    def fragment(self, number: int) -> str:
        return self.fragments[number] if number < len(self.fragments) else ""

    def locations(self) -> list[str]:
        """What each redirect says."""
        return [
            FORMS[self.form(number - 1)](old, new, f"/{number}") + self.fragment(number)
            for number, (old, new) in enumerate(itertools.pairwise(self.journey), start=1)
        ]

    def urls(self) -> list[str]:
        """The URL of each request: what a Location does not say is inherited.

        RFC 3986, section 5.2.2; for fragments RFC 9110, section 10.2.2.
        """
        userinfo, fragment = self.secret.userinfo, self.fragment(0)
        found = [self.journey[0].url("/0", userinfo) + fragment]
        for number, location in enumerate(self.locations(), start=1):
            userinfo = userinfo if location.startswith(f"/{number}") else ""
            fragment = self.fragment(number) or fragment
            found.append(self.journey[number].url(f"/{number}", userinfo) + fragment)
        return found

    def arguments(self) -> dict[str, Any]:
        given = {**self.upload.given, **self.secret.call}
        given["headers"] = {**CALL_FIELDS, **self.upload.fields, **self.secret.call.get("headers", {})}
        return given

    def expected(self, world: World) -> Expected:
        said = world.arrivals[0].request.header("Content-Type") or ""
        upload = self.upload.bounded_by(said.partition("boundary=")[2])
        return expected(self.journey, self.statuses, self.method, upload, self.secret, self.netrc)


def stick(session: pystickyhttp.Session) -> None:
    session.cookies = CookieJar()
    for baked in STUCK:
        session.cookies.set_cookie(baked.cookie())


def prepare(world: World, session: pystickyhttp.Session, case: Case) -> None:
    world.lead(case)
    stick(session)
    case.secret.settle(session)


def run(world: World, session: pystickyhttp.Session, case: Case) -> None:
    """Make a journey, and hold against the oracle what arrived and what came back."""
    prepare(world, session, case)
    outcome = outcome_of(session, case)
    expectation = case.expected(world)
    check_arrivals(world, case, expectation)
    if not expectation.ends_early:
        assert isinstance(outcome, Response), f"{case}: {outcome}"
        check_response(outcome, case, expectation)
        return
    assert isinstance(outcome, UnrewindableBodyError), f"{case}: a body was sent that is gone"
    assert outcome.request.url == case.urls()[len(expectation.hops)], str(case)


def outcome_of(session: pystickyhttp.Session, case: Case) -> Response | UnrewindableBodyError:
    try:
        return session.request(case.method, case.urls()[0], **case.arguments())
    except UnrewindableBodyError as error:
        return error


def check_arrivals(world: World, case: Case, expectation: Expected) -> None:
    seen = [hop_of(arrival) for arrival in world.arrivals]
    for hop, wanted in zip(seen, expectation.hops, strict=False):
        assert hop == wanted, str(case)
    assert len(seen) == len(expectation.hops), str(case)
    for arrival, trusted in zip(world.arrivals, expectation.trusted, strict=True):
        if not trusted:
            leaked = [word for word in WORDS if word in arrival.request.raw]
            assert not leaked, f"{case}: {leaked} came to {arrival.place}"


def check_response(response: Response, case: Case, expectation: Expected) -> None:
    everything = [*response.history, response]
    assert [each.url for each in everything] == case.urls(), str(case)
    assert [each.request.url for each in everything] == case.urls(), str(case)
    assert [each.status_code for each in everything] == [*case.statuses, 200], str(case)
    assert [each.request.method for each in everything] == [hop.method for hop in expectation.hops], str(case)
    assert [each.is_redirect for each in everything] == [True] * len(case.statuses) + [False], str(case)
    assert response.content == (b"" if expectation.hops[-1].method == "HEAD" else b"arrived"), str(case)


# -- method and body --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("step", STEPS)
def test_method_body_and_fields_arrive_as_status_and_origins_have_it(
    world: World, step: str, status: int
) -> None:
    """P2, X6, and the laws on redirects and cookies; one-shot bodies go once, or are an error."""
    with world.session() as session, contextlib.ExitStack() as stack:
        for method, kind in itertools.product(METHODS, KINDS.values()):
            run(world, session, Case(STEPS[step], (status,), method, kind(stack, world.file)))


# -- secrets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("journey", FURTHER)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_leaves_its_origin_nor_comes_back(world: World, secret: str, journey: str) -> None:
    """The laws on redirects and precedence. POST is the method that some statuses change."""
    places = FURTHER[journey]
    with world.session() as session, contextlib.ExitStack() as stack:
        for status in STATUSES:
            statuses = (status,) * (len(places) - 1)
            upload = KINDS["JSON"](stack, world.file)
            run(world, session, Case(places, statuses, "POST", upload, SECRETS[secret]))
        # For the chain alone: the next request has all of it again.
        run(world, session, Case(places[:1], (), "POST", NOTHING, SECRETS[secret]))


@st.composite
def journeys(draw: st.DrawFn) -> tuple[Journey, list[int], list[str], list[str]]:
    """Places, statuses, the forms of Locations, and fragments."""
    journey = draw(st.lists(st.sampled_from(PLACES), min_size=2, max_size=7))
    hops = len(journey) - 1
    return (
        tuple(journey),
        draw(st.lists(st.sampled_from(STATUSES), min_size=hops, max_size=hops)),
        draw(st.lists(st.sampled_from(list(FORMS)), max_size=hops)),
        draw(st.lists(st.sampled_from(["", "#first", "#second"]), max_size=hops + 1)),
    )


@pytest.mark.slow
# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
@settings(deadline=None, max_examples=200)
@given(
    journeys(),
    st.sampled_from(METHODS),
    st.sampled_from(list(KINDS)),
    st.sampled_from([NO_SECRET, *SECRETS.values()]),
)
def test_any_chain_of_redirects_is_walked_as_the_law_has_it(
    world: World,
    way: tuple[Journey, list[int], list[str], list[str]],
    method: str,
    kind: str,
    secret: Secret,
) -> None:
    journey, statuses, forms, fragments = way
    with world.session() as session, contextlib.ExitStack() as stack:
        upload = KINDS[kind](stack, world.file)
        run(world, session, Case(journey, statuses, method, upload, secret, {}, fragments, forms))


def by_next(session: pystickyhttp.Session, request: PreparedRequest) -> None:
    response = session.send(request, allow_redirects=False)
    while response.next is not None:
        response = session.send(response.next, allow_redirects=False)


def by_resolve_redirects(session: pystickyhttp.Session, request: PreparedRequest) -> None:
    response = session.send(request, allow_redirects=False)
    collections.deque(session.resolve_redirects(response, request, verify=session.verify), maxlen=0)


def by_send(session: pystickyhttp.Session, request: PreparedRequest) -> None:
    session.send(request)


@pytest.mark.parametrize("walk", [by_next, by_resolve_redirects, by_send])
@pytest.mark.parametrize("secret", ["all at once", "cookies of the call in a jar", "an auth object"])
def test_who_walks_by_hand_sends_the_same(
    world: World, secret: str, walk: Callable[[pystickyhttp.Session, PreparedRequest], None]
) -> None:
    with world.session() as session, contextlib.ExitStack() as stack:
        for journey, status in itertools.product(FURTHER.values(), STATUSES):
            statuses = (status,) * (len(journey) - 1)
            case = Case(journey, statuses, "POST", KINDS["JSON"](stack, world.file), SECRETS[secret])
            prepare(world, session, case)
            request = pystickyhttp.Request("POST", case.urls()[0], **case.arguments())
            walk(session, session.prepare_request(request))
            check_arrivals(world, case, case.expected(world))


@pytest.mark.parametrize("journey", FURTHER)
def test_a_request_that_no_session_prepared_loses_its_secrets_too(world: World, journey: str) -> None:
    """It has none of the session's fields, and of the jar only what the hops have for it."""
    places = FURTHER[journey]
    case = Case(places, (307,) * (len(places) - 1))
    with world.session() as session:
        prepare(world, session, case)
        fields = {"Cookie": "by=s3cret", "Host": "s3cret.test", "X-Call": "kept"}
        request = pystickyhttp.Request(
            "PUT", places[0].url("/0"), fields, auth=("user", "s3cret"), data=b"body"
        )
        session.send(request.prepare())
        wanted = expected(places, case.statuses, "PUT")
        for (place, seen), hop, trusted in zip(world.arrivals, wanted.hops, wanted.trusted, strict=True):
            private = {"authorization": BASIC, "cookie": "by=s3cret", "host": "s3cret.test"}
            public = {"host": place.authority, "cookie": hop.fields["cookie"]}
            rest = {"x-call": "kept", "content-length": "4"}
            assert place == hop.place
            assert seen.body == b"body"
            assert hop_of(Arrival(place, seen)).fields == rest | (private if trusted else public)


# -- auth that listens ------------------------------------------------------------------------------------


class Watchful(AuthBase):
    """Hears of each response, and answers a refusal, as a scheme with challenges does."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.register_hook("response", self.answer)
        return request

    def answer(self, response: Response, **settings: Any) -> Response:
        self.heard.append(response.url)
        if response.status_code != 401:
            return response
        _ = response.content
        again = response.request.copy()
        again.headers["Authorization"] = BEARER
        answered: Response = response.connection.send(again, **settings)
        answered.history.append(response)
        return answered


def refusal(challenge: str) -> Callable[[Request], bytes]:
    def answer(request: Request) -> bytes:
        if request.header("Authorization") is not None:
            return respond(b"arrived")
        return respond(b"who?", status=401, headers={"WWW-Authenticate": challenge})

    return answer


@pytest.mark.parametrize("journey", FURTHER)
def test_the_hooks_of_an_auth_object_hear_of_its_own_origin_alone(world: World, journey: str) -> None:
    """Those of the caller hear of each hop, and a refusal off the origin is nobody's to answer."""
    places = FURTHER[journey]
    case = Case(places, (302,) * (len(places) - 1), fragments=())
    auth, told = Watchful(), []
    with world.session() as session:
        prepare(world, session, case)
        last = len(places) - 1
        world.answers[places[-1], f"/{last}"] = refusal("Whatever")
        hooks = {"response": lambda response, **_: told.append(response.url)}
        response = session.get(case.urls()[0], auth=auth, hooks=hooks)
    trusted = expected(places, case.statuses, "GET").trusted
    assert auth.heard == [url for url, mine in zip(case.urls(), trusted, strict=True) if mine]
    assert told == case.urls()
    seen = [arrival.request.header("Authorization") for arrival in world.arrivals]
    answers = [BEARER] if trusted[-1] else []
    assert seen == [None] * len(places) + answers
    assert response.status_code == (200 if trusted[-1] else 401)


def digest(method: str, target: str, nonce: str) -> str:
    """The response of RFC 2069, section 2.1.1, which is that of RFC 7616 without a qop."""
    hashes = [
        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        for text in ("user:realm:s3cret", f"{method}:{target}")
    ]
    return hashlib.md5(f"{hashes[0]}:{nonce}:{hashes[1]}".encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("journey", FURTHER)
def test_digest_answers_its_own_origin_alone(world: World, journey: str, status: int) -> None:
    """RFC 7616, section 3.3: `domain` may name other origins, whose challenges stay unanswered."""
    places = FURTHER[journey]
    case = Case(places, (status,) * (len(places) - 1), "POST")
    wanted = expected(places, case.statuses, "POST")
    domain = " ".join(place.url() for place in PLACES)
    with world.session() as session:
        prepare(world, session, case)
        for number, (hop, trusted) in enumerate(zip(wanted.hops, wanted.trusted, strict=True)):
            challenge = refusal(f'Digest realm="realm", nonce="{hop.place.scheme}", domain="{domain}"')
            redirect = world.answers.get((hop.place, hop.target), respond(b"arrived"))
            if trusted or number == len(places) - 1:
                world.answers[hop.place, hop.target] = demanding(challenge, redirect)
        response = session.post(case.urls()[0], data=b"body", auth=HTTPDigestAuth("user", "s3cret"))
    for hop, trusted in zip(wanted.hops, wanted.trusted, strict=True):
        there = [request for place, request in world.arrivals if (place, request.target) == hop[:3:2]]
        said = [request.header("Authorization") for request in there]
        if not trusted:
            assert said == [None]
            continue
        right = f'response="{digest(hop.method, hop.target, hop.place.scheme)}"'
        assert right in (said[-1] or "")
        assert said[:-1] in ([], [None])
    assert response.status_code == (200 if wanted.trusted[-1] else 401)
    # Challenges are a part of what came before, in the order in which they came.
    way = [place.url(request.target) for place, request in world.arrivals]
    assert [each.url.partition("#")[0] for each in (*response.history, response)] == way


def demanding(challenge: Callable[[Request], bytes], granted: Answer) -> Answer:
    def answer(request: Request) -> bytes:
        if request.header("Authorization") is None:
            return challenge(request)
        return granted(request) if callable(granted) else granted

    return answer


NETRC = {
    "home.test": ("home", "password of home"),
    "below.home.test": ("below", "password of below"),
    "away.test": ("away", "password of away"),
}


@pytest.mark.parametrize("hosts", [("home.test",), ("away.test",), tuple(NETRC)], ids=" ".join)
@pytest.mark.parametrize("secret", ["none", "auth of the call", "Authorization of the session", "userinfo"])
def test_each_host_sees_its_own_credentials_of_netrc(
    world: World, secret: str, hosts: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Precedence: explicit auth, userinfo, netrc. Off the origin only what netrc has for the host is left."""
    netrc = {host: NETRC[host] for host in hosts}
    file = tmp_path / "netrc"
    file.write_text("".join(f'machine {host} login {u} password "{w}"\n' for host, (u, w) in netrc.items()))
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    given = NO_SECRET if secret == "none" else SECRETS[secret]
    with world.session() as session:
        for journey, status in itertools.product(FURTHER.values(), (302, 307)):
            statuses = (status,) * (len(journey) - 1)
            run(world, session, Case(journey, statuses, "POST", NOTHING, given, netrc))


def test_netrc_is_not_asked_where_the_environment_is_not(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine home.test login u password w\nmachine away.test login u password w\n")
    monkeypatch.setenv("NETRC", str(file))
    with world.session(trust_env=False) as session:
        for journey in FURTHER.values():
            run(world, session, Case(journey, (302,) * (len(journey) - 1)))


# -- spellings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "http://home.test:80/1",
        "http://HOME.test/1",
        "HTTP://Home.Test:080/1",
        "http://home.test:/1",
        "//home.test/1",
        "/1",
        "1",
        "?/../../1",
        "http://other:word@home.test/1",
        "\N{FULLWIDTH LATIN SMALL LETTER H}ome".join(("http://", ".test/1")).encode().decode("latin-1"),
    ],
)
def test_the_same_origin_is_that_however_it_is_written(world: World, location: str) -> None:
    """RFC 3986, section 6.2; and the userinfo of a Location is no credential that anybody gave."""
    world.forget()
    world.answers[HOME, "/0"] = redirecting(302, location, 0)
    with world.session() as session:
        session.get(HOME.url("/0"), auth=("user", "s3cret"), cookies={"own": "s3cret"})
    (_, first), (place, second) = world.arrivals
    assert place == HOME
    assert second.header("Authorization") == first.header("Authorization") == BASIC
    assert second.header("Cookie") == "host0=1; wide0=1; own=s3cret"


# What only looks like the origin: the Host that is asked instead, or None where it is an error.
LOOKALIKES: Mapping[str, str | None] = {
    "http://home.test./1": "home.test.",
    "http://away.test/1?home.test": "away.test",
    "http://away.test?@home.test/1": "away.test",
    "http://away.test#@home.test/1": "away.test",
    "http://away.test/\\home.test/1": "away.test",
    "http://home.test@away.test/1": "away.test",
    "http://home.test:80@away.test/1": "away.test",
    "http://home.test%2f@away.test/1": "away.test",
    "//away.test/1": "away.test",
    "//home.test@away.test/1": "away.test",
    "http://home.test:8080/1": "home.test:8080",
    "http://home.test%00.away.test/1": None,
    "http://home.test\t.away.test/1": None,
    "http://home.test\\@away.test/1": None,
    "http://away.test\\@home.test/1": None,
    "http:/\\away.test/1": None,
    "https:away.test/1": None,
    "///away.test/1": None,
    "http://home.test;away.test/1": None,
}


@pytest.mark.parametrize("location", LOOKALIKES)
def test_what_only_looks_like_the_origin_is_another_one(world: World, location: str) -> None:
    """RFC 3986, section 7.6: it is an error, or it is asked for without a secret."""
    world.forget()
    world.answers[HOME, "/0"] = redirecting(307, location, 0)
    fails = LOOKALIKES[location] is None
    with world.session() as session:
        with pytest.raises(pystickyhttp.RequestException) if fails else contextlib.nullcontext():
            session.post(HOME.url("/0"), auth=("user", "s3cret"), cookies={"own": "s3cret"})
    (_, first), *others = world.arrivals
    assert first.header("Authorization") == BASIC
    assert [request.header("Host") for _, request in others] == ([] if fails else [LOOKALIKES[location]])
    assert not any(word in request.raw for _, request in others for word in WORDS)


@pytest.mark.parametrize("step", STEPS)
def test_userinfo_in_a_location_is_sent_to_nobody(world: World, step: str) -> None:
    """RFC 9110, section 4.2.4: who wrote it is not who makes the request."""
    old, new = STEPS[step]
    world.forget()
    world.answers[old, "/0"] = redirecting(302, new.url("/1", "other:word@"), 0)
    with world.session() as session:
        session.get(old.url("/0"))
    assert [request.header("Authorization") for _, request in world.arrivals] == [None, None]


# -- what describes a body, and how it is sent ------------------------------------------------------------

# RFC 9110, section 15.4, names the first seven, and does not end there; RFC 9530 has the heirs of Digest.
CONTENT_FIELDS = {
    "Content-Encoding": "identity",
    "Content-Language": "en",
    "Content-Location": "/draft",
    "Content-Type": "text/plain",
    "Content-Length": "4",
    "Digest": "sha-256=4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=",
    "Last-Modified": "Sat, 21 Nov 2026 12:00:00 GMT",
    "Content-Digest": "sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:",
    "Repr-Digest": "sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:",
    "Content-MD5": "rL0Y20zC+Fzt72VPzMSk2A==",
    "Content-Range": "bytes 0-3/4",
    "Content-Disposition": "attachment",
}


@pytest.mark.parametrize("name", CONTENT_FIELDS)
def test_each_field_that_describes_a_body_comes_and_goes_with_it(world: World, name: str) -> None:
    """RFC 9110, section 15.4, step 5."""
    value = CONTENT_FIELDS[name]
    with world.session() as session:
        for method, status in itertools.product(METHODS, STATUSES):
            prepare(world, session, Case((HOME, AWAY), (status,), method))
            session.request(method, HOME.url("/0"), data=b"body", headers={name: value})
            said = [request.header(name) for _, request in world.arrivals]
            keeps = status != 303 and following(method, status) == method
            assert said == [value, value if keeps else None], f"{method} {status}"


def stops_at_once(peer: Peer) -> None:
    """Redirects on the head alone, and never reads the body."""
    peer.read_head()
    peer.send(to("/1", 307))
    peer.stall()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_a_body_that_waits_for_a_server_waits_for_the_one_it_is_sent_to(kind: str, world: World) -> None:
    """X3: until 100 nothing of it was begun, so that even what can be sent once goes to the far end."""
    bodies: list[bytes] = []

    def continues(peer: Peer) -> None:
        request = peer.read_head()
        if request.header("Expect") is not None:
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        bodies.append(peer.read_body(request))
        boundary = (request.header("Content-Type") or "").partition("boundary=")[2]
        bodies.append(upload.bounded_by(boundary).content or b"")
        peer.send(respond(b"arrived"))

    with ScriptedServer([stops_at_once, continues]) as server, pystickyhttp.Session() as session:
        with contextlib.ExitStack() as stack:
            upload = KINDS[kind](stack, world.file)
            fields = {**upload.fields, "Expect": "100-continue"}
            response = session.post(server.url("/0"), headers=fields, **upload.given)
            assert response.text == "arrived"
    assert bodies[0] == bodies[1]
    assert [request.target for request in server.requests] == ["/0", "/1"]


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_an_upload_that_a_redirect_stops_goes_whole_to_where_it_leads(kind: str) -> None:
    """X2, P2."""
    content = bytes(range(256)) * 20_000  # more than the buffers between here and there

    def takes_it(peer: Peer) -> None:
        assert peer.expect_request().body == content
        peer.send(respond(b"arrived"))

    with ScriptedServer([stops_at_once, takes_it]) as server, pystickyhttp.Session() as session:
        data = io.BytesIO(content) if kind == "file" else content
        assert session.post(server.url("/0"), data=data).text == "arrived"


@pytest.mark.parametrize("kind", ["generator", "pipe", "multipart with a pipe"])
def test_the_error_of_a_body_that_is_gone_carries_the_redirect(world: World, kind: str) -> None:
    """P2, and the law on errors: they carry the response where there is one."""
    with world.session() as session, contextlib.ExitStack() as stack:
        case = Case((HOME, AWAY), (308,), "POST", KINDS[kind](stack, world.file))
        prepare(world, session, case)
        outcome = outcome_of(session, case)
    assert isinstance(outcome, UnrewindableBodyError)
    assert outcome.response is not None
    assert outcome.response.status_code == 308


# -- auth that changes more than Authorization ------------------------------------------------------------


def with_key(request: PreparedRequest) -> PreparedRequest:
    """As the interfaces of many services want it."""
    request.headers["X-Api-Key"] = "s3cret"
    return request


@pytest.mark.parametrize("journey", FURTHER)
def test_what_an_auth_object_adds_stays_on_its_origin(world: World, journey: str) -> None:
    """Law: auth objects go, and so does what they gave."""
    places = FURTHER[journey]
    secret = Secret({"auth": with_key}, fields={"x-api-key": "s3cret"})
    with world.session() as session:
        for status in STATUSES:
            run(world, session, Case(places, (status,) * (len(places) - 1), "PUT", NOTHING, secret))


def takes_fields_away(request: PreparedRequest) -> PreparedRequest:
    """As a scheme does that signs a request without them."""
    for name in ("Cookie", "Host", "X-Call"):
        request.headers.pop(name, None)
    return request


@pytest.mark.parametrize("by_hand", [{"Host": "s3cret.test"}, {"Cookie": "by=s3cret"}, {}], ids=str)
def test_what_an_auth_object_takes_away_does_not_turn_up_elsewhere(
    world: World, by_hand: dict[str, str]
) -> None:
    """Laws on redirects and cookies: by hand or from the jar, it was for the first origin."""
    with world.session() as session:
        for places, status in itertools.product(FURTHER.values(), (303, 307)):
            case = Case(
                places, (status,) * (len(places) - 1), "POST", Upload({"data": b"a"}, b"a", fields={})
            )
            prepare(world, session, case)
            session.cookies.clear()  # so that there is nothing to take the place of what was taken away
            session.cookies.set("jar", "s3cret", domain="home.test", path="/0")
            session.post(case.urls()[0], data=b"a", headers=CALL_FIELDS | by_hand, auth=takes_fields_away)
            for arrival, hop in zip(world.arrivals, case.expected(world).hops, strict=True):
                fields = hop_of(arrival).fields
                assert fields["host"] == hop.place.authority, str(case)
                assert "s3cret" not in str(fields), str(case)


@pytest.mark.parametrize("status", [303, 307])
@pytest.mark.parametrize("kind", ["bytes", "form", "file on disk", "collection", "multipart with a file"])
def test_the_end_of_a_chain_pickles(world: World, kind: str, status: int) -> None:
    """With its requests and what they have of auth, but for bodies that can't leave the process."""
    with world.session(auth=("user", "s3cret")) as session, contextlib.ExitStack() as stack:
        case = Case((HOME, HOME, AWAY), (status, status), "POST", KINDS[kind](stack, world.file))
        prepare(world, session, case)
        response = session.post(case.urls()[0], **case.arguments())
        copy: Response = pickle.loads(pickle.dumps(response))
    assert [each.url for each in (*copy.history, copy)] == case.urls()
    assert copy.history[0].request.headers["Authorization"] == BASIC
    assert copy.content == b"arrived"


class Nameless(BaseAdapter):
    """Makes responses that do not say which URL they are of."""

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        response = Response()
        response.request, response.status_code = request, 200
        if request.url.endswith("/0"):
            response.status_code, response.headers["Location"] = 302, "/1"
        return response

    def close(self) -> None:
        pass


def test_a_response_without_a_url_redirects_from_that_of_its_request(world: World) -> None:
    """Adapters that others wrote may leave it out."""
    with world.session(auth=("user", "s3cret")) as session:
        session.mount("http://", Nameless())
        response = session.get(HOME.url("/0"))
    assert response.request.url == HOME.url("/1")
    assert response.request.headers["Authorization"] == BASIC


def signs_the_body(request: PreparedRequest) -> PreparedRequest:
    """Takes all of it into memory, as OAuth 1 does where the signature is a part of the form."""
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    elif not isinstance(body, bytes):
        body = b"".join(body)
    request.body = body + b"&sign=s3cret"
    return request


@pytest.mark.parametrize("kind", ["bytes", "file in memory", "file on disk"])
@pytest.mark.parametrize("journey", FURTHER)
def test_a_body_is_signed_once_for_its_origin_and_not_for_others(
    world: World, journey: str, kind: str
) -> None:
    """Law: auth signs each hop on its origin anew, and is gone off it."""
    places = FURTHER[journey]
    case = Case(places, (307,) * (len(places) - 1), "POST")
    with world.session() as session, contextlib.ExitStack() as stack:
        upload = KINDS[kind](stack, world.file)
        prepare(world, session, case)
        session.post(case.urls()[0], auth=signs_the_body, **upload.given)
    given = upload.content or b""
    trusted = expected(places, case.statuses, "POST").trusted
    wanted = [given + b"&sign=s3cret" if mine else given for mine in trusted]
    assert [request.body for _, request in world.arrivals] == wanted


@pytest.mark.parametrize("step", STEPS)
def test_a_body_that_auth_has_read_up_is_an_error_and_not_sent_empty(world: World, step: str) -> None:
    """P2."""
    case = Case(STEPS[step], (307,), "POST")
    with world.session() as session:
        prepare(world, session, case)
        with pytest.raises(UnrewindableBodyError) as caught:
            session.post(case.urls()[0], auth=signs_the_body, data=pieces())
    assert caught.value.request is not None
    assert [request.body for _, request in world.arrivals] == [b"onetwo&sign=s3cret"]


def test_credentials_do_not_follow_a_response_that_a_hook_has_put_in_the_place_of_another(
    world: World,
) -> None:
    """They are for the origin of the request, whatever response it is that redirects, and whereto."""
    world.forget()
    world.answers[AWAY, "/elsewhere"] = redirecting(302, "/further", 0)

    def replaces(response: Response, **_: Any) -> Response | None:
        if response.content != b"arrived" or response.url != HOME.url("/0"):
            return None
        return session.get(AWAY.url("/elsewhere"), auth=lambda request: request, allow_redirects=False)

    with world.session(auth=Signing()) as session:
        session.get(HOME.url("/0"), hooks={"response": replaces})
    way = [(place, request.target) for place, request in world.arrivals]
    assert way == [(HOME, "/0"), (AWAY, "/elsewhere"), (AWAY, "/further")]
    assert [request.header("Authorization") for _, request in world.arrivals[1:]] == [None, None]


# -- by way of a proxy ------------------------------------------------------------------------------------


@pytest.fixture
def proxy(world: World) -> Iterator[ProxyServer]:
    where = {f"{place.host}:{place.port}": world.address(place) for place in PLACES}
    with ProxyServer(where) as proxy:
        yield proxy


@pytest.mark.parametrize("journey", FURTHER)
def test_a_proxy_has_its_own_credentials_at_each_hop_and_no_origin_has_them(
    world: World, proxy: ProxyServer, journey: str
) -> None:
    """Law on proxies; what is meant for the origin goes through tunnels unseen, and not beyond it."""
    places = FURTHER[journey]
    call = {
        **ALL_AT_ONCE.call,
        "headers": {},
        "proxies": {"all": f"http://proxy:word@127.0.0.1:{proxy.port}"},
    }
    secret = replace(ALL_AT_ONCE, call=call, fields={"authorization": BASIC, "host": "other-s3cret.test"})
    with world.session() as session:
        run(world, session, Case(places, (307,) * (len(places) - 1), "POST", NOTHING, secret))
    said = {request.header("Proxy-Authorization") for request in proxy.requests}
    assert said == {basic("proxy", "word")}


@pytest.mark.parametrize("journey", FURTHER)
def test_proxy_authorization_by_hand_stays_where_it_was_given_for(
    world: World, proxy: ProxyServer, journey: str
) -> None:
    """Law on redirects: off the origin it goes, and stays gone."""
    places = FURTHER[journey]
    case = Case(places, (302,) * (len(places) - 1))
    given = {"headers": {"Proxy-Authorization": BEARER}, "proxies": {"http": proxy.url()}}
    with world.session() as session:
        run(world, session, replace(case, secret=Secret(given)))
    trusted = expected(places, case.statuses, "GET").trusted
    through = [mine for place, mine in zip(places, trusted, strict=True) if place.scheme == "http"]
    said = [request.header("Proxy-Authorization") for request in proxy.requests]
    assert said == [BEARER if mine else None for mine in through]


def test_the_environment_is_asked_for_the_proxy_of_each_hop(
    world: World, proxy: ProxyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law on proxies: NO_PROXY counts for the URL that is asked, wherever the chain began."""
    monkeypatch.setenv("http_proxy", f"http://proxy:s3cret@127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "away.test")
    with world.session() as session:
        for journey in [(HOME, AWAY, HOME, HOME_TLS, HOME), (AWAY, HOME, AWAY_TLS, AWAY)]:
            proxy.requests.clear()
            run(world, session, Case(journey, (302,) * (len(journey) - 1)))
            seen = [number for number, place in enumerate(journey) if place == HOME]
            assert proxy.targets() == [f"GET http://home.test/{number}" for number in seen]


def test_a_proxy_for_one_host_is_left_with_that_host(world: World, proxy: ProxyServer) -> None:
    """And found again, credentials and all, when the chain comes back."""
    case = Case((HOME, AWAY, HOME), (302, 302))
    proxies = {"http://home.test": f"http://proxy:s3cret@127.0.0.1:{proxy.port}"}
    with world.session() as session:
        run(world, session, replace(case, secret=Secret({"proxies": proxies})))
    assert proxy.targets() == ["GET http://home.test/0", "GET http://home.test/2"]
    assert [request.header("Proxy-Authorization") for request in proxy.requests] == [
        basic("proxy", "s3cret")
    ] * 2


# -- beside requests --------------------------------------------------------------------------------------


class Question(NamedTuple):
    status: int
    method: str
    kind: str
    upload: Upload

    @property
    def keeps_method(self) -> bool:
        return following(self.method, self.status) == self.method

    @property
    def sends_again(self) -> bool:
        return self.upload.content is not None and self.keeps_method and self.status != 303


# Where requests does otherwise, each with its reason. Whatever is not here has to be the same.
DIFFERENCES: Mapping[str, Callable[[Question], bool]] = {
    "302 turns PUT and its like to GET there; RFC 9110, section 15.4.3, has POST alone": lambda asked: (
        asked.status == 302 and asked.method in ("PUT", "PATCH", "DELETE", "OPTIONS")
    ),
    "301 and 302 lose the body there, although the method stays": lambda asked: (
        asked.status in (301, 302) and asked.sends_again
    ),
    "DELETE and OPTIONS without a body have a Content-Length there (RFC 9110, section 8.6)": lambda asked: (
        asked.kind == "none" and asked.method in ("DELETE", "OPTIONS")
    ),
    "an iterable that is used up is sent empty there": lambda asked: (
        asked.kind == "generator" and asked.sends_again
    ),
    "what is uploaded is read into memory there": lambda asked: asked.kind == "multipart with a pipe",
}
# Their framing contradicts itself or the body there, and a server that is strict would not read them.
MALFORMED_THERE = {"collection", "generator of known length"}
SAME_FIELDS = {"User-Agent": "matrix", "Accept": "*/*", "Accept-Encoding": "gzip", "Connection": "keep-alive"}


def seen_of(make: Callable[[], Any], question: Question, site: Site) -> list[object]:
    """What arrives of a client, with its boundary taken out, and how it ends."""
    site.requests.clear()
    with make() as session:
        session.headers = SAME_FIELDS
        try:
            given = question.upload.given
            response = session.request(question.method, site.url("/0"), headers=CALL_FIELDS, **given)
        except (requests.RequestException, pystickyhttp.RequestException) as error:
            end: object = type(error).__name__
        else:
            end = (response.url, [(each.status_code, each.url) for each in response.history])
    return [*(without_boundary(request) for request in site.requests), end]


def without_boundary(request: Request) -> tuple[object, ...]:
    fields = {name.lower(): value for name, value in request.headers}
    kind, mark, boundary = fields.get("content-type", "").partition("boundary=")
    body = request.body
    if mark:
        fields["content-type"] = kind
        body = body.replace(boundary.encode(), b"")
    return request.method, request.target, fields, body


class HeadlessSite(Site):
    """To HEAD it answers without a body."""

    def _answer(self, request: Request) -> bytes:
        answer = super()._answer(request)
        return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else answer


@pytest.mark.parametrize("status", STATUSES)
def test_on_one_origin_requests_sends_the_same_but_for_what_is_better(world: World, status: int) -> None:
    """And each difference of the table is one."""
    with HeadlessSite() as site:
        site.answers["/0"] = to("/1", status, body=b"moved")
        for method, kind in itertools.product(METHODS, KINDS.keys() - MALFORMED_THERE):
            seen = []
            for make in (pystickyhttp.Session, requests.Session):
                with contextlib.ExitStack() as stack:
                    question = Question(status, method, kind, KINDS[kind](stack, world.file))
                    seen.append(seen_of(make, question, site))
            reasons = [reason for reason, applies in DIFFERENCES.items() if applies(question)]
            if reasons:
                assert seen[0] != seen[1], f"{method} {kind}: no difference, but {reasons}"
            else:
                assert seen[0] == seen[1], f"{method} {kind}"
