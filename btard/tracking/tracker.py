"""A tracker: writes the points of a run on a thread of its own, behind a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

from btard.run.events import Begun, Event
from btard.tracking.points import Point, Points

QUEUE_MAX = 1024
"""Points that may wait. One a step: a writer that is so far behind has stopped."""

CLOSE_S = 30.0
"""How long the end of a run may wait for the last points to be written."""


class Writer(Protocol):
    """Writes points somewhere. All calls come from one thread, and may block or raise."""

    def begin(self, begun: Begun) -> None:
        """Take note of the run, before its first point."""

    def write(self, point: Point) -> None:
        """Write a point."""

    def close(self) -> None:
        """Write what is still held, and end."""


class Tracker:
    """Gives the points of a run to a writer, which `make` makes on the tracker's thread. `name` is for
    people.

    `put` never waits and never raises."""

    def __init__(self, name: str, make: Callable[[], Writer]) -> None:
        self._name = name
        self._make = make
        self._points = Points()
        self._queue: queue.Queue[Begun | Point | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._run, name=f"btard {name}", daemon=True)
        self._failed: BaseException | None = None
        self._started = self._behind = False
        self._said: set[str] = set()

    def put(self, event: Event) -> None:
        """Take an event."""
        item = event if isinstance(event, Begun) else self._points.take(event)
        if item is None or self._failed is not None:
            return
        if not self._started:
            self._started = True
            self._thread.start()
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._behind = True

    def close(self, within_s: float = CLOSE_S) -> None:
        """Wait until all is written, for so many seconds at most."""
        if not self._thread.is_alive():
            return
        try:
            self._queue.put(None, timeout=within_s)
            self._thread.join(within_s)
        except queue.Full:
            pass
        self._behind |= self._thread.is_alive()

    def trouble(self) -> str | None:
        """Return a sentence about what went wrong, each once; None if there is nothing new."""
        sentence = None
        if self._failed is not None:
            sentence = f"training goes on without {self._name}: {self._failed!s:.300}"
        elif self._behind:
            sentence = f"training goes on, but {self._name} is behind: some of its points are left out"
        if sentence is None or sentence in self._said:
            return None
        self._said.add(sentence)
        return sentence

    def _run(self) -> None:
        try:
            writer = self._make()
            try:
                while (item := self._queue.get()) is not None:
                    if isinstance(item, Begun):
                        writer.begin(item)
                    else:
                        writer.write(item)
            finally:
                writer.close()
        except Exception as error:  # of a library that we do not know, about files and networks
            self._failed = error
