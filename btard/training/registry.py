"""The tasks by name: our own, those of installed packages, those registered by hand, and import strings.

A task is named by `module:attribute`, imported only when it is asked for. The attribute is a `Recipe`, or is
called without arguments and returns one. Another package offers one by an entry point:

    [project.entry-points."btard.tasks"]
    my-task = "my_package.task:my_task"
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TypeGuard

from btard.errors import ConfigurationError
from btard.training.recipe import Recipe

ENTRY_POINT_GROUP = "btard.tasks"

_IMPORT_STRING = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")

TASKS: dict[str, str] = {
    "albert-large": "btard.training.tasks.albert.recipes:albert_large",
    "albert-tiny": "btard.training.tasks.albert.recipes:albert_tiny",
    "cifar10": "btard.training.tasks.cifar10:cifar10",
    "digits": "btard.training.tasks.digits:digits",
    "mnist": "btard.training.tasks.mnist:mnist",
}
"""Name -> `module:attribute`."""


def register(name: str, target: str) -> None:
    """Let `name` stand for `module:attribute`; a name that is taken is refused."""
    if name in known_tasks() and TASKS.get(name) != target:
        raise ConfigurationError(f"a task named {name!r} exists already: choose another name")
    if target.count(":") != 1:
        raise ConfigurationError(f"{target!r} does not name a task: write it as module:attribute")
    TASKS[name] = target


def known_tasks() -> tuple[str, ...]:
    """Return the names that `load_recipe` takes, sorted."""
    return tuple(sorted({*TASKS, *entry_points(group=ENTRY_POINT_GROUP).names}))


def load_recipe(name: str, *, published: bool = False) -> Recipe:
    """Return the recipe of a task: of a known name, or of an import string `module:attribute`.

    An import string may name a module of the current directory. If the name comes from a run that others have
    `published`, it is followed only if this process has loaded it before, at its own user's wish: a stranger
    could otherwise have any function called.
    Raises ConfigurationError if there is no such task or it cannot be imported.
    """
    offered = entry_points(group=ENTRY_POINT_GROUP, name=name)
    target = TASKS.get(name) or next((entry.value for entry in offered), None)
    if target is not None:
        return _import(name, target)
    if not _IMPORT_STRING.fullmatch(name):
        names = ", ".join(known_tasks())
        raise ConfigurationError(
            f"there is no task {name!r}: choose one of {names}, or write module:attribute"
        )
    if published:
        raise ConfigurationError(
            f"the run's task is {name!r}, code of your own machine: say --task {name} if you trust what it "
            "imports"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    recipe = _import(name, name)
    TASKS[name] = name
    return recipe


def _import(name: str, target: str) -> Recipe:
    module, _, attribute = target.partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"task {name!r} needs the module {error.name!r}, which is not here: install it"
        ) from error
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"task {name!r} cannot be imported: {error}") from error
    if not isinstance(found, Recipe) and _takes_nothing(found):
        found = found()
    if not isinstance(found, Recipe):
        raise ConfigurationError(
            f"task {name!r} is not a recipe: name a Recipe or a function without arguments that returns one"
        )
    return found


def _takes_nothing(found: object) -> TypeGuard[Callable[[], object]]:
    try:
        inspect.signature(found).bind()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True
