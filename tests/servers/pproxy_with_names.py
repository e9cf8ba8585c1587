"""pproxy as a SOCKS5 server that knows names which nobody else knows: all of them lead to the loopback.

So a connection by one of these names proves that the name was resolved by the server. Arguments: the port,
"user:password", and the names.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pproxy  # type: ignore[import-untyped]


class _Loop(asyncio.SelectorEventLoop):
    """The event loop, by which pproxy resolves the names that it connects to."""

    names: frozenset[str] = frozenset()

    async def getaddrinfo(self, host: Any, port: Any, **named: Any) -> list[Any]:
        return await super().getaddrinfo("127.0.0.1" if host in self.names else host, port, **named)


async def _serve(port: str, credentials: str) -> None:
    server = pproxy.Server(f"socks5://127.0.0.1:{port}#{credentials}")
    # authtime: whoever gave the password once would not be asked for it again, by default for a month.
    await server.start_server({"rserver": [], "authtime": -1, "verbose": print})
    await asyncio.Event().wait()


def main(port: str, credentials: str, *names: str) -> None:
    _Loop.names = frozenset(names)
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(_serve(port, credentials))


if __name__ == "__main__":
    main(*sys.argv[1:])
