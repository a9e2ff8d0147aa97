"""The minimiser of a sum of Huber losses over a few points in a small space."""

from __future__ import annotations

import numpy as np

from btard.aggregators.rows import Matrix

ITERATIONS_MAX = 500
"""A guard only: 2 to 13 are usual, some hundred if few points lie on a line."""

RESIDUAL = 1e-12
"""Stop at this |mean of clipped differences| in units of tau, beyond what rounding u leaves of it."""

PATIENCE = 20
"""Iterations after which neither half the residual nor a less loss means that rounding is all there is.

Reweighting lessens the loss by at least |pull|^2 / (2 sum c), so what it leaves then is about
3e-8 of tau, and much less unless the loss is all but flat.
"""

STALLED = 1e-14
"""The decrease of the loss, a point and unit of way, that counts as none."""

ROUNDING = 4 * float(np.finfo(np.float64).eps)


def huber_weights(points: Matrix, tau: float) -> Matrix:
    """Return the weights, shape (n,), of the points (n, k) in u* = argmin_u sum_i rho_tau(|z_i - u|).

    rho_tau(a) = a^2 / 2 up to tau and tau a - tau^2 / 2 beyond. The weights are positive and
    sum to one. If the minimiser is not unique (all points clipped and on a line) one of them is returned,
    the mean if it is one.

    Iteratively reweighted least squares never increases the convex objective and converges from any start,
    if slowly when all points are clipped. Each iteration therefore tries a Newton step and takes it only
    if it does at least as well as reweighting, or halves the least residual seen (which can
    happen a bounded number of times; near the solution the objective itself is flat to the last digit).
    Losses are compared by their difference (`_gain`): beside one row at 10^18 times the others' distance the
    objective itself has no digits left for these.
    The loss is quadratic at zero, so a point that coincides with u needs no special case.
    """
    scaled = points / tau
    u = _start(scaled)
    distances, clips, pull = _pull(scaled, u)
    residual = best = float(np.linalg.norm(pull))
    mark = (residual, u)
    for iteration in range(1, ITERATIONS_MAX + 1):
        if iteration % PATIENCE == 0:
            least = STALLED * len(points) * float(np.linalg.norm(u - mark[1]))
            if residual > mark[0] / 2 and -_gain(scaled, mark[1], u) <= least:
                break
            mark = (residual, u)
        if residual <= RESIDUAL * len(points) + ROUNDING * float(np.linalg.norm(u)) * clips.sum():
            break
        reweighted = u + pull / clips.sum()
        candidate = u + _newton(scaled - u, distances, clips, pull)
        at_candidate = _pull(scaled, candidate)
        candidate_residual = float(np.linalg.norm(at_candidate[2]))
        better = _gain(scaled, reweighted, candidate) <= 0.0
        if candidate_residual <= best / 2 or (better and candidate_residual < residual):
            u, (distances, clips, pull), residual = candidate, at_candidate, candidate_residual
        else:
            if np.array_equal(reweighted, u):
                break
            u = reweighted
            distances, clips, pull = _pull(scaled, u)
            residual = float(np.linalg.norm(pull))
        best = min(best, residual)
    weights: Matrix = clips / clips.sum()
    return weights


def _start(points: Matrix) -> Matrix:
    """Return the mean or a point, whichever has the least loss: outliers cannot carry the start away."""
    start: Matrix = points.mean(axis=0)
    for point in points:
        if _gain(points, start, point) < 0.0:
            start = point
    return start


def _distances(points: Matrix, u: Matrix) -> Matrix:
    differences = points - u
    distances: Matrix = np.sqrt(np.einsum("ik,ik->i", differences, differences))
    return distances


def _gain(points: Matrix, u: Matrix, other: Matrix) -> float:
    """Return the loss at `other` less that at u, sum_i rho_1, to the last digits of the way between them.

    |z - other| - |z - u| is (|z - other|^2 - |z - u|^2) / (|z - other| + |z - u|), however far z is."""
    way = other - u
    differences = points - u
    before, after = _distances(points, u), _distances(points, other)
    squares = (way - 2.0 * differences) @ way
    longer = squares / np.maximum(before + after, 1.0)
    inside, outside = np.maximum(before, after) <= 1.0, np.minimum(before, after) > 1.0
    across = _huber(after) - _huber(before)
    return float(np.where(inside, squares / 2, np.where(outside, longer, across)).sum())


def _huber(distances: Matrix) -> Matrix:
    """rho_1: a^2 / 2 up to 1, a - 1/2 beyond."""
    clipped = np.minimum(distances, 1.0)
    loss: Matrix = clipped * (distances - clipped / 2)
    return loss


def _pull(points: Matrix, u: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Distances, clip factors min(1, 1 / distance), and the sum of clipped differences."""
    distances = _distances(points, u)
    clips: Matrix = 1.0 / np.maximum(distances, 1.0)
    return distances, clips, clips @ (points - u)


def _newton(differences: Matrix, distances: Matrix, clips: Matrix, pull: Matrix) -> Matrix:
    """Return the Newton step on the sum of losses, a hair damped: the Hessian may be singular."""
    clipped = distances > 1.0
    units = differences[clipped] * clips[clipped, None]
    total = clips.sum()
    hessian = (units.T * -clips[clipped]) @ units
    hessian.flat[:: len(hessian) + 1] += total * (1.0 + 1e-12)
    try:
        step: Matrix = np.linalg.solve(hessian, pull)
    except np.linalg.LinAlgError:
        step = pull / total
    return step
