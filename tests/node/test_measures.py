"""What a peer measures of its attempts: times, deadlines, disputes, bytes, its loss, the norms of a step."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import pytest
import torch

from btard.aggregators import CenteredClip
from btard.ledger.directory import RunDirectory
from btard.node.gauge import Gauge
from btard.node.norms import norms_of
from btard.node.recorder import Recorder
from btard.parts import windows
from btard.protocol.messages import PHASES
from btard.protocol.state import Finished
from btard.run.events import AttemptEnded, Ended, Event
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually
from btard.training.projection import project
from btard.types import Digest, PeerId
from tests.node.nodes import Nodes, a_plan
from tests.node.test_recorder import trained


def swarm(path: Path, *byzantine: str, steps: int = 3) -> tuple[list[AttemptEnded], Nodes]:
    """The records of peer 0 of a swarm of four, as its recorder tells them."""
    emitted, nodes = trained(path / "run", steps, *byzantine, records=0)
    return [event for event in emitted if isinstance(event, AttemptEnded)], nodes


def test_every_record_tells_how_long_each_phase_took(tmp_path: Path) -> None:
    records, _ = swarm(tmp_path)
    assert [list(record.phases_s) for record in records] == [[*PHASES[:5], "record"]] * len(records)
    for record in records[1:]:
        assert record.duration_s is not None
        assert sum(record.phases_s.values()) == pytest.approx(record.duration_s)
        assert record.duration_s > 0
    assert all((record.deadlines, record.disputes, record.dispute_s) == ((), 0, 0.0) for record in records)


def test_a_silent_peer_shows_as_a_deadline_and_a_dispute(tmp_path: Path) -> None:
    records, _ = swarm(tmp_path, "silent")
    first = records[0]
    assert first.disputed
    assert (first.deadlines, first.disputes) == (("gradient",), 1)
    assert first.dispute_s is not None
    assert 0 < first.dispute_s < first.phases_s["gradient"]
    assert first.phases_s["gradient"] > 60  # the deadline of a gradient


def test_the_bytes_of_all_records_are_those_that_were_carried(tmp_path: Path) -> None:
    records, nodes = swarm(tmp_path)
    total = nodes.nodes[0].transport.counters.total
    sent = sum(record.sent_bytes for record in records)
    assert all(record.sent_bytes > 0 and record.received_bytes > 0 for record in records)
    assert 0 <= total.blob_bytes_sent + total.control_bytes_sent - sent < sent / len(records)


def test_every_step_tells_its_loss_and_norms_and_what_is_no_step_has_none(tmp_path: Path) -> None:
    records, _ = swarm(tmp_path, "wrong_aggregate")
    steps = [record for record in records if record.kind == "step"]
    assert all(record.training_loss is not None for record in steps)
    assert all(record.norms is not None and record.norms.tau > 0 for record in steps)
    assert all(record.norms is None for record in records if record.kind != "step")
    assert any(record.kind == "abort" for record in records)
    assert records[-1].training_loss is None  # after the last step nobody takes a gradient


def virtual(steps: int = 2) -> list[Event]:
    async def main() -> list[Event]:
        nodes, emitted = Nodes(SwarmSpec(a_plan(4, steps))), list[Event]()
        node = nodes.nodes[0]
        for each in nodes.nodes:
            await each.transport.start(each)
        others = [asyncio.ensure_future(each.run()) for each in nodes.nodes[1:]]
        await Recorder(node.engine, node.worker, emitted.append, steps=steps, virtual=True).run(node)
        for task in others:
            task.cancel()
        for each in nodes.nodes:
            each.halt()
            await each.transport.stop()
        return emitted

    return run_virtually(main())


def test_in_virtual_time_nothing_depends_on_a_clock_and_no_phase_is_reported() -> None:
    emitted = virtual()
    assert emitted == virtual()
    records = emitted[:-1]
    assert isinstance(emitted[-1], Ended)
    for record in records:
        assert isinstance(record, AttemptEnded)
        assert (record.time, record.duration_s, record.phases_s, record.work_s) == (None, None, {}, {})
        assert record.dispute_s is None
        assert record.sent_bytes > 0


def test_the_phase_under_way_is_told_each_second_until_the_end(tmp_path: Path) -> None:
    _, nodes = swarm(tmp_path, "silent", steps=1)
    silent = nodes.nodes[3].transport.me.hex()
    told = nodes.phases
    waiting = [event for event in told if event.missing == (silent,)]
    assert len(waiting) > 55
    assert {(event.step, event.attempt, event.phase) for event in waiting[:50]} == {(0, 0, "gradient")}
    assert [event.waited_s for event in waiting[:50]] == pytest.approx([1.0 + k for k in range(50)])
    assert any(event.in_dispute for event in told)
    assert {event.work for event in told} == {None}  # work takes no time here


def test_a_gauge_knows_what_is_under_way_how_far_it_is_and_how_long_each_kind_took() -> None:
    ticks = count()
    gauge = Gauge(lambda: float(next(ticks)))
    seen: list[tuple[str | None, float | None]] = []

    def work() -> int:
        for done in range(3):
            gauge.micro_batch(done, 4)
            seen.append((gauge.at, gauge.share))
        gauge.micro_batch(0, 1)  # of one alone nothing is known
        seen.append((gauge.at, gauge.share))
        return 7

    assert gauge.run("gradient", work) == 7
    assert seen == [("gradient", 0.0), ("gradient", 0.25), ("gradient", 0.5), ("gradient", None)]
    assert (gauge.at, gauge.share) == (None, None)
    gauge.run("update", lambda: None)
    gauge.run("gradient", lambda: None)
    assert gauge.take() == {"gradient": 2.0, "update": 1.0}
    assert gauge.take() == {}


def test_work_that_fails_is_no_longer_under_way() -> None:
    gauge = Gauge()
    with pytest.raises(ZeroDivisionError):
        gauge.run("update", lambda: 1 // 0)
    assert gauge.at is None
    assert gauge.take() == {}


@pytest.mark.parametrize("tau", [0.5, 4.0, 100.0])
def test_the_norms_of_a_step_are_those_of_the_whole_vectors(tau: float) -> None:
    peers = [PeerId(bytes([k]) * 32) for k in range(3)]
    generator = torch.Generator().manual_seed(5)
    gradients = [torch.randn(120, generator=generator) * (k + 1) for k in range(3)]
    aggregate = CenteredClip(tau=tau)(gradients)
    rows = [
        [
            project([g[at : at + size]], aggregate[at : at + size], tau, bytes(32), "test", 2, at)[0]
            for at, size in windows(120, 3)
        ]
        for g in gradients
    ]
    names = (Digest(bytes(32)),) * 3
    finished = Finished(0, bytes(32), bytes(32), tuple(peers), names, tuple(map(tuple, rows)))
    norms = norms_of(finished, peers[1], tau)
    assert norms is not None
    assert norms.gradient == pytest.approx(float(gradients[1].norm()), rel=1e-5)
    assert norms.aggregate == pytest.approx(float(aggregate.norm()), rel=1e-5)
    distances = [float((g - aggregate).norm()) for g in gradients]
    assert norms.distance == pytest.approx(distances[1], rel=1e-5)
    assert norms.median_distance == pytest.approx(sorted(distances)[1], rel=1e-5)
    beyond = [
        float((g - aggregate)[at : at + size].norm()) > tau / 3**0.5
        for g in gradients
        for at, size in windows(120, 3)
    ]
    assert norms.clipped == pytest.approx(sum(beyond) / 9)
    stranger = norms_of(finished, PeerId(bytes([9]) * 32), tau)
    assert stranger is not None
    assert (stranger.gradient, stranger.distance) == (None, None)


def test_metrics_on_the_disk_have_all_of_it(tmp_path: Path) -> None:
    records, _ = swarm(tmp_path)
    assert list(RunDirectory.open(tmp_path / "run").events()) == records
