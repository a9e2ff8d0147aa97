"""A model as one vector: flatten it, restore it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Copy tensors into one float32 vector (d,) on the CPU, each in row-major order."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).to("cpu", torch.float32)


def unflatten_into(vector: Tensor, targets: Sequence[Tensor]) -> None:
    """Copy a vector (d,) into tensors in place, the inverse of `flatten`."""
    start = 0
    with torch.no_grad():
        for target in targets:
            piece = vector[start : start + target.numel()]
            target.copy_(piece.view_as(target))
            start += target.numel()
    assert start == vector.numel(), "the vector and the tensors differ in size"
