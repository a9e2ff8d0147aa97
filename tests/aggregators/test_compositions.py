"""Rules around rules agree with rules of rows that were literally mixed, and never form them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.reads import times_read
from btard.aggregators import Bucketing, Ctma, Gram, Krum, Mean, Median, Nnm, NonFiniteRows, Rule, parse
from btard.aggregators.composition import bucket_mixing, nearest_neighbour_mixing
from tests.aggregators import definitions
from tests.aggregators.definitions import DEFINED, literal

N, F = 13, 2
CLIPPING = ["geometric_median", "centered_clip(tau=0.5)"]
BASES = [*DEFINED, *CLIPPING]
LONG = 150_001


def attacked(seed: int, common: float, dtype: torch.dtype = torch.float64, d: int = 6) -> Tensor:
    """13 rows around a common one, two of them far away."""
    generator = torch.Generator().manual_seed(seed)
    rows = common * torch.randn(d, generator=generator) + torch.randn(N, d, generator=generator)
    rows[[3, 8]] *= -50
    return rows.to(dtype)


NAMES = [
    # Not MDA: pairs of mixtures that differ in the same two rows are equally far apart, and rounding decides.
    *(f"nnm+{base}" for base in BASES if base != "mda"),
    *(f"ctma+{base}" for base in BASES),
    *(f"nnm+ctma+{base}" for base in ("median", "krum", "centered_clip(tau=0.5)")),
]


@pytest.mark.parametrize("common", [0.0, 10.0, 1e3])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(4))
def test_rules_around_rules_are_what_their_definitions_make_of_the_rows(
    name: str, common: float, seed: int
) -> None:
    rows = attacked(seed, common)
    # Mixtures of the same rows tie; whichever is taken, its value is the same.
    expected = torch.from_numpy(literal(name, rows.numpy(), F))
    torch.testing.assert_close(parse(name, F)(rows), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("base", ["mean", "median", "krum", "mda", *CLIPPING])
@pytest.mark.parametrize("seed", range(4))
def test_bucketing_is_its_base_of_the_buckets_means(base: str, seed: int) -> None:
    rows = attacked(seed, 10.0)
    buckets = bucket_mixing(N, 2, seed) @ rows.numpy()
    rule = Bucketing(parse(base, 1), s=2, seed=seed, f=1)
    torch.testing.assert_close(rule(rows), torch.from_numpy(literal(base, buckets, 1)), rtol=1e-8, atol=1e-8)


def test_mixed_rows_can_be_had() -> None:
    rows = attacked(0, 1e3)
    expected = torch.from_numpy(definitions.nearest_neighbour_mixing(rows.numpy(), F))
    torch.testing.assert_close(Nnm(Mean(), f=F).mixed(rows), expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize(
    "name",
    [
        "multi_krum",
        "mda",
        "nnm+median",
        "nnm+mean",
        "nnm+centered_clip(tau=10)",
        "ctma+median",
        "ctma+geometric_median",
        "nnm+ctma+krum",
        "bucketing(s=2)+meamed",
        "bucketing(s=2)+centered_clip(tau=10)",
    ],
)
@pytest.mark.parametrize("common", [0.0, 300.0])
def test_long_float32_rows_agree_with_float64(name: str, common: float) -> None:
    rows = attacked(0, common, torch.float32, LONG)
    rule = parse(name, 1 if "bucketing" in name else F)
    exact = rule.select(rows.double())
    # The terms, not their sum, set the scale: a sum of 13 of them rounds at most 13 times, and they twice.
    scale = float(rows.abs().max()) if "bucketing" in name else 5 * (1 + common)
    if exact.weights is not None:
        scale = float((exact.weights @ rows.double().abs()).max())
    torch.testing.assert_close(rule(rows).double(), exact.aggregate, rtol=0, atol=(N + 2) * 2.0**-24 * scale)


def test_row_that_is_far_away_costs_only_its_own_bucket_digits() -> None:
    rows = torch.randn(N, LONG, generator=torch.Generator().manual_seed(0))
    rows[0] *= 1e7
    rule = Bucketing(Median(f=1), s=2, seed=1, f=1)
    torch.testing.assert_close(rule(rows).double(), rule(rows.double()), rtol=0, atol=2.0**-21)


def test_distances_of_mixtures_are_those_of_the_mixed_rows_and_zero_for_equal_ones() -> None:
    rows = attacked(0, 100.0, torch.float32, LONG)
    rows[11] = rows[4]
    gram = Gram.of(rows)
    assert not gram.in_float64
    mixing = nearest_neighbour_mixing(gram.squared_distances(), F)
    # The same but for which of two copies it holds.
    mixing[0] = mixing[1] = 0.0
    mixing[0, [2, 4]] = mixing[1, [2, 11]] = 0.5
    squares = gram.squared_distances(mixing)
    mixed = torch.from_numpy(mixing) @ rows.double()
    expected = np.array([[float((a - b).square().sum()) for b in mixed] for a in mixed])
    expected[0, 1] = expected[1, 0] = 0.0
    np.testing.assert_allclose(squares, expected, rtol=1e-5, atol=1e-9)
    assert squares[0, 1] == 0.0


def test_ctma_measures_where_products_cannot_tell_rows_apart() -> None:
    rows = attacked(0, 0.0, torch.float32, LONG)
    rows[12] = rows[10] = rows[11]
    rows[11, 7] += 2.0**-10
    rule = Ctma(parse("mean"), f=N // 2 - 4)
    selection = rule.select(rows)
    centre = rows.double().mean(0)
    expected = definitions.ctma(rows.double().numpy(), rule.f, centre.numpy())
    torch.testing.assert_close(selection.aggregate.double(), torch.from_numpy(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize("huge", [1e25, 3e38])
@pytest.mark.parametrize("name", ["mean", "krum", "mda", "nnm+median", "ctma+median", "bucketing+median"])
def test_finite_rows_whose_squares_or_sums_overflow_are_no_reason_to_refuse(name: str, huge: float) -> None:
    rows = (huge * (0.5 + torch.rand(N, 150_000, generator=torch.Generator().manual_seed(0)))).clamp(
        max=3.4e38
    )
    rule = parse(name, 0 if name == "mean" else 1)
    torch.testing.assert_close(rule(rows) / huge, (rule(rows.double()) / huge).float(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("column", [0, 100_003])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "rule",
    [
        Mean(),
        Median(f=1),
        Krum(f=1),
        Nnm(Median(f=1), f=1),
        Ctma(Median(f=1), f=1),
        Ctma(Mean(), f=1),
        Bucketing(Mean()),
        Bucketing(Median(f=1), f=1),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_one_number_that_is_none_in_long_rows_is_found(
    rule: Rule, dtype: torch.dtype, column: int, poison: float
) -> None:
    rows = torch.randn(8, 150_000, generator=torch.Generator().manual_seed(0)).to(dtype)
    rows[5, column] = poison
    with pytest.raises(NonFiniteRows, match="row 5"):
        rule(rows)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("mean", 1),
        ("krum", 1),
        ("median", 2),
        ("multi_krum", 2),
        ("centered_clip", 2),
        ("geometric_median", 2),
        ("nnm+ctma+centered_clip", 2),
        ("ctma+mean", 2),
        ("ctma+median", 4),
    ],
)
def test_rows_are_read_no_more_often_than_promised(name: str, times: int) -> None:
    # Three rows more: the references that blocks are shifted to, or the winner's copy and check.
    rows = torch.randn(N, 200_000, generator=torch.Generator().manual_seed(0))
    assert times_read(parse(name, 0 if name == "mean" else F), rows) <= times + 3 / N + 0.01
