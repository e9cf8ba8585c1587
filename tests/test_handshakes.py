"""How TLS begins with servers as they are: what they refuse in words, what breaks, and what is known after."""

from __future__ import annotations

import pickle
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pystickyhttp import HandshakeLost, Response, Retry, Session, SSLError
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.transport.tls import TLSInfo
from tests.beside import beside
from tests.servers.certificates import CLIENT, Issued, KeyPair, authority, issue, pem, server_context
from tests.servers.nginx_tls import Client, NginxWithClientCertificates
from tests.servers.openssl import OpenSSLServer
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left
