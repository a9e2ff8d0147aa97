"""Sealed envelopes: only what the sender signed opens, and it opens to one name."""

from __future__ import annotations

import dataclasses

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import Identity, digest
from btard.errors import ConfigurationError
from btard.types import FaultKind, PeerId
from btard.wire import Envelope, Rejection, Sealed, encode, limits, open_sealed, seal
from btard.wire.envelope import _Opened

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


def resign(identity: Identity, body: bytes) -> bytes:
    packed: bytes = msgpack.packb(["sealed", body, identity.sign(digest("envelope", body))])
    return packed


@given(st.binary(max_size=200), st.integers(0, 2**48), st.integers(0, 2**16), st.text(max_size=4))
def test_what_was_sealed_is_opened(payload: bytes, step: int, attempt: int, phase: str) -> None:
    envelope = dataclasses.replace(ENVELOPE, payload=payload, step=step, attempt=attempt, phase=phase)
    raw = seal(ALICE, envelope)
    sealed = opened(raw)
    assert sealed == Sealed(envelope, raw, digest("envelope", encode(envelope)))
    assert opened(raw) == sealed
    assert opened(raw + b"")  # bytes equal in value, from another peer


def test_the_largest_payload_fits_a_control_message() -> None:
    phase, payload = "p" * limits.MAX_PHASE_BYTES, bytes(limits.MAX_PAYLOAD_BYTES)
    envelope = Envelope(bytes(32), limits.MAX_STEP, limits.MAX_ATTEMPT, phase, bytes(32), ALICE.peer, payload)
    raw = seal(ALICE, envelope)
    assert len(raw) <= limits.MAX_CONTROL_BYTES
    assert opened(raw).envelope == envelope


def test_an_envelope_signed_by_another_is_refused() -> None:
    assert reason(resign(BOB, encode(ENVELOPE))) is FaultKind.BAD_SIGNATURE


def test_a_signature_moved_to_another_body_is_refused() -> None:
    signature = seal(ALICE, ENVELOPE)[-64:]
    other = Envelope(b"r" * 32, 8, 1, "reveal", b"r" * 32, ALICE.peer, b"payload")
    for name in ("step", "attempt", "phase", "run", "roster"):
        body = encode(dataclasses.replace(ENVELOPE, **{name: getattr(other, name)}))
        assert reason(msgpack.packb(["sealed", body, signature])) is FaultKind.BAD_SIGNATURE


def test_a_signature_over_the_bare_body_is_refused_for_lack_of_domain() -> None:
    body = encode(ENVELOPE)
    assert reason(msgpack.packb(["sealed", body, ALICE.sign(body)])) is FaultKind.BAD_SIGNATURE


def test_a_signed_body_in_another_encoding_is_refused() -> None:
    body = encode(ENVELOPE).replace(b"\xa6commit", b"\xd9\x06commit")
    assert reason(resign(ALICE, body)) is FaultKind.NON_CANONICAL


def test_a_seal_in_another_encoding_is_refused() -> None:
    raw = seal(ALICE, ENVELOPE)
    assert reason(raw.replace(b"\xa6sealed", b"\xd9\x06sealed")) is FaultKind.NON_CANONICAL


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", FaultKind.MALFORMED),
        (msgpack.packb(["other", 1]), FaultKind.UNKNOWN_TAG),
        (msgpack.packb(["envelope", b"run"]), FaultKind.MISSING_FIELD),
        (
            msgpack.packb(["envelope", bytes(32), -1, 0, "p", bytes(32), ALICE.peer, b""]),
            FaultKind.OUT_OF_BOUNDS,
        ),
        (
            msgpack.packb(["envelope", bytes(32), 1, 0, "p" * 17, bytes(32), ALICE.peer, b""]),
            FaultKind.OUT_OF_BOUNDS,
        ),
    ],
)
def test_a_signed_body_that_is_no_envelope_is_refused(body: bytes, expected: FaultKind) -> None:
    assert reason(resign(ALICE, body)) is expected


def test_bytes_beyond_a_control_message_are_refused_unread() -> None:
    assert reason(bytes(limits.MAX_CONTROL_BYTES + 1)) is FaultKind.OVERSIZE


def test_a_sender_with_a_key_of_small_order_is_refused() -> None:
    universal = PeerId((1).to_bytes(32, "little"))
    body = encode(dataclasses.replace(ENVELOPE, sender=universal))
    signature = universal + bytes(32)
    assert reason(msgpack.packb(["sealed", body, signature])) is FaultKind.BAD_SIGNATURE


def test_nobody_seals_in_the_name_of_another() -> None:
    with pytest.raises(ConfigurationError, match="cannot sign for"):
        seal(BOB, ENVELOPE)


def test_every_changed_byte_of_a_sealed_envelope_is_noticed() -> None:
    raw = seal(ALICE, ENVELOPE)
    for at, byte in enumerate(raw):
        assert isinstance(open_sealed(raw[:at] + bytes([byte ^ 0x01]) + raw[at + 1 :]), Rejection)


@given(st.binary(max_size=300))
def test_random_bytes_never_open_and_never_raise(raw: bytes) -> None:
    assert isinstance(open_sealed(raw), Rejection)


def test_any_buffer_may_be_opened() -> None:
    raw = seal(ALICE, ENVELOPE)
    assert opened(bytearray(raw)) == opened(memoryview(raw)) == opened(raw)  # type: ignore[arg-type]


def test_the_memory_of_opened_messages_is_bounded_and_drops_the_least_recently_used() -> None:
    memory = _Opened(entries_max=3, bytes_max=100)

    def remember(raw: bytes) -> None:
        memory.put(Sealed(ENVELOPE, raw, digest("x")))

    def remembered() -> list[bytes]:
        return [raw for raw in (b"1", b"2", b"3", b"4", b"x" * 99, b"y" * 99) if memory.get(raw)]

    for raw in (b"1", b"2", b"3"):
        remember(raw)
    assert memory.get(b"1")
    remember(b"4")
    assert remembered() == [b"1", b"3", b"4"]
    remember(b"x" * 99)
    assert remembered() == [b"4", b"x" * 99]
    remember(b"y" * 99)
    assert remembered() == [b"y" * 99]
    remember(b"y" * 99)
    remember(b"1")
    assert remembered() == [b"1", b"y" * 99]
