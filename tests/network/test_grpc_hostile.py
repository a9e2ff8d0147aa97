"""What only the real transport can be tried with: false hellos, garbage, frozen and dying peers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import pytest

from btard.crypto import digest
from btard.errors import NetworkError
from btard.network import STRANGER, Certificate, GrpcTransport, PeerRecord
from btard.network.certificate import fingerprint
from btard.network.frames import FORGED, WANTED, WELCOME, pack_offer
from btard.network.hello import HELLO_BYTES, seal_hello
from btard.types import Digest, PeerId
from tests.network.hostile import Target, blamed, closed, limited, stream_to
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


Hello = Callable[[bytes, Digest], bytes]
"""What a client says to (nonce, fingerprint of the server)."""
BAD_HELLO = (STRANGER, "bad_hello")


ELSEWHERE = fingerprint(Certificate.from_seed(bytes(32)).der)


def hello_as(number: int, run: bytes = RUN, name: str = "control") -> Hello:
    return lambda nonce, server: seal_hello(identity(number), run, name, nonce, server)


@pytest.mark.parametrize(
    ("say", "blame"),
    [
        *(
            (lambda *_, raw=raw: raw, BAD_HELLO)
            for raw in (b"", b"x", bytes(HELLO_BYTES), bytes(HELLO_BYTES + 1))
        ),
        (lambda *_: os.urandom(1 << 10), BAD_HELLO),
        (lambda *_: os.urandom(1 << 20), (STRANGER, "oversize")),
        (lambda *asked: hello_as(7)(*asked).replace(identity(7).peer, identity(1).peer), BAD_HELLO),
        (lambda _, server: hello_as(1)(bytes(32), server), BAD_HELLO),
        (hello_as(1, name="blob"), BAD_HELLO),
        (lambda nonce, _: hello_as(1)(nonce, ELSEWHERE), BAD_HELLO),
        (hello_as(1, run=digest("another run")), (identity(1).peer, "wrong_run")),
        (hello_as(7), (identity(7).peer, "not_a_member")),
    ],
    ids=[
        *(
            "empty",
            "a byte",
            "zeros",
            "a zero more",
            "random",
            "a MiB",
            "signed by another key",
            "over an older nonce",
        ),
        *("of the other stream", "for another server", "for another run", "of no member"),
    ],
)
async def test_false_hello_blames_only_an_identity_that_it_proves(
    target: Target, say: Hello, blame: tuple[PeerId, str]
) -> None:
    transport, inbox = target
    async with stream_to(transport) as stream:
        await stream.write(say(await stream.read(), fingerprint(transport.certificate.der)))
        await closed(stream)
    await inbox.until(lambda inbox: len(inbox.faults) == 1)
    assert blamed(inbox) == [blame]
    assert transport.counters.total.rejected == 1


@pytest.mark.parametrize("excess", [1, 1 << 20], ids=["slightly", "grossly"])
async def test_oversize_control_message_ends_the_stream_and_never_reaches_the_inbox(
    rig: GrpcRig, excess: int
) -> None:
    transport, inbox = await limited(rig, control_bytes_max=FAST.chunk_bytes)
    async with stream_to(transport, by=1) as stream:
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
    async with stream_to(transport, "blob", by=2) as stream:
        for frame in frames:
            await stream.write(frame)
        await inbox.until(lambda inbox: len(inbox.faults) == 1)
        await closed(stream)
    assert blamed(inbox) == [(identity(2).peer, kind)]
    assert inbox.blobs == []
    assert transport.counters.total.rejected == 1


async def test_peer_that_stalls_in_the_middle_of_a_blob_is_cut_off(rig: GrpcRig) -> None:
    transport, inbox = await limited(rig, stall_timeout_s=0.2)
    async with stream_to(transport, "blob", by=2) as stream:
        await stream.write(OFFER)
        assert await stream.read() == WANTED
        await closed(stream)
    assert blamed(inbox) == [(identity(2).peer, "stalled_blob")]


async def test_newer_stream_of_a_peer_takes_the_place_of_the_older(target: Target) -> None:
    transport, inbox = target
    async with stream_to(transport, by=1) as older, stream_to(transport, by=1) as newer:
        await closed(older)
        await newer.write(b"still here")
        await inbox.until(lambda inbox: len(inbox.controls) == 1)
    assert inbox.faults == []


async def test_stream_of_a_peer_that_is_banned_ends_at_the_next_roster(rig: GrpcRig) -> None:
    banned: set[PeerId] = set()
    transport = rig.transport(9, allowed=lambda peer: peer not in banned)
    await start(rig, transport)
    async with stream_to(transport, by=1) as stream:
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
    a.push(impostor.me, *blob(b"also secret"))
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
    handlers = grpc.method_handlers_generic_handler("btard.Peer", {"control": liar, "blob": liar})
    server.add_generic_rpc_handlers((handlers,))
    credentials = grpc.ssl_server_credentials([(certificate.key_pem, certificate.pem)])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    record = PeerRecord(RUN, identity(2).peer, 0, (f"127.0.0.1:{port}",), certificate.der)
    a.connect([record])
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
