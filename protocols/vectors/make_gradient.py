"""Writes `protocols/vectors/gradient.json`: run `python protocols/vectors/make_gradient.py`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch

from btard.training.dropout import SeededDropout, reseed
from btard.training.micro_batches import micro_batches
from btard.training.randomness import bernoulli, integers, permutation
from btard.training.tasks.digits import digits

FILE = Path(__file__).parent / "gradient.json"
COMMAND = "python protocols/vectors/make_gradient.py"

SEED = bytes(range(32))
BOUNDS = (1, 10, 2**31, 2**62 + 1)
PROBABILITIES = (0.0, 0.15, 0.5, 1.0)


def dropped() -> list[list[list[float]]]:
    """What two calls each of two dropouts make of ones."""
    model = torch.nn.Sequential(SeededDropout(0.5), SeededDropout(0.75))
    reseed(model, SEED)
    return [[module(torch.ones(12)).tolist() for _ in range(2)] for module in model]


def text() -> str:
    """The text of the file."""
    recipe = replace(digits(), batch_size=12, micro_batch=4)
    content = {
        "about": f"Made by `{COMMAND}`. Seeds are hexadecimal.",
        "seed": SEED.hex(),
        "micro-batches": {
            "batch_size": recipe.batch_size,
            "micro_batch": recipe.micro_batch,
            "seeds": [seed.hex() for seed, _ in micro_batches(recipe, SEED)],
        },
        "integers": [
            {"domain": "batch", "bound": bound, "numbers": integers(SEED, "batch", bound, 8).tolist()}
            for bound in BOUNDS
        ],
        "bernoulli": [
            {
                "domain": "mask",
                "shape": [3, 8],
                "probability": share,
                "mask": bernoulli(SEED, "mask", (3, 8), share).int().tolist(),
            }
            for share in PROBABILITIES
        ],
        "permutation": [
            {"domain": "order", "count": count, "order": permutation(SEED, "order", count).tolist()}
            for count in (1, 2, 17)
        ],
        "dropout": {
            "modules": [{"path": "0", "p": 0.5}, {"path": "1", "p": 0.75}],
            "size": 12,
            "calls": dropped(),
        },
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(FILE.relative_to(FILE.parents[2]))
