"""Signed messages in one canonical encoding, with every size bounded. Hostile bytes become a `Rejection`."""

from __future__ import annotations

from btard.wire.envelope import SEALED_PREFIX, Claim, Envelope, Sealed, open_sealed, read_claim, seal
from btard.wire.limits import MAX_CONTROL_BYTES, MAX_PEERS, MAX_PROJECTIONS, MaxLen, MaxSize, Range, Size
from btard.wire.rejection import Rejection
from btard.wire.schema import decode, encode, message, prefix_of

__all__ = [
    "MAX_CONTROL_BYTES",
    "MAX_PEERS",
    "MAX_PROJECTIONS",
    "SEALED_PREFIX",
    "Claim",
    "Envelope",
    "MaxLen",
    "MaxSize",
    "Range",
    "Rejection",
    "Sealed",
    "Size",
    "decode",
    "encode",
    "message",
    "open_sealed",
    "prefix_of",
    "read_claim",
    "seal",
]
