"""The interface of requests, which several libraries have."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.client import TIMEOUT
from benchmarks.compare.peers.base import FIELDS, PIECE, Opened, Peer

# As many idle connections of a host as a session of requests keeps without being told.
KEPT_BY_DEFAULT = 10


class OpenedLikeRequests(Opened):
    def __init__(self, session: Any) -> None:
        self._session = session

    def get(self, url: str) -> int:
        answer = self._session.get(url, timeout=TIMEOUT)
        _ = answer.content
        return int(answer.status_code)

    def get_with(self, url: str, fields: Mapping[str, str]) -> int:
        answer = self._session.get(url, headers=fields, timeout=TIMEOUT)
        _ = answer.content
        return int(answer.status_code)

    def read(self, url: str) -> int:
        return len(self._session.get(url, timeout=TIMEOUT).content)

    def stream(self, url: str) -> int:
        with self._session.get(url, stream=True, timeout=TIMEOUT) as answer:
            return sum(len(piece) for piece in answer.iter_content(PIECE))

    def upload(self, url: str, path: str, size: int) -> int:
        with open(path, "rb") as file:
            return int(self._session.put(url, data=file, timeout=TIMEOUT).status_code)

    def fill(self, url: str, count: int) -> None:
        answers = [self._session.get(url, stream=True, timeout=TIMEOUT) for _ in range(count)]
        for answer in answers:
            _ = answer.content


class PeerLikeRequests(Peer):
    """Args: the library, as it is imported."""

    def __init__(self, library: Any, adapter: Any) -> None:
        self._library = library
        self._adapter = adapter

    @contextmanager
    def open(self, authority: str | None, connections: int) -> Iterator[OpenedLikeRequests]:
        with self._library.Session() as session:
            session.headers.update(FIELDS)
            session.verify = authority or True
            if connections > KEPT_BY_DEFAULT:
                for prefix in ("http://", "https://"):
                    session.mount(prefix, self._adapter(pool_maxsize=connections))
            yield self.opened(session)

    def opened(self, session: Any) -> OpenedLikeRequests:
        return OpenedLikeRequests(session)

    def once(self, url: str, authority: str | None) -> int:
        answer = self._library.get(url, headers=FIELDS, verify=authority or True, timeout=TIMEOUT)
        _ = answer.content
        return int(answer.status_code)
