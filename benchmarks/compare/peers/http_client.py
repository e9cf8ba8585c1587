"""http.client of the standard library: one connection, of which the program takes care itself."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks.client import TIMEOUT
from benchmarks.compare.peers.base import FIELDS, PIECE, Opened, Peer


class HttpClientOpened(Opened):
    def __init__(self, authority: str | None) -> None:
        self._context = ssl.create_default_context(cafile=authority) if authority else None
        self._connection: http.client.HTTPConnection | None = None

    def get(self, url: str) -> int:
        with self._asked("GET", url, FIELDS) as answer:
            answer.read()
            return answer.status

    def get_with(self, url: str, fields: Mapping[str, str]) -> int:
        with self._asked("GET", url, {**FIELDS, **fields}) as answer:
            answer.read()
            return answer.status

    def read(self, url: str) -> int:
        with self._asked("GET", url, FIELDS) as answer:
            return len(answer.read())

    def stream(self, url: str) -> int:
        length = 0
        with self._asked("GET", url, FIELDS) as answer:
            while piece := answer.read(PIECE):
                length += len(piece)
        return length

    def upload(self, url: str, path: str, size: int) -> int:
        connection, target = self._connected(url)
        with open(path, "rb") as file:
            connection.request("PUT", target, file, {**FIELDS, "Content-Length": str(size)})
            with connection.getresponse() as answer:
                answer.read()
                return answer.status

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _asked(self, method: str, url: str, fields: Mapping[str, str]) -> http.client.HTTPResponse:
        connection, target = self._connected(url)
        connection.request(method, target, headers=fields)
        return connection.getresponse()

    def _connected(self, url: str) -> tuple[http.client.HTTPConnection, str]:
        authority, _, rest = url.partition("://")[2].partition("/")
        if self._connection is None:
            self._connection = self._made(url, authority)
        return self._connection, "/" + rest

    def _made(self, url: str, authority: str) -> http.client.HTTPConnection:
        if urlsplit(url).scheme == "http":
            return http.client.HTTPConnection(authority, timeout=TIMEOUT)
        return http.client.HTTPSConnection(authority, timeout=TIMEOUT, context=self._context)


class HttpClient(Peer):
    errors = (http.client.HTTPException, OSError)

    @contextmanager
    def open(self, authority: str | None, connections: int) -> Iterator[Opened]:
        opened = HttpClientOpened(authority)
        try:
            yield opened
        finally:
            opened.close()


PEER = HttpClient()
