"""Why TLS failed, in words: the reason as OpenSSL has it, and what can be done about it.

Pure: from an error of `ssl` to a sentence. OpenSSL's own words stand in each, since they are what people look
for; behind them comes the remedy.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeGuard

from .sockets import reason_of as reason_without_tls

# More names than these make a message that nobody reads; those of a shared server can be hundreds.
_NAMES_SHOWN: Final = 5


class Advice(NamedTuple):
    """How whoever made the connection says whom it trusts, and as whom it appears.

    Attributes:
        trust: how to trust an authority.
        pin: how to trust the very certificate that was shown.
        present: how to show a client certificate.
        context: what takes all that no other setting does.
        versions: what to do about versions of TLS.
        name: how to ask for another name than the one that is dialled.
    """

    trust: str
    pin: str
    present: str
    context: str
    versions: str
    name: str


_TOO_OLD: Final = (
    "the server speaks TLS 1.1 at most, which is no longer safe (RFC 8996): its operator has to bring it up "
    "to date; until then {context} with a lower minimum_version and set_ciphers('DEFAULT:@SECLEVEL=0') "
    "reaches it"
)

BY_SETTINGS: Final = Advice(
    trust="pass verify='/path/to/its/ca.pem'",
    pin="pass verify='/path/to/that/certificate.pem'",
    present="cert=(certificate, key)",
    context="an ssl_context=",
    versions=_TOO_OLD.format(context="an ssl_context="),
    name=", or say it by server_hostname=",
)
# To a proxy verify= counts, and cert= is not shown.
OF_PROXY_BY_SETTINGS: Final = BY_SETTINGS._replace(
    present="a proxy_ssl_context= with load_cert_chain()",
    context="a proxy_ssl_context=",
    versions=_TOO_OLD.format(context="a proxy_ssl_context="),
    name="",
)


def _by_context(context: str, name: str) -> Advice:
    """Beside a context that is given, verify= and cert= do not count."""
    return Advice(
        trust=f"give '/path/to/its/ca.pem' to load_verify_locations() of the {context}",
        pin=f"give '/path/to/that/certificate.pem' to load_verify_locations() of the {context}",
        present=f"load_cert_chain() of the {context}",
        context=f"the {context}",
        versions=f"see minimum_version and maximum_version of the {context}",
        name=name,
    )


# Nothing is refused by the store of a system that has none; what is missing is the store.
WITHOUT_ROOTS: Final = (
    "this system has no root certificates: pip install 'pystickyhttp[certifi]', or pass "
    "verify='/path/to/its/ca.pem'"
)

BY_CONTEXT: Final = _by_context("ssl_context", BY_SETTINGS.name)
OF_PROXY_BY_CONTEXT: Final = _by_context("proxy_ssl_context", OF_PROXY_BY_SETTINGS.name)

# --- certificates that were refused

_TOO_WEAK: Final = (
    "the server's operator has to get one with a key of 2048 bits of RSA or more, signed by SHA-256; until "
    "then {context} with set_ciphers('DEFAULT:@SECLEVEL=0') accepts it"
)
_TAMPERED: Final = (
    "the certificate was not signed by the authority that it names: somebody may stand in between, or the CA "
    "file has another authority of the same name"
)
_BROKEN_CHAIN: Final = (
    "an authority in its chain was not allowed to issue it: the server's operator has to get one of an "
    "authority that is"
)
_BROKEN_DATES: Final = "the certificate is damaged: the server's operator has to get another one"
_TOO_STRICT: Final = (
    "the authority that issued it has to keep to RFC 5280; until then take VERIFY_X509_STRICT out of the "
    "verify_flags of {context}"
)
_NO_CRL: Final = (
    "give the lists of revoked certificates to load_verify_locations() of {context}, or take "
    "VERIFY_CRL_CHECK_LEAF and VERIFY_CRL_CHECK_CHAIN out of its verify_flags"
)
_OTHER_NAME: Final = "use the name that the certificate is for{name}"

# What OpenSSL calls a failed verification (the numbers of x509_vfy.h), and what can be done about it.
_REMEDIES: Final[Mapping[int, str]] = {
    2: "{trust}, with all of its chain in that file",
    3: _NO_CRL,
    7: _TAMPERED,
    9: "see whether this machine's clock is right; if it is, the server's operator was too early with it",
    10: "the server's operator has to renew it (if this machine's clock is right)",
    11: _NO_CRL,
    12: _NO_CRL,
    13: _BROKEN_DATES,
    14: _BROKEN_DATES,
    18: "{pin} if you trust it",
    19: "{trust} if you trust it",
    20: "{trust}{store}",
    21: "the server has to send its intermediate certificates, or {trust}",
    22: "the server's operator has to shorten the chain of certificates",
    23: "the key may be in other hands: send nothing, its operator has to get a new certificate",
    24: _BROKEN_CHAIN,
    25: _BROKEN_CHAIN,
    26: "it was not issued for servers (extended key usage): the server's operator has to get one that is",
    27: "{trust} if you trust it for this use",
    28: "the CA file says that it must not be trusted for this use",
    32: _BROKEN_CHAIN,
    33: _NO_CRL,
    34: "a critical extension is one that OpenSSL does not know: the server's operator has to do without",
    47: _BROKEN_CHAIN,
    48: _BROKEN_CHAIN,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
    66: _TOO_WEAK,
    67: _TOO_WEAK,
    68: _TOO_WEAK,
    76: _TOO_WEAK,
    79: _BROKEN_CHAIN,
    **dict.fromkeys(range(80, 95), _TOO_STRICT),
}
_ELSE: Final = "see the reason; {trust} if it should be trusted nevertheless"


def why_refused(
    error: ssl.SSLCertVerificationError,
    shown: Mapping[str, Any],
    advice: Advice,
    now: float,
    roots: str | None = None,
) -> str:
    """Why a certificate was refused, and the remedy.

    Args:
        error: the error of the handshake.
        shown: the certificate, as `getpeercert()` has it; nothing where nobody knows it.
        advice: how to make it otherwise.
        now: the time, in seconds since 1970.
        roots: the file or folder whose authorities alone were trusted, by `verify` or a variable of the
            environment, which is easily forgotten; or None.
    """
    # Verifiers other than OpenSSL's raise the error by hand, and do not set all that it has.
    code = getattr(error, "verify_code", 0)
    reason = (getattr(error, "verify_message", "") or reason_of(error)).removesuffix(".")
    store = "" if roots else ", or add that CA to the system's store"
    remedy = _REMEDIES.get(code, _ELSE).format_map({**advice._asdict(), "store": store})
    return f"{reason}{_fact(code, shown, now, roots)}: {remedy}"


def _fact(code: int, shown: Mapping[str, Any], now: float, roots: str | None) -> str:
    """What the certificate itself has to say to the reason, in brackets; nothing where it has not."""
    if code in (62, 64):
        return _names(shown)
    if code == 9 and _is_after(shown.get("notBefore"), now):
        return f" (it is valid from {shown['notBefore']})"
    if code == 10 and shown.get("notAfter") and not _is_after(shown["notAfter"], now):
        return f" (it was valid until {shown['notAfter']})"
    if code in (2, 18, 19, 20, 21):
        facts = [_issuer(shown), f"only the roots in {roots!r} are trusted" if roots else ""]
        return f" ({'; '.join(filter(None, facts))})" if any(facts) else ""
    return ""


def _is_after(date: str | None, now: float) -> bool:
    # The certificate that is out of date may be another one of the chain.
    return date is not None and ssl.cert_time_to_seconds(date) > now


def _names(shown: Mapping[str, Any]) -> str:
    if not shown:
        return ""
    names = [value for kind, value in shown.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    if not names:
        return " (it has no subjectAltName, and the common name does not count)"
    more = len(names) - _NAMES_SHOWN
    others = f" and {more} more" if more > 0 else ""
    return f" (it is for {', '.join(map(repr, names[:_NAMES_SHOWN]))}{others})"


def _issuer(shown: Mapping[str, Any]) -> str:
    fields = dict(field for part in shown.get("issuer", ()) for field in part)
    names = [fields[name] for name in ("organizationName", "commonName") if name in fields]
    return f"it was issued by {', '.join(map(repr, names))}" if names else ""


# --- handshakes that failed

_NO_TLS: Final = "the port does not speak TLS, use http://"
_NOTHING_IN_COMMON: Final = "{context} with set_ciphers() can offer it others"
_WEAK_SERVER: Final = (
    "the server's operator has to choose stronger keys; until then {context} with "
    "set_ciphers('DEFAULT:@SECLEVEL=0') accepts them"
)

# What OpenSSL says where it was this side that ended the handshake.
_OUR_REASONS: Final[Mapping[str, str]] = {
    "wrong version number": _NO_TLS,
    # What OpenSSL 3.2 and later say in its place.
    "packet length too long": _NO_TLS,
    "record layer failure": _NO_TLS,
    "http request": _NO_TLS,
    "unsupported protocol": "{versions}",
    "wrong ssl version": "{versions}",
    "dh key too small": _WEAK_SERVER,
    "ee key too small": _WEAK_SERVER,
    "wrong signature type": _WEAK_SERVER,
    "bad ecpoint": _WEAK_SERVER,
    "wrong cipher returned": _NOTHING_IN_COMMON,
    "no ciphers available": "the ssl_context has no cipher for the versions of TLS that it allows",
    "no protocols available": "the ssl_context allows no version of TLS that OpenSSL is set up for",
    "unsafe legacy renegotiation disabled": (
        "the server does not know RFC 5746 (secure renegotiation): its operator has to bring it up to date; "
        "until then {context} with ssl.OP_LEGACY_SERVER_CONNECT in its options reaches it"
    ),
}


class _Alert(NamedTuple):
    """What a peer means by an alert (RFC 8446, section 6.2), and the remedy."""

    meaning: str
    remedy: str


_CLIENT_CERTIFICATE_REFUSED: Final = _Alert(
    "it does not accept the client certificate, or that there is none",
    "give one that it accepts by {present}",
)
_CONFUSED: Final = _Alert("it could make nothing of what it was sent", "its log may say why")

# By the names that RFC 8446 and its forerunners give them, as OpenSSL writes them.
_ALERTS: Final[Mapping[str, _Alert]] = {
    "handshake failure": _Alert(
        "it has no cipher or key exchange in common with us, or wants a client certificate",
        f"{_NOTHING_IN_COMMON}, and a certificate is given by {{present}}",
    ),
    "insufficient security": _Alert("it wants stronger ciphers than it was offered", _NOTHING_IN_COMMON),
    "protocol version": _Alert("it has no version of TLS in common with us", "{versions}"),
    "certificate required": _Alert("it wants a client certificate", "give one by {present}"),
    "bad certificate": _CLIENT_CERTIFICATE_REFUSED,
    "unsupported certificate": _CLIENT_CERTIFICATE_REFUSED,
    "certificate unknown": _CLIENT_CERTIFICATE_REFUSED,
    "no certificate": _CLIENT_CERTIFICATE_REFUSED,
    "certificate expired": _Alert(
        "the client certificate has expired", "renew it, and give the new one by {present}"
    ),
    "certificate revoked": _Alert(
        "the client certificate was revoked", "get a new one, and give it by {present}"
    ),
    "unknown ca": _Alert(
        "it does not know the authority that issued the client certificate",
        "give one of an authority that it knows by {present}, with the intermediate certificates in its file",
    ),
    "access denied": _Alert(
        "it knows the client certificate, and does not let it in", "give another by {present}"
    ),
    "decrypt error": _Alert(
        "a signature did not hold", "see whether the client's certificate and key belong together"
    ),
    "unrecognized name": _Alert(
        "it does not serve the name that it was asked for", "ask for one that it serves{name}"
    ),
    "no application protocol": _Alert(
        "it does not speak HTTP/1.1 here, as ALPN tells", "see whether host and port are right"
    ),
    "internal error": _Alert("something failed on its side", "its log may say why"),
    "user cancelled": _Alert("it was told to stop", "its log may say why"),
    "unexpected message": _CONFUSED,
    "illegal parameter": _CONFUSED,
    "decode error": _CONFUSED,
    "bad record mac": _CONFUSED,
    "record overflow": _CONFUSED,
    "missing extension": _CONFUSED,
    "unsupported extension": _CONFUSED,
}


# An alert that came, among the reasons that OpenSSL gives. They tell from which version it is as well, and
# have "ssl/tls" for the eldest from OpenSSL 3.2 on; the word itself is left out of some of the later ones.
_IS_ALERT: Final = re.compile(r"(?:sslv3|tlsv1|tlsv13|ssl/tls) (alert )?(.+)")
# An error that Python has no name for: "[SSL] what OpenSSL says (_ssl.c:1006)".
_NAMELESS: Final = re.compile(r"\[\w+\] (.+) \(_ssl\.c:\d+\)")


def is_alert(error: BaseException) -> TypeGuard[ssl.SSLError]:
    """Whether the peer said why it ends TLS (RFC 8446, section 6.2)."""
    return isinstance(error, ssl.SSLError) and _alert(error) is not None


def _alert(error: ssl.SSLError) -> str | None:
    """The name of the alert that the peer sent, None where it sent none."""
    match = _IS_ALERT.fullmatch(reason_of(error))
    return match[2] if match is not None and (match[1] or match[2] in _ALERTS) else None


def why_failed(error: ssl.SSLError | ValueError, advice: Advice) -> str:
    """Why a handshake failed, or what the peer said behind it, and the remedy.

    Args:
        error: the error.
        advice: how to make it otherwise.
    """
    reason = reason_of(error)
    if not isinstance(error, ssl.SSLError):
        return reason
    alert = _alert(error)
    if alert is None:
        remedy = _OUR_REASONS.get(reason, "").format_map(advice._asdict())
        return f"{reason}: {remedy}" if remedy else reason
    meaning, remedy = _ALERTS.get(alert, _CONFUSED)
    return f"the peer ended it by an alert ({reason}): {meaning}: {remedy.format_map(advice._asdict())}"


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke or was closed, rather than that something was refused."""
    if isinstance(error, TimeoutError):
        return False
    if isinstance(error, ssl.SSLError):
        return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError))
    return isinstance(error, OSError)


def reason_of(error: BaseException) -> str:
    """What an error of a socket, TLS or not, says of its cause."""
    if isinstance(error, ssl.SSLEOFError):
        return "the TLS stream ended without close_notify"
    if isinstance(error, ssl.SSLError):
        # One that was raised by hand, by a verifier of another making, has none at all.
        name: str | None = getattr(error, "reason", None)
        if name:
            return name.replace("_", " ").lower()
        nameless = _NAMELESS.fullmatch(str(error))
        if nameless is not None:
            return nameless[1]
        if len(error.args) == 1:
            return str(error.args[0])
    return reason_without_tls(error)
