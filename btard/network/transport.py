"""The face of a network to the layers above: an inbox, and a transport that fills it.

Delivery is at most once, and ordered per (peer, class); the classes are control and blob. A stream that
breaks loses the messages in flight; those that still wait are sent once the stream is back. The protocol
repairs losses. Control and blob streams are independent: a blob may overtake the control message that
announces it, or come after a later one.

`GrpcTransport` and `MemoryTransport` implement this. A fallback over libp2p streams, for peers that
no direct connection reaches, would be a third; hence nothing here speaks of gRPC or of addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from btard.network.counters import Counters
from btard.network.record import PeerRecord
from btard.types import Bytes, Digest, Fault, PeerId

STRANGER = PeerId(b"")
"""The `peer` of a fault that cannot be attributed: its author did not prove its identity. To blame the
identity that it claimed would let anybody incriminate anybody."""


class Inbox(Protocol):
    """The receiver of a transport. Called in the event loop of the transport; must not block.

    An exception raised here is our bug: it goes to the exception handler of the loop, and the streams go on.
    """

    def control(self, sender: PeerId, raw: bytes) -> None:
        """Take a control message of an authenticated sender, within the size limit, otherwise unchecked."""

    def wants(self, sender: PeerId, digest: Digest, size: int) -> bool:
        """Return whether to accept a blob of `size` bytes: asked once an offer, before its body is sent.
        Accepted blobs cost memory, so bound them."""

    def blob(self, sender: PeerId, digest: Digest, data: Bytes) -> None:
        """Take a blob that was wanted, whole, and whose digest is right."""

    def fault(self, fault: Fault) -> None:
        """Take a fault of a peer or of `STRANGER`. Its stream has been closed; after a flood it is only read
        more slowly."""


class Transport(Protocol):
    """Carries bytes between this peer and the roster. All methods belong to one event loop.

    `counters` may be read at any time.
    """

    me: PeerId
    counters: Counters

    async def start(self, inbox: Inbox) -> None:
        """Listen. Raises NetworkError if that is impossible, e.g. because the port is taken."""

    async def stop(self) -> None:
        """Close every stream and release the port, within about two seconds. May be repeated."""

    def connect(self, records: Iterable[PeerRecord]) -> None:
        """Replace the roster: connect to new peers, drop missing ones, move to another address if a record
        has a higher sequence number. This peer's own record is ignored. Records must have been verified
        (`record.open_record`)."""

    def connected(self, peer: PeerId) -> bool:
        """Return whether the control stream to `peer` is open at this moment, as far as is known."""

    def send(self, to: PeerId, raw: bytes) -> None:
        """Queue a control message. It is dropped and counted if the queue of `to` is full, or `to` is not in
        the roster. Raises ConfigurationError for one above `Limits.control_bytes_max`."""

    def push(self, to: PeerId, digest: Digest, data: Bytes) -> None:
        """Queue a blob, on the lower-priority stream; dropped and counted as `send` does. The bytes are
        not copied. Raises ConfigurationError for one that never fits `Limits.blob_queue_bytes`."""
