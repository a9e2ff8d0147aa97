"""When a message or a blob arrives at the other end of a link, if it does."""

from __future__ import annotations

from collections.abc import Collection

from btard.simulation.dice import Dice
from btard.simulation.faults import Cut, Weather


class Links:
    """The links between all peers of a scenario, by index."""

    def __init__(
        self, seed: int, weather: Weather, cuts: Collection[Cut], byzantine: Collection[int]
    ) -> None:
        self._weather = weather
        self._cuts = tuple(cuts)
        self._byzantine = frozenset(byzantine)
        self._control = Dice(seed, "control delays")
        self._blob = Dice(seed, "blob delays")
        self._last: dict[tuple[int, int], float] = {}

    def control(self, sender: int, receiver: int, now: float) -> float | None:
        """When a control message sent now arrives; None if it is lost."""
        if any(cut.control for cut in self._cut(sender, receiver, now)):
            return None
        weather = self._weather
        if sender in self._byzantine and self._control.chance(weather.byzantine_late):
            return now + self._control.between(0.0, weather.byzantine_late_s)  # it keeps no order either
        if self._control.chance(weather.loss):
            delay = self._control.between(weather.typical_s, weather.worst_s)
        else:
            delay = self._control.between(0.5, 1.5) * weather.typical_s
        arrival = now + min(delay, weather.worst_s)
        if weather.ordered:
            arrival = max(arrival, self._last.get((sender, receiver), 0.0))
            self._last[sender, receiver] = arrival
        return arrival

    def blob(self, sender: int, receiver: int, now: float) -> float | None:
        """When a blob pushed now has arrived; None if it is lost."""
        if self._cut(sender, receiver, now):
            return None
        weather = self._weather
        if sender in self._byzantine and self._blob.chance(weather.byzantine_late):
            return now + self._blob.between(0.0, weather.byzantine_late_s)
        return now + self._blob.between(0.02, 1.0) * weather.blob_s

    def _cut(self, sender: int, receiver: int, now: float) -> list[Cut]:
        ends = {sender, receiver}
        return [c for c in self._cuts if ends == {c.one, c.other} and c.start_s <= now < c.end_s]
