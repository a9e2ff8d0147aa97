"""Gradient attacks of the literature, as pure functions: what an attacker sends in place of its gradient.

    InnerProductManipulation(epsilon=0.1)(AttackContext(own=g, honest=lambda: honest_ND))
    parse("alie(z=1.5)")(context)                     # by name

Each is a frozen dataclass of its parameters (`Attack`) with one contract, `attack(context) -> Tensor`; the
context gives what the attacker knows. The laboratory and the adversaries of a swarm call the same objects.
"""

from btard.attacks.context import Attack, AttackContext
from btard.attacks.mimic import Mimic
from btard.attacks.naming import ATTACKS, parse
from btard.attacks.omniscient import ALittleIsEnough, InnerProductManipulation, alie_z
from btard.attacks.optimised import Optimised, OptimisedALittleIsEnough, OptimisedInnerProductManipulation
from btard.attacks.own_gradient import DelayedGradient, LabelFlip, Reversed, SignFlip
from btard.attacks.senseless import Constant, Gaussian, Infinite, NotANumber, RandomDirection
from btard.attacks.strength import strongest

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
    "Mimic",
    "NotANumber",
    "Optimised",
    "OptimisedALittleIsEnough",
    "OptimisedInnerProductManipulation",
    "RandomDirection",
    "Reversed",
    "SignFlip",
    "alie_z",
    "parse",
    "strongest",
]
