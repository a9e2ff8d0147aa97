"""The tasks by name: our own, those of installed packages, those registered by hand, and import strings.

A task is named by `module:attribute`, imported only when it is asked for. The attribute is a `Recipe`, or is
called and returns one; its parameters are the task's options. Another package offers one by an entry point:

    [project.entry-points."btard.tasks"]
    my-task = "my_package.task:my_task"
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType

from btard.errors import ConfigurationError
from btard.training.recipe import Recipe
from btard.training.task_options import make

ENTRY_POINT_GROUP = "btard.tasks"

_IMPORT_STRING = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")

TASKS: dict[str, str] = {
    "albert-large": "btard.training.tasks.albert.recipes:albert_large",
    "albert-tiny": "btard.training.tasks.albert.recipes:albert_tiny",
    "cifar10": "btard.training.tasks.cifar10:cifar10",
    "cifar10-patterns": "btard.training.tasks.cifar10:cifar10_patterns",
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


def load_recipe(
    name: str,
    *,
    options: Mapping[str, str] = MappingProxyType({}),
    steps: int | None = None,
    published: bool = False,
) -> Recipe:
    """Return the recipe of a task: of a known name, or of an import string `module:attribute`.

    A function that makes the recipe gets `options`, and the run's length `steps` if it has a parameter of
    that name (`task_options`). An import string may name a module of the current directory. If the name comes
    from a run that others have `published`, it is followed only if this process has loaded or trusted it
    before, at its own user's wish: a stranger could otherwise have any function called.
    Raises ConfigurationError if there is no such task, it cannot be imported, or its options do not fit.
    """
    found = _find(name, published)
    if not isinstance(found, Recipe) or options:
        found = make(None if isinstance(found, Recipe) else found, name, options, steps)
    if not isinstance(found, Recipe):
        raise _no_recipe(name)
    return found


def trust(name: str) -> None:
    """Import the task of a name, so that a published run may name it. Raises ConfigurationError as
    `load_recipe` does."""
    found = _find(name, published=False)
    if not isinstance(found, Recipe) and not callable(found):
        raise _no_recipe(name)


def _find(name: str, published: bool) -> object:
    """Return what a name stands for: a recipe, or what makes one."""
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
    found = _import(name, name)
    TASKS[name] = name
    return found


def _import(name: str, target: str) -> object:
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
    return found


def _no_recipe(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"task {name!r} is not a recipe: name a Recipe, or a function that returns one and whose parameters "
        "are options (int, float, bool, str) or have defaults"
    )
