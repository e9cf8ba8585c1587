"""Which headers arrive where: journeys over redirects, through any two proxies, with every kind of secret.

Four origins and eight proxies, two of each kind, keep all that they can read. A case is a journey: the places
that a request is led to, and the way to each of them. What has to arrive, and where, is worked out beside it
by an oracle that knows RFC 9110 (sections 7 and 9.3.6), RFC 9112 (section 3.2) and the laws on proxies,
redirects, auth and cookies, and nothing of the client. Everything is compared: what arrives in which order
with which fields, and then, for each server and each secret, whether the server can read it anywhere.

What the oracle says of who sees what:

- the credentials and the fields of a proxy go to that one, as fields of CONNECT, or of each request of http
  that it forwards; a proxy of SOCKS is shown user and password, and no fields;
- an http or https proxy sees all of a request of http, for it has to forward it; a SOCKS proxy sees all of it
  in its tunnel; none sees more of one of https than host and port;
- the client's certificate, and what netrc says of the proxy's host, no proxy sees.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import socket
import ssl
import threading
import traceback
import warnings
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import pytest
import trustme
from hypothesis import HealthCheck, settings
from hypothesis import given as given_by
from hypothesis import strategies as st

from pystickyhttp import Address, Response, Retry, Session
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.auth import HTTPDigestAuth, HTTPProxyAuth
from pystickyhttp.cookies import Cookie
from pystickyhttp.exceptions import (
    InvalidProxyURL,
    ProxyError,
    ProxySSLError,
    RequestException,
    RetryError,
    SSLError,
    TunnelError,
)
from pystickyhttp.proxies import read_proxy_url
from pystickyhttp.transport import ConnectionPool, Proxy, Route, TLSIdentity
from pystickyhttp.transport.connection import HTTPConnection
from tests.servers.certificates import key_pair, server_context
from tests.servers.recording import (
    Arrival,
    Greeting,
    Log,
    RecordingOrigin,
    RecordingProxy,
    RecordingServer,
    RecordingSocks,
    Tape,
)
from tests.servers.scripted import Peer, Request, Script, ScriptedServer, closed_port, keep_alive, respond

# -- the world --------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """An origin on the default port of its scheme."""

    scheme: str
    host: str

    @property
    def port(self) -> int:
        return {"http": 80, "https": 443}[self.scheme]

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def told(self) -> str:
        """Its authority by the address that a proxy of SOCKS is told."""
        return f"{ADDRESSES[self.host]}:{self.port}"

    def url(self, path: str = "/", userinfo: str = "") -> str:
        return f"{self.scheme}://{userinfo}{self.host}{path}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


HOME, HOME_TLS = Place("http", "home.test"), Place("https", "home.test")
AWAY, AWAY_TLS = Place("http", "away.test"), Place("https", "away.test")
PLACES = (HOME, HOME_TLS, AWAY, AWAY_TLS)
# What a proxy of SOCKS is told in the place of a name: nobody listens there, and only the proxies know it.
ADDRESSES = {"home.test": "127.0.0.2", "away.test": "127.0.0.3"}

Way: TypeAlias = "str | None"  # the name of a proxy, None for the direct way
KINDS = ("http", "https", "socks5", "socks5h")
FIRST_PROXIES = tuple(f"{kind}-1" for kind in KINDS)
PROXIES = FIRST_PROXIES + tuple(f"{kind}-2" for kind in KINDS)


def kind_of(proxy: str) -> str:
    return proxy.partition("-")[0]


def is_socks(proxy: str) -> bool:
    return proxy.startswith("socks")


def user_of(proxy: str) -> str:
    return f"us@er %{proxy}"


def password_of(proxy: str) -> str:
    """It has all that a URL does not take as it stands."""
    return f"{proxy}:/?#[%]@ pässwörd"


def url_of(proxy: str, port: int, *, userinfo: bool = False) -> str:
    said = f"{quote(user_of(proxy), safe='')}:{quote(password_of(proxy), safe='')}@" if userinfo else ""
    return f"{kind_of(proxy)}://{said}127.0.0.1:{port}"


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


class World:
    """All origins and proxies, and what arrived at them, in order."""

    def __init__(self, ca: trustme.CA, ca_file: str, folder: Path) -> None:
        self.ca_file = ca_file
        client = key_pair(ca, folder / "client", "client.test")
        self.client = (client.certificate, client.key)
        self.client_certificate = ssl.PEM_cert_to_DER_cert(first_of_chain(client.certificate))
        self.netrc = folder / "netrc"
        self.netrc.write_text("".join(netrc_line(host) for host in NETRC))
        self.log: Log = []
        self.answers: dict[tuple[Place, str], Callable[[Request], bytes] | bytes] = {}
        self.told_to_proxies: set[Place] = set()  # whose addresses only proxies know
        tls = asking_for_certificates(ca, "home.test", "away.test")
        self.origins = {
            place: RecordingOrigin(
                str(place),
                self.log,
                self._at(place),
                tls=tls if place.scheme == "https" else None,
                handshake_may_fail=True,
            )
            for place in PLACES
        }
        # Where they are is known when they run.
        self._names = {name: ("", 0) for place in PLACES for name in (place.authority, place.told)}
        proxy_tls = asking_for_certificates(ca, "127.0.0.1")
        self.proxies: dict[str, RecordingProxy | RecordingSocks] = {
            name: (
                RecordingSocks(name, self.log, self._names)
                if is_socks(name)
                else RecordingProxy(
                    name, self.log, self._names, tls=proxy_tls if kind_of(name) == "https" else None
                )
            )
            for name in PROXIES
        }

    @property
    def servers(self) -> Mapping[str, RecordingServer]:
        return {server.name: server for server in (*self.origins.values(), *self.proxies.values())}

    def __enter__(self) -> World:
        with contextlib.ExitStack() as stack:
            for server in self.servers.values():
                stack.enter_context(server)
            self._stack = stack.pop_all()
        for place, origin in self.origins.items():
            self._names[place.authority] = origin.address
            self._names[place.told] = origin.address
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _at(self, place: Place) -> Callable[[Request], bytes]:
        def answer(request: Request) -> bytes:
            found = self.answers.get((place, request.target), answer_of(place))
            return found(request) if callable(found) else found

        return answer

    def resolve(self, host: str, port: int) -> list[Address]:
        """Only the world is known, so that who strays does not reach another one."""
        for place, origin in self.origins.items():
            if (place.host, place.port) == (host, port):
                told = place in self.told_to_proxies
                return [Address(socket.AF_INET, (ADDRESSES[host], port) if told else origin.address)]
        raise socket.gaierror(socket.EAI_NONAME, f"there is no {host}:{port} in this world")

    def tell_no_more(self, response: Response, **settings: Any) -> None:
        """A hook: from here on all addresses are those where somebody listens."""
        self.told_to_proxies = set()

    def url(self, proxy: str, *, userinfo: bool = False) -> str:
        return url_of(proxy, self.proxies[proxy].port, userinfo=userinfo)

    def session(self, **given: Any) -> Session:
        """A session of one field, so that all that arrives beside it has a reason of its own."""
        session = Session(resolver=self.resolve, verify=self.ca_file, trust_env=False, **given)
        session.headers = {"User-Agent": "journey"}
        return session

    def mount(self, session: Session, adapter: HTTPAdapter) -> None:
        session.mount("http://", adapter)
        session.mount("https://", adapter)

    def forget(self) -> None:
        """Nothing arrived, nothing redirects, and no proxy wants anything."""
        self.log.clear()
        self.answers.clear()
        self.told_to_proxies.clear()
        for server in self.servers.values():
            server.forget()
            server.handshake_errors.clear()
        for proxy in self.proxies.values():
            proxy.wants = None

    def check_scripts(self) -> None:
        """None failed. They see a moment later that a client is gone, which the next test is not to hear."""
        for server in self.servers.values():
            server.wait_for_scripts()
            assert not server.errors, f"{server.name}: {server.errors}"


def answer_of(place: Place, status: int = 200, **fields: str) -> bytes:
    said = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return respond(b"arrived", status=status, headers=[("X-Answer", answer_word(place)), *said])


def answer_word(place: Place) -> str:
    return f"answer-of-{place.scheme}-{place.host}"


def netrc_line(host: str) -> str:
    user, password = NETRC[host]
    return f"machine {host} login {user} password {password}\n"


def first_of_chain(path: str) -> str:
    head, end, _ = Path(path).read_text().partition("-----END CERTIFICATE-----\n")
    return head + end


def asking_for_certificates(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    """A server's context that takes a client with a certificate and one without."""
    context = server_context(ca, *names, client_ca=ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@pytest.fixture(scope="module")
def whole_world(ca: trustme.CA, ca_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(ca, ca_file, tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(whole_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("NETRC", str(whole_world.netrc))
    whole_world.forget()
    yield whole_world
    whole_world.check_scripts()


# -- the secrets ------------------------------------------------------------------------------------------

BY_HAND = "Bearer by-hand.s3cret"
TOKEN = "token.s3cret"
COOKIE = "own.s3cret"
AUTHORIZATION = "Bearer origin.s3cret"
ORIGIN_USER, ORIGIN_PASSWORD = "origin-user", "origin:pa@ss/word"
NETRC = {host: (f"netrc-{host}", f"netrc.s3cret.{host}") for host in ("home.test", "away.test", "127.0.0.1")}
# Name and value by place; the second of home is for TLS alone.
JAR = {
    HOME: "jar=home.s3cret",
    HOME_TLS: "jar=home.s3cret; safe=safe.s3cret",
    AWAY: "jar=away.s3cret",
    AWAY_TLS: "jar=away.s3cret",
}


@dataclass(frozen=True)
class Given:
    """What a journey is given to keep to whom it belongs.

    Attributes:
        call: arguments of the call.
        session: attributes of the session; headers are added to its own.
        userinfo: whether the URL of each proxy has user and password.
        by_hand: the value of Proxy-Authorization that call or session have, or None.
        token: whether the adapter has a field for all proxies.
        own_tokens: whether the adapter's hook has a field for each.
        bearers: whether that hook has a Proxy-Authorization for each.
        origin_userinfo: whether the first URL has user and password.
        authorization: what arrives at the first origin, and where its secrets may go.
        netrc: whether there is a netrc file.
        jar: whether the jar holds cookies.
        cookie: the value of the call's cookie, or None.
        certificate: whether the client has one.
    """

    call: Mapping[str, Any] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)
    userinfo: bool = False
    by_hand: str | None = None
    token: bool = False
    own_tokens: bool = False
    bearers: bool = False
    origin_userinfo: bool = False
    authorization: str | None = None
    netrc: bool = False
    jar: bool = False
    cookie: str | None = None
    certificate: bool = False


NOTHING = Given()
EVERYTHING = Given(
    call={
        "auth": (ORIGIN_USER, ORIGIN_PASSWORD),
        "cookies": {"own": COOKIE},
        "headers": {"Proxy-Authorization": BY_HAND},
    },
    userinfo=True,
    by_hand=BY_HAND,
    token=True,
    own_tokens=True,
    origin_userinfo=True,
    authorization=basic(ORIGIN_USER, ORIGIN_PASSWORD),
    netrc=True,
    jar=True,
    cookie=COOKIE,
    certificate=True,
)
SECRETS: Mapping[str, Given] = {
    "everything": EVERYTHING,
    "proxy-url": Given(userinfo=True),
    "proxy-header-of-call": Given({"headers": {"Proxy-Authorization": BY_HAND}}, by_hand=BY_HAND),
    "proxy-header-over-url": Given(
        {"headers": {"proxy-authorization": BY_HAND.encode()}}, userinfo=True, by_hand=BY_HAND
    ),
    "proxy-header-of-session": Given(
        session={"headers": {"Proxy-Authorization": BY_HAND}}, userinfo=True, by_hand=BY_HAND
    ),
    "proxy-auth": Given({"auth": HTTPProxyAuth("by", "hand")}, userinfo=True, by_hand=basic("by", "hand")),
    "proxy-auth-of-session": Given(
        session={"auth": HTTPProxyAuth("by", "hand")}, by_hand=basic("by", "hand")
    ),
    "adapter": Given(token=True, userinfo=True),
    "hook": Given(own_tokens=True, userinfo=True),
    "hook-of-authorization": Given(bearers=True),
    "auth": Given(
        {"auth": (ORIGIN_USER, ORIGIN_PASSWORD)}, authorization=basic(ORIGIN_USER, ORIGIN_PASSWORD)
    ),
    "auth-of-session": Given(
        session={"auth": (ORIGIN_USER, ORIGIN_PASSWORD)}, authorization=basic(ORIGIN_USER, ORIGIN_PASSWORD)
    ),
    "url": Given(origin_userinfo=True, authorization=basic(ORIGIN_USER, ORIGIN_PASSWORD)),
    "header": Given({"headers": {"Authorization": AUTHORIZATION}}, authorization=AUTHORIZATION),
    "header-of-session": Given(
        session={"headers": {"Authorization": AUTHORIZATION}}, authorization=AUTHORIZATION
    ),
    "netrc": Given(netrc=True),
    "cookies": Given({"cookies": {"own": COOKIE}}, jar=True, cookie=COOKIE),
    "certificate": Given(certificate=True, userinfo=True),
}


def own_token(proxy: str) -> str:
    return f"mine.s3cret.{proxy}"


def words() -> set[bytes]:
    """All secrets in all forms in which they may be written, each of them nowhere part of anything else."""
    found = [BY_HAND, basic("by", "hand"), TOKEN, COOKIE, AUTHORIZATION, *itertools.chain(*NETRC.values())]
    pairs = [(ORIGIN_USER, ORIGIN_PASSWORD), *NETRC.values()]
    pairs += [(user_of(proxy), password_of(proxy)) for proxy in PROXIES]
    for user, password in pairs:
        found += [basic(user, password).split()[1], user, password, quote(password), quote(password, safe="")]
        found.append(password.split()[0])  # which repr() leaves as it is
    found += map(own_token, PROXIES)
    found += [cookie.partition("=")[2] for said in JAR.values() for cookie in said.split("; ")]
    return {word.encode() for word in found}


WORDS = words()


def words_for(proxy: str) -> set[bytes]:
    """What its URL has for a proxy, as it gets to read it."""
    user, password = user_of(proxy), password_of(proxy)
    said = [user, password, password.split()[0]] if is_socks(proxy) else [basic(user, password).split()[1]]
    return {word.encode() for word in said}


class Hooked(HTTPAdapter):
    """An adapter that knows each proxy."""

    def __init__(self, world: World, given: Given, **settings: Any) -> None:
        self._by_port = {server.port: proxy for proxy, server in world.proxies.items()}
        self._given = given
        super().__init__(**settings)

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        name = self._by_port.get(int(proxy.rpartition(":")[2]), "unknown")
        fields = super().proxy_headers(proxy)
        if self._given.own_tokens:
            fields["X-Proxy-Own"] = own_token(name)
        if self._given.bearers:
            fields["proxy-authorization"] = f"Bearer {own_token(name)}"
        return fields


# -- the oracle -------------------------------------------------------------------------------------------


class Hop(NamedTuple):
    """A place, and the way to it."""

    place: Place
    way: Way


class Seen(NamedTuple):
    """What arrives at a server; the names of fields are in lower case, "user" is that of SOCKS."""

    where: str
    line: str
    fields: Mapping[str, str]


@dataclass
class Expected:
    """What has to come of a journey.

    Attributes:
        seen: what arrives, in order.
        read: what a server can read, by its name.
        answers: the origins whose answers a proxy can read, by its name.
        certificates: the servers that are shown the client's certificate.
    """

    seen: list[Seen] = field(default_factory=list)
    read: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, set[Place]] = field(default_factory=lambda: defaultdict(set))
    certificates: set[str] = field(default_factory=set)

    def add(self, seen: Seen) -> None:
        self.seen.append(seen)
        self.read[seen.where] += [seen.line, *seen.fields.values()]


def is_trusted(old: Place, new: Place) -> bool:
    """Law: the origin itself, and http on 80 to https on 443 of the same host."""
    return new == old or (old.host == new.host and (old.scheme, new.scheme) == ("http", "https"))


def fields_for_origin(place: Place, trusted: bool, given: Given) -> dict[str, str]:
    fields = {"host": place.host, "user-agent": "journey"}
    if given.netrc:
        fields["authorization"] = basic(*NETRC[place.host])
    if trusted and given.authorization is not None:
        fields["authorization"] = given.authorization
    cookies = [JAR[place]] if given.jar else []
    if trusted and given.cookie is not None:
        cookies.append(f"own={given.cookie}")
    return fields | ({"cookie": "; ".join(cookies)} if cookies else {})


def fields_for_proxy(proxy: str, by_hand: str | None, given: Given) -> dict[str, str]:
    """Law: credentials belong to the proxy, go to it alone, and never to another."""
    user, password = user_of(proxy), password_of(proxy)
    if is_socks(proxy):
        return {"user": user, "password": password} if given.userinfo else {}
    fields = {}
    if given.token:
        fields["x-proxy-token"] = TOKEN
    if given.own_tokens:
        fields["x-proxy-own"] = own_token(proxy)
    if given.userinfo:
        fields["proxy-authorization"] = basic(user, password)
    if given.bearers:
        fields["proxy-authorization"] = f"Bearer {own_token(proxy)}"
    if by_hand is not None:
        fields["proxy-authorization"] = by_hand
    return fields


def opening(place: Place, proxy: str, own: Mapping[str, str]) -> Seen:
    """How a tunnel is asked for: by no field but Host and the proxy's own."""
    if is_socks(proxy):
        return Seen(proxy, f"SOCKS {place.told if kind_of(proxy) == 'socks5' else place.authority}", own)
    return Seen(proxy, f"CONNECT {place.authority}", {"host": place.authority, **own})


def forwards(proxy: str, place: Place) -> bool:
    """Whether the proxy takes each request as its own affair; else it makes a tunnel."""
    return place.scheme == "http" and not is_socks(proxy)


def expected(journey: Sequence[Hop], given: Given) -> Expected:
    result, trusted, by_hand = Expected(), True, given.by_hand
    tunnels: set[object] = set()
    for number, (place, way) in enumerate(journey):
        if number > 0:
            trusted = trusted and is_trusted(journey[number - 1].place, place)
            # It was given for the proxy of the first hop: it goes to no other, and off its origin it is gone.
            by_hand = by_hand if trusted and way == journey[0].way else None
        request = fields_for_origin(place, trusted, given)
        if way is not None:
            own = fields_for_proxy(way, by_hand, given)
            tunnel = (place, way, *own.values())  # R1: it serves again who has the same words for the proxy
            if forwards(way, place):
                result.add(Seen(way, f"GET {place.url(f'/{number}')}", request | own))
            elif tunnel not in tunnels:
                tunnels.add(tunnel)
                result.add(opening(place, way, own))
            if place.scheme == "http":
                result.read[way] += request.values()
                result.answers[way].add(place)
        if given.certificate and place.scheme == "https":
            result.certificates.add(str(place))
        result.add(Seen(str(place), f"GET /{number}", request))
    return result


# -- a journey --------------------------------------------------------------------------------------------


Urls: TypeAlias = "Mapping[Place, str | None]"
Proxies: TypeAlias = "dict[str, str | None]"
Writer: TypeAlias = "Callable[[Urls], Proxies | None]"
Messenger: TypeAlias = "Callable[[Session, Proxies], Proxies | None]"


def line_of(arrival: Arrival) -> str:
    what = arrival.what
    return f"SOCKS {what.target}" if isinstance(what, Greeting) else f"{what.method} {what.target}"


def seen_of(arrival: Arrival) -> Seen:
    where, what = arrival
    if isinstance(what, Greeting):
        user, password = what.credentials or (b"", b"")
        said = {"user": user.decode(), "password": password.decode()} if what.credentials else {}
        return Seen(where, line_of(arrival), said)
    # That the connection ends is only ever said by the proxies of the tests.
    fields = [
        (name.lower(), value) for name, value in what.headers if (name, value) != ("Connection", "close")
    ]
    assert len(dict(fields)) == len(fields), f"a field came twice: {fields}"
    return Seen(where, line_of(arrival), dict(fields))


def by_host(urls: Urls) -> Proxies | None:
    """The mapping of proxies that has the most to say."""
    return {str(place): url for place, url in urls.items()}


def in_the_call(session: Session, proxies: Proxies) -> Proxies | None:
    return proxies


def settle(world: World, session: Session, journey: Sequence[Hop], given: Given) -> None:
    """Let each place at /0, /1 and so on redirect to the next, and give the session what belongs to it."""
    world.forget()
    world.told_to_proxies = {place for place, way in journey if way is not None and kind_of(way) == "socks5"}
    for number, (here, there) in enumerate(itertools.pairwise(journey)):
        world.answers[here.place, f"/{number}"] = answer_of(
            here.place, 302, Location=there.place.url(f"/{number + 1}")
        )
    session.trust_env = given.netrc
    for name, value in given.session.items():
        if name == "headers":
            session.headers.update(value)
        else:
            setattr(session, name, value)
    if given.jar:
        for place, said in JAR.items():
            for name, _, value in (pair.partition("=") for pair in said.split("; ")):
                secure = name == "safe"
                session.cookies.set_cookie(
                    Cookie(name, value, domain=place.host, path="/", secure=secure, host_only=True)
                )
    if given.certificate:
        session.cert = world.client
    token = {"X-Proxy-Token": TOKEN} if given.token else None
    world.mount(session, Hooked(world, given, resolver=world.resolve, proxy_headers=token))


def first_url(journey: Sequence[Hop], given: Given) -> str:
    userinfo = f"{ORIGIN_USER}:{quote(ORIGIN_PASSWORD, safe='')}@" if given.origin_userinfo else ""
    return journey[0].place.url("/0", userinfo)


def run(
    world: World,
    journey: Sequence[Hop],
    given: Given,
    write: Writer = by_host,
    hand_over: Messenger = in_the_call,
) -> bool:
    """Make a journey, and hold against the oracle what arrived, and what could be read.

    Args:
        world: the world.
        journey: the places, and the way to each.
        given: the secrets.
        write: writes down which place is reached through which proxy.
        hand_over: tells the session of it.

    Returns:
        Whether it can be written down that way.
    """
    urls = {place: None if way is None else world.url(way, userinfo=given.userinfo) for place, way in journey}
    proxies = write(urls)
    if proxies is None:
        return False
    with world.session() as session:
        settle(world, session, journey, given)
        said = hand_over(session, proxies)
        response = session.get(first_url(journey, given), proxies=said, **given.call)
    check(world, response, journey, given)
    return True


def check(world: World, response: Response, journey: Sequence[Hop], given: Given) -> None:
    case = " -> ".join(f"{place} by {way}" for place, way in journey)
    wanted = expected(journey, given)
    assert [seen_of(arrival) for arrival in world.log] == wanted.seen, case
    assert response.text == "arrived", case
    for name, server in world.servers.items():
        assert not server.handshake_errors, f"{case}: {name}"
        may_read = "\n".join(wanted.read[name]).encode()
        assert server.found(WORDS) == {word for word in WORDS if word in may_read}, f"{case}: {name}"
        shown = [world.client_certificate] * len(server.certificates()) if name in wanted.certificates else []
        assert server.certificates() == shown, f"{case}: the client's certificate at {name}"
        assert bool(shown) == (name in wanted.certificates), case
    for name, proxy in world.proxies.items():
        answers = {place for place in PLACES if answer_word(place).encode() in proxy.sent()}
        assert answers == wanted.answers[name], f"{case}: answers at {name}"
        for tape in proxy.tapes:
            check_tunnel(proxy, tape, case)


def check_tunnel(proxy: RecordingServer, tape: Tape, case: str) -> None:
    """To a place of TLS leads TLS (RFC 8446, section 5.1), and nothing that is read without a key."""
    if tape.tunnel_from is None:
        return
    target = tape.greeting.target if tape.greeting else proxy.requests_on(tape)[-1].target
    if target.endswith(":443"):
        assert tape.tunnelled.startswith(b"\x16\x03"), case
        assert b"HTTP/1.1" not in tape.tunnelled, case
    else:
        assert tape.tunnelled.startswith(b"GET /"), case


# -- over redirects ---------------------------------------------------------------------------------------

STEPS: Mapping[str, tuple[Place, ...]] = {
    "same": (HOME, HOME),
    "same-tls": (HOME_TLS, HOME_TLS),
    "host": (HOME, AWAY, HOME),
    "host-tls": (HOME_TLS, AWAY_TLS, HOME_TLS),
    "upgrade": (HOME, HOME_TLS, HOME_TLS),
    "downgrade": (HOME_TLS, HOME, HOME_TLS),
    "upgrade-host": (HOME, AWAY_TLS, HOME),
    "downgrade-host": (HOME_TLS, AWAY, HOME_TLS),
}
FIRST_WAYS: tuple[Way, ...] = (None, *FIRST_PROXIES)
WAYS: tuple[Way, ...] = (None, *PROXIES)


def journeys_of(first: Way, second: Way, steps: Iterable[str] = STEPS) -> Iterator[list[Hop]]:
    """To the first place of each step by the first way, to all others by the second."""
    for places in map(STEPS.__getitem__, steps):
        if first == second or len(set(places)) > 1:  # nobody can have two ways to one place
            yield [Hop(place, first if place == places[0] else second) for place in places]


@pytest.mark.parametrize("second", WAYS, ids=str)
@pytest.mark.parametrize("first", FIRST_WAYS, ids=str)
def test_over_any_two_ways_each_secret_goes_to_its_own_and_to_nobody_else(
    world: World, first: Way, second: Way
) -> None:
    """The laws on proxies, redirects, auth and cookies; R1."""
    for journey in journeys_of(first, second):
        assert run(world, journey, EVERYTHING)


PAIRS: tuple[tuple[Way, Way], ...] = (
    (None, "http-1"),
    ("http-1", "https-1"),
    ("socks5h-1", None),
    ("http-1", "http-1"),
)


@pytest.mark.parametrize("secret", SECRETS)
def test_each_kind_of_secret_alone_goes_to_its_own_and_to_nobody_else(world: World, secret: str) -> None:
    for first, second in PAIRS:
        for journey in journeys_of(first, second, ("same-tls", "host", "upgrade", "downgrade")):
            assert run(world, journey, SECRETS[secret])


def by_port(urls: Urls) -> Proxies | None:
    return {f"{place.scheme}://{place.authority}": url for place, url in urls.items()}


def by_scheme(urls: Urls) -> Proxies | None:
    return consistent((place.scheme, url) for place, url in urls.items())


def by_all_of_host(urls: Urls) -> Proxies | None:
    return consistent((f"all://{place.host}", url) for place, url in urls.items())


def by_all(urls: Urls) -> Proxies | None:
    return consistent(("all", url) for url in urls.values())


def by_all_but_for_hosts(urls: Urls) -> Proxies | None:
    """One proxy for all, and none for some."""
    proxies = consistent(("all", url) for url in urls.values() if url is not None)
    return None if proxies is None else {**by_direct(urls), **proxies}


def by_direct(urls: Urls) -> Proxies:
    return {f"{place.scheme}://{place.authority}": None for place, url in urls.items() if url is None}


def consistent(pairs: Iterable[tuple[str, str | None]]) -> Proxies | None:
    """A mapping, or None where it would say two things by one key."""
    pairs = list(pairs)
    return dict(pairs) if len(dict(pairs)) == len(set(pairs)) else None


WRITERS: Mapping[str, Writer] = {
    "host": by_host,
    "port": by_port,
    "scheme": by_scheme,
    "all-of-host": by_all_of_host,
    "all": by_all,
    "all-but": by_all_but_for_hosts,
}


@pytest.fixture
def in_the_environment(monkeypatch: pytest.MonkeyPatch) -> Messenger:
    """Says it by variables; what is to be reached directly by NO_PROXY."""

    def hand_over(session: Session, proxies: Proxies) -> None:
        for scheme in ("http", "https", "all"):
            monkeypatch.setenv(f"{scheme}_proxy", proxies.get(scheme) or "")
        past = [key.partition("://")[2] for key, url in proxies.items() if url is None and "://" in key]
        monkeypatch.setenv("NO_PROXY", ",".join(past))

    return hand_over


@pytest.fixture
def messengers(
    world: World, monkeypatch: pytest.MonkeyPatch, in_the_environment: Messenger
) -> Mapping[str, Messenger]:
    """Each says something else at the places that count for less than its own."""
    bait = {"all": world.url("http-2", userinfo=True)}

    def by_call(session: Session, proxies: Proxies) -> Proxies:
        in_the_environment(session, dict(bait))
        session.proxies = dict(bait)
        return proxies

    def by_session(session: Session, proxies: Proxies) -> None:
        in_the_environment(session, dict(bait))
        session.proxies = proxies

    return {"call": by_call, "session": by_session, "environment": in_the_environment}


# Variables have no hosts in their names.
CHOICES = [("call", writer) for writer in WRITERS]
CHOICES += [("session", writer) for writer in WRITERS]
CHOICES += [("environment", writer) for writer in ("scheme", "all", "all-but")]


@pytest.mark.parametrize(("messenger", "writer"), CHOICES)
def test_whoever_names_the_proxies_no_other_one_is_asked(
    world: World, messengers: Mapping[str, Messenger], messenger: str, writer: str
) -> None:
    """The law of precedence: the call, the session, the environment."""
    ways: list[tuple[Way, Way]] = [
        ("http-1", None),
        (None, "https-1"),
        ("socks5h-1", "http-1"),
        ("https-1", "https-1"),
    ]
    steps = ("host", "upgrade", "downgrade-host")
    journeys = itertools.chain.from_iterable(journeys_of(first, second, steps) for first, second in ways)
    made = [run(world, each, EVERYTHING, WRITERS[writer], messengers[messenger]) for each in journeys]
    assert any(made)


def test_an_environment_that_is_not_trusted_has_no_say(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", world.url("http-2", userinfo=True))
    monkeypatch.setenv("https_proxy", world.url("socks5-2", userinfo=True))
    without_netrc = replace(EVERYTHING, netrc=False)
    for first, second in ((None, None), ("https-1", None), (None, "http-1")):
        for journey in journeys_of(first, second):
            assert run(world, journey, without_netrc)


def test_an_empty_mapping_means_direct_whatever_there_is(
    world: World, messengers: Mapping[str, Messenger]
) -> None:
    """The law of precedence."""

    def nothing(urls: Urls) -> Proxies:
        return {}

    for messenger in ("call", "session"):
        for journey in journeys_of(None, None):
            assert run(world, journey, EVERYTHING, nothing, messengers[messenger])


@pytest.mark.parametrize("secret", ["everything", "proxy-auth", "proxy-header-of-session"])
def test_who_follows_redirects_himself_takes_no_secret_further_than_the_session_does(
    world: World, secret: str
) -> None:
    """`Response.next`, in the place of the walk."""
    given = SECRETS[secret]
    for first, second in (("http-1", "https-1"), (None, "http-1"), ("socks5h-1", "http-1")):
        for journey in journeys_of(first, second):
            proxies = by_host(
                {place: way and world.url(way, userinfo=given.userinfo) for place, way in journey}
            )
            with world.session() as session:
                settle(world, session, journey, given)
                response = session.get(
                    first_url(journey, given), proxies=proxies, allow_redirects=False, **given.call
                )
                while (following := response.next) is not None:
                    response = session.send(following, proxies=proxies, allow_redirects=False)
            check(world, response, journey, given)


@st.composite
def walks(draw: st.DrawFn) -> list[Hop]:
    """Up to five places in any order, each by a way of its own."""
    places = draw(st.lists(st.sampled_from(PLACES), min_size=2, max_size=5))
    ways = {place: draw(st.sampled_from(WAYS)) for place in places}
    return [Hop(place, ways[place]) for place in places]


# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given_by(walks(), st.sampled_from(list(SECRETS)))
def test_over_any_walk_each_secret_goes_to_its_own_and_to_nobody_else(
    world: World, journey: list[Hop], secret: str
) -> None:
    """The laws on proxies, redirects, auth and cookies; R1."""
    assert run(world, journey, SECRETS[secret])


@pytest.mark.parametrize("first", ["http-1", "https-1", "socks5-1"])
@pytest.mark.parametrize("second", ["http-2", "https-2", "socks5h-2", None])
@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
def test_where_the_proxy_of_one_origin_changes_on_the_way_the_new_one_sees_nothing_of_the_old_ones(
    world: World, monkeypatch: pytest.MonkeyPatch, place: Place, first: str, second: Way
) -> None:
    """The environment is asked anew on each hop, and may have another answer."""

    def to_second(response: Response, **settings: Any) -> None:
        monkeypatch.setenv("all_proxy", "" if second is None else world.url(second, userinfo=True))

    monkeypatch.delenv("NETRC")
    journey = [Hop(place, first), Hop(place, second), Hop(place, second)]
    for secret in ("everything", "proxy-auth", "proxy-header-of-session"):
        given = replace(SECRETS[secret], netrc=False, userinfo=True)
        monkeypatch.setenv("all_proxy", world.url(first, userinfo=True))
        with world.session() as session:
            settle(world, session, journey, given)
            session.trust_env = True
            # By two ways the same place has two addresses; the first is told here, the second from then on.
            world.told_to_proxies = {place} if first.startswith("socks5-") else set()
            response = session.get(
                first_url(journey, given), hooks={"response": [to_second, world.tell_no_more]}, **given.call
            )
        check(world, response, journey, given)


# -- connections ------------------------------------------------------------------------------------------


class Rotating(HTTPAdapter):
    """An adapter whose hook has another token each time that it is told so."""

    token = ""

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        return {**super().proxy_headers(proxy), "X-Proxy-Own": self.token}


Manner: TypeAlias = "Callable[[World, Rotating, str, str], dict[str, Any]]"


def in_the_url(world: World, adapter: Rotating, proxy: str, token: str) -> dict[str, Any]:
    userinfo = f"{token}:x@" if token else ""
    return {"proxies": {"all": world.url(proxy).replace("//", f"//{userinfo}")}}


def by_a_field(world: World, adapter: Rotating, proxy: str, token: str) -> dict[str, Any]:
    fields = {"Proxy-Authorization": token} if token else {}
    return {"proxies": {"all": world.url(proxy)}, "headers": fields}


def by_the_hook(world: World, adapter: Rotating, proxy: str, token: str) -> dict[str, Any]:
    adapter.token = token
    return {"proxies": {"all": world.url(proxy)}}


MANNERS: Mapping[str, Manner] = {"url": in_the_url, "field": by_a_field, "hook": by_the_hook}


def shown_on(server: RecordingServer, tape: Tape) -> set[object]:
    """All by which clients introduced themselves to a proxy over one connection."""
    if tape.greeting is not None:
        return {tape.greeting.credentials}
    return {
        (request.header("Proxy-Authorization"), request.header("X-Proxy-Own"))
        for request in server.requests_on(tape)
    }


@pytest.mark.parametrize(
    ("kind", "manner"),
    [(kind, manner) for kind in KINDS for manner in MANNERS if manner == "url" or not is_socks(kind)],
)
@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
def test_a_connection_serves_only_who_shows_the_proxy_what_it_was_made_with(
    world: World, kind: str, manner: str, place: Place
) -> None:
    """R1."""
    proxy, tokens = f"{kind}-1", ("one", "two", "", "two", "one", "")
    world.told_to_proxies = {place} if kind == "socks5" else set()
    adapter = Rotating(resolver=world.resolve)
    with world.session() as session:
        world.mount(session, adapter)
        for token in tokens:
            session.get(place.url(f"/{token}"), **MANNERS[manner](world, adapter, proxy, token))
    server, origin = world.proxies[proxy], world.origins[place]
    shown = [shown_on(server, tape) for tape in server.tapes]
    assert [len(each) for each in shown] == [1, 1, 1]
    assert len(set().union(*shown)) == 3
    assert [request.target for request in origin.requests] == [f"/{token}" for token in tokens]
    if place.scheme == "https" or is_socks(kind):  # a proxy that forwards has connections of its own
        targets = [{request.target for request in origin.requests_on(tape)} for tape in origin.tapes]
        assert targets == [{"/one"}, {"/two"}, {"/"}]


@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
def test_a_connection_by_one_way_serves_nobody_who_goes_another(world: World, place: Place) -> None:
    """R1."""
    with world.session() as session:
        for _ in range(2):
            for way in WAYS:
                world.told_to_proxies = {place} if way is not None and kind_of(way) == "socks5" else set()
                proxies = {} if way is None else {"all": world.url(way)}
                assert session.get(place.url(f"/by-{way}"), proxies=proxies).text == "arrived"
    origin = world.origins[place]
    assert [request.target for request in origin.requests] == [f"/by-{way}" for way in WAYS] * 2
    for name, proxy in world.proxies.items():
        assert len(proxy.tapes) == 1, name
        passed = {way for way in WAYS if f"/by-{way} ".encode() in proxy.readable()}
        assert passed == ({name} if place.scheme == "http" else set())
    by_tape = [{request.target for request in origin.requests_on(tape)} for tape in origin.tapes]
    assert all(len(targets) == 1 for targets in by_tape)
    assert by_tape.count({"/by-None"}) == 1


@pytest.mark.parametrize("proxy", ["http-1", "https-1", "socks5h-1"])
def test_threads_with_words_of_their_own_for_one_proxy_never_share_a_connection(
    world: World, proxy: str
) -> None:
    """R1, L4."""
    users = [f"user{number}" for number in range(6)]
    failures: list[BaseException] = []
    with world.session() as session:

        def go(user: str) -> None:
            url = world.url(proxy).replace("//", f"//{user}:x@")
            try:
                for _ in range(5):
                    assert session.get(HOME.url(f"/{user}"), proxies={"all": url}).text == "arrived"
            except BaseException as error:  # noqa: BLE001 - raised again in the thread of the test
                failures.append(error)

        threads = [threading.Thread(target=go, args=(user,)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    server = world.proxies[proxy]
    for tape in server.tapes:
        by_words = [
            user
            for user in users
            if shown_on(server, tape) in ({(user.encode(), b"x")}, {(basic(user, "x"), None)})
        ]
        by_path = [user for user in users if f"/{user} ".encode() in tape.read]
        assert len(by_words) == 1
        assert by_words == by_path


# -- challenges and retries -------------------------------------------------------------------------------


def challenging(request: Request) -> bytes:
    """Digest for the origin first, and then a redirect."""
    if not (request.header("Authorization") or "").startswith("Digest "):
        challenge = 'Digest realm="r", nonce="abc", qop="auth", algorithm=SHA-256'
        return respond(b"who?", status=401, headers=[("WWW-Authenticate", challenge)])
    return respond(b"", status=302, headers=[("Location", AWAY.url("/end"))])


@pytest.mark.parametrize("way", FIRST_PROXIES)
@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
def test_the_answer_to_a_challenge_of_an_origin_is_for_it_alone(world: World, way: str, place: Place) -> None:
    """A proxy sees it where it sees all of the request, and nobody gets to see it beyond a redirect."""
    world.answers[place, "/secret"] = challenging
    world.told_to_proxies = {place} if kind_of(way) == "socks5" else set()
    proxies = {str(place): world.url(way, userinfo=True), str(AWAY): world.url("http-2", userinfo=True)}
    with world.session() as session:
        auth = HTTPDigestAuth(ORIGIN_USER, ORIGIN_PASSWORD)
        assert session.get(place.url("/secret"), auth=auth, proxies=proxies).text == "arrived"
    answers = [request.header("Authorization") or "" for request in world.origins[place].requests]
    assert [answer[:7] for answer in answers] == ["", "Digest "]
    may_read = {name: words_for(name) if name in (way, "http-2") else set() for name in world.servers}
    for name in (str(place), *([way] if place.scheme == "http" else [])):
        may_read[name] |= {ORIGIN_USER.encode(), answers[1].encode()}  # the name is part of the answer
    for name, server in world.servers.items():
        assert server.found(WORDS | {answers[1].encode()}) == may_read[name], name


@pytest.mark.parametrize("proxy", ["http-1", "https-1"])
def test_a_proxy_that_wants_other_words_is_not_given_those_of_the_origin(world: World, proxy: str) -> None:
    """Its 407 is an answer for http, and an error for https; nobody answers the challenge by guessing."""
    server = world.proxies[proxy]
    server.wants = "Digest wanted"
    proxies = {"all": world.url(proxy, userinfo=True)}
    auth = HTTPDigestAuth(ORIGIN_USER, ORIGIN_PASSWORD)
    with world.session(cookies={"own": COOKIE}) as session:
        assert session.get(HOME.url(), auth=auth, proxies=proxies).status_code == 407
        with pytest.raises(TunnelError) as caught:
            session.get(HOME_TLS.url(), auth=(ORIGIN_USER, ORIGIN_PASSWORD), proxies=proxies)
    assert caught.value.response.status_code == 407
    own = basic(user_of(proxy), password_of(proxy))
    assert [request.header("Proxy-Authorization") for request in server.requests] == [own, own]
    assert [request.header("Authorization") for request in server.requests] == [None, None]
    assert [request.header("Cookie") for request in server.requests] == [f"own={COOKIE}", None]
    assert not any(origin.tapes for origin in world.origins.values())


@pytest.mark.parametrize("way", [None, *FIRST_PROXIES], ids=str)
def test_an_origin_that_plays_the_proxy_is_given_no_words_for_proxies(world: World, way: Way) -> None:
    """A 407 of an origin's is its own affair."""
    challenge = ("Proxy-Authenticate", 'Basic realm="proxy"')
    for place in (HOME, HOME_TLS):
        world.forget()
        world.told_to_proxies = {place} if way is not None and kind_of(way) == "socks5" else set()
        world.answers[place, "/"] = respond(b"pay", status=407, headers=[challenge])
        proxies = {"ftp": world.url("http-2", userinfo=True)}
        if way is not None:
            proxies["all"] = world.url(way, userinfo=True)
        with world.session(auth=HTTPProxyAuth("by", "hand")) as session:
            assert session.get(place.url(), proxies=proxies).status_code == 407
        assert [request.target for request in world.origins[place].requests] == ["/"]
        assert not world.origins[place].found(WORDS)


@pytest.mark.parametrize("way", [None, *FIRST_PROXIES], ids=str)
@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
def test_a_try_again_says_what_the_first_one_said_to_whom_it_said_it(
    world: World, way: Way, place: Place
) -> None:
    """Also where the answer is that of a last try, and an error."""
    world.told_to_proxies = {place} if way is not None and kind_of(way) == "socks5" else set()
    world.answers[place, "/0"] = respond(b"later", status=503)
    proxies = {"all": None if way is None else world.url(way, userinfo=True)}
    given = replace(EVERYTHING, token=False, own_tokens=False, jar=False, netrc=False, certificate=False)
    with world.session() as session:
        retry = Retry(total=2, status_forcelist={503}, backoff_factor=0)
        world.mount(session, HTTPAdapter(resolver=world.resolve, max_retries=retry))
        with pytest.raises(RetryError) as caught:
            session.get(first_url([Hop(place, way)], given), proxies=proxies, **given.call)
    assert caught.value.response.status_code == 503
    wanted = expected([Hop(place, way)], given).seen
    request, tries = wanted[-1], [seen_of(arrival) for arrival in world.log]
    assert [seen for seen in tries if seen.where == str(place)] == [request] * 3
    asked = wanted[:-1] * (3 if way is not None and forwards(way, place) else 1)
    assert [seen for seen in tries if seen.where != str(place)] == asked


@pytest.mark.parametrize("proxy", ["http-1", "https-1"])
def test_a_tunnel_that_is_asked_for_again_is_asked_for_by_the_same_words(
    world: World, proxy: str, tls_context: ssl.SSLContext
) -> None:
    asked: list[Request] = []

    def busy(request: Request) -> bytes:
        asked.append(request)
        return respond(b"busy", status=503)

    tls = tls_context if kind_of(proxy) == "https" else None
    with ScriptedServer(keep_alive(busy), tls=tls) as server, world.session() as session:
        world.mount(
            session, HTTPAdapter(resolver=world.resolve, max_retries=Retry(connect=2, backoff_factor=0))
        )
        proxies = {"all": url_of(proxy, server.port, userinfo=True)}
        with pytest.raises(TunnelError):
            session.get(HOME_TLS.url(), proxies=proxies, auth=(ORIGIN_USER, ORIGIN_PASSWORD))
    fields = [
        ("Host", HOME_TLS.authority),
        ("Proxy-Authorization", basic(user_of(proxy), password_of(proxy))),
    ]
    assert [request.headers for request in asked] == [fields] * 3


# -- what is said of it -----------------------------------------------------------------------------------


def outcome_of(call: Callable[[], Response]) -> Response | RequestException:
    try:
        return call()
    except RequestException as error:
        return error


def said_by(outcome: object) -> Iterator[str]:
    """All that a log, a traceback or a debugger may show of a response or an error, and of what caused it."""
    yield str(outcome)
    yield repr(outcome)
    if isinstance(outcome, Response):
        yield repr(outcome.request)
    if isinstance(outcome, BaseException):
        yield "".join(traceback.format_exception(outcome))
        yield repr(outcome.args)
        before = outcome.__cause__ if outcome.__suppress_context__ else outcome.__context__
        yield from () if before is None else said_by(before)
    if isinstance(outcome, RequestException):
        yield repr((outcome.request, outcome.response))


@pytest.fixture
def nothing_is_said_of(
    caplog: pytest.LogCaptureFixture,
) -> Callable[[Callable[[], Response], Iterable[bytes]], Response | RequestException]:
    """Makes a call, and holds against it all that it says."""

    def check(call: Callable[[], Response], secrets: Iterable[bytes]) -> Response | RequestException:
        caplog.set_level(logging.DEBUG)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            outcome = outcome_of(call)
        said = "\n".join([*said_by(outcome), caplog.text, *map(str, warned)])
        leaked = [secret for secret in secrets if secret.decode() in said]
        assert not leaked, f"{leaked} in: {outcome}"
        return outcome

    return check


Silence: TypeAlias = "Callable[[Callable[[], Response], Iterable[bytes]], Response | RequestException]"


def ask(world: World, place: Place, url: str, given: Given, **call: Any) -> Callable[[], Response]:
    """A call through a proxy, with all that is given."""

    def made() -> Response:
        journey = [Hop(place, None)]
        with world.session() as session:
            settle(world, session, journey, given)
            return session.get(first_url(journey, given), proxies={"all": url}, **call, **given.call)

    return made


def echoing(peer: Peer) -> None:
    """Says again whatever it is told, the words for the proxy among it."""
    while said := peer.read_some():
        peer.try_send(said)


def silent(peer: Peer) -> None:
    peer.read_some()


def resetting(peer: Peer) -> None:
    peer.read_some()
    peer.rst()


def garbling(peer: Peer) -> None:
    peer.read_some()
    peer.try_send(b"\x00\xff\r\n\r\n")


def refusing(peer: Peer) -> None:
    """In the language that it is spoken to."""
    if peer.read_some()[:1] != b"\x05":
        peer.try_send(respond(b"no", status=407, headers=[("Proxy-Authenticate", 'Basic realm="tests"')]))
        return
    peer.try_send(b"\x05\x02")
    peer.read_some()
    peer.try_send(b"\x01\x01")


def stalling(peer: Peer) -> None:
    peer.stall()


SCRIPTS: Mapping[str, Script] = {
    "echoes": echoing,
    "closes": silent,
    "resets": resetting,
    "garbles": garbling,
    "refuses": refusing,
    "stalls": stalling,
}


# TLS waits for more than the few bytes that SOCKS begins with, and SOCKS for an answer to them.
@pytest.mark.parametrize(
    ("kind", "tls_at_proxy"), [*((kind, False) for kind in KINDS), ("http", True), ("https", True)]
)
@pytest.mark.parametrize("script", SCRIPTS)
def test_of_a_proxy_that_fails_no_secret_is_told(
    world: World,
    nothing_is_said_of: Silence,
    kind: str,
    script: str,
    tls_at_proxy: bool,
    tls_context: ssl.SSLContext,
) -> None:
    """Whichever language it speaks, and whichever it was spoken to."""
    proxy = f"{kind}-1"
    tls = tls_context if tls_at_proxy else None
    # Only where nothing ever comes it is for the clock to end it.
    timeout = 0.05 if script == "stalls" else None
    with ScriptedServer(SCRIPTS[script], tls=tls, handshake_may_fail=True) as server:
        url = url_of(proxy, server.port, userinfo=True)
        for given, place in itertools.product((EVERYTHING, SECRETS["proxy-url"]), (HOME, HOME_TLS)):
            outcome = nothing_is_said_of(ask(world, place, url, given, timeout=timeout), WORDS)
            assert isinstance(outcome, RequestException) or outcome.status_code == 407
        server.wait_for_scripts()
    assert not world.log, "nobody is asked past it"


@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_proxy_that_is_not_there_no_secret_is_told(
    world: World, nothing_is_said_of: Silence, kind: str, place: Place
) -> None:
    with closed_port() as port:
        dead = url_of(f"{kind}-1", port, userinfo=True)
        for url in (dead, dead.replace("127.0.0.1", "nowhere.test")):
            for given in (EVERYTHING, SECRETS["proxy-url"]):
                outcome = nothing_is_said_of(ask(world, place, url, given), WORDS)
                assert isinstance(outcome, ProxyError)
                assert f"{kind}://" in str(outcome), "it says which proxy it is"
    assert not world.log, "nobody is asked past it"


@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_proxy_that_lets_nobody_in_no_secret_is_told(
    world: World, nothing_is_said_of: Silence, kind: str, place: Place
) -> None:
    """And it is told none but its own."""
    proxy = f"{kind}-1"
    server = world.proxies[proxy]
    for userinfo in (True, False):
        with world.session() as session:
            settle(world, session, [Hop(place, proxy)], replace(EVERYTHING, token=False, own_tokens=False))
            if isinstance(server, RecordingSocks):
                server.wants = (b"else", b"where")
            else:
                server.wants = "Basic other"
            proxies = {"all": world.url(proxy, userinfo=userinfo)}
            outcome = nothing_is_said_of(partial(session.get, place.url(), proxies=proxies), WORDS)
        if place.scheme == "http" and not is_socks(proxy):
            assert isinstance(outcome, Response)
            assert outcome.status_code == 407
        else:
            assert isinstance(outcome, TunnelError)
            assert server.found(WORDS) == (words_for(proxy) if userinfo else set())


@pytest.mark.parametrize(("kind", "place"), [*((kind, HOME_TLS) for kind in KINDS), ("https", HOME)], ids=str)
def test_whom_tls_does_not_trust_is_told_no_secret_and_nothing_is_told_of_it(
    world: World, nothing_is_said_of: Silence, kind: str, place: Place, tmp_path: Path
) -> None:
    """Neither a proxy of https, nor an origin behind a proxy."""
    others = tmp_path / "others.pem"
    trustme.CA().cert_pem.write_to_path(str(others))
    proxy = f"{kind}-1"
    journey = [Hop(place, proxy)]
    with world.session() as session:
        settle(world, session, journey, EVERYTHING)
        session.verify = str(others)
        proxies = {"all": world.url(proxy, userinfo=True)}
        call = partial(session.get, first_url(journey, EVERYTHING), proxies=proxies, **EVERYTHING.call)
        outcome = nothing_is_said_of(call, WORDS)
    assert isinstance(outcome, ProxySSLError if kind == "https" else SSLError)
    assert not world.origins[place].found(WORDS)
    if kind == "https":
        assert not world.proxies[proxy].found(WORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_warning_of_a_connection_that_nobody_verifies_tells_no_secret(
    world: World, nothing_is_said_of: Silence, kind: str
) -> None:
    """And without verification all the same goes where it always goes."""
    proxy = f"{kind}-1"
    journey = [Hop(HOME_TLS, proxy)]
    given = replace(EVERYTHING, certificate=False)
    with world.session() as session:
        settle(world, session, journey, given)
        call = partial(
            session.get, proxies={"all": world.url(proxy, userinfo=True)}, verify=False, **given.call
        )
        response = nothing_is_said_of(partial(call, first_url(journey, given)), WORDS)
    assert isinstance(response, Response)
    check(world, response, journey, given)


S3CRET = (b"s3cret", b64encode(b"s3cret"), b64encode(b"user:s3cret"))
WRONG_URLS = (
    "{}://user:s3cret/word@127.0.0.1:1",
    "{}://user:p@s3cret/word@127.0.0.1:1",
    "{}://user:12/s3cret@127.0.0.1:1",
    "{}://user:s3cret?@127.0.0.1:1",
    "{}://user:12#s3cret@127.0.0.1:1",
    "{}://user:s3cret\\@127.0.0.1:1",
    "{}://user:s3cret\r\n@127.0.0.1:1",
    "{}://user:s3cret\x00@127.0.0.1:1",
    "{}://user:s3cret\ud800@127.0.0.1:1",
    "{}://s3cret\ud800@127.0.0.1:1",
    "{}://user:s3cret@",
    "{}://user:s3cret@:3128",
    "{}://user:s3cret@proxy:port",
    "{}://user:s3cret@127.0.0.1:99999",
    "{}://user:s3cret@[::1",
    "{}://user:s3cret@[::1]3128",
    "{}://user:s3cret@pro xy:3128",
    "{}://user:s3cret@pro_\xff\u2028xy:3128",
    "{}:/user:s3cret@127.0.0.1:1",
    "{}//user:s3cret@127.0.0.1:1",
    "{}:user:s3cret@127.0.0.1:1",
    "user:s3cret://word@127.0.0.1:1",  # no scheme, and a password that looks as if it ended one
    "user:s3cret@127.0.0.1:1/",
    "gopher://user:s3cret@127.0.0.1:1",
    "socks4://user:s3cret/word@127.0.0.1:1",
    "socks://user:p@s3cret@127.0.0.1:1",
    "{}://user%3As3cret@127.0.0.1:1",  # the colon between them was taken for a part of them
    "{}://user%3As3cret:@127.0.0.1:1",
    "{}://user:" + "s3cret" * 50 + "@127.0.0.1:1",  # longer than SOCKS has room for
    "{}://" + "s3cret" * 50 + ":word@127.0.0.1:1",
)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_wrong_url_of_a_proxy_no_secret_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, nothing_is_said_of: Silence, kind: str
) -> None:
    """Wherever it stands. Nothing listens at the port that those name which are not so wrong."""
    with closed_port() as port, world.session() as session:
        session.trust_env = True
        for wrong, place in itertools.product(WRONG_URLS, (HOME, HOME_TLS)):
            url = wrong.format(kind).replace("127.0.0.1:1", f"127.0.0.1:{port}")
            outcome = nothing_is_said_of(partial(session.get, place.url(), proxies={"all": url}), S3CRET)
            assert isinstance(outcome, RequestException), url
            if "\x00" not in url and "\ud800" not in url:  # which no variable can hold
                monkeypatch.setenv("all_proxy", url)
                assert isinstance(
                    nothing_is_said_of(partial(session.get, place.url()), S3CRET), RequestException
                )
    assert not world.log


@pytest.mark.parametrize(
    "value", ["s3cret\r\nX: y", "s3cret\x00", "s3cret\u20ac", b"s3cret\n", ["s3cret"], 1]
)
@pytest.mark.parametrize("proxy", FIRST_PROXIES)
def test_of_a_field_that_cannot_be_sent_to_a_proxy_no_value_is_told(
    world: World, nothing_is_said_of: Silence, proxy: str, value: Any
) -> None:
    """X7: and nothing is sent."""

    class Wrong(HTTPAdapter):
        def proxy_headers(self, proxy: str) -> dict[str, str]:
            return {"X-Proxy-Own": value}

    with world.session() as session:
        call = partial(session.get, proxies={"all": world.url(proxy)})
        for place in (HOME, HOME_TLS):
            by_hand = partial(call, place.url(), headers={"Proxy-Authorization": value})
            assert isinstance(nothing_is_said_of(by_hand, S3CRET), RequestException)
        world.mount(session, Wrong(resolver=world.resolve))
        if not is_socks(proxy):  # which is shown no fields
            for place in (HOME, HOME_TLS):
                outcome = nothing_is_said_of(partial(call, place.url()), S3CRET)
                assert isinstance(outcome, RequestException)
    with pytest.raises((RequestException, TypeError)) as caught:
        HTTPAdapter(proxy_headers={"X-Proxy-Own": value})
    assert "s3cret" not in "".join(said_by(caught.value))
    assert not world.log


@pytest.mark.parametrize("blank", [" ", "\t", "\r\n"], ids=["space", "tab", "line end"])
@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
@pytest.mark.parametrize("place", [HOME, HOME_TLS], ids=str)
def test_however_the_url_of_an_https_proxy_is_written_it_is_told_nothing_without_tls(
    world: World, place: Place, scheme: str, blank: str
) -> None:
    """As it was read from a file or a variable, with blanks around it."""
    url = world.url("https-1", userinfo=True).replace("https", scheme, 1)
    for written in (url, blank + url, url + blank, f"{blank}{url}/{blank}"):
        world.forget()
        with world.session() as session:
            assert session.get(place.url("/0"), proxies={"all": written}).text == "arrived"
        assert world.proxies["https-1"].found(WORDS) == words_for("https-1")
        assert not world.proxies["https-1"].handshake_errors


@pytest.mark.slow
def test_nothing_shows_a_secret_that_a_program_may_print(world: World) -> None:
    """Sessions, adapters, pools, connections, routes, proxies, requests and responses, in use and idle."""
    shown: set[str] = set()
    with world.session() as session:
        for proxy, place in itertools.product(FIRST_PROXIES, (HOME, HOME_TLS)):
            journey = [Hop(place, proxy)]
            settle(world, session, journey, EVERYTHING)
            adapter = session.get_adapter(place.url())
            proxies = {"all": world.url(proxy, userinfo=True)}
            url = first_url(journey, EVERYTHING)
            with session.get(url, proxies=proxies, stream=True, **EVERYTHING.call) as response:
                shown |= printed(session, adapter, response, response.request)
                assert response.text == "arrived"
        shown |= printed(session, adapter, response)
    kinds = {text.partition("(")[0].partition(" ")[0].strip("<") for text in shown}
    assert {"HTTPConnection", "Proxy", "Route", "TLSIdentity"} <= kinds
    assert not [text for text in shown for word in WORDS if word.decode() in text]


def printed(*objects: object) -> set[str]:
    """By str() and by repr(): some objects, and all that lives below them of the transport."""
    below = (ConnectionPool, HTTPConnection, Route, Proxy, TLSIdentity)
    found = [*objects, *(each for each in gc.get_objects() if isinstance(each, below))]
    return {text for each in found for text in (repr(each), str(each))}


def test_a_url_that_was_read_shows_no_secret_and_what_has_no_scheme_none_either() -> None:
    assert repr(read_proxy_url("http://user:s3cret@p.example:3128")) == "<ProxyURL http://p.example:3128>"
    with pytest.raises(InvalidProxyURL, match="has no scheme: write http://user:password@") as caught:
        read_proxy_url("user:s3cret://more@p.example:3128")
    assert "s3cret" not in str(caught.value)
