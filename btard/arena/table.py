"""Results -> tables as values for any renderer: accuracy of each row under each column, and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from statistics import fmean, stdev

from btard.arena.cell import Result
from btard.arena.layout import Split
from btard.lab import Experiment, Outcome
from btard.pool import Failure

NAME_MAX = 14
"""Characters of a column's name that stand on one line; the arguments of a longer one stand on a second."""

TIMINGS = ("gradients", "encode", "attack", "aggregate or decode", "decode errors")


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One place of a table: its text, and the number in it if there is one.

    `best`: no number in the column is greater. `note` is why there can be no number.
    """

    text: str
    value: float | None = None
    best: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """The names of a row, and its entries, one for each column."""

    names: tuple[str, ...]
    entries: tuple[TableEntry, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `labels` are above the names of the rows, `columns` above the entries; `name` is the split's.

    If `has_worst`, the last column is the worst of the others.
    """

    name: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    has_worst: bool = False


def accuracy_table(
    split: Split,
    label: str,
    results: Mapping[Experiment, Result],
    impossible: Mapping[Experiment, str],
    last: int,
) -> Table:
    """Return the accuracies of a split; if it has several columns, with the worst of each row in one more."""
    several = len(split.columns) > 1
    rows: list[list[TableEntry]] = []
    for row in split.rows:
        runs = [split.runs.get((row, column), ()) for column in split.columns]
        entries = [_entry(each, results, impossible, last) for each in runs]
        rows.append([*entries, _worst(split, row, entries, results)] if several else entries)
    marked = zip(*map(_with_best, zip(*rows, strict=True)), strict=True)
    return Table(
        split.name,
        (label,),
        (*split.columns, "worst") if several else split.columns,
        tuple(TableRow((name,), entries) for name, entries in zip(split.rows, marked, strict=True)),
        has_worst=several,
    )


def timing_table(split: Split, labels: tuple[str, ...], results: Mapping[Experiment, Result]) -> Table:
    """Return milliseconds a step and decode errors of each place with results, the mean over its seeds."""
    rows = []
    for names, runs in split.runs.items():
        found = [(each, results.get(each)) for each in runs]
        # A diverged run counts the steps that it took.
        ended = [
            (each.steps if outcome.diverged is None else outcome.diverged + 1, outcome)
            for each, outcome in found
            if isinstance(outcome, Outcome)
        ]
        if ended:
            rows.append(TableRow(names, _timing_entries(ended)))
    return Table(split.name, labels, TIMINGS, tuple(rows))


def accuracy(outcome: Outcome, last: int) -> float:
    """Return the mean accuracy of the `last` evaluations, or that of chance for a diverged run."""
    if outcome.diverged is not None:
        return outcome.final.accuracy
    return fmean(each.accuracy for each in outcome.measurements[-last:])


def half_width(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Return half the width of the mean's confidence interval, t s / sqrt(n); None for fewer than two values.

    s has the divisor n - 1, and t is Student's quantile for n - 1 degrees of freedom (Student 1908): the
    interval holds for normal values.
    """
    from scipy.stats import t  # slow to import, and of no use to the processes that train

    n = len(values)
    return None if n < 2 else float(t.ppf((1 + confidence) / 2, n - 1)) * stdev(values) / n**0.5


def folded(name: str) -> str:
    """Return a long name with its arguments on a second line."""
    return name.replace("(", "\n(", 1) if len(name) > NAME_MAX else name


def per_cent(value: float) -> str:
    """Return a fraction as a percentage with one decimal."""
    return f"{100 * value:.1f}"


def _entry(
    runs: Sequence[Experiment],
    results: Mapping[Experiment, Result],
    impossible: Mapping[Experiment, str],
    last: int,
) -> TableEntry:
    """Return "97.8 ± 0.4", with †k if k runs diverged, ‡k if k crashed; or why there is no number."""
    note = next((impossible[each] for each in runs if each in impossible), "" if runs else "not in the grid")
    found = [results.get(each) for each in runs]
    outcomes = [each for each in found if isinstance(each, Outcome)]
    crashed = sum(isinstance(each, Failure) for each in found)
    if not outcomes:
        return TableEntry("not possible" if note else "crashed" if crashed else "not run", note=note)
    accuracies = [accuracy(each, last) for each in outcomes]
    mean, spread = fmean(accuracies), half_width(accuracies)
    diverged = sum(each.diverged is not None for each in outcomes)
    text = per_cent(mean) + ("" if spread is None else f" ± {per_cent(spread)}")
    text += (f" †{diverged}" if diverged else "") + (f" ‡{crashed}" if crashed else "")
    return TableEntry(text, mean, note=note)


def _worst(
    split: Split, row: str, entries: Sequence[TableEntry], results: Mapping[Experiment, Result]
) -> TableEntry:
    """Return the least number of a row, or "–" while a possible cell is missing, which might be less."""
    possible = [(e.value, column) for e, column in zip(entries, split.columns, strict=True) if not e.note]
    runs = [each for _, column in possible for each in split.runs[row, column]]
    means = [(value, column) for value, column in possible if value is not None]
    if not means or not all(isinstance(results.get(each), Outcome) for each in runs):
        return TableEntry("–")
    value, column = min(means, key=itemgetter(0))
    return TableEntry(f"{per_cent(value)} ({column})", value)


def _with_best(column: Sequence[TableEntry]) -> list[TableEntry]:
    """Return the entries of a column, those with its greatest number marked."""
    greatest = max((each.value for each in column if each.value is not None), default=None)
    return [replace(each, best=each.value is not None and each.value == greatest) for each in column]


def _timing_entries(ended: Sequence[tuple[int, Outcome]]) -> tuple[TableEntry, ...]:
    """Return the entries under `TIMINGS`, of (steps, outcome) of each seed."""

    def ms(part: str) -> float:
        return fmean(1000 * float(getattr(outcome.seconds, part)) / steps for steps, outcome in ended)

    times = [ms(part) for part in ("gradients", "encode", "attack", "aggregate")]
    errors, steps = sum(outcome.decode_errors for _, outcome in ended), sum(steps for steps, _ in ended)
    # A rule encodes nothing, and has no decode errors.
    decoded = TableEntry(f"{errors} of {steps}", errors) if times[1] else TableEntry("–")
    return (*(TableEntry(f"{time:.2f}", time) for time in times), decoded)
