"""What workers run in place of the laboratory, to see what becomes of failures."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from btard.lab import Experiment, Outcome
from tests.arena.cases import an_outcome


def fails_on_purpose(experiment: Experiment, device: str, on_step: Callable[[int], None] | None) -> Outcome:
    """An exception of two lines, or a kill as by a machine without memory, or an outcome, by the rule."""
    if experiment.rule == "median":
        raise ZeroDivisionError("no\nmedian")
    if experiment.rule == "krum":
        os.kill(os.getpid(), signal.SIGKILL)
    return an_outcome(0.1, 0.5)
