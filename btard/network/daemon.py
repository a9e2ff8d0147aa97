"""One libp2p daemon (p2pd, shipped with hivemind) as a child process that does not outlive us.

We start it ourselves rather than through `hivemind.P2P.create`: we see it die, its socket lies in a directory
of our own instead of under a guessable name in /tmp, and it ends with us. The daemon is untrusted plumbing:
the layers above check everything that it says by signatures.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from btard.crypto import Identity
from btard.errors import NetworkError
from btard.network.deadline import within
from btard.network.libp2p import key_file, listen_multiaddr

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 1.0
_LINE_BYTES_MAX = 1 << 16

# Linux kills the daemon when the thread that started it is gone, SIGKILL of the parent included. Set in the
# child before exec: a preexec_fn would run Python between fork and exec beside gRPC's threads. Elsewhere
# only an orderly end of ours ends the daemon.
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    raise SystemExit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class NoBootstrapError(NetworkError):
    """No peer of an existing swarm answers."""

    def __init__(self, initial_peers: Sequence[str]) -> None:
        super().__init__(
            f"no bootstrap answers at {', '.join(initial_peers)}: check that it runs, that the address is "
            "complete and current, and that its port is open to you"
        )


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """The address to listen on, and multiaddrs: `initial_peers`, of which one must answer, and `announce`.

    `nat` allows the means against address translation: port mapping, AutoNAT, relays.
    """

    host: str
    port: int
    initial_peers: tuple[str, ...]
    announce: tuple[str, ...]
    nat: bool


class Daemon:
    """A running daemon. `control` is the multiaddr of its control socket; `exited` is set when it is gone."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self.control = f"/unix{directory / 'control.sock'}"
        self.exited = asyncio.Event()
        self.process = process
        self._directory = directory
        self._last_line = ""
        self._ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read(), name="p2pd output")

    @classmethod
    async def start(cls, binary: str, identity: Identity, options: DaemonOptions) -> Daemon:
        """Start it and wait until it listens and has reached one of the initial peers, if there are any.

        Raises NetworkError within 10 seconds if it does not come up.
        """
        listen = listen_multiaddr(options.host, options.port)
        check_free(options.host, options.port)
        directory = Path(tempfile.mkdtemp(prefix="btard-p2pd-"))
        key = directory / "key"
        key.touch(mode=0o600)
        key.write_bytes(key_file(identity))
        bootstraps = ",".join(options.initial_peers)
        daemon = None
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), binary),
                f"-listen=/unix{directory / 'control.sock'}",
                f"-id={key}",
                f"-hostAddrs={listen}",
                *([f"-announceAddrs={','.join(options.announce)}"] if options.announce else []),
                *(["-b", f"-bootstrapPeers={bootstraps}"] if bootstraps else []),
                "-dhtServer",
                "-connManager",
                "-quic=0",
                f"-autonat={int(options.nat)}",
                f"-natPortMap={int(options.nat)}",
                f"-relay={int(options.nat)}",
                f"-autoRelay={int(options.nat and bool(bootstraps))}",
                f"-idleTimeout={_START_TIMEOUT_S}s",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_LINE_BYTES_MAX,
                env={**os.environ, "GOLOG_LOG_LEVEL": "error"},
                # Ctrl-C and `timeout` signal a whole group, but the daemon must outlive our leaving the DHT.
                start_new_session=True,
            )
            daemon = cls(process, directory)
            await daemon._started(options.initial_peers)
        except BaseException:
            if daemon is not None:
                await daemon.stop()
            shutil.rmtree(directory, ignore_errors=True)
            raise
        key.unlink()
        return daemon

    async def stop(self) -> None:
        """End the daemon and remove its files."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
            try:
                await within(_STOP_TIMEOUT_S, self.process.wait())
            except asyncio.TimeoutError:
                self.process.kill()
        await self._reading  # until its end
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _started(self, initial_peers: Sequence[str]) -> None:
        waits = {asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(self.exited.wait())}
        await asyncio.wait(waits, timeout=_START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._ready.is_set() and not self.exited.is_set():
            return
        said = self._last_line
        if initial_peers and (not said or "bootstrap" in said):
            raise NoBootstrapError(initial_peers)
        raise NetworkError(f"libp2p's daemon does not start ({said!r}): reinstall hivemind or check ulimits")

    async def _read(self) -> None:
        """Keep the pipe empty; notice the line that says it is ready, and the end."""
        assert self.process.stdout is not None
        while True:
            try:
                line = await self.process.stdout.readline()
            except ValueError:
                continue  # longer than the buffer: dropped
            if not line:
                break
            self._last_line = line.rstrip().decode(errors="replace")[:300]
            if self._last_line.startswith("Peer ID:"):
                self._ready.set()
        await self.process.wait()
        self.exited.set()


def check_free(host: str, port: int) -> None:
    """Raise NetworkError if the port is taken. libp2p does not notice: it shares the port with another libp2p
    (SO_REUSEPORT), and peers would reach one or the other at random."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As servers do: old connections may linger.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise NetworkError(
                f"cannot listen on {host}:{port} ({error.strerror}): choose another address or port"
            ) from error
