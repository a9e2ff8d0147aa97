"""Bugs in the coin, and in what is drawn by it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "reveals-unchecked",
        "btard/protocol/rules.py",
        "bans = dict.fromkeys(false, Cause.FALSE_REVEAL)",
        "bans: dict[int, Cause] = {}",
        ("tests/protocol/test_rules.py::test_a_false_reveal_is_banned_and_a_withheld_aggregate_leaves",),
    ),
    Mutant(
        "share-without-its-author",
        "btard/protocol/mprng.py",
        "commit(DOMAIN, peer + value, salt)",
        "commit(DOMAIN, value, salt)",
        ("tests/protocol/test_mprng.py::test_nobody_can_repeat_another_peers_commitment_and_reveal",),
        more=(("peer + reveal.share", "reveal.share"),),
    ),
    Mutant(
        "share-derived-from-the-key",
        "btard/protocol/duties.py",
        "mprng.share(secret, state.place)",
        "mprng.share(identity.seed, state.place)",
        ("tests/protocol/test_secrets.py::test_the_share_of_the_coin_is_that_of_the_secret",),
    ),
    Mutant(
        "share-of-every-attempt-the-same",
        "btard/protocol/mprng.py",
        'digest("own share", secret, place)',
        'digest("own share", secret, place[:40])',
        (
            "tests/protocol/test_mprng.py::test_a_peer_draws_another_share_and_another_salt_in_every_attempt_of_every_run",
        ),
    ),
    Mutant(
        "coin-of-the-last-share",
        "btard/protocol/mprng.py",
        "coin ^= int.from_bytes",
        "coin = int.from_bytes",
        ("tests/protocol/test_mprng.py::test_any_changed_share_changes_the_coin",),
    ),
    Mutant(
        "examiners-known-before-the-coin",
        "btard/protocol/suspicion.py",
        'Draw(coin + part.to_bytes(4, "little"), "examiners")',
        'Draw(bytes(32) + part.to_bytes(4, "little"), "examiners")',
        (
            "tests/protocol/test_suspicion.py::test_examiners_are_as_many_as_the_run_says_and_never_the_aggregator",
        ),
    ),
    Mutant(
        "validators-known-before-the-coin",
        "btard/protocol/state.py",
        'Draw(coin, "validators")',
        'Draw(bytes(32), "validators")',
        ("tests/protocol/test_state.py::test_every_peer_is_drawn_as_target_as_often_as_any_other",),
    ),
    Mutant(
        "batches-known-before-the-coin",
        "btard/protocol/state.py",
        'digest("gradient seed", coin, peer)',
        'digest("gradient seed", peer)',
        ("tests/protocol/test_state.py::test_seeds_and_rosters_differ_where_anything_does",),
    ),
    Mutant(
        "silence-at-the-reveal-costs-a-step",
        "btard/protocol/dispute.py",
        "if PHASES.index(REVEAL) <= PHASES.index(collecting) < PHASES.index(RECORD):",
        "if PHASES.index(REVEAL) < PHASES.index(collecting) < PHASES.index(RECORD):",
        (
            "tests/protocol/test_dispute.py::test_whoever_gives_no_view_misses_the_step_or_leaves_once_it_saw_the_coin",
        ),
    ),
)
