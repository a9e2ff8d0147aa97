"""Verification 1 and 2: what the published scalars must satisfy (BTARD, Algorithms 2 and 3).

With D_i(j) = (g_i(j) - v(j)) min(1, tau / |g_i(j) - v(j)|), every contributor i publishes <z[j], D_i(j)> for
several directions z of the coin and |g_i(j) - v(j)|, for every part j. The aggregator of part j
holds the rows and checks each of them; everybody checks that the projections of a part sum to zero,
which is what the fixed point of CenteredClip means; and where more than half report a norm above
Delta_max, the part is averaged again by everybody (CheckAveraging).

Choosing Delta_max: false alarms cost one transfer of a part to everybody and end nobody's seat, so a
small multiple of the usual |g_i(j) - v(j)| does; colluders who hold aggregator and contributors can
move an aggregate by about Delta_max a step until a validator draws one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median_high

from btard.machine import Recomputed
from btard.protocol import tolerance
from btard.protocol.constants import ProtocolConfig
from btard.protocol.messages import PartScalars
from btard.types import Scalars

PROJECTION_DEVIATIONS = 10.0
"""An honest projection of D exceeds so many |D| with probability 2 exp(-50) = 4e-22. The bound keeps
colluders from cancelling a shifted aggregate with one enormous number."""

ScalarTable = Sequence[Sequence[PartScalars]]
"""[contributor seat][part]"""


def row_is_false(published: PartScalars, true: Scalars, tau: float, factor: float = 1.0) -> bool:
    """Return whether a contributor's scalars of one part are not those of the bytes that it committed to.

    A voter's threshold is `factor` 1, an accuser's `tolerance.ACCUSE_FACTOR`, here and below."""
    return (
        _projections_differ(published, true, factor * tolerance.same_bytes_tolerance(min(true.norm, tau)))
        or abs(published.norm - true.norm) > factor * tolerance.same_bytes_tolerance(true.norm)
        or abs(published.center - true.center) > factor * tolerance.same_bytes_tolerance(true.center)
    )


def gradient_is_false(
    published: Sequence[PartScalars], recomputed: Recomputed, tau: float, factor: float = 1.0
) -> bool:
    """Return whether a contributor's scalars, of any part, are not those of the gradient that it owed.

    Recomputed on other hardware, so within the tolerance of `protocols/fingerprint.md`."""
    return len(published) != len(recomputed.scalars) or any(
        _part_is_false(said, true, recomputed.norm, tau, factor)
        for said, true in zip(published, recomputed.scalars, strict=True)
    )


def _part_is_false(said: PartScalars, true: Scalars, gradient_norm: float, tau: float, factor: float) -> bool:
    wide = tolerance.recomputation_tolerance(gradient_norm)
    narrow = tolerance.recomputation_tolerance(gradient_norm, min(said.norm, true.norm), tau)
    return abs(said.norm - true.norm) > factor * wide or _projections_differ(said, true, factor * narrow)


def fingerprint_is_false(published: PartScalars, true: Scalars) -> bool:
    """Return whether the fingerprint of a whole gradient is not that of the gradient."""
    slack = tolerance.recomputation_tolerance(true.norm)
    return abs(published.norm - true.norm) > slack or _projections_differ(published, true, slack)


def fingerprints_disagree(one: PartScalars, other: PartScalars) -> bool:
    """Return whether validator and target cannot both have computed the same gradient."""
    slack = tolerance.ACCUSE_FACTOR * tolerance.recomputation_tolerance(max(one.norm, other.norm))
    as_scalars = Scalars(other.projections, other.norm)
    return abs(one.norm - other.norm) > slack or _projections_differ(one, as_scalars, slack)


def _projections_differ(published: PartScalars, true: Scalars, slack: float) -> bool:
    return len(published.projections) != len(true.projections) or any(
        abs(a - b) > slack for a, b in zip(published.projections, true.projections, strict=True)
    )


def sum_is_not_zero(table: ScalarTable, part: int, config: ProtocolConfig) -> bool:
    """Return whether the clipped differences of `part` do not cancel in some direction: no fixed point.

    Sums in seat order, in float64, over agreed numbers: every peer gets the same answer. The norm of
    v(j) is the (upper) median of what all contributors say, so an honest majority bounds it."""
    column = [row[part] for row in table]
    center = median_high([entry.center for entry in column])
    slack = tolerance.zero_sum_tolerance([entry.norm for entry in column], config.tau, center)
    return any(abs(_sum([e.projections[k] for e in column])) > slack for k in range(config.directions))


def _sum(values: Iterable[float]) -> float:
    """In order and uncompensated: Python's `sum` compensates from 3.12 on, and peers must agree."""
    total = 0.0
    for value in values:
        total += value
    return total


def rows_are_no_fixed_point(rows: Sequence[Scalars], config: ProtocolConfig) -> bool:
    """`sum_is_not_zero` over scalars that this peer computed itself (CheckAveraging)."""
    return sum_is_not_zero([[PartScalars(r.projections, r.norm, r.center)] for r in rows], 0, config)


def suspicious_parts(table: ScalarTable, delta_max: float) -> tuple[int, ...]:
    """Parts of which more than half of the contributors report a norm above Delta_max (Verification 2)."""
    return tuple(
        part
        for part in range(len(table[0]))
        if 2 * sum(1 for row in table if row[part].norm > delta_max) > len(table)
    )


def shape_is_wrong(parts: Sequence[PartScalars], count: int, config: ProtocolConfig) -> bool:
    """Return whether published scalars cannot be an honest peer's: a wrong number of parts or projections,
    a negative norm, or a projection longer than PROJECTION_DEVIATIONS times the vector that it measures."""
    return len(parts) != count or any(
        len(p.projections) != config.directions
        or min(p.norm, p.center) < 0
        or max(map(abs, p.projections)) > PROJECTION_DEVIATIONS * min(p.norm, config.tau) + tolerance.FLOOR
        for p in parts
    )
