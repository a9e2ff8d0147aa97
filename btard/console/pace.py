"""How fast a run goes, and how long it still takes."""

from __future__ import annotations

from collections import deque

STEPS = 20
"""Steps over which the pace is taken: few enough to follow a change, enough to forget one slow step."""


class Pace:
    """Told of each step that is made; times are in seconds of any origin."""

    def __init__(self) -> None:
        self._made: deque[tuple[int, float]] = deque(maxlen=STEPS + 1)

    @property
    def begun(self) -> bool:
        """Whether it has begun."""
        return bool(self._made)

    def begin(self, done: int, now: float) -> None:
        """Begin, or begin again, with so many steps made."""
        self._made.clear()
        self._made.append((done, now))

    def made(self, done: int, now: float) -> None:
        """Take note that so many steps are made now."""
        if not self._made or done > self._made[-1][0]:
            self._made.append((done, now))

    @property
    def step_s(self) -> float | None:
        """Seconds a step, None while that is not known."""
        if len(self._made) < 2:
            return None
        (first, began), (last, ended) = self._made[0], self._made[-1]
        return max(0.0, ended - began) / (last - first)

    def left_s(self, steps: int, now: float) -> float | None:
        """Return the seconds until the last of `steps`, None while that is not known. The step under way
        counts for what is left of it."""
        step_s = self.step_s
        if step_s is None:
            return None
        done, at = self._made[-1]
        return max(0.0, (steps - done) * step_s - min(step_s, max(0.0, now - at)))
