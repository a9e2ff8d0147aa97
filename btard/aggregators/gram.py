"""The Gram matrix of rows around a reference row: all that distance-based rules need of the data.

Inner products of x_i - r lose no digits to a large common part, where r is a row near the others;
r is chosen on a sample of the columns. The products of blocks of columns are accumulated in
float64, so a rule costs one pass for the products and one for its result, whatever it iterates.

Long float32 rows on a CPU are multiplied in float32 over runs of `RUN` columns (the runs' errors
are independent: about 1e-8 of the norms in all), everything else in float64. `squared_distances` goes
back to the data where subtracting products would lose the digits, as between near-copies of a row
far from the reference; copies have distance zero exactly, so ties stay ties.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]

SAMPLE = 1024
"""Columns on which the reference row is chosen."""

RUN = 512
"""Columns that one float32 product sums before float64 takes over."""

EXACT_BELOW = 1 << 17
"""Row length below which all products are float64: they are cheap there and average fewer runs."""

SMALL = 1 << 16
"""Elements up to which NumPy on one thread does the work."""

DISTANCE_COLUMNS = 1 << 15
"""Columns of a block whose differences to a vector are measured."""

CLOSE_FLOAT32 = 2.0**-9
CLOSE_FLOAT64 = 2.0**-30
"""A pair whose squared distance is below this part of its squared norms has lost digits."""


@dataclass(frozen=True, slots=True)
class Gram:
    """`products[i, j]` = unit^2 <x_i - r, x_j - r>, r = row `reference`, float64 on the CPU.

    `unit` is a power of two, 1 unless squares of float64 rows would leave the range of float64.
    """

    rows_ND: Tensor
    reference: int
    products: Matrix
    unit: float
    in_float64: bool

    @classmethod
    def of(cls, rows_ND: Tensor, reference: int | None = None, in_float64: bool | None = None) -> Gram:
        """One pass over finite rows (n, d); memory beyond them is a block of columns.

        `reference` is a row's index, chosen as central on a sample where None; `in_float64` forces
        the precise products, chosen by length, dtype and device where None.
        """
        unit = _unit(rows_ND)
        if reference is None:
            reference = _sampled_reference(rows_ND, unit)
        if in_float64 is None:
            in_float64 = (
                rows_ND.shape[1] < EXACT_BELOW
                or rows_ND.dtype == torch.float64
                # elsewhere float32 products may silently be TF32
                or rows_ND.device.type != "cpu"
            )
        products = _products(rows_ND, reference, unit, in_float64)
        if not in_float64 and not _in_range(products, rows_ND.shape[1]):
            in_float64 = True
            products = _products(rows_ND, reference, unit, in_float64)
        return cls(rows_ND, reference, products, unit, in_float64)

    def norms(self) -> Matrix:
        """unit |x_i - r|, shape (n,)."""
        return np.sqrt(self.products.diagonal())

    def points(self) -> Matrix:
        """Points in n-dimensional space that lie to each other as the rows do, r at the origin.

        Shape (n, n), in units of `unit`. The eigenvectors are taken of rows scaled to a common magnitude:
        a row at 10^6 times the others would otherwise swallow their digits.
        """
        norms = self.norms()
        safe = np.where(norms > 0, norms, 1.0)
        cosines = self.products / safe[:, None] / safe[None, :]
        values, vectors = np.linalg.eigh(cosines)
        points: Matrix = vectors * np.sqrt(values.clip(min=0.0)) * norms[:, None]
        return points

    def squared_distances(self) -> Matrix:
        """unit^2 |x_i - x_j|^2, shape (n, n), symmetric, exactly zero for copies."""
        copy_of = _copies(self.rows_ND, _expand(self.products), self.products.diagonal())
        gram = self
        if not self.in_float64 and _close(self.products, CLOSE_FLOAT32, copy_of).size:
            gram = Gram.of(self.rows_ND, self.reference, in_float64=True)
        squares = _expand(gram.products)
        for i, j in _close(gram.products, CLOSE_FLOAT64, copy_of):
            squares[i, j] = squares[j, i] = _direct(gram.rows_ND[i], gram.rows_ND[j], gram.unit)
        squares = squares[np.ix_(copy_of, copy_of)]
        np.fill_diagonal(squares, 0.0)
        return squares

    def combine(self, weights: Matrix) -> Tensor:
        """sum_i w_i x_i, shape (d,), or one such row for each of (k, n) weights, shape (k, d).

        Each set of weights must sum to one. Computed as r + sum_i w_i (x_i - r): the error is a
        rounding of the result, however large the common part of the rows is.
        """
        return combine(self.rows_ND, weights, self.reference)


def central_row(squared_distances: Matrix) -> int:
    """The row with the least median distance to the others."""
    middle = len(squared_distances) // 2
    return int(np.argmin(np.partition(squared_distances, middle, axis=1)[:, middle]))


def combine(rows_ND: Tensor, weights: Matrix, reference: int) -> Tensor:
    """`Gram.combine` around row `reference`, for rules that need no products."""
    dtype = _result_dtype(rows_ND)
    result = _combine(rows_ND, weights, reference, dtype)
    if dtype != torch.float64 and not bool(result.sum().isfinite()):
        result = _combine(rows_ND, weights, reference, torch.float64)
    return result


def distances_to(rows_ND: Tensor, centre_D: Tensor) -> Matrix:
    """unit |x_i - c| for a vector c of shape (d,), in float64; one pass, shape (n,)."""
    unit = _unit(rows_ND, centre_D)
    n, d = rows_ND.shape
    squares_N = torch.zeros(n, dtype=torch.float64, device=rows_ND.device)
    columns = min(d, DISTANCE_COLUMNS)
    buffer_NB = torch.empty(n, columns, dtype=torch.float64, device=rows_ND.device)
    for start in range(0, d, columns):
        shifted_NB = buffer_NB[:, : d - start].copy_(rows_ND[:, start : start + columns])
        centre_B = centre_D[start : start + columns].double()
        if unit != 1.0:
            shifted_NB.mul_(unit)
            centre_B = centre_B * unit
        shifted_NB.sub_(centre_B)
        squares_N += torch.linalg.vector_norm(shifted_NB, dim=1).square_()
    distances: Matrix = squares_N.sqrt_().cpu().numpy()
    return distances


def _combine(rows_ND: Tensor, weights: Matrix, reference: int, dtype: torch.dtype) -> Tensor:
    if _small(rows_ND):
        rows = rows_ND.double().numpy()
        return torch.from_numpy(weights @ (rows - rows[reference]) + rows[reference]).to(rows_ND.dtype)
    d = rows_ND.shape[1]
    mixing_KN = torch.from_numpy(np.atleast_2d(weights)).to(rows_ND.device, dtype)
    result_KD = torch.empty(len(mixing_KN), d, dtype=rows_ND.dtype, device=rows_ND.device)
    buffer_KB: Tensor | None = None
    for start, shifted_NB, centre_B in _shifted_blocks(rows_ND, reference, dtype, 1.0):
        width = len(centre_B)
        if buffer_KB is None or buffer_KB.shape[1] != width:
            buffer_KB = shifted_NB.new_empty(len(mixing_KN), width)
        torch.mm(mixing_KN, shifted_NB, out=buffer_KB)
        result_KD[:, start : start + width] = buffer_KB.add_(centre_B)
    return result_KD[0] if weights.ndim == 1 else result_KD


def _products(rows_ND: Tensor, reference: int, unit: float, in_float64: bool) -> Matrix:
    if _small(rows_ND):
        shifted = rows_ND.double().numpy() * unit
        shifted = shifted - shifted[reference]
        small: Matrix = shifted @ shifted.T
        return small
    n = rows_ND.shape[0]
    dtype = torch.float64 if in_float64 else torch.float32
    total_NN = torch.zeros(n, n, dtype=torch.float64, device=rows_ND.device)
    for _, shifted_NB, _ in _shifted_blocks(rows_ND, reference, dtype, unit):
        runs, rest = divmod(shifted_NB.shape[1], RUN)
        if runs:
            runs_RNB = shifted_NB[:, : runs * RUN].view(n, runs, RUN).transpose(0, 1)
            total_NN += torch.bmm(runs_RNB, runs_RNB.transpose(1, 2)).sum(0, dtype=torch.float64)
        if rest:
            tail = shifted_NB[:, runs * RUN :]
            total_NN += tail @ tail.T
    products: Matrix = ((total_NN + total_NN.T) / 2).cpu().numpy()
    return products


def _shifted_blocks(
    rows_ND: Tensor, reference: int, dtype: torch.dtype, unit: float
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Blocks of columns: where each starts, unit (x_i - r) in a buffer that the next overwrites, unit r."""
    n, d = rows_ND.shape
    # What stays in a CPU's cache, or fills a GPU.
    elements = 1 << 20 if rows_ND.device.type == "cpu" else 1 << 26
    columns = min(d, max(RUN, elements // n // RUN * RUN))
    buffer_NB = torch.empty(n, columns, dtype=dtype, device=rows_ND.device)
    for start in range(0, d, columns):
        shifted_NB = buffer_NB[:, : d - start]
        shifted_NB.copy_(rows_ND[:, start : start + columns])
        if unit != 1.0:
            shifted_NB.mul_(unit)
        centre_B = shifted_NB[reference].clone()
        yield start, shifted_NB.sub_(centre_B), centre_B


def _sampled_reference(rows_ND: Tensor, unit: float) -> int:
    """The central row, judged by evenly spaced columns."""
    d = rows_ND.shape[1]
    sample = rows_ND[:, :: -(-d // SAMPLE)].double().mul(unit).cpu().numpy()
    sample = sample - sample[0]
    return central_row(_expand(sample @ sample.T))


def _unit(*values: Tensor) -> float:
    if values[0].dtype != torch.float64:
        return 1.0
    largest = max(abs(float(bound)) for value in values for bound in torch.aminmax(value))
    exponent = int(np.frexp(largest)[1])
    return 1.0 if abs(exponent) < 300 or largest == 0.0 else float(np.ldexp(1.0, -exponent))


def _small(rows_ND: Tensor) -> bool:
    """Whether to leave torch: waking its threads costs more than such a product."""
    return rows_ND.device.type == "cpu" and rows_ND.numel() <= SMALL


def _in_range(products: Matrix, d: int) -> bool:
    """Whether float32 squares have neither overflowed nor come near the least numbers."""
    squares = np.delete(products.diagonal(), int(np.argmin(products.diagonal())))
    return bool(np.isfinite(products).all() and (squares > 1e-24 * d).all())


def _result_dtype(rows_ND: Tensor) -> torch.dtype:
    """What one pass over the rows computes in: float64 where it is asked for or costs nothing."""
    return (
        torch.float64 if rows_ND.dtype == torch.float64 or rows_ND.shape[1] < EXACT_BELOW else torch.float32
    )


def _expand(products: Matrix) -> Matrix:
    diagonal = products.diagonal()
    squares: Matrix = (diagonal[:, None] + diagonal[None, :] - 2 * products).clip(min=0.0)
    return squares


def _close(products: Matrix, threshold: float, copy_of: NDArray[np.intp]) -> NDArray[Any]:
    """Pairs (i, j), i < j, of distinct representatives whose distance has lost digits."""
    diagonal = products.diagonal()
    lost = _expand(products) < threshold * (diagonal[:, None] + diagonal[None, :])
    first = copy_of == np.arange(len(copy_of))
    return np.argwhere(np.triu(lost & first[:, None] & first[None, :], 1))


def _copies(rows_ND: Tensor, squares: Matrix, diagonal: Matrix) -> NDArray[np.intp]:
    """For each row the first row with the same values, itself where there is none before."""
    n = rows_ND.shape[0]
    alike = squares <= CLOSE_FLOAT32 * (diagonal[:, None] + diagonal[None, :])
    copy_of = np.arange(n)
    for i in range(1, n):
        for j in range(i):
            if copy_of[j] == j and alike[i, j] and torch.equal(rows_ND[i], rows_ND[j]):
                copy_of[i] = j
                break
    return copy_of


def _direct(left_D: Tensor, right_D: Tensor, unit: float) -> float:
    difference_D = (left_D.double() - right_D.double()).mul_(unit)
    return float(torch.dot(difference_D, difference_D))
