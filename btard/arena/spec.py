"""What a spec says: TOML text -> a validated value -> the experiments of its grid.

title = "..."                what the report is called
description = "..."          a paragraph under the title
impossible = "refuse"        or "skip": list cells that cannot be in the report, with their reason
[base]                       fields of Experiment that all cells share
[grid]                       a list a field: every combination
[[grids]]                    more lists; the grid is combined with each of these in turn, so that values
                             which belong together (an estimator, its learning rate) stand in one
[report]
rows = "rule"                the field down the table
columns = "attack"           the field across it; every other field that varies, but the seed, splits tables
last = 1                     accuracy is the mean of this many last evaluations
timing = false               a second table: milliseconds a step, decode errors
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from btard.arena.cell import FIELDS, unique, value_text
from btard.errors import ConfigurationError
from btard.lab import Experiment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SPEC_BYTES_MAX = 1 << 20
CELLS_MAX = 100_000
"""A grid beyond this is a slip of the pen: it would run for weeks."""

# Experiment's fields with their types, and without a default: what is not given is Experiment's to say.
_FIELDS: Any = create_model(
    "Fields",
    __config__=ConfigDict(strict=True, extra="forbid"),
    **{name: (hint, None) for name, hint in get_type_hints(Experiment).items()},  # type: ignore[call-overload]
)


class ReportSection(BaseModel):
    """`[report]`: what goes where, and which accuracy counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: str = "rule"
    columns: str = "attack"
    last: Annotated[int, Field(ge=1)] = 1
    timing: bool = False


class Spec(BaseModel):
    """A spec as it was written; `text` is its TOML."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    impossible: Literal["refuse", "skip"] = "refuse"
    base: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    grids: list[dict[str, list[Any]]] = []
    report: ReportSection = ReportSection()
    text: Annotated[str, Field(exclude=True)] = ""

    def experiments(self) -> tuple[Experiment, ...]:
        """Every cell once: products in the order of the lists, the last list fastest.

        Raises ConfigurationError where a combination is no experiment.
        """
        return unique(_experiment(self.base | cell) for cell in self._combinations())

    def _combinations(self) -> Iterator[dict[str, Any]]:
        for more in self.grids or [{}]:
            axes = self.grid | more
            yield from (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def read_spec(path: Path) -> Spec:
    """The spec in a file. Raises ConfigurationError, in one sentence, on anything that cannot be."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the spec {path} can't be read ({error.strerror}): give a TOML file"
        ) from None
    if len(data) > SPEC_BYTES_MAX:
        raise ConfigurationError(f"the spec {path} is larger than {SPEC_BYTES_MAX} bytes: shorten it")
    try:
        return parse_spec(data.decode())
    except UnicodeDecodeError:
        raise ConfigurationError(f"the spec {path} is not text: give a TOML file in UTF-8") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"the spec {path} is wrong: {error}") from None


def parse_spec(text: str) -> Spec:
    """The spec that TOML text writes. Raises ConfigurationError on anything that cannot be."""
    try:
        spec = Spec.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"it is not TOML: {error}") from None
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from None
    if spec.text:
        raise ConfigurationError(f"text is no key: choose of {', '.join(_keys(Spec))}")
    _check(spec)
    return spec.model_copy(update={"text": text})


def choose(experiments: Iterable[Experiment], conditions: Iterable[str]) -> tuple[Experiment, ...]:
    """The experiments that meet all `conditions`, each written field=value; several of one field allow each.

    Raises ConfigurationError for what is written otherwise, and where nothing is left.
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
        known = list(dict.fromkeys(value_text(getattr(each, name)) for each in every))
        if unknown := sorted(values.difference(known)):
            raise ConfigurationError(f"no cell has {name}={unknown[0]}: choose of {', '.join(sorted(known))}")
    chosen = tuple(
        each
        for each in every
        if all(value_text(getattr(each, name)) in values for name, values in wanted.items())
    )
    if not chosen:
        raise ConfigurationError(f"no cell meets {' and '.join(conditions)}: choose others")
    return chosen


def _check(spec: Spec) -> None:
    """Refuses fields that don't exist, stand in two places, or leave the grid without a cell."""
    sections = [("base", spec.base), ("grid", spec.grid), *(("grids", more) for more in spec.grids)]
    for section, values in sections:
        for name, value in values.items():
            if name not in FIELDS:
                raise ConfigurationError(f"[{section}] has no field {name!r}: choose of {', '.join(FIELDS)}")
            if section != "base" and not value:
                raise ConfigurationError(f"{name} of [{section}] is an empty list: give at least one value")
    _refuse_twice("base", spec.base, "grid", spec.grid)
    for more in spec.grids:
        _refuse_twice("base", spec.base, "grids", more)
        _refuse_twice("grid", spec.grid, "grids", more)
    rows, columns = spec.report.rows, spec.report.columns
    for key, name in (("rows", rows), ("columns", columns)):
        if name not in FIELDS or name == "seed":
            fields = ", ".join(each for each in FIELDS if each != "seed")
            raise ConfigurationError(f"{key} = {name!r} of [report] can't be a table's: choose of {fields}")
    if rows == columns:
        raise ConfigurationError(f"rows and columns of [report] are both {rows!r}: choose two fields")
    if (cells := _size(spec)) > CELLS_MAX:
        raise ConfigurationError(f"the grid has {cells} cells: leave at most {CELLS_MAX}")


def _size(spec: Spec) -> int:
    def combinations(axes: Mapping[str, list[Any]]) -> int:
        size = 1
        for values in axes.values():
            size *= len(values)
        return size

    return sum(combinations(spec.grid | more) for more in spec.grids or [{}])


def _refuse_twice(one: str, first: Mapping[str, Any], other: str, second: Mapping[str, Any]) -> None:
    if both := sorted(first.keys() & second.keys()):
        raise ConfigurationError(f"{both[0]} stands in [{one}] and in [{other}]: keep one of them")


def _experiment(values: Mapping[str, Any]) -> Experiment:
    try:
        return Experiment(**_FIELDS(**values).model_dump(exclude_unset=True))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigurationError(
            f"{first['loc'][0]} = {first['input']!r} cannot be: {_lower(first['msg'])}"
        ) from None


def _keys(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if name != "text"]


def _sentence(error: ValidationError) -> str:
    """The first trouble in words: where, what, and for an unknown key those that there are."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        section = ReportSection if first["loc"][0] == "report" else Spec
        return f"there is no key {where}: choose of {', '.join(_keys(section))}"
    if first["type"] == "missing":
        return f"{where} is missing: give it"
    return f"{where} = {first['input']!r} cannot be: {_lower(first['msg'])}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
