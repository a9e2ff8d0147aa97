"""The refusal of bytes from the network: a value that is counted and attributed, never an exception."""

from __future__ import annotations

from dataclasses import dataclass

from btard.types import FaultKind


@dataclass(frozen=True, slots=True)
class Rejection:
    """`detail` tells people which field is wrong and how. It never repeats hostile text."""

    reason: FaultKind
    detail: str = ""
