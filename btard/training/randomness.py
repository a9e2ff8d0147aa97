"""Draws of a task from a public seed: the same numbers on every platform and for every device.

All come from the keystream of (seed, domain) by whole-number arithmetic on the CPU; move them to the device
of the model. Torch's own generators give other numbers on CUDA than on the CPU. Use another `domain` for each
purpose: draws of one seed and domain begin alike. protocols/gradient.md is the specification.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from btard.crypto import keystream
from btard.errors import ConfigurationError

_WORDS = 1 << 64
_SHARES = 1 << 32


def integers(seed: bytes, domain: str, bound: int, count: int) -> Tensor:
    """Return `count` integers, uniform in [0, bound), as int64 (count,), 1 <= bound < 2^63.

    They are those of `Draw(seed, domain).below(bound)`, `count` times: big-endian 64-bit words modulo
    `bound`, the words from the greatest multiple of `bound` on left out. Raises ConfigurationError for other
    bounds.
    """
    if not 1 <= bound < 1 << 63:
        raise ConfigurationError(f"the bound of integers is {bound}: use 1 to 2^63 - 1 choices")
    last = _WORDS - _WORDS % bound - 1
    length = count
    while True:
        words = np.frombuffer(keystream(seed, domain, 8 * length), dtype=">u8").astype(np.uint64)
        kept = words[words <= np.uint64(last)]
        if len(kept) >= count:
            return torch.from_numpy((kept[:count] % np.uint64(bound)).astype(np.int64))
        length *= 2


def bernoulli(seed: bytes, domain: str, shape: Sequence[int], probability: float) -> Tensor:
    """Return a bool tensor of `shape`, True with `probability`, independently.

    Element i in row-major order is True if the i-th little-endian 32-bit word is below
    floor(probability * 2^32). Raises ConfigurationError for a probability outside of [0, 1].
    """
    if not 0 <= probability <= 1:
        raise ConfigurationError(f"probability is {probability}: use 0 to 1")
    words = np.frombuffer(keystream(seed, domain, 4 * math.prod(shape)), dtype="<u4")
    # In 64 bits: for probability 1 the threshold is 2^32.
    drawn = words.astype(np.uint64) < np.uint64(int(probability * _SHARES))
    return torch.from_numpy(drawn).reshape(tuple(shape))


def permutation(seed: bytes, domain: str, count: int) -> Tensor:
    """Return the numbers 0 to count - 1 in random order, as int64 (count,).

    They are ordered by their little-endian 64-bit words, equal words by number. Words are equal with
    probability below count^2 / 2^65: so far at most is an order from uniform.
    """
    words = np.frombuffer(keystream(seed, domain, 8 * count), dtype="<u8")
    return torch.from_numpy(np.argsort(words, kind="stable").astype(np.int64))
