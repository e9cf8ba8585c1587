"""What TLS tells of a connection once its handshake is over."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .tls import TLSSocket


class TLSInfo(NamedTuple):
    """What TLS tells of a connection.

    Attributes:
        version: such as "TLSv1.3".
        cipher: the cipher suite, such as "TLS_AES_256_GCM_SHA384".
        alpn: the protocol that the server chose by ALPN, None where it has not heard of that.
        resumed: whether the TLS session of an earlier connection was resumed (law S2).
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
        """Read it from a connection whose handshake is over."""
        cipher = sock.cipher()
        return cls(
            version=sock.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=sock.selected_alpn_protocol(),
            resumed=bool(sock.session_reused),
            # The responses of a connection share it: nobody may change it under the others' eyes.
            certificate=MappingProxyType(_verified_certificate(sock)),
            certificate_der=sock.getpeercert(binary_form=True) or b"",
        )

    def __repr__(self) -> str:
        # A certificate fills a screen, and twice over.
        facts = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields[:4], self, strict=False))
        return f"TLSInfo({facts}, ...)"

    def __reduce__(self) -> tuple[Any, ...]:
        # A view of a dict can't be pickled; the dict can.
        return _rebuild_info, (*self[:4], dict(self.certificate), self.certificate_der)


def _verified_certificate(sock: TLSSocket) -> dict[str, Any]:
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
