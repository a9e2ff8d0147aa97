"""The average, which a single faulty row moves anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from btard.aggregators.plan import RowView, Weights
from btard.aggregators.rows import is_finite
from btard.aggregators.rule import Rule, Selection
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Mean(Rule):
    """The average of all rows. Withstands no faulty row, so f is 0."""

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if self.f != 0:
            raise ConfigurationError(f"Mean withstands no faulty row and got f = {self.f}: give f = 0")

    def _aggregate(self, rows_ND: Tensor) -> Selection:
        mean_D = rows_ND.mean(0)
        if not is_finite(mean_D):
            return Rule._aggregate(self, rows_ND)
        n = rows_ND.shape[0]
        return Selection(mean_D, torch.full((n,), 1.0 / n, dtype=torch.float64))

    def plan(self, rows: RowView) -> Weights:
        return Weights(np.full(len(rows), 1.0 / len(rows)))
