"""The walk along redirects, read at the servers that it leads to.

The law (RFC 9110, section 15.4): which method and which body go on, what was meant for one origin stays
there, and a response that only redirects is never worth more than its head. The decisions are pure functions
with tests of their own; here two servers on two ports see what comes of them.
"""

from __future__ import annotations

import base64
import collections
import gzip
import io
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp.exceptions import ContentDecodingError, InvalidSchema, InvalidURL, UnrewindableBodyError
from tests.servers.real import RealServer
from tests.servers.scripted import Peer, Request, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left

DEADLINE = 10.0


def to(location: str, status: int = 302, *, body: bytes = b"", **fields: str) -> bytes:
    """A redirect; the fields' names are written with underscores."""
    headers = [("Location", location), *((name.replace("_", "-"), value) for name, value in fields.items())]
    return respond(body, status=status, headers=headers)


class Site(ScriptedServer):
    """Answers the targets that it knows as `answers` says, and all others with "arrived"."""

    def __init__(self) -> None:
        super().__init__(keep_alive(self._answer))
        self.answers: dict[str, bytes] = {}

    def _answer(self, request: Request) -> bytes:
        return self.answers.get(request.target, respond(b"arrived"))

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]


@pytest.fixture
def home() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def away() -> Iterator[Site]:
    """Another origin, by its port."""
    with Site() as site:
        yield site


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# -- method and body --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "method", "following", "keeps_body"),
    [
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (303, "POST", "GET", False),
        (307, "POST", "POST", True),
        (308, "POST", "POST", True),
        (301, "PUT", "PUT", True),
        (302, "PATCH", "PATCH", True),
        (303, "PUT", "GET", False),
        (303, "DELETE", "GET", False),
        (302, "DELETE", "DELETE", True),
        (307, "PUT", "PUT", True),
    ],
)
def test_the_status_decides_which_method_goes_on_and_the_body_goes_with_it_or_not(
    home: Site, session: pystickyhttp.Session, status: int, method: str, following: str, keeps_body: bool
) -> None:
    home.answers["/old"] = to("/new", status)
    response = session.request(method, home.url("/old"), data={"a": "b"}, headers={"X-Kept": "yes"})
    assert response.text == "arrived"
    first, second = home.requests
    assert (first.method, first.body) == (method, b"a=b")
    assert (second.method, second.target) == (following, "/new")
    assert second.body == (b"a=b" if keeps_body else b"")
    assert second.header("Content-Length") == ("3" if keeps_body else None)
    assert second.header("Content-Type") == (first.header("Content-Type") if keeps_body else None)
    assert second.header("Transfer-Encoding") is None
    assert second.header("X-Kept") == "yes"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_and_head_stay_what_they_are(
    home: Site, session: pystickyhttp.Session, method: str, status: int
) -> None:
    head = to("/new", status)
    home.answers["/old"] = head
    home.answers["/new"] = respond() if method == "HEAD" else respond(b"arrived")
    response = session.request(method, home.url("/old"))
    assert response.url == home.url("/new")
    assert [request.method for request in home.requests] == [method, method]


def test_going_to_get_drops_every_header_that_describes_the_body(
    home: Site, session: pystickyhttp.Session
) -> None:
    describing = {
        "Content-Type": "text/plain",
        "Content-Encoding": "identity",
        "Content-Language": "en",
        "Content-Location": "/here",
    }
    home.answers["/old"] = to("/new", 303)
    session.post(home.url("/old"), data=iter([b"chunk"]), headers=describing)
    first, second = home.requests
    assert first.is_chunked
    assert [name for name, _ in second.headers if name.lower().startswith(("content-", "transfer-"))] == []


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("where", ["same origin", "other origin"])
def test_a_file_is_wound_back_to_where_it_stood(
    home: Site, away: Site, session: pystickyhttp.Session, status: int, where: str, tmp_path: Path
) -> None:
    """P2."""
    path = tmp_path / "upload"
    path.write_bytes(b"skip" + b"content" * 20_000)
    target = home if where == "same origin" else away
    home.answers["/old"] = to(target.url("/new"), status)
    with path.open("rb") as file:
        file.seek(4)
        assert session.put(home.url("/old"), data=file).text == "arrived"
    assert home.requests[0].body == b"content" * 20_000
    assert target.requests[-1].target == "/new"
    assert target.requests[-1].body == b"content" * 20_000
    assert target.requests[-1].header("Content-Length") == "140000"


def test_a_collection_is_sent_again(home: Site, session: pystickyhttp.Session) -> None:
    """P2."""
    home.answers["/old"] = to("/new", 307)
    session.post(home.url("/old"), data=collections.deque([b"one", b"two"]))
    assert [request.chunks for request in home.requests] == [[b"one", b"two"]] * 2


class Pipe(io.BytesIO):
    """A file that says neither where it stands nor lets itself be wound back."""

    def tell(self) -> int:
        raise OSError("Illegal seek")

    def seek(self, position: int, whence: int = 0) -> int:
        raise OSError("Illegal seek")


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("kind", ["generator", "pipe"])
def test_a_body_that_cannot_be_wound_back_is_an_error_and_nothing_goes_without_it(
    home: Site, away: Site, session: pystickyhttp.Session, status: int, kind: str
) -> None:
    """P2: never an empty body instead."""
    home.answers["/old"] = to(away.url("/new"), status)
    body: Any = (piece for piece in (b"once", b"only")) if kind == "generator" else Pipe(b"onceonly")
    with pytest.raises(UnrewindableBodyError, match="body") as caught:
        session.post(home.url("/old"), data=body)
    assert home.requests[0].body == b"onceonly"
    assert (away.requests, home.targets) == ([], ["/old"])
    assert caught.value.request is not None


def test_a_body_that_cannot_be_wound_back_is_no_error_where_the_redirect_drops_it(
    home: Site, session: pystickyhttp.Session
) -> None:
    home.answers["/old"] = to("/new", 303)
    assert session.post(home.url("/old"), data=(piece for piece in [b"once"])).text == "arrived"
    assert (home.requests[1].method, home.requests[1].body) == ("GET", b"")


# -- what is bound to an origin ---------------------------------------------------------------------------

SECRETS = ("Authorization", "Cookie", "Host", "Proxy-Authorization")
SECRET_HEADERS = {
    "Authorization": "Bearer secret",
    "Cookie": "by=hand",
    "Proxy-Authorization": "Basic secret",
    "X-Open": "no secret",
}


def secrets(request: Request) -> dict[str, str | None]:
    return {name: request.header(name) for name in SECRETS if name != "Host"}


def test_on_the_same_origin_everything_goes_along(home: Site, session: pystickyhttp.Session) -> None:
    home.answers["/old"] = to(home.url("/new"))
    session.get(home.url("/old"), headers={**SECRET_HEADERS, "Host": "given.example"})
    first, second = home.requests
    assert secrets(first) == secrets(second)
    assert secrets(second)["Authorization"] == "Bearer secret"
    assert second.header("Host") == "given.example"


@pytest.mark.parametrize("differs_by", ["port", "host"])
def test_off_the_origin_no_secret_goes_along(
    home: Site, away: Site, session: pystickyhttp.Session, differs_by: str
) -> None:
    """Origin is scheme, host and effective port (RFC 6454, section 4)."""
    target, url = (
        (away, away.url("/new")) if differs_by == "port" else (home, home.url("/new", host="localhost"))
    )
    home.answers["/old"] = to(url)
    session.get(home.url("/old"), headers={**SECRET_HEADERS, "Host": "given.example"})
    request = target.requests[-1]
    assert request.target == "/new"
    assert secrets(request) == {"Authorization": None, "Cookie": None, "Proxy-Authorization": None}
    assert request.header("Host") == url.split("/")[2]
    assert request.header("X-Open") == "no secret"


@pytest.mark.parametrize("given", ["call", "session", "url"])
def test_credentials_stay_with_their_origin_however_they_were_given(
    home: Site, away: Site, session: pystickyhttp.Session, given: str
) -> None:
    home.answers["/old"] = to("/near")
    home.answers["/near"] = to(away.url("/far"))
    url = home.url("/old")
    if given == "session":
        session.auth = ("user", "word")
    if given == "url":
        url = url.replace("http://", "http://user:word@")
    session.get(url, auth=("user", "word") if given == "call" else None)
    assert [request.header("Authorization") for request in home.requests] == [basic("user", "word")] * 2
    assert [request.header("Authorization") for request in away.requests] == [None]


def test_secrets_that_went_stay_gone_when_the_chain_comes_back(
    home: Site, away: Site, session: pystickyhttp.Session
) -> None:
    """Who was away may have been told where to come back, and as what."""
    home.answers["/old"] = to(away.url("/there"))
    away.answers["/there"] = to(home.url("/back"))
    home.answers["/back"] = to(home.url("/further"))
    session.auth = ("session", "word")
    session.get(
        home.url("/old"),
        headers={"Proxy-Authorization": "Basic secret", "Host": "given.example"},
        cookies={"own": "secret"},
    )
    assert home.targets == ["/old", "/back", "/further"]
    assert home.requests[0].header("Authorization") == basic("session", "word")
    assert home.requests[0].header("Cookie") == "own=secret"
    for request in (*away.requests, *home.requests[1:]):
        assert secrets(request) == {"Authorization": None, "Cookie": None, "Proxy-Authorization": None}
        assert (request.header("Host") or "").startswith("127.0.0.1:")
    # For the chain alone: the next request of the session has them again.
    session.get(home.url("/next"))
    assert home.requests[-1].header("Authorization") == basic("session", "word")


def test_the_cookies_of_a_call_go_along_on_their_origin_and_no_further(
    home: Site, away: Site, session: pystickyhttp.Session
) -> None:
    home.answers["/old"] = to("/near")
    home.answers["/near"] = to(away.url("/far"))
    session.get(home.url("/old"), cookies={"own": "1"})
    assert [request.header("Cookie") for request in home.requests] == ["own=1", "own=1"]
    assert [request.header("Cookie") for request in away.requests] == [None]


def test_the_jar_is_matched_anew_on_every_hop(home: Site, away: Site, session: pystickyhttp.Session) -> None:
    session.cookies.set("home", "1", domain="127.0.0.1")
    session.cookies.set("deep", "2", domain="127.0.0.1", path="/deep")
    session.cookies.set("away", "3", domain="localhost")
    home.answers["/old"] = to("/deep/er", Set_Cookie="new=4; Path=/")
    home.answers["/deep/er"] = to(away.url("/there", host="localhost"))
    away.answers["/there"] = to(home.url("/back"), Set_Cookie="fresh=5; Path=/")
    session.get(home.url("/old"))
    sent = [request.header("Cookie") for request in home.requests]
    assert sent == ["home=1", "deep=2; home=1; new=4", "home=1; new=4"]
    assert away.requests[0].header("Cookie") == "away=3"
    assert session.cookies.get("fresh", domain="localhost") == "5"


@pytest.mark.usefixtures("names_to_loopback")
def test_the_step_from_http_to_https_on_the_same_host_keeps_the_secrets(
    session: pystickyhttp.Session, httpbin_server: RealServer, ca_file: str
) -> None:
    """The one exception: port 80 to port 443, which only makes the channel better."""
    session.verify = ca_file
    url = "http://httpbin.org/redirect-to?url=https%3A%2F%2Fhttpbin.org%2Fheaders"
    response = session.get(url, headers={"Authorization": "Bearer secret"})
    assert response.url == "https://httpbin.org/headers"
    assert response.json()["headers"]["Authorization"] == "Bearer secret"


@pytest.mark.usefixtures("names_to_loopback")
@pytest.mark.parametrize(
    "target", ["http%3A%2F%2Fhttpbin.org%2Fheaders", "https%3A%2F%2Fexample.com%2Fendpoint1"]
)
def test_the_step_from_https_to_http_or_to_another_host_does_not(
    session: pystickyhttp.Session, httpbin_server: RealServer, ca_file: str, target: str
) -> None:
    session.verify = ca_file
    url = f"https://httpbin.org/redirect-to?url={target}"
    headers = session.get(url, headers={"Authorization": "Bearer secret"}).json()["headers"]
    assert "Authorization" not in headers


# -- how far ----------------------------------------------------------------------------------------------


def counting_down(peer: Peer) -> None:
    """/N redirects to /N-1, and /0 is the end."""
    keep_alive(
        lambda request: to(f"/{int(request.target[1:]) - 1}") if request.target != "/0" else respond(b"end")
    )(peer)


def test_thirty_redirects_are_followed_over_one_connection(session: pystickyhttp.Session) -> None:
    with ScriptedServer(counting_down) as server:
        response = session.get(server.url("/30"))
        assert response.text == "end"
        assert len(response.history) == 30
        assert server.accepted == 1


def test_the_thirty_first_redirect_is_an_error(session: pystickyhttp.Session) -> None:
    with ScriptedServer(counting_down) as server, no_socket_left():
        with pytest.raises(pystickyhttp.TooManyRedirects, match="30") as caught:
            session.get(server.url("/100"))
        assert len(server.requests) == 31
        error = caught.value
        assert error.response.status_code == 302
        assert error.request.url == error.response.url == server.url("/70")
        assert "/69" in str(error)
        assert len(error.response.history) == 30
        session.close()


def test_max_redirects_of_the_session_is_the_limit(session: pystickyhttp.Session) -> None:
    session.max_redirects = 2
    with ScriptedServer(counting_down) as server:
        assert session.get(server.url("/2")).text == "end"
        with pytest.raises(pystickyhttp.TooManyRedirects, match="2"):
            session.get(server.url("/3"))


def test_a_redirect_is_not_followed_where_that_was_asked_for(
    home: Site, session: pystickyhttp.Session
) -> None:
    home.answers["/old"] = to("/new", body=b"moved")
    response = session.get(home.url("/old"), allow_redirects=False)
    assert (response.status_code, response.headers["Location"], response.text) == (302, "/new", "moved")
    assert response.history == []
    assert home.targets == ["/old"]


@pytest.mark.parametrize(
    "answer",
    [respond(b"?", status=302), respond(b"?", status=300, headers={"Location": "/new"}), to("/new", 201)],
    ids=["302 without Location", "300", "201"],
)
def test_what_is_no_redirect_is_not_followed(
    home: Site, session: pystickyhttp.Session, answer: bytes
) -> None:
    home.answers["/old"] = answer
    assert session.get(home.url("/old")).history == []
    assert home.targets == ["/old"]


# -- where to ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("new", "/a/new"),
        ("/new?q", "/new?q"),
        ("../new", "/new"),
        ("?q", "/a/b?q"),
        ("//{host}/new", "/new"),
        ("HTTP://{host}/new", "/new"),
        ("/with blank", "/with%20blank"),
        ("/kept%2fas%20is", "/kept%2fas%20is"),
        ("/split%0d%0aInjected:%20yes", "/split%0d%0aInjected:%20yes"),
        # A Location is sent in UTF-8 by most, in latin-1 by some; the wire of the test is latin-1.
        ("/ü".encode().decode("latin-1"), "/%C3%BC"),
        ("/\xfc", "/%C3%BC"),
    ],
)
def test_a_location_leads_there(
    home: Site, session: pystickyhttp.Session, location: str, target: str
) -> None:
    home.answers["/a/b"] = to(location.format(host=f"127.0.0.1:{home.port}"))
    assert session.get(home.url("/a/b")).text == "arrived"
    assert home.targets == ["/a/b", target]
    assert home.requests[1].header("Injected") is None


def test_params_are_not_appended_a_second_time(home: Site, session: pystickyhttp.Session) -> None:
    session.params = {"key": "k"}
    home.answers["/old?key=k&p=1"] = to("/new?q=2")
    session.get(home.url("/old"), params={"p": "1"})
    assert home.targets == ["/old?key=k&p=1", "/new?q=2"]


def test_a_fragment_is_inherited_replaced_and_never_sent(home: Site, session: pystickyhttp.Session) -> None:
    """RFC 9110, section 10.2.2."""
    home.answers["/old"] = to("/new")
    home.answers["/named"] = to("/new#own")
    assert session.get(home.url("/old#part")).url == home.url("/new#part")
    assert session.get(home.url("/named#part")).url == home.url("/new#own")
    assert home.targets == ["/old", "/new", "/named", "/new"]


@pytest.mark.parametrize("location", ["ftp://example.com/file", "file:///etc/passwd", "javascript:alert(1)"])
def test_only_http_and_https_are_followed(home: Site, session: pystickyhttp.Session, location: str) -> None:
    home.answers["/old"] = to(location)
    with pytest.raises(InvalidSchema, match=location.partition("(")[0]) as caught:
        session.get(home.url("/old"))
    assert caught.value.response.status_code == 302
    assert caught.value.request.url == home.url("/old")


@pytest.mark.parametrize("location", ["http://", "http://host:99999/", "http://[broken/"])
def test_a_location_that_is_no_url_is_an_error_that_shows_it(
    home: Site, session: pystickyhttp.Session, location: str
) -> None:
    home.answers["/old"] = to(location)
    with pytest.raises(InvalidURL) as caught:
        session.get(home.url("/old"))
    assert location in str(caught.value)
    assert caught.value.response.status_code == 302


def test_an_error_on_the_way_is_that_of_the_hop_where_it_happened(
    home: Site, session: pystickyhttp.Session
) -> None:
    with closed_port() as port, no_socket_left():
        home.answers["/old"] = to(f"http://127.0.0.1:{port}/")
        with pytest.raises(pystickyhttp.ConnectionError, match=str(port)) as caught:
            session.get(home.url("/old"))
        assert caught.value.request.url == f"http://127.0.0.1:{port}/"
        session.close()


# -- the body of a redirect -------------------------------------------------------------------------------


@pytest.mark.usefixtures("unhurried_drain")
def test_the_connection_is_used_again_over_a_redirect(home: Site, session: pystickyhttp.Session) -> None:
    home.answers["/old"] = to("/new", body=b"x" * 60_000)
    home.answers["/chunked"] = to("/new", Transfer_Encoding="chunked") + b"5\r\nmoved\r\n0\r\n\r\n"
    for path in ("/old", "/chunked"):
        assert session.get(home.url(path)).text == "arrived"
    assert home.accepted == 1


def test_a_broken_gzip_in_a_redirect_does_no_harm(home: Site, session: pystickyhttp.Session) -> None:
    """The body of a redirect is never decoded, until somebody asks for it."""
    home.answers["/old"] = to("/new", body=b"this is no gzip", Content_Encoding="gzip")
    response = session.get(home.url("/old"))
    assert response.text == "arrived"
    assert home.accepted == 1
    with pytest.raises(ContentDecodingError):
        _ = response.history[0].content


@pytest.mark.usefixtures("unhurried_drain")
def test_a_gzip_bomb_in_a_redirect_does_not_go_off(home: Site, session: pystickyhttp.Session) -> None:
    size = 48 * 1024 * 1024
    bomb = gzip.compress(bytes(size))
    # Small enough to be read along, so that it would be decoded if anything were.
    assert len(bomb) < 64 * 1024
    home.answers["/old"] = to("/new", body=bomb, Content_Encoding="gzip")
    tracemalloc.start()
    try:
        assert session.get(home.url("/old")).text == "arrived"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size
    assert home.accepted == 1


def test_a_large_body_of_a_redirect_costs_the_connection_and_is_not_read(
    home: Site, session: pystickyhttp.Session
) -> None:
    """R5."""
    home.answers["/old"] = to("/new", body=b"x" * 2_000_000)
    response = session.get(home.url("/old"))
    assert response.text == "arrived"
    assert home.accepted == 2
    with pytest.raises(pystickyhttp.exceptions.StreamConsumedError):
        _ = response.history[0].content


def test_a_body_of_a_redirect_that_never_comes_is_not_waited_for(session: pystickyhttp.Session) -> None:
    """R5: nothing but the test's own limit would end this wait, were there one."""
    left = threading.Event()

    def withholding(peer: Peer) -> None:
        if peer.expect_request().target == "/new":
            peer.send(respond(b"arrived"))
            return
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 10\r\n\r\n")
        assert peer.read_request() is None
        left.set()

    with ScriptedServer(withholding) as server:
        assert session.get(server.url("/old"), timeout=None).text == "arrived"
        assert left.wait(DEADLINE)


def test_a_body_of_a_redirect_that_is_cut_short_does_no_harm(session: pystickyhttp.Session) -> None:
    def cut(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 10\r\n\r\nhalf")

    def whole(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"arrived"))

    with ScriptedServer([cut, whole]) as server:
        assert session.get(server.url("/old")).text == "arrived"


# -- history ----------------------------------------------------------------------------------------------


def test_history_tells_the_way_oldest_first(home: Site, away: Site, session: pystickyhttp.Session) -> None:
    home.answers["/one"] = to("/two", 301, body=b"to two")
    home.answers["/two"] = to(away.url("/three"), 307, body=b"to three")
    response = session.get(home.url("/one"))
    assert [each.status_code for each in response.history] == [301, 307]
    assert [each.url for each in response.history] == [home.url("/one"), home.url("/two")]
    assert [each.text for each in response.history] == ["to two", "to three"]
    assert [each.request.url for each in response.history] == [home.url("/one"), home.url("/two")]
    assert response.url == away.url("/three")
    assert [each.url for each in response.history[1].history] == [home.url("/one")]
    assert response.history[0].history == []


def test_the_end_of_a_redirect_can_be_streamed(home: Site, session: pystickyhttp.Session) -> None:
    home.answers["/old"] = to("/new")
    home.answers["/new"] = respond(b"x" * 100_000)
    with session.get(home.url("/old"), stream=True) as response:
        assert sum(map(len, response.iter_content(1000))) == 100_000
    assert home.accepted == 1


def test_a_call_without_a_session_that_fails_on_its_redirects_leaves_no_socket(home: Site) -> None:
    home.answers["/loop"] = to("/loop")
    with no_socket_left(), pytest.raises(pystickyhttp.TooManyRedirects):
        pystickyhttp.get(home.url("/loop"))


def test_a_cookie_that_a_redirect_sets_takes_the_place_of_the_calls(
    home: Site, session: pystickyhttp.Session
) -> None:
    """A login renews the session's id: the old one is of no use, though the call gave it."""
    home.answers["/login"] = to("/home", Set_Cookie="sid=new; Path=/")
    home.answers["/logout"] = to("/home", Set_Cookie="sid=; Max-Age=0; Path=/")
    session.get(home.url("/login"), cookies={"sid": "old", "theme": "dark"})
    session.cookies.clear()
    session.get(home.url("/logout"), cookies={"sid": "old", "theme": "dark"})
    cookies = [sorted((request.header("Cookie") or "").split("; ")) for request in home.requests]
    assert cookies == [
        ["sid=old", "theme=dark"],
        ["sid=new", "theme=dark"],
        ["sid=old", "theme=dark"],
        ["theme=dark"],
    ]


def test_of_two_locations_the_first_is_followed(home: Site, session: pystickyhttp.Session) -> None:
    """Joined by a comma, as the values of other fields are, they would be a third place."""
    home.answers["/"] = respond(b"", status=302, headers=[("Location", "/one"), ("Location", "/two")])
    assert session.get(home.url()).url == home.url("/one")
