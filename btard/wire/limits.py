"""How large anything from the network may be, and the markers that say so in a message's fields.

A field's type states its bound: `Annotated[bytes, MaxSize(64)]`. A field without one doesn't compile.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_CONTROL_BYTES = 4 << 20
"""Of any control message, sealed. Tensors don't travel in control messages."""

MAX_PEERS = 256
"""Members of a roster, and so rows, parts and votes."""

MAX_PROJECTIONS = 32
"""Directions of one fingerprint (scalars a part)."""

MAX_STEP = 2**48
MAX_ATTEMPT = 2**16
MAX_PHASE_BYTES = 16
MAX_NAME_BYTES = 128
MAX_TEXT_BYTES = 1024

ENVELOPE_OVERHEAD_BYTES = 512
"""What sealing adds to a payload, at most (the tests hold it to that)."""

MAX_PAYLOAD_BYTES = MAX_CONTROL_BYTES - ENVELOPE_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Size:
    """Of `bytes`: exactly so many."""

    exact: int


@dataclass(frozen=True, slots=True)
class MaxSize:
    """Of `bytes`: at most so many."""

    most: int


@dataclass(frozen=True, slots=True)
class MaxLen:
    """Of `str`: at most so many bytes in UTF-8. Of `tuple[T, ...]`: at most so many items."""

    most: int


@dataclass(frozen=True, slots=True)
class Range:
    """Of `int` or `float`: both ends included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class NonFinite:
    """Of `float`: infinities and NaN may pass. Without it they don't."""
