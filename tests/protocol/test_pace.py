"""How long phases take, who held the others up, what all agree on about it, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import digest
from btard.protocol.messages import (
    ACCUSE,
    AGGREGATE,
    GRADIENT,
    PHASES,
    REVEAL,
    SCALARS,
    VERDICT,
    GradientCommitment,
    Late,
)
from btard.protocol.pace import HOP_SHARE, NOTHING_SEEN, PARTS_PATIENCE, ROWS_FACTOR, Seen, Watch, agreed
from btard.protocol.record import ABORT, LEAVE, NOTHING, STEP, Complaint, Record
from btard.protocol.rules import Ending, after_phase, make_record
from btard.protocol.state import FORGIVEN, PACE_STEPS, PACE_WINDOW, Finished, RosterState
from tests.protocol import script
from tests.protocol.script import NONE, PEERS, STEPS, N, attempt, sets

PATIENCE = 1.5
CONFIG = replace(script.CONFIG, patience=PATIENCE)
STATE = RosterState.genesis(digest("run"), CONFIG, PEERS, STEPS)


def pace(millis: int, **changes: Any) -> RosterState:
    """The state of a run whose phases each took so long in the last steps."""
    return replace(STATE, paces=((millis,) * len(PHASES),) * PACE_STEPS, **changes)


HOP = HOP_SHARE * CONFIG.delta_s
"""What any message may be late by."""


def watch(*, paired: tuple[int, ...] = (), usual_ms: int = 1000) -> Watch:
    return Watch(pace(usual_ms), N, paired)


def late(seen: Seen) -> dict[int, int]:
    """Milliseconds by seat."""
    return {PEERS.index(each.peer): each.millis for each in seen.late}


# ---------------------------------------------------------------- what one peer sees


def test_a_phase_takes_until_all_but_a_minority_have_spoken_and_patience_is_counted_from_that() -> None:
    seen = watch()
    for seat, seconds in enumerate((1.0, 2.0, 4.0, 6.0 + HOP, 9.0 + HOP)):
        seen.spoke(GRADIENT, seat, seconds)
        seen.spoke(GRADIENT, seat, 99.0)  # a second message changes nothing
    seen.completed(GRADIENT, range(N))
    assert seen.seen(PEERS) == Seen((4000, *[0] * (len(PHASES) - 1)), (Late(PEERS[4], 3000),))


def test_who_spoke_before_the_phase_began_is_not_late() -> None:
    seen = watch()
    seen.spoke(GRADIENT, 4, 1.0 + HOP)
    seen.completed(GRADIENT, range(N))
    assert late(seen.seen(PEERS)) == {4: 1000}


def test_an_aggregator_may_have_waited_for_a_part() -> None:
    seen = watch()
    for seat, seconds in enumerate((6.0, 6.0, 6.0, 6.0 * PATIENCE * PARTS_PATIENCE + HOP, 11.5 + HOP)):
        seen.spoke(AGGREGATE, seat, seconds)
    seen.completed(AGGREGATE, range(N))
    assert late(seen.seen(PEERS)) == {4: 1000}


@pytest.mark.parametrize("phase", [SCALARS, ACCUSE])
def test_who_examines_or_is_examined_may_take_a_gradient_longer(phase: Any) -> None:
    seen = watch(paired=(3,), usual_ms=4000)
    for seat, seconds in enumerate((2.0, 2.0, 2.0, 10.0 + HOP, 10.0 + HOP)):
        seen.spoke(phase, seat, seconds)
    seen.completed(phase, range(N))
    assert late(seen.seen(PEERS)) == {3: 1000, 4: 7000}


def test_nobody_is_late_at_the_reveal_for_an_aggregate_that_others_sent_late() -> None:
    seen = watch()
    asking_s = pace(1000).asking_s(REVEAL, pace(1000).patience_s(REVEAL))
    for seat, seconds in enumerate((2.0, 2.0, 7.0 + HOP)):
        seen.blob_came(REVEAL, seat, seconds)
        seen.blob_came(REVEAL, seat, 99.0)
    for seat, seconds in enumerate((7.0, 7.0, 7.0 + asking_s, 7.0, 8.0 + asking_s + 2 * HOP)):
        seen.spoke(REVEAL, seat, seconds)
    seen.completed(REVEAL, range(3))
    assert seen.seen(PEERS).took[PHASES.index(REVEAL)] == 2000
    assert late(seen.seen(PEERS)) == {2: 4000, 4: 1000}


def test_a_row_that_comes_late_is_its_sender_s_delay_and_does_not_slow_the_pace() -> None:
    seen = watch()
    for seat, row in enumerate((1.0, 1.0, 1.0, 1.0, 4.0 + HOP)):
        seen.blob_came(AGGREGATE, seat, row)
        seen.spoke(AGGREGATE, seat, 3.0)
    seen.completed(AGGREGATE, range(N))
    assert seen.seen(PEERS).took[PHASES.index(AGGREGATE)] == 1000 * ROWS_FACTOR
    assert late(seen.seen(PEERS)) == {4: 2500}


def test_rows_that_go_round_may_take_as_much_again() -> None:
    seen, waits_s = watch(), ROWS_FACTOR * pace(1000).parts_s
    for seat, seconds in enumerate((1.0, 1.0, 1.0, waits_s + HOP, waits_s + HOP + 1.0)):
        seen.blob_came(AGGREGATE, seat, 1.0)
        seen.spoke(AGGREGATE, seat, seconds)
    seen.completed(AGGREGATE, range(1), public=True)
    assert late(seen.seen(PEERS)) == {4: 1000}


def test_who_had_not_spoken_before_a_dispute_is_late_by_all_of_it() -> None:
    seen = watch()
    seen.resumed(GRADIENT, (4,), 10.0)
    seen.resumed(GRADIENT, (4,), 20.0)
    for seat in range(N):
        seen.spoke(GRADIENT, seat, 1.0 + HOP * (seat == 4))
    seen.completed(GRADIENT, range(N))
    assert late(seen.seen(PEERS)) == {4: 31_000 - 1500}


# ---------------------------------------------------------------- what all agree on


def said(took: tuple[int, ...], **lateness: int) -> GradientCommitment:
    """`p4=200`: the peer of seat 4 was late by 200 milliseconds."""
    named = tuple(Late(PEERS[int(name[1:])], millis) for name, millis in lateness.items())
    return GradientCommitment(NONE, (), NONE, (), (), took, named)


TOOK = tuple(range(100, 100 + len(PHASES)))


def test_a_peer_is_late_by_what_more_than_half_saw_or_more() -> None:
    of_five = [said(TOOK, p4=300), said(TOOK, p4=100), said(TOOK, p4=200), said(TOOK), said(TOOK)]
    assert agreed(of_five) == Seen(TOOK, (Late(PEERS[4], 100),))
    assert agreed([*of_five[:2], *[said(TOOK)] * 3]) == Seen(TOOK)


def test_half_do_not_make_a_peer_late() -> None:
    assert agreed([said(TOOK, p4=300), said(TOOK, p4=300), said(TOOK), said(TOOK)]) == Seen(TOOK)


def test_naming_a_peer_twice_counts_once() -> None:
    twice = GradientCommitment(NONE, (), NONE, (), (), TOOK, (Late(PEERS[4], 300),) * 2)
    assert agreed([twice, *[said(TOOK)] * 2]) == Seen(TOOK)


def test_half_do_not_say_how_long_a_phase_took() -> None:
    assert agreed([said(TOOK), said(TOOK), said(()), said(TOOK[1:])]) == NOTHING_SEEN
    assert agreed([said(TOOK), said(TOOK), said(())]) == Seen(TOOK)


@given(st.lists(st.integers(10, 20), min_size=3, max_size=3), st.lists(st.integers(0, 2**24), max_size=2))
def test_a_minority_moves_no_pace_beyond_what_honest_peers_saw(honest: list[int], liars: list[int]) -> None:
    ballots = [said((millis,) * len(PHASES)) for millis in (*honest, *liars)]
    assert min(honest) <= min(agreed(ballots).took) <= max(agreed(ballots).took) <= max(honest)


@given(st.lists(st.integers(0, 2**24), min_size=2, max_size=2))
def test_a_minority_makes_nobody_late(liars: list[int]) -> None:
    ballots = [*[said(TOOK)] * 3, *(said(TOOK, p0=millis) for millis in liars)]
    assert agreed(ballots).late == ()


# ---------------------------------------------------------------- deadlines


def test_the_limits_of_the_description_hold_until_the_pace_is_known() -> None:
    young = replace(STATE, paces=((1000,) * len(PHASES),) * (PACE_STEPS - 1))
    assert young.patience_s(GRADIENT) == CONFIG.gradient_s
    assert young.patience_s(AGGREGATE) == CONFIG.phase_s
    assert young.patience_s(VERDICT, 2) == CONFIG.phase_s + 2 * CONFIG.gradient_s


def test_deadlines_follow_what_phases_take() -> None:
    assert pace(1000).patience_s(GRADIENT) == 5.0
    assert pace(1000).patience_s(AGGREGATE) == PATIENCE * 1.0 + 1.0 * CONFIG.delta_s
    assert pace(1000).patience_s(SCALARS, 1) == 5.0 + PATIENCE * 1.0
    assert pace(10).patience_s(SCALARS) == 2 * CONFIG.delta_s


def test_an_aggregate_may_take_as_long_as_parts_do_though_most_came_before_their_phase() -> None:
    took = tuple({AGGREGATE: 600, REVEAL: 0}.get(phase, 10) for phase in PHASES)
    state = replace(STATE, paces=(took,) * PACE_STEPS)
    assert state.patience_s(REVEAL) == 5 * 0.6
    fewer = replace(state, attempt=1, complaints=tuple((PEERS[0], PEERS[k], 0) for k in (2, 3, 4)))
    assert len(fewer.aggregators) == 2
    assert fewer.patience_s(REVEAL) == 5 * 0.6 * 5 / 2


def test_no_pace_extends_the_limits_of_the_description() -> None:
    slow = pace(1000 * 1000)
    assert slow.patience_s(GRADIENT) == CONFIG.gradient_s
    assert slow.patience_s(AGGREGATE) == CONFIG.phase_s
    assert slow.patience_s(VERDICT, 2) == CONFIG.phase_s + 2 * CONFIG.gradient_s


def test_rows_that_everybody_is_to_get_are_waited_for_as_long_as_the_description_says() -> None:
    public = pace(10, complaints=tuple((PEERS[0], peer, 0) for peer in PEERS))
    assert public.public
    assert public.patience_s(AGGREGATE) == CONFIG.phase_s


# ---------------------------------------------------------------- what a record leaves


def record(state: RosterState, kind: str = STEP, **changes: Any) -> Record:
    made = make_record(replace(attempt(), state=state), Ending(kind), [], digest("coin"), NOTHING)
    return replace(made, **changes)


def step(state: RosterState, **changes: Any) -> RosterState:
    left = Finished(state.step, state.coin, digest("coin"), state.participants, (), ())
    return state.after(record(state, **changes), left)


def test_the_slowest_of_the_last_steps_sets_the_pace() -> None:
    state = STATE
    for millis in (9, 1, 2, *[3] * (PACE_WINDOW - 3)):
        state = step(state, took=(millis,) * len(PHASES))
    assert state.took == (9,) * len(PHASES)
    assert step(state, took=(1,) * len(PHASES)).took == (3,) * len(PHASES)


def test_the_pace_of_an_attempt_after_an_abort_is_not_counted_again() -> None:
    again = replace(STATE, attempt=1)
    assert step(again, took=TOOK).paces == ()
    assert step(STATE, took=TOOK).paces == (TOOK,)


SPARE = 6 * FORGIVEN
"""Milliseconds that a step takes off a delay: a thousandth of a step is 6 of them here."""


@pytest.mark.parametrize(("millis", "cost"), [(5999, 0), (6000, 1), (12_000, 2)])
def test_a_delay_is_charged_in_steps_of_the_others_time(millis: int, cost: int) -> None:
    held_up = step(pace(100), took=TOOK, late=(Late(PEERS[4], millis + SPARE),))
    assert [held_up.account(peer) for peer in PEERS] == [0, 0, 0, 0, cost]


def test_delays_of_several_steps_add_up_and_each_step_forgives_a_little() -> None:
    state = pace(100)
    for _ in range(2):
        state = step(state, took=TOOK, late=(Late(PEERS[4], 3000 + SPARE),))
    assert state.account(PEERS[4]) == 1
    assert state.after(record(state, ABORT), None).account(PEERS[4]) == 1, "an abort forgives nothing"
    for _ in range(1000 // FORGIVEN):
        state = step(state)
        assert state.account(PEERS[4]) == 0
    assert state.delays == ((PEERS[4], 1000 % FORGIVEN),)
    assert step(state).delays == ()


def test_nobody_is_charged_before_the_pace_is_known_nor_if_it_has_no_seat() -> None:
    assert step(STATE, took=TOOK, late=(Late(PEERS[4], 60_000),)).delays == ()
    assert step(pace(100), took=TOOK, late=(Late(bytes(32), 60_000),)).delays == ()


@pytest.mark.parametrize(("millis", "leaves"), [(35_999, []), (36_000, [PEERS[4]])])
def test_whoever_holds_the_others_up_for_its_credit_leaves(millis: int, leaves: list[bytes]) -> None:
    assert STATE.credit == 6
    seen = {seat: {"took": TOOK, "late": (Late(PEERS[4], millis),)} for seat in range(3)}
    rest = {seat: {"took": TOOK} for seat in (3, 4)}
    follows = after_phase(attempt(paces=pace(100).paces), GRADIENT, sets(gradient=seen | rest))
    if not leaves:
        assert follows == AGGREGATE
        return
    assert isinstance(follows, Ending)
    assert (follows.kind, follows.complaints) == (ABORT, ())
    assert [(r.peer, r.kind, r.reason) for r in follows.removals] == [(PEERS[4], LEAVE, "slow")]


def test_a_delay_and_a_complaint_are_of_one_account() -> None:
    complained = replace(record(pace(100), ABORT), complaints=(Complaint(PEERS[0], PEERS[4]),))
    state = replace(pace(100).after(complained, None), attempt=0)
    assert step(state, took=TOOK, late=(Late(PEERS[4], 6000 + SPARE),)).account(PEERS[4]) == 2


def test_an_account_that_is_used_up_by_several_causes_ends_the_seat_without_a_further_charge() -> None:
    pairs = tuple((PEERS[seat], PEERS[4], 0) for seat in range(3))
    four_parts = tuple(digest("blob", bytes([part])) for part in range(4))  # PEERS[4] aggregates none
    told = {seat: {"took": TOOK, "parts": four_parts} for seat in range(5)}
    for delay, leaves in ((2000, []), (3000, [(PEERS[4], LEAVE, "unreachable")])):
        state = {"paces": pace(100).paces, "complaints": pairs, "delays": ((PEERS[4], delay),)}
        follows = after_phase(attempt(**state), GRADIENT, sets(gradient=told))
        found = follows.removals if isinstance(follows, Ending) else ()
        assert [(r.peer, r.kind, r.reason) for r in found] == leaves


def test_a_step_that_was_made_again_does_not_tell_how_long_a_gradient_takes() -> None:
    again = replace(pace(1000), retried=True)
    told = step(again, took=(3, *(7,) * (len(PHASES) - 1)))
    assert told.paces[-1] == (1000, *(7,) * (len(PHASES) - 1))
    assert not told.retried
    assert step(replace(told, attempt=1)).retried
