"""How far honest numbers may lie apart: tolerances derived from public scalars.

All bounds are for projections on directions with i.i.d. coordinates, uniform over the odd integers of
[-255, 255] and divided by their standard deviation. Such a coordinate is a weighted sum of eight fair
signs, so it is sub-Gaussian with variance proxy 1: for any vector e fixed before the coin,
P(|<z, e>| > c |e|) <= 2 exp(-c^2 / 2). Derivations and measurements: protocols/fingerprint.md.

A verdict compares with the tolerance T itself, an accusation with 2 T. Honest numbers differ by at
most T, so nobody convicts an honest target; and where an accuser sees |published - mine| > 2 T, a voter
whose own number is within T of the accuser's sees |published - own| > 2 T - T = T, and agrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

DEVIATIONS = 8.0
"""c: an honest projection exceeds its bound with probability 2 exp(-c^2 / 2) < 2.6e-14."""

ACCUSE_FACTOR = 2.0
"""An accuser's threshold in units of a voter's: the triangle inequality above."""

SAME_BYTES = 1e-9
"""Relative difference of scalars of the same bytes. Float64 sums of m terms differ by about sqrt(m) 2^-53:
1e-13 at m = 1e6; the rest is margin for other orders of summation."""

FLOOR = 1e-30
"""Absolute floor of a tolerance, far below anything that moves a float32 model."""

AGGREGATE_RESIDUAL = 1e-6
"""CenteredClip's own bound: |mean of clipped differences| <= AGGREGATE_RESIDUAL tau, rounding of v aside."""

FLOAT32_ROUNDING = 2.0**-24
"""Rounding a vector to float32 moves it by at most this times its norm."""

SLACK_SUSPICIOUS = 0.01
"""A part whose zero sum has more slack than this share of tau is examined row by row."""

SLACK_MAX = 1.0
"""With more slack than this share of tau the zero sum says too little: no step is made of it."""

HULL_MARGIN = 1.01
"""For the solver's residual, the rounding of v(j) and misstatements: together below 1e-4 for n <= 64."""

NORM_MAX = 2.0**150
"""No honest norm is longer: two float32 numbers differ by less than 2^129, and there are fewer than 2^40
coordinates. The bound keeps every sum of published numbers finite."""


def contraction(norm: float, tau: float) -> float:
    """By how much clipping to `tau` shrinks distances among vectors of at least `norm`: min(1, tau / norm).

    Clipping projects onto a ball, so it is 1-Lipschitz; outside the ball of radius m >= tau it is tau / m
    times the projection onto that ball.
    """
    return 1.0 if norm <= tau else tau / norm


def norm_tolerance(epsilon: float, gradient_norm: float) -> float:
    """Difference of a norm, |g(j) - v(j)| or |g(j)|, of two honest computations of one gradient, on unlike
    hardware.

    `epsilon` is that of `ProtocolConfig`, `gradient_norm` is |g| of the *whole* gradient, as recomputed by
    whoever asks.
    """
    return DEVIATIONS * epsilon * gradient_norm + FLOOR


def joint_tolerance(epsilon: float, gradient_norm: float, directions: int) -> float:
    """Length of all differences of projections of two honest computations of one gradient: those of every
    part, on `directions` directions each, divided by the `contraction` of the part.

    Parts see independent pieces of one error of at most `epsilon` |g|, so their squares add up to what one
    piece with all of the error would give, however many parts there are: `joint_deviations`.
    """
    return joint_deviations(directions) * epsilon * gradient_norm + FLOOR


@cache
def joint_deviations(directions: int) -> float:
    """Return c_K: the K = `directions` projections of an honest error of length 1 are longer than it, as a
    vector, with probability 2 exp(-DEVIATIONS^2 / 2) at most, like one projection than DEVIATIONS.

    P(S > t) <= (t / K)^(K / 2) exp(-(t - K) / 2) for their sum of squares S, which is that of a chi-square
    variable of K degrees: solved for t by bisection. The parts' pieces make it no larger
    (protocols/fingerprint.md, 1).
    """
    aim = math.log(2) - DEVIATIONS**2 / 2
    low, high = float(directions), directions + 8 * DEVIATIONS**2
    for _ in range(100):
        middle = (low + high) / 2
        log_bound = (directions * math.log(middle / directions) - (middle - directions)) / 2
        low, high = (middle, high) if log_bound > aim else (low, middle)
    return math.sqrt(high)


def same_bytes_tolerance(magnitude: float) -> float:
    """Difference of a scalar computed twice, in float64, from the same bytes.

    `magnitude` is the length that the scalar measures: the clipped norm min(|g(j) - v(j)|, tau) for a
    projection, |g(j) - v(j)| for the norm, |v(j)| for the centre, |g(j)| for the row. A projection must *not*
    be given the unclipped norm: a row of 1e9 tau would earn a slack of tau, and with it could falsify its
    part's zero sum.
    """
    return SAME_BYTES * magnitude + FLOOR


def zero_sum_tolerance(norms: Sequence[float], tau: float, center: float) -> float:
    """How far the projections of one part may sum from zero when its aggregate is right.

    `norms` are the n contributors' |g_i(j) - v(j)|; `center` is |v(j)|. The sum of clipped differences at the
    exact minimiser is 0. It moves by at most n AGGREGATE_RESIDUAL tau because the solver stops, and, because
    v(j) is rounded to float32, by at most FLOAT32_ROUNDING |v(j)| times the sum of the `contraction` of each
    D_i; a projection sees at most c times that. On top comes what each contributor may misstate without being
    accused, ACCUSE_FACTOR times the tolerance of the same bytes.

    All arguments are agreed numbers and so is the sum: no accuser's margin is needed. Far from every row,
    |g_i(j) - v(j)| is about |v(j)|, so the rounding term stays at about n 2^-24 tau: an aggregate earns no
    slack by being huge. Contributors whose norms are small earn some, at most n 2^-24 |v(j)| in all; so
    |v(j)| is bounded apart (`hull_bound`), and a slack that says nothing is no answer (`SLACK_MAX`).
    """
    clipped_max = max(min(tau, norm) for norm in norms)
    rounding = FLOAT32_ROUNDING * center * math.fsum(contraction(norm, tau) for norm in norms)
    residual = len(norms) * AGGREGATE_RESIDUAL * clipped_max + rounding
    misstated = len(norms) * ACCUSE_FACTOR * same_bytes_tolerance(clipped_max)
    return DEVIATIONS * residual + misstated


def hull_bound(row_norms: Sequence[float], tau: float) -> float:
    """The greatest |v(j)| of a right aggregate, given the n contributors' |g_i(j)|.

    Let m rows, more than half, lie within R of the origin, and |v| >= R + tau. Each of them pulls v towards
    the origin by at least tau sqrt(1 - R^2 / |v|^2), the others pull with tau at most; these forces balance
    only if |v| <= R / sqrt(1 - ((n - m) / m)^2). R is the norm of the m-th shortest row, m = floor(n / 2) +
    1, which a minority cannot lengthen beyond the longest honest row.
    """
    n = len(row_norms)
    most = n // 2 + 1
    longest = sorted(row_norms)[most - 1]
    pull = (n - most) / most
    return HULL_MARGIN * max(longest + tau, longest / math.sqrt(1 - pull * pull)) + FLOOR
