"""Scalars against the bytes and gradients that they are said to be of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.machine import Recomputed
from btard.protocol import tolerance, verification
from btard.protocol.messages import PartScalars
from btard.types import Scalars
from tests.protocol.script import CONFIG

TAU = CONFIG.tau
TRUE = Scalars((0.3, -0.2), 0.8, 2.0)
SAID = PartScalars((0.3, -0.2), 0.8, 2.0)


def test_the_scalars_of_the_very_bytes_are_true() -> None:
    assert not verification.row_is_false(SAID, TRUE, TAU)


@pytest.mark.parametrize(
    "lie",
    [
        replace(SAID, projections=(0.3, -0.2 + 1e-6)),
        replace(SAID, norm=0.8 + 1e-6),
        replace(SAID, center=2.0 + 1e-6),
        replace(SAID, projections=(0.3,)),
        replace(SAID, norm=1.7e308),
    ],
    ids=["projection", "norm", "center", "fewer directions", "as large as a float can be"],
)
def test_the_scalars_of_anything_else_are_false(lie: PartScalars) -> None:
    assert verification.row_is_false(lie, TRUE, TAU)
    assert verification.row_is_false(lie, TRUE, TAU, tolerance.ACCUSE_FACTOR)


def test_a_row_far_away_earns_no_slack_for_its_projections() -> None:
    far = Scalars((0.3, -0.2), 1e9, 2.0)
    said = PartScalars((0.3, -0.2 + 1e-6), 1e9, 2.0)
    assert verification.row_is_false(said, far, TAU)


@given(st.floats(0, 3), st.floats(0, 1), st.floats(0, 1))
def test_what_an_accuser_sees_every_honest_voter_sees(lie: float, mine: float, theirs: float) -> None:
    """Honest numbers differ by the tolerance at most; an accuser's threshold is twice a voter's."""
    slack = tolerance.recomputation_tolerance(2.0)
    accuser = Scalars((0.0,), 2.0 + mine * slack / 2)
    voter = Scalars((0.0,), 2.0 - theirs * slack / 2)
    said = [PartScalars((0.0,), 2.0 + lie * slack, 0.0)]
    seen = verification.gradient_is_false(
        said, Recomputed((accuser,), accuser.norm), TAU, tolerance.ACCUSE_FACTOR
    )
    if seen:
        assert verification.gradient_is_false(said, Recomputed((voter,), voter.norm), TAU)


def test_a_gradient_in_another_number_of_parts_is_false() -> None:
    assert verification.gradient_is_false([SAID], Recomputed((TRUE, TRUE), 1.0), TAU)
    assert not verification.gradient_is_false([SAID], Recomputed((TRUE,), 1.0), TAU)


def test_a_gradient_that_is_false_in_one_part_is_false() -> None:
    said = [SAID, replace(SAID, norm=1.0)]
    assert verification.gradient_is_false(said, Recomputed((TRUE, TRUE), 1.0), TAU)


def test_a_negative_norm_hides_nothing() -> None:
    assert verification.gradient_is_false([replace(SAID, norm=-0.8)], Recomputed((TRUE,), 1.0), TAU)


def test_a_fingerprint_is_compared_within_the_tolerance_of_other_hardware() -> None:
    slack = tolerance.recomputation_tolerance(0.8)
    near, far = replace(SAID, norm=0.8 + 0.9 * slack), replace(SAID, norm=0.8 + 1.1 * slack)
    assert not verification.fingerprint_is_false(near, TRUE)
    assert verification.fingerprint_is_false(far, TRUE)
    assert verification.fingerprint_is_false(replace(SAID, projections=(0.3, 0.2)), TRUE)


def test_two_fingerprints_within_the_tolerance_of_one_gradient_agree() -> None:
    slack = tolerance.recomputation_tolerance(0.8)
    above, below = replace(SAID, norm=0.8 + slack), replace(SAID, norm=0.8 - slack)
    assert not verification.fingerprints_disagree(above, below)
    assert verification.fingerprints_disagree(replace(SAID, norm=0.8 + 3 * slack), below)


def column(*projections: float) -> list[list[PartScalars]]:
    return [[PartScalars((p, 0.0), 0.5, 1.0)] for p in projections]


def test_projections_that_cancel_are_those_of_a_fixed_point() -> None:
    assert not verification.sum_is_not_zero(column(0.25, -0.5, 0.25), 0, CONFIG)
    assert verification.sum_is_not_zero(column(0.25, -0.5, 0.26), 0, CONFIG)


def test_the_sum_is_taken_in_seat_order_without_compensation() -> None:
    # Compensated sums make this 1, which is not zero; plain ones 0. Every Python must agree.
    assert not verification.sum_is_not_zero(column(1e16, 1.0, -1e16), 0, CONFIG)
    assert verification.sum_is_not_zero(column(1e16, -1e16, 1.0), 0, CONFIG)


def test_one_liar_about_the_norm_of_the_aggregate_widens_no_tolerance() -> None:
    table = column(0.25, -0.5, 0.26)
    table[0][0] = replace(table[0][0], center=1e30)
    assert verification.sum_is_not_zero(table, 0, CONFIG)


def test_whoever_averages_again_uses_its_own_scalars() -> None:
    rows = [Scalars((0.25, 0.0), 0.5, 1.0), Scalars((-0.25, 0.0), 0.5, 1.0)]
    assert not verification.rows_are_no_fixed_point(rows, CONFIG)
    assert verification.rows_are_no_fixed_point([rows[0], rows[0]], CONFIG)


@pytest.mark.parametrize(("above", "suspicious"), [(2, ()), (3, (0,))])
def test_a_part_is_suspicious_where_most_report_a_great_norm(above: int, suspicious: tuple[int, ...]) -> None:
    table = [[replace(SAID, norm=9.0 if k < above else 0.5), SAID] for k in range(4)]
    assert verification.suspicious_parts(table, CONFIG.delta_max) == suspicious


@pytest.mark.parametrize(
    "wrong",
    [
        [SAID],
        [SAID, replace(SAID, projections=(0.1,))],
        [SAID, replace(SAID, norm=-1.0)],
        [SAID, replace(SAID, center=-1.0)],
        [SAID, replace(SAID, projections=(8.5, 0.0))],
    ],
    ids=["parts", "directions", "norm", "center", "projection"],
)
def test_scalars_that_no_honest_peer_publishes_have_the_wrong_shape(wrong: list[PartScalars]) -> None:
    assert verification.shape_is_wrong(wrong, 2, CONFIG)
    assert not verification.shape_is_wrong([SAID, SAID], 2, CONFIG)
