"""Mimic: all attackers send what one honest peer sends, which no rule can tell from honesty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from btard.attacks.context import Attack, AttackContext
from btard.errors import ConfigurationError

COLUMNS = 1 << 16
"""Columns that are centred at a time, in float64."""

TIE = 1e-9
"""Projections that differ by less than this part of the largest are one: eigenvectors are rounded."""


@dataclass(frozen=True, slots=True)
class Mimic(Attack):
    """A copy of one honest row (Karimireddy, He, Jaggi 2022, "Byzantine-Robust Learning on Heterogeneous
    Datasets via Bucketing"): f + 1 equal rows, so that peers with other data count for less.

    `variant` "row" copies honest row `row`, counted from 0. "variance" copies the row x_i with the greatest
    |<x_i - mu, v>|, v the direction in which the honest rows vary most; ties go to the lowest index, and rows
    that are not all finite have no such direction, so `row` is copied then.

    Deviation: the paper estimates v over a warm-up (Oja's method) and keeps to the worker that it found. A
    pure function of the context has the rows of this step only: v is their exact top right singular vector
    once centred, and the worker is chosen anew in every step. v's sign does not matter, nor which v is taken
    if two directions vary the same, as long as one row stands out."""

    common: ClassVar[bool] = True

    variant: Literal["row", "variance"] = "row"
    row: int = 0

    def __post_init__(self) -> None:
        Attack.__post_init__(self)
        if self.variant not in ("row", "variance"):
            raise ConfigurationError(f'the variant of mimic is {self.variant!r}: use "row" or "variance"')
        if self.row < 0:
            raise ConfigurationError(f"row is {self.row}: give an honest row, counted from 0")

    def __call__(self, context: AttackContext, /) -> Tensor:
        """Return the copied gradient (d,). Raises ConfigurationError if there is no such row."""
        honest_ND = context.honest()
        if self.row >= len(honest_ND):
            raise ConfigurationError(
                f"mimic has no honest row {self.row} to copy: there are {len(honest_ND)}, counted from 0"
            )
        row = _outermost(honest_ND) if self.variant == "variance" else None
        return honest_ND[self.row if row is None else row].clone()


def _outermost(rows_ND: Tensor) -> int | None:
    """Return the row furthest from the mean along the direction of most variance; None: not finite."""
    largest = max(abs(float(bound)) for bound in torch.aminmax(rows_ND))
    if not math.isfinite(largest):
        return None
    products_NN = torch.zeros(len(rows_ND), len(rows_ND), dtype=torch.float64, device=rows_ND.device)
    for start in range(0, rows_ND.shape[1], COLUMNS):
        centred_NB = rows_ND[:, start : start + COLUMNS].double() / (largest or 1.0)
        centred_NB -= centred_NB.mean(0)
        products_NN += centred_NB @ centred_NB.T
    # The centred rows' projections onto v are the top eigenvector of their products, times a number.
    along_N = torch.linalg.eigh(products_NN.cpu()).eigenvectors[:, -1].abs()
    return int((along_N >= along_N.max() * (1 - TIE)).nonzero()[0])
