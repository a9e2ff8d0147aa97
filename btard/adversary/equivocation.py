"""A peer that sends one message to one half of the roster and another message to the other half."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from btard.adversary.base import Adversary
from btard.adversary.forge import other_payload, own_posts, reseal
from btard.machine import Actions, Send
from btard.protocol.messages import Phase
from btard.protocol.peer import PeerMachine


@dataclass(kw_only=True, eq=False)
class Equivocation(Adversary):
    """Signs two different messages in its slot of `phase`. An honest peer might have sent either."""

    reasons: ClassVar[frozenset[str]] = frozenset({"equivocation"})

    phase: Phase = "gradient"

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        for send, sealed in tuple(own_posts(out, self.identity)):
            if sealed.envelope.phase != self.phase or len(send.to) < 2:
                continue
            if not self.active(sealed.envelope.step):
                continue
            half = (len(send.to) + 1) // 2
            other = reseal(self.identity, sealed, other_payload(sealed))
            place = out.messages.index(send)
            out.messages[place : place + 1] = [Send(send.to[:half], send.raw), Send(send.to[half:], other)]
        return out
