"""Reports, evaluations and checkpoints of a run, in the order of its records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from btard.errors import LedgerError
from btard.node.node import Progress
from btard.node.recorder import Recorder
from btard.node.worker import InlineWorker
from btard.protocol.ledger import replay
from btard.run.report import StepReport
from btard.swarm.virtual_time import run_virtually
from btard.training import BlobStore
from btard.training.checkpoints import load_checkpoint
from tests.ledger.runs import STEPS, recorded


def reports(evaluate_every: int = 0, checkpoints: Path | None = None, every: int = 10) -> list[StepReport]:
    """What a recorder emits of a real run; its engine stands still."""

    async def main() -> list[StepReport]:
        _, header, entries = recorded()
        config, state = header.open()
        emitted: list[StepReport] = []
        worker = InlineWorker()
        failures: list[BaseException] = []
        worker.failed = failures.append
        recorder = Recorder(
            config.engine(BlobStore(1 << 20)),
            worker,
            emitted.append,
            steps=STEPS,
            evaluate_every=evaluate_every,
            checkpoints=checkpoints,
            checkpoint_every=every,
        )
        for entry, checked in zip(entries, replay(state, entries), strict=True):
            recorder(Progress(entry, checked.state))
        if checkpoints is not None and checkpoints.is_file():
            for _ in range(50):
                await asyncio.sleep(0)
            raise failures[0]
        await recorder.drain()
        return emitted

    return run_virtually(main())


def test_every_record_is_reported_in_order() -> None:
    _, _, entries = recorded()
    assert [report.index for report in reports()] == [entry.record.index for entry in entries]
    assert any(report.kind == "abort" and report.removals for report in reports())


@pytest.mark.parametrize(("every", "evaluated"), [(0, []), (1, [0, 1, 2, 3]), (3, [2, 3]), (100, [3])])
def test_the_model_is_evaluated_every_so_many_steps_and_after_the_last(
    every: int, evaluated: list[int]
) -> None:
    found = [report.step for report in reports(every) if report.loss is not None]
    assert found == evaluated
    assert all(report.loss is None for report in reports(every) if report.kind == "abort")


def test_checkpoints_hold_the_models_before_and_after_a_step(tmp_path: Path) -> None:
    reports(checkpoints=tmp_path / "checkpoints", every=2)
    files = list((tmp_path / "checkpoints").iterdir())
    assert files, "x_2 and x_3 at least; the engine of this test stands still, so that they are one"
    assert all(load_checkpoint(path).step == 0 for path in files)


def test_a_directory_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="can't write a checkpoint"):
        reports(checkpoints=tmp_path / "file", every=2)
