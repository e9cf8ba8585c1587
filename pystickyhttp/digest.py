"""Digest authentication (RFC 7616): what a server's challenge says, and what answers it.

The rules stand here as pure functions of what the server said; `DigestMemory` keeps what was learned of each
origin, for all threads. The conversation itself is `digest_auth.HTTPDigestAuth`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import unicodedata
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote

from . import urls
from .credentials import TOKEN68, credential_bytes
from .exceptions import InvalidHeader, RequestException
from .forks import after_fork_in_child

Origin: TypeAlias = "tuple[str, str, int | None]"

# --- challenges (RFC 9110, section 11.6.1)

# A member of a comma-separated list; a comma within quotes is a part of it, and so is all behind a quote that
# nobody closes. No character can be read in two ways, so that the time is linear whatever came.
_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# A value that should be quoted and is not is read all the same: servers leave the quotes of a nonce away.
_PARAMETER = re.compile(
    rf'(?P<name>{_TOKEN})[ \t]*=[ \t]*(?:(?P<bare>[^\s"]+)|"(?P<quoted>(?:[^"\\]|\\.)*)")', re.DOTALL
)
_SCHEME = re.compile(rf"(?P<scheme>{_TOKEN})(?:[ \t]+(?P<rest>.*))?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way that a server offers to authenticate.

    Attributes:
        scheme: such as "digest", in lower case.
        params: names in lower case, and values without their quotes, as latin-1. Of a name that comes twice,
            which none may, the first value counts.
    """

    scheme: str
    params: dict[str, str] = field(default_factory=dict)


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """The challenges of WWW-Authenticate, in one field or several, several in each.

    What is malformed is left out: it never raises.

    Args:
        lines: the values of the fields.
    """
    challenges: list[Challenge] = []
    for member in _members(lines):
        rest: str | None = member
        if _PARAMETER.fullmatch(member) is None:
            match = _SCHEME.fullmatch(member)
            if match is None:
                continue
            rest = match["rest"]
            challenges.append(Challenge(match["scheme"].lower()))
            if rest is not None and re.fullmatch(TOKEN68, rest):  # which looks like a parameter, "=" and all
                continue
        if rest is not None and challenges:
            _add_parameter(challenges[-1].params, rest)
    return challenges


def parse_parameters(lines: Iterable[str]) -> dict[str, str]:
    """The parameters of a field that has no scheme, such as Authentication-Info (RFC 7616, section 3.5)."""
    params: dict[str, str] = {}
    for member in _members(lines):
        _add_parameter(params, member)
    return params


def _members(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for member in _MEMBER.findall(_as_latin_1(line)):
            stripped = member.strip(" \t")
            if stripped:  # RFC 9110, section 5.6.1.2: a list may have empty members
                yield stripped


def _add_parameter(params: dict[str, str], member: str) -> None:
    match = _PARAMETER.fullmatch(member)
    if match is None:
        return
    value = match["bare"] if match["quoted"] is None else _ESCAPED.sub(r"\1", match["quoted"])
    params.setdefault(match["name"].lower(), value)


def _as_latin_1(text: str) -> str:
    """Fields are read as latin-1, byte for byte; others than ours may have read them as UTF-8."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("latin-1")
    return text


# --- the answer

# By the names of RFC 7616, section 6.1, and after them those of hashlib; the strongest first. SHA-512 and SHA
# are in no RFC, and requests knows them as some servers do.
_HASHES: Final = {
    "SHA-512": "sha512",
    "SHA-512-256": "sha512_256",
    "SHA-256": "sha256",
    "SHA": "sha1",
    "MD5": "md5",
}
_STRENGTH: Final = {name: place for place, name in enumerate(reversed(_HASHES.values()))}
_SESSION_SUFFIX: Final = "-SESS"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# RFC 8187, section 3.2.1: attr-char, less the letters and digits, which quote() never touches.
_ATTR_CHARS: Final = "!#$&+-.^_`|~"
# 18 bytes are 144 bits of chance: nobody can guess it, or compute answers for all of them ahead.
_CNONCE_BYTES: Final = 18


@lru_cache(maxsize=len(_HASHES))
def _is_there(hash_name: str) -> bool:
    """Whether this OpenSSL has the hash: SHA-512/256 is younger than some, and some are built without MD5."""
    try:
        hashlib.new(hash_name, usedforsecurity=False)
    except ValueError:
        return False
    return True


def hash_of(algorithm: str) -> str | None:
    """The name in hashlib of what an algorithm, such as "MD5-sess", hashes by; None where it can't be had."""
    name = _HASHES.get(algorithm.upper().removesuffix(_SESSION_SUFFIX))
    return name if name is not None and _is_there(name) else None


@dataclass(frozen=True, slots=True)
class DigestChallenge:
    """A challenge of the scheme Digest that can be answered (RFC 7616, section 3.3).

    Attributes:
        realm: what the credentials are for.
        nonce: the server's, which the answer is made for.
        hash_name: by what it is hashed, as hashlib calls it.
        algorithm: that as the server wrote it, or None where it wrote none and means MD5.
        qop: "auth", "auth-int" where the body is protected too, or None where the server is of RFC 2069.
        opaque: what the server wants to have back, or None.
        stale: whether it was only the nonce that was refused.
        userhash: whether the name goes hashed (section 3.4.4).
        utf8: whether names and passwords are told to be UTF-8 (section 4).
        domain: where the same credentials count, as the server wrote it (URIs with spaces between them).
    """

    realm: str
    nonce: str
    hash_name: str
    algorithm: str | None = None
    qop: str | None = None
    opaque: str | None = None
    stale: bool = False
    userhash: bool = False
    utf8: bool = False
    domain: str = ""

    @classmethod
    def of(cls, params: Mapping[str, str]) -> DigestChallenge | None:
        """The challenge of these parameters, or None where it can't be answered."""
        realm, nonce, algorithm = params.get("realm"), params.get("nonce"), params.get("algorithm")
        hash_name = hash_of("MD5" if algorithm is None else algorithm)
        if realm is None or nonce is None or hash_name is None:
            return None
        offered = [option.strip(" \t").lower() for option in params.get("qop", "").split(",")]
        qop = next((known for known in ("auth", "auth-int") if known in offered), None)
        if qop is None and any(offered):
            return None
        return cls(
            realm=realm,
            nonce=nonce,
            hash_name=hash_name,
            algorithm=algorithm,
            qop=qop,
            opaque=params.get("opaque"),
            stale=params.get("stale", "").lower() == "true",
            userhash=params.get("userhash", "").lower() == "true",
            utf8=params.get("charset", "").lower() == "utf-8",
            domain=params.get("domain", ""),
        )

    @property
    def is_session(self) -> bool:
        """Whether the hash of the password is made once for many requests (section 3.4.2, "-sess")."""
        return self.algorithm is not None and self.algorithm.upper().endswith(_SESSION_SUFFIX)

    def hash(self, *parts: bytes) -> bytes:
        """The hash of the parts with colons between them, in hexadecimal."""
        return hashlib.new(self.hash_name, b":".join(parts), usedforsecurity=False).hexdigest().encode()


def choose_challenge(challenges: Iterable[Challenge]) -> DigestChallenge | None:
    """The Digest challenge to answer: the strongest that can be, of equals the first; None where none can.

    RFC 7616, section 3.7, leaves it to the client. A strong one can be taken off the list by whoever sits in
    the middle, but that the server lists a weak one too is no reason to prefer it.
    """
    found = [DigestChallenge.of(challenge.params) for challenge in challenges if challenge.scheme == "digest"]
    usable = [challenge for challenge in found if challenge is not None]
    return max(usable, key=lambda challenge: _STRENGTH[challenge.hash_name], default=None)


@dataclass(frozen=True, slots=True)
class DigestTurn:
    """The numbers that one answer is made with.

    Attributes:
        nonce: the server's.
        count: how many requests were sent with it, this one included.
        cnonce: ours.
        session: the nonce and the cnonce that the session began with (section 3.4.2, "-sess").
    """

    nonce: str
    count: int
    cnonce: str
    session: tuple[str, str]


def digest_credentials(
    challenge: DigestChallenge,
    turn: DigestTurn,
    username: str | bytes,
    password: str | bytes,
    method: str,
    target: str,
    body_hash: bytes = b"",
) -> str:
    """The value of Authorization that answers a Digest challenge (RFC 7616, section 3.4).

    Args:
        challenge: the challenge.
        turn: nonce, count and cnonce of this request.
        username: the user.
        password: the password.
        method: of the request.
        target: of the request, as it goes over the wire.
        body_hash: of its body, where the challenge's qop is "auth-int".

    Raises:
        InvalidHeader: the user's name holds a control character.
        TypeError: user or password is neither str nor bytes.
    """
    user = _credential("username", username, challenge.utf8)
    word = _credential("password", password, challenge.utf8)
    request = (method.encode(), target.encode(), *([body_hash] if challenge.qop == "auth-int" else []))
    params = [
        *_name_parameters(challenge, user),
        ("realm", _quoted("realm", challenge.realm)),
        ("nonce", _quoted("nonce", turn.nonce)),
        ("uri", _quoted("uri", target)),
        ("response", f'"{_digest_response(challenge, turn, user, word, request)}"'),
    ]
    # RFC 7616, section 3.4: algorithm, qop and nc go without quotes.
    if challenge.algorithm is not None:
        params.append(("algorithm", challenge.algorithm))
    if challenge.opaque is not None:
        params.append(("opaque", _quoted("opaque", challenge.opaque)))
    if challenge.qop is not None:
        params += [("qop", challenge.qop), ("nc", _nc(turn))]
    # A server of RFC 2069 wants no cnonce, but one that offers a session can't verify it without.
    if challenge.qop is not None or challenge.is_session:
        params.append(("cnonce", _quoted("cnonce", turn.cnonce)))
    return "Digest " + ", ".join(f"{name}={value}" for name, value in params)


def _digest_response(
    challenge: DigestChallenge, turn: DigestTurn, user: bytes, word: bytes, request: tuple[bytes, ...]
) -> str:
    """RFC 7616, sections 3.4.1 to 3.4.3; without a qop RFC 2069, section 2.1.1."""
    secret = challenge.hash(user, _octets(challenge.realm), word)
    if challenge.is_session:
        secret = challenge.hash(secret, *map(_octets, turn.session))
    middle = [_octets(turn.nonce)]
    if challenge.qop is not None:
        middle += [_octets(_nc(turn)), _octets(turn.cnonce), _octets(challenge.qop)]
    return challenge.hash(secret, *middle, challenge.hash(*request)).decode()


def _nc(turn: DigestTurn) -> str:
    return f"{turn.count:08x}"


def _octets(text: str) -> bytes:
    return text.encode("latin-1")  # what came in a field, as it came


def _credential(what: str, value: str | bytes, utf8: bool) -> bytes:
    # RFC 7616, section 4: where the server says UTF-8 it means NFC, so that an accent is written in one way.
    if utf8 and isinstance(value, str):
        value = unicodedata.normalize("NFC", value)
    return credential_bytes(what, "Digest", value)


def _name_parameters(challenge: DigestChallenge, user: bytes) -> list[tuple[str, str]]:
    if challenge.userhash:
        hashed = challenge.hash(user, _octets(challenge.realm)).decode()
        return [("username", f'"{hashed}"'), ("userhash", "true")]
    if challenge.utf8 and not user.isascii():
        return [("username*", "UTF-8''" + quote(user, safe=_ATTR_CHARS))]
    return [("username", _quoted("username", user.decode("latin-1")))]


def _quoted(what: str, text: str) -> str:
    if _CONTROL.search(text):
        raise InvalidHeader(
            f"the {what} of Digest auth holds a control character such as CR, LF or NUL: remove it"
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# --- what was learned

# A nonce that was replaced comes back only in answers that were on their way then: few, and at once.
_NONCES_KEPT: Final = 32
# A challenge takes about a kilobyte, and a crawler meets hosts without end. Who is forgotten asks again.
_ORIGINS_KEPT: Final = 1024


@dataclass(slots=True)
class _NonceUse:
    session: tuple[str, str]
    count: int = 0


class ProtectionSpace:
    """What is known of the protection space of one origin. Pure: no lock, no chance, no I/O."""

    __slots__ = ("challenge", "nonce", "prefixes", "uses")

    def __init__(self) -> None:
        self.challenge: DigestChallenge | None = None
        self.nonce = ""
        self.prefixes: tuple[str, ...] = ()
        # Counts outlive their challenge: two answers with the same nonce and count would be a replay.
        self.uses: dict[str, _NonceUse] = {}

    def accept(self, challenge: DigestChallenge, prefixes: tuple[str, ...], cnonce: str) -> None:
        """Take a challenge for the one that counts."""
        self.challenge, self.prefixes, self.nonce = challenge, prefixes, challenge.nonce
        self.uses.setdefault(challenge.nonce, _NonceUse((challenge.nonce, cnonce)))

    def move_on(self, used: str, following: str) -> None:
        """Take the next nonce that a server announced when one was used (RFC 7616, section 3.5).

        An answer that was late announces what others have used already, and changes nothing. The session of
        "-sess" goes on: it began with a challenge, and only a challenge ends it (section 3.4.2).
        """
        if used != self.nonce:
            return
        self.uses.setdefault(following, _NonceUse(self.uses[used].session))
        self.nonce = following

    def forget(self, refused: str) -> None:
        """Sign no request ahead of its challenge with a nonce whose answer was refused."""
        if refused == self.nonce:
            self.challenge = None

    def covers(self, target: str) -> bool:
        """Whether a request for this target may be signed without being asked (section 3.3, "domain")."""
        return target.startswith(self.prefixes)

    def take_turn(self, cnonce: str) -> DigestTurn:
        """The numbers of the next request; nobody else gets the same."""
        use = self.uses[self.nonce] = self.uses.pop(self.nonce)  # the latest stands last
        while len(self.uses) > _NONCES_KEPT:
            del self.uses[next(iter(self.uses))]
        use.count += 1
        # The cnonce of a session is that of its beginning: servers that do not keep it read it from here.
        in_session = self.challenge is not None and self.challenge.is_session
        return DigestTurn(self.nonce, use.count, use.session[1] if in_session else cnonce, use.session)


class DigestMemory:
    """What one auth object has learned of every origin, for all the threads that it serves.

    Each origin has a space of its own, so that the nonce of one never goes to another.
    """

    def __init__(self) -> None:
        self.start_afresh()
        _memories.add(self)

    def start_afresh(self) -> None:
        """Know nothing: at the beginning, and in the child of a fork, whose parent goes on counting (L4)."""
        # Guards _spaces, and all that is in them. It lets the thread that has it in once more, for the sake
        # of finalizers and signal handlers that strike there and send a request.
        self._lock = threading.RLock()
        self._spaces: dict[Origin, ProtectionSpace] = {}

    def answer(
        self, origin: Origin, challenge: DigestChallenge, prefixes: tuple[str, ...]
    ) -> tuple[DigestChallenge, DigestTurn]:
        """Remember a challenge, and take the turn that answers it."""
        cnonce = _new_cnonce()
        with self._lock:
            space = self._spaces[origin] = self._spaces.pop(
                origin, ProtectionSpace()
            )  # the latest stands last
            while len(self._spaces) > _ORIGINS_KEPT:
                del self._spaces[next(iter(self._spaces))]
            space.accept(challenge, prefixes, cnonce)
            return challenge, space.take_turn(cnonce)

    def sign_ahead(self, origin: Origin, target: str) -> tuple[DigestChallenge, DigestTurn] | None:
        """The challenge that a request is going to meet, and a turn that answers it; None if not known."""
        with self._lock:
            space = self._spaces.get(origin)
            if space is None or space.challenge is None or not space.covers(target):
                return None
            return space.challenge, space.take_turn(_new_cnonce())

    def move_on(self, origin: Origin, used: str, following: str) -> None:
        """See `ProtectionSpace.move_on`."""
        with self._lock:
            if origin in self._spaces:
                self._spaces[origin].move_on(used, following)

    def forget(self, origin: Origin, refused: str) -> None:
        """See `ProtectionSpace.forget`."""
        with self._lock:
            if origin in self._spaces:
                self._spaces[origin].forget(refused)


_memories: weakref.WeakSet[DigestMemory] = weakref.WeakSet()


def _start_memories_afresh() -> None:
    for memory in list(_memories):
        memory.start_afresh()


after_fork_in_child(_start_memories_afresh)


def _new_cnonce() -> str:
    return secrets.token_urlsafe(_CNONCE_BYTES)


def place_of(url: str) -> tuple[Origin, str]:
    """The origin of a URL, and its target; where only a mounted adapter knows the scheme, by its looks."""
    if urls.is_http(url):
        parsed = urls.parse(url)
        return parsed.origin, parsed.target
    scheme, _, rest = url.partition("#")[0].partition("://")
    authority, _, path = rest.partition("/")
    return (scheme.lower(), authority.lower(), None), f"/{path}"


def prefixes_of_domain(url: str, domain: str) -> tuple[str, ...]:
    """What the targets begin with that a challenge is going to cover (RFC 7616, section 3.3, "domain").

    Without one it covers all of its origin. Members at other origins are left out: a server could name there
    whom it likes, and nonces stay where they came from.
    """
    members = domain.split()
    if not members or not urls.is_http(url):
        return ("",)
    asked = urls.parse(url)
    prefixes = []
    for member in members:
        try:
            covered = urls.parse(urls.join(asked, member))
        except RequestException:
            continue
        if covered.origin == asked.origin:
            prefixes.append(covered.target)
    return tuple(prefixes)
