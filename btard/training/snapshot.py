"""A training state as plain data: what is hashed, written to checkpoints and sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from btard.errors import ConfigurationError
from btard.training.hashing import digests
from btard.training.tree import LEAF_DOMAIN, Layout, Tree, cut
from btard.types import Bytes, Digest


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training state as plain data.

    `settings` is canonical JSON (hyperparameters of the moment, schedule, scalars of the optimizer);
    `tensors` has `model.<parameter>` and `optimizer.<parameter>/<key>`.
    """

    settings: str
    tensors: Mapping[str, Tensor]

    def digest(self) -> Digest:
        """Return the model digest: over names, shapes, dtypes and bytes of all tensors, and the settings."""
        return self.tree().digest()

    def tree(self, before: tuple[Snapshot, Tree] | None = None) -> Tree:
        """Return the tree behind the digest. Leaves of chunks that have not changed since `before`, a
        snapshot of the same tensors with its tree, are those of that one."""
        layouts: list[Layout] = []
        chunks: list[_Octets] = []
        for name in sorted(self.tensors):
            octets = _octets(self.tensors[name])
            kind, shape = str(self.tensors[name].dtype), tuple(self.tensors[name].shape)
            layouts.append(Layout(name, kind, shape, len(octets)))
            chunks += [octets[part] for part in cut(len(octets))]
        known: list[Digest | None] = [None] * len(chunks)
        if before is not None and before[1].tensors == tuple(layouts):
            old = before[0]._chunks()
            pairs = zip(chunks, old, before[1].leaves, strict=True)
            known = [leaf if _equal(chunk, other) else None for chunk, other, leaf in pairs]
        new = [chunk.data for chunk, leaf in zip(chunks, known, strict=True) if leaf is None]
        hashed = iter(digests(LEAF_DOMAIN, new))
        leaves = tuple(next(hashed) if leaf is None else leaf for leaf in known)
        return Tree(self.settings, tuple(layouts), leaves)

    def chunk(self, tree: Tree, index: int) -> Bytes:
        """Return the bytes of chunk `index` of this snapshot's tree, which `Tree.holds` accepts. Raises
        ConfigurationError if there is no such chunk."""
        tensor, start, size_bytes = tree.chunk(index)
        return _octets(self.tensors[tensor.name])[start : start + size_bytes].data.toreadonly()

    def _chunks(self) -> list[_Octets]:
        arrays = [_octets(self.tensors[name]) for name in sorted(self.tensors)]
        return [array[part] for array in arrays for part in cut(len(array))]


_Octets = npt.NDArray[np.uint8]

_PREFIX = 1 << 12
"""Bytes that are compared first: most chunks that differ do so there."""


def _octets(tensor: Tensor) -> _Octets:
    """Return the bytes of a tensor, row by row, without a copy if they lie so on the CPU."""
    octets: _Octets = tensor.detach().cpu().contiguous().numpy().reshape(-1).view(np.uint8)
    return octets


def _equal(one: _Octets, other: _Octets) -> bool:
    return np.array_equal(one[:_PREFIX], other[:_PREFIX]) and np.array_equal(one, other)


def canonical(settings: Mapping[str, Any]) -> str:
    """Return settings as canonical JSON: sorted keys, no spaces."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def parse(text: str, shape: Mapping[str, type]) -> dict[str, Any]:
    """Read settings with just the keys of `shape`, and values of its types. Raises ConfigurationError."""
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise mismatch("its settings, which are not JSON") from error
    if not isinstance(settings, dict) or settings.keys() != shape.keys():
        raise mismatch("its settings")
    for key, kind in shape.items():
        if type(settings[key]) is not kind:
            raise mismatch(f"its settings of {key}")
    return settings


def mismatch(what: str) -> ConfigurationError:
    """Return the error for a snapshot of another model or recipe, `what` being the part that differs."""
    return ConfigurationError(f"the checkpoint is of another model or recipe: {what} does not fit")
