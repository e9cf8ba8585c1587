"""What the client hears from the machine it runs on, and what it hears in a test instead.

The environment and the resolver are inputs of the client that no argument shows. Here they are replaced: the
first by silence, the second by a few public names that lead to the loopback, and to nowhere else.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

_HEARD = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "NETRC"}
# Set by a CGI server; the standard library then takes HTTP_PROXY for a header, not for a setting.
_HEARD_BY_URLLIB = {"REQUEST_METHOD"}

LOOPBACK_NAMES = {"httpbin.org", "api.example.com", "example.com"}


def hush(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """No proxy, no trust store and no netrc is heard of; the home directory is `home`."""
    for name in list(os.environ):
        if name.upper() in _HEARD | _HEARD_BY_URLLIB or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))


def lead_to_loopback(monkeypatch: pytest.MonkeyPatch, ports: Mapping[int, int]) -> None:
    """LOOPBACK_NAMES resolve to 127.0.0.1 and, of each port in `ports`, to the port that it stands for.

    They have no other ports and no other addresses, so a test that strays does not reach the world.
    """
    resolve = socket.getaddrinfo
    services = {"http": 80, "https": 443}

    def getaddrinfo(host: Any, port: Any, family: int = 0, *rest: Any, **named: Any) -> list[Any]:
        name = host.decode("ascii") if isinstance(host, bytes) else str(host)
        if name.rstrip(".").lower() not in LOOPBACK_NAMES:
            return resolve(host, port, family, *rest, **named)
        number = services.get(str(port)) or int(port or 0)
        if number not in ports or family not in (socket.AF_UNSPEC, socket.AF_INET):
            raise socket.gaierror(socket.EAI_NONAME, f"in this test {name} has no port {port} of {family!r}")
        address = ("127.0.0.1", ports[number])
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
