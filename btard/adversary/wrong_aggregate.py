"""A peer that aggregates its part wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from btard.adversary.base import Adversary
from btard.adversary.knowledge import held, put
from btard.crypto import directions
from btard.machine import Aggregate, Aggregated, Effect, Perform
from btard.training import Engine


@dataclass(kw_only=True, eq=False)
class WrongAggregate(Adversary):
    """Shifts the aggregate of its part by a vector of length `shift` (in units of the gradient), commits to
    the shifted bytes and sends them. All peers see that the part's projections do not sum to zero."""

    reasons: ClassVar[frozenset[str]] = frozenset({"wrong aggregate"})

    shift: float = 1.0

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = honest(effect)
        if not isinstance(effect, Aggregate) or result.aggregate is None or not self.is_attacking:
            return result
        vector = held(engine, result.aggregate)
        assert vector is not None, "the aggregate was put into the store just now"
        return Aggregated(put(engine, vector + self.shift_vector(vector.numel())))

    def shift_vector(self, length: int) -> Tensor:
        """Return the shift (m,): a random direction of this step, `shift` long."""
        step = self.seating.state.step.to_bytes(8, "little")
        direction = directions(self.seed + step, "wrong aggregate", 1, 0, length)[0]
        return direction * (self.shift / float(direction.norm()))
