"""The rules of NO_PROXY, pure: which hosts are reached without the proxies of the environment.

`environment` keeps what they say of a host.
"""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, TypeAlias

from . import urls

_Address: TypeAlias = "IPv4Address | IPv6Address"


class _Domain(NamedTuple):
    """An entry with a name: the domain and all that is below it, or ("*.example.com") only what is below."""

    name: str
    port: int | None
    itself: bool

    def covers(self, host: str, port: int) -> bool:
        if self.port not in (None, port):
            return False
        return host.endswith(f".{self.name}") or (self.itself and host == self.name)


class _Network(NamedTuple):
    """An entry with an IP address, which is a network of one, or with a network in CIDR notation."""

    network: IPv4Network | IPv6Network
    port: int | None

    def covers(self, addresses: tuple[_Address, ...], port: int) -> bool:
        return self.port in (None, port) and any(address in self.network for address in addresses)


class NoProxy(NamedTuple):
    """The rules of NO_PROXY: which hosts are reached without a proxy.

    There is no standard. These are curl's rules, with the ports and the wildcard that Go has: entries are
    separated by commas or blanks, their case does not count, and each is one of

    - `*`: every host;
    - `example.com` or `.example.com`: the domain and all names below it; a dot at its end does not count, and
      what is outside ASCII is read by IDNA;
    - `*.example.com`: the names below it alone;
    - `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`: an address;
    - `192.0.2.0/24`, `2001:db8::/32`: a network;
    - any of them but the first and the last with a port behind it: that port alone. An IPv6 address needs its
      brackets then.

    Names are never resolved: an address is held against addresses, and a name against names. Entries that are
    none of these are passed over.

    Attributes:
        everything: whether there is an entry `*`.
        domains: the entries with a name.
        networks: the entries with an address or a network.
    """

    everything: bool = False
    domains: tuple[_Domain, ...] = ()
    networks: tuple[_Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> NoProxy:
        """Read the value of NO_PROXY; there is no text that can't be read."""
        entries = re.split(r"[,\s]+", text)
        rules = [rule for rule in map(_rule, entries) if rule is not None]
        return cls(
            everything="*" in entries,
            domains=tuple(rule for rule in rules if isinstance(rule, _Domain)),
            networks=tuple(rule for rule in rules if isinstance(rule, _Network)),
        )

    def covers(self, host: str, port: int) -> bool:
        """Whether a host is reached directly.

        Args:
            host: the host of a `URL`: in lower case, and without brackets.
            port: the port that would be dialled.
        """
        if self.everything:
            return True
        host = host.removesuffix(".")
        addresses = _addresses(host)
        if addresses:
            return any(network.covers(addresses, port) for network in self.networks)
        return any(domain.covers(host, port) for domain in self.domains)


def bypasses_proxy(host: str, port: int, no_proxy: str) -> bool:
    """Whether rules say that a host is reached without a proxy.

    Args:
        host: the host of a `URL`: in lower case, and without brackets.
        port: the port that would be dialled.
        no_proxy: the rules as text, see `NoProxy`.
    """
    return _parsed_no_proxy(no_proxy).covers(host, port)


@lru_cache(maxsize=8)  # as many as there are environments, see `environment`
def _parsed_no_proxy(text: str) -> NoProxy:
    return NoProxy.parse(text)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name, which no proxy could reach (RFC 6761, section 6.3).

    Args:
        host: the host of a `URL`: in lower case, and without brackets.
    """
    host = host.removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return any(address.is_loopback for address in _addresses(host))


def _addresses(host: str) -> tuple[_Address, ...]:
    """The addresses that a host stands for without a resolver: none for a name.

    An IPv4 address in IPv6 clothes (RFC 4291, section 2.5.5.2) stands for both.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return _old_ipv4(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (address,) if mapped is None else (address, mapped)


def _old_ipv4(host: str) -> tuple[_Address, ...]:
    # The resolver takes 127.1 and 0x7f000001 for addresses, so rules for names must not: "1" is no domain.
    try:
        return (IPv4Address(socket.inet_aton(host)),)
    except OSError:
        return ()


def _rule(entry: str) -> _Domain | _Network | None:
    """An entry of NO_PROXY, or None where it is none."""
    try:
        place, port = _split_port(entry.lower())
        network = _as_network(place)
        if network is None:
            return _domain(place, port)
        return None if "/" in place and port is not None else _Network(network, port)
    except ValueError:
        return None


def _split_port(entry: str) -> tuple[str, int | None]:
    """An entry without brackets, and its port.

    Raises:
        ValueError: a bracket is not closed, or there is no port where one should be.
    """
    if entry.startswith("["):
        address, bracket, rest = entry[1:].partition("]")
        if not bracket or ":" not in address:
            raise ValueError(entry)
        if rest.startswith("/"):
            return address + rest, None
        colon, port_text = rest[:1], rest[1:]
    elif entry.count(":") > 1:
        return entry, None  # IPv6 without brackets leaves no room for a port
    else:
        address, colon, port_text = entry.partition(":")
    if colon not in ("", ":"):
        raise ValueError(entry)
    return address, _port(port_text) if port_text else None


def _port(text: str) -> int:
    # int() alone takes signs, underscores and the digits of other scripts.
    if not re.fullmatch(r"[0-9]+", text):
        raise ValueError(text)
    return int(text)


def _as_network(place: str) -> IPv4Network | IPv6Network | None:
    """An address or a network, or None for what is neither."""
    _, slash, bits = place.partition("/")
    if slash and not re.fullmatch(r"[0-9]{1,3}", bits):
        return None  # ip_network() takes masks too, and means two things by them
    try:
        return ip_network(place, strict=False)
    except ValueError:
        return None


def _domain(place: str, port: int | None) -> _Domain:
    """An entry with a name.

    Raises:
        ValueError: there is no name in it.
    """
    itself = not place.startswith("*.")
    name = place.removeprefix("*").lstrip(".").removesuffix(".")
    if not name:
        raise ValueError(place)
    return _Domain(name if name.isascii() else _to_ascii(name), port, itself)


def _to_ascii(name: str) -> str:
    """A name outside ASCII as it stands in a URL.

    Raises:
        ValueError: it is no name.
    """
    url = urls.parse(f"http://{name}/")
    if url.text != f"http://{url.host}/":
        raise ValueError(name)  # it has userinfo, a path or the like
    return url.host
