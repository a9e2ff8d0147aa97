"""Signed messages: who says what, in which run, step, attempt and phase, under which roster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from btard.crypto import Identity, digest, verify
from btard.errors import ConfigurationError
from btard.types import Digest, FaultKind, PeerId, short
from btard.wire import limits
from btard.wire.limits import MAX_PAYLOAD_BYTES, MaxLen, MaxSize, Range, Size
from btard.wire.rejection import Rejection
from btard.wire.schema import decode, encode, message, prefix_of

_CACHED_MESSAGE_BYTES_MAX = 32 << 10
_CACHED_MESSAGES_MAX = 1024


@message("envelope")
@dataclass(frozen=True, slots=True)
class Envelope:
    """The body of a signed message. `payload` is one encoded message; the phase says of which kinds."""

    run: Annotated[bytes, Size(32)]
    step: Annotated[int, Range(0, limits.MAX_STEP)]
    attempt: Annotated[int, Range(0, limits.MAX_ATTEMPT)]
    phase: Annotated[str, MaxLen(limits.MAX_PHASE_BYTES)]
    roster: Annotated[bytes, Size(32)]
    sender: PeerId
    payload: Annotated[bytes, MaxSize(MAX_PAYLOAD_BYTES)]


@message("sealed")
@dataclass(frozen=True, slots=True)
class _Signed:
    body: Annotated[bytes, MaxSize(limits.MAX_CONTROL_BYTES)]
    signature: Annotated[bytes, Size(64)]


SEALED_PREFIX = prefix_of(_Signed)
"""The first bytes of every sealed message."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An envelope whose signature holds, with its bytes to be relayed or kept as evidence.

    `digest` is `digest("envelope", body)`, not a digest of `raw`: a signer can make many valid signatures of
    one body, and these count neither as several messages nor as disagreement about one.
    """

    envelope: Envelope
    raw: bytes
    digest: Digest


@dataclass(frozen=True, slots=True)
class Claim:
    """What sealed bytes claim, before the signature is checked: anybody may have written them."""

    envelope: Envelope
    digest: Digest
    signature: bytes


def seal(identity: Identity, envelope: Envelope) -> bytes:
    """Sign an envelope: the canonical bytes of ["sealed", body, signature].

    `body` is the envelope's canonical encoding; the Ed25519 signature covers `digest("envelope", body)`, so a
    large payload is hashed once. Raises ConfigurationError if the sender is not `identity` or a field exceeds
    its bounds.
    """
    if envelope.sender != identity.peer:
        raise ConfigurationError(
            f"{short(identity.peer)} cannot sign for {short(envelope.sender)}: set sender to identity.peer"
        )
    body = encode(envelope)
    return encode(_Signed(body, identity.sign(digest("envelope", body))))


def open_sealed(raw: bytes) -> Sealed | Rejection:
    """Check hostile bytes: size, canonical form of both layers, signature. Never raises.

    The receiver has to check run, step, attempt, phase, roster, membership of the sender, and the payload.

    A pure function, and memoised: in reliable broadcast every peer relays the same bytes, and verification
    (about 0.1 ms) would be most of its cost. The cache holds 1,024 messages of at most 32 KiB, the least
    recently used go first; and accepted messages only, so garbage cannot flush it.
    """
    raw = bytes(raw)
    try:
        return _open_once(raw) if len(raw) <= _CACHED_MESSAGE_BYTES_MAX else _open(raw)
    except _Rejected as error:
        return error.rejection


class _Rejected(Exception):
    """No sealed envelope: an exception, since `lru_cache` keeps values alone."""

    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection


def read_claim(raw: bytes) -> Claim | Rejection:
    """Return what sealed bytes claim: size and canonical form are checked, the signature is not.

    For receivers that can refuse a message before they pay for its signature. Never raises. Memoised as
    `open_sealed` is, which reads the same bytes next."""
    raw = bytes(raw)
    return _claim_once(raw) if len(raw) <= _CACHED_MESSAGE_BYTES_MAX else _claim(raw)


def _claim(raw: bytes) -> Claim | Rejection:
    signed = decode(_Signed, raw)
    if isinstance(signed, Rejection):
        return signed
    envelope = decode(Envelope, signed.body)
    if isinstance(envelope, Rejection):
        return envelope
    return Claim(envelope, digest("envelope", signed.body), signed.signature)


def _open(raw: bytes) -> Sealed:
    claim = read_claim(raw)
    if isinstance(claim, Rejection):
        raise _Rejected(claim)
    sender = claim.envelope.sender
    if not verify(sender, claim.digest, claim.signature):
        raise _Rejected(Rejection(FaultKind.BAD_SIGNATURE, f"not signed by {short(sender)}"))
    return Sealed(claim.envelope, raw, claim.digest)


_claim_once = lru_cache(maxsize=_CACHED_MESSAGES_MAX)(_claim)
_open_once = lru_cache(maxsize=_CACHED_MESSAGES_MAX)(_open)
