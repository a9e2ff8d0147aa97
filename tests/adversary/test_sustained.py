"""Attacks that can be made step after step: alone among four honest peers, and by seven of sixteen."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from btard.adversary import ADVERSARIES, parse_adversary
from btard.adversary.liar import FIELDS
from btard.simulation.runner import Overrides, run_seed
from tests.adversary.swarm import Removals, outcome, swarm
from tests.rig import Rig

STEPS = 8
LINK_S = 0.05


def lost(*removals: tuple[str, str]) -> Removals:
    return {("adversary", kind, reason) for kind, reason in removals}


OUTCOMES: list[tuple[str, Removals]] = [
    ("composite", lost(("leave", "slow"))),
    ("dispute_each_phase", set()),
    ("dodge", lost(("miss", "silent in phase gradient"), ("ban", "false gradient"))),
    ("flood", set()),
    ("late", lost(("leave", "slow"))),
    ("late(until=soft)", lost(("leave", "slow"))),
    ("late(until=free)", set()),
    ("late_publisher", set()),
    ("late_publisher(what=aggregate, wait=1.5)", lost(("leave", "withheld aggregate"))),
    ("late_publisher(what=parts, wait=1.5)", lost(("miss", "withheld part"), ("leave", "withheld part"))),
    ("liar", lost(("miss", "silent in phase record"))),
    *((f"liar(what={what})", set()) for what in FIELDS if what != "record"),
    ("liar(what=record)", lost(("miss", "silent in phase record"), ("leave", "silent in phase record"))),
    ("liar(what=missing, count=4)", lost(("miss", "unreachable"), ("leave", "unreachable"))),
    ("selective", lost(("miss", "withheld part"), ("leave", "withheld part"))),
    ("selective(complains=false)", lost(("miss", "withheld part"), ("leave", "withheld part"))),
    ("views_only", lost(("leave", "slow"))),
]


def alone(text: str, **rig: Any) -> Rig:
    term = parse_adversary(text)
    return swarm((term.name, dict(term.arguments)), honest=4, steps=STEPS, **rig).run()


@pytest.mark.parametrize(("text", "expected"), OUTCOMES, ids=[text for text, _ in OUTCOMES])
def test_sustained_attack_meets_its_end_and_training_goes_on(text: str, expected: Removals) -> None:
    rig = alone(text)
    assert outcome(rig) == expected
    assert {reason for _, _, reason in expected} <= ADVERSARIES[parse_adversary(text).name].reasons
    assert {peer.machine.state.step for peer in rig.honest} == {STEPS}
    assert len(rig.models()) == 1


@pytest.mark.parametrize("kind", sorted({parse_adversary(text).name for text, _ in OUTCOMES}))
def test_seven_of_sixteen_that_attack_alike_break_no_property(kind: str) -> None:
    overrides = Overrides(peers=16, steps=1, kinds=(kind,) * 7)
    found = run_seed(1, overrides)
    assert found.violation is None, f"{overrides.command(1)}\n{found.violation.text}"


def acts(rig: Rig) -> Counter[str]:
    assert rig.byzantine[0].adversary is not None
    return rig.byzantine[0].adversary.behaviours


@pytest.mark.parametrize("what", ["silent", "equivocal", "took", "late", "missing", "available", "record"])
def test_each_lie_is_told_and_counted(what: str) -> None:
    assert set(acts(alone(f"liar(what={what})"))) == {"liar"}


def test_colluders_lie_in_one_field_and_about_the_same_peers() -> None:
    rig = swarm("liar", "liar", "liar", honest=4, steps=1)
    for peer in rig.byzantine:
        peer.driver.begin(0.0)
    cheats = [peer.adversary for peer in rig.byzantine]
    assert len({getattr(cheat, "lie", None) for cheat in cheats}) == 1
    assert len({cheat.prey for cheat in cheats if cheat is not None}) == 1


def test_a_late_peer_speaks_before_each_deadline_and_the_others_wait_for_it() -> None:
    rig = alone("late(until=soft, phase=scalars)")
    assert rig.now >= 2 * rig.genesis.config.phase_s
    assert set(acts(rig)) == {"late"}


def test_messages_kept_back_are_sent_when_they_are_due() -> None:
    rig = alone("late(phase=record)", delay=lambda *_: LINK_S)
    assert set(acts(rig)) == {"late"}
    assert [record.kind for record in rig.agreed()] == [*["step"] * STEPS, "close"]


def test_what_a_flood_sends_is_well_formed_and_costs_the_others_no_time() -> None:
    rig = alone("flood(rate=50)", delay=lambda *_: LINK_S)
    honest = swarm(honest=5, steps=STEPS, delay=lambda *_: LINK_S).run()
    assert rig.now == pytest.approx(honest.now)
    assert acts(rig)["flood"] >= STEPS
    assert outcome(rig) == set()


def test_a_dodging_balancer_shifts_the_model_before_it_is_drawn() -> None:
    rig = swarm(*["dodge"] * 3, honest=4, steps=3).run()
    assert "honest" not in {who for who, _, _ in outcome(rig)}
    assert rig.models() != swarm(honest=7, steps=3).run().models()


@pytest.mark.parametrize("phase", ["gradient", "scalars"])
def test_views_that_hide_what_they_hold_hide_it_from_nobody(phase: str) -> None:
    liar = ("liar", {"what": "views"})
    rig = swarm(liar, liar, ("silent", {"phase": phase}), honest=4, steps=3).run()
    assert set(acts(rig)) == {"liar"}
    assert {why for _, _, why in outcome(rig)} == {f"silent in phase {phase}"}
    assert "honest" not in {who for who, _, _ in outcome(rig)}
    members = rig.honest[0].machine.state.members
    assert [peer.name in members for peer in rig.byzantine] == [True, True, False]
