"""A peer that accuses an honest one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from btard.adversary.base import Adversary
from btard.machine import Effect, Perform, ProjectRows, Recompute, Recomputed
from btard.training import Engine
from btard.types import Digest, Scalars


@dataclass(kw_only=True, eq=False)
class FalseAccusation(Adversary):
    """Computes wrong numbers, and so accuses honest peers and votes against them. `what` it disputes: the
    "row" of a random honest contributor to its part, the "gradient" of the peer that it validates, or
    "both"."""

    reasons: ClassVar[frozenset[str]] = frozenset({"false accusation"})

    what: Literal["row", "gradient", "both"] = "both"
    _lies: set[Digest] = field(init=False, default_factory=set, repr=False)

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = honest(effect)
        if not self.is_attacking:
            return result
        if isinstance(effect, ProjectRows) and self.what != "gradient" and effect.part == self.part:
            return self._rows(effect, result)
        if isinstance(effect, Recompute) and self.what != "row":
            return Recomputed(tuple(map(_shifted, result.scalars)), result.norm)
        return result

    def _rows(self, effect: ProjectRows, result: tuple[Scalars | None, ...]) -> tuple[Scalars | None, ...]:
        peers = self.seating.participants
        victims = self.victims()
        if len(effect.rows) == len(peers) and victims:
            self._lies.add(effect.rows[peers.index(victims[0])])
        return tuple(
            _shifted(true) if true is not None and row in self._lies else true
            for row, true in zip(effect.rows, result, strict=True)
        )


def _shifted(scalars: Scalars) -> Scalars:
    return replace(scalars, projections=tuple(p + 1.0 + scalars.norm for p in scalars.projections))
