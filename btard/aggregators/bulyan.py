"""Bulyan over Krum (El Mhamdi, Guerraoui, Rouault 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from btard.aggregators.gram import Gram, Matrix
from btard.aggregators.krum import krum_scores
from btard.aggregators.order import by_column, mean_around_median
from btard.aggregators.rule import Rule, Selection


@dataclass(frozen=True, slots=True)
class Bulyan(Rule):
    """Krum chooses theta = n - 2f rows one by one; then per coordinate the mean of the
    beta = theta - 2f values nearest to the median of the chosen.

    Scores are computed anew over the rows that remain. With m of them Krum sums max(1, m - f - 2)
    distances: the last rounds fall below Krum's own bound, which the paper leaves open. Ties go to
    the lowest index. `Selection.chosen` are the theta rows.
    """

    f: int

    @property
    def bound(self) -> str:
        return "n >= 4f + 3"

    @property
    def minimum_rows(self) -> int:
        return 4 * self.f + 3

    def _select(self, rows_ND: Tensor) -> Selection:
        n, f = rows_ND.shape[0], self.f
        theta = n - 2 * f
        chosen = sorted(choose_by_krum(Gram.of(rows_ND).squared_distances(), theta, f))
        aggregate = by_column(rows_ND[chosen], lambda rows_NB: mean_around_median(rows_NB, theta - 2 * f))
        return Selection(aggregate, chosen=tuple(chosen))


def choose_by_krum(squared_distances: Matrix, count: int, f: int) -> list[int]:
    """`count` rows, each the Krum winner among those not chosen before, in order of choice."""
    remaining = list(range(len(squared_distances)))
    chosen: list[int] = []
    while len(chosen) < count:
        scores = krum_scores(squared_distances[np.ix_(remaining, remaining)], max(1, len(remaining) - f - 2))
        chosen.append(remaining.pop(int(np.argmin(scores))))
    return chosen
