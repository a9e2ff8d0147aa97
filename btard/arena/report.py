"""The report as a value: all that Markdown, HTML and the terminal show, independent of time and place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btard.arena.cell import FIELDS, NUMERICS, Result, label, value_text, varying
from btard.arena.curves import Curve, curves
from btard.arena.layout import splits
from btard.arena.spec import Spec
from btard.arena.table import Table, TableRow, accuracy_table, timing_table
from btard.lab import Experiment, Outcome
from btard.pool import Failure

TIMING_NOTE = (
    "Milliseconds a step, the mean over seeds; truest with --jobs 1 on a quiet machine. Times differ from run"
    " to run and from machine to machine: the promise that the same spec gives the same tables ends here."
)


@dataclass(frozen=True, slots=True)
class Section:
    """A table and its curves."""

    table: Table
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison.

    `metric` explains the numbers, `legend` the marks that occur, a sentence each. `timings` are the tables of
    times, none unless the spec asks for them. `missing` counts the cells that were not run; `unfinished`
    lists the others without a result: a title, and names with reasons. `settings` are the fields that all
    cells share, `command` repeats the report.
    """

    title: str
    description: str
    rows: str
    columns: str
    metric: str
    legend: tuple[str, ...]
    cells: int
    missing: int
    sections: tuple[Section, ...]
    timings: tuple[Table, ...]
    unfinished: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    settings: Table
    command: str
    numerics: str
    spec_text: str


def make_report(
    spec: Spec,
    experiments: Sequence[Experiment],
    results: Mapping[Experiment, Result],
    impossible: Mapping[Experiment, str],
    command: str,
    numerics: str = NUMERICS,
) -> Report:
    """Return the report on `experiments`, those of the spec or some of them. Pure."""
    names = varying(experiments) or ("rule",)
    rows, columns = spec.report.rows, spec.report.columns
    parts = splits(experiments, rows, columns)
    known = [results[each] for each in experiments if each in results]
    lists = (
        ("Not possible", _reasons(impossible, names)),
        ("Crashed", _crashes(experiments, results, names)),
    )
    return Report(
        title=spec.title,
        description=spec.description.strip(),
        rows=rows,
        columns=columns,
        metric=_metric(spec.report.last, len({each.seed for each in experiments})),
        legend=_legend(columns, any(len(each.columns) > 1 for each in parts), known),
        cells=len(experiments),
        missing=sum(each not in results and each not in impossible for each in experiments),
        sections=tuple(
            Section(
                accuracy_table(split, rows, results, impossible, spec.report.last),
                tuple(curve for column in split.columns for curve in curves(split, column, results)),
            )
            for split in parts
        ),
        timings=tuple(timing_table(split, (rows, columns), results) for split in parts if spec.report.timing),
        unfinished=tuple((title, each) for title, each in lists if each),
        settings=_settings(experiments[0], names),
        command=command,
        numerics=numerics,
        spec_text=spec.text.rstrip(),
    )


def _metric(last: int, seeds: int) -> str:
    when = "at the end" if last == 1 else f"as the mean of the last {last} evaluations"
    many = f"the mean over {seeds} seeds, ± half of its 95 % confidence interval (Student's t)"
    return f"Accuracy on held-out data in per cent, {when}: {many if seeds > 1 else 'of one seed'}."


def _legend(columns: str, has_worst: bool, results: Sequence[Result]) -> tuple[str, ...]:
    diverged = any(isinstance(each, Outcome) and each.diverged is not None for each in results)
    sentences = {
        f"Worst: the least mean over all values of {columns}, which one in parentheses.": has_worst,
        "†k: k runs diverged and count as chance.": diverged,
        "‡k: k runs crashed and do not count.": any(isinstance(each, Failure) for each in results),
    }
    return tuple(sentence for sentence, applies in sentences.items() if applies)


def _settings(experiment: Experiment, varied: Sequence[str]) -> Table:
    fixed = [name for name in FIELDS if name not in varied and getattr(experiment, name) is not None]
    rows = tuple(TableRow((name, value_text(experiment, name)), ()) for name in fixed)
    return Table("", ("field", "value"), (), rows)


def _reasons(impossible: Mapping[Experiment, str], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return each cell and its reason once, because an impossible cell is impossible for any seed."""
    kept = [name for name in names if name != "seed"]
    return tuple({label(each, kept): reason for each, reason in impossible.items()}.items())


def _crashes(
    experiments: Sequence[Experiment], results: Mapping[Experiment, Result], names: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    found = ((each, results.get(each)) for each in experiments)
    return tuple((label(each, names), result.reason) for each, result in found if isinstance(result, Failure))
