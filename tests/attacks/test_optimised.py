"""The search of a strength, and IPM and ALIE with it, against definitions in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from btard.aggregators import parse as rule_of
from btard.attacks import (
    AttackContext,
    Optimised,
    OptimisedALittleIsEnough,
    OptimisedInnerProductManipulation,
)
from btard.attacks.strength import strongest
from btard.errors import ConfigurationError

ATTACKERS = 2
BOTH = [OptimisedInnerProductManipulation, OptimisedALittleIsEnough]
RULES = ["mean", "median", "trimmed_mean", "krum", "centered_clip(tau=1)", "nnm+ctma+median"]


def normal(rows: int = 7, dimension: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, dimension, generator=generator, dtype=torch.float64) + 0.3


def forged(kind: type[Optimised], honest: Tensor, strength: float) -> Tensor:
    """Both attacks by definition."""
    mean = honest.sum(0) / len(honest)
    if kind is OptimisedInnerProductManipulation:
        return -strength * mean
    return mean - strength * ((honest - mean) ** 2).mean(0).sqrt()


def against(rule: str, honest: Tensor) -> AttackContext:
    aggregate = rule_of(rule, f=ATTACKERS)
    return AttackContext(
        own=torch.zeros_like(honest[0]),
        peers=len(honest) + ATTACKERS,
        byzantine=ATTACKERS,
        honest=lambda: honest,
        aggregate=lambda vector: aggregate(torch.cat([honest, vector.expand(ATTACKERS, -1)])),
    )


def strength(attack: Optimised, context: AttackContext) -> float:
    """The strength of what the attack sends, which must lie on the line of its forgeries."""
    honest, sent = context.honest(), attack(context)
    origin, way = (forged(type(attack), honest, s) for s in (0.0, 1.0))
    found = float((sent - origin) @ (way - origin) / (way - origin).square().sum())
    torch.testing.assert_close(sent, forged(type(attack), honest, found))
    return found


def shift(context: AttackContext, vector: Tensor) -> float:
    return float((context.aggregate(vector) - context.honest().mean(0)).norm())


# ---------------------------------------------------------------- the search


def grid(strength_max: float) -> list[float]:
    """The grid of 20 evaluations: six strengths over three decades, on both sides."""
    return [side * strength_max * 10 ** (-0.6 * k) for k in range(6) for side in (1, -1)]


@given(
    levels=st.lists(st.floats(0, 10), min_size=40, max_size=40),
    strength_max=st.floats(0.1, 1e4),
    evaluations=st.integers(2, 40),
)
def test_search_gives_the_best_of_what_it_tried_and_tries_as_often_as_it_may(
    levels: list[float], strength_max: float, evaluations: int
) -> None:
    tried: dict[float, float] = {}
    calls = 0

    def wild(s: float) -> float:
        nonlocal calls
        calls += 1
        # As uneven as can be: a level for each twentieth of three decades, on each side.
        place = int(min(19, max(0, -math.log10(abs(s) / strength_max) * 20 / 3)))
        tried[s] = levels[place + 20 * (s < 0)]
        return tried[s]

    found = strongest(wild, strength_max, evaluations)
    assert calls == evaluations
    assert tried[found] == max(tried.values())
    assert strength_max / 1001 <= abs(found) <= strength_max
    assert all(strength_max / 1001 <= abs(s) <= strength_max for s in tried)
    if evaluations == 20:
        assert all(any(math.isclose(s, point, rel_tol=1e-9) for s in tried) for point in grid(strength_max))


@given(peak=st.floats(-1, 2), side=st.sampled_from([1, -1]))
def test_search_comes_near_a_single_peak_on_either_side(peak: float, side: int) -> None:
    found = strongest(lambda s: -abs(math.log10(abs(s)) - peak) if s * side > 0 else -10.0, 100.0, 20)
    assert found * side > 0
    assert abs(math.log10(abs(found)) - peak) < 0.04


def test_search_takes_the_least_strength_of_a_plateau_and_the_side_of_the_paper() -> None:
    assert strongest(lambda s: min(abs(s), 0.05), 100.0, 20) == pytest.approx(0.1)
    assert strongest(lambda s: float(s < -1), 100.0, 20) == pytest.approx(-1.585, rel=1e-3)


@pytest.mark.parametrize("ruin", [math.nan, math.inf])
def test_search_counts_an_aggregate_that_is_no_number_as_shifted_infinitely(ruin: float) -> None:
    assert strongest(lambda s: ruin if s < -30 else abs(s), 100.0, 20) < -30


# ---------------------------------------------------------------- the attacks


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", BOTH)
def test_attack_shifts_the_rule_at_least_as_much_as_any_strength_of_the_grid(
    kind: type[Optimised], rule: str
) -> None:
    for seed in range(5):
        context = against(rule, normal(seed=seed))
        sent = kind()(context)
        best = max(shift(context, forged(kind, context.honest(), s)) for s in grid(100.0))
        assert shift(context, sent) >= best * (1 - 1e-9)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("side", [1, -1])
def test_rule_that_only_one_side_can_shift_is_attacked_from_that_side(
    kind: type[Optimised], side: int
) -> None:
    honest = normal()
    mean = honest.mean(0)
    way = forged(kind, honest, 1.0) - forged(kind, honest, 0.0)

    def aggregate(vector: Tensor) -> Tensor:
        """The vector where it lies to that side by less than 5 strengths, else the mean."""
        along = float((vector - forged(kind, honest, 0.0)) @ way / (way @ way))
        return mean + along * way if 0 < along * side < 5 else mean

    context = AttackContext(own=mean, honest=lambda: honest, aggregate=aggregate)
    assert 4.0 < strength(kind(), context) * side < 5.0


def test_one_honest_row_has_no_deviation_and_alie_sends_it() -> None:
    honest = normal(rows=1)
    context = AttackContext(own=honest[0], honest=lambda: honest, aggregate=lambda vector: vector)
    assert torch.equal(OptimisedALittleIsEnough()(context), honest[0])


@pytest.mark.parametrize("kind", BOTH)
def test_what_the_rule_refuses_is_not_kept_quiet(kind: type[Optimised]) -> None:
    context = against("krum", normal(rows=2))
    with pytest.raises(ConfigurationError, match="n >= 2f \\+ 3"):
        kind()(context)
