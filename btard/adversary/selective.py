"""A peer that breaks one transfer at a time, with another victim in each attempt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from btard.adversary.base import Adversary
from btard.machine import Actions, PushBlob
from btard.protocol.messages import AGGREGATE, GRADIENT
from btard.protocol.peer import PeerMachine
from btard.protocol.record import NOTHING
from btard.types import PeerId


@dataclass(kw_only=True, eq=False)
class Selective(Adversary):
    """Keeps its part from one honest aggregator, the next one in each attempt, and, as long as it aggregates
    itself and `complains`, says of one honest peer that its part did not come."""

    reasons: ClassVar[frozenset[str]] = frozenset({"withheld part", "unreachable"})

    complains: bool = True

    def speak(self, phase: str, payload: Any) -> Any:
        victim = self._victim(self.seating.participants)
        if phase != AGGREGATE or not (self.is_attacking and self.complains) or victim is None:
            return payload
        if payload.aggregate == NOTHING:
            return payload
        return replace(payload, aggregate=NOTHING, missing=(self.seating.participants.index(victim),))

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        agreed, seat = machine.attempt.agreed, self.seat
        victim = self._victim(machine.attempt.state.aggregators)
        if seat is None or victim is None or not self.is_attacking or GRADIENT not in agreed.sets:
            return out
        parts = set(agreed.sets[GRADIENT][seat].parts)
        for place, effect in enumerate(out.effects):
            if isinstance(effect, PushBlob) and effect.digest in parts and victim in effect.to:
                out.effects[place] = replace(effect, to=tuple(to for to in effect.to if to != victim))
        return out

    def _victim(self, peers: tuple[PeerId, ...]) -> PeerId | None:
        """Return the victim of this attempt: colluders begin with different ones."""
        honest = [peer for peer in peers if peer not in self.colluders]
        turn = self.seating.state.index + self.colluders.index(self.me)
        return honest[turn % len(honest)] if honest else None
