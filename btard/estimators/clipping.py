"""Clipping of stochastic gradients, before anything is made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from btard.errors import ConfigurationError
from btard.estimators.averaging import AnytimeAveraging
from btard.estimators.estimator import Estimator


@dataclass(frozen=True, slots=True)
class Clip(Estimator):
    """`base` of gradients shortened to at most `norm`: g min(1, norm / |g|), by worker.

    BTARD-Clipped-SGD (Gorbunov et al. 2022, section 4) is "clip(norm=...)+gradient". If `base` takes
    two gradients, both are clipped, as in CTMA's code.
    """

    base: Estimator
    norm: float = 1.0

    def __post_init__(self) -> None:
        if not (self.norm > 0 and math.isfinite(self.norm)):
            raise ConfigurationError(f"norm is {self.norm}: give a finite norm > 0")

    @property
    def points(self) -> int:
        return self.base.points

    @property
    def averaging(self) -> AnytimeAveraging | None:
        return self.base.averaging

    def _estimate(
        self, step: int, previous: Tensor | None, gradient: Tensor, gradient_before: Tensor | None
    ) -> Tensor:
        before = None if gradient_before is None else self._clipped(gradient_before)
        return self.base.estimate(step, previous, self._clipped(gradient), before)

    def _clipped(self, gradient: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
        # Not norm / length clamped to 1: a zero gradient would give NaN times zero.
        shorter: Tensor = self.norm / length.clamp(min=self.norm)
        return gradient * shorter
