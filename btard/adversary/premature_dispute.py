"""A peer that calls for a dispute without anything to settle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from btard.adversary.base import Adversary
from btard.machine import Actions
from btard.protocol.messages import GRADIENT, PHASES, Phase
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class PrematureDispute(Adversary):
    """Falls into dispute as soon as it enters `phase`, at the expense of the others, who may not have had the
    time to speak."""

    reasons: ClassVar[frozenset[str]] = frozenset(f"silent in phase {phase}" for phase in PHASES)

    phase: Phase = GRADIENT
    _disputed: tuple[int, int] = field(init=False, default=(-1, -1), repr=False)

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        attempt = machine.attempt
        place = (attempt.state.step, attempt.state.attempt)
        if attempt.phase == self.phase and place != self._disputed and self.is_attacking:
            self._disputed = place
            out.extend(attempt.dispute(now))
        return out
