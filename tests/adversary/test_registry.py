"""Adversaries by name, as people write them."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.adversary import ADVERSARIES, make_adversary, parse_adversaries, parse_adversary
from btard.adversary.gradient_attack import GradientAdversary
from btard.attacks import ALittleIsEnough, SignFlip
from btard.errors import ConfigurationError
from btard.protocol.messages import PHASES, Phase
from tests.rig import identities

ME, OTHER = identities(2)


def texts(text: str) -> list[str]:
    return [term.text for term in parse_adversaries(text)]


def test_adversaries_are_read_with_their_parameters_and_numbers() -> None:
    assert texts("sign_flip*2, silent,") == ["sign_flip", "sign_flip", "silent"]
    assert texts("alie( z=1.5, sign = 1 ) * 2,garbage(signed=false)") == [
        *("alie(z=1.5, sign=1)", "alie(z=1.5, sign=1)"),
        "garbage(signed=false)",
    ]
    assert texts("") == []


@given(st.lists(st.tuples(st.sampled_from(sorted(ADVERSARIES)), st.integers(1, 4)), max_size=5))
def test_any_list_of_kinds_is_read_as_it_is_written(kinds: list[tuple[str, int]]) -> None:
    text = ",".join(f"{kind}(period=2)*{count}" for kind, count in kinds)
    assert texts(text) == [f"{kind}(period=2)" for kind, count in kinds for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sign_flop", "'sign_flop' is not an adversary: choose of alie"),
        ("sign_flip(scales=2)", "no argument 'scales': choose of scale, start, period"),
        ("label_flip(attack=ipm)", "no argument 'attack': choose of start, period"),
        ("sign_flip(scale=big)", "give float"),
        ("sign_flip(scale=nan)", "give a finite number"),
        ("sign_flip(scale=true)", "give float"),
        ("sign_flip(start=1.5)", "give int"),
        ("sign_flip(start=-1)", "use at least 0 and 1"),
        ("sign_flip(period=0)", "use at least 0 and 1"),
        ("wrong_aggregate(shift=inf)", "give a finite number"),
        ("delayed_gradient(delay=0)", "delay"),
        ("alie(z=none)", "give float"),
        ("alie(sign=2)", "sign"),
        ("mimic(variant=mean)", "give one of row, variance"),
        ("mimic(row=-1)", "row"),
        ("optimised_alie(strength_max=0)", "strength_max"),
        ("optimised_ipm(evaluations=1)", "evaluations"),
        ("equivocation(phase=lunch)", "give one of gradient, aggregate, reveal"),
        ("silent(phase=lunch)", "give one of gradient"),
        ("garbage(phase=lunch)", "give one of gradient"),
        ("garbage(count=0)", "use 1 to 1000 messages"),
        ("false_accusation(what=everything)", "give one of row, gradient, both"),
        ("withheld_part(count=0)", "use 1 or more"),
        ("premature_dispute(phase=lunch)", "gradient"),
        ("ipm+alie", "cannot be read"),
        ("sign_flip*", "write sign_flip*2"),
        ("sign_flip*0", "write sign_flip*2"),
        ("sign_flip*99999", "write sign_flip*2"),
        ("*2", "cannot be read"),
    ],
)
def test_adversary_that_cannot_be_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_adversaries(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_adversary_takes_no_number() -> None:
    assert parse_adversary("ipm(epsilon=0.1)").arguments == {"epsilon": 0.1}
    with pytest.raises(ConfigurationError, match="write name"):
        parse_adversary("ipm*2")


def test_attack_gets_its_parameters_and_alie_without_z_computes_the_paper_s() -> None:
    flip, alie = (term.make(ME, b"") for term in parse_adversaries("sign_flip(scale=2, start=3), alie"))
    assert isinstance(flip, GradientAdversary)
    assert isinstance(alie, GradientAdversary)
    assert (flip.attack, flip.start) == (SignFlip(2), 3)
    assert alie.attack == ALittleIsEnough(z=None)


def test_term_starts_as_it_says_and_else_as_its_swarm_says() -> None:
    assert [term.starting(5).make(ME, b"").start for term in parse_adversaries("ipm, ipm(start=2)")] == [5, 2]


def test_phases_to_lie_in_are_those_of_the_protocol() -> None:
    assert get_args(Phase) == PHASES


def test_adversary_counts_itself_among_its_colluders() -> None:
    assert make_adversary("ipm", ME, b"", (OTHER.peer,)).colluders == tuple(sorted((ME.peer, OTHER.peer)))


def test_adversary_attacks_every_period_from_its_start() -> None:
    adversary = make_adversary("ipm", ME, b"", start=2, period=3)
    assert [step for step in range(12) if adversary.active(step)] == [2, 5, 8, 11]
