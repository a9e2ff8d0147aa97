"""The curves of a run, from its events: one point a step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from btard.run.events import AttemptEnded, Event, FaultSeen


@dataclass(frozen=True, slots=True)
class Point:
    """The `values` by name after `step` steps, at the wall-clock `time` (seconds since 1970, UTC; None in
    virtual time). `removals` are sentences about peers that lost the step or their seats."""

    step: int
    time: float | None
    values: dict[str, float]
    removals: tuple[str, ...] = ()


class Points:
    """Makes points of events. Times, bytes and counts of aborted attempts count for the step that they
    delayed.

    Every number is of its own step, none is a sum since the start: so the curves of a run that was resumed
    are those of one that was not interrupted."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._removals: list[str] = []

    def take(self, event: Event) -> Point | None:
        """Return the point that an event completes, if it completes one."""
        if isinstance(event, FaultSeen):
            self._sums["swarm/faults"] += 1
        if not isinstance(event, AttemptEnded):
            return None
        self._add(event)
        if event.kind == "step":
            return self._point(event)
        # The attempt after the last step makes no further one, and only what it removes is news.
        return self._point(event) if event.kind == "close" and event.removals else None

    def _add(self, event: AttemptEnded) -> None:
        self._sums.update(
            {
                "network/sent_bytes": event.sent_bytes,
                "network/received_bytes": event.received_bytes,
                "swarm/aborts": event.kind == "abort",
                "swarm/deadlines": len(event.deadlines),
                "swarm/disputes": event.disputes,
                "swarm/removals": len(event.removals),
                "swarm/faults": 0,
            }
        )
        times = {"time/step_s": event.duration_s, "time/dispute_s": event.dispute_s}
        times |= {f"time/phase_s/{name}": seconds for name, seconds in event.phases_s.items()}
        times |= {f"time/work_s/{name}": seconds for name, seconds in event.work_s.items()}
        for name, seconds in times.items():
            if seconds is not None:
                self._seconds[name] = self._seconds.get(name, 0.0) + seconds
        self._removals += [
            f"step {event.step}: {removal.peer[:16]} {removal.kind}, {removal.reason}"
            for removal in event.removals
        ]

    def _point(self, event: AttemptEnded) -> Point:
        step = event.kind == "step"
        values: dict[str, float] = {f"eval/{name}": value for name, value in event.metrics.items()}
        if event.training_loss is not None:
            values["train/loss"] = event.training_loss
        if event.norms is not None:
            found = event.norms.model_dump()
            values |= {f"norms/{name}": value for name, value in found.items() if value is not None}
        values["swarm/roster"] = event.roster
        if step:
            values |= {**self._sums, **self._seconds}
        point = Point(event.step + step, event.time, values, tuple(self._removals))
        self._sums, self._seconds, self._removals = Counter(), {}, []
        return point
