"""A PreparedRequest as it goes over the wire: its header fields in bytes, its target, its body."""

from __future__ import annotations

from typing import Final, TypeAlias

from .exceptions import InvalidMethod
from .headers import Field, encode_field
from .kept import kept
from .models import PreparedRequest
from .transport import OutgoingRequest, Route
from .urls import URL

# The first goes ahead of all others, and the second is no origin's business.
_NOT_SENT_ON: Final = frozenset({b"host", b"proxy-authorization"})


def outgoing_request(request: PreparedRequest, url: URL, target: str, route: Route) -> OutgoingRequest:
    """A PreparedRequest as the transport takes it.

    Args:
        request: the request.
        url: its URL.
        target: the request target.
        route: the way that it goes.

    Raises:
        InvalidHeader: a field can't be sent (law X7).
        InvalidBody: the body is of no type that can be sent.
        UnrewindableBodyError: the body was sent before, and can't be wound back (law P2).
        InvalidMethod: the method is CONNECT, whose target is no URL.
    """
    body = None if request.body is None else request.outgoing_body()
    # Through a tunnel the request is for the origin's eyes: the proxy was told what it has to know before.
    own_fields = route.proxy.own_fields if route.proxy is not None and route.is_forwarded else ()
    said = request.method, target, url.host_header, request.headers.snapshot(), own_fields
    try:
        bare = _without_body[said]
    except (TypeError, BytesWarning):  # neither str nor bytes, which is told; or both, where -bb is strict
        bare = _without_body.__wrapped__(said)
    return bare if body is None else bare.with_body(body)


_Head: TypeAlias = "tuple[str, str, str, tuple[Field, ...], tuple[tuple[bytes, bytes], ...]]"


# A program sends the same few heads over and over, and to check and encode one costs as much as all the rest
# of a small request. Nothing of it ever changes, so that connections and threads can share it. They are kept
# as long as the process lives, with the credentials and cookies among them, as the session that they come
# from mostly is; one takes a few kilobytes.
@kept(512)
def _without_body(said: _Head) -> OutgoingRequest:
    """A request as it goes over the wire, but for its body.

    Args:
        said: method and target of the request line; the value of Host, which goes first (RFC 9110, section
            7.2), unless one is among the fields; the other fields, of which a Proxy-Authorization is left
            out, as it is no origin's business; the fields for the proxy that the request goes to. What they
            say, no other field says.

    Raises:
        InvalidHeader: a field can't be sent (law X7).
        InvalidMethod: the method is CONNECT.
    """
    method, target, host, fields, proxy_fields = said
    if method == "CONNECT":
        raise InvalidMethod(
            "CONNECT is for proxies alone, and its target is no URL (RFC 9110, section 9.3.6)"
        )
    # What can't be looked up in a cache is neither str nor bytes, and is told so.
    encoded = [
        _encoded_text[name, value] if type(value) is str else encode_field(name, value)
        for name, values in fields
        for value in values
    ]
    left_out = _NOT_SENT_ON.union([name.lower() for name, _ in proxy_fields])
    others = [field for field in encoded if field[0].lower() not in left_out]
    by_hand = [(b"Host", value) for name, value in encoded if name.lower() == b"host"]
    fields_in_order = [*(by_hand or [_encoded_text["Host", host]]), *others, *proxy_fields]
    return OutgoingRequest.make(method, target, fields_in_order)


# Of the fields of a request that is new most are those of the session, or of the one before.
@kept(512)
def _encoded_text(field: tuple[str, str]) -> tuple[bytes, bytes]:
    return encode_field(*field)
