"""TLS within TLS: whatever a plain `ssl.SSLSocket` does, a TLSInTLS does through a proxy's TLS."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import random
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp.timeouts import Timeout
from pystickyhttp.transport import (
    DuplexStream,
    HTTPConnection,
    OutgoingRequest,
    Proxy,
    Route,
    TLSIdentity,
    TLSInfo,
)
from pystickyhttp.transport import tls_in_tls as module
from pystickyhttp.transport.tls_in_tls import MOST_TAKEN, TLSInTLS
from tests.servers.certificates import server_context
from tests.servers.nested import (
    FAR_END,
    PROXY,
    Commanded,
    CommandedFarEnd,
    CommandedProxy,
    Contexts,
    Direct,
    Ends,
    FarSide,
    Layer,
    Nested,
    client_context,
    encrypted,
    shake_hands,
)
from tests.servers.scripted import Peer, Script, ScriptedServer, keep_alive, respond
from tests.servers.sockets import no_socket_left

# Longer than anything here takes on a busy machine; it is waited out only where something is wrong.
PATIENCE = 20.0
# For what is to run out.
SHORT = 0.2
VERSIONS = ("1.2", "1.3")
LARGE = random.Random(6).randbytes(3_000_000)

_T = TypeVar("_T")


@pytest.fixture(scope="module")
def four(ca: trustme.CA) -> dict[tuple[str, str], Contexts]:
    return {pair: Contexts.of(ca, *pair) for pair in itertools.product(VERSIONS, VERSIONS)}


@pytest.fixture(
    params=list(itertools.product(VERSIONS, VERSIONS)), ids=lambda pair: f"{pair[1]} in {pair[0]}"
)
def contexts(request: pytest.FixtureRequest, four: dict[tuple[str, str], Contexts]) -> Contexts:
    """For what has to hold for each version within each."""
    return four[request.param]


@pytest.fixture(params=VERSIONS)
def same(request: pytest.FixtureRequest, four: dict[tuple[str, str], Contexts]) -> Contexts:
    """For what has to hold for each version, within itself."""
    return four[request.param, request.param]


@pytest.fixture
def newest(four: dict[tuple[str, str], Contexts]) -> Contexts:
    return four["1.3", "1.3"]


# --- helpers


@contextlib.contextmanager
def connected(proxy: tuple[str, int], contexts: Contexts, buffer: int | None = None) -> Iterator[TLSInTLS]:
    """A blocking one; the proxy is a tunnel from the first byte."""
    with socket.create_connection(proxy, PATIENCE) as plain:
        if buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        with encrypted(plain, contexts.to_proxy, PROXY) as outer:
            outer.do_handshake()
            client = TLSInTLS(outer, contexts.to_far_end, server_hostname=FAR_END)
            client.do_handshake()
            yield client


@contextlib.contextmanager
def through_a_proxy(contexts: Contexts, script: Script, *, buffer: int | None = None) -> Iterator[TLSInTLS]:
    """The same with a real proxy and a real far end, each in threads of its own."""
    with ScriptedServer(script, tls=contexts.far_end) as far_end:

        def passes_on(peer: Peer) -> None:
            peer.tunnel(far_end.address)

        with ScriptedServer(passes_on, tls=contexts.proxy, receive_buffer=buffer) as proxy:
            with no_socket_left(), connected(proxy.address, contexts, buffer) as client:
                yield client
        far_end.wait_for_scripts()


@contextlib.contextmanager
def at_work(far: FarSide) -> Iterator[None]:
    """The other side takes and answers in a thread, while this one may block."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            select.select([far.socket], [], [], 0.01)
            far.run()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def until(reached: Callable[[], bool], step: Callable[[], None]) -> None:
    limit = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < limit, "what is waited for does not come"
        step()


def readable(client: TLSInTLS) -> bool:
    return bool(select.select([client], [], [], 0)[0])


def at_hand(client: ssl.SSLSocket | TLSInTLS) -> bytes:
    """All that can be read without waiting."""
    got = b""
    with contextlib.suppress(ssl.SSLWantReadError):
        while data := client.recv(65536):
            got += data
    return got


def read_exactly(read: Callable[[], bytes], size: int) -> bytes:
    got = b""
    while len(got) < size:
        data = read()
        assert data, f"the end came after {len(got)} bytes of {size}"
        got += data
    return got


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def fill(client: TLSInTLS, data: bytes) -> int:
    """Send until nothing goes any more: how much was taken. One more send is under way then."""
    taken = 0
    with contextlib.suppress(ssl.SSLWantWriteError):
        while True:
            taken += client.send(memoryview(data)[taken:])
    return taken


# --- bytes, both ways


def test_large_bodies_go_both_ways_through_small_buffers(contexts: Contexts) -> None:
    def script(peer: Peer) -> None:
        peer.send(read_exactly(peer.read_some, len(LARGE))[::-1])
        peer.read_until_eof()

    with through_a_proxy(contexts, script, buffer=4096) as client:
        client.sendall(LARGE)
        assert read_exactly(lambda: client.recv(65536), len(LARGE)) == LARGE[::-1]


def test_what_is_known_of_the_inner_tls_is_what_an_ssl_socket_knows(contexts: Contexts) -> None:
    def facts(client: ssl.SSLSocket | TLSInTLS) -> list[object]:
        return [
            client.version(),
            client.cipher(),
            client.selected_alpn_protocol(),
            client.session_reused,
            client.getpeercert(),
            client.getpeercert(binary_form=True),
            client.context,
            client.gettimeout(),
            client.pending(),
        ]

    with Direct(contexts) as direct, Nested(contexts) as nested:
        assert facts(nested.client) == facts(direct.client)
        assert TLSInfo.of(nested.client) == TLSInfo.of(direct.client)
        assert nested.client.fileno() == nested.client.outer.fileno()
        assert nested.client.getsockname() == nested.client.outer.getsockname()
        assert nested.client.getpeername() == nested.client.outer.getpeername()
        assert nested.client.outer.version() == nested.far.layers[0].tls.version()


def test_before_the_handshake_there_is_no_certificate_and_no_version(newest: Contexts) -> None:
    with Nested(newest, handshake=False) as ends:
        with pytest.raises(ValueError, match="handshake"):
            ends.client.getpeercert()
        assert ends.client.version() is None
        assert "no TLS" in repr(ends.client)
        shake_hands(ends.client, ends.far)
        assert "TLSv1.3" in repr(ends.client)


def test_a_name_that_the_context_insists_on_is_asked_for_before_anything_changes(newest: Contexts) -> None:
    ours, theirs = socket.socketpair()
    with theirs, encrypted(ours, newest.to_proxy, PROXY) as outer:
        with pytest.raises(ValueError, match="server_hostname"):
            TLSInTLS(outer, newest.to_far_end, server_hostname=None)
        assert outer.gettimeout() is None


def test_however_the_proxy_and_the_network_cut_the_stream_the_same_bytes_arrive(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        far, client = ends.far, ends.client

        @given(
            message=st.binary(max_size=3000),
            by_proxy=st.lists(st.integers(0, 10_000), max_size=8),
            by_network=st.lists(st.integers(0, 10_000), max_size=8),
        )
        @settings(deadline=None)
        def check(message: bytes, by_proxy: list[int], by_network: list[int]) -> None:
            got = b""
            for piece in cut(far.far_end.encrypt(message), by_proxy):
                for segment in cut(far.wrapped(piece), by_network):
                    far.transmit(segment)
                    got += at_hand(client)
            assert got == message
            assert client.pending() == 0

        check()


@pytest.mark.parametrize("by", ["proxy", "network"])
def test_a_stream_that_comes_byte_by_byte_is_the_same_stream(contexts: Contexts, by: str) -> None:
    """The handshake included, which is made by reading where nobody asked for it."""
    with Nested(contexts, handshake=False) as ends:
        far, client = ends.far, ends.client
        transmit, wrapped = far.transmit, far.wrapped
        got = b""

        def byte_by_byte(data: bytes) -> None:
            nonlocal got
            for place in range(len(data)):
                transmit(data[place : place + 1])
                got += at_hand(client)

        def byte_in_byte(data: bytes, depth: int = -1) -> bytes:
            return b"".join(wrapped(data[place : place + 1], depth) for place in range(len(data)))

        with pytest.MonkeyPatch.context() as patch:
            if by == "network":
                patch.setattr(far, "transmit", byte_by_byte)
            else:
                patch.setattr(far, "wrapped", byte_in_byte)
            shake_hands(client, far)
            far.say(b"abc" * 100)
        while far.has_more_to_send:  # not all of it has room on the wire at a time
            got += at_hand(client)
            far.run()
        assert got + at_hand(client) == b"abc" * 100


STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "send", "recv", "say", "run"]), st.integers(1, 40_000)),
    max_size=30,
)


def test_no_byte_is_lost_or_sent_twice_whatever_is_done_in_which_order(contexts: Contexts) -> None:
    """With a buffer that is full most of the time, and sends that are repeated until they are taken."""
    with Nested(contexts, send_buffer=4096) as ends:
        far, client = ends.far, ends.client

        def send(said: bytearray, data: bytes) -> bytes:
            """What is left of the data."""
            with contextlib.suppress(ssl.SSLWantWriteError):
                taken = client.send(data)
                assert 0 < taken <= MOST_TAKEN
                said += data[:taken]
                return data[taken:]
            return data

        @given(STEPS)
        @settings(deadline=None)
        def check(steps: list[tuple[str, int]]) -> None:
            far.received.clear()
            said, heard, answered, rest = bytearray(), b"", b"", b""
            for what, size in steps:
                if what == "send":
                    rest = send(said, rest or LARGE[size : 2 * size])
                elif what == "say":
                    answered += LARGE[:size]
                    far.say(LARGE[:size])
                elif what == "recv":
                    heard += at_hand(client)
                else:
                    far.run()
            while rest:
                rest = send(said, rest)
                far.run()
            far.run()
            while far.has_more_to_send:
                heard += at_hand(client)
                far.run()
            assert far.received == said
            assert heard + at_hand(client) == answered

        check()


# --- without waiting


def test_where_nothing_has_come_the_caller_is_told_to_wait_for_reading(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        for _ in range(2):
            with pytest.raises(ssl.SSLWantReadError):
                ends.client.recv(1)
        ends.far.say(b"ab")
        assert [ends.client.recv(1), ends.client.recv(1)] == [b"a", b"b"]
        with pytest.raises(ssl.SSLWantReadError):
            ends.client.recv(1)


def test_a_send_that_can_not_be_completed_takes_nothing_more_and_arrives_once(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        taken = fill(ends.client, LARGE)
        for _ in range(50):
            with pytest.raises(ssl.SSLWantWriteError):
                ends.client.send(LARGE[taken:])
        ends.far.run()
        taken += ends.client.send(LARGE[taken:])
        ends.far.run()
        assert ends.far.received == LARGE[:taken]


def test_a_send_that_is_not_repeated_with_the_same_bytes_is_an_error(newest: Contexts) -> None:
    with Nested(newest) as ends:
        taken = fill(ends.client, LARGE)
        with pytest.raises(ssl.SSLError, match="same bytes"):
            ends.client.send(b"other")
        ends.far.run()
        ends.client.send(LARGE[taken:])


@pytest.mark.parametrize("timeout", [0.0, PATIENCE])
def test_a_peer_that_answers_without_reading_is_heard(contexts: Contexts, timeout: float) -> None:
    """X2."""
    with Nested(contexts) as ends:
        fill(ends.client, LARGE)
        ends.far.say(b"413")
        ends.client.settimeout(timeout)
        assert ends.client.recv(10) == b"413"


def test_a_peer_that_closed_is_heard_though_nothing_can_be_sent_any_more(contexts: Contexts) -> None:
    """X2: on EPIPE the answer is read first, if there is one."""

    def course(ends: Ends) -> list[object]:
        client, far = ends.client, ends.far
        client.send(b"request")
        far.run()
        far.say(b"413")
        far.socket.close()
        calls = (lambda: client.send(b"more"), lambda: client.recv(10))
        return [outcome(call) for call in (calls[0], calls[0], calls[1], calls[1])]

    with Direct(contexts) as direct, Nested(contexts) as nested:
        results = course(nested)
        assert results == course(direct)
        assert results[2] == b"413"


def test_what_is_left_of_a_send_goes_out_while_an_answer_is_awaited(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        taken = fill(ends.client, LARGE)
        ends.client.settimeout(PATIENCE)
        heard: list[bytes] = []
        listener = threading.Thread(target=lambda: heard.append(ends.client.recv(10)))
        listener.start()
        # All that was taken, and the send that was under way.
        until(lambda: len(ends.far.received) >= taken + MOST_TAKEN, ends.far.run)
        ends.far.say(b"thanks")
        listener.join()
        assert heard == [b"thanks"]
        assert ends.client.send(LARGE[taken:]) == MOST_TAKEN
        ends.far.run()
        assert ends.far.received == LARGE[: taken + MOST_TAKEN]


def test_what_tls_says_of_its_own_accord_asks_for_writing(newest: Contexts) -> None:
    """A handshake whose first words could not be sent: nobody is going to answer it."""
    with Nested(newest, handshake=False) as ends:
        with (
            socket.socket(fileno=os.dup(ends.client.fileno())) as wire,
            contextlib.suppress(BlockingIOError),
        ):
            while True:
                wire.send(b"x")
        with pytest.raises(ssl.SSLWantWriteError):
            ends.client.do_handshake()


# --- with a timeout


@pytest.mark.parametrize("timeout", [PATIENCE, None])
def test_a_blocking_send_returns_when_the_system_has_taken_all_of_it(
    contexts: Contexts, timeout: float | None
) -> None:
    with Nested(contexts, send_buffer=4096) as ends:
        ends.client.settimeout(timeout)
        assert ends.client.gettimeout() == timeout
        with at_work(ends.far):
            sent = [ends.client.send(LARGE[:100]), ends.client.send(memoryview(LARGE)[100:])]
            ends.client.sendall(bytearray(LARGE[sum(sent) : 300_000]))
        ends.far.run()
        assert sent == [100, MOST_TAKEN]
        assert ends.far.received == LARGE[:300_000]


def test_a_send_whose_time_ran_out_goes_on_where_it_is_repeated(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        taken = fill(ends.client, LARGE)
        ends.client.settimeout(SHORT)
        with pytest.raises(TimeoutError, match="writing"):
            ends.client.send(LARGE[taken:])
        ends.client.settimeout(PATIENCE)
        ends.far.run()
        taken += ends.client.send(LARGE[taken:])
        ends.far.run()
        assert ends.far.received == LARGE[:taken]


@pytest.mark.parametrize("cutter", ["proxy", "network"])
def test_a_peer_that_drips_the_bytes_of_a_record_does_not_extend_the_timeout(
    contexts: Contexts, cutter: str
) -> None:
    """Law T1; and what came is not lost."""
    with Nested(contexts) as ends:
        far, client = ends.far, ends.client
        record = far.far_end.encrypt(b"x" * 10_000)
        drops = [record[place : place + 1] for place in range(len(record))]
        if cutter == "network":
            wrapped = far.wrapped(record)
            drops = [wrapped[place : place + 1] for place in range(len(wrapped))]
        given_up = threading.Event()

        def drip() -> None:
            for drop in drops:
                far.transmit(drop if cutter == "network" else far.wrapped(drop))
                given_up.wait(0.005)

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            client.settimeout(SHORT)
            with pytest.raises(TimeoutError):
                client.recv(10_000)
        finally:
            given_up.set()
            dripping.join()
        client.settimeout(PATIENCE)
        with at_work(far):  # not all of it had room on the wire
            assert client.recv(10_000) == b"x" * 10_000


def test_a_reader_that_takes_a_little_at_a_time_does_not_extend_the_timeout(newest: Contexts) -> None:
    """T1: one deadline over all of a sendall()."""
    with Nested(newest, send_buffer=4096) as ends:
        given_up = threading.Event()

        def sip() -> None:
            while not given_up.wait(0.005):
                with contextlib.suppress(BlockingIOError):
                    ends.far.socket.recv(500)

        sipping = threading.Thread(target=sip)
        sipping.start()
        try:
            ends.client.settimeout(SHORT)
            with pytest.raises(TimeoutError, match="writing"):
                ends.client.sendall(LARGE)
        finally:
            given_up.set()
            sipping.join()


@pytest.mark.parametrize("doing", ["do_handshake", "recv", "unwrap"])
def test_silence_ends_at_the_timeout(newest: Contexts, doing: str) -> None:
    with Nested(newest, handshake=doing != "do_handshake") as ends:
        ends.client.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            ends.client.recv(1) if doing == "recv" else getattr(ends.client, doing)()


def test_what_is_at_hand_is_read_however_short_the_timeout(newest: Contexts) -> None:
    with Nested(newest) as ends:
        at_hand(ends.client)  # tickets
        ends.far.say(b"ab")
        ends.client.settimeout(1e-9)
        assert ends.client.recv(1) == b"a"
        assert ends.client.recv(1) == b"b"
        with pytest.raises(TimeoutError):
            ends.client.recv(1)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e10])
def test_a_timeout_that_is_none_is_refused(newest: Contexts, seconds: float) -> None:
    with Nested(newest) as ends, pytest.raises(ValueError, match="timeout"):
        ends.client.settimeout(seconds)


# --- nobody spins while it waits


class Counting(ssl.SSLSocket):
    """Counts what is asked of the outer TLS."""

    calls = 0

    def recv(self, *args: Any) -> bytes:
        self.calls += 1
        return super().recv(*args)

    def send(self, *args: Any) -> int:
        self.calls += 1
        return super().send(*args)


class HasToWriteFirst(Counting):
    """As in the middle of a negotiation whose bytes the network does not take."""

    def recv(self, *args: Any) -> bytes:
        self.calls += 1
        if not select.select([], [self], [], 0)[1]:
            raise ssl.SSLWantWriteError
        return super().recv(*args)


class HasToReadFirst(Counting):
    """As in the middle of a negotiation whose next bytes have not come."""

    def send(self, *args: Any) -> int:
        self.calls += 1
        if not select.select([self], [], [], 0)[0]:
            raise ssl.SSLWantReadError
        return super().send(*args)


@pytest.fixture
def counting(newest: Contexts, ca: trustme.CA) -> Callable[[type[Counting]], Contexts]:
    def make(kind: type[Counting]) -> Contexts:
        to_proxy = client_context(ca)
        to_proxy.sslsocket_class = kind
        return replace(newest, to_proxy=to_proxy)

    return make


def waits_patiently(client: TLSInTLS, call: Callable[[], object]) -> None:
    """Until its timeout, and asks a few times at most."""
    outer = client.outer
    assert isinstance(outer, Counting)
    client.settimeout(SHORT)
    before = outer.calls
    with pytest.raises(TimeoutError):
        call()
    assert outer.calls - before < 20
    client.settimeout(0.0)


def test_who_waits_for_an_answer_does_not_spin(counting: Callable[[type[Counting]], Contexts]) -> None:
    with Nested(counting(Counting)) as ends:
        waits_patiently(ends.client, lambda: ends.client.recv(1))
        fill(ends.client, LARGE)
        waits_patiently(ends.client, lambda: ends.client.recv(1))


def test_who_waits_for_room_does_not_spin(counting: Callable[[type[Counting]], Contexts]) -> None:
    with Nested(counting(Counting)) as ends:
        taken = fill(ends.client, LARGE)
        ends.far.say(b"something that can be read")
        waits_patiently(ends.client, lambda: ends.client.send(LARGE[taken:]))


def test_reading_that_has_to_write_first_waits_for_room(
    counting: Callable[[type[Counting]], Contexts],
) -> None:
    """Though there is something to read all the time."""
    with Nested(counting(HasToWriteFirst)) as ends:
        client, far = ends.client, ends.far
        fill(client, LARGE)
        far.say(b"answer")
        waits_patiently(client, lambda: client.recv(6))
        with pytest.raises(ssl.SSLWantWriteError):
            client.recv(6)
        client.settimeout(PATIENCE)
        with at_work(far):
            assert client.recv(6) == b"answer"


def test_writing_that_has_to_read_first_waits_for_bytes(
    counting: Callable[[type[Counting]], Contexts],
) -> None:
    """Though there is room all the time."""
    with Nested(counting(Counting)) as ends:
        client, far = ends.client, ends.far
        at_hand(client)  # tickets
        client.outer.__class__ = HasToReadFirst
        waits_patiently(client, lambda: client.send(b"request"))
        with pytest.raises(ssl.SSLWantReadError):
            client.send(b"request")
        client.settimeout(PATIENCE)
        far.say(b"ab")
        assert client.send(b"request") == len(b"request")
        far.run()
        assert far.received == b"request"
        assert client.recv(2) == b"ab"


# --- keys are renewed, and TLS negotiated anew, by a program


def carried(server: Commanded, call: Callable[[], _T]) -> _T:
    """What the call gives in the end, without waiting."""
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            assert time.monotonic() < limit, "what is waited for does not come"
            server.carry()


@contextlib.contextmanager
def through_the_program(server: Commanded, contexts: Contexts) -> Iterator[TLSInTLS]:
    with server, encrypted(server.socket, contexts.to_proxy, PROXY) as outer:
        carried(server, outer.do_handshake)
        client = TLSInTLS(outer, contexts.to_far_end, server_hostname=FAR_END)
        carried(server, client.do_handshake)
        ask_and_answer(server, client)
        yield client


def ask_and_answer(server: Commanded, client: TLSInTLS) -> None:
    assert carried(server, lambda: client.send(b"question")) == len(b"question")
    until(lambda: server.has_heard(b"question"), server.carry)
    server.say(b"answer")
    assert carried(server, lambda: client.recv(10)) == b"answer"


@pytest.mark.parametrize("program", [CommandedProxy, CommandedFarEnd])
@pytest.mark.parametrize(
    ("version", "letter"),
    [("1.2", b"r"), ("1.2", b"R"), ("1.3", b"k"), ("1.3", b"K")],
    ids=["negotiation", "negotiation with certificate", "its keys", "keys of both"],
)
def test_either_may_renew_its_keys_or_negotiate_anew(
    program: type[CommandedProxy | CommandedFarEnd],
    version: str,
    letter: bytes,
    ca: trustme.CA,
    newest: Contexts,
    tmp_path: Path,
) -> None:
    contexts = replace(newest, to_proxy=client_context(ca), to_far_end=client_context(ca))
    in_memory = newest.far_end if program is CommandedProxy else newest.proxy
    server = program(tmp_path, ca, in_memory, f"-tls{version.replace('.', '_')}")
    with through_the_program(server, contexts) as client:
        for _ in range(3):
            server.command(letter)
            until(lambda: readable(client), server.carry)
            with pytest.raises(ssl.SSLWantReadError):
                client.recv(10)
            ask_and_answer(server, client)


def test_a_send_in_the_middle_of_a_negotiation_asks_for_reading_and_arrives_once(
    ca: trustme.CA, newest: Contexts, tmp_path: Path
) -> None:
    contexts = replace(newest, to_proxy=client_context(ca))
    server = CommandedProxy(tmp_path, ca, newest.far_end, "-tls1_2")
    with through_the_program(server, contexts) as client:
        server.command(b"r")
        until(lambda: readable(client), server.carry)
        for call in (lambda: client.recv(1), lambda: client.send(b"question")) * 2:
            with pytest.raises(ssl.SSLWantReadError):
                call()
        ask_and_answer(server, client)


# --- the end


def proxy_says_goodbye(far: FarSide) -> None:
    far.say_goodbye(0)


def far_end_says_goodbye(far: FarSide) -> None:
    far.say_goodbye()


@pytest.mark.parametrize(
    "after", [lambda far: None, proxy_says_goodbye, FarSide.hang_up], ids=["silence", "goodbye", "hang-up"]
)
def test_the_far_ends_goodbye_is_the_end_whatever_the_proxy_does(
    contexts: Contexts, after: Callable[[FarSide], None]
) -> None:
    with Nested(contexts) as ends:
        ends.far.say(b"all")
        ends.far.say_goodbye()
        after(ends.far)
        assert [ends.client.recv(10) for _ in range(3)] == [b"all", b"", b""]


@pytest.mark.parametrize("end", [proxy_says_goodbye, FarSide.hang_up], ids=["goodbye", "hang-up"])
@pytest.mark.parametrize("size", [0, 3])
def test_without_the_far_ends_goodbye_the_stream_is_cut_short(
    contexts: Contexts, end: Callable[[FarSide], None], size: int
) -> None:
    """RFC 9112, section 9.8: and a proxy that says goodbye does not speak for the far end."""
    with Nested(contexts) as ends:
        ends.far.say(b"a" * size)
        end(ends.far)
        if size:
            assert ends.client.recv(10) == b"aaa"
        for _ in range(2):
            with pytest.raises(ssl.SSLEOFError):
                ends.client.recv(10)


def test_an_outer_socket_that_hides_the_cut_does_not_hide_it_from_the_inner_tls(newest: Contexts) -> None:
    """`suppress_ragged_eofs` is on in a socket that somebody else wrapped."""
    with Nested(newest) as ends:
        ends.client.outer.suppress_ragged_eofs = True  # type: ignore[attr-defined]
        ends.far.hang_up()
        with pytest.raises(ssl.SSLEOFError):
            ends.client.recv(10)


def test_a_record_that_is_cut_short_is_no_end(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        record = ends.far.far_end.encrypt(b"all of it")
        ends.far.transmit(ends.far.wrapped(record[:-1]))
        proxy_says_goodbye(ends.far)
        with pytest.raises(ssl.SSLEOFError):
            ends.client.recv(10)


@pytest.mark.parametrize("end", [proxy_says_goodbye, FarSide.hang_up], ids=["goodbye", "hang-up"])
def test_an_end_in_the_middle_of_the_handshake_is_an_error(
    contexts: Contexts, end: Callable[[FarSide], None]
) -> None:
    with Nested(contexts, handshake=False) as ends:
        with pytest.raises(ssl.SSLWantReadError):
            ends.client.do_handshake()
        end(ends.far)
        with pytest.raises(ssl.SSLEOFError):
            ends.client.do_handshake()


def test_one_call_that_does_not_wait_says_goodbye_to_far_end_and_proxy(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        with pytest.raises(ssl.SSLWantReadError):
            ends.client.unwrap()
        ends.client.close()
        ends.far.run()
        assert [layer.end for layer in ends.far.layers] == ["close_notify", "close_notify"]


def test_a_goodbye_that_may_wait_waits_for_the_far_ends_answer(contexts: Contexts) -> None:
    ended: list[str] = []

    def ends_well(peer: Peer, who: str) -> None:
        assert peer.read_until_eof() == b""
        assert peer.tls.read(1) == b""  # without close_notify it would be an error
        ended.append(who)

    def answers(peer: Peer) -> None:
        peer.send(peer.read_some())
        ends_well(peer, "far end")

    def passes_on(peer: Peer) -> None:
        peer.tunnel(far_end.address)
        ends_well(peer, "proxy")

    with (
        ScriptedServer(answers, tls=contexts.far_end) as far_end,
        ScriptedServer(passes_on, tls=contexts.proxy) as proxy,
    ):
        with no_socket_left(), connected(proxy.address, contexts) as client:
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
            client.unwrap()
            assert client.version() is None
            for call in (
                lambda: client.send(b"x"),
                lambda: client.recv(1),
                client.unwrap,
                client.getpeercert,
            ):
                with pytest.raises(ValueError, match="end"):
                    call()
        proxy.wait_for_scripts()
    assert ended == ["far end", "proxy"]


def test_a_goodbye_that_can_not_be_sent_is_not_said_to_the_proxy_either(newest: Contexts) -> None:
    """It would tear apart what is under way."""
    with Nested(newest) as ends:
        taken = fill(ends.client, LARGE)
        with pytest.raises(ssl.SSLWantReadError):
            ends.client.unwrap()
        ends.client.close()
        ends.far.run()
        assert ends.far.received == LARGE[:taken]
        assert ends.far.layers[0].end == "cut"


def test_nothing_leaves_in_the_clear_once_both_have_said_goodbye_to_each_other(newest: Contexts) -> None:
    """An `ssl.SSLSocket` goes on as a plain socket then."""
    with Nested(newest) as ends:
        ends.far.say_goodbye(0)
        with pytest.raises(ssl.SSLError):
            ends.client.unwrap()
        ends.far.run()
        assert ends.far.layers[0].end == "close_notify"
        with pytest.raises(ValueError, match="end"):
            ends.client.send(b"x")
        with pytest.raises(BlockingIOError):
            ends.far.socket.recv(1)


def test_a_closed_one_can_be_closed_again_and_does_nothing_else(newest: Contexts) -> None:
    with Nested(newest) as ends:
        client = ends.client
        ends.far.say(b"unread")
        client.close()
        client.close()
        assert client.fileno() == -1
        assert client.pending() == 0
        assert client.session is None
        for call in (
            client.do_handshake,
            client.getpeercert,
            client.getpeername,
            lambda: client.recv(1),
            lambda: client.send(b"x"),
            lambda: client.sendall(b"x"),
            lambda: client.settimeout(1.0),
        ):
            with pytest.raises(OSError, match="Bad file descriptor"):
                call()
        with pytest.raises(ValueError, match="nothing to unwrap"):
            client.unwrap()


# --- what goes wrong


def refused(ends: Ends) -> tuple[object, ...]:
    """How a handshake fails, at both ends."""
    with pytest.raises(ssl.SSLError) as caught:
        shake_hands(ends.client, ends.far)
    ends.far.run()
    error = caught.value
    code = (
        (error.verify_code, error.verify_message) if isinstance(error, ssl.SSLCertVerificationError) else ()
    )
    return type(error), error.reason, code, ends.far.far_end.end


@pytest.mark.parametrize("flaw", ["authority", "name", "date", "cipher"])
def test_a_far_end_that_is_refused_is_told_so_and_the_error_is_that_of_an_ssl_socket(
    same: Contexts, flaw: str, ca: trustme.CA
) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    if flaw == "authority":
        far_end = server_context(trustme.CA(), FAR_END)
    elif flaw == "name":
        far_end = server_context(ca, "elsewhere.example")
    elif flaw == "date":
        far_end = server_context(ca, FAR_END, not_after=yesterday)
    else:
        far_end = server_context(ca, FAR_END)
        other = {ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3} - {same.to_far_end.minimum_version}
        far_end.minimum_version = far_end.maximum_version = other.pop()
    flawed = replace(same, far_end=far_end)
    with Direct(flawed, handshake=False) as direct, Nested(flawed, handshake=False) as nested:
        how = refused(nested)
        assert how == refused(direct)
        assert how[0] is (ssl.SSLError if flaw == "cipher" else ssl.SSLCertVerificationError)
        assert how[3] not in (None, "cut", "close_notify")


def test_a_far_end_that_wants_a_certificate_says_so(same: Contexts, ca: trustme.CA) -> None:
    """Under TLS 1.3 behind the handshake."""
    picky = replace(same, far_end=server_context(ca, FAR_END, client_ca=trustme.CA()))

    def shake_hands_and_read(ends: Ends) -> None:
        shake_hands(ends.client, ends.far)
        ends.client.recv(1)

    def ending(ends: Ends) -> str | None:
        with pytest.raises(ssl.SSLError) as caught:
            shake_hands_and_read(ends)
        return caught.value.reason

    with Direct(picky, handshake=False) as direct, Nested(picky, handshake=False) as nested:
        reason = ending(nested)
        assert reason == ending(direct)
        assert "ALERT" in (reason or "")


def test_a_proxy_that_speaks_in_the_far_ends_place_is_no_tls(same: Contexts) -> None:
    with Nested(same, handshake=False) as ends:
        ends.far.transmit(ends.far.wrapped(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"))
        with pytest.raises(ssl.SSLError) as caught:
            ends.client.do_handshake()
        assert caught.value.reason == "WRONG_VERSION_NUMBER"


@pytest.mark.parametrize("layer", ["inner", "outer"])
def test_a_changed_bit_is_an_error_of_every_call_from_then_on(contexts: Contexts, layer: str) -> None:
    def flipped(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])

    with Nested(contexts) as ends:
        client, far = ends.client, ends.far
        record = far.far_end.encrypt(b"answer")
        far.transmit(far.wrapped(flipped(record)) if layer == "inner" else flipped(far.wrapped(record)))
        with pytest.raises(ssl.SSLError) as caught:
            client.recv(10)
        assert caught.value.reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
        client.settimeout(PATIENCE)
        for call in (lambda: client.recv(10), lambda: client.send(b"x"), client.unwrap):
            with pytest.raises(ssl.SSLError):
                call()
        far.run()
        told = far.layers[0 if layer == "outer" else 1]
        assert told.end == "SSLV3_ALERT_BAD_RECORD_MAC"


def test_a_reset_is_the_error_that_an_ssl_socket_makes_of_it(contexts: Contexts) -> None:
    def after_reset(ends: Ends) -> list[object]:
        ends.client.send(b"unread")
        ends.far.socket.close()  # with bytes unread: ECONNRESET
        return [outcome(lambda: ends.client.recv(1)), outcome(lambda: ends.client.send(b"x"))]

    with Direct(contexts) as direct, Nested(contexts) as nested:
        assert after_reset(nested) == after_reset(direct)


# --- the same conversation, with and without a proxy


def outcome(call: Callable[[], object]) -> object:
    """What a call gives, or the class of its error, and what the system calls it."""
    try:
        return call()
    except ssl.SSLError as error:
        return type(error)
    except (OSError, ValueError) as error:
        return type(error), getattr(error, "errno", None)


def take_step(ends: Ends, step: str, size: int) -> object:
    """What comes of it: of a step of the client's, or of the other side."""
    client, far = ends.client, ends.far

    def look() -> object:
        facts = client.version(), client.cipher(), client.selected_alpn_protocol(), client.gettimeout()
        return facts, client.session_reused, client.session is None, client.fileno() < 0

    def listen() -> object:
        far.run()
        # Where TCP ends, the alert that an SSLSocket sends of it has no outer TLS to go through.
        end = far.far_end.end
        return bytes(far.received), end if end in (None, "close_notify") else "broken"

    def hang_up() -> None:
        with contextlib.suppress(OSError):  # the client has gone
            far.hang_up()

    steps: dict[str, Callable[[], object]] = {
        "recv": lambda: client.recv(size),
        "send": lambda: client.send(bytes(size)),
        "sendall": lambda: client.sendall(bytes(size)),
        "unwrap": lambda: client.unwrap() and None,
        "settimeout": lambda: client.settimeout(0.0),
        "close": client.close,
        "look": look,
        "say": lambda: far.say(b"y" * size),
        "goodbye": far.say_goodbye,
        "hang up": hang_up,
        "listen": listen,
    }
    return outcome(steps[step])


CLIENTS_STEPS = ["recv", "recv", "recv", "send", "sendall", "look", "settimeout", "unwrap", "close"]
OTHERS_STEPS = ["say", "say", "listen", "listen", "goodbye", "hang up"]
CONVERSATIONS = st.lists(
    st.tuples(st.sampled_from([*CLIENTS_STEPS, *OTHERS_STEPS]), st.integers(1, 3000)), max_size=15
)


@pytest.mark.slow
@given(versions=st.tuples(st.sampled_from(VERSIONS), st.sampled_from(VERSIONS)), steps=CONVERSATIONS)
@settings(deadline=None, max_examples=300)
def test_a_conversation_takes_the_same_course_with_and_without_a_proxy(
    four: dict[tuple[str, str], Contexts], versions: tuple[str, str], steps: list[tuple[str, int]]
) -> None:
    contexts = four[versions]
    with Direct(contexts) as direct, Nested(contexts) as nested:
        for step, size in steps:
            result = take_step(nested, step, size)
            assert result == take_step(direct, step, size), step
            if step == "unwrap" and result is None:
                return  # an ssl.SSLSocket goes on in the clear


# --- session tickets (S2)


def test_a_tls_session_is_resumed_where_one_is_given(contexts: Contexts) -> None:
    """S2: within one context, be it with or without a proxy."""
    with Nested(contexts) as ends:
        ends.far.say(b"a")
        assert ends.client.recv(1) == b"a"
        assert ends.client.session_reused is False
        session = ends.client.session
        assert session is not None
        assert session.has_ticket
    with Nested(contexts, session=session) as ends:
        assert ends.client.session_reused is True
        assert ends.far.far_end.tls.session_reused is True


def test_a_tls_session_of_another_context_is_refused(newest: Contexts, ca: trustme.CA) -> None:
    with Nested(newest) as ends:
        session = ends.client.session
        outer = ends.client.outer
        with pytest.raises(ValueError, match="different SSLContext"):
            TLSInTLS(outer, client_context(ca), server_hostname=FAR_END, session=session)


# --- what a poll does not show (R4)


def test_pending_counts_what_a_poll_does_not_show(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        client, far = ends.client, ends.far
        at_hand(client)  # tickets
        assert (readable(client), client.pending()) == (False, 0)
        # Two inner records in one outer one: a read of the first takes both from the network.
        far.transmit(far.wrapped(far.far_end.encrypt(b"ab") + far.far_end.encrypt(b"c")))
        assert (readable(client), client.pending()) == (True, 0)
        assert client.recv(1) == b"a"
        assert not readable(client)
        assert client.pending() > 1
        assert client.recv(1) == b"b"
        assert client.pending() > 0  # still encrypted
        assert client.recv(1) == b"c"
        assert client.pending() == 0


RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = OutgoingRequest.make("GET", "/", [(b"Host", b"example.com")])
ROUTE = Route("https", FAR_END, 443, TLSIdentity(), proxy=Proxy("https", PROXY, 443, tls=TLSIdentity()))


def exchanged(client: TLSInTLS, request: OutgoingRequest = REQUEST) -> HTTPConnection:
    """A connection that has had its response and is idle."""
    connection = HTTPConnection(client, ROUTE, 0.0)
    deadline = Timeout(read=PATIENCE, write=PATIENCE).start()
    assert connection.exchange(request, deadline).status_code == 200
    assert b"".join(iter(lambda: connection.read_piece(deadline), b"")) == b"ok"
    assert connection.why_not_pooled() is None
    connection.become_idle(0.0)
    return connection


@pytest.mark.parametrize(
    "news",
    ["nothing", "a byte", "a byte at once", "the far end's goodbye", "the proxy's goodbye", "a hang-up"],
)
def test_an_idle_connection_is_quiet_as_long_as_nothing_comes(contexts: Contexts, news: str) -> None:
    """R4: also where it came along with the response, so that a poll shows nothing."""
    with Nested(contexts) as ends:
        far = ends.far
        response = far.far_end.encrypt(RESPONSE)
        response += far.far_end.encrypt(b"x") if news == "a byte at once" else b""
        # A server may answer before it reads.
        far.transmit(far.wrapped(response))
        connection = exchanged(ends.client)
        match news:
            case "a byte":
                far.say(b"x")
            case "the far end's goodbye":
                far.say_goodbye()
            case "the proxy's goodbye":
                far.say_goodbye(0)
            case "a hang-up":
                far.hang_up()
        assert connection.is_quiet() is (news == "nothing")
        connection.close()


@pytest.mark.parametrize("program", [CommandedProxy, CommandedFarEnd])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_idle_connection_is_quiet_where_tls_alone_has_news(
    program: type[CommandedProxy | CommandedFarEnd],
    version: str,
    ca: trustme.CA,
    newest: Contexts,
    tmp_path: Path,
) -> None:
    """R4: new keys, or the wish to negotiate anew, and tickets are no different."""
    contexts = replace(newest, to_proxy=client_context(ca), to_far_end=client_context(ca))
    in_memory = newest.far_end if program is CommandedProxy else newest.proxy
    server = program(tmp_path, ca, in_memory, f"-tls{version.replace('.', '_')}")
    with through_the_program(server, contexts) as client:
        server.say(RESPONSE)
        until(lambda: server.records_on_the_way() == 1, lambda: None)
        server.carry()
        connection = exchanged(client)
        assert connection.is_quiet()
        server.command(b"r" if version == "1.2" else b"K")
        until(lambda: readable(client), server.carry)
        assert connection.is_quiet()
        connection.close()


def test_an_idle_connection_is_quiet_where_a_new_key_came_along_with_the_response(
    ca: trustme.CA, newest: Contexts, tmp_path: Path
) -> None:
    """R4: a poll does not show it, so it has to be looked at, and is no byte."""
    contexts = replace(newest, to_far_end=client_context(ca))
    server = CommandedFarEnd(tmp_path, ca, newest.proxy, "-tls1_3")
    with through_the_program(server, contexts) as client:
        server.say(RESPONSE)
        server.command(b"K")
        until(lambda: server.records_on_the_way() == 2, lambda: None)
        server.carry()
        connection = exchanged(client)
        assert not readable(client)
        assert client.pending() > 0
        assert connection.is_quiet()
        assert client.pending() == 0
        connection.close()


# --- interrupts


def test_an_interrupt_at_any_line_leaves_it_closable(newest: Contexts) -> None:
    """L3: each run is interrupted at the next line of the module, until one comes to its end."""

    def interrupt_each_line() -> int:
        return next(number for number in itertools.count(1) if not interrupted_at(number, newest))

    # In a thread of its own: it is traced, and exceptions out of nowhere leave traces in the interpreter.
    with no_socket_left(), ThreadPoolExecutor(1) as thread:
        assert thread.submit(interrupt_each_line).result() > 100


def interrupted_at(number: int, contexts: Contexts) -> bool:
    """Interrupt a conversation at so many lines; whether it was as long as that."""
    lines_left = number

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines_left
        if frame.f_code.co_filename != module.__file__:
            return None
        lines_left -= event == "line"
        if not lines_left:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    ours, theirs = socket.socketpair()
    with theirs, encrypted(ours, contexts.to_proxy, PROXY) as outer:
        outer.setblocking(False)
        far = FarSide(theirs, contexts.proxy)
        shake_hands(outer, far)
        far.layers.append(Layer(contexts.far_end))
        client: TLSInTLS | None = None
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            client = TLSInTLS(outer, contexts.to_far_end, server_hostname=FAR_END)
            converse(client, far)
        except KeyboardInterrupt:
            # As `tls.handshake` and `HTTPConnection` do.
            (client or outer).close()
            assert outer.fileno() == -1
            return True
        finally:
            sys.settrace(before)
    return False


def converse(client: TLSInTLS, far: FarSide) -> None:
    shake_hands(client, far)
    client.sendall(b"question")
    far.run()
    assert far.received == b"question"
    far.say(b"answer")
    assert client.recv(10) == b"answer"
    with contextlib.suppress(ssl.SSLWantReadError):
        client.unwrap()
    client.close()


# --- under an HTTPConnection


def answers(request: Any) -> bytes:
    return respond(b"ok" if not request.body else b"%d" % len(request.body))


def test_a_connection_makes_exchange_after_exchange(contexts: Contexts) -> None:
    """R3, R4."""
    with through_a_proxy(contexts, keep_alive(answers)) as client:
        connection = exchanged(client)
        deadline = Timeout(read=PATIENCE, write=PATIENCE).start()
        for served in (1, 2):
            assert connection.is_quiet()
            connection.become_active()
            assert connection.served == served
            upload = OutgoingRequest.make(
                "POST", "/", [(b"Host", b"a"), (b"Content-Length", b"%d" % len(LARGE))], LARGE
            )
            assert connection.exchange(upload, deadline).status_code == 200
            body = b"".join(iter(lambda: connection.read_piece(deadline), b""))
            assert body == b"%d" % len(LARGE)
            assert connection.why_not_pooled() is None
            connection.become_idle(0.0)
        assert connection.tls == TLSInfo.of(client)
        connection.close()
        assert client.fileno() == -1


def test_a_connection_says_goodbye_to_both_when_it_is_closed_idle(contexts: Contexts) -> None:
    with Nested(contexts) as ends:
        ends.far.say(RESPONSE)
        exchanged(ends.client).close()
        ends.far.run()
        assert [layer.end for layer in ends.far.layers] == ["close_notify", "close_notify"]


def test_a_connection_that_is_forsaken_says_nothing(contexts: Contexts) -> None:
    """L4."""
    with Nested(contexts) as ends:
        ends.far.say(RESPONSE)
        exchanged(ends.client).forsake()
        ends.far.run()
        assert [layer.end for layer in ends.far.layers] == ["cut", "cut"]


def test_a_final_response_that_comes_early_stops_an_upload(contexts: Contexts) -> None:
    """X2."""

    def refuses(peer: Peer) -> None:
        peer.read_head()
        peer.send(respond(b"no", status=413))
        peer.read_until_eof()

    with through_a_proxy(contexts, refuses, buffer=4096) as client:
        connection = HTTPConnection(client, ROUTE, 0.0)
        deadline = Timeout(read=PATIENCE, write=PATIENCE).start()
        size = b"%d" % (10 * len(LARGE))
        upload = OutgoingRequest.make("POST", "/", [(b"Host", b"a"), (b"Content-Length", size)], LARGE * 10)
        assert connection.exchange(upload, deadline).status_code == 413
        assert connection.sent < int(size)
        assert b"".join(iter(lambda: connection.read_piece(deadline), b"")) == b"no"
        assert connection.why_not_pooled() is not None
        connection.close()


def test_a_connection_that_changes_its_protocol_is_handed_over(contexts: Contexts) -> None:
    """X4."""

    def switches(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhello")
        peer.send(read_exactly(peer.read_some, len(LARGE)))

    with through_a_proxy(contexts, switches) as client:
        connection = HTTPConnection(client, ROUTE, 0.0)
        fields = [(b"Host", b"a"), (b"Upgrade", b"echo"), (b"Connection", b"upgrade")]
        request = OutgoingRequest.make("GET", "/", fields)
        assert connection.exchange(request, Timeout(read=PATIENCE).start()).status_code == 101
        with connection.hand_over() as stream:
            assert isinstance(stream, DuplexStream)
            stream.settimeout(PATIENCE)
            assert read_exactly(lambda: stream.recv(65536), 5) == b"hello"
            stream.sendall(LARGE)
            assert read_exactly(lambda: stream.recv(65536), len(LARGE)) == LARGE
            assert stream.recv(1) == b""
        assert client.fileno() == -1
