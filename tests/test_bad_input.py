"""What bad input gets: an error of its own, that says what was wrong with which value, and no open socket.

Whatever can't be sent is refused before a byte of it leaves: the server of these tests would note a
connection, and each asserts that there was none.
"""

from __future__ import annotations

import datetime
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

import pystickyhttp
from pystickyhttp import exceptions
from tests.servers import surroundings
from tests.servers.certificates import server_context
from tests.servers.scripted import Peer, ScriptedServer, closed_port, keep_alive, respond
from tests.servers.sockets import no_socket_left


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(keep_alive(lambda _: respond(b"ok"))) as running:
        yield running


def refused(
    session: pystickyhttp.Session,
    error: type[pystickyhttp.RequestException],
    shown: str,
    url: str,
    method: str = "GET",
    **kwargs: Any,
) -> pystickyhttp.RequestException:
    """Send what must be refused, of the session and of the module alike; the error, whose message shows what
    was wrong."""
    with no_socket_left():
        with pytest.raises(error) as caught:
            pystickyhttp.request(method, url, **kwargs)
        with pytest.raises(error) as caught:
            session.request(method, url, **kwargs)
    # The very class, or one that belongs to it: not a base that says less.
    assert isinstance(caught.value, pystickyhttp.RequestException)
    assert shown in str(caught.value)
    return caught.value


# -- URLs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "error", "shown"),
    [
        ("", exceptions.URLRequired, "empty"),
        (None, exceptions.URLRequired, "None"),
        ("example.com", exceptions.MissingSchema, "'example.com'"),
        ("example.com/path", exceptions.MissingSchema, "https://example.com/path"),
        ("//example.com/path", exceptions.MissingSchema, "'//example.com/path'"),
        (
            "/path",
            exceptions.MissingSchema,
            "'/path' is relative: give one such as https://example.com/, or a base_url",
        ),
        ("../path", exceptions.MissingSchema, "relative"),
        ("?query", exceptions.MissingSchema, "relative"),
        ("localhost:8080", exceptions.MissingSchema, "'localhost:8080'"),
        ("localhost:8080/path", exceptions.MissingSchema, "'localhost:8080/path'"),
        ("http://", exceptions.InvalidURL, "'http://'"),
        ("http:///path", exceptions.InvalidURL, "'http:///path'"),
        ("https://?query", exceptions.InvalidURL, "'https://?query'"),
        ("http:example.com", exceptions.InvalidURL, "'http:example.com'"),
        ("http://user@/", exceptions.InvalidURL, "no host"),
        ("http://:80/", exceptions.InvalidURL, "no host"),
        ("ftp://example.com/file", exceptions.InvalidSchema, "ftp://example.com/file"),
        ("file:///etc/passwd", exceptions.InvalidSchema, "file:///etc/passwd"),
        ("mailto:someone@example.com", exceptions.InvalidSchema, "mailto:"),
        ("http+unix://socket/", exceptions.InvalidURL, "http+unix://socket/"),
        ("http://example.com:65536/", exceptions.InvalidURL, "'65536'"),
        ("http://example.com:0/", exceptions.InvalidURL, "'0'"),
        ("http://example.com:-1/", exceptions.InvalidURL, "'-1'"),
        ("http://example.com:http/", exceptions.InvalidURL, "'http'"),
        ("http://example.com:٣/", exceptions.InvalidURL, "'٣'"),
        ("http://exa mple.com/", exceptions.InvalidURL, "exa mple.com"),
        ("http://[::1/", exceptions.InvalidURL, "http://[::1/"),
        ("http://[example.com]/", exceptions.InvalidURL, "example.com"),
        ("http://" + "a" * 64 + "ä.example/", exceptions.InvalidURL, "ä.example"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(
    session: pystickyhttp.Session, url: str, error: type[pystickyhttp.RequestException], shown: str
) -> None:
    assert type(refused(session, error, shown, url)) is error


@pytest.mark.parametrize("place", ["/pa{}th", "/?que{}ry", "/#frag{}ment", "/trailing{}"])
@pytest.mark.parametrize("character", ["\r", "\n", "\r\nInjected: yes", "\0"])
def test_a_line_break_in_the_target_is_refused_before_a_byte_is_sent(
    server: ScriptedServer, session: pystickyhttp.Session, place: str, character: str
) -> None:
    """X7."""
    url = server.url(place.format(character))
    refused(session, exceptions.InvalidURL, repr(url), url)
    assert server.accepted == 0


@pytest.mark.parametrize("character", ["\r", "\n", "\0"])
def test_a_line_break_in_the_host_is_refused(session: pystickyhttp.Session, character: str) -> None:
    """X7."""
    url = f"http://example{character}.com/"
    refused(session, exceptions.InvalidURL, repr(url), url)


def test_a_line_break_in_params_is_data_in_a_mapping_and_refused_in_a_query(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """X7."""
    refused(
        session,
        exceptions.InvalidURL,
        repr("a=b\r\nInjected: yes"),
        server.url(),
        params="a=b\r\nInjected: yes",
    )
    assert server.accepted == 0
    session.get(server.url(), params={"a": "b\r\nInjected: yes\0"})
    assert server.requests[0].target == "/?a=b%0D%0AInjected%3A+yes%00"


@pytest.mark.parametrize("params", [7, object(), [1, 2], [("name",)]])
def test_params_that_are_no_pairs_are_refused(session: pystickyhttp.Session, params: Any) -> None:
    refused(session, exceptions.InvalidURL, type(params).__name__, "http://127.0.0.1:9/", params=params)


def test_a_password_in_a_url_is_not_told_in_the_error(session: pystickyhttp.Session) -> None:
    for url in (
        "http://user:s3cret@example.com:99999/",
        "http://user:s3cret@exa mple.com/",
        "ftp://user:s3cret@example.com/",
        "http://user:s3cret@[broken/",
        "http://user:s3cret@/",
    ):
        error = refused(session, pystickyhttp.RequestException, "", url)
        assert "s3cret" not in str(error), url


# -- the head ---------------------------------------------------------------------------------------------

CONTROLS = ["a\rb", "a\nb", "a\r\nInjected: yes", "a\0b"]


@pytest.mark.parametrize(
    "method", ["", " ", "GET ", "G ET", "GET\r\n", "GE\nT", "G\0T", "GET /x HTTP/1.1\r\nInjected: yes", "GÉT"]
)
def test_a_method_that_is_no_token_is_refused_before_a_byte_is_sent(
    server: ScriptedServer, session: pystickyhttp.Session, method: str
) -> None:
    """X7; RFC 9110, section 9.1."""
    refused(session, exceptions.InvalidMethod, repr(method), server.url(), method)
    assert server.accepted == 0


@pytest.mark.parametrize("method", [None, 7, b"GET"])
def test_a_method_that_is_no_text_is_refused(
    server: ScriptedServer, session: pystickyhttp.Session, method: Any
) -> None:
    refused(session, exceptions.InvalidMethod, repr(method), server.url(), method)
    assert server.accepted == 0


def by_the_call(session: pystickyhttp.Session, url: str, value: str | bytes) -> None:
    session.get(url, headers={"X-Thing": value})


def by_the_session(session: pystickyhttp.Session, url: str, value: str | bytes) -> None:
    session.headers["X-Thing"] = value
    session.get(url)


def by_the_prepared_request(session: pystickyhttp.Session, url: str, value: str | bytes) -> None:
    prepared = session.prepare_request(pystickyhttp.Request("GET", url))
    prepared.headers["X-Thing"] = value
    session.send(prepared)


def by_an_auth_object(session: pystickyhttp.Session, url: str, value: str | bytes) -> None:
    def auth(request: pystickyhttp.PreparedRequest) -> pystickyhttp.PreparedRequest:
        request.headers["X-Thing"] = value
        return request

    session.get(url, auth=auth)


@pytest.mark.parametrize("value", [*CONTROLS, *(text.encode() for text in CONTROLS), "\n trailing", "b\r\n"])
@pytest.mark.parametrize("send", [by_the_call, by_the_session, by_the_prepared_request, by_an_auth_object])
def test_a_line_break_in_a_header_value_is_refused_before_a_byte_is_sent(
    server: ScriptedServer,
    session: pystickyhttp.Session,
    value: str | bytes,
    send: Callable[[pystickyhttp.Session, str, str | bytes], None],
) -> None:
    """X7."""
    with no_socket_left(), pytest.raises(exceptions.InvalidHeader) as caught:
        send(session, server.url(), value)
    assert "X-Thing" in str(caught.value)
    assert "not shown" in str(caught.value), "most such values are secrets with a line end behind them"
    assert server.accepted == 0


@pytest.mark.parametrize("name", [*CONTROLS, "", "with blank", "colon:", "ümlaut", "Name "])
def test_a_header_name_that_is_no_token_is_refused_before_a_byte_is_sent(
    server: ScriptedServer, session: pystickyhttp.Session, name: str
) -> None:
    """X7; RFC 9110, section 5.1."""
    refused(session, exceptions.InvalidHeader, repr(name), server.url(), headers={name: "value"})
    assert server.accepted == 0


@pytest.mark.parametrize("headers", ["X-Thing: value", {"X-Thing"}, ["X-Thing"], {7: "value"}, 7])
def test_headers_that_are_no_mapping_of_names_are_refused(
    session: pystickyhttp.Session, headers: Any
) -> None:
    kind = type(headers).__name__
    refused(session, exceptions.InvalidHeader, kind, "http://127.0.0.1:9/", headers=headers)
    with pytest.raises(exceptions.InvalidHeader, match=f"{kind}.*give a mapping"):
        session.headers = headers


@pytest.mark.parametrize("value", [7, 1.5, True, ["a"], object(), "☃", " leading"])
def test_a_header_value_that_is_no_text_that_can_be_sent_is_refused(
    server: ScriptedServer, session: pystickyhttp.Session, value: Any
) -> None:
    refused(session, exceptions.InvalidHeader, "'X-Thing'", server.url(), headers={"X-Thing": value})
    assert server.accepted == 0


@pytest.mark.parametrize("value", CONTROLS)
@pytest.mark.parametrize("where", ["name", "value", "jar", "header"])
def test_a_line_break_in_a_cookie_is_refused_before_a_byte_is_sent(
    server: ScriptedServer, session: pystickyhttp.Session, value: str, where: str
) -> None:
    """X7."""
    given: dict[str, Any] = {}
    if where == "name":
        given = {"cookies": {value: "value"}}
    elif where == "value":
        given = {"cookies": {"name": value}}
    elif where == "header":
        given = {"headers": {"Cookie": f"name={value}"}}
    else:
        session.cookies["name"] = value
    with no_socket_left(), pytest.raises(exceptions.InvalidHeader, match="Cookie") as caught:
        session.get(server.url(), **given)
    assert "not shown" in str(caught.value)
    assert server.accepted == 0


@pytest.mark.parametrize("value", CONTROLS)
def test_a_line_break_in_the_host_by_hand_is_refused_before_a_byte_is_sent(
    server: ScriptedServer, session: pystickyhttp.Session, value: str
) -> None:
    """X7."""
    refused(session, exceptions.InvalidHeader, "'Host'", server.url(), headers={"Host": value})
    assert server.accepted == 0


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"Transfer-Encoding": "gzip"}, "Transfer-Encoding"),
        ({"Transfer-Encoding": "chunked, gzip"}, "Transfer-Encoding"),
        ({"Content-Length": "many"}, "many"),
        ({"Content-Length": "-1"}, "-1"),
        ({"Content-Length": "1, 2"}, "1, 2"),
    ],
)
def test_framing_that_contradicts_itself_is_refused_before_a_byte_is_sent(
    server: ScriptedServer, session: pystickyhttp.Session, headers: dict[str, str], shown: str
) -> None:
    """X6: what goes over the wire has one length, and everybody reads the same."""
    with no_socket_left(), pytest.raises(exceptions.InvalidHeader, match=re.escape(shown)):
        session.post(server.url(), data=iter([b"body"]), headers=headers)
    assert server.accepted == 0


def test_connect_is_refused(server: ScriptedServer, session: pystickyhttp.Session) -> None:
    refused(session, exceptions.InvalidMethod, "CONNECT", server.url(), "CONNECT")
    assert server.accepted == 0


# -- the body ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [7, 1.5, True, 0, object(), len])
def test_a_body_that_is_neither_text_nor_bytes_nor_file_nor_iterable_is_refused(
    server: ScriptedServer, session: pystickyhttp.Session, data: Any
) -> None:
    refused(session, exceptions.InvalidBody, type(data).__name__, server.url(), "POST", data=data)
    assert server.accepted == 0


@pytest.mark.parametrize("data", [[1, 2], ["one"], [("a", "b", "c")]])
def test_a_list_that_is_no_form_is_refused(
    server: ScriptedServer, session: pystickyhttp.Session, data: Any
) -> None:
    refused(session, exceptions.InvalidBody, "list", server.url(), "POST", data=data)
    assert server.accepted == 0


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf"), b"bytes"])
def test_what_is_no_json_is_refused(
    server: ScriptedServer, session: pystickyhttp.Session, value: Any
) -> None:
    """RFC 8259 has no NaN and no Infinity."""
    refused(session, exceptions.InvalidJSONError, "json=", server.url(), "POST", json=value)
    assert server.accepted == 0


def swallowing(peer: Peer) -> None:
    """Takes what comes until the client leaves."""
    peer.read_until_eof()


@pytest.mark.parametrize("piece", [7, None, object()])
def test_an_iterable_that_yields_something_else_is_an_error_that_names_it(
    session: pystickyhttp.Session, piece: Any
) -> None:
    """It is found out amid the sending; the server is not made to believe that the body was whole."""
    with ScriptedServer(swallowing) as server, no_socket_left():
        with pytest.raises(exceptions.InvalidBody, match=type(piece).__name__) as caught:
            session.post(server.url(), data=iter([b"first", piece]))
        assert caught.value.request is not None
    assert server.requests == []


@pytest.mark.parametrize("length", ["3", "30"])
def test_an_iterable_that_is_not_as_long_as_was_said_is_an_error(
    session: pystickyhttp.Session, length: str
) -> None:
    with ScriptedServer(swallowing) as server, no_socket_left(), pytest.raises(exceptions.InvalidBody):
        session.post(server.url(), data=iter([b"content"]), headers={"Content-Length": length})


def test_what_an_iterable_raises_comes_through_and_leaves_no_socket(session: pystickyhttp.Session) -> None:
    def body() -> Iterator[bytes]:
        yield b"first"
        raise LookupError("the rest is lost")

    with ScriptedServer(swallowing) as server, no_socket_left():
        with pytest.raises(LookupError, match="the rest is lost"):
            session.post(server.url(), data=body())


# -- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "error", "shown"),
    [
        ({"timeout": 0}, ValueError, "0"),
        ({"timeout": -1}, ValueError, "-1"),
        ({"timeout": "soon"}, TypeError, "'soon'"),
        ({"timeout": (1, 2, 3)}, ValueError, "(1, 2, 3)"),
        ({"timeout": [1, 2]}, TypeError, "timeout is [1, 2]: give a number of seconds, a pair"),
        # The name that requests gave to the error is easily taken for that of the setting.
        ({"timeout": pystickyhttp.Timeout(5)}, TypeError, "Timeout(5): give a number"),
        ({"timeout": pystickyhttp.Timeout(5)}, TypeError, "pystickyhttp.timeouts.Timeout("),
        ({"cookies": {7: "value"}}, TypeError, "the cookie 7 has a name of type int"),
        ({"auth": "user:word"}, TypeError, "str"),
        ({"auth": ("user",)}, TypeError, "tuple"),
        ({"auth": ("us:er", "word")}, ValueError, "'us:er'"),
        ({"auth": ("user", None)}, TypeError, "NoneType"),
        ({"auth": lambda request: None}, TypeError, "None"),
    ],
)
def test_a_setting_of_no_use_is_refused_before_a_byte_is_sent(
    server: ScriptedServer,
    session: pystickyhttp.Session,
    setting: dict[str, Any],
    error: type[Exception],
    shown: str,
) -> None:
    with no_socket_left(), pytest.raises(error, match=re.escape(shown)):
        session.get(server.url(), **setting)
    assert server.accepted == 0


@pytest.mark.parametrize(
    ("setting", "error", "shown"),
    [
        ({"verify": 7}, TypeError, "7"),
        ({"verify": ""}, ValueError, "empty"),
        ({"cert": 7}, TypeError, "int"),
        ({"cert": ("a", "b", "c", "d")}, TypeError, "tuple"),
    ],
)
def test_a_setting_of_tls_of_no_use_is_refused_before_a_byte_is_sent(
    session: pystickyhttp.Session,
    tls_context: ssl.SSLContext,
    setting: dict[str, Any],
    error: type[Exception],
    shown: str,
) -> None:
    with ScriptedServer(keep_alive(lambda _: respond()), tls=tls_context) as server:
        with no_socket_left(), pytest.raises(error, match=re.escape(shown)):
            session.get(server.url(), **setting)
        assert server.accepted == 0


def test_send_takes_a_prepared_request_alone(session: pystickyhttp.Session) -> None:
    with pytest.raises(TypeError, match="prepare_request"):
        session.send(pystickyhttp.Request("GET", "http://127.0.0.1/"))  # type: ignore[arg-type]


# -- who is not there -------------------------------------------------------------------------------------


def test_a_refused_connection_says_who_refused(session: pystickyhttp.Session) -> None:
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}/path"
        error = refused(session, pystickyhttp.ConnectionError, f"127.0.0.1:{port}", url)
        assert "refused" in str(error)
        assert isinstance(error, ConnectionError)
        assert error.request is not None
        assert error.request.url == url
        assert error.response is None


def test_a_refused_connection_names_every_address_that_was_tried(session: pystickyhttp.Session) -> None:
    """T3."""
    with closed_port() as port:
        error = refused(session, pystickyhttp.ConnectionError, "localhost", f"http://localhost:{port}/")
        assert f"127.0.0.1:{port}" in str(error)


def test_an_unknown_name_is_told(session: pystickyhttp.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    # Names that lead nowhere, so that no resolver of the world is asked.
    surroundings.lead_to_loopback(monkeypatch, {})
    url = "http://api.example.com/path"
    error = refused(session, pystickyhttp.NameResolutionError, "'api.example.com'", url)
    assert isinstance(error, pystickyhttp.ConnectionError)
    assert error.request is not None
    assert error.request.url == url


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH\r\n\r\n", b"\0\0\0\0\r\n\r\n"])
def test_a_server_that_does_not_answer_in_http_is_told_of(
    session: pystickyhttp.Session, answer: bytes
) -> None:
    def speak(peer: Peer) -> None:
        peer.expect_request()
        peer.send(answer)

    with ScriptedServer(speak) as server:
        error = refused(session, pystickyhttp.ConnectionError, f"127.0.0.1:{server.port}", server.url())
        assert error.request is not None


# -- who is not who they say ------------------------------------------------------------------------------


def untrusted(
    session: pystickyhttp.Session,
    context: ssl.SSLContext,
    reason: str,
    verify: bool | str,
    host: str = "localhost",
) -> None:
    """A request to a server with this context must be refused for this reason, and nothing of it be sent."""
    with ScriptedServer(keep_alive(lambda _: respond()), tls=context, handshake_may_fail=True) as server:
        url = server.url(host=host)
        error = refused(session, pystickyhttp.SSLError, f"https://{host}:{server.port}", url, verify=verify)
        assert re.search(reason, str(error)), str(error)
        assert isinstance(error, pystickyhttp.ConnectionError)
        assert error.request is not None
        assert error.request.url == url
        assert server.requests == []
        # Who asks for no check gets none.
        assert session.get(url, verify=False).status_code == 200


def test_a_certificate_for_another_name_is_refused(
    session: pystickyhttp.Session, ca: trustme.CA, ca_file: str
) -> None:
    """S3; the message says which name was asked for."""
    untrusted(session, server_context(ca, "other.example"), r"'localhost'.*[Hh]ostname mismatch", ca_file)


def test_a_certificate_for_another_address_is_refused(
    session: pystickyhttp.Session, ca: trustme.CA, ca_file: str
) -> None:
    context = server_context(ca, "localhost")
    untrusted(session, context, r"'127\.0\.0\.1'.*IP address mismatch", ca_file, "127.0.0.1")


def test_a_certificate_that_expired_is_refused(
    session: pystickyhttp.Session, ca: trustme.CA, ca_file: str
) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    untrusted(session, server_context(ca, not_after=yesterday), "certificate has expired", ca_file)


@pytest.mark.parametrize("verify", ["system", "another authority"])
def test_a_certificate_of_an_authority_that_is_not_trusted_is_refused(
    session: pystickyhttp.Session, ca: trustme.CA, tmp_path: Path, verify: str
) -> None:
    path = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    trusted = True if verify == "system" else str(path)
    untrusted(session, server_context(ca), r"issuer certificate.*verify=", trusted)


@pytest.mark.parametrize("by", ["verify", "REQUESTS_CA_BUNDLE"])
def test_who_trusts_one_file_alone_is_told_of_it_where_it_does_not_do(
    session: pystickyhttp.Session, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """A variable of the environment is easily forgotten; and the system's store, which is not asked then, is
    no remedy."""
    path = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    if by != "verify":
        monkeypatch.setenv(by, str(path))
    trusted = str(path) if by == "verify" else True
    reason = rf"issued by '.+'; only the roots in {re.escape(repr(str(path)))} are trusted\): pass verify="
    untrusted(session, server_context(ca), rf"{reason}((?!system's store).)*$", trusted)


def test_who_trusts_the_system_is_told_of_its_store(session: pystickyhttp.Session, ca: trustme.CA) -> None:
    untrusted(
        session,
        server_context(ca),
        r"issued by [^;]+\): pass verify=.*, or add that CA to the system's",
        True,
    )


def test_a_certificate_that_signed_itself_is_refused(session: pystickyhttp.Session, tmp_path: Path) -> None:
    itself = trustme.CA()
    path = tmp_path / "itself.pem"
    path.write_bytes(itself.private_key_pem.bytes() + itself.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    untrusted(session, context, r"self.signed certificate.*verify=", True)


def test_a_server_that_does_not_speak_tls_is_told_of(session: pystickyhttp.Session) -> None:
    def speak_plainly(peer: Peer) -> None:
        peer.read_some()
        peer.try_send(respond(b"plain", status=400))

    with ScriptedServer(speak_plainly) as server:
        host = f"https://127.0.0.1:{server.port}"
        refused(session, pystickyhttp.SSLError, host, host)


@pytest.mark.parametrize("content", [None, "", "this is no certificate"])
def test_a_ca_file_that_is_missing_or_none_is_told_by_its_path(
    session: pystickyhttp.Session, tls_context: ssl.SSLContext, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with ScriptedServer(keep_alive(lambda _: respond()), tls=tls_context, handshake_may_fail=True) as server:
        error = refused(session, pystickyhttp.SSLError, repr(str(path)), server.url(), verify=str(path))
        assert content is not None or "No such file" in str(error)
        assert server.requests == []


@pytest.mark.parametrize("cert", ["missing.pem", ("missing.pem", "missing.key")])
def test_a_client_certificate_that_is_missing_is_told_by_its_path(
    session: pystickyhttp.Session, tls_context: ssl.SSLContext, ca_file: str, cert: Any
) -> None:
    with ScriptedServer(keep_alive(lambda _: respond()), tls=tls_context, handshake_may_fail=True) as server:
        refused(session, pystickyhttp.SSLError, "'missing.pem'", server.url(), verify=ca_file, cert=cert)
        assert server.requests == []


# -- every error ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"url": "example.com"},
        {"url": "ftp://example.com/"},
        {"url": "http://example.com:99999/"},
        {"method": "G ET"},
        {"headers": {"X": "a\nb"}},
        {"cookies": {"a": "b\n"}},
        {"data": 7},
        {"json": object()},
    ],
    ids=lambda given: next(iter(given)) + " " + str(next(iter(given.values())))[:20],
)
def test_every_error_carries_the_request_that_failed(
    session: pystickyhttp.Session, given: dict[str, Any]
) -> None:
    """The `Request` where it was not prepared yet, the `PreparedRequest` where it was."""
    with pytest.raises(pystickyhttp.RequestException) as caught:
        session.request(**{"method": "POST", "url": "http://127.0.0.1:9/", **given})
    assert caught.value.request is not None


def test_after_an_error_the_session_goes_on_with_its_connection(
    server: ScriptedServer, session: pystickyhttp.Session
) -> None:
    """What was refused before a byte was sent costs nobody a connection."""
    session.get(server.url())
    for given in ({"headers": {"X": "a\nb"}}, {"data": 7}, {"cookies": {"a": "\0"}}, {"params": "a\n"}):
        with pytest.raises(pystickyhttp.RequestException):
            session.get(server.url(), **given)
    session.get(server.url())
    assert [request.connection for request in server.requests] == [0, 0]
