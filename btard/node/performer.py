"""Effects of the protocol machines, performed on an engine: the one place where digests meet tensors."""

from __future__ import annotations

from typing import Any

from btard.machine import (
    Abandon,
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

KINDS: dict[type[Effect], str] = {
    ComputeGradient: "gradient",
    Aggregate: "aggregate",
    Project: "project",
    ProjectRows: "project_rows",
    Recompute: "recompute",
    Fingerprint: "fingerprint",
    Update: "update",
    Abandon: "abandon",
    Adopt: "adopt",
}
"""What people call the work of an effect."""


class Performer:
    """Performs every effect but `PushBlob`, which is the transport's. Blocks while it computes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __call__(self, effect: Effect) -> Any:
        """Return the result of an effect."""
        engine = self.engine
        match effect:
            case ComputeGradient(step, seed, parts):
                return engine.gradient(step, seed, parts)
            case Aggregate(rows, tau):
                return Aggregated(*engine.aggregate(rows, tau))
            case Project(step, seed, aggregates, coin, tau):
                return engine.project(step, seed, aggregates, coin, tau)
            case ProjectRows(part, parts, rows, aggregate, coin, tau):
                return engine.project_rows(part, parts, rows, aggregate, coin, tau)
            case Recompute(step, seed, aggregates, coin, tau):
                return Recomputed(*engine.recompute(step, seed, aggregates, coin, tau))
            case Fingerprint(step, seed, coin):
                return engine.fingerprint(step, seed, coin)
            case Update(step, aggregates):
                return engine.update(step, aggregates)
            case Abandon(keep):
                return engine.store.retain(keep)
            case Adopt(step, keep):
                return engine.adopt(step, keep)
            case _:
                raise AssertionError(effect)
