"""A model with a portable optimizer: float32 vectors on the CPU, whatever device takes the gradients."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn

from btard.memory import floats
from btard.training.optimizers import PortableOptimizer, Vectors
from btard.training.optimizers.arithmetic import Floats
from btard.training.snapshot import Snapshot, canonical, mismatch, parse
from btard.training.spelling import spell
from btard.training.state import trainable
from btard.training.tree import Tree
from btard.training.vector import flatten
from btard.types import Digest

_Place: TypeAlias = tuple[str, int, int, tuple[int, ...]]
"""The name of a parameter, its first coordinate, its number of coordinates, its shape."""


class PortableState:
    """The parameters of `model`, copied, and what `optimizer` keeps of them, after `updates` updates.

    Only parameters with `requires_grad` are trained. Its vectors are written once, by what makes them, so
    everybody may share them: an update makes others, in memory that nobody refers to any more."""

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
        self._dimension = start
        self._made: Vectors | None = self._empty()
        self._made.parameters[:] = flatten([parameter for _, parameter in named]).numpy()
        for moment in self._made.moments:
            moment.fill(0)
        self._tree: Tree | None = None
        self._before: tuple[Snapshot, Tree] | None = None
        self.updates = 0

    def vector(self) -> Tensor:
        """Return the trainable parameters as one float32 vector (d,), which never changes."""
        return torch.from_numpy(self._vectors.parameters)

    def advance(self, before: PortableState, gradient: Tensor) -> None:
        """Become what `before`, another state of the same recipe, is after one update by `gradient` (d,),
        in whose memory the new parameters are written."""
        assert before is not self
        self.rest()
        made = Vectors(gradient.numpy(), self._moments())
        self._optimizer.update(before.updates, before._vectors, made.parameters, made, self._segments)
        self._made = made
        self._before = None if before._tree is None else (before.export(), before._tree)
        self.updates = before.updates + 1

    def rest(self) -> None:
        """Let go of the vectors: the next `advance` makes others."""
        self._made = self._tree = self._before = None

    def digest(self) -> Digest:
        """Return the digest of `export()`. Only the chunks that the last update has changed are hashed."""
        if self._tree is None:
            self._tree, self._before = self.export().tree(self._before), None
        return self._tree.digest()

    def restore(self, snapshot: Snapshot) -> None:
        """Become what `snapshot` describes. Raises ConfigurationError if it is of another model: then nothing
        has changed."""
        updates = self._check(snapshot)
        self.rest()
        self._made = self._empty()
        self.updates = updates
        for name, tensor in self.export().tensors.items():
            tensor.copy_(snapshot.tensors[name])

    def _check(self, snapshot: Snapshot) -> int:
        """Return the number of updates of a snapshot that is of this model. Raises as `restore` does."""
        settings = parse(snapshot.settings, {"optimizer": str, "updates": int})
        if settings["optimizer"] != self._spelling or settings["updates"] < 0:
            raise mismatch("its optimizer")
        mine = self.export().tensors
        for name, tensor in snapshot.tensors.items():
            expected = mine.get(name)
            if expected is None or (tensor.shape, tensor.dtype) != (expected.shape, expected.dtype):
                raise mismatch(f"tensor {name[:100]!r}")
        if snapshot.tensors.keys() != mine.keys():
            raise mismatch("the set of tensors")
        updates: int = settings["updates"]
        return updates

    def export(self) -> Snapshot:
        """Return this state as plain data, which never changes: do not write to it."""
        tensors: dict[str, Tensor] = {}
        for name, start, size, shape in self._places:
            assert size == math.prod(shape)
            part = self._vectors.window(start, size)
            tensors[f"model.{name}"] = torch.from_numpy(part.parameters).view(shape)
            for slot, moment in zip(self._optimizer.slots, part.moments, strict=True):
                tensors[f"optimizer.{name}/{slot}"] = torch.from_numpy(moment).view(shape)
        return Snapshot(canonical({"optimizer": self._spelling, "updates": self.updates}), tensors)

    @property
    def _vectors(self) -> Vectors:
        assert self._made is not None, "a state at rest has no vectors"
        return self._made

    def _empty(self) -> Vectors:
        return Vectors(floats(self._dimension), self._moments())

    def _moments(self) -> tuple[Floats, ...]:
        return tuple(floats(self._dimension) for _ in self._optimizer.slots)
