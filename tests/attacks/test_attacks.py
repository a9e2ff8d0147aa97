"""Each attack against its formula, written out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

import pytest
import torch
from torch import Tensor

from btard.attacks import (
    ATTACKS,
    Attack,
    AttackContext,
    Constant,
    DelayedGradient,
    Gaussian,
    Infinite,
    InnerProductManipulation,
    LabelFlip,
    NotANumber,
    OptimisedALittleIsEnough,
    OptimisedInnerProductManipulation,
    RandomDirection,
    Reversed,
    SignFlip,
    alie_z,
)
from btard.attacks import ALittleIsEnough as Alie
from btard.errors import ConfigurationError

HONEST = torch.tensor([[1.0, 2.0, 0.0], [3.0, 2.0, -4.0]])
OWN = torch.tensor([3.0, 0.0, -4.0])
PAST = {1: torch.tensor([1.0, 1.0, 1.0]), 1000: torch.tensor([7.0, 7.0, 7.0])}


def context(**changes: object) -> AttackContext:
    given = AttackContext(
        own=OWN.clone(),
        step=5,
        seed=b"colluders",
        peers=3,
        byzantine=1,
        honest=HONEST.clone,
        relabelled=lambda: torch.tensor([9.0, 9.0, 9.0]),
        past=PAST.__getitem__,
        aggregate=lambda vector: vector / 2,
    )
    return replace(given, **changes)


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (SignFlip(), [-3000.0, 0.0, 4000.0]),
        (SignFlip(scale=2.0), [-6.0, 0.0, 8.0]),
        (Reversed(), [-300.0, 0.0, 400.0]),
        (LabelFlip(), [9.0, 9.0, 9.0]),
        (DelayedGradient(), [7.0, 7.0, 7.0]),
        (DelayedGradient(delay=1), [1.0, 1.0, 1.0]),
        (InnerProductManipulation(epsilon=0.5), [-1.0, -1.0, 1.0]),
        (Alie(z=2.0), [0.0, 2.0, -6.0]),
        (Alie(z=2.0, sign=1), [4.0, 2.0, 2.0]),
        (Constant(), [-100.0, -100.0, -100.0]),
        (Infinite(), [math.inf, math.inf, math.inf]),
        (NotANumber(), [math.nan, math.nan, math.nan]),
    ],
    ids=repr,
)
def test_attack_sends_what_its_formula_says(attack: object, expected: list[float]) -> None:
    torch.testing.assert_close(attack(context()), torch.tensor(expected), rtol=0, atol=0, equal_nan=True)


def test_random_direction_is_a_thousand_gradients_long_and_common_to_all_attackers() -> None:
    mine = RandomDirection()(context())
    theirs = RandomDirection()(context(own=torch.tensor([0.0, 10.0, 0.0])))
    assert mine.norm().item() == pytest.approx(1000 * 5.0, rel=1e-5)
    assert torch.allclose(mine / mine.norm(), theirs / theirs.norm())


def test_random_direction_changes_with_the_step_and_the_seed() -> None:
    directions = [RandomDirection()(context(**change)) for change in ({}, {"step": 6}, {"seed": b"others"})]
    assert len({tuple(direction.tolist()) for direction in directions}) == 3


def test_gaussian_has_its_deviation_and_no_mean() -> None:
    noise = Gaussian(deviation=200.0)(context(own=torch.zeros(100_000)))
    assert noise.std().item() == pytest.approx(200.0, rel=0.02)
    assert abs(noise.mean().item()) < 3.0
    assert torch.equal(noise, Gaussian(deviation=200.0)(context(own=torch.zeros(100_000))))


@pytest.mark.parametrize(("peers", "byzantine", "share"), [(16, 7, 7 / 9), (50, 24, 24 / 26), (10, 2, 4 / 8)])
def test_alie_takes_z_from_n_and_f(peers: int, byzantine: int, share: float) -> None:
    assert alie_z(peers, byzantine) == pytest.approx(NormalDist().inv_cdf(share))


def test_alie_without_z_uses_the_paper_s() -> None:
    honest = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    sent = Alie()(context(peers=16, byzantine=7, honest=lambda: honest))
    expected = honest.mean(0) - alie_z(16, 7) * ((honest - honest.mean(0)) ** 2).mean(0).sqrt()
    assert torch.allclose(sent, expected)


def test_alie_says_where_its_formula_has_no_value() -> None:
    with pytest.raises(ConfigurationError, match="give it one"):
        alie_z(2, 1)


@pytest.mark.parametrize(
    ("attack", "known", "lacking"),
    [
        (LabelFlip(), {}, "the gradient on wrong labels"),
        (DelayedGradient(), {}, "earlier gradients"),
        (InnerProductManipulation(), {}, "the honest gradients"),
        (OptimisedInnerProductManipulation(), {"honest": HONEST.clone}, "what the rule makes"),
        (OptimisedALittleIsEnough(), {"honest": HONEST.clone}, "what the rule makes"),
    ],
    ids=repr,
)
def test_attack_that_lacks_knowledge_says_what_to_put_into_the_context(
    attack: Attack, known: dict[str, Callable[[], Tensor]], lacking: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"needs {lacking}.*AttackContext"):
        attack(AttackContext(own=OWN, **known))


def test_hosts_are_told_what_an_attack_needs() -> None:
    made = {name: kind() for name, kind in ATTACKS.items()}
    assert {name: attack.look_back for name, attack in made.items() if attack.look_back} == {
        "delayed_gradient": 1000
    }
    assert [name for name, attack in made.items() if attack.wrong_labels] == ["label_flip"]
    assert DelayedGradient(delay=3).look_back == 3


@pytest.mark.parametrize("kind", ATTACKS)
def test_attack_is_common_where_no_attacker_s_own_gradient_is_in_it(kind: str) -> None:
    attack = ATTACKS[kind]()
    others = context(own=OWN + 1, relabelled=lambda: OWN, past=lambda _: OWN, peers=16, byzantine=7)
    mine, theirs = attack(context(peers=16, byzantine=7)), attack(others)
    assert torch.equal(mine.nan_to_num(), theirs.nan_to_num()) == attack.common


@pytest.mark.parametrize("dimension", [1, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ATTACKS)
def test_attack_keeps_dtype_and_dimension_and_changes_nothing(
    kind: str, dtype: torch.dtype, dimension: int
) -> None:
    honest = torch.ones(9, dimension, dtype=dtype)
    given = context(
        own=honest[0],
        honest=lambda: honest,
        relabelled=lambda: honest[1],
        past=lambda _: honest[2],
        peers=16,
        byzantine=7,
    )
    sent = ATTACKS[kind]()(given)
    assert sent.dtype == dtype
    assert sent.shape == (dimension,)
    assert torch.equal(honest, torch.ones(9, dimension, dtype=dtype))
