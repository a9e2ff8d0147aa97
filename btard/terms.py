"""Things named in text, with arguments: "alie(z=1.5)", "nnm+ctma+median", "bucketing(s=2, seed=7)+mean".

Command lines and configuration files name rules, attacks, adversaries and estimators so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from btard.errors import ConfigurationError

_TERM = re.compile(r"\s*([a-z_0-9]+)\s*(?:\(([^()]*)\))?\s*")
_SEPARATOR = re.compile(r"\+(?![^(]*\))")

Made = TypeVar("Made")
Named = TypeVar("Named")


@dataclass(frozen=True, slots=True)
class Term:
    """A name and the arguments behind it: "alie(z=1.5)" is Term("alie", {"z": 1.5})."""

    name: str
    arguments: Mapping[str, object]


def parse_terms(text: str) -> tuple[Term, ...]:
    """Return the terms of `text`, separated by "+". Values are whole numbers, numbers, true, false, or words.

    Raises ConfigurationError if `text` is written otherwise.
    """
    return tuple(parse_term(part) for part in _SEPARATOR.split(text))


def parse_term(text: str) -> Term:
    """Return the one term that `text` is. Raises ConfigurationError if it is anything else."""
    match = _TERM.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{text.strip()!r} cannot be read: write name or name(argument=value, ...)")
    arguments: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in (match[2] or "").split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value or name in arguments:
            raise ConfigurationError(f"{part!r} is not an argument: write name=value, each name once")
        arguments[name] = _value(value)
    return Term(match[1], arguments)


def find(name: str, table: Mapping[str, Named], what: str) -> Named:
    """Return what `table` has under `name`. Raises ConfigurationError, with the names that it has."""
    if name not in table:
        raise ConfigurationError(f"{name!r} is not {what}: choose of {', '.join(table)}")
    return table[name]


def parameters(kind: type) -> dict[str, Any]:
    """Return the arguments that a dataclass takes, with their types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def check(term: Term, writable: Mapping[str, Any]) -> None:
    """Refuse arguments that `writable` (name -> type) lacks, or of another type, by ConfigurationError."""
    for name, value in term.arguments.items():
        if name not in writable:
            known = f"choose of {', '.join(writable)}" if writable else "it takes none"
            raise ConfigurationError(f"{term.name!r} has no argument {name!r}: {known}")
        if not _fits(value, writable[name]):
            raise ConfigurationError(
                f"{name} = {value!r} of {term.name!r} is of the wrong type: give {_wanted(writable[name])}"
            )


def make(term: Term, table: Mapping[str, type[Made]], what: str, **given: object) -> Made:
    """Return the dataclass that `table` has under the term's name, of the term's arguments and those `given`.

    `given` also says which arguments a person cannot write. Raises ConfigurationError, with what there
    is, for an unknown name or argument; `what` names the table's kind, as in "a rule".
    """
    kind = find(term.name, table, what)
    writable = {name: hint for name, hint in parameters(kind).items() if name not in given}
    check(term, writable)
    try:
        return kind(**term.arguments, **given)
    except TypeError:
        raise ConfigurationError(f"{term.name!r} lacks an argument: it takes {', '.join(writable)}") from None


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return type(value) in ((int, float) if hint is float else (hint,))


def _wanted(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    # None cannot be written: an argument that is left out may be None.
    options = [_wanted(option) for option in get_args(hint) if option is not type(None)]
    return " or ".join(options) or getattr(hint, "__name__", str(hint))


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
