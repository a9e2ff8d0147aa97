"""Whole attempts on hostile networks: nobody honest is stuck, banned, or led to another ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btard.machine import Actions, Send
from btard.protocol.messages import ACCUSE, AGGREGATE, ENDORSE, GRADIENT, PHASES, RECORD, REVEAL, SCALARS
from btard.protocol.record import ABORT, BAN, CLOSE, MISS, STEP
from tests.cheats import Scripted, envelope, falls_silent, is_of, sending, speaking
from tests.rig import CONFIG, Delay, Rig, identities


def own(cheat: Scripted, out: Actions) -> list[Send]:
    """What the cheat says itself."""
    return [s for s in out.messages if (said := envelope(s.raw)) is not None and said.sender == cheat.me]


def kinds(net: Rig) -> list[str]:
    return [record.kind for record in net.agreed()]


def test_honest_peers_make_one_step_after_the_other() -> None:
    assert kinds(Rig(4).run()) == [STEP, STEP, STEP, CLOSE]


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=24), st.integers(2, 5))
def test_whatever_the_delays_within_delta_honest_peers_write_one_ledger_without_disputes(
    delays: list[float], peers: int
) -> None:
    count = iter(range(10**9))
    net = Rig(peers, delay=lambda sender, to, raw, now: delays[next(count) % len(delays)]).run()
    assert kinds(net) == [STEP, STEP, STEP, CLOSE]
    assert not any(record.disputed for record in net.agreed())
    assert not net.faults()


# ---------------------------------------------------------------- slots filled with nonsense


@pytest.mark.parametrize("size", [1000, 300_000, 3_000_000])
@pytest.mark.parametrize("phase", [GRADIENT, REVEAL, RECORD])
def test_nonsense_of_any_size_in_a_slot_ends_its_author_and_nobody_else(phase: str, size: int) -> None:
    def nonsense(cheat: Scripted, out: Actions) -> None:
        raw = cheat.sealed(phase, bytes(size))
        out.messages[:] = [Send(send.to, raw) if is_of(send.raw, phase) else send for send in out.messages]

    net = Rig(4, cheats={1: speaking(phase, nonsense)}).run()
    assert {seat for seat, _, _ in net.removals()} <= {1}
    assert kinds(net).count(STEP) == 3


def test_nonsense_in_every_slot_before_a_dispute_leaves_room_for_a_view() -> None:
    def flood(cheat: Scripted, out: Actions) -> None:
        raws = [cheat.sealed(phase, bytes([k]) * 4000) for phase in PHASES[1:] for k in (1, 2)]
        out.messages += [Send(cheat.others, raw) for raw in raws]

    net = Rig(5, cheats={1: speaking(GRADIENT, flood), 3: speaking(GRADIENT, flood)}).run()
    assert net.removals() == {(1, BAN, "equivocation"), (3, BAN, "equivocation")}


# ---------------------------------------------------------------- the end of an attempt


@pytest.mark.parametrize("peers", [4, 5])
@pytest.mark.parametrize("lies", [0, 1, 3])
def test_a_dispute_that_begins_when_others_have_all_votes_does_not_part_honest_peers(
    peers: int, lies: int
) -> None:
    """Byzantine peers vote towards seat 0, which goes on; then they show the others a second message, before
    any vote came to these, and give no views. With a majority of removals the others would fork."""
    byzantine = set(range(3, peers))

    def mute(cheat: Scripted, out: Actions) -> Actions:
        if any(is_of(s.raw, RECORD, attempt=0) and s.to for s in own(cheat, out)):
            rest = tuple(key.peer for key in identities(peers)[1:3])
            votes = [cheat.sealed(RECORD, bytes([k])) for k in range(lies)]
            out.messages += [Send(rest, raw) for raw in (cheat.sealed(GRADIENT, b"x"), *votes)]
        if cheat.now < 30.0:
            out.messages[:] = [s for s in out.messages if (e := envelope(s.raw)) and e.phase != ENDORSE]
        return out

    def delay(sender: int, to: int, raw: bytes, now: float) -> float:
        said = envelope(raw)
        if said is None:
            return 0.5
        if said.step == 1 and said.phase == RECORD and len(said.payload) > 1:
            return 0.0 if to == 0 else 0.9
        return 0.01 if len(said.payload) <= 1 else 0.0

    net = Rig(peers, delay=delay, cheats=dict.fromkeys(byzantine, sending(mute))).run()
    assert {seat for seat, _, _ in net.removals()} <= byzantine
    assert kinds(net).count(STEP) == 3


@pytest.mark.parametrize("phase", [GRADIENT, AGGREGATE, REVEAL, SCALARS, ACCUSE, RECORD])
@pytest.mark.parametrize("heard", [1, 2, 3])
def test_whoever_equivocates_towards_some_is_banned_and_nobody_else_is(phase: str, heard: int) -> None:
    def second(cheat: Scripted, out: Actions) -> None:
        out.messages.append(Send(cheat.others[:heard], cheat.sealed(phase, b"x")))

    net = Rig(4, cheats={2: speaking(phase, second)}).run()
    assert {seat for seat, _, _ in net.removals()} <= {2}
    assert all(kind == BAN for _, kind, _ in net.removals())
    assert kinds(net).count(STEP) == 3


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase not in ("relay", "verdict")])
def test_silence_in_a_phase_never_ends_the_seat_of_anybody_who_spoke(phase: str) -> None:
    net = Rig(4, cheats={2: falls_silent(phase)}).run()
    assert {seat for seat, _, _ in net.removals()} <= {2}
    assert kinds(net).count(STEP) == 3


# ---------------------------------------------------------------- those that only lost the step


def without_step_of_seat_1(net: Rig, kept_from: str = "") -> Delay:
    """Seat 1 is cut off in attempt 0 of step 1; then seat 3 keeps its messages of a phase from it."""

    def delay(sender: int, to: int, raw: bytes, now: float) -> float | None:
        state = net.peers[1].machine.state
        if sender == 1 and (state.step, state.attempt) == (1, 0):
            return None
        return None if (sender, to) == (3, 1) and is_of(raw, kept_from, attempt=1) else 0.0

    return delay


@pytest.mark.parametrize("kept_from", [GRADIENT, AGGREGATE])
@pytest.mark.parametrize("second_in", [AGGREGATE, REVEAL, SCALARS, ACCUSE, RECORD])
def test_a_follower_that_is_told_less_than_the_others_is_back_in_the_next_step(
    kept_from: str, second_in: str
) -> None:
    def second(cheat: Scripted, out: Actions) -> None:
        out.messages.append(Send(cheat.others, cheat.sealed(second_in, b"x")))

    net = Rig(5, cheats={3: speaking(second_in, second, attempt=1)})
    net.delay = without_step_of_seat_1(net, kept_from)
    net.run()
    assert net.removals() - {(3, BAN, "equivocation")} == {(1, MISS, "silent in phase gradient")}
    assert net.agreed()[1].kind == ABORT
    assert kinds(net).count(STEP) == 3
    assert len(net.peers[1].machine.state.participants) >= 4


def test_an_evidence_that_only_a_follower_sees_makes_it_dispute_nothing() -> None:
    def second(cheat: Scripted, out: Actions) -> None:
        out.messages.append(Send((identities(5)[1].peer,), cheat.sealed(RECORD, b"x")))

    net = Rig(5, cheats={3: speaking(RECORD, second, attempt=1)})
    net.delay = without_step_of_seat_1(net)
    net.run()
    assert kinds(net) == [STEP, ABORT, STEP, STEP, CLOSE]


def test_a_follower_goes_on_in_time_though_its_link_to_one_peer_is_slow() -> None:
    net = Rig(5, config=replace(CONFIG, phase_s=4.0))
    without = without_step_of_seat_1(net)
    net.delay = lambda sender, to, raw, now: None if without(sender, to, raw, now) is None else float(to == 1)
    net.run()
    assert net.removals() == {(1, MISS, "silent in phase gradient")}
