"""The state of a training: what the engine asks of it, and which kind a recipe needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from btard.errors import ConfigurationError
from btard.training.snapshot import Snapshot
from btard.types import Digest

if TYPE_CHECKING:
    from typing_extensions import Self


class State(Protocol):
    """A model's parameters with optimizer and schedule."""

    def vector(self) -> Tensor:
        """Return the trainable parameters as one float32 vector (d,) on the CPU, which never changes."""
        ...

    def advance(self, before: Self, gradient: Tensor) -> None:
        """Become what `before`, a state of the same recipe, is after one update by `gradient` (d,), whose
        memory is this state's afterwards: do not read it any more."""
        ...

    def rest(self) -> None:
        """Let go of what the next `advance` makes anew. Nothing else but that may follow."""
        ...

    def digest(self) -> Digest:
        """Return the digest of `export()`."""
        ...

    def export(self) -> Snapshot:
        """Return this state as plain data, which never changes: do not write to it."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Become what `snapshot` describes. Raises ConfigurationError if it is of another model: then nothing
        has changed."""
        ...


def trainable(model: nn.Module, task: str) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters with `requires_grad`, by name, in the model's order.

    Raises ConfigurationError if there is none, or one that is not float32."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not named:
        raise ConfigurationError(f"task {task!r} builds a model without trainable parameters")
    for name, parameter in named:
        if parameter.dtype != torch.float32:
            raise ConfigurationError(f"parameter {name} is {parameter.dtype}: build the model in float32")
    return named
