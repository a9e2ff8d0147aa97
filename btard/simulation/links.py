"""When a message or a blob arrives at the other end of a link, if it does.

What a peer sends leaves through its uplink, one thing after the other, and then takes the delay of its link.
The order within an uplink is first in, first out over all links, for messages and blobs apart. Real
connections share an uplink evenly instead, so what is sent at one moment is through at the same moment; only
what one receiver asks for is slowed less there by what another one asks for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from btard.simulation.dice import Dice
from btard.simulation.faults import Cut, Uplink, Weather


class Links:
    """The links between all peers of a scenario, by index. A peer without one of `uplinks` sends at once: so
    do Byzantine ones.

    `slowest_s` is the longest time that a control message between two honest peers took."""

    def __init__(
        self,
        seed: int,
        weather: Weather,
        cuts: Collection[Cut],
        byzantine: Collection[int],
        uplinks: Mapping[int, Uplink],
    ) -> None:
        self.slowest_s = 0.0
        self._weather = weather
        self._cuts: defaultdict[tuple[int, int], list[Cut]] = defaultdict(list)
        for cut in cuts:
            for way in cut.ways:
                self._cuts[way].append(cut)
        self._byzantine = frozenset(byzantine)
        self._uplinks = {peer: uplink for peer, uplink in uplinks.items() if peer not in self._byzantine}
        self._control_free: defaultdict[int, float] = defaultdict(float)
        self._blob_free: defaultdict[int, float] = defaultdict(float)
        self._control = Dice(seed, "control delays")
        self._blob = Dice(seed, "blob delays")
        self._last: dict[tuple[int, int], float] = {}

    def control(self, sender: int, receiver: int, size_bytes: int, now: float) -> float | None:
        """When a control message sent now arrives; None if it is lost."""
        way = (sender, receiver)
        if self._cuts and any(cut.control for cut in self._cut(way, now)):
            return None
        weather = self._weather
        if sender in self._byzantine and self._control.chance(weather.byzantine_late):
            return now + self._control.between(0.0, weather.byzantine_late_s)  # it keeps no order either
        left = now
        if sender in self._uplinks:
            took = size_bytes / self._uplinks[sender].control_bytes_s
            left = self._control_free[sender] = max(now, self._control_free[sender]) + took
        if self._control.chance(weather.loss):
            delay = self._control.between(weather.typical_s, weather.worst_s)
        else:
            delay = self._control.between(0.5, 1.5) * weather.typical_s
        arrival = left + min(delay, weather.worst_s)
        if weather.ordered:
            arrival = max(arrival, self._last.get(way, 0.0))
            self._last[way] = arrival
        if sender not in self._byzantine and receiver not in self._byzantine:
            self.slowest_s = max(self.slowest_s, arrival - now)
        return arrival

    def blob(self, sender: int, receiver: int, size_bytes: int, now: float) -> float | None:
        """When a blob pushed now has arrived; None if it is lost."""
        if self._cuts and any(cut.blobs for cut in self._cut((sender, receiver), now)):
            return None
        weather = self._weather
        if sender in self._byzantine and self._blob.chance(weather.byzantine_late):
            return now + self._blob.between(0.0, weather.byzantine_late_s)
        left = now
        if sender in self._uplinks:
            took = size_bytes / self._uplinks[sender].blob_bytes_s
            left = self._blob_free[sender] = max(now, self._blob_free[sender]) + took
        return left + self._blob.between(0.02, 1.0) * weather.blob_s

    def _cut(self, way: tuple[int, int], now: float) -> list[Cut]:
        if way not in self._cuts:
            return []
        return [cut for cut in self._cuts[way] if cut.start_s <= now < cut.end_s]
