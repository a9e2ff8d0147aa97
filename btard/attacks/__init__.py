"""Gradient attacks of the literature, as pure functions: what an attacker sends in place of its gradient.

Each is a frozen dataclass of its parameters with one contract, `attack(context) -> Tensor`; the context gives
what the attacker knows. The laboratory and the adversaries of a real swarm call the same objects.
"""

from __future__ import annotations

from btard.attacks.context import Attack, AttackContext
from btard.attacks.omniscient import ALittleIsEnough, InnerProductManipulation, alie_z
from btard.attacks.own_gradient import DelayedGradient, LabelFlip, Reversed, SignFlip
from btard.attacks.senseless import Constant, Gaussian, Infinite, NotANumber, RandomDirection

ATTACKS: dict[str, type[Attack]] = {
    "alie": ALittleIsEnough,
    "constant": Constant,
    "delayed_gradient": DelayedGradient,
    "gaussian": Gaussian,
    "inf": Infinite,
    "ipm": InnerProductManipulation,
    "label_flip": LabelFlip,
    "nan": NotANumber,
    "random_direction": RandomDirection,
    "reversed": Reversed,
    "sign_flip": SignFlip,
}
"""Name -> attack, as profiles and the laboratory spell them."""

__all__ = [
    "ATTACKS",
    "ALittleIsEnough",
    "Attack",
    "AttackContext",
    "Constant",
    "DelayedGradient",
    "Gaussian",
    "Infinite",
    "InnerProductManipulation",
    "LabelFlip",
    "NotANumber",
    "RandomDirection",
    "Reversed",
    "SignFlip",
    "alie_z",
]
