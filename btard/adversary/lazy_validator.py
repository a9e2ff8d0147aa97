"""A validator that does not do its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from btard.adversary.base import Adversary
from btard.machine import Effect, Fingerprint, Perform, Recompute, Recomputed
from btard.protocol.state import gradient_seed
from btard.training import Engine
from btard.types import Scalars


@dataclass(kw_only=True, eq=False)
class LazyValidator(Adversary):
    """Approves its target without computing anything: as recomputed scalars it takes those that the target
    published. It cannot copy the fingerprint on the new coin, so it says zero."""

    reasons: ClassVar[frozenset[str]] = frozenset({"false validation"})

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        target = self._target()
        if target is None or not isinstance(effect, Recompute | Fingerprint) or effect.seed != target[0]:
            return honest(effect)
        if isinstance(effect, Recompute):
            return Recomputed(target[1], 0.0)
        return Scalars((0.0,) * self.seating.state.config.directions, 0.0)

    def _target(self) -> tuple[bytes, tuple[Scalars, ...]] | None:
        """Return seed and published scalars of the gradient that it should recompute, if there is one."""
        past = self.seating.state.finished
        if past is None or not self.is_attacking:
            return None
        for validator, target in self.seating.state.pairs:
            if validator == self.me:
                seat = past.participants.index(target)
                return gradient_seed(past.seed_coin, target), past.scalars[seat]
        return None
