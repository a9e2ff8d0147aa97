"""CenteredClip reaches its fixed point, whatever the rows; the geometric median with it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from btard.aggregators import CenteredClip, GeometricMedian, gram
from btard.aggregators.gram import _products as products
from btard.aggregators.huber import huber_weights
from btard.errors import ConfigurationError
from tests.aggregators import definitions

FLOAT32_ROUNDING = 2.0**-24


def attacked(d: int, attack: str, noise: float = 1.0, seed: int = 0) -> Tensor:
    """16 rows around a common g, of which 7 may be Byzantine."""
    generator = torch.Generator().manual_seed(seed)
    g = torch.randn(d, generator=generator)
    rows = g + noise * torch.randn(16, d, generator=generator)
    if attack == "sign flip x1000":
        rows[:7] = -1000 * g
    if attack == "correlated roundings":
        rows = (torch.arange(16.0)[:, None] * 0.1 + 0.3) * torch.ones(1, d)
    if attack == "far along g":
        rows[9:] = 1e6 * g
    return rows


def residual(rows: Tensor, v: Tensor, tau: float) -> float:
    """|mean of clipped differences| / tau in float64."""
    return float(np.linalg.norm(definitions.clipped(rows.double().numpy(), v.double().numpy(), tau)))


@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("attack", ["none", "sign flip x1000", "far along g", "correlated roundings"])
@pytest.mark.parametrize("d", [300, 20_000, 200_000])
def test_residual_is_below_a_millionth_of_tau(d: int, attack: str, tau: float) -> None:
    rows = attacked(d, attack)
    assert residual(rows, CenteredClip(tau)(rows), tau) <= 1e-6


@pytest.mark.parametrize("attack", ["none", "sign flip x1000", "far along g"])
@pytest.mark.parametrize("noise", [1e-3, 1e-6])
def test_where_honest_rows_nearly_agree_only_the_rounding_of_the_result_remains(
    attack: str, noise: float
) -> None:
    rows = attacked(20_000, attack, noise)
    tau = 0.1
    v = CenteredClip(tau)(rows)
    lengths = (rows.double() - v.double()).norm(dim=1)
    slope = float((1 / lengths.clamp(min=tau)).mean())
    rounding = slope * FLOAT32_ROUNDING * float(v.double().norm())
    assert residual(rows, v, tau) <= 1e-7 + rounding
    exact = CenteredClip(tau)(rows.double())
    assert residual(rows, exact, tau) <= 1e-10


@pytest.mark.parametrize("tau", [1e-3, 10.0])
@pytest.mark.parametrize("near", [1e9, 1e12])
@pytest.mark.parametrize("far", [1e18, 1e24, 1e30])
def test_a_row_that_is_very_far_away_does_not_hide_another_one(far: float, near: float, tau: float) -> None:
    rows = torch.randn(9, 40, generator=torch.Generator().manual_seed(5)) * 1e-4
    rows[0] *= 1e4 * near
    rows[1] *= 1e4 * far
    assert residual(rows, CenteredClip(tau)(rows), tau) <= 1e-6


def test_row_made_to_look_central_on_the_sampled_columns_costs_no_digits() -> None:
    d = 200_000
    rows = attacked(d, "none")
    disguised = 1e6 * torch.randn(d, generator=torch.Generator().manual_seed(1))
    stride = -(-d // 1024)
    disguised[::stride] = rows[:, ::stride].mean(0)
    rows[0] = disguised
    for tau in (0.1, 10.0):
        assert residual(rows, CenteredClip(tau)(rows), tau) <= 1e-6


@pytest.mark.parametrize(("noise", "zeros"), [(1.0, 0), (1e-2, 0), (1.0, 2)])
def test_copies_of_an_honest_row_and_zero_rows_cost_neither_digits_nor_a_second_pass(
    noise: float, zeros: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = attacked(200_000, "none", noise)
    rows[:7] = rows[8].clone()
    rows[7 - zeros : 7] = 0.0
    passes: list[bool] = []
    monkeypatch.setattr(gram, "_products", lambda *args: passes.append(True) or products(*args))
    v = CenteredClip(1.0)(rows)
    assert len(passes) == 1
    exact = CenteredClip(1.0)(rows.double())
    assert float((v.double() - exact).norm() / exact.norm()) <= 2 * FLOAT32_ROUNDING


@given(
    n=st.integers(3, 12),
    d=st.integers(1, 6),
    tau=st.sampled_from([0.03, 0.5, 2.0, 100.0]),
    seed=st.integers(0, 2**32 - 1),
    whole=st.booleans(),
)
def test_residual_vanishes_for_any_rows(n: int, d: int, tau: float, seed: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) * rng.choice([1.0, 1.0, 1e4], size=(n, 1))
    if whole:
        rows = np.round(rows[rng.integers(0, n, size=n)])
    v = CenteredClip(tau)(torch.from_numpy(rows)).numpy()
    scale = max(1.0, float(np.abs(v).max()) / tau)
    assert np.linalg.norm(definitions.clipped(rows, v, tau)) <= 1e-7 * scale


@pytest.mark.parametrize("tau", [1e-3, 1.0, 1e3])
def test_one_row_two_rows_and_identical_rows(tau: float) -> None:
    one = torch.randn(1, 40, generator=torch.Generator().manual_seed(0))
    two = torch.randn(2, 40, generator=torch.Generator().manual_seed(1))
    assert torch.equal(CenteredClip(tau)(one), one[0])
    torch.testing.assert_close(CenteredClip(tau)(two), two.mean(0))
    assert torch.equal(CenteredClip(tau)(one.expand(16, 40)), one[0])
    assert torch.equal(CenteredClip(tau)(torch.zeros(16, 40)), torch.zeros(40))


def test_geometric_median_is_weiszfelds_fixed_point() -> None:
    rows = torch.randn(9, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    v = GeometricMedian(nu=1e-6)(rows)
    weights = 1 / (rows - v).norm(dim=1).clamp(min=1e-6)
    torch.testing.assert_close((weights[:, None] * rows).sum(0) / weights.sum(), v, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [300, 200_000])
def test_the_same_rows_give_the_same_bytes(d: int) -> None:
    rows = attacked(d, "sign flip x1000")
    first = CenteredClip(1.0)(rows)
    # Another address and layout of the same values.
    shifted = torch.empty(16, d + 3)[:, 3:]
    shifted.copy_(rows)
    assert torch.equal(CenteredClip(1.0)(shifted), first)
    assert torch.equal(CenteredClip(1.0)(list(rows)), first)


def test_float32_near_its_largest_values_does_not_overflow() -> None:
    rows = 3e38 * torch.sign(attacked(200_000, "none"))
    v = CenteredClip(1e38)(rows)
    assert bool(v.isfinite().all())
    scaled = (rows.double() * 1e-38).numpy()
    assert np.linalg.norm(definitions.clipped(scaled, v.double().numpy() * 1e-38, 1.0)) <= 1e-6


def test_float32_whose_squares_vanish_keeps_its_digits() -> None:
    rows = attacked(200_000, "sign flip x1000") * 1e-30
    assert residual(rows * 1e30, CenteredClip(1e-29)(rows) * 1e30, 10.0) <= 1e-6


def test_solver_on_a_line_finds_the_middle() -> None:
    points = np.array([[0.0], [1.0], [5.0], [100.0], [1e6]])
    assert huber_weights(points, 0.1) @ points == pytest.approx(5.0)


@pytest.mark.parametrize("tau", [0.0, -1.0, float("inf"), float("nan")])
def test_a_tau_that_cannot_clip_is_refused(tau: float) -> None:
    with pytest.raises(ConfigurationError, match="finite tau > 0"):
        CenteredClip(tau)
    with pytest.raises(ConfigurationError, match="finite nu > 0"):
        GeometricMedian(nu=tau)
