"""The command line in a process of its own, with a resolver that knows the hosts of the README alone.

    PLACES='{"httpbin.org:443": 12345}' python -m tests.on_loopback pystickyhttp https://httpbin.org/get
    PLACES=... python -m tests.on_loopback python -m pystickyhttp https://httpbin.org/get

Each place is a port on the loopback. What the tests are made of is not imported: a command should start in no
time.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any


def resolver_of(places: Mapping[str, int]) -> Callable[..., list[Any]]:
    """A `socket.getaddrinfo` that knows the places, and no other names at all."""

    def getaddrinfo(host: Any, port: Any, family: int = 0, *_: Any, **__: Any) -> list[Any]:
        name = host.decode("ascii") if isinstance(host, bytes) else str(host)
        if f"{name}:{port}" not in places or family not in (socket.AF_UNSPEC, socket.AF_INET):
            raise socket.gaierror(socket.EAI_NONAME, f"in the README there is no {name}:{port} of {family!r}")
        address = ("127.0.0.1", places[f"{name}:{port}"])
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    return getaddrinfo


def main() -> None:
    """Run the command that the arguments are."""
    program, *arguments = sys.argv[1:]
    if program == "python":
        assert arguments[:2] == ["-m", "pystickyhttp"], "another program of Python's"
        arguments = arguments[2:]
    sys.argv = ["pystickyhttp", *arguments]
    socket.getaddrinfo = resolver_of(json.loads(os.environ["PLACES"]))
    runpy.run_module("pystickyhttp", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
