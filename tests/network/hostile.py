"""Clients of a gRPC transport that say anything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio

from btard.network import GrpcTransport
from btard.network.certificate import SERVER_NAME, fingerprint
from btard.network.frames import WELCOME
from btard.network.hello import seal_hello
from btard.types import PeerId
from tests.network import rigs
from tests.network.rigs import FAST, RUN, GrpcRig, RecordingInbox, identity, start

Target = tuple[GrpcTransport, RecordingInbox]


@contextlib.asynccontextmanager
async def stream_to(
    target: GrpcTransport, name: str = "control", by: int = 0, port: int = 0
) -> AsyncIterator[Any]:
    """A raw stream, to say anything on; with `by`, after the hello of that identity; to
    `port`, if it is behind a relay."""
    channel = grpc.aio.secure_channel(
        f"127.0.0.1:{port or target.port}",
        grpc.ssl_channel_credentials(root_certificates=target.certificate.pem),
        options=[("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1)],
    )
    stream = channel.stream_stream(f"/btard.Peer/{name}")()
    try:
        if by:
            await greet(target, stream, by, name)
        yield stream
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


async def limited(rig: GrpcRig, **limits: Any) -> Target:
    transport = rig.transport(9, limits=replace(FAST, **limits))
    (inbox,) = await start(rig, transport)
    return transport, inbox
