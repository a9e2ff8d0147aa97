"""Writes `protocols/vectors/update.json`: run `python protocols/vectors/make_update.py`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from btard.training.optimizers import (
    LAMB,
    SGD,
    AdamW,
    Constant,
    Decay,
    PortableOptimizer,
    RestartedSGD,
    Schedule,
    Vectors,
    WarmupCosine,
    WarmupLinear,
)
from btard.training.optimizers.arithmetic import Floats, norm, power
from btard.training.probe import probe
from btard.training.sampling import normal, uniform

FILE = Path(__file__).parent / "update.json"
COMMAND = "python protocols/vectors/make_update.py"

SEED = bytes(range(32))
TENSORS = (("layer.weight", 5), ("layer.bias", 3))
SCHEDULES: tuple[Schedule, ...] = (
    Constant(),
    WarmupLinear(warmup=3, total=9),
    WarmupCosine(total=10, warmup=2, floor=0.1),
    Decay(rate=0.9, every=2),
)
OPTIMIZERS: tuple[PortableOptimizer, ...] = (
    SGD(learning_rate=0.1),
    SGD(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, max_norm=0.5),
    AdamW(learning_rate=0.001, weight_decay=0.01, groups=(("*bias", 0.0),)),
    RestartedSGD(learning_rate=0.1, stages=((2, 1.0), (2, 0.5)), weight_decay=0.01),
    LAMB(learning_rate=0.00176, weight_decay=0.01, schedule=WarmupLinear(warmup=2, total=9)),
)


def floats(vector: Floats) -> list[str]:
    """Each float32 as the 8 hexadecimal digits of its bits."""
    return [f"{bits:08x}" for bits in vector.view(np.uint32).tolist()]


def updates(optimizer: PortableOptimizer) -> dict[str, Any]:
    """The state after each of three updates."""
    size = sum(count for _, count in TENSORS)
    drawn = [normal(SEED, f"vector {k}", size, 0.5).numpy() for k in range(4)]
    # One number whose square is subnormal, one that vanishes when it is squared, one that overflows.
    drawn[1][:3] = (1e-20, 1e-30, 1e20)
    parameters, *gradients = drawn
    old, new = (
        Vectors(parameters.copy(), tuple(np.zeros_like(parameters) for _ in optimizer.slots))
        for _ in range(2)
    )
    after = []
    for count, gradient in enumerate(gradients):
        optimizer.update(count, old, gradient, new, optimizer.segments(TENSORS))
        old, new = new, old
        moments = dict(zip(optimizer.slots, map(floats, old.moments), strict=True))
        after.append({"parameters": floats(old.parameters), **moments})
    return {
        **named(optimizer),
        "parameters": floats(parameters),
        "gradients": [floats(gradient) for gradient in gradients],
        "after": after,
    }


def named(thing: Any) -> dict[str, Any]:
    """The name and the arguments of an optimizer or a schedule."""
    arguments = asdict(thing)
    if isinstance(thing, PortableOptimizer):
        arguments["schedule"] = named(thing.schedule)
    return {"name": type(thing).__name__, "arguments": arguments}


def text() -> str:
    """The text of the file."""
    content = {
        "about": f"Made by `{COMMAND}`. A float32 is the 8 hexadecimal digits of its bits, a float64 is "
        "written as C's %a writes it. Tensors are [name, coordinates], in the order of the vector.",
        "powers": [
            {"base": base, "exponent": exponent, "power": power(base, exponent).hex()}
            for base, exponent in ((0.9, 0), (0.9, 1), (0.999, 7), (0.999, 125_000))
        ],
        "schedules": [
            {**named(each), "factors": [float(each.factor(count)).hex() for count in range(11)]}
            for each in SCHEDULES
        ],
        "norms": [
            {
                "seed": SEED.hex(),
                "domain": "norm",
                "size": size,
                "norm of uniform": norm(uniform(SEED, "norm", size).numpy()).hex(),
            }
            for size in (1, 1024, 1500, 32768, 70_001)
        ],
        "normal": [
            {
                "seed": SEED.hex(),
                "domain": "normal",
                "std": 0.02,
                "truncated": truncated,
                "numbers": floats(normal(SEED, "normal", 12, 0.02, truncated).numpy()),
            }
            for truncated in (False, True)
        ],
        "tensors": TENSORS,
        "updates": [updates(optimizer) for optimizer in OPTIMIZERS],
        "probe": probe().hex(),
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(FILE.relative_to(FILE.parents[2]))
