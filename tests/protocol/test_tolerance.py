"""The statistics behind the tolerances, by Monte Carlo with fixed seeds, and their promises."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from btard.aggregators import CenteredClip
from btard.crypto import DIRECTION_SCALE, directions
from btard.machine import Recomputed
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import PartScalars
from btard.protocol.tolerance import EPSILON, contraction, same_bytes_tolerance, zero_sum_tolerance
from btard.protocol.verification import gradient_is_false, rows_are_no_fixed_point
from btard.training.projection import project

COIN = bytes(32)
DRAWS = 50_000

lengths = st.floats(1e-6, 1e6)


def unit_vectors() -> dict[str, torch.Tensor]:
    """Dense, one coordinate, two equal ones, and geometric: the shapes on which sign directions fail."""
    generator = torch.Generator().manual_seed(1)
    shapes = {
        "dense": torch.randn(64, generator=generator, dtype=torch.float64),
        "one": torch.eye(64, dtype=torch.float64)[3],
        "two": torch.eye(64, dtype=torch.float64)[:2].sum(0),
        "geometric": 0.5 ** torch.arange(64, dtype=torch.float64),
    }
    return {name: vector / vector.norm() for name, vector in shapes.items()}


@pytest.fixture(scope="module")
def draws_ND() -> torch.Tensor:
    """Independent directions: windows of one long direction."""
    return (directions(COIN, "test", 1, 0, DRAWS * 64).double() / DIRECTION_SCALE).view(DRAWS, 64)


@pytest.mark.parametrize("shape", unit_vectors())
@pytest.mark.parametrize("deviations", [1.5, 2.0, 3.0, 4.0])
def test_an_honest_error_is_seen_within_the_sub_gaussian_bound(
    draws_ND: torch.Tensor, shape: str, deviations: float
) -> None:
    seen = (draws_ND @ unit_vectors()[shape]).abs()
    bound = 2 * math.exp(-(deviations**2) / 2)
    assert float((seen > deviations).double().mean()) <= bound + 3 * math.sqrt(bound / DRAWS)


@pytest.mark.parametrize("shape", unit_vectors())
@pytest.mark.parametrize("ratio", [0.005, 0.05, 0.5])
def test_a_forgery_escapes_no_more_often_than_derived(
    draws_ND: torch.Tensor, shape: str, ratio: float
) -> None:
    """`ratio` is tolerance / |forged difference|; the bound is the lattice bound of fingerprint.md."""
    delta = unit_vectors()[shape]
    escaped = float(((draws_ND @ delta).abs() <= ratio).double().mean())
    bound = (math.floor(ratio * DIRECTION_SCALE / float(delta.abs().max())) + 1) / 256
    assert escaped <= bound + 3 * math.sqrt(bound / DRAWS)
    if shape == "dense":
        assert escaped == pytest.approx(math.erf(ratio / math.sqrt(2)), abs=3 / math.sqrt(DRAWS))


@given(lengths, lengths, st.integers(0, 2**32 - 1))
def test_clipping_contracts_as_claimed(tau: float, norm: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    one *= norm / one.norm()
    other = one + other * norm * float(torch.rand((), generator=generator))
    before = float((one - other).norm())
    clipped = [x * min(1.0, tau / float(x.norm())) for x in (one, other)]
    least = min(float(one.norm()), float(other.norm()))
    assert float((clipped[0] - clipped[1]).norm()) <= before * contraction(least, tau) * (1 + 1e-9)


@pytest.mark.parametrize("tau", [1e-4, 0.1, 10.0, 1e6])
def test_rounding_is_forgiven_and_forgery_is_not_whatever_tau_is(tau: float) -> None:
    generator = torch.Generator().manual_seed(2)
    gradient, noise, forged = torch.randn(3, 5_000, generator=generator)
    centre = gradient + 0.3 * torch.randn(5_000, generator=generator)
    norm = float(gradient.norm())
    rows = [
        gradient,
        gradient + EPSILON * norm * noise / noise.norm(),
        gradient + 0.05 * norm * forged / forged.norm(),
        -gradient,
    ]
    honest, elsewhere, shifted, flipped = project(rows, centre, tau, COIN, "projection", 4, 0)
    said = [PartScalars(honest.projections, honest.norm, honest.center)]
    found = [gradient_is_false(said, Recomputed((s,), norm), tau) for s in (elsewhere, shifted, flipped)]
    assert found == [False, True, True]


def column(kind: str, tau: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    rows_ND = 5.0 + torch.randn(16, 2_000, generator=generator)
    if kind == "attacked":
        rows_ND[:7] *= -1000
    if kind == "far from the origin":
        rows_ND = 1e2 + 1e-2 * rows_ND
    if kind == "identical":
        rows_ND = rows_ND[:1].repeat(16, 1)
    return rows_ND, CenteredClip(tau=tau)(rows_ND)


@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0, 1e8])
@pytest.mark.parametrize("kind", ["honest", "attacked", "far from the origin", "identical"])
def test_a_right_aggregate_sums_to_zero_within_tolerance_and_a_shifted_one_does_not(
    kind: str, tau: float
) -> None:
    rows_ND, aggregate = column(kind, tau)

    def sums_to_zero(v: torch.Tensor) -> bool:
        scalars = project(list(rows_ND), v, tau, COIN, "projection", 4, 0)
        return not rows_are_no_fixed_point(scalars, ProtocolConfig(tau=tau, directions=4))

    assert sums_to_zero(aggregate)
    shift = torch.linspace(-1, 1, aggregate.numel())
    distance = float((rows_ND.double() - aggregate.double()).norm(dim=1).median())
    moved = 0.1 * distance + 1e-5 * float(aggregate.norm())
    assert not sums_to_zero(aggregate + moved * shift / shift.norm())


@pytest.mark.parametrize("magnitude", [1e-20, 1.0, 1e30])
def test_scalars_of_the_same_bytes_agree_in_any_order_of_summation(magnitude: float) -> None:
    generator = torch.Generator().manual_seed(4)
    row = magnitude * torch.randn(300_000, generator=generator)  # more than one chunk of directions
    z_KD = directions(COIN, "projection", 4, 0, row.numel()).double() / DIRECTION_SCALE
    (scalars,) = project([row], None, math.inf, COIN, "projection", 4, 0)
    products_KD = z_KD * row.double()
    for k in range(4):
        naive = math.fsum(products_KD[k].tolist())
        assert abs(scalars.projections[k] - naive) <= 1e-3 * same_bytes_tolerance(scalars.norm)


@pytest.mark.parametrize("shift", [3e2, 3e5, 1e7, 1e12, 1e30])
@pytest.mark.parametrize("silent", [False, True])
def test_a_huge_aggregate_earns_no_slack_and_never_sums_to_zero(shift: float, silent: bool) -> None:
    rows_ND, aggregate = column("honest", 0.1)
    if silent:  # one coordinate is huge, all others are as they should be
        aggregate[0] = -shift
    else:
        aggregate += shift
    scalars = project(list(rows_ND), aggregate, 0.1, COIN, "projection", 4, 0)
    assert zero_sum_tolerance([s.norm for s in scalars], 0.1, scalars[0].center) < 1e-4
    assert rows_are_no_fixed_point(scalars, ProtocolConfig(tau=0.1, directions=4))
