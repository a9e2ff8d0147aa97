"""The Gram matrix of rows around a reference row: all that distance-based rules need of the data.

Inner products of x_i - r lose no digits to a large common part if r is a row near the others;
r is chosen on a sample of the columns. The products of blocks of columns are accumulated in
float64, so a rule costs one pass for the products and one for its result, whatever it iterates.

Long float32 rows on a CPU are multiplied in float32 over runs of `RUN` columns (the runs' errors
are independent: about 1e-8 of the norms in all), everything else in float64. If they have no large common
part, they are multiplied as they are, and the products shifted, which spares writing the differences
(`_is_central` has the digits that this costs). `squared_distances` goes
back to the data if subtracting products would lose the digits, as between near-copies of a row
far from the reference; copies have distance zero exactly, so ties stay ties.

Mixtures y_k = sum_i M_ki x_i, each row of M summing to one, have the Gram matrix M G M^T: rules see mixed
rows through M, which are never formed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from btard.aggregators.blocks import (
    RUN,
    SQUARE_LEAST,
    is_small,
    precise_enough,
    shifted_blocks,
    squared_norms,
    unit_of,
)
from btard.aggregators.rows import Matrix, refuse_non_finite, same_values

SAMPLE = 1024
"""Columns on which the reference row is chosen."""

CLOSE_FLOAT32 = 2.0**-9
CLOSE_FLOAT64 = 2.0**-30
"""A pair whose squared distance is below this part of its squared norms has lost digits."""

ERROR_FLOAT32 = 2.0**-20
ERROR_FLOAT64 = 2.0**-44
"""More than the error of a product, as a part of the norms that were multiplied."""


@dataclass(frozen=True, slots=True)
class Gram:
    """`products[i, j]` = unit^2 <x_i - r, x_j - r>, r = row `reference`, float64 on the CPU.

    `unit` is a power of two, 1 unless squares of float64 rows would leave the range of float64.
    `central` says that the rows have no large common part, so that sums of them need no shifting either.
    """

    rows_ND: Tensor
    reference: int
    products: Matrix
    unit: float
    in_float64: bool
    central: bool = False

    @classmethod
    def of(cls, rows_ND: Tensor, reference: int | None = None, in_float64: bool | None = None) -> Gram:
        """Make one pass over the rows (n, d); memory beyond them is a block of columns.

        `reference` is a row's index, chosen as central on a sample if None; `in_float64` forces
        the precise products, chosen by length, dtype and device if None. Raises `NonFiniteRows`.
        """
        unit = unit_of(rows_ND)
        if in_float64 is None:
            # Elsewhere than on a CPU float32 products may silently be TF32.
            in_float64 = precise_enough(rows_ND) == torch.float64 or rows_ND.device.type != "cpu"
        copies: list[int] = []
        if reference is None:
            sample = _sample(rows_ND, unit)
            reference = _central_row(sample, in_float64)
            copies = _copies_of(reference, rows_ND, sample)
            if len(copies) == len(rows_ND) - 1:
                return cls(rows_ND, reference, np.zeros((len(rows_ND),) * 2), unit, in_float64)
            if not in_float64 and _is_central(sample @ sample.T, reference, copies):
                products = _products(rows_ND, None, unit, in_float64)
                if _in_range(products, rows_ND, None, []) and _is_central(products, reference, copies):
                    around = _around(products, reference)
                    around[copies] = around[:, copies] = 0.0
                    return cls(rows_ND, reference, around, unit, in_float64, central=True)
        products = _products(rows_ND, reference, unit, in_float64)
        if not np.isfinite(products).all():
            # A NaN or Inf shows in its row's square; so do finite float32 numbers whose squares are not.
            refuse_non_finite(rows_ND)
        if not in_float64 and not _in_range(products, rows_ND, reference, copies):
            in_float64 = True
            products = _products(rows_ND, reference, unit, in_float64)
        return cls(rows_ND, reference, products, unit, in_float64)

    def norms(self) -> Matrix:
        """unit |x_i - r|, shape (n,)."""
        return np.sqrt(self.products.diagonal())

    def points(self) -> Matrix:
        """Return points in n-dimensional space that lie to each other as the rows do, r at the origin.

        Shape (n, n), in units of `unit`. The eigenvectors are taken of rows scaled to a common magnitude:
        a row at 10^6 times the others would otherwise swallow their digits.
        """
        norms = self.norms()
        safe = np.where(norms > 0, norms, 1.0)
        cosines = self.products / safe[:, None] / safe[None, :]
        values, vectors = np.linalg.eigh(cosines)
        points: Matrix = vectors * np.sqrt(values.clip(min=0.0)) * norms[:, None]
        return points

    def squared_distances(self, mixing: Matrix | None = None) -> Matrix:
        """unit^2 |y_i - y_j|^2 of the rows, or of their mixtures by `mixing` (k, n); exactly zero for copies.

        Shape (n, n) or (k, k), symmetric. Mixtures of the same rows, or of copies of them, are copies.
        """
        mixing = np.eye(len(self.products)) if mixing is None else mixing
        merged = _merge(mixing, self._copies())
        copy_of: NDArray[np.intp] = (merged[:, None, :] == merged[None, :, :]).all(axis=2).argmax(axis=1)
        gram = self
        if not self.in_float64 and gram._close(mixing, CLOSE_FLOAT32, copy_of).size:
            gram = Gram.of(self.rows_ND, self.reference, in_float64=True)
        squares = _expand(mixing @ gram.products @ mixing.T)
        close = gram._close(mixing, CLOSE_FLOAT64, copy_of)
        if close.size:
            i, j = close.T
            squares[i, j] = squares[j, i] = squared_norms(gram.rows_ND, mixing[i] - mixing[j], gram.unit)
        squares = squares[np.ix_(copy_of, copy_of)]
        np.fill_diagonal(squares, 0.0)
        return squares

    def squared_norms_of(self, differences: Matrix) -> tuple[Matrix, Matrix]:
        """unit^2 |sum_i D_pi x_i|^2 for rows of D (p, n) that sum to zero, and a bound on the error; (p,)."""
        squares = np.einsum("pi,ij,pj->p", differences, self.products, differences).clip(min=0.0)
        error = ERROR_FLOAT64 if self.in_float64 else ERROR_FLOAT32
        return squares, error * (np.abs(differences) @ self.norms()) ** 2

    def _close(self, mixing: Matrix, threshold: float, copy_of: NDArray[np.intp]) -> NDArray[Any]:
        """Return pairs (i, j), i < j, of distinct mixtures whose distance has lost digits."""
        # Not the mixtures' own norms: those may be much less than what the products' errors came from.
        norms = np.abs(mixing) @ self.norms()
        lost = _expand(mixing @ self.products @ mixing.T) < threshold * np.add.outer(norms**2, norms**2)
        first = copy_of == np.arange(len(copy_of))
        return np.argwhere(np.triu(lost & first[:, None] & first[None, :], 1))

    def _copies(self) -> NDArray[np.intp]:
        """Return for each row the first row with the same values, itself if there is none before."""
        diagonal = self.products.diagonal()
        alike = _expand(self.products) <= CLOSE_FLOAT32 * np.add.outer(diagonal, diagonal)
        copy_of = np.arange(len(self.products))
        for i, j in np.argwhere(np.tril(alike, -1)):
            if copy_of[i] == i and copy_of[j] == j and same_values(self.rows_ND[i], self.rows_ND[j]):
                copy_of[i] = j
        return copy_of


def _products(rows_ND: Tensor, reference: int | None, unit: float, in_float64: bool) -> Matrix:
    """unit^2 <x_i - r, x_j - r>, or of float32 rows as they are, which takes memory for half a row."""
    if is_small(rows_ND):
        shifted = rows_ND.double().numpy() * unit
        with np.errstate(invalid="ignore", over="ignore"):
            shifted = shifted if reference is None else shifted - shifted[reference]
            small: Matrix = shifted @ shifted.T
        return small
    n = rows_ND.shape[0]
    dtype = torch.float64 if in_float64 else torch.float32
    total_NN = torch.zeros(n, n, dtype=torch.float64, device=rows_ND.device)
    blocks: Iterable[Tensor] = (rows_ND,)
    if reference is not None:
        blocks = (shifted_NB for _, shifted_NB, _ in shifted_blocks(rows_ND, reference, dtype, unit))
    for block_NB in blocks:
        whole = block_NB.shape[1] // RUN * RUN
        if whole:
            runs_RNB = block_NB[:, :whole].view(n, -1, RUN).transpose(0, 1)
            total_NN += torch.bmm(runs_RNB, runs_RNB.transpose(1, 2)).sum(0, dtype=torch.float64)
        rest_NB = block_NB[:, whole:]
        total_NN += rest_NB @ rest_NB.T
    products: Matrix = ((total_NN + total_NN.T) / 2).cpu().numpy()
    return products


def _sample(rows_ND: Tensor, unit: float) -> Matrix:
    """Return evenly spaced columns, (n, SAMPLE) or a few less."""
    sample: Matrix = rows_ND[:, :: -(-rows_ND.shape[1] // SAMPLE)].double().mul(unit).cpu().numpy()
    if not np.isfinite(sample).all():
        refuse_non_finite(rows_ND)
    return sample


def _central_row(sample: Matrix, in_float64: bool) -> int:
    """Return the row with the least median distance to the others.

    For float32 products, if rows at most sqrt 2 times as far have copies, the one with the most: a minimiser
    at the copies would else need a second pass around them.
    """
    shifted = sample - sample[0]
    middle = len(sample) // 2
    radii = np.partition(_expand(shifted @ shifted.T), middle, axis=1)[:, middle]
    values = [row.tobytes() for row in sample]
    copies = np.where(radii <= 2 * radii.min(), [values.count(row) for row in values], 0)
    return int(np.argmin(radii) if in_float64 or copies.max() < 2 else np.argmax(copies))


def _copies_of(reference: int, rows_ND: Tensor, sample: Matrix) -> list[int]:
    """Return the other rows with the values of the reference, looked for among those alike on the sample."""
    alike = np.flatnonzero((sample == sample[reference]).all(axis=1)).tolist()
    return [i for i in alike if i != reference and same_values(rows_ND[i], rows_ND[reference])]


def _is_central(products: Matrix, reference: int, copies: list[int]) -> bool:
    """Return whether the origin of `products` is about as near to the reference as other rows are, or nearer.

    Its `copies` are at distance zero and do not count. Then the rows need no shifting: with
    |r|^2 <= 2 |x_i - r|^2 for all others, what is multiplied is less than (1 + sqrt 8)^2 < 2^4 times what it
    would be: at most four bits are lost.
    """
    others = np.delete(_around(products, reference).diagonal(), [reference, *copies])
    return bool((products[reference, reference] <= 2 * others).all())


def _around(products: Matrix, reference: int) -> Matrix:
    """<x_i - r, x_j - r> of <x_i, x_j>."""
    row = products[reference]
    around: Matrix = products - row[:, None] - row[None, :] + row[reference]
    return around


def _in_range(products: Matrix, rows_ND: Tensor, reference: int | None, copies: list[int]) -> bool:
    """Return whether float32 squares have neither overflowed nor come near the least numbers.

    Rows at the origin, which is the reference or zero, may have squares of zero, and so may one more row.
    """
    squares = products.diagonal()
    small = np.flatnonzero(~(squares > SQUARE_LEAST * rows_ND.shape[1])).tolist()
    unexplained = set(small) - {int(np.argmin(squares)), *copies}
    if not unexplained or not np.isfinite(products).all():
        return bool(np.isfinite(products).all())
    origin_D = torch.zeros_like(rows_ND[0]) if reference is None else rows_ND[reference]
    return all(same_values(rows_ND[i], origin_D) for i in unexplained)


def _expand(products: Matrix) -> Matrix:
    diagonal = products.diagonal()
    squares: Matrix = (diagonal[:, None] + diagonal[None, :] - 2 * products).clip(min=0.0)
    return squares


def _merge(mixing: Matrix, copy_of: NDArray[np.intp]) -> Matrix:
    """`mixing` with the weights of copies moved to the first of them."""
    merged = np.zeros_like(mixing)
    for i, first in enumerate(copy_of):
        merged[:, first] += mixing[:, i]
    return merged
