"""Content codings (RFC 9110, section 8.4): gzip, deflate, br, zstd; cut anywhere, one in the other, broken.

Which of the modules for br and zstd is at work depends on what is installed. The tests of the decoding run
in this interpreter with those that are preferred, and once more in a child that does not have them.
"""

from __future__ import annotations

import contextlib
import gzip
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import requests
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pystickyhttp import decoding
from pystickyhttp.decoding import accept_encoding, decoders_for
from pystickyhttp.exceptions import ContentDecodingError
from tests.servers.scripted import ScriptedServer, keep_alive, respond

# The machine that runs the tests may be busy, and how long an example takes is not what is asked here.
unhurried = settings(deadline=None)

Encoder: TypeAlias = Callable[[bytes], bytes]

BROTLI = ["brotli", "brotlicffi"]
# The standard library's is "compression.zstd" over "_zstd", from Python 3.14 on.
STDLIB_ZSTD = ["_zstd", "compression.zstd"]
ZSTD = [*STDLIB_ZSTD, "zstandard", "backports.zstd"]


def first_installed(*names: str) -> Any:
    for name in names:
        with contextlib.suppress(ImportError):
            return import_module(name)
    raise AssertionError(f"none of {names} is installed: see the dependency group of the tests")


brotli = first_installed("brotli", "brotlicffi")
zstandard = first_installed("zstandard", "compression.zstd", "backports.zstd")


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def br(data: bytes) -> bytes:
    coded: bytes = brotli.compress(data, quality=5)
    return coded


def zstd(data: bytes) -> bytes:
    coded: bytes = zstandard.compress(data)
    return coded


CODINGS: list[tuple[str, Encoder]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", br),
    ("zstd", zstd),
]
coding = pytest.mark.parametrize(
    ("name", "encode"), CODINGS, ids=["gzip", "x-gzip", "zlib", "raw", "br", "zstd"]
)
NAMES = ["gzip", "deflate", "br", "zstd"]

places = st.lists(st.integers(0, 300))


def cut(whole: bytes, places: Iterable[int]) -> list[bytes]:
    """The whole in pieces, cut at these places; some of them may be empty."""
    edges = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


def decoded(name: str, pieces: Iterable[bytes]) -> bytes:
    decoders = decoders_for(name)
    assert decoders, "an unknown coding would be handed on as it is"
    return b"".join(decoding.decode(pieces, decoders))


# -- every coding


@coding
@unhurried
@given(st.binary(), places)
def test_a_body_decodes_wherever_it_was_cut(
    name: str, encode: Encoder, data: bytes, places: list[int]
) -> None:
    assert decoded(name, cut(encode(data), places)) == data


@coding
def test_a_body_decodes_byte_by_byte(name: str, encode: Encoder) -> None:
    data = bytes(range(256)) * 300
    assert decoded(name, [bytes([byte]) for byte in encode(data)]) == data


@coding
@pytest.mark.parametrize("size", [10_000, 700_000])
def test_a_body_that_does_not_get_smaller_decodes(name: str, encode: Encoder, size: int) -> None:
    state, noise = 1, bytearray()
    for _ in range(size):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        noise.append(state >> 16 & 0xFF)
    coded = encode(bytes(noise))
    assert decoded(name, cut(coded, range(0, len(coded), 7777))) == noise


@coding
@unhurried
@given(st.binary(), places, st.data())
def test_a_body_that_is_cut_short_is_an_error(
    name: str, encode: Encoder, data: bytes, places: list[int], draw: st.DataObject
) -> None:
    """A missing trailer raises, whatever came before it."""
    whole = encode(data)
    assume(len(whole) > 1)  # br has a byte for nothing, and without it there is no body
    rest = whole[: draw.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(ContentDecodingError):
        decoded(name, cut(rest, places))


@pytest.mark.parametrize("name", NAMES)
def test_a_body_of_no_bytes_is_empty(name: str) -> None:
    """An answer to HEAD, or a 304, has the field and no body."""
    assert decoded(name, []) == b""
    assert decoded(name, [b"", b""]) == b""


@coding
def test_a_body_that_is_the_coding_of_nothing_is_empty(name: str, encode: Encoder) -> None:
    assert decoded(name, [encode(b"")]) == b""


# Seven bytes in one block, and the checksum of RFC 8878, section 3.1.1, which is optional.
SUMMED_FRAME = bytes.fromhex("28b52ffd2407390000636f6e74656e74fca9c531")


@pytest.mark.parametrize(
    ("name", "body"),
    [("gzip", gzip.compress(b"content")), ("deflate", zlib.compress(b"content")), ("zstd", SUMMED_FRAME)],
    ids=["gzip", "deflate", "zstd"],
)
def test_a_wrong_checksum_is_an_error(name: str, body: bytes) -> None:
    """RFC 1952, section 2.3.1; RFC 1950, section 2.2; RFC 8878, section 3.1.1. Brotli has none."""
    assert decoded(name, [body]) == b"content"
    whole = bytearray(body)
    whole[-5 if name == "gzip" else -1] ^= 1  # behind the CRC of gzip stands its length
    with pytest.raises(ContentDecodingError):
        decoded(name, [bytes(whole)])


def test_a_wrong_length_in_the_gzip_trailer_is_an_error() -> None:
    whole = bytearray(gzip.compress(b"content"))
    whole[-1] ^= 1
    with pytest.raises(ContentDecodingError):
        decoded("gzip", [bytes(whole)])


@pytest.mark.parametrize("body", [b"plain text", b"<html>", b"\x1f\x8bx", b"\0" * 40, b"\xff" * 40], ids=repr)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_in_its_coding_is_an_error(name: str, body: bytes) -> None:
    with pytest.raises(ContentDecodingError, match=name):
        decoded(name, [body])


@unhurried
@given(st.sampled_from([*NAMES, "deflate, gzip", "zstd, br"]), st.lists(st.binary()))
def test_any_bytes_decode_or_raise_content_decoding_error(name: str, pieces: list[bytes]) -> None:
    with contextlib.suppress(ContentDecodingError):
        decoded(name, pieces)


@coding
@settings(unhurried, max_examples=300)
@given(st.binary(max_size=400), st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1), places)
def test_a_body_with_flipped_bits_decodes_or_raises_content_decoding_error(
    name: str,
    encode: Encoder,
    data: bytes,
    flips: list[tuple[int, int]],
    places: list[int],
) -> None:
    body = bytearray(encode(data * 20))
    for place, bits in flips:
        body[place % len(body)] ^= bits
    with contextlib.suppress(ContentDecodingError):
        decoded(name, cut(bytes(body), places))


@coding
@pytest.mark.parametrize(
    "size", [0, 1, decoding.STEP - 1, decoding.STEP, decoding.STEP + 1, 10 * decoding.STEP]
)
def test_no_step_gives_more_than_its_bound(name: str, encode: Encoder, size: int) -> None:
    """Output is bounded per step: a few bytes may decode to a thousand times as many."""
    body = encode(bytes(size))
    for pieces in ([body], cut(body, range(300))):
        steps = list(decoding.decode(pieces, decoders_for(name)))
        assert sum(map(len, steps)) == size
        assert all(len(step) <= decoding.STEP for step in steps)


CHAINS: list[list[tuple[str, Encoder]]] = [
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("gzip", gzip.compress)],
    [("zstd", zstd), ("br", br), ("gzip", gzip.compress), ("zstd", zstd), ("br", br)],
]


@pytest.mark.parametrize("chain", CHAINS, ids=["zlib", "br and zstd"])
def test_no_step_of_a_chain_gives_more_than_its_bound(chain: list[tuple[str, Encoder]]) -> None:
    body = bytes(50 * decoding.STEP)
    for _, encode in chain:
        body = encode(body)
    steps = list(decoding.decode([body], decoders_for(", ".join(name for name, _ in chain))))
    assert sum(map(len, steps)) == 50 * decoding.STEP
    assert all(len(step) <= decoding.STEP for step in steps)


@pytest.mark.parametrize(
    ("name", "good"),
    [("gzip", gzip.compress(b"good")), ("zstd", zstd(b"good"))],
    ids=["gzip", "zstd"],
)
def test_what_was_decoded_before_the_fault_comes_before_the_error(name: str, good: bytes) -> None:
    pieces = decoding.decode([good, good[:4] + b"bad and so on"], decoders_for(name))
    given = b""
    while not given:
        given += next(pieces)
    assert given == b"good"
    with pytest.raises(ContentDecodingError):
        list(pieces)


def test_steps_that_give_nothing_are_told_so_that_the_clock_can_be_looked_at() -> None:
    """T1: empty members and frames, and what lies behind the end of a stream, decode to nothing for long."""
    for name, encode in (("gzip", gzip.compress), ("zstd", zstd)):
        assert len(list(decoding.decode([encode(b"") * 1000], decoders_for(name)))) >= 1000
    empty_blocks = frame(*[block(b"")] * 1000, block(b"", last=True))
    assert len(list(decoding.decode([empty_blocks], decoders_for("zstd")))) >= 1000
    behind = gzip.compress(zlib.compress(b"end") + bytes(20 * decoding.STEP))
    steps = list(decoding.decode([behind], decoders_for("deflate, gzip")))
    assert b"".join(steps) == b"end"
    assert len(steps) >= 20


# -- codings one in the other, and their names


@unhurried
@given(st.lists(st.sampled_from(CODINGS), max_size=5), st.binary(), places)
def test_the_codings_of_a_chain_are_undone_from_the_last_to_the_first(
    chain: list[tuple[str, Encoder]], data: bytes, places: list[int]
) -> None:
    """RFC 9110, section 8.4: they are listed in the order in which they were applied."""
    body = data
    for _, encode in chain:
        body = encode(body)
    decoders = decoders_for(", ".join(name for name, _ in chain))
    assert len(decoders) == len(chain)
    assert b"".join(decoding.decode(cut(body, places), decoders)) == data


@unhurried
@given(st.lists(st.sampled_from(CODINGS), min_size=1, max_size=5), st.binary(), places, st.data())
def test_a_chain_that_is_cut_short_is_an_error(
    chain: list[tuple[str, Encoder]], data: bytes, places: list[int], draw: st.DataObject
) -> None:
    body = data
    for _, encode in chain:
        body = encode(body)
    assume(len(body) > 1)
    rest = body[: draw.draw(st.integers(1, len(body) - 1))]
    with pytest.raises(ContentDecodingError):
        decoded(", ".join(name for name, _ in chain), cut(rest, places))


@pytest.mark.parametrize("field", ["", "identity", " , ,", "identity, identity", "IDENTITY"])
def test_identity_is_no_coding(field: str) -> None:
    assert decoders_for(field) == []


@pytest.mark.parametrize(
    "field", ["GZIP", " gzip ", "gzip,", ",gzip", "identity, gzip", "gzip, identity", "X-Gzip"]
)
def test_a_coding_is_known_in_any_case_and_with_any_space(field: str) -> None:
    """RFC 9110, section 8.4.1; section 5.6.1 for the empty members of a list."""
    assert decoded(field, [gzip.compress(b"content")]) == b"content"


@pytest.mark.parametrize("field", ["BR", " Br,", "identity, ZSTD"])
def test_br_and_zstd_are_known_in_any_case_too(field: str) -> None:
    assert decoded(field, [br(b"content") if "r" in field.lower() else zstd(b"content")]) == b"content"


@pytest.mark.parametrize(
    "field",
    ["compress", "gzip, aes128gcm", "aes128gcm, gzip", "utf-8", "gzip;q=1", "*", "x-br", "dcb", "dcz"],
)
def test_a_body_with_a_coding_that_is_not_known_has_no_decoders(field: str) -> None:
    assert decoders_for(field) == []


@pytest.mark.parametrize("count", [6, 7, 1000])
def test_more_than_five_codings_are_refused(count: int) -> None:
    assert decoding.MAX_CODINGS == 5
    with pytest.raises(ContentDecodingError):
        decoders_for(", ".join(["gzip"] * count))
    assert len(decoders_for(", ".join(["gzip"] * 5 + ["identity"] * count))) == 5


# -- gzip and deflate


@unhurried
@given(st.lists(st.binary(), min_size=1, max_size=4), places)
@example([b"a", b"b"], [21])  # between two members
@example([b"a", b"b"], [22])  # between the two bytes by which a member is known
def test_gzip_may_have_any_number_of_members(members: list[bytes], places: list[int]) -> None:
    """RFC 1952, section 2.2."""
    body = b"".join(map(gzip.compress, members))
    assert decoded("gzip", cut(body, places)) == b"".join(members)


def test_a_second_member_that_is_cut_short_is_an_error() -> None:
    with pytest.raises(ContentDecodingError):
        decoded("gzip", [gzip.compress(b"a") + gzip.compress(b"b")[:-1]])


@unhurried
@given(st.binary(), st.binary(min_size=1), places)
@example(b"a", b"\0" * 512, [])  # the padding of tapes
@example(b"a", b"\x1fgarbage", [22])
def test_what_follows_the_last_gzip_member_and_is_none_is_left_out(
    data: bytes, garbage: bytes, places: list[int]
) -> None:
    # What begins as a member does is one that is broken; and a lone first byte may be one that is cut short.
    assume(not garbage.startswith(b"\x1f\x8b") and garbage != b"\x1f")
    assert decoded("gzip", cut(gzip.compress(data) + garbage, places)) == data


@pytest.mark.parametrize("encode", [zlib.compress, raw_deflate], ids=["zlib", "raw"])
@pytest.mark.parametrize("places", [[], [1], list(range(100))], ids=["whole", "two", "bytes"])
def test_what_follows_a_deflate_body_is_left_out(encode: Encoder, places: list[int]) -> None:
    assert decoded("deflate", cut(encode(b"content") + b"garbage", places)) == b"content"


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("wbits", [*range(9, 16), *range(-15, -8)])
def test_deflate_is_read_in_both_formats_at_any_level_and_window(level: int, wbits: int) -> None:
    """RFC 9110, section 8.4.1.2: the zlib format, and its note on those who send the data without it."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, wbits)
    data = bytes(range(256)) * 20
    assert decoded("deflate", cut(compressor.compress(data) + compressor.flush(), [1])) == data


# -- br


@pytest.mark.parametrize("quality", range(12))
@pytest.mark.parametrize("window", [10, 16, 22, 24])
def test_br_is_read_at_any_quality_and_window(quality: int, window: int) -> None:
    data = bytes(range(256)) * 200 + bytes(3 * decoding.STEP)
    coded = brotli.compress(data, quality=quality, lgwin=window)
    assert decoded("br", [coded]) == data
    assert decoded("br", cut(coded, range(300))) == data


@unhurried
@given(st.binary(), st.binary(min_size=1), places)
@example(b"a" * 1000, b"\0", [])
def test_what_follows_a_br_body_is_an_error(data: bytes, garbage: bytes, places: list[int]) -> None:
    """As in curl: neither library says where the stream has ended, so what follows can't be left out."""
    with pytest.raises(ContentDecodingError, match="br body"):
        decoded("br", cut(br(data) + garbage, places))


# -- zstd

MAGIC = b"\x28\xb5\x2f\xfd"
RAW, RLE = 0, 1


def block(content: bytes, *, kind: int = RAW, size: int | None = None, last: bool = False) -> bytes:
    """RFC 8878, section 3.1.1.2."""
    size = len(content) if size is None else size
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + content


def frame(*blocks: bytes, header: bytes = b"\x00\x38") -> bytes:
    """RFC 8878, section 3.1.1; by default with a window of 128 KiB, and nothing else in its header."""
    return MAGIC + header + b"".join(blocks)


def skippable(content: bytes, number: int = 0) -> bytes:
    """RFC 8878, section 3.1.2."""
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


frames = st.binary(max_size=100).map(lambda data: (zstd(data), data))
skippables = st.builds(skippable, st.binary(max_size=100), st.integers(0, 15)).map(lambda body: (body, b""))


@unhurried
@given(st.lists(frames | skippables, min_size=1, max_size=5), places)
@example([(skippable(b""), b""), (zstd(b"a"), b"a"), (skippable(b"b"), b"")], range(60))
@example([(skippable(b"a", number), b"") for number in range(16)], [])
def test_zstd_may_have_any_number_of_frames_some_of_which_are_skipped(
    frames: list[tuple[bytes, bytes]], places: Iterable[int]
) -> None:
    """RFC 8878, section 3."""
    body = b"".join(coded for coded, _ in frames)
    assert decoded("zstd", cut(body, places)) == b"".join(data for _, data in frames)


@pytest.mark.parametrize("last", [zstd(b"b"), skippable(b"bbbb")], ids=["frame", "skippable"])
def test_a_second_frame_that_is_cut_short_is_an_error(last: bytes) -> None:
    for end in range(1, len(last)):
        with pytest.raises(ContentDecodingError, match="cut short"):
            decoded("zstd", [zstd(b"a") + last[:end]])


@unhurried
@given(st.binary(), st.binary(min_size=1), places)
@example(b"a", b"\0" * 512, [])
@example(b"a", MAGIC[:3], [])
@example(b"a", b"\x27\xb5\x2f\xfd", [])  # a frame as it was before RFC 8878
def test_what_follows_the_last_zstd_frame_and_is_none_is_an_error(
    data: bytes, garbage: bytes, places: list[int]
) -> None:
    """As in curl and in browsers."""
    assume(not (garbage[1:4] == b"\x2a\x4d\x18" and 0x50 <= garbage[0] < 0x60) and garbage[:4] != MAGIC)
    with pytest.raises(ContentDecodingError):
        decoded("zstd", cut(zstd(data) + garbage, places))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_791, 65_792, 131_072, 131_073, 300_000])
def test_zstd_frames_are_read_whatever_size_of_the_content_they_announce(size: int) -> None:
    """RFC 8878, section 3.1.1.1.4: in none, one, two or four bytes."""
    assert decoded("zstd", [zstd(bytes(size))]) == bytes(size)


@pytest.mark.parametrize(
    "header",
    [
        b"\x00\x38",
        b"\x20\x07",
        b"\x40\x38\x07\xff",  # 256 are to be added
        b"\x80\x38\x07\0\0\0",
        b"\xc0\x38\x07\0\0\0\0\0\0\0",
        b"\xa0\x07\0\0\0",
        b"\xe0\x07\0\0\0\0\0\0\0",
        b"\x01\x38\0",
        b"\x02\x38\0\0",
        b"\x03\x38\0\0\0\0",
        b"\xe3\0\0\0\0\x07\0\0\0\0\0\0\0",
    ],
    ids=bytes.hex,
)
def test_zstd_frames_are_read_with_any_fields_in_their_header(header: bytes) -> None:
    """RFC 8878, section 3.1.1.1: the number of a dictionary too, where it is 0 and means none."""
    data = b"content" if header[0] != 0x40 else b"c" * (256 + 0xFF07)
    body = frame(block(data, last=True), header=header)
    assert decoded("zstd", [body]) == data
    assert decoded("zstd", cut(body, range(40))) == data


@pytest.mark.parametrize("header", [b"\x01\x38\x05", b"\x08\x38"], ids=["a dictionary", "a reserved bit"])
def test_a_zstd_frame_that_wants_what_there_is_none_of_is_an_error(header: bytes) -> None:
    with pytest.raises(ContentDecodingError, match="zstd body can't be decoded"):
        decoded("zstd", [frame(block(b"content", last=True), header=header)])


MIB = 1024 * 1024


@pytest.mark.parametrize(
    "header",
    [
        b"\x00\x00",
        b"\x00\x38",
        bytes([0, 13 << 3]),
        bytes([0, 12 << 3 | 7]),
        b"\xa0" + (8 * MIB).to_bytes(4, "little"),
    ],
    ids=["1 KiB", "128 KiB", "8 MiB", "7.5 MiB", "8 MiB in a single segment"],
)
def test_a_zstd_window_of_up_to_8_mib_is_granted(header: bytes) -> None:
    """RFC 9659, section 3."""
    size = 8 * MIB if header[0] == 0xA0 else 3
    step = 128 * 1024 if size > 3 else 3
    blocks = [block(b"x", kind=RLE, size=step)] * (size // step)
    body = frame(*blocks, block(b"", last=True), header=header)
    assert decoded("zstd", [body]) == b"x" * size


@pytest.mark.parametrize(
    ("header", "window"),
    [
        (bytes([0, 13 << 3 | 1]), 9 * MIB),
        (bytes([0, 14 << 3]), 16 * MIB),
        (bytes([0, 31 << 3 | 7]), (1 << 41) + 7 * (1 << 38)),
        (b"\xa0" + (8 * MIB + 1).to_bytes(4, "little"), 8 * MIB + 1),
        (b"\xe0" + b"\xff" * 8, (1 << 64) - 1),
        (b"\xa3" + b"\0\0\0\0" + b"\xff" * 4, (1 << 32) - 1),
    ],
)
def test_a_zstd_window_above_8_mib_is_refused_before_it_gets_memory(header: bytes, window: int) -> None:
    """RFC 9659, section 3."""
    whole = frame(header=header)
    steps = decoding.decode(cut(whole, range(20)), decoders_for("zstd"))
    with pytest.raises(ContentDecodingError, match=rf"window of {window} bytes; 8388608 \(8 MiB\)"):
        list(steps)


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("size", [128 * 1024 + 1, (1 << 21) - 1])
def test_a_zstd_block_above_128_kib_is_an_error(kind: int, size: int) -> None:
    """RFC 8878, section 3.1.1.2.4: four bytes would give two megabytes."""
    body = frame(block(b"x", kind=kind, size=size, last=True), header=bytes([0, 13 << 3]))
    with pytest.raises(ContentDecodingError, match=f"{size} bytes"):
        decoded("zstd", [body])


def test_a_zstd_block_of_the_reserved_type_is_an_error() -> None:
    """RFC 8878, section 3.1.1.2.2."""
    with pytest.raises(ContentDecodingError, match="type 3"):
        decoded("zstd", [frame(block(b"abc", kind=3, last=True))])


def test_a_zstd_block_is_given_as_soon_as_it_has_come() -> None:
    """A server that flushes is read as it sends."""
    came: list[bytes] = []
    blocks = [frame(), block(b"one"), block(b"two"), block(b"three", last=True)]
    pieces = (came.append(piece) or piece for piece in blocks)  # type: ignore[func-returns-value]
    given = ((bytes(piece), len(came)) for piece in decoding.decode(pieces, decoders_for("zstd")) if piece)
    assert list(given) == [(b"one", 2), (b"two", 3), (b"three", 4)]


# -- other interpreters


def in_child(program: str, *arguments: str, without: Iterable[str] = (), path: Path | None = None) -> str:
    """What a program prints in an interpreter of its own, in which these modules are not installed.

    Where a path is given, what lies there is found ahead of what is installed.
    """
    start = f"import sys; sys.path[:0] = {[str(path)] if path else []}; "
    start += f"sys.modules.update(dict.fromkeys({list(without)}))\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + program, *arguments],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


BOMB = """
import resource
from pystickyhttp import decoding

name, path, harmless = sys.argv[1:]
with open(path, "rb") as file:
    bomb = file.read()
for body in (bytes.fromhex(harmless), bomb):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = sum(map(len, decoding.decode([body], decoding.decoders_for(name))))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(size, (after - before) * 1024)
"""

BOMB_SIZE = 128 * MIB
BOMBS: list[tuple[str, Encoder, int]] = [
    ("gzip", gzip.compress, 0),
    ("deflate", zlib.compress, 0),
    ("br", lambda data: bytes(brotli.compress(data, quality=5, lgwin=16)), 0),
    ("br", br, 4 * MIB),
    ("br", lambda data: bytes(brotli.compress(data, quality=5, lgwin=24)), 16 * MIB),
    ("zstd", zstd, 2 * MIB),
    ("zstd", lambda data: bytes(zstandard.compress(data, 19)), 8 * MIB),
    ("zstd, gzip, br", lambda data: br(gzip.compress(zstd(data))), 6 * MIB),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encode", "windows"), BOMBS)
def test_a_bomb_takes_a_child_no_more_memory_than_a_few_steps_and_the_window_of_its_coding(
    tmp_path: Path, name: str, encode: Encoder, windows: int
) -> None:
    """How large a window is, up to 8 MiB for zstd and 16 MiB for br, is for the format to say."""
    bomb = tmp_path / "bomb"
    bomb.write_bytes(encode(bytes(BOMB_SIZE)))
    assert bomb.stat().st_size < BOMB_SIZE // 900
    size, peak = map(int, in_child(BOMB, name, str(bomb), encode(b"harmless").hex()).split())
    assert size == BOMB_SIZE
    assert peak <= windows + 8 * decoding.STEP


DECODE_ALL = """
import contextlib, io, pytest
with contextlib.redirect_stdout(io.StringIO()) as told:
    code = pytest.main(
        ["-q", "-p", "no:cacheprovider", "tests/test_codings.py", "-k", "(br or zstd or chain) and not child"]
    )
from pystickyhttp import decoding
print(decoding._brotli_library().__name__, decoding._zstd_library().__name__, code + 0)
if code:
    print(told.getvalue())
"""


@pytest.mark.slow
def test_all_of_this_holds_in_a_child_with_the_other_modules_for_br_and_zstd_too() -> None:
    standard = "compression.zstd" if sys.version_info >= (3, 14) else "zstandard"
    other = "zstandard" if standard == "compression.zstd" else "backports.zstd"
    here = decoding._brotli_library().__name__, decoding._zstd_library().__name__
    assert here == ("brotli", standard)
    said = in_child(DECODE_ALL, without=["brotli", *(STDLIB_ZSTD if other == "zstandard" else ["zstandard"])])
    assert said == f"brotlicffi {other} 0", said


def test_accept_encoding_is_what_requests_says() -> None:
    assert accept_encoding() == requests.utils.DEFAULT_ACCEPT_ENCODING == "gzip, deflate, br, zstd"
    for name in accept_encoding().split(", "):
        assert len(decoders_for(name)) == 1


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ([], "gzip, deflate, br, zstd"),
        (["brotli"], "gzip, deflate, br, zstd"),
        (["brotli", "brotlicffi"], "gzip, deflate, zstd"),
        (ZSTD[:2], "gzip, deflate, br, zstd"),
        (ZSTD[2:3], "gzip, deflate, br, zstd"),
        (ZSTD, "gzip, deflate, br"),
        ([*BROTLI, *ZSTD[:3], "backports"], "gzip, deflate"),
    ],
)
def test_only_what_can_be_decoded_in_a_child_is_asked_for(without: list[str], expected: str) -> None:
    program = (
        "from pystickyhttp import decoding\n"
        "print(decoding.accept_encoding())\n"
        "print(','.join(str(len(decoding.decoders_for(name))) for name in ('br', 'zstd', 'gzip, br')))"
    )
    can_br, can_zstd = int("br" in expected), int("zstd" in expected)
    assert in_child(program, without=without).splitlines() == [expected, f"{can_br},{can_zstd},{2 * can_br}"]


FETCH = """
import pystickyhttp
with pystickyhttp.Session() as session:
    for url in sys.argv[1:]:
        print(session.get(url).content.hex())
"""


def test_a_child_asks_for_what_it_has_and_gets_the_rest_as_it_is() -> None:
    """The rule of codings that are not known: nobody asked for them, so the body is handed on as it is."""
    bodies = {
        "/br": ("br", br(b"content")),
        "/zstd": ("zstd", zstd(b"content")),
        "/gzip": ("gzip", gzip.compress(b"content")),
    }
    plain = b"content".hex()

    def answer(request: Any) -> bytes:
        name, body = bodies[request.target]
        return respond(body, headers={"Content-Encoding": name})

    with ScriptedServer(keep_alive(answer)) as server:
        urls = [server.url(path) for path in bodies]
        assert in_child(FETCH, *urls).split() == [plain, plain, plain]
        with_less = in_child(FETCH, *urls, without=[*BROTLI, *ZSTD]).split()
        assert with_less == [br(b"content").hex(), zstd(b"content").hex(), plain]
        asked = [request.header("Accept-Encoding") for request in server.requests]
        assert asked == ["gzip, deflate, br, zstd"] * 3 + ["gzip, deflate"] * 3


LOADED = """
import pystickyhttp
from pystickyhttp import decoding
names = ["brotli", "brotlicffi", "zstandard", "compression.zstd", "backports.zstd", "importlib.metadata"]
def told():
    print([name for name in names if name in sys.modules])
decoding.accept_encoding()
told()
for name, body in zip(sys.argv[1::2], sys.argv[2::2]):
    for _ in decoding.decode([bytes.fromhex(body)], decoding.decoders_for(name)):
        pass
    told()
"""


def test_a_child_loads_no_module_before_the_first_body_that_needs_it() -> None:
    """Nor for a body of no bytes, nor for what can be told without one."""
    said = in_child(LOADED, "gzip", gzip.compress(b"a").hex(), "br", "", "br", br(b"a").hex())
    assert said.splitlines() == ["[]", "[]", "[]", "['brotli']"]
    said = in_child(LOADED, "zstd", "", "zstd", skippable(b"a").hex(), "zstd", zstd(b"a").hex())
    assert said.splitlines() == ["[]", "[]", "[]", f"['{decoding._zstd_library().__name__}']"]


def other_brotli(folder: Path, module: str, metadata: str | None) -> Path:
    """A place with another module for Brotli than the one that is installed."""
    (folder / "brotli.py").write_text(module)
    if metadata is not None:
        (folder / metadata).mkdir()
    return folder


TRY_BR = f"""
from pystickyhttp import decoding
print(decoding.accept_encoding())
try:
    decoders = decoding.decoders_for("br")
    print(len(decoders), b"".join(decoding.decode([bytes.fromhex({br(b"content").hex()!r})], decoders)))
except decoding.ContentDecodingError as error:
    print(error)
"""
UNBOUNDED = "class error(Exception): pass\nclass Decompressor:\n    def process(self, data): return b''\n"


@pytest.mark.parametrize(
    "metadata", ["Brotli-1.1.0.dist-info", "brotli-0.7.0.dist-info", "Brotli-1.0.9-py3.11.egg-info"]
)
def test_a_brotli_that_has_no_bound_for_its_output_is_not_taken_by_a_child(
    tmp_path: Path, metadata: str
) -> None:
    """Before 1.2 a few bytes would become 16 MiB at once, and more, so it counts as not installed."""
    path = other_brotli(tmp_path, UNBOUNDED, metadata)
    said = in_child(TRY_BR, path=path, without=["brotlicffi"]).splitlines()
    assert said == ["gzip, deflate, zstd", f"0 {br(b'content')!r}"]
    said = in_child(TRY_BR, path=path).splitlines()
    assert said == ["gzip, deflate, br, zstd", "1 b'content'"], "brotlicffi takes its place"


def test_what_only_goes_by_the_name_of_a_module_is_not_taken_by_a_child() -> None:
    placed = "import types\nsys.modules['brotli'] = types.ModuleType('brotli')\n"
    said = in_child(placed + TRY_BR, without=["brotlicffi"]).splitlines()
    assert said == ["gzip, deflate, zstd", f"0 {br(b'content')!r}"]


def test_a_package_of_that_age_is_not_taken_either_by_a_child(tmp_path: Path) -> None:
    (tmp_path / "brotlicffi").mkdir()
    (tmp_path / "brotlicffi" / "__init__.py").write_text(UNBOUNDED)
    (tmp_path / "brotlicffi-1.1.0.0.dist-info").mkdir()
    said = in_child(TRY_BR, path=tmp_path, without=["brotli"]).splitlines()
    assert said == ["gzip, deflate, zstd", f"0 {br(b'content')!r}"]


def test_a_brotli_that_lies_in_no_folder_is_asked_itself_by_a_child(tmp_path: Path) -> None:
    """As in a program that is one zip file: nothing lies beside a module there."""
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as program:
        program.writestr("brotli.py", UNBOUNDED)
    said = in_child(TRY_BR, path=tmp_path / "program.zip", without=["brotlicffi"]).splitlines()
    assert said[0] == "gzip, deflate, br, zstd"
    assert "brotli is older than 1.2" in said[1]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (UNBOUNDED, r"brotli is older than 1\.2"),
        ("raise ImportError('libbrotlidec.so.1 is not there')", r"libbrotlidec\.so\.1 is not there"),
    ],
    ids=["too old", "broken"],
)
@pytest.mark.parametrize("metadata", [None, "Brotli-1.10.0.dist-info", "brotlicffi-1.0.0.dist-info"])
def test_a_brotli_that_proves_of_no_use_in_a_child_is_an_error_that_names_the_remedy(
    tmp_path: Path, module: str, reason: str, metadata: str | None
) -> None:
    said = in_child(TRY_BR, path=other_brotli(tmp_path, module, metadata)).splitlines()
    assert said[0] == "gzip, deflate, br, zstd"
    assert re.search(reason + r".*pip install .*'pystickyhttp\[brotli\]'", said[1])
