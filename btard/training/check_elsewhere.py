"""A gradient of a task in another process, whose libraries use other instructions: `python -m` runs this.

The process stands for another machine. It reads a request in JSON from its standard input, and writes its
answer into the folder that the request names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import btard
from btard.errors import BtardError, ConfigurationError
from btard.training.bench import Bench
from btard.training.check_report import where
from btard.training.recipe import Recipe
from btard.training.registry import load_recipe
from btard.training.start import describe_start
from btard.training.vector import flatten

SEED = bytes(32)
"""The seed of the model that is checked."""

SEEDS = (bytes([1]) * 32, bytes([2]) * 32)
"""The seeds of the batches."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Another machine: its name for people, its number of threads, its settings in the environment."""

    name: str
    threads: int
    settings: Mapping[str, str]


def machines() -> tuple[Machine, ...]:
    """Return the kinds of processor that this one can pretend to be."""
    capability = torch.backends.cpu.get_cpu_capability()
    features = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    plain = {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(features),
    }
    other = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    found = [Machine("ATEN_CPU_CAPABILITY=default", 1, plain)]
    if capability == "AVX512":
        found.append(Machine("ATEN_CPU_CAPABILITY=avx2", 2, other))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What another process found: the digests of what a run starts from, and the gradient of each seed."""

    start: dict[str, str]
    gradients: tuple[Tensor, ...]


def ask(machine: Machine, task: str, options: Mapping[str, str], steps: int | None) -> Elsewhere:
    """Return what a process that stands for `machine` computes. Raises ConfigurationError if it fails."""
    with tempfile.TemporaryDirectory(prefix="btard-check-") as folder:
        request = {
            "task": task,
            "options": dict(options),
            "steps": steps,
            "threads": machine.threads,
            "folder": folder,
        }
        path = os.pathsep.join([str(Path(btard.__file__).parents[1]), *filter(None, sys.path)])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "btard.training.check_elsewhere"],
            input=json.dumps(request),
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "1", **machine.settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise ConfigurationError(f"with {machine.name} the task fails: {words[-1][:300]}")
        start = json.loads((Path(folder) / "start.json").read_text())
        gradients = [
            torch.from_numpy(np.fromfile(Path(folder) / f"{index}", np.float32))
            for index in range(len(SEEDS))
        ]
        return Elsewhere(start, tuple(gradients))


def shortened(recipe: Recipe) -> Recipe:
    """Return the recipe of what is checked: two micro-batches at most, and not clipped."""
    size = min(recipe.batch_size, 2 * (recipe.micro_batch or recipe.batch_size))
    return replace(recipe, batch_size=size, clip=None)


def _answer() -> None:
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    recipe = load_recipe(request["task"], options=request["options"], steps=request["steps"])
    folder = Path(request["folder"])
    (folder / "start.json").write_text(json.dumps(describe_start(recipe, SEED)))
    bench = Bench(shortened(recipe), SEED, torch.device("cpu"))
    vector = flatten([parameter for parameter in bench.module.parameters() if parameter.requires_grad])
    for index, seed in enumerate(SEEDS):
        bench.gradient(vector, seed).numpy().tofile(folder / f"{index}")


if __name__ == "__main__":
    try:
        _answer()
    except BtardError as error:
        sys.exit(str(error))
    except Exception as error:
        sys.exit(where(error))
