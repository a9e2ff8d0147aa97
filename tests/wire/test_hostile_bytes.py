"""What a hostile peer may send: each way to refuse it, by example and by fuzzing."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.types import FaultKind, PeerId
from btard.wire import MAX_CONTROL_BYTES, MaxLen, MaxSize, Range, Rejection, decode, encode, message


@message("vote")
@dataclass(frozen=True, slots=True)
class Vote:
    peer: PeerId
    count: Annotated[int, Range(0, 1000)]
    weights: Annotated[tuple[float, ...], MaxLen(4)]
    text: Annotated[str, MaxLen(8)]
    guilty: bool
    reason: Annotated[bytes, MaxSize(16)] | None


@message("bulk")
@dataclass(frozen=True, slots=True)
class Bulk:
    votes: Annotated[tuple[Vote, ...], MaxLen(256)]
    data: Annotated[bytes, MaxSize(8 << 20)]


KEY = bytes(range(32))
VOTE = Vote(PeerId(KEY), 3, (0.5, 1.0), "text", True, b"why")
TREE: list[Any] = ["vote", KEY, 3, [0.5, 1.0], "text", True, b"why"]
RAW = encode(VOTE)


def tree(index: int, value: Any) -> bytes:
    packed: bytes = msgpack.packb([*TREE[:index], value, *TREE[index + 1 :]])
    return packed


HOSTILE: dict[str, tuple[bytes, FaultKind]] = {
    "empty": (b"", FaultKind.MALFORMED),
    "truncated": (RAW[:-1], FaultKind.MALFORMED),
    "trailing byte": (RAW + b"\0", FaultKind.MALFORMED),
    "two messages": (RAW + RAW, FaultKind.OVERSIZE),
    "reserved byte": (b"\xc1", FaultKind.MALFORMED),
    "text that is no UTF-8": (RAW.replace(b"\xa4text", b"\xa4\xff\xff\xff\xff"), FaultKind.MALFORMED),
    "array that claims a billion items": (b"\xdd\x40\x00\x00\x00", FaultKind.MALFORMED),
    "bytes that claim a billion": (b"\xc6\x40\x00\x00\x00", FaultKind.MALFORMED),
    "map": (msgpack.packb({"vote": 1}), FaultKind.MALFORMED),
    "extension": (msgpack.packb(msgpack.ExtType(5, b"x")), FaultKind.MALFORMED),
    "time stamp": (tree(2, msgpack.Timestamp(1, 0)), FaultKind.MALFORMED),
    "empty map": (b"\x80", FaultKind.WRONG_TYPE),
    "nested beyond any schema": (b"\x91" * 90 + b"\x90", FaultKind.WRONG_TYPE),
    "integer": (b"\x05", FaultKind.WRONG_TYPE),
    "empty array": (b"\x90", FaultKind.WRONG_TYPE),
    "tag as bytes": (tree(0, b"vote"), FaultKind.WRONG_TYPE),
    "another tag": (tree(0, "veto"), FaultKind.UNKNOWN_TAG),
    "a field less": (msgpack.packb(TREE[:-1]), FaultKind.MISSING_FIELD),
    "a field more": (msgpack.packb([*TREE, 1]), FaultKind.EXTRA_FIELD),
    "bool as integer": (tree(2, True), FaultKind.WRONG_TYPE),
    "integer as bool": (tree(5, 1), FaultKind.WRONG_TYPE),
    "integer as float": (tree(3, [1]), FaultKind.WRONG_TYPE),
    "float as integer": (tree(2, 3.0), FaultKind.WRONG_TYPE),
    "text as bytes": (tree(1, "x" * 32), FaultKind.WRONG_TYPE),
    "bytes as text": (tree(4, b"text"), FaultKind.WRONG_TYPE),
    "nothing where something must be": (tree(1, None), FaultKind.WRONG_TYPE),
    "array as bytes": (tree(1, [1, 2]), FaultKind.WRONG_TYPE),
    "short key": (tree(1, KEY[:31]), FaultKind.OUT_OF_BOUNDS),
    "negative count": (tree(2, -1), FaultKind.OUT_OF_BOUNDS),
    "huge count": (tree(2, 2**64 - 1), FaultKind.OUT_OF_BOUNDS),
    "NaN": (tree(3, [float("nan")]), FaultKind.OUT_OF_BOUNDS),
    "infinity": (tree(3, [float("-inf")]), FaultKind.OUT_OF_BOUNDS),
    "too many weights": (tree(3, [1.0] * 5), FaultKind.OUT_OF_BOUNDS),
    "long text": (tree(4, "123456789"), FaultKind.OUT_OF_BOUNDS),
    "long text in two-byte letters": (tree(4, "é" * 5), FaultKind.OUT_OF_BOUNDS),
    "long optional bytes": (tree(6, bytes(17)), FaultKind.OUT_OF_BOUNDS),
    "integer in two bytes": (RAW.replace(KEY + b"\x03", KEY + b"\xcc\x03"), FaultKind.NON_CANONICAL),
    "integer as signed": (RAW.replace(KEY + b"\x03", KEY + b"\xd0\x03"), FaultKind.NON_CANONICAL),
    "float32": (
        RAW.replace(b"\xcb" + struct.pack(">d", 0.5), b"\xca" + struct.pack(">f", 0.5)),
        FaultKind.NON_CANONICAL,
    ),
    "long form of an array": (RAW.replace(b"\x97", b"\xdc\x00\x07", 1), FaultKind.NON_CANONICAL),
    "long form of text": (RAW.replace(b"\xa4text", b"\xd9\x04text"), FaultKind.NON_CANONICAL),
    "long form of bytes": (RAW.replace(b"\xc4\x03why", b"\xc5\x00\x03why"), FaultKind.NON_CANONICAL),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_for_what_is_wrong(name: str) -> None:
    raw, reason = HOSTILE[name]
    rejection = decode(Vote, raw)
    assert isinstance(rejection, Rejection)
    assert str(rejection.reason) == reason.value
    assert rejection.detail


def test_the_detail_says_where_without_repeating_hostile_text() -> None:
    rejection = decode(Vote, tree(3, [1.0, "\x1b[2J"]))
    assert rejection == Rejection(FaultKind.WRONG_TYPE, "weights[1]: expected float, got str")
    assert decode((Vote, Bulk), tree(0, "\x1b[2J")) == Rejection(
        FaultKind.UNKNOWN_TAG, "expected vote or bulk, got another tag"
    )


def array_of(claimed: int) -> bytes:
    return b"\xdd" + claimed.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (bytes(MAX_CONTROL_BYTES + 1), FaultKind.OVERSIZE),  # though the fields admit more
        # A decoder that believes these allocates 8 bytes an item at each of 1,000 depths.
        (array_of(2**16) * 1000 + bytes(2**16), FaultKind.MALFORMED),
        (array_of(2**20) * 1000 + bytes(2**20), FaultKind.MALFORMED),
        (array_of(2**31) * 1000, FaultKind.MALFORMED),
        (b"\x91" * (1 << 20) + b"\x90", FaultKind.MALFORMED),
    ],
    ids=["oversize", "arrays of 2^16", "arrays of 2^20", "arrays of 2^31", "deeper than the stack"],
)
def test_bytes_that_would_exhaust_memory_or_stack_are_refused(raw: bytes, reason: FaultKind) -> None:
    rejection = decode(Bulk, raw)
    assert isinstance(rejection, Rejection)
    assert rejection.reason is reason


def assert_canonical_or_refused(raw: bytes) -> None:
    decoded = decode((Vote, Bulk), raw)
    assert isinstance(decoded, Rejection) or encode(decoded) == raw


@given(st.lists(st.tuples(st.integers(0, len(RAW)), st.integers(0, 3), st.binary(max_size=3)), max_size=3))
def test_mutated_messages_are_refused_or_canonical(mutations: list[tuple[int, int, bytes]]) -> None:
    raw = RAW
    for at, cut, paste in mutations:
        raw = raw[:at] + paste + raw[at + cut :]
    assert_canonical_or_refused(raw)


def test_every_message_with_one_byte_changed_is_refused_or_canonical() -> None:
    for at in range(len(RAW)):
        for byte in range(256):
            assert_canonical_or_refused(RAW[:at] + bytes([byte]) + RAW[at + 1 :])


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.binary(max_size=40)
    | st.sampled_from(["vote", "bulk", "text", KEY])
)


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=7), max_leaves=30))
def test_any_tree_of_values_is_refused_or_canonical(value: Any) -> None:
    assert_canonical_or_refused(msgpack.packb(value))


@given(st.integers(0, 6), LEAVES | st.lists(LEAVES, max_size=5))
def test_a_message_with_one_field_replaced_is_refused_or_canonical(index: int, value: Any) -> None:
    assert_canonical_or_refused(tree(index, value))
