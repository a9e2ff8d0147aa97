"""Majorities, thresholds and numbers of rounds that are off by one."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "half-of-the-votes-ban",
        "btard/protocol/accusation.py",
        "guilty.items() if 2 * count > len(votes)):",
        "guilty.items() if 2 * count >= len(votes)):",
        ("tests/protocol/test_accusation.py::test_every_accusation_ends_a_seat",),
    ),
    Mutant(
        "half-of-the-peers-name-a-silent-one",
        "btard/protocol/rules.py",
        "if 2 * named > len(seating.participants)]",
        "if 2 * named >= len(seating.participants)]",
        ("tests/protocol/test_halves.py::test_half_of_the_peers_name_nobody",),
    ),
    Mutant(
        "half-of-the-peers-hold-an-aggregate",
        "btard/protocol/butterfly.py",
        "if 2 * count[part] <= len(reveals))",
        "if 2 * count[part] < len(reveals))",
        ("tests/protocol/test_butterfly.py::test_half_is_no_majority_and_naming_a_seat_twice_counts_once",),
    ),
    Mutant(
        "half-of-the-peers-have-a-public-row",
        "btard/protocol/butterfly.py",
        "if 2 * lacking >= len(commitments))",
        "if 2 * lacking > len(commitments))",
        ("tests/protocol/test_halves.py::test_a_row_that_half_of_the_peers_lack_is_withheld",),
    ),
    Mutant(
        "liars-and-a-broken-link-cut-a-peer-off",
        "btard/protocol/butterfly.py",
        "if len(them) > tolerated + 1}",
        "if len(them) > tolerated}",
        (
            "tests/protocol/test_butterfly.py::test_whoever_lacks_the_parts_of_a_majority_is_cut_off_and_they_are_not_charged",
        ),
    ),
    Mutant(
        "half-of-the-peers-remove-the-missing",
        "btard/protocol/dispute.py",
        "return 2 * len(others_than) < len(seating.participants)",
        "return 2 * len(others_than) <= len(seating.participants)",
        ("tests/protocol/test_halves.py::test_half_of_the_peers_remove_nobody_for_a_view_that_is_missing",),
    ),
    Mutant(
        "half-of-the-votes-are-final",
        "btard/protocol/dispute.py",
        "if 2 * len(voters) <= len(seating.participants):",
        "if 2 * len(voters) < len(seating.participants):",
        ("tests/protocol/test_halves.py::test_half_of_the_votes_make_no_record_final",),
    ),
    Mutant(
        "half-of-the-endorsements-bind",
        "btard/protocol/slow_path.py",
        "if 2 * len(same) <= len(self._seating.participants):",
        "if 2 * len(same) < len(self._seating.participants):",
        ("tests/protocol/test_endorsements.py::test_half_of_an_even_number_of_participants_bind_nobody",),
    ),
    Mutant(
        "half-of-the-signatures-certify",
        "btard/protocol/ledger.py",
        "if 2 * len(signers) <= len(self._peers):",
        "if 2 * len(signers) < len(self._peers):",
        ("tests/protocol/test_halves.py::test_the_signatures_of_half_of_the_peers_certify_nothing",),
    ),
    Mutant(
        "half-of-the-peers-say-who-is-late",
        "btard/protocol/pace.py",
        "needed = voters // 2",
        "needed = voters // 2 - 1",
        ("tests/protocol/test_pace.py::test_half_do_not_make_a_peer_late",),
    ),
    Mutant(
        "half-of-the-peers-say-how-long-a-phase-took",
        "btard/protocol/pace.py",
        "if 2 * len(took) <= len(said):",
        "if 2 * len(took) < len(said):",
        ("tests/protocol/test_pace.py::test_half_do_not_say_how_long_a_phase_took",),
    ),
    Mutant(
        "half-of-the-members-are-a-majority",
        "btard/protocol/state.py",
        "return 2 * len(self.participants) > len(self.members)",
        "return 2 * len(self.participants) >= len(self.members)",
        ("tests/protocol/test_halves.py::test_half_of_the_members_do_not_go_on",),
    ),
    Mutant(
        "half-of-a-bench-lacks-rows",
        "btard/protocol/suspicion.py",
        "for seat in bench) > len(bench)",
        "for seat in bench) >= len(bench)",
        ("tests/protocol/test_halves.py::test_rows_that_half_of_the_examiners_lack_relieve_nobody",),
    ),
    Mutant(
        "half-of-the-norms-make-a-part-suspicious",
        "btard/protocol/verification.py",
        "return 2 * above > len(column)",
        "return 2 * above >= len(column)",
        ("tests/protocol/test_halves.py::test_norms_that_half_of_the_peers_report_make_no_part_suspicious",),
    ),
    Mutant(
        "as-many-calls-as-liars-begin-a-dispute",
        "btard/protocol/calls.py",
        "tolerated(len(seating.participants)) + 1",
        "tolerated(len(seating.participants))",
        ("tests/protocol/test_calls.py::test_calls_of_one_more_than_the_largest_minority_begin_a_dispute",),
    ),
    Mutant(
        "one-round-too-few",
        "btard/protocol/agreement.py",
        "self._rounds = faults + 1",
        "self._rounds = faults",
        (
            "tests/protocol/test_agreement.py"
            "::test_the_agreement_lasts_one_round_more_than_there_may_be_byzantine_peers",
        ),
    ),
    Mutant(
        "one-signature-too-few",
        "btard/protocol/agreement.py",
        "len(signers) >= min(current, self._rounds - 1)",
        "len(signers) >= min(current - 1, self._rounds - 1)",
        ("tests/protocol/test_agreement.py::test_a_late_view_needs_the_signatures_of_its_round",),
    ),
    Mutant(
        "half-are-tolerated",
        "btard/protocol/constants.py",
        "return (peers - 1) // 2",
        "return peers // 2",
        ("tests/protocol/test_halves.py::test_fewer_than_half_are_tolerated",),
    ),
)
