"""Effects of the protocol machines, performed on an engine: the one place where digests meet tensors."""

from __future__ import annotations

from typing import Any

from btard.machine import (
    Adopt,
    Aggregate,
    Aggregated,
    ComputeGradient,
    Effect,
    Fingerprint,
    Project,
    ProjectRows,
    Recompute,
    Recomputed,
    Update,
)
from btard.training.engine import Engine


class Performer:
    """Performs every effect but `PushBlob`, which is the transport's. Blocks while it computes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __call__(self, effect: Effect) -> Any:
        """The result of an effect."""
        engine = self.engine
        if isinstance(effect, ComputeGradient):
            return engine.gradient(effect.step, effect.seed, effect.parts)
        if isinstance(effect, Aggregate):
            return Aggregated(*engine.aggregate(effect.rows, effect.tau))
        if isinstance(effect, Project):
            return engine.project(effect.step, effect.seed, effect.aggregates, effect.coin, effect.tau)
        if isinstance(effect, ProjectRows):
            return engine.project_rows(
                effect.part, effect.parts, effect.rows, effect.aggregate, effect.coin, effect.tau
            )
        if isinstance(effect, Recompute):
            return Recomputed(
                *engine.recompute(effect.step, effect.seed, effect.aggregates, effect.coin, effect.tau)
            )
        if isinstance(effect, Fingerprint):
            return engine.fingerprint(effect.step, effect.seed, effect.coin)
        if isinstance(effect, Update):
            return engine.update(effect.step, effect.aggregates)
        assert isinstance(effect, Adopt), effect
        return engine.adopt(effect.step, effect.keep)
