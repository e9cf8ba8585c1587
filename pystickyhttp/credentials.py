"""What a user and a password, or a token, are in a field: Basic (RFC 7617) and Bearer (RFC 6750)."""

from __future__ import annotations

import binascii
import re
from typing import Final

# RFC 9110, section 11.2: what a scheme may have in the place of parameters.
TOKEN68: Final = r"[A-Za-z0-9\-._~+/]+=*"


def credential_bytes(what: str, scheme: str, value: str | bytes) -> bytes:
    """A user or a password as bytes; text is UTF-8.

    Args:
        what: "username" or "password", for the message.
        scheme: the scheme of authentication, for the message.
        value: the user or the password.

    Raises:
        TypeError: it is neither str nor bytes.
    """
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    raise TypeError(f"the {what} of {scheme} auth is {type(value).__name__}: give str or bytes")


def bearer_credentials(token: str) -> str:
    """The value of Authorization for a bearer token (RFC 6750, section 2.1).

    Args:
        token: the token.

    Raises:
        TypeError: the token is no str.
        ValueError: it holds what no token may.
    """
    if not isinstance(token, str):
        raise TypeError(f"the bearer token is {type(token).__name__}: give str")
    if not re.fullmatch(TOKEN68, token):
        raise ValueError(
            "the bearer token (not shown) is empty, or holds what none may (RFC 6750, section 2.1): letters, "
            "digits and -._~+/ with = at the end; strip() it of a line end. Where a server gives out others, "
            "pass headers={'Authorization': f'Bearer {token}'}"
        )
    return f"Bearer {token}"


def basic_credentials(username: str | bytes, password: str | bytes) -> str:
    """The value of Authorization for Basic (RFC 7617, section 2).

    Args:
        username: the user; text is UTF-8.
        password: the password, likewise.

    Raises:
        TypeError: one of both is neither str nor bytes.
        ValueError: the user holds a colon, which would end it.
    """
    user = credential_bytes("username", "Basic", username)
    word = credential_bytes("password", "Basic", password)
    if b":" in user:
        raise ValueError(f"the username {username!r} of Basic auth holds a colon (RFC 7617, section 2)")
    return "Basic " + binascii.b2a_base64(user + b":" + word, newline=False).decode("ascii")
