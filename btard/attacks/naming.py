"""Attacks by name, as command lines and configuration files write them."""

from __future__ import annotations

from collections.abc import Mapping

from btard.attacks.context import Attack
from btard.attacks.mimic import Mimic
from btard.attacks.omniscient import ALittleIsEnough, InnerProductManipulation
from btard.attacks.optimised import OptimisedALittleIsEnough, OptimisedInnerProductManipulation
from btard.attacks.own_gradient import DelayedGradient, LabelFlip, Reversed, SignFlip
from btard.attacks.senseless import Constant, Gaussian, Infinite, NotANumber, RandomDirection
from btard.terms import make, parse_term

ATTACKS: Mapping[str, type[Attack]] = {
    "alie": ALittleIsEnough,
    "constant": Constant,
    "delayed_gradient": DelayedGradient,
    "gaussian": Gaussian,
    "inf": Infinite,
    "ipm": InnerProductManipulation,
    "label_flip": LabelFlip,
    "mimic": Mimic,
    "nan": NotANumber,
    "optimised_alie": OptimisedALittleIsEnough,
    "optimised_ipm": OptimisedInnerProductManipulation,
    "random_direction": RandomDirection,
    "reversed": Reversed,
    "sign_flip": SignFlip,
}
"""Name -> attack, as the laboratory and its command line spell them."""


def parse(text: str) -> Attack:
    """Return the attack that `text` names: "ipm", "alie(z=1.5)", "mimic(variant=variance)".

    "none" is not an attack: a caller that allows it checks for it first. Raises `ConfigurationError` for
    unknown names and arguments, arguments out of bounds, and more than one attack.
    """
    return make(parse_term(text), ATTACKS, "an attack")
