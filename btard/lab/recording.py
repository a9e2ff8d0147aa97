"""Gradients of public seeds on one machine, recorded for comparison with those of another machine.

Both compute the same gradients at the same models: at x_0, and at the x_S of the machine that recorded first.
Gradients are kept as sketches.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from btard.crypto import digest
from btard.errors import ConfigurationError, RunMismatchError
from btard.lab.sketch import SIZE, Sketch, sketch
from btard.training import BlobStore, Engine, Recipe
from btard.training.start import describe_start
from btard.types import Digest

SEED = digest("measured model")
"""The seed of x_0, of the sketches' signs and of all batches: public and the same for everybody."""

GRADIENTS_MAX = 1000
STEPS_MAX = 100_000

Progress = Callable[[int, int], None]
"""Called with gradients done and all."""


@dataclass(frozen=True, slots=True)
class Gradients:
    """Gradients of the seeds 0, 1, ... at the model of `step`: `sketches` (G, SIZE) and `norms` (G,)."""

    step: int
    sketches: Sketch
    norms: Sketch


@dataclass(frozen=True, slots=True)
class Recording:
    """What a machine computed. `described` has what must be alike between two recordings, `machine` what may
    differ; `parameters` is x_S (d,), float32, None if S = 0."""

    described: Mapping[str, str]
    machine: Mapping[str, str]
    at: tuple[Gradients, ...]
    parameters: Tensor | None

    @property
    def steps(self) -> int:
        """S."""
        return self.at[-1].step


def record(
    recipe: Recipe,
    gradients: int,
    steps: int,
    device: str = "cpu",
    against: Recording | None = None,
    progress: Progress = lambda done, of: None,
) -> Recording:
    """Compute `gradients` gradients at x_0, and as many after `steps` steps of a lone seat if that is not 0.

    With `against`, as many as there, at the same models. Raises RunMismatchError if this machine's task is
    not that of `against`, ConfigurationError for impossible numbers, missing data, or a gradient of length 0.
    """
    described = {**recipe.describe(), **describe_start(recipe, SEED)}
    if against is not None:
        if differing := [name for name in described if described[name] != against.described.get(name)]:
            raise RunMismatchError(
                f"the other machine's file is of another task: {', '.join(differing)} differ; use the same "
                "versions of task, data and libraries on both"
            )
        gradients, steps = len(against.at[0].norms), against.steps
    _check(gradients, steps)
    engine = Engine(recipe, BlobStore(capacity_bytes=1), SEED, device)
    total = gradients * (2 if steps else 1) + (0 if against is not None else steps)
    done = 0

    def told(count: int = 1) -> None:
        nonlocal done
        done += count
        progress(done, total)

    def measured(step: int, parameters: Tensor) -> Gradients:
        sketches, norms = np.zeros((gradients, SIZE)), np.zeros(gradients)
        for k in range(gradients):
            gradient = engine.bench.gradient(parameters, _seed("measured gradient", k))
            sketches[k], norms[k] = sketch(gradient, SEED), float(gradient.double().norm())
            told()
        if not norms.all():
            raise ConfigurationError(
                f"a gradient of step {step} has no length, so it was not finite: use fewer steps"
            )
        return Gradients(step, sketches, norms)

    parameters = None if against is None else against.parameters
    if parameters is not None and len(parameters) != engine.dimension:
        raise RunMismatchError("the other machine's file is of a model of another size: ask for another file")
    at = [measured(0, engine.parameters)]
    if steps:
        if parameters is None:
            parameters = _trained(engine, steps, told)
        at.append(measured(steps, parameters))
    return Recording(described, describe_machine(device), tuple(at), parameters)


def _trained(engine: Engine, steps: int, told: Callable[[], None]) -> Tensor:
    """Return the parameters after so many steps, each of one gradient of a seat's size."""
    for step in range(steps):
        names = engine.gradient(step, _seed("measured step", step), 1)
        engine.update(step, names)
        engine.adopt(step)
        told()
    return engine.parameters


def _seed(domain: str, number: int) -> Digest:
    return digest(domain, number.to_bytes(8, "little"))


def _check(gradients: int, steps: int) -> None:
    if not 1 <= gradients <= GRADIENTS_MAX:
        raise ConfigurationError(f"gradients is {gradients}: use 1 to {GRADIENTS_MAX}")
    if not 0 <= steps <= STEPS_MAX:
        raise ConfigurationError(f"steps is {steps}: use 0 to {STEPS_MAX}")


def differences(mine: Recording, theirs: Recording) -> dict[int, list[float]]:
    """Return |g - g'| / |g|, g the longer one, of each gradient, ascending, by step."""
    result = {}
    for here, there in zip(mine.at, theirs.at, strict=True):
        lengths = np.linalg.norm(here.sketches - there.sketches, axis=1)
        result[here.step] = sorted((lengths / np.maximum(here.norms, there.norms)).tolist())
    return result


def describe_machine(device: str) -> dict[str, str]:
    """Return what a gradient's last bits may depend on, as text: processor, libraries, threads, settings."""
    said = {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "processor": _processor(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
    }
    settings = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
    said |= {name: os.environ[name] for name in settings if name in os.environ}
    return said


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
