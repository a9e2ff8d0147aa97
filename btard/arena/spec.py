"""The spec of a grid: TOML text -> a validated value -> its experiments.

title = "..."                the title of the report
description = "..."          a paragraph under the title
impossible = "refuse"        or "skip": list impossible cells in the report, with their reason
[base]                       fields of Experiment that all cells share
[grid]                       a list for each field: every combination is a cell
[[grids]]                    more lists; the grid is combined with each of these in turn, so that values
                             that belong together (an estimator, its learning rate) stand in one
[report]
rows = "rule"                the field down the table
columns = "attack"           the field across it; every other field that varies, but the seed, splits tables
last = 1                     accuracy is the mean of this many last evaluations
timing = false               a second table: milliseconds a step, decode errors
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, create_model

from btard.arena.cell import FIELDS, unique, value_text
from btard.errors import ConfigurationError, first_error
from btard.lab import Experiment
from btard.resources import Shipped, parse_toml, read_text

SPECS = Shipped("spec", "arena/specs", "examples/arena")
"""The specs that come with btard."""

CELLS_MAX = 100_000
"""Upper bound on the cells of a grid; a larger one is a slip of the pen that would run for weeks."""

# Experiment's fields with their types. Defaults are left to Experiment.
_FIELDS: Any = create_model(
    "Fields",
    __config__=ConfigDict(strict=True, extra="forbid"),
    **{name: (hint, None) for name, hint in get_type_hints(Experiment).items()},  # type: ignore[call-overload]
)


class ReportSection(BaseModel):
    """`[report]`: the fields of rows and columns, and which accuracy counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: str = "rule"
    columns: str = "attack"
    last: PositiveInt = 1
    timing: bool = False


class Spec(BaseModel):
    """A spec as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    impossible: Literal["refuse", "skip"] = "refuse"
    base: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    grids: list[dict[str, list[Any]]] = []
    report: ReportSection = ReportSection()
    _text: str = ""

    @property
    def text(self) -> str:
        """Its TOML."""
        return self._text

    def experiments(self) -> tuple[Experiment, ...]:
        """Return every cell once: products in the order of the lists, the last list fastest.

        Raises ConfigurationError if a combination is not an experiment.
        """
        return unique(
            _experiment(self.base | dict(zip(axes, values, strict=True)))
            for axes in self._axes()
            for values in product(*axes.values())
        )

    def _axes(self) -> list[dict[str, list[Any]]]:
        return [self.grid | more for more in self.grids or [{}]]


def read_spec(path: Path) -> Spec:
    """Return the spec in a file. Raises ConfigurationError, in one sentence, if it is not a valid one."""
    text = read_text(path, "spec")
    try:
        return parse_spec(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"the spec {path} is wrong: {error}") from None


def parse_spec(text: str) -> Spec:
    """Return the spec that TOML text describes. Raises ConfigurationError if it is not a valid one."""
    try:
        spec = Spec.model_validate(parse_toml(text))
    except ValidationError as error:
        section = ReportSection if error.errors()[0]["loc"][0] == "report" else Spec
        raise ConfigurationError(first_error(error, section.model_fields)) from None
    _check(spec)
    spec._text = text
    return spec


def choose(experiments: Iterable[Experiment], conditions: Iterable[str]) -> tuple[Experiment, ...]:
    """Return the experiments that meet all `conditions`, written field=value; several of a field allow each.

    Raises ConfigurationError if one is written otherwise, or no experiment meets them.
    """
    wanted: dict[str, set[str]] = {}
    for condition in conditions:
        name, _, value = (part.strip() for part in condition.partition("="))
        if name not in FIELDS or not value:
            raise ConfigurationError(
                f"{condition!r} chooses nothing: write field=value, the field one of {', '.join(FIELDS)}"
            )
        wanted.setdefault(name, set()).add(value)
    every = tuple(experiments)
    for name, values in wanted.items():
        known = list(dict.fromkeys(value_text(each, name) for each in every))
        if unknown := sorted(values.difference(known)):
            raise ConfigurationError(f"no cell has {name}={unknown[0]}: choose of {', '.join(sorted(known))}")
    meets = wanted.items()
    chosen = tuple(each for each in every if all(value_text(each, name) in values for name, values in meets))
    if not chosen:
        raise ConfigurationError(f"no cell meets {' and '.join(conditions)}: choose others")
    return chosen


def _check(spec: Spec) -> None:
    """Refuse fields that do not exist, stand in two places, or leave the grid without a cell."""
    for more in spec.grids or [{}]:
        sections: dict[str, dict[str, Any]] = {"base": spec.base, "grid": spec.grid, "grids": more}
        for section, values in sections.items():
            for name, value in values.items():
                if name not in FIELDS:
                    known = ", ".join(FIELDS)
                    raise ConfigurationError(f"there is no field {section}.{name}: choose of {known}")
                if section != "base" and not value:
                    raise ConfigurationError(f"{section}.{name} is an empty list: give at least one value")
        for one, other in combinations(sections, 2):
            if both := sorted(sections[one].keys() & sections[other].keys()):
                raise ConfigurationError(f"{both[0]} stands in [{one}] and in [{other}]: keep one of them")
    rows, columns = spec.report.rows, spec.report.columns
    fields = [each for each in FIELDS if each != "seed"]
    for key, name in (("rows", rows), ("columns", columns)):
        if name not in fields:
            raise ConfigurationError(f"report.{key} is {name!r}: choose of {', '.join(fields)}")
    if rows == columns:
        raise ConfigurationError(f"report.rows and report.columns are both {rows!r}: choose two fields")
    cells = sum(prod(map(len, axes.values())) for axes in spec._axes())
    if cells > CELLS_MAX:
        raise ConfigurationError(f"the grid has {cells} cells: leave at most {CELLS_MAX}")


def _experiment(values: Mapping[str, Any]) -> Experiment:
    try:
        return Experiment(**_FIELDS(**values).model_dump(exclude_unset=True))
    except ValidationError as error:
        raise ConfigurationError(first_error(error)) from None
