"""A peer that speaks in disputes alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from btard.adversary.base import Adversary
from btard.adversary.forge import own_posts
from btard.machine import Actions, PushBlob
from btard.protocol.messages import AGGREGATE, RECORD
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class ViewsOnly(Adversary):
    """Sends its message of `phase`, or of all phases but the vote, to nobody, also if it is asked for. The
    others call for a dispute, and its view brings the message. Blobs it sends once the others know what they
    are for."""

    reasons: ClassVar[frozenset[str]] = frozenset({"slow"})

    phase: Literal["all", "gradient", "aggregate", "reveal", "scalars", "accuse", "verdict", "record"] = "all"
    _waits: int = field(init=False, default=-1, repr=False)
    _pushes: list[PushBlob] = field(init=False, default_factory=list, repr=False)

    def speak(self, phase: str, payload: Any) -> Any:
        # It is ahead of the others, so their parts are not late, but still to come.
        waits = phase == AGGREGATE and self.is_attacking and payload.missing
        return None if waits else payload

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        attempt = machine.attempt
        if out.outputs:  # an attempt has ended
            self._waits, self._pushes = -1, []
        for send, sealed in tuple(own_posts(out, self.identity)):
            phase, step = sealed.envelope.phase, sealed.envelope.step
            if self.active(step) and self._hides(phase):
                out.messages.remove(send)
                if (step, sealed.envelope.attempt) == (attempt.state.step, attempt.state.attempt):
                    self._waits = max(self._waits, attempt.disputes)
        early = self._waits >= attempt.disputes or attempt.in_dispute
        if early:
            self._pushes += [each for each in out.effects if isinstance(each, PushBlob)]
            out.effects = [each for each in out.effects if not isinstance(each, PushBlob)]
        elif self._pushes:
            out.effects += self._pushes
            self._pushes = []
        return out

    def _hides(self, phase: str) -> bool:
        # It has everybody's vote before a dispute about its own begins, and would take no part in that.
        return phase == self.phase or (self.phase == "all" and phase != RECORD)
