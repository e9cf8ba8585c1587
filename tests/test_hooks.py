"""Hooks: when they are called, with what, and what becomes of what they return."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import pystickyhttp
from pystickyhttp import PreparedRequest, Request, Response, Session
from pystickyhttp.auth import AuthBase
from tests.servers.scripted import ScriptedServer, keep_alive, respond


def answer(request: Any) -> bytes:
    if request.target == "/redirect":
        return respond(b"", status=302, headers=[("Location", "/end")])
    if request.target == "/cookie":
        return respond(b"", headers=[("Set-Cookie", "a=b")])
    return respond(request.target.encode())


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(answer)) as server:
        yield server


def noting(notes: list[Any], name: Any = None) -> Any:
    def hook(response: Response, **settings: Any) -> None:
        notes.append(response.url if name is None else name)

    return hook


def test_a_hook_is_called_with_the_response_and_the_settings_it_was_sent_with(
    server: ScriptedServer, session: Session
) -> None:
    calls: list[tuple[Response, dict[str, Any]]] = []
    hooks = {"response": lambda response, **settings: calls.append((response, settings))}
    response = session.get(server.url(), hooks=hooks, timeout=7, verify=False, stream=True)
    response.close()
    ((given, settings),) = calls
    assert given is response
    assert settings == {"stream": True, "timeout": 7, "verify": False, "cert": None, "proxies": {}}


def test_hooks_are_called_in_order_each_with_what_the_one_before_returned(
    server: ScriptedServer, session: Session
) -> None:
    notes: list[str] = []
    other = Response()
    other.url = "http://other/"

    def replace(response: Response, **settings: Any) -> Response:
        response.close()
        return other

    hooks = [noting(notes, "first"), replace, noting(notes)]
    assert session.get(server.url(), hooks={"response": hooks}, stream=True) is other
    assert notes == ["first", "http://other/"]


def test_a_hook_may_be_given_without_a_list(server: ScriptedServer, session: Session) -> None:
    notes: list[str] = []
    session.hooks = {"response": noting(notes)}
    session.get(server.url("/x"))
    assert notes == [server.url("/x")]


def test_the_calls_hooks_take_the_place_of_the_sessions(server: ScriptedServer, session: Session) -> None:
    notes: list[str] = []
    session.hooks["response"].append(noting(notes, "session"))
    session.get(server.url(), hooks={"response": [noting(notes, "call")]})
    session.get(server.url(), hooks={"response": []})
    session.get(server.url(), hooks={})
    assert notes == ["call", "session", "session"]


def test_every_hop_of_a_redirect_runs_the_hooks(server: ScriptedServer, session: Session) -> None:
    notes: list[str] = []
    session.get(server.url("/redirect"), hooks={"response": noting(notes)})
    assert notes == [server.url("/redirect"), server.url("/end")]


def test_cookies_of_what_a_hook_returned_and_of_its_history_stick(
    server: ScriptedServer, session: Session
) -> None:
    """As auth does that answers a challenge: the challenge may have set a cookie."""

    def again(response: Response, **settings: Any) -> Response | None:
        response.keep_undecoded()
        request = response.request.copy()
        request.url = server.url("/cookie")
        request.hooks = {"response": []}
        following: Response = response.connection.send(request, **settings)
        following.history.append(response)
        return following

    response = session.get(server.url("/first"), hooks={"response": again})
    assert [each.url for each in response.history] == [server.url("/first")]
    assert session.cookies.get_dict() == {"a": "b"}


def test_hooks_can_be_registered_and_taken_off(server: ScriptedServer, session: Session) -> None:
    notes: list[Any] = []
    first, second, third = (noting(notes, number) for number in (1, 2, 3))
    request = Request("GET", server.url(), hooks={"response": first})
    request.register_hook("response", [second, third])
    assert request.deregister_hook("response", second)
    assert not request.deregister_hook("response", second)
    prepared = session.prepare_request(request)
    prepared.register_hook("response", second)
    session.send(prepared)
    assert notes == [1, 3, 2]


def test_a_copy_has_hooks_of_its_own() -> None:
    prepared = Request("GET", "http://h/", hooks={"response": print}).prepare()
    twin = prepared.copy()
    twin.deregister_hook("response", print)
    assert prepared.hooks == {"response": [print]}


@pytest.mark.parametrize(
    ("hooks", "error", "says"),
    [
        ({"response": "print"}, TypeError, "can't be called"),
        ({"response": 5}, TypeError, "function"),
        ({"response": [print, None]}, TypeError, "can't be called"),
        ({"request": print}, ValueError, "response"),
        (print, TypeError, "mapping"),
    ],
    ids=repr,
)
def test_hooks_of_no_use_are_refused_before_a_byte_is_sent(
    hooks: Any, error: type[Exception], says: str, session: Session
) -> None:
    """requests passes over what can't be called, and nobody ever hears of it."""
    with ScriptedServer([]) as server, pytest.raises(error, match=says):
        session.get(server.url(), hooks=hooks)


def test_an_event_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="response"):
        Request("GET", "http://h/").register_hook("before", print)


def test_an_error_of_a_hook_is_the_callers_and_loses_no_connection(
    server: ScriptedServer, session: Session
) -> None:
    def breaks(response: Response, **settings: Any) -> None:
        raise ZeroDivisionError

    session.max_connections = 1
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            session.get(server.url(), hooks={"response": breaks})
    assert session.get(server.url("/after")).text == "/after"


class Challenged(AuthBase):
    """Registers a hook, as every auth does that answers challenges."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = "Token secret"
        request.register_hook("response", self.look)
        return request

    def look(self, response: Response, **settings: Any) -> None:
        self.seen.append(response.url)


def test_on_their_origin_the_hooks_of_auth_are_there_once_on_each_hop(
    server: ScriptedServer, session: Session
) -> None:
    auth = Challenged()
    session.get(server.url("/redirect"), auth=auth)
    assert auth.seen == [server.url("/redirect"), server.url("/end")]


def test_off_their_origin_the_hooks_of_auth_are_gone_and_the_callers_stay(
    server: ScriptedServer, session: Session
) -> None:
    """Redirect law: auth objects go, and with them what would answer a stranger's challenge."""
    auth, notes = Challenged(), []  # type: ignore[var-annotated]
    with ScriptedServer(
        keep_alive(lambda request: respond(b"", status=302, headers=[("Location", server.url("/end"))]))
    ) as first:
        session.get(first.url("/begin"), auth=auth, hooks={"response": noting(notes)})
        assert auth.seen == [first.url("/begin")]
        assert notes == [first.url("/begin"), server.url("/end")]
    assert server.requests[0].header("Authorization") is None


def test_the_callers_hooks_see_what_a_challenge_came_to_on_each_hop(session: Session) -> None:
    """Hooks of auth go ahead, on the first hop and on those where it is applied anew."""

    class Answers(AuthBase):
        def __call__(self, request: PreparedRequest) -> PreparedRequest:
            request.register_hook("response", self.answer)
            return request

        def answer(self, response: Response, **settings: Any) -> Response | None:
            if response.status_code != 401:
                return None
            response.keep_undecoded()
            request = response.request.copy()
            request.headers["Authorization"] = "answer"
            answered: Response = response.connection.send(request, **settings)
            return answered

    def guard(request: Any) -> bytes:
        if request.target == "/redirect":
            return answer(request)
        return respond(b"", status=200 if request.header("Authorization") else 401)

    notes: list[tuple[str, int]] = []
    with ScriptedServer(keep_alive(guard)) as server:

        def note(response: Response, **settings: Any) -> None:
            notes.append((response.request.path_url, response.status_code))

        session.get(server.url("/redirect"), auth=Answers(), hooks={"response": note})
        session.get(server.url("/direct"), auth=Answers(), hooks={"response": note})
    assert notes == [("/redirect", 302), ("/end", 200), ("/direct", 200)]


def test_a_response_pickles_though_its_hooks_were_called(server: ScriptedServer, session: Session) -> None:
    session.hooks["response"].append(print_nothing)
    response = pickle.loads(pickle.dumps(session.get(server.url("/x"))))
    assert response.text == "/x"
    assert response.request.hooks == {"response": [print_nothing]}


def print_nothing(response: Response, **settings: Any) -> None:
    pass


def test_the_names_are_where_requests_has_them() -> None:
    assert pystickyhttp.hooks.default_hooks() == {"response": []}
    assert pystickyhttp.hooks.dispatch_hook("response", None, 5) == 5


def test_a_hook_that_sends_again_gives_back_what_it_puts_aside(
    server: ScriptedServer, session: Session
) -> None:
    """R5, R6: the recipe of a token that is renewed."""
    session.max_connections = 1

    def again(response: Response, **settings: Any) -> Response | None:
        if response.url.endswith("/first"):
            response.content  # noqa: B018 - frees the one connection there is
            return session.get(server.url("/second"))
        return None

    assert session.get(server.url("/first"), hooks={"response": again}).text == "/second"
    hooks = {"response": lambda response, **settings: Response()}
    session.get(server.url("/put-aside"), hooks=hooks, stream=True)
    assert session.get(server.url("/after")).text == "/after"


@pytest.mark.parametrize("returned", ["text", 5, True], ids=repr)
def test_a_hook_that_returns_no_response_is_told_so(
    returned: Any, server: ScriptedServer, session: Session
) -> None:
    with pytest.raises(TypeError, match="return a Response"):
        session.get(server.url(), hooks={"response": lambda response, **settings: returned})
