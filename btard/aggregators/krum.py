"""Krum and Multi-Krum (Blanchard, El Mhamdi, Guerraoui, Stainer 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from btard.aggregators.plan import RowView, Weights, mean_of
from btard.aggregators.rows import Matrix
from btard.aggregators.rule import Rule
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Krum(Rule):
    """The row with the least sum of powered distances to its nearest others.

    `neighbours` of them count: n - f - 2 if None, as in the paper (ByzFL takes n - f - 1).
    Distances are raised to `power`: 2 in the paper, 1 and 4 are seen. Ties go to the lowest index.
    """

    coefficients: ClassVar[tuple[int, int]] = (2, 3)

    neighbours: int | None = None
    power: float = 2.0

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if (self.neighbours is not None and self.neighbours < 1) or self.power <= 0:
            raise ConfigurationError(
                f"neighbours is {self.neighbours} and power {self.power}: give neighbours >= 1 and power > 0"
            )

    def _scores(self, rows: RowView) -> Matrix:
        n = len(rows)
        neighbours = n - self.f - 2 if self.neighbours is None else self.neighbours
        if neighbours > n - 1:
            raise ConfigurationError(
                f"neighbours is {neighbours}, but there are {n - 1} other rows: give at most that"
            )
        return krum_scores(rows.squared_distances() ** (self.power / 2), neighbours)

    def plan(self, rows: RowView) -> Weights:
        return mean_of(len(rows), [int(np.argmin(self._scores(rows)))])


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiKrum(Krum):
    """The mean of the `m` rows with the least Krum scores.

    m = n - f - 2 if None, the most that the paper allows; more is accepted up to n - f, which
    is seen in public code. Ties go to the lowest index.
    """

    m: int | None = None

    def plan(self, rows: RowView) -> Weights:
        n = len(rows)
        m = n - self.f - 2 if self.m is None else self.m
        if not 1 <= m <= n - self.f:
            raise ConfigurationError(f"m is {m} of n = {n} rows with f = {self.f}: give 1 <= m <= n - f")
        return mean_of(n, np.argsort(self._scores(rows), kind="stable")[:m].tolist())


def krum_scores(powered_distances: Matrix, neighbours: int) -> Matrix:
    """Return each row's sum of its `neighbours` least distances to others; (n, n) in, (n,) out."""
    others = powered_distances.copy()
    # Smaller than any distance, so that sorting puts the row itself first, where it is skipped.
    np.fill_diagonal(others, -1.0)
    scores: Matrix = np.sort(others, axis=1)[:, 1 : neighbours + 1].sum(axis=1)
    return scores
