"""Direct streams between peers: grpc.aio, raw bytes, TLS with pinned certificates.

Each peer runs one server, and for every other peer of the roster one client with two streams, control
and blob: the client sends, the server receives. The server proves itself by the certificate in its
signed record, the client by a signed hello (`btard.network.hello`). Everything runs in one event loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable

# Read by gRPC's core when it loads. Its log goes to stderr past Python's logging and reports, at length,
# every peer that cannot be reached; and its fork handlers have nothing to do for children that exec.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from btard.crypto import Identity
from btard.network.allowance import Allowances
from btard.network.certificate import Certificate
from btard.network.counters import Counters
from btard.network.grpc_link import BLOB, CONTROL, Link, Me
from btard.network.grpc_listener import Listener
from btard.network.guard import GuardedInbox
from btard.network.limits import Limits
from btard.network.reception import Reception
from btard.network.record import PeerRecord
from btard.network.transport import Inbox, Transport
from btard.types import Bytes, Digest, PeerId

_STOP_TIMEOUT_S = 1.0


class GrpcTransport(Transport):
    """A `Transport` over TCP. Not to be started twice.

    `run` is the run id (32 bytes). `allowed` says which peers may open streams to us; it is asked at each
    hello and, for open streams, at each `connect`. `entropy(n)` returns n random bytes, for nonces;
    `jitter()` returns numbers in [0, 1), for the backoff. `cost()` is a clock of the processor time that this
    thread has taken, in seconds, by which senders are charged. `introduce` returns what a newcomer is told of
    the run (an encoded `entrance.Answer`), None for nothing. `port` 0 takes a free one."""

    def __init__(
        self,
        identity: Identity,
        run: bytes,
        *,
        allowed: Callable[[PeerId], bool],
        entropy: Callable[[int], bytes],
        jitter: Callable[[], float],
        cost: Callable[[], float] = time.thread_time,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        introduce: Callable[[], bytes | None] = lambda: None,
        limits: Limits | None = None,
    ) -> None:
        self.me = identity.peer
        self.counters = Counters()
        self.host = host
        self.port = port
        """The port, once started."""
        self.certificate = certificate or Certificate.from_seed(identity.seed)
        self._limits = limits or Limits()
        self._inbox: GuardedInbox | None = None
        self._links: dict[PeerId, Link] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._identity = identity
        self._run = run
        self._jitter = jitter
        limits = self._limits
        # Of their own: a flood of messages does not hold up the same peer's blobs.
        self._allowances = {
            CONTROL: Allowances(limits.senders_share, limits.spare_share, limits.burst_s),
            BLOB: Allowances(limits.offers_share, limits.offers_share, limits.burst_s),
        }
        reception = Reception(identity, self.certificate, entropy)
        self._listener = Listener(
            run,
            self.certificate,
            allowed,
            entropy,
            limits,
            self.counters,
            self._allowances,
            cost,
            self._queued,
            reception,
            introduce,
        )

    async def start(self, inbox: Inbox) -> None:
        assert self._inbox is None, "a transport is started once"
        self._inbox = GuardedInbox(inbox)
        self.port = await self._listener.start(self._inbox, self.host, self.port)

    async def stop(self) -> None:
        self._drop(tuple(self._links))
        await self._listener.stop()
        if self._closing:
            await asyncio.wait(self._closing, timeout=_STOP_TIMEOUT_S)

    def connect(self, records: Iterable[PeerRecord]) -> None:
        assert self._inbox is not None, "start the transport first"
        roster = {record.peer: record for record in records if record.peer != self.me}
        self._drop(tuple(peer for peer in self._links if peer not in roster))
        self._listener.prune()
        me = Me(self._identity, self._run, self._limits, self._jitter, self._inbox.fault)
        for peer, record in roster.items():
            link = self._links.get(peer)
            if link is None:
                self._links[peer] = Link(me, record, self.counters.of(peer))
            else:
                self._retire(link.move(record))
        self.counters.keep(roster)
        for allowances in self._allowances.values():
            allowances.keep(roster, len(roster))

    def connected(self, peer: PeerId) -> bool:
        link = self._links.get(peer)
        return link is not None and link.up

    def send(self, to: PeerId, raw: bytes) -> None:
        self._limits.check_control(raw)
        link = self._links.get(to)
        if link is None or not link.control.put(raw, len(raw)):
            self.counters.known(to).control_dropped += 1

    def push(self, to: PeerId, digest: Digest, data: Bytes) -> None:
        self._limits.check_blob(data)
        link = self._links.get(to)
        if link is None or not link.blobs.put((digest, data), len(data)):
            self.counters.known(to).blobs_dropped += 1

    def _queued(self, peer: PeerId) -> int:
        link = self._links.get(peer)
        return 0 if link is None else len(link.control)

    def _drop(self, peers: Iterable[PeerId]) -> None:
        for peer in peers:
            self._retire(self._links.pop(peer).close())

    def _retire(self, tasks: set[asyncio.Task[None]]) -> None:
        self._closing |= tasks
        for task in tasks:
            task.add_done_callback(self._closing.discard)
