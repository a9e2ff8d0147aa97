"""Sums have an order, powers a formula, and subnormal numbers are kept."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from btard.training.optimizers import SGD, Vectors
from btard.training.optimizers.arithmetic import BLOCK, LANES, norm, power
from tests.training.optimizers import definitions


@pytest.mark.parametrize("size", [1, 2, 1000, LANES, LANES + 1, 5000, BLOCK - 1, BLOCK, BLOCK + 1, 70_001])
def test_a_norm_is_the_written_sum_to_the_last_bit(size: int) -> None:
    rng = np.random.default_rng(size)
    vector = (rng.normal(size=size) * 10.0 ** rng.uniform(-30, 15, size)).astype(np.float32)
    assert norm(vector) == definitions.norm(vector.tolist())
    exact = math.sqrt(sum(Fraction(each) ** 2 for each in vector.tolist()))
    assert norm(vector) == pytest.approx(exact, rel=1e-14)


def test_the_order_of_a_sum_is_seen_in_its_last_bits() -> None:
    """Or the test above could not tell orders apart."""
    vector = np.random.default_rng(0).normal(size=70_001).astype(np.float32)
    squares = vector.astype(np.float64) ** 2
    assert math.sqrt(float(np.cumsum(squares)[-1])) != norm(vector)


def test_the_norm_of_nothing_but_zeros_is_zero() -> None:
    assert norm(np.zeros(5, np.float32)) == 0.0


@given(base=st.floats(0.5, 1.0), exponent=st.integers(0, 2**40))
@example(base=0.999, exponent=0)
@example(base=0.9, exponent=1)
def test_a_power_is_the_written_product(base: float, exponent: int) -> None:
    assert power(base, exponent) == definitions.power(base, exponent)
    assert power(base, exponent) == pytest.approx(base**exponent, rel=1e-3, abs=1e-300)


def test_an_update_keeps_subnormal_numbers_in_a_thread_that_flushes_them() -> None:
    """And the thread flushes them afterwards as before."""
    tiny = np.full(4, 1e-41, np.float32)
    old, new = (Vectors(np.zeros(4, np.float32), ()) for _ in range(2))
    optimizer = SGD(learning_rate=0.5)
    torch.set_flush_denormal(True)
    try:
        optimizer.update(0, old, tiny, new, optimizer.segments([("a", 4)]))
        flushed = np.multiply(tiny, np.float32(0.5))
    finally:
        torch.set_flush_denormal(False)
    assert not flushed.any()
    assert new.parameters.tobytes() == (-tiny * np.float32(0.5)).tobytes()
    assert new.parameters.all()
