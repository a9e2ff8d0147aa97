"""The gradient attacks of `btard.attacks` as adversaries, one class each with its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, cast

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
class Mimic(GradientAdversary):
    """Sends the gradient of an honest peer, which it computes: that of honest participant `row`, counted from
    0 (0 is always there), or with `variant` "variance" the one furthest out along the direction in which the
    honest gradients vary most."""

    variant: str = "row"
    row: int = 0

    def attack(self) -> Attack:
        """The attack with its parameters."""
        # Any other word is refused by the attack.
        return attacks.Mimic(cast(Literal["row", "variance"], self.variant), self.row)


@dataclass(kw_only=True, eq=False)
class OptimisedInnerProductManipulation(GradientAdversary):
    """Sends -epsilon times the mean of the honest gradients, which it computes, with the epsilon of either
    sign that shifts the run's CenteredClip most: `evaluations` aggregations of all parts a step."""

    strength_max: float = 100.0
    evaluations: int = 20

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.OptimisedInnerProductManipulation(self.strength_max, self.evaluations)


@dataclass(kw_only=True, eq=False)
class OptimisedALittleIsEnough(GradientAdversary):
    """Sends mu - z sigma of the honest gradients, which it computes, with the z of either sign that shifts
    the run's CenteredClip most: `evaluations` aggregations of all parts a step."""

    strength_max: float = 100.0
    evaluations: int = 20

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.OptimisedALittleIsEnough(self.strength_max, self.evaluations)


@dataclass(kw_only=True, eq=False)
class NotANumber(GradientAdversary):
    """Sends NaN in every part but the one that it aggregates itself."""

    reasons: ClassVar[frozenset[str]] = frozenset({"invalid part"})

    spares_own_part: ClassVar[bool] = True

    def attack(self) -> Attack:
        """The attack with its parameters."""
        return attacks.NotANumber()
