"""How much of the event loop's time the senders of control messages may take, each and in all.

The cost of a message is the processor time that its handling took, plus what carrying it costs. A sender
that has spent its share is read more slowly, and by the back-pressure of its connection sends more slowly:
nothing of an honest sender's burst is lost, and a flood stays where it comes from.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from math import inf

from btard.types import PeerId

MESSAGE_S = 1e-4
"""Seconds of processor time to read one message from gRPC, whatever it says."""

BYTE_S = 4e-9
"""Seconds of processor time that TLS, HTTP/2 and the gate take for a byte."""

HANDSHAKE_S = 2e-3
"""Seconds of processor time that a new connection takes until its hello is accepted."""

FLOOD_FACTOR = 4
"""A sender that has had to wait gets so many times less, until it has been quiet for long enough to save up
all that it may: honest peers save up for their bursts, and a flood never stops."""

_PAUSE_S = 0.01
"""The least time for which a sender waits: it is read in bursts, not message by message."""


@dataclass(slots=True)
class _Bucket:
    """Seconds that may be spent: they grow at a `rate` up to `burst_s`, and may be overdrawn."""

    level_s: float = 0.0
    at: float = -inf
    waited: bool = False
    """Whether its sender has had to wait since the bucket was last full."""

    def rate(self, share: float) -> float:
        """Return the seconds that it gains in one."""
        return share / FLOOD_FACTOR if self.waited else share

    def fill(self, share: float, burst_s: float, now: float) -> None:
        self.level_s = min(burst_s, self.level_s + self.rate(share) * (now - self.at))
        self.at = now
        self.waited = self.waited and self.level_s < burst_s


class Allowances:
    """The seconds of processor time that senders may still cost.

    Of each second of the clock, all senders together may take `share` (above 0), each an equal part of it,
    and `spare` (above 0) more goes to those who come first. A sender may save up `burst_s` seconds. One that
    has had to wait gets nothing of the spare, and less of the share (FLOOD_FACTOR), until it has saved up all
    that it may: a flood would take all of it. Times `now` are in seconds of any origin, never
    decreasing."""

    def __init__(self, share: float, spare: float, burst_s: float) -> None:
        self.senders = 1
        """Among how many senders the share is divided."""
        self._share = share
        self._spare = spare
        self._burst_s = burst_s
        self._common = _Bucket()
        self._own: dict[PeerId, _Bucket] = {}

    def spend(self, sender: PeerId, seconds: float, now: float) -> None:
        """Charge what a message of `sender` has cost."""
        own = self._of(sender, now)
        payer = self._common if own.level_s <= 0 and self._has_spare(own) else own
        payer.level_s -= seconds

    def wait_s(self, sender: PeerId, now: float) -> float:
        """Return for how long to read nothing of this sender; 0 if it may go on."""
        own = self._of(sender, now)
        if own.level_s > 0 or self._has_spare(own):
            return 0.0
        own.waited = True
        return -own.level_s / own.rate(self._share / self.senders) + _PAUSE_S

    def keep(self, roster: Container[PeerId], senders: int) -> None:
        """Divide the share among `senders`, and forget who is outside of the roster."""
        self.senders = max(1, senders)
        for peer in [peer for peer in self._own if peer not in roster]:
            del self._own[peer]

    def _has_spare(self, own: _Bucket) -> bool:
        return not own.waited and self._common.level_s > 0

    def _of(self, sender: PeerId, now: float) -> _Bucket:
        own = self._own.setdefault(sender, _Bucket())
        own.fill(self._share / self.senders, self._burst_s, now)
        self._common.fill(self._spare, self._burst_s, now)
        return own
