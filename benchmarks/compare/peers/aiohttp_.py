"""aiohttp, within one event loop that runs as long as a slice: what it costs to start one is not counted."""

import asyncio
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp

from benchmarks.client import TIMEOUT
from benchmarks.compare.peers.base import FIELDS, PIECE, Opened, Peer, Step, check


class AiohttpOpened(Opened):
    def __init__(self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
        self._loop = loop
        self._session = session

    async def get(self, url: str) -> int:
        async with self._session.get(url) as answer:
            await answer.read()
            return answer.status

    async def get_with(self, url: str, fields: Mapping[str, str]) -> int:
        async with self._session.get(url, headers=fields) as answer:
            await answer.read()
            return answer.status

    async def read(self, url: str) -> int:
        async with self._session.get(url) as answer:
            return len(await answer.read())

    async def stream(self, url: str) -> int:
        length = 0
        async with self._session.get(url) as answer:
            async for piece in answer.content.iter_chunked(PIECE):
                length += len(piece)
        return length

    async def upload(self, url: str, path: str, size: int) -> int:
        with open(path, "rb") as file:
            async with self._session.put(url, data=file) as answer:
                await answer.read()
                return answer.status

    def timed(self, step: Step, expected: int, seconds: float, most: int) -> list[float]:
        return self._loop.run_until_complete(_timed(step, expected, seconds, most))


async def _timed(step: Step, expected: int, seconds: float, most: int) -> list[float]:
    """As `base.timed`, with the one difference that a step is awaited."""
    clock = time.perf_counter
    samples: list[float] = []
    end = clock() + seconds
    while True:
        start = clock()
        outcome = await step()
        now = clock()
        check(outcome, expected)
        samples.append(now - start)
        if now >= end or len(samples) >= most:
            return samples


class Aiohttp(Peer):
    errors = (aiohttp.ClientError, OSError)

    @contextmanager
    def open(self, authority: str | None, connections: int) -> Iterator[Opened]:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            session = loop.run_until_complete(_session(authority))
            try:
                yield AiohttpOpened(loop, session)
            finally:
                loop.run_until_complete(session.close())


async def _session(authority: str | None) -> aiohttp.ClientSession:
    trusting = ssl.create_default_context(cafile=authority) if authority else True
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trusting),
        timeout=aiohttp.ClientTimeout(sock_connect=TIMEOUT, sock_read=TIMEOUT),
        headers=FIELDS,
    )


PEER = Aiohttp()
