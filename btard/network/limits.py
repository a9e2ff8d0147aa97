"""Every bound of the network layer in one place: frames, queues, deadlines, backoff."""

from __future__ import annotations

from dataclasses import dataclass

from btard.errors import ConfigurationError
from btard.types import Bytes
from btard.wire import MAX_CONTROL_BYTES

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one transport. All peers of a run should agree on `control_bytes_max` and `chunk_bytes`.

    Sizes are bytes, times seconds.
    """

    control_bytes_max: int = MAX_CONTROL_BYTES
    """One control message."""
    control_queue_messages: int = 8192
    control_queue_bytes: int = 64 * MIB
    """Control messages waiting for one peer; excess ones are dropped and counted."""
    blob_queue_bytes: int = 512 * MIB
    """Blobs waiting for one peer, the one in flight included."""
    chunk_bytes: int = MIB
    """The body of a blob travels in chunks of exactly this size, the last one shorter."""
    connect_timeout_s: float = 5.0
    """From the first packet to an accepted hello. A connection that shows none counts as a stranger for so
    long, even if it has ended."""
    hello_bytes_max: int = 4 * KIB
    """What a connection may send until its hello is accepted: a TLS handshake, HTTP/2's first frames and the
    hello are 1.7 to 2.6 KB, encryption included."""
    stall_timeout_s: float = 30.0
    """The longest silence within an exchange: an offer, a chunk, an acknowledgement."""
    keepalive_s: float = 10.0
    keepalive_timeout_s: float = 20.0
    """A frozen or dead remote is noticed after at most their sum. A ping waits behind the bytes in the buffer
    of the socket: on a home uplink that takes seconds."""
    backoff_first_s: float = 0.2
    backoff_max_s: float = 10.0
    strangers_max: int = 64
    """Connections without a proven identity."""
    strangers_per_address: int = 16
    """Those of one remote address. Peers that share one, behind a NAT or on one machine, connect in turn."""
    senders_share: float = 0.25
    """Of each second, the time of the event loop that control messages of all members may take, an equal part
    each (`btard.network.allowance`)."""
    spare_share: float = 0.05
    """What is left for members that need more than their part, in all."""
    offers_share: float = 0.05
    """The same for offers of blobs, and what is left for those that need more."""
    burst_s: float = 0.5
    """Seconds of the event loop's time that a member may save up."""

    def descriptors(self, peers: int) -> int:
        """Return how many descriptors the streams of `peers` peers and all strangers take at most: one for an
        outgoing stream, three for an incoming one (the remote's, and both ends of gRPC's)."""
        return 2 * peers + 3 * (2 * peers + self.strangers_max)

    def check_control(self, raw: bytes) -> None:
        """Raise ConfigurationError for a control message that no peer would accept."""
        if len(raw) > self.control_bytes_max:
            bound = self.control_bytes_max
            raise ConfigurationError(f"a control message of {len(raw)} bytes is above {bound}: send a blob")

    def check_blob(self, data: Bytes) -> None:
        """Raise ConfigurationError for a blob that could never be queued."""
        if len(data) > self.blob_queue_bytes:
            raise ConfigurationError(
                f"a blob of {len(data)} bytes never fits blob_queue_bytes ({self.blob_queue_bytes}): raise it"
            )
