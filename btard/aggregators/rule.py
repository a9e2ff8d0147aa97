"""The interface of all aggregation rules: frozen values, callable on rows, without hidden state.

The base class does what all rules share: it stacks and checks the rows, applies the policy for
NaN and Inf, and says which bound was missed. A rule itself only sees a `RowView` of finite rows, enough of
them, and says how to combine them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from btard.aggregators.plan import Plan, RowView, Weights
from btard.aggregators.rows import NonFiniteRows, Rows, as_rows
from btard.errors import ConfigurationError

SomeRule = TypeVar("SomeRule", bound="Rule")


class TooFewRows(ConfigurationError, ValueError):
    """A rule was given fewer rows than its guarantee needs; the text states the bound."""


@dataclass(frozen=True, slots=True)
class Selection:
    """An aggregate and its origin.

    `aggregate` has shape (d,). `weights`, shape (n,), float64 on the CPU, says how much of each
    given row is in it, None for rules that choose per coordinate. `chosen` are the indices of the
    rows that a selecting rule kept, ascending. `dropped` are the rows refused for NaN or Inf.
    """

    aggregate: Tensor
    weights: Tensor | None = None
    chosen: tuple[int, ...] | None = None
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(ABC):
    """An aggregation rule that withstands `f` faulty rows.

    `non_finite` is the policy for rows with NaN or Inf: "refuse" raises `NonFiniteRows`, "drop"
    leaves out up to `f` of them, names them in `Selection.dropped`, and goes on with f reduced by
    as many, since each was one of the f.
    """

    coefficients: ClassVar[tuple[int, int]] = (2, 1)
    """a and b of the bound n >= a f + b."""

    f: int = 0
    non_finite: Literal["refuse", "drop"] = "refuse"

    def __post_init__(self) -> None:
        if not isinstance(self.f, int) or self.f < 0:
            raise ConfigurationError(f"f is {self.f}: give a whole f >= 0")
        if self.non_finite not in ("refuse", "drop"):
            raise ConfigurationError(f'non_finite is {self.non_finite!r}: give "refuse" or "drop"')

    @property
    def bound(self) -> str:
        """The condition on n, as a person writes it."""
        return "n >= {}f + {}".format(*self.coefficients)

    @property
    def minimum_rows(self) -> int:
        """The least number of rows for which the rule's guarantee holds."""
        per_f, more = self.coefficients
        return per_f * self.f + more

    def with_f(self: SomeRule, f: int) -> SomeRule:
        """Return the same rule for another number of faulty rows."""
        return replace(self, f=f)

    def with_seed(self: SomeRule, seed: int) -> SomeRule:
        """Return the same rule with `seed` for its draws, the rule itself if it never draws.

        Rules are pure, so one that draws (`Bucketing`) draws the same until it is given another seed: a fresh
        draw in every step takes a fresh seed in every step. Rules around a rule hand the seed on to it.
        """
        return self

    def __call__(self, rows: Rows) -> Tensor:
        """Return the aggregate, shape (d,), of the rows' dtype and device. Raises as `select` does."""
        return self.select(rows).aggregate

    def select(self, rows: Rows) -> Selection:
        """Return the aggregate together with the rows' part in it.

        Raises `ConfigurationError` for rows of wrong shape or type, `TooFewRows` below
        `minimum_rows`, and `NonFiniteRows` if the policy does not allow to drop them.
        """
        rows_ND = self._enough(rows)
        try:
            return self._aggregate(rows_ND)
        except NonFiniteRows as found:
            if self.non_finite == "refuse":
                raise
            bad = found.rows
        if len(bad) > self.f:
            raise NonFiniteRows(bad, f"only f = {self.f} may be dropped")
        return self._select_without(rows_ND, bad)

    def _enough(self, rows: Rows) -> Tensor:
        rows_ND = as_rows(rows)
        n = rows_ND.shape[0]
        if n < self.minimum_rows:
            raise TooFewRows(
                f"{type(self).__name__} with f = {self.f} needs {self.bound}, here"
                f" n >= {self.minimum_rows}, and got {n} rows: add rows or lower f"
            )
        return rows_ND

    def _select_without(self, rows_ND: Tensor, bad: tuple[int, ...]) -> Selection:
        kept = [i for i in range(rows_ND.shape[0]) if i not in bad]
        inner = self.with_f(self.f - len(bad)).select(rows_ND[kept])
        weights = None
        if inner.weights is not None:
            weights = inner.weights.new_zeros(rows_ND.shape[0])
            weights[kept] = inner.weights
        chosen = None if inner.chosen is None else tuple(kept[i] for i in inner.chosen)
        return Selection(inner.aggregate, weights, chosen, bad)

    def _aggregate(self, rows_ND: Tensor) -> Selection:
        view = RowView(rows_ND)
        plan = self.plan(view)
        weights = torch.from_numpy(plan.weights) if isinstance(plan, Weights) else None
        return Selection(view.aggregate(plan), weights, plan.chosen)

    @abstractmethod
    def plan(self, rows: RowView) -> Plan:
        """Decide how to combine the rows, of which there are enough, or mixtures of them.

        Rows with NaN or Inf need no check here: every computation of the view on them raises `NonFiniteRows`.
        """
