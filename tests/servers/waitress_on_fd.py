"""Waitress on a listening socket that it is handed: its own command line knows no such option.

Arguments: the descriptor, and the seconds for which an idle connection is kept if not waitress's own.
"""

from __future__ import annotations

import socket
import sys

import waitress  # type: ignore[import-untyped]

from tests.servers.apps import wsgi


def _options(seconds: str | None = None) -> dict[str, int]:
    # It looks for idle connections only so often: each 30 s by default.
    return {} if seconds is None else {"channel_timeout": int(seconds), "cleanup_interval": 1}


if __name__ == "__main__":
    waitress.serve(
        wsgi, sockets=[socket.socket(fileno=int(sys.argv[1]))], threads=8, **_options(*sys.argv[2:])
    )
