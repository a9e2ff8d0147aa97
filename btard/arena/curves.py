"""Results -> accuracy over steps, as values: what the figures draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btard.arena.cell import Result
from btard.arena.layout import Split
from btard.arena.statistics import mean
from btard.lab import Experiment, Outcome


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy of one row over steps: the mean of its seeds, and the least and greatest of them."""

    row: str
    steps: tuple[int, ...]
    mean: tuple[float, ...]
    least: tuple[float, ...]
    greatest: tuple[float, ...]


def curves(split: Split, column: str, results: Mapping[Experiment, Result]) -> tuple[Curve, ...]:
    """The curves of a column, one a row that has results, all over the same steps."""
    found: dict[str, list[Outcome]] = {}
    for row in split.rows:
        runs = [results.get(each) for each in split.runs.get((row, column), ())]
        if outcomes := [each for each in runs if isinstance(each, Outcome)]:
            found[row] = outcomes
    every = [outcome for outcomes in found.values() for outcome in outcomes]
    steps = sorted({each.step for outcome in every for each in outcome.measurements})
    return tuple(_curve(row, steps, outcomes) for row, outcomes in found.items())


def _curve(row: str, steps: Sequence[int], outcomes: Sequence[Outcome]) -> Curve:
    by_step = [[_accuracy(outcome, step) for outcome in outcomes] for step in steps]
    return Curve(
        row,
        tuple(steps),
        tuple(mean(values) for values in by_step),
        tuple(min(values) for values in by_step),
        tuple(max(values) for values in by_step),
    )


def _accuracy(outcome: Outcome, step: int) -> float:
    """The accuracy last measured by `step`; that of the end from where the run diverged."""
    if outcome.diverged is not None and step > outcome.diverged:
        return outcome.final.accuracy
    return [each for each in outcome.measurements if each.step <= step][-1].accuracy
