"""A peer that calls for a dispute without anything to settle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from btard.adversary.base import Adversary
from btard.crypto import Identity
from btard.machine import Actions, Send
from btard.protocol.attempt import AttemptMachine
from btard.protocol.broadcast import audience, sign
from btard.protocol.messages import GRADIENT, VIEW, Phase, ViewRelay
from btard.protocol.peer import PeerMachine
from btard.protocol.view import make_view
from btard.wire import encode


def premature(identity: Identity, attempt: AttemptMachine, now: float) -> Actions:
    """Return a call for a dispute and a view for it, as of a peer that has begun it."""
    out = attempt.call(now)
    state = attempt.state
    view = make_view(attempt.disputes, attempt.agreed, attempt.phase, attempt.board)
    sealed = sign(identity, attempt.seating, VIEW, encode(view))
    relay = ViewRelay(state.step, state.attempt, view.dispute, sealed.raw, (), ())
    out.messages.append(Send(audience(state.members, identity.peer), encode(relay)))
    return out


@dataclass(kw_only=True, eq=False)
class PrematureDispute(Adversary):
    """Calls for a dispute as soon as it enters `phase`, and sends a view for it, though nobody has had the
    time to speak; then it works on. If a dispute does begin, it has two views."""

    reasons: ClassVar[frozenset[str]] = frozenset({"equivocation"})

    phase: Phase = GRADIENT
    _disputed: tuple[int, int] = field(init=False, default=(-1, -1), repr=False)

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        attempt = machine.attempt
        place = (attempt.state.step, attempt.state.attempt)
        if attempt.phase == self.phase and place != self._disputed and self.is_attacking:
            self._disputed = place
            out.extend(premature(self.identity, attempt, now))
        return out
