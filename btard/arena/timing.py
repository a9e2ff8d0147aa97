"""Where the time of a step went, and how often a code decoded wrongly: the part of a report that differs
between two runs of the same spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from btard.arena.cell import Result
from btard.arena.layout import Split
from btard.arena.statistics import mean
from btard.lab import Experiment, Outcome

HEADINGS = ("gradients", "encode", "attack", "aggregate or decode", "decode errors")


@dataclass(frozen=True, slots=True)
class TimingRow:
    """A row under one column, over its seeds: milliseconds a step, `decode_errors` of all `steps`."""

    row: str
    column: str
    gradients_ms: float
    encode_ms: float
    attack_ms: float
    aggregate_ms: float
    decode_errors: int
    steps: int

    @property
    def texts(self) -> tuple[str, ...]:
        """As tables show them, one a heading; a rule, which encodes nothing, has no decode errors."""
        times = (self.gradients_ms, self.encode_ms, self.attack_ms, self.aggregate_ms)
        errors = f"{self.decode_errors} of {self.steps}" if self.encode_ms else "–"
        return (*(f"{time:.2f}" for time in times), errors)


@dataclass(frozen=True, slots=True)
class TimingTable:
    """The times of one split."""

    name: str
    rows: tuple[TimingRow, ...]


def timing_table(split: Split, results: Mapping[Experiment, Result]) -> TimingTable:
    """The mean over seeds of each place that has results; a diverged run counts the steps that it took."""
    rows = []
    for (row, column), runs in split.runs.items():
        found = [(each, results.get(each)) for each in runs]
        ended = [(each, outcome) for each, outcome in found if isinstance(outcome, Outcome)]
        if ended:
            rows.append(_row(row, column, ended))
    return TimingTable(split.name, tuple(rows))


def _row(row: str, column: str, ended: list[tuple[Experiment, Outcome]]) -> TimingRow:
    counted = [
        (each.steps if outcome.diverged is None else outcome.diverged + 1, outcome) for each, outcome in ended
    ]

    def ms(part: str) -> float:
        return mean([1000 * float(getattr(outcome.seconds, part)) / steps for steps, outcome in counted])

    return TimingRow(
        row,
        column,
        ms("gradients"),
        ms("encode"),
        ms("attack"),
        ms("aggregate"),
        sum(outcome.decode_errors for _, outcome in counted),
        sum(steps for steps, _ in counted),
    )
