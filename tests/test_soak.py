"""Sixteen threads, one session, and a server that does at random what servers do at their worst.

Bounded by a number of requests. The seed is in each failure's message, and can be set to run one again.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pystickyhttp import RequestException, Session
from pystickyhttp.timeouts import Timeout
from tests.servers.scripted import Peer, ScriptedServer, respond
from tests.servers.sockets import no_socket_left

SEED = int(os.environ.get("SOAK_SEED") or random.randrange(1 << 32))
THREADS = 16
REQUESTS = 150  # of each thread: some seconds in all, as most of it is waiting

# How the server ends a conversation, after so much of its answer: (how, the share that it sends).
ENDINGS = {
    "closes after": ("fin", 1.0),
    "resets after": ("rst", 1.0),
    "closes before": ("fin", 0.0),
    "resets before": ("rst", 0.0),
    "closes amid the head": ("fin", 0.1),
    "truncates": ("fin", 0.9),
    "resets amid the body": ("rst", 0.9),
}
ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "answers": respond,
    "answers in chunks": lambda body: respond(body, chunked=True),
    "fails": lambda body: respond(body, status=503),
    "says close": lambda body: respond(body, headers={"Connection": "close"}),
    "plants an answer": lambda body: respond(body) + respond(b"planted"),
}
FATES = ("answers",) * 12 + (*ANSWERS, "answers slowly", *ENDINGS)


class Moody:
    """A script that draws a fate for each request."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()  # guards _random and fates: each connection has a thread
        self.fates: Counter[str] = Counter()

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            body = (request.header("X-Request-Id") or "").encode() * 50
            fate = self._draw()
            if fate in ENDINGS:
                self._end(peer, fate, respond(body))
                return
            if fate == "answers slowly":
                peer.drip(respond(body), size=2000, every=0.005)
            elif not peer.try_send(ANSWERS[fate](body)) or fate == "says close":
                return

    def _draw(self) -> str:
        with self._lock:
            fate = self._random.choice(FATES)
            self.fates[fate] += 1
            return fate

    def _end(self, peer: Peer, fate: str, whole: bytes) -> None:
        ending, share = ENDINGS[fate]
        peer.try_send(whole[: int(len(whole) * share)])
        peer.rst() if ending == "rst" else peer.fin()


def call(session: Session, url: str, thread: int, number: int) -> str:
    """What became of a request: the name of our error, or "answered" if the answer is its own."""
    identity = f"<{thread}:{number}>"
    body = b"y" * (number * 263) if number % 3 == 0 else None
    method = "GET" if body is None else "POST"
    timeout = Timeout(read=20, total=40)
    try:
        response = session.request(
            method, url, headers={"X-Request-Id": identity}, data=body, timeout=timeout
        )
    except RequestException as error:
        return type(error).__name__
    assert response.content == identity.encode() * 50, f"a foreign answer; SOAK_SEED={SEED}"
    return "answered"


@pytest.mark.slow
@pytest.mark.parametrize("limit", [None, 5])
def test_no_answer_goes_astray_and_nothing_is_left_whatever_the_server_does(limit: int | None) -> None:
    """Zero foreign answers, zero errors but ours, zero sockets and threads left."""
    moody = Moody(SEED)
    outcomes: Counter[str] = Counter()
    before = set(threading.enumerate())
    with ScriptedServer(moody) as server, no_socket_left(), Session() as session:
        session.max_connections = limit
        with ThreadPoolExecutor(THREADS) as threads:
            calls = [
                threads.submit(call, session, server.url(), thread, number)
                for number in range(REQUESTS)
                for thread in range(THREADS)
            ]
            outcomes.update(each.result(60) for each in calls)
        session.close()
        pool = session.get_adapter("http://").pool  # type: ignore[attr-defined]
        assert pool._ledger.open == 0, f"a permit was lost; SOAK_SEED={SEED}"
    # A POST may be lost, and an answer cut short: that is told. Nothing else goes wrong.
    assert set(outcomes) <= {"answered", "ConnectionLost", "IncompleteBody"}, f"{outcomes}; SOAK_SEED={SEED}"
    assert outcomes["answered"] > THREADS * REQUESTS / 2, f"{outcomes}; SOAK_SEED={SEED}"
    assert set(moody.fates) == set(FATES)
    assert not set(threading.enumerate()) - before
