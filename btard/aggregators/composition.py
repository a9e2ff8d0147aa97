"""Rules around a rule: NNM and bucketing change its rows, CTMA its result."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from btard.aggregators.blocks import mix
from btard.aggregators.plan import Plan, View, Weights, mean_of
from btard.aggregators.rows import Matrix, Rows
from btard.aggregators.rule import Rule, SomeRule
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Nnm(Rule):
    """Nearest-neighbour mixing (Allouah et al. 2023): `base` of the means of each row and its nearest.

    Row i becomes the mean of the n - f rows nearest to it, itself among them. Ties go to the lowest index.
    The base sees the mixed rows through their weights; only `mixed` forms them.
    """

    f: int
    base: Rule

    @property
    def bound(self) -> str:
        return f"n >= max(2f + 1, {self.base.minimum_rows})"

    @property
    def minimum_rows(self) -> int:
        return max(2 * self.f + 1, self.base.minimum_rows)

    def with_f(self: SomeRule, f: int) -> SomeRule:
        return _with_f(self, f)

    def with_seed(self, seed: int) -> Nnm:
        return replace(self, base=self.base.with_seed(seed))

    def mixed(self, rows: Rows) -> Tensor:
        """The mixed rows, shape (n, d), of the rows' dtype and device. Raises as `select` does.

        Whatever the policy for NaN and Inf, it refuses them: there is no mixture for a row left out.
        """
        rows_ND = self._enough(rows)
        return mix(rows_ND, nearest_neighbour_mixing(View(rows_ND).squared_distances(), self.f))

    def plan(self, rows: View) -> Plan:
        """What the base makes of the mixtures."""
        mixing = nearest_neighbour_mixing(rows.squared_distances(), self.f)
        return self.base.plan(rows.mixed(mixing)).through(mixing)


def nearest_neighbour_mixing(squared_distances: Matrix, f: int) -> Matrix:
    """The (n, n) weights of NNM: row i averages the n - f rows nearest to x_i."""
    n = len(squared_distances)
    distances = squared_distances.copy()
    # A copy of x_i is as near as x_i itself, which is always kept.
    np.fill_diagonal(distances, -1.0)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : n - f]
    mixing = np.zeros((n, n))
    np.put_along_axis(mixing, nearest, 1.0 / (n - f), axis=1)
    return mixing


@dataclass(frozen=True, slots=True)
class Bucketing(Rule):
    """`base` of the means of random buckets of `s` rows (Karimireddy, He, Jaggi 2022).

    The rows are permuted by `seed` and cut into ceil(n / s) buckets, the last perhaps smaller. The rule is
    pure: give another seed for another draw. Each of f faulty rows spoils at most one bucket, so
    `base` needs the f, and it is the base's bound that the number of buckets must meet.
    """

    base: Rule
    s: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if self.s < 1:
            raise ConfigurationError(f"buckets of s = {self.s} rows: give s >= 1")
        if not 0 <= self.seed < 1 << 64:
            raise ConfigurationError(f"seed = {self.seed} is no seed of 64 bits: give 0 to 2^64 - 1")

    @property
    def bound(self) -> str:
        return f"ceil(n / {self.s}) >= {self.base.minimum_rows}"

    @property
    def minimum_rows(self) -> int:
        return max(2 * self.f + 1, self.s * (self.base.minimum_rows - 1) + 1)

    def with_f(self: SomeRule, f: int) -> SomeRule:
        return _with_f(self, f)

    def with_seed(self, seed: int) -> Bucketing:
        return replace(self, seed=seed, base=self.base.with_seed(seed))

    def plan(self, rows: View) -> Plan:
        """What the base makes of the buckets' means."""
        mixing = bucket_mixing(len(rows), self.s, self.seed)
        return self.base.plan(rows.mixed(mixing)).through(mixing)


def bucket_mixing(n: int, s: int, seed: int) -> Matrix:
    """The (ceil(n / s), n) weights of bucketing."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()
    mixing = np.zeros((-(-n // s), n))
    for bucket, start in zip(mixing, range(0, n, s), strict=True):
        members = order[start : start + s]
        bucket[members] = 1.0 / len(members)
    return mixing


@dataclass(frozen=True, slots=True)
class Ctma(Rule):
    """The mean of the n - f rows nearest to what `base` gives (Dahan, Levy 2024).

    Exactly n - f rows are kept, ties going to the lowest index.
    """

    f: int
    base: Rule

    @property
    def bound(self) -> str:
        return f"n >= max(2f + 1, {self.base.minimum_rows})"

    @property
    def minimum_rows(self) -> int:
        return max(2 * self.f + 1, self.base.minimum_rows)

    def with_f(self: SomeRule, f: int) -> SomeRule:
        return _with_f(self, f)

    def with_seed(self, seed: int) -> Ctma:
        return replace(self, base=self.base.with_seed(seed))

    def plan(self, rows: View) -> Weights:
        """Equal weights for the rows nearest to what the base makes of them."""
        return mean_of(len(rows), rows.nearest(self.base.plan(rows), len(rows) - self.f))


def _with_f(rule: SomeRule, f: int) -> SomeRule:
    """`rule` and its base for f, the base's own f lowered or raised by as much."""
    assert isinstance(rule, Nnm | Bucketing | Ctma)
    base_f = max(0, rule.base.f + f - rule.f)
    return replace(rule, f=f, base=rule.base.with_f(base_f))
