"""Errors, side by side with requests: what fails there fails here, and who catches it there catches it here.

An `except requests.X` that catches an error of requests has to catch ours, by the class of that name. What is
another error on purpose stands in a table with the reason.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import io
import pickle
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import urllib3

from tests.beside import (
    OURS,
    THEIRS,
    At,
    Case,
    Difference,
    Raised,
    Recorder,
    Table,
    always,
    assert_same,
    cases,
    check,
    in_session,
    nothing_sent,
    raising,
    route,
    same,
    to,
)
from tests.patience import growing
from tests.servers.certificates import server_context
from tests.servers.proxies import ProxyServer
from tests.servers.scripted import (
    BlackHole,
    ClientGone,
    Peer,
    ScriptedServer,
    chunk,
    closed_port,
    respond,
    silence,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    with Recorder() as server:
        yield server


# --- the classes


def names_of_errors() -> list[str]:
    """Every class of an error or a warning that requests documents, and has in `requests.exceptions`."""
    return [
        name
        for name, kind in vars(THEIRS.exceptions).items()
        if isinstance(kind, type) and kind.__module__ == "requests.exceptions"
    ]


def bases(name: str, library: Any) -> set[str]:
    kinds = getattr(library.exceptions, name).__mro__
    package: str = library.__name__
    return {
        kind.__name__ for kind in kinds if kind.__module__.partition(".")[0] in (package, "builtins", "json")
    }


@pytest.mark.parametrize("name", names_of_errors())
def test_who_catches_a_base_of_an_error_catches_it_here_too(name: str) -> None:
    assert bases(name, THEIRS) - bases(name, OURS) == set()


@pytest.mark.parametrize("name", names_of_errors())
def test_an_error_can_be_made_and_pickled_as_there(name: str) -> None:
    seen = []
    for library in (THEIRS, OURS):
        kind = getattr(library.exceptions, name)
        arguments = ("message", "document", 0) if name == "JSONDecodeError" else ("message",)
        error = kind(*arguments)
        copy = pickle.loads(pickle.dumps(error))
        seen.append([str(error), error.args, str(copy), copy.args, type(copy).__name__])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", [name for name in names_of_errors() if "Warning" not in name])
def test_an_error_keeps_its_request_and_response(name: str) -> None:
    arguments = ("message", "document", 0) if name == "JSONDecodeError" else ("message",)
    for library in (THEIRS, OURS):
        kind = getattr(library.exceptions, name)
        response = library.Response()
        response.request = library.Request("GET", "http://a.example/").prepare()
        error = kind(*arguments, response=response)
        assert error.response is response
        assert error.request is response.request
        bare = kind(*arguments)
        assert (bare.request, bare.response) == (None, None)


def test_the_errors_of_the_package_are_those_of_the_module() -> None:
    for name in names_of_errors():
        if hasattr(THEIRS, name):
            assert getattr(OURS, name) is getattr(OURS.exceptions, name)


# --- URLs


def _get(url: Any) -> Any:
    return lambda lib, at: lib.get(url, timeout=5)


BAD_URLS: list[Any] = [
    3,
    "foo",
    "foo/bar",
    "//host/path",
    "/path",
    "hiwpefhipowhefopw",
    "http",
    "http:",
    "http:/",
    "http://",
    "http:///",
    "http:///path",
    "http://?q",
    "http://#f",
    "http:foo",
    "http:/foo",
    "https://",
    "HTTP://",
    "http//x",
    "http://\u2603.invalid/",
    "http://\u200b.invalid/",
    "http://\xad.invalid/",
    "http://\xa0/",
    "http://\U0001f4a9.invalid/",
    "http://[::1",
    "http://[::1]x/",
    "http://[zz]/",
    "http://[1.2.3.4]/",
    "http://a.invalid:x/",
    "http://a.invalid:-1/",
    "http://a.invalid:+1/",
    "http://a.invalid: 1/",
    "http://a.invalid:1_0/",
    "http://a.invalid:\uff11/",
    "http://a.invalid:65536/",
    "http://a.invalid:99999/",
    "http://a.invalid:80:80/",
    "http://a b/",
    "http://a\tb/",
    "http://a\nb/",
    "http://a.invalid :1/",
    "http://a.invalid:1 /",
    "http://user@/",
    "http://@/",
    "http://user:pw@:80/",
    "http://:80/",
    "http://fe80::1/",
    "http://%zz/",
    "http://%00/",
    "http://\ud800/",
    "ftp://a.invalid/",
    "file:///etc/passwd",
    "mailto:a@b",
    "data:,x",
    "htp://a.invalid",
    "shttp://a.invalid/",
]
# Names that stand for no host: `.invalid` never resolves (RFC 6761, section 6.4).
UNKNOWN_HOSTS: list[Any] = [
    "http://no-such-host.invalid/",
    "https://no-such-host.invalid/",
    "http://a_b.invalid/",
    "http://-a.invalid/",
    "http://xn--a.invalid/",
    "http://a;b.invalid/",
    "http://a@b@c.invalid/",
    "http://stra\xdfe.invalid/",
]
NO_HOST = "no host has such a name, so nobody has to look it up"
REFUSED_HERE = "law X7: a line end in a URL is a mistake or an attack"
OTHER_URLS: list[tuple[Any, str, str]] = [
    ("://x", "MissingSchema", "it has none"),
    ("localhost:3128", "MissingSchema", "it is a host and a port; the error says what was meant"),
    ("10.122.1.1:3128/", "MissingSchema", "it is a host and a port; the error says what was meant"),
    ("http://a\\b/", "InvalidURL", "browsers go to another host than others"),
    ("http://a.invalid:0/", "InvalidURL", "nobody listens there, and nobody listens at 80 in its place"),
    ("http://a.invalid:000000000080/", "InvalidURL", "no port has so many digits"),
    ("http://a%20b.invalid/", "InvalidURL", NO_HOST),
    ("http://a<b.invalid/", "InvalidURL", NO_HOST),
    ('http://a"b.invalid/', "InvalidURL", NO_HOST),
    ("http://a^b.invalid/", "InvalidURL", NO_HOST),
    ("http://a{b}.invalid/", "InvalidURL", NO_HOST),
    ("http://a..b.invalid/", "InvalidURL", "an error of urllib3 gets through there"),
    (f"http://{'a' * 64}.invalid/", "InvalidURL", "an error of urllib3 gets through there"),
    ("http://127.0.0.1:1/\n", "InvalidURL", REFUSED_HERE),
    ("http://127.0.0.1:1/\r\nX: y", "InvalidURL", REFUSED_HERE),
    ("http://127.0.0.1:1/\0", "InvalidURL", REFUSED_HERE),
    ("\0http://127.0.0.1:1/", "InvalidURL", REFUSED_HERE),
    ("http://127.0.0.1:1/\ud800", "InvalidURL", "half a surrogate pair is no character"),
    ("http://\uff11\uff12\uff17.0.0.1:1/", "ConnectionError", "browsers read it as 127.0.0.1 (UTS 46)"),
    ("http+unix://%2Fno%2Fsuch%2Fsocket/", "ConnectError", "unix sockets are spoken to without a plug-in"),
    ("http://a.invalid\u3002/", "ConnectionError", "browsers read it as a full stop (UTS 46)"),
]
URLS: Table = {
    **{repr(url): _get(url) for url in [*BAD_URLS, *UNKNOWN_HOSTS]},
    **{repr(url): Case(_get(url), but=Difference(why, raising(error))) for url, error, why in OTHER_URLS},
    # The first three are what programs pass that have nothing.
    "''": _get(""),
    "' '": _get(" "),
    "None": _get(None),
    "b''": _get(b""),
    "'http://*example.com'": _get("http://*example.com"),
    "'http://.example.com'": _get("http://.example.com"),
    "'http://..'": _get("http://.."),
}


# --- what else is wrong with a request


def _raises_too(error: str, why: str) -> Difference:
    return Difference(why, raising(error), nothing_sent)


def _unrewindable(lib: Any, at: At) -> Any:
    return lib.post(at("/from"), data=_OnceOnly(b"body"))


class _OnceOnly(io.BytesIO):
    """A file that can't be wound back."""

    def tell(self) -> int:
        raise OSError("it can't tell")

    def seek(self, *where: int) -> int:
        raise OSError("it can't seek")


def _with_retries(lib: Any, at: At) -> Any:
    def act(session: Any) -> Any:
        session.mount(at("/"), lib.adapters.HTTPAdapter(max_retries=urllib3.Retry(1, status_forcelist=[503])))
        return session.get(at("/"))

    return in_session(lib, act)


REQUESTS: Table = {
    "no method": Case(
        lambda lib, at: lib.request("", at("/")),
        but=_raises_too("InvalidMethod", "it is no token (RFC 9110, section 9.1): requests sends no method"),
    ),
    "text for params that is no pair": lambda lib, at: lib.get(at("/"), params=["ab", "c"]),
    "timeout of text": Case(
        lambda lib, at: lib.get(at("/"), timeout="5"),
        but=Difference("it is of the wrong type", raising("builtins.TypeError")),
    ),
    "timeout of three": lambda lib, at: lib.get(at("/"), timeout=(1, 2, 3)),
    "timeout of nothing": lambda lib, at: lib.get(at("/"), timeout=()),
    "timeout below zero": lambda lib, at: lib.get(at("/"), timeout=-1),
    "timeout of zero": lambda lib, at: lib.get(at("/"), timeout=0),
    "auth that can't be called": lambda lib, at: lib.get(at("/"), auth="user:pass"),
    "auth of three": lambda lib, at: lib.get(at("/"), auth=("a", "b", "c")),
    "JSON with infinity": lambda lib, at: lib.post(at("/"), json=[float("inf")]),
    "a number as a body": lambda lib, at: lib.post(at("/"), data=3),
    "files that are none": lambda lib, at: lib.post(at("/"), files="text"),
    "a file of a number": Case(
        lambda lib, at: lib.post(at("/"), files={"f": 3}),
        but=_raises_too("InvalidBody", "it is neither file nor text: somebody forgot something"),
    ),
    "a hook for another event": lambda lib, at: lib.Request("GET", at("/"), hooks={"request": print}),
    "a hook by register_hook": lambda lib, at: lib.Request("GET", at("/")).register_hook("request", print),
    "an argument that there is not": lambda lib, at: lib.get(at("/"), timeouts=3),
    "verify of a file that is not there": lambda lib, at: lib.get(
        "https://127.0.0.1:1", verify="/no/such/file"
    ),
    "cert of a file that is not there": lambda lib, at: lib.get("https://127.0.0.1:1", cert="/no/such/file"),
    "a key that is not there": lambda lib, at: lib.get(
        "https://127.0.0.1:1", cert=(__file__, "/no/such/key")
    ),
    "a body that can't be wound back": Case(_unrewindable, answer=route(**{"from": to("/to", 307)})),
    "retries that are used up": Case(_with_retries, answer=always(status=503)),
    "no JSON": Case(lambda lib, at: lib.get(at("/")).json(), answer=always("<html>")),
    "no JSON, but nothing": Case(lambda lib, at: lib.get(at("/")).json(), answer=always("")),
    "raise_for_status": Case(lambda lib, at: lib.get(at("/")).raise_for_status(), answer=always(status=404)),
}


# --- what the server does


def _script(script: Callable[[Peer], None]) -> Callable[[], ScriptedServer]:
    return lambda: ScriptedServer(script)


def _says(raw: bytes, *, reset: bool = False) -> Callable[[], ScriptedServer]:
    """Says this to each request, and ends the connection."""

    def converse(peer: Peer) -> None:
        if peer.read_request() is None:
            return
        peer.try_send(raw)
        if reset:
            peer.rst()

    return _script(converse)


def _read(lib: Any, url: str, **how: Any) -> Any:
    return lib.get(url, timeout=5, **how).content


HEAD = b"HTTP/1.1 200 OK\r\n"
BROKEN_ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "half of the body": HEAD + b"Content-Length: 10\r\n\r\nhalf",
    "half of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\na\r\nhalf",
    "chunks without an end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"half"),
    "a chunk of no size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n",
    "gzip that is none": respond(b"no gzip", headers=[("Content-Encoding", "gzip")]),
    "deflate that is none": respond(b"no deflate", headers=[("Content-Encoding", "deflate")]),
    "gzip that is broken": respond(
        gzip.compress(b"x" * 100)[:-10] + b"y" * 10, headers=[("Content-Encoding", "gzip")]
    ),
}
OTHER_ANSWERS: dict[str, tuple[bytes, str, str]] = {
    "gzip without its end": (
        respond(gzip.compress(b"x" * 1000)[:-4], headers=[("Content-Encoding", "gzip")]),
        "ContentDecodingError",
        "it passes there: data loss",
    ),
    "half a head": (HEAD + b"Content-Le", "ConnectionError", "it passes there: data loss"),
    "two lengths": (
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "ConnectionError",
        "it is an InvalidHeader there, as if the caller had given it",
    ),
    "a length that is none": (
        HEAD + b"Content-Length: abc\r\n\r\nab",
        "ConnectionError",
        "it passes there: smuggling",
    ),
}


def _reads(raw: bytes, *, reset: bool = False) -> Callable[[Any], Any]:
    def act(lib: Any) -> Any:
        with _says(raw, reset=reset)() as server:
            return _read(lib, server.url())

    return act


@pytest.mark.parametrize("name", BROKEN_ANSWERS)
def test_an_answer_that_is_broken_is_the_same_error(name: str) -> None:
    act = _reads(BROKEN_ANSWERS[name])
    assert_same(_raised(THEIRS, act), _raised(OURS, act))


def test_a_connection_that_is_reset_is_the_same_error() -> None:
    act = _reads(b"", reset=True)
    assert_same(_raised(THEIRS, act), _raised(OURS, act))


@pytest.mark.parametrize("name", OTHER_ANSWERS)
def test_an_answer_that_is_broken_is_another_error_or_none_there(name: str) -> None:
    raw, error, _ = OTHER_ANSWERS[name]
    theirs, ours = _raised(THEIRS, _reads(raw)), _raised(OURS, _reads(raw))
    assert not same(theirs, ours)
    assert_same(Raised(error), ours)


@pytest.mark.parametrize("case", cases(urls=URLS, requests=REQUESTS))
def test_what_is_wrong_with_a_request_is_the_same_error(case: Any, server: Recorder) -> None:
    check(case, server)


# --- the way to the server


def _refused(lib: Any) -> Any:
    with closed_port() as port:
        return lib.get(f"http://127.0.0.1:{port}/")


def _refused_over_tls(lib: Any) -> Any:
    with closed_port() as port:
        return lib.get(f"https://127.0.0.1:{port}/")


def _no_connection_in_time(timeout: Any) -> Callable[[Any], Any]:
    def act(lib: Any) -> Any:
        with BlackHole() as hole:
            return lib.get(hole.url(), timeout=timeout)

    return act


def _no_answer_in_time(timeout: Any) -> Callable[[Any], Any]:
    def act(lib: Any) -> Any:
        with ScriptedServer(silence) as server:
            return lib.get(server.url(), timeout=timeout)

    return act


def _half_an_answer_in_time(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converse(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        peer.stall()

    def begun(lib: Any, stack: contextlib.ExitStack, limit: float) -> Any:
        server = stack.enter_context(ScriptedServer(converse))
        try:
            return stack.enter_context(lib.get(server.url(), timeout=limit, stream=True))
        except lib.exceptions.ReadTimeout:
            return None  # not even half of it was there in time

    def act(lib: Any) -> Any:
        with contextlib.ExitStack() as stack:
            responses = (begun(lib, stack, limit) for limit in growing(0.05))
            return read(next(response for response in responses if response is not None))

    return act


def _streamed_half(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def act(lib: Any) -> Any:
        half = _says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        with half() as server, lib.get(server.url(), timeout=5, stream=True) as response:
            return read(response)

    return act


def _no_tls(lib: Any) -> Any:
    def converse(peer: Peer) -> None:
        peer.read_some()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with ScriptedServer(converse) as server:
        return lib.get(server.url().replace("http:", "https:"), timeout=5)


def _through(proxy: Any, **how: Any) -> Callable[[Any], Any]:
    return lambda lib: lib.get("http://a.invalid/", proxies={"http": proxy}, timeout=5, **how)


def _through_a_closed_proxy(url: str) -> Callable[[Any], Any]:
    def act(lib: Any) -> Any:
        with closed_port() as port:
            proxy = f"http://127.0.0.1:{port}"
            return lib.get(url, proxies={"http": proxy, "https": proxy}, timeout=5)

    return act


def _through_a_proxy_that_wants_a_password(url: str) -> Callable[[Any], Any]:
    def act(lib: Any) -> Any:
        with ProxyServer(authorization="Basic other") as proxy:
            return lib.get(url, proxies={"http": proxy.url(), "https": proxy.url()}, timeout=5).status_code

    return act


def _sends_no_bytes(lib: Any) -> Any:
    with _says(respond(b"ok"))() as server:
        return lib.post(server.url(), data=iter([3]), timeout=5)


ON_THE_WAY: dict[str, Callable[[Any], Any]] = {
    "an iterator of what is no bytes": _sends_no_bytes,
    "refused": _refused,
    "refused, over TLS": _refused_over_tls,
    "no connection in time": _no_connection_in_time(0.05),
    "no connection in time, of a pair": _no_connection_in_time((0.05, 5)),
    "no answer in time": _no_answer_in_time(0.05),
    "no answer in time, of a pair": _no_answer_in_time((5, 0.05)),
    "no answer in time, of a Timeout of urllib3": _no_answer_in_time(urllib3.Timeout(connect=5, read=0.05)),
    "no answer in the total time of a Timeout of urllib3": _no_answer_in_time(urllib3.Timeout(0.05)),
    "half an answer in time": _half_an_answer_in_time(lambda response: response.content),
    "half an answer in time, read piece by piece": _half_an_answer_in_time(
        lambda response: list(response.iter_content(4))
    ),
    "half an answer in time, read by lines": _half_an_answer_in_time(
        lambda response: list(response.iter_lines())
    ),
    "half an answer, read piece by piece": _streamed_half(lambda response: list(response.iter_content(4))),
    "half an answer, read as text": _streamed_half(lambda response: response.text),
    "half an answer, read as JSON": _streamed_half(lambda response: response.json()),
    "no TLS where TLS is spoken": _no_tls,
    "a proxy that is closed": _through_a_closed_proxy("http://a.invalid/"),
    "a proxy that is closed, for a tunnel": _through_a_closed_proxy("https://a.invalid/"),
    "a proxy that wants a password": _through_a_proxy_that_wants_a_password("http://a.invalid/"),
    "a proxy that wants a password, for a tunnel": _through_a_proxy_that_wants_a_password(
        "https://a.invalid/"
    ),
    "a proxy without a host": _through("http://"),
    "a proxy of a bare path": _through("http:///path"),
    "a proxy without a host, but a port": _through("http://:8080"),
    "a proxy of another port": _through("http://127.0.0.1:99999"),
}


OTHERWISE_ON_THE_WAY: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "a proxy of another kind": (_through("ftp://127.0.0.1:21"), "InvalidSchema", "its URL is all right"),
}


@pytest.mark.parametrize("name", OTHERWISE_ON_THE_WAY)
def test_what_fails_on_the_way_is_another_error_there(name: str) -> None:
    act, error, _ = OTHERWISE_ON_THE_WAY[name]
    theirs, ours = _raised(THEIRS, act), _raised(OURS, act)
    assert not same(theirs, ours)
    assert_same(Raised(error), ours)


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_what_fails_on_the_way_is_the_same_error(name: str) -> None:
    assert_same(_raised(THEIRS, ON_THE_WAY[name]), _raised(OURS, ON_THE_WAY[name]))


# --- TLS


@pytest.fixture
def other_ca_file(tmp_path: Path) -> str:
    path = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


def _over_tls(context: ssl.SSLContext, **how: Any) -> Callable[[Any], Any]:
    def act(lib: Any) -> Any:
        script = lambda peer: peer.send(respond(b"ok")) if peer.read_request() else None  # noqa: E731
        with ScriptedServer(script, tls=context, handshake_may_fail=True) as server:
            return lib.get(server.url(), timeout=5, **how).text

    return act


def test_a_certificate_that_is_refused_is_the_same_error(
    ca: trustme.CA, ca_file: str, other_ca_file: str, tls_context: ssl.SSLContext
) -> None:
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    failures = [
        _over_tls(tls_context),
        _over_tls(tls_context, verify=other_ca_file),
        _over_tls(server_context(ca, "other.example"), verify=ca_file),
        _over_tls(server_context(ca, "127.0.0.1", not_after=long_ago), verify=ca_file),
    ]
    for act in failures:
        theirs, ours = _raised(THEIRS, act), _raised(OURS, act)
        assert theirs.name == "SSLError"
        assert_same(theirs, ours)


def test_a_certificate_of_the_client_that_is_missed_is_the_same_error(ca: trustme.CA, ca_file: str) -> None:
    """Under TLS 1.3 the server says so when the client has begun to speak."""
    context = server_context(ca, client_ca=ca)

    def converse(peer: Peer) -> None:
        with pytest.raises(ClientGone):
            peer.start_tls(context)
        peer.read_until_eof()

    def act(lib: Any) -> Any:
        with ScriptedServer(converse) as server:
            return lib.get(server.url().replace("http:", "https:"), timeout=5, verify=ca_file)

    assert_same(_raised(THEIRS, act), _raised(OURS, act))


def _raised(library: Any, act: Callable[[Any], Any]) -> Any:
    try:
        return act(library)
    except Exception as error:  # noqa: BLE001 - which one it is is what is compared
        return Raised.of(error, library)
