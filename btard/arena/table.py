"""Results -> tables, as values: accuracy of each row under each column, the worst case, the best marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from btard.arena.cell import Crash, Result
from btard.arena.layout import Split
from btard.arena.statistics import half_width, mean
from btard.lab import Experiment, Outcome


@dataclass(frozen=True)
class Entry:
    """One row under one column: the accuracies, in [0, 1], of the seeds that ended.

    `seeds` should have been run, `diverged` of them ceased to be finite, `crashed` ended in an exception.
    `impossible` is why there can be no result. `best`: no row has a greater mean in this column.
    """

    accuracies: tuple[float, ...] = ()
    seeds: int = 0
    diverged: int = 0
    crashed: int = 0
    impossible: str | None = None
    best: bool = False

    @cached_property
    def mean(self) -> float | None:
        """Over the seeds; None where nothing ended."""
        return mean(self.accuracies) if self.accuracies else None

    @cached_property
    def half_width(self) -> float | None:
        """Of the mean's 95 % confidence interval; None for fewer than two seeds."""
        return half_width(self.accuracies)

    @property
    def complete(self) -> bool:
        """Whether every seed ended."""
        return self.impossible is None and 0 < self.seeds == len(self.accuracies)

    @property
    def text(self) -> str:
        """As tables show it, in per cent: "97.8 ± 0.4", with †k where k runs diverged, ‡k where k crashed."""
        if self.mean is None:
            return "not possible" if self.impossible else "crashed" if self.crashed else "not run"
        words = [per_cent(self.mean)]
        words += [f"± {per_cent(self.half_width)}"] if self.half_width is not None else []
        words += [f"†{self.diverged}"] if self.diverged else []
        words += [f"‡{self.crashed}"] if self.crashed else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Worst:
    """The least mean of a row, and the column that brought it about."""

    column: str
    mean: float
    best: bool = False

    @property
    def text(self) -> str:
        """As tables show it."""
        return f"{per_cent(self.mean)} ({self.column})"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `worst` is None until all its cells that can be are complete."""

    name: str
    entries: tuple[Entry, ...]
    worst: Worst | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its `name` is the split's, empty where there is only one."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def has_worst(self) -> bool:
        """Whether a worst case over the columns says more than the columns."""
        return len(self.columns) > 1


def accuracy(outcome: Outcome, last: int) -> float:
    """The mean accuracy of the `last` evaluations; of a diverged run that of the end, which is chance."""
    if outcome.diverged is not None:
        return outcome.final.accuracy
    return mean([each.accuracy for each in outcome.measurements[-last:]])


def per_cent(value: float) -> str:
    """A part of one, as a percentage with one decimal."""
    return f"{100 * value:.1f}"


def table(
    split: Split, results: Mapping[Experiment, Result], impossible: Mapping[Experiment, str], last: int
) -> Table:
    """The table of a split. A pure function: the same results make the same table."""
    places = {place: _entry(runs, results, impossible, last) for place, runs in split.runs.items()}
    best = {column: _greatest([places.get((row, column)) for row in split.rows]) for column in split.columns}

    def entry(row: str, column: str) -> Entry:
        found = places.get((row, column), Entry(impossible="not in the grid"))
        return replace(found, best=found.mean is not None and found.mean == best[column])

    rows = [(name, tuple(entry(name, column) for column in split.columns)) for name in split.rows]
    worsts = [_worst(split.columns, entries) for _, entries in rows]
    top = max((worst.mean for worst in worsts if worst), default=None)
    return Table(
        split.name,
        split.columns,
        tuple(
            Row(name, entries, worst and replace(worst, best=worst.mean == top))
            for (name, entries), worst in zip(rows, worsts, strict=True)
        ),
    )


def _entry(
    runs: Sequence[Experiment],
    results: Mapping[Experiment, Result],
    impossible: Mapping[Experiment, str],
    last: int,
) -> Entry:
    found = [results.get(each) for each in runs]
    outcomes = [each for each in found if isinstance(each, Outcome)]
    return Entry(
        accuracies=tuple(accuracy(each, last) for each in outcomes),
        seeds=len(runs),
        diverged=sum(each.diverged is not None for each in outcomes),
        crashed=sum(isinstance(each, Crash) for each in found),
        impossible=next((impossible[each] for each in runs if each in impossible), None),
    )


def _greatest(entries: Sequence[Entry | None]) -> float | None:
    means = [each.mean for each in entries if each is not None and each.mean is not None]
    return max(means, default=None)


def _worst(columns: Sequence[str], entries: Sequence[Entry]) -> Worst | None:
    """The first of the least means; nothing while a cell that can be is missing: it might be worse."""
    possible = [(c, e) for c, e in zip(columns, entries, strict=True) if e.impossible is None]
    if not possible or not all(entry.complete for _, entry in possible):
        return None
    means = [(entry.mean, column) for column, entry in possible if entry.mean is not None]
    least = min(value for value, _ in means)
    return Worst(next(column for value, column in means if value == least), least)
