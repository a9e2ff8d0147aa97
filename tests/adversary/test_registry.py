"""Adversaries by name."""

from __future__ import annotations

from typing import Any

import pytest

from btard.adversary import ADVERSARIES, make_adversary, parameters
from btard.errors import ConfigurationError
from tests.adversary.swarm import identities

ME, OTHER = identities(2)


def test_unknown_kind_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigurationError, match=r"no adversary 'sign_flop'.*sign_flip"):
        make_adversary("sign_flop", ME, b"")


def test_unknown_parameter_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigurationError, match="no parameter 'scales': it takes period, scale, start"):
        make_adversary("sign_flip", ME, b"", scales=2.0)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("sign_flip", {"scale": "big"}),
        ("sign_flip", {"scale": float("nan")}),
        ("sign_flip", {"scale": True}),
        ("sign_flip", {"start": 1.5}),
        ("sign_flip", {"start": -1}),
        ("sign_flip", {"period": 0}),
        ("delayed_gradient", {"delay": 0}),
        ("alie", {"sign": 2}),
        ("mimic", {"variant": "mean"}),
        ("mimic", {"row": -1}),
        ("optimised_alie", {"strength_max": 0}),
        ("optimised_ipm", {"evaluations": 1}),
        ("equivocation", {"phase": "lunch"}),
        ("silent", {"phase": "lunch"}),
        ("false_accusation", {"what": "everything"}),
        ("garbage", {"phase": "lunch"}),
        ("garbage", {"count": 0}),
        ("withheld_part", {"count": 0}),
    ],
)
def test_value_that_cannot_be_is_refused(kind: str, params: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make_adversary(kind, ME, b"", **params)


def test_whole_number_is_taken_where_a_number_is_wanted() -> None:
    assert make_adversary("sign_flip", ME, b"", scale=2).scale == 2


@pytest.mark.parametrize("kind", ADVERSARIES)
def test_every_kind_has_a_start_a_period_and_a_text(kind: str) -> None:
    assert {"start": int, "period": int}.items() <= parameters(kind).items()
    assert ADVERSARIES[kind].__doc__


def test_adversary_counts_itself_among_its_colluders() -> None:
    assert make_adversary("ipm", ME, b"", (OTHER.peer,)).colluders == tuple(sorted((ME.peer, OTHER.peer)))


def test_adversary_attacks_every_period_from_its_start() -> None:
    adversary = make_adversary("ipm", ME, b"", start=2, period=3)
    assert [step for step in range(12) if adversary.active(step)] == [2, 5, 8, 11]
