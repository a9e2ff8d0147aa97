"""Where each experiment stands in the report: which table, which row, which column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btard.arena.cell import value_text, varying
from btard.lab import Experiment


@dataclass(frozen=True, slots=True)
class Split:
    """The experiments of one table.

    `name` says in which fields they differ from other tables' ("byzantine = 8, estimator = mu2"), empty if
    there is one table. `rows` and `columns` are values as text, in the order of the spec; `runs` has the
    seeds of each (row, column) that the grid fills.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    runs: Mapping[tuple[str, str], tuple[Experiment, ...]]


def splits(experiments: Sequence[Experiment], rows: str, columns: str) -> tuple[Split, ...]:
    """Split by the fields that vary, except `rows`, `columns` and the seed, in the order of the grid."""
    others = [name for name in varying(experiments) if name not in (rows, columns, "seed")]
    groups: dict[str, dict[tuple[str, str], tuple[Experiment, ...]]] = {}
    for each in experiments:
        name = ", ".join(f"{other} = {value_text(each, other)}" for other in others)
        place = (value_text(each, rows), value_text(each, columns))
        runs = groups.setdefault(name, {})
        runs[place] = (*runs.get(place, ()), each)
    return tuple(
        Split(name, tuple(dict.fromkeys(r for r, _ in runs)), tuple(dict.fromkeys(c for _, c in runs)), runs)
        for name, runs in groups.items()
    )
