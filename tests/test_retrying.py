"""The adapter's loop of tries, at servers that fail: what `Retry` decides is tested by itself."""

from __future__ import annotations

import collections
import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3.util.retry

import pystickyhttp
from pystickyhttp import Retry, Session
from pystickyhttp.adapters import HTTPAdapter
from pystickyhttp.exceptions import RetryError, UnrewindableBodyError
from pystickyhttp.timeouts import Timeout
from tests.names import named
from tests.patience import growing
from tests.servers.scripted import Peer, ScriptedServer, closed_port, keep_alive, respond, silence
from tests.servers.sockets import no_socket_left


class Flaky(ScriptedServer):
    """Answers a target with the statuses that it is given for it, one after the other, and then with 200."""

    def __init__(self) -> None:
        super().__init__(keep_alive(self._answer))
        self.statuses: dict[str, list[int]] = collections.defaultdict(list)
        self.fields: list[tuple[str, str]] = []

    def _answer(self, request: Any) -> bytes:
        statuses = self.statuses[request.target]
        status = statuses.pop(0) if statuses else 200
        return respond(b"body " + request.body, status=status, headers=self.fields)


@pytest.fixture
def server() -> Iterator[Flaky]:
    with Flaky() as server:
        yield server


def retrying(**arguments: Any) -> Session:
    return Session(retries=Retry(**arguments))


def dies(peer: Peer) -> None:
    peer.expect_request()


def answers(peer: Peer) -> None:
    peer.expect_request()
    peer.send(respond(b"alive"))


def test_a_listed_status_is_tried_again_on_the_same_connection(server: Flaky) -> None:
    server.statuses["/"] = [503, 500]
    with retrying(total=3, status_forcelist=[500, 503]) as session:
        response = session.get(server.url())
    assert response.status_code == 200
    assert server.accepted == 1
    assert [attempt.status for attempt in response.attempts] == [503, 500, 200]
    assert {attempt.url for attempt in response.attempts} == {server.url()}


def test_a_response_without_retries_tells_its_one_attempt(server: Flaky, session: Session) -> None:
    (attempt,) = session.get(server.url()).attempts
    assert (attempt.method, attempt.url, attempt.error, attempt.status) == ("GET", server.url(), None, 200)


def test_a_status_that_stays_is_an_error_with_the_last_response(server: Flaky) -> None:
    server.statuses["/"] = [503] * 9
    with retrying(total=2, status_forcelist=[503]) as session, pytest.raises(RetryError) as caught:
        session.get(server.url())
    assert len(server.requests) == 3
    assert caught.value.response.status_code == 503
    assert caught.value.request.url == server.url()
    assert "503" in str(caught.value)
    assert "3 tries" in str(caught.value)


def test_a_status_that_stays_is_returned_where_raise_on_status_is_off(server: Flaky) -> None:
    server.statuses["/"] = [503] * 9
    with retrying(total=2, status_forcelist=[503], raise_on_status=False) as session:
        response = session.get(server.url())
    assert response.status_code == 503
    assert response.content == b"body "
    assert len(response.attempts) == 3


def test_a_method_that_is_not_allowed_is_not_tried_again(server: Flaky) -> None:
    server.statuses["/"] = [503]
    with retrying(total=2, status_forcelist=[503]) as session:
        assert session.post(server.url(), data=b"x").status_code == 503
    assert len(server.requests) == 1


def test_a_body_is_sent_anew_with_each_try(server: Flaky) -> None:
    """P2."""
    server.statuses["/"] = [503, 503]
    with retrying(total=3, status_forcelist=[503], allowed_methods=None) as session:
        file = io.BytesIO(b"head file")
        file.seek(5)
        assert session.post(server.url(), data=file).content == b"body file"
    assert [request.body for request in server.requests] == [b"file"] * 3


def test_a_body_that_cant_be_wound_back_is_tried_once(server: Flaky) -> None:
    """P2: what came of the one try is what the caller hears of, and not that there was no other."""
    server.statuses["/"] = [503]
    with retrying(total=3, status_forcelist=[503], allowed_methods=None) as session:
        response = session.post(server.url(), data=iter([b"once"]))
    assert response.status_code == 503
    assert response.content == b"body once"


def test_an_error_on_the_way_there_is_tried_again_for_any_method() -> None:
    """Nothing can have reached the server, so nothing can have happened twice."""
    with closed_port() as port, retrying(total=2) as session:
        with pytest.raises(pystickyhttp.ConnectionError, match="3 tries"):
            session.post(f"http://127.0.0.1:{port}/", data=b"x")


def test_an_error_once_the_request_was_sent_is_tried_again_where_the_method_allows() -> None:
    with ScriptedServer([dies, dies, answers]) as server, retrying(total=2) as session:
        response = session.get(server.url())
        assert response.text == "alive"
        errors = [type(attempt.error) for attempt in response.attempts]
        assert errors == [pystickyhttp.ConnectionLost, pystickyhttp.ConnectionLost, type(None)]
    with ScriptedServer([dies]) as server, retrying(total=2) as session:
        with pytest.raises(pystickyhttp.ConnectionLost) as caught:
            session.post(server.url(), data=b"x")
        assert "tries" not in str(caught.value)


def test_a_number_is_for_connections_that_could_not_be_made_alone(server: Flaky) -> None:
    """As requests documents max_retries: "never to requests where data has made it to the server"."""
    server.statuses["/"] = [503]
    with Session(retries=3) as session:
        assert session.get(server.url()).status_code == 503
        with ScriptedServer([dies]) as dead, pytest.raises(pystickyhttp.ConnectionLost):
            session.get(dead.url())
        with closed_port() as port, pytest.raises(pystickyhttp.ConnectionError, match="4 tries"):
            session.get(f"http://127.0.0.1:{port}/")


def test_urllib3s_retry_is_taken_where_ours_is(server: Flaky) -> None:
    server.statuses["/"] = [502, 504]
    arguments: dict[str, Any] = {"total": 3, "backoff_factor": 0.25, "status_forcelist": [502, 504]}
    theirs = urllib3.util.retry.Retry(**arguments)
    for made in (Session(retries=theirs), Session()):
        with made as session:
            session.mount("http://", HTTPAdapter(max_retries=theirs))
            assert session.get(server.url()).status_code == 200
    adapter = HTTPAdapter(max_retries=theirs)
    assert adapter.max_retries.new(retry_after_max=120) == Retry(**arguments)


def test_the_wait_is_what_the_server_asks_for(server: Flaky) -> None:
    asked = 1
    server.statuses["/"] = [429]
    server.fields = [("Retry-After", str(asked))]
    with retrying(total=1) as session:
        started = time.monotonic()
        assert session.get(server.url()).status_code == 200
        assert time.monotonic() - started >= asked


def test_a_wait_that_the_total_timeout_has_no_room_for_is_not_begun(server: Flaky) -> None:
    """T1: the response that is there is worth more than a TotalTimeout that is to come."""
    server.statuses["/"] = [503] * 9
    server.fields = [("Retry-After", "100")]
    with retrying(total=5, status_forcelist=[503]) as session:
        response = session.get(server.url(), timeout=Timeout(total=20))
    assert response.status_code == 503
    assert response.content == b"body "
    assert len(server.requests) == 1


def test_an_error_whose_wait_the_total_timeout_has_no_room_for_is_raised_at_once() -> None:
    """T1."""
    with closed_port() as port, retrying(total=9, backoff_factor=100) as session:
        with pytest.raises(pystickyhttp.ConnectionError, match="2 tries"):
            session.get(f"http://127.0.0.1:{port}/", timeout=Timeout(total=20))


def test_the_total_timeout_covers_all_tries() -> None:
    """T1."""
    for total in growing(0.5):
        with ScriptedServer(silence) as server:
            with retrying(total=None, read=1000) as session, pytest.raises(pystickyhttp.TotalTimeout):
                session.get(server.url(), timeout=Timeout(read=0.1, total=total))
        if len(server.requests) > 1:
            return


def test_each_hop_of_a_redirect_has_its_tries(server: Flaky) -> None:
    server.statuses["/end"] = [503]
    with ScriptedServer(
        keep_alive(lambda request: respond(b"", status=302, headers=[("Location", server.url("/end"))]))
    ) as first:
        with retrying(total=1, status_forcelist=[503]) as session:
            response = session.get(first.url())
    assert response.status_code == 200
    assert [len(each.attempts) for each in (*response.history, response)] == [1, 2]


def test_retries_leave_no_connection_behind(server: Flaky) -> None:
    server.statuses["/"] = [503] * 9
    with no_socket_left(), retrying(total=3, status_forcelist=[503]) as session:
        session.max_connections = 1
        with pytest.raises(RetryError):
            session.get(server.url(), stream=True)
        assert session.get(server.url("/other")).status_code == 200


# --- redirects


@pytest.fixture
def loop() -> Iterator[ScriptedServer]:
    """Redirects for ever."""
    moved = respond(b"moved", status=302, headers=[("Location", "/"), ("X-Api-Key", "answer")])
    with ScriptedServer(keep_alive(lambda request: moved)) as server:
        yield server


def test_the_policy_may_allow_fewer_redirects_than_the_session(loop: ScriptedServer) -> None:
    with retrying(redirect=2) as session, pytest.raises(pystickyhttp.TooManyRedirects, match="more than 2"):
        session.get(loop.url())
    assert len(loop.requests) == 3


def test_it_never_allows_more(loop: ScriptedServer) -> None:
    with retrying(redirect=9) as session:
        session.max_redirects = 1
        with pytest.raises(pystickyhttp.TooManyRedirects, match="more than 1"):
            session.get(loop.url())


def test_the_redirect_itself_is_returned_where_raise_on_redirect_is_off(loop: ScriptedServer) -> None:
    with retrying(redirect=2, raise_on_redirect=False) as session:
        response = session.get(loop.url())
    assert response.status_code == 302
    assert response.content == b"moved"
    assert len(response.history) == 2


def test_redirect_false_follows_none(loop: ScriptedServer) -> None:
    with retrying(redirect=False) as session:
        assert session.get(loop.url()).status_code == 302
    assert len(loop.requests) == 1


def test_redirects_do_not_count_against_the_total(loop: ScriptedServer) -> None:
    """As in requests, where the session walks along them."""
    with retrying(total=0) as session, pytest.raises(pystickyhttp.TooManyRedirects, match="more than 30"):
        session.get(loop.url())


def test_the_fields_that_the_policy_names_do_not_leave_their_origin(server: Flaky) -> None:
    with ScriptedServer(
        keep_alive(lambda request: respond(b"", status=302, headers=[("Location", server.url("/end"))]))
    ) as first:
        with retrying(remove_headers_on_redirect=["X-Api-Key"]) as session:
            session.get(first.url(), headers={"X-Api-Key": "secret", "X-Other": "stays"})
        assert first.requests[0].header("X-Api-Key") == "secret"
    assert server.requests[0].header("X-Api-Key") is None
    assert server.requests[0].header("X-Other") == "stays"


@pytest.mark.parametrize("retries", ["3", 1.5, object(), -1], ids=named)
def test_retries_of_no_use_are_refused_where_they_are_given(retries: Any) -> None:
    for make in (lambda: Session(retries=retries), lambda: HTTPAdapter(max_retries=retries)):
        with pytest.raises((TypeError, ValueError), match=r"Retry|retries"):
            make()


def test_a_body_of_a_redirect_is_no_matter_of_retries(server: Flaky) -> None:
    """An UnrewindableBodyError comes out the same each time."""
    with ScriptedServer(
        keep_alive(lambda request: respond(b"", status=307, headers=[("Location", server.url("/end"))]))
    ) as first:
        with retrying(total=5, allowed_methods=None) as session, pytest.raises(UnrewindableBodyError):
            session.post(first.url(), data=iter([b"x"]))
        assert len(first.requests) == 1
