"""Which cells cannot be: asked of the laboratory before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from btard.arena.cell import label, varying
from btard.errors import ConfigurationError
from btard.lab import Experiment, check


def impossible(experiments: Iterable[Experiment]) -> Mapping[Experiment, str]:
    """The experiments that the laboratory refuses, and its reasons."""
    reasons: dict[Experiment, str | None] = {}
    refused: dict[Experiment, str] = {}
    for each in experiments:
        # The seed decides nothing here, and a check tries the rule.
        asked = replace(each, seed=0)
        if asked not in reasons:
            reasons[asked] = _reason(asked)
        if (reason := reasons[asked]) is not None:
            refused[each] = reason
    return refused


def refuse(experiments: Iterable[Experiment], refused: Mapping[Experiment, str]) -> None:
    """Raises ConfigurationError, naming the first of the `refused` cells, where there is any."""
    if not refused:
        return
    names = [name for name in varying(experiments) if name != "seed"] or ["rule"]
    first, reason = next(iter(refused.items()))
    cells = len({replace(each, seed=0) for each in refused})
    others = f" (and {cells - 1} more like it)" if cells > 1 else ""
    raise ConfigurationError(
        f'the cell {label(first, names)}{others} cannot be: {reason}; or set impossible = "skip" in the spec'
    )


def _reason(experiment: Experiment) -> str | None:
    try:
        check(experiment)
    except ConfigurationError as error:
        return str(error)
    return None
