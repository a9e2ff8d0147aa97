"""What a narrow uplink and lies about transfers may cost: time and parts, never an honest seat."""

from __future__ import annotations

import pytest

from btard.adversary import ADVERSARIES, registry
from btard.protocol.constants import ProtocolConfig
from btard.protocol.record import ABORT, CLOSE, MISS, STEP
from btard.simulation import Byzantine, Cut, Outcome, Scenario, Uplink, Weather, World
from btard.simulation.host import identity_of
from btard.simulation.task import DIMENSION
from tests.simulation.plants import complaining_of

SEED = 4
WEATHER = Weather(typical_s=0.05, worst_s=0.4, loss=0.0, blob_s=0.1)


def narrow(peers: int, parts_s: float) -> tuple[Uplink, ...]:
    """Uplinks that send the parts of a step to all others in this time."""
    return (Uplink(1e9, 4 * DIMENSION / parts_s),) * peers


def go(**what: object) -> tuple[World, Outcome]:
    world = World(Scenario(**{"seed": SEED, "weather": WEATHER, **what}))  # type: ignore[arg-type]
    outcome = world.run()
    assert outcome.violation is None, outcome.violation.text
    return world, outcome


@pytest.mark.parametrize("peers", [6, 13])
def test_delta_max_below_the_usual_norms_costs_transfers_and_no_seat(peers: int) -> None:
    config = ProtocolConfig(validators=2, delta_max=0.02, tau=0.02)
    examined, _ = go(peers=peers, config=config, uplinks=narrow(peers, 1.5))
    plain, _ = go(peers=peers, config=ProtocolConfig(validators=2), uplinks=narrow(peers, 1.5))
    assert len(examined.records[-1].state.members) == peers
    assert {recorded.entry.record.kind for recorded in examined.records} == {STEP, CLOSE}
    assert examined.now > plain.now


@pytest.mark.parametrize(("peers", "liars", "parts_s"), [(16, 7, 3.0), (7, 3, 1.5)])
def test_liars_that_all_complain_of_one_honest_peer_do_not_end_its_seat(
    monkeypatch: pytest.MonkeyPatch, peers: int, liars: int, parts_s: float
) -> None:
    victim = identity_of(SEED, 0).peer
    kind = complaining_of(victim)
    monkeypatch.setitem(registry._CLASSES, "complaining", kind)  # type: ignore[arg-type]
    monkeypatch.setitem(ADVERSARIES, "complaining", kind)  # type: ignore[arg-type]
    world, _ = go(
        peers=peers,
        config=ProtocolConfig(validators=2),
        uplinks=narrow(peers, parts_s),
        byzantine=tuple(Byzantine(peers - 1 - k, "complaining") for k in range(liars)),
    )
    assert victim in world.records[-1].state.members


def test_honest_sender_with_a_broken_link_of_which_all_liars_complain_may_miss_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    victim = identity_of(SEED, 0).peer
    kind = complaining_of(victim)
    monkeypatch.setitem(registry._CLASSES, "complaining", kind)  # type: ignore[arg-type]
    monkeypatch.setitem(ADVERSARIES, "complaining", kind)  # type: ignore[arg-type]
    world, _ = go(
        peers=5,
        steps=2,
        byzantine=(Byzantine(3, "complaining"), Byzantine(4, "complaining")),
        cuts=(Cut(0, 1, 0.0, 1e9, control=False),),
    )
    aborts = [recorded.entry.record for recorded in world.records if recorded.entry.record.kind == ABORT]
    lost = {removal.kind for record in aborts for removal in record.removals if removal.peer == victim}
    assert lost <= {MISS}
    assert victim in world.records[-1].state.members
