"""DRACO's codes in the laboratory: what s adversaries do leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btard.lab import Experiment, run

CODED = Experiment(workers=9, rule="cyclic", steps=6, batch_size=8, evaluate_every=2, learning_rate=0.3)
RULES = ("cyclic", "repetition", "repetition(tolerance=1e-5)")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("estimator", ["gradient", "clip(norm=0.5)+gradient"])
@pytest.mark.parametrize(
    "attack", ["sign_flip", "constant", "random_direction", "reversed", "nan", "alie", "label_flip"]
)
def test_training_with_adversaries_is_training_without(rule: str, attack: str, estimator: str) -> None:
    expected = run(replace(CODED, rule="mean", estimator=estimator))
    attacked = run(replace(CODED, rule=rule, byzantine=1, attack=attack, estimator=estimator))
    assert attacked.decode_errors == 0
    for one, other in zip(attacked.measurements, expected.measurements, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_without_adversaries_nobody_is_named(rule: str) -> None:
    outcome = run(replace(CODED, rule=rule, f=1))
    assert outcome.decode_errors == 0
    assert outcome.seconds.encode > 0.0


def test_more_adversaries_than_the_code_corrects_are_counted_and_their_steps_skipped() -> None:
    outcome = run(replace(CODED, byzantine=4, f=1, attack="gaussian", attack_period=2))
    assert outcome.decode_errors == 3
    undisturbed = run(replace(CODED, byzantine=2, f=1, attack="sign_flip", attack_start=99))
    assert undisturbed.decode_errors == 0


def test_attackers_who_happen_to_send_what_is_right_are_not_missed() -> None:
    """In step 0 the oldest message there is is the step's own."""
    outcome = run(replace(CODED, byzantine=1, attack="delayed_gradient(delay=2)", steps=1))
    assert outcome.decode_errors == 0
