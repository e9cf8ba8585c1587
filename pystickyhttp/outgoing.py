"""A PreparedRequest as it goes over the wire: its header fields in bytes, its target, its body."""

from __future__ import annotations

from functools import lru_cache

from .exceptions import InvalidMethod
from .headers import encode_field
from .models import PreparedRequest
from .transport import OutgoingRequest, Route
from .urls import URL


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
    if request.method == "CONNECT":
        raise InvalidMethod(
            "CONNECT is for proxies alone, and its target is no URL (RFC 9110, section 9.3.6)"
        )
    lines = tuple(request.headers.lines())
    host = request.headers.get("Host", url.host_header)
    # Through a tunnel the request is for the origin's eyes: the proxy was told what it has to know before.
    own_fields = route.proxy.own_fields if route.proxy is not None and route.is_forwarded else ()
    try:
        fields = wire_fields(host, lines, own_fields)
    except TypeError:  # what can't be looked up in a cache is neither str nor bytes, and is told so
        fields = wire_fields.__wrapped__(host, lines, own_fields)
    return OutgoingRequest.make(request.method, target, fields, request.outgoing_body())


# A program sends the same few sets of fields over and over. They are kept as long as the process lives, with
# the credentials and cookies among them, as the session that they come from mostly is.
@lru_cache(maxsize=512)
def wire_fields(
    host: str, lines: tuple[tuple[str, str], ...], proxy_fields: tuple[tuple[bytes, bytes], ...]
) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields as they go over the wire.

    Args:
        host: the value of Host, which goes first (RFC 9110, section 7.2).
        lines: the other fields. A Host among them is left out, and so is Proxy-Authorization: it is no
            origin's business.
        proxy_fields: the fields for the proxy that the request goes to. What they say, no other field says.

    Raises:
        InvalidHeader: a field can't be sent (law X7).
    """
    encoded = [encode_field(name, value) for name, value in lines]
    left_out = {b"host", b"proxy-authorization", *(name.lower() for name, _ in proxy_fields)}
    others = [field for field in encoded if field[0].lower() not in left_out]
    return encode_field("Host", host), *others, *proxy_fields
