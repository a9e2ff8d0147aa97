"""Mimic against its definition, by singular value decomposition in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from btard.attacks import AttackContext, Mimic
from btard.attacks.mimic import COLUMNS
from btard.errors import ConfigurationError


def context(honest: Tensor) -> AttackContext:
    return AttackContext(own=torch.zeros_like(honest[0]), honest=lambda: honest)


def normal(rows: int, dimension: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, dimension, generator=generator, dtype=torch.float64)


def projections(honest: Tensor) -> Tensor:
    """Those of the centred rows onto their top right singular vector, by definition."""
    centred = honest.double() - honest.double().mean(0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]


@pytest.mark.parametrize("row", [0, 2])
def test_row_that_was_asked_for_is_copied(row: int) -> None:
    honest = normal(4, 3)
    sent = Mimic(row=row)(context(honest))
    assert torch.equal(sent, honest[row])
    sent += 1
    assert torch.equal(honest, normal(4, 3))


def test_row_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no honest row 4 to copy: there are 4"):
        Mimic(row=4)(context(normal(4, 3)))


@given(
    rows=st.integers(2, 8),
    dimension=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    common=st.sampled_from([0.0, 1.0, 1e4]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_row_most_along_the_direction_of_variance_is_copied(
    rows: int, dimension: int, seed: int, common: float, dtype: torch.dtype
) -> None:
    honest = (normal(rows, dimension, seed) + common).to(dtype)
    sent = Mimic("variance")(context(honest))
    lengths = projections(honest).abs()
    chosen = [i for i in range(rows) if torch.equal(honest[i], sent)]
    assert chosen
    assert sent.dtype == dtype
    assert lengths[chosen[0]] >= lengths.max() * (1 - 1e-6)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_of_two_rows_equally_far_out_the_first_is_copied(sign: float) -> None:
    # Two clusters: every row is as far from the mean as any other, on one side or on the other.
    honest = torch.tensor([[0.1, 0.7, 0.3]]) * torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]) * sign
    assert torch.equal(Mimic("variance")(context(honest)), honest[0])


def test_one_honest_row_and_equal_rows_are_copied() -> None:
    for honest in (normal(1, 5), torch.ones(3, 5)):
        assert torch.equal(Mimic("variance")(context(honest)), honest[0])


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_size_of_the_rows_does_not_matter(size: float) -> None:
    honest = normal(6, 4)
    row = int(projections(honest).abs().argmax())
    assert torch.equal(Mimic("variance")(context(honest * size)), honest[row] * size)


def test_rows_that_are_not_finite_have_no_direction_so_the_given_row_is_copied() -> None:
    honest = normal(4, 3)
    honest[1, 0], honest[2, 1] = math.nan, math.inf
    assert torch.equal(Mimic("variance", row=3)(context(honest)), honest[3])


def test_variants_and_rows_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="the variant of mimic"):
        Mimic("mean")
    with pytest.raises(ConfigurationError, match="counted from 0"):
        Mimic(row=-1)


def test_rows_are_compared_in_all_their_columns() -> None:
    honest = normal(5, COLUMNS + 10)
    honest[3, -1] += 3000
    assert torch.equal(Mimic("variance")(context(honest)), honest[3])
