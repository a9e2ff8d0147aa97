"""A model of many parameters whose gradient costs next to nothing: for what a peer does beside it."""

from __future__ import annotations

import math
import os

import torch
from torch import Tensor, nn

from btard.training import LAMB, AdamW, Recipe

TENSORS = 16

D_VARIABLE = "MEMORY_BENCHMARK_D"
"""The variable of the environment that has the number of parameters: a recipe's own, for its processes."""


class Large:
    """A pull of `d` parameters, in some tensors, towards zero, in each step with other weights."""

    def __init__(self, d: int) -> None:
        self.name = f"large-{d}"
        self._sizes = [d // TENSORS + (k < d % TENSORS) for k in range(TENSORS)]

    def build(self, seed: bytes) -> nn.Module:
        """Return parameters that are alike in no block."""
        model = nn.ParameterList()
        for k, size in enumerate(self._sizes):
            model.append(
                nn.Parameter(torch.arange(k, k + size).remainder_(1013).float().sub_(506).mul_(1e-4))
            )
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Return a sum of squares; autograd needs no copy of the parameters for it."""
        weights = [1 + byte / 256 for byte in seed[:TENSORS]]
        return sum(
            (w * torch.dot(p, p) for w, p in zip(weights, model.parameters(), strict=True)), torch.zeros(())
        )

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return the norm."""
        return {"loss": math.sqrt(sum(float(torch.dot(p, p)) for p in model.parameters()))}


def dimension() -> int:
    """Return d, as the environment has it."""
    return int(os.environ.get(D_VARIABLE, "10000000"))


def adamw() -> Recipe:
    """Train it with AdamW."""
    return Recipe(
        Large(dimension()), batch_size=1, optimizer=AdamW(learning_rate=1e-3), steps=4, tau=1e4, delta_max=1e5
    )


def lamb() -> Recipe:
    """Train it with LAMB, clipped."""
    optimizer = LAMB(learning_rate=1e-3, weight_decay=0.01, max_norm=1.0)
    return Recipe(Large(dimension()), batch_size=1, optimizer=optimizer, steps=4, tau=1e4, delta_max=1e5)
