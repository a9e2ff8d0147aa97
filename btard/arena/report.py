"""The report as a value: everything that Markdown, HTML and the terminal show, and nothing that depends on
when or where it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btard.arena.cell import FIELDS, NUMERICS, Crash, Result, label, value_text, varying
from btard.arena.curves import Curve, curves
from btard.arena.layout import splits
from btard.arena.spec import Spec
from btard.arena.table import Table, table
from btard.arena.timing import TimingTable, timing_table
from btard.lab import Experiment


@dataclass(frozen=True, slots=True)
class Panel:
    """The curves under one column."""

    column: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A table, its curves, and its times where the spec asks for them."""

    table: Table
    panels: tuple[Panel, ...]
    timing: TimingTable | None


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison. `settings` are the fields that all cells share, `command` repeats it, `spec_text` is the
    spec; `impossible` and `crashed` name cells and reasons, `missing` counts cells that were not run."""

    title: str
    description: str
    rows: str
    columns: str
    last: int
    seeds: int
    cells: int
    sections: tuple[Section, ...]
    impossible: tuple[tuple[str, str], ...]
    crashed: tuple[tuple[str, str], ...]
    missing: int
    settings: tuple[tuple[str, str], ...]
    command: str
    numerics: str
    spec_text: str

    @property
    def metric(self) -> str:
        """What the numbers are, in a sentence."""
        when = "at the end" if self.last == 1 else f"as the mean of the last {self.last} evaluations"
        spread = ", ± half of its 95 % confidence interval (Student's t)" if self.seeds > 1 else ""
        over = f"the mean over {self.seeds} seeds" if self.seeds > 1 else "of one seed"
        return f"Accuracy on held-out data in per cent, {when}: {over}{spread}."

    @property
    def legend(self) -> tuple[str, ...]:
        """What the marks in the tables mean, those that occur: a sentence each."""
        entries = [e for section in self.sections for row in section.table.rows for e in row.entries]
        marks = [f"Worst: the least mean over all values of {self.columns}, which one in parentheses."]
        marks = marks if any(section.table.has_worst for section in self.sections) else []
        marks += ["†k: k runs diverged and count as chance."] if any(e.diverged for e in entries) else []
        marks += ["‡k: k runs crashed and don't count."] if any(e.crashed for e in entries) else []
        return tuple(marks)

    @property
    def timed(self) -> bool:
        """Whether there are tables of times."""
        return any(section.timing is not None for section in self.sections)


def make_report(
    spec: Spec,
    experiments: Sequence[Experiment],
    results: Mapping[Experiment, Result],
    impossible: Mapping[Experiment, str],
    command: str,
    numerics: str = NUMERICS,
) -> Report:
    """The report on `experiments`, those of the spec or a choice of them. Pure: same results, same report."""
    names = varying(experiments) or ("rule",)
    return Report(
        title=spec.title,
        description=spec.description,
        rows=spec.report.rows,
        columns=spec.report.columns,
        last=spec.report.last,
        seeds=len({each.seed for each in experiments}),
        cells=len(experiments),
        sections=tuple(_sections(spec, experiments, results, impossible)),
        impossible=_without_seeds(impossible, names),
        crashed=tuple(
            (label(each, names), found.reason)
            for each in experiments
            if isinstance(found := results.get(each), Crash)
        ),
        missing=sum(each not in results and each not in impossible for each in experiments),
        settings=tuple(
            (name, value_text(getattr(experiments[0], name)))
            for name in FIELDS
            if name not in names and getattr(experiments[0], name) is not None
        ),
        command=command,
        numerics=numerics,
        spec_text=spec.text,
    )


def _sections(
    spec: Spec,
    experiments: Sequence[Experiment],
    results: Mapping[Experiment, Result],
    impossible: Mapping[Experiment, str],
) -> list[Section]:
    return [
        Section(
            table(split, results, impossible, spec.report.last),
            tuple(Panel(column, curves(split, column, results)) for column in split.columns),
            timing_table(split, results) if spec.report.timing else None,
        )
        for split in splits(experiments, spec.report.rows, spec.report.columns)
    ]


def _without_seeds(impossible: Mapping[Experiment, str], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each cell and its reason once: what cannot be cannot be for any seed."""
    kept = [name for name in names if name != "seed"]
    return tuple({label(each, kept): reason for each, reason in impossible.items()}.items())
