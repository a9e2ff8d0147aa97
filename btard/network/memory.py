"""A network in one process and one event loop: the transport of tests and of small simulations.

It has the interface, bounds, checks and counters of `GrpcTransport`, without sockets and TLS. Each callback
of the loop delivers one message, in the order of sending, so that a run repeats itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from btard.crypto import digest as digest_of
from btard.network.counters import Counters, Traffic
from btard.network.frames import OFFER_COST, REPLY_COST, body_cost, framed
from btard.network.guard import GuardedInbox
from btard.network.limits import Limits
from btard.network.outbox import Outbox
from btard.network.record import PeerRecord
from btard.network.transport import Inbox, Transport
from btard.types import Bytes, Digest, Fault, FaultKind, PeerId, short

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


class MemoryTransport(Transport):
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
        self._links: dict[PeerId, _Link] = {}

    async def start(self, inbox: Inbox) -> None:
        assert self.inbox is None, "a transport is started once"
        self.inbox = GuardedInbox(inbox)
        self.hub.join(self)

    async def stop(self) -> None:
        self.hub.leave(self)
        self._links.clear()  # waiting messages are lost

    def connect(self, records: Iterable[PeerRecord]) -> None:
        roster = {record.peer for record in records} - {self.me}
        self._links = {peer: self._links.get(peer) or _Link(self, peer) for peer in roster}
        self.counters.keep(roster)

    def connected(self, peer: PeerId) -> bool:
        other = self.hub.online(peer)
        return peer in self._links and other is not None and other.allowed(self.me)

    def send(self, to: PeerId, raw: bytes) -> None:
        self.limits.check_control(raw)
        link = self._links.get(to)
        if link is None or not link.put(link.control, raw, len(raw)):
            self.counters.known(to).control_dropped += 1

    def push(self, to: PeerId, digest: Digest, data: Bytes) -> None:
        self.limits.check_blob(data)
        link = self._links.get(to)
        if link is None or not link.put(link.blobs, (digest, data), len(data)):
            self.counters.known(to).blobs_dropped += 1

    # ------------------------------------------------------------ for the hub and the links

    def resume(self, peer: PeerId) -> None:
        """Deliver the messages that wait for `peer`, which has come online."""
        if peer in self._links:
            self._links[peer].resume()

    def holds(self, link: _Link) -> bool:
        """Return whether a link still belongs to the roster of a started transport."""
        return self._links.get(link.peer) is link and self.hub.online(self.me) is self


class _Link:
    """The queues for one peer. Each item gets one callback, which delivers the head of its queue. While the
    peer is away the callbacks do nothing; `resume` schedules others."""

    def __init__(self, sender: MemoryTransport, peer: PeerId) -> None:
        limits = sender.limits
        self.peer = peer
        self.control: Outbox[bytes] = Outbox(limits.control_queue_messages, limits.control_queue_bytes)
        self.blobs: Outbox[tuple[Digest, Bytes]] = Outbox(
            limits.control_queue_messages, limits.blob_queue_bytes
        )
        self._sender = sender
        self._mine = sender.counters.of(peer)

    def put(self, queue: Outbox[T], item: T, size: int) -> bool:
        """Queue an item and schedule its delivery; return False if it does not fit."""
        fits = queue.put(item, size)
        if fits:
            self._schedule(queue)
        return fits

    def resume(self) -> None:
        """Schedule the delivery of all items."""
        for queue in (self.control, self.blobs):
            for _ in range(len(queue)):
                self._schedule(queue)

    def _schedule(self, queue: Outbox[Any]) -> None:
        loop, latency_s = asyncio.get_running_loop(), self._sender.hub.latency_s
        if latency_s:
            # Timers of one instant may fire in any order: each delivers the head of the queue.
            loop.call_later(latency_s, self._deliver, queue)
        else:
            loop.call_soon(self._deliver, queue)

    def _deliver(self, queue: Outbox[Any]) -> None:
        me, remote = self._sender.me, self._sender.hub.online(self.peer)
        if not queue or not self._sender.holds(self) or remote is None or not remote.allowed(me):
            return
        assert remote.inbox is not None
        if queue is self.control:
            self._carry_control(self.control.pop(), remote.inbox, remote.counters.of(me))
        else:
            self._carry_blob(*self.blobs.pop(), remote.inbox, remote.counters.of(me))

    def _carry_control(self, raw: bytes, inbox: Inbox, theirs: Traffic) -> None:
        self._mine.control_messages_sent += 1
        self._mine.control_bytes_sent += framed(len(raw))
        theirs.control_messages_received += 1
        theirs.control_bytes_received += framed(len(raw))
        inbox.control(self._sender.me, raw)

    def _carry_blob(self, digest: Digest, data: Bytes, inbox: Inbox, theirs: Traffic) -> None:
        """Do offer, verdict, body and acknowledgement at once."""
        me, mine = self._sender.me, self._mine
        _count(mine, theirs, OFFER_COST, REPLY_COST)
        if not inbox.wants(me, digest, len(data)):
            theirs.blobs_refused += 1
            mine.blobs_unwanted += 1
            return
        _count(mine, theirs, body_cost(len(data), self._sender.limits.chunk_bytes), REPLY_COST)
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
