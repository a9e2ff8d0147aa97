"""A peer that calls for a dispute in each phase."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from btard.adversary.base import Adversary
from btard.adversary.premature_dispute import premature
from btard.machine import Actions
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class DisputeEachPhase(Adversary):
    """Calls for a dispute in each phase as soon as it enters it, and sends a view for it; then it works on.
    If a dispute does begin, it has two views."""

    reasons: ClassVar[frozenset[str]] = frozenset({"equivocation"})

    _done: tuple[int, int, str] = field(init=False, default=(-1, -1, ""), repr=False)

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        attempt = machine.attempt
        place = (attempt.state.step, attempt.state.attempt, attempt.phase)
        if place != self._done and self.is_attacking and not attempt.in_dispute:
            self._done = place
            out.extend(premature(self.identity, attempt, now))
        return out
