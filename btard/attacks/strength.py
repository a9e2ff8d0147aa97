"""The search of the optimised attacks: a number on either side of zero that makes a function greatest."""

from __future__ import annotations

import math
from collections.abc import Callable

DECADES = 3
"""The least strength tried is 10^-DECADES of the greatest."""

GRID_SHARE = 0.6
"""The part of the evaluations that the coarse grid takes, both sides together."""

GOLDEN = (math.sqrt(5) - 1) / 2


def strongest(shift: Callable[[float], float], strength_max: float, evaluations: int) -> float:
    """Return the strength s, strength_max / 1000 <= |s| <= strength_max, of the greatest `shift(s)` found.

    First a geometric grid on both sides of zero; then golden section, in log |s|, between the neighbours of
    the grid's best. `shift` is called exactly `evaluations` times (at least 2), and the result is the best
    of all that were tried. Of equals the first wins: on the grid the least |s|, s before -s, so that the
    attack stays small if a rule bounds the effect of any strength. A NaN counts as infinite: such an
    aggregate is destroyed.
    """

    def measured(s: float) -> float:
        found = shift(s)
        return math.inf if math.isnan(found) else found

    per_side = max(1, int(evaluations * GRID_SHARE) // 2)
    spacing = DECADES / max(1, per_side - 1)
    powers = [-spacing * k for k in reversed(range(per_side))]
    tried = [(side * strength_max * 10**power, power) for power in powers for side in (1, -1)]
    shifts = [measured(s) for s, _ in tried]
    index = shifts.index(max(shifts))
    (best, middle), greatest = tried[index], shifts[index]

    low, high = max(middle - spacing, -DECADES), min(middle + spacing, 0.0)
    scale = math.copysign(strength_max, best)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    ahead: dict[float, float] = {}
    for _ in range(evaluations - len(tried)):
        power = left if left not in ahead else right
        ahead[power] = measured(scale * 10**power)
        if ahead[power] > greatest:
            best, greatest = scale * 10**power, ahead[power]
        if left in ahead and right in ahead:
            if ahead[left] >= ahead[right]:
                high, right = right, left
                left = high - GOLDEN * (high - low)
            else:
                low, left = left, right
                right = low + GOLDEN * (high - low)
    return best
