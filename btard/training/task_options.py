"""Options of a task: the keyword parameters of the function that makes its recipe.

A parameter annotated `int`, `float`, `bool` or `str` is an option. One named `steps` is none: it gets the
run's length, so that a schedule fits it. Options are part of a run's description, and peers make their recipe
with those of the run that they join: a recipe must be safe to make with any values of its options.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from btard.errors import ConfigurationError

STEPS = "steps"

Value = int | float | bool | str


def read_options(texts: Iterable[str]) -> dict[str, str]:
    """Return name -> value of texts KEY=VALUE. Raises ConfigurationError for another form, or a key twice."""
    options: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigurationError(f"option is {text[:100]!r}: write it as key=value")
        if key in options:
            raise ConfigurationError(f"option {key} is given twice: leave one out")
        options[key] = value
    return options


def make(factory: object, task: str, options: Mapping[str, str], steps: int | None) -> object:
    """Return what `factory` makes with these options, and with the run's length if it takes one.

    Raises ConfigurationError if an option is unknown, missing or malformed, and if the factory refuses them.
    Returns None for a `factory` that cannot be called like this.
    """
    parameters = _parameters(factory)
    if parameters is None or not callable(factory):
        if options:
            raise ConfigurationError(f"task {task!r} takes no options: leave out {', '.join(options)}")
        return None
    known = {each.name: each for each in parameters if each.kind is not None}
    if STEPS in options:
        raise ConfigurationError("option steps is the length of the run: use --steps")
    for key in options:
        if key not in known:
            names = ", ".join(f"{each.name} ({each.kind})" for each in known.values()) or "none"
            raise ConfigurationError(f"task {task!r} has no option {key[:100]!r}: its options are {names}")
    arguments: dict[str, Value] = {key: known[key].read(text) for key, text in options.items()}
    for each in parameters:
        if each.name == STEPS:
            if steps is not None:
                arguments[STEPS] = steps
            elif each.required:
                raise ConfigurationError(f"task {task!r} depends on the length of the run: say --steps")
        elif each.required and each.name not in arguments:
            if each.kind is None:
                return None
            raise ConfigurationError(
                f"task {task!r} needs the option {each.name}: say --option {each.name}={each.kind.upper()}"
            )
    return _call(factory, task, options, arguments)


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One parameter of a factory: `kind` is the name of its type, None if it is no option."""

    name: str
    kind: str | None
    required: bool

    def read(self, text: str) -> Value:
        """Return the value of a text. Raises ConfigurationError if it is not of this kind."""
        if self.kind == "str":
            return text
        if self.kind == "int" and re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            return int(text)
        if self.kind == "float" and re.fullmatch(r"[+-]?[0-9.]{1,30}([eE][+-]?[0-9]{1,3})?", text):
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if math.isfinite(value):
                return value
        if self.kind == "bool" and text in ("true", "false"):
            return text == "true"
        wanted = {"int": "a whole number", "float": "a finite number", "bool": "true or false"}
        raise ConfigurationError(f"option {self.name} is {text[:100]!r}: use {wanted[self.kind or '']}")


def _parameters(factory: object) -> list[_Parameter] | None:
    """Return the parameters that are given by name, None for what has none that are known."""
    if not callable(factory):
        return None
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return None
    found = []
    for name, each in signature.parameters.items():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        required = each.default is each.empty
        # A text under `from __future__ import annotations`, a class without.
        kind = (
            each.annotation if isinstance(each.annotation, str) else getattr(each.annotation, "__name__", "")
        )
        option = kind in ("int", "float", "bool", "str") and name != STEPS
        by_name = each.kind is not each.POSITIONAL_ONLY
        found.append(_Parameter(name, kind if option and by_name else None, required))
    return found


def _call(
    factory: Callable[..., object], task: str, options: Mapping[str, str], arguments: Mapping[str, Value]
) -> object:
    try:
        return factory(**arguments)
    except ConfigurationError:
        raise
    except Exception as error:
        if not options:
            raise
        given = ", ".join(f"{key}={text}" for key, text in options.items())
        raise ConfigurationError(
            f"task {task!r} cannot be made with the options {given[:200]}: {type(error).__name__}: "
            f"{str(error)[:200]}"
        ) from error
