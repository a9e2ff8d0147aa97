"""A network in one process and one event loop: the transport of tests and of small simulations.

It has the interface, bounds, checks and counters of `GrpcTransport`, without sockets and TLS. Each callback
of the loop delivers one message, in the order of sending, so that a run repeats itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from btard.crypto import digest as digest_of
from btard.network.counters import Counters, Traffic
from btard.network.frames import OFFER_COST, REPLY_COST, body_cost, framed
from btard.network.guard import GuardedInbox
from btard.network.limits import Limits
from btard.network.outbox import Outbox
from btard.network.record import PeerRecord
from btard.network.transport import Inbox
from btard.types import Digest, Fault, FaultKind, PeerId, short

T = TypeVar("T")


class MemoryHub:
    """The wires between the `MemoryTransport`s of one loop. `latency_s` is the delay of each message;
    0 delivers in the next round of the loop."""

    def __init__(self, latency_s: float = 0.0) -> None:
        self.latency_s = latency_s
        self._online: dict[PeerId, MemoryTransport] = {}

    def online(self, peer: PeerId) -> MemoryTransport | None:
        """Return the started transport of a peer."""
        return self._online.get(peer)

    def join(self, transport: MemoryTransport) -> None:
        """Add a transport that has started; its waiting messages begin to flow."""
        self._online[transport.me] = transport
        for other in tuple(self._online.values()):
            other.resume(transport.me)

    def leave(self, transport: MemoryTransport) -> None:
        """Remove a transport that has stopped. Another one of the same peer may have taken its place."""
        if self._online.get(transport.me) is transport:
            del self._online[transport.me]


class MemoryTransport:
    """A `Transport` over a `MemoryHub`. `allowed` says which peers may send to us."""

    def __init__(
        self,
        hub: MemoryHub,
        me: PeerId,
        *,
        allowed: Callable[[PeerId], bool] = lambda _: True,
        limits: Limits | None = None,
    ) -> None:
        self.me = me
        self.counters = Counters()
        self.inbox: GuardedInbox | None = None
        self.hub = hub
        self.allowed = allowed
        self.limits = limits or Limits()
        self._links: dict[PeerId, tuple[_Wire[bytes], _Wire[tuple[Digest, bytes]]]] = {}

    async def start(self, inbox: Inbox) -> None:
        """Appear on the hub."""
        assert self.inbox is None, "a transport is started once"
        self.inbox = GuardedInbox(inbox)
        self.hub.join(self)

    async def stop(self) -> None:
        """Leave the hub; waiting messages are lost."""
        self.hub.leave(self)
        self._links.clear()

    def connect(self, records: Iterable[PeerRecord]) -> None:
        """Take the roster; only its names matter here. See `Transport.connect`."""
        roster = {record.peer for record in records} - {self.me}
        for peer in self._links.keys() - roster:
            del self._links[peer]
        for peer in roster:
            if peer not in self._links:
                self._links[peer] = (
                    _Wire(self, peer, self.limits.control_queue_bytes, _carry_control),
                    _Wire(self, peer, self.limits.blob_queue_bytes, _carry_blob),
                )
        self.counters.keep(roster)

    def connected(self, peer: PeerId) -> bool:
        """Return whether `peer` is in the roster, online, and lets us in."""
        other = self.hub.online(peer)
        return peer in self._links and other is not None and other.allowed(self.me)

    def send(self, to: PeerId, raw: bytes) -> None:
        """Queue a control message; see `Transport.send`."""
        self.limits.check_control(raw)
        wires = self._links.get(to)
        if wires is None:
            self.counters.others.control_dropped += 1
        elif not wires[0].put(raw, len(raw)):
            self.counters.of(to).control_dropped += 1

    def push(self, to: PeerId, digest: Digest, data: bytes) -> None:
        """Queue a blob; see `Transport.push`."""
        self.limits.check_blob(data)
        wires = self._links.get(to)
        if wires is None:
            self.counters.others.blobs_dropped += 1
        elif not wires[1].put((digest, data), len(data)):
            self.counters.of(to).blobs_dropped += 1

    # ------------------------------------------------------------ for the hub and the wires

    def resume(self, peer: PeerId) -> None:
        """Deliver the messages that wait for `peer`, which has come online."""
        for wire in self._links.get(peer, ()):
            wire.resume()

    def holds(self, wire: _Wire[Any]) -> bool:
        """Return whether a wire still belongs to the roster of a started transport."""
        return wire in self._links.get(wire.peer, ()) and self.hub.online(self.me) is self


class _Wire(Generic[T]):
    """The queue for one peer in one class. Each item gets one callback. While the peer is away the callbacks
    do nothing; `resume` schedules others."""

    def __init__(
        self,
        sender: MemoryTransport,
        peer: PeerId,
        bytes_max: int,
        carry: Callable[[MemoryTransport, T, MemoryTransport], None],
    ) -> None:
        self.peer = peer
        self._sender = sender
        self._carry = carry
        self._waiting: Outbox[T] = Outbox(sender.limits.control_queue_messages, bytes_max)

    def put(self, item: T, size: int) -> bool:
        """Queue an item and schedule its delivery; return False if it does not fit."""
        fits = self._waiting.put(item, size)
        if fits:
            self._schedule()
        return fits

    def resume(self) -> None:
        """Schedule the delivery of all items."""
        for _ in range(len(self._waiting)):
            self._schedule()

    def _schedule(self) -> None:
        loop, latency_s = asyncio.get_running_loop(), self._sender.hub.latency_s
        if latency_s:
            # Timers of one instant may fire in any order: each delivers the head of the queue.
            loop.call_later(latency_s, self._deliver)
        else:
            loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        if not self._waiting or not self._sender.holds(self):
            return
        remote = self._sender.hub.online(self.peer)
        if remote is not None and remote.allowed(self._sender.me):
            self._carry(self._sender, self._waiting.pop(), remote)


def _carry_control(sender: MemoryTransport, raw: bytes, remote: MemoryTransport) -> None:
    mine, theirs = sender.counters.of(remote.me), remote.counters.of(sender.me)
    mine.control_messages_sent += 1
    mine.control_bytes_sent += framed(len(raw))
    theirs.control_messages_received += 1
    theirs.control_bytes_received += framed(len(raw))
    assert remote.inbox is not None
    remote.inbox.control(sender.me, raw)


def _carry_blob(sender: MemoryTransport, item: tuple[Digest, bytes], remote: MemoryTransport) -> None:
    """Do offer, verdict, body and acknowledgement at once."""
    digest, data = item
    me, inbox = sender.me, remote.inbox
    assert inbox is not None
    mine, theirs = sender.counters.of(remote.me), remote.counters.of(me)
    _count(mine, theirs, OFFER_COST, REPLY_COST)
    if not inbox.wants(me, digest, len(data)):
        theirs.blobs_refused += 1
        mine.blobs_unwanted += 1
        return
    _count(mine, theirs, body_cost(len(data), sender.limits.chunk_bytes), REPLY_COST)
    if digest_of("blob", data) != digest:
        theirs.rejected += 1
        mine.blobs_dropped += 1
        inbox.fault(Fault(me, FaultKind.FORGED_BLOB, f"sent other bytes than the blob {short(digest)}"))
        return
    theirs.blobs_received += 1
    mine.blobs_sent += 1
    inbox.blob(me, digest, data)


def _count(mine: Traffic, theirs: Traffic, forth: int, back: int) -> None:
    mine.blob_bytes_sent += forth
    theirs.blob_bytes_received += forth
    theirs.blob_bytes_sent += back
    mine.blob_bytes_received += back
