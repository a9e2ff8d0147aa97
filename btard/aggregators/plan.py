"""The decision of a rule, made before a coordinate of its result exists, and its view of the rows.

A rule makes a plan: weights for the rows, or a statistic for every column. Rules around a rule change the
rows (`RowView.mixed`) or the plan, so "nnm+ctma+centered_clip" reads the data once for the products and once
for the result, and mixed rows only ever exist in blocks of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from torch import Tensor

from btard.aggregators.blocks import combine, squared_distances_to
from btard.aggregators.gram import Gram
from btard.aggregators.order import by_column
from btard.aggregators.rows import Matrix


@dataclass(frozen=True, slots=True)
class Weights:
    """The aggregate is sum_i w_i x_i; `weights` has shape (n,) and sums to one.

    `chosen` are the rows that a selecting rule kept, ascending.
    """

    weights: Matrix
    chosen: tuple[int, ...] | None = None

    def through(self, mixing: Matrix) -> Weights:
        """Return the same for the rows of which `mixing` (k, n) made the ones that were weighed."""
        return Weights(self.weights @ mixing)


@dataclass(frozen=True, slots=True)
class Columns:
    """The aggregate is `statistic` of every column: blocks (k, b) in, (b,) out, finite and left untouched.

    The columns are those of the `chosen` rows, ascending, of all if None; or of the rows' mixtures by
    `mixing` (k, n), which takes the choice into account.
    """

    statistic: Callable[[Tensor], Tensor]
    chosen: tuple[int, ...] | None = None
    mixing: Matrix | None = None

    def through(self, mixing: Matrix) -> Columns:
        """Return the same for the rows of which `mixing` (k, n) made the ones whose columns were meant."""
        if self.mixing is not None:
            return replace(self, mixing=self.mixing @ mixing)
        return Columns(self.statistic, mixing=mixing if self.chosen is None else mixing[list(self.chosen)])


def mean_of(n: int, chosen: Iterable[int]) -> Weights:
    """Return equal weights for the `chosen` of n rows."""
    indices = tuple(sorted(chosen))
    weights = np.zeros(n)
    weights[list(indices)] = 1.0 / len(indices)
    return Weights(weights, indices)


Plan: TypeAlias = Weights | Columns


class RowView:
    """The rows (n, d) as a rule sees them: themselves, or their mixtures by `mixing` (k, n), never formed.

    Views of the same rows share one Gram matrix, which is computed when it is first asked for.
    """

    def __init__(self, rows_ND: Tensor, mixing: Matrix | None = None, source: RowView | None = None) -> None:
        self._rows_ND = rows_ND
        self._mixing = mixing
        self._origin = source
        self._gram: Gram | None = None

    @property
    def _source(self) -> RowView:
        """The view of the rows themselves. Not an attribute: rows in a circle would outlive their use."""
        return self._origin or self

    def __len__(self) -> int:
        return self._rows_ND.shape[0] if self._mixing is None else len(self._mixing)

    @property
    def gram(self) -> Gram:
        """The Gram matrix of the rows themselves, whatever the mixing."""
        source = self._source
        if source._gram is None:
            source._gram = Gram.of(self._rows_ND)
        return source._gram

    def recentre(self, reference: int) -> None:
        """Compute the Gram matrix anew, around another row."""
        self._source._gram = Gram.of(self._rows_ND, reference)

    def mixed(self, mixing: Matrix) -> RowView:
        """Return the view of this view's rows through `mixing`, each row of which sums to one."""
        return RowView(self._rows_ND, self.mix(mixing), self._source)

    def mix(self, weights: Matrix) -> Matrix:
        """`weights` of this view's rows, (k,) or (m, k), as weights of the rows themselves."""
        return weights if self._mixing is None else weights @ self._mixing

    def squared_distances(self) -> Matrix:
        """unit^2 |y_i - y_j|^2, unit that of the Gram matrix; (k, k), exactly zero for copies."""
        return self.gram.squared_distances(self._mixing)

    def aggregate(self, plan: Plan) -> Tensor:
        """Return the result of a plan for this view's rows, shape (d,), of the rows' dtype and device."""
        if self._mixing is not None:
            plan = plan.through(self._mixing)
        if isinstance(plan, Columns):
            return by_column(self._rows_ND, plan.statistic, plan.chosen, plan.mixing)
        gram = self._source._gram
        return combine(self._rows_ND, plan.weights, gram is not None and gram.central)

    def nearest(self, plan: Plan, count: int) -> tuple[int, ...]:
        """Return the `count` rows nearest to the plan's result, ascending; ties go to the lowest index.

        For a plan of weights the Gram matrix decides, unless the distances of those kept and those left
        out are too much alike for its digits; otherwise the centre is made, and one pass measures.
        """
        if isinstance(plan, Weights):
            differences = self.mix(np.eye(len(self)) - plan.weights)
            squares, errors = self.gram.squared_norms_of(differences)
            order = np.argsort(squares, kind="stable")
            kept, left = order[:count], order[count:]
            if not left.size or (squares + errors)[kept].max() < (squares - errors)[left].min():
                return tuple(sorted(kept.tolist()))
        squares = squared_distances_to(self._rows_ND, self._mixing, self.aggregate(plan))
        return tuple(sorted(np.argsort(squares, kind="stable")[:count].tolist()))
