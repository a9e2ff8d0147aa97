"""Results -> accuracy over steps, as values that the figures draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from btard.arena.cell import Result
from btard.arena.layout import Split
from btard.lab import Experiment, Outcome


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy of a row under a column, in per cent over steps: mean, least and greatest of its seeds."""

    row: str
    column: str
    steps: tuple[int, ...]
    mean: tuple[float, ...]
    least: tuple[float, ...]
    greatest: tuple[float, ...]


def curves(split: Split, column: str, results: Mapping[Experiment, Result]) -> tuple[Curve, ...]:
    """Return a curve for each row of a column that has results, all over the same steps."""
    found: dict[str, list[Outcome]] = {}
    for row in split.rows:
        for each in split.runs.get((row, column), ()):
            if isinstance(outcome := results.get(each), Outcome):
                found.setdefault(row, []).append(outcome)
    measured = [m for outcomes in found.values() for outcome in outcomes for m in outcome.measurements]
    steps = tuple(sorted({each.step for each in measured}))
    return tuple(_curve(row, column, steps, outcomes) for row, outcomes in found.items())


def _curve(row: str, column: str, steps: tuple[int, ...], outcomes: list[Outcome]) -> Curve:
    by_step = [[100 * _accuracy(outcome, step) for outcome in outcomes] for step in steps]
    means = tuple(map(fmean, by_step))
    return Curve(row, column, steps, means, tuple(map(min, by_step)), tuple(map(max, by_step)))


def _accuracy(outcome: Outcome, step: int) -> float:
    """Return the accuracy measured last at or before `step`, after a divergence that of the end."""
    if outcome.diverged is not None and step > outcome.diverged:
        return outcome.final.accuracy
    return [each for each in outcome.measurements if each.step <= step][-1].accuracy
