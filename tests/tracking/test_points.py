"""From events to curves: one point a step, each number of its own step."""

from __future__ import annotations

from btard.run.events import FaultSeen, Noted
from btard.tracking import Points
from tests.tracking.events import BAN, BEGUN, PEERS, record


def test_a_step_is_a_point_with_all_of_its_numbers_by_name() -> None:
    points = Points()
    assert points.take(BEGUN) is None
    assert points.take(Noted(text="hello")) is None
    point = points.take(record(4))
    assert point is not None
    assert (point.step, point.time, point.removals) == (5, 1004.0, ())
    assert point.values == {
        **{"train/loss": 6.0, "eval/mlm loss": 1.0, "eval/accuracy": 0.5},
        **{"norms/gradient": 0.5, "norms/aggregate": 0.25, "norms/distance": 0.75},
        **{"norms/median_distance": 0.5, "norms/tau": 0.125, "norms/clipped": 0.5},
        **{"time/step_s": 2.0, "time/phase_s/gradient": 1.5, "time/phase_s/record": 0.5},
        **{"time/work_s/update": 0.25, "time/dispute_s": 0.0},
        **{"network/sent_bytes": 100, "network/received_bytes": 50},
        **{"swarm/roster": 4, "swarm/removals": 0, "swarm/aborts": 0, "swarm/deadlines": 0},
        **{"swarm/disputes": 0, "swarm/faults": 0},
    }


def test_what_an_aborted_attempt_cost_counts_for_the_step_that_it_delayed() -> None:
    points = Points()
    aborted = record(4, "abort", BAN, deadlines=("gradient",), disputes=1, dispute_s=1.25)
    assert points.take(aborted) is None
    assert points.take(FaultSeen(peer=PEERS[3], kind="flood", detail="")) is None
    point = points.take(record(4, attempt=1))
    assert point is not None
    names = ("time/step_s", "time/dispute_s", "time/phase_s/gradient", "network/sent_bytes", "swarm/aborts")
    assert [point.values[name] for name in names] == [4.0, 1.25, 3.0, 200, 1]
    assert [point.values[f"swarm/{name}"] for name in ("removals", "deadlines", "disputes", "faults")] == [
        1
    ] * 4
    assert point.removals == (f"step 4: {PEERS[3][:16]} ban, false gradient",)
    after = points.take(record(5))
    assert after is not None
    assert after.removals == ()
    assert [after.values[name] for name in names] == [2.0, 0.0, 1.5, 100, 0]


def test_in_virtual_time_there_are_no_times() -> None:
    bare = record(0, time=None, duration_s=None, dispute_s=None, phases_s={}, work_s={})
    point = Points().take(bare)
    assert point is not None
    assert point.time is None
    assert not any(name.startswith("time/") for name in point.values)


def test_the_attempt_after_the_last_step_is_a_point_only_if_it_removes_somebody() -> None:
    points = Points()
    points.take(record(19))
    assert points.take(record(20, "close")) is None
    point = points.take(record(20, "close", BAN))
    assert point is not None
    assert (point.step, point.values, len(point.removals)) == (20, {"swarm/roster": 4}, 1)
