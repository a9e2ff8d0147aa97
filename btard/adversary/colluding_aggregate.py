"""An aggregator that shifts its part and hides it from the zero sum."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from btard.adversary.wrong_aggregate import WrongAggregate
from btard.machine import Aggregate, Effect, Perform, Project, ProjectRows
from btard.training import Engine
from btard.types import Digest, Scalars


@dataclass(kw_only=True, eq=False)
class ColludingAggregate(WrongAggregate):
    """Shifts the aggregate of its part, and publishes projections of its own row of that part that make the
    sum zero. No other peer holds that row, so it needs no accomplice. Three checks remain: the length of the
    aggregate, if the shift is longer than the rows allow; an examiner, if it puts most norms above Delta_max;
    and a validator that draws it, since the projections that it published are not those of its gradient."""

    # A balance longer than the vector that it measures is malformed on sight.
    reasons: ClassVar[frozenset[str]] = frozenset(
        {"false gradient", "false scalars", "wrong aggregate", "malformed message"}
    )

    _rows: tuple[Digest, ...] = field(init=False, default=(), repr=False)

    def perform(self, effect: Effect, honest: Perform, engine: Engine) -> Any:
        result = super().perform(effect, honest, engine)
        part = self.part
        if isinstance(effect, Aggregate):
            self._rows = effect.rows
        elif isinstance(effect, Project) and self.is_attacking and part is not None:
            return self._balanced(effect, result, part, honest)
        return result

    def _balanced(self, effect: Project, result: Any, part: int, honest: Perform) -> Any:
        parts = len(effect.aggregates)
        true: tuple[Scalars | None, ...] = honest(
            ProjectRows(part, parts, self._rows, effect.aggregates[part], effect.coin, effect.tau)
        )
        others = [row for index, row in enumerate(true) if index != self.seat]
        if len(self._rows) != len(self.seating.participants) or any(row is None for row in others):
            return result
        balance = tuple(-sum(p) for p in zip(*(row.projections for row in others if row), strict=True))
        scalars = list(result)
        scalars[part] = replace(scalars[part], projections=balance)
        return tuple(scalars)
