"""HTTP/1.1 as the scripted servers read and write it.

The reader is deliberately narrow: it takes what RFC 9112 lets a client *send* and refuses what a server is
merely advised to tolerate (bare LF, blanks before the colon, two lengths, a second Host). So each scripted
test is a test of the client's grammar too, whatever it set out to prove. The writer is the opposite: it makes
a plain correct response, and a script that wants a wrong one writes the bytes itself.
"""

from __future__ import annotations

import http
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) (HTTP/1\.[01])")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n]*)?")
_BODILESS = {204, 304}


class MalformedRequest(AssertionError):
    """The client sent bytes that are no HTTP/1.1 request."""


@dataclass
class Request:
    """One request as it came off the wire; `connection` is the serial number, from 0, of its connection."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    connection: int = 0
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    raw: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of the header of this name, None without one; that there are two is an error."""
        values = self.header_values(name)
        if len(values) > 1:
            raise MalformedRequest(f"the request has {len(values)} headers {name}: {values}")
        return values[0] if values else None

    def header_values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def is_chunked(self) -> bool:
        return (self.header("Transfer-Encoding") or "").lower() == "chunked"

    @property
    def content_length(self) -> int:
        return int(self.header("Content-Length") or 0)

    @property
    def asks_to_close(self) -> bool:
        options = [item.strip().lower() for item in (self.header("Connection") or "").split(",")]
        return "close" in options or (self.version == "HTTP/1.0" and "keep-alive" not in options)


def parse_head(head: bytes, connection: int = 0) -> Request:
    """The request whose head, up to but without the empty line, is `head`."""
    lines = split_lines(head)
    start = _REQUEST_LINE.fullmatch(lines[0])
    if start is None:
        raise MalformedRequest(f"no request line: {lines[0]!r}")
    request = Request(
        method=start[1].decode("ascii"),
        target=start[2].decode("ascii"),
        version=start[3].decode("ascii"),
        headers=parse_fields(lines[1:]),
        connection=connection,
        raw=head + b"\r\n\r\n",
    )
    _refuse_ambiguity(request)
    return request


def split_lines(block: bytes) -> list[bytes]:
    lines = block.split(b"\r\n")
    for line in lines:
        if b"\r" in line or b"\n" in line:
            raise MalformedRequest(f"a line ends in something other than CRLF: {line!r}")
    return lines


def parse_fields(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    fields = []
    for line in lines:
        match = _FIELD_LINE.fullmatch(line)
        if match is None:
            raise MalformedRequest(f"no header line: {line!r}")
        fields.append((match[1].decode("ascii"), match[2].decode("latin-1").rstrip(" \t")))
    return fields


def parse_chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.fullmatch(line)
    if match is None:
        raise MalformedRequest(f"no chunk size: {line!r}")
    return int(match[1], 16)


def _refuse_ambiguity(request: Request) -> None:
    hosts = request.header_values("Host")
    if request.version == "HTTP/1.1" and len(hosts) != 1:
        raise MalformedRequest(f"an HTTP/1.1 request has exactly one Host, this one has {hosts}")
    lengths = request.header_values("Content-Length")
    codings = request.header_values("Transfer-Encoding")
    if len(lengths) + len(codings) > 1:
        raise MalformedRequest(f"the length of the body is given more than once: {lengths} {codings}")
    if lengths and not re.fullmatch("[0-9]+", lengths[0]):
        raise MalformedRequest(f"no length: {lengths[0]!r}")
    if codings and codings[0].lower() != "chunked":
        raise MalformedRequest(f"a transfer coding that no server here knows: {codings[0]!r}")


def respond(
    body: bytes | str = b"",
    *,
    status: int = 200,
    reason: str | None = None,
    headers: Headers = (),
    chunked: bool = False,
    version: str = "HTTP/1.1",
) -> bytes:
    """A whole, correct response; its length is declared unless `headers` or the status say otherwise."""
    content = body.encode() if isinstance(body, str) else body
    fields = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    names = {name.lower() for name, _ in fields}
    if chunked:
        fields.append(("Transfer-Encoding", "chunked"))
        content = (chunk(content) if content else b"") + LAST_CHUNK
    elif status >= 200 and status not in _BODILESS and not names & {"content-length", "transfer-encoding"}:
        fields.append(("Content-Length", str(len(content))))
    phrase = _phrase(status) if reason is None else reason
    head = [f"{version} {status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + content


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unassigned"


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; an empty one would end the body, so that is `LAST_CHUNK`'s to say."""
    if not data:
        raise ValueError("an empty chunk ends the body: send LAST_CHUNK")
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def says_close(response: bytes) -> bool:
    """Whether the head of this response announces that the connection closes after it."""
    head = response.partition(b"\r\n\r\n")[0].lower()
    return any(
        line.startswith(b"connection:") and b"close" in line.split(b":", 1)[1] for line in head.split(b"\r\n")
    )
