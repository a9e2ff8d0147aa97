"""The attackers of `benchmarks.strangers`, each a process of its own.

python -m benchmarks.attackers crowd|loris PORT SECONDS
python -m benchmarks.attackers member PORT SWITCH OPTIONS-OF-BTARD-PEER...
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from btard.network.descriptors import raise_descriptors

BUSY_S = 0.003
"""Of 10 ms, that a member wastes which sends nothing: about what the floods take from it."""
MESSAGES = {"noise": 64 << 10, "small": 200, "blobs": 40}
"""Bytes of a message of each flood."""
MESSAGES_PER_S = {"noise": 1526, "small": 20_000, "blobs": 20_000}
"""100 MB/s of noise."""
MESSAGES_AT_ONCE = 2
"""Few: its own messages, in order on the same stream, wait behind them."""
HELD = 10_000
"""Sockets that a crowd keeps, closed or not, before it closes the oldest."""
ADDRESSES = 32
LORIS_CONNECTIONS = 256
IP_BIND_ADDRESS_NO_PORT = 24
"""Of Linux: the port is chosen when the remote is known, so that each address has all of them."""


def stranger(port: int, number: int) -> socket.socket | None:
    """A connection under way, from one of many addresses of this machine; None if no port of ours is left."""
    one = socket.socket()
    one.setblocking(False)
    try:
        if sys.platform == "linux":
            one.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            one.bind((f"127.0.0.{2 + number % ADDRESSES}", 0))
        one.connect_ex(("127.0.0.1", port))
    except OSError:
        one.close()
        return None
    return one


def crowd(port: int, seconds: float) -> None:
    """Say that it begins, open connections for so long, and print how many."""
    os.nice(19)
    raise_descriptors()
    print("begins", flush=True)
    held: deque[socket.socket] = deque()
    opened, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        if (one := stranger(port, opened)) is not None:
            opened += 1
            held.append(one)
        while len(held) > HELD:
            held.popleft().close()
    print(opened)


def loris(port: int, seconds: float) -> None:
    """Say that it begins, keep connections open that say next to nothing, and print how many there were."""
    os.nice(19)
    print("begins", flush=True)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(507)  # of TLS, byte by byte
    held: dict[socket.socket, int] = {}
    opened, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        while len(held) < LORIS_CONNECTIONS and (one := stranger(port, opened)) is not None:
            opened += 1
            held[one] = 0
        time.sleep(0.1)
        for one, at in tuple(held.items()):
            try:
                held[one] += one.send(hello[at % len(hello) :][:1])
            except BlockingIOError:
                continue
            except OSError:
                one.close()
                del held[one]
    print(opened)


def member(port: int, switch: Path, arguments: list[str]) -> None:
    """Be `btard peer`, which also floods the peer at `port` while the file `switch` says how."""
    from btard.cli import main
    from btard.crypto import digest
    from btard.network import GrpcTransport, PeerRecord
    from btard.types import PeerId

    connect, send = GrpcTransport.connect, GrpcTransport.send
    tasks: set[asyncio.Task[None]] = set()
    said = [b""]

    def sending(transport: GrpcTransport, to: PeerId, raw: bytes) -> None:
        said[0] = raw
        send(transport, to, raw)

    async def flood(transport: GrpcTransport, victim: PeerId) -> None:
        noise, number = os.urandom(MESSAGES["noise"]), 0
        with switch.with_suffix(".sent").open("ab", buffering=0) as sent:
            while True:
                kind = ""
                with contextlib.suppress(FileNotFoundError):
                    kind = switch.read_text()
                if kind == "busy":
                    end = time.monotonic() + BUSY_S
                    while time.monotonic() < end:
                        pass
                    await asyncio.sleep(0.01 - BUSY_S)
                    continue
                await asyncio.sleep(MESSAGES_AT_ONCE / MESSAGES_PER_S[kind] if kind else 0.05)
                if (link := transport._links.get(victim)) is None or not kind:
                    continue
                queue = link.blobs if kind == "blobs" else link.control
                for _ in range(MESSAGES_AT_ONCE - len(queue)):
                    number += 1
                    if kind == "blobs":
                        blob = number.to_bytes(8, "big")
                        transport.push(victim, digest("blob", blob), blob)
                    else:
                        send(transport, victim, noise if kind == "noise" else said[0])
                    sent.write(b".")

    def connecting(transport: GrpcTransport, records: Iterable[PeerRecord]) -> None:
        records = list(records)
        connect(transport, records)
        for record in records:
            if not tasks and record.addresses[0].endswith(f":{port}"):
                tasks.add(asyncio.get_running_loop().create_task(flood(transport, record.peer)))

    setattr(GrpcTransport, "connect", connecting)  # noqa: B010
    setattr(GrpcTransport, "send", sending)  # noqa: B010
    sys.argv = ["btard", "peer", *arguments]
    main()


def main() -> None:
    """Be one of them."""
    kind, port, what, *rest = sys.argv[1:]
    if kind == "member":
        member(int(port), Path(what), rest)
    else:
        {"crowd": crowd, "loris": loris}[kind](int(port), float(what))


if __name__ == "__main__":
    main()
