"""Events, evaluations, checkpoints and the model of a run, in the order of its records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from btard.adversary import parse_adversaries
from btard.errors import BtardError
from btard.ledger.directory import RunDirectory
from btard.node.keeper import CHECKPOINT_EVERY, KEEP_CHECKPOINTS
from btard.node.node import Progress
from btard.node.recorder import FAULTS_SAID_MAX, Recorder
from btard.node.worker import InlineWorker
from btard.protocol.ledger import replay
from btard.run.events import AttemptEnded, Ended, Event, FaultSeen, InPhase, Noted, Stalled
from btard.swarm.spec import SwarmSpec
from btard.swarm.virtual_time import run_virtually
from btard.training import BlobStore
from btard.training.checkpoints import Origin, load_checkpoint
from btard.types import Digest, Fault, PeerId
from tests.ledger.runs import STEPS, recorded
from tests.node.nodes import Nodes, a_plan


def records(evaluate_every: int = 0, virtual: bool = False) -> list[AttemptEnded]:
    """What a recorder emits of a real run; its engine stands still."""

    async def main() -> list[AttemptEnded]:
        _, header, entries = recorded()
        config, state = header.open()
        emitted: list[Event] = []
        recorder = Recorder(
            config.engine(BlobStore(1 << 20)),
            InlineWorker(),
            emitted.append,
            steps=STEPS,
            evaluate_every=evaluate_every,
            virtual=virtual,
        )
        for entry, checked in zip(entries, replay(state, entries), strict=True):
            recorder(Progress(entry, checked.state))
        await recorder.finish()
        return [event for event in emitted if isinstance(event, AttemptEnded)]

    return run_virtually(main())


def trained(
    path: Path,
    steps: int,
    *byzantine: str,
    interrupted: bool = False,
    records: int = -1,
    every: int = CHECKPOINT_EVERY,
    keep: int = KEEP_CHECKPOINTS,
    spoil: Callable[[RunDirectory], None] = lambda _: None,
) -> tuple[list[Event], Nodes]:
    """A swarm of real nodes, one of which (the last) `records` its run; what it emits."""

    async def main() -> tuple[list[Event], Nodes]:
        terms = parse_adversaries(",".join(byzantine))
        nodes, emitted = Nodes(SwarmSpec(a_plan(4, steps), terms)), list[Event]()
        node = nodes.nodes[records]
        with RunDirectory.create(path) as run_dir:
            spoil(run_dir)
            reported = asyncio.Event()

            def emit(event: Event) -> None:
                if isinstance(event, InPhase):
                    nodes.phases.append(event)
                else:
                    emitted.append(event)
                    reported.set()

            recorder = Recorder(
                node.engine,
                node.worker,
                emit,
                steps=steps,
                run_dir=run_dir,
                checkpoint_every=every,
                keep_checkpoints=keep,
            )
            for each in nodes.nodes:
                await each.transport.start(each)
            others = [asyncio.ensure_future(each.run()) for each in nodes.nodes if each is not node]
            recording = asyncio.ensure_future(recorder.run(node))
            if interrupted:
                await reported.wait()
                recording.cancel()
            await asyncio.wait([recording])
            if interrupted:
                assert recording.cancelled()
            else:
                recording.result()
            for task in others:
                task.cancel()
        for each in nodes.nodes:
            each.halt()
            await each.transport.stop()
        return emitted, nodes

    return run_virtually(main())


def final_model(path: Path) -> dict[str, torch.Tensor]:
    return load_file(RunDirectory.open(path).model)


def test_every_record_is_an_event_in_order() -> None:
    _, _, entries = recorded()
    found = records()
    assert [(e.index, e.step, e.kind) for e in found] == [
        (entry.record.index, entry.record.step, entry.record.kind) for entry in entries
    ]
    assert [event.ledger for event in found] == [entry.record.digest.hex() for entry in entries]
    assert any(event.kind == "abort" and event.removals for event in found)
    assert found[-1].roster == 3


@pytest.mark.parametrize(("every", "evaluated"), [(0, []), (1, [0, 1, 2, 3]), (3, [2, 3]), (100, [3])])
def test_the_model_is_evaluated_every_so_many_steps_and_after_the_last(
    every: int, evaluated: list[int]
) -> None:
    found = records(every)
    assert [event.step for event in found if event.metrics] == evaluated
    assert all(not event.metrics for event in found if event.kind == "abort")


class BusyWorker(InlineWorker):
    """Does nothing before `catch_up`, as one that takes a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def submit(self, work: Callable[[], Any], deliver: Callable[[Any], None]) -> None:
        self._queue.append((work, deliver))

    def catch_up(self) -> None:
        while self._queue:
            work, deliver = self._queue.pop(0)
            deliver(work())


def test_what_needs_no_evaluation_is_reported_while_the_worker_is_busy_and_in_order() -> None:
    async def main() -> tuple[list[int], list[int]]:
        _, header, entries = recorded()
        config, state = header.open()
        emitted: list[Event] = []
        worker = BusyWorker()
        recorder = Recorder(
            config.engine(BlobStore(1 << 20)), worker, emitted.append, steps=STEPS, evaluate_every=2
        )
        for entry, checked in zip(entries, replay(state, entries), strict=True):
            recorder(Progress(entry, checked.state))
        early = [event.index for event in emitted if isinstance(event, AttemptEnded)]
        worker.catch_up()
        return early, [event.index for event in emitted if isinstance(event, AttemptEnded)]

    early, late = run_virtually(main())
    _, _, entries = recorded()
    evaluated = next(e.record.index for e in entries if (e.record.kind, e.record.step) == ("step", 1))
    assert early == list(range(evaluated)) != []
    assert late == list(range(len(entries)))


def test_events_have_times_and_durations_and_none_in_virtual_time() -> None:
    real, virtual = records(), records(virtual=True)
    assert all(event.time is not None for event in real)
    assert [event.duration_s is None for event in real] == [True] + [False] * (len(real) - 1)
    assert {(event.time, event.duration_s) for event in virtual} == {(None, None)}
    assert virtual == records(virtual=True)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_final_model_and_the_last_steps_checkpoints_are_written_whatever_the_number_of_steps(
    steps: int, tmp_path: Path
) -> None:
    emitted, nodes = trained(tmp_path / "run", steps)
    directory = RunDirectory.open(tmp_path / "run")
    engine = nodes.nodes[-1].engine
    model = engine.bench.module
    model.load_state_dict(final_model(directory.path))
    assert torch.equal(torch.cat([p.detach().flatten() for p in model.parameters()]), engine.parameters)
    found = sorted(load_checkpoint(file).step for file in directory.checkpoints.iterdir())
    assert found[-2:] == list(range(max(1, steps - 1), steps + 1))
    assert [event for event in emitted if isinstance(event, AttemptEnded)] == list(directory.events())
    ended = emitted[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.steps, ended.run_dir) == ("finished", steps, str(directory.path))


def test_a_peer_that_is_banned_keeps_its_newest_model(tmp_path: Path) -> None:
    emitted, _ = trained(tmp_path / "run", 3, "wrong_aggregate")
    ended = emitted[-1]
    assert isinstance(ended, Ended)
    assert ended.outcome == "seat_lost"
    assert final_model(tmp_path / "run")


def test_a_peer_that_is_interrupted_keeps_its_newest_model_and_metrics(tmp_path: Path) -> None:
    emitted, nodes = trained(tmp_path / "run", 50, interrupted=True)
    ended = emitted.pop()
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.model) == ("interrupted", nodes.nodes[-1].engine.model_digest.hex())
    assert emitted == list(RunDirectory.open(tmp_path / "run").events())
    model = nodes.nodes[-1].engine.bench.module
    model.load_state_dict(final_model(tmp_path / "run"))


def test_a_model_that_cannot_be_written_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "run") as directory:
        directory.model.mkdir(parents=True)
    with pytest.raises(BtardError, match="choose another directory"):
        trained(tmp_path / "run", 2)


@pytest.mark.parametrize(
    ("every", "keep", "kept"),
    [
        (10, 0, [1, 10, 11, 12]),
        (10, 3, [10, 11, 12]),
        (4, 0, [1, 4, 5, 8, 9, 11, 12]),
        (100, 0, [1, 11, 12]),
        (1, 2, [11, 12]),
        (1, 0, list(range(1, 13))),
    ],
)
def test_the_newest_checkpoints_are_kept_and_older_ones_deleted(
    every: int, keep: int, kept: list[int], tmp_path: Path
) -> None:
    trained(tmp_path / "run", 12, every=every, keep=keep)
    found = (tmp_path / "run" / "checkpoints").iterdir()
    assert sorted(load_checkpoint(file).step for file in found) == kept


def test_the_model_before_the_newest_checkpoint_is_never_deleted_for_a_resume_needs_it(
    tmp_path: Path,
) -> None:
    trained(tmp_path / "run", 12, keep=1)
    found = (tmp_path / "run" / "checkpoints").iterdir()
    assert sorted(load_checkpoint(file).step for file in found) == [11, 12]


def test_a_checkpoint_says_of_which_run_record_and_model_it_is(tmp_path: Path) -> None:
    emitted, nodes = trained(tmp_path / "run", 3)
    for event in (each for each in emitted if isinstance(each, AttemptEnded) and each.kind == "step"):
        path = tmp_path / "run" / "checkpoints" / f"step-{event.step + 1:06d}.safetensors"
        checkpoint = load_checkpoint(path)
        assert checkpoint.origin == Origin(
            nodes.spec.config.digest, Digest(bytes.fromhex(event.ledger)), checkpoint.model_digest
        )


def _has_a_file_for_checkpoints(directory: RunDirectory) -> None:
    directory.checkpoints.write_text("in the way")


def _cannot_write_metrics(directory: RunDirectory) -> None:
    assert directory._metrics_file is not None
    directory._metrics_file.close()
    directory._metrics_file = directory.metrics.open("rb", buffering=0)


@pytest.mark.parametrize(
    ("spoil", "lacking"),
    [(_has_a_file_for_checkpoints, "checkpoints"), (_cannot_write_metrics, "metrics")],
)
def test_a_run_goes_on_without_metrics_or_checkpoints_that_cannot_be_written_and_says_so_once(
    spoil: Callable[[RunDirectory], None], lacking: str, tmp_path: Path
) -> None:
    emitted, _ = trained(tmp_path / "run", 12, spoil=spoil)
    said = [event.text for event in emitted if isinstance(event, Noted)]
    assert [text.startswith(f"training goes on without {lacking}: cannot write ") for text in said] == [True]
    ended = emitted[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.steps) == ("finished", 12)
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_peer_that_is_waited_for_is_named_each_second_with_what_comes_next(tmp_path: Path) -> None:
    emitted, nodes = trained(tmp_path / "run", 2, "silent", records=0)
    silent = nodes.nodes[3].transport.me.hex()
    stalls = list(takewhile(lambda event: isinstance(event, Stalled), emitted))
    assert {(e.step, e.phase, e.missing) for e in stalls} == {(0, "gradient", (silent,))}
    # A quarter of 10 s passes; the dispute begins after the 60 s of a gradient and 3 delta.
    assert [e.waited_s for e in stalls] == pytest.approx([2.5 + k for k in range(len(stalls))])
    assert [e.dispute_in_s for e in stalls] == pytest.approx([max(0, 60.5 - k) for k in range(len(stalls))])
    assert len(stalls) > 11
    record = emitted[len(stalls)]
    assert isinstance(record, AttemptEnded)
    assert [(removal.peer, removal.kind) for removal in record.removals] == [(silent, "miss")]


def test_a_fault_that_the_network_finds_becomes_an_event_at_once(tmp_path: Path) -> None:
    emitted, nodes = trained(tmp_path / "run", 2, "garbage(signed=false)", records=0)
    faults = [event for event in emitted if isinstance(event, FaultSeen)]
    assert {event.peer for event in faults} == {nodes.nodes[3].transport.me.hex()}
    assert len({event.kind for event in faults}) == len(faults) == len(nodes.nodes[0].faults)
    assert isinstance(emitted[-1], Ended)
    assert emitted[-1].faults == nodes.nodes[0].faults.total() > len(faults)


def test_the_first_fault_of_a_peer_and_kind_is_said_and_there_is_an_end_to_it() -> None:
    async def main() -> list[Event]:
        emitted: list[Event] = []
        engine = recorded()[1].open()[0].engine(BlobStore(1 << 20))
        recorder = Recorder(engine, InlineWorker(), emitted.append, steps=STEPS)
        for k in (0, 0, *range(2 * FAULTS_SAID_MAX)):
            recorder.fault(Fault(PeerId(k.to_bytes(32, "little")), "flood", "too many"))
        return emitted

    emitted = run_virtually(main())
    assert emitted[0] == FaultSeen(
        time=emitted[0].time, peer=bytes(32).hex(), kind="flood", detail="too many"
    )
    assert len(emitted) == FAULTS_SAID_MAX
