"""The adversaries that a name stands for, made from parameters that a person wrote."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, get_type_hints

from btard.adversary.base import Adversary
from btard.adversary.colluding_aggregate import ColludingAggregate
from btard.adversary.equivocation import Equivocation
from btard.adversary.false_accusation import FalseAccusation
from btard.adversary.false_offer import FalseOffer
from btard.adversary.false_reveal import FalseReveal
from btard.adversary.garbage import Garbage
from btard.adversary.gradient_kinds import (
    ALittleIsEnough,
    DelayedGradient,
    InnerProductManipulation,
    LabelFlip,
    Mimic,
    NotANumber,
    OptimisedALittleIsEnough,
    OptimisedInnerProductManipulation,
    RandomDirection,
    SignFlip,
)
from btard.adversary.lazy_validator import LazyValidator
from btard.adversary.misreported_projection import MisreportedProjection
from btard.adversary.premature_dispute import PrematureDispute
from btard.adversary.silent import Silent
from btard.adversary.withholding import WithheldAggregate, WithheldPart, WithheldReveal
from btard.adversary.wrong_aggregate import WrongAggregate
from btard.crypto import Identity
from btard.errors import ConfigurationError
from btard.types import PeerId

ADVERSARIES: dict[str, type[Adversary]] = {
    "alie": ALittleIsEnough,
    "colluding_aggregate": ColludingAggregate,
    "delayed_gradient": DelayedGradient,
    "equivocation": Equivocation,
    "false_accusation": FalseAccusation,
    "false_offer": FalseOffer,
    "false_reveal": FalseReveal,
    "garbage": Garbage,
    "ipm": InnerProductManipulation,
    "label_flip": LabelFlip,
    "lazy_validator": LazyValidator,
    "mimic": Mimic,
    "misreported_projection": MisreportedProjection,
    "nan_gradient": NotANumber,
    "optimised_alie": OptimisedALittleIsEnough,
    "optimised_ipm": OptimisedInnerProductManipulation,
    "random_direction": RandomDirection,
    "sign_flip": SignFlip,
    "silent": Silent,
    "withheld_aggregate": WithheldAggregate,
    "withheld_part": WithheldPart,
    "withheld_reveal": WithheldReveal,
    "premature_dispute": PrematureDispute,
    "wrong_aggregate": WrongAggregate,
}
"""Kind -> class."""

_GIVEN = frozenset({"identity", "seed", "colluders"})


def parameters(kind: str) -> dict[str, type]:
    """The parameters of a kind with their types. Raises ConfigurationError for an unknown kind."""
    known = ADVERSARIES.get(kind)
    if known is None:
        raise ConfigurationError(f"there is no adversary {kind!r}: choose one of {', '.join(ADVERSARIES)}")
    hints = get_type_hints(known)
    return {f.name: hints[f.name] for f in fields(known) if f.init and f.name not in _GIVEN}


def make_adversary(
    kind: str, identity: Identity, seed: bytes, colluders: tuple[PeerId, ...] = (), **params: Any
) -> Adversary:
    """The adversary of a kind: `identity` is its own, `seed` its randomness, `colluders` know each other.

    Raises ConfigurationError, with what there is, for an unknown kind or parameter, or a value of another
    type or out of bounds."""
    known = parameters(kind)
    for name, value in params.items():
        if name not in known:
            raise ConfigurationError(
                f"the adversary {kind!r} has no parameter {name!r}: it takes {', '.join(sorted(known))}"
            )
        _check(kind, name, value, known[name])
    return ADVERSARIES[kind](identity=identity, seed=seed, colluders=colluders, **params)


def _check(kind: str, name: str, value: Any, wanted: type) -> None:
    allowed = (int, float) if wanted is float else (wanted,)
    if type(value) not in allowed or (isinstance(value, float) and not math.isfinite(value)):
        raise ConfigurationError(
            f"the parameter {name!r} of the adversary {kind!r} is a finite {wanted.__name__}, not {value!r}"
        )
