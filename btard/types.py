"""Names shared by every layer: who a peer is, what a digest is, what a fault is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

PeerId = NewType("PeerId", bytes)
"""An Ed25519 public key, 32 bytes: a peer's name in rosters, messages and the ledger."""

Digest = NewType("Digest", bytes)
"""A 32-byte BLAKE2b digest with domain separation (`btard.crypto.digest`)."""


def short(peer: bytes) -> str:
    """The first 8 hex digits of a key or digest, for people."""
    return peer[:4].hex()


@dataclass(frozen=True, slots=True)
class Fault:
    """What a peer did wrong, as a value: misbehaviour is never an exception.

    `peer` is whom it is attributed to (the authenticated sender of the bytes), `kind` a stable
    word that is counted, `detail` a sentence for people, `evidence` the signed bytes that prove
    it, empty where there is no proof.
    """

    peer: PeerId
    kind: str
    detail: str = ""
    evidence: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Scalars:
    """What a contributor publishes about one part: projections of D = (g - v) min(1, tau / |g - v|)
    on the public directions of the coin, the norm |g - v| before clipping, and `center`, the norm
    |v| of the aggregate, which sets the float32 rounding error of v. Of a whole gradient (a
    fingerprint): its projections and its norm; `center` is 0."""

    projections: tuple[float, ...]
    norm: float
    center: float = 0.0
