"""What programs for requests override: it is the code that runs, and what it says counts."""

from __future__ import annotations

import pickle
import ssl
import typing
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlparse

import pytest

import pystickyhttp
from pystickyhttp import ConnectionError, PreparedRequest, Request, Response, Session
from pystickyhttp.adapters import BaseAdapter, HTTPAdapter
from pystickyhttp.exceptions import InvalidSchema, InvalidURL
from pystickyhttp.timeouts import Timeout
from tests.servers.scripted import Peer, ScriptedServer, closed_port, keep_alive, respond, silence
from tests.servers.sockets import no_socket_left
from tests.test_redirects_on_the_wire import Site, to


@pytest.fixture
def home() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def away() -> Iterator[Site]:
    with Site() as site:
        yield site


# --- redirects


def test_rebuild_auth_decides_which_credentials_go_along(home: Site, away: Site) -> None:
    """The recipe of NASA's Earthdata: a login server elsewhere gets the password, and nobody else does."""

    class Earthdata(Session):
        def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
            headers = prepared_request.headers
            if "Authorization" in headers:
                old, new = urlparse(response.request.url), urlparse(prepared_request.url)
                if old.port != new.port and new.port != away.port:
                    del headers["Authorization"]

    home.answers["/data"] = to(away.url("/login"))
    away.answers["/login"] = to(home.url("/open"))
    with Earthdata() as session:
        session.auth = ("user", "password")
        session.get(home.url("/data"))
    assert away.requests[0].header("Authorization") is not None
    assert home.requests[1].header("Authorization") is None


def test_should_strip_auth_decides_whether_credentials_are_dropped(home: Site, away: Site) -> None:
    class Trusting(Session):
        def should_strip_auth(self, old_url: str, new_url: str) -> bool:
            return False

    home.answers["/"] = to(away.url())
    with Trusting(auth=("user", "password")) as session:
        session.get(home.url(), headers={"Cookie": "by=hand"})
    assert away.requests[0].header("Authorization") is not None
    assert away.requests[0].header("Cookie") is None, "only auth was asked about"


def test_rebuild_method_decides_the_method_and_with_it_the_body(home: Site) -> None:
    class Posting(Session):
        def rebuild_method(self, prepared_request: PreparedRequest, response: Response) -> None:
            pass

    home.answers["/"] = to("/end")
    with Posting() as session:
        session.post(home.url(), data=b"kept")
    assert [(request.method, request.body) for request in home.requests] == [("POST", b"kept")] * 2


def test_get_redirect_target_decides_whether_and_where_to(home: Site) -> None:
    class Choosy(Session):
        def get_redirect_target(self, response: Response) -> str | None:
            target = super().get_redirect_target(response)
            return None if target == "/stop" else target

    home.answers["/"] = to("/go")
    home.answers["/go"] = to("/stop", body=b"here")
    with Choosy() as session:
        response = session.get(home.url())
    assert response.status_code == 302
    assert response.content == b"here"
    assert home.targets == ["/", "/go"]


def test_rebuild_proxies_is_asked_for_each_hop(home: Site) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    class Watching(Session):
        def rebuild_proxies(
            self, prepared_request: PreparedRequest, proxies: Mapping[str, str | None] | None
        ) -> Mapping[str, str | None]:
            seen.append((prepared_request.url, dict(proxies or {})))
            return super().rebuild_proxies(prepared_request, proxies)

    home.answers["/"] = to("/end")
    with Watching() as session:
        session.get(home.url(), proxies={"ftp": "http://p:1"})
    assert seen == [(home.url("/end"), {"ftp": "http://p:1"})]


def test_send_sees_every_hop(home: Site) -> None:
    seen: list[str] = []

    class Watching(Session):
        def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
            seen.append(request.url)
            return super().send(request, **kwargs)

    home.answers["/"] = to("/end")
    with Watching() as session:
        session.get(home.url())
    assert seen == [home.url(), home.url("/end")]


def test_resolve_redirects_walks_by_itself(home: Site, session: Session) -> None:
    home.answers["/1"] = to("/2")
    home.answers["/2"] = to("/3")
    first = session.get(home.url("/1"), allow_redirects=False)
    hops = list(session.resolve_redirects(first, first.request))
    assert [hop.url for hop in hops] == [home.url("/2"), home.url("/3")]
    assert [[each.url for each in hop.history] for hop in hops] == [
        [home.url("/1")],
        [home.url("/1"), home.url("/2")],
    ]
    assert hops[-1].text == "arrived"


def test_resolve_redirects_gives_the_next_request_unsent(home: Site, session: Session) -> None:
    home.answers["/1"] = to("/2")
    first = session.get(home.url("/1"), allow_redirects=False)
    (following,) = session.resolve_redirects(first, first.request, yield_requests=True)
    assert following.url == home.url("/2")
    assert home.targets == ["/1"]


# --- a redirect that is not followed


def test_next_is_the_request_that_a_redirect_asks_for(home: Site, session: Session) -> None:
    home.answers["/"] = to("/end", 303)
    response = session.post(home.url(), data=b"x", allow_redirects=False)
    following = response.next
    assert following is not None
    assert (following.method, following.url, following.body) == ("GET", home.url("/end"), None)
    assert session.send(following).text == "arrived"


def test_next_is_none_where_there_is_none(home: Site, session: Session) -> None:
    home.answers["/"] = to("/end")
    assert session.get(home.url("/x"), allow_redirects=False).next is None
    assert session.get(home.url()).next is None
    response = session.get(home.url(), allow_redirects=False)
    assert pickle.loads(pickle.dumps(response)).next is None


@pytest.mark.parametrize(("location", "error"), [("ftp://h/", InvalidSchema), ("http://", InvalidURL)])
def test_a_redirect_to_what_is_none_is_an_error_only_for_who_asks(
    location: str, error: type[Exception], home: Site, session: Session
) -> None:
    home.answers["/"] = to(location, body=b"body")
    response = session.get(home.url(), allow_redirects=False)
    assert response.content == b"body"
    with pytest.raises(error):
        _ = response.next


def test_whether_a_response_is_a_redirect(home: Site, session: Session) -> None:
    home.answers["/302"] = to("/end")
    home.answers["/301"] = to("/end", 301)
    home.answers["/308"] = to("/end", 308)
    home.answers["/bare"] = respond(b"", status=301)
    home.answers["/300"] = to("/end", 300)
    found = {
        target: (response.is_redirect, response.is_permanent_redirect)
        for target in ("/302", "/301", "/308", "/bare", "/300", "/200")
        for response in [session.get(home.url(target), allow_redirects=False)]
    }
    assert found == {
        "/302": (True, False),
        "/301": (True, True),
        "/308": (True, True),
        "/bare": (False, False),
        "/300": (False, False),
        "/200": (False, False),
    }


# --- settings


def test_merge_environment_settings_has_the_last_word(ca_file: str) -> None:
    class Checked(Session):
        def merge_environment_settings(self, url: str, *args: Any) -> dict[str, Any]:
            settings = super().merge_environment_settings(url, *args)
            settings["verify"] = ca_file
            return settings

    class Watching(HTTPAdapter):
        seen: list[Any] = []  # noqa: RUF012

        def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
            self.seen.append(kwargs["verify"])
            return super().send(request, *args, **kwargs)

    with ScriptedServer(keep_alive(lambda request: respond(b""))) as server, Checked() as session:
        session.mount("http://", Watching())
        session.get(server.url())
        session.send(session.prepare_request(Request("GET", server.url())))
    assert Watching.seen == [ca_file, ca_file]


def test_request_may_be_given_defaults_by_a_subclass() -> None:
    class Impatient(Session):
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
            kwargs.setdefault("timeout", 0.2)
            return super().request(method, url, *args, **kwargs)

    with ScriptedServer(silence) as server:
        with Impatient() as session, pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.2"):
            session.get(server.url())


class OfAnApi(Session):
    """As many are written for requests: with attributes of its own, set before there is a session."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self.base_url = base_url
        self.timeout = timeout
        super().__init__()

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        assert self.base_url is not None
        kwargs.setdefault("timeout", self.timeout)
        return super().request(method, self.base_url + url, *args, **kwargs)


def test_a_subclass_may_set_attributes_of_its_own_before_it_is_a_session(home: Site) -> None:
    with OfAnApi(home.url("/api"), 5) as session:
        session.get("/users")
        assert session.timeout == 5
        assert session.base_url == home.url("/api")
        assert pickle.loads(pickle.dumps(session)).base_url == session.base_url
    assert home.requests[0].target == "/api/users"


def test_a_subclass_may_have_a_base_url_of_the_class(home: Site) -> None:
    """As requests-toolbelt has it, and joins them by itself."""

    class Based(Session):
        base_url = None

        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
            return super().request(method, home.url(url), *args, **kwargs)

    with Based() as session:
        session.get("/users")
    assert home.requests[0].target == "/users"


def test_the_annotations_of_a_session_can_be_resolved() -> None:
    """Libraries that make classes, such as attrs, ask for those of a subclass."""
    assert typing.get_type_hints(Session).keys() >= {"timeout"}


class WithDefault(HTTPAdapter):
    """The recipe that half of the world's programs have: a timeout where nobody gave one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.timeout = kwargs.pop("timeout", None)
        super().__init__(*args, **kwargs)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:  # type: ignore[override]
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.timeout
        return super().send(request, **kwargs)


def test_an_adapter_may_set_the_timeout_that_nobody_gave() -> None:
    with ScriptedServer(silence) as server:
        with Session() as session:
            session.mount("http://", WithDefault(timeout=0.2))
            with pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.2"):
                session.get(server.url())
            with pytest.raises(pystickyhttp.ReadTimeout, match=r"0\.3"):
                session.get(server.url(), timeout=0.3)
            with pytest.raises(pystickyhttp.TotalTimeout, match=r"0\.4"):
                session.get(server.url(), timeout=Timeout(total=0.4))


def test_an_adapter_of_a_subclass_pickles_with_its_attributes() -> None:
    """L4."""
    adapter = pickle.loads(pickle.dumps(WithDefault(pool_maxsize=3, max_retries=2, timeout=5)))
    assert adapter.timeout == 5
    assert adapter.limits.max_idle_per_host == 3
    assert adapter.max_retries.total == 2


def test_an_adapter_may_add_headers(home: Site, session: Session) -> None:
    class Stamping(HTTPAdapter):
        def add_headers(self, request: PreparedRequest, **settings: Any) -> None:
            assert settings["timeout"] == 3
            request.headers["X-Stamp"] = "here"

    session.mount("http://", Stamping())
    session.get(home.url(), timeout=3)
    assert home.requests[0].header("X-Stamp") == "here"


def test_an_adapter_may_write_another_target(home: Site, session: Session) -> None:
    class Absolute(HTTPAdapter):
        def request_url(self, request: PreparedRequest, proxies: Mapping[str, str | None] | None) -> str:
            return request.url

    session.mount("http://", Absolute())
    session.get(home.url("/x"))
    assert home.targets == [home.url("/x")]


def test_an_adapter_may_make_another_response(home: Site, session: Session) -> None:
    class Shouting(HTTPAdapter):
        def build_response(self, request: PreparedRequest, incoming: Any) -> Response:
            response = super().build_response(request, incoming)
            response.reason = response.reason.upper()
            return response

    session.mount("http://", Shouting())
    assert session.get(home.url()).reason == "OK"
    assert session.get(home.url()).connection is session.get_adapter(home.url())


def test_the_slot_of_a_response_that_an_adapter_cant_make_is_free(home: Site, session: Session) -> None:
    """L3: at once, though who has caught the error holds on to the frames that it came from."""

    class Refusing(HTTPAdapter):
        def build_response(self, request: PreparedRequest, incoming: Any) -> Response:
            raise KeyError("nothing is made of it")

    home.answers["/"] = respond(b"x" * 200_000)
    adapter = Refusing(limits=pystickyhttp.Limits(max_connections=1))
    session.mount("http://", adapter)
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            session.get(home.url(), timeout=Timeout(pool=30))
        assert session.stats().active == 0, caught.value


def test_an_adapter_may_set_what_its_pool_is_made_with(
    tls_context: ssl.SSLContext, ca_file: str, session: Session
) -> None:
    """The recipe for an SSLContext of one's own."""

    class OwnContext(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            kwargs["ssl_context"] = ssl.create_default_context(cafile=ca_file)
            super().init_poolmanager(*args, **kwargs)

    session.mount("https://", OwnContext())
    with ScriptedServer(keep_alive(lambda request: respond(b"ok")), tls=tls_context) as server:
        assert session.get(server.url()).text == "ok"


def test_an_adapter_that_makes_no_pool_of_ours_is_told_what_to_do() -> None:
    class Theirs(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            self.poolmanager = object()

    with pytest.raises(TypeError, match="ssl_context"):
        Theirs()
    with pytest.raises(TypeError, match="ssl_version"):
        HTTPAdapter().init_poolmanager(1, 1, ssl_version=3)


def test_an_adapter_of_ones_own_serves_its_scheme(session: Session) -> None:
    class Files(BaseAdapter):
        def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
            import io

            response = Response()
            response.status_code = 200
            response.url, response.request = request.url, request
            response.raw = io.BytesIO(b"contents of " + request.path_url.encode())
            return response

    session.mount("file://", Files())
    response = session.get("file:///etc/motd")
    assert response.ok
    assert response.content == b"contents of /etc/motd"


def test_settings_of_the_pool_are_the_limits() -> None:
    """requests' three numbers, said in those of `Limits`."""
    assert HTTPAdapter().limits == pystickyhttp.Limits()
    assert HTTPAdapter(pool_maxsize=3).limits == pystickyhttp.Limits(max_idle_per_host=3)
    assert HTTPAdapter(4, 3).limits == pystickyhttp.Limits(max_idle=12, max_idle_per_host=3)
    assert HTTPAdapter(pool_connections=4).limits == pystickyhttp.Limits(max_idle=40)
    assert HTTPAdapter(pool_maxsize=3, pool_block=True).limits == pystickyhttp.Limits(
        max_idle_per_host=3, max_per_host=3
    )
    assert HTTPAdapter(pool_block=True).limits == pystickyhttp.Limits(max_per_host=10)
    for wrong in (-1, "3", 2.5):
        with pytest.raises((TypeError, ValueError)):
            HTTPAdapter(pool_maxsize=wrong)  # type: ignore[arg-type]


def test_nothing_is_left_open_where_a_subclass_fails(home: Site) -> None:
    """L3."""

    class Failing(Session):
        def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
            raise ZeroDivisionError

    home.answers["/"] = to("/end", body=b"x")
    with no_socket_left(), Failing() as session:
        session.max_connections = 1
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                session.get(home.url())
        assert session.get(home.url("/end")).text == "arrived"


# --- adapters and settings of others


def test_an_adapter_may_give_headers_as_it_likes_and_leave_the_url_out(session: Session) -> None:
    import urllib3

    class Foreign(BaseAdapter):
        def __init__(self, headers: Any) -> None:
            self.headers = headers

        def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
            response = Response()
            response.status_code, response.headers = 200, self.headers
            return response

    several = urllib3.HTTPHeaderDict()
    several.add("set-cookie", "a=1")
    several.add("set-cookie", "b=2, 3")
    for headers in ({"set-cookie": "a=1"}, several):
        session.mount("http://", Foreign(headers))
        session.mount("mock://", Foreign(headers))
        response = session.get("http://h/")
        assert response.headers["Set-Cookie"]
        assert response.connection is session.get_adapter("http://h/")
        assert session.get("mock://h/").ok
    assert session.cookies.get_dict() == {"a": "1", "b": "2, 3"}


def test_an_adapter_for_requests_may_insist_on_every_setting(session: Session) -> None:
    class Insists(BaseAdapter):
        def send(  # type: ignore[override]
            self, request: PreparedRequest, stream: Any, timeout: Any, verify: Any, cert: Any, proxies: Any
        ) -> Response:
            assert timeout is None
            response = Response()
            response.status_code = 204
            return response

    session.mount("mock://", Insists())
    assert session.get("mock://h/").status_code == 204


def test_an_adapter_that_returns_no_response_is_told_so(session: Session) -> None:
    class Nothing(BaseAdapter):
        def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Any:
            return None

    session.mount("http://", Nothing())
    with pytest.raises(TypeError, match="return a Response"):
        session.get("http://h/")


def test_headers_and_hooks_of_a_prepared_request_may_be_any_mapping(home: Site, session: Session) -> None:
    prepared = session.prepare_request(Request("GET", home.url()))
    prepared.headers = {"X-Only": "this"}  # type: ignore[assignment]
    prepared.hooks = {}
    session.send(prepared)
    assert [name for name, _ in home.requests[0].headers] == ["Host", "X-Only"]


def test_a_policy_of_retries_can_be_assigned_in_every_form(home: Site, session: Session) -> None:
    adapter = session.get_adapter("http://h/")
    assert isinstance(adapter, HTTPAdapter)
    for value, total in ((3, 3), (pystickyhttp.Retry(total=5), 5), (None, 0)):
        adapter.max_retries = value
        assert adapter.max_retries.total == total
        assert session.get(home.url()).ok
    with pytest.raises(TypeError):
        adapter.max_retries = "3"  # type: ignore[assignment]


def test_adapters_that_were_replaced_are_closed_with_the_session(home: Site) -> None:
    with no_socket_left(), Session() as session:
        session.get(home.url())
        session.mount("http://", HTTPAdapter())
        session.mount("https://", HTTPAdapter())


class Unhashable(BaseAdapter):
    """As a dataclass is that does not say otherwise."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable)

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_an_adapter_without_a_hash_is_mounted_as_any_other() -> None:
    """It is told from others by being itself, even where it says that it equals them."""
    one, other = Unhashable(), Unhashable()
    with Session() as session:
        session.mount("one://", one)
        session.mount("again://", one)
        session.mount("other://", other)
        session.max_connections = 3
        assert session.stats().opened == 0
        assert repr(session).count("Unhashable") == 2
    assert (one.closed, other.closed) == (1, 1)


def test_every_adapter_is_closed_though_one_of_them_fails(home: Site) -> None:
    class Failing(BaseAdapter):
        def close(self) -> None:
            raise OSError("it can't")

    others = [Unhashable(), Unhashable()]
    with no_socket_left():
        session = Session()
        session.get(home.url())
        session.mount("one://", others[0])
        session.mount("failing://", Failing())
        session.mount("another://", others[1])
        with pytest.raises(OSError, match="it can't"):
            session.close()
    assert [each.closed for each in others] == [1, 1]


def test_the_session_that_a_program_puts_in_its_place_is_the_one_of_get(
    home: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(Session):
        def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
            request.headers["X-Own"] = "yes"
            return super().send(request, **kwargs)

    monkeypatch.setattr(pystickyhttp.sessions, "Session", Own)
    pystickyhttp.get(home.url())
    assert home.requests[0].header("X-Own") == "yes"


def test_a_subclass_may_redirect_upon_any_status(home: Site) -> None:
    class Refreshing(Session):
        def get_redirect_target(self, resp: Response) -> str | None:
            return resp.headers.get("Refresh") or super().get_redirect_target(resp)

    home.answers["/"] = respond(b"", headers=[("Refresh", "/fresh")])
    with Refreshing() as session:
        assert session.get(home.url()).url == home.url("/fresh")


def test_sending_a_prepared_request_by_hand_takes_what_the_session_says(home: Site) -> None:
    class Watching(HTTPAdapter):
        seen: list[Any] = []  # noqa: RUF012

        def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
            self.seen.append(kwargs["cert"])
            return super().send(request, *args, **kwargs)

    with Session(cert="client.pem") as session:
        session.mount("http://", Watching())
        prepared = session.prepare_request(Request("GET", home.url()))
        session.send(prepared, stream=False, verify=True, proxies={})
    assert Watching.seen == ["client.pem"]


def test_a_walk_by_hand_has_one_deadline(home: Site, session: Session) -> None:
    """T1: and not one for each hop."""
    home.answers["/"] = to("/")
    first = session.get(home.url(), allow_redirects=False)
    session.max_redirects = 10**9
    with pytest.raises(pystickyhttp.TotalTimeout):
        for _ in session.resolve_redirects(first, first.request, timeout=Timeout(total=0.2)):
            pass


def test_a_total_deadline_holds_for_adapters_that_know_of_none(session: Session) -> None:
    """T1."""
    from pystickyhttp.testing import MockAdapter
    from pystickyhttp.testing import respond as respond_with

    session.mount("http://", MockAdapter(lambda request: respond_with(302, headers={"Location": "/"})))
    session.max_redirects = 10**9
    with pytest.raises(pystickyhttp.TotalTimeout):
        session.get("http://h/", timeout=Timeout(total=0.2))


def adapter_of(**settings: Any) -> HTTPAdapter:
    return HTTPAdapter(**settings)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda session: session.mount("http://", "adapter"),
        lambda session: session.mount(HTTPAdapter(), "http://"),
        lambda session: session.prepare_request("http://h/"),
        lambda session: session.get("http://h/", proxies={"http": 5}),
        lambda session: session.get("http://h/", proxies={5: "http://p"}),
        lambda session: session.mount("http://", HTTPAdapter),
        lambda session: adapter_of(server_hostname=5),
        lambda session: adapter_of(ssl_context=5),
        lambda session: adapter_of(resolver=5),
        lambda session: adapter_of(limits={}),
        lambda session: adapter_of(pool_connections="10"),
        lambda session: setattr(session.get_adapter("http://h/"), "limits", None),
    ],
)
def test_what_is_of_no_use_is_told_where_it_is_given(wrong: Any, session: Session) -> None:
    with pytest.raises(TypeError, match=r"give|takes"):
        wrong(session)


def test_an_adapter_that_does_not_say_how_it_answers_is_told_what_it_lacks() -> None:
    class Mute(BaseAdapter):
        def close(self) -> None:
            pass

    with Session() as session:
        session.mount("mute://", Mute())
        with pytest.raises(NotImplementedError, match=r"has to say in send\(\) how it answers"):
            session.get("mute://x/")


def test_an_error_of_a_request_that_a_body_is_made_of_names_that_one() -> None:
    with Session() as session, closed_port() as port, ScriptedServer([Peer.stall]) as server:

        def body() -> Iterator[bytes]:
            yield session.get(f"http://127.0.0.1:{port}/part").content

        with pytest.raises(ConnectionError) as caught:
            session.post(server.url("/whole"), data=body())
        assert caught.value.request is not None
        assert caught.value.request.url == f"http://127.0.0.1:{port}/part"
