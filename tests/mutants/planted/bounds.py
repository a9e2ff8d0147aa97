"""Bounds of memory, sizes and answers that are not kept."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

EXPLOITS = "tests/adversary/test_exploits.py"

MUTANTS = (
    Mutant(
        "early-messages-unbounded",
        "btard/protocol/peer.py",
        "fits = self._early_count[sender] < EARLY_MAX",
        "fits = True",
        ("tests/protocol/test_peer.py::test_early_messages_of_one_sender_are_bounded_in_number",),
    ),
    Mutant(
        "messages-of-an-attempt-unbounded",
        "btard/protocol/admission.py",
        "return used[use] <= self._bound(use, now)",
        "return True",
        (
            "tests/protocol/test_admission.py::test_more_than_an_honest_sender_needs_is_a_fault_once_and_then_not_read",
        ),
    ),
    Mutant(
        "views-unbounded",
        "btard/protocol/agreement.py",
        "len(held) < VIEWS_MAX and ",
        "",
        ("tests/protocol/test_agreement.py::test_a_peer_keeps_two_views_of_one_author_at_most",),
    ),
    Mutant(
        "need-unmetered",
        "btard/protocol/requests.py",
        "self._answers[sender, request.phase, seat] >= ANSWERS_MAX or ",
        "",
        (f"{EXPLOITS}::test_a_message_that_is_asked_for_again_and_again_is_forwarded_twice",),
    ),
    Mutant(
        "want-unmetered",
        "btard/protocol/requests.py",
        "if (sender, d) not in self._served)",
        ")",
        (f"{EXPLOITS}::test_a_wanted_blob_is_pushed_once",),
    ),
    Mutant(
        "blobs-for-everybody",
        "btard/protocol/requests.py",
        "for peer in self._wants[name] if name in due[peer])",
        "for peer in self._wants[name])",
        ("tests/protocol/test_peer.py::test_blobs_that_nobody_is_owed_are_not_pushed",),
    ),
    Mutant(
        "quota-ignored",
        "btard/training/store.py",
        "return self._size_bytes + size_bytes <= self._capacity_bytes",
        "return True",
        ("tests/training/test_store.py::test_a_full_store_has_no_room_for_others_and_stops_no_own_work",),
    ),
    Mutant(
        "size-of-an-offer-unchecked",
        "btard/node/driver.py",
        "fits = size_bytes <= self.machine.part_bytes_max and ",
        "fits = ",
        ("tests/node/test_node.py::test_a_blob_of_more_than_a_part_or_of_broken_floats_is_refused",),
    ),
    Mutant(
        "unannounced-blobs-unbounded",
        "btard/node/driver.py",
        "if self._early[sender] > EARLY_PARTS:",
        "if False:",
        ("tests/node/test_node.py::test_of_blobs_that_nothing_announced_a_few_are_taken_from_each_sender",),
    ),
    Mutant(
        "part-of-a-wrong-size",
        "btard/protocol/blobs.py",
        "return self._size_bytes.get(name) == self.part_bytes(part, parts)",
        "return self.holds(name)",
        ("tests/protocol/test_blobs.py::test_a_blob_fits_the_parts_of_exactly_its_size",),
    ),
    Mutant(
        "slot-of-any-size",
        "btard/protocol/broadcast.py",
        " > size_max(envelope.phase, len(state.members), state.config.directions):",
        " > 2**40:",
        ("tests/protocol/test_broadcast.py::test_more_bytes_than_an_honest_message_needs_get_no_slot",),
    ),
    Mutant(
        "calls-of-every-dispute-kept",
        "btard/protocol/calls.py",
        "call.dispute in (self._dispute, self._dispute + 1)",
        "call.dispute >= self._dispute",
        ("tests/protocol/test_calls.py::test_calls_for_disputes_further_on_are_not_kept",),
    ),
    Mutant(
        "sequences-of-any-length",
        "btard/wire/fields.py",
        "if len(values) > most:",
        "if False:",
        ("tests/wire/test_hostile_bytes.py::test_hostile_bytes_are_refused_for_what_is_wrong",),
    ),
    Mutant(
        "floats-that-are-not-finite",
        "btard/wire/fields.py",
        "if not math.isfinite(value):",
        "if False:",
        ("tests/wire/test_hostile_bytes.py::test_hostile_bytes_are_refused_for_what_is_wrong",),
    ),
    Mutant(
        "view-of-any-phases",
        "btard/protocol/view.py",
        "return len(later) <= 1 and all(",
        "return all(",
        (
            "tests/protocol/test_dispute.py::test_a_view_that_no_honest_peer_signs_proves_nothing_and_costs_its_author_the_step",
        ),
    ),
)
