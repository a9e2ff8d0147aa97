"""Writes `protocols/vectors/order.json`: run `python protocols/vectors/make_order.py`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from btard.training.order import BLOCK, SINGLE_BELOW, Order

FILE = Path(__file__).parent / "order.json"
COMMAND = "python protocols/vectors/make_order.py"

SEED = bytes(range(32))
SMALL, LARGE = 12, SINGLE_BELOW + BLOCK + 5


def mixed(dimension: int) -> list[int]:
    """The coordinates of the model in the mixed order."""
    return [int(place) for place in Order(dimension, SEED).mix(torch.arange(dimension).float())]


def text() -> str:
    """The text of the file."""
    large = mixed(LARGE)
    content = {
        "about": f"Made by `{COMMAND}`. The coordinates of a model in the mixed order, a whole one and the "
        "ends of one with blocks; the BLAKE2b-256 is of all the latter's coordinates, 4 bytes each, "
        "little-endian.",
        "seed": SEED.hex(),
        "dimension": SMALL,
        "mixed": mixed(SMALL),
        "large dimension": LARGE,
        "large first": large[: 2 * BLOCK],
        "large last": large[-2 * BLOCK :],
        "large blake2b": hashlib.blake2b(
            b"".join(place.to_bytes(4, "little") for place in large), digest_size=32
        ).hexdigest(),
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(FILE.relative_to(FILE.parents[2]))
