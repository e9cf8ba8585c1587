"""How sockets are made: options and keep-alive probes (law X1), local addresses (R1), what resolvers may say,
and which leg of a direct connection failed (T1, T2, T3)."""

from __future__ import annotations

import _thread
import contextlib
import copy
import ctypes
import errno
import ipaddress
import itertools
import os
import pickle
import select
import socket
import ssl
import struct
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pystickyhttp import ConnectionError, NameResolutionError, Session, SSLError
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.exceptions import (
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HandshakeLost,
    IncompleteBody,
    ProxyError,
    RequestException,
)
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import (
    Address,
    ConnectionPool,
    Dialer,
    KeepAlive,
    OutgoingRequest,
    Proxy,
    Route,
    SocketSettings,
    sockets,
)
from pystickyhttp.transport.dial import _peer_of
from pystickyhttp.transport.sockets import (
    DEFAULT_KEEPALIVE,
    MAX_ADDRESSES,
    addresses_of,
    connect_failure,
    literal,
    local_address_of,
)
from tests.patience import growing
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import BlackHole, Peer, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left

# Long enough that it would fail the test by its own timeout, were it waited for.
NEVER = 1000.0
SHORT = 0.1
# An address of the documentation (RFC 5737), which no machine has.
NOBODYS = "203.0.113.77"

answering = keep_alive(lambda _: respond(b"ok"))


def stalling(peer: Peer) -> None:
    peer.stall()


def dialled(
    route: Route, *options: Any, keepalive: KeepAlive | None = DEFAULT_KEEPALIVE, resolver: Any = None
) -> socket.socket:
    """A connected socket, made with these options."""
    return connected(Dialer(resolver, SocketSettings(options, keepalive)), route)


def connected(dialer: Dialer, route: Route) -> socket.socket:
    sock = dialer.dial(route, Timeout().start())
    assert isinstance(sock, socket.socket), "there is no TLS within TLS here"
    return sock


def route_to(server: ScriptedServer, local_address: tuple[str, int] | None = None) -> Route:
    return Route("http", server.host, server.port, local_address=local_address)


def at(*addresses: Address) -> Callable[[str, int], list[Address]]:
    return lambda host, port: list(addresses)


def v4(port: int, host: str = "127.0.0.1") -> Address:
    return Address(socket.AF_INET, (host, port))


def v6(port: int) -> Address:
    return Address(socket.AF_INET6, ("::1", port, 0, 0))


def probes(sock: socket.socket) -> tuple[int, int, int]:
    """What the system says of a socket's keep-alive probes: idle, interval, count."""
    idle = getattr(socket, "TCP_KEEPIDLE", None) or socket.TCP_KEEPALIVE  # type: ignore[attr-defined]
    names = (idle, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    found = (sock.getsockopt(socket.IPPROTO_TCP, name) for name in names)
    return next(found), next(found), next(found)


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    """One of each family."""
    with ScriptedServer(stalling, host=request.param) as running:
        yield running


# --- X1: options and probes


def test_a_socket_sends_at_once_and_asks_a_silent_peer_whether_it_is_there(server: ScriptedServer) -> None:
    """X1."""
    with dialled(route_to(server)) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert probes(sock) == (60, 15, 4)


def test_by_default_a_vanished_peer_is_found_out_in_two_minutes() -> None:
    """X1: and nothing in between forgets a connection that is asked about every minute."""
    default = KeepAlive()
    assert default.idle + default.interval * default.count == 120
    assert default.idle == 60


def test_the_probes_are_as_they_are_asked_for(server: ScriptedServer) -> None:
    with dialled(route_to(server), keepalive=KeepAlive(idle=7, interval=3, count=2)) as sock:
        assert probes(sock) == (7, 3, 2)


def test_without_keepalive_there_are_no_probes(server: ScriptedServer) -> None:
    with dialled(route_to(server), keepalive=None) as sock:
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"idle": 0}, ValueError, "idle is 0: give a whole number from 1 to 32767"),
        ({"idle": 32768}, ValueError, "idle is 32768: give a whole number from 1 to 32767"),
        ({"interval": -1}, ValueError, "interval is -1"),
        ({"count": 128}, ValueError, "count is 128: give a whole number from 1 to 127"),
        ({"idle": 60.0}, TypeError, "idle is 60.0: give a whole number"),
        ({"interval": "15"}, TypeError, "interval is '15'"),
        ({"count": True}, TypeError, "count is True"),
        ({"count": None}, TypeError, "count is None"),
    ],
)
def test_probes_that_no_system_takes_are_told_at_once(
    settings: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        KeepAlive(**settings)


def test_the_greatest_probes_that_are_allowed_are_those_that_the_system_takes(server: ScriptedServer) -> None:
    with dialled(route_to(server), keepalive=KeepAlive(32767, 32767, 127)) as sock:
        assert probes(sock) == (32767, 32767, 127)


@pytest.mark.parametrize("keepalive", [True, False, 60, (60, 15, 4), {"idle": 60}])
def test_what_is_no_keepalive_is_told_at_once(keepalive: Any) -> None:
    with pytest.raises(TypeError, match=r"keepalive is .*give KeepAlive\(.*or None for no probes"):
        HTTPAdapter(keepalive=keepalive)


def test_options_win_over_our_own_and_later_ones_over_earlier_ones(server: ScriptedServer) -> None:
    no_delay = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    counts = [(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, number) for number in (9, 8)]
    with dialled(route_to(server), no_delay, *counts) as sock:
        assert not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert probes(sock) == (60, 15, 8)


def test_a_receive_buffer_is_as_great_as_the_system_makes_it_of_the_number(server: ScriptedServer) -> None:
    option = (socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    with socket.socket() as other, dialled(route_to(server), option) as sock:
        other.setsockopt(*option)
        expected = other.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == expected


def test_the_longest_time_without_an_acknowledgement_can_be_bounded(server: ScriptedServer) -> None:
    with dialled(route_to(server), (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000)) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000


def test_an_option_may_be_bytes(server: ScriptedServer) -> None:
    linger = struct.pack("ii", 1, 3)
    for value in (linger, bytearray(linger), memoryview(linger)):
        with dialled(route_to(server), (socket.SOL_SOCKET, socket.SO_LINGER, value)) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(linger)) == linger


def test_a_socket_can_be_bound_to_a_network_interface(server: ScriptedServer) -> None:
    with dialled(route_to(server), (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo\0"


def test_options_of_both_families_may_be_given_together() -> None:
    """T3: a host has addresses of both."""
    both = [
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 8),
        (socket.IPPROTO_IP, socket.IP_TOS, 8),
    ]
    with ScriptedServer(stalling) as four, ScriptedServer(stalling, host="::1") as six:
        with dialled(route_to(four), *both) as sock:
            assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 8
        with dialled(route_to(six), *both) as sock:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 8


def test_a_unix_socket_has_the_options_that_are_for_any_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        options = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_PASSCRED, 1),
        ]
        route = Route("http", "a", 80, unix_socket=path, local_address=("127.0.0.2", 0))
        with dialled(route, *options) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"nowhere"),
            r"\(SOL_SOCKET, SO_BINDTODEVICE, b'nowhere'\) can't be set: No such device",
        ),
        ((socket.IPPROTO_TCP, 9999, 1), r"\(IPPROTO_TCP, 9999, 1\) can't be set: Protocol not available"),
        ((9999, 1, 2), r"\(9999, 1, 2\) can't be set: Protocol not available"),
        ((socket.SOL_SOCKET, socket.SO_DEBUG, None, 4), r"\(SOL_SOCKET, SO_DEBUG, None, 4\) can't be set"),
        ((socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 0), r"\(IPPROTO_TCP, TCP_KEEPCNT, 0\) can't be set"),
        ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, b"x"), r"\(SOL_SOCKET, SO_KEEPALIVE, b'x'\) can't be set"),
    ],
)
def test_an_option_that_can_not_be_set_is_an_error_that_names_it(option: Any, message: str) -> None:
    with ScriptedServer([]) as server, no_socket_left():
        with pytest.raises(ConnectError, match=message + r".*correct it in socket_options=") as caught:
            dialled(route_to(server), option)
        assert caught.value.leg == "tcp"
        assert server.accepted == 0


def test_a_long_value_may_be_a_key_and_is_in_no_message() -> None:
    """TCP_MD5SIG of Linux, RFC 2385: a structure with a password in it."""
    options = [(socket.IPPROTO_TCP, 9999, b"secret password.")]
    with ScriptedServer([]) as server:
        with pytest.raises(ConnectError, match=r"\(IPPROTO_TCP, 9999, <16 bytes>\)") as caught:
            dialled(route_to(server), *options)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(SocketSettings(options))
    assert "secret" not in repr(HTTPAdapter(socket_options=options))


@pytest.mark.parametrize(
    "options",
    [
        None,
        5,
        "SO_KEEPALIVE",
        b"\1\2\3",
        (1, 9, 1),  # one, where a list of them is due
        [(1, 9)],
        [(1, 9, 1, 1, 1)],
        [(1, 9, "lo")],
        [(1, 9, 1.0)],
        [(1, 9, None)],
        [(1, 9, b"lo", 3)],
        [("SOL_SOCKET", 9, 1)],
        [{1: 9}],
    ],
)
def test_options_of_another_shape_are_told_at_once(options: Any) -> None:
    with pytest.raises(TypeError, match=r"socket_options .*give a list of \(level, name, value\)"):
        HTTPAdapter(socket_options=options)


@pytest.mark.parametrize("option", [(1, 36, 2**32 - 1), (2**31, 9, 1), (1, -(2**31) - 1, 1)])
def test_a_number_that_the_system_can_not_take_is_told_at_once(option: Any) -> None:
    with pytest.raises(ValueError, match=r"is no C int.*by struct\.pack"):
        HTTPAdapter(socket_options=[option])


@pytest.mark.parametrize(
    "options",
    [
        [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),),
        [[socket.SOL_SOCKET, socket.SO_KEEPALIVE, True]],
        iter([(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]),
    ],
)
def test_settings_are_equal_hash_and_pickle_whatever_their_options_came_in(options: Any) -> None:
    """L4."""
    settings = SocketSettings(options, KeepAlive(idle=7))
    same = SocketSettings([(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)], KeepAlive(idle=7))
    assert settings == same
    assert hash(settings) == hash(same)
    for made in (pickle.loads(pickle.dumps(settings)), copy.deepcopy(settings)):
        assert made == settings
        assert hash(made) == hash(settings)


def test_bytes_that_change_afterwards_do_not_change_the_settings() -> None:
    value = bytearray(b"lo")
    settings = SocketSettings([(socket.SOL_SOCKET, 25, value)])  # type: ignore[list-item]
    value[:] = b"xx"
    assert settings == SocketSettings([(socket.SOL_SOCKET, 25, b"lo")])


def test_settings_show_their_options_by_name() -> None:
    settings = SocketSettings(
        [(socket.SOL_SOCKET, socket.SO_DEBUG, 1), (socket.IPPROTO_IP, socket.IP_TOS, 8)]
    )
    assert repr(settings) == (
        "SocketSettings(options=[(SOL_SOCKET, SO_DEBUG, 1), (IPPROTO_IP, IP_TOS, 8)], "
        "keepalive=KeepAlive(idle=60, interval=15, count=4))"
    )


# --- a peer that vanishes


def goes_deaf(peer: Peer) -> None:
    """From here on nothing reaches the server: the system drops it, and acknowledges nothing.

    To the client that is as if the machine had lost its power, or the way to it were cut.
    """
    # A program of the socket filter with one instruction, "take none of it" (linux/filter.h).
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    attach_filter = 26
    peer._socket.setsockopt(socket.SOL_SOCKET, attach_filter, struct.pack("HL", 1, ctypes.addressof(program)))


def vanishes_before_the_answer(peer: Peer) -> None:
    peer.expect_request()
    goes_deaf(peer)
    peer.stall()


def vanishes_amid_the_body(peer: Peer) -> None:
    peer.expect_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    goes_deaf(peer)
    peer.stall()


def vanishes_amid_the_request(peer: Peer) -> None:
    peer.read_head()
    goes_deaf(peer)
    peer.stall()


QUICK_PROBES = KeepAlive(idle=1, interval=1, count=1)


VANISHING: list[tuple[Callable[[Peer], None], type[Exception], float | None]] = [
    (vanishes_before_the_answer, ConnectionLost, NEVER),
    (vanishes_amid_the_body, IncompleteBody, None),
]


@pytest.mark.slow
def test_a_peer_that_vanishes_while_it_is_waited_for_is_found_out_by_the_probes(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """X1: and that the connection is lost is no timeout of ours.

    The system takes some seconds over its quickest probes: all are waited for at the same time.
    """

    def losing(
        script: Callable[[Peer], None], timeout: float | None, tls: ssl.SSLContext | None
    ) -> Exception:
        with ScriptedServer(script, tls=tls) as server, Session() as session:
            session.mount(server.url(), HTTPAdapter(keepalive=QUICK_PROBES))
            with pytest.raises(RequestException) as caught:
                session.get(server.url(), timeout=timeout, verify=ca_file)
            return caught.value

    cases = list(itertools.product(VANISHING, (None, tls_context)))
    with no_socket_left(), ThreadPoolExecutor(len(cases)) as threads:
        losses = [threads.submit(losing, script, timeout, tls) for (script, _, timeout), tls in cases]
    for ((_, error, _), tls), loss in zip(cases, losses, strict=True):
        assert isinstance(loss.result(), error)
        assert not isinstance(loss.result(), TimeoutError)
        # Older versions of Python take every error beneath TLS for an end (CPython's issue 115627).
        assert tls is not None or "Connection timed out" in str(loss.result())


@pytest.mark.slow
def test_a_peer_that_vanishes_amid_the_handshake_is_found_out_by_the_probes() -> None:
    """X1: and that the connection is lost is no timeout of ours."""

    def vanishes(peer: Peer) -> None:
        peer.read_some()
        goes_deaf(peer)
        peer.stall()

    with no_socket_left(), ScriptedServer(vanishes) as server, Session() as session:
        session.mount("https://", HTTPAdapter(keepalive=QUICK_PROBES))
        with pytest.raises(HandshakeLost) as caught:
            session.get(server.url().replace("http", "https"), timeout=NEVER)
        assert not isinstance(caught.value, TimeoutError)
        assert caught.value.leg == "tls"


def test_a_peer_that_vanishes_while_it_is_sent_to_is_found_out_by_the_option_of_linux(
    tls: ssl.SSLContext | None, ca_file: str
) -> None:
    """TCP sends again for a quarter of an hour by default, and asks by no probes meanwhile."""
    option = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 200)
    with no_socket_left(), ScriptedServer(vanishes_amid_the_request, tls=tls) as server:
        with Session() as session:
            session.mount(server.url(), HTTPAdapter(socket_options=[option]))
            with pytest.raises(ConnectionLost) as caught:
                session.post(server.url(), data=b"x" * 50_000_000, timeout=NEVER, verify=ca_file)
            assert not isinstance(caught.value, TimeoutError)


@pytest.mark.slow
def test_a_pooled_connection_whose_peer_has_vanished_is_not_used_again() -> None:
    """R4: its end is there to be read once the probes have found it out."""

    def vanishes(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"first"))
        goes_deaf(peer)
        peer.stall()

    with no_socket_left(), ScriptedServer([vanishes, answering]) as server:
        pool = ConnectionPool(dialer=Dialer(settings=SocketSettings(keepalive=QUICK_PROBES)))
        route, request = route_to(server), OutgoingRequest.make("GET", "/", [(b"Host", b"a")])
        first = pool.send(route, request, Timeout().start())
        assert first._connection is not None
        idle = first._connection._socket
        assert first.read() == b"first"
        assert select.select([idle], [], [], 30)[0], "the probes have found it out"
        assert pool.send(route, request, Timeout(read=NEVER).start()).read() == b"ok"
        assert server.accepted == 2
        pool.close()


def refusing(monkeypatch: pytest.MonkeyPatch, option: int, code: int) -> None:
    """A system that refuses an option of TCP, as an old kernel or a sandbox may."""
    set_option = socket.socket.setsockopt

    def setsockopt(sock: socket.socket, level: int, name: int, *value: Any) -> None:
        if (level, name) == (socket.IPPROTO_TCP, option):
            raise OSError(code, os.strerror(code))
        set_option(sock, level, name, *value)

    monkeypatch.setattr(socket.socket, "setsockopt", setsockopt)


def test_probes_that_the_system_does_not_know_are_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """X1: they are ours, and nobody asked for them; the switch for all of them is on all the same."""
    refusing(monkeypatch, socket.TCP_KEEPCNT, errno.ENOPROTOOPT)
    with ScriptedServer(stalling) as server, dialled(route_to(server), keepalive=KeepAlive(7, 8, 9)) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert probes(sock)[:2] == (7, 8)


def test_what_a_system_says_of_probes_that_it_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """X1: only that they are not known is passed over."""
    refusing(monkeypatch, socket.TCP_KEEPCNT, errno.EPERM)
    with ScriptedServer(stalling) as server, pytest.raises(ConnectError, match="Operation not permitted"):
        dialled(route_to(server))


def test_a_peer_that_is_so_near_that_it_connects_at_once_is_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """connect(2) need not say that it is in progress; some systems do not, on the loopback."""
    connect = socket.socket.connect_ex

    def connect_at_once(sock: socket.socket, address: Any) -> int:
        sock.setblocking(True)
        try:
            return connect(sock, address)
        finally:
            sock.setblocking(False)

    monkeypatch.setattr(socket.socket, "connect_ex", connect_at_once)
    with ScriptedServer(stalling) as server, no_socket_left(), dialled(route_to(server)) as sock:
        assert sock.getpeername() == server.address


def test_what_the_system_refuses_to_a_race_is_an_error_of_the_dial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a program has put a selector of its own in the place of the system's, it may need a file."""

    def no_selector() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("selectors.DefaultSelector", no_selector)
    with ScriptedServer([]) as server, no_socket_left():
        with pytest.raises(ConnectError, match=r"connecting to .* failed: Too many open files"):
            dialled(route_to(server))


def test_an_address_of_a_unix_socket_is_shown_as_its_path_and_one_that_is_gone_as_none() -> None:
    assert str(Address(socket.AF_UNIX, "/run/a.sock")) == "/run/a.sock"
    with socket.socket() as nowhere:
        assert _peer_of(nowhere) == "?"


# --- R1: local addresses


@contextlib.contextmanager
def free_local_port() -> Iterator[tuple[str, int]]:
    """An address and port that are ours to connect from, and that nobody else is given meanwhile."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.2", 0))
        yield holder.getsockname()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("192.0.2.1", ("192.0.2.1", 0)),
        (("192.0.2.1", 5000), ("192.0.2.1", 5000)),
        (["192.0.2.1", 0], ("192.0.2.1", 0)),
        ("2001:DB8:0::1", ("2001:db8::1", 0)),
        (("::", 65535), ("::", 65535)),
        ("fe80::1%eth0", ("fe80::1%eth0", 0)),
        (ipaddress.ip_address("192.0.2.1"), ("192.0.2.1", 0)),
        ((ipaddress.ip_address("::1"), 1), ("::1", 1)),
    ],
)
def test_a_local_address_is_an_ip_address_or_a_pair_of_one_and_a_port(given: Any, expected: Any) -> None:
    """R1: two spellings are the same one."""
    assert local_address_of(given) == expected


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("localhost", ValueError, "'localhost', which is no IP address: give an IP address of this machine"),
        ("eth0", ValueError, "give an IP address"),
        ("", ValueError, "give an IP address"),
        (("", 0), ValueError, "give an IP address"),
        ("192.0.2.1:80", ValueError, "a pair of one and a port"),
        ("192.0.2.0/24", ValueError, "give an IP address"),
        ("[::1]", ValueError, "give an IP address"),
        (("192.0.2.1", 65536), ValueError, "from 0, for any, to 65535"),
        (("192.0.2.1", -1), ValueError, "from 0"),
        (("192.0.2.1", "80"), TypeError, "its port has to be a whole number"),
        (("192.0.2.1", True), TypeError, "its port has to be a whole number"),
        (("192.0.2.1", 0, 0), TypeError, "give an IP address"),
        (5, TypeError, "give an IP address"),
        (b"\x7f\0\0\1", TypeError, "give an IP address"),
    ],
)
def test_a_local_address_of_no_use_is_told_at_once(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=r"local_address is .*" + message):
        HTTPAdapter(local_address=given)


class Callers:
    """A script that answers, and remembers from which local address each connection came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def __call__(self, peer: Peer) -> None:
        self.seen.append(peer._socket.getpeername()[:2])
        answering(peer)


def test_the_server_sees_the_local_address() -> None:
    callers = Callers()
    with ScriptedServer(callers) as server, Session() as session:
        for local in ("127.0.0.2", ("127.0.0.3", 0)):
            session.mount("http://", HTTPAdapter(local_address=local))
            assert session.get(server.url()).text == "ok"
    assert [host for host, _ in callers.seen] == ["127.0.0.2", "127.0.0.3"]


def test_a_local_address_may_be_of_ipv6() -> None:
    with ScriptedServer(stalling, host="::1") as server:
        with dialled(route_to(server, ("::1", 0))) as sock:
            assert sock.getsockname()[0] == "::1"


def test_a_local_port_is_the_one_that_is_given() -> None:
    callers = Callers()
    with free_local_port() as local, ScriptedServer(callers) as server, Session() as session:
        session.mount("http://", HTTPAdapter(local_address=local))
        assert session.get(server.url()).text == "ok"
    assert callers.seen == [local]


def test_a_subclass_may_set_it_by_the_name_that_urllib3_has_for_it() -> None:
    class Bound(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, source_address=("127.0.0.2", 0), **kwargs)

    callers = Callers()
    with ScriptedServer(callers) as server, Session() as session:
        session.mount("http://", Bound())
        assert session.get(server.url()).text == "ok"
    assert callers.seen[0][0] == "127.0.0.2"


def test_an_adapter_takes_its_settings_along_where_it_is_pickled() -> None:
    """L4."""
    made = HTTPAdapter(
        local_address="127.0.0.2",
        socket_options=iter([(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 9)]),
        keepalive=KeepAlive(idle=7),
    )
    callers = Callers()
    with ScriptedServer(callers) as server, ScriptedServer(stalling) as mute, Session() as session:
        for adapter in (made, pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
            session.mount("http://", adapter)
            assert session.get(server.url()).text == "ok"
            with connected(adapter.pool._dialer, route_to(mute)) as sock:
                assert probes(sock) == (7, 15, 9)
    assert [host for host, _ in callers.seen] == ["127.0.0.2"] * 3


def test_connections_from_different_local_addresses_are_never_shared() -> None:
    """R1."""
    callers = Callers()
    with ScriptedServer(callers) as server:
        pool = ConnectionPool()
        request = OutgoingRequest.make("GET", "/", [(b"Host", b"a")])
        locals_ = (("127.0.0.2", 0), ("127.0.0.3", 0), None, ("127.0.0.2", 0), ("127.0.0.3", 0), None)
        for local in locals_:
            pool.send(route_to(server, local), request, Timeout().start()).read()
        pool.close()
    assert [host for host, _ in callers.seen] == ["127.0.0.2", "127.0.0.3", "127.0.0.1"]


def test_with_a_proxy_the_local_address_is_that_of_the_leg_to_the_proxy(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """R1."""
    from_where: list[str] = []

    class Watching(ProxyServer):
        def _serve(self, peer: Peer) -> None:
            from_where.append(peer._socket.getpeername()[0])
            super()._serve(peer)

    with (
        ScriptedServer(answering) as plain,
        ScriptedServer(answering, tls=tls_context) as secure,
        Watching() as proxy,
        Session() as session,
    ):
        adapter = HTTPAdapter(local_address="127.0.0.2")
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        proxies = {"http": proxy.url(), "https": proxy.url()}
        for server in (plain, secure):
            assert session.get(server.url(), proxies=proxies, verify=ca_file).text == "ok"
    assert from_where == ["127.0.0.2", "127.0.0.2"]


@pytest.mark.parametrize(("local", "family"), [("127.0.0.2", 4), ("0.0.0.0", 4), ("::1", 6), ("::", 6)])
def test_only_addresses_of_the_local_addresss_family_are_tried(local: str, family: int) -> None:
    """T3: an attempt that can't succeed would only be a line in the error."""
    with ScriptedServer(stalling) as four, ScriptedServer(stalling, host="::1") as six:
        route = Route("http", "both.example", 80, local_address=(local, 0))
        with dialled(route, resolver=at(v6(six.port), v4(four.port))) as sock:
            assert sock.getpeername()[1] == {4: four.port, 6: six.port}[family]


@pytest.mark.parametrize(
    ("local", "addresses", "message"),
    [
        (
            "127.0.0.2",
            [v6(80)],
            r"address 127\.0\.0\.2 is of IPv4, and there are addresses of IPv6 alone \(\[::1\]:80\)",
        ),
        (
            "::1",
            [v4(80), v4(81)],
            r"address ::1 is of IPv6, and there are addresses of IPv4 alone "
            r"\(127\.0\.0\.1:80, 127\.0\.0\.1:81\)",
        ),
    ],
)
def test_where_none_is_of_its_family_the_error_names_both(
    local: str, addresses: list[Address], message: str
) -> None:
    with Session(resolver=at(*addresses)) as session, no_socket_left():
        session.mount("http://", HTTPAdapter(local_address=local, resolver=at(*addresses)))
        with pytest.raises(ConnectError, match=message + ": give a local_address of") as caught:
            session.get("http://other.example/")
        assert caught.value.leg == "tcp"


def test_a_local_address_that_this_machine_has_not_is_an_error_that_names_it() -> None:
    with ScriptedServer([]) as server, Session() as session, no_socket_left():
        session.mount("http://", HTTPAdapter(local_address=NOBODYS))
        message = rf"local address {NOBODYS} can't be used: Cannot assign .*: no network interface .* has it"
        with pytest.raises(ConnectError, match=message):
            session.get(server.url())
        assert server.accepted == 0


def test_a_local_address_of_a_zone_that_is_not_there_is_an_error_that_names_it() -> None:
    """It may well be there later, as that of a VPN: so it is looked up by each dial."""
    with ScriptedServer([], host="::1") as server, no_socket_left():
        with pytest.raises(ConnectError, match=r"fe80::1%nowhere can't be used: the zone 'nowhere' is no"):
            dialled(route_to(server, ("fe80::1%nowhere", 0)))


def test_a_link_local_address_without_its_zone_is_an_error_that_says_what_is_missing() -> None:
    """RFC 4007, section 6: without it nobody knows which interface is meant."""
    with ScriptedServer([], host="::1") as server, no_socket_left():
        with pytest.raises(ConnectError, match=r"local address fe80::1 can't be used: .*needs the zone"):
            dialled(route_to(server, ("fe80::1", 0)))


def test_a_local_port_that_somebody_listens_on_is_an_error_that_names_it() -> None:
    with ScriptedServer(stalling) as taken, ScriptedServer([]) as server, no_socket_left():
        message = rf"local address 127\.0\.0\.1:{taken.port} can't be used: .*in use: .*give port 0"
        with pytest.raises(ConnectError, match=message):
            dialled(route_to(server, ("127.0.0.1", taken.port)))


def test_that_a_local_address_has_no_port_left_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some 28 000 connections are all that an address can have where ports are not shared."""

    def bind(sock: socket.socket, address: Any) -> None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    with ScriptedServer([]) as server, no_socket_left():
        monkeypatch.setattr(socket.socket, "bind", bind)
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1 can't be used: .*in use: it has no port left"):
            dialled(route_to(server, ("127.0.0.1", 0)))


def test_a_local_address_that_is_a_name_is_never_looked_up() -> None:
    """T2: a Route is made by hand here; the adapter has told it before."""
    with ScriptedServer([]) as server, no_socket_left():
        with pytest.raises(ValueError, match=r"\('localhost', 0\), which is no IP address"):
            dialled(route_to(server, ("localhost", 0)))


def test_connections_to_different_servers_may_come_from_one_local_port() -> None:
    with free_local_port() as local, ScriptedServer(stalling) as one, ScriptedServer(stalling) as other:
        with dialled(route_to(one, local)) as first, dialled(route_to(other, local)) as second:
            assert first.getsockname() == second.getsockname() == local


def test_a_second_connection_to_one_server_from_one_local_port_is_an_error_that_says_why() -> None:
    """RFC 9293, section 3.3.1: both ends are the same, so the two could not be told apart."""
    with free_local_port() as local, ScriptedServer(stalling) as server:
        message = rf"from the local address 127\.0\.0\.2:{local[1]}, .* port 0"
        with dialled(route_to(server, local)):
            server.wait_for_connections(1)
            with no_socket_left(), pytest.raises(ConnectError, match=message):
                dialled(route_to(server, local))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_bind_to_any_port_does_not_take_the_port_away_from_other_servers(host: str) -> None:
    with ScriptedServer(stalling, host=host) as server, dialled(route_to(server, (host, 0))) as sock:
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT)
        assert sock.getsockname()[1] != 0


def test_the_error_of_a_connect_tells_from_which_local_address_it_was() -> None:
    with closed_port() as port, no_socket_left():
        message = rf"127\.0\.0\.1:{port}: Connection refused \(from the local address 127\.0\.0\.2\)"
        with pytest.raises(ConnectError, match=message):
            dialled(Route("http", "127.0.0.1", port, local_address=("127.0.0.2", 0)))


def test_a_failed_connect_is_explained_where_the_local_address_may_be_why() -> None:
    local = ("127.0.0.2", 0)
    assert "no port left" in str(connect_failure(errno.EADDRNOTAVAIL, local))
    assert "one connection to there" in str(connect_failure(errno.EADDRNOTAVAIL, ("127.0.0.2", 80)))
    assert str(connect_failure(errno.EADDRNOTAVAIL, None)) == str(
        OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    )
    for error in (connect_failure(errno.ECONNREFUSED, None), connect_failure(errno.ECONNREFUSED, local)):
        assert isinstance(error, ConnectionRefusedError)


# --- T2: what a resolver may say


def stream(address: Address, kind: int = socket.SOCK_STREAM) -> tuple[int, int, int, str, Any]:
    """An address as getaddrinfo tells it."""
    return address.family, kind, 0, "", address.sockaddr


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], []),
        ((), []),
        ([v4(8080)], [v4(8080)]),
        ((v6(8080), v4(8080)), [v6(8080), v4(8080)]),
        (["127.0.0.1", "::1"], [v4(80), v6(80)]),
        ([v4(8080), "::1", stream(v4(9090))], [v4(8080), v6(80), v4(9090)]),
        ([stream(v4(8080), kind) for kind in socket.SocketKind], [v4(8080)]),
        ([stream(v4(8080), 0)], [v4(8080)]),
        ({"127.0.0.1": "first"}, [v4(80)]),
        (iter(["127.0.0.1"]), [v4(80)]),
        (["2001:DB8:0::1"], [Address(socket.AF_INET6, ("2001:DB8:0::1", 80, 0, 0))]),
        ([Address(socket.AF_INET6, ("::1", 8080))], [v6(8080)]),
        (["127.0.0.1", "127.0.0.1"], [v4(80), v4(80)]),
    ],
)
def test_a_resolver_may_answer_with_addresses_with_text_or_as_getaddrinfo_does(
    answer: Any, expected: list[Address]
) -> None:
    assert addresses_of(answer, "some.example", 80) == expected


@pytest.mark.parametrize(
    ("answer", "error", "remedy"),
    [
        (None, TypeError, "a NoneType: give a list of Address"),
        (5, TypeError, "a int: give a list of Address"),
        ("127.0.0.1", TypeError, r"give it in a list, \['127\.0\.0\.1'\]"),
        (b"127.0.0.1", TypeError, "give it in a list"),
        (v4(80), TypeError, "give it in a list"),
        (
            stream(v4(80)),
            TypeError,
            r"give Address\(family, sockaddr\), an IP address as a str, or tuples as",
        ),
        ([b"127.0.0.1"], TypeError, "an IP address as a str"),
        ([("127.0.0.1", 80)], TypeError, r"give Address\(family, sockaddr\)"),
        ([None], TypeError, "a list that holds None"),
        (["other.example"], ValueError, "'other.example', which is no IP address: resolve names in it"),
        (["127.0.0.1:8080"], ValueError, "give another port than 80 by Address"),
        (["[::1]"], ValueError, "which is no IP address"),
        ([""], ValueError, "which is no IP address"),
        ([v4(80, "other.example")], ValueError, "with an IP address of that family"),
        ([v4(80, "")], ValueError, "with an IP address of that family"),
        ([v4(80, "::1")], ValueError, "with an IP address of that family"),
        ([v4(65536)], ValueError, "give Address"),
        ([v4(-1)], ValueError, "give Address"),
        ([Address(socket.AF_INET, ("192.0.2.1", True))], ValueError, "give Address"),
        ([Address(socket.AF_INET6, ("::1", 80, "a", "b"))], ValueError, "give Address"),
        ([Address(socket.AF_INET6, ("127.0.0.1", 80, 0, 0))], ValueError, "of that family"),
        ([Address(socket.AF_INET, ("127.0.0.1",))], ValueError, "give Address"),
        ([Address(socket.AF_INET, ("127.0.0.1", "80"))], ValueError, "give Address"),
        ([Address(socket.AF_INET, "127.0.0.1")], ValueError, "give Address"),
        ([Address(socket.AF_INET6, ("::1", 80, 0))], ValueError, "give Address"),
        ([Address(socket.AF_UNIX, "/run/s")], ValueError, "give Address"),
        ([stream(v4(80, "other.example"))], ValueError, "of that family"),
    ],
)
def test_an_answer_of_another_kind_is_an_error_that_says_what_to_give(
    answer: Any, error: type[Exception], remedy: str
) -> None:
    """T2: a name among them would be looked up by `connect`, and no deadline would cover that."""
    with Session(resolver=lambda host, port: answer) as session, no_socket_left():
        with pytest.raises(error, match=r"resolver= answered 'some\.example' with .*" + remedy):
            session.get("http://some.example/")


def test_a_resolver_that_is_a_generator_looks_names_up_while_it_is_read() -> None:
    """T2: so it is read in the thread of its own."""
    threads: set[int] = set()

    def one_by_one(host: str, port: int) -> Iterator[Address]:
        threads.add(threading.get_ident())
        yield v4(there.port)

    with ScriptedServer(answering) as there, Session(resolver=one_by_one) as session:
        assert session.get("http://some.example/").text == "ok"
    assert threads
    assert threading.get_ident() not in threads


def test_an_answer_without_an_end_is_read_to_a_bound() -> None:
    endless = itertools.repeat("127.0.0.1")
    assert len(addresses_of(endless, "some.example", 80)) == MAX_ADDRESSES


def test_the_systems_own_function_is_a_resolver() -> None:
    with ScriptedServer(answering) as server, Session(resolver=socket.getaddrinfo) as session:
        assert session.get(server.url(host="localhost")).text == "ok"
        assert server.requests[0].header("Host") == f"localhost:{server.port}"


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.herror(1, "Unknown host"),
        TimeoutError("no nameserver answered"),
        ConnectTimeout("the nameserver at 192.0.2.53 did not answer"),
        UnicodeError("label too long"),
    ],
)
def test_a_resolver_that_finds_nothing_is_a_name_resolution_error(error: Exception) -> None:
    def failing(host: str, port: int) -> list[Address]:
        raise error

    with Session(resolver=failing) as session, no_socket_left():
        with pytest.raises(NameResolutionError, match=r"'none\.example' can't be resolved: ") as caught:
            session.get("http://none.example/")
        assert caught.value.leg == "name"
        assert caught.value.__cause__ is error
        assert str(error) in str(caught.value)


def test_a_resolver_that_has_a_bug_is_no_error_of_the_network() -> None:
    def broken(host: str, port: int) -> list[Address]:
        raise ZeroDivisionError(host)

    with Session(resolver=broken) as session, no_socket_left():
        with pytest.raises(ZeroDivisionError, match=r"some\.example"):
            session.get("http://some.example/")


def test_where_no_thread_is_to_be_had_a_name_is_resolved_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in atexit under Python 3.12, and where the system has no more of them."""

    def none_left(*args: object) -> int:
        raise RuntimeError("can't start new thread")

    with ScriptedServer(keep_alive(lambda request: respond(b"ok"))) as server:
        with Session(resolver=lambda host, port: ["127.0.0.1"]) as session:
            with monkeypatch.context() as patched:
                patched.setattr(_thread, "start_new_thread", none_left)
                assert session.get(f"http://some.example:{server.port}/").text == "ok"


def test_a_name_that_is_not_in_a_table_can_not_be_resolved() -> None:
    table = {"known.example": ["127.0.0.1"]}
    with Session(resolver=lambda host, port: table[host]) as session, no_socket_left():
        with pytest.raises(NameResolutionError, match=r"'other\.example' can't be resolved"):
            session.get("http://other.example/")


@pytest.mark.parametrize("answer", [[], (), iter([]), [stream(v4(80), socket.SOCK_DGRAM)]])
def test_a_name_without_an_address_for_tcp_is_a_name_resolution_error(answer: Any) -> None:
    with Session(resolver=lambda host, port: answer) as session, no_socket_left():
        with pytest.raises(NameResolutionError, match=r"'none\.example' has no address") as caught:
            session.get("http://none.example/")
        assert caught.value.leg == "name"


def test_of_a_hundred_addresses_the_one_that_answers_is_found() -> None:
    """T3."""
    with closed_port() as port, ScriptedServer(answering) as server, no_socket_left():
        dead = [v4(port, f"127.0.0.{number}") for number in range(1, 100)]
        with Session(resolver=at(*dead, v4(server.port))) as session:
            assert session.get("http://many.example/").text == "ok"


def test_of_a_hundred_addresses_that_refuse_the_error_names_each() -> None:
    """T3."""
    with closed_port() as port, no_socket_left():
        dead = [v4(port, f"127.0.0.{number}") for number in range(1, 101)]
        with Session(resolver=at(*dead)) as session:
            with pytest.raises(ConnectError) as caught:
                session.get("http://many.example/")
        assert all(f"{address}: " in str(caught.value) for address in dead)


# --- IPv6 zones: a link-local address is of one network interface, and its number is what the system wants


def test_an_ip_address_in_text_needs_no_resolver() -> None:
    """T2."""
    assert literal("192.0.2.1", 80) == Address(socket.AF_INET, ("192.0.2.1", 80))
    assert literal("2001:db8::1", 80) == Address(socket.AF_INET6, ("2001:db8::1", 80, 0, 0))
    for name in ("some.example", "localhost", "192.0.2", "192.0.2.1.example", "", "::1%", "%lo"):
        assert literal(name, 80) is None


def test_a_zone_becomes_the_number_of_the_interface_by_name_and_by_number() -> None:
    """RFC 4007, section 11.2."""
    number = socket.if_nametoindex("lo")
    expected = Address(socket.AF_INET6, ("fe80::1", 80, 0, number))
    assert literal("fe80::1%lo", 80) == literal(f"fe80::1%{number}", 80) == expected
    assert str(expected) == "[fe80::1%lo]:80"
    assert addresses_of(["fe80::1%lo"], "some.example", 80) == [expected]
    asked = socket.getaddrinfo("fe80::1%lo", 80, type=socket.SOCK_STREAM)
    assert addresses_of(asked, "some.example", 80) == [expected], "as the system reads it"


def test_the_zone_of_an_interface_that_is_gone_is_told_by_its_number() -> None:
    assert str(Address(socket.AF_INET6, ("fe80::1", 80, 0, 2**31))) == f"[fe80::1%{2**31}]:80"


@pytest.mark.parametrize("zone", ["nowhere", "0", "4000000000", "9" * 5000, "-1", "x" * 200])
def test_a_zone_that_is_no_interface_is_a_name_resolution_error_that_says_which_there_are(zone: str) -> None:
    with pytest.raises(
        NameResolutionError, match=r"is no network interface of this machine: give one of .*lo"
    ):
        literal(f"fe80::1%{zone}", 80)
    if len(zone) < 100:
        with Session() as session, no_socket_left():
            with pytest.raises(NameResolutionError, match=f"zone '{zone}'") as caught:
                session.get(f"http://[fe80::1%25{zone}]/")
            assert caught.value.leg == "name"


def test_a_zone_is_for_the_system_alone_and_in_no_host_field() -> None:
    """RFC 9110, section 7.2; T2: nobody is asked for its address."""

    def never(host: str, port: int) -> list[Address]:
        raise AssertionError(f"asked for {host}")

    with ScriptedServer(answering, host="::1") as server, Session(resolver=never) as session:
        for zone in ("%25lo", "%lo"):
            assert session.get(server.url(host=f"[::1{zone}]")).text == "ok"
    assert [request.header("Host") for request in server.requests] == [f"[::1]:{server.port}"] * 2


def test_a_zone_is_no_part_of_what_a_certificate_is_held_against(
    tls_context: ssl.SSLContext, ca_file: str
) -> None:
    """S3."""
    with ScriptedServer(answering, host="::1", tls=tls_context) as server, Session() as session:
        assert session.get(server.url(host="[::1%25lo]"), verify=ca_file).text == "ok"
    assert server.requests[0].header("Host") == f"[::1]:{server.port}"


def test_a_local_address_may_have_a_zone() -> None:
    """The address itself is not enough to `bind`: see `test_a_link_local_address_without_its_zone_...`."""
    with ScriptedServer(stalling, host="::1") as server:
        with dialled(route_to(server, ("::1%lo", 0))) as sock:
            assert sock.getsockname()[0] == "::1"


# --- which leg of a direct connection failed


def test_a_name_that_hangs_is_a_connect_timeout_on_the_leg_name() -> None:
    """T2: whether it hangs before it answers or in the middle."""
    go = threading.Event()

    def hangs(host: str, port: int) -> list[Address]:
        go.wait(30)
        return []

    def hangs_amid(host: str, port: int) -> Iterator[Address]:
        yield v4(80)
        go.wait(30)

    try:
        for resolver in (hangs, hangs_amid):
            with Session(resolver=resolver) as session, no_socket_left():
                with pytest.raises(ConnectTimeout, match=r"resolving 'slow\.example'") as caught:
                    session.get("http://slow.example/", timeout=(SHORT, NEVER))
                assert caught.value.leg == "name"
    finally:
        go.set()


def test_a_connect_that_hangs_is_a_connect_timeout_on_the_leg_tcp() -> None:
    """T1."""
    with BlackHole() as hole, Session() as session, no_socket_left():
        with pytest.raises(ConnectTimeout, match="no answer") as caught:
            session.get(hole.url(), timeout=(SHORT, NEVER))
        assert caught.value.leg == "tcp"


def test_a_handshake_that_hangs_is_a_connect_timeout_on_the_leg_tls() -> None:
    """T1."""

    greeted = threading.Event()

    def reads_the_hello(peer: Peer) -> None:
        if peer.read_some():
            greeted.set()
            peer.stall()

    with ScriptedServer(reads_the_hello) as server, Session() as session, no_socket_left():
        for limit in growing(SHORT):
            with pytest.raises(ConnectTimeout) as caught:
                session.get(server.url().replace("http", "https"), timeout=(limit, NEVER))
            if greeted.is_set():
                break
        assert "TLS handshake" in str(caught.value)
        assert caught.value.leg == "tls"


def test_a_refused_connect_is_a_connect_error_on_the_leg_tcp() -> None:
    with closed_port() as port, Session() as session, no_socket_left():
        with pytest.raises(ConnectError, match="Connection refused") as caught:
            session.get(f"http://127.0.0.1:{port}/")
        assert caught.value.leg == "tcp"


def test_a_refused_certificate_is_an_error_on_the_leg_tls(tls_context: ssl.SSLContext) -> None:
    with ScriptedServer(answering, tls=tls_context, handshake_may_fail=True) as server:
        with Session() as session, no_socket_left():
            with pytest.raises(SSLError) as caught:
                session.get(server.url(host="localhost"))
            assert caught.value.leg == "tls"


def test_an_answer_that_breaks_off_is_on_no_leg_since_there_was_a_connection() -> None:
    def closes(peer: Peer) -> None:
        peer.expect_request()
        peer.fin()

    with ScriptedServer(closes) as server, Session() as session, no_socket_left():
        with pytest.raises(ConnectionLost) as caught:
            session.get(server.url())
        assert caught.value.leg is None


def test_a_proxy_whose_name_hangs_is_a_connect_timeout_on_the_leg_proxy() -> None:
    """T2: it is the proxy that does not answer, and not the host."""
    go = threading.Event()

    def hangs(host: str, port: int) -> list[Address]:
        go.wait(30)
        return []

    try:
        with Session(resolver=hangs) as session, no_socket_left():
            with pytest.raises(ConnectTimeout, match=r"resolving 'proxy\.example'") as caught:
                session.get(
                    "http://some.example/", timeout=(SHORT, NEVER), proxies={"http": "http://proxy.example"}
                )
            assert caught.value.leg == "proxy"
    finally:
        go.set()


def test_a_proxy_that_can_not_be_reached_from_the_local_address_is_a_proxy_error() -> None:
    with closed_port() as port, no_socket_left():
        route = Route("http", "a", 80, local_address=("::1", 0), proxy=Proxy("http", "127.0.0.1", port))
        with pytest.raises(ProxyError, match=r"local address ::1 is of IPv6") as caught:
            dialled(route)
        assert isinstance(caught.value, ConnectionError)
        assert caught.value.leg == "proxy"


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """A resolver's thread ends with its resolver."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


# --- errors of TLS, without TLS


def test_what_has_to_wait_is_told_from_what_is_broken_over_tls_and_without() -> None:
    waiting = (BlockingIOError(), ssl.SSLWantReadError(), ssl.SSLWantWriteError())
    assert [sockets.would_block(error) for error in waiting] == [True, True, True]
    assert [sockets.wants_to_read(error) for error in waiting] == [False, True, False]
    for broken in (ConnectionResetError(), TimeoutError(), ssl.SSLEOFError(), ssl.SSLError()):
        assert not sockets.would_block(broken)
        assert not sockets.wants_to_read(broken)


def test_an_error_without_tls_is_read_while_another_thread_loads_the_module_ssl(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module that is being loaded is there already, and has not all of its names."""
    monkeypatch.setitem(sys.modules, "ssl", types.ModuleType("ssl"))
    assert sockets.would_block(BlockingIOError())
    assert not sockets.would_block(ConnectionResetError())
    assert not sockets.wants_to_read(BlockingIOError())
