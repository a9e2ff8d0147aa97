"""Every rule once more, literally from its definition: loops and float64, for comparison only."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from btard.aggregators import parse

Matrix = NDArray[np.float64]
DEFINED = ["mean", "median", "trimmed_mean", "meamed", "krum", "multi_krum", "mda", "bulyan"]
PLAIN = [*DEFINED, "geometric_median", "centered_clip"]


def literal(name: str, x: Matrix, f: int) -> Matrix:
    """A rule or composition by definition; where none is simple, by the rule, which is tested elsewhere."""
    first, _, rest = name.partition("+")
    if first == "nnm":
        return literal(rest, nearest_neighbour_mixing(x, f), f)
    if first == "ctma":
        return ctma(x, f, literal(rest, x, f))
    if first in DEFINED:
        defined: Matrix = globals()[first](x, f)
        return defined
    return parse(name, f)(torch.from_numpy(x)).numpy()


def squared_distances(x: Matrix) -> list[list[float]]:
    return [[float(((a - b) ** 2).sum()) for b in x] for a in x]


def mean(x: Matrix, f: int) -> Matrix:
    return x.mean(axis=0)


def median(x: Matrix, f: int) -> Matrix:
    ordered, n = np.sort(x, axis=0), len(x)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def trimmed_mean(x: Matrix, f: int) -> Matrix:
    return np.sort(x, axis=0)[f : len(x) - f].mean(axis=0)


def meamed(x: Matrix, f: int) -> Matrix:
    return nearest_to_median(x, len(x) - f)


def nearest_to_median(x: Matrix, keep: int) -> Matrix:
    middle = median(x, 0)
    result = np.empty(x.shape[1])
    for k in range(x.shape[1]):
        order = sorted(range(len(x)), key=lambda i: (abs(x[i, k] - middle[k]), i))
        result[k] = x[order[:keep], k].mean()
    return result


def krum_order(x: Matrix, f: int, neighbours: int | None = None, power: float = 2.0) -> list[int]:
    n = len(x)
    count = n - f - 2 if neighbours is None else neighbours
    squares = squared_distances(x)
    scores = []
    for i in range(n):
        others = sorted(squares[i][j] ** (power / 2) for j in range(n) if j != i)
        scores.append(sum(others[:count]))
    return sorted(range(n), key=lambda i: (scores[i], i))


def krum(x: Matrix, f: int) -> Matrix:
    return x[krum_order(x, f)[0]]


def multi_krum(x: Matrix, f: int) -> Matrix:
    return x[krum_order(x, f)[: len(x) - f - 2]].mean(axis=0)


def mda(x: Matrix, f: int) -> Matrix:
    squares = squared_distances(x)

    def diameter(subset: tuple[int, ...]) -> float:
        return max((squares[i][j] for i, j in combinations(subset, 2)), default=0.0)

    subsets = list(combinations(range(len(x)), len(x) - f))
    return x[list(min(subsets, key=diameter))].mean(axis=0)


def bulyan(x: Matrix, f: int) -> Matrix:
    remaining, chosen = list(range(len(x))), []
    theta = len(x) - 2 * f
    while len(chosen) < theta:
        neighbours = max(1, len(remaining) - f - 2)
        winner = krum_order(x[remaining], f, neighbours)[0]
        chosen.append(remaining.pop(winner))
    return nearest_to_median(x[sorted(chosen)], theta - 2 * f)


def nearest_neighbour_mixing(x: Matrix, f: int) -> Matrix:
    mixed, squares = [], squared_distances(x)
    for i in range(len(x)):
        others = sorted((j for j in range(len(x)) if j != i), key=lambda j, i=i: (squares[i][j], j))
        # In one order, so that rows with the same neighbours become the same row to the last digit.
        mixed.append(x[sorted([i, *others][: len(x) - f])].mean(axis=0))
    return np.array(mixed)


def ctma(x: Matrix, f: int, centre: Matrix) -> Matrix:
    order = sorted(range(len(x)), key=lambda i: (float(((x[i] - centre) ** 2).sum()), i))
    return x[order[: len(x) - f]].mean(axis=0)


def clipped(x: Matrix, v: Matrix, tau: float) -> Matrix:
    """sum of clipped differences over n, in units of tau: the quantity that vanishes at the fixed point."""
    total = np.zeros(x.shape[1])
    for row in x:
        length = float(np.linalg.norm(row - v))
        total += (row - v) / max(length, tau)
    return total / len(x)
