"""Runs what the store does not have yet, and keeps each cell as soon as it ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

from btard.arena.cell import Result
from btard.arena.processes import Train, train_all
from btard.arena.store import Store
from btard.lab import Experiment, Outcome


class Watcher(Protocol):
    """Who is told how the cells come along."""

    def started(self, experiment: Experiment) -> None:
        """A cell begins."""

    def finished(self, experiment: Experiment, result: Result) -> None:
        """A cell ended, and is kept."""


def unfinished(experiments: Sequence[Experiment], store: Store) -> tuple[Experiment, ...]:
    """The cells that have no outcome yet; those that crashed are tried again."""
    known = store.results(experiments)
    return tuple(each for each in experiments if not isinstance(known.get(each), Outcome))


def run_cells(
    experiments: Sequence[Experiment],
    store: Store,
    watch: Watcher,
    *,
    train: Train,
    device: str,
    jobs: int,
) -> None:
    """Train the cells in `jobs` processes. An interrupt loses those that are under way, nothing else."""
    with closing(train_all(experiments, train, device, jobs)) as events:
        for experiment, result in events:
            if result is None:
                watch.started(experiment)
            else:
                store.add(experiment, result)
                watch.finished(experiment, result)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
