"""What TLS tells of a connection once its handshake is over."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from .tls_in_tls import TLSSocket


_NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


class _Certificate(NamedTuple):
    """A certificate in DER, and what stands in it as `ssl.SSLSocket.getpeercert()` has it."""

    der: bytes
    facts: Mapping[str, Any]


class TLSInfo(NamedTuple):
    """What TLS tells of a connection.

    Attributes:
        version: such as "TLSv1.3".
        cipher: the cipher suite, such as "TLS_AES_256_GCM_SHA384".
        alpn: the protocol that the server chose by ALPN, None where it has not heard of that.
        resumed: whether the TLS session of an earlier connection was resumed, which
            spares a part of the handshake.
        certificate: the server's certificate as `ssl.SSLSocket.getpeercert()` has it; empty where it was not
            verified, as then it says nothing that is known to be true.
        certificate_der: the same in DER, verified or not; b"" where the server showed none.
    """

    version: str
    cipher: str
    alpn: str | None
    resumed: bool
    certificate: Mapping[str, Any]
    certificate_der: bytes

    @classmethod
    def of(cls, sock: TLSSocket) -> TLSInfo:
        """Read it from a connection whose handshake is over.

        Args:
            sock: the socket of the connection.
        """
        cipher = sock.cipher()
        certificate = _certificate_of(sock)
        return cls(
            version=sock.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=sock.selected_alpn_protocol(),
            resumed=bool(sock.session_reused),
            certificate=certificate.facts,
            certificate_der=certificate.der,
        )

    def __repr__(self) -> str:
        # A certificate fills a screen, and twice over.
        facts = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields[:4], self, strict=False))
        return f"TLSInfo({facts}, ...)"

    def __reduce__(self) -> tuple[Any, ...]:
        # A view of a dict can't be pickled; the dict can.
        return _rebuild_info, (*self[:4], dict(self.certificate), self.certificate_der)


# Guarded by nothing: each step is one of a dict, and two threads that miss at once decode the same twice.
# What stands in a certificate never changes, so nothing here is ever stale.
_decoded: Final[dict[bytes, _Certificate]] = {}
# A certificate takes three kilobytes, so a fifth of a megabyte in all; a program with more servers than this
# decodes again.
MOST_DECODED: Final = 64


def _certificate_of(sock: TLSSocket) -> _Certificate:
    """What the connections of one server share: a thousand idle ones hold one certificate, not a thousand."""
    der = sock.getpeercert(binary_form=True) or b""
    known = _decoded.get(der)
    if known is None or not known.facts:
        # The responses of a connection share the facts: nobody may change them under the others' eyes.
        known = _Certificate(der, MappingProxyType(_verified_facts(sock)))
        if len(_decoded) >= MOST_DECODED:
            _decoded.clear()
        _decoded[der] = known
    return known if sock.context.verify_mode else _Certificate(known.der, _NO_FACTS)


def _verified_facts(sock: TLSSocket) -> dict[str, Any]:
    try:
        return sock.getpeercert() or {}
    except (ValueError, OSError):  # ssl.SSLError is an OSError
        # OpenSSL has verified it, and Python wants each name in UTF-8: an e-mail address or a URL beside the
        # host's name may be in latin-1. That is no reason not to talk to the server.
        return {}


def _rebuild_info(
    version: str, cipher: str, alpn: str | None, resumed: bool, certificate: dict[str, Any], der: bytes
) -> TLSInfo:
    return TLSInfo(version, cipher, alpn, resumed, MappingProxyType(certificate), der)
