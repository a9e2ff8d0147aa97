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
        ("tests/protocol/test_mprng.py",),
    ),
    Mutant(
        "examiners-known-before-the-coin",
        "btard/protocol/suspicion.py",
        'Draw(coin + part.to_bytes(4, "little"), "examiners")',
        'Draw(bytes(32) + part.to_bytes(4, "little"), "examiners")',
        ("tests/protocol/test_suspicion.py",),
    ),
    Mutant(
        "validators-known-before-the-coin",
        "btard/protocol/state.py",
        'Draw(coin, "validators")',
        'Draw(bytes(32), "validators")',
        ("tests/protocol/test_state.py",),
    ),
    Mutant(
        "batches-known-before-the-coin",
        "btard/protocol/state.py",
        'digest("gradient seed", coin, peer)',
        'digest("gradient seed", peer)',
        ("tests/protocol/test_state.py",),
    ),
    Mutant(
        "silence-at-the-reveal-costs-a-step",
        "btard/protocol/dispute.py",
        "if PHASES.index(REVEAL) <= PHASES.index(collecting) < PHASES.index(RECORD):",
        "if PHASES.index(REVEAL) < PHASES.index(collecting) < PHASES.index(RECORD):",
        ("tests/protocol/test_dispute.py",),
    ),
)
