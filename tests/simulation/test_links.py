"""Uplinks serialise what a peer sends, cuts keep what they say from arriving, a processor takes its time."""

from __future__ import annotations

import pytest

from btard.errors import ConfigurationError
from btard.simulation import Byzantine, Crash, Cut, Scenario, Uplink, Weather
from btard.simulation.breaks import broken_parts, excess
from btard.simulation.drawing import draw_scenario
from btard.simulation.host import processor_s
from btard.simulation.links import Links
from btard.simulation.world import World

STILL = Weather(typical_s=0.0, loss=0.0, blob_s=0.0)


def links(*cuts: Cut, byzantine: tuple[int, ...] = ()) -> Links:
    uplink = Uplink(control_bytes_s=100.0, blob_bytes_s=10.0)
    return Links(1, STILL, cuts, byzantine, {peer: uplink for peer in range(4)})


def test_messages_leave_one_after_the_other_over_all_links() -> None:
    wires = links()
    assert [wires.control(0, to, 50, 0.0) for to in (1, 2, 3)] == [0.5, 1.0, 1.5]
    assert wires.control(0, 1, 50, 10.0) == 10.5
    assert wires.control(1, 0, 50, 0.0) == 0.5


def test_blobs_do_not_hold_up_messages() -> None:
    wires = links()
    assert [wires.blob(0, to, 100, 0.0) for to in (1, 2)] == [10.0, 20.0]
    assert wires.control(0, 1, 100, 0.0) == 1.0


def test_uplink_of_a_cheat_is_as_fast_as_it_likes() -> None:
    wires = links(byzantine=(0,))
    assert wires.control(0, 1, 10**6, 0.0) == wires.blob(0, 1, 10**6, 0.0) == 0.0


@pytest.mark.parametrize(
    ("cut", "arrives"),
    [
        (Cut(0, 1, 0.0, 9.0), (False, False, False, False)),
        (Cut(0, 1, 0.0, 9.0, one_way=True), (False, False, True, True)),
        (Cut(0, 1, 0.0, 9.0, control=False), (True, False, True, False)),
        (Cut(0, 1, 0.0, 9.0, blobs=False, one_way=True), (False, True, True, True)),
        (Cut(0, 1, 5.0, 9.0), (True, True, True, True)),
    ],
)
def test_cut_keeps_what_it_says_from_arriving(cut: Cut, arrives: tuple[bool, ...]) -> None:
    wires = links(cut)
    there = (wires.control(0, 1, 1, 1.0), wires.blob(0, 1, 1, 1.0))
    back = (wires.control(1, 0, 1, 1.0), wires.blob(1, 0, 1, 1.0))
    assert tuple(arrival is not None for arrival in (*there, *back)) == arrives


def test_messages_that_come_at_once_are_read_one_after_the_other() -> None:
    host = World(Scenario(1, 4)).hosts[0]
    took = processor_s(1000)
    assert [host.ready_at(1.0, 1000) for _ in range(3)] == pytest.approx(
        [1 + took, 1 + 2 * took, 1 + 3 * took]
    )
    assert host.ready_at(1.0, 0) == pytest.approx(1 + 3 * took)
    assert host.behind_s == pytest.approx(3 * took)
    assert host.ready_at(2.0, 0) == 2.0


def cut(*pairs: tuple[int, int], control: bool = True, blobs: bool = True) -> tuple[Cut, ...]:
    return tuple(Cut(one, other, 0.0, 1e9, control, blobs) for one, other in pairs)


def test_links_that_a_third_peer_bridges_may_be_broken() -> None:
    assert excess(cut((0, 1)), range(5), 5) is None
    assert excess(cut((0, 1), (2, 3)), range(5), 5) is None


def test_links_that_nobody_bridges_are_too_many() -> None:
    assert "relay messages" in str(excess(cut((0, 1), (1, 2), blobs=False), range(3), 5))
    assert "relay blobs" in str(excess(cut((0, 1), (1, 2), control=False), range(3), 5))


def test_somebody_must_hear_enough_calls() -> None:
    assert excess(cut((0, 1)), range(4), 7) is None
    assert excess(cut((0, 1), (2, 3)), range(4), 7) == "no steady peer hears 4 calls"
    assert excess(cut((0, 1), (2, 3), control=False), range(4), 7) is None


def test_a_peer_may_lack_few_parts() -> None:
    assert "broken links with 2 of 4" in str(excess(cut((0, 1), (0, 2), control=False), range(4), 4))
    assert broken_parts(cut((0, 1), (0, 2)), range(2), 0) == (1, 1)


def test_scenario_with_more_broken_links_than_that_is_refused() -> None:
    crashes = tuple(Crash(peer, 0, "aggregate") for peer in (4, 5, 6))
    with pytest.raises(ConfigurationError, match="hears 4 calls: cut fewer links"):
        Scenario(1, 7, crashes=crashes, cuts=cut((0, 1), (2, 3)))


def test_drawn_scenarios_break_links_in_every_way() -> None:
    drawn = [draw_scenario(seed) for seed in range(200)]
    cuts = [each for scenario in drawn for each in scenario.cuts]
    assert {(c.control, c.blobs, c.one_way) for c in cuts} == {
        (control, blobs, way)
        for control, blobs in ((True, True), (True, False), (False, True))
        for way in (True, False)
    }
    assert {len(scenario.cuts) for scenario in drawn} == {0, 1, 2, 3, 4}
    assert all(len(scenario.uplinks) == scenario.peers for scenario in drawn)
    assert any(scenario.config.delta_max < 0.1 for scenario in drawn)
    assert Byzantine in {type(each) for scenario in drawn for each in scenario.byzantine}
