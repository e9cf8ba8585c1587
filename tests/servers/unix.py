"""Servers on unix sockets: one that says what the scenario says, a real program, and one that is too busy.

The paths are short whatever the folder of the tests is called: a unix socket's has some hundred bytes at most
(unix(7)). What gunicorn serves is `wsgi`: the routes of `apps`, which tell connections apart by the client's
port; here there are no ports, and the socket's inode stands for it.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Any, Self
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIEnvironment

from tests.servers import apps
from tests.servers.real import DEADLINE, RealServer, ServerDied
from tests.servers.scripted import Script, ScriptedServer


def unix_url(path: str | bytes, target: str = "/", userinfo: str = "") -> str:
    """The URL of a socket."""
    return f"http+unix://{userinfo}{quote(os.fsencode(path), safe='')}{target}"


@contextlib.contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder whose name is short enough."""
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        yield Path(folder)


# -- what the scenario says -------------------------------------------------------------------------------


class _Connection(socket.socket):
    """A unix socket that is asked for the options of TCP in vain, and does not mind."""

    def setsockopt(self, level: int, *arguments: Any) -> None:
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, *arguments)


class UnixServer(ScriptedServer):
    """A `ScriptedServer` on a unix socket, by default on one with a path of its own."""

    def __init__(
        self,
        scripts: Script | Sequence[Script],
        path: str | None = None,
        *,
        tls: SSLContext | None = None,
    ) -> None:
        super().__init__(scripts, tls=tls)
        self._folder = None if path is not None else tempfile.TemporaryDirectory(prefix="s")
        self.path = f"{self._folder.name}/Server.sock" if self._folder is not None else str(path)

    def start(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.setblocking(False)
        self._listener.listen(512)
        self._wake_up, self._waker = os.pipe()
        self._spawn(self._accept)

    def stop(self) -> None:
        super().stop()
        if self._folder is not None:
            self._folder.cleanup()

    def _begin(self, connection: socket.socket) -> None:
        super()._begin(_Connection(fileno=connection.detach()))

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        return unix_url(self.path, path)


# -- who is too busy --------------------------------------------------------------------------------------


class BusyServer:
    """It listens, and its queue is full: a connect that does not block is told to come again (EAGAIN)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self.listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            self.listener.bind(self.path)
            self.listener.listen(0)
            self.listener.settimeout(DEADLINE)
            self.fillers = self._fill_queue()
            self._stack = self._stack.pop_all()
        return self

    def _fill_queue(self) -> int:
        for count in range(32):
            filler = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            filler.setblocking(False)
            try:
                filler.connect(self.path)
            except BlockingIOError:
                return count
        raise AssertionError("the queue of the busy server takes more connections than it should")

    def accept(self) -> socket.socket:
        """The next connection in the queue."""
        connection, _ = self.listener.accept()
        return self._stack.enter_context(connection)

    def make_room(self) -> None:
        """Take all connections out of the queue that filled it."""
        for _ in range(self.fillers):
            self.accept()

    def __exit__(self, *_: object) -> None:
        self._stack.close()


# -- a real program ---------------------------------------------------------------------------------------


def wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What gunicorn serves: the routes of `apps`, and under /where the absolute URL of /echo."""
    environ["REMOTE_PORT"] = str(os.fstat(environ["gunicorn.socket"].fileno()).st_ino)
    if environ["PATH_INFO"] != "/where":
        return apps.wsgi(environ, start_response)
    # As frameworks make it that put a slash behind a path: of all that they know of themselves.
    location = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}/echo"
    apps.note(environ["REMOTE_PORT"], environ["REQUEST_METHOD"], environ["PATH_INFO"])
    start_response("307 Temporary Redirect", [("Location", location), ("Content-Length", "0")])
    return []


class UnixGunicorn(RealServer):
    """gunicorn on a unix socket that it makes itself."""

    def __init__(self, worker: str, folder: Path) -> None:
        super().__init__(f"gunicorn ({worker})", lambda descriptor: [], folder)
        self.path = str(folder / "gunicorn.sock")
        self._worker = worker

    @property
    def url(self) -> str:
        return unix_url(self.path, "")

    def _launch(self) -> None:
        options = ["--bind", f"unix:{self.path}", "--workers", "1", "--worker-class", self._worker]
        if self._worker == "gthread":
            options += ["--threads", "8", "--keep-alive", "60"]
        options += ["--graceful-timeout", "1", "--log-level", "warning", "tests.servers.unix:wsgi"]
        self._run([sys.executable, "-m", "gunicorn", *options])
        limit = time.monotonic() + DEADLINE
        while not self._is_up():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > limit:
                raise ServerDied(f"{self.name} does not serve:\n{self._last_words()}")
            time.sleep(0.01)

    def _is_up(self) -> bool:
        try:
            self._ask_fresh()
        except (FileNotFoundError, ConnectionRefusedError):  # it is about to make the socket, and to listen
            return False
        return True

    def _ask_fresh(self) -> None:
        connection = http.client.HTTPConnection("localhost", timeout=DEADLINE)
        connection.sock = _connected(self.path)
        with contextlib.closing(connection):
            connection.request("GET", apps.FRESH, headers={"Connection": "close"})
            status = connection.getresponse().status
            if status != 200:
                raise ServerDied(f"{self.name} answers with status {status}:\n{self._last_words()}")


def _connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(DEADLINE)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


keeping_alive = functools.partial(UnixGunicorn, "gthread")
closing = functools.partial(UnixGunicorn, "sync")
