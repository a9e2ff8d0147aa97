"""The geometric median, smoothed (RFA: Pillutla, Kakade, Harchaoui 2019)."""

from __future__ import annotations

from dataclasses import dataclass

from btard.aggregators.centered_clip import clipped_centre
from btard.aggregators.plan import RowView, Weights
from btard.aggregators.rule import Rule
from btard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class GeometricMedian(Rule):
    """The fixed point of Weiszfeld's iteration with weights 1 / max(nu, |x_i - v|).

    1 / max(nu, a) is min(1, nu / a) up to a factor, so this is CenteredClip's fixed point with
    tau = `nu` (in the rows' unit, > 0), solved as exactly. Deviation from RFA: they stop after a
    few iterations from the mean, which seven rows at 1000 times the others still dominate.
    """

    nu: float = 1e-6

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if not 0.0 < self.nu < float("inf"):
            raise ConfigurationError(f"nu is {self.nu}: give a finite nu > 0")

    def plan(self, rows: RowView) -> Weights:
        return clipped_centre(rows, self.nu)
