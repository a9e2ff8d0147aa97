"""Attacks that know every honest gradient of the step: IPM and ALIE. All attackers send the same vector."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import torch
from torch import Tensor

from btard.attacks.context import Attack, AttackContext
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class InnerProductManipulation(Attack):
    """IPM: -epsilon mu, mu the mean of the honest gradients (Xie, Koyejo, Gupta 2020, "Fall of Empires").

    A small epsilon (0.1) hides near the origin and shrinks the average, a large one (0.6 and more) turns
    it round if the aggregation rule lets it."""

    common: ClassVar[bool] = True

    epsilon: float = 0.6

    def __call__(self, context: AttackContext, /) -> Tensor:
        return context.honest().mean(0) * -self.epsilon


@dataclass(frozen=True, slots=True)
class ALittleIsEnough(Attack):
    """ALIE: mu - z sigma, coordinate-wise over the honest gradients (Baruch, Baruch, Goldberg 2019).

    `z` None: the greatest that leaves the forgery nearer to mu than s = floor(n / 2 + 1) - f honest peers,
    z = Phi^-1((n - f - s) / (n - f)). sigma is the standard deviation with divisor n - f, as in the authors'
    code. `sign` is -1 in the paper; +1 goes to the other side. For n <= 5 and f = 1 this z is not positive:
    there are too few attackers to hide, and the forgery is a slightly better mean."""

    common: ClassVar[bool] = True

    z: float | None = None
    sign: int = -1

    def __post_init__(self) -> None:
        Attack.__post_init__(self)
        if self.sign not in (-1, 1):
            raise ConfigurationError(f"sign is {self.sign}: use -1 or 1")

    def __call__(self, context: AttackContext, /) -> Tensor:
        z = alie_z(context.peers, context.byzantine) if self.z is None else self.z
        honest_ND = context.honest()
        mean_D = honest_ND.mean(0)
        return mean_D + deviation(honest_ND, mean_D) * (self.sign * z)


def alie_z(peers: int, byzantine: int) -> float:
    """ALIE's z of n peers, f of them Byzantine (Baruch et al. 2019, Algorithm 3).

    Raises ConfigurationError if the formula has no value: n - f - s must lie between 1 and n - f - 1."""
    honest = peers - byzantine
    supporters = peers // 2 + 1 - byzantine
    if not 0 < honest - supporters < honest:
        raise ConfigurationError(
            f"ALIE has no z for {byzantine} attackers among {peers} peers: give it one, e.g. z = 1.0"
        )
    return NormalDist().inv_cdf((honest - supporters) / honest)


def deviation(honest_ND: Tensor, mean_D: Tensor) -> Tensor:
    """sigma, (d,): the standard deviation over the rows (n, d) with divisor n, `mean_D` their mean.

    torch's `std(0)` goes through short strided columns: 30 times as long for 9 rows of 50,000.
    """
    # Summed row by row: n buffers are not needed.
    squares_D = torch.zeros_like(mean_D)
    for row_D in honest_ND:
        difference_D = row_D - mean_D
        squares_D.addcmul_(difference_D, difference_D)
    return squares_D.div_(len(honest_ND)).sqrt_()
