"""The conversation of Digest: hear the challenge, answer it, send again. Its rules are in `digest`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from .auth import AuthBase
from .digest import (
    DigestChallenge,
    DigestMemory,
    DigestTurn,
    Origin,
    choose_challenge,
    digest_credentials,
    parse_challenges,
    parse_parameters,
    place_of,
    prefixes_of_domain,
)
from .exceptions import RequestException, UnrewindableBodyError

if TYPE_CHECKING:
    from .models import PreparedRequest, Response

# The request itself, and once more if its nonce had only run out (RFC 7616, section 3.3, "stale").
_ANSWERS: Final = 2


class HTTPDigestAuth(AuthBase):
    """Digest authentication (RFC 7616): the password is never sent, and what is sent can't be used again.

    The first request to an origin is answered by a challenge (401), and sent again with the answer to it; the
    requests that follow carry their answer from the start. A body is wound back for that. A request
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

        Args:
            request: the request, which gets Authorization, and a hook that hears of its response.

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
