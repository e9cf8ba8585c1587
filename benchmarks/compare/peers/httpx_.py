"""httpx, by its interface that blocks."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from benchmarks.client import TIMEOUT
from benchmarks.compare.peers.base import FIELDS, PIECE, Opened, Peer


class HttpxOpened(Opened):
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, url: str) -> int:
        answer = self._client.get(url)
        _ = answer.content
        return answer.status_code

    def get_with(self, url: str, fields: Mapping[str, str]) -> int:
        answer = self._client.get(url, headers=fields)
        _ = answer.content
        return answer.status_code

    def read(self, url: str) -> int:
        return len(self._client.get(url).content)

    def stream(self, url: str) -> int:
        with self._client.stream("GET", url) as answer:
            return sum(len(piece) for piece in answer.iter_bytes(PIECE))

    def upload(self, url: str, path: str, size: int) -> int:
        with open(path, "rb") as file:
            return self._client.put(url, content=file).status_code

    def fill(self, url: str, count: int) -> None:
        request = self._client.build_request("GET", url)
        answers = [self._client.send(request, stream=True) for _ in range(count)]
        for answer in answers:
            answer.read()


class Httpx(Peer):
    errors = (httpx.HTTPError, OSError)

    @contextmanager
    def open(self, authority: str | None, connections: int) -> Iterator[Opened]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=connections)
        with httpx.Client(
            verify=_trusting(authority), timeout=TIMEOUT, headers=FIELDS, limits=limits
        ) as client:
            yield HttpxOpened(client)

    def once(self, url: str, authority: str | None) -> int:
        answer = httpx.get(url, headers=FIELDS, verify=_trusting(authority), timeout=TIMEOUT)
        _ = answer.content
        return answer.status_code


def _trusting(authority: str | None) -> ssl.SSLContext | bool:
    # httpx deprecates the path of a file; a context made on the spot is what it asks for instead.
    return True if authority is None else ssl.create_default_context(cafile=authority)


PEER = Httpx()
