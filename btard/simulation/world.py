"""The world: events in virtual time, one heap, no clock. The same scenario happens the same way every time.

Control messages and blobs leave through an uplink and go over links with delays of their own (`links.py`);
each message takes its receiver's processor some time; effects are done one after the other, as a node's
worker does them, and take drawn time; a machine is ticked when it asks to be. After every event the checkers
look at the peer that it concerned: at what it put out, and at the time.
"""

from __future__ import annotations

import heapq
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from btard.machine import Aggregate, ComputeGradient, Effect, Received, Recompute, Tick, Update
from btard.node.driver import Offer, Work
from btard.protocol.messages import PHASES
from btard.protocol.outputs import Recorded
from btard.protocol.record import ABORT, BAN, STEP
from btard.simulation.book import header_of
from btard.simulation.checker import Checker, Violation
from btard.simulation.checkers import all_checkers
from btard.simulation.coverage import coverage_of
from btard.simulation.dice import Dice
from btard.simulation.host import Host, identity_of
from btard.simulation.links import Links
from btard.simulation.outcome import Outcome
from btard.simulation.scenario import Scenario
from btard.simulation.traffic import Blob, Traffic
from btard.types import Bytes, Digest, PeerId, short

EVENTS_MAX = 2_000_000
"""Event limit; a run that exceeds it is livelocked."""

Trace = Callable[[float, int, str], None]
"""Told what happens: virtual time in seconds, the index of the peer, words."""


class World:
    """One run of a scenario. `hosts` and `checkers` may be changed before `run`: tests plant bugs there.

    `records` is the honest ledger so far, `index_of` the peers by name, `archive` every blob that a peer has
    committed to or aggregated, `coverage` what happened, by name.
    """

    def __init__(self, scenario: Scenario, trace: Trace | None = None) -> None:
        self.scenario = scenario
        self.now = 0.0
        byzantine = [each.peer for each in scenario.byzantine]
        uplinks = dict(enumerate(scenario.uplinks))
        self.links = Links(scenario.seed, scenario.weather, scenario.cuts, byzantine, uplinks)
        peers = tuple(identity_of(scenario.seed, index).peer for index in range(scenario.peers))
        header = header_of(scenario, peers)
        _, self.genesis = header.open()
        colluders = tuple(peers[index] for index in byzantine)
        self.hosts = [Host(index, scenario, header, self.genesis, colluders) for index in range(len(peers))]
        self.index_of: dict[PeerId, int] = {peer: index for index, peer in enumerate(peers)}
        self.traffic = Traffic(scenario.seed, self.links, self.index_of, scenario.weather.forged, self._at)
        self.records: list[Recorded] = []
        self.archive: dict[Digest, Bytes] = {}
        self.disputes: set[tuple[int, int]] = set()
        self.coverage: Counter[str] = Counter()
        self.checkers: Sequence[Checker] = all_checkers()
        self._trace = trace
        self._heap: list[tuple[float, int, int, Any, bool]] = []
        self._sequence = 0
        self._violation: Violation | None = None
        self._work = Dice(scenario.seed, "work")
        self._crashes = {crash.peer: crash for crash in scenario.crashes}
        self._awaited: set[int] = set()
        self._looking: dict[str, list[tuple[str, Callable[..., str | None]]]] = {}
        self._crash_countdown: dict[int, int] = {}

    # ------------------------------------------------------------ running

    def run(self) -> Outcome:
        """Run until the run is over for everybody or a checker complains."""
        # A cheat may get to the end or not.
        self._awaited = {host.index for host in self.hosts if host.honest}
        for host in self.hosts:
            self._step(host, partial(host.driver.begin, self.now))
        events = 0
        while self._heap and self._violation is None and events < EVENTS_MAX:
            self.now, _, index, what, read = heapq.heappop(self._heap)
            events += 1
            host = self.hosts[index]
            if not read and self._waits(host, what):
                continue
            if host.alive:
                self._happen(host, what)
                if (host.ended and not host.queue) or not host.alive:
                    self._awaited.discard(index)
                    if not self._awaited:
                        break
        self._check("finish")
        return self._outcome(events)

    def _outcome(self, events: int) -> Outcome:
        bans = [
            (self.hosts[self.index_of[PeerId(removal.peer)]].kind, removal.reason)
            for recorded in self.records
            for removal in recorded.entry.record.removals
            if removal.kind == BAN
        ]
        steps = sum(1 for recorded in self.records if recorded.entry.record.kind == STEP)
        return Outcome(
            scenario=self.scenario,
            violation=self._violation,
            head=self.records[-1].state.head if self.records else None,
            time_s=self.now,
            events=events,
            steps=steps,
            restarts=sum(1 for recorded in self.records if recorded.entry.record.kind == ABORT),
            disputes=len(self.disputes),
            crashes=sum(1 for host in self.hosts if not host.alive),
            bans=tuple(bans),
            coverage=coverage_of(self),
        )

    # ------------------------------------------------------------ what happens

    def _happen(self, host: Host, what: Any) -> None:
        """One event: control bytes, a blob, the end of an effect, or the time."""
        driver = host.driver
        if isinstance(what, Received):
            if self._trace is not None:
                self._note(host, f"hears {len(what.raw)} bytes of {short(what.sender)}")
            self._step(host, lambda: driver.received(what.sender, what.raw, self.now))
            if not host.honest:
                self.traffic.forge(host, what, self.now)
        elif isinstance(what, Blob):
            answer = driver.offered(what.sender, what.name, what.claimed_bytes)
            self._note(host, f"is offered {short(what.name)}: {answer.name.lower()}")
            if answer is Offer.REFUSED:
                self._check("refused", host, what.sender, what.name, len(what.data))
            if answer is Offer.WANTED and len(what.data) == what.claimed_bytes:
                self._step(host, lambda: driver.arrived(what.name, what.data, self.now))
            elif answer is Offer.HELD:
                self._step(host, lambda: driver.held(what.name, self.now))
        elif isinstance(what, Tick):
            if host.tick_at is not None and self.now >= host.tick_at:
                host.tick_at = None
                self._note(host, "ticks")
                self._step(host, lambda: driver.tick(self.now))
        else:
            self._finish_work(host)

    def _step(self, host: Host, act: Callable[[], Work]) -> None:
        """Let a driver act, let the checkers look, and carry out what is left to do."""
        try:
            work = act()
        except Exception as error:
            self._fail(host, error)
            return
        self.traffic.note(host, work.messages)
        for output in work.outputs:
            if isinstance(output, Recorded):
                self._record(host, output)
        if work.outputs or work.faults:
            self._check("after", host, work)
        self._check("passing", host)
        attempt = host.machine.attempt
        if attempt.in_dispute:
            self.disputes.add((attempt.state.step, attempt.state.attempt))
        heard = self._crash(host)
        for send in work.messages:
            self.traffic.send(host, send, heard, self.now)
        for push in work.pushes:
            self.traffic.push(host, push, heard, self.now)
        for effect in work.effects:
            self._queue_work(host, effect)
        wake = host.driver.wake
        if wake is not None and host.alive and wake != host.tick_at:
            host.tick_at = wake
            self._at(max(wake, self.now), host.index, Tick())

    def _record(self, host: Host, recorded: Recorded) -> None:
        record = recorded.entry.record
        host.book.append(recorded.entry)
        if host.honest and record.index == len(self.records):
            self.records.append(recorded)
            members = recorded.state.members
            # Who lost its seat unawares (slow, or crashed) learns it from the ledger, not from the machine.
            self._awaited = {index for index in self._awaited if self.hosts[index].peer in members}
        out = ", ".join(f"{r.kind} {self.index_of[PeerId(r.peer)]} {r.reason}" for r in record.removals)
        self._note(host, f"records {record.index}: {record.kind} {record.step}.{record.attempt} {out}")

    def _crash(self, host: Host) -> float | None:
        """Crash the peer if its scheduled point is reached. Return the fraction of recipients that still get
        its last messages, else None."""
        crash = self._crashes.get(host.index)
        if crash is None or host.ended:
            return None
        place = (host.machine.state.step, PHASES.index(host.machine.attempt.phase))
        if host.index not in self._crash_countdown and place < (crash.step, PHASES.index(crash.phase)):
            return None
        left = self._crash_countdown.setdefault(host.index, crash.events)
        self._crash_countdown[host.index] = left - 1
        if left > 0:
            return None
        host.alive = False
        self._note(host, "crashes")
        return crash.heard

    # ------------------------------------------------------------ work

    def _queue_work(self, host: Host, effect: Effect) -> None:
        host.queue.append(effect)
        if len(host.queue) == 1:
            self._at(self.now + self._duration(host, effect), host.index, None)

    def _duration(self, host: Host, effect: Effect) -> float:
        for slow in self.scenario.slow:
            if slow.peer == host.index and slow.step == host.machine.state.step:
                return slow.effect_s
        phase_s = self.scenario.config.phase_s
        if isinstance(effect, ComputeGradient | Recompute | Update):
            return self._work.between(0.005, 0.1) * phase_s
        return self._work.between(0.0001, 0.001) * phase_s

    def _finish_work(self, host: Host) -> None:
        effect = host.queue.popleft()
        if host.queue:
            self._at(self.now + self._duration(host, host.queue[0]), host.index, None)
        try:
            result = host.perform(effect)
        except Exception as error:
            self._fail(host, error)
            return
        if isinstance(effect, ComputeGradient | Aggregate):
            self._keep(host, result)
        self._check("worked", host, effect)
        self._note(host, f"has done {type(effect).__name__}")
        self._step(host, lambda: host.driver.done(effect, result, self.now))

    # ------------------------------------------------------------ inside

    def _waits(self, host: Host, what: Any) -> bool:
        """Have the processor of a peer take its time over what has come; whether that is not over yet."""
        ready = host.ready_at(self.now, len(what.raw) if isinstance(what, Received) else 0)
        if ready > self.now:
            self._at(ready, host.index, what, read=True)
        return ready > self.now

    def _keep(self, host: Host, result: Any) -> None:
        """Archive the blobs that an effect has made, before their owner forgets them."""
        names = result if isinstance(result, tuple) else (result.aggregate,)
        for name in names:
            data = None if name is None else host.driver.store.get(name)
            if data is not None:
                self.archive[name] = data

    def _at(self, time: float, index: int, what: Any, read: bool = False) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (time, self._sequence, index, what, read))

    def _check(self, occasion: str, *about: Any) -> None:
        """Have the checkers look that have something to say on this occasion, a method of theirs."""
        if occasion not in self._looking:
            base = getattr(Checker, occasion)
            self._looking[occasion] = [
                (checker.name, getattr(checker, occasion))
                for checker in self.checkers
                if getattr(type(checker), occasion) is not base
            ]
        for name, look in self._looking[occasion]:
            if self._violation is None and (complaint := look(self, *about)) is not None:
                self._violation = Violation(name, f"at {self.now:.3f} s: {complaint}")

    def _fail(self, host: Host, error: Exception) -> None:
        if self._violation is None:
            text = f"at {self.now:.3f} s peer {host.index} {host.kind}: "
            self._violation = Violation("exceptions", text + "".join(traceback.format_exception(error)))

    def _note(self, host: Host, words: str) -> None:
        if self._trace is not None:
            self._trace(self.now, host.index, words)
