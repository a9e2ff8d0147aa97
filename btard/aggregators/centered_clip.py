"""CenteredClip (Karimireddy, He, Jaggi 2021) at its exact fixed point.

The paper iterates v <- v + (1/n) sum_i (x_i - v) min(1, tau / |x_i - v|) over the data. Its fixed
point minimises the convex sum_i rho_tau(|x_i - v|), rho_tau the Huber loss, and is an affine combination of
the rows; so it is solved among n points (`Gram.points`) to the last digit of float64, and the data
are read once for the products and once for the result.

After rounding v to the rows' dtype, |mean of clipped differences| is at most
1e-7 tau or so plus c |v - v exact|, c the mean of min(1, tau / |x_i - v|). The second term is
the dtype's own limit (in float32 |v - v exact| is about 3e-8 |v|). It shows if honest rows
differ by little of their norm, and no other vector of that dtype does better than the nearest one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from btard.aggregators.huber import huber_weights
from btard.aggregators.plan import RowView, Weights
from btard.aggregators.rule import Rule
from btard.errors import ConfigurationError

RECENTRE = 4.0
"""How much further than the solution (or tau) a row may lie from the reference."""

PASSES_MAX = 3


@dataclass(frozen=True, slots=True)
class CenteredClip(Rule):
    """argmin_v sum_i rho_tau(|x_i - v|): every row pulls with a force of at most `tau`.

    `tau` > 0 is in the rows' unit; rows closer than tau are averaged, so a tau beyond all distances
    gives the mean, and tau -> 0 the geometric median. Unique if some row is unclipped at v.
    Works from one row on; `f` only states how many rows may be dropped and the bound n >= 2f + 1.
    """

    tau: float = 1.0

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if not 0.0 < self.tau < float("inf"):
            raise ConfigurationError(f"tau is {self.tau}: give a finite tau > 0")

    def plan(self, rows: RowView) -> Weights:
        return clipped_centre(rows, self.tau)


def clipped_centre(rows: RowView, tau: float) -> Weights:
    """Return the weights of the minimiser of sum_i rho_tau(|x_i - v|)."""
    passes = 1
    while True:
        gram = rows.gram
        points, scaled_tau = gram.points(), tau * gram.unit
        weights = huber_weights(rows.mix(np.eye(len(rows))) @ points, scaled_tau)
        distances = np.linalg.norm(points - rows.mix(weights) @ points, axis=1)
        nearest = int(np.argmin(distances))
        far = gram.norms() > RECENTRE * np.maximum(distances, scaled_tau)
        # From the row nearest to v no row is further than twice its distance to v, so this ends.
        if nearest == gram.reference or not far.any() or passes == PASSES_MAX:
            return Weights(weights)
        rows.recentre(nearest)
        passes += 1
