"""Digest (RFC 7616): how challenges are read, what answers them, and the conversation on the wire.

The servers here verify each answer by formulas written from the RFC, which share nothing with ours; httpbin
and Flask-HTTPAuth verify it by theirs.
"""

from __future__ import annotations

import copy
import hashlib
import io
import itertools
import os
import pickle
import signal
import sys
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from urllib.request import parse_http_list, parse_keqv_list

import flask
import flask_httpauth  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server

import pystickyhttp
from pystickyhttp import PreparedRequest, Request, Response, Session
from pystickyhttp import digest as digest_module
from pystickyhttp.adapters import BaseAdapter, HTTPAdapter
from pystickyhttp.auth import HTTPDigestAuth
from pystickyhttp.digest import (
    Challenge,
    DigestChallenge,
    DigestTurn,
    choose_challenge,
    digest_credentials,
    parse_challenges,
    parse_parameters,
)
from pystickyhttp.exceptions import InvalidHeader, UnrewindableBodyError
from tests.servers import wire
from tests.servers.real import RealServer
from tests.servers.scripted import Peer, ScriptedServer, keep_alive, respond

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

DEADLINE = 30.0
THREADS = 16

HASHES: dict[str, Callable[[bytes], Any]] = {
    "MD5": hashlib.md5,
    "SHA": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-512": hashlib.sha512,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}
ALGORITHMS = [name + suffix for name in HASHES for suffix in ("", "-sess")]


# --- reading challenges (RFC 9110, section 11.6.1)


@pytest.mark.parametrize(
    ("lines", "challenges"),
    [
        ([], []),
        ([""], []),
        (["Basic"], [Challenge("basic")]),
        (["NEGOTIATE abc=="], [Challenge("negotiate")]),
        (['Basic realm="simple"'], [Challenge("basic", {"realm": "simple"})]),
        # The example of the section.
        (
            ['Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""'],
            [
                Challenge("basic", {"realm": "simple"}),
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
            ],
        ),
        (
            ["Negotiate", 'NTLM, Digest realm="r" , nonce="n"', "Token a/b+c=,,Basic realm = r"],
            [
                Challenge("negotiate"),
                Challenge("ntlm"),
                Challenge("digest", {"realm": "r", "nonce": "n"}),
                Challenge("token"),
                Challenge("basic", {"realm": "r"}),
            ],
        ),
        (
            ['Digest realm="a, b = \\\\c", qop="auth,auth-int", NONCE="=="'],
            [Challenge("digest", {"realm": "a, b = \\c", "qop": "auth,auth-int", "nonce": "=="})],
        ),
        # Two lines are one list; what precedes all schemes belongs to none.
        (['a=b, Digest realm="r"', 'nonce="n"'], [Challenge("digest", {"realm": "r", "nonce": "n"})]),
        # What none may send, and some do: values without their quotes, names that come twice, no end.
        (['Digest nonce=a/b==, nonce="c"'], [Challenge("digest", {"nonce": "a/b=="})]),
        (['Digest realm="r", nonce="open, Basic a=b'], [Challenge("digest", {"realm": "r"})]),
        (['Digest realm="r\\', "Basic", "a=b"], [Challenge("digest"), Challenge("basic", {"a": "b"})]),
        (['Digest realm="a" nonce="b", "", =x, opaque="o"'], [Challenge("digest", {"opaque": "o"})]),
        (['Digest realm="'], [Challenge("digest")]),
        # Bytes are kept, be they read as latin-1 or, by adapters of others, as UTF-8.
        (['Digest realm="\xc3\xa4"'], [Challenge("digest", {"realm": "\xc3\xa4"})]),
        (['Digest realm="\u2603"'], [Challenge("digest", {"realm": "\xe2\x98\x83"})]),
    ],
)  # fmt: skip
def test_challenges_are_read_from_one_field_or_several(lines: list[str], challenges: list[Challenge]) -> None:
    assert parse_challenges(lines) == challenges


tokens = st.from_regex(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", fullmatch=True).map(str.lower)
texts = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"))
parameters = st.dictionaries(tokens, texts, max_size=4)
# With what a scheme may have in the place of parameters, and Digest has no use for.
challenge_lists = st.lists(
    st.one_of(
        st.tuples(st.builds(Challenge, tokens, parameters), st.just("")),
        st.tuples(st.builds(Challenge, tokens), st.from_regex(r"[A-Za-z0-9\-._~+/]+=*", fullmatch=True)),
    )
)


def written(challenge: Challenge, token68: str) -> str:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in challenge.params.values())
    params = ", ".join(f'{name}="{value}"' for name, value in zip(challenge.params, quoted, strict=True))
    return f"{challenge.scheme} {token68 or params}".rstrip()


@unhurried
@given(challenge_lists, st.booleans())
def test_what_is_well_formed_is_read_as_it_was_written(
    challenges: list[tuple[Challenge, str]], in_one: bool
) -> None:
    lines = [written(*challenge) for challenge in challenges]
    expected = [challenge for challenge, _ in challenges]
    assert parse_challenges([", ".join(lines)] if in_one else lines) == expected


@unhurried
@given(
    st.lists(st.one_of(st.text(), st.text(st.sampled_from('aD=", \\\t')), st.text(st.sampled_from('",\\'))))
)
@example(["\ud800"])
@example(['Digest realm="' + '\\"' * 20_000])
@example(['"' * 20_001])
@example(["\\" * 20_000])
@example(["a" * 20_000 + '="' + "b" * 20_000])
@example(["a " * 20_000])
@example(["a, " * 20_000])
@example([" " * 20_000 + "=" + "\t" * 20_000])
def test_no_field_makes_the_reader_raise_or_hang(lines: list[str]) -> None:
    challenges = parse_challenges(lines)
    choose_challenge(challenges)
    parse_parameters(lines)
    for challenge in challenges:
        for value in (challenge.scheme, *challenge.params, *challenge.params.values()):
            value.encode("latin-1")


def digest(**params: str) -> Challenge:
    return Challenge("digest", {"realm": "r", "nonce": "n", **params})


@pytest.mark.parametrize(
    ("offered", "algorithm"),
    [
        (["MD5", "SHA-256"], "SHA-256"),
        (["SHA-256", "MD5"], "SHA-256"),
        (["MD5-sess", "MD5"], "MD5-sess"),
        (["SHA-256", "SHA-512-256-sess", "SHA"], "SHA-512-256-sess"),
        (["SHA-512-256", "SHA-512"], "SHA-512"),
        (["SHA", "MD5"], "SHA"),
        (["SHA3-256", "md5"], "md5"),
        (["SHA3-256", "-sess", ""], None),
    ],
)
def test_the_strongest_challenge_that_can_be_answered_is_chosen(
    offered: list[str], algorithm: str | None
) -> None:
    """RFC 7616, section 3.7; section 3.3: of an algorithm that is not understood the challenge is ignored."""
    chosen = choose_challenge(digest(algorithm=name) for name in offered)
    assert (chosen and chosen.algorithm) == algorithm


@pytest.mark.parametrize(
    ("qop", "chosen"),
    [
        ("auth", "auth"),
        ("auth-int", "auth-int"),
        ("auth-int,auth", "auth"),
        ("AUTH-INT", "auth-int"),
        ("token, auth-int", "auth-int"),
        ("", None),
    ],
)
def test_of_the_qualities_of_protection_auth_goes_first(qop: str, chosen: str | None) -> None:
    """RFC 7616, section 3.3."""
    challenge = choose_challenge([digest(qop=qop)])
    assert challenge is not None
    assert challenge.qop == chosen


def test_a_challenge_that_cannot_be_answered_is_none() -> None:
    """RFC 7616, section 3.3."""
    for useless in (
        digest(qop="token"),
        Challenge("digest", {"realm": "r"}),
        Challenge("digest", {"nonce": "n"}),
        Challenge("digest"),
        Challenge("basic", {"realm": "r", "nonce": "n"}),
    ):
        assert choose_challenge([useless]) is None
        assert choose_challenge([useless, digest(opaque="this")]) == DigestChallenge(
            "r", "n", "md5", opaque="this"
        )


@pytest.fixture
def no_sha512_256(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An OpenSSL that does not have it."""
    new = hashlib.new

    def poor(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sha512_256":
            raise ValueError(f"unsupported hash type {name}")
        return new(name, *args, **kwargs)

    digest_module._is_there.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "new", poor)
        yield
    digest_module._is_there.cache_clear()


@pytest.mark.usefixtures("no_sha512_256")
def test_a_hash_that_openssl_lacks_is_not_supported() -> None:
    chosen = choose_challenge([digest(algorithm="SHA-512-256"), digest(algorithm="SHA-256")])
    assert chosen is not None
    assert chosen.algorithm == "SHA-256"


# --- answers, pure


def answer_of(value: str) -> dict[str, str]:
    """The parameters of an Authorization, which have to be quoted where RFC 7616, section 3.4, says so."""
    scheme, _, rest = value.partition(" ")
    assert scheme == "Digest"
    raw = dict(part.split("=", 1) for part in parse_http_list(rest))
    unquoted = {name for name, text in raw.items() if not text.startswith('"')}
    assert unquoted <= {"algorithm", "qop", "nc", "userhash", "username*"}
    assert set(raw) - unquoted <= {"username", "realm", "nonce", "uri", "response", "opaque", "cnonce"}
    return parse_keqv_list(parse_http_list(rest))


def answer(
    challenge: str, username: str | bytes, password: str | bytes, target: str, cnonce: str, **more: Any
) -> dict[str, str]:
    chosen = choose_challenge(parse_challenges([challenge]))
    assert chosen is not None
    turn = DigestTurn(chosen.nonce, 1, cnonce, (chosen.nonce, cnonce))
    return answer_of(digest_credentials(chosen, turn, username, password, "GET", target, **more))


MUFASA = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert answer(MUFASA.format(algorithm), "Mufasa", "Circle of Life", "/dir/index.html", cnonce) == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "algorithm": algorithm,
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": cnonce,
        "qop": "auth",
        "response": response,
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }


def test_the_example_of_rfc_7616_section_3_9_2_with_its_erratum() -> None:
    """Erratum 4897: the RFC's own values are those of SHA-512, cut short; SHA-512/256 is another function."""
    challenge = (
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
    )
    name, cnonce = "J\u00e4s\u00f8n Doe", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    hashed = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    response = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert hashed == H("SHA-512-256", f"{name}:api@example.org".encode())
    for form in ("NFC", "NFD"):  # section 4: the accents are composed
        got = answer(challenge, unicodedata.normalize(form, name), "Secret, or not?", "/doe.json", cnonce)
        assert (got["username"], got["response"], got["userhash"]) == (hashed, response, "true")

    def cut_short(text: str) -> str:
        return hashlib.sha512(text.encode()).hexdigest()[:64]

    secret = cut_short(f"{name}:api@example.org:Secret, or not?")
    middle = f"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK:00000001:{cnonce}:auth"
    assert cut_short(f"{secret}:{middle}:{cut_short('GET:/doe.json')}").startswith(
        "ae66e67d6b427bd3f120414a82e4"
    )


def test_the_example_of_rfc_2617() -> None:
    """RFC 2617, section 3.5."""
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    got = answer(challenge, "Mufasa", "Circle Of Life", "/dir/index.html", "0a4f113b")
    assert got["response"] == "6629fae49393a05397450978507c4ef1"
    assert "algorithm" not in got


def test_the_example_of_rfc_2069_with_its_erratum() -> None:
    """RFC 2069, section 2.4: no qop, and so neither count nor cnonce (erratum 749 has the right value)."""
    challenge = (
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    got = answer(challenge, "Mufasa", "CircleOfLife", "/dir/index.html", "not sent")
    assert got["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert set(got) == {"username", "realm", "nonce", "uri", "response", "opaque"}


SIMPLE = 'Digest realm="r", nonce="n", qop="auth"'


def test_quotes_and_backslashes_are_escaped_on_the_wire_and_not_in_the_hash() -> None:
    challenge = 'Digest realm="a \\"b\\" \\\\c", nonce="n\\"", opaque="\\\\", qop="auth"'
    got = answer(challenge, 'DOMAIN\\us"er', "word", "/", "c")
    assert (got["username"], got["realm"], got["nonce"]) == ('DOMAIN\\us"er', 'a "b" \\c', 'n"')
    assert got["opaque"] == "\\"
    secret = H("MD5", b'DOMAIN\\us"er:a "b" \\c:word')
    assert got["response"] == H("MD5", f'{secret}:n":00000001:c:auth:{H("MD5", b"GET:/")}'.encode())


@pytest.mark.parametrize("name", ["us\r\ner", "us\ner", "us\0er", "us\x7fer"])
def test_a_name_with_a_control_character_is_refused(name: str) -> None:
    """X7."""
    with pytest.raises(InvalidHeader, match="username of Digest auth"):
        answer(SIMPLE, name, "word", "/", "c")


@pytest.mark.parametrize("value", [None, 7])
def test_credentials_of_another_type_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="password of Digest auth"):
        answer(SIMPLE, "user", value, "/", "c")


def test_a_name_outside_ascii_goes_as_utf_8_and_extended_where_the_server_knows_how() -> None:
    """RFC 7616, section 3.4; the notation is that of RFC 8187, section 3.2."""
    name = "Jäsøn D'oe \u2603"
    announced = answer(f"{SIMPLE}, charset=utf-8", name, "word", "/", "c")
    assert announced["username*"] == "UTF-8''J%C3%A4s%C3%B8n%20D%27oe%20%E2%98%83"
    assert "username" not in announced
    silent = answer(SIMPLE, name, "word", "/", "c")
    assert silent["username"].encode("latin-1").decode() == name
    assert "username*" not in silent
    assert silent["response"] == announced["response"]
    assert answer(f"{SIMPLE}, charset=UTF-8", "plain", "word", "/", "c")["username"] == "plain"


def test_accents_are_composed_where_the_server_says_utf_8_and_nowhere_else() -> None:
    """RFC 7616, section 4."""
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "J\u00e4s\u00f8n")
        announced = answer(f"{SIMPLE}, charset=UTF-8", name, "word", "/", "c")
        assert announced["username*"] == "UTF-8''J%C3%A4s%C3%B8n"
        silent = answer(SIMPLE, name, "word", "/", "c")
        assert silent["username"].encode("latin-1").decode() == name


def test_bytes_are_credentials_as_they_are() -> None:
    got = answer(SIMPLE, b"J\xe4s\xf8n", b"w\xf6rd", "/", "c")
    assert got["username"].encode("latin-1") == b"J\xe4s\xf8n"
    secret = H("MD5", b"J\xe4s\xf8n:r:w\xf6rd")
    assert got["response"] == H("MD5", f"{secret}:n:00000001:c:auth:{H('MD5', b'GET:/')}".encode())


# --- a server that verifies


def H(algorithm: str, data: bytes) -> str:  # noqa: N802 - the RFC calls it so
    hashed: str = HASHES[algorithm.removesuffix("-sess")](data).hexdigest()
    return hashed


def join(*parts: str | bytes) -> bytes:
    return b":".join(part.encode("latin-1") if isinstance(part, str) else part for part in parts)


@dataclass
class Guard:
    """The server's side of Digest, from RFC 7616; its `handle` answers the requests of a ScriptedServer.

    A nonce serves for `uses` requests, and its last answer is then refused as stale, or, with `announces`,
    the next nonce is announced ahead of that. With `one_nonce` every challenge has the same.
    """

    username: str = "Mufasa"
    password: str = "Circle of Life"
    realm: str = 'http-auth@example.org, "the lions"'
    algorithm: str | None = "SHA-256"
    qop: str | None = "auth"
    userhash: bool = False
    charset: str | None = None
    opaque: str | None = 'FQhe/q"aU'
    uses: int | None = None
    announces: bool = False
    one_nonce: bool = False
    more: list[tuple[str, str]] = field(default_factory=list)  # fields of the challenging response
    open_to: tuple[str, ...] = ()  # targets that are not protected

    def __post_init__(self) -> None:
        self.answers: list[dict[str, str]] = []
        self.refusals: list[str] = []
        self._lock = threading.Lock()  # guards all of these
        self._numbers = itertools.count()
        self._counts: dict[str, list[int]] = {}  # by nonce
        self._sessions: dict[str, tuple[str, str]] = {}  # by nonce: that and the cnonce it began with

    def _hash(self, *parts: str | bytes) -> str:
        return H(self.algorithm or "MD5", join(*parts))

    # -- challenging

    def _new_nonce(self) -> str:
        nonce = f"nonce/{0 if self.one_nonce else next(self._numbers)}=="
        self._counts.setdefault(nonce, [])
        return nonce

    def challenge(self, stale: bool = False) -> str:
        def quoted(text: str) -> str:
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

        params = {
            "realm": quoted(self.realm),
            "nonce": quoted(self._new_nonce()),
            "qop": self.qop and quoted(self.qop),
            "opaque": self.opaque and quoted(self.opaque),
            "algorithm": self.algorithm,
            "charset": self.charset,
            "userhash": "true" if self.userhash else None,
            "stale": "TRUE" if stale else None,
        }
        return "Digest " + ", ".join(f"{name}={value}" for name, value in params.items() if value is not None)

    def handle(self, request: wire.Request) -> bytes:
        with self._lock:
            return self._handle(request)

    def _handle(self, request: wire.Request) -> bytes:
        if request.target in self.open_to:
            assert request.header("Authorization") is None
            return respond(b"open")
        if request.header("Authorization") is None:
            return self._refuse("who?")
        answer = answer_of(request.header("Authorization") or "")
        self.answers.append(answer)
        problem = self._problem(answer, request)
        if problem is not None:
            return self._refuse(problem)
        seen = self._counts[answer["nonce"]]
        if self.uses is not None and len(seen) > self.uses:
            return self._refuse("stale")
        fields = []
        if self.announces and len(seen) == self.uses:
            following = self._new_nonce()
            if answer["nonce"] in self._sessions:
                self._sessions[following] = self._sessions[answer["nonce"]]
            fields.append(("Authentication-Info", f'rspauth="", nextnonce="{following}"'))
        return respond(b"come in: " + request.body, headers=fields)

    def _refuse(self, problem: str) -> bytes:
        self.refusals.append(problem)
        challenge = self.challenge(stale=problem == "stale")
        fields = [*self.more, ("WWW-Authenticate", challenge)]
        return respond(b"no entry", status=401, headers=fields)

    # -- verifying (RFC 7616, section 3.4)

    def _problem(self, answer: dict[str, str], request: wire.Request) -> str | None:
        nonce = answer["nonce"]
        count = int(answer.get("nc", "0"), 16)
        if nonce not in self._counts:
            return "a nonce that I did not give out"
        if self.qop is not None and count in self._counts[nonce]:
            return f"a replay of {nonce} {count}"
        assert (answer["realm"], answer["uri"]) == (self.realm, request.target)
        assert answer.get("opaque") == self.opaque
        assert answer.get("algorithm") == self.algorithm
        assert answer.get("qop") == (None if self.qop is None else self.qop.partition(",")[0])
        self._check_name(answer)
        if answer["response"] != self._expected(answer, request):
            return "wrong"
        self._counts[nonce].append(count)
        return None

    def _check_name(self, answer: dict[str, str]) -> None:
        name = self.username.encode()
        assert answer.get("userhash", "false") == ("true" if self.userhash else "false")
        if self.userhash:
            assert answer["username"] == self._hash(name, self.realm)
        elif "username*" in answer:
            assert self.charset is not None
            assert not name.isascii()
            assert unquote(answer["username*"].removeprefix("UTF-8''")).encode() == name
        else:
            assert answer["username"].encode("latin-1") == name

    def _expected(self, answer: dict[str, str], request: wire.Request) -> str:
        a1 = self._hash(self.username.encode(), self.realm, self.password.encode())
        if (self.algorithm or "").endswith("-sess"):
            begun = self._sessions.setdefault(answer["nonce"], (answer["nonce"], answer["cnonce"]))
            a1 = self._hash(a1, *begun)
        if self.qop is None:
            return self._hash(a1, answer["nonce"], self._hash(request.method, request.target))
        a2 = [request.method, request.target]
        if answer["qop"] == "auth-int":
            a2.append(self._hash(request.body))
        middle = (answer["nonce"], answer["nc"], answer["cnonce"], answer["qop"])
        return self._hash(a1, *middle, self._hash(*a2))

    def numbers(self) -> list[tuple[str, int]]:
        """Nonce and count of each answer, in the order in which they came."""
        return [(answer["nonce"], int(answer["nc"], 16)) for answer in self.answers]


def guarded(guard: Guard) -> ScriptedServer:
    return ScriptedServer(keep_alive(guard.handle))


@pytest.fixture
def lion() -> HTTPDigestAuth:
    return HTTPDigestAuth("Mufasa", "Circle of Life")


# --- the conversation


@pytest.mark.parametrize("userhash", [False, True], ids=["plain name", "userhash"])
@pytest.mark.parametrize("qop", [None, "auth", "auth-int", "auth,auth-int"])
@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
def test_every_algorithm_by_every_qop_is_answered_once_and_known_from_then_on(
    algorithm: str | None, qop: str | None, userhash: bool, lion: HTTPDigestAuth, session: Session
) -> None:
    """RFC 7616, section 3.4, and RFC 2069 without a qop."""
    guard = Guard(algorithm=algorithm, qop=qop, userhash=userhash)
    with guarded(guard) as server:
        url = server.url('/a%20b/"c"?q=ä&p=%22')
        first = session.post(url, data=b"body", auth=lion)
        second = session.put(url, data="bödy", auth=lion)
        third = session.get(url, auth=lion)
        assert [first.content, second.content, third.content] == [
            b"come in: body",
            b"come in: b\xc3\xb6dy",
            b"come in: ",
        ]
        assert guard.refusals == ["who?"]
        assert [response.status_code for response in first.history] == [401]
        assert first.history[0].content == b"no entry"
        assert second.history == []
        assert server.accepted == 1  # R5: the 401 leaves its connection to the answer
    if qop is not None:
        assert guard.numbers() == [("nonce/0==", 1), ("nonce/0==", 2), ("nonce/0==", 3)]


@pytest.mark.parametrize("charset", [None, "UTF-8"])
def test_a_name_outside_ascii_comes_in(charset: str | None, session: Session) -> None:
    """RFC 7616, section 4."""
    guard = Guard(username="Jäsøn D'oe \u2603", password="geh\u00e4im", charset=charset)
    with guarded(guard) as server:
        decomposed = "geha\u0308im" if charset else "geh\u00e4im"
        response = session.get(server.url(), auth=HTTPDigestAuth("Jäsøn D'oe \u2603", decomposed))
        assert response.status_code == 200
        assert ("username*" in guard.answers[0]) == (charset is not None)


def test_wrong_credentials_give_back_the_second_401_after_two_requests(session: Session) -> None:
    guard = Guard()
    wrong = HTTPDigestAuth("Mufasa", "Circle of Death")
    with guarded(guard) as server:
        for number in (1, 2):
            response = session.get(server.url(), auth=wrong)
            assert response.status_code == 401
            assert response.content == b"no entry"
            assert [earlier.status_code for earlier in response.history] == [401]
            assert guard.refusals == ["who?", "wrong"] * number  # nothing is signed ahead by what was refused
        wrong.password = "Circle of Life"
        assert session.get(server.url(), auth=wrong).status_code == 200


def test_a_stale_nonce_costs_one_more_request(lion: HTTPDigestAuth, session: Session) -> None:
    """RFC 7616, section 3.3."""
    guard = Guard(uses=2)
    with guarded(guard) as server:
        histories = [len(session.get(server.url(), auth=lion).history) for _ in range(5)]
    assert histories == [1, 0, 1, 0, 1]
    assert guard.refusals == ["who?", "stale", "stale"]


def test_an_answer_that_is_stale_at_once_is_made_anew_once_and_no_more(
    lion: HTTPDigestAuth, session: Session
) -> None:
    """RFC 7616, section 3.3."""
    nonces = map(str, itertools.count())

    def always_stale(_: wire.Request) -> bytes:
        field = ("WWW-Authenticate", f'Digest realm="r", nonce="{next(nonces)}", qop="auth", stale="TRUE"')
        return respond(status=401, headers=[field])

    with ScriptedServer(keep_alive(always_stale)) as server:
        response = session.get(server.url(), auth=lion)
        assert response.status_code == 401
        assert [earlier.status_code for earlier in response.history] == [401, 401]
        sent = [request.header("Authorization") for request in server.requests]
    assert sent[0] is None
    assert [answer_of(value or "")["nonce"] for value in sent[1:]] == ["0", "1"]


@pytest.mark.parametrize("algorithm", ["SHA-256", "SHA-256-sess"])
def test_the_nonce_that_is_announced_next_is_used_next(
    algorithm: str, lion: HTTPDigestAuth, session: Session
) -> None:
    """RFC 7616, section 3.5; section 3.4.2: a session goes on, with the numbers that it began with."""
    guard = Guard(algorithm=algorithm, uses=1, announces=True)
    with guarded(guard) as server:
        for _ in range(4):
            assert session.get(server.url(), auth=lion).status_code == 200
    assert guard.refusals == ["who?"]
    assert guard.numbers() == [("nonce/0==", 1), ("nonce/1==", 1), ("nonce/2==", 1), ("nonce/3==", 1)]


def in_threads(work: Callable[[int], None]) -> None:
    together = threading.Barrier(THREADS)

    def begin(number: int) -> None:
        together.wait(DEADLINE)
        work(number)

    with ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(begin, number) for number in range(THREADS)]:
            done.result(2 * DEADLINE)


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5-sess"])
@pytest.mark.parametrize(
    "guard", [{"one_nonce": True}, {}, {"uses": 3}, {"uses": 3, "announces": True}], ids=str
)
def test_no_two_threads_ever_send_the_same_count_with_the_same_nonce(
    algorithm: str, guard: dict[str, Any], lion: HTTPDigestAuth, session: Session
) -> None:
    """RFC 7616, section 3.4: else the second is a replay."""
    strict = Guard(algorithm=algorithm, **guard)
    refused = Counter[int]()
    with guarded(strict) as server:

        def ask(thread: int) -> None:
            for number in range(10):
                data = f"{thread} {number}".encode()
                response = session.post(server.url(), data=data, auth=lion, timeout=DEADLINE)
                if response.status_code == 200:
                    assert response.content == b"come in: " + data
                refused[response.status_code] += 1

        in_threads(ask)
    numbers = strict.numbers()
    assert len(set(numbers)) == len(numbers)
    assert set(strict.refusals) <= {"who?", "stale"}
    by_nonce: dict[str, set[int]] = {}
    for nonce, count in numbers:
        by_nonce.setdefault(nonce, set()).add(count)
    for counts in by_nonce.values():
        assert counts == set(range(1, len(counts) + 1))
    if "uses" not in guard:  # a nonce that all threads use up at once may be stale twice over
        assert refused == {200: 160}


def test_counts_increase_strictly_within_one_thread(lion: HTTPDigestAuth, session: Session) -> None:
    guard = Guard()
    with guarded(guard) as server:
        for number in range(20):
            session.get(server.url(f"/{number}"), auth=lion)
    assert guard.numbers() == [("nonce/0==", count) for count in range(1, 21)]
    assert len({answer["cnonce"] for answer in guard.answers}) == 20


@pytest.mark.parametrize("ahead", [False, True], ids=["challenged", "signed ahead"])
def test_no_two_threads_take_the_same_turn(ahead: bool) -> None:
    """The same, with the threads changing as often as they can."""
    memory = digest_module.DigestMemory()
    challenge = DigestChallenge("r", "n", "md5")
    origin = ("http", "h.example", 80)
    memory.answer(origin, challenge, ("",))
    taken: list[list[int]] = [[] for _ in range(THREADS)]

    def take(thread: int) -> None:
        for _ in range(3000):
            known = memory.sign_ahead(origin, "/") if ahead else memory.answer(origin, challenge, ("",))
            assert known is not None
            taken[thread].append(known[1].count)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        in_threads(take)
    finally:
        sys.setswitchinterval(interval)
    counts = sorted(itertools.chain(*taken))
    assert counts == list(range(2, 2 + 3000 * THREADS))
    assert all(own == sorted(own) for own in taken)


def test_a_nonce_that_comes_back_is_counted_on(lion: HTTPDigestAuth, session: Session) -> None:
    """A server may give out the nonces of its clock, and two of them in turns."""
    nonces = itertools.cycle("aab")

    def handle(request: wire.Request) -> bytes:
        if request.target == "/refused" or request.header("Authorization") is None:
            field = ("WWW-Authenticate", f'Digest realm="r", nonce="{next(nonces)}", qop="auth"')
            return respond(status=401, headers=[field])
        return respond(b"")

    with ScriptedServer(keep_alive(handle)) as server:
        for _ in range(9):
            session.get(server.url("/refused"), auth=lion)
        sent = [request.header("Authorization") for request in server.requests]
    answers = [answer_of(value) for value in sent if value is not None]
    numbers = [(answer["nonce"], answer["nc"]) for answer in answers]
    assert len(numbers) == len(set(numbers)) == 9
    assert {nonce for nonce, _ in numbers} == {"a", "b"}


def test_a_late_announcement_of_a_nonce_changes_nothing(lion: HTTPDigestAuth, session: Session) -> None:
    """RFC 7616, section 3.5: what it announces others have used by then."""
    announced = {"/1": "b", "/2": "c"}

    def handle(request: wire.Request) -> bytes:
        if request.header("Authorization") is None:
            field = ("WWW-Authenticate", 'Digest realm="r", nonce="a", qop="auth"')
            return respond(status=401, headers=[field])
        following = announced.get(request.target)
        info = [] if following is None else [("Authentication-Info", f"nextnonce={following}")]
        return respond(b"", headers=info)

    with ScriptedServer(keep_alive(handle)) as server:
        session.get(server.url("/0"), auth=lion)
        early = session.prepare_request(Request("GET", server.url("/2"), auth=lion))
        session.get(server.url("/1"), auth=lion)
        session.get(server.url("/"), auth=lion)
        session.send(early)
        session.get(server.url("/"), auth=lion)
        sent = [answer_of(request.header("Authorization") or "") for request in server.requests[1:]]
    assert [(answer["nonce"], int(answer["nc"], 16)) for answer in sent] == [
        ("a", 1),
        ("a", 3),
        ("b", 1),
        ("a", 2),
        ("b", 2),
    ]


def test_a_late_refusal_of_a_nonce_does_not_make_the_next_one_forgotten(
    lion: HTTPDigestAuth, session: Session
) -> None:
    guard = Guard()

    def handle(request: wire.Request) -> bytes:
        return respond(status=401) if request.target == "/closed" else guard.handle(request)

    with ScriptedServer(keep_alive(handle)) as server:
        session.get(server.url(), auth=lion)
        early = session.prepare_request(Request("GET", server.url("/closed"), auth=lion))
        guard.uses = 1
        session.get(server.url(), auth=lion)  # whose nonce has run out, and was replaced
        guard.uses = None
        session.send(early)
        session.get(server.url(), auth=lion)
        assert guard.refusals == ["who?", "stale"]


def test_an_announcement_of_nothing_is_none(lion: HTTPDigestAuth, session: Session) -> None:
    guard = Guard()

    def handle(request: wire.Request) -> bytes:
        return guard.handle(request).replace(b"OK\r\n", b'OK\r\nAuthentication-Info: nextnonce=""\r\n')

    with ScriptedServer(keep_alive(handle)) as server:
        for _ in range(3):
            session.get(server.url(), auth=lion)
    assert guard.refusals == ["who?"]


# --- challenges on the wire


WEAK = ("WWW-Authenticate", 'Digest realm="r", nonce="weak", qop="auth", algorithm=MD5')
BASIC = ("WWW-Authenticate", 'Basic realm="a, b", charset="UTF-8"')
UNKNOWN = ("WWW-Authenticate", 'Digest realm="r", nonce="new", algorithm=SHA3-512, Negotiate, Token abc=')


def test_among_several_challenges_the_strongest_is_answered(lion: HTTPDigestAuth, session: Session) -> None:
    guard = Guard(algorithm="SHA-512-256", more=[BASIC, UNKNOWN, WEAK])
    with guarded(guard) as server:
        assert session.get(server.url(), auth=lion).status_code == 200
        assert guard.answers[0]["algorithm"] == "SHA-512-256"


def test_several_challenges_may_come_in_one_field(lion: HTTPDigestAuth, session: Session) -> None:
    guard = Guard(algorithm="SHA-256")
    ahead = f"{BASIC[1]}, {WEAK[1]}, {UNKNOWN[1]}"

    def in_one(request: wire.Request) -> bytes:
        said = guard.handle(request)
        return said.replace(b"WWW-Authenticate: ", f"WWW-Authenticate: {ahead}, ".encode())

    with ScriptedServer(keep_alive(in_one)) as server:
        assert session.get(server.url(), auth=lion).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [BASIC],
        [UNKNOWN],
        [("WWW-Authenticate", 'Digest realm="r')],
        [("WWW-Authenticate", "Digest")],
        [("WWW-Authenticate", 'Digest realm="r" nonce="n"')],
        [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="token"')],
        [("WWW-Authenticate", ',,="",\\')],
        [("Proxy-Authenticate", 'Digest realm="r", nonce="n"')],
    ],
)
def test_a_401_without_a_challenge_that_can_be_answered_is_returned_as_it_is(
    fields: list[tuple[str, str]], lion: HTTPDigestAuth, session: Session
) -> None:
    with ScriptedServer(keep_alive(lambda _: respond(b"no", status=401, headers=fields))) as server:
        response = session.get(server.url(), auth=lion)
        assert (response.status_code, response.content, response.history) == (401, b"no", [])
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 403, 407])
def test_a_challenge_of_another_status_is_none(status: int, lion: HTTPDigestAuth, session: Session) -> None:
    """RFC 9110, section 11.6.1: there it says only what other credentials might do."""
    with ScriptedServer(keep_alive(lambda _: respond(status=status, headers=[WEAK]))) as server:
        assert session.get(server.url(), auth=lion).status_code == status
        assert len(server.requests) == 1


def test_what_the_domain_does_not_cover_is_not_signed_ahead(lion: HTTPDigestAuth, session: Session) -> None:
    """RFC 7616, section 3.3: URIs of which each covers all that begin with it."""
    guard = Guard(open_to=("/open", "/b", "/secret"))

    def with_domain(request: wire.Request) -> bytes:
        host = request.header("Host")
        domain = f"/a http://{host}/c?x http://other.example/b http://[broken/ //{host}/d"
        return guard.handle(request).replace(b"Digest realm", f'Digest domain="{domain}", realm'.encode())

    with ScriptedServer(keep_alive(with_domain)) as server:
        for path in ("/a", "/a/b", "/abc", "/open", "/b", "/c?x=1", "/c", "/d"):
            assert session.get(server.url(path), auth=lion).status_code == 200
    assert guard.refusals == ["who?", "who?"]  # of /a, which is the first, and of /c


def test_a_redirect_beyond_the_domain_does_not_take_the_answer_along(
    lion: HTTPDigestAuth, session: Session
) -> None:
    """It was made for another target."""
    guard = Guard(open_to=("/open",))

    def handle(request: wire.Request) -> bytes:
        said = guard.handle(request).replace(b"Digest realm", b'Digest domain="/a", realm')
        if request.target == "/open" or b" 401 " in said[:14]:
            return said
        return respond(status=302, headers=[("Location", "/open")])

    with ScriptedServer(keep_alive(handle)) as server:
        for _ in ("challenged", "signed ahead"):
            assert session.get(server.url("/a"), auth=lion).content == b"open"
    assert guard.refusals == ["who?"]


@pytest.mark.parametrize("by_hand", ["Digest = x", "Digest", "Basic abc", b"bytes"])
def test_a_field_by_hand_gives_way_to_the_answer(
    by_hand: str | bytes, lion: HTTPDigestAuth, session: Session
) -> None:
    def handle(request: wire.Request) -> bytes:
        if len((request.header("Authorization") or "").split()) < 8:
            return respond(status=401, headers=[WEAK])
        return respond(b"come in")

    with ScriptedServer(keep_alive(handle)) as server:
        response = session.get(server.url(), auth=lion, headers={"Authorization": by_hand})
        assert response.content == b"come in"
        assert len(server.requests) == 2


def test_a_challenge_may_be_of_more_than_one_protection_space_at_an_origin(
    lion: HTTPDigestAuth, session: Session
) -> None:
    guards = {"/one": Guard(realm="one"), "/two": Guard(realm="two")}

    def handle(request: wire.Request) -> bytes:
        guard = guards[request.target]
        value = request.header("Authorization")
        if value is not None and answer_of(value)["realm"] != guard.realm:
            return respond(status=401, headers=[("WWW-Authenticate", guard.challenge())])
        return guard.handle(request)

    with ScriptedServer(keep_alive(handle)) as server:
        for path in ("/one", "/two", "/one", "/one"):
            assert session.get(server.url(path), auth=lion).status_code == 200


# --- bodies (law P2)


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
@pytest.mark.parametrize("times", [1, 2], ids=["challenged", "signed ahead"])
def test_a_file_is_sent_again_from_where_it_stood(
    qop: str, times: int, tmp_path: Path, lion: HTTPDigestAuth, session: Session
) -> None:
    """P2: and with auth-int hashed from there, and wound back."""
    path = tmp_path / "file"
    path.write_bytes(b"skipped" + b"x" * 200_000)
    with guarded(Guard(qop=qop)) as server:
        for _ in range(times):
            with path.open("rb") as file:
                file.seek(len(b"skipped"))
                response = session.put(server.url(), data=file, auth=lion)
            assert response.status_code == 200
            assert response.content == b"come in: " + b"x" * 200_000
        bodies = [request.body for request in server.requests]
        assert bodies == [b"x" * 200_000] * (times + 1)


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
@pytest.mark.parametrize(
    "body",
    [
        lambda: b"bytes",
        lambda: "t\u00ebxt",
        lambda: {"a": "f\u00f6rm"},
        lambda: io.BytesIO(b"file"),
        lambda: {b"a"},
    ],
    ids=["bytes", "str", "form", "file", "collection"],
)
def test_a_body_that_can_be_read_twice_is(
    qop: str, body: Callable[[], Any], lion: HTTPDigestAuth, session: Session
) -> None:
    with guarded(Guard(qop=qop)) as server:
        assert session.post(server.url(), data=body(), auth=lion).status_code == 200
        first, second = server.requests
        assert first.body == second.body != b""


def pieces() -> Iterator[bytes]:
    yield b"only "
    yield b"once"


class Pipe:
    """A file that can't seek."""

    def __init__(self) -> None:
        self._file = io.BytesIO(b"only once")

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


@pytest.mark.parametrize("body", [pieces, Pipe])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_body_that_can_be_read_only_once_is_an_error_when_it_is_challenged(
    qop: str, body: Callable[[], Any], lion: HTTPDigestAuth, session: Session
) -> None:
    """P2: never an empty body instead."""
    with guarded(Guard(qop=qop)) as server:
        with pytest.raises(UnrewindableBodyError, match="pass bytes, or a file") as caught:
            session.post(server.url(), data=body(), auth=lion)
        assert caught.value.request.method == "POST"
        assert caught.value.response.status_code == 401
        assert len(server.requests) == 1
        # The challenge is known then: what is signed ahead is read once.
        if qop == "auth":
            assert session.post(server.url(), data=body(), auth=lion).content == b"come in: only once"


@pytest.mark.parametrize("body", [pieces, Pipe])
def test_a_body_that_has_to_be_hashed_ahead_and_can_be_read_only_once_is_an_error_that_says_so(
    body: Callable[[], Any], lion: HTTPDigestAuth, session: Session
) -> None:
    """P2, and RFC 7616, section 3.4.3."""
    with guarded(Guard(qop="auth-int")) as server:
        session.get(server.url(), auth=lion)
        untouched = body()
        with pytest.raises(UnrewindableBodyError, match="qop=auth-int"):
            session.post(server.url(), data=untouched, auth=lion)
        assert len(server.requests) == 2
        assert b"".join(untouched if body is pieces else [untouched.read()]) == b"only once"


def test_a_file_whose_upload_the_challenge_cut_short_is_sent_whole(
    lion: HTTPDigestAuth, session: Session
) -> None:
    """X2, and P2: the 401 comes before the body has left."""
    body = b"x" * 20_000_000
    guard = Guard()

    def refuse(peer: Peer) -> None:
        head = peer.read_head()
        peer.send(guard.handle(head).replace(b"401 Unauthorized", b"401 Unauthorized\r\nConnection: close"))
        peer.rst()

    with ScriptedServer([refuse, keep_alive(guard.handle)]) as server:
        response = session.put(server.url(), data=io.BytesIO(body), auth=lion)
        assert response.content == b"come in: " + body
        assert len(server.requests) == 2


def test_an_iterable_that_waited_for_100_is_sent_when_the_challenge_is_answered(
    lion: HTTPDigestAuth, session: Session
) -> None:
    """X3: not a piece of it was taken for the request that was refused."""
    guard = Guard()

    def careful(peer: Peer) -> None:
        request = peer.read_head()
        if request.header("Authorization") is not None:
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.read_body(request)
        peer.send(guard.handle(request))

    with ScriptedServer(careful) as server:
        response = session.post(server.url(), data=pieces(), auth=lion, headers={"Expect": "100-continue"})
        assert response.content == b"come in: only once"


# --- what belongs to whom


def test_the_nonce_of_one_origin_never_goes_to_another(lion: HTTPDigestAuth, session: Session) -> None:
    one, other = Guard(realm="one"), Guard(realm="other")
    with guarded(one) as here, guarded(other) as there:
        for server in (here, there, here, there):
            assert session.get(server.url(), auth=lion).status_code == 200
    assert one.refusals == other.refusals == ["who?"]
    assert {answer["realm"] for answer in one.answers} == {"one"}
    assert {answer["realm"] for answer in other.answers} == {"other"}


def test_what_a_redirect_leads_to_off_the_origin_sees_no_credentials(
    lion: HTTPDigestAuth, session: Session
) -> None:
    """Law on redirects: and its challenge is not answered."""
    away = Guard()
    with guarded(away) as there:
        home = Guard()

        def handle(request: wire.Request) -> bytes:
            said = home.handle(request)
            return said if b" 401 " in said[:14] else respond(status=307, headers=[("Location", there.url())])

        with ScriptedServer(keep_alive(handle)) as here:
            session.get(here.url("/known"), auth=lion, allow_redirects=False)
            for method in ("GET", "POST"):
                response = session.request(method, here.url(), data=b"x", auth=lion)
                assert response.status_code == 401
            session.auth = lion
            assert session.get(here.url()).status_code == 401
        assert [request.header("Authorization") for request in there.requests] == [None] * 3


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_within_the_origin_is_signed_for_its_own_target(
    status: int, lion: HTTPDigestAuth, session: Session
) -> None:
    guard = Guard()

    def handle(request: wire.Request) -> bytes:
        said = guard.handle(request)
        if request.target == "/end" or b" 401 " in said[:14]:
            return said
        return respond(status=status, headers=[("Location", "/end")])

    with ScriptedServer(keep_alive(handle)) as server:
        for _ in range(2):
            response = session.put(server.url("/begin"), data=io.BytesIO(b"body"), auth=lion)
            assert response.content == b"come in: body"
        assert guard.refusals == ["who?"]
        assert [answer["uri"] for answer in guard.answers] == ["/begin", "/end"] * 2
        hooks = response.request.hooks["response"]
        assert len(hooks) == 1


def test_to_apply_it_twice_answers_once(lion: HTTPDigestAuth, session: Session) -> None:
    with guarded(Guard()) as server:
        prepared = session.prepare_request(Request("GET", server.url(), auth=lion))
        for auth in (lion, HTTPDigestAuth("Mufasa", "wrong"), lion):
            prepared.prepare_auth(auth)
        assert len(prepared.hooks["response"]) == 1
        assert session.send(prepared).status_code == 200
        assert len(server.requests) == 2


def test_the_hook_itself_answers_no_other_origin(lion: HTTPDigestAuth, session: Session) -> None:
    """Whoever walks along redirects by hand may have left it in place."""
    with guarded(Guard()) as here, guarded(Guard()) as there:
        prepared = session.prepare_request(Request("GET", here.url(), auth=lion))
        prepared.url = there.url()
        assert session.send(prepared).status_code == 401
        assert len(there.requests) == 1
        prepared.url = here.url()
        assert session.send(prepared).status_code == 200


def test_a_request_that_is_sent_again_gets_an_answer_of_its_own(
    lion: HTTPDigestAuth, session: Session
) -> None:
    guard = Guard()
    with guarded(guard) as server:
        session.get(server.url(), auth=lion)
        prepared = session.prepare_request(Request("GET", server.url(), auth=lion))
        assert [session.send(prepared).status_code for _ in range(3)] == [200] * 3
        assert guard.refusals[0] == "who?"


# --- the session around it


def test_cookies_that_come_with_the_challenge_go_with_the_answer_and_stick(
    lion: HTTPDigestAuth, session: Session
) -> None:
    guard = Guard(more=[("Set-Cookie", "login=begun; Path=/"), ("Set-Cookie", "own=theirs")])
    with guarded(guard) as server:
        session.cookies.set("before", "1", domain="127.0.0.1")
        session.get(server.url(), auth=lion, cookies={"own": "mine"})
        session.get(server.url("/x"), auth=lion)
        sent = [sorted((request.header("Cookie") or "").split("; ")) for request in server.requests]
    assert sent == [
        ["before=1", "own=mine"],
        ["before=1", "login=begun", "own=mine"],
        ["before=1", "login=begun", "own=theirs"],
    ]


def test_a_cookie_by_hand_stays_as_it_is(lion: HTTPDigestAuth, session: Session) -> None:
    guard = Guard(more=[("Set-Cookie", "login=begun")])
    with guarded(guard) as server:
        session.get(server.url(), auth=lion, headers={"Cookie": "by=hand"})
        assert [request.header("Cookie") for request in server.requests] == ["by=hand"] * 2


class Noting(HTTPAdapter):
    """Notes the settings that it was asked to send with."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:  # type: ignore[override]
        self.asked.append(kwargs)
        return super().send(request, **kwargs)


def test_the_answer_is_sent_with_the_settings_of_the_request(lion: HTTPDigestAuth, session: Session) -> None:
    """T1: one deadline, whose clock runs already."""
    adapter = Noting()
    session.mount("http://", adapter)
    with guarded(Guard()) as server:
        with session.get(server.url(), auth=lion, stream=True, timeout=7) as response:
            assert b"".join(response.iter_content(None)) == b"come in: "
    first, second = adapter.asked
    assert first == second
    assert second["stream"] is True
    assert first["timeout"] is second["timeout"]


def test_hooks_of_the_caller_see_the_response_to_the_answer(lion: HTTPDigestAuth, session: Session) -> None:
    seen: list[int] = []

    def note(response: Response, **_: Any) -> None:
        seen.append(response.status_code)

    with guarded(Guard()) as server:
        session.get(server.url(), auth=lion, hooks={"response": note})
    assert seen == [200]


def test_an_answer_that_cannot_be_sent_is_an_error_with_the_401_in_it(
    lion: HTTPDigestAuth, session: Session
) -> None:
    def once(peer: Peer) -> None:
        peer.expect_request()
        peer.send(respond(status=401, headers=[WEAK]))
        peer.expect_request()
        peer.rst()

    def refuse(peer: Peer) -> None:
        peer.rst()

    with ScriptedServer([once, refuse]) as server:
        with pytest.raises(pystickyhttp.ConnectionError) as caught:
            session.post(server.url(), data=b"x", auth=lion)
        assert caught.value.response.status_code == 401
        assert caught.value.request.headers["Authorization"].startswith("Digest ")


class Mocking(BaseAdapter):
    """An adapter of somebody's, for URLs that only it can read; it may not say how to send again."""

    def __init__(self, *, says_who_it_is: bool) -> None:
        self.requests: list[PreparedRequest] = []
        self._says_who_it_is = says_who_it_is

    def send(self, request: PreparedRequest, **_: Any) -> Response:  # type: ignore[override]
        self.requests.append(request)
        response = Response()
        response.request, response.url = request, request.url
        response.status_code = 200 if "Authorization" in request.headers else 401
        response.headers["WWW-Authenticate"] = 'Digest realm="r", nonce="n", qop="auth", domain="/a"'
        response.connection = self if self._says_who_it_is else None
        return response


def test_a_scheme_that_only_an_adapter_knows_can_be_authenticated(
    lion: HTTPDigestAuth, session: Session
) -> None:
    adapter = Mocking(says_who_it_is=True)
    session.mount("mock://", adapter)
    assert session.get("mock://Host/path?q#fragment", auth=lion).status_code == 200
    assert session.get("mock://host/other", auth=lion).history == []
    assert session.get("mock://elsewhere/", auth=lion).status_code == 200
    sent = [request.headers.get("Authorization") for request in adapter.requests]
    assert [value and answer_of(value)["uri"] for value in sent] == [None, "/path?q", "/other", None, "/"]


def test_an_adapter_that_does_not_say_who_it_is_is_asked_again_all_the_same(
    lion: HTTPDigestAuth, session: Session
) -> None:
    session.mount("mock://", Mocking(says_who_it_is=False))
    assert session.get("mock://host/", auth=lion).status_code == 200


def test_a_401_whose_adapter_nobody_knows_is_returned(lion: HTTPDigestAuth) -> None:
    request = lion(Request("GET", "mock://host/").prepare())
    response = Mocking(says_who_it_is=False).send(request)
    assert lion.handle_401(response) is response


# --- the object


def test_a_copy_takes_the_credentials_along_and_nothing_that_was_learned(
    lion: HTTPDigestAuth, session: Session
) -> None:
    guard = Guard()
    with guarded(guard) as server:
        session.get(server.url(), auth=lion)
        for twin in (copy.copy(lion), copy.deepcopy(lion), pickle.loads(pickle.dumps(lion))):
            guard.refusals.clear()
            assert vars(twin).keys() == vars(lion).keys()
            assert session.get(server.url(), auth=twin).status_code == 200
            assert guard.refusals == ["who?"]


def test_a_prepared_request_travels_with_it(lion: HTTPDigestAuth, session: Session) -> None:
    with guarded(Guard()) as server:
        prepared = session.prepare_request(Request("POST", server.url(), data=b"x", auth=lion))
        assert session.send(pickle.loads(pickle.dumps(prepared))).content == b"come in: x"


@pytest.mark.filterwarnings(
    # From 3.12 on Python warns of any fork in a process with threads, and the servers here are threads.
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)
def test_the_child_of_a_fork_learns_anew(lion: HTTPDigestAuth, session: Session) -> None:
    """L4: the parent goes on counting by the nonce that both know, and a thread of it may hold the lock."""
    guard = Guard()
    with guarded(guard) as server:
        session.get(server.url(), auth=lion)
        reader, writer = os.pipe()
        with lion._memory._lock:
            child = os.fork()
            if child == 0:
                signal.alarm(10)  # so that a lock which is never free ends it
                try:
                    os.write(writer, str(session.get(server.url(), auth=lion).status_code).encode())
                finally:
                    os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as told:
            assert told.read() == b"200"
        os.waitpid(child, 0)
        session.get(server.url(), auth=lion)
    numbers = guard.numbers()
    assert numbers == [("nonce/0==", 1), ("nonce/1==", 1), ("nonce/0==", 2)]


def test_what_is_remembered_is_bounded_and_what_is_in_use_stays() -> None:
    memory = digest_module.DigestMemory()
    challenge = DigestChallenge("r", "n", "md5")
    in_use = ("http", "in.use.example", 80)
    for number in range(3000):
        memory.answer(("http", f"{number}.example", 80), challenge, ("",))
        assert memory.answer(in_use, challenge, ("",))[1].count == number + 1
    assert len(memory._spaces) == 1024
    assert memory.sign_ahead(("http", "2999.example", 80), "/") is not None
    assert memory.sign_ahead(("http", "0.example", 80), "/") is None

    space = memory._spaces[in_use]
    for number in range(100):
        for nonce in (str(number), "in use"):
            space.accept(DigestChallenge("r", nonce, "md5"), ("",), "c")
            assert space.take_turn("c").count == (number + 1 if nonce == "in use" else 1)
    assert len(space.uses) == 32


# --- servers of others


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_httpbin_lets_it_in(algorithm: str, qop: str, httpbin_server: RealServer, session: Session) -> None:
    url = f"{httpbin_server.url}/digest-auth/{qop}/user/word/{algorithm}"
    auth = HTTPDigestAuth("user", "word")
    assert session.get(url, auth=auth).json() == {"authenticated": True, "user": "user"}
    again = session.get(url, auth=auth)
    assert (again.status_code, again.history) == (200, [])
    wrong = session.get(url, auth=HTTPDigestAuth("user", "wrong"))
    assert (wrong.status_code, len(wrong.history)) == (401, 1)


def test_httpbin_refuses_what_is_stale_once(httpbin_server: RealServer, session: Session) -> None:
    url = f"{httpbin_server.url}/digest-auth/auth/user/word/MD5/2"
    auth = HTTPDigestAuth("user", "word")
    for _ in range(6):
        assert session.get(url, auth=auth).status_code == 200


@pytest.fixture
def flask_server() -> Iterator[Callable[[str], str]]:
    """Flask-HTTPAuth by algorithm; its nonce is in a cookie of the challenge."""
    app = flask.Flask("digest")
    app.secret_key = "not a secret here"
    for algorithm in ("MD5", "MD5-Sess"):
        guard = flask_httpauth.HTTPDigestAuth(realm="flask", qop="auth", algorithm=algorithm)
        guard.get_password({"user": "word"}.get)
        app.add_url_rule(
            f"/{algorithm}",
            algorithm,
            guard.login_required(lambda guard=guard: guard.username() + flask.request.get_data(as_text=True)),
            methods=["GET", "POST"],
        )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield lambda path: f"http://127.0.0.1:{server.server_port}/{path}"
    server.shutdown()
    thread.join(DEADLINE)
    server.server_close()


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-Sess"])
def test_flask_httpauth_lets_it_in(
    algorithm: str, flask_server: Callable[[str], str], session: Session
) -> None:
    auth = HTTPDigestAuth("user", "word")
    assert session.get(flask_server(algorithm), auth=auth).text == "user"
    assert session.post(flask_server(algorithm), data=b" and body", auth=auth).text == "user and body"
    refused = session.get(flask_server(algorithm), auth=HTTPDigestAuth("user", "wrong"))
    assert (refused.status_code, len(refused.history)) == (401, 1)


# --- what is kept, and shown


def test_news_of_an_origin_that_is_no_longer_remembered_are_passed_over() -> None:
    """Meanwhile so many others have come that it is forgotten."""
    memory = digest_module.DigestMemory()
    origin = ("http", "forgotten.example", 80)
    memory.move_on(origin, "n", "next")
    memory.forget(origin, "n")
    assert memory.sign_ahead(origin, "/") is None


def test_an_answer_for_another_target_goes_where_the_domain_does_not_reach(
    lion: HTTPDigestAuth, session: Session
) -> None:
    """Whoever walks along redirects by hand applies it anew: what it was made for is no longer asked for."""
    guard = Guard(open_to=("/open",))

    def with_domain(request: wire.Request) -> bytes:
        return guard.handle(request).replace(b"Digest realm", b'Digest domain="/a", realm')

    def watching(response: Response, **_: Any) -> None:
        seen.append(response.url)

    seen: list[str] = []
    with ScriptedServer(keep_alive(with_domain)) as server:
        session.get(server.url("/a"), auth=lion)
        asked = Request("GET", server.url("/a"), auth=lion, hooks={"response": watching})
        prepared = session.prepare_request(asked)
        assert "Authorization" in prepared.headers
        prepared.url = server.url("/open")
        prepared.prepare_auth(lion)
        assert "Authorization" not in prepared.headers
        assert session.send(prepared).content == b"open"
        assert seen == [server.url("/open")]


def test_neither_its_hook_nor_a_response_that_travels_shows_the_password(session: Session) -> None:
    auth = HTTPDigestAuth("Mufasa", "Circle Of Life")
    with guarded(Guard()) as server:
        response = session.get(server.url(), auth=auth)
        (hook,) = session.prepare_request(Request("GET", server.url(), auth=auth)).hooks["response"]
    assert "'***'" in repr(hook)
    assert server.host in repr(hook)
    assert "Circle" not in repr(hook)
    travelled = pickle.dumps(response)
    assert b"Circle" not in travelled
    assert pickle.loads(travelled).request.hooks == {"response": []}
