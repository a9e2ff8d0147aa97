"""A cell of the grid: one experiment, its key, and its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Final, TypeAlias

from btard import __version__
from btard.lab import Experiment, Outcome
from btard.pool import Failure

NUMERICS: Final = f"btard {__version__}, numerics 3"
"""Results under another tag are not taken for this version's. Raise the last number with every change of the
laboratory, a rule, an attack or an estimator after which an experiment has another outcome."""

FIELDS: Final = tuple(f.name for f in fields(Experiment))
"""The names of an experiment's fields, in their order."""

Result: TypeAlias = Outcome | Failure


def digest_of(experiment: Experiment) -> str:
    """Return the experiment's key: SHA-256 in hex of its JSON, names sorted, floats shortest and exact."""
    values = asdict(experiment)
    # 1 and 1.0 are the same learning rate.
    values |= {f.name: float(values[f.name]) for f in fields(Experiment) if f.type == "float"}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def unique(experiments: Iterable[Experiment]) -> tuple[Experiment, ...]:
    """Return each experiment once, in the order of first appearance."""
    return tuple({digest_of(each): each for each in experiments}.values())


def varying(experiments: Iterable[Experiment]) -> tuple[str, ...]:
    """Return the fields in which the experiments differ, in the order of `FIELDS`."""
    every = tuple(experiments)
    return tuple(name for name in FIELDS if len({getattr(each, name) for each in every}) > 1)


def value_text(experiment: Experiment, name: str) -> str:
    """Return the value of a field as a spec writes it."""
    value = getattr(experiment, name)
    return str(value).lower() if isinstance(value, bool) else str(value)


def label(experiment: Experiment, names: Iterable[str]) -> str:
    """Return the fields `names` of the experiment: "rule=median attack=alie seed=0"."""
    return " ".join(f"{name}={value_text(experiment, name)}" for name in names)
