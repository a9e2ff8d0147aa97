"""Every rule agrees with its literal definition, ties and duplicates and magnitudes included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from btard.aggregators import Gram, Krum, MultiKrum, parse
from btard.aggregators.composition import bucket_mixing
from tests.aggregators import definitions
from tests.aggregators.definitions import DEFINED, Matrix, literal

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
@pytest.mark.parametrize("name", [*DEFINED, "nnm+mean", "ctma+median"])
def test_rule_agrees_with_its_definition(name: str, kind: str) -> None:
    for n, f in cases(lambda f: parse(name, f).minimum_rows):
        for seed in range(4):
            rows = random_rows(kind, n, f, seed)
            actual = parse(name, f)(torch.from_numpy(rows)).numpy()
            np.testing.assert_allclose(actual, literal(name, rows, f), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150, 1e300])
@pytest.mark.parametrize("name", [*DEFINED, "geometric_median(nu={})", "centered_clip(tau={})"])
def test_rule_follows_the_scale_to_the_ends_of_float64(name: str, scale: float) -> None:
    rows = torch.from_numpy(random_rows("normal", 11, 2, seed=1))
    plain, stretched = (parse(name.format(0.5 * unit), 2) for unit in (1.0, scale))
    torch.testing.assert_close(stretched(rows * scale) / scale, plain(rows), rtol=1e-9, atol=1e-12)


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
    mixing = bucket_mixing(13, 3, seed=5)
    assert [int((bucket > 0).sum()) for bucket in mixing] == [3, 3, 3, 3, 1]
    assert ((mixing > 0).sum(axis=0) == 1).all()


def test_close_pair_far_from_the_others_keeps_its_distance() -> None:
    rows = torch.randn(9, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[7:] = 1e9 * rows[7]
    rows[8, 0] += 0.25
    distances = Gram.of(rows).squared_distances()
    assert distances[7, 8] == pytest.approx(0.0625, rel=1e-6)
