"""Keeps checkpoints: copies of the model, taken between two steps and written on a thread of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from btard.errors import ConfigurationError
from btard.ledger.directory import RunDirectory
from btard.node.kept_store import KeptStore
from btard.training.checkpoint_store import CheckpointStore
from btard.training.checkpoints import Checkpoint, Origin
from btard.training.engine import Engine
from btard.types import Digest

CHECKPOINT_EVERY = 10
"""Steps. The models before and after each are kept: an auditor recomputes gradients of these steps."""

KEEP_CHECKPOINTS = 20
"""The newest ones: without a bound they fill the disk."""

WRITTEN_AT_ONCE = 2
"""Copies that wait for the disk: the models before and after one step. The step after them waits."""


class CheckpointKeeper:
    """Writes the checkpoints of a run into `run_dir`: of every `every`-th step, of the one after it, and of
    the last two of `steps`. The newest `keep` stay (0: all).

    `take` is called on the worker's thread, and copies; the rest is done on a thread of its own. What came of
    it is told to `written` in the event loop: None, or why a checkpoint could not be written, which ends no
    run. `inline` writes at once instead, for virtual time, in which nothing may depend on the disk."""

    def __init__(
        self,
        engine: Engine,
        run_dir: RunDirectory,
        written: Callable[[ConfigurationError | None], None],
        *,
        steps: int,
        every: int = CHECKPOINT_EVERY,
        keep: int = KEEP_CHECKPOINTS,
        inline: bool = False,
    ) -> None:
        self._engine = engine
        self._run_dir = run_dir
        self._written = written
        self._steps = steps
        self._every = every
        self._store = CheckpointStore(run_dir.checkpoints, keep)
        self._loop = asyncio.get_running_loop()
        self._executor = None if inline else ThreadPoolExecutor(1, "btard checkpoints")
        self._pending: deque[Future[ConfigurationError | None]] = deque()

    def is_due(self, done: int) -> bool:
        """Return whether the model after so many steps is kept."""
        return done >= self._steps - 1 or done % self._every in (0, 1 % self._every)

    def stepped(self, step: int, aggregates: tuple[Digest, ...]) -> None:
        """Take note of a step: a store that can keeps its aggregates until a checkpoint makes up for them."""
        if isinstance(self._engine.store, KeptStore):
            self._engine.store.pin(step, aggregates)
            on_disk = [each for each in self._store.steps() if each <= step]
            self._engine.store.unpin_before(max(on_disk, default=0))

    def take(self, origin: Origin) -> None:
        """Copy the engine's model, and have it written. Waits while too many copies are not on the disk."""
        taken = self._engine.checkpoint()
        aggregate = None if taken.aggregate is None else taken.aggregate.clone()
        checkpoint = replace(taken, aggregate=aggregate, origin=origin)
        if self._executor is None:
            self._loop.call_soon(self._written, self._write(checkpoint))
            return
        while len(self._pending) >= WRITTEN_AT_ONCE:
            self._pending.popleft().result()
        future = self._executor.submit(self._write, checkpoint)
        future.add_done_callback(self._tell)
        self._pending.append(future)

    async def finish(self) -> None:
        """Wait until all that was taken is on the disk, or has failed."""
        pending = tuple(self._pending)
        await asyncio.gather(*map(asyncio.wrap_future, pending))
        await asyncio.sleep(0)  # for `written`

    def stop(self) -> None:
        """Take nothing any more; what is being written is written to its end."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    def _write(self, checkpoint: Checkpoint) -> ConfigurationError | None:
        # The newest model before this one is what the step after this one can be taken up from.
        before = [step for step in self._store.steps() if step < checkpoint.step]
        try:
            with self._run_dir.writing():
                self._store.write(checkpoint, pinned=max(before, default=-1))
        except ConfigurationError as error:
            return error
        return None

    def _tell(self, future: Future[ConfigurationError | None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._written, future.result())
