"""Names shared by every layer: peers, digests, faults, scalars."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType, TypeAlias

PeerId = NewType("PeerId", bytes)
"""An Ed25519 public key, 32 bytes. It names a peer in rosters, messages and the ledger."""

Digest = NewType("Digest", bytes)
"""A 32-byte BLAKE2b digest with domain separation (`btard.crypto.digest`)."""

Bytes: TypeAlias = "bytes | memoryview"
"""Bytes of a vector or a file, perhaps those of an array itself: a memoryview that is only read."""


def short(peer: bytes) -> str:
    """Return the first 8 hex digits of a key or digest, for people."""
    return peer[:4].hex()


class FaultKind(str, Enum):
    """A stable word for each kind of fault, by which faults are counted. `str(kind)` is the word itself."""

    # Bytes that are not the message which they should be (btard.wire).
    OVERSIZE = "oversize"
    MALFORMED = "malformed"
    UNKNOWN_TAG = "unknown_tag"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    EXTRA_FIELD = "extra_field"
    OUT_OF_BOUNDS = "out_of_bounds"
    NON_CANONICAL = "non_canonical"
    BAD_SIGNATURE = "bad_signature"
    # An authentic message that does not belong here.
    WRONG_RUN = "wrong_run"
    WRONG_ROSTER = "wrong_roster"
    NOT_A_MEMBER = "not_a_member"
    # A breach of the rules of a stream (btard.network).
    NO_HELLO = "no_hello"
    BAD_HELLO = "bad_hello"
    BAD_OFFER = "bad_offer"
    BAD_CHUNK = "bad_chunk"
    BAD_REPLY = "bad_reply"
    STALLED_BLOB = "stalled_blob"
    FORGED_BLOB = "forged_blob"
    # A breach of the rules of an attempt (btard.protocol).
    BAD_VIEW = "bad_view"
    FLOOD = "flood"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour of a peer, as a value: it is never an exception.

    `peer` is the authenticated sender of the bytes, `detail` a sentence for people.
    """

    peer: PeerId
    kind: FaultKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Scalars:
    """The numbers that a contributor publishes about one part: the projections of
    D = (g - v) min(1, tau / |g - v|) on the public directions of the coin, the norm |g - v| before clipping,
    `center`, the norm |v| of the aggregate, which sets the float32 rounding error of v, and `row`, the norm
    |g|, which bounds |v|. A fingerprint holds the projections and the norm of a whole gradient; its `center`
    and `row` are 0."""

    projections: tuple[float, ...]
    norm: float
    center: float = 0.0
    row: float = 0.0
