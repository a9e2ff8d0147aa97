"""Named things with arguments, as people write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from btard.errors import ConfigurationError
from btard.terms import Term, make, parse_term, parse_terms


@dataclass(frozen=True, kw_only=True)
class Cake:
    eggs: int = 2
    sugar: float = 0.5
    icing: Literal["none", "lemon"] = "none"
    layers: int | None = None
    vegan: bool = False
    baker: str = "nobody"


KITCHEN = {"cake": Cake}


def cake(text: str) -> Cake:
    return make(parse_term(text), KITCHEN, "a dish")


def test_terms_are_separated_by_plus_and_carry_typed_arguments() -> None:
    assert parse_terms(" nnm + bucketing(s=2, seed=7)+mean") == (
        Term("nnm", {}),
        Term("bucketing", {"s": 2, "seed": 7}),
        Term("mean", {}),
    )
    assert parse_terms("x(a=1e-3,b=true,c=word)") == (Term("x", {"a": 1e-3, "b": True, "c": "word"}),)


def test_plus_within_parentheses_does_not_separate() -> None:
    assert parse_terms("x(a=1e+3)+y") == (Term("x", {"a": 1e3}), Term("y", {}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cake", Cake()),
        ("cake(eggs=3)", Cake(eggs=3)),
        ("cake(sugar=1)", Cake(sugar=1)),
        ("cake(icing=lemon, layers=4, vegan=true)", Cake(icing="lemon", layers=4, vegan=True)),
    ],
)
def test_thing_is_made_of_its_arguments(text: str, expected: Cake) -> None:
    assert cake(text) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("pie", "'pie' is not a dish: choose of cake"),
        ("cake(flour=1)", "no argument 'flour': choose of eggs"),
        ("cake(eggs=2.5)", "give int"),
        ("cake(eggs=true)", "give int"),
        ("cake(sugar=sweet)", "give float"),
        ("cake(icing=mint)", "give one of none, lemon"),
        ("cake(layers=many)", "give int"),
        ("cake(eggs)", "write name=value"),
        ("cake(eggs=1, eggs=2)", "each name once"),
        ("cake(eggs=1", "cannot be read"),
        ("", "cannot be read"),
        ("cake+cake", "cannot be read"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_there_is(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        cake(text)
    assert part in str(caught.value)


def test_what_is_given_cannot_be_written() -> None:
    assert make(Term("cake", {}), KITCHEN, "a dish", baker="me").baker == "me"
    with pytest.raises(ConfigurationError, match="no argument 'baker'"):
        make(Term("cake", {"baker": "you"}), KITCHEN, "a dish", baker="me")
