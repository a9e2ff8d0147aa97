"""Bugs in the audit of a ledger, and in what guards the door."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FALSE = "tests/protocol/test_ledger.py::test_a_false_record_is_refused_even_if_everybody_signed_it"

MUTANTS = (
    Mutant(
        "chain-of-records-unchecked",
        "btard/protocol/ledger.py",
        '("does not follow the record before it", record.previous, state.head),',
        "",
        (FALSE,),
    ),
    Mutant(
        "record-of-another-run",
        "btard/protocol/ledger.py",
        '("is of another run", record.run, state.run),',
        "",
        (FALSE,),
    ),
    Mutant(
        "signer-counts-twice",
        "btard/protocol/ledger.py",
        "if len(set(signers)) < len(signers):",
        "if False:",
        ("tests/protocol/test_ledger.py::test_a_signature_counts_once",),
    ),
    Mutant(
        "votes-for-anything",
        "btard/protocol/ledger.py",
        "if post.payload.record != self._record.digest:",
        "if False:",
        ("tests/protocol/test_ledger.py::test_votes_for_another_record_do_not_certify_this_one",),
    ),
    Mutant(
        "coin-of-a-record-unchecked",
        "btard/protocol/ledger.py",
        "if agreed.coin != self._record.coin:",
        "if False:",
        (FALSE,),
    ),
    Mutant(
        "chain-of-bytes-unchecked",
        "btard/ledger/reader.py",
        "if link != _link(self.head, payload):",
        "if False:",
        ("tests/ledger/test_file.py::test_any_flipped_bit_is_found_and_its_record_named",),
    ),
    Mutant(
        "allowance-off",
        "btard/network/allowance.py",
        "if own.level_s > 0 or ",
        "if True or ",
        ("tests/network/test_allowance.py::test_sender_waits_until_its_debt_is_paid_and_then_is_read_again",),
    ),
    Mutant(
        "strangers-of-one-address-unbounded",
        "btard/network/strangers.py",
        "if present >= self._per_block:",
        "if False:",
        (
            "tests/network/test_strangers.py::test_an_address_gets_no_more_places_than_its_own_and_gets_them_back",
        ),
    ),
    Mutant(
        "blobs-of-who-was-banned",
        "btard/node/node.py",
        "if sender not in self.machine.state.members:",
        "if False:",
        ("tests/node/test_door.py::test_peer_that_has_lost_its_seat_may_ask_for_a_moment",),
    ),
)
