"""Peers that owe something and do not send it: a part, an aggregate or a reveal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from btard.adversary.base import Adversary
from btard.errors import ConfigurationError
from btard.machine import Actions, Aggregate, ComputeGradient, Effect, Perform, PushBlob
from btard.protocol.messages import REVEAL
from btard.protocol.peer import PeerMachine
from btard.training import Engine
from btard.types import Digest


@dataclass(kw_only=True, eq=False)
class WithheldBlob(Adversary):
    """Base: does not push blobs that it knows by their digests."""

    _withheld: frozenset[Digest] = field(init=False, default=frozenset(), repr=False)

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        out.effects = [e for e in out.effects if not (isinstance(e, PushBlob) and e.digest in self._withheld)]
        return out


@dataclass(kw_only=True, eq=False)
class WithheldPart(WithheldBlob):
    """Sends its gradient's parts to all but `count` random peers."""

    reasons: ClassVar[frozenset[str]] = frozenset({"withheld part", "unreachable"})

    count: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1:
            raise ConfigurationError(f"count of withheld_part is {self.count}: use 1 or more")

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = honest(effect)
        if isinstance(effect, ComputeGradient):
            peers = self.seating.state.aggregators
            chosen = self.aggregating_victims()[: self.count] if self.is_attacking else ()
            names = [result[peers.index(peer)] for peer in chosen if len(result) == len(peers)]
            self._withheld = frozenset(names)
        return result


@dataclass(kw_only=True, eq=False)
class WithheldAggregate(WithheldBlob):
    """Commits to the aggregate of its part and does not send it."""

    reasons: ClassVar[frozenset[str]] = frozenset({"withheld aggregate"})

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = honest(effect)
        if isinstance(effect, Aggregate):
            hides = self.is_attacking and result.aggregate is not None
            self._withheld = frozenset([result.aggregate]) if hides else frozenset()
        return result


@dataclass(kw_only=True, eq=False)
class WithheldReveal(Adversary):
    """Does not reveal its share of the coin, as if it disliked the coin that it foresaw."""

    reasons: ClassVar[frozenset[str]] = frozenset({"silent in phase reveal"})

    def speak(self, phase: str, payload: Any) -> Any:
        return None if phase == REVEAL and self.is_attacking else payload
