"""pycurl: libcurl, by one handle. It keeps header fields as bytes that nobody reads here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pycurl

from benchmarks.client import TIMEOUT
from benchmarks.compare.peers.base import FIELDS, PIECE, Opened, Peer


class PycurlOpened(Opened):
    def __init__(self, authority: str | None) -> None:
        self._curl: Any = pycurl.Curl()
        _set_up(self._curl, authority)

    def get(self, url: str) -> int:
        self._got(url)
        return int(self._curl.getinfo(pycurl.RESPONSE_CODE))

    def get_with(self, url: str, fields: Mapping[str, str]) -> int:
        self._curl.setopt(pycurl.HTTPHEADER, _lines({**FIELDS, **fields}))
        self._got(url)
        return int(self._curl.getinfo(pycurl.RESPONSE_CODE))

    def read(self, url: str) -> int:
        return len(self._got(url))

    def stream(self, url: str) -> int:
        length = 0

        def count(piece: bytes) -> None:
            nonlocal length
            length += len(piece)

        self._curl.setopt(pycurl.URL, url)
        self._curl.setopt(pycurl.WRITEFUNCTION, count)
        self._curl.perform()
        return length

    def upload(self, url: str, path: str, size: int) -> int:
        self._curl.setopt(pycurl.URL, url)
        # Without this it would wait for 100 Continue, which no other peer asks for.
        self._curl.setopt(pycurl.HTTPHEADER, [*_lines(FIELDS), "Expect:"])
        answer = BytesIO()
        with open(path, "rb") as file:
            self._curl.setopt(pycurl.UPLOAD, 1)
            self._curl.setopt(pycurl.READDATA, file)
            self._curl.setopt(pycurl.INFILESIZE_LARGE, size)
            self._curl.setopt(pycurl.WRITEDATA, answer)
            self._curl.perform()
        return int(self._curl.getinfo(pycurl.RESPONSE_CODE))

    def close(self) -> None:
        self._curl.close()

    def _got(self, url: str) -> bytes:
        body = BytesIO()
        self._curl.setopt(pycurl.URL, url)
        self._curl.setopt(pycurl.WRITEDATA, body)
        self._curl.perform()
        return body.getvalue()


class Pycurl(Peer):
    errors = (pycurl.error, OSError)

    @contextmanager
    def open(self, authority: str | None, connections: int) -> Iterator[Opened]:
        opened = PycurlOpened(authority)
        try:
            yield opened
        finally:
            opened.close()

    def once(self, url: str, authority: str | None) -> int:
        with self.open(authority, 1) as opened:
            return int(opened.get(url))


def _set_up(curl: Any, authority: str | None) -> None:
    curl.setopt(pycurl.HTTPHEADER, _lines(FIELDS))
    curl.setopt(pycurl.CONNECTTIMEOUT, int(TIMEOUT))
    # It has no limit for a single read: less than a byte per second for as long as that is the nearest.
    curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
    curl.setopt(pycurl.LOW_SPEED_TIME, int(TIMEOUT))
    # The same pieces as everyone's; its default is a quarter.
    curl.setopt(pycurl.BUFFERSIZE, PIECE)
    # Signals are for the limits of name lookups, which there are none of here.
    curl.setopt(pycurl.NOSIGNAL, 1)
    if authority is not None:
        curl.setopt(pycurl.CAINFO, authority)


def _lines(fields: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in fields.items()]


PEER = Pycurl()
