"""`openssl s_server`: TLS as odd as its options make it, by a program that others wrote.

It prints what it receives, decrypted, and sends what it is handed, so a test knows what reached it, and
answers by hand. It takes one connection and ends with it: then all that it has to say is said.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.servers.certificates import KeyPair
from tests.servers.real import DEADLINE, ServerDied

# As `tests.servers.leash`, for a program that has a standard input of its own and ends by itself.
_LEASH = """
import os, subprocess, sys, threading

def end_with_owner():
    os.read(0, 1)
    program.kill()

program = subprocess.Popen(sys.argv[2:], stdin=int(sys.argv[1]))
threading.Thread(target=end_with_owner, daemon=True).start()
os._exit(program.wait())
"""
_REQUEST = rb"(?s)GET / HTTP/1\.1\r?\n.*?\r?\n\r?\n"


class OpenSSLServer:
    """An s_server on a free port, with a certificate and options of its own, while the `with` block runs.

    Args:
        folder: where it writes what it has to say.
        pair: its certificate with its chain, and its key.
        *options: further ones, see `openssl s_server -help`.
    """

    def __init__(self, folder: Path, pair: KeyPair, *options: str) -> None:
        certificate = pair.certificate
        self._options = ["-cert", certificate, "-cert_chain", certificate, "-key", pair.key, *options]
        self._output = folder / "s_server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._input = -1
        self._heard = 0
        self.port = 0

    def url(self, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}/"

    # -- living -------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        program = shutil.which("openssl")
        if program is None:
            raise ServerDied("these tests need openssl: apt-get install openssl")
        reading, self._input = os.pipe()
        try:
            self._start(
                reading, [program, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", *self._options]
            )
            self.port = int(self._wait_for(rb"ACCEPT \S+:(\d+)")[1])
        except BaseException:
            self._end()
            raise
        finally:
            os.close(reading)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self, reading: int, command: list[str]) -> None:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LEASH, str(reading), *command],
                # What the machine's openssl.cnf allows must not matter.
                env={"PATH": os.environ.get("PATH", ""), "OPENSSL_CONF": os.devnull},
                pass_fds=(reading,),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _end(self) -> None:
        os.close(self._input)
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(DEADLINE)

    # -- what it heard, and says --------------------------------------------------------------------------

    def expect_request(self) -> None:
        """Wait until a request without a body has come, the next one at each call."""
        self._heard = self._wait_for(_REQUEST, self._heard).end()

    def answer(self, body: bytes) -> None:
        """Answer a request."""
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def send(self, data: bytes) -> None:
        """Send bytes; alone on a line, some letters are commands, such as r to renegotiate."""
        while data:
            data = data[os.write(self._input, data) :]

    def said(self) -> bytes:
        """What it has printed so far, of its own and what it received."""
        return self._output.read_bytes()

    def all_it_said(self) -> bytes:
        """The same once its connection is over, and it has ended."""
        assert self._process is not None
        self._process.wait(DEADLINE)
        return self.said()

    def _wait_for(self, pattern: bytes, start: int = 0) -> re.Match[bytes]:
        assert self._process is not None
        limit = time.monotonic() + DEADLINE
        while True:
            over = self._process.poll() is not None or time.monotonic() > limit
            said = self.said()
            match = re.compile(pattern).search(said, start)
            if match is not None:
                return match
            if over:
                raise ServerDied(f"s_server has not printed {pattern!r}:\n{said.decode(errors='replace')}")
            time.sleep(0.005)
