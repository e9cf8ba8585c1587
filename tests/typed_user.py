"""A program as a user would write it, with types: it touches every public name, and mypy --strict likes it.

It is not run, and no test is in it: `test_typed_user` and `make lint` check it.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pystickyhttp as requests
from pystickyhttp import (
    adapters,
    api,
    auth,
    certs,
    compat,
    cookies,
    events,
    hooks,
    models,
    sessions,
    stats,
    structures,
    timing,
    utils,
)
from pystickyhttp.adapters import BaseAdapter, HTTPAdapter
from pystickyhttp.auth import (
    AuthBase,
    HTTPBasicAuth,
    HTTPBearerAuth,
    HTTPDigestAuth,
    HTTPNetrcAuth,
    HTTPProxyAuth,
)
from pystickyhttp.cookies import Cookie, CookieJar
from pystickyhttp.exceptions import (
    ChunkedEncodingError,
    ContentDecodingError,
    InvalidBody,
    InvalidHeader,
    InvalidJSONError,
    InvalidMethod,
    InvalidProxyURL,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    RemoteProtocolError,
    RetryError,
    StreamConsumedError,
    UnrewindableBodyError,
)
from pystickyhttp.testing import MockAdapter, WSGIAdapter, respond
from pystickyhttp.timeouts import UNSET, Deadline, Timeout, TimeoutTypes

if TYPE_CHECKING:
    from pystickyhttp.keywords import GetKeywords


@dataclass(frozen=True)
class User:
    """What the API of the example has."""

    number: int
    name: str


class Signed(AuthBase):
    """Auth of one's own."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Signature"] = f"{self.key}:{request.method}:{request.path_url}"
        return request


class Client:
    """A client of the API, with a session of its own."""

    def __init__(self, base_url: str, *, token: str | None = None, timeout: TimeoutTypes = UNSET) -> None:
        self.session = requests.Session(
            base_url=base_url,
            headers={"Accept": "application/json"},
            auth=None if token is None else HTTPBearerAuth(token),
            params={"lang": "en"},
            cookies={"theme": "dark"},
            verify=True,
            cert=None,
            proxies={"https": "http://proxy.example:3128", "http": None},
            timeout=timeout,
            retries=requests.Retry(total=3, status_forcelist=[502, 503], backoff_factor=0.5),
            limits=requests.Limits(max_connections=20, max_per_host=5, idle_timeout=30.0, max_age=None),
            resolver=_resolve,
            trust_env=False,
        )
        self.session.hooks["response"].append(_note)
        self.session.max_connections = 4
        self.session.max_redirects = 5

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def user(self, number: int) -> User | None:
        """A user, or None where there is none of that number."""
        response = self.session.get(f"users/{number}", timeout=(3.05, 10))
        if response.status_code == requests.codes.not_found:
            return None
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return User(number, found["name"])

    def users(self, numbers: list[int]) -> list[User]:
        """Several at a time."""
        with ThreadPoolExecutor(max_workers=4) as threads:
            return [user for user in threads.map(self.user, numbers) if user is not None]

    def fetch(self, path: str, **keywords: Unpack[GetKeywords]) -> bytes:
        """What it is given is handed on, to a thread, and checked on the way."""
        with ThreadPoolExecutor(max_workers=1) as threads:
            return threads.submit(self.session.get, path, **keywords).result().content

    def mistakes(self) -> None:
        """What a type checker has to find: it calls an "ignore" superfluous where it does not."""
        self.session.get("users", timeot=5)  # type: ignore[call-arg]
        self.session.post("users", json={}, timeout="5")  # type: ignore[arg-type]
        self.session.put("users", header={})  # type: ignore[call-arg]
        requests.get("https://example.com/", verify=0.5)  # type: ignore[arg-type]
        requests.delete("https://example.com/", stream="no")  # type: ignore[arg-type]

    def add(self, user: User) -> str:
        """Where the new one is."""
        response = self.session.post("users", json={"name": user.name}, headers={"Idempotency-Key": "1"})
        location: str | None = response.headers.get("Location")
        return location or response.url

    def change(self, user: User) -> bool:
        """Whether it was changed."""
        self.session.patch(f"users/{user.number}", data={"name": user.name})
        return self.session.put(f"users/{user.number}", data=io.BytesIO(user.name.encode())).ok

    def portrait(self, user: User, path: Path) -> int:
        """Save one, and say how large it is."""

        def progress(done: int, total: int | None) -> None:
            del done, total

        return self.session.get(f"users/{user.number}.png", stream=True).save(path, progress)

    def upload(self, user: User, path: Path) -> None:
        """Send one, with a deadline."""
        with path.open("rb") as file:
            self.session.post(
                f"users/{user.number}.png",
                data={"note": "new"},
                files={"portrait": file, "text": ("a.txt", b"all of it", "text/plain")},
                timeout=Timeout(connect=3, read=10, total=60),
            )

    def log(self) -> Iterator[str]:
        """The lines of a log that goes on."""
        with self.session.get("log", stream=True) as response:
            response.encoding = "utf-8"
            for line in response.iter_lines(decode_unicode=True):
                yield str(line)

    def bytes_of(self, name: str) -> Iterator[bytes]:
        """A file in pieces."""
        with self.session.get(name, stream=True) as response:
            yield from response.iter_content(65536)

    def remove(self, user: User) -> bool:
        """Whether it may be removed, and was."""
        allowed = self.session.options(f"users/{user.number}").headers.get("Allow", "")
        return "DELETE" in allowed and bool(self.session.delete(f"users/{user.number}"))


def _resolve(host: str, port: int) -> list[requests.Address]:
    del host
    return [requests.Address(2, ("192.0.2.1", port))]


def _note(response: requests.Response, **settings: Any) -> requests.Response | None:
    del settings
    return None if response.ok else response


def facts(response: requests.Response) -> dict[str, object]:
    """All that a response tells."""
    elapsed: datetime.timedelta = response.elapsed
    jar: CookieJar = response.cookies
    following: requests.PreparedRequest | None = response.next
    told: dict[str, object] = {
        "url": response.url,
        "status": response.status_code,
        "reason": response.reason,
        "seconds": elapsed.total_seconds(),
        "cookies": jar.get_dict(),
        "next": following,
        "links": response.links.get("next", {}).get("url"),
        "tries": [(attempt.status, attempt.error) for attempt in response.attempts],
        "hops": [each.url for each in response.history],
        "redirect": response.is_redirect or response.is_permanent_redirect,
        "text": response.text,
        "size": len(response.content),
        "encoding": response.encoding or response.apparent_encoding,
        "raw": response.raw.read(10),
    }
    if response.tls is not None:
        told["tls"] = (response.tls.version, response.tls.cipher, response.tls.alpn, response.tls.resumed)
        told["certificate"] = dict(response.tls.certificate)
    response.close()
    return told


def by_hand() -> requests.Response:
    """A request that is prepared, changed and sent."""
    with requests.session() as session:
        asked = requests.Request(
            "GET", "https://example.com/", headers={"X-A": "1"}, params=[("q", "sticky")]
        )
        prepared: requests.PreparedRequest = session.prepare_request(asked)
        prepared.headers["X-B"] = "2"
        settings = session.merge_environment_settings(prepared.url, {}, None, None, None)
        return session.send(prepared, timeout=Timeout(total=5).start(), **settings)


def single() -> list[requests.Response]:
    """The functions that need no session."""
    url = "https://example.com/"
    return [
        requests.get(url, params={"a": [1, 2]}, auth=("user", "password")),
        requests.post(url, data=b"bytes", auth=HTTPBasicAuth("user", "password")),
        requests.put(url, data="text", auth=HTTPDigestAuth("user", "password")),
        requests.patch(url, json=[1, 2.5, None], auth=HTTPNetrcAuth("netrc")),
        requests.delete(url, auth=HTTPProxyAuth("user", "password")),
        requests.head(url, allow_redirects=True, auth=Signed("key")),
        requests.options(url, verify="roots.pem", cert=("client.pem", "client.key")),
        requests.request("GET", url, proxies={}, verify=certs.PLATFORM, timeout=None),
        api.get(url),
    ]


def ways(session: sessions.Session) -> None:
    """Adapters for some URLs."""
    adapter = HTTPAdapter(
        pool_connections=10,
        pool_maxsize=10,
        max_retries=3,
        pool_block=True,
        local_address="192.0.2.2",
        keepalive=requests.KeepAlive(idle=30, interval=10, count=3),
        server_hostname="example.com",
        proxy_headers={"X-For": "the proxy"},
    )
    adapter.limits = requests.Limits(max_per_host=3)
    session.mount("https://example.com/", adapter)
    session.mount("http://docker/", adapters.HTTPAdapter(unix_socket="/var/run/docker.sock"))
    found: BaseAdapter = session.get_adapter("https://example.com/")
    found.close()


def kept(path: Path) -> list[str]:
    """Cookies from one run to the next."""
    with requests.Session(cookies_file=path) as session:
        session.cookies.set("lang", "en", domain="example.com", path="/", secure=True)
        session.cookies.update({"a": "b"})
        found: list[Cookie] = list(session.cookies)
        session.cookies.save(path.with_suffix(".json"))
    jar = CookieJar.load(path, missing_ok=True)
    session.cookies = cookies.cookiejar_from_dict({"c": "d"})
    return [f"{cookie.name}={cookie.value} for {cookie.domain}" for cookie in (*found, *jar)]


def what_happened(url: str) -> str:
    """Each error by its name, the finest first."""
    try:
        return what_came(url)
    except (requests.ConnectTimeout, requests.PoolTimeout, requests.BodyTimeout):
        return "late, and connected to nobody, or amid a body"
    except (requests.ReadTimeout, requests.WriteTimeout, requests.TotalTimeout, requests.Timeout):
        return "late"
    except requests.TunnelError as error:
        return f"no tunnel: {error.status} {error.reply}"
    except (requests.ProxySSLError, requests.ProxyError, InvalidProxyURL):
        return "the proxy"
    except (requests.HandshakeLost, requests.SSLError) as error:
        return f"TLS: {error}"
    except requests.ConnectionLost as error:
        return f"{error.sent} bytes sent, {error.received} received"
    except (requests.NameResolutionError, requests.ConnectError, RemoteProtocolError) as error:
        return str(error.leg)
    except (requests.ConnectionError, requests.TooManyRedirects, RetryError):
        return "not reached"
    except requests.exceptions.RequestException as error:
        return f"{error.request}: {error}"


def what_came(url: str) -> str:
    """The errors of what was asked, and of what was answered."""
    try:
        requests.get(url, timeout=Timeout(total=1)).raise_for_status()
    except requests.HTTPError as error:
        return f"answered {error.response.status_code}"
    except (requests.JSONDecodeError, InvalidJSONError):
        return "no JSON"
    except requests.IncompleteBody as error:
        return f"{error.received} bytes of {error.expected}"
    except (ChunkedEncodingError, ContentDecodingError, StreamConsumedError, UnrewindableBodyError):
        return "the body"
    except (requests.URLRequired, MissingSchema, InvalidSchema, InvalidURL):
        return "the URL"
    except (InvalidBody, InvalidHeader, InvalidMethod):
        return "the request"
    return "nothing"


def tests() -> requests.Response:
    """Without a network."""

    def handler(request: requests.PreparedRequest) -> requests.Response:
        return respond(200, json={"method": request.method}, headers={"X-A": "1"})

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Path", environ["PATH_INFO"])])
        return [b"hello"]

    with requests.Session() as session:
        mock = MockAdapter(handler)
        session.mount("https://api.example.com/", mock)
        session.mount("https://app.example.com/", WSGIAdapter(application))
        session.get("https://app.example.com/")
        answer = session.get("https://api.example.com/")
    assert [request.url for request in mock.requests] == ["https://api.example.com/"]
    return answer


def looked_on(url: str) -> list[str]:
    """What happened, step by step and in sum."""
    seen: list[str] = []

    def trace(event: events.Event) -> None:
        if isinstance(event, events.ConnectionOpened | events.ConnectionReused):
            seen.append(f"{event.at} {event.request_id} {event.connection}: {event}")

    with requests.Session(trace=trace) as session:
        took: requests.Timing | None = session.get(url).timing
        if took is not None:
            seen.append(
                f"{took.total:.3f} s, {took.first_byte:.3f} s of it for the first byte, {took.reused}"
            )
        sums: requests.Stats = session.stats()
    by_host: dict[str, stats.HostStats] = sums.hosts
    seen += [f"{host}: {each.opened} opened, {each.discarded}" for host, each in by_host.items()]
    return [*seen, f"{sums.reused} reused", str(timing.Timing)]


def what_was_sent(response: requests.Response) -> str:
    """The request of a response has a type: a misspelt attribute of it is found."""
    return response.request.url


def odds_and_ends() -> tuple[object, ...]:
    """What is rarely needed."""
    deadline: Deadline = requests.timeouts.Deadline.of(5)
    fields = structures.CaseInsensitiveDict({"Content-Type": "text/plain"})
    warnings: list[type[Warning]] = [
        requests.InsecureRequestWarning,
        requests.FileModeWarning,
        requests.RequestsDependencyWarning,
    ]
    modules = (
        auth,
        hooks.default_hooks(),
        models.Request,
        requests.status_codes.codes,
        requests.testing.respond,
    )
    failures: tuple[type[requests.RequestException], ...] = (requests.RequestException,)
    return (
        requests.__version__,
        deadline.elapsed(),
        fields["content-type"],
        utils.requote_uri("https://example.com/a b"),
        compat.urlparse("https://example.com/"),
        warnings,
        modules,
        failures,
    )
