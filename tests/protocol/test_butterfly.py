"""Missing parts: whose fault it is where one peer says that another sent nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.protocol.butterfly import complaints, judge_complaints, judge_public, withheld_aggregates
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


PAIRS = st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda pair: pair[0] != pair[1]))


@given(PAIRS)
def test_lies_of_a_minority_make_no_honest_peer_miss_the_step(pairs: set[tuple[int, int]]) -> None:
    n, f = 9, 4
    of_liars = {pair for pair in pairs if min(pair) < f <= max(pair)}  # seats 0 to 3 lie, links hold
    misses, left = judge_complaints(of_liars, f, {})
    assert all(seat < f for seat in misses)
    assert set(left) == {pair for pair in of_liars if not {*pair} & set(misses)}
    assert n > 2 * f


def test_whoever_lacks_the_parts_of_a_majority_is_cut_off_and_they_are_not_charged() -> None:
    pairs = [(0, 4), (1, 4), (2, 4), (1, 3)]
    assert judge_complaints(pairs, 2, {}) == ({}, tuple(sorted(pairs))), "f liars and a broken link"
    assert judge_complaints([*pairs, (3, 4)], 2, {}) == ({4: "unreachable"}, ((1, 3),))


def test_counterparties_of_earlier_attempts_count_towards_being_cut_off() -> None:
    assert judge_complaints([(0, 4)], 2, {0: {1, 2, 3}}) == ({0: "withheld part"}, ())
    assert judge_complaints([(0, 4)], 2, {0: {1, 2, 4}}) == ({}, ((0, 4),))


def test_a_link_broken_both_ways_and_a_minority_of_liars_cost_neither_end_the_step() -> None:
    pairs = [(0, 1), (1, 0), (0, 3), (1, 3)]
    assert judge_complaints(pairs, 1, {}) == ({}, tuple(sorted(pairs)))


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ({0: (4,), 1: (4,)}, {}),
        ({0: (4,), 1: (4,), 2: (4,)}, {4: "withheld part"}),
        ({3: (4,)}, {3: "unreachable"}),
        ({0: (4,), 1: (4,), 3: (1, 4)}, {4: "withheld part"}),
    ],
)
def test_a_majority_decides_who_kept_back_a_row_that_all_were_to_get(
    lacking: dict[int, tuple[int, ...]], expected: dict[int, str]
) -> None:
    said = [missing(*lacking.get(seat, ())) for seat in range(5)]
    assert judge_public(said, 3) == expected


@pytest.mark.parametrize(("held", "withheld"), [(0, True), (2, True), (3, False), (5, False)])
def test_an_aggregate_counts_as_withheld_unless_most_hold_it(held: int, withheld: bool) -> None:
    reveals = [holding(0, 1, 2, 3, 4) if k < held else holding(0, 1, 2, 3) for k in range(5)]
    assert withheld_aggregates(reveals, 5) == ((4,) if withheld else ())


def test_half_is_no_majority_and_naming_a_seat_twice_counts_once() -> None:
    assert withheld_aggregates([holding(0, 0, 0, 1), holding(1), holding(1, 2), holding(1, 2)], 4) == (
        0,
        2,
        3,
    )


@given(st.integers(1, 4), st.data())
def test_an_available_aggregate_is_held_by_an_honest_peer(f: int, data: st.DataObject) -> None:
    n = 2 * f + 1
    honest = [holding(*data.draw(st.sets(st.integers(0, n - 1)))) for _ in range(n - f)]
    liars = [holding(*range(n))] * f
    available = set(range(n)) - set(withheld_aggregates([*honest, *liars], n))
    assert all(any(seat in reveal.available for reveal in honest) for seat in available)
