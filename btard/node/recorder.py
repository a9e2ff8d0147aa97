"""Turns a node's records into reports, evaluating and checkpointing the model on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from btard.errors import LedgerError
from btard.node.node import Progress
from btard.node.worker import Worker
from btard.protocol.record import STEP
from btard.run.report import StepReport
from btard.training.checkpoints import save_checkpoint
from btard.training.engine import Engine


class Recorder:
    """Call it with each `Progress`; it calls `emit` with a report a record, in order.

    The model is evaluated after every `evaluate_every` steps and after the last of `steps` (0: never). Into
    `checkpoints`, if given, go the models before and after every `checkpoint_every`-th step: what an
    auditor needs to recompute that step's gradients."""

    def __init__(
        self,
        engine: Engine,
        worker: Worker,
        emit: Callable[[StepReport], None],
        *,
        steps: int,
        evaluate_every: int = 0,
        checkpoints: Path | None = None,
        checkpoint_every: int = 10,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._emit = emit
        self._steps = steps
        self._evaluate_every = evaluate_every
        self._checkpoints = checkpoints
        self._checkpoint_every = checkpoint_every
        self._pending = 0
        self._drained = asyncio.Event()
        self._drained.set()

    def __call__(self, progress: Progress) -> None:
        """Take a record. The engine is at the model after it once the worker gets to our piece of work."""
        record = progress.entry.record
        done = record.step + 1
        step = record.kind == STEP
        last = done == self._steps
        evaluate = step and self._evaluate_every > 0 and (last or done % self._evaluate_every == 0)
        checkpoint = step and self._checkpoints is not None and done % self._checkpoint_every in (0, 1)
        self._pending += 1
        self._drained.clear()

        def work() -> Any:
            if checkpoint:
                self._save()
            return self._engine.evaluate() if evaluate else None

        def deliver(evaluation: Any) -> None:
            self._emit(StepReport.of(record, progress.state, evaluation))
            self._pending -= 1
            if self._pending == 0:
                self._drained.set()

        self._worker.submit(work, deliver)

    def _save(self) -> None:
        assert self._checkpoints is not None
        checkpoint = self._engine.checkpoint()
        try:
            self._checkpoints.mkdir(parents=True, exist_ok=True)
            save_checkpoint(checkpoint, self._checkpoints / f"step-{checkpoint.step:06d}.safetensors")
        except OSError as error:
            raise LedgerError(
                f"can't write a checkpoint to {self._checkpoints} ({error.strerror or error}): "
                "free some space or choose another directory"
            ) from error

    async def drain(self) -> None:
        """Wait until every record taken so far is reported."""
        await self._drained.wait()
