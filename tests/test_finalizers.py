"""What runs at any instant of a thread: finalizers that the collector calls, and handlers of signals.

They may close a response, read one to its end, send a request or close the session, and may do so while the
thread that they strike holds one of our locks. Nobody can let go of it then but that very thread.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pystickyhttp import Limits, Session
from pystickyhttp.auth import HTTPDigestAuth
from pystickyhttp.cookies import jar
from pystickyhttp.transport.pool import ConnectionPool
from pystickyhttp.transport.tls_tickets import tickets
from tests.patience import DEADLINE, wait_for
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

LARGE = b"x" * 2_000_000


class Node:
    """What refers to itself: the collector alone frees it."""

    def __init__(self, held: object) -> None:
        self.held = held
        self.itself = self


def pool_of(session: Session) -> ConnectionPool:
    pool: ConnectionPool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
    return pool


def large(_: Any) -> bytes:
    return respond(LARGE)


def test_a_response_that_is_garbage_in_a_cycle_frees_its_slot_and_its_socket() -> None:
    """R6: the collector empties weak references ahead of finalizers, that of a slot to its claim too."""
    with ScriptedServer(keep_alive(large)) as server, no_socket_left(), Session() as session:
        Node(session.get(server.url(), stream=True))
        with pytest.warns(ResourceWarning, match="forgotten"):
            gc.collect()
        server.wait_for_open(0)
        assert session.stats().active == 0


def test_a_generator_that_reads_a_response_may_be_collected_at_any_instant() -> None:
    """L3, R6: what `with` closes then is closed, though the thread that it strikes holds the pool's lock."""
    with ScriptedServer(keep_alive(large)) as server, no_socket_left(), Session() as session:

        def rows() -> Iterator[bytes]:
            with session.get(server.url(), stream=True) as response:
                yield next(response.iter_content(10))

        before = gc.get_threshold()
        try:
            for threshold in range(1, 60):
                gc.disable()
                generator = rows()
                next(generator)
                Node(generator)
                del generator
                gc.set_threshold(threshold)
                gc.enable()
                session.get(server.url(), stream=True).close()
        finally:
            gc.set_threshold(*before)
            gc.enable()
        gc.collect()
        assert session.stats().active == 0
        server.wait_for_open(0)


def close_a_response(session: Session, url: str) -> None:
    session.held.close()  # type: ignore[attr-defined]


def read_a_response(session: Session, url: str) -> None:
    assert session.held.content == LARGE  # type: ignore[attr-defined]


def send_a_request(session: Session, url: str) -> None:
    assert session.get(url).content == LARGE


def close_the_session(session: Session, url: str) -> None:
    session.close()


def set_the_limit(session: Session, url: str) -> None:
    session.max_connections = 7


def ask_for_figures(session: Session, url: str) -> None:
    assert session.stats().opened == 2


@pytest.mark.parametrize(
    "strike",
    [close_a_response, read_a_response, send_a_request, close_the_session, set_the_limit, ask_for_figures],
)
def test_whatever_strikes_while_the_pool_is_locked_goes_its_way(
    strike: Callable[[Session, str], None],
) -> None:
    """L3: no hang, and once the lock is free nothing of it is left."""
    with ScriptedServer(keep_alive(large)) as server, no_socket_left(), Session() as session:
        session.held = session.get(server.url(), stream=True)  # type: ignore[attr-defined]
        session.get(server.url())
        with pool_of(session)._lock:
            strike(session, server.url())
        if strike is close_the_session:
            wait_for(lambda: session.stats().idle == 0, "the connections are closed")
        if strike is set_the_limit:
            wait_for(lambda: session.max_connections == 7, "the limit is set")
        session.held.close()  # type: ignore[attr-defined]
        assert session.get(server.url()).content == LARGE
        stats = session.stats()
        assert (stats.active, stats.waiting) == (0, 0)
        session.close()
        server.wait_for_open(0)


def test_who_waits_gets_the_slot_of_a_response_that_was_closed_while_the_pool_was_locked() -> None:
    """L2."""
    with ScriptedServer(keep_alive(large)) as server, Session(limits=Limits(max_per_host=1)) as session:
        held = session.get(server.url(), stream=True)
        outcome: list[int] = []
        waiter = threading.Thread(target=lambda: outcome.append(session.get(server.url()).status_code))
        waiter.start()
        wait_for(lambda: bool(pool_of(session)._waiting), "somebody waits")
        with pool_of(session)._lock:
            held.close()
        waiter.join(DEADLINE)
        assert outcome == [200]


def test_a_request_that_strikes_while_the_jar_is_locked_takes_its_cookies() -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            peer.send(respond((request.header("Cookie") or "").encode(), headers={"Set-Cookie": "a=b"}))

    with ScriptedServer(script) as server, Session() as session, jar._lock:
        session.get(server.url())
        assert session.get(server.url()).text == "a=b"


def test_a_handshake_that_strikes_while_the_tickets_are_locked_is_made(
    tls_context: Any, ca_file: str
) -> None:
    """S2."""
    with ScriptedServer(keep_alive(large), tls=tls_context) as server, Session(verify=ca_file) as session:
        with tickets._lock:
            assert session.get(server.url()).content == LARGE


def test_a_request_that_strikes_while_digest_answers_is_answered() -> None:
    challenge = respond(b"", status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n"'})
    auth = HTTPDigestAuth("user", "password")

    def answer(request: Any) -> bytes:
        return challenge if request.header("Authorization") is None else respond(b"in")

    with ScriptedServer(keep_alive(answer)) as server, Session(auth=auth) as session, auth._memory._lock:
        assert session.get(server.url()).content == b"in"


def test_what_was_closed_while_the_pool_was_locked_is_seen_to_by_the_next_response_that_ends() -> None:
    """R5: a thread that has just let go of the lock may have no other request to send."""
    with ScriptedServer(keep_alive(large)) as server, no_socket_left(), Session() as session:
        first, second = (session.get(server.url(), stream=True) for _ in range(2))
        with pool_of(session)._lock:
            first.close()
        assert pool_of(session)._ledger.open == 2
        assert second.content == LARGE
        assert pool_of(session)._ledger.open == 1
