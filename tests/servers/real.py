"""Real server programs, each in a process of its own, and what they can tell of the client.

The question put to every one of them is the same: over how many connections did the requests come? The server
answers it itself: nginx logs the serial number of the connection with each request, the applications behind
the others note the client's port (see `apps`). Connections that carried no request are not counted.

The programs are handed a socket that listens already, so no two can want the same port and a first question
waits in the socket's queue until the program is ready. Only nginx insists on opening its own.

Most tests ask how often a connection is used again, on however slow a machine, and want programs that are in
no hurry to close idle ones (`RealServers.get`). Those that ask what happens when an idle connection is closed
have programs of their own (`RealServers.idling`, `RealServers.announcing`).
"""

from __future__ import annotations

import contextlib
import functools
import grp
import http.client
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import trustme

from tests.servers.apps import CONNECTION_LOG, FRESH
from tests.servers.certificates import KeyPair, key_pair
from tests.servers.leash import PATIENCE

DEADLINE = 30.0
_ROOT = Path(__file__).parents[2]
# A server program reads its settings from the environment too; it gets what a process needs and no more.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV")


class ServerDied(AssertionError):
    """The program ended instead of serving; the message is what it said."""


class RealServer:
    """A server program while it runs; `command` makes its arguments from the fd of the listening socket."""

    def __init__(
        self, name: str, command: Callable[[int], list[str]], folder: Path, *, trust: str | None = None
    ) -> None:
        self.name = name
        self.host = "127.0.0.1"
        self.port = 0
        self.folder = folder
        self._command = command
        self._trust = trust
        self._log = folder / "connections.log"
        self._seen_before = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<{self.name} on port {self.port}>"

    @property
    def url(self) -> str:
        """The address without a path: `server.url + "/echo"`."""
        return f"{'https' if self._trust else 'http'}://{self.host}:{self.port}"

    @property
    def process_group(self) -> int:
        """The group that the program and all its children are in."""
        assert self._process is not None
        return self._process.pid

    # -- what it saw --------------------------------------------------------------------------------------

    def log(self) -> list[tuple[str, str]]:
        """For each request since `reset`, in order: its connection, and "METHOD /path"."""
        lines = self._lines()[self._seen_before :]
        return [(connection, rest) for connection, _, rest in (line.partition(" ") for line in lines)]

    def requests(self) -> list[str]:
        return [request for _, request in self.log()]

    def connections(self) -> int:
        """By how many connections the requests since `reset` came."""
        return len({connection for connection, _ in self.log()})

    def reset(self) -> None:
        """Count from here on."""
        self._ask_fresh()
        self._seen_before = len(self._lines())

    def _lines(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    # -- living -------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._launch()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # The program's own children are in its group, and go with it whatever it did about them.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def _launch(self) -> None:
        with socket.socket() as listener:
            listener.bind((self.host, 0))
            # What is accepted from it inherits this. The programs set it on sockets of their own making, and
            # without it head and body that leave in two writes are 40 ms apart.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.listen(128)
            self.port = listener.getsockname()[1]
            descriptor = listener.fileno()
            self._run([sys.executable, "-m", *self._command(descriptor)], (descriptor,))
        # This process holds the socket no longer: if the program dies, so does the question in its queue.
        try:
            self._ask_fresh()
        except (OSError, http.client.HTTPException) as error:
            raise ServerDied(f"{self.name} does not answer ({error!r}):\n{self._last_words()}") from error

    def _run(self, arguments: list[str], descriptors: tuple[int, ...] = ()) -> None:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": str(_ROOT), "HOME": str(self.folder), CONNECTION_LOG: str(self._log)}
        with (self.folder / "stderr").open("wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.servers.leash", *arguments],
                cwd=self.folder,
                env=environment,
                pass_fds=descriptors,
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )

    def _last_words(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    def _ask_fresh(self) -> None:
        connection: http.client.HTTPConnection
        if self._trust:
            context = ssl.create_default_context(cafile=self._trust)
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=DEADLINE, context=context)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request("GET", FRESH, headers={"Connection": "close"})
            status = connection.getresponse().status
            if status != 200:
                raise ServerDied(f"{self.name} answers with status {status}:\n{self._last_words()}")


# -- nginx ------------------------------------------------------------------------------------------------

_NGINX_CONF = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 256; }}
http {{
    log_format connections '$connection $request_method $request_uri';
    access_log {log} connections;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type text/plain;
    keepalive_timeout {keep_alive};
    server {{
        listen 127.0.0.1:{port};
        root {folder}/static;
        index small.txt;
        location = {fresh} {{ access_log off; return 200; }}
        location = /peer {{ return 200 $remote_port; }}
        location /echo {{ return 200 '{{"method": "$request_method", "path": "$uri"}}'; }}
        location = /limited {{ keepalive_requests 2; return 200 limited; }}
        location = /closing {{ keepalive_timeout 0; return 200 closing; }}
    }}
}}
"""


class Nginx(RealServer):
    """nginx with two static files, /small.txt (also /) and /large.bin (1 MiB).

    /peer is the client's port, /echo and /echo/N method and path as JSON. A connection ends with the response
    of /closing, and with that of /limited if it is not the first request.
    """

    def __init__(self, folder: Path, keep_alive: str = "30s") -> None:
        super().__init__("nginx", lambda descriptor: [], folder)
        self._keep_alive = keep_alive

    def log(self) -> list[tuple[str, str]]:
        # nginx writes its log when a response has left, maybe after the client read it; but its one worker
        # does one thing after the other: once it answers a later question, what came before is written.
        self._ask_fresh()
        return [(connection, request.partition("?")[0]) for connection, request in super().log()]

    def _launch(self) -> None:
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            raise ServerDied(
                "these tests need nginx: apt-get install nginx-light (macOS: brew install nginx)"
            )
        static = self.folder / "static"
        static.mkdir()
        (static / "small.txt").write_bytes(b"hello from nginx\n")
        (static / "large.bin").write_bytes(bytes(range(256)) * 4096)
        for _ in range(5):
            self.port = _free_port()
            conf = self.folder / "nginx.conf"
            conf.write_text(
                _NGINX_CONF.format(
                    folder=self.folder,
                    log=self._log,
                    port=self.port,
                    user=_nginx_user(),
                    fresh=FRESH,
                    keep_alive=self._keep_alive,
                )
            )
            self._run([program, "-p", str(self.folder), "-c", str(conf)])
            if self._is_up():
                return
            self._end()
            if "bind()" not in self._last_words():
                break
        raise ServerDied(f"nginx does not serve:\n{self._last_words()}")

    def _is_up(self) -> bool:
        assert self._process is not None
        limit = time.monotonic() + DEADLINE
        while self._process.poll() is None and time.monotonic() < limit:
            try:
                self._ask_fresh()
            except ConnectionRefusedError:
                time.sleep(0.01)
            except (ServerDied, OSError, http.client.HTTPException):
                # Somebody else is on that port; nginx is about to find out.
                self._process.wait(DEADLINE)
            else:
                return self._process.poll() is None
        return False


def _nginx_user() -> str:
    # Started as root it would serve as nobody, who may not read the folder of the tests.
    if os.getuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getgid()).gr_name};"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- all of them ------------------------------------------------------------------------------------------

_APPS = "tests.servers.apps"
_Command = Callable[[int], list[str]]
# As long as any test may take.
_LONG = 60


def _gunicorn(
    worker: str, app: str, pair: KeyPair | None = None, *, keep_alive: int | None = _LONG
) -> _Command:
    def command(descriptor: int) -> list[str]:
        options = ["--bind", f"fd://{descriptor}", "--workers", "1", "--worker-class", worker]
        if worker == "gthread":
            options += ["--threads", "16", *_option("--keep-alive", keep_alive)]
        if pair is not None:
            options += ["--certfile", pair.certificate, "--keyfile", pair.key]
        return ["gunicorn", *options, "--graceful-timeout", "1", "--log-level", "warning", app]

    return command


def _uvicorn(keep_alive: int | None) -> _Command:
    options = [*_option("--timeout-keep-alive", keep_alive), "--log-level", "warning"]
    return lambda descriptor: ["uvicorn", "--fd", str(descriptor), *options, f"{_APPS}:asgi"]


def _hypercorn(keep_alive: int | None) -> _Command:
    # Without workers it serves in the process that was started, no child of it.
    options = ["--workers", "0", *_option("--keep-alive", keep_alive)]
    return lambda descriptor: ["hypercorn", "--bind", f"fd://{descriptor}", *options, f"{_APPS}:asgi"]


def _ours(module: str, keep_alive: int | None, *options: str) -> _Command:
    """One of the programs that have a module here."""
    arguments = [] if keep_alive is None else [str(keep_alive)]
    return lambda descriptor: [f"tests.servers.{module}", str(descriptor), *arguments, *options]


def _option(name: str, value: int | None) -> list[str]:
    return [] if value is None else [name, str(value)]


def _idling(name: str, keep_alive: int | None) -> _Command:
    """The command of a program that keeps idle connections for so many seconds, or as long as it likes."""
    commands: dict[str, _Command] = {
        "gunicorn": _gunicorn("gthread", f"{_APPS}:wsgi", keep_alive=keep_alive),
        "gunicorn_sync": _gunicorn("sync", f"{_APPS}:wsgi"),
        "uvicorn": _uvicorn(keep_alive),
        "hypercorn": _hypercorn(keep_alive),
        "waitress": _ours("waitress_on_fd", keep_alive),
        "cheroot": _ours("cheroot_on_fd", keep_alive),
        "aiohttp": _ours("aiohttp_on_fd", keep_alive),
        "tornado": _ours("tornado_on_fd", keep_alive),
    }
    return commands[name]


class RealServers:
    """All the programs, each started when it is first asked for and stopped with the rest."""

    KEEPING_ALIVE = (
        "gunicorn",
        "uvicorn",
        "hypercorn",
        "waitress",
        "cheroot",
        "aiohttp",
        "tornado",
        "nginx",
        "httpbin",
        "httpbin_tls",
    )

    def __init__(self, ca: trustme.CA, ca_file: str) -> None:
        self._ca = ca
        self._ca_file = ca_file
        self._folder = tempfile.TemporaryDirectory(prefix="servers-")
        self._running: dict[str, RealServer] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def get(self, name: str) -> RealServer:
        """The running program of this name, counting from zero."""
        return self._get(name, functools.partial(self._make, name))

    def idling(self, name: str, seconds: int | None) -> RealServer:
        """The program of this name that closes connections which are idle for so many seconds.

        With None it does so when it does by default.
        """

        def make(folder: Path) -> RealServer:
            if name == "nginx":
                return Nginx(folder, "75s" if seconds is None else f"{seconds}s")
            return RealServer(name, _idling(name, seconds), folder)

        return self._get(f"{name}_idling_{seconds}", make)

    def announcing(self, name: str, seconds: int) -> RealServer:
        """nginx or cheroot, which says `Keep-Alive: timeout=` so many seconds, and closes much later."""

        def make(folder: Path) -> RealServer:
            if name == "nginx":
                return Nginx(folder, f"{_LONG}s {seconds}s")
            assert name == "cheroot", f"{name} announces nothing"
            return RealServer(name, _ours("cheroot_on_fd", seconds, "announce"), folder)

        return self._get(f"{name}_announcing", make)

    def _get(self, key: str, make: Callable[[Path], RealServer]) -> RealServer:
        if key not in self._running:
            self._running[key] = self._stack.enter_context(make(Path(self._folder.name) / key))
        server = self._running[key]
        server.reset()
        return server

    def _make(self, name: str, folder: Path) -> RealServer:
        if name == "nginx":
            return Nginx(folder)
        site = "tests.servers.site:site"
        if name == "httpbin":
            return RealServer(name, _gunicorn("gthread", site), folder)
        if name == "httpbin_tls":
            command = _gunicorn("gthread", site, key_pair(self._ca, folder))
            return RealServer(name, command, folder, trust=self._ca_file)
        return RealServer(name, _idling(name, _LONG), folder)
