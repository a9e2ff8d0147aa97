"""A peer that opens its share of the coin to another value than it committed to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from btard.adversary.base import Adversary
from btard.crypto import keystream
from btard.protocol.messages import REVEAL


@dataclass(kw_only=True, eq=False)
class FalseReveal(Adversary):
    """Reveals a random share in place of its own."""

    reasons: ClassVar[frozenset[str]] = frozenset({"false reveal"})

    def speak(self, phase: str, payload: Any) -> Any:
        """Change the share."""
        if phase != REVEAL or not self.is_attacking:
            return payload
        state = self.seating.state
        place = state.step.to_bytes(8, "little") + state.attempt.to_bytes(4, "little")
        return replace(payload, share=keystream(self.seed + place, "false reveal", len(payload.share)))
