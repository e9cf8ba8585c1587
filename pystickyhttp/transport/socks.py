"""SOCKS5 (RFC 1928), with user and password (RFC 1929): what is said, and what the answers mean.

There is no socket in here. `conversation` says step by step what its driver is to do with the one to the
proxy, and reads from top to bottom as the conversation goes. It asks for exactly the bytes that an answer
has: behind the last one begins what the far end says.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from ..exceptions import InvalidProxyURL, InvalidURL

Credentials: TypeAlias = tuple[bytes, bytes]
# What the driver is to do next: send these bytes, or receive at most so many.
Step: TypeAlias = bytes | int

_VERSION: Final = 5
_LOGIN_VERSION: Final = 1  # RFC 1929, section 2: that negotiation counts its own versions
_MAX_LENGTH: Final = 255  # user, password and name have one byte for their length

NO_AUTHENTICATION: Final = 0x00
USER_AND_PASSWORD: Final = 0x02
_NO_METHOD: Final = 0xFF

_CONNECT: Final = 1
_IPV4: Final = 1
_NAME: Final = 3
_IPV6: Final = 4
_ADDRESS_LENGTHS: Final = {_IPV4: 4, _IPV6: 16}

_SUCCEEDED: Final = 0
GENERAL_FAILURE: Final = 1
NOT_ALLOWED: Final = 2
NETWORK_UNREACHABLE: Final = 3
HOST_UNREACHABLE: Final = 4
CONNECTION_REFUSED: Final = 5
TTL_EXPIRED: Final = 6
ADDRESS_TYPE_NOT_SUPPORTED: Final = 8
# RFC 1928, section 6.
_SENTENCES: Final = {
    GENERAL_FAILURE: "it failed, and does not say why",
    NOT_ALLOWED: "its rules do not allow it",
    NETWORK_UNREACHABLE: "the network can't be reached",
    HOST_UNREACHABLE: "the host can't be reached",
    CONNECTION_REFUSED: "the far end refused the connection",
    TTL_EXPIRED: "the time to live expired on the way",
    7: "it does not take the command CONNECT",
    ADDRESS_TYPE_NOT_SUPPORTED: "it does not take this type of address",
}
# X7. A byte for the length keeps them from being read as something else here; the resolver behind the proxy
# may well end the name at a NUL.
_UNSENDABLE: Final = re.compile(r"[^\x21-\x7e]")
# By what an answer begins with that is none of SOCKS5.
_OTHERS: Final = {
    b"HT": "it speaks HTTP: write http:// for its scheme",
    b"<": "it speaks HTTP: write http:// for its scheme",  # a page without a head, as of HTTP/0.9
    b"\x15\x03": "it speaks TLS: write https:// for its scheme",  # an alert (RFC 8446, section 5.1)
    b"\x00\x5b": "it speaks SOCKS4, and nobody here does: ask for SOCKS5",  # its "rejected or failed"
}


class SocksFailure(Exception):
    """Why there is no tunnel. Through which proxy, and whereto, is for the driver to say."""


class CredentialsWanted(SocksFailure):
    """The proxy lets nobody through without user and password, or not with these.

    Attributes:
        given: whether some were given.
    """

    def __init__(self, sentence: str, *, given: bool) -> None:
        super().__init__(sentence)
        self.given = given


class Refused(SocksFailure):
    """The proxy made no connection to the far end.

    Attributes:
        reply: the reply code (RFC 1928, section 6).
    """

    def __init__(self, reply: int) -> None:
        super().__init__(_SENTENCES.get(reply, "RFC 1928 does not say what that means") + f" (reply {reply})")
        self.reply = reply


def conversation(host: str, port: int, credentials: Credentials | None) -> Generator[Step, bytes, None]:
    """All that is said until the connection leads to the far end.

    Args:
        host: whereto: an IP address, or a name in ASCII, which the proxy resolves.
        port: likewise.
        credentials: user and password, or None. They are sent if the proxy asks for them, and else not.

    Yields:
        bytes, which are to be sent; or how many may be received at most. What was received is sent into the
        generator, b"" for the end of the stream. Where it returns, the tunnel is there.

    Raises:
        InvalidURL, InvalidProxyURL: host or credentials can't be sent; before the first step.
        SocksFailure: there is no tunnel.
    """
    login = None if credentials is None else login_message(*credentials)
    command = connect_message(host, port)

    offered = bytes([NO_AUTHENTICATION] if login is None else [NO_AUTHENTICATION, USER_AND_PASSWORD])
    yield bytes([_VERSION, len(offered)]) + offered
    method = yield from _chosen_method(offered)
    if method == USER_AND_PASSWORD:
        assert login is not None, "a method that was not offered is not taken"
        yield login
        yield from _welcome()
    yield command
    yield from _success()
    yield from _bound_address()


# --- what is said


def check_credentials(user: bytes, password: bytes) -> None:
    """Refuse what RFC 1929, section 2, has no room for (law X7).

    Raises:
        InvalidProxyURL: user or password is empty, or longer than 255 bytes.
    """
    for what, value in (("user", user), ("password", password)):
        if not 1 <= len(value) <= _MAX_LENGTH:
            fault = "no bytes" if not value else f"more than {_MAX_LENGTH} bytes"
            raise InvalidProxyURL(
                f"the {what} for a SOCKS proxy has {fault}, where RFC 1929 asks for 1 to {_MAX_LENGTH}: "
                f"write both or none, as in socks5://user:password@host:port"
            )


def login_message(user: bytes, password: bytes) -> bytes:
    """The message with user and password (RFC 1929, section 2).

    Raises:
        InvalidProxyURL: as `check_credentials`.
    """
    check_credentials(user, password)
    return bytes([_LOGIN_VERSION, len(user)]) + user + bytes([len(password)]) + password


def connect_message(host: str, port: int) -> bytes:
    """The command to connect to a far end (RFC 1928, section 4).

    Raises:
        InvalidURL: the host is no IP address, and no name that can be sent (law X7).
    """
    return bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2, "big")


def is_name(host: str) -> bool:
    """Whether a host is one that the proxy has to resolve."""
    return _ip_address(host) is None


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _address(host: str) -> bytes:
    """Type and address (RFC 1928, section 5). The zone of an address means nothing to anybody else."""
    address = _ip_address(host)
    if address is None:
        return _name(host)
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed


def _name(host: str) -> bytes:
    if _UNSENDABLE.search(host):
        raise InvalidURL(
            f"a SOCKS proxy can't be told of the host {host!r}: write it as IDNA does, in ASCII, without "
            f"spaces or control characters"
        )
    if not 1 <= len(host) <= _MAX_LENGTH:
        raise InvalidURL(
            f"a SOCKS proxy can't be told of the host {host[:40]!r}, which has {len(host)} bytes: RFC 1928 "
            f"has room for 1 to {_MAX_LENGTH}"
        )
    return bytes([_NAME, len(host)]) + host.encode("ascii")


# --- what is answered


def _chosen_method(offered: bytes) -> Generator[Step, bytes, int]:
    """RFC 1928, section 3."""
    what = "version 5 and its choice of a method"
    answer = yield from _exactly(2, what)
    _check_version(answer, (_VERSION,), what)
    method = answer[1]
    if method in offered:
        return method
    if USER_AND_PASSWORD not in offered and method in (USER_AND_PASSWORD, _NO_METHOD):
        raise CredentialsWanted("it serves nobody without authentication", given=False)
    if method == _NO_METHOD:
        raise SocksFailure("it takes neither user and password nor their absence, and wants another method")
    raise SocksFailure(f"it chose method {method} of authentication, which was not offered to it")


def _welcome() -> Generator[Step, bytes, None]:
    """RFC 1929, section 2."""
    what = "version 1 and the verdict on user and password"
    answer = yield from _exactly(2, what)
    # A good deal of servers in the field say 5 here, the version of what surrounds this negotiation.
    _check_version(answer, (_LOGIN_VERSION, _VERSION), what)
    if answer[1] != _SUCCEEDED:
        raise CredentialsWanted("it does not take the credentials that it was given", given=True)


def _success() -> Generator[Step, bytes, None]:
    """The first half of a reply (RFC 1928, section 6). Behind a refusal some proxies send no second one."""
    what = "version 5 and the reply to CONNECT"
    answer = yield from _exactly(2, what)
    _check_version(answer, (_VERSION,), what)
    if answer[1] != _SUCCEEDED:
        raise Refused(answer[1])


def _bound_address() -> Generator[Step, bytes, None]:
    """The other half: from where the proxy connects. It is of no use here, but it has to be read past."""
    _reserved, kind = yield from _exactly(2, "the type of the address that it connects from")
    length = _ADDRESS_LENGTHS.get(kind, 0)
    if kind == _NAME:
        (length,) = yield from _exactly(1, "the length of the name that it connects from")
    if not length:
        what = "a name without a letter" if kind == _NAME else f"an address of type {kind}"
        raise SocksFailure(f"it says that it connects from {what}, which RFC 1928 does not know")
    yield from _exactly(length + 2, "the address and the port that it connects from")


def _exactly(size: int, what: str) -> Generator[Step, bytes, bytes]:
    """Receive so many bytes, in whichever pieces they come."""
    got = b""
    while len(got) < size:
        piece = yield size - len(got)
        if not piece:
            after = f" after {got!r}" if got else ""
            raise SocksFailure(f"it closed the connection{after}, where {what} were expected ({size} bytes)")
        got += piece
    return got


def _check_version(answer: bytes, versions: tuple[int, ...], what: str) -> None:
    if answer[0] in versions:
        return
    remedies = [f": {remedy}" for start, remedy in _OTHERS.items() if answer.startswith(start)]
    raise SocksFailure(f"it sent {answer!r}, where {what} were expected{''.join(remedies)}")
