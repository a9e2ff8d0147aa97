"""What a swarm goes through, by name, in virtual time; all checkers look on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from btard.protocol.messages import AGGREGATE, PHASES, RECORD, REVEAL, SCALARS
from btard.protocol.record import ABORT, BAN, CLOSE, LEAVE, MISS, STEP, Removal
from btard.simulation import Byzantine, Crash, Cut, Outcome, Scenario, Slow, Weather, World


def go(**what: object) -> tuple[World, Outcome]:
    """Run a scenario of five peers and three steps, and let nothing be violated."""
    scenario = Scenario(**{"seed": 7, "peers": 5, "steps": 3, **what})  # type: ignore[arg-type]
    world = World(scenario)
    outcome = world.run()
    assert outcome.violation is None, outcome.violation.text
    assert outcome.steps == scenario.steps
    return world, outcome


CALM = Weather(worst_s=0.4)
"""What goes around a broken link takes two hops, within delta_s."""


def removals(world: World, peer: int) -> Iterator[Removal]:
    for recorded in world.records:
        yield from (r for r in recorded.entry.record.removals if world.index_of[r.peer] == peer)  # type: ignore[index]


def kinds(world: World) -> list[str]:
    return [recorded.entry.record.kind for recorded in world.records]


def _loss(world: World) -> float:
    return world.hosts[0].engine.evaluate()["loss"]


def test_undisturbed_swarm_needs_one_attempt_a_step_and_no_dispute() -> None:
    world, outcome = go()
    assert kinds(world) == [STEP, STEP, STEP, CLOSE]
    assert (outcome.disputes, outcome.restarts, outcome.bans) == (0, 0, ())


def test_training_gets_somewhere() -> None:
    world, _ = go(steps=5)
    assert _loss(world) < _loss(World(world.scenario))


def test_largest_minority_of_one_kind_is_out_after_its_wrong_aggregates() -> None:
    _, outcome = go(peers=7, byzantine=tuple(Byzantine(peer, "wrong_aggregate") for peer in (0, 1, 2)))
    assert outcome.bans == (("wrong_aggregate", "wrong aggregate"),) * 3


@pytest.mark.parametrize("phase", PHASES)
def test_peer_that_crashes_in_any_phase_loses_its_seat_and_no_one_else_does(phase: str) -> None:
    world, outcome = go(crashes=(Crash(1, 0, phase),))
    assert outcome.bans == ()
    assert {removal.kind for removal in removals(world, 1)} <= {MISS, LEAVE}


def test_peer_that_crashes_after_the_commitment_leaves_the_others_a_whole_step() -> None:
    world, outcome = go(crashes=(Crash(1, 1, AGGREGATE),))
    assert outcome.crashes == 1
    assert next(removal.kind for removal in removals(world, 1)) == MISS
    assert kinds(world)[:2] == [STEP, ABORT]


def test_last_words_that_only_half_of_the_peers_heard_bind_all_or_none() -> None:
    go(crashes=(Crash(1, 1, RECORD, heard=0.5),))
    go(crashes=(Crash(1, 1, SCALARS, heard=0.5), Crash(4, 0, REVEAL, heard=0.5)))


def test_withheld_reveal_costs_the_seat_and_the_coin_is_drawn_again() -> None:
    world, _ = go(byzantine=(Byzantine(2, "withheld_reveal"),))
    assert [removal.kind for removal in removals(world, 2)] == [LEAVE]
    assert world.records[-1].state.coin != world.genesis.coin


def test_broken_link_between_two_honest_peers_takes_the_part_from_both() -> None:
    world, outcome = go(weather=CALM, cuts=(Cut(0, 3, 0.0, 1e9),))
    assert outcome.bans == ()
    assert all(recorded.entry.record.removals == () for recorded in world.records)
    one, other = world.hosts[0].peer, world.hosts[3].peer
    charged = [{c.sender, c.receiver} for r in world.records for c in r.entry.record.complaints]
    assert charged == [{one, other}] * 2
    assert not {one, other} & set(world.records[-1].state.aggregators)


def test_link_that_only_loses_tensors_costs_nobody_a_seat() -> None:
    world, _ = go(weather=CALM, cuts=(Cut(0, 3, 0.0, 1e9, control=False),))
    assert len(world.records[-1].state.members) == 5


def test_peer_that_is_slow_by_many_steps_loses_its_seat_and_holds_nobody_up_for_good() -> None:
    world, _ = go(slow=(Slow(2, 1, 30.0),), steps=5, seed=1)
    assert [removal.kind for removal in removals(world, 2)][-1] == LEAVE
    assert len({host.engine.model_digest for host in world.hosts if host.index != 2}) == 1


def test_peer_that_is_slow_by_a_step_keeps_its_seat() -> None:
    world, _ = go(slow=(Slow(2, 1, 3.0),), steps=5, seed=1)
    assert list(removals(world, 2)) == []


def test_late_messages_of_cheats_delay_but_remove_nobody_honest() -> None:
    weather = Weather(byzantine_late=0.5)
    go(peers=7, weather=weather, byzantine=tuple(Byzantine(peer, "sign_flip") for peer in (1, 3, 5)))


def test_messages_that_overtake_each_other_change_nothing_but_the_times() -> None:
    storm = Weather(typical_s=0.3, loss=0.3, ordered=False)
    calm, _ = go()
    rough, _ = go(weather=storm)

    def decided(world: World) -> list[tuple[object, ...]]:
        records = [recorded.entry.record for recorded in world.records]
        return [(r.kind, r.removals, r.complaints, r.coin, r.model) for r in records]

    assert decided(rough) == decided(calm)


def test_banned_peer_finds_out() -> None:
    world, _ = go(byzantine=(Byzantine(2, "false_reveal"),))
    ended = world.hosts[2].machine.ended
    assert ended is not None
    assert "was banned" in ended.reason
    assert [removal.kind for removal in removals(world, 2)] == [BAN]
