"""How often a computation reads its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SHAPE_ONLY = ("new_", "empty_like", "zeros_like", "full_like")
"""Operations that take a tensor and read none of it."""


class _Reader(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the elements of one storage that go into operations, views of it aside."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._storage = rows.untyped_storage().data_ptr()
        self.elements: int = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        if not self._parts(result) and not operation.__name__.startswith(SHAPE_ONLY):
            self.elements += sum(elements for _, elements in self._parts((args, kwargs)))
        return result

    def _parts(self, values: object) -> set[tuple[int, int]]:
        """Where the views of the storage among `values` begin and how long they are; transposes once."""
        tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
        return {(t.data_ptr(), t.numel()) for t in tensors if t.untyped_storage().data_ptr() == self._storage}


def times_read(rule: Callable[[Tensor], object], rows: Tensor) -> float:
    """How many times `rule` reads all of `rows`, a block read again while it is in the cache included."""
    reader = _Reader(rows)
    with torch.no_grad(), reader:
        rule(rows)
    return reader.elements / rows.numel()
