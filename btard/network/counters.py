"""Counts of what a transport sends, receives, drops and refuses, per peer and in total."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field

from btard.types import PeerId

ROUND_TRIPS_KEPT = 16


@dataclass(slots=True)
class Traffic:
    """Counts of one peer (or of all). Bytes include our frames and gRPC's 5-byte message prefix, not
    HTTP/2, TLS and TCP below it."""

    control_messages_sent: int = 0
    control_bytes_sent: int = 0
    control_messages_received: int = 0
    control_bytes_received: int = 0
    control_dropped: int = 0
    """Messages whose queue was full, or whose addressee is not in the roster."""
    blobs_sent: int = 0
    """Blobs whose body the receiver has acknowledged."""
    blob_bytes_sent: int = 0
    blobs_received: int = 0
    blob_bytes_received: int = 0
    blobs_dropped: int = 0
    """Blobs whose queue was full, or that were in flight when a stream broke."""
    blobs_refused: int = 0
    """Offers of theirs that our inbox did not want."""
    blobs_unwanted: int = 0
    """Offers of ours that they did not want."""
    paced: int = 0
    """Waits before reading more of a peer that has used up its allowance."""
    rejected: int = 0
    """Bad hellos, oversize frames, forged blobs: each also a `Fault`."""
    connects: int = 0
    """Outgoing streams that were established."""
    disconnects: int = 0
    """Outgoing streams that broke after that."""
    _round_trips: deque[float] = field(default_factory=lambda: deque(maxlen=ROUND_TRIPS_KEPT), repr=False)

    def answered(self, seconds: float) -> None:
        """Note how long an answer to an offer took: the way there and back, and what their event loop did
        before."""
        self._round_trips.append(seconds)

    @property
    def round_trip_s(self) -> float:
        """The shortest of the last ROUND_TRIPS_KEPT round trips, 0 before the first."""
        return min(self._round_trips, default=0.0)

    def add(self, other: Traffic) -> None:
        """Add the counts of another to these."""
        for name in (each for each in self.__slots__ if each != "_round_trips"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Counters:
    """`peers` holds the roster and authenticated senders, `others` the sum of strangers and of peers that
    left. So its size is bounded by the number of peers that may connect, not of those that try."""

    peers: dict[PeerId, Traffic] = field(default_factory=dict)
    others: Traffic = field(default_factory=Traffic)
    connections_refused: int = 0
    """Connections for which strangers had no place left: nothing of them was read."""

    def of(self, peer: PeerId) -> Traffic:
        """Return the counts of one peer, to read or to raise."""
        return self.peers.setdefault(peer, Traffic())

    def known(self, peer: PeerId) -> Traffic:
        """Return the counts of one peer, or those of all others if it has none of its own."""
        return self.peers.get(peer, self.others)

    @property
    def total(self) -> Traffic:
        """The sum over all peers and strangers, as a copy."""
        total = Traffic()
        for traffic in (*self.peers.values(), self.others):
            total.add(traffic)
        return total

    def keep(self, roster: Container[PeerId]) -> None:
        """Fold peers outside of the roster into `others`."""
        for peer in [peer for peer in self.peers if peer not in roster]:
            self.others.add(self.peers.pop(peer))
