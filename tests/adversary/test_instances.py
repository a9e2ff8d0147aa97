"""Two runs of one plan with the same keys: what was said in the first is worth nothing in the second.

Each attack is also made within one instance, as if the second run had the first one's id. There it succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import pytest

from btard.adversary import Adversary
from btard.crypto import digest
from btard.machine import Actions, Send
from btard.protocol import mprng
from btard.protocol.broadcast import audience
from btard.protocol.messages import AGGREGATE, GRADIENT, REVEAL, CoinReveal
from btard.protocol.outputs import FINISHED
from btard.protocol.peer import PeerMachine
from btard.protocol.record import BAN, CLOSE, STEP
from btard.run.config import RunPlan
from btard.types import Digest, FaultKind, PeerId
from btard.wire import Sealed, decode, open_sealed
from tests.node.nodes import a_plan
from tests.rig import CONFIG, Rig

PEERS, STEPS = 4, 6
PLAN: RunPlan = a_plan(PEERS, STEPS)
FIRST, SECOND = (PLAN.begin(bytes([k]) * 32).digest for k in (1, 2))
ATTACKER = 1


@cache
def first_run() -> tuple[Sealed, ...]:
    """The ledger of the first run, which is public: all messages that all honest peers signed."""
    rig = Rig(PEERS, STEPS, config=CONFIG, run=FIRST).run()
    entries = rig.peers[0].entries
    return tuple(_opened(raw) for entry in entries for raw in (*entry.transcript, *entry.certificate))


def _opened(raw: bytes) -> Sealed:
    sealed = open_sealed(raw)
    assert isinstance(sealed, Sealed)
    return sealed


def said_in(phase: str) -> Iterator[Sealed]:
    return (each for each in first_run() if each.envelope.phase == phase)


def shares() -> dict[tuple[int, int, PeerId], bytes]:
    """The shares of the first run, by step, attempt and peer."""
    return {
        (e.step, e.attempt, e.sender): decode(CoinReveal, e.payload).share
        for e in (sealed.envelope for sealed in said_in(REVEAL))
    }


def wish(step: int) -> Digest:
    """The coin that the attacker wants."""
    return digest("wish", step.to_bytes(8, "little"))


@dataclass(kw_only=True, eq=False)
class CoinMaster(Adversary):
    """Takes what is left after the shares that the others revealed in the first run as its own share."""

    def speak(self, phase: str, payload: Any) -> Any:
        state, known = self.seating.state, shares()
        xor = int.from_bytes(wish(state.step), "little")
        for peer in state.participants:
            if peer != self.me:
                xor ^= int.from_bytes(known[state.step, state.attempt, peer], "little")
        share, salt = xor.to_bytes(32, "little"), bytes(32)
        if phase == GRADIENT:
            return replace(payload, coin=mprng.share_commitment(self.me, share, salt))
        return replace(payload, share=share, salt=salt) if phase == REVEAL else payload


@dataclass(kw_only=True, eq=False)
class Replayer(Adversary):
    """Draws another share than in the first run, so that all sets differ; replays what the others said."""

    _replayed: bool = field(init=False, default=False)

    def speak(self, phase: str, payload: Any) -> Any:
        if phase == GRADIENT:
            return replace(payload, coin=mprng.share_commitment(self.me, bytes(32), bytes(32)))
        return replace(payload, share=bytes(32), salt=bytes(32)) if phase == REVEAL else payload

    def tamper(self, out: Actions, machine: PeerMachine, now: float) -> Actions:
        state = machine.attempt.state
        if not self._replayed and machine.attempt.phase == AGGREGATE:
            self._replayed = True
            old = (each for each in said_in(AGGREGATE) if each.envelope.step == state.step)
            to = audience(state.members, self.me)
            out.messages += [Send(to, each.raw) for each in old if each.envelope.sender != self.me]
        return out


def second_run(run: Digest, adversary: type[Adversary]) -> Rig:
    return Rig(PEERS, STEPS, config=CONFIG, run=run, cheats={ATTACKER: partial(adversary)}).run()


@pytest.mark.parametrize(
    ("run", "chosen"), [(SECOND, 0), (FIRST, STEPS)], ids=["another run", "the same run"]
)
def test_shares_of_one_run_choose_no_coin_of_another(run: Digest, chosen: int) -> None:
    """Even if the entropy of all peers were the same in both runs, as it is here."""
    records = second_run(run, CoinMaster).agreed()
    assert [record.kind for record in records] == [*[STEP] * STEPS, CLOSE]
    assert sum(record.coin == wish(record.step) for record in records[:STEPS]) == chosen


def test_messages_of_one_run_are_valid_in_no_slot_of_another() -> None:
    rig = Rig(PEERS, STEPS, config=CONFIG, run=SECOND)
    driver, sender = rig.peers[0].driver, rig.peers[2].name
    driver.begin(0.0)
    for sealed in first_run():
        faults = driver.received(sender, sealed.raw, 0.0).faults
        assert [(fault.peer, fault.kind) for fault in faults] == [(sender, FaultKind.WRONG_RUN)]
    assert rig.peers[0].machine.attempt.board.all_posts() == ()


def test_honest_peers_cannot_be_banned_with_what_they_signed_in_another_run() -> None:
    rig = second_run(SECOND, Replayer)
    assert rig.removals() == set()
    assert {peer.machine.ended.reason for peer in rig.honest if peer.machine.ended} == {FINISHED}
    replayed = {(fault.peer, fault.kind) for fault in rig.faults()}
    assert replayed == {(rig.peers[ATTACKER].name, FaultKind.WRONG_RUN)}


def test_within_one_run_the_same_attack_bans_honest_peers() -> None:
    rig = second_run(FIRST, Replayer)
    banned = {r.peer for peer in rig.honest for e in peer.entries for r in e.record.removals if r.kind == BAN}
    assert banned & {peer.name for peer in rig.honest}
