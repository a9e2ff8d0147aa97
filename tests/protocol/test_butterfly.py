"""Missing parts: whose fault it is where one peer says that another sent nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.protocol.butterfly import complaints, withheld_aggregates
from btard.protocol.messages import AggregateCommitment, CoinReveal

D = bytes(32)


def missing(*seats: int) -> AggregateCommitment:
    return AggregateCommitment(D, D, seats)


def holding(*seats: int) -> CoinReveal:
    return CoinReveal(D, D, D, seats)


@given(st.lists(st.lists(st.integers(0, 4), max_size=8), min_size=5, max_size=5))
def test_everybody_derives_the_same_complaints(table: list[list[int]]) -> None:
    said = [missing(*row) for row in table]
    found = complaints(said)
    assert list(found) == sorted(set(found))
    assert set(found) == {(i, j) for j, row in enumerate(table) for i in row}


@pytest.mark.parametrize(("held", "withheld"), [(0, True), (2, True), (3, False), (5, False)])
def test_an_aggregate_counts_as_withheld_unless_most_hold_it(held: int, withheld: bool) -> None:
    reveals = [holding(0, 1, 2, 3, 4) if k < held else holding(0, 1, 2, 3) for k in range(5)]
    assert withheld_aggregates(reveals) == ((4,) if withheld else ())


def test_half_is_no_majority_and_naming_a_seat_twice_counts_once() -> None:
    assert withheld_aggregates([holding(0, 0, 0, 1), holding(1), holding(1), holding(1)]) == (0, 2, 3)


@given(st.integers(1, 4), st.data())
def test_an_available_aggregate_is_held_by_an_honest_peer(f: int, data: st.DataObject) -> None:
    n = 2 * f + 1
    honest = [holding(*data.draw(st.sets(st.integers(0, n - 1)))) for _ in range(n - f)]
    liars = [holding(*range(n))] * f
    available = set(range(n)) - set(withheld_aggregates([*honest, *liars]))
    assert all(any(seat in reveal.available for reveal in honest) for seat in available)
