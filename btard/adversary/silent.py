"""A peer that falls silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from btard.adversary.base import Adversary
from btard.adversary.forge import own_posts
from btard.machine import Actions, PushBlob, Send
from btard.protocol.messages import PHASES, Phase
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class Silent(Adversary):
    """Says and sends nothing from `phase` on in the steps that it attacks; hears everything."""

    reasons: ClassVar[frozenset[str]] = frozenset(f"silent in phase {phase}" for phase in PHASES)

    phase: Phase = "gradient"

    def speak(self, phase: str, payload: Any) -> Any:
        return None if self.is_attacking and self._is_silent(phase) else payload

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        said = {send.raw: sealed.envelope for send, sealed in own_posts(out, self.identity)}
        now_silent = self.is_attacking and self._is_silent(machine.attempt.phase)

        def is_kept(send: Send) -> bool:
            envelope = said.get(send.raw)
            if envelope is None:
                return not now_silent
            return not (self.active(envelope.step) and self._is_silent(envelope.phase))

        pushes = [e for e in out.effects if not (now_silent and isinstance(e, PushBlob))]
        return Actions([send for send in out.messages if is_kept(send)], pushes, out.outputs, out.faults)

    def _is_silent(self, phase: str) -> bool:
        return PHASES.index(phase) >= PHASES.index(self.phase)
