"""What is tried again, how often, and after which wait; beside urllib3's Retry, whose arguments these are."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import http
import inspect
import math
import pickle
import random
import select
import socket
import ssl
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3
import urllib3.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.response import HTTPResponse

from pystickyhttp import exceptions
from pystickyhttp.exceptions import (
    ConnectError,
    ConnectionError,
    ConnectionLost,
    ConnectTimeout,
    HandshakeLost,
    IncompleteBody,
    InvalidBody,
    NameResolutionError,
    PoolTimeout,
    ProxyError,
    ProxySSLError,
    ReadTimeout,
    RemoteProtocolError,
    RequestException,
    SSLError,
    Timeout,
    TotalTimeout,
    TunnelError,
    WriteTimeout,
)
from pystickyhttp.retries import RequestHistory, Retry, kind_of, retry_after_seconds
from pystickyhttp.timeouts import MAX_SECONDS
from pystickyhttp.timeouts import Timeout as TimeoutSetting
from pystickyhttp.transport import ConnectionPool, Dialer, Limits, OutgoingRequest, Route, TLSIdentity
from pystickyhttp.transport.connection import HTTPConnection
from pystickyhttp.transport.request import IDEMPOTENT_METHODS
from tests.names import named
from tests.servers.scripted import BlackHole, Peer, ScriptedServer, closed_port, respond

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

URL = "http://h/"
COUNTERS = ("total", "connect", "read", "redirect", "status", "other")
SECONDS = ("backoff_factor", "backoff_max", "backoff_jitter", "retry_after_max")
FLAGS = ("raise_on_redirect", "raise_on_status", "respect_retry_after_header")

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp()


class OwnError(ConnectionError):
    """As an adapter of the user's may raise."""


class OwnTimeout(Timeout):
    """The same for time."""


CONNECT = ConnectTimeout("no answer")
READ = ReadTimeout("silence")
OTHER = OwnError("who knows how far it got")

# An error of each kind; ours and urllib3's for the same event.
ERRORS: dict[str, tuple[Exception, Exception]] = {
    "connect timeout": (CONNECT, urllib3.exceptions.ConnectTimeoutError(None, "no answer")),
    "refused": (
        ConnectError("refused"),
        urllib3.exceptions.NewConnectionError(None, "refused"),  # type: ignore[arg-type]
    ),
    "read timeout": (READ, urllib3.exceptions.ReadTimeoutError(None, URL, "silence")),  # type: ignore[arg-type]
    "lost": (ConnectionLost("lost", sent=17), urllib3.exceptions.ProtocolError("lost")),
}


def failed(retry: Retry, times: int) -> Retry:
    """The Retry after so many errors of connecting in a row."""
    for _ in range(times):
        after = retry.after_error("GET", URL, CONNECT)
        assert after is not None
        retry = after
    return retry


def tries(retry: Retry, method: str, error: Exception, most: int = 50) -> int:
    """How many times a request is tried again upon the same error, over and over."""
    for count in range(most):
        after = retry.after_error(method, URL, error)
        if after is None:
            return count
        retry = after
    return most


# -- the arguments


def test_the_arguments_are_those_of_urllib3_in_their_order() -> None:
    assert list(inspect.signature(Retry).parameters) == list(inspect.signature(urllib3.Retry).parameters)


@pytest.mark.parametrize("name", list(inspect.signature(Retry).parameters))
def test_the_defaults_are_those_of_urllib3_but_for_the_longest_retry_after(name: str) -> None:
    ours, theirs = getattr(Retry(), name), getattr(urllib3.Retry(), name)
    if name == "retry_after_max":
        assert (ours, theirs) == (120, 21600)
    else:
        assert ours == theirs


def test_the_class_attributes_are_those_of_urllib3() -> None:
    for name in (
        "DEFAULT_ALLOWED_METHODS",
        "RETRY_AFTER_STATUS_CODES",
        "DEFAULT_BACKOFF_MAX",
        "DEFAULT_REMOVE_HEADERS_ON_REDIRECT",
    ):
        assert getattr(Retry, name) == getattr(urllib3.Retry, name)
    assert Retry.DEFAULT_ALLOWED_METHODS is IDEMPOTENT_METHODS
    assert Retry.DEFAULT_RETRY_AFTER_MAX == 120


def test_a_retry_never_changes() -> None:
    retry = Retry(3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        retry.total = 5  # type: ignore[misc]
    assert retry.after_error("GET", URL, CONNECT) != retry
    assert retry == Retry(3)
    assert hash(retry) == hash(Retry(3))
    assert not hasattr(retry, "__dict__")


def test_new_differs_in_what_it_is_told_alone() -> None:
    retry = Retry(3, backoff_factor=0.5, status_forcelist=[503])
    assert retry.new(total=5, read=1) == Retry(5, read=1, backoff_factor=0.5, status_forcelist=[503])
    assert retry.total == 3
    with pytest.raises(TypeError, match="retrys"):
        retry.new(retrys=5)


def test_a_subclass_stays_itself_along_the_way() -> None:
    class Patient(Retry):
        def get_backoff_time(self, random: Callable[[], float] = random.random) -> float:
            return 7.0

    after = Patient(3, status_forcelist=[503]).after_status("GET", URL, 503, None)
    assert type(after) is Patient
    assert after.delay(None, NOW) == 7.0
    assert repr(after).startswith("Patient(total=2")


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
)
def test_a_retry_pickles_and_copies(duplicate: Any) -> None:
    retry = Retry(3, read=False, allowed_methods=None, status_forcelist=[503], backoff_jitter=0.5)
    assert duplicate(retry) == retry
    after = retry.after_error("GET", URL, ConnectionLost("lost", sent=0, received=3))
    assert after is not None
    twin = duplicate(after)
    assert (twin.total, twin.history[0].method, twin.history[0].url) == (2, "GET", URL)
    assert (type(twin.history[0].error), twin.history[0].error.received) == (ConnectionLost, 3)


def test_the_repr_tells_the_counters() -> None:
    retry = Retry(5, connect=4, read=False, redirect=2, status=0)
    assert repr(retry) == "Retry(total=5, connect=4, read=False, redirect=2, status=0, other=None)"


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("value", [0, 1, 10**30, None, False], ids=str)
def test_a_counter_is_a_number_or_none_or_false(name: str, value: int | None) -> None:
    assert getattr(Retry(**{name: value}), name) is value  # type: ignore[arg-type]


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, TypeError), (1.0, TypeError), ("3", TypeError), ([], TypeError), (-1, ValueError)],
)
def test_another_counter_is_refused_with_its_name_and_the_remedy(
    name: str, value: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=rf"{name} is .*give .*False"):
        Retry(**{name: value})


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, 0.0, 0.1, 5, MAX_SECONDS])
def test_seconds_are_a_number_from_zero(name: str, value: float) -> None:
    assert getattr(Retry(**{name: value}), name) == value  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, TypeError),
        (True, TypeError),
        ("1", TypeError),
        (1j, TypeError),
        (-0.1, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (MAX_SECONDS + 1, ValueError),
        (10**400, ValueError),
    ],
    ids=str,
)
def test_other_seconds_are_refused_with_their_name_and_the_remedy(
    name: str, value: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=rf"{name} is .*give a number of seconds"):
        Retry(**{name: value})


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", [None, 0, 1, "yes"])
def test_a_flag_is_true_or_false(name: str, value: Any) -> None:
    assert getattr(Retry(**{name: True}), name) is True  # type: ignore[arg-type]
    assert getattr(Retry(**{name: False}), name) is False  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=rf"{name} is .*give True or False"):
        Retry(**{name: value})


@pytest.mark.parametrize("value", [["get", "Post"], ("GET", "POST"), {"GET", "post"}, {"get": 1, "post": 2}])
def test_methods_are_any_collection_in_any_case(value: Any) -> None:
    retry = Retry(allowed_methods=value)
    assert retry.allowed_methods == {"GET", "POST"}
    assert [method for method in ("GET", "post", "Put") if retry.allows(method)] == ["GET", "post"]


@pytest.mark.parametrize("value", [None, False])
def test_none_allows_any_method_and_so_does_the_false_of_older_programs(value: Any) -> None:
    retry = Retry(allowed_methods=value)
    assert retry.allowed_methods is None
    assert retry.allows("POST")
    assert retry.allows("MADEUP")


def test_no_methods_allow_none() -> None:
    assert not Retry(allowed_methods=()).allows("GET")


@pytest.mark.parametrize("value", ["GET", b"GET", 5, True, [b"GET"], [None], ["GET", 5]], ids=named)
def test_methods_that_are_no_collection_of_str_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r'allowed_methods .*give .*\{"GET", "POST"\}, or None'):
        Retry(allowed_methods=value)


@pytest.mark.parametrize(
    "value", [[502, 503], (502, 503), {502, 503}, range(502, 504), [http.HTTPStatus.BAD_GATEWAY, 503]]
)
def test_statuses_are_any_collection_of_numbers(value: Any) -> None:
    assert Retry(status_forcelist=value) == Retry(status_forcelist=frozenset({502, 503}))


@pytest.mark.parametrize("value", [None, (), [], frozenset()])
def test_no_statuses_are_none(value: Any) -> None:
    assert Retry(status_forcelist=value) == Retry()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (503, TypeError),
        ("503", TypeError),
        (["503"], TypeError),
        ([503.0], TypeError),
        ([True], TypeError),
        ([0], ValueError),
        ([99], ValueError),
        ([1000], ValueError),
    ],
    ids=named,
)
def test_other_statuses_are_refused(value: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="status_forcelist"):
        Retry(status_forcelist=value)


@pytest.mark.parametrize("value", ["Cookie", b"Cookie", None, [b"Cookie"], 5], ids=named)
def test_names_of_headers_that_are_no_collection_of_str_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r'remove_headers_on_redirect .*give .*\{"Cookie"\}'):
        Retry(remove_headers_on_redirect=value)


def test_a_history_is_taken_over_from_any_collection_of_entries() -> None:
    entries = [("GET", URL, None, 503, None), RequestHistory("GET", URL, None, 302, "/next")]
    history = Retry(history=entries).history  # type: ignore[arg-type]
    assert history == tuple(entries)
    assert [type(entry) for entry in history] == [RequestHistory, RequestHistory]
    assert history[0].status == 503
    assert Retry(history=None).history == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["x", 5, [5], [("GET",)], ["abcde"]], ids=named)
def test_another_history_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="history"):
        Retry(history=value)


# -- reading one


def test_a_retry_is_taken_as_it_is() -> None:
    retry = Retry(3)
    assert Retry.of(retry) is retry
    assert Retry.from_int(retry) is retry


@pytest.mark.parametrize("value", [None, 0, False])
def test_no_retries_are_none_of_any_kind_and_say_nothing_of_redirects(value: Any) -> None:
    retry = Retry.of(value)
    assert retry == Retry.of(0)
    assert retry.total == 0
    assert retry.is_exhausted()
    assert retry.redirect is None
    for error in (CONNECT, READ, OTHER):
        assert retry.after_error("GET", URL, error) is None
    assert retry.after_status("GET", URL, 503, "1") is None
    assert not retry.is_failure("GET", 503)


@pytest.mark.parametrize("number", [1, 3])
def test_a_number_is_of_retries_of_connecting_alone_as_requests_documents_it(number: int) -> None:
    retry = Retry.of(number)
    assert (retry.total, retry.read) == (number, False)
    for method in ("GET", "POST"):
        assert tries(retry, method, CONNECT) == number
        assert tries(retry, method, ConnectionLost("lost", sent=0)) == number
        assert tries(retry, method, READ) == 0
        assert tries(retry, method, ConnectionLost("lost", sent=1)) == 0
        assert tries(retry, method, OTHER) == 0
        assert retry.after_status(method, URL, 503, "1") is None


@pytest.mark.parametrize("value", [True, 1.5, "3", b"3", [3], (1, 2), {"total": 3}, object()], ids=named)
def test_what_is_no_retry_is_refused_with_the_remedy(value: Any) -> None:
    for read in (Retry.of, Retry.from_int):
        with pytest.raises(TypeError, match="give a number"):
            read(value)


@pytest.mark.parametrize("value", [Retry, urllib3.Retry])
def test_the_class_in_the_place_of_an_object_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"retries are <class .*give a number, a Retry"):
        Retry.of(value)


def test_a_number_means_the_same_to_a_subclass() -> None:
    class Own(Retry):
        pass

    own = Own.of(3)
    assert type(own) is Own
    assert own == Own(**dataclasses.asdict(Retry.of(3)))


def test_a_number_below_zero_is_refused() -> None:
    for read in (Retry.of, Retry.from_int):
        with pytest.raises(ValueError, match="-1"):
            read(-1)


@pytest.mark.parametrize("redirect", [True, False, None, 0, 5])
@pytest.mark.parametrize("retries", [0, 1, 5, False])
def test_from_int_reads_as_urllib3_documents_it(retries: Any, redirect: Any) -> None:
    ours, theirs = Retry.from_int(retries, redirect), urllib3.Retry.from_int(retries, redirect)
    assert ours.total is theirs.total
    assert (ours.connect, ours.read, ours.status, ours.other) == (None, None, None, None)
    if retries is not False:  # which turns redirects off in urllib3, where they are its own
        assert ours.redirect == theirs.redirect
    assert ours.raise_on_redirect == theirs.raise_on_redirect


def test_from_int_of_none_is_the_default() -> None:
    assert Retry.from_int(None) is Retry.DEFAULT
    assert Retry.DEFAULT.total == urllib3.Retry.DEFAULT.total == 3
    assert Retry.from_int(None, default=5).total == 5
    assert Retry.from_int(None, default=False).total is False
    assert Retry.from_int(None, default=Retry(7)) == Retry(7)
    assert Retry.from_int(urllib3.Retry(7)).total == 7


# -- urllib3's own object


GIVEN: dict[str, Any] = {
    "total": 7,
    "connect": 6,
    "read": 5,
    "redirect": 4,
    "status": 3,
    "other": 2,
    "allowed_methods": {"GET", "POST"},
    "status_forcelist": [500, 503],
    "backoff_factor": 0.25,
    "backoff_max": 30,
    "raise_on_redirect": False,
    "raise_on_status": False,
    "history": (urllib3.util.retry.RequestHistory("GET", URL, None, 503, None),),
    "respect_retry_after_header": False,
    "remove_headers_on_redirect": ["X-Secret"],
    "backoff_jitter": 0.5,
    "retry_after_max": 60,
}


@pytest.mark.parametrize("name", GIVEN)
def test_each_argument_of_urllib3s_object_is_read(name: str) -> None:
    assert set(GIVEN) == set(inspect.signature(urllib3.Retry).parameters)
    theirs = urllib3.Retry(**{name: GIVEN[name]})
    # What it does not say is its own default, the six hours of Retry-After included.
    expected = Retry(**{"retry_after_max": 21600, name: GIVEN[name]})
    assert Retry.of(theirs) == expected
    assert Retry.of(theirs) != Retry.of(urllib3.Retry())


def test_all_arguments_of_urllib3s_object_are_read_at_once() -> None:
    retry = Retry.of(urllib3.Retry(**GIVEN))
    assert retry == Retry(**GIVEN)
    assert [type(entry) for entry in retry.history] == [RequestHistory]


@pytest.mark.parametrize(
    "given",
    [{"allowed_methods": None}, {"allowed_methods": False}, {"total": None, "connect": 3}, {"read": False}],
    ids=named,
)
def test_none_and_false_of_urllib3s_object_are_read(given: Any) -> None:
    assert Retry.of(urllib3.Retry(**given)) == Retry(**given, retry_after_max=21600)


def test_the_false_of_urllib3s_total_says_nothing_of_the_sessions_redirects() -> None:
    """In requests an adapter's retries never did; urllib3 counts redirects of its own."""
    assert urllib3.Retry(total=False).redirect == 0
    retry = Retry.of(urllib3.Retry(total=False))
    assert retry.total is False
    assert retry.redirect is None


def test_the_false_of_urllib3s_redirect_returns_the_first_3xx() -> None:
    retry = Retry.of(urllib3.Retry(redirect=False))
    assert retry.redirect == 0
    assert not retry.raise_on_redirect


def test_an_empty_collection_of_methods_allows_none_as_urllib3_is_going_to_have_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of urllib3: it reads it as "any" until its version 3
        theirs = urllib3.Retry(allowed_methods=[])
    assert not Retry.of(theirs).allows("GET")


def old_retry(**attributes: Any) -> Any:
    """As urllib3 1.25 has it: some names are of a later day, and one has gone."""
    theirs = vars(urllib3.Retry(4, status_forcelist=[503], backoff_factor=2)).copy()
    for name in ("allowed_methods", "other", "backoff_max", "backoff_jitter", "retry_after_max"):
        del theirs[name]
    return types.SimpleNamespace(**theirs, **attributes)


def test_the_object_of_an_older_urllib3_is_read_too() -> None:
    retry = Retry.of(old_retry(method_whitelist=["POST"]))
    assert retry == Retry(4, allowed_methods=["POST"], status_forcelist=[503], backoff_factor=2)
    assert Retry.of(old_retry(method_whitelist=False)).allows("POST")
    assert not Retry.of(old_retry()).allows("POST")


def test_an_object_that_has_both_names_is_asked_for_the_new_one() -> None:
    """In 1.26 the old name warned."""

    class Both(types.SimpleNamespace):
        @property
        def method_whitelist(self) -> Any:
            raise AssertionError("asked")

    both = Both(**vars(old_retry()), allowed_methods=["POST"])
    assert Retry.of(both).allowed_methods == {"POST"}


def test_what_urllib3s_object_holds_is_checked_as_ours_is() -> None:
    with pytest.raises(ValueError, match="total is -1"):
        Retry.of(urllib3.Retry(-1))
    with pytest.raises(TypeError, match="backoff_factor is '1'"):
        Retry.of(urllib3.Retry(backoff_factor="1"))  # type: ignore[arg-type]


# -- which kind an error is


# What is not named here is never tried again, though it may derive from what is: SSLError, PoolTimeout,
# TotalTimeout, IncompleteBody, InvalidProxyURL, UnrewindableBodyError … Plain Timeout is raised by nothing.
KINDS = {
    "ConnectError": "connect",
    "ConnectTimeout": "connect",
    "HandshakeLost": "connect",
    "NameResolutionError": "connect",
    "ProxyError": "connect",
    "TunnelError": "connect",
    "ReadTimeout": "read",
    "WriteTimeout": "read",
    "RemoteProtocolError": "read",
    "ConnectionError": "other",
    "Timeout": "other",
}
CLASSES = {
    name: kind
    for name, kind in vars(exceptions).items()
    if inspect.isclass(kind) and issubclass(kind, RequestException)
}


def made(kind: type[RequestException]) -> RequestException:
    if kind is exceptions.JSONDecodeError:
        return kind("Expecting value", "{", 1)
    return kind("what was tried")


@pytest.mark.parametrize("name", sorted(CLASSES.keys() - {"ConnectionLost"}))
def test_every_error_of_the_tree_has_its_kind(name: str) -> None:
    assert kind_of(made(CLASSES[name])) == KINDS.get(name)


def test_the_table_above_names_errors_that_there_are() -> None:
    assert CLASSES.keys() >= KINDS.keys()


def test_a_lost_connection_is_of_connecting_only_if_not_a_byte_was_sent() -> None:
    assert kind_of(ConnectionLost("lost", sent=0)) == "connect"
    assert kind_of(ConnectionLost("lost", sent=0, received=9)) == "connect"
    assert kind_of(ConnectionLost("lost", sent=1)) == "read"
    assert kind_of(ConnectionLost("lost", sent=100, received=9)) == "read"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (type("Mine", (ConnectTimeout,), {})("x"), "connect"),
        (type("Mine", (ProxyError,), {})("x"), "connect"),
        (TunnelError("x", status=503), "connect"),
        (TunnelError("x", status=407), None),
        (TunnelError("x", reply=5), "connect"),
        (TunnelError("x", reply=2), None),
        (TunnelError("x", wants_credentials=True), None),
        (ProxyError("x"), "connect"),
        (ProxySSLError("x"), None),
        (HandshakeLost("x"), "connect"),
        (type("Mine", (NameResolutionError,), {})("x"), "connect"),
        (type("Mine", (ReadTimeout,), {})("x"), "read"),
        (type("Mine", (SSLError,), {})("x"), None),
        (type("Mine", (TotalTimeout,), {})("x"), None),
        (type("Mine", (IncompleteBody,), {})("x"), None),
        (OwnError("x"), "other"),
        (OwnTimeout("x"), "other"),
        (OSError("x"), None),
        (TimeoutError("x"), None),
        (ConnectionResetError("x"), None),
        (ValueError("x"), None),
        (KeyboardInterrupt(), None),
    ],
    ids=lambda value: type(value).__mro__[1].__name__ if isinstance(value, BaseException) else str(value),
)
def test_a_finer_error_is_of_the_kind_of_its_class_and_a_foreign_one_of_none(
    error: BaseException, expected: str | None
) -> None:
    assert kind_of(error) == expected


# The same of errors as the transport raises them, each over loopback.


def a_request(route: Route, body: bytes = b"", length: int | None = None) -> OutgoingRequest:
    fields = [
        (b"Host", route.host.encode()),
        (b"Content-Length", b"%d" % (len(body) if length is None else length)),
    ]
    return OutgoingRequest.make("POST", "/", fields, body)


@contextlib.contextmanager
def pool_of(limits: Limits | None = None, dialer: Dialer | None = None) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(limits, dialer)
    try:
        yield pool
    finally:
        pool.close()


def error_of(
    route: Route,
    timeout: TimeoutSetting | None = None,
    *,
    dialer: Dialer | None = None,
    body: bytes = b"",
    length: int | None = None,
) -> RequestException:
    with pool_of(dialer=dialer) as pool, pytest.raises(RequestException) as caught:
        pool.send(route, a_request(route, body, length), (timeout or TimeoutSetting()).start())
    return caught.value


def to(server: ScriptedServer | BlackHole, tls: TLSIdentity | None = None) -> Route:
    return Route("http" if tls is None else "https", server.host, server.port, tls)


def stalls(peer: Peer) -> None:
    peer.stall()


def reads_all(peer: Peer) -> None:
    peer.read_until_eof()


def test_a_refused_connection_is_of_connecting() -> None:
    with closed_port() as port:
        error = error_of(Route("http", "127.0.0.1", port))
    assert (type(error), kind_of(error)) == (ConnectError, "connect")


def test_a_connect_that_hangs_is_of_connecting() -> None:
    with BlackHole() as hole:
        error = error_of(to(hole), TimeoutSetting(connect=0.05))
    assert (type(error), kind_of(error)) == (ConnectTimeout, "connect")


def test_a_name_without_an_address_is_of_connecting() -> None:
    def nothing(host: str, port: int) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    error = error_of(Route("http", "a.test", 80), dialer=Dialer(nothing))
    assert (type(error), kind_of(error)) == (NameResolutionError, "connect")


def test_a_reset_before_the_first_byte_of_the_request_is_of_connecting() -> None:
    connected = threading.Event()

    def resets(peer: Peer) -> None:
        peer.wait(connected)
        peer.rst()

    with ScriptedServer(resets) as server:
        route = to(server)
        sock = Dialer().dial(route, TimeoutSetting().start())
        connected.set()
        connection = HTTPConnection(sock, route, time.monotonic())
        select.select([sock], [], [], 10)
        with pytest.raises(ConnectionLost) as caught:
            connection.exchange(a_request(route), TimeoutSetting().start())
    assert caught.value.sent == 0
    assert kind_of(caught.value) == "connect"


def test_a_handshake_that_is_reset_is_of_connecting() -> None:
    def resets(peer: Peer) -> None:
        peer.read_some()
        peer.rst()

    with ScriptedServer(resets) as server:
        error = error_of(to(server, TLSIdentity()))
    assert (type(error), kind_of(error)) == (HandshakeLost, "connect")


def test_a_refused_certificate_is_never_tried_again(tls_context: ssl.SSLContext) -> None:
    with ScriptedServer(stalls, tls=tls_context, handshake_may_fail=True) as server:
        error = error_of(to(server, TLSIdentity()))
    assert (type(error), kind_of(error)) == (SSLError, None)


@pytest.mark.parametrize("ending", ["fin", "rst"])
def test_a_connection_that_is_lost_after_the_request_is_of_reading(ending: str) -> None:
    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.fin() if ending == "fin" else peer.rst()

    with ScriptedServer(script) as server:
        error = error_of(to(server))
    assert (type(error), kind_of(error)) == (ConnectionLost, "read")


def test_an_answer_that_is_no_http_is_of_reading() -> None:
    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(b"220 mail.example.com ESMTP\r\n")

    with ScriptedServer(script) as server:
        error = error_of(to(server))
    assert (type(error), kind_of(error)) == (RemoteProtocolError, "read")


def test_silence_is_of_reading() -> None:
    with ScriptedServer(stalls) as server:
        error = error_of(to(server), TimeoutSetting(read=0.05))
    assert (type(error), kind_of(error)) == (ReadTimeout, "read")


def test_a_server_that_takes_nothing_is_of_reading() -> None:
    with ScriptedServer(stalls, receive_buffer=4096) as server:
        error = error_of(to(server), TimeoutSetting(write=0.05), body=b"x" * 20_000_000)
    assert (type(error), kind_of(error)) == (WriteTimeout, "read")


def test_a_deadline_that_passed_is_never_tried_again() -> None:
    with ScriptedServer(stalls) as server:
        error = error_of(to(server), TimeoutSetting(total=0.05))
    assert (type(error), kind_of(error)) == (TotalTimeout, None)


def test_a_pool_that_is_full_is_never_tried_again() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(b"ok")[:-1])
        peer.wait(go)

    with ScriptedServer(script) as server, pool_of(Limits(max_connections=1)) as pool:
        route = to(server)
        response = pool.send(route, a_request(route), TimeoutSetting().start())
        with pytest.raises(PoolTimeout) as caught:
            pool.send(route, a_request(route), TimeoutSetting(pool=0.05).start())
        go.set()
        response.close()
    assert kind_of(caught.value) is None


def test_a_body_of_another_length_than_said_is_never_tried_again() -> None:
    with ScriptedServer(reads_all) as server:
        error = error_of(to(server), body=b"x" * 20_000, length=20_001)
    assert (type(error), kind_of(error)) == (InvalidBody, None)


# -- what is tried again


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "MADEUP"])
def test_an_error_of_connecting_is_tried_again_for_any_method(method: str) -> None:
    assert tries(Retry(3, allowed_methods=[]), method, CONNECT) == 3


@pytest.mark.parametrize("error", [READ, OTHER, ConnectionLost("lost", sent=1)], ids=named)
@pytest.mark.parametrize("method", [*sorted(IDEMPOTENT_METHODS), "POST", "PATCH", "get", "post"])
def test_what_the_server_may_have_read_is_tried_again_only_for_the_allowed_methods(
    method: str, error: Exception
) -> None:
    assert tries(Retry(3), method, error) == (3 if method.upper() in IDEMPOTENT_METHODS else 0)
    assert tries(Retry(3, allowed_methods=None), method, error) == 3
    assert tries(Retry(3, allowed_methods={"POST"}), method, error) == (3 if method.upper() == "POST" else 0)


@pytest.mark.parametrize(
    "error", [SSLError("x"), PoolTimeout("x"), TotalTimeout("x"), InvalidBody("x")], ids=named
)
def test_what_is_of_no_kind_is_never_tried_again(error: Exception) -> None:
    assert Retry(allowed_methods=None).after_error("GET", URL, error) is None


@pytest.mark.parametrize(("name", "error"), [("connect", CONNECT), ("read", READ), ("other", OTHER)])
@pytest.mark.parametrize(
    ("total", "counter", "expected"),
    [
        (5, None, 5),
        (5, 2, 2),
        (2, 5, 2),
        (None, 2, 2),
        (5, 0, 0),
        (0, 5, 0),
        (5, False, 0),
        (False, 5, 0),
        (None, None, 50),
    ],
)
def test_the_total_goes_ahead_of_each_counter(
    name: str, error: Exception, total: Any, counter: Any, expected: int
) -> None:
    assert tries(Retry(total, **{name: counter}), "GET", error) == expected


@pytest.mark.parametrize(("name", "error"), [("connect", CONNECT), ("read", READ), ("other", OTHER)])
def test_an_error_counts_against_its_own_counter_and_the_total(name: str, error: Exception) -> None:
    before = {"total": 9, "connect": 5, "read": 5, "status": 5, "other": 5, "redirect": 5}
    after = Retry(**before).after_error("GET", URL, error)  # type: ignore[arg-type]
    assert after is not None
    assert {key: getattr(after, key) for key in before} == {**before, "total": 8, name: 4}


def test_a_status_counts_against_its_own_counter_and_the_total() -> None:
    retry = Retry(9, connect=5, read=5, status=2, other=5, redirect=5, status_forcelist=[503])
    after = retry.after_status("GET", URL, 503, None)
    assert after == retry.new(total=8, status=1, history=[RequestHistory("GET", URL, None, 503, None)])
    again = after.after_status("GET", URL, 503, None)
    assert again is not None
    assert again.after_status("GET", URL, 503, None) is None


def test_the_history_tells_the_attempts_in_order() -> None:
    retry = Retry(status_forcelist=[503])
    after = retry.after_error("GET", URL, READ)
    assert after is not None
    after = after.after_status("PUT", URL + "b", 503, None)
    assert after is not None
    first, second = after.history
    assert (first.method, first.url, first.status, first.redirect_location) == ("GET", URL, None, None)
    assert (type(first.error), str(first.error)) == (ReadTimeout, "silence")
    assert second == RequestHistory("PUT", URL + "b", None, 503, None)
    assert retry.history == ()


def test_the_history_holds_on_to_no_frame() -> None:
    """R6: the frames of a failed attempt would keep the response of a later one from being collected."""

    def fails() -> None:
        try:
            raise OSError("cause")
        except OSError as cause:
            raise ConnectionLost("lost", sent=3, received=1) from cause

    with pytest.raises(ConnectionLost) as caught:
        fails()
    error = caught.value
    after = Retry().after_error("GET", URL, error)
    assert error.__traceback__ is not None  # it may yet be raised, and is left as it was
    assert error.__cause__ is not None
    assert after is not None
    kept = after.history[0].error
    assert isinstance(kept, ConnectionLost)
    assert (kept.args, kept.sent, kept.received) == (("lost",), 3, 1)
    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)


IS_RETRY = [
    # method, status, Retry-After, expected; with 500 on the list
    ("GET", 500, False, True),
    ("get", 500, False, True),
    ("GET", 500, True, True),
    ("POST", 500, False, False),
    ("POST", 500, True, False),
    ("GET", 503, False, False),
    ("GET", 503, True, True),
    ("GET", 429, True, True),
    ("GET", 413, True, True),
    ("POST", 503, True, False),
    ("GET", 502, True, False),
    ("GET", 200, True, False),
    ("GET", 302, True, False),
]


@pytest.mark.parametrize(("method", "status", "has_retry_after", "expected"), IS_RETRY)
def test_which_statuses_are_tried_again(
    method: str, status: int, has_retry_after: bool, expected: bool
) -> None:
    assert Retry(3, status_forcelist=[500]).is_retry(method, status, has_retry_after) is expected
    theirs = urllib3.Retry(3, status_forcelist=[500])
    assert theirs.is_retry(method, status, has_retry_after) is expected


@pytest.mark.parametrize("has_retry_after", [True, False])
@pytest.mark.parametrize("respects", [True, False])
@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("total", [None, 0, 1])
def test_is_retry_answers_as_urllib3_does(
    total: int | None, method: str, status: int, respects: bool, has_retry_after: bool
) -> None:
    given: Any = {"total": total, "status_forcelist": [500], "respect_retry_after_header": respects}
    ours, theirs = Retry(**given), urllib3.Retry(**given)
    question = (method, status, has_retry_after)
    assert ours.is_retry(*question) == theirs.is_retry(*question)


@pytest.mark.parametrize("name", ["total", "status"])
def test_false_tries_no_status_again_and_makes_no_error_of_it(name: str) -> None:
    retry = Retry(**{name: False, "status_forcelist": [503]})  # type: ignore[arg-type]
    assert not retry.is_retry("GET", 503, True)
    assert retry.after_status("GET", URL, 503, "1") is None
    assert not retry.is_failure("GET", 503)


@pytest.mark.parametrize("retry_after", ["1", "Sun, 06 Nov 1994 08:49:37 GMT", "0", " 1\t"])
def test_a_readable_retry_after_makes_a_503_be_tried_again(retry_after: str) -> None:
    assert Retry(3).after_status("GET", URL, 503, retry_after) is not None
    assert Retry(3, respect_retry_after_header=False).after_status("GET", URL, 503, retry_after) is None


@pytest.mark.parametrize("retry_after", [None, "", "soon", "1.5", "-1", "1, 2"])
def test_an_unreadable_retry_after_counts_as_none(retry_after: str | None) -> None:
    assert Retry(3).after_status("GET", URL, 503, retry_after) is None
    assert Retry(3, status_forcelist=[503]).after_status("GET", URL, 503, retry_after) is not None


@pytest.mark.parametrize("name", ["total", "status"])
def test_a_listed_status_is_a_failure_once_its_retries_are_used_up(name: str) -> None:
    retry = Retry(**{name: 1}, status_forcelist=[503])  # type: ignore[arg-type]
    assert not retry.is_failure("GET", 503)
    last = retry.after_status("GET", URL, 503, None)
    assert last is not None
    assert last.after_status("GET", URL, 503, None) is None
    assert last.is_failure("GET", 503)
    assert not last.is_failure("GET", 502)
    assert not last.is_failure("POST", 503)
    assert not last.new(raise_on_status=False).is_failure("GET", 503)


def test_a_status_that_nobody_listed_is_returned_once_its_retries_are_used_up() -> None:
    last = Retry(1).after_status("GET", URL, 503, "1")
    assert last is not None
    assert last.after_status("GET", URL, 503, "1") is None
    assert not last.is_failure("GET", 503)


def test_a_subclass_may_have_other_statuses_of_retry_after() -> None:
    class Own(Retry):
        RETRY_AFTER_STATUS_CODES = frozenset({420})

    assert Own(3).is_retry("GET", 420, True)
    assert not Own(3).is_retry("GET", 503, True)


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(0), True),
        (Retry(False), True),
        (Retry(1), False),
        (Retry(None), False),
        (Retry(connect=0), False),
        (Retry(connect=0, read=0, status=0, other=0), True),
        (Retry(None, connect=False, read=0, status=False, other=0), True),
        (Retry(connect=0, read=0, status=1, other=0), False),
    ],
    ids=named,
)
def test_retries_are_exhausted_when_nothing_is_tried_again_any_more(retry: Retry, expected: bool) -> None:
    assert retry.is_exhausted() is expected


# -- redirects


@pytest.mark.parametrize("given", [{"redirect": False}, {"total": False}, {"total": False, "redirect": 3}])
def test_false_implies_that_a_redirect_is_no_error(given: Any) -> None:
    assert Retry(**given).raise_on_redirect is False
    assert urllib3.Retry(**given).raise_on_redirect is False
    assert Retry(redirect=0).raise_on_redirect is True


def test_names_to_drop_off_the_origin_are_kept_in_lower_case() -> None:
    given: Any = {"remove_headers_on_redirect": ["X-Secret", "x-SECRET", "Cookie"]}
    assert Retry(**given).remove_headers_on_redirect == {"x-secret", "cookie"}
    assert urllib3.Retry(**given).remove_headers_on_redirect == {"x-secret", "cookie"}


# -- the wait


def test_the_backoff_doubles_after_the_second_failure() -> None:
    retry = Retry(backoff_factor=0.5)
    assert [failed(retry, times).get_backoff_time() for times in range(6)] == [0, 0, 1, 2, 4, 8]


def test_there_is_no_backoff_by_default() -> None:
    assert failed(Retry(), 5).get_backoff_time() == 0


def test_no_backoff_is_above_its_most_jitter_included() -> None:
    retry = failed(Retry(backoff_factor=1, backoff_max=5, backoff_jitter=3), 3)
    assert retry.get_backoff_time(lambda: 0.0) == 4
    assert retry.get_backoff_time(lambda: 0.25) == 4.75
    assert retry.get_backoff_time(lambda: 1.0) == 5
    assert failed(retry, 5).get_backoff_time(lambda: 1.0) == 5


def test_the_first_failure_is_followed_by_no_wait_jitter_included() -> None:
    assert failed(Retry(backoff_factor=1, backoff_jitter=3), 1).get_backoff_time(lambda: 1.0) == 0
    assert failed(Retry(backoff_jitter=3), 2).get_backoff_time(lambda: 0.5) == 1.5


@pytest.mark.parametrize("factor", [0, 1e-9, 1, MAX_SECONDS])
def test_the_backoff_of_any_number_of_failures_is_a_number(factor: float) -> None:
    entry = RequestHistory("GET", URL, None, 503, None)
    retry = Retry(None, backoff_factor=factor, history=(entry,) * 3000)
    assert retry.get_backoff_time() == (120 if factor else 0)


def test_a_redirect_ends_the_failures_in_a_row() -> None:
    failure = RequestHistory("GET", URL, None, 503, None)
    redirect = RequestHistory("GET", URL, None, 302, "/next")
    for history in ((failure, failure, redirect), (failure, redirect, failure), (failure, failure, failure)):
        ours = Retry(backoff_factor=1, history=history)
        theirs = urllib3.Retry(backoff_factor=1, history=history)  # type: ignore[arg-type]
        assert ours.get_backoff_time() == theirs.get_backoff_time()
    assert Retry(backoff_factor=1, history=(failure, failure, redirect)).get_backoff_time() == 0


def test_statuses_and_errors_count_alike() -> None:
    after = failed(Retry(backoff_factor=1, status_forcelist=[503]), 1).after_status("GET", URL, 503, None)
    assert after is not None
    assert after.get_backoff_time() == 2


def test_what_the_server_asks_for_goes_ahead_of_the_backoff() -> None:
    retry = failed(Retry(backoff_factor=1), 3)
    assert retry.delay(None, NOW) == 4
    assert retry.delay("7", NOW) == 7
    assert retry.delay("1", NOW) == 1
    assert retry.delay("Sat, 21 Nov 2026 12:00:30 GMT", NOW) == 30
    assert retry.delay("Sat, 21 Nov 2026 12:00:30 GMT", NOW + 0.5) == 29.5


@pytest.mark.parametrize(
    "retry_after", ["0", "000", "Sun, 06 Nov 1994 08:49:37 GMT", "soon", "", "-7", "1.5"]
)
def test_where_it_asks_for_nothing_that_can_be_read_the_backoff_is_waited(retry_after: str) -> None:
    assert failed(Retry(backoff_factor=1), 3).delay(retry_after, NOW) == 4


def test_a_retry_after_that_is_not_respected_sets_no_wait() -> None:
    assert failed(Retry(backoff_factor=1, respect_retry_after_header=False), 3).delay("7", NOW) == 4


@pytest.mark.parametrize("retry_after", ["121", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_server_puts_a_program_to_sleep_for_longer_than_the_most(retry_after: str) -> None:
    assert Retry().delay(retry_after, NOW) == 120
    assert Retry(retry_after_max=10).delay(retry_after, NOW) == 10
    assert Retry(retry_after_max=10).parse_retry_after(retry_after, NOW) == 10
    assert Retry(retry_after_max=0, backoff_factor=1).delay(retry_after, NOW) == 0


# -- Retry-After


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("120", 120),
        ("007", 7),
        ("0" * 1000 + "7", 7),
        (" 5 ", 5),
        ("\t5", 5),
        ("9" * 15, 999_999_999_999_999),
        ("1" + "0" * 15, math.inf),
        ("9" * 10_000, math.inf),
        # The same second in all three forms of RFC 9110, section 5.6.7.
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Saturday, 21-Nov-26 12:00:30 GMT", 30),
        ("Sat Nov 21 12:00:30 2026", 30),
        ("Tue Dec  1 12:00:00 2026", 864_000),
        ("Mon, 21 Nov 2026 12:00:30 GMT", 30),  # the day of the week is wrong, the date is none the less
        ("Sat, 21 Nov 2026 12:00:60 GMT", 60),  # a leap second
        ("Sat, 21 Nov 2026 11:59:59 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Sun Nov  6 08:49:37 1994", 0),
        ("Sun, 29 Feb 2032 00:00:00 GMT", datetime(2032, 2, 29, tzinfo=UTC).timestamp() - NOW),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str, expected: float) -> None:
    assert retry_after_seconds(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        "1 2",
        "5s",
        "٣",  # a digit, but none of HTTP's
        "²",
        "5\n",
        "soon",
        "Sat, 21 Nov 2026 12:00:30",
        "Sat, 21 Nov 2026 12:00:30 UTC",
        "Sat, 21 Nov 2026 12:00:30 +0000",
        "Sat, 21 Nov 26 12:00:30 GMT",
        "Sat, 21 nov 2026 12:00:30 GMT",
        "Sat, 1 Nov 2026 12:00:30 GMT",
        "Sat, 00 Nov 2026 12:00:30 GMT",
        "Sat, 31 Nov 2026 12:00:30 GMT",
        "Sun, 29 Feb 2026 00:00:00 GMT",
        "Sat, 21 Nov 2026 24:00:00 GMT",
        "Sat, 21 Nov 2026 12:60:00 GMT",
        "Sat, 21 Nov 2026 12:00:61 GMT",
        "Sat, 21 Nov 0000 12:00:00 GMT",
        "Sat, ٢١ Nov 2026 12:00:30 GMT",
        "Sat, 21-Nov-26 12:00:30 GMT",
        "Saturday, 21-Nov-2026 12:00:30 GMT",
        "Sat Nov 1 12:00:30 2026",
        "Sat Nov 01 12:00:30 2026 GMT",
        "2026-11-21T12:00:30Z",
    ],
)
def test_anything_else_is_no_retry_after(text: str) -> None:
    assert retry_after_seconds(text, NOW) is None
    assert Retry().parse_retry_after(text, NOW) is None


@pytest.mark.parametrize(
    ("year", "expected"),
    [(26, 2026), (27, 2027), (75, 2075), (77, 1977), (99, 1999), (0, 2000), (25, 2025)],
)
def test_a_year_of_two_digits_lies_at_most_fifty_years_ahead(year: int, expected: int) -> None:
    """RFC 9110, section 5.6.7."""
    when = datetime(expected, 12, 1, tzinfo=UTC).timestamp()
    assert retry_after_seconds(f"Tuesday, 01-Dec-{year:02} 00:00:00 GMT", NOW) == max(0, when - NOW)


@pytest.mark.parametrize(
    ("text", "is_ahead"),
    [
        ("Saturday, 21-Nov-76 12:00:00 GMT", True),
        ("Saturday, 21-Nov-76 12:00:01 GMT", False),
        ("Saturday, 21-Nov-76 11:59:59 GMT", True),
        ("Tuesday, 01-Dec-76 00:00:00 GMT", False),
        ("Thursday, 01-Oct-76 23:59:59 GMT", True),
    ],
)
def test_fifty_years_ahead_are_counted_to_the_second(text: str, is_ahead: bool) -> None:
    seconds = retry_after_seconds(text, NOW)
    assert seconds is not None
    assert (seconds > 0) is is_ahead


def test_a_year_of_two_digits_goes_over_the_end_of_a_century() -> None:
    now = datetime(2090, 6, 1, tzinfo=UTC).timestamp()
    then = datetime(2110, 6, 1, tzinfo=UTC).timestamp()
    assert retry_after_seconds("Sunday, 01-Jun-10 00:00:00 GMT", now) == then - now


# strftime() speaks the machine's language; HTTP has its own names.
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
FORMS: list[Callable[[datetime], str]] = [
    lambda d: f"{DAYS[d.weekday()][:3]}, {d.day:02} {MONTHS[d.month - 1]} {d.year:04} {d:%H:%M:%S} GMT",
    lambda d: f"{DAYS[d.weekday()]}, {d.day:02}-{MONTHS[d.month - 1]}-{d.year % 100:02} {d:%H:%M:%S} GMT",
    lambda d: f"{DAYS[d.weekday()][:3]} {MONTHS[d.month - 1]} {d.day:2} {d:%H:%M:%S} {d.year:04}",
]


@unhurried
@given(
    st.datetimes(datetime(2027, 1, 1), datetime(2075, 12, 31)),
    st.sampled_from(FORMS),
    st.floats(-1e6, 1e6),
)
def test_every_date_is_read_in_every_form(
    when: datetime, form: Callable[[datetime], str], shift: float
) -> None:
    when = when.replace(microsecond=0, tzinfo=UTC)
    now = NOW + shift
    assert retry_after_seconds(form(when), now) == max(0.0, when.timestamp() - now)


DATE_LIKE = st.text("0123456789 :-,GMTSatNov\t", max_size=40) | st.builds(
    "{}, {:02}{}{}{}{} {}:{:02}:{:02} GMT".format,
    st.sampled_from(["Sat", "Saturday", "X"]),
    st.integers(0, 99),
    st.sampled_from([" ", "-"]),
    st.sampled_from(MONTHS),
    st.sampled_from([" ", "-"]),
    st.integers(0, 10_000),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
)


@unhurried
@given(
    st.text() | DATE_LIKE | st.integers().map(str),
    st.floats(0, 4e9),
    st.floats(0, 1000),
    st.floats(0, 1000),
    st.integers(0, 40),
    st.floats(0, 1000),
    st.floats(0, 1),
)
def test_a_retry_after_never_raises_and_every_delay_is_within_its_limits(
    text: str, now: float, backoff_max: float, retry_after_max: float, times: int, factor: float, luck: float
) -> None:
    retry = Retry(
        backoff_factor=factor,
        backoff_jitter=factor,
        backoff_max=backoff_max,
        retry_after_max=retry_after_max,
        history=(RequestHistory("GET", URL, None, 503, None),) * times,
    )
    asked = retry.parse_retry_after(text, now)
    assert asked is None or 0 <= asked <= retry_after_max
    assert 0 <= retry.delay(text, now, lambda: luck) <= max(backoff_max, retry_after_max)
    assert 0 <= retry.get_backoff_time(lambda: luck) <= backoff_max


# -- side by side with urllib3, over any sequence of events


counts = st.none() | st.integers(0, 4) | st.just(False)
some_arguments = st.fixed_dictionaries(
    {
        "total": counts,
        "connect": counts,
        "read": counts,
        "status": counts,
        "allowed_methods": st.sampled_from([None, ["GET"], ["POST"], IDEMPOTENT_METHODS]),
        "status_forcelist": st.sampled_from([(), [500], [500, 503]]),
        "respect_retry_after_header": st.booleans(),
        "backoff_factor": st.sampled_from([0, 0.1, 1, 50]),
        "backoff_max": st.sampled_from([0, 3, 120]),
        "backoff_jitter": st.sampled_from([0, 0.5]),
    }
)
events = st.sampled_from([*ERRORS, 500, 503, "503 with Retry-After"])


def ours_after(retry: Retry, method: str, event: str | int) -> Retry | None:
    if event in ERRORS:
        return retry.after_error(method, URL, ERRORS[str(event)][0])
    if event == "503 with Retry-After":
        return retry.after_status(method, URL, 503, "1")
    return retry.after_status(method, URL, int(event), None)


def theirs_after(retry: urllib3.Retry, method: str, event: str | int) -> urllib3.Retry | None:
    error = ERRORS[str(event)][1] if event in ERRORS else None
    response = None
    if error is None:
        has_retry_after = event == "503 with Retry-After"
        response = HTTPResponse(status=503 if has_retry_after else int(event))
        if not retry.is_retry(method, response.status, has_retry_after):
            return None
    try:
        return retry.increment(method, URL, response=response, error=error)
    except urllib3.exceptions.HTTPError:  # the error itself, or that there were too many
        return None


@unhurried
@given(some_arguments, st.lists(st.tuples(st.sampled_from(["GET", "POST"]), events), max_size=8))
def test_any_sequence_of_events_counts_and_waits_as_in_urllib3(
    arguments: dict[str, Any], steps: list[tuple[str, str | int]]
) -> None:
    ours, theirs = Retry(**arguments), urllib3.Retry(**arguments)
    for number, (method, event) in enumerate(steps):
        our_next, their_next = ours_after(ours, method, event), theirs_after(theirs, method, event)
        assert (our_next is None) == (their_next is None)
        if our_next is None or their_next is None:
            return
        ours, theirs = our_next, their_next
        for name in ("total", "connect", "read", "status", "other"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert [entry[:2] + entry[3:] for entry in ours.history] == [
            entry[:2] + entry[3:] for entry in theirs.history
        ]
        random.seed(number)
        expected = theirs.get_backoff_time()
        random.seed(number)
        assert ours.get_backoff_time() == expected
        random.seed(number)
        assert ours.delay(None, NOW) == expected


@unhurried
@given(
    some_arguments,
    st.lists(st.tuples(st.sampled_from(["GET", "POST"]), events), min_size=1, max_size=4),
)
def test_no_counter_goes_below_zero_and_a_finite_total_comes_to_an_end(
    arguments: dict[str, Any], steps: list[tuple[str, str | int]]
) -> None:
    retry = Retry(**arguments)
    made_good = 0
    for method, event in steps * 5:
        after = ours_after(retry, method, event)
        if retry.is_exhausted():
            assert after is None
        if after is None:
            continue
        made_good += 1
        for name in COUNTERS:
            assert (getattr(after, name) or 0) >= 0
        assert len(after.history) == made_good
        retry = after
    if retry.total is not None:
        assert made_good + retry.total == int(arguments["total"])
