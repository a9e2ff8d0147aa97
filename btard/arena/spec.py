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

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

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
    last: Annotated[int, Field(ge=1)] = 1
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
        return unique(_experiment(self.base | cell) for cell in self._combinations())

    def _combinations(self) -> Iterator[dict[str, Any]]:
        for more in self.grids or [{}]:
            axes = self.grid | more
            yield from (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


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
    chosen = tuple(
        each for each in every if all(value_text(each, name) in values for name, values in wanted.items())
    )
    if not chosen:
        raise ConfigurationError(f"no cell meets {' and '.join(conditions)}: choose others")
    return chosen


def _check(spec: Spec) -> None:
    """Refuse fields that do not exist, stand in two places, or leave the grid without a cell."""
    sections = [("base", spec.base), ("grid", spec.grid), *(("grids", more) for more in spec.grids)]
    for section, values in sections:
        for name, value in values.items():
            if name not in FIELDS:
                raise ConfigurationError(f"there is no field {section}.{name}: choose of {', '.join(FIELDS)}")
            if section != "base" and not value:
                raise ConfigurationError(f"{section}.{name} is an empty list: give at least one value")
    _refuse_twice("base", spec.base, "grid", spec.grid)
    for more in spec.grids:
        _refuse_twice("base", spec.base, "grids", more)
        _refuse_twice("grid", spec.grid, "grids", more)
    rows, columns = spec.report.rows, spec.report.columns
    for key, name in (("rows", rows), ("columns", columns)):
        if name not in FIELDS or name == "seed":
            fields = ", ".join(each for each in FIELDS if each != "seed")
            raise ConfigurationError(f"report.{key} is {name!r}: choose of {fields}")
    if rows == columns:
        raise ConfigurationError(f"report.rows and report.columns are both {rows!r}: choose two fields")
    cells = sum(prod(map(len, (spec.grid | more).values())) for more in spec.grids or [{}])
    if cells > CELLS_MAX:
        raise ConfigurationError(f"the grid has {cells} cells: leave at most {CELLS_MAX}")


def _refuse_twice(one: str, first: Mapping[str, Any], other: str, second: Mapping[str, Any]) -> None:
    if both := sorted(first.keys() & second.keys()):
        raise ConfigurationError(f"{both[0]} stands in [{one}] and in [{other}]: keep one of them")


def _experiment(values: Mapping[str, Any]) -> Experiment:
    try:
        return Experiment(**_FIELDS(**values).model_dump(exclude_unset=True))
    except ValidationError as error:
        raise ConfigurationError(first_error(error)) from None
