"""Attacks whose vector has nothing to do with the task: constants, noise, a random direction, NaN and Inf."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from btard.attacks.context import Attack, AttackContext
from btard.crypto import digest, directions


@dataclass(frozen=True, slots=True)
class RandomDirection(Attack):
    """scale |g| u, u a random unit vector that all attackers of a step share; scale = 1000
    (Gorbunov et al. 2022, section 4.1).

    The coordinates of u before normalisation are uniform odd bytes instead of Gaussians, which are the
    same on every machine (`btard.crypto.directions`). Not `common`: each attacker's length is its own."""

    scale: float = 1000.0

    def __call__(self, context: AttackContext, /) -> Tensor:
        direction = directions(_seed(context), "random direction", 1, 0, context.own.numel())[0]
        direction = direction.to(context.own)
        length = self.scale * float(context.own.norm())
        return direction * (length / float(direction.norm()))


@dataclass(frozen=True, slots=True)
class Constant(Attack):
    """value (1, ..., 1), value = -100: DRACO's "constant" (Chen et al. 2018, section 4)."""

    common: ClassVar[bool] = True

    value: float = -100.0

    def __call__(self, context: AttackContext, /) -> Tensor:
        return torch.full_like(context.own, self.value)


@dataclass(frozen=True, slots=True)
class Gaussian(Attack):
    """N(0, deviation^2) in each coordinate, deviation = 200 (Blanchard et al. 2017, section 5).

    Common to all attackers of a step; reproducible for one version of torch, on the CPU."""

    common: ClassVar[bool] = True

    deviation: float = 200.0

    def __call__(self, context: AttackContext, /) -> Tensor:
        generator = torch.Generator().manual_seed(int.from_bytes(_seed(context)[:8], "big") >> 1)
        noise = torch.randn(context.own.shape, generator=generator, dtype=torch.float32)
        return noise.to(context.own) * self.deviation


@dataclass(frozen=True, slots=True)
class NotANumber(Attack):
    """NaN in every coordinate: one such row makes any average NaN."""

    common: ClassVar[bool] = True

    def __call__(self, context: AttackContext, /) -> Tensor:
        return torch.full_like(context.own, math.nan)


@dataclass(frozen=True, slots=True)
class Infinite(Attack):
    """+Inf in every coordinate: survives a test for NaN and becomes one in the first difference."""

    common: ClassVar[bool] = True

    def __call__(self, context: AttackContext, /) -> Tensor:
        return torch.full_like(context.own, math.inf)


def _seed(context: AttackContext) -> bytes:
    return digest("attack", context.seed, context.step.to_bytes(8, "little"))
