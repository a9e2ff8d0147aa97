"""The gate before the gRPC server: it decides which connections, and which bytes of strangers, get there.

gRPC in Python bounds neither connections nor what a connection sends before it has said who it is. So the
gate accepts, and carries the bytes, still encrypted, to gRPC's socket in a directory of this process alone. A
connection carries one stream and ends with it. Until its hello it is a stranger: one of few
(`btard.network.strangers`), with few bytes and little time. Whoever shows no genuine hello occupies its place
for the whole of that time, even if it hangs up: this bounds the handshakes that an address can ask for.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Callable

from btard.errors import NetworkError
from btard.network.counters import Counters
from btard.network.limits import Limits
from btard.network.relay import Relay
from btard.network.strangers import Strangers
from btard.network.transport import STRANGER
from btard.types import Fault, FaultKind

_BACKLOG = 512
_ACCEPTS_AT_ONCE = 16
_REFUSED_PAUSE_S = 0.05
"""After a round with refusals: a storm of connections gets a hundredth of the loop's time. Those who wait in
the kernel meanwhile, at most _BACKLOG, are accepted within two seconds."""
_EXHAUSTED_PAUSE_S = 0.5
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: a refused connection leaves nothing behind in the kernel either."""


class Connection:
    """One connection of a remote: a stranger's, until `prove`."""

    def __init__(self, gate: Gate, name: str, address: str) -> None:
        self.relay = Relay(self._passes, self._ended)
        self.address = address
        """The remote's IP address."""
        self._gate = gate
        self._name = name
        self._proven = False
        self._early_bytes = 0

    def prove(self) -> None:
        """Its hello was genuine: no stranger any more, it gives its place back."""
        self._proven = True
        self._gate.vacate(self._name)

    def close(self) -> None:
        """End it now, whatever is under way."""
        self._ended()
        self.relay.abort()

    def _ended(self) -> None:
        self._gate.connections.pop(self._name, None)

    def _passes(self, size: int) -> bool:
        """Count the bytes of a stranger; too many end the connection."""
        if self._proven:
            return True
        self._early_bytes += size
        if self._early_bytes > self._gate.limits.hello_bytes_max:
            self._gate.eject(self._name, FaultKind.OVERSIZE, "sent too many bytes without a hello")
            return False
        return True


class Gate:
    """Listens, and hands connections to the gRPC server at `server_path`, within `limits`. `fault` gets the
    faults of strangers."""

    def __init__(self, limits: Limits, counters: Counters, fault: Callable[[Fault], None]) -> None:
        self.limits = limits
        self.connections: dict[str, Connection] = {}
        """Those that are open: strangers', and those whose streams the listener serves."""
        self._strangers: Strangers[str] = Strangers(
            limits.strangers_max, limits.strangers_per_address, self._evict
        )
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._counters = counters
        self._fault = fault
        self._directory = tempfile.mkdtemp(prefix="btard-")
        self._accepted = 0
        self._listening: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def server_path(self) -> str:
        """The path of the socket at which the gRPC server is to listen."""
        return os.path.join(self._directory, "grpc")

    def open(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises NetworkError if that is impossible."""
        v6 = ":" in host
        try:
            # Without SO_REUSEPORT, or a second server on the same port would take half of the peers.
            self._listening = socket.create_server(
                (host, port),
                family=socket.AF_INET6 if v6 else socket.AF_INET,
                backlog=_BACKLOG,
                dualstack_ipv6=v6 and socket.has_dualstack_ipv6(),
            )
        except OSError as error:
            raise NetworkError(
                f"cannot listen on {host}:{port}: the port is taken or the address is not of this machine: "
                "choose another address or port"
            ) from error
        self._listening.setblocking(False)
        self._resume()
        return int(self._listening.getsockname()[1])

    def shut(self) -> None:
        """Close the port; the connections that are open stay so."""
        if self._pause is not None:
            self._pause.cancel()
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    async def close(self) -> None:
        """Close the port and every connection."""
        self.shut()
        for deadline in self._deadlines.values():
            deadline.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in tuple(self.connections.values()):
            connection.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def find(self, grpc_name: str) -> Connection | None:
        """Return the connection that gRPC calls by the path of its socket, if it is still open."""
        return self.connections.get(grpc_name.rpartition("/")[2])

    # ------------------------------------------------------------ strangers

    def vacate(self, name: str) -> None:
        """Free the place that a connection had as a stranger."""
        self._strangers.leave(name)
        if (deadline := self._deadlines.pop(name, None)) is not None:
            deadline.cancel()

    def eject(self, name: str, kind: FaultKind, detail: str) -> None:
        """Close a stranger's connection and report what it has done."""
        connection = self.connections.get(name)
        if connection is not None:
            self._counters.others.rejected += 1
            self._fault(Fault(STRANGER, kind, detail))
            connection.close()

    def _expire(self, name: str) -> None:
        self.vacate(name)
        self.eject(name, FaultKind.NO_HELLO, "sent no hello in time")

    def _evict(self, name: str) -> None:
        self.vacate(name)
        if (connection := self.connections.get(name)) is not None:
            connection.close()

    # ------------------------------------------------------------ accepting

    def _resume(self) -> None:
        assert self._listening is not None
        self._pause = None
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _rest(self, seconds: float) -> None:
        assert self._listening is not None
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listening)
        self._pause = loop.call_later(seconds, self._resume)

    def _accept(self) -> None:
        assert self._listening is not None
        refused = False
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                remote, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                break
            except OSError:  # no descriptor is left, or no memory: let the others wait in the kernel
                self._rest(_EXHAUSTED_PAUSE_S)
                return
            refused |= not self._take(remote, address[0])
        if refused:
            self._rest(_REFUSED_PAUSE_S)

    def _take(self, remote: socket.socket, address: str) -> bool:
        """Give a new connection a stranger's place, or refuse it."""
        self._accepted += 1
        name = str(self._accepted)
        if not self._strangers.enter(name, address):
            self._counters.connections_refused += 1
            remote.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            remote.close()
            return False
        self._deadlines[name] = asyncio.get_running_loop().call_later(
            self.limits.connect_timeout_s, self._expire, name
        )
        opening = asyncio.create_task(self._open(name, remote, address), name="gate")
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return True

    async def _open(self, name: str, remote: socket.socket, address: str) -> None:
        connection = Connection(self, name, address)
        try:
            server = self._twin(name)
        except OSError:  # no descriptor is left, or no room; the place stays taken, as after a hang-up
            remote.close()
            return
        self.connections[name] = connection
        try:
            await connection.relay.open(remote, server)
        except OSError:
            connection.close()
        if name not in self.connections:  # evicted meanwhile
            connection.close()

    def _twin(self, name: str) -> socket.socket:
        """Connect to the gRPC server, from a socket of this name, by which gRPC knows it."""
        path = os.path.join(self._directory, name)
        twin = socket.socket(socket.AF_UNIX)
        try:
            twin.setblocking(False)
            twin.bind(path)
            try:
                twin.connect(self.server_path)
            finally:
                os.unlink(path)
        except OSError:
            twin.close()
            raise
        return twin
