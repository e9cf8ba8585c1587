"""What the environment says: proxies, NO_PROXY, CA files, and the netrc file.

A client with the interface of `requests` asks the environment at each request, as it stands then; only a
netrc file that was not there is taken to be absent for a second (`NETRC_ABSENCE`). So `current` looks at some
variables and at nothing else, and whatever is made of them is made once for the same values: an
`Environment` is kept by the values that it was read from, in a cache of functools, which any thread may use;
two threads that miss at the same time compute the same answer twice.

What the rules of NO_PROXY mean, and what stands in a netrc file, is read in `no_proxy` and `netrc_file`: they
are loaded where there are proxies, or such a file, to keep start-up light.

Only the environment's variables are read. What Windows and macOS keep as the system's proxy settings is not.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from .netrc_file import Credentials, Netrc
    from .urls import URL

# Of all variables `<scheme>_proxy` those that can count for a URL of http or https, the two that we speak.
_PROXIED: Final = ("http", "https", "all")
NETRC_NAMES: Final = (".netrc", "_netrc")  # the second is the one that Windows' tools agreed upon
_HOME: Final = "USERPROFILE" if os.name == "nt" else "HOME"

# Home is the last, which is nearly always set, and NETRC the one before: the keys below go by it.
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
        return _is_direct(url.host, url.effective_port, self.no_proxy if no_proxy is None else no_proxy)

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
# Where one of the first is set, there is more to read than where home is.
*_SAYING_KEYS, _HOME_KEY = _KEYS or (None,)
_NETRC_KEY: Final = _SAYING_KEYS[-1] if _SAYING_KEYS else None
_set: Any = _inside.keys() if _has_inside else None  # the variables that are set, as they stand


def current() -> Environment:
    """The environment as it stands."""
    if os.environ is not _known_environ:
        return _environment(tuple(map(_as_inside, map(os.environ.get, _NAMES))))
    if _set.isdisjoint(_SAYING_KEYS):  # as on most machines: nothing is said but where home is
        return _at_home(_look_up(_HOME_KEY))
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


def proxy_variable(scheme: str, proxy: str) -> str | None:
    """Which variable names a proxy: for errors, as who runs the program may never have heard of it.

    Args:
        scheme: that of the URL that the proxy was asked for.
        proxy: its URL, as it was asked by.

    Returns:
        The name as it is set, or None where the environment names another proxy, or none.
    """
    said = current().proxies
    key = scheme if scheme in said else "all"
    if said.get(key) != proxy:
        return None
    name = f"{key}_proxy"
    return name if name in os.environ else name.upper()


# --- NO_PROXY


# As many hosts as a busy program talks to in turn, at some hundred bytes each. A crawler that meets more of
# them has the rules gone through again for a host that comes back, which costs microseconds.
@lru_cache(maxsize=1024)
def _is_direct(host: str, port: int, rules: str) -> bool:
    from . import no_proxy  # loaded only where there are proxies, to keep start-up light

    return no_proxy.is_loopback(host) or no_proxy.bypasses_proxy(host, port, rules)


# --- netrc


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
        asked = _look_up(_NETRC_KEY), _look_up(_HOME_KEY)
    else:
        asked = _as_inside(os.environ.get("NETRC")), _as_inside(os.environ.get(_HOME))
    now = time.monotonic() if now is None else now
    asked_then, until = _absent
    if now < until and asked == asked_then:
        return None
    path = current().netrc_path()
    if path is None:
        _absent = asked, now + NETRC_ABSENCE
        return None
    return _netrc_at(path)


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
    return tuple(os.path.join(home, name) for name in NETRC_NAMES) if os.path.isabs(home) else ()


def _netrc_at(path: str) -> Netrc | None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None  # a pipe would let the request hang, and /dev/null says none
        return _parsed_netrc(path, status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
    except OSError:
        return None  # it may be another user's, and is not kept as an answer: rights change without a trace


# A program has one file, or a few where its auth objects name some. No more than that, so that a password
# that was taken out of a file does not live on here. What is malformed is warned of once for each edition.
@lru_cache(maxsize=4)
def _parsed_netrc(path: str, *edition: int) -> Netrc:
    from .netrc_file import read_netrc  # loaded only where there is a file, to keep start-up light

    return read_netrc(path)
