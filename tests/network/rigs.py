"""Two kinds of network for one behavioural suite, a directory in memory, an inbox that can be waited on."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from btard.crypto import Identity, digest
from btard.network.discovery import Directory, check_document
from btard.network.grpc_transport import GrpcTransport
from btard.network.limits import KIB, Limits
from btard.network.memory import MemoryHub, MemoryTransport
from btard.network.record import PeerRecord
from btard.network.transport import Transport
from btard.types import Digest, Fault, PeerId

RUN = digest("test run")
DEADLINE_S = 60.0
"""For the failing case only: a busy machine is no defect."""
FAST = Limits(
    backoff_first_s=0.01,
    backoff_max_s=0.05,
    control_queue_messages=64,
    blob_queue_bytes=32 << 20,
    chunk_bytes=256 * KIB,
    connect_timeout_s=3.0,
)


def identity(number: int) -> Identity:
    return Identity.from_seed(bytes([number]) * 32)


def blob(data: bytes) -> tuple[Digest, bytes]:
    return digest("blob", data), data


class RecordingInbox:
    """Keeps what arrives. `until(condition)` waits for the arrival that makes it true."""

    def __init__(self, wants: Callable[[PeerId, Digest, int], bool] = lambda *_: True) -> None:
        self.controls: list[tuple[PeerId, bytes]] = []
        self.blobs: list[tuple[PeerId, Digest, bytes]] = []
        self.offers: list[tuple[PeerId, Digest, int]] = []
        self.faults: list[Fault] = []
        self._wants = wants

    def control(self, sender: PeerId, raw: bytes) -> None:
        self.controls.append((sender, raw))

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        self.offers.append((sender, digest, size))
        return self._wants(sender, digest, size)

    def blob(self, sender: PeerId, digest: Digest, data: bytes) -> None:
        self.blobs.append((sender, digest, data))

    def fault(self, fault: Fault) -> None:
        self.faults.append(fault)

    async def until(self, condition: Callable[[RecordingInbox], bool]) -> None:
        await eventually(lambda: condition(self))


@dataclass
class Shelf:
    records: dict[tuple[bytes, PeerId], PeerRecord] = field(default_factory=dict)
    documents: dict[tuple[bytes, str, PeerId], bytes] = field(default_factory=dict)


class MemoryDirectory(Directory):
    """A directory in memory: all of one `Shelf` see what each has published."""

    def __init__(self, identity: Identity, shelf: Shelf) -> None:
        self.me = identity.peer
        self._shelf = shelf

    async def publish(self, record: PeerRecord) -> None:
        self._shelf.records[record.run, self.me] = record

    async def withdraw(self, run: Digest) -> None:
        self._shelf.records.pop((run, self.me), None)

    async def members(self, run: bytes) -> dict[PeerId, PeerRecord]:
        return {peer: record for (of, peer), record in self._shelf.records.items() if of == run}

    async def publish_document(self, run: bytes, name: str, signed_bytes: bytes) -> None:
        check_document(name, signed_bytes)
        self._shelf.documents[run, name, self.me] = signed_bytes

    async def document(self, run: bytes, name: str, publisher: PeerId) -> bytes | None:
        return self._shelf.documents.get((run, name, publisher))

    async def close(self) -> None:
        for run, peer in tuple(self._shelf.records):
            if peer == self.me:
                del self._shelf.records[run, peer]


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition that nothing announces, such as a counter: look each round of the loop."""

    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0)

    await asyncio.wait_for(poll(), DEADLINE_S)


class MemoryRig:
    """Builds transports of one kind, and knows how they find each other."""

    def __init__(self) -> None:
        self.hub = MemoryHub()
        self._made: list[MemoryTransport] = []

    def transport(self, number: int, **options: Any) -> MemoryTransport:
        made = MemoryTransport(self.hub, identity(number).peer, **{"limits": FAST} | options)
        self._made.append(made)
        return made

    def record(self, transport: Transport, sequence: int = 0) -> PeerRecord:
        return PeerRecord(RUN, transport.me, sequence, (), b"")

    async def close(self) -> None:
        for made in self._made:
            await made.stop()


class GrpcRig:
    def __init__(self) -> None:
        self._made: list[GrpcTransport] = []

    def transport(self, number: int, *, run: bytes = RUN, **options: Any) -> GrpcTransport:
        jitter = random.Random(number).random
        options = {"allowed": lambda _: True, "limits": FAST} | options
        made = GrpcTransport(identity(number), run, entropy=os.urandom, jitter=jitter, **options)
        self._made.append(made)
        return made

    def record(self, transport: GrpcTransport, sequence: int = 0) -> PeerRecord:
        address = f"127.0.0.1:{transport.port}"
        return PeerRecord(RUN, transport.me, sequence, (address,), transport.certificate.der)

    async def close(self) -> None:
        await asyncio.gather(*(made.stop() for made in self._made))


Rig = MemoryRig | GrpcRig


async def start(rig: Rig, *transports: Transport, last: RecordingInbox | None = None) -> list[RecordingInbox]:
    """Start transports, tell each about all, give their inboxes; `last` is that of the last one."""
    inboxes = [RecordingInbox() for _ in transports[1:]] + [last or RecordingInbox()]
    for transport, inbox in zip(transports, inboxes, strict=True):
        await transport.start(inbox)
    records = [rig.record(transport) for transport in transports]
    for transport in transports:
        transport.connect(records)
    return inboxes
