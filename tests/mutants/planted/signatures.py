"""Bugs in what a signature or a commitment proves."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "envelope-unverified",
        "btard/wire/envelope.py",
        "if not verify(sender, claim.digest, claim.signature):",
        "if False:",
        (
            "tests/wire/test_envelope.py::test_every_changed_byte_of_a_sealed_envelope_is_noticed",
            "tests/protocol/test_peer.py::test_a_forged_signature_is_counted_and_takes_no_slot",
        ),
    ),
    Mutant(
        "small-order-keys-accepted",
        "btard/crypto/identity.py",
        " or bytes(peer) in SMALL_ORDER_KEYS:",
        ":",
        ("tests/crypto/test_identity.py::test_a_key_under_which_one_signature_fits_all_messages_is_refused",),
    ),
    Mutant(
        "relay-unverified",
        "btard/protocol/agreement.py",
        "verify(self._participants[seat], self._statement(view), signature)",
        "bool(signature)",
        ("tests/protocol/test_agreement.py::test_a_forged_relay_changes_nothing",),
    ),
    Mutant(
        "relay-names-no-dispute",
        "btard/protocol/agreement.py",
        'digest("view relay", self._place, view.digest)',
        'digest("view relay", view.digest)',
        ("tests/protocol/test_agreement.py::test_a_relay_of_one_dispute_is_of_no_use_in_another",),
    ),
    Mutant(
        "relay-signer-counts-twice",
        "btard/protocol/agreement.py",
        "len(signers) == len(relay.signatures) == len(set(signers))",
        "len(signers) == len(relay.signatures)",
        ("tests/protocol/test_agreement.py::test_a_forged_relay_changes_nothing",),
    ),
    Mutant(
        "author-relays-its-own-view",
        "btard/protocol/agreement.py",
        "and author not in signers",
        "",
        ("tests/protocol/test_agreement.py::test_a_forged_relay_changes_nothing",),
    ),
    Mutant(
        "endorsement-of-another-place",
        "btard/protocol/slow_path.py",
        "if seat is None or not is_at(sealed, self._seating.place(ENDORSE)):",
        "if seat is None:",
        ("tests/protocol/test_endorsements.py::test_an_endorsement_of_another_place_does_not_count",),
    ),
    Mutant(
        "endorsement-of-another-chain",
        "btard/protocol/slow_path.py",
        " or record.previous != self._state.head",
        "",
        ("tests/protocol/test_endorsements.py::test_a_record_that_does_not_follow_binds_nobody",),
    ),
    Mutant(
        "call-of-another-attempt",
        "btard/protocol/calls.py",
        "if seat is None or not is_at(",
        "if seat is None or False and is_at(",
        ("tests/protocol/test_calls.py::test_what_is_no_call_of_the_attempt_is_refused",),
    ),
    Mutant(
        "message-of-another-roster",
        "btard/protocol/broadcast.py",
        "if envelope.roster != self._roster:",
        "if False:",
        ("tests/protocol/test_broadcast.py::test_a_message_of_another_place_gets_no_slot",),
    ),
    Mutant(
        "second-message-is-no-conflict",
        "btard/protocol/broadcast.py",
        "self.conflicts.setdefault((phase, post.seat), (first, post))",
        "pass",
        (
            "tests/protocol/test_broadcast.py"
            "::test_a_second_message_in_a_slot_is_kept_as_evidence_and_a_third_is_not",
            "tests/adversary/test_outcomes.py::test_adversary_meets_its_end_and_training_goes_on"
            "[equivocation-phase=reveal]",
        ),
    ),
    Mutant(
        "vote-log-unwritten",
        "btard/node/votes.py",
        "if messages and place > self._last:",
        "if False:",
        (
            "tests/node/test_votes.py"
            "::test_a_process_speaks_as_often_as_it_likes_and_its_successor_only_in_later_attempts",
        ),
    ),
    Mutant(
        "vote-log-forgets-its-last-attempt",
        "btard/node/votes.py",
        "(said.step, said.attempt) <= self.before",
        "(said.step, said.attempt) < self.before",
        (
            "tests/node/test_votes.py"
            "::test_a_process_speaks_as_often_as_it_likes_and_its_successor_only_in_later_attempts",
        ),
    ),
    Mutant(
        "fingerprint-unopened",
        "btard/protocol/rules.py",
        "dict.fromkeys(false, Cause.FALSE_REVEAL) | dict.fromkeys(wrong, Cause.WRONG_AGGREGATE)",
        "dict.fromkeys(wrong, Cause.WRONG_AGGREGATE)",
        ("tests/protocol/test_rules.py::test_a_fingerprint_that_is_not_opened_is_a_false_reveal",),
    ),
)
