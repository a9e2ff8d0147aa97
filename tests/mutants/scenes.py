"""Adversaries that give the simulator a chance to meet a planted bug; drawn ones do for the others."""

from __future__ import annotations

from collections.abc import Mapping

CHEATS: Mapping[str, tuple[str, ...]] = {
    "dispute_each_phase*2": ("half-are-tolerated", "as-many-calls-as-liars-begin-a-dispute"),
    "dodge*2": ("absent-targets-unjudged", "no-substitutes"),
    "equivocation*2": ("second-message-is-no-conflict",),
    "false_offer*2": ("quota-ignored", "size-of-an-offer-unchecked", "unannounced-blobs-unbounded"),
    "false_reveal*2": ("reveals-unchecked", "share-without-its-author"),
    "flood*2": (
        "early-messages-unbounded",
        "messages-of-an-attempt-unbounded",
        "need-unmetered",
        "want-unmetered",
        "calls-of-every-dispute-kept",
    ),
    "garbage*2": ("slot-of-any-size", "sequences-of-any-length", "floats-that-are-not-finite"),
    "late*2": ("delays-uncharged", "lateness-unseen", "patience-unlimited"),
    "late_publisher*2": ("delay-in-a-dispute-unseen",),
    "lazy_validator*2": ("fingerprints-never-compared", "fingerprint-unopened"),
    "liar*2": (
        "part-of-a-wrong-size",
        "false-on-sight-unseen",
        "accusation-without-standing",
        "projections-unbounded",
        "row-norm-unchecked",
    ),
    "misreported_projection*2": ("aggregators-never-accuse",),
    "selective*2": (
        "early-question-unasked",
        "complaints-are-free",
        "aggregator-keeps-its-part",
        "liars-and-a-broken-link-cut-a-peer-off",
        "half-of-the-peers-hold-an-aggregate",
    ),
    "sign_flip*2": ("validators-never-accuse", "closing-attempt-skipped", "pair-outlasts-its-target"),
    "silent*2": (
        "hard-deadline-ignored",
        "strikes-uncounted",
        "miss-lasts-no-attempt",
        "endorsement-said-once",
    ),
    "views_only*2": (
        "relay-unverified",
        "views-unbounded",
        "one-round-too-few",
        "one-signature-too-few",
        "view-of-any-phases",
        "view-after-the-last-round",
    ),
    "withheld_part*2": ("soft-deadline-ignored",),
    "withheld_reveal*2": ("silence-at-the-reveal-costs-a-step", "seat-outlasts-a-leave"),
    "wrong_aggregate*2": ("part-0-unchecked", "one-direction-unchecked", "hull-unchecked"),
}
"""Names of planted bugs by the adversaries that may use them."""

CHEATS_OF: Mapping[str, str] = {name: cheats for cheats, names in CHEATS.items() for name in names}
"""The adversaries of each planted bug that has some."""
