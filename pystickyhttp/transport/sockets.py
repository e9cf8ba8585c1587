"""How a socket is made before it connects: where to, where from, and with which options (laws X1, R1, T2).

An `Address` is where a socket can connect to. A resolver's answer becomes addresses here and nowhere else,
and no name is left in them: to `connect` a name is something to look up, in a call that knows of no deadline.
`configure` is all that happens to a new socket; what the user asks for comes after what we do, and wins.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import sys
import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeGuard

from ..exceptions import ConnectError, NameResolutionError
from ..forks import after_fork_in_child
from ..signal_handlers import is_of_a_signal_handler, tolerated
from ..values import Value, settle, value_class

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from .tls_in_tls import AnySocket, TLSSocket

# A resolver may yield for ever, in a thread that nobody waits for any longer, and would fill the memory. A
# dial with the default timeout gets to some forty addresses.
MAX_ADDRESSES: Final = 1000

# The greatest numbers that Linux takes (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT); elsewhere
# they are the same or greater.
MAX_PROBE_SECONDS: Final = 32_767
MAX_PROBES: Final = 127

# setsockopt() takes C ints.
_C_INTS: Final = range(-(2**31), 2**31)
_PORTS: Final = range(2**16)

# The shortest option that holds a key has sixteen bytes (TCP_FASTOPEN_KEY). What is worth reading in a
# message, such as the name of an interface, is shorter.
_SHOWN_BYTES: Final = 15

# What this platform has. macOS calls the first probe's delay TCP_KEEPALIVE; Windows has all three since 1709.
_PROBES: Final = tuple(
    (getattr(socket, option), number)
    for option, number in (
        ("TCP_KEEPIDLE", "idle"),
        ("TCP_KEEPALIVE", "idle"),
        ("TCP_KEEPINTVL", "interval"),
        ("TCP_KEEPCNT", "count"),
    )
    if hasattr(socket, option)
)
# Linux since 4.2.
_IP_BIND_ADDRESS_NO_PORT: Final[int | None] = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", None)
_AF_UNIX: Final[int | None] = getattr(socket, "AF_UNIX", None)
# By which names the module socket has the options of a level.
_LEVELS: Final = {
    socket.SOL_SOCKET: ("SOL_SOCKET", "SO_"),
    socket.IPPROTO_TCP: ("IPPROTO_TCP", "TCP_"),
    socket.IPPROTO_IP: ("IPPROTO_IP", "IP_"),
    socket.IPPROTO_IPV6: ("IPPROTO_IPV6", "IPV6_"),
}


# --- where to


class Address(NamedTuple):
    """Where a socket can connect to: the family and the address as `socket.connect` takes it.

    Attributes:
        family: `socket.AF_INET`, `socket.AF_INET6` or `socket.AF_UNIX`.
        sockaddr: such as ("192.0.2.1", 443); no name is left in it that would have to be looked up.
    """

    family: int
    sockaddr: Any

    def __str__(self) -> str:
        if not isinstance(self.sockaddr, tuple):
            return str(self.sockaddr)
        host, port, *rest = self.sockaddr
        if self.family != socket.AF_INET6:
            return f"{host}:{port}"
        zone = rest[1] if len(rest) == 2 else 0
        # Two addresses that differ in the zone alone lead to different machines.
        named = f"{host}%{_zone_name(zone)}" if zone and "%" not in host else host
        return f"[{named}]:{port}"


def literal(host: str, port: int) -> Address | None:
    """The address that an IP address in text is, without a resolver; None for a name (law T2).

    Args:
        host: "192.0.2.1", "::1" or "fe80::1%eth0".
        port: the port.

    Raises:
        NameResolutionError: its zone is no network interface of this machine.
    """
    if _is_address(socket.AF_INET, host):
        return Address(socket.AF_INET, (host, port))
    address, percent, zone = host.partition("%")
    if not _is_address(socket.AF_INET6, address) or (percent and (not zone or "%" in zone)):
        return None
    # `connect` looks at the number of the zone alone, and not at its name in the text.
    return Address(socket.AF_INET6, (address, port, 0, _zone_number(zone) if zone else 0))


def _is_address(family: int, text: str) -> bool:
    with tolerated(OSError, ValueError):  # ValueError: it has a NUL in it, or can't be encoded
        socket.inet_pton(family, text)
        return True
    return False


def _zone_number(zone: str) -> int:
    """RFC 4007, section 11.2: a zone is named as an interface is, or by its number."""
    with tolerated(OSError, ValueError):
        return socket.if_nametoindex(zone)
    with tolerated(OSError, ValueError, OverflowError):
        socket.if_indextoname(number := int(zone))
        return number
    names = ", ".join(name for _, name in socket.if_nameindex())
    raise NameResolutionError(
        f"the zone {zone!r} is no network interface of this machine: give one of {names}"
    )


def _zone_name(number: int) -> str:
    try:
        return socket.if_indextoname(number)
    except (OSError, OverflowError):
        return str(number)


def addresses_of(answer: Any, host: str, port: int) -> list[Address]:
    """Read what a resolver returned.

    It belongs into the thread of the resolver: a generator looks names up while it is read.

    Args:
        answer: an iterable, of each an `Address`, an IP address in text, or a tuple as `socket.getaddrinfo`
            has them, of which those of TCP count. The first `MAX_ADDRESSES` are read.
        host: the name that was asked for, for messages.
        port: the port that goes with an address in text.

    Returns:
        The addresses in the resolver's order; none of them is a name.

    Raises:
        TypeError, ValueError: it is nothing of the kind.
        NameResolutionError: the zone of an address is no network interface of this machine.
    """
    if isinstance(answer, (str, bytes, Address)):
        raise TypeError(f"resolver= answered {host!r} with {answer!r}: give it in a list, [{answer!r}]")
    try:
        entries = iter(answer)
    except TypeError:
        kind = type(answer).__name__
        raise TypeError(f"resolver= answered {host!r} with a {kind}: give a list of Address") from None
    found = (_address_of(entry, host, port) for entry in itertools.islice(entries, MAX_ADDRESSES))
    return [address for address in found if address is not None]


def _address_of(entry: Any, host: str, port: int) -> Address | None:
    """One entry of an answer; None where it is not about TCP."""
    if isinstance(entry, str):
        address = literal(entry, port)
        if address is None:
            raise ValueError(
                f"resolver= answered {host!r} with {entry!r}, which is no IP address: resolve names in it, "
                f"and give another port than {port} by Address(family, (ip, port))"
            )
        return address
    if isinstance(entry, Address):
        return _checked(entry, host)
    if isinstance(entry, tuple) and len(entry) == 5:
        family, kind, _, _, sockaddr = entry
        return _checked(Address(family, sockaddr), host) if kind in (0, socket.SOCK_STREAM) else None
    raise TypeError(
        f"resolver= answered {host!r} with a list that holds {entry!r}: give Address(family, sockaddr), "
        f"an IP address as a str, or tuples as of socket.getaddrinfo"
    )


def _checked(address: Address, host: str) -> Address:
    """An address of a resolver, if `connect` can take it, and need not look it up."""
    match address.sockaddr:
        case str(ip), int(port), *rest if port in _PORTS and all(type(each) is int for each in (port, *rest)):
            read = literal(ip, port) if len(rest) in (0, 2) else None
            if read is not None and read.family == address.family:
                return address if len(read.sockaddr) == len(address.sockaddr) else read
    raise ValueError(
        f"resolver= answered {host!r} with {tuple(address)!r}: give Address(socket.AF_INET, (ip, port)), or "
        f"socket.AF_INET6, with an IP address of that family"
    )


# --- where from


LocalAddressTypes: TypeAlias = "str | IPv4Address | IPv6Address | tuple[str, int] | None"

_LOCAL_REMEDY: Final = (
    "give an IP address of this machine, such as '192.0.2.1', or a pair of one and a port; no name, since "
    "that can stand for several"
)


def local_address_of(value: LocalAddressTypes) -> tuple[str, int] | None:
    """Read a local address as the adapter takes it; two spellings of one come to the same (law R1).

    Args:
        value: an IP address of this machine, such as "192.0.2.1", "2001:db8::1" or "fe80::1%eth0"; a pair of
            one and a port, of which 0 is any; or None. "0.0.0.0" and "::" choose the family alone.

    Returns:
        The address and the port, or None.

    Raises:
        TypeError, ValueError: it is none of these.
    """
    if value is None:
        return None
    # Loaded only where a local address is given, to keep start-up light.
    from ipaddress import IPv4Address, IPv6Address, ip_address

    host, port = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value, 0)
    if not isinstance(host, (str, IPv4Address, IPv6Address)):
        raise TypeError(f"local_address is {value!r}: {_LOCAL_REMEDY}")
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"local_address is {value!r}: its port has to be a whole number, 0 for any")
    if port not in _PORTS:
        raise ValueError(f"local_address is {value!r}: its port has to be from 0, for any, to 65535")
    try:
        return str(ip_address(host)), port
    except ValueError:
        raise ValueError(f"local_address is {value!r}, which is no IP address: {_LOCAL_REMEDY}") from None


def reachable_from(addresses: Sequence[Address], local_address: tuple[str, int] | None) -> Sequence[Address]:
    """Those addresses that a socket with this local address can connect to: they are of its family.

    Args:
        addresses: in the resolver's order.
        local_address: as `local_address_of` reads it.

    Raises:
        ConnectError: there are addresses, and none is of its family.
    """
    if local_address is None or not addresses:
        return addresses
    family = _family_of(local_address)
    found = [address for address in addresses if address.family == family]
    if found:
        return found
    mine, other = ("IPv6", "IPv4") if family == socket.AF_INET6 else ("IPv4", "IPv6")
    raise ConnectError(
        f"the local address {_text(local_address)} is of {mine}, and there are addresses of {other} alone "
        f"({', '.join(map(str, addresses))}): give a local_address of {other}, or none"
    )


def connect_failure(code: int, local_address: tuple[str, int] | None) -> OSError:
    """The error of a connect that failed; it tells of a local address, which may be why.

    Args:
        code: as `socket.connect_ex` returns it.
        local_address: where the socket was bound to, or None.
    """
    reason = os.strerror(code)
    if local_address is None:
        return OSError(code, reason)
    remedy = ""
    if code == errno.EADDRNOTAVAIL and local_address[1]:
        # What tells connections apart is both ends, address and port (RFC 9293, section 3.3.1).
        remedy = ", which can have one connection to there at a time: give port 0 for more"
    elif code == errno.EADDRNOTAVAIL:
        remedy = ", which has no port left for another connection to there: keep connections in one Session"
    return OSError(code, f"{reason} (from the local address {_text(local_address)}{remedy})")


_BIND_REMEDIES: Final = {
    errno.EADDRNOTAVAIL: ": no network interface of this machine has it, give an address of one",
    errno.EACCES: ": low ports are for privileged programs, give port 0 for any",
    errno.EINVAL: ": a link-local address needs the zone that it is of, as in 'fe80::1%eth0'",
}


def _bind(sock: socket.socket, local_address: tuple[str, int]) -> None:
    try:
        address = literal(*local_address)
        if address is None:
            raise ValueError(f"local_address is {local_address!r}, which is no IP address: {_LOCAL_REMEDY}")
        sock.bind(address.sockaddr)
    except OSError as error:
        if is_of_a_signal_handler(error):
            raise
        raise ConnectError(
            f"the local address {_text(local_address)} can't be used: {error.strerror or error}"
            f"{_bind_remedy(error, local_address[1])}"
        ) from error


def _bind_remedy(error: OSError, port: int) -> str:
    if error.errno != errno.EADDRINUSE:
        return _BIND_REMEDIES.get(error.errno or 0, "")
    if port:
        return ": another socket has the port, give port 0 for any that is free"
    return ": it has no port left, keep connections in one Session"


def _make_room(sock: socket.socket, port: int) -> None:
    """Let the local port be shared among connections to different servers, as it is without a `bind`."""
    if not port:
        # Else `bind` takes a port for this socket alone, before it is known where to, and some 28 000
        # connections are all that a local address can have.
        if _IP_BIND_ADDRESS_NO_PORT is not None:  # pragma: no branch - Linux alone has it
            _set_if_known(sock, socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    # Elsewhere it would let a stranger take the port over.
    elif os.name == "posix":  # pragma: no branch - not so on Windows
        # Else nothing can connect from this port while an earlier connection is in TIME-WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _family_of(local_address: tuple[str, int]) -> int:
    return socket.AF_INET6 if ":" in local_address[0] else socket.AF_INET


def _text(local_address: tuple[str, int]) -> str:
    """A local address for messages."""
    host, port = local_address
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# --- with which options


SocketOption: TypeAlias = "tuple[int, int, int | bytes] | tuple[int, int, None, int]"

_OPTIONS_REMEDY: Final = (
    "give a list of (level, name, value), such as [(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)]"
)


@value_class()
class KeepAlive(Value):
    """The probes that ask a silent peer whether it is still there, so far as the platform has them.

    A peer that has vanished is found out after `idle + count * interval` seconds of silence, by default two
    minutes. They ask nothing while data of ours is on its way, which TCP sends again for much longer; on
    Linux the option TCP_USER_TIMEOUT bounds that.

    Args:
        idle: the seconds of silence before the first probe. Default 60.
        interval: the seconds between two probes. Default 15.
        count: how many may go unanswered before the connection is given up. Default 4.

    Raises:
        TypeError: one of them is no whole number.
        ValueError: one of them is below 1, or above what systems take.
    """

    idle: int
    interval: int
    count: int

    # The systems' own default is two hours, and what stands in between, a NAT or a balancer, forgets a
    # silent connection after some minutes (four to ten with the great providers). A minute stays well below
    # that, and is what curl takes. Go asks every 15 s, which wakes a mobile radio four times as often.
    # A lost probe is no lost peer: four of them, over a minute, are more than a short loss of network.
    def __init__(self, idle: int = 60, interval: int = 15, count: int = 4) -> None:
        settle(self, idle=idle, interval=interval, count=count)
        bounds = (("idle", MAX_PROBE_SECONDS), ("interval", MAX_PROBE_SECONDS), ("count", MAX_PROBES))
        for name, most in bounds:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"keepalive: {name} is {value!r}: give a whole number")
            if not 1 <= value <= most:
                raise ValueError(f"keepalive: {name} is {value}: give a whole number from 1 to {most}")


DEFAULT_KEEPALIVE: Final = KeepAlive()


@value_class()
class SocketSettings(Value):
    """What every new socket is made with.

    Args:
        options: as `socket.setsockopt` takes them: (level, name, value), or (level, name, None, length).
            They are set in this order, after ours, and before the socket is bound or connects. Those of
            IPPROTO_IPV6 are for IPv6, and a unix socket has those of SOL_SOCKET alone. They are kept as a
            tuple.
        keepalive: the probes; None for none at all.

    Raises:
        TypeError, ValueError: an argument is none of these.
    """

    options: Iterable[SocketOption]
    keepalive: KeepAlive | None

    def __init__(
        self, options: Iterable[SocketOption] = (), keepalive: KeepAlive | None = DEFAULT_KEEPALIVE
    ) -> None:
        if keepalive is not None and not isinstance(keepalive, KeepAlive):
            raise TypeError(
                f"keepalive is {keepalive!r}: give KeepAlive(idle=..., interval=..., count=...), "
                f"or None for no probes"
            )
        if isinstance(options, (str, bytes)) or not isinstance(options, Iterable):
            raise TypeError(f"socket_options is {options!r}: {_OPTIONS_REMEDY}")
        settle(self, options=tuple(map(_option_of, options)), keepalive=keepalive)

    def __repr__(self) -> str:
        options = ", ".join(map(_described, self.options))
        return f"SocketSettings(options=[{options}], keepalive={self.keepalive!r})"


def _option_of(given: Any) -> SocketOption:
    """One of the user's options, as far as it can be told without a socket; it is hashable."""
    option: SocketOption
    match given:
        case [int(level), int(name), int(value)]:
            option = int(level), int(name), int(value)
        case [int(level), int(name), (bytes() | bytearray() | memoryview()) as value]:
            option = int(level), int(name), bytes(value)
        case [int(level), int(name), None, int(length)]:
            option = int(level), int(name), None, int(length)
        case _:
            raise TypeError(f"socket_options has {given!r}: {_OPTIONS_REMEDY}; text goes in as bytes")
    for number in option:
        if isinstance(number, int) and number not in _C_INTS:
            raise ValueError(
                f"socket_options has {_described(option)}: {number} is no C int, which is what is asked for; "
                f"give such a value as bytes, by struct.pack"
            )
    return option


def configure(
    sock: socket.socket, family: int, settings: SocketSettings, local_address: tuple[str, int] | None
) -> None:
    """Make a new socket ready to connect. It does not block afterwards.

    Args:
        sock: the socket. Upon an error it is the caller's to close.
        family: its family.
        settings: what it is made with.
        local_address: where it is bound to, as `local_address_of` reads it, or None. A unix socket is not.

    Raises:
        ConnectError: an option can't be set, or the local address can't be used.
        ValueError: the local address is a name.
    """
    sock.setblocking(False)
    if family == _AF_UNIX:
        _set_options(sock, family, settings.options)
        return
    # X1: a request is one small write, which Nagle's algorithm would hold back until the last one is
    # acknowledged.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _keep_alive(sock, settings.keepalive)
    if local_address is not None:
        _make_room(sock, local_address[1])
    _set_options(sock, family, settings.options)
    if local_address is not None:
        _bind(sock, local_address)


def _keep_alive(sock: socket.socket, keepalive: KeepAlive | None) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keepalive is not None)  # X1
    if keepalive is not None:
        for option, number in _PROBES:
            _set_if_known(sock, socket.IPPROTO_TCP, option, getattr(keepalive, number))


def _set_if_known(sock: socket.socket, level: int, name: int, value: int) -> None:
    """Set an option of ours that is no loss: Python may know it where the system is older, or a sandbox."""
    try:
        sock.setsockopt(level, name, value)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise


def _set_options(sock: socket.socket, family: int, options: Iterable[SocketOption]) -> None:
    for option in options:
        if not _is_for(option[0], family):
            continue
        try:
            sock.setsockopt(*option)
        except OSError as error:
            if is_of_a_signal_handler(error):
                raise
            raise ConnectError(
                f"the socket option {_described(option)} can't be set: {error.strerror or error}: "
                f"correct it in socket_options=, or leave it out"
            ) from error


def _is_for(level: int, family: int) -> bool:
    """Whether options of a level are for sockets of a family.

    A host has addresses of both families, and options for both are given together: those of IPv6 mean
    nothing to IPv4. Those of IPv4 stay, as Linux has some that count for both, such as IP_LOCAL_PORT_RANGE.
    """
    if family == _AF_UNIX:
        return level == socket.SOL_SOCKET
    return level != socket.IPPROTO_IPV6 or family == socket.AF_INET6


def _described(option: SocketOption) -> str:
    """An option by the names that it has in the module socket, without a value that may be a key."""
    level, name, *values = option
    level_name, prefix = _LEVELS.get(level, (str(level), None))
    return f"({', '.join([level_name, _option_name(prefix, name), *map(_shown, values)])})"


def _shown(value: object) -> str:
    if isinstance(value, bytes) and len(value) > _SHOWN_BYTES:
        return f"<{len(value)} bytes>"
    return repr(value)


def _option_name(prefix: str | None, number: int) -> str:
    if prefix is None:
        return str(number)
    names = [name for name, value in vars(socket).items() if name.startswith(prefix) and value == number]
    # SO_J1939_FILTER has the number of SO_DEBUG: the names of special families are the longer ones.
    return min(names, key=len, default=str(number))


# --- how they end


def speaks_tls(sock: AnySocket) -> TypeGuard[TLSSocket]:
    """Whether the bytes of a socket are TLS's, within which some may be at hand that no poll shows."""
    # Not by its class: that would load OpenSSL, the costliest part of a start, for programs of plain http.
    return hasattr(sock, "pending")


def shut_down(sock: AnySocket) -> None:
    """Shut a socket down under TLS, whose own way to do so takes the TLS off who is reading.

    Raises:
        OSError: it is not connected any more.
    """
    own: Any = getattr(sock, "outer", sock)  # that of a TLSInTLS
    socket.socket.shutdown(own, socket.SHUT_RDWR)


def would_block(error: OSError) -> bool:
    """Whether a socket that must not block had to wait; TLS may, to send, until something can be read."""
    if isinstance(error, BlockingIOError):
        return not is_of_a_signal_handler(error)
    return isinstance(error, _of_ssl("SSLWantReadError", "SSLWantWriteError"))


def wants_to_read(error: OSError) -> bool:
    """Whether TLS has to read before it goes on, whatever it was asked to do."""
    return isinstance(error, _of_ssl("SSLWantReadError"))


def _of_ssl(*names: str) -> tuple[type[OSError], ...]:
    """Errors of the module ssl: none where it is not loaded, as nobody can have raised one then."""
    ssl = sys.modules.get("ssl")
    # Another thread may be about to load it, and then it has not all of its names yet.
    return tuple([getattr(ssl, name) for name in names if hasattr(ssl, name)])


def reason_of(error: BaseException) -> str:
    """What an error of a socket without TLS says of its cause; `tls_errors` has the same for those of TLS."""
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)


def is_timeout_of_ours(error: BaseException) -> bool:
    """Whether the timeout that a socket was given ran out.

    That TCP has given the peer up, since it answers no probe or takes nothing, is a TimeoutError too: the
    connection is lost then, however long we would have waited. It has the system's code, and ours has none.
    """
    return isinstance(error, TimeoutError) and error.errno is None and not is_of_a_signal_handler(error)


# --- whose they are while nobody holds them

# L4: the sockets of dials that are under way. No pool knows them yet, and the thread that dials is not in the
# child of a fork, so that nobody else would ever close its copies there.
under_way: Final[weakref.WeakSet[socket.socket]] = weakref.WeakSet()


def _close_those_under_way() -> None:
    for sock in list(under_way):
        sock.close()


after_fork_in_child(_close_those_under_way)
