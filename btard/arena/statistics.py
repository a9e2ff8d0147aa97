"""Mean and confidence of few numbers: Student's t, without a library for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value, rounded once."""
    return math.fsum(values) / len(values)


def half_width(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Half the width of the mean's confidence interval, t s / sqrt(n); None for fewer than two values.

    s has the divisor n - 1, and t is Student's quantile for n - 1 degrees of freedom (Student 1908): the
    interval holds for normal values.
    """
    n = len(values)
    if n < 2:
        return None
    centre = mean(values)
    variance = math.fsum((value - centre) ** 2 for value in values) / (n - 1)
    return quantile(n - 1, confidence) * math.sqrt(variance / n)


@lru_cache(maxsize=256)
def quantile(freedom: int, confidence: float) -> float:
    """The t that |T| exceeds with probability 1 - confidence, T of `freedom` degrees: 12.706 for (1, 0.95).

    By bisection over theta = atan(t / sqrt(freedom)), in which the probability is a finite sum.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError(f"no quantile for {freedom} degrees at {confidence}: give at least 1, and 0 < p < 1")
    low, high = 0.0, math.pi / 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.tan(low) * math.sqrt(freedom)


def _within(theta: float, freedom: int) -> float:
    """P(|T| <= sqrt(freedom) tan theta) (Abramowitz, Stegun 1964, 26.7.3 and 26.7.4)."""
    cosine, sine = math.cos(theta), math.sin(theta)
    if freedom == 1:
        return 2 * theta / math.pi
    # Odd: cos + 2/3 cos^3 + 2*4/(3*5) cos^5 ...; even: 1 + 1/2 cos^2 + 1*3/(2*4) cos^4 ...
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term
    for k in range(2 + odd, freedom, 2):
        term *= (k - 1) / k * cosine * cosine
        total += term
    return 2 / math.pi * (theta + sine * total) if odd else sine * total
