"""The server's side of gRPC, behind the gate: authenticates strangers, reads streams, fills the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from btard.crypto import digest as digest_of
from btard.network import frames
from btard.network.allowance import BYTE_S, HANDSHAKE_S, MESSAGE_S, Allowances
from btard.network.certificate import Certificate, fingerprint
from btard.network.counters import Counters
from btard.network.deadline import within
from btard.network.grpc_gate import Connection, Gate
from btard.network.grpc_link import BLOB, CONTROL, SERVICE, keepalive_options
from btard.network.hello import NONCE_BYTES, open_hello
from btard.network.limits import KIB, Limits
from btard.network.transport import STRANGER, Inbox
from btard.types import Fault, FaultKind, PeerId, short

Context = Any  # grpc.aio.ServicerContext: grpcio ships no types
Reader = Callable[[PeerId, Context], Awaitable[None]]

_STOP_GRACE_S = 0.25


class _Misbehaved(Exception):
    """The remote sent what no honest peer sends."""

    def __init__(self, peer: PeerId, kind: FaultKind, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(peer, kind, detail)


class _Ended(Exception):
    """The stream ended, properly or not; nobody is at fault."""


@dataclass(eq=False, slots=True)
class Listener:
    """One gRPC server: a control and a blob stream from each peer that is allowed."""

    run: bytes
    certificate: Certificate
    allowed: Callable[[PeerId], bool]
    entropy: Callable[[int], bytes]
    limits: Limits
    counters: Counters
    allowances: Mapping[str, Allowances]
    cost: Callable[[], float]
    queued: Callable[[PeerId], int]
    _streams: dict[tuple[PeerId, str], asyncio.Task[None]] = field(init=False, default_factory=dict)
    _inbox: Inbox = field(init=False)
    _gate: Gate = field(init=False)
    _server: Any = field(init=False, default=None)

    async def start(self, inbox: Inbox, host: str, port: int) -> int:
        """Listen, and return the port. Raises NetworkError if that is impossible."""
        self._inbox = inbox
        self._gate = Gate(self.limits, self.counters, inbox.fault)
        server = grpc.aio.server(options=self._options())
        readers = {CONTROL: self._control, BLOB: self._blobs}
        methods = {name: self._method(name, reader) for name, reader in readers.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        credentials = grpc.ssl_server_credentials([(self.certificate.key_pem, self.certificate.pem)])
        try:
            server.add_secure_port(f"unix:{self._gate.server_path}", credentials)
            await server.start()
            bound = self._gate.open(host, port)
        except BaseException:
            await server.stop(None)
            await self._gate.close()
            raise
        self._server = server
        return bound

    async def stop(self) -> None:
        """Close every incoming stream and the port."""
        server, self._server = self._server, None
        for task in tuple(self._streams.values()):
            task.cancel()
        if server is not None:
            self._gate.shut()
            await server.stop(_STOP_GRACE_S)
            await self._gate.close()

    def prune(self) -> None:
        """End the streams of peers that are not allowed any more."""
        for (peer, _), task in tuple(self._streams.items()):
            if not self.allowed(peer):
                task.cancel()

    def _options(self) -> list[tuple[str, Any]]:
        limits = self.limits
        return [
            *keepalive_options(limits),
            ("grpc.max_concurrent_streams", 1),
            # Slack, so that a frame slightly too large reaches us and is attributed.
            ("grpc.max_receive_message_length", max(limits.control_bytes_max, limits.chunk_bytes) + 64 * KIB),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", int(limits.keepalive_s * 500)),
        ]

    # ------------------------------------------------------------ one stream

    def _method(self, name: str, reader: Reader) -> Any:
        """Make gRPC's handler of a stream of raw bytes: no protobuf, no serializers."""

        async def stream(_: object, context: Context) -> None:
            # In a task of its own, so that a newer stream of the same peer can end it.
            task = asyncio.create_task(self._serve(name, reader, context), name=f"listener {name}")
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await context.abort(grpc.StatusCode.ABORTED)  # a stranger need not know the reason

        return grpc.stream_stream_rpc_method_handler(stream)

    async def _serve(self, name: str, reader: Reader, context: Context) -> None:
        connection = self._gate.find(context.peer())
        if connection is None:
            return
        try:
            peer = await self._hello(name, context, connection)
            await self._serve_peer(name, peer, reader, context)
        except (_Ended, grpc.aio.BaseError, asyncio.InvalidStateError):
            pass
        except _Misbehaved as error:
            self.counters.known(error.fault.peer).rejected += 1
            self._inbox.fault(error.fault)
        finally:
            connection.close()

    async def _hello(self, name: str, context: Context, connection: Connection) -> PeerId:
        nonce = self.entropy(NONCE_BYTES)
        await context.write(nonce)
        raw = await _read(context)
        opened = open_hello(raw, name, nonce, fingerprint(self.certificate.der))
        if opened is None:
            raise _Misbehaved(STRANGER, FaultKind.BAD_HELLO, f"sent a false hello on a {name} stream")
        connection.prove()
        peer, run = opened
        if run != self.run:
            raise _Misbehaved(peer, FaultKind.WRONG_RUN, f"sent a hello for the run {run.hex()[:16]}")
        if not self.allowed(peer):
            raise _Misbehaved(peer, FaultKind.NOT_A_MEMBER, "sent a hello from outside of the roster")
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
            raw = await _read(context)
            if len(raw) > size_max:
                raise _Misbehaved(peer, FaultKind.OVERSIZE, f"sent a control message of {len(raw)} bytes")
            traffic = self.counters.of(peer)
            traffic.control_messages_received += 1
            traffic.control_bytes_received += frames.framed(len(raw))
            with self._charged(peer, CONTROL, len(raw)):
                self._inbox.control(peer, raw)

    async def _blobs(self, peer: PeerId, context: Context) -> None:
        while True:
            await self._allowance(peer, BLOB)
            offer = frames.unpack_offer(await _read(context))
            traffic = self.counters.of(peer)
            traffic.blob_bytes_received += frames.OFFER_COST
            traffic.blob_bytes_sent += frames.REPLY_COST
            if offer is None:
                raise _Misbehaved(peer, FaultKind.BAD_OFFER, "offered a blob in an unknown form")
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
            if digest_of("blob", data) != digest:
                self._charge(peer, BLOB, BYTE_S * size)
                await context.write(frames.FORGED)
                detail = f"sent other bytes than the blob {short(digest)}"
                raise _Misbehaved(peer, FaultKind.FORGED_BLOB, detail)
            self._inbox.blob(peer, digest, data)
            await context.write(frames.DELIVERED)
            traffic.blobs_received += 1

    async def _body(self, peer: PeerId, context: Context, size: int) -> bytes:
        """Read all chunks of a body, each of exactly the size that it must have."""
        chunks: list[bytes] = []
        left = size
        while left:
            try:
                chunk = await within(self.limits.stall_timeout_s, _read(context))
            except asyncio.TimeoutError:
                detail = f"stopped {left} bytes short of a blob"
                raise _Misbehaved(peer, FaultKind.STALLED_BLOB, detail) from None
            if len(chunk) != min(left, self.limits.chunk_bytes):
                raise _Misbehaved(peer, FaultKind.BAD_CHUNK, f"sent {len(chunk)} bytes of {left} in a chunk")
            chunks.append(chunk)
            left -= len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _read(context: Context) -> bytes:
    raw = await context.read()
    if raw is grpc.aio.EOF:
        raise _Ended
    assert isinstance(raw, bytes)
    return raw
