"""A model as one vector: flatten it, restore it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from btard.memory import floats
from btard.training.optimizers.arithmetic import blocks


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Copy tensors into one float32 vector (d,) on the CPU, each in row-major order."""
    vector = torch.from_numpy(floats(sum(tensor.numel() for tensor in tensors)))
    start = 0
    with torch.no_grad():
        for tensor in tensors:
            vector[start : start + tensor.numel()].view(tensor.shape).copy_(tensor)
            start += tensor.numel()
    return vector


def is_finite(vector: Tensor) -> bool:
    """Return whether a float32 vector on the CPU has neither NaN nor Inf; without a copy of it."""
    return all(bool(np.isfinite(vector.numpy()[block]).all()) for block in blocks(len(vector)))


def unflatten_into(vector: Tensor, targets: Sequence[Tensor]) -> None:
    """Copy a vector (d,) into tensors in place, the inverse of `flatten`."""
    start = 0
    with torch.no_grad():
        for target in targets:
            piece = vector[start : start + target.numel()]
            target.copy_(piece.view_as(target))
            start += target.numel()
    assert start == vector.numel(), "the vector and the tensors differ in size"
