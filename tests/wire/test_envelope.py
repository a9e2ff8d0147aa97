"""Sealed envelopes: only what the sender signed opens, and it opens to one name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Identity, digest
from btard.errors import ConfigurationError
from btard.types import FaultKind, PeerId
from btard.wire import Envelope, Rejection, Sealed, encode, limits, open_sealed, seal
from btard.wire.envelope import _open_once

ALICE, BOB = Identity.from_seed(b"a" * 32), Identity.from_seed(b"b" * 32)
ENVELOPE = Envelope(bytes(32), 7, 0, "commit", bytes(32), ALICE.peer, b"payload")


def opened(raw: bytes) -> Sealed:
    sealed = open_sealed(raw)
    assert isinstance(sealed, Sealed), sealed
    return sealed


def reason(raw: bytes) -> FaultKind:
    rejection = open_sealed(raw)
    assert isinstance(rejection, Rejection)
    return rejection.reason


@given(st.binary(max_size=200), st.integers(0, 2**48), st.integers(0, 2**16), st.text(max_size=4))
def test_what_was_sealed_is_opened(payload: bytes, step: int, attempt: int, phase: str) -> None:
    envelope = replace(ENVELOPE, payload=payload, step=step, attempt=attempt, phase=phase)
    raw = seal(ALICE, envelope)
    sealed = opened(raw)
    assert sealed == Sealed(envelope, raw, digest("envelope", encode(envelope)))
    assert opened(bytes(bytearray(raw))) == sealed  # equal bytes, from another peer


def test_the_largest_payload_fits_a_control_message() -> None:
    phase, payload = "p" * limits.MAX_PHASE_BYTES, bytes(limits.MAX_PAYLOAD_BYTES)
    envelope = Envelope(bytes(32), limits.MAX_STEP, limits.MAX_ATTEMPT, phase, bytes(32), ALICE.peer, payload)
    raw = seal(ALICE, envelope)
    assert len(raw) <= limits.MAX_CONTROL_BYTES
    assert opened(raw).envelope == envelope


BODY = encode(ENVELOPE)
RAW = seal(ALICE, ENVELOPE)
UNIVERSAL = PeerId((1).to_bytes(32, "little"))
"""A key of small order, under which one signature fits every message."""


def forged(body: bytes, signature: bytes = RAW[-64:]) -> bytes:
    packed: bytes = msgpack.packb(["sealed", body, signature])
    return packed


def resign(identity: Identity, body: bytes) -> bytes:
    return forged(body, identity.sign(digest("envelope", body)))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (resign(BOB, BODY), FaultKind.BAD_SIGNATURE),
        (forged(BODY, ALICE.sign(BODY)), FaultKind.BAD_SIGNATURE),
        (forged(encode(replace(ENVELOPE, sender=UNIVERSAL)), UNIVERSAL + bytes(32)), FaultKind.BAD_SIGNATURE),
        (resign(ALICE, BODY.replace(b"\xa6commit", b"\xd9\x06commit")), FaultKind.NON_CANONICAL),
        (RAW.replace(b"\xa6sealed", b"\xd9\x06sealed"), FaultKind.NON_CANONICAL),
        (bytes(limits.MAX_CONTROL_BYTES + 1), FaultKind.OVERSIZE),
        (resign(ALICE, b""), FaultKind.MALFORMED),
        (resign(ALICE, msgpack.packb(["other", 1])), FaultKind.UNKNOWN_TAG),
        (resign(ALICE, msgpack.packb(["envelope", b"run"])), FaultKind.MISSING_FIELD),
        (resign(ALICE, BODY.replace(b"\x07\x00\xa6commit", b"\xff\x00\xa6commit")), FaultKind.OUT_OF_BOUNDS),
        (resign(ALICE, BODY.replace(b"\xa6commit", b"\xb1" + b"p" * 17)), FaultKind.OUT_OF_BOUNDS),
    ],
    ids=[
        *("signed by another", "signed without the domain", "key of small order"),
        *("other encoding of the body", "other encoding of the seal", "oversize", "empty body", "other body"),
        *("a field alone", "negative step", "long phase"),
    ],
)
def test_what_is_not_the_one_encoding_with_the_sender_s_own_signature_is_refused(
    raw: bytes, expected: FaultKind
) -> None:
    assert reason(raw) is expected


@pytest.mark.parametrize(
    "changes", [{"step": 8}, {"attempt": 1}, {"phase": "reveal"}, {"run": b"r" * 32}, {"roster": b"r" * 32}]
)
def test_a_signature_moved_to_another_body_is_refused(changes: dict[str, Any]) -> None:
    assert reason(forged(encode(replace(ENVELOPE, **changes)))) is FaultKind.BAD_SIGNATURE


def test_nobody_seals_in_the_name_of_another() -> None:
    with pytest.raises(ConfigurationError, match="cannot sign for"):
        seal(BOB, ENVELOPE)


def test_every_changed_byte_of_a_sealed_envelope_is_noticed() -> None:
    for at, byte in enumerate(RAW):
        assert isinstance(open_sealed(RAW[:at] + bytes([byte ^ 0x01]) + RAW[at + 1 :]), Rejection)


@given(st.binary(max_size=300))
def test_random_bytes_never_open_and_never_raise(raw: bytes) -> None:
    assert isinstance(open_sealed(raw), Rejection)


def test_any_buffer_may_be_opened() -> None:
    assert opened(bytearray(RAW)) == opened(memoryview(RAW)) == opened(RAW)  # type: ignore[arg-type]


def test_accepted_messages_are_remembered_unless_they_are_large_and_garbage_is_not() -> None:
    _open_once.cache_clear()
    assert opened(RAW) is opened(RAW)
    large = seal(ALICE, replace(ENVELOPE, payload=bytes(32 << 10)))
    assert opened(large) == opened(large)
    assert reason(b"garbage") is reason(b"garbage") is FaultKind.MALFORMED
    assert _open_once.cache_info().currsize == 1
    assert _open_once.cache_info().maxsize == 1024
