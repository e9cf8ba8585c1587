"""Whom a connection trusts: certificates that are refused, stores, files that change, and who shares nothing."""

from __future__ import annotations

import os
import pickle
import shutil
import ssl
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
import truststore
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pystickyhttp import (
    Address,
    InsecureRequestWarning,
    RequestException,
    Session,
    SSLError,
    certs,
)
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import ConnectionPool, OutgoingRequest, Route, TLSIdentity
from pystickyhttp.transport.route import Store
from pystickyhttp.transport.tls import context_for, file_version
from tests.servers.certificates import (
    CLIENT,
    Issued,
    authority,
    issue,
    issue_by_sha1,
    key_pair,
    pem,
    server_context,
)
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

answers = keep_alive(lambda _: respond(b"ok"))


@pytest.fixture(scope="module")
def root() -> Issued:
    return authority("the root")


@pytest.fixture
def root_file(root: Issued, tmp_path: Path) -> str:
    path = tmp_path / "root.pem"
    path.write_bytes(pem(root.certificate))
    return str(path)


@pytest.fixture
def session(root_file: str) -> Iterator[Session]:
    with Session(verify=root_file) as made:
        yield made


def serving(context: ssl.SSLContext) -> ScriptedServer:
    return ScriptedServer(answers, tls=context, handshake_may_fail=True)


def at(server: ScriptedServer) -> Callable[[str, int], list[Address]]:
    """A resolver by which every name is this server."""
    return lambda host, port: [Address.of(server.host, server.port)] if False else [_address(server)]


def _address(server: ScriptedServer) -> Address:
    import socket

    return Address(socket.AF_INET, (server.host, server.port))
