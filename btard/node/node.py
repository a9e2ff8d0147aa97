"""A node: one peer in one asyncio loop. Runs the driver, performs its effects, carries its bytes.

Messages are handled where the transport delivers them: the machine is pure and quick. Heavy work goes to the
worker and comes back as results. The node writes the ledger, and reports.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from btard.errors import RunMismatchError
from btard.ledger.file import LedgerFile
from btard.machine import Effect, Output, Perform, Send
from btard.network import PeerRecord, Transport
from btard.node.driver import NOTHING, Driver, Offer, Push, Work
from btard.node.gauge import Gauge
from btard.node.journal import Journal
from btard.node.measures import NOTHING as NOT_MEASURED
from btard.node.measures import Measured, Measures
from btard.node.performer import KINDS
from btard.node.reports import Reports
from btard.node.revival import Revived
from btard.node.slots import is_own
from btard.node.votes import VoteLog
from btard.node.worker import Worker
from btard.protocol.outputs import Diverged, Ended, Recorded
from btard.protocol.peer import PeerMachine
from btard.protocol.record import BAN, LEAVE, STEP, Entry
from btard.protocol.state import RosterState
from btard.training.engine import Engine
from btard.types import Bytes, Digest, Fault, FaultKind, PeerId

ROSTER_PHASES = 3
"""How long to wait for the roster before the first step, in units of phase_s. A peer that never arrives does
not block the run."""

LINGER_DELTAS = 3
"""How long a peer that has lost its seat may still ask, and how long those that have finished stay to answer,
in units of delta_s."""

LINGER_MESSAGES = 64
"""Messages of such a peer that are read: it asks for those of the attempts that it has missed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a node reports after each record; `measured` is of the attempt that it ended. `stale`: the model
    has changed since."""

    entry: Entry
    state: RosterState
    measured: Measured = NOT_MEASURED
    stale: bool = False


@dataclass(slots=True)
class _Leaving:
    """What a peer that has lost its seat may still send, and until when."""

    until: float
    messages: int = LINGER_MESSAGES


class Node:
    """Runs `machine` (honest, or an adversary's) until the run is over for it.

    `perform` does its effects on `engine`; `records` are the addresses of the roster. What is signed is in
    `votes` and in `journal`, if given, before it leaves. `revived` is the machine again that an earlier
    process was: the node goes on with it, as if no time had passed. `gauge` reads its work. `progress` is
    called after each record, `faulted` with each fault, and what `reports` has as it says, all in the loop.
    Times are the loop's."""

    def __init__(
        self,
        machine: PeerMachine,
        perform: Perform,
        engine: Engine,
        transport: Transport,
        worker: Worker,
        records: Mapping[PeerId, PeerRecord],
        ledger: LedgerFile | None = None,
        votes: VoteLog | None = None,
        journal: Journal | None = None,
        revived: Revived | None = None,
        gauge: Gauge | None = None,
    ) -> None:
        self.faults: Counter[tuple[PeerId, str]] = Counter()
        self.machine = machine
        self.driver = Driver(machine, engine.store, engine.codec)
        self.transport = transport
        self.engine = engine
        self.worker = worker
        self.progress: Callable[[Progress], None] = lambda _: None
        self.faulted: Callable[[Fault], None] = lambda _: None
        self._perform = perform
        self._records = records
        self._ledger = ledger
        self._leaving: dict[PeerId, _Leaving] = {}
        self._votes = votes
        self._journal = journal
        self._revived = revived
        self._loop = asyncio.get_running_loop()
        self._latest = 0.0 if revived is None else revived.now
        self._away_s = 0.0 if revived is None else self._loop.time() - revived.now
        self._timer: asyncio.TimerHandle | None = None
        self.gauge = gauge or Gauge()
        self.reports = Reports(transport.me, lambda: machine.attempt, self.gauge, self._now)
        self._measures = Measures(self.gauge)
        engine.on_micro_batch = self.gauge.micro_batch
        self._over: asyncio.Future[Ended] = self._loop.create_future()
        worker.failed = self.fail
        if journal is not None:
            self.driver.note = journal.event

    # ------------------------------------------------------------ running

    async def run(self) -> Ended:
        """Wait for the roster, take part until the end. The transport, which must have been started with
        this node as its inbox, stays open: a peer that is still at the last step may need an answer. Call
        `halt` afterwards.

        Raises what broke (LedgerError) and leaves the ledger whole."""
        self._connect(self.machine.state)
        await self._wait_for_roster()
        self._measures.begin(self.machine.attempt, self._now())
        if self._revived is None:
            work = self.driver.begin(self._now())
            self._begin_journal()
            self._do(work)
        else:
            self._take_up(self._revived)
        self.reports.begin()
        return await self._over

    def _now(self) -> float:
        """The machine's time: it stands still while its peer is away."""
        self._latest = max(self._latest, self._loop.time() - self._away_s)
        return self._latest

    def _take_up(self, revived: Revived) -> None:
        """Go on where an earlier process was: say again what others may have missed."""
        self._away_s = self._loop.time() - self._latest  # the wait for the others counts as being away
        for recorded in revived.unwritten:
            self._write(recorded)
        for recorded in revived.unreported:
            stale = recorded.state.step < revived.machine.state.step
            self.progress(Progress(recorded.entry, recorded.state, stale=stale))
        for effect in revived.repeated:
            self.worker.submit(partial(self._perform, effect), lambda _: None)
        for send in revived.past:  # as it was said before, if it was: no step that is over is spoken in anew
            for peer in send.to:
                self.transport.send(peer, send.raw)
        work = self.driver.take_up(self._now())
        held = ((push.to, push.digest, self.engine.store.get(push.digest)) for push in revived.pushes)
        pushes = [Push(to, name, data) for to, name, data in held if data is not None]
        again = Work(revived.sends, pushes, revived.effects)
        if revived.machine.ended is not None:
            again.outputs.append(revived.machine.ended)
        self._do(again)
        self._do(work)

    async def _wait_for_roster(self) -> None:
        others = [peer for peer in self.machine.state.members if peer != self.transport.me]
        limit = self._loop.time() + ROSTER_PHASES * self.machine.state.config.phase_s
        while not all(self.transport.connected(peer) for peer in others) and self._loop.time() < limit:
            await asyncio.sleep(0.02)

    def halt(self) -> None:
        """Do nothing any more; the transport is for its owner to stop."""
        if self._timer is not None:
            self._timer.cancel()
        self.reports.stop()
        self.worker.stop()

    def fail(self, error: BaseException) -> None:
        """End the run with an error of our own."""
        if not self._over.done():
            self._over.set_exception(error)
            self.reports.stop()

    # ------------------------------------------------------------ what comes in (network.Inbox)

    def allows(self, peer: PeerId) -> bool:
        """Return whether to read what this peer sends: it is a member, or was one until a moment ago."""
        leaving = self._leaving.get(peer)
        lingers = leaving is not None and leaving.messages > 0 and self._loop.time() < leaving.until
        return lingers or peer in self.machine.state.members

    def control(self, sender: PeerId, raw: bytes) -> None:
        """Take a control message. One that comes after the end may still be answered."""
        if sender in self._leaving:
            if not self.allows(sender):
                return
            self._leaving[sender].messages -= 1
        self._drive(lambda: self.driver.received(sender, raw, self._now()))

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        """Answer the offer of a blob."""
        if sender not in self.machine.state.members:
            return False
        answer = self.driver.offered(sender, digest, size)
        if answer is Offer.HELD:
            self._loop.call_soon(self._unless_over, lambda: self.driver.held(digest, self._now()))
        return answer is Offer.WANTED

    def blob(self, sender: PeerId, digest: Digest, data: Bytes) -> None:
        """Take a blob that was wanted."""
        self._unless_over(lambda: self.driver.arrived(digest, data, self._now()))

    def fault(self, fault: Fault) -> None:
        """Count a peer's misbehaviour, and report it. What a flood holds up, others are asked for."""
        self._count(fault)
        if fault.kind is FaultKind.FLOOD:
            self._unless_over(lambda: self.driver.held_up(fault.peer))

    def _count(self, fault: Fault) -> None:
        self.faults[fault.peer, fault.kind] += 1
        self.faulted(fault)

    # ------------------------------------------------------------ what is left to do

    def _unless_over(self, act: Callable[[], Work]) -> None:
        if not self._over.done():
            self._drive(act)

    def _drive(self, act: Callable[[], Work]) -> None:
        try:
            self._do(act())
        except Exception as error:
            self.fail(error)

    def _do(self, work: Work) -> None:
        if work is NOTHING:
            return
        permitted = self._permitted(work.messages)
        measured = NOT_MEASURED
        for output in work.outputs:
            if isinstance(output, Recorded):
                self._write(output)
                # Before work of the next attempt is handed out, which may be done in no time.
                measured = self._measures.take(self.transport.counters.total, self._now())
        for send in permitted:
            for peer in send.to:
                self.transport.send(peer, send.raw)
        for push in work.pushes:
            for peer in push.to:
                self.transport.push(peer, push.digest, push.data)
        for effect in work.effects:
            self._submit(effect)
        for fault in work.faults:
            self._count(fault)
        for output in work.outputs:
            self._output(output, measured)
        self._measures.see(self.machine.attempt, self._now())
        self._set_timer()

    def _permitted(self, messages: list[Send]) -> list[Send]:
        """What may leave: all, unless an earlier process with this key may have said something else."""
        if not messages:
            return messages
        state = self.machine.attempt.state
        if self._votes is not None:
            messages = self._votes.permit(messages, (state.step, state.attempt))
        if self._journal is not None:
            self._journal.said([send.raw for send in messages if is_own(send.raw, self.transport.me)])
        return messages

    def _write(self, recorded: Recorded) -> None:
        """Bring a record to the disk, before anything leaves that rests on it."""
        if self._ledger is not None:
            self._ledger.append(recorded.entry)
        if recorded.entry.record.kind == STEP:
            self._begin_journal()

    def _begin_journal(self) -> None:
        if self._journal is not None:
            self._journal.begin(self.machine.beginning)

    def _submit(self, effect: Effect) -> None:
        def take(result: Any) -> None:
            self._measures.performed(effect, self.engine)
            self._unless_over(lambda: self.driver.done(effect, result, self._now()))

        kind = KINDS[type(effect)]
        self.worker.submit(lambda: self.gauge.run(kind, lambda: self._perform(effect)), take)

    def _output(self, output: Output, measured: Measured) -> None:
        if isinstance(output, Recorded):
            self._follow(output)
            self.progress(Progress(output.entry, output.state, measured))
        elif isinstance(output, Diverged):
            self.fail(
                RunMismatchError(
                    f"this peer computed another model in step {output.step} than the swarm: its hardware or "
                    "its versions are unlike the others', so take part with those that the run uses"
                )
            )
        elif isinstance(output, Ended) and not self._over.done():
            self._over.set_result(output)
            self.reports.stop()

    def _follow(self, recorded: Recorded) -> None:
        """Keep the links to those that a record leaves: the members, and for a while who has lost its seat,
        perhaps without knowing it yet."""
        now, removals = self._loop.time(), recorded.entry.record.removals
        until = now + LINGER_DELTAS * recorded.state.config.delta_s
        over = [peer for peer, leaving in self._leaving.items() if leaving.until <= now]
        for peer in over:
            del self._leaving[peer]
        self._leaving |= {PeerId(r.peer): _Leaving(until) for r in removals if r.kind in (BAN, LEAVE)}
        if removals or over:
            self._connect(recorded.state)

    def _connect(self, state: RosterState) -> None:
        wanted = (*state.members, *self._leaving)
        self.transport.connect([self._records[peer] for peer in wanted if peer in self._records])

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake = self.driver.wake
        if wake is not None and not self._over.done():
            self._timer = self._loop.call_at(wake + self._away_s, self._tick)

    def _tick(self) -> None:
        self._latest = max(self._latest, self.driver.wake or 0.0)  # floats round
        self._unless_over(lambda: self.driver.tick(self._now()))
        self.reports.ticked()
