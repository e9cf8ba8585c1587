"""Authentication: what a request is given to say who sends it.

Basic, Bearer and that for a proxy put one field into the request, and are done. Digest is a conversation: the
server challenges (401), the request is sent again with an answer, and what was learned serves the requests
that follow. `HTTPDigestAuth` stands in `digest_auth`, which is loaded when it is first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from . import environment, urls
from .credentials import basic_credentials as basic_credentials
from .credentials import bearer_credentials as bearer_credentials

if TYPE_CHECKING:
    from .digest_auth import HTTPDigestAuth as HTTPDigestAuth
    from .models import PreparedRequest

# Auth that was written for requests takes and returns requests' PreparedRequest, as its types say.
AuthCallable: TypeAlias = "Callable[[Any], Any]"
AuthTypes: TypeAlias = "tuple[str | bytes, str | bytes] | AuthCallable | None"


class AuthBase:
    """What every kind of authentication derives from: a callable from PreparedRequest to PreparedRequest."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Put the credentials into a request.

        Args:
            request: the request, prepared but for this.

        Returns:
            The request, or another one that takes its place.

        Raises:
            NotImplementedError: a subclass has no such method of its own.
        """
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
        """Set Authorization.

        Args:
            request: the request.

        Raises:
            TypeError: user or password is neither str nor bytes.
            ValueError: the user holds a colon.
        """
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
        """Set Proxy-Authorization.

        Args:
            request: the request.

        Raises:
            TypeError, ValueError: as `HTTPBasicAuth` has them.
        """
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

        Args:
            request: the request.

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

        Args:
            request: the request, whose URL says the host.

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


_basic_auth_str = basic_credentials  # plug-ins for requests import it by this name


def as_auth(auth: Any) -> AuthCallable | None:
    """What the caller gave as auth, as a callable: a pair is Basic.

    Args:
        auth: a pair (user, password), a callable from a prepared request to one, or None.

    Raises:
        TypeError: it is neither a pair nor callable nor None.
    """
    if auth is None or callable(auth):
        return auth  # type: ignore[no-any-return]
    if isinstance(auth, tuple) and len(auth) == 2:
        return HTTPBasicAuth(*auth)
    raise TypeError(f"auth is {type(auth).__name__}: give a pair (user, password), or an object of AuthBase")


if not TYPE_CHECKING:  # with it type checkers would take any name for one that is there

    def __getattr__(name: str) -> Any:
        if name == "HTTPDigestAuth":
            # Loaded only where it is asked for, to keep start-up light.
            from .digest_auth import HTTPDigestAuth

            return HTTPDigestAuth
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "HTTPDigestAuth"})
