"""What only the real transport can be tried with: false hellos, garbage, frozen and dying peers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import pytest

from btard.crypto import digest
from btard.errors import NetworkError
from btard.network import STRANGER, Certificate, GrpcTransport
from btard.network.certificate import SERVER_NAME, fingerprint
from btard.network.frames import FORGED, WANTED, WELCOME, pack_offer
from btard.network.hello import HELLO_BYTES, seal_hello
from btard.types import PeerId
from tests.network import rigs
from tests.network.rigs import FAST, RUN, GrpcRig, RecordingInbox, blob, eventually, identity, start

BLOB_8_MIB = blob(bytes(8 << 20))


@pytest.fixture
async def rig() -> AsyncIterator[GrpcRig]:
    made = GrpcRig()
    yield made
    await made.close()


@pytest.fixture
async def target(rig: GrpcRig) -> tuple[GrpcTransport, RecordingInbox]:
    """A transport that allows peers 1 to 3, and its inbox."""
    members = {identity(number).peer for number in (1, 2, 3)}
    transport = rig.transport(9, allowed=lambda peer: peer in members)
    (inbox,) = await start(rig, transport)
    return transport, inbox


@contextlib.asynccontextmanager
async def stream_to(target: GrpcTransport, name: str = "control") -> AsyncIterator[Any]:
    """A raw stream, to say anything on."""
    channel = grpc.aio.secure_channel(
        f"127.0.0.1:{target.port}",
        grpc.ssl_channel_credentials(root_certificates=target.certificate.pem),
        options=[("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1)],
    )
    try:
        yield channel.stream_stream(f"/btard.Peer/{name}")()
    finally:
        await channel.close()


async def greet(target: GrpcTransport, stream: Any, number: int, name: str = "control") -> None:
    nonce = await stream.read()
    server = fingerprint(target.certificate.der)
    await stream.write(seal_hello(identity(number), RUN, name, nonce, server))
    assert await stream.read() == WELCOME


async def closed(stream: Any) -> None:
    """The server ends the stream; gRPC says so once every earlier reply has been read."""

    async def drain() -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await stream.read() is not grpc.aio.EOF:
                pass
        assert await stream.code() != grpc.StatusCode.OK

    await asyncio.wait_for(drain(), rigs.DEADLINE_S)


def blamed(inbox: RecordingInbox) -> list[tuple[PeerId, str]]:
    return [(fault.peer, fault.kind) for fault in inbox.faults]


Target = tuple[GrpcTransport, RecordingInbox]


@pytest.mark.parametrize("raw", [b"", b"x", bytes(HELLO_BYTES), bytes(HELLO_BYTES + 1), os.urandom(1 << 20)])
async def test_garbage_for_a_hello_is_a_fault_of_a_stranger(target: Target, raw: bytes) -> None:
    transport, inbox = target
    async with stream_to(transport) as stream:
        await stream.read()
        await stream.write(raw)
        await closed(stream)
    await inbox.until(lambda inbox: len(inbox.faults) == 1)
    assert blamed(inbox) == [(STRANGER, "bad_hello")]
    assert transport.counters.total.rejected == 1


async def test_hello_signed_by_another_key_blames_nobody_by_name(target: Target) -> None:
    transport, inbox = target
    async with stream_to(transport) as stream:
        nonce = await stream.read()
        hello = seal_hello(identity(7), RUN, "control", nonce, fingerprint(transport.certificate.der))
        await stream.write(hello[:32] + identity(1).peer + hello[64:])
        await closed(stream)
    assert blamed(inbox) == [(STRANGER, "bad_hello")]


async def test_hello_that_was_heard_elsewhere_is_worth_nothing(target: Target) -> None:
    """The same words replayed: over an older nonce, on the other stream, or made for another server."""
    transport, inbox = target
    server = fingerprint(transport.certificate.der)
    other = fingerprint(Certificate.from_seed(bytes(32)).der)
    async with stream_to(transport) as stream:
        old_nonce = await stream.read()
    for name, over, stale in (("control", server, True), ("blob", server, False), ("control", other, False)):
        async with stream_to(transport) as stream:
            nonce = await stream.read()
            await stream.write(seal_hello(identity(1), RUN, name, old_nonce if stale else nonce, over))
            await closed(stream)
    assert blamed(inbox) == [(STRANGER, "bad_hello")] * 3


async def test_hello_for_another_run_or_from_a_non_member_is_attributed(target: Target) -> None:
    transport, inbox = target
    server = fingerprint(transport.certificate.der)
    for number, run in ((1, digest("another run")), (7, RUN)):
        async with stream_to(transport) as stream:
            await stream.write(seal_hello(identity(number), run, "control", await stream.read(), server))
            await closed(stream)
    assert blamed(inbox) == [(identity(1).peer, "wrong_run"), (identity(7).peer, "not_a_member")]


async def test_silent_stranger_is_shown_out_after_the_deadline(rig: GrpcRig) -> None:
    transport = rig.transport(9, limits=replace(FAST, connect_timeout_s=0.2))
    (inbox,) = await start(rig, transport)
    async with stream_to(transport) as stream:
        await stream.read()
        await closed(stream)
    assert blamed(inbox) == [(STRANGER, "no_hello")]


async def test_crowd_of_silent_strangers_does_not_keep_a_member_out(rig: GrpcRig) -> None:
    transport = rig.transport(9, limits=replace(FAST, strangers_max=2))
    (inbox,) = await start(rig, transport)
    async with contextlib.AsyncExitStack() as streams:
        first = await streams.enter_async_context(stream_to(transport))
        await first.read()  # it's in before the next one comes: who came first must go
        second = await streams.enter_async_context(stream_to(transport))
        await second.read()
        member = await streams.enter_async_context(stream_to(transport))
        await greet(transport, member, 1)
        await member.write(b"in")
        await inbox.until(lambda inbox: len(inbox.controls) == 1)
        await closed(first)


@pytest.mark.parametrize("excess", [1, 1 << 20], ids=["slightly", "grossly"])
async def test_oversize_control_message_ends_the_stream_and_never_reaches_the_inbox(
    rig: GrpcRig, excess: int
) -> None:
    transport = rig.transport(9, limits=replace(FAST, control_bytes_max=FAST.chunk_bytes))
    (inbox,) = await start(rig, transport)
    async with stream_to(transport) as stream:
        await greet(transport, stream, 1)
        await stream.write(bytes(FAST.chunk_bytes + excess))
        await closed(stream)
    assert inbox.controls == []
    if excess == 1:
        assert blamed(inbox) == [(identity(1).peer, "oversize")]


OFFER = pack_offer(digest("blob", b"xy"), 2)


@pytest.mark.parametrize(
    ("frames", "kind"),
    [([b"?"], "bad_offer"), ([OFFER, b"no"], "forged_blob")]
    + [([OFFER, chunk], "bad_chunk") for chunk in (b"", b"x", b"xyz")],
)
async def test_garbage_on_a_blob_stream_is_attributed(target: Target, frames: list[bytes], kind: str) -> None:
    transport, inbox = target
    async with stream_to(transport, "blob") as stream:
        await greet(transport, stream, 2, "blob")
        for frame in frames:
            await stream.write(frame)
        await inbox.until(lambda inbox: len(inbox.faults) == 1)
        await closed(stream)
    assert blamed(inbox) == [(identity(2).peer, kind)]
    assert inbox.blobs == []
    assert transport.counters.total.rejected == 1


async def test_peer_that_stalls_in_the_middle_of_a_blob_is_cut_off(rig: GrpcRig) -> None:
    transport = rig.transport(9, limits=replace(FAST, stall_timeout_s=0.2))
    (inbox,) = await start(rig, transport)
    async with stream_to(transport, "blob") as stream:
        await greet(transport, stream, 2, "blob")
        await stream.write(OFFER)
        assert await stream.read() == WANTED
        await closed(stream)
    assert blamed(inbox) == [(identity(2).peer, "stalled_blob")]


async def test_newer_stream_of_a_peer_takes_the_place_of_the_older(target: Target) -> None:
    transport, inbox = target
    async with stream_to(transport) as older, stream_to(transport) as newer:
        await greet(transport, older, 1)
        await greet(transport, newer, 1)
        await closed(older)
        await newer.write(b"still here")
        await inbox.until(lambda inbox: len(inbox.controls) == 1)
    assert inbox.faults == []


async def test_stream_of_a_peer_that_is_banned_ends_at_the_next_roster(rig: GrpcRig) -> None:
    banned: set[PeerId] = set()
    transport = rig.transport(9, allowed=lambda peer: peer not in banned)
    await start(rig, transport)
    async with stream_to(transport) as stream:
        await greet(transport, stream, 1)
        banned.add(identity(1).peer)
        transport.connect([])
        await closed(stream)


async def test_server_with_another_certificate_than_its_record_gets_nothing(rig: GrpcRig) -> None:
    a, impostor = rig.transport(1), rig.transport(2, certificate=Certificate.from_seed(b"impostor"))
    at_impostor = RecordingInbox()
    await a.start(RecordingInbox())
    await impostor.start(at_impostor)
    honest = Certificate.from_seed(identity(2).seed)
    a.connect([replace(rig.record(impostor), certificate=honest.der)])
    a.send(impostor.me, b"secret")
    name, data = blob(b"also secret")
    a.push(impostor.me, name, data)
    # The handshake fails before any word of ours; a third peer's traffic shows that time has passed.
    c, at_c = rig.transport(3), RecordingInbox()
    await c.start(at_c)
    a.connect([replace(rig.record(impostor), certificate=honest.der), rig.record(c)])
    a.send(c.me, b"hello")
    await at_c.until(lambda inbox: len(inbox.controls) == 1)
    assert not a.connected(impostor.me)
    assert (at_impostor.controls, at_impostor.offers) == ([], [])
    a.connect([replace(rig.record(impostor), sequence=1)])  # its true record: now it may have them
    await at_impostor.until(lambda inbox: len(inbox.controls) == 1 and len(inbox.blobs) == 1)


async def test_remote_that_dies_in_the_middle_of_a_blob_and_comes_back_gets_the_next_one(
    rig: GrpcRig,
) -> None:
    a, b = rig.transport(1), rig.transport(2)
    stopping: list[asyncio.Task[None]] = []

    def die(*_: object) -> bool:
        stopping.append(asyncio.get_running_loop().create_task(b.stop()))
        return True

    at_b = RecordingInbox(wants=die)
    await start(rig, a, b, last=at_b)
    a.push(b.me, *BLOB_8_MIB)
    await at_b.until(lambda inbox: len(inbox.offers) == 1)
    await asyncio.gather(*stopping)
    await eventually(lambda: a.counters.of(b.me).blobs_dropped == 1)
    assert at_b.blobs == []
    assert at_b.faults == []
    again, at_again = rig.transport(2, port=b.port), RecordingInbox()
    await again.start(at_again)
    name, data = blob(b"next")
    a.push(b.me, name, data)
    await at_again.until(lambda inbox: len(inbox.blobs) == 1)
    assert at_again.blobs == [(a.me, name, data)]


async def test_frozen_remote_is_noticed_by_keepalive(rig: GrpcRig) -> None:
    """Behind a relay that stops relaying without closing: no packet says that anything is wrong."""
    limits = replace(FAST, keepalive_s=0.2, keepalive_timeout_s=0.2)
    a, b = rig.transport(1, limits=limits), rig.transport(2, limits=limits)
    await a.start(RecordingInbox())
    await b.start(RecordingInbox())
    flowing = asyncio.Event()
    flowing.set()
    writers: list[asyncio.StreamWriter] = []
    pumps: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await flowing.wait()
                writer.write(data)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        remote_reader, remote_writer = await asyncio.open_connection("127.0.0.1", b.port)
        writers.extend((writer, remote_writer))
        pumps.append(asyncio.create_task(pump(reader, remote_writer)))
        pumps.append(asyncio.create_task(pump(remote_reader, writer)))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    a.connect([replace(rig.record(b), addresses=(f"127.0.0.1:{port}",))])
    await eventually(lambda: a.connected(b.me))
    flowing.clear()
    await eventually(lambda: not a.connected(b.me))
    flowing.set()
    await eventually(lambda: a.connected(b.me))
    await rig.close()
    server.close()
    await asyncio.gather(*pumps)
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


@pytest.mark.parametrize("last", [b"?", FORGED], ids=["garbage", "says forged"])
async def test_server_that_answers_nonsense_is_at_fault_and_one_that_denies_is_left(
    rig: GrpcRig, last: bytes
) -> None:
    a = rig.transport(1)
    inbox = RecordingInbox()
    await a.start(inbox)
    certificate = Certificate.from_seed(b"liar")

    async def lie(_: object, context: Any) -> None:
        for reply in (bytes(32), WELCOME, WANTED, last):
            await context.write(reply)
            await context.read()

    server = grpc.aio.server()
    liar = grpc.stream_stream_rpc_method_handler(lie)
    methods = {"control": liar, "blob": liar}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("btard.Peer", methods),))
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([(certificate.key_pem, certificate.pem)])
    )
    await server.start()
    record = replace(rig.record(a), peer=identity(2).peer, certificate=certificate.der)
    a.connect([replace(record, addresses=(f"127.0.0.1:{port}",))])
    a.push(record.peer, *blob(b"x"))
    await eventually(lambda: a.counters.of(record.peer).disconnects == 1)
    await a.stop()
    await server.stop(0)
    assert blamed(inbox) == ([(record.peer, "bad_reply")] if last != FORGED else [])
    assert a.counters.total.blobs_dropped == 1


async def test_port_that_is_taken_is_a_network_error_with_advice(rig: GrpcRig) -> None:
    first = rig.transport(1)
    await first.start(RecordingInbox())
    with pytest.raises(NetworkError, match=r"taken .* choose another"):
        await rig.transport(2, port=first.port).start(RecordingInbox())
