"""What an adversary knows of a step is what happens in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from torch import Tensor

from btard.adversary.gradient_attack import GradientAdversary
from btard.attacks import Attack, AttackContext, InnerProductManipulation
from btard.codec import FP32
from btard.crypto import digest
from btard.parts import windows
from tests.adversary.swarm import swarm


@dataclass(frozen=True, slots=True)
class Foreseen(Attack):
    """IPM, which writes down what it is told that the rule makes of it."""

    seen: list[Tensor]

    def __call__(self, context: AttackContext, /) -> Tensor:
        forged = InnerProductManipulation(epsilon=5.0)(context)
        self.seen.append(context.aggregate(forged))
        return forged


def seer(**given: Any) -> GradientAdversary:
    """Attacks so in the first step."""
    return GradientAdversary(**given, period=100, attack=Foreseen([]))


@pytest.mark.parametrize("colluders", [1, 3])
def test_colluders_foresee_the_aggregate_of_their_step_byte_for_byte(colluders: int) -> None:
    rig = swarm(*(seer for _ in range(colluders)), honest=4, steps=1).run()
    finished = rig.honest[0].recorded[0].state.finished
    assert finished is not None
    for peer in rig.byzantine:
        assert isinstance(peer.adversary, GradientAdversary)
        assert isinstance(peer.adversary.attack, Foreseen)
        (foreseen,) = peer.adversary.attack.seen
        spans = windows(peer.engine.dimension, 4 + colluders)
        parts = [digest("blob", FP32.encode(foreseen[start : start + size])) for start, size in spans]
        assert tuple(parts) == finished.aggregates
