"""A peer that publishes false scalars of the gradient that it committed to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from btard.adversary.base import Adversary
from btard.machine import Effect, Perform, Project
from btard.training import Engine
from btard.types import Scalars


@dataclass(kw_only=True, eq=False)
class MisreportedProjection(Adversary):
    """Adds `shift` to its projections, and `norm_shift` to its norm, in the part of one random victim. The
    victim holds the bytes, so it can tell. By the zero sum alone the victim would be to blame."""

    reasons: ClassVar[frozenset[str]] = frozenset({"false scalars", "malformed message"})

    shift: float = 1.0
    norm_shift: float = 0.0

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = honest(effect)
        victims = self.aggregating_victims() if isinstance(effect, Project) and self.is_attacking else ()
        if not victims:
            return result
        scalars: list[Scalars] = list(result)
        part = self.seating.state.aggregators.index(victims[0])
        true = scalars[part]
        scalars[part] = replace(
            true,
            projections=tuple(p + self.shift for p in true.projections),
            norm=max(0.0, true.norm + self.norm_shift),
        )
        return tuple(scalars)
