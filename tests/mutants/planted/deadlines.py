"""Deadlines that nobody keeps."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OUTCOME = "tests/adversary/test_outcomes.py::test_adversary_meets_its_end_and_training_goes_on"

MUTANTS = (
    Mutant(
        "hard-deadline-ignored",
        "btard/protocol/clock.py",
        "return self._passed > CALLS_FROM",
        "return False",
        (f"{OUTCOME}[silent-phase=gradient]",),
    ),
    Mutant(
        "soft-deadline-ignored",
        "btard/protocol/duties.py",
        "return replace(nothing, missing=missing) if complains else None",
        "return None",
        (f"{OUTCOME}[withheld_part]",),
    ),
    Mutant(
        "complains-of-all-that-are-behind",
        "btard/protocol/duties.py",
        "self._early |= due is Due.LATE and len(missing) > self._state.tolerated",
        "self._early = False",
        (
            "tests/adversary/test_exploits.py::"
            "test_a_gradient_told_to_one_peer_alone_does_not_make_it_complain_of_everybody",
        ),
    ),
    Mutant(
        "early-question-unasked",
        "btard/protocol/clock.py",
        "for deadline in (self._early, self.soft, self.overdue))",
        "for deadline in (self.soft, self.soft, self.overdue))",
        (
            "tests/protocol/test_clock.py::test_what_is_lacking_is_asked_for_early_and_reported_at_the_soft_deadline",
        ),
    ),
    Mutant(
        "patience-unlimited",
        "btard/protocol/state.py",
        "return min(most, max(LATE_FACTOR * usual, LATE_FLOOR * config.delta_s) + work)",
        "return most",
        ("tests/protocol/test_pace.py::test_deadlines_follow_what_phases_take",),
    ),
    Mutant(
        "patience-beyond-the-description",
        "btard/protocol/state.py",
        "return min(self.config.phase_s, self.config.patience * usual",
        "return max(0.0, self.config.patience * usual",
        ("tests/protocol/test_pace.py::test_no_pace_extends_the_limits_of_the_description",),
    ),
    Mutant(
        "lateness-unseen",
        "btard/protocol/pace.py",
        "self._late[seat] += max(0.0, seconds - self._patience * allowance - self._hop_s)",
        "self._late[seat] += 0.0",
        ("tests/protocol/test_pace.py::test_an_aggregator_may_have_waited_for_a_part",),
    ),
    Mutant(
        "delay-in-a-dispute-unseen",
        "btard/protocol/pace.py",
        "self._held_up[phase, seat] = self._held_up.get((phase, seat), 0.0) + seconds",
        "pass",
        ("tests/protocol/test_pace.py::test_who_had_not_spoken_before_a_dispute_is_late_by_all_of_it",),
    ),
    Mutant(
        "view-after-the-last-round",
        "btard/protocol/agreement.py",
        " and now <= self.deadline",
        "",
        ("tests/protocol/test_agreement.py::test_a_late_view_needs_the_signatures_of_its_round",),
    ),
    Mutant(
        "rows-awaited-for-ever",
        "btard/protocol/examination.py",
        "or (lacking and not late)",
        "or lacking",
        (
            "tests/adversary/test_aggregates.py::test_rows_that_are_kept_from_their_examiners_end_the_attempt_and_no_seat",
        ),
    ),
    Mutant(
        "endorsement-said-once",
        "btard/protocol/slow_path.py",
        "out = self._to_all(*self._said)",
        "pass",
        (
            "tests/protocol/test_endorsements.py::test_an_endorsement_is_sent_again_a_few_times_while_too_few_answer",
        ),
    ),
)
