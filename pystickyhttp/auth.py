"""Authentication: what a request is given to say who sends it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .models import PreparedRequest

AuthTypes: TypeAlias = "tuple[str | bytes, str | bytes] | Callable[[PreparedRequest], PreparedRequest] | None"


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
        if not isinstance(other, HTTPBasicAuth):
            return NotImplemented
        return (self.username, self.password) == (other.username, other.password)

    def __hash__(self) -> int:
        return hash((self.username, self.password))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.username!r}, '***')"


def basic_credentials(username: str | bytes, password: str | bytes) -> str:
    """The value of Authorization for Basic (RFC 7617, section 2).

    Raises:
        TypeError: one of both is neither str nor bytes.
        ValueError: the user holds a colon, which would end it.
    """
    user, word = _bytes("username", username), _bytes("password", password)
    if b":" in user:
        raise ValueError(f"the username {username!r} of Basic auth holds a colon (RFC 7617, section 2)")
    return "Basic " + b64encode(user + b":" + word).decode("ascii")


def as_auth(auth: Any) -> Callable[[PreparedRequest], PreparedRequest] | None:
    """What the caller gave as auth, as a callable: a pair is Basic.

    Raises:
        TypeError: it is neither a pair nor callable nor None.
    """
    if auth is None or callable(auth):
        return auth  # type: ignore[no-any-return]
    if isinstance(auth, tuple) and len(auth) == 2:
        return HTTPBasicAuth(*auth)
    raise TypeError(f"auth is {type(auth).__name__}: give a pair (user, password), or an object of AuthBase")


def _bytes(what: str, value: str | bytes) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    raise TypeError(f"the {what} of Basic auth is {type(value).__name__}: give str or bytes")
