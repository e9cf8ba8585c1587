"""The clients that are compared, each used as its own documentation shows it.

Pooled is one session that stays open for all requests. Fresh is a session per request, closed after it:
what `requests.get(url)` in a loop does. So a fresh request pays, besides the connection, for what its
library makes anew per session. For https that is a TLS context with the trusted certificates read into it,
in requests, httpx and urllib3; pystickyhttp keeps the context in the process and uses it for later
sessions, with the tickets that servers gave it, so that its fresh request pays for a resumed handshake
alone. httpx makes a context for http as well, since it does not know beforehand which addresses it will be
asked for.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import httpx
import requests
import urllib3

import pystickyhttp
from benchmarks.client import TIMEOUT, Client, Get, Target


class RequestsClient(Client):
    name = "requests"
    errors: ClassVar[tuple[type[Exception], ...]] = (requests.RequestException, OSError)
    # The interface is documented, and other libraries have it too.
    library: ClassVar[Any] = requests

    def fresh(self, target: Target) -> Get:
        verify = target.authority or True

        def get() -> int:
            answer = self.library.get(target.url, verify=verify, timeout=TIMEOUT)
            _ = answer.content
            return int(answer.status_code)

        return get

    @contextmanager
    def pooled(self, target: Target) -> Iterator[Get]:
        with self.library.Session() as session:
            session.verify = target.authority or True

            def get() -> int:
                answer = session.get(target.url, timeout=TIMEOUT)
                _ = answer.content
                return int(answer.status_code)

            yield get


class StickyClient(RequestsClient):
    name = "pystickyhttp"
    errors = (pystickyhttp.RequestException, OSError)
    library: ClassVar[Any] = pystickyhttp


class HttpxClient(Client):
    name = "httpx"
    errors = (httpx.HTTPError, OSError)

    def fresh(self, target: Target) -> Get:
        def get() -> int:
            answer = httpx.get(target.url, verify=_httpx_verify(target), timeout=TIMEOUT)
            _ = answer.content
            return answer.status_code

        return get

    @contextmanager
    def pooled(self, target: Target) -> Iterator[Get]:
        with httpx.Client(verify=_httpx_verify(target), timeout=TIMEOUT) as client:

            def get() -> int:
                answer = client.get(target.url)
                _ = answer.content
                return answer.status_code

            yield get


def _httpx_verify(target: Target) -> ssl.SSLContext | bool:
    # httpx deprecates the path of a file; a context made on the spot is what it asks for instead.
    return True if target.authority is None else ssl.create_default_context(cafile=target.authority)


class Urllib3Client(Client):
    name = "urllib3"
    errors = (urllib3.exceptions.HTTPError, OSError)

    def fresh(self, target: Target) -> Get:
        def get() -> int:
            with urllib3.PoolManager(ca_certs=target.authority) as pool:
                answer = pool.request("GET", target.url, timeout=TIMEOUT)
                _ = answer.data
                return answer.status

        return get

    @contextmanager
    def pooled(self, target: Target) -> Iterator[Get]:
        with urllib3.PoolManager(ca_certs=target.authority) as pool:

            def get() -> int:
                answer = pool.request("GET", target.url, timeout=TIMEOUT)
                _ = answer.data
                return answer.status

            yield get


# In the order in which tables and charts show them.
CLIENTS: dict[str, Client] = {
    client.name: client for client in (StickyClient(), RequestsClient(), HttpxClient(), Urllib3Client())
}
