"""The scalars of BTARD: projections of clipped differences on the public directions of a coin.

With D = (g - v) min(1, tau / |g - v|), a contributor publishes <z_k, D> for K directions z_k and
|g - v| (Gorbunov et al. 2022, verification 1). Deviations: |v| and |g| as well; K directions instead of
one, of uniform odd bytes instead of a unit vector, scaled to unit variance a coordinate; see
protocols/fingerprint.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from btard.crypto import DIRECTION_SCALE, directions
from btard.training.optimizers.arithmetic import Floats
from btard.types import Scalars

_CHUNK = 1 << 16
"""Coordinates of the directions in memory at once: 3 MiB at K = 4."""


def project(
    rows: Sequence[Tensor | Floats],
    centre: Tensor | Floats | None,
    tau: float,
    coin: bytes,
    domain: str,
    count: int,
    start: int,
) -> tuple[Scalars, ...]:
    """Return the scalars of each row (m,) float32 about `centre` (m,), the origin if None; `tau` may be inf.

    The rows are coordinates [start, start + m) of the whole vector, and so is the window of the
    directions. Everything is accumulated in float64, chunk by chunk and row by row, so that the same
    bytes give the same scalars to about 1e-13 relative on any machine.
    """
    length = len(rows[0]) if rows else 0
    products = [torch.zeros(count, dtype=torch.float64) for _ in rows]
    squares = [0.0 for _ in rows]
    row_squares = [0.0 for _ in rows]
    centre_square = 0.0
    for first in range(0, length, _CHUNK):
        last = min(first + _CHUNK, length)
        z_KM = directions(coin, domain, count, start + first, last - first).double()
        middle = None if centre is None else _double(centre, first, last)
        if middle is not None:
            centre_square += float(middle @ middle)
        for index, row in enumerate(rows):
            difference = _double(row, first, last)
            if middle is not None:
                row_squares[index] += float(difference @ difference)
                difference -= middle
            products[index] += z_KM @ difference
            squares[index] += float(difference @ difference)
    result: list[Scalars] = []
    center = math.sqrt(centre_square)
    for product, square, row_square in zip(products, squares, row_squares, strict=True):
        norm = math.sqrt(square)
        factor = (1.0 if norm <= tau else tau / norm) / DIRECTION_SCALE
        result.append(Scalars(tuple((product * factor).tolist()), norm, center, math.sqrt(row_square)))
    return tuple(result)


def _double(vector: Tensor | Floats, first: int, last: int) -> Tensor:
    """Return a copy of a window in float64. Only numpy's arrays may be read-only: the bytes of a blob."""
    if isinstance(vector, np.ndarray):
        return torch.from_numpy(vector[first:last].astype(np.float64))
    return vector[first:last].double()
