"""Things of code in text, so that a run's description can name them: no function's address, no lambda."""

from __future__ import annotations

import functools
import sys
from dataclasses import fields, is_dataclass

from btard.errors import ConfigurationError


def spell(value: object) -> str:
    """Return the text of a plain value, a dataclass, a function or class of a module, or a partial of one.

    Raises ConfigurationError for what has no text that is the same in every process: a lambda, a function
    defined in another one or in a script, an object of any other class."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(spell, value))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{spell(key)}: {spell(item)}' for key, item in value.items())}}}"
    if isinstance(value, functools.partial):
        arguments = [spell(argument) for argument in value.args]
        arguments += [f"{key}={spell(argument)}" for key, argument in sorted(value.keywords.items())]
        return f"{spell(value.func)}({', '.join(arguments)})"
    if is_dataclass(value) and not isinstance(value, type):
        arguments = [f"{field.name}={spell(getattr(value, field.name))}" for field in fields(value)]
        return f"{_name(type(value))}({', '.join(arguments)})"
    if callable(value):
        return _name(value)
    raise _nameless(repr(value))


def _name(thing: object) -> str:
    """Return the name of a function or class that any process finds under it: its own name if it is ours."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise _nameless(repr(thing))
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not thing or module == "__main__":
        raise _nameless(f"{module}.{name}")
    return name if module.startswith("btard.training.optimizers.") else f"{module}.{name}"


def _nameless(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what[:100]} cannot be described to other peers: use a function or class of an importable module, "
        "with its arguments in functools.partial"
    )
