"""Symmetries that hold for every rule, and the parts that all rules share."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from btard.aggregators import Gram, parse
from btard.aggregators.minimum_diameter import least_diameter
from btard.aggregators.order import by_column, mean_around_median, network, ranks
from tests.aggregators import definitions
from tests.aggregators.definitions import PLAIN

NAMES = [*PLAIN, "nnm+median", "ctma+median", "nnm+ctma+geometric_median"]
# Bulyan's last rounds count one neighbour: two rows nearest to each other tie, and the index decides.
UNORDERED = [name for name in NAMES if name != "bulyan"]
cases = pytest.mark.parametrize("name", NAMES)
seeds = st.integers(0, 2**32 - 1)


def rows_of(seed: int) -> Tensor:
    """11 rows without ties, two of them far away."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(11, int(rng.integers(2, 9))))
    rows[rng.permutation(11)[:2]] *= 100
    return torch.from_numpy(rows)


def aggregate(name: str, rows: Tensor) -> Tensor:
    return parse(name, 0 if name == "mean" else 2)(rows)


@pytest.mark.parametrize("name", UNORDERED)
@settings(max_examples=20)
@given(seed=seeds)
def test_order_of_the_rows_does_not_matter(name: str, seed: int) -> None:
    rows = rows_of(seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(11))
    torch.testing.assert_close(aggregate(name, rows[order]), aggregate(name, rows), rtol=1e-6, atol=1e-6)


@cases
@settings(max_examples=20)
@given(seed=seeds)
def test_moving_all_rows_moves_the_aggregate(name: str, seed: int) -> None:
    rows = rows_of(seed)
    shift = 1000 * torch.from_numpy(np.random.default_rng(seed).normal(size=rows.shape[1]))
    torch.testing.assert_close(
        aggregate(name, rows + shift) - shift, aggregate(name, rows), rtol=1e-6, atol=1e-6
    )


@cases
@settings(max_examples=20)
@given(seed=seeds, factor=st.sampled_from([-1.0, 0.125, 3.0, 1e6]))
def test_scaling_all_rows_scales_the_aggregate(name: str, seed: int, factor: float) -> None:
    rows = rows_of(seed)
    scaled_name = f"centered_clip(tau={abs(factor)})" if name == "centered_clip" else name
    scaled = aggregate(scaled_name, rows * factor) / factor
    torch.testing.assert_close(scaled, aggregate(name, rows), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", range(1, 12))
def test_selection_network_orders_all_zeros_and_ones(n: int) -> None:
    # A network that sorts every vector of zeros and ones sorts everything (Knuth, 5.3.4, theorem Z).
    inputs = torch.tensor(list(product((0.0, 1.0), repeat=n))).T
    ordered = inputs.sort(0).values
    for first in range(n):
        for last in {first + 1, min(first + 2, n), n}:
            assert torch.equal(torch.stack(ranks(inputs, first, last)), ordered[first:last])


def test_network_leaves_out_what_no_wanted_rank_needs() -> None:
    assert len(network(16, 7, 9)) < len(network(16, 0, 16))
    assert len(network(16, 0, 1)) == 15


@pytest.mark.parametrize("n", [16, 17, 33])
def test_long_rows_agree_with_a_sort_across_block_boundaries(n: int) -> None:
    rows = torch.randn(n, 70_001, generator=torch.Generator().manual_seed(n))
    ordered = rows.sort(0).values
    middle = by_column(rows, lambda block: ranks(block, n // 2, n // 2 + 1)[0])
    assert torch.equal(middle, ordered[n // 2])


def test_values_equally_near_the_median_are_kept_by_row_order() -> None:
    column = torch.tensor([[2.0], [-2.0], [0.0], [1.0], [-1.0]])
    assert mean_around_median(column, 2).item() == 0.5
    assert mean_around_median(column.flip(0), 2).item() == -0.5
    assert mean_around_median(column, 4).item() == 0.5


@given(seed=seeds, n=st.integers(2, 9), f=st.integers(0, 3))
def test_least_diameter_is_found_as_by_listing_all_subsets(seed: int, n: int, f: int) -> None:
    f = min(f, n - 1)
    points = np.random.default_rng(seed).integers(0, 4, size=(n, 2)).astype(float)
    squares = np.array(definitions.squared_distances(points))
    found = least_diameter(squares, f)
    assert len(found) == n - f
    np.testing.assert_array_equal(points[found].mean(axis=0), definitions.mda(points, f))


def test_float32_products_of_long_rows_are_as_good_as_float64() -> None:
    rows = 5.0 + torch.randn(8, 200_001, generator=torch.Generator().manual_seed(0))
    rows[5] *= 1e5
    short, precise = Gram.of(rows), Gram.of(rows, in_float64=True)
    assert not short.in_float64
    np.testing.assert_allclose(short.squared_distances(), precise.squared_distances(), rtol=1e-7)


@pytest.mark.parametrize("common", [0.0, 0.5, 1.0, 2.0, 100.0])
def test_products_are_as_good_with_a_common_part_as_without(common: float) -> None:
    rows = torch.randn(8, 200_001, generator=torch.Generator().manual_seed(0))
    rows += common * torch.randn(200_001, generator=torch.Generator().manual_seed(1))
    rows[5] *= -1000
    gram, precise = Gram.of(rows), Gram.of(rows, in_float64=True)
    norms = precise.norms()
    assert not gram.in_float64
    assert gram.reference == precise.reference
    error = np.abs(gram.products - precise.products)
    assert (error <= 1e-7 * np.outer(norms, norms)).all()
    np.testing.assert_array_equal(gram.products[gram.reference], 0.0)


def test_copies_of_the_central_row_are_told_apart_from_near_copies() -> None:
    rows = torch.randn(8, 200_001, generator=torch.Generator().manual_seed(0))
    central = Gram.of(rows).reference
    others = [i for i in range(8) if i != central][:2]
    rows[others] = rows[central].clone()
    rows[others[0], 5] += 0.25
    squares = Gram.of(rows).squared_distances()
    assert squares[central, others[1]] == 0.0
    assert squares[central, others[0]] == pytest.approx(0.0625, rel=1e-4)


def test_copies_have_distance_zero_and_share_their_distances() -> None:
    rows = torch.randn(8, 200_001, generator=torch.Generator().manual_seed(0))
    rows[[3, 6]] = -1000 * rows[0]
    squares = Gram.of(rows).squared_distances()
    assert squares[3, 6] == 0.0
    np.testing.assert_array_equal(squares[3], squares[6])
    np.testing.assert_array_equal(squares, squares.T)
