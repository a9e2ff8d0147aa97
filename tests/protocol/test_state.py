"""The roster between attempts: strikes, relays, pairs, and what an abort keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.protocol.agreed import Seating
from btard.protocol.constants import ProtocolConfig
from btard.protocol.record import (
    ABORT,
    BAN,
    CLOSE,
    LEAVE,
    MISS,
    NOTHING,
    STEP,
    Cause,
    Complaint,
    Record,
    Removal,
)
from btard.protocol.rules import Ending, make_record
from btard.protocol.state import Finished, RosterState, draw_pairs, gradient_seed, roster_digest
from btard.types import PeerId
from tests.protocol.script import CONFIG, PEERS, STEPS, attempt

STATE = RosterState.genesis(digest("run"), CONFIG, PEERS, STEPS)


def record(state: RosterState, kind: str = ABORT, **changes: Any) -> Record:
    where = replace(attempt(), state=state)
    return replace(make_record(where, Ending(kind), [], digest("coin"), NOTHING), **changes)


def left(state: RosterState) -> Finished:
    return Finished(state.step, state.coin, digest("coin"), state.participants, (), ())


def step(state: RosterState, **changes: Any) -> RosterState:
    return state.after(record(state, STEP, **changes), left(state))


def abort(state: RosterState, *removals: Removal, **changes: Any) -> RosterState:
    return state.after(record(state, ABORT, removals=removals, **changes), None)


def test_genesis_is_the_same_whatever_the_order_of_its_members() -> None:
    assert RosterState.genesis(digest("run"), CONFIG, PEERS[::-1], STEPS) == STATE
    assert RosterState.genesis(digest("run"), CONFIG, PEERS[1:], STEPS).coin != STATE.coin


def test_a_step_goes_on_with_the_coin_of_its_record() -> None:
    after = step(STATE)
    assert (after.step, after.attempt, after.index, after.coin) == (1, 0, 1, digest("coin"))
    assert after.head == record(STATE, STEP).digest


def test_a_ban_and_a_leave_end_the_seat_and_a_miss_ends_the_step_only() -> None:
    a, b, c = PEERS[:3]
    after = abort(
        STATE, Removal(a, BAN, Cause.SILENT), Removal(b, LEAVE, Cause.SILENT), Removal(c, MISS, Cause.SILENT)
    )
    assert after.members == PEERS[2:]
    assert after.participants == PEERS[3:]
    assert (after.step, after.attempt) == (0, 1)
    assert step(after).participants == PEERS[2:]


def test_a_roster_of_which_half_or_more_missed_the_step_binds_nobody() -> None:
    missed = abort(STATE, *(Removal(p, MISS, Cause.SILENT) for p in PEERS[:2]))
    assert missed.has_majority
    assert not abort(missed, Removal(PEERS[2], MISS, Cause.SILENT)).has_majority


def test_the_last_allowed_strike_ends_the_seat() -> None:
    state = STATE
    for _ in range(CONFIG.strikes - 1):
        strike = state.miss(PEERS[0], Cause.SILENT)
        assert strike.kind == MISS
        state = step(abort(state, strike))
    assert state.miss(PEERS[0], Cause.SILENT) == Removal(PEERS[0], LEAVE, Cause.SILENT)
    assert state.miss(PEERS[1], Cause.SILENT).kind == MISS


def test_strikes_are_forgotten_after_their_window() -> None:
    config = replace(CONFIG, strikes=2, strike_window=3)
    state = RosterState.genesis(digest("run"), config, PEERS, STEPS)
    state = step(abort(state, state.miss(PEERS[0], Cause.SILENT)))
    assert state.miss(PEERS[0], Cause.SILENT).kind == LEAVE
    state = step(step(state))
    assert state.step == 3
    assert state.miss(PEERS[0], Cause.SILENT).kind == MISS
    assert step(state).strikes == ()


def test_a_silent_validator_is_replaced_and_a_silent_target_is_examined_all_the_same() -> None:
    state = replace(STATE, pairs=((PEERS[1], PEERS[3]), (PEERS[0], PEERS[4])))
    after = abort(state, state.miss(PEERS[4], Cause.SILENT), state.miss(PEERS[1], Cause.SILENT))
    assert after.pairs == ((PEERS[2], PEERS[3]), (PEERS[0], PEERS[4]))
    assert Seating(after).everyone == (PEERS[0], PEERS[2], PEERS[3], PEERS[1], PEERS[4])
    assert Seating(after).pairs == ((1, 2), (0, 4))


def test_a_pair_waits_while_nobody_is_free_to_examine_it_and_ends_with_its_target() -> None:
    state = replace(STATE, pairs=((PEERS[1], PEERS[3]), (PEERS[0], PEERS[4])))
    alone = abort(state, *(state.miss(PEERS[k], Cause.SILENT) for k in (1, 2)))
    assert alone.pairs == state.pairs
    assert Seating(alone).pairs == ((0, 2),)
    gone = abort(state, Removal(PEERS[4], BAN, Cause.FALSE_GRADIENT))
    assert gone.pairs == ((PEERS[1], PEERS[3]),)


def test_after_the_last_step_nothing_is_aggregated_and_one_attempt_closes_the_run() -> None:
    last = replace(STATE, step=STEPS - 1)
    assert not last.closing
    closing = step(last)
    assert (closing.closing, closing.aggregators, closing.closed) == (True, (), False)
    assert closing.after(record(closing, CLOSE), None).closed


def test_a_complaint_takes_the_part_from_its_receiver_until_its_window_or_its_sender_ends() -> None:
    config = replace(CONFIG, strike_window=2)
    start = RosterState.genesis(digest("run"), config, PEERS, STEPS)
    state = abort(start, complaints=(Complaint(PEERS[0], PEERS[1]),))
    assert state.aggregators == tuple(peer for peer in PEERS if peer != PEERS[1])
    assert abort(state, Removal(PEERS[0], BAN, Cause.SILENT)).aggregators == PEERS[1:]
    assert step(step(state)).aggregators == PEERS


def test_where_all_complained_they_take_turns_to_aggregate_in_public() -> None:
    state = STATE
    for receiver in (*PEERS[1:], PEERS[0]):
        assert not state.public
        state = abort(state, complaints=(Complaint(PEERS[4], receiver),))
    turns = [state.aggregators]
    for _ in PEERS[1:]:
        assert state.public
        state = abort(state)
        turns.append(state.aggregators)
    assert sorted(turns) == [(peer,) for peer in PEERS]


def test_an_account_counts_each_end_of_a_complaint_once_and_misses_more() -> None:
    pairs = [Complaint(PEERS[0], PEERS[1]), Complaint(PEERS[0], PEERS[2]), Complaint(PEERS[3], PEERS[1])]
    state = abort(abort(STATE, complaints=tuple(pairs)), complaints=(Complaint(PEERS[0], PEERS[1]),))
    assert [state.account(peer) for peer in PEERS[:4]] == [2, 2, 1, 1]
    missed = abort(state, state.miss(PEERS[0], Cause.SILENT))
    assert missed.account(PEERS[0]) == 2 + STATE.strike


@given(st.integers(1, 31), st.integers(1, 6))
def test_complaints_of_all_byzantine_peers_alone_end_no_seat(f: int, strikes: int) -> None:
    peers = tuple(PeerId(digest("member", bytes([k]))) for k in range(2 * f + 1))
    state = RosterState.genesis(digest("run"), replace(CONFIG, strikes=strikes), peers, STEPS)
    honest, liars = state.members[0], state.members[1 : f + 1]
    assert state.overdrawn([(honest, liar) for liar in liars]) == ()
    assert state.credit >= f + strikes


def test_a_pair_ends_with_a_seat_in_it_and_outlasts_a_miss_of_others() -> None:
    state = replace(STATE, pairs=((PEERS[0], PEERS[1]), (PEERS[2], PEERS[3])))
    assert abort(state, Removal(PEERS[4], MISS, Cause.SILENT)).pairs == state.pairs
    assert abort(state, Removal(PEERS[1], BAN, Cause.SILENT)).pairs == ((PEERS[2], PEERS[3]),)


peers = st.integers(1, 24).map(lambda n: [PeerId(bytes([k]) * 32) for k in range(n)])
coins = st.binary(min_size=32, max_size=32)


@given(coins, peers, st.integers(0, 30))
def test_pairs_are_disjoint_and_as_many_as_fit(coin: bytes, members: list[PeerId], wanted: int) -> None:
    pairs = draw_pairs(coin, members, wanted)
    drawn = [peer for pair in pairs for peer in pair]
    assert len(pairs) == min(wanted, len(members) // 2)
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= set(members)


@given(coins)
def test_only_those_that_took_part_and_keep_their_seats_are_paired(coin: bytes) -> None:
    state = replace(STATE, config=replace(CONFIG, validators=2), excluded=(PEERS[0],))
    removal = Removal(PEERS[2], LEAVE, Cause.SILENT)
    after = state.after(record(state, STEP, coin=coin, removals=(removal,)), left(state))
    assert {peer for pair in after.pairs for peer in pair} <= {PEERS[1], PEERS[3], PEERS[4]}


def test_every_peer_is_drawn_as_target_as_often_as_any_other() -> None:
    times = dict.fromkeys(PEERS, 0)
    for k in range(3000):
        (_, target), _ = draw_pairs(digest("coin", k.to_bytes(4, "little")), PEERS, 2)
        times[target] += 1
    # 3,000 draws with p = 1/5: 6 standard deviations are 131.
    assert all(abs(count - 600) < 131 for count in times.values())


def test_seeds_and_rosters_differ_where_anything_does() -> None:
    seeds = {gradient_seed(coin, peer) for coin in (bytes(32), digest("coin")) for peer in PEERS}
    assert len(seeds) == 2 * len(PEERS)
    assert roster_digest(PEERS) != roster_digest(PEERS[::-1])


@pytest.mark.parametrize("name", ["tau", "delta_max", "directions", "delta_s", "phase_s", "strikes"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_constant_that_must_be_positive_is_refused_otherwise(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=name):
        ProtocolConfig(**{name: value})  # type: ignore[arg-type]
