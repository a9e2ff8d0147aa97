"""Effects of the protocol machines, performed on an engine: the one place where digests meet tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from btard.protocol.machine import (
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
from btard.types import Digest

Perform = Callable[[Effect], Any]
"""Performs one effect and returns its result, of the type that the effect's docstring states."""


class Performer:
    """Performs every effect but `PushBlob`, which is the transport's. Blocks while it computes.

    A committed blob of another size than its part's counts as zero, by rule. Digests don't tell sizes, so
    that it is noticed here, by everybody alike; as a row or an aggregate of zeros it then gets what it
    deserves: whoever published scalars of anything else is found to have lied."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __call__(self, effect: Effect) -> Any:
        """The result of an effect."""
        engine = self.engine
        effect = self._of_right_sizes(effect)
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

    def _of_right_sizes(self, effect: Effect) -> Effect:
        if isinstance(effect, Project | Recompute | Update):
            return replace(effect, aggregates=self._parts(effect.aggregates))
        if isinstance(effect, ProjectRows):
            size_bytes = self.engine.part_bytes(effect.part, effect.parts)
            rows = tuple(self._sized(row, size_bytes) for row in effect.rows)
            return replace(effect, rows=rows, aggregate=self._sized(effect.aggregate, size_bytes))
        if isinstance(effect, Aggregate):
            return replace(effect, rows=self._rows(effect.rows))
        return effect

    def _parts(self, names: tuple[Digest, ...]) -> tuple[Digest, ...]:
        """The aggregates of all parts. Of another roster than the current one in `Recompute`."""
        sizes = (self.engine.part_bytes(part, len(names)) for part in range(len(names)))
        return tuple(self._sized(name, size_bytes) for name, size_bytes in zip(names, sizes, strict=True))

    def _rows(self, names: tuple[Digest, ...]) -> tuple[Digest, ...]:
        """The rows of one part: most senders are honest, so most rows have its size."""
        store = self.engine.store
        sizes = Counter(len(data) for data in map(store.get, names) if data is not None)
        size_bytes = sizes.most_common(1)[0][0] if sizes else 0
        return tuple(self._sized(name, size_bytes) for name in names)

    def _sized(self, name: Digest, size_bytes: int) -> Digest:
        data = self.engine.store.get(name)
        return name if data is None or len(data) == size_bytes else self.engine.store.put(bytes(size_bytes))
