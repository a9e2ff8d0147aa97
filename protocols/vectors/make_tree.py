"""Writes `protocols/vectors/tree.json`: run `python protocols/vectors/make_tree.py`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from btard.crypto import keystream
from btard.training.snapshot import Snapshot
from btard.training.tree import CHUNK_BYTES

FILE = Path(__file__).parent / "tree.json"
COMMAND = "python protocols/vectors/make_tree.py"

SEED = bytes(range(32))
SETTINGS = '{"optimizer":"SGD(learning_rate=0.1)","updates":7}'
SHAPES = {
    "model.wide": (CHUNK_BYTES // 8 + 3, 2),
    "model.even": (CHUNK_BYTES // 4,),
    "model.one": (),
    "optimizer.one/momentum_buffer": (),
}


def tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor of a name: bytes of the keystream, whatever numbers they are."""
    octets = bytearray(keystream(SEED, f"tensor {name}", 4 * math.prod(shape)))
    return torch.from_numpy(np.frombuffer(octets, "<f4")).view(shape)


def text() -> str:
    """The text of the file."""
    tree = Snapshot(SETTINGS, {name: tensor(name, shape) for name, shape in SHAPES.items()}).tree()
    content = {
        "about": f"Made by `{COMMAND}`. The bytes of tensor NAME are the first of "
        'keystream(seed, "tensor NAME").',
        "seed": SEED.hex(),
        "settings": SETTINGS,
        "tensors": [str(each) for each in tree.tensors],
        "leaves": [leaf.hex() for leaf in tree.leaves],
        "root": tree.digest().hex(),
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(FILE.relative_to(FILE.parents[2]))
