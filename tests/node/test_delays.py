"""Who is told that messages take too long for the run's delta_s."""

from __future__ import annotations

from btard.network.counters import ROUND_TRIPS_KEPT, Counters
from btard.node.delays import DelayWatch
from btard.types import PeerId

NEAR, FAR = PeerId(b"n" * 32), PeerId(b"f" * 32)


def test_a_peer_whose_messages_take_more_than_half_of_delta_is_named_once() -> None:
    counters = Counters()
    watch = DelayWatch(counters, delta_s=2.0)
    assert watch.look([NEAR, FAR]) is None, "nothing has been answered yet"
    counters.of(NEAR).answered(2.0)
    counters.of(FAR).answered(2.2)
    said = watch.look([NEAR, FAR])
    assert said is not None
    assert said.startswith(f"messages take 1.1 s between this peer and {FAR.hex()[:8]}; ")
    assert watch.look([NEAR, FAR]) is None


def test_one_quick_answer_among_the_latest_shows_that_the_link_is_good() -> None:
    counters = Counters()
    watch = DelayWatch(counters, delta_s=2.0)
    counters.of(FAR).answered(0.1)
    for _ in range(ROUND_TRIPS_KEPT - 1):
        counters.of(FAR).answered(9.0)
    assert watch.look([FAR]) is None
    counters.of(FAR).answered(9.0)
    assert watch.look([FAR]) is not None


def test_round_trips_of_those_who_left_are_forgotten() -> None:
    counters = Counters()
    counters.of(FAR).answered(9.0)
    counters.keep({NEAR})
    assert counters.known(FAR).round_trip_s == 0.0
