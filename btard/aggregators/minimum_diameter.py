"""Minimum-diameter averaging, also called Brute (El Mhamdi, Guerraoui, Rouault 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btard.aggregators.plan import RowView, Weights, mean_of
from btard.aggregators.rows import Matrix
from btard.aggregators.rule import Rule


@dataclass(frozen=True, slots=True)
class Mda(Rule):
    """The mean of the n - f rows whose greatest mutual distance is least.

    Exact, without listing all C(n, f) subsets: whether f removals bring the diameter below a
    threshold is a vertex cover among the pairs beyond it, at most 2^f branches. Of subsets of equal
    diameter the lexicographically first one is taken.
    """

    def plan(self, rows: RowView) -> Weights:
        return mean_of(len(rows), least_diameter(rows.squared_distances(), self.f))


def least_diameter(distances: Matrix, f: int) -> list[int]:
    """Return the lexicographically first of the (n - f)-subsets of least diameter, ascending indices."""
    n = len(distances)
    thresholds = np.unique(distances)
    low, high = 0, len(thresholds) - 1
    while low < high:
        middle = (low + high) // 2
        if _coverable(_conflicts(distances > thresholds[middle]), (1 << n) - 1, f):
            high = middle
        else:
            low = middle + 1
    conflicts = _conflicts(distances > thresholds[low])
    return _first_subset(conflicts, n, f)


def _first_subset(conflicts: list[int], n: int, f: int) -> list[int]:
    """Take the lowest index that still leaves room for the rest, n - f times."""
    alive, budget = (1 << n) - 1, f
    chosen: list[int] = []
    for i in range(n):
        if len(chosen) == n - f:
            break
        if not alive >> i & 1:
            continue
        without = alive & ~conflicts[i]
        spent = (alive & conflicts[i]).bit_count()
        if spent <= budget and _coverable(conflicts, without, budget - spent):
            alive, budget = without, budget - spent
            chosen.append(i)
        else:
            alive, budget = alive & ~(1 << i), budget - 1
    return chosen


def _conflicts(beyond: NDArray[np.bool_]) -> list[int]:
    """Return for each row the set, as bits, of rows that are too far from it."""
    return [sum(1 << int(j) for j in np.flatnonzero(row)) for row in beyond]


def _coverable(conflicts: list[int], alive: int, budget: int) -> bool:
    """Return whether removing at most `budget` of the rows in `alive` leaves no conflict."""
    worst, degree = -1, 0
    rest = alive
    while rest:
        i = (rest & -rest).bit_length() - 1
        rest &= rest - 1
        conflicting = (conflicts[i] & alive).bit_count()
        if conflicting > degree:
            worst, degree = i, conflicting
    if degree == 0:
        return True
    if budget == 0:
        return False
    if degree == 1:
        # What is left are disjoint pairs, two ends each.
        pairs = sum((conflicts[i] & alive).bit_count() for i in range(len(conflicts)) if alive >> i & 1) // 2
        return pairs <= budget
    if _coverable(conflicts, alive & ~(1 << worst), budget - 1):
        return True
    return degree <= budget and _coverable(conflicts, alive & ~conflicts[worst], budget - degree)
