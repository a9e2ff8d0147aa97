"""Real machines on a scripted network: messages have delays of the test's choosing, and some peers cheat."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush

from btard.codec import FP32
from btard.crypto import Identity, digest
from btard.machine import Actions, BlobHeld, Done, Event, PushBlob, Received, Send, Tick
from btard.protocol.constants import ProtocolConfig
from btard.protocol.outputs import Recorded
from btard.protocol.record import Record
from btard.protocol.state import RosterState, roster_digest
from btard.types import Fault, PeerId
from btard.wire import Envelope, Sealed, open_sealed, seal
from tests.protocol.ledgers import CONFIG, Peer, by_peer, tiny_engine

Delay = Callable[[int, int, bytes, float], float | None]
"""(from, to, bytes, now) -> seconds until it arrives, None where it's lost."""

Tamper = Callable[["Net", Peer, Actions], Actions]


def at_once(sender: int, to: int, raw: bytes, now: float) -> float | None:
    return 0.0


def phase_of(raw: bytes) -> str:
    """The phase of a sealed message, "" of any other."""
    sealed = open_sealed(raw)
    return sealed.envelope.phase if isinstance(sealed, Sealed) else ""


class Net:
    """`peers` machines in seat order; `cheats` maps a seat to what changes its steps. One clock, one heap."""

    def __init__(
        self,
        peers: int,
        steps: int = 3,
        *,
        config: ProtocolConfig = CONFIG,
        delay: Delay = at_once,
        cheats: dict[int, Tamper] | None = None,
    ) -> None:
        keys = sorted((Identity.from_seed(bytes([k + 1]) * 32) for k in range(peers)), key=by_peer)
        self.genesis = RosterState.genesis(digest("run"), config, [key.peer for key in keys])
        self.peers = [Peer(key, self.genesis, steps, tiny_engine) for key in keys]
        self.seat_of = {key.peer: seat for seat, key in enumerate(keys)}
        self.cheats = cheats or {}
        self.delay = delay
        self.now = 0.0
        self.faults: list[tuple[int, Fault]] = []
        self.outputs: list[tuple[int, object]] = []
        self._heap: list[tuple[float, int, int, Event, bytes | None]] = []
        self._count = 0

    @property
    def honest(self) -> list[Peer]:
        return [peer for seat, peer in enumerate(self.peers) if seat not in self.cheats]

    def run(self, until: float = 3000.0) -> Net:
        """Until every honest peer has ended."""
        for peer in self.peers:
            self.take(peer, peer.machine.begin(self.now))
        while any(peer.machine.ended is None for peer in self.honest):
            wakes = [p.machine.wake for p in self.peers if p.machine.wake is not None]
            soonest = min(wakes, default=math.inf)
            if self._heap and self._heap[0][0] <= soonest:
                self.now, _, to, event, data = heappop(self._heap)
                self.deliver(to, event, data)
                continue
            assert soonest < until, "the honest peers wait for something that never comes"
            self.now = max(self.now, soonest)
            for peer in self.peers:
                if peer.machine.wake is not None and peer.machine.wake <= self.now:
                    self.take(peer, peer.machine.handle(Tick(), self.now))
        return self

    def put(self, to: int, event: Event, data: bytes | None = None, delay_s: float = 0.0) -> None:
        self._count += 1
        heappush(self._heap, (self.now + delay_s, self._count, to, event, data))

    def deliver(self, to: int, event: Event, data: bytes | None = None) -> None:
        peer = self.peers[to]
        if data is not None and FP32.is_valid(data):
            peer.store.put(data)
        self.take(peer, peer.machine.handle(event, self.now))

    def take(self, peer: Peer, out: Actions) -> None:
        seat = self.seat_of[peer.identity.peer]
        if seat in self.cheats:
            out = self.cheats[seat](self, peer, out)
        self.faults += [(seat, fault) for fault in out.faults]
        self.outputs += [(seat, output) for output in out.outputs]
        peer.entries += [o.entry for o in out.outputs if isinstance(o, Recorded)]
        for send in out.messages:
            for name in send.to:
                self.send(seat, self.seat_of[name], send.raw)
        for effect in out.effects:
            if isinstance(effect, PushBlob):
                data = peer.store.get(effect.digest)
                assert data is not None, "a peer pushes what it holds"
                for name in effect.to:
                    self.put(
                        self.seat_of[name], BlobHeld(effect.digest, len(data), FP32.is_valid(data)), data
                    )
            else:
                self.put(seat, Done(effect, peer.perform(effect)))

    def send(self, sender: int, to: int, raw: bytes) -> None:
        """Put bytes on a link."""
        wait = self.delay(sender, to, raw, self.now)
        if wait is not None:
            self.put(to, Received(self.peers[sender].identity.peer, raw), delay_s=wait)

    # ------------------------------------------------------------ what came of it

    def ledgers(self) -> list[list[Record]]:
        return [[entry.record for entry in peer.entries] for peer in self.honest]

    def agreed(self) -> list[Record]:
        """The honest ledger; there is only one."""
        ledgers = self.ledgers()
        assert all(ledger == ledgers[0] for ledger in ledgers), "honest peers wrote different ledgers"
        return ledgers[0]

    def removals(self) -> set[tuple[int, str, str]]:
        """(seat at genesis, kind, reason) of everybody that was removed."""
        return {
            (self.seat_of[PeerId(r.peer)], r.kind, r.reason)
            for record in self.agreed()
            for r in record.removals
        }


def sealed_as(peer: Peer, phase: str, payload: bytes, state: RosterState | None = None) -> bytes:
    """Bytes that this peer signs for a slot of its attempt, whatever they say."""
    state = state or peer.machine.state
    place = (state.run, state.step, state.attempt, phase, roster_digest(state.participants))
    return seal(peer.identity, Envelope(*place, peer.identity.peer, payload))


def others(net: Net, peer: Peer) -> tuple[PeerId, ...]:
    return tuple(each.identity.peer for each in net.peers if each is not peer)


def once(change: Callable[[Net, Peer, Actions], Actions], when: Callable[[Peer, Actions], bool]) -> Tamper:
    """A cheat that does something once, the first time that `when` holds."""
    done: list[bool] = []

    def tamper(net: Net, peer: Peer, out: Actions) -> Actions:
        if not done and when(peer, out):
            done.append(True)
            return change(net, peer, out)
        return out

    return tamper


def adding(messages: Callable[[Net, Peer], Sequence[Send]]) -> Callable[[Net, Peer, Actions], Actions]:
    """Sends more than an honest peer would."""

    def change(net: Net, peer: Peer, out: Actions) -> Actions:
        return replace(out, messages=[*out.messages, *messages(net, peer)])

    return change


def says_in(phase: str, step: int = 1) -> Callable[[Peer, Actions], bool]:
    """Whether a peer speaks in this phase of this step."""
    return lambda peer, out: (
        peer.machine.state.step == step and any(phase_of(s.raw) == phase for s in out.messages)
    )
