"""What a run starts from, as digests: the model before the first step, and the data."""

from __future__ import annotations

import torch
from torch import nn

from btard.crypto import digest
from btard.training.determinism import seeded
from btard.training.recipe import Recipe
from btard.training.snapshot import Snapshot
from btard.training.task import Described, Task


def describe_start(recipe: Recipe, seed: bytes) -> dict[str, str]:
    """Return the digests that must agree between peers before the first step, as text: part of the run id.

    "architecture" is of the model's modules, "initial model" of all parameters and buffers of x_0 =
    `task.build(seed)`; "data NAME" is what the task's `fingerprints` has under NAME, if it has any. Builds
    the model, and reads the data. Raises ConfigurationError if the data are missing.
    """
    task = recipe.task
    model = build(task, seed)
    state = {
        **{f"parameter.{name}": parameter for name, parameter in model.named_parameters()},
        **{f"buffer.{name}": buffer for name, buffer in model.named_buffers()},
    }
    trained = ",".join(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    data = task.fingerprints() if isinstance(task, Described) else {}
    return {
        "architecture": digest("architecture", *map(str.encode, _modules(model))).hex(),
        "initial model": Snapshot(trained, state).digest().hex(),
        **{f"data {name}": value for name, value in sorted(data.items())},
    }


def build(task: Task, seed: bytes) -> nn.Module:
    """Return x_0 as the task builds it, on the CPU, with torch's generators set from `seed`."""
    with seeded(seed, torch.device("cpu")):
        return task.build(seed)


def _modules(model: nn.Module) -> list[str]:
    """Return a line for each module: its path, its class, and what torch prints of its arguments."""
    return [
        f"{path} {type(module).__name__}({module.extra_repr()})" for path, module in model.named_modules()
    ]
