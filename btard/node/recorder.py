"""Turns a node's records into events; evaluates, and writes checkpoints, metrics and the final model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from btard.errors import ConfigurationError
from btard.ledger.directory import RunDirectory
from btard.node.delays import DelayWatch
from btard.node.gauge import Gauge
from btard.node.keeper import CHECKPOINT_EVERY, KEEP_CHECKPOINTS, CheckpointKeeper
from btard.node.node import Node, Progress
from btard.node.norms import norms_of
from btard.node.worker import Worker
from btard.protocol import outputs
from btard.protocol.record import STEP
from btard.run.events import AttemptEnded, Emit, Ended, FaultSeen, Noted, Outcome, Removal
from btard.training.checkpoints import Origin, save_model
from btard.training.engine import Engine
from btard.types import Digest, Fault, PeerId

FAULTS_SAID_MAX = 256
"""Faults that become events. Strangers have as many keys as they like; `Ended` counts all."""


def _tried(write: Callable[[], None]) -> ConfigurationError | None:
    """Write something that a run can do without; return why it cannot be written."""
    try:
        write()
    except ConfigurationError as error:
        return error
    return None


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in seconds.items()}


@dataclass(slots=True)
class Recorder:
    """Records one peer's run: `await recorder.run(node)`. Events go to `emit`, in order.

    The model is evaluated after every `evaluate_every` steps (0: never) and after the last of `steps`. Into
    `run_dir`, if given, go the metrics, the checkpoints (`CheckpointKeeper`) of every `checkpoint_every`-th
    step and the last, of which the newest `keep_checkpoints` stay (0: all), and the newest model when the run
    ends. Metrics and checkpoints that cannot be written are left out, and training goes on. `resumable` says
    why the run could not be resumed from here, None if it could. `virtual`: the
    events have no time, since the loop's is not real, and nobody is told of stalls, which are over at
    once."""

    engine: Engine
    worker: Worker
    emit: Emit
    _: KW_ONLY
    steps: int
    evaluate_every: int = 0
    run_dir: RunDirectory | None = None
    checkpoint_every: int = CHECKPOINT_EVERY
    keep_checkpoints: int = KEEP_CHECKPOINTS
    virtual: bool = False
    resumable: Callable[[], ConfigurationError | None] = lambda: None
    _me: PeerId = field(default=PeerId(b""), init=False)
    _gauge: Gauge = field(default_factory=Gauge, init=False)
    _queued: int = field(default=0, init=False)
    """Records that are yet to be reported: events keep their order."""
    _last_s: float | None = field(default=None, init=False)
    _delays: DelayWatch | None = field(default=None, init=False)
    _faults: set[tuple[PeerId, str]] = field(default_factory=set, init=False)
    _reported: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _error: BaseException | None = field(default=None, init=False)
    _lacking: set[str] = field(default_factory=set, init=False)
    _keeper: CheckpointKeeper | None = field(default=None, init=False)

    async def run(self, node: Node) -> Ended:
        """Run the node to its end, and return the last event. If cancelled (not in virtual time, where Ctrl-C
        interrupts the engine itself), write the newest model first. Raises BtardError if the run cannot be
        recorded."""

        def fail(error: BaseException) -> None:
            self._error = error
            self._reported.set()
            node.fail(error)

        node.progress, node.faulted, self.worker.failed = self, self.fault, fail
        self._me, self._gauge = node.transport.me, node.gauge
        self._delays = DelayWatch(node.transport.counters, node.machine.state.config.delta_s)
        if not self.virtual:
            node.reports.stalled = node.reports.working = self.emit
        if self.run_dir is not None:
            self._keeper = CheckpointKeeper(
                self.engine,
                self.run_dir,
                lambda failed: self._say_if_lacking("checkpoints", failed),
                steps=self.steps,
                every=self.checkpoint_every,
                keep=self.keep_checkpoints,
                inline=self.virtual,
            )
        try:
            return await self._follow(node)
        finally:
            if self._keeper is not None:
                self._keeper.stop()

    async def _follow(self, node: Node) -> Ended:
        try:
            over = await node.run()
        except asyncio.CancelledError:
            if not self.virtual:
                await self._end(node, "interrupted", "interrupted")
            raise
        outcome: Outcome = "halted"
        if over.reason == outputs.FINISHED:
            outcome = "finished"
        elif node.transport.me not in node.machine.state.members:
            outcome = "seat_lost"
        return await self._end(node, outcome, over.reason)

    def __call__(self, progress: Progress) -> None:
        """Take a record. The engine is at the model after it when the worker gets to this piece of work."""
        if self._delays is not None and (said := self._delays.look(progress.state.members)):
            self.emit(Noted(text=said))
        record = progress.entry.record
        done = record.step + 1
        finished = progress.state.finished
        step = record.kind == STEP and not progress.stale
        every = self.evaluate_every
        evaluate = step and every > 0 and (done == self.steps or done % every == 0)
        keeper = self._keeper if step and self._keeper is not None and self._keeper.is_due(done) else None
        if record.kind == STEP and self._keeper is not None and finished is not None:
            self._keeper.stepped(record.step, finished.aggregates)
        self._say_if_lacking("the files that a resume takes", self.resumable())
        origin = Origin(Digest(record.run), record.digest, Digest(record.model))
        now_s, last_s = (None, None) if self.virtual else (asyncio.get_running_loop().time(), self._last_s)
        self._last_s = now_s
        measured = progress.measured
        norms = None
        if step and finished is not None and measured.tau is not None:
            norms = norms_of(finished, self._me, measured.tau)
        event = AttemptEnded(
            time=self._now(),
            index=record.index,
            step=record.step,
            attempt=record.attempt,
            kind=record.kind,
            disputed=record.disputed,
            roster=len(progress.state.members),
            removals=tuple(Removal(peer=r.peer.hex(), kind=r.kind, reason=r.reason) for r in record.removals),
            ledger=record.digest.hex(),
            model=record.model.hex(),
            duration_s=None if now_s is None or last_s is None else round(now_s - last_s, 6),
            training_loss=measured.training_loss,
            norms=norms,
            phases_s={} if self.virtual else _rounded(measured.phases_s),
            deadlines=measured.deadlines,
            disputes=measured.disputes,
            dispute_s=None if self.virtual else round(measured.dispute_s, 6),
            work_s=_rounded(measured.work_s),
            sent_bytes=measured.sent_bytes,
            received_bytes=measured.received_bytes,
        )

        def work() -> dict[str, float]:
            if keeper is not None:
                keeper.take(origin)
            return self._gauge.run("evaluate", self.engine.evaluate) if evaluate else {}

        def report(metrics: dict[str, float]) -> None:
            self._queued -= 1
            scored = event.model_copy(update={"metrics": metrics})
            if (run_dir := self.run_dir) is not None:
                self._say_if_lacking("metrics", _tried(lambda: run_dir.add_metrics(scored)))
            self.emit(scored)

        self._queued += 1
        if evaluate or keeper is not None or self._queued > 1:
            self.worker.submit(work, report)
        else:  # the worker may be busy with a gradient, which nothing here needs
            report(work())

    def fault(self, fault: Fault) -> None:
        """Take a fault; the first of a peer and kind becomes an event."""
        key = (fault.peer, fault.kind)
        if key not in self._faults and len(self._faults) < FAULTS_SAID_MAX:
            self._faults.add(key)
            peer = fault.peer.hex()
            self.emit(FaultSeen(time=self._now(), peer=peer, kind=fault.kind, detail=fault.detail))

    async def finish(self) -> None:
        """Write the newest model, and wait until every record taken so far is reported, and its checkpoint
        written."""
        if self._error is None:
            self._reported.clear()
            self.worker.submit(self._save_model, lambda _: self._reported.set())
            await self._reported.wait()
        if self._keeper is not None:
            await self._keeper.finish()
        if self._error is not None:
            raise self._error

    def _now(self) -> float | None:
        return None if self.virtual else time.time()

    def _say_if_lacking(self, what: str, failed: ConfigurationError | None) -> None:
        """Say once that something cannot be written, and again only after it could be."""
        if failed is None:
            self._lacking.discard(what)
        elif what not in self._lacking:
            self._lacking.add(what)
            self.emit(Noted(text=f"training goes on without {what}: {failed} or make room"))

    def _save_model(self) -> None:
        if self.run_dir is not None:
            with self.run_dir.writing():
                save_model(self.engine.model_tensors(), self.engine.step, self.run_dir.model)

    async def _end(self, node: Node, outcome: Outcome, reason: str) -> Ended:
        await self.finish()
        traffic, state = node.transport.counters.total, node.machine.state
        ended = Ended(
            time=self._now(),
            peer=node.transport.me.hex(),
            outcome=outcome,
            reason=reason,
            steps=state.step,
            model=self.engine.model_digest.hex(),
            ledger=state.head.hex(),
            blob_bytes=traffic.blob_bytes_sent,
            control_bytes=traffic.control_bytes_sent,
            parameters=self.engine.dimension,
            faults=sum(node.faults.values()),
            run_dir=None if self.run_dir is None else str(self.run_dir.path),
        )
        self.emit(ended)
        return ended
