"""The order in which a vector is cut into parts: a public permutation of the model's coordinates.

The tensors of a model have gradients of unlike lengths, so contiguous pieces of its own order would have,
too, and no clipping radius would fit them all. In the mixed order each piece is a random sample of the whole:
protocols/step.md, The order of coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from btard.crypto import keystream
from btard.memory import floats
from btard.training.optimizers.arithmetic import Floats

Places = npt.NDArray[np.intp]

BLOCK = 16
"""Coordinates that stay together in a large model: 64 bytes, a line of the cache, so that mixing is a matter
of the memory's speed. Even the 64th part of the smallest such model is a sample of 1024 of them."""

SINGLE_BELOW = 1 << 20
"""A model of fewer coordinates is mixed one by one: it has few blocks, and fits into the cache."""


class Order:
    """The mixed order of `dimension` coordinates that `seed` draws.

    Place k of the mixed vector has block order[k] of the model's; what is less than a block stays at the end.
    """

    def __init__(self, dimension: int, seed: bytes) -> None:
        self.dimension = dimension
        self._block = 1 if dimension < SINGLE_BELOW else BLOCK
        self._blocks = _drawn(dimension // self._block, seed)

    def mix(self, vector: Tensor) -> Tensor:
        """Return a copy of a float32 vector (d,) of the model's order in the mixed order."""
        assert vector.numel() == self.dimension, "the vector is of another model"
        mixed = floats(self.dimension)
        source: Floats = vector.numpy()
        # "clip" lets numpy write to `out` without a buffer in between; no number is out of range.
        np.take(self._rows(source), self._blocks, axis=0, out=self._rows(mixed), mode="clip")
        end = len(self._blocks) * self._block
        mixed[end:] = source[end:]
        return torch.from_numpy(mixed)

    def unmix(self, pieces: Sequence[Tensor | Floats]) -> Tensor:
        """Return the float32 vector (d,) in the model's order whose mixed one consists of `pieces`, in turn.

        The inverse of `mix`, in one copy: a block that two pieces share is put together of both.
        """
        assert sum(map(len, pieces)) == self.dimension, "the pieces are of another model"
        vector = floats(self.dimension)
        position = 0
        for piece in pieces:
            values: Floats = np.asarray(piece)
            while len(values):
                count = self._put_back(vector, position, values)
                values = values[count:]
                position += count
        return torch.from_numpy(vector)

    def _put_back(self, vector: Floats, position: int, values: Floats) -> int:
        """Put into `vector` as many of `values`, which begin at `position` of the mixed vector, as go at
        once: whole blocks, the rest of one, or the end. Return how many."""
        number, within = divmod(position, self._block)
        left = len(self._blocks) - number
        if left <= 0:
            vector[position : position + len(values)] = values
            return len(values)
        blocks = 0 if within else min(left, len(values) // self._block)
        if blocks:
            count = blocks * self._block
            to = self._blocks[number : number + blocks]
            self._rows(vector)[to] = values[:count].reshape(blocks, self._block)
        else:
            count = min(self._block - within, len(values))
            start = int(self._blocks[number]) * self._block + within
            vector[start : start + count] = values[:count]
        return count

    def _rows(self, vector: Floats) -> Floats:
        """Return the whole blocks of a vector, a view (blocks, coordinates)."""
        rows: Floats = vector[: len(self._blocks) * self._block].reshape(-1, self._block)
        return rows


@lru_cache(maxsize=4)
def _drawn(blocks: int, seed: bytes) -> Places:
    """Return the numbers of all blocks, sorted by the words of the seed's keystream, equal ones by number.

    The engines of a process share it, so it cannot be written to."""
    words = np.frombuffer(keystream(seed, "order of coordinates", 8 * blocks), "<u8")
    drawn = np.argsort(words, kind="stable")
    drawn.setflags(write=False)
    return drawn
