"""A local swarm: who misbehaves, and how long it takes to catch them."""

from __future__ import annotations

from typing import Any

import pytest

from btard.adversary import parse_adversaries
from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.protocol.detection import chance_to_escape, default_validators, steps_to_catch
from btard.protocol.state import draw_pairs
from btard.run.admission import Allow
from btard.run.plan import plan_run
from btard.swarm.spec import SwarmSpec
from btard.types import PeerId
from tests.node.nodes import a_plan


def test_last_peers_are_byzantine_and_know_of_each_other() -> None:
    sleeper, silent = terms = parse_adversaries("sign_flip(start=1), silent")
    spec = SwarmSpec(a_plan(5), terms, attack_start=2)
    assert [spec.kind(index) for index in range(5)] == [None, None, None, sleeper, silent]
    assert spec.colluders == spec.peers[3:]
    first, *_, fourth, fifth = (spec.adversary(index) for index in range(5))
    assert first is None
    assert fourth is not None
    assert fifth is not None
    assert (fourth.me, fourth.colluders) == (spec.peers[3], tuple(sorted(spec.colluders)))
    assert (fourth.start, fifth.start) == (1, 2)


def test_keys_follow_from_the_seed_and_no_two_are_alike() -> None:
    spec = SwarmSpec(a_plan(5))
    assert spec.peers == SwarmSpec(a_plan(5)).peers
    assert len(set(spec.peers)) == 5


@pytest.mark.parametrize(
    ("byzantine", "start", "match"),
    [
        ("silent*3", 0, "use at most 2"),
        ("", 3, "use 0 to 2"),
        ("", -1, "use 0 to 2"),
    ],
)
def test_swarm_that_cannot_be_is_refused(byzantine: str, start: int, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        SwarmSpec(a_plan(5, 3), parse_adversaries(byzantine), start)


@pytest.mark.parametrize(("peers", "byzantine", "validators"), [(4, 1, 1), (8, 3, 2), (16, 7, 4)])
def test_chance_to_escape_is_that_of_the_draw(peers: int, byzantine: int, validators: int) -> None:
    names = [PeerId(bytes([k]) * 32) for k in range(peers)]
    honest, cheat = set(names[byzantine:]), names[0]
    trials = 4000
    caught = 0
    for k in range(trials):
        pairs = draw_pairs(digest("trial", k.to_bytes(4, "little")), names, validators)
        caught += any(validator in honest and target == cheat for validator, target in pairs)
    expected = 1 - chance_to_escape(peers, byzantine, validators, 1)
    # Five standard deviations of a frequency.
    assert abs(caught / trials - expected) < 5 * (expected * (1 - expected) / trials) ** 0.5


def steps_until_all_are_caught(peers: int, byzantine: int, validators: int, trial: int) -> int:
    """Run until all cheats are out: each one that an honest validator draws loses its seat."""
    names = [PeerId(bytes([k]) * 32) for k in range(peers)]
    cheats, step = set(names[:byzantine]), 0
    while cheats:
        step += 1
        coin = digest("trial", trial.to_bytes(4, "little"), step.to_bytes(4, "little"))
        found = {t for v, t in draw_pairs(coin, names, validators) if t in cheats and v not in cheats}
        cheats -= found
        names = [name for name in names if name not in found]
    return step + 1  # the gradients of a step are examined in the next


@pytest.mark.parametrize(("peers", "byzantine", "validators"), [(4, 1, 1), (7, 3, 2), (8, 2, 4)])
def test_as_many_steps_as_planned_catch_all_cheats(peers: int, byzantine: int, validators: int) -> None:
    planned = steps_to_catch(peers, byzantine, validators, confidence=0.98)
    trials = 300
    late = sum(
        steps_until_all_are_caught(peers, byzantine, validators, trial) > planned for trial in range(trials)
    )
    # The bound is 6 of 300 on average; 14 or more happen once in 250 at worst, and these draws are fixed.
    assert late < 14


def test_no_cheats_are_caught_at_once_and_more_confidence_takes_longer() -> None:
    assert steps_to_catch(8, 0, 2) == 1
    assert steps_to_catch(8, 2, 2, 0.9) < steps_to_catch(8, 2, 2, 0.999)
    assert [default_validators(peers) for peers in (2, 4, 8, 16)] == [1, 1, 2, 4]


def test_plan_takes_the_tasks_suggestions_and_as_many_steps_as_it_takes() -> None:
    plan = plan_run("quadratic", peers=8, byzantine=3, attack_start=5)
    assert plan.protocol.validators == 2
    assert plan.steps >= 5 + steps_to_catch(8, 3, 2)
    assert plan_run("quadratic", peers=8, byzantine=3, steps=2).steps == 2
    assert plan_run("quadratic", peers=8, validators=0, byzantine=3).protocol.validators == 0


@pytest.mark.parametrize(
    "wrong",
    [{"peers": 1}, {"peers": 4, "validators": 3}, {"peers": 4, "validators": -1}, {"peers": 4, "tau": -1.0}],
)
def test_plan_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        plan_run("quadratic", **{"peers": 4, **wrong})


def test_a_swarm_on_this_machine_gives_seats_to_its_own_peers_alone() -> None:
    spec = SwarmSpec(a_plan(6))
    admitted = spec.closed_plan.admission
    assert isinstance(admitted, Allow)
    assert set(admitted.peers) == {peer.hex() for peer in spec.peers}
    assert spec.plan.differences(spec.closed_plan) != []
    assert SwarmSpec(spec.closed_plan).peers == spec.peers
