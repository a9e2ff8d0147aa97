"""Student's t against printed tables and exact values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.arena.statistics import half_width, mean, quantile

# Fisher, Yates: "Statistical Tables", two-sided.
PRINTED = {
    (1, 0.95): 12.706,
    (2, 0.95): 4.303,
    (3, 0.95): 3.182,
    (4, 0.95): 2.776,
    (5, 0.95): 2.571,
    (9, 0.95): 2.262,
    (10, 0.95): 2.228,
    (30, 0.95): 2.042,
    (120, 0.95): 1.980,
    (1, 0.99): 63.657,
    (4, 0.99): 4.604,
    (7, 0.9): 1.895,
}


@pytest.mark.parametrize(("freedom", "confidence"), PRINTED)
def test_quantiles_are_those_of_the_printed_table(freedom: int, confidence: float) -> None:
    assert quantile(freedom, confidence) == pytest.approx(PRINTED[freedom, confidence], abs=5e-4)


def test_quantiles_of_one_and_two_degrees_are_exact() -> None:
    assert quantile(1, 0.5) == pytest.approx(1.0, rel=1e-14)
    assert quantile(1, 0.95) == pytest.approx(math.tan(0.95 * math.pi / 2), rel=1e-12)
    assert quantile(2, 0.95) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-12)


@given(st.integers(1, 200), st.floats(0.01, 0.999))
def test_quantile_falls_with_freedom_and_rises_with_confidence(freedom: int, confidence: float) -> None:
    assert quantile(freedom + 1, confidence) <= quantile(freedom, confidence) * (1 + 1e-9)
    assert quantile(freedom, confidence) < quantile(freedom, (1 + confidence) / 2)


@pytest.mark.parametrize(("freedom", "confidence"), [(0, 0.95), (1, 0.0), (1, 1.0)])
def test_quantile_that_does_not_exist_is_refused(freedom: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        quantile(freedom, confidence)


def test_interval_of_student_s_sleep_data() -> None:
    """Extra hours of sleep, drug 2 less drug 1 (Student 1908): mean 1.58, s = 1.23, half width 0.88."""
    hours = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert mean(hours) == pytest.approx(1.58)
    assert half_width(hours) == pytest.approx(0.8798861, rel=1e-6)


def test_one_value_has_no_interval_and_equal_ones_a_point() -> None:
    assert half_width([0.5]) is None
    assert half_width([0.5, 0.5]) == 0
