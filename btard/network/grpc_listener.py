"""The server's side of gRPC, behind the gate: authenticates strangers, reads streams, fills the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from btard.crypto import digest as digest_of
from btard.memory import octets
from btard.network import frames
from btard.network.allowance import BYTE_S, HANDSHAKE_S, MESSAGE_S, Allowances
from btard.network.certificate import Certificate, fingerprint
from btard.network.counters import Counters
from btard.network.deadline import within
from btard.network.entrance import METHOD
from btard.network.grpc_gate import Connection
from btard.network.grpc_link import BLOB, CONTROL
from btard.network.grpc_server import Context, GatedServer, Method, Misbehaved, read
from btard.network.hello import NONCE_BYTES, open_hello
from btard.network.limits import KIB, Limits
from btard.network.reception import Reception
from btard.network.transport import STRANGER, Inbox
from btard.types import Bytes, Digest, Fault, FaultKind, PeerId, short

HASHED_AT_ONCE_BYTES = 256 * KIB
"""A blob of at most this size is hashed in the event loop, in a quarter of a millisecond: a thread would take
as long to answer."""

Reader = Callable[[PeerId, Context], Awaitable[None]]


@dataclass(eq=False, slots=True)
class Listener:
    """One gRPC server: a control and a blob stream from each peer that is allowed, and an answer for
    newcomers, as long as `introduce` has one."""

    run: bytes
    certificate: Certificate
    allowed: Callable[[PeerId], bool]
    entropy: Callable[[int], bytes]
    limits: Limits
    counters: Counters
    allowances: Mapping[str, Allowances]
    cost: Callable[[], float]
    queued: Callable[[PeerId], int]
    reception: Reception
    introduce: Callable[[], bytes | None]
    _streams: dict[tuple[PeerId, str], asyncio.Task[None]] = field(init=False, default_factory=dict)
    _inbox: Inbox = field(init=False)
    _server: GatedServer | None = field(init=False, default=None)

    async def start(self, inbox: Inbox, host: str, port: int) -> int:
        """Listen, and return the port. Raises NetworkError if that is impossible."""
        self._inbox = inbox
        readers = {CONTROL: self._control, BLOB: self._blobs}
        methods: dict[str, Method] = {
            name: partial(self._stream, name, each) for name, each in readers.items()
        }
        methods[METHOD] = self._enter
        self._server = GatedServer(self.certificate, self.limits, self.counters, inbox.fault)
        # Slack, so that a frame slightly too large reaches us and is attributed.
        largest = max(self.limits.control_bytes_max, self.limits.chunk_bytes) + 64 * KIB
        return await self._server.start(methods, largest, host, port)

    async def stop(self) -> None:
        """Close every incoming stream and the port."""
        for task in tuple(self._streams.values()):
            task.cancel()
        if self._server is not None:
            await self._server.stop()

    def prune(self) -> None:
        """End the streams of peers that are not allowed any more."""
        for (peer, _), task in tuple(self._streams.items()):
            if not self.allowed(peer):
                task.cancel()

    # ------------------------------------------------------------ one stream

    async def _enter(self, context: Context, _: Connection) -> None:
        """Tell a newcomer what is known of the run. It stays a stranger, with its few bytes and seconds."""
        knock = await self.reception.receive(context)
        answer = self.introduce()
        if knock.run is None and answer is not None:
            await context.write(answer)
            await read(context)  # until it hangs up, or its time is over

    async def _stream(self, name: str, reader: Reader, context: Context, connection: Connection) -> None:
        peer = await self._hello(name, context, connection)
        await self._serve_peer(name, peer, reader, context)

    async def _hello(self, name: str, context: Context, connection: Connection) -> PeerId:
        nonce = self.entropy(NONCE_BYTES)
        await context.write(nonce)
        raw = await read(context)
        opened = open_hello(raw, name, nonce, fingerprint(self.certificate.der))
        if opened is None:
            raise Misbehaved(STRANGER, FaultKind.BAD_HELLO, f"sent a false hello on a {name} stream")
        connection.prove()
        peer, run = opened
        if run != self.run:
            raise Misbehaved(peer, FaultKind.WRONG_RUN, f"sent a hello for the run {run.hex()[:16]}")
        if not self.allowed(peer):
            raise Misbehaved(peer, FaultKind.NOT_A_MEMBER, "sent a hello from outside of the roster")
        return peer

    async def _serve_peer(self, name: str, peer: PeerId, reader: Reader, context: Context) -> None:
        task = asyncio.current_task()
        assert task is not None
        older = self._streams.get((peer, name))
        if older is not None:
            older.cancel()  # its client has reconnected before we noticed that the old connection died
        self._streams[peer, name] = task
        try:
            self._charge(peer, name, HANDSHAKE_S)
            await self._allowance(peer, name)
            await context.write(frames.WELCOME)
            await reader(peer, context)
        finally:
            if self._streams.get((peer, name)) is task:
                del self._streams[peer, name]

    # ------------------------------------------------------------ what a peer may cost

    @contextmanager
    def _charged(self, peer: PeerId, name: str, size: int) -> Iterator[None]:
        """Charge a peer for a message of `size` bytes: for carrying it, for what is done within, and for
        carrying the answers that it got."""
        began_s, before = self.cost(), self.queued(peer)
        try:
            yield
        finally:
            answers = max(0, self.queued(peer) - before)
            self._charge(peer, name, MESSAGE_S * (1 + answers) + BYTE_S * size + self.cost() - began_s)

    def _charge(self, peer: PeerId, name: str, seconds: float) -> None:
        self.allowances[name].spend(peer, seconds, asyncio.get_running_loop().time())

    async def _allowance(self, peer: PeerId, name: str) -> None:
        """Wait until this peer may cost something again."""
        wait_s = self.allowances[name].wait_s(peer, asyncio.get_running_loop().time())
        if wait_s > 0:
            self.counters.of(peer).paced += 1
            detail = f"took more than its part of this peer's time: it is read after {wait_s:.2f} s"
            self._inbox.fault(Fault(peer, FaultKind.FLOOD, detail))
            await asyncio.sleep(wait_s)

    # ------------------------------------------------------------ what flows

    async def _control(self, peer: PeerId, context: Context) -> None:
        size_max = self.limits.control_bytes_max
        while True:
            await self._allowance(peer, CONTROL)
            raw = await read(context)
            if len(raw) > size_max:
                raise Misbehaved(peer, FaultKind.OVERSIZE, f"sent a control message of {len(raw)} bytes")
            traffic = self.counters.of(peer)
            traffic.control_messages_received += 1
            traffic.control_bytes_received += frames.framed(len(raw))
            with self._charged(peer, CONTROL, len(raw)):
                self._inbox.control(peer, raw)

    async def _blobs(self, peer: PeerId, context: Context) -> None:
        while True:
            await self._allowance(peer, BLOB)
            offer = frames.unpack_offer(await read(context))
            traffic = self.counters.of(peer)
            traffic.blob_bytes_received += frames.OFFER_COST
            traffic.blob_bytes_sent += frames.REPLY_COST
            if offer is None:
                raise Misbehaved(peer, FaultKind.BAD_OFFER, "offered a blob in an unknown form")
            digest, size = offer
            with self._charged(peer, BLOB, frames.OFFER_BYTES):
                wanted = self._inbox.wants(peer, digest, size)
            if not wanted:
                traffic.blobs_refused += 1
                self._charge(peer, BLOB, MESSAGE_S)
                await context.write(frames.UNWANTED)
                continue
            await context.write(frames.WANTED)
            data = await self._body(peer, context, size)
            traffic = self.counters.of(peer)
            traffic.blob_bytes_received += frames.body_cost(size, self.limits.chunk_bytes)
            traffic.blob_bytes_sent += frames.REPLY_COST
            if await _name(data) != digest:
                self._charge(peer, BLOB, BYTE_S * size)
                await context.write(frames.FORGED)
                detail = f"sent other bytes than the blob {short(digest)}"
                raise Misbehaved(peer, FaultKind.FORGED_BLOB, detail)
            self._inbox.blob(peer, digest, data)
            await context.write(frames.DELIVERED)
            traffic.blobs_received += 1

    async def _body(self, peer: PeerId, context: Context, size: int) -> Bytes:
        """Read all chunks of a body, each of exactly the size that it must have, into one place."""
        body = octets(size)
        left = size
        while left:
            try:
                chunk = await within(self.limits.stall_timeout_s, read(context))
            except asyncio.TimeoutError:
                detail = f"stopped {left} bytes short of a blob"
                raise Misbehaved(peer, FaultKind.STALLED_BLOB, detail) from None
            if len(chunk) != min(left, self.limits.chunk_bytes):
                raise Misbehaved(peer, FaultKind.BAD_CHUNK, f"sent {len(chunk)} bytes of {left} in a chunk")
            if len(chunk) == size:
                return chunk
            start = size - left
            body[start : start + len(chunk)] = np.frombuffer(chunk, np.uint8)
            left -= len(chunk)
        return body.data.toreadonly()


async def _name(data: Bytes) -> Digest:
    """Return the name of a blob. The loop goes on meanwhile: 70 MB take 70 ms."""
    if len(data) <= HASHED_AT_ONCE_BYTES:
        return digest_of("blob", data)
    return await asyncio.to_thread(digest_of, "blob", data)
