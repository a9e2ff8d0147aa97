"""What workers run in place of the laboratory, to see what becomes of failures."""

from __future__ import annotations

from btard.lab import Experiment, Outcome
from tests.arena.cases import an_outcome


def fails_on_purpose(experiment: Experiment, device: str) -> Outcome:
    """An exception for the median, an outcome for other rules."""
    if experiment.rule == "median":
        raise ZeroDivisionError("no\nmedian")
    return an_outcome(0.1, 0.5)
