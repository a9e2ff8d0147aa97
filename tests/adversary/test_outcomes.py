"""What becomes of each adversary among three honest peers, and that these agree on everything."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from btard.adversary import ADVERSARIES, parse_adversary
from tests.adversary import test_sustained
from tests.adversary.swarm import CONFIG, Removals, outcome, swarm


def banned(reason: str) -> Removals:
    return {("adversary", "ban", reason)}


def seat_lost(reason: str) -> Removals:
    return {("adversary", "leave", reason)}


def struck_out(reason: str) -> Removals:
    return {("adversary", "miss", reason), ("adversary", "leave", reason)}


OUTCOMES: list[tuple[str, dict[str, Any], Removals]] = [
    ("sign_flip", {}, banned("false gradient")),
    ("label_flip", {}, banned("false gradient")),
    ("random_direction", {}, banned("false gradient")),
    ("delayed_gradient", {"delay": 1}, banned("false gradient")),
    ("ipm", {}, banned("false gradient")),
    ("ipm", {"epsilon": 0.1}, banned("false gradient")),
    ("alie", {}, banned("false gradient")),
    ("mimic", {}, banned("false gradient")),
    ("mimic", {"variant": "variance"}, banned("false gradient")),
    ("optimised_ipm", {}, banned("false gradient")),
    ("optimised_alie", {}, banned("false gradient")),
    ("nan_gradient", {}, struck_out("withheld part")),
    ("wrong_aggregate", {}, banned("wrong aggregate")),
    ("wrong_aggregate", {"shift": 1e-4}, banned("wrong aggregate")),
    ("colluding_aggregate", {"shift": 0.2}, banned("false gradient")),
    ("colluding_aggregate", {}, banned("wrong aggregate")),
    ("colluding_aggregate", {"shift": 5 * CONFIG.delta_max}, banned("wrong aggregate")),
    ("misreported_projection", {}, banned("false scalars")),
    ("misreported_projection", {"shift": 1e-6}, banned("false scalars")),
    ("misreported_projection", {"shift": 0.0, "norm_shift": 1.0}, banned("false scalars")),
    ("false_accusation", {"what": "row"}, banned("false accusation")),
    ("false_accusation", {"what": "gradient"}, banned("false accusation")),
    ("false_accusation", {"what": "both"}, banned("false accusation")),
    ("lazy_validator", {}, banned("false validation")),
    ("false_reveal", {}, banned("false reveal")),
    ("equivocation", {"phase": "gradient"}, banned("equivocation")),
    ("equivocation", {"phase": "aggregate"}, banned("equivocation")),
    ("equivocation", {"phase": "reveal"}, banned("equivocation")),
    ("equivocation", {"phase": "scalars"}, banned("equivocation")),
    ("garbage", {"phase": "gradient"}, banned("malformed message")),
    ("garbage", {"phase": "reveal"}, banned("malformed message")),
    ("garbage", {"phase": "accuse"}, banned("malformed message")),
    ("garbage", {"signed": False}, set()),
    ("premature_dispute", {"phase": "gradient"}, set()),
    ("premature_dispute", {"phase": "scalars"}, set()),
    ("false_offer", {}, set()),
    ("withheld_part", {}, struck_out("withheld part")),
    ("withheld_part", {"count": 3}, struck_out("withheld part")),
    ("withheld_aggregate", {}, seat_lost("withheld aggregate")),
    ("withheld_reveal", {}, seat_lost("silent in phase reveal")),
    ("silent", {"phase": "gradient"}, struck_out("silent in phase gradient")),
    ("silent", {"phase": "aggregate"}, struck_out("silent in phase aggregate")),
    ("silent", {"phase": "scalars"}, seat_lost("silent in phase scalars")),
    ("silent", {"phase": "accuse"}, seat_lost("silent in phase accuse")),
]


def name(value: object) -> str:
    return ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [pytest.param(*outcome, id="-".join(filter(None, map(name, outcome[:2])))) for outcome in OUTCOMES],
)
def test_adversary_meets_its_end_and_training_goes_on(
    kind: str, params: dict[str, Any], expected: Removals
) -> None:
    # A peer that only a validator finds, or that lies as one, must be drawn first.
    drawn = (banned("false gradient"), banned("false validation"), banned("false accusation"))
    steps = 8 if expected in drawn else 4
    rig = swarm((kind, params), steps=steps).run()
    assert outcome(rig) == expected
    assert {reason for _, _, reason in expected} <= ADVERSARIES[kind].reasons
    assert {peer.machine.state.step for peer in rig.honest} == {steps}
    assert len(rig.models()) == 1


def test_every_kind_of_adversary_has_met_its_end() -> None:
    sustained = {parse_adversary(text).name for text, _ in test_sustained.OUTCOMES}
    assert {kind for kind, _, _ in OUTCOMES} | sustained == set(ADVERSARIES)


def test_unsigned_noise_is_counted_as_its_senders_fault() -> None:
    rig = swarm(("garbage", {"signed": False, "count": 3}), steps=1).run()
    for peer in rig.honest:
        assert [(f.peer, f.kind) for f in peer.faults] == [(rig.byzantine[0].name, "malformed")] * 6


def test_adversary_attacks_from_its_start_on() -> None:
    rig = swarm(("false_reveal", {"start": 2}), steps=4).run()
    assert [record.step for record in rig.agreed() if record.removals] == [2]


@cache
def head_of_honest_peers() -> bytes:
    return swarm(honest=4, steps=2).run().honest[0].machine.state.head


@pytest.mark.parametrize("kind", ADVERSARIES)
def test_adversary_that_has_not_begun_is_an_honest_peer(kind: str) -> None:
    rig = swarm((kind, {"start": 100}), steps=2).run()
    assert rig.honest[0].machine.state.head == head_of_honest_peers()


@pytest.mark.parametrize(
    "kinds",
    [
        ("sign_flip", "wrong_aggregate", "lazy_validator"),
        ("alie", "alie", "alie"),
        ("mimic", "optimised_ipm", "optimised_alie"),
        ("equivocation", "false_accusation", "silent"),
        ("colluding_aggregate", "misreported_projection", "withheld_aggregate"),
    ],
    ids=str,
)
def test_three_of_seven_adversaries_lose_their_seats_and_no_honest_peer_does(kinds: tuple[Any, ...]) -> None:
    rig = swarm(*kinds, honest=4, steps=12).run()
    assert "honest" not in {who for who, _, _ in outcome(rig)}
    assert not {peer.name for peer in rig.byzantine} & set(rig.honest[0].machine.state.members)
    assert len(rig.models()) == 1


def test_the_same_seeds_give_the_same_ledger() -> None:
    kinds = ("random_direction", "false_accusation", "garbage")
    one, other = (swarm(*kinds, honest=4, steps=3).run() for _ in range(2))
    assert one.honest[0].machine.state.head == other.honest[0].machine.state.head
