"""SOCKS5: what is said, what the answers mean, whom the proxy is told of, and Sessions that go through it."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pystickyhttp import Session
from pystickyhttp.exceptions import (
    ConnectTimeout,
    InvalidProxyURL,
    InvalidURL,
    NameResolutionError,
    ProxyError,
    RequestException,
    TotalTimeout,
    TunnelError,
)
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import Address, Dialer, Route, TLSIdentity
from pystickyhttp.transport.route import Proxy
from pystickyhttp.transport.socks import Credentials, Refused, SocksFailure, conversation
from pystickyhttp.transport.tunnels import is_worth_another_address, socks_tunnel
from tests.patience import growing
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import Peer, Script, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left
from tests.servers.socks import (
    FROM_IPV4,
    FROM_IPV6,
    FROM_NAME,
    IPV4,
    IPV6,
    NAME,
    Asked,
    SocksServer,
    reply,
    saying,
)
from tests.servers.wire import Request

# Long enough that it would fail the test by its own timeout, were it waited for.
NEVER = 1000.0
# Silence on a socket pair is a defect; this is for how long it is waited out.
PATIENCE = 5.0
SHORT = 0.05
# What a silence is waited for at first, see `growing`.
A_WHILE = 0.1
FAR = "example.com"  # the tests' certificates are for it, and nothing here resolves it
USER = (b"user", b"geheim")
LONGEST = b"x" * 255

GREETING = b"\x05\x01\x00"
GREETING_WITH_LOGIN = b"\x05\x02\x00\x02"
LOGIN = b"\x01\x04user\x06geheim"
TO_FAR = b"\x05\x01\x00\x03\x0bexample.com\x01\xbb"

# What a proxy says to whoever shows no password, and to whoever does, up to the tunnel.
OPEN = [b"\x05\x00", reply()]
LOGGED_IN = [b"\x05\x02", b"\x01\x00", reply()]


def ok(_: Request) -> bytes:
    return respond(b"ok")


def to(server: ScriptedServer, scheme: str = "socks5h", credentials: Credentials | None = None) -> Proxy:
    return Proxy(scheme, server.host, server.port, credentials=credentials)


def far_end(proxy: Proxy, host: str = FAR, port: int = 443) -> Route:
    return Route("https", host, port, TLSIdentity(), proxy=proxy)


def plain(proxy: Proxy, host: str = FAR, port: int = 80) -> Route:
    """A Route whose connection is there as soon as the tunnel is."""
    return Route("http", host, port, proxy=proxy)


class Resolver:
    """Leads every name to these addresses, and tells which names were asked for."""

    def __init__(self, *addresses: str) -> None:
        self.names: list[str] = []
        self._addresses = addresses

    def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.names.append(host)
        families = (socket.AF_INET6 if ":" in each else socket.AF_INET for each in self._addresses)
        return [
            Address(family, (address, port))
            for family, address in zip(families, self._addresses, strict=True)
        ]


def dial(route: Route, timeout: Timeout | None = None, resolver: Resolver | None = None) -> socket.socket:
    sock = Dialer(resolver).dial(route, (timeout or Timeout()).start())
    assert isinstance(sock, socket.socket), "there is no TLS within TLS here"
    return sock


# --- what is said, and what the answers mean


class Wire:
    """What the conversation says, to a proxy of which these pieces come."""

    def __init__(self, *pieces: bytes) -> None:
        self.said: list[bytes] = []
        self._pieces = [piece for piece in pieces if piece]

    @property
    def left(self) -> bytes:
        return b"".join(self._pieces)

    def run(self, host: str, port: int, credentials: Credentials | None = None) -> None:
        steps = conversation(host, port, credentials)
        with contextlib.suppress(StopIteration):
            step = next(steps)
            while True:
                if isinstance(step, bytes):
                    self.said.append(step)
                step = steps.send(b"" if isinstance(step, bytes) else self._receive(step))

    def _receive(self, size: int) -> bytes:
        assert size > 0
        if not self._pieces:
            return b""
        first = self._pieces[0]
        self._pieces[:1] = [first[size:]] if len(first) > size else []
        return first[:size]


@pytest.mark.parametrize(
    ("host", "port", "command"),
    [
        ("192.0.2.1", 80, b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
        ("2001:db8::1", 443, b"\x05\x01\x00\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01\x01\xbb"),
        ("fe80::1%eth0", 8080, b"\x05\x01\x00\x04\xfe\x80" + bytes(13) + b"\x01\x1f\x90"),
        ("example.com", 443, TO_FAR),
        ("example.com.", 1, b"\x05\x01\x00\x03\x0cexample.com.\x00\x01"),
        ("a", 65535, b"\x05\x01\x00\x03\x01a\xff\xff"),
        ("127.1", 80, b"\x05\x01\x00\x03\x05127.1\x00\x50"),
        ("h" * 255, 80, b"\x05\x01\x00\x03\xff" + b"h" * 255 + b"\x00\x50"),
    ],
)
def test_a_host_goes_as_an_address_or_as_a_name_byte_by_byte(host: str, port: int, command: bytes) -> None:
    """RFC 1928, sections 3 to 5."""
    wire = Wire(*OPEN)
    wire.run(host, port)
    assert wire.said == [GREETING, command]


@pytest.mark.parametrize("credentials", [USER, (LONGEST, LONGEST), (b"u", b"\x00\r\n\xff"), (b":", b" ")])
def test_user_and_password_go_to_whoever_asks_for_them_byte_by_byte(credentials: Credentials) -> None:
    """RFC 1929, section 2."""
    user, password = credentials
    wire = Wire(*LOGGED_IN)
    wire.run(FAR, 443, credentials)
    login = bytes([1, len(user), *user, len(password), *password])
    assert wire.said == [GREETING_WITH_LOGIN, login, TO_FAR]


def test_user_and_password_do_not_go_to_a_proxy_that_does_not_ask_for_them() -> None:
    wire = Wire(*OPEN)
    wire.run(FAR, 443, USER)
    assert wire.said == [GREETING_WITH_LOGIN, TO_FAR]


def test_a_verdict_that_bears_the_version_of_what_surrounds_it_is_taken() -> None:
    """RFC 1929 says 1, and servers in the field say 5."""
    wire = Wire(b"\x05\x02", b"\x05\x00", reply())
    wire.run(FAR, 443, USER)
    assert wire.said[-1] == TO_FAR


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        ((b"", b"geheim"), "the user for a SOCKS proxy has no bytes"),
        ((b"user", b""), "the password for a SOCKS proxy has no bytes"),
        ((LONGEST + b"x", b"geheim"), "the user for a SOCKS proxy has more than 255 bytes"),
        ((b"user", b"geheim" * 43), "the password for a SOCKS proxy has more than 255 bytes"),
    ],
)
def test_credentials_for_which_there_is_no_room_are_refused_before_a_byte_is_sent_and_not_shown(
    credentials: Credentials, why: str
) -> None:
    """X7; RFC 1929, section 2."""
    wire = Wire(*LOGGED_IN)
    with pytest.raises(InvalidProxyURL, match=f"^{why}, .*1 to 255: write both or none") as caught:
        wire.run(FAR, 443, credentials)
    assert "geheim" not in f"{caught.value} {caught.value!r}"
    assert not wire.said


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("", "has 0 bytes: RFC 1928 has room for 1 to 255"),
        ("h" * 256, "has 256 bytes: RFC 1928 has room for 1 to 255"),
        ("\u00fc.example", "write it as IDNA does"),
        ("a.example\0.b.example", "without spaces or control characters"),
        ("a.example\r\n", "without spaces or control characters"),
        ("a b", "without spaces or control characters"),
        ("a\x7f", "without spaces or control characters"),
    ],
)
def test_a_host_that_can_not_be_sent_is_refused_before_a_byte_is(host: str, why: str) -> None:
    """X7."""
    wire = Wire(*OPEN)
    with pytest.raises(InvalidURL, match=f"^a SOCKS proxy can't be told of the host .*{why}"):
        wire.run(host, 443)
    assert not wire.said


BOUNDS = [FROM_IPV4, FROM_IPV6, FROM_NAME, b"\x03\xff" + LONGEST + b"\x00\x50", b"\x03\x01x\x00\x00"]


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


answers = st.builds(
    # Whatever stands in the reserved byte.
    lambda before, reserved, bound: [*before, b"\x05\x00" + bytes([reserved]) + bound],
    st.sampled_from([OPEN[:-1], LOGGED_IN[:-1]]),
    st.integers(0, 255),
    st.sampled_from(BOUNDS),
)


@given(answer=answers, more=st.binary(max_size=20), places=st.lists(st.integers(0, 10_000), max_size=20))
def test_any_split_of_the_answers_is_read_and_not_a_byte_beyond_them(
    answer: list[bytes], more: bytes, places: list[int]
) -> None:
    wire = Wire(*cut(b"".join(answer) + more, places))
    wire.run(FAR, 443, USER)
    assert wire.said[-1] == TO_FAR
    assert wire.left == more


@given(answer=answers, end=st.integers(0, 10_000), places=st.lists(st.integers(0, 10_000), max_size=5))
@example(answer=OPEN, end=0, places=[])
def test_answers_that_are_cut_short_anywhere_are_a_failure(
    answer: list[bytes], end: int, places: list[int]
) -> None:
    whole = b"".join(answer)
    with pytest.raises(SocksFailure, match="it closed the connection"):
        Wire(*cut(whole[: end % len(whole)], places)).run(FAR, 443, USER)


@given(
    start=st.sampled_from([b"", b"\x05\x00", b"\x05\x02", b"\x05\x02\x01\x00", b"\x05\x00\x05\x00"]),
    garbage=st.binary(max_size=600),
    credentials=st.sampled_from([None, USER]),
)
def test_garbage_is_a_failure_and_no_more_of_it_is_read_than_answers_may_have(
    start: bytes, garbage: bytes, credentials: Credentials | None
) -> None:
    came = start + garbage
    wire = Wire(came)
    with contextlib.suppress(SocksFailure):
        wire.run(FAR, 443, credentials)
    # Method, verdict, reply, type, length of the name, the name, the port.
    assert len(came) - len(wire.left) <= 2 + 2 + 2 + 2 + 1 + 255 + 2


SENTENCES = {
    1: "it failed, and does not say why",
    2: "its rules do not allow it",
    3: "the network can't be reached",
    4: "the host can't be reached",
    5: "the far end refused the connection",
    6: "the time to live expired on the way",
    7: "it does not take the command CONNECT",
    8: "it does not take this type of address",
    9: "RFC 1928 does not say what that means",
    255: "RFC 1928 does not say what that means",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_refusal_is_put_into_words_even_where_the_rest_of_the_reply_does_not_come(code: int) -> None:
    """RFC 1928, section 6."""
    for answer in (reply(code), b"\x05" + bytes([code])):
        with pytest.raises(Refused) as caught:
            Wire(b"\x05\x00", answer).run(FAR, 443)
        assert (str(caught.value), caught.value.reply) == (f"{SENTENCES[code]} (reply {code})", code)


# --- through a socket


@contextlib.contextmanager
def connected(kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with ours, theirs:
        yield ours, theirs


THROUGH = plain(Proxy("socks5h", "p.example", 1080, credentials=USER), port=443)


def steps_of(answer: list[bytes]) -> list[int]:
    """The sizes in which answers are asked for: version and what comes with it, then by type and length."""
    *before, last = answer
    rest = last[4:]
    return [2] * (len(before) + 2) + ([1, len(rest) - 1] if last[3] == NAME else [len(rest)])


@given(answer=answers, places=st.lists(st.integers(0, 10_000), max_size=20))
@settings(deadline=None)
def test_any_split_on_the_wire_makes_a_tunnel_through_which_bytes_go_both_ways(
    answer: list[bytes], places: list[int]
) -> None:
    whole = b"".join(answer)
    # On such a pair each send is one recv, and what that does not take is lost: no piece spans two of them.
    edges = list(itertools.accumulate(steps_of(answer)))
    with connected(socket.SOCK_SEQPACKET) as (sock, proxy):
        for piece in cut(whole, [*edges, *places]):
            proxy.sendall(piece)
        socks_tunnel(sock, THROUGH, FAR, 443, PATIENCE)
        assert proxy.recv(1000) == GREETING_WITH_LOGIN
        assert [LOGIN, TO_FAR][-len(answer) + 1 :] == [proxy.recv(1000) for _ in answer[1:]]
        sock.settimeout(PATIENCE)
        sock.sendall(b"hello")
        proxy.sendall(b"you too")
        assert (proxy.recv(100), sock.recv(100)) == (b"hello", b"you too")


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("seconds", [PATIENCE, None])
def test_what_follows_in_one_piece_with_the_reply_stays_on_the_socket(
    bound: bytes, seconds: float | None
) -> None:
    """It is the far end's, and whoever speaks with that one reads it."""
    with connected() as (sock, proxy):
        proxy.sendall(b"\x05\x00" + reply(0, bound) + b"the far end")
        socks_tunnel(sock, THROUGH, FAR, 443, seconds)
        sock.settimeout(PATIENCE)
        assert sock.recv(100) == b"the far end"


@pytest.mark.parametrize("came", range(len(b"".join(LOGGED_IN))))
def test_a_proxy_that_falls_silent_at_any_byte_ends_with_the_time(came: int) -> None:
    """T1."""
    with connected() as (sock, proxy):
        proxy.sendall(b"".join(LOGGED_IN)[:came])
        with pytest.raises(TimeoutError):
            socks_tunnel(sock, THROUGH, FAR, 443, SHORT)


def test_a_proxy_that_takes_nothing_ends_with_the_time() -> None:
    """T1."""
    with connected() as (sock, _):
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(bytes(65536))
        with pytest.raises(TimeoutError):
            socks_tunnel(sock, THROUGH, FAR, 443, SHORT)


@given(
    start=st.sampled_from([b"", b"\x05\x00", b"\x05\x02", b"\x05\x02\x01\x00", b"\x05\x00\x05\x00\x00"]),
    garbage=st.binary(max_size=300),
)
@settings(deadline=None)
def test_no_garbage_raises_anything_but_an_error_of_the_tunnel_and_none_hangs(
    start: bytes, garbage: bytes
) -> None:
    with connected() as (sock, proxy):
        if start + garbage:
            proxy.sendall(start + garbage)
        proxy.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TunnelError):
            socks_tunnel(sock, THROUGH, FAR, 443, PATIENCE)


# --- what fails, and what the error says


@pytest.mark.parametrize(
    ("credentials", "script", "why"),
    [
        (None, saying(b"\x05\xff"), "it serves nobody without authentication: give its URL as {login}"),
        (None, saying(b"\x05\x02"), "it serves nobody without authentication: give its URL as {login}"),
        (None, saying(b"\x05\x01"), "it chose method 1 of authentication, which was not offered to it"),
        (None, saying(b"\x05\x80"), "it chose method 128 of authentication, which was not offered to it"),
        (USER, saying(b"\x05\x01"), "it chose method 1 of authentication, which was not offered to it"),
        (USER, saying(b"\x05\xff"), "it takes neither user and password nor their absence, and .* another"),
        (USER, saying(b"\x05\x02", b"\x01\x01"), "it does not take the credentials that it was given"),
        (USER, saying(b"\x05\x02", b"\x01\xff"), "it does not take the credentials that it was given"),
        (USER, saying(b"\x05\x02", b"\x05\x01"), "it does not take the credentials that it was given"),
        (
            USER,
            saying(b"\x05\x02", b"\x00\x00"),
            r"it sent b'\\x00\\x00', where version 1 and the verdict on user and password were expected",
        ),
        (
            None,
            saying(b"\x04\x00"),
            r"it sent b'\\x04\\x00', where version 5 and its choice of a method were expected",
        ),
        (
            None,
            saying(b"\x05\x00", b"\x04\x00\x00\x01" + bytes(6)),
            r"it sent b'\\x04\\x00', where version 5 and the reply to CONNECT were expected",
        ),
        (
            None,
            saying(b"HTTP/1.1 400 Bad Request\r\n\r\n", then=Peer.fin),
            "it sent b'HT', where .* were expected: it speaks HTTP: write http:// for its scheme",
        ),
        (None, saying(b"<!DOCTYPE HTML>", then=Peer.fin), "it sent b'<!', .*: it speaks HTTP: write http://"),
        (None, saying(b"\x15\x03\x03\x00\x02\x02\x46"), ".*: it speaks TLS: write https:// for its scheme"),
        (None, saying(b"\x00\x5b" + bytes(6)), ".*: it speaks SOCKS4, and nobody here does: ask for SOCKS5"),
        (None, saying(b"SSH-2.0-OpenSSH_9.6\r\n"), "it sent b'SS', where version 5 and"),
        (
            None,
            saying(b"\x05\x00", reply(0, b"\x03\x00\x00\x50")),
            "it says that it connects from a name without a letter, which RFC 1928 does not know",
        ),
        (
            None,
            saying(b"\x05\x00", reply(0, b"\x02" + bytes(6))),
            "it says that it connects from an address of type 2, which RFC 1928 does not know",
        ),
        (
            None,
            saying(b"", then=Peer.fin),
            r"it closed the connection, where version 5 and its choice of a method were expected \(2 bytes\)",
        ),
        (
            None,
            saying(b"\x05", then=Peer.fin),
            r"it closed the connection after b'\\x05', where version 5 and its choice of a method",
        ),
        (
            USER,
            saying(b"\x05\x02", b"", then=Peer.fin),
            "it closed the connection, where version 1 and the verdict on user and password were expected",
        ),
        (
            None,
            saying(b"\x05\x00", b"\x05\x00\x00\x01\xc0\x00", then=Peer.fin),
            r"it closed the connection after b'\\xc0\\x00', where the address and the port that it connects "
            r"from were expected \(6 bytes\)",
        ),
        (None, saying(b"", then=Peer.rst), "the connection broke: .*reset"),
        (None, saying(b"\x05\x00", b"", then=Peer.rst), "the connection broke: .*reset"),
    ],
)
def test_an_answer_that_makes_no_tunnel_is_an_error_that_says_what_was_expected_and_what_came(
    credentials: Credentials | None, script: Script, why: str
) -> None:
    with ScriptedServer(script) as proxy, no_socket_left():
        with pytest.raises(TunnelError) as caught:
            dial(far_end(to(proxy, credentials=credentials)))
        place = rf"127\.0\.0\.1:{proxy.port}"
        why = why.format(login=f"socks5h://user:password@{place}$")
        assert caught.match(rf"^proxy socks5h://{place} made no tunnel to example\.com:443: {why}")
        error = caught.value
        assert (error.leg, error.reply, error.status) == ("tunnel", None, None)
        assert not is_worth_another_address(error)
        assert "geheim" not in f"{error} {error!r} {error.__cause__!r}"


RESOLVE_HERE = ": if it can't resolve the name, write socks5:// to have it resolved here"


@pytest.mark.parametrize("code", SENTENCES)
def test_a_refusal_names_proxy_and_far_end_and_says_why_and_what_may_help(code: int) -> None:
    """RFC 1928, section 6."""
    remedy = RESOLVE_HERE if code in (1, 4, 8) else ""
    with SocksServer(refusals={FAR: code}) as proxy, no_socket_left():
        with pytest.raises(TunnelError) as caught:
            dial(far_end(to(proxy)))
        copy = pickle.loads(pickle.dumps(caught.value))
        for error in (caught.value, copy):
            assert (
                str(error) == f"proxy socks5h://127.0.0.1:{proxy.port} refused a tunnel to example.com:443: "
                f"{SENTENCES[code]} (reply {code}){remedy}"
            )
            assert (error.leg, error.reply) == ("tunnel", code)
            assert is_worth_another_address(error) is (code in (3, 4, 5, 6, 8))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_refusal_of_an_address_speaks_of_no_name(host: str) -> None:
    with SocksServer(refusals={host: 4}) as proxy, no_socket_left():
        with pytest.raises(TunnelError, match=r":443: the host can't be reached \(reply 4\)$"):
            dial(far_end(to(proxy), host))


def test_a_proxy_that_is_not_there_is_an_error_of_the_proxy() -> None:
    with closed_port() as port, no_socket_left():
        with pytest.raises(ProxyError, match="the proxy can't be reached") as caught:
            dial(far_end(Proxy("socks5h", "127.0.0.1", port)))
        assert caught.value.leg == "proxy"


def timed_out_in_tunnel(attempt: Callable[[float], object]) -> RequestException:
    """The error of an attempt whose limit struck where it should, and not ahead of the tunnel."""
    for limit in growing(A_WHILE):
        with pytest.raises(RequestException) as caught:
            attempt(limit)
        assert isinstance(caught.value, TimeoutError)
        if caught.value.leg == "tunnel":
            break
    return caught.value


@pytest.mark.parametrize(
    ("script", "credentials"),
    [
        (saying(), USER),
        (saying(b"\x05\x00"), USER),
        (saying(b"\x05\x02"), USER),
        (saying(b"\x05\x02", b"\x01\x00"), USER),
        (saying(b"\x05\x00", b"\x05\x00\x00\x01\x7f"), None),
    ],
    ids=["greeting", "command", "login", "command after login", "half a reply"],
)
def test_a_proxy_that_falls_silent_at_any_stage_ends_at_the_connect_timeout(
    script: Script, credentials: Credentials | None
) -> None:
    """T1."""
    with ScriptedServer(script) as proxy, no_socket_left():
        far = far_end(to(proxy, credentials=credentials))
        error = timed_out_in_tunnel(lambda limit: dial(far, Timeout(connect=limit, read=NEVER)))
        assert isinstance(error, ConnectTimeout)
        doing = rf"asking for the tunnel to https://{FAR}:443 through proxy socks5h://127\.0\.0\.1:"
        assert re.search(rf"{doing}.*connect timeout of [0-9.]+ s", str(error)), str(error)


def test_a_silent_proxy_ends_at_the_total_too() -> None:
    """T1."""
    with ScriptedServer(saying()) as proxy, no_socket_left():
        error = timed_out_in_tunnel(
            lambda limit: dial(far_end(to(proxy)), Timeout(connect=NEVER, total=limit))
        )
        assert isinstance(error, TotalTimeout)
        assert "asking for the tunnel" in str(error)


def dripping(peer: Peer) -> None:
    peer.read_some()
    peer.send(b"\x05\x00")
    peer.read_some()
    peer.send(b"\x05\x00\x00\x03\xff")
    while peer.try_send(b"x"):
        threading.Event().wait(A_WHILE / 10)


def test_no_byte_puts_the_connect_timeout_off() -> None:
    """T1: one clock over all of it; each of the bytes of that name comes well within the limit."""
    with ScriptedServer(dripping) as proxy, no_socket_left():
        error = timed_out_in_tunnel(lambda limit: dial(far_end(to(proxy)), Timeout(connect=limit)))
        assert isinstance(error, ConnectTimeout)


def test_a_proxy_that_drips_within_the_clock_makes_a_tunnel() -> None:
    with (
        ScriptedServer(keep_alive(ok)) as origin,
        SocksServer({(FAR, 80): origin.address}, credentials=USER, bound=FROM_NAME, every=0.001) as proxy,
    ):
        with dial(plain(to(proxy, credentials=USER))) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "answer", [b"\x05\x00", b"\x05\x01", b"\x05\xff", b"\x04\x02", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_no_proxy_gets_the_password_that_has_not_asked_for_it_and_been_offered_it(answer: bytes) -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        got.append(peer.read_some())
        peer.send(answer)
        got.append(peer.read_some())

    with ScriptedServer(script) as proxy, no_socket_left():
        with pytest.raises(TunnelError):
            dial(far_end(to(proxy, credentials=USER)))
        proxy.wait_for_scripts()
    assert got == [GREETING_WITH_LOGIN, TO_FAR if answer == b"\x05\x00" else b""]


# --- whom the proxy is told of


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("192.0.2.1", Asked(IPV4, "192.0.2.1", 80)),
        ("2001:db8::1", Asked(IPV6, "2001:db8::1", 80)),
    ],
)
def test_an_address_is_resolved_by_nobody(scheme: str, host: str, asked: Asked) -> None:
    resolver = Resolver()
    with ScriptedServer(keep_alive(ok)) as origin, SocksServer({(host, 80): origin.address}) as proxy:
        dial(plain(to(proxy, scheme), host), resolver=resolver).close()
    assert (resolver.names, proxy.asked) == ([], [asked])


def test_socks5h_has_the_name_resolved_by_the_proxy() -> None:
    resolver = Resolver()
    with ScriptedServer(keep_alive(ok)) as origin, SocksServer({(FAR, 80): origin.address}) as proxy:
        dial(plain(to(proxy, "socks5h")), resolver=resolver).close()
    assert (resolver.names, proxy.asked) == ([], [Asked(NAME, FAR, 80)])


@pytest.mark.parametrize(
    ("address", "asked"),
    [("192.0.2.1", Asked(IPV4, "192.0.2.1", 80)), ("2001:db8::1", Asked(IPV6, "2001:db8::1", 80))],
)
def test_socks5_has_the_name_resolved_here(address: str, asked: Asked) -> None:
    resolver = Resolver(address)
    with ScriptedServer(keep_alive(ok)) as origin, SocksServer({(address, 80): origin.address}) as proxy:
        dial(plain(to(proxy, "socks5")), resolver=resolver).close()
    assert (resolver.names, proxy.asked) == ([FAR], [asked])


@pytest.mark.parametrize("code", [3, 4, 5, 6, 8])
def test_where_the_proxy_does_not_get_to_one_address_it_is_asked_for_the_next(code: int) -> None:
    """Each on a connection of its own: RFC 1928, section 6, ends the one with the refusal."""
    resolver = Resolver("192.0.2.1", "192.0.2.2", "192.0.2.3")
    with (
        ScriptedServer(keep_alive(ok)) as origin,
        SocksServer(
            {("192.0.2.3", 80): origin.address}, refusals={"192.0.2.1": code, "192.0.2.2": code}
        ) as proxy,
        no_socket_left(),
    ):
        with dial(plain(to(proxy, "socks5")), resolver=resolver) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert [asked.host for asked in proxy.asked] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
        assert (resolver.names, proxy.accepted) == ([FAR], 3)


@pytest.mark.parametrize("code", [1, 2, 7, 9])
def test_where_the_proxy_would_say_the_same_of_any_address_no_other_is_asked_for(code: int) -> None:
    resolver = Resolver("192.0.2.1", "192.0.2.2")
    with SocksServer(refusals={"192.0.2.1": code}) as proxy, no_socket_left():
        with pytest.raises(TunnelError, match=rf"to example\.com:443 at 192\.0\.2\.1: .*\(reply {code}\)$"):
            dial(far_end(to(proxy, "socks5")), resolver=resolver)
        assert [asked.host for asked in proxy.asked] == ["192.0.2.1"]


def test_where_the_proxy_gets_to_no_address_the_error_names_each_and_what_may_help() -> None:
    resolver = Resolver("192.0.2.1", "2001:db8::1")
    with SocksServer(refusals={"192.0.2.1": 5, "2001:db8::1": 8}) as proxy, no_socket_left():
        with pytest.raises(TunnelError) as caught:
            dial(far_end(to(proxy, "socks5")), resolver=resolver)
        assert caught.match(r"example\.com:443 at 192\.0\.2\.1: the far end refused the connection")
        assert caught.match(r"example\.com:443 at 2001:db8::1: it does not take this type of address")
        assert caught.match(r"if it knows a better address, write socks5h:// to have it resolve the name")


def test_a_name_that_socks5_finds_no_address_for_is_an_error_of_the_name_and_the_proxy_is_not_asked() -> None:
    with SocksServer() as proxy, no_socket_left():
        with pytest.raises(NameResolutionError, match=rf"'{FAR}' has no address"):
            dial(far_end(to(proxy, "socks5")), resolver=Resolver())
        assert proxy.accepted == 0


# --- Sessions


@pytest.fixture
def origin() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(ok)) as server:
        yield server


@pytest.fixture
def tls_origin(tls_context: ssl.SSLContext) -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(ok), tls=tls_context) as server:
        yield server


@pytest.fixture
def proxy(origin: ScriptedServer, tls_origin: ScriptedServer) -> Iterator[SocksServer]:
    with SocksServer({(FAR, 80): origin.address, (FAR, 443): tls_origin.address}) as server:
        yield server


def all_through(proxy: SocksServer, scheme: str = "socks5h", userinfo: str = "") -> dict[str, str | None]:
    return {"all": proxy.proxy_url(scheme, userinfo)}


def test_one_tunnel_serves_request_after_request_over_http_and_https(
    origin: ScriptedServer, tls_origin: ScriptedServer, proxy: SocksServer, ca_file: str
) -> None:
    """R1."""
    with no_socket_left():
        with Session(proxies=all_through(proxy), verify=ca_file) as session:
            for scheme in ("http", "https", "http", "https"):
                assert session.get(f"{scheme}://{FAR}/path").text == "ok"
    assert proxy.asked == [Asked(NAME, FAR, 80), Asked(NAME, FAR, 443)]
    assert (origin.accepted, tls_origin.accepted) == (1, 1)
    assert proxy.greetings == [b"\x00", b"\x00"]


def test_the_origin_sees_nothing_of_the_proxy(origin: ScriptedServer, proxy: SocksServer) -> None:
    """The proxy law: its credentials are for it alone. The target is in origin form (RFC 9112, 3.2.1)."""
    with Session(proxies=all_through(proxy)) as session:
        session.get(f"http://{FAR}/a?b=c", headers={"Proxy-Authorization": "Basic Z2VoZWlt"})
    with ScriptedServer(keep_alive(ok)) as direct, Session() as session:
        session.get(f"http://{direct.host}:{direct.port}/a?b=c")
    (seen,), (expected,) = origin.requests, direct.requests
    assert (seen.method, seen.target, seen.header("Host")) == ("GET", "/a?b=c", FAR)
    assert [name for name, _ in seen.headers] == [name for name, _ in expected.headers]
    assert b"geheim" not in seen.raw
    assert b"Z2VoZWlt" not in seen.raw


@pytest.mark.parametrize(
    ("userinfo", "credentials"),
    [
        ("user:geheim@", USER),
        ("us%40er:ge%3Ah%2Feim%25@", (b"us@er", b"ge:h/eim%")),
        ("us\u00e9r:geh%C3%A9im@", ("us\u00e9r".encode(), "geh\u00e9im".encode())),
        ("us%3Aer:geheim@", (b"us:er", b"geheim")),
        (f"user:{'x' * 255}@", (b"user", LONGEST)),
    ],
)
@pytest.mark.parametrize("login_version", [1, 5])
def test_user_and_password_of_the_url_are_shown_to_the_proxy(
    origin: ScriptedServer, userinfo: str, credentials: Credentials, login_version: int
) -> None:
    with (
        SocksServer(
            {(FAR, 80): origin.address}, credentials=credentials, login_version=login_version
        ) as proxy,
        Session(proxies=all_through(proxy, userinfo=userinfo)) as session,
    ):
        assert session.get(f"http://{FAR}/").text == "ok"
        assert session.get(f"http://{FAR}/").text == "ok"
    assert proxy.greetings == [b"\x00\x02"]
    assert proxy.logins == [credentials]


def test_a_wrong_password_is_an_error_and_is_shown_nowhere(origin: ScriptedServer) -> None:
    with (
        SocksServer({(FAR, 80): origin.address}, credentials=USER) as proxy,
        Session(proxies=all_through(proxy, userinfo="user:falsch@")) as session,
        no_socket_left(),
    ):
        with pytest.raises(TunnelError, match="it does not take the credentials") as caught:
            session.get(f"http://{FAR}/")
        session.close()
        assert proxy.logins == [(b"user", b"falsch")]
        shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {session!r}"
        assert "falsch" not in shown


def test_a_missing_password_is_an_error_that_says_how_to_give_one() -> None:
    with SocksServer(credentials=USER) as proxy, Session(proxies=all_through(proxy)) as session:
        with pytest.raises(TunnelError, match=rf" socks5h://user:password@127\.0\.0\.1:{proxy.port} "):
            session.get(f"http://{FAR}/")


@pytest.mark.parametrize("userinfo", ["user@", "user:@", ":geheim@", f"user:{'geheim' * 43}@"])
def test_credentials_of_a_url_for_which_there_is_no_room_are_refused_and_not_shown(userinfo: str) -> None:
    """X7; RFC 1929, section 2."""
    got: list[bytes] = []
    with ScriptedServer(lambda peer: got.append(peer.read_until_eof())) as proxy, no_socket_left():
        with Session(proxies={"all": f"socks5h://{userinfo}{proxy.host}:{proxy.port}"}) as session:
            with pytest.raises(InvalidProxyURL, match="1 to 255: write both or none") as caught:
                session.get(f"http://{FAR}/")
        proxy.wait_for_scripts()
        assert "geheim" not in str(caught.value)
    assert b"".join(got) == b""


def test_other_credentials_are_another_tunnel(origin: ScriptedServer, proxy: SocksServer) -> None:
    """R1."""
    with Session() as session:
        for user in ("one", "two", "one"):
            session.get(f"http://{FAR}/", proxies=all_through(proxy, userinfo=f"{user}:x@"))
    assert (proxy.accepted, origin.accepted) == (2, 2)


def test_a_tunnel_a_proxy_of_http_and_no_proxy_never_share_a_connection(
    origin: ScriptedServer, proxy: SocksServer
) -> None:
    """R1."""
    url = f"http://{origin.host}:{origin.port}/"
    with ProxyServer() as other, Session() as session:
        ways: list[dict[str, str | None]] = [
            all_through(proxy),
            all_through(proxy, "socks5"),
            {"all": f"http://{other.host}:{other.port}"},
            {},
        ]
        for proxies in ways * 2:
            assert session.get(url, proxies=proxies).text == "ok"
    assert (proxy.accepted, other.accepted) == (2, 1)


def test_socks5_resolves_here_and_socks5h_there(
    origin: ScriptedServer, tls_origin: ScriptedServer, ca_file: str
) -> None:
    """The law on proxies. The certificate is held against the name either way (S3)."""
    resolver = Resolver("192.0.2.7")
    origins = {("192.0.2.7", 80): origin.address, ("192.0.2.7", 443): tls_origin.address}
    origins[FAR, 443] = tls_origin.address
    with SocksServer(origins) as proxy, Session(resolver=resolver, verify=ca_file) as session:
        for scheme in ("http", "https", "http", "https"):
            session.get(f"{scheme}://{FAR}/", proxies=all_through(proxy, "socks5"))
        assert resolver.names == [FAR, FAR]
        session.get(f"https://{FAR}/", proxies=all_through(proxy, "socks5h"))
        assert resolver.names == [FAR, FAR]
    assert proxy.asked == [Asked(IPV4, "192.0.2.7", 80), Asked(IPV4, "192.0.2.7", 443), Asked(NAME, FAR, 443)]
    assert origin.requests[0].header("Host") == FAR


def test_a_session_gets_through_by_the_second_address_where_the_proxy_refuses_the_first(
    tls_origin: ScriptedServer, ca_file: str
) -> None:
    resolver = Resolver("2001:db8::1", "192.0.2.2")
    with (
        SocksServer({("192.0.2.2", 443): tls_origin.address}, refusals={"2001:db8::1": 8}) as proxy,
        no_socket_left(),
    ):
        with Session(resolver=resolver, verify=ca_file, proxies=all_through(proxy, "socks5")) as session:
            for _ in range(2):
                assert session.get(f"https://{FAR}/").text == "ok"
        assert [asked.host for asked in proxy.asked] == ["2001:db8::1", "192.0.2.2"]


def test_each_hop_of_a_redirect_goes_by_the_proxy_of_its_scheme(
    proxy: SocksServer, tls_origin: ScriptedServer, ca_file: str
) -> None:
    """The law on proxies."""
    moved = respond(b"", status=302, headers=[("Location", f"https://{FAR}/end")])
    with (
        ScriptedServer(keep_alive(lambda _: moved)) as first,
        SocksServer({(FAR, 80): first.address}, credentials=USER) as other,
        Session(verify=ca_file) as session,
    ):
        session.proxies = {
            "http": other.proxy_url(userinfo="user:geheim@"),
            "https": proxy.proxy_url(userinfo="another:word@"),
        }
        assert session.get(f"http://{FAR}/").text == "ok"
    assert (other.asked, proxy.asked) == ([Asked(NAME, FAR, 80)], [Asked(NAME, FAR, 443)])
    assert (other.logins, proxy.logins) == ([USER], [])
    assert tls_origin.requests[0].target == "/end"


@pytest.mark.parametrize("variable", ["all_proxy", "ALL_PROXY", "http_proxy"])
def test_the_environment_names_a_socks_proxy_too(
    proxy: SocksServer, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.proxy_url())
    with Session() as session:
        assert session.get(f"http://{FAR}/").text == "ok"
    assert proxy.asked == [Asked(NAME, FAR, 80)]


def test_a_tunnel_that_was_closed_while_it_was_idle_is_replaced_unnoticed() -> None:
    """R4."""

    def answers_once(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok"))

    with ScriptedServer(answers_once) as origin, SocksServer({(FAR, 80): origin.address}) as proxy:
        with Session(proxies=all_through(proxy)) as session:
            for _ in range(3):
                assert session.get(f"http://{FAR}/").text == "ok"
                proxy.wait_for_open(0)
    assert len(proxy.asked) == 3


def test_an_answer_that_comes_in_one_piece_with_the_reply_is_the_origins() -> None:
    """Such as a 503 of a server that is full, and says so to whoever connects."""
    early = respond(b"full", status=503, headers={"Connection": "close"})
    with ScriptedServer(lambda peer: peer.stall()) as origin:
        with SocksServer({(FAR, 80): origin.address}, behind=early) as proxy:
            with Session(proxies=all_through(proxy)) as session:
                response = session.get(f"http://{FAR}/")
                assert (response.status_code, response.text) == (503, "full")


def test_a_socks_proxy_on_ipv6_serves_too(origin: ScriptedServer) -> None:
    with SocksServer({(FAR, 80): origin.address}, host="::1", bound=FROM_IPV6) as proxy:
        with Session(proxies=all_through(proxy)) as session:
            assert session.get(f"http://{FAR}/").text == "ok"


@pytest.mark.parametrize("url", [f"http://{FAR}/", f"https://{FAR}/"])
def test_a_silent_proxy_ends_at_the_timeouts_of_the_call(url: str) -> None:
    """T1."""
    with ScriptedServer(saying(b"\x05\x00")) as proxy, no_socket_left():
        with Session(proxies={"all": f"socks5h://{proxy.host}:{proxy.port}"}) as session:
            error = timed_out_in_tunnel(lambda limit: session.get(url, timeout=(limit, NEVER)))
            assert isinstance(error, ConnectTimeout)
            assert error.request.url == url
            total = timed_out_in_tunnel(
                lambda limit: session.get(url, timeout=Timeout(connect=NEVER, total=limit))
            )
            assert isinstance(total, TotalTimeout)


@pytest.mark.parametrize("script", [saying(b"\x05\xff"), saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")])
def test_every_failure_of_the_tunnel_is_a_proxy_error_with_its_request(script: Script) -> None:
    """Every error derives from RequestException, and carries `request`."""
    with ScriptedServer(script) as proxy, no_socket_left():
        with Session(proxies={"all": f"socks5h://{proxy.host}:{proxy.port}"}) as session:
            with pytest.raises(ProxyError) as caught:
                session.get(f"http://{FAR}/")
    assert isinstance(caught.value, RequestException)
    assert caught.value.request.url == f"http://{FAR}/"
