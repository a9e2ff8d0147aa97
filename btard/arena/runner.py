"""Refuse what is impossible, run what the store does not have yet, and store each cell as soon as it ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from typing import TypeAlias

import torch

from btard.arena.cell import Result, label, varying
from btard.arena.store import Store
from btard.errors import ConfigurationError
from btard.lab import Experiment, Outcome, prepare
from btard.pool import run_jobs

Train: TypeAlias = Callable[[Experiment, str], Outcome]
"""Trains an experiment on a device: `btard.lab.run`, or another function that a process can import."""


def impossible(experiments: Iterable[Experiment]) -> Mapping[Experiment, str]:
    """Return the experiments that the laboratory refuses, and its reasons. Trains nothing."""
    # The seed decides nothing here, and preparing tries the rule.
    reason_of = cache(_reason)
    reasons = {each: reason_of(replace(each, seed=0)) for each in experiments}
    return {each: reason for each, reason in reasons.items() if reason is not None}


def refuse(experiments: Iterable[Experiment], refused: Mapping[Experiment, str]) -> None:
    """Raise ConfigurationError, with the first of the `refused` cells, if there is one."""
    if not refused:
        return
    names = [name for name in varying(experiments) if name != "seed"] or ["rule"]
    first, reason = next(iter(refused.items()))
    cells = len({replace(each, seed=0) for each in refused})
    others = f" (and {cells - 1} more like it)" if cells > 1 else ""
    raise ConfigurationError(
        f"the cell {label(first, names)}{others} is impossible: {reason};"
        ' or set impossible = "skip" in the spec'
    )


def unfinished(experiments: Sequence[Experiment], store: Store) -> tuple[Experiment, ...]:
    """Return the cells that have no outcome yet, those that crashed among them."""
    known = store.results(experiments)
    return tuple(each for each in experiments if not isinstance(known.get(each), Outcome))


def run_cells(
    experiments: Sequence[Experiment], store: Store, *, train: Train, device: str, jobs: int
) -> Generator[tuple[Experiment, Result | None], None, None]:
    """Train and store the cells in `jobs` processes; yield each with None at its start, with its result then.

    Closing the generator loses the cells that are running, nothing else.
    """
    with closing(run_jobs(experiments, partial(_train, train, device), jobs)) as events:
        for experiment, result in events:
            if result is not None:
                store.add(experiment, result)
            yield experiment, result


def _train(train: Train, device: str, experiment: Experiment) -> Outcome:
    torch.set_num_threads(1)  # as many processes as cores; and sums do not depend on the machine
    return train(experiment, device)


def _reason(experiment: Experiment) -> str | None:
    try:
        prepare(experiment)
    except ConfigurationError as error:
        return str(error)
    return None
