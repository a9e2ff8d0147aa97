"""Every checker is shown the bug that it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btard.machine import Actions, Adopt, BlobHeld, Effect
from btard.node.driver import Driver, Offer, Work
from btard.protocol import butterfly, rules
from btard.protocol.agreed import Seating, Sets
from btard.protocol.clock import Clock
from btard.protocol.messages import SCALARS
from btard.protocol.outputs import Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.state import RosterState
from btard.simulation import Byzantine, Crash, Slow
from btard.types import Digest, Fault, FaultKind, PeerId
from tests.simulation.plants import edit_records, plant, swarm, violated

Change = Callable[[Recorded], Recorded]


def record_with(**values: Any) -> Change:
    """A record with other values."""

    def change(recorded: Recorded) -> Recorded:
        return replace(
            recorded, entry=replace(recorded.entry, record=replace(recorded.entry.record, **values))
        )

    return change


@pytest.mark.parametrize(
    "change",
    [record_with(coin=bytes(32)), lambda recorded: replace(recorded, state=replace(recorded.state, index=9))],
    ids=["record", "state after it"],
)
def test_agreement_notices_a_machine_that_differs(change: Change) -> None:
    world = swarm()
    plant(world.hosts[2], edit_records(change))
    assert violated(world) == "agreement"


def test_models_notices_a_peer_that_applies_another_aggregate() -> None:
    world = swarm()
    host = world.hosts[1]
    perform = host.perform

    def other(effect: Effect) -> Any:
        if isinstance(effect, Adopt):
            parts = tuple(host.engine.gradient(effect.step, bytes(32), 5))
            host.engine.update(effect.step, parts)
        return perform(effect)

    host.perform = other
    assert violated(world) == "models"


def find_malformed(monkeypatch: pytest.MonkeyPatch, seat: int) -> None:
    """Plant a rule that finds the peer in this seat guilty of nothing."""

    def anybody(seating: Seating, phase: str, sets: Sets) -> list[int]:
        return [seat] if phase == SCALARS and len(seating.participants) == 5 else []

    monkeypatch.setattr(rules, "_malformed", anybody)


def test_innocence_notices_a_rule_that_bans_honest_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    find_malformed(monkeypatch, 0)
    assert violated(swarm()) == "innocence"


def test_seats_notices_a_rule_that_takes_a_step_from_honest_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(butterfly, "withheld_aggregates", lambda reveals, parts: (parts - 1,))
    assert violated(swarm()) == "seats"


def test_causes_notices_a_ban_for_what_an_adversary_does_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    world = swarm(byzantine=(Byzantine(0, "sign_flip"),))
    find_malformed(monkeypatch, sorted(host.peer for host in world.hosts).index(world.hosts[0].peer))
    assert violated(world) == "causes"


def test_blame_notices_a_machine_that_finds_fault_with_honest_peers() -> None:
    world = swarm()
    plant(world.hosts[4], lambda out: out.faults.append(Fault(world.hosts[0].peer, FaultKind.FLOOD)))
    assert violated(world) == "blame"


def test_progress_notices_peers_that_wait_too_long_for_one_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Clock, "hard", property(lambda self: self.soft + 10_000.0))
    assert violated(swarm(crashes=(Crash(2, 1, "aggregate"),))) == "progress"


def test_progress_notices_an_attempt_that_was_for_nothing() -> None:
    world = swarm(byzantine=(Byzantine(0, "false_reveal"),))
    world.checkers = [each for each in world.checkers if each.name == "progress"]
    plant(world.hosts[1], edit_records(record_with(removals=())))
    assert violated(world) == "progress"


def test_progress_notices_a_machine_that_keeps_asking_for_the_same_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = swarm()
    monkeypatch.setattr(PeerMachine, "wake", 1.0)
    assert violated(world) == "progress"


def test_strikes_notices_a_missed_step_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    after = RosterState.after

    def unforgiving(self: RosterState, record: Any, finished: Any) -> RosterState:
        state = after(self, record, finished)
        return replace(state, excluded=self.excluded or state.excluded)

    monkeypatch.setattr(RosterState, "after", unforgiving)
    assert violated(swarm(slow=(Slow(2, 0, 30.0),))) == "strikes"


def test_buffers_notices_a_machine_that_keeps_all_it_hears() -> None:
    world = swarm(peers=4, steps=2)
    kept: list[object] = []
    for host in world.hosts:
        host.machine.kept = kept  # type: ignore[attr-defined]
        plant(host, lambda out: kept.extend([k] for k in range(100)))
    assert violated(world) == "buffers"


def test_ending_notices_a_swarm_that_falls_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    world = swarm()
    monkeypatch.setattr(PeerMachine, "wake", None)

    def silence(out: Actions) -> None:
        out.messages.clear()
        out.effects.clear()

    for host in world.hosts:
        plant(host, silence)
    assert violated(world) == "ending"


def fall(*_: object) -> None:
    raise ValueError("planted")


def test_exception_that_leaves_a_machine_is_a_violation() -> None:
    world = swarm()
    plant(world.hosts[0], fall)
    assert violated(world) == "exceptions"


def test_exception_that_leaves_an_effect_is_a_violation() -> None:
    world = swarm()
    world.hosts[0].perform = fall
    assert violated(world) == "exceptions"


def test_seats_notices_a_driver_that_believes_what_an_offer_claims(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered, claims = Driver.offered, {}

    def believing(self: Driver, sender: PeerId, name: Digest, size_bytes: int) -> Offer:
        claims[name] = size_bytes
        return offered(self, sender, name, size_bytes)

    def held(self: Driver, name: Digest, now: float) -> Work:
        return self._handle(BlobHeld(name, claims[name], True), now)

    liar = (Byzantine(4, "false_offer"),)
    assert swarm(byzantine=liar).run().violation is None
    monkeypatch.setattr(Driver, "offered", believing)
    monkeypatch.setattr(Driver, "held", held)
    assert violated(swarm(byzantine=liar)) == "seats"
