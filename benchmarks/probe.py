"""The check before a run against the user's server: one GET by the standard library's own client.

A server that is away, answers an error or sends the clients elsewhere is told in one line before any
measuring. A redirect is refused because some of the clients follow it and others do not.
"""

import http.client
import ssl
from urllib.parse import urlsplit

from benchmarks.client import TIMEOUT, Target
from benchmarks.errors import BenchmarkError


def probe(target: Target) -> None:
    try:
        status, location = _get(target)
    except ssl.SSLCertVerificationError as error:
        raise BenchmarkError(
            f"the certificate of {target.url} does not verify ({error.verify_message}); name the file of its "
            "authority with --ca"
        ) from error
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise BenchmarkError(
            f"{target.url} cannot be reached ({error}); check that the server runs and the address is right"
        ) from error
    if location is not None:
        raise BenchmarkError(
            f"{target.url} answers {status} and sends on to {location}; name that with --url"
        )
    if not 200 <= status < 300:
        raise BenchmarkError(f"{target.url} answers {status}; name an address that answers 2xx with --url")


def _get(target: Target) -> tuple[int, str | None]:
    parts = urlsplit(target.url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=target.authority)
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "*/*", "User-Agent": "pystickyhttp-benchmark"})
        answer = connection.getresponse()
        answer.read()
        redirected = 300 <= answer.status < 400
        return answer.status, answer.getheader("Location") if redirected else None
    finally:
        connection.close()
