"""A node: one peer in one asyncio loop. Drives the machine, performs its effects, carries its bytes.

Messages are handled where the transport delivers them: the machine is pure and quick. Heavy work goes to the
worker and comes back as events. The node decides what memory a blob may cost, writes the ledger, and
reports.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from btard.codec import FP32
from btard.machine import Actions, Adopt, BlobHeld, Done, Effect, Event, Perform, PushBlob, Received, Tick
from btard.network import PeerRecord, Transport
from btard.node.worker import Worker
from btard.protocol.outputs import Diverged, Ended, Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.record import Entry
from btard.protocol.state import RosterState
from btard.training.engine import Engine
from btard.training.store import BlobStore
from btard.types import Digest, Fault, PeerId

ROSTER_PHASES = 3
"""How long to wait for the roster before the first step, in phase_s: who never comes stops nobody."""

EARLY_PARTS = 2
"""Parts that a sender may push before this peer knows what they are for."""


class Ledger(Protocol):
    """Where entries go, in order."""

    def append(self, entry: Entry) -> None:
        """Write an entry. Raises LedgerError where it can't be written."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a node reports after each record. `evaluation` comes on the steps that are evaluated."""

    entry: Entry
    state: RosterState


class Node:
    """Runs `machine` (honest, or wrapped by an adversary) until the run is over for it.

    `perform` does its effects on `engine`; `records` are the addresses of the roster; `progress` is called
    after each record, in the loop. Times are the loop's."""

    def __init__(
        self,
        machine: PeerMachine,
        perform: Perform,
        engine: Engine,
        store: BlobStore,
        transport: Transport,
        worker: Worker,
        records: Mapping[PeerId, PeerRecord],
        ledger: Ledger | None = None,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.faults: Counter[tuple[PeerId, str]] = Counter()
        self.machine = machine
        self.transport = transport
        self._perform = perform
        self.engine = engine
        self._store = store
        self.worker = worker
        self._records = records
        self._ledger = ledger
        self.progress = progress
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._over: asyncio.Future[Ended] = self._loop.create_future()
        worker.failed = self.fail
        self._early: Counter[PeerId] = Counter()
        self._started = False
        self._waiting: list[Received] = []

    # ------------------------------------------------------------ running

    async def run(self, timeout_s: float | None = None) -> Ended:
        """Wait for the roster, take part until the end. The transport, which must have been started with
        this node as its inbox, stays open: whoever is still at the last step may need an answer. Call
        `halt` afterwards.

        Raises what broke (LedgerError) and leaves the ledger whole."""
        self._connect(self.machine.state)
        await self._wait_for_roster(timeout_s)
        self._started = True
        self._take(self.machine.begin(self._loop.time()))
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._handle(event)
        return await self._over

    async def _wait_for_roster(self, timeout_s: float | None) -> None:
        """The first step begins when everybody is there, or has had time enough: ROSTER_PHASES phases."""
        others = [peer for peer in self.machine.state.members if peer != self.transport.me]
        patience = ROSTER_PHASES * self.machine.state.config.phase_s if timeout_s is None else timeout_s
        limit = self._loop.time() + patience
        while not all(self.transport.connected(peer) for peer in others) and self._loop.time() < limit:
            await asyncio.sleep(0.02)

    def halt(self) -> None:
        """Do nothing any more; the transport is for its owner to stop."""
        if self._timer is not None:
            self._timer.cancel()
        self.worker.stop()

    def fail(self, error: BaseException) -> None:
        """End the run with an error of our own."""
        if not self._over.done():
            self._over.set_exception(error)

    # ------------------------------------------------------------ what comes in (network.Inbox)

    def control(self, sender: PeerId, raw: bytes) -> None:
        """A control message."""
        event = Received(sender, raw)
        if self._started:
            self._handle(event)
        elif len(self._waiting) < 4 * len(self.machine.state.members):
            self._waiting.append(event)

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        """Accept what the attempt expects, and little else: a blob may overtake what announces it."""
        seats = max(1, len(self.machine.state.participants))
        part_bytes = self.engine.part_bytes(0, seats)
        if digest in self._store:
            self._loop.call_soon(self._handle, BlobHeld(digest, size, True))
            return False
        if size > part_bytes or size % FP32.size_bytes(1) or not self._store.fits(size):
            return False
        if self.machine.expects(sender, digest):
            return True
        self._early[sender] += 1
        return self._early[sender] <= EARLY_PARTS

    def blob(self, sender: PeerId, digest: Digest, data: bytes) -> None:
        """A blob that was wanted. One with NaN or Inf isn't kept: knowing that is enough."""
        finite = FP32.is_valid(data)
        if finite:
            if not self._store.fits(len(data)):
                return
            self._store.put(data)
        self._handle(BlobHeld(digest, len(data), finite))

    def fault(self, fault: Fault) -> None:
        """Somebody misbehaved towards the transport."""
        self.faults[fault.peer, fault.kind] += 1

    # ------------------------------------------------------------ driving the machine

    def _handle(self, event: Event) -> None:
        if not self._over.done() or isinstance(event, Received):
            try:
                self._take(self.machine.handle(event, self._loop.time()))
            except Exception as error:
                self.fail(error)

    def _take(self, out: Actions) -> None:
        for send in out.messages:
            for peer in send.to:
                self.transport.send(peer, send.raw)
        for effect in out.effects:
            self._effect(effect)
        for fault in out.faults:
            self.fault(fault)
        for output in out.outputs:
            self._output(output)
        self._set_timer()

    def _effect(self, effect: Effect) -> None:
        if isinstance(effect, Adopt):
            self._store.begin_generation()  # what arrives until the worker gets to it is of the next step
        if not isinstance(effect, PushBlob):
            self.worker.submit(
                lambda: self._perform(effect), lambda result: self._handle(Done(effect, result))
            )
            return
        data = self._store.get(effect.digest)
        if data is not None:
            for peer in effect.to:
                self.transport.push(peer, effect.digest, data)

    def _output(self, output: Any) -> None:
        if isinstance(output, Recorded):
            self._early.clear()
            if self._ledger is not None:
                self._ledger.append(output.entry)
            if output.entry.record.removals:
                self._connect(output.state)
            self.progress(Progress(output.entry, output.state))
        elif isinstance(output, Diverged):
            self.fail(AssertionError(f"this peer's model diverged from the swarm's in step {output.step}"))
        elif isinstance(output, Ended) and not self._over.done():
            self._over.set_result(output)

    def _connect(self, state: RosterState) -> None:
        self.transport.connect([self._records[peer] for peer in state.members if peer in self._records])

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake = self.machine.wake
        if wake is not None and not self._over.done():
            self._timer = self._loop.call_at(wake, self._handle, Tick())
