"""Things named in text, with arguments: "alie(z=1.5)", "nnm+ctma+median", "bucketing(s=2, seed=7)+mean".

Command lines and configuration files choose rules, attacks and estimators in this form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from btard.errors import ConfigurationError

_TERM = re.compile(r"\s*([a-z_0-9]+)\s*(?:\(([^()]*)\))?\s*")
_SEPARATOR = re.compile(r"\+(?![^(]*\))")

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Term:
    """A name and the arguments behind it: "alie(z=1.5)" is Term("alie", {"z": 1.5})."""

    name: str
    arguments: Mapping[str, object]


def parse_terms(text: str) -> tuple[Term, ...]:
    """Read the terms of `text`, separated by "+". Values are whole numbers, numbers, true, false, or words.

    Raises ConfigurationError if `text` has another form.
    """
    return tuple(_term(part) for part in _SEPARATOR.split(text))


def make(term: Term, table: Mapping[str, type[Made]], what: str, **given: object) -> Made:
    """Make the dataclass that `table` has under the name of the term, of its arguments and those `given`.

    A person cannot write the arguments that are `given`. Raises ConfigurationError, with the choices, for
    an unknown name or argument. `what` names the kind of the table, as in "a rule".
    """
    kind: Any = table.get(term.name)
    if kind is None:
        raise ConfigurationError(f"{term.name!r} is not {what}: choose of {', '.join(table)}")
    hints = get_type_hints(kind)
    writable = {f.name: hints[f.name] for f in fields(kind) if f.init and f.name not in given}
    for name, value in term.arguments.items():
        if name not in writable:
            known = f"choose of {', '.join(writable)}" if writable else "it takes none"
            raise ConfigurationError(f"{term.name!r} has no argument {name!r}: {known}")
        if not _fits(value, writable[name]):
            wanted = getattr(writable[name], "__name__", str(writable[name]))
            raise ConfigurationError(
                f"{name} = {value!r} of {term.name!r} is of the wrong type: give {wanted}"
            )
    try:
        made: Made = kind(**term.arguments, **given)
    except TypeError:
        raise ConfigurationError(f"{term.name!r} lacks an argument: it takes {', '.join(writable)}") from None
    return made


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return type(value) in ((int, float) if hint is float else (hint,))


def _term(text: str) -> Term:
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


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
