"""What every aggregation rule is: a frozen value, callable on rows, without hidden state.

The base class does what all rules share: it stacks and checks the rows, applies the policy for
NaN and Inf, and says which bound was missed. A rule itself only sees a finite (n, d) tensor with
enough rows, and must leave it untouched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

import torch
from torch import Tensor

from btard.errors import ConfigurationError

Rows: TypeAlias = Tensor | Sequence[Tensor]
"""An (n, d) floating tensor, or n floating 1-D tensors of one length, dtype and device."""


SomeRule = TypeVar("SomeRule", bound="Rule")


class NonFiniteRows(ConfigurationError, ValueError):
    """Some rows hold NaN or Inf; `rows` names them. Their senders committed to these bytes."""

    def __init__(self, rows: tuple[int, ...], advice: str) -> None:
        names = ", ".join(map(str, rows))
        super().__init__(f"NaN or Inf in row{'s' if len(rows) > 1 else ''} {names}: {advice}")
        self.rows = rows


class TooFewRows(ConfigurationError, ValueError):
    """A rule was given fewer rows than its guarantee needs; the text states the bound."""


@dataclass(frozen=True, slots=True)
class Selection:
    """An aggregate and where it came from.

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

    f: int = 0
    non_finite: Literal["refuse", "drop"] = "refuse"

    def __post_init__(self) -> None:
        if not isinstance(self.f, int) or self.f < 0:
            raise ConfigurationError(f"f = {self.f} faulty rows make no sense: give a whole f >= 0")
        if self.non_finite not in ("refuse", "drop"):
            raise ConfigurationError(f'non_finite = {self.non_finite!r}: give "refuse" or "drop"')

    @property
    def bound(self) -> str:
        """The condition on n, as a person writes it."""
        return "n >= 2f + 1"

    @property
    def minimum_rows(self) -> int:
        """The least number of rows for which the rule's guarantee holds."""
        return 2 * self.f + 1

    def with_f(self: SomeRule, f: int) -> SomeRule:
        """The same rule for another number of faulty rows."""
        return replace(self, f=f)

    def with_seed(self: SomeRule, seed: int) -> SomeRule:
        """The same rule with `seed` wherever it draws; itself where it never does.

        Rules are pure, so one that draws (`Bucketing`) draws the same until it is given another seed: whoever
        wants a fresh draw a step gives one a step. Rules around a rule hand the seed on to it.
        """
        return self

    def __call__(self, rows: Rows) -> Tensor:
        """The aggregate, shape (d,), of the rows' dtype and device. Raises as `select` does."""
        return self.select(rows).aggregate

    def select(self, rows: Rows) -> Selection:
        """The aggregate together with the rows' part in it.

        Raises `ConfigurationError` for rows of wrong shape or type, `TooFewRows` below
        `minimum_rows`, and `NonFiniteRows` where the policy does not allow to drop them.
        """
        rows_ND = as_rows(rows)
        n = rows_ND.shape[0]
        if n < self.minimum_rows:
            raise TooFewRows(
                f"{type(self).__name__} with f = {self.f} needs {self.bound}, here"
                f" n >= {self.minimum_rows}, and got {n} rows: add rows or lower f"
            )
        bad = non_finite_rows(rows_ND)
        if not bad:
            return self._select(rows_ND)
        if self.non_finite == "refuse":
            raise NonFiniteRows(bad, 'leave them out or choose non_finite="drop"')
        if len(bad) > self.f:
            raise NonFiniteRows(bad, f"only f = {self.f} may be dropped")
        return self._select_without(rows_ND, bad)

    def _select_without(self, rows_ND: Tensor, bad: tuple[int, ...]) -> Selection:
        kept = [i for i in range(rows_ND.shape[0]) if i not in bad]
        inner = self.with_f(self.f - len(bad)).select(rows_ND[kept])
        weights = None
        if inner.weights is not None:
            weights = inner.weights.new_zeros(rows_ND.shape[0])
            weights[kept] = inner.weights
        chosen = None if inner.chosen is None else tuple(kept[i] for i in inner.chosen)
        return Selection(inner.aggregate, weights, chosen, bad)

    @abstractmethod
    def _select(self, rows_ND: Tensor) -> Selection:
        """The rule itself, on finite rows of which there are enough."""


def as_rows(rows: Rows) -> Tensor:
    """The rows as one (n, d) tensor without gradient tracking; a tensor is not copied.

    Raises `ConfigurationError` where they are not floating rows of one shape, dtype and device.
    """
    if isinstance(rows, Tensor):
        if rows.dim() != 2:
            raise ConfigurationError(f"rows have shape {tuple(rows.shape)}: give a tensor of shape (n, d)")
        stacked = rows
    else:
        kinds = {(tuple(row.shape), row.dtype, row.device) for row in rows}
        if len(kinds) != 1 or rows[0].dim() != 1:
            raise ConfigurationError(
                "rows differ in shape, dtype or device, or are none: give n >= 1 equal-shape 1-D tensors"
            )
        stacked = torch.stack([row.detach() for row in rows])
    if not stacked.dtype.is_floating_point:
        raise ConfigurationError(f"rows are {stacked.dtype}: give real floating rows")
    if 0 in stacked.shape:
        raise ConfigurationError(f"rows have shape {tuple(stacked.shape)}: give at least one row and column")
    return stacked.detach()


def non_finite_rows(rows_ND: Tensor) -> tuple[int, ...]:
    """The indices of rows that hold NaN or Inf."""
    # NaN and Inf survive a sum, so one cheap pass clears all rows whose sum is finite.
    suspects = (~rows_ND.sum(1).isfinite()).nonzero().flatten().tolist()
    return tuple(i for i in suspects if not bool(rows_ND[i].isfinite().all()))
