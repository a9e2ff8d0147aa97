"""Arithmetic that is the same bits everywhere: operations that IEEE 754 rounds exactly, one rounding each.

numpy's `add`, `multiply`, `divide` and `sqrt` on whole arrays are such operations with every instruction
set, and none is fused with the next. torch's `sqrt` is not: the vector library behind it rounds one float32
in six otherwise. protocols/update.md is the specification.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

BLOCK = 1 << 15
"""Numbers of one block: the unit in which sums are ordered. A handful of such blocks fits a core's cache."""

LANES = 1 << 10
"""Partial sums that a sum keeps side by side."""

_SUBNORMAL = np.full(1, 1e-40, np.float32)


@contextmanager
def exact() -> Iterator[None]:
    """Run a block with subnormal numbers kept, and without warnings of overflow or of what is no number.

    A library may have told this thread to flush subnormal numbers to zero; that is put back afterwards."""
    flushed = not bool(np.multiply(_SUBNORMAL, np.float32(1)).any())
    if flushed:
        torch.set_flush_denormal(False)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        if flushed:
            torch.set_flush_denormal(True)


def power(base: float, exponent: int) -> float:
    """Return `base` to a whole `exponent` of at least 0 in float64, by squaring from the highest bit down."""
    result = 1.0
    for bit in f"{exponent:b}":
        result *= result
        if bit == "1":
            result *= base
    return result


def blocks(size: int) -> Iterator[slice]:
    """Cut `size` numbers into blocks; the last may be shorter."""
    for start in range(0, size, BLOCK):
        yield slice(start, min(start + BLOCK, size))


class SumOfSquares:
    """The sum of squares of float32 numbers in float64, in an order that is part of the protocol.

    Squares are exact. Each block is folded to LANES sums (the first half plus the second, until LANES are
    left; a shorter block counts as filled up with zeros). These are added to the sums of the blocks before,
    lane by lane; at the end the lanes are folded to one number."""

    def __init__(self) -> None:
        self._lanes: Doubles = np.zeros(LANES)
        self._block: Doubles = np.empty(BLOCK)

    def add(self, block: Floats) -> None:
        """Add the next block, of BLOCK numbers; only the last may have fewer."""
        size = len(block)
        # Zeros beyond the next power of two would change nothing.
        width = max(LANES, 1 << (size - 1).bit_length())
        squares = self._block[:width]
        squares[:size] = block
        squares[size:] = 0
        np.multiply(squares, squares, out=squares)
        np.add(self._lanes, _fold(squares, LANES), out=self._lanes)

    def root(self) -> float:
        """Return the square root of the sum."""
        return math.sqrt(float(_fold(self._lanes.copy(), 1)[0]))


def norm(vector: Floats) -> float:
    """Return the Euclidean norm of a vector, as `SumOfSquares` has it."""
    total = SumOfSquares()
    for block in blocks(len(vector)):
        total.add(vector[block])
    return total.root()


def _fold(sums: Doubles, width: int) -> Doubles:
    """Add the second half to the first, in place, until `width` sums are left."""
    while len(sums) > width:
        half = len(sums) // 2
        np.add(sums[:half], sums[half:], out=sums[:half])
        sums = sums[:half]
    return sums
