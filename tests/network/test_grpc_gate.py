"""Strangers at the gate of the real transport, in crowds, slow, silent, talkative; members that flood."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from btard.errors import NetworkError
from btard.network import STRANGER, GrpcTransport, Limits, PeerRecord
from btard.network.allowance import MESSAGE_S
from btard.network.certificate import fingerprint
from btard.network.descriptors import check_descriptors, raise_descriptors
from btard.network.frames import UNWANTED, pack_offer
from btard.network.grpc_gate import Gate
from btard.network.hello import seal_hello
from btard.types import Digest, PeerId
from tests.network import rigs
from tests.network.hostile import blamed, closed, limited, stream_to
from tests.network.rigs import FAST, RUN, GrpcRig, RecordingInbox, eventually, identity, start

CROWD = 2_000
NO_HELLO = (STRANGER, "no_hello")


@pytest.fixture
async def rig() -> AsyncIterator[GrpcRig]:
    made = GrpcRig()
    yield made
    await made.close()


Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def wire(target: GrpcTransport, source: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """A bare TCP connection from an address of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def hung_up(reader: asyncio.StreamReader) -> None:
    """The remote closes, whatever it has said before."""

    async def drain() -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass

    await asyncio.wait_for(drain(), rigs.DEADLINE_S)


def knock(target: GrpcTransport, stack: contextlib.ExitStack) -> None:
    """Ask for a connection, and do not wait for it."""
    knocking = stack.enter_context(socket.socket())
    knocking.setblocking(False)
    knocking.connect_ex(("127.0.0.1", target.port))


def gate_of(target: GrpcTransport) -> Gate:
    assert target._listener._server is not None
    return target._listener._server.gate


def heard_of(target: GrpcTransport) -> int:
    """Connections that the gate has accepted or refused."""
    return gate_of(target)._accepted - 1


def open_at(target: GrpcTransport) -> int:
    return len(gate_of(target).connections)


# ---------------------------------------------------------------- crowds


async def test_crowd_from_one_address_takes_no_more_than_its_places_and_a_member_is_heard(
    rig: GrpcRig,
) -> None:
    raise_descriptors()
    transport, inbox = await limited(rig, strangers_per_address=16)
    async with stream_to(transport, by=1) as member:
        with contextlib.ExitStack() as crowd:
            most = 0
            for number in range(1, CROWD + 1):
                knock(transport, crowd)
                if number % 100 == 0:  # the queue of the kernel is short
                    await eventually(lambda many=number: heard_of(transport) >= many)  # type: ignore[misc]
                    most = max(most, open_at(transport))
            await member.write(b"here")
            await inbox.until(lambda inbox: len(inbox.controls) == 1)
        assert transport.counters.connections_refused > 0.9 * CROWD
        assert 1 < most <= 1 + 16
        assert {fault.peer for fault in inbox.faults} <= {STRANGER}


async def test_crowd_from_elsewhere_does_not_keep_a_member_out(rig: GrpcRig) -> None:
    transport, inbox = await limited(rig, strangers_max=3, strangers_per_address=3)
    async with contextlib.AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(wire(transport, "127.0.0.2")) for _ in range(3)]
        await eventually(lambda: open_at(transport) == 3)
        member = await stack.enter_async_context(stream_to(transport, by=1))
        await member.write(b"in")
        await inbox.until(lambda inbox: len(inbox.controls) == 1)
        await hung_up(crowd[0][0])
    assert inbox.faults == []


async def test_stranger_that_hangs_up_keeps_its_place_taken_until_its_time_is_over(rig: GrpcRig) -> None:
    transport, inbox = await limited(rig, strangers_per_address=1, connect_timeout_s=0.5)
    async with wire(transport):
        await eventually(lambda: open_at(transport) == 1)
    await eventually(lambda: open_at(transport) == 0)
    with contextlib.ExitStack() as stack:
        knock(transport, stack)
        await eventually(lambda: transport.counters.connections_refused == 1)

    async def served() -> bool:
        with contextlib.suppress(Exception):
            async with stream_to(transport, by=1) as stream:
                await stream.write(b"now")
                await inbox.until(lambda inbox: len(inbox.controls) == 1)
                return True
        return False

    while not await served():
        pass
    assert inbox.faults == []


async def test_genuine_hello_gives_its_place_back_at_once_so_that_a_swarm_behind_one_address_connects(
    rig: GrpcRig,
) -> None:
    transport, inbox = await limited(rig, strangers_per_address=1, strangers_max=1)
    async with contextlib.AsyncExitStack() as stack:
        for number, name in itertools.product((1, 2, 3), ("control", "blob")):
            await stack.enter_async_context(stream_to(transport, name, by=number))
        assert open_at(transport) == 6
    assert inbox.faults == []
    assert transport.counters.connections_refused == 0


# ---------------------------------------------------------------- the slow, the silent, the talkative


async def silence(writer: asyncio.StreamWriter) -> None:
    """Say nothing."""


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send the beginning of a TLS record, byte by byte."""
    for byte in b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + bytes(100):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)


async def half_close(writer: asyncio.StreamWriter) -> None:
    """Say that nothing will come."""
    writer.write_eof()


@pytest.mark.parametrize("say", [silence, trickle])
async def test_stranger_without_a_hello_is_shown_out_after_the_deadline(
    rig: GrpcRig, say: Callable[[asyncio.StreamWriter], asyncio.Future[None]]
) -> None:
    transport, inbox = await limited(rig, connect_timeout_s=0.3)
    async with wire(transport) as (reader, writer):
        saying = asyncio.ensure_future(say(writer))
        await hung_up(reader)
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
    assert blamed(inbox) == [NO_HELLO]
    assert open_at(transport) == 0


async def test_stranger_that_shakes_hands_and_says_nothing_is_shown_out(rig: GrpcRig) -> None:
    transport, inbox = await limited(rig, connect_timeout_s=0.3)
    async with stream_to(transport) as stream:
        await stream.read()
        await closed(stream)
    assert blamed(inbox) == [NO_HELLO]


async def test_half_open_connection_is_closed_at_once(rig: GrpcRig) -> None:
    transport, _ = await limited(rig)
    async with wire(transport) as (reader, writer):
        await half_close(writer)
        await hung_up(reader)
    await eventually(lambda: open_at(transport) == 0)


async def test_bytes_of_a_stranger_are_bounded_whatever_they_are(rig: GrpcRig) -> None:
    transport, inbox = await limited(rig)
    async with wire(transport) as (reader, writer):
        writer.write(b"\x16\x03\x01\x40\x00" + bytes(FAST.hello_bytes_max))
        await hung_up(reader)
    assert blamed(inbox) == [(STRANGER, "oversize")]
    assert transport.counters.others.rejected == 1


# ---------------------------------------------------------------- hellos and streams of a connection


async def test_hello_of_another_connection_is_of_no_use(rig: GrpcRig) -> None:
    transport, inbox = await limited(rig)
    async with stream_to(transport) as watched, stream_to(transport) as replaying:
        server = fingerprint(transport.certificate.der)
        hello = seal_hello(identity(1), RUN, "control", await watched.read(), server)
        await watched.write(hello)
        await watched.read()
        await replaying.read()
        await replaying.write(hello)
        await closed(replaying)
        await watched.write(b"still here")
        await inbox.until(lambda inbox: len(inbox.controls) == 1)
    assert blamed(inbox) == [(STRANGER, "bad_hello")]


async def test_connection_ends_with_its_stream(rig: GrpcRig) -> None:
    transport, _ = await limited(rig)
    async with stream_to(transport, by=1) as stream:
        assert open_at(transport) == 1
        await stream.done_writing()
        await closed(stream)
        await eventually(lambda: open_at(transport) == 0)


# ---------------------------------------------------------------- members that flood


def costing(seconds: float) -> Callable[[], float]:
    """A clock of processor time, by which everything takes so many seconds."""
    return itertools.count(0.0, seconds).__next__


@pytest.mark.parametrize("name", ["control", "blob"])
async def test_member_that_floods_is_read_at_its_share_and_others_are_not_held_up(
    rig: GrpcRig, name: str
) -> None:
    limits = replace(FAST, senders_share=1e-6, spare_share=1e-6, offers_share=1e-6, burst_s=1.0)
    transport = rig.transport(9, limits=limits, cost=costing(0.1))
    inbox = RecordingInbox(wants=lambda *_: False)
    await start(rig, transport, last=inbox)
    message = b"x" * 1000 if name == "control" else pack_offer(Digest(bytes(32)), 1)

    async def flood(stream: object) -> None:
        while True:
            await stream.write(message)  # type: ignore[attr-defined]

    async with stream_to(transport, name, by=1) as hostile, stream_to(transport, by=2) as honest:
        flooding = asyncio.ensure_future(flood(hostile))
        await eventually(lambda: transport.counters.of(identity(1).peer).paced > 0)
        for number in range(5):
            await honest.write(b"%d" % number)
        sender = identity(2).peer
        await inbox.until(lambda inbox: [by for by, _ in inbox.controls].count(sender) == 5)
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
    read = [by for by, *_ in (*inbox.controls, *inbox.offers)].count(identity(1).peer)
    assert read <= 2 * 1.0 / 0.1 + 2  # its own savings and everybody's
    assert blamed(inbox) == [(identity(1).peer, "flood")]


async def test_flood_of_messages_does_not_hold_up_the_blobs_of_the_same_member(rig: GrpcRig) -> None:
    limits = replace(FAST, senders_share=1e-6, spare_share=1e-6, burst_s=1.0)
    transport = rig.transport(9, limits=limits, cost=costing(0.1))
    inbox = RecordingInbox(wants=lambda *_: False)
    await start(rig, transport, last=inbox)
    async with stream_to(transport, by=1) as flooding, stream_to(transport, "blob", by=1) as offering:
        for _ in range(30):
            await flooding.write(b"x")
        await eventually(lambda: transport.counters.of(identity(1).peer).paced > 0)
        for number in range(3):
            await offering.write(pack_offer(Digest(bytes([number]) * 32), 1))
            assert await offering.read() == UNWANTED


class AnsweringInbox(RecordingInbox):
    """Answers each message with a hundred."""

    transport: GrpcTransport

    def control(self, sender: PeerId, raw: bytes) -> None:
        super().control(sender, raw)
        for _ in range(100):
            self.transport.send(sender, raw)


async def test_sender_pays_for_the_answers_that_it_asks_for(rig: GrpcRig) -> None:
    limits = replace(FAST, senders_share=1e-6, spare_share=1e-6, burst_s=1.0, control_queue_messages=1 << 16)
    transport = rig.transport(9, limits=limits, cost=lambda: 0.0)
    inbox = AnsweringInbox()
    inbox.transport = transport
    await start(rig, transport, last=inbox)
    transport.connect([PeerRecord(RUN, identity(1).peer, 0, ("127.0.0.1:1",), transport.certificate.der)])
    async with stream_to(transport, by=1) as asking:
        writing = asyncio.ensure_future(_write(asking, 1000))
        await eventually(lambda: transport.counters.of(identity(1).peer).paced > 0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert len(inbox.controls) <= 2 * 1.0 / (101 * MESSAGE_S) + 2


async def _write(stream: Any, times: int) -> None:
    for _ in range(times):
        await stream.write(b"x")


async def test_member_that_trickles_a_message_and_stops_in_the_middle_holds_nobody_up(rig: GrpcRig) -> None:
    """Behind a relay that passes a hello, and then some bytes, one at a time."""
    transport, inbox = await limited(rig)
    slow, over = asyncio.Event(), asyncio.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while not slow.is_set() and (data := await reader.read(1 << 16)):
                writer.write(data)
            for _ in range(1000):
                writer.write(await reader.read(1))
                await writer.drain()
            await over.wait()
        writer.close()

    async def pump_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", transport.port)
        await asyncio.gather(pump(reader, far_writer), pump_back(far_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with stream_to(transport, by=1, port=port) as slug, stream_to(transport, by=2) as other:
        slow.set()
        trickling = asyncio.ensure_future(slug.write(bytes(1 << 20)))
        for _ in range(10):
            await other.write(b"meanwhile")
        await inbox.until(lambda inbox: len(inbox.controls) == 10)
        trickling.cancel()
        over.set()
        await asyncio.gather(trickling, return_exceptions=True)
    server.close()
    assert {by for by, _ in inbox.controls} == {identity(2).peer}
    await eventually(lambda: open_at(transport) == 0)


# ---------------------------------------------------------------- descriptors


def test_descriptors_are_raised_and_too_few_are_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"limits": (1024, 4096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: given["limits"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.update(limits=limits))
    assert raise_descriptors() == 4096
    assert given["limits"] == (4096, 4096)
    check_descriptors(Limits().descriptors(64))
    given["limits"] = (256, 256)
    with pytest.raises(NetworkError, match=r"open files is 256: use at least"):
        check_descriptors(Limits().descriptors(16))
