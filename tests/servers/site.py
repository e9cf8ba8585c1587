"""The three hosts that the examples in documentation talk to, as one WSGI application.

`example.com` and `api.example.com` answer the paths that such examples use; whoever asks for another host
gets httpbin. So an example runs as it is written, against a real server, once the names lead to the loopback.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import flask
from httpbin.core import app as httpbin  # type: ignore[import-untyped]

from tests.servers.apps import counted

EXAMPLE_HOSTS = {"example.com", "api.example.com"}

examples = flask.Flask("examples")


class _Unstable:
    """Fails twice, then succeeds, and so on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = 0

    def forget(self) -> None:
        with self._lock:
            self._asked = 0

    def succeeds(self) -> bool:
        with self._lock:
            self._asked += 1
            return self._asked % 3 == 0


unstable = _Unstable()


def _seen(**more: object) -> flask.Response:
    """What the server saw of the request: from this an example's claims can be checked."""
    request = flask.request
    return flask.jsonify(
        host=request.host.partition(":")[0],
        path=request.path,
        method=request.method,
        args=request.args.to_dict(),
        headers=dict(request.headers),
        cookies=dict(request.cookies),
        form=request.form.to_dict(),
        json=request.get_json(silent=True),
        **more,
    )


@examples.get("/")
def front_page() -> flask.Response:
    return flask.Response("<h1>Example Domain</h1>\n", mimetype="text/html")


@examples.get("/data")
@examples.get("/v1/data")
@examples.get("/endpoint1")
@examples.get("/endpoint2")
@examples.post("/submit")
def data() -> flask.Response:
    return _seen()


@examples.post("/login")
def login() -> flask.Response:
    response = _seen()
    user = flask.request.form.get("username", "")
    response.set_cookie("session", f"of-{user}", secure=flask.request.is_secure, httponly=True)
    return response


@examples.get("/protected")
def protected() -> flask.Response:
    """For whoever logged in (the cookie of /login) or authenticates; 401 for the rest."""
    request = flask.request
    if "session" not in request.cookies and request.authorization is None:
        refusal = flask.jsonify(error="who are you?")
        refusal.status_code = 401
        refusal.headers["WWW-Authenticate"] = 'Basic realm="examples"'
        return refusal
    authorization = request.authorization
    return _seen(user=authorization.username if authorization is not None else None)


@examples.get("/unstable_endpoint")
def unstable_endpoint() -> flask.Response:
    response = _seen()
    if not unstable.succeeds():
        response.status_code = 503
    return response


def _by_host(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    host = environ.get("HTTP_HOST", "").partition(":")[0].lower()
    application = examples if host in EXAMPLE_HOSTS else httpbin
    answer: Iterable[bytes] = application(environ, start_response)
    return answer


site = counted(_by_host, unstable.forget)
