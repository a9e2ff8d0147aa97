"""The gradient attacks of `btard.attacks` as adversaries, one class each with its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from btard import attacks
from btard.adversary.gradient_attack import GradientAdversary
from btard.attacks import Attack


@dataclass(kw_only=True, eq=False)
class SignFlip(GradientAdversary):
    """Sends -scale g."""

    scale: float = 1000.0

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.SignFlip(self.scale)


@dataclass(kw_only=True, eq=False)
class LabelFlip(GradientAdversary):
    """Sends the gradient on labels C - 1 - y. Needs a task of classification."""

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.LabelFlip()


@dataclass(kw_only=True, eq=False)
class RandomDirection(GradientAdversary):
    """Sends scale |g| in a random direction that all colluders share."""

    scale: float = 1000.0

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.RandomDirection(self.scale)


@dataclass(kw_only=True, eq=False)
class DelayedGradient(GradientAdversary):
    """Sends its gradient of `delay` steps ago; keeps so many gradients in memory."""

    delay: int = 1000

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.DelayedGradient(self.delay)

    def look_back(self) -> int:
        """How many steps the attack looks back."""
        return self.delay


@dataclass(kw_only=True, eq=False)
class InnerProductManipulation(GradientAdversary):
    """Sends -epsilon times the mean of the honest gradients, which it computes: n - f times the work."""

    epsilon: float = 0.6

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.InnerProductManipulation(self.epsilon)


@dataclass(kw_only=True, eq=False)
class ALittleIsEnough(GradientAdversary):
    """Sends mu + sign z sigma of the honest gradients, which it computes; z = 0 stands for the paper's."""

    z: float = 0.0
    sign: int = -1

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.ALittleIsEnough(self.z or None, self.sign)


@dataclass(kw_only=True, eq=False)
class NotANumber(GradientAdversary):
    """Sends NaN in every part but the one that it aggregates itself."""

    reasons: ClassVar[frozenset[str]] = frozenset({"invalid part"})

    spares_own_part: ClassVar[bool] = True

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.NotANumber()
