"""The adversary that has all behaviours: what it picks, what it learns, what it counts."""

from __future__ import annotations

from collections import Counter

import pytest

from btard.adversary import ADVERSARIES, parse_adversary
from btard.adversary.composite import Composite
from btard.adversary.damage import Ledger
from btard.crypto import Identity
from btard.errors import ConfigurationError
from tests.adversary.swarm import outcome, swarm
from tests.rig import Rig

ME = Identity.from_seed(bytes(32))


def composite() -> Composite:
    made = parse_adversary("composite").make(ME, b"")
    assert isinstance(made, Composite)
    return made


def colluders(rig: Rig) -> list[Composite]:
    return [peer.adversary for peer in rig.byzantine if isinstance(peer.adversary, Composite)]


def test_it_can_do_what_all_other_kinds_do_and_lose_its_seat_for_the_same_reasons() -> None:
    kinds = {title.partition("(")[0] for title in composite().titles}
    assert kinds == set(ADVERSARIES) - {"composite"}
    others = [cls.reasons for kind, cls in ADVERSARIES.items() if kind != "composite"]
    assert frozenset().union(*others) == Composite.reasons


@pytest.mark.parametrize("explore", [-0.1, 1.5])
def test_a_chance_that_is_none_is_refused(explore: float) -> None:
    with pytest.raises(ConfigurationError, match="use 0 to 1"):
        parse_adversary(f"composite(explore={explore})")


def test_colluders_do_alike_what_ends_no_seat() -> None:
    rig = swarm(*[("composite", {"explore": 0.0})] * 3, honest=4, steps=3).run()
    kinds = [set(each.behaviours) - {"composite"} for each in colluders(rig)]
    assert kinds[0]
    assert kinds[0] == kinds[1] == kinds[2]


def test_what_it_does_is_counted_under_the_names_of_the_kinds() -> None:
    rig = swarm(*["composite"] * 3, honest=4, steps=12).run()
    done = sum((each.behaviours for each in colluders(rig)), Counter[str]())
    assert set(done) <= set(ADVERSARIES)
    assert len(done) > 2
    assert "honest" not in {who for who, _, _ in outcome(rig)}
    assert len(rig.models()) == 1


def test_it_goes_on_with_what_held_the_others_up_for_nothing() -> None:
    rig = swarm("liar", honest=4, steps=1).run()  # any records will do
    recorded, damage = rig.honest[0].recorded, Ledger()
    entry = recorded[0]
    damage.recorded(entry, (), (), 0.0)
    damage.recorded(entry, ("slow",), (), 60.0)
    damage.recorded(entry, ("quick",), (), 61.0)
    assert damage.scores["slow"] == 10.0, "steps of six delta_s"
    assert damage.best(["quick", "slow"]) == "slow"
    assert damage.best(["quick"]) is None
