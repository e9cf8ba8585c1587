"""Authentication: what a request is given to say who sends it.

Basic, Bearer and that for a proxy put one field into the request, and are done. Digest is a conversation: the
server challenges (401), the request is sent again with an answer, and what was learned serves the requests
that follow. Its rules are in `digest`; `HTTPDigestAuth` is the shell around them, which sends again.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from . import environment, urls
from .digest import (
    TOKEN68,
    DigestChallenge,
    DigestMemory,
    DigestTurn,
    Origin,
    choose_challenge,
    credential_bytes,
    digest_credentials,
    parse_challenges,
    parse_parameters,
    place_of,
    prefixes_of_domain,
)
from .exceptions import RequestException, UnrewindableBodyError

if TYPE_CHECKING:
    from .models import PreparedRequest, Response

# Auth that was written for requests takes and returns requests' PreparedRequest, as its types say.
AuthCallable: TypeAlias = "Callable[[Any], Any]"
AuthTypes: TypeAlias = "tuple[str | bytes, str | bytes] | AuthCallable | None"


class AuthBase:
    """What every kind of authentication derives from: a callable from PreparedRequest to PreparedRequest."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Put the credentials into the request, and return it."""
        raise NotImplementedError("an auth object has to say in __call__ what it does to a request")


class HTTPBasicAuth(AuthBase):
    """Basic authentication (RFC 7617), with user and password as UTF-8.

    Args:
        username: the user; it can't hold a colon.
        password: the password.
    """

    def __init__(self, username: str | bytes, password: str | bytes) -> None:
        self.username = username
        self.password = password

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Set Authorization."""
        request.headers["Authorization"] = basic_credentials(self.username, self.password)
        return request

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):  # the same words for a proxy are no words for an origin
            return NotImplemented
        return (self.username, self.password) == (other.username, other.password)

    def __hash__(self) -> int:
        return hash((type(self), self.username, self.password))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.username!r}, '***')"


class HTTPProxyAuth(HTTPBasicAuth):
    """Basic authentication with a proxy; the arguments are those of `HTTPBasicAuth`.

    The field is for the proxy alone: no origin gets to see it.
    """

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Set Proxy-Authorization."""
        request.headers["Proxy-Authorization"] = basic_credentials(self.username, self.password)
        return request


class HTTPBearerAuth(AuthBase):
    """A bearer token (RFC 6750).

    Args:
        token: the token, or a function without arguments that returns the one that counts now: it is called
            for each request, and may renew what has run out.

    Raises:
        TypeError: the token is neither str nor callable.
        ValueError: the token holds what none may; of a function's this is found when it is called.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        if not callable(token):
            bearer_credentials(token)  # a mistake shows where it was made
        self.token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Set Authorization.

        Raises:
            TypeError, ValueError: what the function returned is no token.
        """
        token = self.token() if callable(self.token) else self.token
        request.headers["Authorization"] = bearer_credentials(token)
        return request

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self.token == other.token)

    def __hash__(self) -> int:
        return hash((type(self), self.token))

    def __repr__(self) -> str:
        return f"{type(self).__name__}('***')"


class HTTPNetrcAuth(AuthBase):
    """Basic authentication with the credentials that a netrc file has for the host, where it has any.

    For unix sockets it has none.

    A session asks the environment's file by itself (`trust_env`); this is for a file of one's own, and for
    auth that goes ahead of the session's. The file is read as it stands at the request.

    Args:
        file: the path of the file; None, the default, for that which the environment names (NETRC, else
            ~/.netrc), if there is one.
    """

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        self.file = None if file is None else os.fspath(file)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Set Authorization, where the file has credentials for the host.

        Raises:
            FileNotFoundError: the file is not there, or can't be read.
            ValueError: the user of the file holds a colon.
        """
        credentials = self._credentials(request.url)
        if credentials is not None:
            request.headers["Authorization"] = basic_credentials(*credentials)
        return request

    def _credentials(self, url: str) -> tuple[str, str] | None:
        if not urls.is_http(url):
            return None
        host = environment.netrc_machine(urls.parse(url))
        if host is None:
            return None
        if self.file is None:
            return environment.netrc_credentials(host)
        netrc = environment.Environment.read({"NETRC": self.file}).netrc()
        if netrc is None:
            raise FileNotFoundError(f"the netrc file {self.file!r} is not there, or can't be read")
        return netrc.credentials(host)

    def __eq__(self, other: object) -> bool:
        return self.file == other.file if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.file))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.file!r})"


def bearer_credentials(token: str) -> str:
    """The value of Authorization for a bearer token (RFC 6750, section 2.1).

    Raises:
        TypeError: the token is no str.
        ValueError: it holds what no token may.
    """
    if not isinstance(token, str):
        raise TypeError(f"the bearer token is {type(token).__name__}: give str")
    if not TOKEN68.fullmatch(token):
        raise ValueError(
            "the bearer token (not shown) is empty, or holds what none may (RFC 6750, section 2.1): letters, "
            "digits and -._~+/ with = at the end; strip() it of a line end. Where a server gives out others, "
            "pass headers={'Authorization': f'Bearer {token}'}"
        )
    return f"Bearer {token}"


def basic_credentials(username: str | bytes, password: str | bytes) -> str:
    """The value of Authorization for Basic (RFC 7617, section 2).

    Raises:
        TypeError: one of both is neither str nor bytes.
        ValueError: the user holds a colon, which would end it.
    """
    user = credential_bytes("username", "Basic", username)
    word = credential_bytes("password", "Basic", password)
    if b":" in user:
        raise ValueError(f"the username {username!r} of Basic auth holds a colon (RFC 7617, section 2)")
    return "Basic " + b64encode(user + b":" + word).decode("ascii")


_basic_auth_str = basic_credentials  # plug-ins for requests import it by this name


def as_auth(auth: Any) -> AuthCallable | None:
    """What the caller gave as auth, as a callable: a pair is Basic.

    Raises:
        TypeError: it is neither a pair nor callable nor None.
    """
    if auth is None or callable(auth):
        return auth  # type: ignore[no-any-return]
    if isinstance(auth, tuple) and len(auth) == 2:
        return HTTPBasicAuth(*auth)
    raise TypeError(f"auth is {type(auth).__name__}: give a pair (user, password), or an object of AuthBase")


# The request itself, and once more if its nonce had only run out (RFC 7616, section 3.3, "stale").
_ANSWERS: Final = 2


class HTTPDigestAuth(AuthBase):
    """Digest authentication (RFC 7616): the password is never sent, and what is sent can't be used again.

    The first request to an origin is answered by a challenge (401), and sent again with the answer to it; the
    requests that follow carry their answer from the start. A body is wound back for that (law P2). A request
    is sent three times at most: again after a challenge, and once more if the nonce had only run out. If the
    credentials are wrong the caller gets the 401, with the one before it in `history`.

    All of RFC 7616 is spoken, and of RFC 2069 before it, with the hashes MD5, SHA, SHA-256, SHA-512-256 and
    SHA-512 and the sessions ("-sess") of each; of several challenges the strongest is answered. What the
    server proves of itself (`rspauth`) is not looked at.

    One object may serve any number of threads, origins and sessions. What it learns it keeps by origin: one
    challenge for each, so an origin with two realms challenges whoever goes back and forth between them.
    A copy, and what is pickled, takes the credentials along and nothing that was learned.

    Args:
        username: the user.
        password: the password.
    """

    def __init__(self, username: str | bytes, password: str | bytes) -> None:
        self.username = username
        self.password = password
        self._memory = DigestMemory()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Answer the challenge that is known of the request's origin, and those that come.

        Raises:
            UnrewindableBodyError: the server demands a hash of the body, which can be read only once.
        """
        origin, target = place_of(request.url)
        self._listen(request, origin)
        known = self._memory.sign_ahead(origin, target)
        if known is not None:
            self._sign(request, *known)
        elif _nonce_of(request) is not None:
            del request.headers["Authorization"]  # it was made for the request that was redirected here
        return request

    def _listen(self, request: PreparedRequest, origin: Origin) -> None:
        """Hear of the response once, though a redirect brings the request here again."""
        for hook in request.hooks.get("response", ())[:]:
            if isinstance(hook, _AnswersChallenges):
                request.deregister_hook("response", hook)
        request.register_hook("response", _AnswersChallenges(self, origin))

    def handle_401(self, r: Response, **kwargs: Any) -> Response:
        """Answer the challenge of a response, if it has one.

        Args:
            r: any response.
            **kwargs: the settings that its request was sent with, for the adapter's `send`.

        Returns:
            The response to the answer, with what it answers in its history; without a challenge the response
            as it is.

        Raises:
            UnrewindableBodyError: the body has to be sent again, or hashed, and can't be wound back.
            RequestException: the answer could not be sent.
        """
        response = r
        for number in range(_ANSWERS):
            challenge = _challenge_of(response)
            if challenge is None or (number > 0 and not challenge.stale):
                break
            if response.connection is None:  # an adapter that does not say how to send again
                break
            response = self._send_again(response, challenge, kwargs)
        self._learn(response)
        return response

    def _send_again(self, response: Response, challenge: DigestChallenge, kwargs: dict[str, Any]) -> Response:
        response.keep_undecoded()  # its connection may serve the answer
        request: PreparedRequest = response.request.copy()
        origin, _ = place_of(request.url)
        try:
            prefixes = prefixes_of_domain(request.url, challenge.domain)
            self._sign(request, *self._memory.answer(origin, challenge, prefixes))
            if "Set-Cookie" in response.headers:
                request.take_cookies_of(response)
            answered: Response = response.connection.send(request, **kwargs)
        except RequestException as error:
            error.request = request if error.request is None else error.request
            error.response = response if error.response is None else error.response
            raise
        answered.history = [*response.history, response]
        return answered

    def _sign(self, request: PreparedRequest, challenge: DigestChallenge, turn: DigestTurn) -> None:
        body_hash = _hash_of_body(challenge, request) if challenge.qop == "auth-int" else b""
        _, target = place_of(request.url)
        request.headers["Authorization"] = digest_credentials(
            challenge, turn, self.username, self.password, request.method, target, body_hash
        )

    def _learn(self, response: Response) -> None:
        """What the last response says of the answer that its request carried."""
        refused = response.status_code == 401
        if not refused and "Authentication-Info" not in response.headers:
            return
        used = _nonce_of(response.request)
        if used is None:
            return
        origin, _ = place_of(response.request.url)
        if refused:
            self._memory.forget(origin, used)
            return
        following = parse_parameters(response.headers.get_list("Authentication-Info")).get("nextnonce")
        if following:
            self._memory.move_on(origin, used, following)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_memory"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._memory = DigestMemory()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.username, self.password) == (other.username, other.password)

    def __hash__(self) -> int:
        return hash((type(self), self.username, self.password))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.username!r}, '***')"


class _AnswersChallenges:
    """The hook of one request, which answers the origin that the credentials were meant for, and no other.

    The session takes it off where a redirect leaves the origin; that it looks for itself is a second lock on
    the same door.
    """

    def __init__(self, auth: HTTPDigestAuth, origin: Origin) -> None:
        self._auth = auth
        self._origin = origin

    def __call__(self, response: Response, **kwargs: Any) -> Response:
        origin, _ = place_of(response.request.url)
        return self._auth.handle_401(response, **kwargs) if origin == self._origin else response

    def __repr__(self) -> str:
        return f"<{self._auth!r} for {self._origin}>"


def _challenge_of(response: Response) -> DigestChallenge | None:
    if response.status_code != 401:
        return None
    return choose_challenge(parse_challenges(response.headers.get_list("WWW-Authenticate")))


def _nonce_of(request: PreparedRequest) -> str | None:
    """The nonce of the answer that a request carries, or None where it carries none."""
    value = request.headers.get("Authorization")
    if not isinstance(value, str) or not value.startswith("Digest "):
        return None
    challenges = parse_challenges([value])
    return challenges[0].params.get("nonce") if challenges else None


def _hash_of_body(challenge: DigestChallenge, request: PreparedRequest) -> bytes:
    """The hash of the bytes that are going to be sent, which are wound back after that (law P2).

    Raises:
        UnrewindableBodyError: they can be had only once.
    """
    hashed = hashlib.new(challenge.hash_name, usedforsecurity=False)
    body = request.outgoing_body()
    if not isinstance(body, bytes) and not body.restartable:
        raise UnrewindableBodyError(
            f"the server demands a hash of the body ahead of it (Digest with qop=auth-int), and the body, "
            f"a {type(request.body).__name__}, can be read only once: pass bytes, or a file that can seek"
        )
    for piece in [body] if isinstance(body, bytes) else body:
        hashed.update(piece)
    return hashed.hexdigest().encode()
