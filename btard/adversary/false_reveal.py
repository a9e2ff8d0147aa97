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
        if phase != REVEAL or not self.is_attacking:
            return payload
        key = self.seed + self.seating.state.place
        return replace(payload, share=keystream(key, "false reveal", len(payload.share)))
