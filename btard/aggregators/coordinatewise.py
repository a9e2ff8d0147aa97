"""Rules that treat every coordinate by itself (Yin et al. 2018; Xie et al. 2018 for Meamed)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from btard.aggregators.order import mean_around_median, median, ranks
from btard.aggregators.plan import Columns, RowView
from btard.aggregators.rule import Rule


@dataclass(frozen=True, slots=True)
class Median(Rule):
    """The median of every coordinate, the average of the two middle values for even n."""

    def plan(self, rows: RowView) -> Columns:
        return Columns(median)


@dataclass(frozen=True, slots=True)
class TrimmedMean(Rule):
    """The mean of every coordinate without its `f` lowest and `f` highest values."""

    def plan(self, rows: RowView) -> Columns:
        return Columns(self._trim)

    def _trim(self, rows_NB: Tensor) -> Tensor:
        if self.f == 0:
            return rows_NB.mean(0)
        kept = ranks(rows_NB, self.f, rows_NB.shape[0] - self.f)
        total_B = torch.zeros_like(kept[0])
        for value_B in kept:
            total_B += value_B
        return total_B / len(kept)


@dataclass(frozen=True, slots=True)
class Meamed(Rule):
    """The mean, in every coordinate, of the n - f values nearest to the median.

    Of values equally near, those of the rows with the lowest indices are kept.
    """

    def plan(self, rows: RowView) -> Columns:
        keep = len(rows) - self.f
        return Columns(lambda rows_NB: mean_around_median(rows_NB, keep))
