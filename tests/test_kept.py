"""What is kept from one request for the next ones: it is never out of date, and never too much."""

from __future__ import annotations

import copy
import enum
import gc
import gzip
import pickle
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pystickyhttp
from pystickyhttp import Request, Session, environment, models, timeouts, urls
from pystickyhttp.environment import NETRC_ABSENCE
from pystickyhttp.headers import Headers
from pystickyhttp.kept import MOST_KEPT, Kept, kept
from pystickyhttp.once import once
from pystickyhttp.proxies import basic_fields, proxy_of
from pystickyhttp.proxy_choice import select_proxy
from pystickyhttp.timeouts import Timeout
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.scripted import Request as Received


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(lambda request: respond(b"ok"))) as server:
        yield server


def sent(server: ScriptedServer, session: Session, **call: Any) -> Received:
    """What the server got of a GET, after one like it that went before."""
    session.get(server.url(), **call)
    return server.requests[-1]


# --- the settings of the session


def set_header(session: Session) -> None:
    session.headers["X-Mine"] = "1"


def replace_headers(session: Session) -> None:
    session.headers = {"X-Mine": "1"}


def set_auth(session: Session) -> None:
    session.auth = ("user", "password")


def set_cookie(session: Session) -> None:
    session.cookies.set("a", "b")


def set_params(session: Session) -> None:
    session.params["key"] = "value"


CHANGES: list[tuple[Callable[[Session], None], Callable[[Received], bool]]] = [
    (set_header, lambda request: request.header("X-Mine") == "1"),
    (replace_headers, lambda request: request.header("X-Mine") == "1" and request.header("Accept") is None),
    (lambda session: session.headers.pop("Accept"), lambda request: request.header("Accept") is None),
    (lambda session: session.headers.update({"Accept": None}), lambda r: r.header("Accept") is None),
    (lambda session: session.headers.update({"Accept": b"text/*"}), lambda r: r.header("Accept") == "text/*"),
    (lambda session: session.headers.add("X-Two", "a"), lambda request: request.header("X-Two") == "a"),
    (set_auth, lambda request: str(request.header("Authorization")).startswith("Basic ")),
    (set_cookie, lambda request: request.header("Cookie") == "a=b"),
    (set_params, lambda request: request.target == "/?key=value"),
]


@pytest.mark.parametrize(("change", "shows"), CHANGES)
def test_a_changed_setting_shows_at_the_next_request(
    server: ScriptedServer,
    session: Session,
    change: Callable[[Session], None],
    shows: Callable[[Received], bool],
) -> None:
    assert not shows(sent(server, session))
    change(session)
    assert shows(sent(server, session))


def test_a_header_in_another_case_is_sent_in_that_case(server: ScriptedServer, session: Session) -> None:
    session.headers["X-Case"] = "1"
    sent(server, session)
    session.headers["x-case"] = "1"
    assert ("x-case", "1") in sent(server, session).headers


def test_a_cookie_that_went_is_not_sent(server: ScriptedServer, session: Session) -> None:
    session.cookies.set("a", "b")
    assert sent(server, session).header("Cookie") == "a=b"
    session.cookies.clear()
    assert sent(server, session).header("Cookie") is None


def test_a_cookie_that_a_response_sets_is_sent_with_the_next_request(session: Session) -> None:
    setting = respond(b"ok", headers=[("Set-Cookie", "a=b")])
    with ScriptedServer(keep_alive(lambda request: setting)) as server:
        assert sent(server, session).header("Cookie") is None
        assert sent(server, session).header("Cookie") == "a=b"


def test_another_base_url_counts_at_the_next_request(server: ScriptedServer, session: Session) -> None:
    session.base_url = server.url("/one")
    session.get("users")
    session.base_url = server.url("/two")
    session.get("users")
    assert [request.target for request in server.requests] == ["/one/users", "/two/users"]


def test_hooks_of_the_session_count_at_the_next_request(server: ScriptedServer, session: Session) -> None:
    sent(server, session)
    seen: list[int] = []
    session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
    sent(server, session)
    assert seen == [200]


@pytest.mark.parametrize("method", ["get", "GET", "HEAD", "OPTIONS", "DELETE"])
def test_a_plain_request_is_prepared_as_any_other(session: Session, method: str) -> None:
    session.headers["X-None"] = None
    url = "http://user:password@localhost/ä?q=ü"
    plain = session.prepare_request(Request(method, url, cookies={"a": "b"}))
    in_full = session.prepare_request(Request(method, url, cookies={"a": "b"}, headers={"X-Other": "1"}))
    in_full.headers.pop("X-Other")
    for name in ("method", "url", "body", "body_position", "redirected_from", "hooks"):
        assert getattr(plain, name) == getattr(in_full, name)
    assert list(plain.headers.lines()) == list(in_full.headers.lines())
    assert plain.has_auth == in_full.has_auth


def test_a_field_that_is_given_twice_is_sent_twice(server: ScriptedServer, session: Session) -> None:
    given = Headers()
    given.add("X-Two", "1")
    given.add("X-Two", b"2")
    assert given["X-Two"] == "1, 2"
    assert sent(server, session, headers=given).header_values("X-Two") == ["1", "2"]


# --- one request does not see what was done to another


def test_text_and_bytes_of_the_same_letters_are_sent_where_python_lets_them_not_meet(
    server: ScriptedServer,
) -> None:
    """python -bb raises where both are compared, as in the keys of a cache."""
    program = (
        "import sys, pystickyhttp; session = pystickyhttp.Session()\n"
        "for value in ('a', b'a'):\n"
        "    session.headers['X-A'] = value\n"
        "    session.get(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-bb", "-c", program, server.url()], check=True, timeout=60)
    assert [request.header("X-A") for request in server.requests] == ["a", "a"]


def test_what_is_done_to_one_request_stays_with_it(session: Session) -> None:
    first = session.prepare_request(Request("GET", "http://localhost/"))
    first.headers["X-Mine"] = "1"
    first.headers.pop("Accept")
    first.register_hook("response", lambda response, **_: None)
    first.url, first.method = "http://elsewhere.example/", "PUT"
    second = session.prepare_request(Request("GET", "http://localhost/"))
    assert "X-Mine" not in second.headers
    assert second.headers["Accept"] == "*/*"
    assert second.hooks == {"response": []}
    assert (second.method, second.url) == ("GET", "http://localhost/")


def test_a_request_that_is_changed_is_sent_as_it_is_now(server: ScriptedServer, session: Session) -> None:
    prepared = session.prepare_request(Request("GET", server.url("/one")))
    session.send(prepared)
    prepared.url, prepared.method = server.url("/two"), "DELETE"
    prepared.headers["X-Mine"] = "1"
    session.send(prepared)
    last = server.requests[-1]
    assert (last.method, last.target, last.header("X-Mine")) == ("DELETE", "/two", "1")


def test_a_body_that_is_put_into_a_prepared_request_is_sent(server: ScriptedServer, session: Session) -> None:
    prepared = session.prepare_request(Request("GET", server.url()))
    session.send(prepared)
    prepared.prepare_body(b"body")
    session.send(prepared)
    assert [request.body for request in server.requests] == [b"", b"body"]


def test_threads_that_send_the_same_request_share_what_never_changes(
    server: ScriptedServer, session: Session
) -> None:
    def fetch(number: int) -> None:
        for _ in range(20):
            session.get(server.url(), headers={"X-Thread": str(number)} if number % 2 else None)

    threads = [threading.Thread(target=fetch, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = [
        sum(request.header("X-Thread") == name for request in server.requests) for name in (None, "1", "3")
    ]
    assert counts == [40, 20, 20]


# --- the environment


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_that_the_environment_names_counts_at_the_next_request(
    session: Session, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    url = "http://example.com/"
    assert not session.merge_environment_settings(url, None, None, None, None)["proxies"]
    monkeypatch.setenv(name, "http://proxy.example:3128")
    assert session.merge_environment_settings(url, None, None, None, None)["proxies"]
    monkeypatch.delenv(name)
    assert not session.merge_environment_settings(url, None, None, None, None)["proxies"]


def test_a_ca_bundle_that_the_environment_names_counts_at_the_next_request(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify() -> Any:
        return session.merge_environment_settings("https://example.com/", None, None, None, None)["verify"]

    assert verify() is True
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    assert verify() == "/ca.pem"
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert verify() is True


def test_a_netrc_file_that_was_not_there_is_looked_for_again_after_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(path))
    assert environment.netrc(now=100.0) is None
    path.write_text("machine a login user password word\n")
    assert environment.netrc(now=100.0 + NETRC_ABSENCE / 2) is None
    found = environment.netrc(now=100.0 + NETRC_ABSENCE)
    assert found is not None
    assert found.credentials("a") == ("user", "word")


def test_a_netrc_file_that_is_there_is_looked_at_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine a login user password word\n")
    monkeypatch.setenv("NETRC", str(path))
    assert environment.netrc(now=200.0) is not None
    path.write_text("machine a login other password words\n")
    found = environment.netrc(now=200.0)
    assert found is not None
    assert found.credentials("a") == ("other", "words")
    path.unlink()
    assert environment.netrc(now=200.0) is None


@pytest.mark.parametrize("variable", ["NETRC", "HOME"])
def test_another_netrc_file_that_the_environment_names_counts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert environment.netrc(now=300.0) is None
    (tmp_path / ".netrc").write_text("machine a login user password word\n")
    monkeypatch.setenv(variable, str(tmp_path / ".netrc" if variable == "NETRC" else tmp_path))
    assert environment.netrc(now=300.0) is not None


def test_a_mapping_in_the_place_of_os_environ_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine a login user password word\n")
    monkeypatch.setattr("os.environ", {"NETRC": str(path), "https_proxy": "http://proxy.example:3128"})
    assert environment.netrc(now=400.0) is not None
    assert environment.current().proxies == {"https": "http://proxy.example:3128"}


# --- what is read when somebody asks for it


def test_a_response_does_as_its_headers_say_though_a_hook_has_changed_them(session: Session) -> None:
    packed = gzip.compress(b"text")
    answer = respond(packed, headers=[("Content-Encoding", "gzip"), ("Set-Cookie", "a=b")])

    def take_off(response: pystickyhttp.Response, **_: Any) -> None:
        del response.headers["Content-Encoding"], response.headers["Set-Cookie"]

    with ScriptedServer(keep_alive(lambda request: answer)) as server:
        assert session.get(server.url()).content == b"text"
        session.cookies.clear()
        assert session.get(server.url(), hooks={"response": take_off}).content == packed
        assert not session.cookies


def test_headers_of_a_response_can_be_replaced(session: Session) -> None:
    with ScriptedServer(keep_alive(lambda request: respond(b"ok"))) as server:
        response = session.get(server.url())
    response.headers = Headers({"Content-Type": "text/other"})
    assert response.headers["content-type"] == "text/other"
    assert response.has_field(b"content-type")
    assert not response.has_field(b"content-length")


def test_a_response_that_nobody_looked_at_pickles_with_its_headers(session: Session) -> None:
    with ScriptedServer(keep_alive(lambda request: respond(b"ok", headers=[("X-Mine", "1")]))) as server:
        response = pickle.loads(pickle.dumps(session.get(server.url())))
    assert response.headers["x-mine"] == "1"


def test_what_is_made_once_is_made_at_the_first_question() -> None:
    asked: list[str] = []

    class Thing:
        @once
        def value(self) -> int:
            """The value."""
            asked.append("value")
            return len(asked)

    thing, other = Thing(), Thing()
    assert asked == []
    assert [thing.value, thing.value, other.value] == [1, 1, 2]
    thing.value = 7
    assert thing.value == 7
    assert Thing.value.__doc__ == "The value."


# --- what is kept by its content


def test_a_timeout_of_true_is_none_though_one_second_was_asked_for_before() -> None:
    assert Timeout.of(1) == Timeout.of(1.0) == Timeout(1, 1, 1)
    with pytest.raises(TypeError, match="True"):
        Timeout.of(True)


names = st.text("abXY-", min_size=1, max_size=3)
values = st.text("ab ", max_size=3)


@given(st.lists(st.tuples(names, values)))
def test_headers_are_what_their_snapshot_says(pairs: list[tuple[str, str]]) -> None:
    made = Headers()
    for name, value in pairs:
        made.add(name, value)
    again = Headers.from_snapshot(made.snapshot())
    assert list(again.lines()) == list(made.lines())
    assert again.snapshot() == made.snapshot()
    assert made.copy().snapshot() == made.snapshot()


@given(st.lists(st.tuples(names, values), unique_by=lambda pair: pair[0].lower()))
def test_received_headers_are_what_came(pairs: list[tuple[str, str]]) -> None:
    received = Headers.from_wire([(name.encode(), value.encode()) for name, value in pairs])
    assert list(received.lines()) == pairs
    assert all(received[name.swapcase()] == value for name, value in pairs)


def test_what_is_kept_is_bounded() -> None:
    counted = [
        timeouts._of_seconds,
        environment._at_home,
        environment._is_direct,
        environment._parsed_netrc,
    ]
    session = pystickyhttp.Session()
    for number in range(1100):
        prepared = session.prepare_request(Request("GET", f"http://localhost/{number}"))
        prepared.headers["X-Number"] = str(number)
        Timeout.of(1.0 + number)
    for cache in counted:
        info = cache.cache_info()
        assert info.maxsize is not None
        assert info.currsize <= info.maxsize
    for each in everything_kept():
        assert len(each) <= each.most
    assert len(models._plain) == len(urls.parse) == 512


def everything_kept() -> list[Kept[Any, Any]]:
    return [each for each in gc.get_objects() if type(each) is Kept]


class Text:
    """What is made of a text."""

    def __init__(self, text: object) -> None:
        self.text = text


def test_what_is_made_is_kept_and_the_oldest_goes_first() -> None:
    make = kept(2)(Text)
    first, second = make("a"), make["b"]
    assert make("a") is first
    assert make("b") is second
    make("c")
    assert list(make) == ["b", "c"]
    assert make("a") is not first


@pytest.mark.parametrize(
    ("key", "is_kept"),
    [
        ("x" * MOST_KEPT, True),
        ("x" * (MOST_KEPT + 1), False),
        (b"x" * (MOST_KEPT + 1), False),
        (("GET", "x" * MOST_KEPT), False),
        (("GET", (("Name", ("x" * MOST_KEPT, 7)),)), False),
        (("GET", (("Name", ("x" * 4000, None)),)), True),
    ],
    ids=["text", "a longer text", "bytes", "a tuple", "tuples in tuples", "a smaller tuple"],
)
def test_what_is_made_of_a_large_text_is_not_kept(key: Any, is_kept: bool) -> None:
    make = kept(2)(Text)
    assert (make(key) is make(key)) == is_kept
    assert (key in make) == is_kept


class Word(str, enum.Enum):  # noqa: UP042 - what StrEnum mends is what this is for
    NAME = "X-Mine"
    VALUE = "mine"


@pytest.mark.parametrize("key", [Word.NAME, ("GET", Word.NAME), (("GET", (Word.NAME,)),)])
def test_what_is_made_of_a_text_of_another_class_is_not_kept(key: Any) -> None:
    make = kept(2)(Text)
    make(key)
    assert not make


class Pushed:
    """A key that is gone when it is to be forgotten: as another thread does, it was quicker."""

    cache: Kept[Any, str]
    goes_ahead = False

    def __hash__(self) -> int:
        if self.goes_ahead:
            self.cache.clear()
        return 1


def test_what_another_thread_has_forgotten_in_this_instant_is_no_error() -> None:
    first = Pushed()
    first.cache = cache = kept(1)(str)
    assert cache[first]
    first.goes_ahead = True
    assert cache["second"] == "second"
    assert list(cache) == ["second"]


def test_what_keeps_is_pickled_and_copied_as_the_function_that_it_is() -> None:
    """By its name, with nothing of what it keeps: a key may hold a password."""
    assert pickle.loads(pickle.dumps(urls.parse)) is urls.parse
    assert copy.deepcopy(urls.parse) is copy.copy(urls.parse) is urls.parse


def test_what_fails_is_not_kept_and_what_can_not_be_looked_up_is_told_so() -> None:
    def fails(text: object) -> None:
        raise LookupError(text)

    make = kept(2)(fails)
    for _ in range(2):
        with pytest.raises(LookupError, match="a"):
            make("a")
    with pytest.raises(TypeError, match="unhashable"):
        make([])
    assert not make


def test_what_keeps_shows_its_name_and_nothing_of_what_it_keeps() -> None:
    """A key may hold a password."""
    make = kept(2)(Text)
    make("geheim")
    assert repr(make) == "<Text, 1 kept>"
    assert make.__doc__ == "What is made of a text."


def test_threads_that_push_each_other_out_all_get_what_they_ask_for() -> None:
    make = kept(2)(Text)
    begin = threading.Barrier(4)

    def ask(number: int) -> None:
        begin.wait()
        for each in range(3000):
            key = f"{number if each % 2 else 0}/{each % 5}"
            assert make(key).text == key

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(ask, number) for number in range(4)]:
            done.result()
    assert len(make) <= make.most + 4


LARGE = 60_000
LARGE_REQUESTS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "path": lambda url, large: {"url": url + large},
    "query": lambda url, large: {"url": f"{url}?{large}"},
    "params": lambda url, large: {"url": url, "params": {"q": large}},
    "fragment": lambda url, large: {"url": f"{url}#{large}"},
    "userinfo": lambda url, large: {"url": url.replace("://", f"://{large}@")},
    "a field": lambda url, large: {"url": url, "headers": {"X-Large": large}},
    "a name of a field": lambda url, large: {"url": url, "headers": {large: "1"}},
    "cookies": lambda url, large: {"url": url, "cookies": {"a": large}},
    "auth": lambda url, large: {"url": url, "auth": ("user", large)},
}


def forgets(peer: Peer) -> None:
    """Answer each request, and keep nothing of it."""
    end = b""
    while piece := peer.read_some():
        end = (end + piece)[-4:]
        if end == b"\r\n\r\n":
            peer.send(respond(b"ok"))


@pytest.mark.slow
@pytest.mark.parametrize("give", LARGE_REQUESTS.values(), ids=LARGE_REQUESTS)
def test_thirty_more_large_requests_leave_no_more_behind_than_the_first_three(
    give: Callable[[str, str], dict[str, Any]],
) -> None:
    with ScriptedServer(forgets) as server, Session() as session:

        def left_behind(first: int, last: int) -> int:
            for number in range(first, last):
                call = give(server.url(), f"{number:0>{LARGE}}")
                assert session.request("GET", **call).text == "ok"
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            few = left_behind(0, 3)  # the last of them among others, which its connection has at hand
            many = left_behind(3, 33)
        finally:
            tracemalloc.stop()
    # Of thirty nothing is left. The server's thread may have a few pieces in hand when it is counted.
    assert many - few < 5 * LARGE


def test_urls_of_proxies_that_are_large_are_not_kept() -> None:
    proxies = [f"http://user:{number:0>{LARGE}}@h.test" for number in range(3)]
    for proxy in proxies:
        fields = basic_fields(proxy)
        assert proxy_of(proxy, fields) == proxy_of(proxy, fields)
        assert select_proxy(urls.parse("http://h.test/"), {"http": proxy}) == proxy
        assert select_proxy(urls.parse("http://h.test/"), {f"ftp://{proxy}": proxy}) is None
    texts = [str(list(each)) for each in everything_kept()]
    assert not any("0" * MOST_KEPT in text for text in texts)
