"""Who sends it: what each kind of auth puts into a request. Digest has a file of its own."""

from __future__ import annotations

import base64
import copy
import itertools
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystickyhttp import PreparedRequest, Session
from pystickyhttp.auth import (
    AuthBase,
    HTTPBasicAuth,
    HTTPBearerAuth,
    HTTPDigestAuth,
    HTTPNetrcAuth,
    HTTPProxyAuth,
    _basic_auth_str,
    as_auth,
    basic_credentials,
)
from tests.servers.scripted import ScriptedServer, keep_alive, respond

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as server:
        yield server


def signed(auth: AuthBase) -> PreparedRequest:
    return auth(PreparedRequest())


def basic(user: bytes, word: bytes) -> str:
    return "Basic " + base64.b64encode(user + b":" + word).decode()


def test_an_auth_base_has_to_be_derived_from() -> None:
    with pytest.raises(NotImplementedError, match="__call__"):
        signed(AuthBase())


# --- Basic and the proxy's


def test_basic_takes_bytes_as_they_are_and_text_as_utf_8() -> None:
    """RFC 7617, section 2.1."""
    assert signed(HTTPBasicAuth("üser", "wörd")).headers == {
        "Authorization": basic("üser".encode(), "wörd".encode())
    }
    assert signed(HTTPBasicAuth(b"\xfcser", b"w\xf6rd")).headers == {
        "Authorization": basic(b"\xfcser", b"w\xf6rd")
    }


def test_auth_of_a_proxy_is_said_to_the_proxy_and_not_to_the_origin() -> None:
    assert signed(HTTPProxyAuth("user", "word")).headers == {"Proxy-Authorization": basic(b"user", b"word")}


@pytest.mark.parametrize("kind", [HTTPBasicAuth, HTTPProxyAuth])
def test_a_name_with_a_colon_is_refused(kind: type[HTTPBasicAuth]) -> None:
    """RFC 7617, section 2: the colon would end it."""
    with pytest.raises(ValueError, match="colon"):
        signed(kind("us:er", "word"))


def test_the_helper_that_plug_ins_import_from_requests_is_there() -> None:
    assert _basic_auth_str("user", "word") == basic_credentials("user", "word") == basic(b"user", b"word")


# --- Bearer


def test_a_bearer_token_is_sent_as_it_is(server: ScriptedServer, session: Session) -> None:
    """RFC 6750, section 2.1, whose example it is."""
    session.get(server.url(), auth=HTTPBearerAuth("mF_9.B5f-4.1JqM"))
    assert server.requests[0].header("Authorization") == "Bearer mF_9.B5f-4.1JqM"


def test_a_token_that_is_a_function_is_asked_for_at_each_request(
    server: ScriptedServer, session: Session
) -> None:
    tokens = iter(["first", "second"])
    session.auth = HTTPBearerAuth(lambda: next(tokens))
    session.get(server.url())
    session.get(server.url())
    sent = [request.header("Authorization") for request in server.requests]
    assert sent == ["Bearer first", "Bearer second"]


@unhurried
@given(st.from_regex(r"[A-Za-z0-9\-._~+/]+=*", fullmatch=True))
def test_every_token_of_the_grammar_is_taken(token: str) -> None:
    """RFC 6750, section 2.1: b64token."""
    assert signed(HTTPBearerAuth(token)).headers["Authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    "token",
    ["", "secret\n", "secret\r\nX-Evil: 1", "secret word", " secret", "secret=1", "=", "sécret", "a,b"],
)
def test_what_is_no_token_is_refused_at_once_and_not_shown(token: str) -> None:
    """RFC 6750, section 2.1."""
    with pytest.raises(ValueError, match="bearer token") as caught:
        HTTPBearerAuth(token)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="bearer token"):
        signed(HTTPBearerAuth(lambda: token))


@pytest.mark.parametrize("token", [None, b"token", 7])
def test_a_token_of_another_type_is_refused(token: Any) -> None:
    with pytest.raises(TypeError, match=f"{type(token).__name__}: give str"):
        HTTPBearerAuth(token)
    with pytest.raises(TypeError, match=f"{type(token).__name__}: give str"):
        signed(HTTPBearerAuth(lambda: token))


# --- netrc

NETRC = """
machine 127.0.0.1 login user password secret
machine other.example login other password word
"""


def test_a_netrc_file_of_ones_own_has_the_credentials_of_its_hosts(
    server: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "netrc"
    file.write_text(NETRC)
    session.auth = HTTPNetrcAuth(file)
    session.get(server.url())
    file.write_text(NETRC.replace("secret", "changed"))
    session.get(server.url())
    file.write_text("machine other.example login other password word")
    session.get(server.url())
    sent = [request.header("Authorization") for request in server.requests]
    assert sent == [basic(b"user", b"secret"), basic(b"user", b"changed"), None]


def test_without_a_file_it_is_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, session: Session, tmp_path: Path
) -> None:
    session.trust_env = False
    session.get(server.url(), auth=HTTPNetrcAuth())
    file = tmp_path / "netrc"
    file.write_text(NETRC)
    monkeypatch.setenv("NETRC", str(file))
    session.get(server.url(), auth=HTTPNetrcAuth())
    sent = [request.header("Authorization") for request in server.requests]
    assert sent == [None, basic(b"user", b"secret")]


def test_a_netrc_file_that_is_not_there_is_an_error_and_not_silence(session: Session, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match="missing"):
        session.get("http://127.0.0.1:1/", auth=HTTPNetrcAuth(str(missing)))


def test_a_url_whose_host_only_an_adapter_knows_has_none_in_netrc() -> None:
    request = PreparedRequest()
    request.url = "mock://127.0.0.1/"
    assert HTTPNetrcAuth("/missing")(request).headers == {}


# --- all of them

PAIRS = [
    (HTTPBasicAuth("user", "secret"), HTTPBasicAuth("user", "other")),
    (HTTPProxyAuth("user", "secret"), HTTPProxyAuth("other", "secret")),
    (HTTPDigestAuth("user", "secret"), HTTPDigestAuth("user", "other")),
    (HTTPBearerAuth("secret"), HTTPBearerAuth("other")),
    (HTTPNetrcAuth("/one"), HTTPNetrcAuth("/other")),
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda auth: type(auth).__name__)
def test_auth_objects_are_equal_by_their_credentials(one: AuthBase, other: AuthBase) -> None:
    twin = copy.copy(one)
    assert twin == one
    assert hash(twin) == hash(one)
    assert one != other
    assert not one == object()  # noqa: SIM201 - it is __eq__ that is asked


def test_auth_objects_of_different_kinds_are_never_equal() -> None:
    kinds = [auth for auth, _ in PAIRS]
    for one, other in itertools.permutations(kinds, 2):
        assert one != other
        assert hash(one) != hash(other)


@pytest.mark.parametrize("auth", [auth for auth, _ in PAIRS], ids=lambda auth: type(auth).__name__)
def test_no_secret_is_in_the_repr(auth: AuthBase) -> None:
    assert "secret" not in repr(auth)
    assert repr(auth).startswith(type(auth).__name__)


@pytest.mark.parametrize("auth", [auth for auth, _ in PAIRS], ids=lambda auth: type(auth).__name__)
def test_auth_objects_pickle_and_copy(auth: AuthBase) -> None:
    for twin in (pickle.loads(pickle.dumps(auth)), copy.copy(auth), copy.deepcopy(auth)):
        assert twin == auth
        assert twin is not auth


# --- what a caller may give


def test_a_pair_is_basic_and_a_callable_is_taken_as_it_is() -> None:
    def sign(request: PreparedRequest) -> PreparedRequest:
        return request

    assert as_auth(("user", "word")) == HTTPBasicAuth("user", "word")
    assert as_auth(sign) is sign
    assert as_auth(None) is None
    with pytest.raises(TypeError, match="give a pair"):
        as_auth(["user", "word"])


def test_an_auth_object_derived_from_that_of_requests_is_taken(
    server: ScriptedServer, session: Session
) -> None:
    """Plug-ins for requests need nothing of ours: they are callables."""
    from requests.auth import AuthBase as TheirAuthBase

    class Token(TheirAuthBase):
        def __call__(self, request: Any) -> Any:
            request.headers["X-Token"] = "t"
            return request

    session.get(server.url(), auth=Token())
    assert server.requests[0].header("X-Token") == "t"
