"""Specs and outcomes that several tests share."""

from __future__ import annotations

from btard.lab import Experiment, Measurement, Outcome, Seconds

TINY = """
title = "Tiny <b>grid</b>"
description = "Two rules & two attacks."

[base]
workers = 5
byzantine = 1
steps = 3
batch_size = 4
evaluate_every = 1

[grid]
rule = ["mean", "median"]
attack = ["none", "sign_flip(scale=1)"]
seed = [0, 1, 2]

[report]
last = 2
"""
"""Twelve cells of three steps."""

TINY_CELLS = 12


def an_experiment(rule: str = "median", attack: str = "none", seed: int = 0) -> Experiment:
    """One of few steps."""
    return Experiment(
        rule=rule, attack=attack, seed=seed, workers=5, byzantine=1, steps=3, batch_size=4, evaluate_every=1
    )


def an_outcome(*accuracies: float, diverged: int | None = None, decode_errors: int = 0) -> Outcome:
    """Measurements of these accuracies in steps 0, 1, 2 ...; a second for everything."""
    measured = tuple(Measurement(step, 1.0 - value, value) for step, value in enumerate(accuracies))
    return Outcome(measured, Seconds(0.1, 0.2, 0.3, 0.4, 1.0), diverged, decode_errors)
