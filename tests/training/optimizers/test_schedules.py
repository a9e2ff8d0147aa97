"""Schedules: torch's where torch has them, by formulas without a mathematical library."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, StepLR

from btard.errors import ConfigurationError
from btard.training.optimizers import Constant, Decay, Schedule, WarmupCosine, WarmupLinear
from btard.training.optimizers.cosine import half_cosine


def torchs(make: Any, steps: int) -> list[float]:
    """The factors of a scheduler of torch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize(
    ("schedule", "reference"),
    [
        (WarmupCosine(total=50), lambda o: CosineAnnealingLR(o, 50)),
        (WarmupCosine(total=50, floor=0.1), lambda o: CosineAnnealingLR(o, 50, eta_min=0.1)),
        (Decay(0.9), lambda o: ExponentialLR(o, 0.9)),
        (Decay(0.5, every=7), lambda o: StepLR(o, 7, 0.5)),
    ],
    ids=["cosine", "cosine to a floor", "exponential", "in steps"],
)
def test_a_schedule_is_torchs_up_to_rounding(schedule: Schedule, reference: Any) -> None:
    mine = [schedule.factor(count) for count in range(50)]
    assert mine == pytest.approx(torchs(reference, 50), rel=1e-12, abs=1e-12)


def test_a_linear_schedule_goes_up_and_down_and_stays_at_zero() -> None:
    schedule = WarmupLinear(warmup=4, total=8)
    assert [schedule.factor(count) for count in range(10)] == [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25, 0, 0]
    assert [WarmupLinear(0, 2).factor(count) for count in range(3)] == [1, 0.5, 0]
    assert Constant().factor(10**9) == 1


def test_a_cosine_begins_after_its_warm_up_and_stays_at_its_floor() -> None:
    schedule = WarmupCosine(total=8, warmup=4, floor=0.5)
    factors = [schedule.factor(count) for count in range(10)]
    assert factors[:5] == [0.25, 0.5, 0.75, 1, 1]
    assert factors[6] == pytest.approx(0.75, abs=1e-15)
    assert factors[8:] == [0.5, 0.5]


def test_half_a_cosine_is_one_within_two_units_of_the_last_place() -> None:
    shares = [index / 4096 for index in range(4097)]
    assert max(abs(half_cosine(x) - (1 + math.cos(math.pi * x)) / 2) for x in shares) <= 2.0**-51
    assert (half_cosine(0.0), half_cosine(1.0)) == (1.0, 0.0)
    assert all(half_cosine(a) > half_cosine(b) for a, b in pairwise(shares))


@pytest.mark.parametrize(
    ("kind", "arguments", "what"),
    [
        (WarmupLinear, {"warmup": 5, "total": 5}, "warmup is 5 of 5 updates: use 0 to 4"),
        (WarmupLinear, {"warmup": -1, "total": 5}, "warmup is -1"),
        (WarmupCosine, {"total": 0}, "warmup is 0 of 0"),
        (WarmupCosine, {"total": 5, "floor": 1.5}, "floor is 1.5: use 0 to 1"),
        (Decay, {"rate": 0.0}, "rate is 0.0"),
        (Decay, {"rate": 1.1}, "rate is 1.1"),
        (Decay, {"rate": 0.5, "every": 0}, "every is 0"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(kind: Any, arguments: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        kind(**arguments)
