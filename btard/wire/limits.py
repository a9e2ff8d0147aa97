"""Bounds of everything from the network, and the markers that state them in the fields of a message.

The type of a field states its bound: `Annotated[bytes, MaxSize(64)]`. A field without one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_CONTROL_BYTES = 4 << 20
"""Of any control message, sealed. Tensors do not travel in control messages."""

MAX_PEERS = 256
"""Members of a roster, and so rows, parts and votes."""

MAX_PROJECTIONS = 32
"""Directions of one fingerprint (scalars a part)."""

MAX_STEP = 2**48
MAX_ATTEMPT = 2**16
MAX_PHASE_BYTES = 16

ENVELOPE_OVERHEAD_BYTES = 512
"""Upper bound on what sealing adds to a payload; a test checks it."""

MAX_PAYLOAD_BYTES = MAX_CONTROL_BYTES - ENVELOPE_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Size:
    """Of `bytes`: exactly this number."""

    exact: int


@dataclass(frozen=True, slots=True)
class MaxSize:
    """Of `bytes`: at most this number."""

    most: int


@dataclass(frozen=True, slots=True)
class MaxLen:
    """Of `str`: the most bytes in UTF-8. Of `tuple[T, ...]`: the most items."""

    most: int


@dataclass(frozen=True, slots=True)
class Range:
    """Of `int` or `float`: both ends included."""

    least: float
    most: float
