"""The statistics behind the tolerances, by Monte Carlo with fixed seeds, and their promises."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.aggregators import CenteredClip
from btard.crypto import DIRECTION_SCALE, directions
from btard.errors import ConfigurationError
from btard.machine import Recomputed
from btard.protocol.constants import ProtocolConfig
from btard.protocol.examination import on_wire
from btard.protocol.messages import PartScalars
from btard.protocol.tolerance import (
    ACCUSE_FACTOR,
    SLACK_MAX,
    SLACK_SUSPICIOUS,
    contraction,
    hull_bound,
    joint_deviations,
    joint_tolerance,
    norm_tolerance,
    same_bytes_tolerance,
    zero_sum_tolerance,
)
from btard.protocol.verification import (
    aggregate_is_wrong,
    false_on_sight,
    gradient_is_false,
    row_is_false,
    shape_is_wrong,
    suspicious_parts,
    tau_too_small,
)
from btard.training.projection import project

COIN = bytes(32)
EPSILON = ProtocolConfig().epsilon
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
    said, config = [on_wire(honest)], ProtocolConfig(tau=tau)
    found = [gradient_is_false(said, Recomputed((s,), norm), config) for s in (elsewhere, shifted, flipped)]
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
        return not aggregate_is_wrong([[on_wire(s)] for s in scalars], 0, ProtocolConfig(tau=tau))

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
def test_a_huge_aggregate_earns_no_slack_and_is_wrong(shift: float, silent: bool) -> None:
    rows_ND, aggregate = column("honest", 0.1)
    if silent:  # one coordinate is huge, all others are as they should be
        aggregate[0] = -shift
    else:
        aggregate += shift
    scalars = project(list(rows_ND), aggregate, 0.1, COIN, "projection", 4, 0)
    assert zero_sum_tolerance([s.norm for s in scalars], 0.1, scalars[0].center) < 1e-4
    assert aggregate_is_wrong([[on_wire(s)] for s in scalars], 0, ProtocolConfig(tau=0.1))


# ---------------------------------------------------------------- right aggregates, whatever the rows

magnitudes = st.integers(-20, 30).map(lambda power: 10.0**power)
taus = st.integers(-12, 20).map(lambda power: 10.0**power)


@st.composite
def parts(draw: st.DrawFn) -> tuple[torch.Tensor, float]:
    """Rows of one part, (n, 40), and tau: most within a distance of a common vector, the others anywhere, or
    copies of one of them."""
    n = draw(st.integers(2, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    rows_ND = torch.randn(n, 40, generator=generator) * draw(magnitudes)
    rows_ND += torch.randn(40, generator=generator) * draw(magnitudes | st.just(0.0))
    for k in range((n - 1) // 2):
        row = torch.randn(40, generator=generator) * draw(magnitudes)
        rows_ND[k] = rows_ND[-1] if draw(st.booleans()) else row
    return rows_ND, draw(taus)


def truth(rows_ND: torch.Tensor, v: torch.Tensor, tau: float) -> list[list[PartScalars]]:
    """The table of scalars that contributors of these rows publish of the one part."""
    return [[on_wire(s)] for s in project(list(rows_ND), v, tau, COIN, "projection", 4, 0)]


@settings(max_examples=300, deadline=None)
@given(parts())
def test_a_right_aggregate_is_never_wrong_and_nobody_lies_on_sight(part: tuple[torch.Tensor, float]) -> None:
    rows_ND, tau = part
    config = ProtocolConfig(tau=tau)
    table = truth(rows_ND, CenteredClip(tau=tau)(rows_ND), tau)
    assert not aggregate_is_wrong(table, 0, config)
    assert false_on_sight(table) == ()
    assert not any(shape_is_wrong(row, 1, config) for row in table)


@settings(max_examples=300, deadline=None)
@given(parts())
def test_a_right_aggregate_is_no_longer_than_its_rows_allow(part: tuple[torch.Tensor, float]) -> None:
    rows_ND, tau = part
    length = float(CenteredClip(tau=tau)(rows_ND).double().norm())
    norms = rows_ND.double().norm(dim=1).tolist()
    assert length <= hull_bound(norms, tau)
    assert length <= 1.001 * max(norms) + 1e-30, "it lies in the hull of the rows"


def test_the_bound_on_an_aggregate_is_reached() -> None:
    """5 rows at R, on both sides of an axis, and 4 far out on it: at R / sqrt(1 - (4 / 5)^2) the forces
    balance."""
    tau, distance = 1e-4, 5 / 3
    near = torch.tensor([[0.6, 0.8], [0.6, -0.8]] * 2 + [[0.6, 0.8]], dtype=torch.float64)
    far = torch.tensor([[1e6, 0.0]] * 4, dtype=torch.float64)
    v = CenteredClip(tau=tau)(torch.cat([near[:4], far[:3], torch.tensor([[0.6, 0.0]])]).float())
    assert float(v[0]) <= hull_bound([1.0] * 4 + [1e6] * 3 + [0.6], tau)
    forces = [tau * (row - torch.tensor([distance, 0.0])) for row in near.double()]
    pull = sum(float((f / f.norm())[0]) for f in forces)
    assert -pull == pytest.approx(4.0), "of the five against the four"
    assert hull_bound([1.0] * 5 + [1e6] * 4, tau) == pytest.approx(1.01 * distance, rel=1e-9)


# ---------------------------------------------------------------- false ones, whatever is published


@settings(max_examples=200, deadline=None)
@given(parts(), st.floats(1.05, 1e30), st.data())
def test_no_minority_hides_an_aggregate_that_is_longer_than_rows_allow(
    part: tuple[torch.Tensor, float], factor: float, data: st.DataObject
) -> None:
    rows_ND, tau = part
    rows_ND = rows_ND.flip(0)  # honest first
    n, config = len(rows_ND), ProtocolConfig(tau=tau)
    honest = n - (n - 1) // 2
    norms = rows_ND.double().norm(dim=1).tolist()
    v = torch.zeros(40, dtype=torch.float64)
    v[0] = min(factor * hull_bound([max(norms[:honest])] * n, tau), 1e38)
    table = truth(rows_ND, v.float(), tau)
    number = st.floats(0, 2.0**150)
    for seat in range(honest, n):
        true = table[seat][0]
        balance = tuple(-sum(table[k][0].projections[d] for k in range(honest)) for d in range(4))
        lie = PartScalars(balance, data.draw(number), true.center, data.draw(number))
        table[seat] = [data.draw(st.sampled_from([true, lie]))]
    if float(v.norm()) > 1.02 * hull_bound([max(norms[:honest])] * n, tau):
        assert aggregate_is_wrong(table, 0, config)


@settings(max_examples=200, deadline=None)
@given(parts(), st.data())
def test_an_honest_aggregator_has_a_liar_to_accuse_wherever_its_aggregate_looks_wrong(
    part: tuple[torch.Tensor, float], data: st.DataObject
) -> None:
    """And voters, whose own numbers differ in the last digits, uphold each of its accusations."""
    rows_ND, tau = part
    config = ProtocolConfig(tau=tau)
    scalars = project(list(rows_ND), CenteredClip(tau=tau)(rows_ND), tau, COIN, "projection", 4, 0)
    table = [[on_wire(s)] for s in scalars]
    byzantine = (len(rows_ND) - 1) // 2
    for seat in range(byzantine):
        true = table[seat][0]
        scale = data.draw(st.sampled_from([0.0, 0.5, 1 - 3e-9, 1 - 1.9e-9, 1.0, 1 + 1.9e-9, 1e3, 1e20]))
        field = data.draw(st.sampled_from(["projections", "norm", "row"]))
        value = getattr(true, field)
        lie = tuple(scale * p for p in value) if isinstance(value, tuple) else min(scale * value, 2.0**150)
        table[seat] = [replace(true, **{field: lie})]
    accused = [k for k, s in enumerate(scalars) if row_is_false(table[k][0], s, tau, ACCUSE_FACTOR)]
    assert set(accused) <= set(range(byzantine))
    if aggregate_is_wrong(table, 0, config) or tau_too_small(table, config):
        true_table = [[on_wire(s)] for s in scalars]
        assert accused or tau_too_small(true_table, config)
    for k in accused:
        voter = replace(scalars[k], norm=scalars[k].norm * (1 + 1e-12), row=scalars[k].row * (1 - 1e-12))
        assert row_is_false(table[k][0], voter, tau)


# ---------------------------------------------------------------- the edges of each formula

positive = st.floats(0, 2.0**150)


@given(st.lists(positive, min_size=1, max_size=64), st.floats(1e-20, 1e40), positive)
def test_the_slack_of_the_zero_sum_is_finite_and_grows_with_the_aggregate(
    norms: list[float], tau: float, center: float
) -> None:
    slack = zero_sum_tolerance(norms, tau, center)
    assert 0 < slack < math.inf
    assert slack <= zero_sum_tolerance(norms, tau, 2 * center)
    assert slack <= zero_sum_tolerance([0.0, *norms], tau, center), "another row adds to it"
    bound = 8 * len(norms) * (1e-6 * tau + 2.0**-24 * center) + 2.1e-9 * len(norms) * tau
    assert slack <= bound * (1 + 1e-9) + 2e-30 * len(norms)


@given(st.integers(1, 64), st.floats(1e-20, 1e40))
def test_a_short_aggregate_never_makes_a_part_suspicious(n: int, tau: float) -> None:
    center = 100 * tau
    slack = zero_sum_tolerance([0.0] * (n - 1) + [tau], tau, center)
    assert slack < SLACK_SUSPICIOUS * tau < SLACK_MAX * tau


@given(st.integers(2, 64), st.floats(1e-18, 1e35), st.floats(1e-3, 1e3))
def test_a_zero_sum_that_says_nothing_is_refused(n: int, tau: float, factor: float) -> None:
    center = factor * 2.0**21 * tau
    said = PartScalars((0.0,) * 4, tau, center, center)
    config = ProtocolConfig(tau=tau, delta_max=10 * tau)
    assert (tau_too_small([[said]] * n, config) is None) == (
        zero_sum_tolerance([tau] * n, tau, center) <= SLACK_MAX * tau
    )
    if n * factor > 1:
        assert suspicious_parts([[said]] * n, config) == (0,)
        assert tau_too_small([[said]] * n, config) is not None


@given(st.lists(positive, min_size=1, max_size=64), st.floats(1e-20, 1e40))
def test_the_bound_on_an_aggregate_is_between_the_median_row_and_six_times_it(
    rows: list[float], tau: float
) -> None:
    middle = sorted(rows)[len(rows) // 2]
    assert middle <= hull_bound(rows, tau) < math.inf
    assert hull_bound(rows, tau) <= 1.01 * max(middle + tau, 4.2 * middle) + 1e-29


@given(st.lists(positive, min_size=3, max_size=64), st.floats(1e-20, 1e40), st.data())
def test_a_minority_cannot_lengthen_what_honest_rows_allow(
    rows: list[float], tau: float, data: st.DataObject
) -> None:
    liars = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=(len(rows) - 1) // 2, unique=True))
    said = [data.draw(positive) if k in liars else row for k, row in enumerate(rows)]
    longest = max(row for k, row in enumerate(rows) if k not in liars)
    assert hull_bound(said, tau) <= hull_bound([longest] * len(rows), tau)


@given(st.floats(1e-7, 5e-2), st.floats(0, 2.0**150), st.integers(1, 32))
def test_what_honest_peers_may_differ_by_is_a_multiple_of_epsilon(
    epsilon: float, gradient: float, directions: int
) -> None:
    assert norm_tolerance(epsilon, gradient) == pytest.approx(8 * epsilon * gradient + 1e-30)
    joint = joint_tolerance(epsilon, gradient, directions)
    assert joint == pytest.approx(joint_deviations(directions) * epsilon * gradient + 1e-30)


@pytest.mark.parametrize("directions", [1, 2, 4, 16, 32])
def test_the_joint_deviations_solve_their_bound(directions: int) -> None:
    """Of chi-square laws, whose tails the bound is above; exact for even degrees, a finite sum."""
    square = joint_deviations(directions) ** 2
    bound = (square / directions) ** (directions / 2) * math.exp((directions - square) / 2)
    assert bound == pytest.approx(2 * math.exp(-32), rel=1e-6)
    if directions % 2 == 0:
        half = square / 2
        tail = math.exp(-half) * sum(half**k / math.factorial(k) for k in range(directions // 2))
        assert tail < bound


@pytest.mark.parametrize("shape", unit_vectors())
@pytest.mark.parametrize("square", [8.0, 12.0, 16.0])
@pytest.mark.parametrize("pieces", [1, 4])
def test_projections_of_an_error_are_together_within_their_bound(
    draws_ND: torch.Tensor, shape: str, square: float, pieces: int
) -> None:
    """K = 4 directions, an error in one part or cut into four, which see their own coordinates."""
    cut = unit_vectors()[shape].view(pieces, -1)
    squares = torch.stack(
        [(draws_ND[:, : cut.shape[1]].roll(k, 0) @ piece) ** 2 for k, piece in enumerate(cut)]
    )
    found = squares.sum(0).view(-1, 4).sum(1) > square
    bound = (square / 4) ** 2 * math.exp((4 - square) / 2)
    assert float(found.double().mean()) <= bound + 3 * math.sqrt(bound / len(found))


@given(positive)
def test_scalars_of_the_same_bytes_may_differ_by_a_billionth(length: float) -> None:
    assert same_bytes_tolerance(length) == pytest.approx(1e-9 * length + 1e-30, rel=1e-12)


@given(positive, st.floats(1e-20, 1e40))
def test_clipping_never_lengthens(norm: float, tau: float) -> None:
    assert 0 < contraction(norm, tau) <= 1
    assert norm * contraction(norm, tau) <= tau * (1 + 1e-12) or norm <= tau


@pytest.mark.parametrize("epsilon", [0.0, 9e-8, 5.1e-2, math.nan, math.inf])
def test_an_epsilon_that_no_hardware_or_no_rule_can_keep_is_refused(epsilon: float) -> None:
    with pytest.raises(ConfigurationError, match=r"epsilon is .*: use 1e-07 to 0.05"):
        ProtocolConfig(epsilon=epsilon)


@pytest.mark.parametrize("tau", [1e-19, 1e41])
def test_a_tau_at_the_edge_of_float64_is_refused(tau: float) -> None:
    with pytest.raises(ConfigurationError, match=r"tau is .*: use 1e-18 to 1e\+40"):
        ProtocolConfig(tau=tau)


@pytest.mark.parametrize("examiners", [0, 257])
def test_a_part_that_nobody_examines_is_refused(examiners: int) -> None:
    with pytest.raises(ConfigurationError, match=r"examiners is .*: use 1 to 256"):
        ProtocolConfig(examiners=examiners)
