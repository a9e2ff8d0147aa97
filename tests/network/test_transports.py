"""What every transport promises, on each of them."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator

import pytest

from btard.crypto import digest
from btard.errors import ConfigurationError
from btard.network import Limits, Transport
from btard.network.grpc_transport import GrpcTransport
from tests.network import rigs
from tests.network.rigs import FAST, RecordingInbox, Rig, blob, eventually, start


@pytest.fixture(params=[rigs.MemoryRig, rigs.GrpcRig], ids=["memory", "grpc"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made: Rig = request.param()
    yield made
    await made.close()


Pair = tuple[Transport, Transport, RecordingInbox]


@pytest.fixture
async def pair(rig: Rig) -> Pair:
    """Two started transports that know each other, and the inbox of the second."""
    a, b = rig.transport(1), rig.transport(2)
    _, at_b = await start(rig, a, b)
    return a, b, at_b


async def test_control_messages_arrive_in_order_from_an_authenticated_sender(rig: Rig) -> None:
    a, b, c = (rig.transport(number) for number in (1, 2, 3))
    _, at_b, _ = await start(rig, a, b, c)
    for number in range(50):
        a.send(b.me, b"a%d" % number)
        c.send(b.me, b"c%d" % number)
    await at_b.until(lambda inbox: len(inbox.controls) == 100)
    for name, sender in ((b"a", a.me), (b"c", c.me)):
        sent = [name + b"%d" % number for number in range(50)]
        assert [raw for by, raw in at_b.controls if by == sender] == sent


@pytest.mark.parametrize("size", [0, 1, 40, FAST.chunk_bytes, FAST.chunk_bytes + 1, 8 << 20])
async def test_a_blob_of_any_size_arrives_whole_and_both_sides_count_the_same_bytes(
    pair: Pair, size: int
) -> None:
    a, b, at_b = pair
    name, data = blob(os.urandom(size))
    a.push(b.me, name, data)
    a.send(b.me, bytes(100))
    await at_b.until(lambda inbox: len(inbox.blobs) == 1 and len(inbox.controls) == 1)
    assert at_b.blobs == [(a.me, name, data)]
    assert at_b.offers == [(a.me, name, size)]
    await eventually(lambda: a.counters.of(b.me).blobs_sent == 1)  # it was acknowledged
    sent, received = a.counters.of(b.me), b.counters.of(a.me)
    assert (sent.control_messages_sent, sent.control_bytes_sent) == (1, 105)
    assert (received.control_messages_received, received.control_bytes_received) == (1, 105)
    body = size + 5 * math.ceil(size / FAST.chunk_bytes)
    assert sent.blob_bytes_sent == received.blob_bytes_received == body + 45
    assert sent.blob_bytes_received == received.blob_bytes_sent == 2 * 6


async def test_blobs_arrive_in_order_and_do_not_hold_up_control(pair: Pair) -> None:
    a, b, at_b = pair
    blobs = [blob(os.urandom(1 << 20)) for _ in range(5)]
    for name, data in blobs:
        a.push(b.me, name, data)
    a.send(b.me, b"urgent")
    await at_b.until(lambda inbox: len(inbox.blobs) == 5 and len(inbox.controls) == 1)
    assert [name for _, name, _ in at_b.blobs] == [name for name, _ in blobs]


async def test_an_unwanted_blob_is_refused_before_its_body_and_the_next_one_passes(rig: Rig) -> None:
    a, b = rig.transport(1), rig.transport(2)
    wanted, data = blob(b"wanted")
    at_b = RecordingInbox(wants=lambda _, name, __: name == wanted)
    await start(rig, a, b, last=at_b)
    a.push(b.me, *blob(os.urandom(4 << 20)))
    a.push(b.me, wanted, data)
    await at_b.until(lambda inbox: len(inbox.blobs) == 1)
    assert [name for _, name, _ in at_b.blobs] == [wanted]
    assert b.counters.of(a.me).blobs_refused == 1
    assert a.counters.of(b.me).blobs_unwanted == 1
    assert (a.counters.of(b.me).round_trip_s > 0) == isinstance(a, GrpcTransport)
    assert b.counters.of(a.me).blob_bytes_received < 1024
    assert at_b.faults == []  # to offer what is not wanted is no crime


async def test_a_blob_that_is_not_what_its_digest_says_is_a_fault_of_its_sender(pair: Pair) -> None:
    a, b, at_b = pair
    a.push(b.me, digest("blob", b"promised"), b"delivered")
    await at_b.until(lambda inbox: len(inbox.faults) == 1)
    assert (at_b.faults[0].peer, at_b.faults[0].kind) == (a.me, "forged_blob")
    assert at_b.blobs == []
    name, data = blob(b"honest again")
    a.push(b.me, name, data)
    await at_b.until(lambda inbox: len(inbox.blobs) == 1)
    assert b.counters.of(a.me).rejected == 1


async def test_queue_for_an_absent_peer_overflows_is_counted_and_drains_when_it_comes(rig: Rig) -> None:
    a, b = rig.transport(1), rig.transport(2)
    await a.start(RecordingInbox())
    a.connect([rig.record(b)])
    for number in range(FAST.control_queue_messages + 10):
        a.send(b.me, b"%d" % number)
    for _ in range(5):
        a.push(b.me, *blob(bytes(10 << 20)))
    assert a.counters.of(b.me).control_dropped == 10
    assert a.counters.of(b.me).blobs_dropped == 2
    at_b = RecordingInbox()
    await b.start(at_b)
    a.connect([rig.record(b, sequence=1)])
    await at_b.until(lambda inbox: len(inbox.controls) == FAST.control_queue_messages)
    await at_b.until(lambda inbox: len(inbox.blobs) == 3)
    assert [raw for _, raw in at_b.controls] == [b"%d" % n for n in range(FAST.control_queue_messages)]


async def test_a_peer_that_leaves_the_roster_gets_nothing_more_and_what_is_sent_to_it_is_counted(
    rig: Rig,
) -> None:
    a, b, c = (rig.transport(number) for number in (1, 2, 3))
    _, at_b, at_c = await start(rig, a, b, c)
    a.send(b.me, b"before")
    await at_b.until(lambda inbox: len(inbox.controls) == 1)
    before = a.counters.total
    a.connect([rig.record(c)])
    a.send(b.me, b"after")
    a.push(b.me, *blob(b"after"))
    a.send(c.me, b"to c")
    await at_c.until(lambda inbox: len(inbox.controls) == 1)
    assert [raw for _, raw in at_b.controls] == [b"before"]
    assert at_b.offers == []
    assert not a.connected(b.me)
    assert b.me not in a.counters.peers
    assert a.counters.total.control_messages_sent == before.control_messages_sent + 1
    assert (a.counters.total.control_dropped, a.counters.total.blobs_dropped) == (1, 1)


async def test_a_peer_that_is_not_allowed_gets_nothing_in(rig: Rig) -> None:
    banned: set[bytes] = set()
    a, c = rig.transport(1), rig.transport(3)
    b = rig.transport(2, allowed=lambda peer: peer not in banned)
    banned.add(a.me)
    _, at_b, _ = await start(rig, a, b, c)
    a.send(b.me, b"let me in")
    c.send(b.me, b"hello")
    await at_b.until(lambda inbox: len(inbox.controls) == 1)
    assert at_b.controls == [(c.me, b"hello")]
    assert not a.connected(b.me)


async def test_a_restarted_peer_is_found_again(rig: Rig, pair: Pair) -> None:
    a, b, at_b = pair
    a.send(b.me, b"first life")
    await at_b.until(lambda inbox: len(inbox.controls) == 1)
    await b.stop()
    await eventually(lambda: not a.connected(b.me))
    a.send(b.me, b"waits")
    again = rig.transport(2)
    at_again = RecordingInbox()
    await again.start(at_again)
    a.connect([rig.record(again, sequence=1)])
    await at_again.until(lambda inbox: len(inbox.controls) == 1)
    assert at_again.controls == [(a.me, b"waits")]
    assert a.connected(b.me)


async def test_what_could_never_be_sent_is_refused_with_advice(rig: Rig) -> None:
    a = rig.transport(1, limits=Limits(control_bytes_max=10, blob_queue_bytes=10))
    with pytest.raises(ConfigurationError, match="send a blob"):
        a.send(a.me, bytes(11))
    with pytest.raises(ConfigurationError, match="blob_queue_bytes"):
        a.push(a.me, *blob(bytes(11)))


async def test_an_inbox_that_raises_reaches_the_exception_handler_and_later_messages_pass(rig: Rig) -> None:
    class Raising(RecordingInbox):
        def control(self, sender: bytes, raw: bytes) -> None:
            super().control(sender, raw)  # type: ignore[arg-type]
            if raw == b"poison":
                raise ZeroDivisionError

    a, b = rig.transport(1), rig.transport(2)
    at_b, seen = Raising(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))
    await start(rig, a, b, last=at_b)
    a.send(b.me, b"poison")
    a.send(b.me, b"food")
    await at_b.until(lambda inbox: len(inbox.controls) == 2)
    assert [type(error) for error in seen] == [ZeroDivisionError]


async def test_stop_may_be_repeated_and_leaves_no_task(rig: Rig) -> None:
    before = asyncio.all_tasks()
    a, b = rig.transport(1), rig.transport(2)
    await start(rig, a, b)
    a.send(b.me, b"x")
    a.push(b.me, *blob(bytes(4 << 20)))
    for transport in (a, b, a):
        await asyncio.wait_for(transport.stop(), 2)
    await eventually(lambda: asyncio.all_tasks() <= before | {asyncio.current_task()})  # type: ignore[operator]
