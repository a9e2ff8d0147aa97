"""A model with a portable optimizer: float32 vectors on the CPU, whatever device takes the gradients."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from btard.training.optimizers import PortableOptimizer, Vectors
from btard.training.snapshot import Snapshot, canonical, mismatch, parse
from btard.training.spelling import spell
from btard.training.state import trainable
from btard.training.vector import flatten
from btard.types import Digest

_Place: TypeAlias = tuple[str, int, int, tuple[int, ...]]
"""The name of a parameter, its first coordinate, its number of coordinates, its shape."""


class PortableState:
    """The parameters of `model`, copied, and what `optimizer` keeps of them, after `updates` updates.

    Only parameters with `requires_grad` are trained."""

    def __init__(self, model: nn.Module, optimizer: PortableOptimizer, task: str) -> None:
        self._optimizer = optimizer
        self._spelling = spell(optimizer)
        named = trainable(model, task)
        self._places: list[_Place] = []
        start = 0
        for name, parameter in named:
            self._places.append((name, start, parameter.numel(), tuple(parameter.shape)))
            start += parameter.numel()
        self._segments = optimizer.segments([(name, size) for name, _, size, _ in self._places])
        parameters = flatten([parameter for _, parameter in named]).numpy()
        self._vectors = Vectors(parameters, tuple(np.zeros_like(parameters) for _ in optimizer.slots))
        self.updates = 0

    def vector(self) -> Tensor:
        """Return the trainable parameters as one float32 vector (d,), copied."""
        return torch.from_numpy(self._vectors.parameters.copy())

    def advance(self, before: PortableState, gradient: Tensor) -> None:
        """Become what `before`, another state of the same recipe, is after one update by `gradient` (d,)."""
        assert before is not self
        self._optimizer.update(
            before.updates, before._vectors, gradient.numpy(), self._vectors, self._segments
        )
        self.updates = before.updates + 1

    def digest(self) -> Digest:
        """Return the digest of `export()`, without its copies."""
        return self._snapshot().digest()

    def export(self) -> Snapshot:
        """Return this state as plain data, copied."""
        shared = self._snapshot()
        return Snapshot(shared.settings, {name: tensor.clone() for name, tensor in shared.tensors.items()})

    def restore(self, snapshot: Snapshot) -> None:
        """Become what `snapshot` describes. Raises ConfigurationError if it is of another model: then nothing
        has changed."""
        settings = parse(snapshot.settings, {"optimizer": str, "updates": int})
        if settings["optimizer"] != self._spelling or settings["updates"] < 0:
            raise mismatch("its optimizer")
        mine = self._snapshot().tensors
        for name, tensor in snapshot.tensors.items():
            expected = mine.get(name)
            if expected is None or (tensor.shape, tensor.dtype) != (expected.shape, expected.dtype):
                raise mismatch(f"tensor {name[:100]!r}")
        if snapshot.tensors.keys() != mine.keys():
            raise mismatch("the set of tensors")
        for name, tensor in mine.items():
            tensor.copy_(snapshot.tensors[name])
        self.updates = settings["updates"]

    def _snapshot(self) -> Snapshot:
        """Return this state as plain data that shares its memory."""
        tensors: dict[str, Tensor] = {}
        for name, start, size, shape in self._places:
            assert size == math.prod(shape)
            part = self._vectors.window(start, size)
            tensors[f"model.{name}"] = torch.from_numpy(part.parameters).view(shape)
            for slot, moment in zip(self._optimizer.slots, part.moments, strict=True):
                tensors[f"optimizer.{name}/{slot}"] = torch.from_numpy(moment).view(shape)
        return Snapshot(canonical({"optimizer": self._spelling, "updates": self.updates}), tensors)
