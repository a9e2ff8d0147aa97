"""Watches whether messages arrive within `delta_s`, on which the safety of disputes rests."""

from __future__ import annotations

from collections.abc import Iterable

from btard.network.counters import Counters
from btard.types import PeerId

DELAY_SHARE = 0.5
"""Of `delta_s`: a message that usually takes longer has no room left to be sent again."""


class DelayWatch:
    """Looks at the round trips of the offers of blobs: half of one is what a message takes, at least."""

    def __init__(self, counters: Counters, delta_s: float) -> None:
        self._counters = counters
        self._delta_s = delta_s
        self._named: set[PeerId] = set()

    def look(self, peers: Iterable[PeerId]) -> str | None:
        """Return a sentence for people about those of `peers` that have become too far away, None without
        any. Each is named once."""
        others = (peer for peer in peers if peer not in self._named)
        delays = {peer: self._counters.known(peer).round_trip_s / 2 for peer in others}
        late = {peer: delay for peer, delay in delays.items() if delay > DELAY_SHARE * self._delta_s}
        if not late:
            return None
        self._named |= late.keys()
        names = ", ".join(sorted(peer.hex()[:8] for peer in late))
        return (
            f"messages take {max(late.values()):.1f} s between this peer and {names}; the run counts on less "
            f"than {self._delta_s:g} s (delta_s), so an honest peer may lose a dispute: plan a run with a "
            "larger delta_s, or a faster link"
        )
