"""Proxies that others wrote: of http, of http within TLS, and of SOCKS5.

Each is a program in a process of its own, at ports of the loopback that are held for it, and comes with its
`Door`s: a door is a port, how the program is spoken to there, and whether it asks for `CREDENTIALS`.

    with Proxies(ca, ca_file) as proxies:
        door = proxies.door("squid", "https", guarded=True)
        session.get(url, proxies={"all": door.url("user:secret")})
        with door.program.down():
            ...  # its port refuses connections, and is still nobody else's

Most of these programs open their port by themselves and can't say which. So the port is taken for them: a
socket that is bound and does not listen holds it, and Linux lets a program listen there that names it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

from tests.servers.apps import FRESH
from tests.servers.certificates import KeyPair, key_pair
from tests.servers.real import DEADLINE, RealServer, ServerDied

# What a guarded door asks for.
CREDENTIALS = ("user", "secret")
# A name that only the proxies know which resolve by a list of their own (squid, pproxy).
KNOWN_TO_PROXIES = "example.com"

_LOOPBACK = "127.0.0.1"
# Where programs are that only an administrator is thought to call, and those that a program has for itself.
_PROGRAM_PATH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_SQUID_HELPER_PATH = (
    "/usr/lib/squid",
    "/usr/lib64/squid",
    "/usr/libexec/squid",
    "/opt/homebrew/opt/squid/libexec",
)


@dataclass(frozen=True)
class Door:
    """A port of a program; `scheme` is how the program is spoken to there: http, https or socks5."""

    program: Program
    scheme: str
    port: int
    guarded: bool

    def url(self, userinfo: str = "", *, scheme: str | None = None) -> str:
        """For `proxies=`; `userinfo` as it stands in a URL, `scheme` for socks5h in the place of socks5."""
        at = f"{userinfo}@" if userinfo else ""
        return f"{scheme or self.scheme}://{at}{_LOOPBACK}:{self.port}"


class Program(RealServer):
    """A proxy while it runs. A subclass says in `_command_line` what is called, and writes its settings."""

    def __init__(self, name: str, folder: Path, doors: dict[str, tuple[str, bool]]) -> None:
        super().__init__(name, lambda descriptor: [], folder)
        self.doors: dict[str, Door] = {}
        self._wanted = doors
        self._holders = contextlib.ExitStack()

    def __repr__(self) -> str:
        return f"<{self.name} on ports {[door.port for door in self.doors.values()]}>"

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Nobody is at its doors in this block; afterwards it is back, at the same ports."""
        self._end()
        try:
            yield
        finally:
            self._launch()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as holders:
            for key, (scheme, guarded) in self._wanted.items():
                self.doors[key] = Door(self, scheme, holders.enter_context(_held_port()), guarded)
            self.port = next(iter(self.doors.values())).port
            super().__enter__()
            self._holders = holders.pop_all()
        return self

    def ask_to_end(self) -> None:
        """Begin to end it, and do not wait."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _launch(self) -> None:
        self._run(self._command_line())
        for door in self.doors.values():
            self._wait_for(door)

    def _command_line(self) -> list[str]:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._holders.close()

    def _wait_for(self, door: Door) -> None:
        assert self._process is not None
        limit = time.monotonic() + DEADLINE
        while True:
            try:
                return _ask(door)
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > limit:
                    raise ServerDied(
                        f"{self.name} does not serve {door.scheme} ({error!r}):\n{self._last_words()}"
                    ) from error
                time.sleep(0.01)

    def _ask_fresh(self) -> None:
        for door in self.doors.values():
            _ask(door)


def _ask(door: Door) -> None:
    """Return when the program answered, whatever it says."""
    with socket.create_connection((_LOOPBACK, door.port), timeout=DEADLINE) as plain:
        if door.scheme == "socks5":
            # Version 5, and two ways to choose from: no authentication, user and password (RFC 1928).
            plain.sendall(b"\x05\x02\x00\x02")
            answer = plain.recv(1)
        elif door.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain) as secure:
                secure.sendall(b"GET %s HTTP/1.0\r\n\r\n" % FRESH.encode())
                answer = secure.recv(1)
        else:
            plain.sendall(b"GET %s HTTP/1.0\r\n\r\n" % FRESH.encode())
            answer = plain.recv(1)
    if not answer:
        raise ConnectionResetError("it closed without an answer")


@contextlib.contextmanager
def _held_port() -> Iterator[int]:
    with socket.socket() as holder:
        # With it on both sockets, and only one of them listening, Linux lets two be bound to one port. It
        # gives the port to no one who asks for any, for a listener or on the way out.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((_LOOPBACK, 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            # There the holder would be in the way; the system does not give the same port again at once.
            holder.close()
        yield port


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_PROGRAM_PATH]))
    if found is None:
        raise ServerDied(
            f"these tests need {name}: apt-get install {package}, or run .ci/run, which installs all of them"
        )
    return found


# -- http ---------------------------------------------------------------------------------------------------


class Tinyproxy(Program):
    """Closes each connection that is no tunnel, and refuses wrong credentials with 401."""

    def __init__(self, folder: Path, *, guarded: bool = False) -> None:
        super().__init__("tinyproxy", folder, {"http": ("http", guarded)})
        self._guarded = guarded

    def _command_line(self) -> list[str]:
        program = _program("tinyproxy", "tinyproxy-bin")
        settings = [f"Listen {_LOOPBACK}", f"Port {self.doors['http'].port}", "Timeout 60", "LogLevel Info"]
        if self._guarded:
            settings.append(f"BasicAuth {' '.join(CREDENTIALS)}")
        conf = self.folder / "tinyproxy.conf"
        conf.write_text("\n".join([*settings, ""]))
        return [program, "-d", "-c", str(conf)]


_SQUID_CONF = """
http_port 127.0.0.1:{http} name=http
http_port 127.0.0.1:{http_guarded} name=http_guarded
https_port 127.0.0.1:{https} name=https tls-cert={certificate} tls-key={key}
https_port 127.0.0.1:{https_guarded} name=https_guarded tls-cert={certificate} tls-key={key}

auth_param basic program {helper} {folder}/passwords
auth_param basic children 2 startup=1
auth_param basic realm tests
acl guarded myportname http_guarded https_guarded
acl known proxy_auth REQUIRED
http_access allow guarded known
http_access deny guarded
http_access allow all

hosts_file {folder}/hosts
cache deny all
cache_mem 0 MB
shutdown_lifetime 0 seconds
logformat connections %>p %rm %ru
access_log stdio:{log} logformat=connections
buffered_logs off
cache_log /dev/null
cache_effective_user nobody
pid_filename none
coredump_dir none
netdb_filename none
pinger_enable off
"""


class Squid(Program):
    """Squid with four doors, of http and of https, for all and guarded; it knows KNOWN_TO_PROXIES.

    It notes for each request by which connection it came: one in absolute form when it is answered, CONNECT
    when the tunnel is closed. Of its users there is a second one, `ODD`, whose password no URL can hold as
    it is.
    """

    ODD = ("user@home", "p@ss:w/rd? #%41")

    def __init__(self, folder: Path, pair: KeyPair) -> None:
        doors = {"http": ("http", False), "http_guarded": ("http", True)}
        doors |= {"https": ("https", False), "https_guarded": ("https", True)}
        super().__init__("squid", folder, doors)
        self._pair = pair

    def log(self) -> list[tuple[str, str]]:
        # It writes its log when a response has left, but does one thing after the other: once it answers a
        # later question, what came before is written.
        self._ask_fresh()
        return [(connection, request) for connection, request in super().log() if FRESH not in request]

    def _command_line(self) -> list[str]:
        program = _program("squid", "squid-openssl")
        helper = shutil.which("basic_ncsa_auth", path=os.pathsep.join(_SQUID_HELPER_PATH))
        if helper is None:
            raise ServerDied(f"squid has no basic_ncsa_auth in {', '.join(_SQUID_HELPER_PATH)}")
        conf = self.folder / "squid.conf"
        conf.write_text(
            _SQUID_CONF.format(
                **{key: door.port for key, door in self.doors.items()},
                certificate=self._pair.certificate,
                key=self._pair.key,
                helper=helper,
                folder=self.folder,
                log=self._log,
            )
        )
        hashed = [(user, hashlib.md5(word.encode()).hexdigest()) for user, word in (CREDENTIALS, self.ODD)]
        (self.folder / "passwords").write_text("".join(f"{user}:{word}\n" for user, word in hashed))
        (self.folder / "hosts").write_text(f"{_LOOPBACK} {KNOWN_TO_PROXIES}\n")
        # Started as root it serves as nobody, who may not write here otherwise.
        self._log.touch()
        self._log.chmod(0o666)
        self.folder.chmod(0o755)
        # -n: memory that its processes share is named after it, and there may be another squid.
        return [program, "-N", "-d", "1", "-n", f"tests{self.doors['http'].port}", "-f", str(conf)]


class ProxyPy(Program):
    """proxy.py."""

    def __init__(self, folder: Path, *, guarded: bool = False, pair: KeyPair | None = None) -> None:
        self._scheme = "http" if pair is None else "https"
        super().__init__("proxy.py", folder, {self._scheme: (self._scheme, guarded)})
        self._guarded = guarded
        self._pair = pair

    def _command_line(self) -> list[str]:
        # One process that listens and serves; it is there for one test after the other.
        options = ["--num-acceptors", "1", "--num-workers", "1", "--log-level", "WARNING"]
        options += ["--port", str(self.doors[self._scheme].port), "--data-dir", str(self.folder)]
        if self._guarded:
            options += ["--basic-auth", ":".join(CREDENTIALS)]
        if self._pair is not None:
            options += ["--cert-file", self._pair.certificate, "--key-file", self._pair.key]
        return [sys.executable, "-m", "proxy", "--hostname", _LOOPBACK, *options]


_STUNNEL_SERVICE = """
[{name}]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{behind}
cert = {certificate}
key = {key}
{version}
"""


class Stunnel(Program):
    """stunnel, which makes https proxies of http ones; two of its doors speak one version of TLS each."""

    VERSIONS = ("TLSv1.2", "TLSv1.3")

    def __init__(self, folder: Path, pair: KeyPair, behind: Door, behind_guarded: Door) -> None:
        doors = dict.fromkeys(("https", *self.VERSIONS), ("https", False))
        super().__init__("stunnel", folder, {**doors, "https_guarded": ("https", True)})
        self._pair = pair
        self._behind = {False: behind, True: behind_guarded}

    def _command_line(self) -> list[str]:
        program = _program("stunnel", "stunnel4")
        services = [
            _STUNNEL_SERVICE.format(
                name=name,
                port=door.port,
                behind=self._behind[door.guarded].port,
                certificate=self._pair.certificate,
                key=self._pair.key,
                version=f"sslVersion = {name}" if name in self.VERSIONS else "",
            )
            for name, door in self.doors.items()
        ]
        conf = self.folder / "stunnel.conf"
        conf.write_text("".join(["foreground = yes\npid =\n", *services]))
        return [program, str(conf)]


# -- SOCKS5 -------------------------------------------------------------------------------------------------


class Microsocks(Program):
    """microsocks, with `credentials` for those alone who give them."""

    def __init__(self, folder: Path, credentials: tuple[str, str] | None = None) -> None:
        super().__init__("microsocks", folder, {"socks5": ("socks5", credentials is not None)})
        self._credentials = credentials

    def _command_line(self) -> list[str]:
        options = ["-i", _LOOPBACK, "-p", str(self.doors["socks5"].port)]
        if self._credentials is not None:
            options += ["-u", self._credentials[0], "-P", self._credentials[1]]
        return [_program("microsocks", "microsocks"), *options]


_DANTED_CONF = """
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: {interface}
clientmethod: none
socksmethod: none
client pass {{ from: 0/0 to: 0/0 }}
socks pass {{ from: 0/0 to: 0/0 log: error }}
"""


class Danted(Program):
    """Dante's server. Its users would be those of the machine, so it is for all."""

    def __init__(self, folder: Path) -> None:
        super().__init__("danted", folder, {"socks5": ("socks5", False)})

    def _command_line(self) -> list[str]:
        conf = self.folder / "danted.conf"
        interface = "lo" if sys.platform == "linux" else "lo0"
        conf.write_text(_DANTED_CONF.format(port=self.doors["socks5"].port, interface=interface))
        program = _program("danted", "dante-server")
        return [program, "-f", str(conf), "-p", str(self.folder / "danted.pid")]


class Pproxy(Program):
    """pproxy, guarded; it knows KNOWN_TO_PROXIES. A far end that it can't reach it answers by closing."""

    def __init__(self, folder: Path) -> None:
        super().__init__("pproxy", folder, {"socks5": ("socks5", True)})

    def _command_line(self) -> list[str]:
        arguments = [str(self.doors["socks5"].port), ":".join(CREDENTIALS), KNOWN_TO_PROXIES]
        return [sys.executable, "-m", "tests.servers.pproxy_with_names", *arguments]


# -- all of them --------------------------------------------------------------------------------------------


class Proxies:
    """All the programs, each started when one of its doors is first asked for, and stopped with the rest.

    Attributes:
        pair: the certificate of all doors of https, for the names of `certificates.NAMES`.
    """

    def __init__(self, ca: trustme.CA) -> None:
        self._ca = ca
        self._running: dict[str, Program] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="proxies-")))
        # For squid, which serves as nobody where it is started as root.
        self._folder.chmod(0o755)
        self.pair = key_pair(self._ca, self._folder / "pair")
        return self

    def __exit__(self, *_: object) -> None:
        # Squid takes its time, and all of them may take it at once.
        for program in self._running.values():
            program.ask_to_end()
        self._stack.close()

    def door(self, name: str, scheme: str, *, guarded: bool = False) -> Door:
        """The door of the program of this name; `scheme` may be a version of TLS for stunnel's."""
        both = name in ("squid", "stunnel")
        key = name if both else f"{name}_{scheme}{'_guarded' * guarded}"
        if key not in self._running:
            made = self._make(name, self._folder / key, scheme, guarded)
            self._running[key] = self._stack.enter_context(made)
        return self._running[key].doors[scheme + "_guarded" * (both and guarded)]

    def _make(self, name: str, folder: Path, scheme: str, guarded: bool) -> Program:
        if name == "tinyproxy":
            return Tinyproxy(folder, guarded=guarded)
        if name == "squid":
            return Squid(folder, self.pair)
        if name == "proxy.py":
            return ProxyPy(folder, guarded=guarded, pair=self.pair if scheme == "https" else None)
        if name == "stunnel":
            behind = [self.door("tinyproxy", "http", guarded=each) for each in (False, True)]
            return Stunnel(folder, self.pair, *behind)
        if name == "microsocks":
            return Microsocks(folder, CREDENTIALS if guarded else None)
        assert name in ("danted", "pproxy"), name
        return Danted(folder) if name == "danted" else Pproxy(folder)
