"""Checks of numbers, accusations and examinations that are left out or too lenient."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OUTCOME = "tests/adversary/test_outcomes.py::test_adversary_meets_its_end_and_training_goes_on"
EXPLOITS = "tests/adversary/test_exploits.py"

MUTANTS = (
    Mutant(
        "part-0-unchecked",
        "btard/protocol/rules.py",
        "if verification.aggregate_is_wrong(_table(sets), part, seating.state.config)",
        "if part and verification.aggregate_is_wrong(_table(sets), part, seating.state.config)",
        (
            "tests/protocol/test_rules.py::test_a_part_whose_projections_do_not_cancel_bans_its_aggregator_without_a_vote",
        ),
    ),
    Mutant(
        "one-direction-unchecked",
        "btard/protocol/verification.py",
        "> slack for k in range(config.directions))",
        "> slack for k in range(1, config.directions))",
        ("tests/protocol/test_verification.py::test_projections_that_cancel_are_those_of_a_fixed_point",),
    ),
    Mutant(
        "slack-grows-with-the-aggregate",
        "btard/protocol/tolerance.py",
        "math.fsum(contraction(norm, tau) for norm in norms)",
        "len(norms)",
        ("tests/protocol/test_tolerance.py::test_a_huge_aggregate_earns_no_slack_and_is_wrong",),
    ),
    Mutant(
        "every-part-has-all-of-tau",
        "btard/protocol/constants.py",
        "return self.tau / math.sqrt(parts)",
        "return self.tau",
        (
            "tests/protocol/test_verification.py::test_each_of_several_parts_has_its_share_of_tau_and_delta_max",
        ),
    ),
    Mutant(
        "hull-unchecked",
        "btard/protocol/verification.py",
        "if _center(column) > tolerance.hull_bound([entry.row for entry in column], tau):",
        "if False:",
        (
            "tests/protocol/test_verification.py"
            "::test_an_aggregate_that_is_longer_than_most_rows_allow_is_wrong_whatever_its_sum",
        ),
    ),
    Mutant(
        "projections-unbounded",
        "btard/protocol/verification.py",
        "> PROJECTION_DEVIATIONS * length + tolerance.FLOOR",
        "> float('inf')",
        (
            "tests/protocol/test_verification.py::test_scalars_that_no_honest_peer_publishes_have_the_wrong_shape",
        ),
    ),
    Mutant(
        "false-on-sight-unseen",
        "btard/protocol/rules.py",
        "Cause.FALSE_SCALARS)) if false else ACCUSE",
        "Cause.FALSE_SCALARS)) if False else ACCUSE",
        ("tests/protocol/test_suspicion.py::test_a_lie_that_everybody_sees_ends_the_attempt_at_the_scalars",),
    ),
    Mutant(
        "row-norm-unchecked",
        "btard/protocol/verification.py",
        "or abs(published.norm - true.norm) > factor * tolerance.same_bytes_tolerance(true.norm)",
        "",
        ("tests/protocol/test_verification.py::test_the_scalars_of_anything_else_are_false",),
    ),
    Mutant(
        "slack-of-a-row-is-of-its-norm",
        "btard/protocol/verification.py",
        "tolerance.same_bytes_tolerance(min(true.norm, tau))",
        "tolerance.same_bytes_tolerance(true.norm)",
        ("tests/protocol/test_verification.py::test_a_row_far_away_earns_no_slack_for_its_projections",),
    ),
    Mutant(
        "clipped-parts-count-less",
        "btard/protocol/verification.py",
        "stretch = 1.0 if least <= tau else least / tau",
        "stretch = 1.0",
        (
            "tests/protocol/test_verification.py"
            "::test_a_difference_in_a_clipped_part_counts_as_much_as_before_clipping",
        ),
    ),
    Mutant(
        "each-projection-alone",
        "btard/protocol/verification.py",
        "return math.hypot(*differences)",
        "return max(map(abs, differences))",
        ("tests/protocol/test_verification.py::test_differences_of_all_parts_and_directions_add_up",),
    ),
    Mutant(
        "accuser-as-strict-as-a-voter",
        "btard/protocol/tolerance.py",
        "ACCUSE_FACTOR = 2.0",
        "ACCUSE_FACTOR = 1.0",
        ("tests/protocol/test_verification.py::test_what_an_accuser_sees_every_honest_voter_sees",),
    ),
    Mutant(
        "validators-never-accuse",
        "btard/protocol/examination.py",
        "found.append(messages.Accusation(accusation.GRADIENT, target, 0))",
        "pass",
        (f"{OUTCOME}[sign_flip]",),
    ),
    Mutant(
        "aggregators-never-accuse",
        "btard/protocol/examination.py",
        "for part in (*([] if own is None else [own]), *examined)}",
        "for part in examined}",
        (f"{OUTCOME}[misreported_projection]",),
    ),
    Mutant(
        "examiners-never-look",
        "btard/protocol/examination.py",
        "if self._me in bench",
        "if False",
        (
            "tests/adversary/test_aggregates.py::test_an_examiner_bans_a_contributor_that_its_aggregator_does_not_accuse",
        ),
    ),
    Mutant(
        "absent-targets-unjudged",
        "btard/protocol/agreed.py",
        "return (*self.state.participants, *self.state.excluded)",
        "return self.state.participants",
        (f"{EXPLOITS}::test_a_target_that_is_silent_in_its_examination_is_banned_in_its_absence",),
    ),
    Mutant(
        "no-substitutes",
        "btard/protocol/state.py",
        "return peer if peer in self.participants else next(order, peer)",
        "return peer",
        (
            "tests/protocol/test_state.py"
            "::test_a_silent_validator_is_replaced_and_a_silent_target_is_examined_all_the_same",
        ),
    ),
    Mutant(
        "fingerprints-never-compared",
        "btard/protocol/accusation.py",
        "found.append(Case(FINGERPRINT, validator, target))",
        "pass",
        (f"{OUTCOME}[lazy_validator]",),
    ),
    Mutant(
        "accusation-without-standing",
        "btard/protocol/accusation.py",
        "or any(a.target == seat or not has_standing(seat, a) for a in said.accusations)",
        "",
        ("tests/protocol/test_accusation.py::test_whoever_accuses_without_standing_is_found",),
    ),
)
