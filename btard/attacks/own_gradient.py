"""Attacks that need nothing but the attacker's own gradient, now or before, on right or wrong labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from btard.attacks.context import Attack, AttackContext
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class SignFlip(Attack):
    """-scale g, scale = 1000 (Gorbunov et al. 2022, section 4.1)."""

    scale: float = 1000.0

    def __call__(self, context: AttackContext, /) -> Tensor:
        return context.own * -self.scale


@dataclass(frozen=True, slots=True)
class Reversed(SignFlip):
    """-scale g, scale = 100: DRACO's "reversed gradient" (Chen et al. 2018, section 4)."""

    scale: float = 100.0


@dataclass(frozen=True, slots=True)
class LabelFlip(Attack):
    """The gradient on wrong labels: l -> C - 1 - l (Gorbunov et al. 2022, section 4.1). The host decides
    which labels are wrong, and how (`AttackContext.relabelled`)."""

    wrong_labels: ClassVar[bool] = True

    def __call__(self, context: AttackContext, /) -> Tensor:
        return context.relabelled()


@dataclass(frozen=True, slots=True)
class DelayedGradient(Attack):
    """The attacker's honest gradient of `delay` steps ago, 1000 in Gorbunov et al. 2022, section 4.1.

    Until so many steps have passed: the oldest one there is."""

    delay: int = 1000

    def __post_init__(self) -> None:
        Attack.__post_init__(self)
        if self.delay < 1:
            raise ConfigurationError(f"delay is {self.delay} steps: use at least 1")

    @property
    def look_back(self) -> int:
        return self.delay

    def __call__(self, context: AttackContext, /) -> Tensor:
        return context.past(self.delay)
