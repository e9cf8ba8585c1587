"""Waitress on a listening socket that it is handed: its own command line knows no such option."""

from __future__ import annotations

import socket
import sys

import waitress  # type: ignore[import-untyped]

from tests.servers.apps import wsgi

if __name__ == "__main__":
    waitress.serve(wsgi, sockets=[socket.socket(fileno=int(sys.argv[1]))], threads=8)
