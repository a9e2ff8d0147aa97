"""The events of a run on their way to trackers."""

from __future__ import annotations

from collections.abc import Sequence

from btard.run.events import Emit, Event, Noted
from btard.tracking.tracker import Tracker


class Tracking:
    """Call it with each event: it goes to `emit`, then to the trackers. A context manager around a run; at
    its end the trackers write what they still hold. What is wrong with one goes to `emit`, as `Noted`."""

    def __init__(self, emit: Emit, trackers: Sequence[Tracker]) -> None:
        self._emit = emit
        self._trackers = trackers

    def __enter__(self) -> Tracking:
        return self

    def __exit__(self, *error: object) -> None:
        for tracker in self._trackers:
            tracker.close()
            self._say(tracker)

    def __call__(self, event: Event) -> None:
        """Pass on an event."""
        self._emit(event)
        for tracker in self._trackers:
            tracker.put(event)
            self._say(tracker)

    def _say(self, tracker: Tracker) -> None:
        if (sentence := tracker.trouble()) is not None:
            self._emit(Noted(text=sentence))
