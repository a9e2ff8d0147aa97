"""Attacks named in text."""

from __future__ import annotations

import pytest

from btard.attacks import ATTACKS, Attack, DelayedGradient, Mimic, OptimisedInnerProductManipulation, parse
from btard.attacks import ALittleIsEnough as Alie
from btard.errors import ConfigurationError


@pytest.mark.parametrize("name", ATTACKS)
def test_every_name_gives_its_attack_with_default_arguments(name: str) -> None:
    assert parse(name) == ATTACKS[name]()


@pytest.mark.parametrize(
    ("text", "attack"),
    [
        ("alie(z=1.5)", Alie(z=1.5)),
        ("alie(sign=1)", Alie(sign=1)),
        ("delayed_gradient(delay=10)", DelayedGradient(delay=10)),
        ("mimic(row=3)", Mimic(row=3)),
        ("mimic(variant=variance)", Mimic(variant="variance")),
        (
            "optimised_ipm(strength_max=10, evaluations=7)",
            OptimisedInnerProductManipulation(strength_max=10, evaluations=7),
        ),
    ],
)
def test_arguments_are_written_behind_the_name(text: str, attack: Attack) -> None:
    assert parse(text) == attack


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("none", "'none' is not an attack: choose of alie"),
        ("alie+ipm", "cannot be read"),
        ("alie(y=1)", "no argument 'y': choose of z, sign"),
        ("label_flip(y=1)", "it takes none"),
        ("ipm(epsilon=nan)", "finite"),
        ("alie(sign=0)", "use -1 or 1"),
        ("alie(z=nan)", "finite"),
        ("sign_flip(scale=inf)", "finite"),
        ("delayed_gradient(delay=0)", "at least 1"),
        ("mimic(row=-1)", "counted from 0"),
        ("mimic(variant=best)", "wrong type"),
        ("optimised_alie(evaluations=1)", "at least 2"),
        ("optimised_alie(strength_max=0)", "above 0"),
    ],
)
def test_what_is_no_attack_is_refused_with_what_there_is(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        parse(text)
