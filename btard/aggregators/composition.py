"""Rules around a rule: NNM and bucketing change its rows, CTMA its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from btard.aggregators.blocks import mix
from btard.aggregators.plan import Plan, RowView, Weights, mean_of
from btard.aggregators.rows import Matrix, Rows
from btard.aggregators.rule import Rule
from btard.errors import ConfigurationError

SomeAround = TypeVar("SomeAround", bound="Around")


@dataclass(frozen=True, slots=True)
class Around(Rule):
    """Base of rules around a rule: `plan` gives the `base` other rows, or changes the base's plan."""

    base: Rule

    def rows_for(self, rows: int) -> int:
        """Return how many rows it takes until the base is given `rows`."""
        return rows

    @property
    def bound(self) -> str:
        """The condition on n: this rule's own, and the base's."""
        return "n >= max({}f + {}, {})".format(*self.coefficients, self.rows_for(self.base.minimum_rows))

    @property
    def minimum_rows(self) -> int:
        per_f, more = self.coefficients
        return max(per_f * self.f + more, self.rows_for(self.base.minimum_rows))

    def with_f(self: SomeAround, f: int) -> SomeAround:
        """Return the same rule and base for f, the base's own f lowered or raised by as much."""
        return replace(self, f=f, base=self.base.with_f(max(0, self.base.f + f - self.f)))

    def with_seed(self: SomeAround, seed: int) -> SomeAround:
        return replace(self, base=self.base.with_seed(seed))


@dataclass(frozen=True, slots=True)
class Nnm(Around):
    """Nearest-neighbour mixing (Allouah et al. 2023): `base` of the means of each row and its nearest.

    Row i becomes the mean of the n - f rows nearest to it, itself among them. Ties go to the lowest index.
    The base sees the mixed rows through their weights; only `mixed` forms them.
    """

    def mixed(self, rows: Rows) -> Tensor:
        """Return the mixed rows, shape (n, d), of the rows' dtype and device. Raises as `select` does.

        It refuses NaN and Inf under either policy: there is no mixture for a row left out.
        """
        rows_ND = self._enough(rows)
        return mix(rows_ND, nearest_neighbour_mixing(RowView(rows_ND).squared_distances(), self.f))

    def plan(self, rows: RowView) -> Plan:
        mixing = nearest_neighbour_mixing(rows.squared_distances(), self.f)
        return self.base.plan(rows.mixed(mixing)).through(mixing)


def nearest_neighbour_mixing(squared_distances: Matrix, f: int) -> Matrix:
    """Return the (n, n) weights of NNM: row i averages the n - f rows nearest to x_i."""
    n = len(squared_distances)
    distances = squared_distances.copy()
    # A copy of x_i is as near as x_i itself, which is always kept.
    np.fill_diagonal(distances, -1.0)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : n - f]
    mixing = np.zeros((n, n))
    np.put_along_axis(mixing, nearest, 1.0 / (n - f), axis=1)
    return mixing


@dataclass(frozen=True, slots=True)
class Bucketing(Around):
    """`base` of the means of random buckets of `s` rows (Karimireddy, He, Jaggi 2022).

    The rows are permuted by `seed` and cut into ceil(n / s) buckets, the last perhaps smaller. The rule is
    pure: give another seed for another draw. Each of f faulty rows spoils at most one bucket, so
    `base` needs the f, and it is the base's bound that the number of buckets must meet.
    """

    s: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if self.s < 1:
            raise ConfigurationError(f"s is {self.s} rows a bucket: give s >= 1")
        if not 0 <= self.seed < 1 << 64:
            raise ConfigurationError(f"seed is {self.seed}: give 0 to 2^64 - 1")

    def rows_for(self, rows: int) -> int:
        return self.s * (rows - 1) + 1

    def with_seed(self, seed: int) -> Bucketing:
        return replace(self, seed=seed, base=self.base.with_seed(seed))

    def plan(self, rows: RowView) -> Plan:
        mixing = bucket_mixing(len(rows), self.s, self.seed)
        return self.base.plan(rows.mixed(mixing)).through(mixing)


def bucket_mixing(n: int, s: int, seed: int) -> Matrix:
    """Return the (ceil(n / s), n) weights of bucketing."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()
    mixing = np.zeros((-(-n // s), n))
    for bucket, start in zip(mixing, range(0, n, s), strict=True):
        members = order[start : start + s]
        bucket[members] = 1.0 / len(members)
    return mixing


@dataclass(frozen=True, slots=True)
class Ctma(Around):
    """The mean of the n - f rows nearest to what `base` gives (Dahan, Levy 2024).

    Exactly n - f rows are kept, ties going to the lowest index.
    """

    def plan(self, rows: RowView) -> Weights:
        return mean_of(len(rows), rows.nearest(self.base.plan(rows), len(rows) - self.f))
