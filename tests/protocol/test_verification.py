"""Scalars against the bytes and gradients that they are said to be of."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from btard.machine import Recomputed
from btard.protocol import tolerance, verification
from btard.protocol.messages import PartScalars
from btard.types import Scalars
from tests.protocol.script import CONFIG

TAU = CONFIG.tau
TRUE = Scalars((0.3, -0.2), 0.8, 2.0, 1.5)
SAID = PartScalars((0.3, -0.2), 0.8, 2.0, 1.5)


def test_the_scalars_of_the_very_bytes_are_true() -> None:
    assert not verification.row_is_false(SAID, TRUE, TAU)


@pytest.mark.parametrize(
    "lie",
    [
        replace(SAID, projections=(0.3, -0.2 + 1e-6)),
        replace(SAID, norm=0.8 + 1e-6),
        replace(SAID, center=2.0 + 1e-6),
        replace(SAID, row=1.5 + 1e-6),
        replace(SAID, projections=(0.3,)),
        replace(SAID, norm=1.7e308),
    ],
    ids=["projection", "norm", "center", "row", "fewer directions", "as large as a float can be"],
)
def test_the_scalars_of_anything_else_are_false(lie: PartScalars) -> None:
    assert verification.row_is_false(lie, TRUE, TAU)
    assert verification.row_is_false(lie, TRUE, TAU, tolerance.ACCUSE_FACTOR)


def test_a_row_far_away_earns_no_slack_for_its_projections() -> None:
    far = Scalars((0.3, -0.2), 1e9, 2.0, 1e9)
    said = PartScalars((0.3, -0.2 + 1e-6), 1e9, 2.0, 1e9)
    assert verification.row_is_false(said, far, TAU)


@given(st.floats(-3, 3), st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
@example(0.9, -0.49, 0.49)  # further than the tolerance from the accuser's number, and not from the voter's
def test_what_an_accuser_sees_every_honest_voter_sees(lie: float, mine: float, theirs: float) -> None:
    """Honest numbers differ by less than the tolerance; an accuser's threshold is twice a voter's."""
    slack = tolerance.norm_tolerance(CONFIG.epsilon, 2.0)
    accuser = Scalars((0.0,), 2.0 + mine * slack)
    voter = Scalars((0.0,), 2.0 + theirs * slack)
    said = [PartScalars((0.0,), 2.0 + lie * slack, 0.0, 0.0)]
    seen = verification.gradient_is_false(
        said, Recomputed((accuser,), accuser.norm), CONFIG, tolerance.ACCUSE_FACTOR
    )
    if seen:
        assert verification.gradient_is_false(said, Recomputed((voter,), voter.norm), CONFIG)


@settings(max_examples=300)
@given(st.lists(st.floats(-1.5, 1.5), min_size=12, max_size=12), st.integers(0, 2**32 - 1))
def test_an_accuser_of_projections_is_upheld_by_voters_within_the_tolerance(
    lies: list[float], seed: int
) -> None:
    """Two parts, one of them clipped to a third; honest numbers are half of the tolerance from the truth."""
    generator = random.Random(seed)
    norms, tau = (0.5, 2.1), CONFIG.part_tau(2)
    slack = tolerance.joint_tolerance(CONFIG.epsilon, 3.0, 2)
    shrink = [1.0, 1.0, *[tau / norms[1]] * 2]

    def honest() -> Recomputed:
        error = [generator.gauss(0, 1) for _ in range(4)]
        near = [0.499 * slack * e * c / math.hypot(*error) for e, c in zip(error, shrink, strict=True)]
        pairs = (tuple(near[:2]), tuple(near[2:]))
        return Recomputed(tuple(Scalars(p, norm) for p, norm in zip(pairs, norms, strict=True)), 3.0)

    far = [lie * slack * c for lie, c in zip(lies, shrink * 3, strict=True)]
    said = [PartScalars((far[0], far[1]), norms[0], 0, 0), PartScalars((far[2], far[3]), norms[1], 0, 0)]
    accuser, voter = honest(), honest()
    if verification.gradient_is_false(said, accuser, CONFIG, tolerance.ACCUSE_FACTOR):
        assert verification.gradient_is_false(said, voter, CONFIG)
    own = [PartScalars(s.projections, s.norm, 0, 0) for s in accuser.scalars]
    assert not verification.gradient_is_false(own, voter, CONFIG)


def test_differences_of_all_parts_and_directions_add_up() -> None:
    """None of the four projections is further off than T; together they are further than 2 T."""
    parts, config = (TRUE,) * 16, replace(CONFIG, tau=100.0)
    slack = tolerance.joint_tolerance(CONFIG.epsilon, 1.0, 2)
    for off, factor, false in ((0.6, 2.0, True), (0.3, 2.0, False), (0.3, 1.0, True), (0.1, 1.0, False)):
        said = [replace(SAID, projections=(0.3 + off * slack, -0.2 - off * slack))] * 16
        assert verification.gradient_is_false(said, Recomputed(parts, 1.0), config, factor) is false
        fingerprint = replace(SAID, projections=(0.3 + off * slack, -0.2))
        assert not verification.fingerprint_is_false(fingerprint, replace(TRUE, norm=0.8), CONFIG)


def test_a_difference_in_a_clipped_part_counts_as_much_as_before_clipping() -> None:
    """A tau of a hundredth of the norm: projections are as much shorter, and so is their tolerance."""
    config = replace(CONFIG, tau=0.01)
    slack = tolerance.joint_tolerance(config.epsilon, 1.0, 2)
    true = Scalars((0.003, -0.002), 1.0, 2.0, 1.5)
    said = PartScalars((0.003, -0.002 + 0.0101 * slack), 1.0, 2.0, 1.5)
    assert verification.gradient_is_false([said], Recomputed((true,), 1.0), config)
    nearer = replace(said, projections=(0.003, -0.002 + 0.0099 * slack))
    assert not verification.gradient_is_false([nearer], Recomputed((true,), 1.0), config)


def test_a_gradient_that_counts_as_zero_is_forgiven_the_rounding_of_float64() -> None:
    """Its scalars are those of -v, summed in another order by another machine."""
    zero = Recomputed((Scalars((0.3, -0.2), 2.0, 2.0, 0.0),), 0.0)
    said = [PartScalars((0.3 + 1e-13, -0.2), 2.0 + 1e-13, 2.0, 0.0)]
    assert not verification.gradient_is_false(said, zero, CONFIG)
    assert verification.gradient_is_false([replace(said[0], norm=2.0 + 1e-6)], zero, CONFIG)
    assert verification.gradient_is_false([replace(said[0], projections=(0.3, 0.2))], zero, CONFIG)
    assert verification.gradient_is_false([replace(said[0], row=1e-6)], zero, CONFIG)


def test_a_gradient_in_another_number_of_parts_is_false() -> None:
    assert verification.gradient_is_false([SAID], Recomputed((TRUE, TRUE), 1.0), CONFIG)
    assert not verification.gradient_is_false([SAID], Recomputed((TRUE,), 1.0), CONFIG)


def test_a_gradient_that_is_false_in_one_part_is_false() -> None:
    said = [SAID, replace(SAID, norm=1.0)]
    assert verification.gradient_is_false(said, Recomputed((TRUE, TRUE), 1.0), CONFIG)


def test_a_negative_norm_hides_nothing() -> None:
    assert verification.gradient_is_false([replace(SAID, norm=-0.8)], Recomputed((TRUE,), 1.0), CONFIG)


def test_a_fingerprint_is_compared_within_the_tolerance_of_other_hardware() -> None:
    slack = tolerance.norm_tolerance(CONFIG.epsilon, 0.8)
    near, far = replace(SAID, norm=0.8 + 0.9 * slack), replace(SAID, norm=0.8 + 1.1 * slack)
    assert not verification.fingerprint_is_false(near, TRUE, CONFIG)
    assert verification.fingerprint_is_false(far, TRUE, CONFIG)
    assert verification.fingerprint_is_false(replace(SAID, projections=(0.3, 0.2)), TRUE, CONFIG)


def test_two_fingerprints_within_the_tolerance_of_one_gradient_agree() -> None:
    slack = tolerance.norm_tolerance(CONFIG.epsilon, 0.8)
    above, below = replace(SAID, norm=0.8 + slack), replace(SAID, norm=0.8 - slack)
    assert not verification.fingerprints_disagree(above, below, CONFIG)
    assert verification.fingerprints_disagree(replace(SAID, norm=0.8 + 3 * slack), below, CONFIG)


def test_a_run_of_a_larger_epsilon_forgives_more() -> None:
    said = [replace(SAID, norm=0.8 + 5e-3)]
    assert verification.gradient_is_false(said, Recomputed((TRUE,), 1.0), CONFIG)
    loose = replace(CONFIG, epsilon=1e-3)
    assert not verification.gradient_is_false(said, Recomputed((TRUE,), 1.0), loose)


@pytest.mark.parametrize("field", ["norm", "row"])
def test_a_gradient_of_another_length_is_false_whatever_its_projections(field: str) -> None:
    said = [replace(SAID, **{field: 0.1})]
    assert verification.gradient_is_false(said, Recomputed((TRUE,), 1.0), CONFIG, tolerance.ACCUSE_FACTOR)


def column(*projections: float) -> list[list[PartScalars]]:
    return [[PartScalars((p, 0.0), 0.5, 1.0, 1.0)] for p in projections]


def test_projections_that_cancel_are_those_of_a_fixed_point() -> None:
    assert not verification.aggregate_is_wrong(column(0.25, -0.5, 0.25), 0, CONFIG)
    assert verification.aggregate_is_wrong(column(0.25, -0.5, 0.26), 0, CONFIG)


def test_the_sum_is_taken_in_seat_order_without_compensation() -> None:
    # Compensated sums make this 1, which is not zero; plain ones 0. Every Python must agree.
    assert not verification.aggregate_is_wrong(column(1e16, 1.0, -1e16), 0, CONFIG)
    assert verification.aggregate_is_wrong(column(1e16, -1e16, 1.0), 0, CONFIG)


def test_one_liar_about_the_norm_of_the_aggregate_widens_no_tolerance() -> None:
    table = column(0.25, -0.5, 0.26)
    table[0][0] = replace(table[0][0], center=1e30)
    assert verification.aggregate_is_wrong(table, 0, CONFIG)


def test_an_aggregate_that_is_longer_than_most_rows_allow_is_wrong_whatever_its_sum() -> None:
    far = PartScalars((0.0, 0.0), 9.0, 10.0, 1.0)
    liar = PartScalars((0.0, 0.0), 1.0, 10.0, 10.0)
    assert verification.aggregate_is_wrong([[far], [far], [liar]], 0, CONFIG)
    assert not verification.aggregate_is_wrong([[far], [liar], [liar]], 0, CONFIG), "most rows are as long"


@pytest.mark.parametrize(
    "lie",
    [{"center": 2.0 + 1e-6}, {"norm": 4.0}, {"norm": 0.1}, {"row": 3.0}, {"row": 0.9}, {"center": 1e40}],
    ids=str,
)
def test_a_lie_that_everybody_sees_needs_no_bytes(lie: dict[str, float]) -> None:
    table = [[SAID, SAID], [SAID, replace(SAID, **lie)], [SAID, SAID]]
    assert verification.false_on_sight([[SAID, SAID]] * 3) == ()
    assert verification.false_on_sight(table) == (1,)


def test_a_minority_cannot_make_the_others_centre_a_lie() -> None:
    lies = [[replace(SAID, center=2.1, row=1.5)]] * 2
    assert verification.false_on_sight([*lies, [SAID], [SAID], [SAID]]) == (0, 1)


@pytest.mark.parametrize(("above", "suspicious"), [(2, ()), (3, (0,))])
def test_a_part_is_suspicious_where_most_report_a_great_norm(above: int, suspicious: tuple[int, ...]) -> None:
    table = [[replace(SAID, norm=9.0 if k < above else 0.5), SAID] for k in range(4)]
    assert verification.suspicious_parts(table, CONFIG) == suspicious


@pytest.mark.parametrize(("center", "suspicious"), [(1e3, ()), (1e4, (1,)), (1e12, (1,))])
def test_a_part_is_suspicious_where_its_sum_says_little(center: float, suspicious: tuple[int, ...]) -> None:
    table = [[SAID, replace(SAID, center=center, row=center)] for _ in range(4)]
    assert verification.suspicious_parts(table, CONFIG) == suspicious


def test_each_of_several_parts_has_its_share_of_tau_and_delta_max() -> None:
    """Four parts, so radii of half: what one part of one alone may be is too much."""
    assert (CONFIG.part_tau(1), CONFIG.part_tau(4), CONFIG.part_delta_max(4)) == (1.0, 0.5, 2.5)
    for norm, few in ((2.4, ()), (2.6, (0, 1, 2, 3)), (5.1, (0, 1, 2, 3))):
        far = replace(SAID, norm=norm, center=norm, row=norm)
        assert verification.suspicious_parts([[far] * 4] * 3, CONFIG) == few
        assert verification.suspicious_parts([[far]] * 3, CONFIG) == ((0,) if norm > 5 else ())
    long = replace(SAID, projections=(6.0, 0.0))
    assert verification.shape_is_wrong([long] * 4, 4, CONFIG)
    assert not verification.shape_is_wrong([long], 1, CONFIG)
    cancelling = [replace(SAID, projections=(sign * 0.1, 0.0), center=1.9) for sign in (1, -1)]
    assert verification.aggregate_is_wrong([[one] for one in cancelling], 0, CONFIG) is False
    assert verification.aggregate_is_wrong([[one] * 4 for one in cancelling], 0, CONFIG) is False
    longest = [replace(one, row=0.5, norm=1.5, center=1.45) for one in cancelling]
    assert verification.aggregate_is_wrong([[one] for one in longest], 0, CONFIG) is False
    assert verification.aggregate_is_wrong([[one] * 4 for one in longest], 0, CONFIG) is True


def test_a_tau_that_float32_cannot_resolve_is_refused_with_one_that_it_can() -> None:
    table = [[replace(SAID, norm=0.5, center=1e9, row=1e9)] for _ in range(4)]
    stop = verification.tau_too_small(table, CONFIG)
    assert stop is not None
    assert stop.startswith("tau is 1: the gradients are about 1e+09 long: use more than ")
    enough = float(stop.rsplit(" ", 1)[1])
    assert verification.tau_too_small(table, replace(CONFIG, tau=1.01 * enough)) is None
    assert verification.tau_too_small(table, replace(CONFIG, tau=enough / 10)) is not None
    four = [[row[0]] * 4 for row in table]
    assert (verification.tau_too_small(four, CONFIG) or "").split(": ")[
        1
    ] == "the gradients are about 2e+09 long"


@pytest.mark.parametrize(
    "wrong",
    [
        [SAID],
        [SAID, replace(SAID, projections=(0.1,))],
        [SAID, replace(SAID, norm=-1.0)],
        [SAID, replace(SAID, center=-1.0)],
        [SAID, replace(SAID, row=-1.0)],
        [SAID, replace(SAID, norm=2e45)],
        [SAID, replace(SAID, center=1.7e308)],
        [SAID, replace(SAID, row=1.7e308)],
        [SAID, replace(SAID, projections=(8.5, 0.0))],
    ],
    ids=["parts", "directions", "norm", "center", "row", "long", "longer", "longest", "projection"],
)
def test_scalars_that_no_honest_peer_publishes_have_the_wrong_shape(wrong: list[PartScalars]) -> None:
    assert verification.shape_is_wrong(wrong, 2, CONFIG)
    assert not verification.shape_is_wrong([SAID, SAID], 2, CONFIG)


# ---------------------------------------------------------------- anything that a float can be

edges = st.sampled_from([0.0, 5e-324, 1e-310, 1e-45, 1e-30, 1.0, 3.4e38, 2.0**150, 1.7e308])
anything = edges | edges.map(lambda x: -x) | st.floats(allow_nan=False, allow_infinity=False)
published = st.builds(PartScalars, st.tuples(anything, anything), anything, anything, anything)


@given(st.lists(published, min_size=3, max_size=3), st.sampled_from([1e-18, 1.0, 1e40]))
def test_no_published_number_is_an_exception_or_a_nan(said: list[PartScalars], tau: float) -> None:
    config = replace(CONFIG, tau=tau)
    for one in said:
        true = Scalars(one.projections, one.norm, one.center, one.row)
        for other in said:
            verification.row_is_false(other, true, tau)
            verification.gradient_is_false([other], Recomputed((true,), one.norm), config)
            verification.fingerprints_disagree(one, other, config)
    if any(verification.shape_is_wrong([one], 1, config) for one in said):
        return
    table = [[one] for one in said]
    assert math.isfinite(tolerance.zero_sum_tolerance([p.norm for p in said], tau, said[0].center))
    assert math.isfinite(tolerance.hull_bound([p.row for p in said], tau))
    assert isinstance(verification.aggregate_is_wrong(table, 0, config), bool)
    assert set(verification.suspicious_parts(table, config)) <= {0}
    stop = verification.tau_too_small(table, config)
    assert stop is None or ("nan" not in stop and "inf" not in stop)


@given(published)
def test_two_fingerprints_that_do_not_differ_do_not_disagree(said: PartScalars) -> None:
    if not verification.scalars_are_impossible(said, 2, said.norm):
        assert not verification.fingerprints_disagree(said, said, CONFIG)


@given(published, published)
def test_whatever_a_liar_publishes_of_its_row_is_false_for_a_voter_or_within_its_tolerance(
    said: PartScalars, true: PartScalars
) -> None:
    if verification.shape_is_wrong([said], 1, CONFIG) or verification.shape_is_wrong([true], 1, CONFIG):
        return
    as_true = Scalars(true.projections, true.norm, true.center, true.row)
    found = verification.row_is_false(said, as_true, TAU)
    near = [
        abs(a - b) <= 1e-9 * length + 1e-30
        for a, b, length in [
            (said.norm, true.norm, true.norm),
            (said.center, true.center, true.center),
            (said.row, true.row, true.row),
            *((a, b, min(true.norm, TAU)) for a, b in zip(said.projections, true.projections, strict=True)),
        ]
    ]
    assert found == (not all(near))
