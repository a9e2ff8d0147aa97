"""A known update, computed on this machine before it joins a run: does its arithmetic keep the protocol's?"""

from __future__ import annotations

from functools import cache

import numpy as np

from btard.crypto import digest, keystream
from btard.errors import RunMismatchError
from btard.training.optimizers import LAMB, SGD, AdamW, PortableOptimizer, Vectors, WarmupCosine
from btard.training.optimizers.arithmetic import BLOCK, Floats
from btard.training.sampling import normal
from btard.types import Digest

SIZES = (("layer.weight", BLOCK + 1234), ("layer.bias", 321))
"""Tensors of the probe: more than a block, and less than the lanes of a sum."""

UPDATES = 3
SEED = bytes(32)

OPTIMIZERS: tuple[PortableOptimizer, ...] = (
    SGD(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, max_norm=1.0),
    AdamW(learning_rate=1e-3, weight_decay=0.01, groups=(("*bias", 0.0),)),
    LAMB(learning_rate=1.76e-3, weight_decay=0.01, schedule=WarmupCosine(total=5, warmup=1)),
)

EXPECTED = Digest(bytes.fromhex("36e58acc78229daa80ff8f7a5f0c18e456cd5962b73b6456b03685688724af9d"))
"""The digest of the three optimizers' vectors after the updates (protocols/vectors/update.json)."""


def check_arithmetic() -> None:
    """Raise RunMismatchError unless this machine computes the known update to the last bit."""
    if probe() != EXPECTED:
        raise RunMismatchError(
            "this machine rounds the known update of protocols/update.md otherwise, so it would make another "
            "model than the run's: use another processor, or another build of numpy"
        )


@cache
def probe() -> Digest:
    """Return the digest of the vectors of each optimizer after three updates of a known vector.

    The gradients have numbers of all magnitudes, subnormal ones included."""
    size = sum(count for _, count in SIZES)
    results: list[bytes] = []
    for optimizer in OPTIMIZERS:
        old, new = (
            Vectors(normal(SEED, "probe", size, 0.02).numpy(), tuple(np.zeros((2, size), np.float32)))
            for _ in range(2)
        )
        segments = optimizer.segments(SIZES)
        for count in range(UPDATES):
            optimizer.update(count, old, gradient(count, size), new, segments)
            old, new = new, old
        results += [old.parameters.tobytes(), *(moment.tobytes() for moment in old.moments)]
    return digest("probe", *results)


def gradient(count: int, size: int) -> Floats:
    """Return the gradient of update `count`: half of it of the scale of gradients, half of any below 1."""
    usual = normal(SEED, f"probe gradient {count}", size, 0.01).numpy()
    words = np.frombuffer(keystream(SEED, f"probe words {count}", 4 * size), "<u4")
    # Without the highest bit of the exponent a word is a finite number below 2.
    odd = (words & np.uint32(0xBFFFFFFF)).view(np.float32)
    mixed: Floats = np.where(words & 1, usual, odd)
    return mixed
