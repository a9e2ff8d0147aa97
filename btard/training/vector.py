"""A model as one vector: flatten, restore, split into contiguous parts, and blobs of float32 bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from btard.errors import ConfigurationError

FLOAT_BYTES = 4
"""A blob is little-endian float32: 4 bytes a coordinate."""


def split_sizes(dimension: int, parts: int) -> tuple[int, ...]:
    """Sizes of `parts` contiguous parts of a vector; the first `dimension % parts` are one longer.

    Raises ConfigurationError where a part would be empty.
    """
    if not 1 <= parts <= dimension:
        raise ConfigurationError(
            f"cannot split {dimension} coordinates into {parts} parts: use 1 to {dimension} parts"
        )
    size, longer = divmod(dimension, parts)
    return tuple(size + 1 if part < longer else size for part in range(parts))


def window(dimension: int, parts: int, part: int) -> tuple[int, int]:
    """Where part `part` lies: (first coordinate, number of coordinates)."""
    if not 0 <= part < parts:
        raise ConfigurationError(f"part {part} does not exist: there are {parts}, counted from 0")
    sizes = split_sizes(dimension, parts)
    return sum(sizes[:part]), sizes[part]


def windows(dimension: int, parts: int) -> tuple[tuple[int, int], ...]:
    """(first coordinate, number of coordinates) of every part, in order."""
    result = []
    start = 0
    for size in split_sizes(dimension, parts):
        result.append((start, size))
        start += size
    return tuple(result)


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Copy tensors into one float32 vector (d,) on the CPU, each in row-major order."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).to("cpu", torch.float32, copy=True)


def unflatten_into(vector: Tensor, targets: Sequence[Tensor]) -> None:
    """Copy a vector (d,) into tensors in place, the inverse of `flatten`."""
    start = 0
    with torch.no_grad():
        for target in targets:
            piece = vector[start : start + target.numel()]
            target.copy_(piece.view_as(target))
            start += target.numel()
    assert start == vector.numel(), "the vector and the tensors differ in size"


def to_blob(vector: Tensor) -> bytes:
    """The little-endian float32 bytes of a vector (d,)."""
    return vector.detach().cpu().numpy().astype("<f4", copy=False).tobytes()


def from_blob(data: bytes) -> Tensor:
    """The vector (d,) of float32 whose bytes these are; any NaN or Inf is passed on.

    Raises ConfigurationError where the length is no multiple of four.
    """
    if len(data) % FLOAT_BYTES:
        raise ConfigurationError(f"a blob of {len(data)} bytes is not float32: send whole coordinates")
    return torch.from_numpy(np.frombuffer(data, dtype="<f4").astype(np.float32))


def is_finite(data: bytes) -> bool:
    """Are these the bytes of float32 coordinates without NaN and Inf? Takes any bytes."""
    return len(data) % FLOAT_BYTES == 0 and bool(np.isfinite(np.frombuffer(data, dtype="<f4")).all())
