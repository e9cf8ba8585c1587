"""nginx that wants client certificates: a real program that says whom it took the client for."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.servers.certificates import KeyPair
from tests.servers.real import Nginx

_SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {client_ca};
        ssl_verify_client on;
        ssl_verify_depth 3;
        ssl_session_cache shared:clients:1m;
        location = /who {{
            return 200 '$ssl_client_serial $ssl_session_reused $connection $ssl_server_name';
        }}
    }}
}}
"""


class Client(NamedTuple):
    """For whom nginx took the client: the serial number of its certificate, and over which connection."""

    serial: int
    resumed: bool
    connection: str
    asked_for: str

    @classmethod
    def read(cls, text: str) -> Client:
        serial, reused, connection, asked_for = (text + " ").split(" ")[:4]
        return cls(int(serial, 16), reused == "r", connection, asked_for)


class NginxWithClientCertificates(Nginx):
    """nginx, with a second port where TLS is spoken, and a client certificate of `client_ca` wanted.

    `tls_url + "/who"` answers with what `Client.read` reads.
    """

    def __init__(self, folder: Path, pair: KeyPair, client_ca: str) -> None:
        super().__init__(folder)
        self._pair = pair
        self._client_ca = client_ca
        self.tls_port = 0

    @property
    def tls_url(self) -> str:
        return f"https://localhost:{self.tls_port}"

    def _run(self, arguments: Sequence[str], descriptors: tuple[int, ...] = ()) -> None:
        """Run it, with the second port in its configuration."""
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.tls_port = probe.getsockname()[1]
        conf = self.folder / "nginx.conf"
        server = _SERVER.format(
            port=self.tls_port,
            certificate=self._pair.certificate,
            key=self._pair.key,
            client_ca=self._client_ca,
        )
        conf.write_text(conf.read_text().rstrip().removesuffix("}") + server)
        super()._run(list(arguments), descriptors)
