"""Bytes between peers, and the directories by which they find each other. Knows nothing of the protocol.

Transports: `MemoryTransport` for tests and simulations, `GrpcTransport` for the world. Directory:
`DhtDirectory`. Everything runs in one asyncio loop. hivemind is imported when a `DhtDirectory` is created,
because that takes two seconds.
"""

from __future__ import annotations

from btard.network.certificate import Certificate
from btard.network.counters import Counters, Traffic
from btard.network.dht_directory import DhtDirectory
from btard.network.discovery import Directory
from btard.network.grpc_transport import GrpcTransport
from btard.network.libp2p import libp2p_id, libp2p_id_text, peer_of
from btard.network.limits import Limits
from btard.network.memory import MemoryHub, MemoryTransport
from btard.network.record import PeerRecord, open_record, seal_record
from btard.network.transport import STRANGER, Inbox, Transport

__all__ = [
    "STRANGER",
    "Certificate",
    "Counters",
    "DhtDirectory",
    "Directory",
    "GrpcTransport",
    "Inbox",
    "Limits",
    "MemoryHub",
    "MemoryTransport",
    "PeerRecord",
    "Traffic",
    "Transport",
    "libp2p_id",
    "libp2p_id_text",
    "open_record",
    "peer_of",
    "seal_record",
]
