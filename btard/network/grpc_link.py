"""The client's side of gRPC: the two outgoing streams to one peer, kept up while it is in the roster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from btard.crypto import Identity
from btard.network import frames
from btard.network.certificate import SERVER_NAME, fingerprint, pem_of
from btard.network.counters import Traffic
from btard.network.deadline import within
from btard.network.hello import NONCE_BYTES, seal_hello
from btard.network.limits import Limits
from btard.network.outbox import Outbox
from btard.network.record import PeerRecord
from btard.types import Bytes, Digest, Fault, FaultKind

CONTROL = "control"
BLOB = "blob"
SERVICE = "btard.Peer"

Call = Any  # grpc.aio.StreamStreamCall: grpcio ships no types

_BROKEN = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError, asyncio.TimeoutError)
"""The errors of gRPC for a stream that is gone, depending on the moment: refused, reset, finished, silent."""

_REPLY_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True)
class Me:
    """The facts about this peer that every link needs."""

    identity: Identity
    run: bytes
    limits: Limits
    jitter: Callable[[], float]
    fault: Callable[[Fault], None]


class _BadReply(Exception):
    """The server, which TLS has authenticated, answered what no honest peer answers."""


class Link:
    """Queues and streams to one peer. `close` before dropping it."""

    def __init__(self, me: Me, record: PeerRecord, traffic: Traffic) -> None:
        limits = me.limits
        self.control: Outbox[bytes] = Outbox(limits.control_queue_messages, limits.control_queue_bytes)
        self.blobs: Outbox[tuple[Digest, Bytes]] = Outbox(
            limits.control_queue_messages, limits.blob_queue_bytes
        )
        self.up = False
        self._me = me
        self._record = record
        self._traffic = traffic
        self._tasks: set[asyncio.Task[None]] = set()
        self._open()

    def move(self, record: PeerRecord) -> set[asyncio.Task[None]]:
        """Follow a newer record: same queues, and new streams if the addresses or the certificate changed.
        Returns the tasks of the old streams, as `close` does."""
        old = self._record
        if record.sequence <= old.sequence:
            return set()
        self._record = record
        if (old.addresses, old.certificate) == (record.addresses, record.certificate):
            return set()
        closing = self.close()
        self._open()
        return closing

    def close(self) -> set[asyncio.Task[None]]:
        """End the streams. Returns their tasks, which finish soon, to be awaited at shutdown."""
        closing, self._tasks = self._tasks, set()
        self.up = False
        for task in closing:
            task.cancel()
        return closing

    def _open(self) -> None:
        for stream, pump in ((CONTROL, self._pump_control), (BLOB, self._pump_blobs)):
            self._tasks.add(asyncio.create_task(self._keep(stream, pump), name=f"link {stream}"))

    # ------------------------------------------------------------ one stream, again and again

    async def _keep(self, stream: str, pump: Callable[[Call], Any]) -> None:
        limits = self._me.limits
        delay_s = limits.backoff_first_s
        while True:
            for address in self._record.addresses:
                if await self._session(address, stream, pump):
                    delay_s = limits.backoff_first_s
            await asyncio.sleep(delay_s * (0.5 + 0.5 * self._me.jitter()))
            delay_s = min(2 * delay_s, limits.backoff_max_s)

    async def _session(self, address: str, stream: str, pump: Callable[[Call], Any]) -> bool:
        """Connect, greet, pump until the stream ends. Returns whether it was established."""
        channel = grpc.aio.secure_channel(
            f"dns:///{address}",
            grpc.ssl_channel_credentials(root_certificates=pem_of(self._record.certificate)),
            options=_options(self._me.limits),
        )
        established = False
        try:
            call = channel.stream_stream(f"/{SERVICE}/{stream}")()
            await within(self._me.limits.connect_timeout_s, self._greet(call, stream))
            established = True
            self._traffic.connects += 1
            self.up = self.up or stream == CONTROL
            await _until_ended(call, pump)
        except _BROKEN:
            pass  # peers that cannot be reached are common; the counters tell
        except _BadReply as error:
            self._traffic.rejected += 1
            self._me.fault(Fault(self._record.peer, FaultKind.BAD_REPLY, str(error)))
        finally:
            if established:
                self._traffic.disconnects += 1
                self.up = self.up and stream != CONTROL
            await channel.close()
        return established

    async def _greet(self, call: Call, stream: str) -> None:
        nonce = await call.read()
        if not isinstance(nonce, bytes) or len(nonce) != NONCE_BYTES:
            raise _BadReply("opened a stream without a nonce")
        server = fingerprint(self._record.certificate)
        await call.write(seal_hello(self._me.identity, self._me.run, stream, nonce, server))
        if await call.read() != frames.WELCOME:
            raise _BadReply("answered a hello with something else than a welcome")

    # ------------------------------------------------------------ what flows

    async def _pump_control(self, call: Call) -> None:
        traffic = self._traffic
        while True:
            raw = await self.control.head()
            self.control.pop()
            await call.write(raw)
            traffic.control_messages_sent += 1
            traffic.control_bytes_sent += frames.framed(len(raw))

    async def _pump_blobs(self, call: Call) -> None:
        while True:
            digest, data = await self.blobs.head()
            lost = True
            try:
                await self._exchange(call, digest, data)
                lost = False
            finally:
                self.blobs.pop()
                self._traffic.blobs_dropped += lost

    async def _exchange(self, call: Call, digest: Digest, data: Bytes) -> None:
        traffic, limits = self._traffic, self._me.limits
        clock = asyncio.get_running_loop().time
        began = clock()
        await within(limits.stall_timeout_s, call.write(frames.pack_offer(digest, len(data))))
        traffic.blob_bytes_sent += frames.OFFER_COST
        verdict = await self._reply(call)
        traffic.answered(clock() - began)
        if verdict == frames.UNWANTED:
            traffic.blobs_unwanted += 1
            return
        if verdict != frames.WANTED:
            raise _BadReply("answered an offer with neither yes nor no")
        for chunk in frames.chunks(data, limits.chunk_bytes):
            await within(limits.stall_timeout_s, call.write(chunk))
        traffic.blob_bytes_sent += frames.body_cost(len(data), limits.chunk_bytes)
        verdict = await self._reply(call)
        if verdict == frames.FORGED:
            raise asyncio.InvalidStateError  # our blob was corrupt, or the server lies: no proof either way
        if verdict != frames.DELIVERED:
            raise _BadReply("answered a blob with something else than an acknowledgement")
        traffic.blobs_sent += 1

    async def _reply(self, call: Call) -> object:
        reply = await within(self._me.limits.stall_timeout_s, call.read())
        if reply is grpc.aio.EOF:
            raise asyncio.InvalidStateError
        self._traffic.blob_bytes_received += frames.REPLY_COST
        return reply


def keepalive_options(limits: Limits) -> list[tuple[str, Any]]:
    """Return the options of either side by which a silent remote is noticed."""
    timeout_ms = int(limits.keepalive_timeout_s * 1000)
    return [
        ("grpc.keepalive_time_ms", int(limits.keepalive_s * 1000)),
        # Both, or a ping of the flow control that is under way keeps the keepalive waiting for 60 s.
        ("grpc.keepalive_timeout_ms", timeout_ms),
        ("grpc.http2.ping_timeout_ms", timeout_ms),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def _options(limits: Limits) -> list[tuple[str, Any]]:
    return [
        *keepalive_options(limits),
        ("grpc.ssl_target_name_override", SERVER_NAME),
        ("grpc.enable_http_proxy", 0),
        # One connection a stream: bulk must not precede control in the queue of a socket.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", _REPLY_BYTES_MAX),
        ("grpc.max_send_message_length", -1),
    ]


async def _until_ended(call: Call, pump: Callable[[Call], Any]) -> None:
    """Pump until the pump fails or the remote ends the stream, whichever comes first."""
    pumping = asyncio.ensure_future(pump(call))
    ended = asyncio.ensure_future(call.code())
    try:
        await asyncio.wait({pumping, ended}, return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()
    finally:
        call.cancel()
        pumping.cancel()
        ended.cancel()
        await asyncio.gather(pumping, ended, return_exceptions=True)
