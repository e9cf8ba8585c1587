"""urllib3."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import urllib3

from benchmarks.client import TIMEOUT
from benchmarks.compare.peers.base import FIELDS, PIECE, Opened, Peer


class Urllib3Opened(Opened):
    def __init__(self, pool: urllib3.PoolManager) -> None:
        self._pool = pool

    def get(self, url: str) -> int:
        answer = self._pool.request("GET", url, timeout=TIMEOUT)
        _ = answer.data
        return answer.status

    def get_with(self, url: str, fields: Mapping[str, str]) -> int:
        # What a request says stands in the place of what the pool says, so it has to say all of it.
        answer = self._pool.request("GET", url, headers={**FIELDS, **fields}, timeout=TIMEOUT)
        _ = answer.data
        return answer.status

    def read(self, url: str) -> int:
        return len(self._pool.request("GET", url, timeout=TIMEOUT).data)

    def stream(self, url: str) -> int:
        answer = self._pool.request("GET", url, preload_content=False, timeout=TIMEOUT)
        length = sum(len(piece) for piece in answer.stream(PIECE))
        answer.release_conn()
        return length

    def upload(self, url: str, path: str, size: int) -> int:
        # Without the length it would send chunks.
        fields = {**FIELDS, "Content-Length": str(size)}
        with open(path, "rb") as file:
            return self._pool.request("PUT", url, body=file, headers=fields, timeout=TIMEOUT).status

    def fill(self, url: str, count: int) -> None:
        answers = [
            self._pool.request("GET", url, preload_content=False, timeout=TIMEOUT) for _ in range(count)
        ]
        for answer in answers:
            _ = answer.data


class Urllib3(Peer):
    errors = (urllib3.exceptions.HTTPError, OSError)

    @contextmanager
    def open(self, authority: str | None, connections: int) -> Iterator[Opened]:
        # Its default of one is for one thread.
        with urllib3.PoolManager(ca_certs=authority, headers=FIELDS, maxsize=connections) as pool:
            yield Urllib3Opened(pool)

    def once(self, url: str, authority: str | None) -> int:
        with urllib3.PoolManager(ca_certs=authority, headers=FIELDS) as pool:
            answer = pool.request("GET", url, timeout=TIMEOUT)
            _ = answer.data
            return answer.status


PEER = Urllib3()
