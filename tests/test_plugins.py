"""What others wrote for requests, unchanged: OAuth 1, AWS signatures, and an encoder of the toolbelt."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from oauthlib.oauth1 import RequestValidator, ResourceEndpoint
from requests_aws4auth import AWS4Auth
from requests_oauthlib import OAuth1
from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor
from requests_toolbelt.auth.guess import GuessAuth

from pystickyhttp import Session
from tests.servers.real import RealServer
from tests.servers.scripted import Request, ScriptedServer, keep_alive, respond

CLIENT_KEY, CLIENT_SECRET, TOKEN, TOKEN_SECRET = "k" * 20, "client secret", "t" * 20, "token secret"


# --- OAuth 1, held against oauthlib's own server side


class Validator(RequestValidator):
    """Knows one client and one token, and every nonce once."""

    enforce_ssl = False

    def __init__(self) -> None:
        super().__init__()
        self.nonces: set[str] = set()

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == CLIENT_KEY

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token == TOKEN

    def validate_timestamp_and_nonce(
        self,
        client_key: str,
        timestamp: str,
        nonce: str,
        request: Any,
        request_token: str | None = None,
        access_token: str | None = None,
    ) -> bool:
        fresh = nonce not in self.nonces
        self.nonces.add(nonce)
        return fresh

    def validate_realms(self, *args: Any, **kwargs: Any) -> bool:
        return True

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return CLIENT_SECRET

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return TOKEN_SECRET


class OAuthServer(ScriptedServer):
    """200 where the signature holds, 401 where it does not; `/moved` leads to `/end`."""

    def __init__(self) -> None:
        super().__init__(keep_alive(self._answer))
        self._endpoint = ResourceEndpoint(Validator())

    def _answer(self, request: Request) -> bytes:
        valid, _ = self._endpoint.validate_protected_resource_request(
            self.url(request.target), request.method, request.body.decode("latin-1"), dict(request.headers)
        )
        if valid and request.target == "/moved":
            return respond(b"", status=307, headers=[("Location", "/end")])
        return respond(b"valid" if valid else b"invalid", status=200 if valid else 401)


@pytest.fixture
def oauth_server() -> Iterator[OAuthServer]:
    with OAuthServer() as server:
        yield server


def oauth(**settings: Any) -> OAuth1:
    return OAuth1(CLIENT_KEY, CLIENT_SECRET, TOKEN, TOKEN_SECRET, **settings)


@pytest.mark.parametrize("place", ["AUTH_HEADER", "QUERY", "BODY"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_oauth_1_signs_what_is_sent(
    method: str, place: str, oauth_server: OAuthServer, session: Session
) -> None:
    if (method, place) == ("GET", "BODY"):
        place = "AUTH_HEADER"
    auth = oauth(signature_type=place)
    data = {"b": "ü &", "c": ["1", "2"]} if method == "POST" else None
    response = session.request(method, oauth_server.url("/x?z=1"), params={"a": "é b"}, data=data, auth=auth)
    assert response.text == "valid"
    assert session.request(method, oauth_server.url("/y"), data=data, auth=auth).text == "valid"


def test_oauth_1_leaves_a_body_alone_that_is_no_form(oauth_server: OAuthServer, session: Session) -> None:
    for body in (
        {"json": {"a": 1}},
        {"data": b"\xff\xfe"},
        {"files": {"f": b"x"}},
        {"data": io.BytesIO(b"x")},
    ):
        assert session.post(oauth_server.url(), auth=oauth(), **body).text == "valid"


def test_oauth_1_signs_each_hop_on_its_origin(oauth_server: OAuthServer, session: Session) -> None:
    """A signature is for one URL: requests sends the first hop's to the second, which refuses it."""
    response = session.post(oauth_server.url("/moved"), data={"a": "1"}, auth=oauth())
    assert [each.status_code for each in (*response.history, response)] == [307, 200]
    assert len({request.header("Authorization") for request in oauth_server.requests}) == 2


def test_oauth_1_of_a_session_stays_on_its_origin(oauth_server: OAuthServer) -> None:
    with (
        ScriptedServer(keep_alive(lambda request: respond(b"end"))) as other,
        Session(auth=oauth()) as session,
    ):
        moved = respond(b"", status=302, headers=[("Location", other.url())])
        with ScriptedServer(keep_alive(lambda request: moved)) as first:
            assert session.get(first.url()).text == "end"
            assert first.requests[0].header("Authorization") is not None
        assert other.requests[0].header("Authorization") is None


# --- AWS signatures, held against what the specification has the server compute


def aws_canonical_headers(request: Request, signed: str) -> str:
    return "".join(f"{name}:{(request.header(name) or '').strip()}\n" for name in signed.split(";"))


def aws_signature(request: Request, secret: str) -> str:
    """AWS Signature Version 4, from the documentation of its steps."""
    import hmac

    def mac(key: bytes, text: str) -> bytes:
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    authorization = request.header("Authorization") or ""
    parts = dict(
        part.strip().split("=", 1) for part in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(",")
    )
    scope = parts["Credential"].split("/", 1)[1]
    split = urlsplit(request.target)
    query = "&".join(sorted(split.query.split("&"))) if split.query else ""
    canonical = "\n".join(
        [
            request.method,
            split.path,
            query,
            aws_canonical_headers(request, parts["SignedHeaders"]),
            parts["SignedHeaders"],
            request.header("x-amz-content-sha256") or "",
        ]
    )
    date, region, service, last = scope.split("/")
    to_sign = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            request.header("x-amz-date") or "",
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = mac(mac(mac(mac(b"AWS4" + secret.encode(), date), region), service), last)
    return mac(key, to_sign).hex()


@pytest.mark.parametrize(
    "body",
    [{}, {"data": b"raw \xff"}, {"data": {"a": "1"}}, {"json": {"a": 1}}, {"data": io.BytesIO(b"a file")}],
    ids=["none", "bytes", "form", "json", "file"],
)
def test_aws_signatures_are_those_of_what_arrives(body: Any, session: Session) -> None:
    with ScriptedServer(keep_alive(lambda request: respond(b"ok"))) as server:
        auth = AWS4Auth("access", "secret", "eu-west-1", "es")
        session.post(server.url("/index/_doc"), params={"b": "2", "a": "1"}, auth=auth, **body)
        (request,) = server.requests
    assert request.header("x-amz-content-sha256") == hashlib.sha256(request.body).hexdigest()
    assert f"Signature={aws_signature(request, 'secret')}" in (request.header("Authorization") or "")


# --- requests-toolbelt


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def test_the_toolbelts_encoder_streams_with_its_length(
    upload: Path, httpbin_server: RealServer, session: Session
) -> None:
    with upload.open("rb") as file:
        encoder = MultipartEncoder({"field": "value", "file": ("n.bin", file, "text/plain")})
        response = session.post(
            httpbin_server.url + "/post", data=encoder, headers={"Content-Type": encoder.content_type}
        )
    told = response.json()
    assert told["form"] == {"field": "value"}
    assert told["headers"]["Content-Length"] == str(encoder.len)
    assert "Transfer-Encoding" not in told["headers"]
    assert len(told["files"]["file"]) > 0


def test_the_toolbelts_monitor_tells_the_progress(
    upload: Path, httpbin_server: RealServer, session: Session
) -> None:
    seen: list[int] = []
    with upload.open("rb") as file:
        encoder = MultipartEncoder({"file": ("n.bin", file, "text/plain")})
        monitor = MultipartEncoderMonitor(encoder, lambda monitor: seen.append(monitor.bytes_read))
        headers = {"Content-Type": monitor.content_type}
        assert session.post(httpbin_server.url + "/post", data=monitor, headers=headers).ok
    assert seen[-1] == encoder.len
    assert seen == sorted(seen)


def test_the_toolbelts_guess_of_auth_finds_digest_and_basic(
    httpbin_server: RealServer, session: Session
) -> None:
    """It answers by `response.connection.send`, with its own Digest on our requests."""
    for path in ("/basic-auth/user/pw", "/digest-auth/auth/user/pw"):
        response = session.get(httpbin_server.url + path, auth=GuessAuth("user", "pw"))
        assert response.status_code == 200
        assert response.json()["authenticated"]


def test_a_response_has_what_a_program_reads_of_it(httpbin_server: RealServer, session: Session) -> None:
    response = session.get(httpbin_server.url + "/get", params=[("a", "1"), ("b", "2")])
    assert parse_qsl(urlsplit(response.request.url).query) == [("a", "1"), ("b", "2")]
    assert response.request.path_url == "/get?a=1&b=2"
