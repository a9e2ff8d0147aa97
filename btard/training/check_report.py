"""What a check of a task finds."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor


@dataclass(slots=True)
class CheckReport:
    """Sentences about a task: `faults` that a swarm would suffer from, `notes` that its author should know.

    `measured` has what was compared, and the difference of two gradients in units of their norm.
    """

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)

    def compare(self, what: str, one: Tensor, other: Tensor, epsilon: float) -> None:
        """Measure two gradients (d,) of one seed, the second computed in the way `what`; a difference above
        `epsilon` is a fault."""
        difference = distance(one, other)
        self.measured[what] = max(difference, self.measured.get(what, 0.0))
        sentence = (
            f"with {what} a gradient differs by {difference:.1e} of its norm, more than the run's tolerance "
            f"of {epsilon:g}: look for kinks, for short floats, and for what depends on the process"
        )
        if not difference <= epsilon and not any(each.startswith(f"with {what}") for each in self.faults):
            self.faults.append(sentence)


def distance(one: Tensor, other: Tensor) -> float:
    """Return |one - other| / |one|, 0 for two zeros."""
    norm = float(one.double().norm())
    difference = float((one.double() - other.double()).norm())
    return difference / norm if norm else (0.0 if difference == 0 else float("inf"))


def where(error: BaseException) -> str:
    """Return an exception of a task's code as part of a sentence: its kind, its first line, and its place."""
    lines = str(error).strip().splitlines()
    place = ""
    # The innermost frame outside of libraries: that of the task.
    for frame in traceback.extract_tb(error.__traceback__):
        if "site-packages" not in frame.filename and not frame.filename.startswith("<"):
            place = f" ({Path(frame.filename).name}, line {frame.lineno})"
    return f"{type(error).__name__}: {lines[0][:200] if lines else 'no text'}{place}"


def listed(names: list[str]) -> str:
    """Return up to three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
