"""A gRPC server of raw bytes behind the gate: what a peer's server and a bootstrap's have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from btard.network.certificate import Certificate
from btard.network.counters import Counters
from btard.network.grpc_gate import Connection, Gate
from btard.network.grpc_link import SERVICE, keepalive_options
from btard.network.limits import Limits
from btard.types import Fault, FaultKind, PeerId

Context = Any  # grpc.aio.ServicerContext: grpcio ships no types
Method = Callable[[Context, Connection], Awaitable[None]]

_STOP_GRACE_S = 0.25


class Misbehaved(Exception):
    """The remote sent what no honest peer sends."""

    def __init__(self, peer: PeerId, kind: FaultKind, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(peer, kind, detail)


class Ended(Exception):
    """The stream ended, properly or not; nobody is at fault."""


class GatedServer:
    """One gRPC server, of streams of raw bytes: no protobuf, no serializers. A connection carries one stream
    and ends with it. `fault` gets the faults of strangers, and those that a method raises as `Misbehaved`."""

    def __init__(
        self, certificate: Certificate, limits: Limits, counters: Counters, fault: Callable[[Fault], None]
    ) -> None:
        self._gate: Gate | None = None
        self._certificate = certificate
        self._limits = limits
        self._counters = counters
        self._fault = fault
        self._server: Any = None

    @property
    def gate(self) -> Gate:
        """The gate, once started."""
        assert self._gate is not None, "start the server first"
        return self._gate

    async def start(self, methods: Mapping[str, Method], message_bytes_max: int, host: str, port: int) -> int:
        """Listen, and return the port. Raises NetworkError if that is impossible."""
        self._gate = Gate(self._limits, self._counters, self._fault)
        server = grpc.aio.server(options=self._options(message_bytes_max))
        handlers = {name: self._handler(name, method) for name, method in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        credentials = grpc.ssl_server_credentials([(self._certificate.key_pem, self._certificate.pem)])
        try:
            server.add_secure_port(f"unix:{self.gate.server_path}", credentials)
            await server.start()
            bound = self.gate.open(host, port)
        except BaseException:
            await server.stop(None)
            await self.gate.close()
            raise
        self._server = server
        return bound

    async def stop(self) -> None:
        """Close the port and every connection. May be repeated."""
        server, self._server = self._server, None
        if server is not None:
            self.gate.shut()
            await server.stop(_STOP_GRACE_S)
            await self.gate.close()

    def _options(self, message_bytes_max: int) -> list[tuple[str, Any]]:
        return [
            *keepalive_options(self._limits),
            ("grpc.max_concurrent_streams", 1),
            ("grpc.max_receive_message_length", message_bytes_max),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", int(self._limits.keepalive_s * 500)),
        ]

    def _handler(self, name: str, method: Method) -> Any:
        async def stream(_: object, context: Context) -> None:
            # In a task of its own, so that a newer stream of the same peer can end it.
            task = asyncio.create_task(self._serve(method, context), name=f"listener {name}")
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await context.abort(grpc.StatusCode.ABORTED)  # a stranger need not know the reason

        return grpc.stream_stream_rpc_method_handler(stream)

    async def _serve(self, method: Method, context: Context) -> None:
        connection = self.gate.find(context.peer())
        if connection is None:
            return
        try:
            await method(context, connection)
        except (Ended, grpc.aio.BaseError, asyncio.InvalidStateError):
            pass
        except Misbehaved as error:
            self._counters.known(error.fault.peer).rejected += 1
            self._fault(error.fault)
        finally:
            connection.close()


async def read(context: Context) -> bytes:
    """Return the next message of a stream. Raises Ended at its end."""
    raw = await context.read()
    if raw is grpc.aio.EOF:
        raise Ended
    assert isinstance(raw, bytes)
    return raw
