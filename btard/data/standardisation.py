"""Bytes of pixels to standardised numbers, the same on every platform."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Pixels = npt.NDArray[np.uint8]
"""(N, channels, ...): of digits, each pixel is a channel."""


def standardise(train: Pixels, test: Pixels) -> tuple[Tensor, Tensor]:
    """Return both as float32 tensors: (x - mean) / deviation of the channel's training pixels.

    Mean and variance come from sums of integers, and every byte value is converted once, so the result is the
    same on every machine. A constant channel becomes 0.
    """
    tables = [_table(train[:, channel]) for channel in range(train.shape[1])]
    return _converted(train, tables), _converted(test, tables)


def _table(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return (256,): the number for each byte value."""
    counts = [int(count) for count in np.bincount(pixels.reshape(-1), minlength=256)]
    number = sum(counts)
    first = sum(value * count for value, count in enumerate(counts))
    second = sum(value * value * count for value, count in enumerate(counts))
    # number times the deviation, an integer before the root.
    spread = math.sqrt(number * second - first * first)
    return np.array([(value * number - first) / spread if spread else 0 for value in range(256)], np.float32)


def _converted(pixels: Pixels, tables: list[npt.NDArray[np.float32]]) -> Tensor:
    result = np.empty(pixels.shape, np.float32)
    for channel, table in enumerate(tables):
        result[:, channel] = table[pixels[:, channel]]
    return torch.from_numpy(result)
