"""What a peer's worker is at, how far it is, and how long its work took."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Gauge:
    """Told by the worker's thread, read in the event loop. `clock` gives seconds, from any thread; None: no
    work is timed, as in virtual time."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.at: str | None = None
        """The kind of work under way, None while there is none."""
        self.share: float | None = None
        """How much of it is done, in [0, 1], None if that is not known."""
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}

    def run(self, kind: str, work: Callable[[], T]) -> T:
        """Do a piece of work, on the thread that calls, and return its result."""
        clock = self._clock
        began = clock() if clock is not None else 0.0
        self.at = kind
        try:
            return work()
        finally:
            self.at = self.share = None
            if clock is not None:
                with self._lock:
                    self._seconds[kind] = self._seconds.get(kind, 0.0) + clock() - began

    def micro_batch(self, done: int, total: int) -> None:
        """Take note that so many micro-batches of a gradient are done. One alone tells nothing."""
        self.share = done / total if total > 1 else None

    def take(self) -> dict[str, float]:
        """Return the seconds of each kind of work that has ended since the last time."""
        with self._lock:
            taken, self._seconds = self._seconds, {}
        return taken
