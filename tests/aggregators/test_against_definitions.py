"""Every rule agrees with its literal definition, ties and duplicates and magnitudes included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from btard.aggregators import Bucketing, Ctma, Gram, Krum, Mean, Median, MultiKrum, Nnm, parse
from btard.aggregators.composition import bucket_mixing
from tests.aggregators import definitions

Matrix = NDArray[np.float64]
RULES = ["mean", "median", "trimmed_mean", "meamed", "krum", "multi_krum", "mda", "bulyan"]
KINDS = ["normal", "integer", "duplicates", "outliers", "common", "all equal"]


def random_rows(kind: str, n: int, f: int, seed: int) -> Matrix:
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 6))
    rows = rng.normal(size=(n, d))
    if kind == "integer":
        rows = rng.integers(-2, 3, size=(n, d)).astype(float)
    if kind == "duplicates":
        # Rounded so that distances are exact, and ties are ties, in whatever order they are summed.
        rows = np.round(rows[rng.integers(0, n, size=n)] * 1024) / 1024
    if kind == "outliers":
        rows[rng.permutation(n)[:f]] *= 1e6
    if kind == "common":
        rows = rows + 1e4 * rng.normal(size=d)
    if kind == "all equal":
        rows[:] = rows[0]
    return rows


def cases(minimum: Callable[[int], int]) -> list[tuple[int, int]]:
    """(n, f) at the rule's least n, just above it, and well above."""
    return [(n, f) for f in (0, 1, 2, 3) for n in (minimum(f), minimum(f) + 1, 13) if n >= minimum(f)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RULES)
def test_rule_agrees_with_its_definition(name: str, kind: str) -> None:
    for n, f in cases(lambda f: parse(name, f).minimum_rows):
        if name == "mean" and f:
            continue
        for seed in range(4):
            rows = random_rows(kind, n, f, seed)
            expected = getattr(definitions, name)(rows, f)
            actual = parse(name, f)(torch.from_numpy(rows)).numpy()
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150, 1e300])
@pytest.mark.parametrize("name", [*RULES, "geometric_median", "centered_clip"])
def test_rule_follows_the_scale_to_the_ends_of_float64(name: str, scale: float) -> None:
    f = 0 if name == "mean" else 2
    rows = torch.from_numpy(random_rows("normal", 11, f, seed=1))
    plain, stretched = parse(name, f), parse(name, f)
    if name == "geometric_median":
        plain, stretched = (
            parse("geometric_median(nu=0.5)", f),
            parse(f"geometric_median(nu={0.5 * scale})", f),
        )
    if name == "centered_clip":
        plain, stretched = parse("centered_clip(tau=0.5)", f), parse(f"centered_clip(tau={0.5 * scale})", f)
    torch.testing.assert_close(stretched(rows * scale) / scale, plain(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_mixing_agrees_with_its_definition(kind: str) -> None:
    for n, f in cases(lambda f: 2 * f + 1):
        for seed in range(4):
            rows = random_rows(kind, n, f, seed)
            expected = definitions.nearest_neighbour_mixing(rows, f).mean(axis=0)
            actual = Nnm(Mean(), f=f)(torch.from_numpy(rows)).numpy()
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_ctma_keeps_exactly_the_nearest(kind: str) -> None:
    for n, f in cases(lambda f: 2 * f + 1):
        for seed in range(4):
            rows = random_rows(kind, n, f, seed)
            selection = Ctma(Median(f=f), f=f).select(torch.from_numpy(rows))
            expected = definitions.ctma(rows, f, definitions.median(rows, f))
            assert selection.chosen is not None
            assert len(selection.chosen) == n - f
            actual = selection.aggregate.numpy()
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("power", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("neighbours", [1, 5, 7, 10])
def test_krum_arguments_mean_what_they_say(power: float, neighbours: int) -> None:
    for seed in range(20):
        # In one dimension sums of plain distances tie in exact arithmetic, and rounding decides.
        rows = np.random.default_rng(seed).normal(size=(11, 4))
        order = definitions.krum_order(rows, 3, neighbours, power)
        assert Krum(f=3, neighbours=neighbours, power=power).select(torch.from_numpy(rows)).chosen == (
            order[0],
        )
        several = MultiKrum(f=3, neighbours=neighbours, power=power, m=4).select(torch.from_numpy(rows))
        assert several.chosen == tuple(sorted(order[:4]))


def test_bucketing_averages_disjoint_buckets_drawn_by_its_seed() -> None:
    rows = torch.from_numpy(random_rows("normal", 13, 0, seed=0))
    mixing = bucket_mixing(13, 3, seed=5)
    assert [int((bucket > 0).sum()) for bucket in mixing] == [3, 3, 3, 3, 1]
    assert ((mixing > 0).sum(axis=0) == 1).all()
    expected = definitions.median(mixing @ rows.numpy(), 0)
    rule = Bucketing(Median(), s=3, seed=5)
    np.testing.assert_allclose(rule(rows).numpy(), expected, rtol=1e-12)
    assert torch.equal(rule(rows), rule(rows))
    assert not torch.equal(rule(rows), Bucketing(Median(), s=3, seed=6)(rows))


def test_close_pair_far_from_the_others_keeps_its_distance() -> None:
    rows = torch.randn(9, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[7:] = 1e9 * rows[7]
    rows[8, 0] += 0.25
    distances = Gram.of(rows).squared_distances()
    assert distances[7, 8] == pytest.approx(0.0625, rel=1e-6)
