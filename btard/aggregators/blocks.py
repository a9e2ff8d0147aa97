"""One pass over the rows: blocks of columns shifted to a reference row, mixed, and measured.

A block is small enough for a CPU's cache, or fills an accelerator; it is all the memory that a pass needs
beyond its result. Differences x_i - r to a row r near the others lose no digits to a large common part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from btard.aggregators.rows import Matrix, is_finite, refuse_non_finite

RUN = 512
"""Columns that one float32 sum runs over before float64 takes over."""

EXACT_BELOW = 1 << 15
"""Row length below which everything is float64: it is cheap there, and too few runs would average.

Just above it CenteredClip's residual is 1e-7 of tau, and 3e-8 in float64, in a third of the time."""

SMALL = 1 << 16
"""Elements up to which NumPy on one thread does the work."""

ELEMENTS_CPU = 1 << 19
ELEMENTS_ACCELERATOR = 1 << 26
PADDING = 16
"""Elements between rows of a buffer: rows a power of two apart compete for the same lines of the cache."""

SQUARE_LEAST = 1e-24
"""A mean square below this may have lost float32 terms to underflow."""


def shifted_blocks(
    rows_ND: Tensor, reference: int, dtype: torch.dtype, unit: float = 1.0
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield slices of columns, unit (x_i - r) there in a buffer (n, b) used for all, and unit r."""
    n, d = rows_ND.shape
    columns = columns_of(rows_ND)
    buffer_NB = torch.empty(n, min(columns, d) + PADDING, dtype=dtype, device=rows_ND.device)
    for start in range(0, d, columns):
        part = slice(start, min(start + columns, d))
        centre_B = rows_ND[reference, part].to(dtype)
        shifted_NB = buffer_NB[:, : len(centre_B)]
        yield part, shifted_NB, _shift(rows_ND[:, part], centre_B, unit, shifted_NB)


def combine(rows_ND: Tensor, weights: Matrix, central: bool = False) -> Tensor:
    """sum_i w_i x_i, shape (d,), for `weights` (n,) that sum to one. Raises `NonFiniteRows`.

    Computed as r + sum_i w_i (x_i - r), r the row that weighs most: the error is a rounding of the result,
    however large the common part of the rows. It is as small without r, and two to three times as fast, if
    the rows are `central`: then they have a Gram matrix in float32, and are finite. Equal weights are a mean,
    and as exact as `torch.mean`.
    """
    used = np.flatnonzero(weights)
    if (weights[used] == weights[used[0]]).all():
        return mix(rows_ND, weights[None])[0]
    if central:
        return _mix(rows_ND, weights[None])[0]
    dtype = precise_enough(rows_ND)
    result_D = _combine(rows_ND, weights, dtype)
    if not is_finite(result_D):
        refuse_non_finite(rows_ND)
        result_D = _combine(rows_ND, weights, torch.float64)
    return result_D


def mix(rows_ND: Tensor, mixing: Matrix) -> Tensor:
    """Return the mixtures sum_i M_ki x_i, shape (k, d), for `mixing` (k, n), each row of which sums to one.

    The error is a few roundings of what is mixed, whatever the other rows hold. Raises `NonFiniteRows`.
    """
    if len(mixing) == 1 and np.count_nonzero(mixing) == 1:
        row_D = rows_ND[int(np.argmax(mixing)), None].clone()
        if is_finite(row_D):
            return row_D
    elif precise_enough(rows_ND) == rows_ND.dtype:
        mixed_KD = _mix(rows_ND, mixing)
        if is_finite(mixed_KD):
            return mixed_KD
    result_KD = torch.empty(len(mixing), rows_ND.shape[1], dtype=rows_ND.dtype, device=rows_ND.device)
    for part, mixed_KB in mixed_blocks(rows_ND, mixing, columns_of(rows_ND)):
        result_KD[:, part] = mixed_KB
    return result_KD


def row_blocks(
    rows_ND: Tensor, chosen: tuple[int, ...] | None, columns: int
) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of columns, and all or the `chosen` rows there, (n, b), at least float32, read-only.

    A row with NaN or Inf is refused by `NonFiniteRows` in its first block, which it would have read anyway.
    """
    half = rows_ND.dtype in (torch.float16, torch.bfloat16)
    rows: slice | list[int] = slice(None) if chosen is None else list(chosen)
    for start in range(0, rows_ND.shape[1], columns):
        part = slice(start, start + columns)
        block_NB = rows_ND[rows, part]
        block_NB = block_NB.float() if half else block_NB
        if not is_finite(block_NB):
            refuse_non_finite(rows_ND, part)
        yield part, block_NB


def mixed_blocks(rows_ND: Tensor, mixing: Matrix, columns: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of columns, and the mixtures there as by `mix`, (k, b), in the dtype used for them."""
    dtype = precise_enough(rows_ND)
    for start in range(0, rows_ND.shape[1], columns):
        part = slice(start, start + columns)
        mixed_KB = _mix(rows_ND[:, part].to(dtype), mixing)
        if not is_finite(mixed_KB):
            refuse_non_finite(rows_ND, part)
            mixed_KB = torch.from_numpy(mixing).to(rows_ND.device) @ rows_ND[:, part].double()
        yield part, mixed_KB


def squared_distances_to(rows_ND: Tensor, mixing: Matrix | None, centre_D: Tensor) -> Matrix:
    """|y_k - c|^2 for a vector c of shape (d,), y = `mixing` (k, n) times the rows, or they; shape (k,).

    In units of `unit_of(rows_ND)` squared. Differences of long float32 rows are float32, and their squares
    are summed in float32 over runs: beside independent roundings of differences, the error is about 1e-8.
    """
    dtype, unit = precise_enough(rows_ND), unit_of(rows_ND)
    squares = _squared_distances_to(rows_ND, mixing, centre_D, unit, dtype)
    in_range = np.isfinite(squares).all() and (squares > SQUARE_LEAST * rows_ND.shape[1]).all()
    if dtype != torch.float64 and not in_range:
        squares = _squared_distances_to(rows_ND, mixing, centre_D, unit, torch.float64)
    return squares


def squared_norms(rows_ND: Tensor, differences: Matrix, unit: float) -> Matrix:
    """unit^2 |sum_i D_pi x_i|^2 for each row of D (p, n), which sums to zero; in float64, shape (p,)."""
    differences_PN = torch.from_numpy(differences).to(rows_ND.device)
    total_P = torch.zeros(len(differences), dtype=torch.float64, device=rows_ND.device)
    columns = columns_of(rows_ND)
    for start in range(0, rows_ND.shape[1], columns):
        # Not shifted: rows far from any reference may differ by little, and do so exactly.
        block_NB = rows_ND[:, start : start + columns].double().mul_(unit)
        total_P += torch.linalg.vector_norm(differences_PN @ block_NB, dim=1).square_()
    squares: Matrix = total_P.cpu().numpy()
    return squares


def columns_of(rows_ND: Tensor) -> int:
    """Return the width of a block, a multiple of `RUN`."""
    elements = ELEMENTS_CPU if rows_ND.device.type == "cpu" else ELEMENTS_ACCELERATOR
    return max(RUN, elements // rows_ND.shape[0] // RUN * RUN)


def precise_enough(rows_ND: Tensor) -> torch.dtype:
    """What one pass over the rows computes in: float64 if it is asked for or costs nothing."""
    exact = rows_ND.dtype == torch.float64 or rows_ND.shape[1] < EXACT_BELOW
    return torch.float64 if exact else torch.float32


def unit_of(rows_ND: Tensor) -> float:
    """A power of two that keeps squares in the range of float64: 1 unless float64 rows come near its ends."""
    if rows_ND.dtype != torch.float64:
        return 1.0
    largest = max(abs(float(bound)) for bound in torch.aminmax(rows_ND))
    if not math.isfinite(largest):
        refuse_non_finite(rows_ND)
    exponent = math.frexp(largest)[1]
    return 1.0 if abs(exponent) < 300 or largest == 0.0 else math.ldexp(1.0, -exponent)


def is_small(rows_ND: Tensor) -> bool:
    """Return whether to leave torch: waking its threads costs more than such a product."""
    return rows_ND.device.type == "cpu" and rows_ND.numel() <= SMALL


def _shift(rows_NB: Tensor, centre_B: Tensor, unit: float, out_NB: Tensor) -> Tensor:
    """Write unit (x_i - c) to `out_NB`, and return unit c."""
    if unit == 1.0:
        torch.sub(rows_NB, centre_B, out=out_NB)
        return centre_B
    torch.mul(rows_NB, unit, out=out_NB).sub_(centre_B * unit)
    return centre_B * unit


def _combine(rows_ND: Tensor, weights: Matrix, dtype: torch.dtype) -> Tensor:
    reference = int(np.argmax(weights))
    if is_small(rows_ND):
        rows = rows_ND.double().numpy()
        with np.errstate(invalid="ignore", over="ignore"):
            small = weights @ (rows - rows[reference]) + rows[reference]
        return torch.from_numpy(small).to(rows_ND.dtype)
    weights_N = torch.from_numpy(weights).to(rows_ND.device, dtype)
    result_D = torch.empty(rows_ND.shape[1], dtype=rows_ND.dtype, device=rows_ND.device)
    for part, shifted_NB, centre_B in shifted_blocks(rows_ND, reference, dtype):
        result_D[part] = torch.addmv(centre_B, shifted_NB.T, weights_N)
    return result_D


def _mix(rows_ND: Tensor, mixing: Matrix) -> Tensor:
    # Equal weights, the usual ones, are applied as ones, and the sum is divided: 1 / m is not rounded.
    scale = float(mixing.max())
    equal = bool(((mixing == 0) | (mixing == scale)).all())
    parts_KN = torch.from_numpy(mixing / scale if equal else mixing).to(rows_ND)
    mixed_KD = parts_KN @ rows_ND
    return mixed_KD.div_(round(1 / scale)) if equal else mixed_KD


def _squared_distances_to(
    rows_ND: Tensor, mixing: Matrix | None, centre_D: Tensor, unit: float, dtype: torch.dtype
) -> Matrix:
    d, device = rows_ND.shape[1], rows_ND.device
    count = rows_ND.shape[0] if mixing is None else len(mixing)
    total_K = torch.zeros(count, dtype=torch.float64, device=device)
    columns = columns_of(rows_ND)
    buffer_KB = torch.empty(count, min(columns, d) + PADDING, dtype=dtype, device=device)
    blocks: Iterator[tuple[slice, Tensor]]
    if mixing is None:
        blocks = ((slice(s, s + columns), rows_ND[:, s : s + columns]) for s in range(0, d, columns))
    else:
        blocks = mixed_blocks(rows_ND, mixing, columns)
    for part, rows_KB in blocks:
        shifted_KB = buffer_KB[:, : rows_KB.shape[1]]
        _shift(rows_KB, centre_D[part].to(dtype), unit, shifted_KB)
        whole = shifted_KB.shape[1] // RUN * RUN
        for runs in (shifted_KB[:, :whole].view(count, -1, RUN), shifted_KB[:, None, whole:]):
            if runs.numel():
                lengths_KR = torch.linalg.vector_norm(runs, dim=2)
                total_K += lengths_KR.double().square_().sum(1)
    squares: Matrix = total_K.cpu().numpy()
    return squares
