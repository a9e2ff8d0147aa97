"""Bulyan over Krum (El Mhamdi, Guerraoui, Rouault 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from btard.aggregators.krum import krum_scores
from btard.aggregators.order import mean_around_median
from btard.aggregators.plan import Columns, RowView
from btard.aggregators.rows import Matrix
from btard.aggregators.rule import Rule


@dataclass(frozen=True, slots=True)
class Bulyan(Rule):
    """Krum chooses theta = n - 2f rows one by one; then per coordinate the mean of the
    beta = theta - 2f values nearest to the median of the chosen.

    Scores are computed anew over the rows that remain. With m of them Krum sums max(1, m - f - 2)
    distances: the last rounds fall below Krum's own bound, which the paper leaves open. Ties go to
    the lowest index. `Selection.chosen` are the theta rows.
    """

    coefficients: ClassVar[tuple[int, int]] = (4, 3)

    def plan(self, rows: RowView) -> Columns:
        theta = len(rows) - 2 * self.f
        chosen = sorted(choose_by_krum(rows.squared_distances(), theta, self.f))
        keep = theta - 2 * self.f
        return Columns(lambda rows_NB: mean_around_median(rows_NB, keep), tuple(chosen))


def choose_by_krum(squared_distances: Matrix, count: int, f: int) -> list[int]:
    """`count` rows, each the Krum winner among those not chosen before, in order of choice."""
    remaining = list(range(len(squared_distances)))
    chosen: list[int] = []
    while len(chosen) < count:
        scores = krum_scores(squared_distances[np.ix_(remaining, remaining)], max(1, len(remaining) - f - 2))
        chosen.append(remaining.pop(int(np.argmin(scores))))
    return chosen
