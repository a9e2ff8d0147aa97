"""Estimators against sequences worked out by hand, and their properties."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from btard.errors import ConfigurationError
from btard.estimators import (
    AnytimeAveraging,
    Clip,
    Estimator,
    Mu2,
    PlainGradient,
    WorkerMomentum,
    parse,
)


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def messages(estimator: Estimator, gradients: list[float], before: list[float]) -> list[float]:
    sent: list[float] = []
    previous: Tensor | None = None
    for step, (g, g_before) in enumerate(zip(gradients, before, strict=True)):
        previous = estimator.estimate(step, previous, numbers(g), numbers(g_before))
        sent.append(float(previous))
    return sent


def test_momentum_by_hand() -> None:
    # m = 4;  0.75 * 4 + 0.25 * 8 = 5;  0.75 * 5 + 0.25 * -1 = 3.5
    assert messages(WorkerMomentum(beta=0.75), [4, 8, -1], [0, 0, 0]) == [4.0, 5.0, 3.5]
    # m = 0.25 * 4 = 1;  0.75 + 2 = 2.75;  2.0625 - 0.25 = 1.8125
    assert messages(WorkerMomentum(beta=0.75, zero_start=True), [4, 8, -1], [0, 0, 0]) == [1.0, 2.75, 1.8125]


def test_mu2_estimate_by_hand() -> None:
    # beta_t = 1, 1/2, 1/3:  d = 4;  8 + 1/2 (4 - 6) = 7;  -1 + 2/3 (7 - 1) = 3
    assert messages(Mu2(), [4, 8, -1], [99, 6, 1]) == pytest.approx([4.0, 7.0, 3.0])
    # beta = 1/4:  d = 4;  8 + 3/4 (4 - 6) = 6.5;  -1 + 3/4 (6.5 - 1) = 3.125
    assert messages(Mu2(beta=0.25), [4, 8, -1], [99, 6, 1]) == [4.0, 6.5, 3.125]


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12), st.booleans())
def test_query_point_is_the_weighted_average_of_all_iterates(steps: list[int], weighted: bool) -> None:
    averaging = AnytimeAveraging(weighted)
    x, w = numbers(3), numbers(3)
    iterates = [Fraction(3)]
    for step, aggregate in enumerate(steps):
        x, w = averaging.advance(step, x, w, numbers(aggregate), learning_rate=0.25)
        alpha = step + 1 if weighted else 1
        iterates.append(iterates[-1] - Fraction(alpha * aggregate, 4))
    alphas = [k + 1 if weighted else 1 for k in range(len(iterates))]
    average = sum((a * v for a, v in zip(alphas, iterates, strict=True)), Fraction(0)) / sum(alphas)
    assert float(x) == pytest.approx(float(average), abs=1e-9, rel=1e-12)


def test_clipping_shortens_each_workers_gradient_and_keeps_its_direction() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [-30.0, 40.0]])
    clipped = Clip(PlainGradient(), norm=1.0).estimate(0, None, rows)
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0], [-0.6, 0.8]])
    torch.testing.assert_close(clipped, expected)


def test_clipping_takes_both_gradients_of_mu2() -> None:
    # clipped to 2 and 1.5:  2 + 1/2 (1 - 1.5) = 1.75
    found = Clip(Mu2(), norm=2.0).estimate(1, numbers(1), numbers(8), numbers(1.5))
    assert float(found) == 1.75


@pytest.mark.parametrize("text", ["gradient", "momentum", "mu2", "clip(norm=0.5)+mu2(beta=0.1)"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_workers_at_once_as_one_by_one_inputs_untouched(text: str, dtype: torch.dtype) -> None:
    estimator = parse(text)
    generator = torch.Generator().manual_seed(1)
    previous, gradient, before = torch.randn(3, 5, 7, generator=generator, dtype=dtype)
    copies = [tensor.clone() for tensor in (previous, gradient, before)]
    together = estimator.estimate(3, previous, gradient, before)
    for i in range(5):
        alone = estimator.estimate(3, previous[i], gradient[i], before[i])
        torch.testing.assert_close(together[i], alone, rtol=1e-6, atol=1e-6)
    assert together.dtype == dtype
    for tensor, copy in zip((previous, gradient, before), copies, strict=True):
        assert torch.equal(tensor, copy)


def test_names_stand_for_estimators() -> None:
    assert parse("gradient") == PlainGradient()
    assert parse("momentum(beta=0.5, zero_start=true)") == WorkerMomentum(0.5, zero_start=True)
    assert parse("clip(norm=2)+mu2(weighted=false, gamma=0.1)") == Clip(Mu2(weighted=False, gamma=0.1), 2)
    assert parse("clip+mu2").averaging == AnytimeAveraging()
    assert (parse("clip+mu2").points, parse("momentum").points) == (2, 1)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("adam", "'adam' is not an estimator: choose of gradient, momentum, mu2"),
        ("momentum+gradient", "'momentum' is not one that goes before another estimator: choose of clip"),
        ("momentum(beta=1)", "use 0 <= beta < 1"),
        ("mu2(beta=0)", "use 0 < beta <= 1"),
        ("mu2(gamma=1.5)", "use 0 < gamma <= 1"),
        ("clip(norm=0)+gradient", "give a finite norm > 0"),
        ("clip(base=3)+gradient", "no argument 'base'"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert part in str(caught.value)


def test_missing_or_misshapen_tensors_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs `previous`"):
        WorkerMomentum().estimate(1, None, numbers(1))
    with pytest.raises(ConfigurationError, match="needs `gradient_before`"):
        Mu2().estimate(1, numbers(1), numbers(1))
    with pytest.raises(ConfigurationError, match="give both of the same workers"):
        WorkerMomentum().estimate(1, numbers(1, 2), numbers(1))
