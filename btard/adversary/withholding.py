"""Peers that owe something and do not send it: a part, an aggregate, a reveal, or anything at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from btard.adversary.base import Adversary, Perform
from btard.adversary.forge import own_posts
from btard.errors import ConfigurationError
from btard.protocol.machine import Aggregate, ComputeGradient, Effect, PushBlob, Send, Step
from btard.protocol.messages import GRADIENT, PHASES, REVEAL
from btard.protocol.peer import PeerMachine
from btard.training import Engine
from btard.types import Digest


@dataclass(kw_only=True, eq=False)
class WithheldBlob(Adversary):
    """Base: does not push blobs that it knows by their digests."""

    _withheld: frozenset[Digest] = field(init=False, default=frozenset(), repr=False)

    def tamper(self, out: Step, machine: PeerMachine, now: float) -> Step:
        """Drop the pushes of what it withholds."""
        out.effects = [e for e in out.effects if not (isinstance(e, PushBlob) and e.digest in self._withheld)]
        return out


@dataclass(kw_only=True, eq=False)
class WithheldPart(WithheldBlob):
    """Sends its gradient's parts to all but `count` random peers, and does not publish what they then
    complain about either."""

    count: int = 1

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        """Note which parts are the victims'."""
        result = honest(effect)
        if isinstance(effect, ComputeGradient):
            peers = self.attempt.participants
            chosen = self.victims()[: self.count] if self.is_attacking else ()
            names = [result[peers.index(peer)] for peer in chosen if len(result) == len(peers)]
            self._withheld = frozenset(names)
        return result


@dataclass(kw_only=True, eq=False)
class WithheldAggregate(WithheldBlob):
    """Commits to the aggregate of its part and sends it to nobody."""

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        """Note which blob is its aggregate."""
        result = honest(effect)
        if isinstance(effect, Aggregate):
            hides = self.is_attacking and result.aggregate is not None
            self._withheld = frozenset([result.aggregate]) if hides else frozenset()
        return result


@dataclass(kw_only=True, eq=False)
class WithheldReveal(Adversary):
    """Does not reveal its share of the coin, as if it had not liked where the coin was going."""

    def speak(self, phase: str, payload: Any) -> Any:
        """Say nothing in the reveal phase."""
        return None if phase == REVEAL and self.is_attacking else payload


@dataclass(kw_only=True, eq=False)
class Silent(Adversary):
    """Says and sends nothing from `phase` on, in the steps that it attacks in; hears everything."""

    phase: str = GRADIENT

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.phase not in PHASES:
            raise ConfigurationError(
                f"there is no phase {self.phase!r} to fall silent in: choose one of {', '.join(PHASES)}"
            )

    def speak(self, phase: str, payload: Any) -> Any:
        """Say nothing in this phase and those after it."""
        return None if self.is_attacking and self._is_silent(phase) else payload

    def tamper(self, out: Step, machine: PeerMachine, now: float) -> Step:
        """Nor send anything once the silence has begun."""
        said = {send.raw: sealed.envelope for send, sealed in own_posts(out, self.identity)}
        now_silent = self.is_attacking and self._is_silent(machine.attempt.phase)

        def is_kept(send: Send) -> bool:
            envelope = said.get(send.raw)
            if envelope is None:
                return not now_silent
            return not (self.active(envelope.step) and self._is_silent(envelope.phase))

        pushes = [e for e in out.effects if not (now_silent and isinstance(e, PushBlob))]
        return Step([send for send in out.messages if is_kept(send)], pushes, out.outputs, out.faults)

    def _is_silent(self, phase: str) -> bool:
        return PHASES.index(phase) >= PHASES.index(self.phase)
