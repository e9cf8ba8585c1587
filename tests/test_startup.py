"""What a program pays before its first request: what is loaded when, and that nobody has to know of it."""

from __future__ import annotations

import builtins
import selectors
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp import Session
from pystickyhttp.transport import dial
from tests.servers.scripted import Request, ScriptedServer, keep_alive, respond

# What h11 loads, and what no client does without; some versions of Python bring others of the list along.
FLOOR = "import h11, json, select, selectors, socket, threading, weakref, zlib"

# Costly, or needed by few: each of them was loaded at the start once, or is by other clients.
HEAVY = frozenset(
    [
        "asyncio",
        "base64",
        "concurrent.futures",
        "datetime",
        "email",
        "fractions",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "http",
        "http.client",
        "http.cookiejar",
        "http.cookies",
        "importlib.metadata",
        "importlib.resources",
        "ipaddress",
        "logging",
        "mimetypes",
        "multiprocessing",
        "netrc",
        "pathlib",
        "pickle",
        "platform",
        "queue",
        "random",
        "secrets",
        "shutil",
        "ssl",
        "subprocess",
        "tempfile",
        "unicodedata",
        "urllib",
        "urllib.parse",
        "urllib.request",
        "uuid",
        "zipfile",
        "brotli",
        "certifi",
        "chardet",
        "charset_normalizer",
        "idna",
        "truststore",
        "pystickyhttp.certs",
        "pystickyhttp.compat",
        "pystickyhttp.cookies.files",
        "pystickyhttp.digest",
        "pystickyhttp.digest_auth",
        "pystickyhttp.files",
        "pystickyhttp.netrc_file",
        "pystickyhttp.no_proxy",
        "pystickyhttp.status_codes",
        "pystickyhttp.structures",
        "pystickyhttp.testing",
        "pystickyhttp.utils",
        "pystickyhttp.transport.duplex",
        "pystickyhttp.transport.socks",
        "pystickyhttp.transport.tls",
        "pystickyhttp.transport.tls_contexts",
        "pystickyhttp.transport.tls_errors",
        "pystickyhttp.transport.tls_in_tls",
        "pystickyhttp.transport.tls_info",
        "pystickyhttp.transport.tls_tickets",
        "pystickyhttp.transport.tls_unverified",
        "pystickyhttp.transport.tunnels",
        "pystickyhttp.transport.unix",
    ]
)

# What a first request to an IP address does without as well.
FOR_TLS_ALONE = {"ssl", "_ssl", "hashlib", "_hashlib", "pystickyhttp.transport.tls"}


def in_a_fresh_interpreter(program: str) -> list[str]:
    """The lines that a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def loaded_after(program: str) -> set[str]:
    """The modules that a program loads beyond the floor."""
    before = f"import sys\n{FLOOR}\nbefore = set(sys.modules)\n"
    return set(in_a_fresh_interpreter(f"{before}{program}\nprint(*set(sys.modules) - before, sep='\\n')"))


def answer(_: Request) -> bytes:
    return respond(b"ok")


def test_to_import_the_package_loads_nothing_that_few_programs_need() -> None:
    loaded = loaded_after("import pystickyhttp")
    assert "pystickyhttp.sessions" in loaded
    assert loaded & HEAVY == set()


def test_a_first_request_by_http_loads_nothing_of_tls_and_so_makes_no_context() -> None:
    """S1: where the module ssl is not loaded, nobody can have made an SSLContext."""
    with ScriptedServer(keep_alive(answer)) as server:
        loaded = loaded_after(
            "import pystickyhttp\n"
            f"with pystickyhttp.Session() as s: assert s.get({server.url()!r}).text == 'ok'"
        )
    assert "pystickyhttp.transport.connection" in loaded
    assert loaded & FOR_TLS_ALONE == set()


def test_a_broken_connection_by_http_is_told_without_loading_anything_of_tls() -> None:
    """An error is no time to load a library: there may be no file descriptor left to read it by."""
    loaded = loaded_after(
        "import pystickyhttp\n"
        "with socket.create_server(('127.0.0.1', 0)) as gone: port = gone.getsockname()[1]\n"
        "try: pystickyhttp.get(f'http://127.0.0.1:{port}/')\n"
        "except pystickyhttp.ConnectionError as error: assert 'refused' in str(error)\n"
        "else: raise AssertionError"
    )
    assert loaded & FOR_TLS_ALONE == set()


def test_a_request_on_a_warm_connection_imports_nothing(
    tls: ssl.SSLContext | None, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import costs a third of a microsecond even of what is loaded, and takes a lock."""
    imported: list[tuple[str, str]] = []
    load = builtins.__import__

    def listening(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        importer = str((globals or {}).get("__name__"))
        if importer.partition(".")[0] in ("pystickyhttp", "h11"):
            imported.append((importer, name))
        return load(name, globals, locals, fromlist or (), level)

    with ScriptedServer(keep_alive(answer), tls=tls) as server, Session(verify=ca_file) as session:
        session.get(server.url("/first")).raise_for_status()
        with monkeypatch.context() as patch:
            patch.setattr(builtins, "__import__", listening)
            response = session.get(server.url("/second"), headers={"X-New": "1"})
            assert response.content == b"ok"
        assert server.accepted == 1
    assert imported == []


def test_every_name_of_the_package_can_be_had_and_is_listed() -> None:
    program = (
        "import pystickyhttp\n"
        "print(*(name for name in pystickyhttp.__all__ if name not in dir(pystickyhttp)))\n"
        "for name in pystickyhttp.__all__: getattr(pystickyhttp, name)\n"
        "from pystickyhttp import *\n"
        "assert codes.ok == 200 and utils.quote and pystickyhttp.codes is codes"
    )
    assert in_a_fresh_interpreter(program) == [""]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pystickyhttp", "codes"),
        ("pystickyhttp", "structures"),
        ("pystickyhttp", "status_codes"),
        ("pystickyhttp.auth", "HTTPDigestAuth"),
        ("pystickyhttp.cookies", "CookieFileError"),
        ("pystickyhttp.transport", "DuplexStream"),
        ("pystickyhttp.transport", "TLSInfo"),
    ],
)
def test_what_is_loaded_late_is_there_for_who_asks_first(module: str, name: str) -> None:
    assert in_a_fresh_interpreter(f"from {module} import {name}; print({name} is not None)") == ["True"]
    assert in_a_fresh_interpreter(
        f"import {module} as m; print({name!r} in dir(m), m.{name} is not None)"
    ) == ["True True"]


@pytest.mark.parametrize("name", ["auth", "cookies", "transport"])
def test_a_module_without_a_name_says_so(name: str) -> None:
    module = getattr(pystickyhttp, name)
    with pytest.raises(AttributeError, match=f"'pystickyhttp.{name}' has no attribute 'missing'"):
        _ = module.missing


def test_who_looks_for_the_packages_below_requests_is_told_what_to_write() -> None:
    name = "packages"
    with pytest.raises(AttributeError, match=r"there is no urllib3 below it.*warnings\.simplefilter"):
        getattr(pystickyhttp, name)


def test_a_race_waits_by_poll_where_the_platform_would_take_epoll() -> None:
    with dial._selector() as selector:
        if hasattr(selectors, "EpollSelector"):
            assert isinstance(selector, selectors.PollSelector)
        else:
            assert isinstance(selector, selectors.DefaultSelector)


def test_a_race_waits_by_what_a_program_has_put_into_the_place_of_the_platforms_selector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As gevent does: its own lets other greenlets run."""

    class Own(selectors.SelectSelector):
        pass

    monkeypatch.setattr(selectors, "DefaultSelector", Own)
    with dial._selector() as selector:
        assert isinstance(selector, Own)
    with ScriptedServer(keep_alive(answer)) as server, Session() as session:
        assert session.get(server.url()).text == "ok"
