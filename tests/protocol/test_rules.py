"""Every phase and what may follow it, and who pays for a message that no honest peer sends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.protocol.agreed import Agreed
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    PHASES,
    RECORD,
    REVEAL,
    SCALARS,
    VERDICT,
    Accusation,
    PartScalars,
    Vote,
)
from btard.protocol.record import ABORT, BAN, LEAVE, MISS, NOTHING, STEP, Complaint
from btard.protocol.rules import Ending, after_phase, disputed, make_record
from btard.protocol.state import roster_digest
from tests.protocol.script import FINGERPRINT, NONE, PEERS, TARGET, VALIDATOR, ZERO, N, attempt, part, sets
from tests.protocol.strategies import payloads


def ending(phase: str, **changes: dict[int, Any]) -> str | list[tuple[int, str, str]]:
    """The phase that follows; or who is removed, by seat: [] where nobody is."""
    follows = after_phase(attempt(), phase, sets(**changes))
    if isinstance(follows, str):
        return follows
    return [(PEERS.index(r.peer), r.kind, r.reason) for r in follows.removals]


@pytest.mark.parametrize(
    ("phase", "following"), [(GRADIENT, AGGREGATE), (AGGREGATE, REVEAL), (REVEAL, SCALARS), (SCALARS, ACCUSE)]
)
def test_honest_peers_go_from_phase_to_phase(phase: str, following: str) -> None:
    assert ending(phase) == following


def test_honest_accusations_of_nobody_end_in_a_step() -> None:
    assert after_phase(attempt(), ACCUSE, sets()) == Ending(STEP)


COMPLAINT = {2: {"aggregate": NONE, "missing": (4,)}}


def test_a_complaint_ends_the_attempt_and_is_charged_to_both_ends() -> None:
    follows = after_phase(attempt(), AGGREGATE, sets(aggregate=COMPLAINT))
    assert follows == Ending(ABORT, (), (Complaint(PEERS[4], PEERS[2]),))


def test_a_peer_of_which_more_complain_than_liars_and_a_broken_link_misses_the_step_alone() -> None:
    lacking = {seat: {"aggregate": NONE, "missing": (4,)} for seat in (0, 1, 2, 3)}
    follows = after_phase(attempt(), AGGREGATE, sets(aggregate=lacking))
    assert isinstance(follows, Ending)
    assert [(r.peer, r.kind, r.reason) for r in follows.removals] == [(PEERS[4], MISS, "withheld part")]
    assert follows.complaints == ()


def test_complaints_let_nobody_go_if_the_run_would_end_by_it() -> None:
    lacking = {
        seat: {"aggregate": NONE, "missing": tuple(s for s in range(N) if s != seat)} for seat in range(N)
    }
    follows = after_phase(attempt(), AGGREGATE, sets(aggregate=lacking))
    assert isinstance(follows, Ending)
    assert follows.removals == ()
    assert len(follows.complaints) == N * (N - 1)


def test_a_complaint_beyond_the_credit_ends_the_seat_of_its_end() -> None:
    earlier = tuple((PEERS[4], PEERS[0], index) for index in range(5))
    struck = attempt(complaints=earlier, strikes=((PEERS[4], 0), (PEERS[4], 0)))
    parts = {seat: {"parts": tuple(part(seat, p) for p in range(4))} for seat in range(N)}
    lacking = {**COMPLAINT, 0: {"aggregate": NONE}}
    follows = after_phase(struck, AGGREGATE, sets(gradient=parts, aggregate=lacking))
    assert isinstance(follows, Ending)
    assert [(r.peer, r.kind, r.reason) for r in follows.removals] == [(PEERS[4], LEAVE, "unreachable")]


def test_who_aggregates_no_part_says_nothing_in_aggregate() -> None:
    relieved = attempt(complaints=((PEERS[4], PEERS[2], 0),))
    assert relieved.aggregators == (0, 1, 3, 4)
    assert [relieved.part_of(seat) for seat in range(N)] == [0, 1, None, 2, 3]
    said_nothing = {2: {"aggregate": NONE}}
    parts = {seat: {"parts": tuple(part(seat, p) for p in range(4))} for seat in range(N)}
    assert after_phase(relieved, AGGREGATE, sets(gradient=parts, aggregate=said_nothing)) == REVEAL
    follows = after_phase(relieved, AGGREGATE, sets(gradient=parts))
    assert isinstance(follows, Ending)
    assert [(r.peer, r.kind) for r in follows.removals] == [(PEERS[2], BAN)]


def test_a_false_reveal_is_banned_and_a_withheld_aggregate_leaves() -> None:
    held = {seat: {"available": (0, 1, 2, 3)} for seat in (0, 1, 3)}
    assert ending(REVEAL, reveal={**held, 2: {"share": NONE}}) == [
        (2, BAN, "false reveal"),
        (4, LEAVE, "withheld aggregate"),
    ]


OFF = PartScalars((0.5, 0.0), 0.5, 1.0, 1.0)
WRONG = {0: {"parts": (ZERO, ZERO, OFF, ZERO, ZERO)}}
"""Seat 0 says what makes the sum of part 2 something else than zero."""


@pytest.mark.parametrize("wrong", range(N))
def test_a_part_whose_projections_do_not_cancel_bans_its_aggregator_without_a_vote(wrong: int) -> None:
    said = {0: {"parts": tuple(OFF if each == wrong else ZERO for each in range(N))}}
    assert ending(ACCUSE, scalars=said) == [(wrong, BAN, "wrong aggregate")]


def test_each_part_whose_projections_do_not_cancel_bans_its_aggregator() -> None:
    assert ending(ACCUSE, scalars={3: {"parts": (OFF,) * N}}) == [
        (s, BAN, "wrong aggregate") for s in range(N)
    ]


@pytest.mark.parametrize(
    ("guilty", "expected"),
    [((0, 0, 0, 2, 2), [(0, BAN, "false scalars")]), ((2, 2, 2, 0, 0), [(2, BAN, "false accusation")])],
)
def test_an_accusation_of_a_row_ends_the_seat_of_the_liar_only(
    guilty: tuple[int, ...], expected: list[Any]
) -> None:
    row = {2: {"accusations": (Accusation("row", 0, 2),)}}
    assert ending(ACCUSE, accuse=row) == VERDICT
    votes = {voter: {"votes": (Vote((seat,), ()),)} for voter, seat in enumerate(guilty)}
    assert ending(VERDICT, accuse=row, verdict=votes) == expected


def test_an_aggregator_that_was_lied_to_is_not_blamed_for_its_sum() -> None:
    row = {2: {"accusations": (Accusation("row", 0, 2),)}}
    upheld = {voter: {"votes": (Vote((0,), ()),)} for voter in range(N)}
    assert ending(VERDICT, scalars=WRONG, accuse=row, verdict=upheld) == [(0, BAN, "false scalars")]


def test_an_accusation_that_is_not_upheld_excuses_no_wrong_sum() -> None:
    row = {2: {"accusations": (Accusation("row", 4, 2),)}}
    refuted = {voter: {"votes": (Vote((2,), ()),)} for voter in range(N)}
    removed = ending(VERDICT, scalars=WRONG, accuse=row, verdict=refuted)
    assert removed == [(2, BAN, "false accusation")]


def test_a_fingerprint_that_is_not_opened_is_a_false_reveal() -> None:
    assert ending(ACCUSE, accuse={VALIDATOR: {"fingerprint": None}}) == [(VALIDATOR, BAN, "false reveal")]
    assert ending(ACCUSE, accuse={TARGET: {"salt": NONE}}) == [(TARGET, BAN, "false reveal")]


MALFORMED: list[tuple[str, Any]] = [
    (GRADIENT, {"parts": ()}),
    (GRADIENT, {"parts": (NONE,) * (N + 1)}),
    (AGGREGATE, {"missing": (N,), "aggregate": NONE}),
    (AGGREGATE, {"missing": (2,), "aggregate": NONE}),
    (AGGREGATE, {"missing": (0,)}),
    (AGGREGATE, {"aggregate": NONE}),
    (REVEAL, {"available": (N,)}),
    (SCALARS, {"parts": ()}),
    (SCALARS, {"parts": (ZERO,) * (N + 1)}),
    (SCALARS, {"parts": (PartScalars((0.0,), 0.5, 1.0, 1.0),) * N}),
    (SCALARS, {"parts": (PartScalars((0.0, 0.0), -0.5, 1.0, 1.0),) * N}),
    (SCALARS, {"parts": (PartScalars((0.0, 0.0), 0.5, -1.0, 1.0),) * N}),
    (SCALARS, {"parts": (PartScalars((1e16, 0.0), 0.5, 1.0, 1.0),) * N}),
    (ACCUSE, {"fingerprint": PartScalars((0.0,), 0.5, 1.0, 1.0)}),
    (ACCUSE, {"accusations": (Accusation("row", 2, 2),)}),
    (ACCUSE, {"accusations": (Accusation("row", N, 2),)}),
    (ACCUSE, {"accusations": (Accusation("row", 0, 2), Accusation("row", 0, 2))}),
    (ACCUSE, {"accusations": (Accusation("averaging", 0, 2),)}),
    (ACCUSE, {"accusations": (Accusation("gradient", 0, 0),)}),
    (VERDICT, {"votes": (Vote((), ()),)}),
]


@pytest.mark.parametrize(("phase", "change"), MALFORMED, ids=lambda value: str(value)[:40])
def test_whoever_signs_what_no_honest_peer_sends_is_banned_for_it(phase: str, change: Any) -> None:
    assert ending(phase, **{phase: {2: change}}) == [(2, BAN, "malformed message")]


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase != RECORD])
def test_whoever_signs_bytes_that_do_not_decode_is_banned_for_it(phase: str) -> None:
    assert ending(phase, **{phase: {4: None}}) == [(4, BAN, "malformed message")]


def test_a_vote_about_a_seat_that_is_not_there_is_malformed() -> None:
    row = {2: {"accusations": (Accusation("row", 0, 2),)}}
    votes = {voter: {"votes": (Vote((0,), ()),)} for voter in range(N)}
    votes[3] = {"votes": (Vote((), (N,)),)}
    assert ending(VERDICT, accuse=row, verdict=votes) == [(3, BAN, "malformed message")]


@given(st.data())
def test_whatever_a_minority_signs_only_the_minority_is_banned_for_it(data: st.DataObject) -> None:
    phases = (GRADIENT, AGGREGATE, REVEAL, SCALARS, ACCUSE)
    kinds = dict(zip(phases, [type(row[0]) for row in (sets()[phase] for phase in phases)], strict=True))
    phase = data.draw(st.sampled_from(phases))
    byzantine = data.draw(st.sets(st.integers(0, N - 1), min_size=1, max_size=2))
    signed = {seat: data.draw(st.none() | payloads[kinds[phase]]) for seat in byzantine}
    table = sets()
    table[phase] = tuple(signed.get(seat, payload) for seat, payload in enumerate(table[phase]))
    follows = after_phase(attempt(), phase, table)
    removed = {PEERS.index(r.peer) for r in follows.removals} if isinstance(follows, Ending) else set()
    assert removed <= byzantine


def test_the_record_of_a_step_names_its_phases_and_carries_coin_and_model() -> None:
    table = sets()
    trail = [(phase, NOTHING) for phase in (GRADIENT, AGGREGATE)]
    coin = Agreed(attempt(), sets=table).coin
    record = make_record(attempt(), Ending(STEP), trail, coin, NOTHING)
    assert (record.kind, record.phases, record.sets) == (STEP, (GRADIENT, AGGREGATE), (NOTHING, NOTHING))
    assert record.participants == roster_digest(PEERS)
    assert record.coin == coin != NOTHING


def test_there_is_no_coin_before_the_reveals_nor_where_one_does_not_decode() -> None:
    assert Agreed(attempt()).coin == NOTHING
    assert Agreed(attempt(), sets=sets(reveal={0: None})).coin == NOTHING


def test_what_a_step_leaves_for_its_validation_is_what_was_agreed() -> None:
    table = sets()
    left = Agreed(attempt(), sets=table).finished()
    assert left.aggregates == tuple(said.aggregate for said in table[AGGREGATE])
    assert [len(row) for row in left.scalars] == [N] * N
    assert disputed(attempt(), table) == ()
    assert FINGERPRINT.projections == (1.0, -1.0)
