"""Where each experiment stands in the report: which table, which row, which column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btard.arena.cell import value_text, varying
from btard.lab import Experiment


@dataclass(frozen=True, slots=True)
class Split:
    """One table's experiments: `fixed` says in which fields it differs from the others.

    `rows` and `columns` are values as text, in the order of the spec; `runs` has the seeds of each place
    that the grid fills.
    """

    fixed: tuple[tuple[str, str], ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    runs: Mapping[tuple[str, str], tuple[Experiment, ...]]

    @property
    def name(self) -> str:
        """What the table is called: "byzantine = 8, estimator = mu2", empty where there is only one."""
        return ", ".join(f"{name} = {value}" for name, value in self.fixed)


def splits(experiments: Sequence[Experiment], rows: str, columns: str) -> tuple[Split, ...]:
    """The experiments by the fields that vary besides `rows`, `columns` and the seed, in the grid's order."""
    others = [name for name in varying(experiments) if name not in (rows, columns, "seed")]
    groups: dict[tuple[str, ...], list[Experiment]] = {}
    for each in experiments:
        groups.setdefault(tuple(_text(each, name) for name in others), []).append(each)
    return tuple(
        _split(tuple(zip(others, values, strict=True)), group, rows, columns)
        for values, group in groups.items()
    )


def _split(fixed: tuple[tuple[str, str], ...], group: list[Experiment], rows: str, columns: str) -> Split:
    runs: dict[tuple[str, str], tuple[Experiment, ...]] = {}
    for each in group:
        place = (_text(each, rows), _text(each, columns))
        runs[place] = (*runs.get(place, ()), each)
    return Split(
        fixed, tuple(dict.fromkeys(row for row, _ in runs)), tuple(dict.fromkeys(c for _, c in runs)), runs
    )


def _text(experiment: Experiment, name: str) -> str:
    return value_text(getattr(experiment, name))
