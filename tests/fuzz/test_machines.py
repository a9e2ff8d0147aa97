"""The production driver and machine against a small batch of hostile sequences, and of swarms with a liar."""

from __future__ import annotations

from random import Random

import pytest

from btard.machine import Actions, Received, Send
from btard.protocol.messages import ACCUSE, AGGREGATE, ENDORSE, PHASES, REVEAL, SCALARS
from btard.protocol.peer import EARLY_BYTES_MAX, PeerMachine
from tests.cheats import MakeAdversary, Scripted, envelope, is_of, sending
from tests.fuzz.corpus import corpus
from tests.fuzz.material import BYZANTINE
from tests.fuzz.sequences import Sequence, kept_bytes, kept_bytes_max, read_sequence
from tests.fuzz.target import fuzz
from tests.fuzz.targets import MACHINES
from tests.rig import Rig

INPUTS = {"sequence": 60, "swarm": 12}
BY_NAME = {target.name: target for target in MACHINES}


@pytest.mark.parametrize("name", BY_NAME)
def test_hostile_events_raise_nothing_and_no_honest_peer_is_blamed(name: str) -> None:
    report = fuzz(BY_NAME[name], INPUTS[name], seed=1, corpus=corpus(name))
    assert report.failures == []
    assert report.inputs >= INPUTS[name]


def test_sequences_reach_faults_disputes_and_the_end_of_the_run() -> None:
    played = [read_sequence(b"%d" % seed) for seed in (*range(64), 183)]
    assert any(each.faults for each in played)
    assert any(each.peer.machine.attempt.in_dispute for each in played)
    assert any(each.ended for each in played)
    assert any(each.peer.machine.state.step for each in played)


def test_a_flood_is_kept_within_bounds_and_blamed_on_its_sender() -> None:
    sequence = Sequence(Random(0))
    sequence.run()
    peer = sequence.tape.rig.peer(0, sequence.keys[0])
    peer.driver.begin(0.0)
    flood = sequence.hostile.flood(peer.machine, 4000)
    sender = sequence.keys[BYZANTINE].peer
    faults = [fault for raw in flood for fault in peer.driver.received(sender, raw, 0.0).faults]
    assert {(fault.peer, str(fault.kind)) for fault in faults} == {(sender, "flood")}
    assert kept_bytes(peer.driver) < EARLY_BYTES_MAX < sum(map(len, flood))


def test_kept_bytes_are_those_of_everything_that_can_be_reached() -> None:
    body = bytes(1000)
    assert kept_bytes({"a": [Received(b"p" * 32, body), (body, Send((), body))]}) == 1000 + 32  # type: ignore[arg-type]
    assert kept_bytes_max(5, 2) > kept_bytes_max(4, 2)


def endorses_for_one_alone(told: int) -> MakeAdversary:
    """Say two things in REVEAL; endorse the ban that follows towards one peer, nonsense towards the rest."""

    def tamper(cheat: Scripted, out: Actions) -> Actions:
        sends: list[Send] = []
        for send in out.messages:
            said = envelope(send.raw)
            if said is not None and said.sender == cheat.me and said.phase == ENDORSE:
                only = (cheat.state.members[told],)
                rest = tuple(peer for peer in send.to if peer not in only)
                sends += (Send(rest, cheat.sealed(ENDORSE, b"nonsense")), Send(only, send.raw))
                continue
            sends.append(send)
            if is_of(send.raw, REVEAL, step=0) and said is not None and said.sender == cheat.me:
                sends.append(Send(send.to, cheat.sealed(REVEAL, b"another")))
        out.messages = sends
        return out

    return sending(tamper)


def test_an_endorsement_that_one_peer_alone_is_told_counts_for_all() -> None:
    """The peer of seat 0 hears everything late, but for endorsements: two of them end the attempt for it
    before it endorses anything itself, so the other honest peer cannot do without the liar's."""

    def delay(sender: int, to: int, raw: bytes, now: float) -> float:
        said = envelope(raw)
        return 0.3 if to == 0 and (said is None or said.phase != ENDORSE) else 0.0

    rig = Rig(3, 2, cheats={2: endorses_for_one_alone(told=0)}, delay=delay).run()
    assert {removal[0] for removal in rig.removals()} == {2}
    assert [record.kind for record in rig.agreed()] == ["abort", "step", "step", "close"]


def tells_one_another_thing(phase: str, told: int, lies_to_one: bool) -> MakeAdversary:
    """In a phase of step 1: the true message for one peer, a malformed one for the rest, or the other way
    round; then silence."""

    def is_over(machine: PeerMachine) -> bool:
        attempt = machine.attempt
        return machine.state.step == 1 and PHASES.index(attempt.phase) >= PHASES.index(phase)

    def tamper(cheat: Scripted, out: Actions) -> Actions:
        mine = [send for send in out.messages if is_of(send.raw, phase, step=1)]
        if mine and (said := envelope(mine[0].raw)) is not None and said.sender == cheat.me:
            one = (cheat.state.members[told],)
            rest = tuple(peer for peer in mine[0].to if peer not in one)
            lie = cheat.sealed(phase, b"malformed")
            true, false = (rest, one) if lies_to_one else (one, rest)
            out.messages = [Send(true, mine[0].raw), Send(false, lie)]
        elif cheat.machine is not None and is_over(cheat.machine):
            out.messages = []
        return out

    return sending(tamper)


@pytest.mark.parametrize("lies_to_one", [False, True])
@pytest.mark.parametrize("phase", [AGGREGATE, REVEAL, SCALARS, ACCUSE])
def test_peers_that_are_told_different_things_find_out_and_lose_nothing(
    phase: str, lies_to_one: bool
) -> None:
    rig = Rig(5, 2, cheats={0: tells_one_another_thing(phase, 2, lies_to_one)}).run()
    assert {removal[:2] for removal in rig.removals()} == {(0, "ban")}
