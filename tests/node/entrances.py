"""A bootstrap's entrance on this machine, newcomers of several addresses, and a relay between."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

from btard.crypto import Identity
from btard.network import Directory, GrpcTransport, Limits, PeerRecord, libp2p_id
from btard.network.certificate import Certificate
from btard.network.join import JoinLine
from btard.node.arrival import Arrival
from btard.node.door import Door
from btard.node.gathering import LIMITS, Gathering
from btard.node.rendezvous import Roster
from btard.run.config import RunConfig
from btard.types import PeerId
from tests.network.rigs import DEADLINE_S, eventually
from tests.node.nodes import a_plan

BOOTSTRAP = Identity.from_seed(b"\x01" * 32)
PATIENT = Limits(connect_timeout_s=DEADLINE_S)
"""For the failing case only: a busy machine is no defect."""


def key(number: int) -> Identity:
    return Identity.from_seed(number.to_bytes(32, "big"))


def a_run_of(peers: int, admission: object) -> RunConfig:
    return a_plan(peers=peers).model_copy(update={"admission": admission}).begin(bytes(32))


def record_of(identity: Identity, config: RunConfig, port: int = 7070, sequence: int = 1) -> PeerRecord:
    certificate = Certificate.from_seed(identity.seed).der
    address = (f"127.0.0.1:{port}",)
    return PeerRecord(config.digest, identity.peer, sequence, address, certificate, libp2p_id(identity.peer))


class Entrance:
    """A gathering that listens on loopback, and what it has told of the number of peers."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.counted: list[int] = []
        self.noted: list[str] = []
        self.now_s = 1000.0
        self.seated: set[PeerId] = set()
        self.port = 0
        limits = replace(LIMITS, connect_timeout_s=10.0)
        self.gathering = Gathering(
            BOOTSTRAP,
            config,
            entropy=os.urandom,
            wall=lambda: self.now_s,
            seen=self.counted.append,
            limits=limits,
        )
        self._stack = AsyncExitStack()
        self._forming: asyncio.Future[object] | None = None

    async def open(self) -> None:
        self.port = await self.gathering.open("127.0.0.1", 0)
        self.gathering.introduce((), ())
        self._forming = asyncio.ensure_future(self.gathering.form())

    async def close(self) -> None:
        if self._forming is not None:
            self._forming.cancel()
        await self.gathering.close()
        await self._stack.aclose()

    async def line(self, source: str = "") -> JoinLine:
        """The line to join by; its address is a relay's if newcomers are to come from `source`."""
        port = self.port
        if source:
            port = await self._stack.enter_async_context(relayed(self.port, source))
        return JoinLine(f"127.0.0.1:{port}", BOOTSTRAP.peer, BOOTSTRAP.peer)

    async def newcomer(
        self, number: int, source: str = "", wait_s: float = DEADLINE_S, line: JoinLine | None = None
    ) -> Arrival:
        join = line or await self.line(source)
        return Arrival(join, key(number), wait_s, self.noted.append, os.urandom, PATIENT)

    async def join(
        self,
        number: int,
        *,
        source: str = "",
        invitation: str | None = None,
        wait_s: float = DEADLINE_S,
        line: JoinLine | None = None,
        record: PeerRecord | None = None,
        directory: Directory | None = None,
    ) -> Roster:
        """Go in, as a peer does, and return the roster."""
        arrival = await self.newcomer(number, source, wait_s, line)
        config = await arrival.find_run(None)
        assert config == self.config
        me = key(number)
        return await arrival.take_seat(
            config,
            record or record_of(me, config),
            invitation,
            lambda: self.seated.add(me.peer),
            lambda: directory,
        )

    def joining(self, *numbers: int, source: str = "") -> list[asyncio.Future[Roster]]:
        return [asyncio.ensure_future(self.join(number, source=source)) for number in numbers]

    async def until_seated(self, *numbers: int) -> None:
        await eventually(lambda: {key(number).peer for number in numbers} <= self.seated)


@asynccontextmanager
async def entrance(config: RunConfig) -> AsyncIterator[Entrance]:
    made = Entrance(config)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def relayed(port: int, source: str) -> AsyncIterator[int]:
    """The port of a relay that carries connections to `port` from another address of this machine."""
    pumping: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        except OSError:
            writer.close()
            return
        for one, other in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(pump(one, other))
            pumping.add(task)
            task.add_done_callback(pumping.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tuple(pumping):
            task.cancel()
        await asyncio.gather(*pumping, return_exceptions=True)


@asynccontextmanager
async def member(number: int, config: RunConfig, door: Door) -> AsyncIterator[JoinLine]:
    """A member's own server, and the line to join by it."""
    identity = key(number)
    transport = GrpcTransport(
        identity,
        config.digest,
        allowed=door.allows,
        entropy=os.urandom,
        jitter=lambda: 0.5,
        introduce=door.introduce,
        limits=PATIENT,
    )
    await transport.start(door)
    try:
        yield JoinLine(f"127.0.0.1:{transport.port}", identity.peer, BOOTSTRAP.peer)
    finally:
        await transport.stop()


async def refusal(joining: asyncio.Future[Roster]) -> str:
    """The sentence with which a newcomer was sent away."""
    with contextlib.suppress(Exception):
        await joining
    error = joining.exception()
    assert error is not None
    return str(error)
