"""Sketches: a long vector in a few numbers, from which the length of a difference can still be told."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from btard.crypto import keystream

SIZE = 1 << 14
"""Numbers of a sketch: it tells a length to about 1 %, and takes 128 KiB."""

Sketch = npt.NDArray[np.float64]


def sketch(vector: Tensor, seed: bytes) -> Sketch:
    """Return the sums (SIZE,) of a float32 vector (d,) over all coordinates of one number modulo SIZE, each
    with a sign of the keystream of `seed`, in float64.

    A count sketch (Charikar, Chen, Farach-Colton 2002). Linear: the difference of two sketches is the sketch
    of the difference. The square of its length has the mean |vector|^2 and a standard deviation of at most
    sqrt(2 / SIZE) of that; it is exact for a vector of one coordinate, and if d <= SIZE.
    """
    values = vector.numpy()
    bits = np.frombuffer(keystream(seed, "sketch", -(-len(values) // 8)), np.uint8)
    sums: Sketch = np.zeros(SIZE)
    rows = 256
    for start in range(0, len(values), rows * SIZE):
        piece = values[start : start + rows * SIZE].astype(np.float64)
        signs = np.unpackbits(bits[start // 8 : (start + len(piece) + 7) // 8])[: len(piece)]
        piece *= 1.0 - 2.0 * signs
        whole = len(piece) // SIZE * SIZE
        sums += piece[:whole].reshape(-1, SIZE).sum(0)
        sums[: len(piece) - whole] += piece[whole:]
    return sums
