"""The adversaries that a name stands for, made of parameters that a person wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btard import terms
from btard.adversary.base import Adversary
from btard.adversary.colluding_aggregate import ColludingAggregate
from btard.adversary.composite import Composite
from btard.adversary.dispute_each_phase import DisputeEachPhase
from btard.adversary.dodge import Dodge
from btard.adversary.equivocation import Equivocation
from btard.adversary.false_accusation import FalseAccusation
from btard.adversary.false_offer import FalseOffer
from btard.adversary.false_reveal import FalseReveal
from btard.adversary.flood import Flood
from btard.adversary.garbage import Garbage
from btard.adversary.gradient_attack import FlippedGradient, GradientAdversary, InvalidGradient
from btard.adversary.late import Late
from btard.adversary.late_publisher import LatePublisher
from btard.adversary.lazy_validator import LazyValidator
from btard.adversary.liar import Liar
from btard.adversary.misreported_projection import MisreportedProjection
from btard.adversary.premature_dispute import PrematureDispute
from btard.adversary.selective import Selective
from btard.adversary.silent import Silent
from btard.adversary.views_only import ViewsOnly
from btard.adversary.withholding import WithheldAggregate, WithheldPart, WithheldReveal
from btard.adversary.wrong_aggregate import WrongAggregate
from btard.attacks import ATTACKS, Attack
from btard.crypto import Identity
from btard.types import PeerId

_NAMES = (
    *("alie", "delayed_gradient", "ipm", "label_flip", "mimic"),
    *("optimised_alie", "optimised_ipm", "random_direction", "sign_flip"),
)
_ATTACKS: Mapping[str, type[Attack]] = {
    "nan_gradient": ATTACKS["nan"],
    **{name: ATTACKS[name] for name in _NAMES},
}

_CLASSES: Mapping[str, type[Adversary]] = {
    **dict.fromkeys(_ATTACKS, GradientAdversary),
    "label_flip": FlippedGradient,
    "nan_gradient": InvalidGradient,
    "colluding_aggregate": ColludingAggregate,
    "composite": Composite,
    "dispute_each_phase": DisputeEachPhase,
    "dodge": Dodge,
    "equivocation": Equivocation,
    "false_accusation": FalseAccusation,
    "false_offer": FalseOffer,
    "false_reveal": FalseReveal,
    "flood": Flood,
    "garbage": Garbage,
    "late": Late,
    "late_publisher": LatePublisher,
    "lazy_validator": LazyValidator,
    "liar": Liar,
    "misreported_projection": MisreportedProjection,
    "premature_dispute": PrematureDispute,
    "selective": Selective,
    "silent": Silent,
    "views_only": ViewsOnly,
    "withheld_aggregate": WithheldAggregate,
    "withheld_part": WithheldPart,
    "withheld_reveal": WithheldReveal,
    "wrong_aggregate": WrongAggregate,
}

ADVERSARIES: Mapping[str, type[Adversary]] = dict(sorted(_CLASSES.items()))
"""Kind -> class. The gradient adversaries take the parameters of their attack beside their own."""

_GIVEN = frozenset({"identity", "seed", "colluders", "attack"})


def parameters(kind: str) -> dict[str, Any]:
    """Return the parameters of a kind with their types. Raises ConfigurationError for an unknown kind."""
    taken = terms.parameters(terms.find(kind, ADVERSARIES, "an adversary"))
    own = {name: hint for name, hint in taken.items() if name not in _GIVEN}
    return _attack_parameters(kind) | own


def make_adversary(
    kind: str, identity: Identity, seed: bytes, colluders: tuple[PeerId, ...] = (), **params: Any
) -> Adversary:
    """Return the adversary of a kind; `identity`, `seed` and `colluders` are those of `Adversary`.

    Raises ConfigurationError, with what there is, for an unknown kind or parameter, or a value of another
    type or out of bounds."""
    terms.check(terms.Term(kind, params), parameters(kind))
    if kind in _ATTACKS:
        attack = {name: params.pop(name) for name in _attack_parameters(kind) if name in params}
        params["attack"] = _ATTACKS[kind](**attack)
    adversary = ADVERSARIES[kind](identity=identity, seed=seed, colluders=colluders, **params)
    adversary.name = kind
    if isinstance(adversary, Composite):
        adversary.assemble(tuple(each for each in ADVERSARIES if each != kind), make_adversary)
    return adversary


def _attack_parameters(kind: str) -> dict[str, Any]:
    return terms.parameters(_ATTACKS[kind]) if kind in _ATTACKS else {}
