"""A peer that sends more than it has to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from btard.adversary.base import Adversary
from btard.adversary.forge import own_posts
from btard.errors import ConfigurationError
from btard.machine import Actions, Send
from btard.protocol.attempt import AttemptMachine
from btard.protocol.broadcast import audience, sign
from btard.protocol.messages import AGGREGATE, PHASES, RECORD, VIEW, Need, View, ViewRelay, Want
from btard.protocol.peer import PeerMachine
from btard.wire import encode

BURST_S = 10.0
"""What a peer saves up while nothing happens, in seconds of its rate."""


@dataclass(kw_only=True, eq=False)
class Flood(Adversary):
    """Sends everybody up to `rate` surplus messages a second: requests for all messages and all aggregates,
    views of the dispute to come and of the next one, its last message again. Each is well-formed."""

    reasons: ClassVar[frozenset[str]] = frozenset({"equivocation"})

    rate: float = 5.0
    _from: float = field(init=False, default=0.0, repr=False)
    _turn: int = field(init=False, default=0, repr=False)
    _said: bytes | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate <= 1000:
            raise ConfigurationError(f"rate of flood is {self.rate}: use more than 0, and at most 1000")

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        for _, sealed in own_posts(out, self.identity):
            self._said = sealed.raw
        if not self.is_attacking:
            self._from = now
            return out
        self._from = max(self._from, now - BURST_S)
        to = audience(machine.attempt.state.members, self.me)
        while self._from + 1 / self.rate <= now:
            self._from += 1 / self.rate
            self._turn += 1
            out.messages.append(Send(to, self._surplus(machine.attempt)))
        return out

    def _surplus(self, attempt: AttemptMachine) -> bytes:
        state = attempt.state
        place = (state.step, state.attempt)
        kind = self._turn % 4
        if kind == 1 and AGGREGATE in attempt.agreed.sets:
            return encode(Want(*place, attempt.agreed.aggregates))
        if kind == 2:
            dispute = attempt.disputes + self._turn // 4 % 2
            mine = sign(self.identity, attempt.seating, RECORD, self._turn.to_bytes(8, "little"))
            view = sign(self.identity, attempt.seating, VIEW, encode(View(dispute, (), (mine.raw,))))
            return encode(ViewRelay(*place, dispute, view.raw, (), ()))
        if kind == 3 and self._said is not None:
            return self._said
        phase = PHASES[self._turn // 4 % len(PHASES)]
        return encode(Need(*place, phase, tuple(range(len(attempt.seating.participants)))))
