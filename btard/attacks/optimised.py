"""IPM and ALIE with the strength that shifts the rule most, searched anew in every step."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from btard.attacks.context import Attack, AttackContext
from btard.attacks.omniscient import deviation
from btard.attacks.strength import strongest
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Optimised(Attack):
    """Base: of the vectors origin - s direction the one with the greatest |aggregate(vector) - mu|, mu the
    mean of the honest gradients.

    s is searched on both sides of zero, strength_max / 1000 <= |s| <= strength_max, with `evaluations` calls
    of `AttackContext.aggregate` (`strength.strongest`: a coarse grid, then golden section). If the rule
    refuses a forgery, its ConfigurationError passes through.

    The objective is that of Allouah et al. 2023, "Fixing by Mixing", as ByzFL 0.0.11 has it; the search
    differs. ByzFL's starts from s = 0, adds 10, 20, 40, ... while that helps, then tries ever smaller steps
    to the same side: a maximum at s < 0 or behind a dip is missed, and the range depends on the number of
    evaluations (5 10^6 for 20 against the mean). Here both sides are searched, and the range is an
    argument."""

    common: ClassVar[bool] = True

    strength_max: float = 100.0
    evaluations: int = 20

    def __post_init__(self) -> None:
        Attack.__post_init__(self)
        if self.strength_max <= 0:
            raise ConfigurationError(f"strength_max is {self.strength_max}: give one above 0")
        if self.evaluations < 2:
            raise ConfigurationError(f"evaluations is {self.evaluations}: use at least 2, one for each side")

    def __call__(self, context: AttackContext, /) -> Tensor:
        honest_ND = context.honest()
        mean_D = honest_ND.mean(0)
        origin_D, direction_D = self._line(honest_ND, mean_D)

        def shift(strength: float) -> float:
            aggregate_D = context.aggregate(origin_D - direction_D * strength)
            return float(torch.linalg.vector_norm(aggregate_D - mean_D, dtype=torch.float64))

        return origin_D - direction_D * strongest(shift, self.strength_max, self.evaluations)

    @abstractmethod
    def _line(self, honest_ND: Tensor, mean_D: Tensor) -> tuple[Tensor, Tensor]:
        """Return the origin and the direction of the line of forgeries, (d,) each."""


@dataclass(frozen=True, slots=True)
class OptimisedInnerProductManipulation(Optimised):
    """IPM of the best epsilon: -epsilon mu, epsilon < 0 (a longer mean) tried as well."""

    def _line(self, honest_ND: Tensor, mean_D: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(mean_D), mean_D


@dataclass(frozen=True, slots=True)
class OptimisedALittleIsEnough(Optimised):
    """ALIE of the best z: mu - z sigma, sigma as in `ALittleIsEnough`, z of both signs."""

    def _line(self, honest_ND: Tensor, mean_D: Tensor) -> tuple[Tensor, Tensor]:
        return mean_D, deviation(honest_ND, mean_D)
