"""Verification 1 and 2: what the published scalars must satisfy (BTARD, Algorithms 2 and 3).

With D_i(j) = (g_i(j) - v(j)) min(1, tau / |g_i(j) - v(j)|), every contributor i publishes <z[j], D_i(j)> for
several directions z of the coin, |g_i(j) - v(j)|, |v(j)| and |g_i(j)|, for every part j. The aggregator of
part j holds the rows and checks each of them. Everybody checks that the projections of a part sum to zero,
which is what the fixed point of CenteredClip means, and that v(j) is no longer than a fixed point among such
rows can be. A part of which more than half report a norm above Delta_max, or whose zero sum says little, is
*suspicious*: a few peers drawn by the coin check its rows too (`suspicion.py`, CheckAveraging).

Choosing Delta_max: a false alarm costs the transfer of a part's rows to the examiners and nobody's seat, so a
small multiple of the usual |g_i(j) - v(j)| does.
"""

from __future__ import annotations

import math
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

# ---------------------------------------------------------------- against bytes and gradients


def row_is_false(published: PartScalars, true: Scalars, tau: float, factor: float = 1.0) -> bool:
    """Return whether a contributor's scalars of one part are not those of the bytes that it committed to.

    A voter's threshold is `factor` 1, an accuser's `tolerance.ACCUSE_FACTOR`, here and below."""
    return (
        _projections_differ(published, true, factor * tolerance.same_bytes_tolerance(min(true.norm, tau)))
        or abs(published.norm - true.norm) > factor * tolerance.same_bytes_tolerance(true.norm)
        or abs(published.center - true.center) > factor * tolerance.same_bytes_tolerance(true.center)
        or abs(published.row - true.row) > factor * tolerance.same_bytes_tolerance(true.row)
    )


def gradient_is_false(
    published: Sequence[PartScalars], recomputed: Recomputed, config: ProtocolConfig, factor: float = 1.0
) -> bool:
    """Return whether a contributor's scalars, of any part, are not those of the gradient that it owed.

    Recomputed on other hardware, so within the tolerance of `protocols/fingerprint.md`."""
    parts = len(recomputed.scalars)
    if len(published) != parts:
        return True
    said_and_true = list(zip(published, recomputed.scalars, strict=True))
    norms = tolerance.norm_tolerance(config.epsilon, recomputed.norm)
    if any(
        abs(said.norm - true.norm) > factor * (norms + tolerance.same_bytes_tolerance(true.norm))
        or abs(said.row - true.row) > factor * norms
        for said, true in said_and_true
    ):
        return True
    slack = tolerance.joint_tolerance(config.epsilon, recomputed.norm, config.directions)
    # The differences are of the unclipped scale, and a gradient that counts as zero has an error of float64.
    slack += sum(tolerance.same_bytes_tolerance(true.norm) for true in recomputed.scalars)
    return _distance(said_and_true, config.part_tau(parts)) > factor * slack


def _distance(said_and_true: Iterable[tuple[PartScalars, Scalars]], tau: float) -> float:
    """Return the length of the differences of all projections, each divided by the part's `contraction`;
    infinity if there is not the same number of them."""
    differences: list[float] = []
    for said, true in said_and_true:
        if len(said.projections) != len(true.projections):
            return math.inf
        least = min(said.norm, true.norm)
        stretch = 1.0 if least <= tau else least / tau
        differences += (stretch * (a - b) for a, b in zip(said.projections, true.projections, strict=True))
    return math.hypot(*differences)


def fingerprint_is_false(published: PartScalars, true: Scalars, config: ProtocolConfig) -> bool:
    """Return whether the fingerprint of a whole gradient is not that of the gradient."""
    return _fingerprints_differ(published, true, true.norm, config, factor=1.0)


def fingerprints_disagree(one: PartScalars, other: PartScalars, config: ProtocolConfig) -> bool:
    """Return whether validator and target cannot both have computed the same gradient."""
    as_scalars = Scalars(other.projections, other.norm)
    return _fingerprints_differ(one, as_scalars, max(one.norm, other.norm), config, tolerance.ACCUSE_FACTOR)


def _fingerprints_differ(
    said: PartScalars, true: Scalars, norm: float, config: ProtocolConfig, factor: float
) -> bool:
    joint = tolerance.joint_tolerance(config.epsilon, norm, config.directions)
    return (
        abs(said.norm - true.norm) > factor * tolerance.norm_tolerance(config.epsilon, norm)
        or _distance([(said, true)], math.inf) > factor * joint
    )


def _projections_differ(published: PartScalars, true: Scalars, slack: float) -> bool:
    return len(published.projections) != len(true.projections) or any(
        abs(a - b) > slack for a, b in zip(published.projections, true.projections, strict=True)
    )


# ---------------------------------------------------------------- among agreed numbers


def false_on_sight(table: ScalarTable) -> tuple[int, ...]:
    """Seats whose scalars everybody sees to be false, without any bytes.

    All contributors measure |v(j)| of the same bytes, and more than half are honest: a `center` that differs
    from the median is a lie. So is a triangle that does not close: |g|, |g - v| and |v| are its sides."""
    medians = [median_high(entry.center for entry in column) for column in zip(*table, strict=True)]

    def false(said: PartScalars, median: float) -> bool:
        slack = tolerance.ACCUSE_FACTOR * tolerance.same_bytes_tolerance(said.norm + said.center + said.row)
        differs = tolerance.ACCUSE_FACTOR * tolerance.same_bytes_tolerance(median)
        return (
            abs(said.center - median) > differs
            or abs(said.norm - said.center) > said.row + slack
            or said.row > said.norm + said.center + slack
        )

    return tuple(seat for seat, row in enumerate(table) if any(map(false, row, medians)))


def aggregate_is_wrong(table: ScalarTable, part: int, config: ProtocolConfig) -> bool:
    """Return whether v(j) is no fixed point of CenteredClip, if the part's scalars are true: the clipped
    differences do not cancel in some direction, or v(j) is longer than the rows allow.

    Sums in seat order, in float64, over agreed numbers: every peer gets the same answer."""
    column = [row[part] for row in table]
    tau = config.part_tau(len(table[0]))
    if _center(column) > tolerance.hull_bound([entry.row for entry in column], tau):
        return True
    slack = _slack(column, tau)
    return any(abs(_sum([e.projections[k] for e in column])) > slack for k in range(config.directions))


def suspicious_parts(table: ScalarTable, config: ProtocolConfig) -> tuple[int, ...]:
    """Parts of which more than half of the contributors report a norm above Delta_max (Verification 2), or
    whose zero sum has a slack of more than SLACK_SUSPICIOUS tau."""

    columns = list(zip(*table, strict=True))
    if not columns:
        return ()
    tau, delta_max = config.part_tau(len(columns)), config.part_delta_max(len(columns))

    def suspicious(column: Sequence[PartScalars]) -> bool:
        above = sum(1 for entry in column if entry.norm > delta_max)
        return 2 * above > len(column) or _slack(column, tau) > tolerance.SLACK_SUSPICIOUS * tau

    return tuple(part for part, column in enumerate(columns) if suspicious(column))


def tau_too_small(table: ScalarTable, config: ProtocolConfig) -> str | None:
    """Return what to do where float32 cannot place some v(j) as exactly as tau asks, None if it can.

    The zero sum of such a part says nothing about its aggregate, whoever computed it."""
    columns = list(zip(*table, strict=True))
    if not columns:
        return None
    tau = config.part_tau(len(columns))
    if all(_slack(column, tau) <= tolerance.SLACK_MAX * tau for column in columns):
        return None
    length = max(map(_center, columns)) * math.sqrt(len(columns))
    enough = 2 * tolerance.DEVIATIONS * tolerance.FLOAT32_ROUNDING * len(table) * length
    return f"tau is {config.tau:.3g}: the gradients are about {length:.3g} long: use more than {enough:.3g}"


def _center(column: Sequence[PartScalars]) -> float:
    return median_high(entry.center for entry in column)


def _slack(column: Sequence[PartScalars], tau: float) -> float:
    return tolerance.zero_sum_tolerance([entry.norm for entry in column], tau, _center(column))


def _sum(values: Iterable[float]) -> float:
    """In order and uncompensated: Python's `sum` compensates from 3.12 on, and peers must agree."""
    total = 0.0
    for value in values:
        total += value
    return total


def shape_is_wrong(parts: Sequence[PartScalars], count: int, config: ProtocolConfig) -> bool:
    """Return whether published scalars cannot be an honest peer's: a wrong number of parts or projections, a
    norm that is negative or above NORM_MAX, or a projection longer than PROJECTION_DEVIATIONS times the
    vector that it measures."""
    return len(parts) != count or any(
        scalars_are_impossible(p, config.directions, min(p.norm, config.part_tau(count))) for p in parts
    )


def scalars_are_impossible(said: PartScalars, directions: int, length: float) -> bool:
    """Return whether no honest peer publishes this of a vector whose norm is `length`."""
    return (
        len(said.projections) != directions
        or min(said.norm, said.center, said.row) < 0
        or max(said.norm, said.center, said.row) > tolerance.NORM_MAX
        or max(map(abs, said.projections)) > PROJECTION_DEVIATIONS * length + tolerance.FLOOR
    )
