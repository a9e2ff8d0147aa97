"""The tasks that a name stands for: our own, those of installed packages, those registered by hand.

A task is named by `module:attribute`, imported only when it is asked for. The attribute is called
without arguments and returns a `Recipe`. Another package offers one by an entry point:

    [project.entry-points."btard.tasks"]
    my-task = "my_package.task:my_task"
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

from btard.errors import ConfigurationError
from btard.training.recipe import Recipe

ENTRY_POINT_GROUP = "btard.tasks"

TASKS: dict[str, str] = {
    "cifar10": "btard.training.tasks.cifar10:cifar10",
    "digits": "btard.training.tasks.digits:digits",
    "mnist": "btard.training.tasks.mnist:mnist",
}
"""Name -> `module:attribute` of a function that returns the recipe."""


def register(name: str, target: str) -> None:
    """Let `name` stand for `module:attribute`; a name that is taken is refused."""
    if name in known_tasks() and TASKS.get(name) != target:
        raise ConfigurationError(f"a task named {name!r} exists already: choose another name")
    if target.count(":") != 1:
        raise ConfigurationError(f"{target!r} does not name a task: write it as module:attribute")
    TASKS[name] = target


def known_tasks() -> tuple[str, ...]:
    """The names that `load_recipe` takes, sorted."""
    return tuple(sorted({*TASKS, *entry_points(group=ENTRY_POINT_GROUP).names}))


def load_recipe(name: str) -> Recipe:
    """The recipe of a task. Raises ConfigurationError with the known names where there is none."""
    target = TASKS.get(name)
    if target is None:
        offered = entry_points(group=ENTRY_POINT_GROUP, name=name)
        if not offered:
            raise ConfigurationError(f"there is no task {name!r}: choose one of {', '.join(known_tasks())}")
        target = next(iter(offered)).value
    module, _, attribute = target.partition(":")
    factory = cast(Callable[[], Recipe], getattr(importlib.import_module(module), attribute))
    return factory()
