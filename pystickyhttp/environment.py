"""What the environment says: proxies, NO_PROXY, CA files, and the netrc file.

A client with the interface of `requests` asks the environment at each request, as it stands then. So
`current` looks at a dozen variables and at nothing else, and whatever is made of them is made once for the
same values: an `Environment` is kept by the values that it was read from, and the answer of NO_PROXY by host
and port. These caches are those of functools, which any thread may use; two threads that miss at the same
time compute the same answer twice.

Only the environment's variables are read. What Windows and macOS keep as the system's proxy settings is not.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import time
import warnings
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from . import urls
from .urls import URL

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Credentials: TypeAlias = tuple[str, str]
ProxyMapping: TypeAlias = Mapping[str, str | None]
_Address: TypeAlias = "IPv4Address | IPv6Address"

# Of all variables `<scheme>_proxy` those that can count for a URL of http or https, the two that we speak.
_PROXIED: Final = ("http", "https", "all")
_NETRC_NAMES: Final = (".netrc", "_netrc")  # the second is the one that Windows' tools agreed upon
_HOME: Final = "USERPROFILE" if os.name == "nt" else "HOME"

_NAMES: Final = (
    *(f"{scheme}_proxy" for scheme in _PROXIED),
    *(f"{scheme}_proxy".upper() for scheme in _PROXIED),
    "no_proxy",
    "NO_PROXY",
    "REQUEST_METHOD",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NETRC",
    _HOME,
)

_NO_PROXIES: Final[Mapping[str, str]] = MappingProxyType({})


class Environment(NamedTuple):
    """What the variables of the environment say.

    Attributes:
        proxies: the URL of a proxy (or its host and port alone) for "http", "https" and "all", those that
            there are. The lower-case variable goes ahead of the upper-case one, and an empty one says "none".
        no_proxy: the text of NO_PROXY, or "".
        ca_bundle: REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE: what stands in the place of `verify=True`; or
            None.
        ssl_cert_file: SSL_CERT_FILE, which OpenSSL takes in the place of the system's store; or None.
        ssl_cert_dir: SSL_CERT_DIR, likewise.
        netrc_paths: where the netrc file is looked for; the first that exists counts.
    """

    proxies: Mapping[str, str]
    no_proxy: str
    ca_bundle: str | None
    ssl_cert_file: str | None
    ssl_cert_dir: str | None
    netrc_paths: tuple[str, ...]

    def __repr__(self) -> str:
        # The URLs of proxies may hold passwords.
        return f"<Environment with proxies for {', '.join(self.proxies) or 'nothing'}>"

    @classmethod
    def read(cls, variables: Mapping[str, str], names_have_case: bool = os.name != "nt") -> Environment:
        """Make sense of variables.

        Args:
            variables: the variables by their names.
            names_have_case: whether `http_proxy` and `HTTP_PROXY` can be two variables; not so on Windows.
        """
        return cls(
            proxies=MappingProxyType(_proxies(variables, names_have_case)),
            no_proxy=_either_case(variables, "no_proxy"),
            ca_bundle=variables.get("REQUESTS_CA_BUNDLE") or variables.get("CURL_CA_BUNDLE") or None,
            ssl_cert_file=variables.get("SSL_CERT_FILE") or None,
            ssl_cert_dir=variables.get("SSL_CERT_DIR") or None,
            netrc_paths=_netrc_paths(variables.get("NETRC"), variables.get(_HOME)),
        )

    def proxies_for(self, url: URL, no_proxy: str | None = None) -> Mapping[str, str]:
        """The proxies that may be asked for a URL.

        Args:
            url: the URL.
            no_proxy: rules that take the place of NO_PROXY; None, the default, for NO_PROXY.

        Returns:
            `proxies`, or nothing where the URL is reached directly, see `bypasses`.
        """
        if not self.proxies:
            return _NO_PROXIES
        return _NO_PROXIES if self.bypasses(url, no_proxy) else self.proxies

    def bypasses(self, url: URL, no_proxy: str | None = None) -> bool:
        """Whether a URL is reached directly: by a unix socket, as a loopback, or because the rules say so.

        Args:
            url, no_proxy: as for `proxies_for`.
        """
        if url.is_unix:
            return True
        rules = self.no_proxy if no_proxy is None else no_proxy
        return is_loopback(url.host) or bypasses_proxy(url.host, url.effective_port, rules)

    def netrc(self) -> Netrc | None:
        """The netrc file as it is now, or None where there is none that can be read."""
        path = self.netrc_path()
        return None if path is None else _netrc_at(path)

    def netrc_path(self) -> str | None:
        """The netrc file that is there, whether or not it can be read; None where there is none."""
        # Most machines have none, and access() says so at half the price of the error that stat() raises.
        return next((path for path in self.netrc_paths if os.access(path, os.F_OK)), None)


# --- reading the variables

# `os.environ.get` costs up to a microsecond for each variable that is not set: it encodes the name, and
# raises and catches two KeyErrors. Below it lies a dict, which is changed in place and through os.environ
# alone, and whose own `get` costs a thirtieth. It is not a public attribute: where it is absent, or where a
# program has put another mapping in the place of os.environ, that mapping's `get` is asked.
_inside: Any = getattr(os.environ, "_data", None)
_has_inside: Final = type(_inside) is dict and hasattr(os.environ, "encodekey")
_known_environ: Any = os.environ if _has_inside else None
_look_up: Any = _inside.get if _has_inside else None
_KEYS: Final[tuple[Any, ...]] = tuple(map(os.environ.encodekey, _NAMES)) if _has_inside else ()
_TELLING: Final = _KEYS[:-1]  # all but home
_set: Any = _inside.keys() if _has_inside else None  # the variables that are set, as they stand


def current() -> Environment:
    """The environment as it stands."""
    if os.environ is not _known_environ:
        return _environment(tuple(map(_as_inside, map(os.environ.get, _NAMES))))
    if _set.isdisjoint(_TELLING):  # as on most machines: nothing is said but where home is
        return _at_home(_look_up(_KEYS[-1]))
    return _environment(tuple(map(_look_up, _KEYS)))


@lru_cache(maxsize=8)  # as `_environment` has it
def _at_home(home: str | bytes | None) -> Environment:
    return _environment((*(None for _ in _NAMES[:-1]), home))


def _as_inside(value: str | None) -> str | bytes | None:
    """A value in the type that os.environ keeps: text and bytes must not meet in the keys of a cache."""
    return os.fsencode(value) if value is not None and os.supports_bytes_environ else value


# A program has one environment. The bound leaves room for one that switches to and fro between a few.
@lru_cache(maxsize=8)
def _environment(values: tuple[str | bytes | None, ...]) -> Environment:
    pairs = zip(_NAMES, values, strict=True)
    return Environment.read({name: os.fsdecode(value) for name, value in pairs if value is not None})


def _proxies(variables: Mapping[str, str], names_have_case: bool) -> dict[str, str]:
    said = {scheme: _either_case(variables, f"{scheme}_proxy") for scheme in _PROXIED}
    if _is_cgi(variables):
        # HTTP_PROXY is the header "Proxy" of the request that a CGI program serves (CVE-2016-5385): it says
        # what the world wants. Only a name in lower case can't come from a header.
        said["http"] = variables.get("http_proxy", "").strip() if names_have_case else ""
    return {scheme: proxy for scheme, proxy in said.items() if proxy}


def _is_cgi(variables: Mapping[str, str]) -> bool:
    """RFC 3875, section 4.1.12: a CGI program always has a REQUEST_METHOD."""
    return "REQUEST_METHOD" in variables


def _either_case(variables: Mapping[str, str], name: str) -> str:
    """A variable's value without blanks around it; the name in lower case goes first, even if it is empty."""
    return variables.get(name, variables.get(name.upper(), "")).strip()


# --- NO_PROXY


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


# As many hosts as a busy program talks to in turn, at some hundred bytes each. A crawler that meets more of
# them has the rules gone through again for a host that comes back, which costs microseconds.
@lru_cache(maxsize=1024)
def bypasses_proxy(host: str, port: int, no_proxy: str) -> bool:
    """Whether rules say that a host is reached without a proxy.

    Args:
        host: the host of a `URL`: in lower case, and without brackets.
        port: the port that would be dialled.
        no_proxy: the rules as text, see `NoProxy`.
    """
    return _parsed_no_proxy(no_proxy).covers(host, port)


@lru_cache(maxsize=8)  # as many as there are environments, see above
def _parsed_no_proxy(text: str) -> NoProxy:
    return NoProxy.parse(text)


@lru_cache(maxsize=1024)  # as many as bypasses_proxy has
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
    from ipaddress import (  # loaded only where there are proxies, to keep start-up light
        IPv6Address,
        ip_address,
    )

    try:
        address = ip_address(host)
    except ValueError:
        return _old_ipv4(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (address,) if mapped is None else (address, mapped)


def _old_ipv4(host: str) -> tuple[_Address, ...]:
    # The resolver takes 127.1 and 0x7f000001 for addresses, so rules for names must not: "1" is no domain.
    from ipaddress import IPv4Address  # likewise

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
    from ipaddress import ip_network  # likewise

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


# --- which proxy


class _Scope(NamedTuple):
    """What a key of a mapping of proxies speaks of; "" is any."""

    scheme: str
    host: str = ""
    port: str = ""

    def covers(self, other: _Scope) -> bool:
        """Whether it speaks of everything that the other speaks of."""
        return (
            self.scheme in ("", other.scheme)
            and self.host in ("", other.host)
            and self.port in ("", other.port)
        )

    def narrowed_to(self, other: _Scope) -> _Scope:
        """The part of it that names what the other names, where it leaves that open."""
        return _Scope(*(mine or its for mine, its in zip(self, other, strict=True)))

    @property
    def rank(self) -> tuple[bool, ...]:
        """The order in which requests documents the keys: scheme and host, the scheme, the host, "all"."""
        return tuple(map(bool, self))

    def __str__(self) -> str:
        scheme = self.scheme or "all"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return scheme + (f"://{host}" if host else "") + (f":{self.port}" if self.port else "")


# The keys that a program has in its mappings, of which two or three are usual.
@lru_cache(maxsize=256)
def _scope(key: str) -> _Scope:
    scheme, _, place = key.lower().partition("://")
    place = place.rstrip("/")
    host, port = place, ""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    return _Scope("" if scheme == "all" else scheme, host, port)


def select_proxy(url: URL, proxies: ProxyMapping) -> str | None:
    """The proxy for a URL.

    Args:
        url: the URL.
        proxies: URLs of proxies by what they are for: "scheme://host" goes ahead of "scheme", then comes
            "all://host", then "all". A host can have a port, and goes ahead of the host without one then.
            None or "" as the URL means that there is to be no proxy.

    Returns:
        The text as it stands in the mapping, or None for none. No proxy reaches a unix socket, whatever the
        mapping says.
    """
    if not proxies or url.is_unix:
        return None
    key = _closest(_Scope(url.scheme, url.host, str(url.effective_port)), proxies)
    return None if key is None else proxies[key] or None


def merge_proxies(
    given: ProxyMapping | None, session: ProxyMapping | None, environment: Mapping[str, str]
) -> ProxyMapping:
    """One mapping of the call's, the session's and the environment's proxies, in this order.

    What one of them says of a URL holds, whatever the next ones say of it in other words: {"all": proxy} of
    the session covers "http" of the environment.

    Args:
        given: what the caller passed for this request, or None.
        session: what was set on the session, or None.
        environment: what `Environment.proxies_for` says.

    Returns:
        A mapping for `select_proxy`, to be read and not to be changed. A value of None stays in it: it says
        that there is to be no proxy, and to leave it out would give the word to a key such as "all". An empty
        mapping of the caller or the session means direct, for all that was not said before it.
    """
    merged: ProxyMapping | None = None
    for said in (given, session):
        if said is not None:
            merged = said if merged is None else _laid_under(merged, said)
            if not said:
                return merged
    return environment if merged is None else _laid_under(merged, environment)


def _laid_under(above: ProxyMapping, below: ProxyMapping) -> ProxyMapping:
    """Both mappings in one, in which `below` counts for nothing that `above` speaks of."""
    if not below:
        return above
    merged = dict(above)
    scopes = [_scope(key) for key in above]
    for key, proxy in below.items():
        scope = _scope(key)
        if any(other.covers(scope) for other in scopes):
            continue
        merged[key] = proxy
        # "http" of `below` would go ahead of "all://host" of `above`. So what stands above is said again, by
        # keys that nothing goes ahead of.
        for other in scopes:
            shared = other.narrowed_to(scope)
            # Most speak of other hosts, or are as narrow as they can be: there is nothing to say again.
            if shared == other or not scope.covers(shared):
                continue
            closest = _closest(shared, above)
            assert closest is not None, "the key that was narrowed covers it"
            merged[str(shared)] = above[closest]
    return merged


def _closest(target: _Scope, proxies: ProxyMapping) -> str | None:
    """The key that speaks of the target most closely, or None."""
    keys = [key for key in proxies if _scope(key).covers(target)]
    return max(keys, key=lambda key: _scope(key).rank, default=None)


# --- netrc


class Netrc(NamedTuple):
    """The credentials of a netrc file.

    Attributes:
        path: the file.
        machines: user and password by the machine's name in lower case; None for one that is to have none.
        default: user and password for all other machines, or None.
    """

    path: str
    machines: Mapping[str, Credentials | None]
    default: Credentials | None

    def __repr__(self) -> str:
        return f"<Netrc of {self.path!r}>"

    def credentials(self, host: str) -> Credentials | None:
        """User and password for a host, or None.

        Args:
            host: the host of a `URL`, and nothing else. A host that was cut out of a URL's text by other
                rules than those by which it is dialled would send passwords astray (CVE-2024-47081).

        Returns:
            Those of the machine of this very name; where there is none, those of `default`. The account is
            the user where there is no login.
        """
        return self.machines.get(host, self.default)


# For how long a netrc file that was not there is not looked for again: it is asked for at each request, and
# to find none takes the system longer than all the rest of a request's preparation takes us. Nobody waits for
# a second between writing the file and the request that it is for, but who has sent others just before.
NETRC_ABSENCE: Final = 1.0
# The variables by which there was none, and until when that is taken to be so. It is replaced whole, by
# whoever has looked last.
_absent: tuple[tuple[Any, Any], float] = ((None, None), 0.0)


def netrc(now: float | None = None) -> Netrc | None:
    """The netrc file that the environment names, as it is now; None where there is none that can be read.

    One that was not there is looked for again after `NETRC_ABSENCE` seconds, or when the environment names
    another.

    Args:
        now: the time of `time.monotonic()`, by default the present.
    """
    global _absent
    if os.environ is _known_environ:
        asked = _look_up(_KEYS[-2]), _look_up(_KEYS[-1])
    else:
        asked = os.environ.get("NETRC"), os.environ.get(_HOME)
    now = time.monotonic() if now is None else now
    asked_then, until = _absent
    if now < until and asked == asked_then:
        return None
    path = current().netrc_path()
    if path is None:
        _absent = asked, now + NETRC_ABSENCE
    return None if path is None else _netrc_at(path)


def netrc_credentials(host: str) -> Credentials | None:
    """User and password of the netrc file for a host, see `Netrc.credentials`."""
    file = netrc()
    return None if file is None else file.credentials(host)


def netrc_machine(url: URL) -> str | None:
    """The machine of a netrc file that a URL leads to; None for a unix socket.

    A socket is no machine, and must not get what the file has for all others (`default`).
    """
    return None if url.is_unix else url.host


def _netrc_paths(named: str | None, home: str | None) -> tuple[str, ...]:
    """NETRC alone, where it is set: set to nothing, it says that there is no file."""
    if home is None:
        home = os.path.expanduser("~")  # by the system's list of users
    if named is not None:
        begins_at_home = named == "~" or named.startswith(("~/", f"~{os.sep}"))
        path = home + named[1:] if begins_at_home else os.path.expanduser(named)
        return (path,)
    # Below a home that is relative there may be a file of anybody's.
    return tuple(os.path.join(home, name) for name in _NETRC_NAMES) if os.path.isabs(home) else ()


def _netrc_at(path: str) -> Netrc | None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None  # a pipe would let the request hang, and /dev/null says none
        return _parsed_netrc(path, status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
    except OSError:
        return None  # it may be another user's, and is not kept as an answer: rights change without a trace


# A program has one file, or a few where its auth objects name some. No more than that, so that a password
# that was taken out of a file does not live on here.
@lru_cache(maxsize=4)
def _parsed_netrc(path: str, *edition: int) -> Netrc:
    """Read a netrc file by the standard library.

    Its reader knows quotes, comments and macros, and is the one that requests uses; it costs a program with
    a netrc file less than a millisecond to load, and others nothing. Like requests, and curl, we do not ask
    who else may read the file. A file that breaks the format says nothing at all: where one token is missing,
    the next ones could be taken for what they are not. That is worth a warning, once for each edition of the
    file: the server will only say 401.

    Raises:
        OSError: the file can't be read.
    """
    from netrc import NetrcParseError  # loaded only where there is a file
    from netrc import netrc as read

    try:
        hosts = read(path).hosts
    except (NetrcParseError, UnicodeError) as error:
        # The error's own text would show a token, and the token may be a password.
        line = getattr(error, "lineno", None)
        where = "is not text" if line is None else f"is malformed at line {line}"
        warnings.warn(
            f"the netrc file {path!r} {where}: no credentials are taken from it until it is corrected; "
            f"NETRC can name another file",
            stacklevel=2,
        )
        return Netrc(path, {}, None)
    machines = {name.lower(): _credentials(*entry) for name, entry in hosts.items()}
    return Netrc(path, machines, default=machines.get("default"))


def _credentials(login: str, account: str | None, password: str | None) -> Credentials | None:
    if not (login or account or password):
        return None
    return login or account or "", password or ""
