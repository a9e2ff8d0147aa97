"""Bugs in what a record leaves: seats, accounts, pairs, the end of a run."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "strikes-uncounted",
        "btard/protocol/state.py",
        "tuple((p, self.step) for p in missed)",
        "()",
        ("tests/protocol/test_state.py::test_the_last_allowed_strike_ends_the_seat",),
    ),
    Mutant(
        "strikes-for-ever",
        "btard/protocol/state.py",
        "return step > self.step - self.config.strike_window",
        "return True",
        ("tests/protocol/test_state.py::test_strikes_are_forgotten_after_their_window",),
    ),
    Mutant(
        "complaints-are-free",
        "btard/protocol/state.py",
        "+ len(self.counterparties(peer, more)) + rows",
        "+ rows",
        (
            "tests/protocol/test_state.py::test_an_account_counts_each_end_of_a_complaint_once_and_misses_more",
        ),
    ),
    Mutant(
        "aggregator-keeps-its-part",
        "btard/protocol/state.py",
        "for peer in self.participants if peer not in latest)",
        "for peer in self.participants)",
        (
            "tests/protocol/test_state.py"
            "::test_a_complaint_takes_the_part_from_its_receiver_until_its_window_or_its_sender_ends",
        ),
    ),
    Mutant(
        "delays-uncharged",
        "btard/protocol/state.py",
        "+ rows + delayed // 1000",
        "+ rows",
        ("tests/protocol/test_pace.py::test_a_delay_is_charged_in_steps_of_the_others_time",),
    ),
    Mutant(
        "delays-unforgiven",
        "btard/protocol/state.py",
        "FORGIVEN * (record.kind == STEP)",
        "0",
        ("tests/protocol/test_pace.py::test_delays_of_several_steps_add_up_and_each_step_forgives_a_little",),
    ),
    Mutant(
        "closing-attempt-skipped",
        "btard/protocol/state.py",
        "            attempt=0,\n",
        "            attempt=0,\n            closed=self.step + 1 >= self.steps,\n",
        (
            "tests/protocol/test_state.py::test_after_the_last_step_nothing_is_aggregated_and_one_attempt_closes_the_run",
        ),
    ),
    Mutant(
        "seat-outlasts-a-leave",
        "btard/protocol/state.py",
        "for r in record.removals if r.kind in (BAN, LEAVE)}",
        "for r in record.removals if r.kind == BAN}",
        ("tests/protocol/test_state.py::test_a_ban_and_a_leave_end_the_seat_and_a_miss_ends_the_step_only",),
    ),
    Mutant(
        "miss-lasts-no-attempt",
        "btard/protocol/state.py",
        "{*common.excluded, *missed}",
        "{*common.excluded}",
        ("tests/protocol/test_state.py::test_a_ban_and_a_leave_end_the_seat_and_a_miss_ends_the_step_only",),
    ),
    Mutant(
        "pair-outlasts-its-target",
        "btard/protocol/state.py",
        "tuple(pair for pair in self.pairs if pair[1] not in gone)",
        "self.pairs",
        (
            "tests/protocol/test_state.py::test_a_pair_waits_while_nobody_is_free_to_examine_it_and_ends_with_its_target",
        ),
    ),
)
